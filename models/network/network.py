"""Links between hosts, in columns, and routes over them.

A topology is a graph of hosts, switches and links between them. Here it becomes one row per
direction of a link, and routes are found over the switches alone, so that they cost as much
as the network has switches, whatever the number of hosts.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arrays import Ints

if TYPE_CHECKING:
    import networkx as nx

MASK = (1 << 64) - 1


class Network:
    """Link columns of a network, and its routes.

    Rows of ``capacity_mbps``, ``latency_s`` and ``background`` (the share of the capacity that
    others use) are directions of links; ``reverse`` is the row of the opposite direction, the
    same row where both directions share one line. ``names`` tell which row is what. Hosts are
    their positions in ``hosts``, which are the rows of the farm. ``rerouted`` tells whether links
    have ever been down.
    """

    def __init__(self, graph: "nx.Graph[Any]", hosts: Sequence[Hashable]) -> None:
        self.hosts = [str(host) for host in hosts]
        links = _Columns(graph)
        self.capacity_mbps, self.latency_s = links.capacity_mbps, links.latency_s
        self.background, self.reverse = links.background, links.reverse
        self.names = links.names
        self.rerouted = False
        self._routes = _Routes(graph, list(hosts), links)

    def __len__(self) -> int:
        return len(self.capacity_mbps)

    def route(self, source: int, target: int) -> Ints:
        """Return the link rows from one host to another, as :meth:`path` does."""
        return np.array(self.path(source, target), np.int64)

    def path(self, source: int, target: int) -> list[int]:
        """Return the link rows from one host to another, in the order in which they are crossed.

        Fewest hops win, or the least sum of the links' ``weight`` where the graph gives any. Of
        several best ways a hash of source and target picks one, hop by hop: the same pair goes
        the same way in every run, and pairs spread over the ways. Hosts forward nothing.

        Raises ValueError where source and target are one host or unknown rows.
        """
        for host in (source, target):
            if not 0 <= host < len(self.hosts):
                raise ValueError(
                    f"host row {host} is not in the network; it has rows 0 to {len(self.hosts) - 1}"
                )
        if source == target:
            raise ValueError(f"{self.hosts[source]} sends to itself; source and target must differ")
        return self._routes.find(source, target)

    def cut(self, links: Ints) -> Ints:
        """Let these link rows be down, with their opposites, and all others up.

        Routes go around them from now on. Return the hosts that no longer reach the part of the
        network with the most hosts; :meth:`route` must not be asked for their ways.
        """
        self.rerouted = self.rerouted or bool(len(links))
        return np.array(self._routes.cut(set(links.tolist())), np.int64)

    @classmethod
    def from_graph(cls, graph: "nx.Graph[Any]", hosts: Sequence[Hashable]) -> "Network":
        """Return the network of an undirected NetworkX graph; ``hosts`` are the nodes of hosts.

        Edges have the attributes ``capacity_mbps`` and ``latency_s`` and may have
        ``background`` (share in use by others, 0), ``full_duplex`` (True: the capacity is that
        of each direction; False: both share it) and ``weight`` (cost of the link to routes, 1).

        Raises ValueError, saying what would be right, for a graph that is directed, has
        parallel links or is not connected, a host without a port, hosts that only other hosts
        connect, a bandwidth or latency that is not above zero, a background beyond [0, 1).
        """
        return cls(graph, hosts)

    @classmethod
    def single_switch(
        cls, hosts: int | Sequence[str], capacity_mbps: float, latency_s: float
    ) -> "Network":
        """Return hosts at one switch that never limits them; every link has that latency."""
        return cls(*_topologies().single_switch(hosts, capacity_mbps, latency_s))

    @classmethod
    def two_tier(
        cls,
        hosts: int | Sequence[str],
        hosts_per_rack: int,
        capacity_mbps: float,
        uplink_mbps: float,
        latency_s: float,
    ) -> "Network":
        """Return racks of hosts, each rack's switch with one uplink to a core switch."""
        return cls(
            *_topologies().two_tier(hosts, hosts_per_rack, capacity_mbps, uplink_mbps, latency_s)
        )

    @classmethod
    def leaf_spine(
        cls,
        hosts: int | Sequence[str],
        hosts_per_leaf: int,
        spines: int,
        capacity_mbps: float,
        uplink_mbps: float,
        latency_s: float,
    ) -> "Network":
        """Return leaf switches of hosts, each linked to every spine switch."""
        topology = _topologies().leaf_spine(
            hosts, hosts_per_leaf, spines, capacity_mbps, uplink_mbps, latency_s
        )
        return cls(*topology)

    @classmethod
    def fat_tree(
        cls,
        hosts: int | Sequence[str],
        capacity_mbps: float,
        latency_s: float,
        ports: int | None = None,
    ) -> "Network":
        """Return a fat tree of equal switches and links (Al-Fares et al., SIGCOMM 2008).

        ``ports`` of a switch, k: k pods of k/2 edge and k/2 aggregation switches, (k/2)**2 core
        switches, room for k**3 / 4 hosts. By default the smallest k with room; hosts fill it
        from the first pod on.
        """
        return cls(*_topologies().fat_tree(hosts, capacity_mbps, latency_s, ports))


