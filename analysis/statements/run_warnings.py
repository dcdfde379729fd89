"""Warnings that a reader needs before relying on a run.

A warning is about what may be wrong with a figure, not about what the farm did; the verdict tells
the latter. Each is one sentence, or two, for someone who has not read the scenario.
"""

from collections.abc import Mapping, Sequence

from ...models.hypervisor.licences import HostLicence
from ...policies.selection.maximum_correlation import BY_MEMORY, BY_SUM, PICKS
from ...scenarios.language.units import write
from ...scenarios.readers.vms_table import VmsTable
from ...scenarios.spec.policies import FailingHosts, reserves_of
from ..base.played_case import PlayedCase
from ..base.wording import capital, percent
from ..topics.farm.racks import racks_over_limit
from ..topics.reserve import broken_reserves
from ..topics.service import main_cause

AFTER_THE_END = {
    "hold": "the last values are held",
    "loop": "it is repeated from the start",
    "stop": "the VMs are stopped",
}


def warnings(run: PlayedCase, here: dict[str, float], paid: Sequence[int]) -> list[str]:
    """Return what a reader has to know before relying on the figures.

    ``here`` are the run's metrics, ``paid`` counts the hosts paid for, per group.

    The order is VMs left out, recorded hosts, calibration, load, costs, minimum orders of licences,
    reserve, work not done, policies; the report and the terminal keep it. Empty where nothing is to
    be said.
    """
    return [
        *_left_out(run.case.load.table),
        *run.case.notes,
        *_calibration_warnings(run),
        *_load_warnings(run),
        *_cost_warnings(run, here),
        *_minimum_order_warnings(run, paid),
        *_reserve_warnings(run, here),
        *racks_over_limit(run),
        *_work_warnings(here),
        *_policy_warnings(run.outcome.noted),
    ]


FAR_FROM_ONE = 1.5
"""Factor of a calibration, or its inverse, beyond which the curves are hardly those of the farm."""


def _calibration_warnings(run: PlayedCase) -> list[str]:
    """Return by which factor power curves are scaled to a measured power, and whether it is odd."""
    part, factor = run.scenario.farm.calibrate, run.case.calibration
    if part is None or part.measured_power is None:
        return []
    told = (
        f"Power curves are multiplied by {factor:.3g}, so that the farm as it stands at first "
        f"draws the measured {write(part.measured_power, 'power')} at {write(part.at, 'time')}."
    )
    if not 1 / FAR_FROM_ONE <= factor <= FAR_FROM_ONE:
        told += (
            " That is far from 1: look whether the measurement has other equipment in it, or "
            "memory, load or servers differ."
        )
    return [told]


def _left_out(table: VmsTable | None) -> list[str]:
    """Return how many VMs the column ``scope`` of a table leaves out, and why."""
    if table is None or not table.left_out:
        return []
    counts = {scope: len(names) for scope, names in table.left_out.items()}
    total = sum(counts.values())
    listed = ", ".join(f"{count:,} {scope}" for scope, count in counts.items())
    what = "1 VM is" if total == 1 else f"{total:,} VMs are"
    return [f"{what} left out of the run by the scope in {table.file.name}: {listed}."]


def _load_warnings(run: PlayedCase) -> list[str]:
    """Return what was filled, cut or assumed of the load, and for how long there was none.

    A load that was generated has no quality and is never filled or cut.
    """
    found, quality = [], run.case.load.quality
    if quality is not None and quality.filled:
        share = 100 * (1 - quality.coverage)
        found.append(
            f"{quality.filled:,} samples ({share:.2g} %) were missing and have been filled: "
            f"{quality.rule}."
        )
    if quality is not None and quality.cut:
        found.append(f"{quality.cut:,} samples above 100 % were cut.")
    found += run.case.load.warnings
    found += _short_recordings(run)
    given = "sizes" in run.scenario.workload.model_fields_set
    if not given and run.case.load.vms.size_names == ["standard"]:
        found.append("VM sizes are not given; all VMs have 2 vCPUs of 2.5 GHz and 4 GiB.")
    return found


def _cost_warnings(run: PlayedCase, here: dict[str, float]) -> list[str]:
    """Return what may count twice, is a placeholder, or is left out of costs.

    An investment may be the price of the hosts, which is counted already; prices that were not
    given are placeholders; a list price in another currency is left out.
    """
    found, cost = [], run.scenario.cost
    if cost.investment is not None and cost.investment_for is None and here["capital_cost"]:
        found.append(
            "cost.investment counts in addition to the price of the hosts. If it includes the "
            "hosts, they count twice: set cost.investment_for: hosts; otherwise set project."
        )
    if assumed := placeholders(run):
        found.append(f"Prices are placeholders; set your own: cost.{', cost.'.join(assumed)}.")
    found += [
        f"Costs are without the licence of {model.hypervisor} on {model.name}: its list price is "
        f"in {licence.foreign}; set farm.hosts.{model.name}.licence in {cost.currency}."
        for model, licence in zip(run.case.host_models, run.case.licences, strict=True)
        if licence.foreign
    ]
    return found


