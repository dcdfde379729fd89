"""Values of JSON files as numbers and texts; what cannot be right is unknown, with a finding."""

import json
import math
from collections.abc import Iterator
from typing import Any

from ..errors.terminal_text import shortened
from ..inventory.findings import Finding, Severity

Record = dict[str, Any]

MIB = 2.0**20


def unwrapped(content: object) -> object:
    """Return what an API wraps into ``{"data": ...}``."""
    while isinstance(content, dict) and set(content) == {"data"}:
        content = content["data"]
    return content


def records(content: object) -> list[Record]:
    """Return the objects in a list; none for anything else."""
    if not isinstance(content, list):
        return []
    return [each for each in content if isinstance(each, dict)]


class JsonValues:
    """Reads values of the records of one file, and notes those that cannot be right."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._wrong: dict[str, tuple[int, str, object]] = {}

    def number(self, record: Record, key: str, where: str, most: float = 1e18) -> float | None:
        """Return a number from 0 to ``most``, which may be written as text; None if unknown."""
        written = record.get(key)
        if written is None:
            return None
        value = finite(written)
        if value is not None and 0 <= value <= most:
            return value
        self._note(key, where, written)
        return None

    def count(self, record: Record, key: str, where: str, most: int = 1_000_000) -> int | None:
        """Return a whole number from 1 on; None where it is unknown, or 0."""
        value = self.number(record, key, where, most)
        if value is None or value == 0:
            return None
        if not value.is_integer():
            self._note(key, where, record[key])
            return None
        return int(value)

    def mib(self, record: Record, key: str, where: str) -> float | None:
        """Return a number of bytes in MiB."""
        value = self.number(record, key, where)
        return None if value is None else value / MIB

    def text(self, record: Record, key: str, where: str) -> str | None:
        """Return a text without blanks around it, also of a number; None if there is none."""
        value = record.get(key)
        if isinstance(value, str):
            return value.strip() or None
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value) if abs(value) < 10**18 else None
        if value is not None:
            self._note(key, where, value)
        return None

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each key with values that cannot be right."""
        for key, (count, where, example) in sorted(self._wrong.items()):
            values = "1 value is" if count == 1 else f"{count:,} values are"
            yield Finding(
                "VALUE_UNREADABLE",
                Severity.WARNING,
                f"{self.file}, {where}",
                f"{key}: {values} not what it can be, such as {shortened(json.dumps(example))}",
                "these values are unknown",
            )

    def _note(self, key: str, where: str, value: object) -> None:
        """Count a value that cannot be right; the first is the example."""
        count, first, example = self._wrong.get(key, (0, where, value))
        self._wrong[key] = (count + 1, first, example)


def finite(value: object) -> float | None:
    """Return a finite number, also of a text that is one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
