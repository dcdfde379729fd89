"""Vertical scaling: resize members while they run or by a restart."""

from functools import partial

import numpy as np

from ..models.base.arrays import Floats, Ints
from ..models.base.lazy_dataclass import dataclass
from ..models.farm.farm import Farm
from ..models.farm.farm_state import FarmError
from ..models.state.columns import VmState
from ..models.workload.demand import Demand
from ..policies.interface.planned_view import Resized
from ..policies.scaling.scaling import ScalingPolicy, resizes_while_running
from .lifecycle.host_finder import Needs
from .lifecycle.lifecycle import Lifecycle

REQUESTED = (VmState.ABSENT, VmState.REJECTED)
"""States in which a member may be asked for."""

COMING = (VmState.STARTING, VmState.WAITING)


@dataclass(frozen=True)
class MemberSize:
    """Resources of a member; ``size`` is its number among the sizes of the farm.

    ``capacity_mhz`` is what it can be asked for: its CPU, or less where it is limited.

    ``size_mhz`` is vCPUs times clock, ``memory_mib`` the memory of the guest without overhead.
    """

    name: str
    size: int
    vcpus: int
    size_mhz: float
    memory_mib: float
    capacity_mhz: float

    def columns(self, count: int) -> tuple[Ints, Ints, Floats, Floats]:
        """Return size, vCPUs, MHz and MiB of so many members."""
        return (
            np.full(count, self.size),
            np.full(count, self.vcpus),
            np.full(count, self.size_mhz),
            np.full(count, self.memory_mib),
        )


@dataclass(frozen=True)
class ScalingRule:
    """Scaling of one application; without a policy the number of members is constant.

    A scale-out waits until ``out_s`` after the one before, a scale-in until ``in_s`` after any
    change. Members that came last leave first, or those that came first, but not the ``protected``
    that have been there longest. ``sizes`` are those that its members may have, by name; they
    start with ``size``.
    """

    policy: ScalingPolicy | None
    size: str
    sizes: dict[str, MemberSize]
    out_s: float = 0.0
    in_s: float = 0.0
    newest_first: bool = True
    protected: int = 0

    def name_of(self, size: int) -> str:
        """Return the name of a size by its number."""
        return next(each.name for each in self.sizes.values() if each.size == size)


class Resizing:
    """Resizes the members of an application to the desired size.

    ``demand`` is what every VM would ask for now; with ``wakes`` hosts at rest are woken.

    A VM grows or shrinks while it runs if policy, host and hard rules allow it; otherwise it is
    taken off and started again, one member of an application at a time, so that the others serve.
    """

    def __init__(
        self, farm: Farm, lifecycle: Lifecycle, needs: Needs, demand: Demand, wakes: bool
    ) -> None:
        self._farm, self._lifecycle, self._needs = farm, lifecycle, needs
        self._demand, self._wakes = demand, wakes

    def follow(self, rows: Ints, rule: ScalingRule, size: str, now_s: float) -> bool:
        """Resize members: while running if possible, otherwise by one restart at a time.

        Returns whether a member has changed that runs on.

        ``rows`` are the members' rows of VMs, ``size`` a name among ``rule.sizes``. To be called
        once a round; members that are absent get the size at once, those that migrate in a later
        round.
        """
        wanted, vms = rule.sizes[size], self._farm.vms
        other = rows[vms.size[rows] != wanted.size]
        away = other[vms.state[other] == VmState.ABSENT]
        if len(away):
            self._farm.reshape(away, *wanted.columns(len(away)))
        # Who still fetches its pages is left alone until it has them.
        whole = (vms.state[other] == VmState.RUNNING) & (vms.pages_at[other] < 0)
        here = other[whole].tolist()
        cold = [row for row in here if not self._grow(row, rule, wanted, now_s)]
        if cold and not np.isin(vms.state[rows], COMING).any():
            self._restart_one(cold, wanted)
        return len(cold) < len(here)

    def _restart_one(self, rows: list[int], wanted: MemberSize) -> None:
        """Start the first member again for which there is a place with the other size.

        The others go on serving with the size that they have, and are tried again next round.
        """
        layer = self._farm.delivery.layer
        extra_mib = layer.extra_mib[wanted.size][layer.allowed[wanted.size]].max(initial=0.0)
        to = Resized(
            wanted.size,
            wanted.vcpus,
            wanted.size_mhz,
            wanted.memory_mib,
            wanted.memory_mib + float(extra_mib),
        )
        columns, wanted_mhz = wanted.columns(1), self._demand.now_mhz
        for row in rows:
            if self._needs.has_place(row, to, wanted_mhz, self._wakes):
                one = np.array([row])
                self._lifecycle.start_again(one, partial(self._farm.reshape, one, *columns))
                return

    def _grow(self, row: int, rule: ScalingRule, wanted: MemberSize, now_s: float) -> bool:
        """Give a running member another size where it is, if policy and host allow it."""
        vms = self._farm.vms
        if not resizes_while_running(rule.policy, rule.name_of(int(vms.size[row])), wanted.name):
            return False
        host = int(vms.host[row])
        more_mhz = wanted.size_mhz - float(vms.size_mhz[row])
        free_mhz = float(self._needs.capacity_mhz[host] - self._needs.load_mhz()[host])
        if more_mhz > max(free_mhz, 0.0) + 1e-6 or not self._needs.keeps_rules(row, wanted.size):
            return False
        try:
            self._farm.resize(np.array([row]), *wanted.columns(1), now_s)
        except FarmError:  # the host lacks the memory
            return False
        return True
