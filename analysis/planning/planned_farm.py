"""From a scenario to the arrays of planning: one planned farm per cluster."""

from collections.abc import Mapping, Sequence

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, alike
from ...models.base.lazy_dataclass import dataclass
from ...models.base.quantiles import nearest_rank
from ...models.rules.constraints import BY_HOST_ALONE
from ...models.sizing.limits import Limits
from ...models.sizing.planned_farm import PlannedFarm, PlannedHosts, PlannedVms, SpreadRule
from ...policies.placement_algorithms.recorded import Recorded
from ...scenarios.build.build import Case, build, load_of
from ...scenarios.build.workload import Load
from ...scenarios.errors.problems import refuse
from ...scenarios.resolve.clusters import NONE
from ...scenarios.resolve.racks import racks_are_known
from ...scenarios.scenario import Scenario
from ...scenarios.spec.planning import MAX_RESERVE, NO_CLUSTER, WHOLE, PlanningPart
from ...scenarios.spec.policies import FailingHosts
from ...scenarios.spec.spec import Spec

P95 = 0.95
SLOTS = 64
"""Samples of demand that are added up at a time."""


@dataclass(frozen=True, eq=False)
class PlannedCluster:
    """A cluster of a plan: the farm of its hosts in service and of its VMs.

    ``vms`` are the rows of its VMs in the case. ``out_of_service`` names hosts that are no supply.
    ``incomplete``: rows of hosts are missing from the inventory, so that it gets no figure.
    """

    farm: PlannedFarm
    vms: Ints
    reserve: int
    incomplete: bool
    out_of_service: Sequence[str]

    @property
    def name(self) -> str:
        """The name of the cluster."""
        return self.farm.name


@dataclass(frozen=True, eq=False)
class Plan:
    """The clusters of a scenario with the limits that they are held to.

    ``basis`` says of each limit whether it is the ``default`` or ``yours``. ``cpu_p95_mhz`` is the
    95th percentile of the summed demand of all clusters together. ``levels`` are those of ``rack``
    and ``site`` that the scenario says something of; others are no failure domains.
    """

    name: str
    clusters: Sequence[PlannedCluster]
    limits: Limits
    basis: Mapping[str, str]
    cpu_p95_mhz: float
    levels: Sequence[str]


def plan_of(
    scenario: Scenario, load: Load | None = None, reserve: int | None = None
) -> tuple[Plan, Case]:
    """Return the plan of a scenario whose VMs are all there all the time, and its built case.

    VMs stand where the initial placement ``recorded`` puts them, else nowhere yet. ``reserve``
    replaces that of the scenario. Raises InputError if the scenario cannot be built, or its VMs
    come and go or scale.
    """
    load = load or load_of(scenario)
    for given, what in (
        (load.arrivals, "arrive and depart"),
        (load.applications, "are members of applications that scale"),
    ):
        if given is not None:
            message = (
                f"has VMs that {what}, so that there is no single number of them to plan for; "
                "plan with a workload of fixed VMs, or run the scenario"
            )
            raise refuse(scenario.name, message)
    case = build(scenario, load)
    return planned(case, recorded_home(case), reserve=reserve), case


def recorded_home(case: Case) -> Ints:
    """Return the host that each VM is recorded on (vms,), -1 where none is or is not in service.

    Hosts are those of the table of VMs, where the initial placement is ``recorded``.
    """
    placement, table = case.scenario.policies.initial.placement, case.load.table
    if not isinstance(placement, Recorded) or table is None:
        return np.full(len(case.farm.vms), -1)
    row_of = {name: row for row, name in enumerate(case.farm.hosts.names)}
    home = np.array([row_of.get(name, -1) for name in table.host], np.int64)
    return np.where((home >= 0) & case.farm.hosts.in_service[home], home, -1)


