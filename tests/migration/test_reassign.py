"""Assignments made elsewhere are carried out, also where moves wait for each other's room."""

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.models.farm.audit import audit
from farmsim.policies.control.control import NoControl
from farmsim.policies.control.reassign import Reassign
from farmsim.policies.interface.plan import Plan
from farmsim.policies.interface.view import FarmView
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.scenario import from_text

GIB_S = 8 * 1024.0**3 / 10e9
"""What a GiB takes over a port of 10 Gbit/s, in s."""


def hosts(*memory_gib: int) -> list[dict[str, Any]]:
    power = {"model": "linear", "idle": "100 W", "max": "200 W"}
    return [
        {"name": name, "count": 1, "shutdown": {"duration": "0 s"},
         "server": {"cores": 32, "clock": "2 GHz", "memory": f"{gib} GiB", "power": power}}
        for name, gib in zip("abcdef", memory_gib, strict=False)
    ]  # fmt: skip


def scenario(memory_gib: list[int], sizes_gib: list[int], **changes: Any) -> farmsim.Scenario:
    """VMs of some memory, the first on the first host with room."""
    sizes = [
        {"name": f"s{index}", "vcpus": 1, "clock": "2 GHz", "memory": f"{gib} GiB", "count": 1}
        for index, gib in enumerate(sizes_gib)
    ]
    plain: dict[str, Any] = {
        "name": "plan", "run": {"duration": "30 min"}, "farm": {"hosts": hosts(*memory_gib)},
        "workload": {"source": {"type": "constant", "utilisation": "50 %"}, "sizes": sizes},
        "policies": {"initial": {"placement": "first_fit"}, "every": "1 min"},
        "migration": {"model": "suspend_resume"}, "baseline": {"type": "none"},
        "network": {"layout": {"topology": "single_switch", "port": "10 Gbit/s"}},
    }  # fmt: skip
    return farmsim.Scenario.of(plain).with_(changes)


def reassigned(given: farmsim.Scenario, assignment: dict[str, str]) -> farmsim.Result:
    control = {"policy": "reassign", "at": "2 min", "assignment": assignment}
    return farmsim.run(given.with_({"policies.control": control}))


def moves(result: farmsim.Result) -> list[tuple[Any, ...]]:
    table = result.table("migrations").to_pydict()
    return list(
        zip(*(table[key] for key in ("vm", "source", "target", "unblocked_by")), strict=True)
    )


def outcomes(result: farmsim.Result) -> list[str]:
    table = result.table("decisions")
    return [text for text in table["outcome"].to_pylist() if text != "placed"]


def places(result: farmsim.Result) -> list[str | None]:
    hosts: list[str | None] = result.table("vms")["last_host"].to_pylist()
    return hosts


def test_a_chain_of_moves_is_carried_out_from_its_end() -> None:
    result = reassigned(scenario([4, 4, 4], [4, 4]), {"vm-1": "b-1", "vm-2": "c-1"})
    assert moves(result) == [("vm-2", "b-1", "c-1", None), ("vm-1", "a-1", "b-1", "after others")]
    assert outcomes(result) == ["moved after others", "moved"]
    table = result.table("migrations").to_pydict()
    assert table["waited_s"] == pytest.approx([0.0, 4 * GIB_S], abs=0.01)
    assert table["decided_s"] == [120.0, 120.0]


def test_two_vms_change_places_by_way_of_a_third_host() -> None:
    result = reassigned(scenario([4, 4, 4], [4, 4]), {"vm-1": "b-1", "vm-2": "a-1"})
    assert moves(result) == [
        ("vm-1", "a-1", "c-1", "aside first"), ("vm-2", "b-1", "a-1", "after others"),
        ("vm-1", "c-1", "b-1", "by way of c-1"),
    ]  # fmt: skip
    assert outcomes(result) == ["moved after others"] * 2 + ["moved by way of c-1"]
    assert "frees memory by migrating to c-1 first" in str(result.vm_history("vm-1"))
    assert "when other migrations have freed memory" in str(result.vm_history("vm-2"))


def test_without_a_third_host_one_stands_still_meanwhile() -> None:
    given = scenario([4, 4], [4, 4], **{"network.suspend_bandwidth": "8 Gbit/s"})
    result = reassigned(given, {"vm-1": "b-1", "vm-2": "a-1"})
    assert places(result) == ["b-1", "a-1"]
    assert outcomes(result)[-1] == "suspended on the way"
    by_vm = {row["vm"]: row for row in result.table("migrations").to_pylist()}
    assert by_vm["vm-1"]["unblocked_by"] == "suspended on the way"
    # Written and read at 8 Gbit/s; in between the other goes over a port of 10 Gbit/s.
    down_s = 2 * 4 * GIB_S * 10 / 8 + 4 * GIB_S
    assert by_vm["vm-1"]["downtime_s"] == pytest.approx(down_s, abs=0.01)
    assert by_vm["vm-1"]["copied_gib"] == 0.0
    lost = result.table("vms")["unserved_migration_share"].to_pylist()
    assert lost[0] == pytest.approx(down_s / 1800, rel=1e-3)
    assert "suspending to storage" in str(result.vm_history("vm-1"))


