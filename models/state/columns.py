"""The columns of a farm: one row per host, one row per VM.

Units: MHz, MiB, W, s. Nothing in a column is a Python object.
"""

from collections.abc import Sequence
from dataclasses import field
from typing import Final

import numpy as np

from ..base.arrays import Bools, Floats, Ints, States
from ..base.lazy_dataclass import dataclass
from ..hardware.power_curves import PowerBank
from ..hardware.sleep_states import SleepStates


class PowerState:
    """Power state of a host.

    A draining host is on but takes no further VM; a failed one is dark until it is repaired.

    Plain integers, not an enumeration: comparing a column with an enumeration's member costs
    NumPy twenty times as much.
    """

    OFF: Final = 0
    BOOTING: Final = 1
    ON: Final = 2
    DRAINING: Final = 3
    STOPPING: Final = 4
    FAILED: Final = 5


POWER_STATES = ("off", "booting", "on", "draining", "stopping", "failed")


class VmState:
    """Life cycle state of a VM: waiting has no host now, rejected never got one.

    A VM that starts holds its memory and does no work yet; one that is suspended is on storage;
    one that is absent has not been asked for, or not again.
    """

    WAITING: Final = 0
    RUNNING: Final = 1
    MIGRATING: Final = 2
    FINISHED: Final = 3
    REJECTED: Final = 4
    LOST: Final = 5
    STARTING: Final = 6
    SUSPENDED: Final = 7
    ABSENT: Final = 8


VM_STATES = (
    "waiting",
    "running",
    "migrating",
    "finished",
    "rejected",
    "lost",
    "starting",
    "suspended",
    "absent",
)


@dataclass
class Hosts:
    """Columns of the hosts; the first block is fixed for a run, the second is state.

    ``demand_mhz`` is what guests and incoming copies ask of the host, ``delivered_mhz`` what it
    gives them; ``rack`` is the rack that they stand in, a position in ``rack_names``; ``cluster``
    is a number, −1 for hosts in none;
    ``committed_mhz`` is the sum of the guests' sizes, ``vcpus`` that of their vCPUs;
    ``memory_used_mib`` counts guests, reservations for incoming ones, and guests that have left and
    still fetch their pages, ``sending`` of them. A host that is not ``reachable`` is cut off from
    the network: it works on, takes no VM and gives none away. One that is not ``in_service`` is
    closed for maintenance: it takes no VM and nobody wakes it. ``cpu_ceiling`` and
    ``memory_ceiling`` are the shares of CPU and memory that placement fills. ``booted_s`` is when
    its last boot ended, −inf without one. ``sleep_state`` says which sleep state a host is in, on
    its way to, or on its way out of (see :data:`.sleep_states.SLEEP_STATES`); being off has columns
    of its own, the others are in ``sleep``.
    """

    cpu_mhz: Floats
    core_mhz: Floats
    memory_mib: Floats
    group: Ints
    power: PowerBank
    off_w: Floats
    boot_s: Floats
    boot_w: Floats
    stop_s: Floats
    stop_w: Floats
    names: Sequence[str]
    group_names: Sequence[str]
    server_names: Sequence[str]
    sleep: SleepStates | None = None

    rack: Ints = field(init=False)
    rack_names: Sequence[str] = field(init=False)
    cluster: Ints = field(init=False)
    state: States = field(init=False)
    demand_mhz: Floats = field(init=False)
    delivered_mhz: Floats = field(init=False)
    committed_mhz: Floats = field(init=False)
    vcpus: Floats = field(init=False)
    memory_used_mib: Floats = field(init=False)
    vm_count: Ints = field(init=False)
    incoming: Ints = field(init=False)
    sending: Ints = field(init=False)
    reachable: Bools = field(init=False)
    booted_s: Floats = field(init=False)
    in_service: Bools = field(init=False)
    cpu_ceiling: Floats = field(init=False)
    memory_ceiling: Floats = field(init=False)
    sleep_state: States = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.cpu_mhz)
        self.rack = np.zeros(count, np.int64)
        self.rack_names: Sequence[str] = ("rack-1",)
        self.cluster = np.full(count, -1, np.int64)
        self.state = np.full(count, PowerState.ON, np.int8)
        self.demand_mhz = np.zeros(count)
        self.delivered_mhz = np.zeros(count)
        self.committed_mhz = np.zeros(count)
        self.vcpus = np.zeros(count)
        self.memory_used_mib = np.zeros(count)
        self.vm_count = np.zeros(count, np.int64)
        self.incoming = np.zeros(count, np.int64)
        self.sending = np.zeros(count, np.int64)
        self.reachable = np.ones(count, bool)
        self.booted_s = np.full(count, -np.inf)
        self.in_service = np.ones(count, bool)
        self.cpu_ceiling, self.memory_ceiling = np.ones(count), np.ones(count)
        self.sleep_state = np.zeros(count, np.int8)

        self._state_w = np.zeros((len(POWER_STATES), count))
        self._state_w[PowerState.OFF] = self.off_w
        self._state_w[PowerState.BOOTING] = self.boot_w
        self._state_w[PowerState.STOPPING] = self.stop_w
        self._state_w[PowerState.FAILED] = self.off_w
        sleep = self.sleep or SleepStates.none(len(self.group_names))
        self._sleep = sleep
        self._sleep_w = np.zeros((len(POWER_STATES), *sleep.state_w.shape))
        self._sleep_w[PowerState.OFF] = sleep.state_w
        self._sleep_w[PowerState.BOOTING] = sleep.leave_w
        self._sleep_w[PowerState.STOPPING] = sleep.enter_w

    @property
    def plan_mhz(self) -> Floats:
        """CPU that placement fills at most, the hypervisor's own included, in MHz."""
        planned: Floats = self.cpu_mhz * self.cpu_ceiling
        return planned

    @property
    def plan_mib(self) -> Floats:
        """Memory that placement fills at most, in MiB."""
        planned: Floats = self.memory_mib * self.memory_ceiling
        return planned

    def __len__(self) -> int:
        return len(self.cpu_mhz)

    def watts(self, rows: Ints | slice, utilisation: Floats, serving: Bools) -> Floats:
        """Return the power of some hosts: by utilisation where serving, by state elsewhere."""
        power_w = self.power.watts(utilisation, rows)
        if not serving.all():
            power_w = np.where(serving, power_w, self.state_w(rows))
        return power_w

    def state_w(self, rows: Ints | slice) -> Floats:
        """Return the power of some hosts in their current states, in W; 0 for hosts that are on."""
        state, sleep_state = self.state[rows], self.sleep_state[rows]
        state_w: Floats = self._state_w[:, rows][state, np.arange(len(state))]
        deep = np.flatnonzero(sleep_state)
        if len(deep):
            group = self.group[rows][deep]
            state_w[deep] = self._sleep_w[state[deep], sleep_state[deep], group]
        return state_w

    def sleep_states_of(self, wanted: int) -> States:
        """Return the sleep state per host: the one wanted, or off where it has no such state."""
        has = self._sleep.available[wanted, self.group]
        return np.where(has, wanted, 0).astype(np.int8)

    def enter_s(self, rows: Ints, sleep_state: States) -> Floats:
        """Return how long some hosts take into sleep states, one per host, in s."""
        asleep_s = self._sleep.enter_s[sleep_state, self.group[rows]]
        return np.where(sleep_state > 0, asleep_s, self.stop_s[rows])

    def leave_s(self, rows: Ints) -> Floats:
        """Return how long some hosts take out of their present sleep states, in s."""
        sleep_state = self.sleep_state[rows]
        asleep_s = self._sleep.leave_s[sleep_state, self.group[rows]]
        return np.where(sleep_state > 0, asleep_s, self.boot_s[rows])


