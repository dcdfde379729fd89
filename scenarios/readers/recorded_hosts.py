"""Where VMs of a table stand as a run begins: their recorded hosts, and what is odd about them."""

from collections.abc import Sequence

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints, sum_by
from ...models.base.lazy_dataclass import dataclass
from ...models.farm.farm import Farm
from ...models.farm.farm_state import MEMORY_TOLERANCE_MIB
from ...models.rules.occupancy import refused
from ...models.rules.rules import Rules
from ..errors.problems import InputError, Problem, refuse
from ..errors.suggest import unknown_name
from .series import listed
from .vms_table import VmsTable, first_problems


@dataclass(frozen=True, eq=False)
class RecordedHosts:
    """The host of each VM (vms,), −1 where none is recorded or it cannot be kept, and notes.

    Notes are sentences for the reader of the report.
    """

    host: Ints
    notes: list[str]


def recorded_hosts(
    table: VmsTable, farm: Farm, clusters: Sequence[str], need_mhz: Floats, room_mhz: Floats
) -> RecordedHosts:
    """Return the recorded hosts of VMs, with notes on those that are not kept or are full.

    VMs whose host is blank, is not in the farm or is not in service have none. CPU never refuses: a
    host whose VMs need more is noted. ``need_mhz`` (vms,) and ``room_mhz`` (hosts,) are as VMs and
    hosts count when VMs are placed. Raises InputError where a VM may not be on its host, where
    memory does not suffice, and where no host is in the farm.
    """
    if "host" not in table.stated:
        message = (
            "has no column 'host', which policies.initial.placement: recorded needs; add it, or "
            "choose another placement"
        )
        raise refuse(f"{table.file.name}:1", message)
    row_of = {name: row for row, name in enumerate(farm.hosts.names)}
    host: Ints = np.array([row_of.get(name, -1) for name in table.host], np.int64)
    blank = np.array([not name for name in table.host])
    unknown = (host < 0) & ~blank
    if unknown.any() and not (host >= 0).any():
        name = table.host[int(np.argmax(unknown))]
        message = f"no host of the column is in the farm; {unknown_name('host', name, row_of)}"
        raise refuse(table.place(int(np.argmax(unknown))), message, "host")
    _refuse_barred(table, farm, host, clusters)
    closed = (host >= 0) & ~farm.hosts.in_service[host]
    notes = [
        *_not_kept(table, blank, "no host is recorded"),
        *_not_kept(table, unknown, "the recorded host is not in the farm"),
        *_not_kept(table, closed, "the recorded host is not in service"),
    ]
    host = np.where(closed, -1, host)
    _refuse_lacking_memory(table, farm, host)
    return RecordedHosts(host, notes + _full_hosts(farm, host, need_mhz, room_mhz))


def broken_rules(farm: Farm, rules: Rules | None, host: Ints | None) -> dict[str, str]:
    """Return the hard rules that recorded hosts (vms,) break, each with a note on its VMs."""
    if rules is None or host is None:
        return {}
    vms = np.flatnonzero(host >= 0)
    nowhere = np.full(len(host), -1, np.int64)
    told = refused(rules, nowhere, nowhere, vms, host[vms], farm.vms.size)
    found: dict[str, list[str]] = {}
    for vm, name in zip(vms.tolist(), told, strict=True):
        if name:
            found.setdefault(name, []).append(farm.vms.names[vm])
    return {
        name: f"Recorded hosts break the rule {name}, at {listed(names)}; VMs start there all the "
        "same."
        for name, names in found.items()
    }


def _not_kept(table: VmsTable, which: Bools, why: str) -> list[str]:
    """Return a note on VMs that are placed by best fit instead."""
    names = [table.vm[row] for row in np.flatnonzero(which).tolist()]
    if not names:
        return []
    what = "1 VM was" if len(names) == 1 else f"{len(names):,} VMs were"
    return [f"{what} placed by best fit, since {why}: {listed(names)}."]


def _refuse_barred(table: VmsTable, farm: Farm, host: Ints, clusters: Sequence[str]) -> None:
    """Raise InputError for VMs that their cluster or the hypervisor keeps off their hosts."""
    hosts, layer = farm.hosts, farm.delivery.layer
    held = np.flatnonzero(host >= 0)
    group = hosts.group[host[held]]
    barred = held[~layer.allowed[farm.vms.size[held], group]]
    faults = []
    for vm in barred.tolist():
        name, there = hosts.names[int(host[vm])], int(hosts.cluster[host[vm]])
        home = clusters[there] if there >= 0 else ""
        if home != table.cluster[vm] and clusters:
            place = f"in cluster {home}" if home else "in no cluster"
            mine = f"in {table.cluster[vm]}" if table.cluster[vm] else "in none"
            message = f"{name} is {place}, the VM {mine}; correct the host or the cluster"
        else:
            message = (
                f"{name} cannot hold the VM, whose vCPUs or memory are beyond what its hypervisor "
                "allows a VM; correct the host or the hypervisor"
            )
        faults.append(Problem(table.place(vm), "host", message))
    taken = np.bincount(host[held], minlength=len(hosts))
    for row in np.flatnonzero(layer.one_guest[hosts.group] & (taken > 1)).tolist():
        message = f"{hosts.names[row]} runs no hypervisor and holds one VM, not {taken[row]:,}"
        faults.append(Problem(table.file.name, "host", f"{message}; give it a hypervisor"))
    if faults:
        raise InputError(first_problems(faults, table.file.name))


def _refuse_lacking_memory(table: VmsTable, farm: Farm, host: Ints) -> None:
    """Raise InputError for hosts whose memory does not suffice for their recorded VMs."""
    hosts, held = farm.hosts, np.flatnonzero(host >= 0)
    taken_mib = farm.delivery.footprint_mib(held, host[held])
    need_mib = sum_by(host[held], weights=taken_mib, minlength=len(hosts))
    vms = np.bincount(host[held], minlength=len(hosts))
    lacking = np.flatnonzero(need_mib > hosts.memory_mib + MEMORY_TOLERANCE_MIB)
    faults = []
    for row in lacking.tolist():
        group = hosts.group_names[int(hosts.group[row])]
        message = (
            f"{hosts.names[row]} has {hosts.memory_mib[row]:,.0f} MiB for VMs, and its "
            f"{vms[row]:,} recorded VMs take {need_mib[row]:,.0f} MiB, "
            f"{need_mib[row] - hosts.memory_mib[row]:,.0f} MiB more; raise memory_overcommit of "
            f"group {group}, or correct the table"
        )
        faults.append(Problem(table.file.name, "host", message))
    if faults:
        raise InputError(first_problems(faults, table.file.name))


def _full_hosts(farm: Farm, host: Ints, vm_mhz: Floats, room_mhz: Floats) -> list[str]:
    """Return a note on hosts whose recorded VMs count with more CPU than placement allows."""
    hosts, held = farm.hosts, np.flatnonzero(host >= 0)
    need_mhz = sum_by(host[held], weights=vm_mhz[held], minlength=len(hosts))
    full = np.flatnonzero(need_mhz > room_mhz * (1 + 1e-9))
    if not len(full):
        return []
    ratio = need_mhz[full] / room_mhz[full]
    most = int(full[int(ratio.argmax())])
    what = "1 host holds" if len(full) == 1 else f"{len(full):,} hosts hold"
    return [
        f"{what} recorded VMs with more CPU than policies.initial allows; VMs stay as recorded; "
        f"the fullest is {hosts.names[most]}, with {need_mhz[most]:,.0f} MHz of "
        f"{room_mhz[most]:,.0f} MHz."
    ]
