"""What users of simulators report as wrong, class by class, held against farmsim."""

import math
from dataclasses import replace

import numpy as np
import pytest
from builders import FULL_W, IDLE_W, energy_j, make_engine, make_farm, make_hosts, make_vms
from small_farms import failing_scenario, planned, play_failing, play_lives

import farmsim
from farmsim.analysis.measure.conservation import ConservationError, check
from farmsim.models.accounts.accounts import Rate
from farmsim.models.state.columns import PowerState, VmState
from farmsim.policies.interface.plan import Plan, Proposal, Reason, Search
from farmsim.policies.interface.view import FarmView
from farmsim.sim.lifecycle.setup import Admission
from farmsim.sim.outcome import Outcome

REASON = Reason("planned", 0.0, 0.0)
H = 3600.0


class Once:
    """Carries out one plan at an instant, and nothing else."""

    samples = 0

    def __init__(self, at_s: float, plan: Plan, powers_down: bool = False) -> None:
        self.at_s, self.plan, self.powers_down = at_s, plan, powers_down

    def decide(self, view: FarmView) -> Plan:
        return self.plan if view.now_s == self.at_s else Plan()


# A run "succeeds" although work never started or never ended, with no word about it, or with
# figures such as NaN; one thing that cannot be scheduled keeps the run from ever ending.


def test_what_never_runs_is_counted_and_has_its_reason() -> None:
    sizes = [
        {"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": "4 GiB", "count": 6},
        {"name": "giant", "vcpus": 1, "clock": "1 GHz", "memory": "400 GiB", "count": 1},
    ]
    source = {"type": "constant", "utilisation": "50 %"}
    initial = {"placement": "round_robin", "unplaced": "reject", "cpu_overcommit": 8}
    result = farmsim.run(
        failing_scenario(workload={"source": source, "sizes": sizes}, policies={"initial": initial})
    )
    states = result.table("vms")["state"].to_pylist()
    assert states.count("running") + states.count("rejected") == len(states) == 7
    giant = next(row for row in result.table("vms").to_pylist() if row["memory_gib"] == 400.0)
    assert giant["state"] == "rejected"
    told = [row for row in result.table("decisions").to_pylist() if row["vm"] == giant["vm"]]
    assert [row["outcome"] for row in told] == ["rejected"]
    assert told[0]["hosts_no_memory"] == 4
    for name in result.metrics():
        value = result.value(name)
        assert value is None or math.isfinite(value), name


def test_every_request_is_somewhere_when_the_run_ends() -> None:
    outcome = play_lives(
        2, np.arange(0.0, 900.0, 50.0), np.full(18, 300.0), end_s=1000.0,
        admission=Admission(queue=3, patience_s=200.0),
    )  # fmt: skip
    state = outcome.farm.vms.state
    known = (VmState.RUNNING, VmState.FINISHED, VmState.REJECTED, VmState.WAITING)
    assert sum(int(np.count_nonzero(state == each)) for each in known) == 18
    events = outcome.tables["vm_events"]
    said = {
        int(vm): outcome.words[event]
        for vm, event in zip(events["vm"].tolist(), events["event"].tolist(), strict=True)
    }
    for vm in np.flatnonzero(state == VmState.REJECTED).tolist():
        assert said[vm].startswith("rejected: ")
    assert np.all(outcome.lives.ended_s[state == VmState.FINISHED] <= 1000.0)


def test_a_balance_that_does_not_close_is_an_error() -> None:
    farm = make_farm(make_hosts([1000.0]), make_vms([500.0]))
    outcome = make_engine(farm, np.full((4, 1), 0.5)).run()
    right = {"energy_kwh": energy_j(outcome) / 3.6e6}
    check(outcome, right)
    with pytest.raises(ConservationError, match="energy"):
        check(outcome, {"energy_kwh": right["energy_kwh"] * 1.001})
    with pytest.raises(ConservationError, match="slav is nan"):
        check(outcome, right | {"slav": math.nan})
    with pytest.raises(ConservationError, match="end of the steps"):
        check(replace(outcome, end_s=2 * outcome.end_s), right)


# A setting is accepted and has no effect: a power model not connected to its host, an interval or
# a lifetime that is ignored, an unknown key swallowed. ``test_knobs.py`` turns every setting there
# is; here are those that reports name.


@pytest.mark.parametrize(("model", "share"), [("linear", 0.5), ("square", 0.25)])
def test_the_power_model_of_a_host_is_the_one_that_draws(model: str, share: float) -> None:
    server = {
        "cores": 2, "clock": "1 GHz", "memory": "16 GiB",
        "power": {"model": model, "idle": "90 W", "max": "150 W"},
    }  # fmt: skip
    source = {"type": "constant", "utilisation": "50 %"}
    sizes = [{"name": "s", "vcpus": 2, "clock": "1 GHz", "memory": "4 GiB", "count": 1}]
    result = farmsim.run(
        failing_scenario(
            farm={"hosts": [{"name": "h", "server": server, "count": 1}]},
            workload={"source": source, "sizes": sizes},
        )
    )
    assert result.value("energy_kwh") == pytest.approx((90 + share * 60) * 10 / 1000)


