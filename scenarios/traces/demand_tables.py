"""Readers of traces in one table: wide and tidy CSV and Parquet, and the shipped traces.

Such tables are read whole. A wide one has a column per VM and a row per instant, a tidy one a row
per sample; both become a grid of equal steps (slots, VMs) in which samples may be missing.
"""

from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
from pydantic import Field, field_validator

from ...models.base.arrays import Floats, Ints
from ...models.base.catalogue import data_file, traces
from ..errors.problems import InputError, refuse
from ..errors.suggest import unknown_name
from ..language.fields import problem
from ..language.table_times import (
    Cells,
    TimeUnit,
    distinct_of,
    distinct_times,
    grid_of,
    times_of,
)
from ..language.value_types import FilePath, Name
from .archive import read_file
from .clean_csv import clean_csv_columns
from .table_columns import Columns, column_of, csv_columns, numbers_of, parquet_columns
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
    columns, file = _columns(source, path)
    if not columns or not len(next(iter(columns.values()))):
        raise InputError([no_samples(source.path)])
    first_row = 2 if source.type == "csv" else 0
    notes: list[str] = []
    wide = _wide if source.layout == "wide" else _tidy
    names, values, step_s = wide(columns, source, first_row, notes)
    where = [source.path] * len(names)
    unit = source.unit or "percent"
    if unit == "share":
        values *= 100.0
    values, quality = complete(values, names, where, rules, first_row, FULL.get(unit))
    if source.unit is None:
        refuse_shares(values, source.path)
    quality.notes += notes
    if unit in FULL:
        counts, share = as_counts(values)
        return TraceData(names, counts, share, step_s, quality, [file])
    return TraceData(names, values, 1.0, step_s, quality, [file], unit=unit)


def _columns(source: TableTrace, path: Path) -> tuple[Columns, InputFile]:
    """Return the columns of a table, and the file that it is. Raises InputError."""
    content = read_file(path, source.path)
    file = InputFile.of(source.path, content)
    tidy = (source.time, source.vm, source.value) if source.layout == "tidy" else ()
    if source.type == "parquet":
        return parquet_columns(content, source.path, tidy), file
    columns = clean_csv_columns(content, source.time, tidy)
    return columns or {**csv_columns(content, source.path)}, file


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
    samples = len(times_s) * len(names)
    slots, step_s = grid_of(times_s, len(names), samples, where, lambda at: at + first_row)
    values = np.full((len(names), int(slots[-1]) + 1), np.nan)
    for index, name in enumerate(names):
        values[index, slots] = numbers_of(columns.pop(name), name, where, first_row)
    return names, np.ascontiguousarray(values.T), step_s


def _tidy(
    columns: Columns, source: TableTrace, first_row: int, notes: list[str]
) -> tuple[list[str], Floats, float]:
    """Return names of VMs, samples (slots, VMs) and the step in s, of a row per sample.

    Names are sorted. What was recognised about times is appended to ``notes``. Raises InputError.
    """
    where = source.path
    cells = column_of(columns, source.time, where)
    names, series = _names(column_of(columns, source.vm, where), source, first_row)
    written = column_of(columns, source.value, where)
    found_s, found = distinct_times(cells, source.time, where, first_row, source.time_unit, notes)
    values = numbers_of(written, source.value, where, first_row)
    times_s, instant = np.unique(found_s, return_inverse=True)

    def row_of(at: int) -> int:
        """Return the first row of a time."""
        return int(np.argmax(instant[found] == at)) + first_row

    slots, step_s = grid_of(times_s, len(names), len(values), where, row_of)
    places = (slots * len(names))[instant][found]
    places += series
    held = np.full((int(slots[-1]) + 1) * len(names), np.nan)
    taken = np.zeros(len(held), bool)
    taken[places] = True
    if np.count_nonzero(taken) < len(places):
        _refuse_repeated(places, names, series, where, first_row)
    held[places] = values
    return names, held.reshape(-1, len(names)), step_s


def _names(cells: Cells, source: TableTrace, first_row: int) -> tuple[list[str], Ints]:
    """Return the names of VMs, sorted, and the position among them of each cell (rows,).

    Raises InputError at a cell without a name.
    """
    different, index = distinct_of(cells)
    named = [_named(cell) for cell in different]
    names = sorted(set(named))
    at = {name: position for position, name in enumerate(names)}
    series: Ints = np.array([at[name] for name in named], np.int64)[index]
    if "" in at:
        row = int(np.argmax(series == at[""])) + first_row
        raise refuse(f"{source.path}:{row}", f"has no VM in column {source.vm!r}; fill it in")
    return names, series


def _refuse_repeated(
    places: Ints, names: list[str], series: Ints, where: str, first_row: int
) -> NoReturn:
    """Raise InputError at a row whose place (rows,) another row has before."""
    order = np.argsort(places, kind="stable")
    repeated = np.flatnonzero(np.diff(places[order]) == 0)
    row = int(order[repeated[0] + 1])
    message = f"{names[series[row]]} has two samples at this time; keep one"
    raise refuse(f"{where}:{row + first_row}", message)


def _named(cell: object) -> str:
    """Return the name in a cell; numbers are names too, without a fraction of .0."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
