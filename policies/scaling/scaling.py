"""What a scaling policy sees of an application, and what it answers."""

import math
from collections.abc import Mapping
from typing import Protocol

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass

ROUNDING = 1e-9


@dataclass(frozen=True)
class ApplicationView:
    """An application at an instant; loads and capacities in MHz of its members' CPU.

    ``load_mhz`` is the load in every step of ``step_s`` so far, oldest first, the last of them
    now. ``members`` is how many are wanted, those that still start included, ``running`` how many
    run; ``capacity_mhz`` is what one member has. ``size`` names the size of the members,
    ``sizes_mhz`` tells what a member of each size would have.

    ``load_mhz`` is (steps,) and read-only. ``minimum`` and ``maximum`` bound the number of members.
    """

    now_s: float
    step_s: float
    load_mhz: Floats
    members: int
    running: int
    capacity_mhz: float
    minimum: int
    maximum: int
    size: str
    sizes_mhz: Mapping[str, float]

    @property
    def load_now_mhz(self) -> float:
        """The load now."""
        return float(self.load_mhz[-1])

    @property
    def utilisation(self) -> float:
        """Load over the capacity of the members that are wanted; above 1 if they are too few.

        Members that still start count, so that nobody is requested twice.
        """
        return self.load_now_mhz / (self.members * self.capacity_mhz)


@dataclass(frozen=True)
class Wanted:
    """How many members a policy wants, and of which size (empty: as it is).

    ``measured`` is the utilisation that the rule looked at, now or forecast (NaN: the present
    one), and ``limit`` what it compared it with, NaN where it compares nothing.
    """

    members: int
    rule: str
    measured: float = math.nan
    limit: float = math.nan
    size: str = ""


class ScalingPolicy(Protocol):
    """Decides once per round how many members an application has, or of what size."""

    def decide(self, view: ApplicationView) -> Wanted:
        """Return what is wanted now; the engine keeps it within minimum and maximum.

        Called for each application once a round of length ``step_s``. Cool-downs are the engine's,
        too: a change that comes too early is dropped and may be wanted again.
        """
        ...


def enough(load_mhz: float, target: float, capacity_mhz: float) -> int:
    """Return the fewest members of a capacity that carry a load at ``target`` or below.

    Load and capacity in MHz, ``target`` a share above 0.
    """
    return math.ceil(load_mhz / (target * capacity_mhz) - ROUNDING)


def resizes_while_running(policy: ScalingPolicy | None, size: str, other: str) -> bool:
    """Return whether members may go from one size to another while they run.

    A policy that changes sizes says so with a method ``resizes_running(size, other)``, given two
    names of sizes; by others none may.
    """
    resizes_running = getattr(policy, "resizes_running", None)
    return bool(resizes_running is not None and resizes_running(size, other))
