"""The failover test: who restarts, who is stranded, which resource or rule stops it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_farms import ONE_HOST, RESERVE_SCENARIO, reserve_scenario

import farmsim
from farmsim.analysis.studies.failover import failover
from farmsim.cli.main import run_command_line
from farmsim.scenarios.errors.problems import InputError


def packed(**changes: Any) -> farmsim.Scenario:
    """Return four hosts of 8 VMs each, of which 28 places are taken."""
    return reserve_scenario(**({"workload.vms": 28, "run.duration": "10 min"} | changes))


def test_what_does_not_fit_is_stranded_by_memory() -> None:
    # 8, 8, 8 and 4 VMs: whichever host fails, 4 places are left, and none if it is the fourth.
    outcome = failover(packed())
    restarted = [each.vms - len(each.stranded) for each in outcome.of("host")]
    assert restarted == [4, 4, 4, 0]
    assert outcome.sentence() == "loses 4 VMs of size s if host h-1 fails: memory"
    first = outcome.of("host")[0].stranded[0]
    assert first.hindrances == {"memory": 3, "CPU": 3}
    assert first.figures == "needs 4 GiB, at most 0 GiB free on any of the 3 hosts that it may use"
    assert (outcome.at_s, outcome.worst, outcome.promised) == (0.0, True, 28 / 32)


def test_memory_stops_vms_where_cpu_would_not() -> None:
    outcome = failover(packed(**{"policies.initial.cpu_overcommit": 4}))
    assert outcome.of("host")[0].stranded[0].hindrances == {"memory": 3}


def test_a_rule_that_stops_a_vm_is_named() -> None:
    apart = {"name": "db", "type": "apart", "vms": ["vm-[1-4]"]}
    outcome = failover(reserve_scenario(**{"workload.vms": 6, "constraints": [apart]}))
    assert outcome.sentence() == "loses 1 VM of size s if host h-1 fails: rule db"


def test_racks_pairs_and_sites() -> None:
    kept = {
        "workload.vms": 16, "farm.hosts_per_rack": 2, "policies.reserve": ONE_HOST | {"hosts": 2},
        "policies.initial.placement": "round_robin",
    }  # fmt: skip
    outcome = failover(reserve_scenario(**kept), pairs=True)
    assert [len(outcome.of(kind)) for kind in ("host", "pair", "rack", "site")] == [4, 6, 2, 0]
    assert all(outcome.survives(kind) for kind in ("host", "pair", "rack"))
    assert outcome.whole == ["site"]
    assert not outcome.survives("site")
    assert outcome.sentence() == "survives any one host and any two hosts and any rack"


def test_sleeping_hosts_are_woken_for_vms_that_restart() -> None:
    sleepy = packed(**{"workload.vms": 8, "policies.control": "power_proportional"})
    outcome = failover(sleepy)
    (only,) = outcome.of("host")
    assert (outcome.hosts_on, only.vms, only.woken, only.stranded) == (1, 8, 1, [])


def test_vms_of_higher_priority_restart_first(tmp_path: Path) -> None:
    # The last of the eight VMs on the first host ranks highest; four find places.
    lines = ["vm,arrival,vcpus,memory,clock,priority"]
    lines += [f"vm-{index:02d},0,1,4,2000,{index % 8}" for index in range(28)]
    (tmp_path / "vms.csv").write_text("\n".join(lines) + "\n", "utf-8")
    arrivals = {"type": "table", "path": str(tmp_path / "vms.csv")}
    given = packed(workload={"arrivals": arrivals})
    first = failover(given).of("host")[0]
    assert [each.vm for each in first.stranded] == ["vm-03", "vm-02", "vm-01", "vm-00"]


def test_an_instant_that_is_asked_for_is_looked_at() -> None:
    outcome = failover(packed(), at_s=300.0)
    assert (outcome.at_s, outcome.worst) == (300.0, False)
    assert outcome.text().splitlines()[1].startswith("at 0.0833333 h: 28 VMs on 4 of 4 hosts")
    assert failover(packed(), at_s=0.0).to_dict()["failures"] == outcome.to_dict()["failures"]
    with pytest.raises(InputError, match="set a time from 0 h to the end of the run"):
        failover(packed(), at_s=601.0)


def test_looking_changes_nothing_and_is_the_same_again() -> None:
    given = packed(**{"policies.initial.placement": "random"})
    assert failover(given).to_dict() == failover(given).to_dict()


def test_the_command_writes_page_and_values_and_judges(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "packed.yaml", tmp_path / "out"
    path.write_text(packed().to_yaml(), "utf-8")
    arguments = ["failover", str(path), "--out", str(out), "--assert-survives", "host"]
    assert run_command_line(arguments) == 1
    told = capsys.readouterr()
    assert "loses 4 VMs of size s if host h-1 fails: memory" in told.out
    assert "does not survive the failure of any host" in told.err
    data = json.loads((out / "failover.json").read_text("utf-8"))
    assert [each["restarted"] for each in data["failures"]] == [4, 4, 4, 0]
    page = (out / "failover.html").read_text("utf-8")
    assert "Loses 4 VMs of size s if host h-1 fails: memory." in page
    kept = [*arguments, "--set", "policies.reserve={kind: hosts}", "--json"]
    assert run_command_line(kept) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == (
        "4 of 28 VMs were rejected. With the others, the farm survives any one host"
    )


def test_the_command_tells_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "packed.yaml"
    path.write_text(packed().to_yaml(), "utf-8")
    assert run_command_line(["failover", str(path), "--at", "soon"]) == 2
    assert run_command_line(["failover", str(path), "--at", "9 h"]) == 2
    assert "--at" in capsys.readouterr().err


def ranked(**changes: Any) -> farmsim.Scenario:
    """Return three hosts of 64 GiB with six VMs of low and four of high priority of 16 GiB each."""
    size = {"vcpus": 1, "clock": "2 GHz", "memory": "16 GiB"}
    sizes = [size | {"name": "low", "count": 6}, size | {"name": "high", "count": 4, "priority": 9}]
    return reserve_scenario(
        **{
            "farm.hosts.0.count": 3, "farm.hosts.0.server.memory": "64 GiB", "workload.vms": None,
            "workload.sizes": sizes, "policies.initial.placement": "round_robin",
        } | changes
    )  # fmt: skip


def test_those_of_high_priority_restart_as_in_the_run() -> None:
    first = failover(ranked(), at_s=600.0).of("host")[0]
    assert (first.vms, {each.size for each in first.stranded}) == (4, {"low"})
    assert first.down_s == 15.0


def test_a_vm_is_stranded_by_the_resource_and_not_by_the_fence_around_it() -> None:
    fence = {"name": "own", "type": "fence", "sizes": ["s"], "hosts": ["h-[12]"]}
    outcome = failover(reserve_scenario(**{"workload.vms": 12, "constraints": [fence]}))
    first = outcome.of("host")[0]
    assert first.causes == "memory"
    assert first.stranded[0].hosts == 1
    alone = fence | {"hosts": ["h-1"]}
    outcome = failover(reserve_scenario(**{"workload.vms": 4, "constraints": [alone]}))
    assert outcome.of("host")[0].causes == "no host is left that rule own allows"


def test_pairs_include_hosts_without_vms_and_one_host_alone_survives_nothing() -> None:
    one_filled = failover(reserve_scenario(**{"workload.vms": 4}), pairs=True)
    assert len(one_filled.of("pair")) == 3
    assert one_filled.survives("pair")
    two = reserve_scenario(**{"workload.vms": 4, "farm.hosts.0.count": 2})
    assert not failover(two, pairs=True).survives("pair")
    single = failover(reserve_scenario(**{"workload.vms": 4, "farm.hosts.0.count": 1}), pairs=True)
    assert not single.survives("pair")
    assert not single.survives("host")
    assert single.of("host")[0].causes == "no host is left"


def test_without_restarts_all_wait_for_the_repair() -> None:
    down = {"schedule": [{"at": "50 min", "match": ["h-1"], "duration": "1 min"}]}
    away = reserve_scenario(**{"workload.vms": 8, "failures": down | {"restart_vms": False}})
    only = failover(away, at_s=60.0).of("host")[0]
    assert only.causes == "VMs are not restarted on other hosts; they wait for the repair"
    assert len(only.stranded) == only.vms


def test_waking_a_host_counts_in_the_time_down() -> None:
    sleepy = packed(**{"workload.vms": 8, "policies.control": "power_proportional",
                       "farm.hosts.0.boot": {"duration": "3 min"}})  # fmt: skip
    (only,) = failover(sleepy).of("host")
    assert (only.woken, only.down_s) == (1, 195.0)


def test_nothing_to_test_is_told(tmp_path: Path) -> None:
    (tmp_path / "vms.csv").write_text("vm,arrival,lifetime,vcpus,memory,clock\na,0,60,1,4,2000\n")
    arrivals = {"type": "table", "path": str(tmp_path / "vms.csv")}
    with pytest.raises(
        InputError, match=r"finds no VM on any host at 0\.1 h; there is nothing to test"
    ):
        failover(packed(workload={"arrivals": arrivals}), at_s=360.0)


def test_an_instant_before_the_first_vm_comes_is_told_as_such(tmp_path: Path) -> None:
    """What comes later is no fault of the workload: the run is only looked at early."""
    (tmp_path / "vms.csv").write_text("vm,arrival,lifetime,vcpus,memory,clock\na,400,,1,4,2000\n")
    arrivals = {"type": "table", "path": str(tmp_path / "vms.csv")}
    made = packed(workload={"arrivals": arrivals})
    for at_s, hour in ((0.0, "0"), (360.0, "0.1")):
        with pytest.raises(
            InputError, match=f"finds no VM on any host at {hour} h; there is nothing to test"
        ):
            failover(made, at_s=at_s)
        with pytest.raises(
            InputError, match=f"finds no VM on any host at {hour} h; set another time"
        ):
            farmsim.optimum(made, at_s=at_s)
    assert "1 VM on " in failover(made, at_s=500.0).text()
    assert "1 VM, " in farmsim.optimum(made, at_s=500.0).text()


@settings(max_examples=25, deadline=None)
@example([(1, 9, 0), (1, 2, 0), (1, 2, 1)], [16, 20, 16, 16], 6, "round_robin", "fence", True)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(2, 16), st.integers(0, 2)), min_size=1,
             max_size=3),
    st.lists(st.integers(16, 48), min_size=2, max_size=4),
    st.integers(3, 14),
    st.sampled_from(["first_fit", "best_fit_decreasing", "worst_fit", "round_robin"]),
    st.sampled_from(["apart", "fence", "none"]),
    st.booleans(),
)  # fmt: skip
def test_the_test_strands_whom_the_run_strands(
    sizes: list[tuple[int, int, int]], memory: list[int], vms: int, placement: str, rule: str,
    by_demand: bool,
) -> None:  # fmt: skip
    made = [
        {"name": f"s{index}", "vcpus": vcpus, "clock": "2 GHz", "memory": f"{gib} GiB",
         "priority": priority}
        for index, (vcpus, gib, priority) in enumerate(sizes)
    ]  # fmt: skip
    server = RESERVE_SCENARIO["farm"]["hosts"][0]["server"]
    hosts = [
        {"name": f"g{index}", "count": 1, "memory": f"{gib} GiB", "server": server}
        for index, gib in enumerate(memory)
    ]
    rules: list[dict[str, Any]] = {
        "apart": [{"name": "r", "type": "apart", "vms": ["vm-*1", "vm-*2"]}],
        "fence": [{"name": "r", "type": "fence", "sizes": ["s0"], "hosts": ["g[01]*"]}],
        "none": [],
    }[rule]
    names = [host["name"] for host in hosts]
    changes = {
        "farm.hosts": hosts,
        "workload.vms": vms,
        "workload.sizes": made,
        "constraints": rules,
        "policies.initial.placement": placement,
        "policies.initial.count_by": "demand" if by_demand else "size",
    }
    try:
        tested = failover(reserve_scenario(**changes), at_s=600.0)
    except InputError:
        return
    struck = tested.of("host")[0]
    failures = {"schedule": [{"at": "10 min", "match": [struck.name], "duration": "3 h"}]}
    assert struck.name.split("-")[0] in names
    ran = farmsim.run(reserve_scenario(**(changes | {"failures": failures})))
    events = ran.table("vm_events").to_pylist()
    crashed = {row["vm"] for row in events if row["event"] == "crashed"}
    back = {row["vm"] for row in events if row["event"] == "running" and row["time_s"] >= 615.0}
    assert len(crashed) == struck.vms
    assert {each.vm for each in struck.stranded} == crashed - back
