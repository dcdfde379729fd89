"""Restart of the VMs of failed hosts on the others, for many failures at once."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..base.arrays import Bools, Floats, Ints
from ..base.lazy_dataclass import dataclass
from .packing import BEST_FIT, ORDERS, WORST_FIT, Placing, decreasing, exact_placing
from .planned_farm import TOLERANCE, Items, PlannedHosts

FEW = 64
"""Hosts with most room that a first look takes into account; the others only where it fails."""

CHUNK = 2000
"""Failures that are looked at together."""

STEPS = 2000
"""Steps of the exact search for one failure."""

ALL_STEPS = 10_000
"""Steps of all exact searches for the failures of one cluster."""


@dataclass(frozen=True, eq=False)
class Restart:
    """What became of one failure: items without a host, whether that is proven, who is where.

    ``victims`` is the number of items that lost their host.
    """

    stranded: list[int]
    proven: bool
    placing: Placing
    victims: int


class Restarts:
    """Restarts on paper: what stands on hosts that are left stays where it is.

    ``items`` are those of :func:`.items_of` as they stand; ``rooms`` (hosts, 3) is what each host
    may hold while others are down. Items that stand nowhere are none of its business.
    """

    def __init__(self, items: Items, hosts: PlannedHosts, rooms: Floats) -> None:
        self._items, self._hosts, self._rooms = items, hosts, rooms
        self._base = Placing(items, hosts, rooms)
        self._base.stand(items.home)
        self._free = self._base.free()
        self._slack = TOLERANCE * (rooms + 1.0)
        self._rank = np.empty(len(items.needs), np.int64)
        self._order = decreasing(items, rooms, "largest share")
        self._rank[self._order] = np.arange(len(self._order))
        self._on_host = self._ranks_by_host()
        self._blocked, self._bound_row = self._static_rules()
        self._by_rule = self._members_by_host()
        self._steps = ALL_STEPS

    def _ranks_by_host(self) -> Ints:
        """Return the ranks of the items on each host, ascending, padded; the last row is empty."""
        home, count = self._items.home, len(self._hosts)
        there = self._order[home[self._order] >= 0]
        held = np.bincount(home[there], minlength=count)
        table = np.full((count + 1, max(int(held.max(initial=0)), 1)), len(home))
        by_host = there[np.argsort(home[there], kind="stable")]
        starts = np.cumsum(held) - held
        column = np.arange(len(by_host)) - starts[home[by_host]]
        table[home[by_host], column] = self._rank[by_host]
        return table

    def _static_rules(self) -> tuple[Bools, Ints]:
        """Return the hosts closed to each item in a rule while the others stand, and its row.

        The last row, of items in no rule, closes none.
        """
        bound = self._base.bound
        blocked = np.zeros((len(bound) + 1, len(self._hosts)), bool)
        row = np.full(len(self._items.needs) + 1, len(bound))
        for at, item in enumerate(bound.tolist()):
            trial = self._base.copied()
            if trial.home[item] >= 0:
                trial.lift(item)
            blocked[at], row[item] = ~trial.allowed(item), at
        return blocked, row

    def _members_by_host(self) -> Ints:
        """Return how many items of each rule stand on each host, (hosts + 1, rules).

        Rules about racks or sites count double: who of them fails never goes by standing others.
        """
        table = np.zeros((len(self._hosts) + 1, len(self._items.spread)), np.int64)
        for column, (rule, members) in enumerate(self._items.spread):
            home = self._items.home[members]
            weight = 1 if rule.level == "host" and rule.at_most == 1 else 2
            np.add.at(table[:, column], home[home >= 0], weight)
        return table

    def survived(self, failed: Ints) -> Bools:
        """Return which failures leave a host for every item, as far as a quick look can tell.

        ``failed`` (failures, hosts) are rows of hosts, padded with -1. True is proven by a
        placement or by counting places; False says nothing.
        """
        found = np.zeros(len(failed), bool)
        for start in range(0, len(failed), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(failed)))
            entangled = self._by_rule[failed[rows]].sum(axis=1).max(axis=1, initial=0) > 1
            rows = rows[~entangled]
            for hosts in self._host_sets():
                rows = rows[~found[rows]]
                if len(rows):
                    victims = self._victims(failed[rows])
                    enough = self._places(failed[rows], victims, hosts)
                    found[rows[enough]] = True
                    rows, victims = rows[~enough], victims[~enough]
                if len(rows):
                    found[rows] = self._placed(failed[rows], victims, hosts)
        return found

    def _host_sets(self) -> Iterator[Ints]:
        """Yield the few hosts with most room, then all."""
        every = np.arange(len(self._hosts))
        if len(every) > 2 * FEW:
            room = (self._free / self._base.scale).min(axis=1)
            yield np.sort(np.argsort(-room, kind="stable")[:FEW])
        yield every

    def _victims(self, failed: Ints) -> Ints:
        """Return the items on failed hosts, largest first, (failures, most), padded with -1."""
        ranks = self._on_host[failed].reshape(len(failed), -1)
        ranks.sort(axis=1)
        many = int((ranks < len(self._order)).sum(axis=1).max(initial=0))
        return np.append(self._order, -1)[ranks[:, :many]]

    def _open_room(self, failed: Ints, hosts: Ints) -> Floats:
        """Return the free room of some hosts in each failure, (failures, hosts, 3)."""
        free = np.repeat(self._free[hosts][None], len(failed), axis=0)
        gone = (failed[:, :, None] == hosts).any(axis=1)
        free[gone] = -np.inf
        return free

    def _places(self, failed: Ints, victims: Ints, hosts: Ints) -> Bools:
        """Return whether places for items as large as the largest are enough, in each failure.

        Sufficient, in whatever order they are placed; not for items that rules or open hosts bind.
        """
        if not self._items.places.all() or len(self._blocked) > 1:
            return np.zeros(len(failed), bool)
        needs = np.vstack([self._items.needs, np.zeros((1, self._rooms.shape[1]))])
        largest = needs[victims].max(axis=1, initial=0.0)
        free = self._open_room(failed, hosts)
        with np.errstate(divide="ignore", invalid="ignore"):
            fits = np.where(largest[:, None, :] > 0, free / largest[:, None, :], np.inf)
        fits[~np.isfinite(free)] = 0.0
        places = np.floor(np.maximum(fits.min(axis=2), 0.0)).sum(axis=1)
        count: Bools = places >= (victims >= 0).sum(axis=1)
        return count

    def _placed(self, failed: Ints, victims: Ints, hosts: Ints) -> Bools:
        """Place the items of each failure, worst fit decreasing; whether all found a host."""
        free, slack = self._open_room(failed, hosts), self._slack[hosts]
        items, every = self._items, np.arange(len(failed))
        alive = np.ones(len(failed), bool)
        for step in range(victims.shape[1]):
            item = victims[:, step]
            waits = alive & (item >= 0)
            if not waits.any():
                break
            rows, item = every[waits], item[waits]
            left = free[rows] - items.needs[item][:, None, :]
            fits = (left + slack >= 0).all(axis=2)
            fits &= items.places[items.open[item]][:, hosts]
            fits &= ~self._blocked[self._bound_row[item]][:, hosts]
            room = np.where(fits, (left / self._base.scale).min(axis=2), -np.inf)
            chosen = room.argmax(axis=1)
            free[rows, chosen] = left[np.arange(len(rows)), chosen]
            alive[rows] = fits.any(axis=1)
        return alive

    def restart(self, failed: Ints) -> "Restart":
        """Restart the items of one failure as well as possible.

        ``failed`` are rows of hosts. All orders with worst and best fit are tried until one strands
        nobody, else the attempt that strands fewest is kept; then, where sums do not prove that
        some are lost, an exact search follows, within :data:`ALL_STEPS` for all failures. None
        stranded is always proven; some stranded only where sums, an item that fits on no host even
        alone, or an exhaustive search prove it.
        """
        base = self._base.copied()
        victims = np.flatnonzero(np.isin(base.home, failed))
        for item in victims.tolist():
            base.lift(item)
        base.close(failed)
        impossible = not self._sums_fit(base, victims)
        impossible |= any(not base.candidates(item).any() for item in victims.tolist())
        best: Restart | None = None
        for fit in (WORST_FIT, BEST_FIT):
            for by in ("largest share",) if impossible else ORDERS:
                order = decreasing(self._items, self._rooms, by)
                placing = base.copied()
                lost = placing.place_all(order[np.isin(order, victims)], fit)
                if not lost:
                    return Restart([], True, placing, len(victims))
                if best is None or len(lost) < len(best.stranded):
                    best = Restart(lost, impossible, placing, len(victims))
        assert best is not None
        if impossible or self._steps <= 0:
            return best
        placing = base.copied()
        order, steps = self._order[np.isin(self._order, victims)], min(STEPS, self._steps)
        answer, taken = exact_placing(placing, order, steps)
        self._steps -= taken
        if answer:
            return Restart([], True, placing, len(victims))
        return replace(best, proven=answer is False)

    def _sums_fit(self, placing: Placing, victims: Ints) -> bool:
        """Whether what the victims need is within what the hosts that are left have free."""
        free = placing.free()
        left = np.where(np.isfinite(free), np.maximum(free, 0.0), 0.0).sum(axis=0)
        need = self._items.needs[victims].sum(axis=0)
        return bool((need <= left * (1 + TOLERANCE) + TOLERANCE).all())
