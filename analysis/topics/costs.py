"""Cost of a run: energy, capital and licences of each group of hosts.

Money is in the scenario's currency, without interest. What is not money in the scenario, such as a
catalogue price in another currency, is left out and said so, never converted.
"""

from dataclasses import replace

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.base.arrays import Floats, added, sum_by
from ...models.base.cost import JOULE_PER_KWH, YEAR_S, capital_cost, energy_cost, per_year
from ...models.base.lazy_dataclass import dataclass
from ...models.hypervisor.licences import costs_per_year, order_factors
from ..base.played_case import PlayedCase
from ..base.table_columns import Made
from ..base.topic import Section, Topic, TopicTable
from ..base.units_and_ratios import nullable, ratio
from .farm.hosts_needed import hosts_needed

ITEMS = ("energy", "capital", "licence")


@dataclass(frozen=True)
class CostLine:
    """One line of the cost table, for one group of hosts, in the currency of the scenario.

    ``amount`` is over the run, ``per_year`` extrapolated to 365 days, ``per_host_year`` 0 where no
    host is paid for. ``licensed_cores`` are those that a licence by the core counts, minimum orders
    included. An amount that is not ``known`` counts as 0 in sums, which have to say so.
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
    """Return energy, capital and licence cost of each group of hosts, for the hosts paid for.

    Three lines per group, in the order of :data:`ITEMS`. Energy is that of the site (times PUE),
    without what hosts drew that are not paid for. Licences by the core are counted with the share
    of each group in minimum orders, those by the VM with the mean number of VMs.

    - energy = kWh times PUE times the tariff;
    - capital = hosts paid for times price times run / lifetime, linear;
    - licence = the list price of a year times run / year.

    A group of which no host is paid for has three lines of 0.
    """
    case, cost, needed = run.case, run.scenario.cost, hosts_needed(run)
    totals, paid = run.farm.accounts.totals, needed.paid.tolist()
    joules: Floats = sum_by(run.farm.hosts.group, weights=totals[Rate.POWER_W], minlength=len(paid))
    kwh = (joules - needed.uncounted_j) / JOULE_PER_KWH
    vm_s = np.bincount(run.farm.hosts.group, weights=totals[Rate.VMS], minlength=len(paid))
    licences = costs_per_year(case.licences, paid, vm_s / run.end_s)
    factors = order_factors(case.licences, paid)
    lines = []
    for index, (model, hosts) in enumerate(zip(case.host_models, paid, strict=True)):
        price = capital_cost(case.prices[index], cost.server_lifetime, run.end_s)
        amounts = {
            "energy": energy_cost(kwh[index], cost.pue, cost.energy_price.amount),
            "capital": hosts * price,
            "licence": float(licences[index]) * run.end_s / YEAR_S,
        }
        for item, amount in amounts.items():
            year = per_year(float(amount), run.end_s)
            line = CostLine(model.name, item, hosts, float(amount), year, ratio(year, hosts))
            if item == "licence":
                licence = case.licences[index]
                cores = hosts * licence.cores * float(factors[index])
                line = replace(line, licensed_cores=cores, known=licence.known or not hosts)
            lines.append(line)
    return lines


def cost_values(run: PlayedCase) -> dict[str, float]:
    """Return costs by item, in all and by year; hosts whose licence has no known price.

    ``hosts_unlicensed`` is there only if there are such hosts; their licences count as 0.

    ``total_cost`` is the sum of the items; ``cost_per_year`` extrapolates it from the run, however
    short that was.
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
    """Return one row per group of hosts and item.

    Amounts are null where the price is not known in the scenario's currency.
    """
    lines = cost_lines(run)
    known = np.array([line.known for line in lines], bool)
    counted = known & (np.array([line.hosts for line in lines]) > 0)
    amount, year, host_year = (
        np.array([getattr(line, name) for line in lines], np.float64)
        for name in ("amount", "per_year", "per_host_year")
    )
    yearly = f"{run.currency}/year"
    return {
        "group": ([line.group for line in lines], "", "Group of hosts."),
        "item": ([line.item for line in lines], "", "Energy, capital, or licence."),
        "hosts": ([line.hosts for line in lines], "hosts", "Number of hosts counted."),
        "licensed_cores": (
            [line.licensed_cores for line in lines],
            "cores",
            "Cores paid for by a licence per core, including minimum orders.",
        ),
        "amount": (
            nullable(amount, ~known),
            run.currency,
            "Cost over the run; null if its price is unknown in this currency.",
        ),
        "per_year": (nullable(year, ~known), yearly, "Cost per year."),
        "per_host_year": (
            nullable(host_year, ~counted),
            yearly,
            "Cost per host and year; null if no host is counted.",
        ),
    }


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
