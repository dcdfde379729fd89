"""Types of single values in a scenario: units and allowed values."""

from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag

from ...models.service.request_class import RequestClass, request_classes
from ..errors.suggest import unknown_name
from .choices import ParametersField
from .fields import QuantityField, problem

MAX_VALUE = 1_000_000_000
"""Largest number of anything that is counted."""
Seconds = Annotated[float, Field(ge=0), QuantityField("time")]
Period = Annotated[float, Field(gt=0), QuantityField("time")]
Round = Annotated[float, Field(gt=0), QuantityField("time", least=0.1)]
"""Time between two things that a run does again and again."""
Megahertz = Annotated[float, Field(gt=0), QuantityField("frequency", least=0.001, most=1e6)]
"""Clock of a core or a vCPU."""
Mebibytes = Annotated[float, Field(gt=0), QuantityField("memory")]
Watts = Annotated[float, Field(ge=0), QuantityField("power")]
Share = Annotated[float, Field(ge=0, le=1), QuantityField("share")]
Count = Annotated[int, Field(strict=True, ge=1, le=MAX_VALUE)]
Whole = Annotated[int, Field(strict=True, ge=0, le=MAX_VALUE)]
Cores = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Factor = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=100)]
RunName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Weight = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


def _openable(path: str) -> str:
    """Refuse a path with a NUL character, which no system can open."""
    if "\0" in path:
        raise problem("contains a NUL character; remove it")
    return path


FilePath = Annotated[
    str, Field(strict=True, min_length=1, max_length=4096), AfterValidator(_openable)
]


def _known_class(name: str) -> str:
    """Refuse a request class that the catalogue does not have."""
    if name not in request_classes():
        raise problem(unknown_name("request class", name, request_classes()))
    return name


def _class_tag(written: object) -> str:
    """Tell a request class written out from the name of one."""
    return "own" if isinstance(written, dict | RequestClass) else "catalogue"


RequestClassName = Annotated[str, AfterValidator(_known_class)]
RequestClassField = Annotated[
    Annotated[RequestClassName, Tag("catalogue")]
    | Annotated[RequestClass, ParametersField(RequestClass), Tag("own")],
    Discriminator(_class_tag),
]