def test_what_never_has_room_is_refused_and_what_counted_on_it() -> None:
    # The third VM stays on c, so nobody else fits there, and nobody fits where that one stays.
    given = scenario([4, 4, 4], [4, 4, 4])
    result = reassigned(given, {"vm-1": "c-1", "vm-2": "a-1"})
    assert outcomes(result) == ["target lacks memory"] * 2
    assert places(result) == ["a-1", "b-1", "c-1"]


def test_a_vm_of_high_priority_comes_first_and_one_of_low_priority_makes_room() -> None:
    urgent = scenario([4, 4, 4], [4, 4], **{"workload.sizes.0.priority": 5})
    result = reassigned(urgent, {"vm-1": "b-1", "vm-2": "a-1"})
    assert moves(result)[0] == ("vm-2", "b-1", "c-1", "aside first")


def test_the_end_of_a_run_finds_vms_waiting_and_on_storage() -> None:
    slow = {"network.suspend_bandwidth": "0.1 Gbit/s", "run.duration": "10 min"}
    result = reassigned(scenario([4, 4], [4, 4], **slow), {"vm-1": "b-1", "vm-2": "a-1"})
    table = result.table("migrations").to_pydict()
    assert table["finished"] == [True, False]
    assert sorted(table["unblocked_by"]) == ["after others", "suspended on the way"]
    slower = slow | {"run.duration": "7 min"}
    result = reassigned(scenario([4, 4], [4, 4], **slower), {"vm-1": "b-1", "vm-2": "a-1"})
    assert result.table("migrations")["finished"].to_pylist() == [False, False]


def test_a_host_to_which_a_vm_is_to_come_is_not_switched_off() -> None:
    given = scenario([4, 4, 4], [4, 4], migration={"model": "fixed_rate"})
    control = {
        "policy": "reassign", "at": "2 min", "assignment": {"vm-1": "b-1", "vm-2": "c-1"},
        "base_policy": "power_proportional",
    }  # fmt: skip
    result = farmsim.run(given.with_({"policies.control": control}))
    assert places(result) == ["b-1", "c-1"]


def test_when_the_work_ends_nothing_waits_any_more(tmp_path: Path) -> None:
    (tmp_path / "load.csv").write_text("time,vm-1,vm-2\n0,50,50\n300,50,50\n")
    source = {"type": "csv", "path": str(tmp_path / "load.csv")}
    slow = {"network.suspend_bandwidth": "0.2 Gbit/s", "policies.every": "10 s"}
    given = scenario([4, 4], [4, 4], **slow, **{"workload.source": source})
    given = given.with_({"workload.on_end": "stop"})
    for at in ("9 min", "6 min"):  # while it is being written, and on storage
        control = {
            "policy": "reassign", "at": at, "assignment": {"vm-1": "b-1", "vm-2": "a-1"},
        }  # fmt: skip
        result = farmsim.run(given.with_({"policies.control": control}))
        assert result.table("hosts")["vms_mean"].to_pylist() != []
        assert set(result.table("vms")["state"].to_pylist()) <= {"finished", "suspended"}


@dataclass(frozen=True)
class Auditor(NoControl):
    """Checks the farm's invariants every round."""

    def decide(self, view: FarmView) -> Plan:
        audit(view._farm)
        return Plan()


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 2),
    st.sampled_from(["suspend_resume", "fixed_rate"]), st.integers(1, 3),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_any_assignment_that_fits_is_reached(
    sizes: list[int], slack: int, model: str, per_host: int, random: Random
) -> None:
    memory = [5, 5, 5 + slack, 4, 7]
    network = {"network.max_migrations_per_host": per_host, "policies.initial.unplaced": "reject"}
    given = scenario(memory, sizes, migration={"model": model}, **network)
    left = dict(zip([f"{name}-1" for name in "abcde"], memory, strict=True))
    assignment: dict[str, str] = {}
    for vm, size in enumerate(sizes, 1):
        fitting = [name for name, gib in left.items() if gib >= size]
        if fitting:
            assignment[f"vm-{vm}"] = random.choice(fitting)
            left[assignment[f"vm-{vm}"]] -= size
    policy = Reassign(assignment, 120.0, Auditor())
    policies = given.policies.model_copy(update={"control": policy, "every": 5.0})
    result = farmsim.run(given.model_copy(update={"policies": policies}))
    if len(assignment) == len(sizes):
        started = result.table("vms")["first_host"].to_pylist()
        hosts_of = zip(started, assignment.values(), strict=True)
        assert places(result) == [host if on else None for on, host in hosts_of]


