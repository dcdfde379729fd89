"""Figures of moves over a network: phase by phase, downtime, links and bytes."""

from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup

from ....models.base.arrays import Floats
from ...base.plotting import MAIN, Figure, figure, hours
from ...base.run_tables import RunTables
from ...base.topic import TopicFigure
from ...base.wording import lasting, time_unit

SHOWN_LINKS = 10
MAX_MIGRATIONS = 150
MAX_NAMED_MIGRATIONS = 40
LABEL_PX = 15
MAX_BARS = 288
MIN_S = 1e-3
NARROW = 5.0
"""A range of downtimes that is narrower than this ratio is shown in steps of equal width."""
WAITING, COPYING, DOWN, AWAY, REST = (
    "waits for the target or a free slot",
    "is copied while it runs",
    "stands still",
    "runs at the target, pages still away",
    "runs: preparing, finishing",
)
KIND_OF = {
    "first pass": COPYING, "round": COPYING, "storage": COPYING, "replicate": COPYING,
    "stop and copy": DOWN, "copy": DOWN, "switch": DOWN, "resume": DOWN, "announce": DOWN,
    "shut down": DOWN, "boot": DOWN, "convert": DOWN, "undo": DOWN,
    "pull": AWAY,
}  # fmt: skip
"""What a VM goes through in a phase; in those not named it runs as if nothing were."""
COLOURS = {
    WAITING: "#d8dee4", REST: "#9dc3e6", COPYING: MAIN, AWAY: "#e0a100", DOWN: "#c1440e",
}  # fmt: skip
CUT_OFF = "not ended within the run"


def phase_timeline(result: RunTables) -> Figure:
    """Show the moves that took longest: a line each, its phases from the decision on."""
    moves = result.table("migrations").to_pydict()
    took_s = np.array(moves["end_s"]) - np.array(moves["decided_s"])
    longest = np.argsort(-took_s, kind="stable")[:MAX_MIGRATIONS].tolist()
    rows = sorted(longest, key=lambda row: (moves["decided_s"][row], moves["end_s"][row], row))
    scale_s, unit = time_unit(float(took_s.max(initial=0.0)))
    bars = _bars(result, moves, rows)
    traces = [
        {
            "type": "bar", "orientation": "h", "name": kind, "width": 0.92,
            "y": [bar[1] for bar in bars if bar[0] == kind],
            "base": [round(bar[2] / scale_s, 5) for bar in bars if bar[0] == kind],
            "x": [round(bar[3] / scale_s, 5) for bar in bars if bar[0] == kind],
            "hovertext": [bar[4] for bar in bars if bar[0] == kind],
            "hovertemplate": "%{hovertext}<extra></extra>", "marker": {"color": colour},
        }
        for kind, colour in {**COLOURS, CUT_OFF: "#57606a"}.items()
        if any(bar[0] == kind for bar in bars)
    ]  # fmt: skip
    height = int(np.clip(22 * len(rows), 170, 840)) + 120
    ticks, lines = _row_labels(moves, rows, (height - 120) / max(len(rows), 1))
    return figure(
        traces, f"time since the move was decided ({unit})", "", height=height,
        barmode="overlay", bargap=0, hovermode="closest", shapes=lines,
        legend={"y": 1.0, "yanchor": "bottom", "traceorder": "normal"}, margin={"t": 60},
        yaxis={"range": [len(rows) - 0.5, -0.5], "showgrid": False, "automargin": True,
               "rangemode": "normal", "tickvals": list(ticks), "ticktext": list(ticks.values())},
    )  # fmt: skip


def _bars(
    result: RunTables, moves: dict[str, list[Any]], rows: list[int]
) -> list[tuple[str, int, float, float, str]]:
    """Return kind, line, begin since the decision, length and text of every bar."""
    line_of = {row: line for line, row in enumerate(rows)}
    bars = []
    for row, line in line_of.items():
        waited_s, decided_s = moves["waited_s"][row], moves["decided_s"][row]
        bars.append((WAITING, line, 0.0, waited_s, _hover_text(moves, row, "waiting", waited_s)))
    seen: set[int] = set()
    for row, phase, start_s, end_s, times in _merged(result, line_of):
        seen.add(row)
        name = f"{phase}, {times} times" if times > 1 else phase
        reporting_os_errors = _hover_text(moves, row, name, end_s - start_s)
        begin_s = start_s - moves["decided_s"][row]
        bars.append(
            (KIND_OF.get(phase, REST), line_of[row], begin_s, end_s - start_s, reporting_os_errors)
        )
    for row in line_of.keys() - seen:
        start_s, decided_s = moves["start_s"][row], moves["decided_s"][row]
        lasted_s = moves["end_s"][row] - start_s
        reporting_os_errors = _hover_text(moves, row, CUT_OFF, lasted_s)
        bars.append((CUT_OFF, line_of[row], start_s - decided_s, lasted_s, reporting_os_errors))
    return [bar for bar in bars if bar[3] > 0]


