"""The figures of the speed measurement as tables: on a terminal, and in docs/performance.md.

A case that was not measured has a row without figures where there is a target, and otherwise no
row, so that figures of a part of the cases can be shown as well.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import page_tables
from page_tables import Row
from speed_cases import CASES, MODELS, growing

Figures = dict[str, Any]
Cases = Mapping[str, Figures]

_LIVES = (
    "the farm's part of a life, sums over the guests of its host and its rates, takes nearly half, "
    "the search for a host a sixth, the rest is bookkeeping in many small calls; a path without "
    "arrays from the request to the host, and sums carried on instead of made anew, would come next"
)
WHY_MISSED: dict[str, str] = {
    "lr-mmt": "the compiled rounds themselves take a few per cent; what is left is spread over "
    "overload tests before a round, the start and end of migrations, power states and records, all "
    "of them short NumPy calls; settling and refreshing hosts in the kernel would come next",
    "lr-mmt-command": "two simulations, and half a second for libraries, tables and the page",
    "flat-100k": "what all VMs of a slot ask for, histograms of utilisation and the sums of each "
    "host's guests take two thirds; C in their place, or one sum for VMs with the same series, "
    "would get there",
    "flat-1m": "building the farm and placing its VMs take longer than the target; then as in the "
    "row of 100,000 VMs",
    "lives-room": _LIVES,
    "lives-full": _LIVES,
    "surf-279": _LIVES,
    "surf-150": _LIVES,
    "azure-month": "the order of hosts by free CPU, searched and updated for each VM, takes over "
    "half; hosts in buckets by free cores would get there",
    "pre-copy": "a migration changes the farm three times and the rates of links six times; the "
    "rates are a fifth, the farm a quarter, the rest is spread over events, slots, routes and "
    "records; rates, hosts and steps of a migration would all have to be compiled",
    "transfers": "rates that really change grow faster than the number of transfers; a compiled "
    "update of shares would lower the cost of each",
    "validate": "the interpreter and four libraries take two thirds",
    "first-steps": "libraries take a quarter, two simulations nearly half",
}
"""Where the time of a case goes and what would get there; shown if its row misses the target."""

NOT_STATED = "not stated yet"
PLAIN = ("flat-100k", "lr-mmt")
MOST_TIMES = 2.0
DAY_SLOTS, START_SLOTS = 288, 2


class Work(NamedTuple):
    """A row of the table of targets.

    ``figure`` returns from the figures of all cases what is compared; ``before`` is what it was at
    the version that the work on speed began with, ``target`` what it is to reach. Memory is in MiB.
    """

    what: str
    case: str
    before: float
    target: float
    unit: str = "s"
    figure: Callable[[Cases, str], float] = lambda cases, name: cases[name]["seconds"]
    more_is_better: bool = False
    before_mib: float = 0
    target_mib: float = 0


def _samples_per_s(cases: Cases, name: str) -> float:
    """Return VM-samples per µs of CPU, those of the first 10 min and the placement not counted."""
    whole, start = cases[name], cases[f"{name}-start"]
    samples = whole["vms"] * (DAY_SLOTS - START_SLOTS)
    return float(samples / (whole["seconds"] - start["seconds"]) / 1e6)


def _times_fixed_rate(cases: Cases, name: str) -> float:
    """Return how many times as long a day takes as with migrations at a fixed rate."""
    return float(cases[name]["seconds"] / cases["lr-mmt"]["seconds"])


def _exponent(cases: Cases, name: str) -> float:
    """Return the exponent of the growth of time from the smallest size to the largest."""
    (_, small, first), *_, (_, large, last) = growing(name)
    return _growth(small, cases[first], large, cases[last])


WORKS = (
    Work("PlanetLab day under LR-MMT, 1,052 VMs on 800 hosts: simulation", "lr-mmt", 2.2, 0.8),
    Work("the same, whole command with baseline, tables and report", "lr-mmt-command", 3.05, 1.5),
    Work("dense farm, 100 hosts, 1,000 VMs, a day: simulation", "dense-day", 3.4, 0.3),
    Work("500 hosts, 19,000 VMs, 30 days, hourly control: simulation", "dense-month", 137, 9),
    Work(
        "288 samples of 100,000 VMs, no moves: samples per s", "flat-100k", 50, 200,
        "million/s", _samples_per_s, more_is_better=True,
    ),
    Work(
        "1,000,000 VMs, 24 h, no moves: simulation", "flat-1m", 6.7, 1.5,
        before_mib=963, target_mib=1024,
    ),
    Work("20,000 VMs that come and go, 1,000 hosts, 17 % full: simulation", "lives-room", 7.4, 1.9),
    Work("20,000 VMs that come and go, 200 hosts, full: simulation", "lives-full", 15.2, 2),
    Work("SURF month, 68,648 VMs, 279 hosts, nobody waits: simulation", "surf-279", 16.3, 3),
    Work("SURF month, 150 hosts, VMs wait: simulation", "surf-150", 25.6, 4),
    Work("288 samples of 10,000 VMs from wide Parquet: whole command", "wide-command", 4.2, 1.4),
    Work(
        "288 samples of 10,000 VMs from tidy Parquet: reading", "tidy-reading", 7.5, 1,
        before_mib=883, target_mib=400,
    ),
    Work("month of 1,870,433 arrivals, 10,000 hosts: whole command", "azure-month", 49, 25),
    Work(
        "PlanetLab day, pre-copy over a fat tree against a fixed rate", "pre-copy", 9.2, 3, "times",
        _times_fixed_rate,
    ),
    Work(
        "transfers at a time, 1,000 to 5,000: exponent of growth", "transfers", 1.4, 1.05, "",
        _exponent,
    ),
    Work(
        "a year at 5 min with control, 100 hosts, load constant after a day: simulation",
        "constant-year", 1200, 60,
    ),
    Work("`farmsim validate library/first-steps`", "validate", 0.39, 0.25),
    Work("`farmsim run library/first-steps`", "first-steps", 1.5, 0.9),
    Work("a year of 1,000 hosts that fail, 10,000 VMs: whole command", "failing-year", 27, 60),
    Work("`farmsim --help`", "help", 0.07, 0.15),
)  # fmt: skip


def text(figures: Figures) -> str:
    """Return all tables as aligned text."""
    tables = (list(table(figures)) for table in TABLES.values())
    return "\n\n".join(page_tables.aligned(rows) for rows in tables if len(rows) > 1)


def blocks(figures: Figures) -> dict[str, str]:
    """Return the blocks of the page by name."""
    made = {name: page_tables.markdown(list(table(figures))) for name, table in TABLES.items()}
    reasons = [
        f"- {work.what}: {WHY_MISSED.get(work.case, NOT_STATED)}." for work in _missed(figures)
    ]
    return {**made, "missed": "\n".join(reasons) if reasons else "None."}


def _work(figures: Figures) -> Iterator[Row]:
    """Yield what is to be reached, what was measured, and how the two compare.

    The ratio is that of the times: above 1 the target is missed.
    """
    yield "work", "before", "to reach", "measured", "over target", "peak, MiB", ""
    for work in WORKS:
        before = _amount(work.before, work.unit, work.before_mib)
        target = _amount(work.target, work.unit, work.target_mib)
        value = _value(work, figures)
        if value is None:
            yield work.what, before, target, "not measured", "", "", ""
            continue
        peak_mib = figures["cases"][work.case]["peak_mib"]
        met = "**missed**" if work in _missed(figures) else "met"
        ratio = work.target / value if work.more_is_better else value / work.target
        yield (
            work.what, before, target, _amount(value, work.unit), f"{ratio:.2f}",
            f"{peak_mib:,.0f}", met,
        )  # fmt: skip


def _value(work: Work, figures: Figures) -> float | None:
    """Return the figure of a row, or None if not all that it needs was measured."""
    try:
        return float(work.figure(figures["cases"], work.case))
    except KeyError:
        return None


def _missed(figures: Figures) -> list[Work]:
    """Return the rows that miss their target of time or memory."""
    found = []
    for work in WORKS:
        value = _value(work, figures)
        if value is None:
            continue
        late = value < work.target if work.more_is_better else value > work.target
        peak_mib = figures["cases"][work.case]["peak_mib"]
        if late or (work.target_mib and peak_mib > work.target_mib):
            found.append(work)
    return found


def _amount(value: float, unit: str, mib: float = 0) -> str:
    """Return a figure with its unit to three significant digits, and memory if there is any."""
    digits = max(0, 2 - math.floor(math.log10(value))) if value else 0
    amount = f"{value:,.{min(digits, 2)}f} {unit}".strip()
    return f"{amount}, {mib:,.0f} MiB" if mib else amount


def _grown(figures: Figures) -> Iterator[Row]:
    """Yield time and memory at three sizes, and the exponents of growth between them."""
    yield "case", "what grows", "sizes", "CPU, s", "exponents", "peak, MiB"
    for name, case in CASES.items():
        sizes = list(growing(name))
        found = [(size, figures["cases"].get(key)) for _, size, key in sizes]
        if case.growth is None or not all(each for _, each in found):
            continue
        steps = itertools.pairwise(found)
        exponents = [_growth(few, small, many, large) for (few, small), (many, large) in steps]
        yield (
            f"`{name}`", case.growth.of, " → ".join(f"{size:,}" for size, _ in found),
            " → ".join(f"{each['seconds']:.2f}" for _, each in found),
            ", ".join(f"{each:.2f}" for each in exponents),
            " → ".join(f"{each['peak_mib']:,.0f}" for _, each in found),
        )  # fmt: skip


def _growth(few: float, small: Figures, many: float, large: Figures) -> float:
    """Return the exponent of the growth of time between two sizes."""
    return math.log(large["seconds"] / small["seconds"]) / math.log(many / few)


def _models(figures: Figures) -> Iterator[Row]:
    """Yield the time with each model switched on, over that with none."""
    cases = figures["cases"]
    yield "model switched on", *(f"`{plain}`, times as long" for plain in PLAIN), ""
    for model in MODELS:
        if all(key in cases for plain in PLAIN for key in (plain, f"{plain}-{model}")):
            times = [cases[f"{each}-{model}"]["seconds"] / cases[each]["seconds"] for each in PLAIN]
            met = "met" if max(times) <= MOST_TIMES else "**missed**"
            yield model, *(f"{each:.2f}" for each in times), met


def _machine(figures: Figures) -> Iterator[Row]:
    """Yield what the figures were measured on: processor, memory, system, versions, yardstick."""
    yield "", ""
    yield from ((name, str(value)) for name, value in figures["machine"].items())
    loops_s = [case["yardstick_s"] for case in figures["cases"].values()]
    yield "yardstick, s", f"{min(loops_s):.3f} to {max(loops_s):.3f}"


TABLES: dict[str, Callable[[Figures], Iterator[Row]]] = {
    "work": _work,
    "growth": _grown,
    "models": _models,
    "machine": _machine,
}
"""What the page holds, by the name that marks its place there."""
