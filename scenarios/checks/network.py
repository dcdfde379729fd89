"""What is wrong with network and racks, given the hosts and where they stand."""

from collections.abc import Iterator, Mapping

import numpy as np

from ...models.base.arrays import Ints
from ...models.hardware.racks_and_sites import Domains, without_zeros
from ...models.migration.pre_copy import PreCopy
from ...models.network.transport import TRANSPORTS, Transport
from ..errors.suggest import unknown_name
from ..language.fields import Fault
from ..resolve.farm import host_names, numbering
from ..resolve.migration import may_use_network
from ..resolve.network import network_of
from ..resolve.racks import build_domains, hosts_per_switch
from ..spec.network import FatTree, Graph, Sites, Topology
from ..spec.spec import Spec


def faults_of_network(spec: Spec) -> Iterator[Fault]:
    """Yield what does not go together between hosts and network.

    Sites and lines are checked name by name; then the layout is built as a run would build it.

    A layout that cannot hold the hosts is told at ``network.layout`` with the reason of the
    topology. The layout is built only where a migration model may use it, as in a run.
    """
    layout = spec.network.topology
    if isinstance(layout, Sites):
        faults = list(_faults_of_sites(layout, spec))
        yield from faults
        if faults:
            return
    # The other topologies are right whatever their figures.
    if isinstance(layout, FatTree | Graph | Sites) and may_use_network(spec):
        groups = [spec.farm.hosts[row].name for row in _groups(spec).tolist()]
        try:
            network_of(layout, host_names(spec.farm), groups, spec.farm.hosts_per_rack)
        except ValueError as error:
            yield ("network", "layout"), str(error)


def _faults_of_sites(layout: Sites, spec: Spec) -> Iterator[Fault]:
    """Yield sites and lines that do not name what there is, each once, or not all of it.

    Sites hold groups of hosts, or numbers of hosts in the order of the farm.

    Names are checked one by one, numbers of hosts as a sum.
    """
    place = ("network", "layout")
    names = [site.name for site in layout.sites]
    for index, name in enumerate(names):
        if name in names[:index]:
            message = f"{name!r} is the name of two sites; make the names unique"
            yield (*place, "sites", index, "name"), message
    for index, line in enumerate(layout.lines):
        where = (*place, "lines", index, "between")
        unknown = [name for name in line.between if name not in names]
        if unknown:
            yield where, unknown_name("site", unknown[0], names)
        elif line.between[0] == line.between[1]:
            yield where, f"a line joins {line.between[0]} to itself; name two sites"
        elif {*line.between} in [{*other.between} for other in layout.lines[:index]]:
            message = (
                "two lines join the same sites; replace them by one with their total bandwidth"
            )
            yield where, message
    if all(site.hosts for site in layout.sites):
        given, there = sum(site.hosts or 0 for site in layout.sites), len(_groups(spec))
        if given != there:
            message = f"the sites have {given} hosts, the farm has {there}; make the numbers equal"
            yield (*place, "sites"), message
        return
    yield from _faults_of_groups(layout, spec)


def _faults_of_groups(layout: Sites, spec: Spec) -> Iterator[Fault]:
    """Yield groups that are at no site, at two, or that do not exist.

    Each name has its own place; a group that is left over is told at ``network.layout.sites``, and
    only where all names are right.
    """
    place = ("network", "layout", "sites")
    left = [group.name for group in spec.farm.hosts]
    known, sound = list(left), True
    for index, site in enumerate(layout.sites):
        if site.groups is None:
            message = "some sites list groups, others a number of hosts; use one of the two for all"
            yield (*place, index, "hosts"), message
            return
        for position, name in enumerate(site.groups):
            where = (*place, index, "groups", position)
            if name in left:
                left.remove(name)
                continue
            sound = False
            if name in known:
                yield where, f"group {name} is at two sites; remove it from one"
            else:
                yield where, unknown_name("group of hosts", name, known)
    if left and sound:
        yield place, f"group {left[0]} is at no site; add it to one"


