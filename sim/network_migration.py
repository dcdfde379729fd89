"""Moves over a network that they share, each a story of its own.

A move waits for its target to boot and for a free slot at both ends, then goes through the
steps of its migration model (:mod:`.live_migration`); what its transfers get of the links
depends on all others under way.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import simpy

from ..models.arrays import Bools, Ints, distinct
from ..models.columns import PowerState, VmState
from ..models.dirty_pages import BYTES_PER_MEGABIT
from ..models.farm import Farm
from ..models.migration_course import BYTES_PER_MIB, Course, Guest, Outcome, liu_energy_j
from ..models.network import Network
from ..models.transport import Transport
from .clock import Clock
from .flows import FlowBoard
from .live_migration import END, migrate
from .power import PowerStories
from .recorder import Recorder
from .slots import Claim, Limits, Slots

Story = Generator[simpy.Event, object, None]


@runtime_checkable
class CourseModel(Protocol):
    """A migration model that asks for steps and knows no clock."""

    def course(self, guest: Guest) -> Course:
        """Yield the steps of moving a guest."""
        ...


@dataclass(frozen=True)
class NetworkSetup:
    """The network that moves use, how bytes travel over it, and which moves at a time."""

    network: Network
    transport: Transport
    limits: Limits


class NetworkMigrations:
    """Moves under way, as many at a time as there are slots for."""

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        model: CourseModel,
        board: FlowBoard,
        slots: Slots,
        power: PowerStories,
        recorder: Recorder,
    ) -> None:
        self._clock, self._farm, self._model, self._board = clock, farm, model, board
        self._power, self._recorder = power, recorder
        self._slots = slots
        self._moves: dict[int, simpy.Process] = {}
        self._rooms: dict[int, _Room] = {}

    def start(self, vms: Ints, targets: Ints) -> None:
        """Begin moving VMs; memory is reserved at once, also on targets still booting."""
        sources = self._farm.vms.host[vms]
        self._farm.begin_migration(vms, targets, self._clock.now)
        moves = zip(vms.tolist(), sources.tolist(), targets.tolist(), strict=True)
        for vm, source, target in moves:
            self._moves[vm] = self._clock.process(self._move(vm, source, target))

    def busy(self, vms: Ints) -> Bools:
        """Return which VMs are not to be moved, since a move of theirs has not ended."""
        return np.array([vm in self._moves for vm in vms.tolist()], bool)

    def interrupt_all(self) -> None:
        """End every move under way."""
        for process in list(self._moves.values()):
            process.interrupt(END)

    def record_unfinished(self) -> None:
        """Record the moves that the end of the run cuts off."""
        for vm in sorted(self._moves):
            room = self._rooms.get(vm)
            if room is not None:
                self._record(vm, room, None, room.sent.bytes())

    def _move(self, vm: int, source: int, target: int) -> Story:
        """Wait for target and slots, move, give the slots back whatever happened."""
        farm, decided_s = self._farm, self._clock.now
        room = _Room(farm, self._clock, vm, source, target, decided_s, _Sent(self._board))
        self._rooms[vm] = room
        place: simpy.Event | None = None
        outcome: Outcome | None = None
        try:
            if farm.hosts.state[target] != PowerState.ON:
                yield self._power.booted(target)
            place = self._slots.take(source, target, self.claim(vm))
            yield place
            room.start_s = self._clock.now
            course = self._model.course(self._guest(vm))
            outcome = yield from migrate(self._clock, room.sent, course, source, target, room)
        except simpy.Interrupt:
            room.on_cancel()
        finally:
            if place is not None:
                self._slots.give_back(place)
        room.close()
        del self._moves[vm], self._rooms[vm]
        self._record(vm, room, outcome, outcome.sent_bytes if outcome else 0.0)
        self._power.finish_draining(distinct(np.array([source, target])))
        self._recorder.note_violations(self._clock.now)

    def claim(self, vm: int) -> Claim:
        """Return what the move of a VM asks of hosts and links."""
        return Claim.of(self._model, self._guest(vm), int(self._farm.vms.priority[vm]))

    def _guest(self, vm: int) -> Guest:
        vms = self._farm.vms
        return Guest(
            memory_bytes=float(vms.memory_mib[vm]) * BYTES_PER_MIB,
            disk_bytes=float(vms.disk_mib[vm]) * BYTES_PER_MIB,
            write_bytes_s=float(vms.disk_write_mbps[vm]) * BYTES_PER_MEGABIT,
        )

    def _record(self, vm: int, room: "_Room", outcome: Outcome | None, sent_bytes: float) -> None:
        now_s, move = self._clock.now, len(self._recorder.migrations)
        start_s = now_s if room.start_s is None else room.start_s
        self._recorder.migrations.add(
            1, vm=vm, source=room.source, target=room.target, decided_s=room.decided_s,
            start_s=start_s, end_s=now_s, copied_mib=sent_bytes / BYTES_PER_MIB,
            finished=bool(outcome and outcome.moved),
            downtime_s=outcome.downtime_s if outcome else 0.0,
            rounds=outcome.rounds if outcome else 0,
            energy_j=liu_energy_j(sent_bytes) if outcome or sent_bytes else 0.0,
            reaction=self._recorder.words(outcome.reaction if outcome else ""),
        )  # fmt: skip
        for phase in outcome.phases if outcome else ():
            self._recorder.phases.add(
                1, move=move, vm=vm, phase=self._recorder.words(phase.name), start_s=phase.start_s,
                end_s=phase.end_s, sent_mib=phase.sent_bytes / BYTES_PER_MIB,
            )  # fmt: skip


class _Sent:
    """The board as one move uses it; it knows what the move has sent so far."""

    def __init__(self, board: FlowBoard) -> None:
        self._board = board
        self._before_bytes = self._size_bytes = 0.0
        self._transfer: simpy.Process | None = None

    def send(
        self, source: int, target: int, size_bytes: float, cap_bytes_s: float = math.inf
    ) -> simpy.Process:
        """Start a transfer; a move has one at a time."""
        self._before_bytes = self.bytes()
        self._size_bytes = size_bytes
        self._transfer = self._board.send(source, target, size_bytes, cap_bytes_s)
        return self._transfer

    def sent_bytes(self, transfer: simpy.Process) -> float:
        """Return what of a transfer under way has been sent."""
        return self._board.sent_bytes(transfer)

    def bytes(self) -> float:
        """Return what all transfers have sent so far."""
        if self._transfer is None:
            return 0.0
        if self._transfer.is_alive:
            return self._before_bytes + self._board.sent_bytes(self._transfer)
        return self._before_bytes + self._size_bytes


class _Room:
    """The farm as one move sees it."""

    def __init__(
        self, farm: Farm, clock: Clock, vm: int, source: int, target: int, decided_s: float,
        sent: "_Sent",
    ) -> None:  # fmt: skip
        self._farm, self._clock, self._vm = farm, clock, np.array([vm])
        self.source, self.target, self.sent = source, target, sent
        self.decided_s = decided_s
        self.start_s: float | None = None
        self._arrived = False

    def on_phase(self, guest_share: float, target_share: float) -> None:
        """Set what the guest keeps of its CPU and what the copy costs the target."""
        now_s = self._clock.now
        if self._arrived:
            if guest_share != self._farm.vms.guest_share[self._vm[0]]:
                self._farm.degrade(self._vm, guest_share, now_s)
            return
        shares = np.array([guest_share]), np.array([target_share])
        self._farm.set_migration_load(self._vm, *shares, now_s)

    def on_suspend(self) -> None:
        """Nothing besides the phase that follows."""

    def on_arrive(self) -> None:
        """Put the VM onto the target."""
        self._farm.commit_migration(self._vm, self._clock.now)
        self._arrived = True

    def on_cancel(self) -> None:
        """Leave the VM at the source and free the reservation."""
        if not self._arrived:
            self._farm.abort_migration(self._vm, self._clock.now)

    def on_lost(self) -> None:
        """Take the VM off the target."""
        self._farm.lose(self._vm, self._clock.now)

    def busy_s(self) -> float:
        """Return for how long the guest has worked so far."""
        return self._farm.busy_s(int(self._vm[0]), self._clock.now)

    def close(self) -> None:
        """Let a guest that has arrived run undisturbed."""
        running = self._farm.vms.state[self._vm[0]] == VmState.RUNNING
        if self._arrived and running and self._farm.vms.guest_share[self._vm[0]] < 1.0:
            self._farm.degrade(self._vm, 1.0, self._clock.now)
