import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farmsim.models.hardware.dvfs import FrequencyScaling
from farmsim.models.hardware.power_curves import (
    POWER_MODELS,
    Asymptotic,
    Constant,
    Cubic,
    Fan,
    Linear,
    PowerBank,
    PowerModel,
    Square,
    SquareRoot,
    Table,
)
from farmsim.models.hardware.server import Server, published_ops_per_w, servers

Formula = Callable[[float], float]

G4 = servers()["hp_ml110_g4"].watts

FORMULAS: list[tuple[PowerModel, Formula]] = [
    (Constant(117.0), lambda _: 117.0),
    (Linear(80.0, 200.0), lambda u: 80 + 120 * u),
    (Square(80.0, 200.0), lambda u: 80 + 120 * u**2),
    (Cubic(80.0, 200.0), lambda u: 80 + 120 * u**3),
    (SquareRoot(80.0, 200.0), lambda u: 80 + 120 * math.sqrt(u)),
    (Fan(80.0, 200.0, 1.4), lambda u: 80 + 120 * (2 * u - u**1.4)),
    (Asymptotic(80.0, 200.0, 0.2), lambda u: 80 + 60 * (1 + u - math.exp(-u / 0.2))),
]


@pytest.mark.parametrize(("model", "formula"), FORMULAS)
@given(u=st.floats(0, 1))
def test_every_model_follows_its_formula(model: PowerModel, formula: Formula, u: float) -> None:
    assert model.watts(np.array([u]))[0] == pytest.approx(formula(u), rel=1e-12)


@pytest.mark.parametrize("model", [model for model, _ in FORMULAS] + [Table(G4)])
@given(below=st.floats(0, 1e-9))
def test_a_load_rounded_to_just_below_zero_draws_idle_power(
    model: PowerModel, below: float
) -> None:
    idle_w = model.watts(np.zeros(1))[0]
    assert model.watts(np.array([-below]))[0] == pytest.approx(idle_w, rel=1e-6)


def test_every_model_of_the_catalogue_is_tested_here() -> None:
    # The states of FrequencyScaling have tests of their own in test_dvfs.py.
    tested = {type(model) for model, _ in FORMULAS} | {Table, FrequencyScaling}
    assert tested == set(POWER_MODELS.values())


def test_table_hits_readings_and_halves_between() -> None:
    table = Table(G4)
    levels = np.arange(11) / 10
    assert table.watts(levels) == pytest.approx(G4, rel=1e-12)
    # between 86 W idle and 89.4 W at 10 %: 87.7 W at 5 %
    assert table.watts(np.array([0.05]))[0] == pytest.approx(87.7, rel=1e-12)


MODELS: list[PowerModel] = [Table(G4), Linear(50.0, 300.0), Fan(80.0, 200.0), Square(10.0, 90.0)]


@given(
    model=st.lists(st.integers(0, 3), min_size=1, max_size=20),
    seed=st.integers(0, 1000),
)
def test_bank_equals_its_models_host_by_host(model: list[int], seed: int) -> None:
    model_of_host = np.array(model)
    cpu_mhz = np.full(len(model), 2000.0)
    u = np.random.default_rng(seed).random(len(model))
    bank = PowerBank(MODELS, model_of_host)
    alone = [MODELS[m].watts(np.array([x]))[0] for m, x in zip(model, u, strict=True)]
    assert bank.watts(u) == pytest.approx(alone, rel=1e-9)
    hosts = np.arange(len(model))[::-1]
    by_load = bank.of_load(hosts, cpu_mhz[hosts])
    load_mhz = (u * cpu_mhz)[hosts]
    assert by_load.watts(load_mhz) == pytest.approx(alone[::-1], rel=1e-9)
    single = [by_load.watts_at(place, load) for place, load in enumerate(load_mhz.tolist())]
    assert single == pytest.approx(alone[::-1], rel=1e-9)


def test_bank_takes_full_power_above_full_load() -> None:
    bank = PowerBank([Table(G4)], np.array([0, 0]))
    assert bank.watts(np.array([1.0, 1.7])).tolist() == [117.0, 117.0]


SINGLE = [server for server in servers().values() if server.level == "A"]


def test_catalogue_is_large_verified_and_sourced() -> None:
    found = servers()
    assert len(SINGLE) == 61
    assert [each.id for each in SINGLE] == list(found)[:61]
    for server in found.values():
        assert len(server.watts) == 11
        assert len(server.ssj_ops) in ((10,) if server.level == "A" else (0, 10))
        assert server.confidence == "V" or server.level != "A"
        assert "spec.org" in server.source
        assert list(server.watts) == sorted(server.watts)
        assert server.cores >= server.sockets >= 1
        assert 1000 <= server.core_mhz <= 5000


@pytest.mark.parametrize("server", SINGLE, ids=lambda server: server.id)
def test_overall_efficiency_equals_the_published_one(server: Server) -> None:
    published = published_ops_per_w()[server.id]
    # 0.2 %, or one unit where rounding of the published whole number is coarser than that
    assert abs(server.overall_ops_per_w - published) <= max(0.002 * published, 1.0)
