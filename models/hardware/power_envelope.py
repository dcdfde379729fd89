"""Lower convex hull of a server's power curve: minimum power of any mixture of loads.

Measured curves are not convex, so two hosts at unequal load may draw less than two at their mean;
a bound on the power of many hosts therefore rests on the largest convex function below the curve.
"""

import numpy as np

from ..base.arrays import Floats, distinct
from .power_curves import LEVELS, PowerBank

FINE = 2000
"""Loads at which the hull is compared with the curve, a whole number per corner."""


def power_hull(bank: PowerBank, host: int, first: float, last: float) -> tuple[Floats, Floats]:
    """Return corners of a convex function of utilisation that is nowhere above a host's power.

    Utilisations from ``first`` to ``last``, both in [0, 1], and W, one per corner. The function
    does not exceed the power at any higher utilisation either, so it also holds where more runs
    on the host than is counted. Proof: the lower hull of points is the largest convex function
    not above them; it is lowered by the most that it exceeds the curve between the points.
    """
    knots = np.arange(LEVELS) / (LEVELS - 1)
    bends = np.concatenate([knots, bank.jumps(host)])
    inside = bends[(bends > first) & (bends < last)]
    ends: Floats = np.array([first, last])
    grid: Floats = distinct(np.concatenate([ends, inside]))
    fine: Floats = distinct(np.concatenate([grid, np.linspace(first, last, FINE + 1)]))
    curve_w = _never_more(bank.watts(fine, np.full(len(fine), host)))
    points_w = curve_w[np.searchsorted(fine, grid)]
    corners = lower_hull(grid, points_w)
    hull_w = np.interp(fine, grid[corners], points_w[corners])
    above_w = max(float((hull_w - curve_w).max()), 0.0)
    return grid[corners], points_w[corners] - above_w


def _never_more(power_w: Floats) -> Floats:
    """Return the least power at each load or any higher one, ascending loads."""
    min_w: Floats = np.minimum.accumulate(power_w[::-1])[::-1]
    return min_w


def lower_hull(x: Floats, y: Floats) -> list[int]:
    """Return the positions of the corners of the lower convex hull; ``x`` ascends.

    Andrew's monotone chain (Information Processing Letters 9, 1979, 216-219).
    """
    hull: list[int] = []
    for point in range(len(x)):
        while len(hull) > 1:
            before, last = hull[-2], hull[-1]
            rise = (y[last] - y[before]) * (x[point] - x[before])
            if rise < (y[point] - y[before]) * (x[last] - x[before]):
                break
            hull.pop()
        hull.append(point)
    return hull
