"""What ``farmsim catalog`` shows: servers, hypervisors, request classes, policies, workloads.

Entries are plain mappings of numbers and texts, so that JSON, the terminal and the reference pages
show the same. Figures with a range have their confidence and source beside them.
"""

import math
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from ..models.base.catalogue import traces, workload_classes
from ..models.base.estimates import CONFIDENCE, Ranged, exactly, figures_of
from ..models.base.named_classes import name_of
from ..models.base.parameters import parameters_of
from ..models.hypervisor.profiles import Hypervisor, IoPath, Licence, profiles, sources
from ..models.service.request_class import (
    YARDSTICK,
    RequestClass,
    request_class_ranges,
    request_class_titles,
    request_classes,
)
from ..models.workload.arrival_generator import arrival_law, published_arrivals
from ..policies.catalogue import POLICIES, available
from .errors.problems import refuse
from .errors.suggest import unknown_name
from .language.choices import summary_of, usable
from .language.units import DIMENSIONS, write
from .server_listing import COLUMNS, search, server_entries


def entries(what: str, name: str | None = None) -> list[dict[str, Any]]:
    """Return the entries of a catalogue, or the one of a name.

    ``what`` is a key of LISTS; for servers, ``name`` may be words to search for. Raises InputError
    for a name that is not in it.
    """
    if what == "servers" and name is not None and (searched := search(name)):
        return searched
    found = LISTS[what]()
    if name is None:
        return found
    chosen = [entry for entry in found if entry["name"] == name]
    if not chosen:
        known = dict.fromkeys(entry["name"] for entry in found)
        raise refuse(what, unknown_name("entry", name, known))
    return chosen


def _policies() -> list[dict[str, Any]]:
    """Return every policy that can be named in a scenario, plugins included."""
    return [
        {
            "name": name,
            "kind": kind,
            "what": summary_of(cls),
            "documentation": _documentation(cls),
            "parameters": parameters(cls),
        }
        for kind in POLICIES
        for name, cls in usable(kind).items()
    ]


def _documentation(cls: type) -> str:
    """Return a class's docstring without the indentation of the source."""
    lines = (cls.__doc__ or "").strip().splitlines()
    return "\n".join(line.removeprefix("    ") for line in lines)


def parameters(cls: type) -> list[dict[str, Any]]:
    """Return key, default and meaning of each parameter of a dataclass.

    A default is shown as a scenario would write it; "required" where there is none. ``slot`` is the
    kind of policy that the parameter holds, if it holds one.
    """
    hints = get_type_hints(cls)
    held = {each.name: each for each in fields(cls)}
    listed = []
    for name, parameter in parameters_of(cls).items():
        default = held[name].default
        if default is MISSING:
            shown: Any = "required"
        elif parameter.slot:
            shown = name_of(type(default), available(parameter.slot)) or "?"
        elif parameter.dimension in DIMENSIONS:
            several = default if isinstance(default, tuple) else (default,)
            shown = ", ".join(str(write(each, parameter.dimension)) for each in several)
        elif isinstance(default, tuple):
            shown = ", ".join(map(str, default))
        else:
            shown = default
        choices = getattr(hints[name], "__args__", ()) if not parameter.slot else ()
        listed.append(
            {
                "key": parameter.key or name,
                "default": shown,
                "meaning": parameter.help,
                "choices": [each for each in choices if isinstance(each, str)],
                "slot": parameter.slot,
            }
        )
    return listed


def _workloads() -> list[dict[str, Any]]:
    """Return shipped traces, fitted sets of classes, and laws of arrivals.

    The laws are what generated arrivals and unknown lifetimes are drawn from.
    """
    shipped = [
        {
            "name": each.name,
            "kind": "trace",
            "what": each.title,
            "vms": each.vms,
            "hours": each.slots * each.step_s / 3600,
            "step_s": each.step_s,
            "licence": each.licence,
            "source": each.source,
        }
        for each in traces().values()
    ]
    made = [
        {
            "name": name,
            "kind": "synthetic classes",
            "what": entry["title"],
            "classes": len(entry["classes"]),
            "source": entry["source"],
        }
        for name, entry in workload_classes()["sets"].items()
    ]
    laws = [
        {
            "name": name,
            "kind": "arrivals",
            "what": entry["title"],
            "batches_per_h": entry["batches_per_h"],
            "vms_per_batch": round(arrival_law(name).mean_batch_size, 2),
            "hour_profile": entry["hour_profile"],
            "flavours": len(entry["flavours"]),
            "survival_s": entry["survival_s"],
            "survival": entry["survival"],
            "confidence": entry["confidence"],
            "source": entry["source"],
        }
        for name, entry in published_arrivals().items()
    ]
    return shipped + made + laws


