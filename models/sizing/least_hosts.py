"""The least number of equal hosts that hold VMs and survive failures: floors, placement, tests."""

from collections.abc import Callable, Sequence

import numpy as np

from ..base.arrays import Floats, Ints
from ..base.lazy_dataclass import dataclass
from .failure_cases import FailureTable, failure_table
from .floors import NEVER, Floors, floors
from .limits import Limits
from .packing import hosts_bound, placements
from .planned_farm import PlannedFarm, PlannedHosts

MORE = 60
"""Hosts beyond the bound up to which a placement that survives is looked for."""

Solve = Callable[[PlannedFarm, Floats], Ints | bool | None]
"""A placement of all VMs (vms,) on hosts with such rooms; False if none is proven to exist.

None: not known in time.
"""


@dataclass(frozen=True)
class Tried:
    """What became of one number of hosts: ``reason`` is empty for the one that passed."""

    hosts: int
    reason: str


@dataclass(frozen=True, eq=False)
class LeastHosts:
    """The least number of equal hosts found, and the proven bound below it.

    ``hosts`` is None where none passed; ``home`` (vms,) is the placement that passed, rows of
    ``on``. ``bound`` is a number below which no placement is: equal to ``hosts`` where that is
    proven least. ``tried`` are the numbers that were tested, ``table`` the failure table of the
    last. ``spares`` hosts stay empty in the placement: VMs are packed on the others, or migrated
    to make room, as filling all hosts evenly leaves room in pieces that are too small.
    """

    hosts: int | None
    bound: int
    floors: Floors
    farm: PlannedFarm | None
    table: FailureTable | None
    tried: Sequence[Tried]
    spares: int = 0

    @property
    def proven(self) -> bool:
        """Whether fewer hosts are proven not to be enough."""
        return self.hosts is not None and self.hosts <= self.bound

    @property
    def home(self) -> Ints:
        """The host of each VM in the placement that passed."""
        return np.zeros(0, np.int64) if self.farm is None else self.farm.home


def least_hosts(
    farm: PlannedFarm,
    hosts_of: Callable[[int], PlannedHosts],
    limits: Limits,
    reserve: int,
    solve: Solve | None = None,
) -> LeastHosts:
    """Return the least number of equal hosts for the VMs of a farm, if ``reserve`` may fail.

    ``hosts_of`` makes so many equal hosts (:func:`.equal_hosts`). The search starts at the proven
    bound: the floors, and packing bounds (:func:`.hosts_bound`) of each number f of failed hosts,
    plus f. For each number from there on the family of first fit places the VMs, evenly filled
    hosts first, and every failure of 1 and of ``reserve`` hosts is tried; the first that passes
    is the answer. Where the bound does not pass, ``solve`` (an integer program, if given) looks for
    a placement that leaves ``reserve`` hosts empty as spares, or may prove that none exists while
    so many are down, which raises the bound by one.
    """
    server = hosts_of(1)
    found = floors(farm, server, limits, reserve)
    bound = found.hosts
    for failed in range(reserve + 1):
        room = limits.rooms(server, failed)[0]
        bound = max(bound, min(hosts_bound(farm, room) + failed, NEVER))
    if bound >= NEVER:
        return LeastHosts(None, NEVER, found, None, None, [])
    tried: list[Tried] = []
    table: FailureTable | None = None
    for count in range(max(bound, 1), bound + MORE):
        farm_there = farm.on(hosts_of(count))
        passed, spares, table, reason = first_passing(farm_there, limits, reserve)
        tried.append(Tried(count, reason))
        if passed is not None:
            return LeastHosts(count, bound, found, passed, table, tried, spares)
        if solve is not None and count == bound:
            there, table_there = _solved(farm_there, hosts_of, limits, reserve, solve)
            if there is not None:
                tried[-1] = Tried(count, "")
                return LeastHosts(count, bound, found, there, table_there, tried, reserve)
            bound += _impossible(farm, hosts_of, limits, count, reserve, solve)
    return LeastHosts(None, bound, found, None, table, tried)


def first_passing(
    farm: PlannedFarm, limits: Limits, reserve: int
) -> tuple[PlannedFarm | None, int, FailureTable | None, str]:
    """Return the farm placed so that it passes, its spare hosts, its table, and why others failed.

    VMs are placed anew, by each of :func:`.placements`; None where no placement passes.
    """
    reason, table = "no placement of all VMs found in normal operation", None
    for home, spares in placements(farm, limits.rooms(farm.hosts, 0), reserve):
        there = farm.with_vms(farm.vms, home)
        table = failure_table(there, limits, pairs=reserve > 1)
        if table.survives(reserve):
            return there, spares, table, ""
        failing = table.first_failing
        reason = failing.reason if failing else "pairs of hosts are not shown to survive"
    return None, 0, table, reason


def _solved(
    farm: PlannedFarm,
    hosts_of: Callable[[int], PlannedHosts],
    limits: Limits,
    reserve: int,
    solve: Solve,
) -> tuple[PlannedFarm | None, FailureTable | None]:
    """Return the farm placed by ``solve`` with ``reserve`` hosts as spares, if that passes."""
    count = len(farm.hosts)
    if count <= reserve:
        return None, None
    filled = hosts_of(count - reserve)
    home = solve(farm.on(filled), limits.rooms(filled, 0))
    if home is None or isinstance(home, bool):
        return None, None
    there = farm.with_vms(farm.vms, home)
    table = failure_table(there, limits, pairs=reserve > 1)
    return (there, table) if table.survives(reserve) else (None, None)


def _impossible(
    farm: PlannedFarm,
    hosts_of: Callable[[int], PlannedHosts],
    limits: Limits,
    count: int,
    reserve: int,
    solve: Solve,
) -> bool:
    """Whether it is proven that ``count`` hosts are not enough, with none or the reserve down."""
    for failed in {0, reserve}:
        if count <= failed:
            return True
        left = hosts_of(count - failed)
        if solve(farm.on(left), limits.rooms(left, failed)) is False:
            return True
    return False
