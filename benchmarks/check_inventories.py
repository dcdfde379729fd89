"""Recompute by hand what a planner checks first in three public RVTools workbooks.

``python benchmarks/check_inventories.py`` prints the figures as JSON; farmsim is not used, only a
reader of workbooks and sums, so that they can be held against what ``farmsim import``,
``size``, ``failover`` and ``headroom`` say. ``--workbooks FOLDER`` takes other copies of the files.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook

WORKBOOKS = Path(__file__).parents[1] / "tests" / "data" / "inventory"
FILES = ("rvtools_enterprise_805vm.xlsx", "rvtools_next_131vm.xlsx", "rvtools_format_v4_small.xlsx")

TARGET = {"cores": 64, "clock_ghz": 2.8, "memory_mib": 1024 * 1024, "usable": 0.95}
"""The server that farms are sized for: two sockets of 32 cores."""
CPU_LIMIT, RATIO, RATIO_FAILED = 0.75, 4.0, 6.0
Row = dict[str, Any]


def rows_of(path: Path, sheet: str) -> list[Row]:
    """Return the rows of a sheet whose first row has the headers."""
    header, *rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_name(sheet).to_python()
    names = [str(each).strip() for each in header]
    return [dict(zip(names, row, strict=True)) for row in rows if any(cell != "" for cell in row)]


def running(vms: Iterable[Row]) -> list[Row]:
    """Return the VMs that are powered on, no templates, and of known size."""
    return [
        vm
        for vm in vms
        if vm["Powerstate"] == "poweredOn"
        and str(vm["Template"]).lower() != "true"
        and vm["CPUs"]
        and vm["Memory"]
    ]


def ghz(host: Row) -> float:
    """Return the capacity of a host: physical cores times clock."""
    return float(host["# Cores"]) * float(host["Speed"]) / 1000


def cluster_figures(name: str, vms: list[Row], hosts: list[Row]) -> Row:
    """Return what a planner adds up of one cluster, and the share of memory without one host."""
    listed = {host["Host"] for host in hosts}
    memory = [float(host["# Memory"]) for host in hosts]
    used = sum(float(vm["Memory"] or 0) for vm in vms)
    missing = [vm for vm in vms if vm["Host"] not in listed]
    whole = bool(hosts) and not missing
    left = sum(memory) - max(memory, default=0.0)
    return {
        "cluster": name,
        "vms": len(vms),
        "vcpus": int(sum(float(vm["CPUs"] or 0) for vm in vms)),
        "memory_mib": int(used),
        "hosts": len(hosts),
        "host_memory_mib": int(sum(memory)),
        "cores": int(sum(float(host["# Cores"]) for host in hosts)),
        "ghz": round(sum(ghz(host) for host in hosts), 3),
        "used_ghz": round(sum(ghz(host) * float(host["CPU usage %"]) / 100 for host in hosts), 4),
        "vms_without_host_row": len(missing),
        "vcpus_without_host_row": int(sum(float(vm["CPUs"] or 0) for vm in missing)),
        "memory_share": used / sum(memory) if whole else None,
        "memory_share_less_one": used / left if whole and left else None,
    }


def used_by_vm(path: Path, on: list[Row]) -> float | None:
    """Return the CPU in use of the VMs by their own sheet, in GHz; None without that sheet."""
    if "vCPU" not in CalamineWorkbook.from_path(str(path)).sheet_names:
        return None
    names = {vm["VM"] for vm in on}
    rows = [row for row in rows_of(path, "vCPU") if row["VM"] in names]
    return sum(float(row["Overall"] or 0) for row in rows) / 1000


def size_figures(clusters: list[Row], by_vm_ghz: float | None) -> Row:
    """Return how many target hosts memory, vCPUs and CPU ask for if any one of them may fail.

    CPU use is that of the VMs, else that of the hosts; then VMs on hosts without a row count with
    the CPU use per vCPU of the others of their cluster.
    """
    memory_mib = sum(each["memory_mib"] for each in clusters)
    vcpus = sum(each["vcpus"] for each in clusters)
    used_ghz, estimated_ghz = sum(each["used_ghz"] for each in clusters), 0.0
    for each in clusters:
        known = each["vcpus"] - each["vcpus_without_host_row"]
        if known and by_vm_ghz is None:
            estimated_ghz += each["used_ghz"] / known * each["vcpus_without_host_row"]
    used_ghz = used_ghz if by_vm_ghz is None else by_vm_ghz
    usable_mib = math.floor(TARGET["memory_mib"] * TARGET["usable"])
    host_ghz = TARGET["cores"] * TARGET["clock_ghz"]
    need_ghz = used_ghz + estimated_ghz

    def cpu_hosts(factor: float) -> int:
        return math.ceil(need_ghz * factor / (host_ghz * CPU_LIMIT)) + 1

    by_memory = math.ceil(memory_mib / usable_mib) + 1
    return {
        "hosts_by_memory": by_memory,
        "hosts_by_vcpus": math.ceil(vcpus / (RATIO * TARGET["cores"])),
        "hosts_by_vcpus_less_one": math.ceil(vcpus / (RATIO_FAILED * TARGET["cores"])) + 1,
        "used_ghz": round(used_ghz, 4),
        "estimated_ghz": round(estimated_ghz, 4),
        "hosts_by_cpu": {str(factor): cpu_hosts(factor) for factor in (1.0, 1.25, 2.25, 4.0, 7.0)},
        "cpu_break_even": round((by_memory - 1) * host_ghz * CPU_LIMIT / need_ghz, 4)
        if need_ghz
        else None,
    }


def figures(path: Path) -> Row:
    """Return all figures of one workbook."""
    vms, hosts = rows_of(path, "vInfo"), rows_of(path, "vHost")
    on = running(vms)
    vms_of, hosts_of = defaultdict(list), defaultdict(list)
    for vm in on:
        vms_of[vm["Cluster"]].append(vm)
    for host in hosts:
        hosts_of[host["Cluster"]].append(host)
    names = sorted({*vms_of, *hosts_of})
    clusters = [cluster_figures(name, vms_of[name], hosts_of[name]) for name in names]
    return {
        "file": path.name,
        "rows": len(vms),
        "in_plan": len(on),
        "vcpus": int(sum(float(vm["CPUs"] or 0) for vm in on)),
        "memory_mib": int(sum(float(vm["Memory"] or 0) for vm in on)),
        "clusters": clusters,
        "size": size_figures(clusters, used_by_vm(path, on)),
    }


def main() -> None:
    """Print the figures of the workbooks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workbooks", type=Path, default=WORKBOOKS, metavar="FOLDER")
    folder = parser.parse_args().workbooks
    print(json.dumps([figures(folder / name) for name in FILES], indent=1))


if __name__ == "__main__":
    main()
