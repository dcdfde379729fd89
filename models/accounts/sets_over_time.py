"""What disjoint sets of hosts do together over time: power of racks, use of clusters.

Between two events all rates are constant, so a set takes one value after another, as the whole
farm does in :mod:`.levels_over_time`. Each set is added up anew at every event.
"""

from typing import Protocol

import numpy as np

from ..base.arrays import Floats, Ints, sum_by
from .levels_over_time import TimeWeightedValues


class FollowedSets(Protocol):
    """What is told the rates of all hosts, and for how long they have held."""

    def note(self, power_w: Floats, delivered_mhz: Floats, on: Floats, length_s: float) -> None:
        """Note rates of hosts (hosts,) that held for some time."""
        ...


class RackPower:
    """Power of each rack over time, in W; arrays are (racks,).

    ``peak_w`` is the highest that lasted for any time, ``recent_w`` the highest since somebody
    cleared it; ``over_s`` is how long a rack drew more than its ``limit_w`` (inf: none).
    """

    def __init__(self, rack: Ints, limit_w: Floats) -> None:
        """Take the rack of each host (hosts,) and the limit of each rack."""
        self.rack, self.limit_w = rack, limit_w
        self.peak_w, self.recent_w, self.over_s = np.zeros((3, len(limit_w)))

    def note(self, power_w: Floats, delivered_mhz: Floats, on: Floats, length_s: float) -> None:
        """Note rates of hosts (hosts,) that held for some time."""
        del delivered_mhz, on
        drawn_w = sum_by(self.rack, weights=power_w, minlength=len(self.limit_w))
        np.maximum(self.peak_w, drawn_w, out=self.peak_w)
        np.maximum(self.recent_w, drawn_w, out=self.recent_w)
        # Sums over hosts are rounded: a rack exactly at its limit keeps it.
        self.over_s[drawn_w > self.limit_w * (1 + 1e-9)] += length_s


class ClusterUse:
    """Share of the CPU of the hosts on that was delivered, of each cluster over time."""

    def __init__(self, cluster: Ints, cpu_mhz: Floats, count: int) -> None:
        """Take the cluster (0 to ``count`` - 1) and the CPU of each host (hosts,)."""
        self._cluster, self._cpu_mhz = cluster, cpu_mhz
        self.utilisation = [TimeWeightedValues() for _ in range(count)]

    def note(self, power_w: Floats, delivered_mhz: Floats, on: Floats, length_s: float) -> None:
        """Note rates of hosts (hosts,) that held for some time; no host on counts as 0."""
        del power_w
        count = len(self.utilisation)
        given = sum_by(self._cluster, weights=delivered_mhz, minlength=count)
        there = sum_by(self._cluster, weights=on * self._cpu_mhz, minlength=count)
        shares = given / np.where(there > 0, there, np.inf)
        for values, share in zip(self.utilisation, shares.tolist(), strict=True):
            values.add(max(share, 0.0), length_s)

    def quantile(self, q: float) -> Floats:
        """Return the ``q`` quantile over time of each cluster, by nearest rank."""
        return np.array([values.quantile(q) for values in self.utilisation])
