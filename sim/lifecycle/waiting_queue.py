"""VMs that wait for a host, in queue order."""

from bisect import insort
from collections import Counter
from collections.abc import Callable

import numpy as np

from ...models.base.arrays import Bools, Ints

Entry = tuple[int, int, int, int]
"""0 for a restart and 1 else, priority negated, number in order of entry, VM."""


class _Line:
    """VMs of one kind in order, from ``start`` on; those before have gone."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.start = 0

    def add(self, entry: Entry) -> None:
        """Put a VM where it belongs, mostly at the end."""
        if self.entries and entry < self.entries[-1]:
            insort(self.entries, entry, self.start)
        else:
            self.entries.append(entry)

    def drop_while(self, is_gone: Callable[[Entry], bool]) -> None:
        """Take the first ones out as long as they have gone."""
        while self.start < len(self.entries) and is_gone(self.entries[self.start]):
            self.start += 1
        if 2 * self.start > len(self.entries):
            del self.entries[: self.start]
            self.start = 0


class WaitingQueue:
    """A queue per kind of VM, so that each kind is tried once, not once per VM.

    Restarts come first, then higher priority, then who has waited longer.

    ``kind_of_vm`` and ``priority`` are (vms,). Adding or removing a VM costs time logarithmic in
    the number of its kind that wait.
    """

    def __init__(self, kind_of_vm: Ints, priority: Ints) -> None:
        self._kind, self._priority = kind_of_vm, priority
        self._lines: dict[int, _Line] = {}
        self._present: dict[int, int] = {}
        self._waiting: Counter[int] = Counter()
        self._number = 0

    def __len__(self) -> int:
        return len(self._present)

    def kind(self, vm: int) -> int:
        """Return the kind of a VM: VMs of one kind fit on the same hosts."""
        return int(self._kind[vm])

    def holds_kind_of(self, vms: Ints) -> Bools:
        """Return which VMs would come behind others of their kind that wait."""
        if not self._present:
            return np.zeros(len(vms), bool)
        return np.array([self._waiting[self.kind(vm)] > 0 for vm in vms.tolist()], bool)

    def add(self, vms: Ints, first: bool = False) -> None:
        """Append VMs; ``first`` lets them go before all that are not restarts."""
        for vm in vms.tolist():
            self._number += 1
            self._waiting[self.kind(vm)] += vm not in self._present
            self._present[vm] = self._number
            entry = (0 if first else 1, -int(self._priority[vm]), self._number, vm)
            self._lines.setdefault(self.kind(vm), _Line()).add(entry)

    def remove(self, vms: Ints) -> None:
        """Take VMs out, as far as they are in."""
        if self._present:
            for vm in vms.tolist():
                if self._present.pop(vm, None) is not None:
                    self._waiting[self.kind(vm)] -= 1

    def leading(self, without: set[int], most: int) -> list[int]:
        """Return the first VMs of kinds not in ``without``, in order, all of one priority.

        None are left out between them; at most ``most`` are returned.
        """
        heads, present = [], self._present.get
        for kind, line in list(self._lines.items()):
            head = line.entries[line.start]
            if present(head[3]) != head[2]:
                line.drop_while(self._is_gone)
                if line.start == len(line.entries):
                    del self._lines[kind]
                    continue
                head = line.entries[line.start]
            if kind not in without:
                heads.append((head, line.start, line))
        heads.sort()
        first: list[int] = []
        rank = heads[0][0][:2] if heads else ()
        while heads and len(first) < most and heads[0][0][:2] == rank:
            entry, at, line = heads.pop(0)
            first.append(entry[3])
            entries = line.entries
            at += 1
            while at < len(entries) and self._is_gone(entries[at]):
                at += 1
            if at < len(entries):
                insort(heads, (entries[at], at, line))
        return first

    def _is_gone(self, entry: Entry) -> bool:
        """Whether a VM no longer waits under its entry, which an earlier wait has left."""
        return self._present.get(entry[3]) != entry[2]

    def waiting(self) -> Ints:
        """Return the VMs in the queue, ascending."""
        return np.array(sorted(self._present), np.int64)


FIRST_TRIED = 4
"""VMs of the queue that are tried together at first."""


def serve(
    queue: WaitingQueue,
    place: Callable[[Ints], Ints],
    in_vain: Callable[[list[int]], bool] = lambda _: False,
) -> None:
    """Place those who wait as far as there is room, in the order of the queue.

    ``place`` gives hosts to VMs, takes these out of the queue, and returns those that found none.
    ``in_vain`` tells of VMs, and notes it, that all of them would find none.
    """
    full: set[int] = set()
    # A few to see whether there is room, more as long as there is.
    most = FIRST_TRIED
    while vms := queue.leading(full, most):
        left = vms if in_vain(vms) else place(np.array(vms, np.int64)).tolist()
        full.update(map(queue.kind, left))
        most = FIRST_TRIED if left else 2 * most


def place_all(vms: Ints, choose: Callable[[Ints], Ints], put: Callable[[Ints, Ints], None]) -> Ints:
    """Place VMs on hosts as far as possible; return those without a host.

    ``choose`` names a host per VM (−1: none has room), ``put`` takes VMs there.
    """
    left = vms
    while len(left):
        hosts = choose(left)
        found = hosts >= 0
        if found.any():
            put(left[found], hosts[found])
        left = left[~found]
        if found.all() or not found.any():
            break
    return left
