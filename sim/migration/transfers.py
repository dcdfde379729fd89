"""Ongoing network transfers: their rates, and when they end.

Between two events every flow has a constant rate, so what has been sent is exactly the sum of
rates times time. Rates are computed when flows start, end or change, once an instant.
"""

import math
from typing import NamedTuple

import numpy as np
import simpy
from simpy.events import NORMAL

from ...models.base.arrays import Floats, Ints, Singles, added, singles
from ...models.network.flow_rates import Shares
from ...models.network.network import Network
from ...models.network.transport import Transport
from ..base.clock import Clock

MAX_CACHED_PATHS = 100_000
"""Pairs of hosts whose way is remembered: as many as moves of a large farm use at a time."""


class StalledError(Exception):
    """A transfer without bandwidth, which would never end.

    Max-min fair sharing gives every flow a positive rate, so a link of its route has no capacity
    beside the background traffic.
    """


class FlowPath(NamedTuple):
    """A route from one host to another.

    ``loads`` is what a unit of rate puts on each of ``links``, which with cross traffic are
    more than ``route``; ``window_bytes_s`` the most that a stream gets.
    """

    route: list[int]
    links: list[int]
    loads: list[float]
    delay_s: float
    window_bytes_s: float


NO_PATH = FlowPath([], [], [], 0.0, math.inf)


class FlowNetwork:
    """Transfers that share a network max-min fairly, by rows of hosts of the farm.

    Rates are those of progressive filling (Bertsekas and Gallager, Data Networks, 1992, section
    6.5.2), computed by :class:`.Shares` for the links without their background traffic. Sizes are
    in bytes, rates in bytes/s, times in s.
    """

    def __init__(self, clock: Clock, network: Network, transport: Transport) -> None:
        self._clock, self._transport = clock, transport
        self.network = self._network = network
        payload = transport.payload_bytes_s(network.capacity_mbps * (1 - network.background))
        self._shares = Shares(payload)
        self._paths: dict[tuple[int, int], FlowPath] = {}
        self._flows: dict[int, Transfer] = {}
        self._sent = np.zeros(len(network))
        self._sent_of = singles(self._sent)
        self._refreshing = False
        self._alarm: simpy.Event | None = None
        self._alarm_s = math.inf
        self._beyond: set[int] = set()

    def send(
        self, source: int, target: int, size_bytes: float, cap_bytes_s: float = math.inf
    ) -> "Transfer":
        """Start a transfer, an event that fires when the bytes have arrived.

        Its value is the time that it took, in s: the latency of the route, in which it takes no
        bandwidth, and the size over the rates that it gets. It is infinite if the transfer was
        withdrawn: it never arrives.

        Raises ValueError for a size that is negative or infinite, a cap that is not above zero,
        and hosts that :meth:`.Network.route` refuses.
        """
        if not 0 <= size_bytes < math.inf:
            raise ValueError(f"a transfer of {size_bytes:g} bytes; it must be at least 0, finite")
        if self._beyond and not self._beyond.isdisjoint((source, target)):
            path = NO_PATH
        else:
            path = self._paths.get((source, target)) or self._find(source, target)
        transfer = Transfer(self, self._clock, (source, target), size_bytes, path)
        if cap_bytes_s != math.inf:
            transfer.limit(cap_bytes_s)
        if path is NO_PATH:
            transfer.withdraw()
        elif path.delay_s > 0:
            first_byte = self._clock.timeout(path.delay_s)
            first_byte.callbacks = [transfer.enter]
        else:
            transfer.enter()
        return transfer

    def reroute(self, beyond: Ints) -> None:
        """Recompute routes; transfers from or to unreachable hosts ``beyond`` never arrive.

        ``beyond`` are rows of hosts. Transfers under way keep their route; those over failed links
        end because :meth:`.NetworkMigrations.cut_links` interrupts their migrations.
        """
        self._paths.clear()
        self._beyond = set(beyond.tolist())

    def _find(self, source: int, target: int) -> FlowPath:
        network, transport = self._network, self._transport
        route = network.path(source, target)
        latency_s = added(map(network.latency_s.item, route))
        links, loads = self._loads(route)
        if len(self._paths) >= MAX_CACHED_PATHS:
            self._paths.clear()
        path = self._paths[source, target] = FlowPath(
            route, links, loads, transport.delay_s(latency_s), transport.window_rate(latency_s)
        )
        return path

    def _loads(self, route: list[int]) -> tuple[list[int], list[float]]:
        """Return the links that a flow loads and by how much per unit of its rate."""
        cross = self._transport.cross_traffic
        if not cross:
            return route, [1.0] * len(route)
        ways = [(link, self._network.reverse.item(link)) for link in route]
        others = [back for link, back in ways if back != link]
        loads = [1.0 + cross if back == link else 1.0 for link, back in ways]
        return route + others, loads + [cross] * len(others)

    def rate_of(self, transfer: "Transfer") -> float:
        """Return what a transfer gets now, in bytes/s; 0 before its first byte and at its end."""
        self._refresh()
        return self._shares.rate(transfer.row) if transfer.row >= 0 else 0.0

    def sent_bytes(self, transfer: "Transfer") -> float:
        """Return what of a transfer has been sent.

        Of one that has arrived or was withdrawn it is the final figure.
        """
        if transfer.row < 0:
            return transfer.sent_bytes
        return transfer.size_bytes - self._shares.left_bytes(transfer.row, self._clock.now)

    @property
    def link_bytes(self) -> Floats:
        """What each link has carried so far, in bytes, cross traffic included."""
        sent = self._sent.copy()
        sent_of = singles(sent)
        for flow in self._flows.values():
            _book(sent_of, flow.path, self.sent_bytes(flow))
        return sent

    @property
    def link_rates(self) -> Floats:
        """What each link carries now, in bytes/s, cross traffic included."""
        self._refresh()
        return self._shares.loads()

    def enter(self, transfer: "Transfer") -> None:
        """Start sharing bandwidth with a transfer whose first byte arrives.

        Called by the transfer itself after the latency of its route. A transfer of no bytes ends
        here and takes no bandwidth.
        """
        if not transfer.size_bytes:
            self._end(transfer)
            return
        path = transfer.path
        transfer.row = self._shares.add(
            path.links, path.loads, transfer.cap_bytes_s, transfer.size_bytes, self._clock.now
        )
        self._flows[transfer.row] = transfer
        self._refresh_later()

    def withdraw(self, transfer: "Transfer") -> None:
        """End a transfer before all of its bytes have arrived.

        Its value is then infinite; :attr:`Transfer.sent_bytes` says how far it came.
        """
        if transfer.row >= 0:
            self._leave(transfer, self.sent_bytes(transfer))
        transfer.under_way = False
        transfer.succeed(math.inf)

    def _end(self, transfer: "Transfer") -> None:
        transfer.under_way = False
        self._clock.fire(transfer, self._clock.now - transfer.start_s)

    def _leave(self, transfer: "Transfer", sent_bytes: float) -> None:
        _book(self._sent_of, transfer.path, sent_bytes)
        transfer.sent_bytes = sent_bytes
        del self._flows[transfer.row]
        self._shares.remove(transfer.row)
        transfer.row = -1
        self._refresh_later()

    def _refresh_later(self) -> None:
        """Share anew once at this instant, however many transfers start and end at it."""
        if not self._refreshing:
            self._refreshing = True
            self._clock.late(self._refresh)

    def _refresh(self, _: simpy.Event | None = None) -> None:
        if not self._refreshing:
            return
        self._refreshing = False
        shares = self._shares
        stalled = shares.refresh(self._clock.now)
        if stalled:
            raise StalledError(self._stall(self._flows[stalled[0]]))
        due_s = shares.next_end_s()
        if due_s != self._alarm_s:
            self._alarm_s = due_s
            self._alarm = self._clock.at(due_s, NORMAL) if due_s < math.inf else None
            if self._alarm:
                self._alarm.callbacks = [self._end_due]

    def _stall(self, flow: "Transfer") -> str:
        source, target = (self._network.hosts[end] for end in flow.ends)
        over = ", ".join(self._network.names[link] for link in flow.path.route)
        return (
            f"at {self._clock.now:g} s the transfer of {flow.size_bytes:g} bytes from "
            f"{source} to {target} gets no bandwidth over {over}"
        )

    def _end_due(self, alarm: simpy.Event) -> None:
        if alarm is not self._alarm:
            return
        self._alarm, self._alarm_s = None, math.inf
        for row in self._shares.ended(self._clock.now):
            flow = self._flows[row]
            self._leave(flow, flow.size_bytes)
            self._end(flow)


