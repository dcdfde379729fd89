"""Worst fit: the host with the most room, which spreads the load."""

from typing import ClassVar

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ..placement.candidates import Candidates
from ..placement.capacity import Positions
from ..placement.capacity_index import WorstFitIndex
from ..placement.host_costs import Pricing, cpu_tie
from ..placement.placement import Placed, place_each


def cpu_taken(candidates: Candidates, vms: Ints, at: Positions) -> Floats:
    """Cost that prefers the host with the most CPU left, in MHz."""
    return candidates.need_mhz[vms][:, None] - candidates.free_mhz[at]


@dataclass(frozen=True)
class WorstFit:
    """Place each VM on the host that has the most CPU left (balances load)."""

    repeatable: ClassVar[bool] = True

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Place VMs in the order given."""
        return place_each(candidates, vms, Pricing(cpu_taken, tie=cpu_tie))

    def capacity_index(self, free_mhz: Floats, free_mib: Floats, tie_mhz: float) -> WorstFitIndex:
        """Return an index of hosts that places VMs one by one as :meth:`place` does."""
        return WorstFitIndex(free_mhz, free_mib, tie_mhz)
