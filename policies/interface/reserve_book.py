"""The reserve during decisions: capacity that may be allocated, and hosts that may sleep.

A book is tentative, like the room that it belongs to: VMs are entered as they are placed.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, sum_by
from ...models.base.lazy_dataclass import dataclass
from ...models.rules.reserve import (
    TOLERANCE,
    AllowedHosts,
    HostedVms,
    Reserve,
    largest_fit,
    survives,
)

NAME = "the reserve"
"""How it stands among what bars a VM from hosts."""

Restarts = Callable[[HostedVms, Bools, Ints], bool]

Counting = Callable[[], tuple[Floats, Floats]]
"""Returns what each VM counts with and what each host may promise, both CPU in MHz."""


@dataclass(frozen=True)
class FarmReserve:
    """The reserve of a farm.

    ``counting`` says how CPU counts; memory is configured memory always. With ``wakes`` sleeping
    hosts count for what is placed, since they are woken when they are needed. ``exempt`` VMs,
    those that a failure took off their host, may use the reserve: it is there for them. They
    count as promised while they wait. ``restarts`` plays the restart of the VMs of hosts that
    fail, given what is held and which hosts are awake, and says whether all find a host.

    ``others`` are further rules that are kept besides. ``exempt`` is (vms,); ``counting`` returns
    (vms,) and (hosts,) arrays in MHz and is called once per book.
    """

    rule: Reserve
    counting: Counting
    wakes: bool
    exempt: Bools
    restarts: Restarts | None = None
    others: tuple[Reserve, ...] = ()

    @classmethod
    def of(
        cls,
        rules: Sequence[Reserve],
        counting: Counting,
        wakes: bool,
        exempt: Bools,
        restarts: Restarts | None = None,
    ) -> "FarmReserve | None":
        """Return the reserve of some rules that are all kept, None of none."""
        if not rules:
            return None
        return cls(rules[0], counting, wakes, exempt, restarts, tuple(rules[1:]))

    @property
    def each(self) -> "tuple[FarmReserve, ...]":
        """The same for each rule alone."""
        rules = (self.rule, *self.others)
        return tuple(replace(self, rule=rule, others=()) for rule in rules)


class ReserveBook:
    """Capacity allocated on hosts, and capacity still available; of one rule.

    ``home``, ``need_mib`` have one entry per VM of the farm; ``memory_mib``, ``awake`` and
    ``sleeping`` one per host. ``kind`` is the same for VMs of a size that no rule tells apart. A
    ``lenient`` book lets a VM break the reserve where no host keeps it.

    CPU is in MHz, memory in MiB. A budget in the reserve is checked by sums; the tests that depend
    on placement (largest VM, host failures) are run again only where something has changed.
    """

    def __init__(
        self,
        reserve: FarmReserve,
        home: Ints,
        need_mib: Floats,
        memory_mib: Floats,
        awake: Bools,
        sleeping: Bools,
        kind: Ints | None = None,
        permits: Callable[[], AllowedHosts] | None = None,
        lenient: bool = False,
    ) -> None:
        self._rule, self._exempt = reserve.rule, reserve.exempt
        self._restarts, self._permits, self.lenient = reserve.restarts, permits, lenient
        self._kind = np.arange(len(home)) if kind is None else kind
        self._known: dict[tuple[int, float, int], bool] = {}
        self._within = self._rule.within
        need_mhz, cpu_mhz = reserve.counting()
        self.standby = np.zeros(len(memory_mib), bool)
        self.standby[: len(self._rule.standby)] = self._rule.standby
        self._memory_mib, self._cpu_mhz = memory_mib, cpu_mhz
        self._awake, self._sleeping = awake.copy(), sleeping
        held = home >= 0
        count = len(memory_mib)
        used_mib = sum_by(home[held], weights=need_mib[held], minlength=count)
        used_mhz = sum_by(home[held], weights=need_mhz[held], minlength=count)
        counted = self._inside(awake | sleeping if reserve.wakes else awake.copy())
        self._held = HostedVms(
            home.copy(),
            need_mib,
            need_mhz,
            memory_mib - used_mib,
            cpu_mhz - used_mhz,
            counted & ~self.standby,
        )
        counts = self._count(home) | (reserve.exempt & ~held)
        if self._rule.members is not None:
            counts &= held | self._rule.members
        self._promised = [float(need_mib[counts].sum()), float(need_mhz[counts].sum())]
        self._limits = self._limits_of(self._held.counted)
        self._kept: bool | None = None
        self._foreseen = (-1, -1)

    def _inside(self, hosts: Bools) -> Bools:
        """Return which of some hosts are among those of the rule."""
        return hosts if self._within is None else hosts & self._within

    def _count(self, home: Ints) -> Bools:
        """Return which VMs are on hosts of the rule."""
        held = home >= 0
        if self._within is None:
            return held
        found: Bools = held & self._within[np.where(held, home, 0)]
        return found

    def _counts_at(self, host: int) -> bool:
        """Whether a VM on a host (negative: on none) counts."""
        return host >= 0 and (self._within is None or bool(self._within[host]))

    @property
    def depends_on_placement(self) -> bool:
        """Whether it matters for the reserve on which host a VM is."""
        return self._rule.hosts > 0

    def _limits_of(self, hosts: Bools) -> tuple[float, float]:
        return self._rule.limits(self._memory_mib[hosts], self._cpu_mhz[hosts])

    def left(self) -> tuple[float, float]:
        """Return memory (MiB) and CPU (MHz) of hosts on beyond the reserve.

        Negative: the farm is below its reserve; infinite: none of it is kept. Of hosts on standby
        it is their free room less their capacity, so 0 while all of them are awake and empty.
        """
        if self._rule.budgets:
            limits = self._limits_of(self._inside(self._awake & ~self.standby))
            return limits[0] - self._promised[0], limits[1] - self._promised[1]
        if not self.standby.any():
            return 0.0, 0.0
        ready = self.standby & self._awake
        return tuple(
            float(free[ready].sum() - capacity[self.standby].sum())
            for free, capacity in (
                (self._held.free_mib, self._memory_mib),
                (self._held.free_mhz, self._cpu_mhz),
            )
        )  # type: ignore[return-value]

    def whole(self) -> bool:
        """Whether the hosts that are on satisfy the reserve."""
        left_mib, left_mhz = self.left()
        if left_mib < -self._slack(0) or left_mhz < -self._slack(1):
            return False
        if not self.depends_on_placement:
            return True
        return self._tests_hold(self._inside(self._awake & ~self.standby))

    def _slack(self, resource: int) -> float:
        return TOLERANCE * max(self._promised[resource], 1.0)

    def _tests_hold(self, counted: Bools) -> bool:
        """Whether the tests hold that depend on where VMs are."""
        held, hosts = self._held, self._rule.hosts
        held = HostedVms(
            held.home, held.need_mib, held.need_mhz, held.free_mib, held.free_mhz, counted
        )
        restarts = self._restarts
        if not self._rule.packing or restarts is None:
            return largest_fit(held, hosts)
        awake, permits, seen = self._awake, self._all_permits, held
        if self._within is not None:
            # VMs elsewhere keep their places, which rules may look at, but need none here.
            home = np.where(self._count(held.home), held.home, -1)
            seen = replace(held, home=home)
        return survives(seen, hosts, permits, lambda set_: restarts(held, awake, set_))

    @cached_property
    def _all_permits(self) -> AllowedHosts:
        if self._permits is not None:
            permits = self._permits()
            return permits if self._within is None else permits.within(self._within)
        vms, hosts = len(self._held.home), len(self._memory_mib)
        return AllowedHosts(np.zeros(vms, np.int64), np.ones((1, hosts), bool))

    def refuses(self, vm: int) -> bool:
        """Whether one more VM would be too many for the hosts of the reserve, wherever it went."""
        held = self._held
        if not self._rule.budgets or self._counts_at(int(held.home[vm])) or self._exempt[vm]:
            return False
        needs = held.need_mib[vm], held.need_mhz[vm]
        return any(
            self._promised[each] + needs[each] > self._limits[each] + self._slack(each)
            for each in range(2)
        )

    def barred(self, vm: int, hosts: Ints) -> Bools | None:
        """Return which hosts the reserve closes to a VM; None: none.

        A lenient book closes none for sums within a cluster: that is below its reserve, the farm
        need not be too small.
        """
        if self.refuses(vm):
            if self._within is None:
                return np.ones(len(hosts), bool)
            if not self.lenient:
                return self._within[hosts]
        if self._exempt[vm] or not self.standby.any():
            return None
        return self.standby[hosts]

    def keeps(self, vm: int, host: int) -> bool:
        """Whether the reserve still stands with a VM on a host; true where it is broken anyway.

        Tentative: the book is as before afterwards. A VM of a kind tried on the same host before is
        not tested again until something is entered.
        """
        if not self.depends_on_placement or self._exempt[vm]:
            return True
        if not self._counts_at(host) and not self._counts_at(int(self._held.home[vm])):
            return True
        if self._kept is None:
            self._kept = self._tests_hold(self._held.counted)
        if not self._kept:
            return True
        before, kept = int(self._held.home[vm]), self._kept
        alike = int(self._kind[vm]), float(self._held.need_mhz[vm]), host
        stands = self._known.get(alike) if before < 0 else None
        if stands is None:
            self._enter(vm, host)
            stands = self._tests_hold(self._held.counted)
            self._enter(vm, before)
            self._kept = kept
            if before < 0:
                self._known[alike] = stands
        if stands:
            self._foreseen = vm, host
        return stands

    def move(self, vm: int, host: int) -> int:
        """Enter a VM on a host (−1: none); return where it was."""
        self._known.clear()
        return self._enter(vm, host)

    def _enter(self, vm: int, host: int) -> int:
        held = self._held
        before = int(held.home[vm])
        for at, sign in ((before, 1.0), (host, -1.0)):
            if at >= 0:
                held.free_mib[at] += sign * held.need_mib[vm]
                held.free_mhz[at] += sign * held.need_mhz[vm]
        step = self._step(vm, before, host)
        self._promised[0] += step * float(held.need_mib[vm])
        self._promised[1] += step * float(held.need_mhz[vm])
        held.home[vm] = host
        self._kept = True if self._foreseen == (vm, host) else None
        return before

    def _step(self, vm: int, before: int, host: int) -> int:
        """Return by how many more times a VM counts, once it is on another host."""
        members = self._rule.members
        waits = bool(self._exempt[vm]) and (members is None or bool(members[vm]))

        def counts(at: int) -> bool:
            return self._counts_at(at) or (at < 0 and waits)

        return int(counts(host)) - int(counts(before))

    def sleep(self, host: int) -> bool:
        """Record that an empty host is powered down, if the other hosts satisfy the reserve."""
        if not self._awake[host]:
            return True
        if self.standby[host]:
            return False
        self._awake[host] = False
        if not self._counts_at(host) or self.whole():
            return True
        self._awake[host] = True
        return False

    def wake(self, host: int) -> None:
        """Record that a host is on."""
        self._awake[host] = True

    def lacking(self) -> list[int]:
        """Return sleeping hosts to wake so that the reserve is whole, or all there are.

        They are entered as awake. Hosts on standby come first, then the lowest rows.
        """
        woken = np.flatnonzero(self.standby & self._sleeping & ~self._awake).tolist()
        for host in woken:
            self.wake(host)
        if not self._rule.budgets:
            return woken
        for host in np.flatnonzero(self._inside(self._sleeping & ~self._awake)).tolist():
            if self.whole():
                break
            self.wake(host)
            woken.append(host)
        return woken


class ReserveBooks:
    """Several reserves that are all kept: a book for each, with the methods of one.

    What is entered is entered in all. Hosts that one of them keeps on standby count as capacity for
    the others.
    """

    def __init__(self, books: Sequence[ReserveBook]) -> None:
        self.each = books
        self.lenient = books[0].lenient

    @property
    def depends_on_placement(self) -> bool:
        """Whether it matters for any reserve on which host a VM is."""
        return any(book.depends_on_placement for book in self.each)

    def left(self) -> tuple[float, float]:
        """Return what is left beyond the reserve that has least left: memory (MiB), CPU (MHz).

        Hosts on standby count only where they lack something, see :meth:`ReserveBook.left`.
        """
        left = [book.left() for book in self.each]
        free = [each for book, each in zip(self.each, left, strict=True) if not book.standby.any()]
        lacking = [each for each in left if min(each) < 0]
        seen = free + lacking or left
        return min(mib for mib, _ in seen), min(mhz for _, mhz in seen)

    def whole(self) -> bool:
        """Whether the hosts that are on satisfy all reserves."""
        return all(book.whole() for book in self.each)

    def refuses(self, vm: int) -> bool:
        """Whether one more VM would be too many for the hosts of any reserve."""
        return any(book.refuses(vm) for book in self.each)

    def barred(self, vm: int, hosts: Ints) -> Bools | None:
        """Return which hosts any reserve closes to a VM; None: none."""
        bars = [barred for book in self.each if (barred := book.barred(vm, hosts)) is not None]
        return np.logical_or.reduce(bars) if bars else None

    def keeps(self, vm: int, host: int) -> bool:
        """Whether all reserves still stand with a VM on a host, those broken anyway aside."""
        return all(book.keeps(vm, host) for book in self.each)

    def move(self, vm: int, host: int) -> int:
        """Enter a VM on a host (−1: none); return where it was."""
        for book in self.each:
            before = book.move(vm, host)
        return before

    def sleep(self, host: int) -> bool:
        """Record that an empty host is powered down, if the others satisfy all reserves."""
        for number, book in enumerate(self.each):
            if not book.sleep(host):
                for earlier in self.each[:number]:
                    earlier.wake(host)
                return False
        return True

    def wake(self, host: int) -> None:
        """Record that a host is on."""
        for book in self.each:
            book.wake(host)

    def lacking(self) -> list[int]:
        """Return sleeping hosts to wake so that all reserves are whole, or all there are."""
        woken: list[int] = []
        for book in self.each:
            for host in book.lacking():
                woken.append(host)
                self.wake(host)
        return woken


Book = ReserveBook | ReserveBooks
"""What a farm's reserve is asked through: the book of one rule, or of several."""