BASE = """farmsim: 1
policies:
  control:
    policy: reassign
    assignment: ASSIGNMENT
farm:
  hosts:
    - {name: a, server: hp_ml110_g5, count: 3}
workload:
  source: {type: constant, utilisation: 10 %}
  vms: 3
  sizes:
    - {name: s, vcpus: 1, clock: 1 GHz, memory: 1 GiB}
"""


def problems(assignment: str, folder: Path = Path()) -> list[str]:
    def run() -> None:
        farmsim.run(from_text(BASE.replace("ASSIGNMENT", assignment), "s.yaml", folder=folder))

    with pytest.raises(InputError) as caught:
        run()
    return [str(each) for each in caught.value.problems]


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("{vm-1: a-9}", "there is no host 'a-9'; did you mean a-3?"),
        ("{vm-9: a-1}", "there is no VM 'vm-9'; did you mean vm-3?"),
        ("{vm-1: 3}", "s.yaml:5:"),
        ("[vm-1]", "s.yaml:5:"),
    ],
)
def test_an_assignment_names_what_exists(assignment: str, said: str) -> None:
    (found,) = problems(assignment)
    assert said in found
    assert "policies.control.assignment" in found


def test_an_assignment_may_stand_in_a_table(tmp_path: Path) -> None:
    (tmp_path / "plan.csv").write_text("vm,host\nvm-1,a-3\nvm-3,a-1\n")
    read = from_text(BASE.replace("ASSIGNMENT", "plan.csv"), "s.yaml", folder=tmp_path)
    result = farmsim.run(read)
    assert [row[:3] for row in moves(result)] == [("vm-1", "a-1", "a-3")]
    assert "already there" in outcomes(result) or outcomes(result) == ["moved"]
    # The run directory must not depend on the table.
    assert "vm-1: a-3" in result.scenario_yaml


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            "vm,host\nvm-1,a-1\nvm-2,z\n",
            "plan.csv:3: policies.control.assignment: there is no host",
        ),
        ("vm,host\nvm-4,a-1\n", "plan.csv:2: policies.control.assignment: there is no VM 'vm-4'"),
        ("vm,host\nvm-1,a-1\nvm-1,a-2\n", "plan.csv:3: policies.control.assignment: VM vm-1 has"),
        ("name,host\nvm-1,a-1\n", "plan.csv:1: policies.control.assignment: has no column 'vm'"),
        ("vm,host\nvm-1\n", "plan.csv:2: has 1 columns, the header 2"),
    ],
)
def test_faults_of_a_table_stand_at_their_row(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "plan.csv").write_text(table)
    (found,) = problems("plan.csv", tmp_path)
    assert found.startswith(said)


def test_a_table_that_does_not_exist_is_named(tmp_path: Path) -> None:
    (found,) = problems("plan.csv", tmp_path)
    assert "plan.csv" in found


def test_an_assignment_may_be_what_happens_before_an_evacuation() -> None:
    control = {
        "policy": "evacuation", "hosts": "a-1", "at": "10 min",
        "base_policy": {"policy": "reassign", "at": "1 min", "assignment": {"vm-2": "c-1"}},
    }  # fmt: skip
    result = farmsim.run(scenario([4, 4, 4], [4, 4], **{"policies.control": control}))
    assert [row[:3] for row in moves(result)] == [("vm-2", "b-1", "c-1"), ("vm-1", "a-1", "b-1")]


def test_vms_that_must_be_converted_do_not_stand_still_on_the_way() -> None:
    mixed = {
        "farm.hosts.0.hypervisor": "kvm", "farm.hosts.1.hypervisor": "esxi", "conversion": "cold",
        "workload.sizes.0.disk": "1 GiB", "workload.sizes.1.disk": "1 GiB",
    }  # fmt: skip
    result = reassigned(scenario([16, 16], [10, 10], **mixed), {"vm-1": "b-1", "vm-2": "a-1"})
    assert outcomes(result) == ["moved after others"] * 2 + ["target lacks memory"] * 2
    assert places(result) == ["a-1", "b-1"]


def test_one_assignment_may_follow_another() -> None:
    """Each keeps its own list of what is left."""
    first = {"policy": "reassign", "at": "10 min", "assignment": {"vm-1": "b-1"}}
    second = {"policy": "reassign", "at": "5 min", "assignment": {"vm-2": "c-1"}}
    run = scenario([8, 8, 8], [4, 4])
    nested = farmsim.run(run.with_({"policies.control": {**first, "base_policy": second}}))
    assert [move[:3] for move in moves(nested)] == [("vm-2", "a-1", "c-1"), ("vm-1", "a-1", "b-1")]
