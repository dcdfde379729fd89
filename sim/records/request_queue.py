"""Simulation of every request of one VM, to check the formulas.

All requests in service progress at one rate, so a single clock of attained service orders their
completions: a request of work ``w`` that starts when that clock shows ``v`` completes at
``v + w``. An arrival, a completion or a change of speed costs time logarithmic in the number
present.
"""

import heapq
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import field
from typing import Literal

import numpy as np
import simpy

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass

Discipline = Literal["sharing", "fcfs"]
Distribution = Literal["exponential", "deterministic", "gamma", "lognormal"]
BLOCK = 4096
"""Random numbers drawn at once."""


@dataclass
class RequestLog:
    """Log of requests.

    ``found`` is how many were present when each one came, lost ones included, in order of
    arrival; ``arrived_s`` and ``response_s`` are of those completed, in order of completion.
    ``present`` counts those not completed.
    """

    found: list[int] = field(default_factory=list)
    arrived_s: list[float] = field(default_factory=list)
    response_s: list[float] = field(default_factory=list)
    present: int = 0

    def responses_s(self, after_s: float = 0.0) -> Floats:
        """Return response times of completed requests in order of arrival, from ``after_s`` on."""
        arrived_s, response_s = np.array(self.arrived_s), np.array(self.response_s)
        order = np.argsort(arrived_s, kind="stable")
        ranked: Floats = response_s[order]
        return ranked[arrived_s[order] >= after_s]


class RequestQueue:
    """A VM's vCPUs and the requests in it.

    With ``sharing`` all requests present share ``vcpus`` evenly, none on more than one: each
    progresses at ``speed * min(1, vcpus / present)``. With ``fcfs`` the first ``vcpus`` run at
    ``speed`` and others wait; ``room`` bounds how many may be present (M/M/c/c: ``room`` =
    ``vcpus``). Works are in s at speed 1. The clock is any SimPy environment, so the queue can
    run inside a farm that changes its speed.

    With one vCPU, ``sharing`` is egalitarian processor sharing (M/G/1-PS); ``fcfs`` with
    exponential work is M/M/c, with ``room`` the loss system of Erlang. Arrivals beyond ``room`` are
    lost: they count in ``found`` only.
    """

    def __init__(
        self,
        clock: simpy.Environment,
        vcpus: int,
        speed: float = 1.0,
        discipline: Discipline = "sharing",
        room: float = float("inf"),
    ) -> None:
        self.log = RequestLog()
        self._clock, self._vcpus, self._speed = clock, vcpus, speed
        self._running_at_once = float("inf") if discipline == "sharing" else vcpus
        self._room = room
        self._served_s, self._rate = 0.0, speed
        self._since_s = float(clock.now)
        self._running: list[tuple[float, int, float]] = []
        self._queued: deque[tuple[float, int, float]] = deque()
        self._next: simpy.Event | None = None
        self._next_s = float("inf")
        self._moved = False

    def arrive(self, work_s: float) -> None:
        """Let a request come now."""
        log = self.log
        log.found.append(log.present)
        if log.present >= self._room:
            return
        self._progress()
        log.present += 1
        request = (work_s, len(log.found), self._since_s)
        if len(self._running) < self._running_at_once:
            self._start(request)
        else:
            self._queued.append(request)
        self._wait_for_next()

    def set_speed(self, speed: float) -> None:
        """Change the speed of all vCPUs from now on; 0 stops them."""
        self._progress()
        self._speed = speed
        self._wait_for_next()

    def _progress(self) -> None:
        now_s = float(self._clock.now)
        self._served_s += self._rate * (now_s - self._since_s)
        self._since_s = now_s

    def _start(self, request: tuple[float, int, float]) -> None:
        work_s, number, arrived_s = request
        heapq.heappush(self._running, (self._served_s + work_s, number, arrived_s))

    def _wait_for_next(self) -> None:
        """Schedule the next completion, reusing the pending event if it is not later."""
        running = len(self._running)
        full = running > self._vcpus
        self._rate = rate = self._speed * self._vcpus / running if full else self._speed
        if not running or rate <= 0:
            self._next = None
            return
        delay_s = max(self._running[0][0] - self._served_s, 0.0) / rate
        due_s = self._since_s + delay_s
        if self._next is not None and self._next_s <= due_s:
            self._moved = True
            return
        self._next_s, self._moved = due_s, False
        self._next = _after(self._clock, delay_s, self._complete)

    def _complete(self, event: simpy.Event) -> None:
        # An event that a later one replaced fires for nothing; one kept may come too early.
        if event is not self._next:
            return
        self._next = None
        self._progress()
        if not self._moved:
            finish_s, _, arrived_s = heapq.heappop(self._running)
            self._served_s = finish_s
            self.log.present -= 1
            self.log.arrived_s.append(arrived_s)
            self.log.response_s.append(self._since_s - arrived_s)
            if self._queued:
                self._start(self._queued.popleft())
        self._wait_for_next()


