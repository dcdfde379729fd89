"""Build overhead tables from hypervisors, request classes and tenants.

The layer lies between hardware and VMs: what the hypervisor of each group of hosts costs VMs of
each size, which of them may be there, and what the paths of I/O carry.
"""

from collections.abc import Sequence

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ...models.base.estimates import Level
from ...models.base.lazy_dataclass import dataclass
from ...models.delivery.overhead_tables import Layer
from ...models.hypervisor.overheads import Device, Overheads, Platform, ceilings, overheads
from ...models.service.interference import HEADROOM, RESOURCES, Interference
from ...models.service.request_class import KINDS_OF_IO, RequestClass, request_class
from ...models.workload.vm_size import VmSize
from ...sim.records.ledgers import RequestLoad
from ..resolve.clusters import (
    allowed_by_cluster,
    cluster_names,
    cluster_of_groups,
    cluster_of_names,
)
from ..resolve.hypervisors import allowed_by_tenant, platform_of
from ..spec.farm import HostGroup
from ..spec.spec import Spec
from ..spec.workload import Size


@dataclass(frozen=True)
class Stack:
    """What runs what: a platform per group of hosts, a request class and a tenant per size.

    ``costs`` are the overheads of each size on each group, ``tenant_of_size`` (sizes,) positions in
    ``tenants`` (-1: none), likewise ``cluster_of_size`` and ``cluster_of_group`` (groups,) in
    ``clusters``, ``requests`` what response times are reckoned with, ``layer`` the
    columns that the farm delivers CPU through.
    """

    platforms: list[Platform]
    classes: list[RequestClass | None]
    costs: Overheads
    tenants: list[str]
    tenant_of_size: Ints
    clusters: list[str]
    cluster_of_size: Ints
    cluster_of_group: Ints
    requests: RequestLoad
    layer: Layer


def build_stack(
    spec: Spec,
    groups: Sequence[HostGroup],
    sizes: Sequence[VmSize],
    held: Sequence[Size | None],
) -> Stack:
    """Return the layer of a farm's groups for VMs of some sizes.

    ``held`` is what is written of each size, None where a trace brought it. Figures are those of
    the scenario's level of overheads.

    ``groups`` may be others than the scenario's, as for baselines. A size may be on a group if
    tenants and clusters allow it and the hypervisor's limits hold it; all are in
    ``layer.allowed`` (sizes, groups).
    """
    level = spec.overheads
    platforms = [platform_of(group, level) for group in groups]
    classes = [class_of(size, level) for size in held]
    costs = overheads(platforms, sizes, classes)
    tenants = [tenant.name for tenant in spec.tenants]
    of_size = np.array([_index(tenants, size.tenant if size else None) for size in held])
    of_group = np.array([_index(tenants, group.tenant) for group in groups])
    alone = [tenant.isolation == "dedicated" for tenant in spec.tenants]
    allowed = allowed_by_tenant(of_size, of_group, alone)
    farm = spec.farm
    in_cluster = cluster_of_names(farm, [size.cluster if size else None for size in held])
    group_cluster = cluster_of_groups(farm, groups)
    allowed &= allowed_by_cluster(farm, in_cluster, group_cluster)
    for row, size in enumerate(sizes):
        allowed[row] &= [platform.fits(size) for platform in platforms]
    layer = _layer(spec, groups, platforms, sizes, held, classes, costs, allowed)
    requests = RequestLoad(
        work_mhz_s=np.array([each.work_mhz_s if each else 0.0 for each in classes]),
        service_scv=np.array([each.service_cv**2 if each else 1.0 for each in classes]),
        latency_s=costs.latency_s,
    )
    return Stack(
        platforms=platforms,
        classes=classes,
        costs=costs,
        tenants=tenants,
        tenant_of_size=of_size,
        clusters=cluster_names(farm),
        cluster_of_size=in_cluster,
        cluster_of_group=group_cluster,
        requests=requests,
        layer=layer,
    )


def class_of(size: Size | None, level: Level) -> RequestClass | None:
    """Return what the requests of a size are made of, None where the module defines no class.

    A class of the catalogue has ranges; ``level`` says which bound is taken.
    """
    if size is None or size.request_class is None:
        return None
    if isinstance(size.request_class, RequestClass):
        return size.request_class
    return request_class(size.request_class, level)


