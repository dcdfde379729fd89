"""What a notebook uses: run a scenario, load a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..scenarios.scenario import Scenario
from .execute import execute
from .result import Result
from .rundir import load

__all__ = ["load", "run"]


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
