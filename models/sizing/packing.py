"""Placement of VMs on hosts by the first-fit family, and a bound below which no placement is."""

import math
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Final

import numpy as np

from ..base.arrays import Bools, Floats, Ints, sum_by
from ..base.lazy_dataclass import dataclass
from ..bounds.bin_packing import dual_feasible_bound
from .planned_farm import MEMORY, TOLERANCE, Items, PlannedFarm, PlannedHosts, items_of

FIRST_FIT, BEST_FIT, WORST_FIT, ALIGNED = "first fit", "best fit", "worst fit", "aligned"
FITS: Final = (FIRST_FIT, BEST_FIT, ALIGNED, WORST_FIT)
ORDERS: Final = ("scarcest", "memory", "largest share", "sum of shares")
"""How items are ordered, decreasing: by the scarcest resource, by memory, by shares of a host."""


SLACK = 2 * TOLERANCE
"""Rounding of what is left, as a share of the largest host."""


class Placing:
    """A placement that grows item by item; rules and rooms are kept at every step.

    ``rooms`` (hosts, 3) is what each host may hold. Items that stand on a host already are set
    down first with :meth:`put`; what they take may be more than there is room for.
    """

    def __init__(self, items: Items, hosts: PlannedHosts, rooms: Floats) -> None:
        self.items, self.hosts = items, hosts
        self.scale = np.maximum(rooms.max(axis=0, initial=0.0), TOLERANCE)
        # Shares of the largest host, a row per resource: few long rows are quick to compare.
        self._free = np.ascontiguousarray((rooms / self.scale).T)
        self._needs = np.ascontiguousarray((items.needs / self.scale)[:, :, None])
        self.home = np.full(len(items.needs), -1)
        self._rules: dict[int, list[int]] = {}
        self._domains: list[Ints] = []
        self._counts: list[Ints] = []
        for row, (rule, members) in enumerate(items.spread):
            domain = hosts.domain(rule.level)
            self._domains.append(domain)
            self._counts.append(np.zeros(int(domain.max(initial=-1)) + 1, np.int64))
            for item in members.tolist():
                self._rules.setdefault(item, []).append(row)

    @property
    def bound(self) -> Ints:
        """The items whose hosts depend on where others are, by a rule."""
        return np.array(sorted(self._rules), np.int64)

    def copied(self) -> "Placing":
        """Return a placement that goes on from this one without changing it."""
        other = copy(self)
        other._free, other.home = self._free.copy(), self.home.copy()
        other._counts = [each.copy() for each in self._counts]
        return other

    def stand(self, home: Ints) -> None:
        """Set all items down on the hosts that they stand on; -1 stands nowhere."""
        there = np.flatnonzero(home >= 0)
        for row, need in enumerate(self._needs[there, :, 0].T):
            self._free[row] -= sum_by(home[there], weights=need, minlength=len(self.hosts))
        self.home[there] = home[there]
        for item in self._rules:
            for row in self._rules[item] if home[item] >= 0 else ():
                self._counts[row][self._domains[row][home[item]]] += 1

    def close(self, hosts: Ints) -> None:
        """Let nothing be placed on hosts that have failed."""
        self._free[:, hosts] = -np.inf

    def free(self) -> Floats:
        """Return what each host has left, (hosts, 3): MiB, vCPUs, MHz; below 0 where it is over."""
        left: Floats = (self._free * self.scale[:, None]).T
        return left

    def free_of(self, host: int) -> bytes:
        """Return what a host has left in a form that equals that of hosts with the same."""
        return self._free[:, host].tobytes()

    def put(self, item: int, host: int) -> None:
        """Set an item down on a host, whether it fits or not."""
        self._free[:, host] -= self._needs[item, :, 0]
        self.home[item] = host
        for row in self._rules.get(item, ()):
            self._counts[row][self._domains[row][host]] += 1

    def lift(self, item: int) -> None:
        """Take an item off its host."""
        host = int(self.home[item])
        self._free[:, host] += self._needs[item, :, 0]
        self.home[item] = -1
        for row in self._rules.get(item, ()):
            self._counts[row][self._domains[row][host]] -= 1

    def allowed(self, item: int) -> Bools:
        """Return the hosts that rules leave to an item, given where the others are."""
        may: Bools = self.items.places[self.items.open[item]]
        rules = self._rules.get(item)
        if rules:
            may = may.copy()
            for row in dict.fromkeys(rules):
                rule, mine = self.items.spread[row][0], rules.count(row)
                full = self._counts[row] + mine > rule.at_most
                may &= ~full[self._domains[row]]
        return may

    def candidates(self, item: int) -> Bools:
        """Return the hosts that may take an item now: room for it, and no rule against it."""
        may: Bools = ((self._free - self._needs[item]).min(axis=0) >= -SLACK) & self.allowed(item)
        return may

    def choose(self, item: int, fit: str) -> int:
        """Return the host for an item under a rule of :data:`FITS`, -1 if none may take it.

        First fit takes the first host, best fit that with least left of its scarcest resource,
        worst fit that with most, aligned that whose free room is most like what the item needs,
        by the dot product of both (Panigrahy et al. 2011, heuristics for vector bin packing); of
        equal ones the first.
        """
        left = (self._free - self._needs[item]).min(axis=0)
        if fit == WORST_FIT:
            left[~self.allowed(item)] = -np.inf
            host = int(left.argmax()) if len(left) else -1
            return host if host >= 0 and left[host] >= -SLACK else -1
        may = (left >= -SLACK) & self.allowed(item)
        if fit == BEST_FIT:
            left[~may] = np.inf
            host = int(left.argmin()) if len(left) else -1
        elif fit == ALIGNED:
            alike = np.where(may, (self._free * self._needs[item]).sum(axis=0), -np.inf)
            host = int(alike.argmax()) if len(alike) else -1
        else:
            host = int(may.argmax()) if len(may) else -1
        return host if host >= 0 and may[host] else -1

    def place_all(self, order: Ints, fit: str) -> list[int]:
        """Place items in an order; return those for which no host was left."""
        stranded = []
        for item in order.tolist():
            host = self.choose(item, fit)
            if host < 0:
                stranded.append(item)
            else:
                self.put(item, host)
        return stranded


