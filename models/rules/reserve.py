"""Capacity reserved for failures: how much may be allocated, and what a failure leaves.

The kinds are those of VMware's admission control for high availability: so many host failures, a
percentage of the cluster's resources, or dedicated failover hosts.
"""

from collections.abc import Callable, Iterator
from dataclasses import field
from functools import cached_property
from itertools import combinations

import numpy as np

from ..base.arrays import Bools, Floats, Ints
from ..base.lazy_dataclass import dataclass

TOLERANCE = 1e-9
"""Rounding of sums, relative."""


@dataclass(frozen=True, eq=False)
class Reserve:
    """Reserved capacity, over the hosts that are on.

    ``hosts``: so many may fail at once (N+1: one), and what they hold fits on the others;
    ``packing``: that is tried by restarts on paper beside sums and largest VMs. ``memory_share``
    and ``cpu_share``: parts of all memory and CPU that stay free. ``standby``: hosts that stay
    awake and empty, one entry per host of the farm.

    ``within`` (hosts,) are the hosts among which it is kept, ``members`` (vms,) the VMs that belong
    there; None: the whole farm. ``name`` is what results call it.
    """

    hosts: int = 0
    packing: bool = False
    memory_share: float = 0.0
    cpu_share: float = 0.0
    standby: Bools = field(default_factory=lambda: np.zeros(0, bool))
    within: Bools | None = None
    members: Bools | None = None
    name: str = ""

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
class HostedVms:
    """VMs and their hosts: the input of reserve tests.

    ``home`` per VM (−1: on none that counts), ``need_mib`` and ``need_mhz`` per VM; ``free_mib``
    and ``free_mhz`` per host; ``counted`` says which hosts there are.
    """

    home: Ints
    need_mib: Floats
    need_mhz: Floats
    free_mib: Floats
    free_mhz: Floats
    counted: Bools


def largest_fit(held: HostedVms, count: int) -> bool:
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


@dataclass(frozen=True, eq=False)
class AllowedHosts:
    """Hosts that VMs may use, independent of the placement: a class per VM, and (classes, hosts).

    ``order_matters``: rules or cores make a VM's place depend on others, so that counting the
    places that are left proves nothing.
    """

    classes: Ints
    hosts: Bools
    order_matters: bool = False
    around: "AllowedHosts | None" = None
    """The same over more hosts, of which these are a part."""

    @cached_property
    def blocks(self) -> Bools | None:
        """Sets of hosts (blocks, hosts) that share no host; a VM may use all of one of them.

        None where the hosts of two VMs overlap in part.
        """
        rows = self.hosts
        if self.around is not None and self.around.blocks is not None:
            # Looking for equal rows takes time; parts of what is disjoint are disjoint.
            rows = self.around.blocks & self.hosts.any(axis=0)
            return rows[rows.any(axis=1)]
        distinct_rows: Bools = np.unique(rows, axis=0)
        return distinct_rows if (distinct_rows.sum(axis=0) <= 1).all() else None

    @cached_property
    def block_of_host(self) -> Ints:
        """The block of each host (hosts,), −1 for one that no VM may use."""
        assert self.blocks is not None
        found: Ints = np.where(self.blocks.any(axis=0), self.blocks.argmax(axis=0), -1)
        return found

    def within(self, hosts: Bools) -> "AllowedHosts":
        """Return the same of some hosts only; classes without any of them count as one."""
        return AllowedHosts(self.classes, self.hosts & hosts, self.order_matters, self)


def enough_places(held: HostedVms, failed: Ints, permits: AllowedHosts) -> bool:
    """Whether all VMs on some hosts find a place on others, in whatever order they are placed.

    Sufficient, not necessary. Every VM counts as the largest, in memory and in CPU, of those on the
    hosts that fail, and only hosts that all of them may use count; one with ``s`` such places has
    capacity as long as fewer than ``s`` have come. This is VMware's slot policy, for one failure.
    """
    vms = np.flatnonzero(np.isin(held.home, failed))
    if not len(vms):
        return True
    if permits.order_matters:
        return False
    open_to = held.counted & permits.hosts[np.unique(permits.classes[vms])].all(axis=0)
    open_to[failed] = False
    hosts = np.flatnonzero(open_to)
    return float(_places(held, vms, hosts).sum()) >= len(vms)


def _places(held: HostedVms, vms: Ints, hosts: Ints) -> Floats:
    """Return how many VMs of the largest size fit on each host."""
    places = np.full(len(hosts), np.inf)
    for need, free in ((held.need_mib[vms], held.free_mib), (held.need_mhz[vms], held.free_mhz)):
        largest = float(need.max(initial=0.0))
        if largest > 0:
            places = np.minimum(places, np.floor(free[hosts] / largest))
    left: Floats = np.maximum(places, 0.0)
    return left


def always_enough(held: HostedVms, count: int, permits: AllowedHosts) -> bool:
    """Whether :func:`enough_places` holds whichever ``count`` hosts fail, seen at once.

    Sufficient, not necessary: the hosts with most places and those with most VMs fail. Where VMs
    are divided among sets of hosts, as by clusters, that is so in each set.
    """
    if permits.order_matters:
        return False
    placed = np.flatnonzero(held.home >= 0)
    if permits.hosts.all():
        return _always_enough(held, count, placed, np.flatnonzero(held.counted))
    if permits.blocks is None:
        return False
    home = held.home[placed]
    block = permits.block_of_host[home]
    # A VM on a host that it may not use has places of another block, or none.
    if not permits.hosts[permits.classes[placed], home].all():
        return False
    return all(
        _always_enough(held, count, placed[block == number], np.flatnonzero(held.counted & hosts))
        for number, hosts in enumerate(permits.blocks)
    )


def _always_enough(held: HostedVms, count: int, placed: Ints, hosts: Ints) -> bool:
    """Whether any ``count`` of some hosts can be emptied onto the others of them."""
    places = np.sort(_places(held, placed, hosts))
    most = np.sort(np.bincount(held.home[placed], minlength=len(held.counted)))
    kept = places[: max(len(places) - count, 0)]
    return float(kept.sum()) >= float(most[len(most) - min(count, len(most)) :].sum())


def survives(
    held: HostedVms, count: int, permits: AllowedHosts, restarts: Callable[[Ints], bool]
) -> bool:
    """Whether all VMs find a host whichever ``count`` hosts fail.

    ``restarts`` says whether all VMs of some hosts do, by the restart of the run; it is asked only
    where counting places does not prove it.
    """
    if always_enough(held, count, permits):
        return True
    return all(
        enough_places(held, failed, permits) or restarts(failed) for failed in _sets_of(held, count)
    )


def _sets_of(held: HostedVms, count: int) -> Iterator[Ints]:
    hosts = np.flatnonzero(held.counted).tolist()
    for failed in combinations(hosts, min(count, len(hosts))):
        yield np.array(failed, np.int64)
