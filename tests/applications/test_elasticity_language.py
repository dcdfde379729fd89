"""What is wrong with applications is told with file, line, field and what would be right."""

from pathlib import Path

import pytest

from farmsim.scenarios.build.build import load_of
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.scenario import from_text

TEXT = """\
farm: {hosts: [{name: x, server: hp_ml110_g5, count: 4, memory: 16 GiB}]}
workload:
  sizes:
    - {name: web, vcpus: 1, clock: 1 GHz, memory: 1 GiB}
    - {name: wide, vcpus: 2, clock: 1 GHz, memory: 2 GiB}
    - {name: asks, vcpus: 2, clock: 1 GHz, memory: 2 GiB, class: web}
applications:
  - name: shop
    size: web
    max_members: 9
    load: {type: constant, rate: 3 GHz}
    scaling: target_utilisation
"""
LADDER = "{policy: vertical, sizes: [%s]}"
DAY = "scaling: {policy: scheduled, at: [%s], members: [%s]}"


def refusal(old: str, new: str, folder: Path | None = None) -> str:
    assert old in TEXT
    with pytest.raises(InputError) as refused:
        _read(TEXT.replace(old, new), folder)
    return str(refused.value)


def _read(text: str, folder: Path | None) -> None:
    scenario = from_text(text, "shop.yaml", folder)
    scenario.check_paths()
    load_of(scenario)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "size: web", "size: wbe",
            "shop.yaml:9:5: applications.0.size: there is no size 'wbe'; did you mean web?",
        ),
        ("max_members: 9", "max_members: 9\n    min_members: 10",
            ":10:5: applications.0.max_members: 9 is less"),
        ("max_members: 9", "max_members: 9\n    initial_members: 10",
            ":11:5: applications.0.initial_members: 10 is not between"),
        ("max_members: 9", "max_members: 9\n    protected_members: 10",
            ":11:5: applications.0.protected_members: 10 is"),
        ("rate: 3 GHz", "rate: 3", ":11:28: applications.0.load.rate: 3 has no unit"),
        ("rate: 3 GHz", "rate: -1 GHz", "applications.0.load.rate: -1 GHz is negative"),
        ("rate: 3 GHz", "rate: many requests/s", "'many' is not a number; write, for example, 400"),
        ("rate: 3 GHz", "rate: 30 requests/s", ":11:5: applications.0.load: counts requests, and"),
        (
            "{type: constant, rate: 3 GHz}",
            "{type: table, times: [0 s, 2 h, 1 h], rates: [1 GHz, 2 GHz, 1 GHz]}",
            "applications.0.load.times: do not ascend; sort them",
        ),
        (
            "{type: constant, rate: 3 GHz}", "{type: table, times: [0 s], rates: [1 GHz, 2 GHz]}",
            "applications.0.load.rates: has 2 entries, times 1; write one for each",
        ),
        (
            "{type: constant, rate: 3 GHz}",
            "{type: daily, peak: 3 GHz, trough: 30 requests/s}",
            "applications.0: rates mix GHz and requests/s; use one unit",
        ),
        (
            "max_members: 9", "max_members: 9\n    events: [{from: 2 h, to: 1 h, factor: 2}]",
            ":11:26: applications.0.events.0.to: is not after from; write a later time",
        ),
        (
            "max_members: 9",
            "max_members: 9\n    events: [{from: 1 h, to: 2 h, factor: 2, ramp: 1 h}]",
            "applications.0.events.0.ramp: is more than half of the event; shorten it",
        ),
        ("target_utilisation", "target_use", "no scaling policy 'target_use'; did you mean"),
        (
            "scaling: target_utilisation", DAY % ('"8 h"', "3"),
            "applications.0.scaling: '8 h' is not a time; write, for example, 08:00 or Fri 06:00",
        ),
        (
            "scaling: target_utilisation", DAY % ("08:00, 09:00", "3"),
            "applications.0.scaling: at has 2 entries, members 1; give each time its number",
        ),
        (
            "scaling: target_utilisation", DAY % ("08:00", "30"),
            "applications.0.scaling.members.0: 30 is not between min_members (1) and max_members (",
        ),
        (
            "target_utilisation", "{policy: step, above: [80 %], add: [1, 2]}",
            "applications.0.scaling: above has 1 entries, add 2; give each threshold its number",
        ),
        (
            "target_utilisation", "{policy: step, below: 75 %}",
            "applications.0.scaling: below is not less than the first entry of above; reduce it",
        ),
        ("target_utilisation", LADDER % "web, wode", "scaling.sizes.1: there is no size 'wode'"),
        ("target_utilisation", LADDER % "wide", "scaling.sizes: does not hold web, the size of"),
        ("target_utilisation", LADDER % "wide, web", "scaling.sizes: do not ascend in CPU"),
        ("target_utilisation", LADDER % "web, asks", "scaling.sizes.1: asks differs in class or"),
        (
            "target_utilisation", "{policy: vertical, sizes: [web, wide], hot_add_up_to: asks}",
            "applications.0.scaling: hot_add_up_to: 'asks' is not among sizes; name one of them",
        ),
        (
            "max_members: 9", "max_members: 9\n    penalty: {price: 1 EUR, per: request}",
            ":11:29: applications.0.penalty.per: size web has no request class; write GHz h",
        ),
        ("max_members: 9", "max_members: 9\n    penalty: {price: -1 USD}",
            "penalty of shop is negative"),
        (
            "applications:", "applications:\n  - {name: shop, size: web, max_members: 1, load: "
            "{type: constant, rate: 1 GHz}}",
            ":9:5: applications.1.name: 'shop' is the name of two applications; make the names",
        ),
        (
            "applications:", "policies: {initial: {count_by: demand}}\napplications:",
            ":7:22: policies.initial.count_by: members of applications have no demand before they "
            "run",
        ),
        (
            "workload:", "workload:\n  vms: 3",
            ":3:3: workload.vms: VMs outside applications need a source",
        ),
        (
            "workload:", "workload:\n  source: {type: constant, utilisation: 0.5}\n  vms: 3\n"
            "  on_end: stop",
            "workload.on_end: ends all VMs with the trace, including the members of applications",
        ),
        (
            "{type: constant, rate: 3 GHz}", "{type: csv, path: no.csv}",
            "no.csv: applications.0.load.path: no such file or folder; check the path",
        ),
    ],
)  # fmt: skip
def test_told_where_and_what(old: str, new: str, told: str) -> None:
    assert told in refusal(old, new)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            "time,load\n0,1\n60,-2\n",
            "load.csv:3: -2 in column 'load' is not a load; write 0 or more",
        ),
        ("time,load\n0,1\n60,\n", "load.csv:3: the cell in column 'load' is empty; write a load"),
        (
            "time,load\n60,1\n0,2\n",
            "load.csv:3: is not later than the row above; sort the rows by time",
        ),
        ("time,lod\n0,1\n", "load.csv: there is no column 'load'; did you mean lod"),
        ("time,load\n", "load.csv"),
    ],
)
def test_tables_of_load(tmp_path: Path, rows: str, told: str) -> None:
    (tmp_path / "load.csv").write_text(rows)
    file = "{type: csv, path: load.csv}"
    assert told in refusal("{type: constant, rate: 3 GHz}", file, tmp_path)


