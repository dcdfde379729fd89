"""Numbers and counts as text: three significant digits at most, nouns in the right number."""

from typing import Any

WEEK_H = 168.0
NO_DIFFERENCE = 0.0005
"""Relative difference below which sentences say that there is none: 0.05 %."""
COUNTED = ("hosts", "VMs", "migrations", "cycles", "failures", "requests")
"""Units that are nouns."""
TIME_UNITS = ((7200.0, 3600.0, "h"), (600.0, 60.0, "min"), (0.0, 1.0, "s"))
"""From how many seconds on a unit of time is used, how many it has, and its name."""


def amount(value: float) -> str:
    """Return a number with three significant digits at most; from 1,000 on to the unit.

    Below 0.001 it has an exponent. Used for numbers of any unit; shares go through :func:`percent`.
    """
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    if size >= 0.001:
        return _plain(value)
    return f"{value:.2e}"


def percent(share: float) -> str:
    """Return a share in percent; what is not quite all is never called 100 %.

    Three significant digits; ``share`` is 1 for 100 %. Only an exact 0 is called 0 %.
    """
    value = 100.0 * share
    if 0 < abs(value) < 0.001:
        return "less than 0.001 %"
    if 99.95 <= value < 100:
        return "more than 99.9 %"
    return f"{amount(value)} %"


def complement(share: float) -> str:
    """Return a share near 1 in percent, with two significant digits of what is missing to 1.

    For availabilities: 0.99951 becomes ``99.951 %``, where three digits would make it 100 %.
    """
    return f"{100.0 - float(f'{100.0 * (1.0 - share):.2g}'):.10g} %"


def count(number: float, noun: str) -> str:
    """Return a number with its noun: ``1 host``, ``20 hosts``, ``16.5 hosts``."""
    text = amount(number)
    return f"{text} {noun}" if text == "1" else f"{text} {noun}s"


def of_all(part: float, whole: float, noun: str) -> str:
    """Return ``3 of 20 VMs``, ``all 20 VMs``, ``both VMs``, ``the only VM``."""
    if whole == 1:
        return f"the only {noun}" if part else f"not the only {noun}"
    if part == whole:
        return f"both {noun}s" if whole == 2 else f"all {whole:,.0f} {noun}s"
    return f"{part:,.0f} of {whole:,.0f} {noun}s"


def was(part: float) -> str:
    """Return the verb that goes with a count."""
    return "was" if part == 1 else "were"


def span(hours: float) -> str:
    """Return a length of time in seconds, minutes, hours or days, whichever reads best.

    ``hours`` is in h, other than the seconds of :func:`lasting`.
    """
    seconds = hours * 3600.0
    if seconds < 120:
        return f"{amount(seconds)} s"
    if seconds < 7200 and hours != 1:
        return f"{amount(seconds / 60)} min"
    return f"{amount(hours)} h" if hours < 72 else f"{amount(hours / 24)} days"


def listed(parts: list[str]) -> str:
    """Return clauses as one: ``a``, ``a and b``, ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def basis(duration_h: float) -> str:
    """Return what a figure per year was extrapolated from, empty from a week on."""
    return f"extrapolated from {span(duration_h)}" if duration_h < WEEK_H else ""


def change(here: float, there: float) -> str | None:
    """Return ``12 % less`` or ``3 % more`` than there; empty for no difference, None of 0.

    In percent of ``there``, of either sign. A fall of something to nearly nothing is "more than 99
    %", since 100 % would say that nothing is left.
    """
    if not there:
        return "" if not here else None
    relative = (here - there) / abs(there)
    if abs(relative) < NO_DIFFERENCE:
        return ""
    size = abs(100.0 * relative)
    text = f"{size:,.0f}" if size >= 10 else f"{size:.1f}".removesuffix(".0")
    if relative < 0 and here > 0 and text == "100":
        text = "more than 99"
    return f"{text} % {'less' if relative < 0 else 'more'}"


def capital(text: str) -> str:
    """Return a sentence with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def _plain(value: float) -> str:
    """Return three significant digits without an exponent."""
    return f"{float(f'{value:.3g}'):.10f}".rstrip("0").rstrip(".")


def shown(value: Any, unit: str = "") -> str:
    """Format a number for display: shares in percent, up to three significant digits.

    ``–`` stands for None. Only the unit ``share`` matters: it is turned into percent with its sign;
    other units are written by the caller.
    """
    if value is None:
        return "–"
    if unit == "share":
        if 0.9995 <= value < 1.0 - 1e-9:
            return "> 99.9 %"  # not quite all is not called all
        tiny = 0 < abs(value) < 1e-5
        return f"{'< ' if value > 0 else '> −'}0.001 %" if tiny else f"{amount(value * 100)} %"
    return amount(value)


def unit_of(value: float | None, unit: str) -> str:
    """Return the unit of a value, in singular or plural; empty for shares."""
    if unit == "share":
        return ""
    return unit.removesuffix("s") if value == 1 and unit in COUNTED else unit


def titled(title: str, unit: str, duration_h: float) -> str:
    """Return the title of a metric; metrics per year name the length of a short run."""
    since = basis(duration_h) if unit.endswith("/year") else ""
    return f"{title} ({since})" if since else title


def time_unit(longest_s: float) -> tuple[float, str]:
    """Return the unit that suits times up to the longest: its length in seconds and its name."""
    return next((scale, unit) for least, scale, unit in TIME_UNITS if longest_s >= least)


def lasting(seconds: float) -> str:
    """Return a span of time in the unit that suits it.

    ``seconds`` is in s; milliseconds, seconds, minutes and hours are used, three significant
    digits.
    """
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    scale, unit = time_unit(seconds)
    return f"{seconds / scale:.3g} {unit}"
