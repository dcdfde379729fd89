"""The farm as it will be once a plan has been begun: what the next policy of a round sees."""

from collections.abc import Iterable
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from ...models.base.arrays import Ints
from ...models.state.columns import PowerState, VmState
from .plan import Plan, Proposal
from .view import FarmView


def live(proposals: Iterable[Proposal]) -> list[Proposal]:
    """Return the proposals that are to be carried out."""
    return [each for each in proposals if each.target >= 0 and not each.superseded]


def planned_view(view: FarmView, plan: Plan) -> FarmView:
    """Return a view in which a plan's moves are under way and its hosts switch.

    Moved VMs are migrating, with their memory reserved at both ends; targets that slept boot;
    hosts that are to rest drain, so that they are nobody's target. Nothing of it touches the farm.
    """
    moves = live(plan.proposals)
    vms = np.array([move.vm for move in moves], np.int64)
    targets = np.array([move.target for move in moves], np.int64)
    ahead = copy(view)
    ahead.hosts, ahead.vms = copy(view.hosts), copy(view.vms)
    _move(ahead, view, vms, targets)
    _switch(ahead, view, targets, plan)
    return ahead


def _move(ahead: FarmView, view: FarmView, vms: Ints, targets: Ints) -> None:
    state, moving_to = view.vms.state.copy(), view.vms.moving_to.copy()
    state[vms], moving_to[vms] = VmState.MIGRATING, targets
    memory_mib, incoming = view.hosts.memory_used_mib.copy(), view.hosts.incoming.copy()
    np.add.at(memory_mib, targets, view.vms.footprint_mib[vms])
    np.add.at(incoming, targets, 1)
    for column in (state, moving_to, memory_mib, incoming):
        column.flags.writeable = False
    ahead.vms.state, ahead.vms.moving_to = state, moving_to
    ahead.hosts.memory_used_mib, ahead.hosts.incoming = memory_mib, incoming


def _switch(ahead: FarmView, view: FarmView, targets: Ints, plan: Plan) -> None:
    state = view.hosts.state.copy()
    woken = np.concatenate([targets, np.array(plan.wakes, np.int64)])
    state[woken[state[woken] == PowerState.OFF]] = PowerState.BOOTING
    resting = np.array(plan.sleeps, np.int64)
    state[resting[state[resting] == PowerState.ON]] = PowerState.DRAINING
    state.flags.writeable = False
    ahead.hosts.state = state


class Resized(NamedTuple):
    """What a VM has after a change of its size; ``footprint_mib`` is its memory on a host."""

    size: int
    vcpus: int
    size_mhz: float
    memory_mib: float
    footprint_mib: float


def resized_view(view: FarmView, vm: int, to: Resized) -> FarmView:
    """Return a view in which a VM has left its host and waits for one with another size."""
    host, vms, hosts = int(view.vms.host[vm]), copy(view.vms), copy(view.hosts)
    vms.size, vms.vcpus = _with(vms.size, vm, to.size), _with(vms.vcpus, vm, to.vcpus)
    vms.size_mhz = _with(vms.size_mhz, vm, to.size_mhz)
    vms.memory_mib = _with(vms.memory_mib, vm, to.memory_mib)
    vms.footprint_mib = _with(vms.footprint_mib, vm, to.footprint_mib)
    vms.host, vms.state = _with(vms.host, vm, -1), _with(vms.state, vm, VmState.WAITING)
    left_mib = view.hosts.memory_used_mib[host] - view.held_mib(vm)
    hosts.memory_used_mib = _with(hosts.memory_used_mib, host, left_mib)
    hosts.vm_count = _with(hosts.vm_count, host, int(view.hosts.vm_count[host]) - 1)
    ahead = copy(view)
    ahead.hosts, ahead.vms = hosts, vms
    return ahead


def _with(column: Any, row: int, value: float) -> Any:
    changed = column.copy()
    changed[row] = value
    changed.flags.writeable = False
    return changed
