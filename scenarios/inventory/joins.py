"""Which VM stands on which host of an inventory, and which hosts have no row."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from .inventory import Host, Inventory, Vm


class Joins:
    """VMs and hosts of an inventory, joined by the name of the host, whatever its case.

    Where hosts of several management servers have one name, that of the VM's own server is meant.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._by_name: dict[str, list[Host]] = {}
        for host in inventory.hosts:
            self._by_name.setdefault(host.name.casefold(), []).append(host)

    def host_of(self, vm: Vm) -> Host | None:
        """Return the host that a VM stands on; None if it has no row or is not known."""
        found = self._by_name.get(vm.host.casefold(), []) if vm.host else []
        if len(found) > 1:
            found = (
                [each for each in found if each.site == vm.site]
                or [each for each in found if each.cluster == vm.cluster]
                or found
            )
        return found[0] if found else None

    def cluster_of(self, vm: Vm) -> str | None:
        """Return the cluster of a VM: its own, else that of its host; None if unknown."""
        if vm.cluster is not None:
            return vm.cluster
        host = self.host_of(vm)
        return host.cluster if host is not None else None

    @cached_property
    def vms_by_host(self) -> Mapping[int, list[Vm]]:
        """The VMs, of any class, of each host that has a row, by ``id`` of the host."""
        found: dict[int, list[Vm]] = {id(host): [] for host in self._inventory.hosts}
        for vm in self._inventory.vms:
            host = self.host_of(vm)
            if host is not None:
                found[id(host)].append(vm)
        return found

    @cached_property
    def missing_hosts(self) -> Mapping[str | None, Mapping[str, list[Vm]]]:
        """The VMs, of any class, on hosts without a row: by cluster, then by name of the host.

        Empty where the inventory has no hosts at all.
        """
        found: dict[str | None, dict[str, list[Vm]]] = {}
        if self._inventory.hosts:
            for vm in self._inventory.vms:
                if vm.host is not None and self.host_of(vm) is None:
                    found.setdefault(vm.cluster, {}).setdefault(vm.host, []).append(vm)
        return found

    @cached_property
    def clusters(self) -> list[str | None]:
        """The clusters that hosts, VMs or the file itself name, sorted; None for no cluster."""
        names = {*self._hosts_by_cluster, *self.vms_by_cluster}
        names |= {cluster.name for cluster in self._inventory.clusters}
        return sorted(names, key=lambda name: (name is None, name or ""))

    @cached_property
    def vms_by_cluster(self) -> Mapping[str | None, list[Vm]]:
        """The VMs in the plan of each cluster that has any."""
        found: dict[str | None, list[Vm]] = {}
        for vm in self._inventory.in_plan:
            found.setdefault(self.cluster_of(vm), []).append(vm)
        return found

    def hosts_in(self, cluster: str | None) -> Sequence[Host]:
        """Return the hosts that have a row in a cluster."""
        return self._hosts_by_cluster.get(cluster, ())

    @cached_property
    def _hosts_by_cluster(self) -> Mapping[str | None, list[Host]]:
        found: dict[str | None, list[Host]] = {}
        for host in self._inventory.hosts:
            found.setdefault(host.cluster, []).append(host)
        return found


def is_sized(host: Host) -> bool:
    """Whether cores, clock and memory of a host are known."""
    return bool(host.cores and host.clock_mhz and host.memory_mib)


def incomplete_clusters(inventory: Inventory, joins: Joins | None = None) -> dict[str | None, str]:
    """Return the clusters whose hosts are not all known, each with the reason.

    Their capacity is unknown, so utilisation, overcommit, N-1 and headroom are as well.
    """
    joins = joins or Joins(inventory)
    reasons: dict[str | None, str] = {}
    if not inventory.hosts:
        return dict.fromkeys(joins.clusters, "no host has a row")
    for cluster, hosts in joins.missing_hosts.items():
        names = sorted(hosts)
        shown = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
        count = "1 host has" if len(names) == 1 else f"{len(names):,} hosts have"
        reasons[cluster] = f"{count} VMs but no row: {shown}"
    for cluster in joins.clusters:
        unsized = [host.name for host in joins.hosts_in(cluster) if not is_sized(host)]
        if unsized:
            reasons.setdefault(
                cluster, f"cores, clock or memory of hosts are not known: {', '.join(unsized[:5])}"
            )
    for stated in inventory.clusters:
        listed = len(joins.hosts_in(stated.name))
        if stated.stated_hosts is not None and stated.stated_hosts > listed:
            reasons.setdefault(
                stated.name, f"the file states {stated.stated_hosts} hosts and lists {listed}"
            )
    for cluster in joins.clusters:
        if not joins.hosts_in(cluster) and cluster in joins.vms_by_cluster:
            reasons.setdefault(cluster, "no host of it has a row")
    return reasons
