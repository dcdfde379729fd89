"""The figures of the speed measurement as tables: on a terminal, and in docs/performance.md.

Each table is a generator of rows, the header first. A case that was not measured has no row, so
that figures of a part of the cases can be shown as well. A *yardstick* is the CPU time of fixed
NumPy loops measured beside.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

FLAT = ("flat_10k", "flat_100k", "flat_1m")
CONSOLIDATION = ("consolidation_1x", "consolidation_10x", "consolidation_100x")
PLAIN = ("flat_100k", "day_simulation")
MODELS = ("hypervisor", "shares", "classes", "interference", "all")
MOST_TIMES = 2.0

Figures = dict[str, Any]
Row = Sequence[str]


def text(figures: Figures) -> str:
    """Return all tables as aligned text."""
    return "\n\n".join(_aligned(list(table(figures))) for table in BLOCKS.values())


def renewed(page: str, figures: Figures) -> str:
    """Return a page with its generated blocks made anew.

    A block is ``<!-- name -->`` to ``<!-- end -->``. Raises KeyError if there is no table of that
    name.
    """

    def block(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n\n{_markdown(BLOCKS[match[1]](figures))}\n\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", block, page, flags=re.DOTALL)


def _targets(figures: Figures) -> Iterator[Row]:
    """Yield what farmsim is meant to reach, what was measured, and whether that is met.

    Times are CPU time of whole commands unless said otherwise; growth is against n log2 n, the
    order of sorting the VMs.
    """
    cases = figures["cases"]
    yield "what", "target", "measured", ""
    for name, what, limit_s in (
        ("help", "`farmsim --help`, CPU", 0.15),
        ("validate", "`farmsim validate` of a small file, CPU", 0.4),
        ("day", "one PlanetLab day, LR-MMT, `farmsim run` all included, CPU", 4.0),
    ):
        if name in cases:
            value = cases[name]["cpu_s"]
            yield what, f"< {limit_s:g} s", f"{value:.2f} s", _met(value < limit_s)
    if "day_simulation" in cases:
        value = cases["day_simulation"]["simulation_s"]
        yield "the simulation of that day alone, CPU", "< 2 s", f"{value:.2f} s", _met(value < 2)
    if "flat_100k" in cases:
        value = _rate(cases["flat_100k"])
        what = "VM-samples per second, 100,000 VMs on 10,000 hosts, no consolidation"
        yield what, "≥ 50 million", f"{value / 1e6:.0f} million", _met(value >= 50e6)
    if "flat_1m" in cases:
        value = cases["flat_1m"]["peak_mib"] / 1024
        what = "1,000,000 VMs on 100,000 hosts, peak memory"
        yield what, "< 3 GiB", f"{value:.2f} GiB", _met(value < 3)
    if "flat_1m" in cases and "flat_10k" in cases:
        value = _rate(cases["flat_10k"]) / _rate(cases["flat_1m"])
        what = "time per VM-sample, 1,000,000 against 10,000 VMs"
        yield what, "≤ 1.5 times", f"{value:.2f} times", _met(value <= 1.5)
    present = [cases[name] for name in CONSOLIDATION if name in cases]
    if len(present) > 1:
        value = _growth(present[-1]) / _growth(present[0])
        what = f"THR-MMT, {present[-1]['vms']:,} against {present[0]['vms']:,} VMs"
        yield what, "as VMs · log₂ VMs", f"{value:.2f} times that", _met(value <= 1)


def _starts(figures: Figures) -> Iterator[Row]:
    """Yield CPU time and memory of commands, start of the interpreter included."""
    yield "case", "CPU, s", "yardsticks", "peak, MiB"
    for name in ("help", "validate", "day"):
        if name in figures["cases"]:
            case = figures["cases"][name]
            yield name, f"{case['cpu_s']:.2f}", f"{case['yardsticks']:.1f}", _mib(case)


def _simulations(figures: Figures) -> Iterator[Row]:
    """Yield the stages of each simulation in s of CPU, and its highest memory."""
    yield (
        "case", "VMs", "hosts", "build, s", "placement and first slot, s", "later slots, s",
        "yardsticks", "peak, MiB",
    )  # fmt: skip
    for name in ("day_simulation", *FLAT, *CONSOLIDATION):
        if name in figures["cases"]:
            case = figures["cases"][name]
            yield (
                name, f"{case['vms']:,}", f"{case['hosts']:,}", f"{case['build_s']:.2f}",
                f"{case['first_s']:.2f}", f"{case['later_s']:.2f}", f"{case['yardsticks']:.1f}",
                _mib(case),
            )  # fmt: skip


def _flat(figures: Figures) -> Iterator[Row]:
    """Yield VM-samples per second of farms without consolidation, by size.

    They are of all slots but the first, and beside that with placement and first slot.
    """
    yield (
        "VMs", "hosts", "VM-samples per s, million", "with placement and first slot",
        "ns per VM-sample", "peak, MiB",
    )  # fmt: skip
    for name in FLAT:
        if name in figures["cases"]:
            case = figures["cases"][name]
            whole = case["vm_samples"] / case["simulation_s"]
            yield (
                f"{case['vms']:,}", f"{case['hosts']:,}", f"{_rate(case) / 1e6:.0f}",
                f"{whole / 1e6:.0f}", f"{1e9 / _rate(case):.1f}", _mib(case),
            )  # fmt: skip


def _consolidation(figures: Figures) -> Iterator[Row]:
    """Yield the cost of consolidation by size of the farm: per decision and per VM-sample.

    The column of growth is 1 for the smallest farm; it stays near 1 where time grows as n log2 n.
    """
    yield (
        "VMs", "hosts", "moves decided", "CPU, s", "µs per decision", "µs per VM-sample",
        "growth over VMs · log₂ VMs", "peak, MiB",
    )  # fmt: skip
    present = [figures["cases"][name] for name in CONSOLIDATION if name in figures["cases"]]
    for case in present:
        yield (
            f"{case['vms']:,}", f"{case['hosts']:,}", f"{case['decisions']:,}",
            f"{case['later_s']:.2f}", f"{case['later_s'] / max(case['decisions'], 1) * 1e6:.0f}",
            f"{1e6 / _rate(case):.2f}", f"{_growth(case) / _growth(present[0]):.2f}", _mib(case),
        )  # fmt: skip


def _models(figures: Figures) -> Iterator[Row]:
    """Yield CPU time with each model switched on, over that with none."""
    cases = figures["cases"]
    yield "model switched on", *(f"`{plain}`, CPU (yardsticks)" for plain in PLAIN), ""
    for model in MODELS:
        pairs = [_times(cases, plain, model) for plain in PLAIN]
        if all(pairs):
            told = [f"{cpu:.2f} ({yardsticks:.2f})" for cpu, yardsticks in pairs]
            yield model, *told, _met(max(max(pair) for pair in pairs) <= MOST_TIMES)


def _times(cases: Figures, plain: str, model: str) -> tuple[float, ...]:
    """Return the time with a model over that without, in CPU and in yardsticks, if measured."""
    name = f"{plain}_{model}"
    if plain not in cases or name not in cases:
        return ()
    return tuple(cases[name][key] / cases[plain][key] for key in ("simulation_s", "yardsticks"))


def _machine(figures: Figures) -> Iterator[Row]:
    """Yield what the figures were measured on: processor, memory, system, versions."""
    yield "", ""
    yield from ((name, str(value)) for name, value in figures["machine"].items())


BLOCKS: dict[str, Callable[[Figures], Iterator[Row]]] = {
    "targets": _targets,
    "starts": _starts,
    "simulations": _simulations,
    "flat": _flat,
    "consolidation": _consolidation,
    "models": _models,
    "machine": _machine,
}
"""What the page holds, by the name that marks its place there."""


def _rate(case: Figures) -> float:
    """Return VM-samples per s of CPU in the slots after the first."""
    return float(case["vms"] * (case["slots"] - 1) / case["later_s"])


def _growth(case: Figures) -> float:
    """Return the time per VM and doubling of the VMs."""
    return float(case["later_s"] / (case["vms"] * math.log2(case["vms"])))


def _mib(case: Figures) -> str:
    """Return the highest memory of a case in MiB, as text."""
    return f"{case['peak_mib']:,.0f}"


def _met(condition: bool) -> str:
    return "met" if condition else "**missed**"


def _aligned(rows: Sequence[Row]) -> str:
    """Return rows as lines, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _markdown(rows: Iterator[Row]) -> str:
    """Return rows as a table of Markdown, the first as its header."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|" + " --- |" * (lines[0].count("|") - 1))
    return "\n".join(lines)
