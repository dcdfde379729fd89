"""CPU delivery: from demand to physical load to delivered work.

Demand is in MHz of guest work, what one MHz of bare metal does in a second. A VM's physical
load is ``work * effort``: the layer's work factor on its present host, times what memory
beyond the host's own and switching between vCPUs add there. A host's applications and the
copies that arrive ask for CPU beside the guests. Hosts that can give all that is asked are
done with sums; only the VMs of the others are looked at one by one.
"""

import math

import numpy as np

from ..base.arrays import Bools, Floats, Ints, single_ints, singles, sum_by
from ..base.lazy_dataclass import dataclass
from ..state.columns import Hosts, Vms
from .overhead_tables import Layer
from .saturated_hosts import HostSums, SaturatedHosts


@dataclass
class Allocation:
    """Physical demand, delivered CPU, and guest work not done, in MHz.

    ``saturated_mhz`` is the part of the work not done that the host itself had no CPU or no I/O
    left for; ``idle`` tells where guests and copies ask for nothing.
    """

    demand_mhz: Floats
    delivered_mhz: Floats
    unserved_mhz: Floats
    saturated_mhz: Floats
    idle: Bools


Given = tuple[float, float, bool]
"""Demand and delivered CPU of a host in MHz, and whether it is idle."""


class Delivery:
    """Virtualisation state per VM: work factor, I/O limit, and unserved demand.

    ``effort`` is physical CPU per unit of work without neighbours, ``slowdown`` the factor by
    which neighbours raise it; ``max_mhz`` is what a VM can use of its host's CPU at the most;
    ``shortfall`` is the share of the wanted work of a VM that its host does not do, ``overhead``
    the part of it that its own vCPUs spend on crowding and neighbours instead; ``waiting``
    the share of time that its vCPUs, on average, are ready and do not run; ``costop`` the share
    that they wait for one another, per MHz of work.
    """

    def __init__(self, hosts: Hosts, vms: Vms, layer: Layer | None) -> None:
        self.layer = layer or Layer.none(len(vms.size_names), len(hosts.group_names))
        self._hosts, self._vms = hosts, vms
        self.effort = np.ones(len(vms))
        self.ceiling_mhz = np.full(len(vms), np.inf)
        self.max_mhz = np.full(len(vms), np.inf)
        self._by_vm = SaturatedHosts(
            hosts, vms, self.layer, self.effort, self.max_mhz, self.ceiling_mhz
        )
        self.slowdown, self.waiting = self._by_vm.slowdown, self._by_vm.waiting
        self.shortfall, self.overhead = self._by_vm.shortfall, self._by_vm.overhead
        self.contended, self.adjusts = self._by_vm.contended, self._by_vm.adjusts
        self.costop_per_mhz = np.zeros(len(vms))
        self.saturated = np.zeros(len(hosts), bool)
        self._guests_mhz = np.zeros(len(hosts))
        self._demand_of, self._share_of = singles(vms.demand_mhz), singles(vms.guest_share)
        self._ceiling_of, self._effort_of = singles(self.ceiling_mhz), singles(self.effort)
        self._guests_of, self._saturated_at = (
            singles(self._guests_mhz),
            single_ints(self.saturated),
        )
        self.capped = 0
        self.slowed = False
        """Whether a VM may be moving or slowed down, so that guest shares have to be looked at."""
        group = hosts.group
        self.base_mhz = self.layer.base_mhz[group]
        self._app_mhz = self.layer.app_mhz[group]
        self._cpu_of, self._base_of = singles(hosts.cpu_mhz), singles(self.base_mhz)
        self._app_of = singles(self._app_mhz)
        self._plain = bool(np.all(self.layer.work_factor == 1.0)) and not self.contended
        factor = np.where(self.layer.allowed, self.layer.work_factor, 1.0)
        self._dearest_of_size = factor.max(axis=1, initial=1.0)
        self._dearest = self._dearest_of_size[vms.size]
        extra_mib = np.where(self.layer.allowed, self.layer.extra_mib, 0.0).max(axis=1, initial=0.0)
        self._max_extra_mib = extra_mib
        self.max_mib: Floats = vms.memory_mib + extra_mib[vms.size]
        """The most memory that each VM takes on any group of hosts that it may be on."""

    def resize(self, vms: Ints) -> None:
        """Look up again what follows from the sizes of some VMs."""
        size = self._vms.size[vms]
        self._dearest[vms] = self._dearest_of_size[size]
        self.max_mib[vms] = self._vms.memory_mib[vms] + self._max_extra_mib[size]
        self._by_vm.resize(vms)

    def physical_mhz(self, work_mhz: Floats) -> Floats:
        """Return the physical CPU for the work of all VMs on their current hosts.

        A VM without a host counts with the dearest group that it may be on.
        """
        if self._plain:
            return work_mhz
        return work_mhz * np.where(self._vms.host >= 0, self.effort, self._dearest)

    def attach(self, vms: Ints, hosts: Ints) -> None:
        """Note what work costs VMs on the hosts that they come to."""
        size, group = self._vms.size[vms], self._hosts.group[hosts]
        effort = self.layer.work_factor[size, group]
        max_mhz = self._vms.vcpus[vms] * self._hosts.core_mhz[hosts]
        ceiling_mhz = np.minimum(max_mhz, self.layer.limit_mhz[size]) / effort
        capped = ceiling_mhz < self._vms.size_mhz[vms]
        self.effort[vms] = effort
        self.max_mhz[vms] = np.minimum(max_mhz, self.layer.limit_mhz[size])
        self.ceiling_mhz[vms] = np.where(capped, ceiling_mhz, np.inf)
        self.capped += int(np.count_nonzero(capped))

    def detach(self, vms: Ints) -> None:
        """Forget what work costs VMs that leave."""
        self.capped -= int(np.count_nonzero(np.isfinite(self.ceiling_mhz[vms])))
        self.ceiling_mhz[vms] = np.inf
        self._by_vm.forget(vms)
        self.costop_per_mhz[vms] = 0.0

    def footprint_mib(self, vms: Ints, hosts: Ints) -> Floats:
        """Return the memory of VMs on hosts, including hypervisor overhead."""
        extra_mib: Floats = self.layer.extra_mib[self._vms.size[vms], self._hosts.group[hosts]]
        return self._vms.memory_mib[vms] + extra_mib

    def footprint_of_one(self, vm: int, host: int) -> float:
        """Return what :meth:`footprint_mib` does for one VM on one host."""
        at = self._vms.size.item(vm), self._hosts.group.item(host)
        return float(self._vms.memory_mib.item(vm) + self.layer.extra_mib.item(*at))

    def wanted_mhz(self, vms: Ints) -> Floats:
        """Return the guest work that present hosts can see: a vCPU uses at most one core."""
        wanted_mhz: Floats = np.minimum(self._vms.demand_mhz[vms], self.ceiling_mhz[vms])
        return wanted_mhz

    def asked_mhz(self, vms: Ints) -> Floats:
        """Return the guest work that VMs request from their hosts: ``wanted * guest_share``.

        A guest that is stopped to migrate asks for nothing, one that a copy slows down for what it
        keeps; what the copy itself takes is requested by the copy.
        """
        wanted_mhz = self.wanted_mhz(vms)
        return wanted_mhz * self._vms.guest_share[vms] if self.slowed else wanted_mhz

    def set_contention(self, rows: Ints, guests: Ints, at: Ints, memory_mib: Floats) -> None:
        """Recompute the effort of all guests of some hosts for how crowded these are.

        ``effort = factor * (1 + (s - 1) swapped / used) * (1 + (c + k (v - 1)) crowd)``: with
        more memory promised than there is, sharing and ballooning give some back and guests are
        swapped for the rest, ``s`` times slower from swap. Where it is known what a guest consumes,
        that counts instead of what it was promised, and nothing of it is given back. With more
        vCPUs than cores, ``crowd = max(0, 1 - cores / vcpus)``, switching takes ``c`` and the vCPUs
        of a VM with ``v`` of them wait for one another, ``k`` each.
        """
        layer, group = self.layer, self._hosts.group[rows]
        vcpus = self._vms.vcpus[guests].astype(np.float64)
        used_mib, promised_mib = self._used_mib(guests, at, memory_mib)
        over_mib = used_mib - layer.physical_mib[group]
        swapped_mib = np.maximum(over_mib - layer.memory_reclaim[group] * promised_mib, 0.0)
        used_mib = np.maximum(used_mib, 1.0)
        swap = 1.0 + (layer.swap_slowdown[group] - 1.0) * swapped_mib / used_mib
        wanted = sum_by(at, weights=vcpus, minlength=len(rows))
        crowd = np.maximum(1.0 - layer.cores[group] / np.maximum(wanted, 1.0), 0.0)[at]
        each = group[at]
        waits = layer.coscheduling_loss[each] * (vcpus - 1) * crowd
        factor = layer.work_factor[self._vms.size[guests], each] * swap[at]
        self.effort[guests] = factor * (1.0 + layer.contention_loss[each] * crowd + waits)
        own_mhz = vcpus * self._hosts.core_mhz[rows][at]
        self.costop_per_mhz[guests] = factor * waits / own_mhz

    def _used_mib(self, guests: Ints, at: Ints, memory_mib: Floats) -> tuple[Floats, Floats]:
        """Return the memory that hosts need, and the part of it of which only promises are known.

        ``memory_mib`` is what is promised on each host; both results are (hosts,).
        """
        if self._vms.unused_mib is None:
            return memory_mib, memory_mib
        unused_mib = self._vms.unused_mib[guests]
        known, count = ~np.isnan(unused_mib), len(memory_mib)
        saved_mib = sum_by(at[known], weights=unused_mib[known], minlength=count)
        own_mib = self._vms.memory_mib[guests[known]]
        return memory_mib - saved_mib, memory_mib - sum_by(
            at[known], weights=own_mib, minlength=count
        )

    def allocate(
        self, rows: Ints | slice, guests: Ints | slice, at: Ints, on: Bools, copies_mhz: Floats
    ) -> Allocation:
        """Return what some hosts give.

        ``guests`` are the VMs on the hosts ``rows``, ``at`` the position of each guest's host in
        ``rows``; positions beyond the last stand for no host. ``on`` says which hosts serve,
        ``copies_mhz`` what copies ask of each.
        """
        count = len(copies_mhz)
        work_mhz, physical_mhz, load_mhz, unserved_mhz = self._loads(guests, at, count)
        others_mhz = copies_mhz + self._app_mhz[rows] * on
        capacity_mhz = self._hosts.cpu_mhz[rows] - self.base_mhz[rows]
        saturated = load_mhz + others_mhz > capacity_mhz
        if self.has_overheads:
            saturated |= self._by_vm.find(rows, guests, at, work_mhz, physical_mhz, load_mhz)
        saturated &= on
        delivered_mhz = np.minimum(load_mhz + others_mhz, capacity_mhz)
        saturated_mhz = np.zeros(count)
        if saturated.any() or self.saturated[rows].any():
            chosen = np.flatnonzero(np.append(saturated | self.saturated[rows], False)[at])
            vms = chosen if isinstance(guests, slice) else guests[chosen]
            sums = HostSums(
                others_mhz,
                capacity_mhz,
                saturated,
                load_mhz,
                delivered_mhz,
                unserved_mhz,
                saturated_mhz,
            )
            every = np.arange(len(self._hosts))[rows]
            self._by_vm.allocate(every, vms, at[chosen], self.asked_mhz(vms), sums)
            self.saturated[rows] = saturated
        self._guests_mhz[rows] = load_mhz
        base_mhz = self.base_mhz[rows] * on
        return Allocation(
            demand_mhz=load_mhz + others_mhz + base_mhz,
            delivered_mhz=delivered_mhz * on + base_mhz,
            unserved_mhz=unserved_mhz,
            saturated_mhz=saturated_mhz,
            idle=load_mhz + copies_mhz <= 0,
        )

    def others_mhz(self, on: Bools) -> Floats:
        """Return what all hosts are asked for beside their guests and copies, by who is on."""
        return self._app_mhz * on

    def share_out(self, hosts: Ints, vms: Ints, sums: HostSums) -> None:
        """Correct the sums of hosts that are saturated, or were until now, VM by VM.

        ``hosts`` are ascending, ``vms`` all of their guests in the order in which these are added
        up.
        """
        at = np.searchsorted(hosts, self._vms.host[vms])
        self._by_vm.allocate(hosts, vms, at, self.asked_mhz(vms), sums)
        self.saturated[hosts] = sums.saturated

    def set_load(self, load_mhz: Floats) -> None:
        """Set what the guests of all hosts ask for, without looking at them."""
        self._guests_mhz[:] = load_mhz

    def _loads(
        self, guests: Ints | slice, at: Ints, count: int
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Return what guests ask of their hosts, in MHz.

        These are the work and the physical load of each guest, then the physical load of each of
        ``count`` hosts and the work beyond what the vCPUs of its guests could do.
        """
        demand_mhz = self._vms.demand_mhz[guests]

        def summed(values: Floats) -> Floats:
            return sum_by(at, weights=values, minlength=count)[:count]

        asked_mhz = summed(demand_mhz)
        work_mhz, wanted_mhz = demand_mhz, asked_mhz
        if self.capped:
            work_mhz = np.minimum(demand_mhz, self.ceiling_mhz[guests])
            wanted_mhz = summed(work_mhz)
        unserved_mhz = asked_mhz - wanted_mhz
        if self.slowed:
            work_mhz = work_mhz * self._vms.guest_share[guests]
            wanted_mhz = summed(work_mhz)
        physical_mhz, load_mhz = work_mhz, wanted_mhz
        if not self._plain:
            physical_mhz = work_mhz * self.effort[guests]
            load_mhz = summed(physical_mhz)
        return work_mhz, physical_mhz, load_mhz, unserved_mhz

    @property
    def has_overheads(self) -> bool:
        """Whether crowding or neighbours may keep a VM's vCPUs from what it wants."""
        return self.adjusts or self.contended

    @property
    def plain(self) -> bool:
        """Whether a VM's physical load is its work on every host."""
        return self._plain

    @property
    def adds_up(self) -> bool:
        """Whether a host's load is the sum of its guests' demand.

        So it is without overheads, ceilings of I/O and neighbours that count.
        """
        return self._plain and not self.adjusts

    @property
    def recounts(self) -> bool:
        """Whether what a host is requested is the sum of what each of its guests asks for.

        So it is unless I/O ceilings, neighbours that count or crowding look at all of them.
        """
        return not self.has_overheads

    def move_one(self, vm: int, target: int) -> None:
        """Do as :meth:`detach` and :meth:`attach` for one VM; where all :attr:`recounts`."""
        self.detach_one(vm)
        self.attach_one(vm, target)

    def attach_one(self, vm: int, host: int) -> None:
        """Do as :meth:`attach` for one VM."""
        size = self._vms.size.item(vm)
        effort = self.layer.work_factor.item(size, self._hosts.group.item(host))
        max_mhz = self._vms.vcpus.item(vm) * self._hosts.core_mhz.item(host)
        max_mhz = min(max_mhz, self.layer.limit_mhz.item(size))
        ceiling_mhz = max_mhz / effort
        self.effort[vm], self.max_mhz[vm] = effort, max_mhz
        if ceiling_mhz < self._vms.size_mhz.item(vm):
            self.ceiling_mhz[vm] = ceiling_mhz
            self.capped += 1

    def detach_one(self, vm: int) -> None:
        """Do as :meth:`detach` for one VM; where all :attr:`recounts`."""
        if math.isfinite(self.ceiling_mhz.item(vm)):
            self.ceiling_mhz[vm] = math.inf
            self.capped -= 1
        self.shortfall[vm] = self.overhead[vm] = self.waiting[vm] = 0.0

    def recount_one(self, host: int, guests: list[int]) -> float:
        """Add up what the guests of one host, ascending, ask of it; where all :attr:`recounts`.

        Returns what they want beyond what their vCPUs can get there, in MHz.
        """
        asked_mhz = wanted_mhz = load_mhz = 0.0
        for vm in guests:
            work_mhz = self._demand_of[vm]
            asked_mhz += work_mhz
            work_mhz = min(work_mhz, self._ceiling_of[vm])
            wanted_mhz += work_mhz
            load_mhz += work_mhz * self._share_of[vm] * self._effort_of[vm]
        self._guests_of[host] = load_mhz if self.slowed or not self._plain else wanted_mhz
        return asked_mhz - wanted_mhz

    def excess_of(self, vms: Ints) -> tuple[Floats, Floats]:
        """Return the demand of VMs beyond what their vCPUs can get on their hosts, in MHz.

        Second is the part of it that they could not have without any overhead either: beyond
        their vCPUs on the host's cores, or beyond their limit.
        """
        demand_mhz = self._vms.demand_mhz[vms]
        excess_mhz = demand_mhz - self.wanted_mhz(vms)
        limit_mhz = np.maximum(demand_mhz - self.max_mhz[vms], 0.0)
        return excess_mhz, np.minimum(limit_mhz, excess_mhz)

    def excess_mhz(self, vm: int) -> float:
        """Return the demand of a VM beyond what its vCPUs can get on its host."""
        return max(self._demand_of[vm] - self._ceiling_of[vm], 0.0)

    def allocate_one(self, host: int, copies_mhz: float) -> Given | None:
        """Return what :meth:`allocate` does for one host that is on and whose guests are as before.

        These are demand and delivered CPU in MHz, and whether the host is idle. None where a look
        at the VMs one by one is needed, since the host cannot give, or could not, all that is
        asked.
        """
        return self.give_one(host, self._guests_of[host], copies_mhz)

    def give_one(self, host: int, guests_mhz: float, copies_mhz: float) -> Given | None:
        """Do as :meth:`allocate_one` where the guests of the host ask for ``guests_mhz`` now."""
        self._guests_of[host], base_mhz = guests_mhz, self._base_of[host]
        asked_mhz = guests_mhz + (copies_mhz + self._app_of[host])
        if self._saturated_at[host] or asked_mhz > self._cpu_of[host] - base_mhz:
            return None
        given_mhz = asked_mhz + base_mhz
        return given_mhz, given_mhz, guests_mhz + copies_mhz <= 0

    def allocate_plain_one(
        self, host: int, guests: list[int], copies_mhz: float
    ) -> tuple[tuple[float, float, bool], float, float]:
        """Do as :meth:`allocate` for one host that is on, and look at its guests one by one.

        ``guests`` are ascending. Only where all :attr:`recounts` and hosts share in proportion.
        Returns what :meth:`allocate_one` does, and the work not done, of all and due to the host.
        """
        unserved_mhz = self.recount_one(host, guests)
        load_mhz, base_mhz = self._guests_of[host], self._base_of[host]
        others_mhz, capacity_mhz = copies_mhz + self._app_of[host], self._cpu_of[host] - base_mhz
        asked_mhz = load_mhz + others_mhz
        saturated = asked_mhz > capacity_mhz
        delivered_mhz = min(asked_mhz, capacity_mhz)
        saturated_mhz = 0.0
        if saturated or self._saturated_at[host]:
            share = capacity_mhz / asked_mhz if saturated else 1.0
            missed_mhz, saturated_mhz = self._by_vm.share_out_one(host, guests, share, saturated)
            unserved_mhz += missed_mhz
            self._saturated_at[host] = saturated
        load = asked_mhz + base_mhz, delivered_mhz + base_mhz, load_mhz + copies_mhz <= 0
        return load, unserved_mhz, saturated_mhz
