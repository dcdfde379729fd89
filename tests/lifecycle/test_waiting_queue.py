"""The queue per kind against one sorted list, and counts kept up against counts made anew."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.sim.lifecycle.unmet_needs import MAX_NEEDS, UnmetNeeds
from farmsim.sim.lifecycle.waiting_queue import WaitingQueue

VMS = 12
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, VMS - 1), st.booleans()),
        st.tuples(st.just("remove"), st.integers(0, VMS - 1), st.booleans()),
        st.tuples(st.just("look"), st.integers(1, 9), st.sets(st.integers(0, 3))),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(
    steps=STEPS,
    kinds=st.lists(st.integers(0, 3), min_size=VMS, max_size=VMS),
    priorities=st.lists(st.integers(0, 2), min_size=VMS, max_size=VMS),
)
def test_the_first_of_all_kinds_are_the_first_of_one_list(
    steps: list[Any], kinds: list[int], priorities: list[int]
) -> None:
    queue = WaitingQueue(np.array(kinds), np.array(priorities))
    waiting: dict[int, tuple[int, int, int]] = {}
    for number, (what, which, more) in enumerate(steps):
        if what == "add":
            queue.add(np.array([which]), first=more)
            waiting[which] = (0 if more else 1, -priorities[which], number)
        elif what == "remove":
            queue.remove(np.array([which]))
            waiting.pop(which, None)
        else:
            line = sorted((rank, vm) for vm, rank in waiting.items() if kinds[vm] not in more)
            alike = [vm for rank, vm in line if rank[:2] == line[0][0][:2]]
            assert queue.leading(more, which) == alike[:which]
        assert len(queue) == len(waiting)
        assert queue.waiting().tolist() == sorted(waiting)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), needs=st.sampled_from([3, MAX_NEEDS + 3]))
def test_what_hosts_lack_is_counted_as_if_anew(seed: int, needs: int) -> None:
    rng = np.random.default_rng(seed)
    free_mhz, free_mib = rng.choice([0.0, 5.0, 9.0], 6), rng.choice([-1.0, 0.0, 7.0], 6)
    wanted = [(float(mhz), float(mib)) for mhz, mib in rng.integers(1, 12, (needs, 2)).tolist()]
    unmet = UnmetNeeds(free_mhz, free_mib, 0.5)
    for _ in range(80):
        need = wanted[int(rng.integers(needs))]
        if rng.random() < 0.5:
            awake = free_mib >= 0
            no_cpu = awake & (free_mhz < need[0] - 0.5)
            no_memory = awake & ~no_cpu & (free_mib < need[1])
            fits = (free_mhz >= need[0] - 0.5) & (free_mib >= need[1])
            assert not (unmet.is_known(need) and fits.any())
            search = unmet.search(need)
            assert (search.considered, search.full) == (awake.sum(), awake.sum())
            assert (search.no_cpu, search.no_memory) == (no_cpu.sum(), no_memory.sum())
            assert unmet.is_known(need) == (not fits.any())
        host = int(rng.integers(6))
        mhz, mib = float(rng.choice([0.0, 8.0, 11.0])), float(rng.choice([-1.0, 3.0, 12.0]))
        unmet.change(host, mhz, mib)
        free_mhz[host], free_mib[host] = mhz, mib
