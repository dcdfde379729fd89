"""Arrivals: what each format gives, what is refused and where, what is generated."""

import gzip
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

import farmsim
from farmsim.models.base.arrays import Floats
from farmsim.models.workload.arrival_generator import (
    HOUR_S,
    arrival_law,
    generate,
    published_arrivals,
)
from farmsim.models.workload.arrivals import Arrivals
from farmsim.models.workload.vm_size import VmSize
from farmsim.scenarios.build.arrivals import build_arrivals
from farmsim.scenarios.build.build import load_of
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.readers.arrival_columns import Arriving
from farmsim.scenarios.spec.arrivals import ArrivalSource
from farmsim.sim.base.random_streams import Streams

DATA = Path(__file__).parents[1] / "data" / "arrivals"
MONTH_S = 30 * 24 * HOUR_S
FARM = {"hosts": [{"name": "h", "server": "dell_r740_8280", "count": 40}]}
READ = TypeAdapter[Any](ArrivalSource)


def arriving(
    type_: str, path: str = "", folder: Path = DATA, end_s: float = MONTH_S, **fields: Any
) -> Arriving:
    written = {"type": type_, **fields} | ({"path": path} if path else {})
    tenants = ("shop", "lab")
    return build_arrivals(READ.validate_python(written), folder, end_s, tenants, Streams(1))


def table(tmp_path: Path, text: str, **fields: Any) -> Arrivals:
    (tmp_path / "t.csv").write_text(text)
    return arriving("table", "t.csv", tmp_path, **fields).arrivals


def test_a_table_gives_times_sizes_owners_and_names() -> None:
    read = arriving("table", "table.csv")
    found = read.arrivals
    assert len(found) == 40
    assert found.arrival_s[3] == 0 < found.arrival_s[4]
    assert np.isinf(found.lifetime_s[[0, 9, 18, 27, 36]]).all()
    assert found.lifetime_s[1] == 179.0
    assert found.names[1] == "job-01"
    size = read.held[found.size[1]]
    assert (size.vcpus, size.memory, size.tenant, size.request_class) == (4, 1792, "lab", "oltp")
    assert size.name == "4 vCPU, 1.75 GiB, oltp, lab"
    assert found.utilisation is not None
    assert found.utilisation[0] == pytest.approx(0.593)
    assert found.priority[:4].tolist() == [1, 0, 0, 0]
    assert read.files[0].size_bytes == (DATA / "table.csv").stat().st_size


def test_a_parquet_or_gzipped_table_gives_the_same(tmp_path: Path) -> None:
    from pyarrow import csv, parquet  # noqa: PLC0415

    parquet.write_table(csv.read_csv(DATA / "table.csv"), tmp_path / "table.parquet")
    with gzip.open(tmp_path / "table.csv.gz", "wb") as packed:
        packed.write((DATA / "table.csv").read_bytes())
    one = arriving("table", "table.csv").arrivals
    for name in ("table.parquet", "table.csv.gz"):
        other = arriving("table", name, tmp_path).arrivals
        assert np.array_equal(one.lifetime_s, other.lifetime_s)
        assert [*one.names] == [*other.names]
        assert one.sizes == other.sizes


def test_units_ends_and_names_of_columns(tmp_path: Path) -> None:
    found = table(
        tmp_path, "t,until,cores,mb,mhz,load\n0,2,1,512,2000,0.5\n\n1.5,,2,1024,2000,1\n",
        columns={"arrival": "t", "end": "until", "vcpus": "cores", "memory": "mb",
                 "clock": "mhz", "utilisation": "load"},
        time_unit="h", memory_unit="MiB", utilisation_unit="share",
    )  # fmt: skip
    assert found.arrival_s.tolist() == [0, 5400]
    assert found.lifetime_s.tolist() == [7200, np.inf]
    assert [(each.vcpus, each.clock_mhz, each.memory_mib) for each in found.sizes] == [
        (1, 2000, 512), (2, 2000, 1024),
    ]  # fmt: skip
    assert found.utilisation is not None
    assert found.utilisation.tolist() == [0.5, 1.0]


