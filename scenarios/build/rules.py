"""Build placement rules: resolve names to rows, and refuse rules that cannot be satisfied.

Rules come from ``constraints``, from a table beside the scenario, and from reservations of CPU.
Those that contradict each other whatever the placement are told with both their places. The reserve
for failing hosts is made here as well.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fnmatch import translate

import numpy as np

from ...models.base.arrays import Bools, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.farm.farm import Farm
from ...models.hardware.racks_and_sites import Domains
from ...models.rules.conflicts import Conflict, Need, conflicts
from ...models.rules.constraints import Rule
from ...models.rules.reserve import Reserve
from ...models.rules.rules import Rules
from ...models.state.columns import Vms
from ...sim.scaling import Elasticity
from ...sim.setup import InitialPlacementSetup
from ..errors.problems import InputError, Problem
from ..errors.suggest import unknown_name
from ..readers.rules_table import read_rules
from ..readers.vms_table import VmsTable
from ..resolve.clusters import cluster_of_hosts
from ..resolve.farm import host_names, named_hosts
from ..spec.constraints import Constraint
from ..spec.policies import FailingHosts, StandbyHosts, reserves_of
from ..spec.policies import Reserve as ReservePart
from ..spec.scenario_data import ScenarioData
from ..spec.spec import Spec
from ..traces.trace import InputFile
from .hypervisors import Stack

SHOWN = 5
MAX_CONFLICTS_SHOWN = 20
"""Names that nobody has; a table of another farm would have thousands."""

NO_VMS: Ints = np.empty(0, np.int64)

PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class WrittenRule:
    """A rule as written, with its position and field in the scenario or a table.

    ``place`` tells file, line and column (or row) of a field. ``constraint`` is None where the rule
    is the reservation of a size.
    """

    constraint: Constraint | None
    place: Callable[[str], str]
    field: str


def written_rules(scenario: ScenarioData) -> tuple[list[WrittenRule], list[InputFile]]:
    """Return the rules of a scenario and of its table, and the files read.

    Raises InputError if a table cannot be read, or two rules have one name.

    Rules of the scenario come first, in their order; those of the table keep the place of their
    first row.
    """
    rules, files = [], []
    for index, constraint in enumerate(scenario.constraints):
        rules.append(WrittenRule(constraint, _placer(scenario, index), f"constraints.{index}"))
    shown = scenario.constraints_file
    if shown is not None:
        table, file = read_rules(scenario.folder / shown, shown)
        files.append(file)
        rules += [
            WrittenRule(constraint, lambda _, place=place: place, "")  # type: ignore[misc]
            for constraint, place in table
        ]
    _raise(_equal_rules(rules))
    return rules, files


def _placer(scenario: ScenarioData, index: int) -> Callable[[str], str]:
    """Return a function that tells where a field of a rule stands, or the scenario's name."""

    def place(field: str) -> str:
        """Return file, line and column of a field of the rule."""
        return scenario.place(("constraints", index, field)) or scenario.name

    return place


def _equal_rules(rules: Sequence[WrittenRule]) -> Iterator[Problem]:
    """Yield the second of two rules with one name."""
    seen: dict[str, WrittenRule] = {}
    for rule in rules:
        assert rule.constraint is not None
        name = rule.constraint.name
        if name in seen:
            message = f"two rules are called {name!r}; make the names unique"
            yield Problem(rule.place("name"), rule.field, message)
        seen[name] = rule


