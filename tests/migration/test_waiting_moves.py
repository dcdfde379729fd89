"""Moves that wait for room: every VM arrives, memory is never exceeded, nothing waits for ever."""

from dataclasses import dataclass, field
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.base.arrays import Floats, Ints
from farmsim.policies.control.move_order import (
    STORAGE,
    PendingMigrations,
    choose_unblocking,
    eventually_feasible,
    feasible_now,
)


@dataclass
class Shelf:
    """Hosts of some memory and VMs on them; moves take room at both ends until they end."""

    capacity_mib: Floats
    size_mib: Floats
    place: Ints
    under_way: list[tuple[int, int]] = field(default_factory=list)
    aside: set[int] = field(default_factory=set)
    stored: list[int] = field(default_factory=list)

    def free_mib(self) -> Floats:
        used = np.zeros(len(self.capacity_mib))
        on_hosts = self.place >= 0
        np.add.at(used, self.place[on_hosts], self.size_mib[on_hosts])
        for vm, target in self.under_way:
            used[target] += self.size_mib[vm]
        free = self.capacity_mib - used
        assert np.all(free >= 0), "memory exceeded"
        return free

    def moves(self, targets: Ints, vms: Ints, priority: Ints) -> PendingMigrations:
        size = self.size_mib[vms]
        return PendingMigrations(vms, self.place[vms], targets[vms], priority[vms], size, size)

    def hosts_for(self, vm: int) -> Ints:
        fits = self.free_mib() >= self.size_mib[vm]
        fits[self.place[vm]] = False
        return np.flatnonzero(fits)

    def end(self, index: int) -> None:
        vm, target = self.under_way.pop(index)
        self.place[vm] = target


def carry_out(shelf: Shelf, targets: Ints, priority: Ints, random: Random) -> None:
    """Carry out all moves that have room in the end, those under way ending in any order."""
    wanted = np.flatnonzero(shelf.place != targets)
    moves = shelf.moves(targets, wanted, priority)
    left = set(wanted[eventually_feasible(moves, shelf.free_mib())].tolist())
    refused = set(wanted.tolist()) - left
    at_first = shelf.place.copy()
    steps = 0
    while left or shelf.under_way:
        steps += 1
        assert steps < 1000, "moves go round in circles"
        busy = {vm for vm, _ in shelf.under_way}
        ready = np.array(sorted(left - busy), np.int64)
        waiting = shelf.moves(targets, ready, priority)
        begun = ready[feasible_now(waiting, shelf.free_mib())] if len(ready) else ready
        shelf.under_way += [(vm, int(targets[vm])) for vm in begun.tolist()]
        left -= set(begun.tolist())
        if not shelf.under_way and left:
            sent = np.isin(ready, list(shelf.aside))
            storable = np.ones(len(ready), bool)
            way = choose_unblocking(waiting, shelf.free_mib(), sent, storable, shelf.hosts_for)
            assert way is not None
            position, host = way
            vm = int(ready[position])
            if host == STORAGE:
                assert vm not in shelf.stored
                shelf.stored.append(vm)
                shelf.place[vm] = STORAGE
            else:
                assert vm not in shelf.aside
                shelf.aside.add(vm)
                shelf.under_way.append((vm, host))
        shelf.free_mib()
        if shelf.under_way:
            shelf.end(random.randrange(len(shelf.under_way)))
    for vm, target in enumerate(targets.tolist()):
        assert shelf.place[vm] == (at_first[vm] if vm in refused else target)


