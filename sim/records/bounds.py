"""Theoretical minimum of hosts and power for each step."""

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.base.arrays import Floats, Ints
from ...models.bounds.farm_bound import FarmBound, FarmMinimum, MemoryDemand
from ...models.farm.farm import Farm
from ..base.log import Column, Log

SLACK_S = 1e-6
"""Rounding of times; who ran for a step but for this ran all the time."""


class BoundsRecord:
    """Records hosts on and energy with the lower bounds of both.

    The bounds are for the work that hosts did in a step, which is less than was asked for where
    they were short: a farm that leaves work undone is compared with others that leave as much.
    Copies of moving VMs, work that crowding or neighbours add, and host applications count for
    nothing. VMs that came or left within the step count with the work that they did and the time
    that they held their memory; only those that ran all the time count as whole VMs.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._bound = FarmBound(farm.hosts, farm.delivery.layer)
        self._log = Log(
            {
                "time_s": float,
                "length_s": float,
                "hosts_on": float,
                "hosts_least": float,
                "energy_j": float,
                "least_w": float,
            }
        )
        self._since_s, self._on_s, self._energy_j, self._occupied_s = 0.0, 0.0, 0.0, 0.0
        self._asked, self._missed, self._ran_s = np.zeros((3, len(farm.vms)))
        self._size, self._own_mib = farm.vms.size.copy(), farm.vms.memory_mib.copy()
        self._quiet_s = 0.0
        """Time for which nobody has come or gone, not yet in ``_ran_s``."""
        self._gather(0.0)

    def note(self, now_s: float) -> None:
        """Account for the step since the last call; everything must be settled.

        Called at the end of each step of the demand and wherever a step is divided, with the rates
        of the step still in force.
        """
        length_s, self._since_s = now_s - self._since_s, now_s
        quiet = self.unchanged()
        if length_s > 0:
            self._measure(now_s, length_s, self._minimum(now_s, length_s, quiet))
        if quiet:
            self._mark(self._rows)
            self._quiet_s += length_s
        else:
            self._gather(now_s)

    @property
    def running(self) -> Ints | slice:
        """The VMs that have run since the last call of :meth:`note`."""
        return self._rows

    def unchanged(self) -> bool:
        """Whether the same VMs of the same sizes have run since the last call."""
        if self._farm.presence.changes != self._changes:
            return False
        return np.array_equal(self._farm.vms.size[self._rows], self._size[self._rows])

    def note_worked(
        self, now_s: float, worked_mhz_s: Floats, at: Ints, missed_mhz_s: Floats | None
    ) -> None:
        """Do as :meth:`note` where the same VMs have run, told what they did in the step.

        ``worked_mhz_s`` is what :attr:`running` VMs asked for, and is overwritten;
        ``missed_mhz_s`` what those of them at the places ``at`` missed. All VMs are
        settled beyond the step already, hosts are not: :meth:`mark` follows after the last step.
        """
        length_s, self._since_s = now_s - self._since_s, now_s
        steady_mhz = mean_mhz = worked_mhz_s
        if missed_mhz_s is not None:
            mean_mhz[at] -= missed_mhz_s
        mean_mhz *= self._per_s(length_s)
        if missed_mhz_s is not None and missed_mhz_s.any():
            steady_mhz = mean_mhz.copy()
            steady_mhz[at[missed_mhz_s != 0]] = 0.0
        occupied = self._occupied(now_s, length_s)
        held = self._held_now()
        self._measure(
            now_s, length_s, self._bound.minimum(held, mean_mhz, steady_mhz, occupied=occupied)
        )
        self._quiet_s += length_s

    def mark(self) -> None:
        """Remember what the same VMs have asked for and missed so far."""
        self._mark(self._rows)

    def columns(self) -> dict[str, Column]:
        """Return one row per step: its end, its length, mean hosts on, energy, and the bounds.

        ``hosts_least`` is a lower bound on the mean number of hosts on, ``least_w`` one on the mean
        power in W; ``energy_j`` is what was drawn in the step.
        """
        return self._log.columns()

    def _measure(self, now_s: float, length_s: float, minimum: FarmMinimum) -> None:
        totals = self._farm.accounts.totals
        on_s, energy_j = float(totals[Rate.ON].sum()), float(totals[Rate.POWER_W].sum())
        self._log.add(
            time_s=now_s,
            length_s=length_s,
            hosts_on=(on_s - self._on_s) / length_s,
            hosts_least=minimum.hosts,
            energy_j=energy_j - self._energy_j,
            least_w=minimum.power_w,
        )
        self._on_s, self._energy_j = on_s, energy_j

    def _gather(self, now_s: float) -> None:
        """Store which VMs run now, and the progress of all VMs that ran since the last call."""
        farm, listed = self._farm, self._farm.listed
        self._mark(listed)
        self._size[listed], self._own_mib[listed] = (
            farm.vms.size[listed],
            farm.vms.memory_mib[listed],
        )
        self._ran_s[listed] = farm.presence.ran_s(listed, now_s)
        self._quiet_s, self._changes = 0.0, farm.presence.changes
        running = farm.presence.running(listed)
        self._rows: Ints | slice = slice(None)
        if not (running.all() and len(running) == len(farm.vms)):
            everybody = np.arange(len(farm.vms)) if isinstance(listed, slice) else listed
            self._rows = everybody[running]
        self._weight = self._bound.weight[self._size[self._rows]]
        self._plain = bool(np.all(self._weight == 1.0))
        self._held: list[MemoryDemand] | None = None

    def _mark(self, rows: Ints | slice) -> None:
        """Remember what VMs have asked for and missed so far."""
        self._asked[rows], self._missed[rows] = self._so_far(rows)

    def _so_far(self, rows: Ints | slice) -> tuple[Floats, Floats]:
        accounts = self._farm.vm_accounts
        missed = accounts.unserved_mhz_s[rows] + accounts.degraded_mhz_s[rows]
        return accounts.requested_mhz_s[rows], missed

    def _worked(self, rows: Ints | slice) -> tuple[Floats, Floats]:
        """Return the work of VMs since the last call in MHz s, and what they missed."""
        asked, missed = self._so_far(rows)
        missed = missed - self._missed[rows]
        worked = asked - self._asked[rows]
        worked -= missed
        return worked, missed

    def _minimum(self, now_s: float, length_s: float, quiet: bool) -> FarmMinimum:
        occupied = self._occupied(now_s, length_s)
        if not quiet:
            return self._minimum_after_change(now_s, length_s, occupied)
        mean_mhz, missed = self._worked(self._rows)
        mean_mhz *= self._per_s(length_s)
        steady_mhz = mean_mhz * (missed == 0) if missed.any() else mean_mhz
        return self._bound.minimum(self._held_now(), mean_mhz, steady_mhz, occupied=occupied)

    def _occupied(self, now_s: float, length_s: float) -> float:
        """Return the part of the time since the last call in which any VM ran."""
        before_s, self._occupied_s = self._occupied_s, self._farm.presence.occupied_s(now_s)
        return min((self._occupied_s - before_s) / length_s, 1.0)

    def _per_s(self, length_s: float) -> Floats | float:
        """Return what turns work of the running VMs in a step into weighted mean MHz."""
        return 1.0 / length_s if self._plain else self._weight / length_s

    def _held_now(self) -> list[MemoryDemand]:
        """Return what the running VMs need for their memory alone."""
        if self._held is None:
            size = self._size[self._rows]
            memory_mib = self._own_mib[self._rows] + self._bound.extra_mib[size]
            self._held = self._bound.hold(size, memory_mib)
        return self._held

    def _minimum_after_change(self, now_s: float, length_s: float, occupied: float) -> FarmMinimum:
        """Return the bounds where VMs have come, gone or been resized since the last call."""
        vms, bound, rows = self._farm.vms, self._bound, self._farm.listed
        self._ran_s[self._rows] += self._quiet_s
        self._quiet_s = 0.0
        stayed_s = self._farm.presence.ran_s(rows, now_s) - self._ran_s[rows]
        size, before = vms.size[rows], self._size[rows]
        # A VM that was resized counts as what is the least of both; its part must be known.
        known = (size == before) if bound.parts > 1 else np.ones(len(size), bool)
        weight = np.minimum(bound.weight[size], bound.weight[before]) * known
        memory_mib = np.minimum(vms.memory_mib[rows], self._own_mib[rows])
        memory_mib = (
            memory_mib + np.minimum(bound.extra_mib[size], bound.extra_mib[before])
        ) * known
        always = stayed_s >= length_s - SLACK_S
        worked, missed = self._worked(rows)
        mean_mhz = np.maximum(worked, 0.0) * weight / length_s
        mean_mib = memory_mib * np.minimum(stayed_s / length_s, 1.0)
        held = bound.hold(size, memory_mib * always)
        return bound.minimum(held, mean_mhz, mean_mhz * (missed == 0) * always, mean_mib, occupied)
