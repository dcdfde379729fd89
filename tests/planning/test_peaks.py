"""Percentiles by nearest rank, peak coincidence, and the band of the load factor."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farmsim.models.base.arrays import Floats
from farmsim.models.workload.load_band import (
    PROFILES,
    Band,
    Profile,
    band,
    p95_of_snapshots,
    quantile,
    replication_quantile,
    snapshots_band,
    verdict,
    verdict_words,
)
from farmsim.models.workload.peaks import coincidence, percentile, percentiles, rank, summed


def columns(*series: list[float]) -> Floats:
    return np.array(series, float).T


def test_two_vms_that_share_one_instant() -> None:
    found = coincidence(columns([10, 0, 0, 10], [0, 10, 10, 0]))
    assert (found.sum_of_peaks, found.peak_of_sum, found.share) == (20, 10, 0.5)
    assert (found.instants, found.of_instants) == (4, 4)


def test_same_series_twice_and_a_constant_vm_coincide_whole() -> None:
    assert coincidence(columns([10, 0, 0, 10], [10, 0, 0, 10])).share == 1
    assert coincidence(columns([7, 7, 7, 7])).share == 1
    assert coincidence(columns([7, 7, 7, 7]), 0.95).share == 1


def test_a_missing_value_leaves_the_sum_of_its_instant_unknown() -> None:
    load = columns([1, 2, math.nan, 9], [1, 1, 50, 1])
    assert np.isnan(summed(load)).tolist() == [False, False, True, False]
    found = coincidence(load)
    assert (found.peak_of_sum, found.sum_of_peaks, found.instants) == (10, 59, 3)


def test_what_cannot_be_known_is_not_a_number() -> None:
    nothing = coincidence(columns([math.nan, 1], [1, math.nan]))
    assert math.isnan(nothing.peak_of_sum)
    assert math.isnan(nothing.share)
    assert math.isnan(coincidence(columns([0, 0])).share)
    assert math.isnan(coincidence(columns([1, 2], [math.nan, math.nan])).sum_of_peaks)
    assert math.isnan(coincidence(np.empty((0, 3))).peak_of_sum)


def test_hourly_export_with_two_missing_values() -> None:
    path = Path(__file__).resolve().parents[1] / "data" / "inventory" / "vrops_vm_hourly.csv"
    values: dict[str, list[float]] = {}
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            cell = row["VM|CPU|Demand (MHz)|Avg"].replace(",", "")
            values.setdefault(row["Name"], []).append(math.nan if cell == "-" else float(cell))
    found = coincidence(columns(*values.values()), 0.95)
    assert (found.sum_of_peaks, found.peak_of_sum) == (47_200, 37_200)
    assert round(found.share, 3) == 0.788
    assert (found.instants, found.of_instants) == (46, 48)


def test_percentile_is_a_value_that_occurs() -> None:
    values = np.arange(1.0, 49.0)
    assert percentile(values, 0.95) == 46  # the 46th of 48
    assert percentile(np.arange(1.0, 21.0), 0.95) == 19  # 20 times 0.95 is 19, not a little more
    assert percentile(values, 0) == 1
    assert percentile(values, 1) == 48


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
    st.integers(0, 100),
)
def test_percentile_is_the_smallest_with_enough_at_or_below(
    values: list[float], percent: int
) -> None:
    ranked = sorted(values)
    needed = max(1, -(-len(values) * percent // 100))  # exact, in whole numbers
    assert rank(len(values), percent / 100) == needed - 1
    assert percentile(np.array(values), percent / 100) == ranked[needed - 1]
    assert percentiles(np.array([values]).T, percent / 100)[0] == ranked[needed - 1]


def test_bands_by_profile() -> None:
    assert band() == Band(1.0, 1.25, 6.0)
    assert band("steady") == Band(1.0, 1.15, 1.5)
    assert band("batch") == Band(1.0, 2.3, 7.0)


@pytest.mark.parametrize("profile", PROFILES)
def test_quantiles_of_the_band_ascend(profile: Profile) -> None:
    at = [quantile(profile, replication_quantile(r, 20)) for r in range(1, 21)]
    assert at == sorted(at)
    assert at[0] < band(profile).low
    assert at[-1] > band(profile).high


def test_more_snapshots_narrow_the_band() -> None:
    widths = [found.high - found.low for k in (6, 12, 24, 48) if (found := snapshots_band(k))]
    assert len(widths) == 4
    assert widths == sorted(widths, reverse=True)
    assert snapshots_band(30) == snapshots_band(24)
    assert snapshots_band(5) is None
    found = p95_of_snapshots([100.0] * 22 + [400.0] * 2)
    assert found is not None  # the 23rd of 24 is 400
    assert found.typical == pytest.approx(400 / 0.98)


def test_verdict_names_what_break_even_means() -> None:
    factors = band()
    assert verdict(6.0, factors) == "does not decide"
    assert verdict(5.99, factors) == "may decide"
    assert verdict(1.25, factors) == "may decide"
    assert verdict(1.24, factors) == "decides"
    words = "CPU may decide: the number of hosts holds until CPU demand is 2.68 times the snapshot"
    assert verdict_words(2.68, factors).startswith(words)
