"""Migrations over a shared network, each with its own process.

A move waits for its target to boot and for a free slot at both ends, then goes through the
steps of its migration model (:mod:`.player`); what its transfers get of the links
depends on all others under way.
"""

import math
from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np
import simpy

from ...models.base.arrays import Bools, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.farm.farm import Farm
from ...models.migration.course import BYTES_PER_MIB, Guest, MigrationOutcome, MigrationTotals
from ...models.migration.dirty_pages import BYTES_PER_MEGABIT
from ...models.migration.model_table import MigrationModels
from ...models.network.network import Network
from ...models.network.transport import Transport
from ...models.state.columns import PowerState, VmState
from ..base.clock import Clock
from ..base.signals import Signals
from ..hosts.power_states import PowerTransitions
from ..records.recorder import Recorder
from .concurrency import ConcurrencyLimits, MigrationDemand, Slots
from .player import END, NETWORK, SOURCE, TARGET, UNDISTURBED, MigrationPlayer
from .transfers import FlowNetwork

SimProcess = Generator[simpy.Event, object, None]

NOTHING = MigrationTotals(0.0).outcome(0.0, "source")
"""What a move did that never began."""


@dataclass(frozen=True)
class NetworkSetup:
    """The migration network, its transport, and limits on concurrent migrations.

    ``network`` has the farm's hosts in the farm's order. It is changed by link failures of the run.
    """

    network: Network
    transport: Transport
    limits: ConcurrencyLimits


