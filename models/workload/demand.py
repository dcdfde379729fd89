"""Demand of VMs over time.

A series gives, per slot of ``step_s`` seconds, one utilisation per VM; :class:`Demand` scales
it with the sizes of the VMs. Demand is constant within a slot.
"""

from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..base.arrays import Floats, Ints
from ..base.lazy_dataclass import dataclass

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
    """A recorded trace, (slots, series), assigned to VMs by ``series_of_vm`` (None: one to one).

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

    def rows(self, slots: range) -> NDArray[np.generic]:
        """Return the counts of several slots, one per series."""
        last = len(self.counts) - 1
        at = [slot % (last + 1) if self.on_end == "loop" else min(slot, last) for slot in slots]
        return self.counts[at]


@dataclass(frozen=True)
class ConstantSeries:
    """The same utilisation for every VM at all times."""

    utilisation: float
    vms: int
    step_s: float = 300.0
    share_per_count: ClassVar[float] = 1.0

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
    """A constant utilisation per VM."""

    utilisation: Floats
    step_s: float = 3600.0
    share_per_count: ClassVar[float] = 1.0

    def row(self, slot: int) -> NDArray[np.generic]:
        """Return the utilisation of every VM."""
        del slot
        return self.utilisation

    def has_ended(self, slot: int) -> bool:
        """Return False: it goes on for ever."""
        del slot
        return False


class DemandBatch:
    """Demand of VMs in several slots, one after another."""

    def __init__(self, counts: Floats, column_of_vm: Ints | None, mhz_per_count: Floats) -> None:
        """Take counts (slots, columns), the column of each VM (None: one to one), and its scale."""
        self._counts, self._column_of_vm = counts, column_of_vm
        self._mhz_per_count = mhz_per_count

    def __len__(self) -> int:
        return len(self._counts)

    def without(self, vms: Ints) -> "DemandBatch":
        """Return the same where some VMs ask for nothing."""
        if not len(vms):
            return self
        mhz_per_count = self._mhz_per_count.copy()
        mhz_per_count[vms] = 0.0
        return DemandBatch(self._counts, self._column_of_vm, mhz_per_count)

    def of(self, vms: Ints | slice) -> Floats:
        """Return the demand of some VMs in MHz, (slots, vms)."""
        columns = vms if self._column_of_vm is None else self._column_of_vm[vms]
        if isinstance(columns, slice):
            return self._counts[:, columns] * self._mhz_per_count[vms]
        demand_mhz: Floats = self._counts.take(columns, axis=1)
        demand_mhz *= self._mhz_per_count[vms]
        return demand_mhz


class Demand:
    """Current demand of each VM, in MHz of guest work.

    The first rows follow a series, scaled by the sizes of these VMs; the last ``members`` rows
    are members of applications, of which the series says nothing.
    """

    def __init__(self, series: Series, size_mhz: Floats, members: int = 0) -> None:
        """Make the demand of ``len(size_mhz)`` VMs and of ``members`` more; all zero at first."""
        self.step_s = series.step_s
        self._series = series
        self._mhz_per_count = size_mhz * series.share_per_count
        demand_mhz = np.zeros(len(size_mhz) + members)
        self._series_mhz, self._member_mhz = np.split(demand_mhz, [len(size_mhz)])
        self._read_only_mhz = demand_mhz.view()
        self._read_only_mhz.flags.writeable = False

    def advance(self, slot: int) -> None:
        """Let the VMs of the series ask for what it says of a slot; members are left alone."""
        np.multiply(self._series.row(slot), self._mhz_per_count, out=self._series_mhz)

    def batch(self, slots: range) -> DemandBatch:
        """Return what the VMs of the series ask for in some slots, later than the present one.

        The present demand stays until :meth:`advance`, which may then be called for the last of
        these slots or a later one.
        """
        series = self._series
        if isinstance(series, TraceSeries):
            counts, column_of_vm = series.rows(slots), series.series_of_vm
        else:
            counts, column_of_vm = np.array([series.row(slot) for slot in slots]), None
        return DemandBatch(counts.astype(np.float64), column_of_vm, self._mhz_per_count)

    def set_members(self, demand_mhz: Floats) -> None:
        """Let the members of applications ask for ``demand_mhz``, shape (members,), in MHz."""
        self._member_mhz[:] = demand_mhz

    @property
    def now_mhz(self) -> Floats:
        """Demand of every VM, present or not, in MHz: a read-only view that follows changes."""
        return self._read_only_mhz

    def has_ended(self, slot: int) -> bool:
        """Whether the VMs of the series are gone from this slot on."""
        return self._series.has_ended(slot)
