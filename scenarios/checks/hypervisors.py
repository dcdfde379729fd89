"""Check where VMs may run, and whether they fit.

Checked one after another: tenants that exist, a group of hosts for every VM, hypervisors that leave
memory, migrations that are possible, sizes that fit, reservations that can be honoured.
"""

from collections.abc import Iterator

import numpy as np

from ...models.base.arrays import Bools, added
from ...models.base.catalogue import traces
from ...models.base.lazy_dataclass import dataclass
from ...models.hypervisor.overheads import Platform
from ...models.hypervisor.profiles import vm_overhead_mib
from ...models.workload.vm_size import VmSize, counts_from_shares
from ..errors.suggest import unknown_name
from ..language.fields import Fault
from ..language.units import write
from ..resolve.clusters import allowed_by_cluster, cluster_of_groups, cluster_of_names
from ..resolve.hypervisors import allowed_by_tenant, platform_of, server_of
from ..spec.farm import HostGroup
from ..spec.spec import Spec
from ..spec.workload import Resampled, Size
from ..traces.demand_tables import Shipped
from .clusters import faults_of_clusters
from .migration import faults_of_migration

IDEAL = "ideal"


@dataclass(frozen=True)
class _Host:
    """Capacity of a host for VMs; no platform if the hypervisor has no overhead.

    ``cpu_mhz`` is what may be promised, ``free_mhz`` what is left when the hypervisor has taken its
    own, ``core_mhz`` the clock of a core.

    All figures are for one host; those of the hypervisor are at the level of ``overheads``.
    """

    group: HostGroup
    platform: Platform | None
    server: str
    hypervisor: str
    cpu_mhz: float
    core_mhz: float
    free_mhz: float
    free_mib: float
    """Memory without what the hypervisor takes for itself; 0 or less if it takes all."""

    @property
    def memory_mib(self) -> float:
        """Memory that VMs may be promised, overcommit included."""
        return self.free_mib * self.group.memory_overcommit


def faults_of_hypervisors(spec: Spec) -> list[Fault]:
    """Return what does not go together between hosts, VMs, tenants and policies.

    Where tenants or clusters are named that do not exist, nothing else is checked.

    Faults are in the order in which they were looked for, places from the top of the scenario.
    ``spec`` is one whose parts are right by themselves.
    """
    faults = [*_unknown_tenants(spec), *faults_of_clusters(spec)]
    if faults:
        return faults
    hosts = [_host(group, spec) for group in spec.farm.hosts]
    tenants, clusters = _allowed_by_tenant(spec), _allowed_by_cluster(spec)
    allowed = tenants & clusters
    homeless = [*_no_group_left(spec, tenants), *_no_cluster_left(spec, tenants, clusters)]
    return [
        *homeless,
        *_overfull(hosts),
        *faults_of_migration(spec, [host.platform for host in hosts], allowed),
        *_too_large_sizes(spec, hosts, allowed),
        *_reservations(spec, hosts),
    ]


def _host(group: HostGroup, spec: Spec) -> _Host:
    """Return what a host of a group has for VMs, in MHz and MiB.

    Simultaneous multithreading adds its gain to what may be promised; the hypervisor's own CPU and
    memory are taken from what is free.
    """
    server = server_of(group)
    # Reading the catalogue of hypervisors takes time that most scenarios need not spend.
    platform = None if group.hypervisor == IDEAL else platform_of(group, spec.overheads)
    cpu_mhz = server.cpu_mhz * (1.0 + group.smt_gain)
    memory_mib = group.memory or server.memory_mib
    return _Host(
        group=group,
        platform=platform,
        server=server.id,
        hypervisor=IDEAL if platform is None else platform.hypervisor.name,
        cpu_mhz=cpu_mhz,
        core_mhz=server.core_mhz,
        free_mhz=cpu_mhz - (platform.base_mhz if platform else 0.0),
        free_mib=memory_mib - (platform.base_mib if platform else 0.0),
    )


