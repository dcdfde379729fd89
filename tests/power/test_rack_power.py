"""Power of racks: exact over time, and kept below a limit where VMs are placed."""

from pathlib import Path
from typing import Any

import pytest
from farm_draws import Mapping, farms, scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.analysis.run.result import Result
from farmsim.analysis.studies.failover import failover
from farmsim.scenarios.errors.problems import InputError

FEW = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def result_of(mapping: Mapping, folder: Path | str = ".") -> Result:
    return farmsim.run(farmsim.Scenario.of(mapping, folder))


def sums_of_hosts(result: Result) -> dict[tuple[str, float], float]:
    """Add up the mean power of hosts by rack and interval."""
    rack = {row["host"]: row["rack"] for row in result.table("hosts").to_pylist()}
    sums: dict[tuple[str, float], float] = {}
    for row in result.table("host_series").to_pylist():
        key = rack[row["host"]], row["time_s"]
        sums[key] = sums.get(key, 0.0) + row["power_w"]
    return sums


@FEW
@given(drawn=farms(failures=st.just({})))
def test_rack_power_is_that_of_its_hosts(drawn: Mapping, tmp_path: Path) -> None:
    base = scenario(drawn, tmp_path)
    if "topology" in str(drawn["moves"]):
        base.pop("network")
        base.pop("migration")
    plain = result_of(base, tmp_path)
    assert "racks" not in plain.tables
    base["farm"]["hosts_per_rack"] = 2
    base["farm"]["rack_power_limit"] = "100 kW"
    result = result_of(base, tmp_path)
    sums = sums_of_hosts(result)
    rows = {(row["rack"], row["time_s"]): row for row in result.table("rack_power").to_pylist()}
    assert set(rows) == set(sums)
    for key, row in rows.items():
        assert row["power_w"] == pytest.approx(sums[key], rel=1e-9)
        assert row["power_max_w"] >= row["power_w"] * (1 - 1e-9)
    racks = result.table("racks").to_pylist()
    for rack in racks:
        peaks = [row["power_max_w"] for key, row in rows.items() if key[0] == rack["rack"]]
        assert rack["power_max_w"] == max(peaks)
        assert rack["over_limit_h"] == 0
    energy = sum(row["energy_kwh"] for row in result.table("hosts").to_pylist())
    assert sum(rack["energy_kwh"] for rack in racks) == pytest.approx(energy, rel=1e-9)
    # A limit that nothing reaches changes nothing.
    for name in ("energy_kwh", "migrations", "hosts_on_mean", "unserved_share", "vms_rejected"):
        assert result.value(name) == plain.value(name), name


def two_racks(limit: Any, count: int = 16, **policies: Any) -> Mapping:
    """Two racks of two hosts of 100 to 200 W, each full with four VMs of a quarter."""
    server = {
        "cores": 16, "clock": "2 GHz", "memory": "256 GiB",
        "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
    }  # fmt: skip
    return {
        "name": "racks",
        "run": {"duration": "1 h"},
        "farm": {
            "hosts_per_rack": 2,
            "hosts": [{"name": "h", "server": server, "count": 4}],
            **({} if limit is None else {"rack_power_limit": limit}),
        },
        "workload": {
            "source": {"type": "constant", "utilisation": "40 %"},
            "sizes": [
                {"name": "s", "vcpus": 4, "clock": "2 GHz", "memory": "4 GiB", "count": count}
            ],
        },
        "policies": {"initial": {"unplaced": "reject"}, **policies},
        "baseline": {"type": "none"},
    }


@pytest.mark.parametrize(
    ("limit", "racks"),
    [
        # A VM of a quarter of a host adds 25 W to the 200 W of two hosts that are on.
        (None, (8, 8)), ("400 W", (8, 8)), ("399 W", (7, 7)), ("300 W", (4, 4)),
        ({"rack-1": "250 W"}, (2, 8)), ("200 W", (0, 0)), ("150 W", (0, 0)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("placement", ["first_fit", "worst_fit", "round_robin", "dot_product"])
def test_vms_are_placed_as_far_as_racks_have_power(
    limit: Any, racks: tuple[int, int], placement: str
) -> None:
    initial = {"unplaced": "reject", "placement": placement}
    result = result_of(two_racks(limit, initial=initial))
    hosts = result.table("vms")["last_host"].to_pylist()
    assert sum(host in ("h-1", "h-2") for host in hosts) == racks[0]
    assert sum(host in ("h-3", "h-4") for host in hosts) == racks[1]
    if sum(racks) < 16:
        barred = set(result.table("decisions")["barred_by"].to_pylist())
        assert any(text.startswith("the power limit of the rack") for text in barred)
    if limit == "150 W":  # which the idle hosts are above
        assert [row["over_limit_h"] for row in result.table("racks").to_pylist()] == [1.0, 1.0]
        assert any("drew more than the power limit" in w for w in result.summary["warnings"])
    elif limit is not None:
        over = [row["over_limit_h"] for row in result.table("racks").to_pylist()]
        assert all(not hours for hours in over)


def test_migrations_and_restarts_keep_the_limit() -> None:
    """Consolidation fills one rack only as far as it may; a failure does not lift the other."""
    by_demand = {"placement": "worst_fit", "count_by": "demand", "unplaced": "reject"}
    control = {"policy": "consolidation", "overload": {"policy": "static_threshold"}}
    free = result_of(two_racks("10 kW", 8, initial=by_demand, control=control))
    # Eight VMs of 3.2 GHz on hosts of 32 GHz: all on one at 80 %, 180 W.
    assert free.table("racks")["power_max_w"].to_pylist()[0] > 170.0
    held = result_of(two_racks({"rack-1": "160 W"}, 8, initial=by_demand, control=control))
    hosts = held.table("vms")["last_host"].to_pylist()
    assert sum(host in ("h-1", "h-2") for host in hosts) <= 5
    down = {"schedule": [{"at": "10 min", "match": ["h-3"]}]}
    initial = by_demand | {"placement": "round_robin"}
    failing = two_racks("240 W", 8, initial=initial)
    result = result_of(failing | {"failures": down})
    # Two hosts with 20 W of VMs each are at the limit: both VMs of h-3 restart beside it.
    assert result.table("vms")["last_host"].to_pylist().count("h-4") == 4
    assert result.table("racks")["over_limit_h"].to_pylist() == [0.0, 0.0]
    failing["farm"]["rack_power_limit"] = {"rack-1": "240 W", "rack-2": "225 W"}
    result = result_of(failing | {"failures": down})
    assert result.value("vms_rejected") == 2  # 10 W each are too much for 5 W
    outcome = failover(farmsim.Scenario.of(two_racks("240 W", 8, initial=initial)), at_s=600)
    stranded = {each.name: len(each.stranded) for each in outcome.of("rack")}
    assert stranded == {"rack-1": 4, "rack-2": 4}
    assert all(not each.stranded for each in outcome.of("host"))


def test_a_rack_that_does_not_exist_is_told() -> None:
    with pytest.raises(InputError, match="there is no rack 'rack-7'"):
        farmsim.Scenario.of(two_racks({"rack-7": "1 kW"}))
    with pytest.raises(InputError, match="rack_power_limit"):
        farmsim.Scenario.of(two_racks("0 W"))
