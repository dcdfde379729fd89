"""Overhead of a hypervisor on a server: CPU per unit of work, memory, latency, I/O limits.

Per VM size and host group,

``work_factor = (1 + sum_k share_k (1 / efficiency_k - 1) + events / work) (1 + numa)``,

over plain, memory-bound, page-table-heavy and vector code, with ``work`` the cycles of a
request on bare metal and

``events = exits * exit_cycles + operations * cycles_per_operation + packets *
cycles_per_packet + bytes * cycles_per_byte``,

the bytes of storage and of network each at the price of their path, and ``numa`` the penalty
of a VM with more vCPUs than a socket has cores or more memory than a socket's part. A flat
percentage for input and output would be wrong: what limits it is time per operation and CPU
per operation (Felter et al. 2015 measured ratios from 0.5 to 1.0 on one machine). For bare
metal the factor is exactly 1 and the added memory exactly 0.
"""

from collections.abc import Sequence

import numpy as np

from ..base.arrays import Bools, Floats
from ..base.lazy_dataclass import dataclass
from ..hardware.server import Server
from ..service.request_class import RequestClass
from ..workload.vm_size import VmSize
from .profiles import Hypervisor, IoPath, vm_overhead_mib

BYTES_PER_MIB = 1024.0 * 1024.0
CYCLES_PER_MHZ_S = 1e6
SLOW_DEVICE_OPS = 10_000.0
SLOW_DEVICE_RATIO = 0.95


@dataclass(frozen=True)
class Platform:
    """A hypervisor at one level of cost on a server, and the paths of its guests.

    ``assists`` are the server's assistance flags; an empty path name means the profile's
    default; ``memory_mib`` is the host's memory where it is not the server's. Raises ValueError
    if the profile or a path needs a flag that the server lacks.
    """

    hypervisor: Hypervisor[float]
    server: Server
    assists: frozenset[str]
    storage: str = ""
    network: str = ""
    memory_mib: float = 0.0

    def __post_init__(self) -> None:
        missing = self.hypervisor.missing_assists(self.assists, self.storage, self.network)
        if missing:
            has = ", ".join(sorted(self.assists)) or "none"
            raise ValueError(
                f"{self.hypervisor.name} needs {', '.join(missing)} and {self.server.id} lacks "
                f"it; assistance of the server: {has}"
            )

    @property
    def storage_path(self) -> IoPath[float]:
        """The path to storage."""
        return self.hypervisor.storage_path(self.storage)

    @property
    def network_path(self) -> IoPath[float]:
        """The path to the network."""
        return self.hypervisor.network_path(self.network)

    @property
    def mmu_efficiency(self) -> float:
        """Efficiency of code heavy on page tables, by nested or by shadow paging."""
        cpu = self.hypervisor.cpu
        nested = "nested_paging" in self.assists.intersection(self.hypervisor.uses)
        return cpu.mmu if nested else cpu.mmu_shadow

    @property
    def base_mhz(self) -> float:
        """CPU that the hypervisor, its control partition or host system takes, MHz."""
        return self.hypervisor.host_cpu_share * self.server.cpu_mhz

    @property
    def base_mib(self) -> float:
        """Memory that the hypervisor, its control partition or host system takes, MiB."""
        memory = self.hypervisor.memory
        return memory.hypervisor_mib + memory.control_partition_mib

    @property
    def contention_loss(self) -> float:
        """Extra work of vCPUs that outnumber the cores, times how crowded they are.

        ``c + switch_cycles / (time_slice * clock)``: cold caches, and a switch every time slice.
        """
        cpu = self.hypervisor.cpu
        slice_cycles = cpu.time_slice_ms * 1e-3 * self.server.core_mhz * CYCLES_PER_MHZ_S
        return cpu.contention_loss + cpu.switch_cycles / slice_cycles

    @property
    def memory_reclaim(self) -> float:
        """Part of the memory promised that sharing, then ballooning give back."""
        memory = self.hypervisor.memory
        return 1.0 - (1.0 - memory.sharing_share) * (1.0 - memory.ballooning_share)

    def work_factor(self, size: VmSize, load: RequestClass | None) -> float:
        """Return physical CPU per unit of bare-metal work; without a class all code is plain."""
        cpu = self.hypervisor.cpu
        if load is None:
            factor = 1.0 + (1.0 / cpu.plain - 1.0)
        else:
            special = load.memory_share + load.mmu_share + load.vector_share
            factor = 1.0 + max(1.0 - special, 0.0) * (1.0 / cpu.plain - 1.0)
            factor += load.memory_share * (1.0 / cpu.memory - 1.0)
            factor += load.mmu_share * (1.0 / self.mmu_efficiency - 1.0)
            factor += load.vector_share * (1.0 / cpu.vector - 1.0)
            factor += self.event_cycles(load) / (load.work_mhz_s * CYCLES_PER_MHZ_S)
        return factor * (1.0 + cpu.numa_penalty) if self.is_wide(size) else factor

    def event_cycles(self, load: RequestClass) -> float:
        """Return the CPU cycles that exits, storage and network add to a request."""
        storage, network = self.storage_path, self.network_path
        return (
            load.exits * self.hypervisor.cpu.exit_cycles
            + load.storage_operations * storage.cycles_per_operation
            + load.storage_mib * BYTES_PER_MIB * storage.cycles_per_byte
            + load.network_packets * network.cycles_per_operation
            + load.network_mib * BYTES_PER_MIB * network.cycles_per_byte
        )

    def added_latency_s(self, load: RequestClass | None) -> float:
        """Return what the paths add to a request's response time beside CPU.

        Storage operations count as done one after another, so this is the most that they add.
        """
        if load is None:
            return 0.0
        storage_us = load.storage_operations * self.storage_path.latency_us
        network_us = load.round_trips * self.network_path.latency_us
        return (storage_us + network_us) * 1e-6

    def is_wide(self, size: VmSize) -> bool:
        """Return whether a VM exceeds a socket, in vCPUs over cores or in memory."""
        sockets = self.server.sockets
        cores = self.server.cores / sockets
        memory_mib = (self.memory_mib or self.server.memory_mib) / sockets
        return sockets > 1 and (size.vcpus > cores or size.memory_mib > memory_mib)

    def fits(self, size: VmSize) -> bool:
        """Return whether the hypervisor allows a VM of this size."""
        max_mib = self.hypervisor.max_memory_gib_per_vm * 1024.0
        return size.vcpus <= self.hypervisor.max_vcpus_per_vm and size.memory_mib <= max_mib


