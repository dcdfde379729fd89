"""Savings against like work only: baselines, start-up, hosts that are not bought, comparisons."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import farmsim
from farmsim.analysis.base.wording import amount, basis, change, complement, count, percent, span
from farmsim.analysis.measure.work_not_done import not_comparable, serving_as_much, undone
from farmsim.analysis.terminal import comparison_text, summary_text
from farmsim.cli.main import run_command_line
from farmsim.scenarios.errors.problems import InputError

SERVER = {
    "cores": 10, "clock": "1 GHz", "memory": "100 GiB",
    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
}  # fmt: skip
SIZE = {"name": "s", "vcpus": 2, "clock": "1 GHz", "memory": "4 GiB"}


def scenario(
    hosts: int = 2, vms: int = 4, utilisation: str = "50 %", **changes: Any
) -> dict[str, Any]:
    base = {
        "name": "like",
        "run": {"duration": "2 h"},
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": hosts}]},
        "workload": {
            "source": {"type": "constant", "utilisation": utilisation}, "vms": vms,
            "sizes": [SIZE],
        },
        "baseline": {"type": "none"},
    }  # fmt: skip
    return base | changes


# --- hosts to buy -------------------------------------------------------------------------------


def test_hosts_of_the_first_placement_alone_are_start_up() -> None:
    """40 VMs placed by size take 8 hosts of 5; with 0.1 GHz each they fit on one."""
    control = {"policy": "consolidation", "drain": {"policy": "least_utilised", "below": "50 %"}}
    result = farmsim.run(
        scenario(10, 40, "5 %", run={"duration": "1 day"}, policies={"control": control})
    )
    assert result.value("startup_hosts_on_peak") == 8
    assert 0 < result.value("startup_end_s") < 1800
    peak = result.value("hosts_on_peak")
    assert peak == result.value("hosts_paid") < 8
    assert "Start-up: 8 hosts in the first" in result.summary["verdict"]
    # The hosts that moved away from are awake for a while: that energy counts.
    hosts = result.table("hosts")["energy_kwh"].to_numpy().sum()
    missing = result.value("energy_excluded_kwh")
    assert result.value("energy_kwh") + missing == pytest.approx(hosts)


def test_hosts_that_a_falling_load_needed_at_first_are_not_start_up(tmp_path: Path) -> None:
    """Four VMs that begin with 2 GHz each and fall to 0.2 GHz: nothing of it is a transient."""
    rows = ["time,a,b,c,d"]
    rows += [f"{300 * slot},{','.join([str(max(100 - 45 * slot, 10))] * 4)}" for slot in range(24)]
    (tmp_path / "load.csv").write_text("\n".join(rows) + "\n")
    one = SERVER | {"cores": 2}
    written = scenario(4, run={"duration": "2 h"}, policies={
        "initial": {"placement": "first_fit", "count_by": "demand"}, "control": "consolidation",
    })  # fmt: skip
    written["farm"]["hosts"][0]["server"] = one
    written["workload"] = {"source": {"type": "csv", "path": "load.csv"}, "sizes": [SIZE]}
    result = farmsim.run(farmsim.Scenario.of(written, tmp_path))
    assert result.value("hosts_on_peak") == 4
    assert result.value("startup_end_s") == 0


def test_hosts_that_are_not_bought_do_not_count_with_their_energy() -> None:
    """One host with 5 GHz of 10 draws 150 W for a day; 79 others are off at 5 W."""
    written = scenario(80, 5, "50 %", run={"duration": "1 day"})
    written["workload"]["sizes"] = [SIZE]
    written["policies"] = {"control": "power_proportional"}
    result = farmsim.run(written)
    assert result.value("energy_kwh") == pytest.approx(24 * 0.15)
    assert result.value("energy_excluded_kwh") == pytest.approx(24 * 79 * 0.005)
    assert result.value("hosts_paid") == result.value("hosts_on_peak") == 1
    assert result.value("mean_power_w") == pytest.approx(150)
    assert result.value("peak_power_w") == pytest.approx(150)
    owned = farmsim.run(written | {"cost": {"hosts_paid": "owned"}})
    assert owned.value("energy_kwh") == pytest.approx(24 * (0.15 + 79 * 0.005))
    assert owned.value("hosts_paid") == 80


def test_more_hosts_that_nobody_needs_change_no_saving() -> None:
    policies, same = {"control": "power_proportional"}, {"type": "unconsolidated"}
    few, many = (
        farmsim.run(scenario(hosts, 8, policies=policies, baseline=same)) for hosts in (3, 30)
    )
    assert few.summary["verdict"] == many.summary["verdict"]
    for metric in ("energy_kwh", "saved_energy_kwh", "saved_hosts", "saved_cost_per_year"):
        assert few.value(metric) == pytest.approx(many.value(metric))


# --- baselines ----------------------------------------------------------------------------------


def test_several_baselines_have_a_sentence_and_a_column_each(tmp_path: Path) -> None:
    both = [{"type": "unconsolidated"}, {"type": "dedicated"}]
    written = scenario(baseline=both) | {"assert": {"saved_energy_kwh": "< 0.001"}}
    result = farmsim.run(written, out=tmp_path / "run")
    assert [each["label"] for each in result.summary["baselines"]] == [
        "not consolidated", "dedicated servers",
    ]  # fmt: skip
    assert result.value("saved_energy_kwh") == result.summary["baselines"][0]["saved"][
        "saved_energy_kwh"
    ]["value"]  # fmt: skip
    assert result.summary["failed_assertions"] == []
    heading = summary_text(result).splitlines()[2]
    assert heading.split("  ")[-2:] == ["not consolidated", "dedicated servers"]
    assert (tmp_path / "run" / "baseline-2" / "summary.json").is_file()
    again = farmsim.run(tmp_path / "run" / "scenario.resolved.yaml")
    assert again.summary["verdict"] == result.summary["verdict"]


def test_nothing_stands_beside_other_baselines() -> None:
    with pytest.raises(InputError, match="none cannot be combined with other baselines"):
        farmsim.run(scenario(baseline=[{"type": "dedicated"}, {"type": "none"}]))


def test_servers_of_a_baseline_cost_only_what_the_scenario_says() -> None:
    free = farmsim.run(scenario(baseline={"type": "dedicated"})).baseline
    bought = farmsim.run(scenario(baseline={"type": "dedicated", "price": "1000 EUR"})).baseline
    assert free is not None
    assert bought is not None
    assert free.value("capital_cost") == 0
    assert bought.value("capital_cost") == pytest.approx(4 * 1000 / (4 * 365 * 12))


def other(folder: Path, **changes: Any) -> farmsim.Scenario:
    """A scenario whose baseline is another one, with these changes."""
    (folder / "other.yaml").write_text(yaml.safe_dump(scenario(3, 4) | {"name": "o"} | changes))
    written = scenario(1, 4, baseline={"type": "scenario", "path": "other.yaml"})
    return farmsim.Scenario.of(written, folder)


def test_another_scenario_runs_over_the_same_time_with_the_same_seed(tmp_path: Path) -> None:
    """140 W on one host against 140 W and two idle hosts, for two hours whatever it says."""
    result = farmsim.run(other(tmp_path, run={"duration": "4 h"}, seed=7))
    assert result.baseline is not None
    assert result.baseline.value("duration_h") == 2
    assert result.baseline.manifest["seed"] == result.manifest["seed"]
    assert result.value("saved_energy_percent") == pytest.approx(100 * 200 / 340)
    assert "scenario o over the same time with the same seed" in result.summary["verdict"]


REFUSED: dict[str, tuple[Mapping[str, Any], str]] = {
    "currency": (
        {"cost": {"currency": "USD", "energy_price": "0.2 USD/kWh", "server_price": "7 USD"}},
        "other.yaml:4:3: cost.currency: uses USD, like uses EUR",
    ),
    "number": (
        {"workload": scenario(3, 5)["workload"]}, "workload: has 5 VMs, the scenario has 4 VMs",
    ),
    "sizes": (
        {"workload": scenario(3, 4)["workload"] | {"sizes": [SIZE | {"vcpus": 1}]}},
        "workload: has VMs of different sizes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_another_scenario_with_other_work_or_money_is_refused(what: str, tmp_path: Path) -> None:
    changes, message = REFUSED[what]
    with pytest.raises(InputError) as refused:
        farmsim.run(other(tmp_path, **changes))
    assert message in str(refused.value)
    assert "other.yaml:" in str(refused.value)


def test_another_scenario_that_was_asked_for_less_is_no_baseline(tmp_path: Path) -> None:
    workload = scenario(3, 4, "40 %")["workload"]
    result = farmsim.run(other(tmp_path, workload=workload))
    assert result.value("saved_energy_kwh") is None
    assert "No saving is claimed against scenario o" in result.summary["verdict"]
    assert "80 % of the work of this run was done there" in result.summary["verdict"]


def test_bare_metal_knows_no_limit_reservation_or_share() -> None:
    """A limit of 1 GHz halves a VM that wants 2 GHz; on bare metal it has them: 120 W."""
    written = scenario(1, 1, "100 %", baseline={"type": "dedicated"})
    written["workload"]["sizes"] = [SIZE | {"limit": "1 GHz"}]
    result = farmsim.run(written)
    assert result.baseline is not None
    assert result.baseline.value("energy_kwh") == pytest.approx(2 * 0.12)
    assert result.baseline.value("unserved_share") == 0
    assert result.value("slatah") == 0


@pytest.mark.parametrize("control", ["none", "power_proportional"])
def test_a_baseline_carries_only_vms_that_ran(control: str) -> None:
    """Five of eight VMs fit: 1 GHz each, on servers of their own 110 W."""
    policies = {"initial": {"unplaced": "reject"}, "control": control}
    result = farmsim.run(scenario(1, 8, policies=policies, baseline={"type": "dedicated"}))
    assert result.baseline is not None
    assert result.baseline.value("hosts") == 5
    assert result.value("saved_energy_percent") == pytest.approx(100 * (1 - 150 / 550))


def test_an_investment_beside_the_price_of_hosts_is_told() -> None:
    cost = {"server_price": "100 EUR", "energy_price": "0.2 EUR/kWh", "investment": "500 EUR"}
    told = farmsim.run(scenario(cost=cost))
    assert any("count twice" in warning for warning in told.summary["warnings"])
    for purpose, capital in (("project", told.value("capital_cost")), ("hosts", 0.0)):
        result = farmsim.run(scenario(cost=cost | {"investment_for": purpose}))
        assert not any("count twice" in warning for warning in result.summary["warnings"])
        assert result.value("capital_cost") == capital
    with pytest.raises(InputError, match="there is no investment"):
        farmsim.run(scenario(cost={"investment_for": "hosts"}))


# --- comparisons --------------------------------------------------------------------------------


def test_where_no_variant_does_any_work_none_is_best() -> None:
    huge = {"workload": scenario()["workload"] | {"sizes": [SIZE | {"memory": "400 GiB"}]}}
    rejecting = scenario(4, policies={"initial": {"unplaced": "reject"}}) | huge
    compared = farmsim.compare(rejecting | {"variants": {"a": {}, "b": {"farm.hosts.0.count": 3}}})
    assert not compared.serving
    assert not any(row.best for row in compared.rows.values())
    assert "No variant is marked as best: no work was done." in compared.notes


def test_a_variant_that_serves_less_is_never_best() -> None:
    policies = {"initial": {"unplaced": "reject"}}
    written = scenario(4, 20, policies=policies) | {
        "variants": {"base": {}, "half": {"farm.hosts.0.count": 2}, "none": {}}
    }
    compared = farmsim.compare(written)
    assert compared.serving == {"base", "none"}
    assert all("half" not in row.best for row in compared.rows.values())
    cell = compared.rows["energy_kwh"].cells["half"]
    assert cell is not None
    assert cell.rank is None
    assert compared.sentences == [
        "half: 10 of 20 VMs were rejected and 50 % of the requested CPU was not served. No saving "
        "is claimed against base: this run did 50 % of the work done there.",
        "none: no metric differs from base.",
    ]
    lines = comparison_text(compared).splitlines()
    assert [line.split()[:2] for line in lines[4:6]] == [["Work", "served"]] * 2
    assert lines[4].split()[2:7] == ["100", "%", "50", "%", "-50"]
    assert lines[5].split()[2:4] == ["40", "20"]
    assert "half" in next(note for note in compared.notes if "Not marked as best" in note)


def test_a_peak_after_start_up_is_called_so_in_a_comparison() -> None:
    control = {"policy": "consolidation", "drain": {"policy": "least_utilised", "below": "50 %"}}
    written = scenario(10, 40, "5 %", run={"duration": "1 day"})
    variants = {"still": {}, "packed": {"policies.control": control}}
    found = farmsim.compare(written | {"variants": variants})
    assert found.rows["hosts_on_peak"].title == "Peak hosts on (after start-up: packed)"
    assert found.rows["cost_per_year"].title == "Cost per year"


def test_a_difference_below_what_is_shown_is_none() -> None:
    written = scenario(vms=4) | {
        "variants": {"base": {}, "more": {"workload.source.utilisation": "50.01 %"}}
    }
    (sentence,) = farmsim.compare(written).sentences
    assert sentence == (
        "more against base: as many hosts, no difference in energy, no difference in cost a year "
        "(extrapolated from 2 h)."
    )


# --- other voices -------------------------------------------------------------------------------


def test_failover_and_evacuation_say_first_what_is_on_no_host(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    written = scenario(2, 12, policies={"initial": {"unplaced": "reject"}})
    path.write_text(yaml.safe_dump(written))
    assert run_command_line(["failover", str(path), "--out", str(tmp_path / "f")]) == 0
    said = capsys.readouterr().out
    assert "2 of 12 VMs were rejected" in said.splitlines()[0]
    assert "2 of 12 VMs were rejected" in (tmp_path / "f" / "failover.html").read_text("utf-8")
    arguments = ["evacuate", str(path), "--hosts", "h-1", "--out", str(tmp_path / "e")]
    run_command_line(arguments)
    assert "2 of 12 VMs were rejected" in capsys.readouterr().out
    assert "2 of 12 VMs were rejected" in (tmp_path / "e" / "report.html").read_text("utf-8")


def test_what_was_not_done_is_told_in_order() -> None:
    figures = {
        "vms": 20.0, "vms_rejected": 1.0, "vms_waiting": 2.0, "vms_lost": 1.0,
        "vm_availability": 0.99953, "requests_waiting": 12.0, "unserved_share": 0.125,
    }  # fmt: skip
    assert undone(figures) == [
        "1 of 20 VMs was rejected",
        "2 of 20 VMs had no host at the end",
        "1 of 20 VMs was lost in a failed migration",
        "VMs were available 99.953 % of the time",
        "12 requests were still waiting at the end",
        "12.5 % of the requested CPU was not served",
    ]
    assert undone({"vms": 20.0, "vm_availability": 1.0, "unserved_share": 0.0}) == []


def test_like_work_is_work_within_a_percent() -> None:
    def run(work: float) -> dict[str, float | None]:
        return {"vms_ran": 1.0, "work_served_ghz_h": work, "work_served_share": work / 100}

    assert not_comparable(run(99.1), run(100)) == ""
    assert "this run did 98.5 % of the work" in not_comparable(run(98.5), run(100))
    assert "50 % of the work of this run" in not_comparable(run(100), run(50))


def test_a_variant_that_serves_less_is_not_among_those_that_serve_most() -> None:
    def run(work: float, rejected: float = 0.0) -> dict[str, float | None]:
        return {
            "vms_ran": 1.0, "work_served_ghz_h": work, "work_served_share": work / 100,
            "vms_rejected": rejected,
        }  # fmt: skip

    runs = {
        "all": {"t": run(100)}, "nearly": {"t": run(99.6)}, "less": {"t": run(99.4)},
        "dropped": {"t": run(99.99, 1.0)},
    }  # fmt: skip
    assert serving_as_much(runs) == {"all", "nearly"}
    assert serving_as_much({"a": {"t": {}}, "b": {"t": {}}}) == {"a", "b"}


def test_numbers_have_three_significant_digits_and_nouns_their_number() -> None:
    assert [amount(each) for each in (0, 1, 16.503, 257.2, 1234.5, 0.0123456)] == [
        "0", "1", "16.5", "257", "1,234", "0.0123",
    ]  # fmt: skip
    assert [percent(each) for each in (5.27e-07, 0.000113266, 0.9999, 1.0)] == [
        "less than 0.001 %", "0.0113 %", "more than 99.9 %", "100 %",
    ]  # fmt: skip
    assert [count(each, "host") for each in (1, 2, 16.5)] == ["1 host", "2 hosts", "16.5 hosts"]
    assert complement(0.55) == "55 %"
    assert [span(each) for each in (1 / 60, 0.25, 1, 24, 168)] == [
        "60 s", "15 min", "1 h", "24 h", "7 days",
    ]  # fmt: skip
    assert (basis(24), basis(168)) == ("extrapolated from 24 h", "")
    assert [change(*each) for each in ((1, 2), (2, 1), (1, 1.0001), (0, 0), (1, 0))] == [
        "50 % less", "100 % more", "", "", None,
    ]  # fmt: skip


def test_a_server_too_small_for_a_vm_is_told_where_the_baseline_stands(tmp_path: Path) -> None:
    small = {"type": "dedicated", "server": "hp_ml110_g5"}
    sizes = [{"name": "s", "vcpus": 2, "clock": "1 GHz", "memory": "40 GiB"}]
    written = scenario(baseline=[{"type": "unconsolidated"}, small])
    written["workload"]["sizes"] = sizes
    (tmp_path / "s.yaml").write_text(json.dumps(written, indent=1), encoding="utf-8")
    with pytest.raises(InputError, match=r"s\.yaml:\d+:\d+: baseline\.1: .*name a larger server"):
        farmsim.run(tmp_path / "s.yaml")


def test_peak_hosts_are_called_those_after_start_up() -> None:
    written = scenario(
        farm={"hosts": [{"name": "h", "server": SERVER, "count": 20}]},
        policies={"control": "consolidation", "initial": {"placement": "round_robin"}},
    )
    written["workload"] |= {"vms": 20, "source": {"type": "constant", "utilisation": "10 %"}}
    summary = farmsim.run(written).summary
    assert summary["startup_hosts_on_peak"]["value"] == 20
    assert summary["hosts_on_peak"]["value"] == 1
    assert summary["hosts_on_peak"]["title"] == "Peak hosts on after start-up"


def test_two_rejected_vms_are_both_and_shares_differ_by_points() -> None:
    """Two of two VMs wait from the first second on; nearly all was not served, but not all."""
    failing = {"schedule": [{"at": "1 s", "match": ["h-*"]}], "restart_vms": False}
    written = scenario(2, 2, failures=failing, baseline={"type": "dedicated"})
    summary = farmsim.run(written).summary
    assert summary["verdict"].startswith("Both VMs had no host at the end, ")
    assert summary["warnings"][-1] == (
        "More than 99.9 % of the requested CPU was not served, because requested VMs did not run."
    )
    half = scenario(1, 10, "100 %", baseline={"type": "dedicated"})
    half["policies"] = {"initial": {"cpu_overcommit": 2}}
    assert ">50 pp<" in farmsim.run(half).report().replace("\n", "").replace(" <", "<")
