"""Build demand series and VMs from the workload of a scenario.

A :class:`Load` can make its demand anew as often as it is wanted, always with the same draws, so
that a scenario and what it is compared with meet the same load.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...models.base.arrays import Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.state.columns import Vms
from ...models.workload.application import Applications
from ...models.workload.arrivals import Arrivals
from ...models.workload.demand import (
    ConstantSeries,
    Demand,
    OnEnd,
    Series,
    SteadySeries,
    TraceSeries,
)
from ...models.workload.demand_generators import Bursts, ClassSeries, ResampledSeries
from ...models.workload.vm_size import (
    VmSize,
    counts_from_shares,
    deal_blocks,
    deal_cycle,
    deal_random,
)
from ..errors.problems import refuse
from ..language.names import Numbered, Repeated
from ..readers.arrival_columns import Arriving
from ..readers.recorded_use import MadeLoad, made_load
from ..readers.series import by_name, by_number, of_vms, sizes_by_name, way_of
from ..readers.vm_columns import plain_sizes, sizes_of, vms_of, vms_of_table
from ..readers.vms_table import DerivedSizes, VmsTable, derive_sizes, read_vms
from ..resolve.load_classes import load_classes
from ..spec.arrivals import ArrivalPart
from ..spec.workload import (
    ConstantLoad,
    Resampled,
    Size,
    Synthetic,
    WorkloadPart,
)
from ..traces.formats import RecordedTrace
from ..traces.snapshot import SnapshotLoad
from ..traces.trace import InputFile, Quality, Rules, TraceData
from .arrivals import build_arrivals, describe_arrivals

Draw = Callable[[str], np.random.Generator]
WHERE = "workload"


@dataclass(frozen=True)
class Recording:
    """A recorded load, and its behaviour at its end.

    A run that is longer than the recording is told so in its report.
    """

    name: str
    length_s: float
    on_end: OnEnd


@dataclass
class Load:
    """A workload ready to run, which can be created any number of times.

    ``vms`` and ``sizes`` are those of the run, members of applications last; ``files`` and
    ``quality`` go into the report, ``source`` says in words where the load comes from.

    ``quality`` is None where nothing was read, ``make`` takes the number of rows for members.
    """

    make: Callable[[int], Demand]
    """Return the demand anew, with as many rows for members of applications."""
    vms: Vms
    sizes: list[VmSize]
    files: list[InputFile]
    quality: Quality | None
    source: str
    held: Sequence[Size | None]
    """What is written of each size, None where a trace brought it."""
    arrivals: Arrivals | None = None
    """When the VMs come and go, None where all are there all the time."""
    applications: Applications | None = None
    """Groups of VMs that scale; their members are the last rows of the VMs."""
    recordings: Sequence[Recording] = ()
    """Recorded loads, which may end."""
    table: VmsTable | None = None
    """The table that the VMs come from, in their order; None where sizes are written."""
    snapshot: MadeLoad | None = None
    """What load of a snapshot or of means is made of; None of any other."""

    @property
    def warnings(self) -> list[str]:
        """What readers of results have to know of the load, in sentences."""
        return [] if self.snapshot is None else self.snapshot.warnings

    def new_demand(self) -> Demand:
        """Return the demand of a run from its start, members of applications included."""
        return self.make(0 if self.applications is None else self.applications.members)


def build_load(
    part: WorkloadPart,
    folder: Path,
    draw: Callable[[], Draw],
    end_s: float,
    tenants: Sequence[str],
    scaling_s: float,
    clusters: Sequence[str] = (),
) -> Load:
    """Read or prepare the load of a run of ``end_s`` for the scenario's tenants and clusters.

    Paths start at ``folder``. ``draw`` returns generators by name, none drawn from yet, so that
    load made anew is the same load; without VMs of its own the workload has steps of ``scaling_s``.
    Raises InputError.

    The demand is made once to find faults before a run, and thrown away. Errors point to
    ``workload`` and the field below it, or to file and row of a trace.
    """
    if part.arrivals is not None:
        return _arriving(part, part.arrivals, folder, draw, end_s, tenants)
    source = part.source
    if source is None:
        return _none(part, scaling_s)
    trace = _trace(source.trace if isinstance(source, Resampled) else source, part, folder)
    if part.vms_file is not None:
        table = read_vms(folder / part.vms_file, part.vms_file)
        derived = derive_sizes(table, clusters)
        if isinstance(source, SnapshotLoad):
            return _of_snapshot(part, source, table, derived, folder, end_s, draw)
        return _of_table(part, table, derived, trace, draw)
    count = _count(part, trace)
    sizes, size_of_vm = _sizes(part, trace, count, lambda: draw()("workload.sizes"))
    names: Sequence[str] = Numbered("vm", count)
    series: Ints | None = None
    if trace is not None and not isinstance(source, Resampled):
        series = by_number(trace, way_of(part, trace), count)
        names = Repeated(trace.names, count)
    vms = vms_of(sizes, size_of_vm, names)
    if trace is not None and series is not None:
        trace, series = of_vms(trace, series, vms, part)
    written = {size.name: size for size in part.sizes}

    def make(members: int = 0) -> Demand:
        return Demand(_series(part, trace, count, draw(), series), vms.size_mhz, members)

    make()
    return Load(
        make=make,
        vms=vms,
        sizes=list(sizes),
        held=[written.get(size.name) for size in sizes],
        files=trace.files if trace else [],
        quality=trace.quality if trace else None,
        source=_describe(part),
        recordings=_recordings(part, trace),
    )


def _of_table(
    part: WorkloadPart,
    table: VmsTable,
    derived: DerivedSizes,
    trace: TraceData | None,
    draw: Callable[[], Draw],
) -> Load:
    """Return the load of the VMs of a table, which have their names, disks and priorities from it.

    Series go to VMs by the name that the table states, unless the scenario says otherwise. Raises
    InputError where they do not match.
    """
    vms = vms_of_table(table, derived)
    series: Ints | None = None
    if trace is not None and not isinstance(part.source, Resampled):
        way = way_of(part, trace)
        if way == "name":
            wanted = table.series_names()
            out = [name for names in table.left_out.values() for name in names]
            series = by_name(trace, wanted, [*wanted, *out], "")
        else:
            series = by_number(trace, way, len(table))
        trace, series = of_vms(trace, series, vms, part)

    def make(members: int = 0) -> Demand:
        return Demand(_series(part, trace, len(table), draw(), series), vms.size_mhz, members)

    make()
    return Load(
        make=make,
        vms=vms,
        sizes=plain_sizes(derived.written),
        held=derived.written,
        files=[table.file, *(trace.files if trace else [])],
        quality=trace.quality if trace else None,
        source=_describe(part),
        recordings=_recordings(part, trace),
        table=table,
    )


def _of_snapshot(
    part: WorkloadPart,
    source: SnapshotLoad,
    table: VmsTable,
    derived: DerivedSizes,
    folder: Path,
    end_s: float,
    draw: Callable[[], Draw],
) -> Load:
    """Return the load of the VMs of a table of which a snapshot or means are known."""
    vms = vms_of_table(table, derived)
    made = made_load(source, table, folder, end_s, draw())

    def make(members: int = 0) -> Demand:
        return Demand(made.series, vms.size_mhz, members)

    return Load(
        make=make,
        vms=vms,
        sizes=plain_sizes(derived.written),
        held=derived.written,
        files=[table.file, *made.use.files],
        quality=None,
        source=_describe(part),
        recordings=[Recording(source.described, made.series.length_s, "loop")],
        table=table,
        snapshot=made,
    )


def _recordings(part: WorkloadPart, trace: TraceData | None) -> list[Recording]:
    """Return how long the trace is that VMs replay, if they replay one.

    Blocks that are drawn again and again have no end.
    """
    if trace is None or isinstance(part.source, Resampled):
        return []
    return [Recording(_describe_source(part.source), trace.length_s, part.on_end)]


def _none(part: WorkloadPart, step_s: float) -> Load:
    """Return a load without VMs; members of applications have its sizes.

    Its demand is 0 at steps of ``step_s``, which is how often applications are looked at.
    """
    sizes, nobody = sizes_of(part), np.empty(0, np.int64)

    def make(members: int) -> Demand:
        return Demand(ConstantSeries(0.0, 0, step_s), np.zeros(0), members)

    return Load(make, vms_of(sizes, nobody, []), sizes, [], None, "no VMs", list(part.sizes))


def _arriving(
    part: WorkloadPart,
    arrivals: ArrivalPart,
    folder: Path,
    draw: Callable[[], Draw],
    end_s: float,
    tenants: Sequence[str],
) -> Load:
    """Return the load of VMs that come and go, one row per VM ever.

    Without a source of utilisation, each VM asks for its mean all the time. Raises InputError.
    """
    read = build_arrivals(arrivals, folder, end_s, tenants, draw())
    found = read.arrivals
    vms = vms_of(found.sizes, found.size, found.names)
    vms.priority[:] = found.priority
    source = part.source
    trace = _trace(source.trace if isinstance(source, Resampled) else source, part, folder)
    series: Ints | None = None
    if trace is not None:
        trace.quality.notes += read.quality.notes
    if trace is not None and not isinstance(source, Resampled):
        trace, series = of_vms(trace, _matched(part, trace, read), vms, part)

    def make(members: int = 0) -> Demand:
        if source is None:
            assert found.utilisation is not None
            return Demand(SteadySeries(found.utilisation), vms.size_mhz, members)
        return Demand(_series(part, trace, len(found), draw(), series), vms.size_mhz, members)

    make()
    return Load(
        make=make,
        vms=vms,
        sizes=found.sizes,
        held=read.held,
        files=read.files + (trace.files if trace else []),
        quality=trace.quality if trace else read.quality,
        source=_describe(part),
        arrivals=found,
        recordings=_recordings(part, trace),
    )


def _matched(part: WorkloadPart, trace: TraceData, read: Arriving) -> Ints:
    """Return the series of each VM that arrives (VMs,).

    Raises InputError if VMs are to be matched by name and the source knows no names.

    What counts as the name of a VM is that of the source, with ``vm-`` before it where the source
    has numbers.
    """
    way = way_of(part, trace)
    names = read.arrivals.names
    if way != "name":
        return by_number(trace, way, len(names))
    if read.known is None:
        message = (
            "the arrivals have no names to match with series; add a column vm to the table, or "
            "set match_series_by: position or match_series_by: cycle"
        )
        raise refuse(WHERE, message, "workload.match_series_by")
    return by_name(trace, names, read.known, read.prefix)


def _trace(source: object, part: WorkloadPart, folder: Path) -> TraceData | None:
    """Read the trace that a source names; None if it names none. Raises InputError."""
    rules = Rules(part.gaps, part.above_100_percent)
    return source.read(folder, rules) if isinstance(source, RecordedTrace) else None


def _count(part: WorkloadPart, trace: TraceData | None) -> int:
    """Return the number of VMs: as written, as the sizes count, or as many as the trace has.

    Raises InputError where these differ or none says it.
    """
    counted = sum(size.count or 0 for size in part.sizes)
    if counted and part.vms is not None and counted != part.vms:
        message = f"is {part.vms}, but the counts of the sizes sum to {counted}; make the two equal"
        raise refuse(WHERE, message, "workload.vms")
    if counted or part.vms:
        return counted or part.vms or 0
    if trace is None:
        message = "is missing; a generator needs a number of VMs, here or as counts of the sizes"
        raise refuse(WHERE, message, "workload.vms")
    return len(trace.names)


def _sizes(
    part: WorkloadPart, trace: TraceData | None, count: int, draw: Callable[[], np.random.Generator]
) -> tuple[list[VmSize], Ints]:
    """Return the sizes and the size of each VM (vms,).

    They are those that the trace records unless sizes are written. Sizes with names of series go to
    these; otherwise counts or shares are dealt in blocks, in turn or at random (``draw``).
    """
    own = "sizes" not in part.model_fields_set
    if own and trace is not None and trace.sizes and trace.size_of_series is not None:
        series = np.array(trace.size_of_series)
        return trace.sizes, series[np.arange(count) % len(series)]
    sizes = sizes_of(part)
    if trace is not None and not isinstance(part.source, Resampled):
        named = sizes_by_name(part, trace) if way_of(part, trace) == "name" else None
        if named is not None and count == len(named):
            return sizes, named
    if part.sizes[0].count is not None:
        counts = np.array([size.count or 0 for size in part.sizes])
    else:
        shares = np.array([size.share or 1.0 / len(part.sizes) for size in part.sizes])
        counts = counts_from_shares(shares, count)
    if part.size_order == "random":
        return sizes, deal_random(counts, draw())
    return sizes, deal_cycle(counts) if part.size_order == "cycle" else deal_blocks(counts)


def _series(
    part: WorkloadPart, trace: TraceData | None, count: int, draw: Draw, series: Ints | None
) -> Series:
    """Return demand over time of ``count`` VMs; ``series`` says which series of a trace each has.

    Raises InputError where blocks cannot be drawn from the trace.

    The result is never shared between runs. ``series`` (VMs,) holds columns of the trace, None
    where VM and series have the same number.
    """
    source = part.source

    def stream(name: str) -> np.random.Generator:
        """Return the generator of a name within the workload."""
        return draw(f"workload.{name}")

    if isinstance(source, ConstantLoad):
        return ConstantSeries(source.utilisation, count)
    if isinstance(source, Synthetic):
        return _synthetic(source, count, stream)
    assert trace is not None
    if isinstance(source, Resampled):
        try:
            return ResampledSeries(
                trace.counts,
                trace.share_per_count,
                trace.step_s,
                count,
                source.block,
                stream,
                source.draw_blocks,
            )
        except ValueError as error:
            raise refuse(WHERE, str(error), "workload.source.block") from None
    return TraceSeries(trace.counts, trace.share_per_count, trace.step_s, part.on_end, series)


def _synthetic(source: Synthetic, count: int, stream: Draw) -> ClassSeries:
    """Return load made by classes: a fitted set of the catalogue, or those written out."""
    classes, probabilities = load_classes(source.classes)
    bursts: Bursts | None = source.bursts
    return ClassSeries(
        classes,
        probabilities,
        count,
        source.step,
        stream,
        source.farm_factor,
        bursts,
        source.daily_peak,
    )


def _describe(part: WorkloadPart) -> str:
    """Return in words where the load comes from."""
    if part.vms_file is not None:
        return f"VMs of {part.vms_file}, load: {_describe_source(part.source)}"
    if part.arrivals is None:
        return _describe_source(part.source)
    load = "" if part.source is None else f", load: {_describe_source(part.source)}"
    return describe_arrivals(part.arrivals) + load


def _describe_source(source: object) -> str:
    """Return in words what a source of utilisation is."""
    if isinstance(source, RecordedTrace | SnapshotLoad):
        return source.described
    if isinstance(source, ConstantLoad):
        return f"constant load of {source.utilisation * 100:g} %"
    if isinstance(source, Synthetic):
        kind = source.classes if isinstance(source.classes, str) else "own"
        return f"synthetic load, {kind} classes"
    assert isinstance(source, Resampled)
    return f"blocks of {source.trace.named}, drawn at random"
