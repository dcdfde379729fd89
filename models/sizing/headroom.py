"""Headroom: what still fits on a cluster so that it survives the failures of its reserve."""

import math
from collections.abc import Sequence

import numpy as np

from ..base.arrays import Floats
from ..base.lazy_dataclass import dataclass
from .failure_cases import FailureCase, FailureTable, failure_table, survives
from .least_hosts import first_passing
from .limits import Limits
from .packing import WORST_FIT, Placing, decreasing, home_of_vms, placements
from .planned_farm import (
    CPU,
    MEMORY,
    RESOURCES,
    TOLERANCE,
    PlannedFarm,
    PlannedVms,
    items_of,
)

BY_SUMS = "sums"
"""The reason where the sum of a resource alone says that one more VM is too many."""
TOO_LARGE = "the VM is larger than every host"


@dataclass(frozen=True)
class ReferenceVm:
    """The VM whose number is asked for: one more is ``vcpus``, memory and a need of CPU.

    ``cpu_mhz`` is its part in the 95th percentile of the sum; 0 where demand is not known.
    """

    vcpus: int
    memory_mib: float
    cpu_mhz: float = 0.0

    def needs(self) -> Floats:
        """Return what it needs, (3,): MiB, vCPUs, MHz."""
        return np.array([self.memory_mib, float(self.vcpus), self.cpu_mhz])


@dataclass(frozen=True, eq=False)
class Headroom:
    """What still fits on a cluster.

    ``independent`` (3,) is what each resource alone may grow by until it breaks a limit in its
    worst case, the others held: MiB, vCPUs, MHz. ``joint`` is the number of reference VMs that can
    be placed beside the present ones where those may migrate, ``in_place`` that without migrations.
    ``limiter`` is the resource or rule that the next one fails on, ``case`` the failure in which,
    ``reason`` says how. ``stranded`` (3,) is what is left of each resource in its worst case when
    all are placed; ``by_sums`` reference VMs would fit if sums decided, so that
    ``by_sums - joint`` are lost to fragmentation. ``fails``: the present VMs fail already,
    so that nothing fits; ``failing`` is the case, if one of the table.
    """

    independent: Floats
    joint: int
    in_place: int
    limiter: str
    case: str
    reason: str
    stranded: Floats
    by_sums: int
    fails: bool = False
    failing: FailureCase | None = None


def least_left(farm: PlannedFarm, limits: Limits, reserve: int) -> tuple[Floats, list[int]]:
    """Return what is free of each resource in its worst case, (3,), and the hosts down then.

    The case of f hosts down is worst for a resource if those with most of it are down; f from 0 to
    ``reserve``. Negative where a limit is broken already: by so much.
    """
    needs = farm.vms.needs().sum(axis=0)
    least, cases = np.full(len(RESOURCES), np.inf), [0] * len(RESOURCES)
    for failed in range(min(reserve, len(farm.hosts)) + 1):
        rooms = np.sort(limits.rooms(farm.hosts, failed), axis=0)
        left = rooms[: len(rooms) - failed].sum(axis=0) - needs
        for column in range(len(RESOURCES)):
            if left[column] < least[column]:
                least[column], cases[column] = left[column], failed
    return least, cases


def headroom(farm: PlannedFarm, vm: ReferenceVm, limits: Limits, reserve: int) -> Headroom:
    """Return what still fits, so that any ``reserve`` hosts (0, 1 or 2) may fail.

    Independent maxima are sums (:func:`least_left`). The joint number is the largest m for which m
    reference VMs and the present ones pass the failure test of :func:`.failure_table`, found by
    bisection up to the number that sums allow, with all VMs placed: once with the present VMs where
    they are, and once placed anew. Where the present VMs fail already, all is 0, and ``failing``
    says on what.
    """
    farm = farm.in_order()
    least, _ = least_left(farm, limits, reserve)
    free = np.maximum(least, 0.0)
    table = _table(farm, limits, reserve)
    anew = farm.on_same_hosts_anew()
    passes = _passes(table, reserve)
    if not passes and first_passing(anew, limits, reserve)[0] is None:
        failing = table.first_failing
        reason = _why(table, reserve)
        return Headroom(
            np.zeros(len(RESOURCES)),
            0,
            0,
            failing.limiter if failing else "placement",
            failing.name if failing else "",
            reason,
            free,
            0,
            True,
            failing,
        )
    most = _by_sums(free, vm.needs())
    in_place = _most(farm, vm, limits, reserve, most) if passes else 0
    joint = in_place if in_place == most else max(in_place, _most(anew, vm, limits, reserve, most))
    base = farm if joint == in_place and passes else anew
    limiter, case, reason = _next_fails(base, vm, limits, reserve, joint)
    stranded = np.maximum(least - joint * vm.needs(), 0.0)
    return Headroom(free, joint, in_place, limiter, case, reason, stranded, most)


def _by_sums(free: Floats, need: Floats) -> int:
    """Return how many reference VMs fit by the sums alone; some VM needs something."""
    fits = [free[column] / need[column] for column in range(len(need)) if need[column] > 0]
    return math.floor(float(min(fits)) * (1 + TOLERANCE) + TOLERANCE)


def _table(farm: PlannedFarm, limits: Limits, reserve: int) -> FailureTable:
    return failure_table(farm, limits, pairs=reserve > 1)


def _passes(table: FailureTable, reserve: int) -> bool:
    """Whether any ``reserve`` hosts may fail, as far as it is known."""
    return table.survives(reserve) is True


