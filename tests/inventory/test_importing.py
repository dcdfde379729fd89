"""From inventories made by hand to the tables, the scenario and the findings of an import."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from farmsim.cli.main import run_command_line as main
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.importing.anonymise import Aliases
from farmsim.scenarios.importing.host_groups import host_groups
from farmsim.scenarios.importing.import_record import Imported, import_record
from farmsim.scenarios.importing.importer import ImportOptions, import_files, imported
from farmsim.scenarios.importing.mapping import Mapping, read_mapping
from farmsim.scenarios.importing.merge import merge
from farmsim.scenarios.importing.scenario_text import quoted
from farmsim.scenarios.importing.tables import exactly
from farmsim.scenarios.inventory.inventory import (
    Cluster,
    Host,
    Inventory,
    Rule,
    Scope,
    Series,
    Source,
    Vm,
)
from farmsim.scenarios.language.yaml_text import parse

GOLD = "Intel(R) Xeon(R) Gold 5218 CPU @ 2.30GHz"


def host(name: str, **changes: Any) -> Host:
    """A host of a cluster A, with 32 cores and 256 GiB."""
    made = Host(
        name, f"f.xlsx, vHost, row {name}", "A", "DC", cpu_model=GOLD, sockets=2, cores=32,
        threads=64, clock_mhz=2295.0, memory_mib=262_144.0, cpu_used_mhz=7344.0,
    )  # fmt: skip
    return replace(made, **changes)


def vm(name: str, on: str | None = "h1", **changes: Any) -> Vm:
    """A running VM of cluster A with 4 vCPUs and 16 GiB."""
    made = Vm(name, name, f"f.xlsx, vInfo, row {name}", "A", on, "DC", vcpus=4, memory_mib=16_384.0,
              power_state="poweredOn")  # fmt: skip
    return replace(made, **changes)


def farm(hosts: list[Host], vms: list[Vm], name: str = "f.xlsx", **changes: Any) -> Inventory:
    """An inventory of one file."""
    source = Source(name, sha256(name.encode()).hexdigest(), "RVTools")
    return replace(Inventory([source], hosts, vms), **changes)


def rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV table."""
    return list(csv.DictReader(io.StringIO(text)))


def codes(made: Imported) -> set[str]:
    """The codes of all findings."""
    return {each.code for each in made.findings}


def run(*parts: Inventory, **options: Any) -> Imported:
    """Import inventories."""
    return imported(parts, ImportOptions(**options))


def test_each_vm_is_counted_in_one_class_and_what_has_no_size_is_left_out() -> None:
    vms = [
        vm("a"), vm("off", power_state="poweredOff"), vm("t", template=True, vcpus=0),
        vm("no-cpu", vcpus=None), vm("zero", vcpus=0), vm("nsx-1"), vm("vCLS-1"),
        vm("ct", container=True),
    ]  # fmt: skip
    made = run(farm([host("h1")], vms), system=("NSX-*",))
    counts = {scope.value: number for scope, number in made.scopes.items()}
    assert counts == {
        "in_plan": 1, "powered_off": 1, "template": 1, "system_vm": 2, "container": 1,
        "size_unknown": 2,
    }  # fmt: skip
    listed = {row["vm"]: row["scope"] for row in rows(made.files["vms.csv"])}
    assert listed["a"] == "in_plan"
    assert "t" not in listed
    assert "no-cpu" not in listed
    assert sum(counts.values()) == import_record(made)["counts"]["vms"] == len(vms)


def test_what_is_included_is_in_the_plan() -> None:
    parts = farm([host("h1")], [vm("a"), vm("off", power_state="poweredOff")])
    made = run(parts, include=frozenset({Scope.POWERED_OFF}))
    assert made.scopes[Scope.IN_PLAN] == 2


def test_nothing_in_the_plan_is_refused_with_the_reasons() -> None:
    with pytest.raises(InputError, match="all 1 are powered off; see --include"):
        run(farm([host("h1")], [vm("off", power_state="poweredOff")]))


