"""What differs between two folders of results that ``same_results.py`` wrote.

A *result* is a number, a name, a unit or a state; *words* are sentences, which may be improved
without any result changing. The two are told apart here, and nothing is rounded: floats are
compared by their bits, since a simulation that is meant to be the same is the same to the last one.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

LEFT_OUT = ("versions", "cpu_s", "hash", "files", "sha256")
"""Top fields of manifest.json and comparison.json that differ without a different result."""
MADE_BY = "made-by.json"
"""Which farmsim wrote a folder of results."""
FIGURE_RESULTS = {"x", "y", "z", "customdata"}
"""What of the data of a figure is results, beside all numbers."""
EXIT = re.compile(r"code \d+")
"""The line of a printed text that holds the exit code of its command."""
Place = tuple[str, ...]


@dataclass(frozen=True)
class Names:
    """What was renamed: maps from names of the old version; None leaves a thing out.

    ``tables`` maps names of tables, ``columns`` maps ``table.column``, ``files`` parts of paths,
    ``metrics`` names of metrics wherever they occur, ``values`` texts in cells; a ``*`` stands for
    any text and is carried over.
    """

    tables: Mapping[str, str | None] = field(default_factory=dict)
    columns: Mapping[str, str | None] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    metrics: Mapping[str, str | None] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, text: str, *, metric: bool, scope: str = "") -> str | None:
        """Return the new form of a text; the values of a scope, ``table.column``, come first.

        ``metric`` says that the text may be the name of a metric. None where the map leaves it out;
        the text itself where it has no entry.
        """
        maps = [self.values.get(scope) or {}, self.metrics if metric else {}, self.values]
        for known in maps:
            if text in known and not isinstance(known[text], dict):
                return known[text]
            for old in (key for key in known if "*" in key):
                if found := re.fullmatch(re.escape(old).replace(r"\*", "(.*)"), text):
                    return str(known[old]).replace("*", found[1])
        return text

    def file(self, path: str) -> str | None:
        """Return the new path of a result file, or None."""
        parts = path.split("/")
        if parts[-1].endswith(".parquet"):
            stem = parts[-1].removesuffix(".parquet")
            table = self.tables.get(stem, stem)
            parts[-1] = f"{table}.parquet" if table else ""
        renamed = [self.files.get(part, part) for part in parts]
        return "/".join(part for part in renamed if part) if all(renamed) else None


@dataclass(frozen=True)
class Difference:
    """One difference: the file, what differs, and whether it is one of words only."""

    file: str
    what: str
    words: bool = False


def flat(data: Any, names: Names | None, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield each leaf of JSON data with its place, renamed where names are given.

    Places are the keys from the outermost on, ``[n]`` in a list. Empty lists and mappings are
    leaves, so that one that has become empty is seen.
    """
    listed = isinstance(data, list)
    pairs = [(f"[{n}]", value) for n, value in enumerate(data)] if listed else data.items()
    for key, value in pairs:
        step = names.text(key, metric=True) if names and not listed else key
        leaf = names.text(value, metric=True) if names and isinstance(value, str) else value
        if step is None or (leaf is None and value is not None):
            continue
        if isinstance(value, dict | list) and value:
            yield from flat(value, names, (*place, step))
        else:
            yield (*place, step), leaf


def json_differences(old: Path, new: Path, file: str, names: Names) -> Iterator[Difference]:
    """Yield what differs between two JSON files.

    A text is words if it has a space, or is a label of a figure; units are always results. Numbers
    are compared as they print, by which an int differs from a float.
    """
    pair = [json.loads(path.read_text("utf-8")) for path in (old, new)]
    if file.endswith(("manifest.json", "comparison.json")):
        pair = [{key: top[key] for key in top if key not in LEFT_OUT} for top in pair]
    leaves, after = list(flat([pair[0]], names)), dict(flat([pair[1]], None))
    before = dict(leaves)
    if len(before) < len(leaves):
        yield Difference(file, "the map gives two names of the old results the same new name")
    for place in [*before, *(place for place in after if place not in before)]:
        one, other = before.get(place, ...), after.get(place, ...)
        if repr(one) == repr(other):
            continue
        texts = [value for value in (one, other) if value is not ...]
        label = file.endswith(".figures.json") and not FIGURE_RESULTS & {*place}
        words = all(isinstance(text, str) for text in texts) and place[-1] != "unit"
        words &= label or any(" " in str(text) for text in texts)
        told = ["absent" if value is ... else repr(value) for value in (one, other)]
        what = f"{'.'.join(place[1:])}: {told[0]} → {told[1]}"
        yield Difference(file, numbers_mark(*told) + what if words else what, words)


def numbers_mark(old: str, new: str) -> str:
    """Return a mark for two texts that do not have the same numbers."""
    numbers = [re.findall(r"\d[\d.,]*", text) for text in (old, new)]
    return "" if numbers[0] == numbers[1] else "[other numbers] "


