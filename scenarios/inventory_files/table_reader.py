"""Read the fields of a table: numbers with their units, texts, truth values and times."""

from collections.abc import Mapping, Sequence

from ..errors.problems import InputError
from ..inventory.findings import Finding, Severity
from .cells import marks_of, number_parts, truth
from .columns import Column, Quantity, ReadOptions, decimal_mark, moments, numbers
from .headers import Table


class TableReader:
    """The fields of one table; a field that the table lacks is unknown in every row.

    Parameters
    ----------
    table
        What is read.
    quantities
        What each field of numbers means.
    findings
        Where findings are added.
    options
        What the user says where the table leaves it open.
    """

    def __init__(
        self,
        table: Table,
        quantities: Mapping[str, Quantity],
        findings: list[Finding],
        options: ReadOptions,
    ) -> None:
        self.table, self._quantities = table, quantities
        self._findings, self._options = findings, options
        self._peers: list[str] | None = None
        if table.header_row > 1:
            findings.append(
                Finding(
                    "HEADER_NOT_FIRST_ROW",
                    Severity.INFO,
                    table.where_header,
                    f"the header is row {table.header_row}; rows above it are left out",
                )
            )

    def __len__(self) -> int:
        return len(self.table)

    def has(self, name: str) -> bool:
        """Whether the table has a field."""
        return self.table.column(name) is not None

    def texts(self, name: str) -> list[str | None]:
        """Return the texts of a field (rows,)."""
        return self.table.texts(name)

    def truths(self, name: str) -> list[bool | None]:
        """Return the truth values of a field (rows,)."""
        column = self.table.column(name)
        return [None] * len(self) if column is None else [truth(cell) for cell in column.cells]

    def moments(self, name: str) -> list[str | None]:
        """Return the times of a field (rows,) as ISO texts."""
        column = self.table.column(name)
        return [None] * len(self) if column is None else moments(column, self._options)

    def numbers(self, name: str) -> list[float | None]:
        """Return the numbers of a field (rows,) in the unit of its quantity. Raises InputError."""
        column = self.table.column(name)
        if column is None:
            return [None] * len(self)
        peers: Sequence[str] = self._marks_of_all() if _has_marks(column) else ()
        return numbers(column, self._quantities[name], self._findings, self._options, peers)

    def whole(self, name: str) -> list[int | None]:
        """Return the numbers of a field that is whole (rows,) as integers. Raises InputError."""
        return [None if value is None else int(value) for value in self.numbers(name)]

    def _marks_of_all(self) -> list[str]:
        """Return the decimal marks of the columns that show one, and say which have thousands."""
        if self._peers is not None:
            return self._peers
        self._peers = []
        grouped: dict[str, list[str]] = {}
        for name, quantity in self._quantities.items():
            column = self.table.column(name) if name in self.table.aliases else None
            if column is None or not _has_marks(column):
                continue
            try:
                mark = decimal_mark(column, quantity, self._options)
            except InputError:
                continue  # the others decide, or it is refused when it is read
            self._peers.append(mark)
            thousands = "." if mark == "," else ","
            if any(isinstance(cell, str) and thousands in cell for cell in column.cells):
                grouped.setdefault(thousands, []).append(column.key)
        for thousands, keys in grouped.items():
            self._findings.append(
                Finding(
                    "NUMBERS_AS_TEXT",
                    Severity.INFO,
                    self.table.sheet.where,
                    f'thousands separator "{thousands}" in {", ".join(keys)}',
                    "numbers are read with it",
                )
            )
        return self._peers


def _has_marks(column: Column) -> bool:
    """Whether a column holds numbers as text with dots or commas."""
    for cell in column.cells:
        if isinstance(cell, str) and ("." in cell or "," in cell):
            parts = number_parts(cell)
            if parts is not None and marks_of(parts[0]):
                return True
    return False
