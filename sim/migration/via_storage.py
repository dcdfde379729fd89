"""Migration of a VM via storage, suspended meanwhile."""

from collections.abc import Callable, Generator

import numpy as np
import simpy

from ...models.base.arrays import Ints
from ...models.farm.farm import Farm
from ...models.migration.fixed_rate import MEGABIT_PER_MIB
from ...models.state.columns import VmState
from ..base.clock import Clock
from ..hosts.power_states import PowerTransitions

SimProcess = Generator[simpy.Event, object, None]

STORAGE_MBPS = 4000.0
"""What a VM's memory is written to storage and read with; an estimate, 500 MB/s."""


class Suspension:
    """One VM whose memory is written to storage and read at its target.

    ``downtime = 2 M / B + wait``: writing and reading each take the memory M over B,
    ``storage_mbps``, whatever others do. ``stored`` tells whether the VM has left its host and
    waits for :meth:`resume`.

    Used by :class:`.WaitingMigrations` where no memory is free for a direct migration. Suspension
    happens once per object: :meth:`play` and :meth:`resume` are each called once.
    """

    def __init__(
        self, clock: Clock, farm: Farm, power: PowerTransitions, vm: int, storage_mbps: float
    ) -> None:
        self._clock, self._farm, self._power, self._vm = clock, farm, power, np.array([vm])
        self.source = int(farm.vms.host[vm])
        self.began_s = clock.now
        self.stored = False
        self._room = clock.event()
        self._target = -1
        self._copy_s = float(farm.vms.memory_mib[vm]) * MEGABIT_PER_MIB / storage_mbps

    def play(self, stored: Callable[[], None], ended: Callable[[bool], None]) -> SimProcess:
        """Stop, write, wait for capacity, read, resume; ``ended`` is called with success.

        ``stored`` is called when the source is free of the VM, ``ended`` exactly once with whether
        the VM runs at its target. An interrupt leaves the VM where it is: at the source, or
        suspended.
        """
        clock, farm, finished = self._clock, self._farm, False
        try:
            self._set_guest_share(0.0)
            yield clock.timeout(self._copy_s)
            if farm.vms.host[self._vm[0]] != self.source:
                ended(finished)  # its host has failed meanwhile, or it has left
                return
            farm.suspend(self._vm, clock.now)
            self._power.finish_draining(np.array([self.source]))
            self.stored = True
            stored()
            yield self._room
            yield clock.timeout(self._copy_s)
            finished = farm.vms.host.item(self._vm[0]) == self._target
        except simpy.Interrupt:
            pass
        if farm.vms.state[self._vm[0]] == VmState.RUNNING:
            self._set_guest_share(1.0)
        ended(finished)

    def resume(self, target: int) -> None:
        """Read the VM from storage on a host that is on and has capacity.

        To be called only while ``stored``. The memory is taken at once, the VM runs when it has
        been read. Raises FarmError if the target lacks the memory.
        """
        self.stored, self._target = False, target
        self._farm.resume(self._vm, np.array([target]), self._clock.now)
        self._set_guest_share(0.0)
        self._room.succeed()

    def _set_guest_share(self, share: float) -> None:
        hosts: Ints = self._farm.vms.host[self._vm]
        self._farm.degrade(self._vm, hosts, share, 0.0, 0.0, self._clock.now)
