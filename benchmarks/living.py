"""Compare farms whose VMs come and go with queueing theory.

``python benchmarks/living.py`` compares waits and losses with the formulas of Erlang and of
Pollaczek and Khinchine.
"""

import argparse
import math
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


def main() -> None:
    """Print the comparison with theory."""
    argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0]).parse_args()
    theory()


if __name__ == "__main__":
    main()
