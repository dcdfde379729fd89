"""Measure VMs that come and go one by one, each at an instant of its own.

``python benchmarks/lives.py`` plays invented VMs, the same for the same seed: ``room`` on a farm
of which 17 % are taken, ``full`` and ``full-small`` on farms where VMs wait for hosts.
``--lives N`` draws another number of VMs at the same rate, for growth. ``--surf FILE`` plays the
month of SURF's tasks that OpenDC publishes, on 279 hosts, where nobody waits, and on 150.
``--write FOLDER`` only writes the VMs of each case as CSV, so that other simulators get the same
input.

Printed is CPU time, user and system together: of the simulation alone, of building the scenario,
simulation, metrics and tables, and of the whole command ``farmsim run``; memory is the highest
resident set of that command.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from farmsim import Scenario
from farmsim.models.base.arrays import Floats, Ints
from farmsim.scenarios.build.build import build

Parts = dict[str, Any]

DAY_S = 86_400.0
CORES, HOST_GIB = 32, 256
VCPUS, VCPUS_SHARE = (1, 2, 4, 8), (0.4, 0.3, 0.2, 0.1)
GIB_PER_VCPU = (2, 4)
LIVES_PER_DAY = 20_000


@dataclass(frozen=True)
class Farm:
    """How many VMs come to how many hosts of :data:`CORES` cores and :data:`HOST_GIB` GiB.

    ``load`` is the vCPUs that are wanted at a time, over the cores of the farm. VMs come at
    :data:`LIVES_PER_DAY`, so that more of them make a longer run.
    """

    lives: int
    hosts: int
    load: float

    @property
    def duration_s(self) -> float:
        """How long the run lasts, in s."""
        return self.lives / LIVES_PER_DAY * DAY_S


CASES = {
    "room": Farm(20_000, 1_000, 0.17),
    "full": Farm(20_000, 200, 1.05),
    "full-small": Farm(5_000, 50, 1.05),
}


@dataclass(frozen=True)
class Lives:
    """VMs in order of arrival, one entry each: instant and lifetime in s, vCPUs, GiB."""

    arrival_s: Floats
    lifetime_s: Floats
    vcpus: Ints
    memory_gib: Ints


def draw(farm: Farm, seed: int = 1) -> Lives:
    """Return VMs that arrive as a Poisson process, with exponential lifetimes.

    The mean lifetime follows from the load of the farm.
    """
    random = np.random.default_rng(seed)
    mean_vcpus = float(np.dot(VCPUS, VCPUS_SHARE))
    gap_s = DAY_S / LIVES_PER_DAY
    mean_s = farm.load * farm.hosts * CORES * gap_s / mean_vcpus
    vcpus = random.choice(VCPUS, farm.lives, p=VCPUS_SHARE)
    return Lives(
        np.cumsum(random.exponential(gap_s, farm.lives)),
        random.exponential(mean_s, farm.lives),
        vcpus,
        vcpus * random.choice(GIB_PER_VCPU, farm.lives),
    )


def write_csv(path: Path, lives: Lives) -> None:
    """Write VMs with the columns arrival_s, lifetime_s, vcpus and memory_gib.

    Times are written with all their digits.
    """
    columns = (lives.arrival_s, lives.lifetime_s, lives.vcpus, lives.memory_gib)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    lines = ["arrival_s,lifetime_s,vcpus,memory_gib", *(",".join(map(repr, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def scenario(name: str, duration_s: float, hosts: int, server: Parts, arrivals: Parts) -> Parts:
    """Return a scenario without control, in which VMs wait until best fit finds a host."""
    return {
        "name": name,
        "run": {"duration": f"{duration_s!r} s", "report_every": "1 h"},
        "farm": {"hosts": [{"name": "h", "server": server, "count": hosts}]},
        "workload": {"arrivals": arrivals},
        "policies": {"initial": {"placement": "best_fit", "unplaced": "reject"}, "every": "1 h"},
        "baseline": {"type": "none"},
    }


def invented(name: str, farm: Farm, folder: Path) -> Parts:
    """Return the scenario of invented VMs, whose table is written into the folder."""
    write_csv(folder / f"{name}.csv", draw(farm))
    server = {
        "cores": CORES, "clock": "2 GHz", "memory": f"{HOST_GIB} GiB",
        "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
    }  # fmt: skip
    columns = {"arrival": "arrival_s", "lifetime": "lifetime_s", "memory": "memory_gib"}
    arrivals = {
        "type": "table", "path": f"{name}.csv", "columns": columns, "clock": "2 GHz",
        "utilisation": "50 %",
    }  # fmt: skip
    return scenario(name, farm.duration_s, farm.hosts, server, arrivals)


def surf(tasks: Path, hosts: int, folder: Path) -> Parts:
    """Return the scenario of SURF's month; a host has the 16 cores that each task asks for."""
    (folder / "surf").mkdir()
    shutil.copyfile(tasks, folder / "surf" / "tasks.parquet")
    server = {
        "cores": 16, "clock": "2.1 GHz", "memory": "128 GiB",
        "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
    }  # fmt: skip
    arrivals = {"type": "opendc", "path": "surf", "utilisation": "100 %"}
    return scenario(f"surf-{hosts}", 31 * DAY_S, hosts, server, arrivals)


