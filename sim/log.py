"""Tables that grow by chunks of columns."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]


class Log:
    """One table: a fixed set of columns, filled a few rows at a time."""

    def __init__(self, columns: Mapping[str, type | str]) -> None:
        self._dtypes = {name: np.dtype(dtype) for name, dtype in columns.items()}
        self._chunks: list[tuple[int, dict[str, Any]]] = []
        self._rows = 0

    def add(self, rows: int = 1, **columns: Any) -> None:
        """Append rows; a scalar stands for as many equal values. Arrays are kept, not copied."""
        self._chunks.append((rows, columns))
        self._rows += rows

    def __len__(self) -> int:
        return self._rows

    def columns(self) -> dict[str, Column]:
        """Return all rows, column by column."""
        total = len(self)
        table = {name: np.empty(total, dtype) for name, dtype in self._dtypes.items()}
        start = 0
        for rows, chunk in self._chunks:
            for name, column in table.items():
                column[start : start + rows] = chunk[name]
            start += rows
        return table


class Words:
    """Texts that recur, kept once; rows of a table hold their numbers."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """Return the number of a text."""
        return self._codes.setdefault(text, len(self._codes))

    def texts(self) -> list[str]:
        """Return the texts in the order of their numbers."""
        return list(self._codes)
