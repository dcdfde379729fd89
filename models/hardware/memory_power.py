"""Power of memory beyond that of a benchmark's configuration.

Published SPECpower_ssj2008 results are of lean systems: those of the Xeon E5-2680 have 24 GB, where
hosts of consolidated farms have 256 to 512 GB. Regressions over the published results with a fixed
effect per processor give +0.17 W/GB at idle (90 % interval 0.09 to 0.27) and +0.24 W/GB at full
load (0.15 to 0.38); by kind +0.40 W/GB for DDR2 and DDR3 and +0.12 W/GB for DDR4, with DDR5 not
resolved, which is counted like DDR4. The addition is the same at every load, and an estimate.
"""

from ..base.estimates import Ranged
from ..base.lazy_dataclass import dataclass

LOW_W_PER_GIB, HIGH_W_PER_GIB = 0.09, 0.40
"""Range of the power of one more GiB, whatever its kind, in W."""
W_PER_GIB = {"DDR2": 0.40, "DDR3": 0.40, "DDR4": 0.15, "DDR5": 0.15}
"""Typical power of one more GiB by kind of memory, in W."""
UNKNOWN_W_PER_GIB = 0.17
"""Typical power of one more GiB of a kind that is not known: the effect over all results, in W."""
NOT_INCLUDED = "disks, adapters and management controllers beyond the benchmark's are not included"


@dataclass(frozen=True)
class ExtraPower:
    """What memory adds to a curve, in W at every load, and what it rests on.

    ``extra_gib`` is the memory beyond that of the results; ``watts`` are marked E (estimate).
    """

    extra_gib: float
    kind: str
    watts: Ranged


def extra_power(memory_gib: float, result_gib: float, kind: str) -> ExtraPower:
    """Return what memory beyond that of the published results draws, in W at every load.

    ``extra = (memory - memory of the results) x W_PER_GIB[kind]``, at least 0: less memory than the
    results have is not credited. ``kind`` is that of the processor's generation (``DDR3``).
    """
    extra_gib = max(memory_gib - result_gib, 0.0)
    typical = W_PER_GIB.get(kind, UNKNOWN_W_PER_GIB)
    return ExtraPower(
        extra_gib,
        kind,
        Ranged(
            low=extra_gib * LOW_W_PER_GIB,
            typical=extra_gib * typical,
            high=extra_gib * HIGH_W_PER_GIB,
            confidence="E",
            note=NOT_INCLUDED,
        ),
    )
