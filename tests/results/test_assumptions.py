"""Assumptions of a result name what the run used, each with its source."""

from typing import Any

import pytest

import farmsim

SERVER = {
    "cores": 8, "clock": "2.5 GHz", "memory": "512 GiB",
    "power": {"model": "linear", "idle": "50 W", "max": "150 W"},
}  # fmt: skip


def assumed(host: dict[str, Any], **parts: Any) -> dict[str, tuple[str, str]]:
    """Return value and source of each assumption by name."""
    base = {
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 4, **host}]},
        "workload": {"source": {"type": "constant", "utilisation": "10 %"}, "vms": 6,
                     "sizes": [{"name": "s", "vcpus": 2}]},
        "run": {"duration": "2 h"}, "baseline": {"type": "none"},
    }  # fmt: skip
    result = farmsim.run({**base, **parts})
    rows = result.summary["assumptions"]
    assert len({each["assumption"] for each in rows}) == len(rows)
    return {each["assumption"]: (each["value"], each["source"]) for each in rows}


SHUTS_DOWN = {"control": "power_proportional", "initial": {"placement": "round_robin"}}


def test_figures_that_a_run_did_not_use_are_left_out() -> None:
    still = assumed({})
    for what in (
        "h: boot", "h: shutdown", "h: power when off", "Control round", "Migration",
        "Service: simulate_requests", "Service: idle_energy_by", "Service: interference",
    ):  # fmt: skip
        assert what not in still
    assert still["Control"] == ("none", "default")


def arrivals_later(**host: Any) -> dict[str, tuple[str, str]]:
    arrivals = {"type": "generated", "rate": 0.002, "trace_start": "6 h"}
    return assumed(
        host, workload={"arrivals": arrivals}, policies={"control": "power_proportional"},
        run={"duration": "12 h"},
    )  # fmt: skip


def test_each_figure_of_switching_has_its_own_source() -> None:
    given = arrivals_later(boot={"duration": "3 min"})
    assert given["h: boot"][0].startswith("3 min at ")
    assert given["h: boot"][1] == "scenario"
    assert given["h: shutdown"][1] == "estimate"
    assert not any("260" in value for value, _ in given.values())
    layered = arrivals_later(hypervisor="kvm", server="dell_r720_e5_2670", memory="512 GiB")
    assert layered["h: boot"][0].startswith("3 min at ")
    assert layered["h: boot"][1] == "catalogue of hypervisors, kvm"
    plain = arrivals_later(off_power="7 W")
    assert plain["h: boot"][0].startswith("260 s at ")
    assert "Gandhi" in plain["h: boot"][1]
    assert plain["h: power when off"] == ("7 W", "scenario")


@pytest.mark.parametrize(("every", "source"), [({}, "default"), ({"every": "10 min"}, "scenario")])
def test_a_default_round_is_no_choice_of_the_scenario(every: dict[str, str], source: str) -> None:
    control = {"policy": "consolidation", "overload": {"policy": "static_threshold"}}
    found = assumed({}, policies={"control": control, **every})
    assert found["Control round"][1] == source


def test_what_was_recognised_is_told(tmp_path: Any) -> None:
    rows = "".join(f"{(1_704_067_200 + 300 * slot) * 1000},{10 + slot}\n" for slot in range(24))
    (tmp_path / "load.csv").write_text(f"time,a\n{rows}")
    scenario = farmsim.Scenario.of(
        {
            "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 1}]},
            "workload": {"source": {"type": "csv", "path": "load.csv"}},
            "run": {"duration": "2 h"}, "baseline": {"type": "none"},
        },
        tmp_path,
    )  # fmt: skip
    found = farmsim.run(scenario).summary["assumptions"]
    told = [each["value"] for each in found if each["assumption"] == "Recognised"]
    assert told == ["Times of load.csv were recognised as Unix times in ms."]
