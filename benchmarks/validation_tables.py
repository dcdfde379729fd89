"""The figures of the validation as tables: on a terminal, and in docs/validation.md.

A *cell* is one day, policy and memory of the experiment, with the figures of farmsim and of the
restatement, as ``validate_planetlab.py`` makes them. A figure that the two programs count
differently stands twice: as farmsim counts it, and, as ``<metric>_counted``, as the restatement
does.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
CLOSE = 0.02
"""Reference values that differ by less say nothing of an order."""

LABELS = {
    "npa": "NPA", "dvfs": "DVFS", "thr": "THR-MMT", "iqr": "IQR-MMT", "mad": "MAD-MMT",
    "lr": "LR-MMT",
}  # fmt: skip
METRICS = ("mean_power_w", "migrations", "slatah", "pdm")
COUNTED = ("migrations", "slatah", "pdm")

Figures = dict[str, Any]
Row = Sequence[str]


def tolerance(cell: Figures, metric: str) -> float:
    """Return by how much a figure may be off, as a share of the reference.

    Mean power 5 %, 1 % where nothing is migrated and the two must agree; migrations 10 %, SLATAH
    and PDM 20 %.
    """
    if metric == "mean_power_w":
        return 0.05 if cell["reference"]["migrations"] else 0.01
    return 0.1 if metric == "migrations" else 0.2


def deviation(cell: Figures, metric: str, counted: bool = False) -> float | None:
    """Return farmsim over reference minus 1; None where the reference is 0."""
    reference = cell["reference"][metric]
    value = cell["farmsim"][f"{metric}_counted" if counted else metric]
    return value / reference - 1 if reference else None


def inside(cell: Figures, metric: str, counted: bool = False) -> bool:
    """Whether a figure is within its tolerance; where the reference is 0 it must be 0 too."""
    off = deviation(cell, metric, counted)
    if off is None:
        return not cell["farmsim"][metric]
    return abs(off) <= tolerance(cell, metric)


def order_breaches(figures: Figures) -> tuple[int, list[str]]:
    """Return how many pairs of policies were compared by energy, and those in another order.

    By mean power, on each day apart and with ample memory only. Pairs closer than :data:`CLOSE` are
    left out.
    """
    pairs, breaches = 0, []
    ample = [cell for cell in figures["cells"] if cell["memory"] == "ample"]
    for one, two in combinations(ample, 2):
        here, there = one["reference"]["mean_power_w"], two["reference"]["mean_power_w"]
        if one["day"] != two["day"] or abs(here - there) <= CLOSE * min(here, there):
            continue
        pairs += 1
        if (one["farmsim"]["mean_power_w"] < two["farmsim"]["mean_power_w"]) != (here < there):
            breaches.append(f"{one['day']} {one['policy']} and {two['policy']}")
    return pairs, breaches


def accepted(figures: Figures) -> bool:
    """Whether every cell with ample memory is within its tolerance and the order is kept.

    What the two programs count differently is counted as the reference does.
    """
    cells = [cell for cell in figures["cells"] if cell["memory"] == "ample"]
    fine = all(inside(cell, metric, metric in COUNTED) for cell in cells for metric in METRICS)
    return fine and not order_breaches(figures)[1]


def as_text(figures: Figures) -> str:
    """Return all tables for a terminal."""
    blocks = [f"{name}\n{_plain(make(figures))}" for name, make in BLOCKS.items()]
    return "\n\n".join(blocks)


def rewrite(page: Path, figures: Figures) -> None:
    """Replace the generated blocks of a page."""
    page.write_text(rewritten(page.read_text(), figures))


def rewritten(text: str, figures: Figures) -> str:
    """Return the text of a page with its generated blocks made anew.

    Raises KeyError if there is no table of the name in a mark.
    """

    def block(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n\n{_markdown(BLOCKS[match[1]](figures))}\n\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", block, text, flags=re.DOTALL)


def _energy(figures: Figures) -> Iterator[Row]:
    """Yield mean power in W of each cell beside the restatement's, with what is allowed."""
    yield "day", "policy", "farmsim, W", "restatement, W", "difference", "allowed", "verdict"
    for cell in figures["cells"]:
        here, there = cell["farmsim"]["mean_power_w"], cell["reference"]["mean_power_w"]
        yield (
            cell["day"], _label(cell), f"{here:,.0f}", f"{there:,.0f}",
            _percent(deviation(cell, "mean_power_w"), 2),
            f"{tolerance(cell, 'mean_power_w') * 100:g} %", _verdict(cell, "mean_power_w"),
        )  # fmt: skip


