"""Run the experiments of the claims and write their tables into docs/claims/*.md.

A page ``N-short-name.md`` belongs to the scenario ``library/claim-N-short-name``. In it,
``<!-- compare -->`` to ``<!-- end -->`` holds the table of
``farmsim compare ... --overhead-range``.
Options stand in the mark as ``key="words apart by blanks"``: ``set`` puts values over the
scenario as ``--set`` does, ``variants`` and ``metrics`` choose columns and rows, ``scenario``
names another one, and ``levels="typical"`` leaves out the band. ``tenants`` names columns of the
table of tenants, which is then shown instead, at the typical level.

``python docs/claims.py`` writes all pages, ``python docs/claims.py 4 8`` those of two claims,
``--check`` writes nothing and fails where a page is stale.
"""

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from farmsim.analysis.base.wording import shown
from farmsim.analysis.studies.compare import Comparison, run_all
from farmsim.analysis.studies.compare_report import written
from farmsim.scenarios.variants import OVERHEADS, expand

PAGES = Path(__file__).parent / "claims"
BLOCK = re.compile(r"<!-- compare(?P<options>[^\n]*?) -->\n.*?<!-- end -->", re.DOTALL)
METRICS = (
    "hosts_on_peak", "energy_kwh", "energy_per_work", "overhead_share", "unserved_share",
    "cpu_ready", "response_mean_ms", "response_p99_ms", "licence_cost", "cost_per_year",
)  # fmt: skip
OPTIONS = {"scenario", "set", "variants", "metrics", "levels", "tenants"}


@cache
def compared(
    scenario: str, overrides: tuple[str, ...], variants: tuple[str, ...], band: bool
) -> Comparison:
    """Return variants of a scenario side by side.

    Kept, since several tables of a page may be of the same comparison. ``variants`` also gives the
    order, the reference first; all of the scenario where it is empty. Exits if there is no such
    variant.
    """
    levels = OVERHEADS if band else None
    found = expand([scenario], overrides, levels=levels)
    known = [each.name for each in found]
    if unknown := set(variants).difference(known):
        raise SystemExit(f"{scenario} has no variant {', '.join(unknown)}; it has {known}")
    chosen = [each for each in found if not variants or each.name in variants]
    return run_all(sorted(chosen, key=lambda each: _place(each.name, variants)), levels)


def _place(name: str, variants: Sequence[str]) -> int:
    """Return where a variant stands among those asked for; 0 where all are shown."""
    return variants.index(name) if variants else 0


def options_of(text: str) -> dict[str, tuple[str, ...]]:
    """Return the options of a mark. Exits where one is not known."""
    pairs = [word.partition("=") for word in shlex.split(text)]
    found = {key: tuple(shlex.split(value)) for key, _, value in pairs}
    if unknown := found.keys() - OPTIONS:
        raise SystemExit(f"unknown option {', '.join(unknown)}; known: {', '.join(OPTIONS)}")
    return found


def table(scenario: str, options: dict[str, tuple[str, ...]]) -> str:
    """Return a comparison as a Markdown table, a row per metric.

    Metrics that a variant lacks are shown as ``–``, those of :data:`METRICS` that all lack are left
    out; one that was asked for and does not exist ends the command.
    """
    comparison = compared(
        options.get("scenario", (scenario,))[0],
        options.get("set", ()),
        options.get("variants", ()),
        options.get("levels") != ("typical",),
    )
    if "tenants" in options:
        return tenants(comparison, options["tenants"])
    names = comparison.variants
    lines = [["", *names, ""], ["---", *("---:" for _ in names), "---"]]
    for metric in options.get("metrics", METRICS):
        row = comparison.rows.get(metric)
        if row is not None:
            unit = "" if row.unit == "share" else row.unit
            cells = [_cell(written(row, name, name == comparison.reference)) for name in names]
            lines.append([row.title, *cells, unit])
        elif metric not in METRICS:
            raise SystemExit(f"{scenario} has no metric {metric}; it has {[*comparison.rows]}")
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tenants(comparison: Comparison, columns: Sequence[str]) -> str:
    """Return the tables of tenants of all variants as one, a row per variant and tenant.

    ``columns`` are those of the table of tenants. Rows without VMs are left out.
    """
    lines: list[list[str]] = []
    for name in comparison.variants:
        held = comparison.result(name).table("tenants")
        units = {key: (held.schema.field(key).metadata or {})[b"unit"].decode() for key in columns}
        heads = [f"{key}, {unit}" if unit not in ("", "share") else key
                 for key, unit in units.items()]  # fmt: skip
        lines = lines or [["variant", "tenant", *heads], ["---", "---", *("---:" for _ in columns)]]
        for row in held.to_pylist():
            if row["vms"]:
                cells = [_plain(row[key], units[key]) for key in columns]
                lines.append([name, row["tenant"], *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(value: object, unit: str) -> str:
    """Return a cell of a table of tenants: a text, or a figure with its unit."""
    return (value or "nobody") if isinstance(value, str) else shown(value, unit)


def _cell(texts: dict[str, str]) -> str:
    """Return value, band and change of a figure as one cell."""
    change = f"({texts['change']})" if texts["change"] else ""
    return " ".join(part for part in (texts["value"], texts["band"], change) if part)


def renewed(page: Path) -> str:
    """Return a page with its tables made anew.

    Only what stands between the marks is replaced. The text around it is written by hand and may go
    stale where figures change: that is what ``--check`` reports.
    """
    scenario = f"library/claim-{page.stem}"

    def block(match: re.Match[str]) -> str:
        made = table(scenario, options_of(match["options"]))
        return f"<!-- compare{match['options']} -->\n\n{made}\n\n<!-- end -->"

    return BLOCK.sub(block, page.read_text("utf-8"))


def main() -> int:
    """Write or check the pages; return 1 if one was stale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("claims", nargs="*", metavar="N", help="only these claims")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if stale")
    given = parser.parse_args()
    stale = []
    for page in sorted(PAGES.glob("[0-9]*.md")):
        if given.claims and page.stem.split("-")[0] not in given.claims:
            continue
        text = renewed(page)
        if text == page.read_text("utf-8"):
            continue
        stale.append(page.name)
        if not given.check:
            page.write_text(text, "utf-8")
    sys.stdout.write(f"{'stale' if given.check else 'written'}: {', '.join(stale) or 'none'}\n")
    return int(given.check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
