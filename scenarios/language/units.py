"""Quantities as users write them: a number, a space, a unit.

SI and IEC prefixes are kept apart (1 GB is 10^9 bytes, 1 GiB is 2^30), a year has 365 days.
"""

import difflib
import math
import re

from ...models.base.lazy_dataclass import dataclass

MIB = 1024.0 * 1024.0
MAX_MONEY = 1e15
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_WRITTEN = re.compile(rf"^\s*({_NUMBER})\s*(\S.*?)?\s*$")
_GROUPED = re.compile(r"^[-+]?[1-9]\d{0,2}\.\d{3}$")
"""A number that could be read with its point between thousands."""
_SEPARATED = re.compile(
    r"^\s*([-+]?\d[\d.,'\u2019_\s\u00a0\u202f]*\d)\s*([^\d\s.,'\u2019_].*?)?\s*$"
)
_CURRENCY = re.compile(r"^[A-Z]{3}$")


@dataclass(frozen=True)
class Dimension:
    """A kind of quantity: its units and their factors.

    The first unit is the base unit, in which farmsim keeps the value. What a scenario says is 0
    or from ``least`` to ``most``, far beyond anything that exists: numbers outside are slips.
    """

    name: str
    units: dict[str, float]
    examples: tuple[str, ...]
    least: float
    most: float
    bare: bool = False
    """Whether a number without a unit is allowed (it then counts in the base unit)."""

    @property
    def base(self) -> str:
        """The unit that values are kept in."""
        return next(iter(self.units))


DIMENSIONS: dict[str, Dimension] = {
    each.name: each
    for each in (
        Dimension(
            "time",
            {
                "s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0, "d": 86_400.0,
                "days": 86_400.0, "day": 86_400.0, "weeks": 604_800.0, "week": 604_800.0,
                "years": 31_536_000.0, "year": 31_536_000.0,
            },
            ("5 min", "24 h", "300 s"), 1e-9, 10_000 * 31_536_000.0,
        ),
        Dimension(
            "frequency", {"MHz": 1.0, "GHz": 1e3}, ("2.6 GHz", "1860 MHz"), 1e-6, 1e12
        ),
        Dimension(
            "memory",
            {
                "MiB": 1.0, "KiB": 1 / 1024, "GiB": 1024.0, "TiB": 1024.0**2,
                "kB": 1e3 / MIB, "MB": 1e6 / MIB, "GB": 1e9 / MIB, "TB": 1e12 / MIB,
            },
            ("16 GiB", "870 MB"), 1e-7, 1e12,
        ),
        Dimension(
            "bandwidth",
            {"Mbit/s": 1.0, "kbit/s": 1e-3, "Gbit/s": 1e3, "MB/s": 8.0, "GB/s": 8e3},
            ("10 Gbit/s", "1 Gbit/s"), 1e-7, 1e12,
        ),
        Dimension("power", {"W": 1.0, "kW": 1e3}, ("93.7 W", "0.5 kW"), 1e-6, 1e9),
        Dimension("share", {"": 1.0, "%": 0.01}, ("80 %", "0.8"), 1e-9, 1e6, bare=True),
    )
}  # fmt: skip


class UnitError(ValueError):
    """An invalid quantity, with the valid form."""


def parse(written: object, dimension: str, most: float = math.inf) -> float:
    """Return a quantity in the base unit of its dimension: s, MHz, MiB, Mbit/s, W, or a share.

    ``written`` is a string with a unit, or a bare number where the dimension allows it. A point
    that may stand between thousands is refused, unless the larger reading is above ``most``, which
    the value may not be, or the quantity is a share. Raises UnitError.
    """
    kind = DIMENSIONS[dimension]
    example = kind.examples[0]
    if isinstance(written, bool) or not isinstance(written, str | int | float):
        raise UnitError(f"{_shown(written)} is not a {dimension}; write, for example, {example}")
    if isinstance(written, int | float):
        if not kind.bare:
            raise UnitError(f"{written} has no unit; write, for example, {example}")
        return _finite(float(written))
    refuse_separators(written)
    match = _WRITTEN.match(written)
    if not match:
        raise UnitError(f"{_shown(written)} is not a {dimension}; write, for example, {example}")
    number, unit = match.group(1), match.group(2) or ""
    if unit not in kind.units:
        raise UnitError(_wrong_unit(number, unit, kind))
    if dimension != "share" and 1000 * abs(float(number)) * kind.units[unit] <= most:
        refuse_grouped(number, unit)
    return _finite(_times(float(number), kind.units[unit]))


def refuse_grouped(number: str, unit: str) -> None:
    """Raise UnitError if the point of a number could stand between thousands, as in 12.000."""
    if not _GROUPED.match(number):
        return
    smaller, larger = f"{float(number):.12g}", number.replace(".", "")
    exact = smaller if "." not in smaller else f"{number}0"
    ending = f" {unit}" if unit else ""
    raise UnitError(
        f"{number}{ending} may be {smaller}{ending} or {larger}{ending}; write {exact}{ending} or "
        f"{larger}{ending}"
    )