class Arrivals:
    """Poisson arrivals at a rate that may change, each with a random work.

    Intervals and works come from generators of their own, so that runs which differ in service
    see the same arrivals.
    """

    def __init__(
        self,
        clock: simpy.Environment,
        queue: RequestQueue,
        works_s: Iterator[float],
        rng: np.random.Generator,
        rate_per_s: float = 0.0,
    ) -> None:
        self._clock, self._queue, self._works_s = clock, queue, works_s
        self._units = _stream(lambda: rng.standard_exponential(BLOCK))
        self._left = next(self._units)
        self._since_s, self._rate_per_s = clock.now, 0.0
        self._next: simpy.Event | None = None
        self.set_rate(rate_per_s)

    def set_rate(self, rate_per_s: float) -> None:
        """Change the rate from now on; what has been waited of the present interval counts."""
        self._left -= (self._clock.now - self._since_s) * self._rate_per_s
        self._since_s, self._rate_per_s = self._clock.now, rate_per_s
        self._wait()

    def _wait(self) -> None:
        self._next = None
        if self._rate_per_s > 0:
            delay_s = max(self._left, 0.0) / self._rate_per_s
            self._next = _after(self._clock, delay_s, self._arrive)

    def _arrive(self, event: simpy.Event) -> None:
        if event is not self._next:
            return
        self._since_s, self._left = self._clock.now, next(self._units)
        self._queue.arrive(next(self._works_s))
        self._wait()


def works(
    rng: np.random.Generator, mean_s: float, distribution: Distribution, cv: float = 1.0
) -> Iterator[float]:
    """Yield works in s without end; ``cv`` is used by gamma and lognormal and is above 0.

    Random numbers are drawn in blocks of BLOCK from ``rng``, which should serve nothing else.
    """
    shape, sigma = 1.0 / cv**2, float(np.sqrt(np.log1p(cv**2)))
    draw: dict[Distribution, Callable[[], Floats]] = {
        "exponential": lambda: rng.exponential(mean_s, BLOCK),
        "deterministic": lambda: np.full(BLOCK, mean_s),
        "gamma": lambda: rng.gamma(shape, mean_s / shape, BLOCK),
        "lognormal": lambda: rng.lognormal(np.log(mean_s) - sigma**2 / 2, sigma, BLOCK),
    }
    return _stream(draw[distribution])


def simulate(
    rng: np.random.Generator,
    rates: Sequence[tuple[float, float, float]],
    end_s: float,
    service_s: float,
    vcpus: int = 1,
    distribution: Distribution = "exponential",
    cv: float = 1.0,
    discipline: Discipline = "sharing",
    room: float = float("inf"),
) -> RequestLog:
    """Simulate a VM from time 0, empty, to ``end_s``.

    ``rates`` holds ``(from_s, arrivals per s, speed)`` in order of time, the first from 0;
    ``service_s`` is a request's mean time alone on a vCPU of speed 1. Other arguments as for
    :class:`RequestQueue` and :func:`works`.
    """
    gaps, sizes = rng.spawn(2)
    clock = simpy.Environment()
    queue = RequestQueue(clock, vcpus, rates[0][2], discipline, room)
    source = Arrivals(clock, queue, works(sizes, service_s, distribution, cv), gaps, rates[0][1])

    def schedule() -> Generator[simpy.Event, None, None]:
        for from_s, rate_per_s, speed in rates[1:]:
            yield clock.timeout(from_s - clock.now)
            queue.set_speed(speed)
            source.set_rate(rate_per_s)

    clock.process(schedule())
    clock.run(end_s)
    return queue.log


def _after(
    clock: simpy.Environment, delay_s: float, action: Callable[[simpy.Event], None]
) -> simpy.Event:
    event = clock.timeout(delay_s)
    event.callbacks.append(action)
    return event


def _stream(draw: Callable[[], Floats]) -> Iterator[float]:
    while True:
        yield from draw().tolist()
