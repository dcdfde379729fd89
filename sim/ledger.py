"""What is accounted for at every step of the workload: response times, and whose energy it was.

A ledger is told the time after all integrals have been settled and before demand changes. Who
is where, and what hosts deliver, counts as it is at the end of the step.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..models.accounts import Rate
from ..models.arrays import Bools, Floats, Ints, sum_by
from ..models.attribution import attribute
from ..models.farm import Farm
from ..models.load_cells import BUSIEST, Conditions
from ..models.service import ServiceAccount

LEAST_MHZ = 1e-6
"""A VM that stands still counts as this fast, so that its load is a number."""


class Ledger(Protocol):
    """Accounts for the step of the workload that is ending."""

    def note(self, now_s: float) -> None:
        """Account for the time since the last call."""
        ...


@dataclass(frozen=True)
class RequestLoad:
    """What requests are made of, per VM size.

    ``work_mhz_s`` is the bare-metal work of a request, 0 where the size has no class;
    ``service_scv`` the squared coefficient of variation of that work; ``latency_s`` what the
    layer adds to a request beside CPU, (sizes, groups).
    """

    work_mhz_s: Floats
    service_scv: Floats
    latency_s: Floats


class ServiceLedger:
    """Response times of the VMs that have a request class; ``rows`` are these VMs.

    A VM's demand over the work of a request is its arrival rate. In a step of ``step_s`` VMs
    without backlog that get all they can use are accounted for by their load alone, the others
    one by one.
    """

    def __init__(self, farm: Farm, load: RequestLoad, step_s: float) -> None:
        self._farm, self._load, self._step_s = farm, load, step_s
        self.rows = np.flatnonzero(load.work_mhz_s[farm.vms.size] > 0)
        count = len(self.rows)
        # Of all VMs a view does, where rows would be a copy of every column at every step.
        self._columns = slice(None) if count == len(farm.vms) else self.rows
        self._varying = farm.delivery.layer.interference is not None
        self.account = ServiceAccount(count, step_s, self._varying)
        self._host, self._effort = np.full(count, -1), np.zeros(count)
        self._guest_share = np.ones(count)
        self._most_mhz, self._full_mhz = np.zeros(count), np.full(count, np.inf)
        self._service_s = np.ones(count)
        self._since_s = 0.0

    def note(self, now_s: float) -> None:
        """Account for the requests since the last call."""
        interval_s, self._since_s = now_s - self._since_s, now_s
        if interval_s <= 0:
            return
        self._renew()
        busy = self._host >= 0
        if math.isclose(interval_s, self._step_s):
            busy &= ~self._note_steady()
        if busy.any():
            self._note_each(np.flatnonzero(busy), interval_s)

    def _renew(self) -> None:
        """Look again at VMs that came to another host, or whose work takes another effort."""
        vms, delivery, part = self._farm.vms, self._farm.delivery, self._columns
        pairs = [
            (vms.host[part], self._host),
            (delivery.effort[part], self._effort),
            (vms.guest_share[part], self._guest_share),
        ]
        if all(np.array_equal(now, seen) for now, seen in pairs):
            return
        changed = np.flatnonzero(np.any([now != seen for now, seen in pairs], axis=0))
        for now, seen in pairs:
            seen[changed] = now[changed]
        # Without a host a VM asks for no part of what it could have.
        self._full_mhz[changed] = np.inf
        at = changed[self._host[changed] >= 0]
        rows = self.rows[at]
        size, vcpus = vms.size[rows], vms.vcpus[rows]
        most_mhz = delivery.most_mhz[rows]
        full_mhz = np.maximum(most_mhz / self._effort[at] * self._guest_share[at], LEAST_MHZ)
        service_s = vcpus * self._load.work_mhz_s[size] / full_mhz
        self._most_mhz[at], self._full_mhz[at], self._service_s[at] = most_mhz, full_mhz, service_s
        latency_s = self._load.latency_s[size, self._farm.hosts.group[self._host[at]]]
        scv = self._load.service_scv[size]
        self.account.set_conditions(at, Conditions(vcpus, service_s, scv, latency_s))

    def _note_steady(self) -> Bools:
        """Account for the VMs whose load says all about a step, and return which they are."""
        load = self._farm.vms.demand_mhz[self._columns] / self._full_mhz
        service_s = None
        if self._varying:
            slowdown = self._farm.delivery.slowdown[self._columns]
            load *= slowdown
            service_s = self._service_s * slowdown
        steady: Bools = (load < BUSIEST) & self._has_room(load)
        if self.account.waiting.any():
            steady &= self.account.waiting == 0
        if steady.all():
            self.account.add_steady(slice(None), load, service_s)
        else:
            at = np.flatnonzero(steady)
            self.account.add_steady(at, load[at], None if service_s is None else service_s[at])
        return steady

    def _has_room(self, load: Floats) -> Bools:
        """Return which VMs could use all of their vCPUs, and went without nothing."""
        hosts, delivery = self._farm.hosts, self._farm.delivery
        spare_mhz = np.maximum(hosts.cpu_mhz - hosts.demand_mhz, 0.0)
        fits: Bools = np.ones(len(load), bool)
        if spare_mhz[hosts.vm_count > 0].min(initial=np.inf) < self._most_mhz.max(initial=0.0):
            used_mhz = load * self._most_mhz * self._guest_share
            fits = self._most_mhz * self._guest_share <= used_mhz + spare_mhz[self._host]
        if delivery.stressed.any():
            fits &= delivery.shortfall[self._columns] == 0
        return fits

    def _note_each(self, at: Ints, interval_s: float) -> None:
        """Account for some VMs, by their place in ``rows``, whatever their state."""
        vms, rows = self._farm.vms, self.rows[at]
        rate_per_s, capacity_mhz, latency_s = offered(self._farm, self._load, rows)
        size, vcpus = vms.size[rows], vms.vcpus[rows]
        service_s = np.full(len(rows), np.inf)
        np.divide(
            vcpus * self._load.work_mhz_s[size], capacity_mhz, out=service_s,
            where=capacity_mhz > 0,
        )  # fmt: skip
        scv = self._load.service_scv[size]
        self.account.add(at, interval_s, vcpus, rate_per_s, service_s, latency_s, scv)


def offered(farm: Farm, load: RequestLoad, rows: Ints) -> tuple[Floats, Floats, Floats]:
    """Return arrival rate per s, capacity in MHz of guest work, and added latency in s of VMs.

    All must be on hosts. A VM can be given what its vCPUs can use and its host has to spare;
    where its host is short, what it is delivered.
    """
    vms, hosts, delivery = farm.vms, farm.hosts, farm.delivery
    host, size = vms.host[rows], vms.size[rows]
    effort = delivery.effort[rows] * delivery.slowdown[rows]
    wanted_mhz = delivery.asked_mhz(rows)
    spare_mhz = np.maximum(hosts.cpu_mhz - hosts.demand_mhz, 0.0)[host]
    most_mhz = delivery.most_mhz[rows] * vms.guest_share[rows]
    capacity_mhz = np.minimum(most_mhz, wanted_mhz * effort + spare_mhz) / effort
    shortfall = delivery.shortfall[rows]
    capacity_mhz = np.where(shortfall > 0, wanted_mhz * (1.0 - shortfall), capacity_mhz)
    rate_per_s: Floats = vms.demand_mhz[rows] / load.work_mhz_s[size]
    latency_s: Floats = load.latency_s[size, hosts.group[host]]
    return rate_per_s, capacity_mhz, latency_s


class TenantLedger:
    """Energy of tenants, and whom they shared hosts with.

    ``energy_j`` has one entry per tenant and a last one for VMs of nobody; ``unused_j`` is what
    hosts without VMs drew. ``shared_host_s`` is the time that two tenants were on one host, summed
    over hosts, (tenants, tenants); ``co_tenant_s`` the integral over time of how many other
    tenants each VM shared its host with.
    """

    def __init__(self, farm: Farm, tenant_of_size: Ints, tenants: int, rule: str) -> None:
        self._farm, self._rule, self._tenants = farm, rule, tenants
        owner = tenant_of_size[farm.vms.size]
        self.owner = np.where(owner >= 0, owner, tenants)
        self.energy_j = np.zeros(tenants + 1)
        self.unused_j = 0.0
        self.shared_host_s = np.zeros((tenants, tenants))
        self.co_tenant_s = np.zeros(len(farm.vms))
        self._idle_w = farm.hosts.power.watts(np.zeros(len(farm.hosts)), slice(None))
        self._before_j = np.zeros(len(farm.hosts))
        self._before_on_s = np.zeros(len(farm.hosts))
        self._since_s = 0.0

    def note(self, now_s: float) -> None:
        """Charge what hosts have drawn since the last call, and note who shared them."""
        interval_s, self._since_s = now_s - self._since_s, now_s
        farm, totals = self._farm, self._farm.accounts.totals
        drawn_j = totals[Rate.POWER_W] - self._before_j
        on_s = totals[Rate.ON] - self._before_on_s
        self._before_j, self._before_on_s = totals[Rate.POWER_W].copy(), totals[Rate.ON].copy()
        placed = np.flatnonzero(farm.vms.host >= 0)
        host = farm.vms.host[placed]
        delivery = farm.delivery
        used_mhz = delivery.asked_mhz(placed) * (1.0 - delivery.shortfall[placed])
        charged_j = attribute(
            drawn_j, self._idle_w * on_s, host, farm.vms.size_mhz[placed],
            used_mhz * delivery.effort[placed] * delivery.slowdown[placed] * interval_s,
            self._rule,
        )  # fmt: skip
        owner = self.owner[placed]
        self.energy_j += sum_by(owner, weights=charged_j, minlength=self._tenants + 1)
        self.unused_j += float(drawn_j.sum() - charged_j.sum())
        self._note_sharing(placed, host, owner, interval_s)

    def _note_sharing(self, placed: Ints, host: Ints, owner: Ints, interval_s: float) -> None:
        count, tenants = len(self._farm.hosts), self._tenants
        cells = np.bincount(host * (tenants + 1) + owner, minlength=count * (tenants + 1))
        present = (cells.reshape(count, tenants + 1)[:, :tenants] > 0).astype(np.float64)
        self.shared_host_s += (present.T @ present) * interval_s
        others = present.sum(axis=1)[host] - (owner < tenants)
        self.co_tenant_s[placed] += others * interval_s
