"""Metrics of a run: the values of all topics, and metrics derived from several of them.

Each topic measures itself (``Topic.values``); here they are put together, and the few figures are
added that take values of more than one topic. Units, titles and definitions of all metrics are in
``models/base/metric_definitions.py`` and nowhere else.
"""

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.base.cost import JOULE_PER_KWH
from ...models.base.metric_definitions import METRICS, WHERE_KNOWN
from ..base.played_case import PlayedCase
from ..base.units_and_ratios import ratio
from ..topics.catalogue import TOPICS
from ..topics.farm.hosts_needed import HostsNeeded, hosts_needed


def measure(run: PlayedCase) -> dict[str, float]:
    """Return every metric of a run by name; a ratio whose denominator is 0 is 0.

    Those of ``METRICS`` are always there, those of ``WHERE_KNOWN`` where their topic occurs.

    Products of several topics:

    - ``energy_per_work`` = energy / work served, in Wh per GHz h;
    - ``slav`` = SLATAH times PDM, ``esv`` = energy in kWh times SLAV, as in Beloglazov and Buyya
      (2012);
    - ``slav_pooled`` is the same of SLATAH and PDM over all hosts and VMs together instead of the
      mean of theirs.

    Where hosts are not paid for, figures of energy and of hosts on are replaced by those without
    them before these products are taken. Values are plain floats, in the order of the definitions;
    no value is NaN. Raises KeyError if no topic gives a metric of ``METRICS``.
    """
    values: dict[str, float] = {}
    for topic in TOPICS:
        values |= topic.values(run)
    values |= _without_unpaid(values, run, hosts_needed(run))
    values["energy_per_work"] = ratio(values["energy_kwh"] * 1000, values["work_served_ghz_h"])
    values["slav"] = values["slatah"] * values["pdm"]
    values["esv"] = values["energy_kwh"] * values["slav"]
    values["slav_pooled"] = values["slatah_pooled"] * values["pdm_pooled"]
    known = [*METRICS, *(name for name in WHERE_KNOWN if name in values)]
    return {name: float(values[name]) for name in known}


def _without_unpaid(
    values: dict[str, float], run: PlayedCase, needed: HostsNeeded
) -> dict[str, float]:
    """Return figures of energy and of hosts on without the hosts that are not paid for.

    None where such hosts drew no energy. Their energy is that of rest, and in a baseline also that
    of hosts which were on without ever holding a VM.
    """
    if not needed.uncounted_j.sum():
        return {}
    made = _energy_of_paid(values, run, needed)
    return made | _use_of_paid(values, run, needed) if needed.surplus_on_s else made


def _energy_of_paid(
    values: dict[str, float], run: PlayedCase, needed: HostsNeeded
) -> dict[str, float]:
    """Return energy and power less what hosts that are not paid for drew, kWh and W.

    The bound is less what these would have drawn off; no figure falls below 0.

    Power of the hosts left out is taken to be their mean over the run, so that the peak is an
    estimate where they were switched.
    """
    uncounted_j = float(needed.uncounted_j.sum())
    uncounted_kwh = uncounted_j / JOULE_PER_KWH
    energy_kwh = values["energy_kwh"] - uncounted_kwh
    off_w = np.array([model.off_w for model in run.case.host_models])
    off_kwh = float((needed.surplus * off_w).sum()) * run.end_s / JOULE_PER_KWH
    bound_kwh = max(values["energy_bound_kwh"] - off_kwh, 0.0)
    made = {
        "energy_kwh": energy_kwh,
        "energy_excluded_kwh": uncounted_kwh,
        "facility_energy_kwh": energy_kwh * run.scenario.cost.pue,
        "mean_power_w": energy_kwh * JOULE_PER_KWH / run.end_s,
        "peak_power_w": max(values["peak_power_w"] - uncounted_j / run.end_s, 0.0),
        "energy_bound_kwh": bound_kwh,
        "gap_energy": energy_kwh / bound_kwh - 1.0 if bound_kwh > 0 else 0.0,
    }
    if "powered_down_kwh" in values:
        made["powered_down_kwh"] = max(values["powered_down_kwh"] - uncounted_kwh, 0.0)
    return made


def _use_of_paid(
    values: dict[str, float], run: PlayedCase, needed: HostsNeeded
) -> dict[str, float]:
    """Return hosts on, utilisation and memory without hosts that were on and never held a VM.

    Such hosts exist only in baselines that keep all hosts on. Quantiles are scaled like means,
    since these hosts were on all the time.

    A mean over hosts on is divided by the share of what is left: with a share ``e`` of the capacity
    left out, which was idle, a utilisation ``u`` becomes ``u / (1 - e)``.
    """
    on_s = values["hosts_on_mean"] * run.end_s - needed.surplus_on_s
    hosts_on, least = on_s / run.end_s, values["hosts_bound_mean"]
    cpu, memory = 1.0 - needed.empty_share, 1.0 - needed.empty_memory_share
    made = {
        "hosts_on_mean": hosts_on,
        "gap_hosts": hosts_on / least - 1.0 if least > 0 else 0.0,
        "consolidation_ratio": ratio(float(run.farm.accounts.totals[Rate.VMS].sum()), on_s),
        "cpu_promised_p95": values["cpu_promised_p95"] / cpu,
        "vcpus_per_core": values["vcpus_per_core"] / (1.0 - needed.empty_cores_share),
    }
    for name in ("mean", "p50", "p95", "max"):
        made[f"utilisation_{name}"] = values[f"utilisation_{name}"] / cpu
    for name in ("memory_mean", "memory_p95", "memory_max"):
        made[name] = values[name] / memory
    return made
