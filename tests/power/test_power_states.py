"""States of rest, limits on switching, and its energy, against closed forms."""

import numpy as np
import pytest
from builders import FULL_W, IDLE_W, energy_j, make_engine, make_farm, make_hosts, make_vms
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.hardware.sleep_states import SLEEP_STATES, SleepStates, sleep_figures
from farmsim.models.state.columns import Hosts, PowerState
from farmsim.policies.control.control import PowerProportional
from farmsim.policies.control.power_management import DAY_S, PowerManagement
from farmsim.policies.interface.plan import Plan
from farmsim.policies.interface.view import FarmView
from farmsim.policies.scaling.forecast import LinearTrend
from farmsim.sim.outcome import Outcome

STANDBY = SLEEP_STATES.index("standby")
HOUR_S = 3600.0


def sleepers(count: int, **off: float) -> Hosts:
    """Hosts that draw 10 W in standby, reached in 20 s at 50 W and left in 40 s at 150 W."""
    hosts = make_hosts([1000.0] * count, **off)  # type: ignore[arg-type]
    states = SleepStates.none(1)
    states.available[STANDBY] = True
    values = {"state_w": 10.0, "enter_s": 20.0, "enter_w": 50.0, "leave_s": 40.0}
    columns = {name: np.zeros((len(SLEEP_STATES), 1)) for name in (*values, "leave_w")}
    for name, value in {**values, "leave_w": 150.0}.items():
        columns[name][STANDBY] = value
    sleep = SleepStates(states.available, **columns)
    return Hosts(
        hosts.cpu_mhz, hosts.core_mhz, hosts.memory_mib, hosts.group, hosts.power, hosts.off_w,
        hosts.boot_s, hosts.boot_w, hosts.stop_s, hosts.stop_w, hosts.names, hosts.group_names,
        hosts.server_names, sleep,
    )  # fmt: skip


class Script:
    """Puts hosts to rest and wakes them at rounds that are told beforehand."""

    samples = 0
    powers_down = False
    migrates_vms = False

    def __init__(self, rests: dict[float, list[int]], wakes: dict[float, list[int]]) -> None:
        self.rests, self.wakes = rests, wakes

    def decide(self, view: FarmView) -> Plan:
        now_s = view.now_s
        return Plan(sleeps=self.rests.get(now_s, []), wakes=self.wakes.get(now_s, []))


def play(
    control: Script | PowerProportional, power: PowerManagement, hosts: Hosts,
    slots: int = 24, share: float = 0.0, vms: int = 1,
) -> Outcome:  # fmt: skip
    farm = make_farm(hosts, make_vms([100.0] * vms))
    engine = make_engine(farm, np.full((slots, vms), share), control, power=power)
    return engine.run()


def test_standby_against_its_closed_form() -> None:
    # Host 1 is idle until 600 s, 20 s into standby, there until 1,800 s, 40 s out of it, idle on.
    power = PowerManagement(sleep="standby")
    outcome = play(Script({600.0: [1]}, {1800.0: [1]}), power, sleepers(2), slots=12)
    totals = outcome.farm.accounts.totals[0]
    assert totals[0] == pytest.approx(IDLE_W * HOUR_S)
    asleep_s = 1200.0 - 20.0
    idle_s = HOUR_S - 1200.0 - 40.0
    expected_j = idle_s * IDLE_W + 20.0 * 50.0 + asleep_s * 10.0 + 40.0 * 150.0
    assert totals[1] == pytest.approx(expected_j)


def test_off_against_its_closed_form() -> None:
    # As above with a shutdown of 60 s at idle power, 5 W when off, a boot of 260 s at full power.
    hosts = sleepers(2, boot_s=260.0, stop_s=60.0, off_w=5.0)
    outcome = play(Script({600.0: [1]}, {1800.0: [1]}), PowerManagement(), hosts, slots=12)
    idle_s = HOUR_S - 1200.0 - 260.0
    expected_j = (idle_s + 60.0) * IDLE_W + 1140.0 * 5.0 + 260.0 * FULL_W
    assert outcome.farm.accounts.totals[0, 1] == pytest.approx(expected_j)


