"""Moves of one VM at a time give what the verbs on arrays give, up to the rounding of sums."""

import numpy as np
import pytest
from builders import make_farm, make_hosts, make_vms
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.accounts.accounts import Rate
from farmsim.models.farm.audit import audit
from farmsim.models.farm.farm import Farm
from farmsim.models.farm.farm_rates import FarmRates
from farmsim.models.farm.farm_state import FarmError
from farmsim.models.farm.fast_path import FastPath
from farmsim.models.state.columns import VmState

HOSTS, VMS = 4, 8
Steps = list[tuple[str, int, tuple[float, float, float], float]]
SHARES = st.sampled_from([0.0, 0.1, 0.5, 1.0])
STEP = st.tuples(
    st.sampled_from(["load", "load", "commit", "abort", "demand"]),
    st.integers(0, VMS - 1), st.tuples(SHARES, SHARES, SHARES), st.sampled_from([0.0, 3.0, 50.0]),
)  # fmt: skip


def loaded(demand: list[float], core_mhz: float | None, incoming: bool) -> Farm:
    hosts = make_hosts([1000.0, 2000.0, 1500.0, 1500.0], core_mhz=core_mhz)
    farm = make_farm(hosts, make_vms([800.0] * VMS), incoming)
    farm.place(np.arange(VMS), np.arange(VMS) % HOSTS, 0.0)
    farm.set_demand(np.array(demand), 0.0)
    return farm


def played(farm: Farm, fast_path: bool, steps: Steps) -> None:
    now_s = 0.0
    for verb, vm, shares, wait_s in steps:
        now_s += wait_s
        one = np.array([vm])
        if verb == "demand":
            farm.set_demand(np.roll(farm.vms.demand_mhz, 1 + vm), now_s)
        elif farm.vms.state[vm] == VmState.RUNNING:
            target = (farm.vms.host[one] + 1 + vm % 3) % HOSTS
            farm.begin_migration(one, target, now_s, *shares)
        elif verb == "abort":
            farm.abort_migration(one, now_s)
        elif verb == "commit":
            farm.commit_migration_of_one(vm, now_s) if fast_path else farm.commit_migration(
                one, now_s
            )
        elif fast_path:
            farm.set_migration_load_of_one(vm, *shares, now_s)
        else:
            farm.set_migration_load(one, *shares, now_s)
        audit(farm)
    farm.settle_all(now_s + 100.0)


@settings(max_examples=120, deadline=None)
@given(
    demand=st.lists(st.sampled_from([0.0, 80.0, 300.0, 800.0]), min_size=VMS, max_size=VMS),
    core_mhz=st.sampled_from([None, 500.0]),
    incoming=st.booleans(),
    steps=st.lists(STEP, max_size=25),
)
def test_one_by_one_as_with_arrays(
    demand: list[float],
    core_mhz: float | None,
    incoming: bool,
    steps: Steps,
) -> None:
    alone, arrays = (loaded(demand, core_mhz, incoming) for _ in range(2))
    played(alone, True, steps)
    played(arrays, False, steps)
    for part in ("hosts", "vms", "accounts", "vm_accounts", "migration_load"):
        ours, theirs = vars(getattr(alone.state, part)), vars(getattr(arrays.state, part))
        for name, column in ours.items():
            if isinstance(column, np.ndarray) and column.dtype.kind in "fib":
                np.testing.assert_allclose(
                    column, theirs[name], rtol=1e-9, atol=1e-6, err_msg=f"{part}.{name}"
                )
    for host in range(HOSTS):
        row = np.array([host])
        assert np.array_equal(alone.residents.of(row), arrays.residents.of(row))


@settings(max_examples=120, deadline=None)
@given(
    demand=st.lists(st.sampled_from([0.0, 80.3, 300.1, 800.7]), min_size=VMS, max_size=VMS),
    core_mhz=st.sampled_from([None, 500.0]),
    incoming=st.booleans(),
    steps=st.lists(STEP, max_size=25),
)
def test_saturated_hosts_one_by_one_as_with_arrays_to_the_last_bit(
    demand: list[float],
    core_mhz: float | None,
    incoming: bool,
    steps: Steps,
) -> None:
    alone, arrays = (loaded(demand, core_mhz, incoming) for _ in range(2))
    assert alone._fast_path._one_host.plain
    arrays._fast_path._one_host.plain = False
    for farm in (alone, arrays):
        played(farm, True, steps)
    for part in ("hosts", "vms", "accounts", "vm_accounts", "migration_load", "delivery"):
        ours, theirs = vars(getattr(alone.state, part)), vars(getattr(arrays.state, part))
        for name, column in ours.items():
            if isinstance(column, np.ndarray):
                np.testing.assert_array_equal(column, theirs[name], err_msg=f"{part}.{name}")
    for name, level in vars(alone.accounts.levels).items():
        if isinstance(level, float):
            assert level == getattr(arrays.accounts.levels, name)
    assert alone.state.changed == arrays.state.changed


def test_a_single_move_that_cannot_be_right_is_refused() -> None:
    farm = loaded([100.0] * VMS, None, False)
    with pytest.raises(FarmError, match=r"set_migration_load: VM .* is not migrating"):
        farm.set_migration_load_of_one(0, 1.0, 0.0, 0.0, 0.0)
    with pytest.raises(FarmError, match=r"commit_migration: VM .* is not migrating"):
        farm.commit_migration_of_one(0, 0.0)
    assert farm.accounts.rates[Rate.VMS].tolist() == [2.0] * HOSTS


def test_a_migration_between_idle_hosts_needs_no_arrays() -> None:
    farm = loaded([100.0] * VMS, None, False)
    fast_path = FastPath(farm.state, FarmRates(farm.state))
    farm.begin_migration(np.array([0]), np.array([1]), 0.0, 0.9, 0.1, 0.1)
    assert fast_path.set_load(0, 0.5, 0.2, 0.2, 10.0)
    assert fast_path.commit(0, 20.0)
    audit(farm)
    assert not fast_path.commit(0, 20.0)
