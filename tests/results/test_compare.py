"""Scenarios side by side: on the same random numbers, with exact differences and bands."""

import html
import json
import math
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

import farmsim
from farmsim import Comparison, InputError, Levels
from farmsim.analysis.studies.compare_report import signed
from farmsim.cli.main import run_command_line
from farmsim.models.base.metric_definitions import (
    HIGHER_IS_BETTER,
    LOWER_IS_BETTER,
    METRICS,
    SAVINGS,
    WHERE_KNOWN,
)

EVIL = "<script>alert('x')</script>"
TEXT = """farmsim: 1
name: small
run: {duration: 6 h}
farm:
  hosts: [{name: h, server: hp_ml110_g5, count: 8, memory: 32 GiB}]
workload:
  source: {type: synthetic, bursts: {per_day: 4, duration: 15 min, height: 90 %}}
  vms: 12
  sizes: [{name: s, vcpus: 1, clock: 1 GHz, memory: 1 GiB}]
policies: {control: consolidation}
variants:
  base: {}
  same: {}
  older: {farm.hosts.h.server: hp_ml110_g4}
  idle: {policies.control: none, farm.hosts.0.count: 9}
"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMIUM is None and "FARMSIM_NEEDS_BROWSER" not in os.environ,
    reason="Chromium is not installed",
)


def call(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "farmsim", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text(TEXT)
    return tmp_path


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    path = tmp_path_factory.mktemp("compare") / "s.yaml"
    path.write_text(TEXT)
    return farmsim.compare(path, out=path.parent / "o")


def plain(**changes: Any) -> dict[str, Any]:
    """A small scenario without variants, as nested mappings."""
    data: dict[str, Any] = {
        "name": "plain",
        "run": {"duration": "2 h"},
        "farm": {"hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 4, "memory": "32 GiB"}]},
        "workload": {
            "source": {"type": "constant", "utilisation": "30 %"},
            "vms": 8,
            "sizes": [{"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB"}],
        },
        "cost": {"pue": 1.5},
    }
    return data | changes


def test_equal_variants_differ_by_exactly_nothing(compared: Comparison) -> None:
    for row in compared.rows.values():
        cell = row.cells["same"]
        assert cell is not None
        assert cell.value is None or cell.difference == 0.0
        assert cell.change_percent in (0.0, None)
    assert "same: no metric differs from base." in compared.sentences
    tables = [compared.result(name).table("vms") for name in ("base", "same")]
    assert tables[0].drop_columns(["scenario"]) == tables[1].drop_columns(["scenario"])


def test_all_variants_have_the_same_load(compared: Comparison) -> None:
    asked = [compared.result(name).table("vms")["requested_ghz_h"] for name in compared.variants]
    assert all(column.to_numpy() == pytest.approx(asked[0].to_numpy()) for column in asked)
    seeds = {compared.result(name).manifest["seed"] for name in compared.variants}
    assert seeds == {1}


def test_differences_and_ranks_are_those_of_the_runs(compared: Comparison) -> None:
    energy = compared.rows["energy_kwh"]
    values = {name: compared.result(name).value("energy_kwh") for name in compared.variants}
    for name, cell in energy.cells.items():
        assert cell is not None
        assert cell.value == values[name]
        assert cell.difference == values[name] - values["base"]
        assert (cell.low, cell.high) == (cell.value, cell.value)
    assert values["idle"] > values["base"]
    ranks = {name: cell.rank for name, cell in energy.cells.items() if cell}
    assert ranks["base"] == ranks["same"]
    assert energy.best == {name for name, value in values.items() if value == min(values.values())}
    ratio = compared.rows["consolidation_ratio"].cells
    assert ratio["idle"] is not None
    assert ratio["idle"].rank == 4
    assert all(cell and cell.rank is None for cell in compared.rows["hosts"].cells.values())
    assert not compared.rows["vms_rejected"].best


def test_every_metric_that_is_ranked_exists() -> None:
    assert (METRICS | WHERE_KNOWN | SAVINGS).keys() >= LOWER_IS_BETTER | HIGHER_IS_BETTER
    assert not LOWER_IS_BETTER & HIGHER_IS_BETTER


def test_the_table_is_tidy(compared: Comparison) -> None:
    table = compared.to_table()
    assert table.num_rows == len(compared.rows) * 4
    assert set(table["variant"].to_pylist()) == {"base", "same", "older", "idle"}
    for column in table.schema:
        assert column.metadata[b"description"]
    listed = [row for row in table.to_pylist() if row["metric"] == "energy_kwh"]
    assert [row["is_reference"] for row in listed] == [True, False, False, False]
    assert listed[0]["unit"] == "kWh"


def test_the_reference_is_the_base_or_else_the_first() -> None:
    changed = {"farm.hosts.0.count": 5}
    last = farmsim.compare(plain(variants={"more": changed, "base": {}}))
    assert last.variants == ["base", "more"]
    first = farmsim.compare(plain(variants={"more": changed, "again": {}}))
    assert first.reference == "more"


def test_scenarios_of_any_kind_stand_side_by_side(folder: Path) -> None:
    other = farmsim.Scenario.of(plain(name="other", seed=7))
    found = farmsim.compare(folder / "s.yaml", plain(), other, seed=3)
    assert found.variants == [
        "small-base", "small-same", "small-older", "small-idle", "plain", "other",
    ]  # fmt: skip
    assert {found.result(name).manifest["seed"] for name in found.variants} == {3}
    assert any("The load is not that of small-base: plain, other" in note for note in found.notes)
    assert any("Simulated times differ" in note for note in found.notes)
    without = farmsim.compare(plain(), plain(name="other", seed=7))
    assert {without.result(name).manifest["seed"] for name in without.variants} == {1}
    assert all(cell and cell.difference == 0 for cell in [without.rows["hosts"].cells["other"]])


def test_a_metric_that_one_lacks_shows_as_a_dash() -> None:
    invested = {"cost": {"investment": "100 EUR"}}
    alone = plain(name="alone", baseline={"type": "none"}, **invested)
    found = farmsim.compare(plain(**invested), alone)
    for name in ("saved_energy_kwh", "payback_years"):
        assert found.rows[name].cells["alone"] is None
    assert found.rows["hosts"].cells["alone"] is not None
    cells = rows_of(found.report())["row-saved_energy_kwh"]
    assert cells[-1] == "–"
    listed = found.to_table().filter(pc.field("metric") == "saved_energy_kwh").to_pylist()
    assert listed[1]["value"] is None


def test_levels_give_bands_and_differences_level_by_level() -> None:
    turned = Levels("cost.pue", 1.2, 1.5, 2.0)
    more = {"policies.control": "consolidation"}
    found = farmsim.compare(plain(variants={"base": {}, "saving": more}), overhead_range=turned)
    servers, site = found.rows["energy_kwh"], found.rows["facility_energy_kwh"]
    for name in found.variants:
        cell, whole = servers.cells[name], site.cells[name]
        assert cell is not None
        assert whole is not None
        assert cell.value is not None
        assert (cell.low, cell.high) == (cell.value, cell.value)
        bounds = (whole.low, whole.value, whole.high)
        assert bounds == pytest.approx([cell.value * pue for pue in (1.2, 1.5, 2.0)])
    base, saving = site.cells["base"], site.cells["saving"]
    assert base is not None
    assert saving is not None
    assert (base.difference_low, base.difference_high) == (0.0, 0.0)
    # The difference is taken at each level: wide where the bands of both sides overlap.
    saved = servers.cells["saving"]
    assert saved is not None
    assert saved.difference is not None
    assert saving.difference_low == pytest.approx(saved.difference * 2.0)
    assert saving.difference_high == pytest.approx(saved.difference * 1.2)
    assert saving.change_percent_low == pytest.approx(saving.change_percent_high)
    assert any("cost.pue at 1.2, 1.5 and 2.0" in note for note in found.notes)
    bars = found.figure("metrics").data
    assert not bars[0].error_y.visible
    assert any(bar.error_y.visible for bar in bars)
    cells = rows_of(found.report())
    assert "[" in cells["row-facility_energy_kwh"][2]
    assert "[" not in cells["row-energy_kwh"][2]


def test_overheads_give_a_band_and_what_has_none_gives_none() -> None:
    hypervisor = "farm.hosts.0.hypervisor"
    nothing = {"based_on": "ideal", "change": {}}
    variants = {"ideal": "ideal", "own": nothing, "kvm": "kvm"}
    found = farmsim.compare(
        plain(variants={name: {hypervisor: layer} for name, layer in variants.items()}),
        overhead_range=True,
    )
    energy = found.rows["energy_kwh"]
    bare, kvm = energy.cells["own"], energy.cells["kvm"]
    assert bare is not None
    assert kvm is not None
    assert bare.low == bare.value == bare.high
    assert kvm.low is not None
    assert kvm.value is not None
    assert kvm.high is not None
    assert kvm.low <= kvm.value <= kvm.high
    assert kvm.low < kvm.high
    assert "own: no metric differs from ideal." in found.sentences


def test_the_best_is_best_at_every_level() -> None:
    newer = {"name": "h", "server": "hp_ml110_g3", "count": 4, "memory": "32 GiB"}
    steady = {"cores": 2, "clock": "2.66 GHz", "memory": "32 GiB",
              "power": {"model": "constant", "power": "110 W"}}  # fmt: skip
    data = plain(
        baseline={"type": "none"},
        variants={
            "rising": {"farm.hosts.0.server": "hp_ml110_g5"},
            "steady": {"farm.hosts.0": {**newer, "server": steady}},
        },
    )
    load = "workload.source.utilisation"
    found = farmsim.compare(data, overhead_range=Levels(load, "0 %", "10 %", "100 %"))
    energy = found.rows["energy_kwh"]
    rising = energy.cells["rising"]
    assert rising is not None
    assert rising.rank == 1
    assert not energy.best
    assert "energy undecided" in found.sentences[0]
    agreed = farmsim.compare(data, overhead_range=Levels(load, "0 %", "10 %", "20 %"))
    assert agreed.rows["energy_kwh"].best == {"rising"}


def test_one_scenario_alone_may_have_a_band() -> None:
    found = farmsim.compare(plain(), overhead_range=Levels("cost.pue", 1.2, 1.5, 2.0))
    assert found.variants == ["plain"]
    assert list(found.runs["plain"]) == ["low", "typical", "high"]
    assert found.result("plain", "high").value("facility_energy_kwh") > found.result("plain").value(
        "facility_energy_kwh"
    )
    with pytest.raises(KeyError, match="did you mean high"):
        found.result("plain", "hihg")


class Rows(HTMLParser):
    """Cells of the table rows that have an id, as text."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, list[str]] = {}
        self._row: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            name = dict(attrs).get("id")
            self._row = self.rows.setdefault(name, []) if name else None
        elif tag == "td" and self._row is not None:
            self._row.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            self._row = None

    def handle_data(self, data: str) -> None:
        if self._row:
            self._row[-1] += data.strip()


