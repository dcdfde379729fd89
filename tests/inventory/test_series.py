"""Series: steps, gaps, coverage, counters, local times, parts in several files."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.inventory import series as s
from farmsim.scenarios.inventory.inventory import Series
from farmsim.scenarios.inventory.local_time import LocalClock, zone_of

NAN = float("nan")
NOON = datetime(2026, 9, 7, 12, tzinfo=UTC)


def a_series(start: datetime, values: list[float], **changes: Any) -> Series:
    given: dict[str, Any] = {"object": "a", "kind": "vm", "metric": s.CPU_DEMAND, "unit": "MHz"}
    given["step_s"] = 300.0
    return Series(start=start, values=np.array(values, float), **(given | changes))


def test_the_step_is_what_most_neighbouring_times_have() -> None:
    assert s.step_of([np.array([0.0, 300, 600, 1500, 1800])]) == 300
    assert s.step_of([np.array([0.0]), np.array([7200.0, 0, 3600])]) == 3600
    assert s.step_of([np.array([0.0])]) is None
    assert s.step_of([]) is None


def test_values_stand_on_equal_steps_with_gaps() -> None:
    times = np.array([900.0, 0, 300, 300])
    start, values = s.on_steps(times, np.array([4.0, 1, NAN, 2]), 300, "f.csv")
    assert start == datetime(1970, 1, 1, tzinfo=UTC)
    np.testing.assert_array_equal(values, [1, 2, NAN, 4])
    assert s.missing(values) == 1
    assert s.coverage(values) == 0.75
    assert s.coverage(np.zeros(0)) == 0
    with pytest.raises(InputError, match="wrong date"):
        s.on_steps(np.array([0.0, 300, 1.8e9]), np.zeros(3), 300, "f.csv")


@pytest.mark.parametrize(
    ("values", "bridged", "held"),
    [
        ([1, NAN, NAN, 4], [1, 2, 3, 4], [1, 2, 3, 4]),
        ([1, NAN, NAN, NAN, 5], [1, NAN, NAN, NAN, 5], [1, 1, 1, 1, 5]),
        ([NAN, 2, NAN], [2, 2, 2], [2, 2, 2]),
        ([NAN, NAN, NAN, 2], [NAN, NAN, NAN, 2], [2, 2, 2, 2]),
        ([2, NAN, NAN, NAN], [2, NAN, NAN, NAN], [2, 2, 2, 2]),
        ([NAN, NAN], [NAN, NAN], [NAN, NAN]),
        ([], [], []),
    ],
)
def test_gaps_of_up_to_two_steps_are_interpolated_and_longer_ones_held_on_request(
    values: list[float], bridged: list[float], held: list[float]
) -> None:
    measured = np.array(values, float)
    np.testing.assert_array_equal(s.filled(measured), bridged)
    np.testing.assert_array_equal(s.filled(measured, hold_longer=True), held)


@given(
    st.lists(st.floats(0, 100), min_size=2, max_size=30),
    st.data(),
)
@settings(deadline=None, max_examples=100)
def test_a_counter_loses_nothing_over_gaps(grown: list[float], data: st.DataObject) -> None:
    counter = np.cumsum(np.array(grown, np.float64), dtype=np.float64)
    times = np.arange(len(grown), dtype=np.float64) * 300
    stale: set[int] = set()
    if len(grown) > 2:
        stale = data.draw(st.sets(st.integers(1, len(grown) - 2), max_size=5))
    seen = counter.copy()
    seen[list(stale)] = NAN
    start, rates = s.increases(times, seen, 300, "f.json")
    assert start.timestamp() == 0
    assert len(rates) == len(grown) - 1
    length = np.diff(np.flatnonzero(~np.isnan(seen))) * 300
    assert (rates[~np.isnan(rates)] * length).sum() == pytest.approx(counter[-1] - counter[0])


def test_counters_at_uneven_times_stay_on_the_steps() -> None:
    times = np.array([0.0, 100, 400, 400, 700])
    start, rates = s.increases(times, np.array([0.0, 50, 350, 400, 410]), 300, "f.json")
    assert start.timestamp() == 0
    np.testing.assert_allclose(rates, [0.5, 0.2])
    with pytest.raises(InputError, match="wrong date"):
        s.increases(np.array([0.0, 1, 2, 9e10]), np.array([NAN, 1, 2, NAN]), 1, "f.json")


def test_parts_of_one_object_are_joined_and_differences_said() -> None:
    parts = [
        a_series(NOON, [1, 2]),
        a_series(NOON + timedelta(seconds=900), [4]),
        a_series(NOON, [7], object="b"),
    ]
    whole, findings = s.joined(parts)
    np.testing.assert_array_equal(whole[0].values, [1, 2, NAN, 4])
    assert [each.object for each in whole] == ["a", "b"]
    assert not findings
    whole, findings = s.joined([*parts, a_series(NOON + timedelta(seconds=300), [9, 3])])
    np.testing.assert_array_equal(whole[0].values, [1, 2, 3, 4])
    assert [each.code for each in findings] == ["SERIES_OVERLAP"]
    assert findings[0].objects == ("a",)


def clock(tz: str | None) -> LocalClock:
    return LocalClock(datetime.fromisoformat, tz, "f.csv")


@pytest.mark.parametrize(("day", "hours"), [("2026-10-25", 25), ("2026-03-29", 23)])
def test_days_of_25_and_23_hours_are_converted_without_gaps(day: str, hours: int) -> None:
    zone = zone_of("Europe/Vienna", "f.csv")
    first = datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC)
    instants = [first + timedelta(hours=hour) for hour in range(hours + 1)]
    local = [each.astimezone(zone).replace(tzinfo=None).isoformat() for each in instants]
    assert local[-1].endswith("T00:00:00")
    for order in (1, -1):
        times = clock("Europe/Vienna")
        found = times.utc(times.indices(local[::order]))
        assert found.tolist() == [each.timestamp() for each in instants[::order]]
        assert times.doubtful == 0


def test_an_hour_that_is_named_once_follows_its_row_before() -> None:
    times = clock("Europe/Vienna")
    rows = ["2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"]
    found = times.utc(times.indices(rows))
    assert [(b - a) / 3600 for a, b in pairwise(found)] == [1, 2]
    assert times.doubtful == 1


def test_a_zone_is_asked_for_only_where_a_time_has_none() -> None:
    times = clock(None)
    assert times.utc(times.indices(["1970-01-01T01:00+01:00"])).tolist() == [0]
    with pytest.raises(InputError, match="--tz Europe/Vienna"):
        times.indices(["2026-10-25T02:00"])


def test_a_time_that_the_clock_left_out_shows_a_wrong_zone() -> None:
    times = clock("Europe/Vienna")
    with pytest.raises(InputError, match="does not exist in Europe/Vienna"):
        times.indices(["2026-03-29T02:30"])


@pytest.mark.parametrize("tz", ["Europe/Wien", "Europe", "../../etc/passwd", "+99:00", "", "\x00"])
def test_an_unknown_zone_is_refused(tz: str) -> None:
    with pytest.raises(InputError, match="there is no time zone"):
        zone_of(tz, "f.csv")


def test_a_system_without_zones_is_told_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    with pytest.raises(InputError, match="tzdata"):
        zone_of("Mars/Olympus", "f.csv")
    assert zone_of("+05:30", "f.csv").utcoffset(None) == timedelta(hours=5, minutes=30)
    assert zone_of("utc", "f.csv") is UTC
