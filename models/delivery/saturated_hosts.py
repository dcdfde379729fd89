"""What the VMs of saturated hosts get of what they ask for, and why they miss the rest.

A host is looked at VM by VM where it cannot give all that is asked, or where I/O ceilings,
crowding or neighbours may hold a VM back.
"""

import numpy as np

from ..base.arrays import Bools, Floats, Ints, single_ints, singles, sum_by
from ..base.lazy_dataclass import dataclass
from ..state.columns import Hosts, Vms
from .fair_share import fill
from .overhead_tables import Layer

VCPU_SHARES = 1000.0
"""Weight of a vCPU whose size names none."""

ROUNDING = 1e-12
"""A share of the wanted work below this is what rounding leaves, not a shortage."""


@dataclass
class HostSums:
    """Sums over the guests of some hosts, in MHz, shape (hosts,).

    ``others_mhz`` is what copies and the host's own applications ask for beside the guests,
    ``capacity_mhz`` what there is for all of these. Where ``saturated``, a look at single VMs
    corrects the other sums in place.
    """

    others_mhz: Floats
    capacity_mhz: Floats
    saturated: Bools
    load_mhz: Floats
    delivered_mhz: Floats
    unserved_mhz: Floats
    saturated_mhz: Floats


class SaturatedHosts:
    """Shares of the VMs of saturated hosts, and what each VM goes without, a row per VM.

    ``slowdown`` is the factor by which neighbours raise the physical CPU per unit of work;
    ``shortfall`` is the share of the wanted work that the host does not do, ``overhead`` the part
    of it that the VM's own vCPUs spend on crowding and neighbours instead; ``waiting`` the share
    of time that the vCPUs, on average, are ready and do not run. ``effort``, ``max_mhz`` and
    ``ceiling_mhz`` are columns of :class:`.cpu_delivery.Delivery`, which are only read here.
    """

    def __init__(
        self,
        hosts: Hosts,
        vms: Vms,
        layer: Layer,
        effort: Floats,
        max_mhz: Floats,
        ceiling_mhz: Floats,
    ) -> None:
        self._hosts, self._vms, self._layer = hosts, vms, layer
        self._effort, self._max_mhz = effort, max_mhz
        self.slowdown = np.ones(len(vms))
        self.shortfall = np.zeros(len(vms))
        self.overhead = np.zeros(len(vms))
        self.waiting = np.zeros(len(vms))
        self._demand_of, self._share_of = singles(vms.demand_mhz), singles(vms.guest_share)
        self._ceiling_of, self._effort_of = singles(ceiling_mhz), singles(effort)
        self._shortfall_of, self._waiting_of = singles(self.shortfall), singles(self.waiting)
        self._vcpus_of = single_ints(vms.vcpus)
        done = np.any(layer.operations > 0, axis=1)
        limited = done & np.any(np.isfinite(layer.ceilings), axis=1)
        self._kinds: list[int] = np.flatnonzero(limited).tolist()
        self.operations = [layer.operations[kind][vms.size] for kind in self._kinds]
        """Operations per MHz·s of work of each VM, for each kind of I/O that has a ceiling."""
        self.ceilings = [layer.ceilings[kind][hosts.group] for kind in self._kinds]
        """The most of them that each host can do per second."""
        self.adjusts = bool(self._kinds) or layer.interference is not None
        """Whether I/O ceilings or neighbours may slow a VM."""
        self.contended = bool(
            np.any(layer.contention_loss > 0)
            or np.any(layer.coscheduling_loss > 0)
            or np.any(np.isfinite(layer.physical_mib))
        )
        """Whether crowding of vCPUs or memory may slow a VM."""
        if layer.interference is not None:
            self._harmless_share = layer.interference.harmless_share

    def resize(self, vms: Ints) -> None:
        """Look up again what follows from the sizes of some VMs."""
        size = self._vms.size[vms]
        for kind, operations in zip(self._kinds, self.operations, strict=True):
            operations[vms] = self._layer.operations[kind][size]

    def forget(self, vms: Ints) -> None:
        """Forget what VMs that leave their hosts were not served there."""
        self.slowdown[vms] = 1.0
        self.shortfall[vms] = 0.0
        self.overhead[vms] = 0.0
        self.waiting[vms] = 0.0

    def find(
        self,
        rows: Ints | slice,
        guests: Ints | slice,
        at: Ints,
        work_mhz: Floats,
        physical_mhz: Floats,
        load_mhz: Floats,
    ) -> Bools:
        """Return on which hosts I/O, crowding or neighbours call for a look at single VMs.

        ``guests`` are the VMs of the hosts ``rows``, ``at`` the positions of their hosts in it
        (beyond the last: none); one ``work_mhz`` and ``physical_mhz`` per guest, one ``load_mhz``
        per host.
        """
        count = len(load_mhz)
        limited = np.zeros(count, bool)
        for operations, ceiling in zip(self.operations, self.ceilings, strict=True):
            rate = sum_by(at, weights=work_mhz * operations[guests], minlength=count)[:count]
            limited |= rate > ceiling[rows]
        if self.contended:
            # Crowding may raise a VM's load beyond what its vCPUs or its limit let it take.
            beyond = physical_mhz > self._max_mhz[guests] * (1.0 + ROUNDING)
            if beyond.any():
                limited |= (
                    sum_by(at, weights=beyond.astype(np.float64), minlength=count)[:count] > 0
                )
        if self._layer.interference is not None:
            limited |= load_mhz > self._harmless_share * self._hosts.cpu_mhz[rows]
        return limited

    def allocate(self, rows: Ints, vms: Ints, at: Ints, wanted_mhz: Floats, sums: HostSums) -> None:
        """Work out VM by VM what saturated hosts give, and correct the sums in place.

        ``at`` is the position of each VM's host in ``rows``, ``wanted_mhz`` the work that each VM
        asks for. In turn: I/O ceilings slow all who
        do that kind of I/O alike, neighbours slow each other, a vCPU cannot exceed its core, and
        what is then asked of the CPU beyond its capacity is shared by weights (max-min fair
        within reservations and limits) or in proportion. What the second and the third of these
        take is overhead on the VM's own vCPUs, the rest is the host's saturation.
        """
        count = len(rows)
        work_mhz = self._within_io_ceilings(rows, vms, at, wanted_mhz)
        effort = self._effort_beside_neighbours(rows, vms, at, work_mhz)
        own_loss_mhz: Floats | float = 0.0
        if self.adjusts or self.contended:
            able_mhz = np.minimum(work_mhz, self._max_mhz[vms] / effort)
            own_loss_mhz, work_mhz = work_mhz - able_mhz, able_mhz
        physical_mhz = work_mhz * effort
        guests_mhz = sum_by(at, weights=physical_mhz, minlength=count)
        served_mhz = self._shared(rows, vms, at, physical_mhz, guests_mhz, sums)
        own_mhz = self._vms.vcpus[vms] * self._hosts.core_mhz[rows][at]
        self.waiting[vms] = (physical_mhz - served_mhz) / own_mhz
        missed_mhz, host_loss_mhz = self._note_missed(
            vms, sums.saturated[at], wanted_mhz, served_mhz / effort, own_loss_mhz
        )
        saturated = sums.saturated
        sums.unserved_mhz += sum_by(at, weights=missed_mhz, minlength=count)
        sums.saturated_mhz += sum_by(at, weights=host_loss_mhz, minlength=count)
        sums.load_mhz[saturated] = guests_mhz[saturated]
        delivered_mhz = np.minimum(guests_mhz + sums.others_mhz, sums.capacity_mhz)
        sums.delivered_mhz[saturated] = delivered_mhz[saturated]

    def share_out_one(
        self, host: int, guests: list[int], share: float, saturated: bool
    ) -> tuple[float, float]:
        """Note what each guest of one host goes without; return the sum, and the host's part.

        Each guest gets ``share`` of what it asks for. Does as :meth:`allocate` where CPU is shared
        in proportion, and neither I/O ceilings nor crowding nor neighbours count.
        """
        core_mhz = self._hosts.core_mhz.item(host)
        missed_mhz = host_loss_mhz = 0.0
        for vm in guests:
            wanted_mhz = self._demand_of[vm]
            wanted_mhz = min(wanted_mhz, self._ceiling_of[vm])
            wanted_mhz *= self._share_of[vm]
            effort = self._effort_of[vm]
            physical_mhz = wanted_mhz * effort
            served_mhz = physical_mhz * share
            self._waiting_of[vm] = (physical_mhz - served_mhz) / (self._vcpus_of[vm] * core_mhz)
            shortfall = 0.0
            if saturated and wanted_mhz > 0:
                shortfall = (wanted_mhz - served_mhz / effort) / wanted_mhz
                shortfall = min(shortfall, 1.0) if shortfall > ROUNDING else 0.0
            self._shortfall_of[vm] = shortfall
            missed_of_one_mhz = wanted_mhz * shortfall
            missed_mhz += missed_of_one_mhz
            if missed_of_one_mhz > ROUNDING * wanted_mhz:
                host_loss_mhz += missed_of_one_mhz
        return missed_mhz, host_loss_mhz

    def _within_io_ceilings(self, rows: Ints, vms: Ints, at: Ints, work_mhz: Floats) -> Floats:
        """Return the work of VMs slowed down so that no host does more I/O than it can."""
        for operations, ceiling in zip(self.operations, self.ceilings, strict=True):
            rate = work_mhz * operations[vms]
            total = sum_by(at, weights=rate, minlength=len(rows))
            scale = np.minimum(1.0, ceiling[rows] / np.maximum(total, 1e-300))
            work_mhz = np.where(operations[vms] > 0, work_mhz * scale[at], work_mhz)
        return work_mhz

    def _effort_beside_neighbours(
        self, rows: Ints, vms: Ints, at: Ints, work_mhz: Floats
    ) -> Floats:
        """Return the physical CPU per unit of work of VMs that slow each other."""
        effort: Floats = self._effort[vms]
        if self._layer.interference is None:
            return effort
        running = work_mhz * effort / self._hosts.cpu_mhz[rows][at]
        self.slowdown[vms] = self._layer.interference.slowdown(
            self._vms.size[vms], at, running, len(rows)
        )
        return effort * self.slowdown[vms]

    def _note_missed(
        self,
        vms: Ints,
        saturated: Bools,
        wanted_mhz: Floats,
        done_mhz: Floats,
        own_loss_mhz: Floats | float,
    ) -> tuple[Floats, Floats]:
        """Note what VMs go without; return it in MHz, and the part of it that is their host's.

        Where their host is not ``saturated`` they miss nothing. ``own_loss_mhz`` is what their
        own vCPUs could not do, whatever the host has left.
        """
        shortfall = np.zeros(len(vms))
        np.divide(wanted_mhz - done_mhz, wanted_mhz, out=shortfall, where=wanted_mhz > 0)
        real = saturated & (shortfall > ROUNDING)
        self.shortfall[vms] = np.where(real, np.minimum(shortfall, 1.0), 0.0)
        missed_mhz = wanted_mhz * self.shortfall[vms]
        host_loss_mhz = missed_mhz - own_loss_mhz
        host_loss_mhz = np.where(host_loss_mhz > ROUNDING * wanted_mhz, host_loss_mhz, 0.0)
        if self.adjusts or self.contended:
            overhead = np.zeros(len(vms))
            np.divide(missed_mhz - host_loss_mhz, wanted_mhz, out=overhead, where=wanted_mhz > 0)
            self.overhead[vms] = overhead
        return missed_mhz, host_loss_mhz

    def _shared(
        self,
        rows: Ints,
        vms: Ints,
        at: Ints,
        physical_mhz: Floats,
        guests_mhz: Floats,
        sums: HostSums,
    ) -> Floats:
        """Return what each VM gets of the physical CPU that it asks of its host.

        Host applications and arriving copies are one more consumer per host, with the weight of
        as many ordinary vCPUs as they keep busy.
        """
        others_mhz, capacity_mhz = sums.others_mhz, sums.capacity_mhz
        asked_mhz = guests_mhz + others_mhz
        over = asked_mhz > capacity_mhz
        if not self._layer.fair:
            share = np.ones(len(rows))
            np.divide(capacity_mhz, asked_mhz, out=share, where=over)
            return physical_mhz * share[at]
        layer, size = self._layer, self._vms.size[vms]
        cores = layer.cores[self._hosts.group[rows]]
        busy = np.ceil(others_mhz / self._hosts.core_mhz[rows])
        got_mhz = fill(
            capacity_mhz,
            np.concatenate([at, np.arange(len(rows))]),
            np.concatenate([physical_mhz, others_mhz]),
            np.concatenate([layer.shares[size], VCPU_SHARES * np.clip(busy, 1.0, cores)]),
            np.concatenate([layer.reservation_mhz[size], np.zeros(len(rows))]),
            np.concatenate([layer.limit_mhz[size], np.full(len(rows), np.inf)]),
        )
        return np.where(over[at], got_mhz[: len(vms)], physical_mhz)
