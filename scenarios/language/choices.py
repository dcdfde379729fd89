"""Fields that hold a dataclass: one picked by its name, such as a policy, or a mapping of its own.

A dataclass of parameters (models, policies) knows nothing of scenarios; here it gets a pydantic
twin that reads and checks it.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import (
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    ValidationError,
    create_model,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from ...models.base.named_classes import NamedClasses, name_of
from ...models.base.parameters import Parameter, parameters_of
from ...models.migration.dirty_pages import DIRTY_PAGES, DirtyPages
from ...policies.catalogue import (
    KINDS,
    PluginWarning,
    as_class,
    available,
    broken_plugin,
    of_others,
)
from ...policies.user_policies.functions import is_function
from ...policies.user_policies.guard import (
    describe_error,
    is_foreign,
    is_of_others,
    is_theirs,
    name_of_class,
)
from ...policies.user_policies.kinds import flaw, flaw_of_class, is_number
from . import units
from .fields import Part, Percents, QuantityField, Readings, problem
from .former_names import former_fields, former_values, no_such
from .plugins import load_class, made_by_user

MAX_COUNT = 1_000_000_000
"""Bound of a whole number that states none."""

Options = Callable[[], Mapping[str, type]]


_SHOWN: list[type] = []
"""Choices whose schema is being written."""


class ChoiceField:
    """One of several dataclasses, chosen by a key, with its fields next to the key.

    ``policy: first_fit`` and ``{policy: first_fit}`` mean the same. Of a policy, whose ``kind`` is
    given, a name ``module:Class`` loads a class of the user's, if the command line allows it.
    ``key`` is the key that names it, ``what`` how messages call it, ``options`` returns the classes
    by name. An unknown name is refused with the nearest, or with meaning called now.
    """

    def __init__(self, key: str, what: str, options: Options, kind: str = "") -> None:
        self.key, self.what, self.options = key, what, options
        self.kind, self.code = kind, bool(kind)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        del source, handler
        return core_schema.with_info_plain_validator_function(
            self._read, serialization=core_schema.plain_serializer_function_ser_schema(self._show)
        )

    def _read(self, written: Any, info: core_schema.ValidationInfo) -> Any:
        """Return the dataclass that is meant. Raises a problem, or all that pydantic finds."""
        if is_dataclass(written) and not isinstance(written, type):
            return self._checked(written)
        if self.kind and (is_function(written) or isinstance(written, type)):
            return self._checked(self._of_object(written))
        if isinstance(written, str):
            written = {self.key: written}
        if not isinstance(written, dict):
            raise problem(f"not a {self.what}; choose one with {self.key}: …")
        name = written.get(self.key)
        if not isinstance(name, str):
            known = ", ".join(self.options())
            raise problem(f"{self.key} is missing; choose one of {known}")
        context = info.context or {}
        cls = self.options().get(name) or (self.kind and available(self.kind).get(name)) or None
        if cls is None and self.code and ":" in name:
            cls = load_class(name, self.kind, bool(context.get("allow_code")))
        if cls is not None and self.kind and is_of_others(cls) and flaw_of_parameters(cls):
            raise problem(f"{name}: {flaw_of_parameters(cls)}")
        if cls is None:
            broken = broken_plugin(self.kind, name)
            raise problem(broken or no_such(self.what, name, self.options()))
        rest = {key: value for key, value in written.items() if key != self.key}
        return self._checked(made(cls, rest, context))

    def _checked(self, policy: Any) -> Any:
        """Return a policy; an error if it is the user's and lacks what its kind has to have.

        Policies that come with farmsim are taken as they are; the checks of others are those that a
        run would fail at.
        """
        wrong = None
        if self.kind and is_foreign(policy):
            wrong = flaw_of_class(type(policy), self.kind) or flaw(policy, self.kind)
        if wrong:
            raise problem(f"{name_of_class(type(policy))}: {'; '.join(wrong)}")
        return policy

    def _of_object(self, written: Any) -> Any:
        """Return the policy that a function stands for; of a class, say that it has to be made."""
        if isinstance(written, type):
            raise problem(f"{written.__name__} is a class; give a policy: {written.__name__}(…)")
        try:
            return as_class(written, self.kind)()
        except TypeError as error:
            raise problem(str(error)) from None

    def _show(self, value: Any) -> Any:
        """Return what a scenario would have to say to get the dataclass."""
        if value is None:
            return None
        name = name_of(type(value), self.options())
        named = name or f"{type(value).__module__}:{type(value).__qualname__}"
        return {self.key: named, **show_parameters(value)}

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        del schema, handler
        names = list(self.options())
        branches: list[JsonSchemaValue] = [{"type": "string", "enum": names}]
        for name, cls in self.options().items():
            if cls in _SHOWN:
                continue  # a policy that holds one of its own kind is written out once
            _SHOWN.append(cls)
            described = model_of(cls).model_json_schema(by_alias=True)
            _SHOWN.remove(cls)
            described.pop("title", None)
            described["description"] = summary_of(cls)
            tag = {self.key: {"const": name}}
            described["properties"] = tag | described.get("properties", {})
            described["required"] = [self.key, *described.get("required", [])]
            branches.append(described)
        return {"anyOf": branches}


class ParametersField:
    """A dataclass of parameters, its fields written as a mapping.

    Unlike a :class:`ChoiceField` there is nothing to pick: a scenario writes its parameters only.
    """

    def __init__(self, cls: type) -> None:
        self.cls = cls

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        del source, handler
        return core_schema.with_info_plain_validator_function(
            lambda written, info: read_parameters(self.cls, written, info.context),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: None if value is None else show_parameters(value)
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        del schema, handler
        described = model_of(self.cls).model_json_schema(by_alias=True)
        described["description"] = summary_of(self.cls)
        return described


def read_parameters(cls: type, written: Any, context: dict[str, Any] | None) -> Any:
    """Return a dataclass made from what a scenario says of its parameters.

    One that is made already is returned as it is. Raises ValidationError for values that do not fit
    and a problem for what the class itself refuses by ValueError.
    """
    if isinstance(written, cls):
        return written
    read = model_of(cls).model_validate(written, context=context)
    try:
        return cls(**{name: getattr(read, name) for name in parameters_of(cls)})
    except ValueError as error:
        raise problem(str(error)) from None


def made(cls: type, written: Any, context: dict[str, Any]) -> Any:
    """Return a policy made from what a scenario says of its parameters.

    Raises what :func:`read_parameters` raises, and a problem with the traceback of the user's code
    where the class fails otherwise.
    """
    try:
        return read_parameters(cls, written, context)
    except (ValidationError, PydanticCustomError):
        raise
    except BaseException as error:
        if not is_theirs(error):
            raise
        raise made_by_user(cls, error) from error


def show_parameters(value: object) -> dict[str, Any]:
    """Return what a scenario would have to say to get a dataclass.

    Keys and values are as written: quantities with units, policies by their names.
    """
    cls: type = type(value)
    held = {name: getattr(value, name) for name in parameters_of(cls)}
    return model_of(cls).model_construct(**held).model_dump(by_alias=True)


def summary_of(cls: type) -> str:
    """Return the first paragraph of a class's documentation, as one line."""
    return (cls.__doc__ or "").strip().split("\n\n", maxsplit=1)[0].replace("\n    ", " ")


