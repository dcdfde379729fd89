"""Pages of imports, sizes and failures in a real browser: quiet, escaped, not too wide."""

import html
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from inventories import DATA

from farmsim.cli.main import run_command_line

EVIL = "<script>alert(1)</script>"
LONG = "very-long-name-" * 12
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SERVER = "{cores: 32, clock: 2.5 GHz, memory: 512 GiB, power: {model: constant, power: 300 W}}"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and "FARMSIM_NEEDS_BROWSER" not in os.environ,
        reason="Chromium is not installed",
    ),
]


@pytest.fixture(scope="module", params=["rvtools_v4_ui.xlsx", "odd.csv"])
def pages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pages of an import and of what follows, one of them with names as nobody should give."""
    folder = tmp_path_factory.mktemp("pages")
    book = DATA / request.param
    if request.param == "odd.csv":
        book = folder / "odd.csv"
        lines = (DATA / "azure_migrate.csv").read_text("utf-8").splitlines()
        for row, name in ((1, EVIL), (2, LONG)):
            lines[row] = ",".join([name, *lines[row].split(",")[1:]])
        book.write_text("\n".join(lines) + "\n", "utf-8")
    scenario = str(folder / "farm" / "scenario.yaml")
    assert run_command_line(["import", str(book), "-o", str(folder / "farm"), "--quiet"]) == 0
    size = ["size", scenario, "--server", SERVER, "--out", str(folder / "size"), "--quiet"]
    assert run_command_line(size) in (0, 1)
    failed = ["failover", scenario, "--out", str(folder / "failover"), "--quiet"]
    assert run_command_line(failed) in (0, 1)
    found = sorted(folder.glob("*/*.html"))
    assert {path.parent.name for path in found} == {"farm", "size", "failover"}
    return found


@pytest.mark.parametrize("width", [360, 1300])
def test_pages_are_no_wider_than_the_screen_and_run_no_names(
    pages: list[Path], width: int, tmp_path: Path
) -> None:
    for path in pages:
        text = path.read_text("utf-8")
        assert EVIL not in text
        frame = tmp_path / "frame.html"
        frame.write_text(
            f'<iframe width="{width}" height="800" style="border:0" srcdoc="{html.escape(text)}">'
            "</iframe><script>onload = () => { document.title = 'wide ' + "
            "frames[0].document.documentElement.scrollWidth; }</script>",
            "utf-8",
        )
        done = subprocess.run(
            [CHROMIUM or "chromium", "--headless", "--no-sandbox", "--disable-gpu",
             "--no-first-run", "--virtual-time-budget=20000", "--enable-logging=stderr",
             f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", frame.as_uri()],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        wide = re.search(r"<title>wide (\d+)</title>", done.stdout)
        assert wide, path
        assert int(wide[1]) <= width, path
        assert "CONSOLE" not in done.stderr, (path, done.stderr)
