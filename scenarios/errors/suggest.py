"""Messages that name what exists and what was probably meant."""

import difflib
from collections.abc import Iterable

LONGEST = 80
"""Longest name that is shown whole."""
COMPARED = 10_000
"""Number of known names that are looked at for the nearest."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, which is nearest, and which exist."""
    known = list(known)
    # Who writes the beginning of a name means that name rather than one that ends so.
    begun = [each for each in known if name and each.startswith(name)]
    candidates = (begun or known)[:COMPARED]
    close = [] if len(name) > LONGEST else difflib.get_close_matches(name, candidates, 1, 0.5)
    hint = f"did you mean {_cut(close[0])}? " if close else ""
    listed = ", ".join(_cut(each) for each in known[:14]) + (", …" if len(known) > 14 else "")
    return f"there is no {what} {_cut(name)!r}; {hint}known: {listed}"


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."
