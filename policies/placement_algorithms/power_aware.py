"""Power-aware best fit decreasing: the host whose power rises least."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.parameters import knob
from ..placement.candidates import Places, Room
from ..placement.host_costs import Pricing, power_tie
from ..placement.placement import Placed, place_decreasing


@dataclass(frozen=True)
class PowerAwareBestFitDecreasing:
    """The VMs with the largest need first, each to the host whose power rises least.

    Beloglazov and Buyya (2012), algorithm 2. ``increase_over: tentative`` compares with the
    power that the host will draw with what it has been given so far (off power if it sleeps);
    ``measured`` compares with the power at the host's last measured utilisation and ignores
    what waking a host costs, which is what the published implementation computes.
    """

    increase_over: Literal["tentative", "measured"] = knob(
        "What the power with the VM is compared with.", "tentative"
    )

    def place(self, room: Room, vms: Ints) -> Placed:
        """Give VMs room, the largest first."""
        measured, watts_at = self.increase_over == "measured", room.power.watts_at
        before = _measured_w if measured else _tentative_w
        before_w = before(room)

        def rise_w(room: Room, vms: Ints, at: Places) -> Floats:
            rise = room.power.watts(room.load_mhz[at] + room.need_mhz[vms][:, None], at)
            rise -= before(room)[at]
            return rise

        def rise_at_w(room: Room, vm: int, position: int) -> float:
            without_mhz, with_mhz = room.load_at(vm, position)
            if not measured:
                asleep = room.asleep[position]
                off_w = float(room.off_w[position])
                before_w[position] = off_w if asleep else watts_at(position, without_mhz)
            return watts_at(position, with_mhz) - float(before_w[position])

        pricing = Pricing(rise_w, rise_at_w, rising=measured, tie=power_tie)
        return place_decreasing(room, vms, pricing)


def _measured_w(room: Room) -> Floats:
    """Return the power at the utilisation measured last."""
    if "measured_w" not in room.notes:
        room.notes["measured_w"] = room.power.watts(room.utilisation * room.cpu_mhz)
    return room.notes["measured_w"]


def _tentative_w(room: Room) -> Floats:
    """Return the power with what each host has been given so far, kept up to date."""
    before_w = room.notes.get("tentative_w")
    if before_w is None:
        before_w = room.notes["tentative_w"] = room.power.watts(room.load_mhz)
        np.copyto(before_w, room.off_w, where=room.asleep)
    for position in room.changed:
        asleep = room.asleep[position]
        load_mhz = float(room.load_mhz[position])
        off_w = float(room.off_w[position])
        before_w[position] = off_w if asleep else room.power.watts_at(position, load_mhz)
    room.changed.clear()
    return before_w
