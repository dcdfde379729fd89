"""Put like hosts of an inventory into groups, and say where each VM stands.

The scenario has one group per kind of host. Hosts are alike where cluster, processor, sockets,
cores and service are the same, and memory and clock differ by 1 % at most: inventories state 2,699
and 2,700 MHz for the same processor.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import ceil
from statistics import median
from typing import Final

from ...models.base.arrays import added
from ...models.base.lazy_dataclass import dataclass
from ...models.hardware.cpu_names import cpu_key
from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Host, Inventory, Vm
from ..inventory.joins import is_sized

TOLERANCE: Final = 0.01
MAX_OVERCOMMIT: Final = 4.0
"""Most that the language lets a host's memory be overcommitted."""
_LONGEST: Final = 60


@dataclass(frozen=True)
class HostGroup:
    """Hosts that are alike. Clock and memory are the least of any of them.

    ``memory_overcommit`` is what the VMs that stay on the fullest host need; 1 where they fit.
    ``assumed`` hosts are in no file: they take the place of those whose rows are missing.
    """

    name: str
    cluster: str | None
    hosts: tuple[Host, ...]
    memory_overcommit: float = 1.0
    assumed: bool = False

    @property
    def first(self) -> Host:
        """A host of the group, for what they have in common."""
        return self.hosts[0]

    @property
    def clock_mhz(self) -> float:
        """Clock that every host of the group has."""
        return min(host.clock_mhz or 0.0 for host in self.hosts)

    @property
    def memory_mib(self) -> float:
        """Memory that every host of the group has."""
        return min(host.memory_mib or 0.0 for host in self.hosts)


def host_groups(inventory: Inventory) -> list[HostGroup]:
    """Return the hosts of known size in groups, by cluster, then from the largest group on.

    Names are those of the cluster and a number; the order of rows changes nothing.
    """
    by_kind: defaultdict[tuple[object, ...], list[Host]] = defaultdict(list)
    for host in sorted(inventory.hosts, key=lambda host: host.name):
        if is_sized(host):
            by_kind[_kind(host)].append(host)
    alike = [
        group
        for hosts in by_kind.values()
        for near in _near(hosts, lambda host: host.memory_mib or 0.0)
        for group in _near(near, lambda host: host.clock_mhz or 0.0)
    ]
    alike.sort(key=lambda group: (group[0].cluster or "\uffff", -len(group), group[0].name))
    on_host = _vms_on_hosts(inventory.in_plan)
    labels = _labels({group[0].cluster for group in alike})
    number: defaultdict[str, int] = defaultdict(int)
    groups = []
    for hosts in alike:
        label = labels[hosts[0].cluster]
        number[label] += 1
        groups.append(
            HostGroup(
                f"{label}-{number[label]}",
                hosts[0].cluster,
                tuple(hosts),
                _overcommit(hosts, on_host),
            )
        )
    return groups


def _kind(host: Host) -> tuple[object, ...]:
    """Return what hosts of a group have in common to the letter."""
    key = cpu_key(host.cpu_model or "")
    site = host.datacentre or host.site
    return (
        host.cluster, key, host.sockets, host.cores, host.in_service, host.cpu_baseline, site,
        (host.model or "").strip().lower(),
    )  # fmt: skip


def _near(hosts: Iterable[Host], value: Callable[[Host], float]) -> list[list[Host]]:
    """Split hosts into groups in which no value is more than 1 % above the least."""
    groups: list[list[Host]] = []
    for host in sorted(hosts, key=lambda host: (value(host), host.name)):
        if groups and value(host) <= value(groups[-1][0]) * (1 + TOLERANCE):
            groups[-1].append(host)
        else:
            groups.append([host])
    return [sorted(group, key=lambda host: host.name) for group in groups]


def _labels(clusters: Iterable[str | None]) -> dict[str | None, str]:
    """Return a short name for each cluster, in lower case, no two the same."""
    labels: dict[str | None, str] = {}
    for cluster in sorted(clusters, key=lambda name: name or "\uffff"):
        plain = re.sub(r"[^a-z0-9]+", "-", (cluster or "hosts").lower()).strip("-")[:_LONGEST]
        label, number = plain or "cluster", 2
        while label in labels.values():
            label, number = f"{plain or 'cluster'}-{number}", number + 1
        labels[cluster] = label
    return labels


def _vms_on_hosts(in_plan: Iterable[Vm]) -> dict[str, list[Vm]]:
    """Return the VMs of the plan that stand on each host."""
    on_host: defaultdict[str, list[Vm]] = defaultdict(list)
    for vm in in_plan:
        if vm.host:
            on_host[vm.host].append(vm)
    return dict(on_host)


