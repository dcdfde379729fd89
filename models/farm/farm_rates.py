"""What a farm does at present and has done so far: its rates and their integrals.

Every verb of a farm goes *settle, change, refresh*: it brings the integrals of the hosts that it
touches up to now, changes the farm, and recomputes the rates of these hosts. Rates are constant in
between, so integrals are exact (see :mod:`..accounts.accounts`).
"""

import numpy as np

from ..accounts.accounts import FULL, RATES, Rate
from ..base.arrays import Bools, Floats, Ints, distinct, sum_by
from ..state.columns import PowerState
from .farm_state import FarmState


class FarmRates:
    """Settles and refreshes a farm's state: power, delivered CPU, shortage, memory."""

    def __init__(self, state: FarmState) -> None:
        self._state = state
        self._marked = np.zeros(len(state.hosts), bool)

    # Integrals

    def settle(self, hosts: Ints, now_s: float) -> Ints:
        """Bring what some hosts and their VMs have done up to now; return these hosts, ascending.

        Hosts may be named several times.
        """
        state, delivery = self._state, self._state.delivery
        touched = distinct(hosts)
        self.accrue(touched[delivery.saturated[touched]], now_s)
        if delivery.contended:
            self.accrue_costop(state.residents.recall(touched), now_s)
        self.settle_hosts(touched, now_s)
        return touched

    def settle_hosts(self, hosts: Ints, now_s: float) -> None:
        """Bring the integrals of hosts, ascending, and the ledgers of their VMs up to now."""
        state = self._state
        for ledger in state.own_ledgers:
            ledger.settle(hosts, now_s)
        if state.ledgers:
            late = state.accounts.since_s[hosts] < now_s
            behind = hosts if late.all() else hosts[late]
            for ledger in state.ledgers if len(behind) else ():
                ledger.settle(behind, now_s)
        state.accounts.settle(hosts, now_s)

    def settle_all(self, now_s: float) -> None:
        """Bring every integral up to now."""
        for ledger in self._state.own_ledgers:
            ledger.settle_all(now_s)
        self.read(now_s)

    def read(self, now_s: float) -> None:
        """Bring the integrals of hosts and VMs up to now, where nothing changes.

        Ledgers with times of their own go on as if nobody had looked.
        """
        state, delivery = self._state, self._state.delivery
        if now_s == state.demand_since_s:
            return
        self.accrue(np.flatnonzero(delivery.saturated), now_s)
        if delivery.contended:
            self.accrue_costop(np.flatnonzero(state.vms.host >= 0), now_s)
        for ledger in state.ledgers:
            ledger.settle_all(now_s)
        state.accounts.settle_all(now_s)
        elapsed_s = now_s - state.demand_since_s
        if elapsed_s > 0:
            rows = state.present.rows
            state.vm_accounts.requested_mhz_s[rows] += state.vms.demand_mhz[rows] * elapsed_s
        for under_way in (state.migrating, state.slowed):
            if len(under_way):
                self.charge_copies(under_way, now_s)
        if delivery.capped:
            self.charge_excess(np.flatnonzero(np.isfinite(delivery.ceiling_mhz)), elapsed_s)
        self.charge_uncharged()
        state.demand_since_s = now_s

    def accrue(self, saturated: Ints, now_s: float) -> None:
        """Integrate what the VMs of hosts that cannot give all that is asked go without."""
        if not len(saturated):
            return
        state, delivery = self._state, self._state.delivery
        vms = state.residents.of(saturated)
        elapsed_s = now_s - state.accounts.since_s[state.vms.host[vms]]
        overhead = delivery.overhead[vms] if delivery.has_overheads else None
        state.vm_accounts.accrue(
            vms, delivery.shortfall[vms], delivery.waiting[vms], elapsed_s, overhead
        )
        state.uncharged[saturated] = True

    def accrue_costop(self, vms: Ints, now_s: float) -> None:
        """Integrate for how long the vCPUs of VMs on crowded hosts waited for one another."""
        state, delivery = self._state, self._state.delivery
        per_mhz = delivery.costop_per_mhz[vms]
        if not per_mhz.any():
            return
        elapsed_s = now_s - state.accounts.since_s[state.vms.host[vms]]
        waited = delivery.asked_mhz(vms) * per_mhz
        state.vm_accounts.costop_s[vms] += waited * elapsed_s

    def charge(self, vms: Ints) -> None:
        """Charge VMs with what their hosts have failed to give them since they were charged."""
        delivery = self._state.delivery
        self._state.vm_accounts.charge(vms, delivery.asked_mhz(vms), delivery.has_overheads)

    def charge_uncharged(self) -> None:
        """Charge the VMs of hosts that have gone short since these were charged."""
        state = self._state
        uncharged = np.flatnonzero(state.uncharged)
        if len(uncharged):
            self.charge(state.residents.of(uncharged))
            state.uncharged[uncharged] = False

    def charge_copies(self, vms: Ints, now_s: float) -> None:
        """Charge guests ``(1 - guest share)`` of what they want as lost to their migration."""
        state = self._state
        lost_mhz = (1.0 - state.vms.guest_share[vms]) * state.delivery.wanted_mhz(vms)
        state.vm_accounts.charge_copy(vms, lost_mhz, now_s)

    def charge_excess(self, vms: Ints, elapsed_s: float) -> None:
        """Charge demand beyond what the vCPUs can get on the present host's cores."""
        if not self._state.delivery.capped:
            return
        excess_mhz, limit_mhz = self._state.delivery.excess_of(vms)
        self._state.vm_accounts.charge_excess(vms, excess_mhz * elapsed_s, limit_mhz * elapsed_s)

    def busy_s(self, vm: int, now_s: float) -> float:
        """Return for how long a VM has worked so far, in seconds of all its vCPUs.

        Read off the integrals and rates as they stand; nothing is settled.
        """
        state, accounts, vms = self._state, self._state.vm_accounts, self._state.vms
        wanted_mhz = min(vms.demand_mhz.item(vm), state.delivery.ceiling_mhz.item(vm))
        since_s = state.accounts.since_s.item(vms.host.item(vm))
        short_s = state.delivery.shortfall.item(vm) * (now_s - since_s)
        missed_s = accounts.missed_since_mark_s(vm) + short_s
        lost_mhz_s, guest_share = 0.0, vms.guest_share.item(vm)
        if guest_share < 1.0:
            lost_mhz_s = (1.0 - guest_share) * wanted_mhz * accounts.since_copy_s(vm, now_s)
        asked_mhz_s = accounts.requested_mhz_s.item(vm)
        asked_mhz_s += wanted_mhz * (now_s - state.demand_since_s)
        missed_mhz_s = accounts.unserved_mhz_s.item(vm) + accounts.degraded_mhz_s.item(vm)
        missed_mhz_s += guest_share * wanted_mhz * missed_s + lost_mhz_s
        return float((asked_mhz_s - missed_mhz_s) / vms.size_mhz.item(vm))

    # Rates

    def refresh_all(self) -> None:
        """Recompute every host after a change of demand; the placement is unchanged."""
        state = self._state
        state.migration_load.reload()
        rows = state.present.rows
        self.set_rates(slice(None), rows, state.home[rows])

    def refresh(self, rows: Ints) -> None:
        """Recount and recompute some hosts, ascending and each named once."""
        state, hosts, vms, count = self._state, self._state.hosts, self._state.vms, len(rows)
        state.changed.update(rows.tolist())
        guests = state.residents.of(rows)
        comers = self._affected(rows, vms.moving_to, state.migrating)
        at = np.searchsorted(rows, vms.host[guests])
        to = np.searchsorted(rows, vms.moving_to[comers])
        memory_mib = self._footprint_mib(guests, rows, at)
        if len(comers):
            # Nobody on these hosts gives counts, integers, to which nothing can be added in place.
            memory_mib = memory_mib + self._footprint_mib(comers, rows, to)
        hosts.sending[rows] = 0
        if len(state.fetching):
            memory_mib = memory_mib + self._kept_mib(rows)
        hosts.memory_used_mib[rows] = memory_mib
        hosts.committed_mhz[rows] = sum_by(at, weights=vms.size_mhz[guests], minlength=count)
        vcpus = sum_by(at, weights=vms.vcpus[guests].astype(np.float64), minlength=count)
        hosts.vcpus[rows] = vcpus
        hosts.vm_count[rows] = np.bincount(at, minlength=count)
        hosts.incoming[rows] = np.bincount(to, minlength=count)
        state.accounts.note_held(rows, memory_mib, vcpus)
        if state.delivery.contended:
            state.delivery.set_contention(rows, guests, at, memory_mib)
        self.set_rates(rows, guests, at)

    def _footprint_mib(self, vms: Ints, rows: Ints, at: Ints) -> Floats:
        """Return the memory that VMs take on hosts; ``at`` are their positions in ``rows``."""
        footprint_mib = self._state.delivery.footprint_mib(vms, rows[at])
        return sum_by(at, weights=footprint_mib, minlength=len(rows))

    def _kept_mib(self, rows: Ints) -> Floats:
        """Return the memory of guests elsewhere that some hosts still keep, and count these."""
        state = self._state
        away = self._affected(rows, state.vms.pages_at, state.fetching)
        at = np.searchsorted(rows, state.vms.pages_at[away])
        state.hosts.sending[rows] = np.bincount(at, minlength=len(rows))
        return self._footprint_mib(away, rows, at)

    def _affected(self, rows: Ints, host_of: Ints, vms: Ints) -> Ints:
        """Return which of some VMs concern some hosts, by a column; O(migrations under way)."""
        if not len(vms):
            return vms
        self._marked[rows] = True
        affected = vms[self._marked[host_of[vms]]]
        self._marked[rows] = False
        return affected

    def set_rates(self, rows: Ints | slice, guests: Ints | slice, at: Ints) -> None:
        """Recompute what hosts deliver and draw; power follows utilisation by their models.

        ``at`` is the position of each guest's host in ``rows``; positions beyond the last host
        stand for none.
        """
        state, hosts, accounts = self._state, self._state.hosts, self._state.accounts
        power = hosts.state[rows]
        on: Bools = (power == PowerState.ON) | (power == PowerState.DRAINING)
        allocated = state.delivery.allocate(
            rows, guests, at, on, state.migration_load.load_mhz[rows]
        )
        utilisation = allocated.delivered_mhz / hosts.cpu_mhz[rows]
        violating = utilisation >= FULL
        if state.violation.incoming_counts_as_violation:
            violating |= hosts.incoming[rows] > 0
        hosts.demand_mhz[rows] = allocated.demand_mhz
        hosts.delivered_mhz[rows] = allocated.delivered_mhz
        accounts.utilisation[rows] = utilisation
        active = on & ~allocated.idle
        rates = np.empty((RATES, len(on)))
        rates[Rate.POWER_W] = hosts.watts(rows, utilisation, on)
        rates[Rate.ON] = on
        rates[Rate.ACTIVE] = active
        rates[Rate.VIOLATING] = active & violating
        rates[Rate.DELIVERED_MHZ] = allocated.delivered_mhz
        rates[Rate.UNSERVED_MHZ] = allocated.unserved_mhz
        rates[Rate.SATURATED_MHZ] = allocated.saturated_mhz
        rates[Rate.VMS] = hosts.vm_count[rows]
        rates[Rate.MEMORY_MIB] = hosts.memory_used_mib[rows] * on
        rates[Rate.VCPUS] = hosts.vcpus[rows] * on
        rates[Rate.PROMISED_MHZ] = hosts.committed_mhz[rows] * on
        if on.all():
            rates[Rate.SWITCHING] = rates[Rate.FAILED] = 0.0
        else:
            failed = power == PowerState.FAILED
            rates[Rate.SWITCHING] = ~on & ~failed & (power != PowerState.OFF)
            rates[Rate.FAILED] = failed
        accounts.note_violating(rows, rates[Rate.VIOLATING])
        accounts.set_rates(rows, rates, (hosts.cpu_mhz, hosts.memory_mib))
