"""Minimum number of hosts for the VMs at one instant, by integer programming.

Policies never wait for this: it looks at a farm from outside, and where time runs out it says
between which numbers the optimum lies.
"""

import math

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.base.arrays import Ints, alike
from ...models.base.lazy_dataclass import dataclass
from ...models.bounds.bin_packing import fewest_hosts, min_weights
from ...scenarios.build.build import build, load_of
from ...scenarios.errors.problems import refuse
from ...scenarios.scenario import Scenario
from ..report.vm_sentences import plural
from ..run.play_case import play, until
from .snapshot import TOLERANCE, Snapshot, beyond_program, first_fit_decreasing

FIRST_S = 1e-3
"""How long a farm is run, in s, to see it as it is at the start."""


@dataclass(frozen=True)
class Optimum:
    """Bounds on the minimum number of hosts.

    ``bound`` is proven from below; ``hosts`` the fewest found with ``home`` as the placement, None
    where none was. ``status`` is ``optimal``, ``time limit`` or ``infeasible``.
    """

    bound: int
    hosts: int | None
    home: Ints | None
    status: str


def lower_bound(snapshot: Snapshot) -> int:
    """Return a number of hosts below which no placement can be, in milliseconds.

    By packing of CPU and memory together, by VMs that need a host alone, and by VMs that must be
    apart.

    0 where there are no VMs. Hosts of a kind are told apart only by what they have, so that the
    bound holds for any farm; it may be below the optimum, never above.
    """
    if not len(snapshot.home):
        return 0
    groups = np.unique(snapshot.group)
    may = np.stack([snapshot.allowed[:, snapshot.group == each].any(axis=1) for each in groups], 1)
    cpu_mhz, cpu_factor = min_weights(np.where(may, snapshot.cpu_mhz[:, groups], np.inf))
    memory, memory_factor = min_weights(np.where(may, snapshot.memory_mib[:, groups], np.inf))
    at = np.searchsorted(groups, snapshot.group)
    rooms = np.stack([snapshot.room_mhz / cpu_factor[at], snapshot.room_mib / memory_factor[at]], 1)
    _, first, counts = np.unique(alike(rooms), return_index=True, return_counts=True)
    bound = fewest_hosts(cpu_mhz, memory, np.maximum(rooms[first], TOLERANCE), counts)
    alone = len(snapshot.home) if snapshot.one_guest.all() else 0
    return max(bound, alone, 1, *(len(each) for each in snapshot.apart))


def solve(snapshot: Snapshot, time_limit_s: float = 60.0) -> Optimum:
    """Return the fewest hosts, or what is known of them when time is up.

    Variables: whether a host is used, and whether a VM is on a host. The sum of the first is
    least, subject to what :meth:`Snapshot.fits` asks for; equal hosts are used in order. Solved by
    HiGHS through :func:`scipy.optimize.milp`, with no more hosts of a kind than a packing that is
    known needs in all.

    The solver is not asked where the present placement, or first fit decreasing, reaches the bound
    already. Bin packing is NP-hard: a farm of hundreds of hosts may not be solved in any time, and
    the result is then a range.
    """
    bound = lower_bound(snapshot)
    known = best_known(snapshot)
    if known is not None and _used(known) <= bound:
        return Optimum(bound, bound, known, "optimal")
    chosen = _enough_hosts(snapshot, None if known is None else _used(known))
    from .integer_program import solve_program  # noqa: PLC0415 - scipy is costly to import

    found = solve_program(snapshot, chosen, bound, time_limit_s)
    bound = max(bound, found.bound)
    if found.home is not None and (known is None or _used(found.home) < _used(known)):
        known = found.home
    if known is None:
        return Optimum(bound, None, None, found.status)
    hosts = _used(known)
    return Optimum(min(bound, hosts), hosts, known, "optimal" if bound >= hosts else found.status)


def _used(home: Ints) -> int:
    """Return how many hosts a placement uses."""
    return len(np.unique(home))


def best_known(snapshot: Snapshot) -> Ints | None:
    """Return the present placement or that of first fit decreasing, whichever uses fewer hosts.

    One host per VM, (vms,); None where neither keeps capacities and rules.
    """
    tried = [snapshot.home, first_fit_decreasing(snapshot)]
    valid = [home for home in tried if home is not None and snapshot.fits(home)]
    return min(valid, key=_used, default=None)


def _enough_hosts(snapshot: Snapshot, most: int | None) -> tuple[Ints, Ints]:
    """Return hosts of which an optimum can be made, at most so many of a kind, and their kinds.

    ``most`` is how many hosts a known packing uses, None if none is known. Hosts are of one kind if
    they are of one group, have the same room, and may hold the same VMs.
    """
    barring = alike(snapshot.allowed.T.astype(np.float64))
    columns = (snapshot.group, snapshot.room_mhz, snapshot.room_mib, snapshot.one_guest, barring)
    kind = alike(np.column_stack(columns))
    order = np.argsort(kind, kind="stable")
    rank = np.empty(len(kind), np.int64)
    rank[order] = np.arange(len(kind)) - np.searchsorted(kind[order], kind[order])
    limit = len(kind) if most is None else most
    hosts = order[rank[order] < limit]
    return hosts, kind[hosts]


