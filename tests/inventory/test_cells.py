"""Cells and columns: numbers as text, units, dates, missing values, headers."""

from datetime import datetime

import pytest

from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.inventory.findings import Finding
from farmsim.scenarios.inventory_files.cells import is_missing, moment, text, truth
from farmsim.scenarios.inventory_files.columns import Column, Quantity, ReadOptions, numbers
from farmsim.scenarios.inventory_files.headers import find_table, refuse_missing
from farmsim.scenarios.inventory_files.sheets import Cell, Sheet

MEMORY = Quantity("MiB", "MiB", usual=(1024.0, 64.0 * 2**20))
CLOCK = Quantity("MHz", "MHz", usual=(500.0, 10_000.0))
PLAIN = Quantity()


def column(*cells: Cell) -> Column:
    return Column("x.xlsx, vHost", "vHost", "# Memory", cells, range(2, 2 + len(cells)))


def read(quantity: Quantity, *cells: Cell, **options: dict[str, str]) -> list[float | None]:
    return numbers(column(*cells), quantity, [], ReadOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("quantity", "cells", "expected"),
    [
        (MEMORY, ("261.797", "196.514", "512"), [261_797, 196_514, 512]),
        (MEMORY, ("261,797", "196,514"), [261_797, 196_514]),
        (MEMORY, ("261'797", "1 048 576"), [261_797, 1_048_576]),
        (CLOCK, ("2.295", "2.600"), [2295, 2600]),
        (CLOCK, ("2295.5", "2600.125"), [2295.5, 2600.125]),
        (CLOCK, ("2.295,5", "2.600,25"), [2295.5, 2600.25]),
        (CLOCK, ("2.3 GHz", "2600 MHz"), [2300, 2600]),
        (MEMORY, ("1.5 TB", "16 GiB", "65536"), [1_572_864, 16_384, 65_536]),
        (PLAIN, ("0%", "45,5 %", "100"), [0, 45.5, 100]),
        (PLAIN, ("1.234.567", "12"), [1_234_567, 12]),
        (PLAIN, ("0.125", "0.500"), [0.125, 0.5]),
        (Quantity(least=-1), ("-1", -1, "1e3"), [-1, -1, 1000]),
        (PLAIN, ("", None, "N/A", "-", "#REF!", "null", " "), [None] * 7),
        (Quantity("MHz", "MHz", unlimited=True), ("-1", -1.0, 500), [None, None, 500]),
    ],
)
def test_numbers_of_a_column(
    quantity: Quantity, cells: tuple[Cell, ...], expected: list[float | None]
) -> None:
    assert read(quantity, *cells) == expected


def test_a_number_format_that_cannot_be_told_is_asked_for() -> None:
    with pytest.raises(InputError, match=r"two ways.*decimal_marks, vHost\.# Memory"):
        read(PLAIN, "1.234", "5.678")
    with pytest.raises(InputError, match="different decimal marks"):
        read(PLAIN, "1.5", "2,5")
    with pytest.raises(InputError, match="two ways"):
        read(PLAIN, "1.234", "5,678")
    assert read(PLAIN, "1.234", decimal_marks={"*": ","}) == [1234]
    assert read(PLAIN, "1.234", decimal_marks={"vHost.# Memory": "."}) == [1.234]
    assert numbers(column("1.234"), PLAIN, [], peers=[",", ","]) == [1234]


def test_a_column_in_another_unit_is_refused_with_its_unit_named() -> None:
    size = 256 * 2**30
    with pytest.raises(InputError, match=r"may be in b.*units, vHost\.# Memory"):
        read(MEMORY, size, size)
    assert read(MEMORY, size, units={"vHost.# Memory": "B"}) == [262_144]
    with pytest.raises(InputError, match="ghz"):
        read(CLOCK, 2.3, 2.6)
    with pytest.raises(InputError, match="'pages' is not a unit of this column; known: b, "):
        read(MEMORY, 16_384, units={"vHost.# Memory": "pages"})
    found: list[Finding] = []
    beside = Quantity("MiB", "MiB", usual=(1024.0, 2.0**30), optional=True)
    assert numbers(column(size * 2**20, 0), beside, found) == [None, None]
    assert [each.code for each in found] == ["MAGNITUDE_UNUSUAL"]


def test_cells_that_cannot_be_right_are_unknown_and_counted() -> None:
    found: list[Finding] = []
    cells = (16_384, "many", -5, float("nan"), 8192.0)
    assert numbers(column(*cells), MEMORY, found) == [16_384, None, None, None, 8192]
    assert [each.code for each in found] == ["CELL_UNREADABLE"]
    assert "3 cells are" in found[0].message
    assert found[0].where == "x.xlsx, vHost, row 3"


def test_words_and_dates() -> None:
    assert [truth(each) for each in ("True", "FALSE", 1.0, "0", True, "maybe", None, 2)] == [
        True, False, True, False, True, None, None, None,
    ]  # fmt: skip
    assert text(19.0) == "19"
    assert text(" a ") == "a"
    assert is_missing("#N/A")
    day = datetime(2018, 10, 5, 12, 22, 47)
    for written in ("2018/10/05 12:22:47", "2018-10-05T12:22:47", "05.10.2018 12:22:47", day):
        assert moment(written) == day
    assert moment("05/10/2018 12:22:47") is None
    assert moment("05/10/2018 12:22:47", day_first=True) == day
    assert moment("10/5/2018 12:22:47 PM", day_first=False) == day
    assert moment(43378.5157) is not None
    assert moment("1970-01-01") is None
    assert moment("2018/13/40") is None


ALIASES = {
    "name": ("Host", "vHostName"),
    "cluster": ("Cluster",),
    "clock": ("Speed", "vHostCpuMhz"),
    "model": ("Model",),
    "serial": ("Serial",),
}


def test_the_header_is_found_below_titles_and_the_last_populated_of_a_name_wins() -> None:
    rows: list[list[Cell]] = [
        ["Export"],
        [],
        ["HOST ", "Cluster", "Speed", "Model ", "cluster", "Cluster"],
        ["a", "custom", 2000.0, "m", "real", ""],
        [],
        ["b", "custom", 2100.0],
        [],
    ]
    table = find_table(Sheet.of("f.xlsx", "vHost", rows), ALIASES)
    assert table is not None
    assert table.header_row == 3
    assert table.texts("cluster") == ["real", None]
    assert table.texts("name") == ["a", "b"]
    assert table.texts("serial") == [None, None]
    assert table.where(1) == "f.xlsx, vHost, row 6"
    with pytest.raises(InputError, match=r"serial: column is missing.*Serial"):
        refuse_missing([(table, ("name", "serial"))])
    assert find_table(Sheet.of("f.xlsx", "vHost", rows[3:]), ALIASES) is None
