"""Division of a host's CPU when demand exceeds capacity.

Proportional shares with reservations and limits: every consumer is filled up to one level per
host, the water, weighted by its shares, but never below its reservation nor above its limit or
its demand. With floors ``f = min(reservation, demand, limit)`` and ceilings
``c = min(limit, demand)``::

    delivered_v = min(max(level_h * shares_v, f_v), c_v)
    sum over host h of delivered_v = min(capacity_h, sum over host h of c_v)

This is the weighted max-min fair allocation (Bertsekas and Gallager, Data Networks, 2nd ed.
1992, section 6.5.2), here with a floor under each consumer.
"""

import numpy as np

from ..base.arrays import Floats, Ints, sum_by


def fill(
    capacity: Floats,
    host_of: Ints,
    demand: Floats,
    shares: Floats,
    reservation: Floats,
    limit: Floats,
) -> Floats:
    """Return what each consumer is delivered, in the unit of ``capacity`` (MHz).

    ``host_of`` is the position of the consumer's host in ``capacity``; consumers come in any
    order. Where everybody's ceiling fits, everybody is delivered its ceiling to the last bit.
    A limit below the reservation wins over it. Where floors exceed the capacity, all floors of
    that host are scaled down by the same factor and nobody gets more than that. Capacity below
    zero counts as none.

    Results are exact up to rounding: levels at which a consumer leaves its floor or reaches its
    ceiling are sorted once, the segment that holds the level is found by binary search in all
    hosts at once, and inside it the sum is linear in the level.

    Raises ``ValueError`` for shares that are not above zero.
    """
    if not np.all(shares > 0):
        raise ValueError("shares must be above zero")
    hosts = len(capacity)
    ceiling = np.minimum(limit, demand)
    short = sum_by(host_of, weights=ceiling, minlength=hosts) > capacity
    if not short.any():
        return ceiling
    rows = np.flatnonzero(short[host_of])
    at = (np.cumsum(short) - 1)[host_of[rows]]
    water = _Water(
        capacity=np.maximum(capacity[short], 0.0),
        at=at,
        floor=np.minimum(reservation[rows], ceiling[rows]),
        ceiling=ceiling[rows],
        shares=shares[rows],
    )
    delivered = ceiling
    delivered[rows] = water.delivered()
    return delivered


class _Water:
    """Consumers on saturated hosts."""

    def __init__(
        self, capacity: Floats, at: Ints, floor: Floats, ceiling: Floats, shares: Floats
    ) -> None:
        self._capacity, self._at = capacity, at
        self._floor, self._ceiling, self._shares = floor, ceiling, shares
        self._leaves, self._full = floor / shares, ceiling / shares

    def delivered(self) -> Floats:
        capacity, at = self._capacity, self._at
        floors = self._sum(self._floor)
        below, above = self._segment()
        got = self._at_level(below)
        rising = (self._leaves <= below[at]) & (self._full >= above[at])
        slope = self._sum(np.where(rising, self._shares, 0.0))
        missing = np.maximum(capacity - self._sum(got), 0.0)
        rise = np.divide(missing, slope, out=np.zeros_like(slope), where=slope > 0)
        level = np.minimum(below + rise, above)
        scale = np.divide(capacity, floors, out=np.ones_like(floors), where=floors > capacity)
        filled: Floats = np.where(
            (floors >= capacity)[at], self._floor * scale[at], self._at_level(level)
        )
        return filled

    def _segment(self) -> tuple[Floats, Floats]:
        """Return per host neighbouring levels of change that hold the level sought."""
        hosts = len(self._capacity)
        change, host = self._full, self._at
        if self._floor.any():
            change, host = np.concatenate([self._leaves, change]), np.concatenate([host, host])
        # Ranking by level and then, keeping that order, by host in as few bytes as possible,
        # which NumPy does by radix, takes a third of np.lexsort's time.
        by_level = np.argsort(change)
        narrow = host.astype(np.min_scalar_type(hosts))[by_level]
        ranked = change[by_level[np.argsort(narrow, kind="stable")]]
        end = np.cumsum(np.bincount(host, minlength=hosts))
        low = np.append(0, end[:-1])
        # Everybody's ceiling is above the capacity, so at the last change the sum is too much.
        first, high = low.copy(), end - 1
        while np.any(high > low):
            middle = (low + high) // 2
            enough = self._sum(self._at_level(ranked[middle])) >= self._capacity
            high = np.where(enough, middle, high)
            low = np.where(enough, low, np.minimum(middle + 1, high))
        return np.where(high > first, ranked[high - 1], 0.0), ranked[high]

    def _at_level(self, level: Floats) -> Floats:
        amount: Floats = level[self._at]
        amount *= self._shares
        np.maximum(amount, self._floor, out=amount)
        np.minimum(amount, self._ceiling, out=amount)
        return amount

    def _sum(self, values: Floats) -> Floats:
        return sum_by(self._at, weights=values, minlength=len(self._capacity))
