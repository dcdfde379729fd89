"""A comparison in words: what differs, what it comes to, what to beware of."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..models.hypervisor import profiles
from ..scenarios.yaml_text import parse
from .compare_rows import Cell, Row
from .result import Result

_NOT_COMPARED = ("defaults", "name", "description", "variants")
MISSING = "–"


def changes(texts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the paths at which scenarios differ, with the value of each as text."""
    flat = {name: _leaves(parse(text).data) for name, text in texts.items()}
    paths = dict.fromkeys(path for leaves in flat.values() for path in leaves)
    found = {
        path: {name: leaves.get(path, MISSING) for name, leaves in flat.items()}
        for path in paths
        if path.split(".")[0] not in _NOT_COMPARED
    }
    return {path: values for path, values in found.items() if len(set(values.values())) > 1}


def _leaves(data: Any, path: str = "") -> dict[str, str]:
    below: dict[str, str] = {}
    pairs: Any = ()
    if isinstance(data, dict):
        pairs = data.items()
    elif isinstance(data, list) and any(isinstance(each, dict | list) for each in data):
        pairs = enumerate(data)
    else:
        return {path: _text(data)}
    for key, value in pairs:
        below |= _leaves(value, f"{path}.{key}" if path else str(key))
    return below


def _text(value: Any) -> str:
    text = ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"


def sentences(rows: Mapping[str, Row], variants: Sequence[str]) -> list[str]:
    """Say for each variant but the first what it needs more or less of."""
    reference = variants[0]
    return [_sentence(rows, name, reference) for name in variants[1:]]


def _sentence(rows: Mapping[str, Row], name: str, reference: str) -> str:
    if all(_same(row.cells[name], row.cells[reference]) for row in rows.values()):
        return f"{name}: every figure as in {reference}."
    parts = []
    hosts = rows["hosts_on_peak"].cells[name]
    if hosts is not None and hosts.difference is not None:
        parts.append(_hosts(hosts.difference))
    for metric, what in (("energy_kwh", "energy"), ("cost_per_year", "cost a year")):
        cell = rows[metric].cells[name]
        if cell is not None and cell.change_percent is not None:
            parts.append(_percent(cell, what))
    unserved = rows["unserved_share"].cells
    here, there = unserved[name], unserved[reference]
    if here is not None and there is not None and not _same(here, there):
        parts.append(f"{_share(here)} of the CPU not served instead of {_share(there)}")
    return f"{name} against {reference}: {', '.join(parts)}."


def _same(here: Cell | None, there: Cell | None) -> bool:
    if here is None or there is None:
        return here is there
    return (here.value, here.low, here.high) == (there.value, there.low, there.high)


def _hosts(difference: float) -> str:
    if not difference:
        return "as many hosts"
    count = abs(difference)
    more = "more" if difference > 0 else "fewer"
    return f"{count:,.0f} {more} host{'' if count == 1 else 's'}"


def _marks(scenario: Mapping[str, Any]) -> frozenset[str]:
    """Return how sure the code sizes of a scenario's hypervisors are, those by definition apart."""
    written = [group["hypervisor"] for group in scenario["farm"]["hosts"]]
    names = {each if isinstance(each, str) else each["based_on"] for each in written}
    return frozenset(profiles()[name].tcb_kloc.confidence for name in names) - {"definition"}


def _share(cell: Cell) -> str:
    text = f"{100 * (cell.value or 0.0):.2g} %"
    if cell.low is None or cell.high is None or cell.low == cell.high:
        return text
    return f"{text} [{100 * cell.low:.2g}, {100 * cell.high:.2g}]"


def _percent(cell: Cell, what: str) -> str:
    """Return a change in percent, with its band where the levels differ."""
    change, low, high = cell.change_percent, cell.change_percent_low, cell.change_percent_high
    if change is None or low is None or high is None:
        return ""
    if low < 0 < high:
        return f"{what} undecided ({low:+.3g} to {high:+.3g} %)"
    text = f"{abs(change):.3g} % {'more' if change > 0 else 'less'} {what}"
    if low < high:
        return f"{text} ({low:+.3g} to {high:+.3g} %)"
    return text if change else f"the same {what}"


def notes(results: Mapping[str, Result], levels: Mapping[str, Any] | None) -> list[str]:
    """Return what makes the variants less comparable, and their own warnings."""
    found = []
    names = list(results)
    written = {name: parse(result.scenario_yaml).data for name, result in results.items()}

    def differing(what: Mapping[str, Any]) -> list[str]:
        return [name for name in names[1:] if what[name] != what[names[0]]]

    other = differing({name: each["run"]["duration"] for name, each in written.items()})
    if other:
        found.append(
            f"Simulated times differ from that of {names[0]}: {', '.join(other)}; compare powers, "
            "shares and costs per year, not totals."
        )
    other = differing(
        {name: (written[name]["workload"], result.manifest["inputs"])
         for name, result in results.items()}
    )  # fmt: skip
    if other:
        found.append(
            f"The load is not that of {names[0]}: {', '.join(other)}; differences are not due to "
            "the farm alone."
        )
    if levels is not None:
        found.append(
            f"Bands run from the lowest to the highest of three runs: {levels['path']} at "
            f"{levels['low']}, {levels['typical']} and {levels['high']}, all that it governs "
            "together. They show what the estimates leave open, not chance."
        )
    marks = {
        name: _marks(written[name])
        for name, result in results.items()
        if "exposure" in result.summary
    }
    if len(set().union(*marks.values())) > 1:
        told = "; ".join(f"{name}: {', '.join(sorted(each))}" for name, each in marks.items())
        found.append(
            "Exposure rests on code sizes found in different ways (M: from memory, E: estimated, "
            f"by variant {told}), which are not comparable: between these the order is open."
        )
    warned: dict[str, list[str]] = {}
    for name, result in results.items():
        for warning in result.summary["warnings"]:
            warned.setdefault(warning, []).append(name)
    for warning, who in warned.items():
        found.append(warning if len(who) == len(names) else f"{', '.join(who)}: {warning}")
    return found