def _groups(spec: Spec) -> Ints:
    """Return the group of each host, in the order of the farm.

    The result (hosts,) holds positions in ``farm.hosts``.
    """
    return numbering(np.array([group.count for group in spec.farm.hosts]), spec.farm.order)


def faults_of_downtimes(spec: Spec) -> Iterator[Fault]:
    """Yield downtime targets of pre-copy that are shorter than the latency of every route.

    The rest of the memory takes the latency once, however little it is. Compared is a lower bound
    of the latency between two hosts, so that what is told can never be met.
    """
    given = spec.network.transport
    transport = given if isinstance(given, Transport) else TRANSPORTS[given]
    message_s = transport.delay_s(_least_latency_s(spec.network.topology))
    for place, model in _models(spec):
        if isinstance(model, PreCopy) and model.downtime_target_s < message_s:
            message = (
                f"{model.downtime_target_s * 1000:.4g} ms can never be met: any message between "
                f"two hosts takes at least {message_s * 1000:.4g} ms, so no migration could send "
                "the rest of its memory in time; write a longer target"
            )
            yield (*place, "downtime_target"), message


def _models(spec: Spec) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Yield the migration models of a scenario, its groups of hosts and its sizes, with places."""
    yield ("migration",), spec.migration
    for index, group in enumerate(spec.farm.hosts):
        yield ("farm", "hosts", index, "migration"), group.migration
    for index, size in enumerate(spec.workload.sizes):
        yield ("workload", "sizes", index, "migration"), size.migration


def _least_latency_s(layout: Topology) -> float:
    """Return a time below which no route between two hosts is: two links, or one of a graph."""
    if isinstance(layout, Graph):
        return min(link.latency for link in layout.links)
    if isinstance(layout, Sites):
        return 2 * min(site.latency for site in layout.sites)
    return 2 * layout.latency


def faults_of_racks(spec: Spec) -> Iterator[Fault]:
    """Yield racks that are given twice or stand at two sites.

    A rack is given twice where both the layout and ``farm.hosts_per_rack`` say how many hosts it
    has. All hosts of a rack have to be at one site, because failures of racks and sites nest.
    """
    layout = spec.network.topology
    wired = hosts_per_switch(layout)
    if wired is not None:
        yield from _duplicate_racks(spec, f"racks of {wired} hosts")
    elif isinstance(layout, Sites) and all(site.hosts_per_rack for site in layout.sites):
        yield from _duplicate_racks(spec, "racks of its own")
    domains = build_domains(spec.farm, layout)
    yield from _unknown_racks(spec, domains)
    first = np.unique(domains.rack, return_index=True)[1]
    torn = np.flatnonzero(domains.site != domains.site[first][domains.rack])
    if len(torn):
        rack, site = domains.rack[torn[0]], domains.site[torn[0]]
        one, other = domains.site_names[domains.site[first[rack]]], domains.site_names[site]
        remedy = f"make the number of hosts per site a multiple of {wired}, or omit the sites"
        if wired is None:
            remedy = (
                "let each site of the network hold groups of one site, or omit the sites of the "
                "groups"
            )
        message = f"rack {rack + 1} would stand at {one} and at {other}; {remedy}"
        yield ("network", "layout"), message


def _unknown_racks(spec: Spec, domains: Domains) -> Iterator[Fault]:
    """Yield racks that have a power limit and do not exist."""
    limits = spec.farm.rack_power_limit
    known = {without_zeros(name) for name in domains.rack_names}
    for name in limits if isinstance(limits, Mapping) else ():
        if without_zeros(name) not in known:
            place = ("farm", "rack_power_limit", name)
            yield place, unknown_name("rack", name, domains.rack_names)


def _duplicate_racks(spec: Spec, what: str) -> Iterator[Fault]:
    """Yield ``farm.hosts_per_rack`` where the network's layout has racks already."""
    if spec.farm.hosts_per_rack is not None:
        message = f"the network's layout already defines {what}; remove this"
        yield ("farm", "hosts_per_rack"), message
