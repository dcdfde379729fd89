"""Time of hosts in each power-down state, and time and energy of transitions."""

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.farm.farm import Farm
from ...models.hardware.sleep_states import SLEEP_STATES
from ...models.state.columns import PowerState


class SleepRecord:
    """Time and energy per host, updated at each change of power state.

    ``off_s`` and ``off_j`` have the shape (sleep states, hosts); ``switching_j`` is what hosts drew
    while booting, shutting down, or on their way into or out of another state of rest.
    """

    def __init__(self, farm: Farm) -> None:
        self._hosts = farm.hosts
        count = len(farm.hosts)
        self.off_s = np.zeros((len(SLEEP_STATES), count))
        self.off_j = np.zeros((len(SLEEP_STATES), count))
        self.switching_j: Floats = np.zeros(count)
        self._since_s = np.zeros(count)
        self.begin()

    def begin(self) -> None:
        """Note the states in which hosts are at time 0."""
        self._note_states(np.arange(len(self._hosts)))

    def note(self, now_s: float, changed: Ints) -> None:
        """Sum up the states that hosts have just left.

        ``changed`` are rows of hosts whose new states the farm shows already; ``now_s`` is the
        instant of the change.
        """
        elapsed_s = now_s - self._since_s[changed]
        state, sleep_state, power_w = (
            self._state[changed],
            self._sleep_state[changed],
            self._power_w[changed],
        )
        resting = state == PowerState.OFF
        self.off_s[sleep_state[resting], changed[resting]] += elapsed_s[resting]
        self.off_j[sleep_state[resting], changed[resting]] += (elapsed_s * power_w)[resting]
        switching = (state == PowerState.BOOTING) | (state == PowerState.STOPPING)
        self.switching_j[changed[switching]] += (elapsed_s * power_w)[switching]
        self._since_s[changed] = now_s
        self._note_states(changed)

    def close(self, end_s: float) -> None:
        """Sum up the states that last until the end of the run."""
        self.note(end_s, np.arange(len(self._hosts)))

    def _note_states(self, rows: Ints) -> None:
        hosts = self._hosts
        if len(rows) == len(hosts):
            self._state, self._sleep_state = hosts.state.copy(), hosts.sleep_state.copy()
            self._power_w = hosts.state_w(slice(None)).copy()
            return
        self._state[rows], self._sleep_state[rows] = hosts.state[rows], hosts.sleep_state[rows]
        self._power_w[rows] = hosts.state_w(rows)
