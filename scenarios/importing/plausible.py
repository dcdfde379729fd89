"""Take sizes that no machine has as unknown."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, TypeVar

from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Host, Inventory, Vm

T = TypeVar("T", Host, Vm)

MOST: Final = {
    "cores": 10_000, "sockets": 1_000, "vcpus": 10_000, "clock_mhz": 20_000.0,
    "memory_mib": 1e9, "cpu_used_mhz": 1e9, "disk_mib": 1e12,
}  # fmt: skip
"""Largest value of each size that is believed; clocks and memory have a factor of 3 and more to the
largest machines that are sold."""


def without_absurd_sizes(inventory: Inventory) -> list[Finding]:
    """Replace sizes above MOST by None in an inventory, and tell of them."""
    found: list[str] = []
    inventory.hosts[:] = [_mended(host, found) for host in inventory.hosts]
    inventory.vms[:] = [_mended(vm, found) for vm in inventory.vms]
    if not found:
        return []
    return [
        Finding(
            "SIZE_ABSURD",
            Severity.WARNING,
            found[0],
            f"{len(found):,} sizes of hosts and VMs are larger than any machine has",
            "they are unknown; look for a wrong unit or decimal mark",
        )
    ]


def _mended(each: T, found: list[str]) -> T:
    """Return a host or VM without sizes that cannot be."""
    wrong = list(_absurd(each))
    if not wrong:
        return each
    found += [each.row] * len(wrong)
    changes: dict[str, Any] = dict.fromkeys(wrong)
    return replace(each, **changes)


def _absurd(each: Host | Vm) -> Iterable[str]:
    """Yield the names of the sizes that cannot be."""
    for name, most in MOST.items():
        value = getattr(each, name, None)
        if value is not None and not 0 <= value <= most:
            yield name
