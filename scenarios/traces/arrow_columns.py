"""Columns of Arrow and Parquet tables, as numbers or texts.

PyArrow is costly to import, and most scenarios read no table: functions that read one import this
file where they begin.
"""

from typing import Any

import pyarrow as pa
from pyarrow import types


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
