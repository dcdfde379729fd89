"""What a run says of moves over a network: tables, figures, metrics, balances, report."""

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import farmsim
from farmsim.analysis.base.played_case import PlayedCase
from farmsim.analysis.base.plotting import Figure
from farmsim.analysis.base.wording import lasting
from farmsim.analysis.measure.conservation import ConservationError, check
from farmsim.analysis.measure.metrics import measure
from farmsim.analysis.report.figures import FIGURES, available_figures
from farmsim.analysis.terminal import summary_text
from farmsim.analysis.topics.migration.figures import NETWORK_FIGURES, downtime, links, sent
from farmsim.analysis.topics.migration.timeline import (
    DOWN,
    KIND_OF,
    MAX_MIGRATIONS,
    WAITING,
    clock,
    phase_timeline,
)
from farmsim.models.base.metric_definitions import LOWER_IS_BETTER, WHERE_KNOWN
from farmsim.models.migration.course import liu_energy_j
from farmsim.scenarios.build.build import Case, build
from farmsim.scenarios.scenario import Scenario
from farmsim.sim.outcome import Outcome

OF_NETWORK = (
    "downtime_mean_s", "downtime_p99_s", "downtime_max_s", "migration_wait_mean_s",
    "migration_energy_kwh", "link_utilisation_max", "migrations_not_converged",
)  # fmt: skip
SLOW = {"topology": "two_tier", "hosts_per_rack": 4, "port": "1 Gbit/s", "uplink": "1 Gbit/s"}


def scenario(
    model: str = "pre_copy",
    network: dict[str, Any] | None = None,
    hours: float = 1.0,
    **parameters: Any,
) -> dict[str, Any]:
    return {
        "name": "moves",
        "run": {"duration": f"{hours} h"},
        "farm": {
            "hosts": [{"name": "h", "server": "dell_r720_e5_2670", "count": 12, "memory": "96 GiB"}]
        },
        "workload": {
            "source": "planetlab-20110303",
            "vms": 120,
            "sizes": [{"name": "s", "vcpus": 2, "clock": "2.6 GHz", "memory": "4 GiB"}],
        },
        "policies": {"control": "consolidation", "initial": {"cpu_overcommit": 2}},
        "migration": {"model": model, **parameters},
        "network": {"layout": SLOW, **(network or {})},
    }


def played(data: dict[str, Any]) -> tuple[Case, Outcome]:
    case = build(Scenario.of(data))
    return case, case.engine.run()


@pytest.fixture(scope="module")
def result() -> farmsim.Result:
    return farmsim.run(scenario())


@pytest.fixture(scope="module")
def plain() -> farmsim.Result:
    return farmsim.run({**scenario("fixed_rate"), "network": {}})


def columns(result: farmsim.Result, table: str) -> dict[str, Any]:
    arrow = result.table(table)
    return {name: np.array(arrow[name].to_pylist()) for name in arrow.schema.names}


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("cold", {}),
        ("suspend_resume", {"resume": "1 s"}),
        ("pre_copy", {"setup": "2 s", "drain": "1 s", "announce": "300 ms"}),
        ("post_copy", {"used_share": 0.5, "zero_scan": "10 Gbit/s", "resume": "200 ms"}),
        ("hybrid", {}),
    ],
)
def test_phases_add_up_to_their_moves(model: str, parameters: dict[str, Any]) -> None:
    made = farmsim.run(scenario(model, **parameters))
    moves, phases = columns(made, "migrations"), columns(made, "migration_phases")
    assert moves["finished"].sum() > 0
    done = np.flatnonzero(moves["finished"])
    for row in done[:40]:
        mine = phases["migration"] == row
        assert set(phases["vm"][mine]) == {moves["vm"][row]}
        start_s, end_s = phases["start_s"][mine], phases["end_s"][mine]
        assert start_s[0] == moves["start_s"][row]
        assert end_s[-1] == moves["end_s"][row]
        assert np.array_equal(start_s[1:], end_s[:-1])
        assert phases["sent_gib"][mine].sum() == pytest.approx(moves["copied_gib"][row])
        stands = [KIND_OF.get(name) == DOWN for name in phases["phase"][mine]]
        away_s = (end_s - start_s)[stands].sum()
        assert away_s == pytest.approx(moves["downtime_s"][row], abs=1e-9)
        energy_j = liu_energy_j(moves["copied_gib"][row] * 1024.0**3)
        assert moves["energy_j"][row] == pytest.approx(energy_j)
    assert np.allclose(moves["waited_s"], moves["start_s"] - moves["decided_s"])


