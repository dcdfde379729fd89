"""Hypervisor profiles, with a range for every figure.

A :class:`Hypervisor` as built here holds figures with ranges (``Hypervisor[Ranged]``); its
copy :meth:`Hypervisor.at` one level of cost holds numbers (``Hypervisor[float]``) and is what
models compute with. A profile whose fields are all left alone is the identity: it costs
nothing and changes nothing, which is what bare metal is.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import field, fields, is_dataclass, replace
from functools import cache
from typing import Any, Generic, TypeVar

from ..base.catalogue import data_file
from ..base.estimates import CONFIDENCE, Level, Ranged, at_level, changed, figure, nested, unknown
from ..base.lazy_dataclass import dataclass
from ..hardware.cpu_features import checked_assists

N = TypeVar("N", Ranged, float)
KINDS = {
    "none": "no hypervisor",
    "type1": "runs on the hardware",
    "embedded": "runs on the hardware, from the server's firmware",
    "type2": "runs on a general-purpose operating system, besides other applications",
    "emulation": "interprets or translates every instruction",
}
MEASURED_KIND, MEASURED_ON = "type1", "kvm"
"""The kind whose CPU and I/O figures come from measurements, and of which hypervisor."""
HOSTED = ("type2", "emulation")
METRICS = ("none", "per_core", "per_socket", "per_vm")


@dataclass(frozen=True)
class CpuCosts(Generic[N]):
    """CPU costs. An efficiency is work done relative to the same code on bare metal."""

    plain: N = figure("Efficiency of ordinary code.", 1.0, more_costs=False, above=0, le=1)
    memory: N = figure(
        "Efficiency of code bound by memory bandwidth.", 1.0, more_costs=False, above=0, le=1
    )
    mmu: N = figure(
        "Efficiency of code heavy on page tables, with nested paging.",
        1.0,
        more_costs=False,
        above=0,
        le=1,
    )
    mmu_shadow: N = figure(
        "Efficiency of code heavy on page tables, with shadow paging.",
        1.0,
        more_costs=False,
        above=0,
        le=1,
    )
    vector: N = figure("Efficiency of vector code.", 1.0, more_costs=False, above=0, le=1)
    exit_cycles: N = figure("Cycles of an exit to the hypervisor and back.", 0.0)
    switch_cycles: N = figure("Cycles of a switch from one guest to another.", 0.0)
    time_slice_ms: N = figure("Time slice of a vCPU.", math.inf, more_costs=False)
    contention_loss: N = figure(
        "Extra work c in 1 + c max(0, 1 - cores / vCPUs), by cold caches.", 0.0
    )
    coscheduling_loss: N = figure(
        "Extra work of a wide VM per vCPU beyond the first, times the same crowding.", 0.0
    )
    numa_penalty: N = figure("Extra work of a VM wider than a NUMA node.", 0.0)


@dataclass(frozen=True)
class MemoryCosts(Generic[N]):
    """Memory overhead, and memory that can be reclaimed under overcommitment.

    Overhead of a VM: ``vm_mib + vm_mib_per_gib * GiB + vm_mib_per_vcpu * (vcpus - 1)``, or the
    cell of ``vm_table`` (rows of memory in MiB, vCPUs, overhead in MiB) where one matches.
    """

    hypervisor_mib: N = figure("Memory of the hypervisor itself.", 0.0)
    control_partition_mib: N = figure(
        "Memory of the console, control partition or host operating system.", 0.0
    )
    vm_mib: N = figure("Memory overhead per VM, constant part.", 0.0)
    vm_mib_per_gib: N = figure("Memory overhead per GiB of VM memory.", 0.0)
    vm_mib_per_vcpu: N = figure("Memory overhead per vCPU beyond the first.", 0.0)
    sharing_share: N = figure(
        "Share of the guests' memory reclaimed by page sharing.", 0.0, more_costs=False, le=1
    )
    ballooning_share: N = figure(
        "Share of the remaining memory reclaimed by ballooning.", 0.0, more_costs=False, le=1
    )
    swap_slowdown: N = figure("Slowdown factor of a guest that is swapped.", 1.0, ge=1)
    vm_table: tuple[tuple[float, float, float], ...] = ()
    vm_table_source: str = ""


@dataclass(frozen=True)
class IoPath(Generic[N]):
    """An I/O path of a guest to storage or network.

    The ratios are ceilings of a host, relative to the device on bare metal.
    """

    name: str
    latency_us: N = figure("Latency added to an operation or a network round trip.", 0.0)
    operations_ratio: N = figure("Maximum operations per second.", 1.0, more_costs=False, above=0)
    throughput_ratio: N = figure("Maximum bytes per second.", 1.0, more_costs=False, above=0)
    cycles_per_operation: N = figure("CPU cycles spent per operation or packet.", 0.0)
    cycles_per_byte: N = figure("CPU cycles spent per byte.", 0.0)
    needs: tuple[str, ...] = ()
    live_migration: bool = True

    def __post_init__(self) -> None:
        checked_assists(self.needs)


PATHS: dict[str, type] = dict.fromkeys(("native", "passthrough", "paravirtual", "emulated"), IoPath)


def _paths() -> Any:
    return field(default=(IoPath(name="native"),), metadata={"items": PATHS})


REGIONS = {
    "americas": "the Americas",
    "apj": "Asia-Pacific and Japan",
    "emea": "Europe, the Middle East and Africa",
}
"""Sales regions of vendors, by name."""


@dataclass(frozen=True)
class Licence(Generic[N]):
    """Licence price per core, socket or VM and year.

    Prices by the core count a least number of cores per socket and per host, and of all cores under
    one ``contract`` with the vendor together, the minimum order; without a contract, of all cores
    under the profile. ``minimum_order_regions``, of :data:`REGIONS`, and ``minimum_order_from``, a
    date, say where and since when that is requested; no regions stand for everywhere.
    ``minimum_order_confidence`` is the mark of the order, its regions and its date.
    """

    metric: str = "none"
    price_per_year: N = figure("Price per unit of the metric and year.", 0.0)
    currency: str = "USD"
    minimum_cores_per_socket: int = 0
    minimum_cores_per_host: int = 0
    contract: str = ""
    minimum_order_cores: int = 0
    minimum_order_regions: tuple[str, ...] = ()
    minimum_order_from: str = ""
    minimum_order_confidence: str = ""

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(unknown("licence metric", self.metric, METRICS))
        for region in self.minimum_order_regions:
            if region not in REGIONS:
                raise ValueError(unknown("region", region, REGIONS))

    def minimum_order_in(self, region: str | None) -> int:
        """Return the cores of the minimum order in a region; None: where that is not known."""
        asked = region is None or not self.minimum_order_regions
        return self.minimum_order_cores if asked or region in self.minimum_order_regions else 0

    @property
    def minimum_order_note(self) -> str:
        """Region and date of the minimum order, with its mark."""
        where = " and ".join(REGIONS[region] for region in self.minimum_order_regions)
        since = f"since {self.minimum_order_from}" if self.minimum_order_from else ""
        mark = self.minimum_order_confidence
        known = f"{mark}: {CONFIDENCE[mark]}" if mark else ""
        place = " ".join(filter(None, (where, since)))
        return ", ".join(filter(None, (place, known)))


@dataclass(frozen=True)
class Hypervisor(Generic[N]):
    """A hypervisor profile.

    ``family`` groups profiles between which a running VM may move (empty: none). ``needs``
    names the assistance flags without which it does not run, ``uses`` those that it turns to
    account where they exist. Raises ValueError for a kind, flag or path that does not exist
    and for host applications on a kind without a host system.
    """

    name: str
    title: str = ""
    kind: str = "none"
    family: str = ""
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    cpu: CpuCosts[N] = field(default_factory=CpuCosts)
    memory: MemoryCosts[N] = field(default_factory=MemoryCosts)
    storage: tuple[IoPath[N], ...] = _paths()
    network: tuple[IoPath[N], ...] = _paths()
    default_path: str = "native"
    live_migration: bool = False
    multi_tenant: bool = False
    allows_host_applications: bool = False
    host_cpu_share: N = figure(
        "Share of the host's CPU used by the hypervisor itself.", 0.0, le=0.9
    )
    host_boot_s: N = figure("Boot time of a host until it accepts VMs.", 0.0)
    vm_create_s: N = figure("Time to create a VM.", 0.0)
    vm_boot_s: N = figure("Boot time of a guest.", 0.0)
    vm_clone_s: N = figure("Time to clone a VM.", 0.0)
    max_vcpus_per_vm: N = figure("Maximum vCPUs per VM.", math.inf, more_costs=False, ge=1)
    max_memory_gib_per_vm: N = figure("Maximum memory per VM.", math.inf, more_costs=False, above=0)
    licence: Licence[N] = field(default_factory=Licence)
    tcb_kloc: N = figure("Size of the trusted computing base in thousand lines of code.", 0.0)
    exposed_interfaces: N = figure("Number of exposed interfaces, counted by class.", 0.0)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(unknown("kind of hypervisor", self.kind, KINDS))
        checked_assists((*self.needs, *self.uses))
        if self.allows_host_applications and self.kind not in HOSTED:
            raise ValueError(
                f"{self.name} is of kind {self.kind} and has no host operating system for "
                f"applications; kinds that have one: {', '.join(HOSTED)}"
            )
        self.storage_path()
        self.network_path()

    def at(self: "Hypervisor[Ranged]", level: Level) -> "Hypervisor[float]":
        """Return the profile at a level of cost, each figure at the bound that this means."""
        made: Hypervisor[float] = at_level(self, level)
        return made

    def storage_path(self, name: str = "") -> IoPath[N]:
        """Return a storage path by name, the default one without; ValueError if it has none."""
        return self._path("storage", self.storage, name)

    def network_path(self, name: str = "") -> IoPath[N]:
        """Return a network path by name, the default one without; ValueError if it has none."""
        return self._path("network", self.network, name)

    def _path(self, what: str, paths: tuple[IoPath[N], ...], name: str) -> IoPath[N]:
        wanted = name or self.default_path
        if name in PATHS and [path.name for path in paths] == ["native"]:
            return paths[0]  # without a layer to cross every way is the direct one
        for path in paths:
            if path.name == wanted:
                return path
        known = [path.name for path in paths]
        raise ValueError(unknown(f"{what} path of {self.name}", wanted, known))

    def missing_assists(
        self, assists: Iterable[str], storage: str = "", network: str = ""
    ) -> tuple[str, ...]:
        """Return the flags that the profile and its paths need and ``assists`` lacks."""
        wanted = (*self.needs, *self.storage_path(storage).needs, *self.network_path(network).needs)
        held = checked_assists(assists)
        return tuple(flag for flag in dict.fromkeys(wanted) if flag not in held)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(data_file("hypervisors.json").read_text("utf-8"))
    return table


def sources() -> dict[str, str]:
    """Return the sources that the shipped figures name, by key."""
    return dict(_table()["sources"])


def profile_names() -> list[str]:
    """Return the names of the shipped profiles, in the order of their table."""
    return list(_table()["profiles"])


@cache
def profiles() -> dict[str, Hypervisor[Ranged]]:
    """Return the shipped profiles by name; figures that one lacks are those of its kind."""
    return {name: _shipped(name) for name in profile_names()}


def profile(name: str) -> Hypervisor[Ranged]:
    """Return a shipped profile. Raises ValueError that lists what exists."""
    if name not in profile_names():
        raise ValueError(unknown("hypervisor", name, profile_names()))
    return _shipped(name)


@cache
def _shipped(name: str) -> Hypervisor[Ranged]:
    entry = dict(_table()["profiles"].get(name) or _table()["kinds"][name])
    parent = entry.pop("based_on", "")
    base: Hypervisor[Ranged] = _shipped(parent) if parent else Hypervisor(name=name)
    if parent == MEASURED_KIND and name != MEASURED_ON:
        base = _borrowed(base)
    return derive(base, name, **entry)


def _borrowed(part: Any) -> Any:
    """Return a part whose verified figures count as derived: they were measured on another."""
    changes: dict[str, Any] = {}
    for each in fields(part):
        value = getattr(part, each.name)
        if isinstance(value, Ranged) and value.confidence == "V":
            note = f"measured on {MEASURED_ON}; {value.note}".rstrip("; ")
            changes[each.name] = replace(value, confidence="D", note=note)
        elif is_dataclass(value):
            changes[each.name] = _borrowed(value)
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            changes[each.name] = tuple(_borrowed(item) for item in value)
    return replace(part, **changes)


def derive(base: Hypervisor[Ranged], name: str = "", **changes: Any) -> Hypervisor[Ranged]:
    """Return a profile like ``base`` but for some fields.

    ``derive(esxi, cpu={"plain": 0.95})`` and ``derive(esxi, **{"cpu.plain": 0.95})`` change
    one figure; see :func:`ranged.changed` for what may be written. A change of a VM's memory
    overhead drops the base's table of exact cells unless it brings its own. Raises ValueError
    that names the path of what is wrong.
    """
    changes = nested(changes)
    memory: Any = changes.get("memory")
    memory = memory if isinstance(memory, Mapping) else {}
    own = [str(key) for key in memory]
    if "vm_table" not in own and any(key.startswith("vm_mib") for key in own):
        changes["memory"] = {**memory, "vm_table": (), "vm_table_source": ""}
    return changed(replace(base, name=name or base.name), changes, name or base.name)


def vm_overhead_mib(costs: MemoryCosts[float], memory_mib: float, vcpus: int) -> float:
    """Return the memory overhead of a VM, from the table or the linear formula."""
    for table_mib, table_vcpus, overhead_mib in costs.vm_table:
        if (table_mib, table_vcpus) == (memory_mib, vcpus):
            return float(overhead_mib)
    per_gib = costs.vm_mib_per_gib * memory_mib / 1024.0
    return costs.vm_mib + per_gib + costs.vm_mib_per_vcpu * (vcpus - 1)
