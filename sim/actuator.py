"""Carries plans out: checks each action when it is due, starts its story, records refusals."""

from collections.abc import Callable

import numpy as np

from ..models.arrays import Ints, distinct
from ..models.columns import PowerState, VmState
from ..models.farm import MEMORY_TOLERANCE_MIB, Farm
from ..models.migration import MigrationModel
from ..models.rule_gate import refused
from ..models.rules import Rules
from ..policies.plan import Plan
from ..policies.reserve import ReserveBook
from .clock import Clock
from .flows import FlowBoard
from .link_record import LinkRecord
from .migration import Migrations
from .network_migration import CourseModel, NetworkMigrations, NetworkSetup
from .power import PowerStories
from .recorder import Recorder
from .slots import Slots

OUTCOMES = (
    "moved",
    "superseded",
    "no host has room",
    "already there",
    "VM is moving or gone",
    "target is being switched off",
    "target lacks memory",
    "breaks rule",
    "source or target has failed or is cut off",
    "would break the reserve",
)
(
    MOVED, SUPERSEDED, NO_ROOM, ALREADY_THERE, VM_BUSY, TARGET_LEAVING, NO_MEMORY, BREAKS_RULE,
    GONE, BREAKS_RESERVE,
) = range(len(OUTCOMES))  # fmt: skip

Limit = Callable[[Plan], Plan]


class PlanError(Exception):
    """A plan that can never be right: an unknown row, or one VM moved twice."""


