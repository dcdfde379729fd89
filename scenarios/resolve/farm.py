"""Resolve host groups to the columns of a farm.

What a group leaves open comes from the catalogue or the hypervisor: memory, power curve, time to
boot, sleep states. Hosts are numbered group after group, or one of each in turn.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.hardware.power_curves import PowerBank, PowerModel, adjusted
from ...models.hardware.sleep_states import SLEEP_STATES, SleepStates, sleep_figures
from ...models.hypervisor.overheads import Platform
from ...models.state.columns import Hosts
from ..equipment.servers import InlineServer
from ..equipment.sleep import SleepPart
from ..language.names import Numbered
from ..spec.farm import FarmPart, HostGroup


@dataclass(frozen=True)
class SleepModel:
    """One sleep state of one group of hosts; power in W, times in s."""

    state_w: float
    enter_s: float
    enter_w: float
    leave_s: float
    leave_w: float


@dataclass(frozen=True)
class HostModel:
    """One group of hosts with catalogue data resolved.

    ``memory_mib`` is what VMs may be promised: without what the hypervisor takes for itself,
    times the overcommit.
    """

    name: str
    server: str
    source: str
    hypervisor: str
    cores: int
    core_mhz: float
    cpu_mhz: float
    memory_mib: float
    power: PowerModel
    off_w: float
    boot_s: float
    boot_w: float
    stop_s: float
    stop_w: float
    sleep: dict[str, SleepModel]
    extra_w: float = 0.0
    """What hosts draw beyond their curve at every load; ``power`` includes it."""
    performance: float = 1.0
    """Work per MHz against the reference; ``core_mhz`` and ``cpu_mhz`` include it."""
    boots_as_hypervisor: bool = False
    """Whether the time to boot is the hypervisor's, not one that the scenario gives."""
    in_service: bool = True
    cpu_ceiling: float = 1.0
    memory_ceiling: float = 1.0
    host_names: tuple[str, ...] | None = None
    """Names of the hosts; None: made of that of the group."""


def host_model(group: HostGroup, platform: Platform, factor: float = 1.0) -> HostModel:
    """Return what the hosts of a group are made of, on a platform.

    ``factor`` is that of the farm's calibration: power is ``factor * (curve + extra power)``.

    Memory is without what the hypervisor takes for itself, times the overcommit. A boot time that
    the scenario does not give is the hypervisor's, where that has one.
    """
    server = platform.server
    own = group.server.power if isinstance(group.server, InlineServer) else server.power
    power = adjusted(group.power or own, group.extra_power, factor)
    idle_w, full_w = power.watts(np.array([0.0, 1.0])).tolist()
    boot, stop = group.boot, group.shutdown
    boots_as_hypervisor = (
        "boot" not in group.model_fields_set and platform.hypervisor.host_boot_s > 0
    )
    boot_s = platform.hypervisor.host_boot_s if boots_as_hypervisor else boot.duration
    free_mib = platform.memory_mib - platform.base_mib
    return HostModel(
        name=group.name,
        server=server.id,
        source=server.source,
        hypervisor=platform.hypervisor.name,
        cores=server.cores,
        core_mhz=server.core_mhz,
        cpu_mhz=server.cpu_mhz * (1.0 + group.smt_gain),
        memory_mib=max(free_mib, 0.0) * group.memory_overcommit,
        power=power,
        off_w=group.off_power,
        boot_s=boot_s,
        boot_w=full_w if boot.power is None else boot.power,
        stop_s=stop.duration,
        stop_w=idle_w if stop.power is None else stop.power,
        sleep=sleep_models(group, idle_w, full_w),
        extra_w=group.extra_power,
        performance=group.performance,
        boots_as_hypervisor=boots_as_hypervisor,
        in_service=group.in_service,
        cpu_ceiling=group.ceilings.cpu,
        memory_ceiling=group.ceilings.memory,
        host_names=group.names,
    )


def sleep_models(group: HostGroup, idle_w: float, full_w: float) -> dict[str, SleepModel]:
    """Return the sleep states of a group, except off, given its idle and full power."""
    parts = group.sleep
    if parts is None:
        parts = tuple(SleepPart(state=state) for state in SLEEP_STATES[1:])
    return {part.state: _sleep_model(part, idle_w, full_w) for part in parts}


def _sleep_model(part: SleepPart, idle_w: float, full_w: float) -> SleepModel:
    """Return one sleep state of a group: as written, else the figures of docs/power.md."""
    usual = sleep_figures()[part.state]
    entry, leaving = part.entry, part.exit
    return SleepModel(
        state_w=usual.watts(idle_w) if part.power is None else part.power,
        enter_s=usual.enter_s.typical if entry is None else entry.duration,
        enter_w=idle_w if entry is None or entry.power is None else entry.power,
        leave_s=usual.leave_s.typical if leaving is None else leaving.duration,
        leave_w=full_w if leaving is None or leaving.power is None else leaving.power,
    )


