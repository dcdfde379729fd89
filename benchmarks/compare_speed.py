"""Compare how fast two versions of farmsim are, in CPU time, on a fixed set of cases.

``python benchmarks/compare_speed.py PYTHON CHECKOUT`` runs every case in turn with this checkout
and with another one, which is installed, editable, for the interpreter PYTHON, and prints the ratio
of the two: above 1 this version is slower. ``make bench-compare BASE=COMMIT`` sets the other one up
below a temporary folder.

A time is CPU time, user and system together, of a process of its own, start included. The two
versions alternate, after a run each that does not count; the ratio is the median over the pairs, so
that what else the machine does at the time touches both. What one of the versions cannot run, as a
scenario that its library does not have, is said to be so.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
SHORTER = "run.duration={} h"

CASES: dict[str, tuple[str, ...]] = {
    "help": ("--help",),
    "validate": ("validate", "library/first-steps"),
    "first-steps": ("run", "library/first-steps"),
    "planetlab-day": ("run", "library/planetlab-day"),
    "beloglazov2012, 3 h": ("run", "library/beloglazov2012", "--set", SHORTER.format(3)),
    "drs-dpm, 6 h": ("run", "library/drs-dpm", "--set", SHORTER.format(6)),
    "public-cloud, 24 h": ("run", "library/public-cloud", "--set", SHORTER.format(24)),
    "rack-failure-at-peak": ("run", "library/rack-failure-at-peak"),
    "10,000 VMs": ("run", "plain.yaml"),
    "10,000 VMs, tenants": ("run", "tenants.yaml"),
}
"""Arguments of farmsim; the scenarios that are in no library are written by :func:`write_large`."""

LARGE = """\
farmsim: 1
run: {{duration: 24 h}}
farm:
  hosts: [{{name: rack, server: dell_r740_8280, count: 1000, hypervisor: kvm}}]
{tenants}
workload:
  source: planetlab-20110303
  vms: 10000
  sizes:
{sizes}
policies:
  initial: {{placement: round_robin, count_by: size}}
  every: 5 min
  control: none
"""
SIZE = "    - {{name: s{0}, vcpus: 2, clock: 2.5 GHz, memory: 4 GiB, share: 25 %{1}}}"


def write_large(folder: Path) -> None:
    """Write scenarios of 10,000 VMs without control: plain, and with tenants and a class.

    The files are called ``plain.yaml`` and ``tenants.yaml``. VMs are of four sizes, alike but for
    the tenant, so that the second differs from the first in tenants and classes only.
    """
    four = "tenants: [{name: t0}, {name: t1}, {name: t2}, {name: t3}]"
    for name, tenants, whose in (("plain", "", ""), ("tenants", four, ", class: web, tenant: t{}")):
        sizes = [SIZE.format(n, whose.format(n)) for n in range(4)]
        text = LARGE.format(tenants=tenants, sizes="\n".join(sizes))
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def cpu_s(python: str, arguments: Sequence[str], folder: Path) -> float:
    """Run farmsim in a folder; return the CPU time that it took. Raises RuntimeError.

    In s, user and system together, of the process and of all that it started. Its message is the
    first line that farmsim printed. Output goes to a folder that is removed.
    """
    with tempfile.TemporaryDirectory(dir=folder) as out:
        to = ("--quiet", "--out", str(Path(out, "run"))) if arguments[0] == "run" else ()
        command = [python, "-m", "farmsim", *arguments, *to]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["failed"])[0])
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def source_of(python: str, folder: Path) -> Path:
    """Return the folder of the farmsim that an interpreter imports."""
    command = [python, "-c", "import farmsim; print(farmsim.__file__)"]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return Path(found.stdout.strip()).resolve().parent


def lines(python: str, chosen: Sequence[str], pairs: int, folder: Path) -> Iterator[str]:
    """Yield the table line by line, as soon as a case has been measured.

    ``pairs`` are measured after one that does not count. A ratio whose range from lowest to highest
    includes 1 proves no difference.
    """
    yield f"{'case':24}{'other, s':>10}{'this, s':>10}{'ratio':>8}   lowest to highest"
    for name in chosen:
        try:
            times = [
                (cpu_s(python, CASES[name], folder), cpu_s(sys.executable, CASES[name], folder))
                for _ in range(pairs + 1)
            ][1:]
        except RuntimeError as error:
            yield f"{name:24}not measured: {error}"
            continue
        other_s, this_s = (statistics.median(column) for column in zip(*times, strict=True))
        ratios = [this / other for other, this in times]
        ratio = statistics.median(ratios)
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        yield f"{name:24}{other_s:10.2f}{this_s:10.2f}{ratio:8.2f}   {spread}"


def main() -> None:
    """Read the arguments, see that they name two versions, and print the table.

    Exits with an error of usage if an interpreter imports another farmsim than the one it is said
    to.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("python", help="interpreter of the other version's environment")
    parser.add_argument("checkout", type=Path, help="folder of the other version's source")
    parser.add_argument("--case", action="append", choices=CASES, help="only this case; repeatable")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs per case")
    given = parser.parse_args()
    if given.pairs < 1:
        parser.error("--pairs must be at least 1")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for python, source in ((given.python, given.checkout.resolve()), (sys.executable, HERE)):
            found = source_of(python, folder)
            if found not in {source, source / "farmsim"}:  # the root was the package once
                parser.error(f"{python} runs the farmsim of {found}, not that of {source}")
        write_large(folder)
        for line in lines(given.python, given.case or list(CASES), given.pairs, folder):
            print(line, flush=True)


if __name__ == "__main__":
    main()
