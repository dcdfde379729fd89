"""Manage power like DPM: wake and empty hosts to keep utilisation in a band."""

from dataclasses import field

import numpy as np

from ...models.base.arrays import Floats, Ints, sum_by
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ...models.base.ties import TIE, ascending, tie_of
from ...models.state.columns import PowerState, VmState
from ..interface.plan import Plan, Reason
from ..interface.repeatable import is_repeatable
from ..interface.view import FarmView
from ..placement.candidates import Candidates
from ..placement.placement import Placement
from ..placement.sum_test import worth_trying
from ..placement_algorithms.best_fit import BestFitDecreasing
from .consolidation import first_sleeping_of_each_group
from .control import idle_hosts

RULE = "dynamic_power"


@dataclass(frozen=True)
class DynamicPower:
    """In every round, relieve hosts above a utilisation band, and power down those below it.

    VMs of a host above the band are migrated to hosts that stay within it and, if these have no
    capacity, to hosts that are woken for them. While no host is above the band, hosts below it are
    emptied, the least utilised first, each only if all its VMs fit on other hosts that are on
    without taking one of them out of the band; for this test a VM counts with its mean over the
    last ``samples`` steps of the workload or its present load, whichever is higher. The band of 63
    % +- 18 % and the 40 minutes of history are the defaults of VMware Distributed Power Management
    (vSphere Resource Management Guide, options DemandCapacityRatioTarget,
    DemandCapacityRatioToleranceHost and VmDemandHistorySecsHostOff).
    """

    target: float = parameter(
        "Target utilisation of hosts that are on.", 0.63, dimension="share", gt=0, le=1
    )
    tolerance: float = parameter(
        "Tolerated deviation from the target.", 0.18, dimension="share", ge=0, le=1
    )
    samples: int = parameter(
        "Number of past samples considered before a host is emptied.", 8, ge=1, le=10_000
    )
    hosts_per_round: int = parameter(
        "Maximum number of hosts emptied per round; 0: unlimited.", 0, ge=0
    )
    placement: Placement = parameter(
        "Placement of the migrated VMs.", BestFitDecreasing(), slot="placement"
    )

    powers_down = True
    migrates_vms = True

    def __post_init__(self) -> None:
        if self.target + self.tolerance > 1 or self.tolerance >= self.target:
            raise ValueError(
                f"target {self.target:g} and tolerance {self.tolerance:g} give a band beyond 0 … "
                "100 %; narrow it"
            )

    @property
    def repeatable(self) -> bool:
        """Whether the placement decides the same as long as it sees the same."""
        return is_repeatable(self.placement)

    def decide(self, view: FarmView) -> Plan:
        """Return the migrations, wake-ups and power-downs of one round."""
        return _Round(self, view).plan()


