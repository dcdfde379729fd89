"""The usual topologies of server farms as graphs, ready for :class:`.network.Network`.

Every function returns the graph and the nodes of its hosts; ``hosts`` is their number or their
names, ``capacity_mbps`` the bandwidth of each direction of a link, ``latency_s`` the one-way
latency of each link. Racks and leaves are numbered from 1 in the order of the hosts, as racks of
a farm are. Names of switches begin with ``switch:``, so that no host of a farm, whose
groups may well be called rack, is taken for one.
"""

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import networkx as nx

from ..hardware.racks_and_sites import numbered

Graph: TypeAlias = "nx.Graph[Hashable]"
Topology: TypeAlias = tuple[Graph, list[Hashable]]


def single_switch(
    hosts: int | Sequence[str], capacity_mbps: float, latency_s: float, switch: str = "switch:all"
) -> Topology:
    """All hosts at one switch."""
    names = _named(hosts)
    graph: Graph = nx.Graph()
    for name in names:
        graph.add_edge(name, switch, capacity_mbps=capacity_mbps, latency_s=latency_s)
    return graph, names


def two_tier(
    hosts: int | Sequence[str],
    hosts_per_rack: int,
    capacity_mbps: float,
    uplink_mbps: float,
    latency_s: float,
) -> Topology:
    """Racks at one core switch."""
    return _racks(
        _named(hosts),
        hosts_per_rack,
        "rack",
        ["switch:core"],
        capacity_mbps,
        uplink_mbps,
        latency_s,
    )


def leaf_spine(
    hosts: int | Sequence[str],
    hosts_per_leaf: int,
    spines: int,
    capacity_mbps: float,
    uplink_mbps: float,
    latency_s: float,
) -> Topology:
    """Leaves, each at every spine; raises ValueError for less than one spine."""
    if spines < 1:
        raise ValueError(f"spines is {spines}; at least 1 is needed to join the leaves")
    tops = [f"switch:spine-{index}" for index in range(spines)]
    return _racks(
        _named(hosts), hosts_per_leaf, "leaf", tops, capacity_mbps, uplink_mbps, latency_s
    )


def fat_tree(
    hosts: int | Sequence[str], capacity_mbps: float, latency_s: float, ports: int | None = None
) -> Topology:
    """k-ary fat tree; raises ValueError for an odd number of ports or one without room."""
    names = _named(hosts)
    smallest = next(k for k in range(2, 2 * len(names) + 4, 2) if k**3 // 4 >= len(names))
    k = smallest if ports is None else ports
    if k < smallest or k % 2:
        raise ValueError(
            f"ports is {k}; a fat tree of {len(names)} hosts needs an even number of ports, "
            f"at least {smallest}"
        )
    half = k // 2
    graph: Graph = nx.Graph()
    line = {"capacity_mbps": capacity_mbps, "latency_s": latency_s}
    for index, name in enumerate(names):
        pod, edge = index // half**2, index // half % half
        graph.add_edge(name, f"switch:pod-{pod}/edge-{edge}", **line)
    for pod in range(k):
        for upper in range(half):
            aggregation = f"switch:pod-{pod}/aggregation-{upper}"
            for lower in range(half):
                graph.add_edge(f"switch:pod-{pod}/edge-{lower}", aggregation, **line)
                graph.add_edge(aggregation, f"switch:core-{upper * half + lower}", **line)
    return graph, names


@dataclass(frozen=True)
class Site:
    """Hosts at one switch or, with ``hosts_per_rack``, in racks that each have an uplink to it.

    ``first_rack`` is the number of its first rack, ``racks`` how many there are at all sites
    (0: only these).
    """

    name: str
    hosts: Sequence[str]
    capacity_mbps: float
    latency_s: float
    hosts_per_rack: int = 0
    uplink_mbps: float = 0.0
    first_rack: int = 1
    racks: int = 0

    @property
    def switch(self) -> str:
        """The name of its switch."""
        return f"switch:{self.name}"

    def topology(self) -> Topology:
        """Return the site alone."""
        if not self.hosts_per_rack:
            return single_switch(self.hosts, self.capacity_mbps, self.latency_s, self.switch)
        return _racks(
            _named(self.hosts),
            self.hosts_per_rack,
            f"{self.name}/rack",
            [self.switch],
            self.capacity_mbps,
            self.uplink_mbps,
            self.latency_s,
            self.first_rack,
            self.racks,
        )


Line: TypeAlias = tuple[str, str, float, float]
"""Two sites by name, the bandwidth in Mbit/s of each direction between them, the latency in s."""


def linked_sites(sites: Iterable[Site], lines: Iterable[Line]) -> Topology:
    """Sites whose switches are joined by lines."""
    whole: Graph = nx.Graph()
    names: list[Hashable] = []
    for site in sites:
        graph, added = site.topology()
        whole.update(graph)
        names += added
    for one, other, capacity_mbps, latency_s in lines:
        whole.add_edge(
            f"switch:{one}", f"switch:{other}", capacity_mbps=capacity_mbps, latency_s=latency_s
        )
    return whole, names


def _racks(
    names: list[Hashable],
    per_rack: int,
    kind: str,
    tops: list[str],
    capacity_mbps: float,
    uplink_mbps: float,
    latency_s: float,
    first: int = 1,
    racks: int = 0,
) -> Topology:
    if per_rack < 1:
        raise ValueError(f"hosts per {kind} is {per_rack}; it must be at least 1")
    graph: Graph = nx.Graph()
    count = racks or math.ceil(len(names) / per_rack)
    for index, name in enumerate(names):
        switch = f"switch:{numbered(kind, first + index // per_rack, count)}"
        graph.add_edge(name, switch, capacity_mbps=capacity_mbps, latency_s=latency_s)
        if index % per_rack == 0:
            for top in tops:
                graph.add_edge(switch, top, capacity_mbps=uplink_mbps, latency_s=latency_s)
    return graph, names


def _named(hosts: int | Sequence[str]) -> list[Hashable]:
    names: list[Hashable] = (
        [f"host-{index}" for index in range(hosts)] if isinstance(hosts, int) else list(hosts)
    )
    if not names:
        raise ValueError("a network needs at least one host")
    return names
