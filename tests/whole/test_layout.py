"""What ships: the wheel holds the tree, works outside the checkout and adds one name only."""

import ast
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import farmsim

ROOT = Path(__file__).parents[2]
FOLDERS = ("models", "policies", "sim", "scenarios", "analysis")
FACE = {"__init__.py", "__main__.py", "cli", "py.typed"}


def in_git(*paths: str) -> set[str]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    return {line for line in listing.stdout.splitlines() if (ROOT / line).exists()}


def built(kind: str, folder: Path, **environment: str) -> Path:
    """Build the tree without anything that is not in it; return the archive."""
    source, out = folder / "source", folder / "out"
    for name in in_git():
        target = source / name
        if not (ROOT / name).is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(out)]
    subprocess.run(
        [*command, str(source)], check=True, capture_output=True, env=os.environ | environment
    )
    return next(each for each in out.iterdir() if each.is_file())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", tmp_path_factory.mktemp("wheel"))


def split(wheel: Path) -> tuple[set[str], set[str]]:
    """Return the compiled modules of a wheel, and all else but what describes it."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    compiled = {name for name in names if name.endswith((".so", ".pyd"))}
    return compiled, names - compiled


def packages() -> set[str]:
    """Every folder of the tree that is a package, by its dotted name."""
    names = in_git(*FOLDERS, *(f"farmsim/{each}" for each in FACE))
    folders = {Path(name).parent.as_posix() for name in names if Path(name).name == "__init__.py"}
    inside = {each.removeprefix("farmsim/") for each in folders - {"farmsim"}}
    return {"farmsim"} | {f"farmsim.{each}".replace("/", ".") for each in inside}


def test_no_module_at_the_root() -> None:
    assert not {name for name in in_git("*.py") if "/" not in name}


def test_the_face_links_to_the_floors_for_type_checkers() -> None:
    links = {name for name in in_git("farmsim") if (ROOT / name).is_symlink()}
    if not links:
        pytest.skip("a checkout without symbolic links")
    assert links == {f"farmsim/{floor}" for floor in FOLDERS}
    assert {name.split("/")[1] for name in in_git("farmsim") - links} == FACE


def test_every_package_of_the_tree_is_listed() -> None:
    """A package that is not listed is silently not shipped."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(settings["packages"]) == packages()
    assert len(settings["packages"]) == len(packages())


def test_inside_the_package_imports_are_relative() -> None:
    """The root is on the path of whoever works there: `import models` makes a second copy."""
    wrong = [
        f"{name}:{node.lineno}"
        for name in sorted(in_git("*.py"))
        for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in _modules(node)
        if module.split(".")[0] in FOLDERS
        or (module.split(".")[0] == "farmsim" and name.startswith((*FOLDERS, "farmsim/")))
    ]
    assert not wrong


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    return [] if node.level else [node.module or ""]


def test_public_names_exist() -> None:
    assert sorted(farmsim.__all__) == farmsim.__all__
    for name in farmsim.__all__:
        assert getattr(farmsim, name) is not None
    with pytest.raises(AttributeError, match="farmsim"):
        farmsim.nonsense  # noqa: B018 - the access is what is tested


def test_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == farmsim.__version__
    assert f"version: {farmsim.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    commands = [line for line in (ROOT / "README.md").read_text().splitlines() if "-m venv" in line]
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.mark.slow
def test_the_wheel_holds_the_tree(wheel: Path) -> None:
    wanted = {f"farmsim/{name}" for name in in_git(*FOLDERS)}
    wanted |= in_git(*(f"farmsim/{name}" for name in FACE))
    compiled, names = split(wheel)
    with zipfile.ZipFile(wheel) as archive:
        licences = {Path(name).name for name in archive.namelist() if "/licenses/" in name}
    assert names == wanted
    assert {Path(name).name.split(".")[0] for name in compiled} <= {"_compiled"}
    assert licences == {"LICENSE", "NOTICE"}


@pytest.mark.slow
def test_the_kernel_is_built_for_all_versions_of_python_where_there_is_a_compiler(
    wheel: Path,
) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    assert split(wheel)[0] == {"farmsim/models/base/_compiled.abi3.so"}
    assert "-cp311-abi3-" in wheel.name


@pytest.mark.slow
def test_without_a_compiler_all_is_built_but_the_kernel(wheel: Path, tmp_path: Path) -> None:
    plain = built("wheel", tmp_path, CC="false")
    assert split(plain) == (set(), split(wheel)[1])


@pytest.mark.slow
def test_the_source_archive_holds_the_kernel(tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert "policies/control/consolidation_round.c" in names


@pytest.mark.slow
def test_the_wheel_works_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """The wheel alone in a new environment; the libraries come from the present one."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "v")], check=True)
    python = tmp_path / "v" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*install, "--no-deps", str(wheel)], check=True)
    site = next((tmp_path / "v" / "lib").glob("python*/site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    away = tmp_path / "away"
    away.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(away)}

    def outside(*command: str) -> str:
        return subprocess.run(
            [*command], cwd=away, env=environment, check=True, capture_output=True, text=True
        ).stdout

    found = outside(
        str(python),
        "-c",
        "import importlib.util as u, farmsim;"
        "print(farmsim.__file__);"
        "print([n for n in ('models', 'policies', 'sim', 'scenarios', 'analysis', 'cli')"
        " if u.find_spec(n)])",
    ).splitlines()
    assert str(site) in found[0]
    assert found[1] == "[]"
    command = str(python.with_name("farmsim"))
    shown = json.loads(outside(command, "run", "library/first-steps", "--json", "--out", "r"))
    assert shown["energy_kwh"]["value"] > 0
    assert (away / "r" / "report.html").exists()