@dataclass
class Vms:
    """Columns of the VMs; the first block changes only by resizing, the second is state.

    ``size_mhz`` is the CPU that all vCPUs have on paper; ``host`` is −1 where there is none;
    ``moving_to`` is the target of a migration under way (−1: none), during which the guest
    keeps ``guest_share`` of its CPU and asks its host for no more. ``disk_mib`` is what a migration
    copies where hosts share no storage, ``disk_write_mbps`` what a guest at full activity writes
    to it meanwhile. ``pages_at`` is the host that keeps the pages of a guest which has arrived
    elsewhere and still fetches them (−1: none). VMs of higher ``priority`` come first where not
    all can. ``unused_mib`` is the part of its memory that a guest does not take of its host, NaN
    where that is unknown; None: known of no VM.
    """

    vcpus: Ints
    size_mhz: Floats
    memory_mib: Floats
    names: Sequence[str]
    size_names: Sequence[str]
    size: Ints
    disk_mib: Floats
    disk_write_mbps: Floats
    priority: Ints

    host: Ints = field(init=False)
    state: States = field(init=False)
    demand_mhz: Floats = field(init=False)
    moving_to: Ints = field(init=False)
    pages_at: Ints = field(init=False)
    guest_share: Floats = field(init=False)
    unused_mib: Floats | None = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.vcpus)
        self.host = np.full(count, -1, np.int64)
        self.state = np.full(count, VmState.WAITING, np.int8)
        self.demand_mhz = np.zeros(count)
        self.moving_to = np.full(count, -1, np.int64)
        self.pages_at = np.full(count, -1, np.int64)
        self.guest_share = np.ones(count)
        self.unused_mib = None

    def __len__(self) -> int:
        return len(self.vcpus)
