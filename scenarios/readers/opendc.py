"""Reader of OpenDC workloads: tasks, and fragments of the load of each task.

The format has changed its column names; all generations are read. A task is a VM.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...models.base.arrays import Floats
from ..errors.problems import refuse
from ..spec.arrivals import OpenDCArrivals
from .arrival_columns import Collector, Recorded, describe_file
from .arrival_tables import MIB
from .chunks import Chunk, read_chunks

MS = 1e-3
TASKS, FRAGMENTS = "tasks.parquet", "fragments.parquet"
BANDS = (("KB", 80_000.0, 20e6), ("MB", 80.0, 20_000.0), ("GB", 0.05, 20.0))
"""Units of memory and between which numbers the median per vCPU tells each."""
GENERATIONS = {
    "submission": ("submission_time", "submissionTime"),
    "duration": ("duration",),
    "end": ("endTime",),
    "vcpus": ("cpu_count", "maxCores"),
    "capacity": ("cpu_capacity",),
    "memory": ("mem_capacity", "requiredMemory"),
    "usage": ("cpu_usage", "cpuUsage"),
    "id": ("id",),
}
"""What the columns were called, from the newest generation of the format to the oldest."""


def read_opendc(source: OpenDCArrivals, folder: Path) -> Recorded:
    """Read a folder of tasks and fragments; time 0 is the first submission.

    Load is the mean of a task's fragments, of which only the sum over time is kept. Raises
    InputError.

    Without fragments, ``utilisation`` is left to the scenario. A unit of memory that was recognised
    is noted for the report.
    """
    from ..traces.arrow_columns import joined  # noqa: PLC0415 - brings PyArrow

    shown = f"{source.path}/{TASKS}"
    collected, ids = Collector(), list[Any]()
    for chunk in read_chunks(folder / TASKS, shown, lambda header: _task_columns(header, shown)):
        ids.append(chunk.texts("id"))
        collected.add(**_tasks(chunk, source.clock))
    columns = collected.columns(shown)
    notes: list[str] = []
    unit: str | None = source.memory_unit
    if unit is None:
        unit = _memory_unit(columns["memory_mib"] / columns["vcpus"], shown)
        notes.append(f"Memory of {shown} was recognised as {unit} by its size per vCPU.")
    columns["memory_mib"] *= MIB[unit]
    files = [describe_file(shown, folder / TASKS)]
    columns["arrival_s"] -= columns["arrival_s"].min()
    names, utilisation, cut = joined(ids), None, 0
    if (folder / FRAGMENTS).exists():
        own_mhz = columns["vcpus"] * columns["clock_mhz"]
        utilisation, cut = _mean_load(source, folder, names, own_mhz)
        files.append(describe_file(f"{source.path}/{FRAGMENTS}", folder / FRAGMENTS))
    return Recorded(
        **columns,
        utilisation=utilisation,
        names=_once(names, shown),
        files=files,
        cut=cut,
        notes=notes,
    )


def _once(names: Any, shown: str) -> Any:
    """Return names of tasks, each of which must stand once. Raises InputError."""
    from pyarrow import compute  # noqa: PLC0415 - costly to import

    if compute.count_distinct(names).as_py() < len(names):
        counts = compute.value_counts(names)
        name = next(each["values"] for each in counts if each["counts"].as_py() > 1)
        raise refuse(shown, f"{name.as_py()!r} is the id of two tasks; make the ids unique", "id")
    return names


def _memory_unit(per_vcpu: Floats, shown: str) -> str:
    """Return the unit in which the median memory per vCPU is that of a machine. Raises InputError.

    ``per_vcpu`` is in the unit of the trace. 80 MiB to 20 GiB per vCPU are taken for granted; such
    numbers are 80,000 to 20 million in KB, 80 to 20,000 in MB, up to 20 in GB. Between these bands
    both neighbours could be meant.
    """
    median = float(np.median(per_vcpu))
    for unit, least, most in BANDS:
        if least <= median <= most:
            return unit
    message = (
        f"the median memory per vCPU is {median:g}, from which the unit cannot be recognised; set "
        "memory_unit: KB, KiB, MB, MiB, GB or GiB"
    )
    raise refuse(shown, message, "workload.arrivals.memory_unit")


def _name(role: str, header: Sequence[str]) -> str | None:
    """Return what the column of a role is called in a table, None if it has none."""
    return next((name for name in GENERATIONS[role] if name in header), None)


def _needed(role: str, header: Sequence[str], shown: str) -> str:
    """Return what the column of a role is called. Raises InputError if there is none."""
    name = _name(role, header)
    if name is None:
        asked = " or ".join(GENERATIONS[role])
        raise refuse(shown, f"has no column {asked}; so it is not an OpenDC table")
    return name


def _task_columns(header: Sequence[str], shown: str) -> list[str]:
    """Return the columns of tasks to read; an end stands for a missing duration."""
    ends = "duration" if _name("duration", header) else "end"
    roles = ["id", "submission", ends, "vcpus", "memory"]
    roles += ["capacity"] if _name("capacity", header) else []
    return [_needed(role, header, shown) for role in roles]


def _tasks(chunk: Chunk, clock_mhz: float) -> dict[str, Floats]:
    """Return the columns of some tasks, memory in the unit of the trace."""
    header = list(chunk.columns)

    def column(role: str) -> tuple[str, Floats]:
        """Return name and numbers of the column of a role."""
        name = _needed(role, header, chunk.where)
        return name, chunk.numbers(name)

    _, submitted_ms = column("submission")
    if _name("duration", header):
        timed, lasts_ms = column("duration")
    else:
        timed, ends_ms = column("end")
        lasts_ms = ends_ms - submitted_ms
    chunk.refuse(lasts_ms <= 0, timed, "a task must last longer than 0 ms")
    vcpus = chunk.counts(_needed("vcpus", header, chunk.where))
    capacity_mhz = vcpus * clock_mhz
    if _name("capacity", header):
        capacity_mhz = chunk.positive(_needed("capacity", header, chunk.where), "write MHz above 0")
    memory = chunk.positive(_needed("memory", header, chunk.where))
    return {
        "arrival_s": MS * submitted_ms,
        "lifetime_s": MS * lasts_ms,
        "vcpus": vcpus,
        "clock_mhz": np.round(capacity_mhz / vcpus),
        "memory_mib": memory,
    }


def _mean_load(
    source: OpenDCArrivals, folder: Path, names: Any, own_mhz: Floats
) -> tuple[Floats, int]:
    """Return the mean share that each task asks for (NaN: no fragment), and how many were cut.

    Means are over the time that fragments cover. ``own_mhz`` (tasks,) is the CPU of each task.
    Raises InputError for fragments of tasks that do not exist.
    """
    from pyarrow import compute  # noqa: PLC0415 - costly to import

    shown = f"{source.path}/{FRAGMENTS}"
    work, time_ms = np.zeros(len(own_mhz)), np.zeros(len(own_mhz))

    def wanted(header: Sequence[str]) -> list[str]:
        """Return the columns of fragments to read."""
        return [_needed(role, header, shown) for role in ("id", "duration", "usage")]

    for chunk in read_chunks(folder / FRAGMENTS, shown, wanted):
        usage = _needed("usage", list(chunk.columns), shown)
        found = compute.index_in(chunk.texts("id"), value_set=names)
        chunk.refuse(np.asarray(found.is_null()), "id", f"there is no such task in {TASKS}")
        lasts_ms, used_mhz = chunk.numbers("duration"), chunk.numbers(usage)
        chunk.refuse(lasts_ms < 0, "duration", "write 0 ms or more")
        chunk.refuse(used_mhz < 0, usage, "write 0 MHz or more")
        rows = np.asarray(found, np.int64)
        work += np.bincount(rows, lasts_ms * used_mhz, len(own_mhz))
        time_ms += np.bincount(rows, lasts_ms, len(own_mhz))
    with np.errstate(invalid="ignore"):
        share = work / (time_ms * own_mhz)
    return np.minimum(share, 1.0), int((share > 1).sum())
