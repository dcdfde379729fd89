"""How long requests take: response times per VM and sample, and their account over a run.

A VM with a request class gets requests at some rate. They share its vCPUs
(:func:`.queueing.sharing`); what a VM cannot serve waits as a fluid backlog
(:func:`.queueing.backlog`); storage, network and the hypervisor's part in them add a constant
latency that does not occupy the CPU. Seconds and requests throughout. Steps in which a VM has
neither backlog nor shortage are gathered by load first (:mod:`.load_cells`).
"""

from typing import NamedTuple

import numpy as np

from .arrays import Bools, Floats, Ints, sum_by
from .load_cells import Conditions, LoadCells
from .queueing import Sojourn, backlog, quantile, sharing, weibull

SHORTEST_S, LONGEST_S = 1e-5, 1e5
CELLS_PER_DECADE = 5


class Response(NamedTuple):
    """Response times of one interval per VM: a constant part and a part that varies."""

    constant_s: Floats
    varying: Sojourn

    @property
    def mean_s(self) -> Floats:
        """Mean in s; infinite where nothing is served."""
        return self.constant_s + self.varying.mean_s

    def quantile_s(self, q: float) -> Floats:
        """Return the ``q`` quantile in s."""
        return self.constant_s + quantile(self.varying, q)


class ServiceAccount:
    """Requests and response times of VMs over time, a row per VM.

    ``arrived`` counts requests, ``waiting`` is the present backlog, ``peak_waiting`` the largest.
    Response times are kept as a histogram of intervals over log-spaced cells of the mean; each
    cell holds weight, constant part and two moments of the varying part, so that a steady VM's
    mean is exact and its quantiles are those of :class:`Response`. Requests that arrive while
    nothing is delivered are counted once delivery resumes, with all that they waited; those
    still waiting then at the end are in ``waiting`` alone.
    """

    def __init__(self, vms: int, step_s: float = 1.0, varying: bool = False) -> None:
        """Start with no requests.

        ``step_s`` is the length of the intervals of :meth:`add_steady`, ``varying`` whether it
        is told service times.
        """
        decades = np.log10(LONGEST_S / SHORTEST_S)
        self._cells = int(np.ceil(decades * CELLS_PER_DECADE))
        self._sums = np.zeros((vms * self._cells, 4))
        self._by_load = LoadCells(vms, step_s, varying)
        self._arrived = np.zeros(vms)
        self.waiting = np.zeros(vms)
        self.peak_waiting = np.zeros(vms)
        self._held = np.zeros(vms)
        self._held_s = np.zeros(vms)

    @property
    def arrived(self) -> Floats:
        """Requests that arrived, per VM."""
        counted: Floats = self._arrived + self._by_load.requests
        return counted

    def set_conditions(self, rows: Ints, conditions: Conditions) -> None:
        """Say what the response times of VMs in :meth:`add_steady` depend on from now on."""
        done = self._by_load.taken(rows)
        self._arrived += np.bincount(done.row, done.requests, minlength=len(self._arrived))
        self._note(done.row, done.requests, Response(done.constant_s, done.varying))
        for column, values in zip(self._by_load.conditions, conditions, strict=True):
            column[rows] = values

    def add_steady(self, rows: Ints | slice, load: Floats, service_s: Floats | None = None) -> None:
        """Account for a step in which VMs without backlog get all the CPU that they can use.

        ``load`` is the share of that CPU that they ask for, below ``load_cells.BUSIEST``; with
        ``service_s`` the CPU time of their requests on one vCPU is that of this step.
        """
        self._by_load.add(rows, load, service_s)

    def add(
        self,
        rows: Ints,
        interval_s: float,
        vcpus: Ints,
        arrival_per_s: Floats,
        service_s: Floats,
        latency_s: Floats,
        service_scv: Floats | float = 1.0,
    ) -> Response:
        """Account for an interval of constant rates and return its response times.

        Each VM is named once in ``rows``. ``service_s`` is the CPU time of a request on one vCPU
        at the speed that the VM is delivered, infinite where that is none; a VM's capacity is
        ``vcpus / service_s``.
        """
        capacity_per_s = vcpus / service_s
        start = self.waiting[rows]
        queue = backlog(start, arrival_per_s, capacity_per_s, interval_s)
        own = sharing(vcpus, arrival_per_s, service_s, service_scv, interval_s)
        varying = _varying(own, queue.mean, queue.square, capacity_per_s)
        response = Response(latency_s, varying)
        arrivals = arrival_per_s * interval_s
        self._arrived[rows] += arrivals
        self.waiting[rows] = queue.end
        self.peak_waiting[rows] = np.maximum(self.peak_waiting[rows], queue.end)
        served = capacity_per_s > 0
        self._note(rows[served], arrivals[served], _part(response, served))
        resumed = served & (self._held[rows] > 0)
        if resumed.any():
            alone = _part(Response(latency_s, own), resumed)
            self._note_held(rows[resumed], start[resumed], capacity_per_s[resumed], alone)
        if not served.all():
            stalled = rows[~served]
            self._held[stalled] += arrivals[~served]
            self._held_s[stalled] += queue.mean[~served] * interval_s
        return response

    def _note_held(
        self, rows: Ints, start: Floats, capacity_per_s: Floats, response: Response
    ) -> None:
        """Count requests that waited for delivery to resume; they are the last in the backlog.

        ``response`` is without the backlog's part.
        """
        held = self._held[rows]
        waited_s = self._held_s[rows] / held + (start - held / 2) / capacity_per_s
        constant_s = response.constant_s + waited_s
        self._note(rows, held, Response(constant_s, response.varying))
        self._held[rows] = self._held_s[rows] = 0.0

    def _note(self, rows: Ints, requests: Floats, response: Response) -> None:
        ratio = np.maximum(response.mean_s, SHORTEST_S) / SHORTEST_S
        cell = np.minimum((np.log10(ratio) * CELLS_PER_DECADE).astype(np.int64), self._cells - 1)
        np.add.at(self._sums, rows * self._cells + cell, _sums(requests, response))

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
        vm = np.concatenate([filled // self._cells, steady.row])
        response = Response(steady.constant_s, steady.varying)
        sums = np.concatenate([self._sums[filled], _sums(steady.requests, response)])
        return (vm if by is None else by[vm]), sums.T


def _sums(requests: Floats, response: Response) -> Floats:
    """Return what cells hold of requests: weight, constant part and two moments of the varying."""
    mean_s, scv = response.varying
    first = requests * mean_s
    # Side by side: one place in memory per VM, not four.
    return np.stack(
        [requests, requests * response.constant_s, first, first * mean_s * (1.0 + scv)], axis=1
    )


def _part(response: Response, chosen: Bools) -> Response:
    mean_s, scv = response.varying
    return Response(response.constant_s[chosen], Sojourn(mean_s[chosen], scv[chosen]))


def _varying(own: Sojourn, mean: Floats, square: Floats, capacity_per_s: Floats) -> Sojourn:
    """Return the sojourn plus the independent delay behind a backlog with these moments."""
    behind = np.flatnonzero((mean > 0) & (capacity_per_s > 0))
    if not len(behind):
        return own
    own_s, own_scv = own.mean_s[behind], own.scv[behind]
    capacity = capacity_per_s[behind]
    delay_s = mean[behind] / capacity
    variance = np.maximum(square[behind] - mean[behind] ** 2, 0.0) / capacity**2
    total = own_s + delay_s
    mean_s, scv = own.mean_s.copy(), own.scv.copy()
    mean_s[behind] = total
    scv[behind] = (own_scv * own_s**2 + variance) / total**2
    return Sojourn(mean_s, scv)
