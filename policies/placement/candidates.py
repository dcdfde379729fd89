"""Room on hosts for VMs that are being placed: tentative copies of the columns concerned.

A placement takes room VM by VM; nothing of it touches the farm. Besides CPU and memory an
overload test may apply: one whose test is a weighted sum of demand samples (static
threshold, plain local regression) is one more resource here; any other is asked about the
best hosts only.
"""

from array import array
from collections.abc import Callable
from typing import Any

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, Singles, alike, singles
from ...models.base.ties import TIE, levels, tie_of
from ...models.rules.occupancy import Occupancy
from ..interface.reserve_book import NAME as RESERVE
from ..interface.view import FarmView

Veto = Callable[[Ints, int], Bools]
"""Given positions in the room and a VM, which of them would be overloaded by it."""

Positions = Ints | slice
"""Some positions in the room, or all of them as a slice."""

EVERYWHERE = slice(None)

NOWHERE = (-1, False)

MAX_LISTED = 200_000
"""VMs up to which their columns are copied into lists."""

OnChange = Callable[[int, int, int], None]
"""Told position, VM and +1 or −1 whenever a VM comes or goes."""


class Candidates:
    """Candidate hosts, ascending by row, with what each has left.

    A candidate is named by its position; all arrays have one entry per candidate. CPU within
    ``tie_mhz`` and power within ``tie_w`` of each other is equal (:mod:`.ties`). ``notes`` and
    ``memo`` are a placement's own notebooks. ``changed`` holds the positions whose load has
    changed since the placement last cleared it; ``changes`` lists all positions in which
    anything changed, ``gained`` those where a VM that was taken left more room, in the order
    of events.
    """

    def __init__(
        self,
        view: FarmView,
        hosts: Ints,
        need_mhz: Floats,
        load_mhz: Floats,
        capacity_mhz: Floats,
        prefer_awake: bool = True,
        few: bool = False,
    ) -> None:
        """Copy the columns of the candidate ``hosts``.

        ``need_mhz`` has one entry per VM of the farm; ``load_mhz`` and ``capacity_mhz`` one per
        host of the farm. With ``prefer_awake`` a sleeping host is taken only where no other
        fits, unless the placement prices waking itself. ``few`` says that few of the farm's VMs
        will be placed, so that it is not worth copying what all of them need into lists.
        """
        self.view, self.few = view, few or len(need_mhz) > MAX_LISTED
        self.hosts = hosts
        self.prefer_awake, self.all_or_nothing = prefer_awake, False
        self.notes: dict[str, Floats] = {}
        self.memo: dict[str, Any] = {}
        self.need_mhz, self.load_mhz = need_mhz, load_mhz[hosts]
        self.capacity_mhz = capacity_mhz[hosts]
        self.free_mhz = self.capacity_mhz - self.load_mhz
        self.tie_mhz, self.tie_w = tie_of(capacity_mhz), TIE * view.hosts.power.max_power_w
        self.memory_mib = view.hosts.memory_mib[hosts]
        self.memory_free_mib = self.memory_mib - view.hosts.memory_used_mib[hosts]
        self.cpu_mhz = view.hosts.cpu_mhz[hosts]
        self.utilisation = view.hosts.utilisation[hosts]
        self.off_w = view.hosts.state_w(hosts)
        self.power = view.hosts.power.of_load(hosts, self.cpu_mhz)
        self.sleeping = view.sleeping()[hosts]
        self._core_mhz = view.hosts.core_mhz[hosts]
        if view.slow_cores:
            self._core_mhz = np.full(len(hosts), np.inf)
        self._need_per_core_mhz = need_mhz / view.vms.vcpus
        self._memory_need_mib = view.vms.footprint_mib
        self._group = view.hosts.group[hosts]
        self._row, self._allowed = view.destinations()
        self._places: Bools | None = None
        self.occupancy: Occupancy | None = None
        if view.rules is not None:
            self.occupancy = Occupancy(view.rules, view.vms.host, view.vms.moving_to, view.vms.size)
            self._places = view.rules.places[:, hosts]
            self._place_class = view.rules.place_class
        self.reserve_book = view.reserve_book()
        self._one_guest = None if view.one_guest is None else view.one_guest[hosts]
        self._guests = view.hosts.vm_count[hosts] + view.hosts.incoming[hosts]
        self._position = np.full(len(view.hosts), -1)
        self._position[hosts] = np.arange(len(hosts))
        self._min_free_mib = float(self.memory_free_mib.min(initial=np.inf))
        self._max_need_mib = float(self._memory_need_mib.max(initial=0.0))
        self._max_need_per_core_mhz = float(self._need_per_core_mhz.max(initial=0.0))
        self._min_core_mhz = float(self._core_mhz.min(initial=np.inf))
        bars = (self._allowed, self._one_guest, self._places)
        self._barring = any(bar is not None for bar in bars)
        self._signal_mhz: Floats | None = None
        self._veto: Veto | None = None
        self._on_change: OnChange | None = None
        self.changed: set[int] = set()
        self.changes = array("q")
        self.gained: list[int] = []
        self._closed = np.zeros(len(hosts), bool)
        self._journal: list[tuple[int, int, bool, tuple[int, bool], int]] = []
        self._scalars = _Scalars(self)

    def apply_linear_test(
        self, vm_signal_mhz: Floats, host_signal_mhz: Floats, limit_mhz: Floats
    ) -> None:
        """Apply an overload test that compares a sum over VMs with a limit per host.

        A host without guests takes any VM, whatever the test says of it.
        """
        self._signal_mhz = vm_signal_mhz
        self._test_free_mhz = limit_mhz[self.hosts] - host_signal_mhz[self.hosts]
        self._headroom_mhz = np.where(self._guests == 0, np.inf, self._test_free_mhz)
        self._scalars.apply_test(vm_signal_mhz, self._test_free_mhz, self._headroom_mhz)

    def apply_test(self, veto: Veto, on_change: OnChange) -> None:
        """Apply any overload test, on hosts that have guests."""
        self._veto, self._on_change = veto, on_change

    @property
    def vetoed(self) -> bool:
        """Whether an overload test may pass over the cheapest candidate."""
        return self._veto is not None

    def close(self, hosts: Ints) -> None:
        """Take hosts out of the candidates until they are opened again."""
        self._set_closed(hosts, True)

    def open(self, hosts: Ints) -> None:
        """Make closed hosts candidates again."""
        self._set_closed(hosts, False)

    def _set_closed(self, hosts: Ints, closed: bool) -> None:
        at = self._position[hosts]
        self._closed[at] = closed
        for position in at.tolist():
            self._scalars.closed[position] = closed
            self.changes.append(position)

    def full(self, vms: Ints, at: Positions = EVERYWHERE) -> Bools:
        """Return which of some candidates have no room for each VM: (VMs, candidates)."""
        full = self.free_mhz[at] < (self.need_mhz[vms] - self.tie_mhz)[:, None]
        full |= self._closed[at]
        if self._max_need_per_core_mhz > self._min_core_mhz:
            full |= self._core_mhz[at] < self._need_per_core_mhz[vms][:, None]
        if self._max_need_mib > self._min_free_mib:
            full |= self.memory_free_mib[at] < self._memory_need_mib[vms][:, None]
        if self._signal_mhz is not None:
            full |= self._headroom_mhz[at] < (self._signal_mhz[vms] - self.tie_mhz)[:, None]
        if self._allowed is not None:
            full |= ~self._allowed[self._row[vms]][:, self._group[at]]
        if self._one_guest is not None:
            full |= self._one_guest[at] & (self._guests[at] > 0)
        if self._places is not None:
            full |= ~self._places[self._place_class[vms]][:, at]
        return full

    def kinds(self) -> Ints:
        """Return a number per VM of the farm, the same for VMs that have room at the same hosts.

        VMs of a kind need the same of everything, so they also cost the same.
        """
        needs = [self.need_mhz, self._need_per_core_mhz, self._memory_need_mib]
        if self._signal_mhz is not None:
            needs.append(self._signal_mhz)
        if self._allowed is not None:
            needs.append(self._row.astype(np.float64))
        if self._places is not None:
            needs.append(self._place_class.astype(np.float64))
        return alike(np.column_stack(needs))

    def why_full(self, vm: int, together: bool = False) -> tuple[int, int, int, int, str]:
        """Return how many open candidates lack CPU, memory, headroom, or may not take the VM.

        Each is counted once: under what bars it, else CPU, else memory, else headroom. Those
        that have room for the VM but not for all that are placed ``together`` with it may not
        take it. Last stand the rules that bar it, with the number of hosts that each does.
        """
        may = self.may_hold(vm)
        apart = self.barred(vm)
        if apart is not None:
            may &= ~apart
        barred = ~self._closed & ~may
        cpu = self.free_mhz < self.need_mhz[vm] - self.tie_mhz
        cpu |= self._core_mhz < self._need_per_core_mhz[vm]
        cpu &= may
        memory = may & ~cpu & (self.memory_free_mib < self._memory_need_mib[vm])
        vetoed = may & ~cpu & ~memory
        if together:
            barred |= vetoed
            vetoed &= False
        counts = int(cpu.sum()), int(memory.sum()), int(vetoed.sum()), int(barred.sum())
        return *counts, self._why_barred(vm)

    def may_hold(self, vm: int) -> Bools:
        """Return which open candidates may hold a VM whatever room they have.

        Rules and the reserve count only as far as they speak of hosts alone.
        """
        may = ~self._closed
        if self._allowed is not None:
            may &= self._allowed[self._row[vm]][self._group]
        if self._one_guest is not None:
            may &= ~(self._one_guest & (self._guests > 0))
        if self._places is not None:
            may &= self._places[self._place_class[vm]]
        return may

    def lacking_resources(self, vm: int) -> tuple[Bools, Bools]:
        """Return which candidates lack memory for a VM, and which lack CPU or fast enough cores."""
        cpu = self.free_mhz < self.need_mhz[vm] - self.tie_mhz
        cpu |= self._core_mhz < self._need_per_core_mhz[vm]
        return self.memory_free_mib < self._memory_need_mib[vm], cpu

    def why_barred(self, vm: int, among: Bools) -> list[tuple[str, int]]:
        """Return the hard rules that keep a VM off some candidates, and off how many each."""
        return [] if self.occupancy is None else self.occupancy.why(vm, self.hosts[among])

    def _why_barred(self, vm: int) -> str:
        hosts = self.hosts[~self._closed]
        found = [] if self.occupancy is None else self.occupancy.why(vm, hosts)
        kept = None if self.reserve_book is None else self.reserve_book.barred(vm, hosts)
        if kept is not None and kept.any():
            found = [*found, (RESERVE, int(np.count_nonzero(kept)))]
        return ", ".join(f"{name} {count}" for name, count in found)

    def barred(self, vm: int) -> Bools | None:
        """Return which candidates a hard rule or the reserve keeps from a VM as things stand.

        None where neither does; what rules say of hosts alone is part of :meth:`full`.
        """
        apart = None if self.occupancy is None else self.occupancy.barred(vm, self.hosts)
        kept = None if self.reserve_book is None else self.reserve_book.barred(vm, self.hosts)
        if apart is None or kept is None:
            return kept if apart is None else apart
        return apart | kept

    def has_place(self, vm: int) -> bool:
        """Whether any candidate can take a VM now, rules and reserve included, a veto aside."""
        full = self.full(np.array([vm]))[0]
        barred = self.barred(vm)
        if barred is not None:
            full |= barred
        return self._first_keeping_reserve(vm, np.flatnonzero(~full)) >= 0

    def bound(self, vm: int) -> bool:
        """Whether rules or the reserve make a VM's place depend on other VMs."""
        return self.reserve_book is not None or (
            self.occupancy is not None and self.occupancy.bound(vm)
        )

    def may_sleep(self, host: int) -> bool:
        """Note that a host which has been emptied is to sleep, unless the reserve needs it."""
        return self.reserve_book is None or self.reserve_book.sleep(host)

    def may_take(self, vm: int, position: int) -> bool:
        """Whether a candidate may hold a VM at all, room aside."""
        if self._allowed is not None and not self._allowed[self._row[vm], self._group[position]]:
            return False
        if self._places is not None and not self._places[self._place_class[vm], position]:
            return False
        return self._one_guest is None or not (self._one_guest[position] and self._guests[position])

    def fits(self, vm: int, position: int) -> bool:
        """Whether one candidate has room for one VM, a veto aside."""
        if self._barring and not self.may_take(vm, position):
            return False
        return self._scalars.fits(vm, position)

    def load_at(self, vm: int, position: int) -> tuple[float, float]:
        """Return the load of one candidate without and with one VM, MHz."""
        load_mhz = self._scalars.load_mhz[position]
        return load_mhz, load_mhz + self._scalars.need_mhz[vm]

    def cheapest(self, vm: int, costs: Floats, lowest: int, tie: float) -> int:
        """Return the position of the lowest finite cost that no veto falls on, −1 if none.

        Hosts where the VM breaks soft rules of a lower total price go first. Costs within ``tie``
        of each other go to the lower position; without a veto and soft rules that is ``lowest``.
        """
        penalty = None if self.occupancy is None else self.occupancy.penalty(vm, self.hosts)
        depends_on_placement = (
            self.reserve_book is not None and self.reserve_book.depends_on_placement
        )
        plain = self._veto is None and penalty is None and not depends_on_placement
        if plain or costs[lowest] == np.inf:
            return lowest if costs[lowest] < np.inf else -1
        order = _ranked(costs, penalty, tie)
        if self._veto is None:
            return self._first_keeping_reserve(vm, order)
        asked, step = 0, 1
        while asked < len(order):
            batch = order[asked : asked + step]
            empty = np.array([self._scalars.guests[position] == 0 for position in batch.tolist()])
            allowed = np.flatnonzero(~self._veto(batch, vm) | empty)
            found = self._first_keeping_reserve(vm, batch[allowed])
            if found >= 0:
                return found
            asked += len(batch)
            step *= 4
        return -1

    def _first_keeping_reserve(self, vm: int, positions: Ints) -> int:
        """Return the first position where a VM leaves the reserve whole, −1 if none.

        With a lenient book the first of all, if there is none.
        """
        for position in positions.tolist():
            if self.reserve_book is None or self.reserve_book.keeps(vm, int(self.hosts[position])):
                return int(position)
        lenient = self.reserve_book is not None and self.reserve_book.lenient
        return int(positions[0]) if lenient and len(positions) else -1

    def ranked(self, vm: int, costs: Floats, tie: float) -> Ints:
        """Return all positions of finite cost in the order of :meth:`cheapest`, vetoes aside."""
        penalty = None if self.occupancy is None else self.occupancy.penalty(vm, self.hosts)
        return _ranked(costs, penalty, tie)

    def take(self, vm: int, position: int) -> None:
        """Give a VM room at a candidate; a demand foreseen that is negative makes more room."""
        was = (
            NOWHERE
            if self.occupancy is None
            else self.occupancy.take(vm, int(self.hosts[position]))
        )
        before = (
            -1
            if self.reserve_book is None
            else self.reserve_book.move(vm, int(self.hosts[position]))
        )
        self._journal.append((vm, position, bool(self.sleeping[position]), was, before))
        self._change(vm, position, 1)
        self.sleeping[position] = False
        if self._scalars.frees_capacity(vm):
            self.gained.append(position)

    def _change(self, vm: int, position: int, sign: int) -> None:
        one = self._scalars
        self.changed.add(position)
        self.changes.append(position)
        load_mhz, free_mhz, free_mib = one.change(vm, position, sign)
        self.load_mhz[position], self.free_mhz[position] = load_mhz, free_mhz
        self.memory_free_mib[position] = free_mib
        if self._one_guest is not None:
            self._guests[position] += sign
        self._min_free_mib = min(self._min_free_mib, free_mib)
        if self._signal_mhz is not None:
            self._headroom_mhz[position] = one.change_signal(vm, position, sign)
        if self._on_change is not None:
            self._on_change(position, vm, sign)

    def mark(self) -> int:
        """Return a point to go back to."""
        return len(self._journal)

    def taken_since(self, mark: int) -> dict[int, int]:
        """Return the VMs taken since ``mark``, each with its position."""
        return {vm: position for vm, position, *_ in self._journal[mark:]}

    def undo_to(self, mark: int) -> None:
        """Give back everything taken since ``mark``."""
        while len(self._journal) > mark:
            vm, position, was_asleep, was, before = self._journal.pop()
            self._change(vm, position, -1)
            if self.reserve_book is not None:
                self.reserve_book.move(vm, before)
            if self.occupancy is not None:
                self.occupancy.undo(vm, was)
            self.sleeping[position] = was_asleep

    def take_all(self, vms: Ints, positions: Ints) -> bool:
        """Take room for many VMs at once if all of it is there; otherwise take nothing.

        Meant for a first placement: neither whoever watches for overload nor the rules of the
        farm nor its reserve are asked, so a room with any refuses.
        """
        if self.occupancy is not None or self.reserve_book is not None:
            return False
        count = len(self.hosts)
        need_mhz = np.bincount(positions, weights=self.need_mhz[vms], minlength=count)
        memory_mib = self._memory_need_mib[vms]
        need_mib = np.bincount(positions, weights=memory_mib, minlength=count)
        watched = self._signal_mhz is not None or self._veto is not None
        slow = self._need_per_core_mhz[vms] > self._core_mhz[positions]
        full = (need_mhz - self.tie_mhz > self.free_mhz) | (need_mib > self.memory_free_mib)
        if self._barring:
            guests = self._guests + np.bincount(positions, minlength=count)
            barred = np.zeros(count, bool) if self._one_guest is None else self._one_guest
            full |= barred & (guests > 1)
            if self._allowed is not None:
                slow |= ~self._allowed[self._row[vms], self._group[positions]]
        if watched or slow.any() or full.any():
            return False
        self.load_mhz += need_mhz
        self.free_mhz -= need_mhz
        self.memory_free_mib -= need_mib
        self._min_free_mib = float(self.memory_free_mib.min(initial=np.inf))
        self._guests = self._guests + np.bincount(positions, minlength=count)
        self.sleeping[positions] = False
        self.changes.extend(positions.tolist())
        self._scalars = _Scalars(self)
        return True


