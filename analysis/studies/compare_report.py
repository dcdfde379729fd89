"""The comparison as a self-contained HTML page, and its figures.

It takes rows, runs and notes; how these are made is in ``compare.py``.
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from plotly.offline import get_plotlyjs

from ...models.base.lazy_dataclass import dataclass
from ...models.base.metric_definitions import SAVINGS
from ...scenarios.language.yaml_text import parse
from ..base.arrow_arrays import numpy_array
from ..base.page import figure_entry, page
from ..base.plotting import Figure, figure, hours, line, literal
from ..base.run_tables import RunTables
from ..base.wording import shown, titled
from ..report.report import SECTIONS
from ..run.run_directory import VARIANTS
from .compare_rows import Cell, Row

COLOURS = ("#1261a0", "#c1440e", "#1a7f37", "#8250df", "#bf8700", "#0a7b83", "#a3295f", "#57606a")
CHOSEN = (
    "hosts_on_peak", "energy_kwh", "energy_per_work", "cost_per_year", "work_served_share",
    "unserved_share",
    "response_mean_ms", "response_p95_ms", "consolidation_ratio", "migrations",
)  # fmt: skip
PLOTS_A_ROW = 3
WIDE = 50.0
"""Times in a wider spread than this are shown on a logarithmic axis."""
NO_RATIO = ("share", "%", "grade")
"""Units of which a change in percent says nothing: of a grade because it is an order."""


@dataclass(frozen=True)
class ComparisonPage:
    """Content of the comparison page, variants by name, the reference first.

    ``runs`` are those at the typical level; ``changes`` maps each path at which scenarios differ to
    its values. With ``has_band`` cells have bands from other levels.
    """

    name: str
    rows: Mapping[str, Row]
    runs: Mapping[str, RunTables]
    sentences: Sequence[str]
    notes: Sequence[str]
    failed_assertions: Sequence[str]
    changes: Mapping[str, Mapping[str, str]]
    has_band: bool

    @property
    def variants(self) -> list[str]:
        """Names of the variants."""
        return list(self.runs)

    @property
    def reference(self) -> str:
        """Name of the variant that differences are against."""
        return self.variants[0]

    @property
    def first(self) -> RunTables:
        """The run of the reference."""
        return self.runs[self.reference]


def bars(comparison: ComparisonPage) -> Figure:
    """Chosen metrics of each variant, a plot each; error bars reach from low to high.

    Metrics of which no variant has a value, or that are the same in all, are left out; where all
    are the same they are shown nevertheless.

    Shares are in percent. Values are those of the typical level.
    """
    rows = [comparison.rows[name] for name in CHOSEN if name in comparison.rows]
    rows = [row for row in rows if any(cell and cell.value for cell in row.cells.values())]
    rows = [row for row in rows if _differs(row)] or rows
    lines = max(1, -(-len(rows) // PLOTS_A_ROW))
    margin = {"l": 50, "r": 10, "t": 60, "b": 50}
    made = figure((), "", "", height=350 * lines, hovermode="closest", margin=margin)
    layout = made["layout"] | {"showlegend": False, "annotations": []}
    del layout["xaxis"], layout["yaxis"]
    for index, row in enumerate(rows):
        box, number = _box(index, lines), str(index + 1) if index else ""
        layout[f"xaxis{number}"] = {
            "domain": [box.left, box.right],
            "anchor": f"y{number}",
            "type": "category",
            "automargin": True,
        }
        layout[f"yaxis{number}"] = _value_axis(row, box, f"x{number}")
        layout["annotations"].append(_heading(row, box))
        axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        made["data"].append(_bar(row, comparison.variants) | axes)
    return {"data": made["data"], "layout": layout}


class _Box(NamedTuple):
    """Where a plot stands in a figure, as shares of its width and height."""

    left: float
    right: float
    bottom: float
    top: float


def _box(index: int, lines: int) -> _Box:
    """Return where a plot stands, the first at the top left."""
    line, column = divmod(index, PLOTS_A_ROW)
    left, right = (column + 0.1) / PLOTS_A_ROW, (column + 0.95) / PLOTS_A_ROW
    return _Box(left, right, 1 - (line + 0.62) / lines, 1 - line / lines)


def _value_axis(row: Row, box: _Box, anchor: str) -> dict[str, Any]:
    """Return the vertical axis of a plot, logarithmic where values are far apart."""
    axis = {
        "domain": [box.bottom, box.top],
        "anchor": anchor,
        "rangemode": "tozero",
        "gridcolor": "#e6e9ec",
        "automargin": True,
    }
    return axis | {"type": "log", "rangemode": "normal"} if _spread(row) > WIDE else axis


def _heading(row: Row, box: _Box) -> dict[str, Any]:
    """Return the title of a plot, above its middle."""
    return {
        "text": f"{row.title} ({_plot_unit(row)})",
        "showarrow": False,
        "x": (box.left + box.right) / 2,
        "y": box.top,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "center",
        "yanchor": "bottom",
        "font": {"size": 13},
    }


def _spread(row: Row) -> float:
    """Return how many times the lowest value above zero the highest bound is.

    Only response times can be far enough apart to need it; 1 for all other units.
    """
    bounds = [bound for cell in row.cells.values() if cell for bound in (cell.value, cell.high)]
    above = [bound for bound in bounds if bound]
    return max(above) / min(above) if above and row.unit == "ms" else 1.0


def _differs(row: Row) -> bool:
    """Whether any variant differs from another at any level."""
    seen = {(cell.low, cell.value, cell.high) if cell else None for cell in row.cells.values()}
    return len(seen) > 1


def _bar(row: Row, variants: list[str]) -> dict[str, Any]:
    """Return the bars of one metric, shares in percent, with error bars for the band.

    A variant without the metric has no bar. Error bars are shown where any band is wider than 0.
    """
    scale = 100.0 if row.unit == "share" else 1.0
    cells = [row.cells[name] for name in variants]
    bands = [_band(cell) for cell in cells]
    return {
        "type": "bar",
        "x": [_short(name) for name in variants],
        "y": [None if cell is None or cell.value is None else cell.value * scale for cell in cells],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "color": "#24292f",
            "thickness": 1.4,
            "array": [above * scale for _, above in bands],
            "arrayminus": [below * scale for below, _ in bands],
            "visible": any(band != (0.0, 0.0) for band in bands),
        },
        "hovertext": variants,
        "marker": {"color": [_colour(index) for index in range(len(variants))]},
        "hovertemplate": "%{hovertext}: %{y:,.4g}<extra></extra>",
    }


def _band(cell: Cell | None) -> tuple[float, float]:
    """Return how far the band reaches below and above the typical value."""
    if cell is None or cell.value is None or cell.low is None or cell.high is None:
        return 0.0, 0.0
    return cell.value - cell.low, cell.high - cell.value


def _plot_unit(row: Row) -> str:
    """Return the unit on the axis of a plot."""
    return "%" if row.unit == "share" else row.unit


def _short(name: str) -> str:
    """Return a name that fits below a bar."""
    return name if len(name) <= 18 else name[:17] + "…"


def _colour(index: int) -> str:
    """Return the colour of a variant; after the last the first comes again."""
    return COLOURS[index % len(COLOURS)]


def power(comparison: ComparisonPage) -> Figure:
    """Power of the servers over time, one line for each variant.

    Means of the reporting intervals; runs of other lengths end where they end.
    """
    label, traces = "hours", []
    for index, (name, run) in enumerate(comparison.runs.items()):
        series = run.table("farm_series")
        times, label = hours(numpy_array(series["time_s"]))
        dash = "solid" if index < len(COLOURS) else "dot"
        kilowatts = numpy_array(series["power_w"]) * 1e-3
        traces.append(line(times, kilowatts, name, _colour(index), "%{y:,.2f} kW", dash=dash))
    return figure(traces, f"time ({label})", "power of the servers (kW)", showlegend=True)


FIGURES: dict[str, Callable[[ComparisonPage], Figure]] = {
    "metrics": literal(bars),
    "power": literal(power),
}
_TITLES = {"metrics": "Main metrics", "power": "Power over time"}
_NOTES = {
    "metrics": "Each metric has its own axis starting at zero; response times that differ by more "
    "than a factor of 50 are on a logarithmic axis.",
    "power": "Electric power of all servers at the typical level.",
}


def render(comparison: ComparisonPage, links: bool) -> str:
    """Return the page; texts from inputs are escaped.

    With ``links`` the names of variants lead to their reports beside the page.
    """
    first = comparison.first
    return page(
        "compare.html.j2",
        farmsim=first.manifest["versions"]["farmsim"],
        name=comparison.name,
        description=parse(first.scenario_yaml).data.get("description") or "",
        seed=first.manifest["seed"],
        duration_h=first.value("duration_h"),
        comparison=comparison,
        folder=VARIANTS if links else None,
        groups=_groups(comparison),
        has_band=comparison.has_band,
        figures=[
            figure_entry(f"compare-{name}", _TITLES[name], _NOTES[name], draw(comparison))
            for name, draw in FIGURES.items()
        ],
        plotly_js=get_plotlyjs(),
    )


def _groups(comparison: ComparisonPage) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return all rows under the headings of the report, unheard-of ones under their own.

    Metrics of one's own come under "More", savings last.

    A group without a metric in this comparison is left out.
    """
    rows = comparison.rows
    groups = {title: [name for name in names if name in rows] for title, names in SECTIONS.items()}
    grouped = {name for names in groups.values() for name in names}
    rest = [name for name in rows if name not in grouped and name not in SAVINGS]
    groups["More"] = [name for name in rest if name != "duration_h"]
    groups["Against the baseline of each"] = [name for name in SAVINGS if name in rows]
    return [
        (title, [_line(rows[name], comparison) for name in names])
        for title, names in groups.items()
        if names
    ]


