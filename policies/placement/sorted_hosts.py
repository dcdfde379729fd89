"""Hosts sorted by a key, to find the first one within bounds with enough memory.

The order is cut into stretches of some dozens of hosts. Of each the most free memory of its
hosts is known, so that whole stretches are passed over, many at once; whether keys repeat (whole
cores) or all differ makes little difference.
"""

from bisect import bisect_left, bisect_right
from math import inf

import numpy as np

from ...models.base.arrays import Floats, singles

BLOCK_ROWS = 32
"""Hosts in a stretch at the start; it is split at twice as many."""


class SortedHosts:
    """All hosts, ascending by (key, row), each with its free memory in MiB.

    Stretch i holds the hosts from (``_first_key[i]``, ``_first_row[i]``) up to the next one's.
    """

    def __init__(self, keys: Floats, free_mib: Floats) -> None:
        order = np.argsort(keys, kind="stable")
        cuts = range(BLOCK_ROWS, len(keys), BLOCK_ROWS)
        self._key: list[float] = keys.tolist()
        self._keys: list[list[float]] = [part.tolist() for part in np.split(keys[order], cuts)]
        self._rows: list[list[int]] = [part.tolist() for part in np.split(order, cuts)]
        self._mib: list[list[float]] = [part.tolist() for part in np.split(free_mib[order], cuts)]
        self._set_max(np.array([max(part, default=-inf) for part in self._mib]))
        self._first_key = [-inf, *(part[0] for part in self._keys[1:])]
        self._first_row = [-1, *(part[0] for part in self._rows[1:])]

    def key(self, row: int) -> float:
        """Return the key of a host."""
        return self._key[row]

    def first(self, lowest: float, highest: float, need_mib: float) -> int:
        """Return the first host with a key in [lowest, highest] and the memory; −1: none."""
        stretch = max(bisect_left(self._first_key, lowest) - 1, 0)
        row = self._first_in(stretch, bisect_left(self._keys[stretch], lowest), need_mib)
        if row < 0 and stretch + 1 < len(self._rows):
            enough = self._max_mib[stretch + 1 :] >= need_mib
            row = self._first_in(stretch + 1 + int(enough.argmax()), 0, need_mib)
        return row if row >= 0 and self._key[row] <= highest else -1

    def following(self, key: float) -> float:
        """Return the lowest key of all hosts that is above a key, inf if there is none."""
        first = max(bisect_right(self._first_key, key) - 1, 0)
        for stretch in range(first, len(self._keys)):
            keys = self._keys[stretch]
            at = bisect_right(keys, key)
            if at < len(keys):
                return keys[at]
        return inf

    def _first_in(self, stretch: int, start: int, need_mib: float) -> int:
        for at, free_mib in enumerate(self._mib[stretch][start:], start):
            if free_mib >= need_mib:
                return self._rows[stretch][at]
        return -1

    def update(self, row: int, key: float, free_mib: float) -> None:
        """Give a host another key and free memory."""
        self._take_out(row)
        self._key[row] = key
        self._put_in(row, key, free_mib)

    def _take_out(self, row: int) -> None:
        stretch = self._block_of(self._key[row], row)
        rows, mib = self._rows[stretch], self._mib[stretch]
        at = rows.index(row)
        free_mib = mib.pop(at)
        del self._keys[stretch][at], rows[at]
        if free_mib == self._max[stretch]:
            self._max[stretch] = max(mib, default=-inf)
        if stretch and len(mib) < BLOCK_ROWS // 4:
            self._join(stretch)

    def _put_in(self, row: int, key: float, free_mib: float) -> None:
        stretch = self._block_of(key, row)
        keys, rows = self._keys[stretch], self._rows[stretch]
        at = bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            at = bisect_left(rows, row, at, bisect_right(keys, key, at))
        keys.insert(at, key)
        rows.insert(at, row)
        self._mib[stretch].insert(at, free_mib)
        self._max[stretch] = max(self._max[stretch], free_mib)
        if len(rows) > 2 * BLOCK_ROWS:
            self._split(stretch)

    def _block_of(self, key: float, row: int) -> int:
        first = self._first_key
        after = bisect_right(first, key)
        if first[after - 1] < key:
            return after - 1
        return bisect_right(self._first_row, row, bisect_left(first, key, 0, after), after) - 1

    def _set_max(self, max_mib: Floats) -> None:
        """Keep the most memory of each stretch as an array and as a quick way to single values."""
        self._max_mib, self._max = max_mib, singles(max_mib)

    def _join(self, stretch: int) -> None:
        """Add a stretch to the one before it."""
        self._keys[stretch - 1] += self._keys.pop(stretch)
        self._rows[stretch - 1] += self._rows.pop(stretch)
        self._mib[stretch - 1] += self._mib.pop(stretch)
        del self._first_key[stretch], self._first_row[stretch]
        self._set_max(np.delete(self._max_mib, stretch))
        self._max[stretch - 1] = max(self._mib[stretch - 1], default=-inf)

    def _split(self, stretch: int) -> None:
        """Make two stretches of one."""
        keys, rows, mib = self._keys[stretch], self._rows[stretch], self._mib[stretch]
        self._keys[stretch : stretch + 1] = [keys[:BLOCK_ROWS], keys[BLOCK_ROWS:]]
        self._rows[stretch : stretch + 1] = [rows[:BLOCK_ROWS], rows[BLOCK_ROWS:]]
        self._mib[stretch : stretch + 1] = [mib[:BLOCK_ROWS], mib[BLOCK_ROWS:]]
        self._first_key.insert(stretch + 1, keys[BLOCK_ROWS])
        self._first_row.insert(stretch + 1, rows[BLOCK_ROWS])
        self._max[stretch] = max(mib[:BLOCK_ROWS])
        self._set_max(np.insert(self._max_mib, stretch + 1, max(mib[BLOCK_ROWS:])))
