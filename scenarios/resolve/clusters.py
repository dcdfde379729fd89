"""Resolve clusters: which groups of hosts and sizes of VM belong to each, and who may go where.

Hosts in no cluster, and the VMs that name none, are a pool of their own.
"""

from collections.abc import Sequence

import numpy as np

from ...models.base.arrays import Bools, Ints
from ..spec.farm import FarmPart, HostGroup
from .farm import numbering

NONE = -1
"""The cluster of hosts and VMs that belong to none."""


def cluster_names(farm: FarmPart) -> list[str]:
    """Return the names of the clusters, in the order in which they are written."""
    return [cluster.name for cluster in farm.clusters]


def cluster_of_groups(farm: FarmPart, groups: Sequence[HostGroup]) -> Ints:
    """Return the cluster of each group of hosts (groups,), NONE for one in no cluster."""
    number = {name: index for index, cluster in enumerate(farm.clusters) for name in cluster.hosts}
    return np.array([number.get(group.name, NONE) for group in groups], np.int64)


def cluster_of_hosts(farm: FarmPart) -> Ints:
    """Return the cluster of each host (hosts,), NONE for one in no cluster."""
    counts = np.array([group.count for group in farm.hosts])
    found: Ints = cluster_of_groups(farm, farm.hosts)[numbering(counts, farm.order)]
    return found


def cluster_of_names(farm: FarmPart, names: Sequence[str | None]) -> Ints:
    """Return the number of each named cluster (names,), NONE for None; all names must exist."""
    number = {name: index for index, name in enumerate(cluster_names(farm))}
    return np.array([NONE if name is None else number[name] for name in names], np.int64)


def allowed_by_cluster(farm: FarmPart, of_size: Ints, of_group: Ints) -> Bools:
    """Return allowed groups, (sizes, groups), from indices of clusters, NONE for none.

    A VM runs in its own cluster and in those of ``migrate_to``; one of no cluster on hosts of none.
    """
    names = cluster_names(farm)
    reach = np.eye(len(names) + 1, dtype=bool)
    for own, cluster in enumerate(farm.clusters):
        reach[own, [names.index(name) for name in cluster.migrate_to]] = True
    allowed: Bools = reach[np.ix_(of_size, of_group)]
    return allowed
