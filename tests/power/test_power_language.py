"""States of rest and limits as a scenario writes them: what is refused, and what results tell."""

from pathlib import Path

import pytest

import farmsim
from farmsim.scenarios.errors.problems import InputError

SCENARIO = """\
farmsim: 1
name: resting
run: {duration: 2 h}
farm:
  hosts:
    - name: h
      server: hp_ml110_g5
      count: 3
      sleep:
        - {state: suspend_to_ram, power: 9 W, entry: {duration: 10 s}, exit: {duration: 20 s}}
workload:
  source: {type: constant, utilisation: 0.5}
  vms: 1
  sizes: [{name: a, vcpus: 1, clock: 1 GHz, memory: 1 GiB}]
policies:
  control: power_proportional
  power: {sleep: suspend_to_ram, keep_awake: 2, idle_for: 20 min}
baseline: {type: none}
"""


def written(folder: Path, old: str = "", new: str = "") -> str:
    assert old in SCENARIO
    path = folder / "resting.yaml"
    path.write_text(SCENARIO.replace(old, new) if old else SCENARIO)
    return str(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sleep: suspend_to_ram,", "sleep: hibernate,",
         r"yaml:17:\d+: policies.power.sleep: no host supports hibernate; add"),
        ("{state: suspend_to_ram, power: 9 W,", "{state: off, power: 9 W,",
         r"yaml:10.*'off' is not allowed; write 'hibernate', 'suspend_to_ram' or 'standby'"),
        ("      sleep:\n", "      sleep:\n        - {state: suspend_to_ram}\n",
         r"yaml:9.*suspend_to_ram is listed twice"),
        ("keep_awake: 2", "keep_awake: -1", r"yaml:17.*policies.power.keep_awake"),
        ("idle_for: 20 min", "idle_for: 20", r"yaml:17.*policies.power.idle_for"),
        ("control: power_proportional", "control: {policy: combined, policies: []}",
            r"yaml:16.*policies: empty"),
        ("control: power_proportional",
         "control: {policy: dynamic_power, target: 90 %}", r"yaml:16.*narrow it"),
        ("control: power_proportional",
         "control: {policy: combined, policies: [balanse]}", r"yaml:16.*balance"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        farmsim.run(written(tmp_path, old, new))


def test_results_tell_time_and_energy_of_rest(tmp_path: Path) -> None:
    result = farmsim.run(written(tmp_path), "cost.hosts_paid=owned")
    # One of three hosts sleeps from the start: 2 h at 9 W, no switching.
    hosts = result.table("hosts")
    assert hosts["suspend_to_ram_h"].to_pylist() == [0, 0, 2]
    assert result.value("powered_down_kwh") == pytest.approx(0.018)
    assert result.value("switching_kwh") == 0
    # A host that is never needed is not paid for, and neither is its energy.
    needed = farmsim.run(written(tmp_path))
    assert needed.value("powered_down_kwh") == 0
    assert needed.value("energy_excluded_kwh") == pytest.approx(0.018)
    assert "sleep_state" in result.table("power_events").column_names


def test_what_a_limit_forbids_is_told(tmp_path: Path) -> None:
    result = farmsim.run(written(tmp_path), "policies.power.keep_awake=3")
    # Two hosts are empty: at first they are not idle for long enough, then three are to be awake.
    refused = result.table("sleep_refusals").to_pylist()
    assert [(row["time_s"], row["reason"]) for row in refused] == [
        (300, "idle_for"), (300, "idle_for"), (1200, "keep_awake"), (1200, "keep_awake"),
    ]  # fmt: skip
    assert "switching_kwh" not in result.summary


def test_the_report_shows_power_states(tmp_path: Path) -> None:
    report = farmsim.run(written(tmp_path)).report()
    assert "Hosts by power state" in report
    assert "Energy of power state transitions" in report


def test_the_resolved_scenario_reads_back(tmp_path: Path) -> None:
    result = farmsim.run(written(tmp_path))
    again = tmp_path / "again.yaml"
    again.write_text(result.scenario_yaml)
    assert farmsim.run(str(again)).value("energy_kwh") == result.value("energy_kwh")