def build_rules(
    scenario: ScenarioData,
    farm: Farm,
    stack: Stack,
    domains: Domains,
    start: InitialPlacementSetup,
    is_static: bool,
    elasticity: Elasticity | None,
    table: VmsTable | None = None,
) -> tuple[Rules | None, list[InputFile]]:
    """Return the rules of a farm, None if there are none, and the files read for them.

    Reservations of CPU are rules too: no host promises more than it has. ``is_static``: all VMs are
    there from the start. ``elasticity`` says which VMs may get other sizes, ``table`` is that of
    the VMs: rules may name its groups, and VMs that it leaves out. Raises InputError for names that
    nobody has and for sets of rules that no placement can keep.
    """
    written, files = written_rules(scenario)
    reserved = _reservations(scenario, farm, stack, elasticity)
    if not written and not reserved:
        return None, files
    _raise(_unsafe(scenario, written))
    problems: list[Problem] = []
    finder = _Finder(farm, stack, table)
    made = [_rule(each, finder, problems) for each in written]
    _raise(problems)
    capacity_mhz = farm.hosts.cpu_mhz - farm.delivery.base_mhz
    rules = Rules([*made, *reserved], domains, len(farm.vms), capacity_mhz)
    needs = [] if start.reject else _needs(farm, start)
    # VMs that may be rejected are, where their reservations find no host.
    at_first = {} if start.reject else _at_first(reserved, farm)
    held = [*made, *at_first]
    found = conflicts(held, domains, needs, capacity_mhz, len(farm.vms), at_once=is_static)
    place_of = dict(zip(made, written, strict=True)) | at_first
    _raise([_as_problem(conflict, place_of, farm) for conflict in found])
    return rules, files


def _at_first(reserved: dict[Rule, WrittenRule], farm: Farm) -> dict[Rule, WrittenRule]:
    """Return the reservations of the VMs that start with their sizes."""
    found = {}
    for rule, written in reserved.items():
        rows = rule.holding(farm.vms.size)
        if len(rows):
            found[replace(rule, vms=rows)] = written
    return found


def _reservations(
    scenario: ScenarioData, farm: Farm, stack: Stack, elasticity: Elasticity | None
) -> dict[Rule, WrittenRule]:
    """Return a rule per size of VM that reserves CPU, where the scheduler heeds reservations.

    It names the VMs that have the size and those that may get it by vertical scaling.

    Each has the place of ``reservation`` in its size and no constraint of its own, so that no
    penalty is proposed for it.
    """
    if scenario.service.sharing != "shares":
        return {}
    vms, layer = farm.vms, stack.layer
    may_get = {} if elasticity is None else elasticity.may_get()
    found = {}
    for size in np.flatnonzero(layer.reservation_mhz > 0).tolist():
        rows = np.union1d(np.flatnonzero(vms.size == size), may_get.get(size, NO_VMS))
        if not len(rows):
            continue
        reserved_mhz = float(layer.reservation_mhz[size])
        rule = Rule(
            name=f"reservation of {vms.size_names[size]}",
            kind="preserve",
            vms=rows,
            hosts=NO_VMS,
            cpu_mhz=reserved_mhz,
            size=size if may_get else None,
        )
        index = next(
            (
                at
                for at, each in enumerate(scenario.workload.sizes)
                if each.name == vms.size_names[size]
            ),
            0,
        )
        path: tuple[str | int, ...] = ("workload", "sizes", index, "reservation")
        if scenario.workload.vms_file is not None:
            path = ("workload", "vms_file")
        place = scenario.place(path) or scenario.name
        found[rule] = WrittenRule(None, lambda _, place=place: place, ".".join(map(str, path)))  # type: ignore[misc]
    return found


def _raise(problems: Iterator[Problem] | Sequence[Problem]) -> None:
    """Raise InputError if there is any problem."""
    found = list(problems)
    if found:
        raise InputError(found)


def _unsafe(scenario: ScenarioData, written: Sequence[WrittenRule]) -> Iterator[Problem]:
    """Yield rules that a migration which gives up halfway would break."""
    if getattr(scenario.migration, "if_not_converging", "") != "cancel":
        return
    for rule in written:
        constraint = rule.constraint
        assert constraint is not None
        if constraint.type == "together" and constraint.penalty is None:
            message = (
                "keeps VMs together, but VMs are migrated one at a time and "
                "migration.if_not_converging: cancel may leave one behind; set another value "
                "there, or give the rule a penalty"
            )
            yield Problem(rule.place("type"), rule.field, message)


