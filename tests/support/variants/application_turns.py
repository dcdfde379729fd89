"""Turns of applications: each field of their loads and of every scaling policy changes results."""

from pathlib import Path
from typing import Any

Changes = dict[str, Any]
Turns = dict[str, tuple[Changes, Changes]]

WEB = {"name": "web", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB"}
SIZES = [
    WEB, {**WEB, "name": "wide", "vcpus": 2}, {**WEB, "name": "wider", "vcpus": 3},
]  # fmt: skip
TABLE = {
    "type": "table", "times": ["0 s", "1 h", "2 h"], "rates": ["1 GHz", "5 GHz", "1 GHz"],
}  # fmt: skip
FILE = {"type": "csv", "path": "load.csv"}
DAILY = {"type": "daily", "peak": "5 GHz", "trough": "1 GHz", "peak_at": "2 h"}
EVENT = {"from": "1 h", "to": "2 h", "factor": 2}
TARGET = {"policy": "target_utilisation"}
VERTICAL = {
    "policy": "vertical", "sizes": ["web", "wide", "wider"], "hot_add_up_to": "wider",
}  # fmt: skip
FORECASTS: dict[str, tuple[Changes, Changes]] = {
    "moving_average": ({"window": "10 min"}, {"window": "30 min"}),
    "linear_trend": ({"window": "10 min"}, {"window": "30 min"}),
    "seasonal": ({"season": "30 min"}, {"season": "50 min"}),
}
SCHEDULE: Changes = {"policy": "scheduled", "at": ["00:30", "01:30"], "members": [6, 2]}


def shop(load: Changes | None = None, **fields: Any) -> Changes:
    """Return a scenario's changes to one application, with a load that goes up and down."""
    part = {
        "name": "shop", "size": "web", "max_members": 10, "load": load or TABLE, "scaling": TARGET,
        "cool_down": {"in": "10 min"}, **fields,
    }  # fmt: skip
    return {
        "workload": {"sizes": SIZES}, "applications": [part],
        "provisioning.method": "linked_clone",
        "policies.initial.cpu_overcommit": 2,
    }  # fmt: skip


def scaled(**policy: Any) -> Changes:
    return shop(scaling=policy)


def _loads() -> Turns:
    return {
        "load<constant>.rate": (
            shop({"type": "constant", "rate": "2 GHz"}), shop({"type": "constant", "rate": "3 GHz"})
        ),
        "load<constant>.type": (shop(), shop({"type": "constant", "rate": "3 GHz"})),
        "load<table>.type": (shop({"type": "constant", "rate": "3 GHz"}), shop()),
        "load<table>.times": (shop(), shop({**TABLE, "times": ["0 s", "30 min", "2 h"]})),
        "load<table>.rates": (shop(), shop({**TABLE, "rates": ["1 GHz", "6 GHz", "1 GHz"]})),
        "load<table>.interpolation": (shop(), shop({**TABLE, "interpolation": "hold"})),
        "load<csv>.type": (shop(), shop(FILE)),
        "load<csv>.path": (shop(FILE), shop({**FILE, "path": "other-load.csv"})),
        "load<csv>.time_unit": (shop(FILE), shop({**FILE, "time_unit": "min"})),
        "load<csv>.time": (shop(FILE), shop({**FILE, "time": "later"})),
        "load<csv>.value": (shop(FILE), shop({**FILE, "value": "more"})),
        "load<csv>.unit": (shop(FILE), shop({**FILE, "unit": "MHz"})),
        "load<csv>.interpolation": (shop(FILE), shop({**FILE, "interpolation": "linear"})),
        "load<daily>.type": (shop(), shop(DAILY)),
        "load<daily>.peak": (shop(DAILY), shop({**DAILY, "peak": "6 GHz"})),
        "load<daily>.trough": (shop(DAILY), shop({**DAILY, "trough": "2 GHz"})),
        "load<daily>.peak_at": (shop(DAILY), shop({**DAILY, "peak_at": "1 h"})),
        "load<daily>.weekend": tuple(
            shop({**DAILY, "weekend": factor}) | {"run.duration": "122 h", **SPARSE}
            for factor in (1, 0.5)
        ),  # type: ignore[dict-item]
        "events[].from": _events({"from": "30 min"}),
        "events[].to": _events({"to": "150 min"}),
        "events[].factor": _events({"factor": 1.5}),
        "events[].ramp": _events({"ramp": "20 min"}),
    }  # fmt: skip


SPARSE: Changes = {
    "policies.scaling_every": "1 h", "policies.every": "12 h", "run.report_every": "1 h",
}  # fmt: skip


def _events(change: Changes) -> tuple[Changes, Changes]:
    return shop(events=[EVENT]), shop(events=[EVENT | change])


def _policies() -> Turns:
    step = {"policy": "step"}
    ahead = {"policy": "predictive", "forecaster": {"policy": "linear_trend"}}
    turns: Turns = {
        "": (shop(), scaled(policy="step")),
        "<target_utilisation>.target": (shop(), scaled(**TARGET, target="50 %")),
        "<target_utilisation>.tolerance": (shop(), scaled(**TARGET, tolerance="30 %")),
        "<step>.above": (scaled(**step), scaled(**step, above=["60 %", "90 %"])),
        "<step>.add": (scaled(**step), scaled(**step, add=[2, 3])),
        "<step>.below": (scaled(**step), scaled(**step, below="20 %")),
        "<step>.remove": (scaled(**step), scaled(**step, remove=2)),
        "<scheduled>.at": (scaled(**SCHEDULE), scaled(**SCHEDULE | {"at": ["00:30", "02:00"]})),
        "<scheduled>.members": (scaled(**SCHEDULE), scaled(**SCHEDULE | {"members": [5, 2]})),
        "<predictive>.horizon": (scaled(**ahead), scaled(**ahead, horizon="20 min")),
        "<predictive>.target": (scaled(**ahead), scaled(**ahead, target="50 %")),
        "<predictive>.forecaster": (
            scaled(**ahead), scaled(policy="predictive", forecaster="last_value")
        ),
        "<vertical>.sizes": (
            scaled(**VERTICAL), scaled(**VERTICAL | {"sizes": ["web", "wider"]})
        ),
        "<vertical>.scale_up_above": (scaled(**VERTICAL),
            scaled(**VERTICAL, scale_up_above="70 %")),
        "<vertical>.scale_down_below": (scaled(**VERTICAL),
            scaled(**VERTICAL, scale_down_below="30 %")),
        "<vertical>.hot_add_up_to": (
            scaled(**VERTICAL), scaled(**VERTICAL | {"hot_add_up_to": "web"})
        ),
    }  # fmt: skip
    for name, (one, other) in FORECASTS.items():
        key = next(iter(one))
        turns[f"<predictive>.forecaster<{name}>.{key}"] = tuple(  # type: ignore[assignment]
            scaled(policy="predictive", forecaster={"policy": name, **parameter})
            for parameter in (one, other)
        )
    return {f"scaling{path}": turn for path, turn in turns.items()}


def application_turns() -> Turns:
    """Return the turns by path."""
    two = shop(initial_members=6, scaling={**TARGET, "target": "90 %"})
    turns: Turns = {
        "name": (shop(), shop(name="market")),
        "size": (shop(), shop(size="wide")),
        "min_members": (shop(), shop(min_members=3)),
        "max_members": (shop(), shop(max_members=5)),
        "initial_members": (shop(), shop(initial_members=4)),
        "load_balancing": (
            shop(scaling=VERTICAL | {"hot_add_up_to": "web"}, min_members=3),
            shop(scaling=VERTICAL | {"hot_add_up_to": "web"}, min_members=3,
                load_balancing="round_robin"),
        ),
        "cool_down.out": (shop(), shop(cool_down={"in": "10 min", "out": "15 min"})),
        "cool_down.in": (shop(), shop(cool_down={"in": "20 min"})),
        "scale_in_order": (two, shop(initial_members=6, scaling=TARGET,
            scale_in_order="oldest_first")),
        "protected_members": (two, shop(initial_members=6, scaling={**TARGET, "target": "90 %"},
            protected_members=5)),
        "priority": (_three(0), _three(1)),
        "penalty.price": (_penalty("1 EUR"), _penalty("2 EUR")),
        "penalty.per": (_penalty("1 EUR"), _penalty("1 EUR", per="request")),
    }  # fmt: skip
    turns |= _loads() | _policies()
    named = {f"applications[].{path}": turn for path, turn in turns.items()}
    named["policies.scaling_every"] = (shop(), shop() | {"policies.scaling_every": "5 min"})
    return named


def _three(priority: int) -> Changes:
    """Return two applications that wait for the room that a third one gives back at 01:00."""
    parts = [
        shop(name=name, initial_members=start, scaling={"policy": "scheduled", "at": at,
            "members": members})
        ["applications"][0]
        for name, start, at, members in (
            ("first", 6, ["00:00", "01:00"], [6, 1]),
            ("low", 1, ["00:00", "00:30"], [1, 6]),
            ("shop", 1, ["00:00", "00:40"], [1, 6]),
        )
    ]  # fmt: skip
    parts[2]["priority"] = priority
    few = {"farm.hosts.0.count": 1, "farm.hosts.1.count": 1, "policies.initial.cpu_overcommit": 1}
    return shop() | {"applications": parts} | few


def _penalty(price: str, **more: Any) -> Changes:
    sizes = [WEB | {"class": "web"}]
    changes = shop(penalty={"price": price, **more}, max_members=3)
    return changes | {"workload": {"sizes": sizes}}


def write_loads(folder: Path) -> None:
    """Write the tables that the turns name."""
    rows = ["time,later,load,more"]
    rows += [f"{600 * k},{900 * k},{1 + k % 5},{2 + k % 5}" for k in range(18)]
    (folder / "load.csv").write_text("\n".join(rows) + "\n")
    (folder / "other-load.csv").write_text("\n".join([rows[0], *rows[5:]]) + "\n")
