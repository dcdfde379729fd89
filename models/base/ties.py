"""Tolerance for ties in decisions: far above rounding, far below measurement accuracy.

Costs that are equal in theory, such as what a VM adds to the power of alike servers, differ by
rounding as soon as they are computed from other loads. Whoever picks the lowest of them, or puts
them in order, therefore takes numbers within a tolerance for equal and prefers the first. The
tolerance of a quantity is a share of the largest value that it can have on the farm, so that other
units, or all amounts times a factor, decide alike.
"""

import numpy as np

from .arrays import Floats, Ints

TIE = 1e-9
"""Share of the largest value within which two are equal.

A microwatt where the host that draws most draws 1 kW, 50 Hz where the largest host has 50 GHz.
Shares are compared with it as they are. Rounding is some 1e-15.
"""


def tie_of(values: Floats) -> float:
    """Return the tolerance of a quantity that has these values."""
    return TIE * float(np.abs(values).max(initial=0.0))


def first_lowest(values: Floats, tie: float = TIE) -> int:
    """Return the first position whose value is within ``tie`` of the lowest."""
    return first_as_low(values, int(values.argmin()), tie)


def first_as_low(values: Floats, lowest: int, tie: float) -> int:
    """Return what :func:`first_lowest` does where the position of the lowest value is known."""
    if not lowest:
        return 0
    return int((values[: lowest + 1] <= values[lowest] + tie).argmax())


def first_highest(values: Floats, tie: float = TIE) -> int:
    """Return the first position whose value is within ``tie`` of the highest."""
    return int((values >= values.max() - tie).argmax())


def levels(values: Floats, tie: float = TIE) -> Ints:
    """Return a number per value, ascending, the same for values that are equal within ``tie``.

    A value belongs to the next lower one if it is at most ``tie`` above it.
    """
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    level = np.zeros(len(values), np.int64)
    level[order[1:]] = np.cumsum(ascending[1:] > ascending[:-1] + tie)
    return level


def ascending(values: Floats, tie: float = TIE) -> Ints:
    """Return the positions in ascending order of their values, equal ones as they stand."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    below, above = ranked[:-1], ranked[1:]
    # The same values are in order by then; only those that rounding sets apart may not be.
    if np.count_nonzero(~(above > below + tie) & (above != below)):
        return np.argsort(levels(values, tie), kind="stable")
    return order
