"""Overload foreseen by regression over the newest samples."""

from typing import ClassVar, Literal

import numpy as np

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from .detector import HistoryOf, OverloadDetectorFields, newest_only, weigh

SMALL_MHZ = 1e-9


def tricube(count: int) -> Floats:
    """Return ``(1 - (d/d_max)**3)**3`` for samples at distance d from the newest (Cleveland).

    Cleveland, Journal of the American Statistical Association 74 (1979): weights of local
    regression. The result is (count,), oldest first; of several samples the oldest has weight 0.
    """
    distance = np.arange(count - 1, -1, -1) / max(count - 1, 1)
    weights: Floats = (1 - distance**3) ** 3
    return weights


def forecast_weights(weights: Floats, ahead: float) -> Floats:
    """Return ``w`` such that ``w @ y`` is the weighted least squares line at ``n + ahead``.

    ``y`` are n samples at 1 … n, ``weights`` theirs. Closed form of the line through weighted
    points: the weighted mean plus slope times distance from the weighted centre.
    """
    count = len(weights)
    x = np.arange(1, count + 1)
    total = weights.sum()
    centre = (weights * x).sum() / total
    spread = (weights * (x - centre) ** 2).sum()
    line: Floats = weights * (1 / total + (count + ahead - centre) * (x - centre) / spread)
    return line


@dataclass(frozen=True)
class LocalRegression(OverloadDetectorFields):
    """Overloaded when safety times the demand forecast by linear regression reaches capacity (LR).

    A line is fitted to the newest samples, weighted by tricube or not at all, and read off
    ``ahead`` samples later. Beloglazov and Buyya (2012) describe tricube weights; the program
    that everyone quotes computes them and uses none.
    """

    repeatable: ClassVar[bool] = True

    FORMER_FIELDS: ClassVar = {"ahead": "samples_ahead"}

    safety: float = parameter("Factor on the forecast demand.", 1.2, gt=0)
    weights: Literal["tricube", "none"] = parameter("Weights of the samples.", "tricube")
    samples: int = parameter("Number of latest samples fitted.", 10, ge=3, le=1000)
    samples_ahead: float = parameter("Forecast horizon in samples.", 1.0, ge=0)
    fallback: float = parameter(
        "Threshold for VMs with fewer samples.", 0.7, dimension="share", gt=0, le=1
    )
    history: HistoryOf = parameter(
        "Whose history is used: that of the VMs now on the host, or of the host itself.", "vms"
    )

    @property
    def fewest(self) -> int:
        """Samples of its own life that a VM needs to be judged."""
        return self.samples

    def linear(self, depth: int) -> tuple[Floats, float]:
        """Return the forecast's weights times safety, and full capacity as the limit."""
        if depth < self.samples:
            return newest_only(depth), self.fallback
        kernel = tricube(self.samples) if self.weights == "tricube" else np.ones(self.samples)
        weights = np.zeros(depth)
        weights[-self.samples :] = self.safety * forecast_weights(kernel, self.samples_ahead)
        return weights, 1.0

    def judge(self, history_mhz: Floats, capacity_mhz: Floats) -> tuple[Floats, Floats]:
        """Return safety times forecast over capacity, and 1."""
        return weigh(history_mhz, capacity_mhz, *self.linear(history_mhz.shape[1]))


@dataclass(frozen=True)
class RobustLocalRegression(OverloadDetectorFields):
    """Local regression that is robust against outliers (LRR).

    After a tricube fit each sample's weight is multiplied by the bisquare
    ``(1 - (r / 6m)**2)**2`` of its residual r, m being the median absolute residual, and the
    line is fitted again (Cleveland 1979; Beloglazov and Buyya 2012).
    """

    repeatable: ClassVar[bool] = True

    FORMER_FIELDS: ClassVar = {"ahead": "samples_ahead"}

    safety: float = parameter("Factor on the forecast demand.", 1.2, gt=0)
    samples: int = parameter("Number of latest samples fitted.", 10, ge=4, le=1000)
    iterations: int = parameter("Number of robust refits.", 2, ge=1, le=20)
    samples_ahead: float = parameter("Forecast horizon in samples.", 1.0, ge=0)
    fallback: float = parameter(
        "Threshold for VMs with fewer samples.", 0.7, dimension="share", gt=0, le=1
    )
    history: HistoryOf = parameter(
        "Whose history is used: that of the VMs now on the host, or of the host itself.", "vms"
    )

    @property
    def fewest(self) -> int:
        """Samples of its own life that a VM needs to be judged."""
        return self.samples

    def linear(self, depth: int) -> tuple[Floats, float] | None:
        """Return the fallback test while the past is short, None after."""
        return (newest_only(depth), self.fallback) if depth < self.samples else None

    def judge(self, history_mhz: Floats, capacity_mhz: Floats) -> tuple[Floats, Floats]:
        """Return safety times the robust forecast over capacity, and 1."""
        plain = self.linear(history_mhz.shape[1])
        if plain is not None:
            return weigh(history_mhz, capacity_mhz, *plain)
        y = history_mhz[:, -self.samples :]
        kernel = np.broadcast_to(tricube(self.samples), y.shape)
        level, slope, x = _lines(y, kernel)
        for _ in range(self.iterations):
            residual = np.abs(y - (level[:, None] + slope[:, None] * x))
            scale = np.maximum(6 * np.median(residual, axis=1, keepdims=True), SMALL_MHZ)
            robust = np.clip(1 - (residual / scale) ** 2, 0, None) ** 2
            level, slope, x = _lines(y, kernel * robust, (level, slope))
        foreseen_mhz = level + slope * (self.samples + self.samples_ahead)
        return self.safety * foreseen_mhz / capacity_mhz, np.ones(len(capacity_mhz))


def _lines(
    y: Floats, weights: Floats, otherwise: tuple[Floats, Floats] | None = None
) -> tuple[Floats, Floats, Floats]:
    """Fit a weighted line to each row; keep ``otherwise`` where the weights leave no line."""
    x = np.arange(1, y.shape[1] + 1, dtype=np.float64)
    total = weights.sum(axis=1)
    safe = np.maximum(total, SMALL_MHZ)
    centre_x = (weights * x).sum(axis=1) / safe
    centre_y = (weights * y).sum(axis=1) / safe
    spread = (weights * (x - centre_x[:, None]) ** 2).sum(axis=1)
    joint = (weights * (x - centre_x[:, None]) * (y - centre_y[:, None])).sum(axis=1)
    fits = (total > SMALL_MHZ) & (spread > SMALL_MHZ)
    slope = np.divide(joint, spread, out=np.zeros_like(joint), where=fits)
    level = centre_y - slope * centre_x
    if otherwise is not None:
        level = np.where(fits, level, otherwise[0])
        slope = np.where(fits, slope, otherwise[1])
    return level, slope, x
