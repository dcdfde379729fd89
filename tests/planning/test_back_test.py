"""A back-test sizes by the first part of a history, and says what the rest would have asked for."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import farmsim
from farmsim.analysis.planning.back_test import back_test
from farmsim.models.sizing.held_out import (
    first_fit,
    host_sums,
    overload,
    placed_by_own_percentile,
)

HEADER = "vm,vcpus,clock_mhz,memory_mib"


def test_overload_counts_hosts_and_instants() -> None:
    sums = np.array([[5.0, 12.0], [10.0, 8.0], [15.0, 20.0], [0.0, 0.0]])
    found = overload(sums, np.array([10.0, 10.0]))
    assert (found.hosts, found.instants) == (2, 4)
    assert found.host_time == 3 / 8
    assert found.worst_host == 2 / 4
    assert found.any_host == 2 / 4
    assert found.mean_excess == pytest.approx((0.2 + 0.5 + 1.0) / 3)
    assert found.most_excess == 1.0


def test_nothing_is_never_overloaded() -> None:
    assert overload(np.zeros((0, 2)), np.ones(2)).host_time == 0
    assert overload(np.zeros((3, 0)), np.ones(0)).host_time == 0
    assert overload(np.zeros((3, 2)), np.ones(2)).most_excess == 0
    assert placed_by_own_percentile(np.zeros((4, 0)), np.zeros((2, 0)), 10.0).hosts == 0


def test_peaks_that_a_vm_never_had_are_missed() -> None:
    # Two VMs of 4 in the known time fit on a host of 10; later both are at 8 half of the time.
    known = np.full((20, 2), 4.0)
    held = np.array([[4.0, 4.0], [8.0, 8.0]])
    found = placed_by_own_percentile(known, held, 10.0)
    assert (found.hosts, found.host_time) == (1, 0.5)
    assert found.most_excess == pytest.approx(0.6)


@given(
    st.lists(st.tuples(st.floats(0, 12), st.floats(0, 12)), max_size=25),
    st.floats(5, 20),
)
def test_first_fit_fills_no_host_beyond_its_room(
    needs: list[tuple[float, float]], room: float
) -> None:
    each = np.array(needs, float).reshape(-1, 2)
    home = first_fit(each, np.array([room, room]))
    for host in set(home.tolist()):
        mine = each[home == host]
        assert len(mine) == 1 or (mine.sum(axis=0) <= room * (1 + 1e-6)).all()
    loads = host_sums(each.T, home, int(home.max(initial=-1)) + 1)
    assert loads.sum() == pytest.approx(each.sum())


def farm(folder: Path, days: int, later: float, hosts: int = 8) -> farmsim.Scenario:
    """Return 12 VMs with a daily swing that use ``later`` times as much in the last quarter."""
    hours = days * 24
    names = [f"vm-{number:02}" for number in range(12)]
    lines = ["time," + ",".join(names)]
    for hour in range(hours):
        level = 30 + 15 * np.sin(hour / 24 * 2 * np.pi)
        level *= later if hour >= hours * 0.75 else 1.0
        lines.append(f"{3600 * hour}," + ",".join(f"{level + vm % 3:.3f}" for vm in range(12)))
    (folder / "load.csv").write_text("\n".join(lines) + "\n")
    rows = [f"{name},2,1000,1024" for name in names]
    (folder / "vms.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    power = {"model": "constant", "power": "100 W"}
    server = {"cores": 4, "clock": "1 GHz", "memory": "64 GiB", "power": power}
    return farmsim.Scenario.of(
        {
            "farm": {"hosts": [{"name": "h", "server": server, "count": hosts}]},
            "run": {"duration": f"{days} d"},
            "workload": {
                "vms_file": "vms.csv",
                "source": {"type": "csv", "path": "load.csv", "unit": "percent"},
            },
        },
        folder,
    )


def test_a_history_that_repeats_itself_is_confirmed(tmp_path: Path) -> None:
    found = back_test(farm(tmp_path, 16, 1.0))
    assert (found.known_days, found.held_days, found.reason) == (12, 4, "")
    (tested,) = found.clusters
    assert tested.hosts == tested.hosts_needed
    assert tested.held_p95_mhz == pytest.approx(tested.known_p95_mhz, rel=1e-9)
    assert tested.overload is not None
    assert tested.overload.host_time == 0
    assert "No host was ever asked for more CPU than it has" in tested.words


def test_growth_that_the_answer_missed_is_told(tmp_path: Path) -> None:
    found = back_test(farm(tmp_path, 16, 2.0))
    (tested,) = found.clusters
    assert tested.hosts is not None
    assert tested.hosts_needed is not None
    assert tested.hosts_needed > tested.hosts
    assert tested.held_p95_mhz == pytest.approx(2 * tested.known_p95_mhz, rel=0.03)
    assert tested.above_plan > 0.4
    # 12 VMs of 2,000 MHz at most: 22,600 MHz asked for on so many hosts of 4,000.
    assert tested.overload is not None
    assert tested.overload.hosts == tested.hosts
    assert tested.overload.host_time > 0.02
    assert "by the rest it would have been" in tested.words
    assert found.words[0] == (
        "Back-test: sized by the first 12 days of the history, and tried on the 4 days after them."
    )


def test_without_a_history_there_is_no_back_test(tmp_path: Path) -> None:
    short = back_test(farm(tmp_path, 4, 1.0))
    assert short.words == ["No back-test: it needs measured series of the VMs of 7 days or more."]
    assert not short.clusters
