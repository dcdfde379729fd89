"""Prometheus: answers of ``query_range``, a matrix of values over time, as JSON.

Values are texts, ``NaN`` is stale. Counters of CPU time become cores: their increase over the step;
after a fall the increase is the new value, gaps stay gaps. Which metric means what is a table.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Inventory, Series, Vm
from ..inventory.series import (
    CPU_USAGE,
    MEMORY_USED,
    history_findings,
    increases,
    joined,
    on_steps,
    step_of,
)
from ..inventory_files.columns import ReadOptions
from ..inventory_files.json_values import MIB, finite, records
from ..inventory_files.sheets import InputFile
from ..inventory_files.sources import begun

NAME: Final = "Prometheus"


@dataclass(frozen=True)
class _Metric:
    """What a metric is: of which kind of object, named by which labels, in which unit.

    ``size`` is the field of a VM that a gauge states; such metrics are no series. A ``counter`` is
    in units times seconds. Of parts, such as CPUs and modes, sums count; those with a label in
    ``without`` are left out.
    """

    kind: str
    labels: tuple[str, ...]
    metric: str = ""
    unit: str = ""
    worth: float = 1.0
    counter: bool = False
    size: str = ""
    without: Mapping[str, frozenset[str]] | None = None


_DOMAIN: Final = ("domain", "instance_name", "name")
_VMI: Final = ("name", "vmi")
_NODE: Final = ("nodename", "node", "instance")
# Time of guests is in user and nice already. Waiting for a disk is idle time of the CPU.
_IDLE: Final = {"mode": frozenset({"idle", "iowait", "guest", "guest_nice", "steal"})}
METRICS: Final[Mapping[str, _Metric]] = {
    "libvirt_domain_info_cpu_time_seconds_total": _Metric(
        "vm", _DOMAIN, CPU_USAGE, "cores", counter=True
    ),
    "libvirt_domain_info_virtual_cpus": _Metric("vm", _DOMAIN, size="vcpus"),
    "libvirt_domain_info_maximum_memory_bytes": _Metric(
        "vm", _DOMAIN, worth=1 / MIB, size="memory_mib"
    ),
    "libvirt_domain_info_memory_usage_bytes": _Metric("vm", _DOMAIN, MEMORY_USED, "MiB", 1 / MIB),
    "kubevirt_vmi_cpu_usage_seconds_total": _Metric("vm", _VMI, CPU_USAGE, "cores", counter=True),
    "pve_cpu_usage_ratio": _Metric("", ("name", "id"), CPU_USAGE, "share"),
    "pve_memory_usage_bytes": _Metric("", ("name", "id"), MEMORY_USED, "MiB", 1 / MIB),
    "node_cpu_seconds_total": _Metric(
        "host", _NODE, CPU_USAGE, "cores", counter=True, without=_IDLE
    ),
}
"""The metrics that farmsim knows [libvirt-exporter, KubeVirt, pve-exporter, node_exporter]."""


@dataclass(frozen=True)
class _Line:
    """One series of an answer: object, values in order of time, and how its metric is read."""

    name: str
    kind: str
    host: str | None
    metric: str
    times: Floats
    values: Floats
    where: str


def _matrix(content: object) -> list[Any] | None:
    """Return the series in an answer of query_range, None if it is none."""
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict) or data.get("resultType") != "matrix":
        return None
    result = data.get("result")
    return result if isinstance(result, list) else None


def recognise(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Return the answers of Prometheus, as one group."""
    found = [file for file in files if file.kind == "json" and _matrix(file.json()) is not None]
    return [found] if found else []


def read(group: Sequence[InputFile], options: ReadOptions) -> Inventory:  # noqa: ARG001
    """Return the VMs that the answers name, and the series of them and of hosts."""
    inventory = begun(group, NAME, experimental=True)
    unknown: dict[str, int] = {}
    lines: list[_Line] = []
    for file in group:
        for at, record in enumerate(records(_matrix(file.json())), 1):
            line = _line(record, f"{file.name}, series {at}", inventory.findings)
            if line is None:
                continue
            if line.metric in METRICS:
                lines.append(line)
            else:
                unknown[line.metric] = unknown.get(line.metric, 0) + 1
    step_s = step_of([line.times for line in lines])
    sizes = [line for line in lines if METRICS[line.metric].size]
    measured = [line for line in lines if not METRICS[line.metric].size]
    if step_s is not None:
        found = list(_measured(measured, step_s, inventory.findings))
        inventory.series, differing = joined(found)
        inventory.findings += differing + history_findings(inventory.series)
    inventory.vms += _vms(lines, sizes)
    inventory.findings += _unknown(group, unknown)
    return inventory


