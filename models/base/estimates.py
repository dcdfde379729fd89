"""Figures with range, confidence mark and source.

A model that rests on estimates keeps them visible: every figure has a low, a typical and a
high bound, and a run is made at one *level* of cost. Level ``low`` takes of each figure the
bound that costs least, level ``high`` the one that costs most; whether that is the figure's
lower or upper bound depends on what it measures, which its field states (an efficiency of
0.93 to 1.00 is 1.00 at level ``low``).
"""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import field, fields, is_dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar

from .lazy_dataclass import dataclass

Level: TypeAlias = Literal["low", "typical", "high"]
LEVELS: tuple[Level, ...] = ("low", "typical", "high")
CONFIDENCE = {
    "V": "verified in a primary data set or stored copy",
    "VA": "seen in an abstract, product page or other secondary copy",
    "D": "derived from verified data",
    "M": "from memory, not checked",
    "E": "engineering estimate without a source",
    "definition": "holds by definition",
    "given": "set by the user",
}
MAX_NUMBER = 1e12
"""Largest number that a figure may be set to."""
P = TypeVar("P")


@dataclass(frozen=True)
class Ranged:
    """A figure with its bounds, ``low <= typical <= high``.

    ``confidence`` is a key of :data:`CONFIDENCE`, ``source`` a key of the catalogue's sources
    or a text. Raises ValueError for bounds out of order, NaN or an unknown mark.
    """

    low: float
    typical: float
    high: float
    confidence: str
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.typical <= self.high:
            raise ValueError(
                f"low {self.low:g}, typical {self.typical:g}, high {self.high:g} "
                "are not in ascending order"
            )
        if self.confidence not in CONFIDENCE:
            raise ValueError(unknown("confidence mark", self.confidence, CONFIDENCE))

    def at(self, level: Level, more_costs: bool) -> float:
        """Return the value at a level of cost; ``more_costs`` says which bound costs most."""
        if level not in LEVELS:
            raise ValueError(unknown("level", level, LEVELS))
        if level == "typical":
            return self.typical
        return self.high if (level == "high") == more_costs else self.low


def exactly(value: float) -> Ranged:
    """Return a figure without a range that holds by definition."""
    return Ranged(value, value, value, "definition", "definition")


@dataclass(frozen=True, slots=True)
class Figure:
    """Meaning of a field that holds a figure: what it is, direction of cost, bounds."""

    text: str
    more_costs: bool = True
    above: float = -math.inf
    ge: float = 0.0
    le: float = math.inf


def figure(text: str, neutral: float, **meaning: Any) -> Any:
    """Declare a dataclass field for a figure; ``neutral`` is its value without any cost.

    ``meaning`` are fields of :class:`Figure`: whether a higher value costs more, and its bounds.
    """
    return field(default=exactly(neutral), metadata={"figure": Figure(text, **meaning)})


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """Say that a name is unknown, which is nearest, and which exist."""
    listed = list(known)
    close = difflib.get_close_matches(str(name), listed, 1, 0.5)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"there is no {what} {name!r}; {hint}known: {', '.join(listed)}"


def at_level(part: Any, level: Level) -> Any:
    """Return a copy of a dataclass with every figure, nested ones too, at a level of cost.

    The copy holds numbers where ``part`` holds figures with ranges.
    """
    changes: dict[str, Any] = {}
    for each in fields(part):
        value = getattr(part, each.name)
        if "figure" in each.metadata:
            changes[each.name] = value.at(level, each.metadata["figure"].more_costs)
        elif is_dataclass(value):
            changes[each.name] = at_level(value, level)
        elif "items" in each.metadata:
            changes[each.name] = tuple(at_level(item, level) for item in value)
    return replace(part, **changes)


def figures_of(part: Any, prefix: str = "") -> Iterator[tuple[str, Figure, Any]]:
    """Yield dotted name, meaning and value of every figure, nested ones too."""
    for each in fields(part):
        value, name = getattr(part, each.name), prefix + each.name
        if "figure" in each.metadata:
            yield name, each.metadata["figure"], value
        elif is_dataclass(value):
            yield from figures_of(value, f"{name}.")
        elif "items" in each.metadata:
            for item in value:
                yield from figures_of(item, f"{name}.{item.name}.")


