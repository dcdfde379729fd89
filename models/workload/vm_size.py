"""VM sizes, and assignment of a mix of sizes."""

from collections.abc import Sequence

import numpy as np

from ..base.arrays import Floats, Ints
from ..base.lazy_dataclass import dataclass


@dataclass(frozen=True)
class VmSize:
    """Nominal VM size: vCPUs of ``clock_mhz`` each, memory and disk.

    Where not all VMs can have something at once, those of higher ``priority`` come first.
    """

    name: str
    vcpus: int
    clock_mhz: float
    memory_mib: float
    disk_mib: float = 0.0
    disk_write_mbps: float = 0.0
    priority: int = 0


def counts_from_shares(shares: Floats, total: int) -> Ints:
    """Split ``total`` VMs by shares that sum to 1, largest remainders first."""
    exact = shares / shares.sum() * total
    counts: Ints = np.floor(exact).astype(np.int64)
    missing = total - int(counts.sum())
    order = np.argsort(counts - exact, kind="stable")
    counts[order[:missing]] += 1
    return counts


def deal_blocks(counts: Ints) -> Ints:
    """Return the size index per VM: all of the first size, then all of the second, and so on."""
    return np.repeat(np.arange(len(counts)), counts)


def deal_cycle(counts: Ints) -> Ints:
    """Return the size index per VM, going round the sizes that still have VMs to give."""
    round_of = np.concatenate([np.arange(count) for count in counts])
    return deal_blocks(counts)[np.argsort(round_of, kind="stable")]


def deal_random(counts: Ints, generator: "np.random.Generator") -> Ints:
    """Return the size index per VM in random order, with exactly the given counts."""
    return generator.permutation(deal_blocks(counts))


def columns_of(sizes: Sequence[VmSize], size_of_vm: Ints) -> tuple[Ints, Floats, Floats]:
    """Return vCPUs, CPU in MHz and memory in MiB per VM."""
    vcpus = np.array([size.vcpus for size in sizes], np.int64)
    mhz = np.array([size.vcpus * size.clock_mhz for size in sizes], np.float64)
    memory_mib = np.array([size.memory_mib for size in sizes], np.float64)
    return vcpus[size_of_vm], mhz[size_of_vm], memory_mib[size_of_vm]
