"""Sharing a host's CPU: against two solvers that know nothing of levels being sorted."""

from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from farmsim.models.base.arrays import Floats, Ints, sum_by
from farmsim.models.delivery.fair_share import fill

MHZ = st.one_of(st.just(0.0), st.floats(1.0, 1e5), st.integers(0, 20).map(float))


class Case(NamedTuple):
    capacity: Floats
    host_of: Ints
    demand: Floats
    shares: Floats
    reservation: Floats
    limit: Floats

    def ceiling(self) -> Floats:
        return np.minimum(self.limit, self.demand)

    def floor(self) -> Floats:
        return np.minimum(self.reservation, self.ceiling())


@st.composite
def cases(draw: st.DrawFn, fits: bool = True) -> Case:
    """Hosts and consumers; with ``fits`` no host promises more than it has."""
    hosts = draw(st.integers(1, 4))
    count = draw(st.integers(1, 12))

    def column(values: st.SearchStrategy[float]) -> Floats:
        return np.array(draw(st.lists(values, min_size=count, max_size=count)), float)

    host_of = np.array(draw(st.lists(st.integers(0, hosts - 1), min_size=count, max_size=count)))
    demand, reservation = column(MHZ), column(MHZ)
    limit = column(st.one_of(st.just(np.inf), MHZ))
    shares = column(st.one_of(st.floats(0.01, 1e4), st.sampled_from([1.0, 2.0, 4.0])))
    capacity = np.array(draw(st.lists(MHZ, min_size=hosts, max_size=hosts)))
    case = Case(capacity, host_of, demand, shares, reservation, limit)
    if fits:
        floors = sum_by(host_of, weights=case.floor(), minlength=hosts)
        case = case._replace(capacity=np.maximum(capacity, floors))
    return case


def by_breakpoints(case: Case) -> list[float]:
    """Solve each host in rational numbers, trying every level at which anything changes."""
    delivered = [Fraction(0)] * len(case.demand)
    for host, room in enumerate(case.capacity.tolist()):
        members = np.flatnonzero(case.host_of == host).tolist()
        share = {v: Fraction(float(case.shares[v])) for v in members}
        top = {v: Fraction(float(case.ceiling()[v])) for v in members}
        bottom = {v: Fraction(float(case.floor()[v])) for v in members}
        goal = min(Fraction(room), sum(top.values(), Fraction(0)))
        amounts = dict(bottom)
        changes = {Fraction(0)} | {end[v] / share[v] for end in (top, bottom) for v in members}
        ranked = sorted(changes)
        for low, high in pairwise(ranked):
            at = [
                {v: min(max(level * share[v], bottom[v]), top[v]) for v in members}
                for level in (low, high)
            ]
            least, most = (sum(each.values(), Fraction(0)) for each in at)
            if least <= goal <= most:
                part = (goal - least) / (most - least) if most > least else Fraction(0)
                amounts = {v: at[0][v] + part * (at[1][v] - at[0][v]) for v in members}
                break
        for v in members:
            delivered[v] = amounts[v]
    return [float(amount) for amount in delivered]


def by_linear_programs(case: Case) -> list[float]:
    """Raise the lowest delivery per share as far as it goes, fix whom it stops, and repeat."""
    count = len(case.demand)
    rows = np.zeros((len(case.capacity), count + 1))
    rows[case.host_of, np.arange(count)] = 1.0
    fixed: dict[int, float] = {}

    def solve(goal: Floats, level: float | None) -> Floats:
        free = [v for v in range(count) if v not in fixed]
        bounds: list[tuple[float, float | None]] = [
            (fixed[v], fixed[v]) if v in fixed else (case.floor()[v], case.ceiling()[v])
            for v in range(count)
        ]
        bounds.append((0.0, None) if level is None else (level, level))
        raised = np.zeros((len(free), count + 1))
        raised[np.arange(len(free)), free] = -1.0
        raised[:, -1] = case.shares[free]
        # What stops below the level by its ceiling has been fixed, so all free ones reach it.
        answer = linprog(
            -goal,
            A_ub=np.vstack([rows, raised]),
            b_ub=np.concatenate([case.capacity, np.zeros(len(free))]),
            bounds=bounds,
            method="highs",
        )
        assert answer.success, answer.message
        return np.asarray(answer.x, float)

    unit = np.eye(count + 1)
    while len(fixed) < count:
        level = float(solve(unit[-1], None)[-1]) * (1 - 1e-12)
        stuck = {}
        for v in range(count):
            if v not in fixed:
                most = float(solve(unit[v], level)[v])
                if most <= level * case.shares[v] * (1 + 1e-7) + 1e-7:
                    stuck[v] = most
        assert stuck
        fixed |= stuck
    return [fixed[v] for v in range(count)]


