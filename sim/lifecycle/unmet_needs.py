"""What hosts lack for VMs that found none, counted as hosts change instead of host by host."""

import numpy as np

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ...policies.interface.plan import Search

MAX_NEEDS = 24
"""Needs that are kept up at a time; with more of them, all are counted anew."""

MAX_UNASKED = 1000
"""Changes of hosts after which needs that nobody asks about are given up."""

Need = tuple[float, float]
"""CPU in MHz and memory in MiB."""


@dataclass
class _Hosts:
    """How many hosts lack CPU below ``lowest_mhz``, lack memory though not CPU, and lack neither.

    Hosts whose free memory is negative take no VM, and count as none of these.
    """

    lowest_mhz: float
    need_mib: float
    no_cpu: int
    no_memory: int
    fitting: int

    def add(self, free_mhz: float, free_mib: float, sign: int) -> None:
        """Count a host with so much left once more, or once less."""
        if free_mib < 0.0:
            return
        if free_mhz < self.lowest_mhz:
            self.no_cpu += sign
        elif free_mib < self.need_mib:
            self.no_memory += sign
        else:
            self.fitting += sign


class UnmetNeeds:
    """Counts of hosts for the needs that have found none.

    ``free_mhz`` and ``free_mib`` are what each host has left, (hosts,), CPU in MHz and memory in
    MiB; they belong to the caller, who tells of each change before it is made. CPU within
    ``tie_mhz`` is equal. ``counts`` are kept up for the needs asked about of late.
    """

    def __init__(self, free_mhz: Floats, free_mib: Floats, tie_mhz: float) -> None:
        self._free_mhz, self._free_mib, self._tie_mhz = free_mhz, free_mib, tie_mhz
        self.counts: dict[Need, _Hosts] = {}
        self._unasked = 0

    def search(self, need: Need) -> Search:
        """Return how a search for a need ends that finds no host."""
        hosts = self.counts.get(need)
        self._unasked = 0
        if hosts is None:
            if len(self.counts) >= MAX_NEEDS:
                self.counts.clear()
            hosts = self.counts[need] = self._counted(need)
        considered = hosts.no_cpu + hosts.no_memory + hosts.fitting
        return Search(considered, considered, 0.0, hosts.no_cpu, hosts.no_memory)

    def is_known(self, need: Need) -> bool:
        """Whether it is known without a search that no host meets a need."""
        hosts = self.counts.get(need)
        return hosts is not None and not hosts.fitting

    def change(self, host: int, free_mhz: float, free_mib: float) -> None:
        """Note that a host is about to have something else left."""
        self._unasked += 1
        if self._unasked > MAX_UNASKED:
            self.counts.clear()
        before = self._free_mhz.item(host), self._free_mib.item(host)
        for hosts in self.counts.values():
            hosts.add(*before, -1)
            hosts.add(free_mhz, free_mib, 1)

    def _counted(self, need: Need) -> _Hosts:
        lowest_mhz, need_mib = need[0] - self._tie_mhz, need[1]
        awake = self._free_mib >= 0
        no_cpu = awake & (self._free_mhz < lowest_mhz)
        no_memory = awake & ~no_cpu & (self._free_mib < need_mib)
        cpu, memory, every = (int(np.count_nonzero(each)) for each in (no_cpu, no_memory, awake))
        return _Hosts(lowest_mhz, need_mib, cpu, memory, every - cpu - memory)
