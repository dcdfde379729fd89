"""Files of a size study: plain values, an HTML page, and the scenario of the answer."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...models.sizing.floors import NEVER
from ...scenarios.files.atomic_replace import named, replacing_directory
from ...scenarios.files.destination import seal, write_json
from ..base.page import page
from ..base.provenance import versions
from .size_verdict import ASSUMED_WORK, DECIDED_BY
from .sized import Sized, case_words

SIZED = "size study"
"""What the directory is, by its manifest."""
DATA, PAGE = "size.json", "size.html"


def save(directory: Path, study: Callable[[Path], Sized]) -> tuple[Sized, Path]:
    """Make a study and write it; return it with its page. An earlier study there is replaced.

    ``study`` is given the new directory, into which it writes the scenario of its answer. Raises
    InputError if it does, if something else is in the way, or the system refuses to write: the
    directory is then as it was.
    """
    with replacing_directory(named(directory), SIZED) as new:
        sized = study(new)
        write_json(new / DATA, sized.to_dict())
        (new / PAGE).write_text(render(sized), "utf-8")
        known = {"farmsim": versions()["farmsim"]}
        seal(new, SIZED, {"name": sized.name, "versions": known})
    return sized, directory / PAGE


def render(sized: Sized) -> str:
    """Return the page as HTML; texts from inputs are escaped."""
    return page(
        "size.html.j2",
        farmsim=versions()["farmsim"],
        name=sized.name,
        description="",
        plotly_js="",
        sized=sized,
        floors=[_floor(sized, each) for each in sized.floors],
        assumed_work=ASSUMED_WORK,
        clusters=_failures(sized),
        placement=_by_host(sized.placement),
    )


def _floor(sized: Sized, floor: Any) -> dict[str, str]:
    """Return a floor as the texts of a row."""
    grows = sized.break_even.get(floor.name)
    return {
        "words": DECIDED_BY[floor.name],
        "hosts": "none is enough" if floor.hosts >= NEVER else f"{floor.hosts:,}",
        "case": case_words(floor.failed),
        "grows": "" if grows is None else f"{grows:.2f} times",
        "reason": floor.reason,
    }


def _failures(sized: Sized) -> list[dict[str, Any]]:
    """Return the failure table of the answer, if there is one, under a title of its own."""
    if sized.failures is None:
        return []
    return [{**sized.failures.to_dict(), "title": "Failures of the new hosts"}]


def _by_host(placement: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the VMs of each host."""
    found: dict[str, list[str]] = {}
    for vm, host in placement.items():
        found.setdefault(host, []).append(vm)
    return dict(sorted(found.items(), key=lambda each: (len(each[0]), each[0])))