def hypervisor_entries() -> list[dict[str, Any]]:
    """Return every hypervisor profile with all its figures.

    A figure that costs more where it is higher has its highest bound at the level ``high``.
    """
    return [_hypervisor(each) for each in profiles().values()]


def _hypervisor(each: Hypervisor[Ranged]) -> dict[str, Any]:
    """Return one profile: what it needs and allows, its paths of I/O, and its figures."""
    return {
        "name": each.name,
        "kind": each.kind,
        "what": each.title,
        "family": each.family,
        "needs": list(each.needs),
        "uses": list(each.uses),
        "live_migration": each.live_migration,
        "multi_tenant": each.multi_tenant,
        "host_applications": each.allows_host_applications,
        "storage_paths": [_path(path) for path in each.storage],
        "network_paths": [_path(path) for path in each.network],
        "default_path": each.default_path,
        "licence": _licence(each.licence),
        "figures": [
            _figure(name, meaning.text, value, "high" if meaning.more_costs else "low")
            for name, meaning, value in figures_of(each)
        ],
        "vm_memory": [
            {"memory_mib": memory_mib, "vcpus": vcpus, "overhead_mib": overhead_mib}
            for memory_mib, vcpus, overhead_mib in each.memory.vm_table
        ],
        "vm_memory_source": sources().get(each.memory.vm_table_source, ""),
    }


def _licence(licence: Licence[Ranged]) -> str:
    """Return how a hypervisor is licensed and the fewest cores that count."""
    if licence.metric == "none":
        return "none"
    least = (
        (licence.minimum_cores_per_socket, "per socket"),
        (licence.minimum_cores_per_host, "per host"),
        (licence.minimum_order_cores, _order(licence)),
    )
    told = "".join(f", at least {cores} cores {where}" for cores, where in least if cores)
    return f"{licence.metric}, {licence.currency} a year{told}"


def _order(licence: Licence[Ranged]) -> str:
    """Return in which order a minimum number of cores holds."""
    note = f" ({licence.minimum_order_note})" if licence.minimum_order_note else ""
    under = f" under one contract with {licence.contract}" if licence.contract else ""
    return f"in all{under}{note}"


def _path(path: IoPath[Ranged]) -> dict[str, Any]:
    """Return one path of I/O: what it needs, and whether its VMs can migrate while they run."""
    return {"name": path.name, "needs": list(path.needs), "live_migration": path.live_migration}


def class_entries() -> list[dict[str, Any]]:
    """Return every request class with all its figures.

    Figures of the class itself, in YARDSTICK, are the same at every level; the others have ranges.
    """
    typical, titles = request_classes(), request_class_titles()
    return [
        {
            "name": name,
            "kind": "request class",
            "what": titles[name],
            "figures": [
                _figure(
                    parameter.key or field,
                    parameter.help,
                    ranges.get(field) or exactly(getattr(typical[name], field)),
                    "typical" if field in YARDSTICK else "high",
                    unit=DIMENSIONS[parameter.dimension].base if parameter.dimension else "",
                )
                for field, parameter in parameters_of(RequestClass).items()
            ],
        }
        for name, ranges in request_class_ranges().items()
    ]


def _figure(
    name: str, meaning: str, value: Ranged, at_level_high: str, unit: str = ""
) -> dict[str, Any]:
    """Return a figure with its range, None for infinity.

    ``at_level_high`` names the bound that costs most: low where more is better.
    """
    low, typical, high = (
        bound if math.isfinite(bound) else None for bound in (value.low, value.typical, value.high)
    )
    return {
        "name": name,
        "low": low,
        "typical": typical,
        "high": high,
        "unit": unit,
        "at_level_high": at_level_high,
        "confidence": value.confidence,
        "source": sources().get(value.source, value.source),
        "note": value.note,
        "meaning": meaning,
    }


LISTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "servers": server_entries,
    "hypervisors": hypervisor_entries,
    "classes": class_entries,
    "policies": _policies,
    "workloads": _workloads,
}


