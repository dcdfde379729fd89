"""The claims: each scenario has the direction that its page states, and so has what fails it."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import farmsim
from farmsim import Comparison

PAGES = Path(__file__).parent.parent / "docs" / "claims"


@cache
def compared(name: str, *overrides: str, band: bool = False) -> Comparison:
    """Compare the variants of a claim's scenario over 3 hours, or as ``overrides`` say."""
    shorter = ("run.duration=3 h", *overrides)
    return farmsim.compare(f"library/claim-{name}", overrides=shorter, band=band)


def value(comparison: Comparison, metric: str, variant: str, level: str = "typical") -> float:
    """Return a figure of a variant."""
    found: float = comparison.result(variant, level).value(metric)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_tables_of_the_page_are_what_its_commands_give(page: Path) -> None:
    done = subprocess.run(
        [sys.executable, PAGES.parent / "claims.py", "--check", page.stem.split("-")[0]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"run python docs/claims.py\n{done.stdout}{done.stderr}"
