"""Independent check of placement rules, computed from scratch.

It shares no code with the placement of VMs (:mod:`.occupancy`), so that one can be held against the
other. A VM that moves is at both ends.
"""

from collections.abc import Callable, Iterable

import numpy as np

from ..base.arrays import Bools, Floats, Ints
from ..base.lazy_dataclass import dataclass
from ..hardware.racks_and_sites import Domains
from .constraints import Rule

ROUNDING = 1e-6
"""Relative; what sums of promised CPU may differ by."""


@dataclass(frozen=True, eq=False)
class Breach:
    """A rule violation: the VMs concerned, and the host of each."""

    rule: Rule
    vms: Ints
    hosts: Ints

    def __len__(self) -> int:
        return len(self.vms)


@dataclass(frozen=True, eq=False)
class Situation:
    """Where all VMs are: one row per VM and end, in ``vms`` and ``hosts``.

    ``capacity_mhz`` is what each host can promise; ``kept_mhz`` is what hard rules keep for VMs;
    ``size`` is the size of each VM, one row per VM.
    """

    vms: Ints
    hosts: Ints
    domains: Domains
    capacity_mhz: Floats
    kept_mhz: Floats
    size: Ints | None


def violated(
    rules: Iterable[Rule],
    domains: Domains,
    host: Ints,
    moving_to: Ints,
    capacity_mhz: Floats,
    among: Ints | None = None,
    size: Ints | None = None,
) -> list[Breach]:
    """Return every rule that is broken, in the order of the rules.

    ``host`` and ``moving_to`` have one row per VM, −1 for none; a VM without a host breaks no
    rule. ``capacity_mhz`` has one row per host. With ``among`` only these VMs, ascending, are
    looked at, which have to be all that the rules depend on. ``size`` is the present size of each
    VM, for rules that bind VMs of one size.
    """
    rules = list(rules)
    vms = np.arange(len(host)) if among is None else among
    at, to = host[vms], moving_to[vms]
    one, other = vms[at >= 0], vms[(to >= 0) & (to != at)]
    kept_mhz = np.zeros(len(host))
    for rule in rules:
        if rule.kind == "preserve" and rule.hard:
            bound = rule.holding(size)
            kept_mhz[bound] = np.maximum(kept_mhz[bound], rule.cpu_mhz)
    situation = Situation(
        np.concatenate([one, other]),
        np.concatenate([host[one], moving_to[other]]),
        domains,
        capacity_mhz,
        kept_mhz,
        size,
    )
    breaches = []
    for rule in rules:
        wrong = _JUDGES[rule.kind](rule, situation)
        if wrong.any():
            breaches.append(Breach(rule, situation.vms[wrong], situation.hosts[wrong]))
    return breaches


def _named(rule: Rule, now: Situation) -> Bools:
    """Return which rows belong to VMs that a rule binds with the size that they have now."""
    return np.isin(now.vms, rule.holding(now.size))


def _together(rule: Rule, now: Situation) -> Bools:
    """Return VMs that have no end in the domain where most of the rule's VMs have one."""
    named = _named(rule, now)
    where = now.domains.of(rule.level)[now.hosts]
    members: dict[int, set[int]] = {}
    for vm, domain in zip(now.vms[named].tolist(), where[named].tolist(), strict=True):
        members.setdefault(domain, set()).add(vm)
    if not members:
        return named
    home = max(sorted(members), key=lambda domain: len(members[domain]))
    return named & ~np.isin(now.vms, list(members[home]))


def _crowded(rule: Rule, now: Situation) -> Bools:
    """Return VMs in a domain that holds more of the rule's VMs than it may."""
    named = _named(rule, now)
    where = now.domains.of(rule.level)[now.hosts]
    members: dict[int, set[int]] = {}
    for vm, domain in zip(now.vms[named].tolist(), where[named].tolist(), strict=True):
        members.setdefault(domain, set()).add(vm)
    full = [domain for domain, vms in members.items() if len(vms) > rule.at_most]
    return named & np.isin(where, full)


def _fence(rule: Rule, now: Situation) -> Bools:
    """Return the rule's VMs outside its hosts."""
    return _named(rule, now) & ~np.isin(now.hosts, rule.hosts)


def _ban(rule: Rule, now: Situation) -> Bools:
    """Return the rule's VMs on its hosts."""
    return _named(rule, now) & np.isin(now.hosts, rule.hosts)


def _dedicated(rule: Rule, now: Situation) -> Bools:
    """Return other VMs on the rule's hosts."""
    return ~_named(rule, now) & np.isin(now.hosts, rule.hosts)


def _lonely(rule: Rule, now: Situation) -> Bools:
    """Return the rule's VMs that share a host with others."""
    named = _named(rule, now)
    return named & np.isin(now.hosts, now.hosts[~named])


def _preserve(rule: Rule, now: Situation) -> Bools:
    """Return the rule's VMs on hosts that have promised more CPU than they have."""
    named = _named(rule, now)
    kept_mhz = now.kept_mhz[now.vms]
    if not rule.hard:
        kept_mhz = np.where(named, np.maximum(kept_mhz, rule.cpu_mhz), kept_mhz)
    promised_mhz = np.zeros(len(now.capacity_mhz))
    np.add.at(promised_mhz, now.hosts, kept_mhz)
    over = promised_mhz > now.capacity_mhz * (1 + ROUNDING)
    return named & over[now.hosts]


_JUDGES: dict[str, Callable[[Rule, Situation], Bools]] = {
    "together": _together,
    "apart": _crowded,
    "spread": _crowded,
    "fence": _fence,
    "ban": _ban,
    "dedicated": _dedicated,
    "lonely": _lonely,
    "preserve": _preserve,
}
"""What tells, per kind of rule, which rows of a situation break it."""
