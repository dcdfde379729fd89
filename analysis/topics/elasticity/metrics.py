"""Applications as figures and tables: what scaling did, how late it came, what was not served."""

from typing import Any

import numpy as np
import pyarrow as pa

from ....models.base.arrays import Floats
from ....models.base.quantiles import nearest_rank
from ....models.workload.application import Applications
from ....scenarios.build.build import Case
from ....sim.engine import Outcome
from ....sim.records.applications import GROWING
from ...base.table_columns import Made, looked_up, words
from ...base.units_and_ratios import MHZ_PER_GHZ, MHZ_S_PER_GHZ_H, nullable


def elasticity_values(case: Case, outcome: Outcome) -> dict[str, float]:
    """Return the figures of all applications together by name; none where there are none."""
    if case.load.applications is None:
        return {}
    series, shortages = outcome.tables["application_series"], outcome.tables["shortages"]
    count = len(case.load.applications)
    ends = {name: series[f"{name}_mhz_s"][-count:] for name in ("load", "missed", "capacity")}
    load, missed, capacity = (float(each.sum()) for each in ends.values())
    late_s = shortages["end_s"] - shortages["start_s"]
    kinds = np.array(outcome.words)[outcome.tables["scaling"]["decision"]]
    values = {
        "scale_outs": int(np.isin(kinds, GROWING).sum()),
        "scale_ins": int((~np.isin(kinds, GROWING)).sum()),
        "shortages": len(late_s),
        "lateness_mean_s": float(late_s.mean()) if len(late_s) else 0.0,
        "lateness_p95_s": nearest_rank(late_s, 0.95),
        "applications_unserved_ghz_h": missed / MHZ_S_PER_GHZ_H,
        "applications_unserved_share": missed / load if load else 0.0,
        "applications_spare_share": 1.0 - (load - missed) / capacity if capacity else 0.0,
    }
    if any(part.penalty for part in case.scenario.applications):
        amounts = _penalties(case, case.load.applications, ends["missed"])
        values["lateness_cost"] = float(amounts.sum())
    return values


def missed_mhz_s(outcome: Outcome) -> float:
    """Return the load of all applications beyond what their members that ran could do."""
    if "application_series" not in outcome.tables:
        return 0.0
    series = outcome.tables["application_series"]
    # One row for each application at every instant, with the integrals so far.
    count = int(series["application"].max(initial=-1)) + 1
    return float(series["missed_mhz_s"][-count:].sum())


def _penalties(case: Case, applications: Applications, missed_mhz_s: Floats) -> Floats:
    """Return what load that was not served costs each application."""
    amounts = np.zeros(len(applications))
    for index, part in enumerate(case.scenario.applications):
        if part.penalty is not None:
            one = applications.work_mhz_s[index]
            unit = MHZ_S_PER_GHZ_H if part.penalty.per == "GHz h" else one
            amounts[index] = missed_mhz_s[index] / unit * part.penalty.price.amount
    return amounts


def elasticity_tables(case: Case) -> dict[str, Any]:
    """Return the makers of the tables of applications by name; none where there are none."""
    if case.load.applications is None:
        return {}
    names = pa.array(case.load.applications.names, pa.string())
    return {
        "applications": lambda case, outcome, _: _applications(case, outcome, names),
        "scaling": lambda _, outcome, __: _scaling(outcome, names),
        "shortages": lambda _, outcome, __: _shortages(outcome, names),
        "application_series": lambda case, outcome, _: _series(case, outcome, names),
    }