def planned(
    case: Case,
    home: Ints,
    present: Bools | None = None,
    reserve: int | None = None,
    in_service: Bools | None = None,
) -> Plan:
    """Return the plan of a built case, with each VM on the host ``home`` (vms,), -1 on none.

    ``present`` (vms,) are the VMs that count, None: all. ``in_service`` (hosts,) are the hosts
    that are supply, None: those that the scenario has in service.
    """
    supply = case.farm.hosts.in_service if in_service is None else in_service
    scenario = case.scenario
    part = scenario.planning or PlanningPart()
    counted = np.ones(len(home), bool) if present is None else present
    pools = _pools(case)
    of_vm = np.full(len(home), len(pools))
    for at, (_, mine) in enumerate(pools.values()):
        of_vm[mine & counted] = at
    means_mhz, sums_mhz = demand_sums(case, of_vm, len(pools))
    clusters = []
    for at, (number, (name, _)) in enumerate(pools.items()):
        rows = np.flatnonzero(of_vm == at)
        total = float(means_mhz[rows].sum())
        peak_mhz = nearest_rank(sums_mhz[:, at], P95)
        parts_mhz = means_mhz[rows] * (peak_mhz / total if total else 0.0)
        farm, closed = _farm(case, supply, (number, name), rows, home[rows], parts_mhz)
        kept = reserve_of(scenario, name) if reserve is None else reserve
        missing = name in part.incomplete_clusters
        clusters.append(PlannedCluster(farm, rows, kept, missing, closed))
    return Plan(
        scenario.name,
        clusters,
        part.limits(),
        {name: part.basis(name) for name in PlanningPart.model_fields},
        nearest_rank(sums_mhz.sum(axis=1), P95),
        known_levels(scenario),
    )


def demand_sums(case: Case, pool: Ints, pools: int) -> tuple[Floats, Floats]:
    """Return the mean CPU need of each VM (vms,), and the sums of each pool, (samples, pools).

    In MHz of the hosts: demand of the guests times what the hypervisor adds, at most on any group
    of hosts that the VM may use. ``pool`` (vms,) is the pool of each VM; one beyond the last counts
    in none. Samples are those of the run, or of the recorded load where that is another length.
    """
    layer, size = case.stack.layer, case.farm.vms.size
    factor = np.where(layer.allowed, layer.work_factor, 0.0).max(axis=1, initial=0.0)[size]
    demand = case.load.new_demand()
    recorded = [each.length_s for each in case.load.recordings]
    end_s = max(recorded, default=case.scenario.run.duration)
    slots = max(int(end_s / demand.step_s), 1)
    means_mhz, sums_mhz = np.zeros(len(size)), np.zeros((slots, pools))
    members = [np.flatnonzero(pool == each) for each in range(pools)]
    for first in range(0, slots, SLOTS):
        window = range(first, min(first + SLOTS, slots))
        need_mhz = demand.batch(window).of(slice(None)) * factor
        means_mhz += need_mhz.sum(axis=0)
        for each, rows in enumerate(members):
            sums_mhz[window.start : window.stop, each] = need_mhz[:, rows].sum(axis=1)
    return means_mhz / slots, sums_mhz


def known_levels(spec: Spec) -> list[str]:
    """Return the levels of failure domains that a scenario says something of."""
    levels = ["rack"] if racks_are_known(spec.farm, spec.network.topology) else []
    return [*levels, *(["site"] if any(group.site for group in spec.farm.hosts) else [])]


def reserve_of(spec: Spec, cluster: str) -> int:
    """Return how many hosts of a cluster may fail at once: as planned, as reserved, else 1."""
    if spec.planning is not None and spec.planning.reserve is not None:
        return spec.planning.reserve
    own = [each for each in spec.farm.clusters if each.name == cluster]
    found = [getattr(each, "reserve", None) for each in own] or [None]
    kept = found[0] if found[0] is not None else spec.policies.reserve
    several = kept if isinstance(kept, tuple | list) else (kept,)
    hosts = [each.hosts for each in several if isinstance(each, FailingHosts)]
    return min(max(hosts, default=1), MAX_RESERVE)


def _pools(case: Case) -> dict[int, tuple[str, Bools]]:
    """Return name and VMs (vms,) of each cluster that has hosts or VMs, by its number."""
    stack = case.stack
    of_vm = stack.cluster_of_size[case.farm.vms.size]
    names = {**dict(enumerate(stack.clusters)), NONE: NO_CLUSTER if stack.clusters else WHOLE}
    used = {*stack.cluster_of_group.tolist(), *of_vm.tolist()}
    return {number: (name, of_vm == number) for number, name in names.items() if number in used}


