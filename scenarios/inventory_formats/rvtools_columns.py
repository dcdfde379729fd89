"""Sheets and columns of RVTools: as the program shows them, as ``-DBColumnNames``, and of old.

Sources: three public workbooks of versions 3.x and 4.x, the column names that public importers
of ``-DBColumnNames`` files look for (RVToolsMerge and others), and the manual's lists of columns.
"""

from collections.abc import Mapping

from ..inventory_files.columns import Quantity
from ..inventory_files.headers import Aliases

_PLACE: Aliases = {
    "datacentre": ("Datacenter", "vInfoDataCenter"),
    "cluster": ("Cluster", "vInfoCluster"),
    "host": ("Host", "vInfoHost"),
    "vm_id": ("VM ID",),
    "vm_uuid": ("VM UUID", "vInfoUUID"),
    "server": ("VI SDK Server", "vInfoVISDKServer"),
    "server_uuid": ("VI SDK UUID",),
}
"""Columns of all sheets with a row per VM or part of it."""

SHEETS: Mapping[str, Aliases] = {
    "vInfo": {
        "name": ("VM", "vInfoVMName"),
        "power_state": ("Powerstate", "vInfoPowerstate"),
        "template": ("Template", "vInfoTemplate"),
        "placeholder": ("SRM Placeholder", "vInfoSRMPlaceHolder"),
        "connection_state": ("Connection state",),
        "vcpus": ("CPUs", "vInfoCPUs"),
        "memory": ("Memory", "vInfoMemory"),
        "active": ("Active Memory",),
        "disk": ("Total disk capacity MiB", "Total disk capacity MB", "vInfoTotalDiskCapacityMiB"),
        "provisioned": ("Provisioned MiB", "Provisioned MB", "vInfoProvisioned"),
        "pool": ("Resource pool", "vInfoResourcepool"),
        "restart_priority": ("HA Restart Priority",),
        "rules": ("Cluster rule(s)",),
        "rule_names": ("Cluster rule name(s)",),
        "powered_on": ("PowerOn",),
        "os": ("OS according to the configuration file", "vInfoOS"),
        "os_tools": ("OS according to the VMware Tools", "vInfoOSTools"),
        **_PLACE,
    },
    "vCPU": {
        "name": ("VM",),
        "vcpus": ("CPUs",),
        "sockets": ("Sockets",),
        "max": ("Max",),
        "overall": ("Overall",),
        "shares": ("Shares",),
        "reservation": ("Reservation",),
        "limit": ("Limit",),
        **_PLACE,
    },
    "vMemory": {
        "name": ("VM", "vMemoryVMName"),
        "size": ("Size MiB", "Size MB", "vMemorySizeMiB"),
        "consumed": ("Consumed",),
        "active": ("Active",),
        "reservation": ("Reservation", "vMemoryReservation"),
        **_PLACE,
        "vm_uuid": ("VM UUID", "vMemoryUUID"),
    },
    "vHost": {
        "name": ("Host", "vHostName"),
        "datacentre": ("Datacenter", "vHostDatacenter"),
        "cluster": ("Cluster", "vHostCluster"),
        "maintenance": ("in Maintenance Mode",),
        "quarantine": ("in Quarantine Mode",),
        "cpu_model": ("CPU Model", "vHostCpuModel"),
        "speed": ("Speed", "vHostCpuMhz"),
        "ht_active": ("HT Active",),
        "sockets": ("# CPU", "vHostNumCpu"),
        "cores_per_socket": ("Cores per CPU", "vHostCoresPerCPU"),
        "cores": ("# Cores", "vHostNumCpuCores"),
        "cpu_usage": ("CPU usage %", "vHostOverallCpuUsage"),
        "memory": ("# Memory", "vHostMemorySize"),
        "memory_usage": ("Memory usage %", "vHostOverallMemoryUsage"),
        "vms": ("# VMs", "vHostVMs"),
        "vcpus": ("# vCPUs", "vHostvCPUs"),
        "vram": ("vRAM", "vHostvRAM"),
        "swapped": ("VM Memory Swapped",),
        "ballooned": ("VM Memory Ballooned",),
        "cpu_baseline": ("Current EVC",),
        "vendor": ("Vendor",),
        "model": ("Model",),
        "hypervisor": ("ESX Version",),
        "uuid": ("UUID", "Object ID"),
        "server": ("VI SDK Server",),
        "server_uuid": ("VI SDK UUID",),
    },
    "vCluster": {
        "name": ("Name",),
        "hosts": ("NumHosts",),
        "cpu": ("TotalCpu",),
        "memory": ("TotalMemory",),
        "ha": ("HA enabled",),
        "admission_control": ("AdmissionControlEnabled",),
        "failover_level": ("Failover Level",),
        "server": ("VI SDK Server",),
    },
    "vDisk": {
        "name": ("VM",),
        "disk": ("Disk", "Disk Key"),
        "capacity": ("Capacity MiB", "Capacity MB"),
        "mode": ("Disk Mode",),
        **_PLACE,
    },
    "vPartition": {
        "name": ("VM", "vPartitionVMName"),
        "disk": ("Disk", "vPartitionDisk"),
        "capacity": ("Capacity MiB", "Capacity MB", "vPartitionCapacityMiB"),
        "consumed": ("Consumed MiB", "Consumed MB", "vPartitionConsumedMiB"),
        **_PLACE,
        "vm_uuid": ("VM UUID", "vPartitionUUID"),
    },
    "vMetaData": {
        "version": ("RVTools version",),
        "major": ("RVTools major version",),
        "taken": ("xlsx creation datetime", "xls creation datetime"),
        "server": ("Server",),
    },
}
"""The names that each field of each sheet has; those of vCPU, vDisk and vCluster in
``-DBColumnNames`` files are not known."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "vInfo": ("name", "vcpus", "memory"),
    "vHost": ("name", "speed", "memory"),
    "vCPU": ("name", "overall"),
    "vMemory": ("name",),
    "vCluster": ("name",),
    "vDisk": ("name", "capacity"),
    "vPartition": ("name",),
    "vMetaData": ("taken",),
}
MAIN = ("vInfo", "vHost")
"""Sheets of which a file must have one; the others may be absent or unreadable."""

SIGNATURES: Mapping[str, tuple[str, ...]] = {
    "vHost": ("name", "speed", "cores", "memory"),
    "vCPU": ("name", "vcpus", "max", "overall"),
    "vMemory": ("name", "size", "consumed"),
    "vDisk": ("name", "disk", "capacity", "mode"),
    "vPartition": ("name", "disk", "capacity", "consumed"),
    "vCluster": ("name", "hosts", "cpu", "memory"),
    "vInfo": ("name", "power_state", "vcpus", "memory"),
    "vMetaData": ("version", "taken"),
}
"""Fields that tell the table in a CSV file, whose name says nothing; the first that fits."""

_VM_MEMORY = Quantity("MiB", "MiB", most=32 * 2**20, usual=(32.0, 4.0 * 2**20))
_DISK = Quantity("MiB", "MiB", most=2.0**34, usual=(1024.0, 2.0**30), optional=True)
_COUNT = Quantity(most=1e6, whole=True)
_MHZ = Quantity("MHz", "MHz", most=1e8, usual=(1.0, 1e7), optional=True)
_SHARE = Quantity("%", "%", most=400.0)
_BESIDE = Quantity("MiB", "MiB", most=2.0**34)

QUANTITIES: Mapping[str, Mapping[str, Quantity]] = {
    "vInfo": {
        "vcpus": Quantity(most=1024, usual=(1, 128), whole=True),
        "memory": _VM_MEMORY,
        "active": Quantity("MiB", "MiB", most=32 * 2**20),
        "disk": _DISK,
        "provisioned": _DISK,
    },
    "vCPU": {
        "vcpus": Quantity(most=1024, whole=True),
        "sockets": Quantity(most=1024, whole=True),
        "max": _MHZ,
        "overall": _MHZ,
        "shares": Quantity(least=-1, most=1e9),
        "reservation": _MHZ,
        "limit": Quantity("MHz", "MHz", most=1e8, unlimited=True),
    },
    "vMemory": {
        "size": Quantity("MiB", "MiB", most=32 * 2**20),
        "consumed": Quantity("MiB", "MiB", most=32 * 2**20),
        "active": Quantity("MiB", "MiB", most=32 * 2**20),
        "reservation": Quantity("MiB", "MiB", most=32 * 2**20),
    },
    "vHost": {
        "speed": Quantity("MHz", "MHz", least=100, most=20_000, usual=(500, 10_000)),
        "sockets": Quantity(least=1, most=64, whole=True),
        "cores_per_socket": Quantity(least=1, most=1024, whole=True),
        "cores": Quantity(least=1, most=4096, usual=(1, 1024), whole=True),
        "cpu_usage": _SHARE,
        "memory": Quantity("MiB", "MiB", least=256, most=2.0**28, usual=(1024, 2.0**26)),
        "memory_usage": _SHARE,
        "vms": _COUNT,
        "vcpus": _COUNT,
        "vram": _BESIDE,
        "swapped": _BESIDE,
        "ballooned": _BESIDE,
    },
    "vCluster": {
        "hosts": _COUNT,
        "cpu": Quantity("MHz", "MHz", most=1e10),
        "memory": _BESIDE,
        "failover_level": _COUNT,
    },
    "vDisk": {"capacity": _DISK},
    "vPartition": {"capacity": _DISK},
    "vMetaData": {},
}
"""What the numbers of each sheet mean. Usual sizes are those of medians, wide enough for
laboratories; a column outside them is in another unit."""
