"""Power of memory beyond a result's, and work per MHz between generations."""

from dataclasses import replace

import pytest

from farmsim.models.hardware.memory_power import extra_power
from farmsim.models.hardware.performance import load_share, performance_of, performances
from farmsim.models.hardware.server import servers
from farmsim.models.hardware.server_match import match

SANDY = servers()["xeon_e5_2680_2s"]
GENOA = servers()["epyc_9654_2s"]


def test_memory_beyond_the_result_adds_power_at_every_load() -> None:
    host = match("Intel(R) Xeon(R) CPU E5-2680 0 @ 2.70GHz", None, 2, 16, 2700)
    assert host is not None
    extra = extra_power(512, host.memory_gib, host.memory_kind)
    assert (extra.extra_gib, extra.kind) == (488, "DDR3")
    assert extra.watts.typical == pytest.approx(195.2)
    assert (extra.watts.low, extra.watts.high) == pytest.approx((43.92, 195.2))
    assert host.watts[0] + extra.watts.typical == pytest.approx(256.9)
    assert extra.watts.confidence == "E"


def test_less_memory_than_the_result_is_not_credited() -> None:
    assert extra_power(256, 384, "DDR4").watts.high == 0
    assert extra_power(100, 0, "?").watts.typical == pytest.approx(17)


def test_work_per_mhz_between_generations() -> None:
    assert SANDY.max_ops is not None
    assert GENOA.max_ops is not None
    assert round(SANDY.max_ops / 43.2) == 33_141
    assert round(GENOA.max_ops / 460.8) == 57_461
    found = performances(GENOA, SANDY)
    assert found["none"] == 1
    assert found["ssj"] == pytest.approx(1.734, abs=5e-4)
    assert found["default"] == pytest.approx(1.317, abs=5e-4)
    assert performance_of(GENOA, SANDY) == found["default"]
    assert performances(SANDY, SANDY) == {"none": 1, "ssj": 1, "default": 1}


def test_a_load_fills_less_of_a_newer_host_by_operations() -> None:
    ssj = performance_of(GENOA, SANDY, "ssj")
    assert ssj is not None
    assert round(100 * load_share(17_800, GENOA, 1), 2) == 3.86
    assert round(100 * load_share(17_800, GENOA, ssj), 2) == 2.23


def test_default_is_capped_and_unknown_is_unknown() -> None:
    old, new = servers()["hp_ml110_g3"], servers()["xeon_platinum_8490h_2s"]
    assert performance_of(new, old) == 1.5
    unmeasured = replace(new, ssj_ops=(), full_ops=None, published_ops_per_w=None)
    assert performances(unmeasured, old) == {"none": 1, "ssj": None, "default": None}
    with pytest.raises(ValueError, match="available: none, ssj, default"):
        performance_of(new, old, "spec")