@st.composite
def farms(draw: st.DrawFn) -> tuple[Shelf, Ints, Ints, bool]:
    """Two placements that fit, and whether nothing but their difference is drawn."""
    hosts = draw(st.integers(2, 5))
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=12))
    somewhere = st.lists(st.integers(0, hosts - 1), min_size=len(sizes), max_size=len(sizes))
    here, there = np.array(draw(somewhere)), np.array(draw(somewhere))
    both = draw(st.booleans())
    size_mib = np.array(sizes, float)
    need = np.bincount(here, weights=size_mib, minlength=hosts)
    if both:
        need = np.maximum(need, np.bincount(there, weights=size_mib, minlength=hosts))
    slack = draw(st.lists(st.integers(0, 2), min_size=hosts, max_size=hosts))
    priority = np.array(draw(st.lists(st.integers(0, 2), min_size=len(sizes), max_size=len(sizes))))
    return Shelf(need + np.array(slack), size_mib, here.copy()), there, priority, both


@settings(max_examples=400, deadline=None)
@given(farms(), st.randoms(use_true_random=False))
def test_every_vm_ends_where_the_plan_said(
    drawn: tuple[Shelf, Ints, Ints, bool], random: Random
) -> None:
    shelf, targets, priority, both = drawn
    carry_out(shelf, targets, priority, random)
    if both:
        assert np.array_equal(shelf.place, targets)


def shelf(capacity: list[float], sizes: list[float], place: list[int]) -> Shelf:
    return Shelf(np.array(capacity), np.array(sizes), np.array(place))


NONE = np.zeros(9, np.int64)


def test_a_chain_is_carried_out_from_its_end() -> None:
    chain = shelf([4, 4, 4], [4, 4], [0, 1])
    targets = np.array([1, 2])
    waiting = chain.moves(targets, np.arange(2), NONE)
    assert eventually_feasible(waiting, chain.free_mib()).all()
    assert feasible_now(waiting, chain.free_mib()).tolist() == [1]
    carry_out(chain, targets, NONE, Random(1))
    assert not chain.aside


def test_a_cycle_is_broken_by_the_smallest_vm_that_makes_room() -> None:
    # Two of 2 GiB against one of 4: only the large one makes room for a small one and no less.
    cycle = shelf([4, 4, 4], [2, 2, 4], [0, 0, 1])
    carry_out(cycle, np.array([1, 1, 0]), NONE, Random(1))
    assert cycle.aside == {2}
    assert not cycle.stored


def test_without_a_third_host_a_vm_goes_to_storage() -> None:
    cycle = shelf([4, 4], [4, 4], [0, 1])
    carry_out(cycle, np.array([1, 0]), np.array([1, 0]), Random(1))
    assert cycle.stored == [1]


def test_the_vm_of_low_priority_makes_room() -> None:
    cycle = shelf([4, 4, 4], [4, 4], [0, 1])
    carry_out(cycle, np.array([1, 0]), np.array([0, 1]), Random(1))
    assert cycle.aside == {0}


def test_a_move_that_blocks_nobody_lets_the_others_pass() -> None:
    # Both could begin at host 2; only the second makes room that the third waits for.
    crowded = shelf([4, 4, 8, 4], [4, 4, 4, 4], [0, 1, 2, 2])
    targets = np.array([2, 2, 1, 3])
    crowded.place[3] = 3
    waiting = crowded.moves(targets, np.array([0, 1, 2]), NONE)
    assert feasible_now(waiting, crowded.free_mib()).tolist() == [1]


def test_what_never_fits_is_left_out_with_what_depends_on_it() -> None:
    # Nothing leaves host 2, so the first stays on host 0, and so the second has no room there.
    full = shelf([4, 4, 4], [4, 4, 4], [0, 1, 2])
    moves = full.moves(np.array([2, 0, 2]), np.array([0, 1]), NONE)
    assert not eventually_feasible(moves, full.free_mib()).any()


def test_there_is_no_way_out_for_vms_that_can_neither_step_aside_nor_stand_still() -> None:
    cycle = shelf([4, 4], [4, 4], [0, 1])
    waiting = cycle.moves(np.array([1, 0]), np.arange(2), NONE)
    one = np.array([True, False])
    assert choose_unblocking(waiting, cycle.free_mib(), ~one, one, cycle.hosts_for) is None
