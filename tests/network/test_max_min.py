"""Fair shares: against a filling in rational numbers, one level at a time, and the definition."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.base.arrays import Floats, Ints
from farmsim.models.network import flow_rates as shares_module
from farmsim.models.network.flow_rates import Shares
from farmsim.models.network.max_min import CAPPED, fill, fill_few

CAPACITY = st.one_of(st.integers(1, 12).map(float), st.floats(0.5, 1e4))
CAP = st.one_of(st.just(np.inf), st.integers(1, 6).map(float), st.floats(0.1, 1e4))
NEAR = 1e-9


class Case(NamedTuple):
    capacity: list[float]
    ways: list[dict[int, float]]
    cap: list[float]

    def columns(self) -> tuple[Floats, Ints, Ints, Floats, Floats]:
        crossed = [(flow, *each) for flow, way in enumerate(self.ways) for each in way.items()]
        flow_of, link_of, load = np.array(crossed, float).reshape(-1, 3).T
        return (
            np.array(self.capacity), flow_of.astype(int), link_of.astype(int),
            np.array(self.cap), load.copy(),
        )  # fmt: skip


@st.composite
def cases(draw: st.DrawFn, least: int = 1) -> Case:
    capacity = draw(st.lists(CAPACITY, min_size=1, max_size=6))
    load = st.one_of(st.just(1.0), st.sampled_from([0.05, 1.05, 2.0]))
    way = st.dictionaries(st.integers(0, len(capacity) - 1), load, min_size=1, max_size=4)
    ways = draw(st.lists(way, min_size=least, max_size=10))
    return Case(capacity, ways, draw(st.lists(CAP, min_size=len(ways), max_size=len(ways))))


def one_level_at_a_time(case: Case) -> list[float]:
    """Let all flows rise together; whoever meets a full link or its cap stays behind."""
    room = [Fraction(each) for each in case.capacity]
    rate = [Fraction(0)] * len(case.ways)
    rising = set(range(len(case.ways)))
    level = Fraction(0)
    while rising:
        steps = [Fraction(case.cap[f]) - level for f in rising if case.cap[f] < np.inf]
        slope = [
            sum((Fraction(case.ways[f].get(link, 0.0)) for f in rising), Fraction(0))
            for link in range(len(room))
        ]
        steps += [left / rise for left, rise in zip(room, slope, strict=True) if rise]
        level += min(steps)
        room = [left - min(steps) * rise for left, rise in zip(room, slope, strict=True)]
        for flow in list(rising):
            full = any(room[link] == 0 for link in case.ways[flow])
            if full or level == case.cap[flow]:
                rate[flow] = level
                rising.discard(flow)
    return [float(each) for each in rate]


def assert_fair(case: Case, rate: list[float]) -> None:
    """No link beyond capacity; nobody gains but at the cost of somebody no richer."""
    load = [0.0] * len(case.capacity)
    fastest = [0.0] * len(case.capacity)
    for way, mine in zip(case.ways, rate, strict=True):
        for link, weight in way.items():
            load[link] += weight * mine
            fastest[link] = max(fastest[link], mine)
    for carried, limit in zip(load, case.capacity, strict=True):
        assert carried <= limit * (1 + NEAR)
    for way, mine, cap in zip(case.ways, rate, case.cap, strict=True):
        assert mine <= cap * (1 + NEAR)
        assert mine >= cap * (1 - NEAR) or any(
            load[link] >= case.capacity[link] * (1 - NEAR) and mine >= fastest[link] * (1 - NEAR)
            for link in way
        )


@given(cases())
@settings(max_examples=300, deadline=None)
def test_equals_a_filling_in_rational_numbers(case: Case) -> None:
    rate = fill(*case.columns())[0]
    np.testing.assert_allclose(rate, one_level_at_a_time(case), rtol=1e-7)
    assert_fair(case, rate.tolist())


@given(cases())
@settings(max_examples=300, deadline=None)
def test_few_flows_are_filled_alike(case: Case) -> None:
    rate, bottleneck = fill(*case.columns())
    few, holders = fill_few(
        case.capacity,
        [list(way) for way in case.ways],
        [list(way.values()) for way in case.ways],
        case.cap,
        [0.0] * len(case.cap),
    )
    np.testing.assert_allclose(few, rate, rtol=1e-7)
    for found in (bottleneck.tolist(), holders):
        for way, mine, cap, link in zip(case.ways, rate, case.cap, found, strict=True):
            assert link in way or (link == CAPPED and mine == pytest.approx(cap))


def test_by_hand() -> None:
    flow_of, link_of = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 0, 1, 2])
    rate = fill(np.array([10.0, 30.0, 100.0]), flow_of, link_of, np.full(3, np.inf))[0]
    assert rate.tolist() == [5.0, 5.0, 25.0]


def test_two_on_a_link_get_half_each_and_a_cap_leaves_the_rest() -> None:
    both = np.array([0, 1]), np.array([0, 0])
    assert fill(np.array([9.0]), *both, np.full(2, np.inf))[0].tolist() == [4.5, 4.5]
    assert fill(np.array([9.0]), *both, np.array([2.0, np.inf]))[0].tolist() == [2.0, 7.0]


def test_nobody_to_share_and_no_link_to_cross() -> None:
    none = np.zeros(0, np.int64)
    assert len(fill(np.array([1.0]), none, none, np.zeros(0))[0]) == 0
    assert fill(np.array([1.0]), none, none, np.array([3.0]))[0].tolist() == [3.0]


@given(cases(least=4), st.data(), st.sampled_from([0, 1000]))
@settings(max_examples=300, deadline=None)
def test_an_update_gives_what_a_computation_from_scratch_gives(
    case: Case, data: st.DataObject, few: int
) -> None:
    """Flows come, go and change in any order, with an update at any moment."""
    before, shares_module.FEW = shares_module.FEW, few
    try:
        shares = Shares(np.array(case.capacity))
        waiting, rows = list(range(len(case.ways))), dict[int, int]()
        cap = list(case.cap)
        for _ in range(data.draw(st.integers(4, 25))):
            flow = data.draw(st.sampled_from(range(len(case.ways))))
            if flow in waiting:
                way = case.ways[flow]
                rows[flow] = shares.add(list(way), list(way.values()), cap[flow], 1e6, 0.0)
                waiting.remove(flow)
            elif data.draw(st.booleans()):
                shares.remove(rows.pop(flow))
                waiting.append(flow)
            else:
                cap[flow] = data.draw(CAP)
                shares.set_cap(rows[flow], cap[flow])
            if data.draw(st.booleans()):
                continue
            assert shares.refresh(0.0) == []
            under_way = sorted(rows)
            now = Case(
                case.capacity, [case.ways[f] for f in under_way], [cap[f] for f in under_way]
            )
            rate = [shares.rate(rows[f]) for f in under_way]
            np.testing.assert_allclose(rate, one_level_at_a_time(now), rtol=1e-7)
            assert_fair(now, rate)
            load = np.zeros(len(case.capacity))
            for way, mine in zip(now.ways, rate, strict=True):
                for link, weight in way.items():
                    load[link] += weight * mine
            np.testing.assert_allclose(shares.loads(), load, rtol=1e-9, atol=1e-9)
    finally:
        shares_module.FEW = before


@given(cases(least=4), st.data(), st.sampled_from([0, 1000]))
@settings(max_examples=200, deadline=None)
def test_updates_of_blocks_are_those_of_single_flows_to_the_last_bit(
    case: Case, data: st.DataObject, few: int
) -> None:
    """Flows come and go at any moment, some in the middle of what they send."""
    before = shares_module.FEW, shares_module.BLOCK
    shares_module.FEW = few
    try:
        both = [Shares(np.array(case.capacity)) for _ in range(2)]
        rows = dict[int, int]()
        for step in range(data.draw(st.integers(4, 20))):
            now_s = 0.3 * step
            flow = data.draw(st.sampled_from(range(len(case.ways))))
            way, size_bytes = case.ways[flow], data.draw(st.sampled_from([3.0, 1e6]))
            for shares in both:
                if flow in rows:
                    shares.remove(rows[flow])
                    continue
                row = shares.add(list(way), list(way.values()), case.cap[flow], size_bytes, now_s)
            if flow in rows:
                del rows[flow]
            else:
                rows[flow] = row
            ends = []
            for shares, block in zip(both, (0, 1000), strict=True):
                shares_module.BLOCK = block
                stalled = shares.refresh(now_s)
                left = [shares.left_bytes(row, now_s + 0.1) for row in rows.values()]
                rates = [shares.rate(row) for row in rows.values()]
                ends.append(
                    (stalled, rates, left, shares.next_end_s(), shares.ended(now_s),
                     shares.loads().tolist())
                )  # fmt: skip
            assert ends[0] == ends[1]
    finally:
        shares_module.FEW, shares_module.BLOCK = before
