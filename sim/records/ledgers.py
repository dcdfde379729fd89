"""Accounts of VMs on hosts: response times and energy attribution.

A ledger settles the VMs of hosts whenever these are about to change, for the time since they
changed last; in between all rates are constant. So what it sums up is an integral over the time
that VMs lived, whatever the step of the workload is.
"""

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.base.arrays import Bools, Floats, Ints, sum_by
from ...models.base.lazy_dataclass import dataclass
from ...models.farm.farm import Farm
from ...models.service.energy_attribution import attribute
from ...models.service.response_account import ServiceAccount
from ...models.service.response_cells import BUSIEST, Conditions
from ...models.state.columns import VmState

MIN_MHZ = 1e-6
"""A VM that stands still counts as this fast, so that its load is a number."""


@dataclass(frozen=True)
class RequestLoad:
    """Resource needs of requests, per VM size.

    ``work_mhz_s`` is the bare-metal work of a request, 0 where the size has no class;
    ``service_scv`` the squared coefficient of variation of that work; ``latency_s`` what the
    layer adds to a request beside CPU, (sizes, groups).
    """

    work_mhz_s: Floats
    service_scv: Floats
    latency_s: Floats


class ServiceLedger:
    """Response times of the VMs that have a request class; ``rows`` are these VMs.

    A VM's demand over the work of a request is its arrival rate. VMs without backlog that get all
    they can use are accounted for by their load alone, the others one by one. Requests to a VM
    that is on storage wait for it. Each VM is accounted for from one change of its host to the
    next, however often the farm is looked at in between.

    One of the farm's own ledgers: the farm calls :meth:`settle` before it changes hosts, and
    :meth:`enter` as VMs come to a host. Approximations of the response time are those of
    :mod:`farmsim.models.service.response_time`.
    """

    def __init__(self, farm: Farm, load: RequestLoad) -> None:
        self._farm, self._load = farm, load
        self.rows = np.flatnonzero(load.work_mhz_s[farm.vms.size] > 0)
        count = len(self.rows)
        self._place = np.full(len(farm.vms), -1, np.int64)
        self._place[self.rows] = np.arange(count)
        # Of all VMs a view does, where rows would be a copy of every column at every step.
        self._columns = slice(None) if count == len(farm.vms) else self.rows
        # Neighbours change service times, and so does every VM that crowds a host.
        self._varying = farm.delivery.layer.interference is not None or farm.delivery.contended
        self.account = ServiceAccount(count, self._varying)
        self._since_s = np.zeros(count)
        self._host, self._effort = np.full(count, -1), np.zeros(count)
        self._guest_share, self._size = np.ones(count), np.full(count, -1)
        self._known = np.full((2, count), -1)
        """Group of hosts and size that the account's conditions were set for."""
        self._max_mhz, self._full_mhz = np.zeros(count), np.full(count, np.inf)
        self._service_s = np.ones(count)
        self._settled_s = 0.0
        farm.own_ledgers.append(self)

    def enter(self, vms: Ints, now_s: float) -> None:
        """Start accounting for VMs on a host; suspended VMs keep their requests."""
        at = self._place[vms]
        at = at[at >= 0]
        stored = at[self._farm.vms.state[self.rows[at]] == VmState.SUSPENDED]
        if len(stored):
            self._note_stored(stored, now_s)
        self._since_s[at] = now_s

    def settle(self, hosts: Ints, now_s: float) -> None:
        """Account for the VMs on hosts that are about to change.

        ``hosts`` are rows, ascending. VMs settled at this instant already are skipped.
        """
        at = vms = self._farm.residents.recall(hosts)
        some = isinstance(self._columns, np.ndarray)
        if some:
            at = self._place[vms]
            at = at[at >= 0]
        late = self._since_s[at] < now_s
        if not late.all():
            at = at[late]
        if len(at):
            self._account(at, self.rows[at] if some else at, now_s)
            self._since_s[at] = now_s

    def settle_all(self, now_s: float) -> None:
        """Account for all VMs."""
        if now_s == self._settled_s:
            return
        self._settled_s = now_s
        self._account(slice(None), self._columns, now_s)
        stored = self._farm.vms.state[self._columns] == VmState.SUSPENDED
        if stored.any():
            self._note_stored(np.flatnonzero(stored), now_s)
        self._since_s[:] = now_s

    def _account(self, part: Ints | slice, vms: Ints | slice, now_s: float) -> None:
        """Account for some VMs, given by their place in ``rows`` and their row."""
        self._renew(part, vms)
        interval_s = now_s - self._since_s[part]
        busy = (self._host[part] >= 0) & (interval_s > 0)
        load, service_s = self._loads(part, vms)
        steady = busy & (load < BUSIEST) & self._has_room(part, vms, load)
        steady &= self.account.waiting[part] == 0
        if steady.all():
            self.account.add_steady(part, interval_s, load, service_s)
            return
        everybody = np.arange(len(self.rows))[part]
        at = np.flatnonzero(steady)
        own_s = None if service_s is None else service_s[at]
        self.account.add_steady(everybody[at], interval_s[at], load[at], own_s)
        at = np.flatnonzero(busy & ~steady)
        if len(at):
            self._note_each(everybody[at], interval_s[at])

    def _loads(self, part: Ints | slice, vms: Ints | slice) -> tuple[Floats, Floats | None]:
        """Return the share that VMs ask of what they could use, and service times that vary."""
        load = self._farm.vms.demand_mhz[vms] / self._full_mhz[part]
        if not self._varying:
            return load, None
        slowdown = self._farm.delivery.slowdown[vms]
        return load * slowdown, self._service_s[part] * slowdown

    def _renew(self, part: Ints | slice, vms: Ints | slice) -> None:
        """Look again at VMs whose host, size, effort or share of the CPU is another."""
        columns, delivery = self._farm.vms, self._farm.delivery
        pairs = [
            (columns.host[vms], self._host),
            (delivery.effort[vms], self._effort),
            (columns.guest_share[vms], self._guest_share),
            (columns.size[vms], self._size),
        ]
        differs = pairs[0][0] != pairs[0][1][part]
        for now, seen in pairs[1:]:
            differs |= now != seen[part]
        other = np.flatnonzero(differs)
        if not len(other):
            return
        changed = np.arange(len(self.rows))[part][other]
        for now, seen in pairs:
            seen[changed] = now[other]
        # Without a host a VM asks for no part of what it could have.
        self._full_mhz[changed] = np.inf
        at = changed[self._host[changed] >= 0]
        rows = self.rows[at]
        size, vcpus = columns.size[rows], columns.vcpus[rows]
        max_mhz = delivery.max_mhz[rows]
        full_mhz = np.maximum(max_mhz / self._effort[at] * self._guest_share[at], MIN_MHZ)
        service_s = vcpus * self._load.work_mhz_s[size] / full_mhz
        self._max_mhz[at], self._full_mhz[at], self._service_s[at] = max_mhz, full_mhz, service_s
        group = self._farm.hosts.group[self._host[at]]
        if self._varying:
            new = (self._known[0, at] != group) | (self._known[1, at] != size)
            if not new.any():
                return
            at, group, size, vcpus, service_s = (
                each[new] for each in (at, group, size, vcpus, service_s)
            )
        self._known[:, at] = group, size
        latency_s, scv = self._load.latency_s[size, group], self._load.service_scv[size]
        self.account.set_conditions(at, Conditions(vcpus, service_s, scv, latency_s))

    def _has_room(self, part: Ints | slice, vms: Ints | slice, load: Floats) -> Bools:
        """Return which VMs could use all of their vCPUs, and went without nothing."""
        hosts, delivery = self._farm.hosts, self._farm.delivery
        max_mhz, host = self._max_mhz[part], self._host[part]
        if isinstance(part, slice):
            spare_mhz = np.maximum(hosts.cpu_mhz - hosts.demand_mhz, 0.0)
            plenty = spare_mhz[hosts.vm_count > 0].min(initial=np.inf)
            fits: Bools = np.ones(len(load), bool)
            if plenty < max_mhz.max(initial=0.0):
                used_mhz = load * max_mhz * self._guest_share
                fits = max_mhz * self._guest_share <= used_mhz + spare_mhz[host]
        else:
            spare_mhz = np.maximum(hosts.cpu_mhz[host] - hosts.demand_mhz[host], 0.0)
            kept_mhz = max_mhz * self._guest_share[part]
            fits = kept_mhz <= load * kept_mhz + spare_mhz
        if delivery.saturated.any():
            fits &= delivery.shortfall[vms] == 0
        return fits

    def _note_each(self, at: Ints, interval_s: Floats) -> None:
        """Account for some VMs, by their place in ``rows``, whatever their state."""
        vms, rows = self._farm.vms, self.rows[at]
        rate_per_s, capacity_mhz, latency_s = offered(self._farm, self._load, rows)
        size, vcpus = vms.size[rows], vms.vcpus[rows]
        service_s = np.full(len(rows), np.inf)
        np.divide(
            vcpus * self._load.work_mhz_s[size],
            capacity_mhz,
            out=service_s,
            where=capacity_mhz > 0,
        )
        scv = self._load.service_scv[size]
        self.account.add(at, interval_s, vcpus, rate_per_s, service_s, latency_s, scv)

    def _note_stored(self, at: Ints, now_s: float) -> None:
        """Account for VMs on storage, whose requests wait."""
        vms, rows = self._farm.vms, self.rows[at]
        interval_s = now_s - self._since_s[at]
        rate_per_s = vms.demand_mhz[rows] / self._load.work_mhz_s[vms.size[rows]]
        never_s, nothing_s = np.full(len(at), np.inf), np.zeros(len(at))
        self.account.add(at, interval_s, vms.vcpus[rows], rate_per_s, never_s, nothing_s)