def _moves(figures: Figures) -> Iterator[Row]:
    """Yield migrations by cell, as farmsim and as the restatement counts them."""
    yield (
        "day", "policy", "farmsim, migrations", "restatement", "difference", "verdict",
        "farmsim, counted as in the restatement", "difference", "verdict",
    )  # fmt: skip
    for cell in _moving(figures):
        here, metric = cell["farmsim"], "migrations"
        yield (
            cell["day"], _label(cell), f"{here[metric]:,.0f}", f"{cell['reference'][metric]:,}",
            _percent(deviation(cell, metric), 2), _verdict(cell, metric),
            f"{here['migrations_counted']:,.0f}", _percent(deviation(cell, metric, True), 2),
            _verdict(cell, metric, True),
        )  # fmt: skip


def _service(metric: str, scale: float, digits: int) -> Callable[[Figures], Iterator[Row]]:
    """Return what makes the table of SLATAH or of PDM.

    ``scale`` turns a share into percent or millionths, ``digits`` are those after the point.
    """

    def rows(figures: Figures) -> Iterator[Row]:
        unit = "%" if scale == 100 else "millionths"
        yield (
            "day", "policy", f"farmsim, {unit}", "restatement", "difference", "verdict",
            "farmsim, counted as in the restatement", "difference", "verdict",
        )  # fmt: skip
        for cell in _moving(figures):
            here, there = cell["farmsim"], cell["reference"]
            yield (
                cell["day"], _label(cell), f"{here[metric] * scale:.{digits}f}",
                f"{there[metric] * scale:.{digits}f}", _percent(deviation(cell, metric)),
                _verdict(cell, metric), f"{here[f'{metric}_counted'] * scale:.{digits}f}",
                _percent(deviation(cell, metric, True)), _verdict(cell, metric, True),
            )  # fmt: skip

    return rows


def _order(figures: Figures) -> Iterator[Row]:
    """Yield the policies of each day by mean power in both programs, and how many pairs agree."""
    yield "day", "restatement, least energy first", "farmsim"
    ample = [cell for cell in figures["cells"] if cell["memory"] == "ample"]
    for day in sorted({cell["day"] for cell in ample}):
        cells = [cell for cell in ample if cell["day"] == day]
        yield day, _ranked(cells, "reference"), _ranked(cells, "farmsim")
    pairs, breaches = order_breaches(figures)
    said = f"{pairs} pairs differ by more than {CLOSE * 100:g} %"
    yield said, "", "all in the same order" if not breaches else "; ".join(breaches)


def _ranked(cells: list[Figures], who: str) -> str:
    """Return policies from the least power on; ``who`` is ``farmsim`` or ``reference``."""
    ranked = sorted(cells, key=lambda cell: cell[who]["mean_power_w"])
    return ", ".join(LABELS[cell["policy"]].removesuffix("-MMT") for cell in ranked)


def _cloudsim(figures: Figures) -> Iterator[Row]:
    """Yield energy and migrations beside those of CloudSim, with files sorted by name.

    A cell is empty where a version was not run.
    """
    versions = ("7.0.1 mended, VMs kept", "7.0.1 mended", "3.0.3", "7.0.1")
    yield (
        "day", "policy", "figure", "farmsim", "restatement",
        *(f"CloudSim {version}" for version in versions),
    )  # fmt: skip
    printed = {
        (row["day"], row["policy"], row["version"]): row
        for row in _cloudsim_rows()
        if row["order"] == "sorted"
    }
    for cell in figures["cells"]:
        if cell["memory"] != "ample":
            continue
        names = {"energy_kwh": "kWh", "migrations": "migrations"}
        for metric, unit in names.items():
            if not cell["reference"][metric]:
                continue
            rows = [printed.get((cell["day"], cell["policy"], version)) for version in versions]
            theirs = [_amount(row[metric], metric) if row else "" for row in rows]
            yield (
                cell["day"], _label(cell), unit, _amount(cell["farmsim"][metric], metric),
                _amount(cell["reference"][metric], metric), *theirs,
            )  # fmt: skip


def _file_order(figures: Figures) -> Iterator[Row]:
    """Yield how far CloudSim's figures depend on the order in which it reads its files."""
    del figures
    yield "policy", "figure", "files sorted by name", "lowest of 7 orders", "highest"
    rows = [row for row in _cloudsim_rows() if row["version"] == "7.0.1 mended"]
    orders = {row["order"] for row in rows}
    for policy in ("dvfs", "thr", "lr"):
        for metric, unit in {"energy_kwh": "kWh", "migrations": "migrations"}.items():
            values = {
                row["order"]: float(row[metric])
                for row in rows
                if row["policy"] == policy and row["day"] == "20110303" and row["order"] in orders
            }
            if max(values.values()):
                shown = values["sorted"], min(values.values()), max(values.values())
                yield LABELS[policy], unit, *(_amount(value, metric) for value in shown)


