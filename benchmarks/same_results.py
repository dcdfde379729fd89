"""Compare the results of two versions of farmsim, value by value.

``python benchmarks/same_results.py write FOLDER [--python PYTHON] [--jobs N] [--only NAME]`` runs
the cases of ``same_cases.py`` by the command line of the farmsim that PYTHON imports: every library
scenario in full (those with variants as a comparison, claims with ``--overhead-range``),
evacuation, failover, optimum, small scenarios with wide coverage, five seeds of one in which VMs
come and go, hosts fail and moves are cancelled, and what ``catalog``, ``explain``, ``validate``
and ``schema`` print.
One case is shortened: beloglazov2012 under a static threshold, to 6 h. All of it takes about
five minutes on one core, and 100 MB. Pages are kept as their text and the data of their figures.

``python benchmarks/same_results.py compare OLD NEW [--names MAP.json]`` exits with 1 unless both
hold the same results: tables by name, type, unit, order and every value, floats by their bits (NaN
equals NaN); JSON by every value, floats as they print. What was renamed is mapped by its names in
OLD; ``null`` instead of a new name leaves it out::

    {"tables": {"old": "new"}, "columns": {"table.old": "new"}, "files": {"old.html": "new.html"},
     "metrics": {"old": "new"},
     "values": {"old": "new", "breaks rule *": "violates *", "table.column": {"old": "new"}}}

``metrics`` also renames keys and texts in JSON, and texts in columns called ``metric``; ``files``
renames cases, folders and files (a page as ``report.html.txt`` and ``report.figures.json``).
Sentences (printed text, pages, texts with a space in JSON, labels of figures, descriptions of
columns, the JSON Schema, resolved scenarios) are words: reported apart, and a failure only with
``--words``. Where their numbers differ too, they are marked.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from same_cases import CASES, SCENARIOS, TABLES
from same_differences import LEFT_OUT, MADE_BY, Names, differences

LIBRARY_CHARACTERS = 1_000_000
"""A script of a page that is longer is the drawing library, and not a figure."""


class Page(HTMLParser):
    """The text of a page, and the data of its figures by their names."""

    def __init__(self) -> None:
        super().__init__()
        self.tag = ""
        self.lines: list[str] = []
        self.figures: dict[str, Any] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what the following text is part of."""
        del attrs
        self.tag = tag

    def handle_endtag(self, tag: str) -> None:
        """Forget a script or a style sheet that has ended."""
        self.tag = "" if tag == self.tag else self.tag

    def handle_data(self, data: str) -> None:
        """Take a text as lines, a script as figures."""
        if self.tag == "script" and len(data) < LIBRARY_CHARACTERS:
            for found in re.finditer(r'Plotly\.newPlot\("([^"]+)",\s*', data):
                self.figures[found[1]] = json.JSONDecoder().raw_decode(data, found.end())[0]
        elif self.tag not in {"script", "style"}:
            self.lines += [line.strip() for line in data.splitlines() if line.strip()]


def keep_page(path: Path) -> None:
    """Replace a page by its text and the data of its figures.

    The text goes beside it as ``.html.txt``, the data of its figures as ``.figures.json``: a page
    as such holds the drawing library, and differs with its version.
    """
    page = Page()
    page.feed(path.read_text("utf-8"))
    path.with_suffix(".html.txt").write_text("\n".join(page.lines) + "\n", "utf-8")
    path.with_suffix(".figures.json").write_text(json.dumps(page.figures), "utf-8")
    path.unlink()


def write_case(name: str, folder: Path, python: str) -> list[str]:
    """Run the commands of a case in a folder of its own; return what ended otherwise than meant.

    The folder is made anew. What each command prints is kept as ``printed-N.txt``, JSON apart;
    widths and colours of the terminal are fixed. Inputs are removed at the end, so that only
    results are left.
    """
    case, wrong = folder / name, []
    shutil.rmtree(case, ignore_errors=True)
    case.mkdir()
    lines = CASES[name]
    inputs = {f"{key}.yaml": text for key, text in SCENARIOS.items()} | TABLES
    for file, text in inputs.items():
        (case / file).write_text(text, "utf-8")
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    for number, line in enumerate(lines):
        command = [python, "-m", "farmsim", *shlex.split(line.removeprefix("!"))]
        done = subprocess.run(
            command, cwd=case, env=environment, capture_output=True, text=True, check=False
        )
        printed, rest = f"printed-{number}.txt", f"code {done.returncode}\n{done.stderr}"
        if "--json" in command and not done.returncode:
            (case / f"printed-{number}.json").write_text(done.stdout, "utf-8")
        else:
            rest = done.stdout + rest
        (case / printed).write_text(f"{line}\n{rest}", "utf-8")
        if bool(done.returncode) != line.startswith("!"):
            said = (done.stderr.strip().splitlines() or [""])[-1]
            wrong.append(f"{name}: {line}: exit code {done.returncode}: {said}")
    for file in inputs:
        (case / file).unlink()
    for page in case.rglob("*.html"):
        keep_page(page)
    return wrong


