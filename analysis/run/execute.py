"""A scenario is run, with what it is compared with, and becomes a result.

The run comes first: its baselines carry the VMs that ran in it, and may pay for the hosts that it
needed.
"""

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
from ...scenarios.scenario import Scenario, check_others, dump
from ...sim.base.random_streams import Streams
from ...sim.outcome import Outcome
from ..base.metric_titles import UNLICENSED, after_start_up, without_licences
from ..base.played_case import PlayedCase
from ..base.provenance import input_records, versions
from ..base.run_tables import SCHEMA_VERSION
from ..base.wording import count
from ..measure.assumptions import assumptions, data_quality
from ..measure.conservation import check
from ..measure.metrics import measure
from ..measure.tables import make_tables
from ..measure.work_not_done import undone
from ..statements.run_warnings import warnings
from ..statements.savings import BaselineSavings
from ..statements.verdict import failed_assertions, verdict
from ..statements.without_effect import wide_vms, without_effect
from ..topics.farm.hosts_needed import hosts_needed
from ..topics.farm.utilisation import limiting_resource
from .play_case import play
from .result import Result

Progress = Callable[[str, float, float], None]
"""Told the name of the case, the simulated time and the length of the run, both in s."""


def execute(scenario: Scenario, progress: Progress | None = None) -> Result:
    """Run a scenario and its baselines.

    VMs that never ran are left out of baselines with the same load, so that these carry the work
    that was done. Raises InputError if the input cannot be run, ConservationError if a balance
    does not close.

    The result holds metrics, texts, tables and the runs of the baselines; nothing is written. A
    scenario in which no VM ran has no baselines, and its verdict says so. ``cpu_s`` in the manifest
    is the processor time of all of them together.
    """
    started, made = time.process_time(), Streams.made
    load = load_of(scenario)
    case = build(scenario, load)
    _try_baselines(scenario, load, case)
    run, here = _played(case, progress)
    drawn = Streams.made - made
    never = never_ran(run.outcome)
    others = build_baselines(scenario, load, never) if here["vms_ran"] else []
    played = [_played_baseline(other, run, progress) for other in others]
    if len(never) and here["vms_ran"]:
        for other in (each for each in others if each.load.vms is load.vms):
            other.title += _vms_that_ran(run, here)
    against = [
        BaselineSavings.of(other.case.label, other.case.title, here, values)
        for other, values in played
    ]
    result = _result(run, here, against)
    if not others and scenario.has_baseline:
        result.summary["verdict"] += " No saving is claimed because no VM ran."
    result.summary["warnings"] += [*without_effect(run, drawn), *wide_vms(run)]
    result.baselines += [_result(other, values, []) for other, values in played]
    result.manifest["cpu_s"] = round(time.process_time() - started, 3)
    return result


def _try_baselines(scenario: Scenario, load: Load, case: Case) -> None:
    """Find before a long run what is wrong with a baseline.

    Where VMs may be rejected, those that fit no server of a baseline may turn out to be left out.
    """
    check_others(scenario)
    if not case.living and scenario.policies.initial.unplaced == "refuse":
        build_baselines(scenario, load)


def _vms_that_ran(run: PlayedCase, here: dict[str, float]) -> str:
    """Return whom a baseline carries; members of applications are there beside the VMs."""
    if run.scenario.applications:
        return " for the VMs that ran, in addition to the members of applications"
    return f" for the {count(here['vms_ran'], 'VM')} that ran"


def never_ran(outcome: Outcome) -> Ints:
    """Return the VMs that were requested and never ran.

    Rows of VMs, ascending: rejected, or still waiting for their first run as the run ends.
    """
    lives, state = outcome.lives, outcome.farm.vms.state
    asked = ~np.isnan(lives.asked_s) | (state == VmState.REJECTED)
    return np.flatnonzero(asked & np.isnan(lives.ran_s))


