"""Which hosts a report shows as busy, and how busy."""

import farmsim
from farmsim.analysis.topics.farm.hosts import busiest_hosts
from farmsim.analysis.topics.farm.utilisation import heatmap


def server(cores: int) -> dict[str, object]:
    power = {"model": "linear", "idle": "100 W", "max": "200 W"}
    return {"cores": cores, "clock": "1 GHz", "memory": "64 GiB", "power": power}


def test_hosts_are_ranked_by_their_work_not_by_their_utilisation() -> None:
    result = farmsim.run(
        {
            "name": "busy",
            "run": {"duration": "1 h"},
            "farm": {"hosts": [
                {"name": "small", "server": server(2), "count": 1},
                {"name": "large", "server": server(32), "count": 1},
            ]},
            "workload": {
                "source": {"type": "constant", "utilisation": "100 %"},
                "sizes": [
                    {"name": "a", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB", "count": 1},
                    {"name": "b", "vcpus": 8, "clock": "1 GHz", "memory": "1 GiB", "count": 1},
                ],
            },
            "policies": {"initial": {"placement": "first_fit"}},
            "baseline": {"type": "none"},
        }
    )  # fmt: skip
    names, mean, _, _ = busiest_hosts(result)
    assert names == ["large-1", "small-1"]
    assert mean.tolist() == [25.0, 50.0]


def test_a_row_of_the_heat_map_shows_work_over_capacity_that_is_on() -> None:
    """More hosts than rows: each row is a small host that is full and a large one that is off."""
    result = farmsim.run(
        {
            "name": "map",
            "run": {"duration": "1 h"},
            "tenants": [{"name": "s"}],
            "farm": {"order": "interleaved", "hosts": [
                {"name": "small", "server": server(2), "count": 150, "tenant": "s"},
                {"name": "large", "server": server(64), "count": 150},
            ]},
            "workload": {
                "source": {"type": "constant", "utilisation": "100 %"},
                "sizes": [{"name": "a", "vcpus": 2, "clock": "1 GHz", "memory": "8 GiB",
                           "count": 150, "tenant": "s"}],
            },
            "policies": {
                "control": "power_proportional", "initial": {"placement": "best_fit"},
            },
            "baseline": {"type": "none"},
        }
    )  # fmt: skip
    cells = {cell for row in heatmap(result)["data"][0]["z"] for cell in row}
    assert cells <= {100.0, None}
    assert 100.0 in cells
