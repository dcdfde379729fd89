"""Turns of what fails and what follows, for ``test_knobs.py``."""

from pathlib import Path
from typing import Any

Changes = dict[str, Any]
Turns = dict[str, tuple[Changes, Changes]]

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
