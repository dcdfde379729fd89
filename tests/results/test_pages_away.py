"""Pages that are still at the source: what they hold there, and what their loss means."""

from typing import Any

import pytest

import farmsim
from farmsim.analysis.run.result import Result

GIB_BITS = 1024**3 * 8
STATE_S = 4 * 1024**2 * 8 / 1e8
"""4 MiB of device state over 100 Mbit/s."""

LINEAR = {"model": "linear", "idle": "100 W", "max": "200 W"}


def scenario(memory: str, *sizes: dict[str, Any], count: int = 3, **more: Any) -> dict[str, Any]:
    server = {"cores": 10, "clock": "1 GHz", "memory": memory, "power": LINEAR}
    return {
        "name": "pages",
        "run": {"duration": "2 h"},
        "farm": {"hosts": [{"name": "h", "server": server, "count": count}]},
        "workload": {"source": {"type": "constant", "utilisation": "50 %"}, "sizes": list(sizes)},
        "policies": {
            "initial": {"placement": "first_fit"},
            "control": {"policy": "reassign", "at": "10 min", "assignment": {"vm-1": "h-2"}},
        },
        "migration": {"model": "post_copy", "max_bandwidth": "100 Mbit/s"},
        "baseline": {"type": "none"},
    } | more  # fmt: skip


def size(gib: int, count: int = 1, **more: Any) -> dict[str, Any]:
    return {"name": f"s{gib}", "vcpus": 2, "clock": "1 GHz", "memory": f"{gib} GiB",
            "count": count} | more  # fmt: skip


def failing(*schedule: dict[str, Any], **more: Any) -> Result:
    failures = {"schedule": list(schedule), "detection_time": "15 s"} | more
    return farmsim.run(scenario("100 GiB", size(4), failures=failures))


def at(second: float, *match: str, minutes: float = 10, of: str = "host") -> dict[str, Any]:
    return {
        "at": f"{second} s",
        "match": list(match),
        "duration": f"{minutes} min",
        "component": of,
    }


def vm(result: Result) -> dict[str, Any]:
    row: dict[str, Any] = result.table("vms").to_pylist()[0]
    return row


LOSSES = {
    "source": at(700, "h-1"),
    "target": at(700, "h-2", minutes=1000),
    "link": at(700, "h-1 *", of="link"),
}


@pytest.mark.parametrize("what", LOSSES)
def test_a_vm_whose_pages_are_gone_is_down_from_then_on(what: str) -> None:
    """4 GiB at 100 Mbit/s take 344 s from 600 s on; at 700 s a part is gone."""
    result = failing(LOSSES[what], restart_vms=False)
    assert vm(result)["availability"] == pytest.approx(700 / 7200)
    assert vm(result)["crashes"] == 1
    assert vm(result)["lost_ghz_h"] == pytest.approx(1.0 * 6500 / 3600)
    assert vm(result)["state"] == "waiting"
    row = result.table("availability").to_pylist()[0]
    assert (row["crashes"], row["stranded"]) == (1, 1)
    assert result.value("vms_lost") == 1
    assert [row["vms"] for row in result.table("outages").to_pylist()] == [1]
    assert vm(result)["requested_ghz_h"] == pytest.approx(1.0 * 2)
    assert result.value("unserved_not_running_share") == pytest.approx(6500 / 7200)


@pytest.mark.parametrize("what", LOSSES)
def test_where_vms_are_restarted_it_is(what: str) -> None:
    result = failing(LOSSES[what])
    assert vm(result)["state"] == "running"
    assert vm(result)["crashes"] == 1
    assert vm(result)["availability"] == pytest.approx(1 - 15 / 7200)
    told = str(result.vm_history("vm-1"))
    assert "had not fetched yet" in told
    assert "is queued for a restart" in told


def test_two_failures_at_once_lose_a_vm_once() -> None:
    result = failing(at(700, "h-1"), at(700, "h-2", minutes=1000))
    assert vm(result)["crashes"] == 1
    assert sum(row["vms"] for row in result.table("outages").to_pylist()) == 1


def test_failures_after_the_last_page_lose_nothing() -> None:
    result = failing(at(950, "h-1"))
    assert (vm(result)["crashes"], vm(result)["availability"]) == (0, 1.0)


