"""Evacuate hosts for maintenance, in waves."""

from fnmatch import fnmatchcase
from typing import ClassVar

import numpy as np

from ...models.base.arrays import Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ...models.hardware.racks_and_sites import without_zeros
from ...models.state.columns import PowerState, VmState
from ..interface.plan import Plan, Reason
from ..interface.view import FarmView
from ..placement.candidates import Candidates
from ..placement.placement import Placement
from ..placement_algorithms.best_fit import BestFitDecreasing
from .consolidation import first_sleeping_of_each_group
from .control import ControlPolicy, NoControl
from .delegating import DelegatingPolicy

RULE = "evacuation"


LONGEST_S = 10 * 365.25 * 86_400.0
"""Longest time that an evacuation may be put off, or that its hosts may be worked on."""


@dataclass(frozen=True)
class Evacuation(DelegatingPolicy):
    """Evacuate the hosts that match a pattern, starting at a given time, and switch them off.

    Until then the policy under ``base_policy`` decides; afterwards only the evacuation migrates
    VMs. It does not wait for control rounds: it starts at its time and continues when a migration
    has ended, VMs or hosts have changed, or a maintenance time is over. Hosts are evacuated in
    waves in the order of the farm. From the start of its wave a host is closed: it accepts no VMs
    and is not woken. The next wave starts when the previous one is empty and its maintenance time
    is over. Hosts are then back in service and boot when VMs need them; without a maintenance time
    the last wave stays closed. VMs that find no host are retried whenever capacity may have
    changed.
    """

    FORMER_FIELDS: ClassVar = {
        "fill": "max_utilisation",
        "wave": "hosts_per_wave",
        "hold": "maintenance_time",
    }

    wakes = True

    hosts: str = parameter(
        "Shell pattern of host names, e.g. new-3*; several separated by commas. With a slash, of "
        "racks and hosts: rack-3/* is every host in the third rack of the network."
    )
    at_s: float = parameter(
        "Start of the evacuation.", 0.0, key="at", dimension="time", ge=0, le=LONGEST_S
    )
    hosts_per_wave: int = parameter("Hosts emptied at the same time; 0: all.", 0, ge=0)
    maintenance_time_s: float = parameter(
        "Maintenance time of the hosts of a wave once they are empty.",
        0.0,
        key="maintenance_time",
        dimension="time",
        ge=0,
        le=LONGEST_S,
    )
    max_utilisation: float = parameter(
        "Maximum utilisation of the other hosts.", 0.9, dimension="share", gt=0, le=1
    )
    placement: Placement = parameter(
        "Placement of the evacuated VMs.", BestFitDecreasing(), slot="placement"
    )
    base_policy: ControlPolicy = parameter(
        "Control policy before the evacuation.", NoControl(), slot="control"
    )

    def is_in_charge(self, view: FarmView) -> bool:
        """Whether the evacuation has begun; from then on nothing else moves anything."""
        return view.now_s >= self.at_s

    def own_due_s(self, view: FarmView) -> float:
        """Return when the evacuation begins, or goes on as things stand."""
        if view.now_s < self.at_s:
            return self.at_s
        return self._state(view).due_s(view, self.maintenance_time_s)

    def own_plan(self, view: FarmView) -> Plan:
        """Return migrations off the hosts of the current wave, and hosts to close and reopen."""
        state = self._state(view)
        opened = state.advance(view, self.maintenance_time_s)
        plan = Plan(sleep_reason=RULE, ordered=True, opens=opened)
        leaving = state.leaving
        if opened or not len(leaving):
            # The next wave begins at the same instant, once these hosts are back in service.
            return plan
        plan.sleeps, plan.closes = leaving.tolist(), leaving.tolist()
        vms = view.vms_on(leaving)
        vms = vms[view.vms.state[vms] == VmState.RUNNING]
        if len(vms):
            self._propose(plan, view, vms, leaving, state.later)
        return plan

    def _state(self, view: FarmView) -> "_State":
        return view.state(self, lambda: _State(self.chosen(view), self.hosts_per_wave))

    def chosen(self, view: FarmView) -> Ints:
        """Return the hosts that the pattern names."""
        racks = [view.hosts.rack_names[rack] for rack in view.hosts.rack.tolist()]
        hosts = enumerate(zip(view.hosts.names, racks, strict=True))
        rows = [row for row, (name, rack) in hosts if self.names(name, rack)]
        return np.array(rows, np.int64)

    def names(self, host: str, rack: str = "") -> bool:
        """Return whether the pattern names a host that stands in a rack."""
        return any(_matches(each.strip(), host, rack) for each in self.hosts.split(","))

    def _propose(self, plan: Plan, view: FarmView, vms: Ints, leaving: Ints, later: Ints) -> None:
        others, ahead = np.ones((2, len(view.hosts)), bool)
        others[leaving] = others[later] = False
        ahead[leaving] = False
        eligible = view.awake() & ahead
        for among in (others, ahead & ~others):
            eligible[first_sleeping_of_each_group(view, len(vms), among)] = True
        hosts = np.flatnonzero(eligible)
        capacity_mhz = np.minimum(view.hosts.cpu_mhz * self.max_utilisation, view.hosts.plan_mhz)
        candidates = Candidates(view, hosts, view.vms.load_mhz, view.expected_mhz(), capacity_mhz)
        # Hosts of later waves only where no other has room, since their VMs move once more.
        candidates.close(np.intersect1d(later, hosts))
        placed = self.placement.place(candidates, vms)
        left = np.flatnonzero(placed.hosts < 0)
        if len(left) and len(later):
            candidates.open(np.intersect1d(later, hosts))
            second = self.placement.place(candidates, vms[left])
            placed.hosts[left] = second.hosts
            for position, search in zip(left.tolist(), second.searches, strict=True):
                placed.searches[position] = search
        # Nothing is measured against a limit: an order empties the host.
        reason = Reason(RULE)
        rows = zip(
            vms.tolist(),
            view.vms.host[vms].tolist(),
            placed.hosts.tolist(),
            placed.searches,
            strict=True,
        )
        for vm, source, target, search in rows:
            plan.move(vm, target, reason, search, source)


