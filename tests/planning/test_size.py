"""`farmsim size`: numbers worked by hand, odd runs, and the integer program against brute force."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.analysis.size_study.packing_program import placeable
from farmsim.analysis.size_study.size import size
from farmsim.cli.main import run_command_line
from farmsim.models.sizing.planned_farm import (
    PlannedFarm,
    PlannedVms,
    SpreadRule,
    equal_hosts,
)
from farmsim.scenarios.errors.problems import InputError

POWER = {"model": "linear", "idle": "100 W", "max": "300 W"}
SERVER = {"cores": 32, "clock": "2 GHz", "memory": "256 GiB", "power": POWER}


def farm_of(count: int, gib: int, **changes: Any) -> dict[str, Any]:
    """So many VMs of 2 vCPUs at 2 GHz, half busy, on 10 hosts of 32 cores and 256 GiB."""
    vm = {"name": "vm", "vcpus": 2, "clock": "2 GHz", "memory": f"{gib} GiB", "count": count}
    data: dict[str, Any] = {
        "name": "farm",
        "run": {"duration": "1 h"},
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 10}]},
        "workload": {"source": {"type": "constant", "utilisation": "50 %"}, "sizes": [vm]},
        "policies": {"initial": {"count_by": "demand"}},
    }
    return data | changes


def sized(data: dict[str, Any], **options: Any) -> Any:
    return size(farmsim.Scenario.of(data), **options)


def test_memory_floor_packing_and_reserve_by_hand() -> None:
    # 95 % of 256 GiB hold 4 VMs of 56 GiB: 9 of them need 3 hosts, and 1 that may fail.
    found = sized(farm_of(9, 56))
    assert (found.hosts, found.known_hosts, found.vms) == (4, 10, 9)
    assert found.least.proven
    assert found.limiter == {"resource": "memory", "case": "loss of any host"}
    # 3 x 243.2 GiB for 504; 9 GHz against 75 % of 3 x 64.
    assert found.break_even["memory"] == pytest.approx(3 * 243.2 / 504)
    assert found.break_even["cpu"] == pytest.approx(3 * 64 * 0.75 / 18 * 1.0)
    assert sized(farm_of(9, 56), reserve=0).hosts == 3
    assert sized(farm_of(9, 56), reserve=2).hosts == 5


def test_packing_may_need_more_than_any_sum_says() -> None:
    # 12 VMs of 130 GiB: sums allow 1,560 / 243.2 = 6.4, but one host holds one.
    found = sized(farm_of(12, 130), reserve=0)
    assert found.hosts == 12
    assert found.least.floors.hosts == 7
    assert found.least.proven
    assert found.limiter["resource"] == "placement"
    assert "Packing decides: sums allow 7 hosts" in found.verdict


def test_more_memory_or_a_larger_server_is_what_was_asked_for() -> None:
    assert sized(farm_of(9, 56), memory_mib=512 * 1024.0).hosts == 3
    found = sized(farm_of(9, 56), server="epyc-9654-2s", memory_mib=1024 * 1024.0)
    assert found.server == "epyc_9654_2s"
    assert found.hosts == 2
    assert found.performance["none"] == 1.0
    power = "{model: linear, idle: 1 W, max: 2 W}"
    written = f"{{cores: 64, sockets: 2, clock: 2.8 GHz, memory: 300 GiB, power: {power}}}"
    assert sized(farm_of(9, 56), server=written).hosts == 3  # 5 VMs a host


def test_rules_ask_for_hosts_and_those_that_name_hosts_are_left_out() -> None:
    rules = [
        {"type": "apart", "name": "db", "vms": ["vm-1", "vm-2", "vm-3", "vm-4", "vm-5", "vm-6"]},
        {"type": "fence", "name": "licence", "vms": ["vm-7"], "hosts": ["h-01"]},
    ]
    found = sized(farm_of(9, 8, constraints=rules))
    assert found.hosts == 7
    assert found.limiter["resource"] == "rules"
    assert len({found.placement[f"vm-{number}"] for number in range(1, 7)}) == 6
    assert "Rules that name present hosts are left out: licence." in found.verdict


def test_a_vm_larger_than_a_host_is_said_and_no_number_is_enough(tmp_path: Path) -> None:
    initial = {"initial": {"count_by": "demand", "unplaced": "reject"}}
    found = sized(farm_of(3, 300, policies=initial))
    assert found.hosts is None
    assert found.verdict.startswith("No number of these hosts carries the 3 VMs: vm-1 is larger")
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(farm_of(3, 300, policies=initial)))
    assert run_command_line(["size", str(path), "--out", str(tmp_path / "out"), "--quiet"]) == 1
    data = json.loads((tmp_path / "out" / "size.json").read_text())
    assert data["hosts"] is None
    assert data["floors"]["largest_vm"] is None
    assert not (tmp_path / "out" / "scenario.yaml").exists()


def test_the_answer_can_be_run_and_the_page_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "s.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(farm_of(9, 56)))
    for _ in range(2):  # an earlier study is replaced
        assert run_command_line(["size", str(path), "--out", str(out), "--json"]) == 0
    data = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"hosts", "limiter", "floors", "break_even", "verdict", "confidence"} <= data.keys()
    assert (data["hosts"], data["limiter"]["resource"]) == (4, "memory")
    assert data["floors"]["memory"] == 4
    assert data["simulated"]["unserved_share"] == 0
    result = farmsim.run(out / "scenario.yaml")
    assert result.table("hosts").num_rows == 4
    assert result.value("unserved_share") == 0
    page = (out / "size.html").read_text()
    assert data["verdict"] in page.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--server", "no such thing at all"], "the catalogue has no server"),
        (["--server", "{cores: 64"], "cannot be read"),
        (["--server", "{cores: 64}"], "farm.hosts.0.server.clock"),
        (["--memory", "12 parsecs"], "--memory"),
        (["--reserve", "3"], "--reserve"),
    ],
)
def test_bad_options_are_told_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    path, out = tmp_path / "s.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(farm_of(2, 8)))
    assert run_command_line(["size", str(path), "--out", str(out), *arguments]) == 2
    assert told in capsys.readouterr().err
    assert not out.exists()


def test_notebooks_ask_the_same_questions() -> None:
    found = farmsim.size(farm_of(9, 56), "farm.hosts.0.count=12", reserve=0)
    assert (found.hosts, found.known_hosts) == (3, 12)
    assert found.to_dict()["verdict"] == found.verdict
    assert farmsim.headroom(farm_of(9, 56), vm="1c1g").to_dict()["joint"] > 0


def test_overcommit_of_present_hosts_is_not_planned_with() -> None:
    data = farm_of(9, 56)
    data["farm"]["hosts"][0] |= {"hypervisor": "kvm", "memory_overcommit": 1.5}
    plain = farm_of(9, 56)
    plain["farm"]["hosts"][0]["hypervisor"] = "kvm"
    assert sized(data).hosts == sized(plain).hosts


def test_farms_that_change_over_time_have_no_single_number() -> None:
    data = farm_of(2, 8)
    data["workload"] = {"arrivals": {"type": "generated", "rate": "10 per hour"}}
    with pytest.raises(InputError):
        sized(data)


@given(
    needs=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    rooms=st.lists(st.integers(1, 10), min_size=1, max_size=3),
    apart=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_program_finds_a_placement_exactly_where_one_exists(
    needs: list[int], rooms: list[int], apart: bool
) -> None:
    vms = PlannedVms(
        [f"vm-{row}" for row in range(len(needs))],
        np.ones(len(needs), np.int64),
        np.array(needs, float),
    )
    hosts = equal_hosts(len(rooms), 100, 1e6, 1e6)
    rule = [SpreadRule("apart", np.arange(min(2, len(needs))))] if apart else []
    farm = PlannedFarm("farm", vms, hosts, np.full(len(needs), -1), rule)
    room = np.column_stack(
        [np.array(rooms, float), np.full(len(rooms), 1e6), np.full(len(rooms), 1e6)]
    )

    def fits(home: tuple[int, ...]) -> bool:
        held = np.bincount(home, weights=np.array(needs, float), minlength=len(rooms))
        split = not apart or len(needs) < 2 or home[0] != home[1]
        return bool((held <= rooms).all()) and split

    exists = any(fits(home) for home in itertools.product(range(len(rooms)), repeat=len(needs)))
    found = placeable(farm, room, 20.0)
    assert (found is not False) == exists
    if exists:
        assert not isinstance(found, bool)
        assert found is not None
        assert fits(tuple(found.tolist()))


def test_a_calibration_stays_with_the_hosts_that_were_measured(tmp_path: Path) -> None:
    data = farm_of(9, 56)
    data["farm"]["calibrate"] = {"factor": 1.25}
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(data))
    for arguments, factor in (([], 1.25), (["--server", "epyc_9654_2s"], None)):
        out = tmp_path / str(factor)
        assert run_command_line(["size", str(path), "--out", str(out), "--quiet", *arguments]) == 0
        kept = farmsim.Scenario.load(out / "scenario.yaml").farm.calibrate
        assert (kept.factor if kept else None) == factor
    assert "calibration of present hosts" in (tmp_path / "None" / "size.html").read_text()


def listed(folder: Path, **farm: Any) -> farmsim.Scenario:
    """Two VMs of a table of which nothing is known but their sizes, on 3 hosts."""
    (folder / "vms.csv").write_text(
        "vm,vcpus,clock_mhz,memory_mib\na,2,2000,8192\nb,4,2000,16384\n"
    )
    hosts = {"name": "h", "server": SERVER, "count": 3} | farm
    return farmsim.Scenario.of(
        {
            "name": "listed",
            "run": {"duration": "1 h"},
            "farm": {"hosts": [hosts]},
            "workload": {"vms_file": "vms.csv", "source": {"type": "snapshot"}},
            "policies": {"initial": {"count_by": "demand", "unplaced": "reject"}},
            "planning": {"incomplete_clusters": ["farm"]},
        },
        folder,
    )


def test_without_any_use_of_cpu_no_factor_is_given(tmp_path: Path) -> None:
    found = size(listed(tmp_path))
    assert "cpu" not in found.break_even
    assert found.least.floors.named("cpu") is None
    assert found.confidence["cpu"] == "none"
    assert "CPU demand is not known: the number holds only if" in found.verdict
    assert "snapshot" not in found.verdict.split("CPU demand is not known")[0]


def test_hosts_that_an_import_assumes_are_not_present_hosts(tmp_path: Path) -> None:
    scenario = listed(tmp_path, name="h-assumed")
    with pytest.raises(InputError, match="the inventory has no hosts; name the server to buy"):
        size(scenario)
    found = size(scenario, server="epyc_9654_2s")
    assert found.known_hosts == 0
    assert "instead of" not in found.verdict
    assert found.confidence["memory"] == "medium"
    assert "Hosts are missing from the inventory" in found.verdict
