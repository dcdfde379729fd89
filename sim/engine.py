"""A run: the parts of it, the metronome, and what is left in the end.

All that happens at a time is an event of the clock: a process for each story (a boot, a migration,
a failure), and one metronome for what is periodic. Between two events all rates are constant, so
that integrals are exact whatever the periods are.
"""

from collections.abc import Callable, Generator

import numpy as np
import simpy

from ..models.base.arrays import Bools, Floats, Ints
from ..models.farm.farm import Farm
from ..models.rules.reserve import HostedVms
from ..models.state.columns import VmState
from ..models.state.utilisation_history import Ring
from ..models.workload.demand import Demand
from ..policies.control.control import wakes
from ..policies.interface.plan import Search
from ..policies.interface.policy_states import PolicyStates
from ..policies.interface.reserve_book import FarmReserve
from ..policies.interface.view import FarmView
from ..policies.overload.detector import looks_at_use
from ..policies.placement.placement import IndexedPlacement
from ..policies.user_policies.guard import PolicyFaultError
from .actuator import Actuator
from .base.clock import Beats, Clock
from .base.gc_pauses import fewer_collections
from .base.log import Column
from .base.random_streams import Streams
from .base.signals import Signals
from .decisions import Decisions
from .failures import Failures
from .hosts.power_states import PowerTransitions
from .hosts.reserve_keeper import ReserveKeeper
from .initial_placement import InitialPlacement
from .lifecycle.admission import VmKinds
from .lifecycle.host_finder import (
    CandidateSearch,
    EmptyHostFinder,
    HostFinder,
    IndexedHostFinder,
    Needs,
)
from .lifecycle.life_record import LifeRecord
from .lifecycle.lifecycle import Lifecycle
from .lifecycle.restart_check import Restart, RestartState
from .lifecycle.setup import LifecycleSetup, Population
from .migration.concurrency import LinkPayloads, Slots
from .migration.fixed_rate import Migrations
from .migration.link_record import LinkRecord
from .migration.over_network import NetworkMigrations
from .migration.runner import MigrationRunner
from .migration.transfers import FlowNetwork
from .migration.waiting_moves import WaitingMigrations
from .outcome import Outcome
from .plan_checks import PlanChecks
from .records.accounts import Accounts
from .records.applications import ScalingRecord
from .records.recorder import Recorder, TableSource
from .records.rule_violations import RuleRecord
from .resizing import Resizing
from .scaling import Elasticity, Scaling
from .setup import EngineSetup
from .slot_batches import SlotBatches


