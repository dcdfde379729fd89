"""Best fit: the host that the VM fills most."""

from dataclasses import dataclass

from ...models.base.arrays import Floats, Ints
from ..placement.candidates import Places, Room
from ..placement.capacity_index import BestFitShelf
from ..placement.host_costs import Pricing, cpu_tie
from ..placement.placement import Placed, place_each


def cpu_left(room: Room, vms: Ints, at: Places) -> Floats:
    """Cost that prefers the host with the least CPU left, in MHz."""
    return room.free_mhz[at] - room.need_mhz[vms][:, None]


@dataclass(frozen=True)
class BestFit:
    """Put each VM on the host that has the least CPU left once the VM is there."""

    def place(self, room: Room, vms: Ints) -> Placed:
        """Give VMs room in the order given."""
        return place_each(room, vms, Pricing(cpu_left, tie=cpu_tie))

    def shelf(self, free_mhz: Floats, free_mib: Floats, tie_mhz: float) -> BestFitShelf:
        """Return an index of hosts that places VMs one by one as :meth:`place` does."""
        return BestFitShelf(free_mhz, free_mib, tie_mhz)
