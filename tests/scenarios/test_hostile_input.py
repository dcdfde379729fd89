"""Input that is damaged, oversized or out of range ends with a message, soon and without harm."""

import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

import farmsim
from farmsim.scenarios.build.build import load_of
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.traces import archive

HOST = {"name": "h", "server": "dell_r740_8280", "count": 2}
SIZE = {"name": "s", "vcpus": 1, "clock": "2 GHz", "memory": "2 GiB"}


def scenario(folder: Path, **parts: Any) -> farmsim.Scenario:
    base = {
        "farm": {"hosts": [HOST]}, "run": {"duration": "1 h"}, "baseline": {"type": "none"},
        "workload": {"source": {"type": "constant", "utilisation": "30 %"}, "vms": 2},
    }  # fmt: skip
    return farmsim.Scenario.of(base | parts, folder)


def refusal(folder: Path, **parts: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_of(scenario(folder, **parts))
    return str(caught.value)


def of_trace(path: str, kind: str = "planetlab") -> dict[str, Any]:
    return {"source": {"type": kind, "path": path}}


def damaged_archives(folder: Path) -> dict[str, bytes]:
    """Return archives that are cut or garbled, by name."""
    text = b"".join(b"%d\n" % (number % 90) for number in range(20_000))
    with zipfile.ZipFile(folder / "whole.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a", text)
    whole = {"zip": (folder / "whole.zip").read_bytes()}
    for kind, mode in (("tgz", "w:gz"), ("tar.xz", "w:xz"), ("tar.bz2", "w:bz2"), ("tar", "w:")):
        with tarfile.open(folder / f"whole.{kind}", mode) as packed:  # type: ignore[call-overload]
            entry = tarfile.TarInfo("a")
            entry.size = len(text)
            packed.addfile(entry, io.BytesIO(text))
        whole[kind] = (folder / f"whole.{kind}").read_bytes()
    cut = {f"cut.{kind}": content[: len(content) * 2 // 3] for kind, content in whole.items()}
    garbled = {
        f"garbled.{kind}": content[:60] + bytes(byte ^ 0x5A for byte in content[60:120])
        + content[120:] for kind, content in whole.items()
    }  # fmt: skip
    junk = {"junk.tgz": b"\x1f\x8b\x08\x00ab", "junk.zip": b"PK\x03\x04", "junk.xz": b"\xfd7zXZ\0",
            "junk.zst": b"\x28\xb5\x2f\xfd\0\0", "empty.tar": b"",
            "short.gz": gzip.compress(text)[:40], "short.xz": lzma.compress(text)[:40]}  # fmt: skip
    return cut | garbled | junk


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    for name, content in damaged_archives(tmp_path).items():
        (tmp_path / name).write_bytes(content)
        told = refusal(tmp_path, workload=of_trace(name))
        assert told.startswith(name), (name, told)


def test_members_without_a_name_or_named_twice_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "dot.zip", "w") as made:
        made.writestr("a", "1\n2\n")
        made.writestr(".", "3\n4\n")
    assert "has no name; rebuild the archive" in refusal(tmp_path, workload=of_trace("dot.zip"))
    with tarfile.open(tmp_path / "twice.tar", "w") as packed:
        for _ in range(2):
            entry = tarfile.TarInfo("a")
            entry.size = 4
            packed.addfile(entry, io.BytesIO(b"5\n6\n"))
    assert "is in the archive twice" in refusal(tmp_path, workload=of_trace("twice.tar"))


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_archives_that_unpack_to_far_more_are_refused_unread(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "FREE_BYTES", 1 << 16)
    text = b"7\n" * 500_000
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "t.zip", "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("a", text)
    else:
        with tarfile.open(tmp_path / "t.tgz", "w:gz") as packed:
            entry = tarfile.TarInfo("a")
            entry.size = len(text)
            packed.addfile(entry, io.BytesIO(text))
    assert "times its packed size" in refusal(tmp_path, workload=of_trace(f"t.{kind}"))


@pytest.mark.parametrize("kind", ["planetlab", "csv", "bitbrains", "parquet"])
def test_pipes_are_not_opened(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    told = refusal(tmp_path, workload=of_trace("pipe.csv", kind))
    assert "neither a regular file nor a folder" in told
    for arrivals in ("table", "azure"):
        told = refusal(tmp_path, workload={"arrivals": {"type": arrivals, "path": "pipe.csv"}})
        assert "neither a regular file nor a folder" in told
    with pytest.raises(InputError, match="neither a regular file"):
        scenario(tmp_path, workload=of_trace("pipe.csv", kind)).check_paths()
    told = refusal(tmp_path, workload=of_trace("a\0b.csv", kind))
    assert "NUL" in told


def test_names_of_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / os.fsdecode(b"a\xff")).write_text("5\n6\n")
    assert "has a name that is not UTF-8" in refusal(tmp_path, workload=of_trace("day"))


def write_table(path: Path, columns: list[Any], names: list[str]) -> None:
    parquet.write_table(pa.Table.from_arrays(columns, names), path)


TIMES = pa.array([0, 300])
ODD_COLUMNS = {
    "struct": pa.array([{"x": 1}, {"x": 2}]), "binary": pa.array([b"a", b"b"]),
    "list": pa.array([[1], [2]]), "truth": pa.array([True, False]),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD_COLUMNS)
def test_parquet_columns_that_mean_nothing_are_refused(tmp_path: Path, odd: str) -> None:
    path = tmp_path / "t.parquet"
    column = ODD_COLUMNS[odd]
    write_table(path, [TIMES, column], ["time", "a"])
    assert "write numbers, texts or times" in refusal(
        tmp_path, workload=of_trace(path.name, "parquet")
    )
    ones = pa.array([1, 1])
    write_table(path, [TIMES, ones, ones, column], ["arrival", "vcpus", "memory", "vm"])
    told = refusal(tmp_path, workload={"arrivals": {"type": "table", "path": path.name}})
    assert "write numbers or texts" in told


def test_parquet_with_two_columns_of_a_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    ones = pa.array([5, 6])
    write_table(path, [TIMES, ones, ones], ["time", "a", "a"])
    told = refusal(tmp_path, workload=of_trace(path.name, "parquet"))
    assert "two columns are called 'a'" in told
    names = ["arrival", "vcpus", "memory", "memory"]
    write_table(path, [TIMES, ones, ones, ones], names)
    told = refusal(tmp_path, workload={"arrivals": {"type": "table", "path": path.name}})
    assert "two columns are called 'memory'" in told


def test_times_beyond_any_calendar_do_not_fail(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    far = pa.array([2**62, 2**62 + 300_000], pa.timestamp("ms"))
    write_table(path, [far, pa.array([5, 6])], ["time", "a"])
    try:
        load_of(scenario(tmp_path, workload=of_trace(path.name, "parquet")))
    except InputError as error:
        assert str(error).startswith("t.parquet")  # noqa: PT017 - either is right


def test_packed_content_under_a_plain_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(gzip.compress(b"arrival,vcpus,memory\n0,1,1\n"))
    for arrivals in ("table", "azure"):
        told = refusal(tmp_path, workload={"arrivals": {"type": arrivals, "path": "t.csv"}})
        assert "holds gzip data" in told
    assert "holds gzip data" in refusal(tmp_path, workload=of_trace("t.csv", "csv"))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"arrival,vcpus,memory\n0,1,1\n" * 99)[:30])
    told = refusal(tmp_path, workload={"arrivals": {"type": "table", "path": "t.csv.gz"}})
    assert told.startswith("t.csv.gz")


def test_a_column_of_semicolons_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("arrival;vcpus;memory\n0;1;1\n")
    told = refusal(tmp_path, workload={"arrivals": {"type": "table", "path": "t.csv"}})
    assert "separates columns by semicolons" in told


OUT_OF_RANGE: dict[str, tuple[str, Any]] = {
    "duration": ("run.duration", "1e300 years"), "short": ("run.duration", "1e-300 s"),
    "rounds": ("policies.every", "1e-300 s"), "series": ("run.report_every", "1e-9 s"),
    "many rounds": ("run.duration", "100 years"), "clock": ("workload.sizes.0.clock", "1e300 GHz"),
    "slow clock": ("workload.sizes.0.clock", "1e-300 GHz"),
    "vcpus": ("workload.sizes.0.vcpus", 10**20), "count": ("workload.sizes.0.count", 10**10),
    "hosts": ("farm.hosts.0.count", 10**20), "memory": ("farm.hosts.0.memory", "1e300 GiB"),
    "pue": ("cost.pue", 1e308), "racks": ("farm.hosts_per_rack", 2**64),
    "utilisation": ("workload.source.utilisation", "1e-320 %"),
    "price": ("cost.server_price", "1e300 EUR"),
    "promised": ("policies.initial.cpu_overcommit", 1e-320),
}  # fmt: skip


@pytest.mark.parametrize("which", OUT_OF_RANGE)
def test_numbers_that_no_farm_has_are_refused_with_their_field(tmp_path: Path, which: str) -> None:
    field, value = OUT_OF_RANGE[which]
    base = scenario(tmp_path, workload={
        "source": {"type": "constant", "utilisation": "30 %"}, "sizes": [SIZE | {"count": 2}],
    })  # fmt: skip
    with pytest.raises(InputError) as caught:
        base.with_({field: value})
    told = str(caught.value)
    assert field in told or which == "many rounds"
    assert "out of range" in told or "more than 5,000,000" in told


def test_messages_are_short_and_in_words_of_farmsim(tmp_path: Path) -> None:
    long = "x" * 100_000
    for change in ({long: 1}, {"cpu": {"plain": {"low": "a", "typical": 1}}}, {"name": "x"},
                   {"memory": {"vm_table": [1]}}, {"cpu": {"plain": 10**400}}):  # fmt: skip
        hypervisor = {"based_on": "kvm", "change": change}
        told = refusal(tmp_path, farm={"hosts": [HOST | {"hypervisor": hypervisor}]})
        assert "not supported between" not in told
        assert "unpack" not in told
        assert len(told) < 4000
    told = refusal(tmp_path, farm={"hosts": [HOST | {"server": long}]})
    assert len(told) < 4000


def test_faults_found_after_the_files_were_read_have_a_line(tmp_path: Path) -> None:
    (tmp_path / "load.csv").write_text("time,a\n0,50\n300,60\n")
    text = (
        "farm:\n  hosts: [{name: h, server: hp_ml110_g5, count: 1}]\n"
        "run: {duration: 10 min}\nbaseline: {type: none}\nworkload:\n"
        "  source: {type: csv, path: load.csv}\n  vms: 3\n"
    )
    (tmp_path / "s.yaml").write_text(text)
    place = f"{tmp_path / 's.yaml'}"
    with pytest.raises(InputError) as caught:
        farmsim.run(farmsim.Scenario.load(tmp_path / "s.yaml"))
    assert str(caught.value).startswith(
        f"{place}:5:1: workload.match_series_by: the trace has 1 series"
    )
    (tmp_path / "s.yaml").write_text(text.replace("vms: 3", "vms: 9\n  match_series_by: cycle"))
    with pytest.raises(InputError) as caught:
        farmsim.run(farmsim.Scenario.load(tmp_path / "s.yaml"))
    assert str(caught.value).startswith(f"{place}:2:3: farm.hosts: ")
