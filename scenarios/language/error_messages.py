"""Convert pydantic errors to messages with position, fault and remedy.

pydantic tells of types and locations; a user reads of keys and values. Paths are those of the
document, without the names of union members; a sentence says what is wrong and, after a semicolon,
what would be right.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from ..errors.suggest import unknown_name
from ..errors.terminal_text import shortened
from .choices import ChoiceField, ParametersField, model_of
from .fields import Fault
from .former_names import field_now, value_now, written_as_former
from .yaml_text import Path

TAGS = ("type", "topology", "kind")
"""Fields by which the members of a union are told apart."""

_KINDS = {
    "int_type": "not a whole number; write digits without a unit",
    "int_from_float": "not a whole number; remove the fraction",
    "int_parsing": "not a whole number; write digits without a unit",
    "float_type": "not a number; write digits without a unit",
    "finite_number": "not a finite number; write a number",
    "bool_type": "neither true nor false; write one of them",
    "string_type": "not a text; put it in quotes if it looks like a number",
    "dict_type": "not a mapping; write key: value below it",
    "model_type": "not a mapping; write key: value below it",
    "model_attributes_type": "not a mapping; write key: value below it",
    "tuple_type": "not a list; start each entry with a dash",
    "list_type": "not a list; start each entry with a dash",
    "too_short": "empty; add at least one entry",
    "string_too_short": "empty; write a name",
}
_BOUNDS = {
    "greater_than": ("gt", "must be more than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}


def sentences(error: ValidationError, model: type[BaseModel], data: Any) -> list[tuple[Path, str]]:
    """Return path and sentence of each error of reading data as a model.

    The order is pydantic's. Left out are a list that is empty because its entries are wrong, and a
    field that is missing because it was written by a former name.

    ``data`` is the document as it was read, before pydantic: former names and the value written are
    taken from it.
    """
    found = [
        (_path(each["loc"], each["type"], data), each) for each in error.errors(include_url=False)
    ]
    paths = [path for path, _ in found]
    return [
        (path, _sentence(each, path, model, data))
        for path, each in found
        if not (each["type"] == "too_short" and _has_below(path, paths))
        and not (each["type"] == "missing" and _has_former_name(path, model, data))
    ]


def located(faults: Iterable[Fault], data: Any) -> list[tuple[Path, str]]:
    """Return path and sentence of what checks found; of a place only what the document has."""
    return [(_path(place, "", data), message) for place, message in faults]


def listed(data: Any, path: Path) -> Sequence[Any]:
    """Return the list at a path of a document, an empty one if there is none."""
    found = _at(path, data)
    return found if isinstance(found, list | tuple) else ()


def _has_below(path: Path, paths: list[Path]) -> bool:
    """Whether an error stands below a path: its entries are wrong, not missing."""
    return any(len(other) > len(path) and other[: len(path)] == path for other in paths)


def _has_former_name(path: Path, model: type[BaseModel], data: Any) -> bool:
    """Whether a field is missing because it was written by its former name, told by itself."""
    owner = _model_at(path[:-1], model, data)
    return owner is not None and written_as_former(owner, str(path[-1]), _at(path[:-1], data))


def _path(location: Sequence[str | int], kind: str, data: Any) -> Path:
    """Drop from a location the names of union members, which no document has.

    What is missing is named although the document does not have it.
    """
    path: list[str | int] = []
    here = data
    for index, step in enumerate(location):
        inside = (isinstance(here, dict) and step in here) or (
            isinstance(here, list) and isinstance(step, int) and step < len(here)
        )
        if inside:
            here = here[step]
            path.append(step)
        elif kind == "missing" and index == len(location) - 1:
            path.append(step)
    return tuple(path)


def _sentence(  # noqa: PLR0911 - one return per kind of error
    error: Any, path: Path, model: type[BaseModel], data: Any
) -> str:
    """Return what is wrong and what would be right, by the kind of error."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        meaning = _description(path, model, data)
        return f"is missing; {meaning or 'add it'}"
    if kind == "extra_forbidden":
        owner = _model_at(path[:-1], model, data)
        renamed = field_now(owner, str(path[-1]), error["input"]) if owner else ""
        known = _fields(path[:-1], model, data)
        return renamed or unknown_name("key", str(path[-1]), known).replace(
            "there is no key", "unknown key"
        )
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        limit = context[key]
        bound = f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"
        return f"{_shown(error['input'])} is out of range; it {words} {bound}"
    if kind == "literal_error":
        field = _field_path(path)
        owner = _model_at(field[:-1], model, data) if field else None
        renamed = value_now(owner, str(field[-1]), error["input"]) if owner else ""
        return renamed or f"{_shown(error['input'])} is not allowed; write {context['expected']}"
    if kind == "union_tag_invalid":
        known = [name.strip("' ") for name in context["expected_tags"].split(",")]
        return unknown_name(_tag(context), str(context["tag"]), known)
    if kind == "union_tag_not_found":
        tag = _tag(context)
        return f"has no {tag}; add {tag}: and the fields that go with it"
    if kind in ("too_short", "too_long") and error["input"]:
        wanted = context["min_length" if kind == "too_short" else "max_length"]
        least = "at least" if kind == "too_short" else "at most"
        return f"{least} {wanted} entries are expected, not {len(error['input'])}"
    if kind == "string_pattern_mismatch":
        return f"{_shown(error['input'])} has characters that are not allowed here; " + (
            _description(path, model, data) or f"it must match {context['pattern']}"
        )
    if kind == "string_too_long":
        return f"longer than {context['max_length']} characters; shorten it"
    return _KINDS.get(kind, str(error["msg"]))


