"""What a cell of an inventory holds: nothing, words, truth values, dates, numbers as text."""

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from .sheets import Cell

MISSING = frozenset(
    ("", "-", "--", "n/a", "#n/a", "#n/a n/a", "na", "null", "none", "nan", "<null>", "(null)",
     "#ref!", "#value!", "#name?", "#div/0!", "#num!", "#null!")
)  # fmt: skip
"""Texts that mean that nothing is known, in lower case."""
_TRUE = frozenset(("true", "yes", "y", "1", "on", "wahr", "ja", "vrai", "oui", "verdadero", "vero"))
_FALSE = frozenset(
    ("false", "no", "n", "0", "off", "falsch", "nein", "faux", "non", "falso", "falso")
)  # fmt: skip
_EPOCH = datetime(1899, 12, 30)
_SERIALS = (20_000, 80_000)
"""Days of a spreadsheet's calendar: 1954 to 2119."""
_UNKNOWN_YEAR = 1970
_DATE = re.compile(
    r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,]\d+)?"
    r"\s*([AaPp][Mm])?)?(?:Z|[+-]\d{2}:?\d{2})?"
)
_NUMBER = re.compile(
    r"([+\-−]?)\s*(\d[\d.,'\u2019 \u00a0\u2009\u202f]*|[.,]\d+)"
    r"(?:[eE]([+-]?\d{1,3}))?\s*([^\d\s].*)?"
)
_SPACES = "'\u2019 \u00a0\u2009\u202f"
_GROUPED = re.compile(r"\d{1,3}(?:\.\d{3})+|\d{1,3}(?:,\d{3})+")


def is_missing(cell: Cell) -> bool:
    """Whether a cell says that nothing is known."""
    if cell is None:
        return True
    return isinstance(cell, str) and (not cell or cell.strip().lower() in MISSING)


def text(cell: Cell) -> str | None:
    """Return a cell as text without blanks around it; None if it is missing.

    Whole numbers lose the ``.0`` that spreadsheets give them.
    """
    if isinstance(cell, str):
        stripped = cell.strip()
        return None if stripped.lower() in MISSING else stripped
    if cell is None:
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)


def truth(cell: Cell) -> bool | None:
    """Return whether a cell says yes; None if it says neither yes nor no."""
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, int | float):
        return bool(cell) if cell in {0, 1} else None
    if not isinstance(cell, str):
        return None
    word = cell.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def moment(cell: Cell, day_first: bool | None = None) -> datetime | None:
    """Return the time in a cell, without zone as files state it; None if there is none.

    Real dates, serial numbers of spreadsheets, ISO, ``yyyy/mm/dd``, and ``dd/mm/yyyy`` or
    ``mm/dd/yyyy`` as ``day_first`` says (None: only where the numbers leave one order; with dots
    the day is first). 1970-01-01 means unknown.
    """
    found: datetime | None = None
    if isinstance(cell, datetime):
        found = cell.replace(tzinfo=None)
    elif isinstance(cell, date):
        found = datetime(cell.year, cell.month, cell.day)
    elif isinstance(cell, bool | time | timedelta) or cell is None:
        return None
    elif isinstance(cell, int | float):
        if _SERIALS[0] <= cell <= _SERIALS[1]:
            found = _EPOCH + timedelta(seconds=round(float(cell) * 86_400))
    else:
        found = _moment_of_text(cell, day_first)
    return None if found is None or found.year <= _UNKNOWN_YEAR else found


def _moment_of_text(cell: str, day_first: bool | None) -> datetime | None:
    """Return the time that a text states, None if it states none or the order is not known."""
    found = _DATE.fullmatch(cell.strip())
    if not found:
        return None
    first, second, third = int(found[1]), int(found[2]), int(found[3])
    if first > 31:
        year, month, day = first, second, third
    else:
        if day_first is None:
            day_first = True if "." in found[0][:6] or first > 12 else None
        if day_first is None and second > 12:
            day_first = False
        if day_first is None and first != second:
            return None
        year = third + 2000 if third < 100 else third
        day, month = (first, second) if day_first else (second, first)
    hour, minute, second_of = (int(found[at] or 0) for at in (4, 5, 6))
    if found[7]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found[7].lower() == "pm" else 0)
    try:
        return datetime(year, month, day, hour, minute, second_of)
    except ValueError:
        return None


@lru_cache(maxsize=100_000)
def number_parts(written: str) -> tuple[str, str] | None:
    """Return digits with their marks and the unit of a number as text; None if it is none.

    ``"34.89 GHz"`` gives ``("34.89", "GHz")``, ``"-1"`` ``("-1", "")``, ``"45,5%"`` ``("45,5",
    "%")``. Blanks and apostrophes between groups of three digits are left out.
    """
    found = _NUMBER.fullmatch(written.strip())
    if not found:
        return None
    digits = found[2].rstrip()
    if any(mark in digits for mark in _SPACES):
        groups = re.split(f"[{_SPACES}]", digits)
        inner = [*groups[1:-1], re.split("[.,]", groups[-1])[0]]
        if not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in inner):
            return None
        digits = "".join(groups)
    sign = "-" if found[1] in {"-", "−"} else ""
    power = f"e{found[3]}" if found[3] else ""
    return f"{sign}{digits}{power}", (found[4] or "").strip()


def marks_of(digits: str) -> str:
    """Return what the marks in a number as text show.

    ``""``: there are none. ``"."`` or ``","``: that one is the decimal mark. ``".?"`` or ``",?"``:
    that mark stands before three digits, once, and may separate thousands or decimals. ``"!"``: it
    is not a number in either way.
    """
    body = digits.lstrip("-").partition("e")[0]
    dots, commas = body.count("."), body.count(",")
    if not dots and not commas:
        return ""
    if dots and commas:
        decimal = "." if body.rfind(".") > body.rfind(",") else ","
        whole, _, _ = body.rpartition(decimal)
        single = (dots if decimal == "." else commas) == 1
        return decimal if single and _GROUPED.fullmatch(whole) else "!"
    mark, other = (".", ",") if dots else (",", ".")
    if not _GROUPED.fullmatch(body):
        return mark if dots + commas == 1 and body.strip(mark) else "!"
    if dots + commas > 1:
        return other  # several groups: this mark separates thousands
    return mark if body.startswith("0") else f"{mark}?"


def number_with(digits: str, decimal_mark: str) -> float | None:
    """Return a number as text, read with a decimal mark; None if it is none in that way."""
    thousands = "," if decimal_mark == "." else "."
    sign, body = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    mantissa, _, power = body.partition("e")
    whole, mark, decimals = mantissa.partition(decimal_mark)
    if thousands in whole and not _GROUPED.fullmatch(whole):
        return None
    if thousands in decimals or decimal_mark in decimals or not (whole or decimals):
        return None
    plain = f"{sign}{whole.replace(thousands, '') or '0'}{mark and '.'}{decimals}"
    return float(f"{plain}e{power}" if power else plain)
