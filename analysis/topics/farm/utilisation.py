"""CPU, memory and vCPUs: allocated and used, and the limiting resource."""

import numpy as np
import pyarrow as pa

from ....models.accounts.accounts import Rate
from ....models.base.arrays import Bools, Floats, distinct, sum_by
from ....models.base.cost import JOULE_PER_KWH
from ...base.arrow_arrays import numpy_array
from ...base.played_case import PlayedCase
from ...base.plotting import Figure, figure, hours
from ...base.run_tables import RunTables
from ...base.table_columns import Made
from ...base.topic import Section, Topic, TopicFigure, TopicTable
from ...base.units_and_ratios import ratio, ratios

CPU, MEMORY, PROMISED = "CPU", "memory", "CPU allocated to VMs"
ROUNDING = 1e-9


def utilisation_values(run: PlayedCase) -> dict[str, float]:
    """Return shares of CPU, memory and CPU promised that were taken, and vCPUs per core.

    All are shares of what was switched on, so that switching hosts off raises them. Reserved memory
    of VMs on their way counts as held at both ends.
    """
    return _cpu_values(run) | _memory_values(run)


def _cpu_values(run: PlayedCase) -> dict[str, float]:
    """Return shares of the CPU of hosts on that were delivered: mean, quantiles over time, highest.

    Quantiles go by time, not by host; ``host_utilisation_p95_max`` is that of the busiest host.
    """
    accounts, hosts = run.farm.accounts, run.farm.hosts
    delivered = float(accounts.totals[Rate.DELIVERED_MHZ].sum())
    utilisation = accounts.levels.utilisation
    return {
        "utilisation_mean": ratio(delivered, float(accounts.totals[Rate.ON] @ hosts.cpu_mhz)),
        "utilisation_p50": utilisation.quantile(0.5),
        "utilisation_p95": utilisation.quantile(0.95),
        "utilisation_max": utilisation.highest,
        "host_utilisation_p95_max": float(accounts.quantile(0.95).max(initial=0.0)),
    }


def _memory_values(run: PlayedCase) -> dict[str, float]:
    """Return shares of memory and of CPU promised, and vCPUs per core; 0 where no host was on.

    ``cpu_promised_p95`` is over the CPU that placement counts: that of hosts on, times
    ``policies.initial.cpu_overcommit``.
    """
    farm, totals = run.farm, run.farm.accounts.totals
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
        "cpu_promised_p95": levels.promised.quantile(0.95) / _overcommit(run),
        "vcpus_per_core": ratio(totals[Rate.VCPUS].sum(), on_s @ cores),
        "host_vcpus_per_core_max": float((farm.accounts.peak_vcpus / cores).max()),
        "host_vcpus_per_core_min": float(per_core[was_on].min()) if was_on.any() else 0.0,
    }


def limiting_resource(run: PlayedCase, values: dict[str, float]) -> dict[str, str]:
    """Return the limiting resource at the 95th percentile of time, and a sentence on it.

    CPU by use, memory by what VMs hold, and where VMs are placed by their size also what is
    promised to them of the CPU that placement counts; not where control policies, which go by
    demand, pack hosts beyond that.

    The mapping has ``resource`` (``CPU``, ``memory``, ``CPU promised to VMs``, or ``none`` where no
    VM held anything) and ``text``. Of equals CPU comes before memory, memory before what is
    promised.
    """
    shares = {CPU: values["utilisation_p95"], MEMORY: values["memory_p95"]}
    by_size = run.scenario.policies.initial.count_by == "size"
    if by_size and values["cpu_promised_p95"] <= 1.0 + ROUNDING:
        shares[PROMISED] = values["cpu_promised_p95"]
    order = sorted(shares, key=lambda each: -shares[each])
    if not shares[order[0]]:
        held = values["memory_max"] or values["utilisation_mean"]
        when = "At the 95th percentile over time, no VM" if held else "No VM"
        text = f"{when} held any resource of a host that was on."
        return {"resource": "none", "text": text}
    others = " and ".join(f"{100 * shares[each]:.0f} % of {_of(each)}" for each in order[1:])
    text = (
        f"Limiting resource: {order[0]}. {100 * shares[order[0]]:.0f} % of {_of(order[0])} of "
        f"powered-on hosts was used at the 95th percentile over time, {others}."
    )
    return {"resource": order[0], "text": text}


def _of(resource: str) -> str:
    return "the CPU that may be allocated" if resource == PROMISED else f"the {resource}"


