"""Choice of hosts for VMs that arrive or restart."""

from typing import Protocol

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, singles
from ...models.base.ties import tie_of
from ...models.farm.farm import Farm
from ...models.rules.occupancy import Occupancy
from ...models.state.columns import PowerState
from ...policies.control.consolidation import first_sleeping_of_each_group
from ...policies.interface.plan import Search
from ...policies.interface.planned_view import Resized, resized_view
from ...policies.interface.view import FarmView
from ...policies.placement.candidates import Candidates
from ...policies.placement.capacity_index import CapacityIndex
from ...policies.placement.placement import IndexedPlacement, Placed, Placement
from .unmet_needs import Need, UnmetNeeds

FEW_CHANGED = 8
"""Changed hosts that are looked at one by one."""

FEW = 10
"""How many times the VMs to be placed a farm must have for them to count as few."""


class HostFinder(Protocol):
    """Finds hosts for VMs one after another in the current farm."""

    def choose(self, vms: Ints) -> Placed:
        """Return a host per VM (−1: none has capacity), in the order given.

        ``vms``, (n,), are rows; the hosts found are rows of the farm. Nothing is reserved: the
        caller places the VMs before it asks again.
        """
        ...

    def in_vain(self, vms: list[int]) -> list[Search]:
        """Return the searches for VMs if it is known that none finds a host; empty if not."""
        ...


class Needs:
    """Needs of VMs, and free capacity of hosts.

    ``by_size``: a VM counts with its size and a host with its CPU times ``overcommit``; otherwise
    with the physical CPU that its present demand takes.

    ``capacity_mhz``, (hosts,), is CPU up to the ceiling less what the hypervisor takes, in MHz.
    Memory is no part of it; candidates count configured memory with the overhead of each host.
    """

    def __init__(self, farm: Farm, view: FarmView, by_size: bool, overcommit: float) -> None:
        self._farm, self._view = farm, view
        self._by_size = by_size
        self.capacity_mhz: Floats = farm.hosts.plan_mhz - farm.delivery.base_mhz
        if by_size:
            self.capacity_mhz = self.capacity_mhz * overcommit

    def need_mhz(self, wanted_mhz: Floats) -> Floats:
        """Return the CPU that each VM of the farm counts with, for a given demand.

        ``wanted_mhz`` and the result are (vms,), in MHz. Treat the result as read-only.
        """
        if self._by_size:
            return self._farm.vms.size_mhz
        return self._farm.delivery.physical_mhz(wanted_mhz)

    def has_place(self, vm: int, to: Resized, wanted_mhz: Floats, wakes: bool) -> bool:
        """Whether a VM that runs would find a host, its own included, with another size."""
        view = self._view
        ahead = resized_view(view, vm, to)
        before_mhz = self.need_mhz(wanted_mhz)
        load_mhz = self.load_mhz().copy()
        load_mhz[view.vms.host[vm]] -= before_mhz[vm]
        need_mhz = ahead.vms.size_mhz if self._by_size else before_mhz
        hosts = hosts_to_try(ahead, 1, wakes)
        candidates = Candidates(ahead, hosts, need_mhz, load_mhz, self.capacity_mhz, few=True)
        return candidates.has_place(vm)

    def keeps_rules(self, vm: int, size: int) -> bool:
        """Whether hard rules allow a running VM to have another size on its host."""
        rules, vms = self._view.rules, self._view.vms
        if rules is None:
            return True
        sizes = vms.size.copy()
        sizes[vm] = size
        barred = Occupancy(rules, vms.host, vms.moving_to, sizes).barred(vm, vms.host[[vm]])
        return barred is None or not barred[0]

    def load_mhz(self) -> Floats:
        """Return the load that counts on every host, including incoming VMs.

        The result is (hosts,), in MHz, and may be a column of the farm: do not write to it.
        """
        if not self._by_size:
            return self._view.expected_mhz() - self._farm.delivery.base_mhz
        vms = self._farm.vms
        load_mhz = self._farm.hosts.committed_mhz
        moving = self._farm.migrating
        if len(moving):
            load_mhz = load_mhz.copy()
            np.add.at(load_mhz, vms.moving_to[moving], vms.size_mhz[moving])
        return load_mhz


