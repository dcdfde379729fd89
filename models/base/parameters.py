"""Parameters of models and policies: unit, bounds and meaning of each field.

Models and policies are plain frozen dataclasses. :func:`parameter` attaches to a field what a
reader of a scenario has to know about it; the scenario language, the schema, the catalogue
listings and the reference pages are all made from it.
"""

from dataclasses import MISSING, field, fields
from typing import Any, TypedDict, cast

from .lazy_dataclass import dataclass


class Bounds(TypedDict, total=False):
    """Bounds of a number: at least, above, at most, below."""

    ge: float
    gt: float
    le: float
    lt: float


@dataclass(frozen=True, slots=True)
class Parameter:
    """Definition of one parameter.

    ``dimension`` names the quantity (``time``, ``memory``, ``share`` …; empty for plain
    numbers, choices and nested parts); ``key`` is the scenario's name for the field;
    ``slot`` names the policy kind that the field holds.
    """

    help: str
    dimension: str = ""
    key: str = ""
    slot: str = ""
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def bounds(self) -> Bounds:
        """Return the bounds that are set."""
        pairs = {"ge": self.ge, "gt": self.gt, "le": self.le, "lt": self.lt}
        set_ones = {name: value for name, value in pairs.items() if value is not None}
        return cast("Bounds", set_ones)


def parameter(text: str, default: Any = MISSING, **meaning: Any) -> Any:
    """Declare a dataclass field that a scenario may set.

    ``text`` is its help, ``meaning`` the rest of :class:`Parameter`.
    """
    metadata = {"parameter": Parameter(text, **meaning)}
    if default is MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def parameters_of(cls: type) -> dict[str, Parameter]:
    """Return the parameters of a dataclass by field name, in the order of declaration."""
    found = {}
    for each in fields(cls):
        if "parameter" in each.metadata:
            found[each.name] = each.metadata["parameter"]
    return found
