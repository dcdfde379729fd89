"""Somebody else's plan: VMs go to the hosts that an assignment names, at a time."""

from dataclasses import dataclass

import numpy as np

from ..models.arrays import Ints
from ..models.columns import VmState
from ..models.knobs import knob
from .control import ControlPolicy, NoControl
from .deferring import Deferring
from .plan import Plan, Proposal, Reason, Search
from .view import FarmView

MEMO = "reassign"
REASON = Reason("reassign", 0.0, 0.0)


@dataclass(frozen=True)
class Reassign(Deferring):
    """Move VMs to the hosts that an assignment names, such as the outcome of a planning tool.

    This is asked for once, in the first round from ``at`` on; VMs that are moving then are asked
    for in the first round in which they do not. Moves that need room which others free come
    after these. In all other rounds the policy named under ``otherwise`` decides.
    """

    assignment: dict[str, str] | str = knob(
        "Host of each VM that is to move, by names; or the path of a CSV table with columns vm and "
        "host, relative to the scenario."
    )
    at_s: float = knob("When it is carried out.", 0.0, key="at", dimension="time", ge=0)
    otherwise: ControlPolicy = knob("Who decides in all other rounds.", NoControl(), slot="control")

    def decide(self, view: FarmView) -> Plan:
        """Return the moves that are still to be asked for, or the other policy's plan."""
        if view.now_s < self.at_s:
            return self.otherwise.decide(view)
        left = view.memo.setdefault(MEMO, self._rows(view))
        vms = np.array(list(left), np.int64)
        vms = vms[view.vms.state[vms] == VmState.RUNNING]
        if not len(vms):
            return self.otherwise.decide(view)
        targets = np.array([left.pop(vm) for vm in vms.tolist()])
        astray = view.vms.host[vms] != targets
        return Plan(self._proposals(view, vms[astray], targets[astray]))

    def _rows(self, view: FarmView) -> dict[int, int]:
        """Return the target of each VM named, rows of the farm in ascending order."""
        assert isinstance(self.assignment, dict)
        host_of = {name: row for row, name in enumerate(view.hosts.names)}
        named = self.assignment
        return {vm: host_of[named[name]] for vm, name in enumerate(view.vms.names) if name in named}

    @staticmethod
    def _proposals(view: FarmView, vms: Ints, targets: Ints) -> list[Proposal]:
        rows = zip(vms.tolist(), view.vms.host[vms].tolist(), targets.tolist(), strict=True)
        return [Proposal(vm, source, target, REASON, Search()) for vm, source, target in rows]
