"""Plans used again in rounds in which nothing has changed that the policy looks at."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..models.state.utilisation_history import Ring
from ..policies.interface.plan import Plan
from ..policies.interface.repeatable import is_repeatable
from ..policies.interface.view import FarmView
from .setup import EngineSetup

NOT_LOOKED_AT = ("vm_s",)
"""Columns that grow with time; a policy that looks at them is not repeatable."""


class RepeatedPlans:
    """Asks a policy for plans, and takes its last one where it would decide the same again.

    A plan is used again if the policy is repeatable (:func:`.is_repeatable`) and all columns,
    ``histories`` and promises that the view shows are what they were, bit by bit. They are
    compared, instead of noted by all who change a farm; first the demand, which ends most
    comparisons.
    """

    def __init__(self, setup: EngineSetup, view: FarmView, histories: Sequence[Ring]) -> None:
        self._control, self._view, self._histories = setup.control, view, histories
        # A reserve is checked by restarts on paper, by the placement of VMs that arrive.
        restarts = not setup.reserve or is_repeatable(setup.start.placement)
        self._repeatable = restarts and is_repeatable(setup.control)
        self._columns = [*_columns(view.hosts), *_columns(view.vms)]
        self._demand = b""
        self._seen: list[object] = []
        self._plan: Plan | None = None

    def decide(self) -> Plan:
        """Return the plan of this round; it must not be changed."""
        if not self._repeatable:
            return self._control.decide(self._view)
        demand = self._view.vms.demand_mhz.tobytes()
        if demand != self._demand:
            self._demand, self._plan = demand, None
            return self._control.decide(self._view)
        seen = self._look()
        if self._plan is None or seen != self._seen:
            noted = dict(self._view.noted)
            plan = self._control.decide(self._view)
            # What a decision adds to the summary it would add again.
            self._seen, self._plan = seen, plan if noted == self._view.noted else None
            return plan
        return self._plan

    def _look(self) -> list[object]:
        """Return all that a repeatable policy may look at."""
        seen: list[object] = [column.tobytes() for column in self._columns]
        seen.append(self._view.vms.load_mhz.tobytes())
        seen.extend(history.changes for history in self._histories)
        reserve = self._view.reserve
        if reserve is not None:
            seen.extend(column.tobytes() for column in (*reserve.counting(), reserve.exempt))
        return seen


def _columns(part: object) -> list[Any]:
    """Return the arrays of a part of the view."""
    return [
        column
        for name, column in vars(part).items()
        if isinstance(column, np.ndarray) and name not in NOT_LOOKED_AT
    ]