def _line(record: Mapping[str, Any], where: str, findings: list[Finding]) -> _Line | None:
    """Return one series of an answer; None, with a finding, if it has no object or no values."""
    labels = record.get("metric")
    labels = labels if isinstance(labels, dict) else {}
    name = labels.get("__name__")
    name = name if isinstance(name, str) else "(no name)"
    pairs = [
        (time, _value(each[1]))
        for each in record.get("values") or ()
        if isinstance(each, list) and len(each) == 2 and (time := finite(each[0])) is not None
        and 0 < time < 1e11
    ] if isinstance(record.get("values"), list) else []  # fmt: skip
    pairs.sort(key=lambda pair: pair[0])
    known = METRICS.get(name)
    if known is None:
        return _Line("", "", None, name, np.zeros(0), np.zeros(0), where)
    if known.without and any(labels.get(key) in told for key, told in known.without.items()):
        return None
    named = {key: value for key, value in labels.items() if isinstance(value, str) and value}
    label = next((key for key in known.labels if key in named), None)
    if label is None or not pairs:
        findings.append(
            Finding(
                "SERIES_WITHOUT_OBJECT" if label is None else "SERIES_TOO_SHORT",
                Severity.WARNING,
                where,
                f"{name} has no label that names its object"
                if label is None
                else f"{name} has no values that can be read",
                "it is not used"
                + (f"; one of {', '.join(known.labels)} would" if label is None else ""),
            )
        )
        return None
    kind, shown = _named(known, label, labels[label])
    instance = labels.get("instance")
    host = instance.rpartition(":")[0] or instance if isinstance(instance, str) else None
    times, values = (np.array(column, float) for column in zip(*pairs, strict=True))
    return _Line(shown, kind, host if kind == "vm" else None, name, times, values, where)


def _value(written: object) -> float:
    """Return a value, NaN for one that is stale or cannot be right."""
    value = finite(written)
    return value if value is not None and 0 <= value <= 1e18 else np.nan


def _named(known: _Metric, label: str, value: str) -> tuple[str, str]:
    """Return kind and name of the object that a label names."""
    if known.kind:
        return known.kind, value.rpartition(":")[0] or value if label == "instance" else value
    kind, _, rest = value.partition("/")
    if kind == "node" and rest:
        return "host", rest
    return "vm", value


def _measured(lines: Sequence[_Line], step_s: float, findings: list[Finding]) -> Iterator[Series]:
    """Yield the series of all objects, on the steps of the files."""
    parts: dict[tuple[str, str, str, str], list[Series]] = {}
    for line in lines:
        known = METRICS[line.metric]
        enough = len(np.unique(line.times[~np.isnan(line.values)]))
        if enough < (2 if known.counter else 1):
            findings.append(
                Finding(
                    "SERIES_TOO_SHORT",
                    Severity.WARNING,
                    line.where,
                    f"{line.metric} of {line.name} has {enough} values that can be read",
                    "it is not used",
                    (line.name,),
                )
            )
            continue
        if known.counter:
            start, values = increases(line.times, line.values, step_s, line.where)
        else:
            start, values = on_steps(line.times, line.values, step_s, line.where)
        each = Series(
            line.name, line.kind, known.metric, known.unit, start, step_s, values * known.worth
        )
        instance = "" if known.without is None else line.metric
        parts.setdefault((line.kind, line.name, line.metric, instance), []).append(each)
    for (_, _, metric, _), found in parts.items():
        if METRICS[metric].without is None:
            yield from found
        else:
            yield _added_up(found)


def _added_up(parts: Sequence[Series]) -> Series:
    """Return the sum of parts of one object, missing where one of them is missing."""
    first = min(parts, key=lambda part: part.start)
    leads = [round((part.start - first.start).total_seconds() / first.step_s) for part in parts]
    count = max(lead + len(part.values) for lead, part in zip(leads, parts, strict=True))
    total = np.zeros(count)
    for lead, part in zip(leads, parts, strict=True):
        whole = np.full(count, np.nan)
        whole[lead : lead + len(part.values)] = part.values
        total += whole
    return Series(
        first.object, first.kind, first.metric, first.unit, first.start, first.step_s, total
    )


def _vms(lines: Sequence[_Line], sizes: Sequence[_Line]) -> list[Vm]:
    """Return the VMs that series name, with the latest sizes that gauges state."""
    hosts: dict[str, set[str]] = {}
    rows: dict[str, str] = {}
    for line in lines:
        if line.kind == "vm":
            hosts.setdefault(line.name, set()).update({line.host} if line.host else ())
            rows.setdefault(line.name, line.where)
    stated: dict[str, dict[str, float]] = {}
    for line in sizes:
        known, values = METRICS[line.metric], line.values[~np.isnan(line.values)]
        if len(values) and values[-1] > 0:
            stated.setdefault(line.name, {})[known.size] = float(values[-1]) * known.worth
    return [
        Vm(
            key=name,
            name=name,
            row=rows[name],
            # A VM that migrated in the time of the answer has no single host.
            host=next(iter(hosts[name])) if len(hosts[name]) == 1 else None,
            vcpus=_whole(stated.get(name, {}).get("vcpus")),
            memory_mib=stated.get(name, {}).get("memory_mib"),
        )
        for name in rows
    ]


def _whole(value: float | None) -> int | None:
    """Return a number that is whole as an integer, None for any other."""
    return int(value) if value is not None and value.is_integer() and value < 1e5 else None


def _unknown(group: Sequence[InputFile], unknown: Mapping[str, int]) -> Iterator[Finding]:
    """Tell of metrics that farmsim does not know."""
    if unknown:
        names = ", ".join(sorted(unknown)[:5]) + (" …" if len(unknown) > 5 else "")
        yield Finding(
            "METRIC_UNKNOWN",
            Severity.WARNING,
            ", ".join(file.name for file in group),
            f"{sum(unknown.values()):,} series are of metrics that are not known: {names}",
            "they are not used; query one of these without a function: " + ", ".join(METRICS),
        )
