"""Farms whose moves differ: by VM, by hypervisor, between platforms, with devices."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import farmsim
from farmsim.analysis.run.result import Result
from farmsim.policies.interface.plan import Plan, Proposal, Reason, Search
from farmsim.policies.interface.view import FarmView

SERVER = "dell_r740_8280"
SIZE = {"name": "s", "vcpus": 2, "clock": "1 GHz", "memory": "4 GiB", "disk": "10 GiB"}


def group(name: str, hypervisor: str, count: int = 1, **more: Any) -> dict[str, Any]:
    host = {"name": name, "server": SERVER, "count": count, "memory": "64 GiB"}
    return host | {"hypervisor": hypervisor, "boot": {"duration": "1 min"}} | more


def run(*groups: dict[str, Any], sizes: Any = (SIZE,), vms: int = 4, **more: Any) -> Result:
    return farmsim.run(scenario_of(*groups, sizes=sizes, vms=vms, **more))


def scenario_of(
    *groups: dict[str, Any], sizes: Any = (SIZE,), vms: int = 4, **more: Any
) -> farmsim.Scenario:
    scenario: dict[str, Any] = {
        "name": "mixed", "run": {"duration": "40 min"}, "baseline": {"type": "none"},
        "farm": {"hosts": list(groups)},
        "workload": {
            "source": {"type": "constant", "utilisation": "10 %"}, "sizes": list(sizes),
            "vms": None if "count" in sizes[0] else vms,
        },
        "policies": {
            "initial": {"placement": "round_robin"},
            "control": {"policy": "evacuation", "hosts": "a-*", "at": "5 min"},
        },
    }  # fmt: skip
    return farmsim.Scenario.of(scenario | more)


def moves(result: Result) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = result.table("migrations").to_pylist()
    return table


def phases(result: Result, move: int = 0) -> list[str]:
    table = result.table("migration_phases").to_pylist()
    return [row["phase"] for row in table if row["migration"] == move]


CONVERTED = ["shut down", "convert", "boot", "acknowledge"]


def test_a_mixed_farm_is_consolidated_by_conversion() -> None:
    """10 GiB at 1000 Mbit/s are 85.9 s, between 10 s of shutdown and 50 s of boot."""
    conversion = {"kind": "cold", "rate": "1 Gbit/s", "shutdown": "10 s", "boot": "50 s"}
    control = {"control": "consolidation", "initial": {"placement": "round_robin"}}
    result = run(group("a", "kvm"), group("b", "esxi"), conversion=conversion, policies=control)
    assert {row["source"] for row in moves(result)} == {"a-1"} or {
        row["source"] for row in moves(result)
    } == {"b-1"}
    assert all(row["finished"] for row in moves(result))
    # Both are on as the run starts, one after the first moves.
    assert result.value("hosts_on_peak") == 1
    last = result.table("power_events").to_pylist()[-1]
    assert last["state"] == "off"
    assert phases(result) == CONVERTED
    expected_s = 10 + 10 * 1024**3 * 8 / 1e9 + 50
    assert moves(result)[0]["downtime_s"] == pytest.approx(expected_s, abs=0.01)


def test_a_replicated_conversion_is_short_for_the_guest() -> None:
    result = run(
        group("a", "kvm"), group("b", "hyper_v"),
        conversion={"kind": "replicated", "rate": "1 Gbit/s", "shutdown": "10 s", "boot": "50 s"},
    )  # fmt: skip
    assert phases(result) == ["replicate", *CONVERTED]
    assert moves(result)[0]["downtime_s"] == pytest.approx(60, abs=0.01)
    assumed = {row["assumption"]: row["value"] for row in result.summary["assumptions"]}
    assert assumed["Conversion"] == "disks at 1 Gbit/s, shutdown 10 s, boot 50 s"


def test_a_physical_server_is_read_into_a_vm_and_not_back() -> None:
    conversion = {"kind": "cold"}
    hosts = group("a", "bare_metal"), group("b", "kvm")
    there = run(*hosts, vms=2, conversion=conversion)
    assert phases(there) == CONVERTED
    back = {"policy": "evacuation", "hosts": "b-*", "at": "5 min"}
    result = run(*hosts, vms=2, conversion=conversion, policies={
        "control": back, "initial": {"placement": "round_robin"},
    })  # fmt: skip
    assert moves(result) == []
    decided = result.table("decisions").to_pylist()
    assert {row["outcome"] for row in decided} == {"placed", "no host has capacity"}
    assert max(row["hosts_barred"] or 0 for row in decided) == 1


def test_without_conversion_vms_stay_with_their_family() -> None:
    """Both families have two hosts: each is consolidated by itself."""
    result = run(group("a", "kvm", 2), group("b", "xen", 2), vms=8)
    assert moves(result) == []
    policies = {"control": "consolidation", "initial": {"placement": "round_robin"}}
    result = run(group("a", "kvm", 2), group("b", "xen", 2), vms=8, policies=policies)
    made = [(row["source"][0], row["target"][0]) for row in moves(result)]
    assert set(made) == {("a", "a"), ("b", "b")}


@dataclass(frozen=True)
class Across:
    """Proposes a move between families, whatever the view says."""

    samples = 0
    powers_down = False

    def decide(self, view: FarmView) -> Plan:
        assert view.movable is not None
        assert view.movable[0].tolist() == [[True, False], [False, True]]
        vm = int(np.flatnonzero(view.vms.host == 0)[0])
        return Plan([Proposal(vm, 0, 2, Reason("test", 0.0, 0.0), Search())])


def test_what_cannot_be_is_refused_and_recorded() -> None:
    scenario = scenario_of(group("a", "kvm", 2), group("b", "xen", 2), vms=8)
    policies = scenario.policies.model_copy(update={"control": Across()})
    result = farmsim.run(scenario.model_copy(update={"policies": policies}))
    assert moves(result) == []
    outcomes = {row["outcome"] for row in result.table("decisions").to_pylist()}
    refused = "cannot move there: kvm and xen differ, and conversion is none"
    assert outcomes == {"placed", refused}
    assert refused in str(result.vm_history(result.table("vms").to_pylist()[0]["vm"]))


def test_a_vm_has_its_own_model_and_a_hypervisor_one_for_its_guests() -> None:
    first = SIZE | {"name": "own", "count": 1, "migration": {"model": "cold", "boot": "30 s"}}
    second = SIZE | {"name": "other", "count": 1}
    suspending = {"model": "suspend_resume", "resume": "1 s"}
    result = run(
        group("a", "kvm", migration=suspending), group("b", "kvm"),
        sizes=[first, second], migration="pre_copy",
        policies={
            "control": {"policy": "evacuation", "hosts": "a-*", "at": "5 min"},
            "initial": {"placement": "first_fit"},
        },
    )  # fmt: skip
    assert [phases(result, move)[0] for move in (0, 1)] in (
        ["shut down", "copy"], ["copy", "shut down"],
    )  # fmt: skip
    back = {"policy": "evacuation", "hosts": "b-*", "at": "5 min"}
    away = run(
        group("b", "kvm", migration=suspending), group("a", "kvm"),
        sizes=[second | {"count": 2}], migration="pre_copy",
        policies={"control": back, "initial": {"placement": "first_fit"}},
    )  # fmt: skip
    assert phases(away)[0] == "copy"


def test_a_fixed_rate_runs_beside_a_network() -> None:
    """Half of 1 Gbit/s whatever the others do: 4 GiB in 68.7 s, and nothing on any link."""
    fixed = SIZE | {"name": "fixed", "count": 1, "migration": "fixed_rate"}
    other = SIZE | {"name": "other", "count": 1}
    result = run(
        group("a", "kvm"), group("b", "kvm"), sizes=[fixed, other], migration="suspend_resume",
        policies={
            "control": {"policy": "evacuation", "hosts": "a-*", "at": "5 min"},
            "initial": {"placement": "first_fit"},
        },
    )  # fmt: skip
    assert [row["copied_gib"] for row in moves(result)] == pytest.approx([4.0, 4.0])
    took = sorted(row["end_s"] - row["start_s"] for row in moves(result))
    assert took[1] == pytest.approx(4 * 1024**3 * 8 / 5e8, rel=1e-6)
    sent = sum(row["sent_gib"] for row in result.table("links").to_pylist())
    assert sent == pytest.approx(8.0, rel=1e-6)  # one move over two links


def test_a_lower_cpu_baseline_takes_a_restart() -> None:
    new: dict[str, Any] = {"cpu_baseline": "skylake"}
    old: dict[str, Any] = {"cpu_baseline": "haswell"}
    there = run(
        group("a", "kvm", **new), group("b", "kvm", **old), migration="pre_copy",
        conversion={"kind": "cold", "boot": "50 s"},
    )  # fmt: skip
    assert phases(there) == ["shut down", "copy", "boot", "acknowledge"]
    up = run(group("a", "kvm", **old), group("b", "kvm", 2, **new), migration="pre_copy",
             conversion={"kind": "cold"}, sizes=[SIZE])  # fmt: skip
    assert "first pass" in phases(up)


def test_a_passthrough_device_is_detached_first() -> None:
    device: dict[str, Any] = {"network_path": "passthrough", "passthrough_migration": "detach"}
    result = run(
        group("a", "kvm", **device), group("b", "kvm", **device),
        migration={"model": "suspend_resume", "detach": "3 s"},
    )  # fmt: skip
    assert phases(result) == ["detach device", "copy", "attach device", "acknowledge"]
    took = [row for row in result.table("migration_phases").to_pylist() if row["migration"] == 0]
    assert took[0]["end_s"] - took[0]["start_s"] == pytest.approx(3.0)
    assert moves(result)[0]["downtime_s"] < 10
