"""What each kind of policy must provide, and what is wrong with one that does not."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import field, is_dataclass
from typing import Any, cast, get_type_hints

import numpy as np

from ...models.base.lazy_dataclass import dataclass

SHOWN = 60
"""Characters of a wrong value that are shown."""

Flaw = tuple[str, str]
"""What is wrong, and what would be right."""


@dataclass(frozen=True)
class Attribute:
    """An attribute beside the methods: what it has to be, and what a plain function has for it."""

    sort: str
    default: Any


@dataclass(frozen=True)
class Kind:
    """What a policy of a kind is asked: one method, and what farmsim has to know before.

    ``method`` with its ``parameters`` is also what a plain function of the kind stands for.
    ``methods`` are further ones, ``optional`` may be absent.
    """

    method: str
    parameters: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    methods: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    optional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def required(self) -> dict[str, tuple[str, ...]]:
        """All methods that a class has to have, with their parameters."""
        return {self.method: self.parameters, **self.methods}

    @property
    def callables(self) -> dict[str, tuple[str, ...]]:
        """All methods that a class may have, with their parameters."""
        return {**self.required, **self.optional}


PAST_SAMPLES = 12
"""Samples that a plain function sees of the past unless it says otherwise."""

KINDS: dict[str, Kind] = {
    "placement": Kind(
        "place",
        ("candidates", "vms"),
        optional={"capacity_index": ("free_mhz", "free_mib", "tie_mhz")},
    ),
    "overload": Kind(
        "judge",
        ("history_mhz", "capacity_mhz"),
        {
            "samples": Attribute("number from 1", PAST_SAMPLES),
            "history": Attribute("vms or host", "vms"),
        },
        {"linear": ("depth",)},
    ),
    "selection": Kind("pick", ("view", "vms"), {"samples": Attribute("number", PAST_SAMPLES)}),
    "drain": Kind(
        "order",
        ("view", "overloaded"),
        {
            "drain_receivers": Attribute("true or false", False),
            "skip_idle_hosts": Attribute("true or false", False),
            "below": Attribute("share", 1.0),
        },
    ),
    "control": Kind(
        "decide",
        ("view",),
        {
            "samples": Attribute("number", PAST_SAMPLES),
            "powers_down": Attribute("true or false", False),
        },
        optional={"due_s": ("view",), "respond": ("view",)},
    ),
    "scaling": Kind("decide", ("view",), optional={"resizes_running": ("size", "other")}),
    "forecast": Kind(
        "forecast", ("history", "step_s", "steps"), {"reach_s": Attribute("share", 3600.0)}
    ),
    "migration": Kind("steps", ("guest",)),
}

MEANT = {
    "number": "a whole number of samples, 0 or more",
    "number from 1": "a whole number of samples, 1 or more",
    "true or false": "True or False",
    "share": "a number, 0 or more",
    "vms or host": "'vms' or 'host'",
}


def flaw_of_class(cls: object, kind: str) -> Flaw | None:
    """Return what is wrong with a class before any object of it is made; None: nothing."""
    if not isinstance(cls, type) or not is_dataclass(cls):
        right = f"a {kind} policy is a frozen dataclass, or a function ({_call(kind)})"
        return f"it is {shown(cls)} and no dataclass", right
    if not cast("Any", cls).__dataclass_params__.frozen:
        right = "write @dataclass(frozen=True), and keep what changes in view.state(self, make)"
        return "its dataclass is not frozen", right
    try:
        get_type_hints(cls)
    except Exception as error:
        return f"its annotations fail: {error!r}", "annotate fields with types that exist"
    for name in KINDS[kind].required:
        if not callable(getattr(cls, name, None)):
            return f"it has no method {name}", f"define {_method(kind, name)}"
    return _flaw_of_methods(cls, kind, bound=False)


def flaw(policy: object, kind: str) -> Flaw | None:
    """Return what a policy of a kind lacks, or has of a wrong sort; None: nothing.

    Attributes are read, so that a property of the policy that raises is found here.
    """
    for name in KINDS[kind].required:
        if not callable(getattr(type(policy), name, None)):
            return f"it has no method {name}", f"define {_method(kind, name)}"
    for name, attribute in KINDS[kind].attributes.items():
        right = f"{name} is {MEANT[attribute.sort]}"
        try:
            value = getattr(policy, name)
        except AttributeError:
            return f"it has no {name}", f"a {kind} policy has {name}, {MEANT[attribute.sort]}"
        except Exception as error:
            return f"{name} failed: {error!r}", right
        if not is_of(value, attribute.sort):
            return f"{name} is {shown(value)}", right
    return _flaw_of_methods(policy, kind, bound=True)


def _flaw_of_methods(policy: Any, kind: str, bound: bool) -> Flaw | None:
    """Return which method cannot be called as farmsim calls it: with positional arguments.

    ``bound`` says that ``policy`` is an object and not yet its class, whose methods want a self.
    """
    for name, parameters in KINDS[kind].callables.items():
        method = getattr(policy, name, None)
        if method is None:
            continue
        of_class = not bound and not isinstance(
            inspect.getattr_static(policy, name), staticmethod | classmethod
        )
        given = ("self", *parameters) if of_class else parameters
        if not takes(method, given):
            return f"{name}{_signature(method)}", f"define {_method(kind, name)}"
    return None


def takes(function: Callable[..., Any], parameters: tuple[str, ...]) -> bool:
    """Whether a function can be called with so many positional arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True  # one written in C does not say
    try:
        signature.bind(*parameters)
    except TypeError:
        return False
    return True


def _signature(function: Callable[..., Any]) -> str:
    """Return the parameters that a function has, as part of a sentence."""
    names = ", ".join(inspect.signature(function).parameters)
    return f"({names}) has other parameters"


def _method(kind: str, name: str) -> str:
    """Return the line that defines a method of a kind."""
    parameters = ", ".join(("self", *KINDS[kind].callables[name]))
    return f"{name}({parameters})"


def _call(kind: str) -> str:
    """Return the parameters of the one method of a kind."""
    return ", ".join(KINDS[kind].parameters)


def is_of(value: object, sort: str) -> bool:
    """Whether the value of an attribute is of its sort."""
    if sort.startswith("number"):
        return is_whole(value) and int(cast("int", value)) >= (sort == "number from 1")
    if sort == "true or false":
        return isinstance(value, bool | np.bool_)
    if sort == "share":
        return is_number(value) and float(cast("float", value)) >= 0
    return value in ("vms", "host")


def shown(value: object) -> str:
    """Return a wrong value in few words."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {value.shape}"
    try:
        text = repr(value)
    except Exception:  # somebody else's repr may do anything
        text = f"an object of {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({type(value).__name__})"


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, as a row has to be."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether a value is a number; NaN is none."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and not math.isnan(cast("float", value))
