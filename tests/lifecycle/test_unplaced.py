"""What is said where the initial placement finds no host, and of optima at a fill."""

from typing import Any

import numpy as np
import pytest

import farmsim
from farmsim.scenarios.build.unplaced import shortage


def scenario(fours: int, sixes: int, placement: str, **more: Any) -> dict[str, Any]:
    """Two hosts of 10 GHz, VMs of 4 and of 6 GHz."""
    power = {"model": "linear", "idle": "100 W", "max": "200 W"}
    server = {"cores": 10, "clock": "1 GHz", "memory": "100 GiB", "power": power}
    size = {"clock": "1 GHz", "memory": "1 GiB"}
    return {
        "run": {"duration": "1 h"},
        "farm": {"hosts": [{"name": "h", "count": 2, "server": server}]},
        "workload": {
            "source": {"type": "constant", "utilisation": "10 %"},
            "sizes": [
                {"name": "four", "vcpus": 4, "count": fours, **size},
                {"name": "six", "vcpus": 6, "count": sixes, **size},
            ],
        },
        "policies": {"initial": {"placement": placement, **more}},
        "baseline": {"type": "none"},
    }


def refusal(*arguments: Any, **more: Any) -> str:
    with pytest.raises(farmsim.InputError) as caught:
        farmsim.run(scenario(*arguments, **more))
    return str(caught.value)


def test_a_placement_that_finds_no_room_is_not_a_farm_that_is_too_small() -> None:
    """4 + 6 and 4 + 6 fit; first fit puts both fours on one host, and then 6 + 6 do not."""
    text = refusal(2, 2, "first_fit")
    assert "the initial placement found no host for 1 VM of 4" in text
    assert "farm.hosts" in text
    assert "too small" not in text
    assert farmsim.run(scenario(2, 2, "worst_fit")).value("vms_rejected") == 0


def test_too_small_is_said_where_sums_or_indivisible_vms_prove_it() -> None:
    assert "the farm is too small for any placement: its hosts lack CPU" in refusal(
        6, 0, "first_fit"
    )
    # 18 of 20 GHz, but two VMs of 6 GHz share no host of 10
    assert "the farm is too small" in refusal(0, 3, "best_fit")


def test_a_shortage_is_proven_or_not_named() -> None:
    rooms = np.full(2, 10.0)
    plenty = np.full(2, 100.0)
    one = np.ones(4)
    assert shortage(np.array([4.0, 4, 6, 6]), one, rooms, plenty) == ""
    assert shortage(np.array([5.1, 5.1, 5.1]), one[:3], rooms, plenty) == "CPU"
    assert shortage(one, np.full(4, 60.0), rooms, plenty) == "memory"


def test_a_farm_filled_beyond_the_optimums_share_is_not_short() -> None:
    """Four VMs of 4.8 GHz on hosts of 10: two a host fit, but one where 8 GHz may be used."""
    day = scenario(0, 4, "best_fit", count_by="demand")
    day["farm"]["hosts"][0]["count"] = 4
    day["workload"]["source"]["utilisation"] = "80 %"
    day["policies"]["control"] = "power_proportional"
    for at_s in (0.0, 1800.0):
        found = farmsim.optimum(day, at_s=at_s, max_utilisation=0.8)
        assert found.shortfall_mhz == 0
        assert (found.hosts_on, found.optimum.hosts) == (2, 4)
        assert found.over_fill == 2
        text = found.text()
        assert "minimum number of hosts with at most 80 % of CPU used on each: 4, proven" in text
        assert "2 hosts of the farm are above 80 % utilisation, but not above 100 %" in text
        assert "short" not in text
        assert "the farm has 2 fewer hosts on" in text
    assert farmsim.optimum(day, at_s=0.0).over_fill == 0
