"""The network of a scenario becomes links and routes."""

from collections.abc import Hashable

from ..models.columns import Hosts
from ..models.migration import FixedRate
from ..models.network import Network
from ..models.transport import TRANSPORTS, Transport
from ..sim.network_migration import CourseModel, NetworkSetup
from .problems import refuse
from .scenario import Scenario
from .spec_network import FatTree, Graph, LeafSpine, SingleSwitch, TwoTier


def network_setup(scenario: Scenario, hosts: Hosts) -> NetworkSetup | None:
    """Return the network where the migration model uses one. Raises InputError."""
    if isinstance(scenario.migration, FixedRate) or not isinstance(scenario.migration, CourseModel):
        return None
    part = scenario.network
    try:
        network = network_of(part.layout, list(hosts.names))
    except ValueError as error:
        raise refuse(scenario.name, str(error), "network.layout") from None
    network.background[:] = part.background
    given = part.transport
    transport = given if isinstance(given, Transport) else TRANSPORTS[given]
    return NetworkSetup(network, transport, part.moves_per_host, part.moves_in_all)


def network_of(
    layout: SingleSwitch | TwoTier | LeafSpine | FatTree | Graph, hosts: list[str]
) -> Network:
    """Return the links and routes between hosts. Raises ValueError if they do not fit."""
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
    import networkx as nx  # noqa: PLC0415 - slow to start; few commands need it

    graph: nx.Graph[Hashable] = nx.Graph()
    graph.add_nodes_from(hosts)
    for link in layout.links:
        one, other = link.between
        graph.add_edge(one, other, capacity_mbps=link.bandwidth, latency_s=link.latency)
    return Network.from_graph(graph, hosts)
