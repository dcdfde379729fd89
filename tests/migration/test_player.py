"""Migrations on a shared network: as SimGrid has them, and whatever interrupts them."""

import math
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import simpy
from builders import make_farm, make_hosts, make_vms, two_hosts
from hypothesis import given, settings
from hypothesis import strategies as st
from migrations import FarmActions, RecordedActions, Row, done, play_simgrid, simgrid_runs, start

from farmsim.models.farm.audit import audit
from farmsim.models.migration.conversion import ColdConversion, ReplicatedConversion
from farmsim.models.migration.course import (
    Guest,
    MigrationEnd,
    MigrationOutcome,
    MigrationSteps,
    Step,
    play_alone,
)
from farmsim.models.migration.dirty_pages import BYTES_PER_MEGABIT, DirtyCurve, DirtyRate
from farmsim.models.migration.post_copy import Hybrid, PostCopy
from farmsim.models.migration.pre_copy import PreCopy
from farmsim.models.migration.suspend_resume import Cold, SuspendResume
from farmsim.models.network.network import Network
from farmsim.models.network.transport import LV08, PLAIN
from farmsim.models.state.columns import VmState
from farmsim.sim.base.clock import Clock
from farmsim.sim.migration.player import (
    CANCEL,
    END,
    NETWORK,
    REASONS,
    SOURCE,
    TARGET,
    MigrationPlayer,
)
from farmsim.sim.migration.transfers import FlowNetwork, Transfer

LINK_MBPS = 8000.0
LINK_BYTES_S = LINK_MBPS * BYTES_PER_MEGABIT
LATENCY_S = 0.001
GUEST = Guest(2e9, disk_bytes=4e9, write_bytes_s=1e8, passthrough=True, takes_device=True)
MOST_EVENTS = 3000
RUNS = list(simgrid_runs())


def pair(clock: Clock) -> FlowNetwork:
    return FlowNetwork(clock, two_hosts(LINK_MBPS, LATENCY_S, full_duplex=True), PLAIN)


def differences(row: Row) -> list[str]:
    """Say what is not as SimGrid has it; both VMs of a run."""
    outcomes = play_simgrid(row, len(row.rounds))
    wrong = []
    for vm, outcome in enumerate(outcomes):
        same = (
            math.isclose(outcome.total_s, row.total_s[vm], rel_tol=1e-6),
            math.isclose(outcome.downtime_s, row.downtime_s[vm], rel_tol=1e-5),
            outcome.rounds == row.rounds[vm],
        )
        if not all(same):
            wrong.append(f"{row} VM{vm}: {outcome}")
    return wrong


def test_the_runs_of_simgrid_are_all_there() -> None:
    assert sum(len(row.rounds) or 1 for row in RUNS) == 602
    assert len([row for row in RUNS if not row.converged]) == 2


@pytest.mark.parametrize("case", sorted({row.case for row in RUNS if row.converged}))
def test_some_runs_of_each_case_end_as_in_simgrid(case: str) -> None:
    rows = [row for row in RUNS if row.case == case]
    assert [wrong for row in rows[::7] for wrong in differences(row)] == []


@pytest.mark.slow
def test_every_run_ends_as_in_simgrid() -> None:
    """Total time to 1e-6, downtime to 1e-5, rounds equal, under LV08 and CM02."""
    rows = [row for row in RUNS if row.converged]
    assert [wrong for row in rows for wrong in differences(row)] == []


@pytest.mark.parametrize("reaction", ["stop_and_copy", "throttle", "post_copy", "cancel"])
@pytest.mark.parametrize("row", [row for row in RUNS if not row.converged])
def test_what_crashes_simgrid_ends_as_declared(row: Row, reaction: str) -> None:
    (outcome,) = play_simgrid(row, 1, if_not_converging=reaction, max_stalled_rounds=2)
    assert outcome.reaction == reaction
    assert outcome.final_place == ("source" if reaction == "cancel" else "target")
    assert outcome.rounds < 30
    rate = 1e9 / 8 * LV08.bandwidth_factor / (1 + LV08.cross_traffic)
    if reaction == "stop_and_copy":
        rest_bytes = math.floor(row.working_set * row.memory_bytes)
        assert outcome.downtime_s == pytest.approx(rest_bytes / rate, rel=1e-3)
    else:
        assert outcome.downtime_s < 0.04


