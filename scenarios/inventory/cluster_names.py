"""Tell apart clusters that have one name in several datacentres or management servers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from .findings import Finding, Severity
from .inventory import Inventory
from .joins import Joins

Place: TypeAlias = tuple[str | None, str | None]
"""Management server and datacentre."""


def tell_clusters_apart(inventory: Inventory) -> None:
    """Rename clusters whose name stands for several: ``Prod`` to ``Prod (DC1)``.

    Hosts and VMs say the datacentre themselves; a VM that does not takes that of its host. What
    the file states of such a cluster is dropped unless it says the place.
    """
    joins = Joins(inventory)
    places: dict[str, set[Place]] = {}
    for host in inventory.hosts:
        if host.cluster is not None and (host.site or host.datacentre):
            places.setdefault(host.cluster, set()).add((host.site, host.datacentre))
    placed: dict[str, Place] = {}
    for vm in inventory.vms:
        place = (vm.site, vm.datacentre)
        host_of = joins.host_of(vm)
        if vm.cluster is None:
            continue
        if place == (None, None) and host_of is not None:
            place = (host_of.site, host_of.datacentre)
        placed[vm.key] = place
        if place != (None, None):
            places.setdefault(vm.cluster, set()).add(place)
    named = {name: _names(name, found) for name, found in places.items() if len(_apart(found)) > 1}
    if not named:
        return
    inventory.hosts = [
        replace(host, cluster=_renamed(host.cluster, (host.site, host.datacentre), named))
        if host.cluster in named
        else host
        for host in inventory.hosts
    ]
    inventory.vms = [
        replace(vm, cluster=_renamed(vm.cluster, placed[vm.key], named))
        if vm.cluster in named
        else vm
        for vm in inventory.vms
    ]
    inventory.clusters = [each for each in inventory.clusters if each.name not in named]
    for name, names in sorted(named.items()):
        inventory.findings.append(
            Finding(
                "CLUSTER_NAME_NOT_UNIQUE",
                Severity.WARNING,
                f"cluster {name}",
                f"{name} is the name of {len(set(names.values()))} clusters",
                f"they are told apart as {', '.join(sorted(set(names.values())))}; what vCluster "
                "states of them is not used",
                tuple(sorted(set(names.values()))),
            )
        )


def _apart(places: set[Place]) -> set[Place]:
    """Return places that differ for certain: an unknown part may be any."""
    return {
        each
        for each in places
        if not any(
            other != each
            and all(mine in {None, theirs} for mine, theirs in zip(each, other, strict=True))
            for other in places
        )
    }


def _names(name: str, places: set[Place]) -> dict[Place, str]:
    """Return what the cluster of each place is called: with no more than tells them apart."""
    apart = _apart(places)
    datacentres = {datacentre for _, datacentre in apart}
    named = {}
    for place in apart:
        site, datacentre = place
        by_datacentre = len(datacentres) == len(apart)
        parts = (datacentre,) if by_datacentre else (site, datacentre)
        named[place] = f"{name} ({', '.join(part for part in parts if part)})"
    return named


def _renamed(
    cluster: str | None, place: Place, named: Mapping[str, dict[Place, str]]
) -> str | None:
    """Return the name of a cluster at a place; the old one if the place is not known."""
    names = named.get(cluster or "", {})
    fitting = [
        name
        for known, name in names.items()
        if all(mine in {None, theirs} for mine, theirs in zip(place, known, strict=True))
    ]
    return names.get(place) or (fitting[0] if len(fitting) == 1 else cluster)