def nested(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping whose dotted keys, ``cpu.plain``, have become mappings in mappings.

    Raises ValueError where a key goes through something that is not a mapping.
    """
    made: dict[str, Any] = {}
    for key, value in sorted(written.items(), key=lambda item: item[0].count(".")):
        *outer, last = key.split(".")
        part = made
        for name in outer:
            part = part.setdefault(name, {})
            if not isinstance(part, dict):
                raise ValueError(f"{key}: {name} is given twice, as a value and as a mapping")
        part[last] = deepcopy(value)
    return made


def changed(base: P, written: Mapping[str, Any], where: str) -> P:
    """Return a copy of a dataclass with some fields, nested ones too, replaced.

    A figure may be written as a number or as a mapping of the fields of :class:`Ranged`
    (``low`` and ``high`` default to ``typical``); a nested part as a mapping of its fields;
    a list of named parts as a mapping of names, where None takes a part away. Raises
    ValueError, with the path in front, for what does not exist or does not fit.
    """
    held = {each.name: each for each in fields(base)}  # type: ignore[arg-type]
    changes: dict[str, Any] = {}
    for key, value in written.items():
        if key not in held:
            raise ValueError(f"{where}: {unknown('field', key, held)}")
        path, metadata, old = f"{where}.{key}", held[key].metadata, getattr(base, key)
        if "figure" in metadata:
            changes[key] = _figure(value, metadata["figure"], path)
        elif "items" in metadata:
            changes[key] = _items(old, value, metadata["items"], path)
        elif is_dataclass(old):
            changes[key] = changed(old, _mapping(value, path), path)
        else:
            rows = 3 if "tuple[tuple[" in str(held[key].type) else 0
            changes[key] = _plain(value, old, path, rows)
    try:
        return replace(base, **changes)  # type: ignore[type-var]
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _figure(value: Any, meaning: Figure, path: str) -> Ranged:
    """Return a figure as it is written, held to its bounds. Raises ValueError."""
    if _is_number(value):
        value = {"typical": float(_number(value, path))}
    elif not isinstance(value, Ranged | Mapping):
        raise ValueError(f"{path}: {_shown(value)} is neither a number nor low, typical and high")
    made = value if isinstance(value, Ranged) else _ranged(_mapping(value, path), path)
    for bound in (made.low, made.high):
        endless = math.isinf(bound) and meaning.more_costs
        if endless or not (bound > meaning.above and meaning.ge <= bound <= meaning.le):
            at_least = f"above {meaning.above:g}" if meaning.above >= 0 else f"at least {0:g}"
            limit = f" and at most {meaning.le:g}" if math.isfinite(meaning.le) else ""
            raise ValueError(f"{path}: {bound:g} is out of bounds; it must be {at_least}{limit}")
    return made


def _ranged(written: Mapping[str, Any], path: str) -> Ranged:
    """Return a figure written as a mapping of low, typical, high and its source."""
    names = [each.name for each in fields(Ranged)]
    for key in written:
        if key not in names:
            raise ValueError(f"{path}: {unknown('field', key, names)}")
    if "typical" not in written:
        raise ValueError(f"{path}: typical is missing")
    written = dict(written)
    for key in ("low", "typical", "high"):
        if key in written:
            written[key] = _number(written[key], f"{path}.{key}")
    for key in ("confidence", "source", "note"):
        if not isinstance(written.get(key, ""), str):
            raise ValueError(f"{path}.{key}: {_shown(written[key])} is not a text")
    typical = written["typical"]
    defaults = {"low": typical, "high": typical, "confidence": "given", "source": "given"}
    try:
        return Ranged(**{**defaults, **written})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _is_number(value: Any) -> bool:
    """Whether a value is a number; truth values are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any, path: str) -> float:
    """Return a number that can be reckoned with. Raises ValueError."""
    if not _is_number(value):
        raise ValueError(f"{path}: {_shown(value)} is not a number")
    if MAX_NUMBER < abs(value) < math.inf:
        raise ValueError(f"{path}: {_shown(value)} is out of range; write at most {MAX_NUMBER:g}")
    return float(value)


def _shown(value: Any) -> str:
    """Return a value as it is quoted in an error: cut off after 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _items(old: tuple[Any, ...], value: Any, names: Mapping[str, type], path: str) -> Any:
    """Return named parts with some changed, added or, where None is written, taken away."""
    parts = {part.name: part for part in old}
    for name, written in _mapping(value, path).items():
        if name not in names:
            raise ValueError(f"{path}: {unknown('part', name, names)}")
        if written is None:
            parts.pop(name, None)
        else:
            base = parts.get(name) or names[name](name=name)
            parts[name] = changed(base, _mapping(written, path), f"{path}.{name}")
    return tuple(parts[name] for name in names if name in parts)


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    """Return a value that has to be a mapping. Raises ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{path}: {_shown(value)} is not a mapping of names to values")
    return value


def _row(row: Any, length: int, path: str) -> tuple[float, ...]:
    """Return a row of a table of numbers. Raises ValueError."""
    if not isinstance(row, list | tuple) or len(row) != length:
        raise ValueError(f"{path}: {_shown(row)} is not a list of {length} numbers")
    return tuple(_number(each, path) for each in row)


def _plain(value: Any, old: Any, path: str, rows: int = 0) -> Any:
    """Return a value of the kind of the old one; a list may be a table of rows so long."""
    if isinstance(old, tuple) and isinstance(value, list | tuple):
        if rows:
            return tuple(_row(row, rows, f"{path}.{number}") for number, row in enumerate(value))
        if not all(isinstance(each, str) for each in value):
            raise ValueError(f"{path}: {_shown(value)} is not a list of texts")
        return tuple(value)
    if isinstance(old, float) and _is_number(value):
        return _number(value, path)
    if isinstance(old, int) and _is_number(value):
        _number(value, path)
    if type(value) is not type(old):
        kinds = {"tuple": "list", "str": "text", "int": "whole number", "float": "number"}
        name = type(old).__name__
        raise ValueError(f"{path}: {_shown(value)} is not a {kinds.get(name, name)}")
    return value