def offered(farm: Farm, load: RequestLoad, rows: Ints) -> tuple[Floats, Floats, Floats]:
    """Return arrival rate per s, capacity in MHz of guest work, and added latency in s of VMs.

    All must be on hosts. A VM can be given what its vCPUs can use and its host has to spare;
    where its host is short, what it is delivered.

    ``rows``, (n,), are rows of VMs with a request class; the three results are (n,).
    """
    vms, hosts, delivery = farm.vms, farm.hosts, farm.delivery
    host, size = vms.host[rows], vms.size[rows]
    effort = delivery.effort[rows] * delivery.slowdown[rows]
    wanted_mhz = delivery.asked_mhz(rows)
    spare_mhz = np.maximum(hosts.cpu_mhz - hosts.demand_mhz, 0.0)[host]
    max_mhz = delivery.max_mhz[rows] * vms.guest_share[rows]
    capacity_mhz = np.minimum(max_mhz, wanted_mhz * effort + spare_mhz) / effort
    shortfall = delivery.shortfall[rows]
    capacity_mhz = np.where(shortfall > 0, wanted_mhz * (1.0 - shortfall), capacity_mhz)
    rate_per_s: Floats = vms.demand_mhz[rows] / load.work_mhz_s[size]
    latency_s: Floats = load.latency_s[size, hosts.group[host]]
    return rate_per_s, capacity_mhz, latency_s


