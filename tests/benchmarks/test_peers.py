"""The comparison with other simulators says what is missing where they are not installed."""

import os
import subprocess
import sys
from pathlib import Path

COMMAND = Path(__file__).resolve().parents[2] / "benchmarks" / "peers" / "compare_peers.py"


def compared(path: Path, *arguments: str) -> tuple[int, str]:
    """Run the command with the tools of one folder only; return its exit code and its message."""
    done = subprocess.run(
        [sys.executable, str(COMMAND), *arguments],
        env={**os.environ, "PATH": str(path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_missing_tools_are_named(tmp_path: Path) -> None:
    code, said = compared(tmp_path, "cloudsim-plus")
    assert (code, said) == (
        2, "cloudsim-plus needs java, mvn: install it, or leave this peer out\n"
    )  # fmt: skip


def test_a_missing_copy_of_a_repository_is_asked_for(tmp_path: Path) -> None:
    cargo = tmp_path / "cargo"
    cargo.write_text("#!/bin/sh\nexit 1\n")
    cargo.chmod(0o755)
    code, said = compared(tmp_path, "dslab", "--checkout", str(tmp_path))
    assert (code, said) == (2, "dslab needs --checkout FOLDER, a copy of DSLab's repository\n")


def test_a_build_that_fails_shows_what_it_said(tmp_path: Path) -> None:
    for tool in ("java", "mvn"):
        (tmp_path / tool).write_text("#!/bin/sh\necho no network\nexit 1\n")
        (tmp_path / tool).chmod(0o755)
    code, said = compared(tmp_path, "cloudsim-plus")
    assert code == 2
    assert said.startswith("mvn ")
    assert said.endswith("failed:\nno network\n")
