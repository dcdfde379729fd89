"""VMs that wait for a host, in queue order."""

import heapq
from collections import Counter
from collections.abc import Callable

import numpy as np

from ...models.base.arrays import Bools, Ints


class WaitingQueue:
    """A queue per kind of VM, so that each kind is tried once, not once per VM.

    Restarts come first, then higher priority, then who has waited longer.

    ``kind_of_vm`` and ``priority`` are (vms,). Adding or removing a VM costs time logarithmic in
    the number of its kind that wait.
    """

    def __init__(self, kind_of_vm: Ints, priority: Ints) -> None:
        self._kind, self._priority = kind_of_vm, priority
        self._queues: dict[int, list[tuple[int, int, int, int]]] = {}
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
            heapq.heappush(self._queues.setdefault(self.kind(vm), []), entry)

    def remove(self, vms: Ints) -> None:
        """Take VMs out, as far as they are in."""
        if self._present:
            for vm in vms.tolist():
                if self._present.pop(vm, None) is not None:
                    self._waiting[self.kind(vm)] -= 1

    def leading(self, without: set[int], most: int) -> Ints:
        """Return the first VMs of kinds not in ``without``, in order, all of one priority.

        None are left out between them; at most ``most`` are returned.
        """
        heads = []
        for kind in list(self._queues):
            queue = self._queues[kind]
            while queue and not self._is_present(queue[0]):
                heapq.heappop(queue)
            if not queue:
                del self._queues[kind]
            elif kind not in without:
                heads.append(queue)
        if not heads:
            return np.empty(0, np.int64)
        rank = min(queue[0] for queue in heads)[:2]
        alike = (each for queue in heads for each in queue if each[:2] == rank)
        first = (
            heapq.nsmallest(most, filter(self._is_present, alike))
            if most > 1
            else [min(queue[0] for queue in heads)]
        )
        return np.array([vm for _, _, _, vm in first], np.int64)

    def _is_present(self, entry: tuple[int, int, int, int]) -> bool:
        """Whether a VM still waits under its entry; others are what an earlier wait left."""
        return self._present.get(entry[3]) == entry[2]

    def waiting(self) -> Ints:
        """Return the VMs in the queue, ascending."""
        return np.array(sorted(self._present), np.int64)


FIRST_TRIED = 4
"""VMs of the queue that are tried together at first."""


def serve(queue: WaitingQueue, place: Callable[[Ints], Ints]) -> None:
    """Place those who wait as far as there is room, in the order of the queue.

    ``place`` gives hosts to VMs, takes these out of the queue, and returns those that found none.
    """
    full: set[int] = set()
    # A few to see whether there is room, more as long as there is.
    most = FIRST_TRIED
    while len(vms := queue.leading(full, most)):
        left = place(vms)
        full.update(queue.kind(vm) for vm in left.tolist())
        most = FIRST_TRIED if len(left) else 2 * most


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
