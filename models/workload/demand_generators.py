"""Synthetic load: a class-based generator and block resampling of a real trace."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..base.arrays import Floats, Ints, added
from ..base.lazy_dataclass import dataclass
from ..base.parameters import parameter

DAY_S = 86_400.0
PARTS = ("level", "slow", "fast", "noise", "daily", "shared")
Stream = Callable[[str], "np.random.Generator"]


@dataclass(frozen=True)
class LoadClass:
    """One class of VMs: shares of its variance, and quantiles of utilisation.

    The variances are parts of a standard normal score ``z`` (they are scaled to sum to 1);
    the utilisation is the class's quantile function at ``Phi(z)``.
    """

    share: float = parameter("Share of the VMs in this class.", gt=0, dimension="share", le=1)
    level_variance: float = parameter("Variance of the constant level of each VM.", 0.5, ge=0)
    slow_variance: float = parameter("Variance of the slow component.", 0.2, ge=0)
    slow_time_constant_s: float = parameter(
        "Time constant of the slow component.",
        14_400.0,
        key="slow_time_constant",
        dimension="time",
        gt=0,
    )
    fast_variance: float = parameter("Variance of the fast component.", 0.1, ge=0)
    fast_time_constant_s: float = parameter(
        "Time constant of the fast component.",
        600.0,
        key="fast_time_constant",
        dimension="time",
        gt=0,
    )
    daily_variance: float = parameter("Variance of the daily cycle.", 0.05, ge=0)
    noise_variance: float = parameter("Variance of white noise.", 0.15, ge=0)
    shared_variance: float = parameter(
        "Variance of the component common to all VMs of the class.", 0.0, ge=0
    )
    quantiles_percent: tuple[float, ...] = parameter(
        "Utilisation in percent at equally spaced probabilities from 0 to 1.",
        (0.0, 5.0, 10.0, 20.0, 100.0),
        key="quantiles",
        dimension="percent list",
    )

    def __post_init__(self) -> None:
        if self.total_variance <= 0:
            raise ValueError("all variances are 0; set at least one of them")

    @property
    def total_variance(self) -> float:
        """Sum of the parts."""
        return added(getattr(self, f"{part}_variance") for part in PARTS)


@dataclass(frozen=True)
class Bursts:
    """Occasional periods of high load of a VM, of geometric length.

    In every step a VM that is not in a burst begins one with probability ``p e / (e - p)``, where
    ``p = per_day * step / 1 d`` and ``e = min(1, step / duration)`` is the probability that a burst
    ends with a step. A VM then spends the share ``p / e`` of its time in bursts and begins
    ``per_day`` of them a day, from the first step on (stationary distribution of a Markov chain of
    two states).
    """

    per_day: float = parameter("Mean number of bursts per VM and day.", 1.0, ge=0)
    duration_s: float = parameter(
        "Mean length of a burst.", 900.0, key="duration", dimension="time", gt=0
    )
    height: float = parameter(
        "Minimum utilisation during a burst.", 0.9, dimension="share", gt=0, le=1
    )

    def __post_init__(self) -> None:
        if self.per_day * self.duration_s >= DAY_S:
            raise ValueError(
                f"{self.per_day:g} bursts of {self.duration_s:g} s do not fit into a day; reduce "
                "their number or length"
            )

    @property
    def share(self) -> float:
        """Share of its time that a VM spends in bursts."""
        return self.per_day * self.duration_s / DAY_S

    def chances(self, step_s: float) -> tuple[float, float]:
        """Return the probabilities that a burst begins and that it ends, per step.

        Steps longer than the time between bursts cannot hold them all; one then begins in each.
        """
        ends = min(1.0, step_s / self.duration_s)
        begun = self.per_day * step_s / DAY_S
        return (min(1.0, begun * ends / (ends - begun)) if begun < ends else 1.0), ends


class ClassSeries:
    """Gaussian copula by VM class, one slot after another.

    ``z = sqrt(level) g + sqrt(slow) A + sqrt(fast) B + sqrt(noise) e + sqrt(2 daily) cos(…)
    + sqrt(shared) C + sqrt(farm) F``, A, B first-order autoregressive per VM, C per class, F
    for the whole farm, with ``phi = exp(-step / time constant)``. Limits, measured against the
    traces that the shipped classes were fitted to, stand in ``docs/workloads.md``.
    """

    share_per_count = 0.01

    def __init__(
        self,
        classes: Sequence[LoadClass],
        probabilities: Floats,
        vms: int,
        step_s: float,
        stream: Stream,
        farm_variance: float = 0.0,
        bursts: Bursts | None = None,
        peak_s: float = 50_400.0,
    ) -> None:
        """Draw the VMs' classes and levels.

        ``stream`` gives an independent generator per name; ``peak_s`` is the time of day at
        which the daily part is highest.
        """
        self.step_s = step_s
        self._classes, self._probabilities = list(classes), probabilities
        shares = np.array([each.share for each in classes])
        self._class_of_vm = stream("classes").choice(len(classes), vms, p=shares / shares.sum())
        self._level = stream("levels").standard_normal(vms)
        self._draw = {name: stream(name) for name in ("slow", "fast", "noise", "shared", "farm")}
        self._slow = self._draw["slow"].standard_normal(vms)
        self._fast = self._draw["fast"].standard_normal(vms)
        self._shared = self._draw["shared"].standard_normal(len(classes))
        self._farm = float(self._draw["farm"].standard_normal())
        self._peak_s = peak_s
        self._bursts, self._burst_draw = bursts, stream("bursts")
        self._bursting = None if bursts is None else self._burst_draw.random(vms) < bursts.share
        self._next_slot = 0
        self._weights(farm_variance)

    def _weights(self, farm_variance: float) -> None:
        parts = np.array(
            [
                [getattr(each, f"{part}_variance") / each.total_variance for part in PARTS]
                for each in self._classes
            ]
        )
        scaled = np.sqrt(parts * (1.0 - farm_variance))
        self._weight = dict(zip(PARTS, scaled[self._class_of_vm].T, strict=True))
        self._farm_weight = float(np.sqrt(farm_variance))
        slow_s = np.array([each.slow_time_constant_s for each in self._classes])
        fast_s = np.array([each.fast_time_constant_s for each in self._classes])
        self._class_phi = np.exp(-self.step_s / slow_s)
        self._slow_phi = self._class_phi[self._class_of_vm]
        self._fast_phi = np.exp(-self.step_s / fast_s)[self._class_of_vm]
        self._farm_phi = float(self._class_phi.mean())

    def row(self, slot: int) -> NDArray[np.generic]:
        """Return utilisations in percent; slots must be asked for in ascending order."""
        while self._next_slot <= slot:
            if self._next_slot:
                self._advance()
            self._percent = self._percentages(self._next_slot)
            self._next_slot += 1
        return self._percent

    def _advance(self) -> None:
        draw, count = self._draw, len(self._level)
        self._slow = _walk(self._slow, self._slow_phi, draw["slow"].standard_normal(count))
        self._fast = _walk(self._fast, self._fast_phi, draw["fast"].standard_normal(count))
        news = draw["shared"].standard_normal(len(self._classes))
        self._shared = _walk(self._shared, self._class_phi, news)
        keep = self._farm_phi
        self._farm = keep * self._farm + np.sqrt(1 - keep * keep) * float(
            draw["farm"].standard_normal()
        )

    def _percentages(self, slot: int) -> Floats:
        from scipy.special import ndtr  # noqa: PLC0415 - costly to import, needed only here

        weight = self._weight
        angle = 2 * np.pi * (slot * self.step_s - self._peak_s) / DAY_S
        score = weight["level"] * self._level + weight["slow"] * self._slow
        score += weight["fast"] * self._fast
        score += weight["noise"] * self._draw["noise"].standard_normal(len(score))
        score += weight["daily"] * (np.sqrt(2.0) * np.cos(angle))
        score += weight["shared"] * self._shared[self._class_of_vm]
        score += self._farm_weight * self._farm
        probability = ndtr(score)
        percent = np.empty(len(score))
        for index, each in enumerate(self._classes):
            own = self._class_of_vm == index
            table = np.asarray(each.quantiles_percent)
            at = self._probabilities
            if len(table) != len(at):
                at = np.linspace(0.0, 1.0, len(table))
            percent[own] = np.interp(probability[own], at, table)
        return self._with_bursts(percent)

    def _with_bursts(self, percent: Floats) -> Floats:
        if self._bursts is None or self._bursting is None:
            return percent
        chance = self._burst_draw.random(len(percent))
        starts, ends = self._bursts.chances(self.step_s)
        self._bursting = np.where(self._bursting, chance >= ends, chance < starts)
        return np.where(self._bursting, np.maximum(percent, 100 * self._bursts.height), percent)

    def has_ended(self, slot: int) -> bool:
        """Never: a generator goes on."""
        del slot
        return False


def _walk(state: Floats, phi: Floats, news: Floats) -> Floats:
    """Advance first-order autoregressive states of unit variance by one step."""
    return phi * state + np.sqrt(1.0 - phi * phi) * news


class ResampledSeries:
    """Block resampling of a trace: each VM replays one recorded VM in random blocks.

    Blocks of whole days keep the time of day. With ``together`` all VMs draw the same block,
    which keeps their common ups and downs; apart, each VM draws its own.
    """

    def __init__(
        self,
        counts: NDArray[np.generic],
        share_per_count: float,
        step_s: float,
        vms: int,
        block_s: float,
        stream: Stream,
        blocks: Literal["together", "apart"] = "together",
    ) -> None:
        """Draw the recorded VM of each VM.

        Raises ValueError if a block is longer than the trace or no whole number of slots.
        """
        slots = block_s / step_s
        if slots != int(slots) or slots < 1 or slots > len(counts):
            raise ValueError(
                f"a block must be a whole number of steps of {step_s:g} s "
                f"and no longer than the trace ({len(counts) * step_s:g} s)"
            )
        self.step_s, self.share_per_count = step_s, share_per_count
        self._counts, self._block_slots = counts, int(slots)
        self._source: Ints = stream("sources").integers(counts.shape[1], size=vms)
        self._draw, self._together = stream("blocks"), blocks == "together"
        self._block = -1
        self._start: Ints = np.zeros(vms, np.int64)

    def row(self, slot: int) -> NDArray[np.generic]:
        """Return the counts of all VMs; slots must be asked for in ascending order."""
        block, inside = divmod(slot, self._block_slots)
        while self._block < block:
            choices = len(self._counts) // self._block_slots
            size = 1 if self._together else len(self._source)
            drawn = self._draw.integers(choices, size=size) * self._block_slots
            self._start = np.broadcast_to(drawn, self._source.shape)
            self._block += 1
        return self._counts[self._start + inside, self._source]

    def has_ended(self, slot: int) -> bool:
        """Never: blocks go on being drawn."""
        del slot
        return False
