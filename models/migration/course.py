"""The steps of one migration: a model asks for them and a player carries them out.

A migration model is a generator. It yields a :class:`Step`, is sent what the step took
(:class:`Measured`), and returns an :class:`MigrationEnd`. It knows no clock, so the same model is
played over a simulated network (``sim/migration/player.py``) and, by :func:`play_alone`, over a
link of its own. Sizes are in bytes, rates in bytes/s, times in s.
"""

import math
from collections.abc import Generator
from typing import NamedTuple, TypeAlias, TypeVar

from ..base.arrays import Floats
from ..base.lazy_dataclass import dataclass

BYTES_PER_MIB = 1024.0 * 1024.0
LIU_J_PER_MB = 0.512
LIU_J = 20.165
Amount = TypeVar("Amount", float, Floats)


@dataclass(frozen=True)
class Guest:
    """Properties of a VM that a migration needs.

    ``write_bytes_s`` is what it writes to its disk at full activity; ``passthrough`` says that
    it holds a device of its host, ``takes_device`` that it is given one at the target.
    """

    memory_bytes: float
    disk_bytes: float = 0.0
    write_bytes_s: float = 0.0
    passthrough: bool = False
    takes_device: bool = False


class Step(NamedTuple):
    """A step of a migration: first a wait, then a transfer.

    Without a size nothing is sent; a size of zero is a message. ``guest_share`` is the part of its
    CPU that the guest keeps (0: it is stopped), ``source_share`` and ``target_share`` what the work
    costs the two hosts, as parts of the guest's demand. ``down`` counts as downtime. From a step
    with ``arrived`` on the guest is at the target; while it is
    ``exposed`` pages that it needs are still at the source. ``undo_s`` is how long the source
    takes to have it running again if the step fails; ``beside_bytes`` are copied during the wait,
    evenly, by a way that is not the network. A migration that ends with a VM moved has had a step
    with ``arrived``.
    """

    name: str
    wait_s: float = 0.0
    size_bytes: float | None = None
    cap_bytes_s: float = math.inf
    guest_share: float = 1.0
    source_share: float = 0.0
    target_share: float = 0.0
    down: bool = False
    arrived: bool = False
    exposed: bool = False
    backwards: bool = False
    undo_s: float = 0.0
    is_round: bool = False
    beside_bytes: float = 0.0


class Measured(NamedTuple):
    """Duration of a step, of its transfer, and working time of the guest during it.

    ``ran_s`` is time weighted with the guest's share, ``busy_s`` also with its CPU activity
    while it is at the source; what it does at the target is of no account to a migration.
    """

    elapsed_s: float
    transfer_s: float
    ran_s: float
    busy_s: float


@dataclass(frozen=True)
class MigrationEnd:
    """How the steps ended by themselves: whether the VM moved and what was done about convergence.

    ``reaction`` is empty if the rest fitted the downtime target.
    """

    moved: bool
    reaction: str = ""
    reason: str = ""


MigrationSteps: TypeAlias = Generator[Step, Measured, MigrationEnd]


class Phase(NamedTuple):
    """A completed step, for a timeline; ``sent_bytes`` went over the network."""

    name: str
    start_s: float
    end_s: float
    sent_bytes: float


class MigrationOutcome(NamedTuple):
    """Outcome of a migration. Times in s, CPU in seconds of the guest's demand.

    ``final_place`` is where the VM is now: ``source``, ``target`` or ``lost``. ``rounds`` counts
    copies of dirtied pages after the first pass while the guest ran. ``source_cpu_s`` and
    ``target_cpu_s`` is work done by the hosts for the migration; ``guest_lost_s`` integrates the
    part of its CPU that the guest was not served, standstill included.
    """

    final_place: str
    reaction: str
    reason: str
    total_s: float
    downtime_s: float
    sent_bytes: float
    rounds: int
    source_cpu_s: float
    target_cpu_s: float
    guest_lost_s: float
    phases: tuple[Phase, ...]

    @property
    def moved(self) -> bool:
        """Whether the VM is at the target."""
        return self.final_place == "target"

    @property
    def energy_j(self) -> float:
        """Energy attributed to both hosts by Liu et al. (2011)."""
        return liu_energy_j(self.sent_bytes)


def liu_energy_j(sent_bytes: Amount) -> Amount:
    """Return ``0.512 J/MB * V + 20.165 J`` for both hosts together, V in 10^6 bytes.

    Liu et al., HPDC 2011, for two equal hosts; the coefficients were confirmed in other code,
    not in the paper itself.
    """
    energy_j: Amount = LIU_J_PER_MB * sent_bytes / 1e6 + LIU_J
    return energy_j


class MigrationTotals:
    """Sums the steps of one migration."""

    def __init__(self, now_s: float) -> None:
        self._start_s = now_s
        self._phases: list[Phase] = []
        self._downtime_s = self._sent_bytes = 0.0
        self._source_s = self._target_s = self._lost_s = 0.0
        self._rounds = 0

    def add(self, step: Step, start_s: float, now_s: float, sent_bytes: float) -> None:
        """Count a step, or the part of it that was carried out."""
        elapsed_s = now_s - start_s
        self._phases.append(Phase(step.name, start_s, now_s, sent_bytes))
        if step.beside_bytes:
            sent_bytes += step.beside_bytes * min(1.0, elapsed_s / step.wait_s)
        self._downtime_s += elapsed_s if step.down else 0.0
        self._sent_bytes += sent_bytes
        self._source_s += step.source_share * elapsed_s
        self._target_s += step.target_share * elapsed_s
        self._lost_s += (1.0 - step.guest_share) * elapsed_s
        self._rounds += step.is_round

    def outcome(
        self, now_s: float, final_place: str, reaction: str = "", reason: str = ""
    ) -> MigrationOutcome:
        """Return the sums as of now."""
        return MigrationOutcome(
            final_place,
            reaction,
            reason,
            now_s - self._start_s,
            self._downtime_s,
            self._sent_bytes,
            self._rounds,
            self._source_s,
            self._target_s,
            self._lost_s,
            tuple(self._phases),
        )


def play_alone(
    steps: MigrationSteps, bytes_s: float, latency_s: float = 0.0, activity: float = 1.0
) -> MigrationOutcome:
    """Play steps over a link of their own: each transfer takes ``latency + size / rate``.

    ``activity`` is the part of its vCPUs that the guest uses. What a planner asks before the
    migration, and the closed form that a simulated one on an empty network must meet.
    """
    now_s, tally = 0.0, MigrationTotals(0.0)
    past: Measured | None = None
    while True:
        try:
            step = next(steps) if past is None else steps.send(past)
        except StopIteration as end:
            ending: MigrationEnd = end.value
            final_place = "target" if ending.moved else "source"
            return tally.outcome(now_s, final_place, ending.reaction, ending.reason)
        transfer_s = 0.0
        if step.size_bytes is not None:
            transfer_s = latency_s + step.size_bytes / min(bytes_s, step.cap_bytes_s)
        elapsed_s = step.wait_s + transfer_s
        tally.add(step, now_s, now_s + elapsed_s, step.size_bytes or 0.0)
        now_s += elapsed_s
        ran_s = step.guest_share * elapsed_s
        past = Measured(elapsed_s, transfer_s, ran_s, activity * ran_s)