def test_a_run_that_begins_later_finds_vms_that_came_before(tmp_path: Path) -> None:
    text = "arrival,lifetime,vcpus,memory\n0,100,1,1\n10,500,1,1\n20,,1,1\n250,10,1,1\n900,1,1,1\n"
    found = table(tmp_path, text, trace_start="200 s", end_s=300.0)
    assert found.arrival_s.tolist() == [0, 0, 50]
    assert found.lifetime_s.tolist() == [310, np.inf, 10]
    assert len(table(tmp_path, text, max_vms=2)) == 2
    with pytest.raises(InputError, match="none of its 2 VMs is there between 90 d and"):
        table(tmp_path, HEAD + "0,5,1,1\n9,5,1,1\n", trace_start="90 days")


def test_a_share_keeps_whole_batches(tmp_path: Path) -> None:
    rows = "".join(f"{5 * batch},60,1,1,{batch}\n" for batch in range(400) for _ in range(3))
    found = table(tmp_path, "arrival,lifetime,vcpus,memory,batch\n" + rows, sample_share="25 %")
    assert 60 <= len(found) / 3 <= 140
    assert (np.unique(found.arrival_s, return_counts=True)[1] == 3).all()


def test_lifetimes_that_a_table_lacks_stay_or_are_drawn(tmp_path: Path) -> None:
    rows = "".join(f"{batch},1,1,{batch}\n" for batch in range(2000) for _ in range(2))
    text = "arrival,vcpus,memory,batch\n" + rows
    assert np.isinf(table(tmp_path, text).lifetime_s).all()
    drawn = table(tmp_path, text, lifetimes="azure_v1").lifetime_s
    assert 1500 <= np.median(drawn) <= 2100
    assert not np.any(drawn % 300.0)
    one, other = np.log(drawn).reshape(-1, 2).T
    assert np.corrcoef(one, other)[0, 1] > 0.75


def test_azure_v1_ends_at_the_last_instant_are_no_ends() -> None:
    found = arriving("azure", "azure_v1.csv").arrivals
    assert len(found) == 12
    assert (np.diff(found.arrival_s) >= 0).all()
    assert found.arrival_s[:3].tolist() == [0, 0, 0]
    assert sorted(found.lifetime_s[:3].tolist()) == [1_539_300, np.inf, np.inf]
    # created and deleted in one step: it lived for some of it
    assert found.lifetime_s[found.arrival_s == 600].tolist() == [300]


def test_azure_v2_buckets_are_sizes() -> None:
    found = arriving("azure", "azure_v2.csv").arrivals
    assert {each.vcpus for each in found.sizes} == {2, 4, 8, 30}
    assert max(each.memory_mib for each in found.sizes) == 70 * 1024
    other = arriving(
        "azure",
        "azure_v2.csv",
        vcpus_above_24=40,
        memory_above_64="80 GiB",
        utilisation_statistic="p95",
    ).arrivals
    assert max(each.vcpus for each in other.sizes) == 40
    assert max(each.memory_mib for each in other.sizes) == 80 * 1024
    assert found.utilisation is not None
    assert other.utilisation is not None
    assert (other.utilisation > found.utilisation).all()


def test_huawei_events_pair_up_even_where_a_name_returns() -> None:
    found = arriving("huawei_east_1", "huawei_east_1.csv").arrivals
    assert found.arrival_s.tolist() == [0, 0, 3600, 7200, 9000]
    assert found.lifetime_s.tolist() == [np.inf, 7200, 7200, 5400, np.inf]
    assert [*found.names] == ["vm-11", "vm-12", "vm-13", "vm-14", "vm-12#2"]
    assert found.sizes[found.size[2]].memory_mib == 64 * 1024