def test_a_lifetime_counts_whatever_the_intervals() -> None:
    lives = play_lives(
        1, np.array([0.0, 1.0]), np.array([7.5, 7.25]), per_host=2, end_s=4000.0
    ).lives
    assert lives.ended_s.tolist() == [7.5, 8.25]


def test_an_unknown_key_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(farmsim.InputError, match="report_every"):
        failing_scenario(run={"duration": "1 h", "reportevery": "5 min"})


# A numerical setting that only says how often something is looked at changes times and energy; a
# trace is read wrongly between its points.


def test_no_total_depends_on_how_often_anybody_looks() -> None:
    # Boots, starts and ends off every grid; the report, the step and the control at odds with all.
    def totals(step_s: float, report_s: float) -> Outcome:
        farm = make_farm(make_hosts([1000.0] * 3, boot_s=41.3), make_vms([500.0] * 4, 3000.0))
        shares = np.repeat([[0.2] * 4, [0.9] * 4, [0.4] * 4], int(600 / step_s), axis=0)
        plan = Plan([Proposal(0, 0, 2, REASON, Search())])
        control = Once(600.0, plan)
        return make_engine(
            farm, shares, control, step_s=step_s, control_s=600.0, report_s=report_s
        ).run()

    one, other = totals(600.0, 600.0), totals(100.0, 77.0)
    assert other.farm.accounts.totals == pytest.approx(one.farm.accounts.totals, rel=1e-12)
    requested = one.farm.vm_accounts.requested_mhz_s
    assert other.farm.vm_accounts.requested_mhz_s == pytest.approx(requested, rel=1e-12)
    for name in ("start_s", "end_s"):
        assert one.tables["migrations"][name].tolist() == other.tables["migrations"][name].tolist()


@pytest.mark.parametrize("apart_s", [1e-9, 1e-3, 0.1])
def test_events_that_are_close_are_not_one(apart_s: float) -> None:
    lives = play_lives(
        2, np.array([100.0, 100.0 + apart_s]), np.array([50.0, 50.0]), end_s=500.0
    ).lives
    assert lives.ran_s.tolist() == [100.0, 100.0 + apart_s]
    assert lives.ended_s.tolist() == [150.0, 100.0 + apart_s + 50.0]


def test_a_vm_that_comes_between_points_of_its_trace_gets_what_is_left_of_the_step() -> None:
    outcome = play_lives(1, np.array([0.0, 450.0]), np.array([100.0, 300.0]), end_s=900.0)
    assert outcome.farm.vm_accounts.requested_mhz_s.tolist() == [500.0 * 100, 500.0 * 300]


# Energy is wrong where states change: an interval billed at the power of the state after it, the
# wrong host billed for a VM that moves, power of nothing while a host boots, NaN after a failure.


def test_switching_off_does_not_bill_the_past() -> None:
    farm = make_farm(make_hosts([1000.0] * 2, stop_s=30.0, off_w=5.0), make_vms([500.0]))
    outcome = make_engine(farm, np.full((4, 1), 1.0), Once(300.0, Plan(sleeps=[1]))).run()
    busy_w = IDLE_W + (FULL_W - IDLE_W) / 2
    asleep_j = 300 * IDLE_W + 30 * IDLE_W + 870 * 5.0
    assert outcome.farm.accounts.totals[Rate.POWER_W] == pytest.approx([1200 * busy_w, asleep_j])


def test_a_move_bills_each_host_for_what_it_did() -> None:
    farm = make_farm(make_hosts([1000.0, 2000.0]), make_vms([500.0], 1024.0))
    plan = Plan([Proposal(0, 0, 1, REASON, Search())])
    outcome = make_engine(farm, np.full((4, 1), 1.0), Once(300.0, plan)).run()
    copy_s = float(outcome.tables["migrations"]["end_s"][0]) - 300.0
    # The guest runs at the source until it has moved; its copy asks the target for a tenth.
    source_j = 1200 * IDLE_W + (300 + copy_s) * 100.0 * 0.5
    target_j = 1200 * IDLE_W + 100.0 * (copy_s * 0.1 + (900 - copy_s)) * 0.25
    assert outcome.farm.accounts.totals[Rate.POWER_W] == pytest.approx([source_j, target_j])


def test_a_failure_between_samples_ends_power_and_work_at_its_instant() -> None:
    _, outcome = play_failing(
        failures={"schedule": [planned("100 s", "host", "h-1", "10 h")], "restart_vms": False}
    )
    farm = outcome.farm
    assert farm.hosts.state[0] == PowerState.FAILED
    assert farm.accounts.total(Rate.ON)[0] == 100.0
    assert farm.vm_accounts.requested_mhz_s[0] == pytest.approx(500.0 * 100.0)
    beside_j = farm.accounts.total(Rate.POWER_W)[1]
    on_w = beside_j / (10 * H)
    dark_w = float(farm.hosts.off_w[0])
    lit_j = on_w * 100.0 + dark_w * (10 * H - 100.0)
    assert farm.accounts.total(Rate.POWER_W)[0] == pytest.approx(lit_j)
