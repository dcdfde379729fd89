"""Memory and vCPUs beside CPU: of hosts, groups and the farm, and what runs out first."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import farmsim
from farmsim.analysis.run.result import Result
from farmsim.analysis.terminal import summary_text


def server(cores: int, memory: str) -> dict[str, Any]:
    power = {"model": "linear", "idle": "100 W", "max": "200 W"}
    return {"cores": cores, "clock": "1 GHz", "memory": memory, "power": power}


def run(**changes: Any) -> Result:
    """Run one host of 8 cores and one of 4, with 12 VMs of 1 vCPU and 2 GiB dealt in turn."""
    made: dict[str, Any] = {
        "name": "held", "run": {"duration": "1 h"},
        "farm": {"hosts": [
            {"name": "a", "count": 1, "server": server(8, "32 GiB")},
            {"name": "b", "count": 1, "server": server(4, "16 GiB")},
        ]},
        "workload": {
            "source": {"type": "constant", "utilisation": "10 %"}, "vms": 12,
            "sizes": [{"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": "2 GiB"}],
        },
        "policies": {"initial": {"placement": "round_robin", "cpu_overcommit": 4}},
        "baseline": {"type": "none"},
    }  # fmt: skip
    return farmsim.run(made | changes)


def test_hosts_groups_and_farm_by_hand() -> None:
    result = run()
    hosts = result.table("hosts")
    assert hosts["memory_mean"].to_pylist() == pytest.approx([12 / 32, 12 / 16])
    assert hosts["memory_max"].to_pylist() == pytest.approx([12 / 32, 12 / 16])
    assert hosts["vcpus_per_core_mean"].to_pylist() == pytest.approx([6 / 8, 6 / 4])
    assert hosts["vcpus_per_core_max"].to_pylist() == pytest.approx([6 / 8, 6 / 4])
    groups = result.table("groups")
    assert groups["memory_mean"].to_pylist() == pytest.approx([12 / 32, 12 / 16])
    assert groups["vcpus_per_core_mean"].to_pylist() == pytest.approx([6 / 8, 6 / 4])
    assert result.value("memory_mean") == result.value("memory_max") == pytest.approx(0.5)
    assert result.value("host_memory_max") == pytest.approx(0.75)
    assert result.value("vcpus_per_core") == pytest.approx(1.0)
    assert result.value("host_vcpus_per_core_max") == pytest.approx(1.5)
    assert result.value("host_vcpus_per_core_min") == pytest.approx(0.75)
    series = result.table("farm_series")
    assert set(series["memory"].to_pylist()) == {0.5}
    assert set(series["vcpus_per_core"].to_pylist()) == {1.0}


def test_what_comes_and_goes_counts_for_its_time() -> None:
    """A host that fails half way: no memory is held on it, and none is counted that is off."""
    outage = {"at": "30 min", "component": "host", "match": ["b-1"], "duration": "10 h"}
    result = run(failures={"schedule": [outage], "restart_vms": False})
    hosts = result.table("hosts")
    assert hosts["memory_mean"].to_pylist() == pytest.approx([12 / 32, 12 / 16])
    held, there = 12 + 12 / 2, 32 + 16 / 2
    assert result.value("memory_mean") == pytest.approx(held / there)


@pytest.mark.parametrize(
    ("memory", "overcommit", "expected"),
    [
        ("2 GiB", 4, "memory"),  # 50 % of memory, 25 % of the CPU that may be promised, 10 % of CPU
        ("2 GiB", 1, "CPU allocated to VMs"),  # 50 % of memory, 100 % of the CPU
        ("128 MiB", 40, "CPU"),  # 3 %, 2.5 % and 10 %
    ],
)
def test_the_limiting_resource_is_what_most_is_taken_of(
    memory: str, overcommit: int, expected: str
) -> None:
    sizes = [{"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": memory}]
    source = {"type": "constant", "utilisation": "10 %"}
    placement = "round_robin" if overcommit > 1 else "worst_fit"
    result = run(
        workload={"source": source, "vms": 12, "sizes": sizes},
        policies={"initial": {"placement": placement, "cpu_overcommit": overcommit}},
    )
    told = result.summary["limiting_resource"]
    assert told["resource"] == expected
    assert told["text"] in summary_text(result)
    assert told["text"] in result.report()


def test_promises_do_not_limit_where_vms_are_placed_by_demand() -> None:
    result = run(policies={"initial": {"placement": "first_fit", "count_by": "demand"}})
    assert result.summary["limiting_resource"]["resource"] == "memory"


def test_moves_carry_their_memory_and_vcpus_with_them() -> None:
    """Whatever moves, the integrals of hosts come to those of the VMs that were on them."""
    result = farmsim.run("library/planetlab-day", "run.duration=3 h", "workload.vms=60")
    assert result.value("migrations") > 0
    hosts = result.table("hosts").to_pylist()
    vcpu_h = sum(row["vcpus_per_core_mean"] * row["cores"] * row["on_h"] for row in hosts)
    vms = result.table("vms").to_pylist()
    assert vcpu_h == pytest.approx(3 * sum(row["vcpus"] for row in vms))
    held_gib_h = sum(row["memory_mean"] * row["memory_gib"] * row["on_h"] for row in hosts)
    own_gib_h = 3 * sum(row["memory_gib"] for row in vms)
    # reservations at the targets of moves come on top
    assert own_gib_h * (1 - 1e-9) <= held_gib_h < 1.05 * own_gib_h
    peaks = np.array([row["memory_max"] for row in hosts])
    assert np.all(peaks <= 1 + 1e-9)


def test_promises_that_control_packs_beyond_are_no_limit() -> None:
    """Consolidation goes by demand, and puts more on a host than placement would promise."""
    result = farmsim.run("library/planetlab-day", "run.duration=3 h")
    assert result.value("cpu_promised_p95") > 1
    assert result.summary["limiting_resource"]["resource"] in ("CPU", "memory")


def test_a_vm_of_a_moment_is_not_said_to_have_held_nothing(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("arrival,vcpus,memory\n3500,1,2\n", encoding="utf-8")
    written = {
        "name": "late", "run": {"duration": "1 h"},
        "farm": {"hosts": [{"name": "a", "count": 1, "server": server(8, "32 GiB")}]},
        "workload": {
            "arrivals": {"type": "table", "path": str(tmp_path / "v.csv")},
            "source": {"type": "constant", "utilisation": "10 %"},
        },
        "baseline": {"type": "none"},
    }  # fmt: skip
    told = farmsim.run(written).summary["limiting_resource"]
    assert told == {
        "resource": "none",
        "text": "At the 95th percentile over time, no VM held any resource of a host that was on.",
    }