def test_like_hosts_form_one_group_and_one_percent_is_alike() -> None:
    hosts = [
        host("h1"), host("h2", clock_mhz=2299.0, memory_mib=262_000.0), host("h3", cores=28),
        host("h4", in_service=False), host("h5", cluster="B"), host("h6", memory_mib=524_288.0),
        host("h7", cpu_model="INTEL(R) XEON(R) GOLD 5218 @ 2.30GHz"),
    ]  # fmt: skip
    groups = host_groups(farm(hosts, []))
    found = {group.name: [each.name for each in group.hosts] for group in groups}
    assert found == {
        "a-1": ["h1", "h2", "h7"], "a-2": ["h3"], "a-3": ["h4"], "a-4": ["h6"], "b-1": ["h5"],
    }  # fmt: skip
    assert groups[0].memory_mib == 262_000.0
    assert host_groups(farm(hosts[::-1], [])) == groups


def test_a_cluster_with_a_missing_host_row_has_no_figures() -> None:
    parts = farm([host("h1"), host("b1", cluster="B"), host("b2", cluster="B")],
                 [vm("a"), vm("lost", "h9"), vm("b", "b1", cluster="B")])  # fmt: skip
    made = run(parts)
    a, b = import_record(made)["clusters"]
    assert a["hosts_missing"] == 1
    assert a["vms_without_host_row"] == 1
    assert {
        a[key] for key in ("vcpus_per_core", "memory_utilisation", "memory_n1", "cpu_utilisation")
    } == {None}
    assert "h9" in a["reason"]
    assert (b["memory_utilisation"], b["memory_n1"]) == (16_384 / 524_288, 16_384 / 262_144)
    assert b["vcpus_per_core"] == 4 / 64
    assert b["cpu_utilisation"] == 0.1
    lost = next(row for row in rows(made.files["vms.csv"]) if row["vm"] == "lost")
    assert (lost["host"], lost["cluster"]) == ("", "A")
    assert "h9" in lost["note"]
    data = parse(made.files["scenario.yaml"]).data
    assert data["planning"]["incomplete_clusters"] == ["A"]
    assert [each["ceilings"] for each in data["farm"]["hosts"]] == [{"memory": "95 %"}] * 2


def test_a_host_out_of_service_is_no_supply_unless_asked_for() -> None:
    hosts = [host("h1"), host("h2", in_service=False)]
    assert run(farm(hosts, [vm("a")])).clusters[0].memory_n1 is None
    counted = run(farm(hosts, [vm("a")]), include_maintenance=True).clusters[0]
    assert counted.memory_n1 == 16_384 / 262_144


def test_snapshots_of_one_farm_are_joined_into_their_mean() -> None:
    def snapshot(day: int, mhz: float | None, extra: list[Vm]) -> Inventory:
        source = Source(f"{day}.xlsx", str(day), "RVTools", taken=datetime(2026, 7, day, 9, 0))
        hosts = [host("h1", cpu_used_mhz=1000.0 * day)]
        return Inventory([source], hosts, [vm("a", cpu_used_mhz=mhz), *extra])

    made = run(snapshot(3, 900.0, []), snapshot(1, 300.0, [vm("gone")]), snapshot(2, None, []))
    inventory = made.inventory
    assert [each.key for each in inventory.vms] == ["a"]
    assert inventory.vms[0].cpu_used_mhz == 600.0
    assert inventory.hosts[0].cpu_used_mhz == 2000.0
    assert [each.vm_cpu_mhz for each in inventory.snapshots] == [300.0, None, 900.0]
    assert {"SNAPSHOTS_JOINED", "VM_GONE"} <= codes(made)
    assert "SNAPSHOT_ONLY" not in codes(made)


def test_files_of_different_farms_are_told() -> None:
    made = run(farm([host("h1")], [vm("a")]), farm([host("x1")], [vm("z", "x1")], "g.xlsx"))
    assert "FILES_SHARE_NOTHING" in codes(made)
    assert made.scopes[Scope.IN_PLAN] == 2


def test_a_second_file_completes_the_first_and_the_same_file_counts_once() -> None:
    use = farm([], [vm("a", cpu_used_mhz=500.0, vcpus=8)], "use.csv")
    use.sources[0] = replace(use.sources[0], format="vROps")
    first = farm([host("h1")], [vm("a", cpu_used_mhz=None)])
    made = merge([first, farm([host("h1")], [vm("a")]), use])
    assert (made.vms[0].vcpus, made.vms[0].cpu_used_mhz) == (4, 500.0)
    assert len(made.vms) == len(made.hosts) == 1
    assert [each.code for each in made.findings] == ["FILE_GIVEN_TWICE"]


