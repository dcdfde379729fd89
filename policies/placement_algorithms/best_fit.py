"""Best fit: the host that the VM fills most; as VMs come or by size."""

from typing import ClassVar

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ..placement.candidates import Candidates
from ..placement.capacity import Positions
from ..placement.capacity_index import BestFitIndex
from ..placement.host_costs import Pricing, cpu_tie
from ..placement.placement import Placed, place_decreasing, place_each


def cpu_left(candidates: Candidates, vms: Ints, at: Positions) -> Floats:
    """Cost that prefers the host with the least CPU left, in MHz."""
    return candidates.free_mhz[at] - candidates.need_mhz[vms][:, None]


@dataclass(frozen=True)
class BestFit:
    """Place each VM on the host that has the least CPU left with the VM."""

    repeatable: ClassVar[bool] = True

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Place VMs in the order given."""
        return place_each(candidates, vms, Pricing(cpu_left, tie=cpu_tie))

    def capacity_index(self, free_mhz: Floats, free_mib: Floats, tie_mhz: float) -> BestFitIndex:
        """Return an index of hosts that places VMs one by one as :meth:`place` does."""
        return BestFitIndex(free_mhz, free_mib, tie_mhz)


@dataclass(frozen=True)
class BestFitDecreasing:
    """Best fit with the VMs in descending order of CPU need."""

    repeatable: ClassVar[bool] = True

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Place VMs, largest first."""
        return place_decreasing(candidates, vms, Pricing(cpu_left, tie=cpu_tie))
