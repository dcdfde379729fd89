"""First fit decreasing."""

from dataclasses import dataclass

from ...models.base.arrays import Ints
from ..placement.candidates import Candidates
from ..placement.host_costs import Pricing
from ..placement.placement import Placed, place_decreasing
from .first_fit import row_order


@dataclass(frozen=True)
class FirstFitDecreasing:
    """First fit, the VMs with the largest CPU need first.

    In one dimension never more than 11/9 of the fewest hosts plus 6/9 (Dósa 2007).
    """

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Give VMs room, the largest first."""
        return place_decreasing(candidates, vms, Pricing(row_order))
