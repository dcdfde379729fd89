"""Cases that turn the fields of power states and of failures."""

from pathlib import Path
from typing import Any

Changes = dict[str, Any]
Turns = dict[str, tuple[Changes, Changes]]

CONTROL = "policies.control"
STATE: Changes = {
    "state": "standby", "power": "20 W", "entry": {"duration": "10 s", "power": "50 W"},
    "exit": {"duration": "1 min", "power": "150 W"},
}  # fmt: skip
BUSY: Changes = {"wake_ahead": "10 min", "max_utilisation": "20 %"}
ROOM: Changes = {
    "policies.initial": {"placement": "worst_fit", "cpu_overcommit": 4}, "run.duration": "6 h",
}  # fmt: skip
UP_AND_DOWN: Changes = {"policies.initial.cpu_overcommit": 6, "run.duration": "6 h"}
PABFD: Changes = {"policy": "power_aware_best_fit_decreasing", "compare_with": "measured"}


def resting(**change: Any) -> Changes:
    """Hosts of both groups in standby, those of one with other figures."""
    states = {f"farm.hosts.{group}.sleep": [STATE | change] for group in (0, 1)}
    return {**limited(sleep="standby"), **states}


def sleep_turns() -> Turns:
    """Turns of the states of rest of a group of hosts."""
    turns: Turns = {
        "state": (resting(), {**resting(), "farm.hosts.0.sleep": [STATE | {"state": "hibernate"}]}),
        "power": (resting(), resting(power="30 W")),
    }  # fmt: skip
    for way in ("entry", "exit"):
        for field, value in (("duration", "3 min"), ("power", "90 W")):
            turns[f"{way}.{field}"] = (resting(), resting(**{way: STATE[way] | {field: value}}))
    return {f"farm.hosts[].sleep[].{key}": pair for key, pair in turns.items()}


def limited(**power: Any) -> Changes:
    """Hosts that come up and go to rest, within limits."""
    return {**UP_AND_DOWN, "policies.power": BUSY | power}


def ahead(forecast: Any = "last_value", **power: Any) -> Changes:
    """Hosts woken ahead of a load that varies."""
    return limited(
        wake_ahead="30 min", **{"max_utilisation": "20 %", "forecast": forecast, **power}
    )


def limit_turns() -> Turns:
    """Turns of the limits that all control policies respect."""
    turns: Turns = {
        "sleep": (limited(), limited(sleep="suspend_to_ram")),
        "keep_awake": (limited(), limited(keep_awake=15)),
        "keep_awake_share": (limited(), limited(keep_awake_share="60 %")),
        "awake_for": (limited(), limited(awake_for="2 h")),
        "idle_for": (limited(), limited(idle_for="1 h")),
        "cycles_per_day": (limited(), limited(cycles_per_day=1)),
        "wake_ahead": (limited(), limited(wake_ahead="0 s")),
        "max_utilisation": (ahead(), ahead(max_utilisation="10 %")),
        "forecast": (ahead(), ahead("linear_trend")),
    }
    for name, field in (("moving_average", "window"), ("linear_trend", "window"),
                        ("seasonal", "season")):  # fmt: skip
        turns[f"forecast<{name}>.{field}"] = (
            ahead({"policy": name, field: "20 min"}), ahead({"policy": name, field: "90 min"}),
        )  # fmt: skip
    return {f"policies.power.{key}": pair for key, pair in turns.items()}


def controlled(name: str, **fields: Any) -> Changes:
    """One of the policies, over VMs that are spread."""
    return {**ROOM, CONTROL: {"policy": name, **fields}}


def policy_turns() -> Turns:
    """Turns of the control policies."""

    def of(name: str, **values: Any) -> Turns:
        return {
            f"{CONTROL}<{name}>.{key}": (controlled(name), controlled(name, **{key: value}))
            for key, value in values.items()
        }

    packed = {"policies.initial": {"cpu_overcommit": 6}}
    turns = {
        key: ({**one, **packed}, {**other, **packed})
        for key, (one, other) in of(
            "balance",
            balance="memory",
            threshold="1 %",
            max_migrations=1,
            cost_per_gib="10 %",
            max_utilisation="15 %",
        ).items()
    }
    turns |= of(
        "dynamic_power", target="40 %", tolerance="5 %", samples=1, hosts_per_round=1,
        placement="worst_fit",
    )  # fmt: skip
    aware = {"placement": PABFD}
    turns[f"{CONTROL}<dynamic_power>.placement<power_aware_best_fit_decreasing>.compare_with"] = (
        controlled("dynamic_power", placement=PABFD | {"compare_with": "tentative"}),
        controlled("dynamic_power", **aware),
    )
    tight = {"farm.hosts.0.memory": "8 GiB", "farm.hosts.1.memory": "4 GiB"}
    dotted = {"policy": "dot_product"}
    turns[f"{CONTROL}<dynamic_power>.placement<dot_product>.memory_weight"] = (
        {**controlled("dynamic_power", placement=dotted), **tight},
        {**controlled("dynamic_power", placement=dotted | {"memory_weight": 0}), **tight},
    )
    both = ["balance", "dynamic_power"]
    turns[f"{CONTROL}<combined>.policies"] = (
        controlled("combined", policies=both), controlled("combined", policies=both[:1]),
    )  # fmt: skip
    turns[f"{CONTROL}<combined>.undo_after"] = (
        controlled("combined", policies=both), controlled("combined", policies=both,
            undo_after="0 s"),
    )  # fmt: skip
    return turns


