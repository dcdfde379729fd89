"""What the hosts of a scenario cost: their price and their licence, by group."""

from ...models.hypervisor.licences import HostLicence, licensed_cores, list_price
from ...models.hypervisor.overheads import Platform
from ..spec.farm import HostGroup
from ..spec.scenario_data import ScenarioData
from .hypervisors import Stack


def prices_of(scenario: ScenarioData) -> list[float]:
    """Return the price of one host of each group, in the currency of the scenario.

    It is 0 where the investment pays for the hosts, so that nothing counts twice.
    """
    if scenario.cost.investment_for == "hosts":
        return [0.0 for _ in scenario.farm.hosts]
    default = scenario.cost.server_price.amount
    return [group.price.amount if group.price else default for group in scenario.farm.hosts]


def licences_of(scenario: ScenarioData, stack: Stack) -> list[HostLicence]:
    """Return the licence of one host of each group.

    Prices are per year, of a host or of a VM. A price in another currency is 0, and that currency
    is noted as ``foreign``.
    """
    groups = zip(scenario.farm.hosts, stack.platforms, strict=True)
    return [_licence(scenario, group, platform) for group, platform in groups]


def _licence(scenario: ScenarioData, group: HostGroup, platform: Platform) -> HostLicence:
    """Return the licence of a group's hosts: as the scenario says, or the catalogue's.

    A catalogue price in another currency than the scenario's counts as unknown.
    """
    if group.licence is not None:
        cores = licensed_cores(platform.hypervisor.licence, platform.server)
        return HostLicence(per_host=group.licence.amount, cores=cores, listed=False)
    hypervisor = platform.hypervisor
    cost, name = scenario.cost, hypervisor.name
    return list_price(hypervisor.licence, platform.server, name, cost.currency, cost.licence_region)
