"""The exposure indicator: its formula by hand and the order that it keeps."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.exposure import (
    INTERFACES,
    TCB_KLOC,
    Weights,
    co_tenants,
    grade,
    mean_co_tenants,
    risk_indicator,
)

ONE = np.ones(1)


def test_by_hand() -> None:
    indicator = risk_indicator(ONE * 360.0, ONE * 2, ONE * 4)
    assert indicator[0] == pytest.approx(0.4 + 0.8 + 0.2 * math.log(5))
    assert risk_indicator(ONE * 360.0, ONE * 2, ONE * 4, Weights(1.0, 0.0, 0.0))[0] == 1.0


def test_bare_metal_for_one_tenant_is_lowest_and_a_hosted_hypervisor_highest() -> None:
    grades = grade(
        risk_indicator(
            np.array([TCB_KLOC["bare_metal"], TCB_KLOC["esxi"], TCB_KLOC["hyper_v"], 20_000.0]),
            np.array([INTERFACES["bare_metal"], 1, 2, INTERFACES["type_2"] + 3], float),
            np.array([0.0, 5.0, 5.0, 1000.0]),
        )
    )
    assert grades[0] == 0
    assert np.all(np.diff(grades) > 0)
    assert grades[-1] == 10


@given(st.lists(st.floats(0.0, 1e4), min_size=3, max_size=3), st.floats(0.0, 1e3))
@settings(deadline=None)
def test_more_of_anything_is_never_a_lower_grade(inputs: list[float], more: float) -> None:
    rows = np.tile(inputs, (4, 1)) + more * np.eye(4, 3)
    grades = grade(risk_indicator(rows[:, 0], rows[:, 1], rows[:, 2]))
    assert np.all(grades[:3] >= grades[3])


def test_co_tenants_are_foreign_and_counted_once() -> None:
    host_of = np.array([0, 0, 0, 1, 1, -1, 2])
    tenant_of = np.array([0, 1, 1, 2, 2, 0, 1])
    assert co_tenants(host_of, tenant_of).tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert co_tenants(np.array([-1]), np.array([0])).tolist() == [0]


def test_hours_shared_weigh_the_count() -> None:
    count = np.array([[4.0, 0.0], [1.0, 1.0], [7.0, 7.0]])
    duration_s = np.array([[3600.0, 10_800.0], [60.0, 60.0], [0.0, 0.0]])
    assert mean_co_tenants(count, duration_s).tolist() == [1.0, 1.0, 0.0]
