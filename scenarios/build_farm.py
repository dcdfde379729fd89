"""Host groups of a scenario become the columns of a farm."""

from dataclasses import dataclass

import numpy as np

from ..models.arrays import Floats, Ints
from ..models.catalogue import servers
from ..models.columns import Hosts
from ..models.power import PowerBank, PowerModel
from .names import Numbered
from .spec_farm import FarmPart, HostGroup, InlineServer


@dataclass(frozen=True)
class HostModel:
    """What one group of hosts is made of, after the catalogue has been consulted."""

    name: str
    server: str
    source: str
    cores: int
    core_mhz: float
    memory_mib: float
    power: PowerModel
    off_w: float
    boot_s: float
    boot_w: float
    stop_s: float
    stop_w: float

    @property
    def cpu_mhz(self) -> float:
        """Capacity of all cores together."""
        return self.cores * self.core_mhz


def host_model(group: HostGroup) -> HostModel:
    """Return what the hosts of a group are made of."""
    if isinstance(group.server, InlineServer):
        inline = group.server
        server, source = "inline", "scenario"
        cores, core_mhz, memory_mib = inline.cores, inline.clock, inline.memory
        power = inline.power
    else:
        entry = servers()[group.server]
        server, source = entry.id, entry.source
        cores, core_mhz, memory_mib = entry.cores, entry.core_mhz, entry.memory_mib
        power = entry.power
    power = group.power or power
    idle_w, full_w = power.watts(np.array([0.0, 1.0])).tolist()
    boot, stop = group.boot, group.shutdown
    return HostModel(
        name=group.name, server=server, source=source, cores=cores, core_mhz=core_mhz,
        memory_mib=group.memory or memory_mib, power=power, off_w=group.off_power,
        boot_s=boot.duration, boot_w=full_w if boot.power is None else boot.power,
        stop_s=stop.duration, stop_w=idle_w if stop.power is None else stop.power,
    )  # fmt: skip


def build_hosts(farm: FarmPart) -> Hosts:
    """Return the columns of all hosts, in the order that the scenario wants."""
    models = [host_model(group) for group in farm.hosts]
    counts = np.array([group.count for group in farm.hosts])
    return columns(models, numbering(counts, farm.order), counts)


def numbering(counts: Ints, order: str) -> Ints:
    """Return the group of each host: group after group, or one of each in turn."""
    grouped = np.repeat(np.arange(len(counts)), counts)
    if order == "grouped":
        return grouped
    turn = np.concatenate([np.arange(count) for count in counts])
    return grouped[np.argsort(turn, kind="stable")]


def columns(models: list[HostModel], group: Ints, counts: Ints) -> Hosts:
    """Return host columns for hosts of the given groups."""
    distinct: list[PowerModel] = []
    for model in models:
        if model.power not in distinct:
            distinct.append(model.power)
    power_of_group = np.array([distinct.index(model.power) for model in models])

    def column(attribute: str) -> Floats:
        return np.array([float(getattr(model, attribute)) for model in models])[group]

    return Hosts(
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
        names=HostNames([model.name for model in models], group, counts),
        group_names=[model.name for model in models],
        server_names=[model.server for model in models],
    )


class HostNames(list[str]):
    """Names of hosts: the group's name and the number within the group."""

    def __init__(self, groups: list[str], group: Ints, counts: Ints) -> None:
        makers = [Numbered(name, int(count)) for name, count in zip(groups, counts, strict=True)]
        rank = np.empty(len(group), np.int64)
        for index in range(len(groups)):
            own = np.flatnonzero(group == index)
            rank[own] = np.arange(len(own))
        super().__init__(
            makers[each][number] for each, number in zip(group.tolist(), rank.tolist(), strict=True)
        )
