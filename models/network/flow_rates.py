"""Max-min fair rates of flows, updated only where a change has an effect.

Rates are the fair ones if and only if every flow is at its cap or has a bottleneck: a full link
on which nobody is faster (see :mod:`.max_min`). So a flow keeps its rate as long as no rate on
its bottleneck changes, and an update works on a set of flows, with all others as fixed load:

1. take the flows that are new or were changed, and those whose bottleneck lost a flow;
2. add all flows whose bottleneck is a link of a flow of the set, until there are no more;
3. fill the room that the others leave; where one of the others is faster on a link that has
   become a bottleneck, add it and go on with 2.

In the end every flow has its cap or a bottleneck again, so that the rates are those that a
computation from scratch gives. The work grows with the flows that a change reaches. A link
that only one flow crosses is no more to it than another cap, and most links are such: what the
tightest of all its links would give a flow alone is worked out once, and only links that it
shares are looked at again.
"""

import math
from heapq import heapify, heappop, heappush

import numpy as np

from ..base.arrays import Floats
from .max_min import CAPPED, fill, fill_few

UNCHANGED = 1e-12
"""Part of its rate by which a flow must change to count as changed: what rounding leaves."""

FEW = 64
"""Flows up to which plain Python fills links faster than NumPy."""

STALE = 8
"""Ends noted per row until those that no longer hold are thrown away."""


