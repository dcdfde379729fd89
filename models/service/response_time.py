"""Response times of requests that share the vCPUs of a VM, from formulas.

Times are in seconds, rates in requests per second; all functions work on arrays, one entry per
VM. A squared coefficient of variation (scv) is variance over squared mean: 1 for exponential
times, 0 for constant ones.
"""

import math
from typing import NamedTuple

import numpy as np

from ..base.arrays import Floats, Ints


class Sojourn(NamedTuple):
    """Time from arrival to completion at the CPU: mean in s and scv."""

    mean_s: Floats
    scv: Floats


def erlang_b(servers: Ints, offered: Floats) -> Floats:
    """Return the blocking probability of M/G/c/c with ``offered`` = arrival rate x service time.

    ``B_0 = 1, B_j = a B_{j-1} / (j + a B_{j-1})`` (Erlang 1917; the recursion has no large
    numbers and is stable for any number of servers).
    """
    blocked = np.ones(np.shape(offered))
    rows = np.arange(blocked.size)
    left, load, result = np.asarray(servers).ravel(), np.ravel(offered), blocked.reshape(-1)
    j = 0
    while len(rows := rows[left[rows] > j]):
        j += 1
        weighted = load[rows] * result[rows]
        result[rows] = weighted / (j + weighted)
    return blocked


def erlang_c(servers: Ints, offered: Floats) -> Floats:
    """Return the probability that M/M/c has all servers busy, 1 where the load is ``c`` or more.

    ``C = B / (1 - rho (1 - B))`` with ``rho = offered / servers`` (Erlang 1917).
    """
    blocked = erlang_b(servers, offered)
    utilisation = np.minimum(offered / servers, 1.0)
    delayed: Floats = blocked / (1.0 - utilisation * (1.0 - blocked))
    return delayed


