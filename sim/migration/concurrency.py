"""Concurrent migrations: limits, order and priorities.

A move takes a place at both its hosts, on every link that it crosses and in the farm, all at
once, or waits and holds none of them. Of those that wait, the ones of higher priority come
first, then the longest (``planned``), then the one that has waited longest.
"""

import math
from collections import defaultdict
from typing import Literal, NamedTuple, TypeAlias

import simpy

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.migration.conversion import Conversion
from ...models.migration.course import Guest
from ...models.migration.dirty_pages import BYTES_PER_MEGABIT
from ...models.migration.fixed_rate import FixedRate
from ...models.migration.suspend_resume import Cold, Handover
from ...models.network.network import Network
from ...models.network.transport import Transport
from ..base.clock import Clock

Order: TypeAlias = Literal["parallel", "serial", "planned"]
FARM = ("farm", 0)
ROUNDING = 1e-9


@dataclass(frozen=True)
class ConcurrencyLimits:
    """Concurrent migrations per host, in the farm and per link (0: no limit), and their order.

    ``serial`` moves one VM after another. ``planned`` begins a move only where each link of its
    route has as much left, beside the moves under way, as the move could use alone, so that no
    two share a bottleneck; of the moves that wait the longest is looked at first. That is list
    scheduling by longest processing time (Graham, SIAM Journal on Applied Mathematics 17, 1969)
    with links as the machines. It knows neither dirty pages nor latencies: the length of a move
    is memory over its rate alone.
    """

    per_host: int
    in_all: int = 0
    per_link: int = 0
    order: Order = "parallel"

    @property
    def by_link(self) -> bool:
        """Whether the routes of migrations matter."""
        return self.per_link > 0 or self.order == "planned"


class LinkPayloads:
    """Route between two hosts, and bandwidth of each link for migrations, in bytes/s.

    ``payload_bytes_s``, (links,), is the capacity of a link without its background traffic and
    without the overhead of the transport's headers. ``route`` gives the rows of the links from one
    host to another; it raises what :meth:`.Network.route` raises where there is no route.
    """

    def __init__(self, network: Network, transport: Transport) -> None:
        self.route = network.route
        self._latency_s, self._transport = network.latency_s, transport
        free_mbps = network.capacity_mbps * (1.0 - network.background)
        self.payload_bytes_s: Floats = transport.payload_bytes_s(free_mbps)

    def alone_bytes_s(self, route: Ints) -> float:
        """Return what a transfer gets that has a route to itself.

        ``route`` holds rows of links and is not empty. The result is the least payload rate on the
        route, or the rate that the window of one stream allows over its latency if that is lower.
        """
        window_bytes_s = self._transport.window_rate(float(self._latency_s[route].sum()))
        return min(float(self.payload_bytes_s[route].min()), window_bytes_s)


class MigrationDemand(NamedTuple):
    """Properties of a migration before it starts: priority, size and maximum rate.

    A higher ``priority`` goes first. ``size_bytes`` is the memory to be copied, with local disks
    where the model copies them, and 0 where memory stays behind; ``cap_bytes_s`` is infinite where
    the model sets no cap. Only the order ``planned`` uses size and cap.
    """

    priority: int = 0
    size_bytes: float = 0.0
    cap_bytes_s: float = math.inf

    @classmethod
    def of(cls, model: object, guest: Guest, priority: int) -> "MigrationDemand":
        """Return the claim of a guest that a model migrates.

        ``model`` is any migration model; those of which nothing else is known count with the memory
        of the guest and no cap. Pages that are copied again are not counted.
        """
        keeps_memory = isinstance(model, Cold | Conversion)
        size_bytes = 0.0 if keeps_memory else guest.memory_bytes
        if isinstance(model, FixedRate):
            return cls(priority, size_bytes, model.max_mbps * BYTES_PER_MEGABIT)
        if not isinstance(model, Handover):
            return cls(priority, size_bytes)
        if model.storage != "shared":
            size_bytes += guest.disk_bytes
        return cls(priority, size_bytes, model.cap_bytes_s)


Point: TypeAlias = tuple[str, int]
"""A place where moves meet: a host, a link or the farm."""


class _SlotRequest(NamedTuple):
    event: simpy.Event
    points: tuple[Point, ...]
    rate_bytes_s: float
    rank: tuple[float, float, int]


