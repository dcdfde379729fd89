"""Static threshold."""

from typing import ClassVar

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from .detector import HistoryOf, OverloadDetectorFields, newest_only, weigh


@dataclass(frozen=True)
class StaticThreshold(OverloadDetectorFields):
    """Overloaded when present demand exceeds a fixed share of the host's CPU (THR)."""

    repeatable: ClassVar[bool] = True

    threshold: float = parameter(
        "Share of CPU above which a host is overloaded.", 0.8, dimension="share", gt=0, le=1
    )

    samples = 1
    fewest = 1
    history: HistoryOf = "vms"

    def linear(self, depth: int) -> tuple[Floats, float]:
        """Return weights that look at present demand, and the threshold."""
        return newest_only(depth), self.threshold

    def judge(self, history_mhz: Floats, capacity_mhz: Floats) -> tuple[Floats, Floats]:
        """Return demand over capacity, and the threshold."""
        return weigh(history_mhz, capacity_mhz, *self.linear(history_mhz.shape[1]))
