"""Load over time of VMs of which one instant, or the mean, is known.

Each VM takes the shape of whole weeks of a recorded VM; all draw the same weeks, so that common
swings stay. What was recorded is kept exactly, and the 95th percentile of the sum is set to a
wanted multiple of it, the load factor, which one instant does not tell: see ``load_band.py``.

*Instant.* With its recorded ``r_v`` MHz and the share ``l(t)`` of its recorded VM, a VM has by
itself ``y_v(t) = r_v (1 + (l(t) - l(0)) / max(l(0), LEAST_SHARE))``, where slot 0 is the snapshot;
the sum of all is ``Y(t)``, of the recorded MHz ``T``. Where the P95 of ``Y`` is below the wanted
one, the farm's deviation from the snapshot is stretched: all VMs rise together, by
``k r_v max(0, Y(t) - T) / (P95(Y) - T)``. Where it is above, the VMs have ``k y_v(t)`` at all
other instants. To stretch the deviations of single VMs instead would not reach the band: those of
many VMs cancel out, and most end at 0 or at their own CPU. No VM has more than its own CPU.

*Mean.* A VM has ``min(c_v l(t) Y(t)^g, own CPU)``, with ``Y`` the sum of these at ``g = 0``, one
exponent ``g`` for all, and ``c_v`` such that its mean is the recorded one, limits included.
"""

import math
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..base.arrays import Bools, Floats, Ints, distinct, sum_by
from ..base.lazy_dataclass import dataclass
from .load_band import PERCENTILE
from .peaks import percentile

Stream = Callable[[str], "np.random.Generator"]
Kept = Literal["instant", "mean"]
WEEK_S = 604_800.0
HOUR_S = 3_600.0
LEAST_SHARE = 0.005
"""Share that a recorded VM is taken to use at least; what is read as 0 has no shape to scale."""
INSTANTS = 64
"""Instants that are tried as the snapshot."""
MOST = 1e6
"""Largest stretching that is tried; VMs are at their own CPU long before."""
STEADIEST = -1.0
"""Exponent of the common swing that cancels it, and leaves the noise of single VMs."""
TOLERANCE = 1e-10
SLOTS = 64
"""Slots that are added up at a time."""


@dataclass(frozen=True, eq=False)
class WeeksOfVms:
    """Recorded VMs over whole weeks: shares of their CPU (slots, VMs), from a Monday 00:00 on."""

    shares: Floats
    step_s: float

    @property
    def slots_per_week(self) -> int:
        """Number of steps in a week."""
        return round(WEEK_S / self.step_s)

    @property
    def weeks(self) -> int:
        """Number of whole weeks."""
        return len(self.shares) // self.slots_per_week

    def from_week(self, first: int, weeks: int) -> Floats:
        """Return ``weeks`` weeks from one on, starting again after the last one."""
        length = self.slots_per_week
        at = (first * length + np.arange(weeks * length)) % (self.weeks * length)
        return self.shares[at]


@dataclass(frozen=True, eq=False)
class KnownUse:
    """What is known of the VMs: recorded MHz and own CPU in MHz, both (VMs,).

    ``kept`` says whether it is the use at one instant or a mean. No VM's is above its own CPU.
    """

    mhz: Floats
    own_mhz: Floats
    kept: Kept = "instant"


