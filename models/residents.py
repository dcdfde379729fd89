"""Which VMs are on which host, in columns.

Each host has a row of slots, the first ``count`` of them taken, so that VMs enter and leave
hosts, and the VMs of some hosts are listed, at a cost that does not depend on the farm.
"""

import numpy as np

from .arrays import Ints, distinct

FIRST_SLOTS = 8


class Residents:
    """Slots for VM rows, one row of slots per host; the table widens as hosts fill up."""

    def __init__(self, hosts: int, vms: int) -> None:
        self._slots = np.zeros((hosts, FIRST_SLOTS), np.int32)
        self.count = np.zeros(hosts, np.int64)
        self._leaving = np.zeros(vms, bool)

    def add(self, vms: Ints, hosts: Ints) -> None:
        """Put each VM, which must be on no host, on the host at the same position."""
        order = np.argsort(hosts, kind="stable")
        vms, hosts = vms[order], hosts[order]
        rank = np.arange(len(hosts)) - np.searchsorted(hosts, hosts)
        column = self.count[hosts] + rank
        self._widen(int(column.max(initial=0)) + 1)
        self._slots[hosts, column] = vms
        np.add.at(self.count, hosts, 1)

    def remove(self, vms: Ints, hosts: Ints) -> None:
        """Take each VM off the host at the same position."""
        rows = distinct(hosts)
        width = int(self.count[rows].max(initial=0))
        block = self._slots[rows, :width]
        self._leaving[vms] = True
        gone = self._leaving[block] | (np.arange(width) >= self.count[rows, None])
        self._leaving[vms] = False
        order = np.argsort(gone, axis=1, kind="stable")
        self._slots[rows, :width] = np.take_along_axis(block, order, axis=1)
        self.count[rows] = width - gone.sum(axis=1)

    def move_one(self, vm: int, source: int, target: int) -> None:
        """Take a VM off one host and put it on another."""
        last = self.count.item(source) - 1
        slots = self._slots[source]
        slots[slots[: last + 1].tolist().index(vm)] = slots[last]
        self.count[source] = last
        column = self.count.item(target)
        self._widen(column + 1)
        self._slots[target, column] = vm
        self.count[target] = column + 1

    def of_one(self, host: int) -> Ints:
        """Return the VM rows on one host, ascending."""
        return np.sort(self._slots[host, : self.count.item(host)])

    def of(self, hosts: Ints) -> Ints:
        """Return the VM rows on the given hosts, ascending."""
        count = self.count[hosts]
        width = int(count.max(initial=0))
        taken = np.arange(width) < count[:, None]
        vms = self._slots[hosts, :width][taken].astype(np.int64)
        vms.sort()
        return vms

    def _widen(self, slots: int) -> None:
        hosts, width = self._slots.shape
        if slots > width:
            wider = np.zeros((hosts, max(slots, 2 * width)), np.int32)
            wider[:, :width] = self._slots
            self._slots = wider
