"""Work per MHz of one server against another: what a refresh counts a core of each as.

MHz of two generations are not equal work. SPECpower_ssj2008 states operations per second at full
load, so operations per core and GHz compare generations; but it is a tuned Java throughput with
multithreading, its virtual machines became faster over the years, and the base clock is not the
clock that runs. So every comparison has three answers: ``none`` counts MHz as equal, which is
conservative for the newer server; ``ssj`` believes the benchmark; ``default`` is the geometric mean
of both, sqrt(1 x ssj), at most MAX_DEFAULT. What one VM gets stays limited by single cores: its
vCPUs x clock x performance.
"""

from collections.abc import Mapping
from math import sqrt
from typing import Literal, Protocol

MODES = ("none", "ssj", "default")
Mode = Literal["none", "ssj", "default"]
MAX_DEFAULT = 1.5
"""Highest performance by default in one step of generations: a judgement, not a measurement."""


class Measured(Protocol):
    """A server or match of which throughput at full load is known: ssj operations per second."""

    @property
    def cores(self) -> int:
        """Cores of all sockets."""

    @property
    def core_mhz(self) -> float:
        """Nominal clock of a core, in MHz."""

    @property
    def max_ops(self) -> float | None:
        """Operations per second at full load; None where unknown."""


def ops_per_core_ghz(server: Measured) -> float | None:
    """Return ssj operations per second, core and GHz of nominal clock; None where unknown."""
    if server.max_ops is None:
        return None
    return server.max_ops / (server.cores * server.core_mhz / 1000.0)


def performances(server: Measured, reference: Measured) -> Mapping[str, float | None]:
    """Return the work per MHz of a server against a reference by mode; 1 is the same work.

    ``ssj`` and ``default`` are None where the operations of either are unknown.
    """
    own, theirs = ops_per_core_ghz(server), ops_per_core_ghz(reference)
    ratio = own / theirs if own and theirs else None
    middle = None if ratio is None else min(sqrt(ratio), MAX_DEFAULT)
    return {"none": 1.0, "ssj": ratio, "default": middle}


def performance_of(server: Measured, reference: Measured, mode: str = "default") -> float | None:
    """Return the work per MHz of a server against a reference in one mode, None where unknown.

    Raises ValueError for a mode that does not exist.
    """
    if mode not in MODES:
        raise ValueError(f"there is no mode {mode!r}; available: {', '.join(MODES)}")
    return performances(server, reference)[mode]


def load_share(load_mhz: float, server: Measured, performance: float) -> float:
    """Return the share of a server that a load in MHz of the reference fills, by performance."""
    return load_mhz / (server.cores * server.core_mhz * performance)
