"""Hosts at rest: for how long, in which state, and what the switching took."""

import numpy as np

from ....models.base.cost import JOULE_PER_KWH
from ....models.hardware.sleep_states import DEPTHS
from ....models.state.columns import POWER_STATES
from ...base.played_case import PlayedCase
from ...base.plotting import FILL, HERE, LEAST, OTHER, Figure, figure, hours, thinned
from ...base.run_tables import RunTables
from ...base.table_columns import Made, words
from ...base.topic import Section, Topic, TopicFigure, TopicTable
from ...base.units_and_ratios import S_PER_DAY, S_PER_H

STATES = (("on", "hosts_on", HERE), ("switching", "hosts_switching", LEAST))


def rests(run: PlayedCase) -> bool:
    """Return whether any host was ever at rest, or switched."""
    return bool(run.outcome.rest.rest_s.any() or len(run.records["power_events"]["time_s"]))


def rest_values(run: PlayedCase) -> dict[str, float]:
    """Return the figures by name, none where all hosts were on all the time."""
    if not rests(run):
        return {}
    rest = run.outcome.rest
    days = max(run.end_s / S_PER_DAY, 1.0)
    return {
        "switching_kwh": float(rest.switching_j.sum()) / JOULE_PER_KWH,
        "rest_kwh": float(rest.rest_j.sum()) / JOULE_PER_KWH,
        "host_cycles_max": float(run.farm.accounts.stops.max(initial=0)) / days,
    }


def rest_columns(run: PlayedCase) -> dict[str, Made]:
    """Return what the table of hosts tells of rest and switching."""
    rest = run.outcome.rest
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


def power_events(run: PlayedCase) -> dict[str, Made]:
    """Return each change of a host's power state, in order of time."""
    table = run.records["power_events"]
    return {
        "time_s": (table["time_s"], "s", "When it happened."),
        "host": (run.names.host(table["host"]), "", "Host that changed."),
        "state": (words(table["state"], POWER_STATES), "", "State from then on."),
        "rest": (
            words(table["depth"], DEPTHS),
            "",
            "State of rest that it is in, on its way to or out of; off where it is none of these.",
        ),
        "cause": (run.texts(table["cause"]), "", "Why."),
    }


def sleep_refusals(run: PlayedCase) -> dict[str, Made]:
    """Return the hosts that limits kept awake, each once until another limit did."""
    table = run.records["sleep_refusals"]
    reason = "Field of `policies.power` that kept it awake."
    return {
        "time_s": (table["time_s"], "s", "Round in which it was to rest."),
        "host": (run.names.host(table["host"]), "", "Host that stayed awake."),
        "reason": (run.texts(table["reason"]), "", reason),
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


POWER_STATES_TOPIC = Topic(
    name="power states",
    values=rest_values,
    tables=(
        TopicTable("power_events", power_events),
        TopicTable(
            "sleep_refusals",
            sleep_refusals,
            lambda run: len(run.records["sleep_refusals"]["time_s"]) > 0,
            "Only where limits of `policies.power` kept hosts awake.",
        ),
    ),
    figures=(
        TopicFigure(
            "power_states",
            "Hosts by power state",
            "Hosts on, on their way between rest and work, and at rest.",
            power_states,
            lambda result: "switching_kwh" in result.summary,
            "Only where a host was off or asleep, or switched.",
        ),
    ),
    section=Section("Power states", ("switching_kwh", "rest_kwh", "host_cycles_max")),
)