class NetworkMigrations:
    """Moves under way, as many at a time as there are slots for.

    Each end is announced, and each VM of whose memory a failure has taken a part.

    Implements :class:`.MigrationRunner` with one simulation process per VM. ``signals`` announces
    ``space_freed`` at each end and ``memory_lost`` for each VM of which a failure has taken pages.
    """

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        models: MigrationModels,
        power: PowerTransitions,
        recorder: Recorder,
        signals: Signals,
        flow_network: FlowNetwork,
        slots: Slots,
    ) -> None:
        self._clock, self._farm, self._models = clock, farm, models
        self._power, self._recorder, self._signals = power, recorder, signals
        self._flow_network, self._slots = flow_network, slots
        self._moves: dict[int, simpy.Process] = {}
        self._actions: dict[int, _GuestActions] = {}

    def start(self, vms: Ints, targets: Ints) -> None:
        """Start migrations; memory is reserved at once, also on targets that are booting.

        ``vms`` and ``targets``, (n,), are rows; VMs run, fit at their targets, and none is named
        twice. A target that boots is waited for before a slot is asked for.
        """
        self._power.wake_for_vms(targets)
        sources = self._farm.vms.host[vms].tolist()
        ways = zip(vms.tolist(), sources, targets.tolist(), strict=True)
        asked = [self._asked(*way) for way in ways]
        first = self._slots.ranked(
            [(move.source, move.target) for move in asked], [move.claim for move in asked]
        )
        order = np.array(first, np.int64)
        self._farm.begin_migration(vms[order], targets[order], self._clock.now)
        for at in first:
            move = asked[at]
            self._moves[move.vm] = self._clock.process(self._move(move))

    def busy(self, vms: Ints) -> Bools:
        """Return VMs that cannot be migrated because a migration of theirs has not ended."""
        return np.array([vm in self._moves for vm in vms.tolist()], bool)

    def interrupt_all(self) -> None:
        """End every ongoing migration."""
        for process in list(self._moves.values()):
            process.interrupt(END)

    def interrupt(self, vms: Ints) -> None:
        """End the migrations of some VMs, if any."""
        for vm in vms.tolist() if self._moves else ():
            if vm in self._moves:
                self._moves[vm].interrupt(END)

    def fail(self, hosts: Ints) -> int:
        """Notify migrations from and to failed hosts; return the VMs lost.

        A migration both of whose ends fail counts as one whose source failed. A VM is counted once,
        however many failures hit its migration.
        """
        failed, lost = set(hosts.tolist()), 0
        for actions in list(self._actions.values()):
            if actions.source in failed:
                lost += self._break(actions, SOURCE)
            elif actions.target in failed:
                lost += self._break(actions, TARGET)
        return lost

    def cut(self, hosts: Ints) -> int:
        """Notify migrations from and to unreachable hosts; return the VMs lost."""
        beyond, lost = set(hosts.tolist()), 0
        for actions in list(self._actions.values()):
            if actions.source in beyond or actions.target in beyond:
                lost += self._break(actions, NETWORK)
        return lost

    def _break(self, actions: "_GuestActions", cause: str) -> int:
        """Interrupt a migration; return 1 if its VM is lost, otherwise 0."""
        self._moves[actions.vm].interrupt(cause)
        lost = actions.player is not None and actions.player.exposed and not actions.broken
        actions.broken, actions.target_failed = True, actions.target_failed or cause == TARGET
        return int(lost)

    def cut_links(self, links: Ints) -> int:
        """Notify migrations that cross failed links in either direction; return the VMs lost.

        Called before the network forgets the links, since the routes of now are looked at.
        Migrations that still wait for a host or a slot use no link and go on.
        """
        lost = 0
        network, failed = self._flow_network.network, set(links.tolist())
        for actions in list(self._actions.values()):
            # Whose host is cut off has been told; there is no way to ask for.
            known = self._farm.hosts.reachable[[actions.source, actions.target]].all()
            if actions.start_s is None or not known:
                continue
            ways = (actions.source, actions.target), (actions.target, actions.source)
            if any(not failed.isdisjoint(network.route(*way).tolist()) for way in ways):
                lost += self._break(actions, NETWORK)
        return lost

    def reroute(self, beyond: Ints) -> None:
        """Look for routes anew as links have failed or come back; none leads to ``beyond``."""
        self._flow_network.reroute(beyond)

    def record_unfinished(self) -> None:
        """Record the migrations that are unfinished at the end of the run."""
        for _, actions in sorted(self._actions.items()):
            self._record(
                actions, actions.player.cut_off() if actions.player else None, finished=False
            )

    def _move(self, move: "_Move") -> SimProcess:
        """Wait for target and slots, migrate, and always release the slots."""
        farm, vm, source, target = self._farm, move.vm, move.source, move.target
        actions = _GuestActions(farm, self._clock, self._signals.memory_lost, (vm, source, target))
        actions.knows_downtime = self._models.knows_downtime(*move.kinds)
        self._actions[vm] = actions
        self._power.hold(source)
        place: simpy.Event | None = None
        outcome: MigrationOutcome | None = None
        try:
            if farm.hosts.state.item(target) != PowerState.ON:
                yield self._power.booted(target)
            if self._models.takes_place(*move.kinds):
                place = self._slots.take(source, target, move.claim)
                if not place.triggered:
                    yield place
            actions.start_s = self._clock.now
            steps = self._models.steps(move.guest, *move.kinds)
            actions.player = MigrationPlayer(
                self._clock, self._flow_network, steps, source, target, actions
            )
            outcome = yield from actions.player.play()
        except simpy.Interrupt:
            actions.on_cancel()
        finally:
            if place is not None:
                self._slots.release(place)
        self._power.release(source)
        actions.close()
        del self._moves[vm], self._actions[vm]
        self._record(actions, outcome, finished=bool(outcome and outcome.moved))
        self._power.finish_draining_of(source)
        self._power.finish_draining_of(target)
        self._signals.space_freed()

    def _asked(self, vm: int, source: int, target: int) -> "_Move":
        """Return what a migration has to know of its VM, which keeps its size while it moves."""
        vms, group = self._farm.vms, self._farm.hosts.group
        kinds = vms.size.item(vm), group.item(source), group.item(target)
        guest = Guest(
            memory_bytes=vms.memory_mib.item(vm) * BYTES_PER_MIB,
            disk_bytes=vms.disk_mib.item(vm) * BYTES_PER_MIB,
            write_bytes_s=vms.disk_write_mbps.item(vm) * BYTES_PER_MEGABIT,
        )
        claim = MigrationDemand.of(self._models.of(*kinds), guest, vms.priority.item(vm))
        return _Move(vm, source, target, kinds, guest, claim)

    def _record(
        self, actions: "_GuestActions", outcome: MigrationOutcome | None, finished: bool
    ) -> None:
        now_s, recorder = self._clock.now, self._recorder
        move, done = len(recorder.migrations), outcome or NOTHING
        downtime_s = done.downtime_s if actions.knows_downtime else math.nan
        recorder.note_move(
            actions.vm,
            actions.source,
            actions.target,
            actions.decided_s,
            now_s if actions.start_s is None else actions.start_s,
            now_s,
            done.sent_bytes / BYTES_PER_MIB,
            finished,
            downtime_s,
            done.rounds,
            done.source_cpu_s,
            done.target_cpu_s,
            done.guest_lost_s,
            done.energy_j if outcome else 0.0,
            recorder.words(done.reaction),
        )
        for name, start_s, end_s, sent_bytes in done.phases:
            word, sent_mib = recorder.words(name), sent_bytes / BYTES_PER_MIB
            recorder.phases.add_row(move, actions.vm, word, start_s, end_s, sent_mib)


