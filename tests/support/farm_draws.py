"""Small farms with every feature on, drawn by Hypothesis: scenarios as nested mappings."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

Mapping = dict[str, Any]

HOURS = 3
SIZES: list[Mapping] = [
    {"name": "small", "vcpus": 1, "clock": "2 GHz", "memory": "2 GiB", "disk": "4 GiB",
     "tenant": "blue", "class": "web", "priority": 1},
    {"name": "large", "vcpus": 2, "clock": "2 GHz", "memory": "4 GiB", "disk": "8 GiB",
     "tenant": "red"},
]  # fmt: skip
CONTROLS: list[Any] = [
    "none",
    {"policy": "consolidation", "overload": {"policy": "static_threshold", "threshold": "70 %"}},
    {"policy": "consolidation", "overload": {"policy": "interquartile_range"}},
    {"policy": "consolidation", "selection": "random"},
    {"policy": "balance"},
    {"policy": "dynamic_power"},
]
MOVES: list[Mapping] = [
    {},
    {"migration": {"model": "pre_copy"}, "network": {"layout": {"topology": "single_switch"}}},
    {"migration": {"model": "post_copy"},
     "network": {"layout": {"topology": "two_tier", "hosts_per_rack": 2}}},
    {"migration": {"model": "suspend_resume"}},
]  # fmt: skip
FAILURES: list[Mapping] = [
    {},
    {"schedule": [{"at": "50 min", "match": ["x-2"], "duration": "35 min"}]},
    {"schedule": [{"at": "50 min", "match": ["x-2"]}], "restart_vms": False},
    {"entries": [{
        "name": "all", "time_to_failure": {"distribution": "exponential", "mean": "4 h"},
        "repair": {"distribution": "constant", "mean": "20 min"},
    }]},
]  # fmt: skip
RULES: list[list[Mapping]] = [
    [],
    [{"name": "apart", "type": "apart", "vms": ["vm-1", "vm-2"]}],
    [{"name": "soft", "type": "together", "vms": ["vm-1", "vm-3"], "penalty": 2}],
]


def farms(**fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Mapping]:
    """Return a strategy of choices; :func:`scenario` turns one into a scenario."""
    choices: dict[str, st.SearchStrategy[Any]] = {
        "control": st.sampled_from(CONTROLS),
        "moves": st.sampled_from(MOVES),
        "failures": st.sampled_from(FAILURES),
        "rules": st.sampled_from(RULES),
        "hypervisor": st.sampled_from(["ideal", "kvm", "esxi"]),
        "placement": st.sampled_from(
            ["first_fit", "best_fit_decreasing", "worst_fit", "power_aware_best_fit_decreasing"]
        ),
        "overcommit": st.sampled_from([1, 2.5]),
        "arrivals": st.booleans(),
        "sharing": st.sampled_from(["demand", "shares"]),
        "vms": st.integers(3, 14),
        "hosts": st.integers(2, 5),
        "seed": st.integers(0, 50),
    }
    return st.fixed_dictionaries(choices | fixed)


def host_group(name: str, count: int, hypervisor: str = "ideal", **more: Any) -> Mapping:
    """Return a group of hosts with four cores of 2 GHz."""
    server = {
        "cores": 4, "clock": "2 GHz", "memory": "24 GiB",
        "power": {"model": "linear", "idle": "90 W", "max": "210 W"},
    }  # fmt: skip
    return {
        "name": name, "count": count, "server": server, "hypervisor": hypervisor,
        "off_power": "6 W", "sleep": [], "price": "4000 EUR", "licence": "500 EUR",
        "boot": {"duration": "90 s"}, "shutdown": {"duration": "30 s"}, **more,
    }  # fmt: skip


def scenario(drawn: Mapping, folder: Path) -> Mapping:
    """Return the scenario of a draw; its load is written into a folder."""
    moves: Mapping = drawn["moves"]
    made: Mapping = {
        "name": "drawn",
        "seed": drawn["seed"],
        "run": {"duration": f"{HOURS} h", "report_every": "10 min", "host_series": True},
        "farm": {
            "hosts": [
                host_group("x", drawn["hosts"], drawn["hypervisor"]),
                host_group("y", 2, drawn["hypervisor"]),
            ],
        },
        "tenants": [{"name": "blue"}, {"name": "red"}],
        "workload": _arrivals(drawn, folder) if drawn["arrivals"] else _stays(drawn, folder),
        "policies": {
            "initial": {
                "placement": drawn["placement"], "cpu_overcommit": drawn["overcommit"],
                "unplaced": "reject",
            },
            "control": drawn["control"],
        },
        "failures": drawn["failures"],
        "constraints": drawn["rules"],
        "service": {"sharing": drawn["sharing"]},
        "cost": {
            "currency": "EUR", "energy_price": "0.2 EUR/kWh", "pue": 1.3, "hosts_paid": "owned",
        },
        "baseline": {"type": "none"},
        **moves,
    }  # fmt: skip
    return made


def _stays(drawn: Mapping, folder: Path) -> Mapping:
    rng = np.random.default_rng(drawn["seed"])
    samples = rng.choice([5, 20, 60, 100], (HOURS * 12, drawn["vms"]))
    header = ",".join(["time", *(f"vm-{number + 1}" for number in range(drawn["vms"]))])
    rows = [f"{300 * at}," + ",".join(map(str, row)) for at, row in enumerate(samples.tolist())]
    (folder / "load.csv").write_text("\n".join([header, *rows]) + "\n")
    sizes = [size | {"share": f"{share} %"} for size, share in zip(SIZES, (60, 40), strict=True)]
    return {"source": {"type": "csv", "path": "load.csv"}, "sizes": sizes, "size_order": "cycle"}


def _arrivals(drawn: Mapping, folder: Path) -> Mapping:
    rng = np.random.default_rng(drawn["seed"])
    count = drawn["vms"]
    arrival = np.sort(rng.integers(0, HOURS * 2400, count))
    arrival[: count // 2] = 0
    lifetime = rng.integers(300, HOURS * 3600, (count,))
    use = rng.choice([10, 60, 95], count).tolist()
    rows = [
        f"vm-{vm + 1},{arrival[vm]},{lifetime[vm] if vm % 3 else ''},{1 + vm % 2},"
        f"{2 + 2 * (vm % 2)},{use[vm]},{'red' if vm % 2 else 'blue'},"
        f"{'' if vm % 2 else 'web'}"
        for vm in range(count)
    ]
    header = "vm,arrival,lifetime,vcpus,memory,utilisation,tenant,class"
    (folder / "vms.csv").write_text("\n".join([header, *rows]) + "\n")
    return {"arrivals": {"type": "table", "path": "vms.csv", "clock": "2 GHz"}}
