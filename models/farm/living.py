"""A farm whose VMs come and go and whose hosts fail: more verbs, the same invariants."""

import numpy as np

from ..accounts.work_not_running import NotRunning
from ..base.arrays import Bools, Floats, Ints, distinct, sum_by
from ..delivery.overhead_tables import Layer
from ..state.columns import Hosts, PowerState, Vms, VmState
from .farm import MEMORY_TOLERANCE_MIB, Farm, FarmError, ViolationRule

HELD = (VmState.RUNNING, VmState.STARTING)
"""States of a VM that is on a host and not under way to another."""


class LivingFarm(Farm):
    """Verbs of arrival, start, departure, failure and resizing.

    With ``all_present`` every VM is there from the start and stays; otherwise passes over the VMs
    cost in proportion to those that are present, however many there will ever be. ``starting``
    says how many are starting now, ``not_running`` what VMs would have done that are wanted and do
    not run.
    """

    def __init__(
        self,
        hosts: Hosts,
        vms: Vms,
        violation: ViolationRule | None = None,
        layer: Layer | None = None,
        all_present: bool = True,
    ) -> None:
        self.not_running = NotRunning(len(vms))
        self._all_present = all_present
        self._buffer: Ints = np.empty(0 if all_present else 1024, np.int64)
        self._listed: Bools = np.zeros(0 if all_present else len(vms), bool)
        self._count = 0
        super().__init__(hosts, vms, violation, layer)
        if not all_present:
            self._rows = self._buffer[:0]
            self._inactive = self._buffer[:0]

    def admit(self, vms: Ints, hosts: Ints, now_s: float, demand_mhz: Floats) -> None:
        """Let waiting VMs run on hosts that are on, asking for ``demand_mhz`` from now.

        Raises FarmError if a VM is not waiting, a host is not on, or memory runs out.
        """
        self._require_vms(vms, VmState.WAITING, "admit")
        self._require_hosts(hosts, (PowerState.ON,), "admit")
        self._require_memory(vms, hosts, "admit")
        touched = self._settle(hosts, now_s)
        self._attach(vms, hosts, now_s)
        self._ask(vms, demand_mhz, now_s)
        self._set_state(vms, VmState.RUNNING)
        self.presence.begin(vms, now_s)
        self._note_running()
        self._refresh(touched)

    def begin_start(self, vms: Ints, hosts: Ints, now_s: float) -> None:
        """Give waiting VMs their memory on hosts that are on or booting; they do no work yet.

        Raises FarmError if a VM is not waiting, a host is off or leaving, or memory runs out.
        """
        self._require_vms(vms, VmState.WAITING, "begin_start")
        self._require_hosts(hosts, (PowerState.ON, PowerState.BOOTING), "begin_start")
        self._require_memory(vms, hosts, "begin_start")
        touched = self._settle(hosts, now_s)
        self._attach(vms, hosts, now_s)
        self._set_state(vms, VmState.STARTING)
        self._refresh(touched)

    def finish_start(self, vms: Ints, now_s: float, demand_mhz: Floats) -> None:
        """Let VMs that were starting run, asking for ``demand_mhz`` from now.

        Raises FarmError if a VM is not starting or its host is not on.
        """
        self._require_vms(vms, VmState.STARTING, "finish_start")
        hosts = self.vms.host[vms]
        self._require_hosts(hosts, (PowerState.ON, PowerState.DRAINING), "finish_start")
        touched = self._settle(hosts, now_s)
        self._ask(vms, demand_mhz, now_s)
        self._set_state(vms, VmState.RUNNING)
        self.presence.begin(vms, now_s)
        self._note_running()
        self._refresh(touched)

    def retire(self, vms: Ints, now_s: float, state: int = VmState.FINISHED) -> None:
        """Take VMs that run or start off their hosts, for good or until asked for again.

        Raises FarmError if a VM is neither running nor starting.
        """
        self._require_held(vms, "retire")
        self._refresh(self._take_off(vms, now_s, state))

    def crash(self, hosts: Ints, now_s: float) -> Ints:
        """Let hosts fail; return the VMs that were on them and now wait for another host.

        Raises FarmError if a VM on one of them is being moved, or a host has failed already.
        """
        if np.any(self.hosts.state[hosts] == PowerState.FAILED):
            raise FarmError("crash: a host has failed already")
        vms = self.residents.of(hosts)
        self._require_held(vms, "crash")
        touched = self._settle(hosts, now_s)
        if len(vms):
            touched = distinct(
                np.concatenate([touched, self._take_off(vms, now_s, VmState.WAITING)])
            )
        self.hosts.state[hosts] = PowerState.FAILED
        self.hosts.sleep_state[hosts] = 0
        self.accounts.failures[hosts] += 1
        self._refresh(touched)
        return vms

    def leave_waiting(self, vms: Ints, state: int) -> None:
        """End the wait of VMs without a host: rejected, finished, lost or absent.

        Raises FarmError if a VM is not waiting.
        """
        self._require_vms(vms, VmState.WAITING, "leave_waiting")
        self._set_state(vms, state)

    def request(self, vms: Ints) -> None:
        """Let absent VMs wait for a host, or such as were turned away.

        Raises FarmError if a VM is anything else.
        """
        away = vms[self.vms.state[vms] != VmState.REJECTED]
        self._require_vms(away, VmState.ABSENT, "request")
        self._set_state(vms, VmState.WAITING)

    def start_absent(self, vms: Ints) -> None:
        """Say before time begins which VMs nobody has asked for yet."""
        self._require_vms(vms, VmState.WAITING, "start_absent")
        self._set_state(vms, VmState.ABSENT)

    def resize(
        self, vms: Ints, size: Ints, vcpus: Ints, size_mhz: Floats, memory_mib: Floats,
        now_s: float,
    ) -> None:  # fmt: skip
        """Give running VMs another size where they are; their demand stays as it is.

        Raises FarmError if a VM is not running, still fetches its pages, or its host lacks the
        memory.
        """
        self._require_vms(vms, VmState.RUNNING, "resize")
        if np.any(self.vms.pages_at[vms] >= 0):
            raise FarmError("resize: a VM still fetches its pages")
        at = self.vms.host[vms]
        grown_mib = memory_mib + self.delivery.layer.extra_mib[size, self.hosts.group[at]]
        grown_mib = grown_mib - self.delivery.footprint_mib(vms, at)
        named = distinct(at)
        more_mib = sum_by(np.searchsorted(named, at), weights=grown_mib, minlength=len(named))
        limit_mib = self.hosts.memory_mib[named] + MEMORY_TOLERANCE_MIB
        if np.any(self.hosts.memory_used_mib[named] + more_mib > limit_mib):
            raise FarmError("resize: a host lacks memory")
        touched = self._settle(at, now_s)
        elapsed_s = now_s - self._demand_since_s
        self._charge(vms)
        self._settle_excess(vms, elapsed_s)
        self.delivery.detach(vms)
        self._shape(vms, size, vcpus, size_mhz, memory_mib)
        self.delivery.attach(vms, at)
        self._settle_excess(vms, -elapsed_s)
        self._refresh(touched)

    def reshape(
        self, vms: Ints, size: Ints, vcpus: Ints, size_mhz: Floats, memory_mib: Floats
    ) -> None:
        """Give absent VMs the size that they will have. Raises FarmError if a VM is not absent."""
        self._require_vms(vms, VmState.ABSENT, "reshape")
        self._shape(vms, size, vcpus, size_mhz, memory_mib)

    def _shape(
        self, vms: Ints, size: Ints, vcpus: Ints, size_mhz: Floats, memory_mib: Floats
    ) -> None:
        self.vms.size[vms], self.vms.vcpus[vms] = size, vcpus
        self.vms.size_mhz[vms], self.vms.memory_mib[vms] = size_mhz, memory_mib
        self.delivery.resize(vms)

    @property
    def moving(self) -> Ints:
        """VMs on their way to another host, ascending."""
        return self._migrating

    def _take_off(self, vms: Ints, now_s: float, state: int) -> Ints:
        touched = self._settle(self._ends(vms), now_s)
        elapsed_s = now_s - self._demand_since_s
        self.vm_accounts.requested_mhz_s[vms] += self.vms.demand_mhz[vms] * elapsed_s
        self._detach(vms, now_s)
        self.presence.end(vms, now_s)
        self.vms.demand_mhz[vms] = 0.0
        self._set_state(vms, state)
        return touched

    def _ask(self, vms: Ints, demand_mhz: Floats, now_s: float) -> None:
        """Let VMs that asked for nothing ask from now, with no account of the step before."""
        elapsed_s = now_s - self._demand_since_s
        self.vms.demand_mhz[vms] = demand_mhz
        self.vm_accounts.requested_mhz_s[vms] -= demand_mhz * elapsed_s
        if self.delivery.capped:
            self._settle_excess(vms, -elapsed_s)

    def _set_state(self, vms: Ints, state: int) -> None:
        self.starting -= int(np.count_nonzero(self.vms.state[vms] == VmState.STARTING))
        self.starting += len(vms) if state == VmState.STARTING else 0
        self.vms.state[vms] = state
        self._population_changed = True

    def _require_held(self, vms: Ints, verb: str) -> None:
        state = self.vms.state[vms]
        wrong = vms[(state != HELD[0]) & (state != HELD[1])]
        if len(wrong):
            name = self.vms.names[int(wrong[0])]
            raise FarmError(f"{verb}: VM {name} neither runs nor starts")

    def _attach(self, vms: Ints, hosts: Ints, now_s: float) -> None:
        super()._attach(vms, hosts, now_s)
        if not self._all_present:
            self._list(vms[~self._listed[vms]])

    def _list(self, vms: Ints) -> None:
        count = self._count + len(vms)
        if count > len(self._buffer):
            longer = np.empty(2 * count, np.int64)
            longer[: self._count] = self._buffer[: self._count]
            self._buffer = longer
        self._buffer[self._count : count] = vms
        self._listed[vms] = True
        self._count = count
        self._rows = self._buffer[:count]

    def _count_population(self) -> None:
        if self._all_present:
            super()._count_population()
            if self.starting:
                starting = np.flatnonzero(self.vms.state == VmState.STARTING)
                self._inactive = np.union1d(self._inactive, starting)
            return
        rows = self._buffer[: self._count]
        present = self._home[rows] < len(self.hosts)
        present |= self.vms.state[rows] == VmState.SUSPENDED
        if 2 * np.count_nonzero(present) < self._count:
            self._listed[rows[~present]] = False
            kept = np.sort(rows[present])
            self._count = len(kept)
            self._buffer[: self._count] = kept
            rows, present = self._buffer[: self._count], np.ones(len(kept), bool)
        self._rows = rows
        self._inactive = rows[~present | (self.vms.state[rows] == VmState.STARTING)]

    def set_reachable(self, hosts: Ints, reachable: bool) -> None:
        """Cut hosts off from the network, or join them to it again; what they do goes on."""
        self.hosts.reachable[hosts] = reachable
        self.changed.update(hosts.tolist())

    def set_in_service(self, hosts: Ints, in_service: bool) -> None:
        """Close hosts for maintenance, or open them again; what is on them goes on."""
        self.hosts.in_service[hosts] = in_service
        self.changed.update(hosts.tolist())
