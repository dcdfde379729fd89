"""Compare how fast two versions of farmsim are, in CPU time, on a fixed set of cases.

``python benchmarks/compare_speed.py PYTHON CHECKOUT`` runs every case in turn with this checkout
and with another one, which is installed, editable, for the interpreter PYTHON, and prints the ratio
of the two: above 1 this version is slower. ``make bench-compare BASE=COMMIT`` sets the other one up
below a temporary folder. Long cases are shortened; ``--full`` runs them as docs/performance.md
describes them, which takes hours against a slow version.

A time is CPU time, user and system together: of a whole command, start included, or of a stage of
it, such as the simulation alone. The two versions alternate, after a run each that does not count;
the ratio is the median over the pairs, so that what else the machine does at the time touches both.
Memory is the highest resident set of all runs. What one of the versions cannot run, as a scenario
that its library does not have, is said to be so.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from speed_cases import GUARDED, Case, Figures, add_files, run, with_files

HERE = Path(__file__).resolve().parent.parent


def source_of(python: str, folder: Path) -> Path:
    """Return the folder of the farmsim that an interpreter imports."""
    command = [python, "-c", "import farmsim; print(farmsim.__file__)"]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return Path(found.stdout.strip()).resolve().parent


def line(name: str, pairs: list[tuple[Figures, Figures]]) -> str:
    """Return the row of a case from its pairs of runs, the other version first.

    A ratio whose range from lowest to highest includes 1 proves no difference.
    """
    other_s, this_s = (
        statistics.median(each["seconds"] for each in side) for side in zip(*pairs, strict=True)
    )
    other_mib, this_mib = (
        max(each["peak_mib"] for each in side) for side in zip(*pairs, strict=True)
    )
    ratios = [this["seconds"] / other["seconds"] for other, this in pairs]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return (
        f"{name:18}{other_s:10.2f}{this_s:10.2f}{statistics.median(ratios):8.2f}   {spread:14}"
        f"{other_mib:12,.0f}{this_mib:12,.0f}"
    )


def lines(python: str, cases: dict[str, Case], pairs: int, full: bool) -> Iterator[str]:
    """Yield the table line by line, as soon as a case has been measured.

    ``pairs`` are measured after one that does not count.
    """
    yield (
        f"{'case':18}{'other, s':>10}{'this, s':>10}{'ratio':>8}   {'lowest-highest':14}"
        f"{'other, MiB':>12}{'this, MiB':>12}"
    )
    with tempfile.TemporaryDirectory() as compiled:
        for name, case in cases.items():
            with tempfile.TemporaryDirectory() as where:
                folder = Path(where)
                given = case.given(folder, **{**case.full, **({} if full else case.short)})
                try:
                    measured = [
                        tuple(
                            run(case, given, each, folder, Path(compiled))
                            for each in (python, sys.executable)
                        )
                        for _ in range(pairs + 1)
                    ][1:]
                except RuntimeError as error:
                    yield f"{name:18}not measured: {error}"
                    continue
            yield line(name, measured)


def main() -> None:
    """Read the arguments, see that they name two versions, and print the table.

    Exits with an error of usage if an interpreter imports another farmsim than the one it is said
    to.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("python", help="interpreter of the other version's environment")
    parser.add_argument("checkout", type=Path, help="folder of the other version's source")
    parser.add_argument(
        "--case", action="append", choices=GUARDED, help="only this case; repeatable"
    )
    parser.add_argument("--pairs", type=int, default=3, help="pairs of runs per case")
    parser.add_argument("--full", action="store_true", help="do not shorten long cases")
    add_files(parser)
    given = parser.parse_args()
    if given.pairs < 1:
        parser.error("--pairs must be at least 1")
    with tempfile.TemporaryDirectory() as folder:
        for python, source in ((given.python, given.checkout.resolve()), (sys.executable, HERE)):
            found = source_of(python, Path(folder))
            if found not in {source, source / "farmsim"}:  # the root was the package once
                parser.error(f"{python} runs the farmsim of {found}, not that of {source}")
    cases = with_files({name: GUARDED[name] for name in given.case or GUARDED}, given)
    for row in lines(given.python, cases, given.pairs, given.full):
        print(row, flush=True)


if __name__ == "__main__":
    main()
