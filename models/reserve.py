"""Room that is kept free for failures: how much a farm may promise, and what a failure leaves.

The kinds are those of VMware's admission control for high availability: so many host failures, a
percentage of the cluster's resources, or dedicated failover hosts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from .arrays import Bools, Floats, Ints
from .ties import ascending, first_lowest, tie_of

TOLERANCE = 1e-9
"""Rounding of sums, relative."""


@dataclass(frozen=True, eq=False)
class Reserve:
    """What is kept free, over the hosts that are awake.

    ``hosts``: so many may fail at once (N+1: one), and what they hold fits on the others;
    ``packing``: that is tried VM by VM instead of by sums and largest VMs. ``memory_share`` and
    ``cpu_share``: parts of all memory and CPU that stay free. ``standby``: hosts that stay awake
    and empty, one entry per host of the farm.
    """

    hosts: int = 0
    packing: bool = False
    memory_share: float = 0.0
    cpu_share: float = 0.0
    standby: Bools = field(default_factory=lambda: np.zeros(0, bool))

    @property
    def budgets(self) -> bool:
        """Whether it limits what the farm may promise in all."""
        return bool(self.hosts or self.memory_share or self.cpu_share)

    def limits(self, memory_mib: Floats, cpu_mhz: Floats) -> tuple[float, float]:
        """Return how much memory and CPU hosts with such capacities may promise together.

        What any ``hosts`` of them hold must fit into what the others have free. Since free is
        capacity less held, that is: all that is held fits into the capacity of the others; the
        case that decides is the failure of the largest. Infinite for a resource of which nothing
        is kept.
        """
        return self._limit(memory_mib, self.memory_share), self._limit(cpu_mhz, self.cpu_share)

    def _limit(self, capacity: Floats, share: float) -> float:
        if not (self.hosts or share):
            return np.inf
        return (1 - share) * _without_largest(capacity, self.hosts)


def _without_largest(capacity: Floats, count: int) -> float:
    kept = np.sort(capacity)[: max(len(capacity) - count, 0)]
    return float(kept.sum())


@dataclass
class Held:
    """VMs and the hosts that hold them: all that the tests of a reserve look at.

    ``home`` per VM (−1: on none that counts), ``need_mib`` and ``need_mhz`` per VM; ``free_mib``
    and ``free_mhz`` per host; ``counted`` says which hosts there are.
    """

    home: Ints
    need_mib: Floats
    need_mhz: Floats
    free_mib: Floats
    free_mhz: Floats
    counted: Bools

    def homeless(self, failed: Ints) -> Ints:
        """Return the VMs on some hosts, those with the largest CPU need first."""
        vms = np.flatnonzero(np.isin(self.home, failed))
        need_mhz = self.need_mhz[vms]
        return vms[ascending(-need_mhz, tie_of(need_mhz))]


def largest_fit(held: Held, count: int) -> bool:
    """Whether the largest VM of each host fits on another if any ``count`` hosts fail.

    Necessary, not sufficient: those that fail besides are taken to be the ones with most free
    memory, and the VM is compared with the most that any host has left of each resource.
    """
    hosts = np.flatnonzero(held.counted)
    placed = held.home >= 0
    for need, free in ((held.need_mib, held.free_mib), (held.need_mhz, held.free_mhz)):
        largest = np.zeros(len(free))
        np.maximum.at(largest, held.home[placed], need[placed])
        order = hosts[np.argsort(-free[hosts], kind="stable")]
        if len(order) <= count:
            return not largest.any()
        # Of the first count hosts by free room, one that fails itself is among the failed.
        left = np.full(len(free), free[order[count - 1]])
        left[order[:count]] = free[order[count]]
        if np.any(largest[hosts] > left[hosts] * (1 + TOLERANCE) + TOLERANCE):
            return False
    return True


def stranded(held: Held, failed: Ints) -> Ints:
    """Return the VMs that find no host by best fit decreasing when some hosts fail.

    Each goes to the host that it leaves the least CPU, as in the placement of that name; equal:
    the lower row. Rules of placement are not looked at.
    """
    open_to = held.counted.copy()
    open_to[failed] = False
    hosts = np.flatnonzero(open_to)
    free_mib, free_mhz = held.free_mib[hosts], held.free_mhz[hosts]
    tie_mhz = tie_of(free_mhz)
    lost = []
    for vm in held.homeless(failed).tolist():
        need_mib, need_mhz = held.need_mib[vm], held.need_mhz[vm]
        fits = (free_mib >= need_mib) & (free_mhz >= need_mhz - tie_mhz)
        if not fits.any():
            lost.append(vm)
            continue
        best = first_lowest(np.where(fits, free_mhz, np.inf), tie_mhz)
        free_mib[best] -= need_mib
        free_mhz[best] -= need_mhz
    return np.array(lost, np.int64)


def survives(held: Held, count: int) -> bool:
    """Whether all VMs find a host by best fit decreasing, whichever ``count`` hosts fail."""
    return all(not len(stranded(held, failed)) for failed in _sets_of(held, count))


def _sets_of(held: Held, count: int) -> Iterator[Ints]:
    hosts = np.flatnonzero(held.counted).tolist()
    for failed in combinations(hosts, min(count, len(hosts))):
        yield np.array(failed, np.int64)
