"""Tenants: resources used, shared hosts, and exposure of VMs.

Exposure is an ordinal indicator, not a probability: a grade of 8 is more than one of 4, and not
twice as much. It grows with the code of the layer below and with the tenants on the same host.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...models.base.arrays import Floats, added
from ...models.base.cost import JOULE_PER_KWH
from ...models.base.quantiles import nearest_rank
from ...models.service.exposure import grade, tenant_risk
from ...sim.records.ledgers import TenantLedger
from ..base.played_case import PlayedCase
from ..base.table_columns import Made, words
from ..base.topic import Section, Topic, TopicTable
from ..base.units_and_ratios import MHZ_S_PER_GHZ_H, S_PER_H, ratio, ratios
from .costs import cost_lines
from .farm.hosts_needed import hosts_needed
from .service import work_of

NO_TENANT, NO_VM = "nobody", "hosts without VMs"
"""Rows of VMs whose size names no tenant, and of the energy that nobody is charged with."""


def tenant_values(run: PlayedCase) -> dict[str, float]:
    """Return co-tenants and exposure over all VMs; none where the scenario names no tenants.

    Both are weighted by the time that VMs had a host; ``exposure`` is the median of ordinal grades.

    Both are 0 where no VM ever had a host.
    """
    tenancy = run.accounts.tenants
    if tenancy is None:
        return {}
    hosted_s = tenancy.hosted_s
    grades = grade(exposure_of(tenancy)).astype(np.float64)
    return {
        "co_tenants": ratio(float(tenancy.co_tenant_s.sum()), float(hosted_s.sum())),
        "exposure": nearest_rank(grades[hosted_s > 0], 0.5, hosted_s[hosted_s > 0]),
    }


def co_tenants_of(ledger: TenantLedger) -> Floats:
    """Return how many other tenants were on each VM's host, mean over the time that it had one.

    0 for VMs that never had a host.

    (vms,); a host may hold several VMs of one tenant, which counts once.
    """
    return ratios(ledger.co_tenant_s, ledger.hosted_s)


def exposure_of(ledger: TenantLedger) -> Floats:
    """Return the risk indicator of each VM, mean over the time that it had a host; 0: never.

    (vms,); the sum of the risk of the layers that it ran on and that of its neighbours, before it
    is turned into a grade.
    """
    layer = ratios(ledger.layer_risk_s, ledger.hosted_s)
    return layer + tenant_risk(co_tenants_of(ledger))


def tenant_columns(run: PlayedCase) -> dict[str, Made]:
    """Return columns of the table of VMs on tenants; none where the scenario defines none.

    A VM whose size names no tenant has an empty text.
    """
    ledger = run.accounts.tenants
    if ledger is None:
        return {}
    return {
        "tenant": (words(ledger.owner, [*run.case.stack.tenants, ""]), "", "Tenant of the VM."),
        "co_tenants": (
            co_tenants_of(ledger),
            "tenants",
            "Number of other tenants on its host, mean over its time on a host.",
        ),
        "exposure": (
            grade(exposure_of(ledger)),
            "grade",
            "Ordinal grade of exposure, 0 to 10, mean over the same time.",
        ),
    }


def tenants_table(run: PlayedCase) -> dict[str, Made]:
    """Return the table of tenants: VMs, CPU, energy, cost, and shared hosts.

    One row per tenant, one for VMs without, one for the energy of hosts that held no VM.

    Energy of all rows together is that of the farm, less what hosts drew that are not paid for.
    """
    ledger = _ledger(run)
    known = run.case.stack.tenants
    named = [*known, NO_TENANT, NO_VM]
    made: dict[str, Made] = {
        "tenant": (named, "", f"Tenant; nobody: VMs without a tenant; {NO_VM}: the part of no VM.")
    }
    uncounted_j = float(hosts_needed(run).uncounted_j.sum())
    unused_kwh = (ledger.unused_j - uncounted_j) / JOULE_PER_KWH
    columns = _work(run) | _responses(run) | _energy_and_cost(run) | _company(run)
    for name, (values, unit, meaning) in columns.items():
        of_hosts = unused_kwh if name == "energy_kwh" else values.dtype.type(0)
        made[name] = (np.append(values, of_hosts), unit, meaning)
    meaning = "Tenants with which it shared hosts, with host hours."
    made["shared_with"] = ([*_shared_with(ledger, known), "", ""], "", meaning)
    return made


def _ledger(run: PlayedCase) -> TenantLedger:
    """Return the account of tenants; only called where the scenario names some."""
    assert run.accounts.tenants is not None
    return run.accounts.tenants


def _summed(run: PlayedCase, values: Floats | None = None) -> Any:
    """Return sums of values by tenant, those without a tenant last; of none the count of VMs.

    One entry per tenant and one for those without, (tenants + 1,).
    """
    owner = _ledger(run).owner
    return np.bincount(owner, weights=values, minlength=len(run.case.stack.tenants) + 1)


def _work(run: PlayedCase) -> dict[str, Made]:
    """Return VMs and CPU work asked for by tenant, and the share of it that was not done."""
    work = work_of(run.outcome)
    requested, missed = _summed(run, work.asked), _summed(run, work.missed)
    requested_ghz_h = requested / MHZ_S_PER_GHZ_H
    share = missed / np.where(requested > 0, requested, 1.0)
    return {
        "vms": (_summed(run), "VMs", "VMs requested."),
        "requested_ghz_h": (requested_ghz_h, "GHz h", "CPU requested, whether or not VMs ran."),
        "unserved_share": (share, "share", "Share of requested CPU that was not served."),
    }


def _responses(run: PlayedCase) -> dict[str, Made]:
    """Return mean and P95 response time of each tenant's requests, if any.

    In ms, over the mixture of all requests of the tenant's VMs.
    """
    service = run.accounts.service
    if service is None:
        return {}
    account, by = service.account, _ledger(run).owner[service.rows]
    count = len(run.case.stack.tenants) + 1
    means, quantiles = np.zeros(count), np.zeros(count)
    for values, found in ((means, account.mean_s(by)), (quantiles, account.quantile_s(0.95, by))):
        values[: len(found)] = 1e3 * found
    return {
        "response_mean_ms": (means, "ms", "Mean response time of its requests; 0 without any."),
        "response_p95_ms": (quantiles, "ms", "P95 of their response time."),
    }


def _energy_and_cost(run: PlayedCase) -> dict[str, Made]:
    """Return the energy attributed to each tenant in kWh, and all cost split by it.

    Where no energy was attributed, nobody is charged.

    Idle energy is split by the field ``service.idle_energy_by``; the cost of a tenant is its part
    of the energy attributed, applied to energy, capital and licences alike.
    """
    energy_kwh = _ledger(run).energy_j / JOULE_PER_KWH
    total_kwh = float(energy_kwh.sum())
    part = energy_kwh / total_kwh if total_kwh > 0 else np.zeros(len(energy_kwh))
    cost = part * added(line.amount for line in cost_lines(run))
    return {
        "energy_kwh": (energy_kwh, "kWh", "Energy attributed; the rows add up to the farm's."),
        "cost": (cost, run.currency, "Total cost, split by energy attributed."),
    }


def _company(run: PlayedCase) -> dict[str, Made]:
    """Return how many tenants were on the hosts of each, and the worst exposure of its VMs."""
    ledger = _ledger(run)
    hosted_s = _summed(run, ledger.hosted_s)
    others = _summed(run, ledger.co_tenant_s) / np.where(hosted_s > 0, hosted_s, 1.0)
    exposed = np.zeros(len(others))
    np.maximum.at(exposed, ledger.owner, grade(exposure_of(ledger)))
    return {
        "co_tenants": (
            others,
            "tenants",
            "Number of other tenants on a VM's host, mean over the time of its VMs on hosts.",
        ),
        "exposure_max": (exposed, "grade", "Highest ordinal grade of exposure of its VMs."),
    }


def _shared_with(ledger: TenantLedger, known: Sequence[str]) -> list[str]:
    """Return for each tenant how long each other was on a host with it, in host hours."""
    return [
        ", ".join(
            f"{other} {shared / S_PER_H:.1f} h"
            for other, shared in zip(known, row, strict=True)
            if other != name and shared > 0
        )
        for name, row in zip(known, ledger.shared_host_s, strict=True)
    ]


TENANTS = Topic(
    name="tenants",
    values=tenant_values,
    tables=(
        TopicTable(
            "tenants",
            tenants_table,
            lambda run: run.accounts.tenants is not None,
            "Only where the scenario has `tenants`.",
        ),
    ),
    section=Section("Tenants", ("co_tenants", "exposure")),
)
