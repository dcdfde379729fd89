"""Assign series of a trace to VMs, and convert MHz or cores to shares of VMs.

By name, each VM has a series and none is left over; by position, the first VM has the first; in a
cycle, series are gone through again when there are more VMs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.state.columns import Vms
from ..errors.problems import refuse
from ..errors.terminal_text import shortened
from ..spec.workload import WorkloadPart
from ..traces.trace import FULL, TraceData

WHERE, FIELD = "workload", "workload.match_series_by"
SHOWN = 5
ROUNDING = 1e-9
"""Part of a VM's CPU by which a sample may be above it for rounding alone."""


def listed(names: Sequence[str]) -> str:
    """Return the first of some names, and how many there are if not all are shown."""
    shown = ", ".join(shortened(name, 60) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN:,} more"


def _without(kind: str, names: Sequence[str], other: str) -> str:
    """Return ``2 VMs without a series of the same name: a, b``."""
    plural = kind if kind == "series" or len(names) == 1 else f"{kind}s"
    return f"{len(names):,} {plural} without {other}: {listed(names)}"


def way_of(part: WorkloadPart, trace: TraceData) -> str:
    """Return how VMs get series: ``name``, ``position`` or ``cycle``."""
    return part.match_series_by or ("cycle" if trace.shipped else "name")


def by_number(trace: TraceData, way: str, count: int) -> Ints:
    """Return the series (VMs,) of VMs that have no names of their own.

    ``way`` is ``name``, ``position`` or ``cycle``, ``count`` the number of VMs. Raises InputError
    where the numbers of VMs and series do not agree.

    The error points to ``workload.match_series_by`` and names the first series.
    """
    series = len(trace.names)
    if way == "cycle" or count == series or (way == "position" and count < series):
        return np.arange(count) % series
    ways = (
        "match_series_by: cycle"
        if count > series
        else "match_series_by: position for the first ones"
    )
    message = (
        f"the trace has {series:,} series ({listed(trace.names)}), the scenario {count:,} "
        f"VM{'s' if count != 1 else ''}; set as many VMs as there are series, or set {ways}"
    )
    raise refuse(WHERE, message, FIELD)


def by_name(trace: TraceData, vms: Sequence[str], known: Sequence[str], prefix: str) -> Ints:
    """Return the series of each VM by its name.

    ``known`` are all VMs that the source knows, whether the run meets them or not. Later lives
    of a VM, ``NAME#2``, have the series of NAME if there is none of their own; ``prefix`` may be
    left out of names. Raises InputError with names that match nothing.
    """
    at = _by_any_name(trace)

    def find(name: str) -> int:
        """Return the series of a VM by its name, its base name, or either without prefix."""
        base, mark, life = name.rpartition("#")
        names = [name, base] if mark and life.isdigit() else [name]
        names += [each.removeprefix(prefix) for each in names if prefix]
        return next((at[each] for each in names if each in at), -1)

    found: Ints = np.array([find(name) for name in vms], np.int64)
    lacking = [vms[row] for row in np.flatnonzero(found < 0).tolist()]
    used = {find(name) for name in known} if known is not vms else set(found.tolist())
    surplus = [name for index, name in enumerate(trace.names) if index not in used]
    faults = []
    if lacking:
        faults.append(_without("VM", lacking, "a series of the same name"))
    if surplus:
        faults.append(_without("series", surplus, "a VM of the same name"))
    if faults:
        message = (
            f"{'; '.join(faults)}; make the names match, or set match_series_by: position or "
            "match_series_by: cycle"
        )
        raise refuse(WHERE, message, FIELD)
    return found


def _by_any_name(trace: TraceData) -> Mapping[str, int]:
    """Return the series by name; those named by files also without folder and ending."""
    at = {name: index for index, name in enumerate(trace.names)}
    if not trace.by_file:
        return at
    short: dict[str, list[int]] = {}
    for name, index in at.items():
        path = PurePosixPath(name)
        for each in {path.name, path.stem, path.with_suffix("").as_posix()}:
            short.setdefault(each, []).append(index)
    return {name: found[0] for name, found in short.items() if len(found) == 1} | at


def sizes_by_name(part: WorkloadPart, trace: TraceData) -> Ints | None:
    """Return the size of each series where sizes are called like series, None where none is.

    Raises InputError if only some are, or a size stands for several VMs.

    The result (series,) holds positions in ``part.sizes``. A single size is never matched by its
    name: it is the size of all.
    """
    names = [size.name for size in part.sizes]
    at = {name: index for index, name in enumerate(names)}
    if len(names) < 2 or not set(at) & set(trace.names):
        return None
    lacking = [name for name in trace.names if name not in at]
    surplus = [name for name in names if name not in trace.names]
    several = [size.name for size in part.sizes if size.count not in (None, 1)]
    told = [
        ("series", lacking, "a size of the same name"),
        ("size", surplus, "a series of the same name"),
        ("size", several, "exactly one VM"),
    ]
    faults = [_without(kind, found, what) for kind, found, what in told if found]
    if faults:
        message = (
            f"{'; '.join(faults)}; give each series a size of the same name with count: 1, or set "
            "match_series_by: position or match_series_by: cycle"
        )
        raise refuse(WHERE, message, FIELD)
    return np.array([at[name] for name in trace.names], np.int64)


def of_vms(
    trace: TraceData, series: Ints, vms: Vms, part: WorkloadPart
) -> tuple[TraceData, Ints | None]:
    """Return a trace in shares of its VMs' CPU, and the series of each VM (None: one to one).

    Series in MHz, GHz or cores are divided by the CPU of the VM that has them. Raises InputError
    for samples above it, unless they are to be cut.
    """
    if trace.unit in FULL:
        same = np.array_equal(series, np.arange(len(trace.names)))
        return trace, None if same else series
    clock_mhz = vms.size_mhz / vms.vcpus
    worth: dict[str, Floats | float] = {"MHz": 1.0, "GHz": 1e3, "cores": clock_mhz}
    share = trace.counts.astype(np.float64)[:, series] * worth[trace.unit] / vms.size_mhz
    above = share > 1 + ROUNDING
    if above.any() and part.above_100_percent == "refuse":
        slot, vm = (int(each) for each in np.argwhere(above)[0])
        more = f" ({int(above.sum()) - 1:,} more like it)" if above.sum() > 1 else ""
        message = (
            f"sample {slot} of {trace.names[int(series[vm])]} is "
            f"{trace.counts[slot, series[vm]]:g} {trace.unit}, more than the {vms.vcpus[vm]} vCPUs "
            f"of {clock_mhz[vm]:g} MHz of its VM{more}; enlarge the VM, or set "
            "workload.above_100_percent: cut"
        )
        raise refuse(trace.files[0].name, message)
    trace.quality.cut = int(above.sum())
    return replace(trace, counts=np.minimum(share, 1.0), share_per_count=1.0, unit="share"), None
