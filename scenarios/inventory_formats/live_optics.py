"""Live Optics: workbooks VMWARE (sheets ESX Hosts, ESX Performance, VMs) and GENERAL (Servers).

CPU is known by host only: mean, peak and, in newer files, the 95th percentile over the time of
the collection. They are kept as they are: 0.95 x peak is no percentile, and peaks of hosts do not
add up to the peak of the farm.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from ..errors.problems import refuse
from ..inventory.findings import Finding, Severity
from ..inventory.identity import Identities
from ..inventory.inventory import Host, Inventory, Vm
from ..inventory_files.cells import text
from ..inventory_files.columns import ReadOptions
from ..inventory_files.header_units import in_units_of
from ..inventory_files.headers import Table, find_table, refuse_missing
from ..inventory_files.sheets import InputFile
from ..inventory_files.sources import begun
from ..inventory_files.table_reader import TableReader
from .live_optics_columns import QUANTITIES, REQUIRED, SHEETS, ids_of

NAME: Final = "Live Optics"
_MAIN: Final = ("ESX Hosts", "Servers")


def _table(file: InputFile, name: str) -> Table | None:
    """Return the table in a sheet of a workbook, None if it has none with known headers."""
    sheet = file.sheet(name)
    return None if sheet is None else find_table(sheet, SHEETS[name])


def recognise(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Return the workbooks of Live Optics, each alone."""
    books = [file for file in files if file.kind == "workbook"]
    return [[file] for file in books if any(_table(file, name) is not None for name in _MAIN)]


def read(group: Sequence[InputFile], options: ReadOptions) -> Inventory:
    """Return the inventory in one workbook."""
    (file,) = group
    tables = {name: table for name in SHEETS if (table := _table(file, name)) is not None}
    refuse_missing((table, REQUIRED[name]) for name, table in tables.items())
    dialect = "VMWARE" if "ESX Hosts" in tables else "GENERAL"
    inventory = begun(group, NAME, dialect, experimental=True)
    findings = inventory.findings
    readers = {
        name: TableReader(table, in_units_of(table, QUANTITIES[name]), findings, options)
        for name, table in tables.items()
    }
    if "ESX Hosts" in readers:
        inventory.hosts += _hosts(readers["ESX Hosts"])
        _add_statistics(inventory, file, readers.get("ESX Performance"))
    if "VMs" in readers:
        inventory.vms += _vms(readers["VMs"], inventory)
    if "Servers" in readers:
        inventory.vms += _servers(readers["Servers"], findings)
    if "ESX Hosts" in readers and "VMs" not in readers:
        findings.append(
            Finding(
                "SHEET_MISSING",
                Severity.WARNING,
                file.name,
                "has no sheet VMs with headers that are known",
                "there is nothing to plan; give a table of VMs as well",
            )
        )
    if not inventory.hosts and not inventory.vms:
        raise refuse(file.shown, "has neither hosts nor servers below its headers")
    return inventory


def _hosts(reader: TableReader) -> list[Host]:
    """Return the hosts. ``Net Clock Speed`` is that of all cores together."""
    texts = {
        name: reader.texts(name)
        for name in ("name", "cluster", "vendor", "model", "cpu_model", "datacentre")
    }
    sockets, cores, threads = (reader.whole(name) for name in ("sockets", "cores", "threads"))
    clock, net, memory = (reader.numbers(name) for name in ("clock", "net_clock", "memory"))
    hosts = []
    for at, name in enumerate(texts["name"]):
        if not name:
            continue
        all_cores, count = net[at], cores[at]
        of_one = all_cores / count if all_cores and count else None
        hosts.append(
            Host(
                name=name,
                row=reader.table.where(at),
                cluster=texts["cluster"][at],
                datacentre=texts["datacentre"][at],
                vendor=texts["vendor"][at],
                model=texts["model"][at],
                cpu_model=texts["cpu_model"][at],
                sockets=sockets[at],
                cores=count,
                threads=threads[at],
                clock_mhz=round(clock[at] or of_one or 0.0, 6) or None,
                memory_mib=memory[at],
            )
        )
    return hosts


def _add_statistics(inventory: Inventory, file: InputFile, reader: TableReader | None) -> None:
    """Add mean, 95th percentile and peak of the CPU of each host."""
    found = {} if reader is None else _statistics(reader)
    for row, host in enumerate(inventory.hosts):
        stated = found.get(host.name, {})
        inventory.hosts[row] = dataclasses.replace(
            host,
            cpu_mean_mhz=_mhz(host, stated, "mean"),
            cpu_p95_mhz=_mhz(host, stated, "p95"),
            cpu_peak_mhz=_mhz(host, stated, "peak"),
        )
    where = f"{file.name}, ESX Performance"
    hosts = inventory.hosts
    if not any(host.cpu_mean_mhz is not None or host.cpu_peak_mhz is not None for host in hosts):
        inventory.findings.append(
            Finding(
                "NO_USE", Severity.WARNING, where, "no CPU use in the file",
                "CPU is sized by vCPUs only",
            )
        )  # fmt: skip
        return
    inventory.findings += _told_of(where, hosts, _duration(file))


