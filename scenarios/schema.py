"""The JSON Schema of scenarios, in draft 7 for editors.

It is made from the types of the spec; what pydantic cannot know (names of the catalogue, short
forms of a trace, defaults with units) is put in here.
"""

import json
from typing import Any

from ..models.base.catalogue import traces
from ..models.hardware.server import servers
from ..models.hypervisor.profiles import profiles
from ..models.service.request_class import request_classes
from .language.fields import WRITTEN_AS
from .language.units import DIMENSIONS, Money, write
from .spec.spec import Spec

DRAFT = "http://json-schema.org/draft-07/schema#"
SCHEMA_ID = "farmsim-scenario-1"


def schema() -> dict[str, Any]:
    """Return the schema as nested mappings.

    What editors cannot know (sums, units of money, what parts say of each other) stays with
    farmsim.

    The result is plain data, which ``json.dumps`` takes.
    """
    made = _draft7(Spec.model_json_schema(by_alias=True))
    definitions = made["definitions"]
    for part, field, names in (
        ("HostGroup", "server", servers()),
        ("HostGroup", "hypervisor", profiles()),
        ("Size", "class", request_classes()),
    ):
        _plain_text(definitions[part]["properties"][field])["enum"] = list(names)
    definitions["InlineHypervisor"]["properties"]["based_on"]["enum"] = list(profiles())
    for part, name in (("WorkloadPart", "source"), ("Resampled", "trace")):
        properties = definitions[part]["properties"]
        written = properties[name]
        properties[name] = {
            "description": written.pop("description"),
            "anyOf": [{"type": "string", "enum": list(traces())}, written],
        }
    return {"$schema": DRAFT, "$id": SCHEMA_ID, **made}


def _plain_text(node: dict[str, Any]) -> dict[str, Any]:
    """Return the first of some alternatives that is a plain text."""
    if node.get("type") == "string" or "anyOf" not in node:
        return node
    return next(found for each in node["anyOf"] if (found := _plain_text(each))["type"] == "string")


def _draft7(node: Any) -> Any:
    """Rewrite what pydantic writes for draft 2020-12: names of keys, references, defaults.

    A ``$ref`` beside other keys goes into ``allOf``, because draft 7 ignores what stands beside it.
    Titles and discriminators of pydantic are left out.
    """
    if isinstance(node, list):
        return [_draft7(each) for each in node]
    if not isinstance(node, dict):
        return node
    renamed = {"$defs": "definitions", "oneOf": "anyOf"}
    made = {}
    of_items = node.get("items")
    written_as = node.get(WRITTEN_AS)
    if isinstance(of_items, dict):
        written_as = of_items.get(WRITTEN_AS)
    for key, value in node.items():
        if key == WRITTEN_AS:
            continue
        if key in ("discriminator", "title") and not _is_property(key, value):
            continue
        if key == "$ref":
            made[key] = value.replace("#/$defs/", "#/definitions/")
        elif key == "default":
            made[key] = _as_written(value, written_as)
        else:
            made[renamed.get(key, key)] = _draft7(value)
    if "$ref" in made and len(made) > 1:
        made["allOf"] = [{"$ref": made.pop("$ref")}]
    return made


def _as_written(value: Any, written_as: str | None) -> Any:
    """Return a default as a scenario would write it, so that editors can insert it."""
    if isinstance(value, list) and written_as:
        return [_as_written(each, written_as) for each in value]
    if written_as == "money" and isinstance(value, dict):
        return str(Money(**value))
    if written_as in DIMENSIONS and isinstance(value, float):
        return write(value, written_as)
    return value


def _is_property(key: str, value: Any) -> bool:
    """Whether a key named ``title`` is a field of a scenario and not a title of pydantic's."""
    return key == "title" and isinstance(value, dict)


def schema_text() -> str:
    """Return the schema as text."""
    return json.dumps(schema(), indent=1, ensure_ascii=False)