def test_opendc_tasks_and_the_mean_of_their_fragments() -> None:
    read = arriving("opendc", "opendc")
    found = read.arrivals
    assert found.arrival_s.tolist() == [0, 600, 3600]
    assert found.lifetime_s.tolist() == [3600, 1800, 600]
    assert [*found.names] == ["3", "1", "2"]
    assert [each.clock_mhz for each in found.sizes] == [2926, 2926, 2100]
    assert found.sizes[0].memory_mib == round(181352e3 / 2**20)
    assert found.utilisation is not None
    # a third of the time idle, two thirds at half speed; the last task has no fragment
    assert found.utilisation.tolist() == pytest.approx([1 / 3, 0.1, 0.106])
    assert [Path(each.name).name for each in read.files] == ["tasks.parquet", "fragments.parquet"]


def test_opendc_of_an_older_generation(tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    tasks = {
        "id": ["a", "b"], "submissionTime": [60_000, 0], "endTime": [120_000, 30_000],
        "maxCores": [2, 1], "requiredMemory": [2, 1],
    }  # fmt: skip
    parquet.write_table(pa.table(tasks), tmp_path / "tasks.parquet")
    found = arriving("opendc", ".", tmp_path, memory_unit="GiB").arrivals
    assert [*found.names] == ["b", "a"]
    assert found.lifetime_s.tolist() == [30, 60]
    assert [(each.clock_mhz, each.memory_mib) for each in found.sizes] == [
        (2500, 1024), (2500, 2048),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("memory", "mib"),
    # 16 cores with 100,000 are 100 GB, not 100 MB; 1 GiB in KB; 64 GB in GB
    [(100_000, 100e9 / 2**20), (16_777_216, 16_777_216e3 / 2**20), (64, 64e9 / 2**20)],
)
def test_the_unit_of_opendc_memory_is_told_by_its_size(
    tmp_path: Path, memory: int, mib: float
) -> None:
    write_task(tmp_path, memory)
    read = arriving("opendc", ".", tmp_path)
    assert read.arrivals.sizes[0].memory_mib == round(mib)
    assert "was recognised as" in read.quality.notes[0]
    read = arriving("opendc", ".", tmp_path, memory_unit="KiB")
    assert read.arrivals.sizes[0].memory_mib == max(round(memory / 1024), 1)
    assert not read.quality.notes


def write_task(folder: Path, memory: int) -> None:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    task = {"id": ["a"], "submission_time": [0], "duration": [60_000], "cpu_count": [16],
            "cpu_capacity": [32_000.0], "mem_capacity": [memory]}  # fmt: skip
    parquet.write_table(pa.table(task), folder / "tasks.parquet")


def test_a_unit_of_opendc_memory_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    write_task(tmp_path, 16 * 40_000)
    with pytest.raises(InputError, match=r"memory_unit: .* is 40000, from which the unit"):
        arriving("opendc", ".", tmp_path)


HEAD = "arrival,lifetime,vcpus,memory\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0,1,1,1\n9,1,1,1\n5,1,1,1\n", "t.csv:4: arrival: is '5'; earlier than the row above"),
        ("0,1,1,1\n0,-5,1,1\n", "t.csv:3: lifetime: is '-5'; write a time above 0"),
        ("-1,1,1,1\n", "t.csv:2: arrival: is '-1'; write a time of 0 or more"),
        ("0,1,1,1\n0,1,one,1\n", "t.csv:3: vcpus: 'one' is not a number"),
        ("0,1,1.5,1\n", "t.csv:2: vcpus: is '1.5'; write a whole number above 0"),
        ("0,1,1,0\n", "t.csv:2: memory: is '0'; write a number above 0"),
        ("0,1,1,\n", "t.csv:2: memory: is empty; write a number"),
        ("0,1,1,nan\n", "t.csv:2: memory: is 'nan'; write a finite number"),
        ("0,1,1,1\n\n0,1,1\n", "t.csv:4: has 3 columns, the table 4; correct the row"),
        ("", "t.csv: has no VMs"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        table(tmp_path, HEAD + text)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("header", "cells", "told"),
    [
        ("tenant", ("shop", "shpo"), "t.csv:3: tenant: there is no tenant 'shpo'; did you mean"),
        ("class", ("web", "wbe"), "t.csv:3: class: there is no request class 'wbe'; did you mean"),
        ("utilisation", ("5", "101"), "t.csv:3: utilisation: is '101'; write 0 to 100"),
        ("priority", ("1", "1.5"), "t.csv:3: priority: is '1.5'; write a whole number"),
        ("vm", ("a", "a"), "t.csv: vm: 'a' names 2 VMs; make the names unique"),
        ("vm", ("a", ""), "t.csv:3: vm: is empty; name it"),
        ("end", ("5", "0"), "t.csv:3: end: is '0'; write a time after the arrival"),
        ("clock", ("5", "0"), "t.csv:3: clock: is '0'; write a number above 0"),
    ],
)
def test_a_bad_optional_cell(
    tmp_path: Path, header: str, cells: tuple[str, str], told: str
) -> None:
    rows = "".join(f"0,1,1,{cell}\n" for cell in cells)
    with pytest.raises(InputError) as caught:
        table(tmp_path, f"arrival,vcpus,memory,{header}\n{rows}")
    assert told in str(caught.value)


