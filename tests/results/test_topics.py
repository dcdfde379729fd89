"""Topics: each metric has its place, names are unique, and what is listed is made."""

from collections import Counter

import farmsim
from farmsim.analysis.report.figures import FIGURES, ORDER
from farmsim.analysis.report.report import SECTIONS
from farmsim.analysis.topics.catalogue import TOPICS
from farmsim.models.base.metric_definitions import METRICS, WHERE_KNOWN

IN_NO_SECTION = {"duration_h", "hosts_unlicensed"}
"""The length of the run stands at the head of the page, hosts without a price in its warnings."""


def test_every_metric_stands_in_one_section() -> None:
    placed = Counter(name for names in SECTIONS.values() for name in names)
    assert set(placed.values()) == {1}
    assert placed.keys() == (METRICS | WHERE_KNOWN).keys() - IN_NO_SECTION


def test_names_of_tables_and_figures_are_unique() -> None:
    tables = [table.name for topic in TOPICS for table in topic.tables]
    figures = [figure.name for topic in TOPICS for figure in topic.figures]
    titles = [topic.section.title for topic in TOPICS if topic.section]
    for names in (tables, figures, titles, [topic.name for topic in TOPICS]):
        assert len(set(names)) == len(names)


def test_the_page_orders_figures_that_exist() -> None:
    assert list(FIGURES)[: len(ORDER)] == list(ORDER)
    assert FIGURES.keys() == {figure.name for topic in TOPICS for figure in topic.figures}


def test_a_plain_run_has_the_tables_that_every_run_has() -> None:
    plain = {
        "run": {"duration": "1 h"},
        "farm": {"hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 2}]},
        "workload": {"source": {"type": "constant", "utilisation": 0.5}, "vms": 1},
        "policies": {"control": "none"},
        "baseline": {"type": "none"},
    }
    everywhere = {table.name for topic in TOPICS for table in topic.tables if not table.only}
    assert farmsim.run(plain).tables.keys() == everywhere
