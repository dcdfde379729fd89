"""Recorded hosts at time 0, best fit for all others."""

from ...models.base.lazy_dataclass import dataclass
from .best_fit import BestFit


@dataclass(frozen=True)
class Recorded(BestFit):
    """Start each VM on the host that `workload.vms_file` records, and place all others by best fit.

    What is recorded is known to the start of a run alone: here are the VMs without such a host, and
    those that failures take off theirs.
    """
