"""State of an overload detector in one round, for current and tentative placements.

A VM is judged by the samples of its own life. One that is younger than the detector needs counts
with its present demand divided by the detector's fallback threshold, so that a host of young VMs
alone is judged by the fallback, whenever in the run they came.
"""

from typing import Protocol

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, distinct, sum_by
from ...models.base.ties import TIE
from ..interface.view import FarmView
from ..placement.candidates import Candidates
from .detector import OverloadDetector


class DetectorState:
    """Values and limits of a detector for every host, kept up to date while VMs are tried.

    Made once per round. VMs under way count at their target; :meth:`take_away` and the candidates
    that it looks after keep it up to date.
    """

    def __init__(self, view: FarmView, detector: OverloadDetector) -> None:
        self._view, self._detector = view, detector
        past = _Past(view, detector)
        weighted = None if past.clips else detector.linear(past.depth)
        self._test: _Test = _Spread(past) if weighted is None else _Sum(past, *weighted)

    def judge(self, hosts: Ints) -> tuple[Floats, Floats]:
        """Return value and limit of some hosts, as shares of capacity.

        ``hosts`` are rows, (n,); both results are (n,).
        """
        return self._test.judge(hosts)

    def overloaded(self) -> Ints:
        """Return the hosts with VMs whose value is above their limit, ascending.

        Where the detector asks for a time above the limit, only those that every round has found
        above it for so long.
        """
        busy = np.flatnonzero(self._view.awake() & (self._view.hosts.vm_count > 0))
        value, limit = self.judge(busy)
        above = busy[value > limit + TIE]
        wanted_s = getattr(self._detector, "above_for_s", 0.0)
        return self._long_enough(above, wanted_s) if wanted_s else above

    def _long_enough(self, above: Ints, wanted_s: float) -> Ints:
        view, now_s = self._view, self._view.now_s
        since_s = view.state(self._detector, lambda: np.full(len(view.hosts), np.inf))
        above_since_s = np.minimum(since_s[above], now_s)
        since_s[:] = np.inf
        since_s[above] = above_since_s
        long: Bools = now_s - above_since_s >= wanted_s - TIE * now_s
        return above[long]

    def is_overloaded(self, host: int) -> bool:
        """Whether one host's value is above its limit as things stand."""
        return self._test.is_above(host)

    def take_away(self, vm: int, host: int) -> None:
        """Note that a VM is to leave a host."""
        self._test.change(vm, host, -1)

    def look_after(self, candidates: Candidates) -> None:
        """Exclude candidate hosts that a VM would overload."""
        self._test.look_after(candidates)


class _Past:
    """Samples of VMs and hosts, each VM within its own lifetime only."""

    def __init__(self, view: FarmView, detector: OverloadDetector) -> None:
        self.view, self.detector = view, detector
        self.by_host = detector.history == "host"
        self.clips = getattr(detector, "measure", "demand") == "utilisation"
        samples, vms = detector.samples, view.vms
        take = view.vm_use_history_mhz if self.clips else view.vm_history_mhz
        self.vm_mhz: Floats = take(samples)
        self.depth = len(self.vm_mhz)
        self.ages: Ints = np.minimum(view.vm_samples, self.depth)
        # A VM that began after the newest sample counts with what it asks for now.
        new = vms.running & (self.ages == 0)
        self._new_mhz = np.where(new, view.use_mhz() if self.clips else vms.load_mhz, 0.0)
        self.ages[new] = 1
        self.vm_mhz[np.arange(self.depth)[::-1, None] >= self.ages] = 0.0
        self.vm_mhz[-1] += self._new_mhz
        home = np.where(vms.moving_to >= 0, vms.moving_to, vms.host)
        self.home: Ints = np.where(home >= 0, home, len(view.hosts))

    def per_host(self, amounts: Floats) -> Floats:
        """Return the sum over the VMs of each host, counting migrating VMs at their target."""
        count = len(self.view.hosts)
        return sum_by(self.home, weights=amounts, minlength=count + 1)[:count]

    def host_mhz(self) -> Floats:
        """Return the samples of the hosts themselves, oldest first: (samples, hosts)."""
        host_mhz = self.view.host_history_mhz(self.depth)
        host_mhz[-1] += self.per_host(self._new_mhz)
        return host_mhz

    def oldest(self) -> Ints:
        """Return the age of the oldest VM of each host, in samples; all there are if none."""
        count = len(self.view.hosts)
        oldest = np.zeros(count + 1, np.int64)
        np.maximum.at(oldest, self.home, self.ages)
        return np.where(oldest[:count] > 0, oldest[:count], self.depth)


