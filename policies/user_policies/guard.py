"""Guard user-written policies: report their exceptions and invalid return values as theirs.

A guarded policy is the same object of a subclass whose methods check what comes back. farmsim's
own policies stay as they are, with the others that they hold guarded.
"""

import copy
import dis
import sys
import sysconfig
import traceback
from collections.abc import Callable, Generator
from contextlib import redirect_stdout
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from inspect import getattr_static
from types import TracebackType
from typing import Any, TypeVar, cast

import numpy as np

from ...models.base.parameters import parameters_of
from ..interface.view import locked
from .accepted_answers import CHECKS, WrongAnswerError, ending, placed, step
from .kinds import flaw, shown

OWN = __name__.partition(".")[0]
TRACE = "Traceback (most recent call last):\n"
MAX_STEPS = 100_000
"""Steps of one migration that a model of others may ask for."""
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
    return is_of_others(type(policy))


def is_of_others(cls: type) -> bool:
    """Whether a class is the code of somebody else."""
    return cls.__module__.partition(".")[0] != OWN


def guarded(policy: T, kind: str) -> T:
    """Return a policy of a kind with all code of others in it guarded.

    The class of the result is a subclass of the policy's, so isinstance and attributes are as
    before. Raises PolicyFaultError if a method or attribute of the kind is missing or of a wrong
    sort.
    """
    if policy is None:
        return policy
    if is_dataclass(policy):
        parts = _guarded_parts(policy)
        if parts:
            policy = cast("T", replace(cast("Any", policy), **parts))
    if not is_foreign(policy) or isinstance(policy, _Guarded):
        return policy
    wrong = flaw(policy, kind)
    if wrong:
        raise PolicyFaultError(name_of_class(type(policy)), *wrong)
    other = copy.copy(policy)
    object.__setattr__(other, "__class__", _guarded_class(type(policy), kind))
    return other


def _guarded_parts(policy: Any) -> dict[str, Any]:
    """Return the parts of a policy that have to be replaced by guarded ones."""
    changed: dict[str, Any] = {}
    parameters = parameters_of(type(policy))
    for each in fields(policy):
        kind = parameters[each.name].slot if each.name in parameters else ""
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
    """Return a subclass whose methods are checked; the same for equal arguments.

    It has the name and the module of the class, so that it is shown and compared as that.
    """
    if (cls, kind) not in _classes:
        name = name_of_class(cls)
        methods = {
            method: _checked(getattr_static(cls, method), name, method, check)
            for method, check in CHECKS.get(kind, {}).items()
            if callable(getattr(cls, method, None))
        }
        if kind == "migration":
            methods = {"steps": _checked_steps(getattr_static(cls, "steps"), name)}
        about = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__}
        _classes[cls, kind] = type(cls.__name__, (cls, _Guarded), about | methods)
    return _classes[cls, kind]


