"""Split the CPU use of hosts over their VMs, where only hosts say what they use.

The shares are drawn: which VM of a host uses how much is not known, only that together they use
what the host shows. A lognormal share per vCPU has the spread of public traces (standard deviation
of the logarithm of a VM's mean use: 0.6 in Azure, 1.0 in PlanetLab, 2.0 in Bitbrains).
"""

import numpy as np

from ..base.arrays import Floats, Ints, sum_by

SIGMA = 1.0
"""Standard deviation of the logarithm of a VM's share per vCPU."""
NOWHERE = -1
"""The host of a VM that stands on none of the hosts."""


def split_use(
    left_mhz: Floats,
    host_of_vm: Ints,
    vcpus: Ints,
    own_mhz: Floats,
    generator: "np.random.Generator",
) -> Floats:
    """Return the MHz of each VM, shape (VMs,), so that the VMs of a host use ``left_mhz`` of it.

    Shares go by vCPUs times a lognormal draw, and no VM gets more than its own CPU: what is above
    is filled into the others of its host (water-filling). A host whose VMs are all at their own CPU
    keeps a rest. ``host_of_vm`` (VMs,) are positions in ``left_mhz`` (hosts,) or ``NOWHERE``; VMs
    without a host get 0.
    """
    hosts = len(left_mhz)
    used_mhz = np.zeros(len(host_of_vm))
    weight: Floats = np.exp(SIGMA * generator.standard_normal(len(host_of_vm))) * vcpus
    open_vms = np.flatnonzero(host_of_vm != NOWHERE)
    left: Floats = np.maximum(left_mhz, 0.0)
    while len(open_vms):
        host = host_of_vm[open_vms]
        total: Floats = sum_by(host, weights=weight[open_vms], minlength=hosts)
        level: Floats = np.divide(left, total, out=np.zeros(hosts), where=total > 0)
        share_mhz = weight[open_vms] * level[host]
        full = share_mhz >= own_mhz[open_vms]
        if not full.any():
            used_mhz[open_vms] = share_mhz
            break
        capped = open_vms[full]
        used_mhz[capped] = own_mhz[capped]
        taken: Floats = sum_by(host_of_vm[capped], weights=own_mhz[capped], minlength=hosts)
        left = np.maximum(left - taken, 0.0)
        open_vms = open_vms[~full]
    return used_mhz
