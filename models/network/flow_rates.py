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
from itertools import chain

import numpy as np

from ..base.arrays import Bools, Floats, Ints, single_ints, singles
from .max_min import CAPPED, fill, fill_few

UNCHANGED = 1e-12
"""Part of its rate by which a flow must change to count as changed: what rounding leaves."""

FEW = 64
"""Flows up to which plain Python fills links faster than NumPy; the last bits depend on it."""

BLOCK = 24
"""Flows from which all but filling is done by NumPy, with the same bits."""


class Shares:
    """Flows by row: rates in bytes/s and remaining bytes.

    ``capacity_bytes_s`` has one entry per link, without what others use of it. What is read and
    written flow by flow goes through windows on the columns. Behind the last link there is one
    more that nobody uses; it fills up the rows of the table of links.
    """

    def __init__(self, capacity_bytes_s: Floats) -> None:
        links = len(capacity_bytes_s)
        self._capacity: list[float] = capacity_bytes_s.tolist()
        self._rooms = np.append(capacity_bytes_s, 0.0)
        self._room = singles(self._rooms)
        self._users = np.zeros(links + 1, np.int64)
        self._users_of = single_ints(self._users)
        self._on: list[set[int]] = [set() for _ in range(links)]
        self._held: list[set[int]] = [set() for _ in range(links)]
        self._holding: set[int] = set()
        """Links that are a bottleneck."""
        self._rates, self._most, self._lefts, self._sinces = (np.zeros(0) for _ in range(4))
        self._ends = np.zeros(0)
        self._holder: list[int] = []
        self._bottleneck: list[int] = []
        self._links: list[list[int]] = []
        self._weights: list[list[float]] = []
        self._table, self._loads = np.zeros((0, 0), np.int64), np.zeros((0, 0))
        self._untabled: set[int] = set()
        self._unit = True
        """Whether every flow has put as much on each of its links as its rate is."""
        self._free: list[int] = []
        self._changed: set[int] = set()
        self._mark = np.zeros(links + 1)
        self._grow()

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
        self._untabled.add(row)
        self._unit = self._unit and weights.count(1.0) == len(weights)
        for link in links:
            self._on[link].add(row)
            self._users_of[link] += 1
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
            self._users_of[link] -= 1
            if users:
                self._room[link] += weight * rate
                if self._held[link]:
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
        loads: Floats = np.array(self._capacity) - self._rooms[:-1]
        return loads

    def left_bytes(self, row: int, now_s: float) -> float:
        """Return what a flow has left to send at an instant, in bytes."""
        return max(self._left[row] - self._rate[row] * (now_s - self._since[row]), 0.0)

    def next_end_s(self) -> float:
        """Return when the next flow will have sent everything, in s; infinite for none."""
        return self._end[int(self._ends.argmin())]

    def ended(self, now_s: float) -> list[int]:
        """Return the flows that have sent everything by now, ascending; they are to be removed."""
        rows: list[int] = (self._ends <= now_s).nonzero()[0].tolist()
        return rows

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
        if not rows:
            return []
        self._apply(rows, rates, bottlenecks, now_s)
        if min(rates) > 0:
            return []
        return [row for row in rows if self._rate[row] <= 0]

    def _fits(self, row: int, now_s: float) -> bool:
        """Give one flow its rate if that changes no other; return whether it does not."""
        alone = {row}
        for link in self._links[row]:
            if self._users_of[link] > 1 and self._held[link] - alone:
                return False
        rates, holders = self._fill_one(row)
        if self._faster(rates, holders, alone) or rates[0] <= 0:
            return False
        self._apply([row], rates, holders, now_s)
        return True

    def _reach(self, reached: set[int], more: set[int]) -> None:
        """Add flows and all those whose bottleneck is a link of one of the flows added."""
        reached |= more
        held, seen = self._held, set[int]()
        while more:
            links = set(chain.from_iterable([self._links[row] for row in more]))
            links &= self._holding
            links -= seen
            seen |= links
            more = set().union(*[held[link] for link in links]) - reached
            reached |= more

    def _fill(self, rows: list[int]) -> tuple[list[float], list[int]]:
        """Return new rates of some flows and their bottlenecks, all others being fixed load."""
        if len(rows) == 1:
            return self._fill_one(rows[0])
        if len(rows) > FEW:
            return self._fill_many(rows)
        users, rate, most = self._users_of, self._rate, self._max
        crossed = [[link for link in self._links[row] if users[link] > 1] for row in rows]
        loads = None if self._unit else self._loads_on_shared(rows)
        rates, holders = fill_few(
            self._room, crossed, loads, [most[row] for row in rows], [rate[row] for row in rows]
        )
        alone = zip(rows, holders, strict=True)
        return rates, [self._holder[row] if link == CAPPED else link for row, link in alone]

    def _loads_on_shared(self, rows: list[int]) -> list[list[float]]:
        """Return what flows load those of their links that others use as well."""
        users = self._users_of
        return [
            [load for link, load in zip(*ways, strict=True) if users[link] > 1]
            for ways in ((self._links[row], self._weights[row]) for row in rows)
        ]

    def _fill_one(self, row: int) -> tuple[list[float], list[int]]:
        """Return the new rate of one flow and its bottleneck: what is left on its links."""
        before, rate, holder = self._rate[row], self._max[row], self._holder[row]
        for link, load in zip(self._links[row], self._weights[row], strict=True):
            if self._users_of[link] > 1 and self._room[link] < (rate - before) * load:
                rate, holder = max(self._room[link] / load + before, 0.0), link
        return [rate], [holder]

    def _fill_many(self, rows: list[int]) -> tuple[list[float], list[int]]:
        """Return what :func:`.fill_few` does, by NumPy."""
        self._enter_tables()
        at = np.array(rows)
        table = self._table[at]
        flow_of, place = (self._users[table] > 1).nonzero()
        links = table[flow_of, place]
        load = None if self._unit else self._loads[at][flow_of, place]
        self._mark[links] = 1.0
        names = self._mark.nonzero()[0]
        self._mark[names] = np.arange(len(names))
        link_of = self._mark[links].astype(np.int64)
        self._mark[names] = 0.0
        room = self._rooms[names]
        before = self._rates[at][flow_of]
        np.add.at(room, link_of, before if load is None else load * before)
        rates, held_by = fill(room, flow_of, link_of, self._most[at], load)
        capped = held_by == CAPPED
        held_by[~capped] = names[held_by[~capped]]
        holders: list[int] = held_by.tolist()
        for flow in capped.nonzero()[0].tolist():
            holders[flow] = self._holder[rows[flow]]
        return rates.tolist(), holders

    def _faster(self, rates: list[float], bottlenecks: list[int], reached: set[int]) -> set[int]:
        """Return flows outside an update that are faster on a bottleneck than those it holds."""
        levels = dict(zip(bottlenecks, rates, strict=True))
        if len(levels) > BLOCK:
            return self._faster_of_many(levels, reached)
        found = set[int]()
        for link, level in levels.items():
            if link != CAPPED and self._users_of[link] > 1 and not self._on[link] <= reached:
                bound = level * (1 + UNCHANGED)
                found.update(row for row in self._on[link] - reached if self._rate[row] > bound)
        return found

    def _faster_of_many(self, levels: dict[int, float], reached: set[int]) -> set[int]:
        """Do as :meth:`_faster`, given the rate at each bottleneck, by NumPy."""
        levels.pop(CAPPED, None)
        self._enter_tables()
        names = np.fromiter(levels.keys(), np.int64, len(levels))
        bound = np.full(len(self._mark), math.inf)
        bound[names] = np.fromiter(levels.values(), np.float64, len(levels)) * (1 + UNCHANGED)
        outside: Bools = self._rates > 0
        outside[np.fromiter(reached, np.int64, len(reached))] = False
        rows = outside.nonzero()[0]
        faster = (self._rates[rows, None] > bound[self._table[rows]]).any(axis=1)
        return set(rows[faster].tolist())

    def _apply(
        self, rows: list[int], rates: list[float], bottlenecks: list[int], now_s: float
    ) -> None:
        """Give flows their new rates and bottlenecks, and note when each will have sent everything.

        A rate that has changed by no more than rounding is left as it is.
        """
        held_by = self._bottleneck
        for row, link in zip(rows, bottlenecks, strict=True):
            if link != held_by[row]:
                self._hold(row, link)
        if len(rows) > BLOCK:
            self._set_many(np.array(rows), np.array(rates), now_s)
            return
        for row, rate in zip(rows, rates, strict=True):
            more = rate - self._rate[row]
            if abs(more) > UNCHANGED * rate:
                for each, weight in zip(self._links[row], self._weights[row], strict=True):
                    self._room[each] -= weight * more
                left_bytes = self.left_bytes(row, now_s)
                self._left[row], self._since[row], self._rate[row] = left_bytes, now_s, rate
                self._end[row] = now_s + left_bytes / rate if rate > 0 else math.inf

    def _set_many(self, rows: Ints, rates: Floats, now_s: float) -> None:
        """Give many flows their new rates, by NumPy."""
        self._enter_tables()
        more = rates - self._rates[rows]
        changed = np.abs(more) > UNCHANGED * rates
        rows, rates, more = rows[changed], rates[changed], more[changed]
        # Padding loads the link that nobody uses; whatever its room is, nobody asks for it.
        taken = np.repeat(more, self._table.shape[1])
        if not self._unit:
            taken = self._loads[rows].ravel() * taken
        np.subtract.at(self._rooms, self._table[rows].ravel(), taken)
        sent_bytes = self._rates[rows] * (now_s - self._sinces[rows])
        left_bytes = np.maximum(self._lefts[rows] - sent_bytes, 0.0)
        self._lefts[rows], self._sinces[rows], self._rates[rows] = left_bytes, now_s, rates
        end_s = np.full(len(rows), math.inf)
        np.divide(left_bytes, rates, out=end_s, where=rates > 0)
        self._ends[rows] = now_s + end_s

    def _hold(self, row: int, link: int) -> None:
        """Note the bottleneck of a flow, ``CAPPED`` for none."""
        before = self._bottleneck[row]
        if before != CAPPED:
            self._held[before].discard(row)
            if not self._held[before]:
                self._holding.discard(before)
        if link != CAPPED:
            self._held[link].add(row)
            self._holding.add(link)
        self._bottleneck[row] = link

    def _enter_tables(self) -> None:
        """Enter the links and loads of new flows into the tables that NumPy reads."""
        rows, self._untabled = list(self._untabled), set()
        if not rows:
            return
        links, nobody = [self._links[row] for row in rows], len(self._capacity)
        count = np.array([len(each) for each in links])
        width = max(int(count.max()), self._table.shape[1])
        if (len(self._rates), width) != self._table.shape:
            table, loads = self._table, self._loads
            self._table = np.full((len(self._rates), width), nobody)
            self._loads = np.zeros(self._table.shape)
            self._table[: len(table), : table.shape[1]] = table
            self._loads[: len(table), : table.shape[1]] = loads
        at = np.array(rows)
        filled = np.arange(width) < count[:, None]
        table, loads = np.full(filled.shape, nobody), np.zeros(filled.shape)
        table[filled] = list(chain.from_iterable(links))
        loads[filled] = list(chain.from_iterable(self._weights[row] for row in rows))
        self._table[at], self._loads[at] = table, loads

    def _grow(self) -> None:
        """Make room for twice as many flows."""
        old = len(self._rates)
        extra = max(old, 64)
        self._free += range(old + extra - 1, old - 1, -1)
        zeros = np.zeros(extra)
        self._rates, self._most = np.append(self._rates, zeros), np.append(self._most, zeros)
        self._lefts, self._sinces = np.append(self._lefts, zeros), np.append(self._sinces, zeros)
        self._ends = np.append(self._ends, np.full(extra, math.inf))
        self._holder += [CAPPED] * extra
        self._bottleneck += [CAPPED] * extra
        self._links += [[]] * extra
        self._weights += [[]] * extra
        self._open_windows()

    def _open_windows(self) -> None:
        """Look at the columns of flows number by number."""
        self._rate, self._max, self._left = map(singles, (self._rates, self._most, self._lefts))
        self._since, self._end = singles(self._sinces), singles(self._ends)
