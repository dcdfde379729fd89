"""A table of VMs with the columns of the import template of Azure Migrate, as CSV or workbook.

It lists servers only. Sizes in MB and GB mean powers of 1,024. What the CPU utilisation is a
percentile of is not stated.
"""

import re
from collections.abc import Sequence
from typing import Final

from ..errors.problems import refuse
from ..inventory.findings import Finding, Severity
from ..inventory.identity import Identities, VmIds
from ..inventory.inventory import Inventory, Vm
from ..inventory_files.columns import Column, Quantity, ReadOptions, numbers
from ..inventory_files.header_units import in_units_of
from ..inventory_files.headers import Aliases, Table, find_table
from ..inventory_files.sheets import InputFile
from ..inventory_files.sources import begun
from ..inventory_files.table_reader import TableReader

NAME: Final = "Azure Migrate"
_ALIASES: Final[Aliases] = {
    "name": ("*Server name", "Server name"),
    "vcpus": ("*Cores", "Cores"),
    "memory": ("*Memory (In MB)", "Memory (In MB)"),
    "os": ("*OS name", "OS name"),
    "version": ("OS version",),
    "type": ("Server type",),
    "hypervisor": ("Hypervisor",),
    "cpu": ("CPU utilization percentage",),
    "memory_share": ("Memory utilization percentage",),
    "storage": ("Storage in use (In GB)",),
    "disks": ("Number of disks",),
    "cluster": ("Cluster",),
    "host": ("Host",),
}
_REQUIRED: Final = ("name", "vcpus", "memory")
_QUANTITIES: Final = {
    "vcpus": Quantity(most=1024, usual=(1, 256), whole=True),
    "memory": Quantity("MiB", "MB", most=2.0**26, usual=(128, 2.0**22)),
    "cpu": Quantity("%", "%", most=100),
    "memory_share": Quantity("%", "%", most=100),
    "storage": Quantity("MiB", "GB", most=2.0**36),
}
_DISK: Final = re.compile(r"disk \d+ size \(in gb\)", re.IGNORECASE)
_DISK_SIZE: Final = Quantity("MiB", "GB", most=2.0**36)


def _table(file: InputFile) -> Table | None:
    """Return the table of servers in a file, None if it has none."""
    if file.kind not in {"table", "workbook"}:
        return None
    for sheet in file.sheets:
        table = find_table(sheet, _ALIASES)
        if table is not None and not table.missing(_REQUIRED):
            return table
    return None


def recognise(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Return the tables of servers, each alone."""
    return [[file] for file in files if _table(file) is not None]


def read(group: Sequence[InputFile], options: ReadOptions) -> Inventory:
    """Return the servers of one table."""
    inventory = begun(group, NAME, experimental=True)
    table = _table(group[0])
    if table is None:
        raise refuse(group[0].shown, f"has no table of {NAME}")
    quantities = in_units_of(table, _QUANTITIES)
    reader = TableReader(table, quantities, inventory.findings, options)
    names = reader.texts("name")
    kept = [at for at, name in enumerate(names) if name]
    if len(kept) < len(names):
        inventory.findings.append(_nameless(table, len(names) - len(kept)))
    clusters, hosts = reader.texts("cluster"), reader.texts("host")
    rows = [table.where(at) for at in kept]
    links = Identities([VmIds(names[at] or "", clusters[at], hosts[at]) for at in kept], rows)
    inventory.findings += links.findings()
    inventory.identity = links.identity
    vcpus, memory = reader.whole("vcpus"), reader.numbers("memory")
    cpu, used = reader.numbers("cpu"), reader.numbers("memory_share")
    disk, storage = _disks(table, inventory, options), reader.numbers("storage")
    os, version = reader.texts("os"), reader.texts("version")
    for number, (at, key) in enumerate(zip(kept, links.keys(), strict=True)):
        share, size = cpu[at], memory[at] or None
        in_use = used[at]
        inventory.vms.append(
            Vm(
                key=key,
                name=names[at] or "",
                row=rows[number],
                cluster=clusters[at],
                host=hosts[at],
                vcpus=vcpus[at] or None,
                memory_mib=size,
                disk_mib=disk[at] if disk[at] is not None else storage[at],
                cpu_share=None if share is None else round(share / 100, 12),
                memory_consumed_mib=None if in_use is None or not size else size * in_use / 100,
                os=" ".join(part for part in (os[at], version[at]) if part) or None,
            )
        )
    if any(storage[at] is not None and disk[at] is None for at in kept):
        inventory.findings.append(
            Finding(
                "DISK_IN_USE",
                Severity.INFO,
                table.where_header,
                "sizes of disks are not given for all VMs: storage in use is taken for them",
                "their disks are larger",
            )
        )
    inventory.findings += _told_of(table, inventory.vms)
    return inventory


def _disks(table: Table, inventory: Inventory, options: ReadOptions) -> list[float | None]:
    """Return the sum of the disks of each row in MiB, None where none is given."""
    total: list[float | None] = [None] * len(table)
    for place, header in enumerate(table.headers):
        if not _DISK.fullmatch(header.strip()):
            continue
        cells = [row[place] if place < len(row) else None for row in table.rows]
        column = Column(table.sheet.where, table.sheet.name, header, cells, table.row_numbers)
        for at, size in enumerate(numbers(column, _DISK_SIZE, inventory.findings, options)):
            if size is not None:
                total[at] = (total[at] or 0.0) + size
    return total


def _nameless(table: Table, count: int) -> Finding:
    """Tell of rows without a name."""
    return Finding(
        "VM_WITHOUT_NAME",
        Severity.WARNING,
        table.sheet.where,
        f"{count:,} row has no server name" if count == 1 else f"{count:,} rows have no name",
        "they are left out",
    )


def _told_of(table: Table, vms: Sequence[Vm]) -> list[Finding]:
    """Return what is to be told of use in such a table."""
    findings = []
    without = [vm for vm in vms if vm.cpu_share is None]
    if without:
        names = ", ".join(vm.name for vm in without[:5]) + (" …" if len(without) > 5 else "")
        findings.append(
            Finding(
                "CPU_ABSENT",
                Severity.WARNING,
                table.where_header,
                f"{len(without):,} of {len(vms):,} VMs have no CPU utilisation: {names}",
                "their CPU use is unknown, not 0",
                tuple(vm.key for vm in without),
            )
        )
    if len(without) < len(vms):
        findings.append(
            Finding(
                "PERCENTILE_UNKNOWN",
                Severity.WARNING,
                table.where_header,
                "what the utilisation percentage is a percentile of, and over which time, is not "
                "stated",
                "it is taken as the use at one instant",
            )
        )
    return findings