def test_rows_are_counted_over_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farmsim.scenarios.readers.chunks.BLOCK_BYTES", 512)
    rows = "".join(f"{row},1,1,1\n" for row in range(500))
    assert len(table(tmp_path, HEAD + rows)) == 500
    with pytest.raises(InputError, match=r"t\.csv:502: arrival: is '3'"):
        table(tmp_path, HEAD + rows + "3,1,1,1\n")
    with pytest.raises(InputError, match=r"t\.csv:502: has 1 columns"):
        table(tmp_path, HEAD + rows + "3\n")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"columns": {"vcpus": "cpu"}}, "arrivals.columns.vcpus: there is no column 'cpu'"),
        ({"columns": {"tenant": "who"}}, "arrivals.columns.tenant: there is no column 'who'"),
        ({"path": "gone.csv"}, "gone.csv: workload.arrivals.path: no such file"),
        ({"path": "README.md"}, "README.md: is not .csv"),
    ],
)
def test_a_table_that_does_not_fit(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        arriving("table", **({"path": "table.csv"} | fields))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("99,1,1,20000,1", "h.csv:10: type: VM 99 ends without having been created"),
        ("11,1,1,20000,0", "h.csv:10: type: VM 11 is created again while it exists"),
        ("99,1,1,100,0", "h.csv:10: time: is '100'; earlier"),
        ("99,1,1,20000,2", "h.csv:10: type: is '2'; write 0"),
    ],
)
def test_huawei_events_that_cannot_be(tmp_path: Path, row: str, told: str) -> None:
    shutil.copy(DATA / "huawei_east_1.csv", tmp_path / "h.csv")
    with (tmp_path / "h.csv").open("a") as file:
        file.write(row + "\n")
    with pytest.raises(InputError) as caught:
        arriving("huawei_east_1", "h.csv", tmp_path)
    assert told in str(caught.value)


def test_azure_rows_that_cannot_be(tmp_path: Path) -> None:
    first = (DATA / "azure_v1.csv").read_text().splitlines()[0].split(",")
    for column, cell, told in (
        (4, "-5", "a.csv:1: deleted: is '-5'; write a time after the creation"),
        (9, ">42", "a.csv:1: vcpus: '>42' is not a number"),
        (6, "-1", "a.csv:1: mean_cpu: is '-1'; write a percentage"),
    ):
        row = [*first[:column], cell, *first[column + 1 :]]
        (tmp_path / "a.csv").write_text(",".join(row) + "\n")
        with pytest.raises(InputError) as caught:
            arriving("azure", "a.csv", tmp_path)
        assert told in str(caught.value)


