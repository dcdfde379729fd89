"""Every parameter turns: changing any value that a scenario can set changes some outcome."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from application_turns import write_loads
from arrival_turns import write_arrivals
from builders import bitbrains_file
from constraint_turns import write_rules
from host_turns import write_failures
from planning_turns import planning_outcome
from settable_fields import settable_fields
from snapshot_turns import write_snapshot_tables
from turns import BASE, TURNS, Changes
from vms_table_turns import write_vms_tables

import farmsim
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.spec.spec import Spec

NOT_TURNED = {"farmsim", "defaults[]", "defaults", "farm.hosts[].server.ssj_ops"}
"""The version of the language has one value; what was written is for ``test_resolved.py``.

Operations per second serve comparisons of servers, not runs (``tests/power``).
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traces and scenarios that the turns name."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    made: Path = tmp_path_factory.mktemp("parameters")
    lines = [[(7 * vm + 13 * slot * (vm + 1)) % 90 + 1 for slot in range(12)] for vm in range(6)]
    for name, shift in (("one", 0), ("two", 5)):
        (made / name).mkdir()
        for vm, values in enumerate(lines):
            text = "\n".join(str(value + shift) for value in values)
            (made / name / f"vm{vm}").write_text(text + "\n")
    (made / "parts").mkdir()
    for vm, values in enumerate(lines):
        text = "\n".join(str(value / 100) for value in values)
        (made / "parts" / f"vm{vm}").write_text(text + "\n")
    for name, cell in (("gaps", ""), ("above", "150")):
        (made / name).mkdir()
        (made / name / "vm0").write_text(f"50\n60\n{cell}\n70\n")
    header = "time,clock," + ",".join(f"vm{vm}" for vm in range(6))
    rows = [f"{300 * s},{8 * s}," + ",".join(str(line[s]) for line in lines) for s in range(12)]
    (made / "wide.csv").write_text("\n".join([header, *rows]))
    (made / "other.csv").write_text("\n".join([header, *rows[::-1][::-1][:6]]))
    shares = [f"{300 * s},0.5," + ",".join(str(line[s] / 100) for line in lines) for s in range(12)]
    (made / "shares.csv").write_text("\n".join([header, *shares]))
    columns = {"time": [300 * s for s in range(12)], "clock": [8 * s for s in range(12)]}
    table = columns | {f"vm{vm}": [value / 2 for value in line] for vm, line in enumerate(lines)}
    parquet.write_table(pa.table(table), made / "wide.parquet")
    tidy = [
        f"{300 * s},vm{vm},x{5 - vm},{lines[vm][s]},{lines[vm][s] / 3}"
        for s in range(12)
        for vm in range(6)
    ]
    (made / "tidy.csv").write_text("\n".join(["time,vm,name,cpu,load", *tidy]))
    (made / "tidy_as_wide.csv").write_text("\n".join([header, *rows]))
    for name, factor in (("bitbrains", 1), ("bitbrains2", 2), ("bitbrains10", 1)):
        (made / name).mkdir()
        for vm in range(4):
            usage = [factor * 20 * value if name != "bitbrains10" or slot % 2 == 0 else None
                     for slot, value in enumerate(lines[vm][:11])]  # fmt: skip
            (made / name / f"{vm}.csv").write_text(
                bitbrains_file(1000, usage, cores=1, capacity=4000.0)
            )
    write_arrivals(made / "arrivals")
    write_rules(made)
    write_failures(made)
    write_loads(made)
    write_vms_tables(made)
    write_snapshot_tables(made)
    for name, count in (("other", 9), ("third", 12)):
        scenario = json.loads(json.dumps(BASE)) | {"name": name, "baseline": {"type": "none"}}
        scenario["farm"]["hosts"][0]["count"] = count
        (made / f"{name}.yaml").write_text(farmsim.Scenario.of(scenario).to_yaml())
    return made


def outcome(folder: Path, changes: Changes) -> dict[str, Any]:
    """Everything that a user could see of a run, or the refusal."""
    try:
        scenario = farmsim.Scenario.of(BASE, folder).with_(changes)
        result = farmsim.run(scenario)
    except InputError as error:
        return {"refused": str(error)}
    seen = {"assertions": result.summary["failed_assertions"]}
    if scenario.variants:
        seen["comparison"] = farmsim.compare(scenario).to_table()
    if scenario.planning is not None:
        seen |= planning_outcome(scenario)
    description = scenario.description
    seen["description"] = description if description and description in result.report() else ""
    for which in (result, result.baseline):
        if which is None:
            continue
        key = "run" if which is result else "baseline"
        for metric in which.metrics():
            seen[f"{key}.{metric}"] = (which.value(metric), which.summary[metric]["unit"])
        for name, table in which.tables.items():
            seen[f"{key}.{name}"] = table.drop_columns(["seed"])
    return seen


@functools.cache
def base_outcome(folder: Path, key: str) -> dict[str, Any]:
    return outcome(folder, json.loads(key))


# The models of moves have the same parameters at three places; two of these are turned thoroughly.
AGAIN = ("workload.sizes[].migration<", "farm.hosts[].migration<")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=pytest.mark.thorough)
        if path.startswith(AGAIN) and "<fixed_rate>" not in path
        else path
        for path in sorted(TURNS)
    ],
)
def test_turning_a_knob_changes_an_outcome(folder: Path, path: str) -> None:
    one, other = TURNS[path]
    before = base_outcome(folder, json.dumps(one))
    after = outcome(folder, other)
    assert before != after
    # not only the tables' own column of the scenario's name
    if path != "name":
        assert "refused" not in before or "refused" not in after


def test_there_is_a_turn_for_every_knob() -> None:
    known = {leaf.path for leaf in settable_fields(Spec)}
    assert known - set(TURNS) - NOT_TURNED == set()
    assert set(TURNS) - known == set()
