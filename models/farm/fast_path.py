"""Moves of one VM at a time, without arrays: what a farm's verbs do, at a fraction of the cost.

A verb on arrays of one VM and two hosts costs some fifty NumPy calls, a hundred microseconds,
whatever little it changes. Moves over a network end one by one, each at its own instant. Here
the columns are read and written number by number, and only what a step of a move can change is
computed again: what its copy asks for, and who lives where. Hosts that cannot give all that is
asked, and farms whose guests do not simply add up, are left to the farm's verbs. Results are
those of the verbs up to the rounding of sums.
"""

from typing import TYPE_CHECKING

import numpy as np

from ..accounts.accounts import FULL, Rate
from ..state.columns import PowerState, VmState

if TYPE_CHECKING:
    from .farm import Farm

SERVING = (PowerState.ON, PowerState.DRAINING)


class FastPath:
    """The steps of moves for one VM each, by rows of VMs and hosts."""

    def __init__(self, farm: "Farm") -> None:
        self._farm = farm

    def set_load(
        self, vm: int, guest_share: float, source_share: float, target_share: float, now_s: float
    ) -> None:
        """Do as :meth:`.Farm.set_migration_load` for one VM."""
        farm = self._farm
        source, target = farm.vms.host.item(vm), farm.vms.moving_to.item(vm)
        if farm.vms.state.item(vm) != VmState.MIGRATING or not self._on(source, target):
            shares = guest_share, source_share, target_share
            farm.set_migration_load(np.array([vm]), *shares, now_s)
            return
        asks_anew = farm.migration_load.shares(vm) != (source_share, target_share)
        slows = farm.vms.guest_share.item(vm) != guest_share
        if slows and not farm.delivery.recounts:
            shares = guest_share, source_share, target_share
            farm.set_migration_load(np.array([vm]), *shares, now_s)
            return
        if slows or asks_anew or farm.delivery.saturated.item(source):
            self._settle(source, now_s)
        self._charge_copy(vm, now_s)
        if asks_anew:
            self._settle(target, now_s)
            farm.migration_load.change_one(vm, source, target, source_share, target_share)
        if slows:
            self._slow(vm, source, guest_share)
        if slows or asks_anew:
            self._rate(source)
        if asks_anew:
            self._rate(target)

    def commit(self, vm: int, now_s: float, pages_away: bool = False) -> None:
        """Do as :meth:`.Farm.commit_migration` for one VM."""
        farm, vms, hosts = self._farm, self._farm.vms, self._farm.hosts
        source, target = vms.host.item(vm), vms.moving_to.item(vm)
        plain = self._on(source, target) and farm.delivery.adds_up
        if vms.state.item(vm) != VmState.MIGRATING or not plain:
            farm.commit_migration(np.array([vm]), now_s, pages_away)
            return
        self._settle(source, now_s)
        self._settle(target, now_s)
        self._charge_copy(vm, now_s)
        farm.vm_accounts.charge_one(vm, self._asked_mhz(vm))
        farm.migration_load.change_one(vm, -1, -1, 0.0, 0.0)
        self._leave(vm, source, pages_away)
        excess_mhz = farm.delivery.excess_mhz(vm)
        if farm.placement_observer is not None:
            farm.placement_observer.moving(np.array([vm]), now_s)
        vms.moving_to[vm], vms.state[vm], vms.guest_share[vm] = -1, VmState.RUNNING, 1.0
        farm.residents.move_one(vm, source, target)
        farm.delivery.move_one(vm, target)
        vms.host[vm] = farm._home[vm] = target
        excess_mhz -= farm.delivery.excess_mhz(vm)
        # Where all adds up there is no overhead: what is beyond the vCPUs is beyond their limit.
        excess_mhz_s = excess_mhz * (now_s - farm._demand_since_s)
        farm.vm_accounts.unserved_mhz_s[vm] += excess_mhz_s
        farm.vm_accounts.limit_mhz_s[vm] += excess_mhz_s
        farm.vm_accounts.mark_one(vm)
        farm.vm_accounts.migrations[vm] += 1
        farm._migrating = farm._migrating[farm._migrating != vm]
        farm._note_slowed()
        farm.changed.update((source, target))
        hosts.vm_count[target] += 1
        hosts.incoming[target] -= 1
        hosts.committed_mhz[target] += vms.size_mhz.item(vm)
        hosts.vcpus[target] += vms.vcpus.item(vm)
        peak_vcpus = farm.accounts.peak_vcpus
        peak_vcpus[target] = max(peak_vcpus.item(target), hosts.vcpus.item(target))
        for host in (source, target):
            freed_mib = farm.accounts.rates.item(Rate.MEMORY_MIB, host)
            freed_mib -= hosts.memory_used_mib.item(host)
            left_mhz = farm.accounts.rates.item(Rate.PROMISED_MHZ, host)
            left_mhz -= hosts.committed_mhz.item(host)
            farm.accounts.levels.shift(0.0, 0.0, -freed_mib, -left_mhz)
            farm.accounts.rates[Rate.VMS, host] = hosts.vm_count.item(host)
            farm.accounts.rates[Rate.MEMORY_MIB, host] = hosts.memory_used_mib.item(host)
            farm.accounts.rates[Rate.VCPUS, host] = hosts.vcpus.item(host)
            farm.accounts.rates[Rate.PROMISED_MHZ, host] = hosts.committed_mhz.item(host)
            missed_mhz = farm.delivery.recount_one(host, farm.residents.of_one(host))
            if not farm.delivery.saturated.item(host):
                farm.accounts.rates[Rate.UNSERVED_MHZ, host] = missed_mhz
            self._rate(host)

    def _slow(self, vm: int, source: int, guest_share: float) -> None:
        """Let a guest keep another part of its CPU; its host is settled."""
        farm = self._farm
        farm.vm_accounts.charge_one(vm, self._asked_mhz(vm))
        farm.vms.guest_share[vm] = guest_share
        farm.delivery.recount_one(source, farm.residents.of_one(source))

    def _leave(self, vm: int, source: int, pages_away: bool) -> None:
        """Take a VM off the counts of its source, where rounding leaves nothing of no VM."""
        farm, hosts = self._farm, self._farm.hosts
        hosts.vm_count[source] -= 1
        hosts.committed_mhz[source] -= farm.vms.size_mhz.item(vm)
        hosts.vcpus[source] -= farm.vms.vcpus.item(vm)
        if pages_away:
            farm.vms.pages_at[vm] = source
            farm._fetching = np.sort(np.append(farm._fetching, vm))
            hosts.sending[source] += 1
        else:
            hosts.memory_used_mib[source] -= farm.delivery.footprint_of_one(vm, source)
        if not hosts.vm_count.item(source):
            hosts.committed_mhz[source] = 0.0
            if not hosts.incoming.item(source) + hosts.sending.item(source):
                hosts.memory_used_mib[source] = 0.0

    def _on(self, source: int, target: int) -> bool:
        state = self._farm.hosts.state.item
        return state(source) in SERVING and state(target) in SERVING

    def _settle(self, host: int, now_s: float) -> None:
        farm = self._farm
        if farm.ledgers or farm.own_ledgers or farm.delivery.saturated.item(host):
            farm._settle(np.array([host]), now_s)
        else:
            farm.accounts.settle_one(host, now_s)

    def _charge_copy(self, vm: int, now_s: float) -> None:
        farm = self._farm
        lost = 1.0 - farm.vms.guest_share.item(vm)
        farm.vm_accounts.charge_copy_of_one(vm, lost * self._wanted_mhz(vm), now_s)

    def _wanted_mhz(self, vm: int) -> float:
        farm = self._farm
        return float(min(farm.vms.demand_mhz.item(vm), farm.delivery.ceiling_mhz.item(vm)))

    def _asked_mhz(self, vm: int) -> float:
        return self._wanted_mhz(vm) * self._farm.vms.guest_share.item(vm)

    def _rate(self, host: int) -> None:
        """Recompute what one host that is on delivers and draws."""
        farm, hosts, rates = self._farm, self._farm.hosts, self._farm.accounts.rates
        given = farm.delivery.allocate_one(host, farm.migration_load.load_mhz.item(host))
        if given is None:
            farm._refresh(np.array([host]))
            return
        demand_mhz, delivered_mhz, idle = given
        utilisation = delivered_mhz / hosts.cpu_mhz.item(host)
        violating = utilisation >= FULL or (
            farm.violation.incoming_counts and hosts.incoming.item(host) > 0
        )
        hosts.demand_mhz[host], hosts.delivered_mhz[host] = demand_mhz, delivered_mhz
        farm.accounts.utilisation[host] = utilisation
        power_w = hosts.power.watts_of(host, utilisation)
        farm.accounts.levels.shift(
            power_w - rates.item(Rate.POWER_W, host),
            delivered_mhz - rates.item(Rate.DELIVERED_MHZ, host), 0.0, 0.0,
        )  # fmt: skip
        rates[Rate.POWER_W, host] = power_w
        rates[Rate.ACTIVE, host] = not idle
        if (violating and not idle) != (rates.item(Rate.VIOLATING, host) > 0):
            farm.accounts.note_violating(
                np.array([host]), np.array([float(violating and not idle)])
            )
        rates[Rate.VIOLATING, host] = violating and not idle
        rates[Rate.DELIVERED_MHZ, host] = delivered_mhz
