"""Carries plans out: checks each action when it is due, starts its story, records refusals."""

from collections import Counter
from collections.abc import Callable

import numpy as np
from simpy.events import NORMAL

from ..models.base.arrays import Bools, Ints, distinct
from ..models.farm.living import LivingFarm
from ..models.migration.model_table import MigrationModels
from ..models.rules.admission import refused
from ..models.rules.rules import Rules
from ..models.state.columns import PowerState, VmState
from ..policies.interface.plan import Plan, Proposal
from ..policies.interface.reserve_book import ReserveBook
from .base.clock import Clock
from .hosts.maintenance import Maintenance
from .hosts.power_states import PowerTransitions
from .migration.concurrency import LinkPayloads, Slots
from .migration.feasibility import MigrationFeasibility
from .migration.fixed_rate import Migrations
from .migration.link_record import LinkRecord
from .migration.over_network import NetworkMigrations, NetworkSetup
from .migration.transfers import FlowNetwork
from .migration.waiting_moves import NO_MEMORY as LACKS_MEMORY
from .migration.waiting_moves import WaitingMigrations
from .records.recorder import Recorder

OUTCOMES = (
    "moved",
    "superseded",
    "no host has room",
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
    MOVED, SUPERSEDED, NO_ROOM, ALREADY_THERE, VM_BUSY, TARGET_LEAVING, NO_MEMORY, BARRED, LATER,
    BREAKS_RULE, GONE, BREAKS_RESERVE, CLOSED,
) = range(len(OUTCOMES))  # fmt: skip

Limit = Callable[[Plan], Plan]


class PlanError(Exception):
    """A plan that can never be right: an unknown row, or a VM or host named twice."""


