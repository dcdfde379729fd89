"""Current, future and tentative hosts of VMs, and what rules allow for one more.

A VM that moves counts at both ends until it has arrived, so that a rule holds at every instant.
"""

from collections.abc import Callable

import numpy as np

from ..base.arrays import Bools, Floats, Ints, sum_by
from .constraints import Rule
from .rules import Rules

CAPACITY_TOLERANCE = 1e-9
"""Rounding of promised CPU, relative."""


class Occupancy:
    """Hosts of VMs, with tentative changes, under a set of rules.

    ``host`` and ``moving_to`` have one row per VM, −1 for none. ``waiting`` VMs are about to be
    placed: where they still are does not hold back the VMs that belong to them. ``size`` is the
    present size of each VM, which decides what is kept for it.
    """

    def __init__(self, rules: Rules, host: Ints, moving_to: Ints, size: Ints | None = None) -> None:
        self.rules = rules
        self._size, self._kept_mhz = size, rules.kept_mhz(size)
        self._host, self._moving_to = host, moving_to
        self._going = np.full(len(host), -1)
        self._waiting: set[int] = set()

    def take(self, vm: int, host: int) -> tuple[int, bool]:
        """Put a VM on a host tentatively; return what undoes it."""
        before = int(self._going[vm]), vm in self._waiting
        self._going[vm] = host
        self._waiting.discard(vm)
        return before

    def undo(self, vm: int, before: tuple[int, bool]) -> None:
        """Put a VM back to where it tentatively was."""
        self._going[vm], waited = before
        if waited:
            self._waiting.add(vm)

    def expect(self, vms: Ints) -> None:
        """Note VMs that are about to be placed."""
        self._waiting.update(vms.tolist())

    def give_up(self, vms: Ints) -> None:
        """Note VMs that are placed, or stay where they are."""
        self._waiting.difference_update(vms.tolist())

    def bound(self, vm: int) -> bool:
        """Whether the verdict on a VM depends on where other VMs are."""
        return bool(self.rules.hard(vm) or self.rules.soft(vm))

    def barred(self, vm: int, hosts: Ints) -> Bools | None:
        """Return on which hosts a VM would break a hard rule with others; None: there is none."""
        indices = self.rules.hard(vm)
        if not indices:
            return None
        found = self._broken(indices[0], vm, hosts)
        for index in indices[1:]:
            found |= self._broken(index, vm, hosts)
        return found

    def penalty(self, vm: int, hosts: Ints) -> Floats | None:
        """Return the penalties of the soft rules that a VM would break per host; None: no such."""
        indices = self.rules.soft(vm)
        if not indices:
            return None
        total = np.zeros(len(hosts))
        for index in indices:
            total += self._broken(index, vm, hosts) * (self.rules.all[index].penalty or 0.0)
        return total

    def why(self, vm: int, hosts: Ints) -> list[tuple[str, int]]:
        """Return the hard rules that bar a VM from some of the hosts, and from how many each."""
        found = []
        for index in self.rules.binding(vm):
            rule = self.rules.all[index]
            count = int(np.count_nonzero(self._broken(index, vm, hosts))) if rule.hard else 0
            if count:
                found.append((rule.name, count))
        return found

    def _broken(self, index: int, vm: int, hosts: Ints) -> Bools:
        """Return on which of some hosts a VM would break a rule, by its index."""
        rule, mask = self.rules.all[index], self.rules.masks[index]
        return _TESTS[rule.kind](self, rule, mask, vm, hosts)

    def others(self, rule: Rule, vm: int) -> Ints:
        """Return the other VMs of a rule."""
        others: Ints = rule.vms[rule.vms != vm]
        return others

    def ends(self, vms: Ints, level: str) -> Ints:
        """Return the domains where VMs are or will be, each once, else −1: (3, VMs)."""
        rows = np.stack([self._host[vms], self._moving_to[vms], self._going[vms]])
        at: Ints = self.rules.domain[level][rows]
        at[1][at[1] == at[0]] = -1
        at[2][(at[2] == at[0]) | (at[2] == at[1])] = -1
        return at

    def homes(self, vms: Ints) -> Ints:
        """Return where VMs will be in the end, without those that have no host or yet wait."""
        if self._waiting:
            vms = np.array([vm for vm in vms.tolist() if vm not in self._waiting], np.int64)
        home = np.where(self._moving_to[vms] >= 0, self._moving_to[vms], self._host[vms])
        home = np.where(self._going[vms] >= 0, self._going[vms], home)
        return home[home >= 0]

    def all_except(self, vms: Ints) -> Ints:
        """Return all other VMs."""
        kept = np.ones(len(self._host), bool)
        kept[vms] = False
        return np.flatnonzero(kept)

    def binds(self, rule: Rule, vm: int) -> bool:
        """Whether a rule that names a VM binds it with the size that it has now."""
        return rule.size is None or self._size is None or int(self._size[vm]) == rule.size

    def promised_mhz(self, rule: Rule) -> Floats:
        """Return the CPU that is kept for each VM: by all hard rules, and by this one."""
        if rule.hard:
            return self._kept_mhz
        promised_mhz = self._kept_mhz.copy()
        promised_mhz[rule.vms] = np.maximum(promised_mhz[rule.vms], rule.cpu_mhz)
        return promised_mhz


