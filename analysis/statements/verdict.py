"""What a reader has to know before relying on a run, and assertions that do not hold."""

from collections.abc import Sequence

from ...models.hypervisor.licences import HostLicence
from ...scenarios.build.build import Case
from ...scenarios.language.conditions import holds, read_condition
from ...scenarios.spec.reserve import FailingHosts
from ..base.wording import capital, percent
from ..topics.work import main_cause
from .load_notes import short_recordings


def warnings(case: Case, here: dict[str, float], paid: Sequence[int]) -> list[str]:
    """Return what a reader has to know before relying on the figures.

    ``paid`` counts the hosts paid for, per group.
    """
    found = []
    part, quality = case.scenario.workload, case.load.quality
    if quality is not None and quality.filled:
        share = 100 * (1 - quality.coverage)
        found.append(
            f"{quality.filled:,} samples ({share:.2g} %) were missing and filled: {quality.rule}."
        )
    if quality is not None and quality.cut:
        found.append(f"{quality.cut:,} samples above 100 % were cut.")
    found += short_recordings(case)
    if "sizes" not in part.model_fields_set and case.load.vms.size_names == ["standard"]:
        found.append("Sizes of VMs are not given; all have 2 vCPUs of 2.5 GHz and 4 GiB.")
    cost = case.scenario.cost
    if cost.investment is not None and cost.investment_for is None and here["capital_cost"]:
        found.append(
            "cost.investment counts beside the price of the hosts. If it pays for the hosts, it "
            "counts twice: write cost.investment_for: hosts, or project if it does not."
        )
    if assumed := placeholders(case):
        found.append(f"Prices are placeholders, not yours: cost.{', cost.'.join(assumed)}.")
    found += [
        f"Costs are without the licence of {model.hypervisor} on {model.name}: its list price is "
        f"in {licence.foreign}; give farm.hosts.{model.name}.licence in {cost.currency}."
        for model, licence in zip(case.host_models, case.licences, strict=True)
        if licence.foreign
    ]
    found += _of_orders(case, paid)
    found += _of_reserve(case, here)
    if here["unserved_share"] > 0.01:
        share, (why, by_it) = here["unserved_share"], main_cause(here)
        most = "" if percent(by_it) == percent(share) else f"{percent(by_it)} "
        found.append(
            f"{capital(percent(share))} of the CPU asked for was not served: {most}because {why}."
        )
    return found


def _of_orders(case: Case, paid: Sequence[int]) -> list[str]:
    """Return which minimum orders make licences dearer, where their region is not known."""
    if case.scenario.cost.licence_region is not None:
        return []
    own: dict[str, tuple[float, HostLicence]] = {}
    for licence, hosts in zip(case.licences, paid, strict=True):
        if licence.order_regional and licence.known:
            cores = own.get(licence.order, (0.0, licence))[0]
            own[licence.order] = (cores + hosts * licence.cores, licence)
    return [
        f"Licences are counted for {licence.least_cores:g} instead of {cores:g} cores: the minimum "
        f"order with {order} ({licence.order_note}); write cost.licence_region."
        for order, (cores, licence) in own.items()
        if 0 < cores < licence.least_cores
    ]


def _of_reserve(case: Case, here: dict[str, float]) -> list[str]:
    """Return how long the reserve was not kept, and whether its check proves anything."""
    part, found = case.scenario.policies.reserve, []
    below_h = here.get("below_reserve_h", 0.0)
    if below_h:
        found.append(f"The reserve was not kept for {below_h:.3g} h.")
    # A placement that counts on from its last choice or draws may choose otherwise in earnest.
    same_again = getattr(case.scenario.policies.initial.placement, "repeatable", True)
    proven = isinstance(part, FailingHosts) and part.check == "packing" and same_again
    if part is not None and not proven:
        found.append(
            "How the reserve is checked is no proof that VMs restart if hosts fail; "
            "`farmsim failover` tests it."
        )
    return found


def placeholders(case: Case) -> list[str]:
    """Return the prices of a scenario's costs that it leaves to placeholders and that count.

    The price of a server does not where every group has its own; servers of a baseline count
    with a price only where it is written.
    """
    cost = case.scenario.cost
    assumed = ["energy_price"] if "energy_price" not in cost.model_fields_set else []
    priced = all(group.price is not None for group in case.scenario.farm.hosts)
    if "server_price" not in cost.model_fields_set and not priced:
        assumed.append("server_price")
    return assumed


def failed_assertions(case: Case, summary: dict[str, float | None]) -> list[str]:
    """Return the assertions of the scenario that the metrics do not satisfy.

    Their form was checked when the scenario was read.
    """
    failures = []
    for name, condition in case.scenario.assertions.items():
        operator, limit = read_condition(condition)
        value = summary.get(name)
        if value is None or not holds(value, operator, limit):
            shown = "has no value" if value is None else f"is {value:g}"
            failures.append(f"{name} {shown}, not {condition.strip()}")
    return failures
