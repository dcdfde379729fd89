"""The load of an application over time: constant, tables, daily cycles, and multiplying events.

Times are seconds from the start of the run, which is a Monday at midnight. A load may count in
any unit; what is returned counts in the same.
"""

import numpy as np

from ..base.arrays import Bools, Floats

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
WEEKEND_S = 5 * DAY_S


def held(times_s: Floats, at_s: Floats, values: Floats) -> Floats:
    """Return for each time the value of the last instant ``at_s`` not after it.

    Before the first instant its value holds. ``at_s`` ascend.
    """
    before = np.searchsorted(at_s, times_s, side="right") - 1
    found: Floats = values[np.maximum(before, 0)]
    return found


def between(times_s: Floats, at_s: Floats, values: Floats) -> Floats:
    """Return values on straight lines between instants that ascend, constant outside them."""
    found: Floats = np.interp(times_s, at_s, values)
    return found


def daily(times_s: Floats, peak: float, trough: float, peak_at_s: float, weekend: float) -> Floats:
    """Return ``trough + (peak - trough) (1 + cos(2 pi (t - peak_at) / day)) / 2``.

    On Saturdays and Sundays it is multiplied by ``weekend``.
    """
    swing = 0.5 * (1.0 + np.cos(2.0 * np.pi * (times_s - peak_at_s) / DAY_S))
    rest: Bools = times_s % WEEK_S >= WEEKEND_S
    return (trough + (peak - trough) * swing) * np.where(rest, weekend, 1.0)


def event(times_s: Floats, from_s: float, to_s: float, factor: float, ramp_s: float) -> Floats:
    """Return what an event multiplies the load by: ``factor`` from ``from_s`` to ``to_s``, else 1.

    The first and the last ``ramp_s`` of it lead there and back in a straight line.
    """
    inside: Bools = (times_s >= from_s) & (times_s < to_s)
    if ramp_s == 0:
        return np.where(inside, factor, 1.0)
    nearest_s = np.minimum(times_s - from_s, to_s - times_s)
    return 1.0 + (factor - 1.0) * np.clip(nearest_s / ramp_s, 0.0, 1.0)
