"""Where results may go: only farmsim's own is replaced, and never half."""

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import farmsim
from farmsim import InputError
from farmsim.analysis.run.result import Result
from farmsim.analysis.studies.failover import failover
from farmsim.analysis.studies.failover_page import save as save_failover
from farmsim.cli.main import run_command_line
from farmsim.scenarios.files import atomic_replace as workplace
from farmsim.scenarios.files import destination
from farmsim.scenarios.files.atomic_replace import recover, replacing_directory
from farmsim.scenarios.files.destination import Record, foreign_files, read_record, refuse_directory

SCENARIO = {
    "name": "tiny",
    "run": {"duration": "10 min", "report_every": "5 min"},
    "farm": {"hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 2}]},
    "workload": {"source": {"type": "constant", "utilisation": 0.5}, "vms": 2},
    "policies": {"control": "none"},
}
TEXT = json.dumps(SCENARIO | {"variants": {"base": {}, "other": {"run.report_every": "10 min"}}})


@pytest.fixture(scope="module")
def result() -> farmsim.Result:
    return farmsim.run(SCENARIO)


def cheap(seed: int, result: farmsim.Result) -> farmsim.Result:
    """The same result under another name, without a page that takes long to draw."""
    return farmsim.Result(
        name=f"run-{seed}", title=f"Run {seed}", summary=result.summary,
        manifest={**result.manifest, "seed": seed}, scenario_yaml=result.scenario_yaml,
        tables=result.tables,
    )  # fmt: skip


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def unable(*_: object) -> bool:
    """A system that cannot exchange two directories at once."""
    return False


def untidy(*_: object) -> None:
    """What a killed process does to tidy up."""


def a_symlink(place: Path) -> None:
    (place.parent / "real").mkdir()
    place.symlink_to("real")


def a_dangling_link(place: Path) -> None:
    place.symlink_to("nowhere")


def a_fifo(place: Path) -> None:
    os.mkfifo(place)


def a_file(place: Path) -> None:
    place.write_text("mine")


def a_socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(place.parent)  # the name of a socket must be short
        made.bind(place.name)
        os.chdir(here)


def a_folder(place: Path) -> None:
    place.mkdir()
    (place / "notes.txt").write_text("mine")


def a_folder_with_a_manifest(place: Path) -> None:
    place.mkdir()
    for name in ("manifest.json", "comparison.json", "failover.json"):
        (place / name).write_text('{"name": "extension", "schema_version": 1}')


def a_forged_manifest(place: Path) -> None:
    place.mkdir()
    (place / "thesis.tex").write_text("mine")
    said = {"written_by": "farmsim", "kind": "run", "files": {"thesis.tex": "0"}, "parts": []}
    (place / "manifest.json").write_text(json.dumps(said))


def a_manifest_that_is_a_fifo(place: Path) -> None:
    place.mkdir()
    os.mkfifo(place / "manifest.json")


FOREIGN = [
    a_symlink, a_dangling_link, a_fifo, a_file, a_socket, a_folder, a_folder_with_a_manifest,
    a_forged_manifest, a_manifest_that_is_a_fifo,
]  # fmt: skip
COMMANDS = {
    "run": ["run", "s.yaml"],
    "compare": ["compare", "s.yaml"],
    "evacuate": ["evacuate", "s.yaml", "--hosts", "h-1"],
    "failover": ["failover", "s.yaml"],
}


def state(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Everything below a folder: kind, inode, time of change, content of files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        told = path.lstat()
        plain = path.is_file() and not path.is_symlink()
        content = path.read_bytes() if plain else b""
        found[str(path)] = (told.st_mode, told.st_ino, told.st_mtime_ns, content)
    return found


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_what_is_not_ours_is_refused_before_anything_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    foreign: Callable[[Path], None],
    command: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(TEXT)
    foreign(tmp_path / "o")
    before = state(tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("something was simulated")

    monkeypatch.setattr("farmsim.sim.engine.Engine.run", never)
    assert run_command_line([*command, "--out", "o"]) == 2
    assert capsys.readouterr().err.startswith("o: ")
    assert state(tmp_path) == before
    with pytest.raises(InputError, match=r"^o: "):
        farmsim.run(SCENARIO, out="o")
    with pytest.raises(InputError, match=r"^o: "):
        farmsim.compare(SCENARIO, SCENARIO | {"name": "b"}, out="o")
    assert state(tmp_path) == before


@pytest.mark.parametrize("foreign", FOREIGN)
def test_saving_refuses_what_is_not_ours(
    tmp_path: Path, result: farmsim.Result, foreign: Callable[[Path], None]
) -> None:
    foreign(tmp_path / "o")
    before = state(tmp_path)
    with pytest.raises(InputError):
        result.save(tmp_path / "o")
    assert state(tmp_path) == before


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("command", [["schema"], ["report", "r"]], ids=["schema", "report"])
def test_files_that_are_not_ours_are_not_overwritten(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    result: farmsim.Result,
    foreign: Callable[[Path], None],
    command: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    result.save("r")
    foreign(tmp_path / "o")
    before = state(tmp_path)
    assert run_command_line([*command, "--out", "o"]) == 2
    assert state(tmp_path) == before


def test_own_files_are_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: farmsim.Result
) -> None:
    monkeypatch.chdir(tmp_path)
    result.save("r")
    for _ in range(2):
        assert run_command_line(["schema", "--out", "x.json"]) == 0
        assert run_command_line(["report", "r", "--out", "x.html"]) == 0
        assert run_command_line(["report", "r"]) == 0
    assert json.loads(Path("x.json").read_text())["$id"] == "farmsim-scenario-1"
    assert Path("x.html").read_text() == Path("r/report.html").read_text()
    assert names(Path()) == ["r", "x.html", "x.json"]
    assert foreign_files(Path("r")) == []


@pytest.mark.parametrize("name", ["scenario.yaml", "farmsim.schema.json"])
@pytest.mark.parametrize("foreign", [a_symlink, a_dangling_link, a_fifo, a_file])
def test_init_writes_over_nothing_foreign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign: Callable[[Path], None], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    foreign(tmp_path / name)
    before = state(tmp_path)
    assert run_command_line(["init"]) == 2
    assert state(tmp_path) == before
    forced = run_command_line(["init", "--force"])
    assert forced == (0 if foreign is a_file else 2)
    assert (state(tmp_path) == before) is (foreign is not a_file)


def test_a_rerun_keeps_notes_and_edits_by_refusing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: farmsim.Result
) -> None:
    place = tmp_path / "o"
    result.save(place)
    result.save(place)  # its own result is replaced
    assert (place / "baseline" / "tables").is_dir()
    for name in ("notes.txt", "tables/notes.txt", "baseline/notes.txt"):
        (place / name).write_text("mine")
        with pytest.raises(InputError, match=f"farmsim did not write.*: {name}; move them"):
            result.save(place)
        assert (place / name).read_text() == "mine"
        (place / name).unlink()
    (place / "mine").mkdir()
    with pytest.raises(InputError, match="mine/"):
        result.save(place)
    (place / "mine").rmdir()
    page = (place / "report.html").read_text("utf-8")
    (place / "report.html").write_text(page + "<!-- a remark of mine -->", "utf-8")
    with pytest.raises(InputError, match=r"changed since: report\.html"):
        result.save(place)
    (place / "report.html").unlink()
    (place / "report.html").symlink_to(tmp_path)
    with pytest.raises(InputError, match=r"report\.html"):
        result.save(place)
    (place / "report.html").unlink()
    result.save(place)
    assert names(tmp_path) == ["o"]


def test_a_kind_of_result_does_not_replace_another(
    tmp_path: Path, result: farmsim.Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_failover(failover(farmsim.Scenario.of(SCENARIO)), Path("o"))
    assert {each.name for each in Path("o").iterdir()} == {
        "failover.html", "failover.json", "manifest.json",
    }  # fmt: skip
    save_failover(failover(farmsim.Scenario.of(SCENARIO)), Path("o"))
    with pytest.raises(InputError, match="is not empty and not a farmsim run"):
        result.save("o")
    with pytest.raises(InputError, match="is a failover test, not a run"):
        Result.load("o")


def test_a_report_made_again_inside_a_comparison_stays_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(TEXT)
    assert run_command_line(["compare", "s.yaml", "--out", "c", "--quiet"]) == 0
    assert run_command_line(["report", "c/variants/base"]) == 0
    assert run_command_line(["report", "c/variants/base/baseline"]) == 0
    assert run_command_line(["report", "c"]) == 0
    assert foreign_files(Path("c")) == []
    Path("c/variants/other/notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"variants/other/notes\.txt"):
        refuse_directory(Path("c"), "comparison")
    Path("c/variants/other/notes.txt").unlink()
    assert run_command_line(["compare", "s.yaml", "--out", "c", "--quiet"]) == 0


PLACES = {
    "the current directory": (".", "contains the current directory"),
    "above it": ("..", "is not empty and not a farmsim run"),
    "the root": ("/", "is not empty and not a farmsim run"),
    "nothing": ("", "contains the current directory"),
    "below a file": ("../s.yaml/o", "is a file, not a directory"),
    "too long": ("n" * 300, "File name too long"),
    "a mount point": ("/proc", "not a farmsim run"),
    "below a dangling link": ("../link/o", "is a broken link"),
}


@pytest.mark.parametrize(("place", "message"), PLACES.values(), ids=PLACES.keys())
def test_places_that_cannot_be_written_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
    message: str,
) -> None:
    (tmp_path / "s.yaml").write_text(TEXT)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path / "empty")
    before = state(tmp_path)
    assert run_command_line(["run", "../s.yaml", "--out", place]) == 2
    assert message in capsys.readouterr().err
    assert state(tmp_path) == before


def test_an_empty_directory_and_missing_parents_are_filled(
    tmp_path: Path, result: farmsim.Result
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "a/b/c", "n" * 255):
        result.save(tmp_path / name)
        assert Result.load(tmp_path / name).summary == result.summary


def test_notes_written_while_a_run_goes_on_stay_and_the_result_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: farmsim.Result
) -> None:
    result.save(tmp_path / "o")

    def slow(*_: object) -> farmsim.Result:
        (tmp_path / "o" / "notes.txt").write_text("mine")
        return result

    monkeypatch.setattr("farmsim.analysis.api.execute", slow)
    with pytest.raises(InputError, match=r"notes\.txt.*The new result is in .*o-2"):
        farmsim.run(SCENARIO, out=tmp_path / "o")
    assert (tmp_path / "o" / "notes.txt").read_text() == "mine"
    assert Result.load(tmp_path / "o-2").summary == result.summary
    assert names(tmp_path) == ["o", "o-2"]


def test_a_default_place_with_notes_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(TEXT)
    assert run_command_line(["run", "s.yaml", "--quiet"]) == 0
    (run,) = Path("runs").iterdir()
    (run / "notes.txt").write_text("mine")
    for _ in range(2):
        assert run_command_line(["run", "s.yaml"]) == 0
        assert f"report: {run}-2/report.html" in capsys.readouterr().out
    assert sorted(Path("runs").iterdir()) == [run, run.with_name(f"{run.name}-2")]


# A process that writes results over and over until it is killed.
WRITER = """
import signal, sys, itertools
from pathlib import Path
from farmsim.analysis.run.result import Result
from farmsim.scenarios.files import atomic_replace as workplace
from farmsim.analysis.report import report
report.render = lambda result: "<p>" + result.name
if "fallback" in sys.argv:
    workplace.exchange = lambda one, other: False
first = Result.load(sys.argv[1])
place = Path(sys.argv[2])
first.save(place)
print("ready", flush=True)
for number in itertools.count():
    first.name = f"run-{number}"
    first.manifest = {**first.manifest, "name": first.name}
    first.save(place)
"""


@pytest.fixture
def writers(
    tmp_path: Path, result: farmsim.Result
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    cheap(0, result).save(tmp_path / "source")
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        places = [str(tmp_path / "source"), str(tmp_path / "o")]
        command = [sys.executable, "-c", WRITER, *places, *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("fallback",)], ids=["exchanged", "set aside"])
def test_a_killed_process_leaves_a_whole_result(
    tmp_path: Path, writers: Callable[..., subprocess.Popen[str]], options: tuple[str, ...]
) -> None:
    place, draws = tmp_path / "o", random.Random(7)
    for _ in range(5):
        process = writers(*options)
        time.sleep(0.05 + 0.25 * draws.random())
        process.kill()
        process.wait()
        if not options:
            assert place.is_dir()
        whole = Result.load(place)  # the fallback brings the earlier result back here
        assert whole.tables["vms"].num_rows == 2
        assert foreign_files(place) == []
    farmsim.load(tmp_path / "source").save(place)
    assert names(tmp_path) == ["o", "source"]


@pytest.mark.slow
def test_two_processes_write_to_one_place(
    tmp_path: Path, writers: Callable[..., subprocess.Popen[str]]
) -> None:
    both = [writers(), writers()]
    for _ in range(50):
        time.sleep(0.01)
        record = read_record(tmp_path / "o")
        assert record is not None
        assert record.kind == "run"
    for process in both:
        assert process.poll() is None, "a writer ended by itself"
        process.kill()
        process.wait()
    assert foreign_files(tmp_path / "o") == []
    Result.load(tmp_path / "source").save(tmp_path / "o")
    assert names(tmp_path) == ["o", "source"]


def test_a_result_replaced_while_it_is_looked_at_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: farmsim.Result
) -> None:
    """Two looks read the record of one result and the files of the next."""
    place, looks = tmp_path / "o", itertools.count()
    cheap(0, result).save(place)

    def interrupted(directory: Path) -> Record | None:
        record = read_record(directory)
        number = next(looks) if directory == place else 0
        if number in {1, 4}:
            cheap(number, result).save(tmp_path / "next")
            workplace.exchange(tmp_path / "next", place)
        return record

    monkeypatch.setattr(destination, "read_record", interrupted)
    refuse_directory(place, "run")
    assert next(looks) == 4
    looks = itertools.count(4)
    monkeypatch.setattr("farmsim.analysis.run.run_directory.read_record", interrupted)
    assert Result.load(place).title == "Run 4"
    (place / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt"):
        refuse_directory(place, "run")


def test_every_step_of_a_replacement_can_be_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: farmsim.Result
) -> None:
    """Stop before each call to the system in turn, with and without the exchange."""
    place = tmp_path / "o"
    old, new = cheap(1, result), cheap(2, result)
    monkeypatch.setattr("farmsim.analysis.report.report.render", lambda result: result.name)
    for whole in (True, False):
        if not whole:
            monkeypatch.setattr(workplace, "exchange", unable)
        for last in range(8):
            old.save(place)
            steps = iter(range(last))

            def step(
                act: Callable[..., object], left: Iterator[int], *values: object, **named: object
            ) -> object:
                if next(left, None) is None:
                    raise KeyboardInterrupt
                return act(*values, **named)

            with monkeypatch.context() as patched:
                # After a kill nothing is tidied up.
                patched.setattr(workplace, "_discard", untidy)
                patched.setattr(workplace, "_restore", untidy)
                for name in ("rename", "replace", "mkdir"):
                    act = getattr(Path, name)
                    patched.setattr(Path, name, lambda *v, a=act, s=steps, **k: step(a, s, *v, **k))
                with suppress(KeyboardInterrupt):
                    new.save(place)
            found = Result.load(place)
            assert found.name in {"tiny"}
            assert found.manifest["seed"] in {1, 2}
            old.save(place)
            assert names(tmp_path) == ["o"]


