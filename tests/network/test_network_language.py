"""Networks and evacuations in the language: each fault at its line, with what would be right."""

from typing import Any

import pytest

import farmsim
from farmsim.models.network.transport import LV08
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.resolve.network import network_of
from farmsim.scenarios.scenario import Scenario, from_text
from farmsim.scenarios.schema import schema
from farmsim.scenarios.spec.network import Sites

BASE = """farmsim: 1
policies:
  control: {policy: evacuation, hosts: a-1}
farm:
  hosts:
    - {name: a, server: hp_ml110_g5, count: 3}
workload:
  source: {type: constant, utilisation: 10 %}
  vms: 3
  sizes:
    - {name: s, vcpus: 1, clock: 1 GHz, memory: 1 GiB}
migration: pre_copy
network:
  layout: LAYOUT
"""


def scenario(layout: str = "{topology: single_switch}", hosts: str = "a-1") -> str:
    return BASE.replace("LAYOUT", layout).replace("hosts: a-1", f"hosts: {hosts}")


def problem(text: str) -> str:
    with pytest.raises(InputError) as caught:
        from_text(text, "s.yaml")
    (found,) = caught.value.problems
    return str(found)


def link(one: str, other: str, bandwidth: str = "1 Gbit/s") -> str:
    return f"{{between: [{one}, {other}], bandwidth: {bandwidth}}}"


def graph(*links: str) -> str:
    return f"{{topology: graph, links: [{', '.join(links)}]}}"


ONE, TWO = link("a-1", "x"), link("a-2", "x")
FAULTS = {
    "parts that nothing links": (
        graph(ONE, TWO, link("a-3", "y")), "", "network is not connected: 2 parts, a-3 is in one",
    ),
    "host without a port": (graph(ONE, TWO), "", "host a-3 has no port; link it to a switch"),
    "hosts that would have to forward": (
        graph(ONE, link("a-1", "a-2"), link("a-2", "y"), link("a-3", "y")), "",
        "hosts do not forward; link their switches",
    ),
    "zero bandwidth of a link": (
        graph(ONE, TWO, link("a-3", "x", "0 Gbit/s")), ".links.2.bandwidth", "must be more than 0",
    ),
    "zero bandwidth of all ports": (
        "{topology: single_switch, port: 0 Mbit/s}", ".port", "must be more than 0",
    ),
    "no time at all": (
        "{topology: single_switch, latency: 0 s}", ".latency", "must be more than 0",
    ),
    "link with one end": (
        "{topology: graph, links: [{between: [a-1], bandwidth: 1 Gbit/s}]}", ".links.0.between",
        "at least 2 entries are expected, not 1",
    ),
    "link with three ends": (
        "{topology: graph, links: [{between: [a-1, x, y], bandwidth: 1 Gbit/s}]}",
        ".links.0.between", "at most 2 entries are expected, not 3",
    ),
    "graph without links": (graph(), ".links", "at least one entry"),
    "odd number of ports": ("{topology: fat_tree, ports: 5}", "", "needs an even number of ports"),
    "too few racks": (
        "{topology: two_tier, hosts_per_rack: 0}", ".hosts_per_rack", "must be at least 1",
    ),
    "unknown topology": ("{topology: ring}", "", "there is no topology 'ring'; available: single_"),
    "misspelt topology": ("{topology: two_tire}", "", "did you mean two_tier?"),
    "no topology": ("{port: 1 Gbit/s}", "", "has no topology; add topology:"),
}  # fmt: skip