class _Test(Protocol):
    """A detector's test of hosts and of VMs that are tried on them."""

    def judge(self, hosts: Ints) -> tuple[Floats, Floats]: ...

    def is_above(self, host: int) -> bool: ...

    def change(self, vm: int, host: int, sign: int) -> None: ...

    def look_after(self, candidates: Candidates) -> None: ...


class _Sum:
    """A test that compares a weighted sum of samples with a constant: one more resource."""

    def __init__(self, past: _Past, weights: Floats, limit: float) -> None:
        self._limit, self._capacity_mhz = limit, past.view.hosts.cpu_mhz
        self._vm_signal = _weighted(past.vm_mhz, weights)
        self._limits = np.full(len(past.view.hosts), limit)
        if past.by_host:
            self._host_signal = _weighted(past.host_mhz(), weights)
            return
        self._of_young(past, limit)
        by_age, limit_by_age = np.ones(past.depth + 1), np.full(past.depth + 1, limit)
        oldest = past.oldest()
        for age in distinct(oldest).tolist():
            plain = past.detector.linear(age)
            if plain is not None:
                by_age[age] = float(plain[0].sum()) * limit / plain[1]
                limit_by_age[age] = plain[1]
        base_mhz = past.view.hosts.base_mhz * by_age[oldest]
        self._host_signal = past.per_host(self._vm_signal) + base_mhz
        self._limits = limit_by_age[oldest]

    def _of_young(self, past: _Past, limit: float) -> None:
        """Let each VM with a shorter past count by the test for it, brought to the same limit."""
        young = past.ages < past.depth
        for age in distinct(past.ages[young]).tolist():
            plain = past.detector.linear(age) if age else None
            if plain is not None:
                rows = np.flatnonzero(past.ages == age)
                signal = _weighted(past.vm_mhz[-age:, rows], plain[0])
                self._vm_signal[rows] = signal * (limit / plain[1])

    def judge(self, hosts: Ints) -> tuple[Floats, Floats]:
        """Return value and limit; of hosts with young VMs alone those that they are judged by."""
        limits = self._limits[hosts]
        value = self._host_signal[hosts] / self._capacity_mhz[hosts]
        return value * (limits / self._limit), limits

    def is_above(self, host: int) -> bool:
        """Whether the value of one host is above its limit, as :meth:`judge` gives them."""
        limit = self._limits.item(host)
        value = self._host_signal.item(host) / self._capacity_mhz.item(host)
        return bool(value * (limit / self._limit) > limit + TIE)

    def change(self, vm: int, host: int, sign: int) -> None:
        """Note that a VM comes to a host (1) or leaves it (−1)."""
        self._host_signal[host] += sign * self._vm_signal[vm]

    def look_after(self, candidates: Candidates) -> None:
        """Add the test as another resource of the candidates."""
        limit_mhz = self._limit * self._capacity_mhz
        candidates.apply_linear_test(self._vm_signal, self._host_signal, limit_mhz)