def refuse_separators(written: str) -> None:
    """Raise UnitError for a number with commas, blanks or other marks between its digits."""
    match = _SEPARATED.match(written)
    if not match:
        return
    number, unit = match.group(1), match.group(2) or ""
    marks = re.sub(r"[\d+-]", "", number)
    if marks in ("", "."):
        return
    digits = re.sub(r"[^\d+-]", "", number)
    ending = f" {unit}" if unit else ""
    if re.fullmatch(r"[-+]?\d{1,3},\d{3}", number):
        point = f"{float(number.replace(',', '.')):g}"
        raise UnitError(
            f"{number}{ending} may be {point}{ending} or {digits}{ending}; write one of them "
            "without a comma"
        )
    if marks == ",":
        right = number.replace(",", ".")
        raise UnitError(f"{number}{ending} has a decimal comma; write {right}{ending}")
    raise UnitError(
        f"{_shown(number)} has characters between its digits; write digits and at most one decimal "
        f"point, e.g. {digits[:12]}{ending}"
    )


def _times(number: float, worth: float) -> float:
    """Multiply, dividing by 100, 1000 or 1024 where that is what the unit means."""
    inverse = round(1 / worth)
    return number / inverse if worth < 1 and worth == 1 / inverse else number * worth


def _wrong_unit(number: str, unit: str, kind: Dimension) -> str:
    """Say which units fit, and which was probably meant."""
    if not unit:
        return f"{number} has no unit; write, for example, {kind.examples[0]}"
    known = [name for name in kind.units if name]
    other = next((each.name for each in DIMENSIONS.values() if unit in each.units), None)
    if other:
        return f"{unit} is a unit of {other}, this is a {kind.name}; use {', '.join(known)}"
    lowered = {name.lower(): name for name in known}
    close = difflib.get_close_matches(unit.lower(), lowered, 1)
    hint = f"did you mean {number} {lowered[close[0]]}? " if close else ""
    return f"unknown unit {unit!r}; {hint}units of {kind.name}: {', '.join(known)}"


def _finite(value: float) -> float:
    """Return a value. Raises UnitError if it is infinite or not a number."""
    if not math.isfinite(value):
        raise UnitError("not a finite number; write a number")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def write(value: float, dimension: str) -> str | float:
    """Return a quantity in its base unit as text that :func:`parse` reads back to the same value.

    The largest unit is used in which the number is short. A share without a short percentage is
    returned as a number.

    ``dimension`` is a key of DIMENSIONS, ``value`` in its base unit: ``write(5400, "time")`` is
    ``90 min``.
    """
    kind = DIMENSIONS[dimension]
    if dimension == "share":
        percent = f"{value * 100:.12g}"
        return f"{percent} %" if "e" not in percent and float(percent) / 100 == value else value
    if value == 0:
        return f"0 {kind.base}"
    best, length = f"{_ungrouped(repr(value))} {kind.base}", len(repr(value)) + 2
    for unit, worth in sorted(kind.units.items(), key=lambda item: -item[1]):
        number = f"{value / worth:.12g}"
        exact = "e" not in number and _times(float(number), worth) == value
        number = _ungrouped(number)
        if exact and len(number) < length:
            best, length = f"{number} {unit}", len(number)
    return best


def _ungrouped(number: str) -> str:
    """Return a number so that its point is not taken for one between thousands."""
    return f"{number}0" if _GROUPED.match(number) else number


@dataclass(frozen=True)
class Money:
    """An amount of a currency (three capital letters), or a price per kWh."""

    amount: float
    currency: str
    per_kwh: bool = False

    def __str__(self) -> str:
        short = f"{self.amount:.12g}"
        number = _ungrouped(short if float(short) == self.amount else repr(self.amount))
        return f"{number} {self.currency}{'/kWh' if self.per_kwh else ''}"


def parse_money(written: object, per_kwh: bool) -> Money:
    """Return an amount such as ``7000 EUR``, or a price such as ``0.21 EUR/kWh``.

    Raises UnitError.

    Amounts may be negative here: where that makes no sense is known by the field. Currencies are
    not converted and need not exist.
    """
    example = "0.21 EUR/kWh" if per_kwh else "7000 EUR"
    if isinstance(written, Money) and written.per_kwh == per_kwh:
        return written
    if isinstance(written, str):
        refuse_separators(written)
    match = _WRITTEN.match(written) if isinstance(written, str) else None
    if not match:
        shown = _shown(written)
        raise UnitError(f"{shown} is not an amount of money; write, for example, {example}")
    number, unit = match.group(1), match.group(2) or ""
    currency, _, per = unit.partition("/")
    if not _CURRENCY.match(currency) or (per == "kWh") != per_kwh or per not in ("", "kWh"):
        raise UnitError(f"{unit or 'no unit'!r} is not allowed here; write, for example, {example}")
    refuse_grouped(number, unit)
    if abs(float(number)) > MAX_MONEY:
        raise UnitError(f"{number} is out of range; write an amount up to {MAX_MONEY:g}")
    return Money(_finite(float(number)), currency, per_kwh)