def is_wanted(case: str, only: Collection[str]) -> bool:
    """Return whether a case is one of those asked for, or all are."""
    return not only or any(fnmatch(case, pattern) for pattern in only)


def write(folder: Path, python: str, jobs: int, only: Collection[str]) -> int:
    """Run cases and keep their results; return 1 if a command ended otherwise than meant.

    ``jobs`` commands run at a time. A folder that holds anything else is refused.
    """
    begun = time.monotonic()
    if folder.exists() and any(folder.iterdir()) and not (folder / MADE_BY).exists():
        sys.exit(f"{folder} is not empty and was not written by this script")
    folder.mkdir(parents=True, exist_ok=True)
    told = "import farmsim, json; print(json.dumps([farmsim.__file__, farmsim.__version__]))"
    command = [python, "-c", told]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    (folder / MADE_BY).write_text(done.stdout, "utf-8")
    chosen = [name for name in CASES if is_wanted(name, only)]
    with ThreadPoolExecutor(jobs) as pool:
        run = partial(write_case, folder=folder.resolve(), python=python)
        wrong = [line for lines in pool.map(run, chosen) for line in lines]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(chosen)} cases in {time.monotonic() - begun:.0f} s, {len(wrong)} commands failed")
    return int(bool(wrong))


def compare(
    old: Path, new: Path, names: Names, only: Collection[str], lines: int, words: bool
) -> int:
    """Print how two folders of results differ; return the exit code.

    At most ``lines`` differences of a file are printed. Results that differ give 1; words only if
    ``words`` is set.
    """
    for top in (old, new):
        if not (top / MADE_BY).exists():
            sys.exit(f"{top} holds no results: {MADE_BY} is missing")
        print(f"{top}: {(top / MADE_BY).read_text('utf-8').strip()}")
    found = [
        one for one in differences(old, new, names) if is_wanted(one.file.partition("/")[0], only)
    ]
    results = [one for one in found if not one.words]
    sentences = Counter(one.what for one in found if one.words)
    for file in dict.fromkeys(one.file for one in results):
        here = [one.what for one in results if one.file == file]
        print(file, *(f"    {what[:300]}" for what in here[:lines]), sep="\n")
        if len(here) > lines:
            print(f"    … and {len(here) - lines} more")
    for what, times in sentences.most_common(None if words else lines):
        print(f"words, {times} times: {what[:400]}")
    print(f"not compared: {', '.join(LEFT_OUT)} in manifests, hash in comparisons")
    print(f"differences of results: {len(results)}")
    print(f"differences of words: {len(sentences)}, in {sentences.total()} places")
    return int(bool(results) or (words and bool(sentences)))


def main() -> None:
    """Read the arguments, and write or compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    writes = verbs.add_parser("write", help="run all cases and keep their results")
    writes.add_argument("folder", type=Path)
    writes.add_argument(
        "--python", default=sys.executable, help="interpreter of the version to run"
    )
    writes.add_argument("--jobs", type=int, default=1, help="commands at a time")
    compares = verbs.add_parser("compare", help="compare two folders of results")
    compares.add_argument("old", type=Path)
    compares.add_argument("new", type=Path)
    compares.add_argument("--names", type=Path, help="JSON file of what was renamed")
    compares.add_argument("--lines", type=int, default=8, help="differences shown per file")
    compares.add_argument("--words", action="store_true", help="list all words, and fail by them")
    for verb in (writes, compares):
        verb.add_argument("--only", action="append", default=[], help="case or pattern; repeatable")
    given = parser.parse_args()
    if given.verb == "write":
        sys.exit(write(given.folder, given.python, given.jobs, given.only))
    names = Names(**json.loads(given.names.read_text("utf-8"))) if given.names else Names()
    sys.exit(compare(given.old, given.new, names, given.only, given.lines, given.words))


if __name__ == "__main__":
    main()
