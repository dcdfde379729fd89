"""When VMs are asked for, how they wait, and how long they take to start."""

from dataclasses import replace

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Population:
    """Arrival time, lifetime and priority of each VM.

    One entry per VM, times in s; an infinite arrival stands for a VM that somebody else asks for.

    A VM of higher ``priority`` comes first in queues, restarts and migrations; an infinite lifetime
    means that it stays until the end of the run.
    """

    arrival_s: Floats
    lifetime_s: Floats
    priority: Ints

    @classmethod
    def staying(cls, vms: int) -> "Population":
        """Return VMs that are there from the start and stay."""
        return cls(np.zeros(vms), np.full(vms, np.inf), np.zeros(vms, np.int64))

    def without(self, vms: Ints | None) -> "Population":
        """Return the same population without some VMs."""
        if vms is None or not len(vms):
            return self
        arrival_s = self.arrival_s.copy()
        arrival_s[vms] = np.inf
        return replace(self, arrival_s=arrival_s)


@dataclass(frozen=True)
class Admission:
    """Rules for VMs that wait for a host.

    At most ``queue`` of them (None: any number), each for ``patience_s``; one that is turned away
    is asked for again up to ``retries`` times, after ``retry_s``. VMs of a failed host are noticed
    after ``detect_s`` and go before all others; without ``restart`` they start again where they
    were once their host is repaired. With ``restart_isolated`` a host that the network no longer
    reaches powers its VMs off, and they are treated like those of a failed one.
    """

    queue: int | None = None
    patience_s: float = np.inf
    retries: int = 0
    retry_s: float = 300.0
    detect_s: float = 15.0
    restart: bool = True
    restart_isolated: bool = False


@dataclass(frozen=True)
class LifecycleSetup:
    """How VMs come, wait, start and leave.

    ``first_s`` and ``again_s``, per group of hosts, are what the first start of a VM takes and
    what each later one takes, in s, ``starts_per_host`` at a time on a host.
    """

    population: Population
    admission: Admission
    first_s: Floats
    again_s: Floats
    starts_per_host: int

    @property
    def is_static(self) -> bool:
        """Whether all VMs are there from the start and stay."""
        population = self.population
        return not (np.any(population.arrival_s > 0) or np.any(np.isfinite(population.lifetime_s)))

    @classmethod
    def at_once(cls, population: Population, groups: int) -> "LifecycleSetup":
        """Return the life cycle of VMs with an unlimited queue and no start time."""
        return cls(population, Admission(), np.zeros(groups), np.zeros(groups), 1)
