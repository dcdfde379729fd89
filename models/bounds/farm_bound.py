"""Lower bounds on hosts and power of a farm for the work done, for any placement.

Needs are counted where they cost least, so nothing depends on which host a VM is on.
"""

import numpy as np

from ..base.arrays import Bools, Floats, Ints, alike
from ..base.lazy_dataclass import dataclass
from ..delivery.overhead_tables import Layer
from ..hardware.power_envelope import power_hull
from ..state.columns import Hosts
from .bin_packing import (
    ROUNDING,
    SMALL,
    HostKind,
    Planes,
    dual_feasible_bound,
    min_weights,
    planes,
    whole_hosts,
)


@dataclass(frozen=True)
class _Part:
    """An independent subset of VM sizes and hosts.

    ``most`` is the CPU and memory of the largest host; where ``one_guest``, every host of the
    part holds one VM.
    """

    sizes: Bools
    hosts: Planes
    power: Planes
    most: Floats
    one_guest: bool


@dataclass(frozen=True)
class FarmMinimum:
    """Minimum number of hosts, which may be a fraction, and minimum power in W."""

    hosts: float
    power_w: float


class FarmBound:
    """Lower bounds for one farm; building it takes as long as a few rounds of a policy.

    ``weight`` turns guest work of each size into MHz of a common measure (see
    :func:`.bin_packing.min_weights`), ``extra_mib`` is the least memory that a hypervisor adds to a
    VM of each size, (sizes,).
    """

    def __init__(self, hosts: Hosts, layer: Layer) -> None:
        factor = np.where(layer.allowed, layer.work_factor, np.inf)
        self.weight, least_factor = min_weights(factor)
        extra_mib = np.where(layer.allowed, layer.extra_mib, np.inf).min(axis=1)
        self.extra_mib: Floats = np.where(np.isfinite(extra_mib), extra_mib, 0.0)
        state_w = np.minimum(hosts.off_w, np.minimum(hosts.boot_w, hosts.stop_w))
        if hosts.sleep is not None:
            state_w = np.minimum(state_w, hosts.sleep.min_w[hosts.group])
        self._state_w = float(state_w.sum())
        self._parts = _parts(hosts, layer, least_factor, state_w)

    def hold(self, size: Ints, memory_mib: Floats) -> list["MemoryDemand"]:
        """Return what some VMs need for their memory alone; one entry of each array per VM."""
        return [_held(part, at, memory_mib[at]) for part, at in self._shared_out(size)]

    def minimum(
        self,
        held: list["MemoryDemand"],
        mean_mhz: Floats,
        steady_mhz: Floats,
        mean_mib: Floats | None = None,
        occupied: float = 0.0,
    ) -> FarmMinimum:
        """Return what VMs need over an interval, all of which they hold the memory of ``held``.

        ``mean_mhz`` is their weighted work, mean over the interval; ``steady_mhz`` what each did
        of it at every instant; ``mean_mib`` their memory with what hypervisors add to it, mean
        over the interval, where that is more than what they held all the time; ``occupied`` the
        part of the interval in which any VM ran. The bounds hold for the means over the interval
        of hosts on and of power. Proof: at each instant both are at least a convex function of
        the work done, the memory held and the hosts on then, and the mean of a convex function is
        at least its value at the mean; what is counted in whole hosts rests only on what was
        there at every instant, and one host is on whenever a VM runs.
        """
        hosts, power_w, same = 0.0, self._state_w, steady_mhz is mean_mhz
        occupied *= 1.0 - ROUNDING
        for each in held:
            mean = mean_mhz[each.at]
            memory_mib = each.memory_mib if mean_mib is None else float(mean_mib[each.at].sum())
            floor = occupied if len(self._parts) == 1 else 0.0
            minimum = _minimum_of(
                each, mean, mean if same else steady_mhz[each.at], memory_mib, floor
            )
            hosts += minimum.hosts
            power_w += minimum.power_w
        return FarmMinimum(max(hosts, occupied), power_w)

    @property
    def parts(self) -> int:
        """How many parts the farm has that share no size of VM and no host."""
        return len(self._parts)

    def _shared_out(self, size: Ints) -> list[tuple[_Part, Ints | slice]]:
        if len(self._parts) == 1:
            return [(self._parts[0], slice(None))]
        return [(part, np.flatnonzero(part.sizes[size])) for part in self._parts]


@dataclass(frozen=True)
class MemoryDemand:
    """Memory of the VMs in rows ``at``, all in one part of the farm.

    ``shares`` are those of the memory of the largest host, ``min_hosts`` how many hosts
    they need at least, whatever they work.
    """

    part: _Part
    at: Ints | slice
    memory_mib: float
    shares: Floats
    largest: float
    min_hosts: int


