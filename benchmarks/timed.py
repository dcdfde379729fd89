"""Run a command as a process of its own, and see what it took: CPU time, peak memory.

A process begins with the resident set of the one that starts it, so that a small one has to start
what is measured: this file, run as a script.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

MIB_PER_KIB = 1 / 1024
NOT_PASSED_ON = ("PYTHON", "OPENBLAS", "OMP")
"""Beginnings of the names of variables that a measurement must not depend on."""


class Used(NamedTuple):
    """What a process took: CPU time in s, highest resident set in MiB; and what it printed.

    The time is user and system together, with that of all processes that it started and waited for.
    """

    cpu_s: float
    peak_mib: float
    printed: str


def used(command: Sequence[str], folder: Path, compiled: Path) -> Used:
    """Run a command in a folder and return what it took.

    Modules are compiled into a folder of their own, so that neither a read-only checkout nor a
    setting against compiled files makes every start compile anew. Raises RuntimeError with the
    first line of what the command said, if it fails.
    """
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(NOT_PASSED_ON)
    }
    environment |= {"PYTHONPYCACHEPREFIX": str(compiled), "OPENBLAS_NUM_THREADS": "1"}
    small = [sys.executable, "-S", str(Path(__file__).resolve()), *command]
    done = subprocess.run(
        small, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["failed"]
        # The last line of a traceback, the first line of a message of farmsim.
        raise RuntimeError(lines[-1 if lines[0].startswith("Traceback") else 0])
    return Used(**json.loads(done.stdout))


def main(command: Sequence[str]) -> int:
    """Run a command, print what it took as JSON, and return its exit code."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        printed = child.stdout.read()
        _, status, taken = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    cpu_s, peak_mib = taken.ru_utime + taken.ru_stime, taken.ru_maxrss * MIB_PER_KIB
    print(json.dumps(Used(cpu_s, peak_mib, printed)._asdict()))
    return child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
