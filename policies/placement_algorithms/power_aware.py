"""Power-aware best fit decreasing: the host whose power rises least."""

from typing import ClassVar, Literal

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ..placement.candidates import Candidates
from ..placement.capacity import Positions
from ..placement.host_costs import Pricing, power_tie
from ..placement.placement import Placed, place_decreasing


@dataclass(frozen=True)
class PowerAwareBestFitDecreasing:
    """Place the VMs with the largest need first, each on the host whose power increases least.

    Beloglazov and Buyya (2012), algorithm 2. ``compare_with: tentative`` compares with the power of
    the host including the VMs placed so far (or its power while powered down); ``measured``
    compares with the power at its last measured utilisation and ignores the cost of waking a host,
    as the published implementation does.
    """

    repeatable: ClassVar[bool] = True

    FORMER_FIELDS: ClassVar = {"increase_over": "compare_with"}

    compare_with: Literal["tentative", "measured"] = parameter(
        "Power with which the power including the VM is compared.", "tentative"
    )

    def before_w(self, candidates: Candidates) -> Floats:
        """Return the power of each candidate that its power with a VM is compared with, in W."""
        return (_measured_w if self.compare_with == "measured" else _tentative_w)(candidates)

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Place VMs, largest first."""
        measured, watts_at = self.compare_with == "measured", candidates.power.watts_at
        before, before_w = self.before_w, self.before_w(candidates)

        def rise_w(candidates: Candidates, vms: Ints, at: Positions) -> Floats:
            rise = candidates.power.watts(
                candidates.load_mhz[at] + candidates.need_mhz[vms][:, None], at
            )
            rise -= before(candidates)[at]
            return rise

        def rise_at_w(candidates: Candidates, vm: int, position: int) -> float:
            without_mhz, with_mhz = candidates.load_at(vm, position)
            if not measured:
                sleeping = candidates.sleeping[position]
                off_w = float(candidates.off_w[position])
                before_w[position] = off_w if sleeping else watts_at(position, without_mhz)
            return watts_at(position, with_mhz) - float(before_w[position])

        pricing = Pricing(rise_w, rise_at_w, rising=measured, tie=power_tie)
        return place_decreasing(candidates, vms, pricing)


def _measured_w(candidates: Candidates) -> Floats:
    """Return the power at the utilisation measured last."""
    if "measured_w" not in candidates.notes:
        candidates.notes["measured_w"] = candidates.power.watts(
            candidates.utilisation * candidates.cpu_mhz
        )
    return candidates.notes["measured_w"]


def _tentative_w(candidates: Candidates) -> Floats:
    """Return the power with what each host has been given so far, kept up to date."""
    before_w = candidates.notes.get("tentative_w")
    if before_w is None:
        before_w = candidates.notes["tentative_w"] = candidates.power.watts(candidates.load_mhz)
        np.copyto(before_w, candidates.off_w, where=candidates.sleeping)
    for position in candidates.changed:
        sleeping = candidates.sleeping[position]
        load_mhz = float(candidates.load_mhz[position])
        off_w = float(candidates.off_w[position])
        before_w[position] = off_w if sleeping else candidates.power.watts_at(position, load_mhz)
    candidates.changed.clear()
    return before_w
