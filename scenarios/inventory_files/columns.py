"""Columns of a table as numbers: number format by column, units, and plausible magnitudes."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from statistics import median

from ...models.base.lazy_dataclass import dataclass
from ..errors.problems import refuse
from ..errors.terminal_text import shown_cell
from ..inventory.findings import Finding, Severity
from .cells import is_missing, marks_of, moment, number_parts, number_with
from .sheets import Cell

UNITS: Mapping[str, Mapping[str, float]] = {
    "MHz": {"hz": 1e-6, "khz": 1e-3, "mhz": 1.0, "ghz": 1e3, "thz": 1e6},
    "MiB": {
        "b": 2.0**-20, "bytes": 2.0**-20, "byte": 2.0**-20,
        "kb": 2.0**-10, "kib": 2.0**-10, "mb": 1.0, "mib": 1.0, "gb": 1024.0, "gib": 1024.0,
        "tb": 2.0**20, "tib": 2.0**20, "pb": 2.0**30, "pib": 2.0**30,
    },
    "%": {"%": 1.0, "percent": 1.0},
    "s": {"s": 1.0, "sec": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0},
    "": {"vcpu": 1.0, "vcpus": 1.0, "cpu": 1.0, "cpus": 1.0, "cores": 1.0},
}  # fmt: skip
"""What a unit, in lower case, is worth in the one that a column is read in.

Hypervisors write KB, MB and GB and mean powers of 1,024.
"""

# Tables of measured values have millions of cells, most of them as these two describe.
_PLAIN = re.compile(r"-?(?:\d{1,15}|\d{1,3}(?:,\d{3}){1,4})(?:\.\d{1,15})?", re.ASCII)
_DOT_SHOWN = re.compile(r"-?\d{1,3}(?:(?:,\d{3})+\.\d+|\.\d{1,2}|\.\d{4,})", re.ASCII)


@dataclass(frozen=True)
class ReadOptions:
    """What the user says about files where these leave it open.

    ``decimal_marks`` and ``units`` have an entry per column as ``vHost.Speed``; ``*`` stands for
    all others. ``day_first`` is the order of dates such as 03/04/2026. ``system`` are names of
    VMs, with ``*`` and ``?``, that belong to the platform. ``time_zone`` is an IANA name or an
    offset such as ``+01:00``. ``interval_s`` lies between two files of counters without times.
    """

    decimal_marks: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    day_first: bool | None = None
    system: tuple[str, ...] = ()
    time_zone: str | None = None
    interval_s: float | None = None


@dataclass(frozen=True)
class Quantity:
    """What a column of numbers means, and which numbers can be right.

    ``unit`` is what it is read in (``MHz``, ``MiB``, ``%``, ``s`` or none), ``header_unit`` what
    the column is in where neither cell nor options say otherwise. Numbers outside ``least`` to
    ``most`` are unknown, with a finding; a column whose median of what is not 0 lies outside
    ``usual`` is refused, since it is in another unit; with ``optional`` it is unknown instead, with
    a finding. ``unlimited`` (-1 in VMware) means none.
    """

    unit: str = ""
    header_unit: str = ""
    least: float = 0.0
    most: float = 1e15
    usual: tuple[float, float] | None = None
    whole: bool = False
    unlimited: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a table: its cells below the header, and where they stand.

    ``sheet`` is the name of the sheet, ``where`` file and sheet, ``row_numbers`` (cells,) those of
    the rows as a spreadsheet counts.
    """

    where: str
    sheet: str
    header: str
    cells: Sequence[Cell]
    row_numbers: Sequence[int]

    @property
    def key(self) -> str:
        """The name of this column in options: ``vHost.Speed``."""
        return f"{self.sheet}.{self.header}"


