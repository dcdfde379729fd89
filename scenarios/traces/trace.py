"""A trace as read from files, before it becomes a workload.

Whatever the format, samples that are missing or above 100 % are handled here, by the rules that the
scenario names, and counted in :class:`Quality`.
"""

import hashlib
from dataclasses import field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ...models.workload.vm_size import VmSize
from ..errors.problems import Problem, refuse
from ..language.fields import Part


@dataclass(frozen=True)
class InputFile:
    """A file that went into a run: as it is named there, its SHA-256 and its size."""

    name: str
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, name: str, content: bytes) -> "InputFile":
        """Describe a file by its content."""
        return cls(name, hashlib.sha256(content).hexdigest(), len(content))

    @classmethod
    def at(cls, name: str, path: Path) -> "InputFile":
        """Describe a file that is too large to be kept. Raises OSError."""
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        return cls(name, digest, path.stat().st_size)


@dataclass
class Quality:
    """How good a trace is: samples in all, filled in by ``rule``, and cut down to 100 %.

    ``notes`` tell what was recognised rather than stated, for the reader of the report.
    """

    series: int
    slots: int
    rule: str
    filled: int = 0
    cut: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def coverage(self) -> float:
        """Part of the samples that were recorded, not filled in."""
        total = self.series * self.slots
        return 1.0 - self.filled / total if total else 0.0


FULL = {"percent": 100.0, "share": 100.0}
"""Units of samples that have an upper bound, in percent, whatever the VM."""


@dataclass
class TraceData:
    """Utilisation counts (slots, series), each worth ``share_per_count`` of a VM's CPU.

    Where ``unit`` is no part of the VM (MHz, GHz, cores) the counts are in that unit. ``shipped``
    traces are samples of VMs whose names mean nothing; series ``by_file`` are named by files.
    """

    names: list[str]
    counts: NDArray[np.generic]
    share_per_count: float
    step_s: float
    quality: Quality
    files: list[InputFile]
    sizes: list[VmSize] | None = None
    size_of_series: list[int] | None = None
    unit: str = "percent"
    shipped: bool = False
    by_file: bool = False

    @property
    def length_s(self) -> float:
        """How long the trace is."""
        return len(self.counts) * self.step_s


@dataclass(frozen=True)
class Rules:
    """What to do with samples that are missing or above full, as a scenario names it.

    The names are those of ``workload.gaps`` and ``workload.above_100_percent``.
    """

    gaps: str = "refuse"
    above_100_percent: str = "refuse"


class TraceFormat(Part):
    """How a scenario names a trace of one format; :mod:`.formats` lists all of them.

    Where the trace ``brings_sizes``, it says how large its VMs are.
    """

    brings_sizes: ClassVar[bool] = False
    type: str

    def read(self, folder: Path, rules: Rules) -> TraceData:
        """Return the trace; paths are relative to ``folder``, the scenario's. Raises InputError."""
        raise NotImplementedError

    @property
    def named(self) -> str:
        """The name or path of the trace, as it is written."""
        raise NotImplementedError

    @property
    def described(self) -> str:
        """What the trace is, in words."""
        return f"{self.type} trace {self.named}"


