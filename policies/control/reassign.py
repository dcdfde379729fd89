"""Somebody else's plan: VMs go to the hosts that an assignment names, at a time."""

from dataclasses import dataclass

import numpy as np

from ...models.base.arrays import Ints
from ...models.base.parameters import parameter
from ...models.state.columns import VmState
from ..interface.plan import Plan, Reason
from ..interface.view import FarmView
from .control import ControlPolicy, NoControl, due_s, respond, wakes
from .deferring import DelegatingPolicy

MEMO = "reassign"
REASON = Reason("reassign", 0.0, 0.0)


@dataclass(frozen=True)
class Reassign(DelegatingPolicy):
    """Move VMs to the hosts that an assignment names, such as the outcome of a planning tool.

    This is asked for once, at ``at``; VMs that are moving then are asked for as soon as they do
    not. Moves that need room which others free come after these. In all rounds apart from one at
    that instant the policy named under ``otherwise`` decides.
    """

    assignment: dict[str, str] | str = parameter(
        "Host of each VM that is to move, by names; or the path of a CSV table with columns vm and "
        "host, relative to the scenario."
    )
    at_s: float = parameter("When it is carried out.", 0.0, key="at", dimension="time", ge=0)
    otherwise: ControlPolicy = parameter("Who decides in the rounds.", NoControl(), slot="control")

    def decide(self, view: FarmView) -> Plan:
        """Return the other policy's plan; none where the assignment is due at this instant."""
        return Plan() if self._is_due(view) else self.otherwise.decide(view)

    def due_s(self, view: FarmView) -> float:
        """Return when the assignment is carried out, or what is left of it can be asked for."""
        mine_s = self.at_s if view.now_s < self.at_s else np.inf
        if self._is_due(view):
            mine_s = view.now_s
        return min(mine_s, due_s(self.otherwise, view))

    def respond(self, view: FarmView) -> Plan:
        """Return the moves that are still to be asked for, or the other policy's plan."""
        if not self._is_due(view):
            return respond(self.otherwise, view)
        left, vms = self._left(view), self._askable(view)
        targets = np.array([left.pop(vm) for vm in vms.tolist()])
        astray = view.vms.host[vms] != targets
        plan = Plan()
        for vm, target in zip(vms[astray].tolist(), targets[astray].tolist(), strict=True):
            plan.move(vm, target, REASON, source=int(view.vms.host[vm]))
        return plan

    @property
    def wakes(self) -> bool:
        """Whether the other policy puts hosts to rest that are woken for VMs."""
        return wakes(self.otherwise)

    def _is_due(self, view: FarmView) -> bool:
        return view.now_s >= self.at_s and len(self._askable(view)) > 0

    def _left(self, view: FarmView) -> dict[int, int]:
        """Return the targets of VMs that have not been asked for yet."""
        if MEMO not in view.memo:
            view.memo[MEMO] = self._rows(view)
        left: dict[int, int] = view.memo[MEMO]
        return left

    def _askable(self, view: FarmView) -> Ints:
        vms = np.array(list(self._left(view)), np.int64)
        running: Ints = vms[view.vms.state[vms] == VmState.RUNNING]
        return running

    def _rows(self, view: FarmView) -> dict[int, int]:
        """Return the target of each VM named, rows of the farm in ascending order."""
        assert isinstance(self.assignment, dict)
        host_of = {name: row for row, name in enumerate(view.hosts.names)}
        named = self.assignment
        return {vm: host_of[named[name]] for vm, name in enumerate(view.vms.names) if name in named}
