"""Many slots of demand at once, while nothing else changes.

While VMs stay where they are, the rates of a host in a slot follow from its guests' demand alone.
So blocks of VMs or hosts are taken over all slots, which keeps them in the cache, instead of all
hosts slot by slot. What is added up over time is added in the order of time, and what is added up
over guests in the order of guests, so that every integral is that of the path slot by slot to the
last bit.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from ..accounts.accounts import FULL, LEVELS, Rate, ViolationChanges
from ..base.arrays import Bools, Floats, Ints
from ..base.lazy_dataclass import dataclass
from ..delivery.guest_layers import GuestLayers
from ..delivery.saturated_hosts import HostSums
from ..delivery.slot_loads import SlotLoads
from ..state.columns import PowerState
from ..workload.demand import DemandBatch
from .farm_rates import FarmRates
from .farm_state import FarmState

BLOCK_HOSTS = 1024
BLOCK_HISTOGRAMS = 128
BLOCK_VMS = 2048
"""Hosts, their histograms, or VMs taken over all slots at a time: what a core's cache holds."""

HELD = (Rate.ON, Rate.VMS, Rate.SWITCHING, Rate.FAILED, Rate.MEMORY_MIB, Rate.VCPUS,
        Rate.PROMISED_MHZ)  # fmt: skip
"""Rates that demand does not change."""


@dataclass(frozen=True)
class Instants:
    """Instants in s at which a farm is settled, ascending, and at which of them a slot begins."""

    start_s: float
    ends_s: Sequence[float]
    begins: Sequence[bool]


class SlotBatches:
    """Makes batches of slots for one farm."""

    def __init__(self, state: FarmState, rates: FarmRates) -> None:
        self._state, self._rates = state, rates
        self._layers: GuestLayers | None = None
        self._vms: Ints = np.empty(0, np.int64)
        self._home: Ints = np.empty(0, np.int64)

    def fits(self, now_s: float) -> bool:
        """Whether nothing is under way that a batch from now on would have to look at.

        To be asked when a slot has just begun.
        """
        state = self._state
        under_way = len(state.migrating) + len(state.slowed) + len(state.fetching)
        return (
            state.demand_since_s == now_s
            and not under_way
            and not state.present.stale
            and not state.delivery.adjusts
            and not state.ledgers
            and not state.own_ledgers
            and not state.accounts.followed
        )

    def make(self, demand: DemandBatch, instants: Instants, running: Ints | slice) -> "SlotBatch":
        """Return a batch of the slots that begin at some instants, the last of them at the end.

        ``running`` are the VMs that run, in the order in which their work is wanted.
        """
        demand = demand.without(self._state.present.inactive)
        guests = self._guests()
        return SlotBatch(self._state, self._rates, demand, instants, guests, running)

    def _guests(self) -> GuestLayers:
        """Return the guests of all hosts, listed anew where VMs have come, left or moved."""
        state, rows = self._state, self._state.present.rows
        home = state.home[rows]
        vms = np.arange(len(home)) if isinstance(rows, slice) else rows
        same = np.array_equal(vms, self._vms) and np.array_equal(home, self._home)
        if self._layers is None or not same:
            self._vms, self._home = vms.copy(), home.copy()
            self._layers = GuestLayers(self._vms, self._home, len(state.hosts))
        return self._layers


