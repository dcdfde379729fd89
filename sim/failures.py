"""Failure and repair processes of hosts, racks, sites, switches and links.

A host that fails is dark until its repair, and its VMs crash. A host whose switch or last link
fails is cut off: it works on, but nobody reaches its VMs, and nothing is moved to it or from it.
"""

import heapq
import math
from collections.abc import Generator, Sequence
from dataclasses import field

import numpy as np
import simpy
from simpy.events import NORMAL

from ..models.base.arrays import Ints
from ..models.base.lazy_dataclass import dataclass
from ..models.farm.farm import Farm
from ..models.hardware.reliability import Times
from ..models.network.network import Network
from ..models.state.columns import VmState
from .actuator import Actuator
from .base.clock import Clock
from .hosts.power_states import PowerTransitions
from .lifecycle.lifecycle import Lifecycle
from .records.recorder import Recorder

SimProcess = Generator[simpy.Event, object, None]
Due = tuple[float, int, int, float | None]
"""Instant, number, entity, seconds until the repair; None for the repair itself."""


@dataclass(frozen=True)
class Outage:
    """A planned failure: time, component and duration, in s.

    ``entity`` is a position in the ``rows`` and ``labels`` of its source.
    """

    at_s: float
    entity: int
    lasts_s: float


@dataclass(frozen=True)
class FailureSource:
    """Components that can fail; ``rows`` has the rows affected by each.

    These are rows of hosts, or, where ``kind`` is ``link``, the rows of the link in the network.
    ``kind`` is ``host``, ``rack`` or ``site`` (the hosts crash), ``switch`` (they are cut off) or
    ``link``. With distributions every entity fails again and again, its time to failure counting
    from its last repair; ``schedule`` holds what fails besides.

    Times to failure and to repair are in s, drawn from the source's own generator, so that sources
    do not disturb each other.
    """

    name: str
    kind: str
    labels: Sequence[str]
    rows: Sequence[Ints]
    to_failure: Times | None = None
    to_repair: Times | None = None
    schedule: Sequence[Outage] = field(default=())


class _FailureSchedule:
    """Future failures and repairs of one source, next one first."""

    def __init__(self, source: FailureSource, generator: np.random.Generator) -> None:
        self._source, self._generator = source, generator
        self._due: list[Due] = []
        self._number = 0
        for outage in source.schedule:
            self._enter(outage.at_s, outage.entity, outage.lasts_s)
        self._known = self._number
        if source.to_failure is not None and source.to_repair is not None:
            count = len(source.rows)
            first_s = source.to_failure.draw(generator, count).tolist()
            lasts_s = source.to_repair.draw(generator, count).tolist()
            for entity in range(count):
                self._enter(first_s[entity], entity, lasts_s[entity])

    def pop(self) -> Due | None:
        """Return what is due next; None if nothing ever is."""
        return heapq.heappop(self._due) if self._due and self._due[0][0] < math.inf else None

    def push(self, due: Due) -> None:
        """Add a repair."""
        heapq.heappush(self._due, due)

    def renew(self, repaired: Due) -> None:
        """Draw when an entity that has been repaired fails next, unless that was planned."""
        at_s, number, entity, _ = repaired
        lives, repairs = self._source.to_failure, self._source.to_repair
        if lives is not None and repairs is not None and number >= self._known:
            next_s = at_s + float(lives.draw(self._generator, 1)[0])
            self._enter(next_s, entity, float(repairs.draw(self._generator, 1)[0]))

    def _enter(self, at_s: float, entity: int, lasts_s: float) -> None:
        heapq.heappush(self._due, (at_s, self._number, entity, lasts_s))
        self._number += 1


@dataclass
class _Open:
    source: FailureSource
    entity: int
    start_s: float
    vms: int = 0


