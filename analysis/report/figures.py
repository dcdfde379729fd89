"""Plotly figures of a run, each made from the run's tables only.

They are plain mappings with ``data`` and ``layout``: importing the classes of Plotly and having
them check what is written here once and for all would add a tenth to a short run.
"""

from collections.abc import Callable

from ..base.plotting import Figure, literal
from ..base.run_tables import RunTables
from ..base.topic import TopicFigure
from ..topics.catalogue import TOPICS

ORDER = (
    "power",
    "hosts_on",
    "heatmap",
    "load_duration",
    "migrations",
    "busiest_hosts",
    "reserve",
    "population",
    "applications",
    "power_states",
    "migration_phases",
    "downtime",
    "link_utilisation",
    "migration_traffic",
)
"""The order of the report; a figure that is not named comes last."""


def _in_order() -> dict[str, TopicFigure]:
    """Return the figures of all topics by name, in the order of the page."""
    found = {figure.name: figure for topic in TOPICS for figure in topic.figures}
    return {name: found[name] for name in (*ORDER, *(found.keys() - set(ORDER)))}


FIGURES: dict[str, TopicFigure] = _in_order()
"""The figures of all topics, by name."""


def available_figures(result: RunTables) -> dict[str, Callable[[RunTables], Figure]]:
    """Return what draws the figures that a run has, by name."""
    return {name: literal(figure.draw) for name, figure in FIGURES.items() if figure.exists(result)}
