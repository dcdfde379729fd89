"""Distributions of times, and the formulas that simulated failures are held to."""

import math

import numpy as np
import pytest

from farmsim.models.hardware.reliability import (
    Constant,
    Empirical,
    Exponential,
    Lognormal,
    Times,
    Weibull,
    availability,
)

LAWS: list[Times] = [
    Exponential(100.0), Weibull(100.0, 0.75), Weibull(100.0, 3.0), Lognormal(100.0, 0.8),
    Constant(100.0), Empirical((20.0, 180.0)),
]  # fmt: skip


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_draws_have_the_mean_that_they_are_given_by(law: Times) -> None:
    drawn = law.draw(np.random.default_rng(1), 20_000)
    half = 4.0 * drawn.std() / math.sqrt(len(drawn))
    assert law.mean == 100.0
    assert abs(drawn.mean() - 100.0) <= half + 1e-9
    assert drawn.min() >= 0


def test_a_weibull_of_shape_one_is_exponential() -> None:
    one = Weibull(50.0, 1.0).draw(np.random.default_rng(2), 20_000)
    # F(t) = 1 - exp(-t / mean)
    for t in (10.0, 50.0, 150.0):
        assert np.mean(one <= t) == pytest.approx(1 - math.exp(-t / 50.0), abs=0.015)


def test_availability_by_hand() -> None:
    assert availability(90.0, 10.0) == 0.9


@pytest.mark.parametrize("times", [(), (-1.0, 2.0), (0.0, 0.0)])
def test_observed_times_that_are_none(times: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="one or more"):
        Empirical(times)
