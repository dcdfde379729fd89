"""Messages that name what exists and what was probably meant."""

import difflib
from collections.abc import Iterable


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, which is nearest, and which exist."""
    known = list(known)
    # Who writes the beginning of a name means that name rather than one that ends so.
    begun = [each for each in known if name and each.startswith(name)]
    close = difflib.get_close_matches(name, begun or known, 1, 0.5)
    hint = f"did you mean {close[0]}? " if close else ""
    listed = ", ".join(known[:14]) + (", …" if len(known) > 14 else "")
    return f"there is no {what} {name!r}; {hint}known: {listed}"
