"""Times that an application was short of members: only those that last, and what ended them."""

from typing import Any

import pytest

import farmsim
from farmsim.analysis.run.result import Result

SERVER = {
    "cores": 10, "clock": "1 GHz", "memory": "100 GiB", "sockets": 1,
    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
}  # fmt: skip


def run(times: list[str], rates: list[str], **more: Any) -> Result:
    load = {"type": "table", "times": times, "rates": rates, "interpolation": "hold"}
    application = {
        "name": "a", "size": "s", "min_members": 1, "max_members": 8, "load": load,
        "scaling": {"policy": "target_utilisation", "target": "75 %"}, "cool_down": {"in": "0 s"},
    }  # fmt: skip
    application |= more.pop("application", {})
    return farmsim.run(
        {
            "name": "short", "run": {"duration": "2 h"},
            "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 2}]},
            "workload": {"sizes": [
                {"name": "s", "vcpus": 2, "clock": "1 GHz", "memory": "4 GiB"},
            ]},
            "applications": [application],
            "provisioning": {"method": "none"},
            "policies": {"scaling_every": "5 min"},
            "baseline": {"type": "none"},
            **more,
        }
    )  # fmt: skip


def shortages(result: Result) -> list[tuple[float, float, str]]:
    return [
        (row["start_s"], row["end_s"], row["ended_by"])
        for row in result.table("shortages").to_pylist()
    ]


def test_a_load_whose_members_come_at_the_same_instant_is_no_shortage() -> None:
    result = run(["0 s", "10 min", "20 min", "30 min"], ["1 GHz", "5 GHz", "1 GHz", "5 GHz"])
    assert shortages(result) == []
    assert result.value("shortages") == 0


def test_a_load_that_falls_ends_a_shortage() -> None:
    result = run(
        ["0 s", "10 min", "20 min"], ["1 GHz", "5 GHz", "1 GHz"], application={"max_members": 1}
    )
    assert shortages(result) == [(600.0, 1200.0, "the load fell")]
    assert result.table("shortages")["unserved_ghz_h"].to_pylist() == pytest.approx([3 / 6])


def test_a_host_that_is_repaired_at_a_step_ends_a_shortage_by_its_capacity() -> None:
    """The only host of two members is down from 10 to 20 min; the load is the same throughout."""
    outage = {"at": "10 min", "component": "host", "match": ["h-1"], "duration": "10 min"}
    hosts = [{"name": "h", "server": SERVER, "count": 1}]
    result = run(
        ["0 s", "10 min", "20 min"], ["3 GHz", "3 GHz", "3 GHz"],
        application={"min_members": 2, "max_members": 2},
        farm={"hosts": hosts}, failures={"schedule": [outage], "restart_vms": False},
    )  # fmt: skip
    assert [(start, why) for start, _, why in shortages(result)] == [(600.0, "capacity was added")]


@pytest.mark.parametrize(
    ("spread", "why"),
    [
        # Nobody runs: 1 GHz is still too much for nobody, so it takes the capacity.
        (False, "capacity was added"),
        # One member of 2 GHz runs: either would have done.
        (True, "the load fell and capacity was added"),
    ],
)
def test_a_load_that_falls_as_capacity_comes(spread: bool, why: str) -> None:
    outage = {"at": "10 min", "component": "host", "match": ["h-1"], "duration": "20 min"}
    host = {"name": "h", "server": SERVER, "count": 1 + spread, "boot": {"duration": "0 s"}}
    result = run(
        ["0 s", "10 min", "30 min"], ["3 GHz", "3 GHz", "1 GHz"],
        application={"min_members": 2, "max_members": 2},
        policies={"initial": {"placement": "round_robin"}},
        farm={"hosts": [host]}, failures={"schedule": [outage], "restart_vms": False},
    )  # fmt: skip
    assert shortages(result) == [(600.0, 1800.0, why)]


def test_what_lasts_to_the_end_is_ended_by_it() -> None:
    result = run(["0 s", "100 min"], ["1 GHz", "5 GHz"], application={"max_members": 1})
    assert shortages(result) == [(6000.0, 7200.0, "the run ended")]
