"""Estimate the CPU use of VMs on hosts that have no row, from the rest of their cluster."""

from ...models.base.arrays import added
from ...models.base.lazy_dataclass import dataclass
from .inventory import Inventory, Scope, Vm
from .joins import Joins


@dataclass(frozen=True)
class CpuEstimate:
    """The VMs in the plan of one cluster whose hosts have no row, and what they use.

    ``cpu_mhz`` is None where nothing is known to estimate it from. ``mhz_per_vcpu`` is the use of
    the listed hosts of the cluster over the vCPUs of their VMs; with ``foreign``, that of all
    listed hosts, since the cluster has none.
    """

    cluster: str | None
    vms: tuple[Vm, ...]
    vcpus: int
    memory_mib: float
    mhz_per_vcpu: float | None
    cpu_mhz: float | None
    foreign: bool = False


def cpu_estimates(inventory: Inventory) -> list[CpuEstimate]:
    """Return an estimate for each cluster with hosts that have no row.

    VMs whose own use is known are left out: nothing is to be estimated.
    """
    joins = Joins(inventory)
    used: dict[str | None, float] = {}
    vcpus: dict[str | None, int] = {}
    for host in inventory.hosts:
        vms = [vm for vm in joins.vms_by_host[id(host)] if vm.scope is Scope.IN_PLAN]
        if host.cpu_used_mhz is not None and vms:
            used[host.cluster] = used.get(host.cluster, 0.0) + host.cpu_used_mhz
            vcpus[host.cluster] = vcpus.get(host.cluster, 0) + sum(vm.vcpus or 0 for vm in vms)
    everywhere = _rate(added(used.values()), sum(vcpus.values()))
    found = []
    for cluster, hosts in sorted(joins.missing_hosts.items(), key=lambda each: each[0] or ""):
        vms = [
            vm
            for held in hosts.values()
            for vm in held
            if vm.scope is Scope.IN_PLAN and vm.cpu_used_mhz is None
        ]
        if not vms:
            continue
        count = sum(vm.vcpus or 0 for vm in vms)
        own = _rate(used.get(cluster, 0.0), vcpus.get(cluster, 0))
        rate = own if own is not None else everywhere
        found.append(
            CpuEstimate(
                cluster,
                tuple(vms),
                count,
                added(vm.memory_mib or 0.0 for vm in vms),
                rate,
                None if rate is None else rate * count,
                foreign=own is None and rate is not None,
            )
        )
    return found


def _rate(mhz: float, vcpus: int) -> float | None:
    """Return the use of one vCPU; None if there is none."""
    return mhz / vcpus if vcpus else None
