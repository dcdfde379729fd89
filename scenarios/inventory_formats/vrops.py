"""vROps, now Aria Operations: CSV files with a row for each object and interval.

Times are local, without a zone. A unit in a cell wins, then that of the header. ``-`` is missing.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TypeVar

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ..errors.problems import refuse
from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Host, Inventory, Series, Vm
from ..inventory.local_time import LocalClock
from ..inventory.series import (
    CPU_CAPACITY,
    history_findings,
    joined,
    missing,
    off_steps,
    on_steps,
    step_of,
)  # fmt: skip
from ..inventory_files.cells import moment, text
from ..inventory_files.columns import Column, ReadOptions, numbers
from ..inventory_files.headers import HEADER_ROWS, Table, plain
from ..inventory_files.sheets import Cell, InputFile, Sheet
from ..inventory_files.sources import begun
from . import vrops_columns as columns

NAME: Final = "vROps"
_ALIASES: Final = {
    "name": ("Name", "Object Name", "Object"),
    "time": ("Interval Breakdown", "Timestamp", "Time"),
}
_CLOCK_FIRST: Final = re.compile(
    r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AP]M)?,?\s+(\d{1,2})\s+([A-Z]{3})[A-Z]*\.?,?\s+(\d{4})",
    re.IGNORECASE,
)
_DATE_FIRST: Final = re.compile(
    r"([A-Z]{3})[A-Z]*\.?\s+(\d{1,2}),?\s+(\d{4}),?\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AP]M)?",
    re.IGNORECASE,
)
Each = TypeVar("Each", Vm, Host)
_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip


def _table(sheet: Sheet) -> Table | None:
    """Return the table of a sheet that has names, times and a metric; None if it is none."""
    names, times = ({plain(each) for each in _ALIASES[key]} for key in ("name", "time"))
    for at, row in enumerate(sheet.rows[:HEADER_ROWS]):
        headers = [plain(cell) for cell in row if isinstance(cell, str)]
        held = set(headers)
        if held & names and held & times and any(map(_is_metric, headers)):
            return Table(sheet, at, _ALIASES)
    return None


def _is_metric(header: str) -> bool:
    """Whether a header is that of a metric: kind of object, path and statistic."""
    parts = header.split("|")
    return len(parts) >= 3 and parts[0].strip() in columns.KINDS


def recognise(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Return the files of vROps, as one group: each has one kind of object, or one period."""
    found = [file for file in files if file.kind == "table" and _table(file.sheets[0]) is not None]
    return [found] if found else []


def read(group: Sequence[InputFile], options: ReadOptions) -> Inventory:
    """Return the objects of some files, and their series in UTC."""
    inventory = begun(group, NAME)
    parts: list[Series] = []
    for file in group:
        table = _table(file.sheets[0])
        if table is None:
            raise refuse(file.shown, f"has no table of {NAME}")
        reading = _Reading(table, file.shown, options, inventory)
        parts += reading.series()
    inventory.vms = _once(inventory.vms)
    inventory.hosts = _once(inventory.hosts)
    inventory.series, differing = joined(parts)
    inventory.findings += differing
    measured = [each for each in inventory.series if each.statistic == "mean"]
    inventory.findings += history_findings(measured or inventory.series)
    return inventory


@dataclass(frozen=True)
class _Values:
    """One column: what it holds, and its numbers (rows,), NaN where missing."""

    column: Column
    measured: columns.Measured
    numbers: Floats


