"""The scenario of a sized farm: the VMs of a scenario on a number of equal new hosts.

It is written as a directory of its own, so that what a size study simulates is what a planner gets
and can run again.
"""

import csv
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ...scenarios.errors.problems import refuse
from ...scenarios.readers.recorded_use import recorded_use
from ...scenarios.readers.rules_table import read_rules
from ...scenarios.readers.vms_table import VmsTable, read_vms
from ...scenarios.scenario import Scenario
from ...scenarios.traces.snapshot import SnapshotLoad
from ...sim.base.random_streams import Streams
from .target_server import TargetServer

GROUP, SCENARIO, VMS = "host", "scenario.yaml", "vms.csv"
BY_HOSTS: Final = ("fence", "ban", "dedicated")
"""Rules that name hosts, which a farm of other hosts does not have."""


def sized_scenario(
    scenario: Scenario, target: TargetServer, count: int, reserve: int
) -> tuple[Scenario, list[str]]:
    """Return a scenario with its VMs on ``count`` new hosts, and the names of rules left out.

    The new farm has no clusters, and one group of hosts called GROUP. VMs are placed best fit by
    memory, those that fit nowhere are rejected; nothing is switched off or migrated, so that what
    is seen is what the hosts can serve. The reserve is a limit of planning there: failures are
    tried on paper, not at each step of a run. Rules that name hosts are left out. Raises InputError
    for tenants with hosts of their own.
    """
    if any(tenant.isolation == "dedicated" for tenant in scenario.tenants):
        message = "has tenants with dedicated hosts; size the farm of each tenant by itself"
        raise refuse(scenario.name, message, "tenants")
    rules, left_out = _rules(scenario)
    farm: dict[str, Any] = {"hosts": [{**target.group, "name": GROUP, "count": count}]}
    if target.calibration != 1.0:
        farm["calibrate"] = {"factor": target.calibration}
    changes: dict[str, Any] = {
        "name": f"{scenario.name}-sized",
        "farm": farm,
        "policies": {
            "initial": {
                "placement": "best_fit_decreasing",
                "count_by": "demand",
                "unplaced": "reject",
            },
            "slow_cores": "allow",
        },
        "failures": {},
        "network": {},
        "baseline": {"type": "none"},
        "constraints": rules,
        "constraints_file": None,
        "variants": {},
        "assert": {},
    }
    part = scenario.planning
    planning = {} if part is None else part.model_dump(mode="python", exclude_unset=True)
    changes["planning"] = {**planning, "reserve": reserve, "incomplete_clusters": []}
    return scenario.with_(changes), left_out


def _rules(scenario: Scenario) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rules of a scenario and of its table that name no hosts, and the others' names."""
    every = list(scenario.constraints)
    if scenario.constraints_file is not None:
        path = scenario.folder / scenario.constraints_file
        every += [rule for rule, _ in read_rules(path, str(scenario.constraints_file))[0]]
    kept = [rule for rule in every if rule.type not in BY_HOSTS]
    written = [rule.model_dump(mode="python", exclude_none=True) for rule in kept]
    return written, [rule.name for rule in every if rule.type in BY_HOSTS]


def write_sized(
    directory: Path, sized: Scenario, hosts: Sequence[str] | None, about: str
) -> Scenario:
    """Write a sized scenario and the files that it names; return it as it is read again.

    ``hosts`` are the hosts of its VMs in the order of its table of VMs, None where it has no such
    table. ``about`` becomes its description. What present hosts showed of the CPU use of VMs is
    written for each VM, since the VMs leave these hosts.
    """
    changes: dict[str, Any] = {"description": about}
    source = sized.workload.source
    path = getattr(source, "path", None)
    if path is not None:
        shutil.copyfile(sized.folder / path, directory / Path(path).name)
        changes["workload.source.path"] = Path(path).name
    if sized.workload.vms_file is not None and hosts is not None:
        shown = str(sized.workload.vms_file)
        table = read_vms(sized.folder / shown, shown)
        if isinstance(source, SnapshotLoad):
            stream = Streams(sized.seed)("workload.hosts")
            use = recorded_use(source, table, sized.folder, stream)
            table = replace(table, cpu_used_mhz=use.mhz)
            changes["workload.source.hosts_file"] = None
        _write_vms(directory / VMS, table, hosts)
        changes |= {"workload.vms_file": VMS, "policies.initial.placement": "recorded"}
    written = sized.with_(changes)
    (directory / SCENARIO).write_text(written.to_yaml(), "utf-8")
    return Scenario.load(directory / SCENARIO, allow_code=True)


def _write_vms(path: Path, table: VmsTable, hosts: Sequence[str]) -> None:
    """Write a table of VMs with the new hosts; clusters and notes of the old farm are left out."""
    columns: dict[str, Sequence[Any]] = {
        "vm": table.vm,
        "host": hosts,
        "vcpus": table.vcpus.tolist(),
        "clock_mhz": table.clock_mhz.tolist(),
        "memory_mib": table.memory_mib.tolist(),
        "class": table.request_class,
        "load": table.load,
        "priority": table.priority.tolist(),
    }
    for name in (
        "disk_mib", "reservation_mhz", "cpu_limit_mhz", "cpu_used_mhz", "cpu_share",
        "memory_active_mib", "memory_consumed_mib",
    ):  # fmt: skip
        values = getattr(table, name).tolist()
        columns[name] = ["" if value != value else value for value in values]  # noqa: PLR0124
    used = {name: cells for name, cells in columns.items() if any(cell != "" for cell in cells)}
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(used)
        writer.writerows(zip(*used.values(), strict=True))
