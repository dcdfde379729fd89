"""Worst fit: the host with the most room, which spreads the load."""

from dataclasses import dataclass

from ...models.base.arrays import Floats, Ints
from ..placement.candidates import Places, Room
from ..placement.capacity_index import WorstFitShelf
from ..placement.host_costs import Pricing, cpu_tie
from ..placement.placement import Placed, place_each


def cpu_taken(room: Room, vms: Ints, at: Places) -> Floats:
    """Cost that prefers the host with the most CPU left, in MHz."""
    return room.need_mhz[vms][:, None] - room.free_mhz[at]


@dataclass(frozen=True)
class WorstFit:
    """Put each VM on the host that has the most CPU left: balances load."""

    def place(self, room: Room, vms: Ints) -> Placed:
        """Give VMs room in the order given."""
        return place_each(room, vms, Pricing(cpu_taken, tie=cpu_tie))

    def shelf(self, free_mhz: Floats, free_mib: Floats, tie_mhz: float) -> WorstFitShelf:
        """Return an index of hosts that places VMs one by one as :meth:`place` does."""
        return WorstFitShelf(free_mhz, free_mib, tie_mhz)
