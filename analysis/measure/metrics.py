"""What a run comes to: each metric with its unit and its published definition."""

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.base.arrays import added
from ...models.base.cost import JOULE_PER_KWH, per_year
from ...models.base.metric_definitions import METRICS, WHERE_KNOWN
from ...models.base.quantiles import nearest_rank
from ...models.service.exposure import grade
from ...models.state.columns import VmState
from ...scenarios.build.build import Case
from ...sim.engine import Outcome
from ..base.units_and_ratios import MIB_PER_GIB, mean_ratio, ratio
from ..topics.costs import cost_lines
from ..topics.elasticity.metrics import elasticity_values
from ..topics.hosts_needed import HostsNeeded, hosts_needed
from ..topics.hypervisors import exposure_of
from ..topics.lifecycle.metrics import life_values, present_s
from ..topics.migration.metrics import network_values
from ..topics.power_states import rest_values
from ..topics.reserve import reserve_values
from ..topics.resources import resource_values
from ..topics.rules import rule_values
from ..topics.work import work_values
from .gap import gap_values


def measure(case: Case, outcome: Outcome) -> dict[str, float]:
    """Return every metric of a run by name; a ratio whose denominator is 0 is 0."""
    duration_s = outcome.end_s
    lines = cost_lines(case, outcome)
    values = _farm_values(case, outcome) | _utilisation_values(outcome)
    values |= _migration_values(outcome) | _service_values(outcome)
    values |= gap_values(outcome) | reserve_values(outcome) | rest_values(outcome)
    values |= network_values(outcome) | life_values(case, outcome) | rule_values(case, outcome)
    values |= elasticity_values(case, outcome) | work_values(outcome)
    values |= resource_values(case, outcome)
    values |= _layer_values(outcome) | _request_values(outcome) | _tenant_values(outcome)
    needed = hosts_needed(case, outcome)
    values |= needed.values() | _counted(values, case, outcome, needed)
    values["energy_per_work"] = ratio(values["energy_kwh"] * 1000, values["work_served_ghz_h"])
    values["slav"] = values["slatah"] * values["pdm"]
    values["esv"] = values["energy_kwh"] * values["slav"]
    values["slav_pooled"] = values["slatah_pooled"] * values["pdm_pooled"]
    for item in ("energy", "capital", "licence"):
        values[f"{item}_cost"] = added(line.amount for line in lines if line.item == item)
    values["total_cost"] = added(line.amount for line in lines)
    values["cost_per_year"] = per_year(values["total_cost"], duration_s)
    if unlicensed := sum(line.hosts for line in lines if not line.known):
        values["hosts_unlicensed"] = unlicensed
    known = [*METRICS, *(name for name in WHERE_KNOWN if name in values)]
    return {name: float(values[name]) for name in known}


def _counted(
    values: dict[str, float], case: Case, outcome: Outcome, needed: HostsNeeded
) -> dict[str, float]:  # fmt: skip
    """Return figures of energy and hosts on without those that are not paid for."""
    uncounted_j = float(needed.uncounted_j.sum())
    if not uncounted_j:
        return {}
    uncounted_kwh = uncounted_j / JOULE_PER_KWH
    energy_kwh = values["energy_kwh"] - uncounted_kwh
    off_w = np.array([model.off_w for model in case.host_models])
    off_kwh = float((needed.surplus * off_w).sum()) * outcome.end_s / JOULE_PER_KWH
    bound_kwh = max(values["energy_bound_kwh"] - off_kwh, 0.0)
    made = {
        "energy_kwh": energy_kwh,
        "energy_not_counted_kwh": uncounted_kwh,
        "facility_energy_kwh": energy_kwh * case.scenario.cost.pue,
        "mean_power_w": energy_kwh * JOULE_PER_KWH / outcome.end_s,
        "peak_power_w": max(values["peak_power_w"] - uncounted_j / outcome.end_s, 0.0),
        "energy_bound_kwh": bound_kwh,
        "gap_energy": energy_kwh / bound_kwh - 1.0 if bound_kwh > 0 else 0.0,
    }
    if "rest_kwh" in values:
        made["rest_kwh"] = max(values["rest_kwh"] - uncounted_kwh, 0.0)
    if needed.surplus_on_s:
        on_s = values["hosts_on_mean"] * outcome.end_s - needed.surplus_on_s
        made["hosts_on_mean"] = on_s / outcome.end_s
        least = values["hosts_bound_mean"]
        made["gap_hosts"] = made["hosts_on_mean"] / least - 1.0 if least > 0 else 0.0
        for name in ("mean", "p50", "p95", "max"):
            whole = values[f"utilisation_{name}"]
            made[f"utilisation_{name}"] = whole / (1.0 - needed.empty_share)
        for name in ("memory_mean", "memory_p95", "memory_max"):
            made[name] = values[name] / (1.0 - needed.empty_memory_share)
        made["cpu_promised_p95"] = values["cpu_promised_p95"] / (1.0 - needed.empty_share)
        made["vcpus_per_core"] = values["vcpus_per_core"] / (1.0 - needed.empty_cores_share)
        vm_s = float(outcome.farm.accounts.totals[Rate.VMS].sum())
        made["consolidation_ratio"] = ratio(vm_s, on_s)
    return made


