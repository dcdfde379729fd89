"""Every value that a scenario can set, found by walking its types."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .language.fields import Knobs, Named, model_of


@dataclass(frozen=True)
class Leaf:
    """One settable value: its path (``[]`` for any entry, ``<name>`` for a choice) and field."""

    path: str
    field: FieldInfo
    kind: Any


def leaves(model: type[BaseModel], path: str = "") -> Iterator[Leaf]:
    """Yield the leaves of a model in the order of the documentation."""
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        if field.metadata:
            kind = Annotated[(kind, *field.metadata)]
        below = f"{path}.{field.alias or name}" if path else field.alias or name
        yield from _leaves(kind, below, field)


def _leaves(kind: Any, path: str, field: FieldInfo) -> Iterator[Leaf]:
    found = list(_below(kind, path))
    yield from found
    if not found or _is_choice(kind):
        yield Leaf(path, field, kind)


def _is_choice(kind: Any) -> bool:
    """Whether a field may also be a plain text: the name of a choice."""
    if get_origin(kind) is Annotated:
        bare, *extras = get_args(kind)
        return any(isinstance(each, Named) for each in extras) or _is_choice(bare)
    if get_origin(kind) in (Union, UnionType):
        return any(_is_text(member) or _is_choice(member) for member in get_args(kind))
    return False


def _is_text(kind: Any) -> bool:
    bare = _bare(kind)
    return bare is str or get_origin(bare) is Literal


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _below(kind: Any, path: str) -> Iterator[Leaf]:
    for extra in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
        if isinstance(extra, Named):
            if any(f"<{name}>" in path for name in extra.options()):
                return  # what a policy holds of its own kind is described by itself
            for name, cls in extra.options().items():
                yield from leaves(model_of(cls), f"{path}<{name}>")
            return
        if isinstance(extra, Knobs):
            yield from leaves(model_of(extra.cls), path)
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


def _model(model: type[BaseModel], path: str) -> Iterator[Leaf]:
    tag = model.model_fields.get("type")
    names = get_args(tag.annotation) if tag and get_origin(tag.annotation) is Literal else ()
    if not names:
        yield from leaves(model, path)
        return
    yield from leaves(model, f"{path}<{names[0]}>")
