"""Candidate hosts during placement: which VMs are allowed, and in which order.

A placement takes hosts VM by VM; nothing of it touches the farm. Besides capacity
(:class:`.Capacity`) rules, the reserve, power of racks and an overload test have a say. A test that
is no weighted sum of demand samples is asked about the best hosts only.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, alike
from ...models.base.ties import levels
from ...models.rules.occupancy import Occupancy
from ..interface.reserve_book import NAME as RESERVE
from ..interface.view import FarmView
from .capacity import EVERYWHERE, Capacity, Positions
from .rack_power import NAME as RACK_POWER
from .rack_power import RackPowerLeft

Veto = Callable[[Ints, int], Bools]
"""Given positions of candidates and a VM, which of them would be overloaded by it."""

NOWHERE = (-1, False)

OnChange = Callable[[int, int, int], None]
"""Told position, VM and +1 or −1 whenever a VM comes or goes."""


class Candidates(Capacity):
    """Candidate hosts, ascending by row, with free capacity and allowed VMs.

    ``notes`` and ``memo`` are a placement's own notebooks.

    The public columns, one entry per candidate unless said otherwise, are listed with units in
    :mod:`farmsim.policies.protocol`. A *position* is an index of these columns. Made anew for each
    decision; whatever is taken is forgotten with it.
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
        super().__init__(view, hosts, need_mhz, load_mhz, capacity_mhz, few)
        self.prefer_awake, self.all_or_nothing = prefer_awake, False
        self.notes: dict[str, Floats] = {}
        self.memo: dict[str, Any] = {}
        self._group = view.hosts.group[hosts]
        self._row, self._allowed = view.destinations()
        self._places: Bools | None = None
        self.occupancy: Occupancy | None = None
        if view.rules is not None:
            self.occupancy = Occupancy(view.rules, view.vms.host, view.vms.moving_to, view.vms.size)
            self._places = view.rules.places[:, hosts]
            self._place_class = view.rules.place_class
        self.reserve_book = view.reserve_book()
        self._racks: RackPowerLeft | None = None
        if view.rack_limit_w is not None:
            self._racks = RackPowerLeft(view, hosts, self.power, lambda: self.load_mhz)
        self._one_guest = None if view.one_guest is None else view.one_guest[hosts]
        bars = (self._allowed, self._one_guest, self._places)
        self._barring = any(bar is not None for bar in bars)
        self._veto: Veto | None = None
        self.forgets = True
        self._on_change: OnChange | None = None
        self._before: list[tuple[tuple[int, bool], int]] = []
        """Of each VM taken: its place by the rules and by the reserve before."""

    def apply_test(self, veto: Veto, on_change: OnChange, forgets: bool = False) -> None:
        """Apply any overload test, on hosts that have guests.

        ``veto`` gets positions (n,) and a VM row and returns (n,) booleans; it is asked for the
        cheapest hosts only. ``on_change`` keeps the test informed of what is taken and given back;
        ``forgets`` says that it is as before then.
        """
        self._veto, self._on_change, self.forgets = veto, on_change, forgets

    @property
    def vetoed(self) -> bool:
        """Whether an overload test may pass over the cheapest candidate."""
        return self._veto is not None

    def full(self, vms: Ints, at: Positions = EVERYWHERE) -> Bools:
        """Return which of some candidates cannot take each VM: (VMs, candidates).

        They lack capacity, or may not hold it whatever VMs are there.
        """
        full = super().full(vms, at)
        if self._allowed is not None:
            full |= ~self._allowed[self._row[vms]][:, self._group[at]]
        if self._one_guest is not None:
            full |= self._one_guest[at] & (self._guests[at] > 0)
        if self._places is not None:
            full |= ~self._places[self._place_class[vms]][:, at]
        return full

    def kinds(self) -> Ints:
        """Return a number per VM of the farm, equal for VMs that fit on the same hosts.

        VMs of a kind need the same of everything, so they also cost the same.
        """
        needs = [self.need_mhz, self._need_per_core_mhz, self._need_mib]
        if self._signal_mhz is not None:
            needs.append(self._signal_mhz)
        if self._allowed is not None:
            needs.append(self._row.astype(np.float64))
        if self._places is not None:
            needs.append(self._place_class.astype(np.float64))
        return alike(np.column_stack(needs))

    def why_full(self, vm: int, together: bool = False) -> tuple[int, int, int, int, str]:
        """Return how many open candidates lack CPU, memory, headroom, or may not take the VM.

        Each is counted once: under what bars it, else CPU, else memory, else headroom. Those that
        have room for the VM but not for all that are placed ``together`` with it are excluded. Last
        stand the rules that bar it, with the number of hosts that each does.
        """
        may = self.may_hold(vm)
        apart = self.barred(vm)
        if apart is not None:
            may &= ~apart
        barred = ~self._closed & ~may
        no_memory, cpu = self.lacking_resources(vm)
        cpu &= may
        memory = may & ~cpu & no_memory
        vetoed = may & ~cpu & ~memory
        if together:
            barred |= vetoed
            vetoed &= False
        counts = int(cpu.sum()), int(memory.sum()), int(vetoed.sum()), int(barred.sum())
        return *counts, self._why_barred(vm)

    def may_hold(self, vm: int) -> Bools:
        """Return which open candidates are allowed for a VM, regardless of capacity.

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

    def why_barred(self, vm: int, among: Bools) -> list[tuple[str, int]]:
        """Return the hard rules that keep a VM off some candidates, and off how many each."""
        return [] if self.occupancy is None else self.occupancy.why(vm, self.hosts[among])

    def _why_barred(self, vm: int) -> str:
        hosts = self.hosts[~self._closed]
        found = [] if self.occupancy is None else self.occupancy.why(vm, hosts)
        kept = None if self.reserve_book is None else self.reserve_book.barred(vm, hosts)
        if kept is not None and kept.any():
            found = [*found, (RESERVE, int(np.count_nonzero(kept)))]
        over = self.over_rack_power(vm)
        if over is not None:
            found = [*found, (RACK_POWER, int(np.count_nonzero(over & ~self._closed)))]
        return ", ".join(f"{name} {count}" for name, count in found)

    def barred(self, vm: int) -> Bools | None:
        """Return which candidates rules, the reserve or power of racks keep from a VM now.

        None where nothing does; what rules say of hosts alone is part of :meth:`full`.
        """
        apart = None if self.occupancy is None else self.occupancy.barred(vm, self.hosts)
        kept = None if self.reserve_book is None else self.reserve_book.barred(vm, self.hosts)
        over = self.over_rack_power(vm)
        bars = [each for each in (apart, kept, over) if each is not None]
        return np.logical_or.reduce(bars) if bars else None

    def over_rack_power(self, vm: int) -> Bools | None:
        """Return on which candidates a VM would lift the rack above its limit, None: on none."""
        return None if self._racks is None else self._racks.barred(float(self.need_mhz[vm]))

    def has_place(self, vm: int) -> bool:
        """Whether any candidate can take a VM now, rules and reserve included, a veto aside."""
        full = self.full(np.array([vm]))[0]
        barred = self.barred(vm)
        if barred is not None:
            full |= barred
        return self._first_keeping_reserve(vm, np.flatnonzero(~full)) >= 0

    def bound(self, vm: int) -> bool:
        """Whether rules or the reserve make a VM's place depend on other VMs."""
        return (
            self.reserve_book is not None
            or self._racks is not None
            or (self.occupancy is not None and self.occupancy.bound(vm))
        )

    def may_sleep(self, host: int) -> bool:
        """Note that a host which has been emptied is to sleep, unless the reserve needs it."""
        return self.reserve_book is None or self.reserve_book.sleep(host)

    def may_take(self, vm: int, position: int) -> bool:
        """Whether a candidate is allowed for a VM, regardless of capacity."""
        if self._allowed is not None and not self._allowed[self._row[vm], self._group[position]]:
            return False
        if self._places is not None and not self._places[self._place_class[vm], position]:
            return False
        return self._one_guest is None or not (self._one_guest[position] and self._guests[position])

    def fits(self, vm: int, position: int) -> bool:
        """Whether one candidate has capacity for one VM, a veto aside."""
        if self._barring and not self.may_take(vm, position):
            return False
        return self._scalars.fits(vm, position)

    def cheapest(self, vm: int, costs: Floats, lowest: int, tie: float) -> int:
        """Return the position of the lowest finite cost that no veto falls on, −1 if none.

        Hosts where the VM breaks soft rules of a lower total price go first. Costs within ``tie``
        of each other go to the lower position; without a veto and soft rules that is ``lowest``.

        ``costs``, (candidates,), in the unit of the placement, are inf where the VM has no room;
        ``lowest`` is the position of their minimum.
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
        """Return all positions of finite cost in the order of :meth:`cheapest`, vetoes aside.

        ``costs`` is (candidates,), ``tie`` in the unit of the costs.
        """
        penalty = None if self.occupancy is None else self.occupancy.penalty(vm, self.hosts)
        return _ranked(costs, penalty, tie)

    def take(self, vm: int, position: int) -> None:
        """Place a VM on a candidate; a negative forecast demand increases its free capacity.

        Room is not checked: ask :meth:`fits` or :meth:`full` before.
        """
        host, occupancy, book = int(self.hosts[position]), self.occupancy, self.reserve_book
        place = NOWHERE if occupancy is None else occupancy.take(vm, host)
        self._before.append((place, -1 if book is None else book.move(vm, host)))
        super().take(vm, position)
        if self._racks is not None:
            self._racks.take(position)
        self._tell(vm, position, 1)

    def _tell(self, vm: int, position: int, sign: int) -> None:
        if self._one_guest is not None:
            self._guests[position] += sign
        if self._on_change is not None:
            self._on_change(position, vm, sign)

    def undo_to(self, mark: int) -> None:
        """Give back everything taken since ``mark``."""
        taken = zip(self._journal[mark:], self._before[mark:], strict=True)
        for (vm, position, _), (place, host) in reversed(list(taken)):
            self._tell(vm, position, -1)
            if self._racks is not None:
                self._racks.give_back()
            if self.reserve_book is not None:
                self.reserve_book.move(vm, host)
            if self.occupancy is not None:
                self.occupancy.undo(vm, place)
        del self._before[mark:]
        super().undo_to(mark)

    def take_all(self, vms: Ints, positions: Ints) -> bool:
        """Place many VMs at once if all fit; otherwise place none.

        Meant for a first placement: no overload test, rule, reserve or limit of racks is asked,
        so where there are any nothing is taken.
        """
        if self.occupancy is not None or self.reserve_book is not None or self.vetoed:
            return False
        if self._racks is not None:
            return False
        if self._one_guest is not None:
            guests = self._guests + np.bincount(positions, minlength=len(self.hosts))
            if np.any(self._one_guest & (guests > 1)):
                return False
        allowed = self._allowed
        if allowed is not None and not allowed[self._row[vms], self._group[positions]].all():
            return False
        return super().take_all(vms, positions)


def _ranked(costs: Floats, penalty: Floats | None, tie: float) -> Ints:
    """Return the positions of finite costs: by penalty, then by cost, then as they stand."""
    finite = np.flatnonzero(costs < np.inf)
    cost = levels(costs[finite], tie)
    if penalty is None:
        return finite[np.argsort(cost, kind="stable")]
    return finite[np.lexsort((cost, levels(penalty[finite])))]