def host_columns(run: PlayedCase) -> dict[str, Made]:
    """Return columns of the table of hosts on memory and vCPUs.

    Means are over the time on, 0 for a host that never was; memory includes reservations for VMs
    that are on their way.

    Cores are the capacity over the clock of one core.
    """
    farm, totals = run.farm, run.farm.accounts.totals
    hosts, accounts, on_s = farm.hosts, farm.accounts, totals[Rate.ON]
    cores = hosts.cpu_mhz / hosts.core_mhz
    fullest = accounts.peak_memory_mib / hosts.memory_mib
    return {
        "cores": (cores, "cores", "Cores."),
        "memory_mean": (
            ratios(totals[Rate.MEMORY_MIB], on_s * hosts.memory_mib),
            "share",
            "Memory of VMs, including reservations of incoming ones, divided by its memory; mean "
            "while on.",
        ),
        "memory_max": (fullest, "share", "Highest of the same."),
        "vcpus_per_core_mean": (
            ratios(totals[Rate.VCPUS], on_s * cores),
            "vCPUs/core",
            "vCPUs of its VMs per core, mean while on.",
        ),
        "vcpus_per_core_max": (accounts.peak_vcpus / cores, "vCPUs/core", "Highest of the same."),
    }


class _ByGroup:
    """Sums and extremes over the hosts of each group.

    Results have one entry per group of the scenario, (groups,); arguments one per host, (hosts,).
    """

    def __init__(self, run: PlayedCase) -> None:
        self._group, self.count = run.farm.hosts.group, len(run.case.host_models)

    def sum(self, values: Floats) -> Floats:
        """Return the sum over the hosts of each group, (groups,), of values by host, (hosts,)."""
        return sum_by(self._group, weights=values, minlength=self.count)

    def highest(self, values: Floats) -> Floats:
        """Return the highest value of any host, 0 of none."""
        found = np.zeros(self.count)
        np.maximum.at(found, self._group, values)
        return found

    def lowest(self, values: Floats, counts: Bools) -> Floats:
        """Return the lowest value of the hosts that count, 0 of none."""
        found = np.full(self.count, np.inf)
        np.minimum.at(found, self._group[counts], values[counts])
        return np.where(np.isfinite(found), found, 0.0)


def group_table(run: PlayedCase) -> dict[str, Made]:
    """Return CPU, memory and vCPUs of each group of hosts; means are over its hosts that were on.

    A group whose hosts were never on has 0 for means and lowest values.

    Highest and lowest values are of single hosts, means of the group as one.
    """
    groups = _ByGroup(run)
    totals = run.farm.accounts.totals
    names = [model.name for model in run.case.host_models]
    hosts = np.bincount(run.farm.hosts.group, minlength=groups.count)
    on, energy_j = groups.sum(totals[Rate.ON]), groups.sum(totals[Rate.POWER_W])
    return {
        "group": (names, "", "Group of hosts."),
        "hosts": (hosts, "hosts", "Hosts of the group."),
        "hosts_on_mean": (on / run.end_s, "hosts", "Mean hosts on."),
        "energy_kwh": (energy_j / JOULE_PER_KWH, "kWh", "Energy used."),
        **_group_use(run, groups),
        **_group_vcpus(run, groups),
    }


def _group_use(run: PlayedCase, groups: _ByGroup) -> dict[str, Made]:
    """Return CPU and memory of each group as shares of what was on: means and highest host."""
    hosts, accounts, totals = run.farm.hosts, run.farm.accounts, run.farm.accounts.totals
    on_s = totals[Rate.ON]
    cpu = ratios(groups.sum(totals[Rate.DELIVERED_MHZ]), groups.sum(on_s * hosts.cpu_mhz))
    memory = ratios(groups.sum(totals[Rate.MEMORY_MIB]), groups.sum(on_s * hosts.memory_mib))
    busiest = groups.highest(accounts.peak_utilisation)
    fullest = groups.highest(accounts.peak_memory_mib / hosts.memory_mib)
    held = "Memory of VMs divided by memory of its hosts that were on, mean."
    return {
        "utilisation_mean": (cpu, "share", "CPU delivered divided by the CPU of hosts on."),
        "utilisation_max": (busiest, "share", "Highest of any of its hosts."),
        "memory_mean": (memory, "share", held),
        "memory_max": (fullest, "share", "Highest of any of its hosts."),
    }


