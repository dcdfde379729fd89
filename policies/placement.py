"""What a placement policy is, and the loop that all of them share."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np

from ..models.arrays import Floats, Ints
from .plan import Search
from .room import Room

BATCH = 8

Cost = Callable[[Room, Ints], Floats]
"""Cost of each VM on each candidate of a room, (VMs, candidates), a new array each time."""

CostAt = Callable[[Room, int, int], float]
"""Cost of one VM on one candidate, as :data:`Cost` would give it now."""


@dataclass(frozen=True)
class Placed:
    """A host row per VM (−1: none fits) and how each was looked for."""

    hosts: Ints
    searches: list[Search]


class Placement(Protocol):
    """Maps VMs to hosts."""

    def place(self, room: Room, vms: Ints) -> Placed:
        """Give VMs room, taking it as it goes."""
        ...


def place_each(
    room: Room, vms: Ints, cost: Cost, cost_at: CostAt | None = None, rising: bool = False
) -> Placed:
    """Give each VM in turn the cheapest host that has room for it; equal costs: lower row.

    A policy that can also tell a single cost has its VMs looked at in batches: the costs of a
    batch are computed at once, and again only where an earlier VM of the batch went (with
    ``rising`` costs, which never fall when a host is given more, only where such a host would
    win, or where it has more room than before: a demand foreseen can be negative; a veto may
    pass over the winner, so there all are computed). Such a policy prices sleeping hosts itself;
    for any other they come last where the room prefers hosts that are awake. Where the room
    wants all or nothing, the first VM without a host ends the search.
    """
    hosts = np.full(len(vms), -1, np.int64)
    searches = [Search()] * len(vms)
    step, considered = (1 if cost_at is None else BATCH), len(room.hosts)
    for start in range(0, len(vms) if considered else 0, step):
        batch = vms[start : start + step]
        full = room.full(batch)
        costs = cost(room, batch)
        if cost_at is None and room.prefer_awake and not (full | room.asleep).all():
            full |= room.asleep
        costs[full] = np.inf
        without_room = full.sum(axis=1).tolist()
        changed: set[int] = set()
        roomier: set[int] = set()
        for index, vm in enumerate(batch.tolist()):
            row = costs[index]
            if cost_at is not None and changed:
                stale: Iterable[int] = changed
                if rising and not room.vetoed:
                    stale = chain(roomier, _winners(row, changed - roomier))
                for position in stale:
                    fits = room.has_room(vm, position)
                    row[position] = cost_at(room, vm, position) if fits else np.inf
            position = room.cheapest(vm, row)
            if position >= 0:
                hosts[start + index] = room.hosts[position]
                lowest = float(row[position])
                searches[start + index] = Search(considered, without_room[index], lowest)
                if room.take(vm, position):
                    roomier.add(position)
                changed.add(position)
                continue
            searches[start + index] = Search(considered, considered, 0.0, *room.why_full(vm))
            if room.all_or_nothing:
                return Placed(hosts, searches)
    return Placed(hosts, searches)


def _winners(costs: Floats, left: set[int]) -> Iterator[int]:
    """Yield, as long as one of the positions left has the lowest cost, that position."""
    while left:
        position = int(costs.argmin())
        if position not in left:
            return
        left.discard(position)
        yield position


def place_decreasing(
    room: Room, vms: Ints, cost: Cost, cost_at: CostAt | None = None, rising: bool = False
) -> Placed:
    """Place the VMs with the largest need first; the result is in the order given."""
    order = np.argsort(-room.need_mhz[vms], kind="stable")
    return in_order(order, room, vms, cost, cost_at, rising)


def in_order(
    order: Ints,
    room: Room,
    vms: Ints,
    cost: Cost,
    cost_at: CostAt | None = None,
    rising: bool = False,
) -> Placed:
    """Place the VMs in the order of the given positions; the result is as they were given."""
    if len(vms) == 1:
        return place_each(room, vms, cost, cost_at, rising)
    placed = place_each(room, vms[order], cost, cost_at, rising)
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return Placed(placed.hosts[back], [placed.searches[index] for index in back.tolist()])
