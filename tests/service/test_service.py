"""Formulas of queueing against known values, and the account against sums by hand."""

import math

import numpy as np
import pytest
from builders import quantile_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from farmsim.models.base.arrays import Floats
from farmsim.models.service.response_account import Response, ServiceAccount
from farmsim.models.service.response_time import (
    Queue,
    Sojourn,
    erlang_b,
    erlang_c,
    fluid,
    sharing,
    weibull,
)

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
            late = expm(changes * quantile_of(time, q)[0] * factor).sum(axis=1)
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
    assert np.all(np.diff(np.array(delays_s)[:, :3], axis=1) >= 0)
    assert np.all(np.diff(delays_s, axis=0) > 0)
    assert delays_s[0][2] == pytest.approx(0.01 + 4 / 3 * math.sqrt(60 * 0.01 / math.pi))
    # Far above saturation the backlog says it all, and chance adds as much as it does below.
    assert delays_s[1][3] == pytest.approx(0.01 + 0.01 / 0.5, rel=1e-4)
    assert sharing(ROW + 1, ONE * 100, ONE * 0.01).mean_s[0] == math.inf


@given(mean=st.floats(1e-4, 1e3), scv=st.floats(0.001, 20.0))
@settings(deadline=None)
def test_the_fit_keeps_both_moments(mean: float, scv: float) -> None:
    shape, scale = (float(part[0]) for part in weibull(ONE * mean, ONE * scv))
    first = scale * math.gamma(1 + 1 / shape)
    assert first == pytest.approx(mean, rel=1e-3)
    assert scale**2 * math.gamma(1 + 2 / shape) / first**2 - 1 == pytest.approx(scv, rel=2e-3)


def test_the_fit_of_an_exponential_time_is_one() -> None:
    assert quantile_of(Sojourn(ONE * 2, ONE), 0.95)[0] == pytest.approx(2 * math.log(20), rel=1e-4)


@given(load=st.floats(0.9, 1.3), cuts=st.lists(st.floats(1.0, 900.0), min_size=1, max_size=6))
@settings(deadline=None)
def test_the_growth_of_a_queue_does_not_depend_on_how_time_is_cut(
    load: float, cuts: list[float]
) -> None:
    whole_s = sharing(ROW + 1, ONE * load * 100, ONE * 0.01, 1.0, sum(cuts)).mean_s[0]
    since_s = parts_s = 0.0
    for cut in cuts:
        part = sharing(ROW + 1, ONE * load * 100, ONE * 0.01, 1.0, cut, since_s)
        parts_s += cut * part.mean_s[0]
        since_s += cut
    assert parts_s / since_s == pytest.approx(whole_s, rel=1e-9)


def empty(count: int) -> Queue:
    return Queue(np.zeros(count), np.zeros(count), np.zeros(count))


def test_a_fluid_gathers_and_drains() -> None:
    start = Queue(np.array([0.0, 100.0, 100.0, 0.0]), np.zeros(4), np.zeros(4))
    rates, capacity = np.array([12.0, 8.0, 0.0, 8.0]), np.full(4, 10.0)
    queue, drained = fluid(start, rates, capacity, 20.0)
    assert queue.waiting.tolist() == [40.0, 60.0, 0.0, 0.0]
    assert drained.left == pytest.approx([200.0, 200.0, 100.0, 0.0])
    assert drained.direct == pytest.approx([0.0, 0.0, 0.0, 160.0])
    # Of 240 that came in 20 s the last 40 still wait, since 10/3 s at the most.
    assert queue.waited[0] == pytest.approx(40 * 40 / 12 / 2)
    assert drained.delay_s[0] == pytest.approx((20.0 * 20 - queue.waited[0]) / 200)


