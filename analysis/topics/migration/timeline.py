"""The timeline of migrations: a line each, coloured by what its VM goes through."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from ...base.plotting import MAIN, Figure, figure
from ...base.run_tables import RunTables
from ...base.wording import time_unit

MAX_MIGRATIONS = 150
MAX_NAMED_MIGRATIONS = 40
LABEL_PX = 15
WAITING, COPYING, DOWN, AWAY, REST = (
    "waits for the target or a free slot",
    "is copied while it runs",
    "is stopped",
    "runs at the target, pages still at the source",
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
    WAITING: "#d8dee4",
    REST: "#9dc3e6",
    COPYING: MAIN,
    AWAY: "#e0a100",
    DOWN: "#c1440e",
}
CUT_OFF = "not ended within the run"


Moves = dict[str, list[Any]]
"""Columns of the table of migrations."""


class _Bar(NamedTuple):
    """A bar of the timeline: its kind, its line, from when on since the decision, for how long."""

    kind: str
    line: int
    begin_s: float
    length_s: float
    text: str


def phase_timeline(result: RunTables) -> Figure:
    """Show the migrations that took longest: a line each, its phases from the decision on.

    At most :data:`MAX_MIGRATIONS`, in the order of their decisions. Few lines are labelled with
    their VM, many with instants of decision and the number of migrations decided then.

    The time axis starts for each migration at its decision, so that lines can be compared; when
    that was is at the left.
    """
    moves = result.table("migrations").to_pydict()
    took_s = np.array(moves["end_s"]) - np.array(moves["decided_s"])
    longest = np.argsort(-took_s, kind="stable")[:MAX_MIGRATIONS].tolist()
    rows = sorted(longest, key=lambda row: (moves["decided_s"][row], moves["end_s"][row], row))
    scale_s, unit = time_unit(float(took_s.max(initial=0.0)))
    height = int(np.clip(22 * len(rows), 170, 840)) + 120
    ticks, lines = _row_labels(moves, rows, (height - 120) / max(len(rows), 1))
    return figure(
        _traces(list(_bars(result, moves, rows)), scale_s),
        f"time since the migration was decided ({unit})",
        "",
        height=height,
        barmode="overlay",
        bargap=0,
        hovermode="closest",
        shapes=lines,
        legend={"y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
        margin={"t": 60},
        yaxis={
            "range": [len(rows) - 0.5, -0.5],
            "showgrid": False,
            "automargin": True,
            "rangemode": "normal",
            "tickvals": list(ticks),
            "ticktext": list(ticks.values()),
        },
    )


def _traces(bars: list[_Bar], scale_s: float) -> list[dict[str, Any]]:
    """Return a trace for each kind of bar that there is; times in units of ``scale_s``.

    A kind that does not occur has no trace and no entry in the legend.
    """
    traces = []
    for kind, colour in {**COLOURS, CUT_OFF: "#57606a"}.items():
        mine = [bar for bar in bars if bar.kind == kind]
        if not mine:
            continue
        trace = {
            "type": "bar",
            "orientation": "h",
            "name": kind,
            "width": 0.92,
            "y": [bar.line for bar in mine],
            "base": [round(bar.begin_s / scale_s, 5) for bar in mine],
            "x": [round(bar.length_s / scale_s, 5) for bar in mine],
            "hovertext": [bar.text for bar in mine],
            "hovertemplate": "%{hovertext}<extra></extra>",
            "marker": {"color": colour},
        }
        traces.append(trace)
    return traces


def _bars(result: RunTables, moves: Moves, rows: list[int]) -> Iterator[_Bar]:
    """Yield the bars of some moves that take any time."""
    line_of = {row: line for line, row in enumerate(rows)}
    for kind, row, phase, begin_s, length_s in _phases(result, moves, line_of):
        if length_s > 0:
            yield _Bar(
                kind, line_of[row], begin_s, length_s, _hover_text(moves, row, phase, length_s)
            )


def _phases(
    result: RunTables, moves: Moves, line_of: dict[int, int]
) -> Iterator[tuple[str, int, str, float, float]]:
    """Yield what moves went through: kind, row, name, begin since the decision, length.

    Waits come first, then phases, then the moves that were cut off before their first phase ended.

    Times in s. A migration that was cut off before its first phase ended has one bar until its end.
    """
    for row in line_of:
        yield WAITING, row, "waiting", 0.0, moves["waited_s"][row]
    seen: set[int] = set()
    for row, phase, start_s, end_s, times in _merged(result, line_of):
        seen.add(row)
        name = f"{phase}, {times} times" if times > 1 else phase
        begin_s = start_s - moves["decided_s"][row]
        yield KIND_OF.get(phase, REST), row, name, begin_s, end_s - start_s
    for row in line_of.keys() - seen:
        start_s = moves["start_s"][row]
        begin_s, length_s = start_s - moves["decided_s"][row], moves["end_s"][row] - start_s
        yield CUT_OFF, row, CUT_OFF, begin_s, length_s


def _merged(result: RunTables, wanted: dict[int, int]) -> list[tuple[int, str, float, float, int]]:
    """Return the phases of some migrations; consecutive phases of one name are merged.

    Each is row, name, start and end in s, and how many phases it stands for.

    Rounds of pre-copy would otherwise be dozens of bars too narrow to see.
    """
    table = result.table("migration_phases").to_pydict()
    found: list[tuple[int, str, float, float, int]] = []
    for row, phase, start_s, end_s in zip(
        table["migration"], table["phase"], table["start_s"], table["end_s"], strict=True
    ):
        if row not in wanted:
            continue
        if found and found[-1][:2] == (row, phase):
            *_, first_s, _, times = found.pop()
            found.append((row, phase, first_s, end_s, times + 1))
        else:
            found.append((row, phase, start_s, end_s, 1))
    return found


def _hover_text(moves: Moves, row: int, phase: str, length_s: float) -> str:
    """Return VM, route, decision and length of a bar; names are escaped, breaks are not."""
    route = f"{moves['vm'][row]}: {moves['source'][row]} → {moves['target'][row]}"
    text = Markup("{}<br>decided at {}<br>{}: {:,.3g} s")
    return text.format(route, clock(moves["decided_s"][row]), phase, length_s)


def _row_labels(
    moves: Moves, rows: list[int], row_px: float
) -> tuple[dict[int, str], list[dict[str, Any]]]:
    """Return labels by line, as many as fit, and a line between times.

    ``row_px`` is the height of a line in pixels; a label takes :data:`LABEL_PX`.
    """
    decided_s = [moves["decided_s"][row] for row in rows]
    firsts = [
        line for line in range(len(rows)) if not line or decided_s[line] != decided_s[line - 1]
    ]
    if len(rows) <= MAX_NAMED_MIGRATIONS:
        labels = {
            line: f"{clock(decided_s[line])}  {moves['vm'][row]}" for line, row in enumerate(rows)
        }
    else:
        labels = _counts_by_instant(decided_s, firsts, row_px)
    return labels, [_separator(line) for line in firsts[1:]]


def _counts_by_instant(decided_s: list[float], firsts: list[int], row_px: float) -> dict[int, str]:
    """Return labels of the first line of each instant, those with room for a label."""
    labels, last = {}, -LABEL_PX / row_px
    for line in firsts:
        if (line - last) * row_px >= LABEL_PX:
            count = decided_s.count(decided_s[line])
            labels[line] = f"{clock(decided_s[line])}  {count} migration{'s' * (count > 1)}"
            last = line
    return labels


def _separator(line: int) -> dict[str, Any]:
    """Return a line between migrations decided at different instants."""
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": line - 0.5,
        "y1": line - 0.5,
        "line": {"color": "#d8dee4", "width": 1},
        "layer": "below",
    }


def clock(time_s: float) -> str:
    """Return a time since the start of the run as days, hours and minutes, seconds if any."""
    minutes, seconds = divmod(round(time_s), 60)
    days, minutes = divmod(minutes, 1440)
    shown = f"{minutes // 60}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else " h")
    return f"day {days + 1}, {shown}" if days else shown
