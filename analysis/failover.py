"""The failover test: hosts, pairs, racks and sites fail in turn, and who finds another host.

A simulation on paper at one instant: nothing of it changes the run that it looks at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..models.arrays import Bools, Floats, Ints, States
from ..models.columns import PowerState, Vms, VmState
from ..models.history import Ring
from ..models.living import LivingFarm
from ..policies.guard import guarded
from ..policies.placement import Placed, place_bound_first
from ..policies.plan import Search
from ..policies.room import Room
from ..policies.view import FarmView
from ..scenarios.build import Case, build, fresh, load_of
from ..scenarios.problems import refuse
from ..scenarios.scenario import Scenario
from ..sim.choosing import Needs
from ..sim.streams import Streams
from .failover_outcome import Failover, Failure, Stranded
from .played import play
from .undone import at_instant

MOST_PAIRS = 20_000
LEVELS = ("rack", "site")
HELD = (PowerState.ON, PowerState.BOOTING, PowerState.DRAINING)


def failover(scenario: Scenario, at_s: float | None = None, pairs: bool = False) -> Failover:
    """Run a scenario and let each host, rack and site fail at one instant, one after another.

    ``at_s`` is the instant; None: the worst of the run, which is the reporting instant at which
    most of the memory of the hosts that are on was promised, the first of equals. With ``pairs``
    each two hosts fail as well. Raises InputError if the scenario cannot be run, or no VM is on
    a host then.
    """
    load = load_of(scenario)
    moment = _run(scenario, at_s)
    if moment is None or not (moment.home >= 0).any():
        raise refuse(scenario.name, "finds no VM on any host; name another time", "--at")
    # Built anew, since the farm that ran is at the end of its run.
    trial = _Trial(build(scenario, load), moment)
    failures = [trial.fail(kind, name, hosts) for kind, name, hosts in trial.sets(pairs)]
    return Failover(
        name=scenario.name, at_s=moment.at_s, worst=at_s is None, hosts=len(moment.state),
        hosts_on=int(moment.on().sum()), vms=int((moment.home >= 0).sum()),
        promised=moment.promised, failures=failures, whole=trial.whole(),
        left_out=moment.left_out,
    )  # fmt: skip


@dataclass(frozen=True)
class _Moment:
    """The columns of a farm at one instant; moves under way count as not begun."""

    at_s: float
    promised: float
    vms: Vms
    home: Ints
    demand_mhz: Floats
    state: States
    reachable: Bools
    left_out: str

    @classmethod
    def of(cls, farm: LivingFarm, at_s: float, promised: float) -> "_Moment":
        vms, hosts = farm.vms, farm.hosts
        return cls(
            at_s, promised, fresh(vms), vms.host.copy(), vms.demand_mhz.copy(),
            hosts.state.copy(), hosts.reachable.copy(), _left_out(farm),
        )  # fmt: skip

    def on(self) -> Bools:
        return np.isin(self.state, HELD)


def _left_out(farm: LivingFarm) -> str:
    """Say which VMs are on no host, and so in no test."""
    rejected, waiting, lost = (
        int(np.count_nonzero(farm.vms.state == state))
        for state in (VmState.REJECTED, VmState.WAITING, VmState.LOST)
    )
    return at_instant(rejected, waiting, lost, len(farm.vms))


def _promised(farm: LivingFarm) -> float:
    """Return the part of the memory of hosts on that VMs hold, those under way counted once."""
    hosts, vms = farm.hosts, farm.vms
    on = np.isin(hosts.state, HELD)
    held_mib = hosts.memory_used_mib[on].sum()
    moving = farm.moving
    held_mib -= farm.delivery.footprint_mib(moving, vms.moving_to[moving]).sum()
    away = np.flatnonzero(vms.pages_at >= 0)
    held_mib -= farm.delivery.footprint_mib(away, vms.pages_at[away]).sum()
    room_mib = float(hosts.memory_mib[on].sum())
    return float(held_mib) / room_mib if room_mib else 0.0


def _run(scenario: Scenario, at_s: float | None) -> _Moment | None:
    """Run a scenario to an instant, or to its end, and return the instant or the worst."""
    if at_s is not None:
        if not 0 < at_s <= scenario.run.duration:
            end = f"{scenario.run.duration / 3600:g} h"
            message = f"is {at_s / 3600:g} h; name a time after 0 h and up to the run's end, {end}"
            raise refuse(scenario.name, message, "--at")
        run = scenario.run.model_copy(update={"duration": at_s})
        scenario = scenario.model_copy(update={"run": run})
    case = build(scenario, load_of(scenario))
    farm, every_s = case.farm, scenario.run.report_every
    worst: list[_Moment] = []

    def look(now_s: float) -> None:
        if at_s is not None or now_s % every_s:
            return
        promised = _promised(farm)
        if not worst or promised > worst[0].promised:
            worst[:] = [_Moment.of(farm, now_s, promised)]

    play(case, look)
    if at_s is not None:
        return _Moment.of(farm, at_s, _promised(farm))
    return worst[0] if worst else None


class _Trial:
    """A farm as it was at one instant, in which hosts fail and are put back."""

    def __init__(self, case: Case, moment: _Moment) -> None:
        self._case, self._moment = case, moment
        scenario = case.scenario
        self._initial, self._slow = scenario.policies.initial, scenario.policies.slow_cores
        hosts = case.farm.hosts
        self._farm = farm = LivingFarm(hosts, moment.vms, layer=case.stack.layer)
        farm.start(moment.on())
        dead = np.flatnonzero(moment.state == PowerState.FAILED)
        if len(dead):
            farm.crash(dead, 0.0)
        farm.set_reachable(np.flatnonzero(~moment.reachable), False)
        held = np.flatnonzero(moment.home >= 0)
        farm.place(held, moment.home[held], 0.0)
        farm.set_demand(moment.demand_mhz, 0.0)
        arrivals = case.load.arrivals
        count = len(farm.vms)
        self._priority = np.zeros(count, np.int64)
        if arrivals is not None:
            self._priority[: len(arrivals.priority)] = arrivals.priority

    def whole(self) -> list[str]:
        """Return the levels of which the farm is a single domain: nothing would be left."""
        return [level for level in LEVELS if self._case.domains.count(level) == 1]

    def sets(self, pairs: bool) -> Iterator[tuple[str, str, Ints]]:
        """Yield what fails: kind, name and hosts; hosts without VMs only within racks and sites."""
        names, domains = self._farm.hosts.names, self._case.domains
        filled = np.flatnonzero(self._farm.hosts.vm_count).tolist()
        for host in filled:
            yield "host", names[host], np.array([host])
        if pairs:
            count = len(filled) * (len(filled) - 1) // 2
            if count > MOST_PAIRS:
                message = f"{count:,} pairs are more than {MOST_PAIRS:,}; leave --pairs out"
                raise refuse(self._case.name, message, "--pairs")
            for one, other in combinations(filled, 2):
                yield "pair", f"{names[one]} and {names[other]}", np.array([one, other])
        labels = {"rack": domains.rack_names, "site": domains.site_names}
        for level in LEVELS:
            at = domains.of(level)
            for domain in range(domains.count(level)) if domains.count(level) > 1 else ():
                yield level, labels[level][domain], np.flatnonzero(at == domain)

    def fail(self, kind: str, name: str, hosts: Ints) -> Failure:
        """Let hosts fail, restart their VMs elsewhere, put all back; return what was seen."""
        farm = self._farm
        struck = hosts[farm.hosts.state[hosts] != PowerState.FAILED]
        before = farm.hosts.state[struck].copy()
        victims = farm.crash(struck, 0.0)
        view = FarmView(
            farm, Ring(0, len(farm.vms)), Ring(0, len(farm.hosts)),
            Streams(self._case.scenario.seed), self._slow == "allow", self._case.rules,
        )  # fmt: skip
        asleep = view.asleep()
        found, stranded = self._restart(view, victims)
        for state in np.unique(before).tolist():
            farm.set_power_state(struck[before == state], state, 0.0)
        farm.place(victims, self._moment.home[victims], 0.0)
        farm.set_demand(self._moment.demand_mhz, 0.0)
        targets = found[found >= 0]
        woken = len(np.unique(targets[asleep[targets]]))
        return Failure(kind, name, len(hosts), len(victims), woken, stranded)

    def _restart(self, view: FarmView, victims: Ints) -> tuple[Ints, list[Stranded]]:
        """Place VMs, those of higher priority first; return hosts, and those that found none."""
        initial = self._initial
        needs = Needs(self._farm, view, initial.by == "size", initial.cpu_overcommit)
        hosts = np.flatnonzero(view.awake() | view.asleep())
        room = Room(
            view, hosts, needs.need_mhz(self._moment.demand_mhz), needs.load_mhz(),
            needs.capacity_mhz,
        )  # fmt: skip
        found: list[Ints] = [np.empty(0, np.int64)]
        lost: dict[int, Search] = {}
        for priority in sorted(set(self._priority[victims].tolist()), reverse=True):
            vms = victims[self._priority[victims] == priority]
            placement = guarded(initial.placement, "placement")
            placed: Placed = place_bound_first(placement, room, vms)
            found.append(placed.hosts)
            rows = zip(vms.tolist(), placed.hosts.tolist(), placed.searches, strict=True)
            lost |= {vm: search for vm, host, search in rows if host < 0}
        stranded = [self._stranded(room, vm, search) for vm, search in lost.items()]
        return np.concatenate(found), stranded

    def _stranded(self, room: Room, vm: int, search: Search) -> Stranded:
        """Say what stops a VM once all others have restarted; a host may lack both resources."""
        vms = self._farm.vms
        no_memory = room.memory_free_mib < room.view.vms.footprint_mib[vm]
        no_cpu = room.free_mhz < room.need_mhz[vm]
        lacking = {"memory": int(no_memory.sum()), "CPU": int(no_cpu.sum())}
        return Stranded.of(vms.names[vm], vms.size_names[int(vms.size[vm])], lacking, search)
