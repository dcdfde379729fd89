"""Generated arrivals: batches of VMs, with distributions fitted to a public trace.

Batches arrive by a Poisson process whose rate follows the hour of the day and varies from step
to step by a gamma factor; a batch has a heavy-tailed number of VMs, mostly of one flavour, which
live alike. Lifetimes are a mixture of two lognormals, beyond ``splice_s`` the Kaplan-Meier
estimate, on a straight line between its points in logarithms of both axes.
"""

import json
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np

from ..base.arrays import Floats, Ints
from ..base.catalogue import MIB_PER_GIB, data_file
from ..base.lazy_dataclass import dataclass

Stream = Callable[[str], "np.random.Generator"]
HOUR_S = 3600.0
LONGEST_S = 3.2e9
"""Where the tail of lifetimes is cut: a hundred years."""


@dataclass(frozen=True)
class Flavour:
    """A VM size, and its share of the VMs."""

    vcpus: int
    memory_mib: float
    share: float


@dataclass(frozen=True)
class LifetimeLaw:
    """Distribution of VM lifetimes.

    Up to ``splice_s`` two lognormals with means and deviations of ln s, the first with weight
    ``first_share``; beyond, ``survival`` at ``survival_s``, continued with its last slope.
    ``batch_share`` is the part of the variance of the normal scores that a batch has in common.
    """

    first_share: float
    first_ln_s: float
    first_sigma: float
    second_ln_s: float
    second_sigma: float
    splice_s: float
    batch_share: float
    survival_s: tuple[float, ...]
    survival: tuple[float, ...]

    def quantile_s(self, probability: Floats) -> Floats:
        """Return the lifetimes below which VMs fall with some probabilities, s."""
        ln_s, cdf = self._table
        lived: Floats = np.exp(np.interp(probability, cdf, ln_s))
        late = probability > cdf[-1]
        ln_survival, ln_tail_s = self._tail
        # np.interp wants ascending abscissae: survival falls as lifetimes rise.
        left = np.log(np.maximum(1.0 - probability[late], 1e-300))
        lived[late] = np.exp(np.interp(left, ln_survival[::-1], ln_tail_s[::-1]))
        return lived

    def draw_s(self, batch: Ints, stream: Stream) -> Floats:
        """Return a lifetime per VM, s; correlated within a batch (numbered from 0)."""
        from scipy.special import ndtr  # noqa: PLC0415 - costly to import, needed only here

        count = int(batch.max()) + 1 if len(batch) else 0
        common = stream("lifetimes of batches").standard_normal(count)[batch]
        own = stream("lifetimes").standard_normal(len(batch))
        score = np.sqrt(self.batch_share) * common + np.sqrt(1.0 - self.batch_share) * own
        return self.quantile_s(ndtr(score))

    @cached_property
    def _table(self) -> tuple[Floats, Floats]:
        """Logarithms of time and the distribution up to the splice, where it meets the estimate."""
        from scipy.special import ndtr  # noqa: PLC0415

        ln_s = np.linspace(0.0, np.log(self.splice_s), 4000)
        first = ndtr((ln_s - self.first_ln_s) / self.first_sigma)
        second = ndtr((ln_s - self.second_ln_s) / self.second_sigma)
        cdf = self.first_share * first + (1.0 - self.first_share) * second
        ended = 1.0 - self.survival[self.survival_s.index(self.splice_s)]
        return ln_s, cdf * (ended / cdf[-1])

    @cached_property
    def _tail(self) -> tuple[Floats, Floats]:
        """Logarithms of survival and of time from the splice on."""
        at = self.survival_s.index(self.splice_s)
        ln_s, ln_left = np.log(self.survival_s[at:]), np.log(self.survival[at:])
        slope = (ln_left[-1] - ln_left[-2]) / (ln_s[-1] - ln_s[-2])
        end = np.log(LONGEST_S)
        return (
            np.append(ln_left, ln_left[-1] + slope * (end - ln_s[-1])),
            np.append(ln_s, end),
        )


@dataclass(frozen=True)
class ArrivalLaw:
    """Distributions of generated arrivals.

    ``hour_profile`` multiplies the rate by hour of the day; ``step_shape`` is the shape of the
    gamma factor that every step of ``step_s`` has; ``batch_size_cdf`` is the distribution of the
    number of VMs at ``batch_size``, in between straight in the logarithm of the size. Mean
    utilisations are lognormal in percent, cut at 100.
    """

    batches_per_h: float
    hour_profile: tuple[float, ...]
    step_s: float
    step_shape: float
    batch_size: tuple[float, ...]
    batch_size_cdf: tuple[float, ...]
    one_flavour_share: float
    flavours: tuple[Flavour, ...]
    lifetime: LifetimeLaw
    utilisation_ln_percent: float
    utilisation_sigma: float

    @property
    def mean_batch_size(self) -> float:
        """VMs per batch, by a fine table of the distribution."""
        middles = (np.arange(200_000) + 0.5) / 200_000
        return float(self.batch_sizes(middles).mean())

    def batch_sizes(self, probability: Floats) -> Ints:
        """Return the numbers of VMs that batches exceed with 1 − probability."""
        ln_size = np.interp(probability, self.batch_size_cdf, np.log(self.batch_size))
        return np.ceil(np.exp(ln_size) - 1e-9).astype(np.int64)


