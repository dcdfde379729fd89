"""Rows that are due at instants: one event an instant, however many rows it concerns."""

from collections.abc import Callable

import numpy as np
import simpy
from simpy.events import EventPriority

from ...models.base.arrays import Floats, Ints, distinct
from .clock import Clock


class DueRows:
    """Calls ``act`` with the rows that are due, ascending, once for each instant.

    A row that is entered again is due at the later entry's instant only.
    """

    def __init__(
        self, clock: Clock, rows: int, act: Callable[[Ints], None], priority: EventPriority
    ) -> None:
        self._clock, self._act, self._priority = clock, act, priority
        self._due_s = np.full(rows, np.nan)
        self._entries: dict[float, list[int]] = {}

    def enter(self, rows: Ints, instants_s: Floats) -> None:
        """Let rows be due at instants that are not in the past; never where they are infinite."""
        self._due_s[rows] = instants_s
        order = np.argsort(instants_s, kind="stable")
        order = order[np.isfinite(instants_s[order])]
        # One by one: most instants are those of a single row.
        for row, instant_s in zip(rows[order].tolist(), instants_s[order].tolist(), strict=True):
            if instant_s not in self._entries:
                self._entries[instant_s] = []
                self._alarm(instant_s)
            self._entries[instant_s].append(row)

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
            rows = distinct(np.array(self._entries.pop(instant_s), np.int64))
            rows = rows[self._due_s[rows] == instant_s]
            if len(rows):
                self._due_s[rows] = np.nan
                self._act(rows)

        event.callbacks.append(fire)
