"""Types of single values in a scenario: what their unit is and which values are allowed."""

from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag

from ..models.load_class import RequestClass, request_classes
from .fields import Knobs, Quantity, problem
from .suggest import unknown_name

Seconds = Annotated[float, Field(ge=0), Quantity("time")]
Period = Annotated[float, Field(gt=0), Quantity("time")]
Megahertz = Annotated[float, Field(gt=0), Quantity("frequency")]
Mebibytes = Annotated[float, Field(gt=0), Quantity("memory")]
Watts = Annotated[float, Field(ge=0), Quantity("power")]
Share = Annotated[float, Field(ge=0, le=1), Quantity("share")]
Count = Annotated[int, Field(strict=True, ge=1)]
Factor = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=100)]
RunName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Weight = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
FilePath = Annotated[str, Field(strict=True, min_length=1, max_length=4096)]


def _known_class(name: str) -> str:
    if name not in request_classes():
        raise problem(unknown_name("request class", name, request_classes()))
    return name


def _class_tag(written: object) -> str:
    return "own" if isinstance(written, dict | RequestClass) else "catalogue"


RequestClassName = Annotated[str, AfterValidator(_known_class)]
RequestClassField = Annotated[
    Annotated[RequestClassName, Tag("catalogue")]
    | Annotated[RequestClass, Knobs(RequestClass), Tag("own")],
    Discriminator(_class_tag),
]
