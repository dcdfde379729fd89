"""Sets of hard rules that no placement can satisfy, found before placement.

Found are: VMs or groups of VMs that belong together for which rules leave no host, or none that
is large enough; VMs to be kept together and apart, along any chain of rules; more VMs to be kept
apart than domains are left to them; loneliness broken by togetherness; more lonely groups than
hosts. Each is told with the fewest rules that it takes. What remains is bin packing, which the
initial placement tries.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np

from ..base.arrays import Bools, Floats, Ints
from ..base.lazy_dataclass import dataclass
from ..hardware.racks_and_sites import LEVELS, Domains
from .constraints import BY_HOST_ALONE, Rule

Rows = frozenset[int]
Test = Callable[[list[Rule]], bool]


@dataclass(frozen=True, eq=False)
class Need:
    """A resource: an amount per VM and per host, in a unit."""

    what: str
    unit: str
    of_vm: Floats
    of_host: Floats


@dataclass(frozen=True, eq=False)
class Conflict:
    """Rules that cannot all be satisfied, VMs that show it, and the reason."""

    rules: tuple[Rule, ...]
    vms: tuple[int, ...]
    why: str


def conflicts(
    rules: Sequence[Rule],
    domains: Domains,
    needs: Sequence[Need],
    capacity_mhz: Floats,
    vms: int,
    at_once: bool = True,
) -> list[Conflict]:
    """Return what cannot be kept, one entry per reason and group of VMs.

    ``needs`` is what VMs on one host need of it beside preserved CPU, of which each host has
    ``capacity_mhz``; ``vms`` is the number of all VMs. Unless they are there ``at_once``, VMs
    do not crowd one another out.
    """
    hard = [rule for rule in rules if rule.hard]
    finders = [_no_host_left, _no_common_domain, _together_and_apart, _not_alone]
    if at_once:
        finders += [_too_large, _too_few_domains, _too_many_alone]
    world = _World(domains, needs, capacity_mhz, vms, hard)
    found: list[Conflict] = []
    blamed: set[Rule] = set()
    for finder in finders:
        for conflict in finder(world, hard):
            # What follows from a fault that has been told already is not told again.
            if not blamed.issuperset(conflict.rules):
                found.append(conflict)
                blamed.update(conflict.rules)
    return found


@dataclass(frozen=True, eq=False)
class _World:
    """The hosts, the needs of ``vms`` VMs, and all hard rules, looked up by VM."""

    domains: Domains
    needs: Sequence[Need]
    capacity_mhz: Floats
    vms: int

    rules: list[Rule]

    @cached_property
    def _by_vm(self) -> dict[int, list[int]]:
        """Indices of the rules that name each VM."""
        found: dict[int, list[int]] = {}
        for index, rule in enumerate(self.rules):
            for vm in rule.named:
                found.setdefault(vm, []).append(index)
        return found

    def near(self, vms: Rows) -> list[Rule]:
        """Return the hard rules that could concern some VMs."""
        indices = {index for vm in vms for index in self._by_vm.get(vm, ())}
        return [self.rules[index] for index in sorted(indices.union(self._dedicated))]

    @cached_property
    def _dedicated(self) -> list[int]:
        """Indices of the rules that keep hosts for the VMs that they name."""
        return [i for i, rule in enumerate(self.rules) if rule.kind == "dedicated"]

    @cached_property
    def _all_domains(self) -> dict[str, Rows]:
        """Numbers of all domains of each level."""
        return {level: frozenset(range(self.domains.count(level))) for level in LEVELS}

    @property
    def hosts(self) -> int:
        """Number of hosts."""
        return len(self.domains.rack)

    def left(self, rules: Sequence[Rule], vm: int) -> Bools:
        """Return the hosts that rules leave to a VM, whatever else is where."""
        left = np.ones(self.hosts, bool)
        for rule in rules:
            named = rule.kind in BY_HOST_ALONE and vm in rule.named
            if rule.kind == "fence" and named:
                left &= np.isin(self.domains.host, rule.hosts)
            elif (rule.kind == "ban" and named) or (rule.kind == "dedicated" and not named):
                left[rule.hosts] = False
        return left

    def domains_left(self, rules: Sequence[Rule], vm: int, level: str) -> Rows:
        """Return the domains in which rules leave a host to a VM."""
        if not any(rule.kind in BY_HOST_ALONE for rule in rules):
            return self._all_domains[level]
        return frozenset(self.domains.of(level)[self.left(rules, vm)].tolist())


def _fewest(rules: Sequence[Rule], test: Test) -> tuple[Rule, ...]:
    """Return rules none of which can be left out without the conflict going away.

    ``test`` says whether some rules cannot all be kept. One pass over the rules is enough, since
    more rules never resolve a conflict.
    """
    kept = list(rules)
    for rule in list(kept):
        fewer = [each for each in kept if each is not rule]
        if test(fewer):
            kept = fewer
    return tuple(kept)


def _groups(rules: Sequence[Rule], level: str) -> list[Rows]:
    """Return the VMs that share a domain of a level, joined where rules overlap."""
    inside = LEVELS[: LEVELS.index(level) + 1]
    group_of: dict[int, set[int]] = {}
    for rule in rules:
        if rule.kind == "together" and rule.level in inside:
            joined: set[int] = set()
            for vm in rule.vms.tolist():
                joined |= group_of.get(vm, {vm})
            group_of |= dict.fromkeys(joined, joined)
    return list(dict.fromkeys(frozenset(group) for group in group_of.values()))


def _group(rules: Sequence[Rule], level: str, vm: int) -> Rows:
    """Return the VMs that must share a domain of a level with a VM, itself among them."""
    return next((group for group in _groups(rules, level) if vm in group), frozenset({vm}))


def _of_kind(rules: Sequence[Rule], *kinds: str) -> list[Rule]:
    """Return the rules of some kinds, in their order."""
    return [rule for rule in rules if rule.kind in kinds]


def _no_host_left(world: _World, rules: list[Rule]) -> Iterator[Conflict]:
    """Yield VMs that may be on no host at all.

    VMs that the same rules name are told together, and so are all that no rule names.
    """
    static = _of_kind(rules, *BY_HOST_ALONE)
    seen: dict[tuple[bool, ...], list[int]] = {}
    names = [rule.named for rule in static]
    named = sorted(frozenset().union(*names)) if static else []
    for vm in named:
        seen.setdefault(tuple(vm in each for each in names), []).append(vm)
    if len(named) < world.vms:
        others = np.setdiff1d(np.arange(world.vms), np.array(named, np.int64))
        seen[(False,) * len(static)] = others.tolist()
    for vms in seen.values():

        def nowhere(some: list[Rule], one: int = vms[0]) -> bool:
            return not world.left(some, one).any()

        if nowhere(static):
            yield Conflict(_fewest(static, nowhere), tuple(vms), "no host is left to them")


def _no_common_domain(world: _World, rules: list[Rule]) -> Iterator[Conflict]:
    """Yield groups whose VMs may share no domain."""
    for level in LEVELS:
        for group in _groups(rules, level):
            one = min(group)

            def apart(some: list[Rule], one: int = one, level: str = level) -> bool:
                members = _group(some, level, one)
                left = [world.domains_left(some, vm, level) for vm in members]
                return not frozenset.intersection(*left)

            near = world.near(group)
            if apart(near):
                why = f"they must share a {level}, and no {level} is left to all of them"
                yield Conflict(_fewest(near, apart), tuple(sorted(group)), why)


def _too_large(world: _World, rules: list[Rule]) -> Iterator[Conflict]:
    """Yield groups, or VMs with preserved CPU, that are larger than any host left to them."""
    groups = _groups(rules, "host")
    alone = {vm for rule in _of_kind(rules, "preserve") for vm in rule.vms.tolist()}
    alone -= frozenset().union(*groups)
    for group in [*groups, *(frozenset({vm}) for vm in sorted(alone))]:
        one = min(group)

        def fits_nowhere(some: list[Rule], one: int = one) -> bool:
            members = _group(some, "host", one)
            fits = np.logical_and.reduce([world.left(some, vm) for vm in members])
            for need in [*world.needs, _preserved(some, world)]:
                fits &= need.of_host * (1 + 1e-9) >= need.of_vm[list(members)].sum()
            return not fits.any()

        near = world.near(group)
        if fits_nowhere(near):
            fewest = _fewest(near, fits_nowhere)
            if fewest:
                sums = [_sum(need, group) for need in [*world.needs, _preserved(fewest, world)]]
                why = (
                    f"they need {', '.join(filter(None, sums))} of one host; none left has as much"
                )
                yield Conflict(fewest, tuple(sorted(group)), why)


def _preserved(rules: Sequence[Rule], world: _World) -> Need:
    """Return what preserve asks for."""
    kept_mhz = np.zeros(world.vms)
    for rule in _of_kind(rules, "preserve"):
        kept_mhz[rule.vms] = np.maximum(kept_mhz[rule.vms], rule.cpu_mhz)
    return Need("preserved CPU", "MHz", kept_mhz, world.capacity_mhz)


def _sum(need: Need, group: Rows) -> str:
    """Return what a group needs of one host, in words; empty where it needs nothing of it."""
    amount = float(need.of_vm[list(group)].sum())
    return f"{amount:,.0f} {need.unit} {need.what}" if amount else ""


def _together_and_apart(world: _World, rules: list[Rule]) -> Iterator[Conflict]:
    """Yield VMs that are kept together and apart."""
    group_of = {
        level: {vm: group for group in _groups(rules, level) for vm in group} for level in LEVELS
    }
    for rule in _of_kind(rules, "apart", "spread"):
        of_vm = group_of[rule.level]
        for group in dict.fromkeys(of_vm[vm] for vm in rule.vms.tolist() if vm in of_vm):
            both = sorted(group & rule.named)
            if len(both) <= rule.at_most:
                continue
            one = both[0]

            def joined(some: list[Rule], one: int = one, rule: Rule = rule) -> bool:
                members = _group(some, rule.level, one) & rule.named
                return rule in some and len(members) > rule.at_most

            fewest = _fewest(world.near(group), joined)
            limit = f"; at most {rule.at_most} of them may" if rule.at_most > 1 else ", and may not"
            both = sorted(_group(fewest, rule.level, one) & rule.named)
            yield Conflict(fewest, tuple(both), f"they must share a {rule.level}{limit}")


def _too_few_domains(world: _World, rules: list[Rule]) -> Iterator[Conflict]:
    """Yield VMs that have to be apart and have too few domains for it.

    Hosts are left to each VM by the rules that look at hosts alone; whether the VMs can then be
    spread is a matching of VMs to domains.
    """
    for rule in _of_kind(rules, "apart", "spread"):

        def too_few(some: list[Rule], rule: Rule = rule) -> bool:
            if rule not in some:
                return False
            left = [world.domains_left(some, vm, rule.level) for vm in rule.vms.tolist()]
            return not _assignable(left, rule.at_most)

        near = [rule, *_of_kind(world.near(rule.named), *BY_HOST_ALONE)]
        if too_few(near):
            fewest = _fewest(near, too_few)
            left = [world.domains_left(fewest, vm, rule.level) for vm in rule.vms.tolist()]
            count = len(frozenset().union(*left))
            each = f", {rule.at_most} each" if rule.at_most > 1 else ""
            why = f"they must be on different {rule.level}s{each}; only {count} are left to them"
            yield Conflict(fewest, tuple(rule.vms.tolist()), why)


def _assignable(left: Sequence[Rows], at_most: int) -> bool:
    """Whether every VM finds a domain of those left to it, so many VMs in each."""
    common = frozenset.intersection(*left) if left else frozenset()
    if len(left) <= at_most * len(common):
        return True
    if len(left) > at_most * len(frozenset().union(*left)):
        return False
    return _matched(left, at_most) == len(left)


def _matched(left: Sequence[Rows], at_most: int) -> int:
    """Return how many VMs find a domain at best, so many in each.

    A maximum matching of a bipartite graph by augmenting paths.
    """
    placed: dict[int, list[int]] = {}

    def assign(vm: int, tried: set[int]) -> bool:
        for domain in sorted(left[vm] - tried):
            tried.add(domain)
            here = placed.setdefault(domain, [])
            if len(here) < at_most:
                here.append(vm)
                return True
            for index, other in enumerate(here):
                if assign(other, tried):
                    here[index] = vm
                    return True
        return False

    return sum(assign(vm, set()) for vm in range(len(left)))


def _not_alone(world: _World, rules: list[Rule]) -> Iterator[Conflict]:
    """Yield lonely VMs that have to share a host with a stranger."""
    groups = _groups(rules, "host")
    for rule in _of_kind(rules, "lonely"):
        for group in groups:
            one = min(group & rule.named, default=-1)
            if one < 0 or group <= rule.named:
                continue

            def joined(some: list[Rule], one: int = one, rule: Rule = rule) -> bool:
                return rule in some and not _group(some, "host", one) <= rule.named

            fewest = _fewest(world.near(group), joined)
            members = tuple(sorted(_group(fewest, "host", one)))
            why = f"they must share a host, and not all of them are in {rule.name}"
            yield Conflict(fewest, members, why)


def _too_many_alone(world: _World, rules: list[Rule]) -> Iterator[Conflict]:
    """Yield lonely groups of which there are more than hosts."""
    lonely = _of_kind(rules, "lonely")
    who: dict[int, tuple[int, ...]] = {}
    for index, rule in enumerate(lonely):
        for vm in rule.vms.tolist():
            who[vm] = (*who.get(vm, ()), index)
    groups = len(set(who.values())) + (len(who) < world.vms)
    if lonely and groups > world.hosts:
        vms: Ints = np.array(sorted(who))
        why = (
            f"they make {groups} groups that share no host with others; there are {world.hosts} "
            "hosts"
        )
        yield Conflict(tuple(lonely), tuple(vms.tolist()), why)
