"""CPU, memory and vCPUs side by side: what is promised and used, and what runs out first."""

import numpy as np
import pyarrow as pa

from ...models.accounts.accounts import Rate
from ...models.base.arrays import Bools, Floats, Ints, sum_by
from ...models.base.cost import JOULE_PER_KWH
from ...scenarios.build.build import Case
from ...sim.engine import Outcome
from ..base.table_columns import Made
from ..base.units_and_ratios import ratio, ratios

CPU, MEMORY, PROMISED = "CPU", "memory", "CPU promised to VMs"
ROUNDING = 1e-9


def resource_values(case: Case, outcome: Outcome) -> dict[str, float]:
    """Return shares of memory and of CPU promised, and vCPUs per core, by name."""
    farm, totals = outcome.farm, outcome.farm.accounts.totals
    levels = farm.accounts.levels
    hosts, on_s = farm.hosts, totals[Rate.ON]
    cores = hosts.cpu_mhz / hosts.core_mhz
    was_on = on_s > 0
    per_core = ratios(totals[Rate.VCPUS], on_s * cores)
    return {
        "memory_mean": ratio(totals[Rate.MEMORY_MIB].sum(), on_s @ hosts.memory_mib),
        "memory_p95": levels.memory.quantile(0.95),
        "memory_max": levels.memory.highest,
        "host_memory_max": float((farm.accounts.peak_memory_mib / hosts.memory_mib).max()),
        "cpu_promised_p95": levels.promised.quantile(0.95) / _overcommit(case),
        "vcpus_per_core": ratio(totals[Rate.VCPUS].sum(), on_s @ cores),
        "host_vcpus_per_core_max": float((farm.accounts.peak_vcpus / cores).max()),
        "host_vcpus_per_core_min": float(per_core[was_on].min()) if was_on.any() else 0.0,
    }


def limiting_resource(case: Case, values: dict[str, float]) -> dict[str, str]:
    """Return the resource of which most is taken at the 95th percentile of time, and a sentence.

    CPU by use, memory by what VMs hold, and where VMs are placed by their size also what is
    promised to them of the CPU that placement counts; not where control policies, which go by
    demand, pack hosts beyond that.
    """
    shares = {CPU: values["utilisation_p95"], MEMORY: values["memory_p95"]}
    by_size = case.scenario.policies.initial.by == "size"
    if by_size and values["cpu_promised_p95"] <= 1.0 + ROUNDING:
        shares[PROMISED] = values["cpu_promised_p95"]
    order = sorted(shares, key=lambda each: -shares[each])
    if not shares[order[0]]:
        held = values["memory_max"] or values["utilisation_mean"]
        when = "At the 95th percentile of time no VM" if held else "No VM"
        text = f"{when} held any resource of a host that was on."
        return {"resource": "none", "text": text}
    others = " and ".join(f"{100 * shares[each]:.0f} % of {_of(each)}" for each in order[1:])
    text = (
        f"Limiting resource: {order[0]}. {100 * shares[order[0]]:.0f} % of {_of(order[0])} of the "
        f"hosts that were on was taken at the 95th percentile of time, {others}."
    )
    return {"resource": order[0], "text": text}


def _of(resource: str) -> str:
    return "the CPU that may be promised" if resource == PROMISED else f"the {resource}"


def host_columns(outcome: Outcome) -> dict[str, Made]:
    """Return what the table of hosts says of memory and vCPUs."""
    farm, totals = outcome.farm, outcome.farm.accounts.totals
    hosts, accounts, on_s = farm.hosts, farm.accounts, totals[Rate.ON]
    cores = hosts.cpu_mhz / hosts.core_mhz
    return {
        "cores": (cores, "cores", "Cores."),
        "memory_mean": (
            ratios(totals[Rate.MEMORY_MIB], on_s * hosts.memory_mib), "share", "Memory that VMs "
            "held, reservations for incoming ones included, over its memory; mean while on.",
        ),
        "memory_max": (
            accounts.peak_memory_mib / hosts.memory_mib, "share", "Highest of the same."
        ),
        "vcpus_per_core_mean": (
            ratios(totals[Rate.VCPUS], on_s * cores), "vCPUs/core", "vCPUs of its VMs per core, "
            "mean while on.",
        ),
        "vcpus_per_core_max": (
            accounts.peak_vcpus / cores, "vCPUs/core", "Highest of the same."
        ),
    }  # fmt: skip


def group_table(case: Case, outcome: Outcome) -> dict[str, Made]:
    """Return CPU, memory and vCPUs of each group of hosts."""
    farm, totals = outcome.farm, outcome.farm.accounts.totals
    hosts, on_s = farm.hosts, totals[Rate.ON]
    count, cores = len(case.host_models), hosts.cpu_mhz / hosts.core_mhz

    def summed(values: Floats) -> Floats:
        return sum_by(hosts.group, weights=values, minlength=count)

    def highest(values: Floats) -> Floats:
        found = np.zeros(count)
        np.maximum.at(found, hosts.group, values)
        return found

    per_core = ratios(totals[Rate.VCPUS], on_s * cores)
    return {
        "group": (pa.array([model.name for model in case.host_models]), "", "Group of hosts."),
        "hosts": (np.bincount(hosts.group, minlength=count), "hosts", "Hosts of the group."),
        "hosts_on_mean": (summed(on_s) / outcome.end_s, "hosts", "Mean hosts on."),
        "energy_kwh": (summed(totals[Rate.POWER_W]) / JOULE_PER_KWH, "kWh", "Energy drawn."),
        "utilisation_mean": (
            ratios(summed(totals[Rate.DELIVERED_MHZ]), summed(on_s * hosts.cpu_mhz)), "share",
            "CPU delivered over CPU switched on.",
        ),
        "utilisation_max": (
            highest(farm.accounts.peak_utilisation), "share", "Highest of any of its hosts."
        ),
        "memory_mean": (
            ratios(summed(totals[Rate.MEMORY_MIB]), summed(on_s * hosts.memory_mib)), "share",
            "Memory that VMs held over memory of its hosts that were on, mean.",
        ),
        "memory_max": (
            highest(farm.accounts.peak_memory_mib / hosts.memory_mib), "share", "Highest of any "
            "of its hosts.",
        ),
        "vcpus_per_core_mean": (
            ratios(summed(totals[Rate.VCPUS]), summed(on_s * cores)), "vCPUs/core", "vCPUs of "
            "VMs per core of its hosts that were on, mean.",
        ),
        "vcpus_per_core_min": (
            _lowest(per_core, hosts.group, on_s > 0, count), "vCPUs/core", "Lowest mean of any of "
            "its hosts while on.",
        ),
        "vcpus_per_core_max": (
            highest(farm.accounts.peak_vcpus / cores), "vCPUs/core", "Highest of any of its hosts."
        ),
    }  # fmt: skip


def _lowest(values: Floats, group: Ints, counts: Bools, groups: int) -> Floats:
    found = np.full(groups, np.inf)
    np.minimum.at(found, group[counts], values[counts])
    return np.where(np.isfinite(found), found, 0.0)


def _overcommit(case: Case) -> float:
    return float(case.scenario.policies.initial.cpu_overcommit)
