"""What VMs of a table use, by their rows, their hosts, their clusters; and load made of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import farmsim
from farmsim.models.workload.peaks import percentile
from farmsim.scenarios.build.build import load_of
from farmsim.scenarios.build.workload import Load
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.traces.snapshot import week_time_s

HEADER = "vm,vcpus,clock_mhz,memory_mib,host,cluster,cpu_used_mhz,cpu_share"
ROWS = [
    "web,4,2500,8192,h1,A,800,",
    "app,2,2500,4096,h1,A,,0.1",  # 500 MHz
    "db,8,2500,16384,h2,A,,",
    "log,2,2500,4096,h2,A,,",
    "new,2,2500,4096,,A,,",
    "far,2,2500,4096,,B,,",
]
HOSTS = "host,cpu_used_mhz,vendor\nh1,2000,x\nh2,3000,y\nh3,500,y\n"


def load(folder: Path, rows: list[str] = ROWS, hosts: str = HOSTS, **source: Any) -> Load:
    (folder / "vms.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (folder / "hosts.csv").write_text(hosts)
    written = {
        "farm": {"hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 2}]},
        "run": {"duration": "7 d"},
        "seed": source.pop("seed", 1),
        "workload": {"vms_file": "vms.csv", "source": {"type": "snapshot"} | source},
    }
    return load_of(farmsim.Scenario.of(written, folder))


def rows_of(load: Load, slots: int = 2016) -> np.ndarray[Any, np.dtype[np.float64]]:
    demand, rows = load.new_demand(), []
    for slot in range(slots):
        demand.advance(slot)
        rows.append(demand.now_mhz.copy())
    return np.array(rows)


def test_each_vm_has_the_nearest_that_is_known(tmp_path: Path) -> None:
    found = load(tmp_path, hosts_file="hosts.csv")
    assert found.snapshot is not None
    mhz = found.snapshot.use.mhz
    assert mhz[:2].tolist() == [800, 500]
    assert mhz[2] + mhz[3] == pytest.approx(3000)  # host h2, split
    assert mhz[4] == pytest.approx(4300 / 16 * 2)  # per vCPU of cluster A
    assert mhz[5] == pytest.approx(0.07 * 5000)  # nothing is known of cluster B
    assert found.snapshot.use.basis.tolist() == [0, 0, 1, 1, 2, 3]
    told = " ".join(found.warnings)
    for words in (
        "1.25 times the snapshot is an assumption: typical of the band of mixed load",
        "When the snapshot was taken is not known",
        "2 VMs is known only as that of 1 host;",
        "500 MHz of what hosts use is of no VM",
        "1 VM (2 vCPUs) is not known; it is estimated as 538 MHz",
        "Nothing is known of the CPU use of 1 VM; each is taken to use 7 %",
    ):
        assert words in told
    assert found.quality is None  # no sample was recorded


def test_without_hosts_a_cluster_stands_for_its_vms(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert found.snapshot is not None
    assert found.snapshot.use.mhz[2:5] == pytest.approx(1300 / 6 * np.array([8, 2, 2]))
    assert found.snapshot.use.basis.tolist() == [0, 0, 2, 2, 2, 3]


def test_use_above_the_own_cpu_is_cut_and_told(tmp_path: Path) -> None:
    found = load(tmp_path, ["turbo,1,2000,1024,,,2600,"], factor=1.0, at="Wed 12:00")
    assert found.snapshot is not None
    assert found.snapshot.use.mhz.tolist() == [2000]
    assert "1 VM used more than their own CPU, 600 MHz in all" in " ".join(found.warnings)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("factor", ["low", "typical", "high"])
@pytest.mark.parametrize("profile", ["steady", "batch", "mixed"])
def test_the_farm_starts_at_the_recorded_sum(
    tmp_path: Path, seed: int, factor: str, profile: str
) -> None:
    found = load(tmp_path, seed=seed, factor=factor, profile=profile, hosts_file="hosts.csv")
    assert found.snapshot is not None
    sums = rows_of(found).sum(axis=1)
    assert sums[0] == pytest.approx(found.snapshot.use.mhz.sum(), rel=1e-9)
    wanted = {"steady": [1, 1.15, 1.5], "batch": [1, 2.3, 7], "mixed": [1, 1.25, 6]}[profile]
    wanted_factor = wanted[["low", "typical", "high"].index(factor)]
    # All VMs together have 50,000 MHz, which allows for more than 7 times what they use.
    assert percentile(sums, 0.95) / sums[0] == pytest.approx(wanted_factor, rel=1e-6)


def test_a_mean_is_kept_over_the_weeks(tmp_path: Path) -> None:
    hosts = "host,cpu_used_mhz,cpu_mean_mhz\nh1,9000,1000\nh2,9000,2000\n"
    found = load(tmp_path, hosts=hosts, recorded="mean", hosts_file="hosts.csv")
    assert found.snapshot is not None
    assert found.snapshot.use.mhz[2:4].sum() == pytest.approx(2000)
    assert rows_of(found).mean(axis=0) == pytest.approx(found.snapshot.use.mhz, rel=1e-9)


def test_snapshots_decide_the_factor(tmp_path: Path) -> None:
    sums = [{"mhz": f"{1000 * (1 + number % 3)} MHz"} for number in range(24)]
    found = load(tmp_path, snapshots=sums)
    sums_mhz = rows_of(found).sum(axis=1)
    assert percentile(sums_mhz, 0.95) == pytest.approx(3000 / 0.98, rel=1e-6)
    assert "typical estimate of 24 snapshots" in found.warnings[0]


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        ("name,cpu_used_mhz\nh1,5\n", "hosts.csv:1: needs the columns host and cpu_used_mhz"),
        ("host,cpu\nh1,5\n", "hosts.csv:1: needs the columns host and cpu_used_mhz"),
        ("host,cpu_used_mhz\nh1,5\nh1,6\n", "hosts.csv:3: host: 'h1' is the host of row 2"),
        ("host,cpu_used_mhz\nh1,-5\n", "hosts.csv:2: cpu_used_mhz: is -5; write 0 or more"),
        ("host,cpu_used_mhz\nh1,much\n", "hosts.csv:2"),
    ],
)
def test_a_wrong_table_of_hosts_is_refused(tmp_path: Path, hosts: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, hosts=hosts, hosts_file="hosts.csv")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("at: Foo 12:00", "workload.source.at: 'Foo 12:00' is no time; write a date and time"),
        ("factor: huge", "workload.source.factor: 'huge' is not allowed; write 'low'"),
        ("factor: 0", "workload.source.factor: 0 is out of range"),
        ("profile: windy", "workload.source.profile: 'windy' is not allowed"),
        ("recorded: max", "workload.source.recorded: 'max' is not allowed"),
        ("unknown: 140 %", "workload.source.unknown"),
        ("snapshots: [{mhz: 3 GHz, cluster: A}, {mhz: 2 GHz}]", "some sums are of a cluster"),
        ("snapshots: [{mhz: 3 GHz, at: noon}]", "workload.source.snapshots.0.at: 'noon' is no"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(
    tmp_path: Path, change: str, told: str
) -> None:
    path = tmp_path / "farm.yaml"
    path.write_text(
        "farmsim: 1\nfarm:\n  hosts: [{name: h, server: hp_ml110_g5, count: 2}]\nworkload:\n"
        f"  vms_file: vms.csv\n  source:\n    type: snapshot\n    {change}\n"
    )
    with pytest.raises(InputError) as caught:
        farmsim.Scenario.load(path)
    assert told in str(caught.value)
    assert "farm.yaml:8:" in str(caught.value)


def test_a_snapshot_needs_its_vms(tmp_path: Path) -> None:
    written = {
        "farm": {"hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 2}]},
        "workload": {"source": {"type": "snapshot"}, "vms": 5},
    }
    with pytest.raises(InputError, match="a snapshot needs the VMs that it is of"):
        farmsim.Scenario.of(written, tmp_path)


def test_a_table_of_hosts_that_is_not_there_is_told_before_a_run(tmp_path: Path) -> None:
    (tmp_path / "vms.csv").write_text("\n".join([HEADER, *ROWS]) + "\n")
    written = {
        "farm": {"hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 2}]},
        "workload": {
            "vms_file": "vms.csv",
            "source": {"type": "snapshot", "hosts_file": "absent.csv"},
        },
    }
    with pytest.raises(InputError, match="hosts_file: no such file"):
        farmsim.Scenario.of(written, tmp_path).check_paths()


def test_vms_that_use_nothing_are_no_load_and_no_fault(tmp_path: Path) -> None:
    found = load(tmp_path, ["idle,1,2000,1024,,,0,", "still,1,2000,1024,,,0,"])
    assert not rows_of(found, 3).any()
    assert found.warnings[0] == "The recorded CPU use is 0 for all VMs, so that there is no load."


def test_times_of_the_week() -> None:
    assert week_time_s("Mon 00:00") == 0
    assert week_time_s("sunday 23:59") == 7 * 86_400 - 60
    assert week_time_s("2026-03-03T14:30:00+01:00") == 86_400 + 14.5 * 3600
