"""The reserve: what was left beyond it, and for how long it was not whole."""

from typing import Any

import numpy as np
import pyarrow as pa

from ...models.base.arrays import Floats
from ..base.arrow_arrays import numpy_array
from ..base.played_case import PlayedCase
from ..base.plotting import MAIN, WARM, Figure, figure, hours, line, second_axis
from ..base.run_tables import RunTables
from ..base.table_columns import Made
from ..base.topic import Section, Topic, TopicFigure, TopicTable
from ..base.units_and_ratios import MIB_PER_GIB, S_PER_H, nullable

TABLE, RULES = "reserve", "reserves"


def reserve_values(run: PlayedCase) -> dict[str, float]:
    """Return for how many hours the reserve was not kept; none without a reserve.

    Time in which the reserve was below what the scenario keeps, by its own check. 0 where it was
    kept throughout.
    """
    if TABLE not in run.records:
        return {}
    return {"below_reserve_h": run.outcome.below_reserve_s / S_PER_H}


def reserve_table(run: PlayedCase) -> dict[str, Made]:
    """Return what was left beyond the reserve at each reporting instant, in GiB and GHz.

    Below 0 the reserve is broken; null where the reserve keeps none of that resource.

    What is left is what VMs could still be given on the hosts that are awake, beyond what the
    reserve keeps free for a failure.
    """
    table = run.records[TABLE]
    most = " Of several reserves the least." if keeps_several(run) else ""
    return {
        "time_s": (table["time_s"], "s", "Instant."),
        "memory_left_gib": (
            _finite(table["left_mib"] / MIB_PER_GIB),
            "GiB",
            "Memory that can still be allocated on hosts that are on without using the reserve; "
            f"below 0: the reserve is in use; null: no memory is reserved.{most}",
        ),
        "cpu_left_ghz": (
            _finite(table["left_mhz"] / 1000),
            "GHz",
            "The same for CPU, counted as by the initial placement.",
        ),
    }


def reserves_table(run: PlayedCase) -> dict[str, Made]:
    """Return what became of each reserve where several are kept, the least left at reports."""
    table = run.records[RULES]
    names = [rule.name for rule in run.case.reserve]
    return {
        "reserve": (names, "", "What is kept, and in which cluster."),
        "below_h": (table["below_s"] / S_PER_H, "h", "Time for which it was not kept."),
        "memory_left_min_gib": (
            _finite(table["left_mib"] / MIB_PER_GIB),
            "GiB",
            "Least memory that could still be allocated without using it, at reporting instants; "
            "null: no memory is reserved.",
        ),
        "cpu_left_min_ghz": (_finite(table["left_mhz"] / 1000), "GHz", "The same for CPU."),
    }


def keeps_several(run: PlayedCase) -> bool:
    """Whether more than one reserve is kept, or one within a cluster."""
    return len(run.case.reserve) > 1 or any(each.within is not None for each in run.case.reserve)


def broken_reserves(run: PlayedCase) -> list[str]:
    """Return a sentence for each of several reserves that was not kept all the time."""
    below_h = run.records[RULES]["below_s"] / S_PER_H
    return [
        f"Reserve not kept for {hours:.3g} h: {rule.name}."
        for rule, hours in zip(run.case.reserve, below_h.tolist(), strict=True)
        if hours > 0
    ]


def _finite(values: Floats) -> pa.Array:
    """Return values with null in place of those that are infinite: nothing is kept of these."""
    return nullable(values, ~np.isfinite(values))


def reserve(result: RunTables) -> Figure:
    """Memory and CPU that are left beyond the reserve over time; below zero it is broken.

    CPU has an axis of its own; both axes have their zero at the same height.

    A resource of which nothing is kept has no line.
    """
    table = result.table(TABLE)
    times, label = hours(numpy_array(table["time_s"]))
    traces: list[dict[str, Any]] = []
    for column, name, unit, colour, dash, axis in (
        ("memory_left_gib", "memory", "GiB", MAIN, None, "y"),
        ("cpu_left_ghz", "CPU", "GHz", WARM, "dot", "y2"),
    ):
        if table[column].null_count:
            continue
        left, hover = numpy_array(table[column]), f"%{{y:,.1f}} {unit}"
        traces.append(line(times, left, name, colour, hover, dash=dash, yaxis=axis))
    made = figure(traces, f"time ({label})", "memory left (GiB)", margin={"r": 64})
    made["layout"]["yaxis2"] = second_axis("CPU left (GHz)")
    for axis, column in (("yaxis", "memory_left_gib"), ("yaxis2", "cpu_left_ghz")):
        values = numpy_array(table[column])
        values = values[~np.isnan(values)]
        made["layout"][axis]["range"] = _around_zero(values)
    return made


def _around_zero(values: Any) -> list[float]:
    """Return a range that has zero at a quarter of its height, so that both axes share it."""
    most = max(float(np.max(values, initial=0.0)), -3 * float(np.min(values, initial=0.0)), 1e-9)
    return [-1.1 * most / 3, 1.1 * most]


RESERVE = Topic(
    name="reserve",
    values=reserve_values,
    tables=(
        TopicTable(TABLE, reserve_table, lambda run: TABLE in run.records, "Only with a reserve."),
        TopicTable(
            RULES,
            reserves_table,
            lambda run: RULES in run.records and keeps_several(run),
            "Only where several reserves are kept, or one in a cluster.",
        ),
    ),
    figures=(
        TopicFigure(
            "reserve",
            "Capacity beyond the reserve",
            "Capacity that can still be allocated without using the reserve; below zero the "
            "reserve is in use.",
            reserve,
            lambda result: TABLE in result.tables,
            "Only with a reserve.",
        ),
    ),
    section=Section("Reserve", ("below_reserve_h",)),
)
