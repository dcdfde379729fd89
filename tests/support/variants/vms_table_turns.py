"""Cases that turn the fields of a farm whose VMs and hosts are listed one by one."""

from pathlib import Path
from typing import Any

Changes = dict[str, Any]
Turns = dict[str, tuple[Changes, Changes]]

HEADER = "vm,vcpus,clock_mhz,memory_mib,host,group"


def listed(name: str = "vms.csv") -> Changes:
    """VMs of a table, at a constant load."""
    source = {"type": "constant", "utilisation": "30 %"}
    return {"workload": {"vms_file": name, "source": source}}


def vms_table_turns() -> Turns:
    hosts = {"name": "x", "server": "hp_ml110_g4", "memory": "64 GiB"}
    named = [f"esx-{row}" for row in range(24)]
    listed_here = listed()
    small = {**listed_here, "farm.hosts.0.memory": "8 GiB", "farm.hosts.1.memory": "8 GiB"}
    return {
        "farm.hosts[].ceilings.cpu": (
            listed_here, {**listed_here, "farm.hosts.0.ceilings": {"cpu": "40 %"}},
        ),
        "farm.hosts[].ceilings.memory": (
            small, {**small, "farm.hosts.0.ceilings": {"memory": "30 %"}},
        ),
        "farm.hosts[].names": ({}, {"farm.hosts": [hosts | {"names": named}]}),
        "farm.hosts[].in_service": ({}, {"farm.hosts.0.in_service": False}),
        "workload.vms_file": (listed(), listed("other-vms.csv")),
    }  # fmt: skip


def write_vms_tables(folder: Path) -> None:
    """Write the tables that the turns name."""
    groups = ["", "", "front", "front", "", "", "", ""]
    rows = [f"web-{row},2,1000,2048,x-{row + 1:02},{group}" for row, group in enumerate(groups)]
    (folder / "vms.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (folder / "other-vms.csv").write_text("\n".join([HEADER, *rows[:5]]) + "\n")
