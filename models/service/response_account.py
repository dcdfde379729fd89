"""Response times per VM and sample, and their aggregation over a run.

A VM with a request class gets requests at some rate. They share its vCPUs
(:func:`.response_time.sharing`); what a VM cannot serve waits as a fluid backlog
(:func:`.response_time.fluid`); storage, network and the hypervisor's part in them add a constant
latency that does not occupy the CPU. Seconds and requests throughout. Intervals in which a VM
has neither backlog nor shortage are gathered by load first (:mod:`.response_cells`).
"""

from typing import NamedTuple

import numpy as np

from ..base.arrays import Floats, Ints, sum_by
from .response_cells import BUSIEST, Conditions, LoadCells
from .response_time import Queue, Sojourn, fluid, sharing, weibull

SHORTEST_S, LONGEST_S = 1e-5, 1e5
CELLS_PER_DECADE = 5


class Response(NamedTuple):
    """Response times of one interval per VM: a constant part and a variable part."""

    constant_s: Floats
    varying: Sojourn

    @property
    def mean_s(self) -> Floats:
        """Mean in s; infinite where nothing is served."""
        return self.constant_s + self.varying.mean_s


class ServiceAccount:
    """Requests and response times of VMs over time, a row per VM.

    ``arrived`` counts requests, ``waiting`` is the present backlog, ``peak_waiting`` the largest.
    Response times are kept as a histogram of intervals over log-spaced cells of the mean; each
    cell holds weight, constant part and two moments of the varying part, so that a steady VM's
    mean is exact and its quantiles are those of :class:`Response`. Requests in a backlog are
    counted when they leave it, with all that they waited. Those that still wait when results are
    read count as if the speed of the last interval went on; where that is none, they are in
    ``waiting`` alone.
    """

    def __init__(self, vms: int, varying: bool = False) -> None:
        """Start with no requests; ``varying`` says whether :meth:`add_steady` has service times."""
        decades = np.log10(LONGEST_S / SHORTEST_S)
        self._cells = int(np.ceil(decades * CELLS_PER_DECADE))
        self._sums = np.zeros((vms * self._cells, 4))
        self._by_load = LoadCells(vms, varying)
        self._arrived = np.zeros(vms)
        self.waiting = np.zeros(vms)
        self.peak_waiting = np.zeros(vms)
        self._waited, self._last_s = np.zeros(vms), np.zeros(vms)
        self._busy_s = np.zeros(vms)
        self._alone = np.zeros((4, vms))
        """Of VMs with a backlog: capacity, time in the VM alone with its scv, and latency."""

    @property
    def arrived(self) -> Floats:
        """Requests that arrived, per VM."""
        counted: Floats = self._arrived + self._by_load.requests
        return counted

    def set_conditions(self, rows: Ints, conditions: Conditions) -> None:
        """Say what the response times of VMs in :meth:`add_steady` depend on from now on."""
        done = self._by_load.taken(rows)
        if len(done.row):
            self._arrived += np.bincount(done.row, done.requests, minlength=len(self._arrived))
            self._note(done.row, done.requests, Response(done.constant_s, done.varying))
        for column, values in zip(self._by_load.conditions, conditions, strict=True):
            column[rows] = values

    def add_steady(
        self,
        rows: Ints | slice,
        interval_s: Floats | float,
        load: Floats,
        service_s: Floats | None,
    ) -> None:
        """Account for an interval in which VMs without backlog get all the CPU they can use.

        ``load`` is the share of that CPU that they ask for, below ``response_cells.BUSIEST``; with
        ``service_s`` the CPU time of their requests on one vCPU is that of this interval.
        """
        self._by_load.add(rows, interval_s, load, service_s)
        self._busy_s[rows] = 0.0

    def add(
        self,
        rows: Ints,
        interval_s: Floats | float,
        vcpus: Ints,
        arrival_per_s: Floats,
        service_s: Floats,
        latency_s: Floats,
        service_scv: Floats | float = 1.0,
    ) -> None:
        """Account for an interval of constant rates, of one length or one per VM.

        Each VM is named once in ``rows``. ``service_s`` is the CPU time of a request on one vCPU
        at the speed that the VM is delivered, infinite where that is none; a VM's capacity is
        ``vcpus / service_s``.
        """
        capacity_per_s = vcpus / service_s
        scv = np.broadcast_to(np.asarray(service_scv, np.float64), len(rows))
        queue = Queue(self.waiting[rows], self._waited[rows], self._last_s[rows])
        after, drained = fluid(queue, arrival_per_s, capacity_per_s, interval_s)
        own = self._own(rows, interval_s, vcpus, arrival_per_s, service_s, scv)
        self._arrived[rows] += arrival_per_s * interval_s
        self.waiting[rows], self._waited[rows], self._last_s[rows] = after
        self.peak_waiting[rows] = np.maximum(self.peak_waiting[rows], after.waiting)
        direct = np.flatnonzero(drained.direct > 0)
        if len(direct):
            chosen = _part(Response(latency_s, own), direct)
            self._note(rows[direct], drained.direct[direct], chosen)
        alone = Sojourn(service_s, scv)
        left = np.flatnonzero(drained.left > 0)
        if len(left):
            delay_s = drained.delay_s[left] + _by_chance(
                own.mean_s[left] - service_s[left], arrival_per_s[left], capacity_per_s[left]
            )
            behind = _later(
                _part(Response(latency_s, alone), left), delay_s, drained.variance_s2[left]
            )
            self._note(rows[left], drained.left[left], behind)
        held = np.flatnonzero(after.waiting > 0)
        if len(held):
            columns = (capacity_per_s, *alone, latency_s)
            self._alone[:, rows[held]] = [column[held] for column in columns]

    def _own(
        self,
        rows: Ints,
        interval_s: Floats | float,
        vcpus: Ints,
        arrival_per_s: Floats,
        service_s: Floats,
        scv: Floats,
    ) -> Sojourn:
        """Return the time in VMs without backlog; below ``BUSIEST`` as if it had lasted."""
        with np.errstate(invalid="ignore"):  # nobody who comes to a VM that stands still
            busy = arrival_per_s * service_s >= BUSIEST * vcpus
        length_s = np.where(busy, interval_s, np.inf)
        own = sharing(vcpus, arrival_per_s, service_s, scv, length_s, self._busy_s[rows])
        self._busy_s[rows] = np.where(busy, self._busy_s[rows] + interval_s, 0.0)
        return own

    def _note(self, rows: Ints, requests: Floats, response: Response) -> None:
        ratio = np.maximum(response.mean_s, SHORTEST_S) / SHORTEST_S
        cell = np.minimum((np.log10(ratio) * CELLS_PER_DECADE).astype(np.int64), self._cells - 1)
        np.add.at(self._sums, rows * self._cells + cell, _sums(requests, response))

    def _still_waiting(self) -> tuple[Ints, Floats, Response]:
        """Return VMs with a draining backlog: waiting requests, and their waiting times."""
        rows = np.flatnonzero((self.waiting > 0) & (self._alone[0] > 0))
        queue = Queue(self.waiting[rows], self._waited[rows], self._last_s[rows])
        capacity_per_s, mean_s, scv, latency_s = self._alone[:, rows]
        rest_s = queue.waiting / capacity_per_s
        delay_s = queue.waited / queue.waiting + rest_s / 2
        variance_s2 = (queue.first_s - queue.last_s - rest_s) ** 2 / 12
        alone = Response(latency_s, Sojourn(mean_s, scv))
        return rows, queue.waiting, _later(alone, delay_s, variance_s2)

    def mean_s(self, by: Ints | None = None) -> Floats:
        """Return the mean response time per VM in s, or per group with ``by`` naming each VM's.

        0 where no request came.
        """
        row, (weight, constant_s, first, _) = self._filled(by)
        requests = sum_by(row, weights=weight, minlength=0)
        total_s = sum_by(row, weights=constant_s + first, minlength=0)
        mean = np.zeros(self._groups(by))
        np.divide(total_s, requests, out=mean[: len(requests)], where=requests > 0)
        return mean

    def quantile_s(self, q: float, by: Ints | None = None) -> Floats:
        """Return the ``q`` quantile over all requests per VM in s, or per group as in ``mean_s``.

        The distribution over time is the mixture of the cells' Weibull fits; it is solved for
        the quantile by 60 halvings in all VMs at once. 0 where no request came.
        """
        row, (weight, constant_s, first, second) = self._filled(by)
        groups = self._groups(by)
        requests = sum_by(row, weights=weight, minlength=groups)
        mean_s = first / weight
        shape, scale_s = weibull(mean_s, second * weight / (first * first) - 1.0)
        offset_s = constant_s / weight
        low = np.zeros(groups)
        high = np.zeros(groups)
        np.maximum.at(high, row, offset_s + 1e3 * mean_s)
        for _ in range(60):
            middle = (low + high) / 2
            late = np.maximum(middle[row] - offset_s, 0.0) / scale_s
            with np.errstate(over="ignore"):  # beyond the largest number nothing is left
                above = weight * np.exp(-(late**shape))
            more = sum_by(row, weights=above, minlength=groups) > (1.0 - q) * requests
            low, high = np.where(more, middle, low), np.where(more, high, middle)
        return high

    def _groups(self, by: Ints | None) -> int:
        return len(self._arrived) if by is None else int(by.max(initial=-1)) + 1

    def _filled(self, by: Ints | None) -> tuple[Ints, Floats]:
        """Return the cells that hold requests: VM or group of each, and its four sums."""
        filled = np.flatnonzero(self._sums[:, 0] > 0)
        steady = self._by_load.gathered()
        held, waiting, late = self._still_waiting()
        vm = np.concatenate([filled // self._cells, steady.row, held])
        response = Response(steady.constant_s, steady.varying)
        parts = [self._sums[filled], _sums(steady.requests, response), _sums(waiting, late)]
        sums = np.concatenate(parts)
        return (vm if by is None else by[vm]), sums.T


def _sums(requests: Floats, response: Response) -> Floats:
    """Return what cells hold of requests: weight, constant part and two moments of the varying."""
    mean_s, scv = response.varying
    first = requests * mean_s
    # Side by side: one place in memory per VM, not four.
    return np.stack(
        [requests, requests * response.constant_s, first, first * mean_s * (1.0 + scv)], axis=1
    )


def _part(response: Response, chosen: Ints) -> Response:
    mean_s, scv = response.varying
    return Response(response.constant_s[chosen], Sojourn(mean_s[chosen], scv[chosen]))


def _by_chance(delay_s: Floats, arrival_per_s: Floats, capacity_per_s: Floats) -> Floats:
    """Return what chance adds to the waits in a backlog, per request that leaves it.

    While it grows, that is the delay of :func:`.response_time.sharing` for each that comes; while
    it drains all vCPUs are busy, and chance adds nothing to the mean.
    """
    growing = arrival_per_s > capacity_per_s
    return np.where(growing, delay_s * arrival_per_s / capacity_per_s, 0.0)


def _later(response: Response, delay_s: Floats, variance_s2: Floats) -> Response:
    """Return response times after an independent delay with this mean and variance."""
    own_s, own_scv = response.varying
    mean_s = own_s + delay_s
    scv = (own_scv * own_s**2 + variance_s2) / mean_s**2
    return Response(response.constant_s, Sojourn(mean_s, scv))
