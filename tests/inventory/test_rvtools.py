"""RVTools: three dialects of one farm, three real workbooks, CSV folders, and what is refused."""

import csv
import io
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from inventories import DATA, codes, expected, inventory_of, read_one

from farmsim.models.base.arrays import added
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.inventory.cluster_totals import ClusterTotals, cluster_totals
from farmsim.scenarios.inventory.cpu_estimates import cpu_estimates
from farmsim.scenarios.inventory.findings import Finding
from farmsim.scenarios.inventory.inventory import Inventory
from farmsim.scenarios.inventory.join_checks import join_findings
from farmsim.scenarios.inventory.joins import incomplete_clusters
from farmsim.scenarios.inventory.scope import excluded, is_on, set_scopes
from farmsim.scenarios.inventory_files.columns import ReadOptions
from farmsim.scenarios.inventory_files.open_files import open_files
from farmsim.scenarios.inventory_files.sheets import Cell, InputFile, Sheet
from farmsim.scenarios.inventory_formats.formats import recognised


def checked(inventory: Inventory) -> Inventory:
    set_scopes(inventory)
    inventory.findings += join_findings(inventory)
    return inventory


def totals(inventory: Inventory) -> dict[str | None, ClusterTotals]:
    return {each.name: each for each in cluster_totals(inventory)}


def finding(inventory: Inventory, code: str) -> Finding:
    found = [each for each in inventory.findings if each.code == code]
    assert len(found) == 1, (code, found)
    return found[0]


def workbook(sheets: dict[str, list[list[Cell]]], name: str = "book.xlsx") -> InputFile:
    """Return a workbook of given sheets, without a file."""
    made = tuple(Sheet.of(name, sheet, rows) for sheet, rows in sheets.items())
    return InputFile(name, name, name, "workbook", made)


@pytest.mark.parametrize("name", ["rvtools_v4_ui", "rvtools_dbcolumns", "rvtools_old_mb_locale"])
def test_three_dialects_of_one_farm(name: str) -> None:
    right = expected(f"{name}.xlsx")
    inventory = checked(read_one(f"{name}.xlsx"))
    assert {host.name for host in inventory.hosts} == set(right["hosts"])
    for host in inventory.hosts:
        wanted = right["hosts"][host.name]
        assert (host.cluster, host.cpu_model, host.sockets, host.cores, host.in_service) == (
            wanted["cluster"], wanted["cpu_model"], wanted["sockets"], wanted["cores"],
            wanted["in_service"],
        )  # fmt: skip
        assert (host.clock_mhz, host.memory_mib) == (wanted["clock_mhz"], wanted["memory_mib"])
        assert host.cpu_mhz == wanted["cpu_capacity_mhz"]
        assert host.cpu_used_mhz == pytest.approx(wanted["cpu_used_mhz"], rel=1e-12)
    read = Counter(
        (vm.name, vm.cluster, vm.host, vm.vcpus, vm.memory_mib, vm.cpu_used_mhz)
        for vm in inventory.in_plan
    )
    assert read == Counter(
        (key.split(":")[1], vm["cluster"], vm["host"], vm["vcpus"], vm["memory_mib"],
         vm["cpu_used_mhz"])
        for key, vm in right["vms_in_plan"].items()
    )  # fmt: skip
    assert len({vm.key for vm in inventory.vms}) == len(inventory.vms)
    left = {scope.value: count for scope, count in excluded(inventory).items()}
    assert left == right["excluded"]
    for cluster, wanted in right["clusters"].items():
        found = totals(inventory)[cluster]
        assert {name: getattr(found, name) for name in wanted} == wanted
    rules = [
        {"kind": "anti_affinity", "name": rule.name, "members": list(rule.members)}
        for rule in inventory.rules
        if rule.kind == "apart"
    ]
    assert rules == right["rules"]
    for told in right["findings"]:
        code, _, text = told.partition(" ")
        assert code in codes(inventory), (told, text)
    missing = finding(inventory, "HOST_ROW_MISSING")
    assert missing.objects == ("esx-b9",)
    assert "1 VM in the plan, 2 vCPUs, 8,192 MiB" in missing.message