def _merged(result: RunTables, wanted: dict[int, int]) -> list[tuple[int, str, float, float, int]]:
    """Return the phases of some moves; phases of one name in a row are one."""
    table = result.table("migration_phases").to_pydict()
    found: list[tuple[int, str, float, float, int]] = []
    for row, phase, start_s, end_s in zip(
        table["move"], table["phase"], table["start_s"], table["end_s"], strict=True
    ):
        if row not in wanted:
            continue
        if found and found[-1][:2] == (row, phase):
            *_, first_s, _, times = found.pop()
            found.append((row, phase, first_s, end_s, times + 1))
        else:
            found.append((row, phase, start_s, end_s, 1))
    return found


def _hover_text(moves: dict[str, list[Any]], row: int, phase: str, length_s: float) -> str:
    unblocked_by = f"{moves['vm'][row]}: {moves['source'][row]} → {moves['target'][row]}"
    text = Markup("{}<br>decided at {}<br>{}: {:,.3g} s")
    return text.format(unblocked_by, clock(moves["decided_s"][row]), phase, length_s)


def _row_labels(
    moves: dict[str, list[Any]], rows: list[int], row_px: float
) -> tuple[dict[int, str], list[dict[str, Any]]]:
    """Return labels by line, as many as there is room for, and a line between instants."""
    decided_s = [moves["decided_s"][row] for row in rows]
    firsts = [
        line for line in range(len(rows)) if not line or decided_s[line] != decided_s[line - 1]
    ]
    if len(rows) <= MAX_NAMED_MIGRATIONS:
        labels = {
            line: f"{clock(decided_s[line])}  {moves['vm'][row]}" for line, row in enumerate(rows)
        }
    else:
        labels, last = {}, -LABEL_PX / row_px
        for line in firsts:
            if (line - last) * row_px >= LABEL_PX:
                count = decided_s.count(decided_s[line])
                labels[line] = f"{clock(decided_s[line])}  {count} move{'s' * (count > 1)}"
                last = line
    shapes = [
        {
            "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": line - 0.5, "y1": line - 0.5,
            "line": {"color": "#d8dee4", "width": 1}, "layer": "below",
        }
        for line in firsts[1:]
    ]  # fmt: skip
    return labels, shapes


def clock(time_s: float) -> str:
    """Return a time since the start of the run as days, hours and minutes, seconds if any."""
    minutes, seconds = divmod(round(time_s), 60)
    days, minutes = divmod(minutes, 1440)
    shown = f"{minutes // 60}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else " h")
    return f"day {days + 1}, {shown}" if days else shown


def downtime(result: RunTables) -> Figure:
    """Show how many moves kept their VM away for how long."""
    table = result.table("migrations")
    away_s = table["downtime_s"].to_numpy()[table["finished"].to_numpy()].astype(float)
    away_s = away_s[~np.isnan(away_s)]
    edges_s = _edges(away_s)
    counts = np.histogram(np.clip(away_s, edges_s[0], edges_s[-1]), edges_s)[0]
    labels = [_between(low, high) for low, high in pairwise(edges_s.tolist())]
    part = counts / max(len(away_s), 1) * 100
    bars = {
        "type": "bar", "x": labels, "y": counts, "marker": {"color": MAIN},
        "text": [f"{share:.3g} %" if share else "" for share in part], "textposition": "outside",
        "cliponaxis": False, "hovertemplate": "%{x}: %{y:,.0f} moves<extra></extra>",
    }  # fmt: skip
    return figure(
        [bars], "downtime of a move", "moves", bargap=0.1, hovermode="closest",
        xaxis={"type": "category", "automargin": True}, margin={"t": 32},
    )  # fmt: skip


def _edges(values: Floats) -> Floats:
    """Return edges that hold all values: round steps, in ratios 1, 2, 5 where they range far."""
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
    low, high = lasting(low_s), lasting(high_s)
    if not low_s:
        return f"below {high}"
    number, unit = low.split(" ")
    return f"{number}–{high}" if unit == high.split(" ")[1] else f"{low} – {high}"


def links(result: RunTables) -> Figure:
    """Show the links that moves used most: use of each in every reporting interval."""
    table = result.table("link_series")
    names = list(dict.fromkeys(table["link"].to_pylist()))
    times, label = hours(np.unique(table["time_s"].to_numpy()))
    grid = table["utilisation"].to_numpy().reshape(len(names), len(times)) * 100
    times, grid = _coarser(times, grid)
    top = float(grid.max(initial=0.0)) or 100.0
    trace = {
        "type": "heatmap", "z": [[round(float(cell), 2) for cell in line] for line in grid],
        "x": times, "y": names, "zmin": 0, "zmax": min(100.0, top),
        "colorscale": [[0, "#f2f5f8"], [0.3, "#9dc3e6"], [0.7, MAIN], [1, "#0b2a45"]],
        "colorbar": {"title": {"text": "% in use"}, "thickness": 14},
        "hovertemplate": "%{y}<br>%{x:.2f}: %{z:.3g} %<extra></extra>",
    }  # fmt: skip
    return figure(
        [trace], f"time ({label})", "", height=130 + 30 * max(len(names), 1),
        hovermode="closest",
        yaxis={"autorange": "reversed", "type": "category", "automargin": True},
    )  # fmt: skip


