"""The VMs at one instant as a packing problem, and a packing by first fit decreasing."""

from collections.abc import Sequence
from dataclasses import field

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, sum_by
from ...models.base.lazy_dataclass import dataclass
from ...models.farm.farm import Farm
from ...models.rules.constraints import BY_HOST_ALONE
from ...models.rules.rules import Rules
from ...models.state.columns import PowerState

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Snapshot:
    """VMs to be packed and the hosts available.

    ``cpu_mhz`` and ``memory_mib`` are what each VM needs on each group of hosts, (vms, groups);
    ``room_mhz`` and ``room_mib`` what hosts have, ``group`` and ``one_guest`` per host (such a
    host holds one VM at most); ``allowed`` which VM may be on which host, (vms, hosts). VMs of a
    list in ``apart`` are on different hosts, those of one in ``together`` on the same. ``home``
    is where VMs are now.
    """

    cpu_mhz: Floats
    memory_mib: Floats
    room_mhz: Floats
    room_mib: Floats
    group: Ints
    one_guest: Bools
    allowed: Bools
    home: Ints
    apart: Sequence[Ints] = field(default=())
    together: Sequence[Ints] = field(default=())

    @classmethod
    def of(
        cls,
        farm: Farm,
        fill: float = 1.0,
        rules: Rules | None = None,
        planned: bool = True,
        closed: Bools | None = None,
    ) -> "Snapshot":
        """Return the VMs on hosts, with what they ask for now, and hosts on or off, none failed.

        ``fill`` is the share of a host's CPU that may be used, within the ceilings of the hosts
        unless not ``planned``; ``closed`` hosts (hosts,) hold no VM. Of the hard ``rules`` those
        that :func:`beyond_program` does not name are kept.
        """
        hosts, layer, vms = farm.hosts, farm.delivery.layer, farm.vms
        rows = np.flatnonzero(vms.host >= 0)
        size, factor = vms.size[rows], layer.work_factor
        core_mhz = np.zeros(factor.shape[1])
        core_mhz[hosts.group] = hosts.core_mhz
        max_mhz = np.minimum(vms.vcpus[rows, None] * core_mhz, layer.limit_mhz[size, None])
        cpu_mhz = np.minimum(vms.demand_mhz[rows, None] * factor[size], max_mhz)
        allowed = layer.allowed[size][:, hosts.group] & (hosts.state != PowerState.FAILED)
        if rules is not None:
            allowed &= rules.places[rules.place_class[rows]]
        if closed is not None:
            allowed &= ~closed
        taken_mhz = layer.base_mhz + layer.app_mhz
        share = np.minimum(fill, hosts.cpu_ceiling) if planned else fill
        return cls(
            cpu_mhz=cpu_mhz,
            memory_mib=vms.memory_mib[rows, None] + layer.extra_mib[size],
            room_mhz=np.maximum(hosts.cpu_mhz * share - taken_mhz[hosts.group], 0.0),
            room_mib=hosts.plan_mib if planned else hosts.memory_mib,
            group=hosts.group,
            one_guest=layer.one_guest[hosts.group],
            allowed=allowed,
            home=vms.host[rows],
            apart=_groups(rules, "apart", rows),
            together=_groups(rules, "together", rows),
        )

    def shortfall_mhz(self) -> float:
        """Return the CPU that VMs need on their present hosts and these do not have, MHz."""
        return float(np.maximum(self._load_mhz() - self.room_mhz, 0.0).sum())

    def overloaded_hosts(self) -> int:
        """Return how many hosts hold VMs that together need more CPU than it may give."""
        over = self._load_mhz() > self.room_mhz * (1 + TOLERANCE) + TOLERANCE
        return int(np.count_nonzero(over))

    def _load_mhz(self) -> Floats:
        """Return what the VMs on each host need of its CPU, MHz."""
        need_mhz = self.cpu_mhz[np.arange(len(self.home)), self.group[self.home]]
        hosts = len(self.room_mhz)
        load_mhz: Floats = sum_by(self.home, weights=need_mhz, minlength=hosts)
        return load_mhz

    def fits(self, home: Ints) -> bool:
        """Whether hosts hold the VMs with each where ``home`` says, and rules are kept.

        CPU and memory with a tolerance of 1e-9; one guest where a host takes no more.

        ``home`` has one row of a host per VM, (vms,), none of them negative.
        """
        vms, hosts = np.arange(len(home)), len(self.room_mhz)
        group = self.group[home]
        cpu_mhz = np.bincount(home, weights=self.cpu_mhz[vms, group], minlength=hosts)
        memory_mib = np.bincount(home, weights=self.memory_mib[vms, group], minlength=hosts)
        guests = np.bincount(home, minlength=hosts)
        return bool(
            np.all(cpu_mhz <= self.room_mhz * (1 + TOLERANCE) + TOLERANCE)
            and np.all(memory_mib <= self.room_mib * (1 + TOLERANCE) + TOLERANCE)
            and np.all(guests[self.one_guest] <= 1)
            and self.allowed[vms, home].all()
            and all(len(np.unique(home[each])) == len(each) for each in self.apart)
            and all(len(np.unique(home[each])) == 1 for each in self.together)
        )


