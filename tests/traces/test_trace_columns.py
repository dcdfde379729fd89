"""Tables of recorded load read by columns, against the same tables read cell by cell."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from trace_draws import DrawnTable, csv_tables, parquet_tables

from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.language.table_times import Cells, listed
from farmsim.scenarios.traces import arrow_columns, clean_csv, demand_tables
from farmsim.scenarios.traces.clean_csv import clean_csv_columns
from farmsim.scenarios.traces.demand_tables import TableTrace, read_table
from farmsim.scenarios.traces.table_columns import csv_columns, numbers_of
from farmsim.scenarios.traces.trace import Rules, TraceData

DRAWN = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@contextmanager
def by_columns() -> Iterator[None]:
    """Let small CSV files be read by columns, as large ones are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clean_csv, "LEAST_BYTES", 0)
        yield


@contextmanager
def by_cells() -> Iterator[None]:
    """Let all tables be read cell by cell, as odd ones are."""

    def as_list(column: Any, name: str, where: str) -> Cells:
        return listed(cells_of(column, name, where))

    cells_of = arrow_columns.cells_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demand_tables, "clean_csv_columns", lambda *_: None)
        patch.setattr(arrow_columns, "cells_of", as_list)
        yield


def read(table: DrawnTable, folder: Path, rules: Rules) -> TraceData:
    path = folder / f"t.{table.type}"
    path.write_bytes(table.content)
    source = TableTrace(type=table.type, path=path.name, layout=table.layout, **table.options)
    return read_table(source, path, rules)


def outcome(table: DrawnTable, folder: Path, rules: Rules) -> object:
    """Return all that a reader finds in a table, or what it says of it."""
    try:
        found = read(table, folder, rules)
    except InputError as error:
        return str(error)
    values = found.counts.tobytes(), found.counts.dtype, found.counts.shape
    rest = found.share_per_count, found.step_s, found.unit, found.files
    return found.names, values, rest, astuple(found.quality)


RULES = st.builds(
    Rules,
    st.sampled_from(("refuse", "hold", "interpolate", "zero")),
    st.sampled_from(("refuse", "cut")),
)


@given(table=st.one_of(csv_tables(), parquet_tables()), rules=RULES)
@DRAWN
def test_columns_and_cells_give_the_same_trace_or_the_same_message(
    tmp_path: Path, table: DrawnTable, rules: Rules
) -> None:
    with by_columns():
        quick = outcome(table, tmp_path, rules)
    with by_cells():
        assert quick == outcome(table, tmp_path, rules)


@given(
    st.one_of(
        st.floats(allow_nan=False).map(repr),
        st.decimals(allow_nan=False).map(str),
        st.from_regex(r"[-+]?[0-9]{0,30}\.?[0-9]{0,30}([eE][-+]?[0-9]{1,3})?", fullmatch=True),
    )
)
@example("2.2250738585072011e-308")
@example("1.7976931348623158e308")
@example("9007199254740993")
@example("0.1e-400")
@DRAWN
def test_numbers_of_a_csv_have_the_bits_that_python_gives_them(text: str) -> None:
    content = f"time,a\n0,{text}\n".encode()
    with by_columns():
        columns = clean_csv_columns(content, "time", ())
    if columns is None:
        return  # read by Python's own float
    (value,) = numbers_of(columns["a"], "a", "t.csv", 2)
    expected = float(text) if text else float("nan")
    assert struct.pack("d", value) == struct.pack("d", expected) or (np.isnan(value) and not text)


PLAIN = {
    "wide": ("time,a,b\n0,1,2.5\n300,3,\n", ()),
    "quoted": ('"time","a,1"\r\n"0","1"\r\n"300","2"\r\n', ()),
    "tidy": ("note,cpu,vm,time\nx,1,a,0\ny,2,\xe4,2026-01-01\n\n", ("time", "vm", "cpu")),
}


