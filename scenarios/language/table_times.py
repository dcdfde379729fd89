"""Times in tables: dates, epochs inferred from magnitude, numbers in a named unit.

A number without a named unit counts in seconds unless its size says that it is milli-, micro- or
nanoseconds since 1970. Where seconds would make an odd trace (Excel's serial days, fractions of
hours, steps of 300,000 s) the unit is requested instead of being guessed.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Literal, NoReturn, Protocol, TypeAlias

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ..errors.problems import InputError, refuse
from ..errors.terminal_text import shown_cell

TimeUnit = Literal["s", "ms", "us", "ns", "min", "h", "d"]
WORTH_S: dict[str, float] = {
    "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86_400.0,
}  # fmt: skip
EPOCHS = {"s": 1e8, "ms": 1e11, "us": 1e14, "ns": 1e17}
"""From which size on a number counts as a time since 1970 in a unit; each band is 100 wide."""
BAND = 100.0
RIGHT = "write seconds or ISO 8601, such as 2026-03-02T00:05:00+01:00"
DAY_S = 86_400.0
MAX_STEPS = 50_000_000
SPARSE = 100


class Instants(list[object]):
    """Cells that are already Unix seconds, from a reader of typed tables."""


class TypedCells(Protocol):
    """Cells of a typed column, which become objects only where somebody looks at each."""

    def __len__(self) -> int: ...

    def objects(self) -> list[object]:
        """Return the cells one by one: numbers, texts, None where one is empty; or Instants."""
        ...

    def numbers(self) -> Floats | None:
        """Return the cells as numbers (rows,), NaN where one is empty; None if one may be none."""
        ...

    def distinct(self) -> tuple[list[object], Ints]:
        """Return the different cells, and the index among them of each cell (rows,)."""
        ...


Cells: TypeAlias = list[object] | TypedCells
"""A column of a table."""


def listed(cells: Cells) -> list[object]:
    """Return the cells of a column one by one."""
    return cells if isinstance(cells, list) else cells.objects()


def distinct_of(cells: Cells) -> tuple[list[object], Ints]:
    """Return the different cells of a column, and the index among them of each cell (rows,)."""
    if not isinstance(cells, list):
        return cells.distinct()
    at: dict[object, int] = {}
    index = np.array([at.setdefault(cell, len(at)) for cell in cells], np.int64)
    return type(cells)(at), index


def times_of(
    cells: Cells,
    name: str,
    where: str,
    first_row: int,
    unit: TimeUnit | None,
    notes: list[str] | None = None,
) -> Floats:
    """Return cells as seconds: dates, or numbers in ``unit`` (None: recognised, or seconds).

    ``name`` is the column, ``where`` the file and ``first_row`` the row of the first cell in
    messages. Dates become Unix seconds; all cells are dates or none is. What was recognised is
    appended to ``notes``. Raises InputError with the row.
    """
    times_s, index = distinct_times(cells, name, where, first_row, unit, notes)
    return times_s[index]


def distinct_times(
    cells: Cells,
    name: str,
    where: str,
    first_row: int,
    unit: TimeUnit | None,
    notes: list[str] | None = None,
) -> tuple[Floats, Ints]:
    """Return the times of :func:`times_of` once each, and the index of that of each cell (rows,).

    Times written differently, as ``0`` and ``0.0``, occur more than once.
    """
    different, index = distinct_of(cells)
    try:
        return _seconds(different, name, where, first_row, unit, notes), index
    except InputError:
        # What is wrong with a cell is so wherever it stands: all of them tell the row.
        _seconds(listed(cells), name, where, first_row, unit, notes)
        raise


def _seconds(
    cells: list[object],
    name: str,
    where: str,
    first_row: int,
    unit: TimeUnit | None,
    notes: list[str] | None,
) -> Floats:
    """Return cells as seconds, as :func:`times_of` does, each for itself."""
    values, dated = _values(cells, name, where, first_row)
    if isinstance(cells, Instants):
        dated[:] = True
    if dated.any():
        _refuse_mixed(dated, cells, name, where, first_row)
        if unit is not None:
            message = f"column {name!r} contains dates, which need no unit; remove time_unit"
            raise refuse(where, message)
        return values
    if unit is not None:
        times_s = values * WORTH_S[unit]
        # Fractions of days, hours and minutes are written with few digits.
        return np.round(times_s) if unit in ("d", "h", "min") else times_s
    found = _recognised(values, cells, name, where, first_row)
    if found is None:
        _refuse_doubtful(values, cells, name, where, first_row)
        return values
    if found != "s" and notes is not None:
        notes.append(f"Times of {where} were recognised as Unix times in {found}.")
    return values * WORTH_S[found]


def _values(cells: Sequence[object], name: str, where: str, first_row: int) -> tuple[Floats, Bools]:
    """Return numbers, Unix seconds where a cell is a date, and which cells are dates."""
    values, dated = np.empty(len(cells)), np.zeros(len(cells), bool)
    if (quick := all_numbers(cells)) is not None:
        return quick, dated
    zoned: bool | None = None
    for index, cell in enumerate(cells):
        number = plain_number(cell)
        if number is not None:
            values[index] = number
            continue
        instant = _instant(cell)
        if instant is None:
            _refuse_cell(cell, name, f"{where}:{index + first_row}")
        has_zone = instant.tzinfo is not None
        if zoned is not None and has_zone != zoned:
            message = (
                f"{shown_cell(cell)} in column {name!r} has {'a' if has_zone else 'no'} time zone, "
                "unlike the rows above; write all with a time zone or all without (UTC)"
            )
            raise refuse(f"{where}:{index + first_row}", message)
        zoned = has_zone
        try:
            values[index] = unix_seconds(instant)
        except (OverflowError, OSError, ValueError):
            _refuse_cell(cell, name, f"{where}:{index + first_row}")
        dated[index] = True
    return values, dated


def all_numbers(cells: Sequence[object]) -> Floats | None:
    """Return cells as an array where all are finite numbers, None where any may be another."""
    if any(isinstance(cell, bool) or (isinstance(cell, str) and "_" in cell) for cell in cells):
        return None
    try:
        values: Floats = np.array(cells, np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    return values if np.isfinite(values).all() else None


def plain_number(cell: object) -> float | None:
    """Return a cell as a finite number, None where it is none."""
    if isinstance(cell, bool) or (isinstance(cell, str) and "_" in cell):
        return None
    if not isinstance(cell, str | int | float | np.number):
        return None
    try:
        value = float(cell)
    except (ValueError, OverflowError):
        return None
    return value if np.isfinite(value) else None


def _instant(cell: object) -> datetime | None:
    """Return a cell as date and time, None where it is none (ISO 8601)."""
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)
    if not isinstance(cell, str):
        return None
    try:
        return datetime.fromisoformat(cell.strip())
    except ValueError:
        return None


def unix_seconds(instant: datetime) -> float:
    """Return Unix seconds; without a zone the clock is UTC, whatever that of this machine is."""
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def _refuse_cell(cell: object, name: str, where: str) -> NoReturn:
    """Raise InputError for a cell that is neither a number nor a date."""
    shown = shown_cell(cell)
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        raise refuse(where, f"the time in column {name!r} is empty; {RIGHT}")
    raise refuse(where, f"{shown} in column {name!r} is not a time; {RIGHT}")


def _refuse_mixed(
    dated: Bools, cells: Sequence[object], name: str, where: str, first_row: int
) -> None:
    """Raise InputError where some cells are dates and some are numbers."""
    odd = np.flatnonzero(dated != dated[0])
    if len(odd):
        row = int(odd[0])
        kinds = ("a number", "dates") if dated[0] else ("a date", "numbers")
        message = (
            f"{shown_cell(cells[row])} in column {name!r} is {kinds[0]} but the rows above have "
            f"{kinds[1]}; use one form in all rows"
        )
        raise refuse(f"{where}:{row + first_row}", message)


def _kinds(values: Floats) -> Ints:
    """Return for each number its index among EPOCHS, −1 for plain ones, −2 for none of both."""
    size = np.abs(values)
    kind: Ints = np.full(len(values), -2, np.int64)
    kind[size < EPOCHS["s"]] = -1
    for index, least in enumerate(EPOCHS.values()):
        kind[(size >= least) & (size < BAND * least)] = index
    return kind


def _recognised(
    values: Floats, cells: Sequence[object], name: str, where: str, first_row: int
) -> str | None:
    """Return the unit of epochs, None where the numbers are none. Raises InputError."""
    kind = _kinds(values)
    if (np.minimum(kind, 0) == -1).all():
        return None
    odd = np.flatnonzero(kind != kind[0])
    if kind[0] == -2 or len(odd):
        row = int(odd[0]) if kind[0] != -2 else 0
        message = (
            f"{shown_cell(cells[row])} in column {name!r} differs in magnitude from the times "
            "above; correct it"
            if row
            else f"{shown_cell(cells[row])} in column {name!r} is a time whose unit cannot be "
            "recognised; set time_unit: s, ms, us or ns"
        )
        raise refuse(f"{where}:{row + first_row}", message)
    return list(EPOCHS)[int(kind[0])]


def _refuse_doubtful(
    values: Floats, cells: Sequence[object], name: str, where: str, first_row: int
) -> None:
    """Raise InputError where plain numbers are hardly seconds."""
    distinct = np.unique(values)
    if len(distinct) < 2:
        return
    step, first = float(np.diff(distinct).min()), float(distinct[0])
    place = f"{where}:{int(np.argmin(values)) + first_row}"
    column = f"column {name!r}"
    if _are_dates(distinct):
        raise refuse(place, f"{column} contains dates such as {shown_cell(cells[0])}; {RIGHT}")
    if 20_000 <= first <= 80_000 and step <= 1.5:
        message = (
            f"{column} looks like serial dates of a spreadsheet ({first:g} and so on); set "
            "time_unit: d, or time_unit: s if these are seconds"
        )
        raise refuse(place, message)
    if step < 1.0 or first > 1e4 * step:
        message = (
            f"{column} starts at {first:g} with steps of {step:g}, which are unlikely to be "
            "seconds; set time_unit: s, ms, min, h or d"
        )
        raise refuse(place, message)
    whole_days = step % DAY_S == 0 and step <= 31 * DAY_S
    whole_hours = step <= DAY_S and (step <= 1e4 or step % 3600 == 0)
    if not whole_days and not whole_hours:
        message = (
            f"{column} has steps of {step:g}, which as seconds would be {step / DAY_S:.3g} days; "
            "set time_unit: ms, or time_unit: s if these are seconds"
        )
        raise refuse(place, message)


def _are_dates(values: Floats) -> bool:
    """Whether all numbers read as dates of the form 20260302."""
    if not ((values >= 19_000_101) & (values <= 21_001_231) & (values % 1 == 0)).all():
        return False
    month, day = values // 100 % 100, values % 100
    return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())


RowOf: TypeAlias = Callable[[int], int]
"""Returns the row of a time in its file, by the position of the time."""


def grid_of(
    times_s: Floats, series: int, samples: int, where: str, row_of: RowOf
) -> tuple[Ints, float]:
    """Return the slot of each time, times ascending, and the step between slots.

    The step is the shortest distance of two times; all distances must be multiples of it.
    ``row_of`` returns the row of a time, by its position. A grid far larger than the ``samples``
    that were written is refused with the row after the longest gap, before any memory is taken for
    it.

    A single instant gives one slot and a step of 300 s. Slots are counted from 0; a time may be off
    the grid by a hundredth of the step. Raises InputError with the row.
    """
    if len(times_s) == 1:
        return np.zeros(1, np.int64), 300.0
    gaps_s = np.diff(times_s)
    back = np.flatnonzero(gaps_s <= 0)
    if len(back):
        row = row_of(int(back[0]) + 1)
        raise refuse(f"{where}:{row}", "is not later than the row above; sort the rows by time")
    step_s = float(gaps_s.min())
    last = (float(times_s[-1]) - float(times_s[0])) / step_s
    refuse_sparse(last + 1, series, samples, len(times_s), gaps_s, where, row_of)
    slots = np.round((times_s - times_s[0]) / step_s).astype(np.int64)
    off = np.flatnonzero(np.abs(times_s - times_s[0] - slots * step_s) > 0.01 * step_s)
    if len(off):
        row = row_of(int(off[0]))
        message = f"is not a multiple of the step of {step_s:g} s; resample to equal steps"
        raise refuse(f"{where}:{row}", message)
    return slots, step_s


def refuse_sparse(
    slots: float,
    series: int,
    samples: int,
    times: int,
    gaps_s: Floats,
    where: str,
    row_of: RowOf,
) -> None:
    """Raise InputError if a grid would be mostly empty and large."""
    too_long = slots > SPARSE * times + 100_000
    too_large = slots * series > max(MAX_STEPS, 4 * samples)
    if not too_long and not too_large:
        return
    at = int(np.argmax(gaps_s))
    step_s = float(gaps_s.min())
    message = (
        f"is {gaps_s[at]:g} s after the row above, {gaps_s[at] / step_s:.3g} times the step of "
        f"{step_s:g} s; correct the time, or end the trace there"
    )
    raise refuse(f"{where}:{row_of(at + 1)}", message)
