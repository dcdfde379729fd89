"""Distributions of times to failure and repair times.

Availability of one is ``MTTF / (MTTF + MTTR)`` whatever the distributions (renewal theory); of
``n`` that fail independently, at least ``k`` are up with probability
``sum_{i=k}^{n} C(n, i) A^i (1 - A)^(n - i)``.
"""

import math
from typing import Protocol

import numpy as np

from ..base.arrays import Floats
from ..base.lazy_dataclass import dataclass
from ..base.parameters import parameter


class Times(Protocol):
    """A distribution of times in s."""

    @property
    def mean(self) -> float:
        """Mean time, s."""
        ...

    def draw(self, generator: "np.random.Generator", count: int) -> Floats:
        """Return so many independent times, s."""
        ...


@dataclass(frozen=True)
class Exponential:
    """Memoryless: the failure rate does not depend on age."""

    mean_s: float = parameter("Mean time.", key="mean", dimension="time", gt=0)

    @property
    def mean(self) -> float:
        """Mean time, s."""
        return self.mean_s

    def draw(self, generator: "np.random.Generator", count: int) -> Floats:
        """Return so many independent times, s."""
        return generator.exponential(self.mean_s, count)


@dataclass(frozen=True)
class Weibull:
    """``F(t) = 1 - exp(-(t / scale)^shape)``: below 1 early failures, above 1 wear."""

    mean_s: float = parameter("Mean time.", key="mean", dimension="time", gt=0)
    shape: float = parameter(
        "Shape; 0.7 to 0.8 in failures of high-performance clusters (Schroeder and Gibson 2006).",
        0.75,
        gt=0.1,
        le=10,
    )

    @property
    def mean(self) -> float:
        """Mean time, s."""
        return self.mean_s

    def draw(self, generator: "np.random.Generator", count: int) -> Floats:
        """Return so many independent times, s."""
        scale_s = self.mean_s / math.gamma(1.0 + 1.0 / self.shape)
        return scale_s * generator.weibull(self.shape, count)


@dataclass(frozen=True)
class Lognormal:
    """Logarithms are normal; typical of repair times."""

    mean_s: float = parameter("Mean time.", key="mean", dimension="time", gt=0)
    sigma: float = parameter("Standard deviation of the logarithm.", 1.0, gt=0, le=5)

    @property
    def mean(self) -> float:
        """Mean time, s."""
        return self.mean_s

    def draw(self, generator: "np.random.Generator", count: int) -> Floats:
        """Return so many independent times, s."""
        return generator.lognormal(math.log(self.mean_s) - self.sigma**2 / 2, self.sigma, count)


@dataclass(frozen=True)
class Constant:
    """Always the same."""

    mean_s: float = parameter("The time.", key="mean", dimension="time", ge=0)

    @property
    def mean(self) -> float:
        """Mean time, s."""
        return self.mean_s

    def draw(self, generator: "np.random.Generator", count: int) -> Floats:
        """Return so many times, s, all equal."""
        del generator
        return np.full(count, self.mean_s)


@dataclass(frozen=True)
class Empirical:
    """Observed times, all equally likely."""

    times_s: tuple[float, ...] = parameter("Observed times.", key="times", dimension="time")

    def __post_init__(self) -> None:
        if not self.times_s or min(self.times_s) < 0 or max(self.times_s) <= 0:
            raise ValueError("times must be one or more, none negative and not all zero")

    @property
    def mean(self) -> float:
        """Mean time, s."""
        return float(np.mean(self.times_s))

    def draw(self, generator: "np.random.Generator", count: int) -> Floats:
        """Return so many independent times, s."""
        return generator.choice(np.asarray(self.times_s), count)


DISTRIBUTIONS: dict[str, type] = {
    "exponential": Exponential,
    "weibull": Weibull,
    "lognormal": Lognormal,
    "constant": Constant,
    "empirical": Empirical,
}


def availability(to_failure_s: float, to_repair_s: float) -> float:
    """Return ``MTTF / (MTTF + MTTR)``."""
    return to_failure_s / (to_failure_s + to_repair_s)