def test_the_workbook_of_4_x_says_more() -> None:
    inventory = checked(read_one("rvtools_v4_ui.xlsx"))
    assert inventory.identity == "vm_uuid"
    assert str(inventory.sources[0].taken) == "2026-09-07 10:30:00"
    assert {vm.key for vm in inventory.vms if vm.name == "app-01"} == {
        "app-01 (Alpha)", "app-01 (Beta)",
    }  # fmt: skip
    capacity = finding(inventory, "CLUSTER_CAPACITY_DISAGREES").message
    assert "2 hosts stated and 1 listed" in capacity
    assert "145,600 MHz stated and 72,800 listed" in capacity
    assert finding(inventory, "HOST_IN_MAINTENANCE").objects == ("esx-a3",)
    assert set(incomplete_clusters(inventory)) == {"Beta"}
    assert totals(inventory)["Beta"].memory_n1 is None
    assert totals(inventory)["Alpha"].memory_n1 == pytest.approx(165_744 / 261_797)
    by_name = {vm.name: vm for vm in inventory.vms}
    assert (by_name["db-01"].memory_consumed_mib, by_name["db-01"].memory_reservation_mib) == (
        52_428, 65_536,
    )  # fmt: skip
    assert by_name["b-01"].clock_mhz == 2600
    assert by_name["b-01"].cpu_limit_mhz is None


def test_old_headers_are_below_titles_and_their_numbers_are_texts() -> None:
    inventory = read_one("rvtools_old_mb_locale.xlsx")
    assert inventory.identity == "name_cluster_host"
    assert finding(inventory, "HEADER_NOT_FIRST_ROW").where.endswith("vHost, row 3")
    texts = [each.message for each in inventory.findings if each.code == "NUMBERS_AS_TEXT"]
    assert texts == [
        'thousands separator "." in vInfo.Memory, vInfo.Provisioned MB',
        'thousands separator "." in vHost.Speed, vHost.# Memory',
    ]
    assert inventory.hosts[0].model == "ProLiant DL380 Gen10"


def test_a_farm_of_805_vms_with_five_hosts_missing() -> None:
    inventory = checked(read_one("rvtools_enterprise_805vm.xlsx"))
    assert len(inventory.in_plan) == 763
    assert {scope.value: count for scope, count in excluded(inventory).items()} == {
        "template": 10, "powered_off": 32,
    }  # fmt: skip
    assert sum(vm.vcpus or 0 for vm in inventory.in_plan) == 2629
    assert added(vm.memory_mib or 0 for vm in inventory.in_plan) == 10_420_492
    missing = [each for each in inventory.findings if each.code == "HOST_ROW_MISSING"]
    assert sum(len(each.objects) for each in missing) == 5
    found = totals(inventory)
    assert sum(each.vms_without_host_row for each in found.values()) == 28
    cluster = found["Cluster2"]
    assert (cluster.vms_in_plan, cluster.vcpus, cluster.memory_mib) == (654, 2160, 8_503_148)
    assert cluster.host_memory_mib == 11_533_566
    assert cluster.memory_utilisation == pytest.approx(0.737, abs=5e-4)
    assert cluster.memory_n1 == pytest.approx(0.772, abs=5e-4)
    assert cluster.cpu_used_mhz == pytest.approx(391_824)
    assert cluster.cpu_mhz == 950_400
    assert cluster.cpu_utilisation == pytest.approx(0.412, abs=5e-4)
    first = found["Cluster1"]
    assert first.memory_n1 is first.memory_utilisation is first.cpu_utilisation is None
    assert first.vcpus_per_core is None
    assert "esx-35, esx-36, esx-37" in first.reason
    assert "HOST_TOTALS_DISAGREE" not in codes(inventory)
    estimates = cpu_estimates(inventory)
    assert sum(each.vcpus for each in estimates) == 155
    assert added(each.cpu_mhz or 0 for each in estimates) == pytest.approx(53_216.5, abs=0.1)
    assert not any(each.foreign for each in estimates)
    assert added(host.cpu_used_mhz or 0 for host in inventory.hosts) == pytest.approx(499_123.88)


