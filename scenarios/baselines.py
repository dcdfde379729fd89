"""Build the baselines of a scenario as runs of the same work.

A baseline carries the VMs that ran in the scenario's own run, over the same time, with the same
seed and in the same currency; where that cannot be, it is refused.
"""

from dataclasses import replace
from typing import assert_never

import numpy as np

from ..models.base.arrays import Ints
from ..models.farm.farm import Farm
from ..models.hardware.server import servers
from ..models.hypervisor.licences import HostLicence
from ..models.migration.fixed_rate import FixedRate
from ..models.migration.model_table import MigrationModels
from ..policies.control.control import NoControl
from ..policies.placement_algorithms.round_robin import RoundRobin
from ..sim.base.random_streams import Streams
from ..sim.engine import Engine
from ..sim.setup import EngineSetup, InitialPlacementSetup
from .build.accounts import accounts_of
from .build.applications import unscaled
from .build.build import Case, build, calibration_factor, fresh, load_of, timing
from .build.hypervisors import Stack, build_stack
from .build.lifecycle import peak_population, static_lifecycle
from .build.unplaced import too_large_sizes
from .build.workload import Load
from .errors.problems import InputError, Problem, refuse
from .resolve.farm import HostModel, columns, host_model
from .resolve.racks import unplanned
from .scenario import Scenario, place_of, read_other
from .spec.cost import Dedicated, NoBaseline, OtherScenario, Unconsolidated
from .spec.farm import CalibratePart, Ceilings, HostGroup
from .spec.workload import Size

BARE: dict[str, object] = {
    "name": "dedicated",
    "names": None,
    "hypervisor": "bare_metal",
    "host_applications": 0.0,
    "storage_path": None,
    "network_path": None,
    "memory_overcommit": 1.0,
    "tenant": None,
    "in_service": True,
    "ceilings": Ceilings(),
}
"""What a group of hosts is when each of its hosts is one workload's own."""

UNLIMITED: dict[str, object] = {"limit": None, "reservation": 0.0, "shares": 1000}
"""What a size is without a hypervisor that limits it, keeps CPU for it or weighs it."""


def build_baselines(scenario: Scenario, load: Load, left_out: Ints | None = None) -> list[Case]:
    """Build all that the scenario is compared with, in the order in which it is written.

    ``load`` is that of the scenario. ``left_out`` (rows) are VMs that never ran in the scenario's
    own run: nobody asks for them where the load is the same. Raises InputError where a baseline
    cannot carry the same work.

    The cases are run after the scenario itself; without baselines (``none``) the list is empty.
    Where several are written, errors point to ``baseline.N``.
    """
    scenario = _with_factor(scenario, load)
    cases = []
    for row, baseline in enumerate(scenario.baseline):
        where = f"baseline.{row}" if len(scenario.baseline) > 1 else "baseline"
        if isinstance(baseline, NoBaseline):
            continue
        if isinstance(baseline, Dedicated):
            with scenario.locating_problems():
                cases.append(_dedicated(scenario, baseline, load, left_out, where))
        elif isinstance(baseline, Unconsolidated):
            cases.append(_unconsolidated(scenario, baseline, load, left_out))
        elif isinstance(baseline, OtherScenario):
            cases.append(_other(scenario, baseline, load))
        else:
            assert_never(baseline)
    return cases


def _with_factor(scenario: Scenario, load: Load) -> Scenario:
    """Return the scenario with the factor of its calibration, which baselines share."""
    if scenario.farm.calibrate is None or not scenario.baseline:
        return scenario
    factor = calibration_factor(scenario, load)
    farm = scenario.farm.model_copy(update={"calibrate": CalibratePart(factor=factor)})
    return scenario.model_copy(update={"farm": farm})


def _unconsolidated(
    scenario: Scenario, baseline: Unconsolidated, load: Load, left_out: Ints | None
) -> Case:
    """Return the scenario itself without migrations and with every host on.

    Its initial placement may be another one. Raises InputError.
    """
    initial = scenario.policies.initial
    if baseline.placement is not None:
        initial = initial.model_copy(update={"placement": baseline.placement})
    policies = scenario.policies.model_copy(update={"control": NoControl(), "initial": initial})
    case = build(scenario.model_copy(update={"policies": policies}), load, left_out)
    case.title = "the same farm without consolidation"
    case.label = "not consolidated"
    # How many of its hosts count is known once the run itself has ended.
    case.min_paid = np.zeros(len(case.host_models), np.int64)
    return case


def _other(scenario: Scenario, baseline: OtherScenario, load: Load) -> Case:
    """Return another scenario file, run for as long as this one and with its seed.

    Raises InputError with the place in that file if its VMs are other VMs than the scenario's.
    """
    written, other = read_other(scenario, baseline)
    changes: dict[str, object] = {"run": scenario.run, "seed": scenario.seed}
    like = other.model_copy(update=changes)
    other_load = load_of(like)
    differs = _population(load, other_load)
    if differs:
        place, path = place_of(written, ("workload",))
        raise refuse(
            place, f"{differs}; use the same VMs, or compare the two with farmsim compare", path
        )
    case = build(like, other_load)
    case.title = f"scenario {other.name}"
    case.label = other.name
    if other.run.duration != scenario.run.duration or other.seed != scenario.seed:
        case.title += " over the same time with the same seed"
    return case


