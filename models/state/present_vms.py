"""Which VMs a pass over the farm has to visit, and which of these ask for nothing."""

import numpy as np

from ..base.arrays import Bools, Ints
from .columns import Vms, VmState

FIRST_ROWS = 1024


class PresentVms:
    """Rows of VMs that are there, or have been since the demand was set last.

    With ``all_present`` every VM is there from the start and stays; otherwise a pass costs in
    proportion to the VMs that are present, however many there will ever be. ``rows`` are the VMs
    to visit, ``inactive`` those of them that ask for nothing: neither on a host nor suspended, or
    starting. ``home`` is the host of each VM, the number of hosts standing for none; it belongs
    to the farm and is only read here.
    """

    def __init__(self, vms: Vms, home: Ints, hosts: int, all_present: bool) -> None:
        self._vms, self._home, self._hosts = vms, home, hosts
        self._all_present = all_present
        self._buffer: Ints = np.empty(0 if all_present else FIRST_ROWS, np.int64)
        self._listed: Bools = np.zeros(0 if all_present else len(vms), bool)
        self._count = 0
        self.rows: Ints | slice = slice(None) if all_present else self._buffer[:0]
        self.inactive: Ints = np.arange(len(vms)) if all_present else self._buffer[:0]
        self.stale = False
        """Whether VMs have come, gone, started or been suspended since the last recount."""

    def add(self, vms: Ints) -> None:
        """Visit VMs that have come to a host from now on."""
        if self._all_present:
            return
        vms = vms[~self._listed[vms]]
        count = self._count + len(vms)
        if count > len(self._buffer):
            longer = np.empty(2 * count, np.int64)
            longer[: self._count] = self._buffer[: self._count]
            self._buffer = longer
        self._buffer[self._count : count] = vms
        self._listed[vms] = True
        self._count = count
        self.rows = self._buffer[:count]

    def add_one(self, vm: int) -> None:
        """Do as :meth:`add` for one VM."""
        if self._all_present or self._listed.item(vm):
            return
        if self._count == len(self._buffer):
            self.add(np.array([vm]))
            return
        self._buffer[self._count] = vm
        self._listed[vm] = True
        self._count += 1
        self.rows = self._buffer[: self._count]

    def recount(self, starting: int) -> None:
        """Find out who asks for nothing now, where that may have changed, and forget the absent.

        ``starting`` is how many VMs start now. VMs that are gone are forgotten once they are more
        than half of those visited.
        """
        if not self.stale:
            return
        self.stale = False
        if self._all_present:
            absent = self._home == self._hosts
            self.inactive = np.flatnonzero(absent & (self._vms.state != VmState.SUSPENDED))
            if starting:
                begun = np.flatnonzero(self._vms.state == VmState.STARTING)
                self.inactive = np.union1d(self.inactive, begun)
            return
        rows = self._buffer[: self._count]
        present = self._home[rows] < self._hosts
        present |= self._vms.state[rows] == VmState.SUSPENDED
        if 2 * np.count_nonzero(present) < self._count:
            rows, present = self._keep(rows, present)
        self.rows = rows
        self.inactive = rows[~present | (self._vms.state[rows] == VmState.STARTING)]

    def _keep(self, rows: Ints, present: Bools) -> tuple[Ints, Bools]:
        """Forget the VMs that are not present; return the others, ascending."""
        self._listed[rows[~present]] = False
        kept = np.sort(rows[present])
        self._count = len(kept)
        self._buffer[: self._count] = kept
        return self._buffer[: self._count], np.ones(len(kept), bool)
