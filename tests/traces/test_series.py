"""Which series a VM gets, and in which units series and times are read."""

import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import farmsim
from farmsim.models.base.arrays import Floats
from farmsim.scenarios.build.build import load_of
from farmsim.scenarios.build.workload import Load
from farmsim.scenarios.errors.problems import InputError

SERVER = {
    "cores": 32, "clock": "2.5 GHz", "memory": "256 GiB",
    "power": {"model": "linear", "idle": "100 W", "max": "300 W"},
}  # fmt: skip
FARM = {"hosts": [{"name": "n", "server": SERVER, "count": 1}]}
VMS = "vm,arrival,vcpus,memory\nweb,0,2,8\ndb,0,8,64\n"
TABLE = {"type": "table", "path": "vms.csv"}
CSV = {"type": "csv", "path": "load.csv"}


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", "/").replace("_", ".")).write_text(text)
    return folder


def scenario(folder: Path, hours: int = 3, **workload: Any) -> farmsim.Scenario:
    return farmsim.Scenario.of(
        {
            "farm": FARM, "workload": workload, "baseline": {"type": "none"},
            "run": {"duration": f"{hours} h", "report_every": "1 h"},
            "policies": {"initial": {"cpu_overcommit": 10}},
        },
        folder,
    )  # fmt: skip


def load(folder: Path, **workload: Any) -> Load:
    return load_of(scenario(folder, **workload))


def shares(folder: Path, slot: int = 0, **workload: Any) -> dict[str, float]:
    """Return the share of its CPU that each VM asks for."""
    made = load(folder, **workload)
    utilisation = demand_mhz(made, slot) / made.vms.size_mhz
    return dict(zip(made.vms.names, utilisation.round(6).tolist(), strict=True))


def demand_mhz(made: Load, slot: int) -> Floats:
    demand = made.new_demand()
    demand.advance(slot)
    return demand.now_mhz


