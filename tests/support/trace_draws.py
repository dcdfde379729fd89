"""Tables of recorded load drawn at random, many of them odd or wrong in one place."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from pyarrow import parquet

NUMBERS = ("0", "7", "12.5", "99.99", "1e1", " 3", "4.0 ", "+2", "1e-3", "-0", ".5", "6.", "")
ODD = (
    "1_0", "nan", "NaN(1)", "inf", "-Infinity", "1e400", "1e-400", "x", "0x1p3", "12,5", "-1",
    "101", "\u0661", "5\xa0", " ", '3"', "1 2", "true", "5e", "1d2", "NA", "null", "\t8", "1e5",
    "7\x0b",
)  # fmt: skip
NAMES = ("a", "b", " a", "web 1", "web,1", "3", "3.0", "\xe4", "time2", 'q"', "", "B", "10", "9")
START = datetime(2026, 3, 2, tzinfo=UTC)
TIMES: dict[str, Callable[[int], str]] = {
    "seconds": lambda slot: str(300 * slot),
    "fractions": lambda slot: f"{300.0 * slot:.1f}",
    "epoch in ms": lambda slot: str(1_772_409_600_000 + 300_000 * slot),
    "dates": lambda slot: (START + timedelta(seconds=300 * slot)).isoformat(),
    "without a zone": lambda slot: f"{START + timedelta(seconds=300 * slot):%Y-%m-%d %H:%M}",
    "odd": lambda slot: ("0", "300.0", " 600", "1_000", "900", "noon", "2026-03-02", "")[slot],
}
KINDS: dict[str, Any] = {
    "float64": pa.float64(), "float32": pa.float32(), "int8": pa.int8(), "int64": pa.int64(),
    "uint64": pa.uint64(), "text": pa.string(), "large text": pa.large_string(),
    "decimal": pa.decimal128(9, 3), "bool": pa.bool_(),
}  # fmt: skip


@dataclass(frozen=True)
class DrawnTable:
    """A file of a table, and how a scenario names it."""

    content: bytes
    type: str
    layout: str
    options: dict[str, Any]


@st.composite
def cells(draw: st.DrawFn, count: int) -> list[list[str]]:
    """Draw the header and rows of a table of ``count`` columns beside the time, as texts."""
    slots = draw(st.integers(1, 6))
    time = TIMES[draw(st.sampled_from(sorted(TIMES)))]
    number = st.one_of(
        st.sampled_from(NUMBERS[:5]),
        st.sampled_from(NUMBERS),
        st.floats(0, 100).map(repr),
        st.decimals(0, 100, places=2).map(str),
    )
    rows = [
        [time(slot), *draw(st.lists(number, min_size=count, max_size=count))]
        for slot in range(slots)
    ]
    if draw(st.integers(0, 2)) == 0:
        row, column = draw(st.integers(0, slots - 1)), draw(st.integers(0, count))
        rows[row][column] = draw(st.sampled_from(ODD))
    return rows


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[list[str]]]:
    """Draw the layout of a table, and its header and rows as texts."""
    names = draw(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=draw(st.integers(0, 5)) > 0)
    )
    rows = draw(cells(len(names)))
    if draw(st.booleans()):
        return "wide", [["time", *names], *rows]
    long = [[row[0], name, cell] for row in rows for name, cell in zip(names, row[1:], strict=True)]
    if draw(st.booleans()):
        long = draw(st.permutations(long))
    if draw(st.booleans()):
        long = long[: draw(st.integers(0, len(long)))]
    order = draw(st.permutations(range(4)))
    whole = [["time", "vm", "cpu", "note"], *([*row, "n"] for row in long)]
    return "tidy", [[row[at] for at in order] for row in whole]


@st.composite
def csv_tables(draw: st.DrawFn) -> DrawnTable:
    """Draw a CSV file: quoting, ends of lines and empty lines vary."""
    layout, rows = draw(tables())
    text = io.StringIO()
    dialect = draw(st.sampled_from((csv.excel, csv.excel, csv.unix_dialect)))
    end = draw(st.sampled_from(("\n", "\n", "\r\n", "\r")))
    csv.writer(text, dialect, lineterminator=end).writerows(rows)
    whole = text.getvalue()
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(whole)))
        whole = (
            whole[:at]
            + draw(st.sampled_from(("\n", ",", '"', '""', " ", "\r", "\ufeff", "\0")))
            + whole[at:]
        )
    if draw(st.booleans()):
        whole = whole.removesuffix(end)
    content = whole.encode(draw(st.sampled_from(("utf-8",) * 6 + ("utf-8-sig", "utf-16"))))
    return DrawnTable(content, "csv", layout, draw(options()))


@st.composite
def parquet_tables(draw: st.DrawFn) -> DrawnTable:
    """Draw a Parquet file: kinds of columns, dictionaries and groups of rows vary."""
    layout, rows = draw(tables())
    header = list(dict.fromkeys(rows[0]))
    columns = {
        name: draw(typed(name, [row[rows[0].index(name)] for row in rows[1:]])) for name in header
    }
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink, row_group_size=draw(st.integers(1, 20)))
    return DrawnTable(sink.getvalue(), "parquet", layout, draw(options()))


@st.composite
def typed(draw: st.DrawFn, name: str, texts: Sequence[str]) -> Any:
    """Draw a column of an Arrow table from texts, of a kind that can hold them."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    if name == "time" and draw(st.booleans()):
        moments = [300 * (at // 2) for at in range(len(texts))]
        unit = draw(st.sampled_from(("s", "ms", "us", "ns")))
        column = pa.array(moments, pa.int64()).cast(
            pa.timestamp("s", draw(st.sampled_from((None, "UTC"))))
        )
        return column.cast(pa.timestamp(unit, column.type.tz))
    try:
        found = pa.array([_valued(text, kind) for text in texts], KINDS[kind])
    except (ValueError, ArithmeticError, pa.ArrowException):
        found = pa.array(texts)
    if draw(st.integers(0, 2)) == 0:
        found = found.dictionary_encode()
    if len(found) and draw(st.integers(0, 4)) == 0:
        # The second half of a longer array: it begins inside its buffers.
        found = pa.concat_arrays([found, found]).slice(len(found))
    return found


def _valued(text: str, kind: str) -> Any:
    """Return a text as a value of a kind, None where it is empty. Raises ValueError."""
    if "text" in kind:
        return text
    if not text.strip():
        return None
    if kind == "decimal":
        return Decimal(text)
    return float(text) if "float" in kind else int(text)


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a scenario may say of a table."""
    return {
        "time_unit": draw(st.sampled_from((None,) * 8 + ("s", "ms", "min"))),
        "unit": draw(st.sampled_from((None, "percent", "share", "MHz"))),
    }
