"""Failure cases of a cluster: what is needed and left, who restarts where, who is stranded."""

from collections.abc import Sequence

import numpy as np

from ..base.arrays import Bools, Floats, Ints
from ..base.lazy_dataclass import dataclass
from .limits import Limits
from .packing import WORST_FIT, Placing, decreasing, home_of_vms, placements
from .planned_farm import (
    CPU,
    MEMORY,
    RESOURCES,
    TOLERANCE,
    VCPUS,
    Items,
    PlannedFarm,
    items_of,
)
from .restarts import Restart, Restarts

NORMAL, HOST, PAIR, RACK, SITE = "normal", "host", "pair", "rack", "site"
WORST_PAIRS = 10
"""Pairs that have a row of their own."""

TRIED_ONE_BY_ONE = 200
"""Pairs that no quick look decides and that are placed one by one."""


@dataclass(frozen=True, eq=False)
class FailureCase:
    """One failure, or normal operation.

    ``hosts`` are the rows that fail. ``needed`` (3,) is what all VMs need of memory in MiB, of
    vCPUs and of CPU in MHz, ``left`` (3,) what the hosts that are left may hold within the limits,
    ``capacity`` (3,) their usable memory, cores and MHz without limits. ``restarts`` VMs lose their
    host, ``stranded`` names those that find no other, ``proven`` says whether no other placement of
    them does better than losing some. ``reason`` says why it fails, empty where it does not;
    ``limiter`` is the resource or rule that fails.
    """

    kind: str
    name: str
    hosts: Ints
    needed: Floats
    left: Floats
    capacity: Floats
    restarts: int = 0
    stranded: Sequence[str] = ()
    proven: bool = True
    largest_fits: bool = True
    limiter: str = ""
    reason: str = ""

    @property
    def fails(self) -> bool:
        """Whether a limit is broken or a VM is stranded."""
        return bool(self.reason)

    @property
    def margin(self) -> float:
        """What is left as a part of what is needed, of the scarcest resource; infinite for no need.

        Below 1 the sums alone show that it fails.
        """
        return float(_margins(self.left[None, :], self.needed)[0].min())

    def ratio(self) -> float | None:
        """Return vCPUs per core that is left; None where none is."""
        cores = float(self.capacity[VCPUS])
        return float(self.needed[VCPUS]) / cores if cores else None

    def share(self, resource: int) -> float | None:
        """Return the need as a share of the capacity that is left; None where none is."""
        capacity = float(self.capacity[resource])
        return float(self.needed[resource]) / capacity if capacity else None


@dataclass(frozen=True, eq=False)
class FailureTable:
    """Failures of a cluster: normal operation, each host, the worst pairs, each rack and site.

    ``pairs`` are the worst of ``pairs_tried``; for ``pairs_failing`` of all no placement was found,
    and ``pairs_undecided`` were too many to be placed one by one. ``whole`` names the levels (rack,
    site) of which the cluster is a single domain. ``unplaced`` are VMs that stand on no host and
    fit on none. ``cpu_known`` is False where nothing is known of the CPU demand, which then no case
    tests.
    """

    name: str
    vms: int
    host_count: int
    cpu_known: bool
    normal: FailureCase
    hosts: Sequence[FailureCase]
    pairs: Sequence[FailureCase]
    domains: Sequence[FailureCase]
    pairs_tried: int = 0
    pairs_failing: int = 0
    pairs_undecided: int = 0
    whole: Sequence[str] = ()
    unplaced: Sequence[str] = ()

    def survives(self, failures: int) -> bool | None:
        """Return whether any ``failures`` hosts (0, 1 or 2) may fail; None where it is not known.

        False as well where too few hosts are left, or pairs were not tried.
        """
        if self.normal.fails or self.unplaced:
            return False
        if failures > 0 and (not self.hosts or any(case.fails for case in self.hosts)):
            return False
        if failures > 1:
            if self.pairs_failing or not self.pairs_tried:
                return False
            return None if self.pairs_undecided else True
        return True

    def of(self, kind: str) -> list[FailureCase]:
        """Return the cases of a kind."""
        cases = [self.normal, *self.hosts, *self.pairs, *self.domains]
        return [case for case in cases if case.kind == kind]

    def worst(self, resource: int) -> FailureCase | None:
        """Return the failure of one host that leaves least of a resource for what is needed."""
        return min(
            self.hosts,
            key=lambda case: float(_margins(case.left[None, :], case.needed)[0, resource]),
            default=None,
        )

    @property
    def first_failing(self) -> FailureCase | None:
        """The case that fails with the smallest margin: normal operation before hosts, pairs."""
        for cases in ([self.normal], self.hosts, self.pairs):
            failing = [case for case in cases if case.fails]
            if failing:
                return min(failing, key=lambda case: case.margin)
        return None


