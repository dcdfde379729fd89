"""Figures of a run, as Plotly takes them; each takes a result and nothing else.

They are plain mappings with ``data`` and ``layout``: importing the classes of Plotly and having
them check what is written here once and for all would add a tenth to a short run.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...models.base.arrays import Floats
from ..base.plotting import (
    FILL,
    FURTHER,
    HERE,
    LEAST,
    OTHER,
    Figure,
    figure,
    hours,
    literal,
    thinned,
)
from ..base.run_tables import RunTables
from ..topics.elasticity.figures import ELASTICITY_FIGURES, ELASTICITY_TITLES
from ..topics.lifecycle.figures import LIFE_FIGURES, LIFE_TITLES
from ..topics.migration.figures import NETWORK_FIGURES, NETWORK_TITLES
from ..topics.power_states import REST_FIGURES
from ..topics.reserve import RESERVE_FIGURES


def _column(result: RunTables, table: str, name: str) -> Any:
    return result.table(table)[name].to_numpy()


def _series(
    result: RunTables, column: str, scale: float, x_title: str, y_title: str, unit: str
) -> Figure:
    lines: list[tuple[RunTables, str, str]] = [(result, HERE, "this run")]
    for baseline, about, colour in zip(
        result.baselines, result.summary["baselines"], (OTHER, *FURTHER), strict=False
    ):  # fmt: skip
        lines.insert(len(lines) - 1, (baseline, colour, str(about["label"])))
    label, traces = "", []
    for source, colour, name in lines:
        times, label = hours(_column(source, "farm_series", "time_s"))
        times, values = thinned(times, _column(source, "farm_series", column) * scale)
        traces.append(
            {
                "type": "scatter", "x": times, "y": values, "name": name, "mode": "lines",
                "line": {"color": colour, "width": 2, "shape": "hv"},
                "fill": "tozeroy" if source is result else "none", "fillcolor": FILL,
                "hovertemplate": f"%{{y:,.1f}} {unit}",
            }
        )  # fmt: skip
    return figure(traces, x_title.format(label), y_title)


def power(result: RunTables) -> Figure:
    """Power of the servers over time, with the baseline's."""
    return _series(result, "power_w", 1e-3, "time ({})", "power of the servers (kW)", "kW")


def hosts_on(result: RunTables) -> Figure:
    """Hosts switched on over time, with the baseline's and the fewest that could do the work."""
    made = _series(result, "hosts_on", 1.0, "time ({})", "hosts on", "hosts")
    times, _ = hours(_column(result, "bounds", "time_s"))
    times, least = thinned(times, _column(result, "bounds", "hosts_bound"))
    made["data"].append(
        {
            "type": "scatter", "x": times, "y": least, "name": "at least", "mode": "lines",
            "line": {"color": LEAST, "width": 2, "dash": "dot", "shape": "hv"},
            "hovertemplate": "%{y:,.1f} hosts",
        }
    )  # fmt: skip
    return made


def heatmap(result: RunTables) -> Figure:
    """Utilisation over hosts and time; blank where a host is off."""
    rows = _column(result, "utilisation_map", "row")
    starts = _column(result, "utilisation_map", "start_s")
    row_values, row = np.unique(rows, return_inverse=True)
    start_values, column = np.unique(starts, return_inverse=True)
    share = _column(result, "utilisation_map", "utilisation")
    on = _column(result, "utilisation_map", "on_share")
    grid = np.full((len(row_values), len(start_values)), np.nan)
    used = np.divide(share, on, out=np.full(len(share), np.nan), where=on > 0)
    grid[row.reshape(-1), column.reshape(-1)] = np.minimum(used, 1.0) * 100
    times, label = hours(start_values)
    names = result.table("utilisation_map")["first_host"][: len(row_values)].to_pylist()
    labels = [str(name) for name in names]
    cells = [[None if np.isnan(cell) else round(float(cell), 1) for cell in line] for line in grid]
    trace = {
        "type": "heatmap", "z": cells, "x": times, "y": labels, "zmin": 0, "zmax": 100,
        "colorscale": [[0, "#eaf2f8"], [0.5, "#5b9bd5"], [0.8, "#12436d"], [1, "#c1440e"]],
        "colorbar": {"title": {"text": "% of CPU"}, "thickness": 14},
        "hovertemplate": "%{y}<br>%{x:.2f}: %{z:.0f} %<extra></extra>",
    }  # fmt: skip
    ticks = labels[:: max(1, len(labels) // 8)]
    return figure(
        [trace], f"time ({label})", "host", height=480, margin={"t": 44}, hovermode="closest",
        yaxis={"tickvals": ticks, "autorange": "reversed", "type": "category",
               "automargin": True},
    )  # fmt: skip


def load_duration(result: RunTables) -> Figure:
    """Load-duration curve: CPU delivered, and CPU switched on, for what part of the time."""
    traces = []
    weights = _column(result, "farm_series", "interval_s")
    for name, column, colour, dash in (
        ("CPU switched on", "capacity_on_ghz", OTHER, "dot"),
        ("CPU delivered", "delivered_ghz", HERE, "solid"),
    ):
        values = _column(result, "farm_series", column)
        order = np.argsort(-values, kind="stable")
        part = np.cumsum(weights[order]) / weights.sum() * 100
        x, y = thinned(np.append(0.0, part), np.append(values[order][:1], values[order]))
        traces.append(
            {
                "type": "scatter", "x": x, "y": y, "name": name, "mode": "lines",
                "line": {"color": colour, "width": 2, "dash": dash},
                "hovertemplate": "%{y:,.1f} GHz",
            }
        )  # fmt: skip
    return figure(traces, "part of the time (%) at or above", "CPU (GHz)")


def migrations(result: RunTables) -> Figure:
    """Migrations begun per interval."""
    times, label = hours(_column(result, "farm_series", "time_s"))
    counts = _column(result, "farm_series", "migrations_started").astype(float)
    times, counts = _binned(times, counts, 288)
    bars = {
        "type": "bar", "x": times, "y": counts, "marker": {"color": HERE},
        "hovertemplate": "%{y:,.0f} moves",
    }  # fmt: skip
    return figure([bars], f"time ({label})", "migrations begun", bargap=0.05)


def _binned(x: Any, y: Any, most: int) -> tuple[Any, Any]:
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), most + 1).astype(np.int64)[:-1]
    return x[edges], np.add.reduceat(y, edges)


