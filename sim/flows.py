"""Transfers under way on a network: who gets how much, and when the bytes have arrived.

Between two events every flow has a constant rate, so what has been sent is exactly the sum of
rates times time. Rates are computed when flows start, end or change, once an instant.
"""

import math
from collections.abc import Generator
from typing import Any, TypeAlias

import numpy as np
import simpy
from simpy.events import NORMAL

from ..models.arrays import Floats, Ints
from ..models.network import Network
from ..models.shares import Shares
from ..models.transport import Transport
from .clock import Clock

Story: TypeAlias = Generator[simpy.Event, Any, float]


class StalledError(Exception):
    """A transfer that gets no bandwidth and would never end."""


class FlowBoard:
    """The transfers that share a network, max-min fairly; rows of hosts are the farm's."""

    def __init__(self, clock: Clock, network: Network, transport: Transport) -> None:
        self._clock, self._transport = clock, transport
        self.network = self._network = network
        payload = transport.payload_bytes_s(network.capacity_mbps * (1 - network.background))
        self._shares = Shares(payload)
        self._transfers: dict[simpy.Process, _Transfer] = {}
        self._flows: dict[int, _Transfer] = {}
        self._sent = np.zeros(len(network))
        self._refreshing = False
        self._alarm: simpy.Event | None = None
        self._alarm_s = math.inf

    def send(
        self, source: int, target: int, size_bytes: float, cap_bytes_s: float = math.inf
    ) -> simpy.Process:
        """Start a transfer; its process ends when the bytes have arrived.

        The value of the process is the time that it took, in s: the latency of the route, in
        which it takes no bandwidth, and the size over the rates that it gets. Interrupting the
        process withdraws the transfer, and its value is then infinite: it never arrives.

        Raises ValueError for a size that is negative or infinite, a cap that is not above zero,
        and hosts that :meth:`.Network.route` refuses.
        """
        if not 0 <= size_bytes < math.inf:
            raise ValueError(f"a transfer of {size_bytes:g} bytes; it must be at least 0, finite")
        route = self._network.route(source, target)
        latency_s = float(self._network.latency_s[route].sum())
        window_bytes_s = self._transport.window_rate(latency_s)
        transfer = _Transfer(source, target, size_bytes, route, window_bytes_s)
        transfer.limit(cap_bytes_s)
        process = self._clock.process(self._story(transfer, self._transport.delay_s(latency_s)))
        self._transfers[process] = transfer
        return process

    def set_cap(self, transfer: simpy.Process, cap_bytes_s: float) -> None:
        """Change the cap of a transfer under way; ValueError where it is not above zero."""
        flow = self._transfers[transfer]
        flow.limit(cap_bytes_s)
        if flow.row >= 0:
            self._shares.set_cap(flow.row, flow.cap_bytes_s)
            self._refresh_later()

    @property
    def active(self) -> int:
        """Transfers under way, also those whose first byte has not yet arrived."""
        return len(self._transfers)

    def rate_of(self, transfer: simpy.Process) -> float:
        """Return what a transfer gets now, in bytes/s; 0 before its first byte and at its end."""
        self._refresh()
        flow = self._transfers.get(transfer)
        return self._shares.rate(flow.row) if flow and flow.row >= 0 else 0.0

    def sent_bytes(self, transfer: simpy.Process) -> float:
        """Return what of a transfer under way has been sent; 0 for one that has ended."""
        flow = self._transfers.get(transfer)
        if not flow:
            return 0.0
        if flow.arrived:
            return flow.size_bytes
        if flow.row < 0:
            return 0.0
        return flow.size_bytes - self._shares.left_bytes(flow.row, self._clock.now)

    @property
    def link_bytes(self) -> Floats:
        """What each link has carried so far, in bytes, cross traffic included."""
        sent = self._sent.copy()
        for row, flow in self._flows.items():
            self._book(sent, flow, flow.size_bytes - self._shares.left_bytes(row, self._clock.now))
        return sent

    @property
    def link_rates(self) -> Floats:
        """What each link carries now, in bytes/s, cross traffic included."""
        self._refresh()
        return self._shares.loads()

    def _story(self, transfer: "_Transfer", delay_s: float) -> Story:
        clock, start_s = self._clock, self._clock.now
        arrived = False
        try:
            if delay_s > 0:
                yield clock.timeout(delay_s)
            if transfer.size_bytes > 0:
                yield self._enter(transfer)
            arrived = True
        except simpy.Interrupt:
            arrived = transfer.arrived
        if transfer.row >= 0:
            self._leave(transfer, self._shares.left_bytes(transfer.row, clock.now))
        del self._transfers[clock.active_process]  # type: ignore[arg-type]
        return clock.now - start_s if arrived else math.inf

    def _enter(self, transfer: "_Transfer") -> simpy.Event:
        links, weights = self._loads(transfer.route)
        transfer.row = self._shares.add(
            links, weights, transfer.cap_bytes_s, transfer.size_bytes, self._clock.now
        )
        self._flows[transfer.row] = transfer
        transfer.end = self._clock.event()
        self._refresh_later()
        return transfer.end

    def _loads(self, route: Ints) -> tuple[Ints, Floats]:
        """Return the links that a flow loads and by how much per unit of its rate."""
        cross = self._transport.cross_traffic
        if not cross:
            return route, np.ones(len(route))
        back = self._network.reverse[route]
        shared = back == route
        weights = np.concatenate(
            [np.where(shared, 1 + cross, 1.0), np.full((~shared).sum(), cross)]
        )
        return np.concatenate([route, back[~shared]]), weights

    def _leave(self, transfer: "_Transfer", left_bytes: float) -> None:
        self._book(self._sent, transfer, transfer.size_bytes - left_bytes)
        del self._flows[transfer.row]
        self._shares.remove(transfer.row)
        transfer.row = -1
        self._refresh_later()

    def _book(self, sent: Floats, transfer: "_Transfer", size_bytes: float) -> None:
        links, weights = self._loads(transfer.route)
        sent[links] += weights * size_bytes

    def _refresh_later(self) -> None:
        """Share anew once at this instant, however many transfers start and end at it."""
        if not self._refreshing:
            self._refreshing = True
            event = self._clock.at(self._clock.now)
            event.callbacks = [lambda _: self._refresh()]

    def _refresh(self) -> None:
        if not self._refreshing:
            return
        self._refreshing = False
        stalled = self._shares.refresh(self._clock.now)
        if stalled:
            raise StalledError(self._stall(self._flows[stalled[0]]))
        due_s = self._shares.next_end_s()
        if due_s != self._alarm_s:
            self._alarm_s = due_s
            self._alarm = self._clock.at(due_s, NORMAL) if due_s < math.inf else None
            if self._alarm:
                self._alarm.callbacks = [self._end_due]

    def _stall(self, flow: "_Transfer") -> str:
        hosts = self._network.hosts
        over = ", ".join(self._network.names[link] for link in flow.route.tolist())
        return (
            f"at {self._clock.now:g} s the transfer of {flow.size_bytes:g} bytes from "
            f"{hosts[flow.source]} to {hosts[flow.target]} gets no bandwidth over {over}"
        )

    def _end_due(self, alarm: simpy.Event) -> None:
        if alarm is not self._alarm:
            return
        self._alarm, self._alarm_s = None, math.inf
        for row in self._shares.ended(self._clock.now):
            flow = self._flows[row]
            flow.arrived = True
            self._leave(flow, 0.0)
            if flow.end:
                flow.end.succeed()


class _Transfer:
    """What the board knows of one transfer; ``row`` is its row in the shares, or -1."""

    def __init__(
        self, source: int, target: int, size_bytes: float, route: Ints, window_bytes_s: float
    ) -> None:
        self.source, self.target, self.size_bytes = source, target, size_bytes
        self.route, self._window_bytes_s = route, window_bytes_s
        self.cap_bytes_s = window_bytes_s
        self.row = -1
        self.arrived = False
        self.end: simpy.Event | None = None

    def limit(self, cap_bytes_s: float) -> None:
        if not cap_bytes_s > 0:
            raise ValueError(f"a cap of {cap_bytes_s:g} bytes/s; it must be above 0")
        self.cap_bytes_s = min(cap_bytes_s, self._window_bytes_s)
