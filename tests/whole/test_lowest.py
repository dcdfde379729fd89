"""The lowest versions that are allowed: written once, and tried by CI."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "lowest.py"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def constraints(*extras: str) -> dict[str, str]:
    command = [sys.executable, str(SCRIPT), *extras]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(line.split("==") for line in done.stdout.splitlines())


def test_every_dependency_has_a_floor_that_becomes_a_constraint() -> None:
    written = {f"{name}>={version}" for name, version in constraints().items()}
    assert written == set(PROJECT["dependencies"])
    assert "pydantic" in constraints()


def test_extras_are_included() -> None:
    found = constraints("pandas", "dev")
    assert constraints().items() < found.items()
    for name in ("pandas", "pytest", "hypothesis", "jsonschema"):
        assert name in found


def test_ci_takes_the_floors_from_the_project_alone() -> None:
    text = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "python3 .ci/lowest.py" in text
    assert not re.search(r"[=<>~]=\s*[0-9]", text), "a version of its own"


def test_the_floor_of_pydantic_is_one_that_reads_scenarios() -> None:
    """Before 2.11.4 scenarios, or their schema, ended in an internal error of pydantic."""
    assert tuple(map(int, constraints()["pydantic"].split("."))) >= (2, 11, 4)