def _played_baseline(
    other: Case, run: PlayedCase, progress: Progress | None
) -> tuple[PlayedCase, dict[str, float]]:
    """Play a baseline; the same farm without consolidation pays for the hosts of the run."""
    if other.min_paid is None:
        return _played(other, progress)
    other.min_paid = hosts_needed(run).paid
    played, values = _played(other, progress)
    other.title += f" ({count(values['hosts_on_peak'], 'host')} always on, no migrations)"
    return played, values


def _played(case: Case, progress: Progress | None) -> tuple[PlayedCase, dict[str, float]]:
    """Play a case and return it with its metrics. Raises ConservationError."""

    def report_time(now_s: float) -> None:
        if progress is not None:
            progress(case.name, now_s, case.scenario.run.duration)

    run = PlayedCase(case, play(case, report_time))
    metrics = measure(run)
    check(run.outcome, metrics, case.rules, case.broken_at_start)
    return run, metrics


def _result(
    run: PlayedCase, metrics: dict[str, float], against: Sequence[BaselineSavings]
) -> Result:
    """Return what a run leaves, without baselines of its own."""
    text = dump(run.scenario)
    return Result(
        name=run.case.name,
        summary=_summary(run, metrics, against),
        manifest=_manifest(run, text),
        scenario_yaml=text,
        tables=make_tables(run),
        title=run.case.title,
    )


def _summary(
    run: PlayedCase, metrics: dict[str, float], against: Sequence[BaselineSavings]
) -> dict[str, Any]:
    """Return metrics and savings with their units, and what is said about them.

    ``against`` are the baselines in their order, empty for a run that is a baseline itself. Metrics
    come in the order of their definitions.
    """
    currency = run.currency
    investment = run.scenario.cost.investment
    invested = investment.amount if investment is not None else None
    entries = _entries(metrics, against, currency, invested)
    values = {name: entry["value"] for name, entry in entries.items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": verdict(metrics, against, currency),
        **entries,
        "not_done": undone(metrics),
        "limiting_resource": limiting_resource(run, metrics),
        "baselines": [each.entry(metrics, currency, invested) for each in against],
        "warnings": warnings(run, metrics, hosts_needed(run).paid.tolist()),
        "failed_assertions": failed_assertions(run.scenario, values),
        "assumptions": assumptions(run, metrics),
        "data_quality": data_quality(run),
    }


def _entries(
    metrics: dict[str, float],
    against: Sequence[BaselineSavings],
    currency: str,
    invested: float | None,
) -> dict[str, Any]:
    """Return metrics, then savings against the first baseline, each with its unit.

    Where the price of a licence is not known, costs and savings are called so in their titles.

    Money is in ``currency``; ``invested`` None means that there is no payback. A saving that is not
    claimed has a value of None.
    """
    entries = {
        name: _entry(metrics[name], metric.unit.replace("money", currency))
        for name, metric in (METRICS | WHERE_KNOWN).items()
        if name in metrics
    }
    savings = against[0].saved(metrics, currency, invested) if against else {}
    entries |= {name: _entry(*savings[name]) for name in SAVINGS if name in savings}
    lacking = UNLICENSED in metrics
    saved = lacking or any(UNLICENSED in each.values for each in against[:1])
    without_licences(entries, lacking, saved)
    after_start_up(entries)
    return entries


def _entry(value: float | None, unit: str) -> dict[str, Any]:
    """Return a metric as the summary holds it; one replication has no interval."""
    return {"value": value, "unit": unit, "ci95": None, "n": 1}


def _manifest(run: PlayedCase, text: str) -> dict[str, object]:
    """Return what was run, by which versions, from which inputs.

    ``hash`` differs where the scenario, its seed, farmsim's version or an input does.

    Versions of libraries are listed and are not part of the hash.
    """
    inputs = input_records(run.case.load.files)
    known = versions()
    identity = json.dumps([text, run.scenario.seed, known["farmsim"], inputs], sort_keys=True)
    return {
        "schema_version": SCHEMA_VERSION,
        "name": run.case.name,
        "hash": hashlib.sha256(identity.encode()).hexdigest()[:8],
        "seed": run.scenario.seed,
        "replication": 0,
        "versions": known,
        "inputs": inputs,
        "control_rounds": run.outcome.rounds,
        "status": "completed",
    }
