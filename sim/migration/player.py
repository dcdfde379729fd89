"""Carry out the steps of one migration over a shared network.

A migration model (``models/migration/course.py``) asks for steps; :class:`MigrationPlayer` plays
them on the clock and tells the farm what each means for guest and hosts. Whatever interrupts it,
and whenever, the VM is in one place afterwards, and the farm has been told which.
"""

import math
from collections.abc import Generator
from typing import Protocol

import simpy

from ...models.migration.course import (
    Measured,
    MigrationEnd,
    MigrationOutcome,
    MigrationSteps,
    MigrationTotals,
    Step,
)
from ...models.migration.suspend_resume import standstill
from .transfers import Transfer

END, CANCEL, SOURCE, TARGET, NETWORK = "end", "cancel", "source", "target", "network"
"""Causes of an interrupt: the run ends, somebody calls the move off, or one of three fails."""

REASONS = {
    END: "the run ended",
    CANCEL: "called off",
    SOURCE: "the source failed",
    TARGET: "the target failed",
    NETWORK: "the network failed",
}
SimProcess = Generator[simpy.Event, object, MigrationOutcome]

UNDISTURBED = (1.0, 0.0, 0.0)
"""Shares of guest, source and target when no copy is under way."""


class Carrier(Protocol):
    """A network that transfers bytes between hosts over shared links.

    Implemented by :class:`.FlowNetwork`; a test may pass a line of constant rate.
    """

    def send(self, source: int, target: int, size_bytes: float, cap_bytes_s: float) -> Transfer:
        """Return an event that fires when all bytes have arrived, or when it is withdrawn.

        Its value is the time taken, infinite if the bytes did not arrive.

        ``source`` and ``target`` are rows of hosts; the cap, in bytes/s, may be infinite.
        """
        ...

    def sent_bytes(self, transfer: Transfer) -> float:
        """Return what of a transfer has been sent."""
        ...


class GuestActions(Protocol):
    """The farm as seen by one migration: a VM on its source, a reservation on its target.

    All methods concern the present instant of the clock. At most one of ``on_cancel`` and
    ``on_lost`` ends a migration.
    """

    def on_phase(self, guest_share: float, source_share: float, target_share: float) -> None:
        """Set what the guest keeps of its CPU and what the copy asks of source and target.

        Shares are parts of the guest's CPU demand; those of the hosts come on top of it. They hold
        until the next call.
        """
        ...

    def on_suspend(self) -> None:
        """Note that the guest is stopped until a phase with a share follows."""
        ...

    def on_arrive(self, pages_away: bool) -> None:
        """Put the VM on the target, where it runs normally unless a phase follows.

        With ``pages_away`` the source keeps its memory until :meth:`on_fetched`.
        """
        ...

    def on_fetched(self) -> None:
        """Free the memory that the source has kept: all pages have been fetched."""
        ...

    def on_cancel(self) -> None:
        """Leave the VM on the source, and release the reservation."""
        ...

    def on_lost(self) -> None:
        """Take the VM off the target: a part of its memory is gone."""
        ...

    def busy_s(self) -> float:
        """Return for how long the guest has worked so far, in seconds of full activity.

        Only differences count. The integral of delivered over full CPU, so it grows more
        slowly while the guest is slowed down.
        """
        ...


def _harmless(step: Step) -> tuple[str, ...]:
    """Return the causes that change nothing any more once the guest has arrived."""
    if not step.arrived:
        return ()
    alone = not step.exposed and step.size_bytes is None
    return (CANCEL, SOURCE, NETWORK) if alone else (CANCEL,)


