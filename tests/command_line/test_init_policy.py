"""``farmsim init --policy`` writes a policy that runs, with a test that passes."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from farmsim.cli.main import run_command_line

COMMANDS = {"farmsim": [sys.executable, "-m", "farmsim"], "python": [sys.executable]}


def call(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(line)
    return subprocess.run(
        [*COMMANDS[program], *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["spread_2"])
def test_the_two_commands_that_it_names_work(name: str, tmp_path: Path) -> None:
    done = call(f"farmsim init --policy {name}.py", tmp_path)
    assert done.returncode == 0, done.stderr
    wrote = [line.removeprefix("wrote ") for line in done.stdout.splitlines() if "wrote" in line]
    assert wrote == [f"{name}.py", f"test_{name}.py"]
    lines = [line.removeprefix("now: ") for line in done.stdout.splitlines() if "now: " in line]
    assert [line.split()[0] for line in lines] == ["farmsim", "python"]
    ran = call(lines[0], tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "100 VMs ran" in ran.stdout
    tested = call(f"{lines[1]} -p no:cacheprovider", tmp_path)
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout


def test_the_test_fails_with_a_policy_that_does_nothing(tmp_path: Path) -> None:
    assert call("farmsim init --policy my_policy.py", tmp_path).returncode == 0
    path = tmp_path / "my_policy.py"
    idle = path.read_text("utf-8").replace("use.max() > self.limit", "False")
    path.write_text(idle, "utf-8")
    tested = call("python -m pytest -p no:cacheprovider test_my_policy.py", tmp_path)
    assert "1 failed, 1 passed" in tested.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("numpy.py", "hides the module numpy, which exists"),
        ("my-policy.py", "is no module name"),
        ("class.py", "is no module name"),
        ("policy.yaml", "does not end in .py"),
        ("gone/policy.py", "does not exist"),
    ],
)
def test_names_that_cannot_be_imported_are_refused(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run_command_line(["init", "--policy", name]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    test = tmp_path / "test_mine.py"
    test.write_text("mine")
    assert run_command_line(["init", "--policy", "mine.py"]) == 2
    assert "test_mine.py: exists" in capsys.readouterr().err
    assert test.read_text() == "mine"
    assert not (tmp_path / "mine.py").exists()
    assert run_command_line(["init", "--policy", "mine.py", "--force"]) == 0
    assert "import Mine" in test.read_text()
    assert run_command_line(["init", "s.yaml", "--policy", "other.py"]) == 2