def _tag(context: Any) -> str:
    """Return the key that distinguishes the types."""
    return str(context["discriminator"]).strip("'")


def _shown(value: Any) -> str:
    """Return a value as messages show it."""
    return shortened(repr(value), 60)


def _fields(path: Path, model: type[BaseModel], data: Any) -> list[str]:
    """Return the keys of the mapping at a path; none where no model is known."""
    owner = _model_at(path, model, data)
    if owner is None:
        return []
    return [field.alias or name for name, field in owner.model_fields.items()]


def _description(path: Path, model: type[BaseModel], data: Any) -> str:
    """Return what the field at a path means, without the final stop; empty if unknown."""
    owner = _model_at(path[:-1], model, data)
    for name, field in owner.model_fields.items() if owner else ():
        if path and path[-1] in (name, field.alias):
            return (field.description or "").rstrip(".")
    return ""


def _model_at(path: Path, model: type[BaseModel], data: Any) -> type[BaseModel] | None:
    """Return the model that reads the mapping at a path of the data.

    It depends on the data which member of a union, or which choice, that is. None where there is no
    such model.

    Used to name the keys that a mapping may have and the meaning of what is missing.
    """
    kind: Any = model
    for step in path:
        owner = _pick(kind, data)
        data = _child(data, step)
        if isinstance(step, int):
            kind = (get_args(_bare(kind)) or (None,))[0]
        elif owner is None:
            return None
        else:
            found = [
                field for name, field in owner.model_fields.items() if step in (name, field.alias)
            ]
            if not found:
                return None
            kind = found[0].annotation
            if found[0].metadata:
                kind = Annotated[(kind, *found[0].metadata)]
    return _pick(kind, data)


def _field_path(path: Path) -> Path:
    """Return the path of the field that holds the entry of a list at a path, or the path."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path


def _at(path: Path, data: Any) -> Any:
    """Return what stands at a path of data, None if nothing does."""
    for step in path:
        data = _child(data, step)
    return data


def _child(data: Any, step: str | int) -> Any:
    """Return what stands at one step below, None if nothing does."""
    if isinstance(data, dict):
        return data.get(step)
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        return data[step]
    return None


def _bare(kind: Any) -> Any:
    """Return a type without what ``Annotated`` adds to it."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _pick(  # noqa: PLR0911 - one return per kind of type
    kind: Any, data: Any
) -> type[BaseModel] | None:
    """Choose the model among the members of a type that the data is meant for.

    Choices are told apart by their key, members of unions by one of TAGS. None where neither tells.
    """
    named = next((each for each in get_args(kind)[1:] if isinstance(each, ChoiceField)), None)
    if named is not None:
        name = data.get(named.key) if isinstance(data, dict) else None
        cls = named.options().get(name) if isinstance(name, str) else None
        return model_of(cls) if cls else None
    parameters = next(
        (each for each in get_args(kind)[1:] if isinstance(each, ParametersField)), None
    )
    if parameters is not None:
        return model_of(parameters.cls)
    kind = _bare(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    if get_origin(kind) is tuple and isinstance(data, dict):
        return _pick(get_args(kind)[0], data)  # one entry may be written without a list
    if get_origin(kind) in (Union, UnionType):
        members = [_pick(member, data) for member in get_args(kind)]
        models = [member for member in members if member is not None]
        written = data if isinstance(data, dict) else {}
        for member, tag in product(models, TAGS):
            field = member.model_fields.get(tag)
            if field is not None and written.get(tag) in get_args(field.annotation):
                return member
        return models[0] if len(models) == 1 else None
    return None