def refusal(folder: Path, **workload: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(folder, **workload)
    return str(caught.value)


def test_work_of_vms_is_that_of_the_series_of_their_name(tmp_path: Path) -> None:
    write(tmp_path, vms_csv=VMS, load_csv="time,db,web\n0,90,10\n3600,90,10\n7200,90,10\n")
    result = farmsim.run(scenario(tmp_path, arrivals=TABLE, source=CSV))
    table = result.tables["vms"]
    demanded = dict(zip(table["vm"].to_pylist(), table["requested_ghz_h"].to_pylist(), strict=True))
    # 10 % of 2 x 2.5 GHz and 90 % of 8 x 2.5 GHz for 3 h
    assert demanded == pytest.approx({"web": 1.5, "db": 54.0})


TIDY = "time,vm,cpu\n0,db,90\n0,web,10\n3600,db,90\n3600,web,10\n"
WIDE = "time,web,db\n0,10,90\n3600,10,90\n"


@pytest.mark.parametrize("kind", ["wide", "tidy", "parquet", "folder", "zip", "tgz"])
def test_each_kind_of_source_is_joined_by_name(tmp_path: Path, kind: str) -> None:
    write(tmp_path, vms_csv=VMS)
    source: dict[str, Any] = dict(CSV)
    if kind == "wide":
        write(tmp_path, load_csv=WIDE)
    elif kind == "tidy":
        write(tmp_path, load_csv=TIDY)
        source["layout"] = "tidy"
    elif kind == "parquet":
        table = pa.table({"db": [90, 90], "time": [0, 3600], "web": [10, 10]})
        parquet.write_table(table, tmp_path / "load.parquet")
        source = {"type": "parquet", "path": "load.parquet"}
    else:
        files = {"day/db.txt": "90\n90\n", "day/web.txt": "10\n10\n"}
        (tmp_path / "day").mkdir()
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        with zipfile.ZipFile(tmp_path / "day.zip", "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        with tarfile.open(tmp_path / "day.tgz", "w:gz") as packed:
            packed.add(tmp_path / "day", ".")
        path = {"folder": "day", "zip": "day.zip", "tgz": "day.tgz"}[kind]
        source = {"type": "planetlab", "path": path}
    assert shares(tmp_path, arrivals=TABLE, source=source) == {"web": 0.1, "db": 0.9}


def test_names_that_match_nothing_are_listed(tmp_path: Path) -> None:
    write(tmp_path, vms_csv=VMS, load_csv="time,web\n0,10\n3600,10\n")
    told = refusal(tmp_path, arrivals=TABLE, source=CSV)
    assert "1 VM without a series of the same name: db" in told
    assert "match_series_by: position or match_series_by: cycle" in told
    header = ",".join(f"x{number}" for number in range(7))
    write(tmp_path, load_csv=f"time,{header}\n0,{',9' * 7}\n".replace(",,", ","))
    told = refusal(tmp_path, arrivals=TABLE, source=CSV)
    assert "2 VMs without a series of the same name: web, db" in told
    assert "7 series without a VM of the same name: x0, x1, x2, x3, x4 and 2 more" in told


def test_position_and_cycle_are_said(tmp_path: Path) -> None:
    three = "time,aaa,bbb,ccc\n0,90,10,50\n3600,90,10,50\n"
    write(tmp_path, vms_csv=VMS, load_csv=three)
    by_position = shares(tmp_path, arrivals=TABLE, source=CSV, match_series_by="position")
    assert by_position == {"web": 0.9, "db": 0.1}
    write(tmp_path, load_csv="time,aaa\n0,90\n3600,90\n")
    assert shares(tmp_path, arrivals=TABLE, source=CSV, match_series_by="cycle") == {
        "web": 0.9,
        "db": 0.9,
    }
    told = refusal(tmp_path, arrivals=TABLE, source=CSV, match_series_by="position")
    assert "has 1 series (aaa), the scenario 2 VMs" in told
    assert "match_series_by: cycle" in told


def test_series_name_vms_that_are_only_counted(tmp_path: Path) -> None:
    write(tmp_path, load_csv=WIDE)
    assert shares(tmp_path, source=CSV) == {"web": 0.1, "db": 0.9}
    assert shares(tmp_path, source=CSV, vms=2) == {"web": 0.1, "db": 0.9}
    told = refusal(tmp_path, source=CSV, vms=3)
    assert "has 2 series (web, db), the scenario 3 VMs" in told
    assert "match_series_by: cycle" in told
    assert "match_series_by: position" in refusal(tmp_path, source=CSV, vms=1)
    assert shares(tmp_path, source=CSV, vms=1, match_series_by="position") == {"web": 0.1}
    assert set(shares(tmp_path, source=CSV, vms=3, match_series_by="cycle")) == {
        "web",
        "db",
        "web#2",
    }


def test_sizes_called_like_series_are_dealt_by_name(tmp_path: Path) -> None:
    write(tmp_path, load_csv="time,db,web\n0,90,10\n3600,90,10\n")
    sizes = [
        {"name": "web", "vcpus": 2, "count": 1},
        {"name": "db", "vcpus": 8, "count": 1},
    ]
    made = load(tmp_path, source=CSV, sizes=sizes)
    assert dict(zip(made.vms.names, made.vms.vcpus.tolist(), strict=True)) == {"web": 2, "db": 8}
    made = load(tmp_path, source=CSV, sizes=sizes, match_series_by="position")
    assert dict(zip(made.vms.names, made.vms.vcpus.tolist(), strict=True)) == {"web": 8, "db": 2}
    told = refusal(tmp_path, source=CSV, sizes=[sizes[0], sizes[1] | {"name": "mail"}])
    assert "1 series without a size of the same name: db" in told
    assert "1 size without a series of the same name: mail" in told
    told = refusal(tmp_path, source=CSV, vms=2, sizes=[sizes[0] | {"count": 2},
                                                       sizes[1] | {"count": 0}])  # fmt: skip
    assert "2 sizes without exactly one VM: web, db" in told


def test_arrivals_without_names_need_a_way(tmp_path: Path) -> None:
    write(tmp_path, vms_csv="arrival,vcpus,memory\n0,2,8\n0,8,64\n", load_csv=WIDE)
    assert "have no names" in refusal(tmp_path, arrivals=TABLE, source=CSV)
    found = shares(tmp_path, arrivals=TABLE, source=CSV, match_series_by="position")
    assert list(found.values()) == [0.1, 0.9]


def test_series_of_vms_that_the_run_does_not_meet_are_no_surplus(tmp_path: Path) -> None:
    vms = "vm,arrival,lifetime,vcpus,memory\nweb,0,60,2,8\ndb,0,,8,64\n"
    write(tmp_path, vms_csv=vms, load_csv=WIDE)
    arrivals = TABLE | {"trace_start": "1 h"}
    assert shares(tmp_path, arrivals=arrivals, source=CSV) == {"db": 0.9}


def test_two_lives_have_two_names_and_one_series(tmp_path: Path) -> None:
    vms = "vm,arrival,lifetime,vcpus,memory\nweb,0,600,2,8\ndb,0,,8,64\nweb,1200,,2,8\n"
    write(tmp_path, vms_csv=vms, load_csv=WIDE)
    assert shares(tmp_path, arrivals=TABLE, source=CSV) == {"web": 0.1, "db": 0.9, "web#2": 0.1}
    write(tmp_path, vms_csv=vms.replace("0,600", "0,1800"))
    assert "'web' names 2 VMs" in refusal(tmp_path, arrivals=TABLE)
    write(tmp_path, vms_csv=vms + "web#2,1300,,2,8\n")
    assert "is how farmsim names the second of two VMs with one name" in refusal(
        tmp_path, arrivals=TABLE
    )


def test_explain_finds_each_life_of_a_vm(tmp_path: Path) -> None:
    events = "vmid,cpu,memory,time,type\n1,2,4,0,0\n2,4,8,100,0\n1,2,4,700,1\n1,1,2,900,0\n"
    write(tmp_path, hw_csv=events)
    arrivals = {"type": "huawei_east_1", "path": "hw.csv", "utilisation": "50 %"}
    result = farmsim.run(scenario(tmp_path, arrivals=arrivals))
    assert result.tables["vms"]["vm"].to_pylist() == ["vm-1", "vm-2", "vm-1#2"]
    assert "2 vCPU" in result.vm_history("vm-1").text()
    assert "1 vCPU" in result.vm_history("vm-1#2").text()


def test_match_without_a_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"workload.match_series_by: only a trace has series"):
        scenario(
            tmp_path,
            source={"type": "constant", "utilisation": "5 %"},
            vms=2,
            match_series_by="cycle",
        )


def test_shipped_traces_are_samples_and_go_round(tmp_path: Path) -> None:
    assert len(load(tmp_path, source="azure-v1-week", vms=120).vms) == 120


# Units of samples


@pytest.mark.parametrize(
    ("unit", "cell", "share"),
    [("MHz", 2500, 0.5), ("GHz", 2.5, 0.5), ("cores", 1.5, 0.75), ("share", 0.3, 0.3),
     ("percent", 0.3, 0.003)],
)  # fmt: skip
def test_units_of_a_series(tmp_path: Path, unit: str, cell: float, share: float) -> None:
    write(tmp_path, load_csv=f"time,a\n0,{cell}\n300,0\n")
    sizes = [{"name": "s", "vcpus": 2, "clock": "2.5 GHz", "memory": "1 GiB"}]
    assert shares(tmp_path, source=CSV | {"unit": unit}, sizes=sizes) == {"a": share}


def test_cores_are_those_of_the_vm_that_has_the_series(tmp_path: Path) -> None:
    write(tmp_path, vms_csv=VMS, load_csv="time,db,web\n0,4,0.5\n300,4,0.5\n")
    found = shares(tmp_path, arrivals=TABLE, source=CSV | {"unit": "cores"})
    assert found == {"web": 0.25, "db": 0.5}


def test_more_than_the_vm_has_is_refused_or_cut(tmp_path: Path) -> None:
    write(tmp_path, load_csv="time,a\n0,6000\n300,5000\n")
    source = CSV | {"unit": "MHz"}
    told = refusal(tmp_path, source=source)
    assert "sample 0 of a is 6000 MHz, more than the 2 vCPUs of 2500 MHz of its VM" in told
    made = load(tmp_path, source=source, above_100_percent="cut")
    assert demand_mhz(made, 0).tolist() == [5000]
    assert made.quality is not None
    assert made.quality.cut == 1


def test_shares_read_as_percent_are_refused(tmp_path: Path) -> None:
    write(tmp_path, load_csv="time,a,b\n0,0.1,0.2\n300,0.9,1\n")
    told = refusal(tmp_path, source=CSV)
    assert "all samples are between 0 and 1; set unit: share" in told
    assert shares(tmp_path, source=CSV | {"unit": "share"}) == {"a": 0.1, "b": 0.2}
    assert shares(tmp_path, source=CSV | {"unit": "percent"}) == {"a": 0.001, "b": 0.002}
    (tmp_path / "day").mkdir()
    write(tmp_path, day__a="0.25\n0.5\n")
    source = {"type": "planetlab", "path": "day"}
    assert "set unit: share" in refusal(tmp_path, source=source)
    assert shares(tmp_path, source=source | {"unit": "share"}) == {"a": 0.25}
    write(tmp_path, vms_csv="arrival,vcpus,memory,utilisation\n0,2,8,0.4\n0,8,64,1\n")
    assert "set utilisation_unit: share" in refusal(tmp_path, arrivals=TABLE)
    found = shares(tmp_path, arrivals=TABLE | {"utilisation_unit": "share"})
    assert list(found.values()) == [0.4, 1.0]


# Units of times


START = 1_704_067_200


@pytest.mark.parametrize("factor", [1, 10**3, 10**6, 10**9])
def test_epochs_are_recognised_by_their_size(tmp_path: Path, factor: int) -> None:
    rows = "".join(f"{(START + 300 * slot) * factor},{10 + slot}\n" for slot in range(3))
    write(tmp_path, load_csv=f"time,a\n{rows}")
    made = load(tmp_path, source=CSV)
    assert made.new_demand().step_s == 300
    told = made.quality.notes if made.quality else []
    assert len(told) == (factor > 1)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (("45000.0", "45000.003472"), "serial dates of a spreadsheet"),
        (("45000", "45001"), "serial dates of a spreadsheet"),
        (("0", "0.0833333"), "unlikely to be seconds"),
        (("0", "300000"), "which as seconds would be 3.47 days; set time_unit: ms"),
        (("0", "3600000"), "which as seconds would be 41.7 days; set time_unit: ms"),
        (("20260301", "20260302"), "contains dates such as '20260301'"),
        (("20260301000000", "20260301000500"), "whose unit cannot be recognised"),
        (("28401120", "28401125"), "starts at 2.84011e+07 with steps of 5"),
        (("0", "2026-03-02T00:05:00"), "is a date but the rows above have numbers"),
        (("2026-03-02T00:00:00Z", "2026-03-02T00:05:00"), "has no time zone, unlike the rows"),
        (("02.03.2026 00:00", "02.03.2026 00:05"), "is not a time; write seconds or ISO 8601"),
        (("0", ""), "is empty"),
    ],
)
def test_times_that_would_have_to_be_guessed_are_refused(
    tmp_path: Path, times: tuple[str, str], told: str
) -> None:
    write(tmp_path, load_csv=f"time,a\n{times[0]},10\n{times[1]},20\n")
    assert told in refusal(tmp_path, source=CSV)