class SnapshotSeries:
    """Utilisation of VMs over whole weeks that start again, slot by slot.

    ``factor`` is the P95 of the sum over the weeks as a multiple of the recorded sum, as it was
    reached: limits of VMs may keep it from the wanted one. NaN where nothing was recorded but 0.
    ``snapshot_s`` is the time of week of slot 0, from Monday 00:00 on.
    """

    share_per_count: ClassVar[float] = 1.0

    def __init__(
        self,
        known: KnownUse,
        libraries: Sequence[WeeksOfVms],
        wanted: float,
        stream: Stream,
        weeks: int = 1,
        at_s: float | None = None,
    ) -> None:
        """Draw recorded VMs (in equal parts of the libraries, all of one step) and set the factor.

        ``weeks`` is the length after which the load starts again. ``at_s`` is the time of week of
        the snapshot, None where it is not known: an instant is then drawn. Raises ValueError for
        libraries of different steps.
        """
        if len({each.step_s for each in libraries}) != 1:
            raise ValueError("the libraries have different steps")
        self.step_s = libraries[0].step_s
        self._known, self._wanted = known, wanted
        self._total_mhz = float(known.mhz.sum())
        self.factor = math.nan
        mean = known.kept == "mean"
        draws = _Draws(libraries, weeks, at_s, stream)
        drawn = draws.drawn(known.mhz, None if mean else wanted)
        self._shares, self._source = drawn.shares, drawn.source
        self.snapshot_s = drawn.snapshot_s
        if mean:
            self._keep_mean()
        else:
            self._keep_instant()

    @property
    def kept(self) -> Kept:
        """Whether the use at slot 0 is the recorded one, or the mean."""
        return self._known.kept

    @property
    def slots(self) -> int:
        """Number of slots after which the load starts again."""
        return len(self._shares)

    @property
    def length_s(self) -> float:
        """Time after which the load starts again."""
        return self.slots * self.step_s

    def row(self, slot: int) -> NDArray[np.generic]:
        """Return the utilisation of all VMs (VMs,) in a slot."""
        used: Floats = self._mhz(slot % self.slots) / self._known.own_mhz
        return used

    def has_ended(self, slot: int) -> bool:
        """Never: the weeks start again."""
        del slot
        return False

    def totals_mhz(self) -> Floats:
        """Return the sum of all VMs in each slot (slots,), in MHz."""
        sums: Floats = np.array([self._mhz(slot).sum() for slot in range(self.slots)])
        return sums

    def _mhz(self, slot: int) -> Floats:
        """Return the MHz of all VMs (VMs,) in one of the slots."""
        shares = self._shares[slot][self._source]
        used = self._scale * shares if self._known.kept == "mean" else self._by_itself(shares)
        if self._known.kept == "instant":
            used *= self._level_of_slot[slot]
            used += self._known.mhz * self._rise_of_slot[slot]
        return np.clip(used, 0.0, self._known.own_mhz, out=used)

    def _by_itself(self, shares: Floats) -> Floats:
        """Return what VMs ask for by themselves where recorded VMs have some shares (…, VMs)."""
        used: Floats = shares - self._first
        used *= self._scale
        used += self._known.mhz
        return used

    # -- the instant is kept ------------------------------------------------------------------

    def _keep_instant(self) -> None:
        """Stretch or lower the load to the wanted factor, as nearly as can be."""
        known, first = self._known, self._shares[0]
        self._first = first[self._source]
        self._scale = known.mhz / np.maximum(self._first, LEAST_SHARE)
        slots = np.arange(self.slots)
        self._rise_of_slot, self._level_of_slot = np.zeros(self.slots), np.ones(self.slots)
        if not self._total_mhz > 0:
            return
        by_itself = self._sums_mhz(slots, self._rise_of_slot, self._level_of_slot)
        peak_mhz = percentile(by_itself, PERCENTILE)
        above = np.maximum(by_itself - self._total_mhz, 0.0)
        own = peak_mhz / self._total_mhz
        if own < self._wanted and peak_mhz > self._total_mhz:
            swing = above / (peak_mhz - self._total_mhz)
            swing[0] = 0.0  # exactly, whatever rounding left of the difference
            rising, totals = np.flatnonzero(swing > 0), by_itself

            def risen(stretch: float) -> float:
                self._rise_of_slot = stretch * swing
                rise, level = self._rise_of_slot[rising], self._level_of_slot[rising]
                totals[rising] = self._sums_mhz(rising, rise, level)
                return percentile(totals, PERCENTILE) / self._total_mhz

            self.factor = _solved(risen, self._wanted, (0.0, own), self._wanted - own)
            return

        def levelled(level: float) -> float:
            self._level_of_slot = np.full(self.slots, level)
            self._level_of_slot[0] = 1.0
            totals = self._sums_mhz(slots, self._rise_of_slot, self._level_of_slot)
            return percentile(totals, PERCENTILE) / self._total_mhz

        self.factor = _solved(levelled, self._wanted, (0.0, 0.0), self._wanted / own)

    def _sums_mhz(self, slots: Ints, rise: Floats, level: Floats) -> Floats:
        """Return the sums of all VMs at some slots, with the rise and the level of each (slots,).

        VMs that do not reach their own CPU are added up by their recorded VM, which are few.
        """
        known, high = self._known, self._shares.max(axis=0)
        highest = self._by_itself(high[self._source]) * level.max(initial=0.0)
        highest += known.mhz * rise.max(initial=0.0)
        limited: Bools = highest > known.own_mhz
        at = np.flatnonzero(limited)
        weight = np.where(limited, 0.0, self._scale)
        by_series = sum_by(self._source, weights=weight, minlength=len(high))
        shares = self._shares[slots]
        free_mhz = float(known.mhz[~limited].sum())
        sums: Floats = ((shares - self._shares[0]) * by_series).sum(axis=1)
        sums = (sums + free_mhz) * level + free_mhz * rise
        scale, mhz, own_mhz = self._scale[at], known.mhz[at], known.own_mhz[at]
        start_mhz = mhz - scale * self._first[at]
        for start in range(0, len(slots) if len(at) else 0, SLOTS):
            window = slice(start, start + SLOTS)
            used = shares[window].take(self._source[at], axis=1)
            used *= scale
            used += start_mhz
            used *= level[window, None]
            used += rise[window, None] * mhz
            sums[window] += np.minimum(used, own_mhz, out=used).sum(axis=1)
        return sums

    # -- the mean is kept ---------------------------------------------------------------------

    def _keep_mean(self) -> None:
        """Find the exponent of the common swing that makes the wanted factor."""
        recorded = np.maximum(self._shares, LEAST_SHARE)
        recorded /= recorded.mean(axis=0)
        self._set_shapes(recorded)
        if not self._total_mhz > 0:
            return
        swing = (recorded * self._by_series(self._known.mhz)).sum(axis=1)
        swing /= swing.mean()

        def swung(exponent: float) -> float:
            self._set_shapes(recorded * (swing**exponent)[:, None])
            return percentile(self.totals_mhz(), PERCENTILE) / self._total_mhz

        steadiest = swung(STEADIEST)
        if steadiest >= self._wanted:
            self.factor = steadiest
            return
        self.factor = _solved(swung, self._wanted, (STEADIEST, steadiest), 0.5, most=64.0)

    def _by_series(self, mhz: Floats) -> Floats:
        """Return the sums of the VMs of each recorded VM (series,)."""
        return sum_by(self._source, weights=mhz, minlength=self._shares.shape[1])

    def _set_shapes(self, shapes: Floats) -> None:
        """Set the shapes of the recorded VMs, and each VM's scale to keep its mean."""
        self._shares = shapes / shapes.mean(axis=0)
        known = self._known
        self._scale = known.mhz.copy()
        over = known.mhz * self._shares.max(axis=0)[self._source] > known.own_mhz
        for series in distinct(self._source[over]).tolist():
            rows = np.flatnonzero(over & (self._source == series))
            share = known.mhz[rows] / known.own_mhz[rows]
            self._scale[rows] = known.own_mhz[rows] * _scale_for(self._shares[:, series], share)