@dataclass(frozen=True)
class Overheads:
    """Overheads, (sizes, groups).

    ``work_factor`` is physical CPU per unit of bare-metal work, ``extra_mib`` memory beyond
    the guest's own, ``latency_s`` what a request waits longer, ``wide`` marks VMs that exceed
    a NUMA node.
    """

    work_factor: Floats
    extra_mib: Floats
    latency_s: Floats
    wide: Bools


def overheads(
    platforms: Sequence[Platform],
    sizes: Sequence[VmSize],
    classes: Sequence[RequestClass | None],
) -> Overheads:
    """Return what each platform costs each VM size; ``classes`` holds the class of each size."""
    shape = (len(sizes), len(platforms))
    made = Overheads(np.ones(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape, bool))
    for row, (size, load) in enumerate(zip(sizes, classes, strict=True)):
        for column, platform in enumerate(platforms):
            at = (row, column)
            made.work_factor[at] = platform.work_factor(size, load)
            made.extra_mib[at] = vm_overhead_mib(
                platform.hypervisor.memory, size.memory_mib, size.vcpus
            )
            made.latency_s[at] = platform.added_latency_s(load)
            made.wide[at] = platform.is_wide(size)
    return made


@dataclass(frozen=True)
class Device:
    """Storage and network capacity of a host on bare metal; infinite if not stated."""

    storage_ops: float = np.inf
    storage_mib_s: float = np.inf
    network_packets_s: float = np.inf
    network_mbps: float = np.inf


def ceilings(platform: Platform, device: Device) -> Floats:
    """Return the most a host can do per second, in the order of ``load_class.KINDS_OF_IO``.

    Operations: ``min(D, max(r D, 0.95 min(D, 10 000)))``, as a slow device, not the path,
    is the limit below some 10,000 operations per second (an estimate, E);
    bytes: ``min(r, 1) D``. ``D`` is the device's own figure, ``r`` the path's ratio.
    """
    storage, network = platform.storage_path, platform.network_path
    return np.array(
        [
            _operations(device.storage_ops, storage.operations_ratio),
            device.storage_mib_s * min(storage.throughput_ratio, 1.0),
            _operations(device.network_packets_s, network.operations_ratio),
            device.network_mbps * min(network.throughput_ratio, 1.0),
        ]
    )


def _operations(device: float, ratio: float) -> float:
    slow = SLOW_DEVICE_RATIO * min(device, SLOW_DEVICE_OPS)
    return min(device, max(ratio * device, slow))
