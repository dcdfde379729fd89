"""How VMs on one host slow each other beside the CPU time that they take from each other.

``slowdown_v = 1 + sum_r s_rv * max(0, P_r - h_r)`` over cache, memory bandwidth and disk, with
``P_r = sum over the other VMs w of p_rw * u_w``. ``u_w`` is the share of the host's CPU that a
neighbour runs on, ``p_rw`` how hard it presses on the resource per such share, ``h_r`` the
pressure that does no harm, and ``s_rv`` how much more CPU time VM ``v`` needs per unit of
pressure beyond that. The shape, a threshold and a slope per resource, is that of the
sensitivity curves of Bubble-Up (Mars et al., MICRO 2011) and Q-Clouds (Nathuji et al., EuroSys
2010), made linear. A run has no interference unless its scenario switches it on.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .arrays import Floats, Ints, sum_by

RESOURCES = ("cache", "memory_bandwidth", "disk")


class Estimate(NamedTuple):
    """A quantity with its range, how sure it is and where it is from.

    ``mark``: V verified, VA seen in an abstract or secondary copy, D derived from verified
    data, M from memory, E estimate without a source. It holds for the typical value; ``source``
    says what the ends are.
    """

    low: float
    typical: float
    high: float
    mark: str
    source: str


_AZURE = "43,000 short-lived Azure D8s_v5 VMs (public cloud noise data)"

SENSITIVITY: dict[str, Estimate] = {
    "cache": Estimate(
        0.05,
        0.144,
        0.37,
        "D",
        f"typical: coefficient of variation in {_AZURE}, high: its 1st percentile at 0.73 of the "
        "median; low (M): 5 % for a memory-bound pair on one last-level cache",
    ),
    "memory_bandwidth": Estimate(
        0.055,
        0.1,
        0.54,
        "D",
        f"low and typical: coefficients of variation of read bandwidth and latency in {_AZURE}, "
        "high: its 1st percentile at 0.65 of the median bandwidth",
    ),
    "disk": Estimate(
        0.003,
        0.33,
        2.0,
        "VA",
        f"low (D): provisioned remote disk in {_AZURE}; typical: 25 % lost with too many web "
        "servers on a host (Han and Lloyd); high: 67 % lost, I/O-bound under combined stress",
    ),
}
"""Slowdown added per unit of others' pressure: 1 where neighbours of pressure 1 fill the host.

Reading a spread over a fleet, or a worst case, as the effect of a full host is a judgement; a
loss ``d`` of performance is the slowdown ``1 / (1 - d)``.
"""

HEADROOM: dict[str, Estimate] = {
    name: Estimate(0.5, 0.25, 0.0, "E", "half, a quarter, nothing of a full host does no harm")
    for name in RESOURCES
}
"""Pressure that does no harm; ``low`` and ``high`` name the harm, so they run downwards."""

PRESSURE: dict[str, Estimate] = {
    name: Estimate(0.5, 1.0, 1.5, "E", "1 by definition of the unit for an average neighbour")
    for name in RESOURCES
}
"""Pressure of a VM per share of the host's CPU that it runs on."""


def others_pressure(host_of: Ints, running: Floats, coefficient: Floats, hosts: int) -> Floats:
    """Return per VM the pressure that all others on its host put on one resource.

    ``host_of`` is each VM's host as a row below ``hosts``, ``running`` the share of the host's
    CPU that it runs on and ``coefficient`` its pressure per such share.
    """
    own = coefficient * running
    pressure: Floats = sum_by(host_of, weights=own, minlength=hosts)[host_of] - own
    return pressure


@dataclass(frozen=True)
class Interference:
    """Sensitivities and pressures per VM size and headrooms, all at least 0.

    ``sensitivity`` and ``pressure`` have shape (resources, sizes), ``headroom`` (resources).
    """

    sensitivity: Floats
    pressure: Floats
    headroom: Floats

    @classmethod
    def at_level(cls, level: str, sizes: int) -> "Interference":
        """Return the same estimates for every size, at ``low``, ``typical`` or ``high``."""
        column = np.ones(sizes)
        return cls(
            sensitivity=np.array([getattr(SENSITIVITY[r], level) * column for r in RESOURCES]),
            pressure=np.array([getattr(PRESSURE[r], level) * column for r in RESOURCES]),
            headroom=np.array([getattr(HEADROOM[r], level) for r in RESOURCES], float),
        )

    @classmethod
    def off(cls, sizes: int) -> "Interference":
        """Return no interference: the slowdown of every VM is exactly 1."""
        nothing = np.zeros((len(RESOURCES), sizes))
        return cls(nothing, nothing, np.zeros(len(RESOURCES)))

    def slowdown(self, size: Ints, host_of: Ints, running: Floats, hosts: int) -> Floats:
        """Return per VM the factor, at least 1, by which its work takes more CPU time.

        ``size`` is each VM's size, ``host_of`` its host as a row below ``hosts`` and
        ``running`` the share of the host's CPU that it runs on, in [0, 1]. More pressure never
        lowers a factor, not even by rounding: sums add terms that are not negative in a fixed
        order.
        """
        factor = np.ones(len(size))
        for sensitivity, coefficient, headroom in zip(
            self.sensitivity, self.pressure, self.headroom.tolist(), strict=True
        ):
            if not sensitivity.any():
                continue
            pressure = others_pressure(host_of, running, coefficient[size], hosts)
            factor += sensitivity[size] * np.maximum(pressure - headroom, 0.0)
        return factor
