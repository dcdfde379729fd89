"""Series of measured values: their step, gaps and coverage, and series in several files.

Times are seconds since 1970 in UTC. A value of a series covers one step from its start on.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np

from ...models.base.arrays import Bools, Floats
from ..errors.problems import refuse
from .findings import Finding, Severity
from .inventory import Series

CPU_DEMAND: Final = "cpu_demand"
"""CPU asked for, with what was refused; preferred to use. Unit ``MHz``."""
CPU_USAGE: Final = "cpu_usage"
"""CPU used. Unit ``MHz``, ``cores`` or ``share`` (of the object's own CPU)."""
CPU_READY: Final = "cpu_ready"
"""Time that vCPUs waited for a core, as a share of their time."""
CPU_CAPACITY: Final = "cpu_capacity"
"""CPU that belongs to the object. Unit ``MHz``."""
MEMORY_USED: Final = "memory_used"
"""Memory in use. Unit ``MiB``, or ``share`` of what the object has."""

LONGEST_INTERPOLATED: Final = 2
"""Steps of a gap that interpolation bridges."""
LOW_COVERAGE: Final = 0.9
"""Share of values below which a series does not count as measured."""
CONFIRMED_S: Final = 14 * 86_400.0
"""Time from which on a second week confirms the first."""
MOST_STEPS: Final = 20_000_000
SPARSE: Final = 200


def step_of(times: Iterable[Floats]) -> float | None:
    """Return the step in s that most neighbouring times have; the shorter of two as frequent.

    ``times`` has one array per object, in any order. None where no object has two times.
    """
    gaps = [np.diff(np.unique(each)) for each in times]
    found = np.concatenate([np.round(gap, 3) for gap in gaps]) if gaps else np.zeros(0)
    if not len(found):
        return None
    steps, counts = np.unique(found, return_counts=True)
    return float(steps[np.argmax(counts)])


def on_steps(
    times: Floats, values: Floats, step_s: float, where: str, origin: float | None = None
) -> tuple[datetime, Floats]:
    """Return the start and the values on equal steps, NaN where there is none.

    ``times`` (rows,) in any order, ``values`` (rows,). ``origin`` is any time on the steps, so that
    objects of one file share them. Of two values in one step the first row that has one counts.
    Raises InputError where the times span far more steps than there are values.
    """
    if origin is None:
        origin = float(times.min())
    steps = np.round((times - origin) / step_s)
    count = int(steps.max() - steps.min()) + 1
    _refuse_sparse(count, len(times), step_s, where)
    start = origin + float(steps.min()) * step_s
    grid = np.full(count, np.nan)
    known = ~np.isnan(values)
    slots = (steps[known] - steps.min()).astype(np.int64)
    grid[slots[::-1]] = values[known][::-1]
    return datetime.fromtimestamp(start, UTC), grid


def off_steps(times: Floats, step_s: float, origin: float) -> int:
    """Return how many times lie more than a tenth of a step beside the steps."""
    beside = (times - origin) / step_s
    return int((np.abs(beside - np.round(beside)) > 0.1).sum())


def missing(values: Floats) -> int:
    """Return how many values are missing."""
    return int(np.isnan(values).sum())


def coverage(values: Floats) -> float:
    """Return the share of values that are known; 0 for no value at all."""
    return 1 - missing(values) / len(values) if len(values) else 0.0


def filled(values: Floats, hold_longer: bool = False) -> Floats:
    """Return values whose gaps of up to two steps are interpolated linearly.

    Longer gaps stay NaN, or keep the last value before them with ``hold_longer``. A gap at either
    end has no other side: up to two steps of it (or all, with ``hold_longer``) get the nearest
    value.
    """
    known = np.flatnonzero(~np.isnan(values))
    result = values.copy()
    if not len(known):
        return result
    gap = np.flatnonzero(np.isnan(values))
    before = np.searchsorted(known, gap) - 1
    low = known[np.maximum(before, 0)]
    high = known[np.minimum(before + 1, len(known) - 1)]
    inside = (before >= 0) & (before < len(known) - 1)
    length = np.where(
        inside, high - low - 1, np.where(before < 0, known[0], len(values) - 1 - known[-1])
    )
    short = length <= LONGEST_INTERPOLATED
    result[gap[short]] = np.interp(gap[short], known, values[known])
    if hold_longer:
        result[gap[~short]] = values[np.where(before >= 0, low, high)[~short]]
    return result


def increases(times: Floats, counter: Floats, step_s: float, where: str) -> tuple[datetime, Floats]:
    """Return the rate of a counter per second on equal steps.

    A counter that fell was reset: its increase is the new value. Over a gap the increase is spread
    over its time and stands on the last step, the steps before stay missing. ``times`` ascend and
    hold at least two known values; NaN in ``counter`` is stale. The first value of the result
    covers the step after the first time.
    """
    known = ~np.isnan(counter)
    at, first = np.unique(times[known], return_index=True)
    value = counter[known][first]
    grown = np.diff(value)
    grown = np.where(grown < 0, value[1:], grown)
    origin, end = float(times[0]), float(times[-1])
    return on_step_ends(at[1:], grown / np.diff(at), step_s, where, (origin, end))


def on_step_ends(
    ends: Floats, values: Floats, step_s: float, where: str, span: tuple[float, float]
) -> tuple[datetime, Floats]:
    """Return the start and values on equal steps, each value on the step that ends at its time.

    ``span`` is where the steps begin and end. Raises InputError as :func:`on_steps` does.
    """
    origin, end = span
    count = max(1, round((end - origin) / step_s))
    _refuse_sparse(count, len(values), step_s, where)
    grid = np.full(count, np.nan)
    slots = np.clip(np.round((ends - origin) / step_s) - 1, 0, count - 1).astype(np.int64)
    known = ~np.isnan(values)
    grid[slots[known][::-1]] = values[known][::-1]
    return datetime.fromtimestamp(origin, UTC), grid


def _refuse_sparse(steps: int, values: int, step_s: float, where: str) -> None:
    """Raise InputError if times span far more steps than there are values."""
    if steps > MOST_STEPS or steps > SPARSE * (values + 50):
        raise refuse(
            where,
            f"its times span {steps:,} steps of {step_s:g} s but it has {values:,} values; "
            "look for a wrong date, or for rows at different intervals",
            "time",
        )


def history_findings(series: Sequence[Series]) -> list[Finding]:
    """Return what is said of gaps in series, and of series too short to be confirmed."""
    findings = []
    by_cover: dict[bool, list[Series]] = {True: [], False: []}
    for each in series:
        if missing(each.values):
            by_cover[coverage(each.values) >= LOW_COVERAGE].append(each)
    for enough, gappy in by_cover.items():
        if not gappy:
            continue
        worst = min(gappy, key=lambda each: coverage(each.values))
        names = tuple(dict.fromkeys(each.object for each in gappy))
        objects = len({each.object for each in series})
        findings.append(
            Finding(
                "SERIES_GAPS" if enough else "SERIES_COVERAGE_LOW",
                Severity.INFO if enough else Severity.WARNING,
                worst.object,
                f"{len(names):,} of {objects:,} objects with series have gaps; {worst.metric} of "
                f"{worst.object} lacks the most: {missing(worst.values):,} of "
                f"{len(worst.values):,}, coverage {100 * coverage(worst.values):.1f} %",
                "gaps of up to two steps can be interpolated"
                if enough
                else "below 90 % a series does not count as measured",
                names,
            )
        )
    spans = [len(each.values) * each.step_s for each in series]
    if spans and max(spans) < CONFIRMED_S:
        findings.append(
            Finding(
                "HISTORY_SHORT",
                Severity.WARNING,
                "series",
                f"the longest series covers {_shown(max(spans))}",
                "there is no second week to confirm what the first one shows",
            )
        )
    return findings


def _shown(span_s: float) -> str:
    """Return a time in days, or in hours below two days."""
    if span_s >= 2 * 86_400:
        return f"{span_s / 86_400:.3g} days"
    return f"{span_s / 3600:.3g} hours"


def joined(series: Sequence[Series]) -> tuple[list[Series], list[Finding]]:
    """Join the parts of one object, metric and statistic that several files hold.

    Parts must have the same step and unit. Where two have a value for one instant the first
    counts, and a finding says where they differ.
    """
    groups: dict[tuple[str, str, str, str, str, float], list[Series]] = {}
    for each in series:
        key = (each.kind, each.object, each.metric, each.statistic, each.unit, each.step_s)
        groups.setdefault(key, []).append(each)
    result, findings = [], []
    for parts in groups.values():
        whole, differing = _joined(parts)
        result.append(whole)
        if differing:
            findings.append(
                Finding(
                    "SERIES_OVERLAP",
                    Severity.WARNING,
                    whole.object,
                    f"{len(parts)} parts of {whole.metric} differ at {differing} instants",
                    "the value that was read first is used",
                    (whole.object,),
                )
            )
    return result, findings


def _joined(parts: list[Series]) -> tuple[Series, int]:
    """Return parts of a series as one, and at how many instants they differ."""
    if len(parts) == 1:
        return parts[0], 0
    step_s = parts[0].step_s
    origin = min(part.start for part in parts)
    leads = [round((part.start - origin).total_seconds() / step_s) for part in parts]
    ends = [lead + len(part.values) for lead, part in zip(leads, parts, strict=True)]
    if max(ends) > MOST_STEPS or max(ends) > SPARSE * (sum(len(p.values) for p in parts) + 50):
        raise refuse(
            parts[0].object, f"its parts are {max(ends):,} steps of {step_s:g} s apart", "time"
        )
    values, differing = np.full(max(ends), np.nan), 0
    for lead, end, part in zip(leads, ends, parts, strict=True):
        window = values[lead:end]
        free = np.isnan(window)
        differing += _differing(window, part.values)
        window[free] = part.values[free]
    return dataclasses.replace(parts[0], start=origin, values=values), differing


def _differing(one: Floats, other: Floats) -> int:
    """Return at how many instants both are known and differ."""
    both: Bools = ~np.isnan(one) & ~np.isnan(other)
    return int((~np.isclose(one[both], other[both], rtol=1e-6)).sum())
