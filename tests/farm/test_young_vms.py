"""Detectors and selections judge VMs by samples of their own lives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import farmsim
from farmsim.models.state.utilisation_history import Ring
from farmsim.policies.control.consolidation import Consolidation
from farmsim.policies.overload.adaptive_threshold import InterquartileRange
from farmsim.policies.overload.detector import looks_at_use
from farmsim.policies.overload.local_regression import LocalRegression, RobustLocalRegression
from farmsim.policies.overload.static_threshold import StaticThreshold
from farmsim.policies.selection.maximum_correlation import determination, with_the_others

DETECTORS = (
    "static_threshold", "interquartile_range", "median_absolute_deviation", "local_regression",
    "robust_local_regression",
)  # fmt: skip


def test_the_ring_counts_the_rows_of_each_column_since_it_is_there() -> None:
    ring = Ring(3, 2)
    there = np.array([True, False])
    ring.record(np.ones(2), there)
    ring.record(np.ones(2), ~there)
    assert ring.ages.tolist() == [0, 1]
    for _ in range(5):
        ring.record(np.ones(2))
    assert ring.ages.tolist() == [3, 3]


def run(folder: Path, vms: str, *overrides: str, **control: Any) -> farmsim.Result:
    """Two hosts of 10 GHz, VMs of 1 GHz each that come as the table says, rounds of 5 min."""
    (folder / "vms.csv").write_text("arrival,lifetime,vcpus,memory,utilisation\n" + vms)
    power = {"model": "linear", "idle": "100 W", "max": "200 W"}
    server = {"cores": 10, "clock": "1 GHz", "memory": "100 GiB", "sockets": 1, "power": power}
    scenario = {
        "run": {"duration": "4 h"},
        "farm": {"hosts": [{"name": "h", "count": 2, "server": server}]},
        "workload": {
            "arrivals": {"type": "table", "path": "vms.csv", "clock": "1 GHz"},
            "source": {"type": "constant", "utilisation": "100 %"},
        },
        "policies": {
            "initial": {"placement": "first_fit", "cpu_overcommit": 2},
            "control": {"policy": "consolidation", "drain": "none", "overload": control},
            "every": "5 min",
        },
        "baseline": {"type": "none"},
    }
    (folder / "s.yaml").write_text(yaml.safe_dump(scenario))
    return farmsim.run(str(folder / "s.yaml"), *overrides)


@pytest.mark.parametrize("measure", ["demand", "utilisation"])
@pytest.mark.parametrize("policy", DETECTORS)
def test_constant_load_of_vms_that_came_together_is_no_overload(
    tmp_path: Path, policy: str, measure: str
) -> None:
    """7 of 10 GHz, all from 5,000 s on, between two samples."""
    came = run(tmp_path, "5000,,1,4,100\n" * 7, policy=policy, measure=measure)
    there = run(tmp_path, "0,,1,4,100\n" * 7, policy=policy, measure=measure)
    assert came.value("migrations") == there.value("migrations") == 0


@pytest.mark.parametrize("policy", DETECTORS[1:])
def test_the_fallback_judges_young_vms_late_in_a_run(tmp_path: Path, policy: str) -> None:
    """8 GHz are more than 70 % of 10: the first round after their host has booted."""
    came = run(tmp_path, "5000,,1,4,100\n" * 8, policy=policy).table("decisions").to_pylist()
    first = next(row for row in came if not row["rule"].startswith("initial"))
    assert first["time_s"] == 5400
    assert (first["measured"], first["limit"]) == (pytest.approx(0.8), pytest.approx(0.7))


def test_an_old_vm_beside_young_ones_keeps_its_own_past(tmp_path: Path) -> None:
    """4 GHz for hours and 4 GHz anew: 0.4 * 1.2 + 0.4 / 0.7 is above 1 by local regression."""
    vms = "0,,1,4,100\n" * 4 + "7250,,1,4,100\n" * 4
    rows = run(tmp_path, vms, policy="local_regression").table("decisions").to_pylist()
    first = next(row for row in rows if row["rule"] == "local_regression")
    assert first["time_s"] == 7500
    assert first["measured"] == pytest.approx(1.2 * 0.4 + 0.4 / 0.7)
    assert first["limit"] == 1.0


def test_overload_has_to_last_where_a_detector_asks_for_it(tmp_path: Path) -> None:
    """A spike of one sample, then a plateau of four: 300 s rounds, 10 min asked for."""
    load = "time," + ",".join("abcd") + "\n"
    high = {1200, 2400, 2700, 3000, 3300}
    for time in range(0, 4800, 300):
        load += f"{time}," + ",".join(["95" if time in high else "30"] * 4) + "\n"
    (tmp_path / "t.csv").write_text(load)
    power = {"model": "linear", "idle": "100 W", "max": "200 W"}
    server = {"cores": 4, "clock": "1 GHz", "memory": "100 GiB", "sockets": 1, "power": power}
    scenario = {
        "run": {"duration": "80 min"},
        "farm": {"hosts": [{"name": "h", "count": 2, "server": server}]},
        "workload": {
            "source": {"type": "csv", "path": "t.csv"},
            "sizes": [{"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB"}],
        },
        "policies": {
            "initial": {"placement": "first_fit"},
            "control": {"policy": "consolidation", "drain": "none"},
        },
        "baseline": {"type": "none"},
    }
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(scenario))
    first = {}
    for minutes in (0, 10, 15, 20):
        key = f"policies.control.overload={{policy: static_threshold, above_for: {minutes} min}}"
        rows = farmsim.run(str(tmp_path / "s.yaml"), key).table("decisions").to_pylist()
        times = [row["time_s"] for row in rows if row["rule"] == "static_threshold"]
        first[minutes] = times[0] if times else None
    assert first == {0: 1200.0, 10: 3000.0, 15: 3300.0, 20: None}


@pytest.mark.parametrize("policy", DETECTORS)
def test_utilisation_is_at_most_all_of_a_host(tmp_path: Path, policy: str) -> None:
    """15 GHz asked of 10: a monitor sees 100 %, and of each VM what it is given."""
    vms = "0,,1,4,100\n" * 15
    limits = {}
    for measure in ("demand", "utilisation"):
        rows = run(tmp_path, vms, policy=policy, measure=measure).table("decisions").to_pylist()
        first = next(row for row in rows if row["rule"] == policy)
        limits[measure] = first["measured"]
    assert limits["demand"] == pytest.approx(1.5)
    assert limits["utilisation"] == pytest.approx(1.0)


def test_who_looks_at_utilisation() -> None:
    assert not looks_at_use(Consolidation())
    assert looks_at_use(Consolidation(overload=StaticThreshold(measure="utilisation")))
    for detector in (InterquartileRange(), LocalRegression(), RobustLocalRegression()):
        assert detector.fewest in (12, 10)


def test_correlation_with_the_sum_of_the_others_allows_any_number_of_vms() -> None:
    """Columns 0 and 1 rise together, 2 falls, 3 is constant, 4 is young."""
    rise = np.arange(4.0)
    history = np.column_stack([rise, 2 * rise, 5 - rise, np.ones(4), [0, 0, 7, 9]])
    own = np.array([4, 4, 4, 4, 2])
    assert determination(history) is None
    found = with_the_others(history, own)
    assert found is not None
    assert found[[3, 4]].tolist() == [-1.0, -1.0]
    for column in range(3):
        others = history.sum(axis=1) - history[:, column]
        by_hand = np.corrcoef(history[:, column], others)[0, 1] ** 2
        assert found[column] == pytest.approx(by_hand)


def test_nothing_is_determined_by_vms_that_never_vary_or_stand_alone() -> None:
    assert with_the_others(np.ones((5, 3)), np.full(3, 5)) is None
    assert with_the_others(np.arange(5.0)[:, None], np.array([5])) is None
    own = np.array([3, 3])
    found = with_the_others(np.array([[1.0, 4.0], [2.0, 4.0], [3.0, 4.0]]), own)
    assert found is not None
    assert found.tolist() == [0.0, -1.0]


def test_the_summary_tells_where_no_regression_was_possible() -> None:
    day = ["baseline={type: none}", "run.duration=4 h", "policies.initial.cpu_overcommit=8"]
    name = "policies.control.selection"
    told = farmsim.run("library/planetlab-day", *day, f"{name}=maximum_correlation").summary
    assert any("maximum_correlation could not regress" in text for text in told["warnings"])
    plain = farmsim.run("library/planetlab-day", *day, f"{name}=random").summary
    assert not any("maximum_correlation" in text for text in plain["warnings"])


def test_a_host_with_one_vm_leaves_nothing_to_regress_and_nothing_to_tell() -> None:
    """The only VM of a host above its limit moves; more samples would change nothing."""
    server = {
        "cores": 4, "clock": "1 GHz", "memory": "16 GiB",
        "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
    }  # fmt: skip
    result = farmsim.run(
        {
            "name": "alone",
            "run": {"duration": "2 h"},
            "farm": {
                "hosts": [
                    {"name": "small", "server": server, "count": 1},
                    {"name": "large", "server": server | {"cores": 8}, "count": 1},
                ]
            },
            "workload": {
                "source": {"type": "constant", "utilisation": "90 %"}, "vms": 1,
                "sizes": [{"name": "s", "vcpus": 4, "clock": "1 GHz", "memory": "4 GiB"}],
            },
            "policies": {
                "initial": {"placement": "first_fit"},
                "control": {
                    "policy": "consolidation", "overload": "static_threshold",
                    "selection": "maximum_correlation", "drain": "none",
                },
            },
            "baseline": {"type": "none"},
        }
    )  # fmt: skip
    assert result.value("migrations") == 1
    assert not any("maximum_correlation" in text for text in result.summary["warnings"])