def busiest(result: RunTables) -> Figure:
    """Show the ten busiest hosts: mean, P95 and highest utilisation while on."""
    names, mean, high, peak = busiest_hosts(result)
    bars = [
        {
            "type": "bar", "y": names, "x": values, "name": label, "orientation": "h",
            "marker": {"color": colour}, "hovertemplate": "%{x:.0f} %",
        }
        for label, values, colour in (
            ("mean", mean, HERE), ("P95", high, "#5b9bd5"), ("highest", peak, "#c9d6e3"),
        )
    ]  # fmt: skip
    return figure(
        bars, "utilisation while on (%)", "", barmode="group", height=420,
        hovermode="y unified", xaxis={"range": [0, 100]},
        yaxis={"autorange": "reversed", "automargin": True, "type": "category"},
    )  # fmt: skip


def busiest_hosts(result: RunTables) -> tuple[list[str], Floats, Floats, Floats]:
    """Return name, mean, P95 and highest utilisation in percent of the ten busiest hosts.

    Busiest by work done: CPU delivered over the whole run.
    """
    mean = _column(result, "hosts", "utilisation_mean")
    capacity_h = _column(result, "hosts", "on_h") * _column(result, "hosts", "cpu_mhz")
    work = mean * capacity_h
    rows = np.argsort(-work, kind="stable")[:10]
    rows = rows[work[rows] > 0]
    # Not take(): it imports pyarrow.compute, which costs more than all the rest of a figure.
    names = result.table("hosts")["host"]
    return (
        [str(names[row].as_py()) for row in rows.tolist()],
        mean[rows] * 100,
        _column(result, "hosts", "utilisation_p95")[rows] * 100,
        _column(result, "hosts", "utilisation_max")[rows] * 100,
    )


def drawable(result: RunTables) -> dict[str, Callable[[RunTables], Figure]]:
    """Return the figures that a result has, by name."""
    over_network = "links" in result.tables and result.table("migrations").num_rows
    moves = dict(NETWORK_FIGURES) if over_network else {}
    if "downtime_mean_s" not in result.summary:
        moves.pop("downtime", None)
    kept = RESERVE_FIGURES if "reserve" in result.tables else {}
    if "population" in result.tables:
        kept = kept | LIFE_FIGURES
    if "applications" in result.tables:
        kept = kept | ELASTICITY_FIGURES
    if "switching_kwh" in result.summary:
        kept = kept | REST_FIGURES
    found = FIGURES | kept | moves
    return {name: literal(draw) for name, draw in found.items()}


FIGURES: dict[str, Callable[[RunTables], Figure]] = {
    "power": power,
    "hosts_on": hosts_on,
    "heatmap": heatmap,
    "load_duration": load_duration,
    "migrations": migrations,
    "busiest": busiest,
}

TITLES: dict[str, str] = {
    "power": "Power over time",
    "hosts_on": "Hosts switched on over time",
    "heatmap": "Utilisation over hosts and time",
    "load_duration": "Load-duration curve",
    "migrations": "Migrations over time",
    "busiest": "The ten busiest hosts",
    "reserve": "Left beyond the reserve",
    "power_states": "Hosts by power state",
    **LIFE_TITLES,
    **ELASTICITY_TITLES,
    **NETWORK_TITLES,
}
