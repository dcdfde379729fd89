"""Moves at a time and ports hold for every migration model; what a model knows not is null."""

from typing import Any

import numpy as np
import pytest

import farmsim
from farmsim.analysis.run.result import Result
from farmsim.analysis.terminal import summary_text
from farmsim.scenarios.scenario import from_text

FOUR_GIB_S = 4 * 1024**3 * 8 / 0.5e9
"""4 GiB at half of 1 Gbit/s."""

LINEAR = {"model": "linear", "idle": "100 W", "max": "200 W"}
SERVER = {"cores": 10, "clock": "1 GHz", "memory": "100 GiB", "power": LINEAR}
ASIDE = {f"vm-{number}": f"h-{number + 1}" for number in range(1, 5)}


def scenario(migration: Any = "fixed_rate", **more: Any) -> dict[str, Any]:
    """Return four VMs on the first of six hosts, each of which leaves it for another."""
    size = {"name": "s", "vcpus": 2, "clock": "1 GHz", "memory": "4 GiB", "disk": "4 GiB"}
    return {
        "name": "places",
        "run": {"duration": "30 min"},
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 6}]},
        "workload": {
            "source": {"type": "constant", "utilisation": "50 %"}, "sizes": [size], "vms": 4,
        },
        "policies": {
            "initial": {"placement": "first_fit", "cpu_overcommit": 2},
            "control": {"policy": "reassign", "at": "10 min", "assignment": ASIDE},
        },
        "migration": migration,
        "baseline": {"type": "none"},
    } | more  # fmt: skip


def moves(result: Result) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = result.table("migrations").to_pylist()
    return sorted(rows, key=lambda row: (row["start_s"], row["vm"]))


def at_a_time(result: Result) -> int:
    """Return the most moves that were under way at once."""
    rows = [row for row in moves(result) if row["end_s"] > row["start_s"]]
    spans = [(float(row["start_s"]), float(row["end_s"])) for row in rows]
    counts: list[int] = [sum(one <= at < two for one, two in spans) for at, _ in spans]
    return max(counts)


