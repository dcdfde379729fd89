"""Arrow arrays of NumPy columns and of texts, made of their buffers.

``pyarrow.array`` looks at each input for pandas and for masked arrays, and imports both to do so.
That takes longer than to write all tables of a small run; here only their buffers are handed over.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ...models.base.arrays import Bools


def arrow_array(values: Any, missing: Bools | None = None) -> pa.Array:
    """Return numbers, booleans or texts as an Arrow array, null where they are ``missing``.

    ``values`` is a NumPy array of one dimension or a list, shape (rows,), ``missing`` of the same
    shape. Texts of a list may be None, which is null; a list of nothing else has the type null.

    Raises TypeError for values of any other kind.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return _of_numbers(values, missing)
    listed: list[Any] = values.tolist() if isinstance(values, np.ndarray) else list(values)
    if all(each is None for each in listed):
        return pa.nulls(len(listed))
    if all(each is None or isinstance(each, str) for each in listed):
        return text_array(listed, missing)
    numbers = np.array(listed)
    if numbers.ndim != 1 or numbers.dtype.kind not in "biuf":
        raise TypeError(f"a column of {type(listed[0]).__name__}; give numbers, booleans or texts")
    return _of_numbers(numbers, missing)


def text_array(texts: Sequence[str | None], missing: Bools | None = None) -> pa.Array:
    """Return texts as an Arrow array, null where they are ``missing`` or None. Shape (rows,)."""
    if missing is None and None in texts:
        missing = np.array([each is None for each in texts])
    known = [each or "" for each in texts]
    joined = "".join(known)
    data = joined.encode()
    lengths: Iterable[int] = map(len, known)
    if len(data) > len(joined):
        lengths = (len(each.encode()) for each in known)
    ends = np.zeros(len(known) + 1, np.int32)
    np.cumsum(np.fromiter(lengths, np.int32, len(known)), out=ends[1:])
    buffers = [_validity(missing), pa.py_buffer(ends), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(known), buffers)


def optional_numbers(values: Sequence[float | None], kind: pa.DataType) -> pa.Array:
    """Return numbers as an Arrow array of a type, null where they are None. Shape (rows,)."""
    missing = np.array([each is None for each in values], bool)
    known = np.array([0 if each is None else each for each in values], kind.to_pandas_dtype())
    return _of_numbers(known, missing)


def _of_numbers(values: np.ndarray[Any, Any], missing: Bools | None) -> pa.Array:
    """Return numbers or booleans as an Arrow array, which shares the memory of numbers."""
    kind = pa.from_numpy_dtype(values.dtype)
    data = _bits(values) if values.dtype.kind == "b" else np.ascontiguousarray(values)
    return pa.Array.from_buffers(kind, len(values), [_validity(missing), pa.py_buffer(data)])


def _validity(missing: Bools | None) -> pa.Buffer | None:
    """Return the bits of what is not missing; None if nothing is."""
    if missing is None or not missing.any():
        return None
    return pa.py_buffer(_bits(~missing))


def _bits(flags: Bools) -> np.ndarray[Any, Any]:
    """Return flags as bits, eight to a byte, the first one the lowest."""
    return np.packbits(flags, bitorder="little")


def numpy_array(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Return a column of numbers or booleans as a NumPy array of its own, shape (rows,).

    Nulls become NaN, whole numbers with nulls floats. Raises TypeError for a column of texts.
    """
    dtype = np.dtype(column.type.to_pandas_dtype())
    if dtype.kind not in "biuf":
        raise TypeError(f"a column of {column.type}; only numbers and booleans are numeric")
    parts = [np.zeros(0, dtype), *(_numbers_of(chunk, dtype) for chunk in column.chunks)]
    return np.concatenate(parts)


def _numbers_of(chunk: pa.Array, dtype: "np.dtype[Any]") -> np.ndarray[Any, Any]:
    """Return an Arrow array of numbers or booleans as NumPy sees it; nulls are NaN."""
    validity, data = chunk.buffers()
    rows = slice(chunk.offset, chunk.offset + len(chunk))
    if data is None:
        return np.zeros(len(chunk), dtype)
    values = _flags(data)[rows] if dtype.kind == "b" else np.frombuffer(data, dtype)[rows]
    if chunk.null_count == 0:
        return values
    return np.where(_flags(validity)[rows], values, np.nan)


def _flags(bits: pa.Buffer) -> Bools:
    """Return bits as flags, at least as many as were written."""
    return np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little").view(np.bool_)
