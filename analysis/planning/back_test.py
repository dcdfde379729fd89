"""Back-test: size a farm by the first part of its history, and play the rest on that answer."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ...models.sizing.held_out import Overload, host_sums, overload
from ...models.sizing.least_hosts import LeastHosts, least_hosts
from ...models.sizing.planned_farm import PlannedHosts, equal_hosts
from ...models.workload.load_band import PERCENTILE
from ...models.workload.peaks import percentile
from ...scenarios.build.build import Case, load_of
from ...scenarios.build.workload import Load
from ...scenarios.scenario import Scenario
from ..base.wording import count, percent
from .load_tiers import known_load
from .planned_farm import Plan, PlannedCluster, plan_of

KNOWN = 0.75
"""Share of the history that a back-test sizes by; the rest is held out."""
DAY_S = 86_400.0
SLOTS = 64
"""Samples of demand that are held at a time."""


@dataclass(frozen=True)
class ClusterBackTest:
    """What the answer for a cluster would have missed.

    ``hosts`` is the number of hosts by the first part of the history, ``hosts_needed`` that by the
    held-out part, each None where no number is enough. ``known_p95_mhz`` and ``held_p95_mhz`` are
    the 95th percentiles of the summed CPU need of both parts, ``above_plan`` is the share of the
    held-out time with a sum above the former: 5 % if nothing changed. ``overload`` is that of the
    hosts of the answer, with the VMs where it put them.
    """

    cluster: str
    hosts: int | None
    hosts_needed: int | None
    known_p95_mhz: float
    held_p95_mhz: float
    above_plan: float
    overload: Overload | None

    @property
    def words(self) -> str:
        """What it showed, as a sentence."""
        if self.hosts is None or self.overload is None:
            return f"{self.cluster}: no number of hosts was enough, so that nothing could be tried."
        change = self.held_p95_mhz / self.known_p95_mhz - 1 if self.known_p95_mhz else 0.0
        drift = f"{percent(abs(change))} {'above' if change > 0 else 'below'}"
        needed = (
            "as many"
            if self.hosts_needed == self.hosts
            else count(self.hosts_needed, "host")
            if self.hosts_needed is not None
            else "more than can be found"
        )
        return (
            f"{self.cluster}: {count(self.hosts, 'host')} by the first part; by the rest it "
            f"would have been {needed}. The P95 of the CPU need was {drift} the one that was "
            f"known. {_overload_words(self.overload)}"
        )


def _overload_words(seen: Overload) -> str:
    """Say how much more CPU hosts were asked for than they have."""
    if not seen.host_time:
        return "No host was ever asked for more CPU than it has."
    return (
        f"Hosts were asked for more CPU than they have in {percent(seen.host_time)} of their time "
        f"(the worst one in {percent(seen.worst_host)}), by {percent(seen.mean_excess)} of their "
        f"capacity on average and {percent(seen.most_excess)} at most."
    )


@dataclass(frozen=True)
class BackTest:
    """A back-test of a farm, cluster by cluster; ``days`` are those of the two parts.

    ``reason`` says why nothing was tried, empty where it was.
    """

    known_days: float
    held_days: float
    clusters: Sequence[ClusterBackTest]
    reason: str = ""

    @property
    def words(self) -> list[str]:
        """What it showed, as sentences."""
        if self.reason:
            return [f"No back-test: {self.reason}."]
        head = (
            f"Back-test: sized by the first {self.known_days:.3g} days of the history, and tried "
            f"on the {self.held_days:.3g} days after them."
        )
        return [head, *(each.words for each in self.clusters)]


def back_test(scenario: Scenario, load: Load | None = None) -> BackTest:
    """Return what sizing by the first three quarters of the measured load would have missed.

    Each cluster is sized with hosts like the largest of its own, limits and reserve of the
    scenario; no simulation is run: the need of the VMs on each host is added up over the last
    quarter. There has to be a history of 7 days or more of the VMs themselves. Raises InputError
    if the scenario cannot be planned.
    """
    load = load or load_of(scenario)
    known = known_load(scenario, load)
    if known.tier != "L5":
        return BackTest(0.0, 0.0, [], "it needs measured series of the VMs of 7 days or more")
    plan, case = plan_of(scenario, load)
    step_s = load.new_demand().step_s
    slots = int(max(each.length_s for each in load.recordings) / step_s)
    split = int(slots * KNOWN)
    whole = [each for each in plan.clusters if not each.incomplete and len(each.vms)]
    if not whole or not all(len(each.farm.hosts) for each in whole):
        return BackTest(0.0, 0.0, [], "no cluster has all its hosts in the inventory")
    parts = [_Part(case, whole, range(split)), _Part(case, whole, range(split, slots))]
    answers = [
        [_sized(plan, each, part, number) for number, each in enumerate(whole)] for part in parts
    ]
    sums = _host_sums(case, whole, answers[0], range(split, slots))
    found = [
        _tested(each, number, parts, answers, sums[number]) for number, each in enumerate(whole)
    ]
    days = DAY_S / step_s
    return BackTest(split / days, (slots - split) / days, found)


class _Part:
    """The need of VMs in a part of the history: means (vms,), and sums of each cluster."""

    def __init__(self, case: Case, clusters: Sequence[PlannedCluster], slots: range) -> None:
        self.means_mhz = np.zeros(len(case.farm.vms))
        self.sums_mhz = np.zeros((len(slots), len(clusters)))
        for window, need_mhz in _needs(case, slots):
            self.means_mhz += need_mhz.sum(axis=0) / len(slots)
            at = slice(window.start - slots.start, window.stop - slots.start)
            for number, each in enumerate(clusters):
                self.sums_mhz[at, number] = need_mhz[:, each.vms].sum(axis=1)

    def p95_mhz(self, number: int) -> float:
        """Return the 95th percentile of the sum of a cluster."""
        return percentile(self.sums_mhz[:, number], PERCENTILE)


def _needs(case: Case, slots: range) -> Iterator[tuple[range, Floats]]:
    """Yield windows of samples with the CPU need of all VMs in each, (samples, vms), in MHz.

    It includes what the hypervisor adds, at most on any group of hosts that the VM may use.
    """
    layer, size = case.stack.layer, case.farm.vms.size
    factor = np.where(layer.allowed, layer.work_factor, 0.0).max(axis=1, initial=0.0)[size]
    demand = case.load.new_demand()
    for first in range(slots.start, slots.stop, SLOTS):
        window = range(first, min(first + SLOTS, slots.stop))
        yield window, demand.batch(window).of(slice(None)) * factor


def _sized(plan: Plan, cluster: PlannedCluster, part: _Part, number: int) -> LeastHosts:
    """Return the least hosts of a cluster by the need of a part of the history."""
    farm = cluster.farm
    means_mhz = part.means_mhz[cluster.vms]
    total = float(means_mhz.sum())
    parts_mhz = means_mhz * (part.p95_mhz(number) / total if total else 0.0)
    alone = replace(farm, vms=replace(farm.vms, cpu_mhz=parts_mhz))
    return least_hosts(alone, _largest(farm.hosts), plan.limits, cluster.reserve)


def _largest(hosts: PlannedHosts) -> "_HostsLike":
    one = hosts.largest()
    return _HostsLike(int(one.cores[0]), float(one.cpu_mhz[0]), float(one.memory_mib[0]))


@dataclass(frozen=True)
class _HostsLike:
    """What makes a number of equal hosts."""

    cores: int
    cpu_mhz: float
    memory_mib: float

    def __call__(self, number: int) -> PlannedHosts:
        return equal_hosts(number, self.cores, self.cpu_mhz, self.memory_mib)


def _host_sums(
    case: Case, clusters: Sequence[PlannedCluster], answers: Sequence[LeastHosts], slots: range
) -> list[Floats]:
    """Return the need of each host of each answer over time, (samples, hosts)."""
    found: list[list[Floats]] = [[] for _ in clusters]
    for _, need_mhz in _needs(case, slots):
        for number, each in enumerate(clusters):
            farm = answers[number].farm
            if farm is not None:
                own = need_mhz[:, each.vms]
                found[number].append(host_sums(own, farm.home, len(farm.hosts)))
    return [np.concatenate(each) if each else np.zeros((0, 0)) for each in found]


def _tested(
    cluster: PlannedCluster,
    number: int,
    parts: Sequence[_Part],
    answers: Sequence[Sequence[LeastHosts]],
    sums: Floats,
) -> ClusterBackTest:
    """Return what the answer of a cluster would have missed."""
    (known, held), answer = parts, answers[0][number]
    seen = None if answer.farm is None else overload(sums, answer.farm.hosts.cpu_mhz)
    p95_mhz = known.p95_mhz(number)
    return ClusterBackTest(
        cluster.name,
        answer.hosts,
        answers[1][number].hosts,
        p95_mhz,
        held.p95_mhz(number),
        float((held.sums_mhz[:, number] > p95_mhz).mean()),
        seen,
    )
