"""The answer of a size study: how many hosts, limited by what, and how far it can be believed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...models.base.lazy_dataclass import dataclass
from ...models.sizing.floors import NEVER, Floor
from ...models.sizing.least_hosts import LeastHosts
from ..planning.failure_tables import ClusterFailures

ASSUMED = "assumed"
"""Confidence in what a scenario states without an inventory behind it."""


@dataclass(frozen=True)
class CpuBand:
    """What is known of the CPU demand of all VMs: the 95th percentile of their sum.

    ``snapshot_mhz`` is the demand that factors count from: that of the instant of the inventory, or
    the percentile itself where it was measured; None: nothing is known. ``low``, ``typical`` and
    ``high`` are factors on it.
    """

    snapshot_mhz: float | None
    low: float
    typical: float
    high: float
    tier: str
    confidence: str
    words: str
    to_measure: Sequence[str] = ()

    @property
    def measured(self) -> bool:
        """Whether the percentile itself was measured, so that there is no band around it."""
        return self.low == self.high


@dataclass(frozen=True)
class Simulated:
    """What one simulation of the answer showed.

    ``hours`` is its length. ``unserved_share`` is CPU that was requested and not served,
    ``beyond_vcpus_share`` the part that single VMs asked for beyond their vCPUs, ``host_p95`` the
    highest 95th percentile over time of any host's utilisation, as a share. ``failed`` says why it
    could not be run, empty where it was. ``back_test`` says in sentences what an answer by the
    first three quarters of a measured history would have missed of the last.
    """

    hours: float = 0.0
    unserved_share: float = 0.0
    beyond_vcpus_share: float = 0.0
    host_p95: float = 0.0
    failed: str = ""
    back_test: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Sized:
    """A size study; ``least`` holds number, proof, floors and placement.

    ``known_hosts`` are the hosts in service of the present farm, ``vms`` the VMs to be placed.
    ``performance`` is the work per MHz of the new server against the present hosts by assumption
    (``none``, ``ssj``, ``default``; None where unknown), ``hosts_by_performance`` the number of
    hosts by the same, ``hosts_by_factor`` the number that CPU alone asks for by the factor on the
    snapshot. ``break_even`` has the factor by which the need of each resource may grow on the
    hosts of the answer. ``clusters_apart`` is the number of hosts of each cluster by itself.
    ``confidence`` is by resource; ``limits`` are lines on the limits kept; ``notes`` are further
    sentences of the verdict. ``placement`` has the host of each VM by name, ``failures`` is the
    failure table of the answer, ``verdict`` all of it in plain sentences.
    """

    name: str
    server: str
    server_text: str
    reserve: int
    least: LeastHosts
    vms: int
    known_hosts: int
    cpu: CpuBand
    confidence: Mapping[str, str]
    performance: Mapping[str, float | None]
    hosts_by_performance: Mapping[str, int | None]
    hosts_by_factor: Mapping[float, int]
    break_even: Mapping[str, float]
    clusters_apart: Mapping[str, int | None]
    limits: Sequence[str]
    notes: Sequence[str]
    placement: Mapping[str, str]
    failures: ClusterFailures | None = None
    simulated: Simulated | None = None
    verdict: str = ""

    @property
    def hosts(self) -> int | None:
        """The number of hosts; None where no number is enough."""
        return self.least.hosts

    @property
    def floors(self) -> list[Floor]:
        """The floors, the highest first."""
        found = list(self.least.floors.all)
        return sorted(found, key=lambda floor: (-floor.hosts, -floor.exact, floor.name))

    @property
    def by_packing(self) -> bool:
        """Whether more hosts are needed than any floor asks for, since VMs cannot be split."""
        return self.hosts is not None and self.hosts > self.least.floors.hosts

    @property
    def limiter(self) -> dict[str, str]:
        """The resource that decides, and the case in which it does."""
        floor = self.least.floors.limiter
        if self.by_packing:
            case = self.least.tried[-2].reason if len(self.least.tried) > 1 else "packing bound"
            return {"resource": "placement", "case": case}
        return {"resource": floor.name, "case": case_words(floor.failed)}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; what is infinite or unknown is None."""
        seen = self.simulated
        return {
            "name": self.name,
            "verdict": self.verdict,
            "hosts": self.hosts,
            "proven_at_least": None if self.least.bound >= NEVER else self.least.bound,
            "reserve": self.reserve,
            "server": self.server,
            "vms": self.vms,
            "known_hosts": self.known_hosts,
            "limiter": self.limiter,
            "floors": {
                each.name: None if each.hosts >= NEVER else each.hosts
                for each in self.least.floors.all
            },
            "break_even": {name: finite(value) for name, value in self.break_even.items()},
            "cpu": {
                "snapshot_mhz": self.cpu.snapshot_mhz,
                "low": self.cpu.low,
                "typical": self.cpu.typical,
                "high": self.cpu.high,
                "tier": self.cpu.tier,
                "hosts_by_factor": {f"{key:g}": n for key, n in self.hosts_by_factor.items()},
            },
            "confidence": dict(self.confidence),
            "performance": dict(self.performance),
            "hosts_by_performance": dict(self.hosts_by_performance),
            "clusters_apart": dict(self.clusters_apart),
            "simulated": None
            if seen is None or seen.failed
            else {
                "hours": seen.hours,
                "unserved_share": seen.unserved_share,
                "host_utilisation_p95_max": seen.host_p95,
            },
            "back_test": [] if seen is None else list(seen.back_test),
            "failures": None if self.failures is None else self.failures.to_dict(),
            "limits": list(self.limits),
            "notes": list(self.notes),
            "placement": dict(self.placement),
        }


def case_words(failed: int) -> str:
    """Return the case of so many failed hosts in words."""
    if not failed:
        return "normal operation"
    return "loss of any host" if failed == 1 else f"loss of any {failed} hosts"


def finite(value: float) -> float | None:
    """Return a figure, None where it is infinite or not a number."""
    return value if math.isfinite(value) else None