class Shares:
    """Flows by row: rates in bytes/s and remaining bytes.

    ``capacity_bytes_s`` has one entry per link, without what others use of it. Lists, not arrays:
    an update reads and writes single rows of a few flows.
    """

    def __init__(self, capacity_bytes_s: Floats) -> None:
        links = len(capacity_bytes_s)
        self._capacity: list[float] = capacity_bytes_s.tolist()
        self._room = list(self._capacity)
        self._on: list[set[int]] = [set() for _ in range(links)]
        self._held: list[set[int]] = [set() for _ in range(links)]
        self._rate, self._max, self._left, self._since, self._end = ([0.0] * 0 for _ in range(5))
        self._ends: list[tuple[float, int]] = []
        self._holder: list[int] = []
        self._bottleneck: list[int] = []
        self._links: list[list[int]] = []
        self._weights: list[list[float]] = []
        self._free: list[int] = []
        self._changed: set[int] = set()

    def add(
        self, links: list[int], weights: list[float], cap: float, size_bytes: float, now_s: float
    ) -> int:
        """Return the row of a new flow of ``size_bytes``, at most ``cap`` bytes/s fast.

        ``links`` are the rows of the links that it crosses, ``weights`` its load on each of them
        per unit of rate. It has no rate until the next :meth:`refresh`.
        """
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._links[row], self._weights[row] = links, weights
        for link in links:
            self._on[link].add(row)
        self._left[row], self._since[row] = size_bytes, now_s
        self.set_cap(row, cap)
        return row

    def remove(self, row: int) -> None:
        """Take a flow off; its links are shared anew by the next :meth:`refresh`."""
        rate = self._rate[row]
        self._hold(row, CAPPED)
        for link, weight in zip(self._links[row], self._weights[row], strict=True):
            users = self._on[link]
            users.discard(row)
            if users:
                self._room[link] += weight * rate
                self._changed |= self._held[link]
            else:
                self._room[link] = self._capacity[link]
        self._changed.discard(row)
        self._rate[row], self._end[row] = 0.0, math.inf
        self._free.append(row)

    def set_cap(self, row: int, cap: float) -> None:
        """Change the cap of a flow, in bytes/s."""
        most, holder = cap, CAPPED
        for link, weight in zip(self._links[row], self._weights[row], strict=True):
            if self._capacity[link] < most * weight:
                most, holder = self._capacity[link] / weight, link
        self._max[row], self._holder[row] = most, holder
        self._changed.add(row)

    def rate(self, row: int) -> float:
        """Return the rate of a flow since the last refresh, in bytes/s."""
        return self._rate[row]

    def loads(self) -> Floats:
        """Return what each link carries, in bytes/s."""
        loads: Floats = np.array(self._capacity) - np.array(self._room)
        return loads

    def left_bytes(self, row: int, now_s: float) -> float:
        """Return what a flow has left to send at an instant, in bytes."""
        return max(self._left[row] - self._rate[row] * (now_s - self._since[row]), 0.0)

    def next_end_s(self) -> float:
        """Return when the next flow will have sent everything, in s; infinite for none."""
        ends = self._ends
        while ends and self._end[ends[0][1]] != ends[0][0]:
            heappop(ends)
        return ends[0][0] if ends else math.inf

    def ended(self, now_s: float) -> list[int]:
        """Return the flows that have sent everything by now, ascending; they are to be removed."""
        rows = set[int]()
        while self.next_end_s() <= now_s:
            rows.add(heappop(self._ends)[1])
        return sorted(rows)

    def refresh(self, now_s: float) -> list[int]:
        """Bring all rates up to date; return flows that get nothing, which is no one's due."""
        more, self._changed = self._changed, set()
        if not more or (len(more) == 1 and self._fits(min(more), now_s)):
            return []
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

    def _fits(self, row: int, now_s: float) -> bool:
        """Give one flow its rate if that changes no other; return whether it does not."""
        alone = {row}
        if any(len(self._on[link]) > 1 and self._held[link] - alone for link in self._links[row]):
            return False
        rates, holders = self._fill_one(row)
        if self._faster(rates, holders, alone) or rates[0] <= 0:
            return False
        self._apply([row], rates, holders, now_s)
        return True

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
        crossed: list[list[int]] = []
        loads: list[list[float]] = []
        on = self._on
        for row in rows:
            links, weights = self._links[row], self._weights[row]
            shared = [place for place, link in enumerate(links) if len(on[link]) > 1]
            crossed.append([links[place] for place in shared])
            loads.append([weights[place] for place in shared])
        most = [self._max[row] for row in rows]
        before = [self._rate[row] for row in rows]
        filling = fill_few if len(rows) <= FEW else _fill_many
        rates, holders = filling(self._room, crossed, loads, most, before)
        alone = zip(rows, holders, strict=True)
        return rates, [self._holder[row] if link == CAPPED else link for row, link in alone]

    def _fill_one(self, row: int) -> tuple[list[float], list[int]]:
        """Return the new rate of one flow and its bottleneck: what is left on its links."""
        before, rate, holder = self._rate[row], self._max[row], self._holder[row]
        for link, load in zip(self._links[row], self._weights[row], strict=True):
            if len(self._on[link]) > 1 and self._room[link] < (rate - before) * load:
                rate, holder = max(self._room[link] / load + before, 0.0), link
        return [rate], [holder]

    def _faster(self, rates: list[float], bottlenecks: list[int], reached: set[int]) -> set[int]:
        """Return flows outside an update that are faster on a bottleneck than those it holds."""
        found = set[int]()
        for link, level in dict(zip(bottlenecks, rates, strict=True)).items():
            if link != CAPPED and len(self._on[link]) > 1 and not self._on[link] <= reached:
                bound = level * (1 + UNCHANGED)
                found.update(row for row in self._on[link] - reached if self._rate[row] > bound)
        return found

    def _apply(
        self, rows: list[int], rates: list[float], bottlenecks: list[int], now_s: float
    ) -> None:
        """Give flows their new rates and bottlenecks, and note when each will have sent everything.

        A rate that has changed by no more than rounding is left as it is.
        """
        for row, rate, link in zip(rows, rates, bottlenecks, strict=True):
            if link != self._bottleneck[row]:
                self._hold(row, link)
            more = rate - self._rate[row]
            if abs(more) > UNCHANGED * rate:
                for each, weight in zip(self._links[row], self._weights[row], strict=True):
                    self._room[each] -= weight * more
                left_bytes = self.left_bytes(row, now_s)
                self._left[row], self._since[row], self._rate[row] = left_bytes, now_s, rate
                self._end[row] = end_s = now_s + left_bytes / rate if rate > 0 else math.inf
                heappush(self._ends, (end_s, row))
        if len(self._ends) > STALE * len(self._rate):
            self._ends = [(end_s, row) for row, end_s in enumerate(self._end) if end_s < math.inf]
            heapify(self._ends)

    def _hold(self, row: int, link: int) -> None:
        """Note the bottleneck of a flow, ``CAPPED`` for none."""
        before = self._bottleneck[row]
        if before != CAPPED:
            self._held[before].discard(row)
        if link != CAPPED:
            self._held[link].add(row)
        self._bottleneck[row] = link

    def _grow(self) -> None:
        """Make room for twice as many flows."""
        old = len(self._rate)
        extra = max(old, 64)
        self._free += range(old + extra - 1, old - 1, -1)
        for column in (self._rate, self._max, self._left, self._since):
            column.extend([0.0] * extra)
        self._end += [math.inf] * extra
        self._holder += [CAPPED] * extra
        self._bottleneck += [CAPPED] * extra
        self._links += [[]] * extra
        self._weights += [[]] * extra


def _fill_many(
    room_beside: list[float],
    crossed: list[list[int]],
    loads: list[list[float]],
    cap: list[float],
    before: list[float],
) -> tuple[list[float], list[int]]:
    """Return what :func:`.fill_few` does, by NumPy."""
    room = {link: room_beside[link] for links in crossed for link in links}
    for rate, links, weights in zip(before, crossed, loads, strict=True):
        for link, weight in zip(links, weights, strict=True):
            room[link] += weight * rate
    place = {link: index for index, link in enumerate(room)}
    names = list(room)
    rates, at = fill(
        np.array(list(room.values())),
        np.repeat(np.arange(len(crossed)), [len(links) for links in crossed]),
        np.array([place[link] for links in crossed for link in links], np.int64),
        np.array(cap),
        np.array([weight for weights in loads for weight in weights]),
    )
    holders = [CAPPED if index == CAPPED else names[index] for index in at.tolist()]
    return rates.tolist(), holders
