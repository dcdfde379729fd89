"""Changes of a scenario whose effect is known without knowing the result.

Each test changes one thing of a small farm with every feature on, and lists what may change with
it; everything else, in summary and tables, must stay as it is.
"""

import copy
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from farm_draws import CONTROLS, FAILURES, HOURS, RULES, Mapping, farms, host_group, scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.analysis.run.result import Result

RANDOM_FAILURES = FAILURES[-1]
STEADY_FAILURES = st.sampled_from(FAILURES[:-1])
RANDOM_SELECTION = CONTROLS[3]
LOCAL_CONTROLS = st.sampled_from(CONTROLS[:3])
"""Policies that decide host by host, without a figure of the whole farm."""

SERIES = {"farm_series", "host_series", "link_series", "population", "bounds", "reserve"}
"""Tables with a row per interval of the report."""

Change = Callable[[Mapping], None]
Figures = dict[str, Any]

Check = Callable[..., None]

RELATIONS: dict[str, tuple[Check, dict[str, st.SearchStrategy[Any]]]] = {}
"""All tests of this file by name, with what they draw."""

FEW = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MANY = settings(FEW, max_examples=150)


def relation(**drawn: st.SearchStrategy[Any]) -> Callable[[Check], Check]:
    """Test something on a few draws, and on many in the thorough run."""

    def made(check: Check) -> Check:
        RELATIONS[check.__name__] = check, drawn
        return FEW(given(**drawn)(check))

    return made


def run(mapping: Mapping, folder: Path) -> Result:
    return farmsim.run(farmsim.Scenario.of(mapping, folder))


def changed(mapping: Mapping, change: Change) -> Mapping:
    other = copy.deepcopy(mapping)
    change(other)
    return other


def summary(result: Result) -> Figures:
    return {
        name: entry["value"]
        for name, entry in result.summary.items()
        if isinstance(entry, dict) and "value" in entry
    }


def units(result: Result) -> dict[str, str]:
    return {
        name: entry["unit"]
        for name, entry in result.summary.items()
        if isinstance(entry, dict) and "unit" in entry
    }


def column_units(result: Result) -> dict[tuple[str, str], str]:
    return {
        (name, field.name): (field.metadata or {}).get(b"unit", b"").decode()
        for name, table in result.tables.items()
        for field in table.schema
    }


def columns(result: Result, without: Iterable[str] = ()) -> dict[tuple[str, str], list[Any]]:
    skipped = set(without)
    return {
        (name, column): table[column].to_pylist()
        for name, table in result.tables.items()
        if name not in skipped
        for column in table.column_names
    }


def assert_same(here: dict[Any, Any], there: dict[Any, Any], without: Iterable[Any] = ()) -> None:
    """Compare texts to the letter and numbers up to what the order of additions leaves."""
    skipped = set(without)
    assert here.keys() - skipped == there.keys() - skipped
    for key in here.keys() - skipped:
        assert there[key] == _near(here[key]), key


def _near(value: Any) -> Any:
    if isinstance(value, list):
        if all(isinstance(each, float) for each in value):
            return pytest.approx(value, rel=1e-9, abs=1e-9)
        return [_near(each) for each in value]
    return pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value