def _applications(case: Case, outcome: Outcome, names: Any) -> dict[str, Made]:
    applications = case.load.applications
    assert applications is not None
    count, series = len(applications), outcome.tables["application_series"]
    shortages, late = outcome.tables["shortages"], np.zeros(len(applications))
    np.maximum.at(late, shortages["application"], shortages["end_s"] - shortages["start_s"])
    load, missed, capacity = (
        series[f"{name}_mhz_s"][-count:] for name in ("load", "missed", "capacity")
    )
    running = series["running"].reshape(-1, count)
    share = np.divide(missed, load, out=np.zeros(count), where=load > 0)
    use = np.divide(load - missed, capacity, out=np.zeros(count), where=capacity > 0)
    currency = case.scenario.cost.currency
    priced = [part.penalty is not None for part in case.scenario.applications]
    return {
        "application": (looked_up(np.arange(count), names), "", "Name of the application."),
        "minimum": (applications.minimum, "VMs", "Fewest members."),
        "maximum": (applications.maximum, "VMs", "Most members."),
        "running_min": (running.min(axis=0), "VMs", "Fewest that ran at an instant of the series."),
        "running_max": (running.max(axis=0), "VMs", "Most that ran at an instant of the series."),
        "load_ghz_h": (load / MHZ_S_PER_GHZ_H, "GHz h", "Work that was asked for."),
        "unserved_ghz_h": (
            missed / MHZ_S_PER_GHZ_H, "GHz h", "Work beyond what its members could do."
        ),
        "unserved_share": (share, "share", "The same over all that was asked for."),
        "utilisation_mean": (use, "share", "Work that its members did over their capacity."),
        "shortages": (
            np.bincount(shortages["application"], minlength=count), "times", "Times that the "
            "load was beyond the capacity of the members that ran.",
        ),
        "lateness_max_s": (late, "s", "Longest of them."),
        "penalty": (
            nullable(np.where(priced, _penalties(case, applications, missed), np.nan)), currency,
            "What work that was not done costs by the penalty of the scenario; null where the "
            "application has none, so that it costs nothing.",
        ),
    }  # fmt: skip


def _scaling(outcome: Outcome, names: Any) -> dict[str, Made]:
    table, texts = outcome.tables["scaling"], outcome.words
    return {
        "time_s": (table["time_s"], "s", "When it was decided."),
        "application": (looked_up(table["application"], names), "", "Application concerned."),
        "decision": (words(table["decision"], texts), "", "Out, in (members); up, down (size)."),
        "from_members": (table["from_members"], "VMs", "Members wanted before."),
        "to_members": (table["to_members"], "VMs", "Members wanted from then on."),
        "from_size": (words(table["from_size"], texts), "", "Size of the members before."),
        "to_size": (words(table["to_size"], texts), "", "Size of the members from then on."),
        "rule": (words(table["rule"], texts), "", "Rule that asked for it."),
        "measured": (
            table["measured"], "share", "Utilisation that the rule looked at, now or forecast."
        ),
        "limit": (nullable(table["limit"]), "share", "What the rule compared it with."),
        "ready_s": (
            nullable(table["ready_s"]), "s", "When the capacity asked for was there; null if "
            "never, or if less was asked for."
        ),
        "lateness_s": (
            table["lateness_s"], "s", "For how long the load had been beyond the capacity then."
        ),
    }  # fmt: skip


def _shortages(outcome: Outcome, names: Any) -> dict[str, Made]:
    table = outcome.tables["shortages"]
    return {
        "application": (looked_up(table["application"], names), "", "Application concerned."),
        "start_s": (table["start_s"], "s", "When the load went beyond the capacity."),
        "end_s": (table["end_s"], "s", "When it no longer was."),
        "unserved_ghz_h": (
            table["missed_mhz_s"] / MHZ_S_PER_GHZ_H,
            "GHz h",
            "Work not done meanwhile.",
        ),
        "ended_by": (words(table["ended_by"], outcome.words), "", "What ended it."),
    }


def _series(case: Case, outcome: Outcome, names: Any) -> dict[str, Made]:
    assert case.load.applications is not None
    table, count = outcome.tables["application_series"], len(case.load.applications)
    time_s = table["time_s"][::count]
    length_s = np.diff(time_s)
    keep = np.repeat(length_s > 0, count)
    before = slice(None, len(time_s) * count - count)

    def mean(name: str) -> Floats:
        rows = table[name].reshape(-1, count)
        fresh = np.diff(rows, axis=0).ravel()[keep]
        made: Floats = fresh / np.repeat(length_s, count)[keep] / MHZ_PER_GHZ
        return made

    load, missed = mean("load_mhz_s"), mean("missed_mhz_s")
    counts = {name: table[name][before][keep] for name in ("running", "starting", "wanted")}
    return {
        "time_s": (table["time_s"][before][keep], "s", "Start of the interval."),
        "application": (
            looked_up(table["application"][before][keep], names), "", "Name of the application."
        ),
        "load_ghz": (load, "GHz", "Load, mean."),
        "capacity_ghz": (mean("capacity_mhz_s"), "GHz", "Capacity of members that ran, mean."),
        "served_ghz": (load - missed, "GHz", "What these were asked for, mean."),
        "unserved_ghz": (missed, "GHz", "Load beyond what they could do, mean."),
        "running": (counts["running"], "VMs", "Members that ran at the start of the interval."),
        "starting": (counts["starting"], "VMs", "Members that waited or started then."),
        "wanted": (counts["wanted"], "VMs", "Members that were wanted then."),
    }  # fmt: skip
