"""Rounds in which nothing has changed take the last plan, and nothing else comes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from builders import make_engine, make_farm, make_hosts, make_vms
from farm_draws import CONTROLS, Mapping, farms, scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.models.state.utilisation_history import Ring
from farmsim.policies.control.balance import Balance
from farmsim.policies.control.combined import Combined
from farmsim.policies.control.consolidation import Consolidation
from farmsim.policies.control.control import PowerProportional
from farmsim.policies.interface.plan import Plan
from farmsim.policies.interface.repeatable import is_repeatable
from farmsim.policies.interface.view import FarmView
from farmsim.policies.overload.local_regression import LocalRegression
from farmsim.policies.overload.static_threshold import StaticThreshold
from farmsim.policies.placement_algorithms.round_robin import RoundRobin
from farmsim.policies.selection.random_choice import RandomChoice
from farmsim.sim import repeated_plans

EVERY = st.sampled_from(["1 min", "100 s", "5 min"])
RESERVES: list[Mapping] = [{}, {"reserve": {"kind": "hosts", "hosts": 1}}]
POWERS: list[Mapping] = [{}, {"power": {"keep_awake": 2, "idle_for": "7 min"}}]
MORE = [*CONTROLS, {"policy": "combined", "policies": ["balance", "dynamic_power"]}]


def results(mapping: Mapping, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    result = farmsim.run(farmsim.Scenario.of(mapping, folder))
    figures = {name: value for name, value in result.summary.items() if isinstance(value, dict)}
    return dict(result.tables), figures


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    drawn=farms(control=st.sampled_from(MORE)), every=EVERY, reserve=st.sampled_from(RESERVES),
    power=st.sampled_from(POWERS),
)  # fmt: skip
def test_nothing_changes(
    drawn: Mapping, every: str, reserve: Mapping, power: Mapping, tmp_path: Path
) -> None:
    mapping = scenario(drawn, tmp_path)
    mapping["policies"] |= {"every": every, **reserve, **power}
    tables, summary = results(mapping, tmp_path)
    with patch.object(repeated_plans, "is_repeatable", lambda _: False):
        plain_tables, plain_summary = results(mapping, tmp_path)
    assert tables.keys() == plain_tables.keys()
    for name, table in tables.items():
        assert table.equals(plain_tables[name]), name
    assert repr(summary) == repr(plain_summary)


@dataclass(frozen=True)
class Counted(Consolidation):
    """Consolidation that counts its decisions; it says for itself that it is repeatable."""

    repeatable = True

    def decide(self, view: FarmView) -> Plan:
        asked.append(view.now_s)
        return super().decide(view)


asked: list[float] = []


def rounds_asked(control: Consolidation, shares: Any, control_s: float = 60.0) -> list[float]:
    asked.clear()
    farm = make_farm(make_hosts([4000.0] * 4), make_vms([1000.0] * 6))
    make_engine(farm, shares, control, control_s=control_s).run()
    return list(asked)


def test_only_rounds_after_a_change_are_decided() -> None:
    shares = np.full((8, 6), 0.9)
    shares[4:] = 0.2
    times_s = rounds_asked(Counted(overload=StaticThreshold()), shares)
    rounds = 8 * 5 - 1
    assert len(times_s) < rounds / 2
    assert max(times_s) < 2400 - 300
    assert 1200.0 in times_s


def test_a_history_must_be_full_of_equal_rows() -> None:
    shares = np.full((20, 6), 0.3)
    control = Counted(overload=LocalRegression(samples=5))
    times_s = rounds_asked(control, shares, 300.0)
    assert times_s == [300.0 * slot for slot in range(1, len(times_s) + 1)]
    assert 5 <= len(times_s) <= 8


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Consolidation(), True),
        (PowerProportional(), True),
        (Consolidation(overload=StaticThreshold(above_for_s=600.0)), False),
        (Consolidation(selection=RandomChoice()), False),
        (Consolidation(placement=RoundRobin()), False),
        (Combined((Balance(),)), False),
        (Counted(), True),
    ],
)
def test_who_says_it_is_repeatable(policy: object, expected: bool) -> None:
    assert is_repeatable(policy) is expected


@dataclass(frozen=True)
class Noting(Consolidation):
    """Consolidation that notes each of its decisions for the summary."""

    repeatable = True

    def decide(self, view: FarmView) -> Plan:
        asked.append(view.now_s)
        view.note("decisions")
        return super().decide(view)


def test_who_notes_something_is_asked_again() -> None:
    assert len(rounds_asked(Noting(), np.full((8, 6), 0.5))) == 8 * 5 - 1


def test_what_a_class_inherits_does_not_count() -> None:
    @dataclass(frozen=True)
    class Mine(Balance):
        def decide(self, view: FarmView) -> Plan:
            return super().decide(view) if view.now_s < 600.0 else Plan()

    assert not is_repeatable(Mine())


@given(
    rows=st.lists(
        st.tuples(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=2), st.booleans()),
        max_size=20,
    ),
    length=st.integers(1, 4),
)
def test_changes_of_a_history(rows: list[tuple[list[float], bool]], length: int) -> None:
    ring = Ring(length, 2)
    for row, there in rows:
        before = ring.newest(length).tobytes(), ring.ages.tobytes(), ring.changes
        ring.record(np.array(row), np.array([True, there]))
        after = ring.newest(length).tobytes(), ring.ages.tobytes()
        # A change that leaves all as it was may be counted; what was not counted is none.
        assert ring.changes > before[2] or after == before[:2]


def test_a_full_history_of_equal_rows_does_not_change() -> None:
    ring = Ring(3, 2)
    for _ in range(10):
        ring.record(np.array([1.0, 2.0]))
    assert ring.changes == 3
    ring.record(np.array([1.0, 3.0]))
    assert ring.changes == 4
