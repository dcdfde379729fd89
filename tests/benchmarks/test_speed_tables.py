"""The tables of docs/performance.md follow from the figures, whatever part was measured."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("speed_tables")
    for name in [name for name in sys.modules if (ROOT / "benchmarks" / f"{name}.py").is_file()]:
        del sys.modules[name]


def figures(**seconds: float) -> dict[str, Any]:
    """Return figures of cases that took some time and 10 MiB each."""
    cases = {
        name.replace("_", "-").replace("-at-", " at_a_time="): {
            "seconds": taken, "peak_mib": 10.0, "vms": 100, "yardstick_s": 0.1,
        }
        for name, taken in seconds.items()
    }  # fmt: skip
    return {"machine": {"cores": 2}, "cases": cases}


def test_a_row_says_how_far_from_its_target_it_is(tables: Any) -> None:
    blocks = tables.blocks(figures(validate=0.5, help=0.1))
    rows = {line.split("|")[1].strip(): line for line in blocks["work"].splitlines()}
    assert rows["`farmsim validate library/first-steps`"].endswith(
        "| 0.50 s | 2.00 | 10 | **missed** |"
    )
    assert rows["`farmsim --help`"].endswith("| 0.10 s | 0.67 | 10 | met |")
    assert "not measured" in rows["`farmsim run library/first-steps`"]
    assert f"first-steps`: {tables.WHY_MISSED['validate']}." in blocks["missed"]
    assert "--help" not in blocks["missed"]


def test_a_row_that_nobody_has_explained_says_so(tables: Any) -> None:
    tables.WHY_MISSED.pop("validate")
    assert f": {tables.NOT_STATED}." in tables.blocks(figures(validate=0.5))["missed"]


def test_more_than_the_allowed_memory_misses_a_target(tables: Any) -> None:
    found = figures(tidy_reading=0.5)
    assert "tidy" not in tables.blocks(found)["missed"]
    found["cases"]["tidy-reading"]["peak_mib"] = 500.0
    assert "tidy" in tables.blocks(found)["missed"]


def test_growth_is_the_exponent_between_sizes(tables: Any) -> None:
    blocks = tables.blocks(figures(transfers=1.0, transfers_at_2000=2.0, transfers_at_5000=12.5))
    assert "1.00 → 2.00 → 12.50 | 1.00, 2.00 |" in blocks["growth"]
    assert f"| {1.5693:.2f} |" in blocks["work"]


def test_the_start_does_not_count_as_samples(tables: Any) -> None:
    found = figures(flat_100k=3.0, flat_100k_start=1.0)
    assert f"| {100 * 286 / 2.0 / 1e6:.2f} million/s |" in tables.blocks(found)["work"]


def test_every_table_has_its_place_in_the_page(tables: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text((ROOT / "docs" / "performance.md").read_text("utf-8"), "utf-8")
    renew = importlib.import_module("page_tables").renew
    blocks = tables.blocks(figures(validate=0.5))
    renew(page, blocks)
    assert all(block in page.read_text("utf-8") for block in blocks.values())
    with pytest.raises(KeyError, match="no block 'unknown'"):
        renew(page, {"unknown": ""})