def numbers(
    column: Column,
    quantity: Quantity,
    findings: list[Finding],
    options: ReadOptions | None = None,
    peers: Sequence[str] = (),
) -> list[float | None]:
    """Return the numbers of a column in the unit of the quantity, None where unknown.

    Cells that are not numbers, and numbers that cannot be right, are unknown and get a finding.
    ``peers`` are decimal marks of other columns of the file, which decide where this one leaves it
    open. Raises InputError if its number format or its unit cannot be told.
    """
    options = options or ReadOptions()
    mark = decimal_mark(column, quantity, options, peers)
    factors = UNITS.get(quantity.unit, {})
    factor = _factor(column, quantity, options)
    values: list[float | None] = []
    wrong: list[int] = []
    for at, cell in enumerate(column.cells):
        value = _number(cell, mark, factors, factor)
        if value is None and not is_missing(cell):
            wrong.append(at)
        values.append(value)
    unusual = _unusual(column, quantity, values)
    if unusual and quantity.optional:
        told = f"{column.header}: {unusual}"
        effect = "its values are unknown"
        findings.append(Finding("MAGNITUDE_UNUSUAL", Severity.WARNING, column.where, told, effect))
        return [None] * len(values)
    if unusual:
        raise refuse(column.where, unusual, column.header)
    odd = [at for at, value in enumerate(values) if value is not None and _odd(value, quantity)]
    for at in odd:
        if not (quantity.unlimited and values[at] == -1 * factor):
            wrong.append(at)
        values[at] = None
    if wrong:
        findings.append(_unreadable(column, sorted(wrong)))
    return values


def whole_numbers(values: Sequence[float | None]) -> list[int | None]:
    """Return numbers of a quantity that is ``whole`` as integers."""
    return [None if value is None else int(value) for value in values]


def decimal_mark(
    column: Column, quantity: Quantity, options: ReadOptions, peers: Sequence[str] = ()
) -> str:
    """Return the decimal mark of the numbers that a column has as text, ``.`` if it has none.

    All its cells decide together: ``12,5`` or ``1.234.567`` shows it; where every number could be
    read either way, such as ``16.384``, the reading that is plausible for the quantity is taken.
    Raises InputError where that does not decide either.
    """
    told = options.decimal_marks.get(column.key, options.decimal_marks.get("*", ""))
    if told:
        return told
    shown: dict[str, str] = {}
    open_texts = []
    for cell in {each for each in column.cells if isinstance(each, str)}:
        if _DOT_SHOWN.fullmatch(cell):
            shown["."] = min(shown.get(".", cell), cell)
            continue
        parts = number_parts(cell)
        if parts is None:
            continue
        mark = marks_of(parts[0])
        if mark.endswith("?"):
            open_texts.append((mark[0], cell))
        elif mark in {".", ","}:
            shown[mark] = min(shown.get(mark, cell), cell)
    if len(shown) == 1:
        return next(iter(shown))
    if shown:
        raise refuse(
            column.where,
            f"{shown_cell(shown['.'])} and {shown_cell(shown[','])} have different decimal marks; "
            f"say which one is right: decimal_marks, {column.key}",
            column.header,
        )
    if not open_texts:
        return "."
    return _plausible_mark(column, quantity, options, sorted(open_texts), peers)


def _plausible_mark(
    column: Column,
    quantity: Quantity,
    options: ReadOptions,
    texts: list[tuple[str, str]],
    peers: Sequence[str],
) -> str:
    """Return the decimal mark with which the numbers of a column are plausible.

    ``texts`` are numbers that can be read in either way, with the mark in them. Raises InputError.
    """
    marks = {mark for mark, _ in texts}
    if len(marks) == 1:
        found = next(iter(marks))
        other = "," if found == "." else "."
        fitting = [mark for mark in (found, other) if _fits(column, quantity, options, mark)]
        if len(fitting) == 1:
            return fitting[0]
        if len(set(peers)) == 1:
            return peers[0]
    example = texts[0][1]
    raise refuse(
        column.where,
        f"{shown_cell(example)} can be read in two ways, with thousands or decimals; say "
        f"which decimal mark is right: decimal_marks, {column.key}",
        column.header,
    )


def _fits(column: Column, quantity: Quantity, options: ReadOptions, mark: str) -> bool:
    """Whether the numbers of a column are plausible if read with a decimal mark."""
    factors = UNITS.get(quantity.unit, {})
    factor = _factor(column, quantity, options)
    read = (_number(cell, mark, factors, factor) for cell in column.cells)
    values = [value for value in read if value]
    if not values:
        return False
    low, high = quantity.usual or (quantity.least, quantity.most)
    if quantity.whole and not all(value.is_integer() for value in values):
        return False
    return low <= median(values) <= high and max(values) <= quantity.most


