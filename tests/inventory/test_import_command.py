"""``farmsim import`` as a command: files in, a directory or a refusal out."""

import csv
import html
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inventories import DATA, expected

import farmsim
from farmsim.analysis.planning.as_is import AsIs, HostAsIs, as_is_findings
from farmsim.analysis.planning.load_tiers import known_load
from farmsim.cli.main import run_command_line

SMALL = DATA / "rvtools_v4_ui.xlsx"


def call(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call farmsim as a process of its own."""
    command = [sys.executable, "-m", "farmsim", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def record(directory: Path) -> Any:
    """Return what import.json holds."""
    return json.loads((directory / "import.json").read_text("utf-8"))


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV table."""
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small RVTools workbook, imported."""
    folder = tmp_path_factory.mktemp("small")
    done = call("import", SMALL, "-o", "farm", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("9 of 14 VMs are in the plan; left out: 1 template, ")
    assert "no figure: 1 host has VMs but no row: esx-b9" in done.stdout
    assert all(len(line) < 200 for line in done.stdout.splitlines())
    return folder / "farm"


def test_the_small_workbook_has_the_right_counts(small: Path) -> None:
    wanted, found = expected("rvtools_v4_ui.xlsx"), record(small)
    counts = found["counts"]
    assert {name: counts[name] for name in wanted["excluded"]} == wanted["excluded"]
    assert (counts["in_plan"], counts["vms"], counts["hosts_in_service"]) == (9, 14, 3)
    for cluster in found["clusters"]:
        right = wanted["clusters"][cluster["name"]]
        assert cluster["vms_in_plan"] == right["vms_in_plan"]
        assert cluster["vcpus"] == right["vcpus"]
        assert cluster["memory_mib"] == right["memory_mib"]
        assert cluster["vms_without_host_row"] == right["vms_without_host_row"]
    assert [each["reason"] is None for each in found["clusters"]] == [True, False]
    codes = {each["code"] for each in found["findings"]}
    assert {line.split()[0] for line in wanted["findings"]} <= codes
    assert found["inputs"][0]["file"] == SMALL.name
    assert len(found["inputs"][0]["sha256"]) == 64


def test_the_tables_hold_the_vms_and_rules(small: Path) -> None:
    rows = table(small / "vms.csv")
    planned = {row["vm"]: row for row in rows if row["scope"] == "in_plan"}
    assert len(planned) == 9
    wanted = {key.split(":")[1]: vm for key, vm in expected(SMALL.name)["vms_in_plan"].items()}
    for name in ("app-02", "db-01", "odd-01"):
        assert float(planned[name]["memory_mib"]) == wanted[name]["memory_mib"]
        assert float(planned[name]["cpu_used_mhz"]) == wanted[name]["cpu_used_mhz"]
    assert {"app-01 (Alpha)", "app-01 (Beta)"} <= set(planned)
    rules = table(small / "rules.csv")
    assert [(row["type"], row["vm"]) for row in rules] == [("apart", "db-01"), ("apart", "db-02")]


def test_the_imported_farm_is_valid_and_runs(small: Path, tmp_path: Path) -> None:
    assert call("validate", small / "scenario.yaml", cwd=tmp_path).returncode == 0
    done = call("run", small / "scenario.yaml", "--out", "run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["vms_ran"]["value"], summary["hosts"]["value"]) == (9, 4)
    assert summary["energy_kwh"]["value"] > 0


def test_the_farm_as_it_is_shows_what_hosts_state(small: Path) -> None:
    found = record(small)["as_is"]
    assert found["not_checked_because"] is None
    assert (found["hosts"], found["cpu_compared"]) == (3, 3)
    # The VM of the host without a row runs on the only other host of its cluster.
    assert found["memory_same"] == 2
    differing = {each["host"]: each for each in found["differing"]}
    assert differing["esx-b1"]["vms_moved_here"] == 1
    assert differing["esx-b1"]["memory_mib_simulated"] == 18_432 + 8_192


def test_hosts_that_state_their_use_alone_are_reproduced(tmp_path: Path) -> None:
    assert (
        run_command_line(
            ["import", str(DATA / "rvtools_next_131vm.xlsx"), "-o", str(tmp_path / "n"), "--quiet"]
        )
        == 0
    )
    found = record(tmp_path / "n")["as_is"]
    assert (found["hosts"], found["cpu_same"], found["memory_same"]) == (8, 8, 8)
    assert found["differing"] == []


def test_large_workbook_has_figures_of_complete_clusters_only(tmp_path: Path) -> None:
    target = tmp_path / "e"
    book = DATA / "rvtools_enterprise_805vm.xlsx"
    assert run_command_line(["import", str(book), "-o", str(target), "--quiet"]) == 0
    found = record(target)
    assert (found["counts"]["in_plan"], found["counts"]["powered_off"]) == (763, 32)
    assert found["counts"]["vcpus_in_plan"] == 2629
    assert found["counts"]["memory_mib_in_plan"] == 10_420_492
    clusters = {each["name"]: each for each in found["clusters"]}
    assert clusters["Cluster1"]["memory_n1"] is None
    assert sum(each["hosts_missing"] for each in clusters.values()) == 5
    assert sum(each["vms_without_host_row"] for each in clusters.values()) == 28
    two = clusters["Cluster2"]
    shares = (two["memory_utilisation"], two["memory_n1"], two["cpu_utilisation"])
    assert [round(100 * share, 1) for share in shares] == [73.7, 77.2, 41.2]
    page = (target / "import.html").read_text("utf-8")
    assert "763 of 805 VMs are in the plan; left out: 10 templates and 32 powered off." in page
    assert "No figure of capacity: 3 hosts have VMs but no row: esx-35, esx-36, esx-37" in page


def test_a_second_import_replaces_the_first_and_no_foreign_folder(tmp_path: Path) -> None:
    book = shutil.copy(SMALL, tmp_path / "book.xlsx")
    command = ["import", str(book), "-o", str(tmp_path / "farm"), "--quiet"]
    assert run_command_line(command) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "farm").iterdir()}
    assert run_command_line(command) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "farm").iterdir()} == before
    (tmp_path / "farm" / "mine.txt").write_text("mine")
    assert run_command_line(command) == 2
    assert (tmp_path / "farm" / "mine.txt").read_text() == "mine"
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years")
    assert run_command_line(["import", str(book), "-o", str(foreign)]) == 2
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]
    assert {path.name for path in tmp_path.iterdir()} == {"book.xlsx", "farm", "foreign"}


def test_strict_ends_with_1_and_writes_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["import", str(SMALL), "-o", str(tmp_path / "farm"), "--strict", "--json"]
    assert run_command_line(command) == 1
    assert json.loads(capsys.readouterr().out)["schema_version"] == 1
    assert (tmp_path / "farm" / "import.html").is_file()


def test_an_anonymous_import_is_the_same_again_and_names_nothing(tmp_path: Path) -> None:
    command = ["import", str(SMALL), "-o", str(tmp_path / "farm"), "--anonymize"]
    assert run_command_line(command) == 0
    names = ("app-01", "db-01", "esx-a1", "Alpha", "rvtools_v4", "vcenter.example", "vCLS-")
    first = {}
    for path in (tmp_path / "farm").iterdir():
        first[path.name] = path.read_bytes()
        text = path.read_text("utf-8")
        assert not [name for name in names if name in text], path.name
    assert (tmp_path / "farm-key.json").is_file()
    shutil.rmtree(tmp_path / "farm")
    assert run_command_line(command) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "farm").iterdir()} == first
    inside = [*command, "--key", str(tmp_path / "farm" / "key.json")]
    assert run_command_line(inside) == 2


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, [], "no such"),
        (b"", [], "book.csv"),
        (b"PK\x03\x04 cut off", [], "book.csv"),
        (b"\xd0\xcf\x11\xe0 old xls", [], "book.csv"),
        (b"a,b,c\n1,2,3\n", [], "known format"),
        (b"{}", [], "known format"),
        (b"\xff\xfe\x00", [], "book.csv"),
        (SMALL, ["--include", "of"], "no class 'of'; "),
        (SMALL, ["--map", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (SMALL, ["--key", "k.json"], "--key is of no use without --anonymize"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    tmp_path: Path, content: bytes | Path | None, options: list[str], message: str
) -> None:
    book = tmp_path / ("book.xlsx" if isinstance(content, Path) else "book.csv")
    if content is not None:
        book.write_bytes(content.read_bytes() if isinstance(content, Path) else content)
    done = call("import", book, "-o", "farm", *options, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "farm").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {book.name}


def test_what_is_known_of_cpu_is_told_as_by_size_and_headroom(small: Path, tmp_path: Path) -> None:
    joined = tmp_path / "joined"
    files = [str(SMALL), str(DATA / "vrops_vm_hourly.csv")]
    assert run_command_line(["import", *files, "--tz", "UTC", "-o", str(joined), "--quiet"]) == 0
    for folder in (small, joined):
        known, told = (
            known_load(farmsim.Scenario.load(folder / "scenario.yaml")),
            record(folder)["cpu"],
        )
        assert (told["tier"], told["words"]) == (known.tier, known.words)
        page = (folder / "import.html").read_text("utf-8")
        assert f"{known.words[1:]} ({known.tier})" in html.unescape(page)
    assert record(small)["peak_coincidence"] is None
    assert "peak together" not in (small / "import.html").read_text("utf-8")
    found = record(joined)["peak_coincidence"]
    assert {(each["cluster"], each["percentile"]) for each in found} == {
        (name, p) for name in (None, "Alpha", "Beta") for p in (0.95, 1)
    }
    assert all(0 < each["share"] <= 1 for each in found if each["percentile"] == 1)
    assert "peak together" in (joined / "import.html").read_text("utf-8")


def test_names_are_escaped_in_the_page(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    (tmp_path / "f.yaml").write_text(f'clusters: [{{hosts: "*", cluster: "{evil}"}}]\n')
    command = [
        "import",
        str(SMALL),
        "-o",
        str(tmp_path / "farm"),
        "--map",
        str(tmp_path / "f.yaml"),
    ]
    assert run_command_line([*command, "--quiet"]) == 0
    page = (tmp_path / "farm" / "import.html").read_text("utf-8")
    assert evil not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_host_that_differs_is_told_with_both_figures() -> None:
    same = HostAsIs("h1", 0.204, 0.20, 0.204, 1024.0, 1024.0)
    lower = HostAsIs("h2", 0.17, 0.20, 0.17, 1024.0, 1024.0)
    wrong = HostAsIs("h3", 0.40, 0.20, 0.40, 2048.0, 1024.0)
    moved = HostAsIs("h4", 0.30, 0.20, None, 2048.0, 1024.0, 0, 1, 0.10, 1024.0)
    assert same.same_cpu
    assert as_is_findings(AsIs((same,))) == []
    (explained,) = as_is_findings(AsIs((lower,)))
    assert (explained.code, explained.objects) == ("AS_IS_HYPERVISOR", ("h2",))
    told = as_is_findings(AsIs((same, wrong)))
    assert [each.code for each in told] == ["AS_IS_DIFFERS"] * 2
    assert "2,048 MiB simulated, 1,024 MiB recorded" in told[0].message
    assert "40 % simulated, 20 % recorded" in told[1].message
    (crowded,) = as_is_findings(AsIs((same, moved)))
    assert "1 VM whose own hosts have no row" in crowded.message


@pytest.mark.parametrize(
    "names",
    [
        ["azure_migrate.csv"],
        ["liveoptics.xlsx"],
        ["nutanix_collector.xlsx"],
        ["proxmox_cluster_resources.json", "proxmox_node_status.json"],
        ["rvtools_v4_ui.xlsx", "vrops_vm_hourly.csv", "vrops_host_hourly.csv"],
        ["rvtools_v4_ui.xlsx", "rvtools_old_mb_locale.xlsx"],
        ["rvtools_v4_ui.xlsx", "rvtools_next_131vm.xlsx"],
    ],
)
def test_every_format_becomes_a_scenario_that_can_be_simulated(
    tmp_path: Path, names: list[str]
) -> None:
    files = [str(DATA / name) for name in names]
    target = tmp_path / "farm"
    assert run_command_line(["import", *files, "-o", str(target), "--tz", "UTC", "--quiet"]) == 0
    assert run_command_line(["validate", str(target / "scenario.yaml")]) == 0
    found = record(target)["as_is"]
    assert found["not_checked_because"] is None
    assert found["unplaced"] == []
