"""Decisions that an event calls for, beside those of the rounds."""

from collections.abc import Callable

import simpy

from .base.clock import LAST, Clock


class EventDrivenDecisions:
    """Asks a policy whether to decide whenever something has changed, and at times of its own.

    ``due_s`` says when the policy wants to decide, given what the farm is now; ``decide`` lets it.
    Both are called once all else of an instant has happened, its beats included, and again if the
    decision itself has changed something.
    """

    def __init__(
        self, clock: Clock, due_s: Callable[[], float], decide: Callable[[], None]
    ) -> None:
        self._clock, self._due_s, self._decide = clock, due_s, decide
        self._set_s: set[float] = set()

    def note_change(self) -> None:
        """Note that VMs or hosts have changed at this instant."""
        self._wait_until(self._clock.now)

    def _wait_until(self, instant_s: float) -> None:
        if instant_s in self._set_s:
            return
        self._set_s.add(instant_s)
        event = self._clock.at(instant_s, LAST)
        assert event.callbacks is not None
        event.callbacks.append(self._look)

    def _look(self, event: simpy.Event) -> None:
        del event
        now_s = self._clock.now
        self._set_s.discard(now_s)
        if self._due_s() <= now_s:
            self._decide()
        due_s = self._due_s()
        if now_s < due_s < float("inf"):
            self._wait_until(due_s)
