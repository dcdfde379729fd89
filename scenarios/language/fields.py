"""How single fields of a scenario are read, written and described: numbers, units, money.

:class:`Part` is the base of everything that a scenario consists of. A validator refuses by raising
:func:`problem` (here) or :func:`problems` (below here); both say what is wrong and what would be
right.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, ClassVar, Self, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import (
    InitErrorDetails,
    PydanticCustomError,
    PydanticKnownError,
    core_schema,
)

from ..errors.terminal_text import shortened
from . import units

MIN_NUMBER, MAX_NUMBER = 1e-12, 1e12
"""Bounds of every number with a fraction but 0: beyond them are slips, and overflow."""

WRITTEN_AS = "farmsim:written-as"
"""Key by which a field tells the maker of the schema how its default is to be shown."""


class Part(BaseModel):
    """A part of a scenario: frozen, and strict about unknown keys.

    What it once called its fields and their values it lists as ``former_names.py`` says.

    Of a number without a unit only its size is checked here; units are those of the field's type.

    What reads a part is built when it first reads one, so that nothing is built for parts that a
    scenario does not have. A default of a field is therefore made by ``model_construct``.
    """

    FORMER_FIELDS: ClassVar[Mapping[str, str]] = {}
    FORMER_VALUES: ClassVar[Mapping[str, Mapping[str, str]]] = {}

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False, defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return the schema of the part; of one within another, that it is read by its own."""
        if _BUILT:
            return _read_by(lambda written, info: _part_of(cls, written, info), _name(cls))
        _BUILT.append(cls)
        try:
            return handler(source)
        finally:
            _BUILT.pop()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the part by what it is itself, also where it is read by its own."""
        nested = schema["type"] == "function-plain"
        return handler(core_schema.chain_schema([_built(cls)]) if nested else schema)

    @model_validator(mode="after")
    def _numbers_can_be_reckoned_with(self) -> Self:
        """Refuse numbers so small or large that arithmetic loses them."""
        faults = [
            (
                (type(self).model_fields[name].alias or name,),
                f"{value:g} is out of range; write 0, or {MIN_NUMBER:g} to {MAX_NUMBER:g}",
            )
            for name, value in self.__dict__.items()
            if isinstance(value, float) and value and not MIN_NUMBER <= abs(value) <= MAX_NUMBER
        ]
        if faults:
            raise problems(faults)
        return self


_BUILT: list[type[Part]] = []
"""The part whose schema is being built, if any."""

Read = Callable[[Any, core_schema.ValidationInfo], Any]


def _read_by(read: Read, name: str | None = None) -> core_schema.CoreSchema:
    """Return the schema of what a function reads as a part; a part is written as it itself says."""

    def show(part: Any, info: core_schema.SerializationInfo) -> Any:
        if not isinstance(part, Part):
            return part
        return part.model_dump(mode=info.mode, by_alias=bool(info.by_alias))

    written = core_schema.plain_serializer_function_ser_schema(show, info_arg=True)
    return core_schema.with_info_plain_validator_function(read, ref=name, serialization=written)


def _name(cls: type[Part]) -> str:
    """Return the name by which pydantic refers to the schema of a part."""
    return f"{cls.__module__}.{cls.__qualname__}:{id(cls)}"


def _part_of(cls: type[Part], written: Any, info: core_schema.ValidationInfo) -> Any:
    """Return a part that is one already, or is read. Raises ValidationError."""
    if isinstance(written, cls):
        return written
    return cls.model_validate(written, context=info.context)


def _built(cls: type[Part]) -> core_schema.CoreSchema:
    """Return the whole schema of a part, with its name."""
    cls.model_rebuild()
    return cast("core_schema.CoreSchema", {**cls.__pydantic_core_schema__, "ref": _name(cls)})


class OneOf:
    """One of several parts, told apart by the field ``tag``, whose value is one of a few texts.

    Stands beside the union of the parts in ``Annotated``. It is what a discriminator of pydantic
    is, but only the part that is written is built.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._parts: dict[str, type[Part]] = {}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        del handler
        parts = self._parts = {
            value: cls
            for cls in get_args(source)
            for value in get_args(cls.model_fields[self.tag].annotation)
        }
        known = ", ".join(map(repr, parts))

        def read(written: Any, info: core_schema.ValidationInfo) -> Any:
            if isinstance(written, tuple(parts.values())):
                return written
            if not isinstance(written, dict):
                raise PydanticKnownError("model_attributes_type")
            if self.tag not in written:
                raise PydanticKnownError("union_tag_not_found", {"discriminator": repr(self.tag)})
            tag = written[self.tag]
            if not isinstance(tag, str) or tag not in parts:
                told = {"discriminator": repr(self.tag), "tag": str(tag), "expected_tags": known}
                raise PydanticKnownError("union_tag_invalid", told)
            return _part_of(parts[tag], written, info)

        return _read_by(read)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        del schema
        built = {tag: _built(cls) for tag, cls in self._parts.items()}
        return handler(core_schema.tagged_union_schema(built, self.tag))


