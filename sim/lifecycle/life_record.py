"""What is written down of VMs' lives: events, times, and the work that is not done meanwhile."""

from collections.abc import Sequence

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, distinct
from ...models.farm.farm import Farm
from ...models.state.lifetimes import Lifetimes
from ..base.clock import Clock
from ..records.recorder import Recorder
from .host_finder import CurrentDemand


class LifeRecord:
    """Notes what happens to VMs at the present instant.

    ``lives`` has when each VM was asked for, ran and ended, and for how long it was down, in s.
    ``returning`` are VMs that a failure took off their host until they have another, one entry
    per VM. ``lifetime_s`` is for how long each is wanted once it runs. Work is integrated in
    MHz s; the demand that counts is that of the present instant.
    """

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        demand: CurrentDemand,
        recorder: Recorder,
        lifetime_s: Floats,
    ) -> None:
        self.lives = Lifetimes(len(farm.vms))
        self.returning: Bools = np.zeros(len(farm.vms), bool)
        self._clock, self._farm, self._demand, self._recorder = clock, farm, demand, recorder
        self._missing = farm.not_running
        self._missing.set_lifetimes(lifetime_s)

    @property
    def demand_mhz(self) -> Floats:
        """What each VM would ask for now, MHz."""
        return self._demand.now_mhz

    def note(self, vms: Ints, event: str, hosts: Ints | int = -1) -> None:
        """Note an event, and the hosts that it concerns (−1: none)."""
        self._recorder.note_vms(self._clock.now, vms, event, hosts)

    def note_demand(self, demand_mhz: Floats, now_s: float) -> None:
        """Note what all VMs would ask for from now, MHz."""
        self.lives.note_demand(demand_mhz, now_s)
        self._missing.note_demand(demand_mhz, now_s)

    @property
    def missing(self) -> Ints:
        """VMs that are wanted and do not run, or cannot be reached: those whose demand counts."""
        return distinct(np.concatenate([self.lives.down, self._missing.rows]))

    def note_missing_demand(self, vms: Ints, demand_mhz: Floats, now_s: float) -> None:
        """Do as :meth:`note_demand`, told only what :attr:`missing` VMs would ask for."""
        if len(vms):
            everybody_mhz = np.zeros(len(self.returning))
            everybody_mhz[vms] = demand_mhz
            self.note_demand(everybody_mhz, now_s)

    def begin(self, vms: Ints) -> None:
        """Note that VMs run as time begins."""
        self.lives.note_asked(vms, 0.0)
        self.lives.note_running(vms, self._farm.vms.host[vms], 0.0)

    def note_asked(self, vms: Ints) -> None:
        """Note that VMs are asked for."""
        self.lives.note_asked(vms, self._clock.now)

    def note_waiting(self, vms: Ints) -> None:
        """Note that VMs are wanted and do not run yet; those that wait already go on."""
        self._missing.wait(vms, self._demand.now_mhz, self._clock.now)

    def note_running(self, vms: Ints, hosts: Ints) -> None:
        """Note that VMs run on hosts, on some of which nobody may reach them."""
        self.lives.note_running(vms, hosts, self._clock.now)
        self._missing.end(vms, self._clock.now)
        self.note(vms, "running", hosts)
        beyond = ~self._farm.hosts.reachable[hosts]
        if beyond.any():
            self.note_down(vms[beyond])

    def note_few_asked(self, vms: Sequence[int]) -> None:
        """Do as :meth:`note_asked` for a few VMs."""
        for vm in vms:
            self.lives.note_one_asked(vm, self._clock.now)

    def note_few_running(self, vms: Sequence[int], hosts: Sequence[int]) -> None:
        """Do as :meth:`note_running` for a few VMs whose hosts can be reached; none is down."""
        now_s = self._clock.now
        for vm, host in zip(vms, hosts, strict=True):
            self.lives.note_one_running(vm, host, now_s)
            self._missing.end_one(vm, now_s)
        self._recorder.note_few_vms(now_s, vms, "running", hosts)

    def note_few_ended(self, vms: Sequence[int], event: str, hosts: Sequence[int]) -> None:
        """Do as :meth:`note_ended` and :meth:`note` for a few VMs; none is down."""
        now_s = self._clock.now
        for vm in vms:
            self.returning[vm] = False
            self.lives.ended_s[vm] = now_s
            self._missing.end_one(vm, now_s)
        self._recorder.note_few_vms(now_s, vms, event, hosts)

    def note_down(self, vms: Ints) -> None:
        """Note that VMs do not serve from now on, with what each would ask for."""
        wanted_mhz, now_s = self._demand.now_mhz, self._clock.now
        self.lives.note_demand(wanted_mhz, now_s)
        self.lives.note_down(vms, now_s)
        self.lives.note_demand(wanted_mhz, now_s)

    def note_crash(self, vms: Ints, ran: Ints, until_s: Floats) -> None:
        """Note that VMs have lost their host, of which ``ran`` were running.

        ``until_s`` is until when each is wanted, infinite where it stays.

        ``vms``, ``ran`` and ``until_s``: rows, rows, and an instant in s for each of ``vms``.
        """
        self.lives.crashes[vms] += 1
        self._missing.go_down(vms, self._demand.now_mhz, until_s, self._clock.now)
        self.note_down(ran)
        self.returning[vms] = True

    def note_reached(self, vms: Ints, hosts: Ints) -> None:
        """Note that running VMs can be reached again."""
        self.lives.note_running(vms, hosts, self._clock.now)
        self.note(vms, "reachable again", hosts)

    def note_rejected(self, vms: Ints) -> None:
        """Note that VMs never get a host; their work stays undone."""
        self.lives.note_ended(vms, self._clock.now)

    def note_ended(self, vms: Ints) -> None:
        """Note that VMs are not wanted any more, or not for now."""
        self.returning[vms] = False
        self.lives.note_ended(vms, self._clock.now)
        self._missing.end(vms, self._clock.now)

    def close(self, end_s: float) -> None:
        """Bring sums up to the end of the run."""
        self.lives.close(end_s)
        self._missing.close(end_s)
