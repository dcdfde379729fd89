"""Simulated restarts after a failure, with the run's queue, order and placement.

Nothing of it changes the farm. The failover test and the check of a reserve share it, so that
what the one admits the other does not strand.
"""

from copy import copy
from dataclasses import field

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, States, distinct, sum_by
from ...models.base.lazy_dataclass import dataclass
from ...models.rules.reserve import HostedVms
from ...models.state.columns import PowerState
from ...policies.interface.policy_states import PolicyStates
from ...policies.interface.view import FarmView, locked
from ...policies.placement.placement import Placement
from .host_finder import CandidateSearch
from .waiting_queue import WaitingQueue, place_all, serve


@dataclass
class RestartState:
    """Copy of VMs on hosts at one instant, for restarts.

    ``home`` has one entry per VM (−1: none), ``used_mib``, ``load_mhz`` and ``state`` one per
    host. ``need_mhz`` is what each VM counts with, ``capacity_mhz`` what a host may promise.
    ``woken`` are hosts that slept, ``placed`` the VMs that restarted with their hosts, in order.
    """

    home: Ints
    used_mib: Floats
    load_mhz: Floats
    state: States
    need_mhz: Floats
    capacity_mhz: Floats
    states: PolicyStates
    woken: list[int] = field(default_factory=list)
    placed: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of_hosted(
        cls,
        hosted: HostedVms,
        awake: Bools,
        memory_mib: Floats,
        capacity_mhz: Floats,
        states: PolicyStates,
    ) -> "RestartState":
        """Return the state for what hosts hold by a reserve book; hosts not counted have failed.

        ``awake``, ``memory_mib`` and ``capacity_mhz`` are (hosts,). Hosts that are counted and not
        awake sleep. Nothing is shared with the book but what VMs need.
        """
        usable = np.where(awake, PowerState.ON, PowerState.OFF)
        state = np.where(hosted.counted, usable, PowerState.FAILED).astype(np.int8)
        return cls(
            hosted.home.copy(),
            memory_mib - hosted.free_mib,
            capacity_mhz - hosted.free_mhz,
            state,
            hosted.need_mhz,
            capacity_mhz,
            states,
        )

    def view(self, view: FarmView) -> FarmView:
        """Return a view of the copied farm, without ongoing migrations and without a reserve."""
        ahead = copy(view)
        count, held = len(self.state), self.home >= 0
        ahead.hosts = view.hosts.changed(
            memory_used_mib=locked(self.used_mib),
            state=locked(self.state),
            vm_count=np.bincount(self.home[held], minlength=count),
            incoming=np.zeros(count, np.int64),
        )
        ahead.vms = view.vms.changed(host=locked(self.home), moving_to=np.full(len(self.home), -1))
        ahead.states = self.states
        ahead.reserve = None
        return ahead

    def put(self, vms: Ints, hosts: Ints, footprint_mib: Floats) -> None:
        """Put VMs on hosts, and wake sleeping ones."""
        count = len(self.state)
        self.home[vms] = hosts
        self.placed += zip(vms.tolist(), hosts.tolist(), strict=True)
        self.used_mib += sum_by(hosts, weights=footprint_mib[vms], minlength=count)
        self.load_mhz += sum_by(hosts, weights=self.need_mhz[vms], minlength=count)
        sleeping = distinct(hosts[self.state[hosts] == PowerState.OFF])
        self.woken += sleeping.tolist()
        self.state[sleeping] = PowerState.BOOTING

    def fail(self, failed: Ints) -> Ints:
        """Let hosts fail; return the VMs that were on them, ascending."""
        victims = np.flatnonzero(np.isin(self.home, failed))
        self.home[victims] = -1
        self.state[failed] = PowerState.FAILED
        return victims


class _Needs:
    """What VMs and hosts count with in a restart: both sides of a search for hosts."""

    def __init__(self, state: RestartState) -> None:
        self._state, self.capacity_mhz = state, state.capacity_mhz

    @property
    def now_mhz(self) -> Floats:
        return self._state.need_mhz

    def need_mhz(self, wanted_mhz: Floats) -> Floats:
        return wanted_mhz

    def load_mhz(self) -> Floats:
        return self._state.load_mhz


@dataclass(frozen=True)
class Restart:
    """Restart of VMs by the run's placement and queue; ``wakes``: wake sleeping hosts.

    ``kind_of_vm`` and ``priority`` are (vms,), the higher priority first.
    """

    placement: Placement
    kind_of_vm: Ints
    priority: Ints
    wakes: bool

    def play(
        self, view: FarmView, restart_state: RestartState, vms: Ints, before: Ints | None = None
    ) -> Ints:
        """Restart VMs without a host, highest priority first; return those that find none.

        ``before`` are VMs that an earlier failure took off their hosts: they come first.

        ``restart_state`` is changed: it holds the placements afterwards. ``vms`` and ``before`` are
        rows.
        """
        footprint_mib = view.vms.footprint_mib
        queue = WaitingQueue(self.kind_of_vm, self.priority)
        if before is not None:
            queue.add(before, first=True)
        queue.add(vms, first=True)
        needs = _Needs(restart_state)

        def choose(some: Ints) -> Ints:
            ahead = restart_state.view(view)
            finder = CandidateSearch(ahead, needs, self.placement, self.wakes, needs)
            return finder.choose(some).hosts

        def put(some: Ints, hosts: Ints) -> None:
            queue.remove(some)
            restart_state.put(some, hosts, footprint_mib)

        serve(queue, lambda some: place_all(some, choose, put))
        waiting = queue.waiting()
        lost = waiting[np.isin(waiting, vms)]
        return lost[np.argsort(-self.priority[lost], kind="stable")]
