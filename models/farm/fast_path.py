"""Steps of migrations one VM at a time, without arrays: what verbs do, at a fraction of the cost.

A verb on arrays of one VM and two hosts costs some fifty NumPy calls, a hundred microseconds,
whatever little it changes. Migrations over a network end one by one, each at its own instant.
Here the columns are read and written number by number, and only what a step can change is
computed again: what its copy asks for, and who lives where. Hosts that cannot give all that is
asked, and farms whose guests do not simply add up, are left to the verbs on arrays. Results are
those of the verbs up to the rounding of sums.
"""

import numpy as np

from ..base.arrays import single_ints, singles
from ..state.columns import PowerState, VmState
from .farm_rates import FarmRates
from .farm_state import FarmState
from .one_host import OneHost

SERVING = (PowerState.ON, PowerState.DRAINING)


class FastPath:
    """The steps of a migration for one VM, by rows of VMs and hosts.

    Each method returns whether it has done the step; if not, nothing has changed.
    """

    def __init__(self, state: FarmState, rates: FarmRates) -> None:
        self._state, self._one_host = state, OneHost(state, rates)
        hosts, vms = state.hosts, state.vms
        self._vm_count, self._incoming = single_ints(hosts.vm_count), single_ints(hosts.incoming)
        self._committed_mhz, self._vcpus = singles(hosts.committed_mhz), singles(hosts.vcpus)
        self._memory_mib, self._size_mhz = singles(hosts.memory_used_mib), singles(vms.size_mhz)
        self._vcpus_of = single_ints(vms.vcpus)
        self._host_of, self._going_to = single_ints(vms.host), single_ints(vms.moving_to)
        self._state_of, self._power = single_ints(vms.state), single_ints(hosts.state)
        self._share_of, self._demand_mhz = singles(vms.guest_share), singles(vms.demand_mhz)
        self._ceiling_mhz = singles(state.delivery.ceiling_mhz)
        self._saturated = single_ints(state.delivery.saturated)

    def set_load(
        self, vm: int, guest_share: float, source_share: float, target_share: float, now_s: float
    ) -> bool:
        """Do as :meth:`.Farm.set_migration_load` for one VM.

        Left to the verb: a VM that does not migrate, an end that is not on, and a guest whose
        share changes where overheads look at all guests of a host.
        """
        state = self._state
        source, target = self._host_of[vm], self._going_to[vm]
        if self._state_of[vm] != VmState.MIGRATING or not self._on(source, target):
            return False
        asks_anew = state.migration_load.shares(vm) != (source_share, target_share)
        slows = self._share_of[vm] != guest_share
        if slows and not state.delivery.recounts:
            return False
        if slows or asks_anew or self._saturated[source]:
            self._one_host.settle(source, now_s)
        self._charge_copy(vm, now_s)
        if asks_anew:
            self._one_host.settle(target, now_s)
            state.migration_load.change_one(vm, source, target, source_share, target_share)
        if slows:
            self._charge(vm)
            self._share_of[vm] = guest_share
            self._one_host.recount(source)
        if slows or asks_anew:
            self._one_host.refresh_rates(source)
        if asks_anew:
            self._one_host.refresh_rates(target)
        return True

    def commit(self, vm: int, now_s: float, pages_away: bool = False) -> bool:
        """Do as :meth:`.Farm.commit_migration` for one VM.

        Left to the verb: a VM that does not migrate, an end that is not on, and farms where what
        guests want does not add up to what hosts are asked for.
        """
        state, source, target = self._state, self._host_of[vm], self._going_to[vm]
        plain = state.delivery.adds_up and self._on(source, target)
        if self._state_of[vm] != VmState.MIGRATING or not plain:
            return False
        self._one_host.settle(source, now_s)
        self._one_host.settle(target, now_s)
        self._charge_copy(vm, now_s)
        self._charge(vm)
        state.migration_load.change_one(vm, -1, -1, 0.0, 0.0)
        self._leave(vm, source, pages_away)
        if state.placement_observer is not None:
            state.placement_observer.moving(np.array([vm]), now_s)
        self._change_host(vm, source, target, now_s)
        self._arrive(vm, target)
        state.changed.update((source, target))
        for host in (source, target):
            self._one_host.refresh_guests(host)
            self._one_host.refresh_rates(host)
        return True

    def _on(self, source: int, target: int) -> bool:
        """Whether both hosts serve their guests."""
        return self._power[source] in SERVING and self._power[target] in SERVING

    # Who lives where

    def _leave(self, vm: int, source: int, pages_away: bool) -> None:
        """Take a VM off the counts of its source, where rounding leaves nothing of no VM."""
        state, hosts = self._state, self._state.hosts
        left = self._vm_count[source] = self._vm_count[source] - 1
        self._committed_mhz[source] -= self._size_mhz[vm]
        self._vcpus[source] -= self._vcpus_of[vm]
        if pages_away:
            state.vms.pages_at[vm] = source
            state.fetching = np.sort(np.append(state.fetching, vm))
            hosts.sending[source] += 1
        else:
            self._memory_mib[source] -= state.delivery.footprint_of_one(vm, source)
        if not left:
            self._committed_mhz[source] = 0.0
            if not self._incoming[source] + hosts.sending.item(source):
                self._memory_mib[source] = 0.0

    def _change_host(self, vm: int, source: int, target: int, now_s: float) -> None:
        """Let a VM run at its target, charged with what its vCPUs could not get until now."""
        state, accounts = self._state, self._state.vm_accounts
        excess_mhz = state.delivery.excess_mhz(vm)
        self._going_to[vm], self._state_of[vm], self._share_of[vm] = -1, VmState.RUNNING, 1.0
        state.residents.move_one(vm, source, target)
        state.delivery.move_one(vm, target)
        self._host_of[vm] = state.home[vm] = target
        excess_mhz -= state.delivery.excess_mhz(vm)
        if excess_mhz:
            # Without overhead, what is beyond the vCPUs is beyond their limit.
            excess_mhz_s = excess_mhz * (now_s - state.demand_since_s)
            accounts.unserved_mhz_s[vm] += excess_mhz_s
            accounts.limit_mhz_s[vm] += excess_mhz_s
        accounts.mark_one(vm)
        accounts.migrations[vm] += 1
        state.migrating = state.migrating[state.migrating != vm]
        state.note_slowed()

    def _arrive(self, vm: int, target: int) -> None:
        """Add a VM to the counts of its target, which has kept memory for it."""
        self._vm_count[target] += 1
        self._incoming[target] -= 1
        self._committed_mhz[target] += self._size_mhz[vm]
        vcpus = self._vcpus[target] = self._vcpus[target] + self._vcpus_of[vm]
        peak_vcpus = self._state.accounts.peak_vcpus
        if vcpus > peak_vcpus.item(target):
            peak_vcpus[target] = vcpus

    # Charges of the guest

    def _charge(self, vm: int) -> None:
        """Charge a VM with what its host has failed to give it since it was charged last."""
        self._state.vm_accounts.charge_one(vm, self._wanted_mhz(vm) * self._share_of[vm])

    def _charge_copy(self, vm: int, now_s: float) -> None:
        """Charge a VM with the CPU that its copy has taken from it until now."""
        lost = 1.0 - self._share_of[vm]
        self._state.vm_accounts.charge_copy_of_one(vm, lost * self._wanted_mhz(vm), now_s)

    def _wanted_mhz(self, vm: int) -> float:
        """Return the work that a VM asks for and its vCPUs could do on its host, in MHz."""
        return min(self._demand_mhz[vm], self._ceiling_mhz[vm])