@pytest.mark.parametrize(("text", "tidy"), PLAIN.values(), ids=PLAIN.keys())
def test_plain_tables_are_read_by_columns(text: str, tidy: tuple[str, ...]) -> None:
    with by_columns():
        columns = clean_csv_columns(text.encode(), "time", tidy)
    assert columns is not None
    written = csv_columns(text.encode(), "t.csv")
    for name, cells in columns.items():
        if name in {"time", "vm"}:
            assert listed(cells) == written[name]
        else:
            numbers = [float(cell) if cell else None for cell in map(str, written[name])]
            assert listed(cells) == numbers
    assert set(columns) == (set(tidy) or set(written))


ODD_FORMS = {
    "a cell longer than Python's csv takes": "time,a\n0,1{}\n".format("0" * 200_000),
    "the same in quotes": 'time,a\n0,"1{}"\n'.format("0" * 200_000),
    "a quote within a cell": 'time,a"b\n0,1\n',
    "two lines in a cell": 'time,"a\nb"\n0,1\n',
    "a carriage return alone": "time,a\r0,1\r",
    "a byte of zero": "time,a\n0,1\0\n",
    "another encoding": "time,\xe4\n0,1\n".encode("latin-1"),
    "a mark of order in the second line": "time,a\n\ufeff0,1\n",
    "two names alike": "time,a,a\n0,1,2\n",
    "other rows": "time,a\n0\n",
    "no rows": "time,a\n",
    "an infinity": "time,a\n0,inf\n",
    "what is not a number": "time,a\n0,nan\n",
    "no time": "t,a\n0,1\n",
}


@pytest.mark.parametrize("text", ODD_FORMS.values(), ids=ODD_FORMS.keys())
def test_odd_tables_are_left_to_the_reader_of_cells(text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    with by_columns():
        assert clean_csv_columns(content, "time", ()) is None


def test_small_files_need_no_pyarrow() -> None:
    assert clean_csv_columns(b"time,a\n0,1\n", "time", ()) is None


@pytest.mark.parametrize("order", ["by time", "by VM", "shuffled"])
def test_long_tidy_tables_are_read_by_columns(tmp_path: Path, order: str) -> None:
    rng = np.random.default_rng(3)
    slots, vms = 300, 70
    slot, vm = np.repeat(np.arange(slots), vms), np.tile(np.arange(vms), slots)
    if order != "by time":
        rows = np.lexsort((slot, vm)) if order == "by VM" else rng.permutation(len(slot))
        slot, vm = slot[rows], vm[rows]
    cpu = rng.random(len(slot)) * 100
    table = pa.table({"time": 300 * slot, "vm": [f"vm-{each:02d}" for each in vm], "cpu": cpu})
    path = tmp_path / "t.parquet"
    parquet.write_table(table, path, row_group_size=4_000)
    found = read_table(TableTrace(type="parquet", path="t", layout="tidy"), path, Rules())
    expected = np.empty((slots, vms))
    expected[slot, vm] = cpu
    assert found.names == [f"vm-{each:02d}" for each in range(vms)]
    assert np.array_equal(found.counts, expected)


def test_values_of_a_dictionary_that_no_row_has_are_no_vms() -> None:
    names = pa.DictionaryArray.from_arrays(pa.array([2, 2, 0], pa.int32()), ["c", "x", "a"])
    cells = arrow_columns.ArrowCells(pa.chunked_array([names, names.slice(1)]))
    different, index = cells.distinct()
    assert [different[each] for each in index] == ["a", "a", "c", "a", "c"]
    assert sorted(map(str, different)) == ["a", "c"]


def test_decimals_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    cells = pa.array([Decimal("12.5"), None], pa.decimal128(5, 2))
    parquet.write_table(pa.table({"time": [0, 300], "a": cells}), path)
    found = read_table(TableTrace(type="parquet", path="t"), path, Rules("hold"))
    assert found.counts[:, 0].tolist() == [12.5, 12.5]
