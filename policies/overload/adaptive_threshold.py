"""Overload thresholds that adapt to the variability of the demand of a host."""

from typing import ClassVar

import numpy as np

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from .detector import HistoryOf, OverloadDetectorFields, newest_only, weigh

MIN_SAMPLES = 12
"""Fewer samples than this say nothing of a spread; the fallback threshold serves until then."""


@dataclass(frozen=True)
class _Adaptive(OverloadDetectorFields):
    safety: float = parameter("Multiple of the spread to keep free.", gt=0)
    fallback: float = parameter(
        "Threshold for VMs with fewer than 12 samples.",
        0.7,
        dimension="share",
        gt=0,
        le=1,
    )
    samples: int = parameter("Number of past samples used.", 30, ge=MIN_SAMPLES, le=1000)
    history: HistoryOf = parameter(
        "Whose history is used: that of the VMs now on the host, or of the host itself.", "vms"
    )

    fewest = MIN_SAMPLES

    def spread(self, utilisation: Floats) -> Floats:
        """Return the spread of each row of utilisations."""
        raise NotImplementedError

    def linear(self, depth: int) -> tuple[Floats, float] | None:
        """Return the fallback test while the past is short, None after."""
        return (newest_only(depth), self.fallback) if depth < MIN_SAMPLES else None

    def judge(self, history_mhz: Floats, capacity_mhz: Floats) -> tuple[Floats, Floats]:
        """Return demand over capacity, and ``1 - safety * spread``."""
        plain = self.linear(history_mhz.shape[1])
        if plain is not None:
            return weigh(history_mhz, capacity_mhz, *plain)
        utilisation = history_mhz / capacity_mhz[:, None]
        return utilisation[:, -1], 1.0 - self.safety * self.spread(utilisation)


@dataclass(frozen=True)
class InterquartileRange(_Adaptive):
    """Overloaded above ``1 - s * IQR`` of the host's recent utilisation (IQR).

    Quartiles stand at ranks ``round(0.25 (n+1))`` and ``round(0.75 (n+1))`` of the n samples,
    as in Beloglazov and Buyya (2012) and their program.
    """

    repeatable: ClassVar[bool] = True

    safety: float = parameter("Multiple of the interquartile range to keep free.", 1.5, gt=0)

    def spread(self, utilisation: Floats) -> Floats:
        """Return the interquartile range of each row."""
        count = utilisation.shape[1]
        low = int(0.25 * (count + 1) + 0.5) - 1
        high = int(0.75 * (count + 1) + 0.5) - 1
        ranked = np.partition(utilisation, (low, high), axis=1)
        return ranked[:, high] - ranked[:, low]


@dataclass(frozen=True)
class MedianAbsoluteDeviation(_Adaptive):
    """Overloaded above ``1 - s * MAD`` of the host's recent utilisation (MAD).

    MAD is the median absolute deviation from the median (Beloglazov and Buyya 2012).
    """

    repeatable: ClassVar[bool] = True

    safety: float = parameter("Multiple of the median absolute deviation to keep free.", 2.5, gt=0)

    def spread(self, utilisation: Floats) -> Floats:
        """Return the median absolute deviation of each row."""
        centre = np.median(utilisation, axis=1, keepdims=True)
        deviation: Floats = np.median(np.abs(utilisation - centre), axis=1)
        return deviation
