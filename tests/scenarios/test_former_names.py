"""Former names of fields, values, policies and metrics are refused with the new one named.

The renamings here are made up, so that no test has to follow those that were.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest

from farmsim.policies.control.consolidation import Consolidation
from farmsim.policies.placement_algorithms.best_fit import BestFit
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.language import former_names
from farmsim.scenarios.language.choices import model_of
from farmsim.scenarios.language.fields import Part
from farmsim.scenarios.language.former_names import former_fields, former_values, no_such
from farmsim.scenarios.scenario import Scenario, from_text
from farmsim.scenarios.spec.network import LeafSpine, NetworkPart, _Switched

HEAD = """\
farm: {hosts: [{name: a, server: hp_ml110_g5, count: 2}]}
workload: {source: {type: constant, utilisation: 30 %}, vms: 3}
"""


def said(text: str, overrides: Sequence[str] = ()) -> list[str]:
    with pytest.raises(InputError) as caught:
        from_text(HEAD + text, "s.yaml", overrides=overrides)
    return str(caught.value).split("\n")


@pytest.fixture(autouse=True)
def _renamed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    fields = {"other_traffic": "background", "pace": "migration_order"}
    monkeypatch.setattr(NetworkPart, "FORMER_FIELDS", fields)
    monkeypatch.setattr(NetworkPart, "FORMER_VALUES", {"migration_order": {"one_by_one": "serial"}})
    monkeypatch.setattr(_Switched, "FORMER_FIELDS", {"delay": "latency"})
    monkeypatch.setattr(Consolidation, "FORMER_FIELDS", {"full": "overload"}, raising=False)
    monkeypatch.setitem(former_names.FORMER_NAMES, "metric", {"joules": "energy_kwh"})
    named = {"pack": "consolidation"}
    monkeypatch.setitem(former_names.FORMER_NAMES, "control policy", named)
    model_of.cache_clear()
    yield
    model_of.cache_clear()


def test_a_field_is_refused_where_it_stands() -> None:
    assert said("network:\n  other_traffic: 30 %\n  migration_order: serial\n") == [
        "s.yaml:4:3: network.other_traffic: is now called background; write background"
    ]


def test_an_override_is_refused_as_the_file_is() -> None:
    assert said("", ["network.other_traffic=10 %"]) == [
        "--set network.other_traffic=10 %: network.other_traffic: is now called background; "
        "write background"
    ]


def test_a_mapping_is_refused_as_the_file_is() -> None:
    data = {
        "farm": {"hosts": [{"name": "a", "server": "hp_ml110_g5", "count": 2}]},
        "workload": {"source": {"type": "constant", "utilisation": "30 %"}, "vms": 3},
        "network": {"other_traffic": "10 %"},
    }
    with pytest.raises(InputError, match=r"^network.other_traffic: is now called background; "):
        Scenario.of(data)


def test_a_value_is_refused_alone_and_with_its_field() -> None:
    assert said("network: {migration_order: one_by_one}\n") == [
        "s.yaml:3:11: network.migration_order: 'one_by_one' is now called serial; write serial"
    ]
    assert said("network: {pace: one_by_one}\n") == [
        "s.yaml:3:11: network.pace: is now called migration_order; write migration_order: serial"
    ]
    assert (
        "is not allowed; write 'parallel', 'serial'"
        in said("network: {migration_order: quick}\n")[0]
    )


def test_a_field_of_a_base_class_is_known_to_those_that_inherit() -> None:
    assert former_fields(LeafSpine) == {"delay": "latency"}
    assert said("network: {layout: {topology: leaf_spine, delay: 1 ms}}\n") == [
        "s.yaml:3:42: network.layout.delay: is now called latency; write latency"
    ]


def test_a_parameter_of_a_policy_is_refused_as_a_field_is() -> None:
    text = "policies: {control: {policy: consolidation, full: {policy: static_threshold}}}\n"
    assert said(text) == [
        "s.yaml:3:45: policies.control.full: is now called overload; write overload"
    ]


def test_a_policy_and_a_metric_are_refused_by_their_former_names() -> None:
    assert said("policies: {control: pack}\nassert: {joules: < 3}\n") == [
        "s.yaml:3:12: policies.control: control policy 'pack' is now called consolidation; "
        "write consolidation",
        "s.yaml:4:1: assert: metric 'joules' is now called energy_kwh; write energy_kwh",
    ]
    assert no_such("metric", "energy_kw", ["energy_kwh"]).startswith("there is no metric")


class _Own(Part):
    FORMER_FIELDS: ClassVar = {"amount": "number"}
    FORMER_VALUES: ClassVar = {"kind": {"2": "two"}}
    number: int


def test_a_field_written_by_its_former_name_is_not_missing_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Part, "FORMER_FIELDS", {"hardware": "farm"})
    with pytest.raises(InputError) as caught:
        from_text(HEAD.replace("farm:", "hardware:"), "s.yaml")
    assert str(caught.value) == "s.yaml:1:1: hardware: is now called farm; write farm"


def test_classes_without_former_names_have_none() -> None:
    assert former_fields(BestFit) == {}
    assert former_values(_Own) == {"kind": {"2": "two"}}
