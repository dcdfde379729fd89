"""Failures against theory, by hand, and with everything happening at once."""

import math
from typing import Any

import numpy as np
import pytest
from builders import make_hosts, make_vms
from hypothesis import given, settings
from hypothesis import strategies as st
from small_farms import failing_scenario, planned, play_failing

import farmsim
from farmsim.models.accounts.accounts import Rate
from farmsim.models.farm.audit import audit
from farmsim.models.farm.farm import Farm
from farmsim.models.hardware.reliability import (
    Constant,
    Empirical,
    Exponential,
    Lognormal,
    Times,
    Weibull,
    availability,
)
from farmsim.models.migration.fixed_rate import FixedRate
from farmsim.models.migration.model_table import MigrationModels
from farmsim.models.state.columns import PowerState, VmState
from farmsim.models.workload.demand import ConstantSeries, Demand
from farmsim.policies.control.control import NoControl
from farmsim.policies.placement_algorithms.first_fit import FirstFit
from farmsim.scenarios.build.build import build
from farmsim.sim.base.random_streams import Streams
from farmsim.sim.engine import Engine
from farmsim.sim.failures import FailureSource
from farmsim.sim.outcome import Outcome
from farmsim.sim.setup import EngineSetup, InitialPlacementSetup, Timing

Changes = dict[str, Any]
H = 3600.0


def test_vms_of_a_failed_host_start_elsewhere_after_detection() -> None:
    _, outcome = play_failing(failures={"schedule": [planned("1 h", "host", "h-1", "2 h")]})
    lives = outcome.lives
    assert lives.crashes.tolist() == [1, 0, 0, 0]
    assert lives.down_s.tolist() == [15.0, 0.0, 0.0, 0.0]
    assert outcome.farm.vms.host[0] != 0
    assert outcome.farm.accounts.total(Rate.FAILED).tolist() == [2 * H, 0, 0, 0]
    # 500 MHz were asked for in 15 s that nobody served.
    assert lives.lost_mhz_s[0] == pytest.approx(500.0 * 15.0)
    requested = outcome.farm.vm_accounts.requested_mhz_s
    assert requested == pytest.approx([500.0 * (10 * H - 15.0), *[500.0 * 10 * H] * 3])


def test_without_restart_vms_wait_for_their_host() -> None:
    _, outcome = play_failing(
        failures={"schedule": [planned("1 h", "host", "h-1", "2 h")], "restart_vms": False}
    )
    boot_s = float(outcome.farm.hosts.boot_s[0])
    assert outcome.lives.down_s[0] == 2 * H + boot_s
    assert outcome.farm.vms.host[0] == 0


def test_a_rack_takes_its_hosts_and_overlapping_causes_are_counted() -> None:
    schedule = [
        planned("1 h", "host", "h-1", "4 h"),
        planned("2 h", "rack", "rack-1", "1 h"),
        planned("4 h", "site", "main", "3 h"),
    ]
    _, outcome = play_failing(failures={"schedule": schedule})
    failed_h = outcome.farm.accounts.total(Rate.FAILED) / H
    assert failed_h.tolist() == [6.0, 1.0 + 3.0, 3.0, 3.0]
    assert outcome.farm.accounts.failures.tolist() == [1, 2, 1, 1]
    table = outcome.tables["outages"]
    # In the order of repair: rack, host, site.
    assert table["vms"].tolist() == [2, 1, 4]


def test_hosts_behind_a_failed_switch_work_on_and_count_as_down() -> None:
    _, outcome = play_failing(failures={"schedule": [planned("1 h", "switch", "rack-1", "30 min")]})
    lives, farm = outcome.lives, outcome.farm
    assert lives.down_s.tolist() == [1800.0, 1800.0, 0.0, 0.0]
    assert lives.crashes.sum() == 0
    assert farm.accounts.totals[Rate.ON].tolist() == [10 * H] * 4
    assert farm.vms.host.tolist() == [0, 1, 2, 3]


def test_hosts_that_are_cut_off_can_give_up_their_vms() -> None:
    _, outcome = play_failing(
        failures={
            "schedule": [planned("1 h", "switch", "rack-1", "30 min")],
            "restart_vms_of_isolated_hosts": True,
        }
    )  # fmt: skip
    assert outcome.lives.down_s.tolist() == [15.0, 15.0, 0.0, 0.0]
    assert set(outcome.farm.vms.host[:2].tolist()) == {2, 3}


def test_a_host_that_fails_behind_a_failed_switch_adds_no_second_downtime() -> None:
    schedule = [planned("1 h", "switch", "rack-1", "4 h"), planned("2 h", "host", "h-1", "1 h")]
    _, outcome = play_failing(failures={"schedule": schedule, "restart_vms": False})
    assert outcome.lives.down_s[0] == 4 * H
    assert outcome.lives.crashes.tolist() == [1, 0, 0, 0]