def test_rest_and_switching_are_billed_to_the_host_that_did_them() -> None:
    power = PowerManagement(sleep="standby")
    outcome = play(Script({600.0: [1]}, {1800.0: [1]}), power, sleepers(3), slots=12)
    sleep_record = outcome.sleep_record
    assert sleep_record.off_s[STANDBY].tolist() == [0, pytest.approx(1180.0), 0]
    assert sleep_record.off_j[STANDBY, 1] == pytest.approx(1180.0 * 10.0)
    assert sleep_record.switching_j.tolist() == [0, pytest.approx(20.0 * 50.0 + 40.0 * 150.0), 0]
    assert outcome.farm.accounts.boots.tolist() == [0, 1, 0]
    assert outcome.farm.accounts.stops.tolist() == [0, 1, 0]


def test_events_name_the_state_of_rest() -> None:
    power = PowerManagement(sleep="standby")
    outcome = play(Script({600.0: [1]}, {1800.0: [1]}), power, sleepers(2), slots=12)
    events = outcome.tables["power_events"]
    assert events["time_s"].tolist() == [600, 620, 1800, 1840]
    states = [PowerState.STOPPING, PowerState.OFF, PowerState.BOOTING, PowerState.ON]
    assert events["state"].tolist() == states
    assert events["sleep_state"].tolist() == [STANDBY, STANDBY, STANDBY, 0]


def test_hosts_without_the_state_are_switched_off() -> None:
    power = PowerManagement(sleep="hibernate")
    outcome = play(Script({600.0: [1]}, {}), power, sleepers(2, off_w=5.0), slots=12)
    assert outcome.sleep_record.off_s[0, 1] == pytest.approx(3000.0)


def test_hosts_begin_in_the_state_of_rest_that_the_policy_names() -> None:
    power = PowerManagement(sleep="standby", keep_awake=2)
    outcome = play(PowerProportional(), power, sleepers(4), slots=12)
    assert outcome.sleep_record.off_s[STANDBY].tolist() == [0, 0, HOUR_S, HOUR_S]
    assert energy_j(outcome) == pytest.approx(HOUR_S * (2 * IDLE_W + 2 * 10.0))


def test_an_order_is_not_limited_and_a_wish_is() -> None:
    script = Script({600.0: [1]}, {})
    power = PowerManagement(keep_awake=3)
    outcome = play(script, power, make_hosts([1000.0] * 3), slots=12)
    refused = outcome.tables["sleep_refusals"]
    assert outcome.farm.hosts.state.tolist() == [PowerState.ON] * 3
    assert [outcome.words[word] for word in refused["reason"]] == ["keep_awake"]
    script.decide = lambda view: Plan(  # type: ignore[method-assign]
        sleeps=script.rests.get(view.now_s, []), ordered=True
    )
    outcome = play(script, PowerManagement(idle_s=7200.0), make_hosts([1000.0] * 3), slots=12)
    assert outcome.farm.hosts.state.tolist() == [PowerState.ON, PowerState.OFF, PowerState.ON]


def test_times_awake_and_idle_hold_rest_back() -> None:
    always = {300.0 * beat: [1] for beat in range(1, 25)}
    outcome = play(Script(always, {}), PowerManagement(idle_s=1500.0), make_hosts([1000.0] * 2))
    # Idle from the start: the first round at which 1,500 s have passed is at 1,500 s.
    assert outcome.tables["power_events"]["time_s"].tolist() == [1500]
    power = PowerManagement(awake_s=1800.0)
    outcome = play(Script(always, {900.0: [1]}), power, make_hosts([1000.0] * 2))
    # At rest at 300 s, on at 900 s; it rests at the round 1,800 s later.
    assert outcome.tables["power_events"]["time_s"].tolist() == [300, 900, 2700]


