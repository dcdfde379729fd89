"""Order of migrations that depend on capacity freed by others.

A move takes memory at both ends until it has ended. Three questions are answered, each from memory
as it stands, so that whoever carries the moves out may ask again after every event: which moves
have room once all of them have ended (:func:`eventually_feasible`), which can begin now
(:func:`feasible_now`), and what to do if none can and none is under way
(:func:`choose_unblocking`).

That always ends where VMs may go to storage: a way out sends a VM aside once and to storage once,
and when all that wait are on storage, each has capacity at its target, since all together have.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, sum_by
from ...models.base.lazy_dataclass import dataclass

STORAGE = -1
"""Where the memory of a VM is that no host holds."""


@dataclass(frozen=True)
class PendingMigrations:
    """Planned migrations, one entry each, by rows of hosts and VMs of the farm.

    ``sources`` are where VMs are (−1: on storage), ``held_mib`` is the memory that they take
    there, ``need_mib`` what they will take at their ``targets``. Higher ``priority`` comes first,
    then the earlier entry.

    All arrays are (migrations,), memory in MiB with the overhead of the host concerned.
    """

    vms: Ints
    sources: Ints
    targets: Ints
    priority: Ints
    held_mib: Floats
    need_mib: Floats

    def __len__(self) -> int:
        return len(self.vms)

    def only(self, rows: Ints | Bools) -> "PendingMigrations":
        """Return some of the migrations."""
        return PendingMigrations(
            self.vms[rows],
            self.sources[rows],
            self.targets[rows],
            self.priority[rows],
            self.held_mib[rows],
            self.need_mib[rows],
        )

    def freed_mib(self, hosts: int) -> Floats:
        """Return the memory freed on each host by the migrations, without arrivals."""
        away = self.sources >= 0
        return sum_by(self.sources[away], weights=self.held_mib[away], minlength=hosts)

    def arriving_mib(self, hosts: int) -> Floats:
        """Return the memory taken on each host by the migrations."""
        return sum_by(self.targets, weights=self.need_mib, minlength=hosts)


def eventually_feasible(moves: PendingMigrations, left_mib: Floats) -> Bools:
    """Return which migrations fit after all returned ones have ended.

    ``left_mib`` is what each host would have left without them, once everything else has ended.
    Where a target cannot hold all, the first in rank that fit are kept; a move that is not kept
    frees nothing, so this is repeated until nothing changes.

    ``left_mib`` is (hosts,), the result (migrations,). A migration is dropped only if memory lacks,
    so the loop ends after at most as many rounds as there are migrations.
    """
    kept = np.ones(len(moves), bool)
    rank = np.lexsort((np.arange(len(moves)), -moves.priority))
    while True:
        rows = rank[kept[rank]]
        room_mib = left_mib + moves.only(rows).freed_mib(len(left_mib))
        fitting = rows[_fitting(moves.targets[rows], moves.need_mib[rows], room_mib)]
        if len(fitting) == len(rows):
            return kept
        kept[:] = False
        kept[fitting] = True


def feasible_now(moves: PendingMigrations, free_mib: Floats) -> Ints:
    """Return the positions of migrations that can start together now, in order.

    ``free_mib`` is what each host has free. Within a priority, moves off hosts at which others
    wait for room come first.

    ``free_mib`` is (hosts,). Memory that the migrations free at their sources does not count yet.
    """
    fits = moves.need_mib <= free_mib[moves.targets]
    if not fits.any():
        return np.empty(0, np.int64)
    awaited = np.isin(moves.sources, moves.targets[~fits])
    rank = np.lexsort((np.arange(len(moves)), ~awaited, -moves.priority))
    rows = rank[fits[rank]]
    return rows[_fitting(moves.targets[rows], moves.need_mib[rows], free_mib)]


def _fitting(targets: Ints, need_mib: Floats, room_mib: Floats) -> Bools:
    """Return which needs fit, the first first."""
    wanted_mib = sum_by(targets, weights=need_mib, minlength=len(room_mib))
    fits: Bools = (wanted_mib <= room_mib)[targets]
    left_mib = room_mib.copy()
    for position in np.flatnonzero(~fits).tolist():
        target = targets[position]
        if need_mib[position] <= left_mib[target]:
            left_mib[target] -= need_mib[position]
            fits[position] = True
    return fits


class Unblocking(NamedTuple):
    """The migration that unblocks others by moving its VM to ``host`` first (−1: storage)."""

    position: int
    host: int


ThirdHostsOf = Callable[[int], Ints]
"""Given a VM, the hosts that could hold it for a while, the best first."""


def choose_unblocking(
    moves: PendingMigrations,
    free_mib: Floats,
    sent_aside: Bools,
    storable: Bools,
    aside: ThirdHostsOf,
) -> Unblocking | None:
    """Return the VM to move aside if no migration can start and none is ongoing.

    VMs whose leaving lets another move begin come first, then low priorities, then little memory.
    The first for which a third host has capacity goes there; a VM is ``sent_aside`` once at most.
    If there is none, the first of all goes to storage, provided that all that wait may
    (``storable``): whoever is there depends on the others. Otherwise there is no way out.

    ``free_mib`` is (hosts,), ``sent_aside`` and ``storable`` are (migrations,).
    """
    there = np.flatnonzero(moves.sources >= 0)
    lacking_mib = np.full(len(free_mib), np.inf)
    np.minimum.at(lacking_mib, moves.targets, moves.need_mib)
    gained_mib = free_mib[moves.sources[there]] + moves.held_mib[there]
    helps = lacking_mib[moves.sources[there]] <= gained_mib
    rank = there[np.lexsort((moves.held_mib[there], moves.priority[there], ~helps))]
    for position in rank[~sent_aside[rank]].tolist():
        hosts = aside(int(moves.vms[position]))
        if len(hosts):
            return Unblocking(position, int(hosts[0]))
    return Unblocking(int(rank[0]), STORAGE) if len(rank) and storable.all() else None
