"""Columns and tables that exist where hypervisors, request classes or tenants are named."""

from typing import Any

import numpy as np
import pyarrow as pa

from ...models.base.arrays import Floats, Ints, added
from ...models.base.cost import JOULE_PER_KWH
from ...models.base.quantiles import nearest_rank
from ...models.service.exposure import grade, tenant_risk
from ...scenarios.build.build import Case
from ...sim.engine import Outcome
from ...sim.records.ledgers import TenantLedger
from ..base.table_columns import Made, words
from ..base.units_and_ratios import MHZ_S_PER_GHZ_H, ratios
from .costs import cost_lines
from .hosts_needed import hosts_needed
from .work import work_of

NO_VM = "hosts without VMs"
"""The row of the energy that nobody is charged with."""


def vm_layer(case: Case, outcome: Outcome) -> dict[str, Made]:
    """Return what VMs have where they have a request class, or tenants are named."""
    vms = outcome.farm.vms
    made: dict[str, Made] = {}
    placed = vms.host >= 0
    group = outcome.farm.hosts.group[np.where(placed, vms.host, 0)]
    wide = case.stack.costs.wide[vms.size, group] & placed
    made["wide"] = (wide, "", "Whether it exceeds a NUMA node of its last host.")
    service, tenants = outcome.accounts.service, outcome.accounts.tenants
    if service is not None:
        account, rows = service.account, service.rows
        columns = {
            "requests": (account.arrived, "requests", "Requests that arrived."),
            "response_mean_ms": (1e3 * account.mean_s(), "ms", "Mean response time."),
            "response_p95_ms": (1e3 * account.quantile_s(0.95), "ms", "P95 of response time."),
            "response_p99_ms": (1e3 * account.quantile_s(0.99), "ms", "P99 of response time."),
            "requests_waiting": (account.waiting, "requests", "Backlog at the end."),
        }
        for name, (values, unit, meaning) in columns.items():
            spread = np.zeros(len(vms))
            spread[rows] = values
            made[name] = (spread, unit, meaning)
    if tenants is not None:
        owners = [*case.stack.tenants, ""]
        made["tenant"] = (words(tenants.owner, owners), "", "Whose it is.")
        made["co_tenants"] = (
            co_tenants_of(tenants),
            "tenants",
            "Other tenants on its host, mean while it had one.",
        )
        made["exposure"] = (
            grade(exposure_of(tenants)), "grade", "Ordinal grade of exposure, 0 to 10, mean of the "
            "same time.",
        )  # fmt: skip
    return made


def microscope(outcome: Outcome) -> dict[str, Made]:
    """Return the VMs under the microscope: simulated response times beside the formulas'."""
    scope, service = outcome.accounts.microscope, outcome.accounts.service
    assert scope is not None
    assert service is not None
    at = np.searchsorted(service.rows, scope.rows)
    simulated = scope.responses_s()

    def quantiles(q: float) -> Any:
        return np.array([nearest_rank(each, q) for each in simulated])

    means = np.array([float(each.mean()) if len(each) else 0.0 for each in simulated])
    account = service.account
    names = pa.array([outcome.farm.vms.names[row] for row in scope.rows.tolist()])
    return {
        "vm": (names, "", "Name of the VM."),
        "requests": (
            np.array([len(each) for each in simulated]), "requests", "Requests simulated."
        ),
        "mean_ms": (1e3 * means, "ms", "Mean response time, simulated."),
        "p95_ms": (1e3 * quantiles(0.95), "ms", "P95 of it."),
        "p99_ms": (1e3 * quantiles(0.99), "ms", "P99 of it."),
        "formula_mean_ms": (1e3 * account.mean_s()[at], "ms", "Mean by the formulas."),
        "formula_p95_ms": (1e3 * account.quantile_s(0.95)[at], "ms", "P95 by the formulas."),
        "formula_p99_ms": (1e3 * account.quantile_s(0.99)[at], "ms", "P99 by the formulas."),
    }  # fmt: skip


