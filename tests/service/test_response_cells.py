"""Response times gathered by load: against the account of every step, alone and in a run."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from builders import quantile_of
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim import Result, run
from farmsim.models.base.arrays import Floats, Ints
from farmsim.models.service.response_account import Response, ServiceAccount
from farmsim.models.service.response_cells import BUSIEST, PER_E_FOLD, Conditions
from farmsim.models.service.response_time import sharing, weibull
from farmsim.sim.records import ledgers as ledger

STEP_S = 300.0


@dataclass
class Both:
    """The account by load, and the mixture over all steps as its definition has it."""

    gathered: ServiceAccount
    requests: Floats
    steps: list[Response]

    def mean_s(self) -> Floats:
        means_s = np.array([step.mean_s for step in self.steps])
        mean_s: Floats = (self.requests * means_s).sum(axis=0) / self.requests.sum(axis=0)
        return mean_s

    def late(self, time_s: Floats) -> Floats:
        """Return the share of requests that take longer than a time per VM."""
        late = np.zeros(len(time_s))
        for requests, step in zip(self.requests, self.steps, strict=True):
            shape, scale_s = weibull(step.varying.mean_s, step.varying.scv)
            beyond_s = np.maximum(time_s - step.constant_s, 0.0)
            late += requests * np.exp(-((beyond_s / scale_s) ** shape))
        share: Floats = late / self.requests.sum(axis=0)
        return share


def both(loads: Floats, vcpus: Ints, service_s: Floats, scv: float, varying: bool = False) -> Both:
    """Return the accounts of some steps; ``loads`` and ``service_s`` are (steps, VMs)."""
    vms = loads.shape[1]
    made = ServiceAccount(vms, varying)
    spread, latency_s = np.full(vms, scv), np.full(vms, 0.001)
    made.set_conditions(np.arange(vms), Conditions(vcpus, service_s[0], spread, latency_s))
    rates_per_s = loads * vcpus / service_s
    steps = []
    for load, own_s, rate_per_s in zip(loads, service_s, rates_per_s, strict=True):
        made.add_steady(slice(None), STEP_S, load, own_s if varying else None)
        time = sharing(vcpus, rate_per_s, own_s, spread)
        steps.append(Response(latency_s, time))
    return Both(made, rates_per_s * STEP_S, steps)


@given(load=st.floats(0.001, 0.949), vcpus=st.integers(1, 32), scv=st.floats(0.0, 4.0))
@settings(deadline=None)
def test_a_steady_vm_has_the_distribution_of_the_formula(
    load: float, vcpus: int, scv: float
) -> None:
    found = both(np.full((3, 1), load), np.array([vcpus]), np.full((3, 1), 0.01), scv)
    assert found.gathered.arrived == pytest.approx(found.requests.sum(axis=0), rel=1e-12)
    assert found.gathered.mean_s() == pytest.approx(found.steps[0].mean_s, rel=1e-12)
    first = found.steps[0]
    exact_s = first.constant_s + quantile_of(first.varying, 0.99)
    assert found.gathered.quantile_s(0.99) == pytest.approx(exact_s, rel=1e-9)


def loads_and_worst_cells(rng: np.random.Generator) -> Floats:
    """Return 48 steps of 1,000 VMs; some change between the two ends of one cell."""
    loads = rng.beta(1.0, rng.uniform(0.2, 5.0, 1000), (48, 1000)) * BUSIEST * 0.999
    edges = 1.0 - np.exp(-np.arange(48) / PER_E_FOLD)
    loads[:, :47] = np.tile([edges[:-1] + 1e-3, edges[1:] - 1e-3], (24, 1))
    return loads


def assert_quantiles(found: Both, within: float) -> None:
    for q in (0.95, 0.99):
        time_s = found.gathered.quantile_s(q)
        assert np.all(found.late(time_s * (1.0 - within)) > 1.0 - q)
        assert np.all(found.late(time_s * (1.0 + within)) < 1.0 - q)


@pytest.mark.parametrize("vcpus", [1, 2, 4, 16])
@pytest.mark.parametrize("scv", [0.0, 1.0, 4.0])
def test_loads_that_vary_cost_a_thousandth(vcpus: int, scv: float) -> None:
    loads = loads_and_worst_cells(np.random.default_rng(vcpus))
    found = both(loads, np.full(1000, vcpus), np.full(loads.shape, 0.01), scv)
    mean = found.gathered.mean_s() / found.mean_s() - 1.0
    assert mean.min() > -0.001
    assert mean.max() < 1e-9
    assert_quantiles(found, 0.005 if scv else 0.05)


@pytest.mark.parametrize("most", [1.2, 2.0])
def test_service_times_that_vary_too(most: float) -> None:
    rng = np.random.default_rng(5)
    loads = loads_and_worst_cells(rng)
    service_s = 0.01 * rng.uniform(1.0, most, loads.shape)
    found = both(loads, np.full(1000, 2), service_s, 1.0, varying=True)
    assert np.all(np.abs(found.gathered.mean_s() / found.mean_s() - 1.0) < 0.002)
    assert_quantiles(found, 0.02)


HOST = {"server": "dell_r720_e5_2670", "memory": "24 GiB", "count": 6}


@pytest.mark.parametrize("interference", [False, True])
def test_a_run_is_that_of_every_step(interference: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """VMs that move between unlike hosts, some with backlog, and a last step cut short.

    The account of every step is itself a histogram, whose quantiles are rough.
    """
    scenario: dict[str, Any] = {
        "run": {"duration": "422 min"},
        "farm": {
            "hosts": [
                HOST | {"name": "large", "hypervisor": "kvm"},
                HOST | {"name": "small", "hypervisor": "kvm", "server": "hp_ml110_g5"},
            ]
        },
        "workload": {
            "source": "planetlab-20110303",
            "vms": 60,
            "sizes": [
                {"name": "web", "vcpus": 2, "clock": "1.5 GHz", "memory": "2 GiB", "class": "web"},
                {"name": "plain", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB"},
            ],
            "size_order": "cycle",
        },
        "service": {"interference": interference},
        "policies": {
            "control": "consolidation",
            "initial": {"placement": "round_robin", "cpu_overcommit": 4},
        },
    }
    gathered = run(scenario)
    assert gathered.summary["migrations"]["value"] > 10
    monkeypatch.setattr(ledger, "BUSIEST", 0.0)
    each = run(scenario)
    names = ("requests", "response_mean_ms", "response_p95_ms", "response_p99_ms")
    mine, other = (vms_of(result, names) for result in (gathered, each))
    assert gathered.summary["requests_waiting"] == each.summary["requests_waiting"]
    assert mine[0] == pytest.approx(other[0], rel=1e-9)
    assert mine[1] == pytest.approx(other[1], rel=0.001)
    assert mine[2] == pytest.approx(other[2], rel=0.05)
    assert mine[3] == pytest.approx(other[3], rel=0.05)


def vms_of(result: Result, names: tuple[str, ...]) -> list[Floats]:
    table = result.table("vms")
    return [np.array(table[name].to_pylist()) for name in names]
