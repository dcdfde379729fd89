"""Measure how fast farmsim is: every row of docs/performance.md, growth with size, each model.

``python benchmarks/speed.py`` measures every case in processes of its own and prints the tables;
``--case NAME`` measures that one with its sizes only (repeatable). ``--surf FILE`` and ``--azure
FILE`` name traces of your own, without which their cases are left out. ``--json FILE`` adds the
figures to those of the same machine in a file, so that the cases can be measured in several parts;
``--read FILE`` prints those of a file instead of measuring; ``--markdown PAGE`` writes the tables
of docs/performance.md anew.

A time is CPU time, user and system together, the lowest of the repeats; memory is the highest
resident set of all of them. Before each case the same NumPy loops run as a yardstick: if their
times differ much, the machine was not idle.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import page_tables
import speed_tables
from speed_cases import CASES, Case, add_files, growing, run, with_files

LIBRARIES = ("farmsim", "numpy", "scipy", "simpy", "pydantic", "pyarrow", "plotly")

Figures = dict[str, Any]


def measured(case: Case, arguments: Figures, repeats: int, compiled: Path) -> Figures:
    """Return the figures of the fastest repeat, with the highest memory of all.

    What is a whole command runs once more at first, which compiles its modules.
    """
    loop_s = yardstick()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = case.given(folder, **arguments)
        runs = [
            run(case, given, sys.executable, folder, compiled)
            for _ in range(repeats + (case.whole and repeats > 1))
        ]
    best = min(runs, key=lambda each: each["seconds"])
    best["peak_mib"] = max(each["peak_mib"] for each in runs)
    rounded = {name: round(value, 4) for name, value in best.items()}
    return {**rounded, "repeats": repeats, "yardstick_s": round(loop_s, 4)}


def yardstick() -> float:
    """Return the CPU time in s of fixed NumPy loops over 800 numbers."""
    numbers = np.linspace(0.0, 1.0, 800)
    held = np.empty_like(numbers)
    start_s = time.process_time()
    for _ in range(30_000):
        np.multiply(numbers, 1.5, out=held)
        np.minimum(held, numbers, out=held)
        held.argmin()
    return time.process_time() - start_s


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


def measure_all(cases: dict[str, Case], names: Sequence[str], file: Path | None) -> Figures:
    """Measure cases and their sizes, and return their figures with those of the machine.

    A size other than the full case is measured once. Figures are added to the file, if there is
    one, as soon as a case is measured.
    """
    found: Figures = {}
    figures: Figures = {"machine": machine(), "cases": found}
    with tempfile.TemporaryDirectory() as compiled:
        for name, case in cases.items():
            wanted = {name: (case.full, case.repeats)}
            wanted |= {
                key: (arguments, 1)
                for arguments, _, key in growing(name, case)
                if key not in {name, *names}
            }
            for key, (arguments, repeats) in wanted.items():
                begin_s = time.monotonic()
                found[key] = measured(case, dict(arguments), repeats, Path(compiled))
                told = f"{found[key]['seconds']:.2f} s of CPU, {found[key]['peak_mib']:,.0f} MiB"
                took_s = time.monotonic() - begin_s
                print(f"{key}: {told}; took {took_s:.0f} s", file=sys.stderr, flush=True)
            if file:
                figures = joined({"machine": machine(), "cases": found}, file)
                file.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return figures


def joined(new: Figures, file: Path) -> Figures:
    """Return new figures with those of a file that were measured on the same machine.

    Figures of another machine, or of other versions of the libraries, are dropped.
    """
    old = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    kept = old.get("cases", {}) if old.get("machine") == new["machine"] else {}
    return {**new, "cases": dict(sorted((kept | new["cases"]).items()))}


def main() -> None:
    """Measure or read figures, print the tables, and write them where the options say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--case", action="append", choices=CASES, help="only this one; repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the figures to this file")
    parser.add_argument("--read", type=Path, metavar="FILE", help="print the figures of a file")
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="write a page's tables anew")
    add_files(parser)
    options = parser.parse_args()
    if options.read:
        figures = json.loads(options.read.read_text("utf-8"))
    else:
        chosen = {name: CASES[name] for name in options.case or CASES}
        figures = measure_all(with_files(chosen, options), list(chosen), options.json)
    print(speed_tables.text(figures))
    if options.markdown:
        page_tables.renew(options.markdown, speed_tables.blocks(figures))


if __name__ == "__main__":
    main()