def shares(needs: Floats, rooms: Floats) -> Floats:
    """Return needs as shares of the largest host, (items, 3); infinite without room for any."""
    largest = rooms.max(axis=0, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(needs > 0, needs / largest, 0.0)
    return found


def decreasing(items: Items, rooms: Floats, by: str) -> Ints:
    """Return items from the largest on, by a measure of :data:`ORDERS`.

    Items that rules keep apart come first, those of the rule with most of them before others:
    what they need is a number of hosts. Equal items stay in the order of their rows, so that only
    which of equal VMs goes where depends on it.
    """
    share = shares(items.needs, rooms)
    total = items.needs.sum(axis=0) / np.maximum(rooms.sum(axis=0), TOLERANCE)
    measures = {
        "scarcest": share[:, int(total.argmax())],
        "memory": share[:, MEMORY],
        "largest share": share.max(axis=1),
        "sum of shares": share @ total,
    }
    in_rule = np.zeros(len(items.needs))
    for rule, members in items.spread:
        in_rule[members] = np.maximum(in_rule[members], len(members) / rule.at_most)
    few = items.places.sum(axis=1)[items.open] if len(items.open) else np.zeros(0)
    order: Ints = np.lexsort((*-items.needs.T, -measures[by], few, -in_rule))
    return order


def pack(farm: PlannedFarm, rooms: Floats, fits: Sequence[str] = FITS) -> Ints | None:
    """Place all VMs anew; return the host of each, (vms,), or None where the family finds none.

    ``rooms`` (hosts, 3) is what each host may hold. Orders of :data:`ORDERS` and rules of ``fits``
    are tried in turn, and the first placement of all VMs within rooms and rules is returned.
    First-fit decreasing uses at most 11/9 of the fewest equal hosts, and a constant more, for one
    resource (Johnson 1973); it may find no placement where there is one.
    """
    items = items_of(farm)
    if items.split:
        return None
    for placed in packings(items, farm.hosts, rooms, fits):
        return home_of_vms(items, placed.home, len(farm.vms))
    return None


def packings(
    items: Items, hosts: PlannedHosts, rooms: Floats, fits: Sequence[str] = FITS
) -> Iterator[Placing]:
    """Yield the placements of all items that the family finds."""
    if items.split or not len(hosts):
        return
    for fit in fits:
        for by in ORDERS:
            placing = Placing(items, hosts, rooms)
            if not placing.place_all(decreasing(items, rooms, by), fit):
                yield placing


def placements(farm: PlannedFarm, rooms: Floats, reserve: int) -> Iterator[tuple[Ints, int]]:
    """Yield placements of all VMs, unlike one another, that may survive failures, and their spares.

    First hosts are filled evenly, so that each failure finds room on all others; last, VMs are
    packed on all but the ``reserve`` largest hosts, which stay empty as spares: the number of spare
    hosts comes with each placement. With equal hosts, what stood on any failed host fits on a
    spare.
    """
    seen: set[bytes] = set()
    for fit in (WORST_FIT, ALIGNED, BEST_FIT):
        home = pack(farm, rooms, (fit,))
        if home is not None and home.tobytes() not in seen:
            seen.add(home.tobytes())
            yield home, 0
    if 0 < reserve < len(farm.hosts):
        packed = rooms.copy()
        packed[np.lexsort(rooms.T[::-1])[len(rooms) - reserve :]] = -1.0
        home = pack(farm, packed, (FIRST_FIT, BEST_FIT, ALIGNED))
        if home is not None and home.tobytes() not in seen:
            yield home, reserve


def home_of_vms(items: Items, home: Ints, vms: int) -> Ints:
    """Return the host of each VM, given that of each item."""
    found = np.full(vms, -1)
    for item, members in enumerate(items.members):
        found[members] = home[item]
    return found


def hosts_bound(farm: PlannedFarm, room: Floats) -> int:
    """Return a number of equal hosts below which no placement of the VMs is.

    ``room`` (3,) is what one host may hold. The highest of the sums of each resource, of dual
    feasible functions of each resource and of the mean of any two (what fits on a host takes at
    most 1 of each, so at most 1 of a mean; :func:`.dual_feasible_bound`), and of the hosts that
    rules ask for to keep VMs apart.
    """
    items = items_of(farm)
    if not len(items.needs):
        return 0
    share = shares(items.needs, room[None, :])
    if not np.isfinite(share).all() or (share > 1 + TOLERANCE).any():
        return 10**9
    columns = [share[:, at] for at in range(share.shape[1])]
    pairs = [(one + other) / 2 for at, one in enumerate(columns) for other in columns[at + 1 :]]
    bounds = [float(each.sum()) for each in columns]
    bounds += [dual_feasible_bound(each) for each in [*columns, *pairs]]
    apart = [rule.domains for rule in farm.spread if len(rule.vms)]
    return max(math.ceil(max(bounds) * (1 - TOLERANCE) - TOLERANCE), 1, *apart)


@dataclass
class _Budget:
    """How many steps a search may still take."""

    steps: int


def exact_placing(placing: Placing, waiting: Ints, steps: int) -> tuple[bool | None, int]:
    """Search for a placement of all waiting items by depth first; whether there is one.

    The second value is the number of steps that were taken.

    Items in the order given, each on every host that may take it, hosts that are equal for all
    that matters once. Where a placement is found, ``placing`` holds it; None when ``steps`` steps
    were not enough to tell, and ``placing`` is as before, as it is where there is none.
    """
    alike = _alike_hosts(placing)
    budget = _Budget(steps)
    found = _search(placing, waiting.tolist(), 0, alike, budget)
    return None if budget.steps < 0 and not found else found, steps - max(budget.steps, 0)


def _alike_hosts(placing: Placing) -> Ints:
    """Return a number per host, the same for hosts that rules do not tell apart.

    With rules between items every host is its own kind, since it matters who is on it.
    """
    if placing.items.spread:
        return np.arange(len(placing.hosts))
    kinds: dict[bytes, int] = {}
    columns = np.ascontiguousarray(placing.items.places.T)
    return np.array([kinds.setdefault(each.tobytes(), len(kinds)) for each in columns], np.int64)


def _search(
    placing: Placing, waiting: Sequence[int], at: int, alike: Ints, budget: _Budget
) -> bool:
    """Place the items from ``at`` on; whether that was possible within the budget."""
    if at == len(waiting):
        return True
    budget.steps -= 1
    if budget.steps < 0:
        return False
    item = waiting[at]
    hosts = np.flatnonzero(placing.candidates(item))
    if at and _same(placing, waiting[at - 1], item):
        # Equal items are placed in the order of hosts: each set of places is tried once.
        hosts = hosts[hosts >= placing.home[waiting[at - 1]]]
    seen = set()
    for host in hosts.tolist():
        mark = (int(alike[host]), placing.free_of(host))
        if mark in seen:
            continue
        seen.add(mark)
        placing.put(item, host)
        if _search(placing, waiting, at + 1, alike, budget):
            return True
        placing.lift(item)
        if budget.steps < 0:
            return False
    return False


def _same(placing: Placing, one: int, other: int) -> bool:
    """Whether two items need the same, on the same hosts, and no rule speaks of them."""
    items = placing.items
    return bool(
        not items.spread
        and items.open[one] == items.open[other]
        and (items.needs[one] == items.needs[other]).all()
    )