def sharing(
    vcpus: Ints,
    arrival_per_s: Floats,
    service_s: Floats,
    service_scv: Floats | float = 1.0,
    interval_s: Floats | float = math.inf,
    since_s: Floats | float = 0.0,
) -> Sojourn:
    """Return the time in a VM whose requests share ``vcpus`` evenly, each on one at a time.

    ``E[T] = S (1 + C(k, a) / (k |1 - rho|))`` with ``a = arrival_per_s * service_s`` and
    ``rho = a / k``: the number present in M/M/k does not depend on the discipline, and under
    processor sharing it does not depend on the distribution of service times either, only on
    the mean ``service_s`` (Kleinrock, Queueing Systems II, 1976, chapter 4; Cohen, Acta
    Informatica 12, 1979, for k > 1). Above saturation (``rho > 1``, ``C = 1``) the delay is what
    chance adds to the backlog of :func:`fluid`: a reflected Brownian motion with variance
    ``s^2`` and drift ``d`` has the mean ``d t + s^2 / 2 |d|`` for large ``t`` if it drifts up,
    and ``s^2 / 2 |d|`` if it drifts down.

    The scv is ``scv_S + (1 + scv_S) w / (2 - w)``, where ``w = 1 - S / E[T]`` is the part of the
    response that others cause. With one vCPU and exponential service ``w = rho`` and this is the
    exact ``(2 + rho) / (2 - rho)`` of Coffman, Muntz and Trotter (J. ACM 17, 1970). For k > 1,
    and for other distributions, it is an extension: response = service time x an independent
    stretch. Exact solutions of M/M/k-PS for k in 2, 4, 16 and rho up to 0.95 are within 6 %.

    A queue takes time to grow: ``t`` after it was empty the delay is at most that of a reflected
    Brownian motion without drift, ``sqrt(8 S t / (pi k (1 + scv_S)))``. The delay returned is the
    mean of the lower of both from ``since_s`` after the queue was empty, over ``interval_s``, so
    that an interval and its pieces come to the same. Where ``service_s`` is infinite, so is the
    mean.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        offered = np.where(arrival_per_s > 0, arrival_per_s * service_s, 0.0)
        distance = np.abs(vcpus - offered)
        finite = np.minimum(offered, 1e6 * vcpus)
        delay_s = np.divide(
            erlang_c(vcpus, finite) * np.where(np.isfinite(service_s), service_s, 0.0),
            distance,
            out=np.full(np.shape(offered), np.inf),
            where=distance > 0,
        )
        growth = np.sqrt(8 * service_s / (math.pi * vcpus * (1 + service_scv)))
    mean_s = service_s + _growing(delay_s, growth, interval_s, since_s)
    by_others = np.ones_like(mean_s)
    np.divide(service_s, mean_s, out=by_others, where=np.isfinite(mean_s))
    by_others = np.where(np.isfinite(mean_s), 1.0 - by_others, 1.0)
    scv = service_scv + (1.0 + service_scv) * by_others / (2.0 - by_others)
    return Sojourn(mean_s, scv)


def _growing(
    most: Floats, growth: Floats, interval_s: Floats | float, since_s: Floats | float
) -> Floats:
    """Return the mean of ``min(growth sqrt(t), most)`` from ``since_s`` over ``interval_s``."""
    interval_s = np.broadcast_to(np.asarray(interval_s, np.float64), np.shape(most))
    limited = np.isfinite(interval_s) & (interval_s > 0) & np.isfinite(growth)
    if not limited.any():
        return most
    mean = np.array(most, np.float64)
    start = np.broadcast_to(np.asarray(since_s, np.float64), np.shape(most))[limited]
    length, most, growth = interval_s[limited], mean[limited], growth[limited]
    full = (most / growth) ** 2
    first, last = np.minimum(start, full), np.minimum(start + length, full)
    risen = 2 / 3 * growth * (last**1.5 - first**1.5)
    at_most = np.zeros(len(most))
    np.multiply(most, length - (last - first), out=at_most, where=np.isfinite(most))
    mean[limited] = np.minimum((risen + at_most) / length, most)
    return mean


class Queue(NamedTuple):
    """First-come, first-served queue: number of requests, and their waiting times.

    ``waited`` sums the times that they have waited so far, ``last_s`` is how long the last of
    them has.
    """

    waiting: Floats
    waited: Floats
    last_s: Floats

    @property
    def first_s(self) -> Floats:
        """How long the first in the queue has waited, where they came at an even rate."""
        mean_s = np.zeros(len(self.waiting))
        np.divide(self.waited, self.waiting, out=mean_s, where=self.waiting > 0)
        return np.maximum(2.0 * mean_s - self.last_s, 0.0)


class Drained(NamedTuple):
    """Requests that leave a queue within an interval, and those that never entered it.

    ``delay_s`` and ``variance_s2`` are of the time that those that ``left`` have waited; ``direct``
    counts requests that came later and found no queue.
    """

    left: Floats
    delay_s: Floats
    variance_s2: Floats
    direct: Floats


def fluid(
    queue: Queue, arrival_per_s: Floats, capacity_per_s: Floats, interval_s: Floats | float
) -> tuple[Queue, Drained]:
    """Return a fluid of requests after an interval of constant rates, and what left it.

    It changes at ``arrival_per_s - capacity_per_s`` and stays at zero once it is there. Times are
    counted when requests leave, so that what they sum to is the integral of the number waiting
    (Little's law), whatever the capacity was meanwhile and however time is cut into intervals.
    Which part of it falls to whom goes by the order of arrival, even within the queue.
    """
    start = queue.waiting
    growth_per_s = arrival_per_s - capacity_per_s
    shape = np.shape(start)
    busy_s = np.array(np.broadcast_to(np.asarray(interval_s, np.float64), shape))
    emptied = (growth_per_s < 0) & (start + growth_per_s * busy_s <= 0)
    np.divide(start, -growth_per_s, out=busy_s, where=emptied)
    busy_s[(start <= 0) & (growth_per_s <= 0)] = 0.0
    came, left = arrival_per_s * busy_s, capacity_per_s * busy_s
    end = np.where(emptied, 0.0, np.maximum(start + came - left, 0.0))
    after = _behind(queue, came, left, end, arrival_per_s, busy_s)
    waited = np.maximum(queue.waited + (start + end) / 2 * busy_s - after.waited, 0.0)
    delay_s = np.zeros(shape)
    np.divide(waited, left, out=delay_s, where=left > 0)
    variance_s2 = np.where(left > 0, (queue.first_s - after.first_s) ** 2 / 12, 0.0)
    direct = arrival_per_s * (interval_s - busy_s) * (capacity_per_s > 0)
    return after, Drained(left, delay_s, variance_s2, direct)


def _behind(
    queue: Queue, came: Floats, left: Floats, end: Floats, arrival_per_s: Floats, busy_s: Floats
) -> Queue:
    """Return the queue when so many have come and the first so many have left."""
    old = np.maximum(queue.waiting - left, 0.0) * (end > 0)
    part = np.zeros(len(end))
    np.divide(old, queue.waiting, out=part, where=queue.waiting > 0)
    # Of those that were there, the last ones are left: from last_s to this long ago.
    first_s = queue.last_s + (queue.first_s - queue.last_s) * part
    waited = old * ((queue.last_s + first_s) / 2 + busy_s)
    new = np.minimum(came, end - old)
    span_s = np.zeros(len(end))
    np.divide(new, arrival_per_s, out=span_s, where=arrival_per_s > 0)
    waited += new * span_s / 2
    last_s = np.where(arrival_per_s > 0, 0.0, queue.last_s + busy_s) * (end > 0)
    return Queue(end, waited, last_s)


def _weibull_table() -> tuple[Floats, Floats, Floats]:
    """Return log scv, shape and mean (of scale 1) of Weibull distributions, scv ascending."""
    shapes = np.geomspace(60.0, 0.2, 1500)
    first = np.array([math.lgamma(1 + 1 / shape) for shape in shapes.tolist()])
    second = np.array([math.lgamma(1 + 2 / shape) for shape in shapes.tolist()])
    return np.log(np.expm1(second - 2 * first)), shapes, np.exp(first)


_LOG_SCV, _SHAPE, _UNIT_MEAN = _weibull_table()


def weibull(mean: Floats, scv: Floats) -> tuple[Floats, Floats]:
    """Return shape and scale of the Weibull distribution with this mean and scv.

    The scv is taken as within 0.0005 and 250. The distribution is exponential for scv 1. With
    the moments of :func:`sharing` its P95 and P99 are within 6 % of the exact ones of M/M/k-PS
    (k = 1, 2, 4, 16; up to 95 % utilisation; ``tests/service/test_service.py``). For other
    distributions of service the mean stays exact, the tail is rougher: too short by up to a
    quarter for constant service, too long by up to a fifth for lognormal service of cv 2.
    """
    log_scv = np.log(np.maximum(scv, 1e-12))
    shape = np.interp(log_scv, _LOG_SCV, _SHAPE)
    scale: Floats = mean / np.interp(log_scv, _LOG_SCV, _UNIT_MEAN)
    return shape, scale