class Actuator:
    """The only one who changes the farm while time runs."""

    def __init__(
        self,
        clock: Clock,
        farm: LivingFarm,
        models: MigrationModels,
        recorder: Recorder,
        network: NetworkSetup | None,
        storage_mbps: float,
        rules: Rules | None = None,
        sleep: int = 0,
    ) -> None:
        self._rules = rules
        self.flow_network: FlowNetwork | None = None
        self._clock, self._farm, self._recorder = clock, farm, recorder
        self.power = self._power = PowerTransitions(clock, farm, recorder, sleep)
        self._feasibility = MigrationFeasibility(farm, models)
        self._waiting_migrations = WaitingMigrations(
            clock, farm, self._power, recorder, models, self._move, self._is_busy, storage_mbps
        )
        self._migrations = self._migrations_for(models, network)
        self.maintenance = Maintenance(clock, farm, self._power)
        self._refused: dict[int, tuple[Proposal, str]] = {}
        self.on_end: Callable[[], None] = lambda: None
        """Called when a move has ended."""
        self.reserve_book: Callable[[], ReserveBook | None] = lambda: None
        self.lost: Callable[[Ints, bool], None] = _ignore
        """Told of VMs of whose memory a failure took a part, and whether their hosts failed."""
        self.freed: Callable[[], None] = lambda: None
        """Told, once an instant, that moves have ended, so that hosts may have room."""
        self._notified_s = -1.0

    def _migrations_for(
        self, models: MigrationModels, network: NetworkSetup | None
    ) -> Migrations | NetworkMigrations:
        clock, farm, power, recorder = self._clock, self._farm, self._power, self._recorder
        ended = self.retry_waiting
        if network is None:
            return Migrations(clock, farm, models, power, recorder, ended)
        self.flow_network = FlowNetwork(clock, network.network, network.transport)
        recorder.links = LinkRecord(self.flow_network)
        self._slots = Slots(clock, network.limits, LinkPayloads(network.network, network.transport))
        return NetworkMigrations(
            clock, farm, models, self.flow_network, self._slots, power, recorder, ended,
            lambda vm, failed: self.lost(np.array([vm]), failed),
        )  # fmt: skip

    def retry_waiting(self) -> None:
        """Let moves that wait for room begin, then VMs that wait for a host."""
        self._waiting_migrations.retry()
        self.on_end()
        if self._notified_s < self._clock.now:
            self._notified_s = self._clock.now
            event = self._clock.at(self._clock.now, NORMAL)
            event.callbacks = [lambda _: self.freed()]

    def carry_out(
        self, plan: Plan, policy: str, limit: Limit | None = None, again: bool = False
    ) -> None:
        """Start what a plan proposes, within limits.

        ``again``: it may repeat what an earlier one proposed, so that a refusal is recorded only
        where it differs from the last one of its VM. Raises PlanError naming policy, time and rows.
        """
        self._reject_nonsense(plan, f"policy {policy} at {self._clock.now:g} s")
        if limit is not None:
            plan = limit(plan)
        proposals = plan.proposals
        if not (proposals or plan.sleeps or plan.wakes or plan.closes or plan.opens):
            self.maintenance.look()
            self._recorder.note_refusals(self._clock.now, plan.refusals)
            return
        vms = np.array([proposal.vm for proposal in proposals], np.int64)
        targets = np.array([proposal.target for proposal in proposals], np.int64)
        superseded = np.array([proposal.superseded for proposal in proposals], bool)
        outcomes = np.where(superseded, SUPERSEDED, np.where(targets < 0, NO_ROOM, MOVED))
        self._admit(vms, targets, outcomes)
        said = [OUTCOMES[outcome] for outcome in outcomes.tolist()]
        for row in np.flatnonzero(outcomes == BARRED).tolist():
            said[row] += f": {self._feasibility.reason(int(vms[row]), int(targets[row]))}"
        if self._rules is not None:
            # A way round by a third host, or a wait for room, is not worked out with rules.
            outcomes[outcomes == LATER] = NO_MEMORY
            said = [OUTCOMES[NO_MEMORY] if word == OUTCOMES[LATER] else word for word in said]
            self._judge(self._rules, vms, targets, outcomes, said)
        sleeps = self._spare(plan.sleeps, vms, targets, outcomes, said)
        self._note(proposals, said, again)
        kept_on = set(plan.sleeps).difference(sleeps)
        self.maintenance.close([host for host in plan.closes if host not in kept_on])
        self.maintenance.open(plan.opens)
        moving = outcomes == MOVED
        if moving.any():
            self._move(vms[moving], targets[moving])
        later = np.flatnonzero(outcomes == LATER)
        if len(later):
            self._waiting_migrations.hold([proposals[row] for row in later.tolist()])
        self._wake(np.array(plan.wakes, np.int64), plan.wake_reason)
        self._put_to_sleep(np.array(sleeps, np.int64), plan.sleep_reason)
        self._recorder.note_refusals(self._clock.now, plan.refusals)

    def _note(self, proposals: list[Proposal], said: list[str], again: bool) -> None:
        """Record decisions; of those asked for ``again`` only what has not just been told."""
        if again:
            news = [
                (each, word)
                for each, word in zip(proposals, said, strict=True)
                if word == OUTCOMES[MOVED] or self._refused.get(each.vm) != (each, word)
            ]
            self._refused |= {each.vm: (each, word) for each, word in news}
            proposals, said = [each for each, _ in news], [word for _, word in news]
        self._recorder.note_decisions(self._clock.now, proposals, said)

    def _reject_nonsense(self, plan: Plan, where: str) -> None:
        hosts, vms = len(self._farm.hosts), len(self._farm.vms)
        home, seen = self._farm.vms.host, set[int]()
        for proposal in plan.proposals:
            if not 0 <= proposal.vm < vms:
                raise PlanError(
                    f"{where}: VM row {proposal.vm} does not exist; there are rows 0 to {vms - 1}"
                )
            if not -1 <= proposal.target < hosts:
                raise PlanError(
                    f"{where}: host row {proposal.target} does not exist; "
                    f"a target is a row from 0 to {hosts - 1}, or -1 where none was found"
                )
            if proposal.source != home.item(proposal.vm):
                name = self._farm.vms.names[proposal.vm]
                raise PlanError(
                    f"{where}: the source of {name} is row {proposal.source}, but it is on row "
                    f"{home[proposal.vm]}; a source is view.vms.host of the VM"
                )
            if proposal.vm in seen and not proposal.superseded:
                name = self._farm.vms.names[proposal.vm]
                raise PlanError(
                    f"{where}: {name}, VM row {proposal.vm}, is moved twice in one plan; "
                    "name each VM once, or mark the earlier proposals as superseded"
                )
            if not proposal.superseded:
                seen.add(proposal.vm)
        for what, named in (
            ("sleeps", plan.sleeps),
            ("wakes", plan.wakes),
            ("closes", plan.closes),
            ("opens", plan.opens),
        ):
            self._reject_strange_hosts(named, what, where)

    def _reject_strange_hosts(self, named: list[int], what: str, where: str) -> None:
        hosts = len(self._farm.hosts)
        for host in named:
            if not 0 <= host < hosts:
                raise PlanError(
                    f"{where}: host row {host} in {what} does not exist; "
                    f"there are rows 0 to {hosts - 1}"
                )
        for host, times in Counter(named).items() if len(set(named)) < len(named) else ():
            if times > 1:
                raise PlanError(
                    f"{where}: {self._farm.hosts.names[host]}, host row {host}, stands {times} "
                    f"times in {what}; name each host once"
                )

    def _admit(self, vms: Ints, targets: Ints, outcomes: Ints) -> None:
        """Turn outcomes of moves that have become impossible into refusals, in place."""
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

    def _judge(
        self, rules: Rules, vms: Ints, targets: Ints, outcomes: Ints, told: list[str]
    ) -> None:
        """Refuse moves that would break a hard rule, in place; a policy may not know the rules."""
        live = np.flatnonzero(outcomes == MOVED)
        state = self._farm.vms
        names = refused(rules, state.host, state.moving_to, vms[live], targets[live], state.size)
        for index, name in zip(live.tolist(), names, strict=True):
            if name:
                outcomes[index] = BREAKS_RULE
                told[index] = f"{OUTCOMES[BREAKS_RULE]} {name}"

    def _spare(
        self, sleeps: list[int], vms: Ints, targets: Ints, outcomes: Ints, told: list[str]
    ) -> list[int]:
        """Return the hosts that may sleep; moves that only empty one that may not are refused."""
        reserve_book = self.reserve_book()
        if reserve_book is None:
            return sleeps
        moves = np.flatnonzero(outcomes == MOVED)
        for index in moves.tolist():
            reserve_book.move(int(vms[index]), int(targets[index]))
            reserve_book.wake(int(targets[index]))
        kept_awake = {host for host in self._empty_first(sleeps) if not reserve_book.sleep(host)}
        sources = self._farm.vms.host[vms[moves]].tolist()
        for index, source in zip(moves.tolist(), sources, strict=True):
            if source in kept_awake:
                outcomes[index] = BREAKS_RESERVE
                told[index] = OUTCOMES[BREAKS_RESERVE]
        return [host for host in sleeps if host not in kept_awake]

    def _empty_first(self, hosts: list[int]) -> list[int]:
        return sorted(hosts, key=lambda host: self._farm.hosts.vm_count[host] > 0)

    def _move(self, vms: Ints, targets: Ints) -> None:
        sleeping = self._farm.hosts.state[targets] == PowerState.OFF
        self._power.wake(distinct(targets[sleeping]), "needed for VMs")
        first = self._ranked(vms, targets)
        self._migrations.start(vms[first], targets[first])

    def _is_busy(self, vms: Ints) -> Bools:
        return self._migrations.busy(vms)

    def _ranked(self, vms: Ints, targets: Ints) -> Ints:
        """Return the order in which moves ask for their places."""
        vms_of = self._farm.vms
        if not isinstance(self._migrations, NetworkMigrations):
            return np.argsort(-vms_of.priority[vms], kind="stable")
        ends = list(zip(vms_of.host[vms].tolist(), targets.tolist(), strict=True))
        moves = zip(vms.tolist(), targets.tolist(), strict=True)
        claims = [self._migrations.demand_of(vm, target) for vm, target in moves]
        return np.array(self._slots.ranked(ends, claims), np.int64)

    def _wake(self, hosts: Ints, cause: str) -> None:
        """Bring up hosts at rest; those that have been woken or have failed meanwhile are left."""
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

    def end_migrations(self) -> None:
        """Interrupt every migration under way; they are undone before the clock moves on."""
        self._waiting_migrations.end_all()
        self._migrations.interrupt_all()

    def withdraw(self, vms: Ints) -> None:
        """Interrupt the moves of some VMs; they are undone before the clock moves on."""
        self._migrations.interrupt(vms)

    def fail(self, hosts: Ints) -> int:
        """Interrupt all moves from and to hosts that fail; return the VMs lost by that."""
        return self._migrations.fail(hosts)

    def cut(self, hosts: Ints) -> int:
        """Interrupt all moves from and to hosts cut off the network; return the VMs lost."""
        return self._migrations.cut(hosts)

    def cut_links(self, links: Ints) -> int:
        """Interrupt all moves over links that fail, where moves use any; return the VMs lost."""
        assert isinstance(self._migrations, NetworkMigrations)
        return self._migrations.cut_links(links)

    def reroute(self, beyond: Ints) -> None:
        """Look for ways anew, links having failed or come back; no way leads to ``beyond``."""
        if self.flow_network is not None:
            self.flow_network.reroute(beyond)

    def close(self) -> None:
        """Record what is still under way at the end of the run."""
        self._migrations.record_unfinished()
        self._waiting_migrations.record_unfinished()


def _ignore(vms: Ints, failed: bool) -> None:
    del vms, failed
