"""Common parts of all figures: colours, layout, time axis, thinning."""

from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from markupsafe import Markup

from ...models.base.arrays import Floats

if TYPE_CHECKING:
    import plotly.graph_objects as go

MAIN, OTHER, FILL = "#1261a0", "#8a949e", "rgba(18,97,160,0.12)"
WARM = "#c1440e"
MORE_COLOURS = ("#bf8700", "#8250df", "#0a7b83", "#a3295f")
"""Colours of baselines after the first."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
MAX_POINTS = 4000
TEMPLATES = ("hovertemplate", "texttemplate")
"""Texts that farmsim writes itself, with markup."""

Source = TypeVar("Source")
Figure = dict[str, Any]
"""``data``, a list of traces, and ``layout``; numbers are arrays or lists."""


def hours(seconds: Any) -> tuple[Floats, str]:
    """Return times in hours, or in days where they are many, and the name of the unit.

    Days are used from four days on.

    ``seconds`` is an array in s of any length; one without values is in hours.
    """
    longest_s = float(np.max(seconds, initial=0.0))
    if longest_s > 4 * 86_400:
        return seconds / 86_400, "days"
    return seconds / 3600, "hours"


def figure(traces: Sequence[Any], x: str, y: str, **more: Any) -> Figure:
    """Return a figure in the report's style.

    ``x`` and ``y`` are the titles of the axes; ``more`` are fields of the layout, which are merged
    into those of the style where both are mappings.
    """
    layout: dict[str, Any] = {
        "font": {"family": FONT, "size": 13, "color": "#24292f"},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "margin": {"l": 60, "r": 20, "t": 16, "b": 48},
        "height": 330,
        "hovermode": "x unified",
        "legend": {"orientation": "h", "y": 1.12, "x": 0},
        "xaxis": {"title": {"text": x}, "showgrid": False, "ticks": "outside", "zeroline": False},
        "yaxis": {"title": {"text": y}, "rangemode": "tozero", "gridcolor": "#e6e9ec"},
    }
    for key, value in more.items():
        layout[key] = layout.get(key, {}) | value if isinstance(value, dict) else value
    return {"data": list(traces), "layout": layout}


def line(
    x: Any,
    y: Any,
    name: str,
    colour: str,
    hover: str,
    *,
    width: float = 2,
    shape: str | None = "hv",
    dash: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a line, thinned to what can be seen.

    ``hover`` is the template of the text at the pointer, such as ``%{y:,.1f} kW``; ``shape`` is
    ``hv`` for steps, None for straight connections; ``more`` are further fields of the trace.

    ``x`` and ``y`` are arrays of one length, ascending in ``x``; more than :data:`MAX_POINTS` are
    thinned.
    """
    x, y = thinned(x, y)
    drawn = {"color": colour, "width": width, "dash": dash, "shape": shape}
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "name": name,
        "mode": "lines",
        "line": {key: value for key, value in drawn.items() if value is not None},
        "hovertemplate": hover,
        **more,
    }


def second_axis(title: str) -> dict[str, Any]:
    """Return a vertical axis on the right, from zero, without lines of its own."""
    return {
        "title": {"text": title},
        "overlaying": "y",
        "side": "right",
        "rangemode": "tozero",
        "showgrid": False,
    }


def as_plotly(made: Figure) -> "go.Figure":
    """Return a figure as an object of Plotly."""
    import plotly.graph_objects as go  # noqa: PLC0415 - costly to import

    return go.Figure(data=made["data"], layout={"template": "none", **made["layout"]})


def literal(draw: Callable[[Source], Figure]) -> Callable[[Source], Figure]:
    """Let a function draw figures whose texts mean what they say.

    Plotly reads some HTML in labels, links included, and names come from files of others. Only
    templates and what is made as ``Markup`` keep theirs.
    """

    def drawn(source: Source) -> Figure:
        made: Figure = _literal(draw(source))
        return made

    return drawn


def _literal(node: Any) -> Any:
    """Return a part of a figure with its texts escaped, templates and Markup apart."""
    if isinstance(node, str):
        return node if isinstance(node, Markup) else escape(node, quote=False)
    if isinstance(node, dict):
        return {key: value if key in TEMPLATES else _literal(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_literal(each) for each in node]
    return node


def thinned(x: Any, y: Any) -> tuple[Any, Any]:
    """Return at most MOST_POINTS points that keep every bucket's lowest and highest value.

    Points are cut into as many buckets as there may be pairs; of each the lowest and the highest
    value are kept in their order, so that no peak is lost. Means over the points that are left are
    not those of the series: such points are for the eye only.
    """
    if len(x) <= MAX_POINTS:
        return x, y
    edges = np.linspace(0, len(x), MAX_POINTS // 2 + 1).astype(np.int64)
    picked: list[int] = []
    for start, end in pairwise(edges):
        low, high = start + int(np.argmin(y[start:end])), start + int(np.argmax(y[start:end]))
        picked += sorted({low, high})
    return x[picked], y[picked]
