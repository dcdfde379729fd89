"""Nutanix Collector: workbooks with the sheets vHosts, vCPU, vMemory, vDisk.

Memory of hosts is in GB, which means GiB. Sheets are joined by name, cluster and host; vDisk has
names only.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from ..errors.problems import refuse
from ..inventory.findings import Finding, Severity
from ..inventory.identity import Identities, VmIds
from ..inventory.inventory import Host, Inventory, Vm
from ..inventory_files.columns import Quantity, ReadOptions
from ..inventory_files.header_units import in_units_of
from ..inventory_files.headers import Aliases, find_table
from ..inventory_files.sheets import InputFile
from ..inventory_files.sources import begun
from ..inventory_files.table_reader import TableReader

NAME: Final = "Nutanix Collector"
_VM: Final[Aliases] = {
    "name": ("VM Name",),
    "power_state": ("Power State",),
    "datacentre": ("Datacenter Name",),
    "cluster": ("Cluster Name",),
    "host": ("Host Name",),
    "template": ("Template",),
}
_SHEETS: Final[Mapping[str, Aliases]] = {
    "vHosts": {
        "name": ("Host Name",),
        "cluster": ("Cluster Name",),
        "datacentre": ("Datacenter Name",),
        "cpu_model": ("CPU Model",),
        "clock": ("CPU Speed", "CPU Speed (MHz)"),
        "sockets": ("CPUs",),
        "cores_per_socket": ("Cores per CPU",),
        "cores": ("CPU Cores",),
        "memory": ("Memory Size", "Memory Size (GB)", "Memory Size (GiB)", "Memory Size (MiB)"),
        "vms": ("VMs",),
    },
    "vCPU": {**_VM, "vcpus": ("vCPUs",)},
    "vMemory": {**_VM, "memory": ("Size (MiB)", "Size (MB)")},
    "vDisk": {**_VM, "capacity": ("Capacity (MiB)", "Capacity (MB)")},
}
_LEAST: Final = {"vDisk": 2}
_REQUIRED: Final = {
    "vHosts": ("name", "memory"),
    "vCPU": ("name", "vcpus"),
    "vMemory": ("name", "memory"),
    "vDisk": ("name", "capacity"),
}
_QUANTITIES: Final = {
    "clock": Quantity("MHz", "MHz", least=100, most=20_000, usual=(500, 10_000)),
    "sockets": Quantity(least=1, most=64, whole=True),
    "cores_per_socket": Quantity(least=1, most=1024, whole=True),
    "cores": Quantity(least=1, most=4096, usual=(1, 1024), whole=True),
    "memory": Quantity("MiB", "GB", least=256, most=2.0**28, usual=(1024, 2.0**26)),
    "vms": Quantity(most=1e6),
}
_SIZES: Final = {
    "vcpus": Quantity(most=1024, usual=(1, 256), whole=True),
    "memory": Quantity("MiB", "MiB", most=2.0**26, usual=(64, 2.0**22)),
    "capacity": Quantity("MiB", "MiB", most=2.0**36),
}


def recognise(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Return the workbooks of Nutanix Collector, each alone."""
    return [[file] for file in files if _is_collector(file)]


def _is_collector(file: InputFile) -> bool:
    """Whether a workbook has the sheet vHosts with headers that are known, and vCPU."""
    sheet = file.sheet("vHosts") if file.kind == "workbook" else None
    if sheet is None or file.sheet("vCPU") is None:
        return False
    return find_table(sheet, _SHEETS["vHosts"]) is not None


def read(group: Sequence[InputFile], options: ReadOptions) -> Inventory:
    """Return the hosts and VMs of one workbook."""
    inventory = begun(group, NAME, experimental=True)
    findings = inventory.findings
    readers = {name: _reader(group[0], name, findings, options) for name in _SHEETS}
    hosts, vms = readers["vHosts"], readers["vCPU"]
    if hosts is None or vms is None:
        raise refuse(
            group[0].shown,
            "the sheets vHosts and vCPU need the columns "
            + ", ".join(
                " or ".join(_SHEETS[sheet][field])
                for sheet in ("vHosts", "vCPU")
                for field in _REQUIRED[sheet]
            ),
        )
    inventory.hosts += _hosts(hosts)
    ids, kept = _named(vms, findings)
    rows = [vms.table.where(at) for at in kept]
    links = Identities(ids, rows)
    findings += links.findings()
    inventory.identity = links.identity
    memory = _joined(readers["vMemory"], "memory", links, len(kept))
    disks = _joined(readers["vDisk"], "capacity", links, len(kept), total=True)
    vcpus, states, templates = vms.whole("vcpus"), vms.texts("power_state"), vms.truths("template")
    datacentres = vms.texts("datacentre")
    for number, (at, key) in enumerate(zip(kept, links.keys(), strict=True)):
        inventory.vms.append(
            Vm(
                key=key,
                name=ids[number].name,
                row=rows[number],
                cluster=ids[number].cluster,
                host=ids[number].host,
                datacentre=datacentres[at],
                vcpus=vcpus[at] or None,
                memory_mib=memory[number] or None,
                disk_mib=disks[number],
                power_state=states[at],
                template=bool(templates[at]),
            )
        )
    findings += _told_of(group[0], inventory, readers["vDisk"])
    return inventory


