"""Simulation of every request of selected VMs within a run, in addition to the formulas.

A VM under the microscope has the arrival rate and the speed that its formula is given from event
to event; requests come as a Poisson process and share the vCPUs.
"""

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.farm.farm import Farm
from ...models.state.columns import VmState
from ..base.clock import Clock
from ..base.random_streams import Streams
from .ledgers import RequestLoad, offered
from .request_queue import Arrivals, Distribution, RequestQueue, works


class Microscope:
    """Request queues of some VMs, ``rows``.

    Each VM has generators of its own for interarrival times and work, so that runs with other
    policies draw the same numbers. ``load`` is that of the service ledger.
    """

    def __init__(self, farm: Farm, load: RequestLoad, rows: Ints, streams: Streams) -> None:
        self._farm, self._load, self._streams = farm, load, streams
        self.rows = rows
        self._clock: Clock | None = None
        self._queues: list[RequestQueue] = []
        self._arrivals: list[Arrivals] = []
        self._retuned_s: list[float] = []
        self._latency_s: list[Floats] = []
        self._retuning = False

    def attach(self, clock: Clock) -> None:
        """Set up the queues on the run's clock; nothing arrives before the first step."""
        self._clock = clock
        self._farm.own_ledgers.append(self)
        vms = self._farm.vms
        for row in self.rows.tolist():
            size = int(vms.size[row])
            cv = float(np.sqrt(self._load.service_scv[size]))
            gaps = self._streams(f"microscope.arrivals.{row}")
            sizes = self._streams(f"microscope.work.{row}")
            work_mhz_s = float(self._load.work_mhz_s[size])
            queue = RequestQueue(clock, int(vms.vcpus[row]), speed=0.0)
            drawn = works(sizes, work_mhz_s, distribution(cv), cv)
            self._queues.append(queue)
            self._arrivals.append(Arrivals(clock, queue, drawn, gaps))

    def settle(self, hosts: Ints, now_s: float) -> None:
        """Look again at the VMs of hosts that are about to change, once they have changed."""
        if np.isin(self._farm.vms.host[self.rows], hosts).any():
            self._retune_later(now_s)

    def settle_all(self, now_s: float) -> None:
        """Do nothing: after a change of all demand the queues are retuned anyway."""

    def enter(self, vms: Ints, now_s: float) -> None:
        """Look again at VMs that come to a host."""
        if np.isin(self.rows, vms).any():
            self._retune_later(now_s)

    def _retune_later(self, now_s: float) -> None:
        if not self._retuning:
            assert self._clock is not None
            self._retuning = True
            event = self._clock.at(now_s)
            event.callbacks = [lambda _: self.retune()]

    def retune(self) -> None:
        """Update arrival rate and speed of every queue.

        A VM without a host makes no requests, one that is on storage makes them and stands still.

        Called after each change of the demand, and once an instant when the hosts of these VMs
        change.
        """
        assert self._clock is not None
        self._retuning = False
        vms, rows = self._farm.vms, self.rows
        placed = np.flatnonzero(vms.host[rows] >= 0)
        stored = np.flatnonzero(vms.state[rows] == VmState.SUSPENDED)
        rate_per_s, speed_mhz, latency_s = np.zeros((3, len(rows)))
        rate_per_s[placed], capacity_mhz, latency_s[placed] = offered(
            self._farm, self._load, rows[placed]
        )
        speed_mhz[placed] = capacity_mhz / vms.vcpus[rows[placed]]
        kept = rows[stored]
        rate_per_s[stored] = vms.demand_mhz[kept] / self._load.work_mhz_s[vms.size[kept]]
        for queue, speed in zip(self._queues, speed_mhz.tolist(), strict=True):
            queue.set_speed(speed)
        for arrivals, rate in zip(self._arrivals, rate_per_s.tolist(), strict=True):
            arrivals.set_rate(rate)
        self._retuned_s.append(float(self._clock.now))
        self._latency_s.append(latency_s)

    def responses_s(self) -> list[Floats]:
        """Return the response times of completed requests of each VM, in order of completion.

        A request has the latency that the layer added when it came.
        """
        latency_s = np.array(self._latency_s)
        return [
            np.array(queue.log.response_s)
            + latency_s[np.searchsorted(self._retuned_s, queue.log.arrived_s, "right") - 1, column]
            for column, queue in enumerate(self._queues)
        ]


def distribution(cv: float) -> Distribution:
    """Return the distribution of work for a coefficient of variation."""
    if cv == 0:
        return "deterministic"
    return "exponential" if cv == 1 else "gamma"