def rows_of(page: str) -> dict[str, list[str]]:
    parser = Rows()
    parser.feed(re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL))
    return parser.rows


def test_the_page_holds_every_figure_without_a_script(compared: Comparison) -> None:
    page = compared.report()
    cells = rows_of(page)
    shown = {name for name in compared.rows if name != "duration_h"}
    assert {name.removeprefix("row-") for name in cells} == shown
    assert all(len(row) == 2 + 4 for row in cells.values())
    same = [row[3] for row in cells.values()]
    assert all(cell.endswith("0") or cell == "–" for cell in same)
    bare = html.unescape(re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL))
    for sentence in compared.sentences:
        assert sentence in bare
    assert "farm.hosts.0.server" in bare
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']https?:", bare)
    assert "report.html" not in bare
    for name in compared.rows["energy_kwh"].best:
        assert name in compared.variants
    energy = re.search(r'<tr id="row-energy_kwh">.*?</tr>', page, re.DOTALL)
    assert energy is not None
    assert energy.group().count("<b>") == len(compared.rows["energy_kwh"].best)


def test_names_from_inputs_are_escaped() -> None:
    hosts = plain()["farm"]["hosts"][0]
    found = farmsim.compare(
        plain(description=EVIL),
        plain(name="b", farm={"hosts": [hosts | {"name": EVIL}]}),
    )
    own = re.sub(r"<script>/\*\*.*?</script>", "", found.report(), flags=re.DOTALL)
    assert EVIL not in own
    assert html.escape(EVIL, quote=False).replace("'", "&#39;") in own
    assert EVIL not in found._repr_html_()


