"""Hosts and clusters of RVTools: the sheets vHost and vCluster."""

from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Cluster, Host
from ..inventory_files.table_reader import TableReader

_STATED = {
    "vms": "vms", "vcpus": "vcpus", "vram": "vram_mib",
    "swapped": "swapped_mib", "ballooned": "ballooned_mib",
}  # fmt: skip
"""Columns that state sums over the VMs of a host, and what :class:`Host` calls them."""


def hosts_of(reader: TableReader | None, findings: list[Finding]) -> list[Host]:
    """Return the hosts in vHost; rows without a name get a finding.

    ``CPU usage %`` and ``Memory usage %`` are whole percents of one instant: use is that share of
    all cores at their nominal clock, and of the memory. Raises InputError.
    """
    if reader is None:
        return []
    if not reader.has("maintenance"):
        findings.append(
            Finding(
                "COLUMN_ABSENT",
                Severity.INFO,
                reader.table.where_header,
                "no column tells maintenance mode: all hosts are taken as in service",
            )
        )
    texts = {
        name: reader.texts(name)
        for name in ("name", "cluster", "datacentre", "server", "uuid", "vendor", "model",
                     "cpu_model", "cpu_baseline", "hypervisor")
    }  # fmt: skip
    sockets, cores = reader.whole("sockets"), _cores(reader)
    speed, memory = reader.numbers("speed"), reader.numbers("memory")
    cpu_usage, memory_usage = reader.numbers("cpu_usage"), reader.numbers("memory_usage")
    hyper_threads, maintenance = reader.truths("ht_active"), reader.truths("maintenance")
    quarantine = reader.truths("quarantine")
    stated = {key: reader.numbers(name) for name, key in _STATED.items()}
    hosts = []
    for at in range(len(reader)):
        name = texts["name"][at]
        if name is None:
            findings.append(_nameless(reader, at, "host"))
            continue
        core, clock, size = cores[at], speed[at], memory[at]
        capacity = None if core is None or clock is None else core * clock
        threads = 2 if hyper_threads[at] else 1
        hosts.append(
            Host(
                name=name,
                row=reader.table.where(at),
                cluster=texts["cluster"][at],
                datacentre=texts["datacentre"][at],
                site=texts["server"][at],
                source_id=texts["uuid"][at],
                vendor=texts["vendor"][at],
                model=texts["model"][at],
                cpu_model=texts["cpu_model"][at],
                sockets=sockets[at],
                cores=core,
                threads=None if core is None or hyper_threads[at] is None else core * threads,
                clock_mhz=clock,
                memory_mib=size,
                cpu_used_mhz=_share(capacity, cpu_usage[at]),
                memory_used_mib=_share(size, memory_usage[at]),
                in_service=not (maintenance[at] or quarantine[at]),
                cpu_baseline=texts["cpu_baseline"][at],
                hypervisor=texts["hypervisor"][at],
                stated={
                    key: value
                    for key, values in stated.items()
                    if (value := values[at]) is not None
                },
            )
        )
    return hosts


def clusters_of(reader: TableReader | None) -> list[Cluster]:
    """Return what vCluster states of each cluster. Raises InputError."""
    if reader is None:
        return []
    names, hosts, levels = (
        reader.texts("name"),
        reader.whole("hosts"),
        reader.whole("failover_level"),
    )
    cpu, memory = reader.numbers("cpu"), reader.numbers("memory")
    ha, admission = reader.truths("ha"), reader.truths("admission_control")
    return [
        Cluster(
            name=name,
            row=reader.table.where(at),
            stated_hosts=hosts[at],
            stated_cpu_mhz=cpu[at],
            stated_memory_mib=memory[at],
            ha_enabled=ha[at],
            admission_control=admission[at],
            failover_level=levels[at],
        )
        for at, name in enumerate(names)
        if name is not None
    ]


def _cores(reader: TableReader) -> list[int | None]:
    """Return the cores of each host (rows,); where they are not stated, sockets times cores."""
    stated, sockets = reader.whole("cores"), reader.whole("sockets")
    each = reader.whole("cores_per_socket")
    return [
        count if count is not None else None if n is None or m is None else n * m
        for count, n, m in zip(stated, sockets, each, strict=True)
    ]


def _share(whole: float | None, percent: float | None) -> float | None:
    """Return a percentage of a whole, None if one is unknown."""
    return None if whole is None or percent is None else whole * percent / 100


def _nameless(reader: TableReader, row: int, what: str) -> Finding:
    """Return what is said of a row without a name."""
    return Finding(
        "ROW_WITHOUT_NAME",
        Severity.WARNING,
        reader.table.where(row),
        f"the {what} has no name",
        "the row is left out",
    )
