"""Work asked for and done, and why the rest was not: figures that can be written down."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.analysis.run.result import Result
from farmsim.analysis.topics.service import CAUSES
from farmsim.models.accounts.work_not_running import NotRunning
from farmsim.models.state.lifetimes import Lifetimes

SERVER = {
    "cores": 10, "clock": "1 GHz", "memory": "100 GiB", "sockets": 1,
    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
}  # fmt: skip
SIZE = {"name": "s", "vcpus": 2, "clock": "1 GHz", "memory": "4 GiB"}


def scenario(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": "work",
        "run": {"duration": "2 h"},
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 1}]},
        "workload": {
            "source": {"type": "constant", "utilisation": "100 %"}, "vms": 1, "sizes": [SIZE],
        },
        "policies": {"initial": {"unplaced": "reject"}},
        "baseline": {"type": "none"},
    }  # fmt: skip
    for path, value in changes.items():
        part = made
        *folders, last = path.split("__")
        for folder in folders:
            part = part.setdefault(folder, {})
        part[last] = value
    return made


def run(**changes: Any) -> Result:
    return farmsim.run(deepcopy(scenario(**changes)))


def causes(result: Result) -> dict[str, float]:
    """Return the causes of work not done that are not 0, with their shares."""
    shares = {cause: result.value(f"unserved_{cause}_share") for cause in CAUSES}
    return {cause: share for cause, share in shares.items() if share}


def test_all_work_is_done_where_there_is_room() -> None:
    result = run(workload__vms=4)
    assert causes(result) == {}
    assert result.value("work_served_share") == 1
    assert result.value("work_requested_ghz_h") == pytest.approx(4 * 2 * 2)
    assert result.value("work_served_ghz_h") == pytest.approx(16)


def test_a_host_of_which_too_much_is_asked_is_saturated() -> None:
    result = run(workload__vms=8, policies__initial__cpu_overcommit=2)
    # 16 GHz of 10
    assert causes(result) == pytest.approx({"saturated": 6 / 16})
    assert result.value("slatah") == 1
    assert "because hosts were saturated" in " ".join(result.summary["warnings"])


def test_a_limit_is_the_vm_s_own_and_no_violation_of_its_idle_host() -> None:
    result = run(workload__sizes=[SIZE | {"limit": "0.5 GHz"}])
    assert causes(result) == {"vm_limit": pytest.approx(0.75)}
    assert result.value("slatah") == 0
    assert len(result.table("violations")) == 0
    warnings = " ".join(result.summary["warnings"])
    assert "their vCPUs, limits or cores" in warnings
    assert "saturated" not in warnings


def test_a_core_that_is_slower_than_the_vm_wants_is_the_vm_s_own_limit() -> None:
    result = run(workload__sizes=[SIZE | {"clock": "1.25 GHz"}])
    assert causes(result) == {"vm_limit": pytest.approx(0.2)}
    assert result.value("slatah") == 0


def test_what_a_lone_vm_loses_to_the_hypervisor_is_overhead() -> None:
    farm = {"hosts": [{"name": "h", "server": "dell_r740_8280", "count": 1, "hypervisor": "esxi"}]}
    size = {"name": "s", "vcpus": 4, "clock": "2.7 GHz", "memory": "8 GiB"}
    result = run(farm=farm, workload__sizes=[size])
    found = causes(result)
    assert set(found) == {"overhead"}
    assert found["overhead"] == pytest.approx(0.02, abs=1e-6)
    assert result.value("slatah") == 0
    # a limit of half of it besides: without overhead it would have had one half
    result = run(farm=farm, workload__sizes=[size | {"limit": "5.4 GHz"}])
    assert causes(result) == pytest.approx({"vm_limit": 0.5, "overhead": 0.01}, abs=1e-6)


def test_a_host_that_is_full_to_the_brim_is_saturated_and_nothing_is_missed() -> None:
    result = run(workload__vms=5)
    assert causes(result) == {}
    assert result.value("slatah") == 1
    assert result.table("hosts")["violating_h"].to_pylist() == [2.0]


def test_vms_that_were_rejected_asked_for_work_too() -> None:
    result = run(workload__vms=8)
    assert result.value("vms_rejected") == 3
    assert causes(result) == {"not_running": pytest.approx(3 / 8)}
    assert result.value("work_requested_ghz_h") == pytest.approx(32)
    vms = result.table("vms")
    assert sorted(vms["unserved_not_running_share"].to_pylist()) == [0] * 5 + [1] * 3
    assert sum(vms["requested_ghz_h"].to_pylist()) == pytest.approx(32)


def test_work_asked_for_does_not_depend_on_the_farm() -> None:
    """A farm of which nothing is left, and one with room for all, are asked for the same."""
    for count, served in ((1, 5 / 8), (2, 1.0)):
        hosts = [{"name": "h", "server": SERVER, "count": count}]
        result = run(workload__vms=8, farm__hosts=hosts)
        assert result.value("work_requested_ghz_h") == pytest.approx(32)
        assert result.value("work_served_share") == pytest.approx(served)


def test_a_vm_that_is_down_does_not_run() -> None:
    outage = {"at": "1.5 h", "component": "host", "match": ["h-1"], "duration": "10 h"}
    result = run(failures={"schedule": [outage]}, workload__vms=2)
    assert causes(result) == {"not_running": pytest.approx(0.25)}
    assert result.value("lost_work_ghz_h") == pytest.approx(2 * 2 * 0.5)


def test_load_beyond_the_members_is_not_served() -> None:
    application = {
        "name": "a", "size": "s", "min_members": 1, "max_members": 1,
        "load": {"type": "constant", "rate": "8 GHz"},
    }  # fmt: skip
    result = run(workload={"sizes": [SIZE]}, applications=[application])
    assert causes(result) == {"application": pytest.approx(0.75)}
    assert result.value("work_requested_ghz_h") == pytest.approx(16)


def lives(asked_s: float, ran_s: float = np.nan) -> Lifetimes:
    made = Lifetimes(1)
    made.asked_s[0], made.ran_s[0] = asked_s, ran_s
    return made


@pytest.mark.parametrize(
    ("life_s", "ran_s", "expected_s"),
    [
        (np.inf, np.nan, 900.0),  # never ran and would have stayed
        (300.0, np.nan, 300.0),  # never ran and would have left
        (np.inf, 400.0, 300.0),  # stays, 300 s late
        (500.0, 400.0, 0.0),  # ran its whole life, later
        (700.0, 400.0, 100.0),  # the run cuts off 100 s of its life
        (5000.0, 400.0, 300.0),
        (200.0, 900.0, 100.0),  # waits for longer than it lives, and is cut off half way
    ],
)
def test_a_wait_counts_as_far_as_it_is_not_made_up_for(
    life_s: float, ran_s: float, expected_s: float
) -> None:
    """One VM of 10 MHz asked for at 100 s in a run of 1,000 s."""
    account = NotRunning(1)
    account.lifetime_s = np.array([life_s])
    vm, demand_mhz = np.array([0]), np.array([10.0])
    account.wait(vm, demand_mhz, 100.0)
    for now_s in (150.0, 333.0, 380.0):
        account.note_demand(demand_mhz, now_s)
    if not np.isnan(ran_s):
        account.note_demand(demand_mhz, ran_s)
        account.end(vm, ran_s)
    account.note_demand(demand_mhz, 950.0)
    account.close(1000.0)
    missed_mhz_s = account.missed_mhz_s(lives(100.0, ran_s), 1000.0)
    assert missed_mhz_s == pytest.approx([10.0 * expected_s])


def test_demand_while_not_running_is_integrated_as_it_changes() -> None:
    account = NotRunning(2)
    both, demand_mhz = np.array([0, 1]), np.array([10.0, 20.0])
    account.wait(both[:1], demand_mhz, 0.0)
    account.go_down(both[1:], demand_mhz, np.array([250.0]), 100.0)
    account.note_demand(demand_mhz * 2, 200.0)
    account.end(both[:1], 250.0)
    account.note_demand(demand_mhz, 300.0)
    account.close(400.0)
    missed_mhz_s = account.missed_mhz_s(lives_of_two(), 400.0)
    # 10 for 200 s and 20 for 50 s; 20 for 100 s and 40 for the 50 s until nobody wants it
    assert missed_mhz_s == pytest.approx([3000.0, 4000.0])


def lives_of_two() -> Lifetimes:
    made = Lifetimes(2)
    made.asked_s[:], made.ran_s[:] = 0.0, [250.0, 0.0]
    return made


farms = st.fixed_dictionaries(
    {
        "vms": st.integers(1, 12),
        "hosts": st.integers(1, 4),
        "seed": st.integers(0, 999),
        "limit": st.sampled_from([None, "0.6 GHz"]),
        "clock": st.sampled_from(["1 GHz", "1.5 GHz"]),
        "hypervisor": st.sampled_from(["bare_metal", "kvm", "esxi"]),
        "interference": st.booleans(),
        "overcommit": st.sampled_from([1, 3]),
        "failure": st.booleans(),
        "application": st.booleans(),
        "arrivals": st.booleans(),
        "report": st.sampled_from(["5 min", "17 min"]),
    }
)


def drawn_scenario(drawn: dict[str, Any]) -> dict[str, Any]:
    """Return a small farm with what was drawn on it."""
    size = SIZE | {"clock": drawn["clock"], "class": "web"}
    size |= {"limit": drawn["limit"]} if drawn["limit"] else {}
    host = {
        "name": "h", "server": SERVER | {"cores": 4}, "count": drawn["hosts"],
        "hypervisor": drawn["hypervisor"],
    }  # fmt: skip
    made = scenario(
        seed=drawn["seed"],
        run={"duration": "2 h", "report_every": drawn["report"]},
        farm={"hosts": [host]},
        service={"interference": drawn["interference"]},
        policies__every="10 min",
        policies__initial__cpu_overcommit=drawn["overcommit"],
    )
    made["workload"] = {"source": "azure-v1-week", "vms": drawn["vms"], "sizes": [size]}
    if drawn["arrivals"]:
        arrivals = {"type": "generated", "rate": 0.03, "clock": drawn["clock"], "class": "web"}
        made["workload"] = {"arrivals": arrivals}
        made["admission"] = {"max_queue": 2, "max_wait": "10 min", "retries": 1}
    if drawn["failure"]:
        outage = {"at": "47 min", "component": "host", "match": ["h-1"], "duration": "21 min"}
        made["failures"] = {"schedule": [outage]}
    if drawn["application"] and not drawn["arrivals"]:
        load = {"type": "daily", "peak": "9 GHz", "trough": "1 GHz", "peak_at": "1 h"}
        made["applications"] = [{
            "name": "a", "size": "s", "min_members": 1, "max_members": 3, "load": load,
            "scaling": {"policy": "target_utilisation"},
        }]  # fmt: skip
    return made


@settings(max_examples=25, deadline=None)
@given(drawn=farms)
def test_causes_add_up_whatever_the_farm(drawn: dict[str, Any]) -> None:
    result = farmsim.run(drawn_scenario(drawn))
    shares = [result.value(f"unserved_{cause}_share") for cause in CAUSES]
    assert min(shares) >= 0
    assert sum(shares) == pytest.approx(result.value("unserved_share"), rel=1e-9, abs=1e-12)
    assert result.value("work_served_share") + sum(shares) == pytest.approx(1)
    vms = result.table("vms")
    asked = np.array(vms["requested_ghz_h"].to_pylist())
    done = asked * (1 - np.array(vms["unserved_share"].to_pylist()))
    assert done.sum() == pytest.approx(result.value("work_served_ghz_h"), rel=1e-9, abs=1e-9)
    for cause in set(CAUSES) - {"application"}:
        lost = asked @ np.array(vms[f"unserved_{cause}_share"].to_pylist())
        share = result.value(f"unserved_{cause}_share") * result.value("work_requested_ghz_h")
        assert lost == pytest.approx(share, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("queue", [0, 5])
def test_vms_that_come_inside_a_step_count_for_their_own_time(tmp_path: Path, queue: int) -> None:
    """A host for one VM; the second comes at 10 min for 15 min, and the first stays to the end.

    Demand without a recorded load is constant, so that the step of an hour does not matter.
    """
    (tmp_path / "vms.csv").write_text(
        "arrival,vcpus,memory,lifetime,utilisation\n0,8,4,,50\n600,8,4,900,100\n"
    )
    made = scenario()
    made["workload"] = {
        "arrivals": {"type": "table", "path": str(tmp_path / "vms.csv"), "clock": "1 GHz"}
    }
    made["admission"] = {"max_queue": queue}
    result = farmsim.run(made)
    asked = 8 * 0.5 * 2 + 8 * 0.25
    assert result.value("work_requested_ghz_h") == pytest.approx(asked)
    assert causes(result) == {"not_running": pytest.approx(2 / asked)}


def test_a_vm_that_waited_and_ran_its_whole_life_missed_nothing(tmp_path: Path) -> None:
    """The first leaves after 20 min; the second waits for 10 min and runs its 15 min after all."""
    (tmp_path / "vms.csv").write_text(
        "arrival,vcpus,memory,lifetime,utilisation\n0,8,4,1200,50\n600,8,4,900,100\n"
    )
    made = scenario()
    made["workload"] = {
        "arrivals": {"type": "table", "path": str(tmp_path / "vms.csv"), "clock": "1 GHz"}
    }
    made["admission"] = {"max_queue": 5}
    made["provisioning"] = {"method": "none"}
    result = farmsim.run(made)
    assert causes(result) == {}
    assert result.value("work_requested_ghz_h") == pytest.approx(8 * 0.5 / 3 + 8 * 0.25)
    made["run"] = {"duration": "27 min"}  # it runs for 7 of its 15 minutes, which would have fit
    cut = farmsim.run(made)
    lost_ghz_h = cut.value("unserved_not_running_share") * cut.value("work_requested_ghz_h")
    assert lost_ghz_h == pytest.approx(8 * 8 / 60)
