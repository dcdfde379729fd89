"""Rounds of the compiled kernel: where it was built, all results are those of Python."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from all_results import all_results
from farm_draws import Mapping, farms, scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.models.base.kernel import VARIABLE, compiled, kernel
from farmsim.policies.control import compiled_round, consolidation

OVERLOAD = [
    {"policy": "static_threshold", "threshold": "60 %"},
    {"policy": "local_regression", "samples": 3},
    {"policy": "median_absolute_deviation", "history": "host"},
]
DRAIN = [
    "none",
    {"policy": "least_utilised", "below": "100 %"},
    {"policy": "least_utilised", "below": "90 %", "drain_receivers": True, "skip_idle_hosts": True},
]
PLACEMENT = [
    {"policy": "power_aware_best_fit_decreasing", "compare_with": each}
    for each in ("tentative", "measured")
]
needs_kernel = pytest.mark.skipif(compiled() is None, reason="the kernel was not compiled")


@contextmanager
def counted() -> Iterator[list[bool]]:
    """Yield a list that says of each round whether the kernel decided it."""
    rounds: list[bool] = []

    def play(*arguments: Any) -> Any:
        played = compiled_round.play(*arguments)
        rounds.append(played is not None)
        return played

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consolidation, "play", play)
        yield rounds


def played(made: Mapping, folder: Path) -> dict[str, Any]:
    return all_results(farmsim.run(farmsim.Scenario.of(made, folder)))


def in_python(made: Mapping, folder: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consolidation, "applies", lambda *_: False)
        return played(made, folder)


def without_kernel(results: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in results.items() if "version" not in name}


@needs_kernel
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    drawn=farms(),
    overload=st.sampled_from(OVERLOAD),
    drain=st.sampled_from(DRAIN),
    placement=st.sampled_from(PLACEMENT),
    memory=st.sampled_from(["7 GiB", "9 GiB", "24 GiB"]),
)
def test_the_kernel_decides_what_python_would(
    drawn: Mapping, overload: Any, drain: Any, placement: Any, memory: str, tmp_path: Path
) -> None:
    made = scenario(drawn, tmp_path)
    made["policies"]["control"] = {
        "policy": "consolidation", "overload": overload, "drain": drain, "placement": placement,
    }  # fmt: skip
    for group in made["farm"]["hosts"]:
        group["server"]["memory"] = memory
    assert played(made, tmp_path) == in_python(made, tmp_path)


@needs_kernel
@pytest.mark.parametrize("compare_with", ["tentative", "measured"])
def test_hours_of_the_published_day(compare_with: str, tmp_path: Path) -> None:
    scenario = farmsim.Scenario.load(
        "library/beloglazov2012", "run.duration=2 h", "baseline=[{type: none}]",
        f"policies.control.placement.compare_with={compare_with}",
    )  # fmt: skip
    with counted() as rounds:
        here = all_results(farmsim.run(scenario))
    assert sum(rounds) > 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consolidation, "applies", lambda *_: False)
        assert here == all_results(farmsim.run(scenario))


@needs_kernel
@pytest.mark.parametrize("fault", ["few", "type", "length"])
def test_the_kernel_refuses_columns_that_do_not_fit(fault: str) -> None:
    floats, ints, truths = np.zeros(2), np.zeros(2, np.int64), np.zeros(2, bool)
    vm = [floats, floats, floats, floats, truths, ints, ints]
    host = [ints, ints, np.zeros(3, np.int64)]
    candidate = [ints, *[floats] * 6, ints, truths, truths, floats, ints, floats]
    results = [np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros(4), np.zeros(4, np.int64)]
    others = [floats, floats, ints, ints, ints]
    columns: list[Any] = [*vm, *host, *candidate, *others, *results, np.zeros(4, bool), ints]
    play = compiled().consolidation_round
    if fault == "few":
        with pytest.raises(TypeError, match="columns and 3 numbers"):
            play(*columns)
        return
    columns[0] = truths if fault == "type" else np.zeros(3)
    error = TypeError if fault == "type" else ValueError
    with pytest.raises(error, match="wrong type" if fault == "type" else "differ in length"):
        play(*columns, 0.0, 0.0, 0)


@pytest.mark.parametrize("wanted", ["plain", ""])
def test_the_version_says_who_decides(wanted: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "farmsim", "--version"]
    environment = os.environ | {VARIABLE: wanted}
    shown = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert f"kernel {wanted or kernel()}" in shown
