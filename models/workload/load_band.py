"""Load factor: how far the P95 of a farm's load lies above what one snapshot shows.

``R = P95 over a month of the summed load / sum at a random instant``. One snapshot cannot say which
R its farm has, so a question of CPU is answered with a band of R, never with one number. The bands
were measured on two public farms, 100 VMs of Azure (steady) and 496 of Bitbrains (batch), and hold
for others only as far as these resemble them; a batch farm can exceed its band.
docs/load.md has the method and what the bands cover; ``benchmarks/load_band.py`` recomputes them.
"""

from typing import Literal, get_args

import numpy as np

from ..base.lazy_dataclass import dataclass
from .peaks import percentile

Profile = Literal["mixed", "steady", "batch"]
Verdict = Literal["does not decide", "may decide", "decides"]
PROFILES: tuple[Profile, ...] = get_args(Profile)
DEFAULT_PROFILE: Profile = "mixed"
PERCENTILE = 0.95
"""The percentile of the summed load that hosts are sized for."""


@dataclass(frozen=True)
class Band:
    """Low, typical and high value: a tenth of the cases lies below ``low``, a tenth above ``high``.

    ``typical`` is the median.
    """

    low: float
    typical: float
    high: float

    def times(self, value: float) -> "Band":
        """Return the band of a multiple, such as MHz at the snapshot times the load factor."""
        return Band(self.low * value, self.typical * value, self.high * value)

    def named(self, name: str) -> float:
        """Return the value named ``low``, ``typical`` or ``high``."""
        return {"low": self.low, "typical": self.typical, "high": self.high}[name]


_PROBABILITIES = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
_FACTORS: dict[Profile, tuple[float, ...]] = {
    "mixed": (0.95, 0.98, 1.0, 1.1, 1.15, 1.2, 1.25, 1.35, 1.75, 2.9, 6.0, 8.0, 10.0),
    "steady": (0.95, 0.98, 1.0, 1.05, 1.08, 1.12, 1.15, 1.2, 1.25, 1.35, 1.5, 1.6, 1.7),
    "batch": (0.95, 0.98, 1.0, 1.2, 1.4, 1.75, 2.3, 2.9, 4.0, 5.5, 7.0, 9.0, 12.0),
}
"""Quantiles of R by profile, at ``_PROBABILITIES``; measured on 30 to 100 VMs and rounded.

``mixed`` has both farms in equal parts. P10, P50 and P90 are the band's low, typical and high.
"""
_OF_SNAPSHOTS: dict[Profile, dict[int, tuple[float, float, float]]] = {
    "mixed": {6: (0.79, 0.96, 1.05), 12: (0.91, 0.99, 1.08), 24: (0.92, 0.98, 1.04),
              48: (0.95, 1.0, 1.04)},
    "steady": {6: (0.88, 0.96, 1.05), 12: (0.93, 0.99, 1.09), 24: (0.94, 0.98, 1.04),
               48: (0.96, 1.0, 1.04)},
    "batch": {6: (0.67, 0.95, 1.05), 12: (0.87, 0.99, 1.08), 24: (0.9, 0.98, 1.04),
              48: (0.94, 0.99, 1.04)},
}  # fmt: skip
"""P10, P50 and P90 of the P95 of k sums as a share of the true P95, by profile and k.

The k snapshots are at random instants of four weeks. Measured on groups of 50 to 100 VMs.
"""
_P95_OVER_MEAN: dict[Profile, Band] = {
    "mixed": Band(1.15, 1.4, 2.15), "steady": Band(1.15, 1.2, 1.25), "batch": Band(1.85, 2.0, 2.2),
}  # fmt: skip
"""P95 of the summed load over its mean, by profile; measured on groups of 50 to 100 VMs."""
FEWEST, FEW, ENOUGH = 6, 12, 24
"""Snapshots from which their sums give a band of the P95, from which they are a tier of knowledge
of their own, and from which the confidence is medium."""


