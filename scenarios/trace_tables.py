"""Readers of traces in one table: wide and tidy CSV and Parquet, and the shipped traces."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ..models.arrays import Floats, Ints
from ..models.catalogue import data_file, traces
from .archive import read_file
from .problems import InputError, refuse
from .spec_workload import TableTrace
from .suggest import unknown_name
from .trace_data import InputFile, Quality, Rules, TraceData, as_counts, complete, no_samples


def read_shipped(name: str) -> TraceData:
    """Read a trace that comes with farmsim."""
    from pyarrow import parquet  # noqa: PLC0415 - costly to import

    trace = traces()[name]
    content = data_file(trace.file).read_bytes()
    table = parquet.ParquetFile(io.BytesIO(content)).read()
    kind = f"<u{trace.bytes_per_sample}"
    rows = np.frombuffer(b"".join(table["cpu"].to_pylist()), kind).reshape(trace.vms, trace.slots)
    return TraceData(
        names=[str(vm) for vm in table["vm"].to_pylist()],
        counts=np.ascontiguousarray(rows.T),
        share_per_count=trace.share_per_count,
        step_s=trace.step_s,
        quality=Quality(trace.vms, trace.slots, rule="shipped complete"),
        files=[InputFile.of(trace.file, content)],
    )


def read_table(source: TableTrace, path: Path, rules: Rules) -> TraceData:
    """Read a CSV or Parquet table. Raises InputError."""
    content = read_file(path, source.path)
    columns = (
        csv_columns(content, source.path)
        if source.type == "csv"
        else _parquet_columns(content, source.path)
    )
    if not columns or not len(next(iter(columns.values()))):
        raise InputError([no_samples(source.path)])
    first_row = 2 if source.type == "csv" else 0
    scale = 100.0 if source.unit == "share" else 1.0
    wide = _wide if source.layout == "wide" else _tidy
    names, percent, step_s = wide(columns, source, first_row, scale)
    where = [source.path] * len(names)
    percent, quality = complete(percent, names, where, rules, first_row)
    counts, share = as_counts(percent)
    files = [InputFile.of(source.path, content)]
    return TraceData(names, counts, share, step_s, quality, files)


Columns = dict[str, list[object]]


def csv_columns(content: bytes, where: str) -> Columns:
    """Return the columns of a CSV file by name, rows without cells left out. Raises InputError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(where, f"byte {error.start} is not UTF-8; save it as UTF-8") from None
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise refuse(where, f"is not CSV ({error}); separate columns by commas") from None
    if not rows or not rows[0]:
        raise InputError([no_samples(where)])
    header = [name.strip() for name in rows[0]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise refuse(f"{where}:1", f"two columns are called {twice[0]!r}; give each its own name")
    body = [(number, row) for number, row in enumerate(rows[1:], 2) if row]
    for number, row in body:
        if len(row) != len(header):
            message = f"has {len(row)} columns, the header {len(header)}; repair the row"
            raise refuse(f"{where}:{number}", message)
    return {name: [row[index] for _, row in body] for index, name in enumerate(header)}


def _parquet_columns(content: bytes, where: str) -> Columns:
    import pyarrow  # noqa: PLC0415 - costly to import
    from pyarrow import parquet  # noqa: PLC0415

    try:
        table = parquet.ParquetFile(io.BytesIO(content)).read()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise refuse(where, f"is not a whole Parquet file ({reason}); copy it again") from None
    return {name: table[name].to_pylist() for name in table.column_names}


def column_of(columns: Columns, name: str, where: str) -> list[object]:
    """Return a column by name. Raises InputError if there is none."""
    if name not in columns:
        raise refuse(where, unknown_name("column", name, columns))
    return columns[name]


def numbers_of(cells: list[object], name: str, where: str, first_row: int) -> Floats:
    """Return cells as numbers, NaN where a cell is empty. Raises InputError with the row."""
    values = np.empty(len(cells))
    for index, cell in enumerate(cells):
        values[index] = _number(cell, name, f"{where}:{index + first_row}")
    return values


def _number(cell: object, name: str, where: str) -> float:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return float("nan")
    try:
        value = float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        message = f"{cell!r} in column {name!r} is not a number; write one, or leave it empty"
        raise refuse(where, message) from None
    if np.isnan(value):
        message = f"NaN in column {name!r} is not a sample; leave it empty if it is missing"
        raise refuse(where, message)
    return value


def times_of(cells: list[object], name: str, where: str, first_row: int) -> Floats:
    """Return cells as times in s: numbers, or ISO 8601. Raises InputError with the row."""
    values = np.empty(len(cells))
    for index, cell in enumerate(cells):
        values[index] = _time(cell, name, f"{where}:{index + first_row}")
    return values


def _time(cell: object, name: str, where: str) -> float:
    try:
        if isinstance(cell, datetime):
            return _seconds(cell)
        if isinstance(cell, str) and not _is_number(cell):
            return _seconds(datetime.fromisoformat(cell.strip()))
        value = float(cell)  # type: ignore[arg-type]
        if np.isfinite(value):
            return value
    except (TypeError, ValueError, OverflowError):
        pass
    message = f"{cell!r} in column {name!r} is no time; write seconds or ISO 8601"
    raise refuse(where, message)


def _seconds(instant: datetime) -> float:
    """Return Unix seconds; without a zone the clock is UTC, whatever that of this machine is."""
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _wide(
    columns: Columns, source: TableTrace, first_row: int, scale: float
) -> tuple[list[str], Floats, float]:
    where = source.path
    times_s = times_of(column_of(columns, source.time, where), source.time, where, first_row)
    names = [name for name in columns if name != source.time]
    if not names:
        raise refuse(where, "has no column besides the time; add one per VM")
    slots, step_s = _grid(times_s, where, first_row)
    percent = np.full((int(slots[-1]) + 1, len(names)), np.nan)
    for index, name in enumerate(names):
        percent[slots, index] = scale * numbers_of(columns[name], name, where, first_row)
    return names, percent, step_s


def _tidy(
    columns: Columns, source: TableTrace, first_row: int, scale: float
) -> tuple[list[str], Floats, float]:
    where = source.path
    times_s = times_of(column_of(columns, source.time, where), source.time, where, first_row)
    vms = [str(cell) for cell in column_of(columns, source.vm, where)]
    written = column_of(columns, source.value, where)
    values = scale * numbers_of(written, source.value, where, first_row)
    names = sorted(set(vms))
    at = {name: index for index, name in enumerate(names)}
    unique_s = np.unique(times_s)
    slots, step_s = _grid(unique_s, where, first_row)
    slot = slots[np.searchsorted(unique_s, times_s)]
    series = np.array([at[vm] for vm in vms])
    percent = np.full((int(slots[-1]) + 1, len(names)), np.nan)
    cells = slot * len(names) + series
    order = np.argsort(cells, kind="stable")
    repeated = np.flatnonzero(np.diff(cells[order]) == 0)
    if len(repeated):
        row = int(order[repeated[0] + 1])
        message = f"{vms[row]} has a second sample at this time; keep one"
        raise refuse(f"{where}:{row + first_row}", message)
    percent[slot, series] = values
    return names, percent, step_s


def _grid(times_s: Floats, where: str, first_row: int) -> tuple[Ints, float]:
    """Return the slot of each time, times ascending, and the step between slots.

    The step is the shortest distance of two times; all distances must be multiples of it.
    """
    if len(times_s) == 1:
        return np.zeros(1, np.int64), 300.0
    gaps_s = np.diff(times_s)
    back = np.flatnonzero(gaps_s <= 0)
    if len(back):
        row = int(back[0]) + 1 + first_row
        raise refuse(f"{where}:{row}", "goes back or stands still in time; sort rows by time")
    step_s = float(gaps_s.min())
    slots = np.round((times_s - times_s[0]) / step_s).astype(np.int64)
    off = np.flatnonzero(np.abs(times_s - times_s[0] - slots * step_s) > 0.01 * step_s)
    if len(off):
        row = int(off[0]) + first_row
        message = f"does not lie on the grid of {step_s:g} s; resample to equal steps"
        raise refuse(f"{where}:{row}", message)
    return slots, step_s