@dataclass(frozen=True)
class OptimumComparison:
    """A farm at one instant compared with the optimum for its VMs.

    ``shortfall_mhz`` is the CPU that VMs ask for beyond what their hosts have: a farm that is short
    may use fewer hosts than serving everybody takes. The optimum fills hosts to ``fill`` of their
    CPU at most; ``over_fill`` hosts of the farm hold more than that, which is no shortage.
    ``left_out`` names the rules of placement that the optimum need not keep.
    """

    name: str
    at_s: float
    vms: int
    hosts_on: int
    hosts: int
    shortfall_mhz: float
    optimum: Optimum
    left_out: list[str]
    fill: float = 1.0
    over_fill: int = 0
    ceilings: bool = False
    """Whether hosts have planning ceilings, which the optimum keeps."""

    @property
    def gap(self) -> float:
        """Hosts on beyond the best number proven, as a share of that number.

        0 where nothing is proven; negative where the farm fills hosts beyond what the optimum may.
        """
        bound = self.optimum.bound
        return self.hosts_on / bound - 1.0 if bound else 0.0

    def text(self) -> str:
        """Return the comparison in a few lines.

        The gap is told against what is proven, so that it is "at most" where time was up.
        """
        found = self.optimum
        lines = [
            f"{self.name} at {self.at_s / 3600:g} h: {plural(self.vms, 'VM')}, {self.hosts_on:,} "
            f"of {plural(self.hosts, 'host')} on",
            f"minimum number of hosts{self._limit()}: {_known(found)}",
        ]
        if found.status != "infeasible":
            lines.append(self._gap_text())
        if self.shortfall_mhz > 0:
            short = f"{self.shortfall_mhz / 1000:,.2f} GHz"
            lines.append(f"shortage: hosts lack {short} of the CPU demand of their VMs")
        if self.over_fill:
            hosts = (
                "1 host of the farm is"
                if self.over_fill == 1
                else (f"{self.over_fill:,} hosts of the farm are")
            )
            limit = "that limit" if self.ceilings else f"{100 * self.fill:g} % utilisation"
            lines.append(f"{hosts} above {limit}, but not above 100 %")
        if self.left_out:
            lines.append(f"the optimum ignores these rules: {', '.join(self.left_out)}")
        return "\n".join(lines)

    def _gap_text(self) -> str:
        """Return how many hosts the farm has on beyond the best number proven."""
        beyond = self.hosts_on - self.optimum.bound
        if beyond < 0:
            return (
                f"the farm has {-beyond:,} fewer hosts on because it fills hosts beyond the limit "
                "of the optimum"
            )
        most = "" if self.optimum.status == "optimal" else "at most "
        hosts = "1 host" if beyond == 1 else f"{beyond:,} hosts"
        return f"gap: {most}{hosts}, {100 * self.gap:.1f} %"

    def _limit(self) -> str:
        """Return how far the optimum may fill a host, empty where wholly."""
        most = "" if self.fill >= 1 else f" with at most {100 * self.fill:g} % of CPU used on each"
        return f"{most} within the ceilings of the hosts" if self.ceilings else most

    def to_dict(self) -> dict[str, object]:
        """Return the comparison as plain values.

        Times in s, CPU in MHz, ``gap`` and ``fill`` as shares.
        """
        return {
            "name": self.name,
            "at_s": self.at_s,
            "vms": self.vms,
            "hosts": self.hosts,
            "hosts_on": self.hosts_on,
            "short_mhz": self.shortfall_mhz,
            "gap": self.gap,
            "fill": self.fill,
            "hosts_over_fill": self.over_fill,
            "bound": self.optimum.bound,
            "fewest": self.optimum.hosts,
            "status": self.optimum.status,
            "rules_left_out": self.left_out,
        }


def _known(found: Optimum) -> str:
    """Return what is known of the fewest hosts as text."""
    if found.status == "optimal":
        return f"{found.bound:,}, proven"
    if found.status == "infeasible":
        return "no number of hosts can hold all VMs"
    most = "?" if found.hosts is None else f"{found.hosts:,}"
    return f"between {found.bound:,} and {most}; the time limit was reached"


def at_instant(
    scenario: Scenario, at_s: float, fill: float, time_limit_s: float
) -> OptimumComparison:
    """Run a scenario up to an instant and compare the farm with the optimum.

    ``fill`` is the share of a host's CPU that the optimum may use. Raises InputError if the
    scenario cannot be run or has no VMs on hosts then.

    Raises InputError as well for a ``fill`` that is not above 0 and up to 1, a negative time limit,
    or an instant outside the run. VMs under way count at the host that they are on.
    """
    ended = until(scenario, at_s, FIRST_S)
    if not 0 < fill <= 1:
        raise refuse(
            scenario.name, f"is {fill:g}; set a share above 0 and up to 1", "--max-utilisation"
        )
    if not 0 <= time_limit_s < math.inf:
        message = f"is {time_limit_s:g} s; set a time of 0 s or more"
        raise refuse(scenario.name, message, "--time-limit")
    case = build(ended, load_of(scenario))
    farm = play(case).farm
    closed = np.array([not model.in_service for model in case.host_models])[farm.hosts.group]
    snapshot = Snapshot.of(farm, fill, case.rules, closed=closed)
    whole = Snapshot.of(farm, 1.0, case.rules, planned=False)
    if not len(snapshot.home):
        message = f"finds no VM on any host at {at_s / 3600:g} h; set another time"
        raise refuse(scenario.name, message, "--at")
    return OptimumComparison(
        name=scenario.name,
        at_s=at_s,
        vms=len(snapshot.home),
        hosts_on=int(np.count_nonzero(farm.accounts.rates[Rate.ON])),
        hosts=len(farm.hosts),
        shortfall_mhz=whole.shortfall_mhz(),
        optimum=solve(snapshot, time_limit_s),
        left_out=beyond_program(case.rules),
        fill=fill,
        ceilings=bool(min(farm.hosts.cpu_ceiling.min(), farm.hosts.memory_ceiling.min()) < 1),
        over_fill=max(snapshot.overloaded_hosts() - whole.overloaded_hosts(), 0),
    )
