"""Time integrals of host and VM rates, exact because rates are constant between events.

``settle`` adds rate times elapsed before anything changes, so no total depends on how often
anybody looks.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from ..base.arrays import Bools, Floats, Ints, cells, singles
from ..base.quantiles import ROUNDING
from .levels_over_time import Levels
from .sets_over_time import FollowedSets

BINS = 200
"""Resolution of the utilisation histograms: half a percentage point."""

FULL = 1.0 - 1e-9
"""Utilisation from which a host counts as saturated: 100 %, up to the rounding of sums."""


class Rate:
    """A rate integrated per host; the integral's unit is the rate's unit times seconds."""

    POWER_W: Final = 0
    ON: Final = 1
    ACTIVE: Final = 2
    VIOLATING: Final = 3
    DELIVERED_MHZ: Final = 4
    UNSERVED_MHZ: Final = 5
    VMS: Final = 6
    SWITCHING: Final = 7
    FAILED: Final = 8
    SATURATED_MHZ: Final = 9
    MEMORY_MIB: Final = 10
    VCPUS: Final = 11
    PROMISED_MHZ: Final = 12


RATES = 13
LEVELS = [Rate.POWER_W, Rate.DELIVERED_MHZ, Rate.MEMORY_MIB, Rate.PROMISED_MHZ]
"""Rates whose sums over all hosts are followed, see :class:`.Levels`."""


class ViolationChanges(NamedTuple):
    """Hosts that started (``violating``) or stopped violating at ``time_s``.

    ``missed_mhz_s`` is the integral of SATURATED_MHZ until then.
    """

    hosts: Ints
    time_s: Floats
    violating: Bools
    missed_mhz_s: Floats


class HostAccounts:
    """Rates and integrals per host.

    ``rates`` and ``totals`` have shape (rates, hosts). ON counts time switched on, ACTIVE time
    on and asked for CPU, SHORT active time that counts as a violation, UNSERVED guest work not
    done, SATURATED the part of it that the host had no CPU or I/O left for, SWITCHING time
    booting or shutting down, FAILED time until repair; on hosts that are on MEMORY counts
    what guests and reservations hold, VCPUS and PROMISED the vCPUs and the size of the guests.
    ``levels`` are what all hosts do together, followed over time, ``followed`` what sets of them
    do.
    """

    def __init__(self, hosts: int) -> None:
        self.rates = np.zeros((RATES, hosts))
        self.totals = np.zeros((RATES, hosts))
        self.since_s = np.zeros(hosts)
        self.utilisation = np.zeros(hosts)
        self.peak_utilisation = np.zeros(hosts)
        self.peak_memory_mib = np.zeros(hosts)
        self.peak_vcpus = np.zeros(hosts)
        self.boots = np.zeros(hosts, np.int64)
        self.stops = np.zeros(hosts, np.int64)
        self.failures = np.zeros(hosts, np.int64)
        self.levels = Levels()
        self.followed: list[FollowedSets] = []
        self.violation_changes: list[ViolationChanges] = []
        """When hosts began or ceased to violate, in order of time, until somebody takes them."""
        self._histogram = np.zeros((hosts, BINS + 1))
        self._rows = np.arange(hosts)
        self._rates_of, self._totals_of = self.rates.T, self.totals.T
        self._rate, self._spent = cells(self.rates), cells(self._histogram)
        self._since, self._utilisation = singles(self.since_s), singles(self.utilisation)
        self._peak = singles(self.peak_utilisation)

    def _close(self, now_s: float) -> None:
        """Note what all hosts, and sets of them, have done since something changed last."""
        length_s = now_s - self.levels.since_s
        self.levels.close(now_s)
        for each in self.followed:
            power_w, on = self.rates[Rate.POWER_W], self.rates[Rate.ON]
            each.note(power_w, self.rates[Rate.DELIVERED_MHZ], on, length_s)

    def settle_all(self, now_s: float) -> None:
        """Integrate every host up to ``now_s``."""
        if now_s > self.levels.since_s:
            self._close(now_s)
        elapsed_s = now_s - self.since_s
        self.totals += self.rates * elapsed_s
        self._note_utilisation(self._rows, elapsed_s)
        self.since_s[:] = now_s

    def settle(self, hosts: Ints, now_s: float) -> None:
        """Integrate some hosts, each named once, up to ``now_s``."""
        if now_s > self.levels.since_s:
            self._close(now_s)
        elapsed_s = now_s - self.since_s[hosts]
        self.totals[:, hosts] += self.rates[:, hosts] * elapsed_s
        self._note_utilisation(hosts, elapsed_s)
        self.since_s[hosts] = now_s

    def settle_one(self, host: int, now_s: float) -> None:
        """Integrate one host up to ``now_s``, at a tenth of the cost of an array of one."""
        elapsed_s = now_s - self._since[host]
        if elapsed_s <= 0:
            return
        if now_s > self.levels.since_s:
            self._close(now_s)
        self._totals_of[host] += self._rates_of[host] * elapsed_s
        self._since[host] = now_s
        if self._rate[Rate.ON, host] > 0:
            utilisation = self._utilisation[host]
            self._spent[host, int(utilisation * BINS + 0.5)] += elapsed_s
            self._peak[host] = max(self._peak[host], utilisation)

    def set_rates(self, hosts: Ints | slice, rates: Floats, have: tuple[Floats, Floats]) -> None:
        """Set all rates of some hosts, settled, each named once.

        ``have`` is the CPU in MHz and the memory in MiB of every host.
        """
        if not isinstance(hosts, slice) and len(hosts) == 1:
            self._set_rates_of(hosts.item(0), rates[:, 0], have)
            return
        levels, before = self.levels, self.rates[:, hosts]
        switched = not np.array_equal(before[Rate.ON], rates[Rate.ON])
        if not isinstance(hosts, slice):
            levels.shift(*(rates[LEVELS] - before[LEVELS]).sum(axis=1).tolist())
        self.rates[:, hosts] = rates
        if isinstance(hosts, slice):
            levels.set(*self.rates[LEVELS].sum(axis=1).tolist())
        if switched:
            levels.set_on(self.rates[Rate.ON], *have)

    def set_rates_of_one(self, host: int, rates: Sequence[float]) -> list[float]:
        """Do as :meth:`set_rates` for one host that stays on, and note where it violates.

        Returns by how much its :data:`LEVELS` rise, which the caller tells ``levels``.
        """
        before = self._rates_of[host].tolist()
        if rates[Rate.VIOLATING] != before[Rate.VIOLATING]:
            self._note_one_violating(host, bool(rates[Rate.VIOLATING]))
        self._rates_of[host] = rates
        return [rates[rate] - before[rate] for rate in LEVELS]

    def _set_rates_of(self, host: int, rates: Floats, have: tuple[Floats, Floats]) -> None:
        """Do as :meth:`set_rates` for one host."""
        now, before = rates.tolist(), self._rates_of[host].tolist()
        self.levels.shift(*[now[rate] - before[rate] for rate in LEVELS])
        self._rates_of[host] = rates
        if now[Rate.ON] != before[Rate.ON]:
            self.levels.set_on(self.rates[Rate.ON], *have)

    def note_violating(self, hosts: Ints | slice, rate: Floats) -> None:
        """Note that hosts, settled, begin (1) or cease (0) to violate; others keep their rate."""
        changed = self.rates[Rate.VIOLATING, hosts] != rate
        if changed.any():
            rows, violating = self._rows[hosts][changed], rate > 0
            missed_mhz_s = self.totals[Rate.SATURATED_MHZ, rows]
            self.violation_changes.append(
                ViolationChanges(rows, self.since_s[rows], violating[changed], missed_mhz_s)
            )

    def _note_one_violating(self, host: int, violating: bool) -> None:
        """Note that a host, settled, begins or ceases to violate."""
        missed_mhz_s = self.totals.item(Rate.SATURATED_MHZ, host)
        columns = [host], [self.since_s.item(host)], [violating], [missed_mhz_s]
        self.violation_changes.append(ViolationChanges(*map(np.array, columns)))

    def set_load_of_one(
        self,
        host: int,
        utilisation: float,
        power_w: float,
        delivered_mhz: float,
        active: bool,
        violating: bool,
    ) -> None:
        """Set what one host that is on, settled, delivers and draws."""
        rate = self._rate
        self._utilisation[host] = utilisation
        self.levels.shift(
            power_w - rate[Rate.POWER_W, host],
            delivered_mhz - rate[Rate.DELIVERED_MHZ, host],
            0.0,
            0.0,
        )
        rate[Rate.POWER_W, host], rate[Rate.DELIVERED_MHZ, host] = power_w, delivered_mhz
        rate[Rate.ACTIVE, host] = float(active)
        if violating != (rate[Rate.VIOLATING, host] > 0):
            rows = np.array([host])
            missed_mhz_s = self.totals[Rate.SATURATED_MHZ, rows]
            self.violation_changes.append(
                ViolationChanges(rows, self.since_s[rows], np.array([violating]), missed_mhz_s)
            )
            rate[Rate.VIOLATING, host] = float(violating)

    def set_held_of_one(
        self, host: int, vms: float, memory_mib: float, vcpus: float, promised_mhz: float
    ) -> None:
        """Set what the guests of one host that is on, settled, and reservations on it hold."""
        rate = self._rate
        self.levels.shift(
            0.0,
            0.0,
            memory_mib - rate[Rate.MEMORY_MIB, host],
            promised_mhz - rate[Rate.PROMISED_MHZ, host],
        )
        rate[Rate.VMS, host], rate[Rate.MEMORY_MIB, host] = vms, memory_mib
        rate[Rate.VCPUS, host], rate[Rate.PROMISED_MHZ, host] = vcpus, promised_mhz

    def set_missed_of_one(self, host: int, unserved_mhz: float, saturated_mhz: float) -> None:
        """Set what the guests of one host, settled, go without, and its part due to the host."""
        self._rate[Rate.UNSERVED_MHZ, host] = unserved_mhz
        self._rate[Rate.SATURATED_MHZ, host] = saturated_mhz

    def note_held_of_one(self, host: int, memory_mib: float, vcpus: float) -> None:
        """Do as :meth:`note_held` for one host."""
        self.peak_memory_mib[host] = max(self.peak_memory_mib.item(host), memory_mib)
        self.peak_vcpus[host] = max(self.peak_vcpus.item(host), vcpus)

    def note_held(self, hosts: Ints, memory_mib: Floats, vcpus: Floats) -> None:
        """Update the maximum memory in use and the maximum number of vCPUs."""
        self.peak_memory_mib[hosts] = np.maximum(self.peak_memory_mib[hosts], memory_mib)
        self.peak_vcpus[hosts] = np.maximum(self.peak_vcpus[hosts], vcpus)

    def _note_utilisation(self, hosts: Ints, elapsed_s: Floats) -> None:
        counts = (self.rates[Rate.ON, hosts] > 0) & (elapsed_s > 0)
        seen = hosts[counts]
        utilisation = self.utilisation[seen]
        self._histogram[seen, (utilisation * BINS + 0.5).astype(np.int64)] += elapsed_s[counts]
        self.peak_utilisation[seen] = np.maximum(self.peak_utilisation[seen], utilisation)

    def note_utilisations(self, hosts: Ints, utilisation: Floats, elapsed_s: Floats) -> None:
        """Note the utilisation of hosts that are on in several intervals, (intervals, hosts)."""
        cells = (utilisation * BINS + 0.5).astype(np.int64)
        cells += hosts * (BINS + 1)
        # One after another, as the intervals come: sums depend on the order.
        np.add.at(self._histogram.reshape(-1), cells.ravel(), np.repeat(elapsed_s, len(hosts)))
        highest = utilisation.max(axis=0, initial=0.0)
        self.peak_utilisation[hosts] = np.maximum(self.peak_utilisation[hosts], highest)

    def quantile(self, q: float) -> Floats:
        """Return per host the ``q`` quantile of utilisation while on, by nearest rank.

        That is the smallest utilisation at or below which ``q`` of the time lies, rounded to half
        a percentage point; 0 for a host that was never on.
        """
        cumulated = np.cumsum(self._histogram, axis=1)
        wanted = q * cumulated[:, -1] * (1 - ROUNDING)
        position = np.minimum((cumulated < wanted[:, None]).sum(axis=1), BINS)
        value: Floats = np.minimum(position / BINS, self.peak_utilisation)
        return value

    def total(self, rate: int) -> Floats:
        """Return the integral of one rate per host, as of the last settlement."""
        total: Floats = self.totals[rate]
        return total


class VmAccounts:
    """Integrals per VM: CPU requested while on a host, unserved there, lost to migration.

    ``limit_mhz_s`` and ``overhead_mhz_s`` are the parts of ``unserved_mhz_s`` that the VM's own
    vCPUs, limit or slow cores, and the overhead on its vCPUs, account for; the rest is saturated
    hosts.
    The integral of the share of its wanted work that a VM goes without grows only on hosts
    that cannot give all. A VM is charged its demand times the growth of that integral since
    its own mark, so a VM that nothing happens to costs nothing. ``ready_s`` is the time that its
    vCPUs, on average, were ready and did not run, ``costop_s`` the time that they waited for one
    another.
    """

    def __init__(self, vms: int) -> None:
        self.requested_mhz_s = np.zeros(vms)
        self.unserved_mhz_s = np.zeros(vms)
        self.limit_mhz_s = np.zeros(vms)
        self.overhead_mhz_s = np.zeros(vms)
        self.degraded_mhz_s = np.zeros(vms)
        self.ready_s = np.zeros(vms)
        self.costop_s = np.zeros(vms)
        self.migrations = np.zeros(vms, np.int64)
        self._shortfall_s = np.zeros(vms)
        self._shortfall_mark_s = np.zeros(vms)
        self._overhead_s = np.zeros(vms)
        self._overhead_mark_s = np.zeros(vms)
        self._copy_since_s = np.zeros(vms)
        self._missed_of, self._ready_of = singles(self._shortfall_s), singles(self.ready_s)

    def accrue(
        self,
        vms: Ints,
        shortfall: Floats,
        waiting: Floats,
        elapsed_s: Floats,
        overhead: Floats | None = None,
    ) -> None:
        """Integrate what VMs were not served over the time since their hosts were settled.

        ``overhead`` is the part of the shortfall that is overhead on their own vCPUs.
        """
        self._shortfall_s[vms] += shortfall * elapsed_s
        self.ready_s[vms] += waiting * elapsed_s
        if overhead is not None:
            self._overhead_s[vms] += overhead * elapsed_s

    def accrue_few(
        self, vms: list[int], shortfall: Floats, waiting: Floats, elapsed_s: float
    ) -> None:
        """Do as :meth:`accrue` for a few VMs, given the columns of all, without overhead."""
        missed_s, ready_s = self._missed_of, self._ready_of
        short, waits = singles(shortfall), singles(waiting)
        for vm in vms:
            missed_s[vm] += short[vm] * elapsed_s
            ready_s[vm] += waits[vm] * elapsed_s

    def mark(self, vms: Ints) -> None:
        """Start charging VMs from now."""
        self._shortfall_mark_s[vms] = self._shortfall_s[vms]
        self._overhead_mark_s[vms] = self._overhead_s[vms]

    def mark_one(self, vm: int) -> None:
        """Do as :meth:`mark` for one VM."""
        self._shortfall_mark_s[vm] = self._shortfall_s.item(vm)
        self._overhead_mark_s[vm] = self._overhead_s.item(vm)

    def charge(self, vms: Ints, wanted_mhz: Floats, overheads: bool) -> None:
        """Charge VMs with what their hosts failed to deliver since the mark, and mark again.

        Without ``overheads`` none of that has been overhead.
        """
        shortfall_s = self._shortfall_s[vms]
        self.unserved_mhz_s[vms] += wanted_mhz * (shortfall_s - self._shortfall_mark_s[vms])
        self._shortfall_mark_s[vms] = shortfall_s
        if overheads:
            overhead_s = self._overhead_s[vms]
            self.overhead_mhz_s[vms] += wanted_mhz * (overhead_s - self._overhead_mark_s[vms])
            self._overhead_mark_s[vms] = overhead_s

    def charge_excess(self, vms: Ints, excess_mhz_s: Floats, limit_mhz_s: Floats) -> None:
        """Charge VMs with demand beyond what their vCPUs can get, and its part due to limits."""
        self.unserved_mhz_s[vms] += excess_mhz_s
        self.limit_mhz_s[vms] += limit_mhz_s
        self.overhead_mhz_s[vms] += excess_mhz_s - limit_mhz_s

    def charge_one(self, vm: int, wanted_mhz: float) -> None:
        """Do as :meth:`charge` for one VM, without overheads."""
        shortfall_s = self._shortfall_s.item(vm)
        missed_s = shortfall_s - self._shortfall_mark_s.item(vm)
        if missed_s:
            self.unserved_mhz_s[vm] += wanted_mhz * missed_s
            self._shortfall_mark_s[vm] = shortfall_s

    def charge_copy_of_one(self, vm: int, lost_mhz: float, now_s: float) -> None:
        """Do as :meth:`charge_copy` for one VM."""
        if lost_mhz:
            self.degraded_mhz_s[vm] += lost_mhz * (now_s - self._copy_since_s.item(vm))
        self._copy_since_s[vm] = now_s

    def missed_since_mark_s(self, vm: int) -> float:
        """Return the shortfall of a VM that it has not been charged for yet."""
        return self._shortfall_s.item(vm) - self._shortfall_mark_s.item(vm)

    def since_copy_s(self, vm: int, now_s: float) -> float:
        """Return the time since what a migration takes from a VM was charged last."""
        return now_s - self._copy_since_s.item(vm)

    def mark_copy(self, vms: Ints, now_s: float) -> None:
        """Start charging migrating VMs with what the migration takes from them."""
        self._copy_since_s[vms] = now_s

    def charge_copy(self, vms: Ints, lost_mhz: Floats, now_s: float) -> None:
        """Charge work that VMs may not ask of their hosts, over the time since the mark."""
        self.degraded_mhz_s[vms] += lost_mhz * (now_s - self._copy_since_s[vms])
        self.mark_copy(vms, now_s)
