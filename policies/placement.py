"""What a placement policy is, and the loop that all of them share."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..models.arrays import Ints
from .plan import Search
from .pricing import Pricing, current_costs
from .room import Room


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


def place_each(room: Room, vms: Ints, pricing: Pricing) -> Placed:
    """Give each VM in turn the cheapest host that has room for it; equal costs: lower row.

    Where the room wants all or nothing, the first VM without a host ends the search.
    """
    hosts = np.full(len(vms), -1, np.int64)
    considered = len(room.hosts)
    searches = [Search(considered, considered)] * len(vms)
    if not considered:
        return Placed(hosts, searches)
    for index, (vm, costs, lowest) in enumerate(current_costs(room, vms, pricing)):
        position = room.cheapest(vm, costs, lowest)
        if position >= 0:
            hosts[index] = room.hosts[position]
            searches[index] = Search(considered, 0, float(costs[position]))
            room.take(vm, position)
        elif room.all_or_nothing:
            break
        else:
            searches[index] = Search(considered, considered, 0.0, *room.why_full(vm))
    return Placed(hosts, searches)


def place_decreasing(room: Room, vms: Ints, pricing: Pricing) -> Placed:
    """Place the VMs with the largest need first; the result is in the order given."""
    return in_order(np.argsort(-room.need_mhz[vms], kind="stable"), room, vms, pricing)


def in_order(order: Ints, room: Room, vms: Ints, pricing: Pricing) -> Placed:
    """Place the VMs in the order of the given positions; the result is as they were given."""
    if len(vms) == 1:
        return place_each(room, vms, pricing)
    placed = place_each(room, vms[order], pricing)
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return Placed(placed.hosts[back], [placed.searches[index] for index in back.tolist()])
