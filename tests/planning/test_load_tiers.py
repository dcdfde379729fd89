"""Which tier of knowledge a scenario's load has, and the CPU need with its band."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import farmsim
from farmsim.analysis.planning.load_tiers import CpuNeeds, cpu_needs, peak_coincidences
from farmsim.models.workload.load_band import Band

HEADER = "vm,vcpus,clock_mhz,memory_mib,host,cluster,cpu_used_mhz,cpu_share"
BY_VM = ["a,4,2500,8192,h1,A,800,", "b,2,2500,4096,h1,A,200,", "c,2,2500,4096,h2,B,500,"]
BY_HOST = ["a,4,2500,8192,h1,A,,", "b,2,2500,4096,h1,A,,", "c,2,2500,4096,h2,B,,"]
NO_HOST = ["a,4,2500,8192,,A,,", "b,2,2500,4096,,A,,", "c,2,2500,4096,,B,,"]
HOSTS = "host,cpu_used_mhz,cpu_mean_mhz,cpu_peak_mhz\nh1,1000,600,900\nh2,500,300,400\n"


def needs(folder: Path, rows: list[str], source: Mapping[str, Any], **run: Any) -> CpuNeeds:
    (folder / "vms.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (folder / "hosts.csv").write_text(HOSTS)
    host = {"server": "hp_ml110_g5", "count": 2}
    written = {
        "farm": {
            "hosts": [{"name": "x", **host}, {"name": "y", **host}],
            "clusters": [{"name": "A", "hosts": ["x"]}, {"name": "B", "hosts": ["y"]}],
        },
        "run": {"duration": "7 d"} | run,
        "workload": {"vms_file": "vms.csv", "source": source},
    }
    return cpu_needs(farmsim.Scenario.of(written, folder))


def snapshot(**values: Any) -> dict[str, Any]:
    return {"type": "snapshot"} | values


def sums(count: int, **values: Any) -> list[dict[str, Any]]:
    return [{"mhz": f"{1000 + 100 * (number % 5)} MHz"} | values for number in range(count)]


@pytest.mark.parametrize(
    ("rows", "source", "tier", "confidence", "words"),
    [
        (NO_HOST, snapshot(), "L0", "none", "nothing is known of CPU demand: answers on CPU hold"),
        (BY_HOST, snapshot(hosts_file="hosts.csv"), "L1", "low", "by host, from one instant only"),
        (BY_VM, snapshot(), "L2", "low", "of each VM is known from one instant only"),
        (BY_VM[:2] + NO_HOST[2:], snapshot(), "L2", "none", "not at all for 25 % of the vCPUs"),
        (BY_VM[:1] + NO_HOST[1:2] + BY_VM[2:], snapshot(), "L2", "low",
         "estimated by cluster for 25 % of the vCPUs"),
        (BY_VM, snapshot(snapshots=sums(11)), "L2", "low", "from 11 instants only"),
        (BY_VM, snapshot(snapshots=sums(12)), "L3", "low", "from 12 instants"),
        (BY_VM, snapshot(snapshots=sums(24)), "L3", "medium", "from 24 instants"),
        (BY_VM, snapshot(recorded="mean"), "L4", "medium", "means over a period"),
        (BY_VM, snapshot(recorded="mean", snapshots=sums(3)), "L2", "low", "from 3 instants only"),
        (BY_VM, {"type": "constant", "utilisation": "9 %"}, "assumed", "assumed", "is assumed by"),
        (BY_VM, "azure-v1-week", "assumed", "assumed", "is assumed by the scenario"),
    ],
)  # fmt: skip
def test_the_tier_is_the_weakest_that_is_known(
    tmp_path: Path, rows: list[str], source: dict[str, Any], tier: str, confidence: str, words: str
) -> None:
    known = needs(tmp_path, rows, source).known
    assert (known.tier, known.confidence) == (tier, confidence)
    assert words in known.words
    assert known.method
    assert known.only_if == (confidence == "none")
    assert bool(known.to_measure) == (tier != "assumed")


def test_need_of_a_snapshot_is_a_band_of_each_cluster(tmp_path: Path) -> None:
    found = needs(tmp_path, BY_VM, snapshot())
    assert found.farm.basis_mhz == 1500
    assert found.farm.p95_mhz == Band(1500, 1875, 9000)
    assert [each.cluster for each in found.clusters] == ["A", "B"]
    assert found.clusters[0].p95_mhz == Band(1000, 1250, 6000)
    assert found.clusters[0].vms == 2
    assert found.clusters[1].factors == Band(1.0, 1.25, 6.0)


def test_a_factor_of_the_user_is_the_typical_one(tmp_path: Path) -> None:
    assert needs(tmp_path, BY_VM, snapshot(factor=2.0)).farm.p95_mhz == Band(1500, 3000, 9000)
    assert needs(tmp_path, BY_VM, snapshot(factor=8.0)).farm.p95_mhz == Band(1500, 12_000, 12_000)
    assert needs(tmp_path, BY_VM, snapshot(factor="high")).farm.p95_mhz == Band(1500, 9000, 9000)


def test_snapshots_by_cluster_give_each_its_own_percentile(tmp_path: Path) -> None:
    by_cluster = [
        {"mhz": f"{mhz} MHz", "at": f"2026-03-{day:02} 10:00", "cluster": name}
        for day in range(1, 25)
        for name, mhz in (("A", 1000 + day), ("B", 2000 - day))
    ]
    found = needs(tmp_path, BY_VM, snapshot(snapshots=by_cluster))
    assert found.farm.p95_mhz.typical == pytest.approx(3000 / 0.98)
    # The 23rd of 24 values each: nearest rank of 22.8.
    assert found.clusters[0].p95_mhz.typical == pytest.approx(1023 / 0.98)
    assert found.clusters[1].p95_mhz.typical == pytest.approx(1998 / 0.98)
    assert found.known.tier == "L3"


def test_means_lie_between_the_mean_and_the_peaks_of_the_hosts(tmp_path: Path) -> None:
    source = snapshot(recorded="mean", hosts_file="hosts.csv")
    found = needs(tmp_path, BY_HOST, source)
    assert found.known.tier == "L4"
    assert found.farm.basis_mhz == pytest.approx(900)
    assert found.farm.p95_mhz.low == pytest.approx(1.15 * 900)
    assert found.farm.p95_mhz.typical == pytest.approx(1.4 * 900)
    assert found.farm.p95_mhz.high == pytest.approx(900 + 400)  # 2.15 * 900 is above the peaks


def series_file(folder: Path, days: float, missing: float = 0.0, constant: bool = False) -> None:
    drawn = np.random.default_rng(1)
    steps = round(days * 24)
    rows = ["time,a,b,c"]
    for step in range(steps):
        cells = [f"{value:.1f}" for value in drawn.uniform(5, 40, 3)]
        if constant:
            cells[0] = "7"
        if drawn.random() < missing:
            cells[1] = ""
        rows.append(f"{3600 * step}," + ",".join(cells))
    (folder / "load.csv").write_text("\n".join(rows) + "\n")


@pytest.mark.parametrize(
    ("days", "missing", "constant", "tier", "confidence", "words"),
    [
        (21, 0.0, False, "L5", "high", "measured over 21 days"),
        (7, 0.0, False, "L5", "medium", "no second week to confirm"),
        (3, 0.0, False, "L3", "low", "measured over 3 days"),
        (0.5, 0.0, False, "L3", "low", "measured over 12 hours"),
        (21, 0.9, False, "L5", "medium", "less than 90 % of the VMs or samples"),
        (21, 0.0, True, "L5", "medium", "less than 90 % of the VMs or samples"),
    ],
)
def test_series_are_as_good_as_their_length_and_coverage(
    tmp_path: Path,
    days: float,
    missing: float,
    constant: bool,
    tier: str,
    confidence: str,
    words: str,
) -> None:
    series_file(tmp_path, days, missing, constant)
    (tmp_path / "vms.csv").write_text("\n".join([HEADER, *BY_VM]) + "\n")
    source = {"type": "csv", "path": "load.csv", "unit": "percent"}
    written = {
        "farm": {"hosts": [{"name": "x", "server": "hp_ml110_g5", "count": 2}]},
        "workload": {"vms_file": "vms.csv", "source": source, "gaps": "interpolate"},
    }
    found = cpu_needs(farmsim.Scenario.of(written, tmp_path))
    assert (found.known.tier, found.known.confidence) == (tier, confidence)
    assert words in found.known.words
    assert found.farm.p95_mhz.low == found.farm.p95_mhz.high == found.farm.basis_mhz


def test_the_need_of_series_is_the_percentile_of_their_sum(tmp_path: Path) -> None:
    (tmp_path / "load.csv").write_text(
        "time,a,b,c\n" + "".join(f"{3600 * hour},{hour},{20 - hour},50\n" for hour in range(20))
    )
    source = {"type": "csv", "path": "load.csv", "unit": "percent"}
    found = needs(tmp_path, BY_VM, source)
    # a has 10,000 MHz, b 5,000: the 19th of 20 sums of A is that of hour 18.
    assert found.clusters[0].p95_mhz.typical == pytest.approx(100 * 18 + 50 * 2)
    assert found.clusters[1].p95_mhz.typical == pytest.approx(2500)
    assert found.farm.p95_mhz.typical == pytest.approx(100 * 18 + 50 * 2 + 2500)


def test_peaks_coincide_by_cluster(tmp_path: Path) -> None:
    rows = ["a,1,1000,1024,,A,,", "b,1,1000,1024,,A,,", "c,1,1000,1024,,B,,"]
    (tmp_path / "vms.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (tmp_path / "load.csv").write_text(
        "time,a,b,c\n0,100,0,50\n300,0,100,50\n600,0,100,50\n900,100,0,50\n"
    )
    host = {"server": "hp_ml110_g5", "count": 1}
    written = {
        "farm": {
            "hosts": [{"name": "x", **host}, {"name": "y", **host}],
            "clusters": [{"name": "A", "hosts": ["x"]}, {"name": "B", "hosts": ["y"]}],
        },
        "workload": {
            "vms_file": "vms.csv",
            "source": {"type": "csv", "path": "load.csv", "unit": "percent"},
        },
    }
    found = peak_coincidences(farmsim.Scenario.of(written, tmp_path), at=(1.0,))
    assert [each.share for each in found.clusters["A"]] == [0.5]
    assert [each.share for each in found.clusters["B"]] == [1.0]
    assert found.farm[0].peak_of_sum == pytest.approx(1500)
    assert found.farm[0].sum_of_peaks == pytest.approx(2500)


def test_the_coincidence_of_a_shipped_week(tmp_path: Path) -> None:
    written = {
        "farm": {"hosts": [{"name": "x", "server": "hp_ml110_g5", "count": 90}]},
        "workload": {"source": "azure-v1-week"},
    }
    found = peak_coincidences(farmsim.Scenario.of(written, tmp_path))
    assert [round(each.share, 2) for each in found.farm] == [0.65, 0.35]
    assert list(found.clusters) == [""]
