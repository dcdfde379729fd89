"""The formats of traces that a scenario can name, one line each."""

from typing import TypeAlias

from .demand_tables import Shipped, TableTrace
from .per_vm_files import Bitbrains, PlanetLab

RecordedTrace: TypeAlias = Shipped | PlanetLab | TableTrace | Bitbrains
"""What says ``type`` under ``workload.source`` and ``workload.source.of``."""