@cache
def model_of(cls: type) -> type[Part]:
    """Return the pydantic twin of a dataclass whose fields are parameters.

    Names are the keys of a scenario; types, units and limits come from the parameters. What had
    another name before is taken over from the dataclass.

    It is made once per class. Bounds and units that a parameter states are checked by the twin,
    rules between parameters by the dataclass itself.
    """
    hints = get_type_hints(cls)
    members: dict[str, Any] = {}
    held = {each.name: each for each in fields(cls)}
    for name, parameter in parameters_of(cls).items():
        default = held[name].default
        members[name] = (
            annotation_of(hints[name], parameter),
            Field(
                ... if default is MISSING else default,
                alias=parameter.key or None,
                description=parameter.help,
            ),
        )
    model: type[Part] = create_model(cls.__name__, __base__=Part, **members)
    model.FORMER_FIELDS, model.FORMER_VALUES = former_fields(cls), former_values(cls)
    return model


def annotation_of(hint: Any, parameter: Parameter) -> Any:
    """Return the type under which pydantic reads a parameter.

    A slot holds a policy, a dataclass of parameters a mapping, a tuple a list of at least one.
    """
    if parameter.slot:
        held = Annotated[Any, policy_slot(parameter.slot)]
        if get_origin(hint) is tuple:
            return Annotated[tuple.__class_getitem__((held, ...)), Field(min_length=1)]
        return held
    if is_dataclass(hint) and isinstance(hint, type) and parameters_of(hint):
        return Annotated[hint, ParametersField(hint)]
    if get_origin(hint) is tuple:
        return _list_of(hint, parameter)
    return NESTED.get(hint) or _plain_annotation(hint, parameter)


