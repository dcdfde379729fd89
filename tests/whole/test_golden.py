"""Each scenario of the library gives what it gave: a change of a result is seen and meant.

``FARMSIM_WRITE_GOLDEN=1 pytest tests/whole/test_golden.py`` writes the figures again.
"""

import json
import os
from pathlib import Path

import pytest

import farmsim
from farmsim.scenarios.loader import library

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
SHORTER = {
    "beloglazov2012": ["run.duration=3 h"],
    "drs-dpm": ["run.duration=12 h"],
    "public-cloud": ["run.duration=8 h"],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.thorough)
        if name.startswith("claim") or name == "black-friday"
        else name
        for name in library()
    ],
)
def test_library_scenario(name: str) -> None:
    result = farmsim.run(f"library/{name}", *SHORTER.get(name, []))
    # Six digits: another processor may add in another order, but must decide the same.
    summary = {
        metric: float(f"{entry['value']:.6g}") if entry["value"] is not None else None
        for metric, entry in result.summary.items()
        if isinstance(entry, dict) and "value" in entry
    }
    path = GOLDEN / f"{name}.json"
    if "FARMSIM_WRITE_GOLDEN" in os.environ:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(summary, indent=1) + "\n")
    golden = json.loads(path.read_text())
    assert summary.keys() == golden.keys()
    valued = {metric for metric, value in golden.items() if value is not None}
    assert {metric for metric, value in summary.items() if value is not None} == valued
    assert {metric: summary[metric] for metric in valued} == pytest.approx(
        {metric: golden[metric] for metric in valued}, rel=2e-6
    )