MODELS: dict[str, Any] = {
    "cold": Cold(storage="with", shutdown_s=1.0, boot_s=3.0, announce_s=0.1),
    "suspend_resume": SuspendResume(resume_s=0.5, storage="before"),
    "pre_copy": PreCopy(dirty=DirtyRate(6000.0, 0.5), announce_s=0.1, drain_s=0.5, setup_s=0.2),
    "throttled": PreCopy(dirty=DirtyRate(16000.0, 0.4), if_not_converging="throttle", resume_s=0.1),
    "switched": PreCopy(
        dirty=DirtyRate(16000.0, 0.4), if_not_converging="post_copy", announce_s=0.2
    ),
    "called off": PreCopy(dirty=DirtyRate(16000.0, 0.4), if_not_converging="cancel"),
    "with disk": PreCopy(dirty=DirtyCurve((1.0, 5.0), (0.2, 0.3)), storage="with", max_rounds=3),
    "post_copy": PostCopy(resume_s=0.1, announce_s=0.2, storage="before"),
    "hybrid": Hybrid(dirty=DirtyRate(4000.0, 0.5), storage="with"),
    "converted": ColdConversion(shutdown_s=1.0, boot_s=2.0),
    "replicated": ReplicatedConversion(shutdown_s=1.0, boot_s=2.0, drain_s=0.5),
}


@pytest.mark.parametrize("name", MODELS)
def test_on_an_empty_network_a_move_takes_what_its_model_says(name: str) -> None:
    clock = Clock()
    story = start(clock, pair(clock), MODELS[name].steps(GUEST), RecordedActions(clock, 0.7))
    clock.run()
    outcome = done(story)
    alone = play_alone(MODELS[name].steps(GUEST), LINK_BYTES_S, LATENCY_S, activity=0.7)
    assert outcome.total_s == pytest.approx(alone.total_s, rel=1e-9)
    assert outcome.downtime_s == pytest.approx(alone.downtime_s, rel=1e-6)
    assert outcome.sent_bytes == pytest.approx(alone.sent_bytes, rel=1e-6)
    assert (outcome.final_place, outcome.rounds) == (alone.final_place, alone.rounds)
    assert outcome.guest_lost_s == pytest.approx(alone.guest_lost_s, rel=1e-6)


@pytest.mark.parametrize("moves", [2, 3])
def test_moves_that_share_a_link_share_its_rate(moves: int) -> None:
    """Without dirtying n moves take n times as long."""
    idle, small = PreCopy(dirty=DirtyRate(0.0), guest_loss=0.0), Guest(2e9)
    clock = Clock()
    flow_network = FlowNetwork(clock, two_hosts(LINK_MBPS, 1e-9), PLAIN)
    stories = [
        start(clock, flow_network, idle.steps(small), RecordedActions(clock)) for _ in range(moves)
    ]
    clock.run()
    for story in stories:
        assert done(story).total_s == pytest.approx(moves * small.memory_bytes / LINK_BYTES_S)


def test_who_is_told_what_and_when() -> None:
    clock, told = Clock(), RecordedActions(Clock())
    told.clock = clock
    start(clock, pair(clock), MODELS["switched"].steps(GUEST), told)
    clock.run()
    assert told.told == ["suspend", "arrive", "fetched"]
    assert told.share == 1.0


def interrupt_at(
    clock: Clock, story: simpy.Process, causes: list[tuple[float, str]]
) -> Generator[simpy.Event, object, None]:
    for delay_s, cause in causes:
        yield clock.timeout(delay_s)
        if story.is_alive:
            story.interrupt(cause)


class Carrier:
    """A transport that remembers its transfers, so that a test can cut them."""

    def __init__(self, flow_network: FlowNetwork) -> None:
        self.flow_network = flow_network
        self.flows: list[Transfer] = []

    def send(self, source: int, target: int, size_bytes: float, cap_bytes_s: float) -> Any:
        self.flows.append(self.flow_network.send(source, target, size_bytes, cap_bytes_s))
        return self.flows[-1]

    def sent_bytes(self, transfer: Transfer) -> float:
        return self.flow_network.sent_bytes(transfer)


