"""Failure tables of the clusters of a farm: which failures each survives, as text and values."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ...models.sizing.failure_cases import FailureCase, FailureTable, failure_table
from ...models.sizing.limits import Limits
from ...models.sizing.planned_farm import CPU, MEMORY, RESOURCES, VCPUS
from ...scenarios.scenario import Scenario
from ...scenarios.spec.planning import NO_CLUSTER, WHOLE
from ..report.vm_sentences import plural
from ..studies.failover import Examined, examine
from ..studies.failover_result import Failover
from .planned_farm import Plan, PlannedCluster, planned

SHOWN = 20
"""Rows of a table that are printed; the others are in the file."""
NAMED = 5
"""Stranded VMs that are named in print."""
INCOMPLETE = "rows of hosts are missing from the inventory, so that what is left is unknown"
NO_HOST = "none of its hosts is in service"


@dataclass(frozen=True, eq=False)
class ClusterFailures:
    """Failures of one cluster; ``table`` is None where there is no figure, ``why`` says why."""

    cluster: PlannedCluster
    table: FailureTable | None
    limits: Limits
    levels: Sequence[str]
    why: str = ""

    @property
    def whole(self) -> list[str]:
        """The levels, of those that the scenario defines, of which the cluster is one domain."""
        return [level for level in self.table.whole if level in self.levels] if self.table else []

    def sentence(self) -> str:
        """Return which failures the cluster survives."""
        table = self.table
        if table is None:
            return f"no figure: {self.why}"
        if table.normal.fails:
            return f"fails with all hosts up: {table.normal.reason}"
        if table.unplaced:
            return f"no host has room for {named(table.unplaced)} with all hosts up"
        if table.host_count < 2:
            return "has one host, which cannot fail over"
        if not table.survives(1):
            failing = [case for case in table.hosts if case.fails]
            first = min(failing, key=lambda case: case.margin)
            count = f"{len(failing):,} of {table.host_count:,} hosts"
            return f"does not survive the loss of {count}; {first.name}: {first.reason}"
        return f"survives the loss of any one host{self._of_pairs(table)}"

    def _of_pairs(self, table: FailureTable) -> str:
        if not table.pairs_tried:
            return ""
        if table.pairs_failing:
            said = f", not of {table.pairs_failing:,} of {plural(table.pairs_tried, 'pair')}"
            return f"{said} ({table.pairs[0].name}: {table.pairs[0].reason})"
        if table.pairs_undecided:
            return f"; {table.pairs_undecided:,} of {table.pairs_tried:,} pairs are not decided"
        return " and of any two hosts"

    def rows(self) -> list[FailureCase]:
        """Return the cases from normal operation to sites; of hosts the worst first."""
        if self.table is None:
            return []
        hosts = sorted(self.table.hosts, key=lambda case: (not case.fails, case.margin))
        return [self.table.normal, *hosts, *self.table.pairs, *self.table.domains]

    def text(self) -> str:
        """Return the table in lines, the worst :data:`SHOWN` rows at most."""
        farm = self.cluster.farm
        what = f"hosts in {NO_CLUSTER}" if farm.name == NO_CLUSTER else f"cluster {farm.name}"
        head = f"{what} ({_counts(self.cluster)}): {self.sentence()}"
        if self.table is None:
            return head
        lines = [head, *self.notes(), _HEAD]
        rows = self.rows()
        lines += [_line(case, self.table.cpu_known) for case in rows[:SHOWN]]
        if len(rows) > SHOWN:
            lines.append(f"and {len(rows) - SHOWN:,} more")
        return "\n".join(lines)

    def notes(self) -> list[str]:
        """Return what a reader has to know of the table."""
        found = [
            f"the cluster stands in one {level}: if it fails, nothing is left"
            for level in self.whole
        ]
        if self.cluster.farm.left_out:
            found.append(f"rules left out of account: {', '.join(self.cluster.farm.left_out)}")
        if self.table is not None and not self.table.cpu_known:
            found.append("the CPU demand is unknown: no case tests it")
        return found

    def worst(self) -> dict[str, str]:
        """Return the host whose loss leaves least of each resource, by resource."""
        found = {}
        for column, name in enumerate(RESOURCES):
            case = self.table.worst(column) if self.table else None
            if case is not None and (column != CPU or (self.table and self.table.cpu_known)):
                found[name] = case.name
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; ``survives`` has None where a figure is not known."""
        table = self.table
        return {
            "name": self.cluster.name,
            "vms": len(self.cluster.farm.vms),
            "hosts": len(self.cluster.farm.hosts),
            "out_of_service": list(self.cluster.out_of_service),
            "verdict": self.sentence(),
            "no_figure_because": self.why or None,
            "survives": {
                str(failures): table.survives(failures) if table else None for failures in (0, 1, 2)
            },
            "worst": self.worst(),
            "pairs": {
                "tried": table.pairs_tried if table else 0,
                "failing": table.pairs_failing if table else 0,
                "undecided": table.pairs_undecided if table else 0,
            },
            "single": self.whole,
            "notes": self.notes(),
            "cases": [
                case_values(case, table.cpu_known if table else False) for case in self.rows()
            ],
        }


