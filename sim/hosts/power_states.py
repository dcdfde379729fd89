"""Processes of power state changes: waking, draining, shutting down."""

from collections import Counter
from collections.abc import Callable, Generator

import numpy as np
import simpy

from ...models.base.arrays import Bools, Floats, Ints, States, distinct
from ...models.farm.farm import Farm
from ...models.state.columns import PowerState
from ..base.clock import Clock
from ..records.recorder import Recorder

SimProcess = Generator[simpy.Event, object, None]


class PowerTransitions:
    """Powers hosts up and down; changes with zero duration need no process.

    ``sleep`` is the state of rest that hosts are put into where they have it (see
    :data:`farmsim.models.hardware.sleep_states.SLEEP_STATES`); those that have not are switched
    off. ``changed`` is called when hosts have been switched or have failed.

    Durations and powers are those of each host's boot and sleep state. Hosts that take equally long
    share one process. ``cause`` is a text for the table of power events.
    """

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        recorder: Recorder,
        changed: Callable[[], None],
        sleep: int = 0,
    ) -> None:
        self._clock, self._farm, self._recorder = clock, farm, recorder
        self._changed = changed
        self.sleep_state = farm.hosts.sleep_states_of(sleep)
        self._boots: dict[int, simpy.Process] = {}
        self._stops: dict[int, simpy.Process] = {}
        self._on_at_s = np.zeros(len(farm.hosts))
        self._held: Counter[int] = Counter()

    def booted(self, host: int) -> simpy.Process:
        """Return the event of a booting host being on.

        Raises KeyError for a host that is not booting. It does not tell whether the boot succeeded:
        of a host that has failed meanwhile the event fires, too.
        """
        return self._boots[host]

    def on_at_s(self, hosts: Ints) -> Floats:
        """Return when booting hosts will be on; a time in the past for hosts that are on.

        Times are in s, in the shape of ``hosts``.
        """
        on_at_s: Floats = self._on_at_s[hosts]
        return on_at_s

    def wake(self, hosts: Ints, cause: str) -> None:
        """Wake hosts that are off or in a sleep state.

        ``hosts`` are distinct rows, all in state ``OFF``. A host without boot time is on at once.
        """
        boot_s = self._farm.hosts.leave_s(hosts)
        self._on_at_s[hosts] = self._clock.now + boot_s
        self._set(hosts[boot_s == 0], PowerState.ON, cause)
        for duration_s in distinct(boot_s[boot_s > 0]).tolist():
            batch = hosts[boot_s == duration_s]
            process = self._clock.process(self._boot(batch, duration_s))
            self._boots.update(dict.fromkeys(batch.tolist(), process))
            self._set(batch, PowerState.BOOTING, cause)

    def _boot(self, hosts: Ints, duration_s: float) -> SimProcess:
        """Boot hosts that take equally long; one that fails meanwhile is no longer theirs."""
        story = self._clock.active_process
        yield self._clock.timeout(duration_s)
        self._set(self._still(hosts, self._boots, story), PowerState.ON, "booted")

    def wake_for_vms(self, hosts: Ints) -> None:
        """Bring up those of some hosts that are at rest; a host may be named more than once."""
        sleeping = self._farm.hosts.state[hosts] == PowerState.OFF
        self.wake(distinct(hosts[sleeping]), "needed for VMs")

    def fail(self, hosts: Ints, cause: str) -> None:
        """Note that hosts have failed; their pending changes are cancelled.

        The farm has given them the state ``FAILED`` already (:meth:`.Farm.crash`).
        """
        for host in hosts.tolist():
            self._boots.pop(host, None)
            self._stops.pop(host, None)
        self._recorder.note_power(self._clock.now, hosts, PowerState.FAILED, cause)
        self._changed()

    def repair(self, hosts: Ints, wake: bool) -> None:
        """Make failed hosts available again: booted at once, or left off until needed.

        One on which a move that was called off still holds memory is booted in any case.
        """
        expected = self._farm.hosts.incoming[hosts] > 0
        self._set(hosts[~expected], PowerState.OFF, "repaired")
        self.wake(hosts if wake else hosts[expected], "repaired")

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
        if done.any():
            self.stop(hosts[done & ~self.holds(hosts)], "drained")

    def finish_draining_of(self, host: int) -> None:
        """Do as :meth:`finish_draining` for one host."""
        farm = self._farm.hosts
        if farm.state.item(host) == PowerState.DRAINING and not farm.vm_count.item(host):
            self.finish_draining(np.array([host]))

    def stop(self, hosts: Ints, cause: str) -> None:
        """Power down empty hosts; hosts on hold are drained.

        ``hosts`` are distinct rows without VMs and reservations; they go to the sleep state of the
        run, or off where they do not have it.
        """
        held = self.holds(hosts)
        if held.any():
            self.drain(hosts[held], cause)
            hosts = hosts[~held]
        sleep_state = self.sleep_state[hosts]
        stop_s = self._farm.hosts.enter_s(hosts, sleep_state)
        at_once = stop_s == 0
        self._set(hosts[at_once], PowerState.OFF, cause, sleep_state[at_once])
        for duration_s in distinct(stop_s[stop_s > 0]).tolist():
            batch = hosts[stop_s == duration_s]
            self._set(batch, PowerState.STOPPING, cause, sleep_state[stop_s == duration_s])
            process = self._clock.process(self._shut_down(batch, duration_s))
            self._stops.update(dict.fromkeys(batch.tolist(), process))

    def holds(self, hosts: Ints) -> Bools:
        """Return which hosts are kept on although no VM is on them any more."""
        return np.array([host in self._held for host in hosts.tolist()], bool)

    def _shut_down(self, hosts: Ints, duration_s: float) -> SimProcess:
        """Shut down hosts that take equally long."""
        story = self._clock.active_process
        yield self._clock.timeout(duration_s)
        self._set(self._still(hosts, self._stops, story), PowerState.OFF, "shut down")

    @staticmethod
    def _still(hosts: Ints, stories: dict[int, simpy.Process], story: simpy.Process | None) -> Ints:
        """Return the hosts still in a process, without those that failed meanwhile."""
        mine = [host for host in hosts.tolist() if stories.get(host) is story]
        for host in mine:
            del stories[host]
        return np.array(mine, np.int64)

    def _set(self, hosts: Ints, state: int, cause: str, sleep_state: States | None = None) -> None:
        if len(hosts):
            self._farm.set_power_state(hosts, state, self._clock.now, sleep_state)
            self._recorder.note_power(self._clock.now, hosts, state, cause)
            self._changed()
