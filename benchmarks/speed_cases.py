"""The cases whose speed is measured, and how one of them is run by an interpreter.

A case is a farm of :mod:`speed_inputs` and the stage of farmsim that is timed. It has a full
length, a shorter one for :mod:`compare_speed`, which runs it many times, and mostly three sizes
that show how its time grows. :mod:`speed_tables` has the targets.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import speed_inputs as inputs
from timed import used

STAGES = Path(__file__).resolve().parent / "stages.py"
FILES = {
    "surf": "tasks.parquet of SURF's month, as OpenDC publishes it",
    "azure": "a month of arrivals of the Azure Public Dataset V1 as Parquet, with the columns "
    "arrival_s, batch, vcpu, mem_gb",
}
"""Files that users have to get themselves: options and what they name."""
COMMANDS = ("run", "validate", "--help")
MODELS = ("hypervisor", "shares", "classes", "interference", "all")

Arguments = Mapping[str, Any]
Figures = dict[str, float]


@dataclass(frozen=True)
class Growth:
    """Three sizes of a case: an argument, its values, and arguments that differ from the full case.

    ``of`` names in words what grows.
    """

    of: str
    argument: str
    values: tuple[int, int, int]
    others: Arguments = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """What is timed: a stage of farmsim for what ``given`` writes and returns.

    Stages are ``run`` and ``validate``, whole commands with the start of the interpreter, and those
    of :mod:`stages`. ``short`` are the arguments that differ for a comparison of versions; ``file``
    is the option that names a file of the user's own, without which the case is left out.
    ``repeats`` is how often the full case is run.
    """

    stage: str
    given: Callable[..., tuple[str, ...]]
    full: Arguments = field(default_factory=dict)
    short: Arguments = field(default_factory=dict)
    growth: Growth | None = None
    repeats: int = 3
    file: str = ""

    @property
    def whole(self) -> bool:
        """Whether a whole command is timed."""
        return self.stage in COMMANDS


def _transfers(_: Path, hosts: int, at_a_time: int) -> tuple[str, ...]:
    return (str(hosts), str(at_a_time))


def _help(_: Path) -> tuple[str, ...]:
    return ()


DENSE: Arguments = {"hosts": 100, "vms_per_host": 10, "memory_gib": 60, "every": "5 min"}
CASES: dict[str, Case] = {
    "help": Case("--help", _help, repeats=5),
    "validate": Case("validate", inputs.library, {"name": "first-steps"}, repeats=7),
    "first-steps": Case("run", inputs.library, {"name": "first-steps"}, repeats=5),
    "lr-mmt": Case(
        "simulation", inputs.lr_mmt,
        growth=Growth("hosts and VMs, times 800 and 1,052, 3 h", "times", (1, 4, 16), {"hours": 3}),
    ),
    "lr-mmt-command": Case("run", inputs.library, {"name": "beloglazov2012"}),
    "dense-day": Case(
        "simulation", inputs.dense, {**DENSE, "hours": 24},
        growth=Growth("hosts", "hosts", (100, 200, 400)),
    ),
    "dense-month": Case(
        "simulation", inputs.dense,
        {"hosts": 500, "vms_per_host": 38, "memory_gib": 72, "every": "1 h", "hours": 720},
        {"hours": 36}, Growth("hosts, 3 d", "hosts", (50, 150, 500), {"hours": 72}), repeats=1,
    ),
    "constant-year": Case(
        "simulation", inputs.dense, {**DENSE, "hours": 365 * 24}, {"hours": 72},
        Growth("hosts, 30 d", "hosts", (25, 50, 100), {"hours": 720}), repeats=1,
    ),
    "flat-100k": Case(
        "simulation", inputs.flat, {"vms": 100_000},
        growth=Growth("VMs", "vms", (10_000, 100_000, 1_000_000)),
    ),
    "flat-100k-start": Case("simulation", inputs.flat, {"vms": 100_000, "hours": 1 / 6}),
    "flat-1m": Case("simulation", inputs.flat, {"vms": 1_000_000}, {"hours": 6}, repeats=2),
    "lives-room": Case(
        "simulation", inputs.invented_lives, {"vms": 20_000, "hosts": 1000, "load": 0.17},
        growth=Growth("VMs, 1,000 hosts", "vms", (5_000, 10_000, 20_000)),
    ),
    "lives-full": Case(
        "simulation", inputs.invented_lives, {"vms": 20_000, "hosts": 200, "load": 1.2},
        {"vms": 10_000}, Growth("VMs, 200 hosts", "vms", (5_000, 10_000, 20_000)), 2,
    ),
    "surf-279": Case(
        "simulation", inputs.surf, {"hosts": 279, "vms": 68_648}, {"vms": 20_000},
        Growth("VMs, 279 hosts", "vms", (17_000, 34_000, 68_648)), 2, "surf",
    ),
    "surf-150": Case(
        "simulation", inputs.surf, {"hosts": 150, "vms": 68_648}, {"vms": 15_000},
        Growth("VMs, 150 hosts", "vms", (17_000, 34_000, 68_648)), 2, "surf",
    ),
    "wide-command": Case(
        "run", inputs.trace, {"vms": 10_000, "layout": "wide"},
        growth=Growth("VMs", "vms", (2_500, 5_000, 10_000)),
    ),
    "tidy-reading": Case(
        "build", inputs.trace, {"vms": 10_000, "layout": "tidy"},
        growth=Growth("VMs", "vms", (2_500, 5_000, 10_000)),
    ),
    "azure-month": Case(
        "run", inputs.azure_month, {"vms": 1_870_433}, {"vms": 300_000},
        Growth("first VMs of the month", "vms", (100_000, 200_000, 400_000)), 1, "azure",
    ),
    "pre-copy": Case(
        "simulation", inputs.lr_mmt_over_network, {"hours": 24}, {"hours": 4},
        Growth("hosts and VMs, times 800 and 1,052, 1 h", "times", (1, 2, 4), {"hours": 1}), 1,
    ),
    "transfers": Case(
        "transfers", _transfers, {"hosts": 1000, "at_a_time": 1000},
        growth=Growth("transfers at a time, 10,000 in all", "at_a_time", (1000, 2000, 5000)),
        repeats=2,
    ),
    "failing-year": Case("run", inputs.failing_year, {}, {"days": 60}, repeats=1),
    **{
        f"flat-100k-{model}": Case("simulation", inputs.flat, {"vms": 100_000, "model": model},
        {"hours": 6}, repeats=2) for model in MODELS
    },
    **{
        f"lr-mmt-{model}": Case("simulation", inputs.lr_mmt_with, {"model": model}, {"hours": 6},
        repeats=2) for model in MODELS
    },
}  # fmt: skip
"""What docs/performance.md is about, by name."""

GUARDED: dict[str, Case] = {
    **{name: case for name, case in CASES.items() if not name.endswith(("-start", *MODELS))},
    "flat-100k-all": CASES["flat-100k-all"],
    "tenants-10k": Case("run", inputs.flat, {"vms": 10_000, "tenants": True}),
    "planetlab-day": Case("run", inputs.library, {"name": "planetlab-day"}),
    "drs-dpm": Case("run", inputs.library, {"name": "drs-dpm"}, {"hours": 6}),
    "public-cloud": Case("run", inputs.library, {"name": "public-cloud"}, {"hours": 24}),
    "rack-failure": Case("run", inputs.library, {"name": "rack-failure-at-peak"}),
}
"""What versions are compared by: most of the cases, and some of the library's scenarios."""


