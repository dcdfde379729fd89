"""A comparison in words: what differs, what it comes to, what to beware of."""

from collections.abc import Mapping
from typing import Any

from ...models.hypervisor.profiles import profiles
from ...scenarios.language.yaml_text import parse
from ...scenarios.variants import TYPICAL
from ..base.metric_titles import UNLICENSED
from ..base.wording import NO_DIFFERENCE, amount, basis, percent
from ..measure import work_not_done as undone
from ..measure.work_not_done import Figures
from ..run.result import Result
from .compare_rows import Cell, Row

_NOT_COMPARED = ("defaults", "name", "description", "variants")
MISSING = "–"


def changes(texts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the paths at which scenarios differ, with the value of each as text.

    ``texts`` are resolved scenarios in YAML by variant. A path that a scenario lacks has ``–``.
    Name, description and the variants themselves are left out; lists are compared element by
    element where they hold mappings, otherwise as a whole.
    """
    flat = {name: _leaves(parse(text).data) for name, text in texts.items()}
    paths = dict.fromkeys(path for leaves in flat.values() for path in leaves)
    found = {
        path: {name: leaves.get(path, MISSING) for name, leaves in flat.items()}
        for path in paths
        if path.split(".")[0] not in _NOT_COMPARED
    }
    return {path: values for path, values in found.items() if len(set(values.values())) > 1}


def _leaves(data: Any, path: str = "") -> dict[str, str]:
    """Return the values of nested data as texts, by their paths."""
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
    """Return a value as text, cut where it is long."""
    text = ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"


def sentences(rows: Mapping[str, Row], runs: Mapping[str, Mapping[str, Figures]]) -> list[str]:
    """Say what each variant left undone, and what it takes more or less of than the first.

    ``runs`` holds the figures of each variant by level. No difference is told between runs that
    did not do the same work.

    The first sentence, where there is one, is what the reference left undone. Each variant has one
    sentence of its own.
    """
    reference = next(iter(runs))
    told = [_sentence(rows, name, reference, runs) for name in runs if name != reference]
    left = undone.sentence(runs[reference][TYPICAL])
    return [f"{reference}: {left}", *told] if left else told


def _sentence(
    rows: Mapping[str, Row],
    name: str,
    reference: str,
    runs: Mapping[str, Mapping[str, Figures]],
) -> str:
    """Say what a variant takes more or less of than the reference.

    First what it left undone; nothing is claimed where the two did not do the same work.

    The band of each change is told where levels were run and differ.
    """
    if all(_same(row.cells[name], row.cells[reference]) for row in rows.values()):
        return f"{name}: no metric differs from {reference}."
    here, there = runs[name], runs[reference]
    left = undone.sentence(here[TYPICAL])
    not_comparable = _not_comparable(here, there)
    if not_comparable:
        left = f"{left} " if left else ""
        return f"{name}: {left}No saving is claimed against {reference}: {not_comparable}."
    parts = []
    hosts = rows["hosts_on_peak"].cells[name]
    if hosts is not None and hosts.difference is not None:
        parts.append(_hosts(hosts.difference))
    since = basis(here[TYPICAL].get("duration_h") or 0.0)
    for metric, what in (("energy_kwh", "energy"), ("cost_per_year", "cost a year")):
        cell = rows[metric].cells[name]
        if cell is not None and cell.change_percent is not None:
            parts.append(_percent(cell, what))
    if since:
        parts[-1] += f" ({since})"
    if any(each[TYPICAL].get(UNLICENSED) for each in (here, there)):
        parts[-1] += ", excluding licences of unknown price"
    unserved = rows["unserved_share"].cells
    mine, other = unserved[name], unserved[reference]
    if mine is not None and other is not None and not _same(mine, other):
        parts.insert(0, f"{_share(mine)} of the CPU was not served, instead of {_share(other)}")
    return f"{name} against {reference}: {', '.join(parts)}."


def _not_comparable(here: Mapping[str, Figures], there: Mapping[str, Figures]) -> str:
    """Return why two variants cannot be compared at any one of their levels, empty if they can."""
    for level in (TYPICAL, *here):
        why = undone.not_comparable(here[level], there.get(level, there[TYPICAL]))
        if why:
            return why if level == TYPICAL else f"at the level {level} {why}"
    return ""


def _same(here: Cell | None, there: Cell | None) -> bool:
    """Whether two cells hold the same values at all levels."""
    if here is None or there is None:
        return here is there
    return (here.value, here.low, here.high) == (there.value, there.low, there.high)


def _hosts(difference: float) -> str:
    """Return a difference in hosts in words."""
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
    """Return a share in percent, with its band where the levels differ."""
    text = percent(cell.value or 0.0)
    if cell.low is None or cell.high is None or cell.low == cell.high:
        return text
    return f"{text} [{100 * cell.low:.2g}, {100 * cell.high:.2g}]"


def _percent(cell: Cell, what: str) -> str:
    """Return a change in percent, with its band where the levels differ.

    A band that has 0 inside is called undecided: at one level the variant takes more, at another
    less.
    """
    change, low, high = cell.change_percent, cell.change_percent_low, cell.change_percent_high
    if change is None or low is None or high is None:
        return ""
    if low < 0 < high:
        return f"{what} undecided ({low:+.3g} to {high:+.3g} %)"
    text = f"{amount(abs(change))} % {'more' if change > 0 else 'less'} {what}"
    if low < high:
        return f"{text} ({low:+.3g} to {high:+.3g} %)"
    return text if abs(change) >= 100 * NO_DIFFERENCE else f"no difference in {what}"


def notes(
    results: Mapping[str, Result], levels: Mapping[str, Any] | None, serving: frozenset[str]
) -> list[str]:
    """Return what makes the variants less comparable, and their own warnings.

    ``results`` are those at the typical level, the reference first; ``serving`` the variants that
    may be best; ``levels`` are written out where there are any.

    The order: what is not marked as best, other times, other loads, bands, exposure that is not
    comparable, then the warnings of the runs. Empty where variants are comparable in every way.
    """
    written = {name: parse(result.scenario_yaml).data for name, result in results.items()}
    return [
        *_not_marked(results, serving),
        *_other_times(written),
        *_other_loads(written, results),
        *_bands(levels),
        *_mixed_marks(written, results),
        *_warnings(results),
    ]


def _not_marked(results: Mapping[str, Result], serving: frozenset[str]) -> list[str]:
    """Return which variants cannot be marked as best, and why."""
    less = [name for name in results if name not in serving]
    if len(less) == len(results):
        idle = all(result.value("unserved_share") == 1.0 for result in results.values())
        why = "no work was done" if idle else "no variant serves most work at every level"
        return [f"No variant is marked as best: {why}."]
    if not less:
        return []
    return [
        "Not marked as best, because another variant served more work or rejected fewer VMs: "
        f"{', '.join(less)}."
    ]


def _differing(what: Mapping[str, Any]) -> str:
    """Return the variants of which something is not as in the first, listed."""
    first, *others = what
    return ", ".join(name for name in others if what[name] != what[first])


def _other_times(written: Mapping[str, Any]) -> list[str]:
    """Return which variants were run for other times than the reference."""
    first = next(iter(written))
    other = _differing({name: each["run"]["duration"] for name, each in written.items()})
    if not other:
        return []
    return [
        f"Simulated times differ from that of {first}: {other}; compare power, shares and cost per "
        "year, not totals."
    ]


def _other_loads(written: Mapping[str, Any], results: Mapping[str, Result]) -> list[str]:
    """Return which variants carry another load than the reference.

    Hashes of the inputs count as well as the fields, since a file may have changed under its name.
    """
    first = next(iter(written))
    other = _differing(
        {
            name: (written[name]["workload"], result.manifest["inputs"])
            for name, result in results.items()
        }
    )
    if not other:
        return []
    return [
        f"The load is not that of {first}: {other}; differences are not caused by the farm alone."
    ]


def _bands(levels: Mapping[str, Any] | None) -> list[str]:
    """Return what bands are made of, where there are any."""
    if levels is None:
        return []
    return [
        f"Bands run from the lowest to the highest of three runs: {levels['path']} at "
        f"{levels['low']}, {levels['typical']} and {levels['high']}, which changes all its figures "
        "together. The bands show the uncertainty of the estimates, not random variation."
    ]


def _mixed_marks(written: Mapping[str, Any], results: Mapping[str, Result]) -> list[str]:
    """Return that exposures of the variants rest on figures of different kinds.

    Sizes that follow by definition, such as none on bare metal, can be compared with any.
    """
    marks = {
        name: _marks(written[name])
        for name, result in results.items()
        if "exposure" in result.summary
    }
    if len(set().union(*marks.values())) < 2:
        return []
    told = "; ".join(f"{name}: {', '.join(sorted(each))}" for name, each in marks.items())
    return [
        "Exposure is based on code sizes from different kinds of sources (M: from memory, E: "
        f"estimated, by variant {told}), which are not comparable, so their order is uncertain."
    ]


def _warnings(results: Mapping[str, Result]) -> list[str]:
    """Return each warning once, led by the variants that have it unless all do."""
    warned: dict[str, list[str]] = {}
    for name, result in results.items():
        for warning in result.summary["warnings"]:
            warned.setdefault(warning, []).append(name)
    return [
        warning if len(who) == len(results) else f"{', '.join(who)}: {warning}"
        for warning, who in warned.items()
    ]
