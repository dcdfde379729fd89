"""Life cycle of VMs: arrival, waiting, provisioning, running, end, and restart after a crash.

A VM is absent until somebody asks for it. It then waits until a host is found, starts there as
soon as one of the host's starting slots is free, runs for its lifetime, and is gone. A failure
takes it back to waiting; it comes before all others then.
"""

from collections.abc import Callable, Generator

import numpy as np
import simpy
from simpy.events import NORMAL

from ...models.base.arrays import Bools, Ints, distinct
from ...models.farm.farm import Farm
from ...models.farm.farm_state import MEMORY_TOLERANCE_MIB
from ...models.state.columns import PowerState, VmState
from ..base.clock import ARRIVAL, RETURN, Clock, DueRows
from ..base.signals import Signals
from ..hosts.power_states import PowerTransitions
from ..hosts.provisioning import Provisioning
from .admission import LEAVE, AdmissionQueue, VmKinds
from .few_lives import FewLives
from .host_finder import HostFinder
from .life_record import LifeRecord
from .setup import LifecycleSetup
from .waiting_queue import place_all

STORED_S = 30.0
"""How often it is seen whether a VM that is to leave is back from storage."""


class Lifecycle:
    """Admits, starts, stops and removes all VMs.

    ``kinds`` says which VMs fit where others fit, ``finder`` names hosts for them, ``withdraw``
    ends the migrations of VMs that leave. What changes is announced when the farm and the record
    know of it. Of several things at one instant departures come first, then those who wait for
    hosts that come back, then arrivals.

    States follow :class:`.VmState`: ``ABSENT``, ``WAITING``, ``STARTING``, ``RUNNING``, then
    ``FINISHED`` or ``REJECTED``. All arguments called ``vms`` are rows.
    """

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        setup: LifecycleSetup,
        kinds: VmKinds,
        finder: HostFinder,
        record: LifeRecord,
        power: PowerTransitions,
        withdraw: Callable[[Ints], None],
        signals: Signals,
    ) -> None:
        count = len(farm.vms)
        self._clock, self._farm, self._population = clock, farm, setup.population
        self._admission, self._host_finder, self._record = setup.admission, finder, record
        self._power, self._withdraw, self._signals = power, withdraw, signals
        self._provisioning = Provisioning(
            setup.first_s, setup.again_s, setup.starts_per_host, len(farm.hosts)
        )
        self.waiting = AdmissionQueue(clock, farm, setup, kinds, record, self.ask)
        self._exists = np.zeros(count, bool)
        """Which VMs have been made, so that to start them takes only the boot."""
        self._tied = np.full(count, -1, np.int64)
        """The failed host whose repair each VM waits for, −1: none."""
        self._serving_soon, self._freed_s = False, -1.0
        self._starts = DueRows(clock, count, self._started, ARRIVAL)
        self._ends = DueRows(clock, count, self._end, LEAVE)
        self._noticed = DueRows(clock, count, self._restart, LEAVE)
        agendas = (self._ends, self._starts, self._noticed)
        self._few = FewLives(
            clock, farm, record, power, signals, withdraw, agendas, setup.population.lifetime_s
        )

    @property
    def record(self) -> LifeRecord:
        """What is written down of the lives of VMs."""
        return self._record

    def count(self) -> dict[str, int]:
        """Return how many VMs run, start, wait for a host, and are down."""
        held = int(self._farm.hosts.vm_count.sum())
        starting = self._farm.starting
        return {
            "running": held - starting,
            "starting": starting,
            "waiting": len(self.waiting),
            "down": len(self._record.lives.down),
        }

    def arrivals(self) -> Generator[simpy.Event, object, None]:
        """Ask for VMs at their instants, until there are none left."""
        arrival_s = self._population.arrival_s
        order = np.argsort(arrival_s, kind="stable")
        order = order[(arrival_s[order] > 0) & np.isfinite(arrival_s[order])]
        if not len(order):
            return
        instants_s, starts = np.unique(arrival_s[order], return_index=True)
        stops = np.append(starts[1:], len(order))
        for instant_s, start, stop in zip(
            instants_s.tolist(), starts.tolist(), stops.tolist(), strict=True
        ):
            yield self._clock.at(instant_s, ARRIVAL)
            self.ask(order[start:stop])

    def begin(self, vms: Ints) -> None:
        """Note VMs that have been placed and run at time 0."""
        self._record.begin(vms)
        self._ends.enter(vms, self._population.lifetime_s[vms])

    def reject_at_start(self, vms: Ints) -> None:
        """Reject VMs for which no host has capacity at time 0."""
        self._farm.leave_waiting(vms, VmState.REJECTED)
        self._record.note_waiting(vms)

    def ask(self, vms: Ints) -> None:
        """Request absent VMs; they are placed, wait, or are rejected.

        A VM does not pass others of its kind that wait already.
        """
        self._exists[vms] = False
        vms = self.waiting.request(vms)
        behind = self.waiting.comes_behind(vms)
        left = np.concatenate([vms[behind], self._place(vms[~behind])])
        if len(left):
            self._record.note_waiting(left)
            self.waiting.enter(np.sort(left))
            self.serve()
            self.waiting.note_length()

    def stop_members(self, vms: Ints) -> None:
        """Let VMs go that somebody may ask for again; not while they go to another host."""
        self._leave(vms, VmState.ABSENT, "dismissed")
        self.serve()

    def start_again(self, vm: Ints, reshape: Callable[[], None]) -> None:
        """Restart a changed VM on its host before others can use its capacity."""
        self._leave(vm, VmState.ABSENT, "dismissed")
        reshape()
        self._exists[vm] = True
        self._farm.request(vm)
        self._record.note_asked(vm)
        left = self._place(vm)
        if len(left):
            self._record.note_waiting(left)
            self.waiting.enter(left)
        self.serve()

    def crashed(self, hosts: Ints, vms: Ints, ran: Ints, host_of: Ints) -> None:
        """Note that VMs lost their failed hosts; ``ran`` are those that were running.

        Called once the farm has taken the VMs off; ``host_of`` has the host of each of ``vms``.
        """
        self._provisioning.forget(hosts)
        self._crash(vms, ran, host_of, "crashed")

    def lost(self, vms: Ints, host_failed: bool) -> None:
        """Note that VMs, of whose memory a part is gone, crash on hosts that work on or fail.

        They start again as those of a failed host do. Where none is restarted, nobody starts one
        whose host works on.
        """
        host_of = self._farm.vms.host[vms]
        self._farm.retire(vms, self._clock.now, VmState.WAITING)
        self._record.lives.losses[vms] += 1
        self._crash(vms, vms, host_of, "lost in a migration")
        if not host_failed:
            self._tied[vms] = -1
        self._power.finish_draining(distinct(host_of))

    def _crash(self, vms: Ints, ran: Ints, host_of: Ints, event: str) -> None:
        """Let VMs wait that the farm has taken off their hosts ``host_of``, until noticed.

        Without restarts they wait for the repair of that host.
        """
        self._record.note(vms, event, host_of)
        due_s = self._ends.due_s(vms)
        self._record.note_crash(vms, ran, np.where(np.isnan(due_s), np.inf, due_s))
        self._exists[ran] = True
        self._starts.cancel(vms)
        if self._admission.restart:
            noticed_s = self._clock.now + self._admission.detect_s
            self._noticed.enter(vms, np.full(len(vms), noticed_s))
        else:
            self._tied[vms] = host_of
        self._signals.running_changed(ran)
        self._signals.placement_changed()

    def repaired(self, hosts: Ints) -> None:
        """Start VMs again whose hosts have been repaired, if that is what they wait for."""
        if not self._admission.restart:
            back = np.flatnonzero(np.isin(self._tied, hosts))
            back = back[self._fits_at(back, self._tied[back])]
            homes = self._tied[back]
            self._tied[back] = -1
            self._put(back, homes)
        self._serve_soon()

    def _fits_at(self, vms: Ints, homes: Ints) -> Bools:
        """Return which VMs fit on their previous hosts, each after those before it."""
        farm, fits = self._farm, np.zeros(len(vms), bool)
        free_mib = farm.hosts.memory_mib - farm.hosts.memory_used_mib + MEMORY_TOLERANCE_MIB
        need_mib = farm.delivery.footprint_mib(vms, homes)
        for row, (home, need) in enumerate(zip(homes.tolist(), need_mib.tolist(), strict=True)):
            if need <= free_mib[home]:
                free_mib[home] -= need
                fits[row] = True
        return fits

    def cut_off(self, hosts: Ints) -> int:
        """Note that the VMs of some hosts are unreachable; return how many were running.

        With ``restart_isolated`` they are powered off and restarted elsewhere; else they run on and
        count as down.
        """
        farm = self._farm
        vms = farm.residents.of(hosts)
        ran = vms[farm.vms.state[vms] == VmState.RUNNING]
        if self._admission.restart_isolated:
            host_of = farm.vms.host[vms]
            self._withdraw(vms)
            farm.retire(vms, self._clock.now, VmState.WAITING)
            self.crashed(hosts, vms, ran, host_of)
            self._power.finish_draining(hosts)
        else:
            self._record.note(ran, "cut off", farm.vms.host[ran])
            self._record.note_down(ran)
        return len(ran)

    def joined(self, hosts: Ints) -> None:
        """Note that the VMs of some hosts can be reached again."""
        farm = self._farm
        vms = farm.residents.of(hosts)
        vms = vms[farm.vms.state[vms] == VmState.RUNNING]
        self._record.note_reached(vms, farm.vms.host[vms])
        self._serve_soon()

    def retry_waiting(self) -> None:
        """Retry waiting VMs, since migrations or power-downs may have freed capacity."""
        if len(self.waiting):
            self.serve()

    def note_space_freed(self) -> None:
        """Do as :meth:`retry_waiting`, once an instant, when all else of it has happened."""
        if self._freed_s < self._clock.now:
            self._freed_s = self._clock.now
            event = self._clock.at(self._clock.now, NORMAL)
            event.callbacks = [lambda _: self._look_soon()]

    def _look_soon(self) -> None:
        if len(self.waiting):
            self._serve_soon()

    def serve(self) -> None:
        """Place waiting VMs as far as capacity allows, in queue order."""
        self.waiting.serve(self._place, self._host_finder.in_vain)
        self._signals.placement_changed()

    def _serve_soon(self) -> None:
        """Place waiting VMs after all hosts that return at this time are back."""
        if self._serving_soon:
            return
        self._serving_soon = True
        event = self._clock.at(self._clock.now, RETURN)
        assert event.callbacks is not None
        event.callbacks.append(lambda _: self._serve_now())

    def _serve_now(self) -> None:
        self._serving_soon = False
        self.serve()

    def close(self, end_s: float) -> None:
        """Update sums to the end of the run, and record what hosts lack for waiting VMs."""
        self.waiting.close()
        self._record.close(end_s)

    def end_all(self) -> None:
        """Remove all VMs permanently; none may be migrating."""
        state = self._farm.vms.state
        here = np.isin(state, (VmState.RUNNING, VmState.STARTING, VmState.WAITING))
        self._leave(np.flatnonzero(here), VmState.FINISHED, "finished")

    def _place(self, vms: Ints) -> Ints:
        """Give hosts to waiting VMs; return those for which there is none."""
        return place_all(vms, self._choose, self._put)

    def _choose(self, vms: Ints) -> Ints:
        """Return a host per VM (−1: none); searches that found none at all are kept."""
        placed = self._host_finder.choose(vms)
        if not (placed.hosts >= 0).any():
            self.waiting.note_search(vms, placed)
        return placed.hosts

    def _put(self, vms: Ints, hosts: Ints) -> None:
        """Take VMs to hosts: they run at once, or when host and starting slot are ready."""
        farm, now_s = self._farm, self._clock.now
        self.waiting.leave(vms)
        self._record.returning[vms] = False
        if self._provisioning.is_instant and self._few.run(vms, hosts):
            return
        sleeping = distinct(hosts[farm.hosts.state[hosts] == PowerState.OFF])
        if len(sleeping):
            self._power.wake(sleeping, "needed for VMs")
        ready_s = self._provisioning.ready_s(
            hosts, farm.hosts.group[hosts], self._exists[vms], now_s, self._power.on_at_s(hosts)
        )
        at_once = ready_s <= now_s
        if at_once.any():
            run, on = vms[at_once], hosts[at_once]
            farm.place(run, on, now_s, self._record.demand_mhz[run])
            self._run(run, on)
        if not at_once.all():
            later = ~at_once
            farm.begin_start(vms[later], hosts[later], now_s)
            self._record.note_waiting(vms[later])
            self._record.note(vms[later], "starting", hosts[later])
            self._starts.enter(vms[later], ready_s[later])
        self._signals.placement_changed()

    def _started(self, vms: Ints) -> None:
        farm, now_s = self._farm, self._clock.now
        hosts = farm.vms.host[vms]
        farm.finish_start(vms, now_s, self._record.demand_mhz[vms])
        self._run(vms, hosts)

    def _run(self, vms: Ints, hosts: Ints) -> None:
        """Note that VMs run; a lifetime counts from the first time."""
        first = vms[np.isnan(self._ends.due_s(vms))]
        self._record.note_running(vms, hosts)
        self._ends.enter(first, self._clock.now + self._population.lifetime_s[first])
        self._signals.running_changed(vms)

    def _end(self, vms: Ints) -> None:
        """Let VMs leave whose lifetimes end; those under way leave when they are back."""
        stored = vms[self._farm.vms.state[vms] == VmState.SUSPENDED]
        if len(stored):
            # On storage for a move: it leaves once it is back.
            vms = vms[self._farm.vms.state[vms] != VmState.SUSPENDED]
            self._ends.enter(stored, np.full(len(stored), self._clock.now + STORED_S))
        moving = vms[self._farm.vms.state[vms] == VmState.MIGRATING]
        if len(moving):
            vms = vms[self._farm.vms.state[vms] != VmState.MIGRATING]
            self._clock.process(self._end_moving(moving))
        self._leave(vms, VmState.FINISHED, "finished")
        self.serve()

    def _end_moving(self, vms: Ints) -> Generator[simpy.Event, object, None]:
        """Remove migrating VMs as soon as their migrations have been cancelled."""
        self._withdraw(vms)
        yield self._clock.timeout(0)
        self._leave(vms, VmState.FINISHED, "finished")
        self.serve()

    def _leave(self, vms: Ints, state: int, event: str) -> None:
        """Take VMs off their hosts or out of the queue, into a state, and strike all their dates.

        None may be on its way to a host that it has not reached.
        """
        farm, now_s = self._farm, self._clock.now
        if self._few.end(vms, state, event):
            self._exists[vms], self._tied[vms] = False, -1
            return
        held = farm.vms.host[vms] >= 0
        on, off = vms[held], vms[~held]
        hosts = farm.vms.host[on]
        if len(on):
            # A move goes on after the guest has arrived where pages are still to follow.
            self._withdraw(on)
            farm.retire(on, now_s, state)
            self._provisioning.release(hosts[~np.isnan(self._starts.due_s(on))])
        self.waiting.forget(off, state)
        for agenda in (self._starts, self._ends, self._noticed):
            agenda.cancel(vms)
        self._exists[vms], self._tied[vms] = False, -1
        self._record.note_ended(vms)
        self._record.note(on, event, hosts)
        self._record.note(off, event)
        self._power.finish_draining(distinct(hosts))
        self._signals.running_changed(on)
        self._signals.placement_changed()

    def _restart(self, vms: Ints) -> None:
        """Let VMs be placed whose crash is noticed now."""
        vms = vms[self._farm.vms.state[vms] == VmState.WAITING]
        self.waiting.enter_first(vms)
        self.serve()
        self.waiting.note_length()
