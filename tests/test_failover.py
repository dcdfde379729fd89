"""The failover test: who restarts, who is stranded, which resource or rule stops it."""

import json
from pathlib import Path
from typing import Any

import pytest
from test_reserve import ONE, scenario

import farmsim
from farmsim.analysis.failover import failover
from farmsim.cli import run_command_line
from farmsim.scenarios.problems import InputError


def packed(**changes: Any) -> farmsim.Scenario:
    """Return four hosts of 8 VMs each, of which 28 places are taken."""
    return scenario(**({"workload.vms": 28, "run.duration": "10 min"} | changes))


def test_what_does_not_fit_is_stranded_by_memory() -> None:
    # 8, 8, 8 and 4 VMs: whichever host fails, 4 places are left, and none if it is the fourth.
    outcome = failover(packed())
    restarted = [each.vms - len(each.stranded) for each in outcome.of("host")]
    assert restarted == [4, 4, 4, 0]
    assert outcome.sentence() == "loses 4 VMs of size s if host h-1 fails: memory"
    first = outcome.of("host")[0].stranded[0]
    assert first.hindrances == {"memory": 3, "CPU": 3}
    assert (outcome.at_s, outcome.worst, outcome.promised) == (0.0, True, 28 / 32)


def test_memory_stops_vms_where_cpu_would_not() -> None:
    outcome = failover(packed(**{"policies.initial.cpu_overcommit": 4}))
    assert outcome.of("host")[0].stranded[0].hindrances == {"memory": 3}


def test_a_rule_that_stops_a_vm_is_named() -> None:
    apart = {"name": "db", "type": "apart", "vms": ["vm-[1-4]"]}
    outcome = failover(scenario(**{"workload.vms": 6, "constraints": [apart]}))
    assert outcome.sentence() == "loses 1 VM of size s if host h-1 fails: rule db"


def test_racks_pairs_and_sites() -> None:
    kept = {
        "workload.vms": 16, "farm.hosts_per_rack": 2, "policies.reserve": ONE | {"hosts": 2},
        "policies.initial.placement": "round_robin",
    }  # fmt: skip
    outcome = failover(scenario(**kept), pairs=True)
    assert [len(outcome.of(kind)) for kind in ("host", "pair", "rack", "site")] == [4, 6, 2, 0]
    assert all(outcome.survives(kind) for kind in ("host", "pair", "rack"))
    assert outcome.whole == ["site"]
    assert not outcome.survives("site")
    assert outcome.sentence() == "survives any one host and any two hosts and any rack"


def test_sleeping_hosts_are_woken_for_vms_that_restart() -> None:
    sleepy = packed(**{"workload.vms": 8, "policies.control": "power_proportional"})
    outcome = failover(sleepy)
    (only,) = outcome.of("host")
    assert (outcome.hosts_on, only.vms, only.woken, only.stranded) == (1, 8, 1, [])


def test_vms_of_higher_priority_restart_first(tmp_path: Path) -> None:
    # The last of the eight VMs on the first host ranks highest; four find places.
    lines = ["vm,arrival,vcpus,memory,clock,priority"]
    lines += [f"vm-{index:02d},0,1,4,2000,{index % 8}" for index in range(28)]
    (tmp_path / "vms.csv").write_text("\n".join(lines) + "\n", "utf-8")
    arrivals = {"type": "table", "path": str(tmp_path / "vms.csv")}
    given = packed(workload={"arrivals": arrivals})
    first = failover(given).of("host")[0]
    assert [each.vm for each in first.stranded] == ["vm-03", "vm-02", "vm-01", "vm-00"]


def test_an_instant_that_is_asked_for_is_looked_at() -> None:
    outcome = failover(packed(), at_s=300.0)
    assert (outcome.at_s, outcome.worst) == (300.0, False)
    assert outcome.text().splitlines()[1].startswith("at 0.0833333 h: 28 VMs on 4 of 4 hosts")
    with pytest.raises(InputError, match="after 0 h and up to the run's end"):
        failover(packed(), at_s=601.0)


def test_looking_changes_nothing_and_is_the_same_again() -> None:
    given = packed(**{"policies.initial.placement": "random"})
    assert failover(given).to_dict() == failover(given).to_dict()


def test_the_command_writes_page_and_values_and_judges(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "packed.yaml", tmp_path / "out"
    path.write_text(packed().to_yaml(), "utf-8")
    arguments = ["failover", str(path), "--out", str(out), "--assert-survives", "host"]
    assert run_command_line(arguments) == 1
    told = capsys.readouterr()
    assert "loses 4 VMs of size s if host h-1 fails: memory" in told.out
    assert "does not survive the failure of any host" in told.err
    data = json.loads((out / "failover.json").read_text("utf-8"))
    assert [each["restarted"] for each in data["failures"]] == [4, 4, 4, 0]
    page = (out / "failover.html").read_text("utf-8")
    assert "Loses 4 VMs of size s if host h-1 fails: memory." in page
    kept = [*arguments, "--set", "policies.reserve={kind: hosts}", "--json"]
    assert run_command_line(kept) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == (
        "4 of 28 VMs were rejected. The others: survives any one host"
    )


def test_the_command_tells_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "packed.yaml"
    path.write_text(packed().to_yaml(), "utf-8")
    assert run_command_line(["failover", str(path), "--at", "soon"]) == 2
    assert run_command_line(["failover", str(path), "--at", "9 h"]) == 2
    assert "--at" in capsys.readouterr().err
