"""Migration at a fixed rate: duration, and load on guest and hosts.

A model turns a set of migrations into :class:`Phases`. The engine plays the phases and knows
nothing of memory pages, so a model that iterates over rounds replaces the one below by
returning more phases.
"""

from collections.abc import Sequence
from dataclasses import field, fields
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ..base.arrays import Floats, Ints
from ..base.lazy_dataclass import dataclass
from ..base.named_classes import NamedClasses
from ..base.parameters import parameter
from .course import Guest, MigrationEnd, MigrationSteps, Step
from .dirty_pages import BYTES_PER_MEGABIT

if TYPE_CHECKING:
    from ..farm.farm import Farm

MEGABIT_PER_MIB = 1024 * 1024 * 8 / 1e6


class Played(NamedTuple):
    """What migrations have done, one entry each; see :class:`.course.MigrationOutcome`.

    ``downtime_s`` is NaN where no phase says that the guest is stopped: the model knows none.
    """

    copied_mib: Floats
    downtime_s: Floats
    source_cpu_s: Floats
    target_cpu_s: Floats
    guest_lost_s: Floats


@dataclass(frozen=True)
class Phases:
    """The phases of some migrations; arrays but ``copied_mib`` have shape (migrations, phases).

    In a phase of ``duration_s`` a guest keeps ``guest_share`` of its CPU and asks its host for no
    more (0: it is stopped); the copy asks the target for ``target_share`` and the source for
    ``source_share`` of the guest's demand besides their guests (absent: nothing of the source);
    ``copied_mib`` is what crosses the network in all.
    """

    duration_s: Floats
    guest_share: Floats
    target_share: Floats
    copied_mib: Floats
    source_share: Floats = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        if not self.source_share.size:
            object.__setattr__(self, "source_share", np.zeros_like(self.guest_share))

    @classmethod
    def joined(cls, parts: Sequence["Phases"]) -> "Phases":
        """Return the phases of some migrations after those of others, as many for each."""
        names = [each.name for each in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def select(self, rows: Ints) -> "Phases":
        """Return the phases of some of the migrations."""
        return Phases(*(getattr(self, each.name)[rows] for each in fields(self)))

    def played(self, elapsed_s: float) -> "Played":
        """Return what migrations have done so long after they began."""
        ends_s = np.cumsum(self.duration_s, axis=1)
        spent_s = np.clip(elapsed_s - (ends_s - self.duration_s), 0.0, self.duration_s)
        whole_s = ends_s[:, -1]
        part = np.ones(len(whole_s))
        np.divide(spent_s.sum(axis=1), whole_s, out=part, where=whole_s > 0)
        stands = self.guest_share == 0.0
        downtime_s = np.where(stands, spent_s, 0.0).sum(axis=1)
        return Played(
            self.copied_mib * part,
            np.where(stands.any(axis=1), downtime_s, np.nan),
            (self.source_share * spent_s).sum(axis=1),
            (self.target_share * spent_s).sum(axis=1),
            ((1.0 - self.guest_share) * spent_s).sum(axis=1),
        )

    def shares(self, phase: int) -> tuple[Floats, Floats, Floats]:
        """Return guest, source and target share of every migration in one phase."""
        parts = self.guest_share, self.source_share, self.target_share
        guest, source, target = (part[:, phase] for part in parts)
        return guest, source, target


@runtime_checkable
class MigrationModel(Protocol):
    """Anything that can say how a set of migrations will go."""

    def schedule(self, farm: "Farm", vms: Ints, targets: Ints) -> Phases:
        """Return the phases of migrating each VM to the target at the same position."""
        ...


@dataclass(frozen=True)
class FixedRate:
    """One copy of the memory at a fixed rate: ``duration = memory / (share * bandwidth)``.

    The model of Beloglazov and Buyya (2012) and of CloudSim, where the share is a half, the
    guest loses 10 % of its CPU during the copy and the target carries 10 % of its demand. What
    the guest loses the copy takes, at the source, so the source is as busy as before.
    """

    FORMER_FIELDS: ClassVar = {"share": "bandwidth_share"}

    bandwidth_mbps: float = parameter(
        "Network bandwidth between two hosts.", 1000.0, key="bandwidth", dimension="bandwidth", gt=0
    )
    bandwidth_share: float = parameter(
        "Part of the bandwidth that a migration gets.", 0.5, dimension="share", gt=0, le=1
    )
    guest_loss: float = parameter(
        "Part of its CPU that the guest loses during the copy.", 0.1, dimension="share", ge=0, le=1
    )
    target_load: float = parameter(
        "CPU load of the copy on the target, as a share of the guest's demand.",
        0.1,
        dimension="share",
        ge=0,
        le=1,
    )

    def steps(self, guest: Guest) -> MigrationSteps:
        """Yield one wait, beside the migrations of other models over their network."""
        bytes_s = self.max_mbps * BYTES_PER_MEGABIT
        yield Step(
            "copy",
            wait_s=guest.memory_bytes / bytes_s,
            guest_share=1.0 - self.guest_loss,
            source_share=self.guest_loss,
            target_share=self.target_load,
            beside_bytes=guest.memory_bytes,
        )
        yield Step("arrive", arrived=True)
        return MigrationEnd(moved=True)

    @property
    def max_mbps(self) -> float:
        """What a migration takes of the network."""
        return self.bandwidth_share * self.bandwidth_mbps

    def schedule(self, farm: "Farm", vms: Ints, targets: Ints) -> Phases:
        """Return one phase per VM, as long as its memory takes to copy."""
        del targets
        memory_mib = farm.vms.memory_mib[vms]
        duration_s = memory_mib * MEGABIT_PER_MIB / self.max_mbps
        shape = (len(vms), 1)
        return Phases(
            duration_s=duration_s[:, None],
            guest_share=np.full(shape, 1.0 - self.guest_loss),
            source_share=np.full(shape, self.guest_loss),
            target_share=np.full(shape, self.target_load),
            copied_mib=memory_mib.copy(),
        )


@dataclass(frozen=True)
class PortedRate:
    """Migrations at a fixed rate whose bytes cross ports that others share.

    The rate is what each gets at the most: a port of 10 Gbit/s never carries more than that,
    however many migrations it serves.
    """

    model: FixedRate

    def steps(self, guest: Guest) -> MigrationSteps:
        """Yield one transfer, at the model's rate or at what its route has left."""
        model = self.model
        yield Step(
            "copy",
            size_bytes=guest.memory_bytes,
            cap_bytes_s=model.max_mbps * BYTES_PER_MEGABIT,
            guest_share=1.0 - model.guest_loss,
            source_share=model.guest_loss,
            target_share=model.target_load,
        )
        yield Step("arrive", arrived=True)
        return MigrationEnd(moved=True)


MIGRATION_MODELS = NamedClasses(
    __package__,
    {
        "fixed_rate": "fixed_rate:FixedRate",
        "cold": "suspend_resume:Cold",
        "suspend_resume": "suspend_resume:SuspendResume",
        "pre_copy": "pre_copy:PreCopy",
        "post_copy": "post_copy:PostCopy",
        "hybrid": "post_copy:Hybrid",
    },
)
"""Models of migrations, each imported when it is asked for."""
