"""What a placement policy is, and the loop that all of them share."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.ties import ascending
from ..interface.plan import Search
from .affinity_groups import dismiss_companies, expect_companies, place_company
from .candidates import Room
from .capacity_index import Shelf
from .host_costs import Pricing, current_costs


@dataclass(frozen=True)
class Placed:
    """A host row per VM (−1: none fits) and how each was looked for."""

    hosts: Ints
    searches: list[Search]


class Placement(Protocol):
    """Maps VMs to hosts.

    A placement that does not choose alike whenever the farm is alike, since it draws or counts
    on from its last choice, says so by a class variable ``repeatable = False``: then trying it
    beforehand, as the check of a reserve does, proves nothing.
    """

    def place(self, room: Room, vms: Ints) -> Placed:
        """Give VMs room, taking it as it goes."""
        ...


@runtime_checkable
class Shelving(Protocol):
    """A placement that also places single VMs from an index of what hosts have left."""

    def shelf(self, free_mhz: Floats, free_mib: Floats, tie_mhz: float) -> Shelf:
        """Return the index of hosts, by row, with so much CPU in MHz and memory in MiB left.

        CPU within ``tie_mhz`` of each other counts as equal.
        """
        ...


def place_each(room: Room, vms: Ints, pricing: Pricing) -> Placed:
    """Give each VM in turn the cheapest host that has room for it; equal costs: lower row.

    VMs that rules keep together are placed with the first of them. Where the room wants all or
    nothing, the first VM without a host ends the search.
    """
    hosts = np.full(len(vms), -1, np.int64)
    considered = len(room.hosts)
    tie = pricing.tie(room)
    searches = [Search(considered, considered)] * len(vms)
    if not considered:
        return Placed(hosts, searches)
    with_others = expect_companies(room, vms)
    for index, (vm, costs, lowest) in enumerate(current_costs(room, vms, pricing)):
        if index in with_others:
            company = with_others[index]
            complete = _place_all_of(company, room, vms, pricing, costs, hosts, searches)
            if room.all_or_nothing and not complete:
                break
            continue
        position = room.cheapest(vm, costs, lowest, tie)
        if position >= 0:
            hosts[index] = room.hosts[position]
            searches[index] = Search(considered, 0, float(costs[position]))
            room.take(vm, position)
        elif room.all_or_nothing:
            break
        else:
            searches[index] = Search(considered, considered, 0.0, *room.why_full(vm))
    dismiss_companies(room, vms)
    return Placed(hosts, searches)


def _place_all_of(
    company: list[int], room: Room, vms: Ints, pricing: Pricing, costs: Floats, hosts: Ints,
    searches: list[Search],
) -> bool:  # fmt: skip
    """Place the VMs at some positions together; tell whether they found hosts.

    There are no positions where the VM has come along with another.
    """
    considered = len(room.hosts)
    found = place_company(room, vms[company], pricing, costs) if company else []
    for index, (position, cost) in zip(company, found, strict=False):
        hosts[index] = room.hosts[position]
        searches[index] = Search(considered, 0, cost)
    if company and not found:
        search = Search(considered, considered, 0.0, *room.why_full(int(vms[company[0]]), True))
        for index in company:
            searches[index] = search
    return bool(found) or not company


def place_bound_first(placement: Placement, room: Room, vms: Ints) -> Placed:
    """Place VMs that hard rules name before the others, which may go to more hosts.

    The result is in the order given.
    """
    rules = room.view.rules
    if rules is None:
        return placement.place(room, vms)
    named = rules.named(vms)
    order = np.concatenate([np.flatnonzero(named), np.flatnonzero(~named)])
    count = int(named.sum())
    first = placement.place(room, vms[order[:count]])
    then = placement.place(room, vms[order[count:]])
    hosts = np.concatenate([first.hosts, then.hosts])
    return _as_given(order, Placed(hosts, first.searches + then.searches))


def place_decreasing(room: Room, vms: Ints, pricing: Pricing) -> Placed:
    """Place the VMs with the largest need first; the result is in the order given."""
    return in_order(ascending(-room.need_mhz[vms], room.tie_mhz), room, vms, pricing)


def in_order(order: Ints, room: Room, vms: Ints, pricing: Pricing) -> Placed:
    """Place the VMs in the order of the given positions; the result is as they were given."""
    if len(vms) == 1:
        return place_each(room, vms, pricing)
    return _as_given(order, place_each(room, vms[order], pricing))


def _as_given(order: Ints, placed: Placed) -> Placed:
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return Placed(placed.hosts[back], [placed.searches[index] for index in back.tolist()])
