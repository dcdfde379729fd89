"""Small farms of tests on failures, reserves and the lives of VMs."""

from typing import Any

import numpy as np
from builders import make_hosts, make_vms

import farmsim
from farmsim.models.base.arrays import Floats
from farmsim.models.farm.audit import audit
from farmsim.models.farm.farm import Farm
from farmsim.models.migration.fixed_rate import FixedRate
from farmsim.models.migration.model_table import MigrationModels
from farmsim.models.workload.demand import ConstantSeries, Demand
from farmsim.policies.control.control import ControlPolicy, NoControl
from farmsim.policies.placement.placement import Placement
from farmsim.policies.placement_algorithms.best_fit import BestFit
from farmsim.scenarios.build.build import Case, build
from farmsim.sim.base.random_streams import Streams
from farmsim.sim.engine import Engine
from farmsim.sim.lifecycle.setup import Admission, LifecycleSetup, Population
from farmsim.sim.outcome import Outcome
from farmsim.sim.setup import EngineSetup, InitialPlacementSetup, Timing

Changes = dict[str, Any]


def failing_scenario(**parts: Any) -> farmsim.Scenario:
    """Four hosts in two racks; a VM of two takes half a host's memory."""
    base: Changes = {
        "name": "fails",
        "run": {"duration": "10 h", "report_every": "5 h"},
        "farm": {
            "hosts_per_rack": 2,
            "hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 4, "memory": "11 GiB"}],
        },
        "provisioning": {"boot": "0 s"},
        "workload": {
            "source": {"type": "constant", "utilisation": "50 %"},
            "sizes": [{"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": "4 GiB", "count": 4}],
        },
        "policies": {"initial": {"placement": "round_robin", "cpu_overcommit": 4}},
        "baseline": {"type": "none"},
    }  # fmt: skip
    return farmsim.Scenario.of(base | parts)


def play_failing(**parts: Any) -> tuple[Case, Outcome]:
    case = build(failing_scenario(**parts))
    outcome = case.engine.run()
    audit(outcome.farm)
    return case, outcome


def planned(at: str, of: str, match: str, lasts: str | None = None) -> Changes:
    return {"at": at, "component": of, "match": [match], **({"duration": lasts} if lasts else {})}


GIB = 1024.0


def play_lives(
    hosts: int,
    arrival_s: Floats,
    lifetime_s: Floats,
    per_host: int = 1,
    end_s: float | None = None,
    admission: Admission | None = None,
    first_s: float = 0.0,
    starts: int = 1,
    placement: Placement | None = None,
    control: ControlPolicy | None = None,
    priority: list[int] | None = None,
    boot_s: float = 0.0,
    stop_s: float = 0.0,
) -> Outcome:
    """Play VMs of 1 GHz and 1 GiB on hosts that have room for ``per_host`` of them."""
    count = len(arrival_s)
    farm = Farm(
        make_hosts([1000.0 * per_host] * hosts, GIB * per_host, boot_s=boot_s, stop_s=stop_s),
        make_vms([1000.0] * count),
        all_present=False,
    )
    ranks = np.zeros(count, np.int64) if priority is None else np.array(priority)
    population = Population(np.asarray(arrival_s), np.asarray(lifetime_s), ranks)
    end_s = float(arrival_s[-1]) if end_s is None else end_s
    lives = LifecycleSetup(
        population, admission or Admission(), np.array([first_s]), np.array([first_s]), starts
    )
    setup = EngineSetup(
        InitialPlacementSetup(placement or BestFit(), "test", reject=True),
        control or NoControl(),
        "test",
        MigrationModels.only(FixedRate(), 1, 1),
        Timing(end_s, 300.0, 3600.0),
        lives,
    )
    outcome = Engine(
        farm, Demand(ConstantSeries(0.5, count), farm.vms.size_mhz), setup, Streams(1)
    ).run()
    audit(farm)
    return outcome


RESERVE_SCENARIO: dict[str, Any] = {
    "name": "kept",
    "run": {"duration": "1 h"},
    "farm": {
        "hosts": [
            {
                "name": "h", "count": 4, "shutdown": {"duration": "0 s"},
                "server": {
                    "cores": 8, "clock": "2 GHz", "memory": "32 GiB",
                    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
                },
            }
        ]
    },
    "workload": {
        "source": {"type": "constant", "utilisation": "25 %"},
        "vms": 25,
        "sizes": [{"name": "s", "vcpus": 1, "clock": "2 GHz", "memory": "4 GiB"}],
    },
    "policies": {
        "initial": {"placement": "best_fit_decreasing", "unplaced": "reject"}, "every": "5 min",
    },
    "baseline": {"type": "none"},
}  # fmt: skip


ONE_HOST = {"kind": "hosts", "hosts": 1}


def reserve_scenario(**changes: Any) -> farmsim.Scenario:
    return farmsim.Scenario.of(RESERVE_SCENARIO).with_(changes)
