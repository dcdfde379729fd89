"""Power of racks at reporting instants."""

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.accounts.sets_over_time import RackPower
from ...models.base.arrays import sum_by
from ...models.farm.farm import Farm
from ..base.log import Column, Log


class RackPowerRecord:
    """A table source of the recorder: mean and highest power of each rack between two reports."""

    def __init__(self, farm: Farm, racks: RackPower) -> None:
        self._farm, self.racks = farm, racks
        count = len(racks.limit_w)
        self._energy_j, self._sampled_s = np.zeros(count), 0.0
        self._log = Log(
            {"rack": int, "time_s": float, "length_s": float, "power_w": float, "highest_w": float}
        )
        farm.accounts.followed.append(racks)

    def sample(self, now_s: float) -> None:
        """Note what racks have drawn since the last call; everything must be settled."""
        racks, totals = self.racks, self._farm.accounts.totals
        count = len(racks.limit_w)
        energy_j = sum_by(racks.rack, weights=totals[Rate.POWER_W], minlength=count)
        length_s, self._sampled_s = now_s - self._sampled_s, now_s
        if length_s > 0:
            self._log.add(
                count, rack=np.arange(count), time_s=now_s, length_s=length_s,
                power_w=(energy_j - self._energy_j) / length_s, highest_w=racks.recent_w,
            )  # fmt: skip
        self._energy_j = energy_j
        racks.recent_w = np.zeros(count)

    def close(self, end_s: float) -> None:
        """Do nothing: the last report is at the end of the run."""

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return ``rack_power``, a row per rack and reporting interval."""
        return {"rack_power": self._log.columns()}
