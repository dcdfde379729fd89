"""Figures of migrations: how many, how long VMs were away, what links carried."""

from itertools import pairwise
from typing import Any

import numpy as np

from ....models.base.arrays import Floats, distinct
from ...base.arrow_arrays import numpy_array
from ...base.plotting import MAIN, Figure, figure, hours
from ...base.run_tables import RunTables
from ...base.topic import TopicFigure
from ...base.wording import lasting
from .timeline import MAX_MIGRATIONS, phase_timeline

SHOWN_LINKS = 10
MAX_BARS = 288
MIN_S = 1e-3
NARROW = 5.0
"""A range of downtimes that is narrower than this ratio is shown in steps of equal width."""


def downtime(result: RunTables) -> Figure:
    """Show how many migrations kept their VM away for how long.

    Only migrations that ended and whose model knows a downtime count.

    Percentages are of the migrations that are shown. Without any there is one empty bar.
    """
    table = result.table("migrations")
    away_s = numpy_array(table["downtime_s"])[numpy_array(table["finished"])].astype(float)
    away_s = away_s[~np.isnan(away_s)]
    edges_s = _edges(away_s)
    counts = np.histogram(np.clip(away_s, edges_s[0], edges_s[-1]), edges_s)[0]
    labels = [_between(low, high) for low, high in pairwise(edges_s.tolist())]
    part = counts / max(len(away_s), 1) * 100
    bars = {
        "type": "bar",
        "x": labels,
        "y": counts,
        "marker": {"color": MAIN},
        "text": [f"{share:.3g} %" if share else "" for share in part],
        "textposition": "outside",
        "cliponaxis": False,
        "hovertemplate": "%{x}: %{y:,.0f} migrations<extra></extra>",
    }
    return figure(
        [bars],
        "downtime of a migration",
        "moves",
        bargap=0.1,
        hovermode="closest",
        xaxis={"type": "category", "automargin": True},
        margin={"t": 32},
    )


def _edges(values: Floats) -> Floats:
    """Return edges that hold all values: round steps, in ratios 1, 2, 5 where they range far.

    Values are times in s; without any there is one range from 0 to 1.

    At least two edges, ascending. Downtimes range from milliseconds to hours, so that steps of one
    width would put nearly all of them into one bar.
    """
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=0.0))
    if not 0 < high < np.inf:
        return np.array([0.0, 1.0])
    low = max(min(low, high), min(high / NARROW, MIN_S))
    series = np.array([base * 10.0**power for power in range(-9, 9) for base in (1, 2, 5)])
    if high / low < NARROW:
        step = series[np.searchsorted(series, max(high - low, high / 50) / 8)]
        first = np.floor(low / step)
        made: Floats = step * np.arange(first, np.floor(high / step) + 2)
        return made
    first, last = np.searchsorted(series, low, "right") - 1, np.searchsorted(series, high)
    edges: Floats = series[first : last + 1].copy()
    if values.min() < edges[0]:
        edges = np.append(0.0, edges)
    return edges


def _between(low_s: float, high_s: float) -> str:
    """Return the label of a range of times, its unit once where both ends share it."""
    low, high = lasting(low_s), lasting(high_s)
    if not low_s:
        return f"below {high}"
    number, unit = low.split(" ")
    return f"{number}–{high}" if unit == high.split(" ")[1] else f"{low} – {high}"


def links(result: RunTables) -> Figure:
    """Show the links that migrations used most: use of each in every reporting interval.

    A row for each direction of a link, the busiest first; background traffic is included.

    In percent of the bandwidth of the link. Where intervals are more than can be seen, a column
    shows the highest of those it stands for.
    """
    table = result.table("link_series")
    names = list(dict.fromkeys(table["link"].to_pylist()))
    times, label = hours(distinct(numpy_array(table["time_s"])))
    grid = numpy_array(table["utilisation"]).reshape(len(names), len(times)) * 100
    times, grid = _coarser(times, grid)
    top = float(grid.max(initial=0.0)) or 100.0
    trace = {
        "type": "heatmap",
        "z": [[round(float(cell), 2) for cell in line] for line in grid],
        "x": times,
        "y": names,
        "zmin": 0,
        "zmax": min(100.0, top),
        "colorscale": [[0, "#f2f5f8"], [0.3, "#9dc3e6"], [0.7, MAIN], [1, "#0b2a45"]],
        "colorbar": {"title": {"text": "% in use"}, "thickness": 14},
        "hovertemplate": "%{y}<br>%{x:.2f}: %{z:.3g} %<extra></extra>",
    }
    return figure(
        [trace],
        f"time ({label})",
        "",
        height=130 + 30 * max(len(names), 1),
        hovermode="closest",
        yaxis={"autorange": "reversed", "type": "category", "automargin": True},
    )


def _coarser(times: Floats, grid: Floats) -> tuple[Floats, Floats]:
    """Return at most so many columns as can be seen, each the highest of those it stands for."""
    if len(times) <= MAX_BARS:
        return times, grid
    first = np.arange(MAX_BARS) * len(times) // MAX_BARS
    return times[first], np.maximum.reduceat(grid, first, axis=1)


