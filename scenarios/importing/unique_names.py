"""Make names of hosts unique, and let each VM name its host and cluster as the hosts do."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Host, Inventory, Vm
from ..inventory.joins import Joins


def with_unique_hosts(inventory: Inventory) -> list[Finding]:
    """Make the names of hosts unique in an inventory; return what was found.

    Hosts of one name in several clusters are called after their cluster as well. Of two rows of one
    host in one place the first counts. VMs get the name and the cluster of their host.
    """
    joins = Joins(inventory)
    of_vm = [joins.host_of(vm) for vm in inventory.vms]
    kept = list(_different(inventory.hosts))
    names = _names(kept)
    first = {(host.name.casefold(), *_place(host)): host for host in reversed(kept)}
    moved = []
    for row, (vm, host) in enumerate(zip(inventory.vms, of_vm, strict=True)):
        if host is None:
            continue
        own = first[(host.name.casefold(), *_place(host))]
        if vm.cluster is not None and vm.cluster != own.cluster:
            moved.append((vm, own))
        if (vm.host, vm.cluster) != (names[id(own)], own.cluster):
            inventory.vms[row] = replace(vm, host=names[id(own)], cluster=own.cluster)
    repeated = len(inventory.hosts) - len(kept)
    inventory.hosts[:] = [
        host if names[id(host)] == host.name else replace(host, name=names[id(host)])
        for host in kept
    ]
    return list(_findings(repeated, kept, names, moved))


def _place(host: Host) -> tuple[str | None, ...]:
    """Return where a host is; two rows with the same name there are one host."""
    return host.site, host.datacentre, host.cluster


def _different(hosts: list[Host]) -> Iterator[Host]:
    """Yield the first row of each host."""
    seen = set()
    for host in hosts:
        key = (host.name.casefold(), *_place(host))
        if key not in seen:
            seen.add(key)
            yield host


def _names(hosts: list[Host]) -> dict[int, str]:
    """Return a name for each host, by ``id``, that no other one has."""
    counts = Counter(host.name.casefold() for host in hosts)
    taken = {host.name for host in hosts if counts[host.name.casefold()] == 1}
    names = {id(host): host.name for host in hosts}
    for host in hosts:
        if counts[host.name.casefold()] == 1:
            continue
        where = host.cluster or host.datacentre or host.site
        wanted = free = f"{host.name} ({where})" if where else host.name
        number = 2
        while free in taken:
            free, number = f"{wanted} #{number}", number + 1
        taken.add(free)
        names[id(host)] = free
    return names


def _findings(
    repeated: int, kept: list[Host], names: dict[int, str], moved: list[tuple[Vm, Host]]
) -> Iterator[Finding]:
    """Yield what is told of names that are not unique, and of clusters that disagree."""
    if repeated:
        yield Finding(
            "HOST_ROW_REPEATED",
            Severity.WARNING,
            "hosts",
            f"{repeated} rows repeat a host of the same cluster",
            "the first row of each host counts",
        )
    renamed = sorted(names[id(host)] for host in kept if names[id(host)] != host.name)
    if renamed:
        yield Finding(
            "HOST_NAME_NOT_UNIQUE",
            Severity.WARNING,
            "hosts",
            f"{len(renamed)} hosts share their name with a host of another cluster, such as "
            f"{renamed[0]}",
            "they are separate hosts, called after their cluster as well",
            tuple(renamed),
        )
    if moved:
        vm, host = moved[0]
        yield Finding(
            "CLUSTER_OF_VM_DISAGREES",
            Severity.WARNING,
            vm.row,
            f"{len(moved):,} VMs are in another cluster than their host, such as {vm.key} of "
            f"{vm.cluster} on {host.name} of {host.cluster or 'no cluster'}",
            "they are counted in the cluster of their host",
            tuple(each.key for each, _ in moved),
        )