def _unknown_tenants(spec: Spec) -> Iterator[Fault]:
    """Unknown tenants, and dedicated hosts of tenants without VMs.

    Yield a fault per group, size or source of arrivals. With arrivals every tenant may own VMs,
    since the file names them.
    """
    known = [tenant.name for tenant in spec.tenants]
    arrivals = spec.workload.arrivals
    owners = {size.tenant for size in spec.workload.known_sizes}
    if arrivals is not None:  # of which VM belongs to whom the file knows more
        owners |= {*known, arrivals.tenant}
    for index, group in enumerate(spec.farm.hosts):
        place = ("farm", "hosts", index, "tenant")
        if group.tenant is None:
            continue
        if group.tenant not in known:
            yield place, _no_tenant(group.tenant, known)
        elif group.tenant not in owners:
            message = (
                f"no VM size belongs to {group.tenant}, so these hosts would never be used; set "
                "the tenant of a size, or remove it here"
            )
            yield place, message
    for index, size in enumerate(spec.workload.known_sizes):
        if size.tenant is not None and size.tenant not in known:
            place = ("workload", "sizes", index, "tenant")
            yield place, _no_tenant(size.tenant, known)
    if arrivals is not None and arrivals.tenant is not None and arrivals.tenant not in known:
        yield ("workload", "arrivals", "tenant"), _no_tenant(arrivals.tenant, known)


def _no_tenant(name: str, known: list[str]) -> str:
    """Say that a tenant does not exist."""
    if known:
        return unknown_name("tenant", name, known)
    return f"there is no tenant {name!r}; define it under tenants:"


def _allowed_by_tenant(spec: Spec) -> Bools:
    """Return groups allowed by tenants, (sizes, groups); with arrivals a row for none and each.

    Sizes of arrivals are not known before the source has been read; their tenants are. VMs of a
    table have none.
    """
    names = [tenant.name for tenant in spec.tenants]

    def index(name: str | None) -> int:
        """Return the position of a tenant, -1 for none."""
        return -1 if name is None else names.index(name)

    owners = [size.tenant for size in spec.workload.known_sizes]
    if spec.workload.arrivals is not None:
        owners = [None, *names]
    elif spec.workload.vms_file is not None:
        owners = [None]
    return allowed_by_tenant(
        np.array([index(owner) for owner in owners]),
        np.array([index(group.tenant) for group in spec.farm.hosts]),
        [tenant.isolation == "dedicated" for tenant in spec.tenants],
    )


def _allowed_by_cluster(spec: Spec) -> Bools:
    """Return groups allowed by clusters, rows as those of tenants; arrivals are in one cluster."""
    arrivals, farm = spec.workload.arrivals, spec.farm
    if spec.workload.vms_file is not None:  # each row names its own
        return np.ones((1, len(farm.hosts)), bool)
    named = [size.cluster for size in spec.workload.known_sizes]
    if arrivals is not None:
        named = [arrivals.cluster] * (1 + len(spec.tenants))
    return allowed_by_cluster(
        farm, cluster_of_names(farm, named), cluster_of_groups(farm, farm.hosts)
    )


def _no_group_left(spec: Spec, allowed: Bools) -> Iterator[Fault]:
    """Tenants, or VMs without a tenant, for which there is no group of hosts.

    A tenant is told once, at its ``isolation`` or its ``name``, whichever has to change; VMs
    without a tenant at their size.
    """
    names = [tenant.name for tenant in spec.tenants]
    told: set[str | None] = set()
    for index, size in enumerate(spec.workload.known_sizes):
        if allowed[index].any() or size.count == 0 or size.tenant in told:
            continue
        told.add(size.tenant)
        if size.tenant is None:
            message = (
                f"VMs of size {size.name} have no tenant, but every group of hosts is dedicated to "
                "one; set their tenant, or leave one group shared"
            )
            yield ("workload", "sizes", index), message
            continue
        alone = spec.tenants[names.index(size.tenant)].isolation == "dedicated"
        why = (
            f"{size.tenant} requires dedicated hosts, but no group is dedicated to it"
            if alone
            else f"every group of hosts is dedicated to a tenant other than {size.tenant}"
        )
        remedy = f"write tenant: {size.tenant} at a group of hosts"
        remedy += ", or isolation: shared here" if alone else ", or leave one group shared"
        field = "isolation" if alone else "name"
        yield ("tenants", names.index(size.tenant), field), f"{why}; {remedy}"