MODELS = ("fixed_rate", "cold", "suspend_resume", "pre_copy", "post_copy", "hybrid")
LIMITS: dict[str, tuple[dict[str, Any], int]] = {
    "per host": ({"max_migrations_per_host": 1}, 1),
    "two per host": ({"max_migrations_per_host": 2}, 2),
    "in all": ({"max_migrations": 1, "max_migrations_per_host": 9}, 1),
    "per link": ({"max_migrations_per_link": 1, "max_migrations_per_host": 9}, 1),
    "serial": ({"migration_order": "serial", "max_migrations_per_host": 9}, 1),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("limit", LIMITS)
def test_limits_of_moves_at_a_time_hold_for_every_model(model: str, limit: str) -> None:
    network, most = LIMITS[limit]
    slow = {"topology": "single_switch", "port": "1 Gbit/s"}
    result = farmsim.run(scenario({"model": model}, network=network | {"layout": slow}))
    assert sum(row["finished"] for row in moves(result)) == 4
    assert at_a_time(result) == most


def test_moves_at_a_fixed_rate_go_one_by_one() -> None:
    result = farmsim.run(scenario(network={"max_migrations_per_host": 1}))
    starts = [row["start_s"] for row in moves(result)]
    assert starts == pytest.approx([600 + number * FOUR_GIB_S for number in range(4)], abs=0.01)
    assert moves(result)[-1]["end_s"] - 600 == pytest.approx(274.88, abs=0.01)


@pytest.mark.parametrize(
    "network", [{}, {"max_migrations_per_host": 1}, {"migration_order": "serial"}]
)
def test_a_group_that_nobody_uses_changes_no_move(network: dict[str, Any]) -> None:
    unused = {"name": "z", "server": SERVER, "count": 1, "migration": "pre_copy"}
    farm = {"hosts": [{"name": "h", "server": SERVER, "count": 6}, unused]}
    alone = moves(farmsim.run(scenario(network=network)))
    beside = moves(farmsim.run(scenario(network=network, farm=farm)))
    assert len(alone) == 4
    for one, other in zip(alone, beside, strict=True):
        for name, value in one.items():
            if isinstance(value, float):
                assert other[name] == pytest.approx(value, rel=1e-9), name
            else:
                assert other[name] == value, name


def test_without_a_network_nothing_is_shared_and_that_is_told() -> None:
    result = farmsim.run(scenario())
    assert [row["start_s"] for row in moves(result)] == [600.0] * 4
    assert at_a_time(result) == 4
    assert "Migrations at a fixed rate share" in result.report()
    stated = farmsim.run(scenario(network={"max_migrations_per_host": 1}))
    assert "Migrations at a fixed rate share" not in stated.report()


@pytest.mark.parametrize("model", MODELS)
def test_a_port_never_carries_more_than_its_bandwidth(model: str) -> None:
    """Four moves at 10 Gbit/s leave by one port of 10 Gbit/s: 16 GiB take 13.7 s at least."""
    parameters: dict[str, Any] = {"bandwidth": "10 Gbit/s", "bandwidth_share": "100 %"}
    if model == "cold":
        parameters = {"storage": "before", "shutdown": "0 s", "boot": "0 s"}
    elif model != "fixed_rate":
        parameters = {}
    layout = {"topology": "single_switch", "port": "10 Gbit/s"}
    network = {"layout": layout, "max_migrations_per_host": 9}
    changed = scenario({"model": model} | parameters, network=network)
    changed["run"] |= {"report_every": "1 s", "duration": "12 min"}
    result = farmsim.run(changed)
    assert sum(row["finished"] for row in moves(result)) == 4
    assert moves(result)[-1]["end_s"] - 600 >= 16 * 1024**3 * 8 / 10e9
    assert np.max(result.table("links")["utilisation_max"].to_numpy()) <= 1 + 1e-9
    sent = sum(row["copied_gib"] for row in moves(result))
    port = {row["link"]: row["sent_gib"] for row in result.table("links").to_pylist()}
    assert max(port.values()) == pytest.approx(sent)


def test_a_downtime_that_no_model_knows_is_null_and_in_no_mean() -> None:
    """Two VMs by a fixed rate and two that are suspended: the mean is that of the latter."""
    sizes = [
        {"name": name, "vcpus": 2, "clock": "1 GHz", "memory": "4 GiB", "count": 2} | own
        for name, own in (("a", {}), ("b", {"migration": "suspend_resume"}))
    ]
    changed = scenario()
    changed["workload"] = {"source": changed["workload"]["source"], "sizes": sizes}
    result = farmsim.run(changed)
    downtimes = [row["downtime_s"] for row in moves(result)]
    known = [each for each in downtimes if each is not None]
    assert (len(known), downtimes.count(None)) == (2, 2)
    assert result.value("downtime_mean_s") == pytest.approx(sum(known) / 2)
    page = result.report()
    assert "the downtime of 2 migrations is not modelled" in page
    fixed = next(row["vm"] for row in moves(result) if row["downtime_s"] is None)
    vm_history = str(result.vm_history(fixed))
    assert "not modelled" in vm_history
    assert "0 ms" not in vm_history
    assert "away for 0" not in vm_history


@pytest.mark.parametrize("network", [{}, {"max_migrations_per_host": 1}])
def test_where_no_downtime_is_known_none_is_printed(network: dict[str, Any]) -> None:
    result = farmsim.run(scenario(network=network))
    assert not {"downtime_mean_s", "downtime_p99_s", "downtime_max_s"} & set(result.metrics())
    assert result.table("migrations")["downtime_s"].null_count == 4
    assert "Downtime" not in summary_text(result)
    if network:
        assert "Downtime is not modelled." in result.report()
    assert "0 ms" not in str(result.vm_history("vm-1"))


def test_a_resolved_scenario_says_no_more_than_was_said() -> None:
    given = farmsim.Scenario.of(scenario())
    again = from_text(given.to_yaml(), "again.yaml")
    assert moves(farmsim.run(again)) == moves(farmsim.run(given))
