"""A guest that stands still for a move draws nothing and takes nothing; copies count once."""

from typing import Any

import pytest

import farmsim
from farmsim.analysis.run.result import Result

GIB_BITS = 1024**3 * 8
WATTS_PER_GHZ = 10.0
"""Hosts of 10 GHz that draw 100 W idle and 200 W busy."""

CONVERSION = {"kind": "cold", "rate": "1 Gbit/s", "shutdown": "10 s", "boot": "50 s"}


def scenario(migration: Any, utilisation: str, vms: int = 6, **more: Any) -> dict[str, Any]:
    """Return VMs of 2 GHz and 15 GiB on the first of two hosts; one leaves at 10 min."""
    linear = {"model": "linear", "idle": "100 W", "max": "200 W"}
    server = {"cores": 10, "clock": "1 GHz", "memory": "100 GiB", "power": linear}
    size = {"name": "s", "vcpus": 2, "clock": "1 GHz", "memory": "15 GiB", "disk": "10 GiB"}
    control = {"policy": "reassign", "at": "10 min", "assignment": {"vm-1": "b-1"}}
    return {
        "name": "standstill",
        "run": {"duration": "2 h"},
        "farm": {"hosts": [{"name": name, "server": server, "count": 1} for name in "ab"]},
        "workload": {
            "source": {"type": "constant", "utilisation": utilisation},
            "sizes": [size], "vms": vms,
        },
        "policies": {
            "initial": {"placement": "first_fit", "cpu_overcommit": 2}, "control": control,
        },
        "migration": migration,
        "baseline": {"type": "none"},
    } | more  # fmt: skip


def joules(result: Result) -> float:
    return float(result.value("energy_kwh") * 3.6e6)


