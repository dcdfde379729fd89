"""A ring buffer of samples, one column per VM or host, with the number of valid ones."""

import numpy as np

from ..base.arrays import Bools, Floats, Ints


class Ring:
    """The newest ``length`` rows recorded, each row one value per column.

    ``ages`` holds per column how many of the newest rows, up to ``length``, were recorded while
    it was there without a break: what a VM was sampled at before it began to run says nothing
    of it. ``changes`` counts the records after which the newest ``length`` rows, or their ages,
    were others than before, bit by bit.
    """

    def __init__(self, length: int, columns: int) -> None:
        self.changes = 0
        self._alike = 0
        self._rows = np.zeros((max(length, 1), columns))
        self._length = length
        self._recorded = 0
        self.ages: Ints = np.zeros(columns, np.int64)

    def record(self, row: Floats, there: Bools | None = None) -> None:
        """Add a row, dropping the oldest when full; ``there`` says which columns are there."""
        if not self._length:
            return
        newest = self._rows[(self._recorded - 1) % self._length]
        same = self._recorded > 0 and newest.tobytes() == row.tobytes()
        # How many of the newest rows are alike, this one and one that it drops included.
        self._alike = min(self._alike + 1, self._length + 1) if same else 1
        steady = self._alike > self._length
        before = self.ages.copy() if steady else self.ages
        self._rows[self._recorded % self._length] = row
        self._recorded += 1
        np.minimum(self.ages + 1, self._length, out=self.ages)
        if there is not None:
            self.ages[~there] = 0
        if not (steady and np.array_equal(before, self.ages)):
            self.changes += 1

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
