"""Round robin: the next host after the last one used."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...models.base.arrays import Floats, Ints
from ..interface.plan import Search
from ..placement.affinity_groups import companies
from ..placement.candidates import Places, Room
from ..placement.host_costs import Pricing
from ..placement.placement import Placed, place_each

MEMO = "round_robin.last"


@dataclass(frozen=True)
class RoundRobin:
    """Put each VM on the next host with room after the one that got the last VM.

    Where every VM fits the host whose turn it is, all are dealt at once.
    """

    repeatable: ClassVar[bool] = False

    def place(self, room: Room, vms: Ints) -> Placed:
        """Give VMs room in the order given."""
        if len(vms) and len(room.hosts) and not room.prefer_awake:
            turn = np.argsort(_steps_after_last(room), kind="stable")
            positions = turn[np.arange(len(vms)) % len(turn)]
            if room.deal(vms, positions):
                room.view.memo[MEMO] = int(room.hosts[positions[-1]])
                return Placed(room.hosts[positions], [Search(len(room.hosts))] * len(vms))
        hosts, searches = np.empty(len(vms), np.int64), [Search()] * len(vms)
        pricing = Pricing(distance_after_last, lasting=False)
        for company in companies(room, vms):
            placed = place_each(room, vms[company], pricing)
            for position, host, search in zip(
                company, placed.hosts.tolist(), placed.searches, strict=True
            ):
                hosts[position], searches[position] = host, search
                if host >= 0:
                    room.view.memo[MEMO] = host
        return Placed(hosts, searches)


def distance_after_last(room: Room, vms: Ints, at: Places) -> Floats:
    """Cost that grows with the way round the farm from the host used last."""
    return np.tile(_steps_after_last(room)[at].astype(np.float64), (len(vms), 1))


def _steps_after_last(room: Room) -> Ints:
    last = room.view.memo.get(MEMO, -1)
    steps: Ints = (room.hosts - last - 1) % len(room.view.hosts)
    return steps
