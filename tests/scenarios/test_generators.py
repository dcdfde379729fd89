"""Synthetic load against what its parameters promise, and against the trace it was fitted to."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farmsim.models.base.arrays import Floats
from farmsim.models.base.catalogue import workload_classes
from farmsim.models.workload.demand import Demand, TraceSeries
from farmsim.models.workload.demand_generators import (
    Bursts,
    ClassSeries,
    LoadClass,
    ResampledSeries,
)
from farmsim.models.workload.vm_size import counts_from_shares, deal_blocks, deal_cycle, deal_random
from farmsim.scenarios.traces.demand_tables import read_shipped
from farmsim.sim.base.random_streams import Streams

UNIFORM = np.linspace(0, 1, 5)


def one_class(**variances: float) -> LoadClass:
    parts = dict.fromkeys(("level", "slow", "fast", "daily", "noise", "shared"), 0.0) | variances
    named = {f"{name}_variance": value for name, value in parts.items()}
    return LoadClass(share=1.0, quantiles_percent=(0.0, 25.0, 50.0, 75.0, 100.0), **named)


def series(
    load_class: LoadClass, vms: int = 2000, slots: int = 40, step_s: float = 300.0, **more: Any
) -> Floats:
    made = ClassSeries([load_class], UNIFORM, vms, step_s, Streams(1), **more)
    return np.array([made.row(slot) for slot in range(slots)])


def correlation(rows: Floats, lag: int) -> float:
    """Correlation of each VM with itself, over all VMs together."""
    return float(np.corrcoef(rows[:-lag].ravel(), rows[lag:].ravel())[0, 1])


def test_utilisation_follows_the_quantile_function() -> None:
    rows = series(one_class(noise=1.0))
    # quantiles on a line from 0 to 100: uniform
    assert rows.mean() == pytest.approx(50, abs=0.5)
    assert np.quantile(rows, [0.1, 0.5, 0.9]) == pytest.approx([10, 50, 90], abs=0.7)


def test_each_part_has_its_own_memory() -> None:
    assert correlation(series(one_class(noise=1.0)), 1) == pytest.approx(0, abs=0.01)
    assert correlation(series(one_class(level=1.0)), 30) == pytest.approx(1, abs=1e-9)
    fast = series(one_class(fast=1.0))
    # a normal score with correlation rho gives uniforms with 6/pi asin(rho/2)
    for lag in (1, 2, 4):
        rho = np.exp(-300.0 * lag / 600.0)
        expected = 6 / np.pi * np.arcsin(rho / 2)
        assert correlation(fast, lag) == pytest.approx(expected, abs=0.02)


def test_the_memory_does_not_depend_on_the_step() -> None:
    coarse = series(one_class(slow=1.0), slots=40, step_s=300.0)
    fine = series(one_class(slow=1.0), slots=160, step_s=75.0)
    assert correlation(coarse, 4) == pytest.approx(correlation(fine, 16), abs=0.02)


def test_what_is_shared_moves_all_vms_together() -> None:
    alone = series(one_class(noise=1.0)).mean(axis=1).std()
    farm = series(one_class(noise=1.0), slots=300, farm_variance=0.3).mean(axis=1).std()
    shared = series(one_class(noise=0.7, shared=0.3), slots=300).mean(axis=1).std()
    assert farm > 5 * alone
    assert shared > 5 * alone


def test_the_daily_part_peaks_when_it_is_told_to() -> None:
    rows = series(one_class(daily=0.5, noise=0.5), slots=288, peak_s=6 * 3600.0)
    harmonic = np.fft.rfft(rows.mean(axis=1))[1]
    # a cosine that peaks at slot 72 of 288 has the phase of a quarter turn
    assert -np.angle(harmonic) == pytest.approx(np.pi / 2, abs=0.02)


@pytest.mark.parametrize("per_day", [12.0, 40.0])
def test_bursts_come_as_often_and_last_as_long_as_told(per_day: float) -> None:
    bursts = Bursts(per_day=per_day, duration_s=1500.0, height=0.95)
    low = LoadClass(share=1.0, quantiles_percent=(0.0, 10.0))
    made = ClassSeries([low], np.array([0.0, 1.0]), 500, 300.0, Streams(2), bursts=bursts)
    high = np.array([made.row(slot) for slot in range(1000)]) >= 95
    starts = (high[1:] & ~high[:-1]).sum()
    assert starts / (500 * 999) * 288 == pytest.approx(per_day, rel=0.03)
    # five slots of 300 s on average, from the first slot on
    assert high.sum() / starts == pytest.approx(5, rel=0.03)
    assert high[0].mean() == pytest.approx(per_day * 1500 / 86_400, abs=0.05)


def test_more_bursts_than_fit_into_a_day_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit into a day"):
        Bursts(per_day=100.0, duration_s=900.0)


def test_planetlab_classes_come_near_the_trace_that_they_were_fitted_to() -> None:
    table = workload_classes()
    classes = []
    for entry in table["sets"]["planetlab"]["classes"]:
        parts: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in entry.items()
        }
        classes.append(LoadClass(**parts))
    made = ClassSeries(classes, np.array(table["probabilities"]), 1500, 300.0, Streams(3))
    rows = np.array([made.row(slot) for slot in range(288)])
    # seven days of PlanetLab: mean 11.5 %, deviation 15.8, P50 6, P90 32, P99 78
    assert rows.mean() == pytest.approx(11.55, rel=0.13)
    assert rows.std() == pytest.approx(15.81, rel=0.13)
    assert np.quantile(rows, 0.9) == pytest.approx(32, rel=0.13)
    assert np.quantile(rows, 0.99) == pytest.approx(78, rel=0.13)
    assert rows.mean(axis=0).std() == pytest.approx(13.22, rel=0.13)


def test_blocks_are_pieces_of_the_trace_at_their_time_of_day() -> None:
    trace = read_shipped("azure-v1-week")
    made = ResampledSeries(trace.counts, 0.0001, 300.0, 20, 86_400.0, Streams(1))
    rows = np.array([made.row(slot) for slot in range(3 * 288)])
    for day in range(3):
        block = rows[day * 288 : (day + 1) * 288]
        days = [trace.counts[288 * d : 288 * (d + 1)] for d in range(7)]
        for vm in range(20):
            column = block[:, vm][:, None]
            found = [d for d in range(7) if (days[d] == column).all(axis=0).any()]
            assert found
    again = ResampledSeries(trace.counts, 0.0001, 300.0, 20, 86_400.0, Streams(1))
    assert np.array_equal(again.row(0), rows[0])


def test_together_means_the_same_block_for_all() -> None:
    counts = np.repeat(np.arange(8), 2)[:, None] * np.ones(3, int)
    together = ResampledSeries(counts, 0.01, 300.0, 40, 600.0, Streams(5))
    apart = ResampledSeries(counts, 0.01, 300.0, 40, 600.0, Streams(5), "apart")
    assert len(set(together.row(0).tolist())) == 1
    assert len(set(apart.row(0).tolist())) > 1


@given(shares=st.lists(st.floats(0.01, 10), min_size=1, max_size=6), total=st.integers(0, 500))
def test_shares_become_counts_that_add_up(shares: list[float], total: int) -> None:
    counts = counts_from_shares(np.array(shares), total)
    assert counts.sum() == total
    exact = np.array(shares) / sum(shares) * total
    assert np.all(np.abs(counts - exact) < 1)


def test_sizes_are_dealt_in_blocks_in_turn_or_at_random() -> None:
    counts = np.array([2, 1, 3])
    assert deal_blocks(counts).tolist() == [0, 0, 1, 2, 2, 2]
    assert deal_cycle(counts).tolist() == [0, 1, 2, 0, 2, 2]
    dealt = deal_random(counts, np.random.default_rng(1))
    assert sorted(dealt.tolist()) == [0, 0, 1, 2, 2, 2]


def test_the_demand_follows_its_series_and_members_what_they_are_given() -> None:
    demand = Demand(TraceSeries(np.array([[1, 2], [3, 4]]), 0.25, 300.0), np.array([4.0, 8.0]), 1)
    now_mhz = demand.now_mhz
    assert now_mhz.tolist() == [0, 0, 0]
    demand.set_members(np.array([7.0]))
    demand.advance(1)
    assert now_mhz.tolist() == [3, 8, 7]
    with pytest.raises(ValueError, match="read-only"):
        now_mhz[0] = 1.0
