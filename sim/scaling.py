"""Scaling: spread the load of applications over members, and add or remove members."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..models.base.arrays import Bools, Floats, Ints, States, sum_by
from ..models.base.lazy_dataclass import dataclass
from ..models.farm.farm import Farm
from ..models.state.columns import VmState
from ..models.workload.application import Applications, spread
from ..models.workload.demand import Demand
from ..policies.scaling.scaling import ApplicationView, Wanted
from ..policies.user_policies.guard import guarded
from .base.clock import LATE, Clock
from .base.log import Column
from .lifecycle.lifecycle import Lifecycle
from .records.applications import Decision, ScalingRecord
from .resizing import REQUESTED, Resizing, ScalingRule

WORKING = (VmState.RUNNING, VmState.MIGRATING)
PRESENT = (*WORKING, VmState.STARTING, VmState.WAITING, VmState.SUSPENDED)
UNDER_WAY = (VmState.MIGRATING, VmState.SUSPENDED)
"""States of a member that goes to another host, straight or by way of storage."""


@dataclass(frozen=True)
class Elasticity:
    """Applications and their scaling.

    ``rules`` has one entry per application, in their order.
    """

    applications: Applications
    rules: Sequence[ScalingRule]

    def may_get(self) -> dict[int, Ints]:
        """Return the members that may have each size, by its number; of those that may change."""
        apps = self.applications
        found: dict[int, Ints] = {}
        for rule, first, count in zip(self.rules, apps.first_row, apps.maximum, strict=True):
            members = np.arange(first, first + count)
            for each in rule.sizes.values() if len(rule.sizes) > 1 else ():
                found[each.size] = np.union1d(found.get(each.size, members), members)
        return found


class Scaling:
    """Runs the applications of a run, and sets the demand of their members in ``demand``.

    The load of each application is spread over its members that run where the network reaches
    them. Every round its policy says how many members it wants and of which size; members come
    and go through ``lifecycle``, like all VMs. ``respread`` has the load spread anew within a step,
    given the instant in s. Members are rows of VMs, those of an application side by side.
    """

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        lifecycle: Lifecycle,
        elasticity: Elasticity,
        demand: Demand,
        resizing: Resizing,
        record: ScalingRecord,
        respread: Callable[[float], None],
    ) -> None:
        self._clock, self._farm, self._lifecycle = clock, farm, lifecycle
        self._apps = elasticity.applications
        self._rules = [
            replace(rule, policy=guarded(rule.policy, "scaling")) if rule.policy else rule
            for rule in elasticity.rules
        ]
        self._demand, self._respread = demand, respread
        self._record, self._resizing = record, resizing
        apps = self._apps
        self._of_member = apps.of_member
        first = int(apps.first_row[0])
        self._rows = np.arange(first, first + apps.members)
        self._since_s = np.zeros(apps.members)
        self._wanted = apps.start.copy()
        self._size = [rule.size for rule in self._rules]
        self._out_s = np.full(len(apps), -np.inf)
        self._any_s = np.full(len(apps), -np.inf)
        self._stale = False

    @property
    def step_s(self) -> float:
        """Time between two rounds."""
        return self._apps.step_s

    # What the metronome calls

    def write_demand(self, now_s: float) -> None:
        """Spread the load of this instant over the members that run.

        Called whenever the farm is about to be told its demand: at each step, and within a step
        when members have begun or ceased to run. Load beyond the capacity of the members is missed
        work.
        """
        apps = self._apps
        account = self._record.account
        account.settle(now_s)
        load_mhz = apps.load_mhz[apps.step_of(now_s)]
        running, capacity_mhz = self._running(), self._capacity_mhz()
        asked_mhz = spread(load_mhz, self._of_member, apps.by_capacity, capacity_mhz, running)
        self._demand.set_members(asked_mhz)
        account.change(load_mhz, self._sum(asked_mhz), self._sum(capacity_mhz * running))
        self._record.note_capacity(now_s)
        self._stale = False

    def decide(self, now_s: float) -> None:
        """Ask the policies, and bring every application to the members that it wants.

        Called once a round with demand and farm of this instant. Members that start take part in
        the load only when they run; limits and cool-downs of the rule are applied to what is
        wanted.
        """
        for application, rule in enumerate(self._rules):
            if rule.policy is not None:
                wanted = rule.policy.decide(self._view(application, rule, now_s))
                self._apply(application, rule, wanted, now_s)
        for application, rule in enumerate(self._rules):
            if len(rule.sizes) > 1:
                rows = self._rows[self._members(application)]
                if self._resizing.follow(rows, rule, self._size[application], now_s):
                    self.note_change(rows)
        missing = self._wanted - self._count(PRESENT)
        for application in np.flatnonzero(missing).tolist():
            if missing[application] > 0:
                self._start_members(application, int(missing[application]))
            else:
                self._stop_members(application, -int(missing[application]))

    def sample(self, now_s: float) -> None:
        """Record load and capacity so far."""
        self._record.account.settle(now_s)
        running = self._count(WORKING)
        self._record.sample(now_s, running, self._count(PRESENT) - running, self._wanted)

    def close(self, end_s: float) -> dict[str, dict[str, Column]]:
        """End what is still open, everything being settled; return the tables."""
        self._record.close(end_s)
        return self._record.tables()

    # What a decision becomes

    def _view(self, application: int, rule: ScalingRule, now_s: float) -> ApplicationView:
        """Return what the policy of an application sees; loads and capacities in MHz."""
        apps = self._apps
        size = self._size[application]
        history = apps.load_mhz[: apps.step_of(now_s) + 1, application]
        history.flags.writeable = False
        return ApplicationView(
            now_s,
            apps.step_s,
            history,
            int(self._wanted[application]),
            int(self._running()[self._members(application)].sum()),
            rule.sizes[size].capacity_mhz,
            int(apps.minimum[application]),
            int(apps.maximum[application]),
            size,
            {name: each.capacity_mhz for name, each in rule.sizes.items()},
        )

    def _apply(self, application: int, rule: ScalingRule, wanted: Wanted, now_s: float) -> None:
        """Take over what a policy wants, within the limits and cool-downs."""
        apps = self._apps
        before, old = int(self._wanted[application]), self._size[application]
        least = max(int(apps.minimum[application]), min(rule.protected, before))
        members = min(max(wanted.members, least), int(apps.maximum[application]))
        size = wanted.size or old
        if (members, size) == (before, old):
            return
        new_mhz = members * rule.sizes[size].capacity_mhz
        out = new_mhz > before * rule.sizes[old].capacity_mhz
        due_s = (
            self._out_s[application] + rule.out_s if out else self._any_s[application] + rule.in_s
        )
        if now_s < due_s:
            return
        self._wanted[application], self._size[application] = members, size
        self._any_s[application] = now_s
        if out:
            self._out_s[application] = now_s
        kind = ("up" if out else "down") if size != old else ("out" if out else "in")
        self._record.note_decision(
            Decision(
                now_s,
                application,
                kind,
                (before, members),
                (old, size),
                wanted.rule,
                wanted.measured,
                wanted.limit,
                new_mhz,
            )
        )

    def _start_members(self, application: int, count: int) -> None:
        """Ask for members that are away, those with the lowest numbers first."""
        members = self._members(application)
        away = members[np.isin(self._state(members), REQUESTED)][:count]
        self._since_s[away] = self._clock.now
        if len(away):
            self._lifecycle.ask(self._rows[away])

    def _stop_members(self, application: int, count: int) -> None:
        """Remove members: first those that do not run yet, then by age; never migrating ones."""
        rule, members = self._rules[application], self._members(application)
        state = self._state(members)
        members = members[np.isin(state, PRESENT)]
        working = np.isin(self._state(members), WORKING)
        by_age = members[np.lexsort((members, self._since_s[members], ~working))]
        free = by_age[rule.protected :]
        working = np.isin(self._state(free), WORKING)
        age = -self._since_s[free] if rule.newest_first else self._since_s[free]
        number = -free if rule.newest_first else free
        leaving = free[np.lexsort((number, age, working))]
        leaving = leaving[~np.isin(self._state(leaving), UNDER_WAY)][:count]
        if len(leaving):
            self._lifecycle.stop_members(self._rows[np.sort(leaving)])

    # Rows and their states

    def _members(self, application: int) -> Ints:
        """Return the numbers of an application's members among all members."""
        start = int(self._apps.first_row[application] - self._rows[0])
        return np.arange(start, start + int(self._apps.maximum[application]))

    def _state(self, members: Ints) -> States:
        state: States = self._farm.vms.state[self._rows[members]]
        return state

    def _running(self) -> Bools:
        """Return which members work where the network reaches them."""
        farm, rows = self._farm, self._rows
        working: Bools = np.isin(farm.vms.state[rows], WORKING)
        reached: Bools = working & farm.hosts.reachable[farm.vms.host[rows]]
        return reached

    def _capacity_mhz(self) -> Floats:
        """Return what each member can be asked for: its CPU, or less where it is limited."""
        size = self._farm.vms.size[self._rows]
        limit_mhz = self._farm.delivery.layer.limit_mhz[size]
        return np.minimum(self._farm.vms.size_mhz[self._rows], limit_mhz)

    def _count(self, states: tuple[int, ...]) -> Ints:
        """Return how many members of each application are in one of some states."""
        there = np.isin(self._farm.vms.state[self._rows], states)
        counted: Ints = np.bincount(self._of_member[there], minlength=len(self._apps))
        return counted

    def _sum(self, values: Floats) -> Floats:
        return sum_by(self._of_member, weights=values, minlength=len(self._apps))

    def note_change(self, vms: Ints) -> None:
        """Have the load spread anew at this instant, once all that happens at it has happened.

        ``vms`` are rows of any VMs; those that are no members are ignored.
        """
        first, last = int(self._rows[0]), int(self._rows[-1])
        if self._stale or not np.any((vms >= first) & (vms <= last)):
            return
        self._stale = True
        event = self._clock.at(self._clock.now, LATE)
        assert event.callbacks is not None
        event.callbacks.append(lambda _: self._catch_up())

    def _catch_up(self) -> None:
        if self._stale:
            self._respread(self._clock.now)
