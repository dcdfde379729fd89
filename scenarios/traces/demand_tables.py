"""Readers of traces in one table: wide and tidy CSV and Parquet, and the shipped traces.

Such tables are read whole. A wide one has a column per VM and a row per instant, a tidy one a row
per sample; both become a grid of equal steps (slots, VMs) in which samples may be missing.
"""

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from ...models.base.arrays import Floats
from ...models.base.catalogue import data_file, traces
from ..errors.problems import InputError, refuse
from ..errors.suggest import unknown_name
from ..errors.terminal_text import shortened
from ..language.fields import problem
from ..language.table_times import Instants, TimeUnit, all_numbers, grid_of, plain_number, times_of
from ..language.value_types import FilePath, Name
from .archive import PARQUET, not_whole, packed_as, read_file
from .trace import (
    FULL,
    InputFile,
    Quality,
    Rules,
    TraceData,
    TraceFormat,
    as_counts,
    complete,
    no_samples,
    refuse_shares,
)

MAX_COLUMNS = 1_000_000


class Shipped(TraceFormat):
    """A trace shipped with farmsim.

    It needs no file and has no gaps, so that a first run can start at once. The name alone stands
    for the mapping: `source: planetlab-20110303`.
    """

    type: Literal["shipped"]
    name: Name = Field(description="Its name; see `farmsim catalog workloads`.")

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        """Refuse a trace that does not come with farmsim."""
        if name not in traces():
            raise problem(unknown_name("shipped trace", name, traces()))
        return name

    @property
    def named(self) -> str:
        """The name of the trace."""
        return self.name

    def read(self, folder: Path, rules: Rules) -> TraceData:
        """Read what is shipped, which is complete."""
        del folder, rules
        return read_shipped(self.name)


def read_shipped(name: str) -> TraceData:
    """Read a trace that comes with farmsim; ``name`` is one of :func:`.traces`."""
    import pyarrow as pa  # noqa: PLC0415 - costly to import
    from pyarrow import parquet  # noqa: PLC0415 - costly to import

    trace = traces()[name]
    content = data_file(trace.file).read_bytes()
    # Threads that live on may end the process with SIGABRT as it closes down.
    table = parquet.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    kind = f"<u{trace.bytes_per_sample}"
    rows = np.frombuffer(b"".join(table["cpu"].to_pylist()), kind).reshape(trace.vms, trace.slots)
    return TraceData(
        names=[str(vm) for vm in table["vm"].to_pylist()],
        counts=np.ascontiguousarray(rows.T),
        share_per_count=trace.share_per_count,
        step_s=trace.step_s,
        quality=Quality(trace.vms, trace.slots, rule="shipped complete"),
        files=[InputFile.of(trace.file, content)],
        shipped=True,
    )


class TableTrace(TraceFormat):
    """A CSV or Parquet table: wide (a column per VM) or tidy (columns time, VM, value).

    The format for an export of your own monitoring. A wide table has a column per VM, named by it,
    beside the time; a tidy one has a row per sample. An example: `{type: csv, path: load.csv, unit:
    percent}`.

    Times ascend in equal steps; the shortest distance of two times is the step, and samples between
    are missing.
    """

    type: Literal["csv", "parquet"]
    path: FilePath = Field(description="The file, relative to the scenario.")
    layout: Literal["wide", "tidy"] = Field(
        "wide", description="Layout of the table: one column per VM, or one row per sample."
    )
    time: Name = Field(
        "time", description="Column of the time: numbers, or ISO 8601 date and time."
    )
    vm: Name = Field("vm", description="Column of the VM's name, with `layout: tidy`.")
    value: Name = Field("cpu", description="Column of the utilisation, with `layout: tidy`.")
    time_unit: TimeUnit | None = Field(
        None,
        description="Unit of numeric times; default: seconds, or milli-, micro- or nanoseconds "
        "since 1970, recognised by their magnitude; anything else is refused.",
    )
    unit: Literal["percent", "share", "MHz", "GHz", "cores"] | None = Field(
        None,
        description="Unit of the samples: percent or share of the VM's CPU, or absolute CPU "
        "(`cores`: at the VM's clock); default: percent, and a table with no sample "
        "above 1 is refused.",
    )

    @property
    def named(self) -> str:
        """The path, as it is written."""
        return self.path

    def read(self, folder: Path, rules: Rules) -> TraceData:
        """Read the table. Raises InputError."""
        return read_table(self, folder / self.path, rules)


