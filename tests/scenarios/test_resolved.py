"""A resolved scenario repeats its run: figures, tables, warnings, assumptions and report."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import farmsim
from farmsim.scenarios.loader import library

VMS = "vm,arrival,lifetime,vcpus,memory,utilisation\na,1000,3600,5,4,100\nb,1200,600,1,2,30\n"
SERVER = {
    "cores": 8, "clock": "2.5 GHz", "memory": "32 GiB",
    "power": {"model": "linear", "idle": "50 W", "max": "150 W"},
}  # fmt: skip
SMALL: dict[str, dict[str, Any]] = {
    "boots by hypervisor": {
        "farm": {"hosts": [{"name": "h", "server": "dell_r720_e5_2670", "count": 1,
                            "hypervisor": "kvm"}]},
        "workload": {"arrivals": {"type": "table", "path": "vms.csv", "clock": "1 GHz"}},
        "policies": {"control": "power_proportional"}, "run": {"duration": "3 h"},
    },
    "nothing given": {
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 3}]},
        "workload": {"source": "azure-v1-week", "vms": 5}, "run": {"duration": "2 h"},
    },
    "some prices given": {
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 3, "price": "9000 USD"}]},
        "workload": {"source": {"type": "constant", "utilisation": "12.345 %"}, "vms": 5},
        "cost": {"pue": 1.3}, "run": {"duration": "2 h"},
        "policies": {"control": "consolidation", "every": "10 min"},
    },
    "shares by name": {
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 3}]},
        "workload": {"source": {"type": "csv", "path": "load.csv"},
                     "sizes": [{"name": "a", "vcpus": 1, "count": 1},
                               {"name": "b", "vcpus": 2, "count": 1}]},
        "network": {"layout": {"topology": "single_switch", "port": "1 Gbit/s"}},
        "migration": {"model": "pre_copy"}, "run": {"duration": "2 h"},
        "service": {"interference": True}, "baseline": {"type": "unconsolidated"},
    },
}  # fmt: skip
SMALL["some prices given"]["policies"]["control"] = {
    "policy": "consolidation", "overload": {"policy": "static_threshold", "threshold": "80 %"},
}  # fmt: skip


def seen(result: farmsim.Result) -> dict[str, Any]:
    """Return all that a reader can see of a run but its time of computation."""
    summary = json.dumps(result.summary)
    tables = {name: table.to_pydict() for name, table in result.tables.items()}
    other = seen(result.baseline) if result.baseline is not None else None
    return {
        "scenario": result.scenario_yaml, "summary": summary, "tables": tables, "baseline": other,
        "hash": result.manifest["hash"], "report": result.report(),
    }  # fmt: skip


def repeated(scenario: farmsim.Scenario, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    one = farmsim.run(scenario)
    (folder / "again.yaml").write_text(one.scenario_yaml)
    return seen(one), seen(farmsim.run(farmsim.Scenario.load(folder / "again.yaml")))


@pytest.mark.parametrize("name", SMALL)
def test_a_resolved_scenario_repeats_its_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "vms.csv").write_text(VMS)
    (tmp_path / "load.csv").write_text("time,a,b\n0,10,90\n1800,50,20\n")
    one, again = repeated(farmsim.Scenario.of(SMALL[name], tmp_path), tmp_path)
    for key, value in one.items():
        assert again[key] == value, key


@pytest.mark.thorough
@pytest.mark.parametrize("name", library())
def test_every_library_scenario_is_repeated_by_what_it_resolves_to(
    tmp_path: Path, name: str
) -> None:
    for file in library()[name].parent.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    one, again = repeated(farmsim.Scenario.load(f"library/{name}"), tmp_path)
    for key, value in one.items():
        assert again[key] == value, key


def test_a_default_that_was_changed_counts_as_written(tmp_path: Path) -> None:
    scenario = farmsim.Scenario.of(SMALL["nothing given"], tmp_path)
    data = yaml.safe_load(scenario.to_yaml())
    assert "cost" in data["defaults"]
    again = farmsim.Scenario.of(data, tmp_path)
    assert "cost" not in again.model_fields_set
    data["cost"]["energy_price"] = "0.3 EUR/kWh"
    changed = farmsim.Scenario.of(data, tmp_path).cost
    assert changed.energy_price.amount == 0.3
    assert "energy_price" in changed.model_fields_set


def test_an_override_is_written_even_with_the_value_of_the_default(tmp_path: Path) -> None:
    scenario = farmsim.Scenario.of(SMALL["nothing given"], tmp_path)
    (tmp_path / "s.yaml").write_text(scenario.to_yaml())
    set_ = farmsim.Scenario.load(tmp_path / "s.yaml", "cost.energy_price=0.21 EUR/kWh")
    for each in (set_, scenario.with_({"cost.energy_price": "0.21 EUR/kWh"})):
        assert each.cost.model_fields_set == {"energy_price"}
        assert "network" not in each.model_fields_set


def test_paths_that_lead_nowhere_are_passed_over(tmp_path: Path) -> None:
    data = {**SMALL["nothing given"], "defaults": ["cost.nothing", "farm.hosts.7.boot", "cost"]}
    assert farmsim.Scenario.of(data, tmp_path).cost.pue == 1.56
