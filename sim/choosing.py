"""Where VMs that arrive, or come back after a failure, find a host."""

from typing import Protocol

import numpy as np

from ..models.arrays import Bools, Floats, Ints
from ..models.columns import PowerState
from ..models.living import LivingFarm
from ..policies.consolidation import first_asleep_of_each_group
from ..policies.placement import Placed, Placement, Shelving
from ..policies.plan import Search
from ..policies.room import Room
from ..policies.shelves import Shelf
from ..policies.view import FarmView


class Chooser(Protocol):
    """Finds hosts for VMs one after another, as the farm is now."""

    def choose(self, vms: Ints) -> Placed:
        """Return a host per VM (−1: none has room), in the order given."""
        ...


class Needs:
    """What VMs count with and what hosts have left for them.

    ``by_size``: a VM counts with its size and a host with its CPU times ``overcommit``; otherwise
    with the physical CPU that its present demand takes.
    """

    def __init__(self, farm: LivingFarm, view: FarmView, by_size: bool, overcommit: float) -> None:
        self._farm, self._view = farm, view
        self.by_size = by_size
        self.capacity_mhz: Floats = farm.hosts.cpu_mhz - farm.delivery.base_mhz
        if by_size:
            self.capacity_mhz = self.capacity_mhz * overcommit

    def need_mhz(self, wanted_mhz: Floats) -> Floats:
        """Return what every VM of the farm would count with, given what it would ask for."""
        if self.by_size:
            return self._farm.vms.size_mhz
        return self._farm.delivery.physical_mhz(wanted_mhz)

    def load_mhz(self) -> Floats:
        """Return what counts on every host, VMs under way to it included."""
        if not self.by_size:
            return self._view.expected_mhz() - self._farm.delivery.base_mhz
        vms = self._farm.vms
        load_mhz = self._farm.hosts.committed_mhz
        moving = self._farm.moving
        if len(moving):
            load_mhz = load_mhz.copy()
            np.add.at(load_mhz, vms.moving_to[moving], vms.size_mhz[moving])
        return load_mhz


class RoomChooser:
    """Looks at every host that is awake, and at some of each kind that sleep."""

    def __init__(
        self, view: FarmView, needs: Needs, placement: Placement, wakes: bool, demand: "Demand"
    ) -> None:
        self._view, self._needs, self._placement = view, needs, placement
        self._wakes, self._demand = wakes, demand

    def choose(self, vms: Ints) -> Placed:
        """Return a host per VM (−1: none has room), in the order given."""
        view = self._view
        candidates: Bools = view.awake()
        if self._wakes:
            candidates = candidates.copy()
            candidates[first_asleep_of_each_group(view, len(vms))] = True
        hosts = np.flatnonzero(candidates)
        need_mhz = self._needs.need_mhz(self._demand.wanted_mhz())
        room = Room(view, hosts, need_mhz, self._needs.load_mhz(), self._needs.capacity_mhz)
        return self._placement.place(room, vms)


class OneEachChooser:
    """Gives each VM a host of its own: the lowest that is empty."""

    def __init__(self, farm: LivingFarm) -> None:
        self._farm = farm

    def choose(self, vms: Ints) -> Placed:
        """Return an empty host per VM, −1 for VMs beyond their number."""
        hosts = self._farm.hosts
        empty = np.flatnonzero((hosts.vm_count == 0) & (hosts.state == PowerState.ON))[: len(vms)]
        found = np.full(len(vms), -1, np.int64)
        found[: len(empty)] = empty
        return Placed(found, [Search(len(hosts))] * len(vms))


class ShelfChooser:
    """Keeps an index of free capacity; for VMs that count by size and that no rule concerns."""

    def __init__(
        self, farm: LivingFarm, needs: Needs, placement: Shelving, otherwise: Chooser
    ) -> None:
        self._farm, self._needs, self._otherwise = farm, needs, otherwise
        everywhere = np.arange(len(farm.hosts))
        self._shelf: Shelf = placement.shelf(*self._free(everywhere))
        farm.changed.clear()

    def choose(self, vms: Ints) -> Placed:
        """Return a host per VM (−1: none has room), in the order given."""
        farm, shelf = self._farm, self._shelf
        self._catch_up()
        need_mhz = farm.vms.size_mhz[vms].tolist()
        need_mib = farm.delivery.most_mib[vms].tolist()
        found = np.full(len(vms), -1, np.int64)
        free: dict[int, tuple[float, float]] = {}
        for index, (mhz, mib) in enumerate(zip(need_mhz, need_mib, strict=True)):
            host = shelf.find(mhz, mib)
            if host < 0:
                continue
            found[index] = host
            left_mhz, left_mib = free.get(host) or self._left(host)
            free[host] = left_mhz - mhz, left_mib - mib
            shelf.update(host, *free[host])
        farm.changed.update(free)
        searches = [Search(len(farm.hosts))] * len(vms)
        missing = np.flatnonzero(found < 0)
        if len(missing):
            # Who finds nothing on the shelf is looked for again, for a reason or a sleeping host.
            self._look_again(vms, found, missing, searches)
        return Placed(found, searches)

    def _look_again(self, vms: Ints, found: Ints, missing: Ints, searches: list[Search]) -> None:
        """Search for one VM of each size; the others of a size that fits nowhere fit nowhere."""
        sizes = self._farm.vms.size[vms[missing]]
        if len(missing) < len(vms):
            for index in missing.tolist():
                searches[index] = Search(len(self._farm.hosts), len(self._farm.hosts))
            return
        for size in np.unique(sizes).tolist():
            alike = missing[sizes == size]
            one = self._otherwise.choose(vms[alike[:1]])
            found[alike[0]] = one.hosts[0]
            for index in alike.tolist():
                searches[index] = one.searches[0]

    def _catch_up(self) -> None:
        farm = self._farm
        if not farm.changed:
            return
        hosts = np.fromiter(farm.changed, np.int64, len(farm.changed))
        farm.changed.clear()
        free_mhz, free_mib = self._free(hosts)
        update = self._shelf.update
        for host, mhz, mib in zip(
            hosts.tolist(), free_mhz.tolist(), free_mib.tolist(), strict=True
        ):
            update(host, mhz, mib)

    def _free(self, hosts: Ints) -> tuple[Floats, Floats]:
        farm = self._farm
        state = farm.hosts.state[hosts]
        awake = (state == PowerState.ON) | (state == PowerState.BOOTING)
        free_mhz = self._needs.capacity_mhz[hosts] - self._needs.load_mhz()[hosts]
        free_mib = farm.hosts.memory_mib[hosts] - farm.hosts.memory_used_mib[hosts]
        return np.where(awake, free_mhz, -1.0), np.where(awake, free_mib, -1.0)

    def _left(self, host: int) -> tuple[float, float]:
        free_mhz, free_mib = self._free(np.array([host]))
        return float(free_mhz[0]), float(free_mib[0])


class Demand(Protocol):
    """What VMs would ask for now."""

    def wanted_mhz(self) -> Floats:
        """Return the demand of every VM, present or not, in MHz."""
        ...