def hosts_to_try(view: FarmView, count: int, wakes: bool) -> Ints:
    """Return candidate hosts for a number of VMs: hosts on, and some sleeping ones of each kind.

    Rows ascend. Of sleeping hosts ``count`` per group are enough, since they are alike.
    """
    there: Bools = view.awake().copy()
    if wakes:
        there[first_sleeping_of_each_group(view, count)] = True
    return np.flatnonzero(there)


class CurrentDemand(Protocol):
    """Current demand of VMs."""

    @property
    def now_mhz(self) -> Floats:
        """Demand of every VM, present or not, in MHz."""
        ...


class CpuNeeds(Protocol):
    """What VMs count with and what hosts have, CPU in MHz; one entry per VM or host."""

    @property
    def capacity_mhz(self) -> Floats:
        """What each host may promise."""
        ...

    def need_mhz(self, wanted_mhz: Floats) -> Floats:
        """Return what every VM would count with, given what it would ask for."""
        ...

    def load_mhz(self) -> Floats:
        """Return what counts on every host now."""
        ...


class CandidateSearch:
    """Considers every host that is on, and some sleeping hosts of each kind.

    ``wakes``: hosts that sleep may be named; who takes VMs there wakes them. Rules, reserve and
    whatever else the view knows bar hosts as they do for policies.
    """

    def __init__(
        self,
        view: FarmView,
        needs: CpuNeeds,
        placement: Placement,
        wakes: bool,
        demand: CurrentDemand,
    ) -> None:
        self._view, self._needs, self._placement = view, needs, placement
        self._wakes, self._demand = wakes, demand

    def choose(self, vms: Ints) -> Placed:
        """Return a host per VM (−1: none has capacity), in the order given."""
        view = self._view
        hosts = hosts_to_try(view, len(vms), self._wakes)
        need_mhz = self._needs.need_mhz(self._demand.now_mhz)
        load_mhz, capacity_mhz = self._needs.load_mhz(), self._needs.capacity_mhz
        few = FEW * len(vms) < len(need_mhz)
        candidates = Candidates(view, hosts, need_mhz, load_mhz, capacity_mhz, few=few)
        return self._placement.place(candidates, vms)

    def in_vain(self, vms: list[int]) -> list[Search]:
        """Return nothing: VMs are searched for."""
        del vms
        return []