def build_reserve(spec: Spec, stack: Stack, vms: Vms) -> tuple[Reserve, ...]:
    """Return what is kept free for hosts that fail: of the whole farm, then of each cluster.

    Names of standby hosts become a mask over the hosts; a cluster's reserve is kept among its hosts
    and is there for its VMs.
    """
    names = host_names(spec.farm)
    found = [_reserve(part, names) for part in reserves_of(spec.policies.reserve)]
    host_cluster, vm_cluster = cluster_of_hosts(spec.farm), stack.cluster_of_size[vms.size]
    for number, cluster in enumerate(spec.farm.clusters):
        within, members = host_cluster == number, vm_cluster == number
        found += [
            replace(
                _reserve(part, names, within),
                within=within,
                members=members,
                name=f"cluster {cluster.name}: {_called(part)}",
            )
            for part in reserves_of(cluster.reserve)
        ]
    return tuple(found)


def _reserve(part: ReservePart, names: Sequence[str], within: Bools | None = None) -> Reserve:
    """Return a reserve over hosts of some names, standby hosts only ``within`` a mask."""
    name = _called(part)
    if isinstance(part, FailingHosts):
        return Reserve(hosts=part.hosts, packing=part.check == "packing", name=name)
    if isinstance(part, StandbyHosts):
        standby = named_hosts(part.hosts, names)
        return Reserve(standby=standby if within is None else standby & within, name=name)
    return Reserve(memory_share=part.memory, cpu_share=part.cpu, name=name)


def _called(part: ReservePart) -> str:
    """Return what results call a reserve."""
    if isinstance(part, FailingHosts):
        return f"any {part.hosts} host{'' if part.hosts == 1 else 's'} may fail"
    if isinstance(part, StandbyHosts):
        return f"standby {', '.join(part.hosts)}"
    return f"{part.memory * 100:g} % of memory and {part.cpu * 100:g} % of CPU free"


class _Finder:
    """Rows of VMs and hosts by name, pattern, size, tenant and group.

    It is made once for all rules: tables may have thousands.
    """

    def __init__(self, farm: Farm, stack: Stack, table: VmsTable | None) -> None:
        self._group = np.array([] if table is None else table.group, str)
        out = [] if table is None else [name for names in table.left_out.values() for name in names]
        self._left_out = _Names(out)
        self.vms = _Names(list(farm.vms.names))
        self.hosts = _Names(list(farm.hosts.names))
        self._size, self._size_names = farm.vms.size, list(farm.vms.size_names)
        self._tenant, self._tenant_names = stack.tenant_of_size, stack.tenants

    def of_name(self, name: str) -> Ints | None:
        """Return the VMs of a name or pattern, none of those that a table leaves out.

        None where nobody is called so.
        """
        found = self.vms.find(name)
        if found is None and self._left_out.find(name) is not None:
            return NO_VMS
        return found

    def of_size(self, name: str) -> Ints | None:
        """Return the VMs of a size; None if there is no such size."""
        if name not in self._size_names:
            return None
        return np.flatnonzero(self._size == self._size_names.index(name))

    def of_tenant(self, name: str) -> Ints | None:
        """Return the VMs of a tenant; None if there is no such tenant."""
        if name not in self._tenant_names:
            return None
        owned = self._tenant[self._size] == self._tenant_names.index(name)
        return np.flatnonzero(owned)

    def of_group(self, name: str) -> Ints | None:
        """Return the VMs of a group of a table of VMs; None if there is no such group."""
        rows = np.flatnonzero(self._group == name)
        return rows if len(rows) else None

    @property
    def known(self) -> dict[str, Sequence[str]]:
        """Names that exist, by field."""
        return {
            "vms": self.vms.names,
            "hosts": self.hosts.names,
            "sizes": self._size_names,
            "tenants": self._tenant_names,
            "groups": np.unique(self._group[self._group != ""]).tolist(),
        }