def problem(message: str) -> PydanticCustomError:
    """Return an error at the field that is being read; its text may hold braces."""
    return PydanticCustomError("farmsim", "{text}", {"text": message})


Fault = tuple[tuple[str | int, ...], str]
"""A place below the part that is being read, and what is wrong there."""


def problems(faults: Iterable[Fault]) -> ValidationError:
    """Return an error that holds several faults, each at its own place.

    Places are below the part whose validator raises it.
    """
    lines = [
        InitErrorDetails(type=problem(message), loc=place, input=None) for place, message in faults
    ]
    return ValidationError.from_exception_data("faults", lines)


def missing(*place: str) -> ValidationError:
    """Return the error that a field below the part that is being read has to be given.

    It reads like that of a field that is always required.
    """
    line = InitErrorDetails(type="missing", loc=place, input=None)
    return ValidationError.from_exception_data("faults", [line])


class QuantityField:
    """A number with a unit, kept in the base unit of its dimension.

    ``dimension`` is a key of :data:`.units.DIMENSIONS`; the value, unless it is 0, lies between
    ``least`` and ``most`` in the base unit, those of the dimension where they are not given. Stands
    beside ``float`` in ``Annotated``; bounds of pydantic (``gt``, ``le``) hold for the value in the
    base unit as well.

    Base units are s, MHz, MiB, Mbit/s, W and shares of 1. Written back, a value has the unit in
    which it is shortest.
    """

    def __init__(
        self, dimension: str, least: float | None = None, most: float | None = None
    ) -> None:
        kind = units.DIMENSIONS[dimension]
        self.dimension = dimension
        self.least = kind.least if least is None else least
        self.most = kind.most if most is None else most

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        number = handler(source)

        def read(written: Any) -> float:
            try:
                value = units.parse(written, self.dimension, self.most)
            except units.UnitError as error:
                raise problem(str(error)) from None
            if value and not self.least <= abs(value) <= self.most:
                low, high = (units.write(each, self.dimension) for each in (self.least, self.most))
                raise problem(f"{shortened(str(written))} is out of range; write {low} to {high}")
            return value

        def show(value: float) -> Any:
            return units.write(value, self.dimension) if isinstance(value, float) else value

        return core_schema.no_info_before_validator_function(
            read, number, serialization=core_schema.plain_serializer_function_ser_schema(show)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        del schema, handler
        kind = units.DIMENSIONS[self.dimension]
        alternatives = "|".join(sorted((unit for unit in kind.units if unit), key=len)[::-1])
        described: JsonSchemaValue = {
            "type": ["string", "number"] if kind.bare else "string",
            "pattern": rf"^\s*[-+0-9.eE]+\s*({alternatives}){'?' if kind.bare else ''}\s*$",
            "examples": list(kind.examples),
            WRITTEN_AS: self.dimension,
        }
        return described


class WrittenValue:
    """A field type with a text of its own: how it is read, written back and described.

    It stands beside the type in ``Annotated``, as pydantic wants it. Subclasses say how by
    ``parse``, ``show`` and ``schema``.
    """

    def parse(self, written: Any) -> Any:
        """Return what is meant by what is written. Raises UnitError or a problem."""
        raise NotImplementedError

    def show(self, value: Any) -> Any:
        """Return how a value is written."""
        return None if value is None else str(value)

    def schema(self) -> JsonSchemaValue:
        """Return the JSON Schema of what may be written."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        del source, handler

        def read(written: Any) -> Any:
            try:
                return self.parse(written)
            except units.UnitError as error:
                raise problem(str(error)) from None

        return core_schema.no_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(self.show)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        del schema, handler
        return self.schema()


class MoneyField(WrittenValue):
    """Money, such as ``7000 EUR``, or a price per kWh, such as ``0.21 EUR/kWh``."""

    def __init__(self, per_kwh: bool = False) -> None:
        self.per_kwh = per_kwh

    def parse(self, written: Any) -> units.Money:
        """Return an amount and its currency. Raises UnitError."""
        return units.parse_money(written, self.per_kwh)

    def schema(self) -> JsonSchemaValue:
        """Return the pattern of a number, three capital letters and perhaps ``/kWh``."""
        ending = "/kWh" if self.per_kwh else ""
        return {
            "type": "string",
            "pattern": rf"^\s*[-+0-9.eE]+\s*[A-Z]{{3}}{ending}\s*$",
            "examples": [f"0.21 EUR{ending}" if self.per_kwh else "7000 EUR"],
            WRITTEN_AS: "money",
        }


class _NumberList(WrittenValue):
    """A list of numbers with a rule of its own, kept as a tuple."""

    what = ""

    def wrong(self, values: list[float]) -> str:
        """Return what is wrong with the numbers; empty if nothing is."""
        raise NotImplementedError

    def parse(self, written: Any) -> tuple[float, ...]:
        """Return the numbers. Raises a problem that says which are wanted."""
        if not isinstance(written, list | tuple):
            raise problem(f"not a list; write {self.what}")
        values = []
        for each in written:
            if isinstance(each, bool) or not isinstance(each, int | float):
                raise problem(f"{each!r} is not a number; write {self.what}")
            values.append(float(each))
        message = self.wrong(values)
        if message:
            raise problem(f"{message}; write {self.what}")
        return tuple(values)

    def show(self, value: Any) -> list[float]:
        """Return the numbers as a list."""
        return list(value)

    def schema(self) -> JsonSchemaValue:
        """Return the schema of a list of numbers."""
        return {"type": "array", "items": {"type": "number"}}


class Readings(_NumberList):
    """Eleven readings of power, none falling below zero, full load not below idle."""

    what = "eleven readings in W, at 0, 10, …, 100 % load"

    def wrong(self, values: list[float]) -> str:
        """Return what is wrong with the readings; empty if nothing is."""
        if len(values) != 11:
            return f"{len(values)} numbers instead of eleven"
        if any(not 0 <= value < float("inf") for value in values):
            return "a reading is negative or infinite"
        if values[-1] < values[0] or values[-1] <= 0:
            return f"full load ({values[-1]:g} W) draws less than idle ({values[0]:g} W)"
        return ""


class Percents(_NumberList):
    """Quantiles in percent, ascending, within 0 … 100."""

    what = "percentages from 0 to 100 in ascending order"

    def wrong(self, values: list[float]) -> str:
        """Return what is wrong with the quantiles; empty if nothing is."""
        if any(not 0 <= value <= 100 for value in values):
            return "a quantile is outside 0 … 100"
        if any(b < a for a, b in pairwise(values)):
            return "the quantiles do not ascend"
        return "" if len(values) > 1 else "fewer than two quantiles"
