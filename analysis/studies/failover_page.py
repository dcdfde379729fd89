"""Files of a failover test: plain values, and a self-contained HTML page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...scenarios.files.atomic_replace import named, replacing_directory
from ...scenarios.files.destination import seal, write_json
from ..base.page import page
from ..base.provenance import versions
from ..run.run_directory import FAILED_OVER
from .failover_result import KINDS, Failover

DATA, PAGE = "failover.json", "failover.html"


def save(
    outcome: Failover,
    directory: Path,
    checked: bool = False,
    clusters: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Write both files and return the page, replacing an earlier failover test there.

    ``clusters`` are the failure tables of clusters as plain values, if there are any.

    Raises InputError if something else is in the way, or the system refuses to write;
    ``checked`` as in ``replacing_directory``.

    The directory holds ``failover.json`` and ``failover.html``, and a manifest by which they are
    known again.
    """
    with replacing_directory(named(directory), FAILED_OVER, checked) as new:
        write_json(new / DATA, values(outcome, clusters))
        (new / PAGE).write_text(render(outcome, clusters), "utf-8")
        known = {"farmsim": versions()["farmsim"]}
        seal(new, FAILED_OVER, {"name": outcome.name, "versions": known})
    return directory / PAGE


def values(outcome: Failover, clusters: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return what ``failover.json`` holds; ``clusters`` where there are tables of clusters."""
    tables = {"clusters": list(clusters)} if clusters else {}
    return {**outcome.to_dict(), **tables}


def render(outcome: Failover, clusters: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the page as HTML; texts from inputs are escaped.

    Failures that strand VMs are listed from the worst on; kinds that were not tried are left out.
    """
    kinds = [
        {
            "kind": kind,
            "tried": len(outcome.of(kind)),
            "worst": outcome.worst_of(kind),
            "bad": sum(bool(each.stranded) for each in outcome.of(kind)),
        }
        for kind in KINDS
    ]
    return page(
        "failover.html.j2",
        farmsim=versions()["farmsim"],
        name=outcome.name,
        description="",
        plotly_js="",
        outcome=outcome,
        sentence=outcome.sentence()[:1].upper() + outcome.sentence()[1:],
        clusters=clusters,
        kinds=[each for each in kinds if each["tried"]],
        stranding=sorted(
            (each for each in outcome.failures if each.stranded),
            key=lambda failure: -len(failure.stranded),
        ),
    )
