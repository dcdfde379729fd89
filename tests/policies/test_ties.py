"""Costs that are equal but for rounding go to the first host, in every placement and order."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from builders import make_farm, make_hosts, make_vms
from hypothesis import given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.models.base import ties
from farmsim.models.base.ties import ascending, first_highest, first_lowest, levels, tie_of
from farmsim.models.hardware.power_curves import Linear, PowerModel, Table
from farmsim.models.state.utilisation_history import Ring
from farmsim.policies.interface.view import FarmView
from farmsim.policies.placement import host_costs as pricing
from farmsim.policies.placement.candidates import Candidates
from farmsim.policies.placement_algorithms.best_fit import BestFit, BestFitDecreasing
from farmsim.policies.placement_algorithms.dot_product import DotProduct
from farmsim.policies.placement_algorithms.power_aware import PowerAwareBestFitDecreasing
from farmsim.policies.placement_algorithms.worst_fit import WorstFit
from farmsim.sim.base.random_streams import Streams

R720_W = (51, 75, 84.5, 95, 110, 120, 137, 159, 187, 217, 231)


def test_the_first_of_equal_values_wins() -> None:
    values = np.array([3.0, 1.0 + 4e-10, 1.0, 1.0 - 4e-10, np.inf])
    assert first_lowest(values) == 1
    assert first_lowest(values, 0.0) == 3
    assert first_highest(-values) == 1
    assert first_lowest(np.array([np.inf, np.inf])) == 0
    assert ascending(values).tolist() == [1, 2, 3, 0, 4]
    assert levels(values).tolist() == [1, 0, 0, 0, 2]
    assert levels(np.empty(0)).tolist() == []
    assert tie_of(np.array([-5e4, 3.0])) == pytest.approx(5e-5)


def candidates(free_mhz: Any, power: PowerModel | None = None, load_mhz: Any = None) -> Candidates:
    """Hosts of 10 GHz, one VM of 700 MHz."""
    count = len(free_mhz)
    hosts = make_hosts([10_000.0] * count, power=None if power is None else [power])
    farm = make_farm(hosts, make_vms([700.0]))
    farm.start(np.ones(count, bool))
    view = FarmView(farm, Ring(0, 1), Ring(0, count), Streams(1))
    capacity = np.full(count, 10_000.0)
    load = capacity - np.asarray(free_mhz) if load_mhz is None else np.asarray(load_mhz)
    return Candidates(view, np.arange(count), np.array([700.0]), load, capacity)


@pytest.mark.parametrize("large", [1, 10**6])
@pytest.mark.parametrize(
    "placement", [BestFit(), WorstFit(), BestFitDecreasing(), DotProduct()], ids=str
)
def test_rounding_of_free_cpu_does_not_decide(
    placement: Any, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing, "LARGE", large)
    for noise in ([0, 1e-11, -1e-11], [0, -1e-11, 1e-11]):
        placed = placement.place(candidates(5000.0 + np.array(noise)), np.array([0]))
        assert placed.hosts.tolist() == [0]
    # A difference of 1 MHz is one.
    best = 1 if isinstance(placement, BestFit | BestFitDecreasing) else 2
    placed = placement.place(candidates(np.array([5000.0, 4999.0, 5001.0])), np.array([0]))
    assert placed.hosts.tolist() == [best]


@settings(max_examples=60, deadline=None)
@given(
    loads=st.lists(st.floats(0, 900), min_size=2, max_size=12),
    factor=st.sampled_from([1.0, 1.1, 3.0, 1e-3, 1e6]),
    tenth=st.integers(0, 9),
    increase=st.sampled_from(["measured", "tentative"]),
)
def test_alike_hosts_within_one_segment_of_their_power_go_to_the_first(
    loads: list[float], factor: float, tenth: int, increase: Any
) -> None:
    """All loads are below 90 % of a tenth, and the VM adds 1 %: the same watts everywhere."""
    load_mhz = tenth * 1000.0 + np.array(loads)
    power = Table(tuple(watts * factor for watts in R720_W))
    one = candidates(np.zeros(len(loads)), power, load_mhz)
    one.need_mhz = np.array([100.0])
    one._scalars.need_mhz = [100.0]
    one.utilisation = load_mhz / 10_000.0
    placed = PowerAwareBestFitDecreasing(increase).place(one, np.array([0]))
    assert placed.hosts.tolist() == [0]


def test_the_lowest_that_has_risen_does_not_hide_an_equal_one() -> None:
    """VMs of a batch: the lowest cost of before has risen, an earlier host is now as good."""
    vms = [1000.0, 1000.0, 1000.0, 1000.0]
    hosts = make_hosts([10_000.0] * 3, power=[Linear(100.0, 200.0)])
    farm = make_farm(hosts, make_vms(vms))
    farm.start(np.ones(3, bool))
    view = FarmView(farm, Ring(0, 4), Ring(0, 3), Streams(1))
    capacity = np.full(3, 10_000.0)
    told = []
    for batch in (1, 8):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pricing, "BATCH", batch)
            one = Candidates(view, np.arange(3), np.array(vms), np.array([0.0, 0.1, 0.2]), capacity)
            placed = PowerAwareBestFitDecreasing("measured").place(one, np.arange(4))
            told.append(placed.hosts.tolist())
    assert told[0] == told[1]


def planetlab_day(folder: Path, factor: float) -> farmsim.Result:
    """Six hours of the library's day, each watt times a factor."""
    scenario = yaml.safe_load(
        """
        farm:
          hosts:
            - name: rack
              count: 24
              server: {sockets: 2, cores: 16, clock: 2.6 GHz, memory: 192 GiB}
        workload:
          source: planetlab-20110303
          size_order: cycle
          sizes:
            - {name: small, vcpus: 1, clock: 2.6 GHz, memory: 1 GiB, share: 50 %}
            - {name: medium, vcpus: 2, clock: 2.6 GHz, memory: 2 GiB, share: 40 %}
            - {name: large, vcpus: 2, clock: 2.6 GHz, memory: 4 GiB, share: 10 %}
        run: {duration: 6 h}
        policies:
          initial: {placement: best_fit_decreasing, count_by: size, cpu_overcommit: 5}
          control: {policy: consolidation, drain: {policy: least_utilised, below: 50 %}}
        baseline: {type: none}
        """
    )
    watts = [each * factor for each in R720_W]
    group = scenario["farm"]["hosts"][0]
    group["server"]["power"] = {"model": "table", "watts": watts}
    group["off_power"] = f"{5 * factor} W"
    path = folder / f"k{factor}.yaml"
    path.write_text(yaml.safe_dump(scenario))
    return farmsim.run(str(path))


def test_every_watt_times_k_multiplies_energy_and_changes_nothing_else(tmp_path: Path) -> None:
    runs = {factor: planetlab_day(tmp_path, factor) for factor in (1.0, 1.1, 3.0, 10.0, 0.01)}
    one = runs[1.0]
    assert one.value("migrations") > 500
    for factor, run in runs.items():
        assert run.value("energy_kwh") / factor == pytest.approx(one.value("energy_kwh"), rel=1e-9)
        assert run.table("migrations").equals(one.table("migrations"))
        for metric in ("slatah", "pdm", "unserved_demand", "mean_hosts_on"):
            if metric in one.metrics():
                assert run.value(metric) == one.value(metric)


def test_without_a_tolerance_rounding_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: with no tolerance the factor changes the migrations."""
    monkeypatch.setattr("farmsim.policies.placement.capacity.TIE", 0.0)
    one, other = (planetlab_day(tmp_path, factor).table("migrations") for factor in (1.0, 1.1))
    assert ties.TIE == 1e-9
    assert not one.equals(other)