def _held(part: _Part, at: Ints | slice, memory_mib: Floats) -> MemoryDemand:
    shares = memory_mib / part.most[1]
    min_hosts = whole_hosts(dual_feasible_bound(shares))
    if part.one_guest:
        min_hosts = max(min_hosts, int(np.count_nonzero(memory_mib)))
    largest = float(shares.max(initial=0.0))
    return MemoryDemand(part, at, float(memory_mib.sum()), shares, largest, min_hosts)


def _minimum_of(
    held: MemoryDemand, mean_mhz: Floats, steady_mhz: Floats, memory_mib: float, floor: float
) -> FarmMinimum:
    part, worked_mhz = held.part, float(mean_mhz.sum())
    fluid = steady = part.hosts.minimum(worked_mhz, memory_mib)
    if steady_mhz is not mean_mhz or memory_mib != held.memory_mib:
        steady = part.hosts.minimum(float(steady_mhz.sum()), held.memory_mib)
    whole = whole_hosts(max(steady, _unsplit(held, steady_mhz)))
    hosts = max(fluid * (1.0 - ROUNDING), float(whole), float(held.min_hosts), floor)
    return FarmMinimum(hosts, part.power.minimum(worked_mhz, hosts) * (1.0 - ROUNDING))


def _unsplit(held: MemoryDemand, cpu_mhz: Floats) -> float:
    """Return the bound for VMs that cannot be split, by CPU and by half of CPU and memory."""
    max_mhz = held.part.most[0]
    largest = float(cpu_mhz.max(initial=0.0)) / max_mhz
    if max(largest, 0.5 * (largest + held.largest)) <= SMALL:
        return 0.0
    shares = cpu_mhz / max_mhz
    both = 0.5 * (shares + held.shares)
    return max(dual_feasible_bound(shares), dual_feasible_bound(both))


def _parts(hosts: Hosts, layer: Layer, factor: Floats, state_w: Floats) -> list[_Part]:
    room_mhz = hosts.cpu_mhz - layer.base_mhz[hosts.group]
    columns = (hosts.group, hosts.cpu_mhz, hosts.memory_mib, state_w)
    kind_of_host = alike(np.column_stack(columns))
    first = np.unique(kind_of_host, return_index=True)[1]
    counts = np.bincount(kind_of_host)
    made = []
    for sizes, groups in components(layer.allowed):
        members = [k for k, host in enumerate(first.tolist()) if groups[hosts.group[host]]]
        usable = [k for k in members if room_mhz[first[k]] > 0]
        if not usable or not sizes.any():
            continue
        fitting, drawing, most = [], [], np.zeros(2)
        for kind in usable:
            host, count = int(first[kind]), int(counts[kind])
            group = int(hosts.group[host])
            held = np.array([room_mhz[host] / factor[group], hosts.memory_mib[host]])
            most = np.maximum(most, held)
            fitting.append(HostKind(held[None, :], np.ones(1), count))
            drawing.append(_drawing(hosts, layer, host, held[0], float(state_w[host]), count))
        one_guest = bool(layer.one_guest[groups].all())
        made.append(_Part(sizes, planes(fitting), planes(drawing), most, one_guest))
    return made


def _drawing(
    hosts: Hosts, layer: Layer, host: int, held_mhz: float, state_w: float, count: int
) -> HostKind:
    """Return the power of equal hosts over the work that they hold, each as one host."""
    cpu_mhz, base_mhz = hosts.cpu_mhz[host], layer.base_mhz[hosts.group[host]]
    used, watts = power_hull(hosts.power, host, float(base_mhz / cpu_mhz), 1.0)
    share = (used - used[0]) / (1.0 - used[0])
    corners = np.column_stack([share * held_mhz, np.ones(len(share))])
    return HostKind(corners, watts - state_w, count)


def components(allowed: Bools) -> list[tuple[Bools, Bools]]:
    """Return which sizes and groups hang together: masks, one pair per component.

    ``allowed`` has shape (sizes, groups). Groups that no size may be on are left out.
    """
    found = []
    left = np.ones(len(allowed), bool)
    while left.any():
        sizes = np.zeros(len(allowed), bool)
        sizes[np.flatnonzero(left)[0]] = True
        while True:
            groups: Bools = np.any(allowed[sizes], axis=0)
            more = sizes | np.any(allowed[:, groups], axis=1)
            if np.array_equal(more, sizes):
                break
            sizes = more
        found.append((sizes, groups))
        left &= ~sizes
    return found