def _layer_values(outcome: Outcome) -> dict[str, float]:
    vms, totals = outcome.farm.vm_accounts, outcome.farm.accounts.totals
    missed = vms.unserved_mhz_s + vms.degraded_mhz_s
    work_mhz_s = float((vms.requested_mhz_s - missed).sum())
    delivered_mhz_s = float(totals[Rate.DELIVERED_MHZ].sum())
    life_s = present_s(outcome)
    ran = (vms.requested_mhz_s > 0) & (life_s > 0)
    ready, costop = vms.ready_s[ran] / life_s[ran], vms.costop_s[ran] / life_s[ran]
    return {
        "layer_share": max(ratio(delivered_mhz_s - work_mhz_s, delivered_mhz_s), 0.0),
        "cpu_ready": float(ready.mean()) if len(ready) else 0.0,
        "cpu_ready_max": float(ready.max(initial=0.0)),
        "cpu_costop": float(costop.mean()) if len(costop) else 0.0,
    }


def _request_values(outcome: Outcome) -> dict[str, float]:
    if outcome.accounts.service is None:
        return {}
    account = outcome.accounts.service.account
    everybody = np.zeros(len(account.arrived), np.int64)
    return {
        "requests": float(account.arrived.sum()),
        "response_mean_ms": 1e3 * float(account.mean_s(everybody).sum()),
        "response_p95_ms": 1e3 * float(account.quantile_s(0.95, everybody).sum()),
        "response_p99_ms": 1e3 * float(account.quantile_s(0.99, everybody).sum()),
        "requests_waiting": float(account.waiting.sum()),
    }


def _tenant_values(outcome: Outcome) -> dict[str, float]:
    tenancy = outcome.accounts.tenants
    if tenancy is None:
        return {}
    hosted_s = tenancy.hosted_s
    grades = grade(exposure_of(tenancy)).astype(np.float64)
    return {
        "co_tenants": ratio(float(tenancy.co_tenant_s.sum()), float(hosted_s.sum())),
        "exposure": nearest_rank(grades[hosted_s > 0], 0.5, hosted_s[hosted_s > 0]),
    }


def _farm_values(case: Case, outcome: Outcome) -> dict[str, float]:
    farm, duration_s = outcome.farm, outcome.end_s
    totals = farm.accounts.totals
    energy_j = float(totals[Rate.POWER_W].sum())
    on_s = float(totals[Rate.ON].sum())
    return {
        "duration_h": duration_s / 3600,
        "hosts": len(farm.hosts),
        "vms": len(farm.vms),
        "vms_rejected": int(np.count_nonzero(farm.vms.state == VmState.REJECTED)),
        "energy_kwh": energy_j / JOULE_PER_KWH,
        "facility_energy_kwh": energy_j / JOULE_PER_KWH * case.scenario.cost.pue,
        "mean_power_w": energy_j / duration_s,
        "peak_power_w": farm.accounts.levels.peak_w,
        "hosts_on_mean": on_s / duration_s,
        "vms_ran": int(np.count_nonzero(~np.isnan(outcome.lives.ran_s))),
        "consolidation_ratio": ratio(float(totals[Rate.VMS].sum()), on_s),
        "host_boots": int(farm.accounts.boots.sum()),
        "host_shutdowns": int(farm.accounts.stops.sum()),
    }


def _utilisation_values(outcome: Outcome) -> dict[str, float]:
    accounts, hosts = outcome.farm.accounts, outcome.farm.hosts
    delivered = float(accounts.totals[Rate.DELIVERED_MHZ].sum())
    utilisation = accounts.levels.utilisation
    return {
        "utilisation_mean": ratio(delivered, float(accounts.totals[Rate.ON] @ hosts.cpu_mhz)),
        "utilisation_p50": utilisation.quantile(0.5),
        "utilisation_p95": utilisation.quantile(0.95),
        "utilisation_max": utilisation.highest,
        "host_utilisation_p95_max": float(accounts.quantile(0.95).max(initial=0.0)),
    }


def _migration_values(outcome: Outcome) -> dict[str, float]:
    table = outcome.tables["migrations"]
    done = table["finished"]
    took_s = (table["end_s"] - table["start_s"])[done]
    mean_s = {"migration_mean_s": float(took_s.sum()) / len(took_s)} if len(took_s) else {}
    return mean_s | {
        "migrations": int(done.sum()),
        "migrated_gib": float(table["copied_mib"][done].sum()) / MIB_PER_GIB,
        "vm_migrations_max": int(outcome.farm.vm_accounts.migrations.max(initial=0)),
    }


def _service_values(outcome: Outcome) -> dict[str, float]:
    totals, vms = outcome.farm.accounts.totals, outcome.farm.vm_accounts
    requested, degraded = float(vms.requested_mhz_s.sum()), float(vms.degraded_mhz_s.sum())
    active_s, short_s = totals[Rate.ACTIVE], totals[Rate.SHORT]
    return {
        "slatah": mean_ratio(short_s, active_s),
        "pdm": mean_ratio(vms.degraded_mhz_s, vms.requested_mhz_s),
        "slatah_pooled": ratio(float(short_s.sum()), float(active_s.sum())),
        "pdm_pooled": ratio(degraded, requested),
    }
