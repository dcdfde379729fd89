"""Slots that are simulated many at a time give what they give one by one, to the last bit."""

import copy
from pathlib import Path
from typing import Any

import farm_draws
import numpy as np
import pytest
from builders import make_engine, make_farm, make_hosts, make_vms
from farm_draws import CONTROLS, FAILURES, MOVES, Mapping, farms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.models.delivery.guest_layers import GuestLayers
from farmsim.models.workload.demand import ConstantSeries, Demand
from farmsim.policies.control.control import PowerProportional
from farmsim.policies.placement_algorithms.round_robin import RoundRobin
from farmsim.scenarios.build.build import build
from farmsim.sim import slot_batches
from farmsim.sim.engine import Engine
from farmsim.sim.outcome import Outcome

LONGER = 10**9
FEW = settings(
    max_examples=30, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
MANY = settings(FEW, max_examples=1500)
CONTROL = [CONTROLS[0], CONTROLS[0], "power_proportional", *CONTROLS[1:3]]


def arrays(thing: Any, name: str, seen: set[int]) -> dict[str, bytes]:
    """All arrays and numbers that an object and its parts hold, by their path."""
    if isinstance(thing, np.ndarray):
        return {name: np.ascontiguousarray(thing).tobytes()}
    if isinstance(thing, int | float | str | bytes | bool | None):
        return {name: repr(thing).encode()}
    if id(thing) in seen:
        return {}
    seen.add(id(thing))
    if isinstance(thing, dict):
        parts = thing.items()
    elif isinstance(thing, list | tuple | set):
        parts = enumerate(thing)  # type: ignore[assignment]
    elif type(thing).__module__.startswith("farmsim.models"):
        parts = vars(thing).items() if hasattr(thing, "__dict__") else {}.items()
    else:
        return {}
    found: dict[str, bytes] = {}
    for key, part in parts:
        if key == "_buffer":  # is longer than what is in it
            continue
        found |= arrays(part, f"{name}.{key}", seen)
    return found


def everything(outcome: Outcome, beats: list[float]) -> dict[str, bytes]:
    """All that is left of a run; what only helps to make batches is left out."""
    kept: dict[str, Any] = {
        "tables": outcome.tables, "words": outcome.words, "rounds": outcome.rounds,
        "bounds": outcome.accounts.bounds.columns(), "lives": outcome.lives,
        "sleep": vars(outcome.sleep_record), "longest": outcome.longest_queue, "beats": beats,
        "below": outcome.below_reserve_s,
    }  # fmt: skip
    found = arrays(kept, "", set()) | arrays(outcome.farm.state, "farm", set())
    if outcome.accounts.service is not None:
        found |= arrays(outcome.accounts.service.account, "service", set())
    if outcome.accounts.tenants is not None:
        found |= arrays(vars(outcome.accounts.tenants), "tenants", set())
    return found


def played(engine: Engine) -> dict[str, bytes]:
    beats: list[float] = []
    return everything(engine.run(beats.append), beats)


class Batches:
    """Counts the batches of runs, and compares runs with and without them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.played = 0
        play = slot_batches.SlotBatches._play

        def counted(*arguments: Any) -> None:
            self.played += 1
            play(*arguments)

        monkeypatch.setattr(slot_batches.SlotBatches, "_play", counted)

    def check(self, make: Any, few: int = 1) -> int:
        """Compare two runs of the same engine, made anew; return how many batches there were."""
        before = self.played
        self._monkeypatch.setattr(slot_batches, "FEWEST_SLOTS", few)
        batched = played(make())
        count = self.played - before
        self._monkeypatch.setattr(slot_batches, "FEWEST_SLOTS", LONGER)
        single = played(make())
        assert self.played == before + count
        assert batched.keys() == single.keys()
        assert [name for name in single if batched[name] != single[name]] == []
        return count


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> Batches:
    return Batches(monkeypatch)


def plainer(drawn: Mapping, folder: Path, accounts: bool) -> Mapping:
    """The scenario of a draw, without tenants and classes unless ``accounts``."""
    made = copy.deepcopy(farm_draws.scenario(drawn, folder))
    if accounts:
        return made
    del made["tenants"]
    for size in made["workload"].get("sizes", []):
        size.pop("tenant", None)
        size.pop("class", None)
    table = folder / "vms.csv"
    if table.exists():
        rows = [line.split(",")[:6] for line in table.read_text().splitlines()]
        table.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return made


DRAWN: dict[str, st.SearchStrategy[Any]] = {
    "drawn": farms(
        control=st.sampled_from(CONTROL),
        moves=st.sampled_from(MOVES),
        failures=st.sampled_from([*FAILURES[:2], *FAILURES[:2], FAILURES[-1]]),
        hypervisor=st.sampled_from(["ideal", "ideal", "kvm", "esxi"]),
    ),
    "accounts": st.booleans(),
    "report": st.sampled_from(["10 min", "5 min", "7 min", "3 h"]),
    "every": st.sampled_from(["5 min", "11 min", "1 h"]),
}


def same_on_drawn_farm(
    batches: Batches, folder: Path, drawn: Mapping, accounts: bool, report: str, every: str
) -> None:
    for left in folder.iterdir():
        left.unlink()
    mapping = plainer(drawn, folder, accounts)
    mapping["run"]["report_every"], mapping["policies"]["every"] = report, every
    scenario = farmsim.Scenario.of(mapping, folder)
    batches.check(lambda: build(scenario).engine)


@FEW
@given(**DRAWN)
def test_drawn_farms(
    batches: Batches, tmp_path: Path, drawn: Mapping, accounts: bool, report: str, every: str
) -> None:
    same_on_drawn_farm(batches, tmp_path, drawn, accounts, report, every)


@pytest.mark.thorough
@MANY
@given(**DRAWN)
def test_many_drawn_farms(
    batches: Batches, tmp_path: Path, drawn: Mapping, accounts: bool, report: str, every: str
) -> None:
    same_on_drawn_farm(batches, tmp_path, drawn, accounts, report, every)


@FEW
@given(
    hosts=st.integers(1, 5), vms=st.integers(0, 12), slots=st.integers(1, 40),
    end=st.sampled_from([1.0, 0.5, 1.3, 2.7]), on_end=st.sampled_from(["hold", "loop", "stop"]),
    step_s=st.sampled_from([300.0, 0.1, 7.3]), report=st.sampled_from([1.0, 0.5, 3.7, 100.0]),
    control=st.sampled_from([1.0, 2.5]), core_mhz=st.sampled_from([None, 300.0]),
    busiest=st.sampled_from([0.3, 1.0, 1.2]), seed=st.integers(0, 99), off=st.booleans(),
)  # fmt: skip
def test_series_of_odd_lengths(
    batches: Batches, hosts: int, vms: int, slots: int, end: float, on_end: str, step_s: float,
    report: float, control: float, core_mhz: float | None, busiest: float, seed: int, off: bool,
) -> None:  # fmt: skip
    """Demand that ends early, reports beside the slots, one slot, one host, no VM, shortage."""
    shares = np.random.default_rng(seed).random((slots, vms)) * busiest

    def made() -> Engine:
        farm = make_farm(make_hosts([1000.0] * hosts, core_mhz=core_mhz), make_vms([600.0] * vms))
        return make_engine(
            farm, shares, placement=RoundRobin(), step_s=step_s, on_end=on_end,
            end_s=end * slots * step_s, report_s=report * step_s, control_s=control * step_s,
            overcommit=3.0, reject=True, control=PowerProportional() if off else None,
        )  # fmt: skip

    batches.check(made)


def test_a_run_without_control_is_one_batch(batches: Batches) -> None:
    shares = np.random.default_rng(4).random((50, 30))

    def made() -> Engine:
        farm = make_farm(make_hosts([3000.0] * 10), make_vms([900.0] * 30))
        return make_engine(farm, shares)

    assert batches.check(made, few=3) == 1


@pytest.mark.parametrize(("hosts", "vms"), [(1, 0), (1, 1), (7, 50), (300, 9000), (70_000, 200)])
def test_guests_are_added_up_one_after_another(hosts: int, vms: int) -> None:
    rng = np.random.default_rng(hosts)
    home, rows, values = rng.integers(0, hosts + 1, vms), rng.permutation(vms), rng.random((3, vms))
    sums = np.zeros((3, hosts))
    for block in GuestLayers(rows, home, hosts):
        sums[:, block.hosts] = block.sums(values[:, block.vms])
    for found, row in zip(sums, values, strict=True):
        expected = np.bincount(home, weights=row[rows], minlength=hosts + 1)[:hosts]
        assert np.array_equal(found, expected)


def test_demand_of_a_batch_is_that_of_its_slots() -> None:
    single = Demand(ConstantSeries(0.3, 4), np.array([1.0, 2.0, 3.0, 0.1]))
    several = single.batch(range(1, 4))
    single.advance(1)
    for row in several.of(np.array([3, 0])):
        assert np.array_equal(row, single.now_mhz[[3, 0]])