def text_of(what: str, found: list[dict[str, Any]], full: bool = False) -> str:
    """Return entries as text: a line each, or in full.

    ``found`` are entries of :func:`entries`. Columns are as wide as their longest cell; no line is
    wrapped.
    """
    if full:
        return "\n\n".join(_full(entry) for entry in found)
    if what == "servers":
        return _aligned([COLUMNS, *[[_cell(entry[key]) for key in COLUMNS] for entry in found]])
    rows = [(entry["kind"], entry["name"], entry["what"]) for entry in found]
    return _aligned([("kind", "name", "meaning"), *rows])


def _cell(value: Any) -> str:
    """Return a value as a cell shows it, numbers without needless digits."""
    if value is None:
        return "unknown"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _aligned(rows: Any) -> str:
    """Return rows of texts as lines with columns of equal width."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _full(entry: dict[str, Any]) -> str:
    """Return one entry in full: a line per key, figures and parameters as tables."""
    lines = []
    for key, value in entry.items():
        if value in ([], "") and "figures" in entry:
            continue
        if key == "figures":
            lines += _figures(value)
        elif (
            isinstance(value, list) and value and isinstance(value[0], dict) and key != "parameters"
        ):
            lines += [f"{key}:", *[f"  {_row(each)}" for each in value]]
        elif key == "parameters":
            lines.append("parameters:")
            lines += [_parameter(each) for each in value] or ["  none"]
        elif key not in ("what",) or "documentation" not in entry:
            text = "  ".join(_cell(each) for each in value) if isinstance(value, list) else value
            lines.append(f"{key}: {_cell(text)}")
    return "\n".join(lines)


def _row(each: dict[str, Any]) -> str:
    """Return the keys and values of a mapping in one line."""
    shown = {
        key: ", ".join(value) or "nothing" if isinstance(value, list) else _cell(value)
        for key, value in each.items()
    }
    return ", ".join(text if key == "name" else f"{key} {text}" for key, text in shown.items())


def _figures(figures: list[dict[str, Any]]) -> list[str]:
    """Return figures with their ranges, and their sources by number below them.

    Figures that cost nothing because nobody has set them are left out and counted as such.
    """
    stated = [each for each in figures if not is_neutral(each)]
    if not stated:
        return ["figures: all zero cost"]
    named = list(dict.fromkeys(each["source"] for each in stated))
    units = ("unit",) if any(each["unit"] for each in stated) else ()
    header = ("name", "low", "typical", "high", *units, "mark", "source", "meaning")
    rows = [
        (
            each["name"],
            *(bound_text(each[key]) for key in ("low", "typical", "high")),
            *(each[key] for key in units),
            each["confidence"],
            f"[{named.index(each['source']) + 1}]",
            meaning_of(each),
        )
        for each in stated
    ]
    rest = "; all others are zero cost" if len(stated) < len(figures) else ""
    return [
        f"figures{rest}:",
        *(f"  {line}" for line in _aligned([header, *rows]).splitlines()),
        "marks:",
        *(f"  {mark}: {CONFIDENCE[mark]}" for mark in _marks(stated)),
        "sources:",
        *(f"  [{number}] {text}" for number, text in enumerate(named, 1)),
    ]


def _marks(figures: list[dict[str, Any]]) -> list[str]:
    """Return the marks of confidence that some figures have, the surest first."""
    used = {each["confidence"] for each in figures}
    return [mark for mark in CONFIDENCE if mark in used]


def is_neutral(figure: dict[str, Any]) -> bool:
    """Return whether a figure has its neutral default: zero, one or no limit.

    A figure with a note, or a mark other than that of a definition, has been set.
    """
    bounds = {figure["low"], figure["typical"], figure["high"]}
    unset = figure["confidence"] == "definition" and not figure["note"]
    return unset and len(bounds) == 1 and bounds <= {0.0, 1.0, None}


def meaning_of(figure: dict[str, Any]) -> str:
    """Return the meaning of a figure, and the source of its range."""
    note = f" ({figure['note']})" if figure["note"] else ""
    return f"{figure['meaning']}{note}"


def bound_text(value: float | None) -> str:
    """Return a bound as text."""
    return "none" if value is None else f"{value:g}"


def _parameter(each: dict[str, Any]) -> str:
    """Return key, meaning, choices and default of a parameter as one line."""
    choices = f" ({' or '.join(each['choices'])})" if each["choices"] else ""
    kind = f" (policy of kind {each['slot']})" if each["slot"] else ""
    return f"  {each['key']}: {each['meaning']}{choices}{kind} Default: {each['default']}."
