"""Migrations that wait for capacity freed by others, and resolution of circular waits.

A move that lacks memory at its target now but will have it when moves that are under way, or
wait as well, have left is held back. Whenever a move ends, those that have room begin
(:mod:`..policies.move_order` says which). If nothing is under way that could make room, one VM
makes it: it goes to a third host first, or to storage, where it stands still until its target
has room. What is held back has been promised its room: no later plan is given it.
"""

from collections.abc import Generator

import numpy as np
import simpy
from simpy.events import NORMAL

from ...models.base.arrays import Bools, Floats, Ints, sum_by
from ...models.base.lazy_dataclass import dataclass
from ...models.farm.farm import Farm
from ...models.farm.farm_state import MEMORY_TOLERANCE_MIB
from ...models.migration.fixed_rate import FixedRate
from ...models.migration.model_table import MigrationModels
from ...models.migration.suspend_resume import MemoryHandover
from ...models.state.columns import PowerState, VmState
from ...policies.control.move_order import (
    STORAGE,
    PendingMigrations,
    choose_unblocking,
    eventually_feasible,
    feasible_now,
)
from ...policies.interface.plan import Proposal, ProposalColumns, Reason, Search
from ..base.clock import Clock
from ..hosts.power_states import PowerTransitions
from ..records.recorder import Recorder
from .feasibility import MigrationFeasibility, ThirdHosts
from .runner import MigrationRunner
from .via_storage import Suspension

SimProcess = Generator[simpy.Event, object, None]
DEADLOCK = Reason("moves that wait for each other", 0.0, 0.0)
AFTER_OTHERS, VIA_THIRD_HOST, VIA_STORAGE = "after others", "aside first", "suspended on the way"
"""How a move went that did not begin at once and straight to its target."""

NO_MEMORY = "target lacks memory"


@dataclass
class _WaitingMigration:
    """A migration held back, and the story of its VM if that has gone to storage.

    ``decided_s`` is when the policy wanted it, ``unblocked_by`` how it goes on, ``aside`` whether
    its VM has been to a third host already, ``over`` its way by storage.
    """

    vm: int
    source: int
    target: int
    decided_s: float
    unblocked_by: str = AFTER_OTHERS
    aside: bool = False
    over: Suspension | None = None
    story: simpy.Process | None = None


