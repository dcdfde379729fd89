"""The documentation is true: reference pages are fresh, links lead somewhere, examples run."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import nbformat
import pytest
from nbclient import NotebookClient

import farmsim
from farmsim.analysis.terminal import summary_text
from farmsim.cli.main import commands, run_command_line
from farmsim.policies import catalogue
from farmsim.scenarios.language.yaml_text import parse
from farmsim.scenarios.loader import library
from farmsim.scenarios.scenario import Scenario, from_text

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.md"), *DOCS.glob("*/*.md")])
SESSIONS = ("scenarios.md", "workloads.md", "extending.md")
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)")
SPAN = re.compile(r"(?<!`)`(farmsim [^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    info: str
    body: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [Block(page, found["info"].strip(), found["body"]) for found in FENCE.finditer(text)]


def test_reference_pages_are_what_the_generator_gives() -> None:
    done = subprocess.run(
        [sys.executable, DOCS / "build.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run python docs/build.py\n{done.stdout}{done.stderr}"


def test_tables_of_the_catalogue_are_what_the_generator_gives() -> None:
    done = subprocess.run(
        [sys.executable, DOCS / "calibration.py", "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"run python docs/calibration.py\n{done.stdout}{done.stderr}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    text = FENCE.sub("", page.read_text("utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


SHOWN = [block for page in PAGES for block in blocks(page) if block.info.startswith("yaml")]


@pytest.mark.parametrize("block", SHOWN, ids=lambda block: block.page.stem)
def test_scenarios_shown_are_valid(block: Block) -> None:
    if block.info == "yaml":
        from_text(block.body)
        return
    assert block.info == "yaml fragment"
    base = parse(library()["first-steps"].read_text("utf-8")).data
    assert isinstance(base, dict)
    fragment = parse(block.body).data
    assert isinstance(fragment, dict)
    Scenario.of(base | fragment)


def command_lines(page: Path) -> list[str]:
    """Return the farmsim commands of a page, in shell blocks and in running text."""
    shell = [
        block.body.replace("\\\n", " ")
        for block in blocks(page)
        if block.info in ("sh", "bash", "console")
    ]
    lines = [line for body in shell for line in body.splitlines()]
    found = [line.removeprefix("$ ") for line in lines if re.match(r"(\$ )?farmsim ", line)]
    found += re.findall(r"bin/(farmsim [^&|\n]+)", "\n".join(lines))
    return found + SPAN.findall(FENCE.sub("", page.read_text("utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_shown_exist_with_their_options(page: Path) -> None:
    for line in command_lines(page):
        _, name, *arguments = shlex.split(line, comments=True)
        if name.startswith("-"):
            continue
        command = commands.commands[name]
        if not arguments:
            continue
        try:
            context = command.make_context(name, list(arguments))
        except click.MissingParameter:
            continue
        except click.UsageError as error:
            raise AssertionError(f"{line}: {error.format_message()}") from None
        scenario = context.params.get("scenario")
        if name == "run" and scenario and not context.params["allow_code"]:
            known = str(scenario).startswith("library/")
            name = scenario if known else "library/first-steps"
            Scenario.load(name, *context.params["overrides"])


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, and policies and modules that are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(catalogue, "_added", {kind: {} for kind in catalogue.KINDS})
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) == str(tmp_path / f"{name}.py"):
            del sys.modules[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", SESSIONS)
def test_a_page_read_as_a_session_does_what_it_says(
    name: str, workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands and Python run in order; a text block after one of them is what it printed."""
    space: dict[str, object] = {"__name__": "__main__"}
    printed: str | None = None
    for block in blocks(DOCS / name):
        if block.info == "sh":
            for line in block.body.splitlines():
                _, *arguments = shlex.split(line)
                assert run_command_line(arguments) == 0, f"{line}\n{capsys.readouterr().err}"
        elif block.info == "python" and (title := re.match(r"# (\w+\.py)\n", block.body)):
            (workshop / title[1]).write_text(block.body, "utf-8")
        elif block.info == "python":
            exec(compile(block.body, f"{name}: {block.body[:40]!r}", "exec"), space)
        elif block.info == "text" and printed is not None:
            for line in block.body.splitlines():
                assert " ".join(line.split()) in printed, f"{line!r} not in\n{printed}"
        ran = block.info in ("sh", "python")
        printed = " ".join(capsys.readouterr().out.split()) if ran else None
    if name == "scenarios.md":
        # baseline-2 and so on stand under baseline, as further ones
        folder = workshop / "runs" / "base"
        written = {re.sub(r"-\d+$", "", path.name) for path in folder.iterdir()}
        assert written == files_listed()


@pytest.mark.slow
def test_the_readme_shows_what_its_first_command_prints() -> None:
    shown = next(block for block in blocks(ROOT / "README.md") if block.info == "text").body
    printed = summary_text(farmsim.run("library/planetlab-day"))
    assert shown.split() == printed.split()


def files_listed() -> set[str]:
    """Return the files of a run directory that the reference names."""
    text = (DOCS / "reference" / "results.md").read_text("utf-8")
    section = text.partition("## Files")[2].partition("##")[0]
    return set(re.findall(r"^\| `([\w.]+)/?`", section, re.MULTILINE))


def test_an_entry_point_makes_a_policy_a_name_like_any_other(tmp_path: Path) -> None:
    shown = blocks(DOCS / "extending.md")
    for block in shown:
        if title := re.match(r"# (\w+\.py)\n", block.body):
            (tmp_path / title[1]).write_text(block.body, "utf-8")
    project = tomllib.loads(next(block.body for block in shown if block.info == "toml"))
    assert all(
        (tmp_path / f"{name}.py").exists() for name in project["tool"]["setuptools"]["py-modules"]
    )
    announced = project["project"]["entry-points"]["farmsim.policies"]
    lines = ["[farmsim.policies]", *(f"{name} = {where}" for name, where in announced.items())]
    info = tmp_path / "smoothed-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: smoothed\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "farmsim", "validate", "library/planetlab-day",
         "--set", "migration={model: two_passes, write_rate: 100 Mbit/s}",
         "--set", "policies.control.overload={policy: smoothed, alpha: 0.2}"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_notebook_runs_and_is_kept_without_outputs(tmp_path: Path) -> None:
    notebook = nbformat.read(DOCS / "quickstart.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not any(cell.outputs or cell.execution_count for cell in code)
    resources = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources)
    client.execute()
    assert any(cell.outputs for cell in code)
