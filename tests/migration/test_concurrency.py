"""Positions for moves: never too many, the first in rank first, none held in vain."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.migration.course import Guest
from farmsim.models.migration.dirty_pages import BYTES_PER_MEGABIT
from farmsim.models.migration.suspend_resume import Cold, SuspendResume
from farmsim.models.network.network import Network
from farmsim.models.network.transport import PLAIN
from farmsim.sim.base.clock import Clock
from farmsim.sim.migration.concurrency import (
    ConcurrencyLimits,
    LinkPayloads,
    MigrationDemand,
    Order,
    Slots,
)

NETWORK = Network.two_tier(6, 2, 1000.0, 2500.0, 1e-4)
"""Three racks of two hosts, ports of 1 Gbit/s, uplinks of 2.5 Gbit/s."""


def slots(
    per_host: int = 9, in_all: int = 0, per_link: int = 0, order: Order = "parallel"
) -> Slots:
    limits = ConcurrencyLimits(per_host, in_all, per_link, order)
    return Slots(Clock(), limits, LinkPayloads(NETWORK, PLAIN))


def test_a_waiting_move_holds_nothing() -> None:
    places = slots(per_host=1)
    first = places.take(0, 1)
    second = places.take(1, 2)
    third = places.take(2, 3)
    assert (first.triggered, second.triggered, third.triggered) == (True, False, True)
    places.release(first)
    assert not second.triggered
    places.release(third)
    assert second.triggered


def test_the_farm_as_a_whole_has_a_limit() -> None:
    places = slots(in_all=2)
    events = [places.take(index, index + 1) for index in range(4)]
    assert [event.triggered for event in events] == [True, True, False, False]
    places.release(events[0])
    assert [event.triggered for event in events] == [True, True, True, False]
    places.release(events[3])
    places.release(events[1])
    assert not events[3].triggered


def test_serial_is_one_after_another_in_order_of_priority() -> None:
    places = slots(order="serial")
    first, low, high = (places.take(*at) for at in ((0, 1), (2, 3), (4, 5)))
    urgent = places.take(0, 2, MigrationDemand(priority=1))
    done = []
    for now in (first, urgent, low, high):
        assert now.triggered
        done.append(now)
        assert sum(each.triggered for each in (first, low, high, urgent)) == len(done)
        places.release(now)


def test_a_link_has_a_limit_in_each_direction() -> None:
    places = slots(per_link=1)
    up = places.take(0, 2)
    also_up = places.take(1, 4)
    down = places.take(3, 1)
    within = places.take(4, 5)
    # Rack 1 has one uplink: the second move out of it waits, one into it does not.
    assert [each.triggered for each in (up, also_up, down, within)] == [True, False, True, True]
    places.release(up)
    # Its own port 4 receives nothing yet, and the uplink is free.
    assert also_up.triggered


def test_planned_moves_share_no_bottleneck_and_the_longest_comes_first() -> None:
    places = slots(order="planned")
    first = places.take(0, 2, MigrationDemand(size_bytes=1e9))
    same_port = places.take(0, 4, MigrationDemand(size_bytes=2e9))
    longer = places.take(0, 5, MigrationDemand(size_bytes=3e9))
    other_port = places.take(1, 3, MigrationDemand(size_bytes=1e9))
    third_half = places.take(
        1, 4, MigrationDemand(size_bytes=1e9, cap_bytes_s=500 * BYTES_PER_MEGABIT)
    )
    assert [each.triggered for each in (first, same_port, longer)] == [True, False, False]
    # The uplink of 2.5 Gbit/s carries two ports, but port 1 has nothing left for half of one.
    assert other_port.triggered
    assert not third_half.triggered
    places.release(first)
    assert longer.triggered
    assert not same_port.triggered
    places.release(other_port)
    assert third_half.triggered


def test_priority_comes_before_length_among_moves_asked_for_at_once() -> None:
    claims = [
        MigrationDemand(0, 1e9),
        MigrationDemand(0, 5e9),
        MigrationDemand(2, 1e6),
        MigrationDemand(0, 1e9),
    ]
    ends = [(0, 2), (0, 3), (0, 4), (0, 5)]
    assert slots(order="planned").ranked(ends, claims) == [2, 1, 0, 3]
    assert slots().ranked(ends, claims) == [2, 0, 1, 3]


def test_a_move_claims_what_its_model_sends() -> None:
    guest = Guest(memory_bytes=4e9, disk_bytes=1e9)
    assert MigrationDemand.of(SuspendResume(), guest, 3) == MigrationDemand(3, 4e9)
    limited = SuspendResume(max_bandwidth_mbps=8.0, storage="with")
    assert MigrationDemand.of(limited, guest, 0) == MigrationDemand(0, 5e9, 1e6)
    assert MigrationDemand.of(Cold(storage="before"), guest, 0).size_bytes == 1e9
    assert MigrationDemand.of(object(), guest, 0).size_bytes == 4e9


def loads(running: list[tuple[int, int]]) -> np.ndarray:
    """Return how many moves cross each direction of a link."""
    crossed = np.zeros(len(NETWORK), int)
    for ends in running:
        crossed[NETWORK.route(*ends)] += 1
    return crossed


@pytest.mark.parametrize("order", ["parallel", "serial", "planned"])
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2), st.integers(1, 9))
        .filter(lambda move: move[0] != move[1])
    ),
    st.integers(1, 3), st.integers(0, 4), st.integers(0, 2), st.randoms(use_true_random=False),
)  # fmt: skip
def test_never_too_many_and_everybody_comes_in_the_end(
    order: Order, moves: list[tuple[int, int, int, int]], per_host: int, in_all: int,
    per_link: int, random: Random,
) -> None:  # fmt: skip
    places = slots(per_host, in_all, per_link, order)
    asked = [
        (places.take(source, target, MigrationDemand(priority, size * 1e9)), (source, target))
        for source, target, priority, size in moves
    ]
    begun = 0
    while asked:
        running = [each for each in asked if each[0].triggered]
        ends = [each[1] for each in running]
        for host in range(6):
            assert sum(host in each for each in ends) <= per_host
        assert len(running) <= (1 if order == "serial" else in_all or len(running))
        assert not per_link or loads(ends).max() <= per_link
        if order == "planned":
            assert np.all(loads(ends) * 1000.0 <= NETWORK.capacity_mbps)
        assert running, "somebody waits while nobody moves"
        chosen = random.choice(running)
        asked.remove(chosen)
        places.release(chosen[0])
        begun += 1
    assert begun == len(moves)
