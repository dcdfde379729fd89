"""Failure domains of hosts: racks and sites.

What stands in one rack has a switch and a power strip in common, what stands at one site the
building; rules of placement spread VMs over domains, failures strike them whole.
"""

import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..base.arrays import Ints, distinct
from ..base.lazy_dataclass import dataclass

LEVELS = ("host", "rack", "site")
"""Kinds of domain, each within one of the next."""


@dataclass(frozen=True)
class Domains:
    """Rack and site of each host, by number; each rack is at one site."""

    rack: Ints
    site: Ints
    rack_names: Sequence[str]
    site_names: Sequence[str]

    @cached_property
    def host(self) -> Ints:
        """Each host as a domain of its own."""
        return np.arange(len(self.rack))

    def of(self, level: str) -> Ints:
        """Return the domain of each host at a level of :data:`LEVELS`."""
        found: Ints = getattr(self, level)
        return found

    def count(self, level: str) -> int:
        """Return how many domains there are at a level."""
        sizes = {"rack": len(self.rack_names), "site": len(self.site_names)}
        return sizes.get(level, len(self.rack))


def numbered(prefix: str, number: int, count: int) -> str:
    """Return the name of one of ``count`` things, numbered from 1, all of one length."""
    return f"{prefix}-{number:0{len(str(count))}d}"


def without_zeros(name: str) -> str:
    """Return a numbered name without leading zeros: ``rack-3`` for ``rack-03``."""
    return re.sub(r"-0+(?=\d)", "-", name)


def racks_in_order(site: Ints, per_rack: int) -> Ints:
    """Return the rack of each host if the hosts of a site fill racks in their order.

    Racks are numbered site after site; ``per_rack`` hosts fill one.
    """
    racks = np.empty(len(site), np.int64)
    first = 0
    for each in distinct(site).tolist():
        here = np.flatnonzero(site == each)
        racks[here] = first + np.arange(len(here)) // per_rack
        first += -(-len(here) // per_rack)
    return racks