def _checked(method: Any, policy: str, name: str, check: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that calls one of others and lets through what may come back.

    It gets arrays that cannot be written, and what it prints goes to standard error, since
    standard output is farmsim's.
    """

    @wraps(getattr(method, "__func__", method))
    def call(self: Any, *given: Any, **named: Any) -> Any:
        bound = method.__get__(self, type(self)) if hasattr(method, "__get__") else method
        marks = [given[0].mark()] if check is placed else []
        seen = [locked(each) if isinstance(each, np.ndarray) else each for each in given]
        answer = ask(policy, f"{name} failed", bound, *seen, **named)
        try:
            answer = check(answer, *given, *marks, **named)
        except WrongAnswerError as wrong:
            raise PolicyFaultError(policy, f"{name} returned {wrong.what}", wrong.right) from None
        return _GuardedIndex(policy, answer) if name == "capacity_index" else answer

    return call


def ask(policy: str, what: str, function: Callable[..., T], *given: Any, **named: Any) -> T:
    """Call code of others; raise PolicyFaultError, which says ``what`` failed, if it raises."""
    try:
        with redirect_stdout(sys.stderr):
            return function(*given, **named)
    except PolicyFaultError:
        raise
    except BaseException as error:
        if not is_theirs(error):
            raise
        raise PolicyFaultError(policy, *describe_error(error, what), trace_of(error)) from error


def _checked_steps(method: Any, policy: str) -> Callable[..., Any]:
    """Return the method of a migration model, its steps and its end checked as they come."""

    @wraps(getattr(method, "__func__", method))
    def steps(self: Any, guest: Any) -> Generator[Any, Any, Any]:
        bound = method.__get__(self, type(self)) if hasattr(method, "__get__") else method
        return _steps(policy, ask(policy, "steps failed", bound, guest))

    return steps


def _steps(policy: str, asked: Any) -> Generator[Any, Any, Any]:
    """Yield the checked steps of a migration model and return its end.

    Raises PolicyFaultError for what is no step, for an end that does not fit the steps before it,
    and after :data:`MAX_STEPS`, since steps without duration would never let the clock go on.
    """
    if not isinstance(asked, Generator):
        right = "steps is a generator: it yields steps and returns how the migration ended"
        raise PolicyFaultError(policy, f"steps returned {shown(asked)}", right)
    arrived, past = False, None
    for _ in range(MAX_STEPS):
        what, answer = "yielded", ask(policy, "steps failed", _next, asked, past)
        try:
            if isinstance(answer, _Ended):
                what = "returned"
                return ending(answer.value, arrived)
            arrived = arrived or step(answer).arrived
        except WrongAnswerError as wrong:
            raise PolicyFaultError(policy, f"steps {what} {wrong.what}", wrong.right) from None
        past = yield answer
    right = "a migration ends after as many rounds as its model allows"
    raise PolicyFaultError(policy, f"steps yielded {MAX_STEPS:,} steps without an end", right)


class _Ended:
    """What a generator has returned."""

    def __init__(self, value: object) -> None:
        self.value = value


def _next(generator: Generator[Any, Any, Any], past: object) -> object:
    """Return the next step, or what was returned as :class:`_Ended`; both within :func:`ask`."""
    try:
        return next(generator) if past is None else generator.send(past)
    except StopIteration as end:
        return _Ended(end.value)


class _GuardedIndex:
    """An index of hosts that is the code of others."""

    def __init__(self, policy: str, index: Any) -> None:
        self._policy, self._index = policy, index

    def find(self, need_mhz: float, need_mib: float) -> int:
        """Return the host for a VM; see :class:`farmsim.policies.placement.capacity_index`."""
        found = ask(self._policy, "find failed", self._index.find, need_mhz, need_mib)
        if not isinstance(found, int | np.integer):
            raise PolicyFaultError(self._policy, f"find returned {shown(found)}", "a row, or -1")
        return int(found)

    def update(self, host: int, free_mhz: float, free_mib: float) -> None:
        """Update the free capacity of a host."""
        ask(self._policy, "update failed", self._index.update, host, free_mhz, free_mib)


def is_theirs(error: BaseException) -> bool:
    """Whether code of others has raised an error, be it SystemExit or KeyboardInterrupt.

    An interrupt of the user and a signal come from outside; so does the end of a generator.
    """
    if isinstance(error, Exception | SystemExit):
        return True
    if isinstance(error, GeneratorExit | KeyboardInterrupt):
        return _is_raised(error.__traceback__)
    return type(error).__module__.partition(".")[0] != OWN


def _is_raised(trace: TracebackType | None) -> bool:
    """Whether an error comes from a statement ``raise`` where its traceback ends."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    code = trace.tb_frame.f_code.co_code
    return code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def describe_error(error: BaseException, what: str) -> tuple[str, str]:
    """Return what went wrong in code of others, and what would be right."""
    try:
        said = str(error)
    except Exception:  # somebody else's error may do anything
        said = "(its text cannot be shown)"
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    right = "correct it where the traceback below points"
    if isinstance(error, ValueError | AttributeError) and READ_ONLY in str(error):
        right = "the view is read-only: copy a column before you change it"
    return f"{what}: {text}", right


def trace_of(error: BaseException) -> str:
    """Return the traceback of an error without what is not the code of others."""
    shown = [
        summary
        for summary, (frame, _) in zip(
            traceback.extract_tb(error.__traceback__),
            traceback.walk_tb(error.__traceback__),
            strict=True,
        )
        if _is_theirs(frame.f_globals.get("__name__", ""), frame.f_code.co_filename)
    ]
    return TRACE + "".join([*traceback.format_list(shown), *traceback.format_exception_only(error)])


def _is_theirs(module: str, file: str) -> bool:
    """Whether a line of a traceback is worth showing to the author of a policy."""
    libraries = ("numpy", "scipy", "pyarrow", "pydantic", "simpy", "importlib", OWN)
    if module.partition(".")[0] in libraries or file.startswith("<"):
        return False
    standard = sysconfig.get_path("stdlib")
    return "site-packages" in file or not file.startswith(standard)


def name_of_class(cls: type) -> str:
    """Return how a scenario names a class, or a function, that is not farmsim's own."""
    return f"{cls.__module__}:{cls.__qualname__}"