class SlotBatch:
    """Rates and integrals of one batch.

    ``worked_mhz_s`` is what VMs have asked for in the slot before each one that begins, (slots,
    vms), and ``missed_mhz_s`` what those ``watched``, who may go without something, went without,
    (slots, watched). Made with the integrals of VMs at the end of the batch; those of hosts follow
    with :meth:`settle` at every instant, :meth:`begin` where a slot begins, and :meth:`finish`.
    """

    def __init__(
        self,
        state: FarmState,
        rates: FarmRates,
        demand: DemandBatch,
        instants: Instants,
        layers: GuestLayers,
        running: Ints | slice,
    ) -> None:
        self._state, self._rates, self._demand = state, rates, demand
        self._ends_s, self._begins = instants.ends_s, instants.begins
        self._elapsed_s = np.diff([instants.start_s, *instants.ends_s])
        started = list(accumulate(map(int, instants.begins)))
        self._slot_of: list[int] = [0, *started[:-1]]
        """Number of the slot in force before each instant; 0 is the one before the batch."""
        power = state.hosts.state
        self._on: Bools = (power == PowerState.ON) | (power == PowerState.DRAINING)
        self._slot = 0
        loads = SlotLoads.of(state.delivery, demand, layers, len(state.hosts))
        self.worked_mhz_s = self._ask(running)
        self._set_loads(loads)
        self.watched, self.missed_mhz_s = self._account_for_shortage(loads.over)
        self._set_rates()
        self._note_utilisation()
        self._sort_rates()

    def _set_loads(self, loads: SlotLoads) -> None:
        """Set what hosts are asked for and give in each slot, as far as sums tell it."""
        delivery = self._state.delivery
        self._load_mhz: Floats = loads.load_mhz
        self._unserved_mhz: Floats | None = loads.unserved_mhz
        self._others_mhz = delivery.others_mhz(self._on)
        self._capacity_mhz = self._state.hosts.cpu_mhz - delivery.base_mhz
        asked_mhz = self._load_mhz + self._others_mhz
        self._saturated: Bools = asked_mhz > self._capacity_mhz
        if loads.limited is not None:
            self._saturated |= loads.limited
        self._saturated &= self._on
        self._delivered_mhz: Floats = np.minimum(asked_mhz, self._capacity_mhz, out=asked_mhz)
        self._saturated_mhz: Floats | None = None

    # VMs

    def _ask(self, running: Ints | slice) -> Floats:
        """Integrate what VMs ask for; return that of the slot before each one that begins."""
        state, requested = self._state, self._state.vm_accounts.requested_mhz_s
        count = len(requested[running])
        worked = np.empty((len(self._demand), count))
        for first in range(0, count, BLOCK_VMS):
            at = slice(first, min(first + BLOCK_VMS, count))
            vms = at if isinstance(running, slice) else running[at]
            rows = [state.vms.demand_mhz[vms], *self._demand.of(vms)]
            so_far, so_far_at_start = requested[vms].copy(), requested[vms]
            added, slot = np.empty_like(so_far), 0
            for elapsed_s, begins in zip(self._elapsed_s.tolist(), self._begins, strict=True):
                np.multiply(rows[slot], elapsed_s, out=added)
                so_far += added
                if begins:
                    np.subtract(so_far, so_far_at_start, out=worked[slot, at])
                    so_far_at_start = so_far.copy()
                    slot += 1
            requested[vms] = so_far
        return worked

    def _account_for_shortage(self, over: Ints) -> tuple[Ints, Floats | None]:
        """Look VM by VM at hosts that are saturated in any slot, and at VMs ``over`` their limit.

        Charges all that VMs go without. Returns the VMs looked at, and what each missed in the slot
        before each one that begins.
        """
        state, delivery, rates = self._state, self._state.delivery, self._rates
        if delivery.capped:
            over = np.union1d(over, np.flatnonzero(state.vms.demand_mhz > delivery.ceiling_mhz))
        short = np.flatnonzero(self._saturated.any(axis=0) | delivery.saturated | state.uncharged)
        crowded = np.flatnonzero(delivery.costop_per_mhz)
        if not len(short) and not len(over) and not len(crowded):
            return over, None
        guests = self._guests_of(short)
        watched = np.union1d(guests, np.union1d(over, crowded))
        settled = np.union1d(short, state.vms.host[crowded])
        demand_mhz = self._demand.of(watched)
        missed_mhz_s = np.empty_like(demand_mhz)
        accounts = state.vm_accounts
        before = accounts.unserved_mhz_s[watched] + accounts.degraded_mhz_s[watched]
        slot = 0
        for elapsed_s, end_s, begins in zip(
            self._elapsed_s.tolist(), self._ends_s, self._begins, strict=True
        ):
            rates.accrue(np.flatnonzero(delivery.saturated), end_s)
            if len(crowded):
                rates.accrue_costop(crowded, end_s)
            rates.charge_excess(over, elapsed_s)
            rates.charge_uncharged()
            state.accounts.since_s[settled] = end_s
            if begins:
                missed = accounts.unserved_mhz_s[watched] + accounts.degraded_mhz_s[watched]
                missed_mhz_s[slot], before = missed - before, missed
                state.vms.demand_mhz[watched] = demand_mhz[slot]
                self._share_out(slot, guests)
                slot += 1
        return watched, missed_mhz_s

    def _guests_of(self, hosts: Ints) -> Ints:
        """Return the VMs on hosts in the order in which they are added up."""
        state = self._state
        rows, chosen = state.present.rows, np.zeros(len(state.hosts) + 1, bool)
        chosen[hosts] = True
        of_these = np.flatnonzero(chosen[state.home[rows]])
        return of_these if isinstance(rows, slice) else rows[of_these]

    def _share_out(self, slot: int, guests: Ints) -> None:
        """Correct what hosts that are saturated in a slot, or were in the one before, give."""
        state, delivery = self._state, self._state.delivery
        chosen = np.append(self._saturated[slot] | delivery.saturated, False)
        hosts = np.flatnonzero(chosen)
        if not len(hosts):
            return
        if self._unserved_mhz is None:
            self._unserved_mhz = np.zeros_like(self._load_mhz)
        if self._saturated_mhz is None:
            self._saturated_mhz = np.zeros_like(self._load_mhz)
        corrected = (
            self._load_mhz, self._delivered_mhz, self._unserved_mhz, self._saturated_mhz,
        )  # fmt: skip
        sums = HostSums(
            self._others_mhz[hosts], self._capacity_mhz[hosts], self._saturated[slot, hosts],
            *(each[slot, hosts] for each in corrected),
        )  # fmt: skip
        delivery.share_out(hosts, guests[chosen[state.home[guests]]], sums)
        found = (sums.load_mhz, sums.delivered_mhz, sums.unserved_mhz, sums.saturated_mhz)
        for each, values in zip(corrected, found, strict=True):
            each[slot, hosts] = values

    # Hosts

    def _set_rates(self) -> None:
        """Set what follows from demand for all hosts, from the slot now in force on."""
        state, hosts, on = self._state, self._state.hosts, self._on
        now, shape = state.accounts.rates, (len(self._demand) + 1, len(hosts))
        self._utilisation, self._power_w, self._given_mhz = (np.empty(shape) for _ in range(3))
        self._active, self._violating = np.empty(shape, bool), np.empty(shape, bool)
        self._utilisation[0] = state.accounts.utilisation
        self._power_w[0], self._given_mhz[0] = now[Rate.POWER_W], now[Rate.DELIVERED_MHZ]
        self._active[0], self._violating[0] = now[Rate.ACTIVE] > 0, now[Rate.VIOLATING] > 0
        base_mhz = state.delivery.base_mhz * on
        for first in range(0, len(hosts), BLOCK_HOSTS):
            rows = slice(first, first + BLOCK_HOSTS)
            given_mhz = self._delivered_mhz[:, rows] * on[rows]
            given_mhz += base_mhz[rows]
            self._given_mhz[1:, rows] = given_mhz
            given_mhz /= hosts.cpu_mhz[rows]
            self._utilisation[1:, rows] = given_mhz
            self._power_w[1:, rows] = hosts.watts(rows, given_mhz, on[rows])
            active = on[rows] & (self._load_mhz[:, rows] > 0)
            self._active[1:, rows] = active
            self._violating[1:, rows] = active & (given_mhz >= FULL)

    def _note_utilisation(self) -> None:
        on = np.flatnonzero(self._on)
        for first in range(0, len(on), BLOCK_HISTOGRAMS):
            hosts = on[first : first + BLOCK_HISTOGRAMS]
            utilisation = self._utilisation[:-1, hosts]
            if len(utilisation) != len(self._elapsed_s):
                utilisation = utilisation[self._slot_of]
            self._state.accounts.note_utilisations(hosts, utilisation, self._elapsed_s)

    def _sort_rates(self) -> None:
        """Tell rates that differ between slots from others, which are held; leave out zeros."""
        accounts = self._state.accounts
        demanded = {
            Rate.ACTIVE: self._active,
            Rate.VIOLATING: self._violating,
            Rate.UNSERVED_MHZ: self._from_now(Rate.UNSERVED_MHZ, self._unserved_mhz),
            Rate.SATURATED_MHZ: self._from_now(Rate.SATURATED_MHZ, self._saturated_mhz),
        }
        self._varying: dict[int, Floats | Bools] = {
            Rate.POWER_W: self._power_w, Rate.DELIVERED_MHZ: self._given_mhz,
        }  # fmt: skip
        self._held = {rate: accounts.rates[rate] for rate in HELD if accounts.rates[rate].any()}
        for rate, values in demanded.items():
            if values is None or not values.any():
                accounts.rates[rate] = 0.0
            elif (values == values[0]).all():
                self._held[rate] = accounts.rates[rate]
            else:
                self._varying[rate] = values
        self._added: dict[float, list[Floats]] = {}
        """What rates that are held add to their integrals, by elapsed time."""
        self._levels = accounts.rates[LEVELS].sum(axis=1).tolist()
        self._power_sum_w = self._power_w.sum(axis=1).tolist()
        self._given_sum_mhz = self._given_mhz.sum(axis=1).tolist()
        self._violates = bool(self._violating.any())

    def _from_now(self, rate: int, values: Floats | None) -> Floats | None:
        """Return a rate in all slots, from the one now in force on; None where it is 0."""
        now = self._state.accounts.rates[rate]
        if values is None:
            if not now.any():
                return None
            values = np.zeros((len(self._demand), len(now)))
        return np.concatenate([now[None, :], values])

    # What happens at the instants

    def settle(self, at: int) -> None:
        """Bring the integrals of hosts up to an instant, given by its number."""
        accounts, elapsed_s = self._state.accounts, float(self._elapsed_s[at])
        accounts.levels.close(self._ends_s[at])
        if elapsed_s not in self._added:
            self._added[elapsed_s] = [rate * elapsed_s for rate in self._held.values()]
        for rate, added in zip(self._held, self._added[elapsed_s], strict=True):
            accounts.totals[rate] += added
        for rate, values in self._varying.items():
            accounts.totals[rate] += values[self._slot] * elapsed_s

    def begin(self, now_s: float) -> None:
        """Begin the next slot."""
        accounts = self._state.accounts
        self._slot += 1
        slot, (_, _, memory_mib, promised_mhz) = self._slot, self._levels
        if self._violates:
            violating = self._violating[slot]
            rows = np.flatnonzero(violating != self._violating[slot - 1])
            if len(rows):
                accounts.violation_changes.append(
                    ViolationChanges(
                        rows, np.full(len(rows), now_s), violating[rows],
                        accounts.totals[Rate.SATURATED_MHZ, rows],
                    )
                )  # fmt: skip
        accounts.levels.set(
            self._power_sum_w[slot], self._given_sum_mhz[slot], memory_mib, promised_mhz
        )

    def finish(self, demand_mhz: Floats) -> None:
        """Leave the farm in the last slot, with ``demand_mhz``, (VMs,), as after its beginning."""
        state, delivery, now_s = self._state, self._state.delivery, self._ends_s[-1]
        present, accounts, hosts = state.present, state.accounts, state.hosts
        for rate, values in self._varying.items():
            accounts.rates[rate] = values[-1]
        accounts.utilisation[:] = self._utilisation[-1]
        accounts.since_s[:] = state.demand_since_s = now_s
        hosts.demand_mhz[:] = self._load_mhz[-1] + self._others_mhz + delivery.base_mhz * self._on
        hosts.delivered_mhz[:] = self._given_mhz[-1]
        delivery.set_load(self._load_mhz[-1])
        state.vms.demand_mhz[present.rows] = demand_mhz[present.rows]
        state.vms.demand_mhz[present.inactive] = 0.0