def complete(
    percent: Floats,
    names: list[str],
    where: list[str],
    rules: Rules,
    first_row: int = 1,
    full: float | None = 100.0,
) -> tuple[Floats, Quality]:
    """Check percentages (slots, series) and fill what is missing (NaN) by the named rule.

    ``where`` names the place of each series for messages; ``first_row`` is the row of slot 0 in it.
    Samples without a bound that is known here have ``full`` None. Returns the completed array and
    its quality. Raises InputError at the first sample that is wrong, above full, or missing without
    a rule.
    """
    quality = Quality(percent.shape[1], percent.shape[0], rule=rules.gaps)
    wrong = ~np.isfinite(percent) & ~np.isnan(percent) | (percent < 0)
    right = "a percentage from 0 to 100" if full else "a number of 0 or more"
    unit = " %" if full else ""
    _refuse_first(wrong, percent, names, where, first_row, right, unit=unit)
    above = percent > (full or np.inf)
    if rules.above_100_percent == "cut":
        quality.cut = int(above.sum())
        percent = np.where(above, 100.0, percent)
    else:
        right = "at most 100 %, the unit of the samples (percent, share, MHz, GHz or cores), or "
        right += "workload.above_100_percent: cut"
        _refuse_first(above, percent, names, where, first_row, right)
    missing = np.isnan(percent)
    if rules.gaps == "refuse":
        right = "a number, or workload.gaps: hold, interpolate or zero"
        _refuse_first(missing, percent, names, where, first_row, right, "is missing")
        return percent, quality
    quality.filled = int(missing.sum())
    if quality.filled:
        _refuse_empty(missing, names, where)
        percent = _filled(percent, missing, rules.gaps)
    return percent, quality


def _refuse_first(
    wrong: NDArray[np.bool_],
    percent: Floats,
    names: list[str],
    where: list[str],
    first_row: int,
    right: str,
    what: str = "",
    unit: str = " %",
) -> None:
    """Raise InputError at the first sample that is wrong, and tell how many there are."""
    if not wrong.any():
        return
    slot, series = (int(each) for each in np.argwhere(wrong)[0])
    place = f"{where[series]}:{slot + first_row}"
    more = int(wrong.sum()) - 1
    fault = what or f"is {percent[slot, series]:g}{unit}"
    others = f" ({more} more like it)" if more else ""
    raise refuse(place, f"sample {slot} of {names[series]} {fault}{others}; write {right}")


def refuse_shares(values: Floats, where: str, key: str = "unit", field: str = "") -> None:
    """Raise InputError if all samples lie from 0 to 1, as percent hardly do."""
    known = values[~np.isnan(values)]
    if len(known) and 0 < known.max() <= 1 and known.min() >= 0:
        message = (
            f"all samples are between 0 and {known.max():g}; set {key}: share if 1 means all of a "
            f"VM's CPU, or {key}: percent if it means one percent"
        )
        raise refuse(where, message, field)


def _refuse_empty(missing: NDArray[np.bool_], names: list[str], where: list[str]) -> None:
    """Raise InputError for a series without a single sample."""
    empty = np.flatnonzero(missing.all(axis=0))
    if len(empty):
        index = int(empty[0])
        raise refuse(where[index], f"{names[index]} has no samples; remove it")


def _filled(percent: Floats, missing: NDArray[np.bool_], rule: str) -> Floats:
    """Return samples (slots, series) with gaps filled: by 0, a straight line, or the last value.

    Before the first sample of a series, its first value holds.
    """
    filled = percent.copy()
    slots = np.arange(len(percent))
    for series in np.flatnonzero(missing.any(axis=0)):
        known = ~missing[:, series]
        gaps = ~known
        if rule == "zero":
            filled[gaps, series] = 0.0
        elif rule == "interpolate":
            filled[gaps, series] = np.interp(slots[gaps], slots[known], percent[known, series])
        else:
            last = np.maximum.accumulate(np.where(known, slots, -1))
            last[last < 0] = slots[known][0]
            filled[:, series] = percent[last, series]
    return filled


def as_counts(percent: Floats) -> tuple[NDArray[np.generic], float]:
    """Return samples in percent as counts, and what share one count is.

    Whole percentages become bytes, so that a trace takes the least memory.

    The counts have the shape of ``percent``; the share is 0.01 in both cases.
    """
    whole = percent.astype(np.uint8)
    if np.array_equal(whole, percent):
        return whole, 0.01
    return percent.astype(np.float64), 0.01


def no_samples(where: str) -> Problem:
    """Return the problem of a trace without content."""
    return Problem(where, "", "has no samples; add at least one VM with one sample")