def test_links_carry_what_moves_send(result: farmsim.Result) -> None:
    moves, links = columns(result, "migrations"), columns(result, "links")
    carried = dict(zip(links["link"], links["sent_gib"], strict=True))
    for host in ("h-01", "h-05", "h-12"):
        (leaving,) = [name for name in carried if name.startswith(f"{host} >")]
        (coming,) = [name for name in carried if name.endswith(f"> {host}")]
        assert carried[leaving] == pytest.approx(
            moves["copied_gib"][moves["source"] == host].sum(), abs=1e-9
        )
        assert carried[coming] == pytest.approx(
            moves["copied_gib"][moves["target"] == host].sum(), abs=1e-9
        )
    assert np.all(links["utilisation_max"] <= 1 + 1e-9)
    assert np.all(links["utilisation_mean"] <= links["utilisation_max"] + 1e-12)
    assert result.value("link_utilisation_max") == links["utilisation_max"].max()
    seconds = 3600 * result.value("duration_h")
    gigabits = links["sent_gib"] * 1024**3 * 8 / 1e9
    shares = gigabits / (links["capacity_mbps"] / 1e3) / seconds
    assert links["utilisation_mean"] == pytest.approx(shares)


def test_the_series_shows_the_ten_busiest_links(result: farmsim.Result) -> None:
    links, series = columns(result, "links"), columns(result, "link_series")
    order = np.argsort(-links["utilisation_mean"], kind="stable")[:10]
    assert list(dict.fromkeys(series["link"])) == list(links["link"][order])
    times = columns(result, "farm_series")["time_s"]
    for row in order:
        mine = series["link"] == links["link"][row]
        assert np.array_equal(series["time_s"][mine], times)
        assert series["sent_gib"][mine].sum() == pytest.approx(links["sent_gib"][row], abs=1e-6)
        assert series["utilisation"][mine].max() == pytest.approx(links["utilisation_max"][row])


def test_background_counts_as_use() -> None:
    made = farmsim.run(scenario(network={"background": "25 %"}))
    links = columns(made, "links")
    idle = links["sent_gib"] == 0
    assert np.all(links["utilisation_max"][idle] == 0.25)
    assert 0.25 < links["utilisation_max"].max() <= 1 + 1e-9


def test_metrics_are_those_of_the_moves(result: farmsim.Result) -> None:
    moves = columns(result, "migrations")
    downtime = np.sort(moves["downtime_s"][moves["finished"]].astype(float))
    assert result.value("downtime_mean_s") == pytest.approx(downtime.mean())
    assert result.value("downtime_max_s") == downtime[-1]
    within = int(np.ceil(0.99 * len(downtime))) - 1
    assert result.value("downtime_p99_s") == downtime[within]
    assert result.value("migration_energy_kwh") == pytest.approx(moves["energy_j"].sum() / 3.6e6)
    assert set(OF_NETWORK) <= set(WHERE_KNOWN)
    assert set(OF_NETWORK) <= LOWER_IS_BETTER


def test_moves_that_do_not_converge_are_counted() -> None:
    dirty = {"model": "rate", "rate": "2 Gbit/s"}
    made = farmsim.run(scenario(dirty=dirty, if_not_converging="post_copy"))
    reactions = made.table("migrations")["convergence_action"].to_pylist()
    assert made.value("migrations_not_converged") == len(reactions) - reactions.count(None)
    assert made.value("migrations_not_converged") > 0
    assert set(reactions) <= {None, "post_copy"}
    assert "did not converge" in made.report()