def simulated(path: Path) -> None:
    """Print the CPU time of building a scenario and of its simulation alone, in s."""
    began_s = time.process_time()
    case = build(Scenario.load(path))
    built_s = time.process_time()
    outcome = case.engine.run()
    ended_s = time.process_time()
    lives = int(np.count_nonzero(~np.isnan(outcome.lives.asked_s)))
    sys.stdout.write(f"{lives} {outcome.longest_queue} {built_s - began_s} {ended_s - built_s}\n")


def measured(parts: Parts, folder: Path) -> str:
    """Return the row of a scenario, played in processes of its own.

    Raises CalledProcessError if it cannot be played.
    """
    path = folder / "scenario.yaml"
    path.write_text(Scenario.of(parts, folder).to_yaml(), encoding="utf-8")
    alone = [sys.executable, __file__, "--simulate", str(path)]
    told = subprocess.run(alone, check=True, capture_output=True, text=True).stdout.split()
    lives, waited, built_s, simulated_s = int(told[0]), int(told[1]), *map(float, told[2:])
    command = [sys.executable, "-m", "farmsim", "run", str(path), "--quiet", "--out", "r"]
    with subprocess.Popen(command, cwd=folder) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    whole_s, peak_mib = used.ru_utime + used.ru_stime, used.ru_maxrss / 2**10
    each_us = 1e6 * simulated_s / max(lives, 1)
    return (
        f"{parts['name']:12}{lives:9,}{waited:9,}{built_s:9.2f}{simulated_s:9.2f}"
        f"{each_us:9.0f}{whole_s:9.2f}{peak_mib:9.0f}"
    )


def main() -> None:
    """Print a row for each case asked for, or write its VMs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--case", choices=CASES, action="append", help="only this one; repeatable")
    parser.add_argument("--lives", type=int, metavar="N", help="number of invented VMs")
    parser.add_argument("--surf", type=Path, metavar="FILE", help="tasks.parquet of SURF's month")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="only write VMs as CSV")
    parser.add_argument("--simulate", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.simulate:
        simulated(options.simulate)
        return
    chosen = options.case or (() if options.surf else CASES)
    farms = {
        name: replace(CASES[name], lives=options.lives or CASES[name].lives) for name in chosen
    }
    if options.write:
        for name, farm in farms.items():
            write_csv(options.write / f"{name}.csv", draw(farm))
        return
    head = ("lives", "waiting", "build, s", "sim., s", "µs/life", "whole, s", "MiB")
    sys.stdout.write(f"{'case':12}" + "".join(f"{each:>9}" for each in head) + "\n")
    for name, farm in farms.items():
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(measured(invented(name, farm, Path(folder)), Path(folder)) + "\n")
            sys.stdout.flush()
    for hosts in (279, 150) if options.surf else ():
        with tempfile.TemporaryDirectory() as folder:
            parts = surf(options.surf.resolve(), hosts, Path(folder))
            sys.stdout.write(measured(parts, Path(folder)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
