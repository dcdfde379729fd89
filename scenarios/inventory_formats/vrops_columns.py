"""Columns of vROps (Aria Operations): what a header such as ``VM|CPU|Demand (MHz)|Avg`` means."""

import re
from collections.abc import Mapping
from typing import Final

from ...models.base.lazy_dataclass import dataclass
from ..inventory.series import CPU_CAPACITY, CPU_DEMAND, CPU_READY, CPU_USAGE, MEMORY_USED
from ..inventory_files.columns import Quantity
from ..inventory_files.header_units import unit_in

KINDS: Final[Mapping[str, str]] = {
    "vm": "vm", "virtual machine": "vm", "host": "host", "host system": "host",
    "cluster": "cluster", "cluster compute resource": "cluster",
}  # fmt: skip
STATISTICS: Final[Mapping[str, str]] = {
    "avg": "mean", "average": "mean", "mean": "mean", "max": "max", "maximum": "max",
    "last": "last", "latest": "last", "current": "last",
}  # fmt: skip
VCPUS: Final = "vcpus"
CPU_AVAILABLE: Final = "cpu_available"
MEMORY_AVAILABLE: Final = "memory_available"
MAINTENANCE: Final = "maintenance"
SERIES: Final = (CPU_DEMAND, CPU_USAGE, CPU_READY, CPU_CAPACITY, MEMORY_USED)
"""What becomes series; of all else the last value counts."""

_MHZ: Final = Quantity("MHz", "MHz", most=1e9)
_MIB: Final = Quantity("MiB", "KB", most=2.0**36)
_PERCENT: Final = Quantity("%", "%", most=10_000)
_METRICS: Final[Mapping[tuple[str, str], tuple[str, Quantity]]] = {
    ("vm", "cpu|demand"): (CPU_DEMAND, _MHZ),
    ("vm", "cpu|usage"): (CPU_USAGE, _MHZ),
    ("vm", "cpu|ready"): (CPU_READY, _PERCENT),
    ("vm", "cpu|total capacity"): (CPU_CAPACITY, _MHZ),
    ("vm", "configuration|hardware|number of cpus"): (VCPUS, Quantity(most=4096)),
    ("host", "cpu|demand"): (CPU_DEMAND, _MHZ),
    ("host", "cpu|usage"): (CPU_USAGE, _MHZ),
    ("host", "memory|utilization"): (MEMORY_USED, _MIB),
    ("host", "cpu|capacity available to vms"): (CPU_AVAILABLE, _MHZ),
    ("host", "memory|capacity available to vms"): (MEMORY_AVAILABLE, _MIB),
    ("host", "runtime|maintenance state"): (MAINTENANCE, Quantity()),
    ("cluster", "cpu|demand"): (CPU_DEMAND, _MHZ),
    ("cluster", "cpu|usage"): (CPU_USAGE, _MHZ),
    ("cluster", "memory|utilization"): (MEMORY_USED, _MIB),
}
"""The metrics that are read; memory without a unit is in KB, which means KiB, CPU in MHz."""


@dataclass(frozen=True)
class Measured:
    """What one column holds. ``unit`` is that of a series of it."""

    kind: str
    metric: str
    statistic: str
    quantity: Quantity
    unit: str


def measured(header: str) -> Measured | None:
    """Return what a column holds by its header, None if it is not read."""
    parts = [part.strip() for part in header.split("|")]
    if len(parts) < 3:
        return None
    kind, statistic = KINDS.get(parts[0].casefold()), STATISTICS.get(parts[-1].casefold())
    path = "|".join(re.sub(r"\s*\([^()]*\)", "", part) for part in parts[1:-1]).casefold()
    found = _METRICS.get((kind or "", path))
    if kind is None or statistic is None or found is None:
        return None
    metric, quantity = found
    unit = unit_in(header)
    if unit == "%" and quantity.unit in {"MHz", "MiB"}:
        quantity = _PERCENT
    elif unit:
        quantity = Quantity(quantity.unit, unit, quantity.least, quantity.most)
    shown = "share" if quantity.unit == "%" else quantity.unit
    return Measured(kind, metric, statistic, quantity, shown)
