"""Execute plans: check each action when it is due, start its process, record refusals."""

from collections.abc import Callable

import numpy as np

from ..models.base.arrays import Ints
from ..models.farm.farm import Farm
from ..models.state.columns import PowerState, VmState
from ..policies.interface.plan import (
    Plan,
    Proposal,
    ProposalColumns,
    asks_for_nothing,
    columns_of,
)
from .base.clock import Clock
from .base.signals import Signals
from .hosts.maintenance import Maintenance
from .hosts.power_states import PowerTransitions
from .migration.feasibility import MigrationFeasibility
from .migration.runner import MigrationRunner
from .migration.waiting_moves import NO_MEMORY as LACKS_MEMORY
from .migration.waiting_moves import WaitingMigrations
from .plan_checks import PlanChecks
from .records.recorder import Recorder

OUTCOMES = (
    "moved",
    "superseded",
    "no host has capacity",
    "already there",
    "VM is moving or gone",
    "target is being switched off",
    LACKS_MEMORY,
    "cannot move there",
    "moved after others",
    "breaks rule",
    "source or target has failed or is cut off",
    "would break the reserve",
    "target is closed for maintenance",
)
(
    MOVED,
    SUPERSEDED,
    NO_ROOM,
    ALREADY_THERE,
    VM_BUSY,
    TARGET_LEAVING,
    NO_MEMORY,
    BARRED,
    LATER,
    BREAKS_RULE,
    GONE,
    BREAKS_RESERVE,
    CLOSED,
) = range(len(OUTCOMES))

Limit = Callable[[Plan], Plan]
"""Leaves out of a plan what power management forbids."""


