"""Tables that grow by chunks of columns."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]


class Log:
    """One table: a fixed set of columns, filled a few rows at a time.

    ``columns`` gives names and types, in the order of :meth:`add_row`. Rows cannot be read or
    changed before :meth:`columns` puts all chunks together.
    """

    def __init__(self, columns: Mapping[str, type | str]) -> None:
        self._dtypes = {name: np.dtype(dtype) for name, dtype in columns.items()}
        self._chunks: list[tuple[int, dict[str, Any]]] = []
        self._rows = 0
        self._single: list[tuple[Any, ...]] = []

    def add(self, rows: int = 1, **columns: Any) -> None:
        """Append rows; a scalar stands for as many equal values. Arrays are kept, not copied.

        Every column must be given, each a scalar or of length ``rows``; a missing name or a wrong
        length shows in :meth:`columns` only, as KeyError or ValueError. Who passes an array must
        not change it later.
        """
        self._pack()
        self._chunks.append((rows, columns))
        self._rows += rows

    def add_row(self, *values: Any) -> None:
        """Append a row by its values in the order of the columns, cheaper than :meth:`add`."""
        self._single.append(values)
        self._rows += 1

    def _pack(self) -> None:
        """Make the rows added one by one a chunk."""
        if self._single:
            columns = zip(*self._single, strict=True)
            self._chunks.append((len(self._single), dict(zip(self._dtypes, columns, strict=True))))
            self._single = []

    def __len__(self) -> int:
        return self._rows

    def columns(self) -> dict[str, Column]:
        """Return all rows, column by column.

        Each is a new array of the declared type, (rows,).
        """
        self._pack()
        total = len(self)
        table = {name: np.empty(total, dtype) for name, dtype in self._dtypes.items()}
        start = 0
        for rows, chunk in self._chunks:
            for name, column in table.items():
                column[start : start + rows] = chunk[name]
            start += rows
        return table


class Words:
    """Recurring texts, stored once; table rows contain their numbers."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """Return the number of a text."""
        return self._codes.setdefault(text, len(self._codes))

    def texts(self) -> list[str]:
        """Return the texts in the order of their numbers."""
        return list(self._codes)
