"""Make the columns of VMs from sizes as they are written."""

from collections.abc import Sequence

import numpy as np

from ...models.base.arrays import Ints
from ...models.state.columns import Vms
from ...models.workload.vm_size import VmSize, columns_of
from ..spec.workload import Size, WorkloadPart
from .vms_table import DerivedSizes, VmsTable


def sizes_of(part: WorkloadPart) -> list[VmSize]:
    """Return the sizes as they are written, without what only the layer needs.

    Shares, reservations, limits and request classes are left out: the layer has them
    (``build/hypervisors.py``). Units are MHz, MiB and Mbit/s.
    """
    return plain_sizes(part.sizes)


def plain_sizes(sizes: Sequence[Size]) -> list[VmSize]:
    """Return sizes without what only the layer needs."""
    return [
        VmSize(
            size.name,
            size.vcpus,
            size.clock,
            size.memory,
            size.disk,
            size.disk_writes,
            size.priority,
        )
        for size in sizes
    ]


def vms_of(sizes: list[VmSize], size_of_vm: Ints, names: Sequence[str]) -> Vms:
    """Return the columns of VMs from their sizes.

    ``size_of_vm`` (VMs,) are positions in ``sizes``; a VM has the priority of its size.
    """
    vcpus, size_mhz, memory_mib = columns_of(sizes, size_of_vm)
    disk_mib = np.array([size.disk_mib for size in sizes])[size_of_vm]
    writes = np.array([size.disk_write_mbps for size in sizes])[size_of_vm]
    size_names = [size.name for size in sizes]
    priority = np.array([size.priority for size in sizes])[size_of_vm]
    return Vms(
        vcpus, size_mhz, memory_mib, names, size_names, size_of_vm, disk_mib, writes, priority
    )


def vms_of_table(table: VmsTable, derived: DerivedSizes) -> Vms:
    """Return the columns of the VMs of a table, with the disks and priorities that it states.

    Memory that a VM does not consume on its host is known where the table states what it does.
    """
    vms = vms_of(plain_sizes(derived.written), derived.of_vm, table.vm)
    vms.disk_mib = np.nan_to_num(table.disk_mib, nan=0.0)
    vms.priority = table.priority.copy()
    if not np.isnan(table.memory_consumed_mib).all():
        vms.unused_mib = np.maximum(table.memory_mib - table.memory_consumed_mib, 0.0)
    return vms
