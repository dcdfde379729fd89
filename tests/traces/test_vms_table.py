"""Tables with a row per VM: what is read, what is refused, and the sizes that follow."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

import farmsim
from farmsim.scenarios.build.build import load_of
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.inventory.inventory import Scope
from farmsim.scenarios.readers.vms_table import COLUMNS, SCOPES, VmsTable, derive_sizes, read_vms
from farmsim.scenarios.scenario import Scenario

HEADER = "vm,vcpus,clock_mhz,memory_mib"
WHOLE = (
    "vm,vcpus,clock_mhz,memory_mib,host,cluster,group,priority,reservation_mhz,cpu_limit_mhz,"
    "disk_mib,class,load,cpu_used_mhz,cpu_share,memory_active_mib,memory_consumed_mib,scope,note\n"
    "web-01,2,2295,4096,esx-1,Alpha,web,5,500,4000,20480,oltp,w1,812.5,0.18,1024,3000,in_plan,x\n"
    "web 02 ,2,2295,4096,,,,,,,,,,,,,,,\n"
    "old,1,2295,1024,esx-1,Alpha,,,,,,,,,,,,powered_off,\n"
)
SERVER = {
    "cores": 8, "clock": "2.5 GHz", "memory": "32 GiB",
    "power": {"model": "linear", "idle": "50 W", "max": "150 W"},
}  # fmt: skip


def table(tmp_path: Path, text: str) -> VmsTable:
    (tmp_path / "vms.csv").write_text(text)
    return read_vms(tmp_path / "vms.csv", "vms.csv")


def refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as error:
        table(tmp_path, text)
    return str(error.value).splitlines()


def scenario(folder: Path, workload: dict[str, Any], **parts: Any) -> Scenario:
    farm = {"hosts": [{"name": "h", "server": SERVER, "count": 4}]}
    data = {"farm": farm, "workload": workload, "run": {"duration": "30 min"}, **parts}
    return Scenario.of(data, folder)


def test_what_a_cell_says_is_kept_and_what_it_does_not_say_is_unknown(tmp_path: Path) -> None:
    read = table(tmp_path, WHOLE)
    assert (read.vm, read.host, read.cluster) == (
        ["web-01", "web 02 "],
        ["esx-1", ""],
        ["Alpha", ""],
    )
    assert (read.request_class[0], read.group[0], read.note[0]) == ("oltp", "web", "x")
    assert read.priority.tolist() == [5, 0]
    assert (read.cpu_used_mhz[0], read.cpu_share[0], read.disk_mib[0]) == (812.5, 0.18, 20480)
    unknown = (
        read.reservation_mhz, read.cpu_limit_mhz, read.disk_mib, read.cpu_used_mhz, read.cpu_share,
        read.memory_active_mib, read.memory_consumed_mib,
    )  # fmt: skip
    assert all(np.isnan(column[1]) for column in unknown)
    assert read.series_names() == ["w1", "web 02 "]
    assert read.left_out == {"powered_off": ["old"]}
    assert read.place(1) == "vms.csv:3"
    assert read.stated == set(COLUMNS)


def test_scopes_are_those_of_an_inventory() -> None:
    assert tuple(Scope) == SCOPES


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    text = table(
        tmp_path,
        "vm,vcpus,clock_mhz,memory_mib,host,cpu_used_mhz\na,2,2e3,512,h,\nb,1,1e3,256,,7\n",
    )
    columns = {
        "vm": ["a", "b"], "vcpus": [2, 1], "clock_mhz": [2e3, 1e3], "memory_mib": [512, 256],
        "host": ["h", None], "cpu_used_mhz": [None, 7.0],
    }  # fmt: skip
    parquet.write_table(pa.table(columns), tmp_path / "vms.parquet")
    typed = read_vms(tmp_path / "vms.parquet", "vms.parquet")
    for name in ("vm", "vcpus", "clock_mhz", "memory_mib", "host", "cpu_used_mhz", "priority"):
        np.testing.assert_array_equal(getattr(text, name), getattr(typed, name))


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (",2,2000,512", "vms.csv:3: vm: is empty; write the name of the VM"),
        ("a,2,2000,512", "vms.csv:3: vm: 'a' is the name of the VM of row 2 as well"),
        ("b,,2000,512", "vms.csv:3: vcpus: is empty; every VM needs it"),
        ("b,0,2000,512", "vms.csv:3: vcpus: is 0; write a whole number from 1, up to 100,000"),
        ("b,1.5,2000,512", "vms.csv:3: vcpus: is 1.5; write a whole number from 1"),
        ("b,2,-1,512", "vms.csv:3: clock_mhz: is -1; write more than 0"),
        ("b,2,2000,inf", "vms.csv:3: memory_mib: is inf; write more than 0"),
        ("b,2,2000,much", "vms.csv:3: 'much' in column 'memory_mib' is not a number"),
        ("b,2,2000,512,9", "vms.csv:3: has 5 columns, the header 4"),
    ],
)
def test_a_wrong_cell_is_told_with_its_row(tmp_path: Path, cells: str, told: str) -> None:
    lines = refused(tmp_path, f"{HEADER}\na,2,2000,512\n{cells}\n")
    assert lines[0].startswith(told)
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("name", "cell", "told"),
    [
        ("reservation_mhz", "5000", "5000 MHz are more than the 4000 MHz of its vCPUs"),
        ("cpu_limit_mhz", "0", "is 0; write more than 0, or leave it empty"),
        ("disk_mib", "-1", "is -1; write 0 or more, or leave it empty"),
        ("priority", "1.5", "is 1.5; write a whole number from -1000 to 1000"),
        ("cpu_share", "45", "is 45; write a share of the VM's own CPU, such as 0.45 for 45 %"),
        ("class", "oltpp", "there is no request class 'oltpp'; did you mean oltp?"),
        ("scope", "powered off", "there is no scope 'powered off'; did you mean powered_off?"),
    ],
)
def test_an_optional_cell_must_mean_something(
    tmp_path: Path, name: str, cell: str, told: str
) -> None:
    lines = refused(tmp_path, f"{HEADER},{name}\na,2,2000,512,{cell}\n")
    assert lines[0].startswith(f"vms.csv:2: {name}: {told}")


def test_a_limit_below_the_reservation_is_refused(tmp_path: Path) -> None:
    text = f"{HEADER},reservation_mhz,cpu_limit_mhz\na,2,2000,512,1000,900\n"
    assert refused(tmp_path, text)[0].startswith(
        "vms.csv:2: cpu_limit_mhz: 900 MHz are less than the reservation, 1000 MHz"
    )


def test_headers_are_told_with_the_nearest_name(tmp_path: Path) -> None:
    lines = refused(tmp_path, "vm,vcpus,clock_mhz,memroy_mib\na,1,1,1\n")
    assert "no column 'memroy_mib'; did you mean memory_mib?" in lines[0]
    assert "has no column memory_mib; a table of VMs needs" in lines[1]
    assert "has no VMs; add at least one row" in refused(tmp_path, HEADER + "\n")[0]
    many = "".join(f"v{row},0,2000,512\n" for row in range(50))
    assert refused(tmp_path, f"{HEADER}\n{many}")[-1] == "vms.csv: 30 more problems of this kind"
    out = f"{HEADER},scope\na,1,2000,512,template\n"
    assert "leaves all 1 VMs out" in refused(tmp_path, out)[0]


@given(
    rows=st.lists(
        st.tuples(
            st.integers(1, 4),
            st.sampled_from(["1000", "2295.5"]),
            st.sampled_from(["512", "513.25"]),
            st.sampled_from(["", "100"]), st.sampled_from(["", "5000"]),
            st.sampled_from(["", "oltp"]), st.sampled_from(["", "Alpha", "Beta"]),
        ),
        min_size=1,
        max_size=12,
    ),
    data=st.data(),
)  # fmt: skip
def test_sizes_are_what_vms_have_in_common_in_any_order_of_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("sizes")
    header = f"{HEADER},reservation_mhz,cpu_limit_mhz,class,cluster,priority,disk_mib\n"
    lines = [f"v{at},{','.join(map(str, row))},{at},{at}\n" for at, row in enumerate(rows)]
    clusters = ["Alpha", "Beta"]
    sizes = derive_sizes(table(folder, header + "".join(lines)), clusters)
    names = [size.name for size in sizes.written]
    assert len(set(names)) == len(names) == len(set(rows))
    assert len({(row, size) for row, size in zip(rows, sizes.of_vm.tolist(), strict=True)}) == len(
        names
    )
    stated = [sizes.written[size].cluster or "" for size in sizes.of_vm.tolist()]
    assert stated == [row[-1] for row in rows]
    order = data.draw(st.permutations(range(len(rows))))
    again = derive_sizes(table(folder, header + "".join(lines[at] for at in order)), clusters)
    assert [size.name for size in again.written] == names
    assert again.of_vm.tolist() == sizes.of_vm[list(order)].tolist()


def test_vms_stay_in_the_clusters_that_the_table_states(tmp_path: Path) -> None:
    (tmp_path / "vms.csv").write_text(f"{HEADER},cluster\na,2,1000,512,Beta\nb,2,1000,512,Alpha\n")
    farm: dict[str, Any] = {
        "hosts": [{"name": name, "server": SERVER, "count": 1} for name in ("one", "two")],
        "clusters": [{"name": "Alpha", "hosts": ["one"]}, {"name": "Beta", "hosts": ["two"]}],
    }
    workload = {"vms_file": "vms.csv", "source": {"type": "constant", "utilisation": "10 %"}}
    run = farmsim.run(scenario(tmp_path, workload, farm=farm))
    assert run.tables["vms"]["first_host"].to_pylist() == ["two-1", "one-1"]
    farm["clusters"][1]["name"] = "Gamma"
    with pytest.raises(InputError, match=r"vms\.csv:2: cluster: there is no cluster 'Beta'"):
        farmsim.run(scenario(tmp_path, workload, farm=farm))


def test_series_are_joined_by_the_name_that_the_table_states(tmp_path: Path) -> None:
    (tmp_path / "vms.csv").write_text(
        f"{HEADER},load,scope\nb,1,1000,512,,\na,2,1000,512,one,\nz,1,1000,1,,template\n"
    )
    (tmp_path / "load.csv").write_text("time,one,b,z\n0,500,100,1\n300,600,200,1\n")
    source = {"type": "csv", "path": "load.csv", "unit": "MHz"}
    load = load_of(scenario(tmp_path, {"vms_file": "vms.csv", "source": source}))
    demand = load.new_demand()
    demand.advance(0)
    assert load.table is not None
    assert (list(load.vms.names), demand.now_mhz.tolist()) == (["b", "a"], [100, 500])
    (tmp_path / "load.csv").write_text("time,one,c,z\n0,500,100,1\n300,600,200,1\n")
    with pytest.raises(InputError, match="1 VM without a series of the same name: b; 1 series"):
        load_of(scenario(tmp_path, {"vms_file": "vms.csv", "source": source}))


def test_a_table_does_not_go_with_what_it_defines(tmp_path: Path) -> None:
    source = {"type": "constant", "utilisation": 0.5}
    (tmp_path / "vms.csv").write_text(WHOLE)
    for field, value in (("vms", 3), ("sizes", [{"name": "a"}]), ("size_order", "cycle")):
        with pytest.raises(
            InputError, match=f"workload.{field}: vms_file defines the VMs and their"
        ):
            scenario(tmp_path, {"vms_file": "vms.csv", "source": source, field: value})
    arrivals = {"type": "table", "path": "a.csv"}
    with pytest.raises(InputError, match=r"workload\.vms_file: arrivals define the VMs"):
        scenario(tmp_path, {"vms_file": "vms.csv", "arrivals": arrivals})
    application = {
        "name": "shop", "size": "standard", "max_members": 2,
        "load": {"type": "constant", "rate": "1 GHz"},
    }  # fmt: skip
    with pytest.raises(InputError, match="vms_file defines their own; remove one of the two"):
        scenario(tmp_path, {"vms_file": "vms.csv", "source": source}, applications=[application])
    with pytest.raises(InputError, match=r"nothing\.csv: workload\.vms_file: no such file"):
        scenario(tmp_path, {"vms_file": "nothing.csv", "source": source}).check_paths()


def test_a_table_runs_as_the_same_sizes_do(tmp_path: Path) -> None:
    rows = [f"vm-{number},2,2000,{4096 if number < 4 else 2048}" for number in range(1, 7)]
    (tmp_path / "vms.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    sizes = [
        {"name": "large", "vcpus": 2, "clock": "2 GHz", "memory": "4 GiB", "count": 3},
        {"name": "small", "vcpus": 2, "clock": "2 GHz", "memory": "2 GiB", "count": 3},
    ]
    source = {"type": "synthetic", "classes": "azure"}
    policies = {"control": "consolidation"}
    one = farmsim.run(
        scenario(tmp_path, {"vms_file": "vms.csv", "source": source}, policies=policies)
    )
    other = farmsim.run(scenario(tmp_path, {"sizes": sizes, "source": source}, policies=policies))
    for name, expected in other.tables.items():
        dropped = [column for column in ("size",) if column in expected.column_names]
        assert one.tables[name].drop_columns(dropped).equals(expected.drop_columns(dropped)), name
    assert one.summary["energy_kwh"] == other.summary["energy_kwh"]


def test_a_resolved_scenario_names_the_table_and_no_sizes(tmp_path: Path) -> None:
    (tmp_path / "vms.csv").write_text(WHOLE)
    source = {"type": "constant", "utilisation": 0.5}
    written = scenario(tmp_path, {"vms_file": "vms.csv", "source": source})
    text = written.to_yaml()
    assert "vms_file: vms.csv" in text
    assert "standard" not in text
    (tmp_path / "again.yaml").write_text(text)
    again = Scenario.load(tmp_path / "again.yaml")
    assert again.to_yaml() == text
