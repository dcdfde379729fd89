"""A ring buffer of samples, one column per VM or host, with the number of valid ones."""

import numpy as np

from ..base.arrays import Bools, Floats, Ints


class Ring:
    """The newest ``length`` rows recorded, each row one value per column.

    ``ages`` holds per column how many of the newest rows, up to ``length``, were recorded while
    it was there without a break: what a VM was sampled at before it began to run says nothing
    of it.
    """

    def __init__(self, length: int, columns: int) -> None:
        self._rows = np.zeros((max(length, 1), columns))
        self._length = length
        self._recorded = 0
        self.ages: Ints = np.zeros(columns, np.int64)

    def record(self, row: Floats, there: Bools | None = None) -> None:
        """Add a row, dropping the oldest when full; ``there`` says which columns are there."""
        if self._length:
            self._rows[self._recorded % self._length] = row
            self._recorded += 1
            np.minimum(self.ages + 1, self._length, out=self.ages)
            if there is not None:
                self.ages[~there] = 0

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
