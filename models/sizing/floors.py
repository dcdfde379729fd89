"""Floors: the number of equal hosts that each resource and each rule asks for."""

import math
from collections.abc import Sequence

from ..base.arrays import added
from ..base.lazy_dataclass import dataclass
from .limits import Limits
from .planned_farm import CPU, RESOURCES, TOLERANCE, PlannedFarm, PlannedHosts

NEVER = 10**9
"""A number of hosts that stands for: no number is enough."""


@dataclass(frozen=True)
class Floor:
    """The number of hosts that one need asks for.

    ``name`` is ``memory``, ``vcpus``, ``cpu``, ``largest_vm``, ``rules`` or ``min_hosts``.
    ``failed`` is the number of hosts down in the case that decides. ``exact`` is the number before
    rounding up, ``need`` and ``room`` what is needed and what one host may hold then (MiB, vCPUs,
    MHz; 0 for floors that are no sums). ``reason`` says in words what asks.
    """

    name: str
    hosts: int
    failed: int
    exact: float
    need: float = 0.0
    room: float = 0.0
    reason: str = ""

    def slack(self, hosts: int) -> float:
        """Return the share of what ``hosts`` hosts may hold that stays free in the case."""
        left = (hosts - self.failed) * self.room
        return 1.0 - self.need / left if left > 0 else 0.0

    def break_even(self, hosts: int) -> float:
        """Return by what factor the need may grow until it asks for more than ``hosts`` hosts.

        ``k* = (hosts - failed) x room / need``; infinite where nothing is needed.
        """
        return (hosts - self.failed) * self.room / self.need if self.need > 0 else math.inf


@dataclass(frozen=True)
class Floors:
    """All floors. The largest decides; of equal ones the first in the order of the list."""

    all: Sequence[Floor]
    cpu_known: bool

    @property
    def hosts(self) -> int:
        """The number of hosts that all floors ask for together: their maximum."""
        return max(each.hosts for each in self.all)

    @property
    def limiter(self) -> Floor:
        """The floor that decides; of equal ones that which asked for most before rounding."""
        return max(self.all, key=lambda floor: (floor.hosts, floor.exact))

    @property
    def second(self) -> Floor | None:
        """The floor that decides if the limiter did not, among those of the other names."""
        first = self.limiter
        others = [each for each in self.all if each.name != first.name]
        return max(others, key=lambda floor: (floor.hosts, floor.exact), default=None)

    def named(self, name: str) -> Floor | None:
        """Return the floor of a name."""
        return next((each for each in self.all if each.name == name), None)


def floors(farm: PlannedFarm, server: PlannedHosts, limits: Limits, reserve: int) -> Floors:
    r"""Return how many hosts like ``server`` each need asks for, if ``reserve`` hosts may fail.

    ``server`` is one host (the first row counts). For each resource and each number f of failed
    hosts from 0 to ``reserve``

    .. math:: n = \lceil \text{need} / \text{room}_f \rceil + f

    with the need of all VMs and what one host may hold in that case (:meth:`.Limits.rooms`); the
    case that asks for most decides. Memory is configured memory, CPU the 95th percentile of the
    sum. VMs that a rule keeps apart by host take a host each, and so many must be left. Equation of
    capacity planning in common use (N+x); equal hosts, so the failed ones are any.
    """
    needs = farm.vms.needs()
    known = farm.vms.cpu_mhz is not None
    found = []
    for column, name in enumerate(RESOURCES):
        if column == CPU and not known:
            continue
        need = added(needs[:, column].tolist())
        cases = []
        for failed in range(reserve + 1):
            room = float(limits.rooms(server, failed)[0, column])
            cases.append(_by_sum(name, need, room, failed))
        found.append(max(cases, key=lambda floor: (floor.hosts, floor.exact)))
    found += [_largest(farm, server, limits, reserve), *_by_rules(farm, reserve)]
    found.append(Floor("min_hosts", limits.min_hosts, 0, limits.min_hosts, reason="least of all"))
    return Floors(found, known)


def _by_sum(name: str, need: float, room: float, failed: int) -> Floor:
    """Return the floor of a resource in the case that so many hosts have failed."""
    if need > 0 and room <= 0:
        return Floor(name, NEVER, failed, math.inf, need, room)
    exact = need / room if need > 0 else 0.0
    hosts = math.ceil(exact * (1 - TOLERANCE) - TOLERANCE) + failed
    return Floor(name, max(hosts, failed), failed, exact + failed, need, room)


def _largest(farm: PlannedFarm, server: PlannedHosts, limits: Limits, reserve: int) -> Floor:
    """Return the floor of the largest VM, which must fit on one host while others are down."""
    needs = farm.vms.needs()
    room = limits.rooms(server, min(reserve, 1))[0]
    over = (needs > room * (1 + TOLERANCE)).any(axis=1)
    if over.any():
        row = int(over.nonzero()[0][0])
        lacking = [RESOURCES[at] for at in (needs[row] > room * (1 + TOLERANCE)).nonzero()[0]]
        reason = f"{farm.vms.names[row]} is larger than a host ({', '.join(lacking)})"
        return Floor("largest_vm", NEVER, reserve, math.inf, reason=reason)
    least = 1 + reserve if len(farm.vms) else 0
    return Floor("largest_vm", least, reserve, float(least), reason="the largest VM fits on a host")


def _by_rules(farm: PlannedFarm, reserve: int) -> list[Floor]:
    """Return the floor of the rules that keep VMs apart, if there are any."""
    asked = [
        Floor(
            "rules",
            rule.domains + reserve,
            reserve,
            float(rule.domains + reserve),
            reason=f"apart: {rule.name} keeps {len(rule.vms)} VMs on {rule.domains} {rule.level}s",
        )
        for rule in farm.spread
        if len(rule.vms) > 1
    ]
    return [max(asked, key=lambda floor: floor.hosts)] if asked else []


def oversized(farm: PlannedFarm, server: PlannedHosts, limits: Limits) -> list[str]:
    """Return the names of VMs that take more of a host than the limit of the largest VM.

    A warning, not a limit: such VMs restart on few hosts only. Memory and vCPUs count, the latter
    against the cores of the host.
    """
    amounts = server.amounts()[0]
    over = farm.vms.needs()[:, :CPU] > limits.largest_vm * amounts[:CPU] * (1 + TOLERANCE)
    return [farm.vms.names[row] for row in over.any(axis=1).nonzero()[0].tolist()]
