"""Neighbours: they never help, and without the model they do nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.base.arrays import Floats, Ints
from farmsim.models.base.estimates import LEVELS
from farmsim.models.service.interference import (
    HEADROOM,
    RESOURCES,
    Interference,
    others_pressure,
)

HOSTS = 4
SIZES = 3
VM = st.tuples(st.integers(0, HOSTS - 1), st.integers(0, SIZES - 1), st.floats(0.0, 1.0, width=32))


def columns(vms: list[tuple[int, int, float]]) -> tuple[Ints, Ints, Floats]:
    host_of, size, running = zip(*vms, strict=True)
    return np.array(size), np.array(host_of), np.array(running, float)


def model(seed: int) -> Interference:
    rng = np.random.default_rng(seed)
    shape = (len(RESOURCES), SIZES)
    return Interference(rng.random(shape), rng.random(shape) * 2, rng.random(len(RESOURCES)) / 2)


def test_by_hand() -> None:
    chosen = Interference(
        sensitivity=np.array([[0.1, 0.2], [0.0, 0.0], [1.0, 0.0]]),
        pressure=np.array([[1.0, 2.0], [1.0, 1.0], [0.5, 1.0]]),
        headroom=np.array([0.25, 0.0, 0.1]),
    )
    size, host_of = np.array([0, 1, 1]), np.array([0, 0, 1])
    factors = chosen.slowdown(size, host_of, np.array([0.5, 0.3, 0.9]), 2)
    # VM 0 sees 2 * 0.3 in the cache and 0.3 at the disk, VM 1 sees 0.5 in the cache
    assert factors == pytest.approx([1 + 0.1 * 0.35 + 1.0 * 0.2, 1 + 0.2 * 0.25, 1.0])


@given(vms=st.lists(VM, min_size=1, max_size=12), seed=st.integers(0, 99))
@settings(deadline=None)
def test_nothing_suffers_up_to_the_harmless_share(
    vms: list[tuple[int, int, float]], seed: int
) -> None:
    size, host_of, running = columns(vms)
    chosen = model(seed)
    loads = np.bincount(host_of, running, minlength=HOSTS)
    factors = chosen.slowdown(size, host_of, running, HOSTS)
    assert np.all(factors[(loads <= chosen.harmless_share)[host_of]] == 1.0)


def test_where_nothing_is_sensitive_any_share_is_harmless() -> None:
    nothing = np.zeros((len(RESOURCES), SIZES))
    assert Interference(nothing, nothing + 1.0, np.zeros(len(RESOURCES))).harmless_share == np.inf
    assert Interference(nothing + 1.0, nothing, np.zeros(len(RESOURCES))).harmless_share == np.inf


@given(host=st.integers(0, 3), running=st.floats(0, 1), seed=st.integers(0, 99))
@settings(deadline=None)
def test_alone_is_exactly_one(host: int, running: float, seed: int) -> None:
    factors = model(seed).slowdown(np.array([0]), np.array([host]), np.array([running]), HOSTS)
    assert factors.tolist() == [1.0]


@given(vms=st.lists(VM, min_size=1, max_size=12), other=VM, seed=st.integers(0, 99), data=st.data())
@settings(deadline=None)
def test_adding_a_neighbour_never_helps(
    vms: list[tuple[int, int, float]], other: tuple[int, int, float], seed: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(vms)))
    before = model(seed).slowdown(*columns(vms), HOSTS)
    after = model(seed).slowdown(*columns([*vms[:place], other, *vms[place:]]), HOSTS)
    assert np.all(np.delete(after, place) >= before)


def test_a_neighbour_on_another_host_changes_nothing() -> None:
    pressure = others_pressure(
        np.array([0, 1, 0]), np.array([0.2, 0.9, 0.3]), np.array([1.0, 5.0, 2.0]), 2
    )
    assert pressure == pytest.approx([0.6, 0.0, 0.2])


@pytest.mark.parametrize("name", RESOURCES)
def test_harm_grows_from_low_to_high(name: str) -> None:
    low, typical, high = (HEADROOM[name].at(level, more_costs=False) for level in LEVELS)
    assert low > typical > high