@relation(drawn=farms(), factor=st.sampled_from([0.5, 3.0, 10.0]))
def test_watts_times_k(drawn: Mapping, factor: float, tmp_path: Path) -> None:
    """Energy and power are k times as much, and so is what they cost; no decision changes."""
    base = scenario(drawn, tmp_path)

    def more(made: Mapping) -> None:
        for group in made["farm"]["hosts"]:
            power = group["server"]["power"]
            power["idle"], power["max"] = f"{90 * factor} W", f"{210 * factor} W"
            group["off_power"] = f"{6 * factor} W"

    here, there = run(base, tmp_path), run(changed(base, more), tmp_path)
    unit = units(here)
    one, other = summary(here), summary(there)
    scaled = {name for name in unit if unit[name].startswith(("W", "kWh"))}
    scaled |= {"energy_cost"}
    # What a move costs is a published regression on the bytes sent, not a part of the hosts' power.
    scaled -= {"migration_energy_kwh"}
    scaled = {name for name in scaled if one.get(name) is not None}
    sums = {"total_cost", "cost_per_year"}
    assert_same(
        {name: one[name] * factor for name in scaled}, {name: other[name] for name in scaled}
    )
    assert_same(one, other, scaled | sums)
    assert other["total_cost"] - other["energy_cost"] == pytest.approx(
        one["total_cost"] - one["energy_cost"]
    )
    power_columns = {
        key
        for key, of in column_units(here).items()
        if of.startswith(("W", "kWh", "J")) and key[0] != "migrations"
    }
    money = {key for key, of in column_units(here).items() if "EUR" in of}
    ours, theirs = columns(here), columns(there)
    assert_same(
        {key: [each and each * factor for each in ours[key]] for key in power_columns},
        {key: theirs[key] for key in power_columns},
    )
    # What a candidate host would cost is in the unit of the placement, power for some.
    assert_same(ours, theirs, power_columns | money | {("decisions", "cost")})


@relation(drawn=farms(), factor=st.sampled_from([0.25, 7.0]))
def test_money_times_k(drawn: Mapping, factor: float, tmp_path: Path) -> None:
    base = scenario(drawn, tmp_path)
    base["cost"]["server_price"] = "4000 EUR"

    def dearer(made: Mapping) -> None:
        for group in made["farm"]["hosts"]:
            group["price"], group["licence"] = f"{4000 * factor} EUR", f"{500 * factor} EUR"
        made["cost"]["energy_price"] = f"{0.2 * factor} EUR/kWh"
        made["cost"]["server_price"] = f"{4000 * factor} EUR"

    here, there = run(base, tmp_path), run(changed(base, dearer), tmp_path)
    money = {name for name, unit in units(here).items() if "EUR" in unit}
    one, other = summary(here), summary(there)
    assert money
    assert_same({name: one[name] * factor for name in money}, {name: other[name] for name in money})
    assert_same(one, other, money)
    paid = {key for key, unit in column_units(here).items() if "EUR" in unit}
    ours, theirs = columns(here), columns(there)
    assert_same({key: [each * factor for each in ours[key]] for key in paid},
                {key: theirs[key] for key in paid})  # fmt: skip
    assert_same(ours, theirs, paid)


@relation(drawn=farms(), every=st.sampled_from(["7 min", "1 h", "130 min"]))
def test_report_interval(drawn: Mapping, every: str, tmp_path: Path) -> None:
    """How often something is written down changes the series and nothing else."""
    base = scenario(drawn, tmp_path)
    other = changed(base, lambda made: made["run"].update(report_every=every))
    here, there = run(base, tmp_path), run(other, tmp_path)
    assert_same(summary(here), summary(there))
    assert here.summary["verdict"] == there.summary["verdict"]
    assert here.summary["warnings"] == there.summary["warnings"]
    drawn_over_time = SERIES | {"utilisation_map"}
    assert_same(columns(here, drawn_over_time), columns(there, drawn_over_time))


def test_who_waits_is_not_tried_where_something_is_only_written_down(tmp_path: Path) -> None:
    """A VM whose host had failed was tried at reports as well, and hosts were woken for it."""
    drawn = {
        "control": {"policy": "dynamic_power"}, "moves": {}, "failures": FAILURES[1], "rules": [],
        "hypervisor": "kvm", "placement": "worst_fit", "overcommit": 1, "arrivals": False,
        "sharing": "demand", "vms": 8, "hosts": 2, "seed": 43,
    }  # fmt: skip
    check, _ = RELATIONS["test_report_interval"]
    check(drawn=drawn, every="7 min", tmp_path=tmp_path)


