"""Compare generated arrivals with the published statistics that they were fitted to.

``python benchmarks/arrivals.py`` generates a month, prints one line per statistic with the
Kolmogorov-Smirnov distance at the published points and its threshold, and ends with code 1 if a
threshold is passed. Statistics marked * were not fitted: they follow from the rest.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from farmsim.models.base.arrays import Floats, Ints
from farmsim.models.workload.arrival_generator import (
    HOUR_S,
    ArrivalLaw,
    Generated,
    arrival_law,
    generate,
    published_arrivals,
)
from farmsim.sim.base.random_streams import Streams

DAY_S = 24 * HOUR_S


class Distance(NamedTuple):
    """A statistic, its largest distance from what was published, and what is allowed."""

    name: str
    distance: float
    allowed: float


def at_quantiles(sample: Ints, published: Mapping[str, float]) -> float:
    """Return the largest distance of the two distributions at published quantiles.

    A quantile of whole numbers lies on a step: the distance is 0 where the probability is
    within the step of the sample.

    ``sample`` are whole numbers, (n,); ``published`` maps probabilities, as texts, to quantiles.
    """
    distances = []
    for text, value in published.items():
        wanted = float(text)
        below, upto = (sample < value).mean(), (sample <= value).mean()
        distances.append(max(below - wanted, wanted - upto, 0.0))
    return float(max(distances))


def at_points(sample: Floats | Ints, points: list[float], cdf: list[float]) -> float:
    """Return the largest distance of the two distributions at some points.

    ``points`` ascend, ``cdf`` are the published probabilities at or below them. Between points
    nothing was published, so that the true distance may be larger.
    """
    ranked = np.sort(sample)
    found = np.searchsorted(ranked, points, "right") / len(ranked)
    return float(np.abs(found - np.asarray(cdf)).max())


def flavour_distance(made: Generated, law: ArrivalLaw) -> float:
    """Return the largest distance of the distributions of vCPUs and of memory."""
    shares = np.array([each.share for each in law.flavours])
    found = []
    for values in (
        np.array([float(each.vcpus) for each in law.flavours]),
        np.array([each.memory_mib for each in law.flavours]),
    ):
        points = np.unique(values).tolist()
        cdf = [float(shares[values <= point].sum()) for point in points]
        found.append(at_points(values[made.flavour], points, cdf))
    return max(found)


def distances(days: int, seed: int) -> Iterator[Distance]:
    """Yield the statistics of some generated days.

    Thresholds are meant for a month; shorter runs may pass them by chance.
    """
    entry, law = published_arrivals()["azure_v1"], arrival_law()
    made = generate(law, days * DAY_S, Streams(seed))
    starts = np.flatnonzero(np.diff(made.batch, prepend=-1))
    at_s, sizes = made.arrival_s[starts], np.bincount(made.batch)
    steps = int(days * DAY_S / law.step_s)
    batches = np.bincount((at_s // law.step_s).astype(np.int64), minlength=steps)
    vms = np.bincount((made.arrival_s // law.step_s).astype(np.int64), minlength=steps)
    by_hour = np.bincount((at_s // HOUR_S).astype(np.int64) % 24, minlength=24)
    profile = np.cumsum(by_hour) / len(at_s) - np.cumsum(entry["hour_profile"]) / 24
    ended = [1.0 - left for left in entry["survival"]]
    yield Distance("hour of the day of batches", float(np.abs(profile).max()), 0.01)
    yield Distance("batches per 5 min", at_quantiles(batches, entry["batches_per_step"]), 0.05)
    yield Distance(
        "VMs per batch", at_points(sizes, entry["batch_size"], entry["batch_size_cdf"]), 0.01
    )
    yield Distance("vCPUs and memory of VMs", flavour_distance(made, law), 0.03)
    yield Distance("lifetimes of VMs", at_points(made.lifetime_s, entry["survival_s"], ended), 0.03)
    yield Distance("VMs per 5 min *", at_quantiles(vms, entry["vms_per_step"]), 0.08)


def main() -> None:
    """Print the distances; end with code 1 if one is larger than allowed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began_s = time.process_time()
    found = list(distances(arguments.days, arguments.seed))
    lines = [f"{each.name:28} {each.distance:6.4f}  allowed {each.allowed:g}" for each in found]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stderr.write(f"{time.process_time() - began_s:.1f} s of CPU\n")
    sys.exit(any(each.distance > each.allowed for each in found))


if __name__ == "__main__":
    main()