def test_a_vm_of_a_cluster_without_hosts_gets_assumed_ones() -> None:
    made = run(farm([host("h1")], [vm("a"), vm("b", None, cluster="B")]))
    assert [(group.name, group.assumed) for group in made.groups] == [
        ("a-1", False), ("b-assumed", True),
    ]  # fmt: skip
    assert "HOSTS_ASSUMED" in codes(made)
    assert "NOT IN THE FILE" in made.files["scenario.yaml"]
    bare = run(farm([], [vm("a", None, cluster=None)]))
    assert bare.groups[0].assumed
    assert {"NO_HOSTS", "HOSTS_ASSUMED", "CLOCK_ASSUMED"} <= codes(bare)


def test_an_unknown_processor_needs_power(tmp_path: Path) -> None:
    hosts = [host("h1", cpu_model="Quantum 9000", model="Box")]
    made = run(farm(hosts, [vm("a")]))
    server = parse(made.files["scenario.yaml"]).data["farm"]["hosts"][0]["server"]
    assert "power" not in server
    assert "POWER_UNKNOWN" in {each.code for each in made.worst()}
    told = tmp_path / "map.yaml"
    told.write_text("servers: [{hosts: 'H*', power: {model: linear, idle: 120 W, max: 380 W}}]\n")
    made = run(farm(hosts, [vm("a")]), mapping=read_mapping(told))
    server = parse(made.files["scenario.yaml"]).data["farm"]["hosts"][0]["server"]
    assert server["power"] == {"model": "linear", "idle": "120 W", "max": "380 W"}
    assert "POWER_UNKNOWN" not in codes(made)


def test_vms_may_take_the_usable_memory_of_hosts_only(tmp_path: Path) -> None:
    hosts = [host("h1"), host("h2"), host("h3", cluster="B")]
    path = tmp_path / "map.yaml"
    path.write_text("usable_memory: [{hosts: H1, share: 97 %}, {hosts: h3, share: 97.5 %}]\n")

    def shares(mapping: Mapping | None) -> list[object]:
        made = run(farm(hosts, [vm("a"), vm("b", cluster="B")]), mapping=mapping)
        groups = parse(made.files["scenario.yaml"]).data["farm"]["hosts"]
        return [group["ceilings"]["memory"] for group in groups]

    assert shares(None) == ["95 %", "95 %"]
    assert shares(read_mapping(path)) == ["95 %", "97.5 %"]


def test_a_known_processor_has_its_curve_and_the_power_of_its_memory() -> None:
    made = run(farm([host("h1", memory_mib=1_048_576.0)], [vm("a")]))
    data = parse(made.files["scenario.yaml"]).data["farm"]["hosts"][0]
    assert len(data["server"]["power"]["watts"]) == 11
    assert made.powers[0].level == "B"
    assert float(data["extra_power"].split()[0]) == made.powers[0].extra_w == 96.0


def test_a_map_gives_clusters_and_classes(tmp_path: Path) -> None:
    told = tmp_path / "map.yaml"
    told.write_text(
        "clusters: [{hosts: h2, cluster: Gold}, {vms: nobody, cluster: X}]\n"
        "classes: [{vms: 'DB-*', class: oltp}]\n"
    )
    made = run(farm([host("h1"), host("h2")], [vm("a"), vm("db-1", "h2")]),
               mapping=read_mapping(told))  # fmt: skip
    assert [each.name for each in made.clusters] == ["A", "Gold"]
    found = {row["vm"]: (row["cluster"], row["class"]) for row in rows(made.files["vms.csv"])}
    assert found == {"a": ("A", ""), "db-1": ("Gold", "oltp")}
    assert "PATTERN_WITHOUT_MATCH" in codes(made)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes:\n  - {vms: a, class: oltpp}", r"m.yaml:2:.*did you mean oltp\?"),
        ("columns: 3", r"m.yaml:1:1: columns"),
        ("usable_memory: [{hosts: a, share: 0 %}]", "m.yaml:1:.*usable_memory"),
        ("servers: [{hosts: a}]", "give either server or power"),
        ("clusters: [{cluster: a}]", "write a pattern under hosts or vms"),
        ("- a", "not a mapping"),
        ("a: [", "m.yaml:"),
    ],
)
def test_a_map_that_is_wrong_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_mapping(path)


