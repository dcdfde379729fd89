"""What a run costs: energy, capital and licences of each group of hosts."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ...models.accounts.accounts import Rate
from ...models.base.arrays import Bools, Floats, added, sum_by
from ...models.base.cost import JOULE_PER_KWH, YEAR_S, capital_cost, energy_cost, per_year
from ...models.hypervisor.licences import costs_per_year, order_factors
from ..base.played_case import PlayedCase
from ..base.table_columns import Made
from ..base.topic import Section, Topic, TopicTable
from ..base.units_and_ratios import ratio
from .farm.hosts_needed import hosts_needed

ITEMS = ("energy", "capital", "licence")


@dataclass(frozen=True)
class CostLine:
    """One line of the cost table, for one group of hosts.

    ``licensed_cores`` are those that a licence by the core counts, minimum orders included. An
    amount that is not ``known`` counts as 0 in sums, which have to say so.
    """

    group: str
    item: str
    hosts: int
    amount: float
    per_year: float
    per_host_year: float
    licensed_cores: float = 0.0
    known: bool = True


def cost_lines(run: PlayedCase) -> list[CostLine]:
    """Return energy, capital and licence cost of each group of hosts."""
    cost, farm = run.scenario.cost, run.farm
    duration_s = run.end_s
    joules: Floats = sum_by(
        farm.hosts.group, weights=farm.accounts.totals[Rate.POWER_W],
        minlength=len(run.case.host_models),
    )  # fmt: skip
    vm_s = np.bincount(
        farm.hosts.group,
        weights=farm.accounts.totals[Rate.VMS],
        minlength=len(run.case.host_models),
    )
    needed = hosts_needed(run)
    joules = joules - needed.uncounted_j
    paid_by_group = needed.paid.tolist()
    licences = costs_per_year(run.case.licences, paid_by_group, vm_s / duration_s)
    factors = order_factors(run.case.licences, paid_by_group)
    lines = []
    for index, model in enumerate(run.case.host_models):
        paid = paid_by_group[index]
        amounts = {
            "energy": energy_cost(
                joules[index] / JOULE_PER_KWH, cost.pue, cost.energy_price.amount
            ),
            "capital": paid
            * capital_cost(run.case.prices[index], cost.server_lifetime, duration_s),
            "licence": float(licences[index]) * duration_s / YEAR_S,
        }
        for item, amount in amounts.items():
            year = per_year(float(amount), duration_s)
            line = CostLine(model.name, item, paid, float(amount), year, ratio(year, paid))
            if item == "licence":
                licence = run.case.licences[index]
                cores = paid * licence.cores * float(factors[index])
                line = replace(line, licensed_cores=cores, known=licence.known or not paid)
            lines.append(line)
    return lines


def cost_values(run: PlayedCase) -> dict[str, float]:
    """Return costs by item, in all and by year; hosts whose licence has no known price.

    ``hosts_unlicensed`` is there only if there are such hosts; their licences count as 0.
    """
    lines = cost_lines(run)
    total = added(line.amount for line in lines)
    values = {
        f"{item}_cost": added(line.amount for line in lines if line.item == item) for item in ITEMS
    }
    values |= {"total_cost": total, "cost_per_year": per_year(total, run.end_s)}
    if unlicensed := sum(line.hosts for line in lines if not line.known):
        values["hosts_unlicensed"] = unlicensed
    return values


def costs(run: PlayedCase) -> dict[str, Made]:
    """Return one row per group of hosts and item."""
    lines = cost_lines(run)
    currency = run.currency
    known = np.array([line.known for line in lines], bool)
    hosts = np.array([line.hosts for line in lines])
    return {
        "group": ([line.group for line in lines], "", "Group of hosts."),
        "item": ([line.item for line in lines], "", "Energy, capital, or licence."),
        "hosts": ([line.hosts for line in lines], "hosts", "Hosts that it is counted for."),
        "licensed_cores": (
            [line.licensed_cores for line in lines], "cores", "Cores that a licence by the core "
            "is paid for, minimum orders included.",
        ),
        "amount": (
            _known([line.amount for line in lines], known), currency, "Cost over the run; null "
            "where its price is not known in this currency.",
        ),
        "per_year": (
            _known([line.per_year for line in lines], known), f"{currency}/year", "Cost per year."
        ),
        "per_host_year": (
            _known([line.per_host_year for line in lines], known & (hosts > 0)),
            f"{currency}/year", "Cost per host and year; null where no host is counted.",
        ),
    }  # fmt: skip


def _known(values: list[float], known: Bools) -> pa.Array:
    return pa.array(np.array(values, np.float64), mask=~known)


COSTS = Topic(
    name="costs",
    values=cost_values,
    tables=(TopicTable("costs", costs),),
    section=Section(
        "Cost",
        (
            "energy_cost",
            "capital_cost",
            "licence_cost",
            "total_cost",
            "cost_per_year",
            "hosts_paid",
        ),
    ),
)
