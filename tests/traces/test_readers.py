"""Traces in the formats of the field, whole and broken."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from builders import BITBRAINS_HEADER, bitbrains_file
from pyarrow import parquet

import farmsim
from farmsim.scenarios.build.build import load_of
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.language.yaml_text import parse
from farmsim.scenarios.scenario import Scenario
from farmsim.scenarios.traces.demand_tables import TableTrace, read_shipped, read_table
from farmsim.scenarios.traces.per_vm_files import read_bitbrains, read_planetlab
from farmsim.scenarios.traces.trace import Rules, TraceData

DATA = Path(__file__).parents[1] / "data"
REFUSE = Rules()


def folder(tmp_path: Path, **files: str) -> Path:
    made = tmp_path / "trace"
    made.mkdir(exist_ok=True)
    for name, content in files.items():
        (made / name).write_text(content)
    return made


def test_planetlab_text_equals_what_is_shipped() -> None:
    read = read_planetlab(DATA / "planetlab", "planetlab", 300.0, REFUSE)
    shipped = read_shipped("planetlab-20110303")
    assert read.names == shipped.names[:3]
    assert np.array_equal(read.counts, shipped.counts[:, :3])
    assert read.counts.dtype == np.uint8
    assert read.share_per_count == shipped.share_per_count == 0.01


@pytest.mark.parametrize(
    ("name", "vms", "mean", "deviation"),
    # the first as published by Beloglazov and Buyya (2012), table III
    [
        ("planetlab-20110303", 1052, 12.31, 17.09),
        ("azure-v1-week", 100, 10.4, 12.5),
        ("bitbrains-4-weeks", 100, 9.06, 21.3),
    ],
)
def test_shipped_traces_have_their_published_moments(
    name: str, vms: int, mean: float, deviation: float
) -> None:
    trace = read_shipped(name)
    percent = trace.counts.astype(np.float64) * trace.share_per_count * 100
    assert percent.shape[1] == vms
    tolerance = 0.005 if "planetlab" in name else 0.5
    assert percent.mean() == pytest.approx(mean, abs=tolerance)
    assert percent.std() == pytest.approx(deviation, abs=tolerance)
    assert percent.min() >= 0
    assert percent.max() <= 100


def test_bitbrains_times_are_seconds_and_sizes_come_along(tmp_path: Path) -> None:
    made = folder(
        tmp_path,
        **{
            "2.csv": bitbrains_file(1375308176, [585.2, 1170.4, 0.0]),
            "1.csv": bitbrains_file(1375308476, [2926.0, 1463.0], cores=1, capacity=2926.0),
        },
    )
    trace = read_bitbrains(made, "trace", 300.0, Rules(gaps="zero"))
    assert trace.names == ["1.csv", "2.csv"]
    assert trace.step_s == 300.0
    assert trace.counts.T.tolist() == pytest.approx(np.array([[0, 100, 50], [10, 20, 0]]))
    assert trace.sizes is not None
    first = trace.sizes[1]
    assert (first.vcpus, first.clock_mhz, first.memory_mib) == (2, 2926.0, 8192.0)
    assert trace.quality.filled == 1


def test_sizes_that_come_with_a_trace_survive_every_way_of_rewriting_a_scenario(
    tmp_path: Path,
) -> None:
    made = folder(tmp_path, **{"1.csv": bitbrains_file(0, [585.2, 1170.4])})
    scenario = Scenario.of(
        {
            "farm": {"hosts": [{"name": "h", "server": "dell_r740_8280", "count": 2}]},
            "workload": {"source": {"type": "bitbrains", "path": made.name}},
        },
        made.parent,
    )
    rewritten = scenario.with_({"seed": 2}), scenario.override("seed=2")
    again = Scenario.of(parse(scenario.to_yaml()).data, made.parent)
    for each in (scenario, *rewritten, again):
        assert load_of(each).vms.size_mhz.tolist() == [5852.0]


def csv_trace(tmp_path: Path, text: str, **more: Any) -> TraceData:
    (tmp_path / "t.csv").write_text(text)
    source = TableTrace(type="csv", path="t.csv", **more)
    return read_table(source, tmp_path / "t.csv", Rules(more.pop("gaps", "refuse")))


def test_wide_tidy_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    wide = "time,b,a\n0,10,1.5\n300,20,2.5\n"
    tidy = "time,vm,cpu\n0,a,1.5\n0,b,10\n300,b,20\n300,a,2.5\n"
    dated = "time,b,a\n2026-01-01T00:00:00,10,1.5\n2026-01-01 00:05,20,2.5\n"
    traces = [
        csv_trace(tmp_path, wide),
        csv_trace(tmp_path, tidy, layout="tidy"),
        csv_trace(tmp_path, dated),
    ]
    table = pa.table({"time": [0, 300], "b": [10, 20], "a": [1.5, 2.5]})
    parquet.write_table(table, tmp_path / "t.parquet")
    source = TableTrace(type="parquet", path="t.parquet")
    traces.append(read_table(source, tmp_path / "t.parquet", REFUSE))
    for trace in traces:
        by_name = dict(zip(trace.names, trace.counts.T.tolist(), strict=True))
        assert by_name == {"a": [1.5, 2.5], "b": [10, 20]}
        assert trace.step_s == 300


def test_shares_are_not_percent(tmp_path: Path) -> None:
    trace = csv_trace(tmp_path, "time,a\n0,0.25\n300,1\n", unit="share")
    assert trace.counts[:, 0].tolist() == [25, 100]


@pytest.mark.parametrize(
    ("rule", "filled"),
    [
        ("hold", [5, 5, 20, 20, 30]),
        ("interpolate", [5, 12.5, 20, 25, 30]),
        ("zero", [5, 0, 20, 0, 30]),
    ],
)
def test_gaps_are_filled_by_the_named_rule_and_counted(
    tmp_path: Path, rule: str, filled: list[float]
) -> None:
    (tmp_path / "t.csv").write_text("time,a,b\n0,5,1\n300,,2\n600,20,3\n1200,30,4\n")
    source = TableTrace(type="csv", path="t.csv")
    trace = read_table(source, tmp_path / "t.csv", Rules(rule))
    assert trace.counts[:, trace.names.index("a")].tolist() == filled
    # one empty cell, and a row that is absent: three samples of ten
    assert trace.quality.filled == 3
    assert trace.quality.coverage == pytest.approx(0.7)


def test_samples_above_full_are_cut_only_on_demand(tmp_path: Path) -> None:
    made = folder(tmp_path, a="50\n101\n")
    with pytest.raises(InputError, match=r"trace/a:2: sample 1 of a is 101 %; write at most 100"):
        read_planetlab(made, "trace", 300.0, REFUSE)
    trace = read_planetlab(made, "trace", 300.0, Rules(above_100_percent="cut"))
    assert trace.counts[:, 0].tolist() == [50, 100]
    assert trace.quality.cut == 1


BROKEN_TEXT = {
    "missing": (
        "10\n\n30\n",
        r"trace/a:2: sample 1 of a is missing; write a number, or workload.gaps",
    ),
    "word": ("10\nten\n", r"trace/a:2: 'ten' is not a number"),
    "nan": ("10\nNaN\n", r"trace/a:2: NaN is not a sample"),
    "negative": ("10\n20\n-1\n", r"trace/a:3: sample 2 of a is -1 %"),
    "infinite": ("10\ninf\n", r"trace/a:2: sample 1 of a is inf %"),
    "too much": ("100.5\n", r"trace/a:1: sample 0 of a is 100.5 %"),
    "empty": ("", r"trace/a: has no samples"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN_TEXT.values(), ids=BROKEN_TEXT.keys())
def test_a_broken_sample_is_refused_with_file_and_row(
    tmp_path: Path, text: str, message: str
) -> None:
    made = folder(tmp_path, a=text)
    with pytest.raises(InputError, match=message):
        read_planetlab(made, "trace", 300.0, REFUSE)


def test_a_series_shorter_than_its_neighbours_has_a_gap(tmp_path: Path) -> None:
    made = folder(tmp_path, a="10\n", b="1\n2\n3\n")
    with pytest.raises(InputError, match=r"trace/a:2: sample 1 of a is missing \(1 more"):
        read_planetlab(made, "trace", 300.0, REFUSE)


BROKEN_TABLES = {
    "no time": ("t,a\n0,1\n", {}, r"t.csv: there is no column 'time'; available: t, a"),
    "ragged": ("time,a\n0,1\n300,2,3\n", {}, r"t.csv:3: has 3 columns, the header 2"),
    "word": ("time,a\n0,1\n300,x\n", {}, r"t.csv:3: 'x' in column 'a' is not a number"),
    "nan": ("time,a\n0,nan\n", {}, r"t.csv:2: NaN in column 'a'"),
    "bad time": ("time,a\nnoon,1\n", {}, r"t.csv:2: 'noon' in column 'time' is not a time"),
    "backwards": ("time,a\n300,1\n0,2\n", {}, r"t.csv:3: is not later than the row above"),
    "off the grid": (
        "time,a\n0,1\n300,2\n450,3\n700,4\n",
        {},
        r"t.csv:5: is not a multiple of the step",
    ),
    "twice": ("time,vm,cpu\n0,a,1\n0,a,2\n", {"layout": "tidy"}, r"t.csv:3: a has two samples"),
    "two columns": ("time,a,a\n0,1,2\n", {}, r"t.csv:1: two columns are called 'a'"),
    "only a header": ("time,a\n", {}, r"t.csv: has no samples"),
    "only the time": ("time\n0\n", {}, r"t.csv: has no column except the time"),
    "empty": ("", {}, r"t.csv: has no samples"),
    "nothing at all in a column": ("time,a,b\n0,,1\n", {}, r"sample 0 of a is missing"),
}


@pytest.mark.parametrize(
    ("text", "more", "message"), BROKEN_TABLES.values(), ids=BROKEN_TABLES.keys()
)
def test_a_broken_table_is_refused_with_file_and_row(
    tmp_path: Path, text: str, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        csv_trace(tmp_path, text, **more)


def test_a_truncated_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"time": [0, 300], "a": [1.0, 2.0]}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"t.parquet: is not a whole Parquet file"):
        read_table(TableTrace(type="parquet", path="t.parquet"), path, REFUSE)


def test_nan_in_parquet_is_refused_and_null_is_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    source = TableTrace(type="parquet", path="t.parquet")
    parquet.write_table(pa.table({"time": [0, 300], "a": [1.0, float("nan")]}), path)
    with pytest.raises(InputError, match="NaN in column 'a'"):
        read_table(source, path, Rules("hold"))
    parquet.write_table(pa.table({"time": [0, 300], "a": [2.0, None]}), path)
    assert read_table(source, path, Rules("hold")).counts[:, 0].tolist() == [2, 2]


def zipped(path: Path, names: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in names.items():
            archive.writestr(name, content)


def tarred(path: Path, names: dict[str, str]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in names.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))


@pytest.mark.parametrize(("pack", "name"), [(zipped, "t.zip"), (tarred, "t.tar.gz")])
def test_archives_are_read_like_folders_and_cannot_lead_out(
    tmp_path: Path, pack: Callable[[Path, dict[str, str]], None], name: str
) -> None:
    pack(tmp_path / name, {"day/b": "3\n4\n", "day/a": "1\n2\n", "day/.hidden": "x"})
    trace = read_planetlab(tmp_path / name, name, 300.0, REFUSE)
    assert trace.names == ["day/a", "day/b"]
    for evil in ("../b", "/etc/b", "day/../../b", "C:\\b"):
        pack(tmp_path / name, {"a": "1\n", evil: "2\n"})
        with pytest.raises(InputError, match="points outside the archive"):
            read_planetlab(tmp_path / name, name, 300.0, REFUSE)


def test_links_and_damage_in_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("a")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(InputError, match="is a link"):
        read_planetlab(path, "t.tar", 300.0, REFUSE)
    path = tmp_path / "t.zip"
    zipped(path, {"a": "1\n" * 5000})
    content = bytearray(path.read_bytes())
    content[40:60] = b"\xff" * 20
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"t.zip"):
        read_planetlab(path, "t.zip", 300.0, REFUSE)
    (tmp_path / "t.txt").write_text("1\n")
    with pytest.raises(InputError, match="neither a folder nor a zip or tar"):
        read_planetlab(tmp_path / "t.txt", "t.txt", 300.0, REFUSE)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="has no samples"):
        read_planetlab(tmp_path / "none", "none", 300.0, REFUSE)
    with pytest.raises(InputError, match="no such folder"):
        read_planetlab(tmp_path / "gone", "gone", 300.0, REFUSE)


BROKEN_BITBRAINS = {
    "other header": ("a;b\n1;2\n", "has no column 'Timestamp"),
    "few columns": (BITBRAINS_HEADER + "\n1;\t2\n", "a:2: has 2 columns, the header 11"),
    "word": (bitbrains_file(0, [1.0]).replace("5852.0;\t1.0", "5852.0;\tx"), "a:2: 'x' under"),
    "negative": (bitbrains_file(0, [-5.0]), "a:2: -5.0 under 'CPU usage"),
    "no rows": (BITBRAINS_HEADER + "\n", "has no samples"),
    "no cores": (bitbrains_file(0, [1.0], cores=0), "has no cores, capacity or memory"),
    "gap": (bitbrains_file(0, [1.0, None, 1.0]), "is missing; write a number, or workload.gaps"),
}


@pytest.mark.parametrize(
    ("text", "message"), BROKEN_BITBRAINS.values(), ids=BROKEN_BITBRAINS.keys()
)
def test_broken_bitbrains_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_bitbrains(folder(tmp_path, a=text), "trace", 300.0, REFUSE)


FARM = {"hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 2}]}


def run(workload: dict[str, Any], **more: Any) -> farmsim.Result:
    scenario = {"farm": FARM, "workload": workload, "baseline": {"type": "none"},
                "run": {"duration": "1 h"}} | more  # fmt: skip
    return farmsim.run(scenario)


def test_a_vm_that_fits_no_host_is_refused_or_listed() -> None:
    source = {"type": "constant", "utilisation": "10 %"}
    sizes = [{"name": "giant", "memory": "64 GiB", "vcpus": 1, "count": 1},
             {"name": "dwarf", "memory": "1 GiB", "vcpus": 1, "count": 2}]  # fmt: skip
    with pytest.raises(InputError, match=r"VMs of size giant .* fit no host"):
        run({"source": source, "sizes": sizes})
    result = run({"source": source, "sizes": sizes}, policies={"initial": {"unplaced": "reject"}})
    assert result.value("vms") == 3
    assert result.value("vms_rejected") == 1
    vms = result.table("vms").to_pylist()
    assert [vm["state"] for vm in vms] == ["rejected", "running", "running"]
    assert (
        vms[0]["reason"]
        == "of 2 hosts 0 lack CPU, 2 lack memory, 0 would be overloaded, 0 are excluded"
    )
    assert "1 of 3 VMs" in result.summary["verdict"]


def test_a_farm_that_is_too_small_names_who_finds_no_host() -> None:
    workload = {
        "source": {"type": "constant", "utilisation": "10 %"},
        "vms": 5,
        "sizes": [{"name": "s", "memory": "2 GiB", "vcpus": 1, "clock": "1 GHz"}],
    }
    with pytest.raises(InputError) as caught:
        run(workload)
    text = str(caught.value)
    assert "the farm is too small for any placement: its hosts lack memory" in text
    assert "1 VM of 5: vm-5 (of 2 hosts 2 lack memory)" in text
    assert "set policies.initial.unplaced: reject" in text


def test_a_generator_needs_a_number_of_vms() -> None:
    with pytest.raises(InputError, match=r"workload.vms: is missing"):
        run({"source": {"type": "constant", "utilisation": "10 %"}})
    with pytest.raises(
        InputError, match=r"but the counts of the sizes sum to 2; make the two equal"
    ):
        run({"source": {"type": "constant", "utilisation": "10 %"}, "vms": 3,
             "sizes": [{"name": "s", "count": 2}]})  # fmt: skip


def test_blocks_must_fit_the_trace() -> None:
    source = {"type": "resample", "trace": "planetlab-20110303", "block": "25 h"}
    with pytest.raises(InputError, match="no longer than the trace"):
        run({"source": source, "vms": 2})
