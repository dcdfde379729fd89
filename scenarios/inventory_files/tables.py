"""Read text files: their encoding, and tables with commas, semicolons or tabs between cells."""

import csv
import io
import json
from collections import Counter
from itertools import islice
from pathlib import PurePosixPath

from ..errors.problems import refuse
from ..traces.archive import packed_as
from .sheets import Rows, Sheet

SEPARATORS = (",", ";", "\t", "|")
_SNIFFED_ROWS = 20
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip


def text_of(content: bytes, shown: str) -> str:
    """Return the text of a file in UTF-8, UTF-16 or Windows-1252. Raises InputError if binary."""
    kind = packed_as(content)
    if kind:
        raise refuse(shown, f"is a {kind} file; unpack it, or give xlsx, CSV, JSON or text")
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _decoded(content, encoding, shown)
    zeros = content[:4096].count(0)
    if zeros:
        little = content[1:4096:2].count(0) >= content[0:4096:2].count(0)
        text = content.decode("utf-16-le" if little else "utf-16-be", "replace")
        if 4 * zeros < len(content[:4096]) or "\0" in text or "\ufffd" in text:
            raise refuse(shown, "is a binary file; give xlsx, CSV, JSON or text")
        return text
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def is_json(text: str) -> bool:
    """Whether a text is JSON with an object or a list at its top."""
    if text.lstrip()[:1] not in {"{", "["}:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def table_of(text: str, name: str, shown: str) -> Sheet | None:
    """Return the table in a text, None if its lines do not have cells in common.

    Raises InputError if a cell is longer than 131,072 characters.
    """
    separator, body, first_row = _separator(text)
    if not separator:
        return None
    if "\0" in body:
        raise refuse(shown, "holds zero bytes; export it again as text")
    try:
        rows: Rows = list(csv.reader(io.StringIO(body, newline=""), delimiter=separator))
    except csv.Error as error:
        raise refuse(shown, f"is a damaged table ({error}); export it again") from None
    return Sheet.of(name, PurePosixPath(name).stem, rows, first_row)


def _separator(text: str) -> tuple[str, str, int]:
    """Return what separates cells, the text of the table and the number of its first row."""
    if text[:4].lower() == "sep=" and len(text) > 5 and text[4] in SEPARATORS:
        return text[4], text.partition("\n")[2], 2
    best, separator = 1.0, ""
    for each in SEPARATORS:
        widths = _widths(text, each)
        if not widths:
            continue
        width, times = max(widths.items(), key=lambda found: (found[0] > 1, found[1], found[0]))
        score = width * times / sum(widths.values()) if width > 1 and times > 1 else 0
        if score > best:
            best, separator = score, each
    return separator, text, 1


def _widths(text: str, separator: str) -> Counter[int]:
    """Return how many of the first rows have how many cells, empty rows left out."""
    try:
        rows = islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), _SNIFFED_ROWS)
        return Counter(len(row) for row in rows if any(cell.strip() for cell in row))
    except csv.Error:
        return Counter()


def _decoded(content: bytes, encoding: str, shown: str) -> str:
    """Return a text in an encoding that its first bytes name. Raises InputError."""
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise refuse(
            f"{shown}:{line}", f"is not {encoding.upper()} text; export it again"
        ) from None
