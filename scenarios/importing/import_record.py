"""The record of an import, ``import.json``: inputs, counts, findings, coverage, totals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from ...models.base.arrays import added
from ...models.base.lazy_dataclass import dataclass
from ..inventory.cluster_totals import ClusterTotals
from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Inventory, Scope, Source
from ..inventory.joins import is_sized
from .host_groups import HostGroup
from .scenario_text import GroupPower
from .tables import MeasuredLoad

SCHEMA_VERSION: Final = 1
VM_FIELDS: Final = (
    "vcpus", "memory_mib", "host", "cluster", "disk_mib", "power_state", "cpu_used_mhz",
    "cpu_share", "memory_active_mib", "memory_consumed_mib", "os", "restart_priority",
)  # fmt: skip
HOST_FIELDS: Final = (
    "cores", "sockets", "clock_mhz", "memory_mib", "cpu_model", "model", "cluster", "cpu_used_mhz",
    "memory_used_mib", "cpu_mean_mhz", "cpu_p95_mhz", "cpu_peak_mhz",
)  # fmt: skip
NO_CLUSTER: Final = "no cluster"
"""What hosts and VMs without a cluster are listed under."""
_ORDER: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, eq=False)
class Imported:
    """An imported farm: the inventory, what became of it, and all findings, the worst first.

    ``files`` are the texts of the files of
    the scenario by name, without load. ``powers`` are those of ``groups``.
    """

    name: str
    inventory: Inventory
    groups: Sequence[HostGroup]
    powers: Sequence[GroupPower]
    clusters: Sequence[ClusterTotals]
    findings: Sequence[Finding]
    files: dict[str, str]
    load: MeasuredLoad | None = None

    @property
    def scopes(self) -> dict[Scope, int]:
        """How many VMs are in the plan, and how many were left out for each reason."""
        counts = Counter(vm.scope for vm in self.inventory.vms)
        return {scope: counts[scope] for scope in Scope if counts[scope] or scope is Scope.IN_PLAN}

    def worst(self, least: Severity = Severity.WARNING) -> list[Finding]:
        """Return the findings of at least a severity."""
        return [each for each in self.findings if _ORDER[each.severity] <= _ORDER[least]]


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings from errors to information, in their order otherwise, none twice."""
    return sorted(dict.fromkeys(findings), key=lambda each: _ORDER[each.severity])


def import_record(imported: Imported) -> dict[str, Any]:
    """Return the record of an import as plain values; what is not known is None."""
    inventory = imported.inventory
    plan = inventory.in_plan
    return {
        "schema_version": SCHEMA_VERSION,
        "name": imported.name,
        "inputs": [_input(each) for each in inventory.sources],
        "snapshots": [
            {
                "taken": each.taken.isoformat() if each.taken else None,
                "file": each.file,
                "vms": each.vms,
                "vm_cpu_mhz": each.vm_cpu_mhz,
                "host_cpu_mhz": each.host_cpu_mhz,
            }
            for each in inventory.snapshots
        ],
        "identity": inventory.identity,
        "counts": {
            "vms": len(inventory.vms),
            **{scope.value: count for scope, count in imported.scopes.items()},
            "hosts": len(inventory.hosts),
            "hosts_in_service": sum(host.in_service for host in inventory.hosts),
            "hosts_of_known_size": sum(is_sized(host) for host in inventory.hosts),
            "rules": len(inventory.rules),
            "series": len(inventory.series),
            "vcpus_in_plan": sum(vm.vcpus or 0 for vm in plan),
            "memory_mib_in_plan": added(vm.memory_mib or 0.0 for vm in plan),
        },
        "findings": [_finding(each) for each in imported.findings],
        "coverage": {
            "vms_in_plan": {name: _known(plan, name) for name in VM_FIELDS},
            "hosts": {name: _known(inventory.hosts, name) for name in HOST_FIELDS},
        },
        "clusters": [_cluster(each) for each in imported.clusters],
        "host_groups": [
            {
                "name": group.name,
                "cluster": group.cluster,
                "hosts": len(group.hosts),
                "assumed": group.assumed,
                "in_service": group.first.in_service,
                "cpu_model": group.first.cpu_model,
                "power_level": power.level or None,
                "power_basis": power.basis,
                "power_band": power.band,
                "extra_power_w": power.extra_w,
                "memory_overcommit": group.memory_overcommit,
            }
            for group, power in zip(imported.groups, imported.powers, strict=True)
        ],
        "load": _load(imported.load),
        "left_out": [
            {
                "vm": vm.key,
                "scope": vm.scope.value,
                "vcpus": vm.vcpus,
                "memory_mib": vm.memory_mib,
                "disk_mib": vm.disk_mib,
            }
            for vm in inventory.vms
            if vm.scope is not Scope.IN_PLAN
        ],
    }


def _input(source: Source) -> dict[str, Any]:
    """Return an input file as plain values."""
    return {
        "file": source.file,
        "sha256": source.sha256,
        "format": source.format,
        "dialect": source.dialect,
        "taken": source.taken.isoformat() if source.taken else None,
        "experimental": source.experimental,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain values."""
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "where": finding.where,
        "message": finding.message,
        "effect": finding.effect,
        "objects": list(finding.objects),
    }


def _known(objects: Sequence[Any], name: str) -> dict[str, int]:
    """Return of how many objects a field is known, and of how many it could be."""
    known = sum(1 for each in objects if getattr(each, name) is not None)
    return {"known": known, "of": len(objects)}


def _cluster(totals: ClusterTotals) -> dict[str, Any]:
    """Return the totals of a cluster; figures of capacity are None where there is a reason."""
    facts = asdict(totals)
    return facts | {"name": totals.name or NO_CLUSTER, "reason": totals.reason or None}


def _load(load: MeasuredLoad | None) -> dict[str, Any] | None:
    """Return how complete the measured load is."""
    if load is None:
        return None
    return {
        "start_s": load.start_s,
        "step_s": load.step_s,
        "steps": len(next(iter(load.mhz.values()), ())),
        "vms_measured": len(load.mhz) - len(load.constant),
        "vms_constant": len(load.constant),
        "coverage": {name: round(share, 4) for name, share in sorted(load.covered.items())},
    }
