"""Stories of hosts that fail, alone or with all that shares their rack or site, and of repairs."""

import heapq
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
import simpy
from simpy.events import NORMAL

from ..models.arrays import Ints
from ..models.columns import VmState
from ..models.living import LivingFarm
from ..models.reliability import Times
from .actuator import Actuator
from .clock import Clock
from .lifecycle import Lifecycle
from .streams import Streams


@dataclass(frozen=True)
class Outage:
    """A failure that is known beforehand: when, which entity, and for how long, in s."""

    at_s: float
    entity: int
    lasts_s: float


@dataclass(frozen=True)
class FailureSource:
    """What fails: ``hosts`` holds the hosts of each entity, struck and mended together.

    With distributions every entity fails again and again, its time to failure counting from its
    last repair; ``schedule`` holds what fails besides.
    """

    name: str
    kind: str
    labels: Sequence[str]
    hosts: Sequence[Ints]
    to_failure: Times | None = None
    to_repair: Times | None = None
    schedule: Sequence[Outage] = field(default=())


class Failures:
    """Strikes and mends hosts; one story per source, whatever the number of entities.

    A host that several sources have struck is mended when the last of them is.
    """

    def __init__(
        self, clock: Clock, farm: LivingFarm, actuator: Actuator, lifecycle: Lifecycle,
        streams: Streams, wake: bool,
    ) -> None:  # fmt: skip
        self._clock, self._farm = clock, farm
        self._actuator, self._lifecycle = actuator, lifecycle
        self._streams, self._wake = streams, wake
        self._causes = np.zeros(len(farm.hosts), np.int64)

    def story(self, source: FailureSource) -> Generator[simpy.Event, object, None]:
        """Let the entities of a source fail and be repaired until the run ends."""
        generator = self._streams(f"failures.{source.name}")
        # Time, order of entry, entity, seconds until the repair (None: this is the repair).
        due: list[tuple[float, int, int, float | None]] = []
        number = 0
        for outage in source.schedule:
            heapq.heappush(due, (outage.at_s, number, outage.entity, outage.lasts_s))
            number += 1
        lives, repairs = source.to_failure, source.to_repair
        if lives is not None and repairs is not None:
            first_s = lives.draw(generator, len(source.hosts))
            lasts_s = repairs.draw(generator, len(source.hosts))
            for entity, (at_s, for_s) in enumerate(
                zip(first_s.tolist(), lasts_s.tolist(), strict=True)
            ):
                heapq.heappush(due, (at_s, number, entity, for_s))
                number += 1
        drawn = number
        while due:
            at_s, order, entity, lasts = heapq.heappop(due)
            yield self._clock.at(at_s, NORMAL)
            if lasts is not None:
                yield from self._strike(source, entity)
                heapq.heappush(due, (at_s + lasts, order, entity, None))
                continue
            self._mend(source.hosts[entity])
            if lives is not None and repairs is not None and order >= len(source.schedule):
                next_s = at_s + float(lives.draw(generator, 1)[0])
                heapq.heappush(due, (next_s, drawn, entity, float(repairs.draw(generator, 1)[0])))
                drawn += 1

    def _strike(self, source: FailureSource, entity: int) -> Generator[simpy.Event, object, None]:
        """Call off the moves of hosts that fail, then take their VMs."""
        struck = source.hosts[entity]
        fresh = struck[self._causes[struck] == 0]
        self._causes[struck] += 1
        if not len(fresh):
            return
        self._actuator.fail(fresh)
        yield self._clock.timeout(0)
        farm = self._farm
        vms = farm.residents.of(fresh)
        ran = vms[farm.vms.state[vms] == VmState.RUNNING]
        hosts = farm.vms.host[vms]
        farm.crash(fresh, self._clock.now)
        self._actuator.power.fail(fresh, f"{source.kind} {source.labels[entity]} failed")
        self._lifecycle.crashed(fresh, vms, ran, hosts)

    def _mend(self, struck: Ints) -> None:
        self._causes[struck] -= 1
        whole = struck[self._causes[struck] == 0]
        if len(whole):
            self._actuator.power.repair(whole, self._wake)
            self._lifecycle.serve()
