"""Measure placements per second against the number of hosts, on the indexes of free capacity.

``python benchmarks/placements.py`` fills farms of 1,000, 10,000 and 100,000 hosts to 90 % of
their CPU with VMs of a few sizes, then lets a VM chosen at random leave and another arrive, again
and again, and prints what an arrival costs together with a departure: one search and two updates.
``--hosts N`` (repeatable) takes other farms, ``--markdown PAGE`` writes the table of
docs/performance.md anew. Times are CPU time of this process.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import page_tables
from page_tables import Row

from farmsim.models.base.arrays import Floats
from farmsim.models.base.ties import tie_of
from farmsim.policies.placement.capacity_index import CapacityIndex
from farmsim.policies.placement.placement import IndexedPlacement
from farmsim.policies.placement_algorithms.best_fit import BestFit
from farmsim.policies.placement_algorithms.first_fit import FirstFit
from farmsim.policies.placement_algorithms.worst_fit import WorstFit

PLACEMENTS: dict[str, IndexedPlacement] = {
    "best_fit": BestFit(),
    "worst_fit": WorstFit(),
    "first_fit": FirstFit(),
}
Figures = dict[str, Any]

HOSTS = (1_000, 10_000, 100_000)
CORE_MHZ, HOST_CORES, HOST_MIB = 2500.0, 40, 160 * 1024.0
VM_CORES, SHARE_OF_CORES = (1, 2, 4, 8, 16), (0.3, 0.3, 0.2, 0.15, 0.05)
MIB_PER_CORE = (1792.0, 4096.0, 7168.0)
FILLED = 0.9
ARRIVALS = 20_000


class Farm:
    """What hosts have left, and the shelf that is told of it.

    One entry per host, in MHz and MiB; ``vms`` holds host and needs of each VM that is placed. It
    keeps only what a search reads, so that nothing but searches and updates is timed.
    """

    def __init__(self, placement: IndexedPlacement, hosts: int) -> None:
        self.free_mhz = [HOST_CORES * CORE_MHZ] * hosts
        self.free_mib = [HOST_MIB] * hosts
        self.vms: list[tuple[int, float, float]] = []
        free_mhz, free_mib = np.array(self.free_mhz), np.array(self.free_mib)
        self.capacity_index: CapacityIndex = placement.capacity_index(
            free_mhz, free_mib, tie_of(free_mhz)
        )

    def arrive(self, need_mhz: float, need_mib: float) -> None:
        """Place a VM; one that fits nowhere is turned away."""
        host = self.capacity_index.find(need_mhz, need_mib)
        if host >= 0:
            self.vms.append((host, need_mhz, need_mib))
            self._change(host, -need_mhz, -need_mib)

    def leave(self, index: int) -> None:
        """Let a VM go; the last one takes its place in the list."""
        vm, self.vms[index] = self.vms[index], self.vms[-1]
        self.vms.pop()
        self._change(*vm)

    def _change(self, host: int, more_mhz: float, more_mib: float) -> None:
        """Add to what a host has free, and tell the index, which is part of what is timed."""
        self.free_mhz[host] += more_mhz
        self.free_mib[host] += more_mib
        self.capacity_index.update(host, self.free_mhz[host], self.free_mib[host])


def sizes(rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
    """Draw the needs of VMs, MHz and MiB.

    Return two arrays, (count,). Shares are such that one core is as frequent as two, and memory per
    core is drawn apart, so that hosts run out of either.
    """
    cores = rng.choice(VM_CORES, count, p=SHARE_OF_CORES)
    return cores * CORE_MHZ, cores * rng.choice(MIB_PER_CORE, count)


def measured(name: str, hosts: int) -> Figures:
    """Fill a farm, replace VMs at random, and return what that cost per arrival, µs.

    The farm is filled to :data:`FILLED` before the clock starts. An arrival that finds no host is
    counted as well: a search that fails costs as much as another, or more.
    """
    rng = np.random.default_rng(1)
    farm = Farm(PLACEMENTS[name], hosts)
    need_mhz, need_mib = sizes(rng, hosts * HOST_CORES)
    wanted_mhz = FILLED * hosts * HOST_CORES * CORE_MHZ
    filling = int(np.searchsorted(np.cumsum(need_mhz), wanted_mhz))
    for vm in zip(need_mhz[:filling].tolist(), need_mib[:filling].tolist(), strict=True):
        farm.arrive(*vm)
    need_mhz, need_mib = sizes(rng, ARRIVALS)
    arriving = zip(rng.random(ARRIVALS).tolist(), need_mhz.tolist(), need_mib.tolist(), strict=True)
    start_s = time.process_time()
    for leaving, *vm_needs in arriving:
        farm.leave(int(leaving * len(farm.vms)))
        farm.arrive(*vm_needs)
    spent_s = time.process_time() - start_s
    return {
        "placement": name,
        "hosts": hosts,
        "vms": len(farm.vms),
        "us_per_arrival": 1e6 * spent_s / ARRIVALS,
    }


def table(rows: Sequence[Figures]) -> list[Row]:
    """Return the rows of the table; the growth is that since the first farm of each policy."""
    head = ("placement", "hosts", "VMs", "µs per arrival and departure", "times the first")
    first: dict[str, float] = {}
    made: list[Row] = [head]
    for row in rows:
        cost = row["us_per_arrival"]
        growth = cost / first.setdefault(row["placement"], cost)
        name, farm = f"`{row['placement']}`", (f"{row['hosts']:,}", f"{row['vms']:,}")
        made.append((name, *farm, f"{cost:.1f}", f"{growth:.1f}"))
    return made


def main() -> None:
    """Measure every policy on every farm and print a table. The largest takes a minute each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, action="append")
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="write the page's table anew")
    arguments = parser.parse_args()
    rows = [measured(name, hosts) for name in PLACEMENTS for hosts in arguments.hosts or HOSTS]
    print(page_tables.aligned(table(rows)))
    if arguments.markdown:
        page_tables.renew(arguments.markdown, {"placements": page_tables.markdown(table(rows))})


if __name__ == "__main__":
    main()