class _Move(NamedTuple):
    """A migration that was asked for: ``kinds`` are the size of the VM and the groups of hosts."""

    vm: int
    source: int
    target: int
    kinds: tuple[int, int, int]
    guest: Guest
    claim: MigrationDemand


class _GuestActions:
    """The farm as seen by one migration.

    ``decided_s`` is when the migration was asked for, ``start_s`` when it got its slots (None: not
    yet), both in s. ``knows_downtime`` is false where the model gives no downtime; it is then
    recorded as NaN.
    """

    def __init__(
        self,
        farm: Farm,
        clock: Clock,
        lost: Callable[[Ints, bool], None],
        move: tuple[int, int, int],
    ) -> None:
        self._farm, self._clock, self._lost = farm, clock, lost
        self.vm, self.source, self.target = move
        self._vm = np.array([self.vm])
        self.decided_s = clock.now
        self.start_s: float | None = None
        self.player: MigrationPlayer | None = None
        self.knows_downtime = True
        self.broken = self.target_failed = False
        """Whether a failure has been told to the move, and whether it is that of its target."""
        self._sources = np.array([self.source])
        self._arrived = self._fetching = self._away = False

    def on_phase(self, guest_share: float, source_share: float, target_share: float) -> None:
        """Set what the guest keeps of its CPU and what the copy asks of source and target."""
        shares = guest_share, source_share, target_share
        if self._arrived:
            if not self._there():
                return
            self._farm.degrade(self._vm, self._sources, *shares, self._clock.now)
            self._fetching = shares != UNDISTURBED
        else:
            self._farm.set_migration_load_of_one(self.vm, *shares, self._clock.now)

    def on_suspend(self) -> None:
        """Nothing besides the phase that follows."""

    def on_arrive(self, pages_away: bool) -> None:
        """Put the VM onto the target; the source may have to keep its pages."""
        self._farm.commit_migration_of_one(self.vm, self._clock.now, pages_away)
        self._arrived, self._away = True, pages_away

    def on_fetched(self) -> None:
        """Free the memory that the source has kept."""
        self._away = False
        if self._there():
            self._farm.end_fetching(self._vm, self._clock.now)

    def _there(self) -> bool:
        """Whether the guest, having arrived, is where it went; it may have left or crashed."""
        vms = self._farm.vms
        running = vms.state[self.vm] == VmState.RUNNING
        return bool(running and vms.host[self.vm] == self.target)

    def on_cancel(self) -> None:
        """Leave the VM at the source and free the reservation."""
        if not self._arrived:
            self._farm.abort_migration(self._vm, self._clock.now)

    def on_lost(self) -> None:
        """Take the VM off the target: it crashes."""
        if not self._there():
            return
        self._fetching = self._away = False
        self._lost(self._vm, self.target_failed)

    def busy_s(self) -> float:
        """Return for how long the guest has worked so far."""
        return self._farm.busy_s(self.vm, self._clock.now)

    def close(self) -> None:
        """Let a guest that has arrived run undisturbed, and its source be free of it."""
        if self._fetching and self._there():
            self.on_phase(*UNDISTURBED)
        if self._away:
            self.on_fetched()
