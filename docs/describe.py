"""What the models of the scenario language say of themselves, as Markdown.

Pydantic keeps what a field is in three places: its annotation, the metadata of ``Annotated``, and
``FieldInfo``. They are brought together here, for the page of the scenario language and for those
of the policies.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from farmsim.scenarios.language import units
from farmsim.scenarios.language.choices import ChoiceField, ParametersField, model_of, summary_of
from farmsim.scenarios.language.fields import MoneyField, Part, QuantityField
from farmsim.scenarios.spec.applications import Rate

HEADER = ("field", "type", "default", "bounds", "meaning")
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
PLAIN = {int: "whole number", float: "number", str: "text", bool: "`true` or `false`"}


@dataclass
class Kind:
    """A type in words, its bounds, and the models whose fields lie below it.

    ``bounds`` are texts such as ``≥ 1 s``. ``models`` holds, for each mapping below, the suffix of
    its path (``[]`` in a list), its model and what it is. ``dimension`` is that of a quantity,
    empty for others; ``named`` are the choices where a field names a model or a policy.
    """

    words: str
    bounds: list[str] = field(default_factory=list)
    models: list[tuple[str, type[BaseModel], str]] = field(default_factory=list)
    dimension: str = ""
    named: ChoiceField | None = None


@dataclass
class Section:
    """One mapping of the language: where it stands, what it is, its fields.

    ``types`` are the values of ``tag``, where a mapping has several kinds; ``rows`` are as
    :data:`HEADER` names them.
    """

    path: str
    tag: str
    types: tuple[str, ...]
    what: str
    rows: list[tuple[str, ...]]


def kind_of(annotation: Any, metadata: list[Any]) -> Kind:
    """Describe a type with what pydantic keeps beside it.

    ``metadata`` is what stood around ``annotation``, the outermost last. The first entry that says
    what a field is in words decides; otherwise the annotation does, with the bounds of all entries.
    """
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metadata = [*more, *metadata]
    flat = [
        each
        for entry in metadata
        for each in (entry.metadata if isinstance(entry, FieldInfo) else [entry])
    ]
    for each in flat:
        if isinstance(each, ChoiceField):
            return Kind(_named_words(each), named=each)
        if isinstance(each, ParametersField):
            return Kind("mapping", models=[("", model_of(each.cls), summary_of(each.cls))])
        if isinstance(each, MoneyField):
            return Kind("price per kWh" if each.per_kwh else "money")
        if isinstance(each, Rate):
            return Kind(each.words)
        if getattr(each, "what", ""):
            return Kind(f"list: {each.what}")
    dimension = next((each.dimension for each in flat if isinstance(each, QuantityField)), "")
    kind = _plain(annotation)
    if dimension:
        kind = Kind(f"[{dimension}](#units)", dimension=dimension)
    kind.bounds += _bounds(flat, dimension, "characters" if annotation is str else "entry")
    types = [name for _, model, _ in kind.models for name in types_of(model)]
    if types:
        kind.words = f"mapping with `{tag_of(kind.models[0][1])}` " + " or ".join(
            f"`{name}`" for name in types
        )
    if types and any(isinstance(each, BeforeValidator) for each in flat):
        kind.words += ", or the name of a shipped trace"
    return kind


def types_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the values of the key that tells types apart; none if there is no such key."""
    tag = model.model_fields.get(tag_of(model))
    return get_args(tag.annotation) if tag else ()


def tag_of(model: type[BaseModel]) -> str:
    """Return the key that tells a mapping's types apart."""
    return "topology" if "topology" in model.model_fields else "type"


def _plain(annotation: Any) -> Kind:
    """Describe a type by its annotation alone: literals, unions, lists, mappings."""
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return Kind(" or ".join(f"`{each}`" for each in members))
    if origin in (Union, UnionType):
        kinds = [kind_of(each, []) for each in members if each is not type(None)]
        models = [below for kind in kinds for below in kind.models]
        bounds = [bound for kind in kinds for bound in kind.bounds]
        words = " or ".join(dict.fromkeys(kind.words for kind in kinds))
        return Kind(words, bounds, models, kinds[0].dimension if len(kinds) == 1 else "")
    if origin is tuple:
        inner = kind_of(members[0], [])
        plural = "" if inner.words.startswith("`") else "s"
        return Kind(
            f"list of {inner.words}{plural}",
            [],
            [("[]", *below[1:]) for below in inner.models],
            inner.dimension,
        )
    if origin is dict:
        return Kind("mapping of texts")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Kind("mapping", models=[("", annotation, summary_of(annotation))])
    return Kind(PLAIN.get(annotation, "mapping"))


def _named_words(named: ChoiceField) -> str:
    """Return a link to where the choices of a field stand."""
    if named.code:
        kind = named.what.removesuffix(" policy")
        return f"[{named.what}](policies.md#{kind})"
    return f"[{named.what}](#{plural(named.what).replace(' ', '-')})"