def test_restarts_go_by_priority_and_by_the_hosts_capacity_to_start() -> None:
    """Two hosts of four places; eight VMs, one of each pair started at a time."""
    _, outcome = play_failing(
        farm={"hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 2, "memory": "40 GiB"}]},
        workload={
            "source": {"type": "constant", "utilisation": "10 %"},
            "sizes": [{"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": "4 GiB", "count": 6}],
        },
        policies={"initial": {"placement": "round_robin", "cpu_overcommit": 4}},
        provisioning={"boot": "100 s", "starts_per_host": 1},
        failures={"schedule": [planned("1 h", "host", "h-1")]},
    )
    down_s = np.sort(outcome.lives.down_s)[-3:]
    assert down_s.tolist() == [115.0, 215.0, 315.0]


def test_stranded_vms_say_what_they_lack() -> None:
    result = farmsim.run(failing_scenario(failures={"schedule": [planned("1 h", "rack", "rack-1")]},
                                  workload={
        "source": {"type": "constant", "utilisation": "50 %"},
        "sizes": [{"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": "4 GiB", "count": 7}],
    }))  # fmt: skip
    rows = result.table("availability").to_pylist()
    assert rows[0]["scope"] == "all"
    assert rows[0]["stranded"] == 3
    reasons = [row["reason"] for row in result.table("vms").to_pylist() if row["reason"]]
    assert len(reasons) == rows[0]["stranded"]
    assert all("of 2 hosts" in reason and "2 lack memory" in reason for reason in reasons)


EXPONENTIAL = Exponential(40 * H), Exponential(10 * H)
LAWS: dict[str, tuple[Times, Times]] = {
    "exponential": EXPONENTIAL,
    "weibull and lognormal": (Weibull(40 * H, 0.75), Lognormal(10 * H)),
    "observed and constant": (Empirical((10 * H, 70 * H)), Constant(10 * H)),
}


def fail(law: tuple[Times, Times], hours: float, seed: int, hosts: int = 20) -> Outcome:
    """Let hosts without VMs fail for some time."""
    end_s = hours * H
    farm = Farm(make_hosts([1000.0] * hosts), make_vms([1000.0]), all_present=False)
    source = FailureSource("all", "host", farm.hosts.names, list(np.arange(hosts)[:, None]), *law)
    setup = EngineSetup(
        InitialPlacementSetup(FirstFit(), "test"),
        NoControl(),
        "test",
        MigrationModels.only(FixedRate(), 1, 1),
        Timing(end_s, end_s, end_s),
        failures=[source],
    )
    demand = Demand(ConstantSeries(0.5, 1, end_s), farm.vms.size_mhz)
    return Engine(farm, demand, setup, Streams(seed)).run()


@pytest.mark.parametrize(
    "law",
    [
        law if law == "exponential" else pytest.param(law, marks=pytest.mark.thorough)
        for law in LAWS
    ],
)
def test_availability_is_mttf_over_mttf_and_mttr(law: str) -> None:
    """Over replications, within its own confidence interval; all hosts are up at the start."""
    runs, hours = 5, 600.0
    shares = []
    for seed in range(runs):
        failed_s = fail(LAWS[law], hours, seed).farm.accounts.total(Rate.FAILED)
        shares.append(1.0 - failed_s.sum() / (20 * hours * H))
    half = 4.0 * np.std(shares, ddof=1) / math.sqrt(runs)
    assert abs(np.mean(shares) - availability(40.0, 10.0)) < half + 0.004 < 0.06


def test_k_out_of_n_is_its_formula() -> None:
    """Of groups of five hosts, how often at least four are up long after the start."""
    hits: list[bool] = []
    for seed in range(25):
        up = fail(EXPONENTIAL, 100.0, seed).farm.hosts.state != PowerState.FAILED
        hits += [int(up[first : first + 5].sum()) >= 4 for first in range(0, 20, 5)]
    up_share = availability(40.0, 10.0)
    expected = 5 * up_share**4 * (1.0 - up_share) + up_share**5
    half = 3.5 * math.sqrt(expected * (1 - expected) / len(hits))
    assert abs(np.mean(hits) - expected) < half < 0.16


@given(st.integers(0, 2**32 - 1), st.sampled_from(["fixed_rate", "pre_copy", "post_copy", "cold"]))
@settings(max_examples=8, deadline=None)
def test_nothing_is_lost_under_fire(seed: int, model: str) -> None:
    """Hosts, racks, switches and links fail while VMs come, go and move."""
    generator = np.random.default_rng(seed)
    entries = [
        {
            "name": kind, "component": kind,
            "time_to_failure": {"distribution": "exponential", "mean": f"{mean} min"},
            "repair": {"distribution": "exponential", "mean": "8 min"},
        }
        for kind, mean in (("host", 60), ("rack", 200), ("switch", 80), ("link", 100))
        if generator.random() < 0.7 and (kind != "link" or model != "fixed_rate")
    ]  # fmt: skip
    case = build(failing_scenario(
        seed=int(generator.integers(1000)),
        run={"duration": "100 min", "report_every": "10 min"},
        workload={
            "arrivals": {"type": "generated", "rate": 0.02},
        },
        policies={
            "initial": {"placement": "worst_fit", "cpu_overcommit": 6, "unplaced": "reject"},
            "control": {"policy": "consolidation", "overload": {"policy": "static_threshold"},
                        "drain": {"policy": "least_utilised", "below": "70 %"}},
            "every": "2 min",
        },
        farm={"hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 6, "memory": "64 GiB"}]},
        provisioning={"method": "linked_clone"},
        migration={"model": model},
        network={"layout": {"topology": "leaf_spine", "hosts_per_leaf": 2, "spines": 2,
                            "port": "0.2 Gbit/s", "uplink": "0.2 Gbit/s"}}
        if model != "fixed_rate" else {},
        failures={"entries": entries, "restart_vms": bool(generator.random() < 0.7)},
    ))  # fmt: skip
    outcome = case.engine.run(lambda _: audit(case.farm))
    audit(outcome.farm)
    farm, lives = outcome.farm, outcome.lives
    ended_s = np.where(np.isnan(lives.ended_s), outcome.end_s, lives.ended_s)
    present_s = np.where(np.isnan(lives.ran_s), 0.0, ended_s - lives.ran_s)
    assert np.all(lives.down_s <= present_s + 1e-6)
    accounted = farm.accounts.totals[[Rate.ON, Rate.SWITCHING, Rate.FAILED]].sum(axis=0)
    assert np.all(accounted <= outcome.end_s + 1e-6)
    states = np.isin(farm.vms.state, [VmState.RUNNING, VmState.MIGRATING, VmState.STARTING])
    assert np.array_equal(states, farm.vms.host >= 0)


MODELS = ["pre_copy", "post_copy", "hybrid", "cold", "suspend_resume"]


def moving(model: str, schedule: list[Changes]) -> Outcome:
    """Empty the first host of one VM, by a link that takes it half a minute."""
    _, outcome = play_failing(
        run={"duration": "20 min", "report_every": "20 min"},
        workload={
            "source": {"type": "constant", "utilisation": "50 %"},
            "sizes": [{"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": "2 GiB", "count": 1}],
        },
        policies={
            "initial": {"placement": "first_fit"}, "every": "5 min",
            "control": {"policy": "evacuation", "hosts": "h-1"},
        },
        network={"layout": {"topology": "single_switch", "port": "0.5 Gbit/s"}},
        migration={"model": model},
        failures={"schedule": schedule},
    )  # fmt: skip
    return outcome


@pytest.mark.parametrize("model", MODELS)
def test_a_host_fails_in_every_phase_of_a_move(model: str) -> None:
    """The VM is in one state, and is down only if the host that it was on has failed."""
    move = moving(model, []).tables["migrations"]
    start_s, end_s, target = move["start_s"][0], move["end_s"][0], int(move["target"][0])
    assert end_s - start_s > 10
    for part in (0.0, 0.2, 0.5, 0.8, 0.97, 1.0):
        at = f"{start_s + part * (end_s - start_s)} s"
        for of, match in (("host", "h-1"), ("host", f"h-{target + 1}"), ("link", "h-1 *")):
            outcome = moving(model, [planned(at, of, match, "30 s")])
            vms, lives = outcome.farm.vms, outcome.lives
            assert vms.state[0] in (VmState.RUNNING, VmState.LOST)
            assert (vms.host[0] >= 0) == (vms.state[0] == VmState.RUNNING)
            assert lives.crashes[0] <= 1
            if lives.crashes[0] == 0 and of == "host":
                assert lives.down_s[0] == 0


@pytest.mark.parametrize("placement", ["worst_fit", "round_robin"])
def test_hosts_that_are_repaired_at_one_instant_share_the_vms_that_wait(placement: str) -> None:
    """Both hosts are down from 10 to 20 min; all VMs wait, and are spread as at the start."""
    down = {"at": "10 min", "component": "host", "duration": "10 min"}
    host = {
        "name": "h", "count": 2, "boot": {"duration": "0 s"},
        "server": {"cores": 10, "clock": "1 GHz", "memory": "64 GiB",
                   "power": {"model": "linear", "idle": "100 W", "max": "200 W"}},
    }  # fmt: skip
    result = farmsim.run(
        {
            "name": "both", "run": {"duration": "1 h"}, "farm": {"hosts": [host]},
            "workload": {
                "source": {"type": "constant", "utilisation": "50 %"}, "vms": 8,
                "sizes": [{"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": "2 GiB"}],
            },
            "policies": {"initial": {"placement": placement}},
            "failures": {"schedule": [down | {"match": [name]} for name in ("h-1", "h-2")]},
            "baseline": {"type": "none"},
        }
    )  # fmt: skip
    homes = result.table("vms")["last_host"].to_pylist()
    assert (homes.count("h-1"), homes.count("h-2")) == (4, 4)
