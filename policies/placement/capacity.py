"""What candidate hosts have left: copies of the columns concerned, that nothing of the farm sees.

VMs take capacity one by one and may give it back. A test of overload that is a weighted sum of
demand samples is one more resource here.
"""

from array import array
from math import inf

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, Singles, singles
from ...models.base.ties import TIE, tie_of
from ..interface.view import FarmView, locked

Positions = Ints | slice
"""Some candidates by their positions, or all of them as a slice."""

EVERYWHERE = slice(None)

MAX_LISTED = 200_000
"""VMs up to which their columns are copied into lists."""


class Capacity:
    """CPU and memory of candidate hosts, ascending by row, and what of it is left.

    A candidate is named by its position; all columns have one entry per candidate and are
    read-only. CPU within ``tie_mhz`` and power within ``tie_w`` of each other is equal
    (:mod:`.ties`). ``changed`` holds the positions whose load has changed since the placement last
    cleared it; ``changes`` lists all positions in which anything changed, ``gained`` those where a
    VM that was taken left more capacity, in the order of events.

    CPU is in MHz, memory in MiB. Single values are kept a second time as lists, since reading one
    from an array takes several times as long.
    """

    def __init__(
        self,
        view: FarmView,
        hosts: Ints,
        need_mhz: Floats,
        load_mhz: Floats,
        capacity_mhz: Floats,
        few: bool = False,
    ) -> None:
        """Copy the columns of ``hosts``; arguments as of :class:`.Candidates`."""
        self.view, self.few = view, few or len(need_mhz) > MAX_LISTED
        self.hosts: Ints = locked(hosts)
        self.need_mhz: Floats = locked(need_mhz)
        self.tie_mhz, self.tie_w = tie_of(capacity_mhz), TIE * view.hosts.power.max_power_w
        self._read_hosts(view, hosts)
        self._read_left(view, hosts, load_mhz, capacity_mhz)
        self._read_needs(view, need_mhz)
        self._signal_mhz: Floats | None = None
        self.changed: set[int] = set()
        self.changes = array("q")
        self.gained: list[int] = []
        self._closed = np.zeros(len(hosts), bool)
        self._journal: list[tuple[int, int, bool]] = []
        self._left_before: list[tuple[float, float, float, float]] = []
        """Of each VM taken, what its host had before: no rounding is left when it is given back."""
        self._scalars = _Scalars(self)

    def _read_hosts(self, view: FarmView, hosts: Ints) -> None:
        """Copy what stays as it is while VMs are placed."""
        self.memory_mib: Floats = locked(view.hosts.memory_mib[hosts])
        self.cpu_mhz: Floats = locked(view.hosts.cpu_mhz[hosts])
        self.utilisation: Floats = locked(view.hosts.utilisation[hosts])
        self.off_w: Floats = locked(view.hosts.state_w(hosts))
        self.power = view.hosts.power.of_load(hosts, self.cpu_mhz)
        self._core_mhz = view.hosts.core_mhz[hosts]
        if view.slow_cores:
            self._core_mhz = np.full(len(hosts), np.inf)
        self._position = np.full(len(view.hosts), -1)
        self._position[hosts] = np.arange(len(hosts))

    def _read_left(
        self, view: FarmView, hosts: Ints, load_mhz: Floats, capacity_mhz: Floats
    ) -> None:
        """Copy what VMs take; policies see it through columns that they cannot write."""
        self.capacity_mhz: Floats = locked(capacity_mhz[hosts])
        self._load_mhz: Floats = load_mhz[hosts]
        self._free_mhz: Floats = self.capacity_mhz - self._load_mhz
        self._free_mib: Floats = view.hosts.plan_mib[hosts] - view.hosts.memory_used_mib[hosts]
        self._sleeping: Bools = view.sleeping()[hosts]
        self._guests: Ints = view.hosts.vm_count[hosts] + view.hosts.incoming[hosts]
        self.load_mhz: Floats = locked(self._load_mhz)
        self.free_mhz: Floats = locked(self._free_mhz)
        self.memory_free_mib: Floats = locked(self._free_mib)
        self.sleeping: Bools = locked(self._sleeping)

    def _read_needs(self, view: FarmView, need_mhz: Floats) -> None:
        """Note what VMs need, and bounds that tell what need not be compared at all."""
        self._need_per_core_mhz = need_mhz / view.vms.vcpus
        self._need_mib = view.vms.footprint_mib
        self._min_free_mib = float(self._free_mib.min(initial=np.inf))
        self._max_need_mib = float(self._need_mib.max(initial=0.0))
        self._max_need_per_core_mhz = float(self._need_per_core_mhz.max(initial=0.0))
        self._min_core_mhz = float(self._core_mhz.min(initial=np.inf))

    def apply_linear_test(
        self, vm_signal_mhz: Floats, host_signal_mhz: Floats, limit_mhz: Floats
    ) -> None:
        """Apply an overload test that compares a sum over VMs with a limit per host.

        A host without guests takes any VM, whatever the test says of it.

        ``vm_signal_mhz`` is (vms,), what each VM adds to the weighted sum; ``host_signal_mhz`` and
        ``limit_mhz`` are (hosts,). To be called before anything is taken.
        """
        self._signal_mhz = vm_signal_mhz
        self._test_free_mhz = limit_mhz[self.hosts] - host_signal_mhz[self.hosts]
        self._headroom_mhz = np.where(self._guests == 0, np.inf, self._test_free_mhz)
        self._scalars.apply_test(vm_signal_mhz, self._test_free_mhz, self._headroom_mhz)

    def close(self, hosts: Ints) -> None:
        """Take hosts out of the candidates until they are opened again."""
        self._set_closed(hosts, True)

    def open(self, hosts: Ints) -> None:
        """Make closed hosts candidates again."""
        self._set_closed(hosts, False)

    def _set_closed(self, hosts: Ints, closed: bool) -> None:
        at = self._position[hosts]
        self._closed[at] = closed
        for position in at.tolist():
            self._scalars.closed[position] = closed
            self.changes.append(position)

    def positions(self, hosts: Ints) -> Ints:
        """Return the position of each host, −1 where it is no candidate; shapes are (hosts,)."""
        positions: Ints = self._position[hosts]
        return positions

    def needs_and_left(self) -> list[tuple[Floats, Floats]]:
        """Return per resource the need of each VM, and what each open candidate has left of it.

        Resources are CPU, memory and the headroom of a linear test, which is inf on hosts without
        guests. Needs are (vms,), for all VMs of the farm. What is left is a new array and at least
        0; closed candidates have 0.
        """
        pairs = [(self.need_mhz, self._free_mhz), (self._need_mib, self._free_mib)]
        if self._signal_mhz is not None:
            pairs.append((self._signal_mhz, self._headroom_mhz))
        return [(need, np.where(self._closed, 0.0, np.maximum(left, 0.0))) for need, left in pairs]

    def full(self, vms: Ints, at: Positions = EVERYWHERE) -> Bools:
        """Return which of some candidates lack capacity for each VM: (VMs, candidates)."""
        full: Bools = self._free_mhz[at] < (self.need_mhz[vms] - self.tie_mhz)[:, None]
        full |= self._closed[at]
        if self._max_need_per_core_mhz > self._min_core_mhz:
            full |= self._core_mhz[at] < self._need_per_core_mhz[vms][:, None]
        if self._max_need_mib > self._min_free_mib:
            full |= self._free_mib[at] < self._need_mib[vms][:, None]
        if self._signal_mhz is not None:
            full |= self._headroom_mhz[at] < (self._signal_mhz[vms] - self.tie_mhz)[:, None]
        return full

    def fits(self, vm: int, position: int) -> bool:
        """Whether one candidate has capacity for one VM."""
        return self._scalars.fits(vm, position)

    def lacking_resources(self, vm: int) -> tuple[Bools, Bools]:
        """Return which candidates lack memory for a VM, and which lack CPU or fast enough cores.

        Both are (candidates,).
        """
        cpu: Bools = self._free_mhz < self.need_mhz[vm] - self.tie_mhz
        cpu |= self._core_mhz < self._need_per_core_mhz[vm]
        return self._free_mib < self._need_mib[vm], cpu

    def load_at(self, vm: int, position: int) -> tuple[float, float]:
        """Return the load of one candidate without and with one VM, MHz."""
        load_mhz = self._scalars.load_mhz[position]
        return load_mhz, load_mhz + self._scalars.need_mhz[vm]

    def take(self, vm: int, position: int) -> None:
        """Give a VM room at a candidate; a demand foreseen that is negative makes more room."""
        self._journal.append((vm, position, bool(self._sleeping[position])))
        self._left_before.append(self._scalars.left(position))
        self._scalars.take(vm, position)
        self._copy(position)
        self._sleeping[position] = False
        if self._scalars.frees_capacity(vm):
            self.gained.append(position)

    def _copy(self, position: int) -> None:
        """Copy what one candidate has left from the lists into the columns."""
        one = self._scalars
        self.changed.add(position)
        self.changes.append(position)
        self._load_mhz[position], self._free_mhz[position], free_mib, _ = one.left(position)
        self._free_mib[position] = free_mib
        self._min_free_mib = min(self._min_free_mib, free_mib)
        if self._signal_mhz is not None:
            self._headroom_mhz[position] = one.headroom_mhz[position]

    def mark(self) -> int:
        """Return a point to go back to."""
        return len(self._journal)

    def taken_since(self, mark: int) -> dict[int, int]:
        """Return the VMs taken since ``mark``, each with its position."""
        return {vm: position for vm, position, _ in self._journal[mark:]}

    def undo_to(self, mark: int) -> None:
        """Give back everything taken since ``mark``."""
        while len(self._journal) > mark:
            _, position, was_sleeping = self._journal.pop()
            self._scalars.give_back(position, self._left_before.pop())
            self._copy(position)
            self._sleeping[position] = was_sleeping

    def take_all(self, vms: Ints, positions: Ints) -> bool:
        """Take room for many VMs at once if all of it is there; otherwise take nothing.

        Meant for a first placement, before any overload test applies; nothing of it is undone.
        """
        count = len(self.hosts)
        need_mhz = np.bincount(positions, weights=self.need_mhz[vms], minlength=count)
        need_mib = np.bincount(positions, weights=self._need_mib[vms], minlength=count)
        slow = self._need_per_core_mhz[vms] > self._core_mhz[positions]
        full = (need_mhz - self.tie_mhz > self._free_mhz) | (need_mib > self._free_mib)
        if self._signal_mhz is not None or slow.any() or full.any():
            return False
        self._load_mhz += need_mhz
        self._free_mhz -= need_mhz
        self._free_mib -= need_mib
        self._min_free_mib = float(self._free_mib.min(initial=np.inf))
        self._guests += np.bincount(positions, minlength=count)
        self._sleeping[positions] = False
        self.changes.extend(positions.tolist())
        self._scalars = _Scalars(self)
        return True


