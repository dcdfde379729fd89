"""Topologies, their link columns and routes; what a network refuses."""

import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest
from builders import two_hosts

from farmsim.models.network.network import Network
from farmsim.models.network.topologies import Site, linked_sites

G10, US10 = 10_000.0, 1e-5


def walked(network: Network, source: int, target: int) -> list[str]:
    return [network.names[link] for link in network.route(source, target)]


def line(**edges: float) -> dict[str, float]:
    return {"capacity_mbps": G10, "latency_s": US10} | edges


def sites(*hosts: Sequence[str]) -> Network:
    """Return sites of one switch each, every two of them joined by a link of their own."""
    made = [Site(f"site-{number}", here, G10, US10) for number, here in enumerate(hosts)]
    links = [(one.name, other.name, 100.0, 0.02) for one, other in combinations(made, 2)]
    return Network.from_graph(*linked_sites(made, links))


def test_a_single_switch_is_two_hops() -> None:
    network = Network.single_switch(3, G10, US10)
    assert walked(network, 0, 2) == ["host-0 > switch:all", "switch:all > host-2"]
    assert len(network) == 6
    assert (network.reverse[network.reverse] == np.arange(6)).all()


def test_a_pair_shares_its_line_unless_told_otherwise() -> None:
    shared = two_hosts(1000, 1e-4)
    assert shared.route(0, 1).tolist() == shared.route(1, 0).tolist() == shared.reverse.tolist()
    duplex = two_hosts(1000, 1e-4, full_duplex=True)
    assert duplex.route(0, 1).tolist() == [0]
    assert duplex.route(1, 0).tolist() == duplex.reverse[[0]].tolist() == [1]


def test_two_tiers_climb_only_between_racks() -> None:
    network = Network.two_tier(6, 2, G10, 4 * G10, US10)
    assert len(network.route(0, 1)) == 2
    assert walked(network, 1, 4)[1:3] == [
        "switch:rack-1 > switch:core",
        "switch:core > switch:rack-3",
    ]
    assert network.capacity_mbps[network.route(1, 4)].tolist() == [G10, 4 * G10, 4 * G10, G10]


def test_leaves_spread_over_spines() -> None:
    network = Network.leaf_spine(40, 20, 4, G10, G10, US10)
    used = [int(network.route(s, t)[1]) for s in range(20) for t in range(20, 40)]
    counts = np.unique(used, return_counts=True)[1]
    assert len(counts) == 4
    assert counts.min() > 60
    assert counts.sum() == 400


def test_a_fat_tree_has_the_published_size_and_ways() -> None:
    network = Network.fat_tree(16, G10, US10)
    assert len(network) == 2 * 48
    assert [len(network.route(0, target)) for target in (1, 2, 4)] == [2, 4, 6]
    everyone = [network.route(s, t) for s in range(16) for t in range(16) if s != t]
    assert len(np.unique(np.concatenate(everyone))) == len(network)
    assert Network.fat_tree(17, G10, US10).hosts[-1] == "host-16"
    with pytest.raises(ValueError, match="at least 6"):
        Network.fat_tree(17, G10, US10, ports=4)
    with pytest.raises(ValueError, match="even number"):
        Network.fat_tree(17, G10, US10, ports=7)


@pytest.mark.parametrize(
    "network",
    [
        Network.fat_tree(20, G10, US10),
        Network.leaf_spine(9, 3, 2, G10, G10, US10),
        sites(["host-0", "host-1", "host-2"], ["host-3", "host-4"], ["a", "b"]),
    ],
    ids=["fat tree", "leaf-spine", "sites"],
)
def test_routes_are_unbroken_and_the_same_every_time(network: Network) -> None:
    for source in range(len(network.hosts)):
        for target in range(len(network.hosts)):
            if source != target:
                names = [name.split(" > ") for name in walked(network, source, target)]
                assert names[0][0] == network.hosts[source]
                assert names[-1][1] == network.hosts[target]
                assert all(a[1] == b[0] for a, b in pairwise(names))
                assert walked(network, source, target) == walked(network, source, target)


def test_sites_are_joined_by_their_own_links() -> None:
    network = sites(["a", "b"], ["c", "d"])
    route = network.route(0, 3)
    assert network.capacity_mbps[route].tolist() == [G10, 100.0, G10]
    assert float(network.latency_s[route].sum()) == pytest.approx(0.02002)


def test_weights_lead_around_and_a_second_port_is_used() -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_edge("a", "one", **line())
    graph.add_edge("b", "two", **line())
    graph.add_edge("b", "three", **line())
    graph.add_edge("one", "two", **line(weight=5))
    graph.add_edge("one", "three", **line(weight=2))
    network = Network.from_graph(graph, ["a", "b"])
    assert walked(network, 0, 1) == ["a > one", "one > three", "three > b"]
    assert walked(network, 1, 0) == ["b > three", "three > one", "one > a"]


def test_hosts_do_not_forward() -> None:
    graph: nx.Graph[str] = nx.Graph()
    for one, other in ("ax", "xb", "by", "yc"):
        graph.add_edge(one, other, **line())
    with pytest.raises(ValueError, match="hosts do not forward"):
        Network.from_graph(graph, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"capacity_mbps": 0.0}, r"link a - s: capacity_mbps is 0; it must be above 0 Mbit/s"),
        ({"capacity_mbps": -1.0}, "capacity_mbps is -1"),
        ({"capacity_mbps": float("nan")}, "capacity_mbps is nan"),
        ({"latency_s": 0.0}, "latency_s is 0; it must be above 0 s"),
        ({"latency_s": -1.0}, "latency_s is -1"),
        ({"latency_s": None}, "has no latency_s"),
        ({"background": 1.0}, "background is 1"),
        ({"weight": 0}, "weight is 0"),
    ],
)
def test_impossible_links_are_refused(change: dict[str, Any], message: str) -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_edge("a", "s", **(line() | change))
    graph.add_edge("b", "s", **line())
    with pytest.raises(ValueError, match=message):
        Network.from_graph(graph, ["a", "b"])


def test_impossible_graphs_are_refused() -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_edge("a", "s", **line())
    graph.add_edge("b", "t", **line())
    with pytest.raises(ValueError, match="not connected: 2 parts"):
        Network.from_graph(graph, ["a", "b"])
    graph.add_node("c")
    for host in ("c", "d"):
        with pytest.raises(ValueError, match=f"host {host} has no port; link it to a switch"):
            Network.from_graph(graph, ["a", host])
    with pytest.raises(ValueError, match="named twice"):
        Network.from_graph(graph, ["a", "a"])
    for kind in (nx.DiGraph, nx.MultiGraph):
        with pytest.raises(ValueError, match="undirected graph"):
            Network.from_graph(kind(), [])
    with pytest.raises(ValueError, match="at least one host"):
        Network.single_switch(0, G10, US10)
    with pytest.raises(ValueError, match="spines is 0"):
        Network.leaf_spine(4, 2, 0, G10, G10, US10)
    with pytest.raises(ValueError, match="must be at least 1"):
        Network.two_tier(4, 0, G10, G10, US10)


def test_impossible_routes_are_refused() -> None:
    network = Network.single_switch(2, G10, US10)
    with pytest.raises(ValueError, match="host-1 sends to itself"):
        network.route(1, 1)
    with pytest.raises(ValueError, match="rows 0 to 1"):
        network.route(0, 2)


def test_networkx_is_loaded_when_it_is_needed() -> None:
    code = "import sys, farmsim.models.network.network; sys.exit('networkx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