def _line(row: Row, comparison: ComparisonPage) -> dict[str, Any]:
    """Return a row as the page's table shows it: title, unit and a cell for each variant."""
    names = comparison.variants
    cells = [written(row, name, reference=name == comparison.reference) for name in names]
    return {
        "name": row.name,
        "title": titled(row.title, row.unit, comparison.first.value("duration_h")),
        "definition": row.definition,
        "unit": "" if row.unit == "share" else row.unit,
        "cells": cells,
    }


def written(row: Row, variant: str, reference: bool) -> dict[str, Any]:
    """Return a cell as people read it: value, band, difference, change, whether it is best.

    The reference has no difference. A change in percent is left out for shares, percentages and
    grades.

    All are texts but ``best``. ``–`` stands for a metric that the variant lacks. Bands are in
    brackets, and left out where all levels agree.
    """
    cell = row.cells[variant]
    texts = {
        "value": shown(None),
        "band": "",
        "difference": "",
        "change": "",
        "best": False,
        "difference_band": "",
    }
    if cell is None:
        return texts
    texts["value"] = shown(cell.value, row.unit)
    texts["best"] = variant in row.best
    texts["band"] = _range(cell.low, cell.high, row.unit)
    if reference or cell.difference is None:
        return texts
    texts["difference"] = signed(cell.difference, row.unit)
    texts["difference_band"] = _range(
        cell.difference_low, cell.difference_high, row.unit, with_sign=True
    )
    if cell.change_percent is not None and cell.difference and row.unit not in NO_RATIO:
        texts["change"] = f"{cell.change_percent:+.1f} %"
    return texts


