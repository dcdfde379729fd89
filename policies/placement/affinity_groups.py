"""Placement of affinity groups: all VMs of a group are placed, or none."""

from ...models.base.arrays import Floats, Ints
from ...models.hardware.racks_and_sites import LEVELS
from .candidates import Candidates
from .host_costs import Pricing, costs_now


def affinity_groups(candidates: Candidates, vms: Ints) -> list[list[int]]:
    """Return positions of VMs in groups that hard rules keep together, as they first come up.

    ``vms``, (n,), are rows; every position is in exactly one group. Without rules each VM is a
    group.
    """
    if candidates.occupancy is None:
        return [[position] for position in range(len(vms))]
    at = {vm: position for position, vm in enumerate(vms.tolist())}
    seen: set[int] = set()
    groups = []
    for vm, position in at.items():
        if vm not in seen:
            others = [each for each in candidates.view.affinity_group(vm).tolist() if each in at]
            groups.append([position, *(at[each] for each in others if each != vm)])
            seen.update(others)
    return groups


def expect_groups(candidates: Candidates, vms: Ints) -> dict[int, list[int]]:
    """Let VMs of a company be placed without regard to where the others of it still are.

    Returns the positions of its VMs at that of its first, and an empty list at those of the
    others. VMs by themselves are not in it.
    """
    found: dict[int, list[int]] = {}
    for group in affinity_groups(candidates, vms) if candidates.occupancy is not None else ():
        if len(group) > 1:
            found |= {group[0]: group} | {other: [] for other in group[1:]}
    if found:
        assert candidates.occupancy is not None
        candidates.occupancy.expect(vms[list(found)])
    return found


def settle_groups(candidates: Candidates, vms: Ints) -> None:
    """Note that VMs have been placed, or stay where they are."""
    if candidates.occupancy is not None:
        candidates.occupancy.give_up(vms)


def place_affinity_group(
    candidates: Candidates, vms: Ints, pricing: Pricing, costs: Floats
) -> list[tuple[int, float]]:
    """Place all of some VMs, or none; return position and cost of each, empty for none.

    The first VM leads: its hosts are tried in the order of its ``costs``, and the others take the
    cheapest that is then left to them. Of each domain that they must share one host is tried.
    Whoever watches for overload is requested the others only.
    """
    leader, others = int(vms[0]), vms[1:]
    domain = _shared_domain(candidates, leader)[candidates.hosts]
    failed: set[int] = set()
    for position in candidates.ranked(leader, costs, pricing.tie(candidates)).tolist():
        if int(domain[position]) in failed:
            continue
        before = candidates.mark()
        candidates.take(leader, position)
        found = [(position, float(costs[position])), *_follow(candidates, others, pricing)]
        if len(found) == len(vms):
            return found
        candidates.undo_to(before)
        failed.add(int(domain[position]))
    return []


def _follow(candidates: Candidates, vms: Ints, pricing: Pricing) -> list[tuple[int, float]]:
    """Place VMs one after another until one does not fit."""
    found: list[tuple[int, float]] = []
    for index, vm in enumerate(vms.tolist()):
        costs, lowest = costs_now(candidates, vms[index : index + 1], pricing)
        position = candidates.cheapest(vm, costs, lowest, pricing.tie(candidates))
        if position < 0:
            break
        found.append((position, float(costs[position])))
        candidates.take(vm, position)
    return found


def _shared_domain(candidates: Candidates, vm: int) -> Ints:
    """Return, per host of the farm, the narrowest domain that a VM has to share."""
    rules = candidates.view.rules
    assert rules is not None
    levels = [
        rules.all[index].level for index in rules.hard(vm) if rules.all[index].kind == "together"
    ]
    return rules.domains.of(min(levels, key=LEVELS.index))
