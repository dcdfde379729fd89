"""Check an imported farm against its inventory: simulated on its own hosts at the first instant.

Each host must show the CPU share that its row states, to a whole percent, and the configured
memory of its VMs exactly. Where it does not, a finding says where and by how much.
"""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...models.base.arrays import Bools, Floats, added, sum_by
from ...models.base.lazy_dataclass import dataclass
from ...scenarios.build.build import build, load_of
from ...scenarios.errors.problems import InputError
from ...scenarios.importing.import_record import Imported
from ...scenarios.inventory.findings import Finding, Severity
from ...scenarios.inventory.inventory import Scope
from ...scenarios.loader import Written, read
from ...scenarios.scenario import Scenario, validated
from ..base.wording import count, percent
from ..run.play_case import play, until
from .load_tiers import KnownLoad, Peaks, known_load, peak_coincidences

ROUNDING: Final = 0.005
"""Shares of CPU in inventories are whole percents."""
SAME_MIB: Final = 0.01
HYPERVISOR: Final = (0.70, 1.05)
"""What the CPU of VMs is of that of their host where all is well: the rest is the hypervisor's."""
FIRST_S: Final = 1.0
_ANY_POWER: Final = {"model": "constant", "power": "1 W"}


@dataclass(frozen=True)
class HostAsIs:
    """One host as simulated and as its row states it; shares of its CPU, memory in MiB.

    ``recorded_share`` is None where the row states no use, ``vm_share`` where not all of its VMs
    do; ``recorded_mib`` is the configured memory of its VMs of the plan. ``others`` is how many
    running VMs of it are not in the plan, ``moved`` how many run here whose own host has no row or
    is not known, with ``moved_share`` and ``moved_mib`` of what is simulated.
    """

    host: str
    simulated_share: float
    recorded_share: float | None
    vm_share: float | None
    simulated_mib: float
    recorded_mib: float
    others: int = 0
    moved: int = 0
    moved_share: float = 0.0
    moved_mib: float = 0.0

    @property
    def differs(self) -> bool:
        """Whether memory or CPU is not as recorded."""
        return not self.same_memory or self.same_cpu is False

    @property
    def but_for_moved(self) -> "HostAsIs":
        """The host without the VMs that were moved to it."""
        return replace(
            self,
            simulated_share=self.simulated_share - self.moved_share,
            simulated_mib=self.simulated_mib - self.moved_mib,
            moved=0,
        )

    @property
    def same_memory(self) -> bool:
        """Whether memory is the same."""
        return abs(self.simulated_mib - self.recorded_mib) <= SAME_MIB

    @property
    def same_cpu(self) -> bool | None:
        """Whether the CPU share is the same to a whole percent; None where none is stated."""
        if self.recorded_share is None:
            return None
        return abs(self.simulated_share - self.recorded_share) <= ROUNDING + 1e-9

    @property
    def explained(self) -> bool:
        """Whether a difference in CPU is the hypervisor's own use, which no VM has."""
        if self.vm_share is None or self.recorded_share is None:
            return False
        if abs(self.simulated_share - self.vm_share) > 1e-6:
            return False
        low = HYPERVISOR[0] * (self.recorded_share - ROUNDING)
        return low <= self.simulated_share <= HYPERVISOR[1] * (self.recorded_share + ROUNDING)


