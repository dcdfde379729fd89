"""Minimum migration time."""

from dataclasses import dataclass

from ..models.arrays import Ints
from .view import FarmView


@dataclass(frozen=True)
class MinimumMigrationTime:
    """The VM with the least memory moves, since its copy ends first (MMT); ties: lower row."""

    samples = 1

    def pick(self, view: FarmView, vms: Ints) -> int:
        """Return the position of the VM with the least memory."""
        return int(view.vms.memory_mib[vms].argmin())