class Transfer(simpy.Event):
    """An ongoing transfer; ``row`` is its flow in the shares, or -1.

    ``ends`` are rows of hosts, source first. ``under_way`` tells whether it has neither arrived nor
    been withdrawn. ``sent_bytes`` is valid once the transfer has ended; before that ask
    :meth:`FlowNetwork.sent_bytes`. A process waits for it like for any event.
    """

    def __init__(
        self,
        flow_network: FlowNetwork,
        clock: Clock,
        ends: tuple[int, int],
        size_bytes: float,
        path: FlowPath,
    ) -> None:
        super().__init__(clock)
        self._flow_network, self.ends, self.size_bytes, self.path = (
            flow_network,
            ends,
            size_bytes,
            path,
        )
        self.start_s = clock.now
        self.cap_bytes_s = path.window_bytes_s
        self.sent_bytes = 0.0
        self.row = -1
        self.under_way = True

    def withdraw(self) -> None:
        """End the transfer; unsent bytes are dropped."""
        if self.under_way:
            self._flow_network.withdraw(self)

    def enter(self, _: simpy.Event | None = None) -> None:
        """Note that the first byte arrives, unless the transfer has been withdrawn."""
        if self.under_way:
            self._flow_network.enter(self)

    def limit(self, cap_bytes_s: float) -> None:
        """Set the maximum bytes/s of the transfer, limited by the window.

        Called once, before the first byte. Raises ValueError if the cap is not above 0.
        """
        if not cap_bytes_s > 0:
            raise ValueError(f"a cap of {cap_bytes_s:g} bytes/s; it must be above 0")
        self.cap_bytes_s = min(cap_bytes_s, self.path.window_bytes_s)


def _book(sent: Singles, path: FlowPath, size_bytes: float) -> None:
    for link, load in zip(path.links, path.loads, strict=True):
        sent[link] += load * size_bytes
