"""Random fit: any host with room, all equally likely."""

from typing import ClassVar

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ..placement.candidates import Candidates
from ..placement.capacity import Positions
from ..placement.host_costs import Pricing
from ..placement.placement import Placed, place_each


def lottery(candidates: Candidates, vms: Ints, at: Positions) -> Floats:
    """Cost that is drawn anew for each VM and host."""
    return candidates.view.draw("placement.random").random((len(vms), len(candidates.hosts)))[:, at]


@dataclass(frozen=True)
class RandomFit:
    """Place each VM on a random host that has capacity."""

    repeatable: ClassVar[bool] = False

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Place VMs in the order given."""
        return place_each(candidates, vms, Pricing(lottery, lasting=False))