def read_table(source: TableTrace, path: Path, rules: Rules) -> TraceData:
    """Read a CSV or Parquet table as a trace.

    Samples in percent or shares become counts of a VM's CPU; those in MHz, GHz or cores stay in
    their unit until VMs have got their series. Raises InputError with file and row.
    """
    content = read_file(path, source.path)
    tidy = (source.time, source.vm, source.value) if source.layout == "tidy" else ()
    columns = (
        csv_columns(content, source.path)
        if source.type == "csv"
        else _parquet_columns(content, source.path, tidy)
    )
    if not columns or not len(next(iter(columns.values()))):
        raise InputError([no_samples(source.path)])
    first_row = 2 if source.type == "csv" else 0
    notes: list[str] = []
    wide = _wide if source.layout == "wide" else _tidy
    names, values, step_s = wide(columns, source, first_row, notes)
    where = [source.path] * len(names)
    unit = source.unit or "percent"
    scale = 100.0 if unit == "share" else 1.0
    values, quality = complete(scale * values, names, where, rules, first_row, FULL.get(unit))
    if source.unit is None:
        refuse_shares(values, source.path)
    quality.notes += notes
    files = [InputFile.of(source.path, content)]
    if unit in FULL:
        counts, share = as_counts(values)
        return TraceData(names, counts, share, step_s, quality, files)
    return TraceData(names, values, 1.0, step_s, quality, files, unit=unit)


Columns = dict[str, list[object]]


