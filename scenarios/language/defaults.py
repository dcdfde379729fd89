"""Default values of a scenario, so that a resolved scenario repeats its run.

A resolved scenario has every default written out. Some defaults mean more than their value: a
price that nobody gave is a placeholder, a boot time that nobody gave is the hypervisor's. The
list ``defaults`` names the paths of such values; where they still have the value of the default,
reading the scenario again takes them as not written.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .fields import Part
from .yaml_text import Path as Place

KEY = "defaults"
MISSING = object()


def unwritten(part: Part, data: Any) -> list[str]:
    """Return the dotted paths below ``data`` that have default values.

    A part that nobody wrote is one path, without those of its fields.
    """
    return [".".join(map(str, place)) for place in _unwritten(part, data, ())]


def _unwritten(part: Part, data: Any, place: Place) -> Iterator[Place]:
    """Yield the places below one that nobody wrote; a part that nobody wrote is one place."""
    for name, field in type(part).model_fields.items():
        key = field.alias or name
        below = value_at(data, (key,))
        if below is MISSING:
            continue
        if name not in part.model_fields_set:
            yield (*place, key)
            continue
        value = getattr(part, name)
        if isinstance(value, Part):
            yield from _unwritten(value, below, (*place, key))
        elif isinstance(value, tuple) and isinstance(below, list):
            for index, each in enumerate(value):
                if isinstance(each, Part):
                    yield from _unwritten(each, below[index], (*place, key, index))


def places_of(data: Mapping[str, Any]) -> list[Place]:
    """Return the places that a document lists as defaults, those that are in it."""
    listed = data.get(KEY)
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        return []
    places = [
        tuple(int(step) if step.isdigit() else step for step in each.split(".")) for each in listed
    ]
    return [place for place in places if value_at(data, place) is not MISSING]


def value_at(data: Any, place: Place) -> Any:
    """Return what stands at a place, MISSING if nothing does.

    Steps are keys of mappings and indices of lists, counted from 0.
    """
    for step in place:
        listed = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if not listed and not (isinstance(data, Mapping) and step in data):
            return MISSING
        data = data[step]
    return data


def without(data: Mapping[str, Any], places: Sequence[Place]) -> dict[str, Any]:
    """Return a copy of a document without what stands at some places, and without the list."""
    made: dict[str, Any] = copy.deepcopy(dict(data))
    made.pop(KEY, None)
    for place in places:
        held = value_at(made, place[:-1])
        if isinstance(held, dict):
            held.pop(place[-1], None)
    return made


def opened(data: Mapping[str, Any], place: Place) -> list[str]:
    """Return the list of a document after a value was put at a place: it is written now.

    Where the whole part around it was a default, the rest of the part stays one.
    """
    kept: list[str] = []
    for each in places_of(data):
        if each[: len(place)] == place:
            continue
        if place[: len(each)] == each:
            kept += _beside(value_at(data, each), each, place)
        else:
            kept.append(".".join(map(str, each)))
    return kept


def _beside(data: Any, above: Place, place: Place) -> Iterator[str]:
    """Yield the paths of all that lies beside the way from one place down to another."""
    step = place[len(above)]
    for key, value in data.items() if isinstance(data, dict) else ():
        if key != step:
            yield ".".join(map(str, (*above, key)))
        elif len(above) + 1 < len(place):
            yield from _beside(value, (*above, key), place)