@dataclass(frozen=True)
class Generated:
    """Generated VMs in order of arrival; ``flavour`` points into the law's flavours."""

    arrival_s: Floats
    lifetime_s: Floats
    flavour: Ints
    batch: Ints
    utilisation: Floats


def generate(
    law: ArrivalLaw, end_s: float, stream: Stream, rate: float = 1.0, swing: float = 1.0
) -> Generated:
    """Generate the VMs that arrive before ``end_s``.

    ``stream`` gives an independent generator per name, ``rate`` multiplies the number of
    batches, ``swing`` the distance of the hour profile from 1 (0: all hours alike).
    """
    at_s = _batch_times(law, end_s, stream, rate, swing)
    sizes = law.batch_sizes(stream("batch sizes").random(len(at_s)))
    batch = np.repeat(np.arange(len(at_s)), sizes)
    percent = stream("utilisation").lognormal(
        law.utilisation_ln_percent, law.utilisation_sigma, len(batch)
    )
    return Generated(
        arrival_s=at_s[batch],
        lifetime_s=law.lifetime.draw_s(batch, stream),
        flavour=_flavours(law, len(at_s), batch, stream),
        batch=batch,
        utilisation=np.minimum(percent / 100, 1.0),
    )


def _batch_times(
    law: ArrivalLaw, end_s: float, stream: Stream, rate: float, swing: float
) -> Floats:
    starts_s = np.arange(0.0, end_s, law.step_s)
    lengths_s = np.minimum(law.step_s, end_s - starts_s)
    profile = np.asarray(law.hour_profile)[(starts_s // HOUR_S).astype(np.int64) % 24]
    profile = np.maximum(1.0 + swing * (profile - 1.0), 0.0)
    factor = stream("steps").gamma(law.step_shape, 1.0 / law.step_shape, len(starts_s))
    mean = rate * law.batches_per_h / HOUR_S * lengths_s * profile * factor
    counts = stream("batches").poisson(mean)
    within = stream("instants").random(int(counts.sum()))
    return np.sort(np.repeat(starts_s, counts) + within * np.repeat(lengths_s, counts))


def _flavours(law: ArrivalLaw, batches: int, batch: Ints, stream: Stream) -> Ints:
    """Return a flavour per VM: the batch's, or one of its own in batches that are mixed."""
    shares = np.cumsum([each.share for each in law.flavours])
    shares /= shares[-1]
    of_batch = np.searchsorted(shares, stream("flavours of batches").random(batches), "right")
    own = np.searchsorted(shares, stream("flavours").random(len(batch)), "right")
    mixed = stream("mixed batches").random(batches) >= law.one_flavour_share
    return np.where(mixed[batch], own, of_batch[batch])


@cache
def published_arrivals() -> dict[str, Any]:
    """Return the figures of the catalogue, by name of the law, as they stand in its file."""
    table: dict[str, Any] = json.loads(data_file("arrivals.json").read_text("utf-8"))
    return table


@cache
def arrival_law(name: str = "azure_v1") -> ArrivalLaw:
    """Return a law of the catalogue."""
    entry = published_arrivals()[name]
    life = LifetimeLaw(
        **entry["lifetime"],
        survival_s=tuple(float(each) for each in entry["survival_s"]),
        survival=tuple(entry["survival"]),
    )
    flavours = tuple(
        Flavour(each["vcpus"], each["memory_gib"] * MIB_PER_GIB, each["share"])
        for each in entry["flavours"]
    )
    return ArrivalLaw(
        batches_per_h=entry["batches_per_h"],
        hour_profile=tuple(entry["hour_profile"]),
        step_s=entry["step_s"],
        step_shape=entry["step_shape"],
        batch_size=tuple(entry["batch_size"]),
        batch_size_cdf=tuple(entry["batch_size_cdf"]),
        one_flavour_share=entry["one_flavour_share"],
        flavours=flavours,
        lifetime=life,
        utilisation_ln_percent=entry["utilisation_ln_percent"],
        utilisation_sigma=entry["utilisation_sigma"],
    )
