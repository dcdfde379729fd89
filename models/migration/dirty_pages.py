"""How much of its memory a running guest writes again while it is being copied."""

import math
from typing import Protocol

import numpy as np

from ..base.lazy_dataclass import dataclass
from ..base.parameters import parameter
from .course import Measured

BYTES_PER_MEGABIT = 125_000.0


class DirtyPages(Protocol):
    """Anything that says what a guest writes again during a step of a migration."""

    def dirtied_bytes(self, memory_bytes: float, past: Measured) -> float:
        """Return the bytes of different pages written, whole and at most ``memory_bytes``."""
        ...


@dataclass(frozen=True)
class DirtyRate:
    """Pages written at a constant rate up to a working set: ``min(D * t, W)``, whole bytes.

    ``t`` is the time that the guest's vCPUs worked, so a guest that is idle, slowed down or
    stopped dirties less in proportion. The writable working set of Clark et al. (2005); both
    default values are estimates without a source.
    """

    rate_mbps: float = parameter(
        "Rate of dirtied memory while the vCPUs are fully busy.",
        400.0,
        key="rate",
        dimension="bandwidth",
        ge=0,
    )
    working_set: float = parameter(
        "Share of the memory that is written repeatedly (working set).",
        0.1,
        dimension="share",
        gt=0,
        le=1,
    )
    follows_cpu: bool = parameter(
        "Whether the rate is proportional to the CPU utilisation of the guest.", default=True
    )

    def dirtied_bytes(self, memory_bytes: float, past: Measured) -> float:
        """Return the bytes of different pages written, whole and at most the working set."""
        worked_s = past.busy_s if self.follows_cpu else past.ran_s
        written = math.floor(self.rate_mbps * BYTES_PER_MEGABIT * worked_s)
        return float(min(written, math.floor(self.working_set * memory_bytes)))


@dataclass(frozen=True)
class DirtyCurve:
    """Pages written as measured: part of the memory dirtied within a time, straight in between.

    The curve begins at (0, 0); beyond its last point nothing more is dirtied. Measured curves
    flatten early, so that a constant rate fitted to one end misses the other (A. Gudkov,
    qemu-devel, 2023). Raises ValueError if times or shares do not rise or a share is above 1.
    """

    times_s: tuple[float, ...] = parameter(
        "Lengths of the measured intervals, ascending.", (1.0,), key="times", dimension="time"
    )
    shares: tuple[float, ...] = parameter(
        "Share of the memory written within each.", (0.05,), dimension="share"
    )
    follows_cpu: bool = parameter(
        "Whether low CPU utilisation of the guest stretches the time axis.",
        default=False,
    )

    def __post_init__(self) -> None:
        if not self.times_s or len(self.times_s) != len(self.shares):
            raise ValueError("a dirty curve needs as many shares as times, and at least one")
        times, shares = np.array((0.0, *self.times_s)), np.array((0.0, *self.shares))
        if (np.diff(times) <= 0).any() or (np.diff(shares) < 0).any():
            raise ValueError("times of a dirty curve must rise and its shares not fall")
        if shares[-1] > 1:
            raise ValueError("a guest cannot dirty more than its memory: share above 1")

    def dirtied_bytes(self, memory_bytes: float, past: Measured) -> float:
        """Return the bytes of different pages written during the step, whole."""
        worked_s = past.busy_s if self.follows_cpu else past.ran_s
        share = float(np.interp(worked_s, (0.0, *self.times_s), (0.0, *self.shares)))
        return float(math.floor(share * memory_bytes))


DIRTY_PAGES: dict[str, type] = {"rate": DirtyRate, "curve": DirtyCurve}
