"""Resource needs of a request: CPU, storage, network and kinds of code.

A request class describes the load, not the machine: its CPU is what bare metal needs, and all
that a hypervisor adds is worked out from it (``overheads.py``). Demand in MHz comes from the
VM's trace; the class says what a unit of that work is made of.
"""

import json
from functools import cache
from typing import Any

import numpy as np

from ..base.arrays import Floats
from ..base.catalogue import data_file
from ..base.estimates import LEVELS, Level, Ranged, unknown
from ..base.lazy_dataclass import dataclass
from ..base.parameters import parameter, parameters_of

MEGABIT_PER_MIB = 8 * 1024 * 1024 / 1e6
KINDS_OF_IO = ("storage_operations", "storage_mib", "network_packets", "network_mbit")
YARDSTICK = ("cpu_s", "memory_share", "mmu_share", "vector_share")
RESOURCES = ("cache", "memory_bandwidth", "disk")


@dataclass(frozen=True)
class RequestClass:
    """A class of requests, means per request.

    Work per request on bare metal is ``cpu_s * reference_mhz`` MHz·s: a core twice as fast
    needs half the time. Code that is neither bound by memory bandwidth nor heavy on page
    tables nor vector code is plain. Raises ValueError if these shares exceed 1 together.
    """

    cpu_s: float = parameter(
        "CPU time on one bare-metal core of the reference clock.",
        key="cpu",
        dimension="time",
        gt=0,
    )
    reference_mhz: float = parameter(
        "Clock of the core that the CPU time refers to.",
        2600.0,
        key="reference_clock",
        dimension="frequency",
        gt=0,
    )
    storage_operations: float = parameter("Storage operations, one after another.", 0.0, ge=0)
    storage_mib: float = parameter(
        "Data read and written.", 0.0, key="storage_data", dimension="memory", ge=0
    )
    network_packets: float = parameter("Packets sent and received.", 0.0, ge=0)
    network_mib: float = parameter(
        "Data sent and received.", 0.0, key="network_data", dimension="memory", ge=0
    )
    round_trips: float = parameter("Network round trips that the client waits for.", 0.0, ge=0)
    exits: float = parameter("VM exits other than for storage and network.", 0.0, ge=0)
    memory_share: float = parameter(
        "Share of the work bound by memory bandwidth.", 0.0, dimension="share", ge=0, le=1
    )
    mmu_share: float = parameter(
        "Share of the work heavy on page tables: new processes, mappings, scattered access.",
        0.0,
        dimension="share",
        ge=0,
        le=1,
    )
    vector_share: float = parameter(
        "Share of the work in vector instructions.", 0.0, dimension="share", ge=0, le=1
    )
    service_cv: float = parameter(
        "Coefficient of variation of the CPU time between requests.", 1.0, ge=0
    )
    cache_sensitivity: float = parameter(
        "Slowdown per unit of cache pressure from neighbours.", 0.0, ge=0
    )
    memory_bandwidth_sensitivity: float = parameter(
        "Slowdown per unit of memory bandwidth pressure from neighbours.", 0.0, ge=0
    )
    disk_sensitivity: float = parameter(
        "Slowdown per unit of disk pressure from neighbours.", 0.0, ge=0
    )
    cache_pressure: float = parameter("Pressure on the cache; 1: an average neighbour.", 0.0, ge=0)
    memory_bandwidth_pressure: float = parameter(
        "Pressure on memory bandwidth; 1: an average neighbour.", 0.0, ge=0
    )
    disk_pressure: float = parameter("Pressure on the disk; 1: an average neighbour.", 0.0, ge=0)

    def __post_init__(self) -> None:
        if self.memory_share + self.mmu_share + self.vector_share > 1 + 1e-9:
            raise ValueError("memory_share, mmu_share and vector_share exceed 1 together")

    @property
    def work_mhz_s(self) -> float:
        """Bare-metal work of a request, in MHz·s (millions of cycles)."""
        return self.cpu_s * self.reference_mhz

    def operations_per_mhz_s(self) -> Floats:
        """Return input and output per MHz·s of work, in the order of :data:`KINDS_OF_IO`."""
        amounts = (
            self.storage_operations,
            self.storage_mib,
            self.network_packets,
            self.network_mib * MEGABIT_PER_MIB,
        )
        return np.array(amounts) / self.work_mhz_s

    def sensitivities(self) -> Floats:
        """Return the sensitivities in the order of :data:`RESOURCES`."""
        return np.array([getattr(self, f"{name}_sensitivity") for name in RESOURCES])

    def pressures(self) -> Floats:
        """Return the pressures in the order of :data:`RESOURCES`."""
        return np.array([getattr(self, f"{name}_pressure") for name in RESOURCES])


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(data_file("request_classes.json").read_text("utf-8"))
    return table


def _estimate(bounds: list[float]) -> Ranged:
    low, typical, high = bounds
    return Ranged(low, typical, high, str(_table()["confidence"]), "estimate")


@cache
def request_class_ranges() -> dict[str, dict[str, Ranged]]:
    """Return the figures of the shipped classes with their ranges, all estimates (E)."""
    names = set(parameters_of(RequestClass))
    return {
        name: {key: _estimate(bounds) for key, bounds in entry.items() if key in names}
        for name, entry in _table()["classes"].items()
    }


def request_class_titles() -> dict[str, str]:
    """Return what the shipped classes stand for, by name."""
    return {name: str(entry["title"]) for name, entry in _table()["classes"].items()}


@cache
def request_classes(level: Level = "typical") -> dict[str, RequestClass]:
    """Return the shipped classes at a level of cost.

    At level ``high`` a request does more input and output, exits more often, varies more and
    presses more on its neighbours. Its CPU time and the kinds of its code stay typical at every
    level: they are the yardstick of the rest.
    """
    if level not in LEVELS:
        raise ValueError(unknown("level", level, LEVELS))
    made = {}
    for name, ranges in request_class_ranges().items():
        values = {key: ranged.at(level, more_costs=True) for key, ranged in ranges.items()}
        values |= {key: ranges[key].typical for key in YARDSTICK}
        made[name] = RequestClass(**values, reference_mhz=float(_table()["reference_mhz"]))
    return made


def request_class(name: str, level: Level = "typical") -> RequestClass:
    """Return a shipped class. Raises ValueError that lists what exists."""
    classes = request_classes(level)
    if name not in classes:
        raise ValueError(unknown("request class", name, classes))
    return classes[name]
