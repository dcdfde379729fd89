"""Frequency scaling: a power model with states; the governor takes the lowest sufficient one."""

from itertools import pairwise

import numpy as np

from ..base.arrays import Floats
from ..base.lazy_dataclass import dataclass
from ..base.parameters import parameter


@dataclass(frozen=True)
class FrequencyState:
    """One state (P-state): its frequency, and the power of the server at no and full load in it."""

    frequency: float = parameter(
        "Frequency as a share of the highest.", dimension="share", gt=0, le=1
    )
    idle_w: float = parameter("Power at zero load.", key="idle", dimension="power", ge=0)
    max_w: float = parameter(
        "Power at full load in this state.", key="max", dimension="power", gt=0
    )

    def __post_init__(self) -> None:
        if self.max_w < self.idle_w:
            raise ValueError(
                f"idle ({self.idle_w:g} W) is above max ({self.max_w:g} W); swap or correct them"
            )


@dataclass(frozen=True)
class FrequencyScaling:
    """The lowest state whose capacity covers the load, and power linear in the load within it.

    A state of frequency ``f`` does the share ``f`` of the work of the highest, so at utilisation
    ``u`` (of full capacity) the server is in the lowest state with ``f >= u`` and draws
    ``P_idle + (P_max - P_idle) * u / f`` of that state. Changing state takes no time, and work is
    never slowed down: the governor follows the load.
    """

    states: tuple[FrequencyState, ...] = parameter("The states, from the lowest frequency up.")

    def __post_init__(self) -> None:
        frequencies = [state.frequency for state in self.states]
        if frequencies != sorted(set(frequencies)):
            raise ValueError("frequencies do not ascend; list each state once, the lowest first")
        if frequencies[-1] != 1:
            raise ValueError(
                f"the last state has {frequencies[-1]:.4g} of the frequency; it has to be 100 %"
            )
        for lower, higher in pairwise(self.states):
            there_w = _power_w(higher, lower.frequency)
            if there_w < lower.max_w:
                raise ValueError(
                    f"at {lower.frequency:.0%} load the state of {higher.frequency:.0%} draws "
                    f"{there_w:.4g} W, less than the {lower.max_w:g} W of the lower state; remove "
                    "the lower state or correct its power"
                )

    @property
    def jumps(self) -> tuple[float, ...]:
        """Utilisations above which the next state is taken."""
        return tuple(state.frequency for state in self.states[:-1])

    def watts(self, utilisation: Floats) -> Floats:
        """Return power in W for utilisations in [0, 1], element by element."""
        at = np.searchsorted(np.array(self.jumps), utilisation, side="left")
        frequency = np.array([state.frequency for state in self.states])[at]
        idle_w = np.array([state.idle_w for state in self.states])[at]
        max_w = np.array([state.max_w for state in self.states])[at]
        power_w: Floats = idle_w + (max_w - idle_w) * utilisation / frequency
        return power_w


def _power_w(state: FrequencyState, utilisation: float) -> float:
    """Return the power of a server in a state, linear in the load, in W."""
    return state.idle_w + (state.max_w - state.idle_w) * utilisation / state.frequency