def _minimum_order_warnings(run: PlayedCase, paid: Sequence[int]) -> list[str]:
    """Return the minimum orders that raise licence costs if the region is not known.

    Some licences are sold from a number of cores on, in some regions only.

    Cores are summed over all groups under one order, then compared with its least number: licences
    of several groups are bought together. Nothing is said where the region is written, since the
    order then surely holds, or surely does not.
    """
    if run.scenario.cost.licence_region is not None:
        return []
    own: dict[str, tuple[float, HostLicence]] = {}
    for licence, hosts in zip(run.case.licences, paid, strict=True):
        if licence.order_regional and licence.known:
            cores = own.get(licence.order, (0.0, licence))[0]
            own[licence.order] = (cores + hosts * licence.cores, licence)
    return [
        f"Licences are counted for {licence.min_cores:g} instead of {cores:g} cores: the minimum "
        f"order with {order} ({licence.order_note}); set cost.licence_region."
        for order, (cores, licence) in own.items()
        if 0 < cores < licence.min_cores
    ]


def _reserve_warnings(run: PlayedCase, here: dict[str, float]) -> list[str]:
    """Return how long the reserve was not kept, and whether its check proves anything.

    Only a check by packing, with a placement that would choose the same again, proves that the VMs
    of failed hosts find a host; sums of free memory do not.
    """
    scenario, found = run.scenario, list[str]()
    of_farm = reserves_of(scenario.policies.reserve)
    of_clusters = [reserves_of(cluster.reserve) for cluster in scenario.farm.clusters]
    below_h = here.get("below_reserve_h", 0.0)
    if below_h:
        several = len(run.case.reserve) > 1
        found.append(f"The reserve was not kept for {below_h:.3g} h.")
        found += broken_reserves(run) if several else []
    # A placement that counts on from its last choice or draws may choose otherwise in earnest.
    same_again = getattr(scenario.policies.initial.placement, "repeatable", True)
    scopes = [parts for parts in (of_farm, *of_clusters) if parts]
    proven = same_again and (_proves(of_farm) or all(map(_proves, scopes)))
    if scopes and not proven:
        found.append(
            "The check of the reserve does not prove that VMs restart after a failure; test it "
            "with `farmsim failover`."
        )
    return found


def _proves(parts: Sequence[object]) -> bool:
    """Whether any of some reserves is checked by packing."""
    return any(isinstance(part, FailingHosts) and part.check == "packing" for part in parts)


def _work_warnings(here: dict[str, float]) -> list[str]:
    """Return that more than 1 % of the work was not done, and mainly why."""
    share = here["unserved_share"]
    if share <= 0.01:
        return []
    why, by_it = main_cause(here)
    most = "" if percent(by_it) == percent(share) else f"{percent(by_it)} "
    return [f"{capital(percent(share))} of the requested CPU was not served, {most}because {why}."]


def placeholders(run: PlayedCase) -> list[str]:
    """Return the prices of a scenario's costs that it leaves to placeholders and that count.

    The price of a server does not where every group has its own; servers of a baseline count
    with a price only where it is written.

    Names are those of fields of ``cost``. Empty where all prices were given.
    """
    cost = run.scenario.cost
    assumed = ["energy_price"] if "energy_price" not in cost.model_fields_set else []
    priced = all(group.price is not None for group in run.scenario.farm.hosts)
    if "server_price" not in cost.model_fields_set and not priced:
        assumed.append("server_price")
    return assumed


def _short_recordings(run: PlayedCase) -> list[str]:
    """Return a warning for each recorded load that ends before the run does.

    The share of the run is ``1 - length / duration``.
    """
    duration_s = run.scenario.run.duration
    return [
        f"The load ({each.name}) lasts {_span(each.length_s)}, the run {_span(duration_s)}: for "
        f"{_percent(1 - each.length_s / duration_s)} of the run {AFTER_THE_END[each.on_end]}."
        for each in run.case.load.recordings
        if each.length_s < duration_s
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _span(span_s: float) -> str:
    """Return a time as text, rounded to a second where it is no round number."""
    text = str(write(span_s, "time"))
    return text if len(text) <= 12 else str(write(float(round(span_s)), "time"))


def _policy_warnings(noted: Mapping[str, int]) -> list[str]:
    """Return a sentence for each limitation that a policy met.

    ``noted`` counts by name what policies have noted during the run; those without a note never had
    to do anything but what their name says.
    """
    by_sum, by_memory = noted.get(BY_SUM, 0), noted.get(BY_MEMORY, 0)
    if not by_sum + by_memory:
        return []
    return [
        f"maximum_correlation could not regress each VM on all others in {by_sum + by_memory:,} of "
        f"{noted[PICKS]:,} selections, because there were no more samples than VMs or the load of "
        "VMs does not vary. It selected the VM that correlates most with the sum of the others in "
        f"{by_sum:,} cases and the VM with the least memory in {by_memory:,}; increase `samples` "
        "for hosts with many VMs"
    ]
