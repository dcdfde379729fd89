"""Work of VMs that are requested but do not run.

A VM is wanted from the first request on: for its lifetime, or to the end of the run. While it
waits for a host, starts, has been turned away, or is down after a failure, its demand is not
done. Rates are constant between two changes, so that the integrals are exact.

A VM with a lifetime lives all of it from when it first runs, so that a wait only shifts its work.
What is not done is the time that the end of the run then cuts off:

``lost = min(L, T - asked) - min(L, T - ran)``,

with ``L`` its lifetime and ``T`` the end of the run. Its demand during the wait counts by the
part ``lost / min(L, ran - asked)``: not at all where the VM ran its whole life after all, in
full where it stays to the end anyway. Time down after the first run is not made up for.
"""

import numpy as np

from ..base.arrays import Bools, Floats, Ints
from ..state.lifetimes import Lifetimes


class NotRunning:
    """Demand of VMs that do not run, integrated per VM.

    ``lifetime_s`` is for how long each VM is wanted, infinite where it stays. Costs at a change
    of demand grow with the VMs that are missing, not with all that there are.
    """

    def __init__(self, vms: int) -> None:
        self.lifetime_s = np.full(vms, np.inf)
        self._waited_mhz_s = np.zeros(vms)
        self._down_mhz_s = np.zeros(vms)
        self._demand_mhz = np.zeros(vms)
        self._since_s = np.zeros(vms)
        self._until_s = np.full(vms, np.nan)
        self._missing: Bools = np.zeros(vms, bool)
        self._first: Bools = np.zeros(vms, bool)
        self._listed: Bools = np.zeros(vms, bool)
        self._rows: Ints = np.empty(0, np.int64)
        self._fresh: list[Ints] = []

    def set_lifetimes(self, lifetime_s: Floats) -> None:
        """Set for how long each VM is wanted once it runs, infinite where it stays."""
        self.lifetime_s = lifetime_s

    @property
    def rows(self) -> Ints:
        """VMs that are missing, and perhaps some that were until the demand was set last."""
        return np.concatenate([self._rows, *self._fresh])

    def wait(self, vms: Ints, demand_mhz: Floats, now_s: float) -> None:
        """Note that VMs are requested and have not run yet; those waiting continue to wait."""
        fresh = vms[self._begin(vms, demand_mhz, now_s)]
        self._first[fresh] = True
        first = fresh[np.isnan(self._until_s[fresh])]
        self._until_s[first] = now_s + self.lifetime_s[first]

    def go_down(self, vms: Ints, demand_mhz: Floats, until_s: Floats, now_s: float) -> None:
        """Note that VMs no longer run, and until when each is wanted."""
        fresh = self._begin(vms, demand_mhz, now_s)
        self._first[vms[fresh]] = False
        self._until_s[vms[fresh]] = until_s[fresh]

    def end(self, vms: Ints, now_s: float) -> None:
        """Note that VMs run, or are no longer requested."""
        ended = vms[self._missing[vms]]
        if len(ended):
            self._settle(ended, now_s)
            self._missing[ended] = False

    def end_one(self, vm: int, now_s: float) -> None:
        """Do as :meth:`end` for one VM."""
        if self._missing.item(vm):
            self.end(np.array([vm]), now_s)

    def note_demand(self, demand_mhz: Floats, now_s: float) -> None:
        """Note the demand of all VMs from now on."""
        rows = self._settle_all(now_s)
        if len(rows):
            self._demand_mhz[rows] = demand_mhz[rows]

    def close(self, end_s: float) -> None:
        """Bring all integrals up to the end of the run."""
        self._settle_all(end_s)

    def missed_mhz_s(self, lives: Lifetimes, end_s: float) -> Floats:
        """Return the work of each VM that was not done because it did not run, in MHz s."""
        return self._down_mhz_s + self._waited_mhz_s * self._part_lost(lives, end_s)

    def _part_lost(self, lives: Lifetimes, end_s: float) -> Floats:
        """Return which part of its wait each VM has not made up for by the end of the run."""
        part = np.ones(len(self.lifetime_s))
        late = np.flatnonzero((self._waited_mhz_s > 0) & ~np.isnan(lives.ran_s))
        life_s, asked_s, ran_s = self.lifetime_s[late], lives.asked_s[late], lives.ran_s[late]
        lost_s = np.minimum(life_s, end_s - asked_s) - np.minimum(life_s, end_s - ran_s)
        counted_s = np.minimum(life_s, ran_s - asked_s)
        np.divide(lost_s, counted_s, out=lost_s, where=counted_s > 0)
        part[late] = np.clip(lost_s, 0.0, 1.0)
        return part

    def _begin(self, vms: Ints, demand_mhz: Floats, now_s: float) -> Bools:
        """Return which of some VMs are missing only from now on."""
        fresh: Bools = ~self._missing[vms]
        begun = vms[fresh]
        self._missing[begun] = True
        self._since_s[begun] = now_s
        self._demand_mhz[begun] = demand_mhz[begun]
        unlisted = begun[~self._listed[begun]]
        self._listed[unlisted] = True
        self._fresh.append(unlisted)
        return fresh

    def _settle_all(self, now_s: float) -> Ints:
        """Update all missing VMs, drop those that are no longer missing, and return the others."""
        rows = self._rows
        if self._fresh:
            rows = np.concatenate([rows, *self._fresh])
            self._fresh.clear()
        if not len(rows):
            return rows
        gone = rows[~self._missing[rows]]
        if len(gone):
            self._listed[gone] = False
            rows = rows[self._missing[rows]]
        self._settle(rows, now_s)
        over = self._until_s[rows] <= now_s
        if over.any():
            self._missing[rows[over]] = self._listed[rows[over]] = False
            rows = rows[~over]
        self._rows = rows
        return rows

    def _settle(self, vms: Ints, now_s: float) -> None:
        lasted_s = np.maximum(np.minimum(self._until_s[vms], now_s) - self._since_s[vms], 0.0)
        asked_mhz_s = self._demand_mhz[vms] * lasted_s
        first = self._first[vms]
        self._waited_mhz_s[vms[first]] += asked_mhz_s[first]
        self._down_mhz_s[vms[~first]] += asked_mhz_s[~first]
        self._since_s[vms] = now_s