def sent(result: RunTables) -> Figure:
    """Show what migrations sent over the network in each interval, GiB.

    What a phase sent is spread evenly over its time.

    Unlike ``copied_gib``, this is what went over links, without cross traffic.
    """
    series = result.table("farm_series")
    times_s = numpy_array(series["time_s"])
    first = np.arange(min(len(times_s), MAX_BARS)) * len(times_s) // min(len(times_s), MAX_BARS)
    ends_s = np.append(times_s[first], times_s[-1] + numpy_array(series["interval_s"])[-1])
    phases = result.table("migration_phases")
    start_s, end_s, gib = (numpy_array(phases[name]) for name in ("start_s", "end_s", "sent_gib"))
    carries = gib > 0
    start_s, end_s, gib = start_s[carries], end_s[carries], gib[carries]
    length_s = np.where(end_s > start_s, end_s - start_s, 1.0)
    by_then = [(gib * np.clip((edge - start_s) / length_s, 0, 1)).sum() for edge in ends_s]
    times, label = hours(times_s[first])
    bars = {
        "type": "bar",
        "x": times,
        "y": np.diff(by_then),
        "marker": {"color": MAIN},
        "hovertemplate": "%{y:,.3g} GiB",
    }
    return figure([bars], f"time ({label})", "sent by migrations (GiB)", bargap=0.05)


def migrations(result: RunTables) -> Figure:
    """Show how many migrations began in each interval; long runs have wider bars.

    Begun, not ended: a migration that lasts several intervals counts in the first.
    """
    series = result.table("farm_series")
    times, label = hours(numpy_array(series["time_s"]))
    counts = numpy_array(series["migrations_started"]).astype(float)
    times, counts = _binned(times, counts, MAX_BARS)
    bars = {
        "type": "bar",
        "x": times,
        "y": counts,
        "marker": {"color": MAIN},
        "hovertemplate": "%{y:,.0f} migrations",
    }
    return figure([bars], f"time ({label})", "migrations started", bargap=0.05)


def _binned(x: Any, y: Any, most: int) -> tuple[Any, Any]:
    """Return at most so many bars, each the sum of those it stands for."""
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), most + 1).astype(np.int64)[:-1]
    return x[edges], np.add.reduceat(y, edges)


def migrations_of(result: RunTables) -> dict[str, Any] | None:
    """Return counts, GiB sent, energy, and the busiest links; None without a network.

    ``unmodelled`` counts moves that ended and whose model knows no downtime. ``energy_kwh`` is
    attributed by bytes sent; ``saved_kwh`` is what the baseline drew more, None without one. Links
    are rows of the table ``links`` in order of mean utilisation by moves.

    ``sent_gib`` and ``energy_kwh`` include migrations that had not ended as the run did. Only links
    that migrations used are listed, at most ten.
    """
    if "links" not in result.tables:
        return None
    moves, links = result.table("migrations"), result.table("links")
    finished = numpy_array(moves["finished"])
    saved = result.summary.get("saved_energy_kwh")
    use = numpy_array(links["utilisation_mean"]) - numpy_array(links["background"])
    rows = np.argsort(-use, kind="stable")[:SHOWN_LINKS]
    busiest = [links.slice(row, 1).to_pylist()[0] for row in rows.tolist() if use[row] > 0]
    peak = int(np.argmax(numpy_array(links["utilisation_max"])))
    return {
        "begun": len(finished),
        "ended": int(finished.sum()),
        "unmodelled": int((finished & np.isnan(numpy_array(moves["downtime_s"]))).sum()),
        "sent_gib": float(numpy_array(moves["copied_gib"]).sum()),
        "energy_kwh": result.value("migration_energy_kwh"),
        "run_kwh": result.value("energy_kwh"),
        "saved_kwh": saved["value"] if saved else None,
        "peak_link": links.slice(peak, 1).to_pylist()[0] if busiest else None,
        "links": busiest,
    }


def _over_network(result: RunTables) -> bool:
    return "links" in result.tables and result.table("migrations").num_rows > 0


def _with_downtime(result: RunTables) -> bool:
    return _over_network(result) and "downtime_mean_s" in result.summary


ONLY_OVER_NETWORK = "Only where migrations go over a network."
MIGRATION_FIGURES = (
    TopicFigure(
        "migrations", "Migrations over time", "Migrations started per interval.", migrations
    ),
)
NETWORK_FIGURES = (
    TopicFigure(
        "migration_phases",
        "Migrations and their phases",
        f"Each line is a migration from its decision to its end; at most the {MAX_MIGRATIONS} "
        "longest, grouped by the time of decision (left, hours:minutes into the run). The colour "
        "is the state of the VM; hover over a bar for names.",
        phase_timeline,
        _over_network,
        ONLY_OVER_NETWORK,
    ),
    TopicFigure(
        "downtime",
        "Downtime of migrations",
        "Number of migrations by the time in which the VM was stopped or unreachable.",
        downtime,
        _with_downtime,
        ONLY_OVER_NETWORK,
    ),
    TopicFigure(
        "link_utilisation",
        "The busiest links over time",
        "Link utilisation per reporting interval, including background traffic, for each "
        "direction of the ten links used most by migrations.",
        links,
        _over_network,
        ONLY_OVER_NETWORK,
    ),
    TopicFigure(
        "migration_traffic",
        "Sent by migrations over time",
        "Data sent by migrations per interval.",
        sent,
        _over_network,
        ONLY_OVER_NETWORK,
    ),
)
"""Figures of runs in which something was moved over a network."""
