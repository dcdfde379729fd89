"""Add up hosts and VMs by cluster: counts, capacity, use, and what is left if a host fails."""

from collections.abc import Sequence

from ...models.base.arrays import added
from ...models.base.lazy_dataclass import dataclass
from .inventory import Host, Inventory, Scope, Vm
from .joins import Joins, incomplete_clusters


@dataclass(frozen=True)
class ClusterTotals:
    """A cluster in numbers; ``name`` None is what stands in no cluster.

    VMs are those in the plan, capacities those of listed hosts in service. Shares are of 1, None
    where ``reason`` says why: a cluster whose hosts are not all known gets none of them.
    ``memory_n1`` is the configured memory of the VMs over what is left without the largest host.
    """

    name: str | None
    hosts_listed: int
    hosts_in_service: int
    hosts_missing: int
    vms_in_plan: int
    vms_without_host_row: int
    vms_of_unknown_size: int
    vcpus: int
    memory_mib: float
    cores: int | None = None
    cpu_mhz: float | None = None
    host_memory_mib: float | None = None
    cpu_used_mhz: float | None = None
    cpu_utilisation: float | None = None
    memory_utilisation: float | None = None
    memory_n1: float | None = None
    vcpus_per_core: float | None = None
    reason: str = ""


def cluster_totals(inventory: Inventory) -> list[ClusterTotals]:
    """Return the totals of each cluster, by name, what is in no cluster last."""
    joins = Joins(inventory)
    reasons = incomplete_clusters(inventory, joins)
    totals = (
        _totals(name, joins, joins.vms_by_cluster.get(name, ()), reasons.get(name, ""))
        for name in joins.clusters
    )
    return [each for each in totals if each.hosts_listed or each.vms_in_plan or each.hosts_missing]


def _totals(name: str | None, joins: Joins, vms: Sequence[Vm], reason: str) -> ClusterTotals:
    """Return the totals of one cluster."""
    listed = joins.hosts_in(name)
    serving = [host for host in listed if host.in_service]
    missing = joins.missing_hosts.get(name, {})
    lost = [vm for held in missing.values() for vm in held if vm.scope is Scope.IN_PLAN]
    vcpus = sum(vm.vcpus or 0 for vm in vms)
    memory = added(vm.memory_mib or 0.0 for vm in vms)
    cores = _whole(_sum([host.cores for host in serving]))
    cpu, room = _sum([host.cpu_mhz for host in serving]), _sum([h.memory_mib for h in serving])
    used = _cpu_used(serving, vms)
    if not reason and not serving:
        reason = "no host is in service"
    shown = not reason
    return ClusterTotals(
        name=name,
        hosts_listed=len(listed),
        hosts_in_service=len(serving),
        hosts_missing=len(missing),
        vms_in_plan=len(vms),
        vms_without_host_row=len(lost),
        vms_of_unknown_size=sum(vm.vcpus is None or vm.memory_mib is None for vm in vms),
        vcpus=vcpus,
        memory_mib=memory,
        cores=cores,
        cpu_mhz=cpu,
        host_memory_mib=room,
        cpu_used_mhz=used,
        cpu_utilisation=_ratio(used, cpu) if shown else None,
        memory_utilisation=_ratio(memory, room) if shown else None,
        memory_n1=_ratio(memory, _without_largest(serving)) if shown else None,
        vcpus_per_core=_ratio(float(vcpus), cores) if shown else None,
        reason=reason,
    )


def _cpu_used(hosts: Sequence[Host], vms: Sequence[Vm]) -> float | None:
    """Return the CPU that is used, as hosts state it, else as all VMs do; None if unknown."""
    by_host = _sum([host.cpu_used_mhz for host in hosts])
    return by_host if by_host is not None else _sum([vm.cpu_used_mhz for vm in vms])


def _without_largest(hosts: Sequence[Host]) -> float | None:
    """Return the memory that is left without the host that has most; None if unknown."""
    sizes = [host.memory_mib for host in hosts]
    total = _sum(sizes)
    return None if total is None else total - max(size or 0.0 for size in sizes)


def _sum(values: Sequence[float | None]) -> float | None:
    """Return a sum; None if a part of it is unknown, or if there are none."""
    known = [value for value in values if value is not None]
    return added(known) if values and len(known) == len(values) else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _ratio(part: float | None, whole: float | None) -> float | None:
    """Return a share; None if a number is unknown or the whole is nothing."""
    return None if part is None or not whole else part / whole