def _plain_annotation(hint: Any, parameter: Parameter) -> Any:
    """Return the type of a number, a text or a choice, with its limits and unit."""
    limits = parameter.bounds()
    if hint is int and "le" not in limits and "lt" not in limits:
        limits["le"] = MAX_COUNT
    bounds = Field(allow_inf_nan=False, **limits) if hint in (float, int) else Field()
    if parameter.dimension:
        return Annotated[float, bounds, QuantityField(parameter.dimension)]
    strict = Field(strict=True) if hint in (int, float, bool) else Field()
    return Annotated[hint, bounds, strict]


def _table_tag(written: Any) -> str:
    """Tell a path from a mapping."""
    return "path" if isinstance(written, str) else "mapping"


TableField = Annotated[
    Annotated[dict[str, str], Tag("mapping")]
    | Annotated[str, Field(min_length=1, max_length=4096), Tag("path")],
    Discriminator(_table_tag),
]
"""A mapping of names, or the path of a table that holds one."""

NESTED: dict[Any, Any] = {
    DirtyPages: Annotated[Any, ChoiceField("model", "model of dirty pages", lambda: DIRTY_PAGES)],
    dict[str, str] | str: TableField,
}


def _list_of(hint: Any, parameter: Parameter) -> Any:
    """Return the type of a list: of watts, of percentages, or of what the tuple holds."""
    if parameter.dimension == "watt list":
        return Annotated[tuple[float, ...], Readings()]
    if parameter.dimension == "percent list":
        return Annotated[tuple[float, ...], Field(min_length=2, max_length=1000), Percents()]
    item: Any = annotation_of(get_args(hint)[0], parameter)
    return Annotated[tuple.__class_getitem__((item, ...)), Field(min_length=1)]


def policy_slot(kind: str) -> ChoiceField:
    """Return the field type that holds a policy of a kind, such as ``placement``."""
    return ChoiceField("policy", f"{kind} policy", lambda: usable(kind), kind)


def initial_slot(more: Mapping[str, type]) -> ChoiceField:
    """Return the field type of a placement at time 0, with ``more`` choices than others."""
    what = "placement policy"
    return ChoiceField("policy", what, lambda: usable("placement").and_others(more), "placement")


def migration_model() -> ChoiceField:
    """Return the field type that holds a migration model."""
    return ChoiceField("model", "migration model", lambda: usable("migration"), "migration")


LISTS = ("watt list", "percent list")
"""Dimensions of parameters that hold several numbers."""

_flaws: dict[type, str] = {}


def usable(kind: str) -> NamedClasses:
    """Return the policies of a kind by name, without those of others whose parameters fail.

    Of each of these a :class:`PluginWarning` tells once.

    ``kind`` is one of KINDS, such as ``placement``. A plugin whose module fails is left out as
    well; naming it in a scenario tells why.
    """
    found = of_others(kind)
    broken = {name: flaw_of_parameters(cls) for name, cls in found.items() if is_of_others(cls)}
    for name, why in broken.items():
        if why:
            del found[name]
            _warn_of(f"the {kind} policy {name!r} cannot be used: {why}")
    return KINDS[kind].and_others(found)


@cache
def _warn_of(text: str) -> None:
    warnings.warn(text, PluginWarning, stacklevel=2)


def flaw_of_parameters(cls: type) -> str:
    """Return why the parameters of a class cannot be read from a scenario; empty if they can."""
    if cls not in _flaws:
        _flaws[cls] = ""  # a policy may hold one of its own kind
        _flaws[cls] = _flaw_of_parameters(cls)
    return _flaws[cls]


def _flaw_of_parameters(cls: type) -> str:
    """Look at dimensions, slots and defaults of numbers, and whether a schema can be made."""
    for name, parameter in parameters_of(cls).items():
        for what, value, known in (
            ("dimension", parameter.dimension, (*units.DIMENSIONS, *LISTS)),
            ("slot", parameter.slot, KINDS),
        ):
            if value and value not in known:
                return f"the {what} of {name} is {value!r}; it is one of {', '.join(known)}"
    hints = get_type_hints(cls)
    for each in fields(cls):
        numbers = each.default if isinstance(each.default, tuple) else (each.default,)
        plain = hints[each.name] in (int, float) and each.default is not MISSING
        if plain and not all(is_number(number) for number in numbers):
            return f"the default of {each.name} is {each.default!r}; it is a number"
    try:
        model_of(cls).model_json_schema(by_alias=True)
    except Exception as error:  # annotations and defaults of others may be anything
        _, text = describe_error(error, "")[0].split(": ", maxsplit=1)
        right = "give each a type that YAML can hold, and a default of that type"
        return f"its parameters cannot be written in a scenario ({text.splitlines()[0]}); {right}"
    return ""
