"""Figures of VM arrivals and departures and of host failures."""

from typing import Any

import numpy as np

from ...base.arrow_arrays import numpy_array
from ...base.plotting import FILL, MAIN, OTHER, WARM, Figure, figure, hours, line
from ...base.run_tables import RunTables
from ...base.topic import TopicFigure

MAX_MARKS = 60
"""Outages that are shaded; more of them would hide the lines, and are left to the table."""

STATES = {"running": MAIN, "starting": "#5b9bd5", "waiting": OTHER, "down": WARM}


def population(result: RunTables) -> Figure:
    """VMs that run, start, wait and are down, with the outages that took VMs behind them.

    States in which no VM ever was are left out, running apart.

    Counts at reporting instants.
    """
    table = result.table("population")
    seconds = numpy_array(table["time_s"])
    scale, label = _scale(seconds)
    traces = []
    for name, colour in STATES.items():
        counts = numpy_array(table[name]).astype(float)
        if name != "running" and not counts.any():
            continue
        filled: dict[str, Any] = {
            "fill": "tozeroy" if name == "running" else "none",
            "fillcolor": FILL,
        }
        hover = "%{y:,.0f} VMs"
        traces.append(line(seconds / scale, counts, name, colour, hover, shape=None, **filled))
    return figure(traces, f"time ({label})", "VMs", shapes=_marks(result, scale))


def _scale(seconds: Any) -> tuple[float, str]:
    """Return how many seconds the unit of the time axis has, and its name."""
    _, label = hours(seconds)
    return (86_400.0 if label == "days" else 3600.0), label


def _marks(result: RunTables, scale: float) -> list[dict[str, Any]]:
    """Return a shade for every outage that took VMs, the largest if there are too many.

    None where nothing failed, or no failure took a VM.

    At most :data:`MAX_MARKS`, those that took most VMs.
    """
    table = result.tables.get("outages")
    if table is None:
        return []
    vms = numpy_array(table["vms"])
    rows = np.argsort(-vms, kind="stable")[:MAX_MARKS]
    start, end = numpy_array(table["start_s"]) / scale, numpy_array(table["end_s"]) / scale
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "x0": float(start[row]),
            "x1": float(end[row]),
            "layer": "below",
            "fillcolor": WARM,
            "opacity": 0.12,
            "line": {"width": 0},
        }
        for row in rows.tolist()
        if vms[row]
    ]


LIFE_FIGURES = (
    TopicFigure(
        "population",
        "VMs running, starting, waiting and down",
        "Counted at the instants of the series. Shaded: an outage that stopped VMs.",
        population,
        lambda result: "population" in result.tables,
        "Only where VMs come and go or hosts fail.",
    ),
)
