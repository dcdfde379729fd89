"""vROps, Azure Migrate, Live Optics and Nutanix Collector."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inventories import DATA, codes, expected, file_of, inventory_of, read_one

from farmsim.cli.main import run_command_line
from farmsim.models.workload.peaks import coincidence, percentile
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.inventory.inventory import Inventory, Scope, Series
from farmsim.scenarios.inventory.join_checks import join_findings
from farmsim.scenarios.inventory.scope import excluded, set_scopes
from farmsim.scenarios.inventory.series import coverage, filled, missing

VIENNA = "Europe/Vienna"


def checked(inventory: Inventory) -> Inventory:
    """Give scopes and check the joins, as an import does."""
    set_scopes(inventory)
    inventory.findings += join_findings(inventory)
    return inventory


def demand(inventory: Inventory, statistic: str = "mean") -> dict[str, Series]:
    return {
        each.object: each
        for each in inventory.series
        if each.metric == "cpu_demand" and each.statistic == statistic
    }


def test_vrops_vms_have_measured_demand_whose_peaks_coincide_in_part() -> None:
    right = expected("vrops_vm_hourly.csv")
    found = read_one("vrops_vm_hourly.csv", time_zone=VIENNA)
    series = demand(found)
    assert len(series) == len(found.vms) == right["objects"] == 8
    assert {len(each.values) for each in series.values()} == {right["intervals"]} == {48}
    assert {each.start for each in series.values()} == {datetime(2026, 9, 6, 22, tzinfo=UTC)}
    assert {each.step_s for each in series.values()} == {3600}
    gaps = {name: missing(each.values) for name, each in series.items() if missing(each.values)}
    assert gaps == right["missing"] == {"web-01": 2}
    assert coverage(series["web-01"].values) == right["coverage"]["web-01"]
    assert any("coverage 95.8 %" in each.message for each in found.findings)
    assert {name: each.values[0] for name, each in series.items()} == right["first_values_mhz"]
    p95 = {name: percentile(each.values, 0.95) for name, each in series.items()}
    assert p95 == right["p95_nearest_rank_mhz"]
    capacity = {vm.name: (vm.vcpus or 0) * (vm.clock_mhz or 0) for vm in found.vms}
    assert capacity == pytest.approx(right["vm_capacity_mhz"])
    load = np.array([filled(each.values) for each in series.values()]).T
    peaks = coincidence(load, 0.95)
    assert peaks.peak_of_sum == right["p95_of_sum_mhz"] == 37_200
    assert sum(p95.values()) == right["sum_of_vm_p95_mhz"] == peaks.sum_of_peaks == 47_200
    assert peaks.share == pytest.approx(right["coincidence_p95"], abs=5e-5)
    assert (peaks.instants, round(peaks.share, 3)) == (48, 0.788)
    maxima = coincidence(load)
    assert (maxima.peak_of_sum, maxima.sum_of_peaks) == (
        right["max_of_sum_mhz"], right["sum_of_vm_max_mhz"],
    )  # fmt: skip
    most = demand(found, "max")
    assert most["app-01"].values[0] == 1_800
    assert "HISTORY_SHORT" in codes(found)
    assert not found.sources[0].experimental


def test_vrops_without_a_zone_asks_for_it() -> None:
    with pytest.raises(InputError, match="--tz Europe/Vienna"):
        read_one("vrops_vm_hourly.csv")


def test_vrops_on_the_day_of_25_hours_has_no_duplicate() -> None:
    right = expected("vrops_dst.csv")
    found = read_one("vrops_dst.csv", time_zone=right["time_zone"])
    (series,) = found.series
    instants = [series.start + timedelta(hours=at) for at in range(len(series.values))]
    assert [f"{each:%Y-%m-%dT%H:%MZ}" for each in instants] == right["utc"]
    assert series.values.tolist() == right["values"]
    assert not codes(found) & {"TIME_TWICE", "TIME_DOUBTFUL", "TIMES_OFF_STEP"}


def test_vrops_hosts_have_units_in_their_cells() -> None:
    right = expected("vrops_host_hourly.csv")
    found = read_one("vrops_host_hourly.csv", time_zone=VIENNA)
    hosts = {host.name: host for host in found.hosts}
    first = right["esx-a1"]
    assert demand(found)["esx-a1"].values[0] == first["demand_avg_mhz"]
    assert demand(found, "max")["esx-a1"].values[0] == first["demand_max_mhz"]
    assert hosts["esx-a1"].stated == {
        "cpu_available_mhz": first["cpu_available_mhz"],
        "memory_available_mib": first["memory_available_mib"],
    }
    assert {name: not hosts[name].in_service for name in ("esx-a1", "esx-a3")} == {
        name: right[name]["maintenance"] for name in ("esx-a1", "esx-a3")
    }
    assert hosts["esx-a1"].cores is None


HEAD = "Name,Interval Breakdown,VM|CPU|Demand (MHz)|Avg,VM|CPU|Odd|Avg\n"


def vrops(*rows: str, name: str = "a.csv") -> Any:
    return file_of(HEAD + "\n".join(rows) + "\n", name)


def test_vrops_files_of_one_vm_are_joined_and_doubts_are_said() -> None:
    files = [
        vrops("a,12:00 AM 1 July 2026,1,1", "a,1:00 AM 1 July 2026,1.5 GHz,1", name="1.csv"),
        vrops("a,Jul 1 2026 4:00 AM,-,2", "a,2026-07-01 03:00,4,2", "a,soon,9,2", name="2.csv"),
    ]
    found = inventory_of(files, time_zone="UTC")
    (series,) = found.series
    np.testing.assert_array_equal(series.values, [1, 1500, np.nan, 4, np.nan])
    assert [vm.name for vm in found.vms] == ["a"]
    assert {"TIME_UNREADABLE", "METRICS_NOT_READ", "SERIES_COVERAGE_LOW"} <= codes(found)


def test_vrops_objects_of_one_name_are_not_told_apart() -> None:
    rows = [f"{name},{hour}:00 AM 1 July 2026,{hour},1" for name in "aab" for hour in (1, 2, 3)]
    found = inventory_of([vrops(*rows)], time_zone="UTC")
    assert [each.object for each in found.series] == ["b"]
    (told,) = [each for each in found.findings if each.code == "VM_NAME_NOT_UNIQUE"]
    assert told.objects == ("a",)


def test_azure_migrate_without_use_is_unknown_not_zero() -> None:
    right = expected("azure_migrate.csv")
    found = checked(read_one("azure_migrate.csv"))
    assert {vm.name for vm in found.vms} == set(right["vms"])
    for vm in found.vms:
        for field, value in right["vms"][vm.name].items():
            assert getattr(vm, field) == value, (vm.name, field)
    told = {line.split()[0] for line in right["findings"]}
    assert told <= codes(found) | {"VM_EXCLUDED"}
    (absent,) = [each for each in found.findings if each.code == "CPU_ABSENT"]
    assert absent.objects == ("app-02",)
    assert found.vms[0].disk_mib == 100 * 1024
    assert found.sources[0].experimental


def test_azure_migrate_with_memory_in_another_unit_is_refused() -> None:
    text = "*Server Name,*Cores,*Memory (In MB),OS name\na,4,16,x\nb,2,8,y\n"
    with pytest.raises(InputError, match="it may be in gb"):
        inventory_of([file_of(text, "a.csv")])
    found = inventory_of([file_of(text, "a.csv")], units={"a.*Memory (In MB)": "GB"})
    assert [vm.memory_mib for vm in found.vms] == [16_384, 8_192]


HOST_FIELDS = ("cluster", "cpu_model", "sockets", "cores", "clock_mhz", "memory_mib")
VM_FIELDS = ("cluster", "host", "vcpus", "memory_mib", "cpu_used_mhz")


@pytest.mark.parametrize("name", ["liveoptics.xlsx", "nutanix_collector.xlsx"])
def test_workbooks_give_the_same_farm(name: str) -> None:
    right, found = expected(name), checked(read_one(name))
    hosts = {host.name: host for host in found.hosts}
    assert set(hosts) == set(right["hosts"])
    for key, fields in right["hosts"].items():
        assert hosts[key].cpu_mhz == pytest.approx(fields["cpu_capacity_mhz"])
        for field in (*HOST_FIELDS, "cpu_used_mhz", "in_service"):
            assert getattr(hosts[key], field) == fields[field], (key, field)
        for field in ("cpu_mean_mhz", "cpu_p95_mhz", "cpu_peak_mhz"):
            # GHz have three decimals: 0.514 stands for 514.08 MHz.
            stated = fields.get(field)
            near = None if stated is None else pytest.approx(stated, rel=2e-4)
            assert getattr(hosts[key], field) == near
    in_plan = sorted(
        [vm.name, *(getattr(vm, field) for field in VM_FIELDS)] for vm in found.in_plan
    )
    assert in_plan == sorted(
        [key[2:], *(fields[field] for field in VM_FIELDS)]
        for key, fields in right["vms_in_plan"].items()
    )
    assert {scope.value: n for scope, n in excluded(found).items()} == right["excluded"]
    for cluster, fields in right["clusters"].items():
        here = [vm for vm in found.in_plan if vm.cluster == cluster]
        rows = {host.name for host in found.hosts}
        assert {
            "hosts_listed": sum(host.cluster == cluster for host in found.hosts),
            "hosts_in_service": sum(h.cluster == cluster and h.in_service for h in found.hosts),
            "vms_in_plan": len(here),
            "vcpus": sum(vm.vcpus or 0 for vm in here),
            "memory_mib": sum(vm.memory_mib or 0 for vm in here),
            "vms_without_host_row": sum(vm.host not in rows for vm in here),
        } == fields
    assert found.rules == right["rules"]
    assert {line.split()[0] for line in right["findings"]} <= codes(found)
    assert "FORMAT_EXPERIMENTAL" in codes(found)
    assert len({vm.key for vm in found.vms}) == len(found.vms)


def test_nutanix_disks_of_two_vms_of_one_name_are_not_assigned() -> None:
    found = read_one("nutanix_collector.xlsx")
    disks = {vm.key: vm.disk_mib for vm in found.vms if vm.name in {"app-01", "db-01"}}
    assert sorted(disks.values(), key=str) == [512_000, None, None]


def test_live_optics_says_over_which_time_and_reads_active_memory() -> None:
    found = read_one("liveoptics.xlsx")
    assert any("over 7 days" in each.message for each in found.findings)
    assert {vm.memory_active_mib for vm in found.vms if vm.name == "db-01"} == {20_000}
    assert all(not vm.placeholder or vm.name == "srm-01" for vm in found.vms)
    assert found.identity == "vm_uuid"
    set_scopes(found, include={Scope.POWERED_OFF})
    assert sum(vm.scope is Scope.IN_PLAN for vm in found.vms) == 10


@pytest.mark.parametrize(
    ("names", "options", "vms"),
    [
        (["azure_migrate.csv"], [], 5),
        (["liveoptics.xlsx"], [], 9),
        (["nutanix_collector.xlsx"], [], 9),
        (["liveoptics.xlsx", "vrops_vm_hourly.csv"], ["--tz", VIENNA], 9),
        (["proxmox_cluster_resources.json", "proxmox_node_status.json"], [], 7),
        (
            ["proxmox_cluster_resources.json", "proxmox_node_status.json"],
            ["--include", "containers"],
            8,
        ),
    ],
)
def test_every_format_with_vms_becomes_a_valid_scenario(
    names: list[str], options: list[str], vms: int, tmp_path: Path
) -> None:
    out = tmp_path / "farm"
    files = [str(DATA / name) for name in names]
    assert run_command_line(["import", *files, "-o", str(out), *options, "--quiet"]) == 0
    assert run_command_line(["validate", str(out / "scenario.yaml")]) == 0
    record = json.loads((out / "import.json").read_text("utf-8"))
    told = [each["code"] for each in record["findings"]]
    assert told.count("FORMAT_EXPERIMENTAL") == 1
    rows = (out / "vms.csv").read_text("utf-8").splitlines()
    assert sum("in_plan" in row for row in rows) == vms
    assert any(row.startswith("app-01") for row in rows)


def test_use_of_a_name_that_two_vms_have_is_left_out_and_said(tmp_path: Path) -> None:
    out = tmp_path / "farm"
    names = ["liveoptics.xlsx", "vrops_vm_hourly.csv", "vrops_host_hourly.csv"]
    files = [str(DATA / name) for name in names]
    assert run_command_line(["import", *files, "-o", str(out), "--tz", VIENNA]) == 0
    record = json.loads((out / "import.json").read_text("utf-8"))
    (told,) = [each for each in record["findings"] if each["code"] == "NAME_AMBIGUOUS"]
    assert "app-01" in told["message"]
    assert (out / "vms.csv").read_text("utf-8").count("app-01") == 2
    # Live Optics does not say that esx-a3 is in maintenance, vROps does.
    hosts = (out / "hosts.csv").read_text("utf-8").splitlines()
    (row,) = [line for line in hosts if line.startswith("esx-a3,")]
    assert ",false," in row


def test_the_interval_of_counters_is_an_option(tmp_path: Path) -> None:
    files = [str(DATA / f"virsh_{name}.txt") for name in ("nodeinfo", "domstats_t0", "domstats_t1")]
    out = tmp_path / "farm"
    assert run_command_line(["import", *files, "-o", str(out), "--interval", "5 min"]) == 0
    table = (out / "vms.csv").read_text("utf-8")
    assert ",0.375," in table