def csv_columns(content: bytes, where: str) -> Columns:
    """Return the columns of a CSV file by name, rows without cells left out.

    ``where`` is the file in messages. Raises InputError for other formats, other encodings, and
    rows that do not have the columns of the header.
    """
    kind = packed_as(content)
    if kind:
        raise refuse(
            where, f"holds {kind} data, not CSV; unpack it or give it the extension of its format"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(where, f"byte {error.start} is not UTF-8; save it as UTF-8") from None
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except (csv.Error, ValueError) as error:
        raise refuse(where, f"is not CSV ({error}); separate columns with commas") from None
    if not rows or not rows[0]:
        raise InputError([no_samples(where)])
    header = [name.strip() for name in rows[0]]
    refuse_header(header, where)
    body = [(number, row) for number, row in enumerate(rows[1:], 2) if row]
    for number, row in body:
        if len(row) != len(header):
            message = f"has {len(row)} columns, the header {len(header)}; correct the row"
            if len(row) > len(header) and any(cell.strip() for cell in row):
                message += ", and write decimals with a point, not a comma"
            raise refuse(f"{where}:{number}", message)
    if not body:
        return {name: [] for name in header}
    cells = zip(*(row for _, row in body), strict=True)
    return {name: list(column) for name, column in zip(header, cells, strict=True)}


def refuse_header(header: list[str], where: str) -> None:
    """Raise InputError for a header whose columns are not told apart by commas and names.

    Semicolons and tabs between columns are told by name, as spreadsheets write them.
    """
    if len(header) == 1:
        for mark, called in ((";", "semicolons"), ("\t", "tabs")):
            if mark in header[0]:
                message = (
                    f"separates columns by {called}; save it with commas between columns and "
                    "points in decimals"
                )
                raise refuse(f"{where}:1", message)
    if len(header) > MAX_COLUMNS:
        message = (
            f"has {len(header):,} columns, more than {MAX_COLUMNS:,}; use a tidy table and set "
            "layout: tidy"
        )
        raise refuse(f"{where}:1", message)
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice:
        raise refuse(f"{where}:1", f"two columns are called {twice[0]!r}; make the names unique")


def _parquet_columns(content: bytes, where: str, wanted: tuple[str, ...]) -> Columns:
    """Return the columns of a Parquet file by name; those not wanted are empty."""
    import pyarrow  # noqa: PLC0415 - costly to import
    from pyarrow import parquet  # noqa: PLC0415 - costly to import

    try:
        reader = parquet.ParquetFile(pyarrow.BufferReader(content))
        table = reader.read(use_threads=False)
        header = [str(name) for name in table.column_names]
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        raise not_whole(where, error, PARQUET) from None
    refuse_header(header, where)
    return {
        name: _arrow_cells(column, name, where)
        for name, column in zip(header, table.columns, strict=True)
        if not wanted or name in wanted
    } | ({name: [] for name in header if name not in wanted} if wanted else {})


def _arrow_cells(column: Any, name: str, where: str) -> list[object]:
    """Return the cells of an Arrow column; times and dates become Unix seconds.

    Raises InputError for kinds that mean nothing here.
    """
    import pyarrow as pa  # noqa: PLC0415 - costly to import
    from pyarrow import types  # noqa: PLC0415 - costly to import

    from .arrow_columns import decoded, is_plain  # noqa: PLC0415 - brings PyArrow

    column = decoded(column)
    kind = column.type
    if types.is_timestamp(kind):
        worth_s = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[kind.unit]
        counts = column.cast(pa.int64()).to_pylist()
        return Instants(None if each is None else each * worth_s for each in counts)
    if not is_plain(kind):
        if not types.is_date(kind):
            raise refuse(where, f"holds {kind} values; write numbers, texts or times", name)
        column = column.cast(pa.date32())
        return Instants(
            None if each is None else each * 86_400.0
            for each in column.cast(pa.int32()).to_pylist()
        )
    cells: list[object] = column.to_pylist()
    return [float(each) for each in cells] if types.is_decimal(kind) else cells  # type: ignore[arg-type]


def column_of(columns: Columns, name: str, where: str) -> list[object]:
    """Return a column by name. Raises InputError if there is none."""
    if name not in columns:
        raise refuse(where, unknown_name("column", name, columns))
    return columns[name]


def numbers_of(cells: list[object], name: str, where: str, first_row: int) -> Floats:
    """Return cells as numbers (rows,), NaN where a cell is empty.

    ``name``, ``where`` and ``first_row`` tell column, file and first row in messages. Raises
    InputError with the row.
    """
    if (quick := all_numbers(cells)) is not None:
        return quick
    values = np.empty(len(cells))
    for index, cell in enumerate(cells):
        number = plain_number(cell)
        values[index] = (
            _odd_number(cell, name, f"{where}:{index + first_row}") if (number is None) else number
        )
    return values


def _odd_number(cell: object, name: str, where: str) -> float:
    """Return what a cell means that is no finite number: NaN if empty, or an infinity.

    Raises InputError for anything else, and for a decimal comma.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return float("nan")
    text = cell.strip().lower() if isinstance(cell, str) else str(cell)
    if text.lstrip("+-") == "nan":
        message = (
            f"NaN in column {name!r} is not a sample; leave the cell empty if the sample is missing"
        )
        raise refuse(where, message)
    if text.lstrip("+-") in ("inf", "infinity"):
        return float(text)
    shown = repr(cell if len(str(cell)) <= 40 else shortened(str(cell)))
    message = f"{shown} in column {name!r} is not a number; write one, or leave it empty"
    if isinstance(cell, str) and plain_number(cell.replace(",", ".")) is not None:
        message = f"{shown} in column {name!r} has a comma; write decimals with a point"
    raise refuse(where, message)


def _wide(
    columns: Columns, source: TableTrace, first_row: int, notes: list[str]
) -> tuple[list[str], Floats, float]:
    """Return names of VMs, samples (slots, VMs) and the step in s, of a column per VM.

    What was recognised about times is appended to ``notes``. Raises InputError.
    """
    where = source.path
    cells = column_of(columns, source.time, where)
    times_s = times_of(cells, source.time, where, first_row, source.time_unit, notes)
    names = [name for name in columns if name != source.time]
    if not names:
        raise refuse(where, "has no column except the time; add one per VM")
    if {source.vm, source.value} <= set(names):
        raise refuse(
            where,
            f"has columns {source.vm!r} and {source.value!r}; set layout: tidy if each row is a "
            "sample of one VM; rename the columns if they are VMs",
        )
    rows = range(first_row, first_row + len(times_s))
    slots, step_s = grid_of(times_s, len(names), len(times_s) * len(names), where, rows)
    values = np.full((int(slots[-1]) + 1, len(names)), np.nan)
    for index, name in enumerate(names):
        values[slots, index] = numbers_of(columns[name], name, where, first_row)
    return names, values, step_s


def _tidy(
    columns: Columns, source: TableTrace, first_row: int, notes: list[str]
) -> tuple[list[str], Floats, float]:
    """Return names of VMs, samples (slots, VMs) and the step in s, of a row per sample.

    Names are sorted. What was recognised about times is appended to ``notes``. Raises InputError.
    """
    where = source.path
    cells = column_of(columns, source.time, where)
    vms = [_named(cell) for cell in column_of(columns, source.vm, where)]
    if "" in vms:
        row = vms.index("") + first_row
        raise refuse(f"{where}:{row}", f"has no VM in column {source.vm!r}; fill it in")
    written = column_of(columns, source.value, where)
    times_s = times_of(cells, source.time, where, first_row, source.time_unit, notes)
    values = numbers_of(written, source.value, where, first_row)
    names = sorted(set(vms))
    at = {name: index for index, name in enumerate(names)}
    unique_s, first = np.unique(times_s, return_index=True)
    slots, step_s = grid_of(unique_s, len(names), len(vms), where, first + first_row)
    slot = slots[np.searchsorted(unique_s, times_s)]
    series = np.array([at[vm] for vm in vms])
    held = np.full((int(slots[-1]) + 1, len(names)), np.nan)
    places = slot * len(names) + series
    order = np.argsort(places, kind="stable")
    repeated = np.flatnonzero(np.diff(places[order]) == 0)
    if len(repeated):
        row = int(order[repeated[0] + 1])
        message = f"{vms[row]} has two samples at this time; keep one"
        raise refuse(f"{where}:{row + first_row}", message)
    held[slot, series] = values
    return names, held, step_s


def _named(cell: object) -> str:
    """Return the name in a cell; numbers are names too, without a fraction of .0."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
