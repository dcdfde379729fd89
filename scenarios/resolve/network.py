"""Resolve the network of a scenario to links and routes.

Used twice: to check a layout before a run, and to make what the run's migrations send over.
"""

from collections.abc import Hashable

from ...models.network.network import Network
from ..spec.network import (
    UPLINK_MBPS,
    FatTree,
    LeafSpine,
    SingleSwitch,
    Sites,
    Topology,
    TwoTier,
)
from .racks import hosts_of_sites, racks_of_sites


def network_of(
    layout: Topology,
    hosts: list[str],
    groups: list[str],
    hosts_per_rack: int | None,
) -> Network:
    """Return the links and routes between hosts, given the group of each.

    ``hosts`` and ``groups`` are in the order of the farm. ``hosts_per_rack`` is that of the farm,
    for sites whose layout has no racks. Raises ValueError if layout and hosts do not fit.
    """
    if isinstance(layout, SingleSwitch):
        return Network.single_switch(hosts, layout.port, layout.latency)
    if isinstance(layout, TwoTier):
        return Network.two_tier(
            hosts, layout.hosts_per_rack, layout.port, layout.uplink, layout.latency
        )
    if isinstance(layout, LeafSpine):
        return Network.leaf_spine(
            hosts, layout.hosts_per_leaf, layout.spines, layout.port, layout.uplink, layout.latency
        )
    if isinstance(layout, FatTree):
        return Network.fat_tree(hosts, layout.port, layout.latency, layout.ports)
    if isinstance(layout, Sites):
        return _of_sites(layout, hosts, groups, hosts_per_rack)
    import networkx as nx  # noqa: PLC0415 - slow to start; few commands need it

    graph: nx.Graph[Hashable] = nx.Graph()
    graph.add_nodes_from(hosts)
    for link in layout.links:
        one, other = link.between
        graph.add_edge(one, other, capacity_mbps=link.bandwidth, latency_s=link.latency)
    return Network.from_graph(graph, hosts)


def _of_sites(
    layout: Sites, hosts: list[str], groups: list[str], hosts_per_rack: int | None
) -> Network:
    """Return the links and routes of several sites and the lines between them.

    Raises ValueError if the sites together must contain every host of the farm exactly once.
    """
    from ...models.network import topologies  # noqa: PLC0415 - NetworkX is slow to start

    places = hosts_of_sites(layout, groups)
    if places is None:
        raise ValueError("the sites together must contain every host of the farm exactly once")
    rack = racks_of_sites(layout, places, hosts_per_rack)
    made = []
    for site, rows in zip(layout.sites, places, strict=True):
        here = [hosts[row] for row in rows.tolist()]
        uplink_mbps = site.uplink or UPLINK_MBPS
        first, racks = int(rack[rows[0]]) + 1, int(rack.max()) + 1
        made.append(
            topologies.Site(
                site.name,
                here,
                site.port,
                site.latency,
                site.hosts_per_rack or 0,
                uplink_mbps,
                first,
                racks,
            )
        )
    lines = [
        (line.between[0], line.between[1], line.bandwidth, line.latency) for line in layout.lines
    ]
    graph, _ = topologies.linked_sites(made, lines)
    return Network.from_graph(graph, hosts)
