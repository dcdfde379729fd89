"""Cases that turn the limits of a plan, and what a planner sees of them."""

from typing import Any

import farmsim
from farmsim.analysis.planning.planned_farm import plan_of
from farmsim.models.sizing.failure_cases import failure_table
from farmsim.models.sizing.floors import floors, oversized
from farmsim.models.sizing.headroom import headroom, median_vm
from farmsim.models.sizing.planned_farm import equal_hosts

Changes = dict[str, Any]
Turns = dict[str, tuple[Changes, Changes]]


def planning_outcome(scenario: farmsim.Scenario) -> dict[str, Any]:
    """Return what the arithmetic of planning says of each cluster of a scenario."""
    plan, _ = plan_of(scenario)
    seen: dict[str, Any] = {}
    for cluster in plan.clusters:
        seen[f"{cluster.name} incomplete"] = cluster.incomplete
        table = failure_table(cluster.farm, plan.limits)
        worst = [*table.hosts, *table.pairs]
        seen[f"{cluster.name} failures"] = [(case.name, case.left.tolist()) for case in worst]
        found = headroom(cluster.farm, median_vm(cluster.farm.vms), plan.limits, cluster.reserve)
        seen[f"{cluster.name} headroom"] = (found.independent.tolist(), found.joint)
        server = equal_hosts(1, 2, 4000.0, 65536.0)
        seen[f"{cluster.name} floors"] = floors(
            cluster.farm, server, plan.limits, cluster.reserve
        ).hosts
        seen[f"{cluster.name} large"] = oversized(cluster.farm, server, plan.limits)
    return seen


def planning_turns() -> Turns:
    """Return the turns; hosts have 2 cores and 64 GiB, VMs up to 2 vCPUs and 2 GiB."""
    values: dict[str, tuple[Any, Any]] = {
        "reserve": (1, 2),
        "memory": ("100 %", "10 %"),
        "vcpus_per_core": (4, 3),
        "vcpus_per_core_failure": (6, 5),
        "cpu": ("75 %", "60 %"),
        "cpu_two_failures": ("85 %", "80 %"),
        "largest_vm": ("50 %", "100 %"),
        "min_hosts": (2, 30),
    }
    turns: Turns = {
        f"planning.{name}": tuple(  # type: ignore[misc]
            {"planning": {name: value}, "run.duration": "20 min"} for value in pair
        )
        for name, pair in values.items()
    }
    cluster = {"name": "p", "hosts": ["x"]}
    clustered = {"farm.clusters": [cluster], "run.duration": "20 min"}
    turns["planning.incomplete_clusters"] = (
        clustered | {"planning": {}},
        clustered | {"planning": {"incomplete_clusters": ["p"]}},
    )
    return turns