def test_a_scenario_without_any_work_is_incomplete() -> None:
    farm = TEXT.splitlines(keepends=True)[0]
    with pytest.raises(InputError, match="workload: is missing"):
        from_text(farm, "shop.yaml")
    with pytest.raises(InputError, match=r"workload\.source: is missing"):
        from_text(farm + "workload: {vms: 3}\n", "shop.yaml")


def test_arrivals_bring_their_own_sizes() -> None:
    applications = TEXT[TEXT.index("applications:") :]
    arrivals = "workload: {arrivals: {type: generated, rate: 5}}\n"
    with pytest.raises(InputError, match="applications: applications take their sizes from"):
        from_text(TEXT.splitlines(keepends=True)[0] + arrivals + applications, "shop.yaml")


def test_rules_name_members() -> None:
    rule = "constraints: [{name: r, type: apart, vms: [%s]}]\n"
    assert load_of(from_text(TEXT + rule % "shop-*", "shop.yaml")).applications is not None


def test_what_is_written_comes_back() -> None:
    day = "{type: daily, peak: 30 requests/s, trough: 12.5 requests/s, weekend: 0.5}"
    text = TEXT.replace("{type: constant, rate: 3 GHz}", day).replace("size: web", "size: asks")
    scenario = from_text(text, "shop.yaml")
    assert from_text(scenario.to_yaml(), "again.yaml").applications == scenario.applications