def test_without_a_network_nothing_is_claimed(plain: farmsim.Result) -> None:
    assert not {"links", "link_series", "migration_phases"} & set(plain.tables)
    assert not set(OF_NETWORK) & set(plain.metrics())
    moves = plain.table("migrations")
    for name in ("downtime_s", "rounds", "convergence_action"):
        assert moves[name].null_count == moves.num_rows > 0
    for name in ("source_cpu_s", "target_cpu_s", "guest_lost_s", "energy_j", "waited_s"):
        assert moves[name].null_count == 0
    assert "Migrations over the network" not in plain.report()
    with pytest.raises(KeyError, match="figure"):
        plain.figure("migration_phases")


def test_columns_are_described(result: farmsim.Result) -> None:
    for name in ("migrations", "migration_phases", "links", "link_series"):
        for field in result.table(name).schema:
            assert field.metadata[b"description"], field.name
            for suffix, unit in (("_s", b"s"), ("_gib", b"GiB"), ("_mbps", b"Mbit/s")):
                if field.name.endswith(suffix):
                    assert field.metadata[b"unit"] == unit


@pytest.mark.parametrize("transport", ["plain", "lv08", "cm02"])
def test_a_run_that_ends_amid_moves_balances(transport: str) -> None:
    network = {"transport": transport, "layout": {**SLOW, "port": "100 Mbit/s"}}
    case, outcome = played(scenario("post_copy", network, hours=0.25))
    moves = outcome.tables["migrations"]
    cut = ~moves["finished"]
    assert cut.any()
    assert (moves["copied_mib"][cut] > 0).any()
    assert np.all(moves["end_s"][cut] == outcome.end_s)
    check(outcome, measure(PlayedCase(case, outcome)))
    phases = outcome.tables["migration_phases"]
    for row in np.flatnonzero(cut & (moves["copied_mib"] > 0)).tolist():
        mine = phases["move"] == row
        assert phases["end_s"][mine][-1] == outcome.end_s
        assert phases["sent_mib"][mine].sum() == pytest.approx(moves["copied_mib"][row])


def test_the_cpu_of_a_move_is_in_its_row(result: farmsim.Result) -> None:
    """Pre-copy takes a tenth of the CPU of guest and both hosts, all of the guest's at the end."""
    moves = columns(result, "migrations")
    done = moves["finished"].astype(bool)
    assert done.any()
    took_s = (moves["end_s"] - moves["start_s"])[done]
    for end in ("source", "target"):
        assert moves[f"{end}_cpu_s"][done].astype(float) == pytest.approx(0.1 * took_s, abs=1e-3)
    lost_s = 0.1 * took_s + 0.9 * moves["downtime_s"][done].astype(float)
    assert moves["guest_lost_s"][done].astype(float) == pytest.approx(lost_s, abs=1e-3)


def test_a_source_stays_on_until_all_pages_have_left() -> None:
    made = farmsim.run(scenario("post_copy", {"max_migrations_per_host": 3}))
    moves, power = columns(made, "migrations"), columns(made, "power_events")
    resting = np.isin(power["state"], ["stopping", "off"])
    assert resting.any()
    for source, start_s, end_s in zip(
        moves["source"], moves["start_s"], moves["end_s"], strict=True
    ):
        off_s = power["time_s"][resting & (power["host"] == source)]
        assert not np.any((start_s < off_s) & (off_s < end_s))


def test_a_network_without_moves_is_reported() -> None:
    data = scenario()
    data["policies"]["control"] = "none"
    made = farmsim.run(data)
    assert made.value("link_utilisation_max") == 0
    # A mean, or the worst, of no moves is nothing.
    assert not {"downtime_mean_s", "downtime_max_s", "migration_wait_mean_s"} & set(made.metrics())
    assert made.table("link_series").num_rows == 0
    page = made.report()
    assert "No VM was migrated." in page
    assert "figure-migration_phases" not in page


