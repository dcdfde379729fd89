"""Hosts are emptied for maintenance: when, at what cost, and what could not leave."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.analysis.report.evacuation import EvacuationResult, evacuated
from farmsim.analysis.studies.evacuate import evacuate
from farmsim.analysis.terminal import summary_text
from farmsim.policies.control.consolidation import Consolidation
from farmsim.policies.control.evacuation import Evacuation
from farmsim.scenarios.errors.problems import InputError

GIB = 1024.0**3
SCENARIO: dict[str, Any] = {
    "name": "maintenance",
    "run": {"duration": "2 h"},
    "farm": {
        "hosts": [
            {
                "name": "rack", "count": 6, "shutdown": {"duration": "0 s"},
                "server": {
                    "cores": 8, "clock": "2 GHz", "memory": "32 GiB",
                    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
                },
            }
        ]
    },
    "workload": {
        "source": {"type": "constant", "utilisation": "25 %"},
        "vms": 12,
        "sizes": [{"name": "s", "vcpus": 2, "clock": "2 GHz", "memory": "4 GiB"}],
    },
    "policies": {"initial": {"placement": "round_robin"}, "every": "5 min"},
    "migration": {"model": "suspend_resume"},
    "network": {"layout": {"topology": "single_switch", "port": "10 Gbit/s", "latency": "0.1 ms"}},
    "baseline": {"type": "none"},
}  # fmt: skip
COPY_S = 4 * GIB / (10e9 / 8)


def scenario(**changes: Any) -> farmsim.Scenario:
    return farmsim.Scenario.of(SCENARIO).with_(changes)


def test_a_host_is_empty_after_its_memory_has_crossed_its_port() -> None:
    outcome = evacuate(scenario(), Evacuation("rack-1", at_s=600.0))
    # Two VMs of 4 GiB share the port: both end together after 8 GiB at its rate.
    assert outcome.hosts == ["rack-1"]
    assert outcome.moves == 2
    assert outcome.finished_s == pytest.approx(600 + 2 * COPY_S, abs=0.01)
    assert outcome.copied_gib == pytest.approx(8.0)
    assert not outcome.stayed
    last = outcome.result.table("vms")["last_host"].to_pylist()
    assert "rack-1" not in last
    assert len(last) == 12


def test_moves_wait_for_a_slot() -> None:
    one = scenario(**{"network.max_migrations_per_host": 1})
    outcome = evacuate(one, Evacuation("rack-1", at_s=600.0))
    assert outcome.finished_s == pytest.approx(600 + 2 * COPY_S, abs=0.01)
    assert outcome.longest_s == pytest.approx(COPY_S, abs=0.01)


def test_waves_follow_one_another_and_hosts_of_earlier_ones_are_used_again() -> None:
    every = Evacuation("rack-*", at_s=600.0, hosts_per_wave=2, maintenance_time_s=900.0)
    outcome = evacuate(scenario(), every)
    moves = outcome.result.table("migrations").to_pydict()
    decided_s = sorted(set(moves["decided_s"]))
    assert len(decided_s) == 3
    assert all(later - earlier >= 900.0 for earlier, later in pairwise(decided_s))
    last_wave = [
        target
        for target, at_s in zip(moves["target"], moves["decided_s"], strict=True)
        if at_s == decided_s[-1]
    ]
    assert set(last_wave) <= {"rack-1", "rack-2", "rack-3", "rack-4"}
    assert outcome.finished_s is not None


def test_what_cannot_leave_is_named_with_the_reason() -> None:
    tight = scenario(**{"farm.hosts.0.server.memory": "8 GiB"})
    outcome = evacuate(tight, Evacuation("rack-1", at_s=600.0))
    assert outcome.finished_s is None
    assert len(outcome.stayed) == 2
    assert all("5 lack memory" in why for why in outcome.stayed.values())
    assert "not emptied within the run: 2 VMs stayed" in outcome.text()


def test_racks_of_the_network_are_named_from_1_in_the_order_of_the_farm() -> None:
    racks = scenario(**{"network.layout": {"topology": "two_tier", "hosts_per_rack": 2}})
    outcome = evacuate(racks, Evacuation("rack-2/*,rack-3/*-5", at_s=600.0))
    assert outcome.hosts == ["rack-3", "rack-4", "rack-5"]
    assert outcome.result.table("hosts")["rack"].to_pylist() == [
        f"rack-{rack}" for rack in (1, 1, 2, 2, 3, 3)
    ]
    leaves = {"topology": "leaf_spine", "hosts_per_leaf": 4}
    outcome = evacuate(scenario(**{"network.layout": leaves}), Evacuation("rack-[!1]/rack-?"))
    assert outcome.hosts == ["rack-5", "rack-6"]
    with pytest.raises(InputError, match="no host matches 'rack-4/"):
        evacuate(racks, Evacuation("rack-4/*"))
    assert len(evacuate(scenario(), Evacuation("rack-1/rack-1")).hosts) == 1


def test_each_host_has_its_wave_and_when_it_was_empty() -> None:
    outcome = evacuate(scenario(), Evacuation("rack-1,rack-2,rack-3", at_s=600.0, hosts_per_wave=2))
    first, second, third = outcome.by_host
    assert [each.wave for each in outcome.by_host] == [1, 1, 2]
    # Each holds two VMs, whose target may be one host: its port is shared by four then.
    assert first.emptied_s is not None
    assert 600 + 2 * COPY_S <= first.emptied_s <= 600 + 4 * COPY_S + 0.1
    assert third.emptied_s == outcome.finished_s
    assert second.worst_downtime_s is not None
    assert second.worst_downtime_s > 0
    assert outcome.moving_s == pytest.approx(sum_of_moves(outcome))
    assert "wave 2: rack-3: empty at" in outcome.text()


def sum_of_moves(outcome: EvacuationResult[farmsim.Result]) -> float:
    table = outcome.result.table("migrations").to_pydict()
    return float(sum(table["end_s"]) - sum(table["start_s"]))


def test_the_report_says_what_stayed_and_why_also_when_made_again(tmp_path: Path) -> None:
    tight = scenario(**{"farm.hosts.0.server.memory": "8 GiB"})
    outcome = evacuate(tight, Evacuation("rack-1,rack-2", at_s=600.0, hosts_per_wave=1))
    assert [len(vms) for _, vms in outcome.reasons] == [2, 2]
    assert outcome.reasons[1][0] == "its wave had not started"
    page = farmsim.load(outcome.result.save(tmp_path / "run")).report()
    for said in ("Evacuation of hosts", "not emptied", "lack memory", "its wave had not started"):
        assert said in page
    assert "Evacuation of hosts" not in farmsim.run(SCENARIO).report()


def test_the_other_policy_decides_before() -> None:
    given = scenario(**{"policies.control": "consolidation"})
    before = farmsim.run(given)
    outcome = evacuate(given, Evacuation("rack-1", at_s=7199.0, base_policy=Consolidation()))
    assert outcome.moves == 0
    for table in ("migrations", "decisions"):
        seen = outcome.result.table(table).to_pylist()
        early = [row for row in seen if row.get("time_s", row.get("decided_s")) < 7199.0]
        assert [row["vm"] for row in early] == before.table(table)["vm"].to_pylist()


EMPTYING_S = st.integers(0, 3000)


@settings(max_examples=12, deadline=None)
@given(EMPTYING_S, st.integers(60, 4000), st.integers(0, 2), st.integers(0, 900))
def test_times_do_not_depend_on_control_rounds(at: int, every: int, wave: int, hold: int) -> None:
    policy = Evacuation("rack-1,rack-2,rack-3", float(at), wave, float(hold))
    one = evacuate(scenario(), policy).to_dict()
    other = evacuate(scenario(**{"policies.every": f"{every} s"}), policy).to_dict()
    assert one == other


def test_an_evacuation_takes_as_long_whenever_it_begins() -> None:
    for at_s in (0.0, 1.0, 299.0, 300.0, 601.5):
        outcome = evacuate(scenario(), Evacuation("rack-1", at_s=at_s))
        assert outcome.finished_s == pytest.approx(at_s + 2 * COPY_S, abs=0.01)


def test_a_wave_follows_as_soon_as_the_work_on_the_last_one_is_over() -> None:
    # One host after another; its two VMs go over its port, and nobody has to boot for them.
    roomy = scenario(**{"farm.hosts.0.server.memory": "64 GiB"})
    outcome = evacuate(
        roomy, Evacuation("rack-1,rack-2", at_s=100.0, hosts_per_wave=1, maintenance_time_s=1000.0)
    )
    first, second = outcome.by_host
    assert first.emptied_s == pytest.approx(100 + 2 * COPY_S, abs=0.01)
    assert first.emptied_s is not None
    assert first.reopened_s == pytest.approx(first.emptied_s + 1000.0)
    assert second.closed_s == first.reopened_s
    assert second.closed_s is not None
    assert second.emptied_s == pytest.approx(second.closed_s + 2 * COPY_S, abs=0.01)
    assert "maintenance of the last wave ends at 0:35:14 h" in outcome.text()


def lives(tmp_path: Path, *rows: str, **changes: Any) -> farmsim.Scenario:
    """Return a farm of two hosts of 32 GiB and 8 vCPUs with VMs from a table."""
    (tmp_path / "vms.csv").write_text("\n".join(["vm,arrival,lifetime,vcpus,memory", *rows]))
    arrivals = {"type": "table", "path": str(tmp_path / "vms.csv"), "clock": "2 GHz"}
    given = {"workload": {"arrivals": arrivals}, "farm.hosts.0.count": 2,
             "policies.initial.placement": "first_fit"} | changes  # fmt: skip
    return scenario(**given)


def test_a_host_is_empty_when_its_last_vm_has_ended(tmp_path: Path) -> None:
    # 20 GiB beside 4 GiB; the other host has room for 8 GiB only.
    given = lives(tmp_path, "big,0,3600,6,20", "small,0,,2,4", "other,0,,8,24")
    outcome = evacuate(given, Evacuation("rack-1"))
    assert outcome.finished_s == 3600.0
    assert (outcome.moves, outcome.ended, outcome.stayed) == (1, ["big"], {})
    assert not outcome.within(1800.0)
    assert outcome.within()


def test_a_vm_on_a_host_of_a_later_wave_has_not_been_evacuated() -> None:
    # Two VMs of 24 GiB; that of the first host goes to the third, whose wave never begins.
    large = scenario(
        **{"farm.hosts.0.count": 3, "workload.vms": 2, "workload.sizes.0.memory": "24 GiB"}
    )
    outcome = evacuate(
        large, Evacuation("rack-1,rack-3", hosts_per_wave=1, maintenance_time_s=7200.0)
    )
    assert outcome.finished_s is None
    assert outcome.stayed == {"vm-1": "its wave had not started"}
    assert [each.emptied_s is None for each in outcome.by_host] == [False, True]
    both = evacuate(large, Evacuation("rack-1,rack-3", hosts_per_wave=1))
    assert both.finished_s is not None
    assert not both.stayed


def test_no_vm_comes_to_a_host_that_is_closed(tmp_path: Path) -> None:
    # The second host is full, so that VMs which arrive would fit on the closed one only.
    given = lives(
        tmp_path, "big,0,,6,20", "other,0,,8,24", "late,600,,2,8", "later,6600,,2,8",
    )  # fmt: skip
    stuck = evacuate(given, Evacuation("rack-1"))
    assert stuck.result.value("vms_waiting") == 2
    assert set(stuck.stayed) == {"big"}
    gone = lives(tmp_path, "other,0,,8,24", "second,0,,8,24", "late,600,,8,24")
    control = {"policy": "evacuation", "hosts": "rack-3", "maintenance_time": "1 h"}
    worked_on = farmsim.run(gone.with_({"farm.hosts.0.count": 3, "policies.control": control}))
    # In service again after an hour of work, it is woken for the VM that waits.
    events = worked_on.table("vm_events").to_pylist()
    (running,) = [row for row in events if row["vm"] == "late" and row["event"] == "running"]
    assert running["time_s"] > 3600.0
    assert running["host"] == "rack-3"


def test_the_downtime_of_moves_that_model_none_is_not_0() -> None:
    outcome = evacuate(scenario(migration={"model": "fixed_rate"}, network={}),
                       Evacuation("rack-1", at_s=600.0))  # fmt: skip
    assert outcome.moves == 2
    assert outcome.worst_downtime_s is None
    assert "max downtime not modelled" in outcome.text()
    assert "Max downtime of a VM: not modelled" in outcome.result.report()


def test_the_report_and_the_terminal_lead_with_the_evacuation(tmp_path: Path) -> None:
    outcome = evacuate(scenario(), Evacuation("rack-1", at_s=600.0))
    page = outcome.result.report()
    assert page.index("1 host to be emptied: empty after") < page.index("The run as a whole")
    shown = summary_text(outcome.result)
    assert shown.index("1 host: rack-1\nempty after") < shown.index(
        outcome.result.summary["verdict"]
    )
    mixed = scenario(
        **{
            "policies.control": {
                "policy": "combined",
                "policies": [
                    {"policy": "evacuation", "hosts": "rack-1", "at": "10 min"},
                    "power_proportional",
                ],
            }
        }
    )
    combined = evacuated(farmsim.run(mixed))
    assert combined is not None
    assert combined.finished_s == pytest.approx(600 + 2 * COPY_S, abs=0.01)


def test_refusals_are_recorded_once_until_they_change(tmp_path: Path) -> None:
    rows = [f"x-{index},{60 * index},30,1,1" for index in range(1, 100)]
    given = lives(tmp_path, "big,0,,6,20", "other,0,,7,24", *rows)
    decisions = evacuate(given, Evacuation("rack-1")).result.table("decisions").to_pylist()
    told = [row for row in decisions if row["rule"] == "evacuation" and row["vm"] == "big"]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Evacuation("shelf-*"), "no host matches 'shelf-\\*'; the hosts are rack-1"),
        (Evacuation("rack-1", at_s=9000.0), "begins at 2:30:00 h, the run ends at 2:00:00 h"),
        (Evacuation("rack-1", at_s=-60.0), "--at: is -60 s; set a time from 0 s to 10 years"),
        (
            Evacuation("rack-1", maintenance_time_s=-1.0),
            "--maintenance-time: is -1 s; set a time from 0 s to 10 years",
        ),
        (Evacuation("rack-1", maintenance_time_s=1e12), "--maintenance-time: is 1e\\+12 s"),
        (Evacuation("rack-1", at_s=float("nan")), "--at: is nan s"),
        (Evacuation("rack-1", hosts_per_wave=-1), "--hosts-per-wave: is -1"),
    ],
)
def test_refused(policy: Evacuation, said: str) -> None:
    with pytest.raises(InputError, match=said):
        evacuate(scenario(), policy)


def test_command(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(SCENARIO))
    command = [sys.executable, "-m", "farmsim", "evacuate", str(path), "--hosts", "rack-1",
               "--at", "10 min", "--out", str(tmp_path / "r"), "--json"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["moves"] == 2
    assert (tmp_path / "r" / "report.html").exists()
    late = subprocess.run(
        [*command[:-1], "--deadline", "5 s", "--out", str(tmp_path / "late")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert late.returncode == 1
    stuck = subprocess.run(
        [*command[:-1], "--set", "farm.hosts.0.server.memory=8 GiB", "--out", str(tmp_path / "x")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert stuck.returncode == 1
    assert "not emptied within the run: 2 VMs stayed on 1 host (rack-1)" in stuck.stdout


def test_a_wave_goes_to_hosts_of_later_ones_only_if_it_must() -> None:
    # The three hosts that stay have CPU for all twelve VMs.
    roomy = scenario(**{"farm.hosts.0.server.memory": "64 GiB"})
    waves = Evacuation("rack-1,rack-2,rack-3", at_s=600.0, hosts_per_wave=1)
    moves = evacuate(roomy, waves).result.table("migrations").to_pydict()
    assert set(moves["target"]) <= {"rack-4", "rack-5", "rack-6"}
    assert len(moves["vm"]) == len(set(moves["vm"])) == 6


def test_a_rack_of_many_goes_by_its_number_with_and_without_zeros() -> None:
    racks = scenario(
        **{
            "network.layout": {"topology": "two_tier", "hosts_per_rack": 1},
            "farm.hosts.0.count": 12,
        }
    )
    for pattern in ("rack-3/*", "rack-03/*"):
        outcome = evacuate(racks, Evacuation(pattern, at_s=600.0))
        assert outcome.hosts == ["rack-03"]
