"""Hosts that sums say cannot be emptied are not tried, and nothing else is different for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from all_results import all_results
from builders import make_farm, make_hosts, make_vms
from farm_draws import CONTROLS, Mapping, farms, scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.models.base.arrays import Bools, Ints, sum_by
from farmsim.models.state.utilisation_history import Ring
from farmsim.policies.control import consolidation, dynamic_power
from farmsim.policies.interface.view import FarmView
from farmsim.policies.placement import sum_test
from farmsim.policies.placement.candidates import Candidates
from farmsim.policies.placement.placement import Placement
from farmsim.policies.placement_algorithms.best_fit import BestFit, BestFitDecreasing
from farmsim.policies.placement_algorithms.dot_product import DotProduct
from farmsim.policies.placement_algorithms.first_fit import FirstFit
from farmsim.policies.placement_algorithms.power_aware import PowerAwareBestFitDecreasing
from farmsim.policies.placement_algorithms.random_fit import RandomFit
from farmsim.policies.placement_algorithms.round_robin import RoundRobin
from farmsim.policies.placement_algorithms.worst_fit import WorstFit
from farmsim.sim.base.random_streams import Streams

PLACEMENTS: list[Placement] = [
    PowerAwareBestFitDecreasing(),
    BestFit(),
    BestFitDecreasing(),
    WorstFit(),
    FirstFit(),
    DotProduct(),
]
DRAIN = {"policy": "least_utilised", "below": "100 %", "drain_receivers": True}
OVERLOAD = [
    {"policy": "static_threshold", "threshold": "60 %"},
    {"policy": "local_regression", "samples": 3},
    {"policy": "median_absolute_deviation", "history": "host"},
    {"policy": "interquartile_range", "measure": "utilisation"},
]
DRAINS: list[Any] = [
    *({"policy": "consolidation", "overload": each, "drain": DRAIN} for each in OVERLOAD),
    {"policy": "consolidation", "placement": "random", "drain": DRAIN},
    {"policy": "consolidation", "placement": "dot_product"},
    {"policy": "dynamic_power", "placement": "first_fit", "target": "80 %"},
]
RESERVES: list[Any] = [
    {},
    {"kind": "share", "memory": "30 %", "cpu": "20 %"},
    {"kind": "hosts", "hosts": 1, "check": "sum"},
    {"kind": "hosts", "hosts": 1},
]
RULES: list[list[Mapping]] = [
    [],
    [{"name": "apart", "type": "apart", "vms": ["vm-1", "vm-2"]}],
    [{"name": "together", "type": "together", "vms": ["vm-1", "vm-3"]}],
    [{"name": "soft", "type": "together", "vms": ["vm-1", "vm-3"], "penalty": 2}],
]
FEW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def all_of_them(
    candidates: Candidates, placement: Placement, order: Ints, home: Ints, staying: Bools
) -> Iterator[int]:
    del candidates, placement, home, staying
    yield from order.tolist()


def without_the_test(patch: pytest.MonkeyPatch) -> None:
    for module in (consolidation, dynamic_power):
        patch.setattr(module, "worth_trying", all_of_them)


@FEW
@given(
    drawn=farms(
        control=st.sampled_from([*CONTROLS[1:], *DRAINS, *DRAINS]), rules=st.sampled_from(RULES)
    ),
    reserve=st.sampled_from(RESERVES),
    memory=st.sampled_from(["7 GiB", "9 GiB", "24 GiB"]),
)
def test_nothing_changes_for_what_is_not_tried(
    drawn: Mapping, reserve: Any, memory: str, tmp_path: Path
) -> None:
    made = scenario(drawn, tmp_path)
    made["policies"] |= {"reserve": reserve} if reserve else {}
    for group in made["farm"]["hosts"]:
        group["server"]["memory"] = memory
    here = all_results(farmsim.run(farmsim.Scenario.of(made, tmp_path)))
    with pytest.MonkeyPatch.context() as patch:
        without_the_test(patch)
        there = all_results(farmsim.run(farmsim.Scenario.of(made, tmp_path)))
    assert here == there


def drawn_candidates(seed: int) -> tuple[Candidates, Ints]:
    """Return crowded candidates and the host of each VM."""
    rng = np.random.default_rng(seed)
    count, vms = int(rng.integers(2, 7)), int(rng.integers(1, 25))
    capacity = rng.choice([1000.0, 2000.0], count)
    hosts = make_hosts(capacity.tolist(), core_mhz=2000.0)
    need, need_mib = rng.choice([0.0, 50.5, 180.3, 400.0], vms), rng.choice([256.0, 870.0], vms)
    home = rng.integers(0, count, vms)
    used_mib = sum_by(home, weights=need_mib, minlength=count)
    hosts.memory_mib[:] = used_mib + rng.choice([1.0, 300.0, 900.0, 3000.0], count)
    farm = make_farm(hosts, make_vms(need.tolist(), need_mib.tolist()))
    farm.start(np.ones(count, bool))
    farm.place(np.arange(vms), home, 0.0)
    view = FarmView(farm, Ring(0, vms), Ring(0, count), Streams(1))
    load = sum_by(home, weights=need, minlength=count)
    among = np.flatnonzero(rng.random(count) < 0.9)
    candidates = Candidates(view, among, need, load, capacity)
    if rng.random() < 0.6:
        signal = need * rng.choice([1.0, 1.3, -0.5], vms)
        host_signal = sum_by(home, weights=signal, minlength=count)
        candidates.apply_linear_test(signal, host_signal, capacity * rng.choice([0.4, 0.9]))
    candidates.all_or_nothing = True
    return candidates, home


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6), placement=st.sampled_from(PLACEMENTS))
def test_no_host_that_can_be_emptied_is_left_out(seed: int, placement: Placement) -> None:
    candidates, home = drawn_candidates(seed)
    staying = np.random.default_rng(seed).random(len(home)) < 0.8
    hosts = np.arange(len(candidates.view.hosts))
    columns = candidates.load_mhz, candidates.free_mhz, candidates.memory_free_mib
    left = [column.tolist() for column in columns]
    possible = sum_test.may_fit(candidates, hosts, home, staying)
    for host in hosts.tolist():
        candidate = candidates.positions(np.array([host]))[0] >= 0
        if candidate:
            candidates.close(np.array([host]))
        before = candidates.mark()
        placed = placement.place(candidates, np.flatnonzero(staying & (home == host)))
        assert possible[host] or -1 in placed.hosts
        candidates.undo_to(before)
        if candidate:
            candidates.open(np.array([host]))
        assert [column.tolist() for column in columns] == left  # not even rounding is left


def crowded(placement: Placement) -> list[int]:
    """Return the hosts tried of three: 12 VMs in all, and memory for 5 on each."""
    farm = make_farm(make_hosts([4000.0] * 3), make_vms([100.0] * 12, [1000.0] * 12))
    farm.hosts.memory_mib[:] = 5100.0
    farm.start(np.ones(3, bool))
    home = np.arange(12) % 3
    farm.place(np.arange(12), home, 0.0)
    view = FarmView(farm, Ring(0, 12), Ring(0, 3), Streams(1))
    load, capacity = np.full(3, 400.0), np.full(3, 4000.0)
    candidates = Candidates(view, np.arange(3), np.full(12, 100.0), load, capacity)
    candidates.all_or_nothing = True
    order, staying = np.array([2, 0, 1]), np.ones(12, bool)
    return list(sum_test.worth_trying(candidates, placement, order, home, staying))


def test_a_full_farm_is_not_tried_at_all() -> None:
    assert crowded(FirstFit()) == []


@pytest.mark.parametrize("placement", [RandomFit(), RoundRobin()])
def test_placements_that_draw_or_count_try_all_hosts(placement: Placement) -> None:
    assert crowded(placement) == [2, 0, 1]


def test_placements_of_users_try_all_hosts() -> None:
    class Mine(FirstFit):
        pass

    assert crowded(Mine()) == [2, 0, 1]