def _statistics(reader: TableReader) -> dict[str, dict[str, float | None]]:
    """Return what the sheet states of each host."""
    names = reader.texts("name")
    columns = {name: reader.numbers(name) for name in QUANTITIES["ESX Performance"]}
    return {
        name: {field: values[at] for field, values in columns.items()}
        for at, name in enumerate(names)
        if name
    }


def _mhz(host: Host, stated: Mapping[str, float | None], statistic: str) -> float | None:
    """Return a statistic in MHz: as stated, or its share of the host, which is less exact."""
    value = stated.get(f"{statistic}_mhz")
    if value is not None:
        return round(value, 6)
    share = stated.get(f"{statistic}_share")
    return None if share is None or host.cpu_mhz is None else share / 100 * host.cpu_mhz


def _duration(file: InputFile) -> str:
    """Return how long was measured, as the sheet Details states it; empty if it does not."""
    sheet = file.sheet("Details")
    for row in sheet.rows if sheet is not None else ():
        if len(row) > 1 and (text(row[0]) or "").rstrip(":").casefold() == "duration":
            return text(row[1]) or ""
    return ""


def _told_of(where: str, hosts: Sequence[Host], duration: str) -> list[Finding]:
    """Return what is to be told of statistics by host."""
    has_p95 = any(host.cpu_p95_mhz is not None for host in hosts)
    kinds = "mean, P95, peak" if has_p95 else "mean, peak"
    findings = [
        Finding(
            "HOST_STATISTICS_ONLY",
            Severity.INFO,
            where,
            f"{kinds} by host{f' over {duration}' if duration else ''}; no series",
            "the CPU use of single VMs and its course over time are unknown",
        ),
        Finding(
            "SUM_OF_PEAKS_IS_NOT_PEAK_OF_SUM",
            Severity.INFO,
            where,
            "host peaks are not added",
            "the peak of the farm lies between the sum of means and the sum of peaks",
        ),
    ]
    if not has_p95:
        findings.append(
            Finding(
                "CPU_P95_ABSENT",
                Severity.WARNING,
                where,
                "the file has no 95th percentile of CPU",
                "it lies between mean and peak; no share of the peak is taken for it",
            )
        )
    return findings


def _vms(reader: TableReader, inventory: Inventory) -> list[Vm]:
    """Return the VMs of the sheet VMs."""
    ids = ids_of(reader)
    kept = [at for at, each in enumerate(ids) if each.name]
    rows = [reader.table.where(at) for at in kept]
    links = Identities([ids[at] for at in kept], rows)
    inventory.identity = links.identity
    inventory.findings += links.findings()
    texts = {name: reader.texts(name) for name in ("power_state", "os", "datacentre")}
    running, template = reader.truths("running"), reader.truths("template")
    placeholder, vcpus = reader.truths("placeholder"), reader.whole("vcpus")
    memory, active = reader.numbers("memory"), reader.numbers("active")
    consumed, disk = reader.numbers("consumed"), reader.numbers("disk")
    vms = []
    for number, (at, key) in enumerate(zip(kept, links.keys(), strict=True)):
        state = texts["power_state"][at]
        if state is None and running[at] is not None:
            state = "poweredOn" if running[at] else "poweredOff"
        vms.append(
            Vm(
                key=key,
                name=ids[at].name,
                row=rows[number],
                cluster=ids[at].cluster,
                host=ids[at].host,
                datacentre=texts["datacentre"][at],
                source_id=links.source_id(number),
                vcpus=vcpus[at] or None,
                memory_mib=memory[at] or None,
                disk_mib=disk[at],
                power_state=state,
                template=bool(template[at]),
                placeholder=bool(placeholder[at]),
                memory_active_mib=active[at],
                memory_consumed_mib=consumed[at],
                os=texts["os"][at],
            )
        )
    return vms


def _servers(reader: TableReader, findings: list[Finding]) -> list[Vm]:
    """Return physical servers, each as a VM with as many vCPUs as it has cores."""
    ids = ids_of(reader)
    kept = [at for at, each in enumerate(ids) if each.name]
    rows = [reader.table.where(at) for at in kept]
    links = Identities([ids[at] for at in kept], rows)
    findings += links.findings()
    cores, clock, memory = reader.whole("cores"), reader.numbers("clock"), reader.numbers("memory")
    peak, disk, os = reader.numbers("memory_peak"), reader.numbers("disk_used"), reader.texts("os")
    servers = [
        Vm(
            key=key,
            name=ids[at].name,
            row=rows[number],
            vcpus=cores[at] or None,
            clock_mhz=clock[at],
            memory_mib=memory[at] or None,
            memory_consumed_mib=peak[at],
            disk_mib=disk[at],
            os=os[at],
        )
        for number, (at, key) in enumerate(zip(kept, links.keys(), strict=True))
    ]
    if servers:
        findings.append(
            Finding(
                "PHYSICAL_SERVERS",
                Severity.INFO,
                reader.table.sheet.where,
                f"{len(servers):,} physical servers are taken as VMs, a vCPU for each core",
                "their CPU use is not in this sheet: it is unknown",
            )
        )
    return servers
