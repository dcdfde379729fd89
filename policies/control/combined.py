"""Combine control policies so that they do not undo each other's decisions."""

from collections.abc import Callable, Iterable
from dataclasses import field, replace
from functools import partial
from typing import ClassVar

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ..interface.plan import Plan
from ..interface.planned_view import live, planned_view
from ..interface.view import FarmView
from .control import ControlPolicy, due_s, migrates_vms, respond, wakes


@dataclass(frozen=True)
class Combined:
    """Run several policies in order; each sees the decisions of those before it.

    Later policies treat the migrations of earlier ones as running: their VMs are not migrated
    again, hosts being emptied are not targets, and a woken host is not powered down in the same
    round. Decisions also hold for the time ``undo_after``: a migrated VM is not migrated again, a
    host that was powered down is woken only for VMs, and a woken host is not powered down. A host
    with a VM that must not be migrated is not emptied.
    """

    FORMER_FIELDS: ClassVar = {"of": "policies", "settle": "undo_after"}

    policies: tuple[ControlPolicy, ...] = parameter("The policies, in their order.", slot="control")
    undo_after_s: float = parameter(
        "Minimum time before a decision may be undone.",
        1800.0,
        key="undo_after",
        dimension="time",
        ge=0,
    )

    @property
    def samples(self) -> int:
        """Number of past samples that any of them looks at."""
        return max(policy.samples for policy in self.policies)

    @property
    def powers_down(self) -> bool:
        """Whether hosts without VMs are off from the start."""
        return any(policy.powers_down for policy in self.policies)

    @property
    def wakes(self) -> bool:
        """Whether any of them powers down hosts that are woken for VMs."""
        return any(wakes(policy) for policy in self.policies)

    @property
    def migrates_vms(self) -> bool:
        """Whether any of them may migrate VMs."""
        return any(migrates_vms(policy) for policy in self.policies)

    def decide(self, view: FarmView) -> Plan:
        """Return what all of them want, without what would undo something."""
        return self._joined(view, [policy.decide for policy in self.policies])

    def due_s(self, view: FarmView) -> float:
        """Return when the first of them wants to decide besides its rounds."""
        return min((due_s(policy, view) for policy in self.policies), default=np.inf)

    def respond(self, view: FarmView) -> Plan:
        """Return what those of them want whose time has come."""
        return self._joined(view, [partial(respond, policy) for policy in self.policies])

    def _joined(self, view: FarmView, decisions: Iterable[Callable[[FarmView], Plan]]) -> Plan:
        past = view.state(self, lambda: _Past(len(view.vms), len(view.hosts)))
        past.look(view)
        plan = Plan()
        for decide in decisions:
            added = decide(planned_view(view, plan))
            _join(plan, past.allowed(added, plan, view, self.undo_after_s))
        past.note(plan, view.now_s)
        return plan


@dataclass
class _Past:
    """When VMs were moved last and hosts put to rest or woken; −inf: never."""

    vms: int
    hosts: int
    moved_s: Floats = field(init=False)
    slept_s: Floats = field(init=False)
    woken_s: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.moved_s = np.full(self.vms, -np.inf)
        self.slept_s, self.woken_s = np.full((2, self.hosts), -np.inf)
        self._boots = np.zeros(self.hosts, np.int64)

    def look(self, view: FarmView) -> None:
        """Note which hosts have been woken since the last round, by whomever."""
        self.woken_s[view.hosts.boots != self._boots] = view.now_s
        self._boots = view.hosts.boots.copy()

    def allowed(self, added: Plan, plan: Plan, view: FarmView, settle_s: float) -> Plan:
        """Return the part of a policy's plan that undoes nothing."""
        if added.ordered:
            return added
        before_s = view.now_s - settle_s
        begun = {move.vm for move in live(plan.proposals)}
        stuck = {
            move.source
            for move in live(added.proposals)
            if move.vm not in begun and self.moved_s[move.vm] > before_s
        }
        woken = {move.target for move in live(plan.proposals)} | set(plan.wakes)
        kept_on = woken | set(np.flatnonzero(self.woken_s > before_s).tolist())
        unmoved = {host for host in added.sleeps if host in stuck | kept_on}
        moves = [
            move
            for move in added.proposals
            if move.vm not in begun
            and move.source not in unmoved
            and self.moved_s[move.vm] <= before_s
        ]
        return replace(
            added,
            proposals=moves,
            sleeps=[host for host in added.sleeps if host not in unmoved],
            wakes=[host for host in added.wakes if self.slept_s[host] <= before_s],
        )

    def note(self, plan: Plan, now_s: float) -> None:
        """Remember what a round does."""
        self.moved_s[_rows(move.vm for move in live(plan.proposals))] = now_s
        self.slept_s[_rows(plan.sleeps)] = now_s


def _rows(rows: Iterable[int]) -> Ints:
    return np.fromiter(rows, np.int64)


def _join(plan: Plan, added: Plan) -> None:
    """Add a policy's part to the plan of the round, in place."""
    again = {proposal.vm for proposal in added.proposals}
    plan.proposals = [
        each._replace(superseded=True) if each.vm in again else each for each in plan.proposals
    ]
    plan.proposals += added.proposals
    if added.sleeps:
        reasons = [plan.sleep_reason] if plan.sleeps else []
        plan.sleep_reason = ", ".join(dict.fromkeys([*reasons, added.sleep_reason]))
        plan.sleeps = sorted({*plan.sleeps, *added.sleeps})
    if added.wakes:
        plan.wake_reason = added.wake_reason
        plan.wakes = sorted({*plan.wakes, *added.wakes})
    plan.ordered = plan.ordered or added.ordered
    plan.closes = sorted({*plan.closes, *added.closes})
    plan.opens = sorted({*plan.opens, *added.opens})
