"""What of a plan may not be carried out, whatever the farm has room for.

A policy need not know rules and reserve: what it proposes against them is refused here.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np

from ..models.base.arrays import Ints
from ..models.farm.farm import Farm
from ..models.rules.occupancy import refused
from ..models.rules.rules import Rules
from ..policies.interface.plan import Plan, ProposalColumns, columns_of
from ..policies.interface.reserve_book import Book


class PlanError(Exception):
    """A plan that can never be right: an unknown row, or a VM or host named twice.

    The message says which policy, when, and which row; it ends the run.
    """


class PlanChecks:
    """Holds plans against the rows of a farm, its hard rules and its reserve.

    ``book`` gives what is promised now, None where nothing is kept free.
    """

    def __init__(self, farm: Farm, rules: Rules | None, book: Callable[[], Book | None]) -> None:
        self._farm, self.rules, self._book = farm, rules, book

    def reject_nonsense(self, plan: Plan, where: str) -> None:
        """Raise PlanError, which begins with ``where``, if a plan can never be right.

        Checked are: rows within the farm, the source where the VM is, a VM named once (superseded
        proposals aside), a host named once in each list. Room, power states and rules are not.
        """
        self._reject_strange_proposals(plan, where)
        for what, named in (
            ("sleeps", plan.sleeps),
            ("wakes", plan.wakes),
            ("closes", plan.closes),
            ("opens", plan.opens),
        ):
            self._reject_strange_hosts(named, what, where)

    def _reject_strange_proposals(self, plan: Plan, where: str) -> None:
        if self._are_possible(columns_of(plan)):
            return
        hosts, vms = len(self._farm.hosts), len(self._farm.vms)
        home, seen = self._farm.vms.host, set[int]()
        for proposal in plan.proposals:
            if not 0 <= proposal.vm < vms:
                raise PlanError(
                    f"{where}: VM row {proposal.vm} does not exist; there are rows 0 to {vms - 1}"
                )
            if not -1 <= proposal.target < hosts:
                raise PlanError(
                    f"{where}: host row {proposal.target} does not exist; "
                    f"a target is a row from 0 to {hosts - 1}, or -1 where none was found"
                )
            if proposal.source != home.item(proposal.vm):
                name = self._farm.vms.names[proposal.vm]
                raise PlanError(
                    f"{where}: the source of {name} is row {proposal.source}, but it is on row "
                    f"{home[proposal.vm]}; a source is view.vms.host of the VM"
                )
            if proposal.vm in seen and not proposal.superseded:
                name = self._farm.vms.names[proposal.vm]
                raise PlanError(
                    f"{where}: {name}, VM row {proposal.vm}, is moved twice in one plan; "
                    "name each VM once, or mark the earlier proposals as superseded"
                )
            if not proposal.superseded:
                seen.add(proposal.vm)

    def _are_possible(self, moves: ProposalColumns) -> bool:
        """Whether rows exist, sources are where the VMs are, and no VM is named twice."""
        vm, target, home = moves.vm, moves.target, self._farm.vms.host
        if not len(vm):
            return True
        if vm.min() < 0 or vm.max() >= len(home):
            return False
        if target.min() < -1 or target.max() >= len(self._farm.hosts):
            return False
        live = np.sort(vm[~np.broadcast_to(moves.superseded, vm.shape)])
        return bool((moves.source == home[vm]).all() and (live[1:] != live[:-1]).all())

    def _reject_strange_hosts(self, named: list[int], what: str, where: str) -> None:
        hosts = len(self._farm.hosts)
        for host in named:
            if not 0 <= host < hosts:
                raise PlanError(
                    f"{where}: host row {host} in {what} does not exist; "
                    f"there are rows 0 to {hosts - 1}"
                )
        for host, times in Counter(named).items() if len(set(named)) < len(named) else ():
            if times > 1:
                raise PlanError(
                    f"{where}: {self._farm.hosts.names[host]}, host row {host}, stands {times} "
                    f"times in {what}; name each host once"
                )

    def broken_rules(self, vms: Ints, targets: Ints) -> list[str]:
        """Return for each move the name of the hard rule that it would break, mostly none.

        Moves are let through in the order given, each beside those before it.

        ``vms`` and ``targets``, (n,), are rows; a refused migration does not count for those after
        it. An empty text stands for no rule.
        """
        if self.rules is None:
            return [""] * len(vms)
        state = self._farm.vms
        return refused(self.rules, state.host, state.moving_to, vms, targets, state.size)

    def kept_awake(self, sleeps: list[int], vms: Ints, targets: Ints) -> set[int]:
        """Return which hosts may not sleep for the reserve, once VMs have moved to targets.

        ``sleeps`` are rows of hosts; ``vms`` and ``targets``, (n,), are the migrations of the same
        plan. Where the reserve lets only some of them sleep, empty hosts come first.
        """
        book = self._book()
        if book is None:
            return set()
        for vm, target in zip(vms.tolist(), targets.tolist(), strict=True):
            book.move(vm, target)
            book.wake(target)
        occupied = self._farm.hosts.vm_count > 0
        empty_first = sorted(sleeps, key=lambda host: bool(occupied[host]))
        return {host for host in empty_first if not book.sleep(host)}
