"""Interference of VMs on one host, beyond competition for CPU time.

``slowdown_v = 1 + sum_r s_rv * max(0, P_r - h_r)`` over cache, memory bandwidth and disk, with
``P_r = sum over the other VMs w of p_rw * u_w``. ``u_w`` is the share of the host's CPU that a
neighbour runs on, ``p_rw`` how hard it presses on the resource per such share, ``h_r`` the
pressure that does no harm, and ``s_rv`` how much more CPU time VM ``v`` needs per unit of
pressure beyond that. The shape, a threshold and a slope per resource, is that of the
sensitivity curves of Bubble-Up (Mars et al., MICRO 2011) and Q-Clouds (Nathuji et al., EuroSys
2010), made linear. A run has no interference unless its scenario switches it on.
"""

import numpy as np

from ..base.arrays import Floats, Ints, sum_by
from ..base.estimates import Ranged
from ..base.lazy_dataclass import dataclass

RESOURCES = ("cache", "memory_bandwidth", "disk")

ROUNDING = 1e-9
"""What the order of its terms may change in a sum of shares, relatively."""


HEADROOM: dict[str, Ranged] = {
    name: Ranged(0.0, 0.25, 0.5, "E", "nothing, a quarter, half of a full host does no harm")
    for name in RESOURCES
}
"""Pressure that does no harm, a share of a full host; more of it costs less."""


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

    @property
    def harmless_share(self) -> float:
        """Share of a host's CPU up to which nothing on it suffers, whatever runs there.

        It is the least ``h_r / max p_r``, an infinity where nothing presses or is sensitive.
        """
        presses = self.pressure.max(axis=1, initial=0.0) * self.sensitivity.any(axis=1)
        shares = np.full(len(presses), np.inf)
        np.divide(self.headroom, presses, out=shares, where=presses > 0)
        return float(shares.min(initial=np.inf)) * (1.0 - ROUNDING)

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
