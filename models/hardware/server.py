"""A physical server as its maker sells it."""

from dataclasses import dataclass

from ..base.arrays import added
from .power_curves import PowerModel, Table


@dataclass(frozen=True)
class Server:
    """One make and model.

    ``core_mhz`` is the nominal clock of a core; ``watts`` are SPECpower_ssj2008 readings at
    0, 10, …, 100 % load and ``ssj_ops`` the throughput at 10, …, 100 % (empty where unknown);
    ``available`` is when its hardware could be bought first, as SPEC has it (``Feb-2008``), and
    ``confidence`` is the mark of the source (V: verified in a primary data set).
    """

    id: str
    vendor: str
    model: str
    cpu: str
    sockets: int
    cores: int
    threads: int
    core_mhz: float
    memory_mib: float
    watts: tuple[float, ...]
    ssj_ops: tuple[float, ...]
    published: str
    confidence: str
    source: str
    available: str = ""

    @property
    def cpu_mhz(self) -> float:
        """Capacity of all cores together, in MHz."""
        return self.cores * self.core_mhz

    @property
    def power(self) -> PowerModel:
        """The measured curve."""
        return Table(self.watts)

    @property
    def overall_ops_per_w(self) -> float:
        """SPECpower's overall figure: sum of ssj_ops over sum of watts, active idle included."""
        return added(self.ssj_ops) / added(self.watts)
