"""The life of each VM, in columns: asked for, running, down, ended.

A VM is *down* from the moment it ceases to run until it runs again or is given up; time before
it runs for the first time is *waiting*. Availability is ``1 - down / (ran + down)``.
"""

from math import isnan

import numpy as np

from ..base.arrays import Floats, Ints


class Lifetimes:
    """Instants in s from the start of the run (NaN: never) and sums per VM.

    ``asked_s`` is the first request, ``ran_s`` when it first ran, ``ended_s`` when it left for
    good; ``first_host`` is −1 before it had any. ``longest_s`` is the longest that it
    was down at a stretch, ``lost_mhz_s`` the CPU work that it would have asked for meanwhile,
    ``losses`` counts the crashes for which a failed migration is the reason, ``absent_s`` the
    time that nobody wanted it between two stays.
    """

    def __init__(self, vms: int) -> None:
        self.asked_s = np.full(vms, np.nan)
        self.ran_s = np.full(vms, np.nan)
        self.ended_s = np.full(vms, np.nan)
        self.down_s = np.zeros(vms)
        self.absent_s = np.zeros(vms)
        self.lost_mhz_s = np.zeros(vms)
        self.longest_s = np.zeros(vms)
        self.crashes = np.zeros(vms, np.int64)
        self.losses = np.zeros(vms, np.int64)
        self.first_host = np.full(vms, -1, np.int64)
        self._down_since_s = np.full(vms, np.nan)
        self._down: Ints = np.empty(0, np.int64)
        self._lost_since_s = 0.0
        self._demand_mhz: Floats = np.zeros(vms)

    @property
    def down(self) -> Ints:
        """VMs that are down now, ascending."""
        return self._down

    def note_asked(self, vms: Ints, now_s: float) -> None:
        """Note requests; a VM that is requested again keeps its first instant."""
        fresh = vms[np.isnan(self.asked_s[vms])]
        self.asked_s[fresh] = now_s
        back = vms[~np.isnan(self.ended_s[vms])]
        if len(back):
            ran = back[~np.isnan(self.ran_s[back])]
            self.absent_s[ran] += now_s - self.ended_s[ran]
            self.ended_s[back] = np.nan

    def note_one_asked(self, vm: int, now_s: float) -> None:
        """Do as :meth:`note_asked` for one VM."""
        if isnan(self.asked_s.item(vm)):
            self.asked_s[vm] = now_s
        if not isnan(self.ended_s.item(vm)):
            self.note_asked(np.array([vm]), now_s)

    def note_one_running(self, vm: int, host: int, now_s: float) -> None:
        """Do as :meth:`note_running` for one VM, while none is down."""
        if isnan(self.ran_s.item(vm)):
            self.ran_s[vm] = now_s
            self.first_host[vm] = host

    def note_running(self, vms: Ints, hosts: Ints, now_s: float) -> None:
        """Note that VMs run from now, on these hosts."""
        first = np.isnan(self.ran_s[vms])
        self.ran_s[vms[first]] = now_s
        self.first_host[vms[first]] = hosts[first]
        if len(self._down):
            self._come_up(vms, now_s)

    def note_down(self, vms: Ints, now_s: float) -> None:
        """Note that VMs, all of which have run before, no longer run; some may be down already."""
        self._settle(now_s)
        vms = vms[~np.isin(vms, self._down)]
        self._down_since_s[vms] = now_s
        self._down = np.union1d(self._down, vms)

    def note_ended(self, vms: Ints, now_s: float) -> None:
        """Note that VMs have left for good, or until they are asked for again."""
        self.ended_s[vms] = now_s
        if len(self._down):
            self._come_up(vms, now_s)

    def note_demand(self, demand_mhz: Floats, now_s: float) -> None:
        """Note what all VMs would ask for from now."""
        if len(self._down):
            self._settle(now_s)
            self._demand_mhz[self._down] = demand_mhz[self._down]

    def close(self, end_s: float) -> None:
        """Bring all sums up to the end of the run."""
        self._settle(end_s)
        self._end_downtime(self._down, end_s)
        self._down_since_s[self._down] = end_s

    def _come_up(self, vms: Ints, now_s: float) -> None:
        up = vms[np.isin(vms, self._down)]
        if not len(up):
            return
        self._settle(now_s)
        self._end_downtime(up, now_s)
        self._down_since_s[up] = np.nan
        self._down = np.setdiff1d(self._down, up)

    def _end_downtime(self, vms: Ints, now_s: float) -> None:
        lasted_s = now_s - self._down_since_s[vms]
        self.down_s[vms] += lasted_s
        self.longest_s[vms] = np.maximum(self.longest_s[vms], lasted_s)

    def _settle(self, now_s: float) -> None:
        down = self._down
        self.lost_mhz_s[down] += self._demand_mhz[down] * (now_s - self._lost_since_s)
        self._lost_since_s = now_s
