"""The farm as it will be once a plan has been begun: what the next policy of a round sees."""

from collections.abc import Iterable
from copy import copy

import numpy as np

from ..models.arrays import Ints
from ..models.columns import PowerState, VmState
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
