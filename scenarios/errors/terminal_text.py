"""Sanitise text for a terminal, and write it; used for all terminal output.

Names come from files of others. A control character in one could move the cursor, set the
window's title or hide a line; one that turns the direction of writing could disguise a name.
"""

import os
import re
import sys
from typing import BinaryIO, Final, TextIO

_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """Return a text in which control characters are written out, as JSON does.

    Line ends and tabs stay. What was JSON stays JSON.
    """
    return _UNPRINTABLE.sub(_escaped, text)


def one_line(text: str) -> str:
    """Return a name as it can stand inside a line: line ends and tabs are written out too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def shortened(text: str, longest: int = 40) -> str:
    """Return a text, or its beginning and dots where it is longer than a message allows."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def shown_cell(cell: object) -> str:
    """Return a cell of a table as messages show it: texts in quotes, long ones shortened."""
    return shortened(repr(cell) if isinstance(cell, str) else str(cell))


def _escaped(found: re.Match[str]) -> str:
    """Return a character as JSON escapes it, in one or two units of UTF-16."""
    units = found[0].encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs)


def writable(text: str, stream: TextIO) -> str:
    """Return a printable text with what a stream's encoding lacks written out."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)


def say(text: str) -> None:
    """Write a text and a line end to standard output, if anyone reads it.

    Raises OSError if it cannot be written, but not where the reader has gone: then the rest
    is not shown, and the work and its exit code are what they would have been.
    """
    _write(text, sys.stdout)


def warn(text: str) -> None:
    """Write a text and a line end to standard error; nothing if that cannot be done."""
    try:
        _write(text, sys.stderr)
    except OSError:
        silence(sys.stderr)


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Write a warning of Python as one line of the command line; where it arose is left out."""
    del category, filename, lineno, file, line
    warn(f"warning: {message}")


def _write(text: str, stream: TextIO | None) -> None:
    """Write a line to a stream, whatever its encoding; nothing where there is no stream.

    A reader that has gone is no error.
    """
    if stream is None:
        return
    line = writable(text, stream) + "\n"
    try:
        stream.flush()
        if hasattr(stream, "buffer"):
            _write_all(line.encode(stream.encoding or "utf-8"), stream.buffer)
        else:
            stream.write(line)
        stream.flush()
    except BrokenPipeError:
        silence(stream)


def _write_all(data: bytes, stream: BinaryIO) -> None:
    """Write bytes; where Python does not buffer, a call may write only a part of them."""
    left = memoryview(data)
    while left:
        left = left[stream.write(left) :]


def silence(stream: TextIO | None) -> None:
    """Let a stream lead nowhere, so that not even the end of the process complains."""
    if stream is None:
        return
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
