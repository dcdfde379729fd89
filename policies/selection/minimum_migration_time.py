"""Minimum migration time."""

from typing import ClassVar

from ...models.base.arrays import Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.ties import first_lowest, tie_of
from ..interface.view import FarmView


@dataclass(frozen=True)
class MinimumMigrationTime:
    """Select the VM with the least memory, whose migration is shortest (MMT); ties: lower row."""

    repeatable: ClassVar[bool] = True

    samples = 1

    def pick(self, view: FarmView, vms: Ints) -> int:
        """Return the position of the VM with the least memory."""
        memory_mib = view.vms.memory_mib[vms]
        return first_lowest(memory_mib, tie_of(memory_mib))
