"""What a scenario wants accounted for while it runs: response times, tenants, single requests."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...models.accounts.sets_over_time import ClusterUse, RackPower
from ...models.base.arrays import Floats
from ...models.farm.farm import Farm
from ...models.service.exposure import HOST_APPLICATIONS, layer_risk
from ...sim.base.random_streams import Streams
from ...sim.records.accounts import Accounts
from ...sim.records.bounds import BoundsRecord
from ...sim.records.ledgers import ServiceLedger, TenantLedger
from ...sim.records.microscope import Microscope
from ...sim.records.rack_power import RackPowerRecord
from ..errors.problems import refuse
from ..errors.suggest import unknown_name
from ..resolve.racks import rack_limits
from ..spec.scenario_data import ScenarioData
from .hypervisors import Stack


def accounts_of(scenario: ScenarioData, stack: Stack, farm: Farm) -> Accounts:
    """Return what is accounted for in a run, without single requests.

    Response times are, where a size has a request class; tenants are, where any is named.

    ``farm`` is the one that the run will change: ledgers read its columns as it goes. Without
    classes and tenants only bounds are recorded, which costs a run nothing else.
    """
    service = ServiceLedger(farm, stack.requests) if any(stack.classes) else None
    tenants = len(stack.tenants)
    tenancy = None
    if tenants:
        rule = scenario.service.idle_energy_by
        tenancy = TenantLedger(farm, stack.tenant_of_size, tenants, rule, _layer_risk(stack))
    return Accounts(BoundsRecord(farm), service, tenancy)


def _layer_risk(stack: Stack) -> Floats:
    """Return per group of hosts how exposed a VM is by the code and interfaces there.

    Applications on a host's operating system are interfaces beside those of its hypervisor.

    The result (groups,) has no unit. It grows with the code that has to be trusted and with the
    interfaces that guests can reach.
    """
    layers = [platform.hypervisor for platform in stack.platforms]
    trusted = np.array([layer.tcb_kloc for layer in layers])
    interfaces = np.array([layer.exposed_interfaces for layer in layers])
    return layer_risk(trusted, interfaces + HOST_APPLICATIONS * (stack.layer.app_mhz > 0))


def with_sets(accounts: Accounts, scenario: ScenarioData, stack: Stack, farm: Farm) -> Accounts:
    """Return accounts with the use of clusters, and with the power of racks where it is wanted.

    It is where racks have a limit, or hosts a time series and the scenario says how they stand.
    """
    clusters, racks = None, None
    count = len(stack.clusters)
    if count:
        of_host = np.where(farm.hosts.cluster < 0, count, farm.hosts.cluster)
        clusters = ClusterUse(of_host, farm.hosts.cpu_mhz, count + 1)
        farm.accounts.followed.append(clusters)
    limits = scenario.farm.rack_power_limit
    if limits is not None or (scenario.run.host_series and scenario.farm.hosts_per_rack):
        limit_w = rack_limits(limits, farm.hosts.rack_names)
        racks = RackPowerRecord(farm, RackPower(farm.hosts.rack, limit_w))
    return replace(accounts, clusters=clusters, racks=racks)


def rack_limit_w(scenario: ScenarioData, racks: Sequence[str]) -> Floats | None:
    """Return the power limit of each rack in W, None where the scenario has none."""
    limits = scenario.farm.rack_power_limit
    return None if limits is None else rack_limits(limits, racks)


def with_microscope(
    accounts: Accounts, scenario: ScenarioData, stack: Stack, farm: Farm
) -> Accounts:
    """Return accounts with the request queues of the VMs that the scenario names, if it names any.

    Raises InputError for VMs that do not exist or make no requests.
    """
    wanted = scenario.service.simulate_requests
    if not wanted:
        return accounts
    row_of = {name: row for row, name in enumerate(farm.vms.names)}
    unknown = [name for name in wanted if name not in row_of]
    if unknown:
        message = unknown_name("VM", unknown[0], list(row_of)[:1000])
        raise refuse("workload", message, "service.simulate_requests")
    rows = np.array([row_of[name] for name in dict.fromkeys(wanted)])
    plain = [
        name
        for name, row in zip(wanted, rows, strict=False)
        if stack.classes[farm.vms.size[row]] is None
    ]
    if plain:
        message = f"VM {plain[0]} has no requests; give its size a class"
        raise refuse("workload", message, "service.simulate_requests")
    microscope = Microscope(farm, stack.requests, rows, Streams(scenario.seed))
    return replace(accounts, microscope=microscope)