def _no_cluster_left(spec: Spec, tenants: Bools, clusters: Bools) -> Iterator[Fault]:
    """Yield VMs for which their cluster leaves no group of hosts that their tenant may use."""
    names = ", ".join(cluster.name for cluster in spec.farm.clusters)
    arrivals = spec.workload.arrivals
    if arrivals is not None and not clusters[0].any():
        message = f"is missing: every group of hosts is in a cluster; write one of {names}"
        yield ("workload", "arrivals", "cluster"), message
    for index, size in enumerate(spec.workload.known_sizes):
        place = ("workload", "sizes", index)
        what = "VMs" if spec.workload.sizes_from_file else f"VMs of size {size.name}"
        if size.count == 0 or not tenants[index].any():
            continue
        if not clusters[index].any():
            message = (
                f"{what} belong to no cluster, but every group of hosts is in one; write cluster: "
                f"with one of {names}, or leave a group of hosts out of all clusters"
            )
            yield place, message
        elif not (tenants[index] & clusters[index]).any():
            where = f"cluster {size.cluster}" if size.cluster else "the hosts of no cluster"
            whose = f"VMs of {size.tenant}" if size.tenant else "VMs without a tenant"
            message = (
                f"no group of hosts in {where} is open to {whose}; change the tenant of a group "
                "there, or the cluster here"
            )
            yield (*place, "cluster" if size.cluster else "tenant"), message


def _overfull(hosts: list[_Host]) -> Iterator[Fault]:
    """Yield groups whose hypervisor takes all memory of the host.

    The place is the memory of the group if it was written, else its hypervisor.
    """
    for index, host in enumerate(hosts):
        if host.platform is None or host.free_mib > 0:
            continue
        needs, memory = host.platform.base_mib, host.platform.memory_mib
        field = "memory" if host.group.memory is not None else "hypervisor"
        message = (
            f"{host.hypervisor} takes {needs:g} MiB for itself, but the host has only {memory:g} "
            f"MiB; give it more than {write(needs, 'memory')}, or use a hypervisor that needs less"
        )
        yield ("farm", "hosts", index, field), message


def _too_large_sizes(spec: Spec, hosts: list[_Host], allowed: Bools) -> Iterator[Fault]:
    """Sizes of VM that no host could ever hold.

    Nothing is refused where VMs that fit nowhere may be rejected, or where sizes come with a trace,
    which is read later. Sizes without a VM do not count. The message gives the reason of each
    group, at most four of them.
    """
    if spec.policies.initial.unplaced == "reject" or spec.workload.sizes_from_file:
        return
    for index, size in enumerate(spec.workload.known_sizes):
        vms = size.share * spec.workload.vms if size.share and spec.workload.vms else 1.0
        if size.count == 0 or vms < 1 or not allowed[index].any():
            continue
        reasons = [
            _too_small(host, size, spec) if may else _closed(host, size, spec)
            for host, may in zip(hosts, allowed[index], strict=True)
        ]
        if all(reasons):
            told = [
                f"group {host.group.name} ({host.server}, {host.hypervisor}) {reason}"
                for host, reason in zip(hosts, reasons, strict=True)
            ]
            message = (
                f"VMs of size {size.name} ({size.vcpus} vCPUs of {size.clock:g} MHz, "
                f"{size.memory / 1024:g} GiB) fit no host: "
                f"{'; '.join(told[:4])}{'; …' if len(told) > 4 else ''}; use larger hosts or "
                "smaller VMs, or set policies.initial.unplaced: reject"
            )
            yield ("workload", "sizes", index), message


