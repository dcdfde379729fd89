"""Everything at once: VMs come, move, change size and go while hosts sleep, wake and fail.

A witness looks at the farm after every event and integrates for itself what hosts draw, by the
state that they are in, and what VMs ask for and get. Whatever happens, and in whatever order, its
sums are those of the accounts.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from builders import FULL_W, IDLE_W, make_hosts, make_vms
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.analysis.measure.conservation import check
from farmsim.analysis.topics.lifecycle.metrics import present_s
from farmsim.models.accounts.accounts import Rate
from farmsim.models.base.arrays import Floats, Ints
from farmsim.models.farm.audit import audit
from farmsim.models.farm.farm import Farm
from farmsim.models.hardware.reliability import Exponential
from farmsim.models.migration.fixed_rate import FixedRate
from farmsim.models.migration.model_table import MigrationModels, Model
from farmsim.models.migration.post_copy import PostCopy
from farmsim.models.migration.pre_copy import PreCopy
from farmsim.models.network.network import Network
from farmsim.models.network.transport import LV08
from farmsim.models.state.columns import PowerState, VmState
from farmsim.models.workload.application import Applications
from farmsim.models.workload.demand import Demand, TraceSeries
from farmsim.policies.interface.plan import Plan, Proposal, Reason, Search
from farmsim.policies.interface.view import FarmView
from farmsim.policies.placement_algorithms.worst_fit import WorstFit
from farmsim.policies.scaling.scaling import ApplicationView, Wanted
from farmsim.sim.base.random_streams import Streams
from farmsim.sim.engine import Engine
from farmsim.sim.failures import FailureSource, Outage
from farmsim.sim.lifecycle.setup import Admission, LifecycleSetup, Population
from farmsim.sim.migration.concurrency import ConcurrencyLimits
from farmsim.sim.migration.over_network import NetworkSetup
from farmsim.sim.outcome import Outcome
from farmsim.sim.resizing import MemberSize, ScalingRule
from farmsim.sim.scaling import Elasticity
from farmsim.sim.setup import EngineSetup, InitialPlacementSetup, Timing

END_S, STEP_S, OFF_W = 4000.0, 300.0, 7.0
VMS, MEMBERS, SLOTS = 14, 4, 10
ON = (PowerState.ON, PowerState.DRAINING)
SIZES = {
    "small": MemberSize("small", 0, 1, 400.0, 1024.0, 400.0),
    "large": MemberSize("large", 1, 2, 900.0, 3072.0, 900.0),
}
MODELS: dict[str, Model] = {
    "fixed_rate": FixedRate(),
    "pre_copy": PreCopy(),
    "post_copy": PostCopy(zero_scan_mbps=1e4),
}
REASON = Reason("chaos", 0.0, 0.0)


@dataclass(frozen=True)
class Storm:
    """Moves any VM anywhere, wakes any host and puts any to sleep, possible or not."""

    seed: int
    powers_down: bool
    samples = 0

    def decide(self, view: FarmView) -> Plan:
        rng = np.random.default_rng([self.seed, int(view.now_s)])
        vms = rng.choice(VMS + MEMBERS, size=rng.integers(0, 9), replace=False)
        hosts = len(view.hosts)
        moves = [
            Proposal(int(vm), int(view.vms.host[vm]), int(target), REASON, Search())
            for vm, target in zip(vms, rng.integers(-1, hosts, len(vms)), strict=True)
        ]
        sleeps = np.flatnonzero(rng.random(hosts) < 0.4).tolist()
        wakes = np.flatnonzero(rng.random(hosts) < 0.3).tolist()
        return Plan(moves, sleeps, "chaos", wakes=wakes, wake_reason="chaos")


@dataclass(frozen=True)
class Whim:
    """Wants any number of members, of any size; some sizes can be changed while they run."""

    seed: int

    def decide(self, view: ApplicationView) -> Wanted:
        rng = np.random.default_rng([self.seed, int(view.now_s), 7])
        size = str(rng.choice(sorted(SIZES)))
        return Wanted(int(rng.integers(0, MEMBERS + 2)), "whim", 0.0, 0.0, size)

    def resizes_running(self, size: str, other: str) -> bool:
        return (size, other) == ("small", "large") or self.seed % 2 == 0


@dataclass
class Witness:
    """Integrates, from event to event, what it sees of a farm."""

    farm: Farm
    energy_j: Floats = field(init=False)
    requested: Floats = field(init=False)
    served: Floats = field(init=False)
    events: int = 0

    def __post_init__(self) -> None:
        self.energy_j = np.zeros(len(self.farm.hosts))
        self.requested, self.served = np.zeros((2, len(self.farm.vms)))

    def attach(self, engine: Engine) -> None:
        """Look before and after every event."""
        clock = engine._clock
        step = clock.step

        def watched() -> None:
            self._pass(clock.peek() - clock.now)
            try:
                step()
            finally:
                self.events += 1
                audit(self.farm)

        clock.step = watched  # type: ignore[method-assign]

    def _pass(self, elapsed_s: float) -> None:
        farm, vms = self.farm, self.farm.vms
        self.energy_j += self._watts() * elapsed_s
        self.requested += vms.demand_mhz * elapsed_s
        here = np.flatnonzero(np.isin(vms.state, (VmState.RUNNING, VmState.MIGRATING)))
        short = farm.delivery.shortfall[here] * farm.delivery.saturated[vms.host[here]]
        usable_mhz = np.minimum(vms.demand_mhz[here], farm.delivery.ceiling_mhz[here])
        got_mhz = usable_mhz * (1.0 - short) * vms.guest_share[here]
        self.served[here] += got_mhz * elapsed_s

    def _watts(self) -> Floats:
        hosts = self.farm.hosts
        states = (PowerState.OFF, PowerState.BOOTING, PowerState.STOPPING, PowerState.FAILED)
        at_work = IDLE_W + (FULL_W - IDLE_W) * hosts.delivered_mhz / hosts.cpu_mhz
        return np.select(
            [hosts.state == state for state in states], [OFF_W, FULL_W, IDLE_W, OFF_W], at_work
        )


def storms(generator: np.random.Generator, hosts: int, links: int) -> list[FailureSource]:
    """Return hosts, a rack, a switch and, in a network, links that fail, planned and by chance."""
    pairs = [np.array([host, (host + 1) % hosts]) for host in range(hosts)]
    rows: dict[str, list[Ints]] = {
        "host": [np.array([host]) for host in range(hosts)],
        "rack": pairs[:1], "switch": pairs[1:2],
        "link": [np.array([link]) for link in range(links)],
    }  # fmt: skip
    sources = []
    for kind, each in rows.items():
        if not each or generator.random() < 0.3:
            continue
        planned = [
            Outage(
                float(generator.choice([300.0, 700.0, 1500.0, 2400.0])),
                int(generator.integers(len(each))),
                float(generator.choice([0.0, 100.0, 900.0, np.inf])),
            )
            for _ in range(generator.integers(0, 4))
        ]
        often, mends = Exponential(float(generator.choice([1500.0, 9000.0]))), Exponential(300.0)
        labels = [f"{kind}-{number}" for number in range(len(each))]
        sources.append(FailureSource(kind, kind, labels, each, often, mends, planned))
    return sources


def elasticity(generator: np.random.Generator, seed: int) -> Elasticity:
    steps = int(END_S / STEP_S) + 1
    apps = Applications(
        names=["app"], first_row=np.array([VMS]), minimum=np.array([1]),
        maximum=np.array([MEMBERS]), start=np.array([2]), by_capacity=np.array([True]),
        priority=np.array([0]), work_mhz_s=np.zeros(1),
        load_mhz=generator.uniform(0.0, 2500.0, (steps, 1)), step_s=STEP_S,
    )  # fmt: skip
    return Elasticity(apps, [ScalingRule(Whim(seed), "small", SIZES, newest_first=bool(seed % 3))])


def population(generator: np.random.Generator) -> Population:
    instants_s = [0.0, 0.0, 100.0, 300.0, 450.0, 900.0, 1500.0, 2400.0]
    arrival_s = np.sort(generator.choice(instants_s, VMS))
    lifetime_s = generator.choice([50.0, 300.0, 600.0, 2000.0, np.inf], VMS)
    members_s = np.where(np.arange(MEMBERS) < 2, 0.0, np.inf)
    return Population(
        np.concatenate([arrival_s, members_s]),
        np.concatenate([lifetime_s, np.full(MEMBERS, np.inf)]),
        generator.integers(0, 3, VMS + MEMBERS),
    )


def play(plan: dict[str, Any]) -> tuple[Outcome, Witness, NetworkSetup | None]:
    """Run a farm in a storm, with a witness who looks at it after every event."""
    generator = np.random.default_rng(plan["seed"])
    count = plan["hosts"]
    hosts = make_hosts(
        generator.choice([800.0, 1500.0, 3000.0], count).tolist(), memory_mib=plan["memory_mib"],
        boot_s=plan["boot_s"], stop_s=plan["stop_s"], core_mhz=plan["core_mhz"], off_w=OFF_W,
    )  # fmt: skip
    sizes_mhz = generator.choice([200.0, 700.0], VMS).tolist() + [400.0] * MEMBERS
    vms = make_vms(sizes_mhz, generator.choice([512.0, 2048.0], VMS).tolist() + [1024.0] * MEMBERS)
    vms.size_names = ["small", "large"]
    farm = Farm(hosts, vms, all_present=False)
    model = MODELS[plan["model"]]
    network = None
    if not isinstance(model, FixedRate):
        line = Network.single_switch(count, 200.0, 1e-4)
        network = NetworkSetup(line, LV08, ConcurrencyLimits(plan["per_host"]))
    shares = generator.random((SLOTS, VMS))
    admission = Admission(
        queue=plan["queue"], patience_s=plan["patience_s"], retries=1, retry_s=200.0,
        restart=plan["restart"], restart_isolated=plan["restart"] and plan["seed"] % 2 > 0,
    )  # fmt: skip
    links = 0 if network is None else len(network.network)
    lives = LifecycleSetup(
        population(generator), admission, np.array([plan["start_s"]]), np.array([20.0]), 2
    )
    failures = storms(generator, count, links)
    setup = EngineSetup(
        InitialPlacementSetup(
            WorstFit(), "test", by_size=plan["seed"] % 3 > 0, overcommit=3.0, reject=True
        ),
        Storm(plan["seed"], plan["powers_down"]),
        "storm",
        MigrationModels.only(model, 2, 1),
        Timing(END_S, 150.0, 700.0),
        lives,
        failures,
        network,
        elasticity=elasticity(generator, plan["seed"]),
        storage_mbps=400.0,
    )
    demand = Demand(TraceSeries(shares, 1.0, STEP_S, plan["on_end"]), vms.size_mhz[:VMS], MEMBERS)
    engine = Engine(farm, demand, setup, Streams(plan["seed"]))
    witness = Witness(farm)
    witness.attach(engine)
    return engine.run(), witness, network


storm_plans = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "model": st.sampled_from(sorted(MODELS)),
        "hosts": st.integers(2, 6),
        "memory_mib": st.sampled_from([3000.0, 6000.0, 16384.0]),
        "boot_s": st.sampled_from([0.0, 45.0, 500.0]),
        "stop_s": st.sampled_from([0.0, 30.0, 700.0]),
        "core_mhz": st.sampled_from([None, 300.0]),
        "start_s": st.sampled_from([0.0, 70.0]),
        "queue": st.sampled_from([None, 0, 2]),
        "patience_s": st.sampled_from([np.inf, 200.0]),
        "on_end": st.sampled_from(["hold", "loop", "stop"]),
        "per_host": st.integers(1, 2),
        "restart": st.booleans(),
        "powers_down": st.booleans(),
    }
)


@settings(max_examples=20, deadline=None)
@given(plan=storm_plans)
def test_nothing_is_lost_or_counted_twice(plan: dict[str, Any]) -> None:
    outcome, witness, network = play(plan)
    farm, lives = outcome.farm, outcome.lives
    audit(farm)
    energy_j = farm.accounts.total(Rate.POWER_W)
    check(outcome, {"energy_kwh": float(energy_j.sum()) / 3.6e6})
    assert witness.events > 50
    assert np.allclose(energy_j, witness.energy_j, rtol=1e-9, atol=1e-6)
    accounts = farm.vm_accounts
    assert np.allclose(accounts.requested_mhz_s, witness.requested, rtol=1e-9, atol=1e-3)
    missed_mhz_s = accounts.unserved_mhz_s + accounts.degraded_mhz_s
    assert np.allclose(
        accounts.requested_mhz_s, witness.served + missed_mhz_s, rtol=1e-9, atol=1e-3
    )
    assert np.all(accounts.unserved_mhz_s >= -1e-3)
    assert np.all(accounts.degraded_mhz_s >= -1e-3)
    assert np.all(lives.down_s <= present_s(outcome) + 1e-6)
    known_s = farm.accounts.totals[[Rate.ON, Rate.SWITCHING, Rate.FAILED]].sum(axis=0)
    assert np.all(known_s <= END_S + 1e-6)
    if network is not None:
        phases, links = outcome.tables["migration_phases"], outcome.tables["links"]
        sent_bytes = phases["sent_mib"].sum() * 1024.0**2
        # Each byte crosses two links, and its acknowledgement both the other way.
        expected_bytes = 2 * (1 + network.transport.cross_traffic) * sent_bytes
        assert np.isclose(links["sent_bytes"].sum(), expected_bytes, rtol=1e-9, atol=1e3)
