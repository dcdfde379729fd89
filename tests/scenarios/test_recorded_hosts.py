"""VMs that start where a table records them, and hosts that are closed for maintenance."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.scenarios.build.build import build
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.scenario import Scenario

HEADER = "vm,vcpus,clock_mhz,memory_mib,host,cluster\n"
SERVER = {
    "cores": 8, "clock": "2.5 GHz", "memory": "32 GiB",
    "power": {"model": "linear", "idle": "50 W", "max": "150 W"},
}  # fmt: skip
HOSTS: list[dict[str, Any]] = [
    {"name": "a", "server": SERVER, "names": ["esx-1", "esx-2"]},
    {"name": "b", "server": SERVER, "names": ["esx-3"]},
]
ROWS = "a,4,2500,4096,esx-2,\nb,4,2500,4096,esx-2,\nc,4,2500,4096,esx-2,\nd,4,2500,4096,esx-3,\n"


def scenario(
    folder: Path, rows: str = ROWS, hosts: Any = HOSTS, initial: Any = None, **parts: Any
) -> Scenario:
    (folder / "vms.csv").write_text(HEADER + rows)
    given = {"placement": "recorded"} | (initial or {})
    policies = {"initial": given} | parts.pop("policies", {})
    farm = {"hosts": hosts} | parts.pop("farm", {})
    source = {"type": "constant", "utilisation": "30 %"}
    data = {
        "farm": farm,
        "workload": {"vms_file": "vms.csv", "source": source},
        "policies": policies,
        "run": {"duration": "1 h"},
        **parts,
    }
    return Scenario.of(data, folder)


def first_hosts(run: farmsim.Result) -> list[str]:
    hosts: list[str] = run.tables["vms"]["first_host"].to_pylist()
    return hosts


def test_vms_start_where_they_stand_and_cpu_never_refuses(tmp_path: Path) -> None:
    run = farmsim.run(scenario(tmp_path))
    assert first_hosts(run) == ["esx-2", "esx-2", "esx-2", "esx-3"]
    told = "1 host holds recorded VMs with more CPU than policies.initial allows; VMs stay as"
    assert run.summary["warnings"][0] == (
        f"{told} recorded; the fullest is esx-2, with 30,000 MHz of 20,000 MHz."
    )
    allowed = farmsim.run(scenario(tmp_path, initial={"cpu_overcommit": 1.5}))
    assert not [text for text in allowed.summary["warnings"] if "recorded" in text]
    by_demand = farmsim.run(scenario(tmp_path, initial={"count_by": "demand"}))
    assert not [text for text in by_demand.summary["warnings"] if "recorded" in text]
    decisions = run.tables["decisions"].to_pylist()
    assert {row["rule"] for row in decisions} == {"initial placement: recorded"}


def test_vms_without_a_host_of_the_farm_are_placed_by_best_fit_and_listed(tmp_path: Path) -> None:
    rows = "a,4,2500,4096,,\nb,4,2500,4096,gone-1,\nc,4,2500,4096,esx-3,\n"
    run = farmsim.run(scenario(tmp_path, rows))
    assert first_hosts(run) == ["esx-3", "esx-1", "esx-3"]
    assert run.summary["warnings"][:2] == [
        "1 VM was placed by best fit, since no host is recorded: a.",
        "1 VM was placed by best fit, since the recorded host is not in the farm: b.",
    ]
    with pytest.raises(InputError, match=r"vms\.csv:2: host: no host of the column is in the farm"):
        build(scenario(tmp_path, "a,4,2500,4096,esx1,\n"))


def test_memory_is_refused_unless_it_is_overcommitted(tmp_path: Path) -> None:
    rows = "a,1,2500,20480,esx-1,\nb,1,2500,20480,esx-1,\n"
    with pytest.raises(InputError) as error:
        build(scenario(tmp_path, rows))
    assert str(error.value) == (
        "vms.csv: host: esx-1 has 32,768 MiB for VMs, and its 2 recorded VMs take 40,960 MiB, "
        "8,192 MiB more; raise memory_overcommit of group a, or correct the table"
    )
    esxi = [group | {"hypervisor": "esxi", "memory_overcommit": 1.5} for group in HOSTS]
    assert first_hosts(farmsim.run(scenario(tmp_path, rows, esxi))) == ["esx-1", "esx-1"]


def test_a_host_of_another_cluster_is_an_error(tmp_path: Path) -> None:
    clusters = [{"name": "Alpha", "hosts": ["a"]}, {"name": "Beta", "hosts": ["b"]}]
    rows = "a,1,2500,4096,esx-3,Alpha\nb,1,2500,4096,esx-3,Beta\n"
    with pytest.raises(InputError) as error:
        build(scenario(tmp_path, rows, farm={"clusters": clusters}))
    told = "vms.csv:2: host: esx-3 is in cluster Beta, the VM in Alpha; correct the host or the"
    assert str(error.value) == f"{told} cluster"
    clusters[0]["migrate_to"] = ["Beta"]
    run = farmsim.run(scenario(tmp_path, rows, farm={"clusters": clusters}))
    assert first_hosts(run) == ["esx-3", "esx-3"]


def test_rules_that_recorded_hosts_break_are_told(tmp_path: Path) -> None:
    rules = [{"name": "twins", "type": "apart", "vms": ["a", "b"]}]
    run = farmsim.run(scenario(tmp_path, constraints=rules))
    assert first_hosts(run) == ["esx-2", "esx-2", "esx-2", "esx-3"]
    told = "Recorded hosts break the rule twins, at b; VMs start there all the same."
    assert told in run.summary["warnings"]


def test_recorded_needs_a_table_with_hosts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recorded needs a table of VMs with their hosts"):
        Scenario.of({
            "farm": {"hosts": HOSTS},
            "workload": {"source": "planetlab-20110303"},
            "policies": {"initial": {"placement": "recorded"}},
        })  # fmt: skip
    made = scenario(tmp_path)
    (tmp_path / "vms.csv").write_text("vm,vcpus,clock_mhz,memory_mib\na,1,1000,512\n")
    with pytest.raises(InputError, match=r"vms\.csv:1: has no column 'host'"):
        build(made)
    with pytest.raises(InputError, match="there is no placement policy 'recorded'"):
        scenario(
            tmp_path, policies={"control": {"policy": "consolidation", "placement": "recorded"}}
        )
    text = scenario(tmp_path).to_yaml()
    (tmp_path / "again.yaml").write_text(text)
    assert Scenario.load(tmp_path / "again.yaml").to_yaml() == text


def test_vms_that_lose_their_host_go_by_best_fit(tmp_path: Path) -> None:
    outage = {"at": "10 min", "component": "host", "match": ["esx-3"], "duration": "2 h"}
    run = farmsim.run(scenario(tmp_path, failures={"schedule": [outage]}))
    assert run.tables["vms"]["last_host"].to_pylist() == ["esx-2", "esx-2", "esx-2", "esx-1"]


@pytest.mark.parametrize("control", ["none", "power_proportional", "consolidation", "balance"])
def test_hosts_out_of_service_hold_no_vm_and_are_off(tmp_path: Path, control: str) -> None:
    hosts = [HOSTS[0], HOSTS[1] | {"in_service": False}]
    run = farmsim.run(scenario(tmp_path, hosts=hosts, policies={"control": control}))
    assert first_hosts(run)[:3] == ["esx-2"] * 3
    assert "esx-3" not in first_hosts(run) + run.tables["vms"]["last_host"].to_pylist()
    assert (
        "1 VM was placed by best fit, since the recorded host is not in service: d."
        in run.summary["warnings"]
    )
    row = run.tables["hosts"].to_pylist()[2]
    assert row["energy_kwh"] == pytest.approx(0.005)
    assert run.summary["hosts_on_mean"]["value"] <= 2
    failed = farmsim.failover(scenario(tmp_path, hosts=hosts, policies={"control": control}))
    assert "esx-3" not in str(failed.to_dict())


def test_rows_of_hosts_may_follow_those_out_of_service(tmp_path: Path) -> None:
    hosts = [HOSTS[1] | {"in_service": False}, HOSTS[0]]
    rows = "a,4,2500,4096,esx-2,\nb,4,2500,4096,,\nc,4,2500,4096,esx-1,\nd,8,2500,4096,,\n"
    run = farmsim.run(scenario(tmp_path, rows, hosts, initial={"cpu_overcommit": 2}))
    assert first_hosts(run) == ["esx-2", "esx-1", "esx-1", "esx-1"]


def test_a_farm_out_of_service_holds_nothing(tmp_path: Path) -> None:
    hosts = [group | {"in_service": False} for group in HOSTS]
    with pytest.raises(InputError, match=r"fits? no host"):
        build(scenario(tmp_path, hosts=hosts))


@settings(deadline=None)
@given(at=st.lists(st.sampled_from(["esx-1", "esx-2", "esx-3", ""]), min_size=1, max_size=20))
def test_recorded_hosts_are_kept_whatever_they_are(
    tmp_path_factory: pytest.TempPathFactory, at: list[str]
) -> None:
    rows = "".join(f"v{row},2,2500,1024,{name},\n" for row, name in enumerate(at))
    case = build(scenario(tmp_path_factory.mktemp("recorded"), rows, initial={"cpu_overcommit": 9}))
    case.engine.run()
    found = [case.farm.hosts.names[row] for row in case.farm.vms.host.tolist()]
    assert all(name in ("", host) for name, host in zip(at, found, strict=True))
    assert (
        np.bincount(case.farm.vms.host, minlength=3).tolist() == case.farm.hosts.vm_count.tolist()
    )


def test_rules_name_groups_of_the_table(tmp_path: Path) -> None:
    rows = "a,1,2500,1024,web\nb,1,2500,1024,\nc,1,2500,1024,web\n"
    made = scenario(
        tmp_path,
        initial={"placement": "first_fit"},
        constraints=[{"name": "web apart", "type": "apart", "groups": ["web"]}],
    )
    (tmp_path / "vms.csv").write_text("vm,vcpus,clock_mhz,memory_mib,group\n" + rows)
    assert first_hosts(farmsim.run(made)) == ["esx-1", "esx-1", "esx-2"]
    (tmp_path / "rules.csv").write_text("rule,type,group\nweb apart,apart,wbe\n")
    other = made.with_({"constraints": [], "constraints_file": "rules.csv"})
    with pytest.raises(InputError, match="there is no group of VMs 'wbe'; did you mean web"):
        build(other)


def test_what_a_table_leaves_out_or_says_in_vain_is_told(tmp_path: Path) -> None:
    made = scenario(tmp_path, initial={"placement": "first_fit"})
    header = "vm,vcpus,clock_mhz,memory_mib,load,reservation_mhz,scope\n"
    rows = "a,1,2500,1024,x,100,\nb,1,2500,1024,,,template\nc,1,2500,1024,,,powered_off\n"
    (tmp_path / "vms.csv").write_text(header + rows)
    told = farmsim.run(made).summary["warnings"]
    left_out = "2 VMs are left out of the run by the scope in vms.csv: 1 template, 1 powered_off."
    assert told[0] == left_out
    assert (
        "The column load of vms.csv has no effect here: workload.source has no series that are "
        "matched by name." in told
    )
    assert any(text.startswith("The column reservation_mhz of vms.csv has no eff") for text in told)


@settings(deadline=None, max_examples=25)
@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    memory=st.lists(st.sampled_from([512, 1024, 3072]), min_size=4, max_size=4),
    vcpus=st.lists(st.integers(1, 4), min_size=4, max_size=4),
    placement=st.sampled_from(["first_fit", "best_fit_decreasing", "dot_product"]),
)
def test_a_table_and_the_same_sizes_run_alike(
    tmp_path_factory: pytest.TempPathFactory,
    counts: list[int],
    memory: list[int],
    vcpus: list[int],
    placement: str,
) -> None:
    folder, total = tmp_path_factory.mktemp("alike"), sum(counts)
    names = [f"vm-{row + 1:0{len(str(total))}d}" for row in range(total)]
    sizes = [
        {"name": f"s{at}", "vcpus": vcpus[at], "clock": "1 GHz", "memory": f"{memory[at]} MiB",
         "count": count}
        for at, count in enumerate(counts)
    ]  # fmt: skip
    of_vm = [at for at, count in enumerate(counts) for _ in range(count)]
    rows = "".join(
        f"{name},{vcpus[at]},1000,{memory[at]},,\n" for name, at in zip(names, of_vm, strict=True)
    )
    policies = {"control": "consolidation", "every": "10 min"}
    made = scenario(folder, rows, initial={"placement": placement}, policies=policies)
    made = made.with_({"workload.source": {"type": "synthetic", "classes": "azure"}})
    source = {"type": "synthetic", "classes": "azure"}
    other = made.with_({"workload": {"source": source, "sizes": sizes}})
    one, two = farmsim.run(made), farmsim.run(other)
    for name, table in two.tables.items():
        dropped = [column for column in ("size",) if column in table.column_names]
        assert one.tables[name].drop_columns(dropped).equals(table.drop_columns(dropped)), name


@pytest.mark.parametrize("kind", ["apart", "together", "fence", "ban", "spread", "lonely"])
def test_rules_may_name_vms_that_the_table_leaves_out(tmp_path: Path, kind: str) -> None:
    header = "vm,vcpus,clock_mhz,memory_mib,host,scope\n"
    rows = "a,1,2500,1024,esx-1,\nb,1,2500,1024,esx-1,powered_off\nc,1,2500,1024,esx-2,template\n"
    hosts = {"hosts": ["esx-1"]} if kind in ("fence", "ban") else {}
    most = {"at_most": 1} if kind == "spread" else {}
    for named in (["a", "b"], ["b", "c"]):
        rule = {"name": "rule", "type": kind, "vms": named, **hosts, **most}
        made = scenario(tmp_path, constraints=[rule], policies={"control": "consolidation"})
        (tmp_path / "vms.csv").write_text(header + rows)
        assert first_hosts(farmsim.run(made)) == ["esx-1"]
    lost = made.with_({"constraints": [{**rule, "vms": ["x"]}]})
    with pytest.raises(InputError, match="there is no VM 'x'"):
        build(lost)


def test_a_vm_that_no_host_could_hold_points_to_the_table(tmp_path: Path) -> None:
    made = scenario(tmp_path, "a,64,2500,4096,,\n", initial={"placement": "best_fit"})
    with pytest.raises(InputError, match=r"workload\.vms_file: 1 VM fits no host: size 64 vCPU"):
        build(made)
