"""Measure how fast farmsim is: start, one published day, large farms, consolidation at scale.

``python benchmarks/speed.py`` measures every case in processes of its own and prints the tables;
``--case NAME`` measures that one only (repeatable), ``--quick`` leaves out the largest and
repeats less. ``--json FILE`` adds the figures to a file, ``--read FILE`` prints those of a file
instead of measuring, ``--markdown PAGE`` writes the tables of docs/performance.md anew.

A time is CPU time, user and system together, the lowest of the repeats. Beside every repeat the
same NumPy loops run as a yardstick: on a busy machine both slow down, and their ratio moves less.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import speed_tables

LIBRARIES = ("farmsim", "numpy", "scipy", "simpy", "pydantic", "pyarrow", "plotly")
PUBLISHED = "library/beloglazov2012"
VMS_PER_HOST = 10
CONSOLIDATED_H = 3
MIB_PER_KIB = 1 / 1024
YARDSTICK = "yardstick"

Figures = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """What is measured: a farmsim command, or a simulation with its stages timed from within.

    ``loop`` names the yardstick: ``small`` arrays, where the interpreter is the limit, or
    ``large`` ones, where memory is.
    """

    repeats: int
    loop: str
    command: tuple[str, ...] = ()
    inside: Callable[[], Figures] | None = None
    large: bool = False


def flat(vms: int, *overrides: str) -> Figures:
    """Simulate a day without consolidation, ten VMs to a host; overrides as for ``--set``.

    Nothing is decided, so that what is timed is demand, delivery and power: the sampling path.
    """
    from farmsim import Scenario  # noqa: PLC0415 - only the process that simulates needs it

    scenario = Scenario.of(
        {
            "run": {"duration": "24 h"},
            "farm": {
                "hosts": [
                    {"name": "rack", "server": "dell_r740_8280", "count": vms // VMS_PER_HOST}
                ]
            },
            "workload": {
                "source": "planetlab-20110303",
                "vms": vms,
                "sizes": [{"name": "small", "vcpus": 2, "clock": "2.5 GHz", "memory": "4 GiB"}],
            },
            "policies": {
                "initial": {"placement": "round_robin", "count_by": "size"},
                "every": "5 min",
                "control": "none",
            },
        }
    )
    return simulated(scenario.override(*overrides))


def consolidated(times: int) -> Figures:
    """Simulate hours of THR-MMT on a multiple of the PlanetLab farm and its load.

    ``times`` multiplies hosts and VMs alike, so that the load of a host stays the same.
    """
    from farmsim import Scenario  # noqa: PLC0415

    scenario = Scenario.load(
        PUBLISHED,
        f"run.duration={CONSOLIDATED_H} h",
        f"farm.hosts.g4.count={400 * times}",
        f"farm.hosts.g5.count={400 * times}",
        f"workload.vms={1052 * times}",
        "policies.control.overload={policy: static_threshold, threshold: 80 %}",
        # Dealt out in turn, so that the start costs the same per VM at every size.
        "policies.initial.placement=round_robin",
        "policies.slow_cores=allow",
    )
    return simulated(scenario)


def published_day(*overrides: str) -> Figures:
    """Simulate the published day under LR-MMT, without its baseline and without writing."""
    from farmsim import Scenario  # noqa: PLC0415

    return simulated(Scenario.load(PUBLISHED, *overrides))


def simulated(scenario: Any) -> Figures:
    """Build and run a scenario; return sizes, counts and the CPU time of each stage in s.

    A *slot* is one sample of all demands; a VM-sample is one VM in one slot. The first slot is
    timed with the initial placement, apart from the later ones.
    """
    from farmsim.scenarios.build.build import build  # noqa: PLC0415

    start_s = time.process_time()
    case = build(scenario)
    built_s = time.process_time()
    beats: list[float] = []
    outcome = case.engine.run(lambda _: beats.append(time.process_time()))
    ended_s = time.process_time()
    decisions = outcome.tables["decisions"]
    vms, slots = len(case.farm.vms), len(beats)
    return {
        "vms": vms,
        "hosts": len(case.farm.hosts),
        "slots": slots,
        "build_s": built_s - start_s,
        # Initial placement and the first slot; the rates below are those of all later slots.
        "first_s": beats[0] - built_s,
        "later_s": ended_s - beats[0],
        "simulation_s": ended_s - built_s,
        "vm_samples": vms * slots,
        "decisions": int((decisions["source"] >= 0).sum()),
        "migrations": len(outcome.tables["migrations"]["vm"]),
    }


def yardstick() -> Figures:
    """Time fixed NumPy loops: over 800 numbers many times, over four million a few times.

    CPU time of each in s. What is divided by it can be compared between machines, roughly.
    """
    small, large = np.linspace(0.0, 1.0, 800), np.linspace(0.0, 1.0, 4_000_000)
    return {"small": _loop(small, 50_000), "large": _loop(large, 20)}


def _loop(numbers: Any, rounds: int) -> float:
    """Return the CPU time in s of rounds of multiplying, taking the minimum and searching it."""
    held = np.empty_like(numbers)
    start_s = time.process_time()
    for _ in range(rounds):
        np.multiply(numbers, 1.5, out=held)
        np.minimum(held, numbers, out=held)
        held.argmin()
    return time.process_time() - start_s


def with_model(model: str, run: Callable[..., Figures], groups: int, sizes: int) -> Figures:
    """Simulate with one of the models of the layer switched on, or ``all`` of them.

    Interference is between VMs with a class, so it comes with classes.
    """
    overrides = []
    if model in {"hypervisor", "all"}:
        overrides += [f"farm.hosts.{group}.hypervisor=kvm" for group in range(groups)]
    if model in {"shares", "all"}:
        overrides += ["service.sharing=shares"]
    if model in {"classes", "interference", "all"}:
        overrides += [f"workload.sizes.{size}.class=web" for size in range(sizes)]
    if model in {"interference", "all"}:
        overrides += ["service.interference=true"]
    return run(*overrides)


def flat_with(model: str) -> Case:
    """Return the case of the farm without consolidation, with a model switched on."""
    return Case(2, "large", inside=lambda: with_model(model, lambda *o: flat(100_000, *o), 1, 1))


def day_with(model: str) -> Case:
    """Return the case of the published day, with a model switched on."""
    return Case(2, "small", inside=lambda: with_model(model, published_day, 2, 4))


CASES: dict[str, Case] = {
    "help": Case(10, "small", ("--help",)),
    "validate": Case(10, "small", ("validate", "library/first-steps")),
    "day": Case(5, "small", ("run", PUBLISHED, "--quiet", "--out", "run")),
    "day_simulation": Case(5, "small", inside=published_day),
    "flat_10k": Case(5, "large", inside=lambda: flat(10_000)),
    "flat_100k": Case(3, "large", inside=lambda: flat(100_000)),
    "flat_1m": Case(2, "large", inside=lambda: flat(1_000_000), large=True),
    "consolidation_1x": Case(3, "small", inside=lambda: consolidated(1)),
    "consolidation_10x": Case(2, "small", inside=lambda: consolidated(10)),
    "consolidation_100x": Case(1, "small", inside=lambda: consolidated(100), large=True),
    **{f"flat_100k_{model}": flat_with(model) for model in speed_tables.MODELS},
    **{f"day_simulation_{model}": day_with(model) for model in speed_tables.MODELS},
}


def measured(name: str, repeats: int, folder: Path) -> Figures:
    """Return the figures of a case: its fastest repeat, and the yardstick's.

    ``cpu_s`` or ``simulation_s`` of the fastest repeat, memory of the largest, in MiB.
    ``yardsticks`` is the time over that of the yardstick, each the lowest of its repeats.
    """
    case, runs, loops = CASES[name], [], []
    if case.command:
        process(_command(name), folder)  # compiles what a first start has to compile
    for _ in range(repeats):
        loops.append(process(_command(YARDSTICK), folder)[case.loop])
        runs.append(process(_command(name), folder))
    best = min(runs, key=_timed_s)
    best["peak_mib"] = max(run["peak_mib"] for run in runs)
    return {
        **{key: round(value, 5) if isinstance(value, float) else value
           for key, value in best.items()},
        "repeats": repeats,
        "yardstick": case.loop,
        "yardstick_s": round(min(loops), 5),
        "yardsticks": round(_timed_s(best) / min(loops), 3),
    }  # fmt: skip


def _timed_s(run: Figures) -> float:
    """Return the time that repeats are compared by: of the simulation, or of the command."""
    seconds: float = run["simulation_s"] if "simulation_s" in run else run["cpu_s"]
    return seconds


def _command(name: str) -> list[str]:
    """Return how a case is run as a process: farmsim, or this file with ``--measure``."""
    case = CASES.get(name)
    if case is not None and case.command:
        return [sys.executable, "-m", "farmsim", *case.command]
    return [sys.executable, str(Path(__file__).resolve()), "--measure", name]


def process(command: Sequence[str], folder: Path) -> Figures:
    """Run a command in a folder; return CPU time, peak memory and the figures that it printed.

    Modules are compiled into the folder, so that neither a read-only checkout nor a setting
    against compiled files makes every start compile anew.

    In s and MiB. Exits if the command fails.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment |= {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        printed = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    inside = json.loads(printed) if "--measure" in command else {}
    return {
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss * MIB_PER_KIB,
        **inside,
    }


def machine() -> Figures:
    """Return what the figures depend on besides farmsim's own text.

    Read from ``/proc/cpuinfo``, so that it works on Linux only.
    """
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory_gib),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def measure_all(names: Sequence[str], quick: bool) -> Figures:
    """Measure cases by name and return their figures with those of the machine.

    With ``quick`` the large ones are left out and a third of the repeats is made.
    """
    cases: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            if quick and CASES[name].large:
                continue
            repeats = math.ceil(CASES[name].repeats / 3) if quick else CASES[name].repeats
            cases[name] = measured(name, repeats, Path(folder))
            told = f"{name}: {cases[name]['cpu_s']:.2f} s, {cases[name]['yardsticks']} yardsticks"
            print(told, file=sys.stderr, flush=True)
    return {"machine": machine(), "cases": cases}


