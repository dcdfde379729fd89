"""What is wrong with the racks of a scenario, given its sites and its network."""

from collections.abc import Iterator

import numpy as np

from ..language.fields import Fault
from ..resolve.racks import build_domains, hosts_per_switch
from ..spec.network import Sites
from ..spec.spec import Spec


def faults_of_racks(spec: Spec) -> Iterator[Fault]:
    """Yield racks that are given twice or stand at two sites."""
    layout = spec.network.topology
    wired = hosts_per_switch(layout)
    if wired is not None:
        yield from _duplicate_racks(spec, f"racks of {wired} hosts")
    elif isinstance(layout, Sites) and all(site.hosts_per_rack for site in layout.sites):
        yield from _duplicate_racks(spec, "racks of its own")
    domains = build_domains(spec.farm, layout)
    first = np.unique(domains.rack, return_index=True)[1]
    torn = np.flatnonzero(domains.site != domains.site[first][domains.rack])
    if len(torn):
        rack, site = domains.rack[torn[0]], domains.site[torn[0]]
        one, other = domains.site_names[domains.site[first[rack]]], domains.site_names[site]
        remedy = f"let the hosts of a site be a multiple of {wired}, or leave the sites out"
        if wired is None:
            remedy = "let the sites of the network hold groups of one site each, or leave these out"
        message = f"rack {rack + 1} would stand at {one} and at {other}; {remedy}"
        yield ("network", "layout"), message


def _duplicate_racks(spec: Spec, what: str) -> Iterator[Fault]:
    if spec.farm.hosts_per_rack is not None:
        message = f"the network's layout has {what} already; leave this out"
        yield ("farm", "hosts_per_rack"), message
