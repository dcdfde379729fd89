"""Shelves give the host that their placement policy gives in a room with the same columns."""

from typing import Any

import numpy as np
import pytest
from builders import make_farm, make_hosts, make_vms
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.base.arrays import Floats
from farmsim.models.state.utilisation_history import Ring
from farmsim.policies.catalogue import POLICIES
from farmsim.policies.interface.view import FarmView
from farmsim.policies.placement import capacity_index as shelves
from farmsim.policies.placement import sorted_hosts as host_order
from farmsim.policies.placement.candidates import Candidates
from farmsim.policies.placement.placement import IndexedPlacement
from farmsim.policies.placement_algorithms.best_fit import BestFit
from farmsim.policies.placement_algorithms.first_fit import FirstFit
from farmsim.policies.placement_algorithms.worst_fit import WorstFit
from farmsim.sim.base.random_streams import Streams

PLACEMENTS: list[Any] = [BestFit(), WorstFit(), FirstFit()]
BASE_MHZ = 2**52 + 1.0
"""Near it, numbers differ by 1, so that what is left of a half rounds to the same."""


def room_of(
    free_mhz: Floats, free_mib: Floats, need_mhz: float, need_mib: float, tie_mhz: float
) -> Candidates:
    """A room of hosts with these free columns and this tolerance, and one VM."""
    count = len(free_mhz)
    hosts = make_hosts([1.0] * count, core_mhz=np.inf)
    hosts.memory_mib[:] = free_mib
    farm = make_farm(hosts, make_vms([need_mhz], [need_mib]))
    farm.start(np.ones(count, bool))
    view = FarmView(farm, Ring(0, 1), Ring(0, count), Streams(1), slow_cores=True)
    candidates = Candidates(view, np.arange(count), np.array([need_mhz]), np.zeros(count), free_mhz)
    candidates.tie_mhz = candidates._scalars._tie_mhz = tie_mhz
    return candidates


def columns(rng: np.random.Generator, count: int, kind: str) -> tuple[Floats, Floats]:
    """Free columns as whole cores, as any amounts, or so near each other that rounding counts."""
    if kind == "cores":
        cores, blocks = rng.integers(-1, 9, (2, count)).astype(np.float64)
        return cores * 2500.0, blocks * 4096.0
    if kind == "any":
        return rng.uniform(-1, 20000, count), rng.uniform(-1, 32768, count)
    steps, blocks = rng.integers(0, 4, (2, count)).astype(np.float64)
    return BASE_MHZ + steps, blocks * 1024.0


def need(rng: np.random.Generator, kind: str) -> tuple[float, float]:
    free_mhz, free_mib = columns(rng, 1, kind)
    if kind == "near":
        return float(rng.choice([0.5, 1.0, BASE_MHZ, BASE_MHZ + 2])), float(free_mib[0])
    return abs(float(free_mhz[0])), abs(float(free_mib[0]))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 90),
    placement=st.sampled_from(PLACEMENTS),
    kind=st.sampled_from(["cores", "any", "near"]),
    most_needs=st.sampled_from([1, 3, 32]),
)
def test_a_shelf_finds_what_the_policy_finds(
    seed: int, count: int, placement: Any, kind: str, most_needs: int
) -> None:
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host_order, "BLOCK_ROWS", 4)
        patch.setattr(shelves, "BLOCK", 4)
        patch.setattr(shelves, "MAX_NEEDS", most_needs)
        free_mhz, free_mib = columns(rng, count, kind)
        tie_mhz = float(rng.choice([0.0, 1e-6, 1.0, 3000.0]))
        capacity_index = placement.capacity_index(free_mhz.copy(), free_mib.copy(), tie_mhz)
        for _ in range(12):
            need_mhz, need_mib = need(rng, kind)
            candidates = room_of(free_mhz, free_mib, need_mhz, need_mib, tie_mhz)
            expected = int(placement.place(candidates, np.array([0])).hosts[0])
            assert capacity_index.find(need_mhz, need_mib) == expected
            for host in rng.integers(0, count, rng.integers(0, 40)).tolist():
                one_mhz, one_mib = columns(rng, 1, kind)
                free_mhz[host], free_mib[host] = one_mhz[0], one_mib[0]
                capacity_index.update(host, one_mhz[0], one_mib[0])


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_shelf_filled_one_by_one_is_filled_like_a_room(placement: Any) -> None:
    """500 VMs onto 40 hosts, until nothing fits; then hosts that leave are not found."""
    rng = np.random.default_rng(3)
    cores, memory_mib = rng.integers(1, 9, (2, 500)).astype(np.float64)
    cores, memory_mib = cores * 2500.0, memory_mib * 4096.0
    hosts = make_hosts([40 * 2500.0] * 40, core_mhz=np.inf)
    hosts.memory_mib[:] = 40 * 4096.0
    farm = make_farm(hosts, make_vms(cores.tolist(), memory_mib.tolist()))
    farm.start(np.ones(40, bool))
    view = FarmView(farm, Ring(0, 500), Ring(0, 40), Streams(1), slow_cores=True)
    candidates = Candidates(view, np.arange(40), cores, np.zeros(40), hosts.cpu_mhz)
    free_mhz, free_mib = hosts.cpu_mhz.copy(), hosts.memory_mib.copy()
    capacity_index = placement.capacity_index(free_mhz, free_mib, candidates.tie_mhz)
    found = []
    for need_mhz, need_mib in zip(cores.tolist(), memory_mib.tolist(), strict=True):
        host = capacity_index.find(need_mhz, need_mib)
        found.append(host)
        if host >= 0:
            free_mhz[host] -= need_mhz
            free_mib[host] -= need_mib
            capacity_index.update(host, free_mhz[host], free_mib[host])
    assert found == placement.place(candidates, np.arange(500)).hosts.tolist()
    assert -1 in found
    capacity_index.update(7, 1e9, 1e9)
    assert capacity_index.find(1e9, 1e9) == 7
    capacity_index.update(7, -1.0, -1.0)
    assert capacity_index.find(1e9, 1e9) == -1
    for host in range(40):
        capacity_index.update(host, -1.0, -1.0)
    assert capacity_index.find(0.0, 0.0) == -1


def test_who_offers_a_shelf() -> None:
    offering = {
        name
        for name, policy in POLICIES["placement"].items()
        if issubclass(policy, IndexedPlacement)
    }
    assert offering == {"best_fit", "worst_fit", "first_fit"}


@pytest.mark.parametrize("count", [1, 7, 300])
def test_following_is_the_next_higher_key_of_any_host(count: int) -> None:
    rng = np.random.default_rng(count)
    keys: Floats = rng.integers(0, 100, count).astype(np.float64) * 0.5
    order = host_order.SortedHosts(keys, rng.random(count))
    for row in rng.integers(0, count, 200).tolist():
        keys[row] = rng.integers(0, 100) * 0.5
        order.update(row, float(keys[row]), float(rng.random()))
        asked = float(rng.integers(-1, 101)) * 0.5
        assert order.following(asked) == keys[keys > asked].min(initial=np.inf)