def _why(table: FailureTable, reserve: int) -> str:
    """Return what fails, and how."""
    failing = table.first_failing
    if table.host_count <= reserve and not table.normal.fails:
        hosts = "1 host" if table.host_count == 1 else f"{table.host_count} hosts"
        return f"{hosts} cannot lose {reserve}: no host would be left"
    if failing is not None:
        return failing.reason
    if table.unplaced:
        return f"placement: {table.unplaced[0]} finds no host in normal operation"
    return "placement: some pairs of hosts are not shown to survive"


def with_more(
    farm: PlannedFarm, vm: ReferenceVm, count: int, limits: Limits, reserve: int
) -> tuple[PlannedFarm, Sequence[str]]:
    """Return the farm with so many reference VMs placed on it, and those without a host.

    New VMs go where most is left, so that hosts stay evenly filled for restarts. Where no present
    VM has a host all are placed anew, so that the failures of the reserve are survived; all count
    as without a host where that cannot be done.
    """
    names = [*farm.vms.names, *(f"new-{number:06d}" for number in range(1, count + 1))]
    cpu_mhz = farm.vms.cpu_mhz
    vms = PlannedVms(
        names,
        np.append(farm.vms.vcpus, np.full(count, vm.vcpus, np.int64)),
        np.append(farm.vms.memory_mib, np.full(count, float(vm.memory_mib))),
        None if cpu_mhz is None else np.append(cpu_mhz, np.full(count, float(vm.cpu_mhz))),
    )
    more = farm.with_vms(vms, np.append(farm.home, np.full(count, -1)))
    if not (farm.home >= 0).any():
        for home, _ in placements(more, limits.rooms(more.hosts, 0), reserve):
            there = more.with_vms(vms, home)
            if survives(there, limits, reserve):
                return there, []
        return more, names
    items = items_of(more, as_placed=True)
    rooms = limits.rooms(more.hosts, 0)
    placing = Placing(items, more.hosts, rooms)
    placing.stand(items.home)
    order = decreasing(items, rooms, "largest share")
    lost = placing.place_all(order[items.home[order] < 0], WORST_FIT)
    unplaced = [names[row] for item in lost for row in items.members[item].tolist()]
    return more.with_vms(vms, home_of_vms(items, placing.home, len(vms))), unplaced


def _fits(farm: PlannedFarm, vm: ReferenceVm, limits: Limits, reserve: int, count: int) -> bool:
    """Whether so many reference VMs can be placed, and failures survived then."""
    more, unplaced = with_more(farm, vm, count, limits, reserve)
    return not unplaced and survives(more, limits, reserve)


def _most(farm: PlannedFarm, vm: ReferenceVm, limits: Limits, reserve: int, most: int) -> int:
    """Return the largest number of reference VMs that fits, at most ``most``, by bisection.

    The farm as it is passes. The number itself was tested; that one more fails was, too.
    """
    low, high, middle = 0, most + 1, most  # The most that sums allow often fits.
    while high - low > 1:
        if _fits(farm, vm, limits, reserve, middle):
            low = middle
        else:
            high = middle
        middle = (low + high) // 2
    return low


def _next_fails(
    farm: PlannedFarm, vm: ReferenceVm, limits: Limits, reserve: int, joint: int
) -> tuple[str, str, str]:
    """Return the resource or rule, the case and the reason that one more reference VM fails on."""
    amount, rooms = vm.needs(), limits.rooms(farm.hosts, 0)
    short = rooms < amount * (1 - TOLERANCE)
    if short.any(axis=1).all():
        return RESOURCES[int(short.sum(axis=0).argmax())], "all hosts", TOO_LARGE
    more, unplaced = with_more(farm, vm, joint + 1, limits, reserve)
    sums, failed = least_left(more, limits, reserve)
    needs = more.vms.needs().sum(axis=0)
    over = np.where(needs > 0, sums / np.maximum(needs, TOLERANCE), np.inf)
    column = int(over.argmin())
    if over[column] < -TOLERANCE:
        return RESOURCES[column], _case_name(more, limits, column, failed[column]), BY_SUMS
    failing = _table(more, limits, reserve).first_failing
    if failing is not None and not unplaced:
        return failing.limiter, failing.name, failing.reason
    return _scarcest(more), "all hosts", "placement: no host has room for one more VM"


def _scarcest(farm: PlannedFarm) -> str:
    """Return the resource of which most is used."""
    used = farm.vms.needs().sum(axis=0) / np.maximum(farm.hosts.amounts().sum(axis=0), TOLERANCE)
    return RESOURCES[int(used.argmax())]


def _case_name(farm: PlannedFarm, limits: Limits, column: int, failed: int) -> str:
    """Return the hosts that are down in the worst case of a resource, by name if they are told."""
    if not failed:
        return "all hosts"
    room = limits.rooms(farm.hosts, failed)[:, column]
    order = np.argsort(-room, kind="stable")
    if (np.abs(room - room[0]) <= TOLERANCE * abs(room[0])).all():
        return "any host" if failed == 1 else f"any {failed} hosts"
    names = [farm.hosts.names[row] for row in order[:failed].tolist()]
    return " and ".join(names)


def median_vm(vms: PlannedVms) -> ReferenceVm:
    """Return the median VM by vCPUs and, apart from that, by memory and need of CPU.

    Nearest rank; of no VMs, one of 1 vCPU and 1 GiB.
    """
    if not len(vms):
        return ReferenceVm(1, 1024.0)
    rank = (len(vms) + 1) // 2 - 1
    middle = [np.sort(column)[rank] for column in vms.needs().T]
    return ReferenceVm(int(middle[1]), float(middle[MEMORY]), float(middle[CPU]))
