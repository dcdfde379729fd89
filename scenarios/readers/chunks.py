"""Read large tables in chunks of rows; errors name the row.

CSV (plain or gzipped) and Parquet look the same to a reader: it says which columns it wants and
gets a :class:`Chunk` after the other, whose methods read a column and refuse what is wrong in it.
"""

import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ..errors.problems import InputError, refuse
from ..errors.suggest import unknown_name
from ..errors.terminal_text import shown_cell
from ..traces.archive import PARQUET, not_whole, packed_as, refuse_irregular
from ..traces.table_columns import refuse_header

BLOCK_BYTES = 4 << 20
MAX_HEADER = 4 << 20
BATCH_ROWS = 1 << 17


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table: Arrow columns by name, and for messages file and row of each.

    ``row`` counts as the file does: lines of a CSV from 1, rows of Parquet from 0.
    """

    columns: Mapping[str, Any]
    row: Ints
    where: str

    def __len__(self) -> int:
        return len(self.row)

    def place(self, index: int) -> str:
        """Return file and row of an entry."""
        return f"{self.where}:{self.row[index]}"

    def numbers(self, name: str, blank: float | None = None) -> Floats:
        """Return a column as finite numbers, ``blank`` where a cell is empty.

        Raises InputError at what is no number, and at empty cells where ``blank`` is None.
        """
        import pyarrow as pa  # noqa: PLC0415 - costly to import
        from pyarrow import compute  # noqa: PLC0415 - costly to import

        column = self._plain(name)
        if pa.types.is_string(column.type):
            text = compute.utf8_trim_whitespace(column)
            column = compute.if_else(compute.equal(text, ""), None, text)
        try:
            cast = column.cast(pa.float64())
        except pa.ArrowException:
            self._refuse_text(column, name)
        missing = np.asarray(cast.is_null())
        values: Floats = np.array(cast.fill_null(0.0), np.float64)
        self.refuse(~np.isfinite(values), name, "write a finite number")
        if blank is None:
            self.refuse(missing, name, "write a number")
        else:
            values[missing] = blank
        return values

    def counts(self, name: str) -> Floats:
        """Return a column of whole numbers of 1 or more. Raises InputError."""
        values = self.numbers(name)
        odd = (values < 1) | (values != np.floor(values))
        self.refuse(odd, name, "write a whole number above 0")
        return values

    def positive(self, name: str, right: str = "write a number above 0") -> Floats:
        """Return a column of numbers above 0. Raises InputError that says what would be right."""
        values = self.numbers(name)
        self.refuse(values <= 0, name, right)
        return values

    def texts(self, name: str) -> Any:
        """Return a column as Arrow texts, without blanks around them, empty where a cell is."""
        import pyarrow as pa  # noqa: PLC0415 - costly to import
        from pyarrow import compute  # noqa: PLC0415 - costly to import

        text = self._plain(name).cast(pa.string()).fill_null("")
        return compute.utf8_trim_whitespace(text)

    def _plain(self, name: str) -> Any:
        """Return a column of numbers or texts. Raises InputError if it holds anything else."""
        from ..traces.arrow_columns import decoded, is_plain, plain_texts  # noqa: PLC0415 - PyArrow

        column = plain_texts(decoded(self.columns[name]))
        if not is_plain(column.type):
            raise refuse(self.where, f"holds {column.type} values; write numbers or texts", name)
        return column

    def words(self, name: str, known: Sequence[str], what: str) -> Ints:
        """Return a column of names as indices, −1 where a cell is empty. Raises InputError."""
        found = self.texts(name).dictionary_encode()
        texts = found.dictionary.to_pylist()
        code: Ints = np.array([_index(text, known) for text in texts], np.int64)
        indices: Ints = code[np.asarray(found.indices)] if len(texts) else np.empty(0, np.int64)
        unknown = np.flatnonzero(indices < -1)
        if len(unknown):
            text = texts[int(found.indices[int(unknown[0])].as_py())]
            message = unknown_name(what, text, known)
            if not known:
                message = f"there is no {what} {text!r}; the scenario defines none"
            raise refuse(self.place(int(unknown[0])), message, name)
        return indices

    def replaced(self, name: str, old: str, new: float) -> "Chunk":
        """Return the chunk with one text of a column replaced by a number.

        Used for open buckets such as ``>24``. The column is one of texts afterwards.
        """
        from pyarrow import compute  # noqa: PLC0415 - costly to import

        text = self.texts(name)
        column = compute.if_else(compute.equal(text, old), repr(float(new)), text)
        return Chunk({**self.columns, name: column}, self.row, self.where)

    def refuse(self, wrong: Bools, name: str, right: str) -> None:
        """Raise InputError at the first entry of a column that is wrong, if any is.

        ``wrong`` (rows,) marks entries of the chunk, ``right`` says what to write instead. The
        message tells how many more there are in the chunk.
        """
        found = np.flatnonzero(wrong)
        if len(found):
            cell = self.columns[name][int(found[0])].as_py()
            shown = "is empty" if cell is None or cell == "" else f"is {shown_cell(cell)}"
            more = f" ({len(found) - 1} more like it)" if len(found) > 1 else ""
            raise refuse(self.place(int(found[0])), f"{shown}{more}; {right}", name)

    def _refuse_text(self, column: Any, name: str) -> NoReturn:
        """Raise InputError at the first cell of a column that is no number."""
        cells = column.to_pylist()
        first = next((index for index, cell in enumerate(cells) if not _is_number(cell)), 0)
        message = f"{shown_cell(cells[first])} is not a number; write one"
        raise refuse(self.place(first), message, name)


def _index(text: str, known: Sequence[str]) -> int:
    """Return the position of a text among known ones: -1 if it is empty, -2 if unknown."""
    if not text:
        return -1
    return known.index(text) if text in known else -2


def _is_number(cell: object) -> bool:
    """Whether a cell is a finite number, or empty."""
    try:
        return cell is None or cell == "" or np.isfinite(float(cell))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


Pick = Callable[[Sequence[str]], Sequence[str]]
"""Returns which of a table's columns are wanted; raises InputError if it lacks some."""


