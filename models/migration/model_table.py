"""Which model a migration follows, by the VM, the hosts that it leaves and where it goes.

A VM moves by its own model, else by that of the hypervisor that it leaves. Where the two ends
are no platforms of one kind it is converted, or restarted where only the CPU differs; where
neither is to be had the migration is impossible, and the reason is kept.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np

from ..base.arrays import Bools, Ints
from ..base.lazy_dataclass import dataclass
from ..base.named_classes import name_of
from .conversion import Conversion, MigrationPlatform, NoConversion, platform_change
from .course import Guest, MigrationSteps
from .fixed_rate import MIGRATION_MODELS, FixedRate, MigrationModel, Phases, PortedRate
from .suspend_resume import Cold, Handover, MemoryHandover

if TYPE_CHECKING:
    from ..farm.farm import Farm

T = TypeVar("T")


@runtime_checkable
class StepwiseModel(Protocol):
    """A migration model that yields steps and has no clock."""

    def steps(self, guest: Guest) -> MigrationSteps:
        """Yield the steps of migrating a guest."""
        ...


Model: TypeAlias = MigrationModel | StepwiseModel


@dataclass(frozen=True)
class GroupEndpoint:
    """What a group of hosts is to migrations from and to it.

    ``model`` is how guests leave it, ``device`` that they hold a passthrough device there, and
    ``detachable`` that this may be taken from them for a migration.
    """

    platform: MigrationPlatform
    model: Model
    device: bool = False
    detachable: bool = False


@dataclass(frozen=True)
class ModelChoice:
    """The model of a migration, or why there is none."""

    model: Model | None
    reason: str = ""


def choose_model(
    own: Model | None,
    source: GroupEndpoint,
    target: GroupEndpoint,
    conversion: Conversion | NoConversion,
) -> ModelChoice:
    """Return how a VM with a model of its own, or none, gets from one end to another."""
    model = own or source.model
    change = platform_change(source.platform, target.platform)
    if change.kind == "refused":
        return ModelChoice(None, change.reason)
    if change.kind == "convert":
        return _converted(change.reason, conversion)
    if isinstance(model, Cold):
        return ModelChoice(model)
    if change.kind == "cold":
        return _restarted(model, change.reason, conversion)
    return _detached(model, source)


def _converted(why: str, conversion: Conversion | NoConversion) -> ModelChoice:
    """Return the model of a VM that has to be converted, and ``why`` it has to be."""
    if isinstance(conversion, NoConversion):
        return ModelChoice(None, f"{why}, and conversion is none")
    assert isinstance(conversion, StepwiseModel)
    return ModelChoice(conversion)


def _restarted(model: Model, why: str, conversion: Conversion | NoConversion) -> ModelChoice:
    """Return a cold restart at the target, with the storage of the model that it replaces."""
    if isinstance(conversion, NoConversion):
        return ModelChoice(None, f"{why}, and conversion is none")
    return ModelChoice(
        conversion.restart(model.storage if isinstance(model, Handover) else "shared")
    )


def _detached(model: Model, source: GroupEndpoint) -> ModelChoice:
    """Return the model itself, unless a passthrough device holds the VM where it is."""
    if source.device and not source.detachable:
        return ModelChoice(None, "its passthrough device is not to be detached")
    if source.device and not isinstance(model, MemoryHandover):
        return ModelChoice(None, f"{_name_of(model)} does not detach passthrough devices")
    return ModelChoice(model)


def _name_of(model: Model) -> str:
    """Return the name of a model in a scenario, or of its class."""
    return name_of(type(model), MIGRATION_MODELS) or type(model).__name__


class MigrationModels:
    """The models of all migrations of a farm, a table over kinds of VMs and of groups of hosts.

    Sizes of VM and groups of hosts are rows, as in the columns of the farm.
    """

    def __init__(
        self,
        own: Sequence[Model | None],
        ends: Sequence[GroupEndpoint],
        conversion: Conversion | NoConversion,
        ported: bool = False,
    ) -> None:
        """Choose for every size, with its own model or None, between every two groups.

        With ``ported`` migrations at a fixed rate share ports and places with all others. Raises
        ValueError if a model that only knows durations is not the only one.
        """
        self._ported = ported
        owns, self._own_of_size = _distinct(own)
        kinds, self._endpoint_of_group = _distinct(ends)
        self._device = np.array([end.device for end in ends], bool)
        made = [
            choose_model(model, source, target, conversion)
            for model in owns
            for source in kinds
            for target in kinds
        ]
        choices, rows = _distinct(made)
        self._choices = choices
        self._row = rows.reshape(len(owns), len(kinds), len(kinds))
        self._is_possible = np.array([choice.model is not None for choice in choices])
        self._models = [choice.model for choice in choices if choice.model is not None]
        self._stepwise_models = [self._stepwise(choice.model) for choice in choices]
        self._knows_downtime = [not _knows_durations(choice.model) for choice in choices]
        self._takes_place = [ported or known for known in self._knows_downtime]
        self.uses_network = ported or not all(_knows_durations(model) for model in self._models)
        for model in self._models:
            alone = len(self._models) == 1 or isinstance(model, FixedRate)
            if not isinstance(model, StepwiseModel) and ported:
                raise ValueError(
                    f"{type(model).__name__} gives durations and no steps; nothing of a network "
                    "can hold for its migrations"
                )
            if not isinstance(model, StepwiseModel) and not alone:
                raise ValueError(
                    f"{type(model).__name__} gives durations and no steps; such a model must be "
                    "the only one"
                )

    @classmethod
    def only(cls, model: Model, sizes: int, groups: int) -> "MigrationModels":
        """Return one model for all migrations of a farm of one platform."""
        end = GroupEndpoint(MigrationPlatform("ideal"), model)
        return cls([None] * sizes, [end] * groups, NoConversion())

    def possible(self, sizes: Ints, sources: Ints, targets: Ints) -> Bools:
        """Return which migrations can be, given a size of VM and two groups of hosts of each."""
        found: Bools = self._is_possible[self._rows(sizes, sources, targets)]
        return found

    def reason(self, size: int, source: int, target: int) -> str:
        """Return why a migration cannot be; empty if it can."""
        return self._choice(size, source, target).reason

    def table(self) -> Bools | None:
        """Return which migrations can be: (sizes, groups left, groups gone to); None if all can."""
        if self._is_possible.all():
            return None
        at, ends = self._own_of_size, self._endpoint_of_group
        found: Bools = self._is_possible[self._row[np.ix_(at, ends, ends)]]
        return found

    def of(self, size: int, source: int, target: int) -> Model | None:
        """Return the model of a migration, None where it cannot be."""
        return self._choice(size, source, target).model

    def _stepwise(self, model: Model | None) -> StepwiseModel | None:
        """Return a model as one that asks for steps; None if it cannot."""
        if isinstance(model, FixedRate) and self._ported:
            return PortedRate(model)
        return model if isinstance(model, StepwiseModel) else None

    def takes_place(self, size: int, source: int, target: int) -> bool:
        """Return whether a migration counts where migrations at a time are limited."""
        return self._takes_place[self._at(size, source, target)]

    def knows_downtime(self, size: int, source: int, target: int) -> bool:
        """Return whether the model of a migration says how long its guest is stopped."""
        return self._knows_downtime[self._at(size, source, target)]

    def steps(self, guest: Guest, size: int, source: int, target: int) -> MigrationSteps:
        """Return the steps of a possible migration of a VM of a size between two groups."""
        model = self._stepwise_models[self._at(size, source, target)]
        assert model is not None
        held, given = self._device.item(source), self._device.item(target)
        if held or given:
            guest = replace(guest, passthrough=held, takes_device=given)
        return model.steps(guest)

    def schedule(self, farm: "Farm", vms: Ints, targets: Ints) -> Phases:
        """Return the phases of migrations that are possible, where none uses the network."""
        if len(self._choices) == 1:
            return _durations_of(self._choices[0], farm, vms, targets)
        hosts, size = farm.hosts.group, farm.vms.size[vms]
        rows = self._rows(size, hosts[farm.vms.host[vms]], hosts[targets])
        parts = [np.flatnonzero(rows == row) for row in np.unique(rows).tolist()]
        made = [
            _durations_of(self._choices[rows[part[0]]], farm, vms[part], targets[part])
            for part in parts
        ]
        return Phases.joined(made).select(np.argsort(np.concatenate(parts)))

    def _rows(self, sizes: Ints, sources: Ints, targets: Ints) -> Ints:
        """Return the rows of choices of many migrations."""
        own, end = self._own_of_size, self._endpoint_of_group
        rows: Ints = self._row[own[sizes], end[sources], end[targets]]
        return rows

    def _choice(self, size: int, source: int, target: int) -> ModelChoice:
        """Return what was chosen for a size of VM between two groups of hosts."""
        return self._choices[self._at(size, source, target)]

    def _at(self, size: int, source: int, target: int) -> int:
        """Return the row of that choice."""
        own, end = self._own_of_size.item, self._endpoint_of_group.item
        return int(self._row.item(own(size), end(source), end(target)))


def _knows_durations(model: Model | None) -> bool:
    """Whether a model knows durations and nothing of standstills; so does none at all."""
    return isinstance(model, FixedRate) or not isinstance(model, StepwiseModel)


def _durations_of(choice: ModelChoice, farm: "Farm", vms: Ints, targets: Ints) -> Phases:
    """Return the phases of migrations that follow one model of durations."""
    assert isinstance(choice.model, MigrationModel)
    return choice.model.schedule(farm, vms, targets)


def _distinct(things: Sequence[T]) -> tuple[list[T], Ints]:
    """Return the things that differ, and for each thing which of them it equals."""
    found: list[T] = []
    rows = []
    for thing in things:
        if thing not in found:
            found.append(thing)
        rows.append(found.index(thing))
    return found, np.array(rows, np.int64)
