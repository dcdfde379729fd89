"""Percentiles by nearest rank, the definition used for all metrics."""

import numpy as np

from .arrays import Floats

ROUNDING = 1e-12
"""Part of the weight below a quantile that rounding may leave."""


def nearest_rank(values: Floats, q: float, weights: Floats | None = None) -> float:
    """Return the smallest value at or below which at least ``q`` of the weight lies.

    All values weigh the same where no weights are given; 0 of nothing.
    """
    if not len(values):
        return 0.0
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(np.ones(len(values)) if weights is None else weights[order])
    at = int(np.searchsorted(cumulated, q * cumulated[-1] * (1 - ROUNDING)))
    return float(values[order[min(at, len(values) - 1)]])
