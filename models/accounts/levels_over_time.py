"""Percentiles over time of a farm's power, CPU and memory in use.

Between two events all rates are constant, so the farm takes one value after another, each for
the time until the next event. Sums over the hosts are kept up with what changes, and computed
anew whenever the demand of every VM is set, so that rounding does not add up.
"""

import numpy as np

from ..base.arrays import Floats, dot
from ..base.quantiles import nearest_rank

FINENESS = 100_000
"""Values closer than this part of 1 may be told as one, the highest of them."""


class TimeWeightedValues:
    """Time-weighted histogram of a value, with memory independent of the run's length."""

    def __init__(self) -> None:
        self._taken: dict[int, tuple[float, float]] = {}
        """For how long values that count as one were taken, and the highest of them."""

    def add(self, value: float, length_s: float) -> None:
        """Note a value, at least 0, that was taken for some time."""
        at = int(value * FINENESS)
        before_s, highest = self._taken.get(at, (0.0, value))
        self._taken[at] = before_s + length_s, value if value > highest else highest

    @property
    def highest(self) -> float:
        """The highest value taken, 0 where there was none."""
        return max((highest for _, highest in self._taken.values()), default=0.0)

    def quantile(self, q: float) -> float:
        """Return the smallest value at or below which ``q`` of the time lies; 0 of no time."""
        taken = np.array(list(self._taken.values())).reshape(-1, 2)
        return nearest_rank(taken[:, 1], q, taken[:, 0])


class Levels:
    """Farm totals over time.

    ``utilisation`` is CPU delivered, ``memory`` memory held and ``promised`` the sizes of VMs, each
    over what the hosts that are on have of it, 0 while none is on. ``peak_w`` is the highest power
    that lasted for any time. ``shifted``: rates of some hosts have changed since those of all were
    computed last.
    """

    def __init__(self) -> None:
        self.utilisation, self.memory, self.promised = (
            TimeWeightedValues(),
            TimeWeightedValues(),
            TimeWeightedValues(),
        )
        self.peak_w, self.since_s, self.shifted = 0.0, 0.0, True
        self._power_w = self._delivered_mhz = self._memory_mib = self._promised_mhz = 0.0
        self._on, self._on_mhz, self._on_mib = 0, 0.0, 0.0

    def close(self, now_s: float) -> None:
        """Note what the farm has done since something changed last."""
        length_s, self.since_s = now_s - self.since_s, now_s
        self.peak_w = max(self.peak_w, self._power_w)
        if not self._on:
            used = held = promised = 0.0
        else:
            used = max(self._delivered_mhz / self._on_mhz, 0.0)
            held = max(self._memory_mib / self._on_mib, 0.0)
            promised = max(self._promised_mhz / self._on_mhz, 0.0)
        self.utilisation.add(used, length_s)
        self.memory.add(held, length_s)
        self.promised.add(promised, length_s)

    def set(
        self, power_w: float, delivered_mhz: float, memory_mib: float, promised_mhz: float
    ) -> None:
        """Set the sums over all hosts."""
        self.shifted = False
        self._power_w, self._delivered_mhz = power_w, delivered_mhz
        self._memory_mib, self._promised_mhz = memory_mib, promised_mhz

    def shift(
        self, power_w: float, delivered_mhz: float, memory_mib: float, promised_mhz: float
    ) -> None:
        """Add to the sums over all hosts what some of them do more."""
        self.shifted = True
        self._power_w += power_w
        self._delivered_mhz += delivered_mhz
        self._memory_mib += memory_mib
        self._promised_mhz += promised_mhz

    def set_on(self, on: Floats, cpu_mhz: Floats, memory_mib: Floats) -> None:
        """Set which hosts are on, 1 or 0 each, given what all of them have."""
        self._on = int(on.sum())
        self._on_mhz, self._on_mib = dot(on, cpu_mhz), dot(on, memory_mib)