@relation(drawn=farms(control=st.just("none")), every=st.sampled_from(["7 min", "1 h", "130 min"]))
def test_control_round_without_policy(drawn: Mapping, every: str, tmp_path: Path) -> None:
    """Where no policy acts, it does not matter how often it is asked."""
    base = scenario(drawn, tmp_path)
    other = changed(base, lambda made: made["policies"].update(every=every))
    here, there = run(base, tmp_path), run(other, tmp_path)
    assert_same(summary(here), summary(there))
    assert_same(columns(here), columns(there))


@relation(drawn=farms(failures=STEADY_FAILURES))
def test_renaming(drawn: Mapping, tmp_path: Path) -> None:
    """Names of groups of hosts, VMs and tenants are names and nothing else."""
    base = scenario(drawn, tmp_path)
    new = {"x": "zeta", "y": "alpha", "vm": "guest", "blue": "a-team", "red": "z-team"}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: renamed(each) for key, each in value.items()}
        if isinstance(value, list):
            return [renamed(each) for each in value]
        if isinstance(value, str):
            return re.sub(r"(?<![\w-])(x|y|vm|blue|red)(?=-\d|$| )", lambda m: new[m[1]], value)
        return value

    here = run(base, tmp_path)
    for path in tmp_path.glob("*.csv"):
        cells = [line.split(",") for line in path.read_text().splitlines()]
        path.write_text(
            "\n".join(
                ",".join(cell if cell == "vm" else renamed(cell) for cell in row) for row in cells
            )
            + "\n"
        )
    there = run(renamed(base), tmp_path)
    assert_same(summary(here), summary(there))
    ours = columns(here)
    # The zero-padding of numbers does not depend on names; sorted lists of names may.
    assert_same({key: renamed(values) for key, values in ours.items()}, columns(there))


@relation(drawn=farms(rules=st.just([])))
def test_longer_run_begins_the_same(drawn: Mapping, tmp_path: Path) -> None:
    """Whatever happens before some instant does not depend on how long the run goes on."""
    base = scenario(drawn, tmp_path)
    half_s = HOURS * 3600 / 2
    shorter = changed(base, lambda made: made["run"].update(duration=f"{half_s} s"))
    long, short = run(base, tmp_path), run(shorter, tmp_path)
    for name, begin, end in (
        ("farm_series", "time_s", "interval_s"),
        ("host_series", "time_s", "interval_s"),
        ("decisions", "time_s", None),
        ("power_events", "time_s", None),
        ("vm_events", "time_s", None),
    ):
        if name in short.tables:
            assert _until(long, name, begin, end, half_s) == _until(
                short, name, begin, end, half_s
            ), name
    ended = [
        [row for row in result.tables["migrations"].to_pylist() if row["end_s"] < half_s]
        for result in (long, short)
    ]
    assert ended[0] == ended[1]


def _until(result: Result, name: str, begin: str, end: str | None, stop_s: float) -> Any:
    rows = result.tables[name].to_pylist()
    last_s = 0.0 if end is None else 1e-6
    # What a decision comes to may be known only later.
    return [
        {key: _near(value) for key, value in row.items() if key != "outcome"}
        for row in rows
        if row[begin] + (row[end] if end else 0.0) < stop_s + last_s
    ]


BARRED = ["hosts", "rules", "rule_violations", "costs", "utilisation_map", "availability"]


