"""Mutated scenarios: nothing but exit code 0 or 2, never a traceback."""

import copy
import json
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from turns import BASE, TURNS, put

from farmsim.cli.errors import BAD_INPUT, DONE
from farmsim.cli.main import run_command_line
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.loader import library
from farmsim.scenarios.scenario import Scenario, from_text

Place = tuple[str | int, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]

LAYERED = json.loads(json.dumps(BASE))
for dotted, value in {
    "farm.hosts.0": {
        "name": "own", "server": "dell_r710_x5570", "count": 2, "hypervisor": "esxi",
        "memory": "32 GiB", "memory_overcommit": 1.5, "tenant": "bank", "smt_gain": "25 %",
        "storage_iops": 5000, "network": "1 Gbit/s", "network_path": "emulated",
    },
    "farm.hosts.1": {
        "name": "all", "server": "dell_r740_8280", "count": 2, "storage_path": "emulated",
        "hypervisor": {"based_on": "virtualbox", "change": {"cpu": {"plain": 0.9}}},
        "host_applications": "10 %", "assists": ["vt_x", "nested_paging"],
        "extra_power": "40 W", "performance": 1.2,
    },
    "farm.calibrate": {"measured_power": "900 W", "at": "5 min"},
    "tenants": [{"name": "bank", "isolation": "dedicated"}, {"name": "shop"}],
    "workload.sizes": [
        {
            "name": "a", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB", "share": "50 %",
            "class": "oltp", "tenant": "bank", "reservation": "200 MHz", "limit": "0.9 GHz",
        },
        {
            "name": "b", "vcpus": 2, "clock": "1 GHz", "memory": "2 GiB", "share": "50 %",
            "class": {"cpu": "5 ms", "exits": 20, "disk_pressure": 1}, "tenant": "shop",
            "shares": 2000,
        },
    ],
    "service": {"sharing": "shares", "interference": True},
    "overheads": "high",
}.items():  # fmt: skip
    put(LAYERED, dotted, value)
SEEDS = [path.read_text("utf-8") for path in library().values()]
SEEDS.append(json.dumps(LAYERED, indent=1))

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=True, allow_infinity=True) | st.text(string.printable, max_size=12)
    | st.sampled_from(["5 min", "24 h", "80 %", "-1 s", "1e300 s", "0 GiB", "none", "7 EUR", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=4,
)  # fmt: skip


def places(data: Any, path: Place = ()) -> Iterator[Place]:
    """Every path of nested data."""
    if path:
        yield path
    if isinstance(data, dict):
        for key in data:
            yield from places(data[key], (*path, key))
    elif isinstance(data, list):
        for index in range(len(data)):
            yield from places(data[index], (*path, index))


def mutate(data: Any, draw: Draw) -> Any:
    data = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(data))
        if not found:
            return data
        *above, last = draw(st.sampled_from(found))
        parent = data
        for step in above:
            parent = parent[step]
        kind = draw(st.sampled_from(["delete", "retype", "rename", "duplicate"]))
        if kind == "delete":
            del parent[last]
        elif kind == "retype":
            parent[last] = draw(anything)
        elif kind == "rename" and isinstance(parent, dict):
            parent[draw(st.text(string.ascii_letters, max_size=8))] = parent.pop(last)
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]))
        else:
            parent["again"] = copy.deepcopy(parent[last])
    return data


def refusal(attempt: Callable[[], object]) -> InputError | None:
    """Why an attempt is refused, if it is; any other exception goes through."""
    try:
        attempt()
    except InputError as error:
        return error
    return None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), path=st.sampled_from(sorted(TURNS)))
def test_mutated_structures_are_accepted_or_refused(data: st.DataObject, path: str) -> None:
    base = json.loads(json.dumps(BASE))
    for dotted, value in TURNS[path][1].items():
        put(base, dotted, copy.deepcopy(value))  # a later path may lie within it
    mutated = mutate(base, data.draw)
    error = refusal(lambda: Scenario.of(mutated))
    assert error is None or error.problems
    assert error is None or all(problem.message for problem in error.problems)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_mutated_layers_are_accepted_or_refused(data: st.DataObject) -> None:
    mutated = mutate(LAYERED, data.draw)
    error = refusal(lambda: Scenario.of(mutated))
    assert error is None or all(problem.message for problem in error.problems)


@settings(max_examples=150, deadline=None)
@given(
    text=st.sampled_from(SEEDS),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.text(max_size=6), st.integers(0, 8)), max_size=4),
)
def test_garbled_text_is_accepted_or_refused(text: str, cuts: list[tuple[float, str, int]]) -> None:
    for where, inserted, dropped in cuts:
        at = int(where * len(text))
        text = text[:at] + inserted + text[at + dropped :]
    error = refusal(lambda: from_text(text, "garbled.yaml"))
    assert error is None or error.problems


@settings(
    max_examples=40, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(data=st.data(), base=st.sampled_from([BASE, LAYERED]))
def test_the_command_ends_with_0_or_2_whatever_the_scenario(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    data: st.DataObject,
    base: dict[str, Any],
) -> None:
    monkeypatch.chdir(tmp_path)
    small = json.loads(json.dumps(base)) | {"run": {"duration": "20 min"}}
    mutated = mutate(small, data.draw)
    path = tmp_path / "s.yaml"
    path.write_text(json.dumps(mutated), "utf-8")
    hosts = [group.get("count") for group in _groups(mutated)]
    if any(isinstance(count, int) and count > 10_000 for count in hosts):
        return  # valid, and would only take long
    code = run_command_line(["run", "s.yaml", "--quiet", "--out", str(tmp_path / "out")])
    shown = capfd.readouterr().err
    assert code in (DONE, BAD_INPUT), shown
    assert "Traceback" not in shown
    assert (code == BAD_INPUT) == bool(shown.strip())


def _groups(data: Any) -> list[dict[str, Any]]:
    farm = data.get("farm") if isinstance(data, dict) else None
    hosts = farm.get("hosts") if isinstance(farm, dict) else None
    return [group for group in hosts if isinstance(group, dict)] if isinstance(hosts, list) else []


@pytest.mark.parametrize("depth", [39, 41, 5000])
def test_depth_is_limited_not_the_stack(depth: int) -> None:
    with pytest.raises(InputError):
        from_text("a: " + "[" * depth + "]" * depth)
