"""Limit how hosts are powered down, and wake hosts ahead of load, for every control policy."""

from dataclasses import field, replace
from typing import ClassVar, Literal

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ...models.hardware.sleep_states import SLEEP_STATES
from ...models.state.columns import PowerState
from ..interface.plan import Plan
from ..interface.view import FarmView
from ..scaling.forecast import Forecaster, LastValue, peak_ahead, samples_of

DAY_S = 86_400.0
KEPT, YOUNG, BUSY, WORN, FORESEEN = (
    "keep_awake",
    "awake_for",
    "idle_for",
    "cycles_per_day",
    "wake_ahead",
)


@dataclass(frozen=True)
class PowerManagement:
    """How hosts are powered down, and limits that every control policy must respect.

    A host that a policy wants at rest stays awake where a limit says so, and the refusal is
    recorded with the name of the limit; VMs that were to leave it for that stay where they are.
    How long a host has been without VMs, and how often it was put to rest, is what control rounds
    saw of it, so these times count from the round that first saw a change, never too short.
    """

    FORMER_FIELDS: ClassVar = {"fill": "max_utilisation"}

    sleep: Literal["off", "hibernate", "suspend_to_ram", "standby"] = parameter(
        "Sleep state of hosts that are powered down; hosts without that state are switched off.",
        "off",
    )
    keep_awake: int = parameter(
        "Minimum number of hosts that stay on, with or without VMs.", 0, ge=0
    )
    keep_share: float = parameter(
        "Minimum share of the hosts that stay on; the larger of the two counts.",
        0.0,
        key="keep_awake_share",
        dimension="share",
        ge=0,
        le=1,
    )
    awake_s: float = parameter(
        "Minimum time that a host stays on after it has booted.",
        0.0,
        key="awake_for",
        dimension="time",
        ge=0,
    )
    idle_s: float = parameter(
        "Time without VMs before a host is powered down; a host that a policy evacuates is "
        "powered down as soon as it is empty.",
        0.0,
        key="idle_for",
        dimension="time",
        ge=0,
    )
    cycles: int = parameter(
        "Maximum number of times a host is powered down within 24 hours; 0: unlimited.",
        0,
        key="cycles_per_day",
        ge=0,
        le=1000,
    )
    ahead_s: float = parameter(
        "How long before the forecast load hosts are woken; 0 s: never.",
        0.0,
        key="wake_ahead",
        dimension="time",
        ge=0,
    )
    forecast: Forecaster = parameter(
        "Forecast of the farm's load for `wake_ahead`.", LastValue(), slot="forecast"
    )
    max_utilisation: float = parameter(
        "Maximum utilisation of the hosts that are on under the forecast load.",
        0.8,
        dimension="share",
        gt=0,
        le=1,
    )

    @property
    def sleep_state(self) -> int:
        """Number of the sleep state, a row of ``SLEEP_STATES``."""
        return SLEEP_STATES.index(self.sleep)

    def awake_at_start(self, used: Bools) -> Bools:
        """Return which hosts are on at time 0: those in use, and the minimum number."""
        awake: Bools = used.copy()
        missing = self.kept(len(used)) - int(np.count_nonzero(used))
        awake[np.flatnonzero(~used)[: max(missing, 0)]] = True
        return awake

    def kept(self, hosts: int) -> int:
        """Return how many of a number of hosts are always on."""
        return min(max(self.keep_awake, int(np.ceil(self.keep_share * hosts - 1e-9))), hosts)

    @property
    def limits(self) -> bool:
        """Whether any limit keeps hosts on or wakes them."""
        times_s = self.awake_s + self.idle_s + self.ahead_s
        return bool(self.keep_awake or self.keep_share or self.cycles or times_s)

    def within_limits(self, view: FarmView, plan: Plan) -> Plan:
        """Return a plan without the sleeps that break a limit, and with the wakes that are due."""
        if not self.limits:
            return plan
        past = view.state(self, lambda: _Past(len(view.hosts), self.cycles))
        past.look(view)
        needed_mhz = self._needed_mhz(view, past)
        plan = plan if plan.ordered else self._restrained(view, plan, past, needed_mhz)
        return self._woken(view, plan, needed_mhz)

    def _needed_mhz(self, view: FarmView, past: "_Past") -> float:
        """Return the capacity required for the forecast load, MHz."""
        if not self.ahead_s:
            return 0.0
        past.note_load(view)
        step_s = past.step_s or self.ahead_s
        history = np.array(past.load_mhz)[-samples_of(self.forecast, step_s) :, None]
        return (
            float(peak_ahead(self.forecast, history, step_s, self.ahead_s)[0])
            / self.max_utilisation
        )

    def _restrained(self, view: FarmView, plan: Plan, past: "_Past", needed_mhz: float) -> Plan:
        on = view.hosts.state == PowerState.ON
        filled = view.hosts.vm_count > 0
        # Empty hosts first: where not all may rest, nobody has to move.
        wanted = sorted((host for host in plan.sleeps if on[host]), key=filled.__getitem__)
        asked = np.array(wanted, np.int64)
        stopped = self._stopped(view, past, asked)
        awake = view.awake()
        spare = int(np.count_nonzero(awake)) - self.kept(len(awake))
        spare_mhz = float(view.hosts.cpu_mhz[awake].sum()) - needed_mhz
        sleeps: list[int] = []
        kept: set[int] = set()
        for host, why in zip(asked.tolist(), stopped, strict=True):
            cpu_mhz = float(view.hosts.cpu_mhz[host])
            limit = why
            if not limit and spare < 1:
                limit = KEPT
            elif not limit and self.ahead_s and spare_mhz < cpu_mhz:
                limit = FORESEEN
            if limit:
                kept.add(host)
                past.say(host, limit)
                continue
            sleeps.append(host)
            spare, spare_mhz = spare - 1, spare_mhz - cpu_mhz
        proposals = [
            each._replace(superseded=True) if each.source in kept else each
            for each in plan.proposals
        ]
        return replace(plan, proposals=proposals, sleeps=sleeps, refusals=past.fresh())

    def _stopped(self, view: FarmView, past: "_Past", hosts: Ints) -> list[str]:
        """Return the limit that keeps each host on; empty for none."""
        now_s = view.now_s
        stopped = np.full(len(hosts), "", object)
        if self.cycles:
            stopped[past.sleeps_s[0, hosts] > now_s - DAY_S] = WORN
        if self.idle_s:
            short = now_s - past.idle_since_s[hosts] < self.idle_s
            stopped[short & (view.hosts.vm_count[hosts] == 0)] = BUSY
        if self.awake_s:
            stopped[now_s - view.hosts.booted_s[hosts] < self.awake_s] = YOUNG
        found: list[str] = stopped.tolist()
        return found

    def _woken(self, view: FarmView, plan: Plan, needed_mhz: float) -> Plan:
        """Add hosts to wake, lowest rows first, until the required number and capacity are on."""
        awake = view.awake()
        awake[plan.sleeps] = False
        sleeping = view.sleeping()
        coming = [p.target for p in plan.proposals if p.target >= 0 and not p.superseded]
        for host in {*coming, *plan.wakes}:
            awake[host] |= sleeping[host]
            sleeping[host] = False
        missing = self.kept(len(awake)) - int(np.count_nonzero(awake))
        missing_mhz = needed_mhz - float(view.hosts.cpu_mhz[awake].sum())
        if missing <= 0 and missing_mhz <= 0:
            return plan
        rows = np.flatnonzero(sleeping)
        behind_mhz = np.cumsum(view.hosts.cpu_mhz[rows]) - view.hosts.cpu_mhz[rows]
        due = (np.arange(len(rows)) < missing) | (behind_mhz < missing_mhz)
        wakes = [*plan.wakes, *rows[due].tolist()]
        return replace(plan, wakes=wakes, wake_reason=FORESEEN if missing <= 0 else KEPT)


