"""Sheets of raw cells, whatever kind of file they come from, and the files that hold them."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, TypeAlias

from ...models.base.lazy_dataclass import dataclass

Cell: TypeAlias = str | float | int | bool | datetime | date | time | timedelta | None
Rows: TypeAlias = Sequence[Sequence[Cell]]


class Sheet:
    """One sheet of a workbook, or the table of a CSV file.

    ``rows`` are read when they are first asked for, without the empty ones at the end; they may
    differ in length. ``first_row`` is the number of the first of them as a spreadsheet counts,
    from 1.

    Parameters
    ----------
    file
        Name of the file that it is in.
    name
        Its name; that of the file without its ending for a CSV file.
    read
        Returns rows and number of the first one. May raise InputError.
    """

    def __init__(self, file: str, name: str, read: Callable[[], tuple[Rows, int]]) -> None:
        self.file, self.name = file, name
        self._read = read
        self._content: tuple[Rows, int] | None = None

    @classmethod
    def of(cls, file: str, name: str, rows: Rows, first_row: int = 1) -> "Sheet":
        """Return a sheet of given rows."""
        return cls(file, name, lambda: (rows, first_row))

    @property
    def rows(self) -> Rows:
        """The rows of cells. Raises InputError if the sheet cannot be read."""
        return self._known()[0]

    @property
    def first_row(self) -> int:
        """The number of the first row, from 1."""
        return self._known()[1]

    @property
    def where(self) -> str:
        """File and sheet, as findings and messages name them."""
        return f"{self.file}, {self.name}"

    def _known(self) -> tuple[Rows, int]:
        if self._content is None:
            rows, first = self._read()
            self._content = _without_empty_end(rows), first
        return self._content


@dataclass(frozen=True)
class InputFile:
    """One file as given, or one of those in a folder or an archive.

    ``kind`` is ``workbook``, ``table`` (CSV, TSV), ``json`` or ``text``; all but workbooks have
    their ``text``. ``shown`` is the path in messages, ``name`` what findings and rows call it.
    """

    name: str
    shown: str
    sha256: str
    kind: str
    sheets: tuple[Sheet, ...] = ()
    text: str = ""

    def sheet(self, name: str) -> Sheet | None:
        """Return the sheet of a name, whatever its case; None if there is none."""
        wanted = name.casefold()
        return next((each for each in self.sheets if each.name.strip().casefold() == wanted), None)

    def json(self) -> Any:
        """Return the content of a JSON file; None for other kinds."""
        import json  # noqa: PLC0415 - few files need it

        return json.loads(self.text) if self.kind == "json" else None


def is_blank(cell: Cell) -> bool:
    """Whether a cell holds nothing, or blanks only."""
    return cell is None or (isinstance(cell, str) and (not cell or cell.isspace()))


def _without_empty_end(rows: Rows) -> Rows:
    """Return rows without the empty ones after the last that holds something."""
    end = len(rows)
    while end and all(map(is_blank, rows[end - 1])):
        end -= 1
    return rows if end == len(rows) else rows[:end]
