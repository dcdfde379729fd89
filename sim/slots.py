"""How many moves a host, and the farm, take part in at a time.

A move gets a place at both its ends at once or waits; nobody holds one end while waiting for the
other. Those who wait longest come first among those whose ends are free.
"""

from collections import defaultdict

import simpy

from .clock import Clock


class Slots:
    """Places for moves: ``per_host`` at each host, ``in_all`` over the farm (0: any number)."""

    def __init__(self, clock: Clock, per_host: int, in_all: int = 0) -> None:
        self._clock, self._per_host, self._in_all = clock, per_host, in_all
        self._used: defaultdict[int, int] = defaultdict(int)
        self._moves = 0
        self._number = 0
        self._number_of: dict[simpy.Event, int] = {}
        self._waiting: defaultdict[int, dict[int, tuple[simpy.Event, tuple[int, int]]]]
        self._waiting = defaultdict(dict)

    def take(self, source: int, target: int) -> simpy.Event:
        """Return an event that fires when the move has a place at both ends."""
        event = self._clock.event()
        ends = (source, target)
        if self._free(ends):
            self._begin(event, ends)
            return event
        self._number += 1
        self._number_of[event] = self._number
        for host in ends:
            self._waiting[host][self._number] = (event, ends)
        return event

    def give_back(self, event: simpy.Event, source: int, target: int) -> None:
        """End a move, or its waiting if ``event`` has not fired."""
        ends = (source, target)
        if not event.triggered:
            self._forget(event, ends)
            return
        self._moves -= 1
        for host in ends:
            self._used[host] -= 1
        # Only moves at these two hosts can begin now, unless the farm as a whole was full.
        full = self._in_all and self._moves == self._in_all - 1
        hosts = list(self._waiting) if full else list(ends)
        able = {
            number: each
            for host in hosts
            if host in self._waiting
            for number, each in self._waiting[host].items()
        }
        for number in sorted(able):
            waiting, their_ends = able[number]
            if self._free(their_ends):
                self._forget(waiting, their_ends)
                self._begin(waiting, their_ends)

    def _free(self, ends: tuple[int, int]) -> bool:
        if self._in_all and self._moves >= self._in_all:
            return False
        return all(self._used[host] < self._per_host for host in ends)

    def _begin(self, event: simpy.Event, ends: tuple[int, int]) -> None:
        self._moves += 1
        for host in ends:
            self._used[host] += 1
        event.succeed()

    def _forget(self, event: simpy.Event, ends: tuple[int, int]) -> None:
        number = self._number_of.pop(event)
        for host in ends:
            queue = self._waiting[host]
            del queue[number]
            if not queue:
                del self._waiting[host]
