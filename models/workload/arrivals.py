"""Arrival times, lifetimes and sizes of VMs."""

from collections.abc import Sequence

import numpy as np

from ..base.arrays import Floats, Ints
from ..base.lazy_dataclass import dataclass
from .vm_size import VmSize


@dataclass(frozen=True)
class Arrivals:
    """One row per VM ever, in order of arrival.

    ``arrival_s`` counts from the start of the run, 0 for VMs that are there from the start;
    ``lifetime_s`` is infinite for VMs that stay. ``size`` points into ``sizes``.
    ``utilisation`` is the mean share of its vCPUs that each VM asks for, None where the source
    knows none. VMs of higher ``priority`` go first. ``batch`` numbers the requests that VMs
    came with, from 0; None where the source knows none.
    """

    arrival_s: Floats
    lifetime_s: Floats
    size: Ints
    sizes: list[VmSize]
    utilisation: Floats | None
    priority: Ints
    names: Sequence[str]
    batch: Ints | None = None

    def __post_init__(self) -> None:
        """Raise ValueError where columns do not fit together, or rows are out of order."""
        count = len(self.arrival_s)
        columns = [self.lifetime_s, self.size, self.priority]
        columns += [each for each in (self.utilisation, self.batch) if each is not None]
        if any(len(column) != count for column in columns) or len(self.names) != count:
            raise ValueError("the columns of arrivals differ in length")
        if not count:
            return
        if not np.isfinite(self.arrival_s).all() or self.arrival_s[0] < 0:
            raise ValueError("an arrival is before the start, or not finite")
        if (np.diff(self.arrival_s) < 0).any():
            raise ValueError("arrivals are out of order")
        if not (self.lifetime_s > 0).all():
            raise ValueError("a lifetime is not above 0")
        if self.size.min() < 0 or self.size.max() >= len(self.sizes):
            raise ValueError("a VM has a size that is not listed")

    def __len__(self) -> int:
        return len(self.arrival_s)
