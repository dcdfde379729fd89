"""The arrays that planning works on: VMs and hosts of one cluster, and the rules between them."""

from collections.abc import Sequence
from dataclasses import field
from typing import Final

import numpy as np

from ..base.arrays import Bools, Floats, Ints, alike
from ..base.lazy_dataclass import dataclass
from ..hardware.racks_and_sites import numbered

MEMORY, VCPUS, CPU = 0, 1, 2
RESOURCES: Final = ("memory", "vcpus", "cpu")
"""The resources of a plan, in the order of the columns of all needs and rooms."""

TOLERANCE = 1e-9
"""Rounding of sums, relative."""


@dataclass(frozen=True, eq=False)
class PlannedVms:
    """VMs of a plan, one entry per VM.

    ``memory_mib`` is configured memory with what the hypervisor adds. ``cpu_mhz`` is the part of
    each VM in the CPU need of all, which is the 95th percentile of their summed demand: the parts
    add up to it. None: nothing is known of the demand.
    """

    names: Sequence[str]
    vcpus: Ints
    memory_mib: Floats
    cpu_mhz: Floats | None = None

    def __len__(self) -> int:
        return len(self.vcpus)

    def needs(self) -> Floats:
        """Return what each VM needs, (vms, 3) in the order of :data:`RESOURCES`.

        MiB, vCPUs and MHz; a CPU need that is unknown is left out of account, as 0 MHz.
        """
        cpu_mhz = np.zeros(len(self)) if self.cpu_mhz is None else self.cpu_mhz
        return np.column_stack([self.memory_mib, self.vcpus.astype(np.float64), cpu_mhz])

    def scaled_cpu(self, factor: float) -> "PlannedVms":
        """Return the VMs with ``factor`` times their CPU need."""
        cpu_mhz = None if self.cpu_mhz is None else self.cpu_mhz * factor
        return PlannedVms(self.names, self.vcpus, self.memory_mib, cpu_mhz)


@dataclass(frozen=True, eq=False)
class PlannedHosts:
    """Hosts of a plan that are in service, one entry per host.

    ``cpu_mhz`` is capacity (cores x clock x performance), ``memory_mib`` what VMs may use of the
    memory. ``rack`` and ``site`` are positions in the names.
    """

    names: Sequence[str]
    cores: Ints
    cpu_mhz: Floats
    memory_mib: Floats
    rack: Ints
    site: Ints
    rack_names: Sequence[str] = ("rack-1",)
    site_names: Sequence[str] = ("site-1",)

    def __len__(self) -> int:
        return len(self.cores)

    def amounts(self) -> Floats:
        """Return usable memory in MiB, cores and CPU in MHz, (hosts, 3)."""
        return np.column_stack([self.memory_mib, self.cores.astype(np.float64), self.cpu_mhz])

    def largest(self) -> "PlannedHosts":
        """Return one host with the most of each resource that any host has."""
        memory_mib, cores, cpu_mhz = self.amounts().max(axis=0).tolist()
        return equal_hosts(1, int(cores), cpu_mhz, memory_mib)

    def domain(self, level: str) -> Ints:
        """Return the domain of each host at the level ``host``, ``rack`` or ``site``."""
        at: dict[str, Ints] = {"rack": self.rack, "site": self.site}
        return at.get(level, np.arange(len(self)))


def equal_hosts(
    count: int, cores: int, cpu_mhz: float, memory_mib: float, hosts_per_rack: int | None = None
) -> PlannedHosts:
    """Return ``count`` equal hosts ``host-1`` and so on, at one site.

    ``cpu_mhz`` and ``memory_mib`` are those of one host, as in :class:`PlannedHosts`. Without
    ``hosts_per_rack`` all stand in one rack.
    """
    rack = np.arange(count) // (hosts_per_rack or max(count, 1))
    racks = int(rack.max(initial=0)) + 1
    return PlannedHosts(
        [numbered("host", number, count) for number in range(1, count + 1)],
        np.full(count, cores, np.int64),
        np.full(count, float(cpu_mhz)),
        np.full(count, float(memory_mib)),
        rack,
        np.zeros(count, np.int64),
        [numbered("rack", number, racks) for number in range(1, racks + 1)],
    )


