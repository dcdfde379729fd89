"""Tables of an imported scenario: VMs, hosts and rules as CSV, measured load as Parquet."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Inventory, Rule, Scope, Series, Vm
from ..inventory.series import CPU_DEMAND, CPU_USAGE, LOW_COVERAGE, coverage, filled
from ..readers.vms_table import COLUMNS, SCOPES
from .host_groups import HostGroup, Placed

HOST_COLUMNS: Final = (
    "host", "group", "cluster", "datacentre", "site", "vendor", "model", "cpu_model", "sockets",
    "cores", "threads", "clock_mhz", "memory_mib", "cpu_used_mhz", "cpu_mean_mhz", "cpu_p95_mhz",
    "cpu_peak_mhz", "memory_used_mib", "in_service", "cpu_baseline", "hypervisor",
)  # fmt: skip
RULE_COLUMNS: Final = ("rule", "type", "vm", "host")
PRIORITIES: Final = {
    "disabled": -3, "lowest": -2, "low": -1, "medium": 0, "high": 1, "highest": 2,
}  # fmt: skip
"""Restart priorities of vSphere HA as those of farmsim; the default of a cluster is unknown."""


def vms_csv(inventory: Inventory, placed: Mapping[str, Placed], classes: Mapping[str, str]) -> str:
    """Return the table of VMs: those of the plan first, then those left out whose size is known.

    ``placed`` has the VMs of both kinds by key, ``classes`` the request class of some.
    """
    shown = [vm for vm in inventory.vms if vm.key in placed]
    shown.sort(key=lambda vm: (vm.scope is not Scope.IN_PLAN, placed[vm.key].name))
    rows = (_vm_row(vm, placed[vm.key], classes.get(vm.key, "")) for vm in shown)
    columns = [name for name in COLUMNS if name not in ("group", "load")]
    return _csv(columns, rows)


def is_listed(vm: Vm) -> bool:
    """Whether a VM has a row in the table: in the plan, or left out and of known size."""
    return vm.scope in SCOPES and bool(vm.vcpus and vm.memory_mib)


def _vm_row(vm: Vm, placed: Placed, request_class: str) -> dict[str, Any]:
    """Return the row of a VM; what is not known is None."""
    return {
        "vm": placed.name,
        "vcpus": vm.vcpus,
        "clock_mhz": placed.clock_mhz,
        "memory_mib": vm.memory_mib,
        "host": placed.host,
        "cluster": placed.cluster,
        "priority": PRIORITIES.get((vm.restart_priority or "").lower()),
        "reservation_mhz": vm.reservation_mhz or None,
        "cpu_limit_mhz": vm.cpu_limit_mhz if (vm.cpu_limit_mhz or 0) > 0 else None,
        "disk_mib": vm.disk_mib,
        "class": request_class,
        "cpu_used_mhz": vm.cpu_used_mhz,
        "cpu_share": vm.cpu_share,
        "memory_active_mib": vm.memory_active_mib,
        "memory_consumed_mib": vm.memory_consumed_mib,
        "scope": vm.scope.value,
        "note": "; ".join(placed.notes),
    }


def hosts_csv(inventory: Inventory, groups: Sequence[HostGroup]) -> str:
    """Return the table of hosts as the inventory has them, with the group of each."""
    group_of = {host.name: group.name for group in groups for host in group.hosts}
    rows = (
        {
            "host": host.name,
            "group": group_of.get(host.name, ""),
            "in_service": "true" if host.in_service else "false",
        }
        | {name: getattr(host, name) for name in HOST_COLUMNS[2:] if name != "in_service"}
        for host in sorted(inventory.hosts, key=lambda host: host.name)
    )
    return _csv(HOST_COLUMNS, rows)


def rules_csv(
    rules: Iterable[Rule], placed: Mapping[str, Placed], hosts: Iterable[str]
) -> tuple[str, list[Finding]]:
    """Return the table of placement rules, empty where none holds, and what was left out.

    A rule needs two VMs of the plan, a fence at least one of the listed ``hosts``.
    """
    rows: list[dict[str, Any]] = []
    known, dropped = set(hosts), []
    for rule in sorted(rules, key=lambda rule: (rule.name, rule.kind)):
        members = [placed[key].name for key in rule.members if key in placed]
        places = [name for name in rule.hosts if name in known]
        if len(members) < (1 if rule.kind == "fence" else 2) or (
            rule.kind == "fence" and not places
        ):
            dropped.append(rule.name)
            continue
        named = {"rule": rule.name, "type": rule.kind}
        rows += [named | {"vm": exactly(name)} for name in sorted(members)]
        rows += [named | {"host": exactly(name)} for name in sorted(places)]
    if not dropped:
        return (_csv(RULE_COLUMNS, rows) if rows else ""), []
    finding = Finding(
        "RULE_WITHOUT_EFFECT",
        Severity.WARNING,
        "rules",
        f"{len(dropped)} rules have fewer than two VMs in the plan, or name no hosts: "
        f"{', '.join(dropped[:5])}",
        "they are left out; hosts of a rule can be added in rules.csv",
        tuple(dropped),
    )
    return (_csv(RULE_COLUMNS, rows) if rows else ""), [finding]


def exactly(name: str) -> str:
    """Return the pattern that fits a name alone."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in name)


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a table as CSV; None is an empty cell, numbers are as short as they are exact."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """Return a cell: whole numbers without a point, others with what they need."""
    if value is None:
        return ""
    if isinstance(value, float):
        return int(value) if value.is_integer() else round(value, 6)
    return " ".join(value.split()) if isinstance(value, str) else value


@dataclass(frozen=True, eq=False)
class MeasuredLoad:
    """CPU of VMs over time, MHz, a column (steps,) per VM by its name; no value is missing.

    ``covered`` is the share of values of each VM that were measured; ``constant`` are VMs without
    a usable series, which stay at ``cpu_used_mhz``, or at nothing known.
    """

    start_s: float
    step_s: float
    mhz: Mapping[str, Floats]
    covered: Mapping[str, float]
    constant: tuple[str, ...]


def measured_load(
    inventory: Inventory, placed: Mapping[str, Placed]
) -> tuple[MeasuredLoad | None, list[Finding]]:
    """Return the measured CPU of the VMs of the plan; None where no VM has a series.

    Demand is preferred to usage. Gaps of two steps are interpolated, longer ones keep the last
    value, and a finding says of how many VMs. A VM with less than 90 % of its values keeps its
    use at the instant of the inventory, or the mean of what was measured.
    """
    chosen = _chosen_series(inventory)
    if not chosen:
        return None, []
    step_s = max(series.step_s for series in chosen.values())
    start_s = min(series.start.timestamp() for series in chosen.values())
    end_s = max(each.start.timestamp() + len(each.values) * each.step_s for each in chosen.values())
    steps = round((end_s - start_s) / step_s)
    mhz: dict[str, Floats] = {}
    covered: dict[str, float] = {}
    constant, held, above, unknown = [], [], [], []
    for vm in inventory.in_plan:
        place = placed[vm.key]
        own_mhz = (vm.vcpus or 0) * place.clock_mhz
        values = np.full(steps, np.nan)
        series = chosen.get(vm.key)
        if series is not None:
            values = _on_grid(series, start_s, step_s, steps, own_mhz, place.clock_mhz)
        covered[place.name] = coverage(values)
        if covered[place.name] < LOW_COVERAGE:
            constant.append(place.name)
            level = vm.cpu_used_mhz
            if level is None and vm.cpu_share is not None:
                level = vm.cpu_share * own_mhz
            if level is None and covered[place.name]:
                level = float(np.nanmean(values))
            if level is None:
                unknown.append(place.name)
                level = 0.0
            values = np.full(steps, level)
        elif np.isnan(short := filled(values)).any():
            held.append(place.name)
            values = filled(values, hold_longer=True)
        else:
            values = short
        if (values > own_mhz).any():
            above.append(place.name)
        mhz[place.name] = np.clip(values, 0.0, own_mhz)
    load = MeasuredLoad(start_s, step_s, mhz, covered, tuple(constant))
    return load, list(_load_findings(load, held, above, unknown))


def _chosen_series(inventory: Inventory) -> dict[str, Series]:
    """Return the CPU series of each VM of the plan, by key: demand, else usage, means first."""
    by_name: dict[str, list[str]] = {}
    for vm in inventory.in_plan:
        for name in {vm.key, vm.name}:
            by_name.setdefault(name, []).append(vm.key)
    rank = {(CPU_DEMAND, "mean"): 0, (CPU_USAGE, "mean"): 1, (CPU_DEMAND, "last"): 2,
            (CPU_USAGE, "last"): 3}  # fmt: skip
    chosen: dict[str, tuple[int, Series]] = {}
    for series in inventory.series:
        order = rank.get((series.metric, series.statistic))
        keys = by_name.get(series.object, [])
        # A name that several VMs have says of none of them whose values these are.
        if series.kind != "vm" or order is None or len(keys) != 1:
            continue
        if keys[0] not in chosen or order < chosen[keys[0]][0]:
            chosen[keys[0]] = (order, series)
    return {key: series for key, (_, series) in chosen.items()}


def _on_grid(
    series: Series, start_s: float, step_s: float, steps: int, own_mhz: float, clock_mhz: float
) -> Floats:
    """Return the values of a series in MHz on the common steps, means where its own are shorter."""
    factor = {"MHz": 1.0, "share": own_mhz, "cores": clock_mhz}[series.unit]
    at = series.start.timestamp() + np.arange(len(series.values)) * series.step_s
    slots = np.floor((at - start_s) / step_s + 1e-6).astype(np.int64)
    known = ~np.isnan(series.values) & (slots >= 0) & (slots < steps)
    count = np.bincount(slots[known], minlength=steps)
    total = np.bincount(slots[known], weights=series.values[known] * factor, minlength=steps)
    values = np.full(steps, np.nan)
    np.divide(total, count, out=values, where=count > 0)
    return values


def _load_findings(
    load: MeasuredLoad, held: list[str], above: list[str], unknown: list[str]
) -> Iterable[Finding]:
    """Tell how complete the measured load is."""
    if load.step_s > 300:
        yield Finding(
            "STEP_LONG",
            Severity.INFO,
            "series",
            f"values are means over {load.step_s / 60:g} min",
            "peaks within a step are not seen: percentiles are biased low",
        )
    if load.constant:
        yield Finding(
            "SERIES_INCOMPLETE",
            Severity.WARNING,
            "series",
            f"{_vms(load.constant)} have no series, or less than 90 % of it",
            "they stay at their use at the instant of the inventory, or at their mean",
            load.constant,
        )
    if held:
        yield Finding(
            "SERIES_GAPS_HELD",
            Severity.WARNING,
            "series",
            f"{_vms(held)} have gaps of more than two steps",
            "the value before a gap is kept in it",
            tuple(held),
        )
    if above:
        yield Finding(
            "SERIES_ABOVE_CAPACITY",
            Severity.INFO,
            "series",
            f"{_vms(above)} used or asked for more than their own CPU",
            "values are cut at vCPUs x clock",
            tuple(above),
        )
    if unknown:
        yield Finding(
            "CPU_OF_VM_UNKNOWN",
            Severity.WARNING,
            "series",
            f"{_vms(unknown)} have neither a series nor a value of CPU in use",
            "they are taken as idle: the sum of the load is too low by them",
            tuple(unknown),
        )


def _vms(names: Sequence[str]) -> str:
    """Return how many VMs these are, and the first of them."""
    more = " …" if len(names) > 5 else ""
    return f"{len(names):,} VMs ({', '.join(names[:5])}{more})"


def write_load(load: MeasuredLoad, path: Path) -> None:
    """Write a wide Parquet table: time in s since 1970, and a column of MHz per VM."""
    import pyarrow as pa  # noqa: PLC0415 - costly to import
    from pyarrow import parquet  # noqa: PLC0415 - costly to import

    steps = len(next(iter(load.mhz.values())))
    times = load.start_s + np.arange(steps) * load.step_s
    columns = {"time": times} | {
        name: values.astype(np.float32) for name, values in load.mhz.items()
    }
    parquet.write_table(pa.table(columns), path, compression="zstd")
