"""What the VMs ask for over time.

A series gives, per slot of ``step_s``, one utilisation per VM; a :class:`Workload` scales it
with the VMs' sizes. Demand is constant within a slot.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..base.arrays import Floats, Ints

OnEnd = Literal["hold", "loop", "stop"]


class Series(Protocol):
    """Utilisation per VM and slot."""

    @property
    def step_s(self) -> float:
        """Length of a slot."""
        ...

    @property
    def share_per_count(self) -> float:
        """Share of a VM's capacity that a count of 1 in a row stands for."""
        ...

    def row(self, slot: int) -> NDArray[np.generic]:
        """Return the counts of all VMs in a slot; slots are asked for in ascending order."""
        ...

    def has_ended(self, slot: int) -> bool:
        """Whether the VMs are gone from this slot on."""
        ...


@dataclass(frozen=True)
class TraceSeries:
    """A recorded trace, (slots, series), dealt to VMs by ``series_of_vm`` (None: one to one).

    After the last slot the trace holds its last value, starts again, or stops.
    """

    counts: NDArray[np.generic]
    share_per_count: float
    step_s: float
    on_end: OnEnd = "hold"
    series_of_vm: Ints | None = None

    def row(self, slot: int) -> NDArray[np.generic]:
        """Return the counts of a slot, one per VM."""
        slots = len(self.counts)
        at = slot % slots if self.on_end == "loop" else min(slot, slots - 1)
        row: NDArray[np.generic] = self.counts[at]
        return row if self.series_of_vm is None else row[self.series_of_vm]

    def has_ended(self, slot: int) -> bool:
        """Whether the trace has no load of its own for a slot, and is to stop."""
        return self.on_end == "stop" and slot >= len(self.counts)


@dataclass(frozen=True)
class ConstantSeries:
    """The same utilisation for every VM at all times."""

    utilisation: float
    vms: int
    step_s: float = 300.0
    share_per_count: float = 1.0

    def row(self, slot: int) -> NDArray[np.generic]:
        """Return the utilisation once per VM."""
        del slot
        return np.full(self.vms, self.utilisation)

    def has_ended(self, slot: int) -> bool:
        """Return False: it goes on for ever."""
        del slot
        return False


@dataclass(frozen=True)
class SteadySeries:
    """A utilisation for each VM that never changes."""

    utilisation: Floats
    step_s: float = 3600.0
    share_per_count: float = 1.0
    steady = True

    def row(self, slot: int) -> NDArray[np.generic]:
        """Return the utilisation of every VM."""
        del slot
        return self.utilisation

    def has_ended(self, slot: int) -> bool:
        """Return False: it goes on for ever."""
        del slot
        return False


class Workload:
    """A series scaled to MHz by the sizes of the VMs."""

    def __init__(self, series: Series, size_mhz: Floats) -> None:
        self.step_s = series.step_s
        self.steady: bool = getattr(series, "steady", False)
        """Whether every slot is like the first."""
        self._series = series
        self._mhz_per_count = size_mhz * series.share_per_count
        self._demand_mhz = np.zeros(len(size_mhz))
        self._own_mhz = self._demand_mhz

    def extend(self, vms: int) -> Floats:
        """Append VMs that the series says nothing of; return their demand, MHz, to be written."""
        own = len(self._own_mhz)
        self._demand_mhz = np.zeros(own + vms)
        self._own_mhz = self._demand_mhz[:own]
        self.steady = False
        return self._demand_mhz[own:]

    def demand_mhz(self, slot: int) -> Floats:
        """Return the demand of every VM in a slot, MHz; the array is reused by the next call."""
        np.multiply(self._series.row(slot), self._mhz_per_count, out=self._own_mhz)
        return self._demand_mhz

    def wanted_mhz(self) -> Floats:
        """Return the demand of every VM in the slot asked for last, MHz."""
        return self._demand_mhz

    def has_ended(self, slot: int) -> bool:
        """Whether the VMs are gone from this slot on."""
        return self._series.has_ended(slot)
