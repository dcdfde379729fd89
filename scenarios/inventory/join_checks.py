"""Check what the tables of an inventory say of each other, with the numbers that disagree."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ...models.base.arrays import added
from .cluster_totals import cluster_totals
from .findings import Finding, Severity
from .inventory import Host, Inventory, Scope, Vm
from .joins import Joins, is_sized
from .scope import is_on

NO_FIGURES = "no utilisation, overcommit, N-1 or headroom figure for this cluster"
_SHOWN = 5
_CPU_BAND = (0.70, 1.05)
"""Shares of a host's CPU use that its VMs may add up to: the rest is the hypervisor's."""


def join_findings(inventory: Inventory) -> list[Finding]:
    """Return what the checks of an inventory find, after :func:`.set_scopes`."""
    joins = Joins(inventory)
    return [finding for check in _CHECKS for finding in check(inventory, joins)]


def _no_rows(inventory: Inventory, _: Joins) -> Iterator[Finding]:
    """Yield what is said of an inventory without hosts or without VMs."""
    if not inventory.hosts and inventory.vms:
        yield Finding(
            "NO_HOSTS",
            Severity.WARNING,
            "hosts",
            "no host has a row",
            "capacity is not known: the hosts to plan for must be given",
        )
    if inventory.vms and not inventory.in_plan:
        message = f"none of {len(inventory.vms):,} VMs is in the plan"
        yield Finding("NO_VMS_IN_PLAN", Severity.WARNING, "scope", message, "nothing is to place")
    if not inventory.vms:
        yield Finding("NO_VMS", Severity.WARNING, "vms", "no VM has a row", "nothing is to place")


def _missing_hosts(_: Inventory, joins: Joins) -> Iterator[Finding]:
    """Yield the hosts that VMs stand on and that have no row, by cluster."""
    for cluster, hosts in sorted(joins.missing_hosts.items(), key=lambda each: each[0] or ""):
        vms = [vm for held in hosts.values() for vm in held if vm.scope is Scope.IN_PLAN]
        vcpus = sum(vm.vcpus or 0 for vm in vms)
        memory = added(vm.memory_mib or 0.0 for vm in vms)
        names = sorted(hosts)
        yield Finding(
            "HOST_ROW_MISSING",
            Severity.ERROR,
            _cluster(cluster),
            f"{_listed(names)}: {_count(len(names), 'host')} without a row, with "
            f"{_count(len(vms), 'VM')} in the plan, {_count(vcpus, 'vCPU')}, {memory:,.0f} MiB",
            NO_FIGURES,
            tuple(names),
        )


def _unplaced_vms(inventory: Inventory, _: Joins) -> Iterator[Finding]:
    """Yield VMs in the plan of which the host or the size is not known."""
    if inventory.hosts:
        lost = [vm for vm in inventory.in_plan if vm.host is None]
        if lost:
            yield _about_vms("VM_HOST_UNKNOWN", lost, "without a host", "they start where they fit")
    sized = [vm for vm in inventory.in_plan if vm.vcpus is None or vm.memory_mib is None]
    if sized:
        yield _about_vms(
            "VM_SIZE_UNKNOWN",
            sized,
            "without known vCPUs or memory",
            "they are left out of the plan",
            " that would be",
        )


def _large_vms(inventory: Inventory, _: Joins) -> Iterator[Finding]:
    """Yield VMs in the plan that no listed host can hold."""
    threads = max((host.threads or 2 * (host.cores or 0) for host in inventory.hosts), default=0)
    memory = max((host.memory_mib or 0.0 for host in inventory.hosts), default=0.0)
    large = [
        vm
        for vm in inventory.in_plan
        if (threads and (vm.vcpus or 0) > threads) or (memory and (vm.memory_mib or 0) > memory)
    ]
    if large:
        yield _about_vms(
            "VM_LARGER_THAN_HOSTS",
            large,
            f"larger than the largest host ({threads} threads, {memory:,.0f} MiB)",
            "no listed host can run them",
        )


def _idle_hosts(inventory: Inventory, joins: Joins) -> Iterator[Finding]:
    """Yield hosts out of service, those without VMs, and those that are named twice."""
    out = [host.name for host in inventory.hosts if not host.in_service]
    if out:
        yield Finding(
            "HOST_IN_MAINTENANCE",
            Severity.INFO,
            "hosts",
            f"{_count(len(out), 'host')} out of service: {_listed(out)}",
            "their capacity is not counted",
            tuple(out),
        )
    unsized = [host.name for host in inventory.hosts if not is_sized(host)]
    if unsized:
        yield Finding(
            "HOST_SIZE_UNKNOWN",
            Severity.WARNING,
            "hosts",
            f"{_count(len(unsized), 'host')} without known cores, clock or memory: "
            f"{_listed(unsized)}",
            "no utilisation, overcommit, N-1 or headroom figure for their clusters",
            tuple(unsized),
        )
    empty = [
        host.name
        for host in inventory.hosts
        if host.in_service and inventory.vms and not joins.vms_by_host[id(host)]
    ]
    if empty:
        yield Finding(
            "HOST_WITHOUT_VMS",
            Severity.INFO,
            "hosts",
            f"{_count(len(empty), 'host')} in service without VMs: {_listed(empty)}",
            "",
            tuple(empty),
        )
    names = Counter(host.name.casefold() for host in inventory.hosts)
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        yield Finding(
            "HOST_NAME_NOT_UNIQUE",
            Severity.WARNING,
            "hosts",
            f"{_count(len(twice), 'name')} of several hosts: {_listed(twice)}",
            "VMs are joined to the host of their own management server or cluster, else the first",
            tuple(twice),
        )


def _host_totals(inventory: Inventory, joins: Joins) -> Iterator[Finding]:
    """Yield hosts that state other numbers of VMs, vCPUs and memory than their VMs add up to.

    What RVTools states counts the VMs that are powered on, without templates.
    """
    if not inventory.vms:
        return
    wrong: list[tuple[Host, str]] = []
    for host in inventory.hosts:
        vms = [vm for vm in joins.vms_by_host[id(host)] if is_on(vm) and not vm.template]
        recomputed = {
            "vms": ("VMs", float(len(vms))),
            "vcpus": ("vCPUs", float(sum(vm.vcpus or 0 for vm in vms))),
            "vram_mib": ("MiB", added(vm.memory_mib or 0.0 for vm in vms)),
        }
        parts = [
            f"{host.stated[key]:,.0f} {word} stated and {value:,.0f} listed"
            for key, (word, value) in recomputed.items()
            if key in host.stated and abs(host.stated[key] - value) > 0.5
        ]
        if parts:
            wrong.append((host, ", ".join(parts)))
    if wrong:
        shown = "; ".join(f"{host.name}: {text}" for host, text in wrong[:_SHOWN])
        more = f"; and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
        yield Finding(
            "HOST_TOTALS_DISAGREE",
            Severity.WARNING,
            wrong[0][0].row,
            f"{len(wrong):,} of {_count(len(inventory.hosts), 'host')}: {shown}{more}",
            "the file was truncated, filtered or changed after the export",
            tuple(host.name for host, _ in wrong),
        )


def _cluster_capacity(inventory: Inventory, joins: Joins) -> Iterator[Finding]:
    """Yield clusters that state another capacity than their hosts add up to."""
    for cluster in inventory.clusters:
        hosts = joins.hosts_in(cluster.name)
        cpu, memory = [host.cpu_mhz for host in hosts], [host.memory_mib for host in hosts]
        parts = []
        if cluster.stated_hosts is not None and cluster.stated_hosts != len(hosts):
            parts.append(f"{cluster.stated_hosts} hosts stated and {len(hosts)} listed")
        for stated, each, unit in (
            (cluster.stated_cpu_mhz, cpu, "MHz"),
            (cluster.stated_memory_mib, memory, "MiB"),
        ):
            known = [value for value in each if value is not None]
            total = added(known)
            slack = max(2.0 * len(hosts), 0.001 * total)
            if stated is not None and len(known) == len(each) and abs(stated - total) > slack:
                parts.append(f"{stated:,.0f} {unit} stated and {total:,.0f} listed")
        if parts:
            yield Finding(
                "CLUSTER_CAPACITY_DISAGREES",
                Severity.WARNING,
                cluster.row,
                f"{cluster.name}: {', '.join(parts)}",
                NO_FIGURES if (cluster.stated_hosts or 0) > len(hosts) else "listed hosts count",
                (cluster.name,),
            )


def _memory_short(inventory: Inventory, _: Joins) -> Iterator[Finding]:
    """Yield clusters whose VMs have more memory configured than is left without a host."""
    for cluster in cluster_totals(inventory):
        if cluster.memory_n1 is not None and cluster.memory_n1 > 1:
            left = cluster.memory_mib / cluster.memory_n1
            yield Finding(
                "MEMORY_SHORT_AFTER_FAILURE",
                Severity.WARNING,
                _cluster(cluster.name),
                f"VMs in the plan have {cluster.memory_mib:,.0f} MiB configured; without the "
                f"largest host {left:,.0f} MiB are left",
                "the loss of that host needs memory to be overcommitted",
                (cluster.name,) if cluster.name else (),
            )


def _cpu_by_vm(inventory: Inventory, joins: Joins) -> Iterator[Finding]:
    """Yield hosts whose CPU use is not what their VMs add up to.

    A host's use is a whole percentage: half a percent of its capacity is rounding.
    """
    wrong = []
    for host in inventory.hosts:
        vms = [vm for vm in joins.vms_by_host[id(host)] if is_on(vm) and not vm.template]
        used = [vm.cpu_used_mhz for vm in vms if vm.cpu_used_mhz is not None]
        if host.cpu_used_mhz is None or host.cpu_mhz is None or not vms or len(used) < len(vms):
            continue
        total, rounding = added(used), host.cpu_mhz * 0.005
        low = _CPU_BAND[0] * (host.cpu_used_mhz - rounding)
        if not low <= total <= _CPU_BAND[1] * (host.cpu_used_mhz + rounding):
            wrong.append((host, f"{host.cpu_used_mhz:,.0f} MHz stated, VMs use {total:,.0f}"))
    if wrong:
        shown = "; ".join(f"{host.name}: {text}" for host, text in wrong[:_SHOWN])
        yield Finding(
            "CPU_BY_VM_DISAGREES",
            Severity.WARNING,
            wrong[0][0].row,
            f"{_count(len(wrong), 'host')} where VMs use less than 70 % or more than 105 % of "
            f"what the host states: {shown}",
            "CPU use was read at different moments, or VMs are missing",
            tuple(host.name for host, _ in wrong),
        )


def _memory_pressure(inventory: Inventory, _: Joins) -> Iterator[Finding]:
    """Yield hosts that swap memory of VMs or take it back by ballooning."""
    pressed = [
        host
        for host in inventory.hosts
        if host.stated.get("swapped_mib", 0) > 0 or host.stated.get("ballooned_mib", 0) > 0
    ]
    if pressed:
        swapped = added(host.stated.get("swapped_mib", 0.0) for host in pressed)
        ballooned = added(host.stated.get("ballooned_mib", 0.0) for host in pressed)
        yield Finding(
            "HOST_MEMORY_PRESSURE",
            Severity.WARNING,
            pressed[0].row,
            f"{_count(len(pressed), 'host')} with {swapped:,.0f} MiB swapped and {ballooned:,.0f} "
            f"MiB ballooned: {_listed([host.name for host in pressed])}",
            "these hosts were or are short of memory",
            tuple(host.name for host in pressed),
        )


def _availability(inventory: Inventory, _: Joins) -> Iterator[Finding]:
    """Yield clusters whose settings for failures contradict each other."""
    for cluster in inventory.clusters:
        if cluster.ha_enabled is None or cluster.admission_control is None:
            continue
        if cluster.ha_enabled != cluster.admission_control:
            on, off = "high availability", "admission control"
            if not cluster.ha_enabled:
                on, off = off, on
            yield Finding(
                "CLUSTER_RESERVE_UNCLEAR",
                Severity.INFO,
                cluster.row,
                f"{cluster.name}: {on} is on and {off} is off",
                "no reserve for failures is taken from it; state one",
                (cluster.name,),
            )


def _load(inventory: Inventory, _: Joins) -> Iterator[Finding]:
    """Yield how little is known of the load, where there are no series or several snapshots."""
    if inventory.series or not inventory.vms or len(inventory.snapshots) > 1:
        return
    by_vm = any(vm.cpu_used_mhz is not None for vm in inventory.in_plan)
    by_host = any(host.cpu_used_mhz is not None for host in inventory.hosts)
    over_time = any(host.cpu_mean_mhz is not None for host in inventory.hosts)
    shares = any(vm.cpu_share is not None for vm in inventory.in_plan)
    if over_time or shares:
        return  # the reader says of what period and percentile they are
    if by_vm or by_host:
        yield Finding(
            "SNAPSHOT_ONLY",
            Severity.INFO,
            "load",
            "no history of use: CPU use is known from one instant",
            "confidence in answers about CPU is low",
        )
    else:
        yield Finding(
            "CPU_USE_UNKNOWN",
            Severity.WARNING,
            "load",
            "no CPU use is known",
            "answers about CPU rest on assumptions",
        )


_CHECKS: tuple[Callable[[Inventory, Joins], Iterator[Finding]], ...] = (
    _no_rows, _missing_hosts, _unplaced_vms, _large_vms, _idle_hosts, _host_totals,
    _cluster_capacity, _memory_short, _cpu_by_vm, _memory_pressure, _availability, _load,
)  # fmt: skip


def _about_vms(code: str, vms: Sequence[Vm], what: str, effect: str, which: str = "") -> Finding:
    """Return a warning about some VMs in the plan, or ``which`` would be in it."""
    keys = [vm.key for vm in vms]
    message = f"{_count(len(vms), 'VM')}{which} in the plan {what}: {_listed(keys)}"
    return Finding(code, Severity.WARNING, vms[0].row, message, effect, tuple(keys))


def _cluster(name: str | None) -> str:
    """Return a cluster as findings name it."""
    return f"cluster {name}" if name is not None else "no cluster"


def _listed(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _count(number: int, what: str) -> str:
    """Return a number with a noun."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
