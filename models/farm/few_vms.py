"""VMs that come to hosts and leave them a few at a time, without arrays.

Where VMs come and go one by one, each at an instant of its own, a verb on arrays of one VM and one
host costs a hundred microseconds, whatever little it changes. Here columns are read and written
number by number, and results are those of the verbs to the last bit: sums over the guests of a
host are added up in the same order. Hosts that cannot give all that is asked, farms in which VMs
migrate, and overheads that look at all guests of a host are left to the verbs on arrays.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..accounts.accounts import FULL
from ..base.arrays import Floats, Ints, sum_by
from ..delivery.cpu_delivery import Given
from ..state.columns import PowerState, VmState
from .farm_rates import FarmRates
from .farm_state import MEMORY_TOLERANCE_MIB, FarmState

FEW = 16
"""Up to so many VMs are handled number by number."""


class _Guests(NamedTuple):
    """Sums over the guests of a host: their number, MiB, MHz and vCPUs; MHz asked and missed."""

    number: int
    memory_mib: float
    size_mhz: float
    vcpus: float
    load_mhz: float
    unserved_mhz: float


NO_GUESTS = _Guests(0, 0.0, 0.0, 0.0, 0.0, 0.0)


class FewVms:
    """Placing and retiring of a few VMs, by rows of VMs and hosts.

    Each method returns whether it has done the verb; if not, nothing has changed. ``refresh`` may
    leave the rates of hosts to :class:`.FarmRates`.
    """

    def __init__(self, state: FarmState, rates: FarmRates) -> None:
        self._state, self._rates = state, rates
        self._has_extra = bool(state.delivery.layer.extra_mib.any())
        self._at = np.zeros(64, np.int64)

    def request(self, vms: Sequence[int]) -> bool:
        """Do as :meth:`.Farm.request`; left to the verb: VMs that are not absent."""
        vm_state = self._state.vms.state
        if any(vm_state.item(vm) != VmState.ABSENT for vm in vms):
            return False
        for vm in vms:
            vm_state[vm] = VmState.WAITING
        self._state.present.stale = True
        return True

    def place_rows(self, vms: Ints, hosts: Ints, demand_mhz: Floats | float, now_s: float) -> bool:
        """Do as :meth:`place` where there are few VMs; ``demand_mhz`` may be one for all."""
        if not 0 < len(vms) <= FEW:
            return False
        if isinstance(demand_mhz, np.ndarray):
            asked_mhz = demand_mhz.tolist()
        else:
            asked_mhz = [demand_mhz] * len(vms)
        return self.place(vms.tolist(), hosts.tolist(), asked_mhz, now_s)

    def retire_rows(self, vms: Ints, now_s: float, new_state: int) -> bool:
        """Do as :meth:`retire` where there are few VMs."""
        return 0 < len(vms) <= FEW and self.retire(vms.tolist(), now_s, new_state)

    def place(
        self, vms: Sequence[int], hosts: Sequence[int], demand_mhz: Sequence[float], now_s: float
    ) -> bool:
        """Do as :meth:`.Farm.place`, one host and one demand in MHz per VM.

        Left to the verb: whatever it would refuse, and hosts that are or were short of CPU.
        """
        state = self._state
        if not (self._is_plain() and self._may_place(vms, hosts)):
            return False
        touched = sorted(set(hosts)) if len(hosts) > 1 else hosts
        for host in touched:
            state.accounts.settle_one(host, now_s)
        state.present.stale = True
        state.held += len(vms)
        elapsed_s = now_s - state.demand_since_s
        for vm, host, asked_mhz in zip(vms, hosts, demand_mhz, strict=True):
            state.residents.add_one(vm, host)
            state.vms.host[vm] = state.home[vm] = host
            state.delivery.attach_one(vm, host)
            state.vm_accounts.mark_one(vm)
            state.present.add_one(vm)
            state.vms.demand_mhz[vm] = asked_mhz
            state.vms.state[vm] = VmState.RUNNING
            state.vm_accounts.requested_mhz_s[vm] -= asked_mhz * elapsed_s
            self._charge_excess(vm, -elapsed_s)
            state.presence.begin_one(vm, now_s)
        state.note_running()
        self._refresh(touched)
        return True

    def retire(self, vms: Sequence[int], now_s: float, new_state: int) -> bool:
        """Do as :meth:`.Farm.retire`.

        Left to the verb: VMs that do not run, and hosts that are or were short of CPU.
        """
        state = self._state
        vm_state, host_of = state.vms.state.item, state.vms.host.item
        if not self._is_plain() or any(vm_state(vm) != VmState.RUNNING for vm in vms):
            return False
        hosts = [host_of(vm) for vm in vms]
        if not self._serve(hosts, (PowerState.ON, PowerState.DRAINING)):
            return False
        touched = sorted(set(hosts)) if len(hosts) > 1 else hosts
        for host in touched:
            state.accounts.settle_one(host, now_s)
        state.present.stale = True
        state.held -= len(vms)
        elapsed_s = now_s - state.demand_since_s
        for vm, host in zip(vms, hosts, strict=True):
            asked_mhz = state.vms.demand_mhz.item(vm)
            state.vm_accounts.requested_mhz_s[vm] += asked_mhz * elapsed_s
            wanted_mhz = min(asked_mhz, state.delivery.ceiling_mhz.item(vm))
            state.vm_accounts.charge_one(vm, wanted_mhz)
            self._charge_excess(vm, elapsed_s)
            state.residents.remove_one(vm, host)
            state.vms.host[vm], state.home[vm] = -1, len(state.hosts)
            state.delivery.detach_one(vm)
            state.presence.end_one(vm, now_s)
            state.vms.demand_mhz[vm] = 0.0
            state.vms.state[vm] = new_state
        self._refresh(touched)
        return True

    # What has to hold

    def _is_plain(self) -> bool:
        """Whether nothing has to be looked at but the VMs and hosts concerned."""
        state = self._state
        under_way = len(state.migrating) or len(state.slowed) or len(state.fetching)
        under_way = under_way or state.migration_load.active
        watched = state.ledgers or state.own_ledgers or state.placement_observer is not None
        return state.delivery.recounts and not (under_way or watched)

    def _may_place(self, vms: Sequence[int], hosts: Sequence[int]) -> bool:
        """Whether VMs wait, and hosts are on and have the memory for them."""
        state = self._state
        vm_state, used_mib = state.vms.state.item, state.hosts.memory_used_mib.item
        if any(vm_state(vm) != VmState.WAITING for vm in vms):
            return False
        if not self._serve(hosts, (PowerState.ON,)):
            return False
        need_mib: dict[int, float] = {}
        for vm, host in zip(vms, hosts, strict=True):
            more_mib = state.delivery.footprint_of_one(vm, host)
            need_mib[host] = need_mib.get(host, 0.0) + more_mib
            limit_mib = state.hosts.memory_mib.item(host) + MEMORY_TOLERANCE_MIB
            if used_mib(host) + need_mib[host] > limit_mib:
                return False
        return True

    def _serve(self, hosts: Sequence[int], states: tuple[int, ...]) -> bool:
        """Whether hosts are in one of some power states, and give all that is asked of them."""
        power, saturated = self._state.hosts.state.item, self._state.delivery.saturated.item
        return all(power(host) in states and not saturated(host) for host in hosts)

    def _charge_excess(self, vm: int, elapsed_s: float) -> None:
        """Charge demand beyond what the vCPUs of a VM can get on its host's cores."""
        if self._state.delivery.capped:
            self._rates.charge_excess(np.array([vm]), elapsed_s)

    # Rates

    def _refresh(self, hosts: Sequence[int]) -> None:
        """Recount and recompute some hosts, ascending, each named once."""
        state, counted = self._state, [self._count(host) for host in hosts]
        if None in counted:
            # One is short of CPU: its VMs have to be looked at.
            self._rates.refresh(np.array(hosts))
            return
        state.changed.update(hosts)
        shifts = [self._set(host, *each) for host, each in zip(hosts, counted, strict=True) if each]
        levels = state.accounts.levels
        if len(shifts) == 1:
            levels.shift(*shifts[0])
        else:
            # As arrays are added up.
            levels.shift(*np.array(shifts).T.copy().sum(axis=1).tolist())

    def _count(self, host: int) -> tuple[_Guests, Given] | None:
        """Add up the guests of a host; return what it gives them, None if it is short of CPU."""
        state = self._state
        guests = self._guests(state.residents.of_one(host), host)
        copies_mhz = state.migration_load.load_mhz.item(host)
        given = state.delivery.give_one(host, guests.load_mhz, copies_mhz)
        return None if given is None else (guests, given)

    def _set(self, host: int, guests: _Guests, given: Given) -> list[float]:
        """Set what a host holds, delivers and draws; return by how much its levels rise."""
        hosts, accounts = self._state.hosts, self._state.accounts
        hosts.memory_used_mib[host], hosts.committed_mhz[host] = guests.memory_mib, guests.size_mhz
        hosts.vcpus[host], hosts.vm_count[host] = guests.vcpus, guests.number
        demand_mhz, delivered_mhz, idle = given
        hosts.demand_mhz[host], hosts.delivered_mhz[host] = demand_mhz, delivered_mhz
        utilisation = delivered_mhz / hosts.cpu_mhz.item(host)
        power_w = hosts.power.watts_of(host, utilisation)
        accounts.note_held_of_one(host, guests.memory_mib, guests.vcpus)
        accounts.utilisation[host] = utilisation
        violating = not idle and utilisation >= FULL
        # In the order of Rate: this host is on, short of nothing, and neither switched nor failed.
        return accounts.set_rates_of_one(host, (
            power_w, 1.0, not idle, violating, delivered_mhz, guests.unserved_mhz, guests.number,
            0.0, 0.0, 0.0, guests.memory_mib, guests.vcpus, guests.size_mhz,
        ))  # fmt: skip

    def _sum(self, values: Floats) -> float:
        """Return the sum, added up from the first to the last."""
        count = len(values)
        if count > len(self._at):
            self._at = np.zeros(2 * count, np.int64)
        return sum_by(self._at[:count], values, 1).item(0)

    def _guests(self, guests: Ints, host: int) -> _Guests:
        """Add up what guests of a host, ascending, hold and ask for."""
        count = len(guests)
        if not count:
            return NO_GUESTS
        vms, delivery = self._state.vms, self._state.delivery
        memory_mib, work_mhz = vms.memory_mib[guests], vms.demand_mhz[guests]
        if self._has_extra:
            group = self._state.hosts.group.item(host)
            memory_mib += delivery.layer.extra_mib[vms.size[guests], group]
        load_mhz, unserved_mhz = self._sum(work_mhz), 0.0
        if delivery.capped:
            asked_mhz, work_mhz = load_mhz, np.minimum(work_mhz, delivery.ceiling_mhz[guests])
            load_mhz = self._sum(work_mhz)
            unserved_mhz = asked_mhz - load_mhz
        if not delivery.plain:
            load_mhz = self._sum(work_mhz * delivery.effort[guests])
        size_mhz, vcpus = (
            self._sum(vms.size_mhz[guests]),
            self._sum(vms.vcpus[guests].astype(np.float64)),
        )
        return _Guests(count, self._sum(memory_mib), size_mhz, vcpus, load_mhz, unserved_mhz)
