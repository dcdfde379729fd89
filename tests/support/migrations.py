"""Moves over small networks for tests: who is where, and what the peer program measured."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import simpy

from farmsim.models.farm.farm import Farm
from farmsim.models.migration.course import Guest, MigrationOutcome, MigrationSteps
from farmsim.models.migration.dirty_pages import BYTES_PER_MEGABIT, DirtyRate
from farmsim.models.migration.pre_copy import PreCopy
from farmsim.models.network.network import Network
from farmsim.models.network.transport import CM02, LV08
from farmsim.models.state.columns import VmState
from farmsim.sim.base.clock import Clock
from farmsim.sim.migration.player import MigrationPlayer, SimProcess
from farmsim.sim.migration.transfers import FlowNetwork

DATA = Path(__file__).parents[1] / "data" / "simgrid" / "migration.csv"
GIB = 1024.0**3
LATENCY_S = 1e-4
SOURCE_CORES = 8


@dataclass
class RecordedActions:
    """A farm of one VM that insists on a sensible order of what it is told."""

    clock: simpy.Environment
    activity: float = 1.0
    place: str = "source"
    moving: bool = True
    pages_away: bool = False
    told: list[str] = field(default_factory=list)
    share: float = 1.0
    _busy_s: float = 0.0
    _since_s: float = 0.0

    def on_phase(self, guest_share: float, source_share: float, target_share: float) -> None:
        assert 0.0 <= guest_share <= 1.0
        assert 0.0 <= source_share <= 1.0
        assert 0.0 <= target_share <= 1.0
        assert self.place != "lost"
        self._go_on(guest_share)

    def on_suspend(self) -> None:
        assert self.share > 0
        self.told.append("suspend")

    def on_arrive(self, pages_away: bool) -> None:
        assert (self.place, self.moving) == ("source", True)
        self.place, self.moving, self.pages_away = "target", False, pages_away
        self._go_on(1.0)
        self.told.append("arrive")

    def on_fetched(self) -> None:
        assert (self.place, self.pages_away) == ("target", True)
        self.pages_away = False
        self.told.append("fetched")

    def on_cancel(self) -> None:
        assert (self.place, self.moving) == ("source", True)
        self.moving = False
        self.told.append("cancel")

    def on_lost(self) -> None:
        assert self.place == "target"
        self.place = "lost"
        self.told.append("lost")

    def _go_on(self, share: float) -> None:
        self._busy_s, self._since_s, self.share = self.busy_s(), self.clock.now, share

    def busy_s(self) -> float:
        return self._busy_s + self.activity * self.share * (self.clock.now - self._since_s)


class FarmActions:
    """One VM of a farm, moved by the farm's own verbs; ``lost`` VMs are taken off their host."""

    def __init__(self, clock: simpy.Environment, farm: Farm, vm: int, target: int) -> None:
        self._clock, self._farm, self._vm = clock, farm, np.array([vm])
        self._worked_mhz_s, self._since_s, self._share = 0.0, clock.now, 1.0
        farm.begin_migration(self._vm, np.array([target]), clock.now)

    def on_phase(self, guest_share: float, source_share: float, target_share: float) -> None:
        self._worked_mhz_s, self._since_s = self._so_far_mhz_s(), self._clock.now
        self._share = guest_share
        if self._farm.vms.state[self._vm[0]] == VmState.MIGRATING:
            shares = guest_share, source_share, target_share
            self._farm.set_migration_load(self._vm, *shares, self._clock.now)

    def on_suspend(self) -> None:
        assert self._share > 0

    def on_arrive(self, pages_away: bool) -> None:
        self._worked_mhz_s, self._since_s = self._so_far_mhz_s(), self._clock.now
        self._share = 1.0
        self._farm.commit_migration(self._vm, self._clock.now, pages_away)

    def on_fetched(self) -> None:
        self._farm.end_fetching(self._vm, self._clock.now)

    def on_cancel(self) -> None:
        self._farm.abort_migration(self._vm, self._clock.now)

    def on_lost(self) -> None:
        self._farm.retire(self._vm, self._clock.now)

    def busy_s(self) -> float:
        return self._so_far_mhz_s() / float(self._farm.vms.size_mhz[self._vm[0]])

    def _so_far_mhz_s(self) -> float:
        demand_mhz = float(self._farm.vms.demand_mhz[self._vm[0]])
        return self._worked_mhz_s + self._share * demand_mhz * (self._clock.now - self._since_s)


