"""Simulated time on SimPy: exact instants, and beats that come after everything else."""

import math
from collections.abc import Iterator

import simpy
from simpy.events import EventPriority

RETURN = EventPriority(2)
"""Priority of those who wait for hosts that come back, once all have come back that do so then."""

ARRIVAL = EventPriority(3)
"""Priority of requests: who leaves at the same instant makes room first."""

LATE = EventPriority(4)
"""Priority of beats; SimPy gives 0 to interrupts and 1 to all other events."""

LAST = EventPriority(4)
"""Priority of decisions that an event calls for: all else of the instant has happened by then."""


class Clock(simpy.Environment):
    """SimPy's environment, able to wait for an instant instead of a delay."""

    def at(self, instant_s: float, priority: EventPriority = LATE) -> simpy.Event:
        """Return an event that fires at ``instant_s`` exactly, after other events then."""
        now_s = self.now
        delay_s = instant_s - now_s
        while now_s + delay_s < instant_s:
            delay_s = math.nextafter(delay_s, math.inf)
        event = simpy.Event(self)
        event._ok = True
        event._value = None
        self.schedule(event, priority, delay_s)
        return event

    @staticmethod
    def fire(event: simpy.Event, value: object) -> None:
        """Let an event happen within the one that is happening, instead of right after it.

        Not to be called by a process, within which no other can go on.
        """
        event._ok, event._value = True, value
        waiting, event.callbacks = event.callbacks, None  # type: ignore[assignment]
        for callback in waiting:
            callback(event)


def beats(steps_s: list[float], end_s: float) -> Iterator[tuple[float, list[bool]]]:
    """Yield every instant before ``end_s`` that is a multiple of a step, and which of them.

    Instants are ``k * step``, never sums; an infinite step beats at 0 only.
    """
    counts = [0] * len(steps_s)
    while True:
        due_s = [_multiple(k, step) for k, step in zip(counts, steps_s, strict=True)]
        now_s = min(due_s)
        if now_s >= end_s:
            return
        due = [instant <= now_s for instant in due_s]
        counts = [k + 1 if hit else k for k, hit in zip(counts, due, strict=True)]
        yield now_s, due


def _multiple(k: int, step_s: float) -> float:
    return k * step_s if k else 0.0
