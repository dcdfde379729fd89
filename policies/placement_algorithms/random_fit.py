"""Random fit: any host with room, all equally likely."""

from dataclasses import dataclass
from typing import ClassVar

from ...models.base.arrays import Floats, Ints
from ..placement.candidates import Places, Room
from ..placement.host_costs import Pricing
from ..placement.placement import Placed, place_each


def lottery(room: Room, vms: Ints, at: Places) -> Floats:
    """Cost that is drawn anew for each VM and host."""
    return room.view.draw("placement.random").random((len(vms), len(room.hosts)))[:, at]


@dataclass(frozen=True)
class RandomFit:
    """Put each VM on a host drawn at random from those that have room."""

    repeatable: ClassVar[bool] = False

    def place(self, room: Room, vms: Ints) -> Placed:
        """Give VMs room in the order given."""
        return place_each(room, vms, Pricing(lottery, lasting=False))
