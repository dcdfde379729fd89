"""What is wrong with an input: where it stands, what is wrong, what would be right."""

from collections.abc import Iterable
from dataclasses import dataclass

from .printable import one_line


@dataclass(frozen=True)
class Problem:
    """One thing wrong. ``where`` is a file, with line and column or row where known."""

    where: str
    field: str
    message: str

    def __str__(self) -> str:
        parts = (_cut(self.where, 500), _cut(self.field, 300), _cut(self.message, 3000))
        return ": ".join(one_line(part) for part in parts if part)


def _cut(text: str, longest: int) -> str:
    """Return a text whose middle is left out if it is very long: both ends say most."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]} … {text[-longest // 2 :]}"


class InputError(Exception):
    """Input that cannot be used; holds all that was found wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(each) for each in self.problems)


def refuse(where: str, message: str, field: str = "") -> InputError:
    """Return an InputError with a single problem."""
    return InputError([Problem(where, field, message)])