def read_chunks(path: Path, shown: str, pick: Pick, names: Sequence[str] = ()) -> Iterator[Chunk]:
    """Yield the rows of a CSV (also gzipped) or Parquet file, by the ending of its name.

    ``shown`` is the path in messages, ``pick`` returns the columns wanted from those there are,
    ``names`` are the columns of a CSV file without a header. Empty lines are left out. Raises
    InputError with the row where there is one.
    """
    refuse_irregular(path, shown)
    ending = "".join(path.suffixes[-2:]).lower()
    if ending.endswith(".parquet"):
        yield from _parquet(path, shown, pick)
    elif ending.endswith((".csv", ".csv.gz")):
        yield from _csv(path, shown, pick, names)
    else:
        raise refuse(shown, "is not .csv, .csv.gz or .parquet; give it the extension of its format")


def _csv(path: Path, shown: str, pick: Pick, names: Sequence[str]) -> Iterator[Chunk]:
    """Yield the rows of a CSV file in blocks of about BLOCK_BYTES. Raises InputError."""
    import pyarrow as pa  # noqa: PLC0415 - costly to import

    _refuse_disguise(path, shown)
    header = list(names) or _header(path, shown)
    wanted = pick(header)
    odd: list[Any] = []
    row = 1 if names else 2
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            for batch in _batches(stream, header, wanted, 0 if names else 1, odd):
                columns = {name: batch.column(name) for name in wanted}
                rows = np.arange(row, row + len(batch))
                row += len(batch)
                yield _without_blank(Chunk(columns, rows, shown))
    except (pa.ArrowException, OSError) as error:
        if odd:
            raise _odd_row(odd[0], shown) from None
        raise not_whole(shown, error, "a CSV file in UTF-8") from None