def tenants(case: Case, outcome: Outcome) -> dict[str, Made]:
    """Return who had what: VMs, CPU, energy, cost, and whom each shared hosts with."""
    ledger = outcome.accounts.tenants
    assert ledger is not None
    known = case.stack.tenants
    owners, hours = [*known, "nobody"], 3600.0
    count = len(owners)

    def summed(values: Any) -> Any:
        return np.bincount(ledger.owner, weights=values, minlength=count)

    work = work_of(outcome)
    requested, missed = summed(work.asked), summed(work.missed)
    asked = np.where(requested > 0, requested, 1.0)
    energy_kwh = ledger.energy_j / JOULE_PER_KWH
    lines = cost_lines(case, outcome)
    total_kwh = float(energy_kwh.sum())
    part = energy_kwh / total_kwh if total_kwh > 0 else np.zeros(count)
    cost = part * added(line.amount for line in lines)
    with_whom = [
        ", ".join(
            f"{other} {shared / hours:.1f} h"
            for other, shared in zip(known, row, strict=True)
            if other != name and shared > 0
        )
        for name, row in zip(known, ledger.shared_host_s, strict=True)
    ]
    exposed = np.zeros(count)
    np.maximum.at(exposed, ledger.owner, grade(exposure_of(ledger)))
    hosted_s = summed(ledger.hosted_s)
    currency = case.scenario.cost.currency
    responses = _responses(outcome, ledger.owner, count)
    uncounted_j = float(hosts_needed(case, outcome).uncounted_j.sum())
    unused_kwh = (ledger.unused_j - uncounted_j) / JOULE_PER_KWH
    table = {
        "vms": (np.bincount(ledger.owner, minlength=count), "VMs", "VMs asked for."),
        "requested_ghz_h": (
            requested / MHZ_S_PER_GHZ_H, "GHz h", "CPU asked for, whether or not VMs ran."
        ),
        "unserved_share": (missed / asked, "share", "CPU asked for and not done."),
        **responses,
        "energy_kwh": (energy_kwh, "kWh", "Energy attributed; the rows make the farm's."),
        "cost": (cost, currency, "All cost, split by energy attributed."),
        "co_tenants": (
            summed(ledger.co_tenant_s) / np.where(hosted_s > 0, hosted_s, 1.0), "tenants",
            "Other tenants on a VM's host, mean over the time that its VMs had hosts.",
        ),
        "exposure_max": (exposed, "grade", "Highest ordinal grade of exposure of its VMs."),
    }  # fmt: skip
    named = pa.array([*owners, NO_VM])
    made: dict[str, Made] = {
        "tenant": (named, "", f"Tenant; nobody: VMs whose size names none; {NO_VM}: no VM's part.")
    }
    for name, (values, unit, meaning) in table.items():
        of_hosts = unused_kwh if name == "energy_kwh" else values.dtype.type(0)
        made[name] = (np.append(values, of_hosts), unit, meaning)
    hours_of_each = "With whom it shared hosts: host hours of each."
    made["shared_with"] = (pa.array([*with_whom, "", ""]), "", hours_of_each)
    return made


def co_tenants_of(ledger: TenantLedger) -> Floats:
    """Return how many other tenants were on each VM's host, mean over the time that it had one."""
    return ratios(ledger.co_tenant_s, ledger.hosted_s)


def exposure_of(ledger: TenantLedger) -> Floats:
    """Return the risk indicator of each VM, mean over the time that it had a host; 0: never."""
    layer = ratios(ledger.layer_risk_s, ledger.hosted_s)
    return layer + tenant_risk(co_tenants_of(ledger))


def _responses(outcome: Outcome, owner: Ints, count: int) -> dict[str, Made]:
    """Return mean and P95 response time of each tenant's requests, where there are any."""
    service = outcome.accounts.service
    if service is None:
        return {}
    account, by = service.account, owner[service.rows]
    means, quantiles = np.zeros(count), np.zeros(count)
    for values, found in (
        (means, account.mean_s(by)), (quantiles, account.quantile_s(0.95, by)),
    ):  # fmt: skip
        values[: len(found)] = 1e3 * found
    return {
        "response_mean_ms": (means, "ms", "Mean response time of its requests; 0 without any."),
        "response_p95_ms": (quantiles, "ms", "P95 of their response time."),
    }