def scaled(**change: Any) -> Changes:
    """Two frequencies, the lower one with other figures."""
    low = {"frequency": "40 %", "idle": "50 W", "max": "70 W"} | change
    return {
        "model": "dvfs",
        "states": [low, {"frequency": "100 %", "idle": "80 W", "max": "200 W"}],
    }


FREQUENCY: dict[str, tuple[Changes, Changes]] = {
    f"states[].{key}": (scaled(), scaled(**{key: value}))
    for key, value in (("frequency", "60 %"), ("idle", "55 W"), ("max", "75 W"))
}
"""Turns of the states of frequency, below the place of a power model."""


def management_turns() -> Turns:
    """Return the turns of states of rest, limits and policies."""
    return sleep_turns() | limit_turns() | policy_turns()


TIGHT: Changes = {
    "farm.hosts": [
        {"name": "x", "server": "hp_ml110_g4", "count": 8, "memory": "64 GiB"},
    ],
    "farm.hosts_per_rack": 4,
    "policies.control": "none",
    "policies.initial.cpu_overcommit": 8,
    "baseline": {"type": "none"},
}  # fmt: skip
OFTEN: Changes = {"distribution": "exponential", "mean": "2 h"}
SOON: Changes = {"distribution": "constant", "mean": "10 min"}
LAWS: dict[str, tuple[str, Any, Any]] = {
    "exponential": ("mean", "30 min", "40 min"),
    "weibull": ("mean", "30 min", "40 min"),
    "lognormal": ("mean", "30 min", "40 min"),
    "constant": ("mean", "30 min", "40 min"),
    "empirical": ("times", ["30 min"], ["40 min"]),
}
SHAPES = {"weibull": ("shape", 2.0), "lognormal": ("sigma", 0.5)}


def failing(**entry: Any) -> Changes:
    """Return a farm whose hosts fail at random."""
    given = {"name": "all", "time_to_failure": OFTEN, "repair": SOON} | entry
    return TIGHT | {"failures": {"entries": [given]}}


def planned(**outage: Any) -> Changes:
    """Return a farm of which something fails at a known time."""
    given = {"at": "1 h", "component": "rack", "match": ["rack-1"], "duration": "20 min"} | outage
    return TIGHT | {"failures.schedule": [given]}


def observed(path: str) -> Changes:
    """Return a farm that fails as a table says."""
    return TIGHT | {"failures": {"entries": [{"name": "all", "table": path}]}}


def failure_turns() -> Turns:
    """Return the turns by path."""
    entry = "failures.entries[]"
    switch = planned(component="switch")
    turns: Turns = {
        f"{entry}.name": (failing(), failing(name="other")),
        f"{entry}.component": (failing(), failing(component="rack")),
        f"{entry}.match": (failing(), failing(match=["x-[1-3]"])),
        f"{entry}.table": (observed("failed.csv"), observed("failed-less.csv")),
        "failures.schedule[].at": (planned(), planned(at="2 h")),
        "failures.schedule[].component": (planned(), switch),
        "failures.schedule[].match": (planned(), planned(match=["rack-2"])),
        "failures.schedule[].duration": (planned(), planned(duration="30 min")),
        "failures.detection_time": (planned(), planned() | {"failures.detection_time": "1 min"}),
        "failures.restart_vms": (planned(), planned() | {"failures.restart_vms": False}),
        "failures.restart_vms_of_isolated_hosts": (
            switch,
            switch | {"failures.restart_vms_of_isolated_hosts": True},
        ),
    }
    for role in ("time_to_failure", "repair"):
        turns[f"{entry}.{role}"] = (failing(), failing(**{role: {**OFTEN, "mean": "1 h"}}))
        for law, (key, one, other) in LAWS.items():
            first = {"distribution": law, key: one}
            path = f"{entry}.{role}<{law}>"
            turns[f"{path}.{key}"] = (
                failing(**{role: first}), failing(**{role: {**first, key: other}}),
            )  # fmt: skip
            if law in SHAPES:
                shape, value = SHAPES[law]
                turns[f"{path}.{shape}"] = (
                    failing(**{role: first}), failing(**{role: {**first, shape: value}}),
                )  # fmt: skip
    return turns


def write_failures(folder: Path) -> None:
    """Write the tables that the turns name, in ms."""
    header = "failure_interval,failure_duration,failure_intensity\n"
    (folder / "failed.csv").write_text(header + "1800000,600000,0.1\n3600000,300000,0.2\n")
    (folder / "failed-less.csv").write_text(header + "5400000,600000,0.1\n")
