"""Dot product vector fit: CPU and memory together."""

from typing import ClassVar

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ...models.base.ties import ascending
from ..placement.candidates import Candidates
from ..placement.capacity import Positions
from ..placement.host_costs import Pricing
from ..placement.placement import Placed, in_order

PRODUCT_TIE = 1e-12
"""Products of shares this far apart are equal: they are small where VMs are small."""


@dataclass(frozen=True)
class DotProduct:
    """Place a VM on the host whose free capacity is best aligned with its needs.

    The host with the largest ``sum over d of w_d * need_d * left_d`` wins, each quantity as a
    share of the host's capacity, d being CPU and memory (Panigrahy et al., Heuristics for
    vector bin packing, 2011). VMs with the largest ``sum w_d need_d`` go first.
    """

    repeatable: ClassVar[bool] = True

    memory_weight: float = parameter("Weight of memory; CPU has weight 1.", 1.0, ge=0)

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Place VMs, largest first."""
        need_mib = candidates.view.vms.footprint_mib[vms]
        size = candidates.need_mhz[vms] / candidates.capacity_mhz.max(initial=1.0)
        size = size + self.memory_weight * need_mib / candidates.memory_mib.max(initial=1.0)
        return in_order(ascending(-size), candidates, vms, Pricing(self._misfit, tie=_tie))

    def _misfit(self, candidates: Candidates, vms: Ints, at: Positions) -> Floats:
        need_mib = candidates.view.vms.footprint_mib[vms][:, None]
        cpu = candidates.need_mhz[vms][:, None] * (
            candidates.free_mhz[at] / candidates.capacity_mhz[at] ** 2
        )
        memory = need_mib * (candidates.memory_free_mib[at] / candidates.memory_mib[at] ** 2)
        return -(cpu + self.memory_weight * memory)


def _tie(candidates: Candidates) -> float:
    del candidates
    return PRODUCT_TIE