def _scale_for(shape: Floats, mean: Floats) -> Floats:
    """Return the ``c`` with which the mean of ``min(c shape, 1)`` is each ``mean`` (VMs,), exactly.

    That mean is linear in ``c`` between the values at which a sample of the shape reaches 1.
    ``shape`` is above 0.
    """
    ranked = np.sort(shape)[::-1]
    count = len(ranked)
    below = np.append(np.cumsum(ranked[::-1])[::-1][1:], 0.0)
    scale = 1.0 / ranked
    reached = (scale * below + np.arange(1, count + 1)) / count
    found: Floats = np.interp(mean, np.append(0.0, reached), np.append(0.0, scale))
    return found


def _solved(
    value: Callable[[float], float],
    wanted: float,
    least: tuple[float, float],
    start: float,
    most: float = MOST,
) -> float:
    """Return what ``value(x)`` reaches of ``wanted``, and leave it evaluated there last.

    ``value`` never falls with x; ``least`` is the smallest x and its value. ``start`` is tried
    first and doubled up to ``most``. By the secant method in a bracket (Illinois).
    """
    low, miss_low = least[0], least[1] - wanted
    high, found = start, value(start)
    while found - wanted < -TOLERANCE * wanted and high < most:
        low, miss_low = high, found - wanted
        high = min(max(2 * high, 1e-3), most)
        found = value(high)
    miss_high = found - wanted
    if miss_high < 0 or miss_high <= TOLERANCE * wanted or miss_low >= 0:
        return found
    for _ in range(60):
        middle = (low * miss_high - high * miss_low) / (miss_high - miss_low)
        found = value(middle)
        miss = found - wanted
        if abs(miss) <= TOLERANCE * wanted:
            break
        if miss * miss_high < 0:
            low, miss_low = high, miss_high
        else:
            miss_low /= 2
        high, miss_high = middle, miss
    return found


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Shares of recorded VMs (slots, series) from the snapshot on, and the one of each VM."""

    shares: Floats
    source: Ints
    snapshot_s: float


class _Draws:
    """Recorded VMs, weeks and instants as they are drawn for a farm."""

    def __init__(
        self,
        libraries: Sequence[WeeksOfVms],
        weeks: int,
        at_s: float | None,
        stream: Stream,
    ) -> None:
        self._libraries, self._weeks, self._at_s = libraries, weeks, at_s
        self._sources, self._blocks = stream("sources"), stream("blocks")
        self._instants = stream("instants")
        self._step_s = libraries[0].step_s
        self._slots_per_week = libraries[0].slots_per_week

    def drawn(self, mhz: Floats, wanted: float | None) -> _Drawn:
        """Return recorded VMs and weeks for VMs of so many MHz (VMs,), and the instant of slot 0.

        The instant is the one, of those tried, whose own factor is nearest to the wanted one, so
        that little needs to be stretched: of the hour, where it is known. None: any.
        """
        shares, source = self._weeks_and_sources(len(mhz))
        slots = self._candidates()
        slot = int(slots[0])
        total_mhz = float(mhz.sum())
        if wanted is not None and total_mhz > 0:
            by_series = sum_by(source, weights=mhz, minlength=shares.shape[1])
            hourly = shares[:: max(1, round(HOUR_S / self._step_s))]
            distances = []
            for each in slots.tolist():
                weight = by_series / np.maximum(shares[each], LEAST_SHARE)
                change_mhz = ((hourly - shares[each]) * weight).sum(axis=1)
                own = 1 + percentile(change_mhz, PERCENTILE) / total_mhz
                distances.append(abs(math.log(max(own, 1e-6) / wanted)))
            slot = int(slots[int(np.argmin(distances))])
        inside_s = slot % self._slots_per_week * self._step_s
        return _Drawn(np.roll(shares, -slot, axis=0), source, inside_s)

    def _weeks_and_sources(self, vms: int) -> tuple[Floats, Ints]:
        """Draw weeks and recorded VMs: shares (slots, series) and the series of each VM (VMs,)."""
        parts = [
            each.from_week(int(self._blocks.integers(each.weeks)), self._weeks)
            for each in self._libraries
        ]
        kind = np.empty(vms, np.int64)
        kind[self._sources.permutation(vms)] = np.arange(vms) % len(parts)
        counts = np.array([part.shape[1] for part in parts])
        starts = np.cumsum(counts) - counts
        inside = np.floor(self._sources.random(vms) * counts[kind]).astype(np.int64)
        return np.concatenate(parts, axis=1), starts[kind] + inside

    def _candidates(self) -> Ints:
        """Return slots that may be the snapshot: of its hour in each week, else any."""
        slots = self._weeks * self._slots_per_week
        if self._at_s is None:
            return self._instants.choice(slots, min(INSTANTS, slots), replace=False)
        hour = int(self._at_s % WEEK_S // HOUR_S)
        per_hour = max(1, round(HOUR_S / self._step_s))
        inside = hour * per_hour + np.arange(per_hour)
        weeks = np.arange(self._weeks) * self._slots_per_week
        found: Ints = (weeks[:, None] + inside).ravel()
        return self._instants.permutation(found)
