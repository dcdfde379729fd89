"""The inventory that every format is read into: hosts, VMs, clusters, rules and series.

What a file does not say is None, never 0. Units are MHz, MiB and s.
"""

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from .findings import Finding


class Scope(StrEnum):
    """Why a VM is in the plan or left out of it; each VM has exactly one, in this order."""

    TEMPLATE = "template"
    SRM_PLACEHOLDER = "srm_placeholder"
    SYSTEM = "system_vm"
    ORPHANED = "orphaned"
    SUSPENDED = "suspended"
    POWERED_OFF = "powered_off"
    CONTAINER = "container"
    SIZE_UNKNOWN = "size_unknown"
    IN_PLAN = "in_plan"


@dataclass(frozen=True)
class Host:
    """One physical server. ``row`` is where it stands: ``RVTools.xlsx, vHost, row 7``.

    ``clock_mhz`` is the nominal clock, ``cpu_used_mhz`` and ``memory_used_mib`` the use at the
    instant of the inventory, ``cpu_mean_mhz``, ``cpu_p95_mhz`` and ``cpu_peak_mhz`` statistics over
    a period. ``stated`` holds totals that the file itself states for the host (``vms``, ``vcpus``,
    ``vram_mib``), which the joins are checked against.
    """

    name: str
    row: str
    cluster: str | None = None
    datacentre: str | None = None
    site: str | None = None
    source_id: str | None = None
    vendor: str | None = None
    model: str | None = None
    cpu_model: str | None = None
    sockets: int | None = None
    cores: int | None = None
    threads: int | None = None
    clock_mhz: float | None = None
    memory_mib: float | None = None
    cpu_used_mhz: float | None = None
    memory_used_mib: float | None = None
    cpu_mean_mhz: float | None = None
    cpu_p95_mhz: float | None = None
    cpu_peak_mhz: float | None = None
    in_service: bool = True
    cpu_baseline: str | None = None
    hypervisor: str | None = None
    stated: dict[str, float] = field(default_factory=dict)

    @property
    def cpu_mhz(self) -> float | None:
        """Capacity of all physical cores together, in MHz; None where one of both is unknown."""
        if self.cores is None or self.clock_mhz is None:
            return None
        return self.cores * self.clock_mhz


@dataclass(frozen=True)
class Vm:
    """One virtual machine, template or placeholder. ``key`` is unique in an inventory.

    ``cpu_used_mhz`` is the use at the instant of the inventory. ``cpu_share`` is use as a share of
    the VM's own CPU, where the file states no MHz; ``cpu_ready_share`` is the share of the time of
    its vCPUs that they waited for a core. A ``container`` shares the kernel of its host, and is
    only in the plan where asked for. Rules are in :class:`Inventory`.
    """

    key: str
    name: str
    row: str
    cluster: str | None = None
    host: str | None = None
    datacentre: str | None = None
    site: str | None = None
    source_id: str | None = None
    vcpus: int | None = None
    sockets: int | None = None
    clock_mhz: float | None = None
    memory_mib: float | None = None
    disk_mib: float | None = None
    power_state: str | None = None
    connection_state: str | None = None
    template: bool = False
    placeholder: bool = False
    system: bool = False
    container: bool = False
    scope: Scope = Scope.IN_PLAN
    cpu_used_mhz: float | None = None
    cpu_share: float | None = None
    cpu_ready_share: float | None = None
    memory_active_mib: float | None = None
    memory_consumed_mib: float | None = None
    reservation_mhz: float | None = None
    cpu_limit_mhz: float | None = None
    cpu_shares: float | None = None
    memory_reservation_mib: float | None = None
    os: str | None = None
    restart_priority: str | None = None
    resource_pool: str | None = None
    powered_on_since: str | None = None


@dataclass(frozen=True)
class Cluster:
    """What a file states of a cluster, beside what its hosts add up to."""

    name: str
    row: str
    datacentre: str | None = None
    stated_hosts: int | None = None
    stated_cpu_mhz: float | None = None
    stated_memory_mib: float | None = None
    ha_enabled: bool | None = None
    admission_control: bool | None = None
    failover_level: int | None = None


@dataclass(frozen=True)
class Rule:
    """A placement rule: ``apart``, ``together`` or ``fence``; ``members`` are keys of VMs."""

    kind: str
    name: str
    members: tuple[str, ...]
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Series:
    """Measured values of one object over time. Missing values are NaN.

    ``start`` has a time zone (UTC); ``values`` (samples,) are in ``unit``: ``MHz``, ``MiB``,
    ``share`` or ``cores``. ``statistic`` is ``mean``, ``max`` or ``last`` of each step. ``kind`` is
    ``vm``, ``host`` or ``cluster``.
    """

    object: str
    kind: str
    metric: str
    unit: str
    start: datetime
    step_s: float
    values: Floats
    statistic: str = "mean"


@dataclass(frozen=True)
class Source:
    """One input file: its name, SHA-256, what it was recognised as, and when it was made."""

    file: str
    sha256: str
    format: str
    dialect: str = ""
    taken: datetime | None = None
    experimental: bool = False


@dataclass(frozen=True)
class Snapshot:
    """Sums over the farm at the instant of one file. ``vms`` run, or may run for all it says."""

    taken: datetime | None
    file: str
    vms: int
    vm_cpu_mhz: float | None = None
    host_cpu_mhz: float | None = None


@dataclass
class Inventory:
    """All that was read, of one farm at one instant (and series around it)."""

    sources: list[Source] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    vms: list[Vm] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    """Instants that were joined, in order of time; one for a single inventory."""
    identity: str = "name"
    """What identifies a VM: ``vm_uuid``, ``vm_id``, ``name_cluster_host`` or ``name``."""

    @property
    def in_plan(self) -> Sequence[Vm]:
        """The VMs that are in the plan."""
        return [vm for vm in self.vms if vm.scope is Scope.IN_PLAN]
