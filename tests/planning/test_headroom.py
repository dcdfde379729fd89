"""`farmsim headroom`: figures worked by hand, and what it says where there is no figure."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import farmsim
from farmsim.analysis.planning.failure_tables import failover_with_tables
from farmsim.analysis.planning.headroom import headroom_of
from farmsim.cli.main import run_command_line
from farmsim.scenarios.errors.problems import InputError

SERVER = {
    "cores": 32, "clock": "2 GHz", "memory": "256 GiB",
    "power": {"model": "linear", "idle": "100 W", "max": "300 W"},
}  # fmt: skip


def three_hosts(**changes: Any) -> dict[str, Any]:
    """3 hosts with 32 cores and 256 GiB; 25 VMs with 160 vCPUs and 400 GiB together."""
    data = {
        "name": "three-hosts",
        "run": {"duration": "1 h"},
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 3}]},
        "workload": {
            "source": {"type": "constant", "utilisation": "10 %"},
            "sizes": [
                {"name": "a", "vcpus": 6, "clock": "2 GHz", "memory": "16 GiB", "count": 15},
                {"name": "b", "vcpus": 7, "clock": "2 GHz", "memory": "16 GiB", "count": 10},
            ],
        },
        "policies": {"initial": {"cpu_overcommit": 4}},
        "planning": {"vcpus_per_core_failure": 4},
    }
    return data | changes


def answer(data: dict[str, Any], vm: str | None = "4c16g", **options: Any) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    return headroom_of(farmsim.Scenario.of(data), vm, **options).to_dict()


def test_25_vms_on_three_hosts_leave_room_for_seven() -> None:
    found = answer(three_hosts())
    assert found["independent"]["vcpus"] == 96
    assert found["independent"]["memory_gib"] == 112
    # 85 % is not asked with one failure: 75 % of 2 x 64 GHz, less 10 % of 320 GHz.
    assert found["independent"]["ghz"] == 64
    assert found["joint"] == 7
    assert found["limiter"] == {"resource": "memory", "case": "loss of any host"}
    assert (found["stranded"]["vcpus"], found["stranded"]["memory_gib"]) == (68, 0)
    assert found["vm"] == {"vcpus": 4, "memory_gib": 16, "basis": "yours"}
    assert found["limits"]["vcpus_per_core_failure"] == {"value": 4, "basis": "yours"}
    assert found["limits"]["cpu"] == {"value": 0.75, "basis": "default"}
    # The load is made up: that is said beside it.
    assert found["confidence"] == {"memory": "high", "vcpus": "high", "cpu": "assumed"}
    assert "what the scenario assumes" in found["basis"]["cpu"]


def test_the_command_prints_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "three-hosts.yaml"
    path.write_text(yaml.safe_dump(three_hosts()))
    assert run_command_line(["headroom", str(path), "--vm", "4c16g", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == answer(three_hosts())
    assert run_command_line(["headroom", str(path), "--vm", "4c16g"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(
        "three-hosts: VMs of 4 vCPUs and 16 GiB (yours) that still fit: 7, limited by memory "
        "(loss of any host)\n"
    )
    assert run_command_line(["headroom", str(path), "--vm", "4 cores"]) == 2
    assert "'4 cores' is no VM; write vCPUs and GiB, e.g. 4c16g" in capsys.readouterr().err


def test_the_reserve_decides_how_much_is_kept() -> None:
    without, two = (answer(three_hosts(), reserve=reserve) for reserve in (0, 2))
    # 3 x 256 - 400 GiB: 23 of 16; the ratio of 4 allows 384 - 160 = 224 vCPUs, 56 of 4.
    assert (without["joint"], without["limiter"]["case"]) == (23, "all hosts up")
    assert two["joint"] == 0
    # With two of three down 256 GiB are left for 400.
    assert "fails already" in two["clusters"][0]["verdict"]
    assert "400 GiB needed, 256 GiB left" in two["clusters"][0]["verdict"]


def test_the_median_vm_is_the_default() -> None:
    assert answer(three_hosts(), None)["vm"] == {
        "vcpus": 6, "memory_gib": 16, "basis": "median VM",
    }  # fmt: skip


def test_one_host_has_no_headroom_because_it_cannot_fail_over() -> None:
    data = three_hosts()
    data["farm"]["hosts"][0]["count"] = 1
    data["workload"]["sizes"] = [data["workload"]["sizes"][0] | {"count": 2}]
    found = answer(data)
    assert found["joint"] == 0
    assert "1 host cannot lose 1: no host would be left" in found["clusters"][0]["verdict"]
    assert answer(data, reserve=0)["joint"] == 14


def test_a_vm_larger_than_every_host_is_told() -> None:
    found = answer(three_hosts(), "2c300g")
    assert found["joint"] == 0
    assert found["limiter"] == {"resource": "memory", "case": "all hosts up"}
    assert "the VM is larger than every host" in found["clusters"][0]["verdict"]


def two_clusters(**planning: Any) -> dict[str, Any]:
    data = three_hosts(planning=planning)
    farm, load = data["farm"], data["workload"]
    farm["hosts"].append({"name": "lab", "server": SERVER, "count": 2})
    farm["clusters"] = [{"name": "Alpha", "hosts": ["h"]}, {"name": "Beta", "hosts": ["lab"]}]
    load["sizes"] = [
        *(size | {"cluster": "Alpha"} for size in load["sizes"]),
        {"name": "c", "vcpus": 2, "clock": "2 GHz", "memory": "100 GiB", "count": 2,
         "cluster": "Beta"},
    ]  # fmt: skip
    return data


def test_clusters_have_their_own_figures_and_the_farm_their_sum() -> None:
    found = answer(two_clusters())
    alpha, beta = found["clusters"]
    assert (alpha["joint"], beta["joint"]) == (7, 3)
    assert found["joint"] == 10
    assert found["independent"]["memory_gib"] == 112 + 56
    # 6 per core with a host down: 384 - 160, 192 - 4; 4 per core with all up: 224 and 252.
    assert (alpha["independent"]["vcpus"], beta["independent"]["vcpus"]) == (224, 188)
    assert found["limiter"] == {"resource": "memory", "case": "loss of any host"}
    assert "VMs of more than 50 % of" not in " ".join(found["notes"])


def test_a_cluster_with_missing_host_rows_gets_no_figure() -> None:
    found = answer(two_clusters(incomplete_clusters=["Beta"]))
    alpha, beta = found["clusters"]
    assert beta["joint"] is beta["independent"] is beta["stranded"] is beta["limiter"] is None
    assert "rows of hosts are missing" in beta["no_figure_because"]
    assert found["joint"] == alpha["joint"] == 7
    nothing = answer(two_clusters(incomplete_clusters=["Alpha", "Beta"]))
    assert nothing["joint"] is nothing["independent"] is nothing["limiter"] is None
    scenario = farmsim.Scenario.of(two_clusters(incomplete_clusters=["Beta"]))
    text = headroom_of(scenario, "4c16g").text()
    assert "7 VMs of 4 vCPUs and 16 GiB (yours) still fit, without 1 cluster that has no" in text


VMS = """vm,vcpus,clock_mhz,memory_mib,host,cpu_used_mhz
a,4,2000,61440,h-1,{use}
b,4,2000,40960,h-1,{use}
c,4,2000,51200,h-2,{use}
d,4,2000,51200,h-3,{use}
"""


@pytest.mark.parametrize("use", ["500", ""])
def test_vms_stand_on_their_recorded_hosts_and_unknown_cpu_is_no_figure(
    tmp_path: Path, use: str
) -> None:
    (tmp_path / "vms.csv").write_text(VMS.format(use=use))
    data = three_hosts(
        workload={"vms_file": "vms.csv", "source": {"type": "snapshot"}},
        policies={"initial": {"placement": "recorded", "count_by": "demand"}},
    )
    data["farm"]["hosts"] = [
        {"name": "h", "server": SERVER | {"memory": "125 GiB"}, "count": 4,
         "ceilings": {"memory": "80 %"}},
    ]  # fmt: skip
    data["farm"]["hosts"].append(data["farm"]["hosts"][0] | {
        "name": "closed", "count": 1, "in_service": False,
    })  # fmt: skip
    found = headroom_of(farmsim.Scenario.of(data, tmp_path), "1c50g")
    (cluster,) = found.clusters
    assert cluster.cluster.out_of_service == ["closed-1"]
    assert cluster.cluster.farm.home.tolist() == [0, 0, 1, 2]
    # 80 % of 125 GiB is 100 GiB on each of 4 hosts, one of which may fail: 300 for 200.
    values = found.to_dict()
    assert values["independent"]["memory_gib"] == 100
    assert values["joint"] == 2
    if use:
        assert values["independent"]["ghz"] > 0
        assert values["confidence"]["cpu"] == "low"
        # One instant gives no single figure of CPU: the ends of the band stand beside it.
        low, high = values["clusters"][0]["over_cpu_band"]
        assert low["ghz"] > values["independent"]["ghz"] > high["ghz"]
        assert low["joint"] == high["joint"] == 2
        assert cluster.ghz(True) == f"{high['ghz']:,.0f} to {low['ghz']:,.0f}"
    else:
        assert values["independent"]["ghz"] is None
        assert values["confidence"]["cpu"] == "none"
        assert "nothing is known of the demand" in found.text()


@pytest.mark.parametrize("vm", ["", "c", "0c4g", "4c0g", "4c", "4c16t", "-4c16g", "4c1e3g"])
def test_what_is_no_vm_is_refused(vm: str) -> None:
    with pytest.raises(InputError, match="--vm"):
        answer(three_hosts(), vm)


def test_failover_has_a_table_for_each_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "clusters.yaml"
    path.write_text(yaml.safe_dump(two_clusters(incomplete_clusters=["Beta"])))
    out = tmp_path / "out"
    assert run_command_line(["failover", str(path), "--out", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((out / "failover.json").read_text())
    alpha, beta = printed["clusters"]
    assert alpha["survives"] == {"0": True, "1": True, "2": False}
    assert alpha["pairs"] == {"tried": 3, "failing": 3, "undecided": 0}
    host = next(case for case in alpha["cases"] if case["kind"] == "host")
    assert host["needed"] == {"memory_gib": 400, "vcpus": 160, "cpu_ghz": 32}
    assert host["left"] == {"memory_gib": 512, "vcpus": 384, "cpu_ghz": 96}
    assert host["vcpus_per_core"] == 2.5
    assert host["cpu_share"] == 0.25
    pair = next(case for case in alpha["cases"] if case["kind"] == "pair")
    assert pair["fails"]
    assert pair["reason"] == "memory: 400 GiB needed, 256 GiB left"
    assert len(pair["stranded"]) == 9
    assert beta["survives"] == {"0": None, "1": None, "2": None}
    assert beta["cases"] == []
    page = (out / "failover.html").read_text()
    assert "Cluster Alpha" in page
    assert "rows of hosts are missing" in page
    assert run_command_line(["failover", str(path), "--out", str(tmp_path / "two")]) == 0
    text = capsys.readouterr().out
    assert "cluster Alpha (25 VMs, 3 hosts): survives the loss of any one host, not of 3 of" in text
    assert "cluster Beta (2 VMs, 2 hosts): no figure: rows of hosts are missing" in text


def test_failover_without_clusters_is_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = three_hosts()
    del data["planning"]
    path = tmp_path / "plain.yaml"
    path.write_text(yaml.safe_dump(data))
    assert run_command_line(["failover", str(path), "--out", str(tmp_path / "o"), "--json"]) == 0
    assert "clusters" not in json.loads(capsys.readouterr().out)


def test_hosts_of_a_cluster_with_missing_rows_are_not_said_to_survive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(three_hosts(planning={"incomplete_clusters": ["farm"]})))
    line = ["failover", str(path), "--out", str(tmp_path / "out")]
    assert run_command_line([*line, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"].startswith("The hosts are not tested: rows of hosts are missing")
    assert told["failures"] == []
    assert "survives" not in told["verdict"]


def test_a_farm_that_restarts_but_breaks_limits_says_both(tmp_path: Path) -> None:
    planning = {"vcpus_per_core": 1, "vcpus_per_core_failure": 1}
    outcome, tables = failover_with_tables(
        farmsim.Scenario.of(three_hosts(planning=planning)), None, False
    )
    assert tables[0].table is not None
    assert not tables[0].table.survives(0)
    assert "as far as VMs find a host; the limits of the plan are not kept" in outcome.sentence()
