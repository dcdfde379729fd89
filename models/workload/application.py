"""Applications: groups of VMs that share one load."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Self

import numpy as np

from ..base.arrays import Bools, Floats, Ints, sum_by
from ..base.lazy_dataclass import dataclass

ROUNDING = 1e-9
"""Part of a load that sums of its parts may be off by."""


@dataclass(frozen=True)
class Applications:
    """Groups of VMs; group ``a`` has the ``maximum[a]`` rows of VMs from ``first_row[a]`` on.

    ``load_mhz`` (steps, applications) is what each is requested in each step of ``step_s``, in MHz
    of bare-metal work; ``by_capacity`` says whose balancer loads all members to the same share
    instead of in equal parts; ``work_mhz_s`` is the work of one request, 0 where the members have
    no class of requests. ``start`` members are there when time begins.
    """

    names: Sequence[str]
    first_row: Ints
    minimum: Ints
    maximum: Ints
    start: Ints
    by_capacity: Bools
    priority: Ints
    work_mhz_s: Floats
    load_mhz: Floats
    step_s: float

    def __len__(self) -> int:
        return len(self.names)

    @property
    def members(self) -> int:
        """Rows of VMs of all applications together."""
        return int(self.maximum.sum())

    @property
    def of_member(self) -> Ints:
        """The application of each row, in order, from the first row of the first on."""
        return np.repeat(np.arange(len(self)), self.maximum)

    @property
    def present_at_start(self) -> Bools:
        """Which of these rows are there when time begins."""
        number = np.arange(self.members) - np.repeat(self.first_row, self.maximum)
        number += self.first_row[0]
        first: Bools = number < np.repeat(self.start, self.maximum)
        return first

    def step_of(self, now_s: float) -> int:
        """Return the step that an instant lies in; the last for what comes after it."""
        return min(int(now_s / self.step_s + 1e-9), len(self.load_mhz) - 1)

    def full(self) -> Self:
        """Return the same applications with all members there from the start to the end."""
        return replace(self, minimum=self.maximum, start=self.maximum)


def spread(
    load_mhz: Floats, of_member: Ints, by_capacity: Bools, capacity_mhz: Floats, running: Bools
) -> Floats:
    """Return what each member is requested, in MHz: never more than its capacity.

    In equal parts over the members that run (round robin), or where ``by_capacity`` in proportion
    to their capacity, so that all are loaded to the same share (least loaded first).
    """
    weight = np.where(by_capacity[of_member], capacity_mhz, 1.0) * running
    total = sum_by(of_member, weights=weight, minlength=len(load_mhz))
    per_weight = np.divide(load_mhz, total, out=np.zeros(len(load_mhz)), where=total > 0)
    asked_mhz: Floats = np.minimum(per_weight[of_member] * weight, capacity_mhz)
    return asked_mhz


class Flow:
    """Rows of the account of applications."""

    LOAD: Final = 0
    MISSED: Final = 1
    CAPACITY: Final = 2
    SHORTAGE: Final = 3


FLOWS = 4


class ApplicationAccount:
    """Integrals over time per application, exact where rates are constant between changes.

    ``totals`` (flows, applications): load, what of it the members that ran could not do, and their
    capacity, in MHz·s; and the time in s that the load was beyond that capacity.
    """

    def __init__(self, applications: int) -> None:
        self.totals = np.zeros((FLOWS, applications))
        self.rates = np.zeros((FLOWS, applications))
        self._since_s = 0.0

    def change(self, load_mhz: Floats, asked_mhz: Floats, capacity_mhz: Floats) -> None:
        """Set the rates from now on; the time before must have been settled.

        ``asked_mhz`` is what members are asked for, a sum that may be off by rounding.
        """
        missed_mhz = load_mhz - asked_mhz
        missed_mhz[missed_mhz <= ROUNDING * load_mhz] = 0.0
        self.rates[Flow.LOAD] = load_mhz
        self.rates[Flow.MISSED] = missed_mhz
        self.rates[Flow.CAPACITY] = capacity_mhz
        self.rates[Flow.SHORTAGE] = beyond(load_mhz, capacity_mhz)

    def settle(self, now_s: float) -> None:
        """Bring the integrals up to an instant."""
        self.totals += self.rates * (now_s - self._since_s)
        self._since_s = now_s


def beyond(load_mhz: Floats, capacity_mhz: Floats) -> Bools:
    """Return where the load is more than the capacity by more than rounding."""
    more: Bools = load_mhz > capacity_mhz * (1.0 + ROUNDING)
    return more
