"""Limits that a plan keeps: how far hosts may be filled while so many of them have failed."""

from typing import Final

import numpy as np

from ..base.arrays import Floats
from ..base.lazy_dataclass import dataclass
from .planned_farm import PlannedHosts

UNLIMITED: Final = np.inf


@dataclass(frozen=True)
class LimitRange:
    """Usual values of a limit and where they come from. ``typical`` is the default of a plan."""

    low: float
    typical: float
    high: float
    source: str


LIMITS: Final[dict[str, LimitRange]] = {
    "memory": LimitRange(
        0.9, 1.0, 1.0, "configured memory is a hard limit: no memory is promised twice"
    ),
    "vcpus_per_core": LimitRange(
        3.0, 4.0, 6.0, "rule of practitioners: up to 4 vCPUs per core in normal operation"
    ),
    "vcpus_per_core_failure": LimitRange(
        4.0, 6.0, 8.0, "rule of practitioners: up to 6 vCPUs per core while a host is down"
    ),
    "cpu": LimitRange(
        0.65, 0.75, 0.85, "rule of practitioners: 95th percentile at most 75 % with one host down"
    ),
    "cpu_two_failures": LimitRange(
        0.75, 0.85, 0.95, "rule of practitioners: 95th percentile at most 85 % with two hosts down"
    ),
    "largest_vm": LimitRange(
        0.3, 0.5, 0.75, "judgement: a larger VM restarts on few hosts; warned about, not refused"
    ),
    "min_hosts": LimitRange(2, 2, 3, "one host cannot fail over; 3 for hyperconverged storage"),
}
"""What each limit usually is; shares of 1, vCPUs per core, hosts."""


@dataclass(frozen=True)
class Limits:
    """Limits of a plan; defaults are the typical values of :data:`LIMITS`.

    ``memory`` is the share of usable memory that configured VMs may take, at all times. The ratio
    of vCPUs to cores has a value for normal operation and one for failures. ``cpu`` is the share of
    capacity that the 95th percentile of the summed demand may take in normal operation and while
    one host is down, ``cpu_two_failures`` while more are.
    """

    memory: float = 1.0
    vcpus_per_core: float = 4.0
    vcpus_per_core_failure: float = 6.0
    cpu: float = 0.75
    cpu_two_failures: float = 0.85
    largest_vm: float = 0.5
    min_hosts: int = 2

    def per_host(self, failed: int) -> Floats:
        """Return what may be used of memory, of cores and of CPU while ``failed`` hosts are down.

        Factors (3,) on usable memory, cores and MHz, in the order of :data:`RESOURCES`.
        """
        ratio = self.vcpus_per_core_failure if failed else self.vcpus_per_core
        cpu = self.cpu_two_failures if failed > 1 else self.cpu
        return np.array([self.memory, ratio, cpu])

    def rooms(self, hosts: PlannedHosts, failed: int) -> Floats:
        """Return what each host may hold while ``failed`` hosts are down, (hosts, 3).

        MiB, vCPUs and MHz, in the order of :data:`RESOURCES`.
        """
        factors: Floats = hosts.amounts() * self.per_host(failed)
        return factors