@dataclass
class _Round:
    policy: DynamicPower
    view: FarmView
    received: set[int] = field(default_factory=set)

    def plan(self) -> Plan:
        policy, view = self.policy, self.view
        plan = Plan(sleep_reason=RULE)
        use = view.expected_mhz() / view.hosts.cpu_mhz
        highest = policy.target + policy.tolerance
        above = np.flatnonzero(view.awake() & (use > highest + TIE))
        if len(above):
            self._relieve(plan, above, use, highest)
            return plan
        candidates = self._candidates(self._steady_mhz(), np.empty(0, np.int64), highest)
        candidates.all_or_nothing = True
        self._empty(plan, candidates, use)
        idle = [host for host in idle_hosts(view) if host not in self.received]
        plan.sleeps += [host for host in idle if candidates.may_sleep(host)]
        return plan

    def _relieve(self, plan: Plan, above: Ints, use: Floats, highest: float) -> None:
        """Let VMs leave hosts above the band until these are within it."""
        need_mhz = self.view.vms.load_mhz
        leaving: list[int] = []
        for host in above.tolist():
            excess_mhz = (float(use[host]) - highest) * float(self.view.hosts.cpu_mhz[host])
            slack_mhz = TIE * float(self.view.hosts.cpu_mhz[host])
            vms = self._running(host)
            memory_mib = self.view.vms.footprint_mib[vms]
            order = vms[ascending(memory_mib, tie_of(memory_mib))]
            for vm in order.tolist():
                if excess_mhz <= slack_mhz:
                    break
                for each in self.view.affinity_group(vm).tolist():
                    if each not in leaving and each in vms:
                        leaving.append(each)
                        excess_mhz -= float(need_mhz[each])
        sleeping = first_sleeping_of_each_group(self.view, len(leaving))
        candidates = self._candidates(need_mhz, sleeping, highest)
        candidates.close(above[np.isin(above, candidates.hosts)])
        self._propose(plan, np.array(leaving, np.int64), candidates, use, highest)

    def _empty(self, plan: Plan, candidates: Candidates, use: Floats) -> None:
        """Empty hosts below the band for as long as the others stay within it."""
        policy, view = self.policy, self.view
        lowest = policy.target - policy.tolerance
        below = view.awake() & (use < lowest - TIE) & (view.hosts.state == PowerState.ON)
        below &= (view.hosts.vm_count > 0) & (view.hosts.incoming == 0)
        rows = np.flatnonzero(below)
        order, home = rows[ascending(use[rows])], view.vms.host
        staying = view.vms.state != VmState.MIGRATING
        for host in worth_trying(candidates, policy.placement, order, home, staying):
            if policy.hosts_per_round and len(plan.sleeps) >= policy.hosts_per_round:
                return
            # Who is on the way out has a place already.
            vms = view.vms_on(np.array([host]))
            vms = vms[view.vms.state[vms] != VmState.MIGRATING]
            if host in self.received or len(self._running(host)) < len(vms):
                continue
            before = candidates.mark()
            candidates.close(np.array([host]))
            placed = not len(vms) or self._propose(plan, vms, candidates, use, lowest)
            if placed and candidates.may_sleep(host):
                plan.sleeps.append(host)
                continue
            del plan.proposals[len(plan.proposals) - len(vms) :]
            candidates.undo_to(before)
            candidates.open(np.array([host]))

    def _propose(
        self, plan: Plan, vms: Ints, candidates: Candidates, use: Floats, limit: float
    ) -> bool:
        """Add the migrations of some VMs to a plan; return whether all of them fit."""
        placed = self.policy.placement.place(candidates, vms)
        rows = zip(
            vms.tolist(),
            self.view.vms.host[vms].tolist(),
            placed.hosts.tolist(),
            placed.searches,
            strict=True,
        )
        for vm, source, target, search in rows:
            reason = Reason(RULE, float(use[source]), limit)
            plan.move(vm, target, reason, search, source)
        fits = bool(np.all(placed.hosts >= 0))
        if fits:
            self.received.update(placed.hosts.tolist())
        return fits

    def _candidates(self, need_mhz: Floats, sleeping: Ints, highest: float) -> Candidates:
        """Return the hosts that are on, and some sleeping ones, filled with the needs of VMs."""
        view = self.view
        eligible = view.awake()
        eligible[sleeping] = True
        vms = view.vms
        home = np.where(vms.moving_to >= 0, vms.moving_to, vms.host)
        placed = home >= 0
        load_mhz = view.hosts.base_mhz + sum_by(
            home[placed], weights=need_mhz[placed], minlength=len(eligible)
        )
        capacity_mhz = np.minimum(view.hosts.cpu_mhz * highest, view.hosts.plan_mhz)
        return Candidates(view, np.flatnonzero(eligible), need_mhz, load_mhz, capacity_mhz)

    def _steady_mhz(self) -> Floats:
        """Return the load of each VM: its mean over the history, or now if that is more."""
        view, samples = self.view, self.policy.samples
        history = view.vm_history_mhz(samples)
        now_mhz = view.vms.load_mhz
        if not len(history):
            return now_mhz
        own = np.clip(view.vm_samples, 1, len(history))
        steps_ago = np.arange(len(history))[::-1, None]
        mean_mhz = np.where(steps_ago < own, history, 0.0).sum(axis=0) / own
        steady_mhz: Floats = np.maximum(now_mhz, mean_mhz)
        return steady_mhz

    def _running(self, host: int) -> Ints:
        vms = self.view.vms_on(np.array([host]))
        running: Ints = vms[self.view.vms.state[vms] == VmState.RUNNING]
        return running
