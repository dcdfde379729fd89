"""Time from placement of a VM until it runs, with limited starts per host."""

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints


class Provisioning:
    """Durations per group of hosts, and ``per_host`` starts at a time on each host.

    ``first_s`` is what making and booting a VM takes, ``again_s`` what booting one takes that
    exists already, both (groups), in s. A start that finds its host's places taken begins when
    the first of them is free: first come, first served, so its end is known at once.
    ``is_instant``: starts take no time.
    """

    def __init__(self, first_s: Floats, again_s: Floats, per_host: int, hosts: int) -> None:
        self._first_s, self._again_s = first_s, again_s
        self._free_s = np.zeros((hosts, per_host))
        self.is_instant = not (first_s.any() or again_s.any())

    def ready_s(
        self, hosts: Ints, groups: Ints, again: Bools, now_s: float, on_s: Floats
    ) -> Floats:
        """Return when VMs that get a place now will run; ``on_s`` is when their hosts are on.

        All arguments but ``now_s`` have one entry per VM: row and group of its host, whether it
        exists already, and when the host is on, in s. The slot is taken by the call.
        """
        earliest_s = np.maximum(on_s, now_s)
        if self.is_instant:
            return earliest_s
        took_s = np.where(again, self._again_s[groups], self._first_s[groups])
        ready_s = np.empty(len(hosts))
        for index, host in enumerate(hosts.tolist()):
            row = self._free_s[host]
            place = int(row.argmin())
            row[place] = max(row[place], earliest_s[index]) + took_s[index]
            ready_s[index] = row[place]
        return ready_s

    def release(self, hosts: Ints) -> None:
        """Free a place of each host, one per mention, whose start has been called off.

        The slot that would be free last is given back, whichever start it was.
        """
        for host in hosts.tolist() if not self.is_instant else ():
            row = self._free_s[host]
            row[int(row.argmax())] = 0.0

    def forget(self, hosts: Ints) -> None:
        """Free all places of hosts that have failed."""
        self._free_s[hosts] = 0.0
