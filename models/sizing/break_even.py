"""Break-even: by what factor a need may grow before it decides the number of hosts."""

import math
from typing import Final

import numpy as np

from ..base.arrays import Floats, added
from ..base.lazy_dataclass import dataclass
from .limits import Limits
from .planned_farm import CPU, RESOURCES, TOLERANCE, PlannedHosts

DECIDES, MAY_DECIDE, DOES_NOT_DECIDE = "decides", "may decide", "does not decide"


def break_even(needs: Floats, hosts: PlannedHosts, limits: Limits, reserve: int) -> Floats:
    r"""Return the factor of each resource at which it would take over as the limit, (3,).

    .. math:: k^* = \min_f \frac{\text{room left with } f \text{ hosts down}}{\text{need}}

    over f from 0 to ``reserve``, where the hosts with most of the resource are the ones down.
    ``needs`` (3,) are sums over all VMs: MiB, vCPUs, and MHz of the 95th percentile. Infinite where
    nothing is needed; below 1 where the limit is broken already.
    """
    least = np.full(len(RESOURCES), np.inf)
    for failed in range(reserve + 1):
        rooms = np.sort(limits.rooms(hosts, failed), axis=0)[: max(len(hosts) - failed, 0)]
        left = np.array([added(rooms[:, column].tolist()) for column in range(len(RESOURCES))])
        with np.errstate(divide="ignore", invalid="ignore"):
            least = np.minimum(least, np.where(needs > 0, left / needs, np.inf))
    return least


def hosts_for_cpu(
    cpu_mhz: float, factor: float, host_mhz: float, limits: Limits, reserve: int
) -> int:
    r"""Return how many equal hosts CPU asks for if demand is ``factor`` times what is known.

    .. math:: n = \max_f \lceil k \cdot P_{95} / (\text{limit}_f \cdot \text{capacity}) \rceil + f

    ``host_mhz`` is the capacity of one host.
    """
    asked = [
        math.ceil(
            cpu_mhz * factor / (float(limits.per_host(failed)[CPU]) * host_mhz) * (1 - TOLERANCE)
        )
        + failed
        for failed in range(reserve + 1)
    ]
    return max(asked)


@dataclass(frozen=True)
class Band:
    """By what factor the 95th percentile of demand may be above what is known.

    ``low``, ``typical`` and ``high`` are factors on the use at one instant.
    """

    low: float
    typical: float
    high: float


BANDS: Final = {
    "unknown": Band(1.0, 1.25, 6.0),
    "steady": Band(1.0, 1.15, 1.5),
    "batch": Band(1.0, 2.3, 7.0),
}
"""Ratio of a month's 95th percentile of the summed load to its sum at a random instant.

Pooled over two public farms (Azure 2017, 28 days, and Bitbrains 2013, 30 days): groups of 30 to 300
VMs, P10 to P90. A farm of batch work may exceed it.
"""


def verdict(factor: float, band: Band) -> str:
    """Return whether CPU decides the number of hosts, given its break-even and the band.

    At or beyond the band's high end it does not; from the typical value on it may, and measuring
    tells; below, CPU sizes the farm at the typical load already.
    """
    if factor >= band.high:
        return DOES_NOT_DECIDE
    return MAY_DECIDE if factor >= band.typical else DECIDES
