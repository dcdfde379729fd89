"""Simulated time on SimPy: exact instants, rows that are due at them, and the beats of a run."""

import math
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
import simpy
from simpy.events import EventPriority

from ...models.base.arrays import Floats, Ints, distinct

RETURN = EventPriority(2)
"""Priority of those who wait for hosts that come back, once all have come back that do so then."""

ARRIVAL = EventPriority(3)
"""Priority of requests: who leaves at the same instant makes room first."""

LATE = EventPriority(4)
"""Priority of beats; SimPy gives 0 to interrupts and 1 to all other events."""

LAST = EventPriority(4)
"""Priority of decisions that an event calls for: all else of the instant has happened by then."""


class Clock(simpy.Environment):
    """SimPy's environment, with waiting until a time instead of for a delay.

    Events of one instant happen in the order of their priorities, and of one priority in the order
    in which they were scheduled: SimPy's 0 and 1, then RETURN, ARRIVAL, and at the end LATE and
    LAST, which are equal.
    """

    def at(self, instant_s: float, priority: EventPriority = LATE) -> simpy.Event:
        """Return an event that fires at ``instant_s`` exactly, after other events then.

        ``instant_s`` is not before now. The instant is reached exactly although SimPy adds delays:
        the delay is enlarged by single steps of floating-point numbers until the sum does not fall
        short.
        """
        now_s = self.now
        delay_s = instant_s - now_s
        while now_s + delay_s < instant_s:
            delay_s = math.nextafter(delay_s, math.inf)
        event = simpy.Event(self)
        event._ok = True
        event._value = None
        self.schedule(event, priority, delay_s)
        return event

    def late(self, act: Callable[[simpy.Event], None]) -> None:
        """Call ``act`` at the present instant, after other events then."""
        event = simpy.Event(self)
        event._ok, event._value = True, None
        event.callbacks = [act]
        self.schedule(event, LATE)

    @staticmethod
    def fire(event: simpy.Event, value: object) -> None:
        """Let an event happen within the one that is happening, instead of right after it.

        Not to be called by a process, within which no other can go on.

        For events that nobody has scheduled or triggered; ``value`` is what a waiting process gets.
        """
        event._ok, event._value = True, value
        waiting, event.callbacks = event.callbacks, None  # type: ignore[assignment]
        for callback in waiting:
            callback(event)


class DueRows:
    """Calls ``act`` once per time with the rows due, ascending.

    A row that is entered again is due at the later entry's instant only.

    For thousands of VMs with dates of their own: there is one event of the clock per instant, not
    per row. ``act`` is called with rows (n,) that are off the agenda already, so that it may enter
    them again.
    """

    def __init__(
        self, clock: Clock, rows: int, act: Callable[[Ints], None], priority: EventPriority
    ) -> None:
        self._clock, self._act, self._priority = clock, act, priority
        self._due_s = np.full(rows, np.nan)
        self._entries: dict[float, list[int]] = {}

    def enter(self, rows: Ints, instants_s: Floats) -> None:
        """Let rows be due at instants that are not in the past; never where they are infinite.

        ``rows`` and ``instants_s`` have the same length, times in s.
        """
        self._due_s[rows] = instants_s
        order = np.argsort(instants_s, kind="stable")
        order = order[np.isfinite(instants_s[order])]
        # One by one: most instants are those of a single row.
        for row, instant_s in zip(rows[order].tolist(), instants_s[order].tolist(), strict=True):
            if instant_s not in self._entries:
                self._entries[instant_s] = []
                self._alarm(instant_s)
            self._entries[instant_s].append(row)

    def enter_one(self, row: int, instant_s: float) -> None:
        """Do as :meth:`enter` for one row."""
        self._due_s[row] = instant_s
        if instant_s == math.inf:
            return
        entries = self._entries.get(instant_s)
        if entries is None:
            entries = self._entries[instant_s] = []
            self._alarm(instant_s)
        entries.append(row)

    def cancel_one(self, row: int) -> None:
        """Take one row off the agenda."""
        self._due_s[row] = math.nan

    def due_of(self, row: int) -> float:
        """Return when one row is due, in s; NaN if it is not on the agenda."""
        return float(self._due_s.item(row))

    def cancel(self, rows: Ints) -> None:
        """Take rows off the agenda."""
        self._due_s[rows] = np.nan

    def due_s(self, rows: Ints) -> Floats:
        """Return when rows are due; NaN for those that are not on the agenda."""
        due_s: Floats = self._due_s[rows]
        return due_s

    def _alarm(self, instant_s: float) -> None:
        event = self._clock.at(instant_s, self._priority)
        assert event.callbacks is not None

        def fire(_: simpy.Event) -> None:
            due = self._due_s.item
            entries = [row for row in self._entries.pop(instant_s) if due(row) == instant_s]
            if entries:
                rows = distinct(np.array(entries, np.int64))
                self._due_s[rows] = np.nan
                self._act(rows)

        event.callbacks.append(fire)


def beats(steps_s: list[float], end_s: float) -> Iterator[tuple[float, list[bool]]]:
    """Yield every instant before ``end_s`` that is a multiple of a step, and which of them.

    Instants are ``k * step``, never sums; an infinite step beats at 0 only.

    ``steps_s`` are above 0. Each item is an instant in s and one flag per step.
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


class Beats:
    """The beats of :func:`beats`, one after another, with a look at those ahead."""

    def __init__(self, steps_s: list[float], end_s: float) -> None:
        self._beats = beats(steps_s, end_s)
        self._ahead: deque[tuple[float, list[bool]]] = deque()

    def __iter__(self) -> Iterator[tuple[float, list[bool]]]:
        return self

    def __next__(self) -> tuple[float, list[bool]]:
        return self._ahead.popleft() if self._ahead else next(self._beats)

    def ahead(self) -> Iterator[tuple[float, list[bool]]]:
        """Yield the beats ahead, which stay to come."""
        yield from tuple(self._ahead)
        for beat in self._beats:
            self._ahead.append(beat)
            yield beat


def _multiple(k: int, step_s: float) -> float:
    return k * step_s if k else 0.0