def scale_of(case: Case) -> Floats:
    """MHz that rounding is measured against: the most that the consumer's host deals in."""
    ceilings = sum_by(case.host_of, weights=case.ceiling(), minlength=len(case.capacity))
    return np.minimum(ceilings, case.capacity)[case.host_of]


@given(case=cases())
@settings(max_examples=300, deadline=None)
def test_equals_the_search_over_all_breakpoints(case: Case) -> None:
    difference = np.abs(fill(*case) - by_breakpoints(case))
    assert np.all(difference <= 1e-9 * scale_of(case))


def test_equals_the_lexicographic_linear_programs() -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        hosts, count = int(rng.integers(1, 4)), int(rng.integers(1, 8))
        limit = np.where(rng.random(count) < 0.5, np.inf, rng.uniform(1, 50, count))
        case = Case(
            capacity=rng.uniform(10, 100, hosts),
            host_of=rng.integers(0, hosts, count),
            demand=rng.uniform(1, 80, count),
            shares=rng.choice([1.0, 2.0, 4.0], count),
            reservation=np.zeros(count),
            limit=limit,
        )
        assert fill(*case) == pytest.approx(by_linear_programs(case), rel=1e-6)


@given(case=cases())
@settings(deadline=None)
def test_floors_and_ceilings_hold_and_nothing_is_left(case: Case) -> None:
    delivered, slack = fill(*case), 1e-9 * scale_of(case)
    assert np.all(delivered >= case.floor() - slack)
    assert np.all(delivered <= case.ceiling())
    hosts = len(case.capacity)
    total = sum_by(case.host_of, weights=delivered, minlength=hosts)
    wanted = np.minimum(
        sum_by(case.host_of, weights=case.ceiling(), minlength=hosts), case.capacity
    )
    assert total == pytest.approx(wanted, rel=1e-9)


@given(case=cases(fits=False), seed=st.integers(0, 999))
@settings(deadline=None)
def test_the_order_of_consumers_changes_nothing(case: Case, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(case.demand))
    shuffled = Case(
        case.capacity,
        case.host_of[order],
        case.demand[order],
        case.shares[order],
        case.reservation[order],
        case.limit[order],
    )
    assert np.all(np.abs(fill(*shuffled) - fill(*case)[order]) <= 1e-9 * scale_of(case)[order])


@given(case=cases())
@settings(deadline=None)
def test_where_all_fits_everybody_gets_its_ceiling_to_the_last_bit(case: Case) -> None:
    roomy = case._replace(capacity=np.full(len(case.capacity), 1e8))
    assert fill(*roomy).tolist() == case.ceiling().tolist()


def test_promises_beyond_the_capacity_are_scaled_down() -> None:
    delivered = fill(
        np.array([60.0, -5.0]),
        np.array([0, 0, 0, 1]),
        np.array([90.0, 30.0, 50.0, 10.0]),
        np.array([1.0, 1.0, 9.0, 1.0]),
        np.array([90.0, 60.0, 0.0, 4.0]),
        np.full(4, np.inf),
    )
    assert delivered.tolist() == [45.0, 15.0, 0.0, 0.0]


def test_a_limit_wins_over_a_reservation() -> None:
    one = np.array([1.0])
    assert fill(one * 50, np.array([0]), one * 80, one, one * 40, one * 30).tolist() == [30.0]


def test_shares_are_above_zero() -> None:
    one = np.array([1.0])
    with pytest.raises(ValueError, match="above zero"):
        fill(one, np.array([0]), one, one * 0, one * 0, one)
