"""Titles of metrics from which a run excludes something."""

from collections.abc import Mapping
from typing import Any

from ...models.base.metric_definitions import METRICS, SAVINGS, WHERE_KNOWN

UNLICENSED = "hosts_unlicensed"
"""The figure that exists where the price of a licence is not known."""

COSTS = ("total_cost", "cost_per_year")
SAVED = ("saved_cost_per_year", "saved_cost_percent", "payback_years")


def title_of(name: str, summary: Mapping[str, Any]) -> str:
    """Return what a figure of a summary is called: its own title, or that of all runs.

    A title of its own stands in ``summary[name]["title"]``, where something is left out of the
    figure.
    """
    entry = summary.get(name)
    if isinstance(entry, Mapping) and "title" in entry:
        return str(entry["title"])
    return known_title(name)


def known_title(name: str) -> str:
    """Return what a figure is called in runs that leave nothing out of it; else its name."""
    known = METRICS | WHERE_KNOWN | SAVINGS
    return known[name].title if name in known else name


def qualifier(name: str) -> str:
    """Return what sets a figure apart whose summary gives it a title of its own."""
    return "after start-up" if name == "hosts_on_peak" else "without licences"


def without_licences(summary: dict[str, Any], here: bool, saved: bool) -> None:
    """Say in a summary that costs, or what is saved of them, are without some licences.

    A licence cost of which nothing is known has no value; one of which a part is known is called
    so.

    ``summary`` is changed in place. ``here`` says that the run itself lacks a licence, ``saved``
    that the run or its baseline does, so that differences of cost do too.
    """
    some = "some " if summary["licence_cost"]["value"] else ""
    if here:
        licence = summary["licence_cost"]
        if licence["value"]:
            licence["title"] = f"{known_title('licence_cost')}, known part"
        else:
            licence["value"] = None
    for name in (*(COSTS if here else ()), *(SAVED if saved else ())):
        if name in summary:
            summary[name]["title"] = f"{known_title(name)} without {some}licences"


def after_start_up(summary: dict[str, Any]) -> None:
    """Say in a summary that the peak is that after start-up, where start-up took more hosts.

    The mean is over the whole run, so that it may be above the peak.

    ``summary`` is changed in place. Nothing is done where the run has no start-up, or it took no
    more.
    """
    started = summary.get("startup_hosts_on_peak")
    if started and started["value"] > summary["hosts_on_peak"]["value"]:
        summary["hosts_on_peak"]["title"] = f"{known_title('hosts_on_peak')} after start-up"
