"""Applications in the report: load against capacity, and what was decided about it."""

from typing import Any

import numpy as np

from ...base.arrow_arrays import numpy_array
from ...base.plotting import FILL, MAIN, OTHER, WARM, Figure, figure, hours, line, second_axis
from ...base.run_tables import RunTables
from ...base.topic import TopicFigure

MAX_DECISIONS = 40


def applications(result: RunTables) -> Figure:
    """Load, capacity and members wanted of the application with the most load, over time.

    Members have an axis on the right.

    Load and capacity are in GHz, means of the reporting intervals; capacity is that of members that
    run, so that a shortage shows as load above the filled area.
    """
    table = result.table("application_series")
    rows = np.flatnonzero(np.array(table["application"].to_pylist()) == largest(result))
    times, label = hours(numpy_array(table["time_s"])[rows])

    def course(name: str, title: str, colour: str, unit: str, **more: Any) -> dict[str, Any]:
        values = numpy_array(table[name])[rows]
        return line(times, values, title, colour, f"%{{y:,.1f}} {unit}", **more)

    filled = {"fill": "tozeroy", "fillcolor": FILL}
    right = {"yaxis": "y2", "dash": "dot", "width": 1.5}
    lines = [
        course("capacity_ghz", "capacity of running members", MAIN, "GHz", **filled),
        course("load_ghz", "load", WARM, "GHz"),
        course("desired", "desired members (right)", OTHER, "members", **right),
    ]
    return figure(lines, f"time ({label})", "GHz", margin={"r": 60}, yaxis2=second_axis("members"))


def largest(result: RunTables) -> str:
    """Return the name of the application with the most load, the first in case of ties."""
    table = result.table("applications")
    row = int(np.argmax(numpy_array(table["load_ghz_h"])))
    return str(table["application"][row].as_py())


def elasticity_of(result: RunTables) -> dict[str, Any] | None:
    """Return the report's text on applications; None without applications.

    ``free`` names those without a penalty, ``decisions`` are the first of ``made``.

    At most :data:`MAX_DECISIONS` decisions are listed. An application without a decision has a row
    as well.
    """
    if "applications" not in result.tables:
        return None
    decisions = result.table("scaling").to_pylist()
    applications = result.table("applications").to_pylist()
    return {
        "applications": applications,
        "free": [row["application"] for row in applications if row["penalty"] is None],
        "decisions": decisions[:MAX_DECISIONS],
        "made": len(decisions),
        "largest": largest(result),
    }


ELASTICITY_FIGURES = (
    TopicFigure(
        "applications",
        "Load and capacity of an application",
        "The application with the highest load; all are in the table application_series. Capacity "
        "below the load means that members started late or reached their maximum.",
        applications,
        lambda result: "applications" in result.tables,
        "Only where there are applications.",
    ),
)