_Test = Callable[[Occupancy, Rule, Bools, int, Ints], Bools]


def _together(occupancy: Occupancy, rule: Rule, mask: Bools, vm: int, hosts: Ints) -> Bools:
    """Return the hosts outside the domain of the rule's other VMs; all if these are apart."""
    del mask
    homes = occupancy.homes(occupancy.others(rule, vm))
    if not len(homes):
        return np.zeros(len(hosts), bool)
    domain = occupancy.rules.domain[rule.level]
    first = domain[homes[0]]
    if np.any(domain[homes] != first):
        return np.ones(len(hosts), bool)
    elsewhere: Bools = domain[hosts] != first
    return elsewhere


def _apart(occupancy: Occupancy, rule: Rule, mask: Bools, vm: int, hosts: Ints) -> Bools:
    """Return the hosts in domains that hold as many of the rule's other VMs as they may."""
    del mask
    at = occupancy.ends(occupancy.others(rule, vm), rule.level)
    count = np.bincount(at[at >= 0], minlength=occupancy.rules.domains.count(rule.level))
    crowded: Bools = (count >= rule.at_most)[occupancy.rules.domain[rule.level][hosts]]
    return crowded


def _fence(occupancy: Occupancy, rule: Rule, mask: Bools, vm: int, hosts: Ints) -> Bools:
    """Return the hosts that are not the rule's."""
    del occupancy, rule, vm
    outside: Bools = ~mask[hosts]
    return outside


def _on_them(occupancy: Occupancy, rule: Rule, mask: Bools, vm: int, hosts: Ints) -> Bools:
    """Return the hosts that are the rule's."""
    del occupancy, rule, vm
    inside: Bools = mask[hosts]
    return inside


def _lonely(occupancy: Occupancy, rule: Rule, mask: Bools, vm: int, hosts: Ints) -> Bools:
    """Return the hosts of VMs that a VM may not share one with.

    For a VM of the rule these are all others; for any other VM those of the rule.
    """
    del mask
    member = bool(np.any(rule.vms == vm))
    separated = occupancy.all_except(rule.vms) if member else rule.vms
    at = occupancy.ends(separated, "host")
    theirs = np.zeros(len(occupancy.rules.capacity_mhz), bool)
    theirs[at[at >= 0]] = True
    shared: Bools = theirs[hosts]
    return shared


def _preserve(occupancy: Occupancy, rule: Rule, mask: Bools, vm: int, hosts: Ints) -> Bools:
    """Return the hosts that could not promise the VM its CPU beside what they have promised."""
    del mask
    if not occupancy.binds(rule, vm):
        return np.zeros(len(hosts), bool)
    promised_mhz = occupancy.promised_mhz(rule)
    holders = np.flatnonzero(promised_mhz)
    holders = holders[holders != vm]
    at = occupancy.ends(holders, "host")
    amounts = np.broadcast_to(promised_mhz[holders], at.shape)
    capacity_mhz = occupancy.rules.capacity_mhz
    held_mhz = sum_by(at[at >= 0], weights=amounts[at >= 0], minlength=len(capacity_mhz))
    limit_mhz = capacity_mhz[hosts] * (1 + CAPACITY_TOLERANCE)
    beyond: Bools = held_mhz[hosts] + promised_mhz[vm] > limit_mhz
    return beyond


_TESTS: dict[str, _Test] = {
    "together": _together,
    "apart": _apart,
    "spread": _apart,
    "fence": _fence,
    "ban": _on_them,
    "dedicated": _on_them,
    "lonely": _lonely,
    "preserve": _preserve,
}
"""What tells, per kind of rule, on which hosts a VM would break it: shape (hosts asked about,)."""


def refused(
    rules: Rules, host: Ints, moving_to: Ints, vms: Ints, targets: Ints, size: Ints | None = None
) -> list[str]:
    """Return per migration the name of the rule that it would break; empty where it breaks none.

    Migrations are let through in the order given, each beside those before it. VMs that belong
    together go together or not at all. ``host``, ``moving_to`` and ``size`` are as they are now,
    one row per VM, −1 for no host.
    """
    occupancy = Occupancy(rules, host, moving_to, size)
    occupancy.expect(vms)
    told = [""] * len(vms)
    let: dict[int, int] = {}
    for index, (vm, target) in enumerate(zip(vms.tolist(), targets.tolist(), strict=True)):
        told[index] = _broken(occupancy, vm, target)
        if told[index]:
            occupancy.give_up(np.array([vm]))
        else:
            let[index] = vm
            occupancy.take(vm, target)
    while left_behind := _left_behind(occupancy, let, targets):
        for index, name in left_behind.items():
            told[index] = name
            occupancy.undo(let.pop(index), (-1, False))
    return told


def _broken(occupancy: Occupancy, vm: int, target: int) -> str:
    """Return the name of a hard rule that bars a VM from a host; empty: none does."""
    names = occupancy.why(vm, np.array([target]))
    return names[0][0] if names else ""


def _left_behind(occupancy: Occupancy, let: dict[int, int], targets: Ints) -> dict[int, str]:
    """Return migrations that were let through though one of their affinity group was not."""
    rules = occupancy.rules
    return {
        index: name
        for index, vm in let.items()
        if len(rules.affinity_group(vm)) > 1
        and (name := _broken(occupancy, vm, int(targets[index])))
    }
