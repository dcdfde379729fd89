"""Columns of Arrow and Parquet tables, as numbers or texts.

PyArrow is costly to import, and most scenarios read no table: functions that read one import this
file where they begin.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import types

from ...models.base.arrays import Bools, Floats, Ints
from ..errors.problems import refuse
from ..language.table_times import Cells, Instants, distinct_of

WORTH_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
DAY_S = 86_400.0
SHORT = 10_000
"""Columns up to this length cost nothing either way."""


def decoded(column: Any) -> Any:
    """Return a column with the values of its dictionary, if it has one, in their place."""
    kind = column.type
    return column.cast(kind.value_type) if types.is_dictionary(kind) else column


def is_plain(kind: Any) -> bool:
    """Whether cells of a kind are numbers, texts or empty; not times, lists or structures."""
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return bool(number or text or types.is_null(kind))


def plain_texts(column: Any) -> Any:
    """Return a column of texts of any width as one of the usual width; others as they are."""
    kind = column.type
    wide = types.is_large_string(kind) or types.is_string_view(kind)
    return column.cast(pa.string()) if wide else column


def joined(parts: list[Any]) -> Any:
    """Return arrays one after the other as one array."""
    return pa.concat_arrays(parts)


class ArrowCells:
    """Cells of an Arrow column of numbers or texts, read all at once.

    Numbers that are times are each ``worth_s`` seconds since 1970.
    """

    def __init__(self, column: Any, worth_s: float | None = None) -> None:
        """Take a chunked array of whole or floating numbers, or of texts, with a dictionary or not.

        Only texts may have a dictionary.
        """
        self._column, self._worth_s = column, worth_s

    def __len__(self) -> int:
        return len(self._column)

    def objects(self) -> list[object]:
        """Return the cells as numbers or texts, None where one is empty; times as Instants."""
        return self._worth(decoded(self._column).to_pylist())

    def numbers(self) -> Floats | None:
        """Return the cells as numbers (rows,), NaN where one is empty.

        Texts, and numbers some of which are NaN, give None.
        """
        column = self._column
        if not _is_number(column.type):
            return None
        values = _joined([as_numbers(each) for each in column.chunks])
        if np.count_nonzero(np.isnan(values)) != column.null_count:
            return None
        return values if self._worth_s is None else values * self._worth_s

    def distinct(self) -> tuple[list[object], Ints]:
        """Return the different cells, and the index among them of each cell (rows,)."""
        column = self._column
        coded = column
        if not types.is_dictionary(column.type):
            if (found := self._distinct_runs()) is not None:
                return found
            coded = column.dictionary_encode()
        chunks = coded.unify_dictionaries().chunks
        cells = chunks[0].dictionary.to_pylist() if chunks else []
        index = _joined([_codes(each.indices, len(cells)) for each in chunks])
        cells.append(None)
        # A dictionary may hold what no cell has.
        used = np.flatnonzero(np.bincount(index, minlength=len(cells)))
        if used[-1:] != [len(used) - 1]:
            place = np.empty(len(cells), np.int64)
            place[used] = np.arange(len(used))
            index = place[index]
        return self._worth([cells[each] for each in used.tolist()]), index

    def _distinct_runs(self) -> tuple[list[object], Ints] | None:
        """Return the different cells by runs of numbers alike; None where these are short.

        So are the times of a table in order of time.
        """
        column = self._column
        if column.null_count or not _is_number(column.type) or not len(column):
            return None
        values = _joined([_in_memory(each) for each in column.chunks])
        starts = np.append(0, np.flatnonzero(values[1:] != values[:-1]) + 1)
        if len(starts) > max(SHORT, len(values) // 16):
            return None
        different, index = distinct_of(values[starts].tolist())
        return self._worth(different), np.repeat(index, np.diff(starts, append=len(values)))

    def _worth(self, cells: list[object]) -> list[object]:
        """Return numbers that are times as Unix seconds, anything else as it is."""
        worth_s = self._worth_s
        if worth_s is None:
            return cells
        return Instants(None if each is None else each * worth_s for each in cells)  # type: ignore[operator]


def cells_of(column: Any, name: str, where: str) -> Cells:
    """Return the cells of an Arrow column; times and dates are Unix seconds.

    Raises InputError for kinds that mean nothing here.
    """
    kind = column.type
    if types.is_dictionary(kind) and _is_text(kind.value_type):
        return ArrowCells(column)
    column = decoded(column)
    kind = column.type
    if types.is_timestamp(kind):
        return ArrowCells(column.cast(pa.int64()), WORTH_S[kind.unit])
    if types.is_date(kind):
        return ArrowCells(column.cast(pa.date32()).cast(pa.int32()), DAY_S)
    if _is_number(kind) or _is_text(kind):
        return ArrowCells(column)
    if not is_plain(kind):
        raise refuse(where, f"holds {kind} values; write numbers, texts or times", name)
    cells: list[object] = column.to_pylist()
    if types.is_decimal(kind):
        return [None if each is None else float(each) for each in cells]  # type: ignore[arg-type]
    return cells


def with_dictionary(schema: Any, names: Sequence[str]) -> list[str]:
    """Return which columns of a Parquet file may be read with the dictionary that it has."""
    return [each.name for each in schema if each.name in names and _is_text(each.type)]


def _is_text(kind: Any) -> bool:
    """Whether cells of a kind are texts that Arrow can number."""
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_number(kind: Any) -> bool:
    """Whether cells of a kind are numbers of the machine, in 16 bits at least if they float."""
    return bool(types.is_integer(kind) or types.is_floating(kind))


def as_numbers(part: Any) -> Floats:
    """Return an Arrow array of numbers as floats, NaN where there is none.

    Arrow's own way would import pandas where it is installed.
    """
    values = _in_memory(part).astype(np.float64, copy=False)
    return np.where(_is_empty(part), np.nan, values) if part.null_count else values


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays one after the other as one array."""
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int32), *parts])


def _codes(indices: Any, empty: int) -> Ints:
    """Return the indices of an Arrow dictionary array, ``empty`` where there is none."""
    codes = _in_memory(indices)
    return np.where(_is_empty(indices), empty, codes) if indices.null_count else codes


def _in_memory(part: Any) -> NDArray[Any]:
    """Return the numbers of an Arrow array as they lie in memory, anything where one is empty."""
    kind = np.dtype(part.type.to_pandas_dtype())
    buffer = part.buffers()[1]
    if buffer is None:
        return np.zeros(len(part), kind)
    return np.frombuffer(buffer, kind, len(part), part.offset * kind.itemsize)


def _is_empty(part: Any) -> Bools:
    """Return which cells (rows,) of an Arrow array, some of which are empty, are."""
    bits = np.unpackbits(np.frombuffer(part.buffers()[0], np.uint8), bitorder="little")
    empty: Bools = bits[part.offset : part.offset + len(part)] == 0
    return empty
