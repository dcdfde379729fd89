"""The integer program for the minimum number of hosts, for SciPy's HiGHS.

With x(h) = 1 if host h is used and y(v, h) = 1 if VM v is on it, minimise the sum of x so that each
VM is on one host, no host takes more CPU, memory or guests than it has, and rules are kept. Pairs
that are not allowed have no variable.
"""

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, vstack

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from .snapshot import Snapshot

STATUS = {0: "optimal", 1: "time limit", 2: "infeasible"}


@dataclass(frozen=True)
class SolverResult:
    """Result of the solver: a proven bound, the best placement if any, and the status."""

    bound: int
    home: Ints | None
    status: str


def solve_program(
    snapshot: Snapshot, chosen: tuple[Ints, Ints], bound: int, time_limit_s: float
) -> SolverResult:
    """Solve for the fewest of the chosen hosts; ``chosen`` are their rows and their kinds.

    ``bound`` is a number of hosts known to be needed. Where time is up, the bound that the solver
    has proven is returned with the best placement that it found, if any.

    ``home`` has one entry per VM, rows of hosts; None where no placement was found in time, or none
    exists. The bound is rounded up, since numbers of hosts are whole. ``time_limit_s`` is real
    time.
    """
    hosts, kinds = chosen
    vm, at = np.nonzero(snapshot.allowed[:, hosts])
    rows = _Rows(len(hosts), vm, at)
    program = _constraints(snapshot, hosts, kinds, rows, bound)
    cost = np.concatenate([np.ones(len(hosts)), np.zeros(len(vm))])
    answer = milp(
        cost,
        constraints=program,
        integrality=np.ones(len(cost), np.int64),
        bounds=Bounds(0, 1),
        options={"time_limit": time_limit_s},
    )
    status = STATUS.get(int(answer.status), "time limit")
    dual = answer.mip_dual_bound
    proven = bound if dual is None or not np.isfinite(dual) else int(np.ceil(dual - 1e-6))
    if answer.x is None:
        return SolverResult(proven, None, status)
    placed = answer.x[len(hosts) :] > 0.5
    home = np.full(len(snapshot.home), -1)
    home[vm[placed]] = hosts[at[placed]]
    return SolverResult(proven, home, status)


@dataclass(frozen=True)
class _Rows:
    """Makes rows of the constraints; columns are the hosts, then the pairs of VM and host.

    ``vm`` and ``at`` have one entry per allowed pair: its VM, and the place of its host among the
    chosen.
    """

    hosts: int
    vm: Ints
    at: Ints

    def of(self, height: int, row: Ints, columns: Ints, values: Floats) -> csr_array:
        """Return so many rows with ``values`` at ``columns`` of ``row``.

        The matrix is sparse, (height, hosts + pairs): nearly all of its entries are 0.
        """
        width = self.hosts + len(self.vm)
        return coo_array((values, (row, columns)), (height, width)).tocsr()

    def per_host(self, pairs: Ints, values: Floats, room: Floats) -> csr_array:
        """Return a row per host: needs of its pairs minus its capacity, if it is used.

        ``pairs`` are positions among the pairs, ``values`` what each takes, ``room`` (hosts,) what
        a host has; a row must not be above 0, so that an unused host takes nothing.
        """
        every = np.arange(self.hosts)
        row, columns = np.append(self.at[pairs], every), np.append(self.hosts + pairs, every)
        return self.of(self.hosts, row, columns, np.append(values, -room))


def _constraints(
    snapshot: Snapshot, hosts: Ints, kinds: Ints, rows: _Rows, bound: int
) -> list[LinearConstraint]:
    """Return the constraints of the program: capacity, guests, rules, each VM once, the bound.

    Columns are those of ``rows``. Capacity is CPU in MHz and memory in MiB.
    """
    every, group = np.arange(len(rows.vm)), snapshot.group[hosts]
    cpu_mhz = snapshot.cpu_mhz[rows.vm, group[rows.at]]
    memory_mib = snapshot.memory_mib[rows.vm, group[rows.at]]
    single = every[snapshot.one_guest[hosts][rows.at]]
    apart = [every[np.isin(rows.vm, rule)] for rule in snapshot.apart]
    one = np.ones(len(hosts))
    within = [
        rows.per_host(every, cpu_mhz, snapshot.room_mhz[hosts]),
        rows.per_host(every, memory_mib, snapshot.room_mib[hosts]),
        # VMs that need nothing use a host all the same.
        rows.per_host(every, np.ones(len(every)), one * len(snapshot.home)),
        *(rows.per_host(each, np.ones(len(each)), one) for each in [single, *apart]),
        *_in_order(rows, kinds),
    ]
    placed = rows.of(len(snapshot.home), rows.vm, rows.hosts + every, np.ones(len(every)))
    used = rows.of(1, np.zeros(rows.hosts, np.int64), np.arange(rows.hosts), np.ones(rows.hosts))
    return [
        LinearConstraint(vstack(within), ub=0.0),
        LinearConstraint(placed, lb=1.0, ub=1.0),
        LinearConstraint(used, lb=float(bound)),
        *_together(snapshot, rows),
    ]


def _in_order(rows: _Rows, kinds: Ints) -> list[csr_array]:
    """Let equal hosts be used in order, which rules out packings that differ in names alone.

    Without it the solver would prove the same packing once for each order of equal hosts. ``kinds``
    are those of the chosen hosts, equal ones side by side.
    """
    later = np.flatnonzero(kinds[1:] == kinds[:-1]) + 1
    if not len(later):
        return []
    row = np.tile(np.arange(len(later)), 2)
    values = np.repeat([1.0, -1.0], len(later))
    return [rows.of(len(later), row, np.append(later, later - 1), values)]


def _together(snapshot: Snapshot, rows: _Rows) -> list[LinearConstraint]:
    """Let VMs of a rule be on a host exactly where the first of them is.

    A rule whose first VM may not be on some host keeps the others off it too.
    """
    made = []
    for rule in snapshot.together:
        first = np.flatnonzero(rows.vm == rule[0])
        for other in rule[1:]:
            pairs = np.flatnonzero(rows.vm == other)
            both = np.append(first, pairs)
            values = np.repeat([1.0, -1.0], [len(first), len(pairs)])
            equal = rows.of(rows.hosts, rows.at[both], rows.hosts + both, values)
            made.append(LinearConstraint(equal, lb=0.0, ub=0.0))
    return made