def test_the_time_awake_counts_from_the_end_of_the_boot() -> None:
    always = {300.0 * beat: [1] for beat in range(1, 25)}
    power = PowerManagement(awake_s=1800.0)
    outcome = play(Script(always, {900.0: [1]}), power, make_hosts([1000.0] * 2, boot_s=900.0))
    # Booting from 900 s to 1,800 s, awake for 1,800 s: the round at 3,600 s puts it to rest.
    assert outcome.tables["power_events"]["time_s"].tolist() == [300, 900, 1800, 3600]


def test_hosts_are_woken_ahead_of_a_load_that_rises() -> None:
    # Ten VMs of 100 MHz on hosts of 1,000 MHz; the load rises by 20 MHz a step from 0 to 940 MHz.
    # The line through it, 1,800 s ahead, is 6 steps further: 120 MHz more than now. One host is
    # enough up to 0.5 x 1,000 MHz, so the second is woken once 20 k + 120 > 500, at step 20.
    shares = np.repeat(np.arange(48)[:, None] * 0.02, 10, axis=1)
    power = PowerManagement(ahead_s=1800.0, forecast=LinearTrend(), max_utilisation=0.5)
    farm = make_farm(make_hosts([1000.0] * 3, boot_s=60.0), make_vms([100.0] * 10))
    outcome = make_engine(farm, shares, PowerProportional(), power=power).run()
    events = outcome.tables["power_events"]
    assert events["time_s"].tolist()[:2] == [20 * 300.0, 20 * 300.0 + 60.0]
    assert outcome.words[events["cause"][0]] == "wake_ahead"


class Restless:
    """Wants random hosts at rest and wakes random others, at every round."""

    samples = 0
    powers_down = True
    migrates_vms = False

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def decide(self, view: FarmView) -> Plan:
        chosen = self._random.random((2, len(view.hosts))) < 0.5
        return Plan(
            sleeps=np.flatnonzero(chosen[0]).tolist(), wakes=np.flatnonzero(chosen[1]).tolist()
        )


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000), kept=st.integers(0, 4), cycles=st.integers(1, 4),
    boot_s=st.sampled_from([0.0, 450.0]), stop_s=st.sampled_from([0.0, 700.0]),
)  # fmt: skip
def test_limits_hold_whatever_a_policy_wants(
    seed: int, kept: int, cycles: int, boot_s: float, stop_s: float
) -> None:
    farm = make_farm(make_hosts([1000.0] * 5, boot_s=boot_s, stop_s=stop_s), make_vms([100.0]))
    power = PowerManagement(keep_awake=kept, cycles=cycles)
    shares = np.full((400, 1), 0.1)
    outcome = make_engine(farm, shares, Restless(seed), power=power).run()
    events = outcome.tables["power_events"]
    sleeping = np.ones(5, bool)
    sleeping[: max(kept, 1)] = False
    awake = [int(np.count_nonzero(~sleeping))]
    rests: dict[int, list[float]] = {host: [] for host in range(5)}
    for time_s, host, state in zip(
        events["time_s"].tolist(), events["host"].tolist(), events["state"].tolist(), strict=True
    ):
        leaving = state in (PowerState.STOPPING, PowerState.OFF)
        if leaving and not sleeping[host]:
            rests[host].append(time_s)
        sleeping[host] = leaving
        awake.append(int(np.count_nonzero(~sleeping)))
    assert min(awake) >= kept
    for times in rests.values():
        for first, last in zip(times, times[cycles:], strict=False):
            assert last - first >= DAY_S


def test_figures_of_the_catalogue_are_in_order() -> None:
    figures = sleep_figures()
    assert set(figures) == set(SLEEP_STATES[1:])
    # The deeper a state, the less it draws and the longer it takes.
    watts = [figures[state].watts(140.0) for state in SLEEP_STATES[1:]]
    leave_s = [figures[state].leave_s.typical for state in SLEEP_STATES[1:]]
    assert watts == sorted(watts)
    assert leave_s == sorted(leave_s, reverse=True)
    assert figures["suspend_to_ram"].watts(4.0) == 4.0
    assert figures["suspend_to_ram"].watts(80.0) == 10.0
    assert figures["standby"].watts(80.0) == 40.0, "half of what the host draws when idle"
    assert figures["standby"].watts(0.4) == 0.2
