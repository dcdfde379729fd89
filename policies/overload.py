"""What an overload detector is."""

from typing import Literal, Protocol

import numpy as np

from ..models.arrays import Floats

HistoryOf = Literal["vms", "host"]


class OverloadDetector(Protocol):
    """Tells from recent demand which hosts are, or will be, overloaded.

    A host is overloaded where its value is above its limit.
    """

    @property
    def samples(self) -> int:
        """Number of past samples wanted, the present one included."""
        ...

    @property
    def history(self) -> HistoryOf:
        """Whose past counts: that of the VMs now on the host, or the host's own."""
        ...

    def linear(self, depth: int) -> tuple[Floats, float] | None:
        """Return sample weights (oldest first) and limit, if the test is a weighted sum.

        The value is then the weighted sum of a host's demand samples over its capacity and the
        limit a constant; None where the test is of another kind.
        """
        ...

    def judge(self, history_mhz: Floats, capacity_mhz: Floats) -> tuple[Floats, Floats]:
        """Return value and limit per host, as shares of capacity.

        ``history_mhz`` has shape (hosts, samples), oldest first, the last being present demand.
        """
        ...


def newest_only(depth: int) -> Floats:
    """Return weights that look at present demand alone."""
    weights = np.zeros(depth)
    weights[-1] = 1.0
    return weights


def weigh(
    history_mhz: Floats, capacity_mhz: Floats, weights: Floats, limit: float
) -> tuple[Floats, Floats]:
    """Judge by a weighted sum against a constant limit."""
    value = (history_mhz[:, -len(weights) :] * weights).sum(axis=1) / capacity_mhz
    return value, np.full(len(capacity_mhz), limit)
