"""Reservations of CPU: no host promises more than it has, wherever VMs come from."""

from typing import Any

import pytest

import farmsim
from farmsim.scenarios.errors.problems import InputError

SERVER = {
    "cores": 10, "clock": "1 GHz", "memory": "100 GiB", "sockets": 1,
    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
}  # fmt: skip


def reserved(
    changes: dict[str, Any] | None = None, vms: int = 2, load: str = "100 %"
) -> farmsim.Scenario:
    """Return VMs of 8 vCPUs that reserve 8 GHz each, on hosts of 10 GHz that promise 40."""
    made: dict[str, Any] = {
        "name": "reserved",
        "run": {"duration": "1 h"},
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 2}]},
        "workload": {
            "source": {"type": "constant", "utilisation": load},
            "sizes": [
                {
                    "name": "a", "vcpus": 8, "clock": "1 GHz", "memory": "4 GiB", "count": vms,
                    "reservation": "8 GHz",
                }
            ],
        },
        "baseline": {"type": "none"},
        "policies": {"initial": {"cpu_overcommit": 4}},
        "service": {"sharing": "shares"},
    }  # fmt: skip
    return farmsim.Scenario.of(made).with_(changes or {})


def test_two_that_do_not_fit_together_get_a_host_each() -> None:
    result = farmsim.run(reserved())
    vms = result.table("vms").to_pylist()
    assert sorted(row["last_host"] for row in vms) == ["h-1", "h-2"]
    assert [row["ready_share"] for row in vms] == [0.0, 0.0]
    assert result.value("work_served_share") == pytest.approx(1.0)


def test_more_than_hosts_can_promise_is_refused_with_its_place() -> None:
    with pytest.raises(InputError, match="reservation"):
        farmsim.run(reserved(vms=3))


def test_who_may_be_rejected_is_with_the_reason() -> None:
    smaller = [{"name": "a", "vcpus": 8, "clock": "1 GHz", "memory": "4 GiB", "count": 3,
                "reservation": "6 GHz"}]  # fmt: skip
    made = reserved({"workload.sizes": smaller, "policies.initial.unplaced": "reject"})
    result = farmsim.run(made)
    rows = result.table("vms").to_pylist()
    assert [row["state"] for row in rows] == ["running", "running", "rejected"]
    assert "excluded by rules: reservation of a 2" in rows[2]["reason"]


@pytest.mark.parametrize("policy", ["consolidation", "dynamic_power"])
def test_no_policy_moves_them_together(policy: str) -> None:
    """At 10 % load both would fit one host."""
    made = reserved(
        {"policies.control": policy, "policies.initial.placement": "round_robin"}, load="10 %"
    )
    result = farmsim.run(made)
    assert result.value("migrations") == 0
    assert len(set(result.table("vms")["last_host"].to_pylist())) == 2


def test_an_assignment_that_breaks_one_is_refused() -> None:
    control = {"policy": "reassign", "at": "10 min", "assignment": {"vm-2": "h-1"}}
    result = farmsim.run(reserved({"policies.control": control}))
    assert result.value("migrations") == 0
    told = [row["outcome"] for row in result.table("decisions").to_pylist()]
    assert any("reservation of a" in outcome for outcome in told)


def test_a_restart_waits_for_a_host_that_can_keep_it() -> None:
    failures = {
        "schedule": [{"at": "10 min", "component": "host", "match": ["h-2"], "duration": "20 min"}]
    }
    result = farmsim.run(reserved({"failures": failures}, load="10 %"))
    events = result.table("vm_events").to_pylist()
    back = [row for row in events if row["event"] == "running" and row["time_s"] > 600]
    assert [row["host"] for row in back] == ["h-2"]
    assert back[0]["time_s"] >= 1800


def grown(small: str, large: str, hot: str, duration: str = "1 h") -> farmsim.Result:
    """Run a member of 2 GHz that is asked for 3 and may have 4, beside a VM that reserves 6 of 9.

    The host lets 36 GHz be promised by size, so that only reservations are in the way.
    """

    def size(name: str, vcpus: int, count: int, reservation: str) -> dict[str, Any]:
        return {"name": name, "vcpus": vcpus, "clock": "1 GHz", "memory": "4 GiB",
                "count": count, "reservation": reservation}  # fmt: skip

    scaling = {
        "policy": "vertical", "sizes": ["s", "l"], "scale_up_above": "80 %",
        "scale_down_below": "10 %",
        "hot_add_up_to": hot,
    }  # fmt: skip
    return farmsim.run(
        {
            "name": "grown",
            "run": {"duration": duration},
            "farm": {"hosts": [{"name": "h", "server": SERVER | {"cores": 9}, "count": 1}]},
            "workload": {
                "source": {"type": "constant", "utilisation": "10 %"},
                "sizes": [
                    size("other", 6, 1, "6 GHz"), size("s", 2, 0, small), size("l", 4, 0, large),
                ],
            },
            "applications": [
                {
                    "name": "a", "size": "s", "min_members": 1, "max_members": 1,
                    "scaling": scaling,
                    "load": {"type": "constant", "rate": "3 GHz"},
                }
            ],
            "baseline": {"type": "none"},
            "policies": {"initial": {"cpu_overcommit": 4}, "scaling_every": "5 min"},
            "service": {"sharing": "shares"},
        }
    )  # fmt: skip


@pytest.mark.parametrize("hot", ["", "l"])
@pytest.mark.parametrize(
    ("small", "large", "size"),
    [
        ("0 GHz", "3 GHz", "l"),
        ("2 GHz", "3 GHz", "l"),  # 2 and 3 are never kept together
        ("0 GHz", "4 GHz", "s"),
        ("2 GHz", "4 GHz", "s"),
        ("2 GHz", "0 GHz", "l"),
    ],
)
def test_a_member_that_changes_size_keeps_the_reservation_of_its_size(
    small: str, large: str, size: str, hot: str
) -> None:
    result = grown(small, large, hot)
    member = next(row for row in result.table("vms").to_pylist() if row["vm"] == "a-1")
    assert member["size"] == size
    assert member["state"] == "running"
    # 2 GHz and the 0.6 of the other VM, of 3 GHz and 0.6, where it cannot grow.
    served = 1.0 if size == "l" else 2.6 / 3.6
    assert result.value("work_served_share") == pytest.approx(served, abs=1e-3)


def test_members_that_come_later_wait_where_no_host_can_promise_theirs() -> None:
    """Four members of 6 GHz each are wanted; two hosts of 10 GHz promise one each."""
    member = {"vcpus": 6, "clock": "1 GHz", "memory": "4 GiB", "count": 0}
    made = reserved(
        {
            "workload.sizes": [
                {"name": "o", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB", "count": 1},
                member | {"name": "m", "reservation": "6 GHz"},
            ],
            "applications": [
                {
                    "name": "a", "size": "m", "min_members": 1, "max_members": 4,
                    "load": {"type": "constant", "rate": "20 GHz"},
                    "scaling": {"policy": "target_utilisation", "target": "80 %"},
                }
            ],
        }
    )  # fmt: skip
    rows = [row for row in farmsim.run(made).table("vms").to_pylist() if row["vm"] != "vm-1"]
    assert [row["state"] for row in rows] == ["running", "running", "waiting", "waiting"]
    assert {row["last_host"] for row in rows[:2]} == {"h-1", "h-2"}
    assert all("excluded by rules: reservation of m 2" in row["reason"] for row in rows[2:])
