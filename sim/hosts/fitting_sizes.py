"""Sizes of VM that some host of a farm could hold, and those that none ever will."""

import numpy as np

from ...models.base.arrays import Bools
from ...models.farm.farm import Farm


def fitting_sizes(farm: Farm, overcommit: float | None, slow_cores: bool) -> Bools:
    """Return per size of VM whether some host, empty and whole, has room for one.

    Hosts offer their CPU times ``overcommit``; None where a VM counts with its demand, so that its
    size says nothing. Without ``slow_cores`` a core has to be as fast as the VM wants one to be.
    Sizes that no VM has count as fitting.
    """
    hosts, vms, layer = farm.hosts, farm.vms, farm.delivery.layer
    groups, host = np.unique(hosts.group, return_index=True)
    sizes, vm = np.unique(vms.size, return_index=True)
    need_mib = vms.memory_mib[vm][:, None] + layer.extra_mib[np.ix_(sizes, groups)]
    fits = layer.allowed[np.ix_(sizes, groups)] & (hosts.memory_mib[host] >= need_mib)
    if overcommit is not None:
        need_mhz = vms.size_mhz[vm][:, None]
        fits &= (hosts.cpu_mhz - farm.delivery.base_mhz)[host] * overcommit >= need_mhz
        if not slow_cores:
            fits &= hosts.core_mhz[host] >= need_mhz / vms.vcpus[vm][:, None]
    fitting: Bools = np.ones(len(vms.size_names), bool)
    fitting[sizes] = fits.any(axis=1)
    return fitting
