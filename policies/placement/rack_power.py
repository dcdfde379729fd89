"""Power that racks have left below their limits while VMs are placed."""

from collections.abc import Callable

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, sum_by
from ...models.hardware.power_curves import LoadPower
from ...models.state.columns import PowerState
from ..interface.view import FarmView

NAME = "the power limit of the rack"
"""How it stands among what bars a VM from hosts."""

TOLERANCE = 1e-9
"""Rounding of sums, relative."""

RUNNING = (PowerState.ON, PowerState.DRAINING)


class RackPowerLeft:
    """Power in W that racks may still draw, as candidates take VMs.

    A candidate draws what its power model gives for the CPU load that the placement counts, full
    power at most; a sleeping one what it draws now. Hosts that are no candidates draw what they
    draw now. A VM is barred from a candidate where that would lift its rack above the limit.
    Columns of candidates are by position.
    """

    def __init__(self, view: FarmView, hosts: Ints, power: LoadPower, left: "Loads") -> None:
        assert view.rack_limit_w is not None
        self._limit_w, self._power, self._loads = view.rack_limit_w, power, left
        self._rack = view.hosts.rack[hosts]
        sleeping = view.sleeping()[hosts]
        asleep_w = view.hosts.state_w(hosts)
        self._host_w = np.where(sleeping, asleep_w, power.watts(left()))
        drawn_w = _now_w(view)
        drawn_w[hosts] = self._host_w
        racks = len(self._limit_w)
        self._left_w = self._limit_w - sum_by(view.hosts.rack, weights=drawn_w, minlength=racks)
        self._before: list[tuple[int, float, float]] = []

    def barred(self, need_mhz: float) -> Bools | None:
        """Return which candidates a VM is barred from (candidates,), None where from none."""
        more_w = self._power.watts(self._loads() + need_mhz) - self._host_w
        slack_w = TOLERANCE * self._limit_w[self._rack]
        slack_w[~np.isfinite(slack_w)] = 0.0
        over: Bools = more_w > self._left_w[self._rack] + slack_w
        over &= more_w > slack_w
        return over if over.any() else None

    def take(self, position: int) -> None:
        """Note that a candidate has just got a VM."""
        rack = int(self._rack[position])
        before_w, left_w = float(self._host_w[position]), float(self._left_w[rack])
        self._before.append((position, before_w, left_w))
        after_w = self._power.watts_at(position, float(self._loads()[position]))
        self._host_w[position] = after_w
        self._left_w[rack] = left_w - (after_w - before_w)

    def give_back(self) -> None:
        """Undo the last VM taken."""
        position, host_w, left_w = self._before.pop()
        self._host_w[position] = host_w
        self._left_w[int(self._rack[position])] = left_w


Loads = Callable[[], Floats]
"""Returns the load of each candidate that counts now, MHz."""


def _now_w(view: FarmView) -> Floats:
    """Return the power that each host draws now, (hosts,)."""
    rows = np.arange(len(view.hosts))
    running = np.isin(view.hosts.state, RUNNING)
    watts = view.hosts.power.watts(view.hosts.utilisation)
    drawn_w: Floats = np.where(running, watts, view.hosts.state_w(rows))
    return drawn_w
