"""Execute a given assignment of VMs to hosts at a given time."""

import numpy as np

from ...models.base.arrays import Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ...models.state.columns import VmState
from ..interface.plan import Plan
from ..interface.view import FarmView
from .control import ControlPolicy, NoControl, wakes
from .delegating import DelegatingPolicy

RULE = "reassign"


@dataclass(frozen=True)
class Reassign(DelegatingPolicy):
    """Migrate VMs to the hosts of a given assignment, such as the result of a planning tool.

    The migrations are requested once, at ``at``; those of VMs that are migrating then, as soon as
    they have finished. Migrations that need memory freed by others start after those. In all other
    rounds the policy under ``base_policy`` decides.
    """

    assignment: dict[str, str] | str = parameter(
        "Target host of each VM to be migrated, by name; or the path of a CSV table with the "
        "columns vm and host, relative to the scenario."
    )
    at_s: float = parameter(
        "When the assignment is executed.", 0.0, key="at", dimension="time", ge=0
    )
    base_policy: ControlPolicy = parameter(
        "Control policy in all rounds.", NoControl(), slot="control"
    )

    def is_in_charge(self, view: FarmView) -> bool:
        """Whether VMs can be asked for now."""
        return view.now_s >= self.at_s and len(self._askable(view)) > 0

    def own_due_s(self, view: FarmView) -> float:
        """Return when the assignment is carried out, or what is left of it can be asked for."""
        if view.now_s < self.at_s:
            return self.at_s
        return view.now_s if self.is_in_charge(view) else np.inf

    def own_plan(self, view: FarmView) -> Plan:
        """Return the moves that are still to be asked for."""
        left, vms = self._left(view), self._askable(view)
        targets = np.array([left.pop(vm) for vm in vms.tolist()])
        astray = view.vms.host[vms] != targets
        plan = Plan()
        for vm, target in zip(vms[astray].tolist(), targets[astray].tolist(), strict=True):
            plan.move(vm, target, RULE, source=int(view.vms.host[vm]))
        return plan

    @property
    def wakes(self) -> bool:
        """Whether the other policy powers down hosts that are woken for VMs."""
        return wakes(self.base_policy)

    def _left(self, view: FarmView) -> dict[int, int]:
        """Return the targets of VMs that have not been asked for yet."""
        return view.state(self, lambda: self._rows(view))

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
