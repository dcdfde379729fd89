"""Every field and value that has a new name is refused where it stands, the new name told."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from settable_fields import settable_fields

import farmsim
from farmsim.analysis.report.figures import ORDER
from farmsim.cli.errors import BAD_INPUT
from farmsim.cli.main import run_command_line
from farmsim.models.base.metric_definitions import METRICS, WHERE_KNOWN
from farmsim.policies.catalogue import available
from farmsim.policies.control.power_management import PowerManagement
from farmsim.policies.user_policies.kinds import KINDS
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.language.choices import model_of
from farmsim.scenarios.language.fields import Part
from farmsim.scenarios.language.former_names import FORMER_NAMES, former_fields, former_values
from farmsim.scenarios.scenario import from_text
from farmsim.scenarios.spec.spec import Spec

SCENARIO = """\
farm: {hosts: [{name: a, server: hp_ml110_g5, count: 2}]}
workload: {source: {type: constant, utilisation: 30 %}, vms: 3}
"""
METRICS_NOW = FORMER_NAMES["metric"]
LOAD = "load: {type: constant, rate: 3 GHz}"
SHOP = f"name: shop, size: standard, {LOAD}"
LADDER = "policy: vertical, sizes: [standard]"

RENAMED = {
    "network={moves_per_host: 2}": "max_migrations_per_host",
    "network={moves_in_all: 2}": "max_migrations",
    "network={moves_per_link: 2}": "max_migrations_per_link",
    "network={order: serial}": "migration_order",
    "farm.hosts.0.passthrough_moves=detach": "passthrough_migration",
    "policies.control={policy: balance, moves: 3}": "max_migrations",
    "policies.control={policy: balance, fill: 80 %}": "max_utilisation",
    "policies.control={policy: evacuation, hosts: a-1, fill: 80 %}": "max_utilisation",
    "policies.power={fill: 80 %}": "max_utilisation",
    "policies.control={policy: evacuation, hosts: a-1, wave: 2}": "hosts_per_wave",
    "policies.control={policy: evacuation, hosts: a-1, hold: 1 h}": "maintenance_time",
    "policies.control={policy: evacuation, hosts: a-1, otherwise: none}": "base_policy",
    "policies.control={policy: reassign, assignment: {vm-1: a-1}, otherwise: none}": "base_policy",
    "policies.control={policy: combined, of: [balance]}": "policies",
    "policies.control={policy: combined, policies: [balance], settle: 1 h}": "undo_after",
    "policies.control={policy: consolidation, drain: {policy: least_utilised, receivers: true}}": (
        "drain_receivers"
    ),
    "policies.control={policy: consolidation, drain: {policy: least_utilised, spare_idle: true}}": (
        "skip_idle_hosts"
    ),
    "policies.initial={by: size}": "count_by",
    "workload.deal=cycle": "size_order",
    "workload.above_full=cut": "above_100_percent",
    "workload.match=cycle": "match_series_by",
    "workload.source={type: resample, of: azure-v1-week}": "trace",
    "workload.source={type: resample, trace: azure-v1-week, blocks: apart}": "draw_blocks",
    "workload.arrivals={type: generated, limit: 9}": "max_vms",
    "workload.arrivals={type: azure, path: vms.csv, share: 9 %}": "sample_share",
    "workload.arrivals={type: table, path: vms.csv, start: 9 h}": "trace_start",
    "workload.arrivals={type: generated, swing: 0.5}": "daily_variation",
    "workload.arrivals={type: azure, path: vms.csv, level: p95}": "utilisation_statistic",
    f"applications=[{{{SHOP}, max_members: 3, start: 2}}]": "initial_members",
    f"applications=[{{{SHOP}, max_members: 3, minimum: 2}}]": "min_members",
    f"applications=[{{{SHOP}, maximum: 3}}]": "max_members",
    f"applications=[{{{SHOP}, max_members: 3, balance: round_robin}}]": "load_balancing",
    f"applications=[{{{SHOP}, max_members: 3, leaves_first: newest}}]": (
        "scale_in_order; write scale_in_order: newest_first"
    ),
    f"applications=[{{{SHOP}, max_members: 3, leaves_first: oldest}}]": (
        "scale_in_order; write scale_in_order: oldest_first"
    ),
    f"applications=[{{{SHOP}, max_members: 3, scale_in_order: newest}}]": "newest_first",
    f"applications=[{{{SHOP}, max_members: 3, scale_in_order: oldest}}]": "oldest_first",
    f"applications=[{{{SHOP}, max_members: 3, protected: 1}}]": "protected_members",
    "applications=[{name: shop, size: standard, max_members: 3, load: {type: table, times: [0 h], "
    "rates: [1 GHz], between: line}}]": "interpolation; write interpolation: linear",
    "applications=[{name: shop, size: standard, max_members: 3, load: {type: csv, path: x.csv, "
    "between: hold}}]": "interpolation",
    "applications=[{name: shop, size: standard, max_members: 3, load: {type: csv, path: x.csv, "
    "interpolation: line}}]": "linear",
    "applications=[{name: shop, size: standard, max_members: 3, load: {type: table, times: [0 h], "
    "rates: [1 GHz], interpolation: line}}]": "linear",
    f"applications=[{{{SHOP}, max_members: 3, scaling: {{{LADDER}, up_above: 80 %}}}}]": (
        "scale_up_above"
    ),
    f"applications=[{{{SHOP}, max_members: 3, scaling: {{{LADDER}, down_below: 30 %}}}}]": (
        "scale_down_below"
    ),
    "policies.control={policy: consolidation, overload: {policy: local_regression, ahead: 2}}": (
        "samples_ahead"
    ),
    "policies.control={policy: consolidation, overload: {policy: robust_local_regression, "
    "ahead: 2}}": "samples_ahead",
    "policies.initial={placement: {policy: power_aware_best_fit_decreasing, "
    "increase_over: measured}}": "compare_with",
    "failures={entries: [{name: x, of: rack, table: x.csv}]}": "component",
    "failures={schedule: [{at: 1 h, of: rack, match: [rack-1]}]}": "component",
    "failures={schedule: [{at: 1 h, match: [a-1], for: 1 h}]}": "duration",
    "failures={detection: 1 min}": "detection_time",
    "failures={restart: false}": "restart_vms",
    "failures={restart_isolated: true}": "restart_vms_of_isolated_hosts",
    "admission={queue: 2}": "max_queue",
    "admission={patience: 1 h}": "max_wait",
    "provisioning={bandwidth: 1 Gbit/s}": "copy_bandwidth",
    "constraints=[{name: r, type: apart, vms: ['*'], price: 2}]": "penalty",
    "service={microscope: [vm-1]}": "simulate_requests",
    "service={incoming_counts: true}": "incoming_counts_as_violation",
    "service={idle_energy: usage}": "idle_energy_by",
    "migration={model: fixed_rate, share: 50 %}": "bandwidth_share",
    "migration={model: cold, limit: 1 Gbit/s}": "max_bandwidth",
    "migration={model: pre_copy, first_rate: 1 Gbit/s}": "first_pass_bandwidth",
    "migration={model: pre_copy, rate_step: 1 Gbit/s}": "bandwidth_step",
    "migration={model: pre_copy, patience: 3}": "max_stalled_rounds",
    "migration={model: pre_copy, reaction: cancel}": "if_not_converging",
    "migration={model: post_copy, fault: 1 ms}": "page_fault_time",
}
"""What ``--set`` may have said once, and what it is called now."""


@pytest.mark.parametrize("written", RENAMED)
def test_a_former_name_is_refused_and_the_new_one_named(written: str) -> None:
    with pytest.raises(InputError) as caught:
        from_text(SCENARIO, "s.yaml", overrides=[written])
    lines = str(caught.value).split("\n")
    told = f"is now called {RENAMED[written]}"
    assert [line for line in lines if line.startswith(f"--set {written}: ") and told in line]
    assert "unknown key" not in str(caught.value)


@pytest.mark.parametrize("old", FORMER_NAMES["metric"])
def test_a_former_metric_is_refused_in_an_assertion(old: str) -> None:
    with pytest.raises(
        InputError, match=rf"^s.yaml:3:1: assert: .* now called {METRICS_NOW[old]};"
    ):
        from_text(f"{SCENARIO}assert: {{{old}: < 3}}\n", "s.yaml")


def test_former_names_of_results_are_refused_and_those_of_now_are_known() -> None:
    empty = farmsim.Result("r", {}, {}, "", {"none": pa.table({"vm": ["a"]})})
    for old, new in METRICS_NOW.items():
        assert new in {*METRICS, *WHERE_KNOWN}
        with pytest.raises(KeyError, match=f"'{old}' is now called {new}; write {new}"):
            empty.value(old)
    for old, new in FORMER_NAMES["table"].items():
        with pytest.raises(KeyError, match=f"'{old}' is now called {new}; write {new}"):
            empty.table(old)
    for old, new in FORMER_NAMES["figure"].items():
        assert new in ORDER
        with pytest.raises(KeyError, match=f"'{old}' is now called {new}; write {new}"):
            empty.figure(old)


@pytest.mark.parametrize("what", [each for each in FORMER_NAMES if each.startswith("column of ")])
def test_a_former_column_is_refused(what: str) -> None:
    name = what.removeprefix("column of ")
    for old, new in FORMER_NAMES[what].items():
        result = farmsim.Result("r", {}, {}, "", {name: pa.table({new: [1.0], "other": [2.0]})})
        assert result.table(name, new).column_names == [new]
        with pytest.raises(KeyError, match=f"'{old}' is now called {new}; write {new}"):
            result.table(name, "other", old)


@pytest.mark.parametrize("old", FORMER_NAMES["option"])
def test_a_former_option_is_refused(old: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, option = old.split()
    assert run_command_line([command, "library/first-steps", option]) == BAD_INPUT
    now = FORMER_NAMES["option"][old]
    assert f"{option} is now called {now}; write {now}" in capsys.readouterr().err


def owners() -> Iterator[type]:
    """Yield every class whose fields a scenario sets."""
    list(settable_fields(Spec))  # makes the twins of all dataclasses
    todo: list[type[Part]] = [Part]
    while todo:
        part = todo.pop()
        todo += part.__subclasses__()
        if part.__module__.startswith("farmsim"):
            yield part
    for kind in KINDS:
        yield from available(kind).values()
    yield PowerManagement


def test_all_that_was_renamed_is_walked_through() -> None:
    olds = {key.split(":")[0] for cls in owners() for key in former_fields(cls)}
    values = {old for cls in owners() for each in former_values(cls).values() for old in each}
    assert olds
    for old in olds:
        assert any(f"{old}: " in written or f".{old}=" in written for written in RENAMED), old
    for old in values:
        assert any(f": {old}}}" in written for written in RENAMED), old


def test_new_names_are_fields_and_former_ones_are_not() -> None:
    for cls in owners():
        part = cls if issubclass(cls, Part) else model_of(cls)  # type: ignore[arg-type]
        known = {field.alias or name for name, field in part.model_fields.items()}
        for old, new in former_fields(cls).items():
            assert old not in known, (cls, old)
            assert new in known, (cls, new)
