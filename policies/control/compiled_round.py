"""Rounds of consolidation by the compiled kernel, where it decides exactly what Python would.

The kernel (``consolidation_round.c``) places the VMs that leave overloaded hosts and empties hosts
one by one, on copies of the columns of the candidates. It is asked only where it knows all that the
round depends on: see :func:`applies`.
"""

from typing import NamedTuple

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ...models.base.kernel import compiled
from ...models.base.ties import ascending
from ..interface.plan import ProposalColumns, Reason
from ..interface.view import FarmView
from ..placement.candidates import Candidates
from ..placement.kernel_columns import (
    columns_of_candidates,
    columns_of_vms,
    only_capacity_counts,
    positions_of_hosts,
    power_tables,
)
from ..placement.placement import Placement
from ..placement_algorithms.power_aware import PowerAwareBestFitDecreasing

TENTATIVE, DRAIN_RECEIVERS, SKIP_IDLE = 1, 2, 4
"""Flags of the kernel."""


class Draining(NamedTuple):
    """Rows of hosts to empty in order, and how; the fields are those of a drain policy.

    ``rule`` is its name.
    """

    order: Ints
    rule: str
    below: float
    drain_receivers: bool
    skip_idle_hosts: bool


class Residents(NamedTuple):
    """Where VMs are: rows of hosts (vms,), who is not on the way out (vms,), and VMs by host.

    ``order[first_of[h] : first_of[h + 1]]`` are the VMs of host ``h``; ``first_of`` has an entry
    more than there are hosts.
    """

    host: Ints
    staying: Bools
    order: Ints
    first_of: Ints


class CompiledRound(NamedTuple):
    """What the kernel decided: proposals, hosts emptied, and the hosts that were given VMs."""

    proposals: ProposalColumns
    drained: list[int]
    filled: set[int]


def applies(candidates: Candidates, placement: Placement, order: Ints) -> bool:
    """Whether the kernel was built and knows all that a round depends on.

    The placement is power-aware best fit decreasing; neither rules nor a reserve nor bars say where
    VMs may be; power is piecewise linear; the overload test is a weighted sum. ``order`` holds the
    hosts to empty, rows.
    """
    return (
        compiled() is not None
        and type(placement) is PowerAwareBestFitDecreasing
        and only_capacity_counts(candidates)
        and len(order) <= len(candidates.view.hosts)
        and bool((order >= 0).all() and (candidates.positions(order) >= 0).all())
    )


def play(
    candidates: Candidates,
    placement: PowerAwareBestFitDecreasing,
    leaving: dict[int, Reason],
    residents: Residents,
    draining: Draining,
) -> CompiledRound | None:
    """Return the moves of a round, or None where a VM that leaves an overloaded host finds no host.

    Why it finds none is worked out in Python, which then decides all of the round. ``candidates``
    are left as they are. ``leaving`` are VMs of overloaded hosts, in order.
    """
    view, vms = candidates.view, np.array(list(leaving), np.int64)
    home, rows = residents.host.copy(), len(residents.host) + len(vms)
    vm, target, cause = (np.empty(rows, np.int64) for _ in range(3))
    cost, superseded = np.empty(rows), np.empty(rows, bool)
    drained = np.empty(len(view.hosts), np.int64)
    tentative = placement.compare_with == "tentative"
    flags = TENTATIVE * tentative + DRAIN_RECEIVERS * draining.drain_receivers
    count, emptied = compiled().consolidation_round(
        *columns_of_vms(candidates), residents.staying, home, residents.order,
        view.hosts.incoming, positions_of_hosts(candidates), residents.first_of,
        *columns_of_candidates(candidates), placement.before_w(candidates).copy(),
        *power_tables(candidates),
        vms, ascending(-candidates.need_mhz[vms], candidates.tie_mhz),
        np.ascontiguousarray(draining.order, np.int64),
        vm, target, cost, cause, superseded, drained,
        candidates.tie_mhz, candidates.tie_w, flags + SKIP_IDLE * draining.skip_idle_hosts,
    )  # fmt: skip
    if count < 0:
        return None
    vm, cause = vm[:count], cause[:count]
    rules, measured, limits = _reasons(view, list(leaving.values()), cause, draining)
    proposals = ProposalColumns(
        vm, residents.host[vm], target[:count], rules, measured, limits,
        considered=len(candidates.hosts), cost=cost[:count], superseded=superseded[:count],
    )  # fmt: skip
    filled = set(home[home != residents.host].tolist())
    return CompiledRound(proposals, drained[:emptied].tolist(), filled)


def _reasons(
    view: FarmView, leaving: list[Reason], cause: Ints, draining: Draining
) -> tuple[list[str], Floats, Floats]:
    """Return rule, measured value and limit of each proposal.

    ``cause`` is the position of the VM among those that leave, or −1 − the host that is emptied.
    """
    first = int(np.searchsorted(cause < 0, 1))
    reasons = [leaving[each] for each in cause[:first].tolist()]
    measured, limits = np.empty(len(cause)), np.full(len(cause), draining.below)
    measured[:first] = [each.measured for each in reasons]
    limits[:first] = [each.limit for each in reasons]
    measured[first:] = view.hosts.utilisation[-1 - cause[first:]]
    rules = [each.rule for each in reasons]
    return rules + [draining.rule] * (len(cause) - first), measured, limits
