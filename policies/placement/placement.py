"""What a placement policy is, and the loop that all of them share."""

from typing import Protocol, runtime_checkable

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.ties import ascending
from ..interface.plan import Search
from .affinity_groups import expect_groups, place_affinity_group, settle_groups
from .candidates import Candidates
from .capacity_index import CapacityIndex
from .host_costs import Pricing, current_costs


@dataclass(frozen=True)
class Placed:
    """A host row per VM (−1: none fits) and how each was looked for.

    ``hosts`` is (vms,) in the order of the VMs given, rows of the farm and not positions;
    ``searches`` has as many entries.
    """

    hosts: Ints
    searches: list[Search]


class Placement(Protocol):
    """Maps VMs to hosts.

    A placement whose choice also depends on random numbers or on its previous choice sets the class
    variable ``repeatable = False``; a trial placement, as in the check of a reserve, then proves
    nothing.
    """

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Place VMs one after another on the candidates.

        ``vms``, (n,), are rows. ``candidates`` holds what was taken afterwards, so that the next
        call places VMs beside these. A VM without room is answered by −1, never by an error.
        """
        ...


@runtime_checkable
class IndexedPlacement(Protocol):
    """A placement that also places single VMs from an index of what hosts have left."""

    def capacity_index(self, free_mhz: Floats, free_mib: Floats, tie_mhz: float) -> CapacityIndex:
        """Return the index of hosts, by row, with so much CPU in MHz and memory in MiB left.

        CPU within ``tie_mhz`` of each other counts as equal.
        """
        ...


def place_each(candidates: Candidates, vms: Ints, pricing: Pricing) -> Placed:
    """Give each VM in turn the cheapest host that has capacity for it; equal costs: lower row.

    VMs that rules keep together are placed with the first of them. Where the room wants all or
    nothing, the first VM without a host ends the search.

    ``vms``, (n,), are rows, placed in the order given; the result is in this order, too.
    """
    hosts = np.full(len(vms), -1, np.int64)
    considered = len(candidates.hosts)
    tie = pricing.tie(candidates)
    searches = [Search(considered, considered)] * len(vms)
    if not considered:
        return Placed(hosts, searches)
    with_others = expect_groups(candidates, vms)
    for index, (vm, costs, lowest) in enumerate(current_costs(candidates, vms, pricing)):
        if index in with_others:
            group = with_others[index]
            complete = _place_all_of(group, candidates, vms, pricing, costs, hosts, searches)
            if candidates.all_or_nothing and not complete:
                break
            continue
        position = candidates.cheapest(vm, costs, lowest, tie)
        if position >= 0:
            hosts[index] = candidates.hosts[position]
            searches[index] = Search(considered, 0, float(costs[position]))
            candidates.take(vm, position)
        elif candidates.all_or_nothing:
            break
        else:
            searches[index] = Search(considered, considered, 0.0, *candidates.why_full(vm))
    settle_groups(candidates, vms)
    return Placed(hosts, searches)


def _place_all_of(
    group: list[int],
    candidates: Candidates,
    vms: Ints,
    pricing: Pricing,
    costs: Floats,
    hosts: Ints,
    searches: list[Search],
) -> bool:
    """Place the VMs at some positions together; return whether they found hosts.

    There are no positions where the VM has come along with another.
    """
    considered = len(candidates.hosts)
    found = place_affinity_group(candidates, vms[group], pricing, costs) if group else []
    for index, (position, cost) in zip(group, found, strict=False):
        hosts[index] = candidates.hosts[position]
        searches[index] = Search(considered, 0, cost)
    if group and not found:
        search = Search(considered, considered, 0.0, *candidates.why_full(int(vms[group[0]]), True))
        for index in group:
            searches[index] = search
    return bool(found) or not group


def place_bound_first(placement: Placement, candidates: Candidates, vms: Ints) -> Placed:
    """Place VMs that hard rules name before the others, which may go to more hosts.

    The result is in the order given.
    """
    rules = candidates.view.rules
    if rules is None:
        return placement.place(candidates, vms)
    named = rules.named(vms)
    order = np.concatenate([np.flatnonzero(named), np.flatnonzero(~named)])
    count = int(named.sum())
    first = placement.place(candidates, vms[order[:count]])
    then = placement.place(candidates, vms[order[count:]])
    hosts = np.concatenate([first.hosts, then.hosts])
    return _in_given_order(order, Placed(hosts, first.searches + then.searches))


def place_decreasing(candidates: Candidates, vms: Ints, pricing: Pricing) -> Placed:
    """Place the VMs with the largest need first; the result is in the order given.

    With one resource and equal hosts, first fit and best fit in decreasing order use at most 11/9
    of the least number of hosts plus a constant (Johnson et al., SIAM Journal on Computing 3,
    1974). Equal needs keep the order given.
    """
    return in_order(
        ascending(-candidates.need_mhz[vms], candidates.tie_mhz), candidates, vms, pricing
    )


def in_order(order: Ints, candidates: Candidates, vms: Ints, pricing: Pricing) -> Placed:
    """Place the VMs in the order of the given positions; the result is as they were given.

    ``order`` is a permutation of the positions of ``vms``.
    """
    if len(vms) == 1:
        return place_each(candidates, vms, pricing)
    return _in_given_order(order, place_each(candidates, vms[order], pricing))


def _in_given_order(order: Ints, placed: Placed) -> Placed:
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return Placed(placed.hosts[back], [placed.searches[index] for index in back.tolist()])