class Actuator:
    """The only one who changes the farm while time runs."""

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        migration: MigrationModel | CourseModel,
        recorder: Recorder,
        network: NetworkSetup | None = None,
        rules: Rules | None = None,
        sleep: int = 0,
    ) -> None:
        self._rules = rules
        self.board: FlowBoard | None = None
        self._clock, self._farm, self._recorder = clock, farm, recorder
        self.power = self._power = PowerStories(clock, farm, recorder, sleep)
        self._migrations = self._movers(migration, network)
        self.book: Callable[[], ReserveBook | None] = lambda: None

    def _movers(
        self, model: MigrationModel | CourseModel, network: NetworkSetup | None
    ) -> Migrations | NetworkMigrations:
        clock, farm, power, recorder = self._clock, self._farm, self._power, self._recorder
        if network is None:
            assert not isinstance(model, CourseModel)
            return Migrations(clock, farm, model, power, recorder)
        assert isinstance(model, CourseModel)
        self.board = FlowBoard(clock, network.network, network.transport)
        recorder.links = LinkRecord(self.board)
        slots = Slots(clock, network.per_host, network.in_all)
        return NetworkMigrations(clock, farm, model, self.board, slots, power, recorder)

    def carry_out(self, plan: Plan, policy: str, limit: Limit | None = None) -> None:
        """Start what a plan proposes, within limits; raises PlanError naming policy, time and rows."""
        self._reject_nonsense(plan, f"policy {policy} at {self._clock.now:g} s")
        if limit is not None:
            plan = limit(plan)
        proposals = plan.proposals
        vms = np.array([proposal.vm for proposal in proposals], np.int64)
        targets = np.array([proposal.target for proposal in proposals], np.int64)
        superseded = np.array([proposal.superseded for proposal in proposals], bool)
        outcomes = np.where(superseded, SUPERSEDED, np.where(targets < 0, NO_ROOM, MOVED))
        self._admit(vms, targets, outcomes)
        told = [OUTCOMES[outcome] for outcome in outcomes]
        if self._rules is not None:
            self._judge(self._rules, vms, targets, outcomes, told)
        sleeps = self._spare(plan.sleeps, vms, targets, outcomes, told)
        self._recorder.note_decisions(self._clock.now, proposals, told)
        moving = outcomes == MOVED
        if moving.any():
            self._move(vms[moving], targets[moving])
        self._wake(np.array(plan.wakes, np.int64), plan.wake_reason)
        self._put_to_sleep(np.array(sleeps, np.int64), plan.sleep_reason)
        self._recorder.note_refusals(self._clock.now, plan.refusals)

    def _reject_nonsense(self, plan: Plan, where: str) -> None:
        hosts, vms = len(self._farm.hosts), len(self._farm.vms)
        seen: set[int] = set()
        for proposal in plan.proposals:
            if not 0 <= proposal.vm < vms:
                raise PlanError(f"{where}: VM row {proposal.vm} does not exist")
            if not -1 <= proposal.target < hosts:
                raise PlanError(f"{where}: host row {proposal.target} does not exist")
            if proposal.vm in seen and not proposal.superseded:
                raise PlanError(f"{where}: VM row {proposal.vm} is moved twice in one plan")
            if not proposal.superseded:
                seen.add(proposal.vm)
        for host in (*plan.sleeps, *plan.wakes):
            if not 0 <= host < hosts:
                raise PlanError(f"{where}: host row {host} does not exist")

    def _admit(self, vms: Ints, targets: Ints, outcomes: Ints) -> None:
        """Turn outcomes of moves that have become impossible into refusals, in place."""
        farm = self._farm
        live = np.flatnonzero(outcomes == MOVED)
        states = farm.hosts.state[targets[live]]
        leaving = (states == PowerState.DRAINING) | (states == PowerState.STOPPING)
        outcomes[live[leaving]] = TARGET_LEAVING
        reachable = farm.hosts.reachable
        gone = (states == PowerState.FAILED) | ~reachable[targets[live]]
        outcomes[live[gone | ~reachable[farm.vms.host[vms[live]]]]] = GONE
        not_running = farm.vms.state[vms[live]] != VmState.RUNNING
        outcomes[live[not_running | self._migrations.busy(vms[live])]] = VM_BUSY
        outcomes[live[farm.vms.host[vms[live]] == targets[live]]] = ALREADY_THERE
        live = np.flatnonzero(outcomes == MOVED)
        need_mib = farm.delivery.footprint_mib(vms[live], targets[live])
        named = distinct(targets[live])
        at = np.searchsorted(named, targets[live])
        free_mib = farm.hosts.memory_mib[named] - farm.hosts.memory_used_mib[named]
        free_mib += MEMORY_TOLERANCE_MIB
        tight = np.bincount(at, weights=need_mib, minlength=len(named)) > free_mib
        for index in np.flatnonzero(tight[at]).tolist():
            if free_mib[at[index]] < need_mib[index]:
                outcomes[live[index]] = NO_MEMORY
            else:
                free_mib[at[index]] -= need_mib[index]

    def _judge(
        self, rules: Rules, vms: Ints, targets: Ints, outcomes: Ints, told: list[str]
    ) -> None:
        """Refuse moves that would break a hard rule, in place; a policy may not know the rules."""
        live = np.flatnonzero(outcomes == MOVED)
        state = self._farm.vms
        names = refused(rules, state.host, state.moving_to, vms[live], targets[live])
        for index, name in zip(live.tolist(), names, strict=True):
            if name:
                outcomes[index] = BREAKS_RULE
                told[index] = f"{OUTCOMES[BREAKS_RULE]} {name}"

    def _spare(
        self, sleeps: list[int], vms: Ints, targets: Ints, outcomes: Ints, told: list[str]
    ) -> list[int]:
        """Return the hosts that may sleep; moves that only empty one that may not are refused."""
        book = self.book()
        if book is None:
            return sleeps
        moves = np.flatnonzero(outcomes == MOVED)
        for index in moves.tolist():
            book.move(int(vms[index]), int(targets[index]))
            book.wake(int(targets[index]))
        kept_awake = {host for host in self._empty_first(sleeps) if not book.sleep(host)}
        sources = self._farm.vms.host[vms[moves]].tolist()
        for index, source in zip(moves.tolist(), sources, strict=True):
            if source in kept_awake:
                outcomes[index] = BREAKS_RESERVE
                told[index] = OUTCOMES[BREAKS_RESERVE]
        return [host for host in sleeps if host not in kept_awake]

    def _empty_first(self, hosts: list[int]) -> list[int]:
        return sorted(hosts, key=lambda host: self._farm.hosts.vm_count[host] > 0)

    def _move(self, vms: Ints, targets: Ints) -> None:
        asleep = self._farm.hosts.state[targets] == PowerState.OFF
        self._power.wake(distinct(targets[asleep]), "needed for VMs")
        self._migrations.start(vms, targets)

    def _wake(self, hosts: Ints, cause: str) -> None:
        """Bring up hosts at rest; those that have been woken or have failed meanwhile are left."""
        farm = self._farm.hosts
        self._power.wake(hosts[(farm.state[hosts] == PowerState.OFF) & farm.reachable[hosts]], cause)

    def _put_to_sleep(self, hosts: Ints, cause: str) -> None:
        """Switch off empty hosts now, and hosts that all VMs are leaving when they are empty."""
        farm = self._farm
        on = farm.hosts.state[hosts] == PowerState.ON
        hosts = hosts[on & (farm.hosts.incoming[hosts] == 0)]
        vms = farm.residents.of(hosts)
        staying = farm.vms.host[vms[farm.vms.state[vms] != VmState.MIGRATING]]
        hosts = hosts[~np.isin(hosts, staying)] if len(staying) else hosts
        empty = farm.hosts.vm_count[hosts] == 0
        self._power.drain(hosts[~empty], cause)
        self._power.stop(hosts[empty], cause)

    def end_migrations(self) -> None:
        """Interrupt every migration under way; they are undone before the clock moves on."""
        self._migrations.interrupt_all()

    def withdraw(self, vms: Ints) -> None:
        """Interrupt the moves of some VMs; they are undone before the clock moves on."""
        self._migrations.interrupt(vms)

    def fail(self, hosts: Ints) -> None:
        """Interrupt all moves from and to hosts that fail, and all they were about to do."""
        self._migrations.fail(hosts)

    def cut(self, hosts: Ints) -> None:
        """Interrupt all moves from and to hosts that the network no longer reaches."""
        self._migrations.cut(hosts)

    def cut_links(self, links: Ints) -> None:
        """Interrupt all moves that cross links which fail; only where moves use a network."""
        assert isinstance(self._migrations, NetworkMigrations)
        self._migrations.cut_links(links)

    def close(self) -> None:
        """Record what is still under way at the end of the run."""
        self._migrations.record_unfinished()
