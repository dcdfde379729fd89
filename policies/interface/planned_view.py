"""View of the farm after a plan has started, for the next policy of a round."""

from collections.abc import Iterable
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from ...models.base.arrays import Ints, States
from ...models.state.columns import PowerState, VmState
from .plan import Plan, Proposal
from .view import FarmView


def live(proposals: Iterable[Proposal]) -> list[Proposal]:
    """Return the proposals that are to be carried out."""
    return [each for each in proposals if each.target >= 0 and not each.superseded]


def planned_view(view: FarmView, plan: Plan) -> FarmView:
    """Return a view in which the migrations and power state changes of a plan are ongoing.

    Moved VMs are migrating, with their memory reserved at both ends; targets that slept boot;
    hosts that are to rest drain, so that they are nobody's target. Nothing of it touches the farm.

    Demand and loads are left as they are now: :meth:`.FarmView.expected_mhz` shows them at the
    targets.
    """
    moves = live(plan.proposals)
    vms = np.array([move.vm for move in moves], np.int64)
    targets = np.array([move.target for move in moves], np.int64)
    ahead = copy(view)
    state, moving_to = view.vms.state.copy(), view.vms.moving_to.copy()
    state[vms], moving_to[vms] = VmState.MIGRATING, targets
    memory_mib, incoming = view.hosts.memory_used_mib.copy(), view.hosts.incoming.copy()
    np.add.at(memory_mib, targets, view.vms.footprint_mib[vms])
    np.add.at(incoming, targets, 1)
    power_state = _switched(view, targets, plan)
    for column in (state, moving_to, memory_mib, incoming, power_state):
        column.flags.writeable = False
    ahead.vms = view.vms.changed(state=state, moving_to=moving_to)
    ahead.hosts = view.hosts.changed(
        memory_used_mib=memory_mib, incoming=incoming, state=power_state
    )
    return ahead


def _switched(view: FarmView, targets: Ints, plan: Plan) -> States:
    """Return the power state of each host once a plan has been begun."""
    state = view.hosts.state.copy()
    woken = np.concatenate([targets, np.array(plan.wakes, np.int64)])
    state[woken[state[woken] == PowerState.OFF]] = PowerState.BOOTING
    resting = np.array(plan.sleeps, np.int64)
    state[resting[state[resting] == PowerState.ON]] = PowerState.DRAINING
    return state


class Resized(NamedTuple):
    """A VM after a change of size; ``footprint_mib`` is its memory on a host.

    ``size`` is the number of the size in the order of the scenario, ``size_mhz`` vCPUs times clock.
    """

    size: int
    vcpus: int
    size_mhz: float
    memory_mib: float
    footprint_mib: float


def resized_view(view: FarmView, vm: int, to: Resized) -> FarmView:
    """Return a view in which a VM has left its host and waits for one with another size.

    The view is for a search of a host for this VM alone: committed CPU and loads of hosts are as in
    ``view``.
    """
    host, vms, hosts, ahead = int(view.vms.host[vm]), view.vms, view.hosts, copy(view)
    ahead.vms = vms.changed(
        size=_with(vms.size, vm, to.size),
        vcpus=_with(vms.vcpus, vm, to.vcpus),
        size_mhz=_with(vms.size_mhz, vm, to.size_mhz),
        memory_mib=_with(vms.memory_mib, vm, to.memory_mib),
        footprint_mib=_with(vms.footprint_mib, vm, to.footprint_mib),
        host=_with(vms.host, vm, -1),
        state=_with(vms.state, vm, VmState.WAITING),
    )
    left_mib = hosts.memory_used_mib[host] - view.held_mib(vm)
    ahead.hosts = hosts.changed(
        memory_used_mib=_with(hosts.memory_used_mib, host, left_mib),
        vm_count=_with(hosts.vm_count, host, int(hosts.vm_count[host]) - 1),
    )
    return ahead


def _with(column: Any, row: int, value: float) -> Any:
    changed = column.copy()
    changed[row] = value
    changed.flags.writeable = False
    return changed