def run_bounded(clock: Clock) -> None:
    for _ in range(MOST_EVENTS):
        if clock.peek() == math.inf:
            return
        clock.step()
    raise AssertionError(f"more than {MOST_EVENTS} events: the story does not end")


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(MODELS)),
    whens=st.lists(
        st.tuples(st.floats(0, 1.1), st.sampled_from([*sorted(REASONS), "nonsense"])), max_size=3
    ),
    cut=st.one_of(st.none(), st.floats(0, 1.1)),
    other_s=st.floats(0, 20),
)
def test_whatever_happens_the_vm_is_in_one_place(
    name: str, whens: list[tuple[float, str]], cut: float | None, other_s: float
) -> None:
    """Interrupts and cut transfers at any moment, with other traffic on the link."""
    whole_s = play_alone(MODELS[name].steps(GUEST), LINK_BYTES_S, LATENCY_S).total_s
    clock = Clock()
    flow_network = pair(clock)
    carrier, actions = Carrier(flow_network), RecordedActions(clock)
    flow_network.send(0, 1, other_s * LINK_BYTES_S, LINK_BYTES_S / 2)
    story = clock.process(
        MigrationPlayer(clock, carrier, MODELS[name].steps(GUEST), 0, 1, actions).play()
    )
    clock.process(interrupt_at(clock, story, [(when * whole_s, why) for when, why in whens]))

    def cutter() -> Generator[simpy.Event, object, None]:
        yield clock.timeout((cut or 0.0) * whole_s)
        if cut is not None and carrier.flows:
            carrier.flows[-1].withdraw()

    clock.process(cutter())
    run_bounded(clock)
    outcome = done(story)
    assert outcome.final_place == actions.place
    assert not actions.moving
    assert actions.told.count("arrive") + actions.told.count("cancel") == 1
    assert not flow_network.link_rates.any()
    assert 0.0 <= outcome.downtime_s <= outcome.total_s
    assert outcome.guest_lost_s <= outcome.total_s * (1 + 1e-9)
    assert outcome.phases[0].start_s == 0.0
    assert outcome.phases[-1].end_s == pytest.approx(outcome.total_s)
    sent = flow_network.link_bytes.sum() - other_s * LINK_BYTES_S
    assert outcome.sent_bytes <= sent + 1.0
    if cut is None:
        assert outcome.sent_bytes == pytest.approx(sent, rel=1e-9, abs=1.0)


def interrupted(model: Any, when_s: float, cause: str) -> tuple[MigrationOutcome, RecordedActions]:
    clock = Clock()
    flow_network, actions = pair(clock), RecordedActions(clock)
    story = start(clock, flow_network, model.steps(Guest(2e9)), actions)
    clock.process(interrupt_at(clock, story, [(when_s, cause)]))
    clock.run()
    return done(story), actions


@pytest.mark.parametrize("cause", [SOURCE, TARGET, NETWORK])
def test_a_failure_while_pages_are_away_loses_the_vm(cause: str) -> None:
    outcome, actions = interrupted(PostCopy(), 1.0, cause)
    assert (outcome.final_place, outcome.reason) == ("lost", REASONS[cause])
    assert actions.told == ["suspend", "arrive", "lost"]


def test_post_copy_cannot_be_called_off_once_the_guest_has_moved() -> None:
    outcome, _ = interrupted(PostCopy(), 1.0, CANCEL)
    assert (outcome.final_place, outcome.reason) == ("target", "")
    early, _ = interrupted(PostCopy(), 0.001, CANCEL)
    assert (early.final_place, early.reason) == ("source", "called off")
    ended, _ = interrupted(PostCopy(), 1.0, END)
    assert (ended.final_place, ended.reason) == ("target", "the run ended")
    assert ended.total_s == 1.0


@pytest.mark.parametrize(("cause", "total_s"), [(CANCEL, 33.0), (TARGET, 33.0), (END, 3.0)])
def test_a_cold_move_called_off_boots_again_at_the_source(cause: str, total_s: float) -> None:
    outcome, actions = interrupted(Cold(shutdown_s=10.0, boot_s=30.0), 3.0, cause)
    assert (outcome.final_place, outcome.total_s, outcome.downtime_s) == (
        "source",
        total_s,
        total_s,
    )
    assert actions.told == ["suspend", "cancel"]


