"""Planning ceilings: shares of CPU and memory that placements, migrations and restarts keep."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import farmsim
from farmsim.analysis.studies.optimum import at_instant
from farmsim.scenarios.build.build import build
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.scenario import Scenario, from_text

SERVER = {
    "cores": 16, "clock": "2.5 GHz", "memory": "96 GiB",
    "power": {"model": "linear", "idle": "50 W", "max": "150 W"},
}  # fmt: skip
SMALL = [{"name": "small", "vcpus": 1, "clock": "1 GHz", "memory": "2 GiB"}]
PLACEMENTS = (
    "first_fit", "best_fit", "worst_fit", "round_robin", "random", "first_fit_decreasing",
    "best_fit_decreasing", "power_aware_best_fit_decreasing", "dot_product",
)  # fmt: skip


def scenario(ceilings: Any, count: int = 4, vms: int = 50, **parts: Any) -> Scenario:
    host = {"name": "h", "server": SERVER, "count": count}
    source = parts.pop("source", {"type": "constant", "utilisation": "30 %"})
    return Scenario.of({
        "farm": {"hosts": [host | ({"ceilings": ceilings} if ceilings else {})]},
        "workload": {"source": source, "vms": vms, "sizes": parts.pop("sizes", SMALL)},
        "run": {"duration": "2 h"},
        "baseline": {"type": "none"},
        **parts,
    })  # fmt: skip


def held(case: Any) -> tuple[Any, Any]:
    hosts = case.farm.hosts
    return hosts.memory_used_mib / hosts.memory_mib, hosts.committed_mhz / hosts.cpu_mhz


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_no_placement_fills_memory_beyond_the_ceiling(placement: str) -> None:
    policies = {"initial": {"placement": placement, "cpu_overcommit": 4}}
    case = build(scenario({"memory": "80 %"}, policies=policies))
    case.engine.run()
    memory, _ = held(case)
    assert case.farm.hosts.vm_count.max() <= 38  # 38 VMs of 2 GiB are 79.2 % of 96 GiB
    assert memory.max() <= 0.8
    assert case.farm.hosts.vm_count.sum() == 50


def test_cpu_keeps_its_ceiling_with_the_overcommit_of_placement() -> None:
    for overcommit, most in ((1, 30), (2, 60)):  # 75 % of 40 VMs that the CPU holds
        policies = {"initial": {"placement": "first_fit", "cpu_overcommit": overcommit}}
        tiny = [SMALL[0] | {"memory": "1 GiB"}]
        case = build(scenario({"cpu": "75 %"}, vms=70, policies=policies, sizes=tiny))
        case.engine.run()
        expected = [most] * (70 // most) + [70 % most]
        assert case.farm.hosts.vm_count.tolist()[: len(expected)] == expected


def test_a_farm_that_only_fits_above_the_ceiling_is_refused() -> None:
    build(scenario(None, count=1, vms=40)).engine.run()
    with pytest.raises(InputError, match="lack"):
        farmsim.run(scenario({"memory": "80 %"}, count=1, vms=40))
    with pytest.raises(InputError, match=r"fits? no host"):
        build(scenario({"cpu": "2 %"}, vms=1))
    with pytest.raises(InputError, match="it must be at most 1"):
        scenario({"cpu": "120 %"})


@pytest.mark.parametrize(
    "control",
    [
        "consolidation", "balance", "dynamic_power",
        {"policy": "consolidation", "overload": {"policy": "static_threshold"},
         "placement": "power_aware_best_fit_decreasing"},
        {"policy": "evacuation", "hosts": "h-1", "at": "30 min"},
    ],
)  # fmt: skip
def test_migrations_keep_the_ceilings(control: Any) -> None:
    initial = {"placement": "round_robin"}
    source = {"type": "synthetic", "classes": "azure"}
    run = scenario(
        {"memory": "50 %"},
        count=6,
        vms=60,
        source=source,
        policies={"initial": initial, "control": control},
    )
    case = build(run)
    worst: list[float] = []
    case.engine.run(lambda _: worst.append(float(held(case)[0].max())))
    assert max(worst) <= 0.5
    if control != "balance":
        assert case.farm.accounts.totals is not None
        result = farmsim.run(run)
        assert len(result.tables["migrations"]) > 0


def test_moves_that_somebody_else_proposes_keep_the_ceiling_of_memory() -> None:
    to_one = {f"vm-{row:02}": "h-1" for row in range(1, 41)}
    policies = {
        "initial": {"placement": "round_robin", "cpu_overcommit": 4},
        "control": {"policy": "reassign", "assignment": to_one, "at": "10 min"},
    }  # fmt: skip
    for ceilings, most in ((None, 40), ({"memory": "40 %"}, 19)):
        case = build(scenario(ceilings, vms=40, policies=policies))
        case.engine.run()
        assert case.farm.hosts.vm_count[0] == most


def test_restarts_and_failure_tests_keep_the_ceilings() -> None:
    outage = {"at": "30 min", "component": "host", "match": ["h-1"], "duration": "5 h"}
    parts: dict[str, Any] = {
        "policies": {"initial": {"placement": "round_robin"}},
        "failures": {"schedule": [outage]},
    }
    # 3 x 16 VMs; at 50 % a host holds 24: both others take 8 each. At 40 % they hold 19: 10 wait.
    for share, running in (("50 %", 48), ("40 %", 38)):
        case = build(scenario({"memory": share}, count=3, vms=48, **parts))
        case.engine.run()
        assert case.farm.hosts.vm_count.sum() == running
        assert held(case)[0].max() <= float(share.split()[0]) / 100
        plain = {"policies": parts["policies"]}
        result = farmsim.failover(scenario({"memory": share}, count=3, vms=48, **plain))
        assert result.survives("host") == (running == 48)


def test_a_reserve_is_kept_within_the_ceilings() -> None:
    policies = {"initial": {"placement": "round_robin"}, "reserve": {"kind": "hosts", "hosts": 1}}
    assert "memory" in str(
        scenario({"memory": "50 %"}, count=3, vms=48, policies=policies).to_yaml()
    )
    case = build(scenario({"memory": "50 %"}, count=3, vms=48, policies=policies))
    case.engine.run()
    book = case.engine._view.reserve_book()
    assert book is not None
    assert book.whole()
    with pytest.raises(InputError, match="excluded by rules: the reserve 3"):
        farmsim.run(scenario({"memory": "40 %"}, count=3, vms=48, policies=policies))


def test_arrivals_keep_the_ceilings_by_index_and_by_search(tmp_path: Path) -> None:
    rows = "".join(f"v{row},{60 * row},,1,2\n" for row in range(60))
    (tmp_path / "vms.csv").write_text("vm,arrival,lifetime,vcpus,memory\n" + rows)
    arrivals = {"type": "table", "path": "vms.csv", "clock": "1 GHz", "utilisation": "20 %"}
    for placement in ("first_fit", "best_fit", "worst_fit", "dot_product"):
        initial = {"placement": placement, "cpu_overcommit": 4}
        host = {"name": "h", "server": SERVER, "count": 2, "ceilings": {"memory": "50 %"}}
        made = Scenario.of({
            "farm": {"hosts": [host]},
            "workload": {"arrivals": arrivals},
            "policies": {"initial": initial},
            "run": {"duration": "2 h"},
            "baseline": {"type": "none"},
        }, tmp_path)  # fmt: skip
        case = build(made)
        case.engine.run()
        assert case.farm.hosts.vm_count.tolist() == [24, 24], placement


def test_recorded_vms_above_the_ceiling_stay_and_no_other_comes(tmp_path: Path) -> None:
    rows = [f"v{row},1,1000,2048,{'h-1' if row < 45 else ''}" for row in range(50)]
    text = "\n".join(["vm,vcpus,clock_mhz,memory_mib,host", *rows])
    (tmp_path / "vms.csv").write_text(text + "\n")
    host = {"name": "h", "server": SERVER, "count": 3, "ceilings": {"memory": "80 %"}}
    case = build(Scenario.of({
        "farm": {"hosts": [host]},
        "workload": {"vms_file": "vms.csv", "source": {"type": "constant", "utilisation": 0.1}},
        "policies": {
            "initial": {"placement": "recorded", "cpu_overcommit": 4}, "control": "consolidation",
        },
    }, tmp_path))  # fmt: skip
    case.engine.run()
    assert case.farm.vms.host[:45].tolist() == [0] * 45
    assert case.farm.hosts.vm_count.tolist()[0] == 45


def test_the_optimum_keeps_the_ceilings() -> None:
    free = at_instant(scenario(None), 1800.0, 1.0, 10.0)
    assert (free.optimum.hosts, free.ceilings) == (2, False)  # 48 VMs of 2 GiB fill 96 GiB
    kept = at_instant(scenario({"memory": "40 %"}), 1800.0, 1.0, 10.0)
    assert kept.optimum.hosts == 3  # 19 VMs a host
    assert "minimum number of hosts within the ceilings of the hosts: 3" in kept.text()
    low = at_instant(scenario({"cpu": "10 %"}, vms=40, policies={
        "initial": {"count_by": "demand"}}), 1800.0, 1.0, 10.0)  # fmt: skip
    assert low.optimum.hosts == 4  # 13 VMs of 300 MHz on 4,000 MHz a host


def test_capacity_and_utilisation_stay_those_of_the_host() -> None:
    policies = {"initial": {"placement": "worst_fit"}}
    one = farmsim.run(scenario({"cpu": "90 %", "memory": "90 %"}, policies=policies))
    other = farmsim.run(scenario(None, policies=policies))
    assert one.tables["hosts"].equals(other.tables["hosts"])
    same = build(scenario({"cpu": "100 %"})).farm.hosts
    np.testing.assert_array_equal(same.plan_mhz, same.cpu_mhz)


def test_ceilings_are_written_out_and_read_again() -> None:
    text = scenario({"cpu": "75 %"}).to_yaml()
    assert "cpu: 75 %" in text
    assert from_text(text).to_yaml() == text