@dataclass(frozen=True, eq=False)
class SpreadRule:
    """At most ``at_most`` of some VMs (rows) share a domain; 1 keeps them apart."""

    name: str
    vms: Ints
    level: str = "host"
    at_most: int = 1

    @property
    def domains(self) -> int:
        """The number of domains that its VMs take at the least."""
        return -(-len(self.vms) // self.at_most)


@dataclass(frozen=True, eq=False)
class PlannedFarm:
    """VMs, hosts and rules of one cluster.

    ``home`` (vms,) is the host of each VM as it stands, -1 where it has none. ``together`` lists
    VMs (rows) that share a host. ``places`` says which hosts are open to each class of VMs,
    (classes, hosts), and ``place_class`` is the class of each VM; absent, all are open.
    ``left_out`` names rules that planning does not keep.
    """

    name: str
    vms: PlannedVms
    hosts: PlannedHosts
    home: Ints
    spread: Sequence[SpreadRule] = ()
    together: Sequence[Ints] = ()
    place_class: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    places: Bools = field(default_factory=lambda: np.ones((1, 0), bool))
    left_out: Sequence[str] = ()

    def on(self, hosts: PlannedHosts) -> "PlannedFarm":
        """Return the VMs and their rules before they are placed, on other hosts.

        Fences name hosts that are not there any more: all new hosts are open to all VMs.
        """
        return PlannedFarm(
            self.name,
            self.vms,
            hosts,
            np.full(len(self.vms), -1),
            self.spread,
            self.together,
            left_out=self.left_out,
        )

    def on_same_hosts_anew(self) -> "PlannedFarm":
        """Return the farm with no VM placed yet, on the same hosts."""
        return self.with_vms(self.vms, np.full(len(self.vms), -1))

    def with_vms(self, vms: PlannedVms, home: Ints) -> "PlannedFarm":
        """Return the farm with other VMs behind the present ones, or the same elsewhere.

        The first VMs are those of this farm, in the same order; further ones are in no rule.
        """
        more = len(vms) - len(self.vms)
        place_class, places = self.open_hosts()
        if more and not places[0].all():
            places = np.vstack([places, np.ones((1, len(self.hosts)), bool)])
            place_class = np.append(place_class, np.full(more, len(places) - 1))
        else:
            place_class = np.append(place_class, np.zeros(more, np.int64))
        return PlannedFarm(
            self.name,
            vms,
            self.hosts,
            home,
            self.spread,
            self.together,
            place_class,
            places,
            self.left_out,
        )

    def in_order(self) -> "PlannedFarm":
        """Return the farm with VMs and hosts in the order of their names.

        Ties are broken by row; in this order an answer does not depend on the order of a file. VMs
        of one name are told apart by what they need.
        """
        names = np.array(self.hosts.names, dtype=object)
        amounts = self.hosts.amounts()
        hosts = np.array(
            sorted(range(len(names)), key=lambda row: (names[row], *amounts[row].tolist())),
            np.int64,
        )
        place = np.append(np.argsort(hosts), -1)
        needs, at = self.vms.needs().tolist(), place[self.home].tolist()
        order = sorted(range(len(at)), key=lambda vm: (self.vms.names[vm], *needs[vm], at[vm]))
        return self.ordered(np.array(order, np.int64), hosts)

    def ordered(self, vms: Ints, hosts: Ints) -> "PlannedFarm":
        """Return the farm with its VMs and hosts in the order of some rows, all of them once."""
        at, place = np.argsort(vms), np.append(np.argsort(hosts), -1)
        place_class, places = self.open_hosts()
        cpu_mhz = self.vms.cpu_mhz
        return PlannedFarm(
            self.name,
            PlannedVms(
                [self.vms.names[vm] for vm in vms.tolist()],
                self.vms.vcpus[vms],
                self.vms.memory_mib[vms],
                None if cpu_mhz is None else cpu_mhz[vms],
            ),
            PlannedHosts(
                [self.hosts.names[host] for host in hosts.tolist()],
                self.hosts.cores[hosts],
                self.hosts.cpu_mhz[hosts],
                self.hosts.memory_mib[hosts],
                self.hosts.rack[hosts],
                self.hosts.site[hosts],
                self.hosts.rack_names,
                self.hosts.site_names,
            ),
            place[self.home[vms]],
            [
                SpreadRule(rule.name, np.sort(at[rule.vms]), rule.level, rule.at_most)
                for rule in self.spread
            ],
            [np.sort(at[rule]) for rule in self.together],
            place_class[vms],
            places[:, hosts],
            self.left_out,
        )

    def open_hosts(self) -> tuple[Ints, Bools]:
        """Return the class of each VM and the hosts that are open to each class."""
        if len(self.place_class):
            return self.place_class, self.places
        return np.zeros(len(self.vms), np.int64), np.ones((1, len(self.hosts)), bool)


@dataclass(frozen=True, eq=False)
class Items:
    """What is placed as a whole: single VMs, and VMs that rules keep together.

    ``members`` are the VMs (rows) of each item, ``needs`` their sums (items, 3), ``open`` the class
    of each in ``places``. ``spread`` are rules with items in place of VMs; ``split`` says whether
    some item holds more VMs of a rule than a domain may.
    """

    members: Sequence[Ints]
    needs: Floats
    home: Ints
    open: Ints
    places: Bools
    spread: Sequence[tuple[SpreadRule, Ints]]
    split: bool


def items_of(farm: PlannedFarm, as_placed: bool = False) -> Items:
    """Return the items of a farm, ordered by their first VM.

    ``as_placed``: VMs that a rule keeps together but that stand on different hosts are items of
    each host, since a failure finds them there.
    """
    count = len(farm.vms)
    leader = np.arange(count)
    for rule in farm.together:
        for host in np.unique(farm.home[rule]).tolist() if as_placed else (None,):
            mine = rule if host is None else rule[farm.home[rule] == host]
            joined = np.isin(leader, leader[mine])
            leader[joined] = leader[joined].min()
    first, item = np.unique(leader, return_inverse=True)
    item = item.ravel()
    needs = np.zeros((len(first), len(RESOURCES)))
    np.add.at(needs, item, farm.vms.needs())
    order = np.argsort(item, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(item, minlength=len(first)))[:-1])
    place_class, places = farm.open_hosts()
    opened, places = _opened(members, place_class, places)
    spread = [(rule, item[rule.vms]) for rule in farm.spread]
    split = any(
        int(np.bincount(each).max(initial=0)) > rule.at_most for rule, each in spread if len(each)
    )
    return Items(
        [] if not count else members, needs, farm.home[first], opened, places, spread, split
    )


def _opened(members: Sequence[Ints], place_class: Ints, places: Bools) -> tuple[Ints, Bools]:
    """Return the class of each item and its open hosts, which are open to all of its VMs."""
    if not len(place_class):
        return place_class, places
    opened = np.array([place_class[each[0]] for each in members])
    more = [places]
    count = len(places)
    for row, each in enumerate(members):
        if len(each) > 1 and len(np.unique(place_class[each])) > 1:
            common: Bools = np.logical_and.reduce(places[place_class[each]])
            more.append(common[None, :])
            opened[row], count = count, count + 1
    return opened, np.vstack(more)


def kinds_of(items: Items) -> Ints:
    """Return a number per item, the same for items with equal needs and open hosts."""
    return alike(np.column_stack([items.needs, items.open.astype(np.float64)]))
