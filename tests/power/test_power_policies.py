"""Balancing, power management by utilisation, and both with consolidation, on small farms."""

import numpy as np
import pytest
from builders import make_engine, make_farm, make_hosts, make_vms, rows
from hypothesis import given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.models.base.arrays import Floats
from farmsim.models.farm.audit import audit
from farmsim.models.state.columns import PowerState
from farmsim.policies.control.balance import Balance
from farmsim.policies.control.combined import Combined
from farmsim.policies.control.consolidation import Consolidation
from farmsim.policies.control.control import ControlPolicy, PowerProportional
from farmsim.policies.control.dynamic_power import DynamicPower
from farmsim.policies.control.power_management import PowerManagement
from farmsim.policies.interface.plan import Plan, Proposal, Reason, Search
from farmsim.policies.interface.planned_view import planned_view
from farmsim.policies.interface.view import FarmView
from farmsim.policies.placement.placement import Placement
from farmsim.policies.placement_algorithms.worst_fit import WorstFit
from farmsim.sim.outcome import Outcome


def play(
    control: ControlPolicy, shares: Floats, hosts: int = 4, size_mhz: float = 100.0,
    placement: Placement | None = None, by_size: bool = True,
) -> Outcome:  # fmt: skip
    """Hosts of 1,000 MHz; VMs follow ``shares`` (slots, VMs) of their size."""
    count = shares.shape[1]
    farm = make_farm(make_hosts([1000.0] * hosts, boot_s=60.0), make_vms([size_mhz] * count))
    engine = make_engine(
        farm,
        shares,
        control,
        placement,
        by_size=by_size,
        overcommit=10.0,
    )
    outcome = engine.run()
    audit(farm)
    return outcome


def use(outcome: Outcome) -> Floats:
    hosts = outcome.farm.hosts
    share: Floats = hosts.demand_mhz / hosts.cpu_mhz
    return share


def test_balance_evens_out_what_first_fit_has_packed() -> None:
    # Eight VMs of 80 MHz, all on the first of four hosts: 64 %, 0, 0, 0. Even is 16 % each.
    outcome = play(Balance(), np.full((6, 8), 0.8))
    assert use(outcome) == pytest.approx([0.16] * 4)
    # Two of eight stay, so six moves are enough, and no more are made.
    assert len(outcome.tables["migrations"]["vm"]) == 6


def test_balance_makes_no_more_moves_a_round_than_it_may() -> None:
    outcome = play(Balance(max_migrations=2), np.full((3, 8), 0.8))
    decided = outcome.tables["decisions"]["time_s"]
    assert [np.count_nonzero(decided == at) for at in (300.0, 600.0)] == [2, 2]


@pytest.mark.parametrize("balance", ["memory", "both"])
def test_balance_by_memory_evens_out_what_hosts_hold(balance: str) -> None:
    """168 of 293.75 GiB: 57 % each, where CPU, at 3 % of a host, is even enough."""
    gib = [24] * 2 + [10] * 8 + [4] * 10
    result = farmsim.run(
        {
            "name": "memory",
            "run": {"duration": "1 h"},
            "farm": {"hosts": [{"name": "p", "count": 5, "server": {
                "cores": 16, "clock": "2.5 GHz", "memory": "58.75 GiB",
                "power": {"model": "linear", "idle": "60 W", "max": "180 W"},
            }}]},
            "workload": {
                "source": {"type": "constant", "utilisation": "5 %"},
                "sizes": [
                    {"name": f"s{at}", "vcpus": 2 + 2 * (each == 24), "memory": f"{each} GiB",
                     "count": 1} for at, each in enumerate(gib)
                ],
            },
            "policies": {
                "initial": {"placement": "first_fit", "cpu_overcommit": 4},
                "control": {"policy": "balance", "balance": balance, "threshold": "2 %"},
            },
            "baseline": {"type": "none"},
        }
    )  # fmt: skip
    held = dict.fromkeys([f"p-{number}" for number in range(1, 6)], 0.0)
    for vm in result.table("vms").to_pylist():
        held[vm["last_host"]] += vm["memory_gib"]
    assert list(held.values()) == pytest.approx([0.572 * 58.75] * 5, abs=0.03 * 58.75)
    rules = set(result.table("decisions")["rule"].to_pylist())
    assert "balance of memory" in rules


@pytest.mark.parametrize(
    ("policy", "moves"),
    [
        # Deviation of 64 %, 0, 0, 0 is 27.7 %.
        (Balance(threshold=0.28), 0),
        (Balance(threshold=0.27), 1),
        # A move of 1 GiB shrinks the gap of 64 points by 16 at first.
        (Balance(cost_per_gib=0.17), 0),
    ],
)
def test_balance_weighs_the_gain(policy: Balance, moves: int) -> None:
    outcome = play(policy, np.full((3, 8), 0.8))
    assert (len(outcome.tables["migrations"]["vm"]) > 0) == (moves > 0)


def test_hosts_below_the_band_are_emptied_within_the_band() -> None:
    # Four hosts at 30 %: twelve VMs of 100 MHz. Within 81 % there is room for eight on a host,
    # so two hosts are emptied onto the others, which then are at 60 %.
    outcome = play(DynamicPower(), np.full((24, 12), 1.0), placement=WorstFit())
    on = outcome.farm.hosts.state == PowerState.ON
    assert np.count_nonzero(on) == 2
    assert use(outcome)[on].sum() == pytest.approx(1.2)
    assert use(outcome)[on].max() <= 0.81