class _Spread:
    """Any other test: it is asked about the samples of each host."""

    def __init__(self, past: _Past) -> None:
        self._past, self._detector = past, past.detector
        view = past.view
        self._capacity_mhz, self._base_mhz = view.hosts.cpu_mhz, view.hosts.base_mhz
        self._fallback = getattr(past.detector, "fallback", 1.0)
        count = len(view.hosts)
        if past.by_host:
            self._old: Bools = np.ones(len(view.vms), bool)
            self._matrix = np.ascontiguousarray(past.host_mhz().T)
            self._depth = np.full(count, past.depth)
            self._elders = np.ones(count, np.int64)
            self._base_mhz = np.zeros(count)
        else:
            self._old = past.ages >= min(getattr(past.detector, "fewest", 1), past.depth)
            old_mhz = np.where(self._old, past.vm_mhz, 0.0)
            self._matrix = np.stack([past.per_host(row) for row in old_mhz], axis=1)
            home = np.where(self._old, past.home, count)
            self._elders = np.bincount(home, minlength=count + 1)[:count]
            self._depth = np.full(count + 1, past.depth)
            np.minimum.at(self._depth, home, past.ages)
            self._depth = self._depth[:count]
        self._young_mhz = past.per_host(np.where(self._old, 0.0, past.vm_mhz[-1]))

    def judge(self, hosts: Ints) -> tuple[Floats, Floats]:
        """Return value and limit of some hosts."""
        return self._judge(
            hosts,
            self._matrix[hosts],
            self._depth[hosts],
            self._elders[hosts],
            self._young_mhz[hosts],
        )

    def is_above(self, host: int) -> bool:
        """Whether the value of one host is above its limit, as :meth:`judge` gives them."""
        value, limit = self.judge(np.array([host]))
        return bool(value[0] > limit[0] + TIE)

    def _judge(
        self, hosts: Ints, samples_mhz: Floats, depth: Ints, elders: Ints, young_mhz: Floats
    ) -> tuple[Floats, Floats]:
        capacity_mhz, base_mhz = self._capacity_mhz[hosts], self._base_mhz[hosts]
        value = self._clipped(young_mhz + base_mhz, capacity_mhz) / capacity_mhz
        limit = np.full(len(hosts), self._fallback)
        for samples in distinct(depth[elders > 0]).tolist():
            at = np.flatnonzero((elders > 0) & (depth == samples))
            own_mhz = samples_mhz[at, -samples:] + base_mhz[at, None]
            own_mhz = self._clipped(own_mhz, capacity_mhz[at, None])
            value[at], limit[at] = self._detector.judge(own_mhz, capacity_mhz[at])
            value[at] += young_mhz[at] / (self._fallback * capacity_mhz[at])
        return value, limit

    def _clipped(self, mhz: Floats, capacity_mhz: Floats) -> Floats:
        """Return CPU as a monitor sees it where the detector looks at utilisation."""
        return np.minimum(mhz, capacity_mhz) if self._past.clips else mhz

    def change(self, vm: int, host: int, sign: int) -> None:
        """Note that a VM comes to a host (1) or leaves it (−1)."""
        past = self._past
        if not self._old[vm]:
            self._young_mhz[host] += sign * past.vm_mhz[-1, vm]
            return
        self._matrix[host] += sign * past.vm_mhz[:, vm]
        if past.by_host:
            return
        age = int(past.ages[vm])
        self._elders[host] += sign
        past.home[vm] = host if sign > 0 else len(self._capacity_mhz)
        if sign > 0:
            self._depth[host] = min(int(self._depth[host]), age)
        elif age == self._depth[host] < past.depth:
            others = past.ages[self._old & (past.home == host)]
            self._depth[host] = others.min(initial=past.depth)

    def look_after(self, candidates: Candidates) -> None:
        """Apply the test to the best candidates."""
        past = self._past

        def refused(positions: Ints, vm: int) -> Bools:
            hosts = candidates.hosts[positions]
            samples_mhz, young_mhz = self._matrix[hosts], self._young_mhz[hosts]
            depth, elders = self._depth[hosts], self._elders[hosts]
            if self._old[vm]:
                samples_mhz = samples_mhz + past.vm_mhz[:, vm]
                elders = elders + 1
                depth = depth if past.by_host else np.minimum(depth, past.ages[vm])
            else:
                young_mhz = young_mhz + past.vm_mhz[-1, vm]
            value, limit = self._judge(hosts, samples_mhz, depth, elders, young_mhz)
            return value > limit + TIE

        def changed(position: int, vm: int, sign: int) -> None:
            self.change(vm, int(candidates.hosts[position]), sign)

        # What is given back leaves its host unknown, which matters where ages differ.
        forgets = past.by_host or bool(np.all(past.ages[self._old] == past.depth))
        candidates.apply_test(refused, changed, forgets)


def _weighted(history_mhz: Floats, weights: Floats) -> Floats:
    used = np.flatnonzero(weights)
    total: Floats = weights[used[0]] * history_mhz[used[0]]
    for sample in used[1:]:
        total += weights[sample] * history_mhz[sample]
    return total
