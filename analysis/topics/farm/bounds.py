"""Theoretical minimum of hosts and energy for the work done, and the gap to it.

The bounds are lower bounds for the work of each step alone (docs/optimum.md): no placement can do
with less, and none may reach them.
"""

from ....models.base.cost import JOULE_PER_KWH
from ...base.played_case import PlayedCase
from ...base.table_columns import Made
from ...base.topic import Section, Topic, TopicTable


def bound_values(run: PlayedCase) -> dict[str, float]:
    """Return the bounds and the gaps by name; the gap to a bound of 0 is 0.

    ``hosts_bound_mean`` is a mean over time, ``energy_bound_kwh`` an integral. A gap is what the
    run took over its bound, less 1.

    With hosts on ``h(t)`` and the bound ``b(t)``, ``gap_hosts`` = integral of h / integral of b -
    1, and the same with power for ``gap_energy``. The bounds are for the work that hosts did, not
    for what was asked for, so that a gap is never negative: read it beside ``unserved_share``.
    """
    steps = run.accounts.bounds.columns()
    length_s = steps["length_s"]
    on_s, least_s = (float((steps[name] * length_s).sum()) for name in ("hosts_on", "hosts_least"))
    energy_j, least_j = float(steps["energy_j"].sum()), float((steps["least_w"] * length_s).sum())
    return {
        "hosts_bound_mean": least_s / run.end_s,
        "gap_hosts": on_s / least_s - 1.0 if least_s > 0 else 0.0,
        "energy_bound_kwh": least_j / JOULE_PER_KWH,
        "gap_energy": energy_j / least_j - 1.0 if least_j > 0 else 0.0,
    }


def bounds_table(run: PlayedCase) -> dict[str, Made]:
    """Return the bounds step by step, beside what the farm had: one row per step of demand.

    Hosts and power are means of the step.

    A step lasts from one change of demand to the next, so that rows may be of different lengths;
    sums over rows must be weighted with ``interval_s``.
    """
    steps = run.accounts.bounds.columns()
    length_s = steps["length_s"]
    power_w = steps["energy_j"] / length_s
    hosts = "Theoretical minimum number of hosts for the same work."
    return {
        "time_s": (steps["time_s"] - length_s, "s", "Start of the step."),
        "interval_s": (length_s, "s", "Length of the step."),
        "hosts_on": (steps["hosts_on"], "hosts", "Mean hosts on."),
        "hosts_bound": (steps["hosts_least"], "hosts", hosts),
        "power_w": (power_w, "W", "Mean power of the servers."),
        "power_bound_w": (steps["least_w"], "W", "Theoretical minimum power for the same work."),
    }


BOUNDS = Topic(
    name="bounds",
    values=bound_values,
    tables=(TopicTable("bounds", bounds_table),),
    section=Section(
        "Above the theoretical minimum",
        ("hosts_bound_mean", "gap_hosts", "energy_bound_kwh", "gap_energy"),
    ),
)