def _population(mine: Load, other: Load) -> str:
    """Return how the VMs of another load differ from those of this one, empty if they do not.

    Names may differ; vCPUs, CPU and memory must be the same VM by VM once both are sorted.
    """
    if len(mine.vms) != len(other.vms):
        return f"has {_vms(other)}, the scenario has {_vms(mine)}"

    def sizes(load: Load) -> Ints:
        """Return vCPUs, CPU and memory of all VMs (3, vms), sorted."""
        vms = load.vms
        order = np.lexsort((vms.memory_mib, vms.size_mhz, vms.vcpus))
        made: Ints = np.stack([vms.vcpus, vms.size_mhz, vms.memory_mib])[:, order]
        return made

    return "" if np.array_equal(sizes(mine), sizes(other)) else "has VMs of different sizes"


def _vms(load: Load) -> str:
    """Say how many VMs a load has."""
    return f"{len(load.vms):,} VM{'' if len(load.vms) == 1 else 's'}"


def _dedicated(
    scenario: Scenario, baseline: Dedicated, load: Load, left_out: Ints | None, where: str
) -> Case:
    """Return one server per VM, always on, nothing shared: as many as there are ever VMs at once.

    The first server that holds every VM is taken. Raises InputError if none does.

    ``price`` counts only where the baseline states one; licences cost nothing, since nothing is
    virtualised. ``where`` is what errors point to.
    """
    lives = static_lifecycle(load)
    lives = replace(lives, population=lives.population.without(left_out))
    count = peak_population(lives.population, scenario.run.duration)
    start = InitialPlacementSetup(placement=RoundRobin(), rule="one server per VM", one_each=True)
    problems: list[Problem] = []
    for group in _servers(scenario, baseline):
        farm, stack, model = _bare_farm(scenario, group, load, count, lives.is_static)
        problems = too_large_sizes(farm, start, where, left_out)
        if not problems:
            break
    else:
        raise InputError(problems)
    demand = load.new_demand()
    setup = EngineSetup(
        start=start,
        control=NoControl(),
        control_name="none",
        migration=MigrationModels.only(FixedRate(), len(load.sizes), 1),
        timing=timing(scenario),
        lives=lives,
        elasticity=unscaled(load, scenario, stack),
    )
    accounts = accounts_of(scenario, stack, farm)
    return Case(
        name=f"{scenario.name}-dedicated",
        title=_title(count, model, baseline),
        scenario=scenario,
        engine=Engine(farm, demand, setup, Streams(scenario.seed), accounts),
        farm=farm,
        load=load,
        stack=stack,
        host_models=[model],
        host_counts=np.array([count]),
        prices=[baseline.price.amount if baseline.price is not None else 0.0],
        licences=[HostLicence()],
        domains=unplanned(count),
        living=not lives.is_static,
        label="dedicated servers",
    )


def _bare_farm(
    scenario: Scenario, group: HostGroup, load: Load, count: int, is_static: bool
) -> tuple[Farm, Stack, HostModel]:
    """Return ``count`` hosts like those of a group, without hypervisor, limits or tenants."""
    bare = group.model_copy(update=BARE)
    stack = build_stack(scenario, [bare], load.sizes, [_unlimited(size) for size in load.held])
    stack.layer.allowed[:] = True
    stack = replace(stack, clusters=[])  # A server per VM belongs to none.
    model = host_model(bare, stack.platforms[0], calibration_factor(scenario, load))
    hosts = columns([model], np.zeros(count, np.int64), np.array([count]))
    farm = Farm(hosts, fresh(load.vms), layer=stack.layer, all_present=is_static)
    return farm, stack, model


def _servers(scenario: Scenario, baseline: Dedicated) -> list[HostGroup]:
    """Return the servers that may be tried, as groups of hosts."""
    if baseline.server is None:
        return list(scenario.farm.hosts)
    return [HostGroup.model_validate({"name": "x", "server": baseline.server, "count": 1})]


def _title(count: int, model: HostModel, baseline: Dedicated) -> str:
    """Name the servers with their age and what they are charged with."""
    known = servers().get(model.server)
    age = f" of {known.available[-4:]}" if known is not None and known.available else ""
    charged = f"counted with {'its' if count == 1 else 'their'} energy only"
    if baseline.price is not None:
        each = "" if count == 1 else " each"
        charged = f"at {baseline.price.amount:,.0f} {baseline.price.currency}{each}"
    one = count == 1
    what = (
        "1 dedicated server for its one workload"
        if one
        else (f"{count:,} dedicated servers, one workload each")
    )
    server = (
        f"{model.server}{age}" if known is not None else ("same server as the hosts of the farm")
    )
    return f"{what} ({server}, {charged})"


def _unlimited(size: Size | None) -> Size | None:
    """Return a size as it is where no hypervisor limits it; None stays None."""
    return None if size is None else size.model_copy(update=UNLIMITED)
