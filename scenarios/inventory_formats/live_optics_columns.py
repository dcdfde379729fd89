"""Columns of Live Optics: their names in headers, and what their numbers mean."""

from collections.abc import Mapping
from typing import Final

from ..inventory.identity import VmIds
from ..inventory_files.columns import Quantity
from ..inventory_files.headers import Aliases
from ..inventory_files.table_reader import TableReader

_CLOCK_NAMES: Final = (
    "CPU Clock Speed (GHz)", "CPU Clock Speed (MHz)", "CPU Speed (GHz)", "CPU Speed (MHz)",
)  # fmt: skip
_NET_NAMES: Final = ("Net Clock Speed (GHz)", "Net Clock Speed (MHz)")
_MEMORY_NAMES: Final = ("Memory (KiB)", "Memory (KB)", "Memory (MiB)", "Memory (GiB)")
SHEETS: Final[Mapping[str, Aliases]] = {
    "ESX Hosts": {
        "name": ("Host Name", "Host"),
        "cluster": ("Cluster",),
        "datacentre": ("Datacenter",),
        "vendor": ("Manufacturer",),
        "model": ("Model",),
        "sockets": ("CPU Sockets",),
        "cores": ("CPU Cores",),
        "threads": ("CPU Threads",),
        "cpu_model": ("CPU Description", "CPU Model", "Processor Model", "Processor"),
        "clock": _CLOCK_NAMES,
        "net_clock": _NET_NAMES,
        "memory": _MEMORY_NAMES,
    },
    "ESX Performance": {
        "name": ("Host", "Host Name"),
        "cluster": ("Cluster",),
        "mean_mhz": ("Average CPU (GHz)", "Average CPU (MHz)"),
        "mean_share": ("Average CPU %", "Average CPU (%)"),
        "p95_mhz": ("95th Percentile CPU (GHz)", "95% CPU (GHz)"),
        "p95_share": ("95th Percentile CPU %", "95% CPU %"),
        "peak_mhz": ("Peak CPU (GHz)", "Peak CPU (MHz)"),
        "peak_share": ("Peak CPU %", "Peak CPU (%)"),
    },
    "VMs": {
        "vm_id": ("MOB ID",),
        "name": ("VM Name",),
        "running": ("IsRunning",),
        "power_state": ("Power State",),
        "os": ("VM OS",),
        "template": ("Template",),
        "placeholder": ("SRM Placeholder",),
        "vcpus": ("Virtual CPU", "Virtual CPUs"),
        "memory": ("Provisioned Memory (MiB)", "Provisioned Memory (MB)"),
        "active": ("Used Memory (active) (MiB)", "Used Memory (active) (MB)"),
        "consumed": ("Consumed Memory (MiB)", "Consumed Memory (MB)"),
        "disk": ("Virtual Disk Size (MiB)", "Virtual Disk Size (MB)"),
        "datacentre": ("Datacenter",),
        "cluster": ("Cluster",),
        "host": ("Host",),
        "vm_uuid": ("InstanceUUID", "Instance UUID"),
    },
    "Servers": {
        "name": ("Server Name",),
        "os": ("OS", "Operating System"),
        "sockets": ("CPU Sockets",),
        "cores": ("CPU Cores",),
        "clock": _CLOCK_NAMES,
        "net_clock": _NET_NAMES,
        "memory": _MEMORY_NAMES,
        "memory_peak": ("Peak Memory Usage (KiB)", "Peak Memory Usage (MiB)"),
        "disk_used": ("Used Capacity (GiB)", "Used Capacity (GB)"),
    },
}
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "ESX Hosts": ("name", "memory"),
    "ESX Performance": ("name",),
    "VMs": ("name", "vcpus", "memory"),
    "Servers": ("name", "cores", "memory"),
}
_CLOCK: Final = Quantity("MHz", "GHz", least=100, most=20_000, usual=(500, 10_000))
_NET: Final = Quantity("MHz", "GHz", least=100, most=1e7)
_USED: Final = Quantity("MHz", "GHz", most=1e7)
_SHARE: Final = Quantity("%", "%", most=120)
_HOST_MEMORY: Final = Quantity("MiB", "KiB", least=256, most=2.0**28, usual=(1024, 2.0**26))
_COUNT: Final = Quantity(least=1, most=4096, usual=(1, 1024), whole=True)
_MEMORY: Final = Quantity("MiB", "MiB", most=2.0**26)
QUANTITIES: Final[Mapping[str, Mapping[str, Quantity]]] = {
    "ESX Hosts": {
        "sockets": _COUNT,
        "cores": _COUNT,
        "threads": _COUNT,
        "clock": _CLOCK,
        "net_clock": _NET,
        "memory": _HOST_MEMORY,
    },
    "ESX Performance": {
        "mean_mhz": _USED,
        "mean_share": _SHARE,
        "p95_mhz": _USED,
        "p95_share": _SHARE,
        "peak_mhz": _USED,
        "peak_share": _SHARE,
    },
    "VMs": {
        "vcpus": Quantity(most=1024, usual=(1, 256), whole=True),
        "memory": Quantity("MiB", "MiB", most=2.0**26, usual=(64, 2.0**22)),
        "active": _MEMORY,
        "consumed": _MEMORY,
        "disk": Quantity("MiB", "MiB", most=2.0**36),
    },
    "Servers": {
        "cores": _COUNT,
        "clock": _CLOCK,
        "net_clock": _NET,
        "memory": _HOST_MEMORY,
        "memory_peak": _MEMORY,
        "disk_used": Quantity("MiB", "GiB", most=2.0**36),
    },
}


def ids_of(reader: TableReader) -> list[VmIds]:
    """Return what each row of a sheet states of which VM it is about."""
    fields = ("name", "cluster", "host", "vm_id", "vm_uuid")
    known = [
        reader.texts(field) if field in reader.table.aliases else [None] * len(reader)
        for field in fields
    ]
    return [VmIds(name or "", *others) for name, *others in zip(*known, strict=True)]
