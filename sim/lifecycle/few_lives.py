"""VMs that begin to run or leave a few at a time, noted number by number.

What :class:`.lifecycle.Lifecycle` does for arrays of VMs takes some thirty array operations; most
VMs that come and go at instants of their own need none of them. Farms in which others listen to
each VM, starts that take time, and hosts that drain or are cut off are left to the arrays.
"""

from collections.abc import Callable, Sequence
from math import isnan

from ...models.base.arrays import Floats, Ints
from ...models.farm.farm import Farm
from ...models.state.columns import PowerState, VmState
from ..base.clock import Clock, DueRows
from ..base.signals import Signals
from ..hosts.power_states import PowerTransitions
from .life_record import LifeRecord

FEW = 16
"""Up to so many VMs are noted one by one."""


class FewLives:
    """The plain beginning and end of a few lives; ``lifetime_s`` is (vms,), in s.

    Each method returns whether it has done its work; if not, nothing has changed. ``agendas`` are
    those of :class:`.lifecycle.Lifecycle`, the first that of ends; ``withdraw`` ends migrations.
    """

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        record: LifeRecord,
        power: PowerTransitions,
        signals: Signals,
        withdraw: Callable[[Ints], None],
        agendas: tuple[DueRows, ...],
        lifetime_s: Floats,
    ) -> None:
        self._clock, self._farm, self._record, self._power = clock, farm, record, power
        self._signals, self._withdraw, self._agendas = signals, withdraw, agendas
        self._ends, self._lifetime_s = agendas[0], lifetime_s

    def run(self, vms: Ints, hosts: Ints) -> bool:
        """Let waiting VMs run on hosts from now on, for their lifetimes."""
        now_s, rows = self._clock.now, hosts.tolist()
        if not self._are_plain(vms, rows) or self._power.on_at_s(hosts).max() > now_s:
            return False
        self._farm.place(vms, hosts, now_s, self._record.demand_mhz[vms])
        vm_rows = vms.tolist()
        self._record.note_few_running(vm_rows, rows)
        for vm in vm_rows:
            if isnan(self._ends.due_of(vm)):
                self._ends.enter_one(vm, now_s + self._lifetime_s.item(vm))
        return True

    def end(self, vms: Ints, state: int, event: str) -> bool:
        """Take running VMs off their hosts, into a state, and strike all their dates."""
        vm_rows = vms.tolist()
        vm_state = self._farm.vms.state.item
        if not vm_rows or any(vm_state(vm) != VmState.RUNNING for vm in vm_rows[:FEW]):
            return False
        hosts = self._farm.vms.host[vms]
        rows = hosts.tolist()
        if not self._are_plain(vms, rows):
            return False
        self._withdraw(vms)
        self._farm.retire(vms, self._clock.now, state)
        for agenda in self._agendas:
            for vm in vm_rows:
                agenda.cancel_one(vm)
        self._record.note_few_ended(vm_rows, event, rows)
        return True

    def _are_plain(self, vms: Ints, hosts: Sequence[int]) -> bool:
        """Whether nobody has to be told of VMs, and their hosts are on and can be reached."""
        signals, columns = self._signals, self._farm.hosts
        if not 0 < len(vms) <= FEW or len(self._record.lives.down):
            return False
        if signals.running_changed.is_heard or signals.placement_changed.is_heard:
            return False
        power, reachable = columns.state.item, columns.reachable.item
        return all(power(host) == PowerState.ON and reachable(host) for host in hosts)
