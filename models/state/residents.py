"""VMs on each host, in columns.

The VM rows of a host are a segment of one flat array, in no order. A segment that is full moves
to the end of the array with at least twice the length, so that VMs enter and leave hosts, and
the VMs of some hosts are listed, at a cost that does not depend on the farm. What segments leave
behind when they move is never used again: all of it together is less than the segments in use.
"""

import numpy as np

from ..base.arrays import Ints, distinct

FIRST_SLOTS = 8


class Residents:
    """Segments of VM rows, one per host, the first ``count`` slots of each taken."""

    def __init__(self, hosts: int, vms: int) -> None:
        self.count = np.zeros(hosts, np.int64)
        self._start = np.arange(hosts) * FIRST_SLOTS
        self._length = np.full(hosts, FIRST_SLOTS)
        self._end = hosts * FIRST_SLOTS
        self._vms = np.zeros(self._end, np.int32)
        self._leaving = np.zeros(vms, bool)
        self._asked: Ints | None = None
        self._found = np.zeros(0, np.int64)
        """Last answer of :meth:`recall`, which several ask in turn when hosts are settled."""

    def add(self, vms: Ints, hosts: Ints) -> None:
        """Put each VM, which must be on no host, on the host at the same position."""
        self._asked = None
        if len(hosts) > 1:
            order = np.argsort(hosts, kind="stable")
            vms, hosts = vms[order], hosts[order]
        rank = np.arange(len(hosts)) - np.searchsorted(hosts, hosts)
        count = self.count[hosts] + rank + 1
        full = count > self._length[hosts]
        if full.any():
            self._lengthen(hosts[full], count[full])
        self._vms[self._start[hosts] + count - 1] = vms
        self.count[hosts] = count  # of a host named repeatedly the last, which is the largest

    def remove(self, vms: Ints, hosts: Ints) -> None:
        """Take each VM off the host at the same position."""
        if not len(vms):
            return
        self._asked = None
        rows = distinct(hosts)
        count = self.count[rows]
        residents = self._vms[self._slots(rows, count)]
        self._leaving[vms] = True
        stays = ~self._leaving[residents]
        self._leaving[vms] = False
        left = np.add.reduceat(stays, np.cumsum(count) - count, dtype=np.int64)
        self._vms[self._slots(rows, left)] = residents[stays]
        self.count[rows] = left

    def move_one(self, vm: int, source: int, target: int) -> None:
        """Take a VM off one host and put it on another."""
        self.remove_one(vm, source)
        self.add_one(vm, target)

    def add_one(self, vm: int, host: int) -> None:
        """Put a VM, which must be on no host, on one."""
        self._asked = None
        held = self.count.item(host)
        if held == self._length.item(host):
            self._lengthen(np.array([host]), np.array([held + 1]))
        self._vms[self._start.item(host) + held] = vm
        self.count[host] = held + 1

    def remove_one(self, vm: int, host: int) -> None:
        """Take a VM off the host that it is on."""
        self._asked = None
        first, last = self._start.item(host), self.count.item(host) - 1
        segment = self._vms[first : first + last + 1]
        segment[segment.tolist().index(vm)] = segment[last]
        self.count[host] = last

    def of_one(self, host: int) -> Ints:
        """Return the VM rows on one host, ascending."""
        first = self._start.item(host)
        vms = self._vms[first : first + self.count.item(host)].astype(np.int64)
        vms.sort()
        return vms

    def listed(self, host: int) -> list[int]:
        """Return the VM rows on one host, ascending, as a list."""
        first = self._start.item(host)
        vms: list[int] = self._vms[first : first + self.count.item(host)].tolist()
        vms.sort()
        return vms

    def of(self, hosts: Ints) -> Ints:
        """Return the VM rows on the given hosts, ascending."""
        if len(hosts) == 1:
            return self.of_one(hosts.item(0))
        vms = self._vms[self._slots(hosts, self.count[hosts])].astype(np.int64)
        vms.sort()
        return vms

    def recall(self, hosts: Ints) -> Ints:
        """Return what :meth:`of` does, from memory if the same array has just been asked about.

        Neither array may be written to.
        """
        if hosts is not self._asked:
            self._asked, self._found = hosts, self.of(hosts)
        return self._found

    def _slots(self, hosts: Ints, count: Ints) -> Ints:
        """Return the first ``count`` slots of the segment of each host, one after another."""
        if len(hosts) == 1:
            start = int(self._start[hosts[0]])
            return np.arange(start, start + int(count[0]))
        ends = np.cumsum(count)
        first = np.repeat(self._start[hosts] - ends + count, count)
        first += np.arange(len(first))
        return first

    def _lengthen(self, hosts: Ints, count: Ints) -> None:
        """Move segments to the end, so that each holds ``count``, ascending for a host."""
        last = np.append(hosts[1:] != hosts[:-1], True)
        hosts, count = hosts[last], count[last]
        kept = self._vms[self._slots(hosts, self.count[hosts])]
        length = np.maximum(count, 2 * self._length[hosts])
        ends = self._end + np.cumsum(length)
        self._start[hosts] = ends - length
        self._length[hosts] = length
        self._end = int(ends[-1])
        if self._end > len(self._vms):
            longer = np.zeros(max(self._end, 2 * len(self._vms)), np.int32)
            longer[: len(self._vms)] = self._vms
            self._vms = longer
        self._vms[self._slots(hosts, self.count[hosts])] = kept
