"""Failures in the language: each fault at its line, tables of failures, what a run tells."""

from pathlib import Path

import pytest

import farmsim
from farmsim.cli.errors import BAD_INPUT
from farmsim.cli.main import run_command_line
from farmsim.models.network.network import Network
from farmsim.scenarios.build.build import build
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.scenario import from_text

BASE = """name: fails
run: {duration: 4 h}
farm:
  hosts_per_rack: 2
  hosts: [{name: h, server: hp_ml110_g5, count: 4, memory: 16 GiB}]
workload:
  source: {type: constant, utilisation: 20 %}
  sizes: [{name: s, vcpus: 1, clock: 1 GHz, memory: 1 GiB, count: 6}]
baseline: {type: none}
failures:
"""
LINE = BASE.count("\n") + 1
LAW = "{distribution: exponential, mean: 30 d}"
REPAIR = "{distribution: constant, mean: 1 h}"


def entry(**fields: str) -> str:
    given = {"name": "e", "time_to_failure": LAW, "repair": REPAIR} | fields
    return "  entries: [{" + ", ".join(f"{key}: {value}" for key, value in given.items()) + "}]\n"


def planned(**fields: str) -> str:
    given = {"at": "1 h", "component": "rack", "match": "[rack-1]", "duration": "1 h"} | fields
    return "  schedule: [{" + ", ".join(f"{key}: {value}" for key, value in given.items()) + "}]\n"


FAULTS = {
    "in the past": (planned(at="-1 h"), "at: is -1 h, before the run begins; write a time of"),
    "after the end": (planned(at="4 h"), "at: is 4 h, when the run of 4 h has ended; write an"),
    "unknown rack": (planned(match="[rack-3]"), "there is no rack 'rack-3'; did you mean rack-"),
    "unknown host": (entry(match="['x-*']"), "match: there is no host 'x-*'; available: h-1, h-2"),
    "unknown kind": (entry(component="disk"), "component: "),
    "no time": (planned(duration="0 s"), "duration: "),
    "mean of nothing": (
        entry(time_to_failure="{distribution: exponential, mean: 0 s}"), "time_to_failure.mean: ",
    ),
    "no mean at all": (
        entry(time_to_failure="{distribution: constant, mean: 0 s}"),
        "time_to_failure: is 0 s on average; write a mean of 1 s or more",
    ),
    "all dead": (
        entry(time_to_failure="{distribution: exponential, mean: 10 s}"),
        "entries: hosts would be available for only 0.28 % of the time",
    ),
    "unknown law": (entry(repair="{distribution: gamma, mean: 1 h}"), "'gamma'"),
    "half a source": ("  entries: [{name: e, repair: " + REPAIR + "}]\n", "needs time_to_failure"),
    "two sources": (entry(table="t.csv"), "has a table as well as time_to_failure or repair"),
    "links of no network": (
        planned(component="link", match="['*']"),
        "there are no links because the migration model uses",
    ),
    "no restart, and yet": (
        "  restart_vms: false\n  restart_vms_of_isolated_hosts: true\n",
        "restart_vms_of_isolated_hosts restarts VMs elsewhere",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_told_at_its_line(fault: str) -> None:
    written, told = FAULTS[fault]
    with pytest.raises(InputError) as caught:
        from_text(BASE + written, "s.yaml")
    first = str(caught.value.problems[0])
    assert first.startswith(f"s.yaml:{LINE}") or fault == "no restart, and yet"
    assert told in first


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("failure_interval\n1\n", "t.csv:1: has no column 'failure_duration'; it needs"),
        (
            "failure_interval,failure_duration\n1000,x\n",
            "t.csv:2: failure_duration: 'x' is not a time",
        ),
        ("failure_interval,failure_duration\n0,1000\n", "has no time above 0"),
        ("failure_interval,failure_duration\n1000,9e9\n", "hosts would be available for only"),
    ],
)
def test_faults_of_tables(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        build(from_text(BASE + "  entries: [{name: e, table: t.csv}]\n", "s.yaml", tmp_path))
    assert told in str(caught.value)


def test_a_table_of_failures_is_read_and_kept(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("failure_interval,failure_duration\n3600000,600000\n")
    result = farmsim.run(
        from_text(BASE + "  entries: [{name: e, table: t.csv}]\n", "s.yaml", tmp_path)
    )
    table = result.table("outages").to_pylist()
    assert [row["start_s"] for row in table[:4]] == [3600.0] * 4
    assert {round(row["end_s"] - row["start_s"]) for row in table if row["repaired"]} == {600}
    assert any(each["name"] == "t.csv" for each in result.manifest["inputs"])
    assert "Failures and availability" in result.report()


def test_the_command_line_refuses_with_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(BASE + planned(at="9 h"))
    assert run_command_line(["run", str(path)]) == BAD_INPUT
    assert f"s.yaml:{LINE}" in capsys.readouterr().err


def test_links_that_fail_are_gone_round_or_cut_hosts_off() -> None:
    network = Network.leaf_spine(4, 2, 2, 1000.0, 1000.0, 1e-4)
    before = network.route(0, 2)
    up = [row for row in before.tolist() if "spine" in network.names[row]]
    assert network.cut(before[1:2]).tolist() == []
    after = network.route(0, 2)
    assert len(after) == len(before)
    assert not set(up) & set(after.tolist())
    assert network.cut(before[:1]).tolist() == [0]
    assert network.cut(before[:0]).tolist() == []
    assert network.route(0, 2).tolist() == before.tolist()
