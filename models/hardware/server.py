"""Physical servers, and the included catalogue of them."""

import csv
from functools import cache

from ..base.arrays import added
from ..base.catalogue import MIB_PER_GIB, data_file
from ..base.lazy_dataclass import dataclass
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


@cache
def servers() -> dict[str, Server]:
    """Return all servers by identifier, in the order of their publication."""
    with data_file("servers.csv").open("r", encoding="utf-8") as handle:
        return {row["id"]: _server(row) for row in csv.DictReader(handle)}


def _server(row: dict[str, str]) -> Server:
    return Server(
        id=row["id"],
        vendor=row["vendor"],
        model=row["model"],
        cpu=row["cpu"],
        sockets=int(row["sockets"]),
        cores=int(row["cores"]),
        threads=int(row["threads"]),
        core_mhz=float(row["core_mhz"]),
        memory_mib=float(row["memory_gib"]) * MIB_PER_GIB,
        watts=tuple(float(row[f"w_{level}"]) for level in range(0, 101, 10)),
        ssj_ops=tuple(float(row[f"ops_{level}"]) for level in range(10, 101, 10)),
        published=row["published"],
        confidence=row["confidence"],
        source=row["source"],
        available=row["available"],
    )


@cache
def published_ops_per_w() -> dict[str, float]:
    """Return the overall ssj_ops per W as published, by server identifier."""
    with data_file("servers.csv").open("r", encoding="utf-8") as handle:
        return {row["id"]: float(row["overall_ops_per_w"]) for row in csv.DictReader(handle)}