@dataclass
class _Past:
    """What control rounds have seen of hosts; times in s, −inf for never."""

    hosts: int
    cycles: int
    load_mhz: list[float] = field(default_factory=list)
    step_s: float = 0.0

    def __post_init__(self) -> None:
        self.idle_since_s = np.zeros(self.hosts)
        self.sleeps_s: Floats = np.full((max(self.cycles, 1), self.hosts), -np.inf)
        self._vm_s = np.zeros(self.hosts)
        self._boots = np.zeros(self.hosts, np.int64)
        self._stops = np.zeros(self.hosts, np.int64)
        self._reported: dict[int, str] = {}
        self._now: dict[int, str] = {}
        self._load_s = 0.0

    def look(self, view: FarmView) -> None:
        """Note which hosts had VMs, were woken or were powered down since the last round."""
        hosts, now_s = view.hosts, view.now_s
        # The integral of VMs over time stands still for as long as a host is empty.
        busy = (hosts.vm_s != self._vm_s) | (hosts.vm_count > 0) | (hosts.incoming > 0)
        woken = hosts.boots != self._boots
        self.idle_since_s[busy | woken] = now_s
        new_stops = hosts.stops - self._stops
        for count in range(1, int(new_stops.max(initial=0)) + 1):
            again = new_stops >= count
            self.sleeps_s[:-1, again] = self.sleeps_s[1:, again]
            self.sleeps_s[-1, again] = now_s
        self._vm_s, self._boots = hosts.vm_s.copy(), hosts.boots.copy()
        self._stops = hosts.stops.copy()

    def note_load(self, view: FarmView) -> None:
        """Remember the CPU that all VMs ask for now, and how far rounds are apart."""
        if self.load_mhz:
            self.step_s = view.now_s - self._load_s
        self._load_s = view.now_s
        self.load_mhz.append(float(view.hosts.demand_mhz.sum()))

    def say(self, host: int, limit: str) -> None:
        """Note the limit that keeps a host on in this round."""
        self._now[host] = limit

    def fresh(self) -> list[tuple[int, str]]:
        """Return the refusals that differ from those of the round before."""
        told = [(host, why) for host, why in self._now.items() if self._reported.get(host) != why]
        self._reported, self._now = self._now, {}
        return told
