"""Formulas of queueing against known values, and the account against sums by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from farmsim.models.arrays import Floats
from farmsim.models.queueing import (
    Sojourn,
    backlog,
    erlang_b,
    erlang_c,
    quantile,
    sharing,
    weibull,
)
from farmsim.models.service import ServiceAccount

ONE = np.ones(1)
ROW = np.array([0])


@given(servers=st.integers(1, 40), load=st.floats(0.01, 60.0))
@settings(deadline=None)
def test_erlang_b_and_c_are_their_sums(servers: int, load: float) -> None:
    terms = [load**j / math.factorial(j) for j in range(servers + 1)]
    blocked = terms[-1] / sum(terms)
    assert erlang_b(np.array([servers]), ONE * load)[0] == pytest.approx(blocked, rel=1e-9)
    waits = terms[-1] * servers / (servers - load) if load < servers else math.inf
    delayed = waits / (sum(terms[:-1]) + waits) if load < servers else 1.0
    assert erlang_c(np.array([servers]), ONE * load)[0] == pytest.approx(delayed, rel=1e-9)


def test_erlang_b_does_not_overflow() -> None:
    blocked = erlang_b(np.array([1, 5000, 5000]), np.array([0.0, 5000.0, 1e9]))
    assert blocked[0] == 0.0
    assert blocked[1] == pytest.approx(math.sqrt(2 / (math.pi * 5000)), rel=0.02)
    assert blocked[2] == pytest.approx(1 - 5000 / 1e9)


def tagged(vcpus: int, utilisation: float) -> tuple[Floats, Floats]:
    """Return M/M/k-PS as one request sees it until it completes.

    The first array holds the probability of finding n others on arrival; the second the rates
    of change of n, as a matrix whose rows lack the rate of completion.
    """
    count = int(24 / (1 - utilisation)) + 5 * vcpus + 40
    others = np.arange(count)
    rate = utilisation * vcpus
    leave = np.minimum(1.0, vcpus / (others + 1.0))
    step = np.log(rate / np.minimum(others[1:], vcpus))
    found = np.exp(np.concatenate([[0.0], np.cumsum(step)]))
    come = np.full(count, rate)
    come[-1] = 0.0
    changes = np.diag(come[:-1], 1) + np.diag((others * leave)[1:], -1)
    changes -= np.diag(come + others * leave + leave)
    return found / found.sum(), changes


@pytest.mark.parametrize("vcpus", [1, 2, 4, 16])
@pytest.mark.parametrize("utilisation", [0.1, 0.5, 0.7, 0.9, 0.95])
def test_spread_and_tail_of_shared_service(vcpus: int, utilisation: float) -> None:
    """Against the exact moments and distribution of M/M/k-PS."""
    time = sharing(np.array([vcpus]), ONE * utilisation * vcpus, ONE)
    found, changes = tagged(vcpus, utilisation)
    first = np.linalg.solve(changes, -np.ones(len(found)))
    second = np.linalg.solve(changes, -2.0 * first)
    mean = found @ first
    assert time.mean_s[0] == pytest.approx(mean)
    exact = found @ second / mean**2 - 1.0
    assert time.scv[0] == pytest.approx(exact, rel=1e-6 if vcpus == 1 else 0.06)
    for q, margin in ((0.95, 0.06), (0.99, 0.06)):
        for factor, above in ((1 + margin, False), (1 - margin, True)):
            late = expm(changes * quantile(time, q)[0] * factor).sum(axis=1)
            assert (found @ late > 1 - q) == above


def test_one_vcpu_is_the_published_formula() -> None:
    rho = np.array([0.0, 0.3, 0.8])
    time = sharing(np.array([1, 1, 1]), rho * 50.0, np.full(3, 0.02))
    assert time.mean_s == pytest.approx(0.02 / (1 - rho))
    assert time.scv == pytest.approx((2 + rho) / (2 - rho))


def test_no_queue_grows_faster_than_its_interval_lets_it() -> None:
    loads = np.array([0.99, 0.999, 1.0, 1.5])
    delays_s = [
        sharing(np.ones(4, np.int64), loads * 100, np.full(4, 0.01), 1.0, interval_s).mean_s
        for interval_s in (60.0, 3600.0)
    ]
    assert np.all(np.diff(delays_s, axis=1) >= 0)
    assert delays_s[0][2:] == pytest.approx(0.01 + 4 / 3 * math.sqrt(60 * 0.01 / math.pi))
    assert sharing(ROW + 1, ONE * 100, ONE * 0.01).mean_s[0] == math.inf


@given(mean=st.floats(1e-4, 1e3), scv=st.floats(0.001, 20.0))
@settings(deadline=None)
def test_the_fit_keeps_both_moments(mean: float, scv: float) -> None:
    shape, scale = (float(part[0]) for part in weibull(ONE * mean, ONE * scv))
    first = scale * math.gamma(1 + 1 / shape)
    assert first == pytest.approx(mean, rel=1e-3)
    assert scale**2 * math.gamma(1 + 2 / shape) / first**2 - 1 == pytest.approx(scv, rel=2e-3)


def test_the_fit_of_an_exponential_time_is_one() -> None:
    assert quantile(Sojourn(ONE * 2, ONE), 0.95)[0] == pytest.approx(2 * math.log(20), rel=1e-4)


def test_backlog_gathers_and_drains() -> None:
    queue = backlog(
        np.array([0.0, 100.0, 100.0, 0.0]),
        np.array([12.0, 8.0, 0.0, 8.0]),
        np.array([10.0, 10.0, 10.0, 10.0]),
        20.0,
    )
    assert queue.end.tolist() == [40.0, 60.0, 0.0, 0.0]
    assert queue.mean == pytest.approx([20.0, 80.0, 25.0, 0.0])
    assert queue.square == pytest.approx([1600 / 3, 19600 / 3, 10000 / 6, 0.0])


def test_a_steady_account_repeats_the_formula() -> None:
    account = ServiceAccount(3)
    vcpus, rate_per_s = np.array([1, 2, 4]), np.array([50.0, 120.0, 0.0])
    for _ in range(4):
        response = account.add(
            np.arange(3), 300.0, vcpus, rate_per_s, np.full(3, 0.01), np.full(3, 0.002)
        )
    assert account.arrived.tolist() == [60_000.0, 144_000.0, 0.0]
    assert account.mean_s()[:2] == pytest.approx(response.mean_s[:2], rel=1e-12)
    for q in (0.5, 0.95, 0.99):
        assert account.quantile_s(q)[:2] == pytest.approx(response.quantile_s(q)[:2], rel=1e-9)
    assert account.mean_s()[2] == account.quantile_s(0.99)[2] == 0.0
    together = account.mean_s(by=np.array([0, 0, 1]))
    weighted = response.mean_s[:2] @ rate_per_s[:2] / rate_per_s[:2].sum()
    assert together == pytest.approx([weighted, 0.0])


def test_a_mixture_over_time_is_between_its_parts() -> None:
    account = ServiceAccount(1)
    for load in (0.1, 0.9):
        account.add(ROW, 300.0, ROW + 1, ONE * load * 100, ONE * 0.01, ONE * 0.0)
    quiet, busy = 0.01 / 0.9, 0.01 / 0.1
    assert account.mean_s()[0] == pytest.approx(0.1 * quiet + 0.9 * busy)
    assert 0.2 < account.quantile_s(0.95)[0] < 0.5


def test_requests_held_while_nothing_is_delivered_count_when_it_resumes() -> None:
    """10 requests/s for 10 s without CPU, then drained at 100/s."""
    account = ServiceAccount(1)
    stalled = account.add(ROW, 10.0, ROW + 1, ONE * 10, ONE * math.inf, ONE * 0.0)
    assert stalled.mean_s[0] == math.inf
    assert account.mean_s()[0] == 0.0
    assert account.waiting[0] == 100.0
    account.add(ROW, 10.0, ROW + 1, ONE * 0.0, ONE * 0.01, ONE * 0.0)
    # 5 s on average until delivery resumes, half of 100 requests before each, then its own time
    assert account.mean_s()[0] == pytest.approx(5.0 + 0.5 + 0.01)
    assert account.waiting[0] == 0.0
    assert account.peak_waiting[0] == 100.0
