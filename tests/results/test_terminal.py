"""What reaches a terminal, what a reader that goes away or a full disk changes, and damage."""

import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import farmsim
from farmsim import InputError
from farmsim.cli.main import run_command_line
from farmsim.scenarios.errors.terminal_text import one_line, printable, writable
from farmsim.scenarios.files.destination import foreign_files

EVIL = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202eevil"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LINK = "<a href='https://evil.example/'>k</a>"
SCENARIO: dict[str, Any] = {
    "name": "tiny",
    "run": {"duration": "10 min", "report_every": "5 min"},
    "farm": {
        "hosts": [
            {"name": EVIL, "server": "hp_ml110_g5", "count": 1},
            {"name": LINK, "server": "hp_ml110_g5", "count": 1},
        ]
    },
    "workload": {
        "source": {"type": "constant", "utilisation": 0.5}, "vms": 2,
        "sizes": [{"name": EVIL, "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB"}],
    },
    "migration": {"model": "pre_copy"},
    "policies": {"initial": {"placement": "round_robin"}, "control": "consolidation"},
}  # fmt: skip
VARIANTS = SCENARIO | {"variants": {"base": {}, "other": {"policies.control": "none"}}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return farmsim.run(SCENARIO).save(tmp_path_factory.mktemp("saved") / "o")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(json.dumps(VARIANTS))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\u001b[31mb"),
        ("\x9b\x7f\r", "\\u009b\\u007f\\u000d"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("ü € – 漢 👍\tx\n", "ü € – 漢 👍\tx\n"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert json.loads(printable(json.dumps(text, ensure_ascii=False))) == text


def test_a_name_stays_on_its_line() -> None:
    assert one_line("a\nb: ok\t") == "a\\nb: ok\\t"


def test_a_stream_gets_what_its_encoding_has() -> None:
    assert writable("a – b", io.TextIOWrapper(io.BytesIO(), "ascii")) == "a \\u2013 b"


COMMANDS = {
    "run": ["run", "s.yaml", "--out", "o"],
    "json": ["run", "s.yaml", "--json", "--out", "o"],
    "compare": ["compare", "s.yaml", "--out", "c"],
    "failover": ["failover", "s.yaml", "--out", "f"],
    "evacuate": ["evacuate", "s.yaml", "--hosts", "*evil*", "--at", "1 min", "--out", "e"],
    "nobody": ["evacuate", "s.yaml", "--hosts", EVIL, "--at", "1 min", "--out", "e"],
    "optimum": ["optimum", "s.yaml", "--at", "5 min"],
    "no file": ["validate", f"{EVIL}.yaml"],
    "no run": ["report", EVIL],
    "no entry": ["catalog", "servers", EVIL],
    "no command": [EVIL],
    "no option": ["run", f"--{EVIL}"],
    "key": ["run", "s.yaml", "--set", f"farm.{EVIL}=1"],
    "value": ["run", "s.yaml", "--set", f"seed={EVIL}"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_no_name_controls_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert run_command_line(command) in {0, 1, 2}
    told = capsys.readouterr()
    both = told.out + told.err
    assert both
    assert not set(both) & set("\x1b\x07\x9b\u202e\r")
    if "--json" in command:
        assert json.loads(told.out)["vms"]["value"] == 2


def test_explain_writes_names_out(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["explain", str(saved), "--vm", "*1"]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\\u001b]0;owned" in told


def texts(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [text for each in values for text in texts(each)]


def test_no_label_of_a_figure_is_a_link(folder: Path, saved: Path) -> None:
    result = farmsim.load(saved)
    compared = farmsim.compare("s.yaml")
    figures = [result.figure(name) for name in ("busiest_hosts", "heatmap", "power")]
    figures += [compared.figure(name) for name in ("metrics", "power")]
    found = [text for each in figures for text in texts(each.to_plotly_json())]
    assert any("&lt;a href=" in text for text in found)
    assert not any("<a" in text for text in found)
    assert any("<extra></extra>" in text for text in found), "templates keep their markup"


@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None and "FARMSIM_NEEDS_BROWSER" not in os.environ, reason="no Chromium"
)
def test_no_page_has_a_link_from_a_name(folder: Path, saved: Path) -> None:
    for command in ("compare", "failover"):
        run_command_line([*COMMANDS[command], "--quiet"])
    for page in (saved / "report.html", folder / "c/compare.html", folder / "f/failover.html"):
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000",
                 f"--user-data-dir={folder / 'profile'}", "--dump-dom"]  # fmt: skip
        browser = [CHROMIUM or "chromium", *flags, page.as_uri()]
        done = subprocess.run(browser, capture_output=True, text=True, timeout=120, check=True)
        assert not re.search(r'href="https?://evil', done.stdout)
        assert 'class="main-svg"' in done.stdout or page.name == "failover.html"


LISTING = ["catalog", "policies"]


def limited(size: int) -> Callable[[], None]:
    """Let a process write files of so many bytes at most."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def ended(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "farmsim", *arguments]
    return subprocess.run(command, text=True, check=False, **settings)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (LISTING, 0), (["schema"], 0), (["--help"], 0), (["run", "--help"], 0), (["--version"], 0),
        (["run", "s.yaml", "--set", "assert={energy_kwh: < 0}"], 1), (["run", "gone.yaml"], 2),
    ],
    ids=str,
)  # fmt: skip
def test_a_reader_that_has_gone_changes_no_exit_code(
    folder: Path, arguments: list[str], code: int
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = ended(*arguments, stdout=writer, stderr=subprocess.PIPE, cwd=folder)
    os.close(writer)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "internal error" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "unbuffered"), [(LISTING, "1"), (LISTING, ""), (["schema"], ""), (["--help"], "")]
)
def test_standard_output_that_is_full_ends_with_2(
    tmp_path: Path, arguments: list[str], unbuffered: str
) -> None:
    with (tmp_path / "out").open("w") as out:
        done = ended(
            *arguments, stdout=out, stderr=subprocess.PIPE, preexec_fn=limited(100),
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "standard output: cannot be written: File too large\n"


FULL = {
    "run": ["run", "s.yaml", "--out", "o"],
    "compare": ["compare", "s.yaml", "--out", "o"],
    "failover": ["failover", "s.yaml", "--out", "o"],
    "evacuate": ["evacuate", "s.yaml", "--hosts", "*evil*", "--out", "o"],
    "init": ["init", "o.yaml"],
    "schema": ["schema", "--out", "o"],
}


@pytest.mark.parametrize("arguments", FULL.values(), ids=FULL.keys())
def test_a_full_disk_ends_with_2_and_leaves_nothing(folder: Path, arguments: list[str]) -> None:
    before = sorted(folder.iterdir())
    done = ended(*arguments, capture_output=True, preexec_fn=limited(200), cwd=folder)
    assert done.returncode == 2, done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert done.stderr.startswith(("o: ", "farmsim.schema.json: "))
    assert sorted(folder.iterdir()) == before


def test_a_full_disk_keeps_the_earlier_result(
    folder: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = farmsim.load(saved)
    result.save("o")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(InputError, match=r"^o: cannot be written: No space left on device$"):
        result.save("o")
    assert farmsim.load("o").summary == result.summary
    assert sorted(each.name for each in folder.iterdir()) == ["o", "s.yaml"]


def test_a_file_system_that_is_read_only_or_fails_is_told(
    folder: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = farmsim.load(saved)

    def read_only(*_: object, **__: object) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", read_only)
    with pytest.raises(InputError, match=r"^o: cannot be written: Read-only file system$"):
        result.save("o")
    for command in (["schema", "--out", "x.json"], ["init", "new.yaml"], ["report", str(saved)]):
        assert run_command_line(command) == 2
    assert foreign_files(saved) == []


def test_a_place_without_permission_is_refused_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "shut").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "shut")
    assert run_command_line(["run", "s.yaml", "--out", "shut/o"]) == 2
    assert capsys.readouterr().err == "shut: is not writable; choose another path\n"
    assert run_command_line(["schema", "--out", "gone/x.json"]) == 2
    assert capsys.readouterr().err == "gone: directory does not exist; create it first\n"


NEEDED_BY = {"report": {"tables/vms.parquet"}, "explain": {"tables/farm_series.parquet"}}
"""Tables that a command can do without."""


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def bent(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def gone(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe{")


def a_list(path: Path) -> None:
    path.write_text("[1, 2]")


def deep(path: Path) -> None:
    path.write_text("[" * 100_000)


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "harm", [cut, bent, gone, empty, no_text, a_list, deep, a_directory],
    ids=lambda harm: harm.__name__,
)  # fmt: skip
@pytest.mark.parametrize(
    "name",
    ["manifest.json", "summary.json", "scenario.resolved.yaml", "tables/vms.parquet",
     "tables/farm_series.parquet"],
)  # fmt: skip
def test_a_damaged_run_is_refused_with_what_is_damaged(
    tmp_path: Path,
    saved: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    harm: Callable[[Path], None],
) -> None:
    place = tmp_path / "o"
    farmsim.load(saved).save(place)
    harm(place / name)
    for command in (["report"], ["explain", "--vm", "*1"]):
        # What a command does not need is not read, unless it is missing or cut.
        needed = harm is not bent or name not in NEEDED_BY.get(command[0], {})
        code = run_command_line([*command, str(place)])
        told = capsys.readouterr().err
        assert code == (2 if needed else 0)
        assert (told.startswith(f"{place}: is ") and name in told) is needed
    with pytest.raises(InputError, match=name):
        farmsim.load(place).table(Path(name).stem if "tables" in name else "vms")


@pytest.mark.parametrize("name", ["a\0b", "n" * 5000, "\udcff", ""], ids=repr)
@pytest.mark.parametrize(
    "command", [["report"], ["explain", "--vm", "x"]], ids=["report", "explain"]
)
def test_odd_paths_are_no_runs(
    capsys: pytest.CaptureFixture[str], command: list[str], name: str
) -> None:
    assert run_command_line([*command, name]) == 2
    assert "internal error" not in capsys.readouterr().err
    with pytest.raises(InputError):
        farmsim.load(name)


BOUNDS = {
    "evacuate": [
        ["--at=-1 h"], ["--at=1e999 h"], ["--at=nan"], ["--at=1 h"], ["--maintenance-time=-1 s"],
        ["--maintenance-time=1 h"], ["--maintenance-time=1e300 h"], ["--deadline=-1 s"],
        ["--deadline=1 h"], ["--deadline="], ["--hosts-per-wave=-1"], ["--hosts-per-wave=1e9"],
    ],
    "optimum": [["--at=-1 h"], ["--at=1 h"], ["--at=5 min", "--time-limit=-1 s"],
                ["--at=5 min", "--time-limit=1e999 s"], ["--at=5 min", "--max-utilisation=0 %"]],
    "failover": [["--at=-1 h"], ["--at=1 h"], ["--at=1e999 h"], ["--at="]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "options"),
    [(command, options) for command, several in BOUNDS.items() for options in several],
    ids=str,
)
def test_times_outside_the_run_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, options: list[str]
) -> None:
    hosts = ["--hosts", "*"] if command == "evacuate" else []
    assert run_command_line([command, "s.yaml", *hosts, *options]) == 2
    assert options[-1].partition("=")[0] in capsys.readouterr().err
    assert [each.name for each in folder.iterdir()] == ["s.yaml"]


@pytest.mark.parametrize("step", ["²", "٣", "9" * 5000, "-1", "0x0", "1e0", "+0", ""], ids=repr)
def test_an_entry_of_a_list_is_a_plain_number_or_a_name(
    folder: Path, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    assert run_command_line(["validate", "s.yaml", "--set", f"farm.hosts.{step}.count=5"]) == 2
    told = capsys.readouterr().err
    assert "no entry" in told
    assert len(told) < 2000
    assert run_command_line(["validate", "s.yaml", "--set", "farm.hosts.00.count=5"]) == 0


COUNT_THREADS = """
import os, sys
import pyarrow.parquet
from farmsim.cli.main import run_command_line
before = len(os.listdir("/proc/self/task"))
code = run_command_line(sys.argv[1:])
sys.exit(code or len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted on Linux")
@pytest.mark.parametrize("command", ["explain", "report", "run"])
def test_no_thread_is_left_to_end_the_process_with_an_abort(
    folder: Path, saved: Path, command: str
) -> None:
    """A pool of threads that closes down as the interpreter ends may call terminate()."""
    traced = SCENARIO | {"workload": SCENARIO["workload"] | {"source": "planetlab-20110303"}}
    (folder / "t.yaml").write_text(json.dumps(traced))
    arguments = {
        "explain": ["explain", str(saved), "--vm", "vm-1"],
        "report": ["report", str(saved), "--out", "page.html"],
        "run": ["run", "t.yaml", "--out", "out", "--quiet"],
    }[command]
    process = [sys.executable, "-c", COUNT_THREADS, *arguments]
    done = subprocess.run(
        process, capture_output=True, text=True, check=False, cwd=folder,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