def _farm(
    case: Case,
    supply: Bools,
    cluster: tuple[int, str],
    rows: Ints,
    home: Ints,
    parts_mhz: Floats,
) -> tuple[PlannedFarm, list[str]]:
    """Return the farm of a cluster, and the names of its hosts out of service.

    ``supply`` (hosts,) are hosts in service; ``cluster`` is its number and name, ``rows`` its VMs,
    ``home`` (rows,) their hosts, ``parts_mhz`` (rows,) their parts in the need of CPU.
    """
    number, name = cluster
    mine = case.stack.cluster_of_group[case.farm.hosts.group] == number
    there, closed = np.flatnonzero(mine & supply), np.flatnonzero(mine & ~supply)
    place = np.full(len(mine) + 1, -1)
    place[there] = np.arange(len(there))
    place_class, places = _open_hosts(case, rows, there)
    spread, together, left_out = _rules(case, rows)
    farm = PlannedFarm(
        name,
        _vms(case, rows, there, parts_mhz),
        _hosts(case, there),
        place[home],
        spread,
        together,
        place_class,
        places,
        left_out,
    )
    return farm, [case.farm.hosts.names[row] for row in closed.tolist()]


def _vms(case: Case, rows: Ints, there: Ints, parts_mhz: Floats) -> PlannedVms:
    """Return the VMs of some rows; memory with what the hypervisor adds, at most on these hosts."""
    vms, groups = case.farm.vms, np.unique(case.farm.hosts.group[there])
    extra_mib = case.stack.layer.extra_mib[vms.size[rows]][:, groups].max(axis=1, initial=0.0)
    names = [vms.names[row] for row in rows.tolist()]
    return PlannedVms(
        names, vms.vcpus[rows].astype(np.int64), vms.memory_mib[rows] + extra_mib, parts_mhz
    )


def _hosts(case: Case, there: Ints) -> PlannedHosts:
    """Return the hosts of some rows, without what their hypervisors keep for themselves.

    Memory and CPU are those below the planning ceilings of the hosts. Raises InputError for hosts
    that hold one VM each.
    """
    hosts, layer, domains = case.farm.hosts, case.stack.layer, case.domains
    group, levels = hosts.group[there], known_levels(case.scenario)
    if layer.one_guest[group].any():
        message = "has hosts that hold one VM each; planning needs hosts that VMs share"
        raise refuse(case.name, message, "farm.hosts")
    nowhere = np.zeros(len(there), np.int64)
    return PlannedHosts(
        [hosts.names[row] for row in there.tolist()],
        layer.cores[group].astype(np.int64),
        np.maximum(hosts.plan_mhz[there] - (layer.base_mhz + layer.app_mhz)[group], 0.0),
        hosts.plan_mib[there],
        domains.rack[there] if "rack" in levels else nowhere,
        domains.site[there] if "site" in levels else nowhere,
        domains.rack_names,
        domains.site_names,
    )


def _open_hosts(case: Case, rows: Ints, there: Ints) -> tuple[Ints, Bools]:
    """Return the class of each VM, and the hosts open to each class, by layer and by rules."""
    size, allowed = case.farm.vms.size[rows], case.stack.layer.allowed
    group = case.farm.hosts.group[there]
    kinds = np.column_stack([allowed[size], np.zeros(len(rows))]).astype(np.float64)
    if case.rules is not None:
        kinds[:, -1] = case.rules.place_class[rows]
    place_class = alike(kinds) if len(rows) else np.zeros(0, np.int64)
    _, first = np.unique(place_class, return_index=True)
    if not len(first):
        return place_class, np.ones((1, len(there)), bool)
    places = allowed[size[first]][:, group]
    if case.rules is not None:
        places = places & case.rules.places[case.rules.place_class[rows[first]]][:, there]
    return place_class, places


def _rules(case: Case, rows: Ints) -> tuple[list[SpreadRule], list[Ints], list[str]]:
    """Return hard rules on the VMs of some rows: who is apart, who together, and what is left out.

    Rules that go by hosts alone are in the open hosts; left out are VMs that share a rack or a
    site, VMs that share hosts with nobody else, and CPU that is guaranteed.
    """
    spread: list[SpreadRule] = []
    together: list[Ints] = []
    left_out: list[str] = []
    for rule in case.rules.all if case.rules is not None else ():
        members = np.flatnonzero(np.isin(rows, rule.vms))
        if not rule.hard or rule.kind in BY_HOST_ALONE or not len(members):
            continue
        if rule.kind in ("apart", "spread"):
            at_most = rule.at_most if rule.kind == "spread" else 1
            spread.append(SpreadRule(rule.name, members, rule.level, at_most))
        elif rule.kind == "together" and rule.level == "host":
            together.append(members)
        else:
            left_out.append(rule.name)
    return spread, together, left_out
