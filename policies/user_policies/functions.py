"""Plain functions as policies: a function stands for the one method of its kind.

A function has no parameters that a scenario could set. What else a policy of its kind has to say
is said by attributes of the function (``my_detector.samples = 24``), or left at its default.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from ...models.base.lazy_dataclass import dataclass
from .kinds import KINDS, MEANT, Flaw, is_of, shown, takes

FUNCTION = "__farmsim_function__"
KIND = "__farmsim_kind__"
"""Attributes of a class that stands for a function, and their values: the function, its kind."""


def is_function(found: object) -> bool:
    """Whether something may be meant as a plain function: it can be called and is no class."""
    return callable(found) and not isinstance(found, type)


def flaw_of_function(function: Any, kind: str) -> Flaw | None:
    """Return what is wrong with a function as a policy of a kind; None: nothing."""
    about = KINDS[kind]
    if not takes(function, about.parameters):
        name = getattr(function, "__name__", "function")
        right = f"write def {name}({', '.join(about.parameters)})"
        return f"it cannot be called with {len(about.parameters)} arguments", right
    for name, attribute in about.attributes.items():
        value = getattr(function, name, attribute.default)
        if not is_of(value, attribute.sort):
            return f"{name} is {shown(value)}", f"{name} is {MEANT[attribute.sort]}"
    return None


@cache
def class_of(function: Any, kind: str) -> type:
    """Return the class of policies without parameters that a function stands for.

    It has the function's name, module and docstring. Raises TypeError where the function does not
    fit its kind.
    """
    wrong = flaw_of_function(function, kind)
    if wrong is not None:
        raise TypeError("; ".join(wrong))
    about = KINDS[kind]
    attributes = {
        name: getattr(function, name, each.default) for name, each in about.attributes.items()
    }
    others: dict[str, Callable[..., Any]] = dict.fromkeys(about.methods, _nothing)
    for name in about.optional:
        if callable(getattr(function, name, None)):
            others[name] = staticmethod(getattr(function, name))
    members = {
        **attributes,
        **others,
        about.method: staticmethod(function),
        FUNCTION: staticmethod(function),
        KIND: kind,
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__qualname__": getattr(function, "__qualname__", "function"),
        "__reduce__": _reduce,
    }
    cls = type(getattr(function, "__name__", "function"), (), members)
    return dataclass(frozen=True)(cls)


def _reduce(self: Any) -> tuple[Any, tuple[Any, str]]:
    """Tell pickle to look up the function, since its class stands in no module."""
    return _made, (getattr(self, FUNCTION), getattr(self, KIND))


def _made(function: Any, kind: str) -> object:
    """Return the policy that a function stands for: how it comes out of a pickle."""
    return class_of(function, kind)()


def _nothing(self: object, depth: int) -> None:
    """Stand for a method that a function does not have."""
    del self, depth
