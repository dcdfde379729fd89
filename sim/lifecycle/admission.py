"""Waiting for a host: how many may, for how long, and what becomes of those turned away."""

from collections.abc import Callable

import numpy as np
from simpy.events import EventPriority

from ...models.base.arrays import Bools, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.farm.farm import Farm
from ...models.state.columns import VmState
from ...policies.interface.plan import Search
from ...policies.interface.reserve_book import NAME as RESERVE
from ...policies.placement.placement import Placed
from ..base.clock import ARRIVAL, Clock, DueRows
from .few_lives import FEW
from .life_record import LifeRecord
from .setup import Admission, LifecycleSetup
from .waiting_queue import WaitingQueue, serve

LEAVE = EventPriority(1)
"""Priority of departures, and of all that ends a wait."""


@dataclass(frozen=True)
class VmKinds:
    """What is known of VMs before a host is looked for.

    ``kind`` is the same for VMs that fit where the other fits, one entry per VM; ``size_fits``
    whether some host, empty and whole, has room for a VM of a size.

    Shapes are (vms,) and (sizes,). VMs of one kind are interchangeable for a search: where one
    finds no host, none of the others is tried.
    """

    kind: Ints
    size_fits: Bools


class AdmissionQueue:
    """The VMs that wait for a host, with what their searches have shown.

    ``ask`` asks again for VMs that had been turned away for now. ``searches`` has the last search
    of each VM that found no host; ``longest`` is how many VMs waited at once at the most.
    """

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        setup: LifecycleSetup,
        kinds: VmKinds,
        record: LifeRecord,
        ask: Callable[[Ints], None],
    ) -> None:
        self.searches: dict[int, Search] = {}
        self.longest = 0
        self._clock, self._farm, self._record = clock, farm, record
        self._rule: Admission = setup.admission
        self._priority, self._size_fits = setup.population.priority, kinds.size_fits
        self._queue = WaitingQueue(kinds.kind, self._priority)
        count = len(farm.vms)
        self._tries = np.zeros(count, np.int64)
        self._timeouts = DueRows(clock, count, self._time_out, LEAVE)
        self._retries = DueRows(clock, count, ask, ARRIVAL)

    def __len__(self) -> int:
        return len(self._queue)

    def request(self, vms: Ints) -> Ints:
        """Let absent VMs wait for a host; return those that one of the farm could ever hold.

        ``vms`` are rows of VMs in state ``ABSENT``; those that no host could ever hold are rejected
        at once, without retries.
        """
        self._retries.cancel(vms)
        rows = vms.tolist()
        if len(rows) <= FEW and self._farm.few_vms.request(rows):
            self._record.note_few_asked(rows)
        else:
            self._farm.request(vms)
            self._record.note_asked(vms)
        fits = self._size_fits[self._farm.vms.size[vms]]
        if not fits.all():
            self._record.note_waiting(vms[~fits])
            self._reject(vms[~fits], "does not fit on any host of the farm")
        return vms[fits]

    def comes_behind(self, vms: Ints) -> Bools:
        """Return which VMs come behind others of their kind that wait."""
        return self._queue.holds_kind_of(vms)

    def enter(self, vms: Ints) -> None:
        """Let VMs that found no host wait as far as the queue has places; turn others away.

        Those of higher priority get the places first. VMs turned away are asked for again later or
        are rejected, as the admission rule says.
        """
        order = np.argsort(-self._priority[vms], kind="stable")
        places = len(vms)
        if self._rule.queue is not None:
            places = max(self._rule.queue - len(self._queue), 0)
        kept, turned_away = vms[order[:places]], vms[order[places:]]
        if len(kept):
            self._queue.add(kept)
            for_failures = self._kept_off_by_reserve(kept)
            self._record.note(kept[~for_failures], "queued")
            self._record.note(kept[for_failures], f"queued: would break {RESERVE}")
            self._timeouts.enter(kept, np.full(len(kept), self._clock.now + self._rule.patience_s))
        if len(turned_away):
            self._reject_request(
                turned_away, "the queue is full" if self._rule.queue else "no host has capacity"
            )

    def enter_first(self, vms: Ints) -> None:
        """Let VMs that a failure took off their hosts wait, before all that are not restarts."""
        self._queue.add(vms, first=True)
        self._record.note(vms, "to be restarted")

    def note_length(self) -> None:
        """Note how many wait now."""
        self.longest = max(self.longest, len(self._queue))

    def note_search(self, vms: Ints, placed: Placed) -> None:
        """Keep how VMs were searched that found no host."""
        for vm, search in zip(vms.tolist(), placed.searches, strict=True):
            self.searches[vm] = search

    def serve(
        self, place: Callable[[Ints], Ints], in_vain: Callable[[list[int]], list[Search]]
    ) -> None:
        """Place those who wait as far as there is room, in the order of the queue.

        ``in_vain`` returns the searches for VMs of which it is known that none finds a host.
        """

        def note(vms: list[int]) -> bool:
            searches = in_vain(vms)
            self.searches.update(zip(vms, searches, strict=False))
            return bool(searches)

        if len(self._queue):
            serve(self._queue, place, note)

    def leave(self, vms: Ints) -> None:
        """Take VMs out that have a host."""
        if len(self._queue):
            self._queue.remove(vms)
            self._timeouts.cancel(vms)
        for vm in vms.tolist() if self.searches else ():
            self.searches.pop(vm, None)

    def forget(self, vms: Ints, state: int) -> None:
        """Take VMs without a host out that nobody asks for any more.

        ``state`` is the state that they get, ``ABSENT`` or ``FINISHED``.
        """
        if len(vms):
            self._queue.remove(vms)
            self._farm.leave_waiting(vms, state)
            self._timeouts.cancel(vms)

    def close(self) -> None:
        """Say for all who wait what hosts lack, as the last of their kind was searched."""
        waiting = self._queue.waiting().tolist()
        found = {self._queue.kind(vm): self.searches[vm] for vm in waiting if vm in self.searches}
        for vm in waiting:
            if self._queue.kind(vm) in found:
                self.searches[vm] = found[self._queue.kind(vm)]

    def _kept_off_by_reserve(self, vms: Ints) -> Bools:
        rules = [self.searches[vm].rules if vm in self.searches else "" for vm in vms.tolist()]
        return np.array([RESERVE in each for each in rules], bool)

    def _time_out(self, vms: Ints) -> None:
        self._queue.remove(vms)
        self._reject_request(vms, "waited too long")

    def _reject_request(self, vms: Ints, why: str) -> None:
        """Ask for VMs again later, as often as the rule says; reject the others."""
        again = self._tries[vms] < self._rule.retries
        self._tries[vms] += 1
        back, gone = vms[again], vms[~again]
        if len(back):
            self._farm.leave_waiting(back, VmState.ABSENT)
            self._record.note(back, f"turned away for now: {why}")
            self._retries.enter(back, np.full(len(back), self._clock.now + self._rule.retry_s))
        if len(gone):
            self._reject(gone, why)

    def _reject(self, vms: Ints, why: str) -> None:
        self._farm.leave_waiting(vms, VmState.REJECTED)
        self._record.note_rejected(vms)
        self._record.note(vms, f"rejected: {why}")
