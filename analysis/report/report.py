"""The report: a self-contained HTML page that works offline.

Metrics, figures and facts come from the topics; this says how they are laid out.
"""

from collections.abc import Callable, Mapping
from typing import Any

import yaml
from plotly.offline import get_plotlyjs

from ...models.base.metric_definitions import METRICS, WHERE_KNOWN
from ..base.metric_titles import title_of
from ..base.page import figure_entry, page
from ..base.run_tables import RunTables
from ..base.wording import basis, shown, titled, unit_of
from ..statements.savings import COMPARED
from ..topics.catalogue import TOPICS
from ..topics.farm.hosts import busiest_hosts
from ..topics.migration.metrics import NETWORK
from .evacuation import clock, evacuated, some
from .figures import FIGURES, available_figures
from .vm_sentences import plural

SECTIONS: dict[str, tuple[str, ...]] = {
    topic.section.title: topic.section.metrics for topic in TOPICS if topic.section is not None
}
"""The metrics of each section, by its title, in the order of the page."""


def render(result: RunTables) -> str:
    """Return the report of a result as HTML; texts from inputs are escaped.

    The page holds the library that draws its figures, which is most of its size.

    Sections, figures and facts of topics that do not occur in the run are left out.
    """
    over_network = {figure.name for figure in NETWORK.figures}
    written = yaml.load(result.scenario_yaml, yaml.CSafeLoader)
    return page(
        "report.html.j2",
        farmsim=result.manifest["versions"]["farmsim"],
        name=result.name,
        description=written.get("description") or "",
        title=result.title,
        summary=result.summary,
        manifest=result.manifest,
        scenario_yaml=result.scenario_yaml,
        tiles=_tiles(result),
        baselines=_baselines(result),
        sections=_sections(result),
        figures=_figures(result, lambda name: name not in over_network),
        evacuation=evacuated(result),
        clock=clock,
        some=some,
        plural=plural,
        move_figures=_figures(result, lambda name: name in over_network),
        groups=result.table("groups").to_pylist(),
        busiest=list(zip(*busiest_hosts(result), strict=True)),
        plotly_js=get_plotlyjs(),
        **{name: read(result) for topic in TOPICS for name, read in topic.facts.items()},
    )


def _entry(result: RunTables, name: str) -> dict[str, str]:
    """Return name, title, definition and value of a metric as texts."""
    entry, metric = result.summary[name], (METRICS | WHERE_KNOWN)[name]
    unit = entry["unit"]
    return {
        "name": name,
        "title": titled(title_of(name, result.summary), unit, result.value("duration_h")),
        "definition": metric.definition,
        "value": shown(entry["value"], unit),
        "unit": unit_of(entry["value"], unit),
    }


def _tiles(result: RunTables) -> list[dict[str, str]]:
    """Return the figures at the top: work served, hosts, energy, what is saved, migrations.

    Savings are those against the first baseline, and left out where none is claimed.

    Work served comes first, since no figure of hosts or energy can be read without it.
    """
    tiles = [_entry(result, "work_served_share")]
    tiles += [_entry(result, "hosts_on_peak"), _entry(result, "energy_kwh")]
    since = basis(result.value("duration_h"))
    for name, less, more in (
        ("saved_energy_percent", "energy saved", "more energy"),
        ("saved_cost_per_year", "saved per year", "more cost per year"),
    ):
        entry = result.summary.get(name)
        if entry and entry["value"] is not None:
            value, unit = shown(abs(entry["value"])), entry["unit"].split("/")[0]
            title = less if entry["value"] >= 0 else more
            parts = [f"{title} against {result.summary['baselines'][0]['label']}"]
            parts += [since] if since and "cost" in name else []
            tiles.append({"title": ", ".join(parts), "value": value, "unit": unit})
    return [*tiles, _entry(result, "migrations")]


def _baselines(result: RunTables) -> list[dict[str, Any]]:
    """Return for each baseline its sentence, its figures beside this run's, and the payback."""
    return [
        {**about, "rows": _side_by_side(result, baseline), "payback": _payback(about)}
        for about, baseline in zip(result.summary["baselines"], result.baselines, strict=False)
    ]


def _apart(value: float | None, unit: str) -> str:
    """Return a difference; that of shares in percentage points."""
    if value is None or unit != "share":
        return shown(value, unit)
    return f"{shown(100 * value)} pp"


def _side_by_side(result: RunTables, baseline: RunTables) -> list[dict[str, str]]:
    """Return the metrics that are compared, of this run and a baseline, as texts.

    A difference that the texts do not show is called none; one to a baseline of 0 has no
    percentage.

    The percentage is of the baseline's figure.
    """
    rows = []
    for name in COMPARED:
        here, other = result.value(name), baseline.value(name)
        unit = result.summary[name]["unit"]
        apart = None if here is None or other is None else here - other
        change = 100 * apart / other if apart is not None and other else None
        same = apart is not None and shown(here, unit) == shown(other, unit)
        rows.append(
            {
                **_entry(result, name),
                "baseline": shown(other, unit),
                "difference": "no difference" if same else _apart(apart, unit),
                "percent": "" if same else "–" if change is None else f"{change:+.1f} %",
            }
        )
    return rows


def payback_lines(result: RunTables) -> list[str]:
    """Return the payback of the investment relative to each baseline, if any."""
    return [
        f"Payback of the investment against {each['label']}: {text}"
        for each in result.summary["baselines"]
        if (text := _payback(each))
    ]


def _payback(about: Mapping[str, Any]) -> str:
    """Return the payback of the investment against a baseline, empty without an investment."""
    entry = about["saved"].get("payback_years")
    if entry is None:
        return ""
    if about["not_claimed"]:
        return "none, because no saving is claimed"
    return (
        ("never, because nothing is saved")
        if entry["value"] is None
        else f"{entry['value']:.1f} years"
    )


def _sections(result: RunTables) -> list[tuple[str, list[dict[str, str]]]]:
    """Return the sections that have metrics in this run, with these."""
    known = {
        title: [_entry(result, name) for name in names if name in result.summary]
        for title, names in SECTIONS.items()
    }
    return [(title, entries) for title, entries in known.items() if entries]


def _figures(result: RunTables, chosen: Callable[[str], bool]) -> list[dict[str, Any]]:
    """Return the figures of a run that are chosen by name, drawn, in the order of the page."""
    return [
        figure_entry(name, FIGURES[name].title, FIGURES[name].note, draw(result))
        for name, draw in available_figures(result).items()
        if chosen(name)
    ]
