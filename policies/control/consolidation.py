"""Dynamic consolidation: relieve overloaded hosts, empty the least used, switch off the rest."""

import numpy as np

from ...models.base.arrays import Bools, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ...models.state.columns import VmState
from ..interface.plan import Plan, Reason, propose_columns
from ..interface.repeatable import is_repeatable
from ..interface.view import FarmView
from ..overload.detector import OverloadDetector
from ..overload.detector_state import DetectorState
from ..overload.static_threshold import StaticThreshold
from ..placement.candidates import Candidates
from ..placement.placement import Placed, Placement
from ..placement.sum_test import worth_trying
from ..placement_algorithms.power_aware import PowerAwareBestFitDecreasing
from ..selection.minimum_migration_time import MinimumMigrationTime
from ..selection.selection import Selection
from .compiled_round import Draining, Residents, applies, play
from .control import idle_hosts
from .drain import Drain, LeastUtilised

NO_VMS = Placed(np.empty(0, np.int64), [])
"""Where no VM goes."""


@dataclass(frozen=True)
class Consolidation:
    """In every round, relieve overloaded hosts, and empty and switch off underutilised hosts.

    The heuristic of Beloglazov and Buyya (2012), composed of an overload detector, a selection
    of the VMs to move, a placement for them, and a drain policy. Sleeping hosts are woken only
    for VMs of overloaded hosts.
    """

    overload: OverloadDetector = parameter("Overload detector.", StaticThreshold(), slot="overload")
    selection: Selection = parameter(
        "Selection of the VMs that leave an overloaded host.",
        MinimumMigrationTime(),
        slot="selection",
    )
    placement: Placement = parameter(
        "Placement of the migrated VMs.", PowerAwareBestFitDecreasing(), slot="placement"
    )
    drain: Drain = parameter("Selection of the hosts to be emptied.", LeastUtilised(), slot="drain")

    powers_down = True
    migrates_vms = True

    @property
    def samples(self) -> int:
        """Number of past samples that the parts look at."""
        return max(self.overload.samples, self.selection.samples)

    @property
    def repeatable(self) -> bool:
        """Whether all parts decide the same as long as they see the same."""
        parts = self.overload, self.selection, self.placement, self.drain
        return all(map(is_repeatable, parts)) and not getattr(self.overload, "above_for_s", 0.0)

    def decide(self, view: FarmView) -> Plan:
        """Return the migrations and power-downs of one round."""
        return _Round(self, view).plan()