def _range(low: float | None, high: float | None, unit: str, with_sign: bool = False) -> str:
    """Return bounds in brackets, in the unit of the value before them; nothing if they agree."""
    if low is None or high is None or low == high:
        return ""
    scale = 100.0 if unit == "share" else 1.0
    show = signed if with_sign else shown
    return f"[{show(low * scale)}, {show(high * scale)}]"


def signed(value: float, unit: str = "") -> str:
    """Return a difference with its sign; shares in percentage points, 0 exactly as 0.

    Three significant digits at most; a percentage is in points too, since percent of percent
    misleads.
    """
    if unit in ("share", "%"):
        points = value * 100 if unit == "share" else value
        return f"{'+' if points > 0 else ''}{shown(points)}{' pp' if points else ''}"
    return f"{'+' if value > 0 else ''}{shown(value, unit)}"


def notebook(comparison: ComparisonPage) -> str:
    """Return the main figures as an HTML table.

    Of :data:`CHOSEN` those metrics that any variant has, below the sentences.
    """
    names = "".join(f"<th>{escape(name)}</th>" for name in comparison.variants)
    lines = []
    for name in CHOSEN:
        if name in comparison.rows:
            line = _line(comparison.rows[name], comparison)
            cells = "".join(_notebook_cell(cell) for cell in line["cells"])
            title = f"{escape(line['title'])} {escape(line['unit'])}"
            lines.append(f"<tr><td>{title}</td>{cells}</tr>")
    said = "".join(f"<li>{escape(text)}</li>" for text in comparison.sentences)
    return f"<ul>{said}</ul><table><tr><th></th>{names}</tr>{''.join(lines)}</table>"


def _notebook_cell(cell: Mapping[str, Any]) -> str:
    """Return a cell of the notebook's table, the best of a row in bold."""
    value = escape(" ".join(part for part in (cell["value"], cell["band"]) if part))
    return f"<td>{f'<b>{value}</b>' if cell['best'] else value}</td>"
