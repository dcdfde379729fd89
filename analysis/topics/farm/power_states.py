"""Hosts at rest: for how long, in which state, and what the switching took."""

import numpy as np

from ....models.base.cost import JOULE_PER_KWH
from ....models.hardware.sleep_states import SLEEP_STATES
from ....models.state.columns import POWER_STATES
from ...base.arrow_arrays import numpy_array
from ...base.played_case import PlayedCase
from ...base.plotting import FILL, MAIN, OTHER, WARM, Figure, figure, hours, line
from ...base.run_tables import RunTables
from ...base.table_columns import Made, words
from ...base.topic import Section, Topic, TopicFigure, TopicTable
from ...base.units_and_ratios import S_PER_DAY, S_PER_H

STATES = (("on", "hosts_on", MAIN), ("switching", "hosts_switching", WARM))


def hosts_rested(run: PlayedCase) -> bool:
    """Return whether any host was ever at rest, or switched."""
    return bool(run.outcome.sleep_record.off_s.any() or len(run.records["power_events"]["time_s"]))


def power_state_values(run: PlayedCase) -> dict[str, float]:
    """Return the figures by name, none where all hosts were on all the time.

    Energies in kWh; ``host_cycles_max`` is per day, in all for a run shorter than a day.

    ``host_cycles_max`` is how often the most switched host was switched off, which wears it out.
    Energy of power state transitions is that of booting, stopping, and of going to rest and coming
    back.
    """
    if not hosts_rested(run):
        return {}
    sleep_record = run.outcome.sleep_record
    days = max(run.end_s / S_PER_DAY, 1.0)
    return {
        "switching_kwh": float(sleep_record.switching_j.sum()) / JOULE_PER_KWH,
        "powered_down_kwh": float(sleep_record.off_j.sum()) / JOULE_PER_KWH,
        "host_cycles_max": float(run.farm.accounts.stops.max(initial=0)) / days,
    }


def power_state_columns(run: PlayedCase) -> dict[str, Made]:
    """Return what the table of hosts tells of rest and switching.

    Hours in each state of rest, and kWh at rest and in switching; 0 for hosts that were always on.
    """
    sleep_record = run.outcome.sleep_record
    columns: dict[str, Made] = {
        f"{state}_h": (sleep_record.off_s[depth] / S_PER_H, "h", f"Time in the state {state}.")
        for depth, state in enumerate(SLEEP_STATES)
    }
    drawn = "Energy used while booting, stopping, or entering or leaving a sleep state."
    return {
        **columns,
        "powered_down_kwh": (
            sleep_record.off_j.sum(axis=0) / JOULE_PER_KWH,
            "kWh",
            "Energy used while powered down.",
        ),
        "switching_kwh": (sleep_record.switching_j / JOULE_PER_KWH, "kWh", drawn),
    }


def power_events(run: PlayedCase) -> dict[str, Made]:
    """Return each change of a host's power state, in order of time, with its cause.

    What hosts are in as the run begins is not an event.

    Without switching the table has no rows; the figure of power states is then left out.
    """
    table = run.records["power_events"]
    return {
        "time_s": (table["time_s"], "s", "When it happened."),
        "host": (run.names.host(table["host"]), "", "Host that changed."),
        "state": (words(table["state"], POWER_STATES), "", "New state."),
        "sleep_state": (
            words(table["sleep_state"], SLEEP_STATES),
            "",
            "Sleep state that it is in, entering or leaving; off if none.",
        ),
        "cause": (run.texts(table["cause"]), "", "Why."),
    }


def sleep_refusals(run: PlayedCase) -> dict[str, Made]:
    """Return the hosts that limits kept awake, each once until another limit did.

    A host that the same limit keeps awake round after round has one row.
    """
    table = run.records["sleep_refusals"]
    reason = "Field of `policies.power` that kept it on."
    return {
        "time_s": (table["time_s"], "s", "Round in which it was to be powered down."),
        "host": (run.names.host(table["host"]), "", "Host that stayed on."),
        "reason": (run.texts(table["reason"]), "", reason),
    }


def power_states(result: RunTables) -> Figure:
    """Hosts by power state over time, those of the farm on top of one another.

    Whatever is neither on nor switching is powered down or failed.

    Means of the reporting intervals, so that a host may count in several states with a part each.
    """
    series = result.table("farm_series")
    hosts = result.value("hosts") or 0.0
    shown = [(name, numpy_array(series[column]), colour) for name, column, colour in STATES]
    remaining = np.maximum(hosts - np.sum([values for _, values, _ in shown], axis=0), 0.0)
    traces, label = [], ""
    for name, values, colour in [*shown, ("powered down or failed", remaining, OTHER)]:
        times, label = hours(numpy_array(series["time_s"]))
        fill = {"stackgroup": "hosts", "fillcolor": FILL if colour == MAIN else colour}
        traces.append(line(times, values, name, colour, "%{y:,.1f} hosts", width=1, **fill))
    return figure(traces, f"time ({label})", "hosts")


POWER_STATES_TOPIC = Topic(
    name="power states",
    values=power_state_values,
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
            "Hosts on, in transition between power states, and powered down.",
            power_states,
            lambda result: "switching_kwh" in result.summary,
            "Only where a host was off or asleep, or switched.",
        ),
    ),
    section=Section("Power states", ("switching_kwh", "powered_down_kwh", "host_cycles_max")),
)