def _index(names: list[str], name: str | None) -> int:
    """Return the position of a name, -1 for none."""
    return names.index(name) if name is not None else -1


def _layer(
    spec: Spec,
    groups: Sequence[HostGroup],
    platforms: list[Platform],
    sizes: Sequence[VmSize],
    held: Sequence[Size | None],
    classes: list[RequestClass | None],
    costs: Overheads,
    allowed: Bools,
) -> Layer:
    """Return the columns of a layer: of groups from their platforms, of sizes as they are written.

    A size that a trace brought has the default shares, no reservation and no limit.

    Arrays are (groups,) or (sizes,), those of pairs (sizes, groups). ``physical_mib`` is infinite
    where no more memory is promised than there is, so that nothing is ever swapped.
    """
    memory = [platform.hypervisor.memory for platform in platforms]
    promised = np.array([group.memory_overcommit for group in groups])
    free_mib = np.array([platform.memory_mib - platform.base_mib for platform in platforms])
    losses = [platform.hypervisor.cpu.coscheduling_loss for platform in platforms]
    nothing = np.zeros(len(KINDS_OF_IO))
    operations = [each.operations_per_mhz_s() if each else nothing for each in classes]
    return Layer(
        work_factor=costs.work_factor,
        extra_mib=costs.extra_mib,
        base_mhz=np.array([platform.base_mhz for platform in platforms]),
        app_mhz=_app_mhz(groups, platforms),
        contention_loss=np.array([platform.contention_loss for platform in platforms]),
        coscheduling_loss=np.array(losses),
        cores=np.array([float(platform.server.cores) for platform in platforms]),
        physical_mib=np.where(promised > 1.0, free_mib, np.inf),
        memory_reclaim=np.array([platform.memory_reclaim for platform in platforms]),
        swap_slowdown=np.array([each.swap_slowdown for each in memory]),
        operations=np.array(operations).T,
        ceilings=_ceilings(groups, platforms),
        allowed=allowed,
        one_guest=np.array([platform.hypervisor.kind == "none" for platform in platforms]),
        shares=_shares(held, sizes),
        reservation_mhz=np.array([each.reservation if each else 0.0 for each in held]),
        limit_mhz=np.array([(each.limit or np.inf) if each else np.inf for each in held]),
        fair=spec.service.sharing == "shares",
        interference=_interference(spec, classes),
    )


def _app_mhz(groups: Sequence[HostGroup], platforms: list[Platform]) -> Floats:
    """Return the CPU that other applications take on a host of each group, in MHz."""
    pairs = zip(groups, platforms, strict=True)
    return np.array(
        [group.host_applications * platform.server.cpu_mhz for group, platform in pairs]
    )


def _ceilings(groups: Sequence[HostGroup], platforms: list[Platform]) -> Floats:
    """Return what the I/O paths of a host can do, (kinds of I/O, groups).

    Storage is in operations per second, network in Mbit/s; a device without a limit has infinity.
    """
    devices = [
        Device(storage_ops=group.storage_iops or np.inf, network_mbps=group.network or np.inf)
        for group in groups
    ]
    found = [ceilings(*each) for each in zip(platforms, devices, strict=True)]
    return np.array(found).T


def _shares(held: Sequence[Size | None], sizes: Sequence[VmSize]) -> Floats:
    """Return the shares of a VM of each size: those of a vCPU, times its vCPUs."""
    pairs = zip(held, sizes, strict=True)
    return np.array([float((each.shares if each else 1000) * size.vcpus) for each, size in pairs])


def _interference(spec: Spec, classes: list[RequestClass | None]) -> Interference | None:
    """Return how VMs with a class slow each other; None where the scenario wants none.

    Sensitivity and pressure are (resources, sizes), headroom (resources,).
    """
    if not spec.service.interference:
        return None
    nothing = np.zeros(len(RESOURCES))
    return Interference(
        sensitivity=np.array([each.sensitivities() if each else nothing for each in classes]).T,
        pressure=np.array([each.pressures() if each else nothing for each in classes]).T,
        headroom=np.array(
            [HEADROOM[name].at(spec.overheads, more_costs=False) for name in RESOURCES]
        ),
    )