def _group_vcpus(run: PlayedCase, groups: _ByGroup) -> dict[str, Made]:
    """Return vCPUs per core of each group: mean, and the lowest and highest host."""
    hosts, accounts, totals = run.farm.hosts, run.farm.accounts, run.farm.accounts.totals
    cores, on_s = hosts.cpu_mhz / hosts.core_mhz, totals[Rate.ON]
    mean = ratios(groups.sum(totals[Rate.VCPUS]), groups.sum(on_s * cores))
    lowest = groups.lowest(ratios(totals[Rate.VCPUS], on_s * cores), on_s > 0)
    highest, unit = groups.highest(accounts.peak_vcpus / cores), "vCPUs/core"
    per_core = "vCPUs of VMs per core of its hosts that were on, mean."
    return {
        "vcpus_per_core_mean": (mean, unit, per_core),
        "vcpus_per_core_min": (lowest, unit, "Lowest mean of any of its hosts while on."),
        "vcpus_per_core_max": (highest, unit, "Highest of any of its hosts."),
    }


def _overcommit(run: PlayedCase) -> float:
    return float(run.scenario.policies.initial.cpu_overcommit)


def utilisation_map(run: PlayedCase) -> dict[str, Made]:
    """Return use over hosts and time, coarse enough to be drawn: a cell for neighbouring hosts.

    One row per cell; ``utilisation`` and ``on_share`` are over all capacity of its hosts, off or
    on.
    """
    table = run.records["utilisation_map"]
    return {
        "first_host": (run.names.host(table["first_host"]), "", "First host of the row."),
        "last_host": (run.names.host(table["last_host"]), "", "Last host of the row."),
        "first_host_number": (table["first_host"], "", "Number of the first host."),
        "start_s": (table["start_s"], "s", "From."),
        "end_s": (table["end_s"], "s", "To."),
        "utilisation": (table["utilisation"], "share", "CPU delivered divided by total capacity."),
        "on_share": (table["on_share"], "share", "CPU of hosts on divided by total capacity."),
    }


def heatmap(result: RunTables) -> Figure:
    """Utilisation over hosts and time; blank while a host is off.

    Cells that are partly on show the use of the part that was. A small farm has a row for each
    host, a large one a row for several.
    """
    table = result.table("utilisation_map")
    start_s = distinct(numpy_array(table["start_s"]))
    grid = _grid(table)
    times, label = hours(start_s)
    labels = [str(name) for name in table["first_host"][: len(grid)].to_pylist()]
    trace = {
        "type": "heatmap",
        "z": [[None if np.isnan(cell) else round(float(cell), 1) for cell in row] for row in grid],
        "x": times,
        "y": labels,
        "zmin": 0,
        "zmax": 100,
        "colorscale": [[0, "#eaf2f8"], [0.5, "#5b9bd5"], [0.8, "#12436d"], [1, "#c1440e"]],
        "colorbar": {"title": {"text": "% of CPU"}, "thickness": 14},
        "hovertemplate": "%{y}<br>%{x:.2f}: %{z:.0f} %<extra></extra>",
    }
    ticks = labels[:: max(1, len(labels) // 8)]
    return figure(
        [trace],
        f"time ({label})",
        "host",
        height=480,
        margin={"t": 44},
        hovermode="closest",
        yaxis={"tickvals": ticks, "autorange": "reversed", "type": "category", "automargin": True},
    )


def _grid(table: pa.Table) -> Floats:
    """Return utilisation while on in percent, (rows of hosts, intervals); NaN where all are off."""
    row_values, row = np.unique(numpy_array(table["first_host_number"]), return_inverse=True)
    starts, column = np.unique(numpy_array(table["start_s"]), return_inverse=True)
    share, on = numpy_array(table["utilisation"]), numpy_array(table["on_share"])
    used = np.divide(share, on, out=np.full(len(share), np.nan), where=on > 0)
    grid = np.full((len(row_values), len(starts)), np.nan)
    grid[row.reshape(-1), column.reshape(-1)] = np.minimum(used, 1.0) * 100
    return grid


UTILISATION = Topic(
    name="utilisation",
    values=utilisation_values,
    tables=(TopicTable("groups", group_table), TopicTable("utilisation_map", utilisation_map)),
    figures=(
        TopicFigure(
            "heatmap",
            "Utilisation over hosts and time",
            "CPU utilisation of hosts that are on; white: off. Hosts are in the order of the farm.",
            heatmap,
        ),
    ),
    section=Section(
        "Use",
        (
            "utilisation_mean",
            "utilisation_p50",
            "utilisation_p95",
            "utilisation_max",
            "host_utilisation_p95_max",
            "memory_mean",
            "memory_p95",
            "memory_max",
            "host_memory_max",
            "cpu_promised_p95",
            "vcpus_per_core",
            "host_vcpus_per_core_max",
            "host_vcpus_per_core_min",
        ),
    ),
)