def _closed(host: _Host, size: Size, spec: Spec) -> str:
    """Return why VMs of a size may not be on hosts of a group: its cluster, or its tenant."""
    clusters = spec.farm.clusters
    own = next((each for each in clusters if host.group.name in each.hosts), None)
    goes = next((each.migrate_to for each in clusters if each.name == size.cluster), ())
    if (own.name if own else None) not in (size.cluster, *goes):
        return f"is in {f'cluster {own.name}' if own else 'no cluster'}"
    return f"is dedicated to {host.group.tenant or 'another tenant'}"


def _too_small(host: _Host, size: Size, spec: Spec) -> str:
    """Return why a host can never hold a VM of a size; empty if it can.

    Looked at in turn: limits of the hypervisor, memory with what the hypervisor adds per VM, CPU,
    speed of a core. The last two count only where VMs are placed by size: by demand nobody knows
    beforehand what they ask for.
    """
    initial = spec.policies.initial
    own_mhz, needed_mib = size.vcpus * size.clock, size.memory
    if host.platform is not None:
        costs = host.platform.hypervisor
        if not host.platform.fits(VmSize(size.name, size.vcpus, size.clock, size.memory)):
            return (
                f"allows a VM {costs.max_vcpus_per_vm:g} vCPUs and "
                f"{costs.max_memory_gib_per_vm:g} GiB at most"
            )
        needed_mib += vm_overhead_mib(costs.memory, size.memory, size.vcpus)
    if needed_mib > host.memory_mib:
        return f"has {host.memory_mib / 1024:.4g} GiB for VMs of the {needed_mib / 1024:.4g} needed"
    if initial.count_by == "size" and own_mhz > host.cpu_mhz * initial.cpu_overcommit:
        return f"has {host.cpu_mhz * initial.cpu_overcommit:g} MHz to allocate"
    slow = spec.policies.slow_cores == "refuse" and size.clock > host.core_mhz
    return f"has cores of {host.core_mhz:g} MHz" if slow and initial.count_by == "size" else ""


def _reservations(spec: Spec, hosts: list[_Host]) -> Iterator[Fault]:
    """Reservations that all hosts together could not honour.

    A necessary condition only: reservations that sum to less may still not be divided among hosts;
    that is found as the run is built. The place is ``workload.sizes``.
    """
    sizes = spec.workload.known_sizes
    if spec.service.sharing != "shares" or not any(size.reservation for size in sizes):
        return
    counts = _counts(spec)
    reserved_mhz = added(n * size.reservation for n, size in zip(counts, sizes, strict=True))
    given_mhz = added(host.group.count * host.free_mhz for host in hosts)
    if reserved_mhz > given_mhz:
        message = (
            f"the reservations sum to {reserved_mhz:g} MHz, but all hosts together have "
            f"{given_mhz:g} MHz; reserve less or add hosts"
        )
        yield ("workload", "sizes"), message


def _counts(spec: Spec) -> list[int]:
    """Return the number of VMs of each size; 0 if only a trace file determines it.

    The list has one entry per size in the order of the workload.
    """
    part = spec.workload
    if part.sizes[0].count is not None:
        return [size.count or 0 for size in part.sizes]
    count = part.vms
    if count is None:
        source = part.source.trace if isinstance(part.source, Resampled) else part.source
        count = traces()[source.name].vms if isinstance(source, Shipped) else 0
    shares = np.array([size.share or 1.0 / len(part.sizes) for size in part.sizes])
    counts: list[int] = counts_from_shares(shares, count).tolist()
    return counts
