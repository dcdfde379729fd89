"""The integer program finds what trying everything finds, and nothing ever beats the bounds."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from builders import make_engine, make_farm, make_hosts, make_vms
from hypothesis import given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.analysis.studies.optimum import lower_bound, solve
from farmsim.analysis.studies.snapshot import Snapshot, beyond_program, first_fit_decreasing
from farmsim.cli.main import run_command_line
from farmsim.models.base.arrays import Ints
from farmsim.models.rules.constraints import Rule
from farmsim.models.rules.rules import Rules
from farmsim.policies.catalogue import POLICIES
from farmsim.scenarios.resolve.racks import unplanned

NEED = st.tuples(st.integers(0, 10), st.integers(0, 10))
HOST = st.tuples(st.integers(6, 20), st.integers(6, 20))


def make_snapshot(
    needs: list[tuple[int, int]],
    rooms: list[tuple[int, int]],
    apart: list[Ints] | None = None,
    together: list[Ints] | None = None,
    barred: list[tuple[int, int]] | None = None,
) -> Snapshot:
    cpu, memory = np.array(needs, np.float64).T
    allowed = np.ones((len(needs), len(rooms)), bool)
    for vm, host in barred or []:
        allowed[vm % len(needs), host % len(rooms)] = False
    room_mhz, room_mib = np.array(rooms, np.float64).T
    return Snapshot(
        cpu_mhz=cpu[:, None], memory_mib=memory[:, None], room_mhz=room_mhz, room_mib=room_mib,
        group=np.zeros(len(rooms), np.int64), one_guest=np.zeros(len(rooms), bool),
        allowed=allowed, home=np.zeros(len(needs), np.int64), apart=apart or [],
        together=together or [],
    )  # fmt: skip


def brute_force(snapshot: Snapshot) -> int | None:
    vms, hosts = snapshot.allowed.shape
    for count in range(1, hosts + 1):
        for chosen in itertools.combinations(range(hosts), count):
            for home in itertools.product(chosen, repeat=vms):
                if snapshot.fits(np.array(home)):
                    return count
    return None


@settings(max_examples=40, deadline=None)
@given(
    st.lists(NEED, min_size=1, max_size=5),
    st.lists(HOST, min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=2),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_the_program_finds_what_trying_everything_finds(
    needs: list[tuple[int, int]], rooms: list[tuple[int, int]], barred: list[tuple[int, int]],
    split: bool, joined: bool,
) -> None:  # fmt: skip
    apart = [np.array([0, 1])] if split and len(needs) > 1 else []
    together = [np.array([len(needs) - 2, len(needs) - 1])] if joined and len(needs) > 3 else []
    snapshot = make_snapshot(needs, rooms, apart, together, barred)
    found, best = solve(snapshot), brute_force(snapshot)
    if best is None:
        assert found.status == "infeasible"
        assert found.hosts is None
        return
    assert (found.status, found.hosts, found.bound) == ("optimal", best, best)
    assert found.home is not None
    assert snapshot.fits(found.home)
    assert lower_bound(snapshot) <= best
    packed = first_fit_decreasing(snapshot)
    assert packed is None or len(np.unique(packed)) >= best


def test_without_time_the_optimum_lies_between_bounds() -> None:
    rng = np.random.default_rng(3)
    needs = [(int(a), int(b)) for a, b in rng.integers(1, 9, (60, 2))]
    found = solve(make_snapshot(needs, [(20, 20)] * 60), time_limit_s=0.0)
    assert found.hosts is not None
    assert found.bound <= found.hosts
    assert found.status in {"optimal", "time limit"}


def test_a_host_for_one_guest_holds_one() -> None:
    farm = make_farm(make_hosts([100.0] * 3), make_vms([10.0] * 3))
    farm.delivery.layer.one_guest[:] = True
    farm.place(np.arange(3), np.arange(3), 0.0)
    found = solve(Snapshot.of(farm))
    assert (found.bound, found.hosts) == (3, 3)


def test_a_snapshot_knows_what_its_hosts_lack() -> None:
    farm = make_farm(make_hosts([100.0] * 2), make_vms([80.0] * 2))
    farm.place(np.arange(2), np.zeros(2, np.int64), 0.0)
    farm.set_demand(np.full(2, 80.0), 0.0)
    assert Snapshot.of(farm).shortfall_mhz() == pytest.approx(60.0)
    assert solve(Snapshot.of(farm)).hosts == 2


def test_hard_rules_are_kept_or_named() -> None:
    farm = make_farm(make_hosts([100.0] * 4), make_vms([10.0] * 3))
    farm.place(np.arange(3), np.arange(3), 0.0)
    rules = Rules(
        [
            Rule("pair", "apart", np.array([0, 1])),
            Rule("fence", "fence", np.array([2]), np.array([3])),
            Rule("racks", "spread", np.array([0, 2]), level="rack"),
            Rule("wish", "apart", np.array([1, 2]), penalty=1.0),
        ],
        unplanned(4), 3, farm.hosts.cpu_mhz,
    )  # fmt: skip
    snapshot = Snapshot.of(farm, rules=rules)
    found = solve(snapshot)
    assert found.home is not None
    assert (found.hosts, int(found.home[2])) == (2, 3)
    assert found.home[0] != found.home[1]
    assert beyond_program(rules) == ["racks"]


@pytest.mark.parametrize("name", POLICIES["placement"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_no_placement_uses_fewer_hosts_than_the_bound(name: str, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 20))
    sizes = data.draw(st.lists(st.integers(1, 100), min_size=count, max_size=count))
    memory = data.draw(st.lists(st.integers(1, 100), min_size=count, max_size=count))
    hosts = data.draw(st.lists(st.sampled_from([100.0, 160.0]), min_size=12, max_size=12))
    farm = make_farm(
        make_hosts(hosts, 120.0), make_vms([float(s) for s in sizes], [float(m) for m in memory])
    )
    engine = make_engine(
        farm, np.ones((1, count)), placement=POLICIES["placement"][name](), reject=True
    )
    engine.run()
    snapshot = Snapshot.of(farm)
    if not len(snapshot.home):
        return
    used = len(np.unique(snapshot.home))
    assert lower_bound(snapshot) <= used


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_step_of_a_run_is_below_its_bounds(data: st.DataObject) -> None:
    count, slots = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 6))
    hosts = data.draw(st.lists(st.sampled_from([100.0, 160.0]), min_size=3, max_size=6))
    shares = np.array(
        data.draw(
            st.lists(
                st.lists(st.floats(0, 1), min_size=count, max_size=count),
                min_size=slots, max_size=slots,
            )
        )
    )  # fmt: skip
    control = POLICIES["control"]["consolidation"]
    farm = make_farm(make_hosts(hosts, boot_s=20.0, stop_s=10.0), make_vms([60.0] * count))
    engine = make_engine(farm, shares, control=control(), overcommit=9.0, reject=True)
    outcome = engine.run()
    steps = outcome.accounts.bounds.columns()
    assert steps["length_s"].sum() == outcome.end_s
    assert np.all(steps["hosts_least"] <= steps["hosts_on"] + 1e-6)
    assert np.all(steps["least_w"] * steps["length_s"] <= steps["energy_j"] * (1 + 1e-9) + 1e-6)


@pytest.mark.parametrize(
    "name", ["claim-3-boot", "claim-6-public-cloud", "claim-9-exposure", "first-steps"]
)
def test_runs_of_the_library_stay_above_their_bounds(name: str) -> None:
    result = farmsim.run(f"library/{name}")
    for each in (result, result.baseline):
        if each is None:
            continue
        steps = {
            key: each.table("bounds")[key].to_numpy() for key in each.table("bounds").schema.names
        }
        length_s = steps["interval_s"]
        assert np.all(steps["hosts_bound"] <= steps["hosts_on"] + 1e-6)
        assert np.all(steps["power_bound_w"] <= steps["power_w"] * (1 + 1e-9))
        mean_on = (steps["hosts_on"] * length_s).sum() / length_s.sum()
        if "energy_excluded_kwh" not in each.summary:  # all hosts that were on count
            assert mean_on == pytest.approx(each.value("hosts_on_mean"))
        bound = each.value("hosts_bound_mean")
        assert each.value("gap_hosts") == pytest.approx(each.value("hosts_on_mean") / bound - 1)
        assert each.value("energy_bound_kwh") * (1 + each.value("gap_energy")) == pytest.approx(
            each.value("energy_kwh")
        )


def test_the_page_shows_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "optimum.md").read_text("utf-8")
    shown = re.search(r"```text\n(.*?)```", page, re.DOTALL)
    assert shown
    assert run_command_line(["optimum", "library/planetlab-day", "--at", "10 h"]) == 0
    assert capsys.readouterr().out == shown[1]


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["optimum", "library/first-steps", "--at", "2 h", "--max-utilisation", "80 %", "--json"]
    assert run_command_line(line) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "optimal"
    assert told["bound"] == told["fewest"] <= told["hosts_on"]
    same = farmsim.optimum("library/first-steps", at_s=7200.0, max_utilisation=0.8)
    assert same.to_dict() == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--at", "90 h"], "to the end of the run, 48 h"),
        (["--at", "soon"], "is not a time"),
        (["--at", "2 h", "--max-utilisation", "120 %"], "up to 100 %"),
        (["--at", "2 h", "--time-limit", "-1 s"], "from 0 s to 1000 years"),
    ],
)
def test_wrong_usage_ends_with_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["optimum", "library/first-steps", *arguments]) == 2
    assert told in capsys.readouterr().err
