"""A run: initial placement, the metronome, and the account of it all."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import simpy

from ..models.base.arrays import Bools, Floats, Ints
from ..models.farm.farm import Farm
from ..models.farm.living import LivingFarm
from ..models.migration.model_table import MigrationModels
from ..models.rules.reserve import HostedVms, Reserve
from ..models.rules.rules import Rules
from ..models.state.columns import PowerState
from ..models.state.lifetimes import Lifetimes
from ..models.state.utilisation_history import Ring
from ..models.workload.demand import Demand
from ..policies.control.control import ControlPolicy, EventDrivenPolicy, due_s, respond, wakes
from ..policies.control.power_management import PowerManagement
from ..policies.interface.plan import Search
from ..policies.interface.reserve_book import FarmReserve
from ..policies.interface.view import FarmView
from ..policies.overload.detector import looks_at_use
from ..policies.placement.candidates import Candidates
from ..policies.placement.placement import IndexedPlacement, Placed, Placement, place_bound_first
from ..policies.user_policies.guard import PolicyFaultError, guarded
from .accounts import Accounts
from .actuator import Actuator
from .base.clock import Clock, beats
from .base.gc_pauses import fewer_collections
from .base.log import Column
from .base.random_streams import Streams
from .failures import Failures, FailureSource
from .hosts.fitting_sizes import fitting_sizes
from .hosts.provisioning import Provisioning
from .hosts.reserve_keeper import ReserveKeeper
from .lifecycle.host_finder import (
    CandidateSearch,
    EmptyHostFinder,
    HostFinder,
    IndexedHostFinder,
    Needs,
)
from .lifecycle.lifecycle import Admission, Lifecycle, Population
from .lifecycle.restart_check import Restart, RestartState
from .migration.over_network import NetworkSetup
from .migration.via_storage import STORAGE_MBPS
from .prompted_decisions import EventDrivenDecisions
from .records.idle_states import SleepRecord
from .records.recorder import Recorder
from .records.rule_violations import RuleRecord
from .scaling import Elasticity, Scaling


class UnplacedError(Exception):
    """VMs for which the initial placement found no host, each with how it was searched."""

    def __init__(self, searches: dict[int, Search]) -> None:
        super().__init__(searches)
        self.searches = searches


@dataclass(frozen=True)
class InitialPlacementSetup:
    """How VMs are placed before time begins.

    With ``by_size`` a VM counts with its size and a host with its CPU times ``overcommit``,
    otherwise a VM counts with its demand in the first slot. VMs that find no host are rejected
    and listed, or end the run. Without ``slow_cores`` no VM goes, now or later, where a core is
    slower than the VM wants one to be. With ``one_each`` VMs that arrive get a host of their own.
    """

    placement: Placement
    rule: str
    by_size: bool = True
    overcommit: float = 1.0
    reject: bool = False
    slow_cores: bool = True
    one_each: bool = False

    def fitting(self, farm: Farm) -> Bools:
        """Return per size of VM whether some host, empty and whole, has room for one."""
        return fitting_sizes(farm, self.overcommit if self.by_size else None, self.slow_cores)


@dataclass(frozen=True)
class Timing:
    """Length of a run and its periods, in s."""

    end_s: float
    control_s: float
    report_s: float
    host_series: bool = False


@dataclass(frozen=True)
class Outcome:
    """All that a run leaves behind; tables refer to hosts, VMs, links and words by number.

    ``network`` is what moves went over, None where the migration model uses none;
    ``below_reserve_s`` how long the reserve was not whole; ``longest_queue`` is how many VMs waited
    at once at the most; ``noted`` counts what policies noted of their decisions.
    """

    farm: LivingFarm
    accounts: Accounts
    end_s: float
    tables: dict[str, dict[str, Column]]
    words: list[str]
    searches: dict[int, Search]
    peak_on: int
    peak_on_by_group: Ints
    rounds: int
    lives: Lifetimes
    sleep_record: SleepRecord
    network: NetworkSetup | None = None
    below_reserve_s: float = 0.0
    longest_queue: int = 0
    noted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LifecycleSetup:
    """How VMs come, wait, start and leave; ``first_s`` and ``again_s`` per group of hosts."""

    population: Population
    admission: Admission
    first_s: Floats
    again_s: Floats
    starts_per_host: int
    failures: Sequence[FailureSource] = ()

    @property
    def is_static(self) -> bool:
        """Whether all VMs are there from the start and stay, and nothing fails."""
        population = self.population
        if self.failures or np.any(population.arrival_s > 0):
            return False
        return not np.any(np.isfinite(population.lifetime_s))

    @classmethod
    def at_once(cls, population: Population, groups: int) -> "LifecycleSetup":
        """Return lives of VMs that wait in any number and run as soon as they have a host."""
        return cls(population, Admission(), np.zeros(groups), np.zeros(groups), 1)


class Engine:
    """Runs one farm under one workload and one policy."""

    def __init__(
        self,
        farm: LivingFarm,
        demand: Demand,
        start: InitialPlacementSetup,
        control: ControlPolicy,
        control_name: str,
        migration: MigrationModels,
        timing: Timing,
        streams: Streams,
        accounts: Accounts | None = None,
        network: NetworkSetup | None = None,
        lives: LifecycleSetup | None = None,
        rules: Rules | None = None,
        elasticity: Elasticity | None = None,
        reserve: Reserve | None = None,
        power: PowerManagement | None = None,
        storage_mbps: float = STORAGE_MBPS,
    ) -> None:
        start = replace(start, placement=guarded(start.placement, "placement"))
        control = guarded(control, "control")
        self._farm, self._demand, self._start = farm, demand, start
        self._control, self._control_name, self._timing = control, control_name, timing
        self._accounts, self._network = accounts or Accounts.least(farm), network
        self._microscope = microscope = self._accounts.microscope
        self._clock, self._streams = Clock(), streams
        self._power = guarded(power or PowerManagement(), "")
        if microscope is not None:
            microscope.attach(self._clock)
        self._recorder = Recorder(farm, timing.end_s, timing.host_series)
        if rules is not None:
            self._recorder.broken = RuleRecord(farm, rules)
        self._actuator = Actuator(
            self._clock,
            farm,
            migration,
            self._recorder,
            network,
            storage_mbps,
            rules,
            self._power.sleep_state,
        )
        self._vm_history = Ring(control.samples, len(farm.vms))
        self._looks_at_use = looks_at_use(control)
        uses = control.samples if self._looks_at_use else 0
        self._vm_use_history = Ring(uses, len(farm.vms))
        self._host_history = Ring(control.samples, len(farm.hosts))
        self._view = FarmView(
            farm,
            self._vm_history,
            self._host_history,
            streams,
            start.slow_cores,
            rules,
            movable=migration.table(),
            vm_use_history=self._vm_use_history,
        )
        self._rounds = 0
        self._gone = False
        self._lives = lives or LifecycleSetup.at_once(
            Population.staying(len(farm.vms)), len(farm.hosts.group_names)
        )
        self._needs = Needs(farm, self._view, start.by_size, start.overcommit)
        self._lifecycle = self._make_lifecycle(reserve is None)
        self._actuator.lost = self._lifecycle.lost
        self._actuator.freed = self._lifecycle.retry_soon
        self._reserve_keeper = None if reserve is None else self._guard(reserve)
        self._scaling = self._make_scaling(elasticity)
        self._note_change: Callable[[], None] = lambda: None

    @property
    def restart(self) -> Restart:
        """How VMs restart after a failure, on paper."""
        return Restart(
            self._start.placement, self._view.kinds_of_vms(), self._lives.population.priority,
            wakes(self._control),
        )  # fmt: skip

    @property
    def lives(self) -> LifecycleSetup:
        """How VMs come, wait, start and leave."""
        return self._lives

    def counting(self) -> tuple[Floats, Floats]:
        """Return what each VM counts with and what each host may promise, both CPU in MHz."""
        return self._needs.need_mhz(self._demand.now_mhz), self._needs.capacity_mhz

    def _restarts(self, held: HostedVms, awake: Bools, failed: Ints) -> bool:
        """Whether all VMs of hosts that fail find another, played on paper by the run's restart."""
        resting = np.where(awake, PowerState.ON, PowerState.OFF)
        state = np.where(held.counted, resting, PowerState.FAILED).astype(np.int8)
        hosts, capacity_mhz = self._farm.hosts, self._needs.capacity_mhz
        restart_state = RestartState(
            held.home.copy(), hosts.memory_mib - held.free_mib, capacity_mhz - held.free_mhz,
            state, held.need_mhz, capacity_mhz, self._start.by_size,
        )  # fmt: skip
        victims = restart_state.fail(failed)
        return not len(self.restart.play(self._view, restart_state, victims))

    @property
    def returning(self) -> Bools:
        """Which VMs a failure took off their host and have none yet."""
        return self._lifecycle.returning

    def _make_lifecycle(self, free: bool) -> Lifecycle:
        """Return who plays the lives; ``free``: nothing is kept in reserve."""
        farm, start, lives, needs = self._farm, self._start, self._lives, self._needs
        host_finder: HostFinder = CandidateSearch(
            self._view, needs, start.placement, wakes(self._control), self._demand
        )
        barring = (self._view.allowed, self._view.one_guest, self._view.rules)
        plain = free and start.slow_cores and all(bar is None for bar in barring)
        if isinstance(start.placement, IndexedPlacement) and start.by_size and plain:
            host_finder = IndexedHostFinder(
                farm, needs, start.placement, host_finder, wakes(self._control)
            )
        if start.one_each:
            host_finder = EmptyHostFinder(farm)
        provisioning = Provisioning(
            lives.first_s, lives.again_s, lives.starts_per_host, len(farm.hosts)
        )
        return Lifecycle(
            self._clock, farm, lives.population, lives.admission, provisioning, host_finder,
            self._demand, self._actuator.power, self._recorder, self._actuator.withdraw,
            self._view.kinds_of_vms(), start.fitting(farm),
        )  # fmt: skip

    def _guard(self, reserve: Reserve) -> ReserveKeeper:
        """Let all decisions heed a reserve, and return who watches over it."""
        wakens = wakes(self._control)
        returning = self._lifecycle.returning
        self._view.reserve = FarmReserve(reserve, self.counting, wakens, returning, self._restarts)
        self._actuator.reserve_book = self._view.reserve_book
        watch = ReserveKeeper(self._clock, self._view, self._actuator.power, wakens)
        self._lifecycle.on_change = watch.look
        return watch

    def _make_scaling(self, elasticity: Elasticity | None) -> Scaling | None:
        if elasticity is None:
            return None
        return Scaling(
            self._clock, self._farm, self._lifecycle, elasticity,
            self._demand, self._recorder.words, self._needs, self._respread,
            self._control.powers_down,
        )  # fmt: skip

    @property
    def now_s(self) -> float:
        """The simulated time, s."""
        return self._clock.now

    def run(self, progress: Callable[[float], None] | None = None) -> Outcome:
        """Run to the end and return what happened.

        ``progress`` is told the simulated time at every beat. Raises UnplacedError if VMs that find
        no host are to end the run, PlanError if a policy proposes what can never be right,
        PolicyFaultError if one that is not farmsim's own fails or answers what can never be right.
        """
        try:
            return self._play(progress or _ignore)
        except PolicyFaultError as fault:
            raise fault.at(self._clock.now) from fault

    def _play(self, progress: Callable[[float], None]) -> Outcome:
        searches = self._place_all()
        self._clock.process(self._lifecycle.arrivals())
        failures = Failures(
            self._clock, self._farm, self._actuator, self._lifecycle, self._recorder,
            self._streams, not self._control.powers_down,
            self._network.network if self._network else None,
        )  # fmt: skip
        for source in self._lives.failures:
            self._clock.process(failures.story(source))
        self._clock.process(self._metronome(progress))
        links, end_s = self._recorder.links, self._timing.end_s
        if links is not None:
            self._clock.process(links.sample_windows(self._clock, end_s))
        self._listen()
        with fewer_collections():
            self._clock.run(until=self._timing.end_s)
        if links is not None:
            links.close_window()
        self._farm.settle_all(end_s)
        self._close_step(end_s)
        self._recorder.note_step(end_s)
        self._sample(end_s)
        self._actuator.close()
        self._actuator.maintenance.look()
        self._lifecycle.close(self._timing.end_s)
        failures.close(self._timing.end_s)
        self._recorder.close(self._timing.end_s)
        scaled = self._scaling.close(self._timing.end_s) if self._scaling is not None else {}
        return Outcome(
            farm=self._farm,
            accounts=self._accounts,
            end_s=self._timing.end_s,
            tables=self._recorder.tables()
            | scaled
            | self._reserve_table()
            | self._maintenance_table(),
            words=self._recorder.words.texts(),
            searches=searches | self._lifecycle.searches,
            peak_on=self._recorder.peak_on,
            sleep_record=self._recorder.sleep_record,
            peak_on_by_group=self._recorder.peak_on_by_group,
            rounds=self._rounds,
            lives=self._lifecycle.lives,
            network=self._network,
            below_reserve_s=0.0 if self._reserve_keeper is None else self._reserve_keeper.below_s,
            longest_queue=self._lifecycle.longest_queue,
            noted=self._view.noted,
        )

    def _reserve_table(self) -> dict[str, dict[str, Column]]:
        return {} if self._reserve_keeper is None else {"reserve": self._reserve_keeper.columns()}

    def _maintenance_table(self) -> dict[str, dict[str, Column]]:
        columns = self._actuator.maintenance.columns()
        return {"maintenance": columns} if len(columns["host"]) else {}

    def _listen(self) -> None:
        """Let a policy that decides between rounds hear of all that changes."""
        control, lifecycle = self._control, self._lifecycle
        if not isinstance(control, EventDrivenPolicy):
            return

        def due() -> float:
            self._view.now_s = self._clock.now
            self._actuator.maintenance.look()
            return due_s(control, self._view)

        note = EventDrivenDecisions(self._clock, due, self._respond).note_change
        begun = lifecycle.changed

        def changed(vms: Ints) -> None:
            begun(vms)
            note()

        lifecycle.changed = changed
        self._actuator.on_end = self._actuator.power.on_change = self._note_change = note
        self._actuator.maintenance.on_change = note
        note()

    def _respond(self) -> None:
        """Let the policy decide between rounds."""
        now_s = self._clock.now
        self._view.now_s = now_s
        plan = respond(self._control, self._view)
        self._actuator.carry_out(plan, self._control_name, again=True)
        self._lifecycle.retry_waiting()
        if self._reserve_keeper is not None:
            self._reserve_keeper.look()

    def _place_all(self) -> dict[int, Search]:
        """Place every VM before time begins; return how the rejected ones were searched."""
        farm, start = self._farm, self._start
        down = self._control.powers_down
        if down:
            farm.start(np.zeros(len(farm.hosts), bool), self._actuator.power.sleep_state)
        arrival_s = self._lives.population.arrival_s
        vms = np.flatnonzero(arrival_s <= 0)
        farm.start_absent(np.flatnonzero(arrival_s > 0))
        first = Placed(np.empty(0, np.int64), [])
        if len(vms):
            self._view.lenient = not start.reject
            first = place_bound_first(start.placement, self._first_room(), vms)
            self._view.lenient = False
        targets = first.hosts
        lost = vms[targets < 0]
        searches = {
            vm: first.searches[index]
            for vm, index in zip(lost.tolist(), np.flatnonzero(targets < 0).tolist(), strict=True)
        }
        if searches and not start.reject:
            raise UnplacedError(searches)
        placed, targets = vms[targets >= 0], targets[targets >= 0]
        used: Bools = np.bincount(targets, minlength=len(farm.hosts)) > 0
        self._start_hosts(used)
        self._lifecycle.reject_at_start(lost)
        farm.place(placed, targets, 0.0)
        reserve_book = self._view.reserve_book()
        if reserve_book is not None and down:
            used[reserve_book.lacking()] = True
            self._start_hosts(used)
        self._lifecycle.begin(placed)
        self._recorder.note_hosts_on()
        self._recorder.sleep_record.begin()
        self._note_placement(vms, first)
        return searches

    def _start_hosts(self, used: Bools) -> None:
        """Let hosts be awake at time 0: all of them, or those that are not to rest."""
        on = np.ones(len(used), bool)
        if self._control.powers_down:
            on = self._power.awake_at_start(used)
        self._farm.start(on, self._actuator.power.sleep_state)

    def _first_room(self) -> Candidates:
        farm, start = self._farm, self._start
        hosts = np.arange(len(farm.hosts))
        if start.by_size:
            free_mhz = farm.hosts.cpu_mhz - farm.delivery.base_mhz
            need_mhz, capacity_mhz = farm.vms.size_mhz, free_mhz * start.overcommit
        else:
            self._demand.advance(0)
            need_mhz = farm.delivery.physical_mhz(self._demand.now_mhz.copy())
            capacity_mhz = farm.hosts.cpu_mhz - farm.delivery.base_mhz
        nothing_mhz = np.zeros(len(hosts))
        return Candidates(
            self._view, hosts, need_mhz, nothing_mhz, capacity_mhz, prefer_awake=False
        )

    def first_needs(self) -> tuple[Ints, Floats, Floats]:
        """Return the VMs asked for at the start, the least CPU of each, and what hosts have, MHz.

        The least is what a VM counts with where its work costs least.
        """
        farm, start = self._farm, self._start
        vms = np.flatnonzero(self._lives.population.arrival_s <= 0)
        room_mhz = farm.hosts.cpu_mhz - farm.delivery.base_mhz
        if start.by_size:
            return vms, farm.vms.size_mhz[vms], room_mhz * start.overcommit
        layer = farm.delivery.layer
        factor = np.where(layer.allowed, layer.work_factor, np.inf).min(axis=1)
        factor = np.where(np.isfinite(factor), factor, 0.0)
        self._demand.advance(0)
        return vms, self._demand.now_mhz[vms] * factor[farm.vms.size[vms]], room_mhz

    def _note_placement(self, vms: Ints, first: Placed) -> None:
        if not len(vms):
            return
        words, targets = self._recorder.words, first.hosts
        considered, full, cost, no_cpu, no_memory, vetoed, barred, rules = zip(
            *first.searches, strict=True
        )
        outcome = np.where(targets >= 0, words("placed"), words("rejected"))
        self._recorder.decisions.add(
            len(targets), time_s=0.0, vm=vms, source=-1, target=targets,
            rule=words(f"initial placement: {self._start.rule}"), measured=0.0, limit=0.0,
            considered=considered, full=full, no_cpu=no_cpu, no_memory=no_memory, vetoed=vetoed,
            barred=barred, rules=[words(names) for names in rules], cost=cost, outcome=outcome,
        )  # fmt: skip

    def _metronome(self, progress: Callable[[float], None]) -> Generator[simpy.Event, object, None]:
        """Beat for all that is periodic, in written order: demand, scaling, control, sample."""
        timing = self._timing
        scaling_s = np.inf if self._scaling is None else self._scaling.step_s
        steps_s = [self._demand.step_s, scaling_s, timing.control_s, timing.report_s]
        for now_s, (demand, scaling, control, sample) in beats(steps_s, timing.end_s):
            yield self._clock.at(now_s)
            if demand:
                self._close_step(now_s)
                slot = round(now_s / self._demand.step_s)
                if self._demand.has_ended(slot) and not self._gone:
                    self._gone = True
                    self._actuator.end_migrations()
                    yield self._clock.timeout(0)
                    self._lifecycle.end_all()
                self._set_demand(slot, now_s)
                self._note_change()
            if scaling and self._scaling is not None:
                if not demand:
                    self._close_step(now_s)
                    self._ask_for_demand(now_s)
                self._scaling.decide(now_s)
            if control and now_s > 0:
                self._decide(now_s)
            self._lifecycle.retry_waiting()
            if self._reserve_keeper is not None:
                self._reserve_keeper.look()
            if sample:
                self._farm.read(now_s)
                self._sample(now_s)
            progress(now_s)

    def _sample(self, now_s: float) -> None:
        self._recorder.sample(now_s)
        self._recorder.note_population(now_s, self._lifecycle.count())
        if self._scaling is not None:
            self._scaling.sample(now_s)
        if self._reserve_keeper is not None:
            self._reserve_keeper.sample()

    def _close_step(self, now_s: float) -> None:
        self._farm.read(now_s)
        self._accounts.bounds.note(now_s)

    def _set_demand(self, slot: int, now_s: float) -> None:
        self._demand.advance(slot)
        self._ask_for_demand(now_s)
        if self._control.samples:
            self._vm_history.record(self._view.vms.load_mhz, self._view.vms.running)
            if self._looks_at_use:
                self._vm_use_history.record(self._view.use_mhz())
            self._host_history.record(self._farm.hosts.demand_mhz)

    def _respread(self, now_s: float) -> None:
        """Spread the load of applications anew, in the midst of a step."""
        self._close_step(now_s)
        self._ask_for_demand(now_s)

    def _ask_for_demand(self, now_s: float) -> None:
        demand_mhz = self._demand.now_mhz
        if self._scaling is not None:
            self._scaling.write_demand(now_s)
        self._lifecycle.note_demand(demand_mhz, now_s)
        self._farm.set_demand(demand_mhz, now_s)
        self._recorder.note_step(now_s)
        if self._microscope is not None:
            self._microscope.retune()

    def _decide(self, now_s: float) -> None:
        self._rounds += 1
        self._view.now_s = now_s
        plan = self._control.decide(self._view)
        self._actuator.carry_out(
            plan, self._control_name, lambda plan: self._power.within_limits(self._view, plan)
        )


def _ignore(now_s: float) -> None:
    del now_s