def _reader(
    file: InputFile, name: str, findings: list[Finding], options: ReadOptions
) -> TableReader | None:
    """Return the table of a sheet; None, with a finding, if it is not as expected."""
    sheet = file.sheet(name)
    table = find_table(sheet, _SHEETS[name], _LEAST.get(name, 3)) if sheet is not None else None
    if table is None or table.missing(_REQUIRED[name]):
        tried = "; ".join(" or ".join(_SHEETS[name][field]) for field in _REQUIRED[name])
        findings.append(
            Finding(
                "SIDE_SHEET_UNREADABLE",
                Severity.WARNING,
                f"{file.name}, {name}",
                f"the sheet is missing or lacks columns; tried {tried}",
                "what it would say is unknown",
            )
        )
        return None
    quantities = in_units_of(table, _QUANTITIES if name == "vHosts" else _SIZES)
    return TableReader(table, quantities, findings, options)


def _hosts(reader: TableReader) -> list[Host]:
    """Return the hosts of the sheet vHosts."""
    names, models = reader.texts("name"), reader.texts("cpu_model")
    clusters, datacentres = reader.texts("cluster"), reader.texts("datacentre")
    sockets, per_socket = reader.whole("sockets"), reader.whole("cores_per_socket")
    cores, clock, memory = reader.whole("cores"), reader.numbers("clock"), reader.numbers("memory")
    vms = reader.numbers("vms")
    hosts = []
    for at, name in enumerate(names):
        if not name:
            continue
        product = (sockets[at] or 0) * (per_socket[at] or 0)
        hosts.append(
            Host(
                name=name,
                row=reader.table.where(at),
                cluster=clusters[at],
                datacentre=datacentres[at],
                cpu_model=models[at],
                sockets=sockets[at],
                cores=cores[at] or product or None,
                clock_mhz=clock[at],
                memory_mib=memory[at],
                stated={} if (count := vms[at]) is None else {"vms": count},
            )
        )
    return hosts


def _named(reader: TableReader, findings: list[Finding]) -> tuple[list[VmIds], list[int]]:
    """Return what tells the VMs of a sheet apart, and the rows that have a name."""
    names, clusters, hosts = (reader.texts(field) for field in ("name", "cluster", "host"))
    kept = [at for at, name in enumerate(names) if name]
    if len(kept) < len(names):
        findings.append(
            Finding(
                "VM_WITHOUT_NAME",
                Severity.WARNING,
                reader.table.sheet.where,
                f"{len(names) - len(kept):,} of {len(names):,} rows have no name",
                "they are left out",
            )
        )
    return [VmIds(names[at] or "", clusters[at], hosts[at]) for at in kept], kept


def _joined(
    reader: TableReader | None, field: str, links: Identities, count: int, total: bool = False
) -> list[float | None]:
    """Return the values of a sheet by VM (count,), or the sum of several rows of one VM."""
    found: list[float | None] = [None] * count
    if reader is None:
        return found
    columns = [reader.texts(name) for name in ("name", "cluster", "host")]
    for value, name, cluster, host in zip(reader.numbers(field), *columns, strict=True):
        vm = links.find(VmIds(name or "", cluster, host))
        if vm is not None and value is not None:
            found[vm] = (found[vm] or 0.0) + value if total else value
    return found


def _told_of(file: InputFile, inventory: Inventory, disks: TableReader | None) -> list[Finding]:
    """Return what is to be told of such a workbook."""
    findings = [
        Finding(
            "NO_USE",
            Severity.WARNING,
            file.name,
            "no CPU use in the file",
            "CPU is sized by vCPUs only",
        )
    ]
    bare = [vm for vm in inventory.vms if vm.disk_mib is None]
    if disks is not None and bare:
        names = ", ".join(sorted({vm.name for vm in bare})[:5])
        findings.append(
            Finding(
                "DISK_UNKNOWN",
                Severity.INFO,
                disks.table.sheet.where,
                f"{len(bare):,} VMs have no disk that belongs to them alone: {names}",
                "vDisk has names only: disks of VMs of one name are not assigned",
                tuple(vm.key for vm in bare),
            )
        )
    return findings
