"""What is known of the load of a farm: the tier, its method and confidence, and the CPU need.

Tiers, from the best: L5 series of the VMs over at least 7 days; L4 means over a period; L3 sums at
12 or more instants; L2 one instant by VM; L1 one instant by host; L0 sizes only. The weakest basis
is that of the answer. A load that no inventory stands behind is ``assumed``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import field

import numpy as np

from ...models.base.arrays import Bools, Floats
from ...models.base.lazy_dataclass import dataclass
from ...models.workload.load_band import (
    ENOUGH,
    FEW,
    PERCENTILE,
    Band,
    what_to_measure,
)
from ...models.workload.peaks import MAXIMUM, Coincidence, percentile, percentiles
from ...scenarios.build.build import load_of
from ...scenarios.build.workload import Load
from ...scenarios.readers.recorded_use import OF_CLUSTER, OF_HOST, UNKNOWN, MadeLoad
from ...scenarios.scenario import Scenario
from ...scenarios.traces.formats import RecordedTrace
from ...scenarios.traces.snapshot import SnapshotLoad
from ..base.wording import count, percent

DAY_S = 86_400.0
WEEK_S, TWO_WEEKS_S = 7 * DAY_S, 14 * DAY_S
COVERAGE = 0.9
"""Share of samples, and of vCPUs, that has to be known for a tier to hold for the whole."""
SLOTS = 64
"""Samples that are added up at a time."""
HELD = 20_000_000
"""Values of single VMs that are held at a time to find their percentiles."""
ASSUMED = "assumed"
NO_CLUSTER = ""
METHODS: Mapping[str, str] = {
    "L5": "measured series of each VM",
    "L4": "means over a period, with the shape of recorded VMs",
    "L3": "95th percentile of the sums at several instants",
    "L2": "CPU in use of each VM at one instant, with a band of the load factor",
    "L1": "CPU in use of each host at one instant, split over its VMs, with a band of the factor",
    "L0": "sizes of the VMs only, with a median of public traces",
    ASSUMED: "what the scenario assumes",
}


@dataclass(frozen=True)
class KnownLoad:
    """What is known of the load: its tier, the confidence in CPU answers, and why.

    ``tier`` is a key of METHODS. ``confidence`` is ``high``, ``medium``, ``low``, ``none`` or
    ``assumed``. ``words`` is a clause without a full stop, ``remarks`` are sentences,
    ``to_measure`` says in sentences what would make it better.
    """

    tier: str
    confidence: str
    words: str
    remarks: Sequence[str] = ()
    to_measure: Sequence[str] = ()

    @property
    def method(self) -> str:
        """How the CPU need is found, in words."""
        return METHODS[self.tier]

    @property
    def only_if(self) -> bool:
        """Whether answers on CPU hold only if its assumption does."""
        return self.confidence == "none"


@dataclass(frozen=True)
class CpuNeed:
    """CPU that the VMs of a cluster ask for together, in MHz of guest work.

    ``basis_mhz`` is what factors count from: the recorded sum, or the 95th percentile itself where
    it was measured or assumed. ``p95_mhz`` is the 95th percentile over time of the sum.
    """

    cluster: str
    vms: int
    basis_mhz: float
    p95_mhz: Band

    @property
    def factors(self) -> Band:
        """The 95th percentile as a multiple of the basis; NaN where that is 0."""
        return self.p95_mhz.times(1 / self.basis_mhz if self.basis_mhz > 0 else math.nan)


@dataclass(frozen=True)
class CpuNeeds:
    """CPU need of the whole farm and of each cluster, with what is known of the load.

    VMs of no cluster are listed under an empty name. The need of the farm is not the sum of those
    of the clusters, which do not peak together.
    """

    known: KnownLoad
    farm: CpuNeed
    clusters: Sequence[CpuNeed] = field(default_factory=list)


def cpu_needs(scenario: Scenario, load: Load | None = None) -> CpuNeeds:
    """Return the CPU need of a scenario's farm and clusters, and what is known of its load.

    ``load`` is that of the scenario, if it was read already. Members of applications do not count.
    Raises InputError if the load cannot be read.
    """
    load = load or load_of(scenario)
    cluster = _cluster_of_vms(load)
    names = sorted(set(cluster.tolist()))
    if load.snapshot is not None:
        source = scenario.workload.source
        assert isinstance(source, SnapshotLoad)
        needs = [_of_snapshot(load.snapshot, source, cluster == name, name) for name in names]
        everyone = np.ones(len(cluster), bool)
        return CpuNeeds(
            _known_snapshot(load.snapshot, source, load),
            _of_snapshot(load.snapshot, source, everyone, None),
            needs,
        )
    measured = _measured(load, scenario.run.duration, [cluster == name for name in names])
    farm, *sums = (percentile(each, PERCENTILE) for each in measured.sums_mhz)
    known = _known_series(scenario, load, measured)
    return CpuNeeds(
        known,
        CpuNeed("", len(cluster), farm, Band(farm, farm, farm)),
        [
            CpuNeed(name, int((cluster == name).sum()), mhz, Band(mhz, mhz, mhz))
            for name, mhz in zip(names, sums, strict=True)
        ],
    )


def known_load(scenario: Scenario, load: Load | None = None) -> KnownLoad:
    """Return what is known of the load of a scenario. Raises InputError if it cannot be read."""
    return cpu_needs(scenario, load).known


@dataclass(frozen=True)
class Peaks:
    """How far the peaks of VMs coincide, for each percentile: in the farm, and in each cluster."""

    farm: Sequence[Coincidence]
    clusters: Mapping[str, Sequence[Coincidence]]


def peak_coincidences(
    scenario: Scenario, load: Load | None = None, at: Sequence[float] = (PERCENTILE, MAXIMUM)
) -> Peaks:
    """Return the coincidence of the peaks of a scenario's VMs at percentiles ``at`` (1: maximum).

    Sums and percentiles are those of the samples of the recorded load, gaps filled as the scenario
    says, else of the run. Load that is made of a snapshot or by a generator has the coincidence
    that it was made with. Raises InputError if the load cannot be read.
    """
    load = load or load_of(scenario)
    cluster = _cluster_of_vms(load)
    names = sorted(set(cluster.tolist()))
    groups = [np.ones(len(cluster), bool), *(cluster == name for name in names)]
    sums = _measured(load, scenario.run.duration, groups[1:]).sums_mhz
    slots = len(sums[0])
    own_mhz = np.zeros((len(at), len(cluster)))
    step = max(HELD // slots, 1)
    for first in range(0, len(cluster), step):
        rows = np.arange(first, min(first + step, len(cluster)))
        demand, mhz = load.new_demand(), np.zeros((slots, len(rows)))
        for start in range(0, slots, SLOTS):
            window = range(start, min(start + SLOTS, slots))
            mhz[window.start : window.stop] = demand.batch(window).of(rows)
        for number, p in enumerate(at):
            own_mhz[number, rows] = percentiles(mhz, p)
    farm, *others = (
        [
            Coincidence(p, percentile(total, p), float(own_mhz[number, mine].sum()), slots, slots)
            for number, p in enumerate(at)
        ]
        for total, mine in zip(sums, groups, strict=True)
    )
    return Peaks(farm, dict(zip(names, others, strict=True)))


def _cluster_of_vms(load: Load) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
    """Return the name of the cluster of each VM (VMs,) that follows the load; empty for none."""
    if load.table is not None:
        return np.array(load.table.cluster, dtype=np.str_)
    own = np.array([(size.cluster or NO_CLUSTER) if size else NO_CLUSTER for size in load.held])
    members = 0 if load.applications is None else load.applications.members
    found: np.ndarray[tuple[int], np.dtype[np.str_]] = own[load.vms.size[: len(load.vms) - members]]
    return found


# -- a snapshot, or means -------------------------------------------------------------------------


def _of_snapshot(made: MadeLoad, source: SnapshotLoad, mine: Bools, cluster: str | None) -> CpuNeed:
    """Return the CPU need of some VMs (VMs,), those of a cluster or (None) of the farm.

    The factor that the scenario gives is the typical one. Where means over a period are known, the
    need is at most the sum of the peaks of the hosts, if these are known for all.
    """
    basis_mhz = float(made.use.mhz[mine].sum())
    own = cluster if cluster and source.sums_mhz(cluster) else None
    total_mhz = basis_mhz if own else float(made.use.mhz.sum())
    factors = source.factors(total_mhz, own)
    wanted = source.wanted(total_mhz, own)
    band = Band(min(factors.low, wanted), wanted, max(factors.high, wanted)).times(basis_mhz)
    if _tier(made, source) == "L4":
        most_mhz = _peaks_mhz(made, mine)
        band = Band(max(band.low, basis_mhz), min(band.typical, most_mhz), min(band.high, most_mhz))
    return CpuNeed(cluster or "", int(mine.sum()), basis_mhz, band)


def _peaks_mhz(made: MadeLoad, mine: Bools) -> float:
    """Return the sum of the peaks of the hosts of some VMs, infinite where one is not known."""
    peaks_mhz = made.use.host_peak_mhz[mine]
    if not len(peaks_mhz) or np.isnan(peaks_mhz).any():
        return math.inf
    _, first = np.unique(np.array(made.hosts)[mine], return_index=True)
    return max(float(peaks_mhz[first].sum()), float(made.use.mhz[mine].sum()))


def _tier(made: MadeLoad, source: SnapshotLoad) -> str:
    """Return the tier of load made of a snapshot or of means."""
    unknown, hosts = (made.share_of_vcpus(basis) for basis in (UNKNOWN, OF_HOST))
    if unknown > 1 - 1e-9:
        return "L0"
    if len(source.sums_mhz()) >= FEW:
        return "L3"
    if source.recorded == "mean" and not source.snapshots:
        return "L4"
    return "L1" if hosts > 0 else "L2"


def _known_snapshot(made: MadeLoad, source: SnapshotLoad, load: Load) -> KnownLoad:
    """Return what is known of load made of a snapshot or of means."""
    tier, snapshots = _tier(made, source), len(source.sums_mhz())
    unknown = made.share_of_vcpus(UNKNOWN)
    confidence = {"L4": "medium", "L0": "none"}.get(tier, "low")
    if tier == "L3" and snapshots >= ENOUGH:
        confidence = "medium"
    if unknown > 1 - COVERAGE:
        confidence = "none"
    words = {
        "L4": "CPU demand is known as means over a period",
        "L3": f"CPU demand is known from {snapshots} instants",
        "L2": "CPU demand of each VM is known from one instant only",
        "L1": "CPU demand is known by host, from one instant only",
        "L0": "nothing is known of CPU demand",
    }[tier]
    if tier in ("L1", "L2") and source.snapshots:
        words = f"CPU demand is known from {count(len(source.snapshots), 'instant')} only"
    estimated = made.share_of_vcpus(OF_CLUSTER)
    if tier != "L0" and unknown:
        words += f", and not at all for {percent(unknown)} of the vCPUs"
    if estimated:
        words += f", estimated by cluster for {percent(estimated)} of the vCPUs"
    if confidence == "none":
        words += ": answers on CPU hold only if that is what the VMs use"
    return KnownLoad(tier, confidence, words, load.warnings, what_to_measure(source.profile))


# -- series ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Measured:
    """Sums in MHz of all VMs and of some of them, (samples,) each, and VMs that never change."""

    sums_mhz: Sequence[Floats]
    length_s: float
    constant: Bools


def _measured(load: Load, duration_s: float, groups: Sequence[Bools]) -> _Measured:
    """Return sums over time of all VMs and of each group (VMs,), and the VMs that never change.

    Samples are those of the recorded load, else those of a run of ``duration_s``.
    """
    demand = load.new_demand()
    length_s = max((each.length_s for each in load.recordings), default=duration_s)
    slots = max(int(length_s / demand.step_s), 1)
    members = 0 if load.applications is None else load.applications.members
    vms = len(load.vms) - members
    sums = np.zeros((1 + len(groups), slots))
    low, high = np.full(vms, np.inf), np.full(vms, -np.inf)
    for first in range(0, slots, SLOTS):
        window = range(first, min(first + SLOTS, slots))
        mhz = demand.batch(window).of(slice(0, vms))
        at = slice(window.start, window.stop)
        sums[0, at] = mhz.sum(axis=1)
        for number, mine in enumerate(groups, 1):
            sums[number, at] = mhz[:, mine].sum(axis=1)
        np.minimum(low, mhz.min(axis=0), out=low)
        np.maximum(high, mhz.max(axis=0), out=high)
    return _Measured(list(sums), slots * demand.step_s, low == high)


def _span(days: float) -> str:
    """Return a time in words, in hours below two days."""
    return count(days, "day") if days >= 2 else count(24 * days, "hour")


def _known_series(scenario: Scenario, load: Load, measured: _Measured) -> KnownLoad:
    """Return what is known of a load of series: measured ones of these VMs, or assumed ones."""
    source, quality = scenario.workload.source, load.quality
    own = isinstance(source, RecordedTrace) and source.type != "shipped" and load.arrivals is None
    if not own or quality is None:
        words = f"the load is assumed by the scenario ({load.source})"
        return KnownLoad(ASSUMED, ASSUMED, words)
    days = measured.length_s / DAY_S
    words = f"CPU demand was measured over {_span(days)}"
    remarks = [
        f"Load of {count(quality.series, 'VM')}, {percent(quality.coverage)} of the samples."
    ]
    vcpus = load.vms.vcpus[: len(measured.constant)]
    still = float(vcpus[measured.constant].sum() / max(vcpus.sum(), 1))
    if measured.constant.any():
        remarks.append(
            f"The series of {count(int(measured.constant.sum()), 'VM')} ({percent(still)} of the "
            "vCPUs) never changes: constant, or not measured."
        )
    covered = quality.coverage >= COVERAGE and still <= 1 - COVERAGE
    confidence = "high" if covered and measured.length_s >= TWO_WEEKS_S else "medium"
    if measured.length_s < TWO_WEEKS_S:
        words += ", with no second week to confirm"
    if not covered:
        words += ", with less than 90 % of the VMs or samples known"
    remarks.append("A monthly cycle, if there is one, shows only in more than a month.")
    more = ["Export at least 14 days of CPU per VM, and the day of the monthly peak."]
    if measured.length_s < WEEK_S * (1 - 1e-9):
        # A few days hold many instants, but not those of the other days of a week.
        return KnownLoad("L3", "low", words, remarks, more)
    return KnownLoad("L5", confidence, words, remarks, [] if confidence == "high" else more)
