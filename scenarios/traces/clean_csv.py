"""Read CSV tables in which nothing is wrong or odd, as typed columns.

Only files that Arrow surely reads as Python's ``csv`` and ``float`` do are taken. All others are
left to :func:`.csv_columns`, which knows what to say of a cell. Arrow refuses numbers that Python
takes (``1_000``, digits of other scripts); what it takes and Python does not, such as ``nan(1)``,
is not finite.
"""

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from .archive import packed_as
from .table_columns import MAX_COLUMNS, Columns

LEAST_BYTES = 1 << 18
"""Smaller files are read faster than PyArrow is imported."""
BLOCK_BYTES = 1 << 24
QUOTE, COMMA, LINE_END, RETURN = b'",\n\r'
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def clean_csv_columns(content: bytes, time: str, tidy: tuple[str, ...]) -> Columns | None:
    """Return the wanted columns of a CSV file by name, None if anything in it is odd.

    ``tidy`` are the columns of time, VM and value of a table with a row per sample, which are
    wanted; in a wide table (none named) all are, and all but ``time`` are numbers.
    """
    if len(content) < LEAST_BYTES or not _has_plain_form(content):
        return None
    end = content.find(b"\n") + 1
    header = _header(content[:end])
    needed = set(tidy) or {time}
    if not needed <= set(header) or len(needed) < len(tidy):
        return None
    if not 2 <= len(header) == len(set(header)) <= MAX_COLUMNS:
        return None
    if content.startswith(BYTE_ORDER_MARK, end):
        return None  # Arrow takes it for that of the file
    texts = set(tidy[:2]) or {time}
    is_text = [name in texts if not tidy or name in tidy else None for name in header]
    return _numbers_and_texts(memoryview(content)[end:], header, is_text)


def _has_plain_form(content: bytes) -> bool:
    """Whether Arrow and Python find the same cells in a file, if its rows are equally long."""
    if b"\0" in content or packed_as(content) or not _is_utf8(content):
        return False
    if content.count(b"\r") != content.count(b"\r\n"):
        return False
    return _cells_are_short(content) and all(map(_quotes_are_plain, _blocks(content)))


def _is_utf8(content: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    if content.isascii():
        return True
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _cells_are_short(content: bytes) -> bool:
    """Whether no cell without quotes is longer than Python's ``csv`` allows.

    A longer one would fill one of the windows, which are half as long as that, from end to end.
    """
    window = csv.field_size_limit() // 2
    starts = range(0, len(content) - window, window)
    return all(
        any(content.find(mark, start, start + window) >= 0 for mark in (b",", b"\n"))
        for start in starts
    )


def _blocks(content: bytes) -> Iterator[Any]:
    """Yield the bytes of a file (bytes,) in blocks of whole lines; none if it has no quotes."""
    start = 0 if b'"' in content else len(content)
    while start < len(content):
        end = content.find(b"\n", start + BLOCK_BYTES) + 1 or len(content)
        yield np.frombuffer(content, np.uint8, end - start, start)
        start = end


def _quotes_are_plain(block: Any) -> bool:
    """Whether quotes in some lines stand around whole cells only, which are not too long."""
    quotes = np.flatnonzero(block == QUOTE)
    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    before = np.where(opening > 0, block[opening - 1], LINE_END)
    after = np.append(block, np.uint8(LINE_END))[closing + 1]
    if not (np.isin(before, (COMMA, LINE_END)) & np.isin(after, (COMMA, LINE_END, RETURN))).all():
        return False
    if (closing - opening > csv.field_size_limit()).any():
        return False
    line_ends = np.flatnonzero(block == LINE_END)
    lines = np.searchsorted(line_ends, opening), np.searchsorted(line_ends, closing)
    return bool(np.array_equal(*lines))


def _header(line: bytes) -> list[str]:
    """Return the names in the first line of a file, none if it is not one row."""
    rows = list(csv.reader(io.StringIO(line.decode("utf-8-sig"), newline="")))
    return [name.strip() for name in rows[0]] if len(rows) == 1 else []


def _numbers_and_texts(body: Any, header: list[str], is_text: list[bool | None]) -> Columns | None:
    """Return columns of the rows after the header, None if a cell is odd.

    ``is_text`` (columns,) says of each whether it holds texts or numbers; None: it is not wanted.
    """
    import pyarrow as pa  # noqa: PLC0415 - costly to import
    from pyarrow import csv as arrow_csv  # noqa: PLC0415 - costly to import

    from .arrow_columns import ArrowCells  # noqa: PLC0415 - brings PyArrow

    # Texts are few, and repeated.
    kinds = {True: pa.dictionary(pa.int32(), pa.string()), False: pa.float64()}
    types = {str(at): kinds[text] for at, text in enumerate(is_text) if text is not None}
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            arrow_csv.ReadOptions(
                use_threads=False,
                block_size=BLOCK_BYTES,
                column_names=[str(at) for at in range(len(header))],
            ),
            convert_options=arrow_csv.ConvertOptions(
                check_utf8=False,
                column_types=types,
                include_columns=list(types),
                null_values=[""],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowException:
        return None
    columns: Columns = {}
    for at, column in zip(types, table.columns, strict=True):
        cells = ArrowCells(column)
        if not is_text[int(at)]:
            values = cells.numbers()
            if values is None or np.isinf(values).any():
                return None
        columns[header[int(at)]] = cells
    return columns if table.num_rows else None
