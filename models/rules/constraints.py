"""Placement rules: VMs together or apart, and allowed hosts.

Rules are inert data over rows of VMs and hosts. :mod:`.occupancy` asks what a placement would
break, :mod:`.checker` what is broken, :mod:`.conflicts` what can never be kept; the three share
nothing but this.
"""

from dataclasses import field
from functools import cached_property
from typing import Final

import numpy as np

from ..base.arrays import Ints
from ..base.lazy_dataclass import dataclass

FOR_STRANGERS: Final = ("lonely", "dedicated")
"""Kinds that bind the VMs that are not named as well."""

BY_HOST_ALONE: Final = ("fence", "ban", "dedicated")
"""Kinds whose verdict does not depend on where other VMs are."""


def _nobody() -> Ints:
    return np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Rule:
    """One rule; ``vms`` and ``hosts`` are rows, ascending and unique.

    ``level`` is the domain meant by together, apart and spread (:data:`.racks_and_sites.LEVELS`),
    ``at_most`` how many of the VMs a domain takes, ``cpu_mhz`` what preserve keeps for each VM.
    A rule without a ``penalty`` is hard: nothing may break it. Others cost their penalty for each
    VM that is placed against them. With a ``size`` the rule binds those of its VMs only that have
    this size now, by number: members that scale vertically change from one to another.
    """

    name: str
    kind: str
    vms: Ints
    hosts: Ints = field(default_factory=_nobody)
    level: str = "host"
    at_most: int = 1
    cpu_mhz: float = 0.0
    penalty: float | None = None
    size: int | None = None

    def holding(self, size: Ints | None) -> Ints:
        """Return the VMs that it binds, given the present size of each VM (None: all of them)."""
        if self.size is None or size is None:
            return self.vms
        bound: Ints = self.vms[size[self.vms] == self.size]
        return bound

    @cached_property
    def named(self) -> frozenset[int]:
        """The VMs that it names."""
        return frozenset(self.vms.tolist())

    @property
    def hard(self) -> bool:
        """Whether it is a hard rule."""
        return self.penalty is None
