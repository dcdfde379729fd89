"""What policies keep between rounds: each object its own, and copies of it on paper."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from builders import make_engine, make_farm, make_hosts, make_vms

import farmsim
from farmsim.models.base.arrays import Ints
from farmsim.policies.control.combined import Combined
from farmsim.policies.control.control import ControlPolicy
from farmsim.policies.control.power_management import PowerManagement
from farmsim.policies.interface.plan import Plan, Proposal, Reason, Search
from farmsim.policies.interface.policy_states import PolicyStates
from farmsim.policies.interface.view import FarmView
from farmsim.policies.overload.detector_state import DetectorState
from farmsim.policies.overload.static_threshold import StaticThreshold
from farmsim.policies.placement.candidates import Candidates
from farmsim.policies.placement.placement import Placed
from farmsim.policies.placement_algorithms.round_robin import RoundRobin
from farmsim.sim.outcome import Outcome


class Look:
    """A control policy that does what it is told in each round, and plans nothing."""

    samples = 1
    powers_down = False

    def __init__(self, look: Callable[[FarmView], None]) -> None:
        self.look = look

    def decide(self, view: FarmView) -> Plan:
        self.look(view)
        return Plan()


def play(control: ControlPolicy, rounds: int = 4) -> Outcome:
    """Four VMs of 100 MHz, all on the first of three hosts."""
    farm = make_farm(make_hosts([1000.0] * 3), make_vms([100.0] * 4))
    return make_engine(farm, np.full((rounds + 1, 4), 1.0), control).run()


def test_each_round_robin_goes_on_from_its_own_last_host() -> None:
    one, other = RoundRobin(), RoundRobin()
    assert one == other
    taken: dict[str, list[int]] = {"one": [], "other": []}

    def look(view: FarmView) -> None:
        for name, policy, vms in (("one", one, 2), ("other", other, 1)):
            hosts, none = np.arange(3), np.zeros(3)
            candidates = Candidates(view, hosts, np.zeros(4), none, np.full(3, 1000.0))
            taken[name] += policy.place(candidates, np.arange(vms)).hosts.tolist()

    play(Look(look), rounds=3)
    assert taken == {"one": [0, 1, 2, 0, 1, 2], "other": [0, 1, 2]}


class Swing:
    """Moves a VM back and forth between two hosts at every round."""

    samples = 0
    powers_down = False
    migrates_vms = True

    def decide(self, view: FarmView) -> Plan:
        source = int(view.vms.host[0])
        return Plan([Proposal(0, source, 1 - source, Reason("test", 0, 0), Search())])


def test_a_combination_within_another_is_not_stopped_by_its_own_moves() -> None:
    inner = Combined((Swing(),), undo_after_s=600.0)
    alone, within = play(inner), play(Combined((inner,), undo_after_s=600.0))
    for outcome in (alone, within):
        decided = outcome.tables["decisions"]["time_s"]
        assert decided[decided > 0].tolist() == [300.0, 900.0]


def test_each_power_management_tells_its_refusals() -> None:
    limits = [PowerManagement(keep_awake=3), PowerManagement(keep_awake=3)]
    told: list[int] = []

    def look(view: FarmView) -> None:
        plans = [each.within_limits(view, Plan(sleeps=[1])) for each in limits]
        told.extend(len(plan.refusals) for plan in plans)

    play(Look(look), rounds=2)
    assert told == [1, 1, 0, 0]


def test_each_detector_counts_how_long_it_has_found_a_host_overloaded() -> None:
    early, late = (StaticThreshold(threshold=0.3, above_for_s=600.0) for _ in range(2))
    found: list[tuple[list[int], list[int]]] = []

    def look(view: FarmView) -> None:
        before = DetectorState(view, early).overloaded().tolist()
        rest = DetectorState(view, late).overloaded().tolist() if view.now_s >= 900.0 else []
        found.append((before, rest))

    play(Look(look), rounds=5)
    assert found == [([], []), ([], []), ([0], []), ([0], []), ([0], [0])]


def _numbers() -> list[int]:
    return []


def test_copies_are_of_placements_and_leave_the_states_alone() -> None:
    states, placement, control = PolicyStates(), RoundRobin(), Swing()
    states.of(placement, _numbers).append(1)
    states.of(control, _numbers).append(1)
    copies = states.copied()
    copies.of(placement, _numbers).append(2)
    assert copies.of(placement, _numbers) == [1, 2]
    assert copies.of(control, _numbers) == []
    assert states.of(placement, _numbers) == [1]


@dataclass(frozen=True)
class Known:
    """A placement that deals VMs to hosts in turn, after the start only those dealt before."""

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        dealt: list[int] = candidates.view.state(self, list)
        hosts = np.full(len(vms), -1)
        for index, vm in enumerate(vms.tolist()):
            if candidates.view.now_s == 0 or vm in dealt:
                position = len(dealt) % len(candidates.hosts)
                candidates.take(vm, position)
                hosts[index] = candidates.hosts[position]
                dealt.append(vm)
        return Placed(hosts, [Search()] * len(vms))


@dataclass(frozen=True)
class Endless:
    """A placement that keeps a generator, of which there is no copy."""

    def place(self, candidates: Candidates, vms: Ints) -> Placed:
        turns: Iterator[int] = candidates.view.state(self, lambda: (each for each in range(99)))
        hosts = np.array([next(turns) % 3 for _ in vms])
        for vm, position in zip(vms.tolist(), hosts.tolist(), strict=True):
            candidates.take(vm, position)
        return Placed(candidates.hosts[hosts], [Search()] * len(vms))


def small(placement: object) -> farmsim.Scenario:
    return farmsim.Scenario.of(
        {
            "farm": {"hosts": [{"name": "h", "server": "dell_r720_e5_2670", "count": 3}]},
            "workload": {
                "source": {"type": "constant", "utilisation": "30 %"}, "vms": 5,
                "sizes": [{"name": "s", "vcpus": 1, "clock": "2 GHz", "memory": "2 GiB"}],
            },
            "run": {"duration": "30 min"},
            "policies": {"initial": {"placement": placement}},
            "baseline": {"type": "none"},
        }
    )  # fmt: skip


def test_the_failover_test_goes_on_from_what_a_placement_keeps() -> None:
    tested = farmsim.failover(small(Known()), at_s=600.0)
    assert [failure.stranded for failure in tested.failures] == [[], [], []]


def test_what_a_placement_keeps_and_nobody_can_copy_is_told_as_its_fault() -> None:
    with pytest.raises(farmsim.PolicyError, match=r"Endless.*cannot be copied.*keep numbers"):
        farmsim.failover(small(Endless()), at_s=600.0)


def test_nobody_copies_what_is_not_asked_for_on_paper() -> None:
    """A control policy that is a plain function may keep what it likes."""

    def control(view: FarmView) -> Plan:
        view.state(control, lambda: (each for each in range(9)))
        return Plan()

    tested = farmsim.failover(small("worst_fit").with_({"policies.control": control}), at_s=600.0)
    assert [failure.stranded for failure in tested.failures] == [[], [], []]
