"""Energy and service of runs whose outcome can be written down."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from builders import energy_j, make_engine, make_farm, make_hosts, make_vms, peak_on

from farmsim.models.accounts.accounts import Rate
from farmsim.models.base.arrays import Floats
from farmsim.models.migration.fixed_rate import FixedRate
from farmsim.models.state.columns import VmState
from farmsim.policies.control.control import PowerProportional
from farmsim.policies.interface.plan import Plan, Proposal, Reason, Search
from farmsim.policies.interface.view import FarmView
from farmsim.policies.placement_algorithms.round_robin import RoundRobin


def one_host_energy(shares: Sequence[float] | Floats) -> float:
    """Energy of a single VM that fills one host of 100 W idle and 200 W full."""
    farm = make_farm(make_hosts([1000.0]), make_vms([1000.0]))
    return energy_j(make_engine(farm, np.array(shares)[:, None]).run())


def test_constant_load() -> None:
    assert one_host_energy([0.3] * 12) == pytest.approx(130.0 * 3600, rel=1e-9)


def test_ramp() -> None:
    n = 48
    shares = np.arange(n) / n
    # the sum of 0 … n-1 over n is (n - 1) / 2
    expected = 300.0 * (100 * n + 100 * (n - 1) / 2)
    assert one_host_energy(shares) == pytest.approx(expected, rel=1e-9)


def test_sine_over_whole_periods_averages_out() -> None:
    n = 288
    shares = 0.5 + 0.4 * np.sin(2 * np.pi * np.arange(n) / n)
    assert one_host_energy(shares) == pytest.approx(150.0 * 86_400, rel=1e-9)


def test_energy_does_not_depend_on_how_often_anybody_looks() -> None:
    rng = np.random.default_rng(3)
    shares = rng.random((24, 6))
    energies = []
    for report_s in (300.0, 150.0, 37.0, 7200.0):
        farm = make_farm(make_hosts([1500.0] * 3), make_vms([500.0] * 6))
        energies.append(energy_j(make_engine(farm, shares, report_s=report_s).run()))
    assert energies == pytest.approx([energies[0]] * 4, rel=1e-12)


def test_empty_hosts_are_off_from_the_start_where_the_policy_says_so() -> None:
    farm = make_farm(make_hosts([1000.0] * 3, off_w=4.0), make_vms([400.0, 400.0]))
    outcome = make_engine(farm, np.full((12, 2), 0.5), control=PowerProportional()).run()
    # one host at 40 % (140 W), two off (4 W each), for an hour
    assert energy_j(outcome) == pytest.approx((140 + 8) * 3600, rel=1e-9)
    assert peak_on(outcome) == 1
    assert farm.accounts.stops.sum() == 0


class MoveOnce:
    """Moves VM 0 to host 1 in the first round and puts host 0 to sleep."""

    samples = 0
    powers_down = True

    def decide(self, view: FarmView) -> Plan:
        if view.now_s > 300.0:
            return Plan()
        reason = Reason("test", 0.0, 0.0)
        return Plan([Proposal(0, 0, 1, reason, Search())], sleeps=[0], sleep_reason="test")


def test_a_move_to_a_sleeping_host_waits_for_it_and_switches_the_source_off() -> None:
    hosts = make_hosts([1000.0, 1000.0], boot_s=100.0, stop_s=50.0, off_w=5.0)
    farm = make_farm(hosts, make_vms([600.0], 1000.0))
    # 1000 MiB at half of 838.8608 Mbit/s take exactly 20 s
    migration = FixedRate(
        bandwidth_mbps=838.8608, bandwidth_share=0.5, guest_loss=0.1, target_load=0.1
    )
    shares = np.full((4, 1), 0.5)
    outcome = make_engine(farm, shares, control=MoveOnce(), migration=migration).run()
    # host 0: 300 MHz of 1000 for 300 s alone, 100 s while host 1 boots, 20 s of copy; then 50 s
    # of shutdown at 100 W and 730 s off
    first = 130.0 * 420 + 100 * 50 + 5 * 730
    # host 1: off 300 s, booting 100 s at 200 W, copy 20 s at 3 % load, then 30 % for 780 s
    second = 5 * 300 + 200 * 100 + 103.0 * 20 + 130.0 * 780
    assert farm.accounts.totals[Rate.POWER_W] == pytest.approx([first, second], rel=1e-9)
    table = outcome.tables["migrations"]
    assert table["decided_s"].tolist() == [300.0]
    assert table["start_s"].tolist() == [400.0]
    assert table["end_s"] == pytest.approx([420.0])
    # a tenth of 300 MHz for 20 s of 1200 s
    assert farm.vm_accounts.degraded_mhz_s[0] == pytest.approx(0.1 * 300 * 20)
    assert farm.vm_accounts.requested_mhz_s[0] == pytest.approx(300 * 1200)


def test_a_move_cut_off_by_the_end_is_recorded_as_unfinished() -> None:
    farm = make_farm(make_hosts([1000.0, 1000.0]), make_vms([600.0], 16000.0))
    outcome = make_engine(farm, np.full((2, 1), 0.5), control=MoveOnce()).run()
    table = outcome.tables["migrations"]
    assert table["finished"].tolist() == [True]
    farm = make_farm(make_hosts([1000.0, 1000.0]), make_vms([600.0], 16000.0))
    outcome = make_engine(farm, np.full((2, 1), 0.5), control=MoveOnce(), end_s=400.0).run()
    assert outcome.tables["migrations"]["finished"].tolist() == [False]
    assert farm.vms.host.tolist() == [0]


def test_a_trace_that_stops_ends_its_vms_even_on_the_move() -> None:
    farm = make_farm(make_hosts([1000.0, 1000.0]), make_vms([600.0], 16000.0))
    engine = make_engine(
        farm, np.full((2, 1), 0.5), control=MoveOnce(), end_s=1200.0, on_end="stop", step_s=200.0,
        control_s=300.0,
    )  # fmt: skip
    outcome = engine.run()
    assert farm.vms.state.tolist() == [VmState.FINISHED]
    assert outcome.tables["migrations"]["finished"].tolist() == [False]
    assert farm.vm_accounts.requested_mhz_s[0] == pytest.approx(300 * 400)
    assert farm.hosts.memory_used_mib.tolist() == [0.0, 0.0]


def test_traces_hold_or_start_again() -> None:
    shares = np.array([[0.2], [0.8]])
    for on_end, mean in (("hold", 0.2 * 0.25 + 0.8 * 0.75), ("loop", 0.5)):
        farm = make_farm(make_hosts([1000.0]), make_vms([1000.0]))
        engine = make_engine(farm, shares, end_s=1200.0, on_end=on_end)
        assert energy_j(engine.run()) == pytest.approx((100 + 100 * mean) * 1200, rel=1e-9)


def test_beats_keep_the_written_order_whatever_their_periods() -> None:
    seen: list[tuple[float, float]] = []

    class OverloadDetectorFields:
        samples = 1
        powers_down = False

        def decide(self, view: FarmView) -> Plan:
            seen.append((view.now_s, float(view.vms.demand_mhz[0])))
            return Plan()

    farm = make_farm(make_hosts([1000.0]), make_vms([1000.0]))
    shares = np.arange(8)[:, None] / 10
    make_engine(farm, shares, control=OverloadDetectorFields(), control_s=600.0).run()
    # at 600 s the demand of 600 s is already in force
    assert seen == [(600.0, 200.0), (1200.0, 400.0), (1800.0, pytest.approx(600.0))]


@pytest.mark.parametrize("step_s", [0.1, 300.0, 1 / 3])
def test_instants_are_multiples_not_sums(step_s: float) -> None:
    seen: list[float] = []

    class OverloadDetectorFields:
        samples = 0
        powers_down = False

        def decide(self, view: FarmView) -> Plan:
            seen.append(view.now_s)
            return Plan()

    farm = make_farm(make_hosts([1000.0]), make_vms([1000.0]))
    make_engine(farm, np.zeros((101, 1)), control=OverloadDetectorFields(), step_s=step_s).run()
    assert seen == [k * step_s for k in range(1, 101)]


def test_round_robin_deals_evenly() -> None:
    farm = make_farm(make_hosts([1000.0] * 4), make_vms([100.0] * 8))
    make_engine(farm, np.zeros((1, 8)), placement=RoundRobin()).run()
    assert farm.vms.host.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


def test_quantiles_of_a_host_are_weighted_by_time() -> None:
    farm = make_farm(make_hosts([1000.0]), make_vms([1000.0]))
    shares = np.array([0.1] * 50 + [0.9] * 50)[:, None]
    make_engine(farm, shares).run()
    accounts = farm.accounts
    assert accounts.quantile(0.25)[0] == pytest.approx(0.1, abs=0.005)
    assert accounts.quantile(0.75)[0] == pytest.approx(0.9, abs=0.005)
    assert accounts.peak_utilisation[0] == pytest.approx(0.9)
    assert math.isclose(accounts.totals[Rate.DELIVERED_MHZ, 0], 500.0 * 30_000)
