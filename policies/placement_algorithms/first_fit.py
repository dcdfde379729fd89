"""First fit: the first host, in farm order, with capacity; VMs as they come or by size."""

from typing import ClassVar

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ..placement.candidates import Candidates
from ..placement.capacity import Positions
from ..placement.capacity_index import FirstFitIndex
from ..placement.host_costs import Pricing
from ..placement.placement import Placed, place_decreasing, place_each


def row_order(candidates: Candidates, vms: Ints, at: Positions) -> Floats:
    """Cost that prefers the lower row."""
    return np.tile(np.arange(len(candidates.hosts), dtype=np.float64)[at], (len(vms), 1))


@dataclass(frozen=True)
class FirstFit:
    """Place each VM on the first host, in the order of the farm, that has capacity for it."""

    repeatable: ClassVar[bool] = True

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Place VMs in the order given."""
        return place_each(candidates, vms, Pricing(row_order))

    def capacity_index(self, free_mhz: Floats, free_mib: Floats, tie_mhz: float) -> FirstFitIndex:
        """Return an index of hosts that places VMs one by one as :meth:`place` does."""
        return FirstFitIndex(free_mhz, free_mib, tie_mhz)


@dataclass(frozen=True)
class FirstFitDecreasing:
    """First fit with the VMs in descending order of CPU need.

    In one dimension at most 11/9 of the minimum number of hosts plus 6/9 (Dósa 2007).
    """

    repeatable: ClassVar[bool] = True

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Place VMs, largest first."""
        return place_decreasing(candidates, vms, Pricing(row_order))
