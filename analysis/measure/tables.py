"""The tables that users read: names instead of rows, units in names, meanings in the schema."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ...models.accounts.accounts import Rate
from ...models.base.arrays import Bools
from ...models.base.cost import JOULE_PER_KWH
from ...models.base.metric_definitions import METRICS
from ...models.hardware.sleep_states import DEPTHS
from ...models.state.columns import POWER_STATES, VM_STATES, PowerState
from ...scenarios.build.build import Case
from ...sim.engine import Outcome
from ..base.table_columns import Made, Names, words
from ..base.units_and_ratios import MHZ_S_PER_GHZ_H, MIB_PER_GIB
from ..topics.availability import availability_table, outages
from ..topics.costs import cost_lines
from ..topics.elasticity.metrics import elasticity_tables
from ..topics.hypervisors import microscope, tenants, vm_layer
from ..topics.lifecycle.metrics import life_columns, population, present_s, reasons, vm_events
from ..topics.migration.tables import link_series, links, migration_phases, move_columns
from ..topics.power_states import rest_columns, sleep_refusals
from ..topics.reserve import TABLE as RESERVE
from ..topics.reserve import reserve_table
from ..topics.resources import group_table, host_columns
from ..topics.rules import rule_violations, rules_table
from ..topics.work import work_of
from .gap import bounds


def make_tables(case: Case, outcome: Outcome) -> dict[str, pa.Table]:
    """Return all tables of a run by name."""
    names = Names(case)
    makers: dict[str, Callable[[Case, Outcome, Names], Mapping[str, Made]]] = {
        "hosts": _hosts,
        "groups": lambda case, outcome, _: group_table(case, outcome),
        "vms": _vms,
        "farm_series": _farm_series,
        "migrations": _migrations,
        "power_events": _power_events,
        "violations": _violations,
        "decisions": _decisions,
        "costs": _costs,
        "utilisation_map": _utilisation_map,
        "bounds": lambda _, outcome, __: bounds(outcome),
    }
    if outcome.accounts.microscope is not None:
        makers["microscope"] = lambda _, outcome, __: microscope(outcome)
    if outcome.accounts.tenants is not None:
        makers["tenants"] = lambda case, outcome, _: tenants(case, outcome)
    if "host_series" in outcome.tables:
        makers["host_series"] = _host_series
    if case.living:
        makers["vm_events"] = lambda _, outcome, names: vm_events(outcome, names)
        makers["population"] = lambda _, outcome, __: population(outcome)
    if len(outcome.tables["outages"]["start_s"]):
        makers["availability"] = lambda case, outcome, _: availability_table(case, outcome)
        makers["outages"] = lambda _, outcome, __: outages(outcome)
    if len(outcome.tables["sleep_refusals"]["time_s"]):
        makers["sleep_refusals"] = lambda _, outcome, names: sleep_refusals(outcome, names)
    if RESERVE in outcome.tables:
        makers[RESERVE] = lambda _, outcome, __: reserve_table(outcome)
    if "maintenance" in outcome.tables:
        makers["maintenance"] = _maintenance
    makers |= elasticity_tables(case)
    if case.rules is not None:
        makers["rules"] = lambda case, outcome, _: rules_table(case, outcome)
        makers["rule_violations"] = rule_violations
    if outcome.network is not None:
        makers |= {
            "migration_phases": lambda _, outcome, names: migration_phases(outcome, names),
            "links": lambda _, outcome, __: links(outcome),
            "link_series": lambda _, outcome, __: link_series(outcome),
        }
    return {name: _table(case, make(case, outcome, names)) for name, make in makers.items()}


def _table(case: Case, made: Mapping[str, Made]) -> pa.Table:
    arrays, fields = [], []
    length = len(next(iter(made.values()))[0])
    keys: dict[str, Made] = {
        "scenario": (_repeat(case.name, length), "", "Name of the scenario."),
        "replication": (np.zeros(length, np.int32), "", "Number of the replication."),
        "seed": (np.full(length, case.scenario.seed, np.int64), "", "Seed of the run."),
    }
    for name, (values, unit, meaning) in (keys | dict(made)).items():
        array = values if isinstance(values, pa.Array) else pa.array(values)
        arrays.append(array)
        metadata = {"unit": unit, "description": meaning}
        fields.append(pa.field(name, array.type, metadata=metadata))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _repeat(text: str, length: int) -> pa.DictionaryArray:
    return words(np.zeros(length, np.int32), [text])


def _hosts(case: Case, outcome: Outcome, names: Names) -> dict[str, Made]:
    farm, domains, hours = outcome.farm, case.domains, 3600.0
    hosts, accounts, totals = farm.hosts, farm.accounts, farm.accounts.totals
    on_s, active_s = totals[Rate.ON], totals[Rate.ACTIVE]
    was_on = on_s > 0
    capacity = np.where(was_on, on_s * hosts.cpu_mhz, 1.0)
    mean_vms = np.divide(totals[Rate.VMS], on_s, out=np.zeros(len(hosts)), where=was_on)
    return {
        "host": (names.host(np.arange(len(hosts))), "", "Name of the host."),
        "group": (words(hosts.group, hosts.group_names), "", "Group of the host."),
        "server": (words(hosts.group, hosts.server_names), "", "Server that the host is."),
        "rack": (words(domains.rack, domains.rack_names), "", "Rack that it stands in."),
        "site": (words(domains.site, domains.site_names), "", "Site that it stands at."),
        "cpu_mhz": (hosts.cpu_mhz, "MHz", "Capacity of all cores."),
        "memory_gib": (hosts.memory_mib / MIB_PER_GIB, "GiB", "Memory."),
        "on_h": (on_s / hours, "h", "Time switched on."),
        "switching_h": (totals[Rate.SWITCHING] / hours, "h", "Time booting or shutting down."),
        "active_h": (active_s / hours, "h", "Time on and asked for CPU."),
        "violating_h": (
            totals[Rate.SHORT] / hours, "h", "Active time at 100 % of its CPU; with "
            "service.incoming_counts also while VMs were copied to it.",
        ),
        "energy_kwh": (totals[Rate.POWER_W] / JOULE_PER_KWH, "kWh", "Energy drawn."),
        "utilisation_mean": (
            totals[Rate.DELIVERED_MHZ] / capacity, "share", "CPU delivered over capacity while on."
        ),
        "utilisation_p50": (accounts.quantile(0.5), "share", "Median of utilisation while on."),
        "utilisation_p95": (accounts.quantile(0.95), "share", "P95 of utilisation while on."),
        "utilisation_max": (accounts.peak_utilisation, "share", "Highest utilisation."),
        "vms_mean": (mean_vms, "VMs", "VMs on the host, mean while on."),
        "memory_peak_gib": (
            accounts.peak_memory_mib / MIB_PER_GIB, "GiB", "Most memory held or reserved."
        ),
        **host_columns(outcome),
        "unserved_ghz_h": (
            totals[Rate.UNSERVED_MHZ] / MHZ_S_PER_GHZ_H, "GHz h", "CPU that VMs on it asked for "
            "and did not get, migration apart.",
        ),
        "unserved_saturated_ghz_h": (
            totals[Rate.SATURATED_MHZ] / MHZ_S_PER_GHZ_H, "GHz h", "Part of it that the host had "
            "no CPU or I/O left for.",
        ),
        "licensed_cores": (
            np.array([licence.cores for licence in case.licences], np.float64)[hosts.group],
            "cores", "Cores "
            "to be licensed where the licence is by the core, minimum orders apart.",
        ),
        "boots": (accounts.boots, "cycles", "Times switched on after the start."),
        "shutdowns": (accounts.stops, "cycles", "Times switched off."),
        **rest_columns(outcome),
        "failures": (accounts.failures, "times", "Times that it failed."),
        "failed_h": (totals[Rate.FAILED] / hours, "h", "Time until it was repaired."),
    }  # fmt: skip


def _vms(case: Case, outcome: Outcome, names: Names) -> dict[str, Made]:
    vms, accounts = outcome.farm.vms, outcome.farm.vm_accounts
    requested, work = accounts.requested_mhz_s, work_of(outcome)
    asked = np.where(work.asked > 0, work.asked, 1.0)
    span_s = np.where(present_s(outcome) > 0, present_s(outcome), 1.0)
    first = outcome.lives.first_host
    return {
        "vm": (names.vm(np.arange(len(vms))), "", "Name of the VM."),
        "size": (words(vms.size, vms.size_names), "", "Size of the VM."),
        "vcpus": (vms.vcpus, "vCPUs", "Virtual CPUs."),
        "size_mhz": (vms.size_mhz, "MHz", "CPU of all vCPUs."),
        "memory_gib": (vms.memory_mib / MIB_PER_GIB, "GiB", "Memory."),
        "state": (words(vms.state, VM_STATES), "", "State at the end."),
        "first_host": (names.host(first), "", "Host at the start."),
        "last_host": (names.host(vms.host), "", "Host at the end."),
        "migrations": (accounts.migrations, "moves", "Migrations that ended."),
        "utilisation_mean": (
            requested / (vms.size_mhz * span_s), "share", "CPU asked for over size."
        ),
        "requested_ghz_h": (
            work.asked / MHZ_S_PER_GHZ_H, "GHz h", "CPU asked for, whether or not it ran."
        ),
        "unserved_share": (work.missed / asked, "share", "Part of that which was not done."),
        **{
            f"unserved_{cause}_share": (
                missed / asked, "share", METRICS[f"unserved_{cause}_share"].definition
            )
            for cause, missed in work.not_done.items()
        },
        "ready_share": (
            accounts.ready_s / span_s, "share", "Time that its vCPUs were ready, not running."
        ),
        "costop_share": (
            accounts.costop_s / span_s, "share", "Time that its vCPUs waited for each other."
        ),
        **vm_layer(case, outcome),
        **life_columns(case, outcome),
        "reason": (pa.array(reasons(outcome)), "", "Why it was rejected, or still waits."),
    }  # fmt: skip


def _farm_series(case: Case, outcome: Outcome, names: Names) -> dict[str, Made]:
    del case
    del names
    series = outcome.tables["series"]
    time_s = series["time_s"]
    length_s = np.diff(time_s)
    keep = length_s > 0
    start_s, length_s = time_s[:-1][keep], length_s[keep]

    def mean(name: str) -> Any:
        return np.diff(series[name])[keep] / length_s

    def ratio(part: str, whole: str) -> Any:
        on = mean(whole)
        return np.divide(mean(part), on, out=np.zeros(len(on)), where=on > 0)

    def count(table: str, column: str, chosen: Any = slice(None)) -> Any:
        instants = outcome.tables[table][column][chosen]
        return np.histogram(instants, np.append(start_s, time_s[-1]))[0]

    power = outcome.tables["power_events"]
    on_mhz = mean("on_mhz_s")
    delivered = mean("delivered_mhz_s")
    use = np.divide(delivered, on_mhz, out=np.zeros(len(on_mhz)), where=on_mhz > 0)
    booted = power["state"] == PowerState.ON
    stopped = power["state"] == PowerState.OFF
    return {
        "time_s": (start_s, "s", "Start of the interval, from the start of the run."),
        "interval_s": (length_s, "s", "Length of the interval."),
        "energy_kwh": (np.diff(series["energy_j"])[keep] / JOULE_PER_KWH, "kWh", "Energy drawn."),
        "power_w": (mean("energy_j"), "W", "Mean power of the servers."),
        "hosts_on": (mean("on_s"), "hosts", "Mean hosts on."),
        "hosts_switching": (mean("switching_s"), "hosts", "Hosts booting or stopping, mean."),
        "vms": (mean("vm_s"), "VMs", "VMs on hosts, mean."),
        "capacity_on_ghz": (on_mhz / 1000, "GHz", "CPU switched on, mean."),
        "delivered_ghz": (delivered / 1000, "GHz", "CPU delivered, mean."),
        "unserved_ghz": (
            mean("unserved_mhz_s") / 1000, "GHz", "CPU that VMs on hosts asked for and did not "
            "get, mean; migration and VMs that did not run apart.",
        ),
        "unserved_saturated_ghz": (
            mean("saturated_mhz_s") / 1000, "GHz", "Part of it that hosts had no CPU or I/O left "
            "for.",
        ),
        "utilisation": (use, "share", "CPU delivered over CPU switched on."),
        "memory": (
            ratio("memory_mib_s", "on_mib_s"), "share", "Memory that VMs held over memory of "
            "hosts on.",
        ),
        "vcpus_per_core": (
            ratio("vcpu_s", "on_core_s"), "vCPUs/core", "vCPUs of VMs per core of hosts on."
        ),
        "hosts_violating": (
            mean("short_s"), "hosts", "Hosts at 100 % of their CPU, mean; with "
            "service.incoming_counts also those that VMs were copied to.",
        ),
        "migrations_started": (count("migrations", "start_s"), "moves", "Migrations begun."),
        "migrations_ended": (
            count("migrations", "end_s", outcome.tables["migrations"]["finished"]), "moves",
            "Migrations ended.",
        ),
        "hosts_booted": (count("power_events", "time_s", booted), "hosts", "Hosts gone on."),
        "hosts_stopped": (count("power_events", "time_s", stopped), "hosts", "Hosts gone off."),
    }  # fmt: skip


def _maintenance(case: Case, outcome: Outcome, names: Names) -> dict[str, Made]:
    table, columns = outcome.tables["maintenance"], case.farm.hosts

    def instants(name: str) -> pa.Array:
        return pa.array(table[name], pa.float64(), mask=np.isnan(table[name]))

    return {
        "host": (names.host(table["host"]), "", "Host closed for maintenance."),
        "closed_s": (instants("closed_s"), "s", "When it was closed: its wave began."),
        "empty_s": (
            instants("empty_s"), "s",
            "When the last VM had left it, in whatever way; null: not within the run.",
        ),
        "open_s": (
            instants("open_s"), "s", "When it was in service again, off; null: not within the run.",
        ),
        "boot_s": (columns.boot_s[table["host"]], "s", "Time that it takes to boot."),
    }  # fmt: skip


def _host_series(case: Case, outcome: Outcome, names: Names) -> dict[str, Made]:
    table = outcome.tables["host_series"]
    length_s = np.maximum(table["length_s"], 1e-12)
    on_s = np.where(table["on_s"] > 0, table["on_s"], 1.0)
    capacity_mhz = case.farm.hosts.cpu_mhz[table["host"]]
    return {
        "host": (names.host(table["host"]), "", "Name of the host."),
        "time_s": (table["time_s"] - table["length_s"], "s", "Start of the interval."),
        "interval_s": (table["length_s"], "s", "Length of the interval."),
        "power_w": (table["energy_j"] / length_s, "W", "Mean power."),
        "on_share": (table["on_s"] / length_s, "share", "Part of the interval switched on."),
        "utilisation": (
            table["delivered_mhz_s"] / (on_s * capacity_mhz), "share", "Utilisation while on."
        ),
        "vms": (table["vm_s"] / length_s, "VMs", "VMs on the host, mean."),
    }  # fmt: skip


def _migrations(case: Case, outcome: Outcome, names: Names) -> dict[str, Made]:
    del case
    table = outcome.tables["migrations"]
    return {
        "vm": (names.vm(table["vm"]), "", "VM moved."),
        "source": (names.host(table["source"]), "", "Host that it left."),
        "target": (names.host(table["target"]), "", "Host that it went to."),
        "decided_s": (table["decided_s"], "s", "When the move was decided."),
        "start_s": (table["start_s"], "s", "When the copy began."),
        "end_s": (table["end_s"], "s", "When it ended, or the run did."),
        "copied_gib": (
            table["copied_mib"] / MIB_PER_GIB, "GiB", "What was copied.",
        ),
        "finished": (table["finished"], "", "Whether the VM got there within the run."),
        **move_columns(outcome),
    }  # fmt: skip


def _power_events(case: Case, outcome: Outcome, names: Names) -> dict[str, Made]:
    del case
    table = outcome.tables["power_events"]
    return {
        "time_s": (table["time_s"], "s", "When it happened."),
        "host": (names.host(table["host"]), "", "Host that changed."),
        "state": (words(table["state"], POWER_STATES), "", "State from then on."),
        "rest": (
            words(table["depth"], DEPTHS),
            "",
            "State of rest that it is in, on its way to or out of; off where it is none of these.",
        ),
        "cause": (words(table["cause"], outcome.words), "", "Why."),
    }


def _violations(case: Case, outcome: Outcome, names: Names) -> dict[str, Made]:
    del case
    table = outcome.tables["violations"]
    return {
        "host": (names.host(table["host"]), "", "Host in violation."),
        "start_s": (table["start_s"], "s", "From."),
        "end_s": (table["end_s"], "s", "To."),
        "unserved_ghz_h": (
            table["unserved_mhz_s"] / MHZ_S_PER_GHZ_H, "GHz h", "Work that the host had no CPU "
            "or I/O left for meanwhile.",
        ),
    }  # fmt: skip


def _decisions(case: Case, outcome: Outcome, names: Names) -> dict[str, Made]:
    del case
    table = outcome.tables["decisions"]
    return {
        "time_s": (table["time_s"], "s", "When it was decided."),
        "vm": (names.vm(table["vm"]), "", "VM concerned."),
        "source": (names.host(table["source"]), "", "Host that it was on."),
        "target": (names.host(table["target"]), "", "Host that was chosen."),
        "rule": (words(table["rule"], outcome.words), "", "Policy that asked for the move."),
        "measured": (table["measured"], "share", "What the rule measured, of the source's CPU."),
        "limit": (table["limit"], "share", "What the rule compared it with."),
        "hosts_considered": (table["considered"], "hosts", "Candidates looked at."),
        "hosts_full": (table["full"], "hosts", "Where none had room: all of them, otherwise 0."),
        "hosts_no_cpu": (table["no_cpu"], "hosts", "Where none had room: those lacking CPU."),
        "hosts_no_memory": (table["no_memory"], "hosts", "… those lacking memory."),
        "hosts_vetoed": (table["vetoed"], "hosts", "… those that it would have overloaded."),
        "hosts_barred": (table["barred"], "hosts", "… those that may not take it."),
        "barred_by": (
            words(table["rules"], outcome.words),
            "",
            "Rules that kept it off hosts, with the number of hosts for each.",
        ),
        "cost": (table["cost"], "", "Placement's measure of the target; lowest was chosen."),
        "outcome": (words(table["outcome"], outcome.words), "", "What became of it."),
    }


def _costs(case: Case, outcome: Outcome, names: Names) -> dict[str, Made]:
    del names
    lines = cost_lines(case, outcome)
    currency = case.scenario.cost.currency
    known = np.array([line.known for line in lines], bool)
    hosts = np.array([line.hosts for line in lines])
    return {
        "group": ([line.group for line in lines], "", "Group of hosts."),
        "item": ([line.item for line in lines], "", "Energy, capital, or licence."),
        "hosts": ([line.hosts for line in lines], "hosts", "Hosts that it is counted for."),
        "licensed_cores": (
            [line.licensed_cores for line in lines], "cores", "Cores that a licence by the core "
            "is paid for, minimum orders included.",
        ),
        "amount": (
            _known([line.amount for line in lines], known), currency, "Cost over the run; null "
            "where its price is not known in this currency.",
        ),
        "per_year": (
            _known([line.per_year for line in lines], known), f"{currency}/year", "Cost per year."
        ),
        "per_host_year": (
            _known([line.per_host_year for line in lines], known & (hosts > 0)),
            f"{currency}/year", "Cost per host and year; null where no host is counted.",
        ),
    }  # fmt: skip


def _known(values: list[float], known: Bools) -> pa.Array:
    return pa.array(np.array(values, np.float64), mask=~known)


def _utilisation_map(case: Case, outcome: Outcome, names: Names) -> dict[str, Made]:
    del case
    table = outcome.tables["utilisation_map"]
    return {
        "first_host": (names.host(table["first_host"]), "", "First host of the row."),
        "last_host": (names.host(table["last_host"]), "", "Last host of the row."),
        "row": (table["first_host"], "", "Number of the first host."),
        "start_s": (table["start_s"], "s", "From."),
        "end_s": (table["end_s"], "s", "To."),
        "utilisation": (table["utilisation"], "share", "CPU delivered over all capacity."),
        "on_share": (table["on_share"], "share", "CPU switched on over all capacity."),
    }
