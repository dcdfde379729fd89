"""Processes of migrations with phases known in advance."""

import math
from collections.abc import Callable

import numpy as np
import simpy

from ...models.base.arrays import Bools, Ints, alike, distinct
from ...models.farm.farm import Farm
from ...models.migration.course import BYTES_PER_MIB, liu_energy_j
from ...models.migration.fixed_rate import Phases
from ...models.migration.model_table import MigrationModels
from ...models.state.columns import PowerState
from ..base.clock import Clock
from ..hosts.power_states import PowerTransitions, SimProcess
from ..records.recorder import Recorder


class Migrations:
    """Moves under way, each at its model's own rate and without regard to others.

    VMs that start together and take equally long share one story, a wave. ``ended`` is called
    whenever moves have ended. A move that ends early is undone: its VM stays where it is.

    Implements :class:`.MigrationRunner` without a network: bandwidth, and with it the duration of
    each phase, is that of the model, in Mbit/s, however many migrations run. There are as many
    simulation processes as waves, not as VMs.
    """

    def __init__(
        self,
        clock: Clock,
        farm: Farm,
        models: MigrationModels,
        power: PowerTransitions,
        recorder: Recorder,
        ended: Callable[[], None],
    ) -> None:
        self._ended = ended
        self._clock, self._farm, self._models = clock, farm, models
        self._power, self._recorder = power, recorder
        self._waves: dict[_Wave, simpy.Process] = {}

    def start(self, vms: Ints, targets: Ints) -> None:
        """Start migrations; memory is reserved at once, also on targets that are booting.

        ``vms`` and ``targets``, (n,), are rows; the VMs run, fit at their targets, and none is
        named twice. Sleeping targets are woken, and their VMs run undisturbed until the boot has
        ended.
        """
        farm, now_s = self._farm, self._clock.now
        self._power.wake_for_vms(targets)
        first = np.argsort(-farm.vms.priority[vms], kind="stable")
        vms, targets = vms[first], targets[first]
        phases = self._models.schedule(farm, vms, targets)
        ready = farm.hosts.state[targets] == PowerState.ON
        guest, source, target = phases.shares(0)
        shares = (
            np.where(ready, guest, 1.0),
            np.where(ready, source, 0.0),
            np.where(ready, target, 0.0),
        )
        sources = farm.vms.host[vms]
        farm.begin_migration(vms, targets, now_s, *shares)
        waits_for = np.where(ready, -1, targets)
        wave_of = alike(np.column_stack([waits_for, phases.duration_s]))
        for index in range(int(wave_of.max()) + 1):
            rows = np.flatnonzero(wave_of == index)
            wave = _Wave(vms[rows], sources[rows], targets[rows], phases.select(rows), now_s)
            story = self._play(wave, int(waits_for[rows[0]]))
            self._waves[wave] = self._clock.process(story)

    def _play(self, wave: "_Wave", waits_for: int) -> SimProcess:
        """Wait for the targets to boot, go through the phases, arrive; undone if interrupted."""
        clock, farm, phases = self._clock, self._farm, wave.phases
        arrived = False
        try:
            if waits_for >= 0:
                yield self._power.booted(waits_for)
            wave.start_s, wave.began = clock.now, True
            for phase, duration_s in enumerate(phases.duration_s[0].tolist()):
                if phase or waits_for >= 0:
                    farm.set_migration_load(wave.vms, *wave.phases.shares(phase), clock.now)
                yield clock.timeout(duration_s)
            arrived = True
        except simpy.Interrupt:
            pass
        del self._waves[wave]
        if not len(wave.vms):
            return
        if arrived:
            farm.commit_migration(wave.vms, clock.now)
        else:
            farm.abort_migration(wave.vms, clock.now)
        self._record(wave, arrived)
        self._power.finish_draining(distinct(wave.sources))
        self._ended()

    def busy(self, vms: Ints) -> Bools:
        """Return VMs that cannot be migrated in addition to those migrating: none."""
        return np.zeros(len(vms), bool)

    def interrupt_all(self) -> None:
        """Interrupt every ongoing migration."""
        for process in list(self._waves.values()):
            process.interrupt()

    def interrupt(self, vms: Ints) -> None:
        """End the migrations of some VMs; others started together continue.

        VMs that do not migrate are ignored. The memory reserved at the targets is free at once.
        """
        for wave in list(self._waves):
            self._drop(wave, np.isin(wave.vms, vms))

    def fail(self, hosts: Ints) -> int:
        """End the migrations from and to failed hosts; no VM is lost.

        Memory is copied before the VM is handed over, so the source has all of it until the end.
        ``hosts`` are rows; the result is always 0.
        """
        for wave in list(self._waves):
            self._drop(wave, np.isin(wave.sources, hosts) | np.isin(wave.targets, hosts))
        return 0

    def cut(self, hosts: Ints) -> int:
        """End the migrations from and to unreachable hosts."""
        return self.fail(hosts)

    def cut_links(self, links: Ints) -> int:
        """Do nothing: these moves use no links."""
        del links
        return 0

    def reroute(self, beyond: Ints) -> None:
        """Do nothing: these moves take no routes."""

    def _drop(self, wave: "_Wave", gone: Bools) -> None:
        """Undo some moves of a wave; its story ends when none is left."""
        if not gone.any():
            return
        part = wave.take_out(gone)
        self._farm.abort_migration(part.vms, self._clock.now)
        self._record(part, finished=False)
        self._ended()
        if not len(wave.vms):
            self._waves[wave].interrupt()

    def record_unfinished(self) -> None:
        """Record the migrations that are unfinished at the end of the run."""
        for wave in self._waves:
            self._record(wave, finished=False)

    def _record(self, wave: "_Wave", finished: bool) -> None:
        """Record moves with what they have done until now, bytes and CPU in proportion to time.

        Energy is that of Liu et al. (HPDC 2011): linear in the bytes sent.
        """
        elapsed_s = self._clock.now - wave.start_s if wave.began else 0.0
        done = wave.phases.played(math.inf if finished else elapsed_s)
        sent = done.copied_mib * BYTES_PER_MIB
        energy_j = liu_energy_j(sent) if wave.began else 0.0
        self._recorder.note_moves(
            len(wave.vms),
            vm=wave.vms,
            source=wave.sources,
            target=wave.targets,
            decided_s=wave.decided_s,
            start_s=wave.start_s if wave.began else self._clock.now,
            end_s=self._clock.now,
            copied_mib=done.copied_mib,
            finished=finished,
            downtime_s=done.downtime_s,
            rounds=0,
            source_cpu_s=done.source_cpu_s,
            target_cpu_s=done.target_cpu_s,
            guest_lost_s=done.guest_lost_s,
            energy_j=energy_j,
            reaction=self._recorder.words(""),
        )


class _Wave:
    """Moves that go through equally long phases at once; ``began`` once all targets are on.

    ``vms``, ``sources`` and ``targets``, (n,), are rows; ``phases`` has one row per VM.
    ``decided_s`` is when the migration was asked for, ``start_s`` when its first phase began.
    """

    def __init__(
        self, vms: Ints, sources: Ints, targets: Ints, phases: Phases, decided_s: float
    ) -> None:
        self.vms, self.sources, self.targets = vms, sources, targets
        self.phases = phases
        self.decided_s = self.start_s = decided_s
        self.began = False

    def take_out(self, gone: Bools) -> "_Wave":
        """Take some VMs out and return them as a wave of their own.

        ``gone``, (n,), marks the VMs to be taken out. Both waves keep decision and start times.
        """
        out, stay = np.flatnonzero(gone), np.flatnonzero(~gone)
        part = _Wave(
            self.vms[out],
            self.sources[out],
            self.targets[out],
            self.phases.select(out),
            self.decided_s,
        )
        part.start_s, part.began = self.start_s, self.began
        self.vms, self.sources, self.targets = (
            self.vms[stay],
            self.sources[stay],
            self.targets[stay],
        )
        self.phases = self.phases.select(stay)
        return part
