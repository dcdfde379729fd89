"""The catalogue as lists: servers, policies, workloads."""

from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from ..models.catalogue import servers, traces, workload_classes
from ..models.knobs import knobs_of
from ..policies.catalogue import POLICIES, available
from .fields import summary_of
from .problems import refuse
from .suggest import unknown_name
from .units import DIMENSIONS, write


def entries(what: str, name: str | None = None) -> list[dict[str, Any]]:
    """Return the entries of a catalogue, or the one of a name. Raises InputError."""
    found = {"servers": _servers, "policies": _policies, "workloads": _workloads}[what]()
    if name is None:
        return found
    chosen = [entry for entry in found if entry["name"] == name]
    if not chosen:
        known = dict.fromkeys(entry["name"] for entry in found)
        raise refuse(what, unknown_name("entry", name, known))
    return chosen


def _servers() -> list[dict[str, Any]]:
    return [
        {
            "name": each.id,
            "server": f"{each.vendor} {each.model}",
            "cpu": each.cpu,
            "sockets": each.sockets,
            "cores": each.cores,
            "clock_mhz": each.core_mhz,
            "memory_gib": each.memory_mib / 1024,
            "idle_w": each.watts[0],
            "max_w": each.watts[-1],
            "watts": list(each.watts),
            "ssj_ops": list(each.ssj_ops),
            "ops_per_w": round(each.overall_ops_per_w),
            "published": each.published,
            "confidence": each.confidence,
            "source": each.source,
        }
        for each in servers().values()
    ]


def _policies() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "kind": kind,
            "what": summary_of(cls),
            "documentation": _documentation(cls),
            "parameters": parameters(cls),
        }
        for kind in POLICIES
        for name, cls in available(kind).items()
    ]


def _documentation(cls: type) -> str:
    lines = (cls.__doc__ or "").strip().splitlines()
    return "\n".join(line.removeprefix("    ") for line in lines)


def parameters(cls: type) -> list[dict[str, Any]]:
    """Return key, default and meaning of each knob of a dataclass."""
    hints = get_type_hints(cls)
    held = {each.name: each for each in fields(cls)}
    listed = []
    for name, knob in knobs_of(cls).items():
        default = held[name].default
        if default is MISSING:
            shown: Any = "required"
        elif knob.slot:
            shown = next(
                (key for key, kind in available(knob.slot).items() if type(default) is kind), "?"
            )
        elif knob.dimension in DIMENSIONS:
            shown = write(default, knob.dimension)
        else:
            shown = default
        choices = getattr(hints[name], "__args__", ()) if not knob.slot else ()
        listed.append(
            {
                "key": knob.key or name,
                "default": shown,
                "meaning": knob.help,
                "choices": [each for each in choices if isinstance(each, str)],
                "slot": knob.slot,
            }
        )
    return listed


def _workloads() -> list[dict[str, Any]]:
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
    return shipped + made


def text_of(what: str, found: list[dict[str, Any]], full: bool = False) -> str:
    """Return entries as text: a line each, or in full."""
    if full:
        return "\n\n".join(_full(entry) for entry in found)
    if what == "servers":
        columns = ("name", "server", "cpu", "cores", "clock_mhz", "memory_gib", "idle_w", "max_w",
                   "ops_per_w", "published")  # fmt: skip
        return _aligned([columns, *[[_cell(entry[key]) for key in columns] for entry in found]])
    rows = [(entry["kind"], entry["name"], entry["what"]) for entry in found]
    return _aligned([("kind", "name", "what it is"), *rows])


def _cell(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _aligned(rows: Any) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _full(entry: dict[str, Any]) -> str:
    lines = []
    for key, value in entry.items():
        if key == "parameters":
            lines.append("parameters:")
            lines += [_parameter(each) for each in value] or ["  none"]
        elif key not in ("what",) or "documentation" not in entry:
            text = "  ".join(_cell(each) for each in value) if isinstance(value, list) else value
            lines.append(f"{key}: {_cell(text)}")
    return "\n".join(lines)


def _parameter(each: dict[str, Any]) -> str:
    choices = f" ({' or '.join(each['choices'])})" if each["choices"] else ""
    kind = f" (a policy of kind {each['slot']})" if each["slot"] else ""
    return f"  {each['key']}: {each['meaning']}{choices}{kind} Default: {each['default']}."
