"""Every request of chosen VMs, one by one, inside the farm, beside the formulas.

A VM under the microscope has the arrival rate and the speed that its formula is given in each
step of the workload; requests come as a Poisson process and share the vCPUs.
"""

import numpy as np

from ..models.arrays import Floats, Ints
from ..models.farm import Farm
from .clock import Clock
from .ledger import RequestLoad, offered
from .requests import Arrivals, Distribution, RequestLog, RequestQueue, works
from .streams import Streams


class Microscope:
    """Request queues of some VMs, ``rows``; ``logs`` holds what happened in each."""

    def __init__(self, farm: Farm, load: RequestLoad, rows: Ints, streams: Streams) -> None:
        self._farm, self._load, self._streams = farm, load, streams
        self.rows = rows
        self._queues: list[RequestQueue] = []
        self._arrivals: list[Arrivals] = []

    def attach(self, clock: Clock) -> None:
        """Set up the queues on the run's clock; nothing arrives before the first step."""
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

    def retune(self) -> None:
        """Give every queue the rate and the speed that demand and host now mean."""
        rows = self.rows[self._farm.vms.host[self.rows] >= 0]
        rate_per_s, capacity_mhz, _ = offered(self._farm, self._load, rows)
        speed_mhz = capacity_mhz / self._farm.vms.vcpus[rows]
        now = dict(zip(rows.tolist(), zip(rate_per_s, speed_mhz, strict=True), strict=True))
        for row, queue, arrivals in zip(
            self.rows.tolist(), self._queues, self._arrivals, strict=True
        ):
            rate, speed = now.get(row, (0.0, 0.0))
            queue.set_speed(float(speed))
            arrivals.set_rate(float(rate))

    @property
    def logs(self) -> list[RequestLog]:
        """What happened in each queue, in the order of ``rows``."""
        return [queue.log for queue in self._queues]

    def latency_s(self) -> Floats:
        """Return what the layer adds to the requests of each VM on its present host, in s."""
        return offered(self._farm, self._load, self.rows)[2]


def distribution(cv: float) -> Distribution:
    """Return the distribution of work that a coefficient of variation stands for."""
    if cv == 0:
        return "deterministic"
    return "exponential" if cv == 1 else "gamma"