def _matches(pattern: str, host: str, rack: str) -> bool:
    of_rack, slash, of_host = pattern.partition("/")
    if not slash:
        return fnmatchcase(host, pattern)
    # A rack also goes by its number without leading zeros: rack-3 of rack-01 to rack-12.
    racks = rack, without_zeros(rack)
    return any(fnmatchcase(each, of_rack) for each in racks) and fnmatchcase(host, of_host)


class _State:
    """Which wave it is, and since when its hosts are empty."""

    def __init__(self, hosts: Ints, wave: int) -> None:
        step = wave or max(len(hosts), 1)
        self._waves = [hosts[start : start + step] for start in range(0, len(hosts), step)]
        self._present = 0
        self._empty_s: float | None = None

    @property
    def leaving(self) -> Ints:
        """Hosts of the present wave."""
        return self._waves[self._present] if self._waves_left else np.empty(0, np.int64)

    @property
    def later(self) -> Ints:
        """Hosts of the waves that are still to come."""
        waves = self._waves[self._present + 1 :]
        return np.concatenate(waves) if waves else np.empty(0, np.int64)

    @property
    def _waves_left(self) -> int:
        return len(self._waves) - self._present

    def due_s(self, view: FarmView, hold_s: float) -> float:
        """Return when there is something to do: now, when the work on a wave ends, or never."""
        if not self._waves_left:
            return np.inf
        if self._empty_s is None or not _emptied(view, self.leaving):
            return view.now_s
        return np.inf if self._ends_here(hold_s) else self._empty_s + hold_s

    def _ends_here(self, hold_s: float) -> bool:
        """Whether the present wave is the last and stays closed."""
        return self._waves_left == 1 and not hold_s

    def advance(self, view: FarmView, hold_s: float) -> list[int]:
        """Go on to the wave whose turn it is; return the hosts whose time for work has passed."""
        opened: list[int] = []
        while self._waves_left and _emptied(view, self.leaving):
            if self._empty_s is None:
                self._empty_s = view.now_s
            if view.now_s < self._empty_s + hold_s or self._ends_here(hold_s):
                break
            opened += self.leaving.tolist()
            self._present += 1
            self._empty_s = None
        return opened


def _emptied(view: FarmView, hosts: Ints) -> bool:
    """Whether hosts are closed, empty without incoming VMs, and off or stopping.

    One that has lost its last VM goes on as long as pages of it are still to be fetched.
    """
    state = view.hosts.state[hosts]
    busy = view.hosts.in_service[hosts] | (state == PowerState.ON) | (state == PowerState.BOOTING)
    busy |= (state == PowerState.DRAINING) | (view.hosts.vm_count[hosts] > 0)
    busy |= view.hosts.incoming[hosts] > 0
    return not busy.any()
