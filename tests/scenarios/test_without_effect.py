"""Fields that can change nothing are told; VMs wider than their hosts are named."""

from typing import Any

import pytest

import farmsim


def warnings(*overrides: str, vcpus: int = 2, sockets: int = 2) -> list[str]:
    """Two hosts of 8 cores, three VMs, nothing moved."""
    power = {"model": "linear", "idle": "100 W", "max": "200 W"}
    server = {
        "cores": 8, "clock": "2 GHz", "memory": "64 GiB", "sockets": sockets, "power": power,
    }  # fmt: skip
    scenario: dict[str, Any] = {
        "run": {"duration": "1 h"},
        "farm": {"hosts": [{"name": "h", "count": 2, "server": server}]},
        "workload": {
            "source": {"type": "constant", "utilisation": "10 %"},
            "vms": 3,
            "sizes": [{"name": "s", "vcpus": vcpus, "clock": "0.5 GHz", "memory": "2 GiB"}],
        },
        "baseline": {"type": "none"},
    }
    told: list[str] = farmsim.run(scenario, *overrides).summary["warnings"]
    return [each for each in told if "no effect" in each or "vCPUs than" in each]


IDLE = [
    ("seed=7", "seed has no effect here: nothing in this scenario is random."),
    (
        "policies.initial={count_by: demand, cpu_overcommit: 3}",
        "policies.initial.cpu_overcommit has no",
    ),
    ("policies.scaling_every=10 min", "policies.scaling_every has no effect here: there are no"),
    (
        "network.background=20 %",
        "network.background has no effect here: policies.control never migrates",
    ),
    ("network.max_migrations=3", "network.max_migrations has no effect here"),
    ("migration={model: fixed_rate, bandwidth_share: 10 %}", "migration has no effect here"),
    (
        "service.incoming_counts_as_violation=true",
        "service.incoming_counts_as_violation has no effect here",
    ),
    ("policies.power.keep_awake=1", "policies.power has no effect here: policies.control never"),
    (
        "farm.hosts.0.off_power=7 W",
        "farm.hosts.h.off_power has no effect here: its hosts are always on",
    ),
    ("admission.retries=2", "admission.retries has no effect here: all VMs are present"),
    ("provisioning.method=linked_clone", "provisioning.method has no effect here"),
    ("failures.detection_time=1 min", "failures.detection_time has no effect here: nothing fails"),
]


@pytest.mark.parametrize(("override", "message"), IDLE)
def test_a_field_that_changes_nothing_is_named(override: str, message: str) -> None:
    told = warnings(override)
    assert len(told) == 1
    assert told[0].startswith(message)


def test_fields_that_change_something_are_not_named() -> None:
    assert warnings() == []
    assert warnings("seed=7", "policies.initial.placement=random") == []
    assert warnings("policies.initial.cpu_overcommit=3") == []
    assert warnings("policies.control=consolidation", "network.background=20 %") == []
    assert warnings("policies.control=power_proportional", "policies.power.keep_awake=1") == []


def test_a_forecast_without_waking_ahead_is_named() -> None:
    control = "policies.control=power_proportional"
    told = warnings(control, "policies.power.forecast=linear_trend")
    assert told[0].startswith("policies.power.forecast has no effect here: it is used by")
    assert warnings(control, "policies.power={forecast: linear_trend, wake_ahead: 5 min}") == []


def test_defaults_written_out_are_told_as_little_as_defaults() -> None:
    day = ["baseline={type: none}", "run.duration=1 h"]
    first = farmsim.run("library/first-steps", *day)
    again = farmsim.run(farmsim.Scenario.load("library/first-steps", *day).with_({"seed": 1}))
    for result in (first, again):
        assert not any("no effect" in each for each in result.summary["warnings"])


def test_vms_wider_than_a_socket_or_a_host_are_named_with_their_number() -> None:
    assert warnings(vcpus=4) == []
    assert warnings(vcpus=5) == [
        "vm-1, vm-2, vm-3: 3 VMs have more vCPUs than a NUMA node (socket) has cores, so part of "
        "the memory is remote."
    ]
    assert warnings(vcpus=5, sockets=1) == []
    (told,) = warnings(vcpus=9)
    assert told.startswith("vm-1, vm-2, vm-3: 3 VMs have more vCPUs than a host has cores")


@pytest.mark.parametrize(("field", "value"), [("reservation", "1 GHz"), ("shares", "2000")])
def test_a_reservation_that_nobody_heeds_is_named(field: str, value: str) -> None:
    change = f"workload.sizes.0.{field}={value}"
    (told,) = warnings(change)
    assert told.startswith(
        f"workload.sizes.s.{field} has no effect here: service.sharing: demand ignores both"
    )
    assert warnings(change, "service.sharing=shares") == []


def test_a_migration_model_of_hosts_or_sizes_is_named_where_nothing_moves() -> None:
    (told,) = warnings("workload.sizes.0.migration=post_copy")
    assert (
        told
        == "workload.sizes.s.migration has no effect here: policies.control never migrates VMs."
    )
    (told,) = warnings("farm.hosts.0.migration=post_copy")
    assert "migration has no effect here: policies.control never migrates VMs." in told