@pytest.mark.parametrize(("layout", "field", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_of_a_network_stands_at_its_line(layout: str, field: str, message: str) -> None:
    found = problem(scenario(layout))
    assert found.startswith("s.yaml:14:")
    assert f": network.layout{field}: " in found
    assert message in found


@pytest.mark.parametrize("hosts", ["rack-*", "a-4", "''", "A-1"])
def test_an_evacuation_names_hosts_that_exist(hosts: str) -> None:
    found = problem(scenario(hosts=hosts))
    assert found.startswith("s.yaml:3:")
    assert "policies.control.hosts: there is no host" in found
    assert "a-1, a-2, a-3" in found


@pytest.mark.parametrize("hosts", ["a-*", "'a-[12]'", "'none, a-3'"])
def test_an_evacuation_may_use_patterns(hosts: str) -> None:
    from_text(scenario(hosts=hosts), "s.yaml")


def test_a_network_that_nothing_uses_is_not_looked_at() -> None:
    text = scenario(graph(ONE)).replace("pre_copy", "fixed_rate")
    from_text(text[: text.index("network:")], "s.yaml")
    # Moves at a fixed rate go over a network that is laid out.
    assert "host a-2 has no port" in problem(text)


def test_a_graph_survives_being_written() -> None:
    read = from_text(scenario(graph(ONE, TWO, link("a-3", "x"))), "s.yaml")
    again = from_text(read.to_yaml(), "t.yaml")
    assert again.network == read.network
    assert isinstance(read, Scenario)


def test_the_schema_knows_the_two_ends_of_a_link() -> None:
    ends: dict[str, Any] = schema()["definitions"]["Link"]["properties"]["between"]
    assert (ends["minItems"], ends["maxItems"]) == (2, 2)


def test_a_changed_copy_leaves_the_change_as_it_was() -> None:
    control = {"policy": "evacuation", "hosts": "a-1", "base_policy": {"policy": "consolidation"}}
    changes = {"policies.control": control, "policies.control.base_policy.drain": "none"}
    from_text(scenario(), "s.yaml").with_(changes)
    assert control["base_policy"] == {"policy": "consolidation"}


TRANSPORTS = {
    "unknown preset": ("lv8", "", "'lv8' is not allowed; write 'plain', 'lv08' or 'cm02'"),
    "negative latency": ("{latency_factor: -1}", ".latency_factor", "must be at least 0"),
    "no bandwidth": ("{bandwidth_factor: 0 %}", ".bandwidth_factor", "must be more than 0"),
    "too much bandwidth": ("{bandwidth_factor: 120 %}", ".bandwidth_factor", "at most 1"),
    "window without unit": ("{tcp_window: 4}", ".tcp_window", "has no unit"),
    "misspelt figure": ("{tcp_windw: 4 MiB}", ".tcp_windw", "did you mean tcp_window?"),
}


@pytest.mark.parametrize(("written", "field", "message"), TRANSPORTS.values(), ids=TRANSPORTS)
def test_each_fault_of_a_transport_stands_at_its_line(
    written: str, field: str, message: str
) -> None:
    found = problem(f"{scenario()}  transport: {written}\n")
    assert found.startswith("s.yaml:15:")
    assert f": network.transport{field}: " in found
    assert message in found


def test_a_preset_is_a_setting_of_figures() -> None:
    figures = (
        "{latency_factor: 13.01, bandwidth_factor: 97 %, cross_traffic: 5 %, tcp_window: 4 MiB}"
    )
    read = from_text(f"{scenario()}  transport: {figures}\n", "s.yaml")
    assert read.network.transport == LV08
    assert from_text(read.to_yaml(), "t.yaml").network == read.network


SITES = BASE.replace(
    "{name: a, server: hp_ml110_g5, count: 3}",
    """{name: a, server: hp_ml110_g5, count: 2}
    - {name: b, server: hp_ml110_g5, count: 1}""",
)
NORTH, SOUTH = "{name: north, groups: [a]}", "{name: south, groups: [b]}"
LINE = "{between: [north, south], bandwidth: 1 Gbit/s, latency: 5 ms}"


def sites(*given: str, lines: str = LINE) -> str:
    layout = f"{{topology: sites, sites: [{', '.join(given)}], lines: [{lines}]}}"
    return SITES.replace("LAYOUT", layout)


SITE_FAULTS = {
    "one site": (sites(NORTH), ".sites", "at least 2 entries"),
    "unknown group": (
        sites(NORTH, "{name: south, groups: [c]}"), ".sites.1.groups.0", "no group of hosts 'c'",
    ),
    "group at two sites": (
        sites(NORTH, "{name: south, groups: [b, a]}"), ".sites.1.groups.1",
        "group a is at two sites",
    ),
    "too few hosts": (
        sites("{name: north, hosts: 1}", "{name: south, hosts: 1}"), ".sites",
        "the sites have 2 hosts, the farm has 3",
    ),
    "groups here and numbers there": (
        sites(NORTH, "{name: south, hosts: 1}"), ".sites.1.hosts", "use one of the two for all",
    ),
    "neither groups nor hosts": (
        sites(NORTH, "{name: south}"), ".sites.1", "either groups or hosts",
    ),
    "an uplink without racks": (
        sites(NORTH, "{name: south, groups: [b], uplink: 1 Gbit/s}"), ".sites.1.uplink",
        "set hosts_per_rack",
    ),
    "two sites of one name": (
        sites(NORTH, SOUTH, "{name: south, groups: [b]}"), ".sites.2.name", "name of two sites",
    ),
    "line to nowhere": (
        sites(NORTH, SOUTH, lines="{between: [north, sout], bandwidth: 1 Gbit/s}"),
        ".lines.0.between", "did you mean south?",
    ),
    "line to itself": (
        sites(NORTH, SOUTH, lines="{between: [north, north], bandwidth: 1 Gbit/s}"),
        ".lines.0.between", "a line joins north to itself",
    ),
    "two lines between two sites": (
        sites(NORTH, SOUTH, lines=f"{LINE}, {LINE}"), ".lines.1.between", "their total bandwidth",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "field", "message"), SITE_FAULTS.values(), ids=SITE_FAULTS)
def test_each_fault_of_sites_stands_at_its_line(text: str, field: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        from_text(text, "s.yaml")
    found = str(caught.value.problems[0])
    assert found.startswith("s.yaml:15:")
    assert f": network.layout{field}: " in found
    assert message in found


def test_a_group_of_hosts_must_be_at_a_site() -> None:
    text = SITES.replace(
        "    - {name: b", "    - {name: c, server: hp_ml110_g5, count: 1}\n    - {name: b"
    )
    layout = f"{{topology: sites, sites: [{NORTH}, {SOUTH}], lines: [{LINE}]}}"
    assert "sites: group c is at no site" in problem(text.replace("LAYOUT", layout))


def test_sites_that_no_line_reaches_are_refused() -> None:
    third = "{name: c, server: hp_ml110_g5, count: 1}"
    text = SITES.replace("    - {name: b", f"    - {third}\n    - {{name: b")
    layout = (
        f"{{topology: sites, sites: [{NORTH}, {SOUTH}, {{name: x, groups: [c]}}], lines: [{LINE}]}}"
    )
    assert "the network is not connected" in problem(text.replace("LAYOUT", layout))


def test_hosts_are_where_the_sites_say() -> None:
    """Two racks in the north, hosts of a second group between those of the first."""
    hosts = ["a-1", "b-1", "a-2", "a-3"]
    given = {
        "topology": "sites", "lines": [
            {"between": ["north", "south"], "bandwidth": "1 Gbit/s", "latency": "5 ms"}
        ],
    }  # fmt: skip
    north = {"name": "north", "groups": ["a"], "hosts_per_rack": 2, "uplink": "2 Gbit/s"}
    layout = Sites.model_validate({**given, "sites": [north, {"name": "south", "groups": ["b"]}]})
    network = network_of(layout, hosts, ["a", "b", "a", "a"], None)

    def route(source: int, target: int) -> list[str]:
        return [network.names[row] for row in network.route(source, target).tolist()]

    across = ["switch:north/rack-1 > switch:north", "switch:north > switch:south"]
    assert route(0, 1) == ["a-1 > switch:north/rack-1", *across, "switch:south > b-1"]
    assert route(0, 2) == ["a-1 > switch:north/rack-1", "switch:north/rack-1 > a-2"]
    assert len(route(0, 3)) == 4
    capacity = dict(zip(network.names, network.capacity_mbps.tolist(), strict=True))
    assert [capacity[name] for name in across] == [2000.0, 1000.0]
    numbers = [{"name": "north", "hosts": 3}, {"name": "south", "hosts": 1}]
    by_number = Sites.model_validate({**given, "sites": numbers})
    counted = network_of(by_number, hosts, ["a", "b", "a", "a"], None)
    assert len(counted.route(0, 1)) == len(counted.route(0, 2)) == 2
    assert len(counted.route(0, 3)) == 3


SLOW = "{topology: single_switch, latency: 2 ms}"
DOWNTIMES = {
    "of the scenario": (
        SLOW, "migration: pre_copy", "migration: {model: pre_copy, TARGET}", 12,
    ),
    "of a group": (SLOW, "count: 3}", "count: 3, migration: {model: pre_copy, TARGET}}", 6),
    "of a size": (SLOW, "1 GiB}", "1 GiB, migration: {model: pre_copy, TARGET}}", 11),
    "of a graph": (
        graph(*(f"{{between: [a-{host}, x], bandwidth: 1 Gbit/s, latency: 4 ms}}"
                for host in (1, 2, 3))),
        "migration: pre_copy\n", "migration: {model: pre_copy, TARGET}\n", 12,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("layout", "old", "new", "line"), DOWNTIMES.values(), ids=DOWNTIMES.keys())
def test_a_downtime_target_below_the_latency_of_any_route_is_refused(
    layout: str, old: str, new: str, line: int
) -> None:
    text = scenario(layout).replace(old, new)
    said = problem(text.replace("TARGET", "downtime_target: 3 ms"))
    assert said.startswith(f"s.yaml:{line}:")
    assert "downtime_target: 3 ms can never be met" in said
    assert "takes at least 4 ms" in said
    from_text(text.replace("TARGET", "downtime_target: 4 ms"), "s.yaml")


def test_the_latency_that_a_downtime_target_must_exceed_is_that_of_the_transport() -> None:
    text = scenario().replace(
        "migration: pre_copy\n", "migration: {model: pre_copy, downtime_target: 1 ms}\n"
    )
    from_text(text, "s.yaml")
    assert "at least 2.602 ms" in problem(text + "  transport: lv08\n")


def test_no_downtime_is_below_the_latency_that_targets_are_held_against() -> None:
    """Of guests that write nothing: what is left to send takes the latency all the same."""
    model = "{model: pre_copy, downtime_target: 4 ms, dirty: {model: rate, rate: 0 Mbit/s}}"
    result = farmsim.run(from_text(scenario(SLOW).replace("pre_copy", model), "s.yaml"))
    downtimes_s = result.table("migrations")["downtime_s"].to_pylist()
    assert min(downtimes_s) >= 0.004
