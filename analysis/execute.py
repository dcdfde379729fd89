"""A scenario is run, with what it is compared with, and becomes a result."""

import hashlib
import json
import time
from collections.abc import Callable

from ..models.metrics import METRICS, SAVINGS, WHERE_KNOWN
from ..scenarios.build import Case, build, build_baseline, load_of, refuse_unplaced
from ..scenarios.loader import dump
from ..scenarios.problems import refuse
from ..scenarios.scenario import Scenario
from ..sim.actuator import PlanError
from ..sim.engine import Outcome, UnplacedError
from .assumptions import assumptions, data_quality
from .conservation import check
from .metrics import measure
from .noted import warnings_of
from .provenance import input_records, versions
from .result import SCHEMA_VERSION, Result
from .tables import make_tables
from .verdict import failed_assertions, saving_metrics, verdict, warnings

Progress = Callable[[str, float, float], None]
"""Told the name of the case, the simulated time and the length of the run, both in s."""


def execute(scenario: Scenario, progress: Progress | None = None) -> Result:
    """Run a scenario and its baseline.

    Raises InputError if the input cannot be run, ConservationError if a balance does not close.
    """
    started = time.process_time()
    load = load_of(scenario)
    case = build(scenario, load)
    other = build_baseline(scenario, load)
    here, outcome = _run(case, progress)
    compared: tuple[dict[str, float], Outcome] | None = None
    if other is not None:
        compared = _run(other, progress)
    baseline = compared[0] if compared else None
    savings = saving_metrics(case, here, baseline) if baseline else {}
    title = other.title if other else None
    said = verdict(case, here, baseline, title)
    result = _result(case, here, outcome, said, savings)
    if other is not None and compared is not None:
        result.baseline = _result(other, compared[0], compared[1], other.title, {})
        result.baseline.title = other.title
    result.manifest["cpu_s"] = round(time.process_time() - started, 3)
    return result


def _run(case: Case, progress: Progress | None) -> tuple[dict[str, float], Outcome]:
    def tell(now_s: float) -> None:
        if progress is not None:
            progress(case.name, now_s, case.scenario.run.duration)

    try:
        outcome = case.engine.run(tell)
    except UnplacedError as error:
        raise refuse_unplaced(case, error) from None
    except PlanError as error:
        raise refuse(case.name, str(error), "policies.control") from None
    metrics = measure(case, outcome)
    check(outcome, metrics, case.rules)
    return metrics, outcome


def _result(
    case: Case,
    metrics: dict[str, float],
    outcome: Outcome,
    said: str,
    savings: dict[str, tuple[float | None, str]],
) -> Result:
    currency = case.scenario.cost.currency
    summary: dict[str, object] = {"schema_version": SCHEMA_VERSION, "verdict": said}
    values: dict[str, float | None] = {}
    for name, metric in (METRICS | WHERE_KNOWN).items():
        if name not in metrics:
            continue
        summary[name] = _entry(metrics[name], metric.unit.replace("money", currency))
        values[name] = metrics[name]
    for name in SAVINGS:
        if name in savings:
            summary[name] = _entry(*savings[name])
            values[name] = savings[name][0]
    summary["warnings"] = [*warnings(case, metrics), *warnings_of(outcome.noted)]
    failures = failed_assertions(case, values)
    summary["failed_assertions"] = failures
    summary["assumptions"] = assumptions(case)
    summary["data_quality"] = data_quality(case)
    text = dump(case.scenario)
    return Result(
        name=case.name,
        summary=summary,
        manifest=_manifest(case, text, outcome),
        scenario_yaml=text,
        tables=make_tables(case, outcome),
        title=case.title,
    )


def _entry(value: float | None, unit: str) -> dict[str, object]:
    return {"value": value, "unit": unit, "ci95": None, "n": 1}


def _manifest(case: Case, text: str, outcome: Outcome) -> dict[str, object]:
    inputs = input_records(case.load.files)
    known = versions()
    identity = json.dumps([text, case.scenario.seed, known["farmsim"], inputs], sort_keys=True)
    return {
        "schema_version": SCHEMA_VERSION,
        "name": case.name,
        "hash": hashlib.sha256(identity.encode()).hexdigest()[:8],
        "seed": case.scenario.seed,
        "replication": 0,
        "versions": known,
        "inputs": inputs,
        "control_rounds": outcome.rounds,
        "status": "completed",
    }
