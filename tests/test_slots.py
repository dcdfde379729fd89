"""Places for moves at hosts: never too many, the longest waiting first, none held in vain."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.sim.clock import Clock
from farmsim.sim.slots import Slots


def test_a_waiting_move_holds_nothing() -> None:
    clock = Clock()
    slots = Slots(clock, per_host=1)
    first = slots.take(0, 1)
    second = slots.take(1, 2)
    third = slots.take(2, 3)
    assert (first.triggered, second.triggered, third.triggered) == (True, False, True)
    slots.give_back(first, 0, 1)
    assert not second.triggered
    slots.give_back(third, 2, 3)
    assert second.triggered


def test_the_farm_as_a_whole_has_a_limit() -> None:
    slots = Slots(Clock(), per_host=9, in_all=2)
    events = [slots.take(2 * index, 2 * index + 1) for index in range(4)]
    assert [event.triggered for event in events] == [True, True, False, False]
    slots.give_back(events[0], 0, 1)
    assert [event.triggered for event in events] == [True, True, True, False]
    slots.give_back(events[3], 6, 7)
    slots.give_back(events[1], 2, 3)
    assert not events[3].triggered


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda m: m[0] != m[1])),
    st.integers(1, 3),
    st.integers(0, 4),
    st.randoms(use_true_random=False),
)
def test_never_too_many_and_everybody_comes_in_the_end(
    moves: list[tuple[int, int]], per_host: int, in_all: int, random: Random
) -> None:
    slots = Slots(Clock(), per_host, in_all)
    open_moves = [(slots.take(*ends), ends) for ends in moves]
    begun = 0
    while open_moves:
        running = [each for each in open_moves if each[0].triggered]
        for host in range(6):
            assert sum(host in ends for _, ends in running) <= per_host
        assert not in_all or len(running) <= in_all
        assert running, "somebody waits while nobody moves"
        chosen = random.choice(running)
        open_moves.remove(chosen)
        slots.give_back(chosen[0], *chosen[1])
        begun += 1
    assert begun == len(moves)
