"""Time for which each VM, and any VM, has run on each host."""

import numpy as np

from ..base.arrays import Bools, Floats, Ints

NOT_RUNNING = -1.0


class Presence:
    """Time that each VM has run, and that any has; ``changes`` counts arrivals and departures."""

    def __init__(self, vms: int) -> None:
        self.changes = 0
        self._ran_s = np.zeros(vms)
        self._since_s = np.full(vms, NOT_RUNNING)
        self._running, self._occupied_s, self._occupied_since_s = 0, 0.0, 0.0

    def begin(self, vms: Ints, now_s: float) -> None:
        """Note that VMs begin to run on hosts that are on."""
        if not self._running and len(vms):
            self._occupied_since_s = now_s
        self._running += len(vms)
        self.changes += len(vms)
        self._since_s[vms] = now_s

    def end(self, vms: Ints, now_s: float) -> None:
        """Note that VMs leave their hosts; those that were starting had not begun to run."""
        vms = vms[self._since_s[vms] != NOT_RUNNING]
        self._ran_s[vms] += now_s - self._since_s[vms]
        self._since_s[vms] = NOT_RUNNING
        self._running -= len(vms)
        self.changes += len(vms)
        if not self._running and len(vms):
            self._occupied_s += now_s - self._occupied_since_s

    def begin_one(self, vm: int, now_s: float) -> None:
        """Do as :meth:`begin` for one VM."""
        if not self._running:
            self._occupied_since_s = now_s
        self._running += 1
        self.changes += 1
        self._since_s[vm] = now_s

    def end_one(self, vm: int, now_s: float) -> None:
        """Do as :meth:`end` for one VM that runs."""
        self._ran_s[vm] += now_s - self._since_s.item(vm)
        self._since_s[vm] = NOT_RUNNING
        self._running -= 1
        self.changes += 1
        if not self._running:
            self._occupied_s += now_s - self._occupied_since_s

    def ran_s(self, rows: Ints | slice, now_s: float) -> Floats:
        """Return for how long some VMs have run until now."""
        since_s = self._since_s[rows]
        ran_s: Floats = self._ran_s[rows] + np.where(since_s == NOT_RUNNING, 0.0, now_s - since_s)
        return ran_s

    def running(self, rows: Ints | slice) -> Bools:
        """Return which of some VMs run now."""
        running: Bools = self._since_s[rows] != NOT_RUNNING
        return running

    def occupied_s(self, now_s: float) -> float:
        """Return for how long at least one VM has run until now."""
        return self._occupied_s + (now_s - self._occupied_since_s if self._running else 0.0)
