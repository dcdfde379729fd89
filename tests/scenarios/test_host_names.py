"""Hosts that have names of their own, wherever hosts are named."""

from pathlib import Path
from typing import Any

import pytest

import farmsim
from farmsim.analysis.studies.evacuate import evacuate
from farmsim.policies.control.evacuation import Evacuation
from farmsim.scenarios.build.build import build
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.scenario import Scenario, from_text

SERVER = {
    "cores": 8, "clock": "2.5 GHz", "memory": "32 GiB",
    "power": {"model": "linear", "idle": "50 W", "max": "150 W"},
}  # fmt: skip
GROUPS = [
    {"name": "a", "server": SERVER, "names": ["esx-a1", "esx-a2", "esx-a3"]},
    {"name": "b", "server": SERVER, "count": 2},
]
TEXT = """farm:
  hosts:
    - {name: a, server: hp_ml110_g5, names: [x, y, x]}
    - name: b
      server: hp_ml110_g5
      count: 3
      names: [y, z]
    - name: c
      server: hp_ml110_g5
workload: {source: planetlab-20110303, vms: 2}
"""


def scenario(**parts: Any) -> Scenario:
    data = {
        "farm": {"hosts": GROUPS},
        "workload": {"source": {"type": "constant", "utilisation": "30 %"}, "vms": 8},
        "run": {"duration": "1 h"},
        "policies": {"initial": {"placement": "round_robin"}},
        **parts,
    }
    return Scenario.of(data)


def test_hosts_are_called_as_they_are_in_any_order_of_the_farm() -> None:
    assert list(build(scenario()).farm.hosts.names) == ["esx-a1", "esx-a2", "esx-a3", "b-1", "b-2"]
    farm = {"hosts": GROUPS, "order": "interleaved"}
    names = list(build(scenario(farm=farm)).farm.hosts.names)
    assert names == ["esx-a1", "b-1", "esx-a2", "b-2", "esx-a3"]


def test_names_are_counted_and_must_be_unique_in_the_farm() -> None:
    with pytest.raises(InputError) as error:
        from_text(TEXT, "farm.yaml")
    assert str(error.value).splitlines() == [
        "farm.yaml:3:38: farm.hosts.0.names: 'x' is the name of two hosts; make the names unique",
        "farm.yaml:6:7: farm.hosts.1.count: is 3, but names has 2; make them equal, or omit one",
        "farm.yaml:8:7: farm.hosts.2.count: is missing; Number of hosts; needed unless `names` "
        "lists them",
    ]
    for names, other in ((["esx-a2"], "a"), (["b-2"], "b")):
        with pytest.raises(InputError) as error:
            scenario(farm={"hosts": [*GROUPS, {"name": "c", "server": SERVER, "names": names}]})
        told = f"{names[0]!r} is a host of group {other} too; make the names unique"
        assert str(error.value) == f"farm.hosts.2.names.0: {told}"
    spare = [*GROUPS, {"name": "c", "server": SERVER, "names": ["b-3", "b-02"]}]
    assert len(build(scenario(farm={"hosts": spare})).farm.hosts) == 7


def test_rules_failures_and_reserve_find_hosts_by_their_names() -> None:
    rules = [{"name": "fenced", "type": "fence", "vms": ["vm-[12]"], "hosts": ["esx-a[12]"]}]
    often = {"distribution": "constant", "mean": "10 min"}
    entry = {"name": "flaky", "component": "host", "match": ["esx-a3"]}
    failures = {"entries": [entry | {"time_to_failure": often, "repair": often}]}
    kept = {
        "initial": {"placement": "round_robin"},
        "reserve": {"kind": "dedicated", "hosts": ["esx-a3"]},
    }
    run = farmsim.run(scenario(constraints=rules, failures=failures, policies=kept))
    vms = run.tables["vms"].to_pylist()
    assert {row["first_host"] for row in vms if row["vm"].endswith(("-1", "-2"))} == {
        "esx-a1",
        "esx-a2",
    }
    assert "esx-a3" not in {row["first_host"] for row in vms}
    assert run.tables["hosts"]["host"].to_pylist()[:3] == ["esx-a1", "esx-a2", "esx-a3"]
    with pytest.raises(InputError, match="there is no host 'a-1'"):
        farmsim.run(scenario(constraints=[rules[0] | {"hosts": ["a-1"]}]))


def test_evacuation_empties_hosts_by_their_names() -> None:
    result = evacuate(scenario(), Evacuation(hosts="esx-a*"))
    emptied: Any = result.to_dict()["hosts"]
    assert sorted(emptied) == ["esx-a1", "esx-a2", "esx-a3"]


def test_a_resolved_scenario_has_the_names_and_may_be_varied(tmp_path: Path) -> None:
    written = scenario()
    text = written.to_yaml()
    assert from_text(text).to_yaml() == text
    assert text.count("count:") == 1
    fewer = written.with_({"farm.hosts.0.names": ["esx-a1"]})
    assert list(build(fewer).farm.hosts.names) == ["esx-a1", "b-1", "b-2"]
    with pytest.raises(InputError, match="is 9, but names has 3; make them equal, or omit one"):
        written.with_({"farm.hosts.0.count": 9})
    numbered = written.with_({"farm.hosts.0.names": None, "farm.hosts.0.count": 2})
    assert list(build(numbered).farm.hosts.names) == ["a-1", "a-2", "b-1", "b-2"]


def test_dedicated_servers_do_not_bear_the_names_of_hosts() -> None:
    source = {"type": "constant", "utilisation": "30 %"}
    run = farmsim.run(scenario(workload={"source": source, "vms": 3}))
    assert run.baseline is not None
    names = run.baseline.tables["hosts"]["host"].to_pylist()
    assert names == ["dedicated-1", "dedicated-2", "dedicated-3"]