def text_differences(old: Path, new: Path, file: str) -> Iterator[Difference]:
    """Yield the lines that differ between two texts; those of codes of exit are results.

    Lines that follow one another and differ are one difference.
    """
    before, after = (path.read_text("utf-8").splitlines() for path in (old, new))
    codes = [[line for line in lines if EXIT.fullmatch(line)] for lines in (before, after)]
    if codes[0] != codes[1]:
        yield Difference(file, f"exit {codes[0]} → {codes[1]}")
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, start_new, end_new in matcher.get_opcodes():
        if tag != "equal":
            one, other = " / ".join(before[start:end]), " / ".join(after[start_new:end_new])
            yield Difference(file, f"{numbers_mark(one, other)}{one!r} → {other!r}", True)


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without dictionary encoding."""
    encoded = pa.types.is_dictionary(column.type)
    return column.cast(column.type.value_type) if encoded else column


def bits(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Return the bits of floats, those of every NaN alike, and of nulls those of no float.

    (rows, 2): the bits, and whether the row is null. -0.0 differs from 0.0.
    """
    values = column.fill_null(0.0).to_numpy()
    values = np.where(np.isnan(values), np.nan, values).astype(values.dtype)
    as_int = values.view(f"i{values.dtype.itemsize}")
    return np.stack([as_int, np.asarray(column.is_null(), as_int.dtype)], axis=1)


def differing_rows(old: pa.ChunkedArray, new: pa.ChunkedArray) -> list[int]:
    """Return the rows in which two columns of one type and length differ.

    Row numbers from 0, ascending.
    """
    if pa.types.is_floating(old.type):
        return np.flatnonzero((bits(old) != bits(new)).any(axis=1)).tolist()
    if old.equals(new):
        return []
    rows = enumerate(zip(old.to_pylist(), new.to_pylist(), strict=True))
    return [row for row, (one, other) in rows if repr(one) != repr(other)]


def renamed_table(path: Path, names: Names) -> pa.Table:
    """Read a table of the old version with the names and texts of the new one.

    A table with the column ``metric`` loses the rows of metrics that the map leaves out.
    """
    table, columns = parquet.read_table(path), {}
    for name in table.column_names:
        scope, column = f"{path.stem}.{name}", table[name]
        new = names.columns.get(scope, name)
        if new is not None and pa.types.is_string(plain(column).type):
            known = {
                text: text and names.text(text, metric=name == "metric", scope=scope)
                for text in plain(column).unique().to_pylist()
            }
            if any(one != other for one, other in known.items()):
                texts = [known[text] for text in plain(column).to_pylist()]
                column = pa.chunked_array([pa.array(texts, pa.string()).cast(column.type)])
        if new is not None:
            columns[new] = (table.schema.field(name).with_name(new), column)
    schema = pa.schema([one for one, _ in columns.values()])
    made = pa.table([column for _, column in columns.values()], schema=schema)
    return made.filter(made["metric"].is_valid()) if "metric" in columns else made


def table_differences(old: Path, new: Path, file: str, names: Names) -> Iterator[Difference]:
    """Yield what differs between two tables: the first row of each column that differs.

    Rows are compared in their order, up to the length of the shorter table.
    """
    before, after = renamed_table(old, names), parquet.read_table(new)
    if before.column_names != after.column_names:
        gone = [name for name in before.column_names if name not in after.column_names]
        come = [name for name in after.column_names if name not in before.column_names]
        told = f"{gone} → {come}" if gone or come else "in another order"
        yield Difference(file, f"columns: {told}")
    if before.num_rows != after.num_rows:
        yield Difference(file, f"rows: {before.num_rows:,} → {after.num_rows:,}")
    rows = min(before.num_rows, after.num_rows)
    for name in before.column_names:
        if name in after.column_names:
            fields = before.schema.field(name), after.schema.field(name)
            yield from field_differences(*fields, file, names)
            if fields[0].type == fields[1].type:
                pair = [plain(table[name].slice(0, rows)) for table in (before, after)]
                if found := differing_rows(*pair):
                    values = " → ".join(repr(column[found[0]].as_py()) for column in pair)
                    what = f"{name}, row {found[0]}: {values} ({len(found):,} of {rows:,} rows)"
                    yield Difference(file, what)


def field_differences(
    old: pa.Field, new: pa.Field, file: str, names: Names
) -> Iterator[Difference]:
    """Yield differences of type, unit and description of a column.

    A description is words, its unit is a result.
    """
    if old.type != new.type:
        yield Difference(file, f"{old.name}: type {old.type} → {new.type}")
    one, other = (
        {k.decode(): v.decode() for k, v in (f.metadata or {}).items()} for f in (old, new)
    )
    one |= {"unit": names.text(one.get("unit", ""), metric=False) or ""}
    for key in sorted({*one, *other}):
        if one.get(key, "") != other.get(key, ""):
            what = f"{key}: {one.get(key)!r} → {other.get(key)!r}"
            yield Difference(file, f"{old.name}: {what}", key != "unit")


def differences(old: Path, new: Path, names: Names) -> Iterator[Difference]:
    """Yield all differences between two folders of results.

    Files are matched by their path after renaming; those that are alike byte by byte are not
    opened, unless something was renamed. In the order of paths.
    """
    before, after = (
        {path.relative_to(top).as_posix(): path for path in top.rglob("*") if path.is_file()}
        for top in (old, new)
    )
    before = {to: path for file, path in before.items() if (to := names.file(file))}
    for file in sorted({*before, *after} - {MADE_BY}):
        if file not in before or file not in after:
            yield Difference(file, f"only in the {'old' if file in before else 'new'} results")
        elif before[file].read_bytes() == after[file].read_bytes() and names == Names():
            continue
        elif file.endswith(".parquet"):
            yield from table_differences(before[file], after[file], file, names)
        elif file.endswith(".json") and not file.endswith("schema.json"):
            yield from json_differences(before[file], after[file], file, names)
        else:
            yield from text_differences(before[file], after[file], file)
