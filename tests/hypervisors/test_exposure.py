"""The exposure indicator: its formula by hand, the order that it keeps, what it is fed with."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.models.base.arrays import Floats
from farmsim.models.base.estimates import Level
from farmsim.models.hypervisor.profiles import profiles
from farmsim.models.service.exposure import Weights, grade, layer_risk, tenant_risk

ONE = np.ones(1)
INPUTS = st.lists(st.floats(0.0, 1e4), min_size=3, max_size=3)


def risk_indicator(
    tcb_kloc: Floats, interfaces: Floats, co_tenants: Floats, weights: Weights | None = None
) -> Floats:
    return layer_risk(tcb_kloc, interfaces, weights) + tenant_risk(co_tenants, weights)


def test_by_hand() -> None:
    indicator = risk_indicator(ONE * 360.0, ONE * 2, ONE * 4)
    assert indicator[0] == pytest.approx(0.4 + 0.8 + 0.2 * math.log(5))
    assert risk_indicator(ONE * 360.0, ONE * 2, ONE * 4, Weights(1.0, 0.0, 0.0))[0] == 1.0


def graded(name: str, tenants: float, level: Level = "typical") -> int:
    layer = profiles()[name].at(level)
    indicator = risk_indicator(ONE * layer.tcb_kloc, ONE * layer.exposed_interfaces, ONE * tenants)
    return int(grade(indicator)[0])


def test_bare_metal_for_one_tenant_is_lowest_and_a_hosted_hypervisor_highest() -> None:
    rising = [graded(name, 3.0) for name in ("esxi", "kvm", "virtualbox")]
    assert rising == sorted(set(rising))
    assert graded("bare_metal", 0.0) == 0 < graded("esxi", 0.0)
    assert grade(risk_indicator(ONE * 2e4, ONE * 5, ONE * 1000))[0] == 10


def test_at_its_lowest_estimate_a_hosted_hypervisor_is_not_above_one_with_a_host_kernel() -> None:
    assert graded("virtualbox", 0.0, "low") <= graded("kvm", 0.0, "low")


@given(INPUTS, st.floats(0.0, 1e3))
@settings(deadline=None)
def test_more_of_anything_is_never_a_lower_grade(inputs: list[float], more: float) -> None:
    rows = np.tile(inputs, (4, 1)) + more * np.eye(4, 3)
    grades = grade(risk_indicator(rows[:, 0], rows[:, 1], rows[:, 2]))
    assert np.all(grades[:3] >= grades[3])


@given(INPUTS, INPUTS, st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3))
@settings(deadline=None)
def test_what_is_higher_in_no_input_is_not_higher_whatever_the_weights(
    one: list[float], other: list[float], weights: list[float]
) -> None:
    below = np.minimum(one, other)
    chosen = Weights(*weights)
    low, high = (
        risk_indicator(ONE * tcb, ONE * interfaces, ONE * tenants, chosen)[0]
        for tcb, interfaces, tenants in (below, one)
    )
    assert low <= high


def farm(**group: Any) -> dict[str, Any]:
    return {
        "run": {"duration": "1 h"},
        "farm": {
            "hosts": [
                {"name": "h", "server": "dell_r720_e5_2670", "count": 2, "memory": "64 GiB"} | group
            ]
        },
        "tenants": [{"name": "a"}, {"name": "b"}],
        "workload": {
            "source": {"type": "constant", "utilisation": 0.2},
            "size_order": "cycle",
            "sizes": [
                {"name": name, "vcpus": 2, "memory": "1 GiB", "count": 3, "tenant": name}
                for name in ("a", "b")
            ],
        },
        "baseline": {"type": "none"},
    }


def test_applications_on_the_hosts_system_count_as_one_more_interface() -> None:
    alone = farmsim.run(farm(hypervisor="virtualbox"))
    beside = farmsim.run(farm(hypervisor="virtualbox", host_applications=0.1))
    layer = profiles()["virtualbox"].at("typical")
    for result, interfaces in ((alone, 3.0), (beside, 4.0)):
        by_hand = grade(risk_indicator(ONE * layer.tcb_kloc, ONE * interfaces, ONE))[0]
        assert result.value("co_tenants") == 1.0
        assert result.value("exposure") == by_hand
        assert set(result.table("vms")["exposure"].to_pylist()) == {by_hand}
    assert beside.value("exposure") > alone.value("exposure")


def test_without_tenants_there_is_no_grade() -> None:
    scenario = farm(hypervisor="kvm")
    del scenario["tenants"]
    for size in scenario["workload"]["sizes"]:
        del size["tenant"]
    result = farmsim.run(scenario)
    assert "exposure" not in result.summary
    assert "exposure" not in result.table("vms").column_names