def _column(values: Floats, few: bool) -> Singles:
    """Return a VM column as a list, which is faster to read, unless few values will be."""
    return singles(values) if few else values.tolist()


class _Scalars:
    """The columns once more, as lists: single values are read many times per VM."""

    def __init__(self, capacity: Capacity) -> None:
        self._few, self._tie_mhz = capacity.few, capacity.tie_mhz
        self.need_mhz = _column(capacity.need_mhz, capacity.few)
        self.load_mhz: list[float] = capacity.load_mhz.tolist()
        self.guests: list[int] = capacity._guests.tolist()
        self.closed: list[bool] = [False] * len(capacity.hosts)
        self._free_mhz: list[float] = capacity.free_mhz.tolist()
        self._free_mib: list[float] = capacity._free_mib.tolist()
        self._core_mhz: list[float] = capacity._core_mhz.tolist()
        self._need_per_core_mhz = _column(capacity._need_per_core_mhz, capacity.few)
        self._need_mib = _column(capacity._need_mib, capacity.few)
        self._signal_mhz: Singles | None = None
        self._test_free_mhz: list[float] = [inf] * len(capacity.hosts)
        self.headroom_mhz: list[float] = []

    def apply_test(self, signal_mhz: Floats, test_free_mhz: Floats, headroom_mhz: Floats) -> None:
        self._signal_mhz = _column(signal_mhz, self._few)
        self._test_free_mhz = test_free_mhz.tolist()
        self.headroom_mhz = headroom_mhz.tolist()

    def fits(self, vm: int, position: int) -> bool:
        return (
            not self.closed[position]
            and self._free_mhz[position] >= self.need_mhz[vm] - self._tie_mhz
            and self._core_mhz[position] >= self._need_per_core_mhz[vm]
            and self._free_mib[position] >= self._need_mib[vm]
            and (
                self._signal_mhz is None
                or self.headroom_mhz[position] >= self._signal_mhz[vm] - self._tie_mhz
            )
        )

    def frees_capacity(self, vm: int) -> bool:
        return self._signal_mhz is not None and self._signal_mhz[vm] < 0

    def left(self, position: int) -> tuple[float, float, float, float]:
        """Return load, CPU and memory left, and what the test leaves where there are guests."""
        return (
            self.load_mhz[position],
            self._free_mhz[position],
            self._free_mib[position],
            self._test_free_mhz[position],
        )

    def take(self, vm: int, position: int) -> None:
        self.load_mhz[position] += self.need_mhz[vm]
        self._free_mhz[position] -= self.need_mhz[vm]
        self._free_mib[position] -= self._need_mib[vm]
        self.guests[position] += 1
        if self._signal_mhz is not None:
            self._test_free_mhz[position] -= self._signal_mhz[vm]
            self.headroom_mhz[position] = self._test_free_mhz[position]

    def give_back(self, position: int, left: tuple[float, float, float, float]) -> None:
        """Take the last VM off a host that had so much left before."""
        self.load_mhz[position], self._free_mhz[position], self._free_mib[position], test = left
        self._test_free_mhz[position] = test
        self.guests[position] -= 1
        if self._signal_mhz is not None:
            self.headroom_mhz[position] = test if self.guests[position] else inf
