"""Stretches of a run in which only demand changes, many slots at a time.

The engine's metronome goes from beat to beat. Up to the next event of the clock the beats ahead are
known, and where nothing but demand can change at them, all their slots are handed to the farm at
once (:mod:`..models.farm.slot_batch`). What is recorded of a beat is the same to the last bit.
"""

from collections.abc import Callable
from itertools import islice

import numpy as np

from ..models.base.arrays import Floats, Ints
from ..models.farm.farm import Farm
from ..models.farm.slot_batch import Instants, SlotBatch
from ..models.workload.demand import Demand
from ..policies.control.control import EventDrivenPolicy
from .base.clock import Beats, Clock
from .decisions import Decisions
from .lifecycle.lifecycle import Lifecycle
from .records.accounts import Accounts
from .records.recorder import Recorder
from .setup import EngineSetup

FEWEST_SLOTS, MOST_SLOTS = 6, 512
"""Slots of a batch: fewer cost more than one by one where guests have to be listed anew."""
VM_SLOTS = 2_000_000
"""VMs times slots of a batch at the most, for the memory that it takes."""

Beat = tuple[float, list[bool]]


class SlotBatches:
    """Plays the beats ahead for as long as only demand changes."""

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        demand: Demand,
        setup: EngineSetup,
        accounts: Accounts,
        recorder: Recorder,
        lifecycle: Lifecycle,
        decisions: Decisions,
    ) -> None:
        self._clock, self._farm, self._demand = clock, farm, demand
        self._bounds, self._recorder = accounts.bounds, recorder
        self._lifecycle, self._decisions = lifecycle, decisions
        self._most_slots = min(max(VM_SLOTS // max(len(farm.vms), 1), 8), MOST_SLOTS)
        control = setup.control
        self._possible = (
            setup.elasticity is None
            and not setup.reserve
            and not control.samples
            and not isinstance(control, EventDrivenPolicy)
        )

    def play(self, now_s: float, ahead: Beats, progress: Callable[[float], None]) -> None:
        """Play beats up to the next event of the clock, once a slot has begun at ``now_s``.

        ``progress`` is told the time at each of them.
        """
        while self._fits(now_s):
            beats = self._next(ahead)
            if len([now_s for now_s, (begun, *_) in beats if begun]) < FEWEST_SLOTS:
                return
            self._play(now_s, beats, progress)
            now_s = beats[-1][0]
            for _ in islice(ahead, len(beats)):
                pass

    def _fits(self, now_s: float) -> bool:
        return (
            self._possible
            and not len(self._lifecycle.waiting)
            and self._farm.slot_batches.fits(now_s)
            and self._bounds.unchanged()
        )

    def _next(self, ahead: Beats) -> list[Beat]:
        """Return the next beats at which only demand changes, at the last of which it does."""
        event_s, rests = self._clock.peek(), self._decisions.rests()
        found: list[Beat] = []
        last = slots = 0
        for now_s, due in ahead.ahead():
            demand, _, control, _ = due
            if now_s >= event_s or (control and not rests):
                break
            if demand and self._demand.has_ended(self._slot(now_s)):
                break
            found.append((now_s, due))
            if demand:
                slots, last = slots + 1, len(found)
            if slots == self._most_slots:
                break
        return found[:last]

    def _slot(self, now_s: float) -> int:
        return round(now_s / self._demand.step_s)

    def _play(self, now_s: float, beats: list[Beat], progress: Callable[[float], None]) -> None:
        settled = [(end_s, due[0]) for end_s, due in beats if due[0] or due[3]]
        ends_s, begins = zip(*settled, strict=True)
        slots = [self._slot(end_s) for end_s, begun in settled if begun]
        demand = self._demand.batch(range(slots[0], slots[-1] + 1))
        instants, record = Instants(now_s, ends_s, begins), self._lifecycle.record
        batch = self._farm.slot_batches.make(demand, instants, self._bounds.running)
        at, missed_mhz_s = self._missed(batch)
        missing = record.missing
        missing_mhz = demand.of(missing)
        number = slot = 0
        for end_s, (begun, _, control, sample) in beats:
            if begun or sample:
                batch.settle(number)
                number += 1
            if begun:
                missed = None if missed_mhz_s is None else missed_mhz_s[slot]
                self._bounds.note_worked(end_s, batch.worked_mhz_s[slot], at, missed)
                record.note_missing_demand(missing, missing_mhz[slot], end_s)
                batch.begin(end_s)
                self._recorder.note_step(end_s)
                slot += 1
            if control:
                self._decisions.rounds += 1
            if sample:
                self._recorder.sample(end_s)
                self._recorder.note_population(end_s, self._lifecycle.count())
            progress(end_s)
        self._demand.advance(slots[-1])
        batch.finish(self._demand.now_mhz)
        self._bounds.mark()

    def _missed(self, batch: SlotBatch) -> tuple[Ints, Floats | None]:
        """Return the places, among the VMs that run, of those that may miss something, and what."""
        running, watched, missed_mhz_s = self._bounds.running, batch.watched, batch.missed_mhz_s
        if missed_mhz_s is None or isinstance(running, slice):
            return watched, missed_mhz_s
        place = np.full(len(self._farm.vms), -1, np.int64)
        place[running] = np.arange(len(running))
        run = np.flatnonzero(place[watched] >= 0)
        return place[watched[run]], missed_mhz_s[:, run]
