"""Sleep states of a server: off, and those from which it comes back sooner.

Names after ACPI: standby is S1, suspend to RAM S3, hibernation S4, off S5. Only hosts without
VMs are ever put to sleep, so nothing that a guest did is kept or lost by it.
"""

import json
from functools import cache
from typing import Any

import numpy as np

from ..base.arrays import Bools, Floats
from ..base.catalogue import data_file
from ..base.estimates import Ranged
from ..base.lazy_dataclass import dataclass

SLEEP_STATES = ("off", "hibernate", "suspend_to_ram", "standby")
"""Sleep states by number, the deepest first; every host can be off."""


@dataclass(frozen=True)
class SleepFigures:
    """What a sleep state takes where a scenario says nothing of it.

    ``state_w`` is the power in it (``of_idle``: as a share of idle power instead of W);
    ``enter_s`` and ``leave_s`` are the times into it and out of it.
    """

    state_w: Ranged
    of_idle: bool
    enter_s: Ranged
    leave_s: Ranged

    def watts(self, idle_w: float) -> float:
        """Return the power in the state of a host that draws ``idle_w`` when idle; no more."""
        given = self.state_w.typical
        return idle_w * given if self.of_idle else min(given, idle_w)


@cache
def sleep_figures() -> dict[str, SleepFigures]:
    """Return the figures of the catalogue by state; being off has those of the host group."""
    read: dict[str, dict[str, Any]] = json.loads(data_file("sleep_states.json").read_text("utf-8"))
    return {
        state: SleepFigures(
            Ranged(**entry["resting"]),
            entry["of_idle"],
            Ranged(**entry["enter_s"]),
            Ranged(**entry["leave_s"]),
        )
        for state, entry in read.items()
    }


@dataclass(frozen=True)
class SleepStates:
    """Sleep states of groups of hosts: arrays of shape (sleep states, groups).

    ``available`` tells which a group has. Power in W, times in s: in the state, on the way into
    it, and on the way out of it.
    """

    available: Bools
    state_w: Floats
    enter_s: Floats
    enter_w: Floats
    leave_s: Floats
    leave_w: Floats

    @classmethod
    def none(cls, groups: int) -> "SleepStates":
        """Return the states of hosts that can only be off, without power and times."""
        nothing = np.zeros((len(SLEEP_STATES), groups))
        available = np.zeros((len(SLEEP_STATES), groups), bool)
        available[0] = True
        return cls(available, nothing, nothing, nothing, nothing, nothing)

    @property
    def min_w(self) -> Floats:
        """The least power in W of a host of each group asleep, or on its way there or back."""
        power_w = np.minimum(self.state_w, np.minimum(self.enter_w, self.leave_w))
        least: Floats = np.where(self.available[1:], power_w[1:], np.inf).min(axis=0)
        return least
