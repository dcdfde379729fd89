"""The schema that editors use agrees with what farmsim accepts."""

import json
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from turns import BASE, TURNS, put

from farmsim.cli.scenario_files import CATALOGUES
from farmsim.scenarios.catalogue_listing import entries, parameters, text_of
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.language.fields import OneOf, Part
from farmsim.scenarios.language.yaml_text import parse
from farmsim.scenarios.loader import library
from farmsim.scenarios.schema import schema, schema_text


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    jsonschema.Draft7Validator.check_schema(schema())
    return jsonschema.Draft7Validator(schema())


def test_the_schema_is_draft_7_and_describes_every_field() -> None:
    text = schema_text()
    assert json.loads(text)["$schema"].startswith("http://json-schema.org/draft-07")
    for later in ("$defs", "prefixItems", "unevaluatedProperties", "discriminator"):
        assert later not in text

    def walk(node: dict[str, Any], path: str) -> None:
        for name, field in node.get("properties", {}).items():
            if not {"const", "enum", "$ref", "allOf"} & set(field):
                assert field.get("description"), f"{path}.{name}"
        for name, definition in node.get("definitions", {}).items():
            assert definition.get("description"), name
            walk(definition, name)

    walk(schema(), "")


@pytest.mark.parametrize("name", library())
def test_library_scenarios_satisfy_the_schema(
    validator: jsonschema.Draft7Validator, name: str
) -> None:
    validator.validate(parse(library()[name].read_text("utf-8")).data)


@pytest.mark.parametrize("path", sorted(TURNS))
def test_what_the_knob_tests_write_satisfies_the_schema(
    validator: jsonschema.Draft7Validator, path: str
) -> None:
    for changes in TURNS[path]:
        data = json.loads(json.dumps(BASE))
        for dotted, value in changes.items():
            put(data, dotted, value)
        validator.validate(data)


def test_the_schema_refuses_what_farmsim_refuses(validator: jsonschema.Draft7Validator) -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"run.duration": 24}, {"run.duration": "24 GiB"}, {"run.durration": "1 h"},
        {"farm.hosts.0.server": "pdp11"}, {"workload.source": {"type": "csv"}},
        {"policies.control": "magic"}, {"cost.pue": 0.2}, {"workload.source": "nothing"},
        {"policies.control": {"policy": "consolidation", "overload": {"policy": "x"}}},
        {"farm.hosts.0.hypervisor": "kvn"}, {"farm.hosts.0.hypervisor": {"based_on": "kvn"}},
        {"workload.sizes.0.class": "wbe"}, {"overheads": "worst"}, {"tenants": [{}]},
    )  # fmt: skip
    for changes in wrong:
        data = json.loads(json.dumps(BASE))
        for dotted, value in changes.items():
            put(data, dotted, value)
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(data)


@pytest.mark.parametrize("what", CATALOGUES)
def test_every_catalogue_can_be_listed_and_each_entry_shown(what: str) -> None:
    found = entries(what)
    assert text_of(what, found).count("\n") == len(found)
    for entry in found:
        assert entry["name"] in text_of(what, entries(what, entry["name"]), full=True)
    with pytest.raises(InputError, match="did you mean"):
        entries(what, found[0]["name"] + "x")


def test_parameters_of_policies_show_default_and_choices() -> None:
    from farmsim.policies.overload.local_regression import LocalRegression  # noqa: PLC0415

    rows = {row["key"]: row for row in parameters(LocalRegression)}
    assert rows["weights"]["choices"] == ["tricube", "none"]
    assert rows["fallback"]["default"] == "70 %"
    assert all(row["meaning"].endswith(".") for row in rows.values())


def test_defaults_are_what_a_scenario_would_write() -> None:
    """An editor that inserts a default inserts something that the schema itself accepts."""
    wrong = []

    def look(node: Any, path: str) -> None:
        if isinstance(node, list):
            for index, each in enumerate(node):
                look(each, f"{path}[{index}]")
        elif isinstance(node, dict):
            if "pattern" in node and isinstance(node.get("default"), str | float | dict):
                inserted = node["default"]
                if not isinstance(inserted, str) or not re.search(node["pattern"], inserted):
                    wrong.append((path, inserted))
            if isinstance(node.get("items"), dict) and isinstance(node.get("default"), list):
                for each in node["default"]:
                    look({**node["items"], "default": each}, f"{path}[]")
            for key, value in node.items():
                look(value, f"{path}.{key}")

    look(schema(), "")
    assert not wrong


class Plain(BaseModel):
    """A part without what farmsim adds."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def holder(base: type[BaseModel], told_apart: Any) -> Any:
    """Return a model that holds shapes of two kinds."""
    radius: Any = (Annotated[float, Field(gt=0)], ...)
    kind: Any = (Literal["round"], ...)
    one: Any = create_model("Round", __base__=base, kind=kind, radius=radius)
    kind = (Literal["square", "oblong"], ...)
    inside: Any = (one | None, None)
    other: Any = create_model("Square", __base__=base, kind=kind, inside=inside, side=(float, 1.0))
    shapes: Any = (tuple.__class_getitem__((Annotated[one | other, told_apart], ...)), ())
    return create_model("Holder", __base__=base, shapes=shapes)


TAGS = {"round", "square", "oblong"}
READ_BY: dict[str, Callable[[], Any]] = {
    "farmsim": lambda: holder(Part, OneOf("kind")),
    "pydantic": lambda: holder(Plain, Field(discriminator="kind")),
}
WRITTEN = [
    [], [{}], ["x"], [5], [None], [{"kind": "round"}], [{"kind": "round", "radius": 1}],
    [{"kind": "round", "radius": -1}, {"kind": "none"}], [{"kind": ["round"]}], [{"kind": None}],
    [{"kind": 1}], [{"kind": "square", "side": "2", "more": 1}], [{"kind": "oblong"}],
    [{"kind": "square", "inside": {"kind": "round", "radius": 1}}],
    [{"kind": "square", "inside": {"kind": "round"}}], [{"kind": "square", "inside": [1]}],
    [{"kind": "square", "side": 3}] * 2, 7,
]  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN, ids=str)
def test_one_of_several_parts_is_read_as_pydantic_reads_it(written: Any) -> None:
    def told(model: Any) -> Any:
        try:
            return model.model_validate({"shapes": written}).model_dump()
        except ValidationError as error:
            tags = ("round", "square", "oblong")
            return [
                (
                    each["type"],
                    each.get("ctx"),
                    each["msg"],
                    [s for s in each["loc"] if s not in tags],
                )
                for each in error.errors(include_url=False)
            ]

    assert told(READ_BY["farmsim"]()) == told(READ_BY["pydantic"]())


def test_one_of_several_parts_has_the_schema_of_pydantic() -> None:
    made, expected = (make().model_json_schema() for make in READ_BY.values())
    assert made | {"description": ""} == expected | {"description": ""}


def test_only_the_parts_that_are_written_are_built() -> None:
    class Read(Part):
        kind: Literal["read"]

    class Unread(Part):
        kind: Literal["unread"]

    class Holder(Part):
        part: Annotated[Read | Unread, OneOf("kind")]
        other: Unread | None = None

    held = Holder.model_validate({"part": {"kind": "read"}})
    assert Read.__pydantic_complete__
    assert not Unread.__pydantic_complete__
    assert Holder.model_validate({"part": held.part, "other": None}) == held
