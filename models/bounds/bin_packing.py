"""Lower bounds on packing: the minimum number of hosts, or minimum cost, for given needs.

A bound never asks how VMs are packed, only what any packing must obey, so no policy can be
below it. Two kinds are computed. :class:`Planes` is the linear relaxation over kinds of unlike
hosts, solved once for all needs by its dual. :func:`dual_feasible_bound` takes into account that
a VM cannot be split.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from ..base.arrays import Floats, Ints, distinct_rows
from ..base.lazy_dataclass import dataclass

MAX_LINES = 200
"""Lines of the dual beyond which only those of single resources are crossed."""

LEVELS = 840
"""Steps in which sizes are counted; the least common multiple of 1 to 8."""

SMALL = 0.25
"""VMs that are all this small or smaller pack as if they could be split, but for rounding."""

SLACK = 1e-7
"""Part of a step by which rounding may make a size too small for its step."""

ROUNDING = 1e-9
"""A bound this much above a whole number is that number."""


@dataclass(frozen=True)
class HostKind:
    """``count`` equal hosts, each off or at a mixture of its vertices.

    ``corners`` are what a host holds of two resources, (corners, 2), along a convex curve;
    ``costs`` what that costs beyond being off, (corners,).
    """

    corners: Floats
    costs: Floats
    count: int


@dataclass(frozen=True)
class Planes:
    r"""Minimum cost as a function of the needs: the maximum of several planes.

    With corners :math:`a_{gi}` at costs :math:`c_{gi}` on :math:`n_g` hosts, every price vector
    :math:`y \ge 0` gives the plane :math:`y t - \sum_g n_g \max(0, \max_i(y a_{gi} - c_{gi}))`.
    Proof: needs :math:`t` are covered by hosts, so the hosts hold at least :math:`y t` at these
    prices; a host that holds :math:`a` pays for itself all but
    :math:`\max(0, \max_i(y a_{gi} - c_{gi}))`, so the costs are at least the rest. The
    dual of the linear relaxation takes the best :math:`y`, which is a crossing of two of the
    lines where a maximum changes; with all crossings the highest plane is the relaxation itself.
    ``prices`` has shape (planes, 2), ``constants`` (planes,).
    """

    prices: Floats
    constants: Floats

    def minimum(self, first: float, second: float) -> float:
        """Return the minimum cost of providing given amounts of two resources; at least 0."""
        heights = self.prices.dot((first, second))
        heights -= self.constants
        return float(heights.max(initial=0.0))


def planes(kinds: Sequence[HostKind]) -> Planes:
    """Return the dual of covering needs by hosts of some kinds."""
    scale = np.max([kind.corners.max(axis=0) for kind in kinds], axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    unit = max(*(float(np.abs(kind.costs).max()) for kind in kinds), 1e-300)
    scaled = [HostKind(kind.corners / scale, kind.costs / unit, kind.count) for kind in kinds]
    prices = _crossings(scaled)
    constants = np.zeros(len(prices))
    for kind in scaled:
        gains = prices @ kind.corners.T - kind.costs
        constants += kind.count * np.maximum(gains.max(axis=1), 0.0)
    return Planes(prices / scale * unit, constants * unit)


def _crossings(kinds: Sequence[HostKind]) -> Floats:
    """Return the price vectors, none negative, in which two lines of the dual cross."""
    axes = np.eye(2)
    rows, values = [axes], [np.zeros(2)]
    for kind in kinds:
        rows += [kind.corners, np.diff(kind.corners, axis=0)]
        values += [kind.costs, np.diff(kind.costs)]
    lines = np.column_stack([np.concatenate(rows), np.concatenate(values)])
    lines = distinct_rows(lines[np.any(np.abs(lines[:, :2]) > 1e-12, axis=1)])
    one, other = np.triu_indices(len(lines), 1)
    if len(lines) > MAX_LINES:
        one, other = (each.ravel() for each in np.indices((2, len(lines))))
        first, second = np.column_stack([axes, np.zeros(2)])[one], lines[other]
    else:
        first, second = lines[one], lines[other]
    slope = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    met = np.abs(slope) > 1e-12
    first, second, slope = first[met], second[met], slope[met]
    x = (first[:, 2] * second[:, 1] - first[:, 1] * second[:, 2]) / slope
    y = (first[:, 0] * second[:, 2] - first[:, 2] * second[:, 0]) / slope
    points = np.column_stack([x, y])
    points = points[np.all(points >= -1e-12, axis=1)]
    return distinct_rows(np.maximum(points, 0.0).round(15))


def whole_hosts(bound: float) -> int:
    """Return a bound rounded up to whole hosts, tolerating rounding errors."""
    return math.ceil(bound * (1.0 - ROUNDING) - ROUNDING)


def fewest_hosts(cpu_mhz: Floats, memory_mib: Floats, rooms: Floats, counts: Ints) -> int:
    """Return a lower bound on the hosts for VMs with some needs of CPU and memory.

    ``rooms`` are the CPU in MHz and the memory in MiB of each kind of host, (kinds, 2),
    ``counts`` how many there are of it.
    """
    kinds = [
        HostKind(room[None, :], np.ones(1), int(count))
        for room, count in zip(rooms, counts, strict=True)
    ]
    bound = planes(kinds).minimum(float(cpu_mhz.sum()), float(memory_mib.sum()))
    most = rooms.max(axis=0)
    return whole_hosts(max(bound, unsplit_bound(cpu_mhz / most[0], memory_mib / most[1])))


def unsplit_bound(cpu: Floats, memory: Floats) -> float:
    """Return the bound for VMs that cannot be split, by CPU, by memory and by half of both.

    Needs are shares of the largest host's. What fits on a host takes at most 1 of each, so at
    most 1 of half of both.
    """
    return max(dual_feasible_bound(each) for each in (cpu, memory, 0.5 * (cpu + memory)))


def min_weights(needs: Floats) -> tuple[Floats, Floats]:
    """Return weights of rows and factors of columns whose products are at most the needs.

    ``needs`` is what each VM or size would need on each group of hosts, (rows, groups), infinite
    where it may not be: a host of group ``g`` then holds at most its room over ``factor[g]`` in
    weights.
    """
    minimum = needs.min(axis=0, initial=np.inf, where=needs > 0)
    factor = np.where(np.isfinite(minimum), minimum, 1.0)
    weight = (needs / factor).min(axis=1, initial=np.inf)
    return np.where(np.isfinite(weight), weight, 0.0), factor


def dual_feasible_bound(shares: Floats) -> float:
    """Return a lower bound on the hosts for VMs of some sizes, as shares of the largest host.

    The highest of several dual feasible functions: ``f`` on [0, 1] is one if shares that sum to
    at most 1 have images that sum to at most 1. Proof: then each host holds VMs whose images
    sum to at most 1, so there are at least as many hosts as the sum of all images. Sizes are
    rounded down to steps, which keeps what fits on one host fitting: the slack of fewer than
    ``1 / SLACK`` VMs is less than a step. Returns 0 where all VMs are small, for which the
    linear relaxation is as good.
    """
    if shares.max(initial=0.0) <= SMALL:
        return 0.0
    steps = np.minimum((shares * LEVELS + SLACK).astype(np.int64), LEVELS)
    counts = np.bincount(steps, minlength=LEVELS + 1)
    return float((dual_feasible_functions() @ counts).max(initial=0.0))


@cache
def dual_feasible_functions() -> Floats:
    """Return the images of all steps under each function, (functions, steps).

    The three families of Fekete and Schepers (Mathematical Programming 91, 2001, 11-31): ``u``
    rounds to multiples of ``1 / k``; ``U`` counts what leaves no room for a size ``e`` as a whole
    host and what is below ``e`` as nothing (over all ``e`` it gives the bound L2 of Martello and
    Toth, Discrete Applied Mathematics 28, 1990, 59-70); ``phi`` measures large sizes by how many
    of size ``e`` fit beside them. Computed in whole numbers, so exact.
    """
    steps = np.arange(LEVELS + 1)
    table = [_rounded(steps, k) for k in range(1, 9)]
    for minimum in sorted({LEVELS // k for k in range(2, 21)} | set(range(21, LEVELS // 2, 21))):
        table += [_whole_above(steps, minimum), _fitted(steps, minimum)]
    return distinct_rows(np.array(table))


def _rounded(steps: Ints, k: int) -> Floats:
    down = (k + 1) * steps // LEVELS / k
    return np.where((k + 1) * steps % LEVELS == 0, steps / LEVELS, down)


def _whole_above(steps: Ints, minimum: int) -> Floats:
    images = np.where(steps < minimum, 0.0, steps / LEVELS)
    return np.where(steps > LEVELS - minimum, 1.0, images)


def _fitted(steps: Ints, minimum: int) -> Floats:
    most = LEVELS // minimum
    images = np.where(steps < minimum, 0.0, 1.0 / most)
    return np.where(2 * steps > LEVELS, 1.0 - (LEVELS - steps) // minimum / most, images)