def joined(new: Figures, file: Path) -> Figures:
    """Return new figures with those of a file that were measured on the same machine.

    Figures of another machine, or of other versions of the libraries, are dropped.
    """
    old = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    kept = old.get("cases", {}) if old.get("machine") == new["machine"] else {}
    cases = kept | new["cases"]
    return {**new, "cases": {name: cases[name] for name in CASES if name in cases}}


def main() -> None:
    """Measure or read figures, print the tables, and write them where the options say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--case", action="append", choices=CASES, help="measure this one only")
    parser.add_argument("--quick", action="store_true", help="leave out the largest, repeat less")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the figures to this file")
    parser.add_argument("--read", type=Path, metavar="FILE", help="print the figures of a file")
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="write a page's tables anew")
    parser.add_argument("--measure", choices=[*CASES, YARDSTICK], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        inside = yardstick if options.measure == YARDSTICK else CASES[options.measure].inside
        print(json.dumps(inside() if inside else {}))
        return
    if options.read:
        figures = json.loads(options.read.read_text("utf-8"))
    else:
        figures = measure_all(options.case or list(CASES), options.quick)
        if options.json:
            figures = joined(figures, options.json)
            options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    print(speed_tables.text(figures))
    if options.markdown:
        page = options.markdown.read_text("utf-8")
        options.markdown.write_text(speed_tables.renewed(page, figures), "utf-8")


if __name__ == "__main__":
    main()
