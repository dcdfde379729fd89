"""How far the farm is from what its work needs at least, step by step."""

import numpy as np

from ..models.accounts import Rate
from ..models.arrays import Bools, Floats, Ints
from ..models.columns import VmState
from ..models.farm import Farm
from ..models.farm_bound import FarmBound, Held
from .log import Column, Log


class Gauge:
    """Ledger of hosts on and energy drawn beside lower bounds on both.

    The bounds are for the work that hosts did in a step, which is less than was asked for where
    they were short: a farm that leaves work undone is compared with others that leave as much.
    Copies of moving VMs, work that crowding or neighbours add, and host applications count for
    nothing. Neither does a VM that came within the step, nor more of one that left than the work
    that it did; where hosts failed, only work counts.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._bound = FarmBound(farm.hosts, farm.delivery.layer)
        self._log = Log(
            {"time_s": float, "length_s": float, "hosts_on": float, "hosts_least": float,
             "energy_j": float, "least_w": float}
        )  # fmt: skip
        self._since_s, self._on_s, self._energy_j = 0.0, 0.0, 0.0
        self._crew = _Crew(farm, self._bound)

    def note(self, now_s: float) -> None:
        """Account for the step since the last call; everything must be settled."""
        length_s, self._since_s = now_s - self._since_s, now_s
        unchanged = self._crew.unchanged()
        if length_s > 0:
            self._measure(now_s, length_s, unchanged)
        if unchanged:
            self._crew.mark()
        else:
            self._crew = _Crew(self._farm, self._bound)

    def columns(self) -> dict[str, Column]:
        """Return one row per step: its end, its length, mean hosts on, energy, and the bounds."""
        return self._log.columns()

    def _measure(self, now_s: float, length_s: float, unchanged: bool) -> None:
        least = self._bound.least(*self._crew.worked(length_s, unchanged))
        totals = self._farm.accounts.totals
        on_s, energy_j = float(totals[Rate.ON].sum()), float(totals[Rate.POWER_W].sum())
        self._log.add(
            time_s=now_s, length_s=length_s, hosts_on=(on_s - self._on_s) / length_s,
            hosts_least=least.hosts, energy_j=energy_j - self._energy_j, least_w=least.power_w,
        )  # fmt: skip
        self._on_s, self._energy_j = on_s, energy_j


class _Crew:
    """Who was on a host at some instant, what they held, and what they had done until then."""

    def __init__(self, farm: Farm, bound: FarmBound) -> None:
        vms = farm.vms
        self._farm, self._bound = farm, bound
        self._count = int(farm.hosts.vm_count.sum())
        self._rows: Ints | slice = slice(None)
        if self._count < len(vms):
            self._rows = farm.residents.of(np.flatnonzero(farm.hosts.vm_count))
        self._size, self._own_mib = vms.size[self._rows].copy(), vms.memory_mib[self._rows].copy()
        self._weight = bound.weight[self._size]
        self._plain = bool(np.all(self._weight == 1.0))
        self._memory_mib = (self._own_mib + bound.extra_mib[self._size]) * self._running()
        self._held = bound.hold(self._size, self._memory_mib)
        self._failures = int(farm.accounts.failures.sum())
        self.mark()

    def mark(self) -> None:
        """Remember what they have asked for and missed so far."""
        self._asked, self._missed = (each.copy() for each in self._so_far())

    def _so_far(self) -> tuple[Floats, Floats]:
        accounts, rows = self._farm.vm_accounts, self._rows
        return accounts.requested_mhz_s[rows], accounts.unserved_mhz_s[rows]

    def _running(self) -> Bools:
        """Return who is on a host that is on; a VM that starts may wait for its host to boot."""
        vms, rows = self._farm.vms, self._rows
        running: Bools = (vms.host[rows] >= 0) & (vms.state[rows] != VmState.STARTING)
        return running

    def unchanged(self) -> bool:
        """Whether the same VMs of the same sizes run now, and no host has failed since."""
        vms, rows = self._farm.vms, self._rows
        return (
            int(self._farm.hosts.vm_count.sum()) == self._count
            and bool(self._running().all())
            and int(self._farm.accounts.failures.sum()) == self._failures
            and np.array_equal(vms.size[rows], self._size)
        )

    def worked(self, length_s: float, unchanged: bool) -> tuple[list[Held], Floats, Floats]:
        """Return what they held all the time since, their mean work and their steady work.

        Weighted work in MHz; steady is that of VMs that were there all the time and went
        without nothing.
        """
        asked, missed = self._so_far()
        missed = missed - self._missed
        mean_mhz = asked - self._asked
        mean_mhz -= missed
        mean_mhz *= 1.0 / length_s if self._plain else self._weight / length_s
        steady_mhz = mean_mhz * (missed == 0) if missed.any() else mean_mhz
        if unchanged:
            return self._held, mean_mhz, steady_mhz
        still = self._running()
        if int(self._farm.accounts.failures.sum()) > self._failures:
            still = np.zeros(len(still), bool)
        least_mib = np.minimum(self._farm.vms.memory_mib[self._rows], self._own_mib)
        kept_mib = np.maximum(self._memory_mib - (self._own_mib - least_mib), 0.0) * still
        return self._bound.hold(self._size, kept_mib), mean_mhz, steady_mhz * still
