"""The farm: the only mutable state of a run, changed through a few verbs.

Every verb first settles the integrals of the hosts that it touches, then changes, then
recomputes what it touched (see :mod:`.accounts`). A verb that would break an invariant raises
:class:`FarmError` and changes nothing: a VM is on at most one host, memory is never beyond
what a host has (a migration reserves it at both ends), VMs live only on hosts that are on.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..accounts.accounts import FULL, RATES, HostAccounts, Rate, VmAccounts
from ..accounts.time_on_hosts import Presence
from ..base.arrays import Bools, Floats, Ints, States, distinct, sum_by
from ..delivery.cpu_delivery import Delivery
from ..delivery.overhead_tables import Layer
from ..state.columns import VM_STATES, Hosts, PowerState, Vms, VmState
from ..state.migration_load import MigrationLoad
from ..state.residents import Residents
from .fast_path import SERVING, FastPath

MEMORY_TOLERANCE_MIB = 1e-6


class FarmError(Exception):
    """A verb was asked for something that can never be right."""


@dataclass(frozen=True)
class ViolationRule:
    """What counts as service-level violation time of a host.

    Always: time at a utilisation of 100 % (Beloglazov and Buyya 2012). With ``incoming_counts``
    also the time during which a VM is being copied to the host, as in their experiments in
    CloudSim.
    """

    incoming_counts: bool = False


class Ledger(Protocol):
    """Accounts for what VMs do, settled before their hosts change."""

    def settle(self, hosts: Ints, now_s: float) -> None:
        """Account for the VMs of some hosts, ascending, which are about to change."""
        ...

    def settle_all(self, now_s: float) -> None:
        """Account for all VMs, those on storage included."""
        ...

    def enter(self, vms: Ints, now_s: float) -> None:
        """Note that VMs are about to come to a host, from nowhere or from storage."""
        ...


class PlacementObserver(Protocol):
    """Told of VMs whose place changes."""

    def moving(self, vms: Ints, now_s: float) -> None:
        """Note that VMs are about to have another host, or another target of a migration."""
        ...


class Farm:
    """Hosts and VMs in columns, their accounts, and the verbs.

    ``ledgers`` are settled whenever the integrals of a host are; ``own_ledgers``, which know since
    when each VM is to be accounted for, only before a host changes. ``placement_observer`` is told
    before VMs change place. ``held`` counts the VMs on hosts, ``starting`` those of them that do no
    work yet, ``max_running`` is the most that ever ran at once.

    ``changed`` collects the hosts whose room may have changed since somebody cleared it.
    """

    def __init__(
        self,
        hosts: Hosts,
        vms: Vms,
        violation: ViolationRule | None = None,
        layer: Layer | None = None,
    ) -> None:
        self.hosts = hosts
        self.vms = vms
        self.changed: set[int] = set()
        self.violation = violation or ViolationRule()
        self.ledgers: list[Ledger] = []
        self.own_ledgers: list[Ledger] = []
        self.placement_observer: PlacementObserver | None = None
        self.held = self.starting = self.max_running = 0
        self.accounts = HostAccounts(len(hosts))
        self.vm_accounts = VmAccounts(len(vms))
        self.presence = Presence(len(vms))
        self.residents = Residents(len(hosts), len(vms))
        self.delivery = Delivery(hosts, vms, layer)
        self.migration_load = MigrationLoad(len(hosts), vms)
        self._migrating: Ints = np.empty(0, np.int64)
        self._slowed: Ints = np.empty(0, np.int64)
        self._fetching: Ints = np.empty(0, np.int64)
        self._marked = np.zeros(len(hosts), bool)
        self._home = np.full(len(vms), len(hosts), np.int64)
        self._rows: Ints | slice = slice(None)
        self._inactive = np.arange(len(vms))
        self._population_changed = False
        self._demand_since_s = 0.0
        self._uncharged = np.zeros(len(hosts), bool)
        self.fast_path = FastPath(self)
        self._refresh_all()

    # Verbs on VMs

    def place(self, vms: Ints, hosts: Ints, now_s: float) -> None:
        """Put waiting VMs on hosts that are on.

        Raises FarmError if a VM is not waiting, a host is not on, or memory runs out.
        """
        self._require_vms(vms, VmState.WAITING, "place")
        self._require_hosts(hosts, (PowerState.ON,), "place")
        self._require_memory(vms, hosts, "place")
        touched = self._settle(hosts, now_s)
        self._attach(vms, hosts, now_s)
        self.presence.begin(vms, now_s)
        self.vms.state[vms] = VmState.RUNNING
        self._population_changed = True
        self._note_running()
        self._refresh(touched)

    def remove(self, vms: Ints, now_s: float) -> None:
        """Take running VMs, none of them migrating, off their hosts for good.

        Raises FarmError if a VM is not running.
        """
        self._require_vms(vms, VmState.RUNNING, "remove")
        touched = self._settle(self._ends(vms), now_s)
        elapsed_s = now_s - self._demand_since_s
        self.vm_accounts.requested_mhz_s[vms] += self.vms.demand_mhz[vms] * elapsed_s
        self._detach(vms, now_s)
        self.presence.end(vms, now_s)
        self.vms.demand_mhz[vms] = 0.0
        self.vms.state[vms] = VmState.FINISHED
        self._population_changed = True
        self._refresh(touched)

    def suspend(self, vms: Ints, now_s: float) -> None:
        """Take running VMs off their hosts with their memory kept elsewhere.

        What they ask for until they are resumed counts as lost to migration. Raises FarmError if
        a VM is not running.
        """
        self._require_vms(vms, VmState.RUNNING, "suspend")
        touched = self._settle(self._ends(vms), now_s)
        self._detach(vms, now_s)
        self.presence.end(vms, now_s)
        self.vms.state[vms] = VmState.SUSPENDED
        self._slowed = np.sort(np.concatenate([self._slowed, vms]))
        self._set_guest_share(vms, 0.0, now_s)
        self._population_changed = True
        self._refresh(touched)

    def resume(self, vms: Ints, hosts: Ints, now_s: float) -> None:
        """Let suspended VMs run on hosts that are on, from here on.

        Raises FarmError if a VM is not suspended, a host is not on, or memory runs out.
        """
        self._require_vms(vms, VmState.SUSPENDED, "resume")
        self._require_hosts(hosts, (PowerState.ON,), "resume")
        self._require_memory(vms, hosts, "resume")
        touched = self._settle(hosts, now_s)
        self._charge_copies(vms, now_s)
        self._slowed = self._slowed[~np.isin(self._slowed, vms)]
        self._set_guest_share(vms, 1.0, now_s)
        self._attach(vms, hosts, now_s)
        self.presence.begin(vms, now_s)
        self._settle_excess(vms, self._demand_since_s - now_s)
        self.vms.state[vms] = VmState.RUNNING
        self._population_changed = True
        self._note_running()
        self._refresh(touched)

    def reject(self, vms: Ints) -> None:
        """Mark waiting VMs as never placed. Raises FarmError if one is not waiting."""
        self._require_vms(vms, VmState.WAITING, "reject")
        self.vms.state[vms] = VmState.REJECTED

    def set_demand(self, demand_mhz: Floats, now_s: float) -> None:
        """Replace the demand of every VM, in MHz.

        VMs that neither run nor are suspended ask for nothing.
        """
        self.settle_all(now_s)
        if self._population_changed:
            self._count_population()
            self._population_changed = False
        self.vms.demand_mhz[self._rows] = demand_mhz[self._rows]
        if len(self._inactive):
            self.vms.demand_mhz[self._inactive] = 0.0
        self._refresh_all()

    # Verbs on migrations

    def begin_migration(
        self,
        vms: Ints,
        targets: Ints,
        now_s: float,
        guest_share: Floats | float = 1.0,
        source_share: Floats | float = 0.0,
        target_share: Floats | float = 0.0,
    ) -> None:
        """Reserve memory at the targets; the guests go on running at their sources.

        ``guest_share`` is the part of its CPU that a guest keeps, ``source_share`` and
        ``target_share`` the parts of its demand that the copy asks of source and target beside
        their guests, all in [0, 1]. Raises FarmError if a VM is not running or already moves, is
        to move to its own host, or a target is off or short of memory.
        """
        self._require_vms(vms, VmState.RUNNING, "begin_migration")
        if np.any(self.vms.host[vms] == targets):
            raise FarmError("begin_migration: a VM is to move to its own host")
        self._require_hosts(targets, (PowerState.ON, PowerState.BOOTING), "begin_migration")
        self._require_memory(vms, targets, "begin_migration")
        touched = self._settle(np.concatenate([self.vms.host[vms], targets]), now_s)
        self._move(vms, now_s)
        self.vms.moving_to[vms] = targets
        self.vms.state[vms] = VmState.MIGRATING
        self._migrating = np.sort(np.concatenate([self._migrating, vms]))
        self._set_guest_share(vms, guest_share, now_s)
        self.migration_load.begin(vms, self.vms.host[vms], targets, source_share, target_share)
        self._refresh(touched)

    def set_migration_load(
        self,
        vms: Ints,
        guest_share: Floats | float,
        source_share: Floats | float,
        target_share: Floats | float,
        now_s: float,
    ) -> None:
        """Set what migrating guests keep of their CPU and their copies ask of both ends.

        All shares in [0, 1]. Raises FarmError if a VM is not migrating.
        """
        self._require_vms(vms, VmState.MIGRATING, "set_migration_load")
        ends = np.concatenate([self.vms.host[vms], self.vms.moving_to[vms]])
        touched = self._settle(ends, now_s)
        self._charge_copies(vms, now_s)
        self._set_guest_share(vms, guest_share, now_s)
        self.migration_load.end(vms)
        sources, targets = self.vms.host[vms], self.vms.moving_to[vms]
        self.migration_load.begin(vms, sources, targets, source_share, target_share)
        self._refresh(touched)

    def commit_migration(self, vms: Ints, now_s: float, pages_away: bool = False) -> None:
        """End migrations: the guests now run at their targets, the sources are free of them.

        With ``pages_away`` the sources keep their memory until :meth:`end_fetching`. Raises
        FarmError if a VM is not migrating or its target is not on.
        """
        targets = self.vms.moving_to[vms]
        self._require_vms(vms, VmState.MIGRATING, "commit_migration")
        self._require_hosts(targets, SERVING, "commit_migration")
        touched = self._end_migration(vms, now_s)
        sources = self.vms.host[vms]
        self._detach(vms, now_s)
        if pages_away:
            self.vms.pages_at[vms] = sources
            self._fetching = np.sort(np.concatenate([self._fetching, vms]))
        self._attach(vms, targets, now_s)
        self._settle_excess(vms, self._demand_since_s - now_s)
        self.vm_accounts.migrations[vms] += 1
        self._refresh(touched)

    def end_fetching(self, vms: Ints, now_s: float) -> None:
        """Give back the memory of guests that have fetched all of their pages."""
        vms = vms[self.vms.pages_at[vms] >= 0]
        if len(vms):
            touched = self._settle(self.vms.pages_at[vms], now_s)
            self._forget_pages(vms)
            self._refresh(touched)

    def abort_migration(self, vms: Ints, now_s: float) -> None:
        """End migrations without effect: the guests stay, the reservations are given back.

        Raises FarmError if a VM is not migrating.
        """
        self._require_vms(vms, VmState.MIGRATING, "abort_migration")
        self._refresh(self._end_migration(vms, now_s))

    def degrade(
        self,
        vms: Ints,
        sources: Ints,
        guest_share: float,
        source_share: float,
        target_share: float,
        now_s: float,
    ) -> None:
        """Set what running guests keep of their CPU while they boot or pages are elsewhere.

        ``sources`` are the hosts that they came from; ``source_share`` and ``target_share`` are
        what fetching pages asks of these and of the hosts that they are on, as parts of their
        demand. All shares are in [0, 1]; 1, 0 and 0 end it. Raises FarmError if a VM is not
        running.
        """
        self._require_vms(vms, VmState.RUNNING, "degrade")
        touched = self._settle(np.concatenate([self.vms.host[vms], sources]), now_s)
        self._restore(vms, now_s)
        if guest_share < 1.0:
            self._slowed = np.sort(np.concatenate([self._slowed, vms]))
        self._set_guest_share(vms, guest_share, now_s)
        self.migration_load.begin(vms, sources, self.vms.host[vms], source_share, target_share)
        self._refresh(touched)

    def busy_s(self, vm: int, now_s: float) -> float:
        """Return for how long a VM has worked so far, in seconds of all its vCPUs.

        Read off the integrals and rates as they stand; nothing is settled.
        """
        accounts, delivery, vms = self.vm_accounts, self.delivery, self.vms
        wanted_mhz = min(vms.demand_mhz.item(vm), delivery.ceiling_mhz.item(vm))
        since_s = self.accounts.since_s.item(vms.host.item(vm))
        short_s = delivery.shortfall.item(vm) * (now_s - since_s)
        missed_s = accounts.missed_since_mark_s(vm) + short_s
        lost_mhz_s, guest_share = 0.0, vms.guest_share.item(vm)
        if guest_share < 1.0:
            lost_mhz_s = (1.0 - guest_share) * wanted_mhz * accounts.since_copy_s(vm, now_s)
        asked_mhz_s = accounts.requested_mhz_s.item(vm)
        asked_mhz_s += wanted_mhz * (now_s - self._demand_since_s)
        missed_mhz_s = accounts.unserved_mhz_s.item(vm) + accounts.degraded_mhz_s.item(vm)
        missed_mhz_s += guest_share * wanted_mhz * missed_s + lost_mhz_s
        return float((asked_mhz_s - missed_mhz_s) / vms.size_mhz.item(vm))

    # Verbs on hosts and time

    def start(self, on: Bools, sleep_state: States | None = None) -> None:
        """Set which hosts are on when time begins; no switching is counted.

        ``sleep_state`` is the state of rest of the others, one per host; absent: off. Raises
        FarmError if a host with VMs would be off.
        """
        if np.any(self.hosts.vm_count[~on]):
            raise FarmError("start: a host with VMs cannot be off")
        self.hosts.state[:] = np.where(on, PowerState.ON, PowerState.OFF)
        if sleep_state is not None:
            self.hosts.sleep_state[:] = np.where(on, 0, sleep_state)
        self.changed.update(range(len(on)))
        self._refresh_all()

    def set_power_state(
        self, hosts: Ints, state: int, now_s: float, sleep_state: States | None = None
    ) -> None:
        """Change the power state of hosts, each named once, and where given their state of rest.

        Only hosts without running VMs are ever booted or switched off, so their rates follow
        from the state alone. Raises FarmError if a host that has or expects VMs, or keeps pages
        of some, would be switched off.
        """
        leaving = state in (PowerState.OFF, PowerState.STOPPING)
        taken = self.hosts.vm_count[hosts] + self.hosts.incoming[hosts] + self.hosts.sending[hosts]
        if leaving and np.any(taken):
            raise FarmError("set_power_state: a host with VMs cannot be switched off")
        self.changed.update(hosts.tolist())
        before = self.hosts.state[hosts]
        serving = (before == PowerState.ON) | (before == PowerState.DRAINING)
        if leaving:
            self.accounts.stops[hosts[serving]] += 1
        else:
            self.accounts.boots[hosts[before == PowerState.OFF]] += 1
        if state in SERVING and serving.all():
            self.hosts.state[hosts] = state
            return
        self._settle_hosts(np.sort(hosts), now_s)
        self.hosts.state[hosts] = state
        if state in SERVING:
            self.hosts.booted_s[hosts[~serving]] = now_s
        if sleep_state is not None:
            self.hosts.sleep_state[hosts] = sleep_state
        elif state in SERVING:
            self.hosts.sleep_state[hosts] = 0
        nobody = np.empty(0, np.int64)
        self._set_rates(hosts, nobody, nobody)

    def settle_all(self, now_s: float) -> None:
        """Bring every integral up to ``now_s``."""
        for ledger in self.own_ledgers:
            ledger.settle_all(now_s)
        self.read(now_s)

    def read(self, now_s: float) -> None:
        """Bring the integrals of hosts and VMs up to ``now_s``, where nothing changes.

        Ledgers with times of their own go on as if nobody had looked.
        """
        if now_s == self._demand_since_s:
            return
        self._accrue(np.flatnonzero(self.delivery.saturated), now_s)
        if self.delivery.contended:
            self._accrue_costop(np.flatnonzero(self.vms.host >= 0), now_s)
        for ledger in self.ledgers:
            ledger.settle_all(now_s)
        self.accounts.settle_all(now_s)
        elapsed_s = now_s - self._demand_since_s
        if elapsed_s > 0:
            rows = self._rows
            self.vm_accounts.requested_mhz_s[rows] += self.vms.demand_mhz[rows] * elapsed_s
        if len(self._migrating):
            self._charge_copies(self._migrating, now_s)
        if len(self._slowed):
            self._charge_copies(self._slowed, now_s)
        if self.delivery.capped:
            self._settle_excess(np.flatnonzero(np.isfinite(self.delivery.ceiling_mhz)), elapsed_s)
        short = np.flatnonzero(self._uncharged)
        if len(short):
            self._charge(self.residents.of(short))
            self._uncharged[short] = False
        self._demand_since_s = now_s

    @property
    def listed(self) -> Ints | slice:
        """VMs that have been there, or on storage, at any time since the demand was set last."""
        return self._rows

    # What the verbs are made of

    def _count_population(self) -> None:
        """Note which VM rows ask for nothing, being neither on a host nor suspended."""
        absent = self._home == len(self.hosts)
        self._inactive = np.flatnonzero(absent & (self.vms.state != VmState.SUSPENDED))

    def _attach(self, vms: Ints, hosts: Ints, now_s: float) -> None:
        for ledger in (*self.ledgers, *self.own_ledgers):
            ledger.enter(vms, now_s)
        self._move(vms, now_s)
        self.held += len(vms)
        self.residents.add(vms, hosts)
        self.vms.host[vms] = hosts
        self._home[vms] = hosts
        self.delivery.attach(vms, hosts)
        self.vm_accounts.mark(vms)

    def _detach(self, vms: Ints, now_s: float) -> None:
        self._charge(vms)
        self._restore(vms, now_s)
        self._forget_pages(vms)
        self._settle_excess(vms, now_s - self._demand_since_s)
        self._move(vms, now_s)
        self.held -= len(vms)
        self.residents.remove(vms, self.vms.host[vms])
        self.vms.host[vms] = -1
        self._home[vms] = len(self.hosts)
        self.delivery.detach(vms)

    def _forget_pages(self, vms: Ints) -> None:
        if len(self._fetching):
            self.vms.pages_at[vms] = -1
            self._fetching = self._fetching[self.vms.pages_at[self._fetching] >= 0]

    def _note_running(self) -> None:
        self.max_running = max(self.max_running, self.held - self.starting)

    def _move(self, vms: Ints, now_s: float) -> None:
        """Say that VMs are about to change place."""
        if self.placement_observer is not None and len(vms):
            self.placement_observer.moving(vms, now_s)

    def _ends(self, vms: Ints) -> Ints:
        """Return the hosts of running VMs, and those that keep or send pages of them."""
        sources, keepers = self.migration_load.source[vms], self.vms.pages_at[vms]
        return np.concatenate([self.vms.host[vms], sources[sources >= 0], keepers[keepers >= 0]])

    def _restore(self, vms: Ints, now_s: float) -> None:
        """Let running guests that were degraded run undisturbed, if there are any."""
        self.migration_load.end(vms)
        if len(self._slowed):
            slowed = vms[np.isin(vms, self._slowed)]
            self._charge_copies(slowed, now_s)
            self._set_guest_share(slowed, 1.0, now_s)
            self._slowed = self._slowed[~np.isin(self._slowed, vms)]
            self._note_slowed()

    def _set_guest_share(self, vms: Ints, guest_share: Floats | float, now_s: float) -> None:
        """Set what guests keep of their CPU, having charged what they missed until now."""
        self._charge(vms)
        self.vms.guest_share[vms] = guest_share
        self.vm_accounts.mark_copy(vms, now_s)
        self._note_slowed()

    def _note_slowed(self) -> None:
        self.delivery.slowed = bool(len(self._migrating) or len(self._slowed))

    def _end_migration(self, vms: Ints, now_s: float) -> Ints:
        targets = self.vms.moving_to[vms]
        touched = self._settle(np.concatenate([self.vms.host[vms], targets]), now_s)
        self._charge_copies(vms, now_s)
        self.migration_load.end(vms)
        self._move(vms, now_s)
        self.vms.moving_to[vms] = -1
        self._set_guest_share(vms, 1.0, now_s)
        self.vms.state[vms] = VmState.RUNNING
        self._migrating = self._migrating[self.vms.state[self._migrating] == VmState.MIGRATING]
        self._note_slowed()
        return touched

    def _settle(self, hosts: Ints, now_s: float) -> Ints:
        touched = distinct(hosts)
        self._accrue(touched[self.delivery.saturated[touched]], now_s)
        if self.delivery.contended:
            self._accrue_costop(self.residents.recall(touched), now_s)
        self._settle_hosts(touched, now_s)
        return touched

    def _settle_hosts(self, hosts: Ints, now_s: float) -> None:
        """Bring the integrals of hosts, ascending, and of what lives on them up to now."""
        for ledger in self.own_ledgers:
            ledger.settle(hosts, now_s)
        if self.ledgers:
            late = self.accounts.since_s[hosts] < now_s
            behind = hosts if late.all() else hosts[late]
            for ledger in self.ledgers if len(behind) else ():
                ledger.settle(behind, now_s)
        self.accounts.settle(hosts, now_s)

    def _accrue_costop(self, vms: Ints, now_s: float) -> None:
        """Integrate for how long the vCPUs of VMs on crowded hosts waited for one another."""
        per_mhz = self.delivery.costop_per_mhz[vms]
        if not per_mhz.any():
            return
        elapsed_s = now_s - self.accounts.since_s[self.vms.host[vms]]
        waited = self.delivery.asked_mhz(vms) * per_mhz
        self.vm_accounts.costop_s[vms] += waited * elapsed_s

    def _accrue(self, saturated: Ints, now_s: float) -> None:
        """Integrate what the VMs of hosts that cannot give all that is asked go without."""
        if not len(saturated):
            return
        vms = self.residents.of(saturated)
        elapsed_s = now_s - self.accounts.since_s[self.vms.host[vms]]
        delivery = self.delivery
        overhead = delivery.overhead[vms] if delivery.has_overheads else None
        self.vm_accounts.accrue(
            vms, delivery.shortfall[vms], delivery.waiting[vms], elapsed_s, overhead
        )
        self._uncharged[saturated] = True

    def _charge(self, vms: Ints) -> None:
        delivery = self.delivery
        self.vm_accounts.charge(vms, delivery.asked_mhz(vms), delivery.has_overheads)

    def _charge_copies(self, vms: Ints, now_s: float) -> None:
        """Charge migrating guests ``(1 - guest share)`` of what they want as lost to the move."""
        lost_mhz = (1.0 - self.vms.guest_share[vms]) * self.delivery.wanted_mhz(vms)
        self.vm_accounts.charge_copy(vms, lost_mhz, now_s)

    def _settle_excess(self, vms: Ints, elapsed_s: float) -> None:
        """Charge demand beyond what the vCPUs can get on the present host's cores."""
        if not self.delivery.capped:
            return
        excess_mhz, limit_mhz = self.delivery.excess_of(vms)
        self.vm_accounts.charge_excess(vms, excess_mhz * elapsed_s, limit_mhz * elapsed_s)

    def _require_vms(self, vms: Ints, state: int, verb: str) -> None:
        wrong = vms[self.vms.state[vms] != state]
        if len(wrong):
            name = self.vms.names[int(wrong[0])]
            raise FarmError(f"{verb}: VM {name} is not {VM_STATES[state]}")

    def _require_hosts(self, hosts: Ints, states: tuple[int, ...], verb: str) -> None:
        held = self.hosts.state[hosts]
        fine = held == states[0]
        for state in states[1:]:
            fine |= held == state
        wrong = hosts[~fine]
        if len(wrong):
            raise FarmError(f"{verb}: host {self.hosts.names[int(wrong[0])]} is not on")

    def _require_memory(self, vms: Ints, hosts: Ints, verb: str) -> None:
        named = distinct(hosts)
        at = np.searchsorted(named, hosts)
        footprint_mib = self.delivery.footprint_mib(vms, hosts)
        need_mib = sum_by(at, weights=footprint_mib, minlength=len(named))
        limit_mib = self.hosts.memory_mib[named] + MEMORY_TOLERANCE_MIB
        short = named[self.hosts.memory_used_mib[named] + need_mib > limit_mib]
        if len(short):
            raise FarmError(f"{verb}: host {self.hosts.names[int(short[0])]} lacks memory")

    def _refresh_all(self) -> None:
        """Recompute every host after a change of demand; who lives where is unchanged."""
        self.migration_load.reload()
        self._set_rates(slice(None), self._rows, self._home[self._rows])

    def _refresh(self, rows: Ints) -> None:
        """Recount and recompute some hosts, ascending and each named once."""
        self.changed.update(rows.tolist())
        hosts, vms, count = self.hosts, self.vms, len(rows)
        guests, comers = (
            self.residents.of(rows),
            self._affected(rows, vms.moving_to, self._migrating),
        )
        at = np.searchsorted(rows, vms.host[guests])
        to = np.searchsorted(rows, vms.moving_to[comers])
        held_mib = self.delivery.footprint_mib(guests, rows[at])
        memory_mib = sum_by(at, weights=held_mib, minlength=count)
        if len(comers):
            expected_mib = self.delivery.footprint_mib(comers, rows[to])
            # Nobody on these hosts gives counts, integers, to which nothing can be added in place.
            memory_mib = memory_mib + sum_by(to, weights=expected_mib, minlength=count)
        hosts.sending[rows] = 0
        if len(self._fetching):
            memory_mib = memory_mib + self._kept_mib(rows)
        hosts.memory_used_mib[rows] = memory_mib
        hosts.committed_mhz[rows] = sum_by(at, weights=vms.size_mhz[guests], minlength=count)
        vcpus = sum_by(at, weights=vms.vcpus[guests].astype(np.float64), minlength=count)
        hosts.vcpus[rows] = vcpus
        hosts.vm_count[rows] = np.bincount(at, minlength=count)
        hosts.incoming[rows] = np.bincount(to, minlength=count)
        self.accounts.note_held(rows, memory_mib, vcpus)
        if self.delivery.contended:
            self.delivery.set_contention(rows, guests, at, memory_mib)
        self._set_rates(rows, guests, at)

    def _kept_mib(self, rows: Ints) -> Floats:
        """Return the memory of guests elsewhere that some hosts still keep, and count these."""
        away = self._affected(rows, self.vms.pages_at, self._fetching)
        at = np.searchsorted(rows, self.vms.pages_at[away])
        self.hosts.sending[rows] = np.bincount(at, minlength=len(rows))
        kept_mib = self.delivery.footprint_mib(away, rows[at])
        return sum_by(at, weights=kept_mib, minlength=len(rows))

    def _affected(self, rows: Ints, host_of: Ints, vms: Ints) -> Ints:
        """Return which of some VMs concern some hosts, by a column; O(moves under way)."""
        if not len(vms):
            return vms
        self._marked[rows] = True
        comers = vms[self._marked[host_of[vms]]]
        self._marked[rows] = False
        return comers

    def _set_rates(self, rows: Ints | slice, guests: Ints | slice, at: Ints) -> None:
        """Recompute what hosts deliver and draw; power follows utilisation by their models."""
        hosts = self.hosts
        state = hosts.state[rows]
        on: Bools = (state == PowerState.ON) | (state == PowerState.DRAINING)
        given = self.delivery.allocate(rows, guests, at, on, self.migration_load.load_mhz[rows])
        utilisation = given.delivered_mhz / hosts.cpu_mhz[rows]
        violating = utilisation >= FULL
        if self.violation.incoming_counts:
            violating |= hosts.incoming[rows] > 0
        hosts.demand_mhz[rows] = given.demand_mhz
        hosts.delivered_mhz[rows] = given.delivered_mhz
        self.accounts.utilisation[rows] = utilisation
        active = on & ~given.idle
        rates = np.empty((RATES, len(on)))
        rates[Rate.POWER_W] = hosts.watts(rows, utilisation, on)
        rates[Rate.ON] = on
        rates[Rate.ACTIVE] = active
        rates[Rate.VIOLATING] = active & violating
        rates[Rate.DELIVERED_MHZ] = given.delivered_mhz
        rates[Rate.UNSERVED_MHZ] = given.unserved_mhz
        rates[Rate.SATURATED_MHZ] = given.saturated_mhz
        rates[Rate.VMS] = hosts.vm_count[rows]
        rates[Rate.MEMORY_MIB] = hosts.memory_used_mib[rows] * on
        rates[Rate.VCPUS] = hosts.vcpus[rows] * on
        rates[Rate.PROMISED_MHZ] = hosts.committed_mhz[rows] * on
        if on.all():
            rates[Rate.SWITCHING] = rates[Rate.FAILED] = 0.0
        else:
            failed = state == PowerState.FAILED
            rates[Rate.SWITCHING] = ~on & ~failed & (state != PowerState.OFF)
            rates[Rate.FAILED] = failed
        self.accounts.note_violating(rows, rates[Rate.VIOLATING])
        self.accounts.set_rates(rows, rates, (hosts.cpu_mhz, hosts.memory_mib))
