"""Check migrations: VMs that cannot leave their hosts, and missing fields for conversion.

Levels of CPU features are checked always, the rest only where the control policy migrates VMs, and
told only where it concerns all VMs of a group: single migrations that are not possible are refused
in the run, with a reason.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from ...models.base.arrays import Bools
from ...models.hypervisor.overheads import Platform
from ...models.migration.conversion import FAMILIES, Conversion, NoConversion
from ...models.migration.model_table import MigrationModels
from ...models.workload.vm_size import VmSize
from ...policies.control.consolidation import name_of
from ...policies.control.control import migrates_vms
from ..language.fields import Fault
from ..resolve.migration import migration_models
from ..spec.spec import Spec


def faults_of_migration(
    spec: Spec, platforms: Sequence[Platform | None], allowed: Bools
) -> Iterator[Fault]:
    """Yield what does not go together between hypervisors, CPUs, sizes and migration models.

    ``platforms`` are those of the groups, None for the ideal hypervisor; ``allowed`` says which
    sizes may be on which groups.

    Places are below ``farm.hosts`` and ``workload.sizes``; nothing is yielded where every size may
    migrate between all groups.
    """
    faults = list(_baselines(spec))
    yield from faults
    if faults or not migrates_vms(spec.policies.control):
        return
    sizes = [VmSize(size.name, size.vcpus, size.clock, size.memory) for size in spec.workload.sizes]
    models = migration_models(spec, spec.farm.hosts, platforms, sizes)
    possible = models.table()
    if possible is not None:
        yield from _stuck(spec, platforms, allowed, possible, models)
        yield from _unknown(spec, platforms, possible, models)
    if isinstance(spec.conversion, Conversion):
        yield from _without_disk(spec, allowed, models)


def _baselines(spec: Spec) -> Iterator[Fault]:
    """Yield groups that state no level of CPU features although another does.

    The place is ``cpu_baseline`` of each group that states none.
    """
    stated = [group.name for group in spec.farm.hosts if group.cpu_baseline is not None]
    for index, group in enumerate(spec.farm.hosts):
        if stated and group.cpu_baseline is None:
            message = (
                f"group {stated[0]} has a cpu_baseline and {group.name} has none, so it is unknown "
                "whether VMs can migrate between them; set one for every group, or for none"
            )
            yield ("farm", "hosts", index, "cpu_baseline"), message


def _stuck(
    spec: Spec,
    platforms: Sequence[Platform | None],
    allowed: Bools,
    possible: Bools,
    models: MigrationModels,
) -> Iterator[Fault]:
    """Yield groups that none of the VMs there could leave even for a host like theirs.

    Without one, a group whose VMs have nowhere to go, if that holds for all groups. ``allowed`` and
    ``possible`` are (sizes, groups) and (sizes, groups, groups).

    A group of a single host has no host like its own, which ``apart`` accounts for.
    """
    hosts = spec.farm.hosts
    apart = ~np.eye(len(hosts), dtype=bool) | [[group.count > 1] for group in hosts]
    meet = allowed[:, :, None] & allowed[:, None, :]
    told = False
    for left in range(len(hosts)):
        sizes = np.flatnonzero(allowed[:, left])
        if len(sizes) and not (possible & meet)[:, left].any():
            told = True
            size, to = int(sizes[0]), left
            yield _fault(spec, platforms[left], left, models.reason(size, left, to))
    pairs = np.argwhere(meet & apart).tolist()
    if not told and pairs and not (possible & meet & apart).any():
        size, left, to = pairs[-1]
        yield _fault(spec, platforms[left], left, models.reason(size, left, to))


def _fault(spec: Spec, platform: Platform | None, left: int, reason: str) -> Fault:
    """Return that VMs cannot leave a group, at the field that holds them there.

    ``left`` is the number of the group, ``reason`` what the migration models say. The message names
    the control policies that need no migration, and what would make one possible.
    """
    name = "ideal" if platform is None else platform.hypervisor.name
    message = (
        f"VMs cannot leave {name} in group {spec.farm.hosts[left].name}: {reason}; "
        f"policies.control {name_of(spec.policies.control)} migrates VMs; set control: none or "
        f"power_proportional, or {_remedy(platform, spec)}"
    )
    return ("farm", "hosts", left, _field(platform)), message


def _field(platform: Platform | None) -> str:
    """Return the field of a group that keeps running VMs from leaving.

    A path of I/O is named only where the hypervisor itself can migrate running VMs.
    """
    if platform is not None and platform.hypervisor.live_migration:
        if not platform.storage_path.live_migration:
            return "storage_path"
        if not platform.network_path.live_migration:
            return "network_path"
    return "hypervisor"


def _remedy(platform: Platform | None, spec: Spec) -> str:
    """Return what would let VMs leave a group."""
    if _field(platform) == "network_path":
        return "set passthrough_migration: detach with a model that copies memory, or change this"
    if isinstance(spec.conversion, NoConversion):
        return "set conversion: cold, or change this"
    return "change this"


def _unknown(
    spec: Spec, platforms: Sequence[Platform | None], possible: Bools, models: MigrationModels
) -> Iterator[Fault]:
    """Yield groups whose hypervisor family has no known migration to others.

    The place is ``hypervisor`` of the group. Only FAMILIES have a known conversion.
    """
    if isinstance(spec.conversion, NoConversion):
        return
    for left, platform in enumerate(platforms):
        if platform is None or platform.hypervisor.family in FAMILIES:
            continue
        barred = np.argwhere(~possible[:, left]).tolist()
        reasons = [models.reason(size, left, to) for size, to in barred]
        if reasons:
            yield ("farm", "hosts", left, "hypervisor"), f"{reasons[0]}; or set conversion: none"


def _without_disk(spec: Spec, allowed: Bools, models: MigrationModels) -> Iterator[Fault]:
    """Yield sizes whose VMs may be converted and have no disk that this could take time for.

    The place is ``disk`` of the size. A conversion copies the disk, so that without a size it would
    take no time. Sizes of a trace are not known yet and are left out.
    """
    groups = range(len(spec.farm.hosts))
    if spec.workload.sizes_from_file:
        return
    for index, size in enumerate(spec.workload.sizes):
        if size.disk or size.count == 0:
            continue
        pairs = [
            (left, to) for left, to in product(groups, groups) if allowed[index, [left, to]].all()
        ]
        if any(isinstance(models.of(index, *pair), Conversion) for pair in pairs):
            message = (
                f"VMs of size {size.name} may be converted to another platform, which copies their "
                "disk, but have no disk; set its size, or conversion: none"
            )
            yield ("workload", "sizes", index, "disk"), message
