"""A scenario becomes a run that can be started, and so does what it is compared with."""

from dataclasses import dataclass, replace

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.farm.farm import Farm
from ...models.farm.farm_state import ViolationRule
from ...models.hardware.racks_and_sites import Domains
from ...models.hypervisor.licences import HostLicence, licensed_cores, list_price
from ...models.hypervisor.overheads import Platform
from ...models.rules.rules import Rules
from ...models.service.exposure import HOST_APPLICATIONS, layer_risk
from ...models.state.columns import Vms
from ...policies.control.consolidation import name_of
from ...sim.base.random_streams import Streams
from ...sim.engine import Engine
from ...sim.initial_placement import UnplacedError
from ...sim.records.accounts import Accounts
from ...sim.records.bounds import BoundsRecord
from ...sim.records.ledgers import ServiceLedger, TenantLedger
from ...sim.records.microscope import Microscope
from ...sim.setup import EngineSetup, InitialPlacementSetup, Timing
from ..errors.problems import InputError, Problem, refuse
from ..errors.suggest import unknown_name
from ..readers.assignments import with_assignments
from ..resolve.farm import (
    HostModel,
    build_hosts,
    host_model,
)
from ..resolve.migration import migration_models
from ..resolve.racks import build_domains
from ..spec.farm import HostGroup
from ..spec.scenario_data import ScenarioData
from .applications import add_applications, elasticity_of
from .failures import failure_sources
from .hypervisors import Stack, build_stack
from .lifecycle import lifecycle_setup
from .network import network_setup
from .rules import build_reserve, build_rules
from .unplaced import min_mib, shortage, unplaced
from .workload import Load, build_load


@dataclass
class Case:
    """One farm under one policy, ready to run; ``prices`` has one entry per group of hosts."""

    name: str
    title: str
    scenario: ScenarioData
    engine: Engine
    farm: Farm
    load: Load
    stack: Stack
    host_models: list[HostModel]
    host_counts: Ints
    prices: list[float]
    licences: list[HostLicence]
    domains: Domains
    living: bool = False
    rules: Rules | None = None
    label: str = ""
    """What a baseline is called at the head of a column."""
    min_paid: Ints | None = None
    """Hosts by group that are paid for at the least, where others count only if they held VMs."""


def build(scenario: ScenarioData, load: Load | None = None, left_out: Ints | None = None) -> Case:
    """Build the scenario itself; nobody asks for the VMs that are left out. Raises InputError."""
    with scenario.locating_problems():
        return _build(scenario, load or load_of(scenario), left_out)


def _build(scenario: ScenarioData, load: Load, left_out: Ints | None) -> Case:
    groups = scenario.farm.hosts
    stack = build_stack(scenario, groups, load.sizes, load.held)
    models = [
        host_model(group, platform) for group, platform in zip(groups, stack.platforms, strict=True)
    ]
    hosts = build_hosts(scenario.farm, models)
    scenario = with_assignments(scenario, load.vms.names, hosts.names)
    counts = np.array([group.count for group in groups])
    violation = ViolationRule(scenario.service.incoming_counts)
    domains = build_domains(scenario.farm, scenario.network.topology)
    hosts.rack[:], hosts.rack_names = domains.rack, domains.rack_names
    moves = migration_models(scenario, groups, stack.platforms, load.sizes)
    network = network_setup(scenario, hosts, moves)
    failures, observed = failure_sources(
        scenario, list(hosts.names), domains, network.network if network else None
    )
    lives = lifecycle_setup(scenario, load, stack.platforms)
    lives = replace(lives, population=lives.population.without(left_out))
    is_static = lives.is_static and not failures and load.applications is None
    farm = Farm(hosts, fresh(load.vms), violation, stack.layer, all_present=is_static)
    policies = scenario.policies
    start = InitialPlacementSetup(
        placement=policies.initial.placement,
        rule=name_of(policies.initial.placement),
        by_size=policies.initial.by == "size",
        overcommit=policies.initial.cpu_overcommit,
        reject=policies.initial.unplaced == "reject",
        slow_cores=policies.slow_cores == "allow",
    )
    too_large = [] if start.reject else too_large_sizes(farm, start, "workload")
    if too_large:
        raise InputError(too_large)
    default = scenario.cost.server_price.amount
    prices = [group.price.amount if group.price else default for group in scenario.farm.hosts]
    if scenario.cost.investment_for == "hosts":
        prices = [0.0 for _ in prices]
    demand = load.new_demand()
    microscope = _microscope(scenario, stack, farm)
    accounts = replace(accounts_of(scenario, stack, farm), microscope=microscope)
    elasticity = elasticity_of(scenario, load, stack)
    rules, tables = build_rules(scenario, farm, stack, domains, start, is_static, elasticity)
    load = replace(load, files=[*load.files, *tables, *observed])
    setup = EngineSetup(
        start=start,
        control=policies.control,
        control_name=name_of(policies.control),
        migration=moves,
        timing=timing(scenario),
        lives=lives,
        failures=failures,
        network=network,
        rules=rules,
        elasticity=elasticity,
        reserve=build_reserve(scenario),
        power=policies.power,
        storage_mbps=scenario.network.suspend_bandwidth,
    )
    engine = Engine(farm, demand, setup, Streams(scenario.seed), accounts)
    licences = [
        _licence(scenario, group, platform)
        for group, platform in zip(groups, stack.platforms, strict=True)
    ]
    what = f"{len(hosts):,} hosts" if len(hosts) > 1 else "1 host"
    title = f"{what}, {name_of(policies.control)}"
    return Case(
        scenario.name,
        title,
        scenario,
        engine,
        farm,
        load,
        stack,
        models,
        counts,
        prices,
        licences,
        domains,
        living=not is_static,
        rules=rules,
    )


