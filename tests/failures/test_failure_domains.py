"""Racks and sites: which host stands where, as the network says or as the farm is filled."""

import numpy as np
import pytest

from farmsim import run
from farmsim.models.hardware.racks_and_sites import racks_in_order
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.resolve.racks import build_domains
from farmsim.scenarios.scenario import from_text

FARM = """farm:
  hosts_per_rack: PER_RACK
  hosts:
    - {name: a, server: hp_ml110_g5, count: 3, site: west}
    - {name: b, server: hp_ml110_g5, count: 4, site: east}
workload:
  source: {type: constant, utilisation: 10 %}
  vms: 3
network: {layout: LAYOUT}
"""
SWITCH = "{topology: single_switch}"
TWO_TIER = "{topology: two_tier, hosts_per_rack: 3}"
LEAVES = "{topology: leaf_spine, hosts_per_leaf: 3}"


def written(layout: str, per_rack: str = "2") -> str:
    return FARM.replace("LAYOUT", layout).replace("PER_RACK", per_rack)


def test_racks_are_filled_site_by_site() -> None:
    scenario = from_text(written(SWITCH))
    domains = build_domains(scenario.farm, scenario.network.topology)
    assert domains.rack.tolist() == [0, 0, 1, 2, 2, 3, 3]
    assert domains.site.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert list(domains.rack_names) == ["rack-1", "rack-2", "rack-3", "rack-4"]
    assert list(domains.site_names) == ["west", "east"]
    assert [domains.count(level) for level in ("host", "rack", "site")] == [7, 4, 2]


def test_interleaved_sites_do_not_mix_in_racks() -> None:
    assert racks_in_order(np.array([0, 1, 0, 1, 0]), 2).tolist() == [0, 2, 0, 2, 1]


@pytest.mark.parametrize("layout", [TWO_TIER, LEAVES])
def test_racks_of_the_network_are_the_racks(layout: str) -> None:
    text = written(layout).replace("  hosts_per_rack: 2\n", "")
    scenario = from_text(text)
    domains = build_domains(scenario.farm, scenario.network.topology)
    assert domains.rack.tolist() == [0, 0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            written(TWO_TIER),
            "s.yaml:2:3: farm.hosts_per_rack: the network's layout already defines racks of 3",
        ),
        (
            written(TWO_TIER.replace("3", "2")).replace("  hosts_per_rack: 2\n", ""),
            "network.layout: rack 2 would stand at west and at east; make the number of hosts per "
            "site a multiple of 2",
        ),
        (written(SWITCH, "0"), "s.yaml:2:3: farm.hosts_per_rack: 0 is out of range"),
    ],
)
def test_a_rack_stands_at_one_place(text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        from_text(text, "s.yaml")
    (problem,) = caught.value.problems
    assert expected in str(problem)


def racks_behind(layout: str, link: str, hosts: str = "{name: h, server: hp_ml110_g5, count: 4}",
                 vms: int = 4) -> list[str]:  # fmt: skip
    """Return the racks of the hosts whose VMs are cut off when a link fails."""
    result = run(
        from_text(
            f"""run: {{duration: 30 min}}
farm:
  hosts:
    - {hosts}
workload:
  source: {{type: constant, utilisation: 10 %}}
  vms: {vms}
  sizes: [{{name: s, vcpus: 1, clock: 1 GHz, memory: 1 GiB}}]
baseline: {{type: none}}
network: {{layout: {layout}}}
migration: {{model: pre_copy}}
policies: {{initial: {{placement: round_robin}}}}
failures:
  restart_vms: false
  schedule: [{{at: 5 min, component: link, match: ["{link}"], duration: 10 min}}]
"""
        )
    )
    hosts_of = result.table("hosts")
    rack = dict(zip(hosts_of["host"].to_pylist(), hosts_of["rack"].to_pylist(), strict=True))
    events = result.table("vm_events").to_pylist()
    return sorted({rack[row["host"]] for row in events if row["event"] == "cut off"})


@pytest.mark.parametrize(
    ("layout", "link", "racks"),
    [
        ("{topology: two_tier, hosts_per_rack: 2}", "switch:rack-1 - switch:core", ["rack-1"]),
        ("{topology: two_tier, hosts_per_rack: 2}", "switch:rack-2 - switch:core", ["rack-2"]),
        (
            "{topology: leaf_spine, hosts_per_leaf: 2, spines: 1}",
            "switch:leaf-2 - switch:spine-0",
            ["rack-2"],
        ),
        (
            "{topology: sites, sites: [{name: a, hosts: 1}, {name: b, hosts: 3, hosts_per_rack: 2}]"
            ", lines: [{between: [a, b], bandwidth: 1 Gbit/s}]}",
            "switch:b/rack-3 - switch:b",
            ["rack-3"],
        ),
    ],
)
def test_a_link_is_named_after_the_rack_that_it_cuts_off(
    layout: str, link: str, racks: list[str]
) -> None:
    assert racks_behind(layout, link) == racks


def test_many_racks_have_one_name_too() -> None:
    hosts = "{name: h, server: hp_ml110_g5, count: 24}"
    layout, link = "{topology: two_tier, hosts_per_rack: 2}", "switch:rack-03 - switch:core"
    assert racks_behind(layout, link, hosts, vms=24) == ["rack-03"]


def test_racks_of_sites_are_counted_on() -> None:
    layout = (
        "{topology: sites, lines: [{between: [x, y], bandwidth: 1 Gbit/s}], sites: "
        "[{name: x, groups: [b], hosts_per_rack: 3}, {name: y, groups: [a], hosts_per_rack: 2}]}"
    )
    scenario = from_text(written(layout).replace("  hosts_per_rack: 2\n", ""))
    domains = build_domains(scenario.farm, scenario.network.topology)
    assert domains.rack.tolist() == [2, 2, 3, 0, 0, 0, 1]