def _ranked(costs: Floats, penalty: Floats | None, tie: float) -> Ints:
    """Return the positions of finite costs: by penalty, then by cost, then as they stand."""
    finite = np.flatnonzero(costs < np.inf)
    cost = levels(costs[finite], tie)
    if penalty is None:
        return finite[np.argsort(cost, kind="stable")]
    return finite[np.lexsort((cost, levels(penalty[finite])))]


def _column(values: Floats, few: bool) -> Singles:
    """Return a VM column as a list, which is faster to read, unless few values will be."""
    return singles(values) if few else values.tolist()


class _Scalars:
    """The room's columns once more, as lists: single values are read many times per VM."""

    def __init__(self, candidates: Candidates) -> None:
        self._few, self._tie_mhz = candidates.few, candidates.tie_mhz
        self.need_mhz = _column(candidates.need_mhz, candidates.few)
        self.load_mhz: list[float] = candidates.load_mhz.tolist()
        self.guests: list[int] = candidates._guests.tolist()
        self.closed: list[bool] = [False] * len(candidates.hosts)
        self._free_mhz: list[float] = candidates.free_mhz.tolist()
        self._free_mib: list[float] = candidates.memory_free_mib.tolist()
        self._core_mhz: list[float] = candidates._core_mhz.tolist()
        self._need_per_core_mhz = _column(candidates._need_per_core_mhz, candidates.few)
        self._need_mib = _column(candidates._memory_need_mib, candidates.few)
        self._signal_mhz: Singles | None = None
        self._test_free_mhz: list[float] = []
        self._headroom_mhz: list[float] = []

    def apply_test(self, signal_mhz: Floats, test_free_mhz: Floats, headroom_mhz: Floats) -> None:
        self._signal_mhz = _column(signal_mhz, self._few)
        self._test_free_mhz = test_free_mhz.tolist()
        self._headroom_mhz = headroom_mhz.tolist()

    def fits(self, vm: int, position: int) -> bool:
        return (
            not self.closed[position]
            and self._free_mhz[position] >= self.need_mhz[vm] - self._tie_mhz
            and self._core_mhz[position] >= self._need_per_core_mhz[vm]
            and self._free_mib[position] >= self._need_mib[vm]
            and (
                self._signal_mhz is None
                or self._headroom_mhz[position] >= self._signal_mhz[vm] - self._tie_mhz
            )
        )

    def frees_capacity(self, vm: int) -> bool:
        return self._signal_mhz is not None and self._signal_mhz[vm] < 0

    def change(self, vm: int, position: int, sign: int) -> tuple[float, float, float]:
        need_mhz = sign * self.need_mhz[vm]
        load_mhz = self.load_mhz[position] = self.load_mhz[position] + need_mhz
        free_mhz = self._free_mhz[position] = self._free_mhz[position] - need_mhz
        free_mib = self._free_mib[position] - sign * self._need_mib[vm]
        self._free_mib[position] = free_mib
        self.guests[position] += sign
        return load_mhz, free_mhz, free_mib

    def change_signal(self, vm: int, position: int, sign: int) -> float:
        assert self._signal_mhz is not None
        left_mhz = self._test_free_mhz[position] - sign * self._signal_mhz[vm]
        self._test_free_mhz[position] = left_mhz
        headroom_mhz = left_mhz if self.guests[position] else float("inf")
        self._headroom_mhz[position] = headroom_mhz
        return headroom_mhz