@pytest.mark.parametrize(
    ("times", "unit", "step_s"),
    [
        (("45000.0", "45000.003472"), "d", 300),
        (("0", "0.0833333"), "h", 300),
        (("0", "300000"), "ms", 300),
        (("0", "5"), "min", 300),
        (("0", "300000"), "s", 300_000),
        (("0", "86400"), None, 86_400),
        (("2026-03-02T00:00:00Z", "2026-03-02T01:05:00+01:00"), None, 300),
    ],
)
def test_units_of_times(
    tmp_path: Path, times: tuple[str, str], unit: str | None, step_s: float
) -> None:
    write(tmp_path, load_csv=f"time,a\n{times[0]},10\n{times[1]},20\n")
    source = CSV | ({"time_unit": unit} if unit else {})
    assert load(tmp_path, source=source).new_demand().step_s == step_s


def test_a_unit_of_dates_is_refused(tmp_path: Path) -> None:
    write(tmp_path, load_csv="time,a\n2026-03-02T00:00:00Z,10\n2026-03-02T00:05:00Z,10\n")
    assert "remove time_unit" in refusal(tmp_path, source=CSV | {"time_unit": "s"})


@pytest.mark.parametrize("zone", [None, "UTC", "Nowhere/Never"])
def test_timestamps_of_parquet_need_no_clock_of_this_machine(
    tmp_path: Path, zone: str | None
) -> None:
    times = pa.array([START * 10**9, (START + 300) * 10**9], pa.timestamp("ns", zone))
    parquet.write_table(pa.table({"time": times, "a": [10, 20]}), tmp_path / "load.parquet")
    made = load(tmp_path, source={"type": "parquet", "path": "load.parquet"})
    assert made.new_demand().step_s == 300


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time;a\n0;12,5\n300;3\n", "separates columns by semicolons"),
        ("time\ta\n0\t12.5\n300\t3\n", "separates columns by tabs"),
        ("time,a\n0,12,5\n300,3,1\n", "write decimals with a point"),
        ('time,a\n0,"12,5"\n300,"3,1"\n', "has a comma; write decimals with a point"),
        ("time,a\n0,1_000\n300,3\n", "'1_000' in column 'a' is not a number"),
    ],
)
def test_other_habits_of_csv_are_refused_never_misread(
    tmp_path: Path, text: str, told: str
) -> None:
    write(tmp_path, load_csv=text)
    assert told in refusal(tmp_path, source=CSV)


