"""A scenario becomes a case: an engine that can be run, and what a report says of its farm.

:func:`build` follows the scenario part by part: what runs what (``hypervisors.py``), hosts, links,
failures, lives of VMs, rules, applications. What it is compared with is in ``baselines.py``.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, added
from ...models.base.lazy_dataclass import dataclass
from ...models.farm.farm import Farm
from ...models.farm.farm_state import ViolationRule
from ...models.hardware.racks_and_sites import Domains
from ...models.hypervisor.licences import HostLicence
from ...models.rules.reserve import Reserve
from ...models.rules.rules import Rules
from ...models.state.columns import Hosts, PowerState, Vms
from ...policies.control.consolidation import name_of
from ...policies.control.control import NoControl
from ...policies.placement_algorithms.recorded import Recorded
from ...sim.base.random_streams import Streams
from ...sim.engine import Engine
from ...sim.initial_placement import UnplacedError
from ...sim.setup import EngineSetup, InitialPlacementSetup, Timing
from ..errors.problems import InputError, refuse
from ..readers.assignments import with_assignments
from ..readers.recorded_hosts import RecordedHosts, broken_rules, recorded_hosts
from ..readers.vms_table import VmsTable
from ..resolve.farm import (
    HostModel,
    build_hosts,
    host_model,
)
from ..resolve.migration import migration_models
from ..resolve.racks import build_domains
from ..spec.scenario_data import ScenarioData
from .accounts import accounts_of, rack_limit_w, with_microscope, with_sets
from .applications import add_applications, elasticity_of
from .failures import failure_sources
from .hypervisors import Stack, build_stack
from .lifecycle import lifecycle_setup
from .network import network_setup
from .prices import licences_of, prices_of
from .rules import build_reserve, build_rules
from .unplaced import min_mib, shortage, too_large_sizes, unplaced
from .workload import Load, build_load

INSTANT_S = 1e-3
"""How long a farm is run beyond an instant to know its power at that instant."""


@dataclass
class Case:
    """One farm under one policy, ready to run once: engine and farm are used up by the run.

    ``host_models``, ``host_counts``, ``prices`` (of one host, in the currency of the scenario) and
    ``licences`` have one entry per group of hosts. ``load`` makes the demand anew as often as it
    is wanted. ``living``: VMs come, go, fail or scale; otherwise all are there all the time.

    A case is run once: a second run needs a second case, which :func:`build` makes of the same
    ``load`` without reading it again.
    """

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
    living: bool
    rules: Rules | None = None
    reserve: tuple[Reserve, ...] = ()
    rack_limit_w: Floats | None = None
    label: str = ""
    """What a baseline is called at the head of a column."""
    calibration: float = 1.0
    """Factor on all power curves, by which the farm draws a measured power."""
    min_paid: Ints | None = None
    """Hosts (groups,) that are paid for at the least; others count only if they held VMs."""
    notes: Sequence[str] = ()
    """What a reader has to know of the hosts where VMs start, a sentence each."""
    broken_at_start: frozenset[str] = frozenset()
    """Hard rules that recorded hosts break, and that may thus be broken as the run ends."""


def build(scenario: ScenarioData, load: Load | None = None, left_out: Ints | None = None) -> Case:
    """Build the scenario itself.

    ``load`` is that of :func:`load_of`, where it has been read before. Nobody asks for the VMs
    that are ``left_out`` (rows). Raises InputError with the places of what is wrong.

    Neither the scenario nor the load is changed. ``left_out`` serves baselines, which carry only
    the VMs that ran in the scenario itself.
    """
    with scenario.locating_problems():
        return _build(scenario, load or load_of(scenario), left_out)


def _build(scenario: ScenarioData, load: Load, left_out: Ints | None) -> Case:
    """Build the scenario, step by step; later steps take the rows and names of earlier ones."""
    stack = build_stack(scenario, scenario.farm.hosts, load.sizes, load.held)
    factor = calibration_factor(scenario, load)
    models = _host_models(scenario, stack, factor)
    hosts, domains = _hosts(scenario, models)
    hosts.cluster[:] = stack.cluster_of_group[hosts.group]
    scenario = with_assignments(scenario, load.vms.names, hosts.names)
    moves = migration_models(scenario, scenario.farm.hosts, stack.platforms, load.sizes)
    network = network_setup(scenario, hosts, moves)
    links = network.network if network else None
    failures, observed = failure_sources(scenario, list(hosts.names), domains, links)
    lives = lifecycle_setup(scenario, load, stack.platforms)
    lives = replace(lives, population=lives.population.without(left_out))
    is_static = lives.is_static and not failures and load.applications is None
    violation = ViolationRule(scenario.service.incoming_counts_as_violation)
    farm = Farm(hosts, fresh(load.vms), violation, stack.layer, all_present=is_static)
    demand = load.new_demand()
    start, notes = _initial_placement(scenario, farm, load)
    accounts = with_microscope(accounts_of(scenario, stack, farm), scenario, stack, farm)
    accounts = with_sets(accounts, scenario, stack, farm)
    elasticity = elasticity_of(scenario, load, stack)
    rules, tables = build_rules(
        scenario, farm, stack, domains, start, is_static, elasticity, load.table
    )
    broken = broken_rules(farm, rules, start.recorded)
    policies, reserve = scenario.policies, build_reserve(scenario, stack, farm.vms)
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
        reserve=reserve,
        rack_limit_w=rack_limit_w(scenario, hosts.rack_names),
        power=policies.power,
        storage_mbps=scenario.network.suspend_bandwidth,
    )
    return Case(
        name=scenario.name,
        title=_title(scenario, len(hosts)),
        scenario=scenario,
        engine=Engine(farm, demand, setup, Streams(scenario.seed), accounts),
        farm=farm,
        load=replace(load, files=[*load.files, *tables, *observed]),
        stack=stack,
        host_models=models,
        host_counts=np.array([group.count for group in scenario.farm.hosts]),
        prices=prices_of(scenario),
        licences=licences_of(scenario, stack),
        domains=domains,
        living=not is_static,
        rules=rules,
        reserve=reserve,
        rack_limit_w=setup.rack_limit_w,
        calibration=factor,
        notes=[*notes, *broken.values()],
        broken_at_start=frozenset(broken),
    )


def calibration_factor(scenario: ScenarioData, load: Load) -> float:
    """Return the factor on all power curves that makes the farm draw its measured power.

    The farm is run as it stands at first, without control, failures and changes of its curves, up
    to the instant of the measurement. With P the power of the hosts that are on and O that of all
    others, ``factor = (measured - O) / P``. 1 without ``farm.calibrate``. Raises InputError where
    that is not above 0.
    """
    asked = scenario.farm.calibrate
    if asked is None or asked.measured_power is None:
        return 1.0 if asked is None or asked.factor is None else asked.factor
    where = scenario.place(("farm", "calibrate")) or scenario.name
    case = _build(_as_it_stands(scenario, asked.at), load, None)
    try:
        case.engine.run()
    except UnplacedError as error:
        raise refuse_unplaced(case, error) from None
    hosts = case.farm.hosts
    on: Bools = (hosts.state == PowerState.ON) | (hosts.state == PowerState.DRAINING)
    power_w = hosts.watts(slice(None), hosts.delivered_mhz / hosts.cpu_mhz, on)
    on_w, others_w = added(power_w[on].tolist()), added(power_w[~on].tolist())
    if on_w <= 0 or asked.measured_power <= others_w:
        raise refuse(where, f"hosts that are on draw {on_w:g} W and all others {others_w:g} W, so "
                     f"no factor makes the farm draw {asked.measured_power:g} W; measure the farm "
                     "while hosts are on")  # fmt: skip
    return (asked.measured_power - others_w) / on_w


def _as_it_stands(scenario: ScenarioData, at_s: float) -> ScenarioData:
    """Return the scenario up to just after an instant, with no control and no failures."""
    policies = scenario.policies.model_copy(update={"control": NoControl()})
    parts = {
        "farm": scenario.farm.model_copy(update={"calibrate": None}),
        "run": scenario.run.model_copy(update={"duration": at_s + INSTANT_S}),
        "policies": policies,
        "failures": type(scenario.failures)(),
    }
    return scenario.model_copy(update=parts)


def _host_models(scenario: ScenarioData, stack: Stack, factor: float) -> list[HostModel]:
    """Return what the hosts of each group are made of, with the factor of the calibration."""
    groups = zip(scenario.farm.hosts, stack.platforms, strict=True)
    return [host_model(group, platform, factor) for group, platform in groups]


def _hosts(scenario: ScenarioData, models: list[HostModel]) -> tuple[Hosts, Domains]:
    """Return the columns of all hosts, and the racks and sites where they stand."""
    hosts = build_hosts(scenario.farm, models)
    domains = build_domains(scenario.farm, scenario.network.topology)
    hosts.rack[:], hosts.rack_names = domains.rack, domains.rack_names
    return hosts, domains


def _initial_placement(
    scenario: ScenarioData, farm: Farm, load: Load
) -> tuple[InitialPlacementSetup, list[str]]:
    """Return how VMs are placed at time 0, and what is odd about hosts that are recorded for them.

    Raises InputError if some size of VM fits no host and may not be rejected, and if VMs cannot be
    where they are recorded. VMs on recorded hosts fit there, whatever their size.
    """
    policies, initial = scenario.policies, scenario.policies.initial
    recorded = None
    if isinstance(initial.placement, Recorded) and load.table is not None:
        recorded = _recorded_hosts(scenario, farm, load, load.table)
    start = InitialPlacementSetup(
        placement=initial.placement,
        rule=name_of(initial.placement),
        recorded=None if recorded is None else recorded.host,
        by_size=initial.count_by == "size",
        overcommit=initial.cpu_overcommit,
        reject=initial.unplaced == "reject",
        slow_cores=policies.slow_cores == "allow",
    )
    kept = None if recorded is None else np.flatnonzero(recorded.host >= 0)
    too_large = [] if start.reject else too_large_sizes(farm, start, "workload", kept)
    if too_large and load.table is not None:
        too_large = [replace(each, field="workload.vms_file") for each in too_large]
    if too_large:
        raise InputError(too_large)
    return start, [] if recorded is None else list(recorded.notes)


def _recorded_hosts(
    scenario: ScenarioData, farm: Farm, load: Load, table: VmsTable
) -> RecordedHosts:
    """Return where the VMs of a table are recorded. Raises InputError."""
    initial, need_mhz = scenario.policies.initial, farm.vms.size_mhz
    room_mhz = farm.hosts.plan_mhz - farm.delivery.base_mhz
    if initial.count_by == "demand":
        demand = load.new_demand()
        demand.advance(0)
        need_mhz = demand.now_mhz
    else:
        room_mhz = room_mhz * initial.cpu_overcommit
    clusters = [cluster.name for cluster in scenario.farm.clusters]
    return recorded_hosts(table, farm, clusters, need_mhz, room_mhz)


def _title(scenario: ScenarioData, hosts: int) -> str:
    """Say in a few words what runs: how many hosts under which control policy."""
    what = f"{hosts:,} hosts" if hosts > 1 else "1 host"
    return f"{what}, {name_of(scenario.policies.control)}"


def load_of(scenario: ScenarioData) -> Load:
    """Read or prepare the workload of a scenario, with the members of its applications.

    It can be built into several cases. Raises InputError with the places of what is wrong.

    All random draws of the load come from the seed of the scenario, under names of their own: other
    draws of a run do not shift them.
    """
    with scenario.locating_problems():
        load = build_load(
            scenario.workload,
            scenario.folder,
            lambda: Streams(scenario.seed),
            scenario.run.duration,
            [tenant.name for tenant in scenario.tenants],
            scenario.policies.scaling_every,
            [cluster.name for cluster in scenario.farm.clusters],
        )
        return add_applications(load, scenario)


def fresh(vms: Vms) -> Vms:
    """Return VM columns whose state has not been touched by a run.

    What a run changes is copied; names and what stays as it is are shared.

    The copies are the columns that placement and resizing write to. Demand and state start at their
    defaults.
    """
    made = Vms(
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
    made.unused_mib = vms.unused_mib
    return made


def timing(scenario: ScenarioData) -> Timing:
    """Return length and periods of a run, in s."""
    run = scenario.run
    return Timing(run.duration, scenario.policies.every, run.report_every, run.host_series)


def refuse_unplaced(case: Case, error: UnplacedError) -> InputError:
    """Say which VMs the initial placement found no host for, and why.

    Where a bound proves that no placement can succeed, it is told that the farm is too small.

    The place is that of ``farm.hosts`` where the file is known, else the name of the case.
    """
    vms, need_mhz, room_mhz = case.engine.first_needs()
    short = shortage(need_mhz, min_mib(case.farm)[vms], room_mhz, case.farm.hosts.memory_mib)
    where = case.scenario.place(("farm", "hosts")) or case.name
    return unplaced(where, case.farm, error, short)
