"""Convert arrivals from any source to the columns of a run.

Every reader of arrivals gives :class:`Recorded`; :func:`finish` does the rest alike for all: the
time of the run, a share drawn at random, lifetimes that are not known, sizes and names.
"""

from collections.abc import Callable, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.workload.arrival_generator import arrival_law
from ...models.workload.arrivals import Arrivals
from ...models.workload.vm_size import VmSize
from ..errors.problems import refuse
from ..language.names import Labelled, Listed, Numbered
from ..language.table_times import BAND, EPOCHS
from ..language.units import write
from ..spec.arrivals import ArrivalPart, AzureArrivals, GeneratedArrivals, TableArrivals
from ..spec.workload import Size
from ..traces.trace import InputFile, Quality

WHERE = "workload.arrivals"
MAX_SIZES = 10_000
VM = "vm"
"""What the names of VMs begin with that have none, or numbers."""
Draw = Callable[[str], "np.random.Generator"]


@dataclass
class Recorded:
    """Columns of a source, a row per VM, in any order.

    Times are in s, memory in MiB, clocks in MHz, utilisation as a share of the vCPUs. Lifetimes are
    infinite for VMs that stay and NaN where the source does not know; ``names`` holds an Arrow
    array of texts, or numbers beside ``life``: how often the VM has come so far. ``tenant`` and
    ``request_class`` are indices into the tenants of the scenario and into ``classes``, −1 for
    none. ``cut`` counts utilisations above 100 %, ``notes`` tell what was recognised. None: the
    source has no such column.
    """

    arrival_s: Floats
    lifetime_s: Floats
    vcpus: Floats
    memory_mib: Floats
    clock_mhz: Floats | None = None
    utilisation: Floats | None = None
    tenant: Ints | None = None
    request_class: Ints | None = None
    priority: Ints | None = None
    batch: Ints | None = None
    names: Any = None
    life: Ints | None = None
    classes: Sequence[str] = ()
    files: list[InputFile] = field(default_factory=list)
    cut: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Arriving:
    """Arrivals ready to run, additional properties of each size, and their origin.

    ``held`` has one entry per size of ``arrivals``; ``quality`` counts the VMs that the source has,
    also those that the run does not meet.
    """

    arrivals: Arrivals
    held: list[Size]
    files: list[InputFile]
    quality: Quality
    known: Sequence[str] | None = None
    """Names of all VMs of the source, also those that the run does not meet; None: no names."""
    prefix: str = ""
    """What names begin with that the source does not write."""


def finish(
    recorded: Recorded, part: ArrivalPart, end_s: float, tenants: Sequence[str], draw: Draw
) -> Arriving:
    """Return the VMs that a run until ``end_s`` meets, in order of arrival.

    VMs that came before the run begins are there from its start, for the rest of their lifetime. A
    share is drawn by batch where there are batches. Sizes are combinations of all that tells VMs
    apart. Raises InputError if no VM is left, or there are more than MAX_SIZES sizes.

    ``end_s`` is the length of the run, in s. Errors point to ``workload.arrivals`` and propose what
    to change.
    """
    lifetime_s = _lifetimes(recorded, part, draw)
    arrival_s = recorded.arrival_s - part.trace_start
    meets = (arrival_s < end_s) & (arrival_s + lifetime_s > 0)
    if part.sample_share < 1:
        meets &= _drawn(recorded, part.sample_share, draw)
    kept = np.flatnonzero(meets)
    kept = kept[np.argsort(np.maximum(arrival_s[kept], 0.0), kind="stable")][: part.max_vms]
    if not len(kept):
        message = (
            f"none of its {len(arrival_s)} VMs is there between {write(part.trace_start, 'time')} "
            f"and {write(part.trace_start + end_s, 'time')}; {_remedy(recorded.arrival_s, part)}"
        )
        raise refuse("workload", message, WHERE)
    size, sizes, held = _sizes(recorded, kept, part, tenants)
    early_s = np.minimum(arrival_s[kept], 0.0)
    arrivals = Arrivals(
        arrival_s=arrival_s[kept] - early_s,
        lifetime_s=lifetime_s[kept] + early_s,
        size=size,
        sizes=sizes,
        utilisation=_utilisation(recorded, kept, part),
        priority=_taken(recorded.priority, kept, 0),
        names=_names(recorded, kept),
        batch=None if recorded.batch is None else _codes(recorded.batch[kept])[0],
    )
    quality = Quality(len(arrival_s), 1, cut=recorded.cut, rule="refuse", notes=recorded.notes)
    known = None
    if recorded.names is not None:
        known = _names(recorded, np.arange(len(arrival_s)))
    prefix = f"{VM}-" if recorded.life is not None else ""
    return Arriving(arrivals, held, recorded.files, quality, known, prefix)


