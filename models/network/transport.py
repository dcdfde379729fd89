"""Latency, protocol overhead and window of transfers."""

import math

from ..base.arrays import Floats
from ..base.lazy_dataclass import dataclass
from ..base.parameters import parameter

BYTES_PER_MEGABIT = 1e6 / 8
BYTES_PER_MIB = 1024.0 * 1024.0


@dataclass(frozen=True)
class Transport:
    """How a stream of bytes uses a route.

    Alone on links of B bytes/s each it takes::

        time_s = latency_factor * latency_s + bytes / rate
        rate = min(bandwidth_factor * B, cap, bandwidth_factor * window / (2 * latency_s))

    A flow of rate x also puts ``cross_traffic * x`` on the opposite direction of every link of
    its route: the acknowledgements. Where both directions share a line, a flow that is alone
    gets ``bandwidth_factor * B / (1 + cross_traffic)``.

    Velho and Legrand (SIMUTools 2009) fitted the factors of LV08 to packet-level simulations;
    CM02 is the model before that fit (Casanova and Marchal, INRIA RR-4596, 2002). Both also
    slow down flows of long round trips against short ones on a shared link; here a link treats
    its flows alike, so the three settings agree with theirs where latencies are equal.
    """

    latency_factor: float = parameter("What the latency of a route is multiplied with.", 1.0, ge=0)
    bandwidth_factor: float = parameter(
        "Part of a link's bandwidth that carries payload.", 1.0, dimension="share", gt=0, le=1
    )
    cross_traffic: float = parameter(
        "Load on the opposite direction of a link, as part of the flow.",
        0.0,
        dimension="share",
        ge=0,
        le=1,
    )
    tcp_window_mib: float = parameter(
        "What may be under way unacknowledged; 0: any amount.",
        0.0,
        key="tcp_window",
        dimension="memory",
        ge=0,
    )

    def __post_init__(self) -> None:
        if not self.latency_factor >= 0:
            raise ValueError(f"latency_factor {self.latency_factor:g} must be at least 0")
        if not 0 < self.bandwidth_factor <= 1:
            raise ValueError(
                f"bandwidth_factor {self.bandwidth_factor:g} must be above 0 and at most 1"
            )
        if not 0 <= self.cross_traffic <= 1:
            raise ValueError(f"cross_traffic {self.cross_traffic:g} must be between 0 and 1")
        if not self.tcp_window_mib >= 0:
            raise ValueError(f"tcp_window_mib {self.tcp_window_mib:g} must be at least 0")

    def delay_s(self, latency_s: float) -> float:
        """Return how long the first byte takes over a route of that latency, in s."""
        return self.latency_factor * latency_s

    def window_rate(self, latency_s: float) -> float:
        """Return the rate in bytes/s that the window allows on a route of that latency."""
        if latency_s == 0 or self.tcp_window_mib == 0:
            return math.inf
        return self.bandwidth_factor * self.tcp_window_mib * BYTES_PER_MIB / (2 * latency_s)

    def payload_bytes_s(self, capacity_mbps: Floats) -> Floats:
        """Return what links of that capacity carry, in bytes/s."""
        payload: Floats = capacity_mbps * (BYTES_PER_MEGABIT * self.bandwidth_factor)
        return payload


PLAIN = Transport()
"""Bytes over bandwidth, and the latency once."""

LV08 = Transport(
    latency_factor=13.01, bandwidth_factor=0.97, cross_traffic=0.05, tcp_window_mib=4.0
)
"""SimGrid's default network model."""

CM02 = Transport(cross_traffic=0.05, tcp_window_mib=4.0)
"""SimGrid's older network model: no correction of latency and bandwidth."""

TRANSPORTS = {"plain": PLAIN, "lv08": LV08, "cm02": CM02}