class TenantLedger:
    """Energy of tenants, and tenants that shared hosts.

    ``energy_j`` has one entry per tenant and a last one for VMs of nobody; ``unused_j`` is what
    hosts without VMs drew. ``shared_host_s`` is the time that two tenants were on one host, summed
    over hosts, (tenants, tenants). Per VM, ``hosted_s`` is the time that it had a host,
    ``co_tenant_s`` the integral over it of the number of other tenants on that host,
    ``layer_risk_s`` of the indicator of what the VM trusts there (``risk_of_group``).

    ``tenant_of_size``, (sizes,), gives the tenant of each VM size, −1 for none; ``rule`` names how
    the energy of an idle host is divided (:func:`.attribute`); ``risk_of_group`` is (groups,).
    ``owner`` is the tenant of each VM, ``tenants`` for nobody's.
    """

    def __init__(
        self, farm: Farm, tenant_of_size: Ints, tenants: int, rule: str, risk_of_group: Floats
    ) -> None:
        self._farm, self._rule, self._tenants = farm, rule, tenants
        owner = tenant_of_size[farm.vms.size]
        self.owner = np.where(owner >= 0, owner, tenants)
        self.energy_j = np.zeros(tenants + 1)
        self.unused_j = 0.0
        self.shared_host_s = np.zeros((tenants, tenants))
        self.hosted_s, self.co_tenant_s, self.layer_risk_s = np.zeros((3, len(farm.vms)))
        self._idle_w = farm.hosts.power.watts(np.zeros(len(farm.hosts)), slice(None))
        self._risk = risk_of_group[farm.hosts.group]
        self._everywhere = np.arange(len(farm.hosts))
        farm.ledgers.append(self)

    def enter(self, vms: Ints, now_s: float) -> None:
        """Do nothing: suspended VMs share no host and use no power."""

    def settle_all(self, now_s: float) -> None:
        """Attribute the energy of all hosts, and note the tenants on them."""
        vms = np.flatnonzero(self._farm.vms.host >= 0)
        self._charge(self._everywhere, vms, self._farm.vms.host[vms], now_s)

    def settle(self, hosts: Ints, now_s: float) -> None:
        """Attribute the energy of hosts about to change, and note the tenants on them.

        ``hosts`` are rows, ascending; powers and shares are those since their last change.
        """
        vms = self._farm.residents.recall(hosts)
        self._charge(hosts, vms, np.searchsorted(hosts, self._farm.vms.host[vms]), now_s)

    def _charge(self, hosts: Ints, vms: Ints, at: Ints, now_s: float) -> None:
        """Account for VMs on hosts, ascending; ``at`` is the position of each one's host."""
        farm, accounts, delivery = self._farm, self._farm.accounts, self._farm.delivery
        interval_s = now_s - accounts.since_s[hosts]
        drawn_j = accounts.rates[Rate.POWER_W, hosts] * interval_s
        on_s = accounts.rates[Rate.ON, hosts] * interval_s
        used_mhz = delivery.asked_mhz(vms) * (1.0 - delivery.shortfall[vms])
        used_mhz *= delivery.effort[vms] * delivery.slowdown[vms]
        charged_j = attribute(
            drawn_j,
            self._idle_w[hosts] * on_s,
            at,
            farm.vms.size_mhz[vms],
            used_mhz * interval_s[at],
            self._rule,
        )
        owner = self.owner[vms]
        self.energy_j += sum_by(owner, weights=charged_j, minlength=self._tenants + 1)
        self.unused_j += float(drawn_j.sum() - charged_j.sum())
        self.hosted_s[vms] += interval_s[at]
        self.layer_risk_s[vms] += self._risk[hosts][at] * interval_s[at]
        self._note_sharing(vms, at, owner, interval_s)

    def _note_sharing(self, vms: Ints, at: Ints, owner: Ints, interval_s: Floats) -> None:
        count, tenants = len(interval_s), self._tenants
        cells = np.bincount(at * (tenants + 1) + owner, minlength=count * (tenants + 1))
        there = cells.reshape(count, tenants + 1)[:, :tenants] > 0
        others = there.sum(axis=1)[at] - (owner < tenants)
        self.co_tenant_s[vms] += others * interval_s[at]
        named = np.flatnonzero(there.any(axis=0))
        present = there[:, named].astype(np.float64)
        self.shared_host_s[np.ix_(named, named)] += (present.T * interval_s) @ present
