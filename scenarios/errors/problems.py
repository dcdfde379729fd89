"""Input problems: position, fault and remedy.

Every floor above raises :class:`InputError` for what a user can mend; the command line prints its
lines and ends with code 2.
"""

from collections.abc import Iterable

from ...models.base.lazy_dataclass import dataclass
from ...policies.user_policies.guard import TRACE
from .terminal_text import one_line, printable


@dataclass(frozen=True)
class Problem:
    """One problem. ``where`` is a file, with line and column or row if known.

    ``trace`` is the traceback of the user's own code, where that is what went wrong.
    """

    where: str
    field: str
    message: str
    trace: str = ""

    def __str__(self) -> str:
        parts = (_cut(self.where, 500), _cut(self.field, 300), _cut(self.message, 3000))
        line = ": ".join(one_line(part) for part in parts if part)
        return f"{line}\n{printable(self.trace).rstrip()}" if self.trace else line


def problem_of(where: str, field: str, text: str) -> Problem:
    """Return a problem from a text that may hold a traceback below its first line."""
    message, mark, trace = text.partition(f"\n{TRACE}")
    return Problem(where, field, message, f"{TRACE}{trace}" if mark else "")


def _cut(text: str, longest: int) -> str:
    """Return a text whose middle is left out if it is very long: both ends say most."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]} … {text[-longest // 2 :]}"


class InputError(Exception):
    """Invalid input, with all problems found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(each) for each in self.problems)


def refuse(where: str, message: str, field: str = "") -> InputError:
    """Return an InputError with a single problem."""
    return InputError([Problem(where, field, message)])


class PolicyError(InputError):
    """A policy that is not farmsim's own failed, or answered what can never be right.

    ``policy`` is its name in the scenario, ``time_s`` when in the run it was (None: before it).
    """

    def __init__(self, problem: Problem, policy: str, time_s: float | None) -> None:
        super().__init__([problem])
        self.policy, self.time_s = policy, time_s
