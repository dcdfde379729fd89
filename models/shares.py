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
from collections.abc import Iterable

import numpy as np

from .arrays import Floats, Ints, sum_by
from .max_min import CAPPED, fill

UNCHANGED = 1e-12
"""Part of its rate by which a flow must change to count as changed: what rounding leaves."""


class Shares:
    """Flows by row, their rates in bytes/s and what they have left to send, in bytes."""

    def __init__(self, capacity_bytes_s: Floats) -> None:
        self._capacity = capacity_bytes_s
        self.load = np.zeros(len(capacity_bytes_s))
        """Bytes/s that each link carries."""
        self.rate = np.zeros(0)
        self._cap, self._left, self._since, self._end = (np.zeros(0) for _ in range(4))
        self._bottleneck = np.zeros(0, np.int64)
        self._links: dict[int, Ints] = {}
        self._weights: dict[int, Floats] = {}
        self._crossed: dict[int, list[int]] = {}
        self._on: list[set[int]] = [set() for _ in capacity_bytes_s]
        self._held: list[set[int]] = [set() for _ in capacity_bytes_s]
        self._free: list[int] = []
        self._changed: set[int] = set()
        self._left_links: set[int] = set()

    def add(self, links: Ints, weights: Floats, cap: float, size_bytes: float, now_s: float) -> int:
        """Return the row of a new flow; ``weights`` are its loads on links per unit of rate."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._links[row], self._weights[row] = links, weights
        self._crossed[row] = links.tolist()
        for link in self._crossed[row]:
            self._on[link].add(row)
        self._cap[row], self._left[row], self._since[row] = cap, size_bytes, now_s
        self._changed.add(row)
        return row

    def remove(self, row: int) -> None:
        """Take a flow off; its links are shared anew by the next :meth:`refresh`."""
        links = self._links[row]
        self.load[links] -= self._weights[row] * self.rate[row]
        for link in self._crossed[row]:
            self._on[link].discard(row)
            if not self._on[link]:
                self.load[link] = 0.0
        self._hold(row, CAPPED)
        self._left_links.update(self._crossed[row])
        self._changed.discard(row)
        self.rate[row], self._end[row] = 0.0, math.inf
        del self._links[row], self._weights[row], self._crossed[row]
        self._free.append(row)

    def set_cap(self, row: int, cap: float) -> None:
        """Change the cap of a flow, in bytes/s."""
        self._cap[row] = cap
        self._changed.add(row)

    def left_bytes(self, row: int, now_s: float) -> float:
        """Return what a flow has left to send."""
        sent = self.rate[row] * (now_s - self._since[row])
        return max(float(self._left[row] - sent), 0.0)

    def next_end_s(self) -> float:
        """Return when the next flow will have sent everything."""
        return float(self._end.min(initial=math.inf))

    def ended(self, now_s: float) -> Ints:
        """Return the flows that have sent everything by now."""
        return np.flatnonzero(self._end <= now_s)

    def refresh(self, now_s: float) -> Ints:
        """Bring all rates up to date; return flows that get nothing, which is no one's due."""
        reached = set[int]()
        more: Iterable[int] = self._changed.union(*(self._held[link] for link in self._left_links))
        self._changed, self._left_links = set(), set()
        while more:
            self._reach(reached, more)
            update = _Update(self, np.array(sorted(reached), np.int64))
            more = self._faster(update, reached)
        if not reached:
            return np.zeros(0, np.int64)
        self._apply(update, now_s)
        return update.rows[self.rate[update.rows] <= 0]

    def _reach(self, reached: set[int], more: Iterable[int]) -> None:
        """Add flows and all those whose bottleneck is a link of one of the flows added."""
        todo = list(more)
        reached.update(todo)
        while todo:
            for link in self._crossed[todo.pop()]:
                held = self._held[link]
                if held and not held <= reached:
                    todo += held - reached
                    reached |= held

    def _faster(self, update: "_Update", reached: set[int]) -> set[int]:
        """Return flows outside an update that are faster on a bottleneck than those it holds."""
        found = set[int]()
        for link, level in update.levels():
            others = self._on[link] - reached
            bound = level * (1 + UNCHANGED)
            found.update(row for row in others if self.rate[row] > bound)
        return found

    def _apply(self, update: "_Update", now_s: float) -> None:
        rows, rate = update.rows, update.rate
        for row, link in zip(rows.tolist(), update.bottleneck.tolist(), strict=True):
            if link != self._bottleneck[row]:
                self._hold(row, link)
        moved = np.abs(rate - self.rate[rows]) > UNCHANGED * rate
        self.load[update.links] += update.added_load(np.where(moved, rate, self.rate[rows]))
        rows, rate = rows[moved], rate[moved]
        sent = self.rate[rows] * (now_s - self._since[rows])
        self._left[rows] = np.maximum(self._left[rows] - sent, 0.0)
        self._since[rows], self.rate[rows] = now_s, rate
        with np.errstate(divide="ignore"):
            self._end[rows] = now_s + self._left[rows] / rate

    def _hold(self, row: int, link: int) -> None:
        before = int(self._bottleneck[row])
        if before != CAPPED:
            self._held[before].discard(row)
        if link != CAPPED:
            self._held[link].add(row)
        self._bottleneck[row] = link

    def _grow(self) -> None:
        old = len(self.rate)
        extra = max(old, 64)
        self._free += range(old + extra - 1, old - 1, -1)
        zeros, never = np.zeros(extra), np.full(extra, math.inf)
        self.rate = np.append(self.rate, zeros)
        self._cap, self._left = np.append(self._cap, zeros), np.append(self._left, zeros)
        self._since, self._end = np.append(self._since, zeros), np.append(self._end, never)
        self._bottleneck = np.append(self._bottleneck, np.full(extra, CAPPED))


class _Update:
    """New rates of some flows, all others being fixed load on the links."""

    def __init__(self, shares: Shares, rows: Ints) -> None:
        self.rows = rows
        named = rows.tolist()
        crossed = [shares._links[row] for row in named]
        lengths = np.array([len(each) for each in crossed])
        self._flow_of = np.repeat(np.arange(len(rows)), lengths)
        self._weight = np.concatenate([shares._weights[row] for row in named])
        self.links, self._link_of = np.unique(np.concatenate(crossed), return_inverse=True)
        self._old = self._load_of(shares.rate[rows])
        room = shares._capacity[self.links] - (shares.load[self.links] - self._old)
        self.rate, at = fill(room, self._flow_of, self._link_of, shares._cap[rows], self._weight)
        self.bottleneck = np.where(at == CAPPED, CAPPED, self.links[at])

    def levels(self) -> list[tuple[int, float]]:
        """Return the links that are bottlenecks and the rate to which they hold flows."""
        held = self.bottleneck != CAPPED
        pairs = zip(self.bottleneck[held].tolist(), self.rate[held].tolist(), strict=True)
        return list(dict(pairs).items())

    def added_load(self, rate: Floats) -> Floats:
        """Return by how much the load on ``links`` grows when the flows get those rates."""
        return self._load_of(rate) - self._old

    def _load_of(self, rate: Floats) -> Floats:
        weights = self._weight * rate[self._flow_of]
        return sum_by(self._link_of, weights=weights, minlength=len(self.links))
