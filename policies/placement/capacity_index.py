"""Index of free capacity, to place arriving VMs without scanning all hosts.

A capacity index lives through a run and is told whatever changes. It answers what the placement
policy of its name would answer on a :class:`.Candidates` whose hosts have the same free CPU and
memory, where nothing else has a say (overload tests, core speeds, allowed sizes, sleeping hosts).
"""

from bisect import bisect_right
from math import inf
from typing import Protocol

import numpy as np

from ...models.base.arrays import Floats, singles
from .sorted_hosts import SortedHosts

BLOCK = 32
"""Hosts that share a bound of their free memory."""

MAX_NEEDS = 32
"""Needs of CPU for which free memory is noted separately, at most."""


class CapacityIndex(Protocol):
    """Index of hosts by free capacity.

    Needs and free capacity are CPU in MHz and memory in MiB. Finding a host takes nothing: call
    ``update`` once the VM has been given to it.
    """

    def find(self, need_mhz: float, need_mib: float) -> int:
        """Return the host for a VM with needs that are not negative; −1 if none has capacity."""
        ...

    def update(self, host: int, free_mhz: float, free_mib: float) -> None:
        """Update the free capacity of a host; −1 for both excludes it."""
        ...


class BestFitIndex:
    """Finds the host with the least free CPU; ties: lower row."""

    def __init__(self, free_mhz: Floats, free_mib: Floats, tie_mhz: float) -> None:
        self._hosts, self._tie_mhz = SortedHosts(free_mhz, free_mib), tie_mhz

    def find(self, need_mhz: float, need_mib: float) -> int:
        """Return the host with the least free CPU that has both; −1: none."""
        hosts, lowest_mhz = self._hosts, need_mhz - self._tie_mhz
        # The policy compares what would be left, CPU free less need.
        return _first_equal(hosts, lowest_mhz, inf, need_mib, -need_mhz, self._tie_mhz)

    def update(self, host: int, free_mhz: float, free_mib: float) -> None:
        """Update the free capacity of a host; −1 for both excludes it."""
        self._hosts.update(host, float(free_mhz), float(free_mib))


class WorstFitIndex:
    """Finds the host with the most free CPU; ties: lower row.

    Free CPU is kept negated, so that the host with the most comes first.
    """

    def __init__(self, free_mhz: Floats, free_mib: Floats, tie_mhz: float) -> None:
        self._hosts, self._tie_mhz = SortedHosts(-free_mhz, free_mib), tie_mhz

    def find(self, need_mhz: float, need_mib: float) -> int:
        """Return the host with the most free CPU that has both; −1: none."""
        hosts, highest = self._hosts, self._tie_mhz - need_mhz
        return _first_equal(hosts, -inf, highest, need_mib, need_mhz, self._tie_mhz)

    def update(self, host: int, free_mhz: float, free_mib: float) -> None:
        """Update the free capacity of a host; −1 for both excludes it."""
        self._hosts.update(host, -float(free_mhz), float(free_mib))


def _first_equal(
    hosts: SortedHosts, lowest: float, highest: float, need_mib: float, added: float, tie: float
) -> int:
    """Return the lowest row of those whose key plus ``added`` is within ``tie`` of the lowest.

    Keys are within [lowest, highest], hosts have the memory; −1: there are none.
    """
    found = host = hosts.first(lowest, highest, need_mib)
    if host < 0:
        return -1
    equal = hosts.key(host) + added + tie
    while host >= 0 and hosts.key(host) + added <= equal:
        found = min(found, host)
        following = hosts.following(hosts.key(host))
        if following + added > equal:
            break
        host = hosts.first(following, highest, need_mib)
    return found


class FirstFitIndex:
    """Finds the lowest row that has capacity.

    For every need of CPU met so far, each block of hosts has a bound of the free memory of
    those among its hosts that have so much CPU left; a look into blocks in vain lowers it to what
    is true. Beyond :data:`MAX_NEEDS` needs, the bounds of the next smaller one serve, and more
    looks are in vain.
    """

    def __init__(self, free_mhz: Floats, free_mib: Floats, tie_mhz: float) -> None:
        self._tie_mhz = tie_mhz
        blocks = -(-len(free_mhz) // BLOCK)
        self._mhz, self._mib = np.full((2, blocks * BLOCK), -np.inf)
        self._mhz[: len(free_mhz)], self._mib[: len(free_mib)] = free_mhz, free_mib
        self._one_mhz, self._one_mib = singles(self._mhz), singles(self._mib)
        self._block_mhz = self._mhz.reshape(blocks, BLOCK)
        self._block_mib = self._mib.reshape(blocks, BLOCK)
        self._needs = [-inf]
        self._bound_mib = self._max_mib(slice(None), -inf)[None]

    def find(self, need_mhz: float, need_mib: float) -> int:
        """Return the lowest row with so much CPU and memory; −1: none."""
        need_mhz -= self._tie_mhz
        kind = self._kind(need_mhz)
        enough = self._bound_mib[kind] >= need_mib
        block = int(enough.argmax())
        if not enough[block]:
            return -1
        one_mhz, one_mib = self._one_mhz, self._one_mib
        for host in range(block * BLOCK, (block + 1) * BLOCK):
            if one_mib[host] >= need_mib and one_mhz[host] >= need_mhz:
                return host
        return self._look_on(kind, block, need_mhz, need_mib)

    def _look_on(self, kind: int, block: int, need_mhz: float, need_mib: float) -> int:
        """Look into more and more blocks at once, after a look into one was in vain."""
        bound_mib = self._bound_mib[kind]
        looked = 1
        while True:
            some = slice(block, block + looked)
            fits = self._block_mhz[some] >= need_mhz
            fits &= self._block_mib[some] >= need_mib
            at = int(fits.argmax())
            if fits.item(at):
                return block * BLOCK + at
            bound_mib[some] = self._max_mib(some, self._needs[kind])
            block += looked
            enough = bound_mib[block:] >= need_mib
            if not enough.any():
                return -1
            block += int(enough.argmax())
            looked *= 2

    def update(self, host: int, free_mhz: float, free_mib: float) -> None:
        """Update the free capacity of a host; −1 for both excludes it."""
        self._one_mhz[host], self._one_mib[host] = free_mhz, free_mib
        bound_mib = self._bound_mib[: bisect_right(self._needs, free_mhz), host // BLOCK]
        np.maximum(bound_mib, free_mib, out=bound_mib)

    def _kind(self, need_mhz: float) -> int:
        """Return the place of a need among those that have bounds, or of the next smaller one."""
        kind = bisect_right(self._needs, need_mhz) - 1
        if self._needs[kind] == need_mhz or len(self._needs) >= MAX_NEEDS:
            return kind
        bound_mib = self._max_mib(slice(None), need_mhz)
        self._needs.insert(kind + 1, need_mhz)
        self._bound_mib = np.insert(self._bound_mib, kind + 1, bound_mib, axis=0)
        return kind + 1

    def _max_mib(self, blocks: slice, need_mhz: float) -> Floats:
        """Return the most free memory in some blocks on hosts with so much CPU left."""
        enough = self._block_mhz[blocks] >= need_mhz
        max_mib: Floats = self._block_mib[blocks].max(axis=1, initial=-np.inf, where=enough)
        return max_mib
