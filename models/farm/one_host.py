"""Settle and refresh one host number by number, at a fraction of the cost of an array of one.

What comes out is what :class:`.FarmRates` gives to the last bit: sums are made in the same order.
"""

import numpy as np

from ..accounts.accounts import FULL
from ..base.arrays import Ints, single_ints, singles
from .farm_rates import FarmRates
from .farm_state import FarmState


class OneHost:
    """Integrals and rates of single hosts that are on, by rows.

    ``plain`` tells whether hosts that cannot give all that is asked are done number by number as
    well: their CPU is shared in proportion, and nothing but their capacity limits guests.
    What ledgers are told, and hosts that are not plain, is left to :class:`.FarmRates`.
    """

    def __init__(self, state: FarmState, rates: FarmRates) -> None:
        self._state, self._rates = state, rates
        self._accounts, self._delivery = state.accounts, state.delivery
        self._residents = state.residents
        self.plain = state.delivery.recounts and not state.delivery.layer.fair
        hosts, vms = state.hosts, state.vms
        self._watts_of, self._counts_incoming = (
            hosts.power.watts_of,
            state.violation.incoming_counts_as_violation,
        )
        self._saturated, self._vm_count = (
            single_ints(state.delivery.saturated),
            single_ints(hosts.vm_count),
        )
        self._incoming, self._vcpus_of = single_ints(hosts.incoming), single_ints(vms.vcpus)
        self._cpu_mhz, self._copies_mhz = (
            singles(hosts.cpu_mhz),
            singles(state.migration_load.load_mhz),
        )
        self._demand_mhz, self._delivered_mhz = (
            singles(hosts.demand_mhz),
            singles(hosts.delivered_mhz),
        )
        self._memory_mib, self._committed_mhz = (
            singles(hosts.memory_used_mib),
            singles(hosts.committed_mhz),
        )
        self._vcpus, self._size_mhz = singles(hosts.vcpus), singles(vms.size_mhz)

    def settle(self, host: int, now_s: float) -> None:
        """Bring what one host and its VMs have done up to now."""
        state, saturated = self._state, self._saturated[host]
        if state.ledgers or state.own_ledgers or (saturated and not self.plain):
            self._rates.settle(np.array([host]), now_s)
            return
        if saturated:
            elapsed_s = now_s - self._accounts.since_s.item(host)
            short, waiting = self._delivery.shortfall, self._delivery.waiting
            guests = self._residents.listed(host)
            state.vm_accounts.accrue_few(guests, short, waiting, elapsed_s)
            state.uncharged[host] = True
        self._accounts.settle_one(host, now_s)

    def recount(self, host: int) -> float:
        """Recount what the guests of one host ask of it; return what their vCPUs cannot get."""
        return self._delivery.recount_one(host, self._residents.listed(host))

    def refresh_guests(self, host: int) -> None:
        """Recompute the rates of one host that follow from who lives there."""
        self._accounts.set_held_of_one(
            host,
            self._vm_count[host],
            self._memory_mib[host],
            self._vcpus[host],
            self._committed_mhz[host],
        )
        missed_mhz = self.recount(host)
        if not self._saturated[host]:
            self._accounts.set_missed_of_one(host, missed_mhz, 0.0)

    def refresh_rates(self, host: int) -> None:
        """Recompute what one host delivers and draws, once its guests have been recounted."""
        allocated = self._delivery.allocate_one(host, self._copies_mhz[host])
        if allocated is not None:
            self._set_load(host, *allocated)
        elif self.plain:
            self._refresh_saturated(host)
        else:
            self._rates.refresh(np.array([host]))

    def _refresh_saturated(self, host: int) -> None:
        """Do as :meth:`.FarmRates.refresh` for one host that cannot, or could not, give all."""
        state, hosts = self._state, self._state.hosts
        state.changed.add(host)
        guests = self._residents.listed(host)
        comers = self._concerned(host, state.vms.moving_to, state.migrating)
        memory_mib = self._footprint_mib(guests, host)
        if comers:
            memory_mib += self._footprint_mib(comers, host)
        hosts.sending[host] = 0
        if len(state.fetching):
            away = self._concerned(host, state.vms.pages_at, state.fetching)
            hosts.sending[host] = len(away)
            memory_mib += self._footprint_mib(away, host)
        committed_mhz = vcpus = 0.0
        for vm in guests:
            committed_mhz += self._size_mhz[vm]
            vcpus += self._vcpus_of[vm]
        self._memory_mib[host], self._committed_mhz[host] = memory_mib, committed_mhz
        self._vcpus[host], self._vm_count[host] = vcpus, len(guests)
        self._incoming[host] = len(comers)
        self._accounts.note_held_of_one(host, memory_mib, vcpus)
        load, unserved_mhz, saturated_mhz = self._delivery.allocate_plain_one(
            host, guests, self._copies_mhz[host]
        )
        self._accounts.set_held_of_one(host, len(guests), memory_mib, vcpus, committed_mhz)
        self._set_load(host, *load)
        self._accounts.set_missed_of_one(host, unserved_mhz, saturated_mhz)

    def _concerned(self, host: int, host_of: Ints, vms: Ints) -> list[int]:
        """Return which of some VMs concern one host, by a column; O(migrations under way)."""
        concerned: list[int] = vms[host_of[vms] == host].tolist()
        return concerned

    def _footprint_mib(self, vms: list[int], host: int) -> float:
        """Return the memory that VMs take on one host."""
        memory_mib = 0.0
        for vm in vms:
            memory_mib += self._delivery.footprint_of_one(vm, host)
        return memory_mib

    def _set_load(self, host: int, demand_mhz: float, delivered_mhz: float, idle: bool) -> None:
        """Set what one host is asked for and delivers, and all that follows from it."""
        utilisation = delivered_mhz / self._cpu_mhz[host]
        violating = not idle and (
            utilisation >= FULL or (self._counts_incoming and self._incoming[host] > 0)
        )
        self._demand_mhz[host], self._delivered_mhz[host] = demand_mhz, delivered_mhz
        power_w = self._watts_of(host, utilisation)
        self._accounts.set_load_of_one(
            host, utilisation, power_w, delivered_mhz, not idle, violating
        )
