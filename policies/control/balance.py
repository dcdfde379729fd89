"""Balance load like DRS: migrate VMs from the most to the least loaded hosts."""

from typing import ClassVar, Literal

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, distinct, sum_by
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ...models.base.ties import TIE, first_highest
from ...models.state.columns import PowerState, VmState
from ..interface.plan import Plan, Reason, Search
from ..interface.view import FarmView
from ..placement.candidates import Candidates

RULE, MEMORY_RULE = "balance", "balance of memory"
MIB_PER_GIB = 1024.0


@dataclass(frozen=True)
class Balance:
    """In every round, migrate VMs from the most loaded to the least loaded hosts.

    While the standard deviation of the utilisation of the hosts that are on exceeds a threshold, a
    VM leaves the most loaded host: the migration that reduces the deviation most, among those whose
    gain exceeds their cost. The gain is the reduction of the utilisation gap between the two hosts;
    the cost grows with the memory to be copied. The hosts of each cluster are balanced by
    themselves. After Gulati et al., "VMware Distributed Resource
    Management" (VMware Technical Journal 1, 2012), where load counts per capacity, imbalance is the
    standard deviation over hosts, and moves are chosen greedily against their cost; threshold and
    cost there are of another scale, so those here are estimates.
    """

    repeatable: ClassVar[bool] = True

    FORMER_FIELDS: ClassVar = {"moves": "max_migrations", "fill": "max_utilisation"}

    balance: Literal["cpu", "memory", "both"] = parameter(
        "What is balanced: CPU in use, memory of VMs, or both, the one with the larger deviation "
        "first.",
        "cpu",
    )
    threshold: float = parameter(
        "Standard deviation of host utilisation above which VMs are migrated.",
        0.05,
        dimension="share",
        ge=0,
        le=1,
    )
    max_migrations: int = parameter(
        "Maximum number of migrations per round, in each cluster.", 8, ge=1
    )
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
        """Return the migrations of one round, cluster by cluster."""
        on = np.flatnonzero(view.awake() & (view.hosts.state == PowerState.ON))
        plan = Plan()
        for cluster in distinct(view.hosts.cluster[on]).tolist():
            hosts = on[view.hosts.cluster[on] == cluster]
            if len(hosts) > 1:
                _Round(self, view, hosts).add_to(plan)
        return plan


class _Resource:
    """Use of CPU or memory by the hosts of a round, as far as it is planned.

    ``capacity`` and ``load`` are (hosts,) by position, ``need`` (vms,); ``settled`` are the hosts
    that no migration relieves any more.
    """

    def __init__(self, rule: str, capacity: Floats, load: Floats, need: Floats) -> None:
        self.rule, self.capacity, self.load, self.need = rule, capacity, load, need
        self.settled = np.zeros(len(load), bool)

    @property
    def use(self) -> Floats:
        """Return the share in use of each host."""
        shares: Floats = self.load / self.capacity
        return shares

    def after(self, vms: Ints, source: int) -> tuple[Floats, Floats]:
        """Return the use of a source and of every host once each VM has moved: (vms, hosts)."""
        need, use = self.need[vms][:, None], self.use
        return use[source] - need / self.capacity[source], use + need / self.capacity

    def squares(self, vms: Ints, source: int) -> Floats:
        """Return by how much each VM's move to each host lowers the sum of squares of the use."""
        use = self.use
        here, there = self.after(vms, source)
        lower: Floats = use[source] ** 2 + use**2 - here**2 - there**2
        return lower

    def take(self, vm: int, source: int, target: int) -> None:
        """Move a VM."""
        need = float(self.need[vm])
        self.load[source] -= need
        self.load[target] += need


class _Round:
    """The tentative loads of one round; a host is named by its position."""

    def __init__(self, policy: Balance, view: FarmView, hosts: Ints) -> None:
        self._policy, self._view, self._hosts = policy, view, hosts
        load_mhz = view.expected_mhz()
        capacity_mhz = np.minimum(view.hosts.cpu_mhz * policy.max_utilisation, view.hosts.plan_mhz)
        self._candidates = Candidates(view, hosts, view.vms.load_mhz, load_mhz, capacity_mhz)
        self._resources: list[_Resource] = []
        if policy.balance != "memory":
            need_mhz = self._candidates.need_mhz
            self._resources.append(
                _Resource(RULE, view.hosts.cpu_mhz[hosts], load_mhz[hosts], need_mhz)
            )
        if policy.balance != "cpu":
            memory_mib, held_mib = view.hosts.memory_mib[hosts], _expected_mib(view)[hosts]
            need_mib = view.vms.footprint_mib
            self._resources.append(_Resource(MEMORY_RULE, memory_mib, held_mib, need_mib))
        movable = view.vms_on(hosts)
        self._movable = movable[view.vms.state[movable] == VmState.RUNNING]
        self._moved: set[int] = set()

    def add_to(self, plan: Plan) -> None:
        """Add the migrations to a plan, greatest imbalance first."""
        made = 0
        while made < self._policy.max_migrations:
            found = self._most_uneven()
            if found is None:
                return
            resource, imbalance = found
            source = first_highest(np.where(resource.settled, -1.0, resource.use))
            move = self._best(resource, source)
            if move is None:
                resource.settled[source] = True
                continue
            vm, target = move
            self._take(vm, source, target)
            reason = Reason(resource.rule, imbalance, self._policy.threshold)
            source_row, target_row = int(self._hosts[source]), int(self._hosts[target])
            plan.move(vm, target_row, reason, Search(len(self._hosts)), source_row)
            made += 1

    def _most_uneven(self) -> tuple[_Resource, float] | None:
        """Return the resource with the largest deviation above the threshold, with that."""
        uneven = [
            (float(each.use.std()), -number)
            for number, each in enumerate(self._resources)
            if not each.settled.all()
        ]
        if not uneven:
            return None
        imbalance, number = max(uneven)
        if imbalance <= self._policy.threshold + TIE:
            return None
        return self._resources[-number], imbalance

    def _best(self, resource: _Resource, source: int) -> tuple[int, int] | None:
        """Return the VM and the target that lower the deviation most, None if none is worth it."""
        vms, use = self._guests(source), resource.use
        lower = use < use[source] - TIE
        if not len(vms) or not lower.any():
            return None
        here, there = resource.after(vms, source)
        gain = (use[source] - use) - np.abs(here - there)
        worth = gain > self._policy.cost_per_gib * self._gib(vms)[:, None] + TIE
        worth &= lower & ~self._barred(vms)
        if not worth.any():
            return None
        # Between equal hosts the mean stays, so the deviation falls with the sum of squares.
        first, *others = self._resources
        squares = first.squares(vms, source)
        for other in others:
            squares = squares + other.squares(vms, source)
            worth &= squares > TIE  # what one gains the other may not lose
        if not worth.any():
            return None
        squares = np.where(worth, squares, -np.inf)
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
        for resource in self._resources:
            resource.take(vm, source, target)
        self._candidates.take(vm, target)
        self._moved.add(vm)


def _expected_mib(view: FarmView) -> Floats:
    """Return the memory of the VMs on each host after ongoing migrations, (hosts,)."""
    vms = view.vms
    home = np.where(vms.moving_to >= 0, vms.moving_to, vms.host)
    placed = home >= 0
    return sum_by(home[placed], weights=vms.footprint_mib[placed], minlength=len(view.hosts))
