"""Records of applications: decisions, when they took effect, and shortages."""

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.workload.application import ApplicationAccount, Flow, beyond
from ..base.log import Column, Log, Words

GROWING = ("out", "up")
"""Kinds of decisions for more capacity; the others are ``in`` and ``down``."""


@dataclass
class Decision:
    """One change of the desired members; ``ready_s`` is NaN until their capacity is available.

    ``shortage_s`` is for how long the load had then been beyond the capacity.
    """

    time_s: float
    application: int
    decision: str
    members: tuple[int, int]
    sizes: tuple[str, str]
    rule: str
    measured: float
    limit: float
    wanted_mhz: float
    ready_s: float = np.nan
    shortage_s: float = 0.0


@dataclass(frozen=True)
class _Instant:
    """Load and capacity per application after an instant, and work missed until then."""

    load_mhz: Floats
    capacity_mhz: Floats
    short: Bools
    missed_mhz_s: Floats

    @classmethod
    def initial(cls, applications: int) -> "_Instant":
        nothing = np.zeros(applications)
        return cls(nothing, nothing, np.zeros(applications, bool), nothing)

    def ended_by(self, after: "_Instant", application: int) -> str:
        """Say what ended a shortage between this instant and another.

        What would have ended it by itself; both where each would have, or neither.
        """
        load, capacity = after.load_mhz, after.capacity_mhz
        fell = not beyond(load, self.capacity_mhz)[application]
        came = not beyond(self.load_mhz, capacity)[application]
        if fell != came:
            return "the load fell" if fell else "capacity was added"
        return "the load fell and capacity was added"


class ScalingRecord:
    """Collects decisions, shortages, and load and capacity over time.

    ``account`` holds load, capacity and missed work per application as rates (MHz) and integrals
    (MHz s). ``words`` are those of the recorder, whose numbers the tables use.
    """

    def __init__(self, applications: int, words: Words) -> None:
        self.account = ApplicationAccount(applications)
        self._words = words
        self._decisions: list[Decision] = []
        self._open: list[list[Decision]] = [[] for _ in range(applications)]
        self._shortage_since_s = np.full(applications, np.nan)
        self._missed_before = np.zeros(applications)
        self._now_s = 0.0
        self._now = _Instant.initial(applications)
        self._before = self._now
        self._shortages = Log(
            {"application": int, "start_s": float, "end_s": float, "missed_mhz_s": float,
             "ended_by": int}
        )  # fmt: skip
        self._series = Log(
            {"time_s": float, "application": int, "load_mhz_s": float, "missed_mhz_s": float,
             "capacity_mhz_s": float, "running": int, "starting": int, "wanted": int}
        )  # fmt: skip

    def note_decision(self, decision: Decision) -> None:
        """Keep a decision; those before it that wanted more are given up.

        Of one that wants less than there is nothing has to come.
        """
        waiting = self._open[decision.application]
        kept = [each for each in waiting if each.wanted_mhz <= decision.wanted_mhz]
        grows = decision.decision in GROWING
        self._open[decision.application] = [*kept, decision] if grows else kept
        self._decisions.append(decision)

    def note_capacity(self, now_s: float) -> None:
        """Look at load and capacity as they are now; everything must be settled.

        Only what an instant leaves counts: a load that rises and the members that come for it at
        the same instant make no shortage.
        """
        if now_s > self._now_s:
            self._judge()
            self._now_s = now_s
        rates = self.account.rates
        load_mhz, capacity_mhz = rates[Flow.LOAD].copy(), rates[Flow.CAPACITY].copy()
        self._now = _Instant(
            load_mhz, capacity_mhz, rates[Flow.SHORTAGE] > 0, self._missed().copy()
        )
        for application, waiting in enumerate(self._open):
            if waiting:
                self._note_ready(application, float(rates[Flow.CAPACITY, application]), now_s)

    def _judge(self) -> None:
        """Begin and end shortages by what the last instant left."""
        short, was = self._now.short, ~np.isnan(self._shortage_since_s)
        for application in np.flatnonzero(was & ~short).tolist():
            why = self._before.ended_by(self._now, application)
            self._close(np.array([application]), self._now_s, why, self._now.missed_mhz_s)
        begun = np.flatnonzero(short & ~was)
        self._shortage_since_s[begun] = self._now_s
        self._missed_before[begun] = self._now.missed_mhz_s[begun]
        self._before = self._now

    def sample(self, now_s: float, running: Ints, starting: Ints, wanted: Ints) -> None:
        """Record all integrals and counts so far; everything must be settled.

        ``running``, ``starting`` and ``wanted`` are counts of members, (applications,).
        """
        totals = self.account.totals.copy()
        self._series.add(
            len(wanted),
            time_s=now_s,
            application=np.arange(len(wanted)),
            load_mhz_s=totals[Flow.LOAD],
            missed_mhz_s=totals[Flow.MISSED],
            capacity_mhz_s=totals[Flow.CAPACITY],
            running=running,
            starting=starting,
            wanted=wanted.copy(),
        )

    def close(self, end_s: float) -> None:
        """End what is still short at the end of the run."""
        if end_s > self._now_s:
            self._judge()
        still = np.flatnonzero(~np.isnan(self._shortage_since_s))
        if len(still):
            self._close(still, end_s, "the run ended", self._missed())

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return the raw tables by name.

        ``scaling`` has one row per decision, ``shortages`` one per period in which the load was
        beyond the capacity of the members, ``application_series`` one per sample and application.
        """
        return {
            "scaling": self._decision_columns(),
            "shortages": self._shortages.columns(),
            "application_series": self._series.columns(),
        }

    def _note_ready(self, application: int, capacity_mhz: float, now_s: float) -> None:
        waiting = []
        since_s = float(self._shortage_since_s[application])
        for decision in self._open[application]:
            if decision.wanted_mhz > capacity_mhz * (1 + 1e-9):
                waiting.append(decision)
                continue
            decision.ready_s = now_s
            decision.shortage_s = 0.0 if np.isnan(since_s) else now_s - since_s
        self._open[application] = waiting

    def _close(self, applications: Ints, now_s: float, why: str, missed_mhz_s: Floats) -> None:
        missed = missed_mhz_s[applications] - self._missed_before[applications]
        self._shortages.add(
            len(applications),
            application=applications,
            start_s=self._shortage_since_s[applications],
            end_s=now_s,
            missed_mhz_s=missed,
            ended_by=self._words(why),
        )
        self._shortage_since_s[applications] = np.nan

    def _missed(self) -> Floats:
        missed: Floats = self.account.totals[Flow.MISSED]
        return missed

    def _decision_columns(self) -> dict[str, Column]:
        made, words = self._decisions, self._words
        return {
            "time_s": np.array([each.time_s for each in made], np.float64),
            "application": np.array([each.application for each in made], np.int64),
            "decision": np.array([words(each.decision) for each in made], np.int64),
            "from_members": np.array([each.members[0] for each in made], np.int64),
            "to_members": np.array([each.members[1] for each in made], np.int64),
            "from_size": np.array([words(each.sizes[0]) for each in made], np.int64),
            "to_size": np.array([words(each.sizes[1]) for each in made], np.int64),
            "rule": np.array([words(each.rule) for each in made], np.int64),
            "measured": np.array([each.measured for each in made], np.float64),
            "limit": np.array([each.limit for each in made], np.float64),
            "ready_s": np.array([each.ready_s for each in made], np.float64),
            "shortage_s": np.array([each.shortage_s for each in made], np.float64),
        }