def _variants(*names: str) -> Callable[[Figures], Iterator[Row]]:
    """Return what makes the table of some variants, in the order in which they were run."""

    def rows(figures: Figures) -> Iterator[Row]:
        yield (
            "changed", "kWh", "migrations", "host boots", "mean hosts on", "SLATAH, %",
            "PDM, %", "CPU not served, %",
        )  # fmt: skip
        for variant in figures["variants"]:
            if variant["name"] not in names:
                continue
            here = variant["farmsim"]
            yield (
                variant["what"], f"{here['energy_kwh']:,.1f}", f"{here['migrations']:,.0f}",
                f"{here['host_boots']:,.0f}", f"{here['hosts_on_mean']:.1f}",
                f"{here['slatah'] * 100:.2f}", f"{here['pdm'] * 100:.4f}",
                f"{here['unserved_share'] * 100:.3f}",
            )  # fmt: skip

    return rows


def _memory(figures: Figures) -> Iterator[Row]:
    """Yield the shipped day under THR with ample memory and with 4096 MB a host enforced."""
    yield "host memory", "figure", "farmsim", "restatement"
    cells = [
        cell
        for cell in figures["cells"]
        if cell["policy"] == "thr" and cell["day"] == "20110303"
    ]  # fmt: skip
    for cell in sorted(cells, key=lambda cell: str(cell["memory"]), reverse=True):
        here, there = cell["farmsim"], cell["reference"]
        power = "mean power, W"
        yield cell["memory"], power, f"{here['mean_power_w']:,.0f}", f"{there['mean_power_w']:,.0f}"
        yield cell["memory"], "migrations", f"{here['migrations']:,.0f}", f"{there['migrations']:,}"
        yield cell["memory"], "mean hosts on", f"{here['hosts_on_mean']:.1f}", ""
        held = "memory of the VMs per 4096 MB host in use"
        yield cell["memory"], held, f"{here['memory_held']:.2f} times its capacity", ""


def _commands(figures: Figures) -> Iterator[Row]:
    """Yield the overrides by which each variant can be run again."""
    yield "changed", "overrides of `library/beloglazov2012`"
    for variant in figures["variants"]:
        overrides = [f"`--set '{override}'`" for override in variant["overrides"]]
        yield variant["what"], " ".join(overrides) or "nothing more"


BLOCKS: dict[str, Callable[[Figures], Iterator[Row]]] = {
    "energy": _energy,
    "migrations": _moves,
    "slatah": _service("slatah", 100, 3),
    "pdm": _service("pdm", 1e6, 1),
    "order": _order,
    "cloudsim": _cloudsim,
    "file_order": _file_order,
    "memory": _memory,
    "variants": _variants(
        "published", "true_increase", "true_increase_memory", "memory", "drain_half", "receivers",
        "idle", "incoming", "switching",
    ),
    "regression": _variants("lr_unweighted", "lr_tricube", "lrr"),
    "commands": _commands,
}  # fmt: skip
"""What the page holds, by the name that marks its place there."""


def _cloudsim_rows() -> list[dict[str, str]]:
    """Return the figures that CloudSim printed, a mapping of texts for each row."""
    with (DATA / "cloudsim.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _moving(figures: Figures) -> Iterator[Figures]:
    """Return the cells whose policy migrates VMs in the reference."""
    return (cell for cell in figures["cells"] if cell["reference"]["migrations"])


def _label(cell: Figures) -> str:
    memory = "" if cell["memory"] == "ample" else f", {cell['memory']} enforced"
    return LABELS[cell["policy"]] + memory


def _verdict(cell: Figures, metric: str, counted: bool = False) -> str:
    return "inside" if inside(cell, metric, counted) else "**outside**"


def _percent(share: float | None, digits: int = 1) -> str:
    return "" if share is None else f"{share * 100:+.{digits}f} %"


def _amount(value: str | float, metric: str) -> str:
    """Return energy with one digit after the point, counts with none."""
    return f"{float(value):,.1f}" if metric == "energy_kwh" else f"{float(value):,.0f}"


def _markdown(rows: Iterable[Row]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    columns = lines[0].count(" | ") + 1
    return "\n".join([lines[0], "|---" * columns + "|", *lines[1:]])


def _plain(rows: Iterable[Row]) -> str:
    table = list(rows)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )
