"""Requests of VMs that get all the CPU they can use, aggregated by load.

Without a backlog the response times of an interval follow from load and service time alone
(:func:`.response_time.sharing`), whatever came before. So an interval adds to the sums of the cell
that a VM's load falls into, and the formulas are evaluated once per cell, at its mean load and
service time, when results are read. A VM at constant load has exactly the moments of the formula.
Loads that vary within a cell have a mean that is too short, by at most ``h^2 / 4`` = 0.1 % with
one vCPU, where ``T = S / (1 - load)`` and a cell spans a factor ``e^h`` of ``1 - load``
(Kantorovich's inequality bounds the ratio of mean and harmonic mean).
"""

import math
from typing import NamedTuple

import numpy as np

from ..base.arrays import Floats, Ints
from .response_time import Sojourn, sharing

PER_E_FOLD = 16
"""Cells per factor e of ``1 - load``: 1 / h."""

BUSIEST = 0.95
"""From this load on an interval has to be looked at by itself."""

_FINE = 1024
_CELL_OF = (-PER_E_FOLD * np.log1p(-np.arange(math.ceil(BUSIEST * _FINE)) / _FINE)).astype(int)
CELLS = int(_CELL_OF[-1]) + 1


class Conditions(NamedTuple):
    """Inputs of response times other than load.

    ``service_s`` is the CPU time of a request on one vCPU, ``service_scv`` the squared
    coefficient of variation of its work, ``latency_s`` what is added beside the CPU.
    """

    vcpus: Ints
    service_s: Floats
    service_scv: Floats
    latency_s: Floats

    @classmethod
    def none(cls, vms: int) -> "Conditions":
        """Return conditions of VMs of which nothing is known yet."""
        return cls(np.ones(vms, np.int64), np.ones(vms), np.ones(vms), np.zeros(vms))

    def of(self, rows: Ints) -> "Conditions":
        """Return those of some VMs."""
        return Conditions(
            self.vcpus[rows], self.service_s[rows], self.service_scv[rows], self.latency_s[rows]
        )


class Gathered(NamedTuple):
    """Requests of a VM with the same response time distribution; a VM may have several."""

    row: Ints
    requests: Floats
    constant_s: Floats
    varying: Sojourn


class LoadCells:
    """Requests of VMs by load.

    ``varying`` says that service times differ between intervals, as neighbours make them;
    otherwise a change of :class:`Conditions` is for the caller to tell, with :meth:`taken` before.
    """

    def __init__(self, vms: int, varying: bool = False) -> None:
        """Start with no requests."""
        self.conditions = Conditions.none(vms)
        # Cell after cell, so that VMs of like load are neighbours in memory. Real and imaginary
        # part are two sums that change together: of requests per vCPU (times the service time
        # unless that varies) and of that times load; and, where it varies, the same of the time
        # that they take.
        self._requests = np.zeros((CELLS, vms), np.complex128)
        self._services = np.zeros((CELLS if varying else 0, vms), np.complex128)
        self._first = _CELL_OF * vms
        self._all_vms = np.arange(vms)
        self._has_counted = np.zeros(vms, bool)

    def add(
        self,
        rows: Ints | slice,
        interval_s: Floats | float,
        load: Floats,
        service_s: Floats | None = None,
    ) -> None:
        """Count an interval, of one length or one per VM.

        ``load`` is at least 0 and below ``BUSIEST``; ``service_s`` is that of the interval, where
        it varies.
        """
        at = self._first.take((load * _FINE).astype(np.int64))
        at += self._all_vms[rows]
        self._has_counted[rows] = True
        work_s = load * interval_s
        count = work_s if service_s is None else work_s / service_s
        _add_at(self._requests, at, count, count * load)
        if service_s is not None:
            _add_at(self._services, at, work_s, work_s * service_s)

    @property
    def requests(self) -> Floats:
        """How many requests each VM has had."""
        return self._times(self._requests.real.sum(axis=0), np.arange(len(self._all_vms)))

    def gathered(self) -> Gathered:
        """Return what has been counted of all VMs."""
        return self._gathered(self._all_vms)

    def taken(self, rows: Ints) -> Gathered:
        """Return what has been counted of some VMs, and forget it."""
        rows = rows[self._has_counted[rows]]
        if not len(rows):
            nothing = np.zeros(0)
            return Gathered(rows, nothing, nothing, Sojourn(nothing, nothing))
        found = self._gathered(rows)
        self._requests[:, rows] = 0.0
        self._services[:, rows] = 0.0
        self._has_counted[rows] = False
        return found

    def _times(self, count: Floats, rows: Ints) -> Floats:
        """Return requests from the sums that stand for requests per vCPU."""
        own = self.conditions
        requests: Floats = count * own.vcpus[rows]
        return requests if len(self._services) else requests / own.service_s[rows]

    def _gathered(self, rows: Ints) -> Gathered:
        sums = self._requests[:, rows]
        cell, at = np.nonzero(sums.real)
        row, found = rows[at], sums[cell, at]
        load = found.imag / found.real
        own = self.conditions.of(row)
        service_s, stretch = own.service_s, np.ones(len(row))
        if len(self._services):
            services = self._services[cell, row]
            service_s = services.real / found.real
            stretch = services.imag / found.real / service_s**2
        arrival_per_s = load * own.vcpus / service_s
        time = sharing(own.vcpus, arrival_per_s, service_s, own.service_scv)
        scv = (1.0 + time.scv) * stretch - 1.0
        requests = self._times(found.real, row)
        return Gathered(row, requests, own.latency_s, Sojourn(time.mean_s, scv))


def _add_at(
    sums: "np.ndarray[tuple[int, int], np.dtype[np.complex128]]",
    at: Ints,
    real: Floats,
    imaginary: Floats,
) -> None:
    """Add to cells that are named once each."""
    flat = sums.reshape(-1)
    found = flat.take(at)
    # As names of their own, since an attribute would be written back once more.
    first, second = found.real, found.imag
    first += real
    second += imaginary
    flat[at] = found
