"""Forecasts of load: pure functions of a history at equal steps.

A history has the shape (samples, series), oldest first, and at least one sample; it may be
shorter than a forecaster would like. Methods as in Hyndman and Athanasopoulos, "Forecasting:
Principles and Practice" (3rd ed., 2021), chapter 5 (mean, naive, seasonal naive) and section 7.1
(straight line by least squares).
"""

import math
from typing import Protocol

import numpy as np

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter


class Forecaster(Protocol):
    """Forecasts time series.

    The unit of the values is that of the history. A forecaster keeps nothing between calls.
    """

    @property
    def reach_s(self) -> float:
        """Length of the past that is looked at, in s."""
        ...

    def forecast(self, history: Floats, step_s: float, steps: int) -> Floats:
        """Return the values of the next ``steps`` samples, one step apart: (steps, series).

        ``history`` has the shape (samples, series), oldest first, ``step_s`` apart.
        """
        ...


def samples_of(forecaster: Forecaster, step_s: float) -> int:
    """Return how many samples, ``step_s`` apart, a forecaster looks at."""
    return math.ceil(forecaster.reach_s / step_s) + 1


def peak_ahead(forecaster: Forecaster, history: Floats, step_s: float, ahead_s: float) -> Floats:
    """Return the highest value per series between now and ``ahead_s`` from now.

    The newest sample counts as now, so the forecast is never below it.

    The result is (series,) in the unit of the history; ``ahead_s`` is rounded up to whole steps.
    """
    newest: Floats = history[-1]
    steps = math.ceil(ahead_s / step_s)
    if steps < 1:
        return newest
    highest: Floats = forecaster.forecast(history, step_s, steps).max(axis=0)
    return np.maximum(newest, highest)


@dataclass(frozen=True)
class LastValue:
    """Forecast the latest value (naive forecast)."""

    reach_s = 0.0

    def forecast(self, history: Floats, step_s: float, steps: int) -> Floats:
        """Return the newest sample, again and again: (steps, series)."""
        del step_s
        return np.repeat(history[-1:], steps, axis=0)


@dataclass(frozen=True)
class MovingAverage:
    """Forecast the mean of the latest window."""

    reach_s: float = parameter(
        "Length of the window.", 3600.0, key="window", dimension="time", gt=0
    )

    def forecast(self, history: Floats, step_s: float, steps: int) -> Floats:
        """Return the mean of the window, again and again: (steps, series)."""
        window = history[-samples_of(self, step_s) :]
        return np.repeat(window.mean(axis=0, keepdims=True), steps, axis=0)


@dataclass(frozen=True)
class LinearTrend:
    """Extrapolate a least-squares line through the latest window, never below zero."""

    reach_s: float = parameter(
        "Length of the window.", 3600.0, key="window", dimension="time", gt=0
    )

    def forecast(self, history: Floats, step_s: float, steps: int) -> Floats:
        """Return the line's values beyond the newest sample: (steps, series)."""
        window = history[-samples_of(self, step_s) :]
        count = len(window)
        mean = window.mean(axis=0)
        at = np.arange(count) - (count - 1) / 2
        spread = float(at @ at)
        slope = (at @ window) / spread if spread else np.zeros_like(mean)
        ahead = (count - 1) / 2 + np.arange(1, steps + 1)
        line: Floats = mean + ahead[:, None] * slope
        return np.maximum(line, 0.0)


@dataclass(frozen=True)
class Seasonal:
    """Forecast the value one season ago, as at the same time yesterday, or the latest value."""

    reach_s: float = parameter(
        "Length of a season.", 86_400.0, key="season", dimension="time", gt=0
    )

    def forecast(self, history: Floats, step_s: float, steps: int) -> Floats:
        """Return the samples of a season ago, that season repeated: (steps, series)."""
        season = max(round(self.reach_s / step_s), 1)
        if len(history) < season:
            return np.repeat(history[-1:], steps, axis=0)
        last: Floats = history[-season:]
        return last[np.arange(steps) % season]
