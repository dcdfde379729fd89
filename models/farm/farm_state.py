"""The only mutable state of a run, and notifications of its changes.

:class:`FarmState` holds columns, integrals and the lists of VMs under way. It has no verbs:
:class:`.farm.Farm` changes it, :class:`.farm_rates.FarmRates` keeps its integrals and rates,
:class:`.fast_path.FastPath` does the most frequent changes number by number.
"""

from typing import Protocol

import numpy as np

from ..accounts.accounts import HostAccounts, VmAccounts
from ..accounts.time_on_hosts import Presence
from ..accounts.work_not_running import NotRunning
from ..base.arrays import Floats, Ints, distinct, sum_by
from ..base.lazy_dataclass import dataclass
from ..delivery.cpu_delivery import Delivery
from ..delivery.overhead_tables import Layer
from ..state.columns import VM_STATES, Hosts, Vms, VmState
from ..state.migration_load import MigrationLoad
from ..state.present_vms import PresentVms
from ..state.residents import Residents

MEMORY_TOLERANCE_MIB = 1e-6
"""What rounding may add to a sum of memory before a host counts as overcommitted."""

HELD = (VmState.RUNNING, VmState.STARTING)
"""States of a VM that is on a host and not under way to another."""


class FarmError(Exception):
    """A method was called with invalid arguments."""


@dataclass(frozen=True)
class ViolationRule:
    """Definition of a host's SLA violation time.

    Always: time at a utilisation of 100 % (Beloglazov and Buyya 2012). With
    ``incoming_counts_as_violation`` also the time during which a VM is being copied to the host,
    as in their experiments in CloudSim.
    """

    incoming_counts_as_violation: bool = False


class Ledger(Protocol):
    """Accounting of VMs, updated before their hosts change."""

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
    """Notified of VMs whose host changes."""

    def moving(self, vms: Ints, now_s: float) -> None:
        """Note that VMs are about to have another host, or another target of a migration."""
        ...


class FarmState:
    """Columns of hosts and VMs, their accounts, and ongoing migrations.

    ``home`` is the host of each VM, the number of hosts standing for none. ``migrating`` are the
    VMs on their way to another host, ``slowed`` those that run at less than full speed or are on
    storage, ``fetching`` those whose pages are partly on a host that they have left: rows,
    ascending. ``demand_since_s`` is when all VMs were settled last. ``uncharged`` marks hosts
    whose VMs have gone without something that they have not been charged with. ``held`` counts the
    VMs on hosts, ``starting`` those of them that do no work yet, ``max_running`` is the most that
    ever ran at once. ``changed`` collects the hosts whose free capacity may have changed since
    somebody cleared it. ``not_running`` is what VMs that are wanted and do not run would have done.
    """

    def __init__(
        self,
        hosts: Hosts,
        vms: Vms,
        violation: ViolationRule,
        layer: Layer | None,
        all_present: bool,
    ) -> None:
        self.hosts, self.vms, self.violation = hosts, vms, violation
        self.ledgers: list[Ledger] = []
        self.own_ledgers: list[Ledger] = []
        self.placement_observer: PlacementObserver | None = None
        self.accounts = HostAccounts(len(hosts))
        self.vm_accounts = VmAccounts(len(vms))
        self.presence = Presence(len(vms))
        self.not_running = NotRunning(len(vms))
        self.residents = Residents(len(hosts), len(vms))
        self.delivery = Delivery(hosts, vms, layer)
        self.migration_load = MigrationLoad(len(hosts), vms)
        self.home = np.full(len(vms), len(hosts), np.int64)
        self.present = PresentVms(vms, self.home, len(hosts), all_present)
        self.migrating: Ints = np.empty(0, np.int64)
        self.slowed: Ints = np.empty(0, np.int64)
        self.fetching: Ints = np.empty(0, np.int64)
        self.demand_since_s = 0.0
        self.uncharged = np.zeros(len(hosts), bool)
        self.held = self.starting = self.max_running = 0
        self.changed: set[int] = set()

    def note_running(self) -> None:
        """Keep track of the most VMs that ever ran at once."""
        self.max_running = max(self.max_running, self.held - self.starting)

    def note_slowed(self) -> None:
        """Tell the delivery whether guest shares have to be looked at."""
        self.delivery.slowed = bool(len(self.migrating) or len(self.slowed))

    def announce(self, vms: Ints, now_s: float) -> None:
        """Tell the observer, if there is one, that VMs are about to change place."""
        if self.placement_observer is not None and len(vms):
            self.placement_observer.moving(vms, now_s)

    # What verbs check before they change anything; each raises FarmError

    def require_vms(self, vms: Ints, state: int, verb: str) -> None:
        """Raise FarmError unless all VMs are in one state."""
        wrong = vms[self.vms.state[vms] != state]
        if len(wrong):
            name = self.vms.names[int(wrong[0])]
            raise FarmError(f"{verb}: VM {name} is not {VM_STATES[state]}")

    def require_held(self, vms: Ints, verb: str) -> None:
        """Raise FarmError unless all VMs run or start, and none is migrating."""
        state = self.vms.state[vms]
        wrong = vms[(state != HELD[0]) & (state != HELD[1])]
        if len(wrong):
            name = self.vms.names[int(wrong[0])]
            raise FarmError(f"{verb}: VM {name} neither runs nor starts")

    def require_hosts(self, hosts: Ints, states: tuple[int, ...], verb: str) -> None:
        """Raise FarmError unless all hosts are in one of some power states."""
        held = self.hosts.state[hosts]
        fine = held == states[0]
        for state in states[1:]:
            fine |= held == state
        wrong = hosts[~fine]
        if len(wrong):
            raise FarmError(f"{verb}: host {self.hosts.names[int(wrong[0])]} is not on")

    def require_memory(self, vms: Ints, hosts: Ints, verb: str) -> None:
        """Raise FarmError if the hosts lack the memory for VMs that come to them."""
        self.require_free_mib(self.delivery.footprint_mib(vms, hosts), hosts, verb)

    def require_free_mib(self, more_mib: Floats, hosts: Ints, verb: str) -> None:
        """Raise FarmError if a host lacks the memory, in MiB, that is to be added to it."""
        named = distinct(hosts)
        at = np.searchsorted(named, hosts)
        need_mib = sum_by(at, weights=more_mib, minlength=len(named))
        limit_mib = self.hosts.memory_mib[named] + MEMORY_TOLERANCE_MIB
        lacking = named[self.hosts.memory_used_mib[named] + need_mib > limit_mib]
        if len(lacking):
            raise FarmError(f"{verb}: host {self.hosts.names[int(lacking[0])]} lacks memory")