def _number(cell: Cell, mark: str, factors: Mapping[str, float], factor: float) -> float | None:
    """Return the number in a cell in the unit of its column; None if there is none."""
    if isinstance(cell, float | int) and not isinstance(cell, bool):
        return float(cell) * factor if math.isfinite(cell) else None
    if not isinstance(cell, str):
        return None
    if mark == "." and _PLAIN.fullmatch(cell):
        return float(cell.replace(",", "")) * factor
    parts = number_parts(cell)
    value = number_with(parts[0], mark) if parts else None
    if parts is None or value is None or not math.isfinite(value):
        return None
    if not parts[1]:
        return value * factor
    worth = factors.get(parts[1].lower())
    if worth is None and parts[1] == "%":
        worth = 1.0
    return None if worth is None else value * worth


def _odd(value: float, quantity: Quantity) -> bool:
    """Whether a number cannot be right."""
    if quantity.whole and not value.is_integer():
        return True
    return not quantity.least <= value <= quantity.most


def _factor(column: Column, quantity: Quantity, options: ReadOptions) -> float:
    """Return what numbers without a unit are worth in the unit of the quantity.

    Raises InputError if the user names a unit for the column that does not exist.
    """
    factors = UNITS.get(quantity.unit, {})
    own = options.units.get(column.key)
    if own is not None and own.lower() not in factors:
        known = ", ".join(factors) or "none"
        raise refuse("units", f"{own!r} is not a unit of this column; known: {known}", column.key)
    told = own or options.units.get("*", "")
    return factors.get(told.lower(), factors.get(quantity.header_unit.lower(), 1.0))


def _unusual(column: Column, quantity: Quantity, values: Sequence[float | None]) -> str:
    """Return what shows that a column is in another unit than its quantity; empty if nothing."""
    known = [value for value in values if value is not None and value > 0]
    if not known or not quantity.usual:
        return ""
    middle = median(known)
    low, high = quantity.usual
    if low <= middle <= high:
        return ""
    fitting = [
        unit
        for unit, worth in UNITS.get(quantity.unit, {}).items()
        if low <= middle * worth <= high and unit not in {"byte", "bytes"}
    ]
    advice = f"; it may be in {' or '.join(fitting)}" if fitting else ""
    return (
        f"the median of the column is {middle:,.6g} {quantity.unit}, outside {low:,.6g} to "
        f"{high:,.6g}{advice}; say its unit: units, {column.key}"
    )


def _unreadable(column: Column, wrong: Sequence[int]) -> Finding:
    """Return what is said of cells that do not hold a number that can be right."""
    first = wrong[0]
    count = "1 cell is" if len(wrong) == 1 else f"{len(wrong):,} cells are"
    return Finding(
        "CELL_UNREADABLE",
        Severity.WARNING,
        f"{column.where}, row {column.row_numbers[first]}",
        f"{column.header}: {count} not a number that can be right, such as "
        f"{shown_cell(column.cells[first])} in row {column.row_numbers[first]}",
        "these values are unknown",
    )


def day_first(column: Column, options: ReadOptions | None = None) -> bool | None:
    """Return whether the dates of a column have the day first; None if they do not show it."""
    if options is not None and options.day_first is not None:
        return options.day_first
    for cell in column.cells:
        if isinstance(cell, str):
            parts = cell.replace("-", "/").replace(".", "/").split("/")
            if len(parts) >= 3 and parts[0].strip().isdigit() and parts[1].strip().isdigit():
                if 12 < int(parts[0]) <= 31:
                    return True
                if int(parts[0]) <= 12 < int(parts[1]):
                    return False
    return None


def moments(column: Column, options: ReadOptions | None = None) -> list[str | None]:
    """Return the times of a column as ISO texts without zone, None where unknown."""
    order = day_first(column, options)
    read = (moment(cell, order) for cell in column.cells)
    return [None if each is None else each.isoformat(sep=" ") for each in read]
