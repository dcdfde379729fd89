"""Best fit decreasing."""

from dataclasses import dataclass

from ...models.base.arrays import Ints
from ..placement.candidates import Candidates
from ..placement.host_costs import Pricing, cpu_tie
from ..placement.placement import Placed, place_decreasing
from .best_fit import cpu_left


@dataclass(frozen=True)
class BestFitDecreasing:
    """Best fit, the VMs with the largest CPU need first."""

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Give VMs room, the largest first."""
        return place_decreasing(candidates, vms, Pricing(cpu_left, tie=cpu_tie))
