"""What a command writes to standard output, and which files it has written."""

import sys
from pathlib import Path
from typing import Any

from ..scenarios.errors.terminal_text import say, silence

written: list[Path] = []
"""What the running command has written so far."""


def echo(text: str) -> None:
    """Write to standard output; InputError, with what was written before, if that fails."""
    try:
        say(text)
    except OSError as error:
        saved = "".join(f"; {path} is complete" for path in written)
        raise unwritable(error, saved) from None


def echo_json(data: Any, indent: int | None = None) -> None:
    """Write plain values as JSON, which has no NaN."""
    import json

    echo(json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent))


def unwritable(error: OSError, saved: str = "") -> Exception:
    """Return the InputError for a standard output that cannot be written, and silence it."""
    from ..scenarios.errors.problems import refuse
    from ..scenarios.files.destination import reason

    silence(sys.stdout)
    return refuse("standard output", f"cannot be written: {reason(error)}{saved}")
