"""Measure how long traces and arrivals of many VMs take to be read from tables.

``python benchmarks/traces.py`` writes a day at 5 minutes of 10,000 VMs (``--vms N``) as wide and
tidy Parquet and CSV, tidy also in the order of VMs, and 1,870,000 VMs that come and go
(``--arrivals N``) as Parquet and CSV, the same for the same numbers. It prints for each the CPU
time of reading alone and of the whole command ``farmsim run`` without a baseline, and the highest
resident set of both. ``--python PYTHON`` measures the farmsim of another interpreter as well, in
turn with this one; ``--repeat N`` measures N times and prints the medians.

Reading alone counts from after the libraries are imported, so that it shows what grows with the
table. Arrivals are only read.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import speed_inputs as inputs
import yaml
from pyarrow import csv, parquet
from timed import used

READ_TRACE = """
import sys, time
from pathlib import Path
from pyarrow import csv, parquet
from farmsim.scenarios.traces.demand_tables import TableTrace
from farmsim.scenarios.traces.trace import Rules
kind, layout = sys.argv[1:]
trace = TableTrace(type=kind, path="trace." + kind, layout=layout, unit="percent")
began_s = time.process_time()
trace.read(Path(), Rules())
print(time.process_time() - began_s)
"""
READ_ARRIVALS = """
import sys, time
from pathlib import Path
from pyarrow import csv, parquet
from farmsim.scenarios.readers.arrival_tables import read_arrival_table
from farmsim.scenarios.spec.arrivals import TableArrivals
arrivals = TableArrivals(type="table", path="arrivals." + sys.argv[1], memory_unit="GiB")
began_s = time.process_time()
read_arrival_table(arrivals, Path(arrivals.path), [])
print(time.process_time() - began_s)
"""
Write = Callable[[Any, Path], None]
WRITE: dict[str, Write] = {"parquet": parquet.write_table, "csv": csv.write_csv}
TRACES = {
    "wide Parquet": ("parquet", "wide", False),
    "tidy Parquet": ("parquet", "tidy", False),
    "tidy Parquet by VM": ("parquet", "tidy", True),
    "wide CSV": ("csv", "wide", False),
    "tidy CSV": ("csv", "tidy", False),
    "tidy CSV by VM": ("csv", "tidy", True),
}
"""Type and layout of each table, and whether its rows are in the order of VMs."""
ARRIVALS = {"arrivals Parquet": "parquet", "arrivals CSV": "csv"}


def write_trace(folder: Path, vms: int, kind: str, layout: str, by_vm: bool) -> None:
    """Write the trace of :func:`speed_inputs.trace` in a format, and a scenario that reads it."""
    inputs.trace(folder, vms, layout)
    table = parquet.read_table(folder / "trace.parquet")
    if by_vm:
        table = table.take(np.arange(len(table)).reshape(-1, vms).T.ravel())
    WRITE[kind](table, folder / f"trace.{kind}")
    path = folder / "scenario.yaml"
    parts = yaml.safe_load(path.read_text(encoding="utf-8"))
    parts["workload"]["source"] |= {"type": kind, "path": f"trace.{kind}"}
    inputs.written(folder, parts)


def write_arrivals(folder: Path, vms: int, kind: str) -> None:
    """Write VMs that come and go, in order of arrival over 30 days, with names."""
    random = np.random.default_rng(1)
    table = pa.table({
        "vm": [f"vm-{number:07}" for number in range(vms)],
        "arrival": np.sort(random.integers(0, 30 * 86_400, vms)),
        "lifetime": random.exponential(20_000, vms).round(1) + 1,
        "vcpus": random.choice([1, 2, 4, 8], vms),
        "memory": random.choice([1.75, 3.5, 7, 14], vms),
        "utilisation": random.uniform(1, 99, vms).round(1),
    })  # fmt: skip
    WRITE[kind](table, folder / f"arrivals.{kind}")


def medians(commands: Sequence[Sequence[str]], folder: Path, repeat: int) -> list[list[float]]:
    """Return for each command CPU time in s, peak in MiB, and the number that it printed, if any.

    The commands are run in turn, after a run each that does not count.
    """
    found: list[list[list[float]]] = [[] for _ in commands]
    for turn in range(repeat + 1):
        for command, rows in zip(commands, found, strict=True):
            taken = used(command, folder, folder / "compiled")
            if turn:
                rows.append([taken.cpu_s, taken.peak_mib, float(taken.printed or 0)])
    return [[statistics.median(column) for column in zip(*rows, strict=True)] for rows in found]


def lines(name: str, pythons: Sequence[str], sizes: tuple[int, int], repeat: int) -> Iterator[str]:
    """Yield a row per interpreter for a table of so many VMs (of traces, of arrivals)."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if name in ARRIVALS:
            write_arrivals(folder, sizes[1], ARRIVALS[name])
            reading = [READ_ARRIVALS, ARRIVALS[name]]
        else:
            write_trace(folder, sizes[0], *TRACES[name])
            reading = [READ_TRACE, *TRACES[name][:2]]
        commands = [[python, "-c", *reading] for python in pythons]
        alone = medians(commands, folder, repeat)
        whole: list[list[float] | None] = [None] * len(pythons)
        if name in TRACES:
            run = ["-m", "farmsim", "run", "scenario.yaml", "--quiet", "--out", "run"]
            commands = [[python, *run] for python in pythons]
            whole = [*medians(commands, folder, repeat)]
        for which, (_, read_mib, read_s), run_of in zip(
            ("this", "other"), alone, whole, strict=False
        ):
            row = f"{name:20}{which:7}{read_s:9.2f}{read_mib:9.0f}"
            yield row + (f"{run_of[0]:9.2f}{run_of[1]:9.0f}" if run_of else "")


def main() -> None:
    """Print the table row by row, as it is measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    every = [*TRACES, *ARRIVALS]
    parser.add_argument("--case", choices=every, action="append", help="only this; repeatable")
    parser.add_argument("--vms", type=int, default=10_000, metavar="N", help="VMs of a trace")
    parser.add_argument("--arrivals", type=int, default=1_870_000, metavar="N", help="VMs to come")
    parser.add_argument("--python", metavar="PYTHON", help="interpreter of another farmsim")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs that count")
    given = parser.parse_args()
    if min(given.repeat, given.vms, given.arrivals) < 1:
        parser.error("numbers must be 1 or more")
    pythons = [sys.executable, *([given.python] if given.python else [])]
    head = ("read, s", "MiB", "whole, s", "MiB")
    print(f"{'table':20}{'':7}" + "".join(f"{each:>9}" for each in head), flush=True)
    for name in given.case or every:
        for line in lines(name, pythons, (given.vms, given.arrivals), given.repeat):
            print(line, flush=True)


if __name__ == "__main__":
    main()
