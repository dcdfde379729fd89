"""What docs/concepts.md and docs/metrics.md promise, in figures that can be written down."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import make_engine, make_farm, make_hosts, make_vms

import farmsim
from farmsim.analysis.run.result import Result
from farmsim.models.base.cost import payback_years
from farmsim.models.hardware.server import servers
from farmsim.models.migration.fixed_rate import FixedRate
from farmsim.models.state.columns import PowerState
from farmsim.policies.interface.plan import Plan, Proposal, Reason, Search
from farmsim.policies.interface.view import FarmView

SERVER = {
    "cores": 10, "clock": "1 GHz", "memory": "100 GiB",
    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
}  # fmt: skip
SIZE = {"name": "s", "vcpus": 10, "clock": "1 GHz", "memory": "4 GiB"}
NOTHING_MOVES = {
    "initial": {"placement": "worst_fit", "cpu_overcommit": 10}, "control": "none",
}  # fmt: skip


def run(
    folder: Path, columns: dict[str, list[float]], hosts: int, every_s: int = 1200, **changes: Any
) -> Result:
    """Run VMs of 10 GHz, each with its demand in per cent of that, on hosts of 10 GHz."""
    lines = [",".join(["time", *columns])]
    for slot, row in enumerate(zip(*columns.values(), strict=True)):
        lines.append(",".join(str(each) for each in (every_s * slot, *row)))
    (folder / "load.csv").write_text("\n".join(lines) + "\n")
    made = {
        "name": "promised",
        "run": {"duration": f"{every_s * (len(lines) - 1)} s"},
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": hosts}]},
        "workload": {"source": {"type": "csv", "path": "load.csv"}, "sizes": [SIZE]},
        "policies": NOTHING_MOVES,
        "baseline": {"type": "none"},
    }
    return farmsim.run(farmsim.Scenario.of(made | changes, folder))


# --- metrics.md: energy, hosts and utilisation, service at risk ---------------------------------


def test_farm_of_three_hosts_by_hand(tmp_path: Path) -> None:
    """Two busy hosts and one without VMs, which `none` leaves on: 3 steps of 20 min."""
    run_part = {"duration": "1 h", "report_every": "20 min"}
    cost = {"hosts_paid": "owned"}
    loads = {"a": [50.0, 100.0, 20.0], "b": [30.0, 0.0, 0.0]}
    result = run(tmp_path, loads, 3, run=run_part, cost=cost)
    powers = np.array([150 + 130 + 100, 200 + 100 + 100, 120 + 100 + 100])
    assert result.value("energy_kwh") == pytest.approx(powers.mean() / 1000)
    assert result.value("mean_power_w") == pytest.approx(powers.mean())
    assert result.value("peak_power_w") == pytest.approx(400)
    assert result.table("hosts")["on_h"].to_pylist() == pytest.approx([1, 1, 1])
    assert result.value("hosts_on_mean") == result.value("hosts_on_peak") == 3
    assert result.value("consolidation_ratio") == pytest.approx(2 / 3)
    shares = [8 / 30, 10 / 30, 2 / 30]
    assert result.value("utilisation_mean") == pytest.approx(np.mean(shares))
    assert result.value("utilisation_p50") == pytest.approx(8 / 30)
    assert result.value("utilisation_p95") == result.value("utilisation_max")
    assert result.value("utilisation_max") == pytest.approx(10 / 30)
    assert result.value("host_utilisation_p95_max") == 1
    # One host was active for an hour and full for 20 min, one active for 20 min and never full.
    assert result.value("slatah") == pytest.approx((1 / 3 + 0) / 2)
    assert result.value("slatah_pooled") == pytest.approx((1 / 3) / (1 + 1 / 3))
    coarse = run(tmp_path, loads, 3, run=run_part | {"report_every": "40 min"}, cost=cost)
    assert coarse.value("peak_power_w") == pytest.approx(400)
    assert coarse.table("farm_series")["power_w"].to_pylist() == pytest.approx([390, 320])


def test_research_metrics_are_those_of_the_tables(tmp_path: Path) -> None:
    """SLATAH and PDM as means of ratios and as ratios of sums, worked out anew from tables."""
    rng = np.random.default_rng(5)
    loads = {f"v{vm}": rng.integers(0, 60, 36).tolist() for vm in range(6)}
    result = run(
        tmp_path, loads, 4, 300,
        policies={"initial": {"placement": "first_fit", "count_by": "demand"},
                  "control": {"policy": "consolidation",
                              "drain": {"policy": "least_utilised", "below": "70 %"}}},
    )  # fmt: skip
    assert result.value("migrations") > 5
    vms, hosts = result.table("vms").to_pandas(), result.table("hosts").to_pandas()
    asked, active = vms["requested_ghz_h"], hosts["active_h"]
    taken = vms["unserved_migration_share"] * asked
    full = hosts["violating_h"]
    slatah, pdm = (full / active)[active > 0].mean(), (taken / asked)[asked > 0].mean()
    assert slatah > 0
    assert pdm > 0
    assert result.value("slatah") == pytest.approx(slatah)
    assert result.value("pdm") == pytest.approx(pdm)
    assert result.value("slav") == pytest.approx(slatah * pdm)
    assert result.value("esv") == pytest.approx(result.value("energy_kwh") * slatah * pdm)
    pooled = full.sum() / active.sum(), taken.sum() / asked.sum()
    assert result.value("slatah_pooled") == pytest.approx(pooled[0])
    assert result.value("pdm_pooled") == pytest.approx(pooled[1])
    assert result.value("slav_pooled") == pytest.approx(pooled[0] * pooled[1])


def test_ratios_are_zero_and_work_is_all_served_where_nothing_is_asked_for(tmp_path: Path) -> None:
    result = run(tmp_path, {"a": [0.0] * 3}, 1)
    for name in ("slatah", "pdm", "slav", "esv", "utilisation_mean", "energy_per_work"):
        assert result.value(name) == 0
    assert result.value("work_served_share") == 1
    assert result.value("unserved_share") == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["black-friday", "public-cloud", "rack-maintenance"])
def test_no_metric_depends_on_when_results_are_reported(name: str) -> None:
    """Applications, arrivals, tenants, requests, reserves, rules and a network among them."""
    scenario = farmsim.Scenario.load(f"library/{name}", "run.duration=2 h", "baseline={type: none}")
    usual, odd = farmsim.run(scenario), farmsim.run(scenario.with_({"run.report_every": "7 min"}))
    for metric in usual.metrics():
        assert odd.value(metric) == pytest.approx(usual.value(metric), rel=1e-9), metric


# --- metrics.md: cost, savings, payback ---------------------------------------------------------


def test_cost_savings_and_payback_by_hand(tmp_path: Path) -> None:
    """Two VMs of 2 GHz for a day: one host of 140 W, against two of 120 W of 3,000 EUR each."""
    result = run(
        tmp_path, {"a": [20.0] * 24, "b": [20.0] * 24}, 3, 3600,
        policies={"initial": {"placement": "first_fit", "count_by": "demand"},
                  "control": "power_proportional"},
        cost={"energy_price": "0.20 EUR/kWh", "pue": 1.5, "server_price": "3650 EUR",
              "server_lifetime": "10 years", "investment": "1000 EUR",
              "investment_for": "project"},
        baseline={"type": "dedicated", "price": "3000 EUR"},
    )  # fmt: skip
    energy, energy_b = 24 * 0.140, 24 * 0.240
    assert result.value("facility_energy_kwh") == pytest.approx(1.5 * energy)
    assert result.value("energy_cost") == pytest.approx(1.5 * energy * 0.20)
    assert result.value("capital_cost") == pytest.approx(3650 / 3650)
    cost = 1.5 * energy * 0.20 + 1
    assert result.value("total_cost") == pytest.approx(cost)
    assert result.value("cost_per_year") == pytest.approx(365 * cost)
    cost_b = 1.5 * energy_b * 0.20 + 2 * 3000 / 3650
    baseline = result.baseline
    assert baseline is not None
    assert baseline.value("cost_per_year") == pytest.approx(365 * cost_b)
    assert result.value("saved_energy_kwh") == pytest.approx(energy_b - energy)
    assert result.value("saved_energy_percent") == pytest.approx(100 * (1 - energy / energy_b))
    assert result.value("saved_hosts") == 1
    assert result.value("saved_cost_per_year") == pytest.approx(365 * (cost_b - cost))
    assert result.value("saved_cost_percent") == pytest.approx(100 * (1 - cost / cost_b))
    assert result.value("payback_years") == pytest.approx(1000 / (365 * (cost_b - cost)))
    assert payback_years(1000, -1) is payback_years(1000, 0) is None
    # Both sides were asked for the same, VM by VM.
    for column in ("vm", "requested_ghz_h"):
        assert result.table("vms")[column].to_pylist() == baseline.table("vms")[column].to_pylist()


# --- concepts.md: from demand to service, time, what a run does ---------------------------------


def test_demand_that_is_not_served_is_lost_and_shared_in_proportion(tmp_path: Path) -> None:
    """10 and 5 GHz are asked of 10 GHz for one step, then 1 and 1: no backlog is worked off."""
    loads = {"a": [100.0, 10.0, 10.0], "b": [50.0, 10.0, 10.0]}
    result = run(tmp_path, loads, 1, run={"duration": "1 h", "report_every": "20 min"})
    assert result.table("farm_series")["delivered_ghz"].to_pylist() == pytest.approx([10, 2, 2])
    assert result.value("unserved_saturated_share") == pytest.approx(5 / 19)
    vms = result.table("vms").to_pandas()
    missed = vms["unserved_share"] * vms["requested_ghz_h"]
    assert missed.to_list() == pytest.approx([10 / 3 / 3, 5 / 3 / 3])
    assert result.table("violations")["end_s"].to_pylist() == [1200]


def test_the_first_control_round_comes_after_one_interval(tmp_path: Path) -> None:
    """The initial placement is no migration and no round; the first move is at 7 min."""
    result = run(
        tmp_path, {"a": [10.0] * 6, "b": [10.0] * 6}, 2,
        policies=NOTHING_MOVES | {"control": "consolidation", "every": "7 min"},
    )  # fmt: skip
    times_s = result.table("decisions")["time_s"].to_pylist()
    assert sorted(set(times_s))[:2] == [0, 420]
    assert result.table("migrations")["decided_s"].to_pylist() == [420]


class OverloadDetectorFields:
    """Moves VM 0 to host 1, which is off, in the first round, and notes what later rounds see."""

    samples = 0
    powers_down = True

    def __init__(self) -> None:
        self.seen: list[tuple[float, int, int, float]] = []

    def decide(self, view: FarmView) -> Plan:
        vms, hosts = view.vms, view.hosts
        self.seen.append(
            (view.now_s, int(hosts.state[1]), int(vms.host[0]), float(vms.demand_mhz[0]))
        )
        if view.now_s > 300.0:
            return Plan()
        return Plan([Proposal(0, 0, 1, Reason("test", 0.0, 0.0), Search())])


def test_a_round_sees_what_ends_and_what_is_asked_for_at_its_instant() -> None:
    """A boot that ends at 600 s, a copy that ends at 900 s and the demand of each step."""
    hosts = make_hosts([1000.0, 1000.0], boot_s=300.0)
    # 1000 MiB at 27.96 Mbit/s take exactly 300 s.
    migration = FixedRate(bandwidth_mbps=1000 * 8.388608 / 300, bandwidth_share=1.0)
    watching = OverloadDetectorFields()
    shares = np.array([[0.1], [0.2], [0.3], [0.4], [0.5]])
    farm = make_farm(hosts, make_vms([1000.0], 1000.0))
    make_engine(farm, shares, control=watching, migration=migration).run()
    expected = [
        (300.0, PowerState.OFF, 0, 200.0),
        (600.0, PowerState.ON, 0, 300.0),
        (900.0, PowerState.ON, 1, 400.0),
        (1200.0, PowerState.ON, 1, 500.0),
    ]
    assert np.array(watching.seen) == pytest.approx(np.array(expected))


def test_servers_of_the_catalogue_draw_what_was_measured_and_straight_lines_between(
    tmp_path: Path,
) -> None:
    """Eleven points, 0 to 100 %, and the ten between them."""
    server = servers()["dell_r740_8280"]
    full_ghz = server.cpu_mhz / 1000
    loads = {"a": [100.0 * share for share in np.arange(0, 1.0001, 0.05)]}
    size = {"name": "s", "vcpus": server.cores, "clock": f"{server.core_mhz} MHz",
            "memory": "4 GiB"}  # fmt: skip
    result = run(
        tmp_path, loads, 1, run={"duration": f"{20 * 21} min", "report_every": "20 min"},
        farm={"hosts": [{"name": "h", "server": "dell_r740_8280", "count": 1}]},
        workload={"source": {"type": "csv", "path": "load.csv"}, "sizes": [size]},
    )  # fmt: skip
    series = result.table("farm_series")
    assert series["delivered_ghz"].to_numpy() == pytest.approx(np.arange(0, 21) / 20 * full_ghz)
    points = np.interp(np.arange(21) / 20, np.arange(11) / 10, server.watts)
    assert series["power_w"].to_numpy() == pytest.approx(points)
