"""Build arrivals: read or generate them, and convert them to columns.

Readers give what a source records (:class:`.Recorded`); one function, :func:`.finish`, cuts it to
the time of the run, draws a share of it and names sizes, whatever the source.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...models.workload.arrival_generator import HOUR_S, arrival_law, generate
from ..errors.problems import refuse
from ..readers.arrival_columns import WHERE, Arriving, Draw, Recorded, finish
from ..readers.arrival_tables import read_arrival_table, read_azure, read_huawei_east_1
from ..readers.opendc import read_opendc
from ..spec.arrivals import (
    ArrivalPart,
    AzureArrivals,
    GeneratedArrivals,
    HuaweiEast1Arrivals,
    TableArrivals,
)

MAX_GENERATED = 20_000_000


def build_arrivals(
    part: ArrivalPart, folder: Path, end_s: float, tenants: Sequence[str], draw: Draw
) -> Arriving:
    """Return the VMs that a run of ``end_s`` meets. Raises InputError.

    ``tenants`` are those of the scenario, ``draw`` gives an independent generator per name.

    A path that does not exist is told at ``workload.arrivals.path``, what is wrong in a file with
    its row.
    """
    recorded = _recorded(part, folder, end_s, tenants, draw)
    return finish(recorded, part, end_s, tenants, draw)


def _recorded(
    part: ArrivalPart, folder: Path, end_s: float, tenants: Sequence[str], draw: Draw
) -> Recorded:
    """Return what the source of a scenario's arrivals says. Raises InputError."""
    if isinstance(part, GeneratedArrivals):
        return _generated(part, part.trace_start + end_s, draw)
    path = folder / part.path
    if not os.path.exists(path):  # noqa: PTH110 - tells nothing of names that no file can have
        raise refuse(part.path, "no such file or folder; check the path", f"{WHERE}.path")
    if isinstance(part, TableArrivals):
        return read_arrival_table(part, path, tenants)
    if isinstance(part, AzureArrivals):
        return read_azure(part, path)
    if isinstance(part, HuaweiEast1Arrivals):
        return read_huawei_east_1(part, path)
    return read_opendc(part, path)


def _generated(part: GeneratedArrivals, end_s: float, draw: Draw) -> Recorded:
    """Return VMs made by the laws of a public trace, up to ``end_s``.

    Raises InputError if that would be more than MAX_GENERATED.

    The number of VMs is estimated before any is drawn, so that a rate that was mistaken takes no
    memory. Generation begins at time 0 of the law whatever ``trace_start`` is: VMs that are still
    there when the run begins belong to it.
    """
    law = arrival_law()
    expected = law.batches_per_h / HOUR_S * end_s * part.rate * law.mean_batch_size
    if expected > MAX_GENERATED:
        message = (
            f"would be {expected:,.0f} VMs, more than {MAX_GENERATED:,}; reduce rate, trace_start "
            "or run.duration"
        )
        raise refuse("workload", message, WHERE)
    made = generate(law, end_s, _prefixed(draw), part.rate, part.daily_variation)
    vcpus = np.array([float(each.vcpus) for each in law.flavours])
    memory_mib = np.array([each.memory_mib for each in law.flavours])
    return Recorded(
        arrival_s=made.arrival_s,
        lifetime_s=made.lifetime_s,
        vcpus=vcpus[made.flavour],
        memory_mib=memory_mib[made.flavour],
        utilisation=made.utilisation,
        batch=made.batch,
    )


def _prefixed(draw: Draw) -> Callable[[str], np.random.Generator]:
    """Return a function that draws under names below those of the arrivals."""
    return lambda name: draw(f"{WHERE}.{name}")


def describe_arrivals(part: ArrivalPart) -> str:
    """Return in words where the VMs come from."""
    if isinstance(part, GeneratedArrivals):
        return "generated arrivals"
    return f"{part.type} arrivals {part.path}"
