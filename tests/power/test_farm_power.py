"""Power and work of hosts beyond their curve: extra power, performance, calibration."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import farmsim
from farmsim.models.hardware.dvfs import FrequencyScaling, FrequencyState
from farmsim.models.hardware.performance import performance_of
from farmsim.models.hardware.power_curves import (
    Asymptotic,
    Constant,
    Fan,
    Linear,
    PowerBank,
    PowerModel,
    Square,
    Table,
    adjusted,
)
from farmsim.models.hardware.server import servers
from farmsim.scenarios.build.build import build, calibration_factor, load_of
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.resolve.hypervisors import nominal_server, server_of
from farmsim.scenarios.scenario import Scenario

MODELS: list[PowerModel] = [
    Table(servers()["hp_ml110_g4"].watts),
    Constant(80.0),
    Linear(50.0, 300.0),
    Fan(80.0, 200.0),
    Square(10.0, 90.0),
    Asymptotic(80.0, 200.0, 0.2),
    FrequencyScaling((FrequencyState(0.6, 80.0, 105.0), FrequencyState(1.0, 93.0, 135.0))),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@given(u=st.floats(0, 1), added_w=st.floats(0, 500), factor=st.floats(0.2, 5))
def test_adjusted_models_are_shifted_and_scaled_at_every_load(
    model: PowerModel, u: float, added_w: float, factor: float
) -> None:
    load = np.array([u])
    made = adjusted(model, added_w, factor)
    assert type(made) is type(model)
    expected = factor * (model.watts(load) + added_w)
    assert made.watts(load) == pytest.approx(expected, rel=1e-12)
    bank = PowerBank([made], np.array([0]))
    assert bank.watts_of(0, u) == pytest.approx(float(expected[0]), rel=1e-9)


def test_a_model_without_change_is_the_same_object() -> None:
    assert all(adjusted(model) is model for model in MODELS)


FARM: dict[str, Any] = {
    "farmsim": 1,
    "name": "extra",
    "seed": 3,
    "run": {"duration": "2 h"},
    "farm": {
        "hosts": [
            {"name": "old", "server": "xeon_e5_2680_2s", "count": 3, "memory": "512 GiB"},
            {"name": "new", "server": "epyc_9654_2s", "count": 1},
        ]
    },
    "workload": {
        "vms": 40,
        "sizes": [{"name": "s", "vcpus": 4, "clock": "2.7 GHz", "memory": "8 GiB"}],
        "source": {"type": "synthetic"},
    },
    "policies": {"initial": {"placement": "round_robin"}, "control": "none"},
    "baseline": {"type": "none"},
}


def _run(*overrides: str) -> farmsim.Result:
    return farmsim.run(FARM, *overrides)


def _value(result: farmsim.Result, name: str) -> float:
    return float(result.value(name))


def _series(result: farmsim.Result, column: str) -> list[float]:
    return [float(each) for each in result.table("farm_series")[column].to_pylist()]


def test_extra_power_is_drawn_at_every_load_by_hosts_that_are_on() -> None:
    plain, more = _run(), _run("farm.hosts.0.extra_power=195.2 W")
    # three hosts, on for two hours
    assert _value(more, "energy_kwh") - _value(plain, "energy_kwh") == pytest.approx(
        3 * 195.2 * 2 / 1000, rel=1e-9
    )


def test_hosts_that_are_off_draw_no_extra_power() -> None:
    off = ["policies.control=power_proportional", "workload.vms=1"]
    plain = _run(*off, "farm.hosts.0.count=1")
    more = _run(*off, "farm.hosts.0.count=3", "farm.hosts.0.extra_power=0 W")
    extra = _run(*off, "farm.hosts.0.count=3", "farm.hosts.0.extra_power=500 W")
    assert _value(plain, "hosts_on_mean") == _value(more, "hosts_on_mean") == 1
    assert _value(extra, "energy_kwh") - _value(more, "energy_kwh") == pytest.approx(
        500 * 2 / 1000, rel=1e-9
    )


def test_performance_scales_what_a_host_and_a_core_do() -> None:
    scenario = Scenario.of(FARM).override("farm.hosts.1.performance=1.317")
    case = build(scenario, load_of(scenario))
    hosts = case.farm.hosts
    assert hosts.cpu_mhz.tolist() == pytest.approx([43_200] * 3 + [460_800 * 1.317])
    assert hosts.core_mhz.tolist() == pytest.approx([2700] * 3 + [2400 * 1.317])


def test_load_17_8_ghz_fills_386_or_223_hundredths_of_a_percent() -> None:
    for performance, share in ((1.0, 0.0386), (1.734, 0.0223)):
        result = farmsim.run(
            FARM,
            'farm.hosts=[{"name": "h", "server": "epyc_9654_2s", "count": 1}]',
            f"farm.hosts.h.performance={performance}",
            'workload={"vms": 1, "sizes": [{"name": "s", "vcpus": 16, "clock": "1.1125 GHz", '
            '"memory": "8 GiB"}], "source": {"type": "constant", "utilisation": 1}}',
        )
        assert round(_value(result, "utilisation_mean"), 4) == share


def test_present_hosts_are_known_by_their_nominal_clock_and_operations() -> None:
    power = {"model": "linear", "idle": "60 W", "max": "240 W"}
    inline = {"cores": 16, "sockets": 2, "clock": "2.7 GHz", "memory": "256 GiB", "power": power,
              "ssj_ops": 1_431_682}  # fmt: skip
    hosts = [{"name": "old", "server": inline, "count": 1, "performance": 1.2}]
    [group] = Scenario.of(FARM | {"farm": {"hosts": hosts}}).farm.hosts
    present = nominal_server(group)
    assert performance_of(servers()["epyc_9654_2s"], present, "ssj") == pytest.approx(
        1.7338, abs=1e-4
    )
    assert server_of(group).core_mhz == 2700 * 1.2


def _consolidating(clock: str, idle: str, full: str, **group: object) -> farmsim.Result:
    power = {"model": "linear", "idle": idle, "max": full}
    server = {"cores": 32, "sockets": 2, "clock": clock, "memory": "128 GiB", "power": power}
    host = {"name": "h", "server": server, "count": 6, "hypervisor": "kvm", **group}
    policies = {"initial": {"placement": "round_robin"}, "control": "consolidation"}
    return farmsim.run(FARM | {"farm": {"hosts": [host]}, "policies": policies})


def test_performance_and_extra_power_are_a_faster_clock_and_a_higher_curve() -> None:
    plain = _consolidating("3 GHz", "160 W", "310 W")
    other = _consolidating("2 GHz", "90 W", "240 W", performance=1.5, extra_power="70 W")
    assert _value(plain, "migrations") > 0
    assert {name: plain.value(name) for name in plain.metrics()} == {
        name: other.value(name) for name in other.metrics()
    }


@pytest.mark.parametrize("at", ["0 h", "1 h", "93 min"])
def test_calibrated_farm_draws_what_was_measured(at: str) -> None:
    minutes = {"0 h": 0, "1 h": 60, "93 min": 93}[at]
    result = _run(
        f"farm.calibrate={{measured_power: 1.4 kW, at: {at}}}", "run.report_every=1 min",
        "farm.hosts.0.extra_power=195.2 W",
    )  # fmt: skip
    power_w = _series(result, "power_w")
    assert power_w[minutes] == pytest.approx(1400, rel=1e-9)


def test_the_factor_of_a_measured_farm_gives_the_same_run() -> None:
    scenario = Scenario.of(FARM).override("farm.calibrate={measured_power: 1.4 kW}")
    factor = calibration_factor(scenario, load_of(scenario))
    assert factor == build(scenario).calibration != 1
    measured = _run("farm.calibrate={measured_power: 1.4 kW}")
    given_factor = _run(f"farm.calibrate={{factor: {factor!r}}}")
    assert _value(measured, "energy_kwh") == _value(given_factor, "energy_kwh")
    assert any(
        "so that the farm as it stands" in str(each) for each in measured.summary["assumptions"]
    )


@pytest.mark.parametrize(("power", "odd"), [("0.6 kW", False), ("9 kW", True)])
def test_the_factor_is_told(power: str, odd: bool) -> None:
    told = _run(f"farm.calibrate={{measured_power: {power}}}").summary["warnings"]
    [warning] = [each for each in told if "Power curves are multiplied by" in each]
    assert ("far from 1" in warning) == odd


def test_a_power_measured_on_other_hosts_does_not_scale_a_variant() -> None:
    measured = FARM | {
        "farm": {**FARM["farm"], "calibrate": {"measured_power": "1.2 kW"}},
        "variants": {"base": {}, "more": {"farm.hosts.old.count": 4}},
    }
    with pytest.raises(
        InputError, match=r"variants\.more\.farm\.calibrate\.measured_power: was mea"
    ):
        farmsim.compare(measured)
    given_factor = {"farm.hosts.old.count": 4, "farm.calibrate": {"factor": 1.1}}
    measured["variants"] = {"base": {}, "more": given_factor}
    assert farmsim.compare(measured)


def test_baselines_share_the_factor() -> None:
    both = ["baseline={type: unconsolidated, placement: best_fit}"]
    plain, twice = _run(*both).baseline, _run(*both, "farm.calibrate={factor: 2}").baseline
    assert plain is not None
    assert twice is not None
    assert _value(twice, "energy_kwh") == pytest.approx(2 * _value(plain, "energy_kwh"), rel=1e-9)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("farm.calibrate={}", "farm.calibrate: give either measured_power or factor"),
        ("farm.calibrate={factor: 1.2, measured_power: 1 kW}", "either measured_power or factor"),
        ("farm.calibrate={factor: 1.2, at: 1 h}", "farm.calibrate.at: is the time of measured"),
        (
            "farm.calibrate={measured_power: 1 kW, at: 2 h}",
            "farm.calibrate.at: the run ends at 2 h",
        ),
        ("farm.calibrate={measured_power: 0 W}", "farm.calibrate.measured_power"),
        ("farm.calibrate={factor: 0}", "farm.calibrate.factor"),
        ("farm.hosts.0.extra_power=-1 W", "farm.hosts.0.extra_power"),
        ("farm.hosts.0.extra_power=195", "farm.hosts.0.extra_power"),
        ("farm.hosts.0.performance=0", "farm.hosts.0.performance"),
        ("farm.hosts.0.performance=100", "farm.hosts.0.performance"),
    ],
)
def test_mistakes_are_told_with_their_field(written: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        _run(written)