def _topologies() -> Any:
    from . import topologies  # noqa: PLC0415 - NetworkX is slow to start; few commands need it

    return topologies


class _Columns:
    """One row per direction of the links of a graph, and which row leads where."""

    def __init__(self, graph: "nx.Graph[Any]") -> None:
        if graph.is_directed() or graph.is_multigraph():
            raise ValueError(
                "the network must be an undirected graph with at most one link between two nodes; "
                "give parallel links one edge of their joint capacity"
            )
        self.row: dict[tuple[Hashable, Hashable], int] = {}
        self.names: list[str] = []
        self.weighted = False
        values: list[tuple[float, float, float]] = []
        reverse: list[int] = []
        for one, other, data in graph.edges(data=True):
            both, full = _checked(f"link {one} - {other}", data), data.get("full_duplex", True)
            self.weighted |= "weight" in data
            row = len(values)
            self.row[one, other], self.row[other, one] = row, row + full
            values += [both] * (1 + full)
            reverse += [row + 1, row] if full else [row]
            self.names += [f"{one} > {other}", f"{other} > {one}"] if full else [f"{one} - {other}"]
        table = np.array(values, np.float64).reshape(-1, 3)
        self.capacity_mbps, self.latency_s, self.background = table.T.copy()
        self.reverse = np.array(reverse, np.int64)


def _checked(where: str, data: dict[str, Any]) -> tuple[float, float, float]:
    for key, unit in (("capacity_mbps", "Mbit/s"), ("latency_s", "s")):
        value = data.get(key)
        if value is None:
            raise ValueError(f"{where} has no {key}; give every link a number of {unit} above 0")
        if not 0 < value < math.inf:
            raise ValueError(f"{where}: {key} is {value:g}; it must be above 0 {unit} and finite")
    if not data.get("weight", 1) > 0:
        raise ValueError(f"{where}: weight is {data['weight']:g}; it must be above 0")
    background = data.get("background", 0.0)
    if not 0 <= background < 1:
        raise ValueError(f"{where}: background is {background:g}; it must be at least 0, below 1")
    return data["capacity_mbps"], data["latency_s"], background