def _groups(rules: Rules | None, kind: str, rows: Ints) -> list[Ints]:
    """Return the places in ``rows`` of the VMs that hard rules of a kind bind to hosts.

    Positions are those of the snapshot, not rows of the farm. Rules with fewer than two VMs on
    hosts bind none.
    """
    found = []
    for rule in rules.all if rules is not None else ():
        places = np.flatnonzero(np.isin(rows, rule.vms))
        if rule.hard and rule.kind == kind and rule.level == "host" and len(places) > 1:
            found.append(places)
    return found


def beyond_program(rules: Rules | None) -> list[str]:
    """Return the names of the hard rules that the optimum leaves out of account.

    Kept are rules that go by hosts alone, and those that keep VMs together on or apart by host.
    """
    kept = ("apart", "together")
    return [
        rule.name
        for rule in (rules.all if rules is not None else ())
        if rule.hard
        and rule.kind not in BY_HOST_ALONE
        and not (rule.kind in kept and rule.level == "host")
    ]


def first_fit_decreasing(snapshot: Snapshot) -> Ints | None:
    """Place VMs by the larger of their shares of CPU and memory; None where one finds no host.

    Hosts are tried from the largest on; rules are kept. Returns the host of each VM.

    For one resource and equal hosts it uses at most 11/9 of the fewest hosts and a constant more
    (Johnson 1973). It may find no placement where there is one, since it never moves a VM again.
    """
    room_mhz, room_mib = snapshot.room_mhz.copy(), snapshot.room_mib.copy()
    free = np.ones(len(room_mhz), bool)
    home = np.full(len(snapshot.home), -1)
    cpu = snapshot.cpu_mhz.min(axis=1) / max(room_mhz.max(), TOLERANCE)
    memory = snapshot.memory_mib.min(axis=1) / max(room_mib.max(), TOLERANCE)
    # Large hosts first: what they are filled with leaves the fewest hosts in use.
    by_size = np.argsort(-room_mhz, kind="stable")
    for vm in np.argsort(-np.maximum(cpu, memory), kind="stable").tolist():
        need_mhz = snapshot.cpu_mhz[vm, snapshot.group]
        need_mib = snapshot.memory_mib[vm, snapshot.group]
        fits = snapshot.allowed[vm] & free & (need_mhz <= room_mhz) & (need_mib <= room_mib)
        fits &= _kept(snapshot, vm, home)
        candidates = by_size[fits[by_size]]
        if not len(candidates):
            return None
        host = int(candidates[0])
        home[vm] = host
        room_mhz[host] -= need_mhz[host]
        room_mib[host] -= need_mib[host]
        free[host] = not snapshot.one_guest[host]
    return home


def _kept(snapshot: Snapshot, vm: int, home: Ints) -> Bools:
    """Return on which hosts a VM keeps the rules, given where others are already."""
    may = np.ones(len(snapshot.room_mhz), bool)
    for rule in snapshot.apart:
        if vm in rule:
            may[home[rule][home[rule] >= 0]] = False
    for rule in snapshot.together:
        taken = home[rule][home[rule] >= 0]
        if vm in rule and len(taken):
            may &= np.arange(len(may)) == taken[0]
    return may
