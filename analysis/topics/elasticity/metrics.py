"""Applications that scale: what scaling did, how late capacity was added, what was not served.

A *shortage* lasts from when the load of an application goes beyond the capacity of its members that
run until it no longer is; its length is the *lateness* of the capacity.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from ....models.base.arrays import Floats
from ....models.base.quantiles import nearest_rank
from ....models.workload.application import Applications
from ....sim.outcome import Outcome
from ....sim.records.applications import GROWING
from ...base.played_case import PlayedCase
from ...base.table_columns import Made, words
from ...base.topic import Section, Topic, TopicTable
from ...base.units_and_ratios import MHZ_PER_GHZ, MHZ_S_PER_GHZ_H, nullable, ratios
from .figures import ELASTICITY_FIGURES, elasticity_of


def elasticity_values(run: PlayedCase) -> dict[str, float]:
    """Return the metrics of all applications together by name; none without applications.

    Lateness is 0 where there was no shortage. ``unserved_load_penalty`` is there only where an
    application has a penalty.

    Times are in s; a shortage that had not ended lasts until the end of the run.
    ``applications_unserved_share`` = load beyond the capacity / load; ``applications_spare_share``
    = 1 - load served / capacity, 0 without capacity. The penalty is in the scenario's currency and
    is not part of its costs.
    """
    if run.case.load.applications is None:
        return {}
    series, shortages = run.records["application_series"], run.records["shortages"]
    count = len(run.case.load.applications)
    ends = {name: series[f"{name}_mhz_s"][-count:] for name in ("load", "missed", "capacity")}
    load, missed, capacity = (float(each.sum()) for each in ends.values())
    late_s = shortages["end_s"] - shortages["start_s"]
    kinds = np.array(run.outcome.words)[run.records["scaling"]["decision"]]
    values = {
        "scale_outs": int(np.isin(kinds, GROWING).sum()),
        "scale_ins": int((~np.isin(kinds, GROWING)).sum()),
        "shortages": len(late_s),
        "shortage_mean_s": float(late_s.mean()) if len(late_s) else 0.0,
        "shortage_p95_s": nearest_rank(late_s, 0.95),
        "applications_unserved_ghz_h": missed / MHZ_S_PER_GHZ_H,
        "applications_unserved_share": missed / load if load else 0.0,
        "applications_spare_share": 1.0 - (load - missed) / capacity if capacity else 0.0,
    }
    if any(part.penalty for part in run.scenario.applications):
        amounts = _penalties(run, run.case.load.applications, ends["missed"])
        values["unserved_load_penalty"] = float(amounts.sum())
    return values


def missed_mhz_s(outcome: Outcome) -> float:
    """Return the load of all applications beyond what their members that ran could do.

    In MHz s; 0 in a run without applications.
    """
    if "application_series" not in outcome.tables:
        return 0.0
    series = outcome.tables["application_series"]
    # One row for each application at every instant, with the integrals so far.
    count = int(series["application"].max(initial=-1)) + 1
    return float(series["missed_mhz_s"][-count:].sum())


def _penalties(run: PlayedCase, applications: Applications, missed_mhz_s: Floats) -> Floats:
    """Return what load that was not served costs each application, 0 for those without a penalty.

    A penalty is for a GHz h, or for a unit of the application's own work.

    (applications,), in the scenario's currency.
    """
    amounts = np.zeros(len(applications))
    for index, part in enumerate(run.scenario.applications):
        if part.penalty is not None:
            one = applications.work_mhz_s[index]
            unit = MHZ_S_PER_GHZ_H if part.penalty.per == "GHz h" else one
            amounts[index] = missed_mhz_s[index] / unit * part.penalty.price.amount
    return amounts


def applications_table(run: PlayedCase) -> dict[str, Made]:
    """Return one row per application: its members, load, and what was not served.

    ``running_min`` and ``running_max`` are of reporting instants; what was between two of them is
    not seen.
    """
    return {**_members(run), **_loads(run), **_shortages(run), **_penalty(run)}


def _applications(run: PlayedCase) -> Applications:
    """Return the applications of the load; only called where there are any."""
    assert run.case.load.applications is not None
    return run.case.load.applications


def _at_the_end(run: PlayedCase, name: str) -> Floats:
    """Return an integral in MHz s of each application over the whole run."""
    made: Floats = run.records["application_series"][f"{name}_mhz_s"][-len(_applications(run)) :]
    return made


def _members(run: PlayedCase) -> dict[str, Made]:
    """Return names of applications and how many members each may have, and had."""
    applications = _applications(run)
    count = len(applications)
    running = run.records["application_series"]["running"].reshape(-1, count)
    return {
        "application": (_names(run, np.arange(count)), "", "Name of the application."),
        "min_members": (applications.minimum, "VMs", "Minimum number of members."),
        "max_members": (applications.maximum, "VMs", "Maximum number of members."),
        "running_min": (
            running.min(axis=0),
            "VMs",
            "Minimum number running at any instant of the series.",
        ),
        "running_max": (
            running.max(axis=0),
            "VMs",
            "Maximum number running at any instant of the series.",
        ),
    }


def _loads(run: PlayedCase) -> dict[str, Made]:
    """Return work of each application over the run; shares are 0 without load or capacity."""
    load, missed, capacity = (_at_the_end(run, name) for name in ("load", "missed", "capacity"))
    unserved_ghz_h, use = missed / MHZ_S_PER_GHZ_H, ratios(load - missed, capacity)
    return {
        "load_ghz_h": (load / MHZ_S_PER_GHZ_H, "GHz h", "Work requested."),
        "unserved_ghz_h": (unserved_ghz_h, "GHz h", "Work beyond the capacity of its members."),
        "unserved_share": (
            ratios(missed, load),
            "share",
            "The same as a share of the work requested.",
        ),
        "utilisation_mean": (use, "share", "Work done by its members divided by their capacity."),
    }


def _shortages(run: PlayedCase) -> dict[str, Made]:
    """Return how often each application was short of members, and the longest lateness."""
    table, count = run.records["shortages"], len(_applications(run))
    late_s = np.zeros(count)
    np.maximum.at(late_s, table["application"], table["end_s"] - table["start_s"])
    times = np.bincount(table["application"], minlength=count)
    short = "Number of times the load exceeded the capacity of the running members."
    return {
        "shortages": (times, "times", short),
        "shortage_max_s": (late_s, "s", "Longest shortage."),
    }


def _penalty(run: PlayedCase) -> dict[str, Made]:
    """Return what work that was not done costs each application; null without a penalty."""
    free = np.array([part.penalty is None for part in run.scenario.applications], bool)
    amounts = _penalties(run, _applications(run), _at_the_end(run, "missed"))
    meaning = "Penalty for the work not done; null if the application has no penalty."
    return {"penalty": (nullable(np.where(free, np.nan, amounts)), run.currency, meaning)}


def scaling_table(run: PlayedCase) -> dict[str, Made]:
    """Return the decisions of scaling policies, in order of time.

    ``ready_s`` is when the capacity asked for was there; null where it never was, and where less
    was asked for.
    """
    table = run.records["scaling"]
    return {
        "time_s": (table["time_s"], "s", "When it was decided."),
        "application": (_names(run, table["application"]), "", "Application concerned."),
        "decision": (run.texts(table["decision"]), "", "out or in (members), up or down (size)."),
        "from_members": (table["from_members"], "VMs", "Desired members before."),
        "to_members": (table["to_members"], "VMs", "Desired members from then on."),
        "from_size": (run.texts(table["from_size"]), "", "Size of the members before."),
        "to_size": (run.texts(table["to_size"]), "", "Size of the members from then on."),
        "rule": (run.texts(table["rule"]), "", "Rule that decided."),
        "measured": (
            table["measured"],
            "share",
            "Utilisation measured or forecast by the rule.",
        ),
        "limit": (nullable(table["limit"]), "share", "Limit with which the rule compared it."),
        "ready_s": (
            nullable(table["ready_s"]),
            "s",
            "When the additional capacity was available; null if never, or if capacity was "
            "reduced.",
        ),
        "shortage_s": (
            table["shortage_s"],
            "s",
            "How long the load had exceeded the capacity by then.",
        ),
    }


def shortages_table(run: PlayedCase) -> dict[str, Made]:
    """Return the times in which a load was beyond the capacity of the members that ran.

    ``ended_by`` says whether members came, the load fell, or the run ended.
    """
    table = run.records["shortages"]
    return {
        "application": (_names(run, table["application"]), "", "Application concerned."),
        "start_s": (table["start_s"], "s", "When the load first exceeded the capacity."),
        "end_s": (table["end_s"], "s", "When it no longer exceeded it."),
        "unserved_ghz_h": (
            table["missed_mhz_s"] / MHZ_S_PER_GHZ_H,
            "GHz h",
            "Work not done during the shortage.",
        ),
        "ended_by": (run.texts(table["ended_by"]), "", "What ended it."),
    }


def course_table(run: PlayedCase) -> dict[str, Made]:
    """Return load, capacity and members of each application in each reporting interval.

    One row per interval and application; intervals of no length are left out. Loads and capacities
    are means in GHz, members are counted at the start of the interval.
    """
    assert run.case.load.applications is not None
    table, count = run.records["application_series"], len(run.case.load.applications)
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
            _names(run, table["application"][before][keep]),
            "",
            "Name of the application.",
        ),
        "load_ghz": (load, "GHz", "Load, mean."),
        "capacity_ghz": (mean("capacity_mhz_s"), "GHz", "Capacity of the running members, mean."),
        "served_ghz": (load - missed, "GHz", "Load served by them, mean."),
        "unserved_ghz": (missed, "GHz", "Load beyond their capacity, mean."),
        "running": (counts["running"], "VMs", "Members running at the start of the interval."),
        "starting": (counts["starting"], "VMs", "Members waiting or starting at that instant."),
        "desired": (counts["wanted"], "VMs", "Desired members at that instant."),
    }


def _names(run: PlayedCase, rows: Any) -> pa.DictionaryArray:
    """Return names of applications by their number."""
    return words(rows, _applications(run).names)


def _has_applications(run: PlayedCase) -> bool:
    return run.case.load.applications is not None


ONLY = "Only where the scenario has `applications`."
ELASTICITY = Topic(
    name="elasticity",
    values=elasticity_values,
    tables=(
        TopicTable("applications", applications_table, _has_applications, ONLY),
        TopicTable("scaling", scaling_table, _has_applications, ONLY),
        TopicTable("shortages", shortages_table, _has_applications, ONLY),
        TopicTable("application_series", course_table, _has_applications, ONLY),
    ),
    figures=ELASTICITY_FIGURES,
    section=Section(
        "Elasticity",
        (
            "scale_outs",
            "scale_ins",
            "shortages",
            "shortage_mean_s",
            "shortage_p95_s",
            "applications_unserved_ghz_h",
            "applications_unserved_share",
            "applications_spare_share",
            "unserved_load_penalty",
        ),
    ),
    facts={"elasticity": elasticity_of},
)
