"""Resolve racks and sites of hosts.

Racks are those of the network's layout where it wires any, else hosts fill them in order.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.hardware.racks_and_sites import Domains, racks_in_order, without_zeros
from ..language.names import Numbered
from ..spec.farm import FarmPart, HostGroup
from ..spec.network import LeafSpine, Sites, Topology, TwoTier
from ..spec.spec import Spec
from .farm import numbering

HOSTS_PER_RACK = 40
MAIN_SITE = "main"
"""Where hosts stand whose group names no site."""


def build_domains(farm: FarmPart, layout: Topology) -> Domains:
    """Return rack and site of each host, in the order of the farm.

    Racks are numbered from the first host on; ``farm.hosts_per_rack`` (else HOSTS_PER_RACK) holds
    where the layout wires no racks.
    """
    names, site_of_group = _sites(farm.hosts)
    site = site_of_group[_groups(farm)]
    wired = hosts_per_switch(layout)
    places = _hosts_of_sites(farm, layout) if isinstance(layout, Sites) else None
    if wired is not None:
        rack = np.arange(len(site)) // wired
    elif isinstance(layout, Sites) and places is not None:
        rack = racks_of_sites(layout, places, farm.hosts_per_rack)
    else:
        rack = racks_in_order(site, farm.hosts_per_rack or HOSTS_PER_RACK)
    return Domains(rack, site, _rack_names(rack), names)


def racks_are_known(farm: FarmPart, layout: Topology) -> bool:
    """Whether a scenario says anything of racks; else their number is an assumption."""
    return farm.hosts_per_rack is not None or hosts_per_switch(layout) is not None


def racks_of_sites(layout: Sites, places: Sequence[Ints], per_rack: int | None) -> Ints:
    """Return the rack of each host if the hosts of a network's sites fill racks in their order.

    ``places`` are the rows of each site's hosts. Racks are numbered site after site; at a site
    whose layout has none, ``per_rack`` hosts fill one.
    """
    rack = np.empty(int(np.sum([len(here) for here in places])), np.int64)
    first = 0
    for site, here in zip(layout.sites, places, strict=True):
        numbers = np.arange(len(here)) // (site.hosts_per_rack or per_rack or HOSTS_PER_RACK)
        rack[here] = first + numbers
        first += int(numbers[-1]) + 1
    return rack


def hosts_of_sites(layout: Sites, group_of_host: Sequence[str]) -> list[Ints] | None:
    """Return the rows of each site's hosts; None where the sites are not those of the farm.

    ``group_of_host`` has the group's name of each host. Rows ascend within a site.
    """
    names = np.array(group_of_host)
    if all(site.hosts for site in layout.sites):
        ends = np.cumsum([site.hosts or 0 for site in layout.sites])
        found = [
            np.arange(end - (site.hosts or 0), end)
            for site, end in zip(layout.sites, ends.tolist(), strict=True)
        ]
    else:
        found = [np.flatnonzero(np.isin(names, site.groups or ())) for site in layout.sites]
    rows = np.sort(np.concatenate(found))
    whole = np.array_equal(rows, np.arange(len(names))) and all(len(here) for here in found)
    return found if whole else None


def _hosts_of_sites(farm: FarmPart, layout: Sites) -> list[Ints] | None:
    """Return the rows of each site's hosts, None where the sites are not the farm's."""
    return hosts_of_sites(layout, [farm.hosts[row].name for row in _groups(farm).tolist()])


def rack_limits(written: float | Mapping[str, float] | None, names: Sequence[str]) -> Floats:
    """Return the power limit of each rack in W, inf for one without; ``names`` are the racks'."""
    if written is None or isinstance(written, float | int):
        return np.full(len(names), np.inf if written is None else float(written))
    limits = {without_zeros(name): limit_w for name, limit_w in written.items()}
    return np.array([limits.get(without_zeros(name), np.inf) for name in names])


def rack_names(spec: Spec) -> list[str]:
    """Return the name of each host's rack."""
    domains = build_domains(spec.farm, spec.network.topology)
    return [domains.rack_names[rack] for rack in domains.rack.tolist()]


def unplanned(count: int) -> Domains:
    """Return domains of hosts of which nothing is known: one site, racks filled in order."""
    rack = racks_in_order(np.zeros(count, np.int64), HOSTS_PER_RACK)
    return Domains(rack, np.zeros(count, np.int64), _rack_names(rack), [MAIN_SITE])


def hosts_per_switch(layout: Topology) -> int | None:
    """Return the hosts of a rack whose switch the layout wires; None if it has no such racks."""
    if isinstance(layout, TwoTier):
        return layout.hosts_per_rack
    return layout.hosts_per_leaf if isinstance(layout, LeafSpine) else None


def _rack_names(rack: Ints) -> Sequence[str]:
    """Return the names of all racks, made when they are shown."""
    return Numbered("rack", int(rack.max(initial=-1)) + 1)


def _sites(groups: Sequence[HostGroup]) -> tuple[list[str], Ints]:
    """Return the names of sites in order of appearance, and the site of each group."""
    written = [group.site or MAIN_SITE for group in groups]
    names = list(dict.fromkeys(written))
    return names, np.array([names.index(name) for name in written])


def _groups(farm: FarmPart) -> Ints:
    """Return the group of each host, in the order of the farm."""
    return numbering(np.array([group.count for group in farm.hosts]), farm.order)
