"""Minimum utilisation."""

from typing import ClassVar

from ...models.base.arrays import Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.ties import first_lowest
from ..interface.view import FarmView


@dataclass(frozen=True)
class MinimumUtilisation:
    """Select the VM with the lowest utilisation of its own CPU (MU); ties: lower row."""

    repeatable: ClassVar[bool] = True

    samples = 1

    def pick(self, view: FarmView, vms: Ints) -> int:
        """Return the position of the VM with the lowest utilisation."""
        return first_lowest(view.vms.demand_mhz[vms] / view.vms.size_mhz[vms])
