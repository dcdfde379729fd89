"""Same scenario, seed and version: the same tables, to the byte."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

import farmsim
from farmsim.sim.base.random_streams import Streams

SCENARIO: dict[str, Any] = {
    "name": "repeat",
    "seed": 7,
    "run": {"duration": "6 h"},
    "farm": {"hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 30, "memory": "32 GiB"}]},
    "workload": {
        "source": {
            "type": "synthetic", "classes": "planetlab", "farm_factor": "10 %",
            "bursts": {"per_day": 2},
        },
        "vms": 60,
        "size_order": "random",
        "sizes": [
            {"name": "a", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB", "share": "50 %"},
            {"name": "b", "vcpus": 1, "clock": "2 GHz", "memory": "2 GiB", "share": "50 %"},
        ],
    },
    "policies": {
        "control": {"policy": "consolidation", "selection": "random", "placement": "random"}
    },
    "baseline": {"type": "unconsolidated"},
}  # fmt: skip


def as_bytes(result: farmsim.Result) -> dict[str, bytes]:
    found = {}
    for name, table in result.tables.items():
        buffer = io.BytesIO()
        parquet.write_table(table, buffer)
        found[name] = buffer.getvalue()
    return found


def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not() -> None:
    first, second = farmsim.run(SCENARIO), farmsim.run(SCENARIO)
    assert as_bytes(first) == as_bytes(second)
    assert first.baseline is not None
    assert second.baseline is not None
    assert as_bytes(first.baseline) == as_bytes(second.baseline)
    assert first.manifest["hash"] == second.manifest["hash"]
    other = farmsim.run(SCENARIO, seed=8)
    assert as_bytes(other) != as_bytes(first)
    assert other.manifest["hash"] != first.manifest["hash"]


def test_a_run_does_not_change_its_scenario() -> None:
    scenario = farmsim.Scenario.of(SCENARIO)
    before = scenario.to_yaml()
    first = farmsim.run(scenario)
    assert scenario.to_yaml() == before
    assert as_bytes(farmsim.run(scenario)) == as_bytes(first)


def test_halving_the_reporting_interval_changes_no_total() -> None:
    scenario = farmsim.Scenario.of(SCENARIO)
    coarse = farmsim.run(scenario)
    fine = farmsim.run(scenario.with_({"run.report_every": "150 s"}))
    for name in coarse.metrics():
        if name != "peak_power_w":  # the highest interval mean depends on the interval
            assert fine.value(name) == pytest.approx(coarse.value(name), rel=1e-12), name
    assert fine.table("farm_series").num_rows == 2 * coarse.table("farm_series").num_rows
    for name in ("hosts", "vms", "migrations", "decisions", "violations"):
        assert fine.table(name).num_rows == coarse.table(name).num_rows


def test_streams_depend_on_their_own_name_alone() -> None:
    alone = Streams(3)("arrivals").random(5)
    streams = Streams(3)
    streams("failures").random(100)
    assert np.array_equal(streams("arrivals").random(5), alone)
    assert not np.array_equal(Streams(4)("arrivals").random(5), alone)
    assert not np.array_equal(Streams(3, replication=1)("arrivals").random(5), alone)


def test_an_unrelated_consumer_does_not_move_the_load() -> None:
    """A policy that draws at random sees the same demand as one that does not."""
    quiet = farmsim.Scenario.of(SCENARIO).with_({"policies.control": "none"})
    requested = farmsim.run(quiet).table("vms")["requested_ghz_h"].to_pylist()
    drawing = farmsim.run(SCENARIO).table("vms")["requested_ghz_h"].to_pylist()
    assert drawing == pytest.approx(requested, rel=1e-12)


def test_the_order_in_which_files_come_changes_nothing(tmp_path: Path) -> None:
    names = ["b", "a", "d", "c"]
    for folder, order in (("one", names), ("two", names[::-1])):
        (tmp_path / folder).mkdir()
        for name in order:
            (tmp_path / folder / name).write_text("10\n20\n30\n" * (1 + ord(name) % 2))
    results = []
    for folder in ("one", "two"):
        scenario = SCENARIO | {
            "workload": {
                "source": {"type": "planetlab", "path": str(tmp_path / folder)},
                "gaps": "hold",
            }
        }
        results.append(farmsim.run(scenario))
    one, two = (result.table("vms").drop_columns(["scenario"]) for result in results)
    assert one["vm"].to_pylist() == ["a", "b", "c", "d"]
    assert one.equals(two)
