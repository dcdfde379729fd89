"""Common data-centre topologies as graphs for :class:`.network.Network`.

Every function returns the graph and the nodes of its hosts; ``hosts`` is their number or their
names, ``capacity_mbps`` the bandwidth of each direction of a link, ``latency_s`` the one-way
latency of each link. Racks and leaves are numbered from 1 in the order of the hosts, as racks of
a farm are. Names of switches begin with ``switch:``, so that no host of a farm, whose
groups may well be called rack, is taken for one.
"""

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

import networkx as nx

from ..base.lazy_dataclass import dataclass
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
    """Racks at one core switch; raises ValueError for less than one host per rack."""
    links = _RackLinks(capacity_mbps, uplink_mbps, latency_s)
    return _racks(_named(hosts), _Racks("rack", hosts_per_rack), ["switch:core"], links)


def leaf_spine(
    hosts: int | Sequence[str],
    hosts_per_leaf: int,
    spines: int,
    capacity_mbps: float,
    uplink_mbps: float,
    latency_s: float,
) -> Topology:
    """Leaves, each at every spine.

    Raises ValueError for less than one spine, or less than one host per leaf.
    """
    if spines < 1:
        raise ValueError(f"spines is {spines}; at least 1 is needed to join the leaves")
    tops = [f"switch:spine-{index}" for index in range(spines)]
    links = _RackLinks(capacity_mbps, uplink_mbps, latency_s)
    return _racks(_named(hosts), _Racks("leaf", hosts_per_leaf), tops, links)


def fat_tree(
    hosts: int | Sequence[str], capacity_mbps: float, latency_s: float, ports: int | None = None
) -> Topology:
    """k-ary fat tree (Al-Fares et al., SIGCOMM 2008), filled from its first pod on.

    ``ports`` of a switch is k, by default the smallest that connects all hosts. Raises ValueError
    for an odd number of ports or one too small.
    """
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
        racks = _Racks(f"{self.name}/rack", self.hosts_per_rack, self.first_rack, self.racks)
        links = _RackLinks(self.capacity_mbps, self.uplink_mbps, self.latency_s)
        return _racks(_named(self.hosts), racks, [self.switch], links)


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


class _Racks(NamedTuple):
    """Names and size of racks: ``first`` is the number of the first, of ``total``."""

    kind: str
    hosts: int
    first: int = 1
    total: int = 0


class _RackLinks(NamedTuple):
    """Bandwidth of the links of hosts and of racks, and the latency in s of each link."""

    capacity_mbps: float
    uplink_mbps: float
    latency_s: float


def _racks(names: list[Hashable], racks: _Racks, tops: list[str], links: _RackLinks) -> Topology:
    """Hosts in racks, each rack's switch with one uplink to every top switch."""
    if racks.hosts < 1:
        raise ValueError(f"hosts per {racks.kind} is {racks.hosts}; it must be at least 1")
    graph: Graph = nx.Graph()
    count = racks.total or math.ceil(len(names) / racks.hosts)
    port = {"capacity_mbps": links.capacity_mbps, "latency_s": links.latency_s}
    uplink = {"capacity_mbps": links.uplink_mbps, "latency_s": links.latency_s}
    for index, name in enumerate(names):
        switch = f"switch:{numbered(racks.kind, racks.first + index // racks.hosts, count)}"
        graph.add_edge(name, switch, **port)
        if index % racks.hosts == 0:
            for top in tops:
                graph.add_edge(switch, top, **uplink)
    return graph, names


def _named(hosts: int | Sequence[str]) -> list[Hashable]:
    names: list[Hashable] = (
        [f"host-{index}" for index in range(hosts)] if isinstance(hosts, int) else list(hosts)
    )
    if not names:
        raise ValueError("a network needs at least one host")
    return names
