"""Functions for notebooks: run a scenario, compare several, load a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..scenarios.files.atomic_replace import named
from ..scenarios.files.destination import refuse_directory
from ..scenarios.scenario import Scenario
from ..scenarios.variants import OVERHEADS, Levels, Source, expand
from .run.execute import execute
from .run.result import Result
from .run.run_directory import COMPARED, RUN
from .studies.compare import Comparison, run_all

if TYPE_CHECKING:
    from .planning.headroom import FarmHeadroom
    from .size_study.sized import Sized
    from .studies.failover_result import Failover
    from .studies.optimum import OptimumComparison

__all__ = ["compare", "failover", "headroom", "load", "optimum", "run", "size"]


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

    ``seed`` replaces that of the scenario. ``out`` may not exist yet, or hold an earlier run, which
    is replaced; anything else there is refused before the run begins. ``allow_code`` lets the
    scenario name Python files of policies, which are executed. Baselines of the scenario are run
    too; they are in ``Result.baselines``.
    """
    scenario = _scenario(scenario, overrides, allow_code)
    if seed is not None:
        scenario = scenario.with_({"seed": seed})
    if out is not None:
        refuse_directory(named(out), RUN)
    result = execute(scenario)
    if out is not None:
        result.save(out, checked=True)
    return result


def load(directory: str | Path) -> Result:
    """Read a run directory. Raises InputError if it is none, or damaged."""
    return Result.load(directory)


def optimum(
    scenario: str | Path | Mapping[str, Any] | Scenario,
    *overrides: str,
    at_s: float,
    max_utilisation: float = 1.0,
    time_limit_s: float = 60.0,
    allow_code: bool = False,
) -> "OptimumComparison":
    """Run a scenario up to an instant and hold the farm against the fewest hosts for its VMs.

    ``max_utilisation`` is the share of a host's CPU that the optimum may use, ``time_limit_s``
    how long it is searched in real time. Raises InputError if the input cannot be run.

    ``at_s`` is in s from the start. Where time is up, the result says between which numbers the
    optimum lies. Raises InputError as well if no VM is on a host then.
    """
    from .studies.optimum import at_instant  # noqa: PLC0415 - few need it

    return at_instant(
        _scenario(scenario, overrides, allow_code), at_s, max_utilisation, time_limit_s
    )


def failover(
    scenario: str | Path | Mapping[str, Any] | Scenario,
    *overrides: str,
    at_s: float | None = None,
    pairs: bool = False,
    allow_code: bool = False,
) -> "Failover":
    """Run a scenario and fail each host, rack and site in turn at its worst moment.

    ``at_s`` names another moment, ``pairs`` adds each pair of hosts. Raises InputError if the
    input cannot be run.

    ``at_s`` is in s from the start; the worst moment is that at which most of the memory of hosts
    on was promised. The test is made on paper, beside the run. Raises InputError as well if no VM
    is on a host then, or there are too many pairs.
    """
    from .studies.failover import failover as tested  # noqa: PLC0415 - few need it

    return tested(_scenario(scenario, overrides, allow_code), at_s, pairs)


def size(
    scenario: str | Path | Mapping[str, Any] | Scenario,
    *overrides: str,
    server: str | None = None,
    memory_mib: float | None = None,
    reserve: int | None = None,
    time_limit_s: float = 10.0,
    allow_code: bool = False,
) -> "Sized":
    """Say how many hosts of a server a farm needs, what limits the number, and how surely.

    ``server`` is one of the catalogue or written out in YAML (None: that of most present hosts),
    ``memory_mib`` its memory, ``reserve`` the hosts that may fail at once (0 to 2; None: those of
    the scenario, or 1). Raises InputError if the farm cannot be planned.

    ``time_limit_s`` is real time for each search where placements miss the proven bound. The answer
    is simulated once; nothing is written.
    """
    from .size_study.size import size as sized  # noqa: PLC0415 - few need it

    loaded = _scenario(scenario, overrides, allow_code)
    return sized(loaded, server, memory_mib, reserve, time_limit_s)


def headroom(
    scenario: str | Path | Mapping[str, Any] | Scenario,
    *overrides: str,
    vm: str | None = None,
    reserve: int | None = None,
    allow_code: bool = False,
) -> "FarmHeadroom":
    """Say how many more VMs fit on each cluster so that failures are survived, and the limiter.

    ``vm`` is the reference VM, such as ``4c16g`` (None: the median VM), ``reserve`` the hosts that
    may fail at once in each cluster. Raises InputError if the farm cannot be planned.
    """
    from .planning.headroom import headroom_of  # noqa: PLC0415 - few need it

    return headroom_of(_scenario(scenario, overrides, allow_code), vm, reserve)


def _scenario(
    scenario: str | Path | Mapping[str, Any] | Scenario, overrides: Sequence[str], allow_code: bool
) -> Scenario:
    """Return a scenario from a file, a name of the library, mappings, or as it is."""
    if isinstance(scenario, str | Path):
        return Scenario.load(scenario, *overrides, allow_code=allow_code)
    if not isinstance(scenario, Scenario):
        scenario = Scenario.of(scenario, allow_code=allow_code)
    return scenario.override(*overrides)


def compare(
    *scenarios: Source,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    overhead_range: bool | Levels = False,
    out: str | Path | None = None,
    allow_code: bool = False,
) -> Comparison:
    """Run scenarios, or the ``variants`` of one, on common random numbers, side by side.

    A scenario is a file, ``library/NAME``, nested mappings, or a Scenario. Differences are
    against the variant called ``base``, or else the first; its seed holds for all, unless
    ``seed`` is given. ``overhead_range`` runs each at low, typical and high overheads, or at
    the levels given. ``out`` is where everything goes (None: nothing is written). Raises
    InputError if anything cannot be run.
    """
    of_overheads = OVERHEADS if overhead_range else None
    levels = of_overheads if isinstance(overhead_range, bool) else overhead_range
    variants = expand(scenarios, overrides, seed, levels, allow_code)
    if out is not None:
        refuse_directory(named(out), COMPARED)
    comparison = run_all(variants, levels)
    if out is not None:
        comparison.save(out, checked=True)
    return comparison
