"""VMs that come and go: against queueing theory, against closed forms, and under fire."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import make_hosts, make_vms
from hypothesis import given, settings
from hypothesis import strategies as st
from small_farms import GIB, play_lives

import farmsim
from farmsim.models.base.arrays import Floats, Ints
from farmsim.models.farm.audit import audit
from farmsim.models.farm.farm import Farm
from farmsim.models.farm.farm_state import FarmError
from farmsim.models.migration.fixed_rate import FixedRate
from farmsim.models.migration.model_table import MigrationModels
from farmsim.models.service.response_time import erlang_b, erlang_c
from farmsim.models.state.columns import VmState
from farmsim.models.workload.demand import ConstantSeries, Demand
from farmsim.policies.control.control import NoControl, PowerProportional
from farmsim.policies.placement_algorithms.best_fit import BestFit
from farmsim.policies.placement_algorithms.worst_fit import WorstFit
from farmsim.sim.base.random_streams import Streams
from farmsim.sim.engine import Engine
from farmsim.sim.lifecycle.setup import Admission, LifecycleSetup, Population
from farmsim.sim.setup import EngineSetup, InitialPlacementSetup, Timing


def formula(of: Callable[[Ints, Floats], Floats], servers: int, load: float) -> float:
    return float(of(np.array([servers]), np.array([load]))[0])


def poisson(generator: np.random.Generator, count: int, mean_s: float) -> Floats:
    return np.cumsum(generator.exponential(mean_s, count))


@pytest.mark.parametrize(
    "law",
    [
        "exponential",
        pytest.param("constant", marks=pytest.mark.thorough),
        pytest.param("lognormal", marks=pytest.mark.thorough),
    ],
)
def test_share_turned_away_is_erlangs_whatever_the_law_of_lifetimes(law: str) -> None:
    servers, load, runs, count = 6, 4.0, 6, 900
    shares = []
    for run in range(runs):
        generator = np.random.default_rng(run)
        lifetime_s = {
            "exponential": generator.exponential(100.0, count),
            "constant": np.full(count, 100.0),
            "lognormal": generator.lognormal(math.log(100.0) - 0.5, 1.0, count),
        }[law]
        arrival_s = poisson(generator, count, 100.0 / load)
        outcome = play_lives(servers, arrival_s, lifetime_s, admission=Admission(queue=0))
        shares.append(np.mean(outcome.farm.vms.state[100:] == VmState.REJECTED))
    half = 3.5 * np.std(shares, ddof=1) / math.sqrt(runs)
    assert abs(np.mean(shares) - formula(erlang_b, servers, load)) < half < 0.08


def test_wait_for_a_host_is_erlangs() -> None:
    servers, load, runs, count = 4, 2.8, 6, 1200
    waits = []
    for run in range(runs):
        generator = np.random.default_rng(run)
        arrival_s = poisson(generator, count, 100.0 / load)
        lives = play_lives(servers, arrival_s, generator.exponential(100.0, count)).lives
        waits.append(np.nanmean((lives.ran_s - lives.asked_s)[100:-100]))
    expected_s = formula(erlang_c, servers, load) * 100.0 / (servers - load)
    half = 3.5 * np.std(waits, ddof=1) / math.sqrt(runs)
    assert abs(np.mean(waits) - expected_s) < half < expected_s


def test_provisioning_is_a_queue_with_constant_service() -> None:
    """M/D/c against half the wait of M/M/c (Lee and Longton 1959), good to 10 % here."""
    places, load, runs, count = 4, 2.8, 6, 1200
    waits = []
    for run in range(runs):
        arrival_s = poisson(np.random.default_rng(run), count, 50.0 / load)
        outcome = play_lives(
            1, arrival_s, np.full(count, 1.0), per_host=200, first_s=50.0, starts=places
        )
        lives = outcome.lives
        waits.append(np.nanmean((lives.ran_s - lives.asked_s)[100:-100]) - 50.0)
    approximate_s = 0.5 * formula(erlang_c, places, load) * 50.0 / (places - load)
    half = 3.0 * np.std(waits, ddof=1) / math.sqrt(runs)
    assert abs(np.mean(waits) - approximate_s) < half + 0.1 * approximate_s


def test_who_leaves_at_an_instant_makes_room_for_who_comes_then() -> None:
    arrival_s, lifetime_s = np.array([0.0, 600.0, 700.0]), np.array([600.0, 100.0, 50.0])
    lives = play_lives(1, arrival_s, lifetime_s, end_s=1000.0).lives
    assert lives.ran_s.tolist() == [0.0, 600.0, 700.0]
    assert lives.ended_s.tolist() == [600.0, 700.0, 750.0]


def test_the_queue_is_bounded_ordered_and_loses_patience() -> None:
    arrival_s = np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    lifetime_s = np.full(5, 1000.0)
    admission = Admission(queue=3, patience_s=1500.0)
    outcome = play_lives(
        1, arrival_s, lifetime_s, end_s=4000.0, admission=admission, priority=[0, 0, 1, 0, 5]
    )
    # The fifth finds the queue full; the third is of higher priority than the second.
    state = outcome.farm.vms.state
    assert state[4] == VmState.REJECTED
    assert outcome.lives.ran_s[2] == 1000.0
    assert state[1] == VmState.REJECTED
    assert outcome.lives.ended_s[1] == 1510.0
    assert state[3] == VmState.REJECTED


def test_a_full_queue_turns_nobody_away_who_has_room(tmp_path: Path) -> None:
    """A large VM waits and fills the queue; a small one that fits is not behind it."""
    (tmp_path / "vms.csv").write_text("arrival,vcpus,memory\n0,2,1\n10,2,1\n20,1,1\n30,1,1\n")
    server = {
        "cores": 3, "clock": "2 GHz", "memory": "64 GiB",
        "power": {"model": "constant", "power": "100 W"},
    }  # fmt: skip
    scenario = farmsim.Scenario.of(
        {
            "run": {"duration": "1 h"},
            "farm": {"hosts": [{"name": "h", "server": server, "count": 1}]},
            "workload": {"arrivals": {"type": "table", "path": "vms.csv", "clock": "2 GHz"}},
            "admission": {"max_queue": 1},
            "baseline": {"type": "none"},
        },
        tmp_path,
    )
    states = farmsim.run(scenario).table("vms")["state"].to_pylist()
    assert states == ["running", "waiting", "running", "rejected"]


def test_who_was_turned_away_asks_again() -> None:
    admission = Admission(queue=0, retries=3, retry_s=400.0)
    outcome = play_lives(
        1, np.array([0.0, 100.0]), np.array([1000.0, 50.0]), end_s=3000.0, admission=admission
    )
    assert outcome.lives.ran_s[1] == 100.0 + 3 * 400.0
    assert outcome.lives.asked_s[1] == 100.0


def test_a_sleeping_host_is_woken_for_an_arrival() -> None:
    outcome = play_lives(
        2, np.array([0.0, 1000.0, 1001.0]), np.array([5000.0, 500.0, 100.0]), end_s=4000.0,
        control=PowerProportional(), boot_s=200.0, first_s=30.0,
    )  # fmt: skip
    assert outcome.lives.ran_s[1] == 1000.0 + 200.0 + 30.0
    assert outcome.lives.ran_s[2] == 1730.0 + 30.0
    assert outcome.farm.accounts.boots.sum() >= 1


def test_a_vm_that_fits_no_host_even_when_empty_is_turned_away_at_once() -> None:
    vms = make_vms([1000.0, 3000.0])
    vms.size_names, vms.size = ["small", "giant"], np.array([0, 1])
    farm = Farm(make_hosts([2000.0], 2 * GIB), vms, all_present=False)
    lives = LifecycleSetup(
        Population(np.array([10.0, 20.0]), np.full(2, 100.0), np.zeros(2, np.int64)),
        Admission(retries=3), np.zeros(1), np.zeros(1), 1,
    )  # fmt: skip
    setup = EngineSetup(
        InitialPlacementSetup(BestFit(), "test"),
        NoControl(),
        "test",
        MigrationModels.only(FixedRate(), 1, 1),
        Timing(1000.0, 300.0, 600.0),
        lives,
    )
    demand = Demand(ConstantSeries(0.5, 2), farm.vms.size_mhz)
    outcome = Engine(farm, demand, setup, Streams(1)).run()
    assert farm.vms.state.tolist() == [VmState.FINISHED, VmState.REJECTED]
    assert outcome.lives.ended_s.tolist() == [110.0, 20.0]
    events = outcome.tables["vm_events"]
    told = [outcome.words[event] for event in events["event"][events["vm"] == 1]]
    assert told == ["rejected: does not fit on any host of the farm"]


def test_who_came_while_the_only_host_was_stopping_is_tried_again() -> None:
    outcome = play_lives(
        1, np.array([0.0, 1250.0]), np.array([1000.0, 100.0]), end_s=4000.0,
        control=PowerProportional(), boot_s=50.0, stop_s=100.0,
    )  # fmt: skip
    assert outcome.lives.ran_s[1] == 1500.0 + 50.0


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=15, deadline=None)
def test_work_energy_and_vms_are_kept(seed: int, fast: bool) -> None:
    generator = np.random.default_rng(seed)
    count = int(generator.integers(1, 40))
    arrival_s = np.sort(generator.choice([0.0, *np.arange(1, 20) * 150.0], count))
    lifetime_s = generator.choice([100.0, 300.0, 450.0, 2000.0, np.inf], count)
    admission = Admission(
        queue=None if generator.random() < 0.5 else int(generator.integers(0, 5)),
        patience_s=float(generator.choice([np.inf, 200.0])),
        retries=int(generator.integers(0, 3)),
    )
    outcome = play_lives(
        3, arrival_s, lifetime_s, per_host=3, end_s=4000.0, admission=admission,
        first_s=0.0 if fast else 70.0, starts=2, placement=WorstFit(),
    )  # fmt: skip
    farm, lives = outcome.farm, outcome.lives
    ended_s = np.where(np.isnan(lives.ended_s), outcome.end_s, lives.ended_s)
    ran_s = np.where(np.isnan(lives.ran_s), 0.0, ended_s - lives.ran_s)
    assert farm.vm_accounts.requested_mhz_s == pytest.approx(500.0 * ran_s, abs=1e-6)
    done = farm.accounts.total(4).sum()
    assert done == pytest.approx(500.0 * ran_s.sum(), abs=1e-6)
    finished = farm.vms.state == VmState.FINISHED
    assert lives.ended_s[finished] - lives.ran_s[finished] == pytest.approx(lifetime_s[finished])


def test_verbs_refuse_what_cannot_be() -> None:
    farm = Farm(make_hosts([2000.0, 2000.0]), make_vms([1000.0] * 3), all_present=False)
    rows = np.arange(3)
    farm.place(rows[:2], np.array([0, 0]), 0.0, np.array([500.0, 500.0]))
    with pytest.raises(FarmError, match="not waiting"):
        farm.place(rows[:1], np.array([1]), 0.0, np.array([1.0]))
    with pytest.raises(FarmError, match="neither runs nor starts"):
        farm.retire(rows[2:], 0.0)
    farm.begin_migration(rows[:1], np.array([1]), 0.0)
    with pytest.raises(FarmError, match="neither runs nor starts"):
        farm.crash(np.array([0]), 1.0)
    farm.commit_migration(rows[:1], 1.0)
    assert farm.crash(np.array([0]), 2.0).tolist() == [1]
    with pytest.raises(FarmError, match="failed already"):
        farm.crash(np.array([0]), 3.0)
    with pytest.raises(FarmError, match="not on"):
        farm.begin_start(rows[2:], np.array([0]), 3.0)
    audit(farm)


def test_a_resized_vm_keeps_its_accounts() -> None:
    farm = Farm(make_hosts([4000.0], 4096.0), make_vms([1000.0]))
    farm.place(np.array([0]), np.array([0]), 0.0)
    farm.set_demand(np.array([800.0]), 0.0)
    one = np.array([0])
    farm.resize(one, one, np.array([2]), np.array([2000.0]), np.array([2048.0]), 100.0)
    farm.set_demand(np.array([1600.0]), 200.0)
    farm.settle_all(300.0)
    assert farm.vm_accounts.requested_mhz_s[0] == 800.0 * 200 + 1600.0 * 100
    assert farm.hosts.memory_used_mib[0] == 2048.0
    with pytest.raises(FarmError, match="lacks memory"):
        farm.resize(one, one, np.array([2]), np.array([2000.0]), np.array([9999.0]), 300.0)
    audit(farm)