class Actuator:
    """The only one who changes the farm as policies wish while time runs.

    What can never be right ends the run; what has become impossible since it was decided is
    refused and recorded with the reason.

    A plan is carried out at once and in this order: moves are checked and begun, those that wait
    for room are held back, hosts are woken, drained and switched off. All that becomes of it is
    recorded.

    Outcomes are texts of OUTCOMES, with details behind a colon. Errors in a plan raise PlanError
    before anything of it is begun.
    """

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        power: PowerTransitions,
        migrations: MigrationRunner,
        precedence: WaitingMigrations,
        checks: PlanChecks,
        recorder: Recorder,
        signals: Signals,
    ) -> None:
        self._clock, self._farm, self._power, self._recorder = clock, farm, power, recorder
        self._migrations, self._waiting_migrations, self._checks = migrations, precedence, checks
        self._feasibility: MigrationFeasibility = precedence.feasibility
        self._signals = signals
        self.maintenance = Maintenance(clock, farm, power, signals.hosts_changed)
        self._refused: dict[int, tuple[Proposal, str]] = {}

    def carry_out(
        self, plan: Plan, policy: str, limit: Limit | None = None, again: bool = False
    ) -> None:
        """Start what a plan proposes, within limits.

        ``again``: it may repeat what an earlier one proposed, so that a refusal is recorded only
        where it differs from the last one of its VM. Raises PlanError naming policy, time and rows.

        ``policy`` is the name used in errors. ``limit`` is applied to the checked plan, before
        anything begins. Refusals that the plan itself names are recorded in any case.
        """
        if not asks_for_nothing(plan):
            self._checks.reject_nonsense(plan, f"policy {policy} at {self._clock.now:g} s")
        if limit is not None:
            plan = limit(plan)
        if asks_for_nothing(plan):
            self.maintenance.look()
        else:
            self._start(plan, again)
        self._recorder.note_refusals(self._clock.now, plan.refusals)

    def _start(self, plan: Plan, again: bool) -> None:
        """Check and begin all actions of a plan that has some; see the class for the order."""
        proposals = columns_of(plan)
        vms, targets, superseded = proposals.vm, proposals.target, proposals.superseded
        outcomes = np.where(superseded, SUPERSEDED, np.where(targets < 0, NO_ROOM, MOVED))
        self._admit(vms, targets, outcomes)
        details = {
            row: f": {self._feasibility.reason(int(vms[row]), int(targets[row]))}"
            for row in np.flatnonzero(outcomes == BARRED).tolist()
        }
        if self._checks.rules is not None:
            # A way round by a third host, or a wait for room, is not worked out with rules.
            outcomes[outcomes == LATER] = NO_MEMORY
            details |= self._judge(vms, targets, outcomes)
        sleeps = self._spare(plan.sleeps, vms, targets, outcomes)
        said = [
            OUTCOMES[outcome] + details.get(row, "")
            for row, outcome in enumerate(outcomes.tolist())
        ]
        if again:
            self._note_news(plan.proposals, said)
        else:
            self._recorder.note_decisions(self._clock.now, proposals, said)
        kept_on = set(plan.sleeps).difference(sleeps)
        self.maintenance.close([host for host in plan.closes if host not in kept_on])
        self.maintenance.open(plan.opens)
        moving = outcomes == MOVED
        if moving.any():
            self._migrations.start(vms[moving], targets[moving])
        later = np.flatnonzero(outcomes == LATER)
        if len(later):
            listed = plan.proposals
            self._waiting_migrations.hold([listed[row] for row in later.tolist()])
        self._wake(np.array(plan.wakes, np.int64), plan.wake_reason)
        self._put_to_sleep(np.array(sleeps, np.int64), plan.sleep_reason)

    def _note_news(self, proposals: list[Proposal], said: list[str]) -> None:
        """Record decisions that begin, and of those that repeat earlier ones only changes."""
        news = [
            (each, word)
            for each, word in zip(proposals, said, strict=True)
            if word == OUTCOMES[MOVED] or self._refused.get(each.vm) != (each, word)
        ]
        self._refused |= {each.vm: (each, word) for each, word in news}
        fresh = ProposalColumns.of([each for each, _ in news])
        self._recorder.note_decisions(self._clock.now, fresh, [word for _, word in news])

    def _admit(self, vms: Ints, targets: Ints, outcomes: Ints) -> None:
        """Turn outcomes of migrations that have become impossible into refusals, in place.

        ``outcomes`` has a row of OUTCOMES for each move; of several reasons the last one found
        is told. Moves that only lack memory for now become LATER.
        """
        farm = self._farm
        live = np.flatnonzero(outcomes == MOVED)
        states = farm.hosts.state[targets[live]]
        leaving = (states == PowerState.DRAINING) | (states == PowerState.STOPPING)
        outcomes[live[leaving]] = TARGET_LEAVING
        outcomes[live[~farm.hosts.in_service[targets[live]]]] = CLOSED
        reachable = farm.hosts.reachable
        gone = (states == PowerState.FAILED) | ~reachable[targets[live]]
        outcomes[live[gone | ~reachable[farm.vms.host[vms[live]]]]] = GONE
        not_running = farm.vms.state[vms[live]] != VmState.RUNNING
        busy = self._migrations.busy(vms[live]) | self._waiting_migrations.holds(vms[live])
        outcomes[live[not_running | busy]] = VM_BUSY
        outcomes[live[farm.vms.host[vms[live]] == targets[live]]] = ALREADY_THERE
        live = np.flatnonzero(outcomes == MOVED)
        outcomes[live[~self._feasibility.possible(vms[live], targets[live])]] = BARRED
        live = np.flatnonzero(outcomes == MOVED)
        fits, now = self._waiting_migrations.admit(vms[live], targets[live])
        outcomes[live] = np.where(now, MOVED, np.where(fits, LATER, NO_MEMORY))

    def _judge(self, vms: Ints, targets: Ints, outcomes: Ints) -> dict[int, str]:
        """Refuse moves that would break a hard rule, in place; return the rules by move.

        A policy may not know the rules.
        """
        live = np.flatnonzero(outcomes == MOVED)
        broken = self._checks.broken_rules(vms[live], targets[live])
        names = {row: f" {name}" for row, name in zip(live.tolist(), broken, strict=True) if name}
        outcomes[list(names)] = BREAKS_RULE
        return names

    def _spare(self, sleeps: list[int], vms: Ints, targets: Ints, outcomes: Ints) -> list[int]:
        """Return the hosts that may sleep; refuse migrations that only serve to empty others.

        ``sleeps`` are rows of hosts; ``outcomes`` is changed in place where a host has to stay
        awake for the reserve.
        """
        if not sleeps:
            return sleeps
        moves = np.flatnonzero(outcomes == MOVED)
        kept_awake = self._checks.kept_awake(sleeps, vms[moves], targets[moves])
        if not kept_awake:
            return sleeps
        emptied = np.isin(self._farm.vms.host[vms[moves]], list(kept_awake))
        outcomes[moves[emptied]] = BREAKS_RESERVE
        return [host for host in sleeps if host not in kept_awake]

    def _wake(self, hosts: Ints, cause: str) -> None:
        """Wake hosts that are powered down; hosts woken or failed meanwhile are skipped."""
        farm = self._farm.hosts
        resting = (farm.state[hosts] == PowerState.OFF) & farm.reachable[hosts]
        resting &= farm.in_service[hosts]
        self._power.wake(hosts[resting], cause)

    def _put_to_sleep(self, hosts: Ints, cause: str) -> None:
        """Switch off empty hosts now, and hosts that all VMs are leaving when they are empty."""
        farm = self._farm
        on = farm.hosts.state[hosts] == PowerState.ON
        hosts = hosts[
            on & (farm.hosts.incoming[hosts] == 0) & ~self._waiting_migrations.expected(hosts)
        ]
        vms = farm.residents.of(hosts)
        staying = farm.vms.host[vms[farm.vms.state[vms] != VmState.MIGRATING]]
        hosts = hosts[~np.isin(hosts, staying)] if len(staying) else hosts
        empty = farm.hosts.vm_count[hosts] == 0
        self._power.drain(hosts[~empty], cause)
        self._power.stop(hosts[empty], cause)

    def retry_waiting(self) -> None:
        """Start migrations that waited for capacity, then place waiting VMs."""
        self._signals.space_freed()

    def end_migrations(self) -> None:
        """Interrupt every ongoing migration; they are undone before time advances.

        They are undone as SimPy resumes their processes: yield to the clock once before VMs leave.
        """
        self._waiting_migrations.end_all()
        self._migrations.interrupt_all()

    def withdraw(self, vms: Ints) -> None:
        """Interrupt the migrations of some VMs; they are undone before time advances."""
        self._migrations.interrupt(vms)

    def fail(self, hosts: Ints) -> int:
        """Interrupt all migrations from and to failed hosts; return the VMs lost.

        Called before the farm takes the VMs off. VMs lost are those of which a part of the memory
        was at a failed end, not those that run on the hosts.
        """
        return self._migrations.fail(hosts)

    def cut(self, hosts: Ints) -> int:
        """Interrupt all migrations from and to unreachable hosts; return the VMs lost."""
        return self._migrations.cut(hosts)

    def cut_links(self, links: Ints) -> int:
        """Interrupt all moves over links that fail; return the VMs lost."""
        return self._migrations.cut_links(links)

    def reroute(self, beyond: Ints) -> None:
        """Recompute routes after links failed or recovered; ``beyond`` is unreachable.

        ``beyond`` are the rows of all hosts that the network does not reach now.
        """
        self._migrations.reroute(beyond)

    def close(self) -> None:
        """Record ongoing actions at the end of the run."""
        self._migrations.record_unfinished()
        self._waiting_migrations.record_unfinished()
        self.maintenance.look()
