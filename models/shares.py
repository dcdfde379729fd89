"""Max-min fair rates of flows that come and go, brought up to date where a change reaches.

Rates are the fair ones if and only if every flow is at its cap or has a bottleneck: a full link
on which nobody is faster (see :mod:`.max_min`). So a flow keeps its rate as long as no rate on
its bottleneck changes, and an update works on a set of flows, with all others as fixed load:

1. take the flows that are new or were changed, and those whose bottleneck lost a flow;
2. add all flows whose bottleneck is a link of a flow of the set, until there are no more;
3. fill the room that the others leave; where one of the others is faster on a link that has
   become a bottleneck, add it and go on with 2.

In the end every flow has its cap or a bottleneck again, so that the rates are those that a
computation from scratch gives. The work grows with the flows that a change reaches.
"""

import math

import numpy as np

from .arrays import Floats
from .max_min import CAPPED, fill, fill_few

UNCHANGED = 1e-12
"""Part of its rate by which a flow must change to count as changed: what rounding leaves."""

FEW = 64
"""Flows up to which plain Python fills links faster than NumPy."""


class Shares:
    """Flows by row, their rates in bytes/s and what they have left to send, in bytes.

    Lists, not arrays: an update reads and writes single rows of a few flows.
    """

    def __init__(self, capacity_bytes_s: Floats) -> None:
        links = len(capacity_bytes_s)
        self._capacity: list[float] = capacity_bytes_s.tolist()
        self._room = list(self._capacity)
        self._on: list[set[int]] = [set() for _ in range(links)]
        self._held: list[set[int]] = [set() for _ in range(links)]
        self._rate, self._cap, self._left, self._since = ([0.0] * 0 for _ in range(4))
        self._end = np.zeros(0)
        self._bottleneck: list[int] = []
        self._links: list[list[int]] = []
        self._weights: list[list[float]] = []
        self._free: list[int] = []
        self._changed: set[int] = set()
        self._vacated: set[int] = set()

    def add(
        self, links: list[int], weights: list[float], cap: float, size_bytes: float, now_s: float
    ) -> int:
        """Return the row of a new flow; ``weights`` are its loads on links per unit of rate."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._links[row], self._weights[row] = links, weights
        for link in links:
            self._on[link].add(row)
        self._cap[row], self._left[row], self._since[row] = cap, size_bytes, now_s
        self._changed.add(row)
        return row

    def remove(self, row: int) -> None:
        """Take a flow off; its links are shared anew by the next :meth:`refresh`."""
        for link, weight in zip(self._links[row], self._weights[row], strict=True):
            self._on[link].discard(row)
            self._room[link] += weight * self._rate[row]
            if not self._on[link]:
                self._room[link] = self._capacity[link]
        self._hold(row, CAPPED)
        self._vacated.update(self._links[row])
        self._changed.discard(row)
        self._rate[row], self._end[row] = 0.0, math.inf
        self._free.append(row)

    def set_cap(self, row: int, cap: float) -> None:
        """Change the cap of a flow, in bytes/s."""
        self._cap[row] = cap
        self._changed.add(row)

    def rate(self, row: int) -> float:
        """Return the rate of a flow since the last refresh, in bytes/s."""
        return self._rate[row]

    def loads(self) -> Floats:
        """Return what each link carries, in bytes/s."""
        loads: Floats = np.array(self._capacity) - np.array(self._room)
        return loads

    def left_bytes(self, row: int, now_s: float) -> float:
        """Return what a flow has left to send."""
        return max(self._left[row] - self._rate[row] * (now_s - self._since[row]), 0.0)

    def next_end_s(self) -> float:
        """Return when the next flow will have sent everything."""
        return float(self._end.min(initial=math.inf))

    def ended(self, now_s: float) -> list[int]:
        """Return the flows that have sent everything by now."""
        rows: list[int] = np.flatnonzero(self._end <= now_s).tolist()
        return rows

    def refresh(self, now_s: float) -> list[int]:
        """Bring all rates up to date; return flows that get nothing, which is no one's due."""
        more: set[int] = self._changed
        for link in self._vacated:
            more |= self._held[link]
        self._changed, self._vacated = set(), set()
        reached = set[int]()
        rows: list[int] = []
        rates: list[float] = []
        while more:
            self._reach(reached, more)
            rows = sorted(reached)
            rates, bottlenecks = self._fill(rows)
            more = self._faster(rates, bottlenecks, reached)
        if rows:
            self._apply(rows, rates, bottlenecks, now_s)
        return [row for row in rows if self._rate[row] <= 0]

    def _reach(self, reached: set[int], more: set[int]) -> None:
        """Add flows and all those whose bottleneck is a link of one of the flows added."""
        todo = list(more)
        reached.update(todo)
        while todo:
            for link in self._links[todo.pop()]:
                held = self._held[link]
                if held and not held <= reached:
                    todo += held - reached
                    reached |= held

    def _fill(self, rows: list[int]) -> tuple[list[float], list[int]]:
        """Return new rates of some flows and their bottlenecks, all others being fixed load."""
        if len(rows) == 1:
            return self._fill_one(rows[0])
        crossed = [self._links[row] for row in rows]
        loads = [self._weights[row] for row in rows]
        cap = [self._cap[row] for row in rows]
        before = [self._rate[row] for row in rows]
        if len(rows) <= FEW:
            return fill_few(self._room, crossed, loads, cap, before)
        room = {link: self._room[link] for links in crossed for link in links}
        for rate, links, weights in zip(before, crossed, loads, strict=True):
            for link, weight in zip(links, weights, strict=True):
                room[link] += weight * rate
        place = {link: index for index, link in enumerate(room)}
        names = list(room)
        rates, at = fill(
            np.array(list(room.values())),
            np.repeat(np.arange(len(rows)), [len(links) for links in crossed]),
            np.array([place[link] for links in crossed for link in links]),
            np.array(cap),
            np.array([weight for weights in loads for weight in weights]),
        )
        holders = [CAPPED if index == CAPPED else names[index] for index in at.tolist()]
        return rates.tolist(), holders

    def _fill_one(self, row: int) -> tuple[list[float], list[int]]:
        """Return the new rate of one flow and its bottleneck: what is left on its links."""
        before, rate, holder = self._rate[row], self._cap[row], CAPPED
        for link, load in zip(self._links[row], self._weights[row], strict=True):
            if self._room[link] < (rate - before) * load:
                rate, holder = max(self._room[link] / load + before, 0.0), link
        return [rate], [holder]

    def _faster(self, rates: list[float], bottlenecks: list[int], reached: set[int]) -> set[int]:
        """Return flows outside an update that are faster on a bottleneck than those it holds."""
        found = set[int]()
        for link, level in dict(zip(bottlenecks, rates, strict=True)).items():
            if link != CAPPED and not self._on[link] <= reached:
                bound = level * (1 + UNCHANGED)
                found.update(row for row in self._on[link] - reached if self._rate[row] > bound)
        return found

    def _apply(
        self, rows: list[int], rates: list[float], bottlenecks: list[int], now_s: float
    ) -> None:
        for row, rate, link in zip(rows, rates, bottlenecks, strict=True):
            if link != self._bottleneck[row]:
                self._hold(row, link)
            more = rate - self._rate[row]
            if abs(more) > UNCHANGED * rate:
                for each, weight in zip(self._links[row], self._weights[row], strict=True):
                    self._room[each] -= weight * more
                left_bytes = self.left_bytes(row, now_s)
                self._left[row], self._since[row], self._rate[row] = left_bytes, now_s, rate
                self._end[row] = now_s + left_bytes / rate if rate > 0 else math.inf

    def _hold(self, row: int, link: int) -> None:
        before = self._bottleneck[row]
        if before != CAPPED:
            self._held[before].discard(row)
        if link != CAPPED:
            self._held[link].add(row)
        self._bottleneck[row] = link

    def _grow(self) -> None:
        old = len(self._rate)
        extra = max(old, 64)
        self._free += range(old + extra - 1, old - 1, -1)
        for column in (self._rate, self._cap, self._left, self._since):
            column.extend([0.0] * extra)
        self._bottleneck += [CAPPED] * extra
        self._links += [[]] * extra
        self._weights += [[]] * extra
        self._end = np.append(self._end, np.full(extra, math.inf))
