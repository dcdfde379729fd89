"""Which hosts cannot be emptied, known from sums before any of their VMs is tried elsewhere."""

from collections.abc import Iterator

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, sum_by
from ...models.base.ties import TIE
from .candidates import Candidates
from .placement import Placement

OWN = __name__.partition(".")[0]


def worth_trying(
    candidates: Candidates, placement: Placement, order: Ints, home: Ints, staying: Bools
) -> Iterator[int]:
    """Yield the hosts to empty in order, without those whose VMs cannot all fit elsewhere.

    ``order`` holds rows of hosts, ``home`` the host of each VM (−1: none), which may be changed
    between two hosts, and ``staying`` says which VMs have to leave with the host. After a host was
    emptied, the others are tested again as soon as an attempt has failed.

    All hosts are yielded where an attempt in vain can be told from none: placements that draw or
    count, those of a user, who may fill hosts beyond their capacity, and overload tests that do not
    forget what was tried.
    """
    if not _leaves_no_trace(candidates, placement):
        yield from order.tolist()
        return
    possible, emptied = may_fit(candidates, order, home, staying).tolist(), False
    for index, host in enumerate(order.tolist()):
        if not possible[index]:
            continue
        before, changes = candidates.mark(), len(candidates.changes)
        yield host
        if candidates.mark() > before:
            emptied = True
        elif emptied and len(candidates.changes) > changes:  # tried, which closes and opens it
            possible, emptied = may_fit(candidates, order, home, staying).tolist(), False


def may_fit(candidates: Candidates, hosts: Ints, home: Ints, staying: Bools) -> Bools:
    """Return which hosts have VMs that may fit on the other open candidates, by sums and maxima.

    Their VMs must need no more CPU, memory and headroom than all the others have left in total, and
    none of them more than any other has left. Rules, a reserve and other overload tests can only
    tighten that. A candidate given a VM has at least −``tie_mhz`` left afterwards, so that the sums
    are exceeded by no more than that for each, and by rounding.

    ``hosts`` are rows, (n,), like the result; ``home`` and ``staying`` as in :func:`worth_trying`.
    """
    possible = np.ones(len(hosts), bool)
    vms = np.flatnonzero(staying & (home >= 0))
    rows, count, at = home[vms], len(candidates.view.hosts), candidates.positions(hosts)
    for need, left_there in candidates.needs_and_left():
        left = np.append(left_there, 0.0)  # of hosts that are no candidates
        needed, own = need[vms], left[at]
        if needed.min(initial=0.0) < 0:  # A VM foreseen below zero makes room for others.
            continue
        total, slack = float(left.sum()), len(left) * candidates.tie_mhz
        largest = np.full(count, -np.inf)
        np.maximum.at(largest, rows, needed)
        possible &= largest[hosts] <= _largest_other(left, own) * (1 + TIE) + slack
        if total < np.inf:
            slack += TIE * (total + float(np.abs(needed).sum()))
            sums = sum_by(rows, weights=needed, minlength=count)
            possible &= sums[hosts] <= total - own + slack
    return possible


def _largest_other(left: Floats, own: Floats) -> Floats:
    """Return the largest of all values left beside each host's own, which is one of them."""
    second, largest = np.partition(np.append(left, 0.0), -2)[-2:]
    other: Floats = np.where(own == largest, second, largest)
    return other


def _leaves_no_trace(candidates: Candidates, placement: Placement) -> bool:
    """Whether an attempt to place VMs that was undone changes nothing that is decided later."""
    return (
        type(placement).__module__.partition(".")[0] == OWN
        and getattr(placement, "repeatable", True)
        and candidates.forgets
    )