def scenario(arrivals: dict[str, Any], **workload: Any) -> farmsim.Scenario:
    written = {
        "farm": FARM,
        "run": {"duration": "2 h"},
        "tenants": [{"name": "shop"}, {"name": "lab"}],
        "workload": {"arrivals": arrivals, **workload},
        "baseline": {"type": "none"},
    }
    return farmsim.Scenario.of(written, DATA)


@pytest.mark.parametrize(
    ("workload", "told"),
    [
        ({"vms": 3}, "workload.vms: arrivals define the VMs and their sizes"),
        ({"size_order": "cycle"}, "workload.size_order: arrivals define"),
        ({"sizes": [{"name": "a"}]}, "workload.sizes: arrivals define"),
        ({"arrivals": {"type": "generated", "tenant": "none"}}, "workload.arrivals.tenant: there"),
        ({"arrivals": {"type": "generated", "class": "wbe"}}, "there is no request class 'wbe'"),
    ],
)
def test_what_goes_with_arrivals_and_what_does_not(workload: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        scenario({"type": "generated"} | workload.pop("arrivals", {}), **workload)
    assert told in str(caught.value)


def test_without_arrivals_a_source_is_needed() -> None:
    with pytest.raises(InputError, match="is missing; Source of utilisation"):
        farmsim.Scenario.of({"farm": FARM, "workload": {"vms": 2}})


def test_the_load_of_arrivals_is_steady_unless_a_source_is_named() -> None:
    load = load_of(scenario({"type": "table", "path": "table.csv"}))
    assert load.arrivals is not None
    assert load.arrivals.utilisation is not None
    steady = load.new_demand()
    steady.advance(0)
    first_mhz = steady.now_mhz.copy()
    assert first_mhz == pytest.approx(load.arrivals.utilisation * load.vms.size_mhz)
    steady.advance(5)
    assert np.array_equal(steady.now_mhz, first_mhz)
    other = load_of(scenario({"type": "generated", "rate": 0.1}, source="planetlab-20110303"))
    changing = other.new_demand()
    changing.advance(0)
    first_mhz = changing.now_mhz.copy()
    changing.advance(5)
    assert not np.array_equal(changing.now_mhz, first_mhz)


def test_a_scenario_with_arrivals_is_written_and_read_again(tmp_path: Path) -> None:
    one = scenario({"type": "table", "path": "table.csv"})
    (tmp_path / "again.yaml").write_text(one.to_yaml())
    shutil.copy(DATA / "table.csv", tmp_path)
    again = farmsim.Scenario.load(tmp_path / "again.yaml")
    assert again.workload.arrivals == one.workload.arrivals
    assert load_of(again).sizes == load_of(one).sizes
    assert one.with_({"seed": 2}).workload.arrivals == one.workload.arrivals


def test_columns_of_arrivals_must_agree() -> None:
    size = [VmSize("s", 1, 1000.0, 1024.0)]

    def make(arrival: list[float], lifetime: list[float], index: list[int]) -> Arrivals:
        count = len(arrival)
        return Arrivals(
            np.array(arrival), np.array(lifetime), np.array(index), size, None,
            np.zeros(count, np.int64), ["vm"] * count,
        )  # fmt: skip

    assert make([0, 5], [1, np.inf], [0, 0]).lifetime_s.tolist() == [1, np.inf]
    for arrival, lifetime, index, told in (
        ([5.0, 0.0], [1.0, 1.0], [0, 0], "out of order"),
        ([-1.0], [1.0], [0], "before the start"),
        ([0.0], [0.0], [0], "not above 0"),
        ([0.0], [1.0], [1], "not listed"),
        ([0.0], [1.0, 1.0], [0], "differ in length"),
    ):
        with pytest.raises(ValueError, match=told):
            make(arrival, lifetime, index)


def ks(sample: Floats, points: list[float], cdf: Floats) -> float:
    found = np.searchsorted(np.sort(sample), points, "right") / len(sample)
    return float(np.abs(found - cdf).max())


@pytest.mark.parametrize("seed", [1, 2])
def test_generated_arrivals_have_the_published_distributions(seed: int) -> None:
    """Thresholds as in benchmarks/arrivals.py; five days, batches of which live alike."""
    entry, law = published_arrivals()["azure_v1"], arrival_law()
    made = generate(law, 5 * 24 * HOUR_S, Streams(seed))
    sizes = np.bincount(made.batch).astype(np.float64)
    assert ks(sizes, entry["batch_size"], np.array(entry["batch_size_cdf"])) < 0.01
    assert ks(made.lifetime_s, entry["survival_s"], 1 - np.array(entry["survival"])) < 0.03
    vcpus = np.array([float(each.vcpus) for each in law.flavours])
    shares = np.array([each.share for each in law.flavours])
    steps = [1.0, 2.0, 4.0, 8.0]
    cdf = np.array([shares[vcpus <= step].sum() for step in steps])
    assert ks(vcpus[made.flavour], steps, cdf) < 0.03
    assert len(sizes) == pytest.approx(5 * 24 * entry["batches_per_h"], rel=0.02)
    assert law.mean_batch_size == pytest.approx(4.13, rel=0.01)


def test_the_tail_of_lifetimes_goes_through_the_published_points() -> None:
    law = arrival_law().lifetime
    for lived_s, left in zip(law.survival_s, law.survival, strict=True):
        if lived_s >= law.splice_s:
            assert law.quantile_s(np.array([1 - left]))[0] == pytest.approx(lived_s, rel=1e-3)
    fine = law.quantile_s(np.linspace(0, 1, 10_001))
    assert (np.diff(fine) >= 0).all()
    assert np.isfinite(fine).all()


@settings(max_examples=40, deadline=None)
@given(
    end_s=st.floats(1.0, 40_000.0),
    rate=st.floats(0.01, 3.0),
    swing=st.floats(0.0, 2.0),
    seed=st.integers(0, 2**31),
)
def test_whatever_is_generated_is_well_formed(
    end_s: float, rate: float, swing: float, seed: int
) -> None:
    made = generate(arrival_law(), end_s, Streams(seed), rate, swing)
    assert (np.diff(made.arrival_s) >= 0).all()
    assert ((made.arrival_s >= 0) & (made.arrival_s < end_s)).all()
    assert (made.lifetime_s > 0).all()
    assert ((made.utilisation > 0) & (made.utilisation <= 1)).all()
    assert set(np.diff(made.batch).tolist()) <= {0, 1}
    again = generate(arrival_law(), end_s, Streams(seed), rate, swing)
    assert np.array_equal(made.lifetime_s, again.lifetime_s)


def test_swing_and_rate_do_what_they_say() -> None:
    law, day_s = arrival_law(), 24 * HOUR_S
    flat = generate(law, 10 * day_s, Streams(3), rate=0.2, swing=0.0)
    peaked = generate(law, 10 * day_s, Streams(3), rate=0.2, swing=1.0)
    for made, night in ((flat, 1.0), (peaked, 0.61)):
        first = np.flatnonzero(np.diff(made.batch, prepend=-1))
        assert len(first) == pytest.approx(0.2 * 10 * 24 * law.batches_per_h, rel=0.05)
        hour = (made.arrival_s[first] // HOUR_S).astype(int) % 24
        assert (np.isin(hour, (2, 3)).mean() * 12) == pytest.approx(night, abs=0.06)


def test_more_vms_than_can_be_are_refused_before_they_are_made() -> None:
    with pytest.raises(InputError, match="reduce rate, trace_start or"):
        arriving("generated", end_s=3650 * 24 * HOUR_S)
