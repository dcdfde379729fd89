"""Hosts for all VMs that are there as time begins."""

import numpy as np

from ..models.base.arrays import Floats, Ints
from ..models.farm.farm import Farm
from ..models.workload.demand import Demand
from ..policies.interface.plan import Search
from ..policies.interface.view import FarmView
from ..policies.placement.candidates import Candidates
from ..policies.placement.placement import Placed, place_bound_first
from .records.recorder import Recorder
from .setup import InitialPlacementSetup


class UnplacedError(Exception):
    """VMs for which the initial placement found no host, with the search of each.

    ``searches`` has an entry per VM row, with how many hosts lacked CPU, memory, or were barred.
    """

    def __init__(self, searches: dict[int, Search]) -> None:
        super().__init__(searches)
        self.searches = searches


class InitialPlacement:
    """Looks for hosts on an empty farm, for the VMs that arrive at time 0: ``vms``, ascending.

    VMs that rules bind are placed first (:func:`.place_bound_first`). Where VMs count with their
    demand, that is the demand of the first slot.
    """

    def __init__(
        self,
        farm: Farm,
        demand: Demand,
        view: FarmView,
        start: InitialPlacementSetup,
        arrival_s: Floats,
    ) -> None:
        self.vms: Ints = np.flatnonzero(arrival_s <= 0)
        self._farm, self._demand, self._view, self._start = farm, demand, view, start

    def find(self) -> Placed:
        """Return a host for each VM, −1 where none has room.

        Raises UnplacedError if there is none for a VM that is not to be rejected.

        The result is in the order of ``vms``. The farm is not changed: the engine places the VMs.
        """
        if not len(self.vms):
            return Placed(np.empty(0, np.int64), [])
        self._view.lenient = not self._start.reject
        if self._start.recorded is None:
            placed = place_bound_first(self._start.placement, self._candidates(), self.vms)
        else:
            placed = self._as_recorded(self._start.recorded[self.vms])
        self._view.lenient = False
        searches = self.searches(placed)
        if searches and not self._start.reject:
            raise UnplacedError(searches)
        return placed

    def _as_recorded(self, hosts: Ints) -> Placed:
        """Return the recorded hosts of VMs, and what the placement finds for those without one.

        ``hosts`` are rows in the order of the VMs, −1 for none.
        """
        rest = np.flatnonzero(hosts < 0)
        searches = [Search(1)] * len(hosts)
        if len(rest):
            candidates = self._candidates()
            positions = candidates.positions(np.maximum(hosts, 0))
            for index in np.flatnonzero(hosts >= 0).tolist():
                candidates.take(int(self.vms[index]), int(positions[index]))
            found = place_bound_first(self._start.placement, candidates, self.vms[rest])
            hosts = hosts.copy()
            hosts[rest] = found.hosts
            for index, search in zip(rest.tolist(), found.searches, strict=True):
                searches[index] = search
        return Placed(hosts, searches)

    def searches(self, placed: Placed) -> dict[int, Search]:
        """Return how the VMs were searched that found no host."""
        lost = np.flatnonzero(placed.hosts < 0).tolist()
        return {int(self.vms[index]): placed.searches[index] for index in lost}

    def needs(self) -> tuple[Ints, Floats, Floats]:
        """Return the VMs, the least CPU of each, and what hosts have, both in MHz.

        The least is what a VM counts with where its work costs least.
        """
        farm, start, vms = self._farm, self._start, self.vms
        room_mhz = farm.hosts.plan_mhz - farm.delivery.base_mhz
        if start.by_size:
            return vms, farm.vms.size_mhz[vms], room_mhz * start.overcommit
        layer = farm.delivery.layer
        factor = np.where(layer.allowed, layer.work_factor, np.inf).min(axis=1)
        factor = np.where(np.isfinite(factor), factor, 0.0)
        self._demand.advance(0)
        return vms, self._demand.now_mhz[vms] * factor[farm.vms.size[vms]], room_mhz

    def record(self, recorder: Recorder, placed: Placed) -> None:
        """Write down what was decided for each VM.

        One row of the table of decisions per VM, at time 0 and without a source.
        """
        if not len(self.vms):
            return
        words, targets = recorder.words, placed.hosts
        considered, full, cost, no_cpu, no_memory, vetoed, barred, rules = zip(
            *placed.searches, strict=True
        )
        outcome = np.where(targets >= 0, words("placed"), words("rejected"))
        rule = words(f"initial placement: {self._start.rule}")
        codes = {names: words(names) for names in dict.fromkeys(rules)}
        recorder.decisions.add(
            len(targets),
            time_s=0.0,
            vm=self.vms,
            source=-1,
            target=targets,
            rule=rule,
            measured=0.0,
            limit=0.0,
            considered=considered,
            full=full,
            no_cpu=no_cpu,
            no_memory=no_memory,
            vetoed=vetoed,
            barred=barred,
            rules=[codes[names] for names in rules],
            cost=cost,
            outcome=outcome,
        )

    def _candidates(self) -> Candidates:
        farm, start = self._farm, self._start
        hosts = np.flatnonzero(farm.hosts.in_service)
        capacity_mhz = farm.hosts.plan_mhz - farm.delivery.base_mhz
        if start.by_size:
            need_mhz, capacity_mhz = farm.vms.size_mhz, capacity_mhz * start.overcommit
        else:
            self._demand.advance(0)
            need_mhz = farm.delivery.physical_mhz(self._demand.now_mhz.copy())
        nothing_mhz = np.zeros(len(farm.hosts))
        return Candidates(
            self._view, hosts, need_mhz, nothing_mhz, capacity_mhz, prefer_awake=False
        )
