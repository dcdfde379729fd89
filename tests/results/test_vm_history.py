"""The story of a VM says what the tables say, in order, and nothing else."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import farmsim
from farmsim.analysis.report import vm_sentences as words
from farmsim.analysis.report.vm_history import VmHistory
from farmsim.cli.main import run_command_line
from farmsim.scenarios.files.destination import seal

SMALL = (
    "workload.vms=120", "farm.hosts.rack.count=4", "run.duration=6 h", "baseline={type: none}",
    "policies.initial.cpu_overcommit=4",
)  # fmt: skip
HOUR_S = 3600.0


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> farmsim.Result:
    out = tmp_path_factory.mktemp("runs") / "small"
    farmsim.run("library/planetlab-day", *SMALL, out=out)
    return farmsim.load(out)


def rows_of(result: farmsim.Result, table: str, vm: str) -> list[dict[str, Any]]:
    return [row for row in result.table(table).to_pylist() if row["vm"] == vm]


def lines_of(vm_history: VmHistory) -> list[str]:
    return vm_history.text().split("\n\n")[1].splitlines()


def names(result: farmsim.Result) -> list[str]:
    found: list[str] = result.table("vms")["vm"].to_pylist()
    return found


def at(time_s: float) -> str:
    minutes, seconds = divmod(int(time_s + 1e-6), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}  "


def expected(result: farmsim.Result, vm: str) -> list[tuple[str, tuple[str, ...]]]:
    """Clock and fragments of every line but those of hosts, made from the tables by hand."""
    wanted: list[tuple[str, tuple[str, ...]]] = []
    for row in rows_of(result, "decisions", vm):
        found: tuple[str, ...] = (
            row["target"],
            f"the lowest of {row['hosts_considered']} hosts considered",
        )
        if row["outcome"] != "placed":
            side = "above" if row["measured"] > row["limit"] else "below"
            rule = f"{row['rule']} measured {round(100 * row['measured'], 1):g} %"
            found += (rule, f"on {row['source']}, {side} its limit of {100 * row['limit']:g} %")
        wanted.append((at(row["time_s"]), found))
    for row in rows_of(result, "migrations", vm):
        source, target = row["source"], row["target"]
        if row["start_s"] > row["decided_s"]:
            wanted.append((at(row["decided_s"]), (f"waits for {target} to boot",)))
        copied = f"{row['copied_gib']:g} GiB"
        taken = f"{row['end_s'] - row['start_s']:.3g} s"
        wanted.append(
            (
                at(row["start_s"]),
                (f"starts migrating from {source} to {target}", f"{copied} to copy"),
            )
        )
        wanted.append((at(row["end_s"]), (f"runs on {target}: {copied} copied in {taken}",)))
    return wanted


def test_every_line_comes_from_the_tables_and_every_row_has_its_line(
    result: farmsim.Result,
) -> None:
    for vm in names(result)[::4]:
        lines = lines_of(result.vm_history(vm))
        assert [line[:8] for line in lines] == sorted(line[:8] for line in lines)
        assert lines[-1].startswith("06:00:00  the run ends; running on ")
        told = [line for line in lines[:-1] if not re.search(r" is (on|booting|dr\w+) \(", line)]
        wanted = expected(result, vm)
        assert len(told) == len(wanted)
        for clock, fragments in wanted:
            fitting = [
                line
                for line in told
                if line.startswith(clock) and all(x in line for x in fragments)
            ]
            assert len(fitting) == 1, (clock, fragments, told)


def test_lines_about_hosts_are_power_events_of_where_it_was(result: farmsim.Result) -> None:
    events = result.table("power_events").to_pylist()
    seen = 0
    for vm in names(result):
        for each in result.vm_history(vm).events:
            if each.event != "power":
                continue
            seen += 1
            row = {"time_s": each.time_s, **each.data}
            assert any(row.items() <= event.items() for event in events)
            moves = rows_of(result, "migrations", vm)
            about = rows_of(result, "vms", vm)[0]
            assert each.data["host"] in {about["first_host"], *(move["target"] for move in moves)}
    assert seen


def test_a_move_that_waits_for_a_boot_is_told_step_by_step(result: farmsim.Result) -> None:
    moves = result.table("migrations").to_pylist()
    move = next(row for row in moves if row["start_s"] > row["decided_s"])
    vm_history = result.vm_history(move["vm"])
    told = [
        (each.event, each.data.get("state"))
        for each in vm_history.events
        if move["decided_s"] <= each.time_s <= move["end_s"]
    ]
    assert told == [
        ("decision", None), ("power", "booting"), ("wait", None), ("power", "on"),
        ("move_begin", None), ("move_end", None),
    ]  # fmt: skip
    end = next(each for each in vm_history.events if each.time_s == move["end_s"])
    assert end.data["waited_s"] == move["start_s"] - move["decided_s"]
    assert end.data["duration_s"] == move["end_s"] - move["start_s"]


def test_the_summary_agrees_with_the_tables(result: farmsim.Result) -> None:
    for vm in names(result)[::5]:
        last = result.vm_history(vm).events[-1]
        about = rows_of(result, "vms", vm)[0]
        ended = [row for row in rows_of(result, "migrations", vm) if row["finished"]]
        assert last.event == "summary"
        assert last.data["moves_ended"] == about["migrations"] == len(ended)
        assert last.data["copied_gib"] == sum(row["copied_gib"] for row in ended)
        assert last.data["unserved_migration_share"] == about["unserved_migration_share"]
        moved = about["unserved_migration_share"]
        assert (f"{100 * moved:.3g} % by migration" in last.text) == (moved > 0)
        assert f"requested {about['requested_ghz_h']:.4g} GHz h" in last.text


def test_the_events_are_json_and_say_what_the_text_says(
    result: farmsim.Result, capsys: pytest.CaptureFixture[str]
) -> None:
    vm = names(result)[3]
    where = str(result.directory)
    assert run_command_line(["explain", where, "--vm", vm]) == 0
    text = capsys.readouterr().out.strip()
    assert text == result.vm_history(vm).text() == repr(result.vm_history(vm))
    assert run_command_line(["explain", where, "--vm", vm, "--json"]) == 0
    events = json.loads(capsys.readouterr().out)
    told = [f"{each['clock']}  {each['text']}" for each in events[:-1]]
    assert told == lines_of(result.vm_history(vm))
    assert text.endswith(events[-1]["text"])


def test_a_pattern_names_the_one_vm_that_it_matches(result: farmsim.Result) -> None:
    vm = names(result)[0]
    assert result.vm_history(vm[:-3] + "*").vm == vm
    with pytest.raises(farmsim.InputError, match=r"120 VMs match '\*'; name one of them: .*, …"):
        result.vm_history("*")


def test_a_name_is_taken_as_it_stands_before_it_is_a_pattern() -> None:
    named = made(vms=[vm_row(vm="a*"), vm_row(vm="ab")])
    assert named.vm_history("a*").vm == "a*"


BAD = {
    "wrong name": ("{run}", "146-179_surfsnel_dsl_internl_net_rot", "nearest: 146-179_surfsnel"),
    "nothing like it": ("{run}", "§", "there is no VM '§'; known: "),
    "no such pattern": ("{run}", "zzz*", "there is no VM 'zzz*'"),
    "several": ("{run}", "146*net_*", "VMs match"),
    "not a run": ("{run}/tables", "x", "is not a run directory"),
    "nowhere": ("{run}/none", "x", "is not a run directory"),
    "a comparison": (
        "{comparison}",
        "x",
        "is a comparison, not a run; give one of the runs in its",
    ),
}


@pytest.mark.parametrize(("where", "vm", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_ends_with_2(
    result: farmsim.Result, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    where: str, vm: str, message: str,
) -> None:  # fmt: skip
    seal(tmp_path, "comparison", {"name": "c"})
    where = where.format(run=result.directory, comparison=tmp_path)
    assert run_command_line(["explain", where, "--vm", vm]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""


def test_a_table_that_is_gone_is_named(result: farmsim.Result) -> None:
    tables = {name: result.table(name) for name in ("vms", "migrations", "hosts")}
    with pytest.raises(farmsim.InputError, match="table decisions cannot be read"):
        replace(result, tables=tables).vm_history(names(result)[0])


def vm_row(**given: Any) -> dict[str, Any]:
    return {
        "vm": "v", "size": "small", "vcpus": 2, "size_mhz": 4000.0, "memory_gib": 8.0,
        "state": "running", "first_host": "a", "last_host": "a", "migrations": 0,
        "utilisation_mean": 0.25, "requested_ghz_h": 10.0, "unserved_saturated_share": 0.02,
        "unserved_vm_limit_share": 0.0, "unserved_overhead_share": 0.0,
        "unserved_migration_share": 0.001, "unserved_not_running_share": 0.0,
        "ready_share": 0.03, "costop_share": 0.004, "reason": "",
    } | given  # fmt: skip


def decision_row(**given: Any) -> dict[str, Any]:
    return {
        "time_s": 300.0, "vm": "v", "source": "a", "target": "b", "rule": "static_threshold",
        "measured": 0.9, "limit": 0.8, "hosts_considered": 9, "hosts_full": 0, "hosts_no_cpu": 0,
        "hosts_no_memory": 0, "hosts_vetoed": 0, "hosts_barred": 0, "cost": 1.5,
        "outcome": "moved",
    } | given  # fmt: skip


def move_row(**given: Any) -> dict[str, Any]:
    return {
        "vm": "v", "source": "a", "target": "b", "decided_s": 300.0, "start_s": 300.0,
        "end_s": 330.0, "copied_gib": 8.0, "finished": True,
    } | given  # fmt: skip


def made(
    decisions: list[dict[str, Any]] | None = None,
    moves: list[dict[str, Any]] | None = None,
    vms: list[dict[str, Any]] | None = None,
    power: list[dict[str, Any]] | None = None,
    hours: float = 1.0,
    units: dict[str, str] | None = None,
) -> farmsim.Result:
    """Return a result with the tables given."""

    def table(rows: list[dict[str, Any]], pattern: dict[str, Any]) -> pa.Table:
        found = pa.Table.from_pylist(rows or [pattern])
        fields = [
            each.with_metadata({"unit": (units or {}).get(each.name, "")}) for each in found.schema
        ]
        return found.cast(pa.schema(fields)).slice(0, len(rows))

    event = {"time_s": 0.0, "host": "b", "state": "on", "cause": "booted"}
    host = {"host": "a", "server": "model", "memory_gib": 64.0}
    return farmsim.Result(
        name="made",
        summary={"duration_h": {"value": hours, "unit": "h"}, "verdict": ""},
        manifest={},
        scenario_yaml="",
        tables={
            "vms": table(vms or [vm_row()], vm_row()),
            "decisions": table(decisions or [], decision_row()),
            "migrations": table(moves or [], move_row()),
            "power_events": table(power or [], event),
            "hosts": table([host], host),
        },
    )


DECISIONS = {
    "moved": (
        {}, "static_threshold measured 90 % on a, above its limit of 80 %; is to migrate to b "
        "(cost 1.5, the lowest of 9 hosts considered)",
    ),
    "superseded": ({"outcome": "superseded"}, "considered), superseded later in the same round"),
    "refused": (
        {"outcome": "target lacks memory"}, "was to migrate to b (cost 1.5, the lowest of 9 hosts "
        "considered), refused: target lacks memory",
    ),
    "no room": (
        {"target": None, "outcome": "no host has capacity", "hosts_full": 9, "hosts_no_cpu": 2,
         "hosts_no_memory": 4, "hosts_vetoed": 3},
        "; stays, no host has capacity: none of 9 hosts has capacity: 2 without CPU, 4 without "
        "memory, 3 would be overloaded",
    ),
    "nobody asked": (
        {"target": None, "outcome": "no host has capacity", "hosts_considered": 0},
        "no host has capacity: there was no host to choose from",
    ),
    "close to the limit": (
        {"measured": 0.80004}, "measured 80.004 % on a, above its limit of 80 %;",
    ),
    "at the limit": ({"measured": 0.8}, "measured 80 % on a, at its limit of 80 %;"),
    "nothing measured": (
        {"rule": "evacuation", "measured": 0.0, "limit": 0.0}, "evacuation; is to migrate to b",
    ),
    "no number": ({"measured": float("nan")}, "static_threshold; is to migrate to b"),
    "placed": (
        {"time_s": 0.0, "outcome": "placed", "rule": "initial placement: first_fit",
         "target": "a", "hosts_considered": 1},
        "placed on a (model, 64 GiB) by first_fit: cost 1.5, the lowest of 1 host considered",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "text"), DECISIONS.values(), ids=DECISIONS.keys())
def test_each_kind_of_decision_is_told(given: dict[str, Any], text: str) -> None:
    vm_history = made([decision_row(**given)]).vm_history("v")
    assert text in lines_of(vm_history)[0]
    json.dumps(vm_history.to_list(), allow_nan=False)


def test_a_rejected_vm_says_why() -> None:
    reason = "of 9 hosts 6 lack CPU, 0 lack memory, 0 would be overloaded, 3 are excluded"
    row = decision_row(
        time_s=0.0, source=None, target=None, outcome="rejected", hosts_no_cpu=6, hosts_barred=3,
        rule="initial placement: best_fit",
    )  # fmt: skip
    rejected = vm_row(
        state="rejected", first_host=None, last_host=None, requested_ghz_h=0.0, reason=reason
    )
    assert made([row], vms=[rejected]).vm_history("v").text() == (
        "v: small, 2 vCPUs, 4,000 MHz, 8 GiB\n\n"
        "00:00:00  rejected by best_fit: none of 9 hosts has capacity: 6 without CPU, "
        "3 are excluded\n"
        "01:00:00  the run ends; it never ran\n\n"
        f"rejected: {reason}\n"
        "no decisions after the start\n"
        "requested no CPU"
    )


BOOTING = [{"time_s": 300.0, "host": "b", "state": "booting", "cause": "needed for VMs"}]
MOVES = {
    "cut off by the end": (
        {"end_s": HOUR_S, "start_s": 3580.0, "decided_s": 3580.0, "finished": False}, [],
        "is still migrating to b at the end of the run, after 20 s",
    ),
    "is aborted": ({"finished": False}, [], "the migration to b is aborted after 30 s"),
    "never begun": (
        {"end_s": HOUR_S, "finished": False}, BOOTING,
        "has not started migrating to b, which is still booting after 55 min 0 s",
    ),
    "waited its turn": (
        {"start_s": 310.0}, [], "starts migrating from a to b after 10 s of waiting: 8 GiB",
    ),
    "columns yet unknown": (
        {"downtime_s": 0.35, "rounds": 4, "converged": True, "kind": "pre_copy", "note": None,
         "phases": ["first", "rest"], "stages": [{"name": "copy", "gib": 1.5}]}, [],
        "runs on b: 8 GiB copied in 30 s, downtime 0.35 s, rounds 4, converged yes, kind pre_copy, "
        "phases (first; rest), stages (name copy gib 1.5)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "power", "text"), MOVES.values(), ids=MOVES.keys())
def test_each_kind_of_move_is_told(
    given: dict[str, Any], power: list[dict[str, Any]], text: str
) -> None:
    units = {"downtime_s": "s", "rounds": "rounds"}
    vm_history = made([decision_row()], [move_row(**given)], power=power, units=units).vm_history(
        "v"
    )
    assert any(text in line for line in lines_of(vm_history)), vm_history.text()
    begun = any(each.event == "move_begin" for each in vm_history.events)
    assert begun == ("has not started migrating" not in text)
    assert ("downtime 0.35 s in total" in vm_history.text()) == ("downtime" in text)
    json.dumps(vm_history.to_list(), allow_nan=False)


def test_what_it_went_without_is_summed_up() -> None:
    assert made().vm_history("v").text().endswith(
        "on a all the time\n"
        "no decisions after the start\n"
        "requested 10 GHz h, 25 % of its size; not served: 2 % because its hosts were saturated, "
        "0.1 % by migration; ready but not running 3 % of the time, co-stopped 0.4 %"
    )  # fmt: skip


def test_a_run_beyond_a_day_counts_days() -> None:
    vm_history = made([decision_row(time_s=90000.0)], hours=48.0).vm_history("v")
    assert [line.partition("  ")[0] for line in lines_of(vm_history)] == [
        "day 2 01:00:00", "day 3 00:00:00",
    ]  # fmt: skip
    assert words.clock(86400.0, with_day=False) == "24:00:00"


@pytest.mark.slow
def test_the_story_shown_on_the_page_is_what_the_commands_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "concepts.md").read_text("utf-8")
    section = page.partition("## The history of one VM")[2].partition("\n## ")[0]
    commands, shown = re.findall(r"^```\w+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for line in commands.splitlines():
        capsys.readouterr()
        arguments = [each.strip("'") for each in re.findall(r"'[^']*'|\S+", line)]
        assert run_command_line(arguments[1:]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in shown.splitlines() if line != "…" and line not in printed] == []