class _Round:
    """The tentative state of one control round."""

    def __init__(self, policy: Consolidation, view: FarmView) -> None:
        self._policy, self._view = policy, view
        self._detector_state = DetectorState(view, policy.overload)
        self._home = view.vms.host.copy()
        moving = view.vms.state == VmState.MIGRATING
        self._moving: Bools | None = moving if moving.any() else None
        self._order = np.argsort(self._home, kind="stable")
        self._first = np.searchsorted(
            self._home[self._order], np.arange(len(view.hosts) + 1)
        ).tolist()
        self._received: dict[int, list[int]] = {}
        self._live: dict[int, int] = {}
        self._plan = Plan(sleep_reason=name_of(policy.drain))

    def plan(self) -> Plan:
        overloaded = self._detector_state.overloaded()
        leaving = self._relieve(overloaded)
        candidates = self._candidates(overloaded, len(leaving))
        drained, filled = self._move(overloaded, leaving, candidates)
        idle = [host for host in idle_hosts(self._view) if host not in filled]
        idle = [host for host in idle if candidates.may_sleep(host)]
        self._plan.sleeps = sorted({*drained, *idle} - filled)
        return self._plan

    def _move(
        self, overloaded: Ints, leaving: dict[int, Reason], candidates: Candidates
    ) -> tuple[list[int], set[int]]:
        """Place VMs that leave, and empty hosts; return hosts emptied, and those given VMs."""
        order, placement = self._policy.drain.order(self._view, overloaded), self._policy.placement
        if isinstance(placement, PowerAwareBestFitDecreasing) and applies(
            candidates, placement, order
        ):
            played = play(candidates, placement, leaving, self._residents(), self._draining(order))
            if played is not None:
                propose_columns(self._plan, played.proposals)
                return played.drained, played.filled
        self._place(leaving, candidates)
        drained = self._drain(order, candidates)
        return drained, {host for host, vms in self._received.items() if vms}

    def _draining(self, order: Ints) -> Draining:
        drain = self._policy.drain
        return Draining(
            order, name_of(drain), drain.below, drain.drain_receivers, drain.skip_idle_hosts
        )

    def _residents(self) -> Residents:
        staying = self._view.vms.state != VmState.MIGRATING
        return Residents(self._home, staying, self._order, np.array(self._first, np.int64))

    def _relieve(self, overloaded: Ints) -> dict[int, Reason]:
        """Select VMs of each overloaded host until it is no longer overloaded."""
        leaving: dict[int, Reason] = {}
        rule = name_of(self._policy.overload)
        values, limits = self._detector_state.judge(overloaded)
        for index, host in enumerate(overloaded.tolist()):
            reason = Reason(rule, float(values[index]), float(limits[index]))
            vms = self._guests(host)
            vms = vms[self._view.vms.state[vms] == VmState.RUNNING]
            while len(vms) and self._detector_state.is_overloaded(host):
                position = self._policy.selection.pick(self._view, vms)
                for vm in self._together(int(vms[position]), vms):
                    self._detector_state.take_away(vm, host)
                    leaving[vm] = reason
                    vms = vms[vms != vm]
        return leaving

    def _together(self, vm: int, among: Ints) -> list[int]:
        """Return a VM with those that rules keep with it, as far as they are among some VMs."""
        if self._view.rules is None:
            return [vm]
        present = set(among.tolist())
        return [each for each in self._view.affinity_group(vm).tolist() if each in present]

    def _candidates(self, overloaded: Ints, wanted: int) -> Candidates:
        view = self._view
        eligible = view.awake()
        eligible[overloaded] = False
        eligible[first_sleeping_of_each_group(view, wanted)] = True
        hosts = np.flatnonzero(eligible)
        need_mhz, capacity_mhz = view.vms.load_mhz, view.hosts.plan_mhz
        candidates = Candidates(view, hosts, need_mhz, view.expected_mhz(), capacity_mhz)
        self._detector_state.look_after(candidates)
        return candidates

    def _place(self, leaving: dict[int, Reason], candidates: Candidates) -> None:
        vms = np.array(list(leaving), np.int64)
        self._propose(vms, self._policy.placement.place(candidates, vms), list(leaving.values()))

    def _drain(self, order: Ints, candidates: Candidates) -> list[int]:
        """Empty hosts one by one where all their VMs fit elsewhere; return those emptied."""
        drain, view = self._policy.drain, self._view
        utilisation = view.hosts.utilisation
        order = order[view.hosts.incoming[order] == 0]
        candidates.close(candidates.hosts[candidates.sleeping])
        if drain.skip_idle_hosts:
            candidates.close(candidates.hosts[candidates.utilisation == 0])
        candidates.all_or_nothing = True
        rule = name_of(drain)
        drained: list[int] = []
        kept = set(self._received) if not drain.drain_receivers else set()
        staying = view.vms.state != VmState.MIGRATING
        placement = self._policy.placement
        for host in worth_trying(candidates, placement, order, self._home, staying):
            if host in kept:
                continue
            vms = self._tenants(host)
            candidates.close(np.array([host]))
            before = candidates.mark()
            placed = placement.place(candidates, vms) if len(vms) else NO_VMS
            if -1 in placed.hosts.tolist() or not candidates.may_sleep(host):
                candidates.undo_to(before)
                candidates.open(np.array([host]))
                continue
            drained.append(host)
            kept.update(placed.hosts.tolist())
            reason = Reason(rule, float(utilisation[host]), drain.below)
            self._propose(vms, placed, [reason] * len(vms))
        return drained

    def _guests(self, host: int) -> Ints:
        return self._order[self._first[host] : self._first[host + 1]]

    def _tenants(self, host: int) -> Ints:
        """Return the VMs on a host after all planned migrations.

        These are moves of this round and moves under way: who is on the way out has a place.
        """
        guests = self._guests(host)
        stays = self._home[guests] == host
        if self._moving is not None:
            stays &= ~self._moving[guests]
        staying: Ints = guests[stays]
        received = self._received.get(host)
        if not received:
            return staying
        return np.concatenate([staying, np.array(received, np.int64)])

    def _propose(self, vms: Ints, placed: Placed, reasons: list[Reason]) -> None:
        proposals = self._plan.proposals
        rows = zip(
            vms.tolist(),
            self._view.vms.host[vms].tolist(),
            self._home[vms].tolist(),
            placed.hosts.tolist(),
            reasons,
            placed.searches,
            strict=True,
        )
        for vm, source, previous, target, reason, search in rows:
            if previous != source:
                self._received[previous].remove(vm)
                earlier = self._live[vm]
                proposals[earlier] = proposals[earlier]._replace(superseded=True)
            self._live[vm] = len(proposals)
            self._plan.move(vm, target, reason, search, source)
            if target >= 0:
                self._received.setdefault(target, []).append(vm)
        found = placed.hosts >= 0
        self._home[vms[found]] = placed.hosts[found]


def first_sleeping_of_each_group(view: FarmView, count: int, among: Bools | None = None) -> Ints:
    """Return up to ``count`` sleeping hosts of each kind, the lowest rows first.

    ``among`` says which hosts come into question (None: all). Sleeping hosts of one kind are
    alike, so more of them could not change a placement.
    """
    sleeping = np.flatnonzero(view.sleeping() if among is None else view.sleeping() & among)
    groups = view.kinds_of_hosts()[sleeping]
    order = np.argsort(groups, kind="stable")
    rank = np.arange(len(sleeping)) - np.searchsorted(groups[order], groups[order])
    return sleeping[order[rank < count]]


def name_of(policy: object) -> str:
    """Return a policy's name as it stands in reasons: its class in snake case."""
    name = type(policy).__name__
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))
