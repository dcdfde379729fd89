"""The microscope inside a run: against the formulas, and with VMs that have no host."""

from pathlib import Path
from typing import Any

import pytest

from farmsim import Scenario, run

WEB = {
    "name": "web", "vcpus": 2, "clock": "2 GHz", "memory": "4 GiB",
    "class": {
        "cpu": "20 ms", "reference_clock": "2 GHz", "service_cv": 1, "storage_operations": 500,
    },
}  # fmt: skip


def watched(source: Any, duration: str, *changes: str) -> list[dict[str, Any]]:
    """Return the microscope's rows of two VMs on the first host, which has room for both."""
    host = {"name": "rack", "server": "dell_r720_e5_2670", "count": 1}
    hosts = [host | {"name": "virtual", "hypervisor": "kvm"}, host | {"name": "bare"}]
    scenario = Scenario.of(
        {
            "run": {"duration": duration},
            "farm": {"hosts": hosts},
            "workload": {"source": source, "vms": 2, "sizes": [WEB]},
            "service": {"simulate_requests": ["vm-1", "vm-2"]},
            "policies": {"control": "none"},
        }
    )
    rows: list[dict[str, Any]] = (
        run(scenario.override(*changes)).tables["simulated_requests"].to_pylist()
    )
    return rows


def test_the_mean_of_a_steady_vm_is_that_of_the_formulas() -> None:
    """At half load chance moves the mean of 40,000 requests by some 0.6 % (standard deviation)."""
    for row in watched({"type": "constant", "utilisation": "50 %"}, "800 s"):
        assert row["requests"] == pytest.approx(40_000, rel=0.02)
        assert row["mean_ms"] == pytest.approx(row["formula_mean_ms"], rel=0.015)


def test_requests_keep_their_latency_when_the_vm_has_left(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("time,vm-1,vm-2\n0,50,20\n400,50,20\n", "utf-8")
    source = {"type": "csv", "path": str(trace)}
    for row in watched(source, "20 min", "workload.on_end=stop"):
        assert row["requests"] > 0
        assert row["mean_ms"] == pytest.approx(row["formula_mean_ms"], rel=0.02)


def test_a_vm_that_found_no_host_makes_no_requests() -> None:
    placed, rejected = watched(
        {"type": "constant", "utilisation": "50 %"}, "60 s",
        "farm.hosts.bare.memory=2 GiB", "farm.hosts.virtual.memory=8 GiB",
        "policies.initial.unplaced=reject",
    )  # fmt: skip
    assert placed["requests"] > 0
    assert rejected["requests"] == rejected["mean_ms"] == rejected["formula_mean_ms"] == 0


def test_a_standstill_within_a_step_holds_requests_back(tmp_path: Path) -> None:
    """In one step of an hour a VM stands still in a migration; both ways of counting see it.

    Requests that come while it stands still wait for half of that time on average.
    """
    trace = tmp_path / "trace.csv"
    trace.write_text("time,vm-1\n0,10\n3600,10\n", "utf-8")
    host = {"server": "dell_r720_e5_2670", "hypervisor": "kvm", "count": 1}
    scenario = Scenario.of(
        {
            "run": {"duration": "1 h"},
            "farm": {"hosts": [host | {"name": "from"}, host | {"name": "to"}]},
            "workload": {
                "source": {"type": "csv", "path": str(trace)},
                "sizes": [WEB | {"memory": "20 GiB"}],
            },
            "service": {"simulate_requests": ["vm-1"]},
            "migration": {"model": "suspend_resume"},
            "policies": {
                "control": {"policy": "evacuation", "hosts": "from-1", "at": "20 min"},
            },
        }
    )  # fmt: skip
    result = run(scenario)
    row = result.tables["simulated_requests"].to_pylist()[0]
    moved = result.tables["migrations"].to_pylist()[0]
    still_s = moved["end_s"] - moved["start_s"]
    assert still_s > 10
    waiting_ms = 1e3 * still_s / 2 * still_s / 3600
    assert row["formula_mean_ms"] > 0.8 * waiting_ms
    assert row["mean_ms"] == pytest.approx(row["formula_mean_ms"], rel=0.1)
