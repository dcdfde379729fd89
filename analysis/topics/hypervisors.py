"""Hypervisor overhead, CPU ready and response times."""

from typing import Any

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.base.quantiles import nearest_rank
from ..base.played_case import PlayedCase
from ..base.table_columns import Made
from ..base.topic import Section, Topic, TopicTable
from ..base.units_and_ratios import ratio
from .lifecycle.metrics import present_s


def overhead_values(run: PlayedCase) -> dict[str, float]:
    """Return what the layer between hosts and guests took of CPU, and how long vCPUs waited.

    ``overhead_share`` is CPU delivered beyond the work of guests over all that was delivered. CPU
    ready and co-stop are means over the VMs that ran and asked for CPU, as shares of their lives.

    All are 0 where no VM ran. Rounding never makes the overhead negative. On bare metal it is 0.
    """
    vms, totals = run.farm.vm_accounts, run.farm.accounts.totals
    missed = vms.unserved_mhz_s + vms.degraded_mhz_s
    work_mhz_s = float((vms.requested_mhz_s - missed).sum())
    delivered_mhz_s = float(totals[Rate.DELIVERED_MHZ].sum())
    life_s = present_s(run.outcome)
    ran = (vms.requested_mhz_s > 0) & (life_s > 0)
    ready, costop = vms.ready_s[ran] / life_s[ran], vms.costop_s[ran] / life_s[ran]
    return {
        "overhead_share": max(ratio(delivered_mhz_s - work_mhz_s, delivered_mhz_s), 0.0),
        "cpu_ready": float(ready.mean()) if len(ready) else 0.0,
        "cpu_ready_max": float(ready.max(initial=0.0)),
        "cpu_costop": float(costop.mean()) if len(costop) else 0.0,
    }


def response_values(run: PlayedCase) -> dict[str, float]:
    """Return response times in ms over all requests; none where no VM has a request class.

    0 where no request arrived.

    Mean and quantiles are over the mixture of all requests of all VMs, each weighted with its
    arrivals: not a mean over VMs. ``requests_waiting`` is the backlog at the end, which has no
    response time yet.
    """
    if run.accounts.service is None:
        return {}
    account = run.accounts.service.account
    everybody = np.zeros(len(account.arrived), np.int64)
    return {
        "requests": float(account.arrived.sum()),
        "response_mean_ms": 1e3 * float(account.mean_s(everybody).sum()),
        "response_p95_ms": 1e3 * float(account.quantile_s(0.95, everybody).sum()),
        "response_p99_ms": 1e3 * float(account.quantile_s(0.99, everybody).sum()),
        "requests_waiting": float(account.waiting.sum()),
    }


def wide_column(run: PlayedCase) -> dict[str, Made]:
    """Return which VMs exceed a NUMA node, as a column of the table of VMs."""
    vms = run.farm.vms
    placed = vms.host >= 0
    group = run.farm.hosts.group[np.where(placed, vms.host, 0)]
    wide = run.case.stack.costs.wide[vms.size, group] & placed
    return {"exceeds_numa_node": (wide, "", "Whether it exceeds a NUMA node of its last host.")}


def response_columns(run: PlayedCase) -> dict[str, Made]:
    """Return columns of the table of VMs on their requests; 0 for VMs without a request class.

    None where no VM has one.
    """
    service = run.accounts.service
    if service is None:
        return {}
    account = service.account
    columns = {
        "requests": (account.arrived, "requests", "Requests that arrived at it."),
        "response_mean_ms": (1e3 * account.mean_s(), "ms", "Mean response time."),
        "response_p95_ms": (1e3 * account.quantile_s(0.95), "ms", "P95 of response time."),
        "response_p99_ms": (1e3 * account.quantile_s(0.99), "ms", "P99 of response time."),
        "requests_waiting": (account.waiting, "requests", "Requests not yet served at the end."),
    }
    made: dict[str, Made] = {}
    for name, (values, unit, meaning) in columns.items():
        of_all = np.zeros(len(run.farm.vms))
        of_all[service.rows] = values
        made[name] = (of_all, unit, meaning)
    return made


def microscope(run: PlayedCase) -> dict[str, Made]:
    """Return the VMs under the microscope: simulated response times beside the formulas'.

    One row per VM, times in ms; 0 for a VM of which no request was simulated.

    The table shows how far simulation and formulas differ; a difference is no error. Quantiles are
    by nearest rank over the requests that were simulated.
    """
    scope, service = run.accounts.microscope, run.accounts.service
    assert scope is not None
    assert service is not None
    at = np.searchsorted(service.rows, scope.rows)
    simulated = scope.responses_s()

    def quantiles(q: float) -> Any:
        return np.array([nearest_rank(each, q) for each in simulated])

    means = np.array([float(each.mean()) if len(each) else 0.0 for each in simulated])
    account = service.account
    names = [run.farm.vms.names[row] for row in scope.rows.tolist()]
    return {
        "vm": (names, "", "Name of the VM."),
        "requests": (
            np.array([len(each) for each in simulated]),
            "requests",
            "Requests simulated.",
        ),
        "mean_ms": (1e3 * means, "ms", "Mean response time, simulated."),
        "p95_ms": (1e3 * quantiles(0.95), "ms", "P95 of it."),
        "p99_ms": (1e3 * quantiles(0.99), "ms", "P99 of it."),
        "formula_mean_ms": (1e3 * account.mean_s()[at], "ms", "Mean by the formulas."),
        "formula_p95_ms": (1e3 * account.quantile_s(0.95)[at], "ms", "P95 by the formulas."),
        "formula_p99_ms": (1e3 * account.quantile_s(0.99)[at], "ms", "P99 by the formulas."),
    }


OVERHEAD = Topic(
    name="virtualisation overhead",
    values=overhead_values,
    section=Section(
        "Virtualisation", ("overhead_share", "cpu_ready", "cpu_ready_max", "cpu_costop")
    ),
)
RESPONSE = Topic(
    name="response times",
    values=response_values,
    tables=(
        TopicTable(
            "simulated_requests",
            microscope,
            lambda run: run.accounts.microscope is not None,
            "Only with `service.simulate_requests`.",
        ),
    ),
    section=Section(
        "Response",
        (
            "requests",
            "response_mean_ms",
            "response_p95_ms",
            "response_p99_ms",
            "requests_waiting",
        ),
    ),
)
