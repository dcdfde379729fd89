"""Properties of what hosts give through a layer: of the sums themselves, of the farm, of runs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import make_hosts, make_vms
from hypothesis import example, given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.analysis.run.result import Result
from farmsim.models.accounts.accounts import Rate
from farmsim.models.base.arrays import Bools, Floats, Ints, sum_by
from farmsim.models.delivery.cpu_delivery import Allocation, Delivery
from farmsim.models.delivery.overhead_tables import Layer
from farmsim.models.farm.audit import audit
from farmsim.models.farm.farm import Farm
from farmsim.models.hardware.power_curves import Linear
from farmsim.models.service.interference import Interference
from farmsim.models.state.columns import PowerState, Vms, VmState

CORES, CORE_MHZ, MEMORY_MIB = 4.0, 1000.0, 8192.0
POWER = Linear(100.0, 200.0)
SIZES, GROUPS, VMS, HOSTS = 2, 2, 10, 4

layers = st.fixed_dictionaries(
    {
        "factor": st.sampled_from([1.0, 1.2, 2.5]),
        "base": st.sampled_from([0.0, 300.0]),
        "apps": st.sampled_from([0.0, 700.0]),
        "contention": st.sampled_from([0.0, 0.1]),
        "costop": st.sampled_from([0.0, 0.05]),
        "physical_mib": st.sampled_from([np.inf, 3000.0]),
        "io": st.sampled_from([np.inf, 900.0]),
        "fair": st.booleans(),
        "reserved": st.sampled_from([0.0, 250.0]),
        "limit": st.sampled_from([np.inf, 600.0]),
        "interference": st.booleans(),
    }
)
seeds = st.integers(0, 10_000)


def make_layer(drawn: dict[str, Any]) -> Layer:
    """Return a layer whose second size and second group of hosts cost nothing extra."""
    one, half = np.ones(GROUPS), np.array([1.0, 0.0])
    noisy = Interference(np.full((3, SIZES), 0.4), np.full((3, SIZES), 1.0), np.full(3, 0.1))
    return replace(
        Layer.none(SIZES, GROUPS),
        work_factor=np.array([[drawn["factor"], 1.0], [1.1, 1.0]]),
        extra_mib=np.full((SIZES, GROUPS), 40.0),
        base_mhz=drawn["base"] * one,
        app_mhz=drawn["apps"] * half,
        contention_loss=drawn["contention"] * one,
        coscheduling_loss=drawn["costop"] * one,
        cores=CORES * one,
        physical_mib=np.array([drawn["physical_mib"], np.inf]),
        memory_reclaim=0.1 * one,
        swap_slowdown=5.0 * one,
        operations=np.array([[1.0, 0.0]]),
        ceilings=np.array([[drawn["io"], np.inf]]),
        shares=np.array([1000.0, 3000.0]),
        reservation_mhz=np.array([drawn["reserved"], 0.0]),
        limit_mhz=np.array([drawn["limit"], np.inf]),
        fair=drawn["fair"],
        interference=noisy if drawn["interference"] else None,
    )


def make_mixed_vms(count: int = VMS) -> Vms:
    plain = make_vms([1000.0] * count, 1024.0)
    return Vms(
        np.where(np.arange(count) % 3, 1, 2), plain.size_mhz, plain.memory_mib, plain.names,
        ["first", "second"], np.arange(count) % SIZES, plain.disk_mib,
        plain.disk_write_mbps, plain.priority,
    )  # fmt: skip


def make_layered_farm(drawn: dict[str, Any], seed: int, vms: int = VMS) -> Farm:
    hosts = make_hosts(
        [CORES * CORE_MHZ] * HOSTS, MEMORY_MIB, [POWER] * 2, [0, 0, 1, 1], CORE_MHZ, boot_s=60.0
    )
    farm = Farm(hosts, make_mixed_vms(vms), layer=make_layer(drawn))
    rng = np.random.default_rng(seed)
    farm.place(np.arange(vms), rng.integers(0, 2, vms) * 2 + np.arange(vms) % 2, 0.0)
    farm.set_demand(rng.choice([0.0, 150.0, 700.0, 1000.0], vms), 0.0)
    return farm


@settings(max_examples=40, deadline=None)
@given(drawn=layers, seed=seeds)
def test_the_farm_adds_up_after_every_verb(drawn: dict[str, Any], seed: int) -> None:
    """Moves, copies that load their targets, draining, changes of demand, departures."""
    rng = np.random.default_rng(seed)
    farm = make_layered_farm(drawn, seed)
    audit(farm)
    for step in range(12):
        now_s = 10.0 * (step + 1)
        moving = np.flatnonzero(farm.vms.state == VmState.MIGRATING)
        still = np.flatnonzero(farm.vms.state == VmState.RUNNING)
        verb = rng.integers(6)
        if verb == 0:
            farm.set_demand(rng.uniform(0.0, 1200.0, VMS), now_s)
        elif verb == 1 and len(still):
            vm = rng.choice(still, 1)
            target = (farm.vms.host[vm] + rng.integers(1, HOSTS)) % HOSTS
            if np.all(farm.hosts.memory_used_mib[target] + 1100 < farm.hosts.memory_mib[target]):
                farm.begin_migration(vm, target, now_s, 0.9, 0.05, 0.1)
        elif verb == 2 and len(moving):
            farm.commit_migration(moving[:1], now_s)
        elif verb == 3 and len(moving):
            farm.abort_migration(moving[:1], now_s)
        elif verb == 4 and farm.hosts.state[1] == PowerState.ON:
            farm.set_power_state(np.array([1]), PowerState.DRAINING, now_s)
            farm.set_power_state(np.array([1]), PowerState.ON, now_s)
        elif verb == 5 and len(still) > 3:
            farm.retire(still[:1], now_s)
        audit(farm)
        _nobody_beyond_bounds(farm)
    farm.settle_all(200.0)
    by_vm, by_host = farm.vm_accounts.unserved_mhz_s, farm.accounts.totals[Rate.UNSERVED_MHZ]
    assert by_vm.sum() == pytest.approx(by_host.sum(), rel=1e-9, abs=1e-3)
    asked = farm.vm_accounts.requested_mhz_s
    missed = by_vm + farm.vm_accounts.degraded_mhz_s
    assert np.all(missed <= asked * (1 + 1e-9) + 1e-6)


def test_the_last_guest_leaves_while_another_is_coming() -> None:
    farm = Farm(make_hosts([1000.0] * 2), make_vms([100.0] * 2))
    farm.place(np.array([0, 1]), np.array([0, 1]), 0.0)
    farm.begin_migration(np.array([1]), np.array([0]), 1.0)
    farm.retire(np.array([0]), 2.0)
    assert farm.hosts.memory_used_mib.tolist() == [1024.0, 1024.0]
    audit(farm)


def _nobody_beyond_bounds(farm: Farm) -> None:
    delivery, vms = farm.delivery, farm.vms
    assert np.all(farm.hosts.delivered_mhz <= farm.hosts.cpu_mhz * (1 + 1e-12))
    on = np.flatnonzero(vms.host >= 0)
    assert np.all((delivery.shortfall[on] >= 0) & (delivery.shortfall[on] <= 1))
    assert np.all(delivery.waiting[on] >= -1e-12)


def given_by(layer: Layer, demand_mhz: Floats, at: Ints) -> tuple[Delivery, Allocation]:
    """Return what two hosts of one group give VMs with these demands, whatever their memory."""
    count = len(demand_mhz)
    hosts = make_hosts([CORES * CORE_MHZ] * 2, power=[POWER] * 2, core_mhz=CORE_MHZ, group=[0, 1])
    hosts.group[:] = 0
    vms = make_mixed_vms(count)
    vms.demand_mhz[:] = demand_mhz
    vms.host[:] = at
    delivery = Delivery(hosts, vms, layer)
    everyone, rows = np.arange(count), np.arange(2)
    delivery.attach(everyone, at)
    if delivery.contended:
        memory = sum_by(at, weights=delivery.footprint_mib(everyone, at), minlength=2)
        delivery.set_contention(rows, everyone, at, memory)
    on: Bools = np.ones(2, bool)
    return delivery, delivery.allocate(rows, everyone, at, on, np.zeros(2))


def done_mhz(delivery: Delivery, vms: Ints) -> Floats:
    done: Floats = delivery.wanted_mhz(vms) * (1.0 - delivery.shortfall[vms])
    return done


demands = st.lists(st.sampled_from([0.0, 80.0, 400.0, 900.0, 1000.0]), min_size=2, max_size=12)


@settings(max_examples=150, deadline=None)
@given(drawn=layers, wanted=demands, split=st.integers(0, 4095))
def test_hosts_and_vms_agree_and_bounds_hold(
    drawn: dict[str, Any], wanted: list[float], split: int
) -> None:
    demand = np.array(wanted)
    everyone = np.arange(len(demand))
    at = (split >> everyone) & 1
    layer = make_layer(drawn)
    delivery, given = given_by(layer, demand, at)
    done = done_mhz(delivery, everyone)
    missed = np.bincount(at, weights=demand - done, minlength=2)
    assert given.unserved_mhz == pytest.approx(missed, abs=1e-6)
    assert np.all(given.delivered_mhz <= CORES * CORE_MHZ * (1 + 1e-12))
    assert np.all(given.delivered_mhz <= given.demand_mhz + 1e-6)
    size = np.arange(len(demand)) % SIZES
    physical = done * delivery.effort[everyone]
    contended = drawn["contention"] or drawn["costop"] or np.isfinite(drawn["physical_mib"])
    if not drawn["interference"] and not contended:
        assert np.all(physical <= layer.limit_mhz[size] * (1 + 1e-9) + 1e-6)
    plain_room = CORES * CORE_MHZ - drawn["base"]
    floors = np.minimum(layer.reservation_mhz[size], demand * delivery.effort[everyone])
    fits = np.bincount(at, weights=floors, minlength=2) <= plain_room
    unhindered = drawn["fair"] and not drawn["interference"] and not np.isfinite(drawn["io"])
    if unhindered:
        ceiling = delivery.wanted_mhz(everyone) * delivery.effort[everyone]
        own = np.array([1, 2])[(everyone % 3 == 0).astype(int)] * CORE_MHZ
        kept = physical >= np.minimum(np.minimum(floors, ceiling), own) - 1e-6
        assert np.all(kept[fits[at]])


@pytest.mark.parametrize("limit", [np.inf, 600.0])
def test_a_swapped_vm_stays_within_its_limit_and_its_cores(limit: float) -> None:
    """A VM at 900 MHz on a host that swaps and has CPU to spare; one vCPU of 1000 MHz."""
    plain = {
        "factor": 1.0, "base": 0.0, "apps": 0.0, "contention": 0.0, "costop": 0.0,
        "physical_mib": 3000.0, "io": np.inf, "fair": True, "reserved": 0.0, "limit": limit,
        "interference": False,
    }  # fmt: skip
    demand = np.array([0.0, 0.0, 900.0, 0.0, 0.0])
    delivery, _ = given_by(make_layer(plain), demand, np.zeros(5, np.int64))
    used_mhz = done_mhz(delivery, np.array([2])) * delivery.effort[2]
    assert used_mhz[0] <= min(limit, CORE_MHZ) + 1e-6


@settings(max_examples=100, deadline=None)
@given(drawn=layers, wanted=demands, more=st.sampled_from([80.0, 400.0, 1000.0]))
def test_a_neighbour_never_helps(drawn: dict[str, Any], wanted: list[float], more: float) -> None:
    """A VM that comes takes from those there, or leaves them as they are.

    One exception: a newcomer with one vCPU can take I/O from VMs with several, whose vCPUs wait
    for one another. The same I/O then costs less CPU, which VMs without I/O may get.
    """
    before = np.array(wanted)
    one_host = np.zeros(len(before) + 1, np.int64)
    layer = make_layer(drawn)
    alone, _ = given_by(layer, before, one_host[:-1])
    crowded, _ = given_by(layer, np.append(before, more), one_host)
    rivals = np.arange(len(before))
    if np.isfinite(drawn["io"]) and drawn["costop"]:
        rivals = rivals[rivals % SIZES == 0]
    assert np.all(done_mhz(crowded, rivals) <= done_mhz(alone, rivals) * (1 + 1e-9) + 1e-6)


CROWDED: dict[str, Any] = {
    "factor": 1.0, "base": 0.0, "apps": 0.0, "contention": 0.0, "costop": 0.05,
    "physical_mib": 3000.0, "io": 900.0, "fair": True, "reserved": 0.0, "limit": np.inf,
    "interference": False,
}  # fmt: skip


@settings(max_examples=100, deadline=None)
@example(drawn=CROWDED, wanted=[80.0, 0.0, 0.0, 400.0, 400.0, 400.0, 400.0], worse="io")
@given(drawn=layers, wanted=demands, worse=st.sampled_from(["factor", "base", "io", "apps"]))
def test_more_overhead_never_does_more_work(
    drawn: dict[str, Any], wanted: list[float], worse: str
) -> None:
    """In all, and per MHz delivered; single VMs may gain where others are held back.

    With interference a ceiling of I/O may even do good: it calms those who press on others. With
    co-stop it may too: CPU that VMs with several vCPUs do not use for their I/O goes to others with
    one vCPU, to whom the same work costs less. The CPU that the work takes never rises.
    """
    if worse == "io":
        drawn = drawn | {"interference": False}
    step = {"factor": 1.3, "base": 400.0, "io": -300.0, "apps": 500.0}[worse]
    after = drawn | {worse: drawn[worse] * step if worse == "factor" else drawn[worse] + step}
    demand, at = np.array(wanted), np.zeros(len(wanted), np.int64)
    everyone = np.arange(len(demand))
    less, cheap = given_by(make_layer(drawn), demand, at)
    more, dear = given_by(make_layer(after), demand, at)
    # A ceiling of I/O leaves CPU to those who do none, and they may make more of it.
    counted = everyone[everyone % SIZES == 0] if worse == "io" else everyone
    cost = (less.effort[counted], more.effort[counted]) if worse == "io" else (1.0, 1.0)
    work = tuple(
        (done_mhz(each, counted) * effort).sum()
        for each, effort in zip((less, more), cost, strict=True)
    )
    assert work[1] <= work[0] * (1 + 1e-9) + 1e-6
    if worse != "io" and work[1] > 0 and not drawn["interference"]:
        per_work = cheap.delivered_mhz[0] / work[0], dear.delivered_mhz[0] / work[1]
        assert per_work[1] >= per_work[0] * (1 - 1e-9)


SCENARIO: dict[str, Any] = {
    "run": {"duration": "2 h", "report_every": "10 min"},
    "tenants": [{"name": "a"}, {"name": "b"}],
    "farm": {
        "hosts": [
            {
                "name": "h", "server": "dell_r720_e5_2670", "count": 4, "memory": "32 GiB",
                "hypervisor": "kvm", "storage_iops": 30000, "network": "10 Gbit/s",
                "memory_overcommit": 1.3,
            }
        ]
    },
    "workload": {
        "source": {"type": "synthetic", "classes": "planetlab"},
        "vms": 60,
        "size_order": "cycle",
        "sizes": [
            {"name": "w", "vcpus": 2, "memory": "1 GiB", "class": "web", "tenant": "a"},
            {"name": "d", "vcpus": 4, "memory": "3 GiB", "class": "oltp", "tenant": "b",
             "shares": 3000, "reservation": "300 MHz"},
        ],
    },
    "policies": {"control": "consolidation", "initial": {"cpu_overcommit": 6}},
    "service": {"sharing": "shares", "interference": True},
    "baseline": {"type": "none"},
}  # fmt: skip
"""Four hosts with all models of the layer on."""


def ran(*overrides: str) -> Result:
    return farmsim.run(SCENARIO, *overrides)


NOTHING_MOVES = ("policies.control=none", "policies.initial.placement=round_robin")
TOTALS = (
    "energy_kwh", "work_served_ghz_h", "unserved_share", "cpu_ready", "cpu_costop", "migrations",
    "response_mean_ms", "response_p99_ms", "requests", "requests_waiting", "co_tenants",
    "host_boots", "total_cost", "overhead_share",
)  # fmt: skip


def test_the_report_interval_changes_no_total() -> None:
    coarse, fine = ran(), ran("run.report_every=5 min")
    for name in TOTALS:
        assert fine.value(name) == pytest.approx(coarse.value(name), rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("load", ["20 %", "60 %"])
@pytest.mark.parametrize("profile", ["kvm", "esxi", "xen", "virtualbox"])
def test_more_overhead_never_gives_less_energy_per_work(profile: str, load: str) -> None:
    """Ideal, then the profile at rising levels, on one placement that nobody changes."""
    fixed = (*NOTHING_MOVES, f"workload.source={{type: constant, utilisation: {load}}}",
             "service.interference=false", "farm.hosts.0.memory_overcommit=1",
             "farm.hosts.0.memory=64 GiB", "run.duration=30 min")  # fmt: skip
    runs = [ran(*fixed, "farm.hosts.0.hypervisor=ideal")]
    runs += [
        ran(*fixed, f"farm.hosts.0.hypervisor={profile}", f"overheads={level}")
        for level in ("low", "typical", "high")
    ]
    per_work = [run.value("energy_per_work") for run in runs]
    assert per_work == sorted(per_work)


@pytest.mark.parametrize("level", ["low", "typical", "high"])
@pytest.mark.parametrize(
    ("with_it", "without"),
    [("passthrough", "paravirtual"), ("paravirtual", "emulated"), ("passthrough", "emulated")],
)
def test_a_better_path_is_never_slower(level: str, with_it: str, without: str) -> None:
    """Responses and energy per work of VMs that do much I/O; nothing moves."""
    fixed = (*NOTHING_MOVES, "workload.source={type: constant, utilisation: 15 %}",
             f"overheads={level}", "service.interference=false", "run.duration=30 min")  # fmt: skip
    fast, slow = (
        ran(*fixed, f"farm.hosts.0.storage_path={path}", f"farm.hosts.0.network_path={path}")
        for path in (with_it, without)
    )
    assert fast.value("response_mean_ms") <= slow.value("response_mean_ms") * (1 + 1e-9)
    assert fast.value("energy_per_work") <= slow.value("energy_per_work") * (1 + 1e-9)


@pytest.mark.parametrize("level", ["typical", "high"])
def test_nested_paging_is_not_slower_than_shadow_paging(level: str) -> None:
    """At level low the sources let shadow paging win on some code, so it is left out."""
    fixed = (*NOTHING_MOVES, f"overheads={level}", "run.duration=30 min",
             "workload.source={type: constant, utilisation: 15 %}")  # fmt: skip
    nested, shadow = (
        ran(*fixed, f"farm.hosts.0.hypervisor={profile}") for profile in ("kvm", "kvm_shadow")
    )
    assert nested.value("energy_per_work") <= shadow.value("energy_per_work")


def test_interference_never_helps() -> None:
    quiet, noisy = (ran(*NOTHING_MOVES, f"service.interference={on}") for on in ("false", "true"))
    assert noisy.value("response_mean_ms") >= quiet.value("response_mean_ms")
    assert noisy.value("work_served_ghz_h") <= quiet.value("work_served_ghz_h") * (1 + 1e-9)


def test_all_models_of_the_layer_are_at_work() -> None:
    """What the tests above rely on: the small scenario strains what it says it does."""
    run = ran()
    assert run.value("overhead_share") > 0.05
    assert run.value("migrations") > 0
    assert run.value("co_tenants") > 0
    assert run.value("cpu_costop") > 0