@relation(
    # VMs that hard rules name are placed first: the ban names all, where another rule names some.
    drawn=farms(
        control=LOCAL_CONTROLS,
        failures=STEADY_FAILURES,
        rules=st.sampled_from([RULES[0], RULES[2]]),
    ),
    model=st.sampled_from([None, "suspend_resume"]),
)
def test_host_that_nobody_may_use(drawn: Mapping, model: str | None, tmp_path: Path) -> None:
    """One more host, barred to all VMs, adds what it draws and changes nothing else."""
    base = scenario(drawn, tmp_path)

    def more(made: Mapping) -> None:
        extra = {} if model is None else {"migration": {"model": model}}
        made["farm"]["hosts"].append(host_group("z", 1, drawn["hypervisor"], **extra))
        rule = {"name": "barred", "type": "ban", "vms": ["vm-*"], "hosts": ["z-1"]}
        made["constraints"] = [*made["constraints"], rule]

    here, there = run(base, tmp_path), run(changed(base, more), tmp_path)
    ours, theirs = here.tables["vms"].to_pylist(), there.tables["vms"].to_pylist()
    assert [_plain(row) for row in theirs] == [
        {key: _near(value) for key, value in _plain(row).items()} for row in ours
    ]
    extra = there.tables["hosts"].to_pylist()[-1]
    assert extra["host"] == "z-1"
    assert extra["vms_mean"] == 0
    energy = there.value("energy_kwh") - here.value("energy_kwh")
    assert energy == pytest.approx(extra["energy_kwh"], rel=1e-6)
    moved = ["vm", "source", "target", "start_s", "end_s"]
    # With two migration models moves end one by one: those of one instant in another order.
    ours, theirs = (
        sorted(each.tables["migrations"].select(moved).to_pylist(), key=_by_vm)
        for each in (here, there)
    )
    assert theirs == [{key: _near(value) for key, value in row.items()} for row in ours]


