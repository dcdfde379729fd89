"""Applications that scale: closed forms, lateness, what is kept whatever happens."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.analysis.run.result import Result
from farmsim.models.workload.application import ROUNDING, spread
from farmsim.models.workload.application_load import DAY_S, between, daily, event, held
from farmsim.policies.scaling.scaling import ApplicationView
from farmsim.policies.scaling.scheduled_scaling import ScheduledScaling
from farmsim.policies.scaling.step_scaling import StepScaling
from farmsim.policies.scaling.target_utilisation import TargetUtilisation
from farmsim.policies.scaling.vertical_scaling import VerticalScaling

WEB = {"name": "web", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB"}
SIZES = [WEB, {**WEB, "name": "wide", "vcpus": 2}, {**WEB, "name": "wider", "vcpus": 4}]
COPY_S = 20_480 * 8 * 1024 * 1024 / 1e6 / 3200.0
"""What copying the default image takes over the default bandwidth; an ideal hypervisor boots at
once."""


def scenario(load: Any, end: str = "2 h", hosts: int = 10, **changes: Any) -> dict[str, Any]:
    """Return a scenario of one application of VMs of 1 GHz on hosts of 5.32 GHz."""
    fields = {"name": "app", "size": "web", "max_members": 20, "load": load, **changes}
    return {
        "run": {"duration": end, "report_every": "10 min"},
        "farm": {"hosts": [{"name": "x", "server": "hp_ml110_g5", "count": hosts,
                            "memory": "64 GiB"}]},
        "workload": {"sizes": SIZES},
        "applications": [fields],
        "policies": {"initial": {"placement": "round_robin"}},
        "provisioning": {"method": "template_copy"},
        "baseline": {"type": "none"},
    }  # fmt: skip


def run(load: Any, end: str = "2 h", hosts: int = 10, **changes: Any) -> Result:
    return farmsim.run(farmsim.Scenario.of(scenario(load, end, hosts, **changes)))


def forecast(times: list[str], rates: list[str], **more: Any) -> dict[str, Any]:
    return {"type": "table", "times": times, "rates": rates, **more}


def constant(rate: str) -> dict[str, Any]:
    return {"type": "constant", "rate": rate}


def view(load_mhz: float, members: int, **more: Any) -> ApplicationView:
    fields = {"size": "web", "sizes_mhz": {"web": 1000.0}, "now_s": 0.0, **more}
    return ApplicationView(
        step_s=60.0, load_mhz=np.array([load_mhz]), members=members, running=members,
        capacity_mhz=fields["sizes_mhz"][fields["size"]], minimum=1, maximum=100, **fields,
    )  # fmt: skip


@pytest.mark.parametrize("rate_ghz", [0.3, 3.0, 4.5, 7.21])
def test_a_constant_load_gets_as_many_members_as_carry_it_at_the_target(rate_ghz: float) -> None:
    scaling = {"policy": "target_utilisation", "target": 0.6, "tolerance": 0}
    result = run(constant(f"{rate_ghz} GHz"), scaling=scaling)
    wanted = max(math.ceil(rate_ghz / 0.6 - 1e-9), 1)
    assert result.table("application_series")["running"].to_pylist()[-1] == wanted
    assert result.value("scale_outs") == (1 if wanted > 1 else 0)


def test_capacity_is_late_by_what_provisioning_takes() -> None:
    """From 1 to 4 GHz at 600 s: three members more, there when their images are copied."""
    jump = forecast(["0 s", "10 min"], ["1 GHz", "4 GHz"], interpolation="hold")
    scaling = {"policy": "target_utilisation", "target": 1.0}
    result = run(jump, initial_members=1, scaling=scaling)
    (decision,) = result.table("scaling").to_pylist()
    assert (decision["time_s"], decision["from_members"], decision["to_members"]) == (600.0, 1, 4)
    assert decision["ready_s"] == pytest.approx(600.0 + COPY_S)
    assert decision["shortage_s"] == pytest.approx(COPY_S)
    (shortage,) = result.table("shortages").to_pylist()
    assert shortage["ended_by"] == "capacity was added"
    assert shortage["unserved_ghz_h"] == pytest.approx(3.0 * COPY_S / 3600.0)
    assert result.value("shortage_mean_s") == pytest.approx(COPY_S)
    assert result.value("applications_unserved_ghz_h") == pytest.approx(3.0 * COPY_S / 3600.0)


def test_a_forecast_that_knows_the_ramp_is_in_time_where_a_target_is_late() -> None:
    ramp = forecast(["0 s", "30 min", "40 min"], ["2 GHz", "2 GHz", "12 GHz"])
    late = run(ramp, initial_members=2, scaling={"policy": "target_utilisation", "target": 1.0})
    ahead = {"policy": "predictive", "target": 1.0, "horizon": "5 min",
             "forecaster": {"policy": "linear_trend", "window": "2 min"}}  # fmt: skip
    early = run(ramp, initial_members=2, scaling=ahead)
    assert late.value("applications_unserved_ghz_h") > 0.0
    assert early.value("applications_unserved_ghz_h") < 0.3 * late.value(
        "applications_unserved_ghz_h"
    )
    assert early.value("applications_spare_share") > late.value("applications_spare_share")


def test_what_lateness_costs_is_price_times_work_not_done() -> None:
    penalty = {"price": "5 EUR", "per": "GHz h"}
    result = run(constant("3 GHz"), penalty=penalty, max_members=1)
    assert result.value("applications_unserved_ghz_h") == pytest.approx(2.0 * 2.0)
    assert result.value("unserved_load_penalty") == pytest.approx(5.0 * 4.0)
    (shortage,) = result.table("shortages").to_pylist()
    assert shortage["ended_by"] == "the run ended"


def test_requests_count_with_the_work_of_their_class() -> None:
    """A request of class web takes 5 ms at 2.6 GHz: 13 MHz s."""
    made = scenario(constant("100 requests/s"), penalty={"price": "1 EUR", "per": "request"})
    made["workload"] = {"sizes": [{**WEB, "class": "web"}]}
    result = farmsim.run(farmsim.Scenario.of(made))
    (row,) = result.table("applications").to_pylist()
    assert row["load_ghz_h"] == pytest.approx(1.3 * 2.0)
    assert row["penalty"] == pytest.approx(0.3e3 / 13.0 * 7200.0)


def test_cool_downs_hold_scaling_back() -> None:
    ramp = forecast(["0 s", "1 h", "2 h"], ["1 GHz", "9 GHz", "1 GHz"])
    scaling = {"policy": "target_utilisation", "target": 0.8}
    result = run(ramp, scaling=scaling, cool_down={"out": "9 min", "in": "14 min"})
    outs = [each for each in result.table("scaling").to_pylist() if each["decision"] == "out"]
    ins = [each for each in result.table("scaling").to_pylist() if each["decision"] == "in"]
    times = [each["time_s"] for each in outs]
    assert min(np.diff(times)) >= 540.0
    every = sorted([*times, *(each["time_s"] for each in ins)])
    assert all(now - every[every.index(now) - 1] >= 840.0 for now in (e["time_s"] for e in ins))
    assert len(ins) > 1


@pytest.mark.parametrize(
    ("leaves", "protected", "left"),
    [
        ("newest_first", 0, {1, 2}),
        ("oldest_first", 0, {3, 4}),
        ("oldest_first", 1, {1, 4}),
        ("oldest_first", 2, {1, 2}),
    ],
)
def test_who_leaves(leaves: str, protected: int, left: set[int]) -> None:
    """Four members come one after another, then two go."""
    schedule = {
        "policy": "scheduled", "at": ["00:00", "00:10", "00:20", "00:30", "01:00"],
        "members": [1, 2, 3, 4, 2],
    }  # fmt: skip
    result = run(
        constant("1 GHz"),
        scaling=schedule,
        scale_in_order=leaves,
        protected_members=protected,
        max_members=4,
    )
    states = dict(
        zip(result.table("vms")["vm"].to_pylist(), result.table("vms")["state"].to_pylist(),
            strict=True)
    )  # fmt: skip
    assert {int(name[4:]) for name, state in states.items() if state == "running"} == left


def test_a_member_that_left_is_used_again_and_its_absence_is_no_downtime() -> None:
    schedule = {"policy": "scheduled", "at": ["00:00", "00:30", "01:00"], "members": [2, 1, 2]}
    result = run(constant("1 GHz"), initial_members=2, max_members=2, scaling=schedule)
    second = result.table("vms").to_pylist()[1]
    assert (second["state"], second["down_s"], second["availability"]) == ("running", 0.0, 1.0)
    events = [each["event"] for each in result.table("vm_events").to_pylist()]
    assert events.count("dismissed") == 1


def test_sizes_go_up_hot_or_by_restarts_one_after_another() -> None:
    jump = forecast(["0 s", "10 min"], ["1.5 GHz", "5 GHz"], interpolation="hold")
    ladder = {"policy": "vertical", "sizes": ["web", "wide", "wider"]}
    resizes_running = run(
        jump, initial_members=2, min_members=2, scaling={**ladder, "hot_add_up_to": "wider"}
    )
    cold = run(jump, initial_members=2, min_members=2, scaling=ladder)
    (step, more) = resizes_running.table("scaling").to_pylist()
    assert (step["to_size"], more["to_size"]) == ("wide", "wider")
    assert step["ready_s"] == step["time_s"] == 600.0
    assert resizes_running.value("shortage_p95_s") == 60.0
    assert set(cold.table("vms")["size"].to_pylist()[:2]) == {"wider"}
    dismissed = [
        each["time_s"] for each in cold.table("vm_events").to_pylist()
        if each["event"] == "dismissed"
    ]  # fmt: skip
    assert len(dismissed) == len(set(dismissed)) >= 2
    assert "dismissed" not in resizes_running.table("vm_events")["event"].to_pylist()


def test_load_goes_over_to_others_at_the_instant_a_host_fails() -> None:
    made = scenario(
        constant("2 GHz"), hosts=2, initial_members=2, min_members=2, load_balancing="round_robin"
    )
    outage = {"at": "1000 s", "component": "host", "match": ["x-1"], "duration": "10 min"}
    made["failures"] = {"schedule": [outage], "detection_time": "30 s"}
    result = farmsim.run(farmsim.Scenario.of(made))
    (shortage,) = result.table("shortages").to_pylist()
    assert shortage["start_s"] == 1000.0
    assert shortage["end_s"] == pytest.approx(1030.0)
    assert shortage["unserved_ghz_h"] == pytest.approx(1.0 * 30.0 / 3600.0)


def test_the_baseline_has_all_members_all_the_time() -> None:
    made = scenario(constant("2 GHz"), max_members=4) | {"baseline": {"type": "dedicated"}}
    result = farmsim.run(farmsim.Scenario.of(made))
    assert result.baseline is not None
    assert set(result.baseline.table("application_series")["running"].to_pylist()) == {4}


def test_applications_come_beside_other_vms() -> None:
    made = scenario(constant("2 GHz"), max_members=4, initial_members=4)
    sizes = [{**WEB, "count": 0}, {**WEB, "name": "batch", "count": 3}]
    made["workload"] = {"source": {"type": "constant", "utilisation": 0.5}, "sizes": sizes}
    vms = farmsim.run(farmsim.Scenario.of(made)).table("vms").to_pylist()
    assert [vm["vm"] for vm in vms] == [
        "vm-1", "vm-2", "vm-3", "app-1", "app-2", "app-3", "app-4",
    ]  # fmt: skip
    asked = [vm["requested_ghz_h"] for vm in vms]
    assert asked == pytest.approx([1.0] * 3 + [1.0] * 4)


@settings(max_examples=15, deadline=None)
@given(
    rates=st.lists(st.floats(0.0, 25.0), min_size=2, max_size=6),
    policy=st.sampled_from(["target_utilisation", "step", "predictive"]),
    minimum=st.integers(1, 4),
    more=st.integers(0, 8),
    hosts=st.integers(1, 6),
    balance=st.sampled_from(["round_robin", "least_loaded"]),
)
def test_load_is_served_or_missed_and_members_stay_within_bounds(
    rates: list[float], policy: str, minimum: int, more: int, hosts: int, balance: str
) -> None:
    times = [f"{600 * index} s" for index in range(len(rates))]
    load = forecast(times, [f"{rate:.4f} GHz" for rate in rates], interpolation="hold")
    made = scenario(
        load, "1 h", hosts, min_members=minimum, max_members=minimum + more,
        scaling={"policy": policy},
        load_balancing=balance, cool_down={"in": "5 min"},
    )  # fmt: skip
    made["policies"] = {"initial": {"unplaced": "reject"}, "scaling_every": "2 min"}
    result = farmsim.run(farmsim.Scenario.of(made))
    series = {name: result.table("application_series")[name].to_numpy()
              for name in ("load_ghz", "served_ghz", "unserved_ghz", "capacity_ghz", "running",
                           "starting", "desired")}  # fmt: skip
    assert series["served_ghz"] + series["unserved_ghz"] == pytest.approx(series["load_ghz"])
    assert np.all(series["unserved_ghz"] >= 0.0)
    assert np.all(series["served_ghz"] <= series["capacity_ghz"] + 1e-9)
    assert np.all((series["desired"] >= minimum) & (series["desired"] <= minimum + more))
    assert np.all(series["running"] + series["starting"] <= minimum + more)
    asked = sum(result.table("vms")["requested_ghz_h"].to_pylist())
    missed = result.value("applications_unserved_ghz_h")
    (row,) = result.table("applications").to_pylist()
    assert asked + missed == pytest.approx(row["load_ghz_h"])


@given(
    load=st.lists(st.floats(0.0, 1e4), min_size=1, max_size=4),
    sizes=st.lists(st.floats(100.0, 4e3), min_size=1, max_size=12),
    data=st.data(),
)
@settings(max_examples=30, deadline=None)
def test_spread_gives_away_the_load_and_never_more_than_there_is(
    load: list[float], sizes: list[float], data: st.DataObject
) -> None:
    count, capacity = len(load), np.array(sizes)
    rows = st.lists(st.integers(0, count - 1), min_size=len(sizes), max_size=len(sizes))
    of_member = np.sort(np.array(data.draw(rows)))
    flags = st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes))
    running = np.array(data.draw(flags))
    by_capacity = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    demand = spread(np.array(load), of_member, by_capacity, capacity, running)
    assert np.all(demand[~running] == 0.0)
    assert np.all(demand <= capacity)
    given_away = np.bincount(of_member, weights=demand, minlength=count)
    room = np.bincount(of_member, weights=capacity * running, minlength=count)
    assert np.all(given_away <= np.array(load) * (1 + ROUNDING))
    exact = np.minimum(np.array(load), room)[by_capacity]
    assert given_away[by_capacity] == pytest.approx(exact)


def test_courses_of_load() -> None:
    at, values = np.array([0.0, 100.0]), np.array([1.0, 3.0])
    times = np.array([0.0, 50.0, 100.0, 500.0])
    assert held(times, at, values).tolist() == [1.0, 1.0, 3.0, 3.0]
    assert between(times, at, values).tolist() == [1.0, 2.0, 3.0, 3.0]
    hours = np.array([14.0, 2.0, 5 * 24 + 14.0]) * 3600.0
    day = daily(hours, 10.0, 2.0, 14 * 3600.0, 0.5)
    assert day == pytest.approx([10.0, 2.0, 5.0])
    assert daily(np.arange(0, DAY_S, 60.0), 10.0, 2.0, 0.0, 1.0).mean() == pytest.approx(6.0)
    factors = event(np.array([0.0, 10.0, 15.0, 20.0, 30.0, 40.0]), 10.0, 40.0, 3.0, 10.0)
    assert factors.tolist() == [1.0, 1.0, 2.0, 3.0, 3.0, 1.0]


@pytest.mark.parametrize(
    ("load_mhz", "members", "wanted"),
    [(600.0, 1, 1), (660.0, 1, 1), (670.0, 1, 2), (6000.0, 2, 10), (500.0, 10, 1), (0.0, 3, 0)],
)
def test_target_utilisation_is_the_autoscalers_rule(
    load_mhz: float, members: int, wanted: int
) -> None:
    assert TargetUtilisation(target=0.6).decide(view(load_mhz, members)).members == wanted


@pytest.mark.parametrize(
    ("load_mhz", "wanted"), [(6900.0, 10), (7000.0, 11), (9000.0, 13), (3900.0, 9), (4000.0, 10)]
)
def test_steps(load_mhz: float, wanted: int) -> None:
    assert StepScaling().decide(view(load_mhz, 10)).members == wanted


@pytest.mark.parametrize(
    ("hours", "wanted"), [(0.0, 3), (7.9, 3), (8.0, 9), (4 * 24 + 8.0, 20), (4 * 24 + 23.0, 3)]
)
def test_a_schedule_knows_the_day_of_the_week(hours: float, wanted: int) -> None:
    policy = ScheduledScaling(at=("08:00", "22:00", "Fri 08:00"), members=(9, 3, 20))
    assert policy.decide(view(1000.0, 3, now_s=hours * 3600.0)).members == wanted


def test_a_ladder_is_climbed_rung_by_rung() -> None:
    sizes = {"a": 1000.0, "b": 2000.0, "c": 4000.0}
    policy = VerticalScaling(sizes=("a", "b", "c"), hot_add_up_to="b")
    at = [("a", 850.0, "b"), ("a", 750.0, ""), ("b", 500.0, "a"), ("b", 700.0, ""),
          ("c", 3900.0, "")]  # fmt: skip
    for size, load_mhz, wanted in at:
        assert policy.decide(view(load_mhz, 1, size=size, sizes_mhz=sizes)).size == wanted
    assert policy.resizes_running("a", "b")
    assert not policy.resizes_running("b", "c")


def vertical(hosts: int, minimum: int = 1) -> Result:
    """Members of 2 of 10 GHz on hosts where another VM takes 6: the larger size is 8 GHz."""
    power = {"model": "linear", "idle": "100 W", "max": "200 W"}
    server = {"cores": 10, "clock": "1 GHz", "memory": "100 GiB", "power": power}
    size = {"clock": "1 GHz", "memory": "4 GiB"}
    ladder = {
        "policy": "vertical",
        "sizes": ["s", "l"],
        "scale_up_above": "80 %",
        "scale_down_below": "60 %",
    }
    return farmsim.run(
        {
            "run": {"duration": "2 h"},
            "farm": {"hosts": [{"name": "h", "server": server, "count": hosts}]},
            "workload": {
                "source": {"type": "constant", "utilisation": "10 %"},
                "sizes": [
                    {"name": "other", "vcpus": 6, "count": 1, **size},
                    {"name": "s", "vcpus": 2, "count": 0, **size},
                    {"name": "l", "vcpus": 8, "count": 0, **size},
                ],
            },
            "applications": [
                {
                    "name": "a", "size": "s", "min_members": minimum, "max_members": minimum,
                    "load": constant(f"{1.8 * minimum} GHz"), "scaling": ladder,
                }
            ],
            "policies": {
                "scaling_every": "5 min",
                "initial": {"placement": "first_fit"},
            },
            "baseline": {"type": "none"},
        }
    )  # fmt: skip


def test_a_member_is_not_taken_down_where_its_larger_self_has_no_place() -> None:
    """8 GHz beside 6 do not fit 10: the member of 2 GHz goes on serving its 1.8."""
    result = vertical(hosts=1)
    assert result.value("applications_unserved_share") == pytest.approx(0.0, abs=1e-9)
    assert result.value("vm_availability") == 1.0
    sizes = {row["vm"]: row["size"] for row in result.table("vms").to_pylist()}
    assert "s" in sizes.values()
    assert "l" not in sizes.values()


def test_members_grow_one_by_one_where_there_is_a_place() -> None:
    """Two members, one further host: one of them grows, the other has no place and serves on."""
    result = vertical(hosts=2, minimum=2)
    sizes = sorted(row["size"] for row in result.table("vms").to_pylist())
    assert sizes == ["l", "other", "s"]
    assert result.value("applications_unserved_share") < 0.01


def test_a_shortage_that_costs_nothing_is_said_so_on_the_page() -> None:
    """3 GHz for one member of 2 GHz, no penalty; then one application of two has one."""
    short = scenario(constant("3 GHz"), min_members=1, max_members=1)
    free = farmsim.run(short)
    assert free.value("shortages") == 1
    assert "which costs nothing because no application has a penalty" in free.report()
    assert free.table("applications")["penalty"].to_pylist() == [None]
    other = {
        **short["applications"][0],
        "name": "paid",
        "penalty": {"price": "1 EUR", "per": "GHz h"},
    }
    both = farmsim.run({**short, "applications": [*short["applications"], other]})
    assert "app has no penalty, so their unserved work costs nothing" in both.report()
    assert both.value("unserved_load_penalty") == pytest.approx(4.0)