def _staying(vms: Iterable[Vm], least_mib: float) -> tuple[list[Vm], float]:
    """Return the VMs that can stay on a host of some memory, and their configured memory, MiB.

    A VM larger than the host cannot; of the others the smallest stay, up to MAX_OVERCOMMIT.
    """
    stay: list[Vm] = []
    total_mib = 0.0
    for vm in sorted(vms, key=lambda vm: (vm.memory_mib or 0.0, vm.key)):
        own_mib = vm.memory_mib or 0.0
        if own_mib > least_mib or total_mib + own_mib > MAX_OVERCOMMIT * least_mib:
            break
        stay.append(vm)
        total_mib += own_mib
    return stay, total_mib


def _overcommit(hosts: Sequence[Host], on_host: Mapping[str, Sequence[Vm]]) -> float:
    """Return the factor of memory that lets the VMs of each host stay where they stand."""
    least_mib = min(host.memory_mib or 0.0 for host in hosts)
    most = max(_staying(on_host.get(host.name, ()), least_mib)[1] for host in hosts) / least_mib
    return min(MAX_OVERCOMMIT, ceil(most * 100) / 100) if most > 1 else 1.0


def beyond_hosts(groups: Sequence[HostGroup], in_plan: Iterable[Vm]) -> tuple[Vm, ...]:
    """Return the VMs of the plan that cannot start where they stand: memory does not suffice."""
    on_host = _vms_on_hosts(in_plan)
    beyond = []
    for group in groups:
        for host in group.hosts:
            vms = on_host.get(host.name, [])
            stay = {vm.key for vm in _staying(vms, group.memory_mib)[0]}
            beyond += [vm for vm in vms if vm.key not in stay]
    return tuple(beyond)


ASSUMED: Final = Host(
    "", "", model="no row in any file", sockets=2, cores=64, clock_mhz=2600.0, memory_mib=1048576.0
)
"""What a host is taken for where no file has a row of any host."""
ASSUMED_CLOCK_MHZ: Final = 2500.0
"""What the clock of a vCPU is taken for where no host is known."""
FILLED: Final = 0.7
"""Share of the memory of assumed hosts that is in use."""


def with_assumed_hosts(
    inventory: Inventory, groups: Sequence[HostGroup]
) -> tuple[list[HostGroup], list[Finding]]:
    """Add hosts for clusters that have none of known size, so that their VMs can run.

    They are like the most frequent kind of host of the farm, or like ASSUMED where no host is
    known, and as many as their VMs need at 70 % of memory and one more.
    """
    clusters = {group.cluster for group in groups if group.first.in_service}
    homes: defaultdict[str | None, list[Vm]] = defaultdict(list)
    for vm in inventory.in_plan:
        homes[vm.cluster].append(vm)
    # A VM that names no cluster is put into one that there is.
    lacking = sorted(
        (name for name in homes if name not in clusters and (name or not groups)),
        key=lambda name: name or "",
    )
    usual = max(groups, key=lambda group: len(group.hosts)).first if groups else ASSUMED
    labels = _labels({group.cluster for group in groups} | set(lacking))
    added_groups = []
    for cluster in lacking:
        need = [vm.memory_mib or 0.0 for vm in homes[cluster]]
        memory = usual.memory_mib or 0.0
        while memory * FILLED < max(need):
            memory *= 2
        count = ceil(added(need) / (memory * FILLED)) + 1
        label = f"{labels[cluster]}-assumed"
        like = replace(
            usual, cluster=cluster, memory_mib=memory, in_service=True, row="", stated={}
        )
        hosts = tuple(replace(like, name=f"{label}-{at}") for at in range(1, count + 1))
        added_groups.append(HostGroup(label, cluster, hosts, assumed=True))
    if not added_groups:
        return list(groups), []
    names = ", ".join(group.cluster or "the farm" for group in added_groups)
    finding = Finding(
        "HOSTS_ASSUMED",
        Severity.WARNING,
        names,
        f"no host of known size is in a file; {sum(len(each.hosts) for each in added_groups)} "
        f"hosts are assumed so that the scenario runs",
        "figures of these hosts mean nothing; name a server with farmsim size --server",
        tuple(group.name for group in added_groups),
    )
    return [*groups, *added_groups], [finding]


@dataclass(frozen=True)
class Placed:
    """Where a VM stands in the scenario: its name there, host and cluster; empty: not known.

    ``clock_mhz`` is that of a vCPU; ``notes`` are put beside the VM.
    """

    name: str
    host: str
    cluster: str
    clock_mhz: float
    notes: tuple[str, ...] = ()