class Slots:
    """Positions for moves at hosts, on links and in the farm.

    A migration that waits holds no slot, so two that wait cannot block each other. ``lines`` is
    needed only where limits concern links (:attr:`ConcurrencyLimits.by_link`); without it routes
    are not looked at.
    """

    def __init__(
        self, clock: Clock, limits: ConcurrencyLimits, lines: LinkPayloads | None = None
    ) -> None:
        self._clock, self._limits = clock, limits
        self._payloads = lines if limits.by_link else None
        in_all = 1 if limits.order == "serial" else limits.in_all
        self._max = {"host": limits.per_host, "link": limits.per_link, "farm": in_all}
        self._used: defaultdict[Point, int] = defaultdict(int)
        self._busy_bytes_s: defaultdict[int, float] = defaultdict(float)
        self._number = 0
        self._requests: dict[simpy.Event, _SlotRequest] = {}
        self._waiting: defaultdict[Point, dict[int, _SlotRequest]] = defaultdict(dict)

    def take(self, source: int, target: int, claim: MigrationDemand | None = None) -> simpy.Event:
        """Return an event that fires when the migration has all its slots.

        ``source`` and ``target`` are rows of hosts. The event may have fired already when it is
        returned. It is to be handed to :meth:`release` exactly once, whether it has fired or not.
        """
        self._number += 1
        move = self._request(source, target, claim or MigrationDemand())
        self._requests[move.event] = move
        if self._free(move):
            self._begin(move)
        else:
            for point in move.points:
                self._waiting[point][move.rank[-1]] = move
        return move.event

    def release(self, event: simpy.Event) -> None:
        """End a migration, or its waiting if ``event`` has not fired.

        Migrations that can begin by that are begun at once, in the order of their ranks. Raises
        KeyError for an event that :meth:`take` did not return or that was released before.
        """
        move = self._requests.pop(event)
        if not event.triggered:
            self._forget(move)
            return
        # Only moves that meet this one where no more could begin are able to begin now.
        full = [point for point in move.points if self._is_full(point)]
        for point in move.points:
            self._used[point] -= 1
            if point[0] == "link":
                self._busy_bytes_s[point[1]] -= move.rate_bytes_s
        able = {
            number: each
            for point in full
            if point in self._waiting
            for number, each in self._waiting[point].items()
        }
        for each in sorted(able.values(), key=lambda waiting: waiting.rank):
            if self._free(each):
                self._forget(each)
                self._begin(each)

    def ranked(self, ends: list[tuple[int, int]], claims: list[MigrationDemand]) -> list[int]:
        """Return the positions of simultaneous migrations in order of precedence.

        ``ends`` are pairs of rows of hosts, source first, one per demand. Higher priority comes
        first, then, with the order ``planned``, the longer migration; ties keep the order given.
        """
        lengths_s = [
            self._rate_and_length(self._route(*each), claim)[1]
            for each, claim in zip(ends, claims, strict=True)
        ]
        return sorted(range(len(ends)), key=lambda at: (-claims[at].priority, -lengths_s[at]))

    def _route(self, source: int, target: int) -> Ints | None:
        return self._payloads.route(source, target) if self._payloads is not None else None

    def _rate_and_length(self, route: Ints | None, claim: MigrationDemand) -> tuple[float, float]:
        """Return bytes/s and s of a migration alone on its route; 0 if not needed."""
        if route is None or self._payloads is None or self._limits.order != "planned":
            return 0.0, 0.0
        rate_bytes_s = min(self._payloads.alone_bytes_s(route), claim.cap_bytes_s)
        return rate_bytes_s, claim.size_bytes / rate_bytes_s

    def _request(self, source: int, target: int, claim: MigrationDemand) -> _SlotRequest:
        points: list[Point] = [("host", source), ("host", target)]
        if self._max["farm"]:
            points.append(FARM)
        route = self._route(source, target)
        if route is not None:
            points += [("link", link) for link in route.tolist()]
        rate_bytes_s, length_s = self._rate_and_length(route, claim)
        rank = (-claim.priority, -length_s, self._number)
        return _SlotRequest(self._clock.event(), tuple(points), rate_bytes_s, rank)

    def _is_full(self, point: Point) -> bool:
        most = self._max[point[0]]
        if most and self._used[point] >= most:
            return True
        return point[0] == "link" and self._limits.order == "planned"

    def _free(self, move: _SlotRequest) -> bool:
        for point in move.points:
            most = self._max[point[0]]
            if most and self._used[point] >= most:
                return False
            if move.rate_bytes_s and point[0] == "link" and not self._carries(point[1], move):
                return False
        return True

    def _carries(self, link: int, move: _SlotRequest) -> bool:
        """Whether a link has enough bandwidth left for a migration, or is unused."""
        assert self._payloads is not None
        if not self._used["link", link]:
            return True
        most_bytes_s = float(self._payloads.payload_bytes_s[link]) * (1.0 + ROUNDING)
        return self._busy_bytes_s[link] + move.rate_bytes_s <= most_bytes_s

    def _begin(self, move: _SlotRequest) -> None:
        for point in move.points:
            self._used[point] += 1
            if point[0] == "link":
                self._busy_bytes_s[point[1]] += move.rate_bytes_s
        move.event.succeed()

    def _forget(self, move: _SlotRequest) -> None:
        for point in move.points:
            queue = self._waiting[point]
            del queue[move.rank[-1]]
            if not queue:
                del self._waiting[point]