def run(case: Case, given: tuple[str, ...], python: str, folder: Path, compiled: Path) -> Figures:
    """Run a case once with an interpreter; return its figures.

    They are CPU time in s and peak memory in MiB of the process, and what the stage printed.
    ``seconds`` is the time of the stage. Raises RuntimeError if it fails.
    """
    if case.whole:
        overrides = [word for override in given[1:] for word in ("--set", override)]
        with tempfile.TemporaryDirectory() as out:
            to = ("--quiet", "--out", f"{out}/run") if case.stage == "run" else ()
            command = [python, "-m", "farmsim", case.stage, *given[:1], *overrides, *to]
            taken, printed = used(command, folder, compiled), {}
    else:
        taken = used([python, str(STAGES), case.stage, *given], folder, compiled)
        printed = json.loads(taken.printed)
    figures = {"cpu_s": taken.cpu_s, "peak_mib": taken.peak_mib, **printed}
    return {**figures, "seconds": printed.get(f"{case.stage}_s", taken.cpu_s)}


def growing(name: str, case: Case | None = None) -> Iterator[tuple[Arguments, int, str]]:
    """Yield the sizes of a case, if it grows: arguments, the size, and the name of its figures.

    A size that is the full case has its name. ``case`` is that of the name, with its file.
    """
    case = case or CASES[name]
    if case.growth is None:
        return
    for value in case.growth.values:
        arguments = {**case.full, **case.growth.others, case.growth.argument: value}
        same = arguments == dict(case.full)
        yield arguments, value, name if same else f"{name} {case.growth.argument}={value}"


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the options that name files of the user's own."""
    for option, what in FILES.items():
        parser.add_argument(f"--{option}", type=Path, metavar="FILE", help=what)


def with_files(cases: Mapping[str, Case], options: argparse.Namespace) -> dict[str, Case]:
    """Return the cases that can be run with the files given; name the others on standard error."""
    found = {}
    for name, case in cases.items():
        file = getattr(options, case.file) if case.file else None
        if case.file and file is None:
            print(f"{name}: left out, needs --{case.file} FILE", file=sys.stderr)
        else:
            full = {**case.full, "file": file.resolve()} if file else case.full
            found[name] = replace(case, full=full)
    return found