def secret_farm() -> Inventory:
    """A farm whose names must not be seen."""
    hosts = [
        host(name, cluster="Prod Vienna", datacentre="Wien", vendor="HPE")
        for name in ("esx-wien-1", "esx-wien-2")
    ]
    vms = [
        vm("payroll-db", "esx-wien-1", cluster="Prod Vienna", source_id="u1", resource_pool="HR"),
        vm("payroll-app", "esx-wien-9", cluster="Prod Vienna", datacentre="Wien"),
        replace(vm("payroll-db", "esx-wien-2", cluster="Prod Vienna"), key="payroll-db #2"),
        vm("old-crm", "esx-wien-2", power_state="poweredOff", cluster="Prod Vienna"),
    ]
    rules = [Rule("apart", "payroll apart", ("payroll-db", "payroll-app"))]
    clusters = [Cluster("Prod Vienna", "acme-2026.xlsx, vCluster, row 2", "Wien", 3)]
    return farm(hosts, vms, "acme-2026.xlsx", rules=rules, clusters=clusters)


def everything(made: Imported) -> str:
    """All text that an import writes, findings included."""
    return "\n".join([*made.files.values(), repr(import_record(made))])


def test_an_anonymous_import_names_nobody_and_is_the_same_with_the_same_key(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    first = Aliases.read(key)
    made = run(secret_farm(), aliases=first)
    text = everything(made).lower()
    for secret in ("payroll", "wien", "vienna", "acme", "crm", "'u1'", "hr;"):
        assert secret not in text, secret
    first.write(key)
    assert key.stat().st_mode & 0o077 == 0
    assert "payroll" not in key.read_text()
    again = run(secret_farm(), aliases=Aliases.read(key))
    assert again.files == made.files
    more = secret_farm()
    more.vms.insert(0, vm("aaa-new", "esx-wien-1", cluster="Prod Vienna"))
    grown = run(more, aliases=Aliases.read(key))
    known = {row["vm"]: row for row in rows(made.files["vms.csv"])}
    now = {row["vm"]: row for row in rows(grown.files["vms.csv"])}
    assert {name: now[name] for name in known} == known
    assert set(now) - set(known) == {"vm-0004"}
    other = run(secret_farm(), aliases=Aliases.read(tmp_path / "other.json"))
    assert len(rows(other.files["vms.csv"])) == len(known)


def test_figures_do_not_change_when_names_are_replaced(tmp_path: Path) -> None:
    plain, hidden = run(secret_farm()), run(secret_farm(), aliases=Aliases.read(tmp_path / "k"))
    for one, other in zip(plain.clusters, hidden.clusters, strict=True):
        assert (one.vms_in_plan, one.vcpus, one.memory_mib, one.vms_without_host_row) == (
            other.vms_in_plan, other.vcpus, other.memory_mib, other.vms_without_host_row,
        )  # fmt: skip
    assert codes(plain) == codes(hidden)


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    for text in ("{}", "[1]", "not json", '{"content": "farmsim anonymise key", "key": "zz"}'):
        path.write_text(text)
        with pytest.raises(InputError, match="not a key file"):
            Aliases.read(path)


def test_measured_load_is_on_one_grid_with_its_gaps_told() -> None:
    start = datetime(2026, 7, 1, tzinfo=UTC)

    def series(name: str, values: list[float], metric: str = "cpu_demand") -> Series:
        return Series(name, "vm", metric, "MHz", start, 3600.0, np.array(values))

    gap = [100.0] * 40
    gap[5] = np.nan
    holes = [100.0] * 40
    holes[5:8] = [np.nan] * 3
    half = [50.0] * 20 + [np.nan] * 20
    parts = farm([host("h1")], [vm("a"), vm("b"), vm("c", cpu_used_mhz=70.0), vm("d"), vm("e")])
    parts.series += [
        series("a", gap), series("a", [1.0] * 40, "cpu_usage"), series("b", holes),
        series("c", half), series("d", [20_000.0] * 40), series("nobody", [1.0] * 40),
    ]  # fmt: skip
    made = run(parts)
    assert made.load is not None
    means = {name: float(values.mean()) for name, values in made.load.mhz.items()}
    assert means == {"a": 100.0, "b": 100.0, "c": 70.0, "d": 4 * 2295.0, "e": 0.0}
    assert made.load.constant == ("c", "e")
    assert {
        "SERIES_GAPS_HELD", "SERIES_INCOMPLETE", "SERIES_ABOVE_CAPACITY", "CPU_OF_VM_UNKNOWN",
        "SERIES_WITHOUT_OBJECT", "STEP_LONG",
    } <= codes(made)  # fmt: skip
    data = parse(made.files["scenario.yaml"]).data
    assert data["workload"]["source"] == {"type": "parquet", "path": "load.parquet", "unit": "MHz"}


def test_names_of_any_kind_survive_the_scenario_and_rules() -> None:
    odd = ['<b>"x"</b>', "yes", "a: b", "#1", "tab\there", "[x]*", "naïve", "\x85", "123"]
    for name in odd:
        assert parse(f"a: {quoted(name)}").data == {"a": name}
    hosts = [host(name) for name in odd]
    made = run(farm(hosts, [vm(f"v{name}", name) for name in odd]))
    names = parse(made.files["scenario.yaml"]).data["farm"]["hosts"][0]["names"]
    assert sorted(names) == sorted(odd)
    assert exactly("[x]*") == "[[]x][*]"


def test_the_order_of_rows_changes_nothing() -> None:
    hosts = [host(f"h{at}") for at in range(5)]
    vms = [vm(f"v{at}", f"h{at % 5}", memory_mib=1024.0 * (at + 1)) for at in range(20)]
    assert run(farm(hosts, vms)).files == run(farm(hosts[::-1], vms[::-1])).files


def test_memory_beyond_that_of_the_host_is_allowed_for_and_told() -> None:
    made = run(farm([host("h1", memory_mib=32_768.0)], [vm(f"v{at}") for at in range(3)]))
    assert made.groups[0].memory_overcommit == 1.5
    assert "HOST_MEMORY_OVERCOMMITTED" in codes(made)


GIB = 1024.0


@pytest.mark.parametrize(
    ("vms", "code", "overcommit"),
    [
        ([vm(f"v{at}", memory_mib=34 * GIB) for at in range(8)], "HOST_MEMORY_OVERCOMMITTED", 1.07),
        ([vm("big", memory_mib=400 * GIB)], "VM_BEYOND_HOST_MEMORY", 1.0),
        ([vm(f"v{at}", memory_mib=200 * GIB) for at in range(6)], "VM_BEYOND_HOST_MEMORY", 3.91),
        ([vm("big", None, memory_mib=400 * GIB)], "VM_LARGER_THAN_HOSTS", 1.0),
    ],
)
def test_the_scenario_loads_whatever_memory_vms_have(
    vms: list[Vm], code: str, overcommit: float, tmp_path: Path
) -> None:
    made = run(farm([host("h1"), host("h2"), host("h3")], [*vms, vm("other", "h2")]))
    assert code in codes(made)
    assert made.groups[0].memory_overcommit == overcommit
    for name, text in made.files.items():
        (tmp_path / name).write_text(text, "utf-8")
    scenario = tmp_path / "scenario.yaml"
    for command in (["validate"], ["failover"], ["headroom"]):
        assert main([*command, str(scenario)]) == 0


def test_the_mapping_file_of_the_documentation_is_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "import.md").read_text("utf-8")
    path = tmp_path / "map.yaml"
    path.write_text(page.split("```text\n")[1].split("```")[0])
    mapping = read_mapping(path)
    assert mapping.columns == {"RAM (MB)": "Memory"}
    assert mapping.class_of("DB-1") == "oltp"
    assert (mapping.server_of("old-1"), mapping.server_of("x")) == mapping.servers


def test_an_unknown_zone_is_refused_where_no_file_needs_one() -> None:
    with pytest.raises(InputError, match="Mars/Base"):
        import_files([], ImportOptions(time_zone="Mars/Base"))


def test_sizes_that_no_machine_has_are_unknown() -> None:
    hosts = [host("h1"), host("h2", memory_mib=1e18)]
    made = run(farm(hosts, [vm("a"), vm("b", memory_mib=-5.0), vm("c", vcpus=10**9)]))
    assert "SIZE_ABSURD" in codes(made)
    assert made.scopes[Scope.SIZE_UNKNOWN] == 2
    assert made.clusters[0].memory_utilisation is None
    assert [each.name for group in made.groups for each in group.hosts] == ["h1"]
