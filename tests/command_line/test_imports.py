"""What a command imports: nothing that takes long and that it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("scipy", "networkx", "plotly", "pyarrow", "simpy", "pandas", "jinja2", "rich", "numpy.ma")
UNUSED_BY_A_RUN = (
    "pandas", "pyarrow.compute", "pyarrow.dataset", "scipy", "networkx", "rich", "numpy.ma",
    "plotly.graph_objects",
)  # fmt: skip


def modules_of(*arguments: str, folder: Path) -> set[str]:
    """Return the modules that a command has imported as it ends, which it has to do without error.

    The command runs in a process of its own.
    """
    program = (
        "import sys\nfrom farmsim.cli.main import run_command_line\n"
        f"code = run_command_line({list(arguments)!r})\n"
        "print()\nprint(code, *sorted(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    code, *modules = done.stdout.splitlines()[-1].split()
    assert code == "0", done.stderr
    return set(modules)


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], (*HEAVY, "numpy", "pydantic", "yaml")),
        (["validate", "library/first-steps"], HEAVY),
        (["run", "library/first-steps", "--quiet", "--out", "run"], UNUSED_BY_A_RUN),
    ],
    ids=["help", "validate", "run"],
)
def test_starting_imports_nothing_heavy(
    tmp_path: Path, arguments: list[str], unwanted: tuple[str, ...]
) -> None:
    modules = modules_of(*arguments, folder=tmp_path)
    assert "farmsim.cli.main" in modules
    assert {name for name in unwanted if name in modules} == set()
