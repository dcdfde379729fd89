"""What an overload detector is."""

from dataclasses import fields, is_dataclass
from typing import Literal, Protocol

import numpy as np

from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter

HistoryOf = Literal["vms", "host"]
Measure = Literal["demand", "utilisation"]


@dataclass(frozen=True, kw_only=True)
class OverloadDetectorFields:
    """What every detector lets a scenario choose."""

    measure: Measure = parameter(
        "Quantity that is monitored: the CPU demand of the VMs, or the utilisation of the host, "
        "at most 100 %.",
        "demand",
    )
    above_for_s: float = parameter(
        "Time that a host must be above the limit, in every round, before it counts as overloaded.",
        0.0,
        key="above_for",
        dimension="time",
        ge=0,
    )


def looks_at_use(policy: object) -> bool:
    """Whether a policy, or a part of it, looks at utilisation instead of demand."""
    if isinstance(policy, list | tuple):
        return any(looks_at_use(part) for part in policy)
    if not is_dataclass(policy):
        return False
    if getattr(policy, "measure", "") == "utilisation":
        return True
    return any(looks_at_use(getattr(policy, each.name)) for each in fields(policy))


class OverloadDetector(Protocol):
    """Detects from recent demand which hosts are, or will be, overloaded.

    A host is overloaded where its value is above its limit. Beside what stands here, a detector may
    have the fields of :class:`OverloadDetectorFields`, and may say how few samples of its own life
    (``fewest``, else 1) and what ``fallback`` threshold (else 1) a VM is judged by
    (:mod:`.detector_state`).
    """

    @property
    def samples(self) -> int:
        """Number of past samples wanted, the present one included."""
        ...

    @property
    def history(self) -> HistoryOf:
        """Whose history is used: that of the VMs now on the host, or of the host itself."""
        ...

    def linear(self, depth: int) -> tuple[Floats, float] | None:
        """Return sample weights (oldest first) and limit, if the test is a weighted sum.

        The value is then the weighted sum of a host's demand samples over its capacity and the
        limit a constant; None where the test is of another kind.

        ``depth`` is the number of samples held, at least 1; weights are (depth,), the limit is
        above 0. A linear test is cheap: placing a VM adds its weighted sum to that of the host.
        """
        ...

    def judge(self, history_mhz: Floats, capacity_mhz: Floats) -> tuple[Floats, Floats]:
        """Return value and limit per host, as shares of capacity.

        ``history_mhz`` has shape (hosts, samples), oldest first, the last being present demand.

        ``capacity_mhz`` and both results are (hosts,). Called with any subset of the farm's hosts.
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
    """Judge by a weighted sum against a constant limit.

    ``history_mhz`` is (hosts, samples), ``weights`` at most (samples,), ``limit`` a share of the
    CPU.
    """
    value = (history_mhz[:, -len(weights) :] * weights).sum(axis=1) / capacity_mhz
    return value, np.full(len(capacity_mhz), limit)
