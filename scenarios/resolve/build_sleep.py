"""The states of rest of host groups become arrays by depth and group."""

from dataclasses import dataclass

import numpy as np

from ...models.hardware.sleep_states import DEPTHS, SleepStates, sleep_figures
from ..spec.farm import HostGroup
from ..spec.sleep import SleepPart


@dataclass(frozen=True)
class RestModel:
    """One state of rest of one group of hosts; power in W, times in s."""

    resting_w: float
    enter_s: float
    enter_w: float
    leave_s: float
    leave_w: float


def rest_models(group: HostGroup, idle_w: float, full_w: float) -> dict[str, RestModel]:
    """Return the states of rest besides off of a group, given its idle and full power."""
    parts = group.sleep
    if parts is None:
        parts = tuple(SleepPart(state=state) for state in DEPTHS[1:])
    return {part.state: _rest_model(part, idle_w, full_w) for part in parts}


def _rest_model(part: SleepPart, idle_w: float, full_w: float) -> RestModel:
    usual = sleep_figures()[part.state]
    entry, leaving = part.entry, part.exit
    return RestModel(
        resting_w=usual.watts(idle_w) if part.power is None else part.power,
        enter_s=usual.enter_s.typical if entry is None else entry.duration,
        enter_w=idle_w if entry is None or entry.power is None else entry.power,
        leave_s=usual.leave_s.typical if leaving is None else leaving.duration,
        leave_w=full_w if leaving is None or leaving.power is None else leaving.power,
    )


def sleep_states(groups: list[dict[str, RestModel]]) -> SleepStates:
    """Return the states of rest of all groups."""
    states = SleepStates.none(len(groups))
    columns = {
        name: np.zeros((len(DEPTHS), len(groups))) for name in RestModel.__dataclass_fields__
    }
    for index, rests in enumerate(groups):
        for state, model in rests.items():
            depth = DEPTHS.index(state)
            states.available[depth, index] = True
            for name, column in columns.items():
                column[depth, index] = getattr(model, name)
    return SleepStates(states.available, **columns)
