"""Cases that turn the fields of load made of a snapshot."""

from pathlib import Path
from typing import Any

Changes = dict[str, Any]
Turns = dict[str, tuple[Changes, Changes]]

SUMS = [
    {
        "mhz": f"{200 * (number + 1)} MHz",
        "at": f"Mon {9 + (number + 1) // 2}:00",
        "cluster": f"c{number % 2}",
    }
    for number in range(12)
]


def snapshot(**values: Any) -> Changes:
    """VMs of a table that is known at one instant."""
    source = {"type": "snapshot"} | values
    return {"run.duration": "1 d", "workload": {"vms_file": "used.csv", "source": source}}


def without(key: str) -> Changes:
    return snapshot(snapshots=[{k: v for k, v in each.items() if k != key} for each in SUMS])


def snapshot_turns() -> Turns:
    where, sums = "workload.source<snapshot>.", SUMS
    constant = {"type": "constant", "utilisation": "30 %"}
    return {
        f"{where}type": (
            snapshot(), snapshot() | {"workload": {"vms_file": "used.csv", "source": constant}},
        ),
        f"{where}profile": (snapshot(), snapshot(profile="batch")),
        f"{where}factor": (snapshot(), snapshot(factor=2.5)),
        f"{where}at": (snapshot(at="Mon 09:00"), snapshot(at="2026-03-07 21:10")),
        f"{where}recorded": (snapshot(factor=1.5), snapshot(factor=1.5, recorded="mean")),
        f"{where}unknown": (snapshot(), snapshot(unknown="20 %")),
        f"{where}hosts_file": (snapshot(), snapshot(hosts_file="hosts.csv")),
        f"{where}snapshots[].mhz": (
            snapshot(snapshots=sums),
            snapshot(snapshots=[*sums[:-1], sums[-1] | {"mhz": "9 GHz"}]),
        ),
        f"{where}snapshots[].at": (snapshot(snapshots=sums), without("at")),
        f"{where}snapshots[].cluster": (snapshot(snapshots=sums), without("cluster")),
    }  # fmt: skip


def write_snapshot_tables(folder: Path) -> None:
    """Write the tables that the turns name: VMs of a known, a shared and an unknown use."""
    rows = [f"web-{row},2,1000,2048,,{300 + 50 * row}," for row in range(4)]
    rows += [f"db-{row},2,1000,2048,esx-1,," for row in range(3)]
    rows += ["new,2,1000,2048,,,lonely"]
    header = "vm,vcpus,clock_mhz,memory_mib,host,cpu_used_mhz,cluster"
    (folder / "used.csv").write_text("\n".join([header, *rows]) + "\n")
    (folder / "hosts.csv").write_text("host,cpu_used_mhz\nesx-1,3500\n")
