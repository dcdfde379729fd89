"""Messages that name what exists and what was probably meant."""

import difflib
from collections.abc import Iterable


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, which is nearest, and which exist."""
    known = list(known)
    close = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"did you mean {close[0]}? " if close else ""
    listed = ", ".join(known[:14]) + (", …" if len(known) > 14 else "")
    return f"there is no {what} {name!r}; {hint}known: {listed}"