class MigrationPlayer:
    """One migration being played from source to target, once only.

    Interrupt the process with one of ``REASONS``. Before the guest has arrived it stays at the
    source, which takes the step's ``undo_s`` to have it running again; afterwards it is at the
    target, and calling the migration off has no effect. While pages are away a failure of source,
    target or network loses it. At the end of the run, or if the cause is none of these, all ends
    at once. Any other error is passed on after the farm has been told to cancel.

    Once ``on_arrive`` has been told, more phases may follow: a guest that waits for its pages
    is slower, and the source must keep them until the process ends.
    """

    def __init__(
        self,
        clock: simpy.Environment,
        transport: Carrier,
        steps: MigrationSteps,
        source: int,
        target: int,
        actions: GuestActions,
    ) -> None:
        self._clock, self._transport, self._steps, self._actions = clock, transport, steps, actions
        self._source, self._target = source, target
        self._totals = MigrationTotals(clock.now)
        self._arrived = self._away = False
        self._shares = UNDISTURBED
        self._busy_s, self._busy_at_s = 0.0, -math.inf
        self._under_way: tuple[Step, float] | None = None
        self._flow: Transfer | None = None

    def play(self) -> SimProcess:
        """Play steps until the model ends or a cause to stop comes.

        A process of the clock; its value is the outcome with bytes, rounds, downtime and phases.
        Raises StalledError if a transfer gets no bandwidth, and whatever the model raises.
        """
        past: Measured | None = None
        try:
            while True:
                step = self._next(past)
                if isinstance(step, MigrationEnd):
                    return self._end(step)
                self._enter(step)
                cause, past = yield from self._step(step)
                if cause:
                    return (yield from self._stop(step, cause))
        except Exception:
            # GeneratorExit is left alone: a run that is thrown away has no farm to tell.
            if not self._arrived:
                self._actions.on_cancel()
            raise

    @property
    def exposed(self) -> bool:
        """Whether the guest has arrived and pages of it are still at the source."""
        return self._away

    def cut_off(self) -> MigrationOutcome:
        """Return the outcome so far, including the current step, and end.

        For the end of the run, when no process is resumed any more. The farm is not told.
        """
        if self._under_way is not None:
            step, start_s = self._under_way
            sent_bytes = self._transport.sent_bytes(self._flow) if self._flow is not None else 0.0
            self._totals.add(step, start_s, self._clock.now, sent_bytes)
        final_place = "target" if self._arrived else "source"
        return self._totals.outcome(self._clock.now, final_place, reason=REASONS[END])

    def _next(self, past: Measured | None) -> Step | MigrationEnd:
        try:
            return next(self._steps) if past is None else self._steps.send(past)
        except StopIteration as end:
            ending: MigrationEnd = end.value
            return ending

    def _enter(self, step: Step) -> None:
        if step.guest_share == 0.0 and self._shares[0] > 0.0:
            self._actions.on_suspend()
        if step.arrived and not self._arrived:
            self._actions.on_arrive(step.exposed)
            self._arrived, self._away, self._shares = True, step.exposed, UNDISTURBED
        elif self._away and not step.exposed:
            self._away = False
            self._actions.on_fetched()
        shares = (step.guest_share, step.source_share, step.target_share)
        if shares != self._shares:
            self._actions.on_phase(*shares)
            self._shares = shares

    def _step(self, step: Step) -> Generator[simpy.Event, object, tuple[str, Measured]]:
        """Wait, then send; return the cause of an early end and the measures.

        The measures are the time of the whole step and of its transfer, in s, and for how long the
        guest worked, in s of full CPU; the model sizes its next round by them.
        """
        start_s = self._clock.now
        watched = step.guest_share > 0 and not step.arrived
        busy_s = self._busy_s if self._busy_at_s == start_s else self._worked_s(watched)
        self._under_way = step, start_s
        cause, sent_bytes, sending_s = "", 0.0, start_s
        if step.wait_s:
            cause = yield from self._outlast(self._clock.timeout(step.wait_s), step)
            sending_s = self._clock.now
        if not cause and step.size_bytes is not None:
            flow = self._flow = self._send(step, step.size_bytes)
            try:
                cause = yield from self._outlast(flow, step)
            finally:
                self._flow = None
                sent_bytes = self._withdraw(flow, step.size_bytes)
            if not cause and flow.value == math.inf:
                cause, sent_bytes = NETWORK, 0.0
        now_s = self._clock.now
        self._under_way = None
        self._totals.add(step, start_s, now_s, sent_bytes)
        elapsed_s = now_s - start_s
        self._busy_s = self._worked_s(watched)
        self._busy_at_s = now_s if watched else -math.inf
        worked_s = self._busy_s - busy_s if watched else 0.0
        past = Measured(elapsed_s, now_s - sending_s, step.guest_share * elapsed_s, worked_s)
        return cause, past

    def _worked_s(self, watched: bool) -> float:
        return self._actions.busy_s() if watched else 0.0

    def _withdraw(self, flow: Transfer, size_bytes: float) -> float:
        """Return the bytes sent by a transfer, and end it if it is ongoing."""
        if not flow.under_way:
            return size_bytes
        sent_bytes = self._transport.sent_bytes(flow)
        flow.withdraw()
        return sent_bytes

    def _send(self, step: Step, size_bytes: float) -> Transfer:
        start, end = self._source, self._target
        if step.backwards:
            start, end = end, start
        return self._transport.send(start, end, size_bytes, step.cap_bytes_s)

    def _outlast(self, event: simpy.Event, step: Step) -> Generator[simpy.Event, object, str]:
        """Wait for an event; return the cause of an interrupt that ends the step before it."""
        while not event.processed:
            try:
                yield event
            except simpy.Interrupt as interrupt:
                cause = interrupt.cause if interrupt.cause in REASONS else END
                if cause not in _harmless(step):
                    return str(cause)
        return ""

    def _end(self, ending: MigrationEnd) -> MigrationOutcome:
        if not ending.moved:
            self._actions.on_cancel()
        final_place = "target" if ending.moved else "source"
        return self._totals.outcome(self._clock.now, final_place, ending.reaction, ending.reason)

    def _stop(self, step: Step, cause: str) -> Generator[simpy.Event, object, MigrationOutcome]:
        """End early: undone before the guest arrived, lost if a failure cuts it off its pages."""
        final_place = "source"
        if self._arrived:
            final_place = (
                "lost" if step.exposed and cause in {SOURCE, TARGET, NETWORK} else "target"
            )
        elif step.undo_s and cause not in {END, SOURCE}:
            undo = standstill("undo", step.undo_s)
            self._enter(undo)
            yield from self._step(undo)
        if final_place == "lost":
            self._actions.on_lost()
        elif final_place == "source":
            self._actions.on_cancel()
        return self._totals.outcome(self._clock.now, final_place, reason=REASONS[cause])