def failure_table(farm: PlannedFarm, limits: Limits, pairs: bool = True) -> FailureTable:
    """Let each host, pair, rack and site of a cluster fail, and restart its VMs on the others.

    VMs that stand on a host that is left stay there. VMs without a host are placed first: all of
    them anew where none has a host, else each by best fit. A failure of one host is held to the
    limits of one, larger ones to those of two hosts down. Of pairs the sums decide first, then
    counting places, then placement; the 10 worst have rows, those that fail before others, then by
    margin. Racks and sites of which the cluster is a single one are not tried. Rows of VMs and
    hosts may stand in any order.
    """
    farm = farm.in_order()
    farm, unplaced = placed(farm, limits)
    tests = _Tests(farm, limits)
    count = len(farm.hosts)
    hosts = tests.cases(HOST, [([row], farm.hosts.names[row]) for row in range(count)], 1)
    worst: list[FailureCase] = []
    tried = failing = undecided = 0
    if pairs and count > 2:
        worst, tried, failing, undecided = tests.pairs()
    domains, whole = [], []
    for level in (RACK, SITE):
        sets = _domains(farm, level)
        if len(sets) == 1:
            whole.append(level)
        else:
            domains += tests.cases(level, sets, 2)
    return FailureTable(
        farm.name,
        len(farm.vms),
        count,
        farm.vms.cpu_mhz is not None,
        tests.normal(),
        hosts,
        worst,
        domains,
        tried,
        failing,
        undecided,
        whole,
        unplaced,
    )


def survives(farm: PlannedFarm, limits: Limits, reserve: int) -> bool:
    """Whether any ``reserve`` hosts (0, 1 or 2) may fail, as :func:`failure_table` would tell.

    It ends with the first failure that is not survived, so that trying many farms is quick; pairs
    that are not decided do not count as survived.
    """
    farm = farm.in_order()
    farm, unplaced = placed(farm, limits)
    tests = _Tests(farm, limits)
    if unplaced or tests.normal().fails:
        return False
    if reserve and (not len(farm.hosts) or tests.any_host_fails()):
        return False
    if reserve > 1:
        _, tried, failing, undecided = tests.pairs()
        return bool(tried) and not failing and not undecided
    return True


def _domains(farm: PlannedFarm, level: str) -> list[tuple[list[int], str]]:
    """Return the hosts in each rack or site that has some, and its name."""
    at = farm.hosts.domain(level)
    names = farm.hosts.rack_names if level == RACK else farm.hosts.site_names
    return [(np.flatnonzero(at == each).tolist(), names[each]) for each in np.unique(at).tolist()]


def placed(farm: PlannedFarm, limits: Limits) -> tuple[PlannedFarm, list[str]]:
    """Return the farm with every VM on a host, as far as one has room, and who found none.

    Where no VM has a host all are placed anew (:func:`.placements`, the first). VMs that have a
    host stay there, over its limit or not; those that have none go where most is left.
    """
    rooms = limits.rooms(farm.hosts, 0)
    if (farm.home >= 0).all():
        return farm, []
    if not (farm.home >= 0).any():
        found = next(placements(farm, rooms, 0), None)
        if found is not None:
            return farm.with_vms(farm.vms, found[0]), []
    items = items_of(farm, as_placed=True)
    placing = Placing(items, farm.hosts, rooms)
    placing.stand(items.home)
    order = decreasing(items, rooms, "largest share")
    lost = placing.place_all(order[items.home[order] < 0], WORST_FIT)
    names = [farm.vms.names[vm] for item in lost for vm in items.members[item].tolist()]
    return farm.with_vms(farm.vms, home_of_vms(items, placing.home, len(farm.vms))), names