def test_power_is_drawn_for_each(compared: Comparison) -> None:
    figure = compared.figure("power")
    assert [trace.name for trace in figure.data] == compared.variants
    series = compared.result("older").table("farm_series")["power_w"].to_pylist()
    assert list(figure.data[2].y) == pytest.approx([watts / 1000 for watts in series])
    with pytest.raises(KeyError, match="did you mean power"):
        compared.figure("powr")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0, "kWh", "0"), (0.0, "share", "0"), (1.5, "kWh", "+1.5"), (-3.0, "hosts", "-3"),
     (0.0123, "share", "+1.23 pp"), (-2.0, "%", "-2 pp")],
)  # fmt: skip
def test_differences_are_written_with_their_sign(value: float, unit: str, text: str) -> None:
    assert signed(value, unit) == text


def test_the_directory_is_whole_and_can_be_read_back(compared: Comparison) -> None:
    directory = compared.directory
    assert directory is not None
    assert sorted(path.name for path in directory.iterdir()) == [
        "compare.html", "comparison.json", "manifest.json", "tables", "variants",
    ]  # fmt: skip
    again = Comparison.load(directory)
    assert again.to_dict() == compared.to_dict()
    assert again.to_table() == compared.to_table()
    assert again.report(links=True) == (directory / "compare.html").read_text("utf-8")
    linked = re.findall(r'href="(variants/[^"]+)"', again.report(links=True))
    assert len(linked) == 4
    assert all((directory / path).is_file() for path in linked)
    data = json.loads((directory / "comparison.json").read_text("utf-8"))
    assert data["metrics"]["energy_kwh"]["values"]["same"]["difference"] == 0
    for values in data["metrics"]["energy_kwh"]["values"].values():
        assert all(each is None or math.isfinite(each) for each in values.values())
    resolved = farmsim.Scenario.load(directory / "variants" / "idle" / "scenario.resolved.yaml")
    assert resolved.name == "small-idle"
    assert not resolved.variants
    run = farmsim.run(resolved)
    assert run.value("energy_kwh") == compared.result("idle").value("energy_kwh")


