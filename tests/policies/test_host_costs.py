"""Costs that are kept, or computed in batches, equal costs that are computed anew each time."""

from collections.abc import Iterator

import numpy as np
import pytest
from builders import make_farm, make_hosts, make_vms
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.hardware.power_curves import Fan, Linear, PowerModel, Table
from farmsim.models.state.utilisation_history import Ring
from farmsim.policies.interface.view import FarmView
from farmsim.policies.placement import capacity
from farmsim.policies.placement import host_costs as pricing
from farmsim.policies.placement.candidates import Candidates
from farmsim.policies.placement.placement import Placement
from farmsim.policies.placement_algorithms.best_fit import BestFit, BestFitDecreasing
from farmsim.policies.placement_algorithms.dot_product import DotProduct
from farmsim.policies.placement_algorithms.first_fit import FirstFit
from farmsim.policies.placement_algorithms.power_aware import PowerAwareBestFitDecreasing
from farmsim.policies.placement_algorithms.worst_fit import WorstFit
from farmsim.sim.base.random_streams import Streams

G5 = (93.7, 97, 101, 105, 110, 116, 121, 125, 129, 133, 135)
MODELS: list[PowerModel] = [Table(G5), Linear(70.0, 210.3), Fan(60.0, 200.0)]
PLACEMENTS: list[Placement] = [
    PowerAwareBestFitDecreasing("measured"),
    PowerAwareBestFitDecreasing("tentative"),
    BestFit(),
    BestFitDecreasing(),
    WorstFit(),
    FirstFit(),
    DotProduct(),
]
VMS, KINDS = 60, 7


def random_room(seed: int, count: int) -> Candidates:
    """A room of unlike hosts, some asleep, watched for overload, and VMs of few kinds."""
    rng = np.random.default_rng(seed)
    capacity = rng.choice([2000.0, 3720.0, 5320.0], count)
    group = rng.integers(0, len(MODELS), count)
    hosts = make_hosts(
        capacity.tolist(), power=MODELS, group=group.tolist(), core_mhz=2000.0, off_w=5.0
    )
    hosts.memory_mib[:] = rng.choice([900.0, 4000.0, 1e6], count)
    kind = rng.integers(0, KINDS, VMS)
    need = rng.choice([0.0, 40.0, 125.5, 300.0, 700.0, 2500.0], KINDS)[kind]
    farm = make_farm(
        hosts, make_vms(need.tolist(), rng.choice([256.0, 870.0], KINDS)[kind].tolist())
    )
    farm.start(rng.random(count) < 0.8)
    view = FarmView(farm, Ring(0, VMS), Ring(0, count), Streams(1), slow_cores=False)
    load = capacity * rng.choice([0.0, 0.3, rng.random()], count)
    candidates = Candidates(view, np.arange(count), need, load, capacity)
    if rng.random() < 0.7:
        signal = need * rng.choice([1.0, 1.3, -0.5], KINDS)[kind]
        candidates.apply_linear_test(signal, load, capacity * 0.9)
    return candidates


def story(candidates: Candidates, placement: Placement, seed: int) -> Iterator[tuple[object, ...]]:
    """Place, give back, close and open at random; yield what each placement answered."""
    rng = np.random.default_rng(seed)
    waiting = rng.permutation(VMS)
    while len(waiting):
        size = int(rng.integers(1, 12))
        vms, waiting = waiting[:size], waiting[size:]
        source = rng.integers(0, len(candidates.hosts), 1)
        candidates.all_or_nothing = bool(rng.random() < 0.6)
        candidates.close(source)
        before = candidates.mark()
        placed = placement.place(candidates, vms)
        yield placed.hosts.tolist(), [search.cost for search in placed.searches]
        if rng.random() < 0.4 or (candidates.all_or_nothing and -1 in placed.hosts):
            candidates.undo_to(before)
            candidates.open(source)
            waiting = np.concatenate([waiting, vms[rng.random(len(vms)) < 0.3]])


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 100_000),
    hosts=st.integers(1, 40),
    placement=st.sampled_from(PLACEMENTS),
    few=st.integers(0, 8),
    most=st.sampled_from([100, 2**20]),
)
def test_every_way_of_pricing_decides_alike(
    seed: int, hosts: int, placement: Placement, few: int, most: int
) -> None:
    told = []
    for batch, large in ((1, 10**6), (8, 10**6), (8, 1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pricing, "BATCH", batch)
            patch.setattr(pricing, "LARGE", large)
            patch.setattr(pricing, "BLOCK", 4)
            patch.setattr(capacity, "MAX_LISTED", large)
            patch.setattr(pricing, "FEW", few)
            patch.setattr(pricing, "KEPT_COSTS", most)
            candidates = random_room(seed, hosts)
            told.append(list(story(candidates, placement, seed)))
            assert ("costs" in candidates.memo) == (large == 1)
    assert told[0] == told[1] == told[2]
