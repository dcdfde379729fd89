"""Balance load like DRS: migrate VMs from the most to the least loaded hosts."""

from typing import ClassVar

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ...models.base.ties import TIE, first_highest
from ...models.state.columns import PowerState, VmState
from ..interface.plan import Plan, Reason, Search
from ..interface.view import FarmView
from ..placement.candidates import Candidates

RULE = "balance"
MIB_PER_GIB = 1024.0


@dataclass(frozen=True)
class Balance:
    """In every round, migrate VMs from the most loaded to the least loaded hosts.

    While the standard deviation of the utilisation of the hosts that are on exceeds a threshold, a
    VM leaves the most loaded host: the migration that reduces the deviation most, among those whose
    gain exceeds their cost. The gain is the reduction of the utilisation gap between the two hosts;
    the cost grows with the memory to be copied. After Gulati et al., "VMware Distributed Resource
    Management" (VMware Technical Journal 1, 2012), where load counts per capacity, imbalance is the
    standard deviation over hosts, and moves are chosen greedily against their cost; threshold and
    cost there are of another scale, so those here are estimates.
    """

    repeatable: ClassVar[bool] = True

    FORMER_FIELDS: ClassVar = {"moves": "max_migrations", "fill": "max_utilisation"}

    threshold: float = parameter(
        "Standard deviation of host utilisation above which VMs are migrated.",
        0.05,
        dimension="share",
        ge=0,
        le=1,
    )
    max_migrations: int = parameter("Maximum number of migrations per round.", 8, ge=1)
    cost_per_gib: float = parameter(
        "Minimum reduction of the utilisation gap between two hosts per GiB copied.",
        0.002,
        dimension="share",
        ge=0,
        le=1,
    )
    max_utilisation: float = parameter(
        "Maximum utilisation of a target host.", 0.9, dimension="share", gt=0, le=1
    )

    samples = 0
    powers_down = False
    migrates_vms = True

    def decide(self, view: FarmView) -> Plan:
        """Return the migrations of one round."""
        hosts = np.flatnonzero(view.awake() & (view.hosts.state == PowerState.ON))
        return _Round(self, view, hosts).plan() if len(hosts) > 1 else Plan()


class _Round:
    """The tentative loads of one round; a host is named by its position."""

    def __init__(self, policy: Balance, view: FarmView, hosts: Ints) -> None:
        self._policy, self._view, self._hosts = policy, view, hosts
        load_mhz = view.expected_mhz()
        capacity_mhz = view.hosts.cpu_mhz * policy.max_utilisation
        self._candidates = Candidates(view, hosts, view.vms.load_mhz, load_mhz, capacity_mhz)
        self._cpu_mhz = view.hosts.cpu_mhz[hosts]
        self._load_mhz: Floats = load_mhz[hosts]
        movable = view.vms_on(hosts)
        self._movable = movable[view.vms.state[movable] == VmState.RUNNING]
        self._moved: set[int] = set()

    def plan(self) -> Plan:
        """Return the migrations, greatest imbalance first."""
        plan = Plan()
        settled = np.zeros(len(self._hosts), bool)
        while len(plan.proposals) < self._policy.max_migrations and not settled.all():
            use = self._load_mhz / self._cpu_mhz
            imbalance = float(use.std())
            if imbalance <= self._policy.threshold + TIE:
                break
            source = first_highest(np.where(settled, -1.0, use))
            move = self._best(source, use)
            if move is None:
                settled[source] = True
                continue
            vm, target = move
            self._take(vm, source, target)
            reason = Reason(RULE, imbalance, self._policy.threshold)
            source_row, target_row = int(self._hosts[source]), int(self._hosts[target])
            plan.move(vm, target_row, reason, Search(len(self._hosts)), source_row)
        return plan

    def _best(self, source: int, use: Floats) -> tuple[int, int] | None:
        """Return the VM and the target that lower the deviation most, None if none is worth it."""
        vms = self._guests(source)
        lower = use < use[source] - TIE
        if not len(vms) or not lower.any():
            return None
        load_mhz = self._candidates.need_mhz[vms][:, None]
        here = use[source] - load_mhz / self._cpu_mhz[source]
        there = use + load_mhz / self._cpu_mhz
        gain = (use[source] - use) - np.abs(here - there)
        worth = gain > self._policy.cost_per_gib * self._gib(vms)[:, None] + TIE
        worth &= lower & ~self._barred(vms)
        if not worth.any():
            return None
        # Between equal hosts the mean stays, so the deviation falls with the sum of squares.
        squares = np.where(worth, use[source] ** 2 + use**2 - here**2 - there**2, -np.inf)
        vm, target = np.unravel_index(first_highest(squares.ravel()), squares.shape)
        return int(vms[vm]), int(target)

    def _guests(self, source: int) -> Ints:
        """Return the VMs of a host that may migrate, alone and for the first time this round."""
        at = self._view.vms.host[self._movable] == self._hosts[source]
        vms: Ints = self._movable[at]
        free = [vm for vm in vms.tolist() if vm not in self._moved and self._alone(vm)]
        return np.array(free, np.int64)

    def _alone(self, vm: int) -> bool:
        return len(self._view.affinity_group(vm)) == 1

    def _gib(self, vms: Ints) -> Floats:
        gib: Floats = self._view.vms.memory_mib[vms] / MIB_PER_GIB
        return gib

    def _barred(self, vms: Ints) -> Bools:
        barred = self._candidates.full(vms)
        for index, vm in enumerate(vms.tolist()):
            rules = self._candidates.barred(vm)
            if rules is not None:
                barred[index] |= rules
        return barred

    def _take(self, vm: int, source: int, target: int) -> None:
        need_mhz = float(self._candidates.need_mhz[vm])
        self._load_mhz[source] -= need_mhz
        self._load_mhz[target] += need_mhz
        self._candidates.take(vm, target)
        self._moved.add(vm)