def fluid_by_events(pieces: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Return requests, those that never left, and what those that left waited, one by one.

    ``pieces`` are (length, rate, capacity). Slivers of the fluid come one after another, each
    leaves when all before it have: an independent computation of a queue that is first come,
    first served.
    """
    sliver = 0.02
    arrivals: list[float] = []
    served: list[tuple[float, float]] = [(0.0, 0.0)]
    now_s = total = 0.0
    for length_s, rate, capacity in pieces:
        count = round(rate * length_s / sliver)
        arrivals += [now_s + (each + 0.5) * length_s / count for each in range(count)]
        now_s += length_s
        total += capacity * length_s
        served.append((now_s, total))
    instants, capacity_so_far = (np.array(column) for column in zip(*served, strict=True))
    done = waited = last = 0.0
    for come_s in arrivals:
        # In units of capacity: where the service of this sliver ends.
        last = max(last, float(np.interp(come_s, instants, capacity_so_far))) + sliver
        if last > capacity_so_far[-1]:
            continue
        rising = np.flatnonzero(capacity_so_far >= last)[0]
        before_s, after_s = instants[rising - 1], instants[rising]
        from_, to = capacity_so_far[rising - 1], capacity_so_far[rising]
        leave_s = before_s + (after_s - before_s) * (last - from_) / (to - from_)
        done += sliver
        waited += sliver * (leave_s - come_s)
    requests = sliver * len(arrivals)
    return requests, requests - done, waited


@given(
    pieces=st.lists(
        st.tuples(st.sampled_from([2.0, 5.0, 20.0]), st.sampled_from([4.0, 8.0, 12.0, 20.0]),
                  st.sampled_from([0.0, 5.0, 10.0, 30.0])),
        min_size=1, max_size=6,
    )
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_a_fluid_is_the_queue_event_by_event(pieces: list[tuple[float, float, float]]) -> None:
    """Overload, standstill and drains in any order: numbers and sums of waits."""
    pieces = [*pieces, (400.0, 1.0, 10.0)]
    queue, left, waited, came = empty(1), 0.0, 0.0, 0.0
    for length_s, rate, capacity in pieces:
        queue, drained = fluid(queue, ONE * rate, ONE * capacity, length_s)
        left += drained.left[0] + drained.direct[0]
        waited += drained.left[0] * drained.delay_s[0]
        came += rate * length_s
    requests, waiting, by_events = fluid_by_events(pieces)
    assert came == pytest.approx(requests)
    assert queue.waiting[0] == pytest.approx(0.0, abs=1e-9)
    assert waiting == pytest.approx(0.0, abs=0.03)
    assert left == pytest.approx(came)
    assert waited == pytest.approx(by_events, rel=0.01, abs=0.02 * requests)


def test_an_overload_and_its_drain_obey_littles_law() -> None:
    """An hour at 120 % and two at 50 %: the sum of waits is the integral of the backlog."""
    account = ServiceAccount(1)
    for rate_per_s in (120.0, 50.0, 50.0):
        account.add(ROW, 3600.0, ROW + 1, ONE * rate_per_s, ONE * 0.01, ONE * 0.0)
    gathered = 20.0 * 3600.0
    integral = gathered * 3600.0 / 2 + gathered**2 / (2 * 50.0)
    requests = 220.0 * 3600.0
    assert account.arrived[0] == requests
    # Beside the fluid: the time in service, and what chance adds above and below saturation.
    chance_s = (120.0 * 3600 * 0.05 + 50.0 * (7200 - 1440) * 0.01) / requests
    expected_s = integral / requests + 0.01 + chance_s
    assert account.mean_s()[0] == pytest.approx(expected_s, rel=0.002)


@pytest.mark.parametrize("step_s", [3600.0, 300.0, 60.0])
def test_an_account_does_not_depend_on_the_step(step_s: float) -> None:
    account = ServiceAccount(4)
    loads = np.array([0.5, 0.96, 1.0, 1.3])
    for _ in range(round(7200.0 / step_s)):
        account.add(np.arange(4), step_s, np.ones(4, np.int64), loads * 50, np.full(4, 0.02),
                    np.zeros(4))  # fmt: skip
    whole = ServiceAccount(4)
    whole.add(np.arange(4), 7200.0, np.ones(4, np.int64), loads * 50, np.full(4, 0.02), np.zeros(4))
    assert account.mean_s() == pytest.approx(whole.mean_s(), rel=1e-9)
    assert account.waiting == pytest.approx(whole.waiting)


def test_a_steady_account_repeats_the_formula() -> None:
    account = ServiceAccount(3)
    vcpus, rate_per_s = np.array([1, 2, 4]), np.array([50.0, 120.0, 0.0])
    for _ in range(4):
        account.add(np.arange(3), 300.0, vcpus, rate_per_s, np.full(3, 0.01), np.full(3, 0.002))
    response = Response(np.full(3, 0.002), sharing(vcpus, rate_per_s, np.full(3, 0.01)))
    assert account.arrived.tolist() == [60_000.0, 144_000.0, 0.0]
    assert account.mean_s()[:2] == pytest.approx(response.mean_s[:2], rel=1e-12)
    for q in (0.5, 0.95, 0.99):
        exact_s = response.constant_s + quantile_of(response.varying, q)
        assert account.quantile_s(q)[:2] == pytest.approx(exact_s[:2], rel=1e-9)
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
    account.add(ROW, 10.0, ROW + 1, ONE * 10, ONE * math.inf, ONE * 0.0)
    assert account.mean_s()[0] == 0.0
    assert account.waiting[0] == 100.0
    account.add(ROW, 10.0, ROW + 1, ONE * 0.0, ONE * 0.01, ONE * 0.0)
    # 5 s on average until delivery resumes, half of 100 requests before each, then its own time
    assert account.mean_s()[0] == pytest.approx(5.0 + 0.5 + 0.01)
    assert account.waiting[0] == 0.0
    assert account.peak_waiting[0] == 100.0