def _coarser(times: Floats, grid: Floats) -> tuple[Floats, Floats]:
    """Return at most so many columns as can be seen, each the highest of those it stands for."""
    if len(times) <= MAX_BARS:
        return times, grid
    first = np.arange(MAX_BARS) * len(times) // MAX_BARS
    return times[first], np.maximum.reduceat(grid, first, axis=1)


def sent(result: RunTables) -> Figure:
    """Show what moves sent over the network in each interval."""
    series = result.table("farm_series")
    times_s = series["time_s"].to_numpy()
    first = np.arange(min(len(times_s), MAX_BARS)) * len(times_s) // min(len(times_s), MAX_BARS)
    ends_s = np.append(times_s[first], times_s[-1] + series["interval_s"].to_numpy()[-1])
    phases = result.table("migration_phases")
    start_s, end_s, gib = (phases[name].to_numpy() for name in ("start_s", "end_s", "sent_gib"))
    carries = gib > 0
    start_s, end_s, gib = start_s[carries], end_s[carries], gib[carries]
    length_s = np.where(end_s > start_s, end_s - start_s, 1.0)
    by_then = [(gib * np.clip((edge - start_s) / length_s, 0, 1)).sum() for edge in ends_s]
    times, label = hours(times_s[first])
    bars = {
        "type": "bar", "x": times, "y": np.diff(by_then), "marker": {"color": MAIN},
        "hovertemplate": "%{y:,.3g} GiB",
    }  # fmt: skip
    return figure([bars], f"time ({label})", "sent by moves (GiB)", bargap=0.05)


def migrations(result: RunTables) -> Figure:
    """Migrations begun per interval."""
    series = result.table("farm_series")
    times, label = hours(series["time_s"].to_numpy())
    counts = series["migrations_started"].to_numpy().astype(float)
    times, counts = _binned(times, counts, MAX_BARS)
    bars = {
        "type": "bar", "x": times, "y": counts, "marker": {"color": MAIN},
        "hovertemplate": "%{y:,.0f} moves",
    }  # fmt: skip
    return figure([bars], f"time ({label})", "migrations begun", bargap=0.05)


def _binned(x: Any, y: Any, most: int) -> tuple[Any, Any]:
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), most + 1).astype(np.int64)[:-1]
    return x[edges], np.add.reduceat(y, edges)


def migrations_of(result: RunTables) -> dict[str, Any] | None:
    """Return counts, GiB sent, energy, and the busiest links; None without a network.

    ``unmodelled`` counts moves that ended and whose model knows no downtime. ``energy_kwh`` is
    attributed by bytes sent; ``saved_kwh`` is what the baseline drew more, None without one. Links
    are rows of the table ``links`` in order of mean utilisation by moves.
    """
    if "links" not in result.tables:
        return None
    moves, links = result.table("migrations"), result.table("links")
    finished = moves["finished"].to_numpy()
    saved = result.summary.get("saved_energy_kwh")
    use = links["utilisation_mean"].to_numpy() - links["background"].to_numpy()
    rows = np.argsort(-use, kind="stable")[:SHOWN_LINKS]
    busiest = [links.slice(row, 1).to_pylist()[0] for row in rows.tolist() if use[row] > 0]
    peak = int(np.argmax(links["utilisation_max"].to_numpy()))
    return {
        "begun": len(finished),
        "ended": int(finished.sum()),
        "unmodelled": int((finished & moves["downtime_s"].is_null().to_numpy()).sum()),
        "sent_gib": float(moves["copied_gib"].to_numpy().sum()),
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
        "migrations", "Migrations over time", "Live migrations begun per interval.", migrations
    ),
)
NETWORK_FIGURES = (
    TopicFigure(
        "move_phases",
        "Moves and their phases",
        f"Each line is a move, from its decision to its end; at most the {MAX_MIGRATIONS} "
        "that took longest, grouped by the time of their decision (left, hours:minutes into the "
        "run). What the VM does meanwhile is the colour; hold the pointer over a bar for names.",
        phase_timeline,
        _over_network,
        ONLY_OVER_NETWORK,
    ),
    TopicFigure(
        "downtime",
        "How long VMs were away",
        "Moves by the time that their VM stood still or was not reachable.",
        downtime,
        _with_downtime,
        ONLY_OVER_NETWORK,
    ),
    TopicFigure(
        "links",
        "The busiest links over time",
        "Part of the bandwidth in use, mean of each reporting interval, for each direction of "
        "the ten links that moves used most; background traffic included.",
        links,
        _over_network,
        ONLY_OVER_NETWORK,
    ),
    TopicFigure(
        "sent",
        "Sent by moves over time",
        "What moves sent over the network in each interval.",
        sent,
        _over_network,
        ONLY_OVER_NETWORK,
    ),
)
"""Figures of runs in which something was moved over a network."""
