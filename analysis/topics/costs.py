"""What a run costs: energy, capital and licences of each group of hosts."""

from dataclasses import dataclass, replace

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.base.arrays import Floats, sum_by
from ...models.base.cost import JOULE_PER_KWH, YEAR_S, capital_cost, energy_cost, per_year
from ...models.hypervisor.licences import costs_per_year, order_factors
from ...scenarios.build.build import Case
from ...sim.engine import Outcome
from ..base.units_and_ratios import ratio
from .hosts_needed import hosts_needed


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


def cost_lines(case: Case, outcome: Outcome) -> list[CostLine]:
    """Return energy, capital and licence cost of each group of hosts."""
    cost, farm = case.scenario.cost, outcome.farm
    duration_s = outcome.end_s
    joules: Floats = sum_by(
        farm.hosts.group, weights=farm.accounts.totals[Rate.POWER_W],
        minlength=len(case.host_models),
    )  # fmt: skip
    vm_s = np.bincount(
        farm.hosts.group, weights=farm.accounts.totals[Rate.VMS], minlength=len(case.host_models)
    )
    needed = hosts_needed(case, outcome)
    joules = joules - needed.uncounted_j
    paid_by_group = needed.paid.tolist()
    licences = costs_per_year(case.licences, paid_by_group, vm_s / duration_s)
    factors = order_factors(case.licences, paid_by_group)
    lines = []
    for index, model in enumerate(case.host_models):
        paid = paid_by_group[index]
        amounts = {
            "energy": energy_cost(
                joules[index] / JOULE_PER_KWH, cost.pue, cost.energy_price.amount
            ),
            "capital": paid * capital_cost(case.prices[index], cost.server_lifetime, duration_s),
            "licence": float(licences[index]) * duration_s / YEAR_S,
        }
        for item, amount in amounts.items():
            year = per_year(float(amount), duration_s)
            line = CostLine(model.name, item, paid, float(amount), year, ratio(year, paid))
            if item == "licence":
                licence = case.licences[index]
                cores = paid * licence.cores * float(factors[index])
                line = replace(line, licensed_cores=cores, known=licence.known or not paid)
            lines.append(line)
    return lines
