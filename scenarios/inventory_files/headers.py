"""Find the header of a table and its columns, under any of the names that they are known by."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from ..errors.problems import InputError, Problem
from .cells import is_missing, text
from .columns import Column
from .sheets import Cell, Sheet, is_blank

HEADER_ROWS = 10
"""The header of a table is among its first rows."""
LEAST_KNOWN = 3
"""So many known headers make a header row."""
Aliases = Mapping[str, tuple[str, ...]]
"""Names of each field in headers, the preferred one first."""


def plain(header: Cell) -> str:
    """Return a header in lower case, without blanks around it and double ones inside."""
    return " ".join(str(header).split()).casefold() if header is not None else ""


class Table:
    """A sheet below its header.

    Parameters
    ----------
    sheet
        Where it is.
    header_at
        Position of the header among the rows of the sheet.
    aliases
        The names of each field.
    """

    def __init__(self, sheet: Sheet, header_at: int, aliases: Aliases) -> None:
        self.sheet, self.aliases = sheet, aliases
        self.header_row = sheet.first_row + header_at
        """Its row as a spreadsheet counts, from 1."""
        self.headers = [text(cell) or "" for cell in sheet.rows[header_at]]
        rows = sheet.rows[header_at + 1 :]
        first = self.header_row + 1
        kept = [at for at, row in enumerate(rows) if not all(map(is_blank, row))]
        self.rows: list[Sequence[Cell]] = [rows[at] for at in kept]
        self.row_numbers = [first + at for at in kept]
        self._columns: dict[str, Column | None] = {}

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """The positions of each header, from left to right."""
        found: dict[str, list[int]] = {}
        for at, header in enumerate(self.headers):
            found.setdefault(plain(header), []).append(at)
        return found

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, row: int) -> str:
        """Return file, sheet and row of one of the rows, as findings name it."""
        return f"{self.sheet.where}, row {self.row_numbers[row]}"

    @property
    def where_header(self) -> str:
        """Return file, sheet and row of the header."""
        return f"{self.sheet.where}, row {self.header_row}"

    def column(self, name: str) -> Column | None:
        """Return the column of a field; None if the table lacks it.

        Of several with one name, the last that holds anything is taken: custom attributes, which
        may be called as a column is, stand before the columns of the exporter.
        """
        if name not in self._columns:
            found = [column for alias in self.aliases[name] for column in self._named(alias)]
            self._columns[name] = next(filter(_populated, found), found[0] if found else None)
        return self._columns[name]

    def texts(self, name: str) -> list[str | None]:
        """Return the texts of a field, None where unknown or where the table lacks it."""
        column = self.column(name)
        return [None] * len(self) if column is None else [text(cell) for cell in column.cells]

    def missing(self, required: Iterable[str]) -> list[str]:
        """Return the fields of some that the table does not have."""
        return [name for name in required if self.column(name) is None]

    def _named(self, alias: str) -> list[Column]:
        """Return the columns of one header, from the last to the first."""
        return [self._at(place) for place in reversed(self.places.get(plain(alias), []))]

    def _at(self, place: int) -> Column:
        cells = [row[place] if place < len(row) else None for row in self.rows]
        name, header = self.sheet.name, self.headers[place]
        return Column(self.sheet.where, name, header, cells, self.row_numbers)


def find_table(sheet: Sheet, aliases: Aliases, least: int = LEAST_KNOWN) -> Table | None:
    """Return the table in a sheet; None if none of its first rows is its header.

    It is the first row with ``least`` known headers. Raises InputError if the sheet cannot be read.
    """
    known = {plain(alias) for names in aliases.values() for alias in names}
    for at, row in enumerate(sheet.rows[:HEADER_ROWS]):
        if len({plain(cell) for cell in row if isinstance(cell, str)} & known) >= least:
            return Table(sheet, at, aliases)
    return None


def known_headers(sheet: Sheet, aliases: Aliases) -> int:
    """Return how many known headers the best of the first rows of a sheet has."""
    known = {plain(alias) for names in aliases.values() for alias in names}
    rows = (
        {plain(cell) for cell in row if isinstance(cell, str)} for row in sheet.rows[:HEADER_ROWS]
    )
    return max((len(row & known) for row in rows), default=0)


def refuse_missing(tables: Iterable[tuple[Table, Iterable[str]]]) -> None:
    """Raise one InputError for the columns that tables lack, with the names that were tried.

    ``tables`` are those of all sheets, each with the fields that it needs.
    """
    problems = [
        Problem(
            table.sheet.where,
            name,
            "column is missing; a header with one of these names would be right: "
            + ", ".join(table.aliases[name]),
        )
        for table, required in tables
        for name in table.missing(required)
    ]
    if problems:
        raise InputError(problems)


def _populated(column: Column) -> bool:
    """Whether a column holds anything."""
    return not all(map(is_missing, column.cells))