def _by_vm(row: dict[str, Any]) -> tuple[str, float]:
    return row["vm"], row["start_s"]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without the text that counts the hosts looked at."""
    return {key: value for key, value in row.items() if key != "reason"}


@relation(drawn=farms(failures=STEADY_FAILURES))
def test_what_nobody_uses(drawn: Mapping, tmp_path: Path) -> None:
    """A tenant without VMs and rules that forbid what cannot happen change nothing."""
    base = scenario(drawn, tmp_path)

    def more(made: Mapping) -> None:
        made["tenants"].append({"name": "green"})

    by_tenant = ["tenants", "availability"]
    here, there = run(base, tmp_path), run(changed(base, more), tmp_path)
    assert_same(summary(here), summary(there))
    assert_same(columns(here, by_tenant), columns(there, by_tenant))
    assert here.summary["verdict"] == there.summary["verdict"]


@relation(
    drawn=farms(
        control=st.sampled_from(CONTROLS[:2]),
        failures=st.just({}),
        rules=st.just([]),
        hosts=st.sampled_from([2, 4]),
        # Of slots that are given back at one instant, who gets which depends on the order in which
        # migrations ended, which others may change; at a fixed rate there are none.
        moves=st.just({}),
        # Decreasing orders rank the first four that wait: twins beside them change who is ranked.
        placement=st.sampled_from(["first_fit", "worst_fit"]),
    )
)
def test_two_farms_side_by_side(drawn: Mapping, tmp_path: Path) -> None:
    """All VMs twice on twice the hosts, each half fenced to its own: everything twice."""
    base = scenario(drawn, tmp_path)
    if not drawn["arrivals"]:
        # Half of each size, dealt in turn: each VM has the size of its twin.
        drawn["vms"] += drawn["vms"] % 2
        base = scenario(drawn, tmp_path)
        for size in base["workload"]["sizes"]:
            size["share"] = "50 %"
    base["constraints"] = [{"name": "one", "type": "fence", "vms": ["vm-*"], "hosts": ["[xy]-*"]}]

    def twice(made: Mapping) -> None:
        hosts = made["farm"]["hosts"]
        hosts += [group | {"name": f"{group['name']}2"} for group in copy.deepcopy(hosts)]
        made["constraints"].append(
            {"name": "two", "type": "fence", "vms": ["twin-*"], "hosts": ["x2-*", "y2-*"]}
        )

    here = run(base, tmp_path)
    if drawn["arrivals"]:
        header, *rows = (tmp_path / "vms.csv").read_text().splitlines()
        twins = [row.replace("vm-", "twin-", 1) for row in rows]
        both = sorted([*rows, *twins], key=lambda row: float(row.split(",")[1]))
        (tmp_path / "vms.csv").write_text("\n".join([header, *both]) + "\n")
    else:
        lines = [line.split(",") for line in (tmp_path / "load.csv").read_text().splitlines()]
        names = [name.replace("vm-", "twin-") for name in lines[0][1:]]
        wide = [[*lines[0], *names], *([*row, *row[1:]] for row in lines[1:])]
        (tmp_path / "load.csv").write_text("\n".join(",".join(row) for row in wide) + "\n")
    there = run(changed(base, twice), tmp_path)
    ours = {row["vm"]: row for row in here.tables["vms"].to_pylist()}
    theirs = {row["vm"]: row for row in there.tables["vms"].to_pylist()}
    for name, row in ours.items():
        for twin in (name, name.replace("vm-", "twin-")):
            for key in ("state", "requested_ghz_h", "unserved_share", "migrations", "size"):
                assert theirs[twin][key] == _near(row[key]), (twin, key)
    for name in ("energy_kwh", "migrations", "hosts_on_mean", "energy_cost"):
        assert there.value(name) == pytest.approx(2 * here.value(name), rel=1e-9)
    for name in ("unserved_share", "utilisation_mean", "slatah", "pdm", "cpu_ready"):
        assert there.value(name) == pytest.approx(here.value(name), rel=1e-9, abs=1e-12)


@relation(drawn=farms(arrivals=st.just(False)), shuffle=st.randoms(use_true_random=False))
def test_order_of_rows_and_lists(drawn: Mapping, shuffle: Any, tmp_path: Path) -> None:
    """Rows of a tidy table, tenants and rules may stand in any order."""
    base = scenario(drawn, tmp_path)
    names, *samples = (line.split(",") for line in (tmp_path / "load.csv").read_text().splitlines())
    rows = [
        f"{row[0]},{name},{value}"
        for row in samples
        for name, value in zip(names[1:], row[1:], strict=True)
    ]
    base["workload"]["source"] = {"type": "csv", "path": "tidy.csv", "layout": "tidy"}
    (tmp_path / "tidy.csv").write_text("\n".join(["time,vm,cpu", *rows]) + "\n")
    here = run(base, tmp_path)
    shuffle.shuffle(rows)
    (tmp_path / "tidy.csv").write_text("\n".join(["time,vm,cpu", *rows]) + "\n")
    base["tenants"].reverse()
    there = run(base, tmp_path)
    assert_same(summary(here), summary(there))
    by_tenant = ["tenants", "availability"]
    assert_same(columns(here, by_tenant), columns(there, by_tenant))


@relation(drawn=farms(arrivals=st.just(False), rules=st.just([]), failures=st.just({})))
def test_rule_that_is_always_kept(drawn: Mapping, tmp_path: Path) -> None:
    """A fence around all hosts forbids nothing; only tables that name rules may differ."""
    base = scenario(drawn, tmp_path)

    def more(made: Mapping) -> None:
        rule = {"name": "all", "type": "fence", "vms": ["vm-*"], "hosts": ["[xy]-*"]}
        made["constraints"] = [rule]

    here, there = run(base, tmp_path), run(changed(base, more), tmp_path)
    ours, theirs = here.tables["vms"].to_pylist(), there.tables["vms"].to_pylist()
    assert [_plain(row) for row in theirs] == [
        {key: _near(value) for key, value in _plain(row).items()} for row in ours
    ]
    for name in ("energy_kwh", "migrations", "hosts_on_mean", "slatah", "peak_power_w"):
        assert there.value(name) == _near(here.value(name)), name


@pytest.mark.thorough
@pytest.mark.parametrize("name", RELATIONS)
def test_on_many_farms(name: str, tmp_path: Path) -> None:
    check, drawn = RELATIONS[name]
    MANY(given(**drawn)(check))(tmp_path=tmp_path)
