"""Resolve migration models, platforms and conversion.

Which model moves a VM depends on its size, on the group that it leaves and on both platforms.
"""

from collections.abc import Sequence

from ...models.hardware.cpu_features import ANY_CPU, CPU_BASELINES
from ...models.hypervisor.overheads import Platform as Layer
from ...models.migration.conversion import MigrationPlatform, NoConversion
from ...models.migration.fixed_rate import FixedRate
from ...models.migration.model_table import GroupEndpoint, MigrationModels
from ...models.workload.vm_size import VmSize
from ...policies.user_policies.guard import guarded
from ..spec.farm import HostGroup
from ..spec.spec import Spec


def migration_models(
    spec: Spec, groups: Sequence[HostGroup], layers: Sequence[Layer | None], sizes: Sequence[VmSize]
) -> MigrationModels:
    """Return how VMs of some sizes move between some groups of hosts.

    ``layers`` is what runs in each group; one without has the ideal hypervisor. A size's own model
    goes before that of the group, and that before the scenario's.
    """
    written = {size.name: size.migration for size in spec.workload.sizes}
    ends = [endpoint_of(group, layer, spec) for group, layer in zip(groups, layers, strict=True)]
    own = [guarded(written.get(size.name), "migration") for size in sizes]
    return MigrationModels(own, ends, spec.conversion, ported=spec.network.stated)


def endpoint_of(group: HostGroup, layer: Layer | None, spec: Spec) -> GroupEndpoint:
    """Return the properties of a group of hosts for migrations."""
    cpu = ANY_CPU if group.cpu_baseline is None else CPU_BASELINES[group.cpu_baseline]
    return GroupEndpoint(
        platform=MigrationPlatform(
            family="ideal" if layer is None else layer.hypervisor.family,
            stuck="" if layer is None else _stuck(layer),
            cpu_vendor=cpu.vendor,
            cpu_level=cpu.level,
        ),
        model=guarded(group.migration or spec.migration, "migration"),
        device=layer is not None and not layer.network_path.live_migration,
        detachable=group.passthrough_migration == "detach",
    )


def _stuck(layer: Layer) -> str:
    """Return what holds running VMs there: a device of the network can be detached, a disk not."""
    if not layer.hypervisor.live_migration:
        return layer.hypervisor.name
    path = layer.storage_path
    return "" if path.live_migration else f"{path.name} I/O"


def may_use_network(spec: Spec) -> bool:
    """Return whether a migration may use the network or its migration slots.

    False only where all models are at a fixed rate, nothing is said of the network and nothing is
    converted: the network then need not be built.
    """
    models = [spec.migration]
    models += [group.migration for group in spec.farm.hosts]
    models += [size.migration for size in spec.workload.sizes]
    plain = all(model is None or isinstance(model, FixedRate) for model in models)
    return not plain or spec.network.stated or not isinstance(spec.conversion, NoConversion)