def test_a_farm_of_131_vms_agrees_with_itself() -> None:
    inventory = checked(read_one("rvtools_next_131vm.xlsx"))
    assert len(inventory.in_plan) == 109
    for host in inventory.hosts:
        vms = [vm for vm in inventory.vms if vm.host == host.name and is_on(vm) and not vm.template]
        assert host.stated["vms"] == len(vms)
        assert host.stated["vcpus"] == sum(vm.vcpus or 0 for vm in vms)
        assert host.stated["vram_mib"] == added(vm.memory_mib or 0 for vm in vms)
    assert len(inventory.hosts) == 8
    assert "HOST_TOTALS_DISAGREE" not in codes(inventory)
    assert "CLUSTER_CAPACITY_DISAGREES" not in codes(inventory)
    assert incomplete_clusters(inventory) == {}
    assert [(rule.kind, len(rule.members)) for rule in inventory.rules] == [("apart", 2)] * 2
    partition = finding(inventory, "SIDE_SHEET_UNREADABLE")
    assert "vPartition" in partition.where
    assert "tried name: VM" in partition.message
    assert "113 of 247 rows of vDisk" in finding(inventory, "SIDE_SHEET_UNKNOWN_VMS").message
    assert {host.cpu_baseline for host in inventory.hosts} == {
        "intel-ivybridge", "intel-sandybridge",
    }  # fmt: skip
    assert {host.threads == host.cores for host in inventory.hosts} == {True, False}


def test_a_vm_with_blank_cells_has_no_size() -> None:
    inventory = checked(read_one("rvtools_format_v4_small.xlsx"))
    (blank,) = [vm for vm in inventory.in_plan if vm.vcpus is None]
    assert (blank.memory_mib, blank.host) == (None, None)
    assert finding(inventory, "VM_SIZE_UNKNOWN").objects == (blank.key,)
    assert "5 VMs with other CPUs" in finding(inventory, "VM_CPUS_DISAGREE").message
    assert finding(inventory, "HOST_TOTALS_DISAGREE").message.startswith("7 of 7 hosts")


