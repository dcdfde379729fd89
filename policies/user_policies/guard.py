"""Policies that are not farmsim's own: what they raise or return is told as theirs.

A guarded policy is the same object of a subclass whose methods check what comes back. farmsim's
own policies stay as they are, with the others that they hold guarded.
"""

import copy
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from typing import Any, TypeVar, cast

from ...models.base.parameters import knobs_of
from .accepted_answers import CHECKS, WrongAnswerError, lacking

OWN = __name__.partition(".")[0]
TRACE = "Traceback (most recent call last):\n"
READ_ONLY = "read-only"

T = TypeVar("T")


class PolicyFaultError(Exception):
    """A policy that is not farmsim's own failed, or answered what can never be right.

    ``policy`` is its name, ``problem`` what is wrong, ``remedy`` what would be right, ``trace``
    the part of the traceback that is its own code, ``time_s`` when in the run it was (None: not
    in a run).
    """

    def __init__(
        self, policy: str, problem: str, remedy: str, trace: str = "", time_s: float | None = None
    ) -> None:
        super().__init__(policy, problem, remedy, trace, time_s)
        self.policy, self.problem, self.remedy = policy, problem, remedy
        self.trace, self.time_s = trace, time_s

    def __str__(self) -> str:
        when = "" if self.time_s is None else f" at {self.time_s:g} s"
        return f"policy {self.policy}{when}: {self.problem}; {self.remedy}"

    def at(self, time_s: float) -> "PolicyFaultError":
        """Return the same fault with its instant."""
        return PolicyFaultError(self.policy, self.problem, self.remedy, self.trace, time_s)


def is_foreign(policy: object) -> bool:
    """Whether a policy is the code of somebody else."""
    return type(policy).__module__.partition(".")[0] != OWN


def guarded(policy: T, kind: str) -> T:
    """Return a policy of a kind with all code of others in it guarded."""
    if is_dataclass(policy):
        parts = _guarded_parts(policy)
        if parts:
            policy = cast("T", replace(cast("Any", policy), **parts))
    if not is_foreign(policy) or isinstance(policy, _Guarded):
        return policy
    missing = lacking(policy, kind)
    if missing:
        raise PolicyFaultError(name_of_class(type(policy)), *missing)
    other = copy.copy(policy)
    object.__setattr__(other, "__class__", _guarded_class(type(policy), kind))
    return other


def _guarded_parts(policy: Any) -> dict[str, Any]:
    """Return the parts of a policy that have to be replaced by guarded ones."""
    changed: dict[str, Any] = {}
    knobs = knobs_of(type(policy))
    for each in fields(policy):
        kind = knobs[each.name].slot if each.name in knobs else ""
        if not kind:
            continue
        held = getattr(policy, each.name)
        old = held if isinstance(held, tuple) else (held,)
        new = tuple(guarded(part, kind) for part in old)
        if any(one is not other for one, other in zip(new, old, strict=True)):
            changed[each.name] = new if isinstance(held, tuple) else new[0]
    return changed


class _Guarded:
    """Mark of guarded classes."""

    __slots__ = ()


_classes: dict[tuple[type, str], type] = {}


def _guarded_class(cls: type, kind: str) -> type:
    if (cls, kind) not in _classes:
        methods = {
            name: _checked(getattr(cls, name), name_of_class(cls), name, check)
            for name, check in CHECKS[kind].items()
            if callable(getattr(cls, name, None))
        }
        about = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__}
        _classes[cls, kind] = type(cls.__name__, (cls, _Guarded), about | methods)
    return _classes[cls, kind]


def _checked(
    method: Callable[..., Any], policy: str, name: str, check: Callable[..., Any]
) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *given: Any, **named: Any) -> Any:
        try:
            answer = method(self, *given, **named)
        except PolicyFaultError:
            raise
        except Exception as error:
            raise PolicyFaultError(
                policy, *told(error, f"{name} failed"), trace_of(error)
            ) from error
        try:
            return check(answer, *given, **named)
        except WrongAnswerError as wrong:
            raise PolicyFaultError(policy, f"{name} returned {wrong.what}", wrong.right) from None

    return call


def told(error: BaseException, what: str) -> tuple[str, str]:
    """Return what went wrong in code of others, and what would be right."""
    text = traceback.format_exception_only(error)[-1].strip()
    right = "mend it where the traceback below says"
    if isinstance(error, ValueError) and READ_ONLY in str(error):
        right = "what a policy sees cannot be written: copy a column before you change it"
    return f"{what}: {text}", right


def trace_of(error: BaseException) -> str:
    """Return the traceback of an error without what is not the code of others."""
    shown = [
        summary
        for summary, (frame, _) in zip(
            traceback.extract_tb(error.__traceback__),
            traceback.walk_tb(error.__traceback__), strict=True,
        )
        if _is_theirs(frame.f_globals.get("__name__", ""), frame.f_code.co_filename)
    ]  # fmt: skip
    return TRACE + "".join([*traceback.format_list(shown), *traceback.format_exception_only(error)])


def _is_theirs(module: str, file: str) -> bool:
    libraries = ("numpy", "scipy", "pyarrow", "pydantic", "simpy", "importlib", OWN)
    if module.partition(".")[0] in libraries or file.startswith("<"):
        return False
    standard = sysconfig.get_path("stdlib")
    return "site-packages" in file or not file.startswith(standard)


def name_of_class(cls: type) -> str:
    """Return how a scenario names a class that is not farmsim's own."""
    return f"{cls.__module__}:{cls.__qualname__}"