class _Reading:
    """Reads one file into an inventory.

    Parameters
    ----------
    table
        The rows of the file.
    shown
        The file in messages.
    options
        What the user says of it.
    inventory
        Gets objects and findings.
    """

    def __init__(
        self, table: Table, shown: str, options: ReadOptions, inventory: Inventory
    ) -> None:
        self._table, self._options, self._inventory = table, options, inventory
        self._where = table.sheet.file
        self._times = LocalClock(self._moment, options.time_zone, shown)
        self._columns = list(self._measured_columns())

    def series(self) -> Iterator[Series]:
        """Add the objects of the file, and yield their series. Raises InputError."""
        rows = self._rows_of_objects()
        at = {name: (self._times.utc(times), held) for name, (times, held) in rows.items()}
        at = {name: found for name, found in at.items() if self._is_single(name, found[0])}
        if self._times.doubtful:
            self._tell(
                "TIME_DOUBTFUL", Severity.WARNING,
                f"{self._times.doubtful:,} times occurred twice on the clock and stand once here",
                "the first that follows the row before is taken",
            )  # fmt: skip
        step_s = step_of([times for times, _ in at.values()])
        for name, (_, held) in at.items():
            self._add_object(name, held)
        if step_s is None:
            if at:
                self._tell(
                    "SERIES_TOO_SHORT", Severity.WARNING,
                    "no object has two different times", "there are no series",
                )  # fmt: skip
            return
        origin = min(float(times.min()) for times, _ in at.values())
        beside = sum(off_steps(times, step_s, origin) for times, _ in at.values())
        if beside:
            self._tell(
                "TIMES_OFF_STEP", Severity.WARNING,
                f"{beside:,} times are not on the step of {step_s:g} s",
                "each counts for the nearest step",
            )  # fmt: skip
        for name, (times, held) in at.items():
            for values in (each for each in self._columns if len(each.numbers)):
                found = self._one(name, times, values.numbers[held], values.measured, step_s)
                if found is not None:
                    yield found

    def _one(
        self, name: str, times: Floats, values: Floats, held: columns.Measured, step_s: float
    ) -> Series | None:
        """Return a series of an object; None if nothing is known, or a capacity never changes."""
        if held.metric not in columns.SERIES or missing(values) == len(values):
            return None
        if held.metric == CPU_CAPACITY and np.nanmax(values) <= np.nanmin(values) * 1.001:
            return None
        start, grid = on_steps(times, values, step_s, f"{self._where}, {name}")
        if held.unit == "share":
            grid = grid / 100
        return Series(name, held.kind, held.metric, held.unit, start, step_s, grid, held.statistic)

    def _measured_columns(self) -> Iterator[_Values]:
        """Yield the columns that are read; the others get one finding."""
        unread = []
        for place, header in enumerate(self._table.headers):
            held = columns.measured(header)
            if held is None:
                if "|" in header:
                    unread.append(header)
                continue
            cells: list[Cell] = [
                row[place] if place < len(row) else None for row in self._table.rows
            ]
            sheet = self._table.sheet
            column = Column(sheet.where, sheet.name, header, cells, self._table.row_numbers)
            if held.metric == columns.MAINTENANCE:
                yield _Values(column, held, np.zeros(0))
                continue
            # Times are written in English, so a dot is the decimal mark where nothing else says.
            read = numbers(column, held.quantity, self._inventory.findings, self._options, (".",))
            found = np.array([np.nan if each is None else each for each in read])
            yield _Values(column, held, found)
        if unread:
            self._tell(
                "METRICS_NOT_READ", Severity.INFO,
                f"columns that are not used: {', '.join(unread[:5])}"
                f"{' …' if len(unread) > 5 else ''}",
            )  # fmt: skip

    def _rows_of_objects(self) -> dict[str, tuple[Ints, Ints]]:
        """Return the times, as numbers of the clock, and the rows of each object."""
        name_column, time_column = self._table.column("name"), self._table.column("time")
        names = [text(cell) for cell in name_column.cells] if name_column is not None else []
        cells = time_column.cells if time_column is not None else []
        times = self._times.indices(
            cell.isoformat(" ") if isinstance(cell, datetime) else text(cell) or ""
            for cell in cells
        )
        wrong = [at for at in range(len(names)) if names[at] is not None and times[at] < 0]
        if wrong:
            self._tell(
                "TIME_UNREADABLE", Severity.WARNING,
                f"{len(wrong):,} of {len(names):,} rows have no time that can be read, such as row "
                f"{self._table.row_numbers[wrong[0]]}",
                "these rows are left out",
            )  # fmt: skip
        rows: dict[str, list[int]] = {}
        for at, name in enumerate(names):
            if name is not None and times[at] >= 0:
                rows.setdefault(name, []).append(at)
        arrays = {name: np.array(held, np.int64) for name, held in rows.items()}
        return {name: (times[held], held) for name, held in arrays.items()}

    def _is_single(self, name: str, times: Floats) -> bool:
        """Whether rows are those of one object; several of one name cannot be told apart."""
        again = len(times) - len(np.unique(times))
        if not again:
            return True
        several = again > len(times) // 4
        self._tell(
            "VM_NAME_NOT_UNIQUE" if several else "TIME_TWICE", Severity.WARNING,
            f"{name} has {again:,} rows for times that it has already",
            "objects of one name cannot be told apart: their values are not used"
            if several else "the first value counts",
            (name,),
        )  # fmt: skip
        return not several

    def _add_object(self, name: str, held: Ints) -> None:
        """Add a VM or a host with what its last values say; a cluster has series only."""
        row = f"{self._table.sheet.where}, row {self._table.row_numbers[int(held[0])]}"
        last = {
            each.measured.metric: known
            for each in self._columns
            if len(each.numbers) and (known := _last(each.numbers[held])) is not None
        }
        kinds = {each.measured.kind for each in self._columns}
        if "vm" in kinds:
            self._add_vm(name, row, last)
        if "host" in kinds:
            self._add_host(name, row, last, held)

    def _add_vm(self, name: str, row: str, last: dict[str, float]) -> None:
        """Add a VM: its size as far as the file knows it."""
        count, capacity = last.get(columns.VCPUS), last.get(CPU_CAPACITY)
        vcpus = int(count) if count and count.is_integer() else None
        clock = capacity / vcpus if capacity and vcpus else None
        self._inventory.vms.append(Vm(name, name, row, vcpus=vcpus, clock_mhz=clock))

    def _add_host(self, name: str, row: str, last: dict[str, float], held: Ints) -> None:
        """Add a host: of its capacity only what is left to VMs is stated."""
        stated = {}
        if columns.CPU_AVAILABLE in last:
            stated["cpu_available_mhz"] = last[columns.CPU_AVAILABLE]
        if columns.MEMORY_AVAILABLE in last:
            stated["memory_available_mib"] = last[columns.MEMORY_AVAILABLE]
        words = [
            word
            for each in self._columns
            if each.measured.metric == columns.MAINTENANCE
            for at in held.tolist()
            if (word := text(each.column.cells[at])) is not None
        ]
        out = bool(words) and words[-1].casefold() != "notinmaintenance"
        host = Host(name, row, in_service=not out, stated=stated)
        self._inventory.hosts.append(host)

    def _moment(self, written: str) -> datetime | None:
        """Return the time that a text states, None if it states none."""
        return _english(written) or _iso(written) or moment(written, self._options.day_first)

    def _tell(
        self, code: str, severity: Severity, message: str, effect: str = "",
        objects: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """Add a finding about the file."""
        self._inventory.findings.append(
            Finding(code, severity, self._where, message, effect, objects)
        )


def _once(objects: Sequence[Each]) -> list[Each]:
    """Return each object once: what the last of several files knows of it counts."""
    found: dict[str, Each] = {}
    for each in objects:
        before = found.get(each.name)
        if before is None:
            found[each.name] = each
            continue
        known = {
            field.name: value
            for field in dataclasses.fields(each)
            if field.name not in {"row", "stated"}
            and (value := getattr(each, field.name)) is not None
        }
        if isinstance(before, Host) and isinstance(each, Host):
            known["stated"] = before.stated | each.stated
        found[each.name] = dataclasses.replace(before, **known)
    return list(found.values())


def _last(values: Floats) -> float | None:
    """Return the last known value, None if none is known."""
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else None


def _english(written: str) -> datetime | None:
    """Return a time such as ``12:00 AM 1 July 2026`` or ``Jul 1, 2026 12:00:00 AM``."""
    if found := _CLOCK_FIRST.fullmatch(written.strip()):
        hour, minute, second, half, day, month, year = found.groups()
    elif found := _DATE_FIRST.fullmatch(written.strip()):
        month, day, year, hour, minute, second, half = found.groups()
    else:
        return None
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half.upper() == "PM" else 0)
    if month.lower() not in _MONTHS:
        return None
    number = _MONTHS.index(month.lower()) + 1
    try:
        return datetime(int(year), number, int(day), hours, int(minute), int(second or 0))
    except ValueError:
        return None


def _iso(written: str) -> datetime | None:
    """Return a time as ISO 8601 writes it, with or without a zone."""
    try:
        found = datetime.fromisoformat(written.strip())
    except ValueError:
        return None
    return found if 1970 < found.year < 2200 else None