class _Names:
    """Names of VMs or hosts and the rows that they stand for.

    A name goes before a pattern, so that names with ``*`` or ``[`` can be written as they are.
    Patterns are those of a shell, case counts.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self._row = {name: row for row, name in enumerate(names)}

    def find(self, pattern: str) -> Ints | None:
        """Return the rows of a name or pattern; None if nothing matches."""
        if pattern in self._row:
            return np.array([self._row[pattern]])
        if not PATTERN.search(pattern):
            return None
        matches = re.compile(translate(pattern)).match
        rows = np.array([row for row, name in enumerate(self.names) if matches(name)], np.int64)
        return rows if len(rows) else None


WHAT = {
    "vms": "VM",
    "hosts": "host",
    "sizes": "size",
    "tenants": "tenant",
    "groups": "group of VMs",
}


def _rule(written: WrittenRule, finder: _Finder, problems: list[Problem]) -> Rule:
    """Return a rule over rows; unknown names are added to the problems.

    VMs are those named, and those of the sizes, tenants and groups. Raises InputError once there
    are more than MAX_CONFLICTS_SHOWN problems: a table of another farm would have thousands.
    """
    constraint = written.constraint
    assert constraint is not None
    looks = {
        "vms": finder.of_name,
        "sizes": finder.of_size,
        "tenants": finder.of_tenant,
        "groups": finder.of_group,
        "hosts": finder.hosts.find,
    }
    rows: dict[str, list[Ints]] = {"vms": [], "hosts": []}
    for field, look in looks.items():
        for name in getattr(constraint, field, ()):
            found = look(name)
            if found is None and len(problems) >= MAX_CONFLICTS_SHOWN:
                raise InputError(
                    [*problems, Problem(written.place(field), "", "and more like these")]
                )
            if found is None:
                message = unknown_name(WHAT[field], name, finder.known[field][:1000])
                where = ".".join(filter(None, (written.field, field)))
                problems.append(Problem(written.place(field), where, message))
            else:
                rows["hosts" if field == "hosts" else "vms"].append(found)
    return Rule(
        name=constraint.name,
        kind=constraint.type,
        vms=_union(rows["vms"]),
        hosts=_union(rows["hosts"]),
        level=getattr(constraint, "domain", "host"),
        at_most=getattr(constraint, "at_most", 1),
        cpu_mhz=getattr(constraint, "cpu", 0.0),
        penalty=constraint.penalty,
    )


def _union(rows: list[Ints]) -> Ints:
    """Return the rows of all arrays, ascending, each once."""
    return np.unique(np.concatenate([np.empty(0, np.int64), *rows]))


def _needs(farm: Farm, start: InitialPlacementSetup) -> list[Need]:
    """Return what VMs that share a host need of it, as the initial placement counts.

    CPU counts by size only: by demand, nobody knows beforehand what a host has to give.
    """
    memory = Need("memory", "MiB", farm.delivery.max_mib, farm.hosts.memory_mib)
    if not start.by_size:
        return [memory]
    capacity_mhz = (farm.hosts.cpu_mhz - farm.delivery.base_mhz) * start.overcommit
    return [memory, Need("CPU", "MHz", farm.vms.size_mhz, capacity_mhz)]


def _as_problem(conflict: Conflict, written: dict[Rule, WrittenRule], farm: Farm) -> Problem:
    """Return a conflict as a problem of the first rule that takes part in it.

    At most SHOWN of the VMs are listed. A penalty is proposed only where the first rule was written
    by the user.
    """
    first, *others = conflict.rules
    names = [farm.vms.names[vm] for vm in conflict.vms[:SHOWN]]
    more = len(conflict.vms) - SHOWN
    listed = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    rules = ", ".join(rule.name for rule in conflict.rules)
    places = [f"{rule.name} at {written[rule].place('name')}" for rule in others]
    at = f" ({'; '.join(places)})" if places else ""
    word = "rules" if others else "rule"
    message = (
        f"{word} {rules} cannot be kept{at} by {listed}: {conflict.why}; change one of them"
    ) + (", or give it a penalty" if written[first].constraint is not None else "")
    return Problem(written[first].place("name"), written[first].field, message)