def _microscope(scenario: ScenarioData, stack: Stack, farm: Farm) -> Microscope | None:
    """Return the request queues of the VMs that the scenario names. Raises InputError."""
    wanted = scenario.service.microscope
    if not wanted:
        return None
    row_of = {name: row for row, name in enumerate(farm.vms.names)}
    unknown = [name for name in wanted if name not in row_of]
    if unknown:
        message = unknown_name("VM", unknown[0], list(row_of)[:1000])
        raise refuse("workload", message, "service.microscope")
    rows = np.array([row_of[name] for name in dict.fromkeys(wanted)])
    plain = [
        name
        for name, row in zip(wanted, rows, strict=False)
        if stack.classes[farm.vms.size[row]] is None
    ]
    if plain:
        message = f"VM {plain[0]} makes no requests; give its size a class"
        raise refuse("workload", message, "service.microscope")
    return Microscope(farm, stack.requests, rows, Streams(scenario.seed))


def _licence(scenario: ScenarioData, group: HostGroup, platform: Platform) -> HostLicence:
    """Return the licence of a group's hosts: as the scenario says, or the catalogue's."""
    if group.licence is not None:
        cores = licensed_cores(platform.hypervisor.licence, platform.server)
        return HostLicence(per_host=group.licence.amount, cores=cores, listed=False)
    hypervisor = platform.hypervisor
    cost, name = scenario.cost, hypervisor.name
    return list_price(hypervisor.licence, platform.server, name, cost.currency, cost.licence_region)


def accounts_of(scenario: ScenarioData, stack: Stack, farm: Farm) -> Accounts:
    """Return what is accounted for in a run, without a microscope."""
    service = ServiceLedger(farm, stack.requests) if any(stack.classes) else None
    tenants = len(stack.tenants)
    tenancy = None
    if tenants:
        rule = scenario.service.idle_energy
        tenancy = TenantLedger(farm, stack.tenant_of_size, tenants, rule, _layer_risk(stack))
    return Accounts(BoundsRecord(farm), service, tenancy)


def _layer_risk(stack: Stack) -> Floats:
    """Return per group of hosts how exposed a VM is by the code and interfaces there.

    Applications on a host's operating system are interfaces beside those of its hypervisor.
    """
    layers = [platform.hypervisor for platform in stack.platforms]
    trusted = np.array([layer.tcb_kloc for layer in layers])
    interfaces = np.array([layer.exposed_interfaces for layer in layers])
    return layer_risk(trusted, interfaces + HOST_APPLICATIONS * (stack.layer.app_mhz > 0))


def load_of(scenario: ScenarioData) -> Load:
    """Read or prepare the workload of a scenario. Raises InputError."""
    with scenario.locating_problems():
        load = build_load(
            scenario.workload,
            scenario.folder,
            lambda: Streams(scenario.seed),
            scenario.run.duration,
            [tenant.name for tenant in scenario.tenants],
            scenario.policies.scaling_every,
        )
        return add_applications(load, scenario)


def fresh(vms: Vms) -> Vms:
    """Return VM columns whose state has not been touched by a run."""
    return Vms(
        vms.vcpus.copy(),
        vms.size_mhz.copy(),
        vms.memory_mib.copy(),
        vms.names,
        vms.size_names,
        vms.size.copy(),
        vms.disk_mib,
        vms.disk_write_mbps,
        vms.priority,
    )


def timing(scenario: ScenarioData) -> Timing:
    """Return length and periods of a run."""
    run = scenario.run
    return Timing(run.duration, scenario.policies.every, run.report_every, run.host_series)


def too_large_sizes(
    farm: Farm, start: InitialPlacementSetup, where: str, left_out: Ints | None = None
) -> list[Problem]:
    """Return the sizes of VM that no host of the farm could ever hold, but for those left out."""
    rows = np.setdiff1d(np.arange(len(farm.vms)), [] if left_out is None else left_out)
    sizes, first = np.unique(farm.vms.size[rows], return_index=True)
    fitting = start.fitting(farm)[sizes]
    return [
        _too_large(farm, int(vm), int(size), where)
        for size, vm in zip(sizes[~fitting], rows[first[~fitting]], strict=True)
    ]


def _too_large(farm: Farm, vm: int, size: int, where: str) -> Problem:
    hosts, vms = farm.hosts, farm.vms
    count = int(np.count_nonzero(vms.size == size))
    remedy = "take larger hosts or smaller VMs, or set policies.initial.unplaced: reject"
    if where != "workload":
        remedy = "name a larger server, or take the baseline out"
    vms_fit = "1 VM fits" if count == 1 else f"{count:,} VMs fit"
    message = (
        f"{vms_fit} no host: size {vms.size_names[size]} has {vms.vcpus[vm]} vCPUs of "
        f"{vms.size_mhz[vm] / vms.vcpus[vm]:g} MHz and {vms.memory_mib[vm] / 1024:g} GiB, the "
        f"largest host {hosts.cpu_mhz.max():g} MHz in cores of {hosts.core_mhz.max():g} MHz and "
        f"{hosts.memory_mib.max() / 1024:g} GiB; {remedy}"
    )
    return Problem(where, "workload.sizes" if where == "workload" else where, message)


def refuse_unplaced(case: Case, error: UnplacedError) -> InputError:
    """Say which VMs the initial placement found no host for, and why."""
    vms, need_mhz, room_mhz = case.engine.first_needs()
    short = shortage(need_mhz, min_mib(case.farm)[vms], room_mhz, case.farm.hosts.memory_mib)
    where = case.scenario.place(("farm", "hosts")) or case.name
    return unplaced(where, case.farm, error, short)