def lost_bytes(outcome: Outcome) -> None:
    outcome.tables["links"]["sent_bytes"][:] += 1e6


def too_long_down(outcome: Outcome) -> None:
    outcome.tables["migrations"]["downtime_s"][0] = 1e5


def no_end(outcome: Outcome) -> None:
    outcome.tables["migrations"]["end_s"][0] = np.nan


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lost_bytes, "link .* carried .* bytes, migrations sent"),
        (too_long_down, "downtime of a migration is longer"),
        (no_end, "has no end"),
    ],
)
def test_balances_that_do_not_close_are_errors(
    spoil: Callable[[Outcome], None], message: str
) -> None:
    case, outcome = played(scenario(hours=0.5))
    metrics = measure(PlayedCase(case, outcome))
    check(outcome, metrics)
    spoil(outcome)
    with pytest.raises(ConservationError, match=message):
        check(outcome, metrics)


def test_every_figure_is_named_and_drawn(result: farmsim.Result) -> None:
    assert {figure.name for figure in NETWORK_FIGURES} <= available_figures(result).keys()
    for name in available_figures(result):
        assert FIGURES[name].title
        assert FIGURES[name].note
        assert result.figure(name).data


def lines_of(figure: Figure) -> set[int]:
    return {line for trace in figure["data"] for line in trace["y"]}


def test_the_timeline_shows_moves_from_their_decision(result: farmsim.Result) -> None:
    moves = columns(result, "migrations")
    figure = phase_timeline(result)
    assert len(lines_of(figure)) == min(MAX_MIGRATIONS, len(moves["vm"]))
    ends = [
        base + length
        for trace in figure["data"]
        for base, length in zip(trace["base"], trace["x"], strict=True)
    ]
    took_s = moves["end_s"] - moves["decided_s"]
    assert figure["layout"]["xaxis"]["title"]["text"].endswith("(min)")
    assert max(ends) == pytest.approx(took_s.max() / 60, abs=1e-4)
    waits = next((trace for trace in figure["data"] if trace["name"] == WAITING), None)
    assert waits is not None
    assert set(waits["base"]) == {0.0}


def test_figures_add_up(result: farmsim.Result) -> None:
    moves = columns(result, "migrations")
    bars = downtime(result)["data"][0]
    assert sum(bars["y"]) == moves["finished"].sum()
    sent_gib = sent(result)["data"][0]
    assert sum(sent_gib["y"]) == pytest.approx(
        columns(result, "migration_phases")["sent_gib"].sum()
    )
    use = links(result)["data"][0]
    assert len(use["y"]) == len(use["z"]) <= 10


def test_the_report_gives_the_energy_of_migrations(result: farmsim.Result) -> None:
    page = re.sub(r"<script.*?</script>", "", result.report(), flags=re.DOTALL)
    text = html.unescape(page)
    assert "Migrations over the network" in text
    assert "migrations used" in text
    for title in (*(figure.title for figure in NETWORK_FIGURES), "The busiest links"):
        assert title in text
    assert "Busiest link" in summary_text(result)


def test_a_run_is_read_back_with_its_moves(result: farmsim.Result, tmp_path: Path) -> None:
    again = farmsim.load(result.save(tmp_path / "run"))
    assert again.table("links").equals(result.table("links"))
    assert again.report() == result.report()


def test_variants_with_and_without_a_network_compare() -> None:
    compared = farmsim.compare(
        scenario(hours=0.5), {**scenario("fixed_rate", hours=0.5), "name": "f", "network": {}}
    )
    cells = compared.rows["downtime_p99_s"].cells
    assert cells["f"] is None or cells["f"].value is None


def test_times_are_written_for_people() -> None:
    assert [clock(seconds) for seconds in (0, 300, 3725, 86_400 + 7200)] == [
        "0:00 h", "0:05 h", "1:02:05", "day 2, 2:00 h",
    ]  # fmt: skip
    assert [lasting(s) for s in (0.0123, 2.5, 700, 7200)] == ["12.3 ms", "2.5 s", "11.7 min", "2 h"]
