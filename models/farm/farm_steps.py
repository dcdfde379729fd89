"""The steps that several verbs of a farm share: a VM comes to a host, leaves it, is slowed down.

Hosts that a step touches have been settled before it and are refreshed after it, by the verb.
"""

import numpy as np

from ..base.arrays import Floats, Ints
from ..state.columns import VmState
from .farm_rates import FarmRates
from .farm_state import FarmState


class FarmSteps:
    """Changes a farm's state in steps; none of them checks anything."""

    def __init__(self, state: FarmState, rates: FarmRates) -> None:
        self._state, self._rates = state, rates

    def attach(self, vms: Ints, hosts: Ints, now_s: float) -> None:
        """Put VMs without a host on hosts."""
        state = self._state
        for ledger in (*state.ledgers, *state.own_ledgers):
            ledger.enter(vms, now_s)
        state.announce(vms, now_s)
        state.held += len(vms)
        state.residents.add(vms, hosts)
        state.vms.host[vms] = hosts
        state.home[vms] = hosts
        state.delivery.attach(vms, hosts)
        state.vm_accounts.mark(vms)
        state.present.add(vms)

    def ask_for(self, demand_mhz: Floats) -> bool:
        """Set what VMs ask for, (VMs,); return whether rates have to be computed anew.

        They have not where all were computed at once for this demand and this placement.
        """
        state, present, demanded = self._state, self._state.present, self._state.vms.demand_mhz
        stale = present.stale or state.accounts.levels.shifted
        present.recount(state.starting)
        rows = present.rows
        as_before = not (stale or len(present.inactive))
        if as_before and demand_mhz[rows].tobytes() == demanded[rows].tobytes():
            return False
        demanded[rows] = demand_mhz[rows]
        if len(present.inactive):
            demanded[present.inactive] = 0.0
        return True

    def detach(self, vms: Ints, now_s: float) -> None:
        """Take VMs off their hosts, undisturbed and with no pages anywhere else."""
        state = self._state
        self._rates.charge(vms)
        self.restore(vms, now_s)
        self.forget_pages(vms)
        self._rates.charge_excess(vms, now_s - state.demand_since_s)
        state.announce(vms, now_s)
        state.held -= len(vms)
        state.residents.remove(vms, state.vms.host[vms])
        state.vms.host[vms] = -1
        state.home[vms] = len(state.hosts)
        state.delivery.detach(vms)

    def take_off(self, vms: Ints, now_s: float, new_state: int) -> Ints:
        """Take VMs off their hosts into a state in which they ask for nothing.

        Settles their hosts and returns these, ascending.
        """
        state = self._state
        touched = self._rates.settle(self.hosts_of(vms), now_s)
        elapsed_s = now_s - state.demand_since_s
        state.vm_accounts.requested_mhz_s[vms] += state.vms.demand_mhz[vms] * elapsed_s
        self.detach(vms, now_s)
        state.presence.end(vms, now_s)
        state.vms.demand_mhz[vms] = 0.0
        self.set_state(vms, new_state)
        return touched

    def run(self, vms: Ints, demand_mhz: Floats | float, now_s: float) -> None:
        """Run VMs that had no demand from now on, without the step before."""
        state = self._state
        elapsed_s = now_s - state.demand_since_s
        state.vms.demand_mhz[vms] = demand_mhz
        state.vm_accounts.requested_mhz_s[vms] -= demand_mhz * elapsed_s
        self._rates.charge_excess(vms, -elapsed_s)
        self.set_state(vms, VmState.RUNNING)
        state.presence.begin(vms, now_s)
        state.note_running()

    def set_state(self, vms: Ints, new_state: int) -> None:
        """Let VMs be in another state, counting those that start."""
        state = self._state
        state.starting -= int(np.count_nonzero(state.vms.state[vms] == VmState.STARTING))
        state.starting += len(vms) if new_state == VmState.STARTING else 0
        state.vms.state[vms] = new_state
        state.present.stale = True

    def set_size(
        self, vms: Ints, size: Ints, vcpus: Ints, size_mhz: Floats, memory_mib: Floats
    ) -> None:
        """Let VMs have another size: its number, vCPUs, CPU in MHz and memory in MiB."""
        vms_of = self._state.vms
        vms_of.size[vms], vms_of.vcpus[vms] = size, vcpus
        vms_of.size_mhz[vms], vms_of.memory_mib[vms] = size_mhz, memory_mib
        self._state.delivery.resize(vms)

    def forget_pages(self, vms: Ints) -> None:
        """Let no host keep pages of VMs that are elsewhere."""
        state = self._state
        if len(state.fetching):
            state.vms.pages_at[vms] = -1
            state.fetching = state.fetching[state.vms.pages_at[state.fetching] >= 0]

    def hosts_of(self, vms: Ints) -> Ints:
        """Return the hosts of running VMs, and those that keep or send pages of them."""
        vms_of, load = self._state.vms, self._state.migration_load
        sources, keepers = load.source[vms], vms_of.pages_at[vms]
        return np.concatenate([vms_of.host[vms], sources[sources >= 0], keepers[keepers >= 0]])

    def slow(self, vms: Ints) -> None:
        """Note that VMs run at less than full speed, or not at all, without migrating."""
        self._state.slowed = np.sort(np.concatenate([self._state.slowed, vms]))

    def restore(self, vms: Ints, now_s: float) -> None:
        """Let running guests that were degraded run undisturbed, if there are any."""
        state = self._state
        state.migration_load.end(vms)
        if len(state.slowed):
            slowed = vms[np.isin(vms, state.slowed)]
            self._rates.charge_copies(slowed, now_s)
            self.set_guest_share(slowed, 1.0, now_s)
            state.slowed = state.slowed[~np.isin(state.slowed, vms)]
            state.note_slowed()

    def set_guest_share(self, vms: Ints, guest_share: Floats | float, now_s: float) -> None:
        """Set what guests keep of their CPU, having charged what they missed until now."""
        state = self._state
        self._rates.charge(vms)
        state.vms.guest_share[vms] = guest_share
        state.vm_accounts.mark_copy(vms, now_s)
        state.note_slowed()

    def end_migration(self, vms: Ints, now_s: float) -> Ints:
        """Let migrating VMs run at their sources again, no longer expected at their targets.

        Settles both ends and returns these hosts, ascending.
        """
        state, vms_of = self._state, self._state.vms
        ends = np.concatenate([vms_of.host[vms], vms_of.moving_to[vms]])
        touched = self._rates.settle(ends, now_s)
        self._rates.charge_copies(vms, now_s)
        state.migration_load.end(vms)
        state.announce(vms, now_s)
        vms_of.moving_to[vms] = -1
        self.set_guest_share(vms, 1.0, now_s)
        vms_of.state[vms] = VmState.RUNNING
        state.migrating = state.migrating[vms_of.state[state.migrating] == VmState.MIGRATING]
        state.note_slowed()
        return touched
