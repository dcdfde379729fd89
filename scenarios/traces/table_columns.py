"""Columns of tables in CSV and Parquet by name, and their cells as numbers.

What is wrong is told with file, row and column. Columns of Parquet keep their type, so that numbers
are read all at once; those of CSV hold the text of each cell.
"""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias, TypeVar

import numpy as np

from ...models.base.arrays import Floats
from ..errors.problems import InputError, refuse
from ..errors.suggest import unknown_name
from ..errors.terminal_text import shortened
from ..language.table_times import Cells, all_numbers, plain_number
from .archive import PARQUET, not_whole, packed_as
from .trace import no_samples

MAX_COLUMNS = 1_000_000
Columns: TypeAlias = dict[str, Cells]
Held = TypeVar("Held")
"""What a column is kept as."""


def csv_columns(content: bytes, where: str) -> dict[str, list[object]]:
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


def parquet_columns(content: bytes, where: str, wanted: tuple[str, ...]) -> Columns:
    """Return the columns of a Parquet file by name; those not wanted are empty.

    With no names all columns are wanted. Raises InputError for a file that is damaged, and for
    columns of kinds that mean nothing here.
    """
    import pyarrow  # noqa: PLC0415 - costly to import
    from pyarrow import parquet  # noqa: PLC0415 - costly to import

    from .arrow_columns import cells_of, with_dictionary  # noqa: PLC0415 - brings PyArrow

    buffer = pyarrow.BufferReader(content)
    try:
        # Reading ahead serves slow disks, and takes as long again where all is in memory.
        reader = parquet.ParquetFile(buffer, pre_buffer=False)
        if wanted:
            schema = reader.schema_arrow
            header = [str(name) for name in schema.names]
            texts = with_dictionary(schema, wanted)
            reader = parquet.ParquetFile(buffer, pre_buffer=False, read_dictionary=texts)
            held = [name for name in header if name in wanted]
            table = reader.read(held, use_threads=False)
        else:
            table = reader.read(use_threads=False)
            header = [str(name) for name in table.column_names]
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        raise not_whole(where, error, PARQUET) from None
    refuse_header(header, where)
    read = [name for name in header if not wanted or name in wanted]
    columns: Columns = {name: cells_of(table[name], name, where) for name in read}
    return columns | {name: [] for name in header if name not in columns}


def column_of(columns: Mapping[str, Held], name: str, where: str) -> Held:
    """Return a column by name. Raises InputError if there is none."""
    if name not in columns:
        raise refuse(where, unknown_name("column", name, columns))
    return columns[name]


def numbers_of(cells: Cells, name: str, where: str, first_row: int) -> Floats:
    """Return cells as numbers (rows,), NaN where a cell is empty.

    ``name``, ``where`` and ``first_row`` tell column, file and first row in messages. Raises
    InputError with the row.
    """
    if not isinstance(cells, list):
        quick = cells.numbers()
        return numbers_of(cells.objects(), name, where, first_row) if quick is None else quick
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