@dataclass(frozen=True)
class AsIs:
    """All hosts as simulated and as recorded; ``reason`` says why none could be simulated.

    ``no_cpu_because`` says why the CPU of hosts is not compared. ``known`` is what is known of the
    load, None where the scenario could not be read; ``peaks`` is how far the peaks of the VMs
    coincide, None where no series of them is known.
    """

    hosts: tuple[HostAsIs, ...] = ()
    unplaced: tuple[str, ...] = ()
    reason: str = ""
    no_cpu_because: str = ""
    known: KnownLoad | None = None
    peaks: Peaks | None = None

    @property
    def compared(self) -> int:
        """On how many hosts CPU could be compared."""
        return sum(host.same_cpu is not None for host in self.hosts)

    @property
    def same(self) -> int:
        """On how many hosts CPU is the same to a whole percent."""
        return sum(bool(host.same_cpu) for host in self.hosts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for ``import.json``."""
        return {
            "not_checked_because": self.reason or None,
            "hosts": len(self.hosts),
            "cpu_compared": self.compared,
            "cpu_not_compared_because": self.no_cpu_because or None,
            "cpu_same": self.same,
            "memory_same": sum(host.same_memory for host in self.hosts),
            "unplaced": list(self.unplaced),
            "differing": [
                {
                    "host": host.host,
                    "cpu_share_simulated": host.simulated_share,
                    "cpu_share_recorded": host.recorded_share,
                    "memory_mib_simulated": host.simulated_mib,
                    "memory_mib_recorded": host.recorded_mib,
                    "vms_moved_here": host.moved,
                }
                for host in self.hosts
                if host.differs
            ],
        }


def as_is(imported: Imported, folder: Path) -> AsIs:
    """Simulate the first instant of an imported scenario on its own hosts.

    ``folder`` holds its files. Power plays no part: it may be unknown.
    """
    known = peaks = None
    try:
        scenario = _without_power(read(folder / "scenario.yaml"), imported)
        load = load_of(scenario)
        known = known_load(scenario, load)
        if imported.load is not None and len(imported.load.mhz) > len(imported.load.constant):
            peaks = peak_coincidences(scenario, load)
        case = build(until(scenario, 0.0, FIRST_S), load)
        play(case)
    except InputError as error:
        reason = str(error.problems[0]).replace(str(folder), "").lstrip("/")
        return AsIs(reason=reason, known=known, peaks=peaks)
    farm = case.farm
    names, vms = list(farm.hosts.names), list(farm.vms.names)
    listed = {host.name: host for host in imported.inventory.hosts}
    recorded_mib, used_mhz, others = _recorded(imported)
    on_host = farm.vms.host
    home = {vm.key: vm.host for vm in imported.inventory.in_plan}
    moved = np.array(
        [at >= 0 and home.get(vms[row]) != names[at] for row, at in enumerate(on_host.tolist())]
    )

    def sums(values: Floats, rows: Bools) -> Floats:
        sums: Floats = sum_by(on_host[rows], weights=values[rows], minlength=len(names))
        return sums

    ones = np.ones(len(vms))
    placed: Bools = on_host >= 0
    share = sums(farm.vms.demand_mhz, placed) / farm.hosts.cpu_mhz
    memory = sums(farm.vms.memory_mib, placed)
    moved_vms, moved_mib = sums(ones, moved), sums(farm.vms.memory_mib, moved)
    moved_share = sums(farm.vms.demand_mhz, moved) / farm.hosts.cpu_mhz
    why = _no_cpu(imported)
    hosts = []
    for row, name in enumerate(names):
        host = listed.get(name)
        if host is None or not host.in_service or not host.cpu_mhz:
            continue
        used = used_mhz.get(name, 0.0)
        hosts.append(
            HostAsIs(
                host=name,
                simulated_share=float(share[row]),
                recorded_share=None
                if why or host.cpu_used_mhz is None
                else host.cpu_used_mhz / host.cpu_mhz,
                vm_share=None if used is None else used / host.cpu_mhz,
                simulated_mib=float(memory[row]),
                recorded_mib=recorded_mib.get(name, 0.0),
                others=others.get(name, 0),
                moved=int(moved_vms[row]),
                moved_share=float(moved_share[row]),
                moved_mib=float(moved_mib[row]),
            )
        )
    unplaced = tuple(vms[row] for row in np.flatnonzero(on_host < 0).tolist())
    return AsIs(tuple(hosts), unplaced, no_cpu_because=why, known=known, peaks=peaks)


def _no_cpu(imported: Imported) -> str:
    """Return why the first instant says nothing of the CPU that hosts state, empty if it does."""
    hosts = imported.inventory.hosts
    if imported.load is not None:
        return "the load was measured over time, hosts state one instant"
    if len(imported.inventory.snapshots) > 1:
        return "use is the mean of several instants, which the whole run keeps"
    if any(host.cpu_mean_mhz is not None for host in hosts):
        return "use is the mean of a period, which the whole run keeps"
    if all(host.cpu_used_mhz is None for host in hosts):
        return "the files state no CPU in use by host"
    return ""


def _without_power(written: Written, imported: Imported) -> Scenario:
    """Return the scenario of an import; groups whose power is not known get any."""
    for at, power in enumerate(imported.powers):
        if power.power is None:
            written.document.data["farm"]["hosts"][at]["server"]["power"] = dict(_ANY_POWER)
    return validated(written)


def _recorded(
    imported: Imported,
) -> tuple[dict[str, float], dict[str, float | None], dict[str, int]]:
    """Return by host: memory and CPU of its VMs of the plan, and how many others run there.

    CPU is None where a VM states none.
    """
    memory: defaultdict[str, list[float]] = defaultdict(list)
    cpu: defaultdict[str, list[float | None]] = defaultdict(list)
    others: defaultdict[str, int] = defaultdict(int)
    for vm in imported.inventory.vms:
        if vm.host is None:
            continue
        if vm.scope is Scope.IN_PLAN:
            memory[vm.host].append(vm.memory_mib or 0.0)
            cpu[vm.host].append(vm.cpu_used_mhz)
        elif vm.scope in (Scope.SYSTEM, Scope.ORPHANED, Scope.CONTAINER):
            others[vm.host] += 1
    return (
        {host: added(each) for host, each in memory.items()},
        {
            host: None if None in each else added(value or 0.0 for value in each)
            for host, each in cpu.items()
        },
        dict(others),
    )


def as_is_findings(found: AsIs) -> list[Finding]:
    """Return what the check found: nothing where all hosts are as recorded."""
    if found.reason:
        return [
            Finding(
                "AS_IS_NOT_CHECKED",
                Severity.WARNING,
                "scenario.yaml",
                f"the imported farm could not be simulated on its own hosts: {found.reason}",
                "whether the scenario reproduces the inventory is not known",
            )
        ]
    findings = []
    if found.unplaced:
        findings.append(
            Finding(
                "AS_IS_UNPLACED",
                Severity.WARNING,
                "scenario.yaml",
                f"no host in the imported farm has room for {count(len(found.unplaced), 'VM')}: "
                f"{', '.join(found.unplaced[:5])}{' …' if len(found.unplaced) > 5 else ''}",
                "they do not run in the simulation of the farm as it is",
                found.unplaced,
            )
        )
    crowded = [host for host in found.hosts if host.differs and host.moved]
    if crowded:
        moved = sum(host.moved for host in crowded)
        findings.append(
            Finding(
                "AS_IS_DIFFERS",
                Severity.WARNING,
                ", ".join(host.host for host in crowded[:5]),
                f"{moved:,} {'VM' if moved == 1 else 'VMs'} whose own hosts have no row or are "
                f"not known run on {len(crowded):,} of {len(found.hosts):,} hosts, which have more "
                "to do than recorded",
                "add the rows of the missing hosts; the farm as it is looks too full here",
                tuple(host.host for host in crowded),
            )
        )
    alone = [host.but_for_moved for host in found.hosts]
    memory = [host for host in alone if not host.same_memory]
    cpu = [host for host in alone if host.same_cpu is False and not host.explained]
    for differing, what in ((memory, "memory"), (cpu, "CPU")):
        if differing:
            first = max(differing, key=_memory_gap if what == "memory" else _cpu_gap)
            findings.append(
                Finding(
                    "AS_IS_DIFFERS",
                    Severity.WARNING,
                    f"host {first.host}",
                    f"{what} of {len(differing):,} of {len(found.hosts):,} hosts is not as "
                    f"recorded, the most on {first.host}: {_both(first, what)}",
                    "VMs were left out, found no place, or state another use than their host",
                    tuple(host.host for host in differing),
                )
            )
    explained = [host for host in alone if host.same_cpu is False and host.explained]
    if explained:
        first = max(explained, key=_cpu_gap)
        findings.append(
            Finding(
                "AS_IS_HYPERVISOR",
                Severity.INFO,
                f"host {first.host}",
                f"VMs of {len(explained):,} of {len(found.hosts):,} hosts use another share of CPU "
                f"than their host states, the most on {first.host}: {_both(first, 'CPU')}",
                "the rest is the hypervisor's own use; the simulation has that of the VMs",
                tuple(host.host for host in explained),
            )
        )
    return findings


def _cpu_gap(host: HostAsIs) -> float:
    return abs(host.simulated_share - (host.recorded_share or 0.0))


def _memory_gap(host: HostAsIs) -> float:
    return abs(host.simulated_mib - host.recorded_mib)


def _both(host: HostAsIs, what: str) -> str:
    """Return both values of a host in words."""
    if what == "memory":
        return f"{host.simulated_mib:,.0f} MiB simulated, {host.recorded_mib:,.0f} MiB recorded"
    simulated, recorded = percent(host.simulated_share), percent(host.recorded_share or 0)
    return f"{simulated} simulated, {recorded} recorded"