class EmptyHostFinder:
    """Gives each VM its own host: the lowest empty one."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    def choose(self, vms: Ints) -> Placed:
        """Return an empty host per VM, −1 for VMs beyond their number."""
        hosts = self._farm.hosts
        empty = np.flatnonzero((hosts.vm_count == 0) & (hosts.state == PowerState.ON))[: len(vms)]
        found = np.full(len(vms), -1, np.int64)
        found[: len(empty)] = empty
        return Placed(found, [Search(len(hosts))] * len(vms))

    def in_vain(self, vms: list[int]) -> list[Search]:
        """Return nothing: VMs are searched for."""
        del vms
        return []


class IndexedHostFinder:
    """Uses an index of free capacity, for VMs counted by size and without rules.

    It follows the farm by the hosts that have changed since it was asked last, so that a search
    costs in proportion to these and not to all hosts. Hosts that sleep are left to ``otherwise``.

    It names the hosts that the full search of the placement would name.
    """

    def __init__(
        self,
        farm: Farm,
        needs: Needs,
        placement: IndexedPlacement,
        otherwise: HostFinder,
        wakes: bool,
    ) -> None:
        self._farm, self._needs = farm, needs
        self._otherwise, self._wakes = otherwise, wakes
        self._plan_mib = farm.hosts.plan_mib
        free_mhz, free_mib = self._free(np.arange(len(farm.hosts)))
        tie_mhz = tie_of(needs.capacity_mhz)
        self._index: CapacityIndex = placement.capacity_index(free_mhz, free_mib, tie_mhz)
        self._unmet = UnmetNeeds(free_mhz, free_mib, tie_mhz)
        self._free_mhz, self._free_mib = singles(free_mhz), singles(free_mib)
        farm.changed.clear()

    def choose(self, vms: Ints) -> Placed:
        """Return a host per VM (−1: none has capacity), in the order given.

        Each VM is entered in the index as it finds a host, so that the next one sees what is left.
        The caller is expected to place them all.
        """
        farm = self._farm
        needs = list(
            zip(farm.vms.size_mhz[vms].tolist(), farm.delivery.max_mib[vms].tolist(), strict=True)
        )
        found = self._find(needs)
        hosts = np.array(found, np.int64)
        searches = [Search(len(farm.hosts))] * len(vms)
        if -1 in found:
            if hosts.max() < 0 and self._may_wake():
                return self._otherwise.choose(vms)
            for index, host in enumerate(found):
                if host < 0:
                    searches[index] = self._unmet.search(needs[index])
        return Placed(hosts, searches)

    def in_vain(self, vms: list[int]) -> list[Search]:
        """Return the searches for VMs if it is known that none finds a host; empty if not."""
        self._catch_up()
        size_mhz, max_mib = self._farm.vms.size_mhz.item, self._farm.delivery.max_mib.item
        needs = [(size_mhz(vm), max_mib(vm)) for vm in vms]
        if not all(map(self._unmet.is_known, needs)) or self._may_wake():
            return []
        return list(map(self._unmet.search, needs))

    def _find(self, needs: list[Need]) -> list[int]:
        """Return hosts for needs in turn, each entered in the index; −1: none."""
        farm, capacity_index, unmet = self._farm, self._index, self._unmet
        self._catch_up()
        free_mhz, free_mib = self._free_mhz, self._free_mib
        found = []
        for need in needs:
            host = -1 if unmet.counts and unmet.is_known(need) else capacity_index.find(*need)
            if host >= 0:
                self._update(host, free_mhz[host] - need[0], free_mib[host] - need[1])
                farm.changed.add(host)
            found.append(host)
        return found

    def _may_wake(self) -> bool:
        """Whether there are hosts at rest that may be woken."""
        return self._wakes and bool(np.any(self._farm.hosts.state == PowerState.OFF))

    def _catch_up(self) -> None:
        """Update the capacity index for all hosts changed since the last query."""
        farm = self._farm
        if not farm.changed:
            return
        if len(farm.changed) <= FEW_CHANGED:
            load_mhz = self._needs.load_mhz()
            changed = [(host, *self._free_of(host, load_mhz)) for host in farm.changed]
        else:
            hosts = np.fromiter(farm.changed, np.int64, len(farm.changed))
            free_mhz, free_mib = self._free(hosts)
            columns = hosts.tolist(), free_mhz.tolist(), free_mib.tolist()
            changed = list(zip(*columns, strict=True))
        farm.changed.clear()
        for host, mhz, mib in changed:
            if mhz != self._free_mhz[host] or mib != self._free_mib[host]:
                self._update(host, mhz, mib)

    def _update(self, host: int, free_mhz: float, free_mib: float) -> None:
        if self._unmet.counts:
            self._unmet.change(host, free_mhz, free_mib)
        self._free_mhz[host], self._free_mib[host] = free_mhz, free_mib
        self._index.update(host, free_mhz, free_mib)

    def _free_of(self, host: int, load_mhz: Floats) -> tuple[float, float]:
        """Return what :meth:`_free` does for one host."""
        hosts = self._farm.hosts
        state = hosts.state.item(host)
        awake = state in (PowerState.ON, PowerState.BOOTING)
        if not (awake and hosts.reachable.item(host) and hosts.in_service.item(host)):
            return -1.0, -1.0
        return (
            self._needs.capacity_mhz.item(host) - load_mhz.item(host),
            self._plan_mib.item(host) - hosts.memory_used_mib.item(host),
        )

    def _free(self, hosts: Ints) -> tuple[Floats, Floats]:
        farm = self._farm
        state = farm.hosts.state[hosts]
        awake = (state == PowerState.ON) | (state == PowerState.BOOTING)
        awake &= farm.hosts.reachable[hosts] & farm.hosts.in_service[hosts]
        free_mhz = self._needs.capacity_mhz[hosts] - self._needs.load_mhz()[hosts]
        free_mib = self._plan_mib[hosts] - farm.hosts.memory_used_mib[hosts]
        return np.where(awake, free_mhz, -1.0), np.where(awake, free_mib, -1.0)