def test_hosts_above_the_band_are_relieved_by_hosts_that_are_woken() -> None:
    # Ten VMs of 60 MHz on one host are within the band; at 90 MHz they are not (90 %).
    shares = np.concatenate([np.full((6, 10), 0.6), np.full((6, 10), 0.9)])
    outcome = play(DynamicPower(), shares)
    assert np.count_nonzero(outcome.farm.hosts.state == PowerState.ON) == 2
    assert use(outcome).max() <= 0.81
    events = outcome.tables["power_events"]
    assert events["time_s"][0] == 1800.0


def test_a_band_beyond_the_ends_is_refused() -> None:
    with pytest.raises(ValueError, match="narrow it"):
        DynamicPower(target=0.9, tolerance=0.2)


def test_a_planned_view_shows_what_a_plan_begins() -> None:
    farm = make_farm(make_hosts([1000.0] * 4, boot_s=60.0), make_vms([100.0] * 4))
    seen: list[tuple[FarmView, FarmView]] = []

    class Look(PowerProportional):
        def decide(self, view: FarmView) -> Plan:
            move = Proposal(0, 0, 2, Reason("test", 0, 0), Search())
            plan = Plan(proposals=[move], sleeps=[0], wakes=[3])
            seen.append((view, planned_view(view, plan)))
            assert seen[-1][1].awake().tolist() == [False, False, True, True]
            assert seen[-1][1].hosts.incoming.tolist() == [0, 0, 1, 0]
            expected = [300.0, 0.0, 100.0, 0.0]
            assert seen[-1][1].expected_mhz() == pytest.approx(expected)
            assert view.awake().tolist() == [True, False, False, False]
            return Plan()

    make_engine(farm, np.full((2, 4), 1.0), Look()).run()
    assert len(seen) == 1


class Move:
    """Moves a VM back and forth between two hosts at every round."""

    samples = 0
    powers_down = False
    migrates_vms = True

    def __init__(self, vm: int) -> None:
        self.vm = vm

    def decide(self, view: FarmView) -> Plan:
        source = int(view.vms.host[self.vm])
        return Plan([Proposal(self.vm, source, 1 - source, Reason("test", 0, 0), Search())])


def test_what_one_policy_moves_no_other_moves_within_the_time_to_settle() -> None:
    combined = Combined((Move(0), Move(0)), undo_after_s=1800.0)
    outcome = play(combined, np.full((25, 2), 0.5), hosts=2)
    decided = outcome.tables["decisions"]
    assert decided["time_s"][2:].tolist() == [300.0, 2100.0, 3900.0, 5700.0]
    assert decided["vm"][2:].tolist() == [0] * 4


EVERYTHING = Combined((Balance(), DynamicPower(), Consolidation()))


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), vms=st.integers(4, 40), hosts=st.integers(3, 10))
def test_over_a_steady_load_the_combination_comes_to_rest(seed: int, vms: int, hosts: int) -> None:
    random = np.random.default_rng(seed)
    level = random.uniform(0.05, 0.9 * min(1.0, 7.0 * hosts / vms), vms)
    shares = np.tile(level, (96, 1))
    outcome = play(EVERYTHING, shares, hosts=hosts, placement=WorstFit())
    late = outcome.tables["decisions"]["time_s"] > 5 * 3600.0
    assert not late.any()
    assert not (outcome.tables["power_events"]["time_s"] > 5 * 3600.0).any()


def test_the_combination_saves_power_and_stays_within_the_band() -> None:
    level = np.tile(np.linspace(0.2, 0.8, 24), (96, 1))
    outcome = play(EVERYTHING, level, hosts=8, placement=WorstFit())
    on = outcome.farm.hosts.state == PowerState.ON
    # 1,200 MHz of work need two hosts of 1,000 MHz within 81 %.
    assert np.count_nonzero(on) == 2
    assert use(outcome)[on].max() <= 0.81
    assert use(outcome)[on].std() <= 0.05
    assert outcome.farm.residents.of(rows(*np.flatnonzero(on))).size == 24


def test_a_host_that_may_not_rest_is_not_emptied() -> None:
    # Four hosts at 30 % of which two would be emptied; three are to stay awake.
    farm = make_farm(make_hosts([1000.0] * 4), make_vms([100.0] * 12))
    shares = np.full((24, 12), 1.0)
    power = PowerManagement(keep_awake=3)
    outcome = make_engine(
        farm, shares, DynamicPower(), WorstFit(), overcommit=10.0, power=power
    ).run()
    assert np.count_nonzero(farm.hosts.state == PowerState.ON) == 3
    assert np.count_nonzero(farm.hosts.vm_count) == 3
    assert len(outcome.tables["migrations"]["vm"]) == 3
    reasons = outcome.tables["sleep_refusals"]["reason"]
    assert {outcome.words[word] for word in reasons} == {"keep_awake"}


@pytest.mark.parametrize(
    "power",
    [
        PowerManagement(idle_s=1800.0, awake_s=3600.0, cycles=2),
        PowerManagement(keep_awake=4),
        PowerManagement(ahead_s=1800.0, max_utilisation=0.3),
    ],
)
def test_limits_bring_no_unrest(power: PowerManagement) -> None:
    level = np.tile(np.linspace(0.2, 0.8, 24), (96, 1))
    farm = make_farm(make_hosts([1000.0] * 8, boot_s=60.0), make_vms([100.0] * 24))
    outcome = make_engine(farm, level, EVERYTHING, WorstFit(), overcommit=10.0, power=power).run()
    assert not (outcome.tables["migrations"]["decided_s"] > 3 * 3600.0).any()