class WaitingMigrations:
    """The migrations held back; ``under_way`` begins them and knows whose last has not ended.

    ``feasibility`` tells which migrations can be at all; memory written to storage and read again
    takes its size over ``storage_mbps``, Mbit/s. Memory is in MiB.

    Its contract with the actuator: :meth:`admit` says which migrations of a plan can begin now or
    later, the later ones are handed to :meth:`hold`, and :meth:`retry` is called whenever a
    migration has ended. Where the farm has rules, nothing is held back.
    """

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        power: PowerTransitions,
        recorder: Recorder,
        models: MigrationModels,
        under_way: MigrationRunner,
        storage_mbps: float,
    ) -> None:
        self._clock, self._farm, self._power, self._recorder = clock, farm, power, recorder
        self._models, self._under_way = models, under_way
        self.feasibility = MigrationFeasibility(farm, models)
        self._third = ThirdHosts(farm, models)
        self._storage_mbps = storage_mbps
        self._waiting: dict[int, _WaitingMigration] = {}
        self._over: dict[int, _WaitingMigration] = {}
        self._due = False

    def admit(self, vms: Ints, targets: Ints) -> tuple[Bools, Bools]:
        """Return which migrations will have capacity, and which have it now.

        Of moves to a host that cannot hold all of them, those of higher priority are kept.

        ``vms`` and ``targets``, (n,), are rows, each VM once; both results are (n,). What is under
        way or held back keeps the memory promised to it.
        """
        everyone = np.ones(len(vms), bool)
        moves, free_mib = self._pending(vms, targets), self._free_mib()
        need_mib = sum_by(targets, weights=moves.need_mib, minlength=len(free_mib))
        if not self._waiting and np.all(need_mib <= free_mib):
            return everyone, everyone
        fits = eventually_feasible(moves, free_mib + self._to_come_mib())
        rows = np.flatnonzero(fits)
        now = np.zeros(len(vms), bool)
        now[rows[feasible_now(moves.only(rows), free_mib)]] = True
        return fits, now

    def hold(self, proposals: list[Proposal]) -> None:
        """Hold migrations until they have capacity.

        Proposals must have been admitted as having room in the end. They are tried at this instant,
        once the migrations that begin at once have taken their memory.
        """
        for proposal in proposals:
            vm, source, target = proposal.vm, proposal.source, proposal.target
            self._waiting[vm] = _WaitingMigration(vm, source, target, self._clock.now)
        self.retry()

    def holds(self, vms: Ints) -> Bools:
        """Return VMs that wait for capacity, or are suspended to storage."""
        return np.array([vm in self._waiting or vm in self._over for vm in vms.tolist()], bool)

    def expected(self, hosts: Ints) -> Bools:
        """Return to which hosts a VM is to come that is held back.

        The result has the length of ``hosts``; such hosts are not to be put to sleep.
        """
        targets = {held.target for held in self._waiting.values()}
        return np.array([host in targets for host in hosts.tolist()], bool)

    def retry(self) -> None:
        """Start migrations that now have capacity, once per instant."""
        if self._waiting and not self._due:
            self._due = True
            event = self._clock.at(self._clock.now, NORMAL)
            event.callbacks = [lambda _: self._go_on()]

    def end_all(self) -> None:
        """Forget what is held back; VMs on storage stay there.

        Called where all VMs are about to leave the farm for good.
        """
        for held in list(self._over.values()):
            assert held.story is not None
            held.story.interrupt()
        self._waiting.clear()

    def record_unfinished(self) -> None:
        """Record migrations that are waiting or suspended to storage at the end of the run."""
        left = self._waiting | self._over
        aside = self._farm.vms.moving_to
        for vm in sorted(left):
            if aside[vm] < 0:
                self._record(left[vm], finished=False)

    def _pending(self, vms: Ints, targets: Ints) -> PendingMigrations:
        farm, sources = self._farm, self._farm.vms.host[vms]
        held_mib = np.where(sources >= 0, farm.delivery.footprint_mib(vms, sources), 0.0)
        need_mib = farm.delivery.footprint_mib(vms, targets)
        return PendingMigrations(vms, sources, targets, farm.vms.priority[vms], held_mib, need_mib)

    def _free_mib(self) -> Floats:
        """Return what each host has free for migrations, with the tolerance of the farm.

        It is negative on hosts that are filled beyond the ceiling of placement.
        """
        hosts = self._farm.hosts
        free_mib: Floats = hosts.plan_mib - hosts.memory_used_mib + MEMORY_TOLERANCE_MIB
        return free_mib

    def _leaving_mib(self) -> Floats:
        """Return the memory freed on each host by ongoing migrations."""
        farm = self._farm
        movers = np.flatnonzero(farm.vms.state == VmState.MIGRATING)
        freed_mib = self._pending(movers, farm.vms.moving_to[movers]).freed_mib(len(farm.hosts))
        away = np.flatnonzero(farm.vms.pages_at >= 0)
        if len(away):
            kept_at = farm.vms.pages_at[away]
            kept_mib = farm.delivery.footprint_mib(away, kept_at)
            freed_mib = freed_mib + sum_by(kept_at, weights=kept_mib, minlength=len(freed_mib))
        return freed_mib

    def _to_come_mib(self) -> Floats:
        """Return memory freed by ongoing and waiting migrations, minus needs of the latter."""
        if not self._waiting:
            return self._leaving_mib()
        farm, count = self._farm, len(self._farm.hosts)
        vms = np.array(list(self._waiting))
        waiting = self._pending(vms, np.array([held.target for held in self._waiting.values()]))
        aside = farm.vms.moving_to[vms] >= 0
        # Who is on the way to a third host is counted at the host that it leaves as under way.
        freed_mib = self._leaving_mib() + waiting.only(~aside).freed_mib(count)
        freed_mib += self._pending(vms[aside], farm.vms.moving_to[vms[aside]]).arriving_mib(count)
        return freed_mib - waiting.arriving_mib(count)

    def _go_on(self) -> None:
        """Start migrations that fit; if none fits and none frees memory, resolve the deadlock."""
        self._due = False
        self._drop_lost()
        self._redirect()
        ready = [held for held in self._waiting.values() if self._is_ready(held)]
        if not ready:
            return
        vms = np.array([held.vm for held in ready])
        moves = self._pending(vms, np.array([held.target for held in ready]))
        free_mib = self._free_mib()
        begun = feasible_now(moves, free_mib)
        if len(begun):
            self._begin([ready[position] for position in begun.tolist()])
        elif len(ready) == len(self._waiting) and not self._is_space_coming(moves.targets):
            self._free_space(ready, moves, free_mib)

    def _drop_lost(self) -> None:
        """Drop migrations of VMs that ended or crashed, and migrations to failed hosts."""
        vms, hosts = self._farm.vms, self._farm.hosts
        here = (VmState.RUNNING, VmState.MIGRATING)
        for held in list(self._waiting.values()):
            gone = vms.state[held.vm] not in here
            if held.over is None and (gone or hosts.state[held.target] == PowerState.FAILED):
                del self._waiting[held.vm]
                self._note(held, int(vms.host[held.vm]), held.target, "VM or target is gone")

    def _redirect(self) -> None:
        """Let VMs on storage whose targets have failed or are cut off go to other hosts."""
        hosts = self._farm.hosts
        for held in list(self._waiting.values()):
            lost = hosts.state[held.target] == PowerState.FAILED or not hosts.reachable[held.target]
            if held.over is None or not held.over.stored or not lost:
                continue
            found = self._third.instead(held.vm, held.source, self._free_mib())
            if len(found):
                held.target = int(found[0])
                self._note(held, -1, held.target, "resumed elsewhere: its target is gone")

    def _is_ready(self, held: _WaitingMigration) -> bool:
        """Whether a VM is not migrating; a VM on storage needs a target that is on."""
        if held.over is not None:
            return held.over.stored and self._is_on(held.target)
        running = self._farm.vms.state[held.vm] == VmState.RUNNING
        return bool(running and not self._under_way.busy(np.array([held.vm]))[0])

    def _is_on(self, host: int) -> bool:
        state = self._farm.hosts.state
        if state[host] == PowerState.OFF:
            self._power.wake(np.array([host]), "needed for VMs")
        if state[host] in (PowerState.ON, PowerState.FAILED):
            return bool(state[host] == PowerState.ON)
        self._clock.process(self._after_boot(host))
        return False

    def _after_boot(self, host: int) -> SimProcess:
        yield self._power.booted(host)
        self.retry()

    def _is_space_coming(self, targets: Ints) -> bool:
        """Whether a migration under way will free memory at one of some hosts."""
        vms = self._farm.vms
        leaving = np.concatenate([vms.host[vms.state == VmState.MIGRATING], vms.pages_at])
        return bool(np.isin(leaving, targets).any())

    def _begin(self, ready: list[_WaitingMigration]) -> None:
        """Begin migrations that have room; VMs on storage are read by their targets."""
        straight = []
        for held in ready:
            del self._waiting[held.vm]
            if held.over is None:
                self._recorder.hold_back(held.vm, held.decided_s, held.unblocked_by)
                straight.append(held)
            else:
                held.over.resume(held.target)
        if straight:
            vms = np.array([held.vm for held in straight])
            self._under_way.start(vms, np.array([held.target for held in straight]))

    def _free_space(
        self, ready: list[_WaitingMigration], moves: PendingMigrations, free_mib: Floats
    ) -> None:
        """Let one VM make room where nothing under way makes any.

        :func:`.choose_unblocking` names it, and whether it goes to a third host or to storage. If
        there is none, the migrations of VMs that cannot be stored are refused.
        """
        aside = np.array([held.aside or held.over is not None for held in ready])
        storable = np.array([self._is_storable(held) for held in ready])
        unblocked_by = choose_unblocking(moves, free_mib, aside, storable, self._aside)
        if unblocked_by is None:
            self._give_up([held for held, may in zip(ready, storable, strict=True) if not may])
            return
        held, source = ready[unblocked_by.position], int(moves.sources[unblocked_by.position])
        if unblocked_by.host == STORAGE:
            self._note(held, source, held.target, VIA_STORAGE)
            self._store(held)
            return
        name = self._farm.hosts.names[unblocked_by.host]
        self._note(held, source, unblocked_by.host, f"moved by way of {name}")
        self._recorder.hold_back(held.vm, held.decided_s, VIA_THIRD_HOST)
        held.aside, held.unblocked_by = True, f"by way of {name}"
        self._under_way.start(np.array([held.vm]), np.array([unblocked_by.host]))

    def _is_storable(self, held: _WaitingMigration) -> bool:
        """Whether a VM can be suspended and resumed on its target."""
        if held.over is not None:
            return True
        vms, group = self._farm.vms, self._farm.hosts.group
        ends = int(group[vms.host[held.vm]]), int(group[held.target])
        model = self._models.of(int(vms.size[held.vm]), *ends)
        return isinstance(model, FixedRate | MemoryHandover)

    def _give_up(self, stuck: list[_WaitingMigration]) -> None:
        """Refuse migrations that can never fit, and those that depend on them."""
        for held in stuck:
            del self._waiting[held.vm]
        rest = list(self._waiting.values())
        vms = np.array([held.vm for held in rest], np.int64)
        moves = self._pending(vms, np.array([held.target for held in rest], np.int64))
        kept = eventually_feasible(moves, self._free_mib() + self._leaving_mib())
        lost = [held for held, fits in zip(rest, kept, strict=True) if not fits]
        for held in [*stuck, *lost]:
            self._waiting.pop(held.vm, None)
            source = int(self._farm.vms.host[held.vm])
            self._note(held, source, held.target, NO_MEMORY)
        self.retry()

    def _store(self, held: _WaitingMigration) -> None:
        """Let a VM be written to storage, where it waits for room at its target."""
        held.over = Suspension(self._clock, self._farm, self._power, held.vm, self._storage_mbps)
        held.source, held.unblocked_by = held.over.source, VIA_STORAGE

        def ended(finished: bool) -> None:
            self._waiting.pop(held.vm, None)
            del self._over[held.vm]
            self._record(held, finished)
            self.retry()

        held.story = self._clock.process(held.over.play(self.retry, ended))
        self._over[held.vm] = held

    def _note(self, held: _WaitingMigration, source: int, target: int, outcome: str) -> None:
        proposal = Proposal(held.vm, source, target, DEADLOCK, Search())
        columns = ProposalColumns.of([proposal])
        self._recorder.note_decisions(self._clock.now, columns, [outcome])

    def _aside(self, vm: int) -> Ints:
        """Return the third hosts that a VM may go to on its way, the best first."""
        expected = self.expected(np.arange(len(self._farm.hosts)))
        return self._third.best(vm, self._waiting[vm].target, self._free_mib(), expected)

    def _record(self, held: _WaitingMigration, finished: bool) -> None:
        now_s = self._clock.now
        start_s = now_s if held.over is None else held.over.began_s
        self._recorder.hold_back(held.vm, held.decided_s, held.unblocked_by)
        self._recorder.note_moves(
            1,
            vm=held.vm,
            source=held.source,
            target=held.target,
            decided_s=held.decided_s,
            start_s=start_s,
            end_s=now_s,
            copied_mib=0.0,
            finished=finished,
            downtime_s=now_s - start_s,
            rounds=0,
            source_cpu_s=0.0,
            target_cpu_s=0.0,
            guest_lost_s=now_s - start_s,
            energy_j=0.0,
            reaction=self._recorder.words(""),
        )
