"""Clusters: VMs stay in theirs, one over all hosts changes nothing, two are two farms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from farm_draws import CONTROLS, Mapping, farms, host_group, scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.analysis.run.result import Result
from farmsim.scenarios.errors.problems import InputError

FEW = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WHOLE: Mapping = {"name": "whole", "hosts": ["x", "y"]}
SERVER = {
    "cores": 16, "clock": "2 GHz", "memory": "64 GiB",
    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
}  # fmt: skip
YAML = """\
farmsim: 1
name: two
run: {duration: 1 h}
farm:
  clusters:
    - {name: A, hosts: [a]}
    - {name: B, hosts: [b]}
  hosts:
    - {name: a, server: hp_ml110_g5, count: 2, memory: 16 GiB}
    - {name: b, server: hp_ml110_g5, count: 2, memory: 16 GiB}
workload:
  source: {type: constant, utilisation: 10 %}
  sizes:
    - {name: s, vcpus: 1, clock: 1 GHz, memory: 2 GiB, count: 4, cluster: A}
    - {name: t, vcpus: 1, clock: 1 GHz, memory: 2 GiB, count: 2, cluster: B}
baseline: {type: none}
"""


def result_of(mapping: Mapping, folder: Path) -> Result:
    return farmsim.run(farmsim.Scenario.of(mapping, folder))


@FEW
@given(drawn=farms())
def test_one_cluster_over_all_hosts_changes_nothing(drawn: Mapping, tmp_path: Path) -> None:
    base = scenario(drawn, tmp_path)
    here = result_of(base, tmp_path)
    base["farm"]["clusters"] = [WHOLE]
    load = base["workload"]
    for part in [load["arrivals"]] if "arrivals" in load else load["sizes"]:
        part["cluster"] = "whole"
    there = result_of(base, tmp_path)
    assert set(there.tables) - set(here.tables) == {"clusters"}
    for name, table in here.tables.items():
        same = there.tables[name]
        assert same.select(table.column_names).equals(table), name
        extra = set(same.column_names) - set(table.column_names)
        assert extra == ({"cluster"} if name in ("vms", "hosts") else set())
    for metric in here.metrics():
        assert there.value(metric) == here.value(metric), metric
    (row,) = there.table("clusters").to_pylist()
    assert row["hosts"] == len(here.table("hosts"))
    assert row["energy_kwh"] == pytest.approx(sum(here.table("hosts")["energy_kwh"].to_pylist()))


@FEW
@given(
    control=st.sampled_from(CONTROLS[:3]),
    placement=st.sampled_from(["first_fit", "worst_fit", "best_fit_decreasing"]),
    hypervisor=st.sampled_from(["ideal", "kvm"]),
    counts=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 99),
)
def test_two_clusters_are_two_farms(
    control: Any,
    placement: str,
    hypervisor: str,
    counts: tuple[int, int],
    seed: int,
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(seed)
    names = [f"{cluster}-{vm}" for cluster, count in zip("ab", counts, strict=True)
             for vm in range(count)]  # fmt: skip
    samples = rng.choice([5, 20, 60, 100], (24, len(names)))
    groups = {each: host_group(f"h{each}", 3, hypervisor) for each in "ab"}
    sizes = {
        each: {"name": each, "vcpus": 1 + vcpus, "clock": "2 GHz", "memory": "3 GiB",
               "count": count}
        for each, vcpus, count in zip("ab", (0, 1), counts, strict=True)
    }  # fmt: skip

    def played(clusters: str, *, named: bool) -> Result:
        kept = [at for at, name in enumerate(names) if name[0] in clusters]
        lines = [",".join(["time", *(names[at] for at in kept)])]
        lines += [",".join(map(str, [300 * step, *row[kept].tolist()]))
                  for step, row in enumerate(samples)]  # fmt: skip
        (tmp_path / f"{clusters}.csv").write_text("\n".join(lines) + "\n")
        farm: Mapping = {"hosts": [groups[each] for each in clusters]}
        if named:
            farm["clusters"] = [{"name": each, "hosts": [f"h{each}"]} for each in clusters]
        return result_of(
            {
                "name": "clusters",
                "run": {"duration": "2 h"},
                "farm": farm,
                "workload": {
                    "source": {"type": "csv", "path": f"{clusters}.csv"},
                    "match_series_by": "position",
                    "sizes": [
                        sizes[each] | ({"cluster": each} if named else {}) for each in clusters
                    ],
                },
                "policies": {
                    "control": control,
                    "initial": {
                        "placement": placement, "cpu_overcommit": 2, "unplaced": "reject",
                    },
                },
                "cost": {"hosts_paid": "owned"},
                "baseline": {"type": "none"},
            },
            tmp_path,
        )  # fmt: skip

    both = played("ab", named=True)
    each = [played(name, named=False) for name in "ab"]
    for metric in ("energy_kwh", "migrations", "hosts_on_mean", "vms_rejected"):
        apart = sum(one.value(metric) or 0 for one in each)
        assert both.value(metric) == pytest.approx(apart, rel=1e-9), metric
    rows = both.table("clusters").to_pylist()
    for row, one in zip(rows, each, strict=True):
        assert row["energy_kwh"] == pytest.approx(one.value("energy_kwh"), rel=1e-9)
        assert row["vms_without_host"] == one.value("vms_rejected")
        assert row["utilisation_mean"] == pytest.approx(one.value("utilisation_mean"), rel=1e-9)
    for vm in both.table("vms").to_pylist():
        assert vm["last_host"] is None or vm["last_host"][1] == vm["cluster"]


def three_groups(**first: Any) -> Mapping:
    """Two clusters of a host each and one host in none; only the first is short of memory."""
    group = {"server": SERVER, "count": 1}
    size = {"vcpus": 1, "clock": "2 GHz", "memory": "16 GiB"}
    return {
        "name": "three",
        "run": {"duration": "1 h"},
        "farm": {
            "hosts": [{"name": name, **group} for name in ("a", "b", "c")],
            "clusters": [{"name": "A", "hosts": ["a"], **first}, {"name": "B", "hosts": ["b"]}],
        },
        "workload": {
            "source": {"type": "constant", "utilisation": "10 %"},
            "sizes": [
                {"name": "s", **size, "count": 6, "cluster": "A"},
                {"name": "t", **size, "count": 1, "cluster": "B"},
                {"name": "u", **size, "count": 2},
            ],
        },
        "policies": {"initial": {"unplaced": "reject"}},
        "baseline": {"type": "none"},
    }


def test_vms_leave_their_cluster_only_where_it_says_so(tmp_path: Path) -> None:
    alone = result_of(three_groups(), tmp_path)
    hosts = alone.table("vms")["last_host"].to_pylist()
    assert hosts == ["a-1"] * 4 + [None] * 2 + ["b-1"] + ["c-1"] * 2
    rows = {row["cluster"]: row for row in alone.table("clusters").to_pylist()}
    assert list(rows) == ["A", "B", "no cluster"]
    assert [row["vms_without_host"] for row in rows.values()] == [2, 0, 0]
    assert [row["vms_here"] for row in rows.values()] == [4, 1, 2]
    assert [row["vcpus_per_core"] for row in rows.values()] == [4 / 16, 1 / 16, 2 / 16]
    assert [row["memory_configured_gib"] for row in rows.values()] == [64, 16, 32]
    assert [row["memory_available_gib"] for row in rows.values()] == [64, 64, 64]
    # B's hosts are open to VMs of A, not the other way round.
    wider = result_of(three_groups(migrate_to=["B"]), tmp_path)
    hosts = wider.table("vms")["last_host"].to_pylist()
    assert hosts == ["a-1"] * 4 + ["b-1"] * 3 + ["c-1"] * 2
    assert 'id="clusters"' in wider.report()
    assert "no cluster" in wider.report()


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("hosts: [a]", "hosts: [a, q]", ":6:", "there is no group of hosts 'q'"),
        ("hosts: [b]", "hosts: [b, a]", ":7:", "a is already in cluster A"),
        ("name: B", "name: A", ":7:", "'A' is the name of two clusters"),
        ("hosts: [a]", "hosts: [a], migrate_to: [C]", ":6:", "there is no cluster 'C'"),
        ("hosts: [a]", "hosts: [a], migrate_to: [A]", ":6:", "always migrate within it"),
        ("cluster: B", "cluster: C", ":15:", "there is no cluster 'C'"),
        (", cluster: B", "", ":15:", "belong to no cluster, but every group of hosts is in one"),
        ("hosts: [b]", "hosts: []", ":7:", "hosts"),
    ],
)
def test_errors_say_where(old: str, new: str, place: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(YAML)
    farmsim.Scenario.load(path)
    assert YAML.count(old) == 1
    path.write_text(YAML.replace(old, new))
    with pytest.raises(InputError) as error:
        farmsim.Scenario.load(path)
    assert place in str(error.value)
    assert message in str(error.value)


def test_a_cluster_closed_to_a_tenant_is_told(tmp_path: Path) -> None:
    text = YAML.replace("cluster: A}", "cluster: A, tenant: t}")
    text = text.replace("name: a, server", "name: a, tenant: u, server")
    text = text.replace("cluster: B}", "cluster: B, tenant: u}")
    path = tmp_path / "s.yaml"
    path.write_text(text + "tenants: [{name: t}, {name: u}]\n")
    with pytest.raises(InputError, match="no group of hosts in cluster A is open to VMs of t"):
        farmsim.Scenario.load(path)
