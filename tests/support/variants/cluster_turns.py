"""Cases that turn the fields of clusters."""

from typing import Any

Changes = dict[str, Any]
Turns = dict[str, tuple[Changes, Changes]]


def clustered(sizes: list[Changes], own: str = "p", *clusters: Changes) -> Changes:
    """VMs of the first size in a cluster of the first group, others on the second group."""
    return {
        "farm.clusters": list(clusters) or [{"name": own, "hosts": ["x"]}],
        "workload.sizes": [sizes[0] | {"cluster": own}, *sizes[1:]],
        "run.duration": "20 min",
        "baseline": {"type": "none"},
    }


RACKED: Changes = {
    "farm.hosts_per_rack": 4, "run.duration": "20 min", "baseline": {"type": "none"},
    "policies.initial": {"unplaced": "reject", "cpu_overcommit": 2},
}  # fmt: skip
RACK_TURNS: Turns = {
    "farm.rack_power_limit": (
        RACKED | {"farm.rack_power_limit": "5 kW"}, RACKED | {"farm.rack_power_limit": "400 W"},
    ),
}  # fmt: skip


def cluster_turns(sizes: list[Changes]) -> Turns:
    """Return the turns; the farm has groups x and y, ``sizes`` are two."""
    everything = {"name": "p", "hosts": ["x", "y"]}
    both = [size | {"cluster": "p"} for size in sizes]
    first, second = {"name": "p", "hosts": ["x"]}, {"name": "q", "hosts": ["y"]}
    apart = clustered(sizes, "p", first, second)
    apart["workload.sizes"][1] = sizes[1] | {"cluster": "q"}
    tight = {"farm.hosts.0.count": 1, "farm.hosts.0.memory": "16 GiB"}
    return RACK_TURNS | {
        "farm.clusters[].name": (clustered(sizes), clustered(sizes, "q")),
        "farm.clusters[].hosts": (
            clustered(sizes) | {"workload.sizes": both},
            clustered(sizes, "p", everything) | {"workload.sizes": both},
        ),
        "farm.clusters[].migrate_to": (
            apart | tight,
            apart | tight | {"farm.clusters": [first | {"migrate_to": ["q"]}, second]},
        ),
        "workload.sizes[].cluster": (
            clustered(sizes, "p", everything) | {"workload.sizes": both},
            clustered(sizes, "p", everything)
            | {"workload.sizes": [both[0], sizes[1]], "farm.clusters": [first]},
        ),
    }
