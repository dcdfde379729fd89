"""Forecasts against what they must say of series that are known."""

import numpy as np
import pytest

from farmsim.models.base.arrays import Floats
from farmsim.policies.scaling.forecast import (
    Forecaster,
    LastValue,
    LinearTrend,
    MovingAverage,
    Seasonal,
    peak_ahead,
    samples_of,
)

STEP_S = 300.0
FORECASTERS: list[Forecaster] = [LastValue(), MovingAverage(), LinearTrend(), Seasonal()]


def series(*values: float) -> Floats:
    return np.array(values)[:, None]


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize("samples", [1, 2, 500])
def test_a_constant_series_stays_what_it_is(forecaster: Forecaster, samples: int) -> None:
    history = np.full((samples, 3), 7.0)
    assert forecaster.forecast(history, STEP_S, 4) == pytest.approx(np.full((4, 3), 7.0))


@pytest.mark.parametrize(
    ("forecaster", "samples"),
    [(LastValue(), 1), (MovingAverage(600.0), 3), (LinearTrend(700.0), 4), (Seasonal(3600.0), 13)],
)
def test_how_much_of_the_past_is_wanted(forecaster: Forecaster, samples: int) -> None:
    assert samples_of(forecaster, STEP_S) == samples


def test_the_mean_of_the_window_only() -> None:
    # A window of 600 s holds the three newest samples: (3 + 4 + 8) / 3 = 5.
    forecast = MovingAverage(600.0).forecast(series(100, 3, 4, 8), STEP_S, 2)
    assert forecast[:, 0].tolist() == [5, 5]


def test_a_line_goes_on_and_stops_at_zero() -> None:
    rising = LinearTrend().forecast(series(1, 3, 5, 7), STEP_S, 3)
    assert rising[:, 0] == pytest.approx([9, 11, 13])
    falling = LinearTrend().forecast(series(7, 5, 3, 1), STEP_S, 2)
    assert falling[:, 0] == pytest.approx([0, 0])


def test_yesterday_comes_again() -> None:
    # A season of four steps: the next samples are those four back, round and round.
    forecast = Seasonal(4 * STEP_S).forecast(series(9, 9, 1, 2, 3, 4), STEP_S, 6)
    assert forecast[:, 0].tolist() == [1, 2, 3, 4, 1, 2]


def test_the_peak_ahead_is_at_least_the_present() -> None:
    falling, rising = series(7, 5, 3, 1), series(1, 3, 5, 7)
    assert peak_ahead(LinearTrend(), falling, STEP_S, 900.0).tolist() == [1]
    assert peak_ahead(LinearTrend(), rising, STEP_S, 700.0) == pytest.approx([13])
    assert peak_ahead(LinearTrend(), rising, STEP_S, 0.0).tolist() == [7]
