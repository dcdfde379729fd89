"""Messages that list valid names and suggest the closest one."""

import difflib
from collections.abc import Iterable

from .terminal_text import shortened

LONGEST = 80
"""Longest name that is shown whole."""
LISTED = 14
"""Number of known names that are listed."""
COMPARED = 10_000
"""Number of known names that are looked at for the nearest."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, which is nearest, and which exist.

    ``what`` is what it should name, in the singular. The first COMPARED of the known names are
    compared, the first LISTED are told.
    """
    known = list(known)
    # Who writes the beginning of a name means that name rather than one that ends so.
    begun = [each for each in known if name and each.startswith(name)]
    candidates = (begun or known)[:COMPARED]
    close = [] if len(name) > LONGEST else difflib.get_close_matches(name, candidates, 1, 0.5)
    hint = f"did you mean {shortened(close[0], LONGEST)}? " if close else ""
    listed = ", ".join(shortened(each, LONGEST) for each in known[:LISTED])
    listed += ", …" if len(known) > LISTED else ""
    return f"there is no {what} {shortened(name, LONGEST)!r}; {hint}available: {listed}"
