"""Readers of tables of arrivals: farmsim's own, Azure V1 and V2, Huawei-East-1.

Tables are read in chunks of rows, so that a trace of millions of VMs takes the memory of its
columns and one chunk. What is wrong is told with the row of the file.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.service.request_class import request_classes
from ..errors.problems import refuse
from ..errors.suggest import unknown_name
from ..language.names import lives
from ..language.units import DIMENSIONS
from ..spec.arrivals import ArrivalColumns, AzureArrivals, HuaweiEast1Arrivals, TableArrivals
from ..traces.trace import refuse_shares
from .arrival_columns import WHERE, Collector, Recorded, describe_file
from .chunks import Chunk, read_chunks

MIB = DIMENSIONS["memory"].units | {"KB": DIMENSIONS["memory"].units["kB"]}
SECONDS = DIMENSIONS["time"].units
OPTIONAL = (
    "lifetime", "end", "clock", "utilisation", "tenant", "request_class", "priority", "vm", "batch",
)  # fmt: skip
AZURE = (
    "vmid", "subscription", "deployment", "created", "deleted", "max_cpu", "mean_cpu", "p95_cpu",
    "category", "vcpus", "memory",
)  # fmt: skip
AZURE_END_S = 2_591_700.0
"""Last instant of the Azure tables: VMs that end there were still alive."""
AZURE_STEP_S = 300.0
AZURE_LEVELS = {"mean": "mean_cpu", "p95": "p95_cpu", "max": "max_cpu"}
HUAWEI = ("vmid", "cpu", "memory", "time", "type")


def read_arrival_table(source: TableArrivals, path: Path, tenants: Sequence[str]) -> Recorded:
    """Read a table with a row per VM, in order of arrival.

    ``tenants`` are those of the scenario. Columns that the scenario does not rename are optional
    where the format says so. Raises InputError with the row of what cannot be right.
    """
    names, classes = source.columns, list(request_classes())
    worth_s, worth_mib = SECONDS[source.time_unit], MIB[source.memory_unit]
    collected, last_s = Collector(), 0.0
    for chunk in read_chunks(path, source.path, lambda header: _chosen(source, header)):
        arrival_s = worth_s * chunk.numbers(names.arrival)
        _refuse_disorder(chunk, names.arrival, arrival_s, last_s)
        last_s = float(arrival_s[-1]) if len(chunk) else last_s
        collected.add(
            arrival_s=arrival_s,
            lifetime_s=_lifetimes(chunk, names, arrival_s, worth_s),
            vcpus=chunk.counts(names.vcpus),
            memory_mib=worth_mib * chunk.positive(names.memory),
            **_optional(chunk, source, tenants, classes),
        )
    columns = collected.columns(source.path)
    if "names" in columns:
        columns["names"] = _unique_names(columns, source)
    if source.utilisation_unit is None and "utilisation" in columns:
        place = f"{WHERE}.{source.columns.utilisation}"
        refuse_shares(100 * columns["utilisation"], source.path, "utilisation_unit", place)
    return Recorded(**columns, classes=classes, files=[describe_file(source.path, path)])


def _chosen(source: TableArrivals, header: Sequence[str]) -> list[str]:
    """Return which columns of a table to read: those that must be there and those that are."""
    columns, found = source.columns, []
    for role, field in ArrivalColumns.model_fields.items():
        name = getattr(columns, role)
        if name in header:
            found.append(name)
        elif role not in OPTIONAL or name != field.default:
            place = f"{WHERE}.columns.{field.alias or role}"
            raise refuse(source.path, unknown_name("column", name, header), place)
    return list(dict.fromkeys(found))


def _refuse_disorder(chunk: Chunk, name: str, arrival_s: Floats, last_s: float) -> None:
    """Raise InputError for arrivals before 0 or before those of the rows above."""
    chunk.refuse(arrival_s < 0, name, "write a time of 0 or more")
    back = np.diff(arrival_s, prepend=last_s) < 0
    chunk.refuse(back, name, "earlier than the row above; sort the rows by arrival")


def _lifetimes(chunk: Chunk, names: ArrivalColumns, arrival_s: Floats, worth_s: float) -> Floats:
    """Return lifetimes in s from either column that tells them, NaN where a cell is empty."""
    if names.lifetime in chunk.columns:
        stay_s = worth_s * chunk.numbers(names.lifetime, np.nan)
        chunk.refuse(
            stay_s <= 0, names.lifetime, "write a time above 0, or leave it empty if the VM stays"
        )
    elif names.end in chunk.columns:
        stay_s = worth_s * chunk.numbers(names.end, np.nan) - arrival_s
        chunk.refuse(stay_s <= 0, names.end, "write a time after the arrival, or leave it empty")
    else:
        stay_s = np.full(len(chunk), np.nan)
    return stay_s


def _optional(
    chunk: Chunk, source: TableArrivals, tenants: Sequence[str], classes: Sequence[str]
) -> dict[str, Any]:
    """Return the columns that the table has beside those that it must have."""
    names = source.columns
    found: dict[str, Any] = {}
    if names.clock in chunk.columns:
        found["clock_mhz"] = chunk.positive(names.clock)
    if names.utilisation in chunk.columns:
        scale = 1.0 if source.utilisation_unit == "share" else 0.01
        share = scale * chunk.numbers(names.utilisation, np.nan)
        right = f"write 0 to {1 / scale:g}, or change utilisation_unit"
        chunk.refuse((share < 0) | (share > 1), names.utilisation, right)
        found["utilisation"] = share
    if names.tenant in chunk.columns:
        found["tenant"] = chunk.words(names.tenant, tenants, "tenant")
    if names.request_class in chunk.columns:
        found["request_class"] = chunk.words(names.request_class, classes, "request class")
    for role, name in (("priority", names.priority), ("batch", names.batch)):
        if name in chunk.columns:
            numbers = chunk.numbers(name)
            chunk.refuse(numbers != np.floor(numbers), name, "write a whole number")
            found[role] = numbers.astype(np.int64)
    if names.vm in chunk.columns:
        text = chunk.texts(names.vm)
        chunk.refuse(np.asarray(text.to_numpy(zero_copy_only=False) == ""), names.vm, "name it")
        found["names"] = text
    return found


def _unique_names(columns: dict[str, Any], source: TableArrivals) -> Any:
    """Return names of which each stands once: the second life of ``a`` is ``a#2``.

    Raises InputError if two VMs of one name are there at the same time.

    The result is an Arrow array of texts. The error names the column of names and the first VM
    concerned.
    """
    import pyarrow as pa  # noqa: PLC0415 - costly to import

    names = columns["names"]
    found = names.dictionary_encode()
    code = np.asarray(found.indices, np.int64)
    life = lives(code)
    again = np.flatnonzero(life > 1)
    if not len(again):
        return names
    order = np.lexsort((life, code))
    ends_s = columns["arrival_s"] + columns["lifetime_s"]
    same = np.diff(code[order], prepend=-1) == 0
    before_s = np.append(-np.inf, ends_s[order[:-1]])
    # Lifetimes that are not known last until the end, which makes the comparison false.
    free = before_s <= columns["arrival_s"][order]
    wrong = order[same & ~free]
    if len(wrong):
        name = names[int(wrong.min())].as_py()
        count = int((code == code[int(wrong.min())]).sum())
        message = (
            f"{name!r} names {count} VMs; make the names unique, or let one end before the next "
            "arrives"
        )
        raise refuse(source.path, message, source.columns.vm)
    texts, known = names.to_pylist(), set(found.dictionary.to_pylist())
    for row in again.tolist():
        texts[row] = f"{texts[row]}#{life[row]}"
        if texts[row] in known:
            message = (
                f"a VM is called {texts[row]!r}, which is how farmsim names the second of two VMs "
                "with one name; rename it"
            )
            raise refuse(source.path, message, source.columns.vm)
    return pa.array(texts, pa.string())


def read_azure(source: AzureArrivals, path: Path) -> Recorded:
    """Read a table of VMs of the Azure Public Dataset; V1 has numbers, V2 buckets.

    A batch is what one subscription asks for in one step of 300 s. VMs that end with the trace
    stay. Utilisation above 100 % is cut and counted. Raises InputError with the row.

    The file has no header: its columns are those of AZURE. The format is described at the Azure
    Public Dataset (AzurePublicDatasetV1.md, V2.md); memory is in GiB, times are in s.
    """
    collected, subscriptions = Collector(), dict[str, int]()
    level = AZURE_LEVELS[source.utilisation_statistic]
    wanted = ["subscription", "created", "deleted", level, "vcpus", "memory"]
    cut = 0
    for whole in read_chunks(path, source.path, lambda _: wanted, AZURE):
        chunk = whole.replaced("vcpus", ">24", source.vcpus_above_24)
        chunk = chunk.replaced("memory", ">64", source.memory_above_64 / MIB["GiB"])
        created_s, deleted_s = chunk.numbers("created"), chunk.numbers("deleted")
        chunk.refuse(created_s < 0, "created", "write a time of 0 or more")
        chunk.refuse(deleted_s < created_s, "deleted", "write a time after the creation")
        percent = chunk.numbers(level)
        chunk.refuse(percent < 0, level, "write a percentage")
        cut += int((percent > 100).sum())
        lifetime_s = np.maximum(deleted_s - created_s, AZURE_STEP_S)
        collected.add(
            arrival_s=created_s,
            lifetime_s=np.where(deleted_s >= AZURE_END_S, np.inf, lifetime_s),
            vcpus=chunk.counts("vcpus"),
            memory_mib=MIB["GiB"] * chunk.positive("memory"),
            utilisation=np.minimum(percent / 100, 1.0),
            batch=_batches(chunk, created_s, subscriptions),
        )
    columns = collected.columns(source.path)
    return Recorded(**columns, files=[describe_file(source.path, path)], cut=cut)


def _batches(chunk: Chunk, created_s: Floats, subscriptions: dict[str, int]) -> Ints:
    """Return the number of the batch of each VM: one subscription, one step of the trace.

    ``subscriptions`` numbers them in order of appearance, across chunks.
    """
    found = chunk.texts("subscription").dictionary_encode()
    names = found.dictionary.to_pylist()
    number = np.array([subscriptions.setdefault(name, len(subscriptions)) for name in names])
    steps = int(AZURE_END_S / AZURE_STEP_S) + 1
    owner: Ints = number[np.asarray(found.indices)] if len(names) else np.empty(0, np.int64)
    return owner * steps + (created_s // AZURE_STEP_S).astype(np.int64)


def read_huawei_east_1(source: HuaweiEast1Arrivals, path: Path) -> Recorded:
    """Read a table of events, in order of time; VMs that never end stay.

    A name may come again after it has ended: that is another life of it. Raises InputError with the
    row of an event that cannot follow the one before.

    Type 0 is a creation, 1 an end; ``cpu`` counts vCPUs, ``memory`` is in GiB, ``time`` in s. VMs
    are named by their numbers. A lifetime is 1 s at least.
    """
    collected, last_s = Collector(), 0.0
    for chunk in read_chunks(path, source.path, lambda header: _all_of(header, source.path)):
        time_s = chunk.numbers("time")
        _refuse_disorder(chunk, "time", time_s, last_s)
        last_s = float(time_s[-1]) if len(chunk) else last_s
        kind = chunk.numbers("type")
        chunk.refuse((kind != 0) & (kind != 1), "type", "write 0 for a creation or 1 for an end")
        collected.add(
            vm=chunk.numbers("vmid").astype(np.int64),
            time_s=time_s,
            ends=kind == 1,
            vcpus=chunk.counts("cpu"),
            memory_mib=MIB["GiB"] * chunk.positive("memory"),
            row=chunk.row,
        )
    return _lives_of_events(collected.columns(source.path), source.path, path)


def _lives_of_events(events: dict[str, Any], shown: str, path: Path) -> Recorded:
    """Return one row per creation, with the time to the end that follows it.

    Raises InputError where a VM ends that was not there, or is created twice.
    """
    vm, time_s, ends = events["vm"], events["time_s"], events["ends"]
    order = np.lexsort((np.arange(len(vm)), vm))
    same = np.diff(vm[order], prepend=vm[order[0]] - 1) == 0
    was_end = np.append(True, ends[order[:-1]]) | ~same
    wrong = order[ends[order] == was_end]
    if len(wrong):
        row = int(wrong.min())
        fault = (
            ("ends without having been created")
            if ends[row]
            else "is created again while it exists"
        )
        message = f"VM {vm[row]} {fault}; correct or remove the row"
        raise refuse(f"{shown}:{events['row'][row]}", message, "type")
    lifetime_s = np.full(len(vm), np.inf)
    ending = np.flatnonzero(ends[order])
    lifetime_s[order[ending - 1]] = time_s[order[ending]] - time_s[order[ending - 1]]
    made = ~ends
    return Recorded(
        arrival_s=time_s[made],
        lifetime_s=np.maximum(lifetime_s[made], 1.0),
        vcpus=events["vcpus"][made],
        memory_mib=events["memory_mib"][made],
        names=vm[made],
        life=lives(vm[made]),
        files=[describe_file(shown, path)],
    )


def _all_of(header: Sequence[str], shown: str) -> list[str]:
    """Return all columns of Huawei-East-1. Raises InputError if one is missing."""
    for name in HUAWEI:
        if name not in header:
            raise refuse(f"{shown}:1", unknown_name("column", name, header))
    return list(HUAWEI)
