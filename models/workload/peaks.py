"""Percentiles by nearest rank, and how far the peaks of VMs coincide.

Load is an array (instants, VMs) in any one unit, MHz in planning; a missing value is NaN. The
percentile ``p`` of ``n`` values is the smallest of them at or below which at least ``n p`` lie,
``x_(ceil(n p))`` of the ascending values: what a planner recomputes in a sheet.
"""

import math

import numpy as np

from ..base.arrays import Floats
from ..base.lazy_dataclass import dataclass
from ..base.quantiles import ROUNDING

MAXIMUM = 1.0
"""The percentile that is the maximum."""


@dataclass(frozen=True)
class Coincidence:
    """Peak of a sum beside the sum of the peaks, in the unit of the load.

    ``instants`` of ``of_instants`` have a value of every VM; the others have no sum. Where there is
    none, or a VM has no value at all, what cannot be known is NaN.
    """

    percentile: float
    peak_of_sum: float
    sum_of_peaks: float
    instants: int
    of_instants: int

    @property
    def share(self) -> float:
        """Peak of the sum as a share of the sum of the peaks; NaN where that is 0 or unknown.

        1 where all VMs peak at the same instants; the lower, the more they can share. The share of
        the maxima is at most 1, that of a percentile may exceed 1.
        """
        if not self.sum_of_peaks > 0:
            return math.nan
        return self.peak_of_sum / self.sum_of_peaks


def rank(count: int, p: float) -> int:
    """Return the position of the percentile ``p`` (0 to 1) among ``count`` ascending values.

    It counts from 0. Raises ValueError if there are no values, or ``p`` is no share.
    """
    if count < 1 or not 0 <= p <= 1:
        raise ValueError(f"no percentile {p:g} of {count} values")
    return max(0, math.ceil(count * p * (1 - ROUNDING)) - 1)


def percentile(values: Floats, p: float) -> float:
    """Return the percentile ``p`` (0 to 1) of all known ``values``; NaN if none is known."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan
    at = rank(len(known), p)
    return float(np.partition(known, at)[at])


def percentiles(load: Floats, p: float) -> Floats:
    """Return the percentile ``p`` (0 to 1) of each column of ``load``, shape (VMs,).

    It is that of the known values of the column; NaN for a column without any.
    """
    instants, vms = load.shape
    if not instants:
        return np.full(vms, math.nan)
    at = rank(instants, p)
    found: Floats = np.partition(load, at, axis=0)[at]
    for vm in np.flatnonzero(np.isnan(load).any(axis=0)):
        found[vm] = percentile(load[:, vm], p)
    return found


def summed(load: Floats) -> Floats:
    """Return the sum over the VMs at each instant, shape (instants,).

    It is NaN at an instant at which a value is missing: a sum without it would be too low.
    """
    total: Floats = load.sum(axis=1)
    return total


def coincidence(load: Floats, p: float = MAXIMUM) -> Coincidence:
    """Return how far the peaks of VMs coincide, a peak being the percentile ``p`` (1: maximum).

    ``P_p(sum of all VMs) / sum of P_p(each VM)``, in the literature on power grids the coincidence
    factor, the inverse of the diversity factor. The peak of a VM is that of its own known values.
    """
    total = summed(load)
    return Coincidence(
        p,
        percentile(total, p),
        float(percentiles(load, p).sum()),
        int((~np.isnan(total)).sum()),
        len(total),
    )
