"""The report, as text and in a real browser."""

import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

import farmsim
from farmsim.analysis.base.page import CompiledTemplates
from farmsim.analysis.base.plotting import thinned
from farmsim.analysis.base.topic import always
from farmsim.analysis.base.wording import shown
from farmsim.analysis.report.figures import FIGURES

EVERYWHERE = [name for name, figure in FIGURES.items() if figure.exists is always]

EVIL = "<script>alert('x')</script>"
SCENARIO = {
    "name": "page",
    "description": f"Names are untrusted: {EVIL}",
    "run": {"duration": "6 h"},
    "farm": {
        "hosts": [
            {"name": f"a{EVIL}", "server": "hp_ml110_g4", "count": 5, "memory": "32 GiB"},
            {"name": "b", "server": "hp_ml110_g5", "count": 5, "memory": "32 GiB"},
        ]
    },
    "workload": {
        "source": "planetlab-20110303",
        "vms": 30,
        "sizes": [{"name": EVIL, "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB"}],
    },
    "policies": {"control": "consolidation", "initial": {"cpu_overcommit": 3}},
    "cost": {"investment": "5000 EUR"},
    "assert": {"energy_kwh": "< 0.1"},
}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Continuous integration sets the variable, so that there a missing browser is a failure.
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMIUM is None and "FARMSIM_NEEDS_BROWSER" not in os.environ,
    reason="Chromium is not installed",
)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=20000", "--enable-logging=stderr",
]  # fmt: skip


@pytest.fixture(scope="module")
def result() -> farmsim.Result:
    return farmsim.run(SCENARIO)


@pytest.fixture(scope="module")
def page(result: farmsim.Result) -> str:
    return result.report()


def without_plotly(page: str) -> str:
    """The page without the library that it carries."""
    return re.sub(r"<script>/\*\*.*?</script>", "", page, flags=re.DOTALL)


def test_the_page_says_what_a_manager_needs(result: farmsim.Result, page: str) -> None:
    text = html.unescape(without_plotly(page))
    assert result.summary["verdict"] in text
    for wanted in (
        "Against dedicated servers", "Power over time", "Hosts switched on over time",
        "Utilisation over hosts and time", "Load-duration curve", "Migrations over time",
        "The ten busiest hosts", "Assumptions", "Data quality", "Failed assertions",
        "Payback of the investment", "SPECpower_ssj2008 result published", "placeholder",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_names_from_inputs_are_escaped(page: str) -> None:
    assert EVIL not in without_plotly(page)
    assert html.escape(EVIL, quote=False).replace("'", "&#39;") in page


def test_the_page_needs_no_network(page: str) -> None:
    own = without_plotly(page)
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']https?:", own)
    assert "@import" not in own
    assert page.count("<script>/**") == 1


def test_tables_are_there_without_javascript(page: str) -> None:
    bare = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert bare.count("<table>") >= 8
    assert "<noscript>" in bare


def test_every_figure_is_drawn_from_the_result(result: farmsim.Result) -> None:
    for name in EVERYWHERE:
        figure = result.figure(name)
        assert figure.data
        assert figure.layout.xaxis.title.text
    with pytest.raises(KeyError, match="did you mean power"):
        result.figure("powr")
    power = result.figure("power")
    assert [trace.name for trace in power.data] == ["dedicated servers", "this run"]
    series = result.table("farm_series")
    assert list(power.data[1].y) == pytest.approx([w / 1000 for w in series["power_w"].to_pylist()])


def test_thinning_keeps_highs_and_lows() -> None:
    import numpy as np  # noqa: PLC0415

    x = np.arange(100_000)
    y = np.random.default_rng(1).random(100_000)
    y[77_777], y[12_345] = 9.0, -9.0
    thin_x, thin_y = thinned(x, y)
    assert len(thin_x) <= 4000
    assert thin_y.max() == 9.0
    assert thin_y.min() == -9.0
    assert np.all(np.diff(thin_x) > 0)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.1234567, "share", "12.3 %"), (12345.6, "kWh", "12,346"), (3.0, "hosts", "3"),
     (0.000012, "share", "0.0012 %"), (5.27e-07, "share", "< 0.001 %"),
     (None, "years", "–"), (0.0, "moves", "0"),
     (2.5e-7, "kWh", "2.50e-07"), (257.23, "kWh", "257")],
)  # fmt: skip
def test_numbers_are_written_for_people(value: float | None, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_a_notebook_shows_the_verdict_escaped(result: farmsim.Result) -> None:
    shown_html = result._repr_html_()
    assert "<table>" in shown_html
    assert EVIL not in shown_html
    assert "energy_kwh" in shown_html


@pytest.mark.browser
@NEEDS_BROWSER
def test_a_browser_draws_the_figures_and_has_nothing_to_complain(
    result: farmsim.Result, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(result.report(), "utf-8")
    command = [
        CHROMIUM or "chromium",
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
    ]
    done = subprocess.run(
        [*command, path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    for name in EVERYWHERE:
        drawn = re.search(rf'id="figure-{name}".*?class="main-svg"', done.stdout, re.DOTALL)
        assert drawn, name
    assert done.stdout.count('class="gtitle"') == 0
    assert done.stdout.count("js-plotly-plot") >= len(EVERYWHERE)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert console == []


@pytest.mark.browser
@NEEDS_BROWSER
def test_the_browser_test_would_see_a_complaint(tmp_path: Path) -> None:
    path = tmp_path / "broken.html"
    path.write_text("<script>nothing.here()</script>", "utf-8")
    command = [
        CHROMIUM or "chromium",
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
    ]
    done = subprocess.run(
        [*command, path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert any("CONSOLE" in line for line in done.stderr.splitlines())


def compiled(folder: Path) -> Environment:
    """Return the templates of a folder, kept compiled below it."""
    return Environment(
        loader=FileSystemLoader(folder), autoescape=True, bytecode_cache=CompiledTemplates(folder)
    )


def test_a_template_is_compiled_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    (tmp_path / "a.j2").write_text("{{ x }} one")
    for _ in range(2):
        assert compiled(tmp_path).get_template("a.j2").render(x="<") == "&lt; one"
        (kept,) = (tmp_path / "__pycache__").iterdir()
    before = kept.read_bytes()
    (tmp_path / "a.j2").write_text("{{ x }} two")
    assert compiled(tmp_path).get_template("a.j2").render(x=1) == "1 two"
    assert kept.read_bytes() != before
    for damage in (b"", before[:30], before[:-40], b"nothing"):
        kept.write_bytes(damage)
        assert compiled(tmp_path).get_template("a.j2").render(x=1) == "1 two"


def test_nothing_is_kept_where_python_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.j2").write_text("text")
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert compiled(tmp_path).get_template("a.j2").render() == "text"
    assert [path.name for path in tmp_path.iterdir()] == ["a.j2"]
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "__pycache__").write_text("no folder")
    assert compiled(tmp_path).get_template("a.j2").render() == "text"
