"""Stories of hosts being switched: waking, draining, shutting down."""

from collections import Counter
from collections.abc import Generator

import numpy as np
import simpy

from ..models.arrays import Bools, Ints
from ..models.columns import PowerState
from ..models.farm import Farm
from .clock import Clock
from .recorder import Recorder

Story = Generator[simpy.Event, object, None]


class PowerStories:
    """Boots and shutdowns; a duration of zero is a switch without a story."""

    def __init__(self, clock: Clock, farm: Farm, recorder: Recorder) -> None:
        self._clock, self._farm, self._recorder = clock, farm, recorder
        self._boots: dict[int, simpy.Process] = {}
        self._held: Counter[int] = Counter()

    def booted(self, host: int) -> simpy.Process:
        """Return the event of a booting host being on."""
        return self._boots[host]

    def wake(self, hosts: Ints, cause: str) -> None:
        """Switch on hosts that are off."""
        boot_s = self._farm.hosts.boot_s[hosts]
        self._set(hosts[boot_s == 0], PowerState.ON, cause)
        for duration_s in np.unique(boot_s[boot_s > 0]).tolist():
            batch = hosts[boot_s == duration_s]
            process = self._clock.process(self._boot(batch, duration_s))
            self._boots.update(dict.fromkeys(batch.tolist(), process))
            self._set(batch, PowerState.BOOTING, cause)

    def _boot(self, hosts: Ints, duration_s: float) -> Story:
        """Boot hosts that take equally long."""
        yield self._clock.timeout(duration_s)
        self._set(hosts, PowerState.ON, "booted")
        for host in hosts.tolist():
            del self._boots[host]

    def hold(self, host: int) -> None:
        """Keep a host on while VMs leave it: pages may be there when no VM is any more."""
        self._held[host] += 1

    def release(self, host: int) -> None:
        """End one :meth:`hold` of a host."""
        self._held[host] -= 1
        if not self._held[host]:
            del self._held[host]

    def drain(self, hosts: Ints, cause: str) -> None:
        """Let no further VM onto hosts that are to be switched off when empty."""
        self._set(hosts, PowerState.DRAINING, cause)

    def finish_draining(self, hosts: Ints) -> None:
        """Switch off those draining hosts that have become empty."""
        farm = self._farm.hosts
        done = (farm.state[hosts] == PowerState.DRAINING) & (farm.vm_count[hosts] == 0)
        self.stop(hosts[done & ~self._holds(hosts)], "drained")

    def finish_draining_of(self, host: int) -> None:
        """Do as :meth:`finish_draining` for one host."""
        farm = self._farm.hosts
        if farm.state.item(host) == PowerState.DRAINING and not farm.vm_count.item(host):
            self.finish_draining(np.array([host]))

    def stop(self, hosts: Ints, cause: str) -> None:
        """Switch off empty hosts; those held are drained."""
        held = self._holds(hosts)
        if held.any():
            self.drain(hosts[held], cause)
            hosts = hosts[~held]
        stop_s = self._farm.hosts.stop_s[hosts]
        self._set(hosts[stop_s == 0], PowerState.OFF, cause)
        for duration_s in np.unique(stop_s[stop_s > 0]).tolist():
            batch = hosts[stop_s == duration_s]
            self._set(batch, PowerState.STOPPING, cause)
            self._clock.process(self._shut_down(batch, duration_s))

    def _holds(self, hosts: Ints) -> Bools:
        return np.array([host in self._held for host in hosts.tolist()], bool)

    def _shut_down(self, hosts: Ints, duration_s: float) -> Story:
        """Shut down hosts that take equally long."""
        yield self._clock.timeout(duration_s)
        self._set(hosts, PowerState.OFF, "shut down")

    def _set(self, hosts: Ints, state: int, cause: str) -> None:
        if len(hosts):
            self._farm.set_power_state(hosts, state, self._clock.now)
            self._recorder.note_power(self._clock.now, hosts, state, cause)
