"""What is said of VMs for which there is no host, before a run and as it begins."""

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.ties import TIE
from ...models.bounds.bin_packing import unsplit_bound, whole_hosts
from ...models.farm.farm import Farm
from ...sim.initial_placement import UnplacedError
from ...sim.setup import InitialPlacementSetup
from ..errors.problems import InputError, Problem, refuse

SHOWN = 20
"""VMs that are listed with what each host lacks."""


def shortage(need_mhz: Floats, need_mib: Floats, room_mhz: Floats, room_mib: Floats) -> str:
    """Return the resource of which all hosts together have too little for some VMs; or empty.

    Needs (VMs,) are the least that a VM has on any host, rooms (hosts,) what each host has, both in
    MHz and MiB. Proven by sums, and by the bound for VMs that cannot be split
    (:func:`.unsplit_bound`) with all hosts as large as the largest. Where it is empty, a packing
    may exist or not.
    """
    for name, need, room in (("CPU", need_mhz, room_mhz), ("memory", need_mib, room_mib)):
        if need.sum() > room.sum() * (1 + TIE):
            return name
        largest = float(room.max(initial=0.0)) * (1 + TIE)
        if largest and whole_hosts(unsplit_bound(need / largest, np.zeros(len(need)))) > len(room):
            return name
    return ""


def min_mib(farm: Farm) -> Floats:
    """Return the least memory that each VM takes on any group of hosts that it may be on.

    The result (vms,) is in MiB and counts what the hypervisor adds. A VM that may be on no group
    has its own memory.
    """
    layer, vms = farm.delivery.layer, farm.vms
    extra_mib = np.where(layer.allowed, layer.extra_mib, np.inf).min(axis=1)
    return vms.memory_mib + np.where(np.isfinite(extra_mib), extra_mib, 0.0)[vms.size]


def unplaced(where: str, farm: Farm, error: UnplacedError, told: str) -> InputError:
    """Say which VMs the initial placement found no host for, and why.

    ``told`` names the resource of which a bound proves that there is too little (empty: none),
    so that no other placement can help either.

    At most SHOWN of the VMs are listed, each with how many hosts lacked what. The remedy names the
    fields of the scenario that would help; the place is ``farm.hosts``.
    """
    searches = error.searches
    lines = []
    for vm, search in list(searches.items())[:SHOWN]:
        counts = (
            (search.no_cpu, "lack CPU"),
            (search.no_memory, "lack memory"),
            (search.vetoed, "would be overloaded"),
            (search.barred, "are excluded"),
        )
        why = [f"{count} {what}" for count, what in counts if count]
        if search.rules:
            why.append(f"excluded by rules: {search.rules}")
        about = f"of {search.considered} hosts {', '.join(why)}".strip()
        lines.append(f"{farm.vms.names[vm]} ({about})")
    more = len(searches) - SHOWN
    listed = "; ".join(lines) + (f"; and {more} more" if more > 0 else "")
    vms = "1 VM" if len(searches) == 1 else f"{len(searches):,} VMs"
    if told:
        what = f"the farm is too small for any placement: its hosts lack {told}; {vms}"
        right = "add hosts"
    else:
        what = f"the initial placement found no host for {vms}"
        right = "try another policies.initial.placement, or add hosts"
    message = (
        f"{what} of {len(farm.vms):,}: {listed}; {right}, raise policies.initial.cpu_overcommit, "
        "place by demand, or set policies.initial.unplaced: reject"
    )
    return refuse(where, message, "farm.hosts")


def too_large_sizes(
    farm: Farm, start: InitialPlacementSetup, where: str, left_out: Ints | None = None
) -> list[Problem]:
    """Return the sizes of VM that no host of the farm could ever hold.

    ``left_out`` are rows of VMs that do not count. ``where`` names the workload, or the baseline
    whose hosts are too small; the remedy depends on it.
    """
    counted = np.ones(len(farm.vms), bool)
    if left_out is not None:
        counted[left_out] = False
    rows = np.flatnonzero(counted)
    sizes, first = np.unique(farm.vms.size[rows], return_index=True)
    fitting = start.fitting(farm)[sizes]
    return [
        _too_large(farm, int(vm), int(size), where)
        for size, vm in zip(sizes[~fitting], rows[first[~fitting]], strict=True)
    ]


def _too_large(farm: Farm, vm: int, size: int, where: str) -> Problem:
    """Return what is said of a size of VM that no host could hold."""
    hosts, vms = farm.hosts, farm.vms
    count = int(np.count_nonzero(vms.size == size))
    remedy = "use larger hosts or smaller VMs, or set policies.initial.unplaced: reject"
    if where != "workload":
        remedy = "name a larger server, or remove the baseline"
    vms_fit = "1 VM fits" if count == 1 else f"{count:,} VMs fit"
    message = (
        f"{vms_fit} no host: size {vms.size_names[size]} has {vms.vcpus[vm]} vCPUs of "
        f"{vms.size_mhz[vm] / vms.vcpus[vm]:g} MHz and {vms.memory_mib[vm] / 1024:g} GiB, the "
        f"largest host {hosts.cpu_mhz.max():g} MHz in cores of {hosts.core_mhz.max():g} MHz and "
        f"{hosts.memory_mib.max() / 1024:g} GiB; {remedy}"
    )
    return Problem(where, "workload.sizes" if where == "workload" else where, message)