def band(profile: Profile = DEFAULT_PROFILE) -> Band:
    """Return the band of the load factor R for one snapshot of a farm of this profile."""
    return Band(*(quantile(profile, q) for q in (0.1, 0.5, 0.9)))


def quantile(profile: Profile, q: float) -> float:
    """Return the load factor R that the share ``q`` (0 to 1) of the snapshots does not exceed.

    Linear between the measured quantiles; below 2.5 % and above 97.5 % nothing is claimed: the
    outermost ones hold.
    """
    return float(np.interp(q, _PROBABILITIES, _FACTORS[profile]))


def replication_quantile(replication: int, replications: int) -> float:
    """Return the quantile that a replication stands for, ``(r - 1/2) / R`` of r = 1 to R."""
    if not 1 <= replication <= replications:
        raise ValueError(f"no replication {replication} of {replications}")
    return (replication - 0.5) / replications


def mean_band(profile: Profile = DEFAULT_PROFILE) -> Band:
    """Return the band of the P95 of the summed load over its mean, for a recorded mean."""
    return _P95_OVER_MEAN[profile]


def snapshots_band(snapshots: int, profile: Profile = DEFAULT_PROFILE) -> Band | None:
    """Return the band of the true P95 over the P95 of the sums of several snapshots.

    None below 6 snapshots, of which nothing was measured. Between measured numbers the band of the
    smaller one holds.
    """
    table = _OF_SNAPSHOTS[profile]
    known = [k for k in table if k <= snapshots]
    if not known:
        return None
    low, typical, high = table[max(known)]
    return Band(1 / high, 1 / typical, 1 / low)


def p95_of_snapshots(sums_mhz: list[float], profile: Profile = DEFAULT_PROFILE) -> Band | None:
    """Return the P95 of a farm in MHz from its sums at several instants, with its band.

    None below 6 snapshots.
    """
    factors = snapshots_band(len(sums_mhz), profile)
    if factors is None:
        return None
    return factors.times(percentile(np.array(sums_mhz, float), PERCENTILE))


def verdict(break_even: float, factors: Band) -> Verdict:
    """Return whether CPU decides the number of hosts, from the break-even load factor.

    ``break_even`` is the load factor from which CPU, and not what limits now, asks for more hosts.
    From the high end of the band on, CPU does not decide; below the typical factor it does.
    """
    if break_even >= factors.high:
        return "does not decide"
    return "decides" if break_even < factors.typical else "may decide"


def verdict_words(break_even: float, factors: Band) -> str:
    """Return the verdict on a break-even factor as a sentence."""
    holds = f"the number of hosts holds until CPU demand is {break_even:.3g} times the snapshot"
    span = f"{factors.low:.3g} to {factors.high:.3g} times"
    found = verdict(break_even, factors)
    if found == "does not decide":
        return f"CPU does not decide: {holds}, above the band of {span}."
    if found == "may decide":
        return f"CPU may decide: {holds}, within the band of {span}; measure it."
    return (
        f"Sized by CPU at {factors.typical:.3g} times the snapshot; what is known allows {span}; "
        "measure it."
    )


def what_to_measure(profile: Profile = DEFAULT_PROFILE) -> list[str]:
    """Return what would narrow the band, as sentences, the cheapest first."""
    shares = {k: _OF_SNAPSHOTS[profile][k] for k in (6, 12, 24, 48)}
    by_count = ", ".join(f"{k}: {low:.2f} to {high:.2f}" for k, (low, _, high) in shares.items())
    return [
        "Take 24 or more snapshots at random hours over four weeks (not at one fixed hour) and "
        "import them together. The P95 of their sums as a share of the true P95, P10 to P90, by "
        f"number of snapshots: {by_count}.",
        "Or export at least 14 days of CPU per VM from the monitoring, 5-minute or hourly values.",
    ]