def build_hosts(farm: FarmPart, models: list[HostModel]) -> Hosts:
    """Return the columns of all hosts, in the order that the scenario wants.

    ``models`` are those of the groups.

    The result has state and occupancy of hosts that no run has touched.
    """
    counts = np.array([group.count for group in farm.hosts])
    return columns(models, numbering(counts, farm.order), counts)


def numbering(counts: Ints, order: str) -> Ints:
    """Return the group of each host (hosts,): group after group, or one of each in turn."""
    grouped = np.repeat(np.arange(len(counts)), counts)
    if order == "grouped":
        return grouped
    turn = np.concatenate([np.arange(count) for count in counts])
    return grouped[np.argsort(turn, kind="stable")]


def columns(models: list[HostModel], group: Ints, counts: Ints) -> Hosts:
    """Return host columns for hosts of the given groups.

    ``models`` and ``counts`` have an entry per group, ``group`` (hosts,) the group of each host.
    Equal power models are kept once.
    """
    distinct: list[PowerModel] = []
    for model in models:
        if model.power not in distinct:
            distinct.append(model.power)
    power_of_group = np.array([distinct.index(model.power) for model in models])

    def column(attribute: str) -> Floats:
        """Return an attribute of the models as a column of hosts."""
        return np.array([float(getattr(model, attribute)) for model in models])[group]

    hosts = Hosts(
        cpu_mhz=column("cpu_mhz"),
        core_mhz=column("core_mhz"),
        memory_mib=column("memory_mib"),
        group=group,
        power=PowerBank(distinct, power_of_group[group]),
        off_w=column("off_w"),
        boot_s=column("boot_s"),
        boot_w=column("boot_w"),
        stop_s=column("stop_s"),
        stop_w=column("stop_w"),
        names=HostNames([(model.name, model.host_names) for model in models], group, counts),
        group_names=[model.name for model in models],
        server_names=[model.server for model in models],
        sleep=sleep_states([model.sleep for model in models]),
    )
    hosts.in_service[:] = column("in_service") > 0
    hosts.cpu_ceiling[:] = column("cpu_ceiling")
    hosts.memory_ceiling[:] = column("memory_ceiling")
    return hosts


def sleep_states(groups: list[dict[str, SleepModel]]) -> SleepStates:
    """Return the sleep states of all groups as arrays by state and group.

    Entries of states that a group does not have are 0 and marked as not available.
    """
    states = SleepStates.none(len(groups))
    columns = {
        name: np.zeros((len(SLEEP_STATES), len(groups))) for name in SleepModel.__dataclass_fields__
    }
    for index, rests in enumerate(groups):
        for state, model in rests.items():
            sleep_state = SLEEP_STATES.index(state)
            states.available[sleep_state, index] = True
            for name, column in columns.items():
                column[sleep_state, index] = getattr(model, name)
    return SleepStates(states.available, **columns)


def host_names(farm: FarmPart) -> list[str]:
    """Return the names of all hosts, in the order that the scenario wants.

    A host is called as the scenario says, else by its group and its number within that.
    """
    counts = np.array([group.count for group in farm.hosts])
    groups = [(group.name, group.names) for group in farm.hosts]
    return HostNames(groups, numbering(counts, farm.order), counts)


def named_hosts(patterns: Sequence[str], names: Sequence[str]) -> Bools:
    """Return which hosts any of some shell patterns names, as a mask over ``names``."""
    return np.array(
        [any(fnmatchcase(name, pattern) for pattern in patterns) for name in names], bool
    )


class HostNames(list[str]):
    """Names of hosts: those listed, else the group's name and the number within the group."""

    def __init__(
        self, groups: Sequence[tuple[str, Sequence[str] | None]], group: Ints, counts: Ints
    ) -> None:
        """Make the names of hosts.

        ``groups`` has the name of each group and the names of its hosts, None where these are
        numbered; ``group`` (hosts,) is the group of each host, ``counts`` the hosts of each group.
        """
        makers: list[Sequence[str]] = [
            Numbered(name, int(count)) if names is None else names
            for (name, names), count in zip(groups, counts, strict=True)
        ]
        rank = np.empty(len(group), np.int64)
        for index in range(len(groups)):
            own = np.flatnonzero(group == index)
            rank[own] = np.arange(len(own))
        super().__init__(
            makers[each][number] for each, number in zip(group.tolist(), rank.tolist(), strict=True)
        )
