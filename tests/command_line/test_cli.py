"""The command line as its users call it: as a process of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import farmsim
from farmsim.cli import output

SMALL = """farmsim: 1
name: small
run: {duration: 2 h}
farm:
  hosts: [{name: h, server: hp_ml110_g5, count: 4, memory: 32 GiB}]
workload:
  source: {type: constant, utilisation: 30 %}
  vms: 8
  sizes: [{name: s, vcpus: 1, clock: 1 GHz, memory: 1 GiB}]
policies: {control: consolidation}
"""


def call(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "farmsim", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text(SMALL)
    return tmp_path


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.name.startswith("."))


def test_a_run_leaves_a_whole_directory(folder: Path) -> None:
    done = call("run", "s.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    (run,) = (folder / "runs").iterdir()
    assert run.name.startswith("small-")
    assert sorted(path.name for path in run.iterdir()) == [
        "baseline", "manifest.json", "report.html", "scenario.resolved.yaml", "summary.json",
        "tables",
    ]  # fmt: skip
    tables = sorted(path.stem for path in (run / "tables").iterdir())
    assert tables == [
        "bounds", "costs", "decisions", "farm_series", "groups", "hosts", "migrations",
        "power_events", "utilisation_map", "violations", "vms",
    ]  # fmt: skip
    summary = json.loads((run / "summary.json").read_text())
    assert summary["energy_kwh"].keys() == {"value", "unit", "ci95", "n"}
    assert summary["verdict"] in done.stdout
    assert summary["schema_version"] == 1
    assert not left_behind(folder)
    again = call("run", run / "scenario.resolved.yaml", "--out", "again", cwd=folder)
    assert again.returncode == 0
    second = json.loads((folder / "again" / "summary.json").read_text())
    assert second["energy_kwh"] == summary["energy_kwh"]


def test_overrides_seed_json_and_quiet(folder: Path) -> None:
    done = call(
        "run", "s.yaml", "--set", "farm.hosts.h.count=3", "--seed", "9", "--json", "--out", "o",
        cwd=folder,
    )  # fmt: skip
    summary = json.loads(done.stdout)
    assert summary["hosts"]["value"] == 3
    assert json.loads((folder / "o" / "manifest.json").read_text())["seed"] == 9
    quiet = call("run", "s.yaml", "--quiet", "--out", "o", cwd=folder)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_validate_names_every_file_and_fault(folder: Path) -> None:
    (folder / "bad.yaml").write_text(SMALL.replace("count: 4", "count: none"))
    done = call("validate", "s.yaml", "bad.yaml", cwd=folder)
    assert done.returncode == 2
    assert done.stdout == "s.yaml: ok\n"
    assert done.stderr.startswith("bad.yaml:5:42: farm.hosts.0.count: not a whole number")
    assert call("validate", "s.yaml", cwd=folder).returncode == 0
    (folder / "s.yaml").write_text(SMALL.replace("constant, utilisation: 30 %", "csv, path: no"))
    done = call("validate", "s.yaml", cwd=folder)
    assert done.returncode == 2
    assert "workload.source.path: no such file" in done.stderr


BAD = {
    "no such scenario": (["run", "gone.yaml"], "gone.yaml: no such file"),
    "unknown option": (["run", "s.yaml", "--sed", "1"], "No such option"),
    "unknown command": (["simulate"], "No such command"),
    "not a run": (["report", "."], "is not a run directory"),
    "bad override": (["run", "s.yaml", "--set", "seed=x"], "--set seed=x: seed: not a whole"),
    "out is a file": (["run", "s.yaml", "--out", "s.yaml"], "is a file; choose a directory"),
    "out is somebody's": (["run", "s.yaml", "--out", "."], "is not empty and not a farmsim run"),
    "unknown hypervisor": (["catalog", "hypervisors", "esx"], "did you mean esxi"),
    "no assistance": (
        ["run", "s.yaml", "--set", "farm.hosts.h.hypervisor=hyper_v"],
        "--set farm.hosts.h.hypervisor=hyper_v: farm.hosts.0.hypervisor: hyper_v needs nested",
    ),
    "unknown entry": (["catalog", "servers", "vax"], "there is no entry 'vax'"),
    "code": (["run", "s.yaml", "--set", "policies.control=os:path"], "--allow-code"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_ends_with_2_and_writes_nothing(
    folder: Path, arguments: list[str], message: str
) -> None:
    before = sorted(folder.rglob("*"))
    done = call(*arguments, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(folder.rglob("*")) == before


def test_a_failed_assertion_ends_with_1_and_still_writes(folder: Path) -> None:
    (folder / "s.yaml").write_text(SMALL + "assert: {energy_kwh: < 0.001, slatah: <= 100 %}\n")
    done = call("run", "s.yaml", "--out", "o", cwd=folder)
    assert done.returncode == 1
    assert "assertion failed: energy_kwh is 0." in done.stderr
    assert (folder / "o" / "report.html").is_file()
    assert "Failed assertions" in (folder / "o" / "report.html").read_text("utf-8")


def test_an_internal_error_ends_with_3_and_says_so(folder: Path) -> None:
    program = (
        "import farmsim.analysis.run.execute as e\n"
        "def broken(*a): raise RuntimeError('boom')\n"
        "e.execute = broken\n"
        "from farmsim.cli.main import run_command_line\n"
        "raise SystemExit(run_command_line(['run', 's.yaml']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "internal error: RuntimeError: boom" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_with_130_and_leaves_nothing(folder: Path) -> None:
    command = [sys.executable, "-m", "farmsim", "run", "s.yaml", "--set", "run.duration=20 years"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(6)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == "interrupted; nothing was written"
    assert sorted(path.name for path in folder.iterdir()) == ["s.yaml"]


def test_a_run_replaces_an_earlier_one_and_nothing_else(folder: Path) -> None:
    for _ in range(2):
        assert call("run", "s.yaml", "--quiet", "--out", "o", cwd=folder).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["o", "s.yaml"]


def test_report_is_made_again_from_the_directory_alone(folder: Path) -> None:
    call("run", "s.yaml", "--quiet", "--out", "o", cwd=folder)
    first = (folder / "o" / "report.html").read_text("utf-8")
    (folder / "s.yaml").unlink()
    (folder / "o" / "report.html").unlink()
    assert call("report", "o", cwd=folder).returncode == 0
    assert (folder / "o" / "report.html").read_text("utf-8") == first


def test_init_gives_a_scenario_that_runs(tmp_path: Path) -> None:
    assert call("init", cwd=tmp_path).returncode == 0
    text = (tmp_path / "scenario.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=./farmsim.schema.json")
    assert json.loads((tmp_path / "farmsim.schema.json").read_text())["definitions"]
    assert call("validate", "scenario.yaml", cwd=tmp_path).returncode == 0
    assert call("run", "scenario.yaml", "--quiet", cwd=tmp_path).returncode == 0
    again = call("init", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists; choose another name, or overwrite it with --force" in again.stderr


def test_version_help_schema_and_catalogue(tmp_path: Path) -> None:
    assert farmsim.__version__ in call("--version", cwd=tmp_path).stdout
    assert "validate" in call("--help", cwd=tmp_path).stdout
    assert json.loads(call("schema", cwd=tmp_path).stdout)["$schema"]
    for what in ("servers", "hypervisors", "classes", "policies", "workloads"):
        listed = json.loads(call("catalog", what, "--json", cwd=tmp_path).stdout)
        assert len(listed) > 5
    shown = call("catalog", "policies", "local_regression", cwd=tmp_path).stdout
    assert "Beloglazov" in shown
    assert "safety: Factor on the forecast demand. Default: 1.2." in shown
    shown = call("catalog", "hypervisors", "kvm", cwd=tmp_path).stdout
    assert "  cpu.plain   " in shown
    assert "V: verified in a primary data set" in shown
    assert "Felter et al., ISPASS 2015" in shown


def test_a_policy_of_the_users_own_is_loaded_when_allowed(folder: Path) -> None:
    (folder / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from farmsim.policies.placement.placement import place_each\n"
        "from farmsim.policies.placement_algorithms.first_fit import row_order\n"
        "from farmsim.policies.placement.host_costs import Pricing\n"
        "@dataclass(frozen=True)\n"
        "class Last:\n"
        '    """The last host that has room."""\n'
        "    def place(self, room, vms):\n"
        "        last_first = Pricing(lambda room, vms, at: -row_order(room, vms, at))\n"
        "        return place_each(room, vms, last_first)\n"
    )
    done = call(
        "run", "s.yaml", "--allow-code", "--set", "policies.initial.placement=mine:Last",
        "--set", "policies.control=none", "--quiet", "--out", "o", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    hosts = farmsim.load(folder / "o").table("vms")["first_host"].to_pylist()
    assert set(hosts) == {"h-3", "h-4"}
    resolved = (folder / "o" / "scenario.resolved.yaml").read_text()
    assert "policy: mine:Last" in resolved


def test_a_terminal_shows_progress_and_a_pipe_does_not(folder: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "farmsim", "run", "s.yaml", "--set", "run.duration=4 d"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=follower, env=environment
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:  # how a terminal says that nobody is left on the other side
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"small" in shown
    assert b"of 96 h" in shown
    assert call("run", "s.yaml", cwd=folder).stderr == ""


def test_json_is_printed_in_one_place_with_names_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.echo_json({"vm": "größe – 漢"})
    assert capsys.readouterr().out == '{"vm": "größe – 漢"}\n'
    with pytest.raises(ValueError, match="JSON"):
        output.echo_json({"share": float("nan")})
    commands = Path(output.__file__).parent.glob("*.py")
    assert [file.name for file in commands if "json.dumps" in file.read_text("utf-8")] == [
        "output.py"
    ]
