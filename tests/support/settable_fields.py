"""Every value that a scenario can set, found by walking its types."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from farmsim.scenarios.language.choices import ChoiceField, ParametersField, model_of


@dataclass(frozen=True)
class SettableField:
    """One settable value: its path (``[]`` for any entry, ``<name>`` for a choice) and field."""

    path: str
    field: FieldInfo
    kind: Any


def settable_fields(model: type[BaseModel], path: str = "") -> Iterator[SettableField]:
    """Yield the leaves of a model in the order of the documentation."""
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        if field.metadata:
            kind = Annotated[(kind, *field.metadata)]
        below = f"{path}.{field.alias or name}" if path else field.alias or name
        yield from _settable_fields(kind, below, field)


def _settable_fields(kind: Any, path: str, field: FieldInfo) -> Iterator[SettableField]:
    found = list(_below(kind, path))
    yield from found
    if not found or _is_choice(kind):
        yield SettableField(path, field, kind)


def _is_choice(kind: Any) -> bool:
    """Whether a field may also be a plain text: the name of a choice."""
    if get_origin(kind) is Annotated:
        bare, *extras = get_args(kind)
        return any(isinstance(each, ChoiceField) for each in extras) or _is_choice(bare)
    if get_origin(kind) in (Union, UnionType):
        return any(_is_text(member) or _is_choice(member) for member in get_args(kind))
    return False


def _is_text(kind: Any) -> bool:
    bare = _bare(kind)
    return bare is str or get_origin(bare) is Literal


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _below(kind: Any, path: str) -> Iterator[SettableField]:
    for extra in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
        if isinstance(extra, ChoiceField):
            if any(f"<{name}>" in path for name in extra.options()):
                return  # what a policy holds of its own kind is described by itself
            for name, cls in extra.options().items():
                yield from settable_fields(model_of(cls), f"{path}<{name}>")
            return
        if isinstance(extra, ParametersField):
            yield from settable_fields(model_of(extra.cls), path)
            return
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from _model(kind, path)
    elif get_origin(kind) in (Union, UnionType):
        for member in get_args(kind):
            yield from _below(member, path)
    elif get_origin(kind) is tuple:
        yield from _below(get_args(kind)[0], f"{path}[]")


def _model(model: type[BaseModel], path: str) -> Iterator[SettableField]:
    tag = model.model_fields.get("type")
    names = get_args(tag.annotation) if tag and get_origin(tag.annotation) is Literal else ()
    if not names:
        yield from settable_fields(model, path)
        return
    yield from settable_fields(model, f"{path}<{names[0]}>")
