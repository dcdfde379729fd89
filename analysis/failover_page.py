"""The outcome of a failover test as files: plain values, and one page that needs nothing else."""

from pathlib import Path

from .. import __version__
from ..scenarios.problems import refuse
from .failover_outcome import KINDS, Failover
from .report import environment
from .rundir import refuse_foreign, write_json, write_text

DATA, PAGE = "failover.json", "failover.html"


def save(outcome: Failover, directory: Path) -> Path:
    """Write both files and return the page.

    Raises InputError if something else is in the way or the directory cannot be written.
    """
    refuse_foreign(directory, DATA, "the outcome of a failover test")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refuse(str(directory), f"cannot be made: {error.strerror}") from None
    write_json(directory / DATA, outcome.to_dict())
    write_text(directory / PAGE, render(outcome))
    return directory / PAGE


def render(outcome: Failover) -> str:
    """Return the page as HTML; texts from inputs are escaped."""
    kinds = [
        {"kind": kind, "tried": len(outcome.of(kind)), "worst": outcome.worst_of(kind),
         "bad": sum(bool(each.stranded) for each in outcome.of(kind))}
        for kind in KINDS
    ]  # fmt: skip
    page = environment().get_template("failover.html.j2")
    return page.render(
        farmsim=__version__,
        name=outcome.name,
        description="",
        plotly_js="",
        outcome=outcome,
        sentence=outcome.sentence()[:1].upper() + outcome.sentence()[1:],
        kinds=[each for each in kinds if each["tried"]],
        stranding=sorted(
            (each for each in outcome.failures if each.stranded),
            key=lambda failure: -len(failure.stranded),
        ),
    )
