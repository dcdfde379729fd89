"""Hosts at rest: for how long, in which state, and what the switching took."""

from collections.abc import Callable

import numpy as np

from ...models.base.cost import JOULE_PER_KWH
from ...models.hardware.sleep_states import DEPTHS
from ...sim.engine import Outcome
from ..base.plotting import FILL, HERE, LEAST, OTHER, Figure, figure, hours, thinned
from ..base.run_tables import RunTables
from ..base.table_columns import Made, Names, words
from ..base.units_and_ratios import S_PER_DAY, S_PER_H

STATES = (("on", "hosts_on", HERE), ("switching", "hosts_switching", LEAST))


def rests(outcome: Outcome) -> bool:
    """Return whether any host was ever at rest, or switched."""
    return bool(outcome.rest.rest_s.any() or len(outcome.tables["power_events"]["time_s"]))


def rest_values(outcome: Outcome) -> dict[str, float]:
    """Return the figures by name, none where all hosts were on all the time."""
    if not rests(outcome):
        return {}
    rest = outcome.rest
    days = max(outcome.end_s / S_PER_DAY, 1.0)
    return {
        "switching_kwh": float(rest.switching_j.sum()) / JOULE_PER_KWH,
        "rest_kwh": float(rest.rest_j.sum()) / JOULE_PER_KWH,
        "host_cycles_max": float(outcome.farm.accounts.stops.max(initial=0)) / days,
    }


def rest_columns(outcome: Outcome) -> dict[str, Made]:
    """Return what the table of hosts tells of rest and switching."""
    rest = outcome.rest
    columns: dict[str, Made] = {
        f"{state}_h": (rest.rest_s[depth] / S_PER_H, "h", f"Time in the state {state}.")
        for depth, state in enumerate(DEPTHS)
    }
    drawn = "Energy drawn while booting, stopping, or on the way into or out of rest."
    return {
        **columns,
        "rest_kwh": (rest.rest_j.sum(axis=0) / JOULE_PER_KWH, "kWh", "Energy drawn at rest."),
        "switching_kwh": (rest.switching_j / JOULE_PER_KWH, "kWh", drawn),
    }


def sleep_refusals(outcome: Outcome, names: Names) -> dict[str, Made]:
    """Return the hosts that limits kept awake, each once until another limit did."""
    table = outcome.tables["sleep_refusals"]
    reason = "Field of `policies.power` that kept it awake."
    return {
        "time_s": (table["time_s"], "s", "Round in which it was to rest."),
        "host": (names.host(table["host"]), "", "Host that stayed awake."),
        "reason": (words(table["reason"], outcome.words), "", reason),
    }


def power_states(result: RunTables) -> Figure:
    """Hosts by power state over time, those of the farm on top of one another."""
    series = result.table("farm_series")
    hosts = result.value("hosts") or 0.0
    shown = [(name, series[column].to_numpy(), colour) for name, column, colour in STATES]
    rest = np.maximum(hosts - np.sum([values for _, values, _ in shown], axis=0), 0.0)
    traces, label = [], ""
    for name, values, colour in [*shown, ("at rest, or failed", rest, OTHER)]:
        times, label = hours(series["time_s"].to_numpy())
        x, y = thinned(times, values)
        traces.append(
            {
                "type": "scatter", "x": x, "y": y, "name": name, "mode": "lines",
                "stackgroup": "hosts", "line": {"color": colour, "width": 1, "shape": "hv"},
                "fillcolor": FILL if colour == HERE else colour,
                "hovertemplate": "%{y:,.1f} hosts",
            }
        )  # fmt: skip
    return figure(traces, f"time ({label})", "hosts")


REST_FIGURES: dict[str, Callable[[RunTables], Figure]] = {"power_states": power_states}
