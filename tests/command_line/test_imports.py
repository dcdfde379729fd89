"""What a command imports: nothing that takes long and that it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

from farmsim.models.base.named_classes import name_of
from farmsim.policies import catalogue

HEAVY = ("scipy", "networkx", "plotly", "pyarrow", "simpy", "pandas", "jinja2", "rich", "numpy.ma")
NOT_NAMED = (
    "farmsim.models.network.topologies", "farmsim.policies.control.balance",
    "farmsim.policies.control.combined", "farmsim.policies.control.dynamic_power",
    "farmsim.policies.overload.local_regression", "farmsim.policies.overload.adaptive_threshold",
    "farmsim.policies.placement_algorithms.dot_product",
    "farmsim.policies.placement_algorithms.round_robin",
    "farmsim.policies.scaling.predictive_scaling", "farmsim.policies.scaling.step_scaling",
    "farmsim.policies.selection.maximum_correlation", "farmsim.policies.selection.random_choice",
)  # fmt: skip
"""Policies and models that the scenario first-steps does not name."""
UNUSED_BY_A_RUN = (
    "pandas", "pyarrow.compute", "pyarrow.dataset", "scipy", "networkx", "rich", "numpy.ma",
    "plotly.graph_objects", "farmsim.policies.overload.local_regression",
    "farmsim.policies.placement_algorithms.dot_product",
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
        (["--help"], (*HEAVY, "numpy", "pydantic", "yaml", "importlib.metadata")),
        (["validate", "library/first-steps"], (*HEAVY, "numpy.random", "farmsim.sim", *NOT_NAMED)),
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


def test_no_command_about_runs_imports_pandas(tmp_path: Path) -> None:
    short = ("--set", "run.duration=2 h", "--quiet", "--out")
    for arguments in (
        ("run", "library/first-steps", *short, "run"),
        ("report", "run"),
        ("explain", "run", "--vm", "azure-1633748"),
        ("compare", "library/first-steps", "library/claim-3-boot", *short, "compared"),
    ):
        assert "pandas" not in modules_of(*arguments, folder=tmp_path)


@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_classes_are_known_by_their_names_and_names_by_their_classes(kind: str) -> None:
    table = catalogue.KINDS[kind]
    for name, cls in table.items():
        assert name in table
        assert name_of(cls, table) == name
        assert name_of(cls, dict(table)) == name
        assert cls.__module__.startswith("farmsim.")
    assert len(table) == len(list(table)) > 0
    assert name_of(dict, table) is None
    assert "nobody" not in table
    with pytest.raises(KeyError):
        table["nobody"]


def test_classes_of_others_go_before_those_of_the_same_names() -> None:
    class Mine:
        pass

    table = catalogue.KINDS["drain"]
    more = table.and_others({"none": Mine, "mine": Mine})
    assert [*more] == [*table, "mine"]
    assert len(more) == len(table) + 1
    assert more["none"] is more["mine"] is Mine
    assert name_of(Mine, more) == "none"
    assert name_of(table["none"], more) is None
    assert table["none"] is not Mine
