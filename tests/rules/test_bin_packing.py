"""Lower bounds on hosts and power: no packing is below them, and they are as high as claimed."""

import numpy as np
import pytest
from builders import make_farm, make_hosts, make_vms
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from farmsim.models.base.arrays import Floats
from farmsim.models.bounds.bin_packing import (
    LEVELS,
    HostKind,
    dual_feasible_bound,
    dual_feasible_functions,
    fewest_hosts,
    min_weights,
    planes,
    whole_hosts,
)
from farmsim.models.bounds.farm_bound import FarmBound, components
from farmsim.models.hardware.power_curves import (
    Asymptotic,
    Constant,
    Cubic,
    Fan,
    Linear,
    PowerBank,
    PowerModel,
    SquareRoot,
    Table,
)
from farmsim.models.hardware.power_envelope import lower_hull, power_hull

SHARES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9)
WATTS = st.lists(st.floats(10.0, 500.0), min_size=11, max_size=11)


def test_three_vms_of_sixty_percent_need_three_hosts() -> None:
    # by volume 1.8 hosts would do
    assert dual_feasible_bound(np.array([0.6, 0.6, 0.6])) == 3.0


def test_thirds_are_measured_as_thirds() -> None:
    # 0.34 leaves room for one more only: seven of them need four hosts, by volume 2.38
    assert whole_hosts(dual_feasible_bound(np.full(7, 0.34))) == 4
    # exact thirds share a host by three
    assert whole_hosts(dual_feasible_bound(np.full(6, 1 / 3))) == 2


def test_every_function_is_dual_feasible() -> None:
    """What fits on a host has images that sum to at most 1, over all that could fit."""
    for function in dual_feasible_functions():
        most = np.zeros(LEVELS + 1)
        worth = np.flatnonzero(function[1:] > 0) + 1
        for room in range(1, LEVELS + 1):
            usable = worth[worth <= room]
            most[room] = max(
                most[room - 1], (most[room - usable] + function[usable]).max(initial=0)
            )
        assert most[LEVELS] <= 1 + 1e-12


def brute_force(cpu: Floats, memory: Floats) -> int:
    """Return the fewest hosts of size 1 by trying all ways of sharing VMs out."""
    best = len(cpu)

    def place(vm: int, bins: list[tuple[float, float]]) -> None:
        nonlocal best
        if len(bins) >= best:
            return
        if vm == len(cpu):
            best = len(bins)
            return
        for index, (used, held) in enumerate(bins):
            if used + cpu[vm] <= 1 + 1e-12 and held + memory[vm] <= 1 + 1e-12:
                changed = [*bins]
                changed[index] = (used + cpu[vm], held + memory[vm])
                place(vm + 1, changed)
        place(vm + 1, [*bins, (float(cpu[vm]), float(memory[vm]))])

    place(0, [])
    return best


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=7))
def test_no_packing_uses_fewer_hosts_than_the_bound(needs: list[tuple[float, float]]) -> None:
    cpu, memory = np.array(needs).T
    bound = fewest_hosts(cpu, memory, np.ones((1, 2)), np.array([len(cpu)]))
    assert bound <= brute_force(cpu, memory)


@given(SHARES)
def test_sizes_on_steps_are_bounded_exactly_as_by_volume(shares: list[float]) -> None:
    sizes = np.round(np.array(shares) * 8) / 8
    assert whole_hosts(dual_feasible_bound(sizes)) <= brute_force(sizes, np.zeros(len(sizes)))


KINDS = st.lists(
    st.tuples(st.floats(1.0, 50.0), st.floats(1.0, 50.0), st.integers(1, 5)),
    min_size=1, max_size=4,
)  # fmt: skip


@given(KINDS, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_planes_are_the_linear_relaxation(
    kinds: list[tuple[float, float, int]], first: float, second: float
) -> None:
    rooms = np.array([[cpu, memory] for cpu, memory, _ in kinds])
    counts = np.array([count for *_, count in kinds])
    needs = counts @ rooms * [first, second]
    made = planes([HostKind(rooms[k : k + 1], np.ones(1), n) for k, (*_, n) in enumerate(kinds)])
    answer = linprog(
        np.ones(len(rooms)), A_ub=-rooms.T, b_ub=-needs, bounds=[(0, n) for n in counts]
    )
    assert made.minimum(*needs.tolist()) == pytest.approx(answer.fun, rel=1e-6, abs=1e-6)


@given(WATTS)
def test_the_hull_is_below_the_curve_at_every_higher_load(watts: list[float]) -> None:
    check_hull(Table(tuple(watts)))


@pytest.mark.parametrize(
    "model",
    [Linear(50, 200), Constant(90), Cubic(50, 200), SquareRoot(50, 200), Fan(50, 200, 1.4),
     Asymptotic(50, 200, 0.2)],
)  # fmt: skip
def test_the_hull_is_below_every_formula(model: PowerModel) -> None:
    check_hull(model)


def check_hull(model: PowerModel) -> None:
    bank = PowerBank([model], np.zeros(1, np.int64))
    used, hull_w = power_hull(bank, 0, 0.05, 1.0)
    slopes = np.diff(hull_w) / np.diff(used)
    assert np.all(np.diff(slopes) >= -1e-6)
    loads = np.linspace(0.05, 1.0, 777)
    power_w = bank.watts(loads, np.zeros(len(loads), np.int64))
    min_w = np.minimum.accumulate(power_w[::-1])[::-1]
    assert np.all(np.interp(loads, used, hull_w) <= min_w + 1e-3)


def test_the_hull_of_a_dent_passes_below_it() -> None:
    assert lower_hull(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 3.0])) == [0, 2]
    assert lower_hull(np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.5, 3.0])) == [0, 1, 2]


def test_products_of_weights_and_factors_are_below_needs() -> None:
    needs = np.array([[1.0, 2.0], [3.0, np.inf], [5.0, 4.0]])
    weight, factor = min_weights(needs)
    assert np.all(weight[:, None] * factor <= needs + 1e-12)
    assert np.all(weight > 0)


def test_sizes_and_groups_that_never_meet_are_counted_apart() -> None:
    allowed = np.array([[True, False, False], [False, True, True], [False, False, True]])
    found = components(allowed)
    assert [(sizes.tolist(), groups.tolist()) for sizes, groups in found] == [
        ([True, False, False], [True, False, False]),
        ([False, True, True], [False, True, True]),
    ]


def test_power_of_two_hosts_by_hand() -> None:
    # Linear power 100 to 200 W on hosts of 1000 MHz. 1500 MHz in all need two of four hosts:
    # 2 * 100 W idle and 100 W per 1000 MHz.
    farm = make_farm(make_hosts([1000.0] * 4), make_vms([1000.0] * 3))
    bound = FarmBound(farm.hosts, farm.delivery.layer)
    size, work_mhz = farm.vms.size, np.full(3, 500.0)
    held = bound.hold(size, farm.vms.memory_mib)
    minimum = bound.minimum(held, work_mhz, work_mhz)
    assert minimum.hosts == 2
    assert minimum.power_w == pytest.approx(2 * 100 + 150)


def test_a_step_with_shortage_counts_fractions() -> None:
    farm = make_farm(make_hosts([1000.0] * 4), make_vms([1000.0] * 3))
    bound = FarmBound(farm.hosts, farm.delivery.layer)
    work_mhz = np.full(3, 500.0)
    held = bound.hold(farm.vms.size, np.zeros(3))
    minimum = bound.minimum(held, work_mhz, np.zeros(3))
    assert minimum.hosts == pytest.approx(1.5)