def _as_csv(sheet: Sheet, separator: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(sheet.rows)
    return out.getvalue()


@pytest.mark.parametrize(
    ("separator", "encoding"), [(",", "utf-8"), (";", "utf-16"), ("\t", "cp1252")]
)
def test_a_folder_and_a_zip_of_csv_files_are_the_workbook(
    tmp_path: Path, separator: str, encoding: str
) -> None:
    (book,) = open_files([DATA / "rvtools_v4_ui.xlsx"])
    folder = tmp_path / "export"
    folder.mkdir()
    for sheet in book.sheets:
        text = _as_csv(sheet, separator)
        (folder / f"RVTools_tab{sheet.name}.csv").write_text(text, encoding, newline="")
    other = "VM,Powerstate,Template,VI SDK Server\nx,poweredOn,False,vc\n"
    (folder / "RVTools_tabvNetwork.csv").write_text(other)
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    whole = checked(read_one("rvtools_v4_ui.xlsx"))
    for path in (folder, tmp_path / "export.zip"):
        inventory = checked(inventory_of(open_files([path])))
        assert [vm.key for vm in inventory.vms] == [vm.key for vm in whole.vms]
        assert [vm.cpu_used_mhz for vm in inventory.vms] == [vm.cpu_used_mhz for vm in whole.vms]
        assert cluster_totals(inventory) == cluster_totals(whole)
        assert inventory.rules == whole.rules
        assert codes(inventory) == codes(whole)


def test_exports_beside_each_other_are_told_by_their_names(tmp_path: Path) -> None:
    head = "VM,Powerstate,CPUs,Memory,Cluster,Host\n"
    for name, vm in (("jan_vInfo.csv", "a"), ("feb_vInfo.csv", "b")):
        (tmp_path / name).write_text(f"{head}{vm},poweredOn,2,4096,C,h\n")
    groups = recognised(open_files([tmp_path]))
    assert [each.read(group, ReadOptions()).vms[0].name for each, group in groups] == ["b", "a"]
    (tmp_path / "jan_vInfo.csv").rename(tmp_path / "one.csv")
    (tmp_path / "feb_vInfo.csv").rename(tmp_path / "two.csv")
    assert len(recognised(open_files([tmp_path]))) == 2


V_INFO: list[list[Cell]] = [
    ["VM", "Powerstate", "Template", "CPUs", "Memory", "Cluster", "Host"],
    ["a", "poweredOn", "False", 2.0, 4096.0, "C", "h1"],
    ["b", "poweredOn", "False", 4.0, 8192.0, "C", "h1"],
]
V_HOST: list[list[Cell]] = [
    ["Host", "Cluster", "CPU Model", "Speed", "# Cores", "# Memory", "CPU usage %"],
    ["h1", "C", "Xeon", 2600.0, 16.0, 131_072.0, 20.0],
]


def changed(rows: list[list[Cell]], row: int, column: int, cell: Cell) -> list[list[Cell]]:
    copy = [list(each) for each in rows]
    copy[row][column] = cell
    return copy


def test_a_workbook_with_one_sheet() -> None:
    vms_only = checked(inventory_of([workbook({"vInfo": V_INFO})]))
    assert len(vms_only.in_plan) == 2
    assert "NO_HOSTS" in codes(vms_only)
    assert totals(vms_only)["C"].memory_n1 is None
    hosts_only = checked(inventory_of([workbook({"vHost": V_HOST})]))
    assert len(hosts_only.hosts) == 1
    assert "NO_VMS" in codes(hosts_only)


def test_columns_that_are_missing_are_named_for_all_sheets_at_once() -> None:
    info = changed(V_INFO, 0, 3, "Prozessoren")
    host = changed(V_HOST, 0, 5, "RAM")
    with pytest.raises(InputError) as refused:
        inventory_of([workbook({"vInfo": info, "vHost": host})])
    texts = sorted(map(str, refused.value.problems))
    assert len(texts) == 2
    assert "# Memory, vHostMemorySize" in texts[0]
    assert "CPUs, vInfoCPUs" in texts[1]


def test_a_file_of_no_known_format_lists_what_it_holds() -> None:
    with pytest.raises(InputError, match=r"its sheets are Tabelle1.*known formats: RVTools"):
        recognised([workbook({"Tabelle1": [["a", "b", "c"]]})])


def test_memory_in_bytes_is_refused_and_read_once_its_unit_is_given() -> None:
    host = changed(V_HOST, 1, 5, 131_072.0 * 2**20)
    with pytest.raises(InputError, match=r"may be in b.*units, vHost\.# Memory"):
        inventory_of([workbook({"vInfo": V_INFO, "vHost": host})])
    inventory = inventory_of([workbook({"vHost": host})], units={"vHost.# Memory": "B"})
    assert inventory.hosts[0].memory_mib == 131_072


def test_a_template_without_cpus_and_a_vm_larger_than_every_host() -> None:
    info = [*V_INFO]
    info.append(["t", "poweredOff", "True", 0.0, 0.0, "C", "h1"])
    info.append(["huge", "poweredOn", "False", 64.0, 4096.0, "C", "h1"])
    inventory = checked(inventory_of([workbook({"vInfo": info, "vHost": V_HOST})]))
    assert finding(inventory, "VM_LARGER_THAN_HOSTS").objects == ("huge",)
    assert "VM_SIZE_UNKNOWN" not in codes(inventory)
    assert [vm.name for vm in inventory.vms if vm.template] == ["t"]
    assert "CELL_UNREADABLE" not in codes(inventory)


def test_rules_about_hosts_are_asked_for() -> None:
    head = [*V_INFO[0], "Cluster rule(s)", "Cluster rule name(s)"]
    rows: list[list[Cell]] = [
        head,
        [*V_INFO[1], "Affinity, VM Host Affinity", "pair, licence"],
        [*V_INFO[2], "Affinity", "pair"],
    ]
    inventory = inventory_of([workbook({"vInfo": rows, "vHost": V_HOST})])
    assert [(rule.kind, rule.name, rule.members) for rule in inventory.rules] == [
        ("together", "pair", ("a", "b")),
    ]  # fmt: skip
    told = finding(inventory, "RULE_NOT_UNDERSTOOD")
    assert told.where.endswith("rule licence")
    assert told.objects == ("a",)
