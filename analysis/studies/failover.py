"""The failover test: hosts, pairs, racks and sites fail in turn, and VMs restart elsewhere.

A simulation on paper at one instant: nothing of it changes the run that it looks at.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from math import comb

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, States, distinct
from ...models.base.lazy_dataclass import dataclass
from ...models.farm.farm import Farm
from ...models.state.columns import PowerState, Vms, VmState
from ...models.state.utilisation_history import Ring
from ...policies.interface.policy_states import PolicyStates
from ...policies.interface.view import FarmView
from ...policies.placement.candidates import Candidates
from ...scenarios.build.build import Case, build, fresh, load_of
from ...scenarios.build.workload import Load
from ...scenarios.errors.problems import refuse
from ...scenarios.scenario import Scenario
from ...sim.base.random_streams import Streams
from ...sim.hosts.provisioning import Provisioning
from ...sim.lifecycle.host_finder import Needs
from ...sim.lifecycle.restart_check import Restart, RestartState
from ..measure.work_not_done import at_instant
from ..run.play_case import play, telling_policy_faults, until
from .failover_result import (
    NOTHING_LEFT,
    RESTART_OFF,
    ClusterFailover,
    Failover,
    Failure,
    Stranded,
    called,
)

MAX_PAIRS = 20_000
LEVELS = ("rack", "site")
HELD = (PowerState.ON, PowerState.BOOTING, PowerState.DRAINING)


def failover(scenario: Scenario, at_s: float | None = None, pairs: bool = False) -> Failover:
    """Run a scenario and let each host, rack and site fail at one instant, one after another.

    ``at_s`` is the instant; None: the worst of the run, which is the reporting instant at which
    most of the memory of the hosts that are on was promised, the first of equals. With ``pairs``
    each two hosts fail as well. Raises InputError if the scenario cannot be run, or no VM is on
    a host then.

    A *failure* takes hosts at once; their VMs are placed on the hosts that are left by the run's
    own restart, in the order of priority, on paper: what they do to the load afterwards is not
    simulated. Raises InputError as well if pairs are more than :data:`MAX_PAIRS`. Single hosts
    without VMs are not tried, since nothing can be lost with them.
    """
    return examine(scenario, at_s, pairs).outcome


@dataclass(frozen=True)
class Examined:
    """A failover test and the farm that it looked at.

    ``case`` is built anew, ``home`` (vms,) says where each VM was at the instant, -1 on no host,
    ``in_service`` (hosts,) which hosts could hold VMs.
    """

    outcome: Failover
    case: Case
    home: Ints
    in_service: Bools


def examine(scenario: Scenario, at_s: float | None = None, pairs: bool = False) -> Examined:
    """Return the test of :func:`failover` with the farm that it was made on."""
    load = load_of(scenario)
    moment = _run(scenario, load, at_s)
    if moment is None or not (moment.home >= 0).any():
        when = "at any reporting instant" if at_s is None else f"at {at_s / 3600:g} h"
        left_out = f" ({moment.left_out.rstrip('.')})" if moment and moment.left_out else ""
        message = f"finds no VM on any host {when}{left_out}; there is nothing to test"
        raise refuse(scenario.name, message, "--at")
    # Built anew, since the farm that ran is at the end of its run.
    case = build(scenario, load)
    trial = _Trial(case, moment)
    with telling_policy_faults(scenario.name):
        failures = [trial.fail(kind, name, hosts) for kind, name, hosts in trial.sets(pairs)]
    outcome = Failover(
        name=scenario.name,
        at_s=moment.at_s,
        worst=at_s is None,
        hosts=len(moment.state),
        hosts_on=int(moment.on().sum()),
        vms=int((moment.home >= 0).sum()),
        promised=moment.promised,
        failures=failures,
        whole=trial.whole(),
        left_out=moment.left_out,
        clusters=trial.clusters(failures),
    )
    working = moment.in_service & (moment.state != PowerState.FAILED)
    return Examined(outcome, case, moment.home, working)


@dataclass(frozen=True)
class _FarmInstant:
    """The columns of a farm at one instant; ongoing migrations count as not started.

    Arrays have one entry per VM (``home`` is -1 without a host) or per host. ``need_mhz`` and
    ``capacity_mhz`` are what the initial placement counts, ``down`` the VMs that wait to be
    restarted, ``restart`` and ``states`` how the run restarts VMs and what its placement keeps.
    """

    at_s: float
    promised: float
    vms: Vms
    home: Ints
    demand_mhz: Floats
    state: States
    reachable: Bools
    left_out: str
    in_service: Bools
    need_mhz: Floats
    capacity_mhz: Floats
    down: Ints
    restart: Restart
    states: PolicyStates

    @classmethod
    def of(cls, case: Case, at_s: float, promised: float) -> "_FarmInstant":
        """Copy what a farm is at this instant; its run goes on.

        Columns are copied, since the farm changes them in place. ``promised`` is a share of the
        memory of hosts on.
        """
        farm = case.farm
        vms, hosts = farm.vms, farm.hosts
        need_mhz, capacity_mhz = case.engine.counting()
        down = np.flatnonzero(case.engine.returning & (vms.state == VmState.WAITING))
        return cls(
            at_s,
            promised,
            fresh(vms),
            vms.host.copy(),
            vms.demand_mhz.copy(),
            hosts.state.copy(),
            hosts.reachable.copy(),
            _left_out(farm),
            hosts.in_service.copy(),
            need_mhz.copy(),
            capacity_mhz,
            down,
            case.engine.restart,
            case.engine.policy_states(),
        )

    def on(self) -> Bools:
        """Return which hosts are on, booting or draining."""
        return np.isin(self.state, HELD)


def _left_out(farm: Farm) -> str:
    """Say which VMs are on no host, and so in no test."""
    rejected, waiting, lost = (
        int(np.count_nonzero(farm.vms.state == state))
        for state in (VmState.REJECTED, VmState.WAITING, VmState.LOST)
    )
    return at_instant(rejected, waiting, lost, len(farm.vms))


def _promised(farm: Farm) -> float:
    """Return the share of the memory of hosts on that VMs use, counting migrating VMs once.

    A share from 0 to 1; 0 where no host is on.
    """
    hosts, vms = farm.hosts, farm.vms
    on = np.isin(hosts.state, HELD)
    held_mib = hosts.memory_used_mib[on].sum()
    moving = farm.migrating
    held_mib -= farm.delivery.footprint_mib(moving, vms.moving_to[moving]).sum()
    away = np.flatnonzero(vms.pages_at >= 0)
    held_mib -= farm.delivery.footprint_mib(away, vms.pages_at[away]).sum()
    room_mib = float(hosts.memory_mib[on].sum())
    return float(held_mib) / room_mib if room_mib else 0.0


def _run(scenario: Scenario, load: Load, at_s: float | None) -> _FarmInstant | None:
    """Run a scenario to an instant, or to its end, and return the instant or the worst.

    ``load`` is that of the whole run, of which VMs may come after the instant only.

    Only the worst instant so far is kept, so that memory does not grow with the run.
    """
    if at_s is not None:
        scenario = until(scenario, at_s, scenario.run.report_every)
    case = build(scenario, load)
    farm, every_s = case.farm, scenario.run.report_every
    worst: list[_FarmInstant] = []

    def look(now_s: float) -> None:
        if (now_s > 0 if at_s == 0 else at_s is not None) or now_s % every_s:
            return
        promised = _promised(farm)
        if not worst or promised > worst[0].promised:
            worst[:] = [_FarmInstant.of(case, now_s, promised)]

    play(case, look)
    if at_s:
        return _FarmInstant.of(case, at_s, _promised(farm))
    return worst[0] if worst else None


class _Trial:
    """A copy of a farm at one instant, in which hosts fail.

    It is built anew from the instant; each failure starts from it, and none changes it.
    """

    def __init__(self, case: Case, moment: _FarmInstant) -> None:
        self._case, self._moment = case, moment
        scenario = case.scenario
        self._farm = farm = Farm(case.farm.hosts, moment.vms, layer=case.stack.layer)
        farm.start(moment.on())
        farm.set_reachable(np.flatnonzero(~moment.reachable), False)
        farm.set_in_service(np.flatnonzero(~moment.in_service), False)
        held = np.flatnonzero(moment.home >= 0)
        farm.place(held, moment.home[held], 0.0)
        farm.set_demand(moment.demand_mhz, 0.0)
        self._view = FarmView(
            farm,
            Ring(0, len(farm.vms)),
            Ring(0, len(farm.hosts)),
            Streams(scenario.seed),
            scenario.policies.slow_cores == "allow",
            case.rules,
            now=lambda: moment.at_s,
            rack_limit_w=case.rack_limit_w,
        )
        self._view.states = moment.states
        initial = scenario.policies.initial
        needs = Needs(farm, self._view, initial.count_by == "size", initial.cpu_overcommit)
        self._load_mhz = needs.load_mhz().copy()
        self._restart, self._lives = moment.restart, case.engine.lives

    def whole(self) -> list[str]:
        """Return the levels of which the farm is a single domain: nothing would be left."""
        return [level for level in LEVELS if self._case.domains.count(level) == 1]

    def clusters(self, failures: list[Failure]) -> tuple[ClusterFailover, ...]:
        """Return what failures do to each cluster; empty where the farm has none."""
        on, hosts, names = self._moment.on(), self._farm.hosts, self._case.stack.clusters
        found = []
        for number in [*range(len(names)), -1] if names else ():
            rows = np.flatnonzero(hosts.cluster == number)
            counts = len(rows), int(on[rows].sum()), int(hosts.vm_count[rows].sum())
            whole = [
                level
                for level in LEVELS
                if self._case.domains.count(level) > 1
                and len(distinct(self._case.domains.of(level)[rows])) == 1
            ]
            if len(rows):
                found.append(ClusterFailover.of_all(names, number, counts, failures, whole))
        return tuple(found)

    def _clusters_of(self, hosts: Ints) -> tuple[str, ...] | None:
        """Return the names of the clusters of hosts, None where the farm has none."""
        names = self._case.stack.clusters
        numbers = distinct(self._farm.hosts.cluster[hosts]).tolist()
        return tuple(called(names, number) for number in numbers) if names else None

    def sets(self, pairs: bool) -> Iterator[tuple[str, str, Ints]]:
        """Yield what fails: kind, name and hosts; only what holds VMs, racks and sites apart.

        Racks and sites are left out where the farm is a single one.
        """
        names, domains = self._farm.hosts.names, self._case.domains
        filled = np.flatnonzero(self._farm.hosts.vm_count).tolist()
        for host in filled:
            yield "host", names[host], np.array([host])
        for one, other in self._pairs(set(filled)) if pairs else ():
            yield "pair", f"{names[one]} and {names[other]}", np.array([one, other])
        labels = {"rack": domains.rack_names, "site": domains.site_names}
        for level in LEVELS:
            at = domains.of(level)
            for domain in range(domains.count(level)) if domains.count(level) > 1 else ():
                yield level, labels[level][domain], np.flatnonzero(at == domain)

    def _pairs(self, filled: set[int]) -> list[tuple[int, int]]:
        """Return pairs of working hosts, at least one of which has VMs."""
        working = np.flatnonzero(self._moment.state != PowerState.FAILED).tolist()
        empty = len(working) - len(filled)
        count = comb(len(working), 2) - comb(empty, 2)
        if count > MAX_PAIRS:
            message = f"{count:,} pairs are more than {MAX_PAIRS:,}; run without --pairs"
            raise refuse(self._case.name, message, "--pairs")
        return [pair for pair in combinations(working, 2) if not filled.isdisjoint(pair)]

    def fail(self, kind: str, name: str, hosts: Ints) -> Failure:
        """Let hosts fail and their VMs restart elsewhere; return what was seen.

        VMs restart in the order of their priority, as the run's own restart would choose.

        ``hosts`` are rows. VMs that waited for a restart already are restarted as well, and take
        memory and CPU. Where the scenario does not restart VMs, all of them are stranded.
        """
        moment = self._moment
        restart_state = RestartState(
            moment.home.copy(),
            self._farm.hosts.memory_used_mib.copy(),
            self._load_mhz.copy(),
            moment.state.copy(),
            moment.need_mhz,
            moment.capacity_mhz,
            self._view.states.copied(),
        )
        victims = restart_state.fail(hosts)
        if not self._lives.admission.restart:
            stranded = [self._named(vm, RESTART_OFF, {}) for vm in victims.tolist()]
            within = self._clusters_of(hosts)
            return Failure(kind, name, len(hosts), len(victims), 0, stranded, clusters=within)
        lost = self._restart.play(self._view, restart_state, victims, moment.down)
        explained = _StrandedReasons(self._farm, self._view, restart_state, self._restart)
        stranded = [explained.why(vm) for vm in lost.tolist()]
        woken = len(set(restart_state.woken))
        return Failure(
            kind,
            name,
            len(hosts),
            len(victims),
            woken,
            stranded,
            self._down_s(restart_state, victims),
            self._clusters_of(hosts),
        )

    def _named(self, vm: int, cause: str, hindrances: dict[str, int]) -> Stranded:
        vms = self._farm.vms
        return Stranded(vms.names[vm], vms.size_names[int(vms.size[vm])], cause, hindrances)

    def _down_s(self, restart_state: RestartState, victims: Ints) -> float | None:
        """Return the longest time until a VM runs again; None if none does.

        It is the time until the failure is noticed, the boot of a host that slept, and the
        VM's own start, as many at a time as the host starts.

        In s after the failure.
        """
        mine = set(victims.tolist())
        placed = [(vm, host) for vm, host in restart_state.placed if vm in mine]
        if not placed:
            return None
        hosts, lives, columns = (
            np.array([host for _, host in placed]),
            self._lives,
            self._farm.hosts,
        )
        boot_s = np.where(np.isin(hosts, restart_state.woken), columns.boot_s[hosts], 0.0)
        starts = Provisioning(lives.first_s, lives.again_s, lives.starts_per_host, len(columns))
        ready_s = starts.ready_s(
            hosts, columns.group[hosts], np.ones(len(hosts), bool), 0.0, boot_s
        )
        return lives.admission.detect_s + float(ready_s.max())


class _StrandedReasons:
    """Explains why VMs are stranded after all others have restarted, once per kind of VM.

    VMs of one kind (size, rules, tenant) are stopped by the same, which is looked for once.
    """

    def __init__(
        self, farm: Farm, view: FarmView, restart_state: RestartState, restart: Restart
    ) -> None:
        self._farm, self._restart = farm, restart
        self._restart_state, self._view = restart_state, view
        self._known: dict[int, Stranded] = {}

    def why(self, vm: int) -> Stranded:
        """Return a stranded VM and its obstacles.

        Counts of hosts are those after all other VMs have restarted, so that a host that was full
        before and one that filled up since are told alike.
        """
        vms = self._farm.vms
        kind = int(self._restart.kind_of_vm[vm])
        if kind not in self._known:
            self._known[kind] = self._look(vm)
        return replace(self._known[kind], vm=vms.names[vm], size=vms.size_names[int(vms.size[vm])])

    @cached_property
    def _candidates(self) -> Candidates:
        """Candidates among all remaining hosts."""
        ahead = self._restart_state.view(self._view)
        there = ahead.awake() | (ahead.sleeping() & self._restart.wakes)
        restart_state = self._restart_state
        return Candidates(
            ahead,
            np.flatnonzero(there),
            restart_state.need_mhz,
            restart_state.load_mhz,
            restart_state.capacity_mhz,
        )

    def _look(self, vm: int) -> Stranded:
        """Tell hosts that may take a VM and lack something from those that are excluded.

        The cause is what stops it on most hosts; where it may use no host that is left, what bars
        it.
        """
        candidates = self._candidates
        may = candidates.may_hold(vm)
        memory, cpu = candidates.lacking_resources(vm)
        found = {"memory": int((memory & may).sum()), "CPU": int((cpu & may).sum())}
        rules = candidates.why_barred(vm, may if may.any() else np.ones(len(may), bool))
        found |= {f"rule {name}": count for name, count in rules}
        over = candidates.over_rack_power(vm)
        if over is not None and (over & may).any():
            found["power limit of the rack"] = int((over & may).sum())
        if not may.any() and len(may) and not rules:
            others = "hypervisor, tenant or guest restriction"
            clustered = (self._farm.hosts.cluster >= 0).any()
            found[f"cluster, {others}" if clustered else others] = len(may)
        found = {what: count for what, count in found.items() if count}
        cause = max(found, key=lambda what: found[what]) if found else NOTHING_LEFT
        if not may.any() and found:
            cause = f"{NOTHING_LEFT} that {cause} allows"
        free_mib = candidates.memory_free_mib[may].max(initial=0.0)
        free_mhz = candidates.free_mhz[may].max(initial=0.0)
        return Stranded(
            "",
            "",
            cause,
            found,
            int(may.sum()),
            float(candidates.view.vms.footprint_mib[vm]) / 1024,
            float(candidates.need_mhz[vm]) / 1000,
            max(float(free_mib), 0.0) / 1024,
            max(float(free_mhz), 0.0) / 1000,
        )
