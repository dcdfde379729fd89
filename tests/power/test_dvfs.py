"""Frequency scaling against its formula, and as a model of a scenario."""

from pathlib import Path

import numpy as np
import pytest

import farmsim
from farmsim.models.hardware.dvfs import FrequencyScaling, FrequencyState
from farmsim.models.hardware.power_curves import PowerBank
from farmsim.models.hardware.power_envelope import power_hull
from farmsim.scenarios.errors.problems import InputError

STATES = (FrequencyState(0.5, 60, 90), FrequencyState(0.8, 70, 120), FrequencyState(1.0, 80, 160))
MODEL = FrequencyScaling(STATES)


@pytest.mark.parametrize(
    ("use", "watts"),
    [
        (0.0, 60),  # lowest state, idle
        (0.25, 75),  # half of the lowest state: 60 + 30 / 2
        (0.5, 90),  # all of it
        (0.6, 107.5),  # 70 + 50 * 0.6 / 0.8
        (0.8, 120),
        (0.9, 152),  # 80 + 80 * 0.9
        (1.0, 160),
    ],
)
def test_power_of_the_lowest_state_that_does(use: float, watts: float) -> None:
    assert MODEL.watts(np.array([use]))[0] == pytest.approx(watts)
    bank = PowerBank([MODEL], np.zeros(2, np.int64))
    assert bank.watts(np.array([use, use])) == pytest.approx([watts] * 2)
    assert bank.of_load(np.array([1]), np.array([500.0])).watts_at(0, use * 500.0) == pytest.approx(
        watts
    )


def test_the_hull_is_nowhere_above_the_power() -> None:
    bank = PowerBank([MODEL], np.zeros(1, np.int64))
    loads, hull_w = power_hull(bank, 0, 0.0, 1.0)
    use = np.concatenate([np.linspace(0, 1, 7001), [0.5, 0.8, 0.5 + 1e-9]])
    assert np.all(np.interp(use, loads, hull_w) <= MODEL.watts(use) + 1e-9)


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ((FrequencyState(0.8, 1, 2), FrequencyState(0.5, 1, 2)), "do not ascend"),
        ((FrequencyState(0.8, 1, 2),), "has to be 100 %"),
        ((FrequencyState(0.5, 60, 100), FrequencyState(1.0, 60, 110)), "less than the 100 W"),
    ],
)
def test_states_that_cannot_be_are_refused(
    states: tuple[FrequencyState, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        FrequencyScaling(states)


SCENARIO = """
farmsim: 1
name: scaled
run: {duration: 1 h}
farm:
  hosts:
    - name: h
      server: hp_ml110_g5
      count: 1
      power:
        model: dvfs
        states:
          - {frequency: 50 %, idle: 60 W, max: 90 W}
          - {frequency: 100 %, idle: 80 W, max: HIGHEST}
workload:
  source: {type: constant, utilisation: 0.5}
  vms: 1
  sizes: [{name: a, vcpus: 2, clock: 1330 MHz, memory: 1 GiB}]
baseline: {type: none}
"""


def test_a_scenario_names_its_states(tmp_path: Path) -> None:
    path = tmp_path / "scaled.yaml"
    path.write_text(SCENARIO.replace("HIGHEST", "160 W"))
    # Half of 2 x 1,330 MHz on 2 x 2,660 MHz: a quarter of the host, half of the lower state.
    result = farmsim.run(str(path))
    assert result.value("mean_power_w") == pytest.approx(75.0)
    assert "frequency: 50 %" in result.scenario_yaml


def test_errors_name_the_line_of_the_power_model(tmp_path: Path) -> None:
    path = tmp_path / "scaled.yaml"
    path.write_text(SCENARIO.replace("HIGHEST", "70 W"))
    with pytest.raises(InputError, match=r"scaled\.yaml:14.*swap or correct them"):
        farmsim.run(str(path))
