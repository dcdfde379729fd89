"""Break-even: by what factor a need may grow before it decides the number of hosts."""

import math

import numpy as np

from ..base.arrays import Floats, added
from .limits import Limits
from .planned_farm import CPU, RESOURCES, TOLERANCE, PlannedHosts


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