def _remedy(arrival_s: Floats, part: ArrivalPart) -> str:
    """Return what to do where no VM of a source is there during the run."""
    first_s = float(arrival_s.min())
    for unit in ("ms", "us", "ns"):
        if EPOCHS[unit] <= first_s < BAND * EPOCHS[unit]:
            return f"the arrivals look like Unix times in {unit}; set time_unit or convert them"
    if first_s >= EPOCHS["s"] and part.trace_start == 0:
        return f"the arrivals are Unix times; set trace_start: {first_s:.0f} s"
    return "change trace_start, sample_share or run.duration"


def _lifetimes(recorded: Recorded, part: ArrivalPart, draw: Draw) -> Floats:
    """Return lifetimes in s, those not known infinite or drawn, a batch alike.

    ``table`` arrivals may ask for lifetimes of Azure V1: a law that is drawn per batch, rounded up
    to whole steps of the trace.
    """
    unknown = np.isnan(recorded.lifetime_s)
    if not unknown.any():
        return recorded.lifetime_s
    if not isinstance(part, TableArrivals) or part.lifetimes == "stay":
        return np.where(unknown, np.inf, recorded.lifetime_s)
    count = len(unknown)
    batch = np.arange(count) if recorded.batch is None else _codes(recorded.batch)[0]
    law = arrival_law(part.lifetimes)
    drawn_s = law.lifetime.draw_s(batch, lambda name: draw(f"{WHERE}.{name}"))
    # The trace knows when VMs left to the step, as it does when they came.
    drawn_s = np.ceil(drawn_s / law.step_s) * law.step_s
    return np.where(unknown, drawn_s, recorded.lifetime_s)


def _drawn(recorded: Recorded, share: float, draw: Draw) -> Bools:
    """Return which VMs are kept: whole batches where there are any."""
    generator = draw(f"{WHERE}.share")
    if recorded.batch is None:
        return generator.random(len(recorded.arrival_s)) < share
    batch, found = _codes(recorded.batch)
    chosen: Bools = generator.random(len(found)) < share
    return chosen[batch]


def _utilisation(recorded: Recorded, kept: Ints, part: ArrivalPart) -> Floats:
    """Return the share that each VM asks for; the scenario's where the source says none."""
    known: Floats = _taken(recorded.utilisation, kept, np.nan)
    if isinstance(part, AzureArrivals | GeneratedArrivals):
        return known
    return np.where(np.isnan(known), part.utilisation, known)


def _taken(column: Any, kept: Ints, otherwise: float) -> Any:
    """Return the rows of a column that are kept, a constant where there is no such column."""
    return np.full(len(kept), otherwise) if column is None else column[kept]


def _names(recorded: Recorded, kept: Ints) -> Sequence[str]:
    """Return the names of the VMs that are kept, made when they are shown."""
    if recorded.names is None:
        return Numbered(VM, len(kept))
    if recorded.life is not None:
        return Labelled(VM, recorded.names[kept], recorded.life[kept])
    return Listed(recorded.names.take(kept))


def _codes(column: Floats | Ints) -> tuple[Ints, Any]:
    """Return values as numbers from 0 in order of first appearance, and the values.

    Their buffers are handed over: ``pyarrow.array`` and ``to_numpy`` would import pandas.
    """
    import pyarrow as pa  # noqa: PLC0415 - costly to import

    held = [None, pa.py_buffer(np.ascontiguousarray(column))]
    array = pa.Array.from_buffers(pa.from_numpy_dtype(column.dtype), len(column), held)
    found = array.dictionary_encode()
    codes, values = found.indices.buffers()[1], found.dictionary.buffers()[1]
    own = np.frombuffer(codes, np.int32, len(column)).astype(np.int64)
    return own, np.frombuffer(values, column.dtype, len(found.dictionary))


