"""Terminal output of runs: a progress bar, then a table.

Without a terminal on standard error there is no bar.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..models.base.metric_definitions import METRICS, SAVINGS, WHERE_KNOWN
from ..scenarios.errors.terminal_text import one_line
from .base.metric_titles import title_of
from .base.wording import shown, titled
from .report.evacuation import evacuated
from .report.report import payback_lines
from .run.execute import Progress
from .run.result import Result
from .studies.compare import Comparison
from .studies.compare_report import written

SHOWN = (
    "work_served_share", "work_served_ghz_h", "hosts_on_peak", "hosts_on_mean",
    "consolidation_ratio", "gap_hosts", "energy_kwh", "gap_energy", "energy_cost",
    "capital_cost", "licence_cost", "total_cost", "cost_per_year", "utilisation_mean",
    "utilisation_p95", "memory_mean", "memory_p95", "host_vcpus_per_core_max", "migrations",
    "migration_wait_mean_s", "downtime_p99_s",
    "link_utilisation_max", "host_boots", "vm_availability", "unserved_share", "cpu_ready",
    "response_mean_ms",
    "response_p95_ms", "slatah", "pdm", "esv", "co_tenants", "exposure",
    "applications_unserved_share", "shortage_mean_s",
)  # fmt: skip
BETWEEN_S = 0.1


@contextmanager
def progress(silent: bool) -> Iterator[Progress | None]:
    """Give a function that draws a bar on standard error, or None where there is no terminal.

    The bar is drawn anew at most ten times a second.

    Names of cases come from files of others; they are shown as one line without markup. The bar is
    removed at the end.
    """
    if silent or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only on a terminal
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    bar = Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[clock]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, object] = {}
    last = 0.0

    def show_progress(name: str, now_s: float, end_s: float) -> None:
        nonlocal last
        if time.monotonic() - last < BETWEEN_S and name in tasks:
            return
        last = time.monotonic()
        if name not in tasks:
            tasks[name] = bar.add_task(one_line(name), total=end_s, clock="")
        clock = f"{now_s / 3600:.1f} of {end_s / 3600:g} h"
        bar.update(tasks[name], completed=now_s, clock=clock)  # type: ignore[arg-type]

    with bar:
        yield show_progress


def summary_text(result: Result) -> str:
    """Return verdict, main figures beside those of the baselines, and warnings, as text.

    An evacuation comes first. Metrics of :data:`SHOWN` that the run lacks are left out.

    Figures are those of the report, in the same words and digits.
    """
    labels = [str(each["label"]) for each in result.summary["baselines"]]
    rows = [["", "this run", *labels, ""]]
    for name in SHOWN:
        if name not in result.summary:
            continue
        unit = result.summary[name]["unit"]
        title = titled(title_of(name, result.summary), unit, result.value("duration_h"))
        row = [title, shown(result.value(name), unit)]
        for baseline in result.baselines:
            entry = baseline.summary.get(name, {"value": None})
            row.append(shown(entry["value"], unit))
        rows.append([*row, "" if unit == "share" else unit])
    emptied = evacuated(result)
    lines = [] if emptied is None else [emptied.text(), ""]
    lines += [str(result.summary["verdict"]), "", *_aligned(rows)]
    if "limiting_resource" in result.summary:
        lines.append(f"\n{result.summary['limiting_resource']['text']}")
    lines += [f"\n{line}" for line in payback_lines(result)]
    lines += [f"\nnote: {warning}" for warning in result.summary["warnings"]]
    return "\n".join(lines)


def comparison_text(comparison: Comparison) -> str:
    """Return what the variants come to, and their main figures side by side, as text.

    After the chosen metrics come those of one's own.

    A star marks what is best in its row at every level; no row has one where all are equal.
    """
    names = comparison.variants
    rows = [["", *(text for name in names for text in _heading(name, comparison.reference)), ""]]
    known = METRICS.keys() | WHERE_KNOWN.keys() | SAVINGS.keys()
    picked = [name for name in SHOWN if name in comparison.rows]
    picked += [name for name in comparison.rows if name not in known]
    for metric in picked:
        row = comparison.rows[metric]
        cells = [titled(row.title, row.unit, comparison.result(names[0]).value("duration_h"))]
        for name in names:
            cells += _cells(written(row, name, name == comparison.reference), name, comparison)
        rows.append([*cells, "" if row.unit == "share" else row.unit])
    lines = [*comparison.sentences, "", *_aligned(rows)]
    if any(comparison.rows[metric].best for metric in picked):
        lines.append("\n* best of its row at every level")
    lines += [f"\nnote: {note}" for note in comparison.notes]
    return "\n".join(lines)


def _heading(name: str, reference: str) -> list[str]:
    """Return the headings of a variant: its name, and one for its difference."""
    return [name] if name == reference else [name, "difference"]


def _cells(texts: dict[str, Any], name: str, comparison: Comparison) -> list[str]:
    """Return the cells of a variant: value with band, and its difference to the reference.

    The reference has one cell, others two. A star marks the best.
    """
    value = " ".join(part for part in (texts["value"], texts["band"]) if part)
    value += "*" if texts["best"] else " "
    if name == comparison.reference:
        return [value]
    change = f" ({texts['change']})" if texts["change"] else ""
    return [value, f"{texts['difference'] or shown(None)}{change}"]


def _aligned(rows: list[list[str]]) -> list[str]:
    """Return rows as lines: first column left, last as it is, the others right.

    All rows have as many cells as the first. Lines end without blanks.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines
