"""A ring of past demand samples, one column per VM and one per host."""

import numpy as np

from .arrays import Floats


class Ring:
    """The newest ``length`` rows recorded, each row one value per column."""

    def __init__(self, length: int, columns: int) -> None:
        self._rows = np.zeros((max(length, 1), columns))
        self._length = length
        self._recorded = 0

    def record(self, row: Floats) -> None:
        """Add a row, dropping the oldest when full."""
        if self._length:
            self._rows[self._recorded % self._length] = row
            self._recorded += 1

    @property
    def depth(self) -> int:
        """Number of rows held."""
        return min(self._recorded, self._length)

    def newest(self, count: int) -> Floats:
        """Return up to ``count`` rows, oldest first: shape (rows, columns)."""
        count = min(count, self.depth)
        at = np.arange(self._recorded - count, self._recorded) % max(self._length, 1)
        rows: Floats = self._rows[at]
        return rows