def plural(what: str) -> str:
    """Return the plural of a kind: models of dirty pages, power models."""
    head, of, rest = what.partition(" of ")
    return f"{head}s{of}{rest}"


def _bounds(metadata: list[Any], dimension: str, what: str) -> list[str]:
    """Return the bounds of a field in words, quantities with their unit.

    ``what`` is what a length counts: characters of a text, or entries of a list. A list that may be
    empty has no lower bound.
    """
    found = []
    for each in metadata:
        for name, sign in SIGNS.items():
            limit = getattr(each, name, None)
            if limit is not None:
                shown = units.write(float(limit), dimension) if dimension else f"{limit:,}"
                found.append(f"{sign} {shown}")
        if getattr(each, "pattern", None):
            found.append(f"`{each.pattern}`")
        if getattr(each, "min_length", None) and what == "entry":
            found.append(f"at least {each.min_length} {_counted(what, each.min_length)}")
        if getattr(each, "max_length", None):
            found.append(f"at most {each.max_length:,} {_counted(what, each.max_length)}")
    return found


def _counted(what: str, count: int) -> str:
    """Return the plural of an entry where there are several."""
    return "entries" if what == "entry" and count > 1 else what


def default_of(field_info: FieldInfo, kind: Kind) -> str:
    """Return a field's default as a scenario would write it.

    ``**required**`` where there is none; empty where the default is nothing.
    """
    value = field_info.default
    if value is PydanticUndefined:
        return "**required**"
    return _shown(value, kind)


def _shown(value: Any, kind: Kind) -> str:
    """Return a value as a cell; empty where nothing is the default."""
    if value is None or value in ({}, (), ""):
        return ""
    if isinstance(value, Part):
        return _mapping(value)
    if isinstance(value, tuple) and isinstance(value[0], Part):
        return f"one entry {_mapping(value[0])}"
    return f"`{_written(value, kind)}`"


def _written(value: Any, kind: Kind) -> str:
    """Return a value as a scenario would write it."""
    if isinstance(value, tuple):
        return f"[{', '.join(_written(each, kind) for each in value)}]"
    if kind.dimension:
        return str(units.write(value, kind.dimension))
    if kind.named is not None:
        return next(key for key, cls in kind.named.options().items() if type(value) is cls)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mapping(value: Part) -> str:
    """Return a part with its values, or that all are its defaults."""
    required = any(each.is_required() for each in type(value).model_fields.values())
    if not required and value == type(value)():
        return "the defaults of its fields"
    written = value.model_dump(by_alias=True, exclude_none=True)
    return "`{" + ", ".join(f"{key}: {each}" for key, each in written.items()) + "}`"


def rows_of(model: type[BaseModel], prefix: str = "") -> list[tuple[str, ...]]:
    """Return a table row for each field of a model.

    ``prefix`` leads the name of each field. Fields have the names of the scenario file, which may
    differ from those in the code. The type of a mapping is given a meaning of its own.
    """
    rows = []
    for name, info in model.model_fields.items():
        kind = kind_of(info.annotation, list(info.metadata))
        shown = f"`{prefix}{info.alias or name}`"
        meaning = info.description or ("Which of the kinds it is." if name == "type" else "")
        if info.examples:
            meaning += f" Example: `{_example(info.examples[0])}`."
        rows.append((shown, kind.words, default_of(info, kind), ", ".join(kind.bounds), meaning))
    return rows


def _example(example: Any, inside: bool = False) -> str:
    """Return an example as YAML on one line."""
    if isinstance(example, dict):
        pairs = [f"{key}: {_example(value, inside=True)}" for key, value in example.items()]
        return "{" + ", ".join(pairs) + "}"
    return f'"{example}"' if inside and isinstance(example, str) else str(example)


def sections(
    model: type[BaseModel], path: str = "", what: str = "", seen: set[type] | None = None
) -> Iterator[Section]:
    """Yield the sections of the reference page, a mapping each, in the order of the language.

    A mapping with several kinds is described once, where it first occurs, which ``seen`` keeps;
    others are described at each place. ``path`` is where ``model`` stands, empty for the file
    itself.
    """
    seen = set() if seen is None else seen
    types = types_of(model)
    if types:
        seen.add(model)
    rows = rows_of(model, f"{path}." if path else "")
    yield Section(path, tag_of(model), types, what or summary_of(model), rows)
    for name, info in model.model_fields.items():
        below = f"{path}.{info.alias or name}" if path else (info.alias or name)
        for suffix, child, meant in kind_of(info.annotation, list(info.metadata)).models:
            if child not in seen:
                yield from sections(child, below + suffix, meant, seen)


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table.

    A ``|`` within a cell is escaped. Without rows only the header is left.
    """
    cells = [header, tuple("---" for _ in header), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in cells
    )
