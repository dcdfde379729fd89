"""Damage sheets and files of inventories at random, as hands, programs and disks do."""

import io
import random
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from farmsim.scenarios.inventory_files.sheets import Cell

Sheets = dict[str, list[list[Cell]]]
"""Rows of cells of each sheet by name."""

ODD: Final[tuple[Cell, ...]] = (
    None, "", " ", "-", "N/A", "#REF!", "NULL", "0", "-1", "1.234", "1,234", "1.234,5", "1,5",
    "0%", "45 %", "34.89 GHz", "1.47 TB", "1e400", "nan", "inf", "True", "FALSE", "WAHR", "abc",
    "2018/10/05 12:22:47", "03/04/2026", "=1+1", "<script>", "\x00\u202e", "é" * 300, "1'000",
    0, -1, -1.0, 0.0, 0.5, 1e18, 1e308, -1e308, float("nan"), float("inf"), True, False, 1 << 70,
    datetime(1970, 1, 1), datetime(2026, 9, 7, 10, 30), "٣٤", "\uff11\uff12", "+5",
    "--5", "1 234 567",
)  # fmt: skip


def damaged(sheets: Mapping[str, list[list[Cell]]], draw: random.Random) -> Sheets:
    """Return sheets with one to five kinds of damage; the given ones stay as they are."""
    copy = {name: [list(row) for row in rows] for name, rows in sheets.items()}
    for _ in range(draw.randint(1, 5)):
        draw.choice(_DAMAGES)(copy, draw)
    return copy


def _rows(sheets: Sheets, draw: random.Random) -> list[list[Cell]]:
    """Return the rows of one of the sheets."""
    return sheets[draw.choice(list(sheets))] if sheets else []


def _put_odd_cells(sheets: Sheets, draw: random.Random) -> None:
    rows = _rows(sheets, draw)
    for _ in range(draw.choice((1, 1, 3, 30))):
        row = draw.choice(rows) if rows else []
        if row:
            row[draw.randrange(len(row))] = draw.choice(ODD)


def _put_odd_column(sheets: Sheets, draw: random.Random) -> None:
    rows = _rows(sheets, draw)
    width = max(map(len, rows), default=0)
    if width:
        at, cells = draw.randrange(width), draw.sample(ODD, 2)
        for row in rows[1:]:
            if at < len(row):
                row[at] = draw.choice(cells)


def _swap_cells(sheets: Sheets, draw: random.Random) -> None:
    rows = _rows(sheets, draw)
    for _ in range(draw.randint(1, 20)):
        if len(rows) > 1:
            one, other = draw.choice(rows), draw.choice(rows)
            if one and other:
                a, b = draw.randrange(len(one)), draw.randrange(len(other))
                one[a], other[b] = other[b], one[a]


def _change_types(sheets: Sheets, draw: random.Random) -> None:
    rows = _rows(sheets, draw)
    width = max(map(len, rows), default=0)
    if not width:
        return
    at = draw.randrange(width)
    changes: tuple[Callable[[float], Cell], ...] = (
        str,
        lambda value: f"{value:,.0f}",
        lambda value: f"{value:,.0f}".replace(",", "."),
        lambda value: f"{value}".replace(".", ","),
        lambda value: value * 1024,
        lambda value: value * 2**20,
        lambda value: value / 1000,
        lambda value: f"{value} GB",
        lambda value: -value,
        bool,
    )
    change = draw.choice(changes)
    for row in rows[1:]:
        if at < len(row) and isinstance(row[at], float | int):
            row[at] = change(float(row[at]))  # type: ignore[arg-type]


def _cut_rows(sheets: Sheets, draw: random.Random) -> None:
    rows = _rows(sheets, draw)
    if rows:
        start = draw.randrange(len(rows))
        del rows[start : start + draw.choice((1, 3, 1000))]


def _repeat_rows(sheets: Sheets, draw: random.Random) -> None:
    rows = _rows(sheets, draw)
    if rows:
        rows.insert(draw.randrange(len(rows)), list(draw.choice(rows)))


def _cut_columns(sheets: Sheets, draw: random.Random) -> None:
    rows = _rows(sheets, draw)
    width = max(map(len, rows), default=0)
    if width:
        at, count = draw.randrange(width), draw.choice((1, 1, 100))
        for row in rows:
            del row[at : at + count]


def _shift_row(sheets: Sheets, draw: random.Random) -> None:
    rows = _rows(sheets, draw)
    if rows:
        draw.choice(rows).insert(0, draw.choice(ODD))


def _rename_header(sheets: Sheets, draw: random.Random) -> None:
    rows = _rows(sheets, draw)
    if rows and rows[0]:
        at = draw.randrange(len(rows[0]))
        rows[0][at] = draw.choice((*ODD, draw.choice(rows[0]), f" {rows[0][at]}  ", "Cluster"))


def _add_title(sheets: Sheets, draw: random.Random) -> None:
    _rows(sheets, draw)[:0] = [["Export"]] * draw.choice((1, 2, 9, 10, 11))


def _drop_sheet(sheets: Sheets, draw: random.Random) -> None:
    if sheets:
        del sheets[draw.choice(list(sheets))]


def _swap_sheets(sheets: Sheets, draw: random.Random) -> None:
    if len(sheets) > 1:
        one, other = draw.sample(list(sheets), 2)
        sheets[one], sheets[other] = sheets[other], sheets[one]


def _empty_sheet(sheets: Sheets, draw: random.Random) -> None:
    if sheets:
        empty: tuple[list[list[Cell]], ...] = ([], [[]], [[None]], [[""], [], [" "]])
        sheets[draw.choice(list(sheets))] = list(draw.choice(empty))


_DAMAGES = (
    _put_odd_cells, _put_odd_column, _swap_cells, _change_types, _cut_rows, _repeat_rows,
    _cut_columns, _shift_row, _rename_header, _add_title, _drop_sheet, _swap_sheets, _empty_sheet,
)  # fmt: skip


def damaged_bytes(content: bytes, draw: random.Random) -> bytes:
    """Return bytes of which some are changed, cut out or repeated."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 4, 40))):
        at = draw.randrange(len(data)) if data else 0
        kind = draw.randrange(4)
        if kind == 0 and data:
            data[at] = draw.randrange(256)
        elif kind == 1:
            del data[at : at + draw.choice((1, 10, 1000))]
        elif kind == 2:
            data[at:at] = data[at : at + draw.choice((1, 10, 100))]
        else:
            data[at:at] = bytes(draw.choices(b'<>"/&;=19AZ,\n\t\0\xff', k=draw.randint(1, 6)))
    return bytes(data)


def with_damaged_part(book: bytes, draw: random.Random) -> bytes:
    """Return a workbook in which the XML of one part is damaged before it is packed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as source, zipfile.ZipFile(out, "w") as target:
        names = source.namelist()
        chosen = draw.choice(names)
        for name in names:
            content = source.read(name)
            target.writestr(name, damaged_bytes(content, draw) if name == chosen else content)
    return out.getvalue()
