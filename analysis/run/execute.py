"""A scenario is run, with what it is compared with, and becomes a result."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...models.base.arrays import Ints
from ...models.base.metric_definitions import METRICS, SAVINGS, WHERE_KNOWN
from ...models.state.columns import VmState
from ...scenarios.baselines import build_baselines
from ...scenarios.build.build import Case, build, load_of
from ...scenarios.build.workload import Load
from ...scenarios.other_scenario import check_others
from ...scenarios.scenario import Scenario, dump
from ...sim.base.random_streams import Streams
from ...sim.engine import Outcome
from ..base.metric_titles import UNLICENSED, after_start_up, without_licences
from ..base.provenance import input_records, versions
from ..base.run_tables import SCHEMA_VERSION
from ..base.wording import count
from ..measure.assumptions import assumptions, data_quality
from ..measure.conservation import check
from ..measure.metrics import measure
from ..measure.tables import make_tables
from ..measure.work_not_done import undone
from ..statements.headline import verdict
from ..statements.policy_notes import warnings_of
from ..statements.savings import Against
from ..statements.verdict import failed_assertions, warnings
from ..statements.without_effect import wide_vms, without_effect
from ..topics.hosts_needed import hosts_needed
from ..topics.resources import limiting_resource
from .play_case import play
from .result import Result

Progress = Callable[[str, float, float], None]
"""Told the name of the case, the simulated time and the length of the run, both in s."""


def execute(scenario: Scenario, progress: Progress | None = None) -> Result:
    """Run a scenario and its baselines.

    VMs that never ran are left out of baselines with the same load, so that these carry the work
    that was done. Raises InputError if the input cannot be run, ConservationError if a balance
    does not close.
    """
    started, made = time.process_time(), Streams.made
    load = load_of(scenario)
    case = build(scenario, load)
    _try_baselines(scenario, load, case)
    here, outcome = _run(case, progress)
    drawn = Streams.made - made
    never = never_ran(outcome)
    others = build_baselines(scenario, load, never) if here["vms_ran"] else []
    runs = [_run_baseline(other, case, outcome, progress) for other in others]
    if len(never) and here["vms_ran"]:
        for other in (each for each in others if each.load.vms is load.vms):
            other.title += _of_those_that_ran(case, here)
    against = [
        Against.of(other.label, other.title, here, values)
        for other, (values, _) in zip(others, runs, strict=True)
    ]
    result = _result(case, here, outcome, against)
    if not others and scenario.has_baseline:
        result.summary["verdict"] += " No saving is claimed: no VM ran."
    result.summary["warnings"] += [*without_effect(case, drawn), *wide_vms(case, outcome)]
    for other, (values, left) in zip(others, runs, strict=True):
        result.baselines.append(_result(other, values, left, []))
    result.manifest["cpu_s"] = round(time.process_time() - started, 3)
    return result


def _try_baselines(scenario: Scenario, load: Load, case: Case) -> None:
    """Find before a long run what is wrong with a baseline.

    Where VMs may be rejected, those that fit no server of a baseline may turn out to be left out.
    """
    check_others(scenario)
    if not case.living and scenario.policies.initial.unplaced == "refuse":
        build_baselines(scenario, load)


def _of_those_that_ran(case: Case, here: dict[str, float]) -> str:
    """Return whom a baseline carries; members of applications are there beside the VMs."""
    if case.scenario.applications:
        return " for the VMs that ran, beside the members of applications"
    return f" for the {count(here['vms_ran'], 'VM')} that ran"


def never_ran(outcome: Outcome) -> Ints:
    """Return the VMs that were asked for and never ran."""
    lives, state = outcome.lives, outcome.farm.vms.state
    asked = ~np.isnan(lives.asked_s) | (state == VmState.REJECTED)
    return np.flatnonzero(asked & np.isnan(lives.ran_s))


def _run_baseline(
    other: Case, case: Case, outcome: Outcome, progress: Progress | None
) -> tuple[dict[str, float], Outcome]:
    """Run a baseline; the same farm without consolidation pays for the hosts of the run."""
    if other.least_paid is None:
        return _run(other, progress)
    other.least_paid = hosts_needed(case, outcome).paid
    values, left = _run(other, progress)
    other.title += f" ({count(values['hosts_on_peak'], 'host')} always on, nothing moved)"
    return values, left


def _run(case: Case, progress: Progress | None) -> tuple[dict[str, float], Outcome]:
    def tell(now_s: float) -> None:
        if progress is not None:
            progress(case.name, now_s, case.scenario.run.duration)

    outcome = play(case, tell)
    metrics = measure(case, outcome)
    check(outcome, metrics, case.rules)
    return metrics, outcome


def _result(
    case: Case, metrics: dict[str, float], outcome: Outcome, against: Sequence[Against]
) -> Result:  # fmt: skip
    cost = case.scenario.cost
    investment = cost.investment.amount if cost.investment is not None else None
    said = verdict(metrics, against, cost.currency)
    summary: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "verdict": said}
    values: dict[str, float | None] = {}
    for name, metric in (METRICS | WHERE_KNOWN).items():
        if name not in metrics:
            continue
        summary[name] = _entry(metrics[name], metric.unit.replace("money", cost.currency))
        values[name] = metrics[name]
    savings = against[0].saved(metrics, cost.currency, investment) if against else {}
    for name in SAVINGS:
        if name in savings:
            summary[name] = _entry(*savings[name])
            values[name] = savings[name][0]
    lacking = UNLICENSED in metrics
    saved = lacking or any(UNLICENSED in each.values for each in against[:1])
    without_licences(summary, lacking, saved)
    after_start_up(summary)
    values |= {name: summary[name]["value"] for name in values}
    summary["not_done"] = undone(metrics)
    summary["limiting_resource"] = limiting_resource(case, metrics)
    summary["baselines"] = [each.entry(metrics, cost.currency, investment) for each in against]
    paid = hosts_needed(case, outcome).paid.tolist()
    summary["warnings"] = [*warnings(case, metrics, paid), *warnings_of(outcome.noted)]
    summary["failed_assertions"] = failed_assertions(case, values)
    summary["assumptions"] = assumptions(case, metrics)
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