class Failures:
    """Failure process: one SimPy process per source for any number of components.

    What several sources have struck is mended when the last of them is. Repaired hosts are booted
    at once with ``wake``, else when they are needed.

    A host can be struck by several sources at a time (its own, its rack's, its site's); counters
    per host and link say how many still hold it. VMs that crash and those lost by a broken
    migration are counted with the outage.
    """

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        actuator: Actuator,
        lifecycle: Lifecycle,
        power: PowerTransitions,
        recorder: Recorder,
        wake: bool,
        network: Network | None = None,
    ) -> None:
        self._clock, self._farm, self._recorder = clock, farm, recorder
        self._actuator, self._lifecycle, self._power = actuator, lifecycle, power
        self._wake, self._network = wake, network
        self._causes = np.zeros(len(farm.hosts), np.int64)
        self._cuts = np.zeros(len(farm.hosts), np.int64)
        self._dead = np.zeros(0 if network is None else len(network), np.int64)
        self._beyond: Ints = np.empty(0, np.int64)
        self._open: dict[tuple[int, int], _Open] = {}

    def story(self, source: FailureSource, generator: np.random.Generator) -> SimProcess:
        """Let the entities of a source fail and be repaired until the run ends.

        A process of the clock; ``generator`` belongs to this source alone.
        """
        course = _FailureSchedule(source, generator)
        while (due := course.pop()) is not None:
            at_s, number, entity, lasts_s = due
            yield self._clock.at(at_s, NORMAL)
            if lasts_s is not None:
                yield from self._fail(source, entity, number)
                course.push((at_s + lasts_s, number, entity, None))
            else:
                yield from self._repair_entity(source, entity, number)
                course.renew(due)

    def close(self, end_s: float) -> None:
        """Record what has not been repaired as the run ends."""
        for outage in self._open.values():
            self._record(outage, end_s, repaired=False)

    def _fail(self, source: FailureSource, entity: int, number: int) -> SimProcess:
        outage = _Open(source, entity, self._clock.now)
        self._open[id(source), number] = outage
        rows = source.rows[entity]
        if source.kind == "link":
            yield from self._cut_links(rows, outage)
        elif source.kind == "switch":
            yield from self._cut(rows, outage)
        else:
            yield from self._crash(rows, outage)

    def _repair_entity(self, source: FailureSource, entity: int, number: int) -> SimProcess:
        outage = self._open.pop((id(source), number))
        rows = source.rows[entity]
        if source.kind == "link":
            yield from self._restore_links(rows, outage)
        elif source.kind == "switch":
            self._join(rows)
        else:
            self._repair(rows)
        self._record(outage, self._clock.now, repaired=True)

    def _crash(self, struck: Ints, outage: _Open) -> SimProcess:
        """Cancel the migrations of failed hosts, then remove their VMs."""
        fresh = struck[self._causes[struck] == 0]
        self._causes[struck] += 1
        if not len(fresh):
            return
        outage.vms += self._actuator.fail(fresh)
        yield self._clock.timeout(0)
        farm = self._farm
        vms = farm.residents.of(fresh)
        ran = vms[farm.vms.state[vms] == VmState.RUNNING]
        hosts = farm.vms.host[vms]
        farm.crash(fresh, self._clock.now)
        cause = f"{outage.source.kind} {outage.source.labels[outage.entity]} failed"
        self._power.fail(fresh, cause)
        self._lifecycle.crashed(fresh, vms, ran, hosts)
        self._actuator.retry_waiting()
        outage.vms += len(ran)

    def _repair(self, struck: Ints) -> None:
        """Make hosts available again of which nothing is broken any more."""
        self._causes[struck] -= 1
        whole = struck[self._causes[struck] == 0]
        if len(whole):
            self._power.repair(whole, self._wake)
            self._lifecycle.repaired(whole)
            self._actuator.retry_waiting()

    def _cut(self, struck: Ints, outage: _Open) -> SimProcess:
        """Cancel the migrations of unreachable hosts, then count their VMs as down."""
        fresh = struck[self._cuts[struck] == 0]
        self._cuts[struck] += 1
        if not len(fresh):
            return
        self._farm.set_reachable(fresh, reachable=False)
        outage.vms += self._actuator.cut(fresh)
        yield self._clock.timeout(0)
        # A guest that had stood still for its move takes time to run again; here it runs at once.
        vms = self._farm.residents.of(fresh)
        moving = vms[self._farm.vms.state[vms] == VmState.MIGRATING]
        if len(moving):
            self._actuator.withdraw(moving)
            yield self._clock.timeout(0)
        fresh = fresh[self._cuts[fresh] > 0]
        outage.vms += self._lifecycle.cut_off(fresh)

    def _join(self, struck: Ints) -> None:
        """Let hosts be reached again that nothing cuts off any more."""
        self._cuts[struck] -= 1
        back = struck[self._cuts[struck] == 0]
        if len(back):
            self._farm.set_reachable(back, reachable=True)
            self._lifecycle.joined(back)
            self._actuator.retry_waiting()

    def _cut_links(self, struck: Ints, outage: _Open) -> SimProcess:
        """Cancel migrations over failed links, reroute others, and disconnect unreachable hosts."""
        fresh = struck[self._dead[struck] == 0]
        self._dead[struck] += 1
        if len(fresh):
            outage.vms += self._actuator.cut_links(fresh)
            yield from self._reroute(outage)

    def _restore_links(self, struck: Ints, outage: _Open) -> SimProcess:
        self._dead[struck] -= 1
        yield from self._reroute(outage)

    def _reroute(self, outage: _Open) -> SimProcess:
        """Give the network its present links; hosts that leave its largest part are cut off.

        Which part is the largest may change, so that others come back by the failure of a link.

        The largest part is the one with the most hosts.
        """
        assert self._network is not None
        before = self._beyond
        self._beyond = self._network.cut(np.flatnonzero(self._dead > 0))
        self._actuator.reroute(self._beyond)
        self._join(np.setdiff1d(before, self._beyond))
        yield from self._cut(np.setdiff1d(self._beyond, before), outage)

    def _record(self, outage: _Open, end_s: float, repaired: bool) -> None:
        words, source = self._recorder.words, outage.source
        hosts = 0 if source.kind == "link" else len(source.rows[outage.entity])
        self._recorder.outages.add(
            source=words(source.name),
            kind=words(source.kind),
            entity=words(source.labels[outage.entity]),
            start_s=outage.start_s,
            end_s=end_s,
            repaired=repaired,
            hosts=hosts,
            vms=outage.vms,
        )