class Engine:
    """Runs one farm under one demand and one policy, once.

    The farm is changed by the run and belongs to its outcome afterwards; so do ``accounts``, which
    are kept besides those of the farm (None: those that every run has). ``streams`` give each
    consumer of chance a generator of its own. Parts are made in the order in which they need each
    other; what only hears of another one is connected by signals.
    """

    def __init__(
        self,
        farm: Farm,
        demand: Demand,
        setup: EngineSetup,
        streams: Streams,
        accounts: Accounts | None = None,
    ) -> None:
        self._setup = setup = setup.guarded()
        self._farm, self._demand, self._streams = farm, demand, streams
        self._accounts = accounts or Accounts.least(farm)
        self._clock, self._signals, self._gone = Clock(), Signals(), False
        if self._accounts.microscope is not None:
            self._accounts.microscope.attach(self._clock)
        self._flow_network = self._make_flow_network()
        self._links = None if self._flow_network is None else LinkRecord(self._flow_network)
        self._recorder = self._make_recorder()
        self._lives = setup.lives or LifecycleSetup.at_once(
            Population.staying(len(farm.vms)), len(farm.hosts.group_names)
        )
        population = self._lives.population
        self._record = LifeRecord(self._clock, farm, demand, self._recorder, population.lifetime_s)
        self._power = PowerTransitions(
            self._clock, farm, self._recorder, self._signals.hosts_changed, setup.power.sleep_state
        )
        self._make_histories()
        self._view = self._make_view()
        self._needs = Needs(farm, self._view, setup.start.by_size, setup.start.overcommit)
        self._first = InitialPlacement(farm, demand, self._view, setup.start, population.arrival_s)
        self._migrations = self._make_migrations()
        self._waiting = WaitingMigrations(
            self._clock, farm, self._power, self._recorder, setup.migration, self._migrations,
            setup.storage_mbps,
        )  # fmt: skip
        self._actuator = Actuator(
            self._clock, farm, self._power, self._migrations, self._waiting,
            PlanChecks(farm, setup.rules, self._view.reserve_book), self._recorder, self._signals,
        )  # fmt: skip
        self._lifecycle = self._make_lifecycle()
        self._reserve_keeper = self._make_reserve_keeper()
        self._scaling = None if setup.elasticity is None else self._make_scaling(setup.elasticity)
        self._decisions = Decisions(
            self._clock, self._view, setup, self._actuator, self._lifecycle, self._reserve_keeper,
            (self._vm_history, self._vm_use_history, self._host_history),
        )  # fmt: skip
        self._slot_batches = SlotBatches(
            self._clock, farm, demand, setup, self._accounts, self._recorder, self._lifecycle,
            self._decisions,
        )  # fmt: skip
        self._connect()

    # What a run consists of, in the order in which it is made

    def _make_flow_network(self) -> FlowNetwork | None:
        used = self._setup.network
        return None if used is None else FlowNetwork(self._clock, used.network, used.transport)

    def _make_recorder(self) -> Recorder:
        """Return the record of the run, with the tables of links and rules if there are any."""
        timing, rules = self._setup.timing, self._setup.rules
        sources: list[TableSource] = [] if self._links is None else [self._links]
        if rules is not None:
            sources.append(RuleRecord(self._farm, rules))
        if self._accounts.racks is not None:
            sources.append(self._accounts.racks)
        return Recorder(self._farm, timing.end_s, timing.host_series, sources)

    def _make_histories(self) -> None:
        control, vms = self._setup.control, len(self._farm.vms)
        self._vm_history = Ring(control.samples, vms)
        self._looks_at_use = looks_at_use(control)
        self._vm_use_history = Ring(control.samples if self._looks_at_use else 0, vms)
        self._host_history = Ring(control.samples, len(self._farm.hosts))

    def _make_view(self) -> FarmView:
        """Return what policies see; its reserve asks for what is made later when it is used."""
        setup, wakens = self._setup, wakes(self._setup.control)
        reserve = FarmReserve.of(
            setup.reserve, self.counting, wakens, self._record.returning, self._restarts
        )
        return FarmView(
            self._farm, self._vm_history, self._host_history, self._streams,
            setup.start.slow_cores, setup.rules, reserve, setup.migration.table(),
            self._vm_use_history, lambda: self._clock.now, setup.rack_limit_w,
        )  # fmt: skip

    def _make_migrations(self) -> MigrationRunner:
        """Return who runs migrations: over a network that they share, or each at its own rate."""
        parts = (self._clock, self._farm, self._setup.migration, self._power, self._recorder)
        used = self._setup.network
        if used is None or self._flow_network is None:
            return Migrations(*parts, self._signals.space_freed)
        slots = Slots(self._clock, used.limits, LinkPayloads(used.network, used.transport))
        return NetworkMigrations(*parts, self._signals, self._flow_network, slots)

    def _make_lifecycle(self) -> Lifecycle:
        kinds = VmKinds(self._view.kinds_of_vms(), self._setup.start.fitting(self._farm))
        return Lifecycle(
            self._clock, self._farm, self._lives, kinds, self._make_finder(), self._record,
            self._power, self._migrations.interrupt, self._signals,
        )  # fmt: skip

    def _make_finder(self) -> HostFinder:
        """Return who finds hosts for VMs that arrive: by an index where nothing bars a host."""
        farm, setup, view, needs = self._farm, self._setup, self._view, self._needs
        start, wakens = setup.start, wakes(setup.control)
        if start.one_each:
            return EmptyHostFinder(farm)
        finder = CandidateSearch(view, needs, start.placement, wakens, self._demand)
        barring = (view.allowed, view.one_guest, view.rules, view.reserve, view.rack_limit_w)
        plain = start.by_size and start.slow_cores and all(bar is None for bar in barring)
        if isinstance(start.placement, IndexedPlacement) and plain:
            return IndexedHostFinder(farm, needs, start.placement, finder, wakens)
        return finder

    def _make_reserve_keeper(self) -> ReserveKeeper | None:
        if not self._setup.reserve:
            return None
        wakens, rules = wakes(self._setup.control), len(self._setup.reserve)
        return ReserveKeeper(self._clock, self._view, self._power, wakens, rules)

    def _make_scaling(self, elasticity: Elasticity) -> Scaling:
        wakens = self._setup.control.powers_down
        resizing = Resizing(self._farm, self._lifecycle, self._needs, self._demand, wakens)
        record = ScalingRecord(len(elasticity.applications), self._recorder.words)
        return Scaling(
            self._clock, self._farm, self._lifecycle, elasticity, self._demand, resizing, record,
            self._respread,
        )  # fmt: skip

    def _connect(self) -> None:
        """Say who listens to what."""
        signals = self._signals
        signals.space_freed.listen(self._waiting.retry)
        signals.space_freed.listen(self._lifecycle.note_space_freed)
        signals.memory_lost.listen(self._lifecycle.lost)
        if self._reserve_keeper is not None:
            signals.placement_changed.listen(self._reserve_keeper.look)
        if self._scaling is not None:
            signals.running_changed.listen(self._scaling.note_change)

    # What others ask about the run

    @property
    def now_s(self) -> float:
        """The simulated time, s."""
        return self._clock.now

    @property
    def lives(self) -> LifecycleSetup:
        """How VMs come, wait, start and leave."""
        return self._lives

    @property
    def restart(self) -> Restart:
        """How VMs restart after a failure, on paper."""
        return Restart(
            self._setup.start.placement, self._view.kinds_of_vms(),
            self._lives.population.priority, wakes(self._setup.control),
        )  # fmt: skip

    def policy_states(self) -> PolicyStates:
        """Return copies of what placements keep now between their choices."""
        return self._view.states.copied()

    @property
    def returning(self) -> Bools:
        """Which VMs a failure took off their host and have none yet."""
        return self._record.returning

    def counting(self) -> tuple[Floats, Floats]:
        """Return what VMs count with (vms,) and what hosts may promise (hosts,), CPU in MHz."""
        return self._needs.need_mhz(self._demand.now_mhz), self._needs.capacity_mhz

    def first_needs(self) -> tuple[Ints, Floats, Floats]:
        """Return the VMs requested at the start, the least CPU of each, and what hosts have, MHz.

        The least is what a VM counts with where its work costs least.
        """
        return self._first.needs()

    def _restarts(self, held: HostedVms, awake: Bools, failed: Ints) -> bool:
        """Whether all VMs of failed hosts find another, simulated with the run's restart."""
        hosts, capacity_mhz = self._farm.hosts, self._needs.capacity_mhz
        states = self._view.states.copied()
        state = RestartState.of_hosted(held, awake, hosts.plan_mib, capacity_mhz, states)
        return not len(self.restart.play(self._view, state, state.fail(failed)))

    # The run

    def run(self, progress: Callable[[float], None] | None = None) -> Outcome:
        """Run to the end and return what happened.

        ``progress`` is told the simulated time at every beat. Raises UnplacedError if VMs that find
        no host are to end the run, PlanError if a policy proposes what can never be right,
        PolicyFaultError if one that is not farmsim's own fails or answers what can never be right.
        """
        try:
            return self._play(progress or (lambda _: None))
        except PolicyFaultError as fault:
            raise fault.at(self._clock.now) from fault

    def _play(self, progress: Callable[[float], None]) -> Outcome:
        searches = self._place_all()
        end_s, network = self._setup.timing.end_s, self._setup.network
        self._clock.process(self._lifecycle.arrivals())
        failures = Failures(
            self._clock, self._farm, self._actuator, self._lifecycle, self._power, self._recorder,
            not self._setup.control.powers_down, None if network is None else network.network,
        )  # fmt: skip
        for source in self._setup.failures:
            draws = self._streams(f"failures.{source.name}")
            self._clock.process(failures.story(source, draws))
        self._clock.process(self._metronome(progress))
        if self._links is not None:
            self._clock.process(self._links.sample_windows(self._clock, end_s))
        self._decisions.listen(self._signals)
        with fewer_collections():
            self._clock.run(until=end_s)
        scaled = self._close(failures)
        return self._outcome(searches, scaled)

    def _place_all(self) -> dict[int, Search]:
        """Place every VM before time begins; return how the rejected ones were searched.

        Hosts that are not needed sleep if the policy powers hosts down, but for those that the
        reserve lacks.
        """
        farm, first = self._farm, self._first
        down = self._setup.control.powers_down
        if down:
            farm.start(np.zeros(len(farm.hosts), bool), self._power.sleep_state)
        later = np.flatnonzero(self._lives.population.arrival_s > 0)
        farm.leave_waiting(later, VmState.ABSENT)
        found = first.find()
        targets = found.hosts
        placed, hosts = first.vms[targets >= 0], targets[targets >= 0]
        used: Bools = np.bincount(hosts, minlength=len(farm.hosts)) > 0
        self._start_hosts(used)
        self._lifecycle.reject_at_start(first.vms[targets < 0])
        farm.place(placed, hosts, 0.0)
        reserve_book = self._view.reserve_book()
        if reserve_book is not None and down:
            used[reserve_book.lacking()] = True
            self._start_hosts(used)
        self._lifecycle.begin(placed)
        self._recorder.note_hosts_on()
        self._recorder.sleep_record.begin()
        first.record(self._recorder, found)
        return first.searches(found)

    def _start_hosts(self, used: Bools) -> None:
        """Set which hosts in service are on at time 0: all, or those that are not powered down."""
        on = self._farm.hosts.in_service.copy()
        if self._setup.control.powers_down:
            on &= self._setup.power.awake_at_start(used)
        self._farm.start(on, self._power.sleep_state)

    def _metronome(self, progress: Callable[[float], None]) -> Generator[simpy.Event, object, None]:
        """Beat for all that is periodic, in written order: demand, scaling, control, sample.

        Boots and migrations that end at the same instant come first. Where the demand ends for
        good, migrations are undone before all VMs leave.
        """
        timing = self._setup.timing
        scaling_s = np.inf if self._scaling is None else self._scaling.step_s
        steps_s = [self._demand.step_s, scaling_s, timing.control_s, timing.report_s]
        for now_s, (demand, scaling, control, sample) in (ahead := Beats(steps_s, timing.end_s)):
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
                self._signals.demand_changed()
            if scaling and self._scaling is not None:
                if not demand:
                    self._respread(now_s)
                self._scaling.decide(now_s)
            if control and now_s > 0:
                self._decisions.decide()
            if demand or scaling or control:  # What is only written down changes nothing.
                self._lifecycle.retry_waiting()
                if self._reserve_keeper is not None:
                    self._reserve_keeper.look()
            if sample:
                self._farm.read(now_s)
                self._sample(now_s)
            progress(now_s)
            if demand:
                self._slot_batches.play(now_s, ahead, progress)

    def _close_step(self, now_s: float) -> None:
        """Settle the farm and hold the step that ends now against its bounds."""
        self._farm.read(now_s)
        self._accounts.bounds.note(now_s)

    def _set_demand(self, slot: int, now_s: float) -> None:
        """Begin a slot of the demand, and remember what policies may look back at."""
        self._demand.advance(slot)
        self._ask_for_demand(now_s)
        if self._setup.control.samples:
            self._vm_history.record(self._view.vms.load_mhz, self._view.vms.running)
            if self._looks_at_use:
                self._vm_use_history.record(self._view.use_mhz())
            self._host_history.record(self._farm.hosts.demand_mhz)

    def _respread(self, now_s: float) -> None:
        """Spread the load of applications anew, in the midst of a step."""
        self._close_step(now_s)
        self._ask_for_demand(now_s)

    def _ask_for_demand(self, now_s: float) -> None:
        """Hand the present demand to all who account for it, the farm included."""
        demand_mhz = self._demand.now_mhz
        if self._scaling is not None:
            self._scaling.write_demand(now_s)
        self._record.note_demand(demand_mhz, now_s)
        self._farm.set_demand(demand_mhz, now_s)
        self._recorder.note_step(now_s)
        if self._accounts.microscope is not None:
            self._accounts.microscope.retune()

    def _sample(self, now_s: float) -> None:
        """Record all integrals so far; the farm must be settled."""
        self._recorder.sample(now_s)
        self._recorder.note_population(now_s, self._lifecycle.count())
        if self._scaling is not None:
            self._scaling.sample(now_s)
        if self._reserve_keeper is not None:
            self._reserve_keeper.sample()

    # The end

    def _close(self, failures: Failures) -> dict[str, dict[str, Column]]:
        """Settle all accounts at the end, the farm's first; return the tables of applications."""
        end_s = self._setup.timing.end_s
        self._farm.settle_all(end_s)
        self._close_step(end_s)
        self._recorder.note_step(end_s)
        self._sample(end_s)
        self._actuator.close()
        self._lifecycle.close(end_s)
        failures.close(end_s)
        self._recorder.close(end_s)
        return {} if self._scaling is None else self._scaling.close(end_s)

    def _outcome(
        self, searches: dict[int, Search], scaled: dict[str, dict[str, Column]]
    ) -> Outcome:
        """Gather what is left; ``searches`` are those at the start, ``scaled`` tables."""
        keeper, waiting = self._reserve_keeper, self._lifecycle.waiting
        kept = {} if keeper is None else keeper.tables()
        closed = self._actuator.maintenance.tables()
        return Outcome(
            farm=self._farm,
            accounts=self._accounts,
            end_s=self._setup.timing.end_s,
            tables=self._recorder.tables() | scaled | kept | closed,
            words=self._recorder.words.texts(),
            searches=searches | waiting.searches,
            rounds=self._decisions.rounds,
            lives=self._record.lives,
            sleep_record=self._recorder.sleep_record,
            network=self._setup.network,
            below_reserve_s=0.0 if keeper is None else keeper.below_s,
            longest_queue=waiting.longest,
            noted=self._view.noted,
        )
