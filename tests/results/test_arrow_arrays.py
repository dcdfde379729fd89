"""Arrow arrays made of buffers, against those that pyarrow makes of the same values."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from farmsim.analysis.base.arrow_arrays import (
    arrow_array,
    numpy_array,
    optional_numbers,
    text_array,
)

DTYPES = ("f8", "f4", "i8", "i4", "i1", "u1", "?")
COLUMNS = st.sampled_from(DTYPES).flatmap(
    lambda kind: arrays.arrays(np.dtype(kind), st.integers(0, 40))
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@settings(deadline=None)  # the first one imports pandas
@given(st.data())
def test_numbers_are_those_of_pyarrow_there_and_back(data: Any) -> None:
    values = data.draw(COLUMNS)
    missing = data.draw(st.none() | arrays.arrays(np.bool_, len(values)))
    made, expected = arrow_array(values, missing), pa.array(values, mask=missing)
    made.validate(full=True)
    assert made.type == expected.type
    assert made.null_count == expected.null_count
    assert repr(made.to_pylist()) == repr(expected.to_pylist())
    start = data.draw(st.integers(0, len(values)))
    if values.dtype.kind == "b" and expected.slice(start).null_count:
        return  # pyarrow gives objects
    column = pa.chunked_array([made.slice(start), made])
    read = numpy_array(column)
    wanted = pa.chunked_array([expected.slice(start), expected]).to_numpy()
    assert np.array_equal(read, wanted.astype(read.dtype), equal_nan=read.dtype.kind == "f")
    assert read.flags.writeable


@given(st.lists(st.none() | TEXTS, max_size=20), st.data())
def test_texts_are_those_of_pyarrow(texts: list[str | None], data: Any) -> None:
    made = text_array(texts)
    made.validate(full=True)
    assert made.equals(pa.array(texts, pa.string()))
    assert arrow_array(texts).equals(pa.array(texts))
    known = [each or "" for each in texts]
    missing = data.draw(arrays.arrays(np.bool_, len(texts)))
    assert text_array(known, missing).equals(
        pa.array(np.array(known, object), pa.string(), missing)
    )


@given(st.lists(st.booleans()) | st.lists(st.integers(-(2**63), 2**63 - 1)) | st.lists(st.floats()))
def test_lists_are_those_of_pyarrow(values: list[Any]) -> None:
    made, expected = arrow_array(values), pa.array(values)
    assert made.type == expected.type
    assert repr(made.to_pylist()) == repr(expected.to_pylist())


@given(st.lists(st.none() | st.floats()), st.lists(st.none() | st.integers(-9, 9)))
def test_optional_numbers_are_those_of_pyarrow(
    floats: list[float | None], wholes: list[int | None]
) -> None:
    cases: list[tuple[list[Any], pa.DataType]] = [(floats, pa.float64()), (wholes, pa.int32())]
    for values, kind in [*cases, ([each is None for each in wholes], pa.bool_())]:
        made, expected = optional_numbers(values, kind), pa.array(values, kind)
        assert made.type == expected.type
        assert repr(made.to_pylist()) == repr(expected.to_pylist())


def test_what_is_neither_number_nor_text_is_refused() -> None:
    with pytest.raises(TypeError, match="column of tuple; give numbers, booleans or texts"):
        arrow_array([(1, 2), (3, 4)])
    with pytest.raises(TypeError, match="column of string; only numbers"):
        numpy_array(pa.chunked_array([["a"]]))


def test_no_rows_and_nothing_but_nulls() -> None:
    assert numpy_array(pa.chunked_array([], pa.int64())).dtype == np.int64
    assert numpy_array(pa.chunked_array([pa.nulls(2, pa.float64())])).tolist() != [0.0, 0.0]
    assert arrow_array([None, None]).type == pa.null()