_HEAD = (
    f"{'fails':28}{'memory left/needed':>22}{'vCPU:core':>11}{'CPU':>7}{'VMs':>7}{'stranded':>10}"
    "  verdict"
)


def _line(case: FailureCase, cpu_known: bool) -> str:
    """Return a row of the table."""
    left, needed = case.left[MEMORY] / 1024, case.needed[MEMORY] / 1024
    ratio, share = case.ratio(), case.share(CPU) if cpu_known else None
    shown = f"{left:,.0f}/{needed:,.0f} GiB"
    return (
        f"{label(case):28}{shown:>22}{'–' if ratio is None else f'{ratio:.2f}':>11}"
        f"{'–' if share is None else f'{100 * share:.0f} %':>7}{case.restarts:7,}"
        f"{len(case.stranded):10,}  {verdict(case)}"
    )


def label(case: FailureCase) -> str:
    """Return what fails: kind and name."""
    return (
        case.name
        if case.name.startswith(case.kind) or not len(case.hosts)
        else (f"{case.kind} {case.name}")
    )


def verdict(case: FailureCase) -> str:
    """Return whether a case passes, and if not, why, and who is stranded."""
    if not case.fails:
        return "passes"
    proof = "" if case.proven else " (not proven: no placement found)"
    lost = f"; stranded: {named(case.stranded)}" if case.stranded else ""
    return f"fails: {case.reason}{lost}{proof}"


def named(names: Sequence[str]) -> str:
    """Return some names, of many the first few and how many more."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _counts(cluster: PlannedCluster) -> str:
    """Return how many VMs and hosts a cluster has, and how many hosts are no supply."""
    closed = len(cluster.out_of_service)
    said = f"{plural(len(cluster.farm.vms), 'VM')}, {plural(len(cluster.farm.hosts), 'host')}"
    return f"{said} in service, {closed:,} not" if closed else said


def amounts(values: Floats, cpu_known: bool) -> dict[str, float | None]:
    """Return an amount of each resource in the units of results; CPU None where unknown."""
    return {
        "memory_gib": round(float(values[MEMORY]) / 1024, 1),
        "vcpus": round(float(values[VCPUS]), 1),
        "cpu_ghz": round(float(values[CPU]) / 1000, 1) if cpu_known else None,
    }


def case_values(case: FailureCase, cpu_known: bool) -> dict[str, Any]:
    """Return a case as plain values."""
    ratio, share = case.ratio(), case.share(CPU) if cpu_known else None
    return {
        "kind": case.kind,
        "name": case.name,
        "needed": amounts(case.needed, cpu_known),
        "left": amounts(case.left, cpu_known),
        "vcpus_per_core": None if ratio is None else round(ratio, 3),
        "cpu_share": None if share is None else round(share, 4),
        "restarts": case.restarts,
        "stranded": list(case.stranded),
        "largest_vm_fits": case.largest_fits,
        "fails": case.fails,
        "proven": case.proven,
        "limiter": case.limiter or None,
        "reason": case.reason or None,
    }


def failures_of(plan: Plan, pairs: bool = True) -> list[ClusterFailures]:
    """Return the failures of each cluster of a plan, those without a figure with the reason."""
    found = []
    for cluster in plan.clusters:
        why = INCOMPLETE if cluster.incomplete else ""
        if not why and not len(cluster.farm.hosts):
            why = NO_HOST
        table = None if why else failure_table(cluster.farm, plan.limits, pairs)
        found.append(ClusterFailures(cluster, table, plan.limits, plan.levels, why))
    return found


def failover_with_tables(
    scenario: Scenario, at_s: float | None, pairs: bool
) -> tuple[Failover, list[ClusterFailures]]:
    """Test the failover of a farm at one instant, and return the tables of its clusters as well.

    Tables are made where the scenario names clusters or limits of a plan, with VMs on the hosts
    where they are at that instant; not where applications scale. Raises InputError as
    :func:`.failover` does.
    """
    found: Examined = examine(scenario, at_s, pairs)
    if scenario.planning is not None:
        outcome = found.outcome.without(scenario.planning.incomplete_clusters, INCOMPLETE)
        found = replace(found, outcome=outcome)
        if WHOLE in scenario.planning.incomplete_clusters:
            found = replace(found, outcome=found.outcome.untested(INCOMPLETE))
    wanted = bool(scenario.farm.clusters) or scenario.planning is not None
    if not wanted or found.case.load.applications is not None:
        return found.outcome, []
    plan = planned(found.case, found.home, found.home >= 0, in_service=found.in_service)
    tables = failures_of(plan)
    return replace(found.outcome, by_limits=_by_limits(tables)), tables


def _by_limits(tables: Sequence[ClusterFailures]) -> str:
    """Return which clusters break limits of the plan if one host fails, or that none does."""
    known = [each for each in tables if each.table is not None]
    failing = [each for each in known if each.table is not None and not each.table.survives(1)]
    if not known:
        return "no cluster has a figure by the limits of the plan"
    if not failing:
        return "the limits of the plan are kept as well"
    told = "; ".join(f"{each.cluster.name} {each.sentence()}" for each in failing)
    return f"the limits of the plan are not kept: {told}"