def _margins(left: Floats, needed: Floats) -> Floats:
    """Return left as parts of needed, (cases, 3); infinite where nothing is needed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        margins: Floats = np.where(needed > 0, left / needed, np.inf)
    return margins


class _Tests:
    """Tests of one cluster whose VMs are placed."""

    def __init__(self, farm: PlannedFarm, limits: Limits) -> None:
        self._farm, self._limits = farm, limits
        self._items: Items = items_of(farm, as_placed=True)
        self._needed = farm.vms.needs().sum(axis=0)
        self._amounts = farm.hosts.amounts()
        self._rooms = {failed: limits.rooms(farm.hosts, failed) for failed in (0, 1, 2)}
        self._trials: dict[int, Restarts] = {}

    def _restarts(self, failed: int) -> Restarts:
        if failed not in self._trials:
            rooms = self._rooms[failed]
            self._trials[failed] = Restarts(self._items, self._farm.hosts, rooms)
        return self._trials[failed]

    def normal(self) -> FailureCase:
        """Return the case of normal operation, which fails by sums or by rules that are broken."""
        none = np.zeros(0, np.int64)
        return self._case(NORMAL, "all hosts", none, 0, None)

    def cases(
        self, kind: str, sets: Sequence[tuple[list[int], str]], failed: int
    ) -> list[FailureCase]:
        """Return the case of each set of hosts, in their order."""
        if not sets:
            return []
        width = max(len(hosts) for hosts, _ in sets)
        table = np.full((len(sets), width), -1)
        for row, (hosts, _) in enumerate(sets):
            table[row, : len(hosts)] = hosts
        trial = self._restarts(failed)
        fine = trial.survived(table)
        made = []
        for row, (hosts, name) in enumerate(sets):
            rows = np.array(hosts, np.int64)
            made.append(
                self._case(kind, name, rows, failed, None if fine[row] else trial.restart(rows))
            )
        return made

    def any_host_fails(self) -> bool:
        """Whether the failure of some host breaks a sum or strands a VM; ends with the first."""
        rooms, every = self._rooms[1], np.arange(len(self._amounts))
        left = rooms.sum(axis=0) - rooms
        if (_margins(left, self._needed) < 1 - TOLERANCE).any():
            return True
        trial = self._restarts(1)
        open_rows = every[~trial.survived(every[:, None])]
        return any(trial.restart(every[row : row + 1]).stranded for row in open_rows.tolist())

    def pairs(self) -> tuple[list[FailureCase], int, int, int]:
        """Return the worst pairs, and how many were tried, fail, and are undecided."""
        count = len(self._farm.hosts)
        one, other = np.triu_indices(count, 1)
        rooms = self._rooms[2]
        left = rooms.sum(axis=0) - rooms[one] - rooms[other]
        margin = _margins(left, self._needed).min(axis=1)
        failing = margin < 1 - TOLERANCE
        trial = self._restarts(2)
        alone = self._fail_alone(trial)
        failing |= alone[one] | alone[other]
        decided = failing.copy()
        table = np.column_stack([one, other])
        rows = np.flatnonzero(~failing)
        decided[rows] = trial.survived(table[rows])
        undecided = np.flatnonzero(~decided)
        undecided = undecided[np.argsort(margin[undecided], kind="stable")]
        for row in undecided[:TRIED_ONE_BY_ONE].tolist():
            failing[row] = bool(trial.restart(table[row]).stranded)
            decided[row] = True
        order = np.lexsort((margin, ~failing))[:WORST_PAIRS]
        names = self._farm.hosts.names
        sets = [
            (table[row].tolist(), f"{names[one[row]]} and {names[other[row]]}")
            for row in order.tolist()
        ]
        worst = self.cases(PAIR, sets, 2)
        return worst, len(one), int(failing.sum()), int((~decided).sum())

    def _fail_alone(self, trial: Restarts) -> Bools:
        """Return the hosts whose failure strands VMs under the limits of two: so does every pair.

        A pair leaves its VMs fewer hosts, and no more room on these.
        """
        every = np.arange(len(self._farm.hosts))
        found = ~trial.survived(every[:, None])
        for host in np.flatnonzero(found).tolist():
            found[host] = bool(trial.restart(every[host : host + 1]).stranded)
        return found

    def _case(
        self, kind: str, name: str, hosts: Ints, failed: int, restart: Restart | None
    ) -> FailureCase:
        """Return a case, of which ``restart`` is the outcome where some may be stranded."""
        rest = np.ones(len(self._amounts), bool)
        rest[hosts] = False
        left = self._rooms[failed][rest].sum(axis=0)
        victims = int(np.isin(self._farm.home, hosts).sum())
        lost = [] if restart is None else restart.stranded
        limiter, reason = self._by_sums(left, self._amounts[rest].sum(axis=0))
        if kind == NORMAL and not reason:
            limiter, reason = self._by_rules()
        if restart is not None and lost and not reason:
            limiter, reason = self._by_placement(restart, lost[0], rest)
        members = [vm for item in lost for vm in self._items.members[item].tolist()]
        return FailureCase(
            kind,
            name,
            hosts,
            self._needed,
            left,
            self._amounts[rest].sum(axis=0),
            victims,
            [self._farm.vms.names[vm] for vm in members],
            restart is None or restart.proven or bool((left < self._needed).any()),
            restart is None or self._largest_fits(hosts, restart, rest),
            limiter,
            reason,
        )

    def _by_sums(self, left: Floats, capacity: Floats) -> tuple[str, str]:
        """Return the resource of which the sums show that it is short, and how; empty for none."""
        margins = _margins(left[None, :], self._needed)[0]
        column = int(margins.argmin())
        if margins[column] >= 1 - TOLERANCE:
            return "", ""
        name = RESOURCES[column]
        need, has = float(self._needed[column]), float(left[column])
        if column == MEMORY:
            said = f"memory: {need / 1024:,.0f} GiB needed, {has / 1024:,.0f} GiB left"
        elif column == VCPUS:
            said = f"vCPUs: {need:,.0f} needed, {has:,.0f} allowed on {capacity[VCPUS]:,.0f} cores"
        else:
            said = f"CPU: {need / 1000:,.1f} GHz needed, {has / 1000:,.1f} GHz within the limit"
        return name, said

    def _by_rules(self) -> tuple[str, str]:
        """Return the first rule that VMs break where they stand, and how; empty for none."""
        for rule in self._farm.spread:
            home = self._farm.home[rule.vms]
            domains = self._farm.hosts.domain(rule.level)[home[home >= 0]]
            most = int(np.bincount(domains).max(initial=0))
            if most > rule.at_most:
                said = f"rule {rule.name} is broken: {most} of its VMs share a {rule.level}"
                return "apart", f"apart: {said}"
        return "", ""

    def _by_placement(self, restart: Restart, item: int, rest: Bools) -> tuple[str, str]:
        """Return what stops the first item that is stranded although sums are enough, and how."""
        placing, names = restart.placing, self._farm.vms.names
        vm = names[int(self._items.members[item][0])]
        may = placing.allowed(item) & rest
        if not may.any():
            rules = [rule.name for rule, members in self._items.spread if item in members]
            fenced = not (self._items.places[self._items.open[item]] & rest).any()
            if fenced or not rules:
                return "rules", f"no host that is left is open to {vm}"
            return "apart", f"apart: rule {rules[0]} leaves no host to {vm}"
        need = self._items.needs[item]
        free = np.maximum(placing.free()[may], 0.0)
        short = free < need * (1 - TOLERANCE)
        column = int(short.sum(axis=0).argmax())
        lacking = short[:, column]
        most = _quantity(column, float(free[lacking, column].max()))
        where = (
            "the only host left lacks it"
            if len(lacking) == 1
            else f"{int(lacking.sum()):,} of {len(lacking):,} hosts left lack it"
        )
        return RESOURCES[column], (
            f"placement: {vm} needs {_quantity(column, float(need[column]))}; {where} after the "
            f"others have restarted (at most {most})"
        )

    def _largest_fits(self, hosts: Ints, restart: Restart, rest: Bools) -> bool:
        """Return whether the largest VM by memory of those that restart fits on a host as it is."""
        lost = np.flatnonzero(np.isin(self._items.home, hosts))
        if not len(lost):
            return True
        largest = int(lost[self._items.needs[lost, MEMORY].argmax()])
        held = np.flatnonzero((self._items.home >= 0) & ~np.isin(self._items.home, hosts))
        rooms = self._rooms[min(len(hosts), 2)].copy()
        np.subtract.at(rooms, self._items.home[held], self._items.needs[held])
        fits = (rooms >= self._items.needs[largest] * (1 - TOLERANCE)).all(axis=1)
        return bool((fits & rest & restart.placing.items.places[self._items.open[largest]]).any())


def _quantity(column: int, amount: float) -> str:
    """Return an amount of a resource with its unit."""
    if column == MEMORY:
        return f"{amount / 1024:.3g} GiB of memory"
    if column == CPU:
        return f"{amount / 1000:.3g} GHz of CPU"
    return f"{amount:.0f} vCPU{'' if round(amount) == 1 else 's'}"