def test_an_interrupt_between_two_renames_puts_the_earlier_result_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: farmsim.Result
) -> None:
    place = tmp_path / "o"
    cheap(1, result).save(place)
    monkeypatch.setattr(workplace, "exchange", unable)
    rename = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        moved = rename(path, target)
        if path == place:
            raise KeyboardInterrupt
        return moved

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cheap(2, result).save(place)
    assert Result.load(place).manifest["seed"] == 1
    assert names(tmp_path) == ["o"]


def test_what_is_only_called_like_ours_is_not_cleaned_away(
    tmp_path: Path, result: farmsim.Result
) -> None:
    place = tmp_path / "o"
    mine = tmp_path / f"{workplace._prefix(place)}mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    other = tmp_path / f"{workplace._prefix(place)}other"
    other.mkdir()
    (other / "owner.json").write_text('{"written_by": "somebody"}')
    result.save(place)
    recover(tmp_path / "gone")
    assert (mine / "notes.txt").read_text() == "mine"
    assert (other / "owner.json").exists()


def test_a_process_at_work_is_not_cleaned_away(tmp_path: Path, result: farmsim.Result) -> None:
    place = tmp_path / "o"
    with replacing_directory(place, "run") as new:
        (new / "begun").write_text("x")
        thread = threading.Thread(target=result.save, args=(place,))
        thread.start()
        thread.join()
        assert (new / "begun").exists()
        assert Result.load(place).name == "tiny"
        cheap(3, result).save(tmp_path / "copy")
        for each in (tmp_path / "copy").iterdir():
            each.rename(new / each.name)
        (new / "begun").unlink()
    assert Result.load(place).manifest["seed"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_stopped_run_says_so_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "s.yaml").write_text(TEXT)
    command = [sys.executable, "-m", "farmsim", "run", "s.yaml", "--out", "o", "--set"]
    process = subprocess.Popen(
        [*command, "run.duration=20 years"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    time.sleep(5)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else 128 + number)
    assert errors.strip() == "interrupted; nothing was written"
    assert names(tmp_path) == ["s.yaml"]