def start(
    clock: Clock,
    flow_network: FlowNetwork,
    steps: MigrationSteps,
    actions: RecordedActions,
    target: int = 1,
    delay_s: float = 0.0,
) -> simpy.Process:
    """Start moving from host 0 after a delay."""

    def late() -> SimProcess:
        if delay_s:
            yield clock.timeout(delay_s)
        return (yield from MigrationPlayer(clock, flow_network, steps, 0, target, actions).play())

    return clock.process(late())


def done(story: simpy.Process) -> MigrationOutcome:
    """Return what a story that has ended did."""
    assert isinstance(story.value, MigrationOutcome)
    return story.value


@dataclass(frozen=True)
class Row:
    """One run of SimGrid: one or two VMs over a line, with what it measured for each."""

    case: str
    network: str
    link_mbps: float
    targets: int
    stagger_s: float
    memory_bytes: float
    cap_mbps: float
    dirty_mbps: float
    working_set: float
    activity: float
    rounds: tuple[int, ...]
    total_s: tuple[float, ...]
    downtime_s: tuple[float, ...]

    @property
    def converged(self) -> bool:
        return bool(self.rounds)


def simgrid_runs() -> Iterator[Row]:
    """Read the runs; the rows of a run follow each other, VM0 first."""
    numbers = iter(range(10**6))
    run = 0

    def number(row: dict[str, str]) -> int:
        nonlocal run
        run = next(numbers) if row["vm"] == "VM0" else run
        return run

    with DATA.open(encoding="utf-8") as handle:
        for _, group in groupby(csv.DictReader(handle), key=number):
            yield _row(list(group))


def _row(rows: list[dict[str, str]]) -> Row:
    first = rows[0]
    tasks = float(first["background_tasks"]) + 1
    done = [row for row in rows if row["rounds"]]
    return Row(
        case=first["case"],
        network=first["network"],
        link_mbps=float(first["link_gbps"]) * 1000,
        targets=int(first["targets"]),
        stagger_s=float(first["stagger_s"]),
        memory_bytes=float(first["ram_gib"]) * GIB,
        cap_mbps=float(first["speed_bytes_s"]) / BYTES_PER_MEGABIT,
        dirty_mbps=float(first["dirty_bytes_s"]) / BYTES_PER_MEGABIT,
        working_set=float(first["working_set"]),
        activity=min(1.0, SOURCE_CORES / tasks),
        rounds=tuple(int(row["rounds"]) for row in done),
        total_s=tuple(float(row["total_s"]) for row in done),
        downtime_s=tuple(float(row["downtime_s"]) for row in done),
    )


def like_simgrid(row: Row, **parameters: object) -> PreCopy:
    """Return pre-copy without anything that SimGrid does not model."""
    settings: dict[str, object] = {
        "guest_loss": 0.0, "target_load": 0.0, "max_bandwidth_mbps": row.cap_mbps,
        "downtime_target_s": 0.03, "max_rounds": 10_000, "max_copied": 0.0, "max_stalled_rounds": 0,
        "dirty": DirtyRate(row.dirty_mbps, row.working_set),
    }  # fmt: skip
    return PreCopy(**(settings | parameters))  # type: ignore[arg-type]


def play_simgrid(row: Row, vms: int, **parameters: object) -> list[MigrationOutcome]:
    """Play a run on the same line with the same network model."""
    graph: Any = nx.Graph()
    graph.add_edge(0, "line", capacity_mbps=row.link_mbps, latency_s=LATENCY_S, full_duplex=False)
    for target in (1, 2):
        graph.add_edge("line", target, capacity_mbps=1e9, latency_s=1e-15)
    clock = Clock()
    flow_network = FlowNetwork(
        clock, Network(graph, [0, 1, 2]), {"LV08": LV08, "CM02": CM02}[row.network]
    )
    guest, stories = Guest(row.memory_bytes), []
    for vm in range(vms):
        steps = like_simgrid(row, **parameters).steps(guest)
        actions = RecordedActions(clock, row.activity)
        target = 1 + vm if row.targets == 2 else 1
        stories.append(start(clock, flow_network, steps, actions, target, vm * row.stagger_s))
    clock.run()
    return [done(story) for story in stories]