WAITING: dict[str, tuple[dict[str, Any], float]] = {
    # what the source keeps, from when the VM has arrived until all pages are there
    "post_copy": ({"model": "post_copy"}, STATE_S + 40 * GIB_BITS / 1e8),
    "hybrid": (
        {"model": "hybrid", "dirty": {"model": "rate", "rate": "400 Mbit/s"}},
        # one pass, and then the working set, a tenth of the memory
        STATE_S + 1.1 * 40 * GIB_BITS / 1e8,
    ),
    "switched": (
        {"model": "pre_copy", "if_not_converging": "post_copy", "max_stalled_rounds": 0,
            "max_rounds": 0,
         "dirty": {"model": "rate", "rate": "400 Mbit/s"}},
        STATE_S + 1.1 * 40 * GIB_BITS / 1e8,
    ),
    "pre_copy": (
        {"model": "pre_copy", "dirty": {"model": "rate", "rate": "0 Mbit/s"}},
        40 * GIB_BITS / 1e8,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WAITING)
def test_the_source_keeps_the_memory_until_all_pages_are_fetched(kind: str, tmp_path: Any) -> None:
    """A VM of 60 GiB finds no room beside what is left of 40 GiB on a host of 64 GiB.

    It starts when the source is free, not at the next round of control.
    """
    model, took_s = WAITING[kind]
    table = tmp_path / "vms.csv"
    table.write_text(
        "vm,arrival,lifetime,vcpus,memory,utilisation\nvm-1,0,,2,40,50\nlate,700,,2,60,50\n"
    )
    changed = scenario("64 GiB", count=2, migration=model | {"max_bandwidth": "100 Mbit/s"})
    changed["run"]["duration"] = "3 h"
    changed["workload"] = {"arrivals": {"type": "table", "path": str(table), "clock": "1 GHz"}}
    result = farmsim.run(changed)
    rows = {row["vm"]: row for row in result.table("vms").to_pylist()}
    assert rows["late"]["first_host"] == "h-1"
    assert rows["late"]["started_h"] * 3600 == pytest.approx(600 + took_s, rel=1e-4)


def test_the_cap_of_pre_copy_counts_memory_and_not_the_disk() -> None:
    """44 GiB at 1 Gbit/s leave 113 GB of writes and pages, which shrink to 11 MB: 0.087 s."""
    disk = size(4, disk="40 GiB", disk_writes="200 Mbit/s")
    dirty = {"model": "rate", "rate": "100 Mbit/s", "working_set": "10 %"}
    model = {"model": "pre_copy", "max_bandwidth": "1 Gbit/s", "storage": "with", "dirty": dirty}
    changed = scenario("100 GiB", disk, count=2, migration=model)
    changed["workload"]["source"]["utilisation"] = "100 %"
    result = farmsim.run(changed)
    move = result.table("migrations").to_pylist()[0]
    assert move["convergence_action"] is None
    assert move["downtime_s"] == pytest.approx(0.087, abs=0.001)


def test_a_vm_on_storage_goes_on_elsewhere_when_its_target_fails() -> None:
    """Two VMs change places; the one on storage comes back to a third host with room."""
    sizes = [size(60, count=2)]
    control = {"policy": "reassign", "at": "10 min", "assignment": {"vm-1": "h-2", "vm-2": "h-1"}}
    policies = {"initial": {"placement": "first_fit"}, "every": "1 min", "control": control}
    # The third host is away when the moves are decided, and back when h-2 fails for good.
    failures = {"restart_vms": True, "detection_time": "0 s", "schedule": [
        at(300, "h-3", minutes=6), at(700, "h-2", minutes=1000),
    ]}  # fmt: skip
    changed = scenario("64 GiB", *sizes, policies=policies, failures=failures)
    changed["migration"] = {"model": "suspend_resume"}
    changed["network"] = {"suspend_bandwidth": "4 Gbit/s",
                          "layout": {"topology": "single_switch", "port": "1 Gbit/s"}}  # fmt: skip
    result = farmsim.run(changed)
    rows = {row["vm"]: row for row in result.table("vms").to_pylist()}
    assert {row["state"] for row in rows.values()} == {"running"}
    assert "h-2" not in {row["last_host"] for row in rows.values()}


def test_a_lost_vm_does_not_start_where_others_have_taken_its_room(tmp_path: Any) -> None:
    """Nobody restarts VMs; the host of the lost one fails with a VM that has come since."""
    table = tmp_path / "vms.csv"
    table.write_text(
        "vm,arrival,lifetime,vcpus,memory,utilisation\nvm-1,0,,2,4,50\nlate,800,,2,8,50\n"
    )
    schedule = [at(700, "h-1"), at(1000, "h-2", minutes=5)]
    changed = scenario("8 GiB", count=2, failures={"restart_vms": False, "schedule": schedule})
    changed["workload"] = {"arrivals": {"type": "table", "path": str(table), "clock": "1 GHz"}}
    rows = {row["vm"]: row for row in farmsim.run(changed).table("vms").to_pylist()}
    assert (rows["late"]["state"], rows["late"]["last_host"]) == ("running", "h-2")
    assert rows["vm-1"]["state"] == "waiting"
    assert rows["vm-1"]["availability"] == pytest.approx(700 / 7200)
