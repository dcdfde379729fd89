"""Check clusters: their names, their groups of hosts, and who names them."""

from collections.abc import Iterator

from ..errors.suggest import unknown_name
from ..language.fields import Fault
from ..resolve.clusters import cluster_names
from ..spec.planning import NO_CLUSTER, WHOLE
from ..spec.spec import Spec


def faults_of_clusters(spec: Spec) -> Iterator[Fault]:
    """Yield what is wrong with clusters: groups that do not exist or are in two, unknown names."""
    names = cluster_names(spec.farm)
    groups = [group.name for group in spec.farm.hosts]
    home: dict[str, str] = {}
    for index, cluster in enumerate(spec.farm.clusters):
        place = ("farm", "clusters", index)
        if cluster.name in names[:index]:
            message = f"{cluster.name!r} is the name of two clusters; make the names unique"
            yield (*place, "name"), message
        for at, group in enumerate(cluster.hosts):
            if group not in groups:
                yield (*place, "hosts", at), unknown_name("group of hosts", group, groups)
            elif group in home:
                message = (
                    f"{group} is already in cluster {home[group]}; a group of hosts belongs to one "
                    "cluster at most; remove it from one of them"
                )
                yield (*place, "hosts", at), message
            home.setdefault(group, cluster.name)
        for at, other in enumerate(cluster.migrate_to):
            if other not in names:
                yield (*place, "migrate_to", at), unknown_name("cluster", other, names)
            elif other == cluster.name:
                message = "VMs of a cluster always migrate within it; remove its own name"
                yield (*place, "migrate_to", at), message
    yield from _of_vms(spec, names)
    planned = [*names, NO_CLUSTER] if names else [WHOLE]
    for index, name in enumerate(spec.planning.incomplete_clusters if spec.planning else ()):
        if name not in planned:
            yield ("planning", "incomplete_clusters", index), _no_cluster(name, names and planned)


def _of_vms(spec: Spec, names: list[str]) -> Iterator[Fault]:
    """Yield clusters that sizes or arrivals name and that do not exist."""
    for index, size in enumerate(spec.workload.known_sizes):
        if size.cluster is not None and size.cluster not in names:
            yield ("workload", "sizes", index, "cluster"), _no_cluster(size.cluster, names)
    arrivals = spec.workload.arrivals
    if arrivals is not None and arrivals.cluster is not None and arrivals.cluster not in names:
        yield ("workload", "arrivals", "cluster"), _no_cluster(arrivals.cluster, names)


def _no_cluster(name: str, known: list[str]) -> str:
    """Say that a cluster does not exist."""
    if known:
        return unknown_name("cluster", name, known)
    return f"there is no cluster {name!r}; define it under farm.clusters"
