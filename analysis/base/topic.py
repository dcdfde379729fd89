"""A topic of a run as one object: its metrics, tables, figures and notes.

A topic is all that farmsim says on one subject, such as migration or costs. To add one, write its
``Topic`` and list it in the catalogue; summary, tables, report and reference follow.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from ...models.base.lazy_dataclass import dataclass
from .played_case import PlayedCase
from .plotting import Figure
from .run_tables import RunTables
from .table_columns import Made


def always(run: Any) -> bool:
    """Whether something exists that every run has: it does."""
    del run
    return True


def nothing(run: PlayedCase) -> Mapping[str, float]:
    """Return the values of a topic without any."""
    del run
    return {}


@dataclass(frozen=True)
class TopicTable:
    """A table of a run.

    ``columns`` returns values, unit and meaning of each column, all of one length; it is called
    where the table ``exists``. ``only`` says where that is, for the reference; empty: everywhere.

    Column names end in their unit where they have one (``_s``, ``_w``, ``_mib``, ``_mhz``,
    ``_share``).
    """

    name: str
    columns: Callable[[PlayedCase], Mapping[str, Made]]
    exists: Callable[[PlayedCase], bool] = always
    only: str = ""


@dataclass(frozen=True)
class TopicFigure:
    """A figure of the report: its title, its caption, and the function that draws it from tables.

    It is drawn where it ``exists``; ``only`` as in :class:`TopicTable`.

    ``draw`` reads tables and summary only, never the farm, so that a figure can be drawn from a run
    directory as well.
    """

    name: str
    title: str
    note: str
    draw: Callable[[RunTables], Figure]
    exists: Callable[[RunTables], bool] = always
    only: str = ""


@dataclass(frozen=True)
class Section:
    """A section of metrics in the report: its title, and the metrics in their order.

    Metrics that a run lacks are left out, and so is a section without any.
    """

    title: str
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """One topic of a run; :data:`farmsim.analysis.topics.catalogue.TOPICS` lists all.

    ``values`` returns metrics by name, each defined in ``models/base/metric_definitions.py``; none
    where the topic does not occur in the run. ``facts`` are what the report's template is told
    beside metrics and figures, by the name that it has there.

    A function of a topic is called once per run, after its end, and changes nothing in it. Units of
    ``values`` are those in the definitions of the metrics, so that no function repeats them.
    """

    name: str
    values: Callable[[PlayedCase], Mapping[str, float]] = nothing
    tables: tuple[TopicTable, ...] = ()
    figures: tuple[TopicFigure, ...] = ()
    section: Section | None = None
    facts: Mapping[str, Callable[[RunTables], Any]] = field(default_factory=dict)
