"""Racks and sites of a scenario: where the hosts of a farm stand."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..models.arrays import Ints
from ..models.domains import Domains, racks_in_order
from .build_farm import numbering
from .fields import Fault
from .names import Numbered
from .spec import Spec
from .spec_farm import FarmPart, HostGroup
from .spec_network import LeafSpine, TopologyField, TwoTier

HOSTS_PER_RACK = 40
MAIN_SITE = "main"
"""Where hosts stand whose group names no site."""


def build_domains(farm: FarmPart, layout: TopologyField) -> Domains:
    """Return where each host stands, in the order of the farm."""
    names, site_of_group = _sites(farm.hosts)
    site = site_of_group[_groups(farm)]
    wired = _hosts_per_switch(layout)
    if wired is not None:
        rack = np.arange(len(site)) // wired
    else:
        rack = racks_in_order(site, farm.hosts_per_rack or HOSTS_PER_RACK)
    return Domains(rack, site, _rack_names(rack), names)


def racks(spec: Spec) -> Ints:
    """Return the number of each host's rack, from 1 on."""
    return build_domains(spec.farm, spec.network.layout).rack + 1


def unplanned(count: int) -> Domains:
    """Return domains of hosts of which nothing is known: one site, racks filled in order."""
    rack = racks_in_order(np.zeros(count, np.int64), HOSTS_PER_RACK)
    return Domains(rack, np.zeros(count, np.int64), _rack_names(rack), [MAIN_SITE])


def faults_of_domains(spec: Spec) -> Iterator[Fault]:
    """Yield racks that are given twice or stand at two sites."""
    wired = _hosts_per_switch(spec.network.layout)
    if wired is None:
        return
    if spec.farm.hosts_per_rack is not None:
        message = f"the network's layout has racks of {wired} hosts already; leave this out"
        yield ("farm", "hosts_per_rack"), message
    names, site_of_group = _sites(spec.farm.hosts)
    if len(names) == 1:
        return
    site = site_of_group[_groups(spec.farm)]
    torn = np.flatnonzero(np.diff(site) * (np.arange(1, len(site)) % wired))
    if len(torn):
        one, other = names[site[torn[0]]], names[site[torn[0] + 1]]
        message = (
            f"rack {torn[0] // wired + 1} would stand at {one} and at {other}; let the hosts of "
            f"a site be a multiple of {wired}, or leave the sites out"
        )
        yield ("network", "layout"), message


def _hosts_per_switch(layout: TopologyField) -> int | None:
    if isinstance(layout, TwoTier):
        return layout.hosts_per_rack
    return layout.hosts_per_leaf if isinstance(layout, LeafSpine) else None


def _rack_names(rack: Ints) -> Sequence[str]:
    return Numbered("rack", int(rack.max(initial=-1)) + 1)


def _sites(groups: Sequence[HostGroup]) -> tuple[list[str], Ints]:
    written = [group.site or MAIN_SITE for group in groups]
    names = list(dict.fromkeys(written))
    return names, np.array([names.index(name) for name in written])


def _groups(farm: FarmPart) -> Ints:
    return numbering(np.array([group.count for group in farm.hosts]), farm.order)
