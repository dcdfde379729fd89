"""Find what each VM of a table uses, from what its row, its host or its cluster says."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, sum_by
from ...models.base.lazy_dataclass import dataclass
from ...models.workload.host_split import NOWHERE, split_use
from ...models.workload.load_band import FEWEST
from ...models.workload.snapshot_series import KnownUse, SnapshotSeries, Stream, WeeksOfVms
from ..errors.problems import refuse
from ..language.table_times import listed
from ..traces.archive import packed_as, read_file
from ..traces.demand_tables import read_shipped
from ..traces.snapshot import DAY_S, DAYS, SnapshotLoad
from ..traces.table_columns import csv_columns, numbers_of, parquet_columns
from ..traces.trace import InputFile
from .vms_table import VmsTable

FIRST_ROW = 2
BASES = ("recorded", "host", "cluster", "unknown")
RECORDED, OF_HOST, OF_CLUSTER, UNKNOWN = range(len(BASES))
"""Where the use of a VM is from: its own row, what its host shows, the other VMs of its cluster per
vCPU, or nothing but its size."""
LIBRARIES = {
    "steady": ("azure-v1-week",),
    "batch": ("bitbrains-4-weeks",),
    "mixed": ("azure-v1-week", "bitbrains-4-weeks"),
}
"""Shipped traces that shapes are drawn from, by profile; ``mixed`` has both in equal parts."""
FIRST_DAY = {"azure-v1-week": 0, "bitbrains-4-weeks": 3}
"""Day of the week on which a trace begins, Monday 0. That of Azure is not published: taken as 0."""
MOST_WEEKS = 4
WEEK_S = 7 * DAY_S


@dataclass(frozen=True, eq=False)
class RecordedUse:
    """CPU in use of VMs (VMs,) in MHz, none above its own CPU, with where each is from.

    ``basis`` (VMs,) are positions in BASES, ``host_peak_mhz`` (VMs,) the highest use of the host of
    a VM over a period where that is known, else NaN. ``notes`` say in sentences what was estimated,
    cut or left out, ``files`` what was read.
    """

    mhz: Floats
    basis: Ints
    host_peak_mhz: Floats
    notes: Sequence[str]
    files: Sequence[InputFile]

    @property
    def mhz_by_basis(self) -> dict[str, float]:
        """CPU in use by where it is from, MHz."""
        sums = sum_by(self.basis, weights=self.mhz, minlength=len(BASES))
        return dict(zip(BASES, sums.tolist(), strict=True))

    def count(self, basis: int) -> int:
        """Return the number of VMs of a basis."""
        return int((self.basis == basis).sum())


@dataclass(frozen=True, eq=False)
class MadeLoad:
    """Load made of a snapshot: its series, what it rests on, and what has to be said of it."""

    series: SnapshotSeries
    use: RecordedUse
    wanted: float
    basis: str
    """Where the wanted factor is from, in words."""
    time_known: bool
    vcpus: Ints
    """vCPUs of each VM (VMs,)."""
    hosts: Sequence[str]
    """The host on which each VM stands, empty where that is not known."""

    def share_of_vcpus(self, basis: int) -> float:
        """Return the share of the vCPUs whose use is from a basis, a position in BASES."""
        return float(self.vcpus[self.use.basis == basis].sum() / self.vcpus.sum())

    @property
    def warnings(self) -> list[str]:
        """What a reader of results has to know of the load."""
        return [*_words(self), *self.use.notes]


def made_load(
    source: SnapshotLoad,
    table: VmsTable,
    folder: Path,
    end_s: float,
    stream: Stream,
) -> MadeLoad:
    """Return load of the VMs of a table for a run of ``end_s``; the same for the same draws.

    It has whole weeks, at least as long as the run if that is no longer than MOST_WEEKS, and starts
    again then. Raises InputError for a table of hosts that is wrong.
    """
    use = recorded_use(source, table, folder, stream("workload.hosts"))
    own_mhz = table.vcpus * table.clock_mhz
    total_mhz = float(use.mhz.sum())
    wanted = source.wanted(total_mhz)
    libraries = [_library(name) for name in LIBRARIES[source.profile]]
    weeks = min(max(int(-(-end_s // WEEK_S)), 1), MOST_WEEKS)
    known = KnownUse(use.mhz, own_mhz, source.recorded)

    def draw(name: str) -> np.random.Generator:
        return stream(f"workload.{name}")

    series = SnapshotSeries(known, libraries, wanted, draw, weeks, source.at_s)
    known_time = source.at is not None
    return MadeLoad(series, use, wanted, _basis(source), known_time, table.vcpus, table.host)


def _basis(source: SnapshotLoad) -> str:
    """Return where the wanted factor is from, in words."""
    if not isinstance(source.factor, str):
        return "the number that the scenario gives"
    if len(source.sums_mhz()) >= FEWEST:
        return f"the {source.factor} estimate of {len(source.sums_mhz())} snapshots"
    return f"an assumption: {source.factor} of the band of {source.profile} load"


def recorded_use(
    source: SnapshotLoad, table: VmsTable, folder: Path, generator: "np.random.Generator"
) -> RecordedUse:
    """Return what each VM of a table uses; ``generator`` splits the use of hosts.

    Raises InputError for a table of hosts that is wrong.
    """
    own_mhz = table.vcpus * table.clock_mhz
    mhz = np.where(np.isnan(table.cpu_used_mhz), table.cpu_share * own_mhz, table.cpu_used_mhz)
    notes, files = [], []
    above = mhz > own_mhz
    if above.any():
        excess = float((mhz - own_mhz)[above].sum())
        notes.append(
            f"{_vms(int(above.sum()))} used more than their own CPU, {excess:,.0f} MHz in all "
            "(turbo, or another clock); cut."
        )
        mhz = np.minimum(mhz, own_mhz)
    basis = np.where(np.isnan(mhz), UNKNOWN, RECORDED)
    peak_mhz = np.full(len(mhz), np.nan)
    if source.hosts_file is not None:
        file, names, shown_mhz, peaks_mhz = _hosts(source, folder)
        files.append(file)
        place = {name: row for row, name in enumerate(names) if name}
        host = np.array([place.get(name, NOWHERE) for name in table.host], np.int64)
        peak_mhz = np.append(peaks_mhz, np.nan)[host]
        notes += _split(table, host, shown_mhz, mhz, basis, own_mhz, generator)
    notes += _by_cluster(table, mhz, basis, own_mhz)
    rest = np.isnan(mhz)
    mhz[rest] = source.unknown * own_mhz[rest]
    if rest.any():
        notes.append(
            f"Nothing is known of the CPU use of {_vms(int(rest.sum()))}; each is taken to use "
            f"{100 * source.unknown:g} % of its own CPU (workload.source.unknown)."
        )
    return RecordedUse(mhz, basis, peak_mhz, notes, files)


def _hosts(source: SnapshotLoad, folder: Path) -> tuple[InputFile, list[str], Floats, Floats]:
    """Return the table of hosts: file, names, their use and its peak in MHz, NaN if unknown.

    Raises InputError if a column is missing or a host is there twice.
    """
    shown = source.hosts_file or ""
    content = read_file(folder / shown, shown)
    packed = packed_as(content) == "Parquet"
    columns = parquet_columns(content, shown, ()) if packed else csv_columns(content, shown)
    wanted = ["cpu_used_mhz"]
    if source.recorded == "mean":
        wanted = ["cpu_mean_mhz", "cpu_used_mhz"]
    held = [name for name in wanted if name in columns]
    if "host" not in columns or not held:
        message = f"needs the columns host and {' or '.join(wanted)}; add what is missing"
        raise refuse(f"{shown}:1", message)
    names = [str(cell or "").strip() for cell in listed(columns["host"])]
    rows: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in rows:
            message = f"{name!r} is the host of row {rows[name] + FIRST_ROW} as well; remove one"
            raise refuse(f"{shown}:{index + FIRST_ROW}", message, "host")
        rows[name] = index

    def numbers(column: str) -> Floats:
        """Return a column as numbers of 0 or more."""
        values = numbers_of(columns[column], column, shown, FIRST_ROW)
        wrong = np.flatnonzero((values < 0) | np.isinf(values))
        if len(wrong):
            message = f"is {values[wrong[0]]:g}; write 0 or more, or leave it empty"
            raise refuse(f"{shown}:{wrong[0] + FIRST_ROW}", message, column)
        return values

    mhz = np.full(len(names), np.nan)
    for column in held:
        mhz = np.where(np.isnan(mhz), numbers(column), mhz)
    unknown = np.full(len(names), np.nan)
    peak_mhz = numbers("cpu_peak_mhz") if "cpu_peak_mhz" in columns else unknown
    return InputFile.of(shown, content), names, mhz, peak_mhz


def _split(
    table: VmsTable,
    host: Ints,
    shown_mhz: Floats,
    mhz: Floats,
    basis: Ints,
    own_mhz: Floats,
    generator: "np.random.Generator",
) -> list[str]:
    """Split what hosts use over their VMs without a use of their own, in ``mhz`` and ``basis``.

    ``host`` (VMs,) are positions in ``shown_mhz`` (hosts,). What VMs of the host are recorded to
    use is taken off first.
    """
    hosts = len(shown_mhz)
    stands = host != NOWHERE
    stands[stands] = ~np.isnan(shown_mhz[host[stands]])
    own = stands & (basis == RECORDED)
    taken = sum_by(host[own], weights=mhz[own], minlength=hosts)
    left_mhz = np.maximum(np.nan_to_num(shown_mhz, nan=0.0) - taken, 0.0)
    rows = np.flatnonzero(stands & (basis == UNKNOWN))
    notes = []
    if len(rows):
        mhz[rows] = split_use(left_mhz, host[rows], table.vcpus[rows], own_mhz[rows], generator)
        basis[rows] = OF_HOST
        few = len(set(host[rows].tolist()))
        whose = "1 host" if few == 1 else f"{few:,} hosts"
        notes.append(
            f"The CPU use of {_vms(len(rows))} is known only as that of {whose}; it is split among "
            "the VMs of a host by vCPUs, at random."
        )
    filled = sum_by(host[rows], weights=mhz[rows], minlength=hosts)
    lost = float((left_mhz - filled)[_without_own(host, own, rows, hosts)].sum())
    if lost > 1:
        notes.append(
            f"{lost:,.0f} MHz of what hosts use is of no VM of the table, or more than the own CPU "
            "of all; it is left out."
        )
    return notes


def _without_own(host: Ints, own: Bools, rows: Ints, hosts: int) -> Bools:
    """Return the hosts (hosts,) whose use was split, and those without any VM of the table.

    What is left of others is the hypervisor's and what VMs used between two readings.
    """
    all_recorded = np.zeros(hosts, bool)
    all_recorded[host[own]] = True
    all_recorded[host[rows]] = False
    return ~all_recorded


def _by_cluster(table: VmsTable, mhz: Floats, basis: Ints, own_mhz: Floats) -> list[str]:
    """Estimate VMs without a use, in ``mhz`` and ``basis``, by the others of their cluster.

    Each uses per vCPU what the VMs of its cluster use of which something is known, at most its own
    CPU. VMs of no cluster are one of their own.
    """
    clusters, cluster = np.unique(np.array(table.cluster), return_inverse=True)
    known = ~np.isnan(mhz)
    used = sum_by(cluster[known], weights=mhz[known], minlength=len(clusters))
    vcpus = table.vcpus.astype(np.float64)
    counted = sum_by(cluster[known], weights=vcpus[known], minlength=len(clusters))
    rows = np.flatnonzero(~known & (counted[cluster] > 0))
    if not len(rows):
        return []
    each_mhz = used[cluster[rows]] / counted[cluster[rows]]
    mhz[rows] = np.minimum(each_mhz * vcpus[rows], own_mhz[rows])
    basis[rows] = OF_CLUSTER
    return [
        f"The CPU use of {_vms(len(rows))} ({vcpus[rows].sum():,.0f} vCPUs) is not known; it is "
        f"estimated as {mhz[rows].sum():,.0f} MHz, per vCPU of the other VMs of their cluster."
    ]


def _library(name: str) -> WeeksOfVms:
    """Return the whole weeks of a shipped trace, turned to begin on a Monday.

    Days before the first Monday come last, as if the weeks were a circle.
    """
    trace = read_shipped(name)
    shares = trace.counts.astype(np.float64) * trace.share_per_count
    return WeeksOfVms(
        np.roll(shares, round(FIRST_DAY[name] * DAY_S / trace.step_s), 0), trace.step_s
    )


def _vms(count: int) -> str:
    return "1 VM" if count == 1 else f"{count:,} VMs"


def _words(made: MadeLoad) -> list[str]:
    """Say what the load is made of, and whether the factor was reached."""
    series = made.series
    kept = "mean" if series.kept == "mean" else "snapshot"
    if np.isnan(series.factor):
        return ["The recorded CPU use is 0 for all VMs, so that there is no load."]
    found = [
        f"The load is made of a {kept}: its shape over time is that of recorded VMs of other "
        f"farms; that its 95th percentile is {made.wanted:.3g} times the {kept} is {made.basis}. "
        "CPU results are only as certain as that."
    ]
    if not made.time_known:
        found.append(
            f"When the {kept} was taken is not known (workload.source.at); the run starts on "
            f"{moment(series.snapshot_s)} of the recorded weeks."
        )
    if abs(series.factor - made.wanted) > 1e-6 * made.wanted:
        found.append(
            f"The 95th percentile of the load is {series.factor:.3g} times the {kept}, not "
            f"{made.wanted:.3g}: {_why(made)}."
        )
    return found


def _why(made: MadeLoad) -> str:
    if made.series.factor < made.wanted:
        return "VMs are at their own CPU by then"
    return "single VMs vary that much even where the farm does not swing"


def moment(week_s: float) -> str:
    """Return a time of the week as text, ``Tue 14:30``."""
    day, rest_s = divmod(week_s, DAY_S)
    return f"{DAYS[int(day)]} {int(rest_s // 3600):02d}:{int(rest_s % 3600 // 60):02d}"