def test_the_command_writes_and_prints(folder: Path) -> None:
    done = call("compare", "s.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    (directory,) = (folder / "runs").iterdir()
    assert directory.name.startswith("small-")
    assert "same: no metric differs from base." in done.stdout
    assert "* best of its row" in done.stdout
    assert "Energy of the servers" in done.stdout
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
    first = (directory / "compare.html").read_text("utf-8")
    (directory / "compare.html").unlink()
    assert call("report", directory, cwd=folder).returncode == 0
    assert (directory / "compare.html").read_text("utf-8") == first


def test_json_quiet_seed_and_set(folder: Path) -> None:
    options = ("--json", "--seed", "5", "--set", "run.duration=1 h", "--out", "o")
    done = call("compare", "s.yaml", *options, cwd=folder)
    data = json.loads(done.stdout)
    assert data["seed"] == 5
    assert data["metrics"]["duration_h"]["values"]["older"]["value"] == 1
    assert data["reference"] == "base"
    assert data == json.loads((folder / "o" / "comparison.json").read_text("utf-8"))
    (folder / "s.yaml").write_text(TEXT[: TEXT.index("  older")])
    quiet = call("compare", "s.yaml", "--quiet", "--out", "o", cwd=folder)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_a_failed_assertion_ends_with_1_and_names_the_variant(folder: Path) -> None:
    text = with_variant("{}\n  strict: {assert.energy_kwh: < 0.001}")
    (folder / "s.yaml").write_text(text[: text.index("  older")])
    done = call("compare", "s.yaml", "--out", "o", cwd=folder)
    assert done.returncode == 1
    assert "assertion failed: strict: energy_kwh is " in done.stderr
    assert (folder / "o" / "compare.html").is_file()


def with_variant(line: str) -> str:
    return TEXT.replace("  same: {}", f"  same: {line}")


BAD = {
    "unknown path": (
        with_variant("{farm.hots.0.count: 3}"),
        "s.yaml:13:10: variants.same.farm.hots: unknown key 'hots'; did you mean hosts?",
    ),
    "unknown host": (
        with_variant("{farm.hosts.g.count: 3}"),
        "s.yaml:13:10: variants.same.farm.hosts.g.count: no entry 'g'; use a number from 0 to 0",
    ),
    "path too long": (
        with_variant("{run.duration.x: 3}"),
        "s.yaml:13:10: variants.same.run.duration.x: run.duration has no fields; shorten the path",
    ),
    "wrong value": (
        with_variant("{run.duration: 3 kg}"),
        "s.yaml:13:10: variants.same.run.duration: unknown unit 'kg'",
    ),
    "wrong together": (
        with_variant("{farm.hosts.0.price: 5 USD, cost.energy_price: 0.2 EUR/kWh}"),
        "s.yaml:13:3: variants.same: price of group h is in USD, cost.energy_price is EUR",
    ),
    "no mapping": (with_variant("3"), "s.yaml:13:3: variants.same: not a mapping"),
    "seed": (with_variant("{seed: 3}"), "s.yaml:13:10: variants.same.seed: all variants run on"),
    "name": (with_variant("{name: x}"), "s.yaml:13:10: variants.same.name: the key of the variant"),
    "bad name": (TEXT.replace("same:", "a/b:"), "s.yaml:13:3: variants.a/b: 'a/b' has characters"),
    "twice": (TEXT.replace("same:", "base:"), "s.yaml:13:3: duplicate key 'base'"),
    "but for case": (TEXT.replace("same:", "Base:"), "s.yaml:13:3: variants.Base: 'Base' is"),
    "alone": (TEXT[: TEXT.index("  same")], "s.yaml:12:3: variants.base: is the only variant"),
    "none": (TEXT[: TEXT.index("variants")], "s.yaml:2:1: nothing to compare with; give a second"),
    "too small": (
        with_variant("{farm.hosts.0.count: 1, workload.vms: 90}"),
        "s.yaml:13:3: variants.same: s.yaml:13:10: farm.hosts: the farm is too small",
    ),
    "giant": (
        with_variant("{workload.sizes.s.memory: 64 GiB}"),
        "s.yaml:13:10: variants.same.workload.sizes.0: VMs of size s (1 vCPUs of 1000 MHz, 64 ",
    ),
    "no trace": (
        with_variant("{workload.source: {type: csv, path: gone.csv}}"),
        "gone.csv: workload.source.path: no such file",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_bad_variants_end_with_2_and_write_nothing(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    message: str,
) -> None:
    (folder / "s.yaml").write_text(text)
    monkeypatch.chdir(folder)
    assert run_command_line(["compare", "s.yaml"]) == 2
    assert capsys.readouterr().err.startswith(message)
    assert [path.name for path in folder.iterdir()] == ["s.yaml"]


def test_all_that_is_wrong_comes_at_once(folder: Path) -> None:
    text = with_variant("{run.duration: 3 kg, seed: 2}")
    (folder / "s.yaml").write_text(text.replace("older: {", "older: {cost.pue: 0.1, "))
    done = call("validate", "s.yaml", cwd=folder)
    assert done.returncode == 2
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [
        "variants.same.seed", "variants.same.run.duration", "variants.older.cost.pue",
    ]  # fmt: skip


def test_bad_calls_end_with_2(folder: Path) -> None:
    (folder / "one.yaml").write_text(TEXT.split("variants", maxsplit=1)[0])
    before = sorted(folder.rglob("*"))
    done = call("compare", "one.yaml", "one.yaml", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("one.yaml:2:1: name: 'small' is the name of two variants")
    done = call("compare", "s.yaml", "--out", "s.yaml", cwd=folder)
    assert (done.returncode, "is a file" in done.stderr) == (2, True)
    done = call("compare", "s.yaml", "--out", ".", cwd=folder)
    assert (done.returncode, "is not empty and not a farmsim compar" in done.stderr) == (2, True)
    assert sorted(folder.rglob("*")) == before
    dollars = {"currency": "USD", "energy_price": "0.1 USD/kWh", "server_price": "1 USD"}
    with pytest.raises(InputError, match="uses USD, plain uses EUR"):
        farmsim.compare(plain(), plain(name="b", cost=dollars))
    with pytest.raises(InputError, match="is not a comparison"):
        Comparison.load(folder)


def test_a_change_of_one_variant_leaves_what_an_alias_shares(folder: Path) -> None:
    text = TEXT.replace("count: 8, memory: 32 GiB}]", (
        "count: 8, memory: 32 GiB, boot: &b {duration: 9 s}, shutdown: *b}]"
    )).replace("same: {}", "same: {farm.hosts.0.boot.duration: 70 s}")  # fmt: skip
    (folder / "s.yaml").write_text(text)
    found = farmsim.compare(folder / "s.yaml", overrides=["run.duration=1 h"])
    assert found.changes["farm.hosts.0.boot.duration"]["same"] == "70 s"
    assert "farm.hosts.0.shutdown.duration" not in found.changes


@pytest.mark.browser
@NEEDS_BROWSER
def test_a_browser_draws_the_figures_and_has_nothing_to_complain(
    compared: Comparison, tmp_path: Path
) -> None:
    path = tmp_path / "compare.html"
    path.write_text(compared.report(), "utf-8")
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--virtual-time-budget=20000", "--enable-logging=stderr", "--dump-dom",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]  # fmt: skip
    command = [CHROMIUM or "chromium", *flags, path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    for name in ("metrics", "power"):
        assert re.search(rf'id="figure-compare-{name}".*?class="main-svg"', done.stdout, re.DOTALL)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
