"""Clusters: VMs stay in theirs, one over all hosts changes nothing, two are two farms."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from farm_draws import CONTROLS, Mapping, farms, host_group, scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.analysis.run.result import Result
from farmsim.analysis.studies.failover import failover
from farmsim.analysis.studies.failover_page import render
from farmsim.models.rules.reserve import AllowedHosts, HostedVms, always_enough
from farmsim.scenarios.errors.problems import InputError

RESERVES: list[Any] = [
    None,
    {"kind": "hosts", "hosts": 1},
    {"kind": "hosts", "hosts": 1, "check": "sum"},
    {"kind": "share", "memory": "30 %", "cpu": "20 %"},
    [{"kind": "hosts", "hosts": 1}, {"kind": "share", "memory": "45 %"}],
]
BALANCED: list[Any] = [
    {"policy": "balance", "balance": balance, "threshold": "2 %", "max_migrations": 2}
    for balance in ("cpu", "memory", "both")
]
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
@given(drawn=farms(), reserve=st.sampled_from(RESERVES))
def test_one_cluster_over_all_hosts_changes_nothing(
    drawn: Mapping, reserve: Any, tmp_path: Path
) -> None:
    base = scenario(drawn, tmp_path)
    here = result_of(base | {"policies": base["policies"] | {"reserve": reserve}}, tmp_path)
    base["farm"]["clusters"] = [WHOLE | ({"reserve": reserve} if reserve else {})]
    load = base["workload"]
    for part in [load["arrivals"]] if "arrivals" in load else load["sizes"]:
        part["cluster"] = "whole"
    there = result_of(base, tmp_path)
    extra = {"clusters", "reserves"} if reserve else {"clusters"}
    assert set(there.tables) == set(here.tables) | extra
    for name, table in here.tables.items():
        same = there.tables[name]
        if name == "reserves":
            continue  # they are named after the cluster
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
    control=st.sampled_from(CONTROLS[:3] + BALANCED),
    placement=st.sampled_from(["first_fit", "worst_fit", "best_fit_decreasing"]),
    hypervisor=st.sampled_from(["ideal", "kvm"]),
    reserve=st.sampled_from(RESERVES),
    counts=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 99),
)
def test_two_clusters_are_two_farms(
    control: Any,
    placement: str,
    hypervisor: str,
    reserve: Any,
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
            farm["clusters"] = [
                {"name": each, "hosts": [f"h{each}"], "reserve": reserve} for each in clusters
            ]
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
                    "reserve": None if named else reserve,
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
    if reserve is not None:
        below_h = both.table("reserves")["below_h"].to_pylist()
        rules = len(below_h) // 2
        for at, one in enumerate(each):
            here_h = max(below_h[at * rules : (at + 1) * rules])
            assert here_h == pytest.approx(one.value("below_reserve_h"), abs=1e-9)
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


N_PLUS_1: Mapping = {"kind": "hosts", "hosts": 1}


def fenced(by: str) -> Mapping:
    """Seven hosts, 98 VMs on each of the first three; if one fails, two hold 16 GiB too little."""
    server = {**SERVER, "cores": 128, "memory": "750 GiB"}
    sizes = [("a", 2, 90), ("a", 4, 120), ("a", 8, 30), ("a", 16, 55), ("b", 32, 25), ("b", 96, 10)]
    made: Mapping = {
        "name": "fenced",
        "run": {"duration": "1 h"},
        "farm": {"hosts": [
            {"name": "a", "server": server, "count": 3}, {"name": "b", "server": server, "count": 4}
        ]},
        "workload": {
            "source": {"type": "constant", "utilisation": "10 %"},
            "sizes": [
                {"name": f"{group}{gib}", "vcpus": 1, "clock": "1 GHz", "memory": f"{gib} GiB",
                 "count": count} | ({"cluster": group} if by != "fences" else {})
                for group, gib, count in sizes
            ],
        },
        "policies": {"initial": {"placement": "worst_fit"}},
        "baseline": {"type": "none"},
    }  # fmt: skip
    if by == "fences":
        made["constraints"] = [
            {"name": each, "type": "fence", "hosts": [f"{each}-*"],
             "sizes": [f"{group}{gib}" for group, gib, _ in sizes if group == each]}
            for each in "ab"
        ]  # fmt: skip
    else:
        made["farm"]["clusters"] = [{"name": each, "hosts": [each]} for each in "ab"]
    if by == "each":
        for cluster in made["farm"]["clusters"]:
            cluster["reserve"] = N_PLUS_1
    else:
        made["policies"]["reserve"] = N_PLUS_1
    return made


@pytest.mark.parametrize("by", ["fences", "clusters", "each"])
def test_a_reserve_is_kept_where_vms_may_restart_not_over_the_farm(by: str, tmp_path: Path) -> None:
    # All hosts but one have 4,500 GiB for 3,540; those of a 1,500 for the 1,780 of its VMs.
    result = result_of(fenced(by), tmp_path)
    assert result.value("below_reserve_h") == 1.0
    summed = fenced(by)
    if by == "each":
        rows = result.table("reserves").to_pylist()
        assert [row["below_h"] for row in rows] == [1.0, 0.0]
        assert [row["memory_left_min_gib"] for row in rows] == [1500 - 1780, 2250 - 1760]
        assert any("cluster a: any 1 host may fail" in w for w in result.summary["warnings"])
        summed["farm"]["clusters"][0]["reserve"] = N_PLUS_1 | {"check": "sum"}
    else:
        assert "reserves" not in result.tables
        summed["policies"]["reserve"] = N_PLUS_1 | {"check": "sum"}
    # Sums over the whole farm hold, those of a cluster do not.
    assert result_of(summed, tmp_path).value("below_reserve_h") == float(by == "each")


def test_failover_tells_what_each_cluster_survives(tmp_path: Path) -> None:
    """Two hosts of a hold 1,500 of 1,780 GiB: 18 or 19 VMs of 16 GiB find none; b has room."""
    farm = fenced("each")
    farm["farm"]["hosts_per_rack"] = 3
    outcome = failover(farmsim.Scenario.of(farm, tmp_path), pairs=True)
    told = outcome.to_dict()["clusters"]
    assert [(each["name"], each["hosts"], each["vms"]) for each in told] == [
        ("a", 3, 295), ("b", 4, 35),
    ]  # fmt: skip
    # The 295 VMs of a with the least memory that fit on two hosts, by single failures as well.
    hosts = {each["name"]: each for each in outcome.to_dict()["failures"] if each["kind"] == "host"}
    assert [len(hosts[f"a-{at}"]["stranded"]) for at in (1, 2, 3)] == [19, 18, 18]
    assert told[0]["most_stranded"]["host"] == 19
    assert told[1]["most_stranded"]["host"] == 0
    # a-1 to a-3 are rack-1, b-1 to b-3 rack-2.
    assert [each["single"] for each in told] == [["rack"], []]
    assert "is in a single rack" in told[0]["verdict"]
    assert told[1]["verdict"].startswith("survives any one host; ")
    assert hosts["a-1"]["clusters"] == ["a"]
    assert {len(each["clusters"]) for each in outcome.to_dict()["failures"]} == {1, 2}
    assert "cluster b: survives any one host" in outcome.text()
    page = render(outcome)
    assert "By cluster" in page
    del farm["farm"]["clusters"]
    for size in farm["workload"]["sizes"]:
        del size["cluster"]
    plain = failover(farmsim.Scenario.of(farm, tmp_path)).to_dict()
    assert "clusters" not in plain
    assert "clusters" not in plain["failures"][0]


def test_all_of_several_reserves_are_kept(tmp_path: Path) -> None:
    """Of 3 hosts of 64 GiB, N+1 leaves 8 VMs of 16 GiB; the share of 50 % leaves 6."""
    share = {"kind": "share", "memory": "50 %", "cpu": "0 %"}
    standby = {"kind": "dedicated", "hosts": ["h-3"]}
    for reserve, ran in (
        (N_PLUS_1, 8), (share, 6), ([N_PLUS_1, share], 6), ([share, N_PLUS_1], 6),
        ([N_PLUS_1, standby], 8), ([N_PLUS_1 | {"hosts": 2}, standby], 4),
    ):  # fmt: skip
        result = result_of(
            {
                "name": "several",
                "run": {"duration": "1 h"},
                "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 3}]},
                "workload": {
                    "source": {"type": "constant", "utilisation": "10 %"},
                    "sizes": [
                        {"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": "16 GiB", "count": 20}
                    ],
                },
                "policies": {"initial": {"unplaced": "reject"}, "reserve": reserve},
                "baseline": {"type": "none"},
            },
            tmp_path,
        )
        assert result.value("vms_ran") == ran, reserve
        assert result.value("below_reserve_h") == 0.0
        assert ("reserves" in result.tables) == isinstance(reserve, list)


@pytest.mark.parametrize(
    ("reserve", "message"),
    [
        ("{kind: hosts, hosts: 2}", "a reserve of 2 hosts is larger than cluster A, which has 2"),
        ("{kind: dedicated, hosts: [b-1]}", "there is no host 'b-1'"),
        ("[{kind: hosts}, {kind: dedicated, hosts: [a-*]}]", "names all 2 hosts of cluster A"),
        ("[]", "reserve"),
    ],
)
def test_reserves_of_clusters_are_checked(reserve: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(YAML.replace("hosts: [a]}", f"hosts: [a], reserve: {reserve}}}"))
    with pytest.raises(InputError, match=r"s\.yaml:6:") as error:
        farmsim.Scenario.load(path)
    assert message in str(error.value)


@settings(max_examples=150, deadline=None)
@given(
    blocks=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    vms=st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4)), min_size=1, max_size=10),
    count=st.integers(1, 2),
    order=st.randoms(use_true_random=False),
)
def test_places_in_each_block_are_enough_for_first_fit(
    blocks: list[int], vms: list[tuple[int, int]], count: int, order: Any
) -> None:
    """Where counting says that any failure is survived, first fit in any order survives it."""
    of_host = np.repeat(np.arange(len(blocks)), blocks)
    hosts = len(of_host)
    home = np.array([vm % hosts for vm, _ in vms])
    need = np.array([float(mib) for _, mib in vms])
    free = 8.0 - np.bincount(home, weights=need, minlength=hosts).astype(np.float64)
    if (free < 0).any():
        return
    permits = AllowedHosts(of_host[home], of_host == np.arange(len(blocks))[:, None])
    held = HostedVms(home, need, np.zeros(len(vms)), free, np.ones(hosts), np.ones(hosts, bool))
    if not always_enough(held, count, permits):
        return
    for failed in combinations(range(hosts), min(count, hosts)):
        left = free.copy()
        left[list(failed)] = 0.0
        waiting = [vm for vm in range(len(vms)) if home[vm] in failed]
        order.shuffle(waiting)
        for vm in waiting:
            open_to = np.flatnonzero((of_host == of_host[home[vm]]) & (left >= need[vm]))
            assert len(open_to), (failed, vm)
            left[open_to[0]] -= need[vm]


def test_dedicated_servers_of_a_baseline_belong_to_no_cluster() -> None:
    server = {"cores": 4, "clock": "2 GHz", "memory": "24 GiB",
              "power": {"model": "linear", "idle": "90 W", "max": "210 W"}}  # fmt: skip
    size = {"name": "s", "vcpus": 2, "clock": "1 GHz", "memory": "2 GiB", "cluster": "A"}
    result = farmsim.run(
        {
            "farmsim": 1,
            "name": "clustered",
            "run": {"duration": "1 h"},
            "farm": {
                "hosts": [{"name": "a", "server": server, "count": 2}],
                "clusters": [{"name": "A", "hosts": ["a"]}],
            },
            "workload": {
                "vms": 3, "sizes": [size], "source": {"type": "constant", "utilisation": 0.5},
            },
            "baseline": {"type": "dedicated"},
        }
    )  # fmt: skip
    assert result.table("clusters").num_rows == 1
    assert result.baseline is not None
    assert "clusters" not in result.baseline.tables