def test_a_second_failure_ends_the_way_back_too() -> None:
    clock = Clock()
    actions = RecordedActions(clock)
    story = start(clock, pair(clock), Cold(boot_s=30.0).steps(GUEST), actions)
    clock.process(interrupt_at(clock, story, [(3.0, CANCEL), (4.0, SOURCE)]))
    clock.run()
    assert (done(story).final_place, done(story).total_s) == ("source", 7.0)


def test_an_error_of_a_model_leaves_the_vm_at_the_source() -> None:
    def broken() -> MigrationSteps:
        yield Step("first pass", size_bytes=1e9)
        raise ValueError("no such page")
        return MigrationEnd(moved=True)  # type: ignore[unreachable]

    clock = Clock()
    actions = RecordedActions(clock)
    start(clock, pair(clock), broken(), actions)
    with pytest.raises(ValueError, match="no such page"):
        clock.run()
    assert actions.told == ["cancel"]


@pytest.mark.parametrize("name", ["pre_copy", "hybrid"])
def test_a_story_thrown_away_tells_nobody(name: str) -> None:
    """Neither while it waits nor while it sends."""
    clock = Clock()
    actions = RecordedActions(clock)
    story = MigrationPlayer(
        clock, pair(clock), MODELS[name].steps(Guest(2e9)), 0, 1, actions
    ).play()
    next(story)
    story.close()
    assert actions.told == []


@pytest.mark.parametrize("cause", [CANCEL, SOURCE, NETWORK])
def test_what_no_longer_concerns_the_guest_does_not_stop_its_boot(cause: str) -> None:
    outcome, _ = interrupted(Cold(shutdown_s=1.0, boot_s=5.0), 3.0, cause)
    assert (outcome.final_place, outcome.reason) == ("target", "")
    assert outcome.downtime_s == pytest.approx(6.0 + LATENCY_S)


@pytest.mark.parametrize("cause", [SOURCE, NETWORK])
def test_pages_are_away_as_soon_as_the_guest_has_moved(cause: str) -> None:
    outcome, _ = interrupted(PostCopy(announce_s=1.0), 0.5, cause)
    assert outcome.final_place == "lost"


@settings(max_examples=30, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(MODELS)), min_size=4, max_size=4),
    whens=st.lists(
        st.tuples(st.integers(0, 3), st.floats(0, 30), st.sampled_from(sorted(REASONS))),
        max_size=5,
    ),
)
def test_no_vm_of_a_farm_is_lost_doubled_or_in_two_places(
    names: list[str], whens: list[tuple[int, float, str]]
) -> None:
    """Four VMs move among three hosts at once; the farm is audited whenever time moves on."""
    farm = make_farm(make_hosts([4000.0] * 3), make_vms([1000.0] * 4))
    farm.start(np.ones(3, bool))
    farm.place(np.arange(4), np.array([0, 0, 1, 2]), 0.0)
    farm.set_demand(np.array([1000.0, 500.0, 250.0, 0.0]), 0.0)
    clock = Clock()
    flow_network = FlowNetwork(clock, Network.single_switch(3, LINK_MBPS, LATENCY_S / 2), PLAIN)
    ends = [(0, 1), (0, 2), (1, 0), (2, 0)]
    stories = [
        clock.process(
            MigrationPlayer(
                clock, flow_network, MODELS[name].steps(GUEST), *ends[vm],
                FarmActions(clock, farm, vm, ends[vm][1]),
            ).play()
        )
        for vm, name in enumerate(names)
    ]  # fmt: skip
    for vm, when_s, why in whens:
        clock.process(interrupt_at(clock, stories[vm], [(when_s, why)]))
    for _ in range(MOST_EVENTS):
        if clock.peek() == math.inf:
            break
        clock.step()
        if clock.peek() > clock.now:
            audit(farm)
    for vm, story in enumerate(stories):
        outcome = done(story)
        place = {"source": ends[vm][0], "target": ends[vm][1], "lost": -1}[outcome.final_place]
        assert farm.vms.host[vm] == place
    assert not flow_network.link_rates.any()
    assert not np.any(farm.vms.state == VmState.MIGRATING)
    assert not np.any(farm.hosts.incoming)
