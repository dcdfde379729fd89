"""What a command writes to standard output, and which files it has written."""

import sys
from pathlib import Path
from typing import Any

from ..scenarios.errors.terminal_text import say, silence

written: list[Path] = []
"""What the running command has written so far."""


def echo(text: str) -> None:
    """Write to standard output; InputError, with what was written before, if that fails.

    A reader that closes a pipe early is no error of the user: standard output is then silenced.
    """
    try:
        say(text)
    except OSError as error:
        saved = "".join(f"; {path} is complete" for path in written)
        raise unwritable(error, saved) from None


def echo_json(data: Any, indent: int | None = None) -> None:
    """Write plain values as JSON, which has no NaN.

    Names that are not ASCII stay readable. Raises ValueError for NaN and infinities: results have
    None in their place.
    """
    import json

    echo(json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent))


def unwritable(error: OSError, saved: str = "") -> Exception:
    """Return the InputError for a standard output that cannot be written, and silence it.

    ``saved`` tells which files are complete all the same.
    """
    from ..scenarios.errors.problems import refuse
    from ..scenarios.files.destination import reason

    silence(sys.stdout)
    return refuse("standard output", f"cannot be written: {reason(error)}{saved}")
