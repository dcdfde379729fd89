"""Round robin: the next host after the last one used."""

from typing import ClassVar

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ..interface.plan import Search
from ..placement.affinity_groups import affinity_groups
from ..placement.candidates import Candidates
from ..placement.capacity import Positions
from ..placement.host_costs import Pricing
from ..placement.placement import Placed, place_each


@dataclass
class _Last:
    """The host used last, a row; -1: none yet."""

    host: int = -1

    def steps_to(self, candidates: Candidates) -> Ints:
        """Return how many hosts of the farm are gone on to reach each candidate."""
        steps: Ints = (candidates.hosts - self.host - 1) % len(candidates.view.hosts)
        return steps

    def costs(self, candidates: Candidates, vms: Ints, at: Positions) -> Floats:
        """Cost that grows with the distance around the farm from the host used last."""
        return np.tile(self.steps_to(candidates)[at].astype(np.float64), (len(vms), 1))


@dataclass(frozen=True)
class RoundRobin:
    """Place each VM on the next host with capacity after the host of the previous VM.

    If every VM fits its next host, all are placed in one step.
    """

    repeatable: ClassVar[bool] = False

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        """Place VMs in the order given."""
        last = candidates.view.state(self, _Last)
        if len(vms) and len(candidates.hosts) and not candidates.prefer_awake:
            turn = np.argsort(last.steps_to(candidates), kind="stable")
            positions = turn[np.arange(len(vms)) % len(turn)]
            if candidates.take_all(vms, positions):
                last.host = int(candidates.hosts[positions[-1]])
                return Placed(
                    candidates.hosts[positions], [Search(len(candidates.hosts))] * len(vms)
                )
        hosts, searches = np.empty(len(vms), np.int64), [Search()] * len(vms)
        pricing = Pricing(last.costs, lasting=False)
        for group in affinity_groups(candidates, vms):
            placed = place_each(candidates, vms[group], pricing)
            for position, host, search in zip(
                group, placed.hosts.tolist(), placed.searches, strict=True
            ):
                hosts[position], searches[position] = host, search
                if host >= 0:
                    last.host = host
        return Placed(hosts, searches)
