"""Measure farms whose VMs come and go: against queueing theory, a month of arrivals, a year.

``python benchmarks/living.py`` compares waits and losses with the formulas of Erlang and of
Pollaczek and Khinchine; ``--arrivals FILE`` plays a month of a table with the columns arrival_s,
batch, vcpu and mem_gb on 10,000 hosts under best fit; ``--year`` a year of 1,000 hosts that fail.
Times are CPU time, user and system together, of the whole command ``farmsim run``, its run
directory included; memory is its highest resident set.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from farmsim import Scenario, run
from farmsim.models.base.arrays import Floats, Ints
from farmsim.models.service.response_time import erlang_b, erlang_c

Parts = dict[str, Any]

VMS, BATCHES, MEAN_S = 8_000, 20, 100.0
HOSTS, LOAD = 10, 7
SERVER: Parts = {
    "cores": 1, "clock": "2 GHz", "memory": "64 GiB",
    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
}  # fmt: skip
NODE = SERVER | {"cores": 16, "clock": "2.6 GHz", "memory": "112 GiB"}
NO_BASELINE = {"baseline": {"type": "none"}}


def queue(folder: Path, arrival_s: Floats, lifetime_s: Floats, **parts: Any) -> Any:
    """Run VMs of a core each on hosts of one core, or as parts of the scenario say otherwise.

    Return the table of VMs. Times are in s; a host serves one VM at a time, so that the farm is a
    queue with as many servers as hosts. ``parts`` replace fields of the scenario.
    """
    rows = zip(arrival_s.tolist(), lifetime_s.tolist(), strict=True)
    lines = [f"{at!r},{stay!r},1,1" for at, stay in rows]
    (folder / "vms.csv").write_text("\n".join(["arrival,lifetime,vcpus,memory", *lines]) + "\n")
    source = {"type": "table", "path": "vms.csv", "clock": "2 GHz", "utilisation": "50 %"}
    base = {
        "run": {"duration": f"{float(arrival_s[-1])!r} s", "report_every": "1 d"},
        "workload": {"arrivals": source},
        "policies": {"initial": {"placement": "best_fit", "unplaced": "reject"}, "every": "1 d"},
    }
    return run(Scenario.of(base | NO_BASELINE | parts, folder)).tables["vms"]


def hosts(count: int, **more: Any) -> Parts:
    """Return a farm of hosts of one core each."""
    return {"hosts": [{"name": "h", "server": SERVER, "count": count, **more}]}


def interval(values: Floats) -> tuple[float, float]:
    """Return the mean of a series and half its 95 % confidence interval, by batch means.

    Waits of VMs that follow one another are correlated, which batches of :data:`BATCHES` parts take
    into account (Law, Simulation Modeling and Analysis, section 9.5.3). ``values`` are in order of
    time.
    """
    means = np.array([part.mean() for part in np.array_split(values, BATCHES)])
    # 2.093: Student's t with 19 degrees of freedom.
    return float(means.mean()), 2.093 * float(means.std(ddof=1)) / math.sqrt(BATCHES)


def by(formula: Callable[[Ints, Floats], Floats]) -> float:
    """Return what a formula of Erlang says for these hosts and this load."""
    return float(formula(np.array([HOSTS]), np.array([float(LOAD)]))[0])


def theory() -> None:
    """Print what is measured beside what the formulas say.

    Losses by Erlang's B formula, which holds for any law of lifetimes; waits by Erlang's C times
    mean lifetime / (servers - load); the queue of starts by Pollaczek and Khinchine with constant
    service, rho s / (2 (1 - rho)). Measured values should be within their interval in 19 of 20
    cases.
    """
    draw = np.random.default_rng(1)
    print("| queue | measured | 95 % ± | formula |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gaps = draw.exponential(1.0, VMS)
        laws = {"exponential": draw.exponential(MEAN_S, VMS), "constant": np.full(VMS, MEAN_S)}
        for law, lifetime_s in laws.items():
            arrival_s = np.cumsum(gaps * MEAN_S / LOAD)
            vms = queue(
                folder, arrival_s, lifetime_s, farm=hosts(HOSTS), admission={"max_queue": 0}
            )
            lost = np.array(vms["state"].to_pylist()) == "rejected"
            told(
                f"share turned away, {HOSTS} hosts, load {LOAD}, {law} lifetimes",
                lost,
                by(erlang_b),
            )
        vms = queue(folder, np.cumsum(gaps * MEAN_S / LOAD), laws["exponential"], farm=hosts(HOSTS))
        wait_s = by(erlang_c) * MEAN_S / (HOSTS - LOAD)
        told(f"wait for one of {HOSTS} hosts, load {LOAD}, s", vms["waited_s"].to_numpy(), wait_s)
        part = {"method": "linked_clone", "boot": "45 s", "starts_per_host": 1}
        big = {"server": SERVER | {"cores": 200, "memory": "999 GiB"}, "hypervisor": "kvm"}
        arrival_s = np.cumsum(gaps * 50 / 0.8)
        brief_s = np.full(VMS, 1.0)
        vms = queue(folder, arrival_s, brief_s, farm=hosts(1, **big), provisioning=part)
        told("start of 50 s, one at a time, load 0.8, s", vms["waited_s"].to_numpy(),
             50 + 0.8 * 50 / (2 * (1 - 0.8)))  # fmt: skip


def told(what: str, values: Floats, expected: float) -> None:
    """Print a row; VMs that nobody asked for within the run are left out."""
    numbers = np.asarray(values, np.float64)
    mean, half = interval(numbers[np.isfinite(numbers)])
    print(f"| {what} | {mean:.4g} | {half:.2g} | {expected:.4g} |", flush=True)


def month(file: Path) -> Parts:
    """Return the scenario of 30 days of arrivals on 10,000 hosts.

    ``file`` has a row for each VM; lifetimes are drawn, since the table has none.
    """
    columns = {"arrival": "arrival_s", "vcpus": "vcpu", "memory": "mem_gb"}
    source = {
        "type": "table", "path": str(file), "columns": columns, "lifetimes": "azure_v1",
        "clock": "2.6 GHz", "utilisation": "10 %",
    }  # fmt: skip
    return {
        "name": "month",
        "run": {"duration": "30 d", "report_every": "1 h"},
        "farm": {"hosts": [{"name": "h", "server": NODE, "count": 10_000}]},
        "workload": {"arrivals": source},
        "policies": {"initial": {"placement": "best_fit", "unplaced": "reject"}, "every": "1 h"},
    }


def year(folder: Path) -> Parts:
    """Return the scenario of a year of 1,000 hosts with 10,000 VMs, sampled every hour.

    A host fails every 180 days on average, and is repaired within 12 hours on average.
    """
    (folder / "hourly.csv").write_text("time,all\n0,30\n3600,30\n")
    size = {"name": "vm", "vcpus": 1, "clock": "2.6 GHz", "memory": "7 GiB"}
    times = {
        "time_to_failure": {"distribution": "exponential", "mean": "180 d"},
        "repair": {"distribution": "lognormal", "mean": "12 h"},
    }
    return {
        "name": "year",
        "run": {"duration": "365 d", "report_every": "1 h"},
        "farm": {"hosts": [{"name": "h", "server": NODE, "count": 1000, "hypervisor": "kvm"}]},
        "workload": {
            "source": {"type": "csv", "path": str(folder / "hourly.csv")},
            "vms": 10_000, "sizes": [size],
        },
        "policies": {"initial": {"placement": "round_robin"}, "every": "1 d"},
        "failures": {"entries": [{"name": "hosts", "component": "host", **times}]},
    }  # fmt: skip


def measured(scenario: Parts) -> None:
    """Run a scenario as a command of its own, and print what it took and did.

    CPU time in s and the highest resident set in GiB, of a process of its own. Exits with the code
    of the command if it fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scenario.yaml").write_text(Scenario.of(scenario | NO_BASELINE).to_yaml())
        command = [sys.executable, "-m", "farmsim", "run", "scenario.yaml", "--quiet", "--out", "r"]
        with subprocess.Popen(command, cwd=folder) as child:
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(child.returncode)
        summary = json.loads((folder / "r" / "summary.json").read_text("utf-8"))
    cpu_s, peak_gib = used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20
    print(f"{scenario['name']}: {cpu_s:.0f} s of CPU, {peak_gib:.2f} GiB")
    for metric in ("vms", "vms_rejected", "vms_running_max", "host_failures", "vm_crashes"):
        print(f"  {metric}: {summary[metric]['value']:,.0f}")


def main() -> None:
    """Run what the options ask for; the comparison with theory where they ask for nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--arrivals", type=Path, metavar="FILE", help="play a month of a table")
    parser.add_argument("--year", action="store_true", help="play a year with failures")
    options = parser.parse_args()
    if options.arrivals:
        measured(month(options.arrivals.resolve()))
    if options.year:
        with tempfile.TemporaryDirectory() as name:
            measured(year(Path(name)))
    if not (options.arrivals or options.year):
        theory()


if __name__ == "__main__":
    main()
