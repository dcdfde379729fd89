"""Energy split among VMs: nothing is lost and nothing is invented."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.base.arrays import sum_by
from farmsim.models.service.energy_attribution import IDLE_RULES, attribute

HOSTS = 4
AMOUNT = st.one_of(st.just(0.0), st.floats(1e-3, 1e6))
VM = st.tuples(st.integers(0, HOSTS - 1), AMOUNT, AMOUNT)


@given(
    vms=st.lists(VM, min_size=1, max_size=15),
    energy=st.lists(st.tuples(AMOUNT, AMOUNT), min_size=HOSTS, max_size=HOSTS),
    rule=st.sampled_from(sorted(IDLE_RULES)),
)
@settings(deadline=None)
def test_the_parts_add_up_to_the_hosts_energy(
    vms: list[tuple[int, float, float]], energy: list[tuple[float, float]], rule: str
) -> None:
    host_of = np.array([vm[0] for vm in vms])
    size, used = np.array([vm[1:] for vm in vms], float).T
    energy_j, idle_j = np.array(energy, float).T
    charged_j = attribute(energy_j, idle_j, host_of, size, used, rule)
    assert np.all(charged_j >= 0)
    per_host_j = sum_by(host_of, weights=charged_j, minlength=HOSTS)
    has_vms = np.bincount(host_of, minlength=len(energy_j)) > 0
    assert per_host_j == pytest.approx(np.where(has_vms, energy_j, 0.0), rel=1e-12)


def test_rules_by_hand() -> None:
    """100 J idle and 60 J above it; 3 of 4 parts of the size used a third of the CPU."""
    energy_j, idle_j, host_of = np.array([160.0]), np.array([100.0]), np.array([0, 0])
    size, used = np.array([3.0, 1.0]), np.array([10.0, 20.0])
    expected = {"size": [95.0, 65.0], "equal": [70.0, 90.0], "usage": [160 / 3, 320 / 3]}
    for rule, parts in expected.items():
        charged_j = attribute(energy_j, idle_j, host_of, size, used, rule)
        assert charged_j == pytest.approx(parts)


def test_an_unknown_rule_lists_what_there_is() -> None:
    one = np.ones(1)
    with pytest.raises(ValueError, match="size, equal, usage"):
        attribute(one, one, np.array([0]), one, one, "fair")
