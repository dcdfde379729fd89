"""What a notebook uses: run a scenario, compare several, load a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..scenarios.scenario import Scenario
from ..scenarios.variants import OVERHEADS, Levels, Source, expand
from .compare import COMPARISON, WHAT, Comparison, run_all
from .execute import execute
from .result import Result
from .rundir import load, refuse_foreign

__all__ = ["compare", "load", "run"]


def run(
    scenario: str | Path | Mapping[str, Any] | Scenario,
    *overrides: str,
    seed: int | None = None,
    out: str | Path | None = None,
    allow_code: bool = False,
) -> Result:
    """Run a scenario: a file, ``library/NAME``, nested mappings, or a Scenario.

    ``overrides`` are texts such as ``"farm.hosts.0.count=500"``; ``out`` is where the run
    directory goes (None: nothing is written). Raises InputError if the input cannot be run.
    """
    if isinstance(scenario, str | Path):
        scenario = Scenario.load(scenario, *overrides, allow_code=allow_code)
    else:
        if not isinstance(scenario, Scenario):
            scenario = Scenario.of(scenario, allow_code=allow_code)
        scenario = scenario.override(*overrides)
    if seed is not None:
        scenario = scenario.with_({"seed": seed})
    result = execute(scenario)
    if out is not None:
        result.save(out)
    return result


def compare(
    *scenarios: Source,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    band: bool | Levels = False,
    out: str | Path | None = None,
    allow_code: bool = False,
) -> Comparison:
    """Run scenarios, or the ``variants`` of one, on common random numbers, side by side.

    A scenario is a file, ``library/NAME``, nested mappings, or a Scenario. Differences are
    against the variant called ``base``, or else the first; its seed holds for all, unless
    ``seed`` is given. ``band`` runs each at low, typical and high overheads, or at the levels
    given. ``out`` is where everything goes (None: nothing is written). Raises InputError if
    anything cannot be run.
    """
    levels = (OVERHEADS if band else None) if isinstance(band, bool) else band
    variants = expand(scenarios, overrides, seed, levels, allow_code)
    if out is not None:
        refuse_foreign(Path(out), COMPARISON, WHAT)
    comparison = run_all(variants, levels)
    if out is not None:
        comparison.save(out)
    return comparison
