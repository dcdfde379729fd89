"""Response times of requests that share the vCPUs of a VM, from formulas.

Times are in seconds, rates in requests per second; all functions work on arrays, one entry per
VM. A squared coefficient of variation (scv) is variance over squared mean: 1 for exponential
times, 0 for constant ones.
"""

import math
from typing import NamedTuple

import numpy as np

from .arrays import Floats, Ints


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
    interval_s: float = math.inf,
) -> Sojourn:
    """Return the time in a VM whose requests share ``vcpus`` evenly, each on one at a time.

    ``E[T] = S (1 + C(k, a) / (k (1 - rho)))`` with ``a = arrival_per_s * service_s`` and
    ``rho = a / k``: the number present in M/M/k does not depend on the discipline, and under
    processor sharing it does not depend on the distribution of service times either, only on
    the mean ``service_s`` (Kleinrock, Queueing Systems II, 1976, chapter 4; Cohen, Acta
    Informatica 12, 1979, for k > 1).

    The scv is ``scv_S + (1 + scv_S) w / (2 - w)``, where ``w = 1 - S / E[T]`` is the part of the
    response that others cause. With one vCPU and exponential service ``w = rho`` and this is the
    exact ``(2 + rho) / (2 - rho)`` of Coffman, Muntz and Trotter (J. ACM 17, 1970). For k > 1,
    and for other distributions, it is an extension: response = service time x an independent
    stretch. Exact solutions of M/M/k-PS for k in 2, 4, 16 and rho up to 0.95 are within 6 %.

    A queue does not grow without bound within ``interval_s``: the delay is at most the mean over
    the interval of a reflected Brownian motion without drift that starts empty,
    ``2/3 sqrt(8 S interval / (pi k (1 + scv_S)))``. What grows beyond is the backlog, for
    :func:`backlog`. Where ``service_s`` is infinite, so is the mean.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        offered = np.where(arrival_per_s > 0, arrival_per_s * service_s, 0.0)
        spare = np.maximum(vcpus - offered, 0.0)
        finite = np.minimum(offered, 1e6 * vcpus)
        delay_s = np.divide(
            erlang_c(vcpus, finite) * np.where(np.isfinite(service_s), service_s, 0.0),
            spare,
            out=np.full(np.shape(offered), np.inf),
            where=spare > 0,
        )
    most_s = 2 / 3 * np.sqrt(8 * service_s * interval_s / (math.pi * vcpus * (1 + service_scv)))
    mean_s = service_s + np.minimum(delay_s, most_s)
    by_others = np.ones_like(mean_s)
    np.divide(service_s, mean_s, out=by_others, where=np.isfinite(mean_s))
    by_others = np.where(np.isfinite(mean_s), 1.0 - by_others, 1.0)
    scv = service_scv + (1.0 + service_scv) * by_others / (2.0 - by_others)
    return Sojourn(mean_s, scv)


class Backlog(NamedTuple):
    """Requests beyond capacity: at the end of an interval, and as a delay of its arrivals.

    ``mean`` and ``square`` are the first two moments over the interval of the number waiting.
    """

    end: Floats
    mean: Floats
    square: Floats


def backlog(
    start: Floats, arrival_per_s: Floats, capacity_per_s: Floats, interval_s: float
) -> Backlog:
    """Return how a fluid of requests gathers or drains over an interval, exactly.

    It changes at ``arrival_per_s - capacity_per_s`` and stays at zero once it is there. An
    arrival is delayed by what is waiting over ``capacity_per_s``.
    """
    growth_per_s = arrival_per_s - capacity_per_s
    end = np.maximum(start + growth_per_s * interval_s, 0.0)
    waiting = np.ones_like(end)
    emptied = (growth_per_s < 0) & (end <= 0)
    np.divide(start, -growth_per_s * interval_s, out=waiting, where=emptied)
    return Backlog(
        end=end,
        mean=waiting * (start + end) / 2,
        square=waiting * (start * start + start * end + end * end) / 3,
    )


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
    (k = 1, 2, 4, 16; up to 95 % utilisation; ``tests/test_service.py``). For other
    distributions of service the mean stays exact, the tail is rougher: too short by up to a
    quarter for constant service, too long by up to a fifth for lognormal service of cv 2.
    """
    log_scv = np.log(np.maximum(scv, 1e-12))
    shape = np.interp(log_scv, _LOG_SCV, _SHAPE)
    scale: Floats = mean / np.interp(log_scv, _LOG_SCV, _UNIT_MEAN)
    return shape, scale


def quantile(sojourn: Sojourn, q: float) -> Floats:
    """Return the ``q`` quantile in s of a time with this mean and scv, by a Weibull fit."""
    shape, scale_s = weibull(sojourn.mean_s, sojourn.scv)
    time_s: Floats = scale_s * (-math.log1p(-q)) ** (1.0 / shape)
    return time_s