class _Routes:
    """Shortest paths over the switches; distances are kept per switch with hosts."""

    def __init__(self, graph: "nx.Graph[Any]", hosts: list[Hashable], links: _Columns) -> None:
        self._links, self._hosts = links, hosts
        of_hosts = set(hosts)
        if len(of_hosts) < len(hosts):
            raise ValueError("a host is named twice; the farm's rows need a node each")
        for host in hosts:
            if host not in graph or not graph.degree(host):
                raise ValueError(f"host {host} has no port; link it to a switch")
        # A copy: walking a view asks for every edge whether it shows, 20 times as slow.
        self._core: Any = graph.subgraph([n for n in graph if n not in of_hosts]).copy()
        place = {node: index for index, node in enumerate(graph)}
        self._cost = dict.fromkeys(links.row, 1.0)
        if links.weighted:
            self._cost = {edge: graph.edges[edge].get("weight", 1) for edge in links.row}
        self._weighted = links.weighted
        self._next = {
            node: sorted(
                (each for each in graph[node] if each not in of_hosts), key=place.__getitem__
            )
            for node in graph
        }
        self._distance: dict[Hashable, dict[Hashable, float]] = {}
        self._best: dict[Hashable, dict[Hashable, list[tuple[Hashable, int]]]] = {}
        self._direct = {ends for ends in links.row if of_hosts.issuperset(ends)}
        self._intact = self._core, self._next, self._direct
        self._ways = self._ways_out()
        _check_connected(graph, hosts, self._core, self._next)

    def cut(self, rows: set[int]) -> list[int]:
        """Let links be down, each given by one of its rows at least; return the hosts cut off."""
        row = self._links.row
        dead = {ends for ends, at in row.items() if at in rows}
        dead |= {(other, one) for one, other in dead}
        core, near, direct = self._intact
        self._core = core.copy()
        self._core.remove_edges_from(ends for ends in dead if core.has_edge(*ends))
        self._next = {
            node: [each for each in others if (node, each) not in dead]
            for node, others in near.items()
        }
        self._direct = direct - dead
        self._ways = self._ways_out()
        self._distance.clear()
        self._best.clear()
        return self._beyond_the_largest_part()

    def _ways_out(self) -> dict[Hashable, list[tuple[Hashable, int, float]]]:
        """Return the switches that each node is linked to, with the rows and costs of the links."""
        row, cost = self._links.row, self._cost
        return {
            node: [(near, row[node, near], cost[near, node]) for near in others]
            for node, others in self._next.items()
        }

    def _beyond_the_largest_part(self) -> list[int]:
        """Return the hosts that share no part of switches with most of the others."""
        import networkx as nx  # noqa: PLC0415 - slow to start; few commands need it

        part_of: dict[Hashable, int] = {}
        for number, part in enumerate(nx.connected_components(self._core)):
            part_of |= dict.fromkeys(part, number)
        reached = [{part_of[switch] for switch in self._next[host]} for host in self._hosts]
        sizes = Counter(part for parts in reached for part in parts)
        switches = Counter(part_of.values())
        largest = max(sizes, key=lambda part: (sizes[part], switches[part], -part), default=-1)
        inside = [largest in parts for parts in reached]
        at = {host: number for number, host in enumerate(self._hosts)}
        for one, other in self._direct:
            inside[at[one]] |= largest in reached[at[other]]
        return [number for number, within in enumerate(inside) if not within]

    def find(self, source: int, target: int) -> list[int]:
        """Return the rows of the route from one host to another."""
        start, end = self._hosts[source], self._hosts[target]
        if (start, end) in self._direct:
            return [self._links.row[start, end]]
        pick = _Picker(source, target)
        ways = self._ends(start, end)
        node, last = ways[pick.one_of(len(ways))]
        route = [self._links.row[start, node]]
        known = self._best.setdefault(last, {})
        while node != last:
            best = known.get(node) or self._hops(node, last, known)
            node, row = best[pick.one_of(len(best))]
            route.append(row)
        route.append(self._links.row[last, end])
        return route

    def _ends(self, start: Hashable, end: Hashable) -> list[tuple[Hashable, Hashable]]:
        """Return the pairs of first and last switch on shortest paths."""
        firsts, lasts = self._next[start], self._next[end]
        if len(firsts) == 1 and len(lasts) == 1:
            return [(firsts[0], lasts[0])]
        cost = {
            (first, last): self._cost[start, first]
            + self._to(last).get(first, math.inf)
            + self._cost[last, end]
            for last in lasts
            for first in firsts
        }
        least = min(cost.values())
        return [ends for ends, value in cost.items() if value == least]

    def _hops(
        self, node: Hashable, last: Hashable, known: dict[Hashable, list[tuple[Hashable, int]]]
    ) -> list[tuple[Hashable, int]]:
        """Return the neighbours on shortest paths from one switch to another, and the links.

        They are added to what is ``known`` of paths to ``last``.
        """
        distance = self._to(last)
        least = distance[node]
        best = known[node] = [
            (near, row) for near, row, cost in self._ways[node] if distance[near] + cost == least
        ]
        return best

    def _to(self, last: Hashable) -> dict[Hashable, float]:
        """Return what it costs from every switch to one of them."""
        if last not in self._distance:
            import networkx as nx  # noqa: PLC0415 - slow to start; few commands need it

            self._distance[last] = (
                dict(nx.single_source_dijkstra_path_length(self._core, last))
                if self._weighted
                else dict(nx.single_source_shortest_path_length(self._core, last))
            )
        return self._distance[last]


class _Picker:
    """Pseudo-random choices that depend only on source and target (splitmix64)."""

    def __init__(self, source: int, target: int) -> None:
        self._state = (source << 32) ^ target

    def one_of(self, count: int) -> int:
        """Return a number below ``count``."""
        if count == 1:
            return 0
        self._state = (self._state + 0x9E3779B97F4A7C15) & MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return (mixed ^ (mixed >> 31)) % count


def _check_connected(
    graph: "nx.Graph[Any]",
    hosts: list[Hashable],
    core: "nx.Graph[Any]",
    switches: dict[Hashable, list[Hashable]],
) -> None:
    """Raise ValueError unless every two hosts reach each other without a host between them."""
    import networkx as nx  # noqa: PLC0415 - slow to start; few commands need it

    parts = sorted(nx.connected_components(graph), key=len)
    if len(parts) > 1:
        lost = next(str(node) for node in graph if node in parts[0])
        raise ValueError(
            f"the network is not connected: {len(parts)} parts, {lost} is in one of "
            f"{len(parts[0])} nodes; link it to the rest"
        )
    part_of = {
        node: number for number, part in enumerate(nx.connected_components(core)) for node in part
    }
    kinds: dict[frozenset[int], Hashable] = {}
    for row, host in enumerate(hosts):
        # A host that only other hosts are linked to is a part of its own.
        reached = frozenset(part_of[switch] for switch in switches[host]) or frozenset({-1 - row})
        for other_parts, other in kinds.items():
            if not reached & other_parts and not graph.has_edge(host, other):
                raise ValueError(
                    f"hosts {other} and {host} are not connected by switches, and hosts do not "
                    "forward; link their switches"
                )
        kinds.setdefault(reached, host)