def _sizes(
    recorded: Recorded, kept: Ints, part: ArrivalPart, tenants: Sequence[str]
) -> tuple[Ints, list[VmSize], list[Size]]:
    """Return the size of each VM (VMs,), the sizes, and what is known of each.

    Sizes are combinations of all that tells VMs apart, in order of first appearance. Clocks and
    memory are rounded to MHz and MiB. Raises InputError for more than MAX_SIZES.
    """
    columns = [
        recorded.vcpus[kept],
        np.round(_taken(recorded.clock_mhz, kept, part.clock)),
        np.maximum(np.round(recorded.memory_mib[kept]), 1.0),
        _taken(recorded.tenant, kept, -1).astype(np.float64),
        _taken(recorded.request_class, kept, -1).astype(np.float64),
    ]
    code: Ints = np.zeros(len(kept), np.int64)
    for column in columns:
        own, values = _codes(column)
        code = _codes(code * len(values) + own)[0]
    count = int(code.max()) + 1
    if count > MAX_SIZES:
        message = f"has {count} different sizes of VM, more than {MAX_SIZES}; round memory or clock"
        raise refuse("workload", message, WHERE)
    first = np.full(count, len(kept))
    np.minimum.at(first, code, np.arange(len(kept)))
    rows = [tuple(float(column[row]) for column in columns) for row in first.tolist()]
    clocks = len({row[1] for row in rows})
    held = [_size(row, part, tenants, recorded.classes, clocks > 1) for row in rows]
    sizes = [VmSize(size.name, size.vcpus, size.clock, size.memory) for size in held]
    return code, sizes, held


def _size(
    row: tuple[float, ...],
    part: ArrivalPart,
    tenants: Sequence[str],
    classes: Sequence[str],
    with_clock: bool,
) -> Size:
    """Return the size that a combination of columns stands for, named by what it consists of."""
    vcpus, clock_mhz, memory_mib, tenant, request_class = row
    owner = tenants[int(tenant)] if tenant >= 0 else part.tenant
    kind = classes[int(request_class)] if request_class >= 0 else part.request_class
    words = [f"{vcpus:g} vCPU", str(write(memory_mib, "memory"))]
    words += [str(write(clock_mhz, "frequency"))] if with_clock else []
    words += [word for word in (kind, owner) if word]
    # What is checked here has been checked by column; the names may be longer than written ones.
    return Size.model_construct(
        name=", ".join(words),
        vcpus=int(vcpus),
        clock=clock_mhz,
        memory=memory_mib,
        request_class=kind,
        tenant=owner,
        cluster=part.cluster,
    )


class Collector:
    """Columns gathered chunk by chunk, of NumPy or of Arrow.

    Parts of one column have to be of one kind. A column that appears in one chunk appears in all,
    since chunks of a file have the same columns.
    """

    def __init__(self) -> None:
        self._parts: dict[str, list[Any]] = {}

    def add(self, **columns: Any) -> None:
        """Take the next part of each column."""
        for name, part in columns.items():
            self._parts.setdefault(name, []).append(part)

    def columns(self, shown: str) -> dict[str, Any]:
        """Return the whole columns. Raises InputError if there is not one row."""
        from ..traces.arrow_columns import joined  # noqa: PLC0415 - brings PyArrow

        if not self._parts or not sum(len(part) for part in next(iter(self._parts.values()))):
            raise refuse(shown, "has no VMs; add at least one")
        return {
            name: np.concatenate(parts) if isinstance(parts[0], np.ndarray) else joined(parts)
            for name, parts in self._parts.items()
        }


def describe_file(shown: str, path: Path) -> InputFile:
    """Return name, size and hash of a file. Raises InputError."""
    try:
        return InputFile.at(shown, path)
    except OSError as error:
        raise refuse(shown, f"cannot be read: {error.strerror}", f"{WHERE}.path") from None
