"""The placement rules of a farm by VM."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from ..base.arrays import Bools, Floats, Ints, alike
from ..hardware.racks_and_sites import LEVELS, Domains
from .constraints import BY_HOST_ALONE, FOR_STRANGERS, Rule


class Rules:
    """Rules by VM, and restrictions that follow from the hosts alone.

    ``capacity_mhz`` is what each host can promise to VMs. ``places`` says which hosts hard rules
    leave to each class of VMs whatever else is where, (classes, hosts), and ``place_class`` gives
    the class per VM.
    """

    def __init__(
        self, rules: Sequence[Rule], domains: Domains, vms: int, capacity_mhz: Floats
    ) -> None:
        """Look up which rules bind each of ``vms`` VMs.

        ``domains`` are the racks and sites of the hosts, ``capacity_mhz`` has shape (hosts,).
        """
        self.all = tuple(rules)
        self.domains = domains
        self.capacity_mhz = capacity_mhz
        # A VM without a host has row −1, which must find domain −1 behind the last host.
        self.domain = {level: np.append(domains.of(level), -1) for level in LEVELS}
        nowhere = self._mask(np.empty(0, np.int64))
        self.masks = [self._mask(rule.hosts) if len(rule.hosts) else nowhere for rule in self.all]
        self._members: dict[int, tuple[int, ...]] = {}
        for index, rule in enumerate(self.all):
            for vm in rule.vms.tolist():
                self._members[vm] = (*self._members.get(vm, ()), index)
        self._for_strangers = frozenset(
            index for index, rule in enumerate(self.all) if rule.kind in FOR_STRANGERS
        )
        self._alike = self._numbered(vms)
        self._host_kinds: Ints | None = None
        self.place_class, self.places = self._static(vms)
        self._known: dict[tuple[int, ...], tuple[tuple[int, ...], ...]] = {}
        self._vms = vms
        self._keeping = [rule for rule in self.all if rule.kind == "preserve" and rule.hard]
        self._by_size = any(rule.size is not None for rule in self._keeping)
        self._kept_mhz = self._max_kept(None)

    def kept_mhz(self, size: Ints | None = None) -> Floats:
        """Return the CPU that hard rules keep for each VM, given the present size of each."""
        return self._max_kept(size) if self._by_size else self._kept_mhz

    def _max_kept(self, size: Ints | None) -> Floats:
        """Return the most CPU that any hard rule keeps for each VM, in MHz."""
        kept_mhz = np.zeros(self._vms)
        for rule in self._keeping:
            vms = rule.holding(size)
            kept_mhz[vms] = np.maximum(kept_mhz[vms], rule.cpu_mhz)
        return kept_mhz

    def hard(self, vm: int) -> tuple[int, ...]:
        """Return the hard rules on a VM whose verdict depends on where other VMs are."""
        return self._binding(vm)[1]

    @cached_property
    def any_hard_on_others(self) -> bool:
        """Whether a hard rule's verdict depends on where other VMs are."""
        return any(rule.hard and rule.kind not in BY_HOST_ALONE for rule in self.all)

    def soft(self, vm: int) -> tuple[int, ...]:
        """Return the rules with a penalty on a VM."""
        return self._binding(vm)[2]

    def binding(self, vm: int) -> tuple[int, ...]:
        """Return all rules that bind a VM, whether they name it or keep others from it."""
        return self._binding(vm)[0]

    def _binding(self, vm: int) -> tuple[tuple[int, ...], ...]:
        """Return what binds a VM, as indices of rules: all, the hard ones, those with a price.

        VMs that the same rules name share the answer.
        """
        own = self._members.get(vm, ())
        found = self._known.get(own)
        if found is None:
            found = self._known[own] = self._bound_by(own)
        return found

    def _bound_by(self, own: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """Return what binds VMs that the rules ``own`` name, and no others.

        Some rules bind VMs that they do not name: lonely and dedicated VMs keep others away.
        """
        rules = self.all
        strange = self._for_strangers.difference(own)
        binding = sorted(strange.union(i for i in own if rules[i].kind != "dedicated"))
        hard = [i for i in binding if rules[i].hard and rules[i].kind not in BY_HOST_ALONE]
        soft = [i for i in binding if not rules[i].hard]
        return tuple(binding), tuple(hard), tuple(soft)

    def affinity_group(self, vm: int) -> Ints:
        """Return the VMs that hard rules keep together with one, itself among them, ascending."""
        return self._affinity_groups.get(vm, np.array([vm]))

    @cached_property
    def _affinity_groups(self) -> dict[int, Ints]:
        """The VMs of hard rules of togetherness, joined where rules overlap."""
        group_of: dict[int, set[int]] = {}
        for rule in self.all:
            if rule.kind == "together" and rule.hard:
                joined: set[int] = set()
                for vm in rule.vms.tolist():
                    joined |= group_of.get(vm, {vm})
                group_of |= dict.fromkeys(joined, joined)
        return {vm: np.array(sorted(group)) for vm, group in group_of.items()}

    def named(self, vms: Ints) -> Bools:
        """Return which of some VMs hard rules name."""
        named = np.zeros(self._vms, bool)
        for rule in self.all:
            if rule.hard:
                named[rule.vms] = True
        return named[vms]

    def kinds_of_vms(self, size: Ints) -> Ints:
        """Return a number per VM, the same for VMs of a size that are in the same rules."""
        return alike(np.column_stack([size, self._alike]).astype(np.float64))

    def kinds_of_hosts(self, group: Ints) -> Ints:
        """Return a number per host, equal for hosts of a group with the same rules."""
        if self._host_kinds is None:
            marks = [group, *(mask for mask in self.masks if mask.any())]
            marks += [self.domains.of(level) for level in ("rack", "site") if self._uses(level)]
            self._host_kinds = alike(np.column_stack(marks).astype(np.float64))
        return self._host_kinds

    def _uses(self, level: str) -> bool:
        """Whether a rule speaks of a level of domains."""
        return any(rule.level == level for rule in self.all)

    def _mask(self, hosts: Ints) -> Bools:
        """Return which hosts are among some, shape (hosts,)."""
        mask = np.zeros(len(self.capacity_mhz), bool)
        mask[hosts] = True
        return mask

    def _numbered(self, vms: int) -> Ints:
        """Return a number per VM, the same for VMs that the same rules name."""
        numbers: dict[tuple[int, ...], int] = {(): 0}
        found = np.zeros(vms, np.int64)
        for vm, own in self._members.items():
            found[vm] = numbers.setdefault(own, len(numbers))
        return found

    def _static(self, vms: int) -> tuple[Ints, Bools]:
        """Return the class of each VM, and the hosts that are left to each class.

        Only hard rules count whose verdict depends on the host alone, so both hold for the run.
        """
        deciding = {
            index: None
            for index, rule in enumerate(self.all)
            if rule.hard and rule.kind in BY_HOST_ALONE
        }
        numbers: dict[tuple[int, ...], int] = {(): 0}
        classes = np.zeros(vms, np.int64)
        for vm, own in self._members.items():
            named = tuple(index for index in own if index in deciding)
            classes[vm] = numbers.setdefault(named, len(numbers))
        return classes, np.array([self._left_to(named, deciding) for named in numbers])

    def _left_to(self, named: tuple[int, ...], deciding: Iterable[int]) -> Bools:
        """Return the hosts that the ``deciding`` rules leave to VMs that some of them name."""
        left = np.ones(len(self.capacity_mhz), bool)
        for index in deciding:
            kind, mask = self.all[index].kind, self.masks[index]
            if index in named:
                left &= {"fence": mask, "ban": ~mask}.get(kind, left)
            elif kind == "dedicated":
                left &= ~mask
        return left