def vm(result: Result, name: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = result.table("vms").to_pylist()
    return next(row for row in rows if row["vm"] == name)


def share(result: Result, name: str, column: str) -> float:
    return float(vm(result, name)[column])


STANDING: dict[str, tuple[dict[str, Any], float, float]] = {
    # what stands still, for how long, and what the copy asks of both hosts meanwhile
    "suspend_resume": (
        {"model": "suspend_resume", "max_bandwidth": "0.5 Gbit/s", "target_load": "0 %"},
        15 * GIB_BITS / 0.5e9, 0.1,
    ),
    "suspend_resume, both ends": (
        {"model": "suspend_resume", "max_bandwidth": "0.5 Gbit/s", "target_load": "30 %"},
        15 * GIB_BITS / 0.5e9, 0.4,
    ),
    "cold": ({"model": "cold", "shutdown": "20 s", "boot": "300 s"}, 320.0, 0.0),
    "stop and copy": (
        {"model": "pre_copy", "max_bandwidth": "0.5 Gbit/s", "downtime_target": "10 min",
         "target_load": "0 %"},
        15 * GIB_BITS / 0.5e9, 0.1,
    ),
    "post-copy switch": (
        {"model": "post_copy", "state": "10 GiB", "max_bandwidth": "0.5 Gbit/s",
            "target_load": "0 %",
         "guest_loss": "0 %", "page_fault_time": "0 s"},
        10 * GIB_BITS / 0.5e9, 0.0,
    ),
    "hybrid switch": (
        {"model": "hybrid", "state": "10 GiB", "max_bandwidth": "0.5 Gbit/s", "target_load": "0 %",
         "guest_loss": "0 %", "page_fault_time": "0 s"},
        10 * GIB_BITS / 0.5e9, 0.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", STANDING)
def test_a_guest_that_stands_still_draws_nothing(kind: str) -> None:
    """At 10 % each VM asks for 0.2 GHz: 2 W, which fall away; the copy's part is added."""
    migration, standing_s, copy = STANDING[kind]
    still = farmsim.run(scenario({"model": "suspend_resume"}, "10 %", policies={
        "initial": {"placement": "first_fit", "cpu_overcommit": 2}, "control": "none",
    }))  # fmt: skip
    moved = farmsim.run(scenario(migration, "10 %"))
    expected_j = (copy - 1.0) * 0.2 * WATTS_PER_GHZ * standing_s
    assert joules(moved) - joules(still) == pytest.approx(expected_j, abs=1.0)
    missed = share(moved, "vm-1", "unserved_migration_share")
    assert missed == pytest.approx(standing_s / 7200, rel=1e-3)
    assert share(moved, "vm-1", "unserved_saturated_share") == 0.0


def test_neighbours_have_what_a_guest_that_stands_still_leaves() -> None:
    """Six VMs want 12 of 10 GHz for 10 min; while one stands still five want 10, the copy 0.2."""
    migration, standing_s, _ = STANDING["suspend_resume"]
    result = farmsim.run(scenario(migration, "100 %"))
    before_s, while_s = 600 * (1 - 10 / 12), standing_s * (1 - 10 / 10.2)
    assert share(result, "vm-2", "unserved_saturated_share") == pytest.approx(
        (before_s + while_s) / 7200
    )
    assert share(result, "vm-1", "unserved_saturated_share") == pytest.approx(before_s / 7200)
    assert share(result, "vm-1", "unserved_migration_share") == pytest.approx(
        standing_s / 7200, rel=1e-4
    )


def test_a_conversion_draws_nothing_while_the_guest_is_down() -> None:
    """Shut down 10 s, 10 GiB at 1 Gbit/s, boot 50 s; the target converts at 10 % of the demand."""
    changed = scenario({"model": "pre_copy"}, "10 %", conversion=CONVERSION)
    for host, hypervisor in zip(changed["farm"]["hosts"], ("kvm", "esxi"), strict=True):
        host["hypervisor"] = hypervisor
    moved = farmsim.run(changed)
    down_s = 60 + 10 * GIB_BITS / 1e9
    assert share(moved, "vm-1", "unserved_migration_share") == pytest.approx(
        down_s / 7200, rel=1e-3
    )
    move = moved.table("migrations").to_pylist()[0]
    assert move["downtime_s"] == pytest.approx(down_s, rel=1e-3)


def test_a_copy_at_a_fixed_rate_takes_at_the_source_what_the_guest_loses() -> None:
    """The source is as busy as before, and the target carries a tenth: 15 GiB at 0.5 Gbit/s."""
    still = farmsim.run(scenario("fixed_rate", "10 %", policies={
        "initial": {"placement": "first_fit", "cpu_overcommit": 2}, "control": "none",
    }))  # fmt: skip
    moved = farmsim.run(scenario({"model": "fixed_rate", "bandwidth": "1 Gbit/s"}, "10 %"))
    copy_s = 15 * GIB_BITS / 0.5e9
    expected_j = 0.1 * 0.2 * WATTS_PER_GHZ * copy_s
    assert joules(moved) - joules(still) == pytest.approx(expected_j, abs=0.01)
    assert share(moved, "vm-1", "unserved_migration_share") == pytest.approx(0.1 * copy_s / 7200)


def test_a_cold_boot_draws_what_a_start_after_a_crash_draws() -> None:
    """Both hold their memory and ask for nothing: the target draws its 100 W idle."""
    cold = {"model": "cold", "shutdown": "0 s", "boot": "1000 s"}
    moved = farmsim.run(scenario(cold, "10 %", vms=1))
    crashed = farmsim.run(scenario(
        "fixed_rate", "10 %", vms=1,
        policies={"initial": {"placement": "first_fit"}, "control": "none"},
        provisioning={"boot": "1000 s"},
        failures={"detection_time": "0 s",
                  "schedule": [{"at": "10 min", "match": ["a-1"], "duration": "1 h"}]},
    ))  # fmt: skip
    rows = {
        name: next(row for row in result.table("hosts").to_pylist() if row["host"] == "b-1")
        for name, result in (("moved", moved), ("crashed", crashed))
    }
    assert rows["moved"]["energy_kwh"] == pytest.approx(rows["crashed"]["energy_kwh"])