def _batches(
    stream: Any, header: Sequence[str], wanted: Sequence[str], skipped: int, odd: list[Any]
) -> Any:
    """Return Arrow's reader of a CSV, all cells as texts; rows of another length go to ``odd``."""
    import pyarrow as pa  # noqa: PLC0415 - costly to import
    from pyarrow import csv  # noqa: PLC0415 - costly to import

    def note(row: Any) -> str:
        """Keep a row of another length, and let Arrow end there."""
        odd.append(row)
        return "error"

    return csv.open_csv(
        stream,
        # In one thread only does Arrow know the line of a row that is too short.
        csv.ReadOptions(
            use_threads=False,
            block_size=BLOCK_BYTES,
            column_names=header,
            skip_rows=skipped,
        ),
        csv.ParseOptions(invalid_row_handler=note, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            include_columns=wanted,
            strings_can_be_null=False,
        ),
    )


def _odd_row(row: Any, shown: str) -> InputError:
    """Return what is said of a row with more or fewer columns than the table."""
    message = f"has {row.actual_columns} columns, the table {row.expected_columns}"
    if row.actual_columns == 1:
        message += ", which are separated by commas"
    return refuse(f"{shown}:{row.number}", f"{message}; correct the row")


def _header(path: Path, shown: str) -> list[str]:
    """Return the names in the first line of a CSV file. Raises InputError."""
    import pyarrow as pa  # noqa: PLC0415 - costly to import

    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            line = io.TextIOWrapper(stream, "utf-8-sig").readline(MAX_HEADER)
    except UnicodeDecodeError:
        raise refuse(f"{shown}:1", "is not UTF-8; save it as UTF-8") from None
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        raise not_whole(shown, error, "a CSV file") from None
    if len(line) >= MAX_HEADER:
        raise refuse(
            f"{shown}:1",
            "has a first line longer than 4 MiB and is probably not a table; check the path",
        )
    header = [name.strip().strip('"') for name in line.rstrip("\r\n").split(",")]
    refuse_header(header, shown)
    return header


def _refuse_disguise(path: Path, shown: str) -> None:
    """Raise InputError if a CSV file holds another format than its name says."""
    with path.open("rb") as handle:
        kind = packed_as(handle.read(8))
    if path.suffix.lower() == ".gz":
        if kind != "gzip":
            raise refuse(shown, "is not gzip-compressed; fill it in .csv if it is plain text")
    elif kind:
        raise refuse(
            shown, f"holds {kind} data, not CSV; give it the extension of its format, e.g. .csv.gz"
        )


def _without_blank(chunk: Chunk) -> Chunk:
    """Leave out lines without anything in them."""
    blank = np.ones(len(chunk), bool)
    for column in chunk.columns.values():
        blank &= np.asarray(column.to_numpy(zero_copy_only=False) == "", bool)
        if not blank.any():
            return chunk
    kept = np.flatnonzero(~blank)
    columns = {name: column.take(kept) for name, column in chunk.columns.items()}
    return Chunk(columns, chunk.row[kept], chunk.where)


def _parquet(path: Path, shown: str, pick: Pick) -> Iterator[Chunk]:
    """Yield the rows of a Parquet file, BATCH_ROWS at a time. Raises InputError.

    Rows are counted from 0, as Parquet has no lines.
    """
    import pyarrow as pa  # noqa: PLC0415 - costly to import
    from pyarrow import parquet  # noqa: PLC0415 - costly to import

    try:
        with parquet.ParquetFile(path) as file:
            header = [str(name) for name in file.schema_arrow.names]
            refuse_header(header, shown)
            wanted = list(pick(header))
            row = 0
            for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
                columns = {name: batch.column(name) for name in wanted}
                yield Chunk(columns, np.arange(row, row + len(batch)), shown)
                row += len(batch)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise not_whole(shown, error, PARQUET) from None
