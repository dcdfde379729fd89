"""Scaling to a utilisation: as many members as carry the load at it."""

from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from .scaling import ROUNDING, ApplicationView, Wanted, enough


@dataclass(frozen=True)
class TargetUtilisation:
    """Keep the utilisation of the members at a target.

    ``ceil(load / (target * capacity))`` members; no change while the ratio of utilisation to target
    is within the tolerance of 1. This is the rule, and the default tolerance, of the Kubernetes
    Horizontal Pod Autoscaler.
    """

    target: float = parameter("Utilisation of the members.", 0.6, dimension="share", gt=0, le=1)
    tolerance: float = parameter(
        "Tolerated deviation of the ratio of utilisation to target from 1.",
        0.1,
        dimension="share",
        ge=0,
        lt=1,
    )

    def decide(self, view: ApplicationView) -> Wanted:
        """Return the members that bring utilisation to the target."""
        measured = view.utilisation
        members = view.members
        if abs(measured / self.target - 1.0) > self.tolerance + ROUNDING:
            members = enough(view.load_now_mhz, self.target, view.capacity_mhz)
        return Wanted(members, "target utilisation", measured, self.target)
