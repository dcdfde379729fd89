"""Lives of VMs: asked for, waiting, provisioned, running, gone; and back again after a crash."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

import numpy as np
import simpy
from simpy.events import EventPriority

from ...models.base.arrays import Bools, Floats, Ints, distinct
from ...models.farm.farm import MEMORY_TOLERANCE_MIB
from ...models.farm.living import LivingFarm
from ...models.state.columns import PowerState, VmState
from ...models.state.lifetimes import Lifetimes
from ...policies.interface.plan import Search
from ...policies.interface.reserve_book import NAME as RESERVE
from ...policies.placement.placement import Placed
from ..base.agenda import DueRows
from ..base.clock import ARRIVAL, RETURN, Clock
from ..hosts.power_states import PowerTransitions
from ..hosts.provisioning import Provisioning
from ..records.recorder import Recorder
from .host_finder import CurrentDemand, HostFinder
from .waiting_queue import WaitingQueue, place_all, serve

LEAVE = EventPriority(1)

STORED_S = 30.0
"""How often it is seen whether a VM that is to leave is back from storage."""


@dataclass(frozen=True)
class Population:
    """When each VM is first asked for, how long it is wanted once it runs, and who goes first.

    One entry per VM, times in s; an infinite arrival stands for a VM that somebody else asks for.
    """

    arrival_s: Floats
    lifetime_s: Floats
    priority: Ints

    @classmethod
    def staying(cls, vms: int) -> "Population":
        """Return VMs that are there from the start and stay."""
        return cls(np.zeros(vms), np.full(vms, np.inf), np.zeros(vms, np.int64))

    def without(self, vms: Ints | None) -> "Population":
        """Return the same of which nobody ever asks for some VMs."""
        if vms is None or not len(vms):
            return self
        arrival_s = self.arrival_s.copy()
        arrival_s[vms] = np.inf
        return replace(self, arrival_s=arrival_s)


@dataclass(frozen=True)
class Admission:
    """How VMs wait for a host.

    At most ``queue`` of them (None: any number), each for ``patience_s``; one that is turned away
    is asked for again up to ``retries`` times, after ``retry_s``. VMs of a failed host are noticed
    after ``detect_s`` and go before all others; without ``restart`` they start again where they
    were once their host is repaired. With ``restart_isolated`` a host that the network no longer
    reaches powers its VMs off, and they are treated like those of a failed one.
    """

    queue: int | None = None
    patience_s: float = np.inf
    retries: int = 0
    retry_s: float = 300.0
    detect_s: float = 15.0
    restart: bool = True
    restart_isolated: bool = False


class Lifecycle:
    """Plays the lives of VMs; the only one who lets them in, starts them and takes them off.

    ``fitting`` says of each size whether some host, empty and whole, has room for a VM of it.
    ``returning`` are VMs that a failure took off their host until they have another, one entry
    per VM. ``on_change`` is called when VMs have come or gone or hosts have failed.
    """

    def __init__(
        self,
        clock: Clock,
        farm: LivingFarm,
        population: Population,
        admission: Admission,
        provisioning: Provisioning,
        host_finder: HostFinder,
        demand: CurrentDemand,
        power: PowerTransitions,
        recorder: Recorder,
        withdraw: Callable[[Ints], None],
        kind_of_vm: Ints,
        fitting: Bools,
    ) -> None:
        self.lives = Lifetimes(len(farm.vms))
        self.searches: dict[int, Search] = {}
        self.longest_queue = 0
        """Most VMs that ever waited at once."""
        self.changed: Callable[[Ints], None] = _ignore
        """Told of VMs that have begun or ceased to run."""
        self._clock, self._farm, self._population = clock, farm, population
        self._admission, self._provisioning = admission, provisioning
        self._host_finder, self._demand = host_finder, demand
        self._power, self._recorder, self._withdraw = power, recorder, withdraw
        self._fitting = fitting
        count = len(farm.vms)
        self._queue = WaitingQueue(kind_of_vm, population.priority)
        self._tries = np.zeros(count, np.int64)
        self._attempts = np.zeros(count, bool)
        self.returning = np.zeros(count, bool)
        self.on_change: Callable[[], None] = lambda: None
        self._tied = np.full(count, -1, np.int64)
        self._serving_soon = False
        self._starts = DueRows(clock, count, self._started, ARRIVAL)
        self._ends = DueRows(clock, count, self._end, LEAVE)
        self._noticed = DueRows(clock, count, self._restart, LEAVE)
        self._timeouts = DueRows(clock, count, self._time_out, LEAVE)
        self._returns = DueRows(clock, count, self.ask, ARRIVAL)
        self._missing = farm.not_running
        self._missing.lifetime_s = population.lifetime_s

    def count(self) -> dict[str, int]:
        """Return how many VMs run, start, wait for a host, and are down."""
        held = int(self._farm.hosts.vm_count.sum())
        starting = self._farm.starting
        return {
            "running": held - starting, "starting": starting, "waiting": len(self._queue),
            "down": len(self.lives.down),
        }  # fmt: skip

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
        self.lives.note_asked(vms, 0.0)
        self.lives.note_running(vms, self._farm.vms.host[vms], 0.0)
        self._ends.enter(vms, self._population.lifetime_s[vms])

    def reject_at_start(self, vms: Ints) -> None:
        """Reject VMs for which no host has room at time 0."""
        self._farm.reject(vms)
        self._missing.wait(vms, self._demand.now_mhz, 0.0)

    def note_demand(self, demand_mhz: Floats, now_s: float) -> None:
        """Note what all VMs would ask for from now."""
        self.lives.note_demand(demand_mhz, now_s)
        self._missing.note_demand(demand_mhz, now_s)

    def ask(self, vms: Ints, exists: bool = False) -> None:
        """Ask for absent VMs; they are placed now, wait, or are turned away.

        Those that exist already need only boot.
        """
        now_s = self._clock.now
        self._attempts[vms] = exists
        self._returns.cancel(vms)
        self._farm.request(vms)
        self.lives.note_asked(vms, now_s)
        fits = self._fitting[self._farm.vms.size[vms]]
        if not fits.all():
            self._missing.wait(vms[~fits], self._demand.now_mhz, now_s)
            self._reject(vms[~fits], "fits no host of the farm")
            vms = vms[fits]
        behind = self._queue.holds_kind_of(vms)
        left = np.concatenate([vms[behind], self._place(vms[~behind])])
        if len(left):
            self._missing.wait(left, self._demand.now_mhz, now_s)
            self._enqueue(np.sort(left))
            self.serve()
            self.longest_queue = max(self.longest_queue, len(self._queue))

    def stop_members(self, vms: Ints) -> None:
        """Let VMs go that somebody may ask for again; not while they go to another host."""
        self._leave(vms, VmState.ABSENT, "dismissed")
        self.serve()

    def start_again(self, vm: Ints, reshape: Callable[[], None]) -> None:
        """Take a VM off its host and start it again, changed, before anybody else gets its room."""
        self._leave(vm, VmState.ABSENT, "dismissed")
        reshape()
        self._attempts[vm] = True
        self._farm.request(vm)
        self.lives.note_asked(vm, self._clock.now)
        left = self._place(vm)
        if len(left):
            self._missing.wait(left, self._demand.now_mhz, self._clock.now)
            self._enqueue(left)
        self.serve()

    def crashed(self, hosts: Ints, vms: Ints, ran: Ints, host_of: Ints) -> None:
        """Note that hosts have failed and VMs lost theirs; ``ran`` are those that were running."""
        self._provisioning.forget(hosts)
        self._crash(vms, ran, host_of, "crashed")

    def lost(self, vms: Ints, host_failed: bool) -> None:
        """Note that VMs, of whose memory a part is gone, crash on hosts that work on or fail.

        They start again as those of a failed host do. Where none is restarted, nobody starts one
        whose host works on.
        """
        host_of = self._farm.vms.host[vms]
        self._farm.retire(vms, self._clock.now, VmState.WAITING)
        self.lives.losses[vms] += 1
        self._crash(vms, vms, host_of, "lost in a move")
        if not host_failed:
            self._tied[vms] = -1
        self._power.finish_draining(distinct(host_of))

    def _crash(self, vms: Ints, ran: Ints, host_of: Ints, event: str) -> None:
        now_s = self._clock.now
        self._recorder.note_vms(now_s, vms, event, host_of)
        self.lives.crashes[vms] += 1
        due_s = self._ends.due_s(vms)
        until_s = np.where(np.isnan(due_s), np.inf, due_s)
        self._missing.go_down(vms, self._demand.now_mhz, until_s, now_s)
        self._note_down(ran)
        self._attempts[ran] = True
        self.returning[vms] = True
        self._starts.cancel(vms)
        if self._admission.restart:
            self._noticed.enter(vms, np.full(len(vms), now_s + self._admission.detect_s))
        else:
            self._tied[vms] = host_of
        self.changed(ran)
        self.on_change()

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
        """Return which VMs have room where they were, each beside those before it."""
        farm, fits = self._farm, np.zeros(len(vms), bool)
        free_mib = farm.hosts.memory_mib - farm.hosts.memory_used_mib + MEMORY_TOLERANCE_MIB
        need_mib = farm.delivery.footprint_mib(vms, homes)
        for row, (home, need) in enumerate(zip(homes.tolist(), need_mib.tolist(), strict=True)):
            if need <= free_mib[home]:
                free_mib[home] -= need
                fits[row] = True
        return fits

    def cut_off(self, hosts: Ints) -> int:
        """Note that nobody reaches the VMs of some hosts; return how many were running."""
        farm, now_s = self._farm, self._clock.now
        vms = farm.residents.of(hosts)
        ran = vms[farm.vms.state[vms] == VmState.RUNNING]
        if self._admission.restart_isolated:
            host_of = farm.vms.host[vms]
            self._withdraw(vms)
            farm.retire(vms, now_s, VmState.WAITING)
            self.crashed(hosts, vms, ran, host_of)
            self._power.finish_draining(hosts)
        else:
            self._recorder.note_vms(now_s, ran, "cut off", farm.vms.host[ran])
            self._note_down(ran)
        return len(ran)

    def joined(self, hosts: Ints) -> None:
        """Note that the VMs of some hosts can be reached again."""
        farm, now_s = self._farm, self._clock.now
        vms = farm.residents.of(hosts)
        vms = vms[farm.vms.state[vms] == VmState.RUNNING]
        self.lives.note_running(vms, farm.vms.host[vms], now_s)
        self._recorder.note_vms(now_s, vms, "reached again", farm.vms.host[vms])
        self._serve_soon()

    def _note_down(self, vms: Ints) -> None:
        """Note that VMs do not serve from now on, with what each would ask for."""
        wanted_mhz, now_s = self._demand.now_mhz, self._clock.now
        self.lives.note_demand(wanted_mhz, now_s)
        self.lives.note_down(vms, now_s)
        self.lives.note_demand(wanted_mhz, now_s)

    def retry_waiting(self) -> None:
        """Try those who wait once more: moves and hosts that are off by now may have made room."""
        if len(self._queue):
            self.serve()

    def retry_soon(self) -> None:
        """Do as :meth:`retry_waiting` once all that happens at this instant has happened."""
        if len(self._queue):
            self._serve_soon()

    def serve(self) -> None:
        """Place those who wait as far as there is room, in the order of the queue."""
        serve(self._queue, self._place)
        self.on_change()

    def _serve_soon(self) -> None:
        """Place those who wait once all hosts are back that come back at this instant."""
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
        """Bring sums up to the end of the run, and say for all who wait what hosts lack."""
        waiting = self._queue.waiting().tolist()
        found = {self._queue.kind(vm): self.searches[vm] for vm in waiting if vm in self.searches}
        for vm in waiting:
            if self._queue.kind(vm) in found:
                self.searches[vm] = found[self._queue.kind(vm)]
        self.lives.close(end_s)
        self._missing.close(end_s)

    def end_all(self) -> None:
        """Take every VM off for good; none may be on its way to another host."""
        state = self._farm.vms.state
        here = np.isin(state, (VmState.RUNNING, VmState.STARTING, VmState.WAITING))
        self._leave(np.flatnonzero(here), VmState.FINISHED, "finished")

    def _place(self, vms: Ints) -> Ints:
        """Give hosts to waiting VMs; return those for which there is none."""
        return place_all(vms, self._choose, self._put)

    def _choose(self, vms: Ints) -> Ints:
        placed = self._host_finder.choose(vms)
        if not (placed.hosts >= 0).any():
            self._note_search(vms, placed)
        return placed.hosts

    def _note_search(self, vms: Ints, placed: Placed) -> None:
        for vm, search in zip(vms.tolist(), placed.searches, strict=True):
            self.searches[vm] = search

    def _put(self, vms: Ints, hosts: Ints) -> None:
        farm, now_s = self._farm, self._clock.now
        self._queue.remove(vms)
        self._timeouts.cancel(vms)
        for vm in vms.tolist() if self.searches else ():
            self.searches.pop(vm, None)
        self.returning[vms] = False
        sleeping = distinct(hosts[farm.hosts.state[hosts] == PowerState.OFF])
        if len(sleeping):
            self._power.wake(sleeping, "needed for VMs")
        ready_s = self._provisioning.ready_s(
            hosts, farm.hosts.group[hosts], self._attempts[vms], now_s, self._power.on_at_s(hosts)
        )
        at_once = ready_s <= now_s
        if at_once.any():
            run, on = vms[at_once], hosts[at_once]
            farm.admit(run, on, now_s, self._demand.now_mhz[run])
            self._run(run, on)
        if not at_once.all():
            later = ~at_once
            farm.begin_start(vms[later], hosts[later], now_s)
            self._missing.wait(vms[later], self._demand.now_mhz, now_s)
            self._recorder.note_vms(now_s, vms[later], "starting", hosts[later])
            self._starts.enter(vms[later], ready_s[later])
        self.on_change()

    def _started(self, vms: Ints) -> None:
        farm, now_s = self._farm, self._clock.now
        hosts = farm.vms.host[vms]
        farm.finish_start(vms, now_s, self._demand.now_mhz[vms])
        self._run(vms, hosts)

    def _run(self, vms: Ints, hosts: Ints) -> None:
        now_s = self._clock.now
        first = vms[np.isnan(self._ends.due_s(vms))]
        self.lives.note_running(vms, hosts, now_s)
        self._missing.end(vms, now_s)
        self._recorder.note_vms(now_s, vms, "running", hosts)
        beyond = ~self._farm.hosts.reachable[hosts]
        if beyond.any():
            self._note_down(vms[beyond])
        self._ends.enter(first, now_s + self._population.lifetime_s[first])
        self.changed(vms)

    def _end(self, vms: Ints) -> None:
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
        """Let VMs that are being moved leave as soon as their moves have been called off."""
        self._withdraw(vms)
        yield self._clock.timeout(0)
        self._leave(vms, VmState.FINISHED, "finished")
        self.serve()

    def _leave(self, vms: Ints, state: int, event: str) -> None:
        farm, now_s = self._farm, self._clock.now
        held = farm.vms.host[vms] >= 0
        on, off = vms[held], vms[~held]
        hosts = farm.vms.host[on]
        if len(on):
            # A move goes on after the guest has arrived where pages are still to follow.
            self._withdraw(on)
            farm.retire(on, now_s, state)
            self._provisioning.release(hosts[~np.isnan(self._starts.due_s(on))])
        if len(off):
            self._queue.remove(off)
            farm.leave_waiting(off, state)
        for agenda in (self._starts, self._ends, self._noticed, self._timeouts):
            agenda.cancel(vms)
        self._attempts[vms], self._tied[vms], self.returning[vms] = False, -1, False
        self.lives.note_ended(vms, now_s)
        self._missing.end(vms, now_s)
        self._recorder.note_vms(now_s, on, event, hosts)
        self._recorder.note_vms(now_s, off, event, -1)
        self._power.finish_draining(distinct(hosts))
        self.changed(on)
        self.on_change()

    def _restart(self, vms: Ints) -> None:
        vms = vms[self._farm.vms.state[vms] == VmState.WAITING]
        self._queue.add(vms, first=True)
        self._recorder.note_vms(self._clock.now, vms, "to be restarted", -1)
        self.serve()
        self.longest_queue = max(self.longest_queue, len(self._queue))

    def _enqueue(self, vms: Ints) -> None:
        now_s, admission = self._clock.now, self._admission
        room = len(vms)
        if admission.queue is not None:
            room = max(admission.queue - len(self._queue), 0)
        order = np.argsort(-self._population.priority[vms], kind="stable")
        kept, turned_away = vms[order[:room]], vms[order[room:]]
        if len(kept):
            self._queue.add(kept)
            for_failures = self._kept_off_by_reserve(kept)
            self._recorder.note_vms(now_s, kept[~for_failures], "queued", -1)
            waits = f"queued: would break {RESERVE}"
            self._recorder.note_vms(now_s, kept[for_failures], waits, -1)
            self._timeouts.enter(kept, np.full(len(kept), now_s + admission.patience_s))
        if len(turned_away):
            why = "the queue is full" if admission.queue else "no host has room"
            self._reject_request(turned_away, why)

    def _kept_off_by_reserve(self, vms: Ints) -> Bools:
        rules = [self.searches[vm].rules if vm in self.searches else "" for vm in vms.tolist()]
        return np.array([RESERVE in each for each in rules], bool)

    def _time_out(self, vms: Ints) -> None:
        self._queue.remove(vms)
        self._reject_request(vms, "waited too long")

    def _reject_request(self, vms: Ints, why: str) -> None:
        now_s = self._clock.now
        again = self._tries[vms] < self._admission.retries
        self._tries[vms] += 1
        back, gone = vms[again], vms[~again]
        if len(back):
            self._farm.leave_waiting(back, VmState.ABSENT)
            self._recorder.note_vms(now_s, back, f"turned away for now: {why}", -1)
            self._returns.enter(back, np.full(len(back), now_s + self._admission.retry_s))
        if len(gone):
            self._reject(gone, why)

    def _reject(self, vms: Ints, why: str) -> None:
        now_s = self._clock.now
        self._farm.leave_waiting(vms, VmState.REJECTED)
        self.lives.note_ended(vms, now_s)
        self._recorder.note_vms(now_s, vms, f"rejected: {why}", -1)


def _ignore(vms: Ints) -> None:
    del vms
