"""Maintenance: empty chosen hosts, in waves, while another policy waits."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from ..models.arrays import Ints
from ..models.columns import VmState
from ..models.domains import without_zeros
from ..models.knobs import knob
from .best_fit_decreasing import BestFitDecreasing
from .consolidation import first_asleep_of_each_group
from .control import ControlPolicy, NoControl
from .deferring import Deferring
from .placement import Placement
from .plan import Plan, Proposal, Reason
from .room import Room
from .view import FarmView

MEMO = "evacuation"


@dataclass(frozen=True)
class Evacuation(Deferring):
    """Empty the hosts that a pattern names, from a time on, and switch them off.

    Until then the policy named under ``otherwise`` decides, afterwards nothing but the
    evacuation moves anything. Hosts are taken in waves in the order of the farm; the next wave
    begins when the last one is empty and its time for work has passed, and may use the hosts of
    earlier waves again. VMs that find no host are tried again every round, since other moves
    may have made room.
    """

    hosts: str = knob(
        "Pattern of host names, as in a shell: new-3*; several by comma. With a slash, of racks "
        "and hosts: rack-3/* is all of the third rack of the network."
    )
    at_s: float = knob("When it begins.", 0.0, key="at", dimension="time", ge=0)
    wave: int = knob("Hosts emptied at once; 0: all of them.", 0, ge=0)
    hold_s: float = knob(
        "Time for work on the hosts of a wave once they are empty.",
        0.0,
        key="hold",
        dimension="time",
        ge=0,
    )
    fill: float = knob(
        "Utilisation up to which other hosts are filled.", 0.9, dimension="share", gt=0, le=1
    )
    placement: Placement = knob("Where the VMs go.", BestFitDecreasing(), slot="placement")
    otherwise: ControlPolicy = knob("Who decides before.", NoControl(), slot="control")

    def decide(self, view: FarmView) -> Plan:
        """Return the other policy's plan, or the moves off the hosts of the present wave."""
        if view.now_s < self.at_s:
            return self.otherwise.decide(view)
        state = view.memo.setdefault(MEMO, _State(self.chosen(view), self.wave))
        leaving = state.advance(view, self.hold_s)
        if not len(leaving):
            return Plan(sleep_reason=MEMO)
        vms = view.vms_on(leaving)
        vms = vms[view.vms.state[vms] == VmState.RUNNING]
        plan = Plan(sleep_reason=MEMO, sleeps=leaving.tolist(), ordered=True)
        if len(vms):
            plan.proposals = self._proposals(view, vms, leaving, state.later)
        return plan

    def chosen(self, view: FarmView) -> Ints:
        """Return the hosts that the pattern names."""
        racks = [view.hosts.rack_names[rack] for rack in view.hosts.rack.tolist()]
        hosts = enumerate(zip(view.hosts.names, racks, strict=True))
        rows = [row for row, (name, rack) in hosts if self.names(name, rack)]
        return np.array(rows, np.int64)

    def names(self, host: str, rack: str = "") -> bool:
        """Return whether the pattern names a host that stands in a rack."""
        return any(_matches(each.strip(), host, rack) for each in self.hosts.split(","))

    def _proposals(self, view: FarmView, vms: Ints, leaving: Ints, later: Ints) -> list[Proposal]:
        candidates = view.awake()
        candidates[first_asleep_of_each_group(view, len(vms))] = True
        candidates[leaving] = False
        hosts = np.flatnonzero(candidates)
        capacity_mhz = view.hosts.cpu_mhz * self.fill
        room = Room(view, hosts, view.vms.load_mhz, view.expected_mhz(), capacity_mhz)
        # Hosts of later waves only where no other has room, since their VMs move once more.
        room.close(np.intersect1d(later, hosts))
        placed = self.placement.place(room, vms)
        left = np.flatnonzero(placed.hosts < 0)
        if len(left) and len(later):
            room.open(np.intersect1d(later, hosts))
            second = self.placement.place(room, vms[left])
            placed.hosts[left] = second.hosts
            for position, search in zip(left.tolist(), second.searches, strict=True):
                placed.searches[position] = search
        # Nothing is measured against a limit: an order empties the host.
        reason = Reason("evacuation", 0.0, 0.0)
        rows = zip(
            vms.tolist(), view.vms.host[vms].tolist(), placed.hosts.tolist(), placed.searches,
            strict=True,
        )  # fmt: skip
        return [Proposal(vm, source, target, reason, search) for vm, source, target, search in rows]


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
    def later(self) -> Ints:
        """Hosts of the waves that are still to come."""
        waves = self._waves[self._present + 1 :]
        return np.concatenate(waves) if waves else np.empty(0, np.int64)

    def advance(self, view: FarmView, hold_s: float) -> Ints:
        """Return the hosts that VMs are to leave now; none when all waves are done."""
        while self._present < len(self._waves):
            hosts = self._waves[self._present]
            held = view.hosts.vm_count[hosts] + view.hosts.incoming[hosts]
            if held.any():
                self._empty_s = None
                return hosts
            if self._empty_s is None:
                self._empty_s = view.now_s
            if view.now_s < self._empty_s + hold_s or self._present == len(self._waves) - 1:
                return hosts
            self._present += 1
            self._empty_s = None
        return np.empty(0, np.int64)