# The end of a trace


@pytest.mark.parametrize(
    ("on_end", "told"),
    [
        ("hold", "the last values are held"),
        ("loop", "repeated from the start"),
        ("stop", "stopped"),
    ],
)
def test_a_short_trace_warns_with_the_share_of_the_run(
    tmp_path: Path, on_end: str, told: str
) -> None:
    write(tmp_path, load_csv="time,a\n0,10\n1800,20\n")
    result = farmsim.run(scenario(tmp_path, hours=4, source=CSV, on_end=on_end))
    warnings = [each for each in result.summary["warnings"] if "csv trace load.csv" in each]
    assert len(warnings) == 1
    assert "lasts 1 h, the run 4 h: for 75 % of the run " in warnings[0]
    assert told in warnings[0]
    assert "75 % of the run" in result.report()
    whole = farmsim.run(scenario(tmp_path, hours=1, source=CSV, on_end=on_end))
    assert not [each for each in whole.summary["warnings"] if "lasts" in each]


def test_a_bad_date_is_named_before_memory_is_taken(tmp_path: Path) -> None:
    write(tmp_path, load_csv="time,a\n0,5\n1,6\n10000000000,7\n")
    assert refusal(tmp_path, source=CSV, gaps="hold").startswith("load.csv:4: ")
    write(tmp_path, load_csv="time,a\n0,5\n1,6\n90000000,7\n")
    told = refusal(tmp_path, source=CSV, gaps="hold")
    assert told.startswith("load.csv:4: is 9e+07 s after the row above")
    tidy = "time,vm,cpu\n0,a,5\n1,a,6\n90000000,a,7\n"
    write(tmp_path, load_csv=tidy)
    told = refusal(tmp_path, source=CSV | {"layout": "tidy"}, gaps="hold")
    assert told.startswith("load.csv:4: is 9e+07 s after the row above")


def test_many_columns_are_read_in_time_that_grows_with_their_number(tmp_path: Path) -> None:
    count = 20_000
    header = ",".join(f"v{number}" for number in range(count))
    cells = ",".join(["7"] * count)
    write(tmp_path, load_csv=f"time,{header}\n0,{cells}\n300,{cells}\n")
    made = load(tmp_path, source=CSV)
    assert np.allclose(demand_mhz(made, 1), 350)


def test_a_tidy_table_that_is_read_as_wide_is_told_what_to_write(tmp_path: Path) -> None:
    write(tmp_path, load_csv=TIDY)
    assert "set layout: tidy" in refusal(tmp_path, source=CSV)


def test_percentages_that_are_read_as_shares_are_told_what_to_write(tmp_path: Path) -> None:
    write(tmp_path, load_csv=WIDE)
    told = refusal(tmp_path, source=CSV | {"unit": "share"})
    assert "is 1000 %" in told
    assert "the unit of the samples (percent, " in told