def place_vms(
    groups: Sequence[HostGroup], vms: Sequence[Vm], beyond: Iterable[Vm] = ()
) -> tuple[dict[str, Placed], list[Finding]]:
    """Return where VMs stand, by key, and what is to be told of it.

    A vCPU has the clock that its file states, else that of its host, else the median of the hosts
    of its cluster or of the farm, else ASSUMED_CLOCK_MHZ. VMs ``beyond`` the memory of their host
    stand on none.
    """
    too_large = {vm.key for vm in beyond}
    findings: list[Finding] = []
    hosts = {host.name: host for group in groups for host in group.hosts if not group.assumed}
    own: defaultdict[str | None, list[float]] = defaultdict(list)
    for each in hosts.values():
        own[each.cluster].append(each.clock_mhz or 0.0)
    clocks = {cluster: median(found) for cluster, found in own.items()}
    farm_mhz = (
        median([mhz for found in own.values() for mhz in found]) if own else ASSUMED_CLOCK_MHZ
    )
    clusters = {group.cluster for group in groups if group.cluster}
    largest = (
        _largest_cluster(groups) if clusters and None not in {g.cluster for g in groups} else ""
    )
    placed, guessed = {}, 0
    for vm in vms:
        host = hosts.get(vm.host or "")
        notes = []
        clock_mhz = vm.clock_mhz or (host.clock_mhz if host else None)
        if not clock_mhz:
            clock_mhz = clocks.get(vm.cluster, farm_mhz)
            notes.append("clock assumed")
            guessed += 1
        if vm.host and host is None:
            notes.append(f"stands on {vm.host}, which has no row of known size")
        if vm.key in too_large:
            notes.append(f"stands on {vm.host}, which has too little memory for it")
            host = None
        cluster = vm.cluster if vm.cluster in clusters else largest
        if cluster and cluster != vm.cluster:
            notes.append("cluster unknown, the largest taken")
        placed[vm.key] = Placed(
            vm.key, host.name if host else "", cluster or "", clock_mhz, tuple(notes)
        )
    if guessed:
        findings.append(
            Finding(
                "CLOCK_ASSUMED",
                Severity.INFO if hosts else Severity.WARNING,
                "vms.csv",
                f"the clock of the vCPUs of {guessed:,} VMs is not known",
                "taken from the hosts of their cluster"
                if hosts
                else f"taken as {ASSUMED_CLOCK_MHZ:,.0f} MHz, which is what 100 % of a vCPU means",
            )
        )
    return placed, findings


def _largest_cluster(groups: Sequence[HostGroup]) -> str:
    """Return the cluster with the most memory in service."""
    sizes: defaultdict[str, list[float]] = defaultdict(list)
    for group in groups:
        if group.cluster:
            sizes[group.cluster] += [host.memory_mib or 0.0 for host in group.hosts]
    return max(sorted(sizes), key=lambda name: added(sizes[name]), default="")


def memory_findings(groups: Sequence[HostGroup], beyond: Sequence[Vm]) -> list[Finding]:
    """Tell of hosts whose VMs are configured with more memory than there is, and of VMs beyond."""
    findings = _overcommitted(groups)
    if beyond:
        shown = ", ".join(
            f"{vm.name} ({vm.memory_mib or 0:,.0f} MiB, on {vm.host})" for vm in beyond[:5]
        )
        what = "1 VM has" if len(beyond) == 1 else f"{len(beyond):,} VMs have"
        findings.append(
            Finding(
                "VM_BEYOND_HOST_MEMORY",
                Severity.ERROR,
                "hosts",
                f"{what} more memory than the recorded host can give: {shown}"
                f"{' …' if len(beyond) > 5 else ''}",
                "they start on another host of their cluster where one has room, else they do not "
                "run; look whether memory is in the right unit",
                tuple(vm.name for vm in beyond),
            )
        )
    return findings


def _overcommitted(groups: Sequence[HostGroup]) -> list[Finding]:
    """Tell of groups whose VMs are configured with more memory than their hosts have."""
    over = [group for group in groups if group.memory_overcommit > 1]
    if not over:
        return []
    told = ", ".join(f"{group.name} {group.memory_overcommit:g} times" for group in over[:5])
    return [
        Finding(
            "HOST_MEMORY_OVERCOMMITTED",
            Severity.WARNING,
            "scenario.yaml",
            f"VMs on hosts of {len(over)} {'group' if len(over) == 1 else 'groups'} are configured "
            f"with more memory than the host has; the fullest: {told}",
            "memory_overcommit of these groups lets them stay where they stand: all their hosts "
            "count with so many times their memory, in failures and headroom as well",
            tuple(group.name for group in over),
        )
    ]
