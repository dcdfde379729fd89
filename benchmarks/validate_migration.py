"""Compare migrations with SimGrid, QEMU's predictions and measured migrations.

``python benchmarks/validate_migration.py`` prints the tables; ``--markdown PAGE`` writes those
of docs/migration.md anew. The exit code is 1 if a figure is outside its tolerance. The inputs
are in tests/support/published_migrations.py and tests/data/simgrid.
"""

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from migrations import Row, play_simgrid, simgrid_runs
from published_migrations import (
    OPNFV,
    QEMU,
    fitted_opnfv,
    play_mmuncher,
    play_opnfv,
    play_quake,
    play_specweb,
    predict_qemu,
)

from farmsim.models.migration.course import MigrationOutcome, liu_energy_j

REACTIONS = ("stop_and_copy", "throttle", "post_copy", "cancel")
TOTAL_OFF, DOWNTIME_OFF = 1e-6, 1e-5
Line = Sequence[str]


class Verdicts:
    """Remembers whether anything was outside.

    Kept at the class, since each table asks on its own; the exit code is taken from it at the end.
    """

    outside = False

    @classmethod
    def of(cls, inside: bool) -> str:
        """Return a verdict in words."""
        cls.outside |= not inside
        return "inside" if inside else "OUTSIDE"


@cache
def runs() -> tuple[tuple[Row, tuple[MigrationOutcome, ...]], ...]:
    """Return every run of SimGrid that ended, with what farmsim makes of it."""
    ended = (row for row in simgrid_runs() if row.converged)
    return tuple((row, tuple(play_simgrid(row, len(row.rounds)))) for row in ended)


def simgrid() -> Iterator[Line]:
    """Compare every migration of SimGrid that ended: total time, downtime and number of rounds.

    A row for each case and network model, with the largest relative error over its runs. Both
    simulate the same algorithm on the same network, so that tolerances are those of rounding.
    """
    yield (
        "case", "network model", "migrations", "total, worst", "downtime, worst", "rounds differ",
        "verdict",
    )  # fmt: skip
    cases = dict.fromkeys((row.case, row.network) for row, _ in runs())
    for case, network in cases:
        found = [pair for pair in runs() if (pair[0].case, pair[0].network) == (case, network)]
        total = max(_worst(outs, row.total_s, "total_s") for row, outs in found)
        downtime = max(_worst(outs, row.downtime_s, "downtime_s") for row, outs in found)
        rounds = sum(
            out.rounds != said for row, outs in found
            for out, said in zip(outs, row.rounds, strict=True)
        )  # fmt: skip
        inside = total <= TOTAL_OFF and downtime <= DOWNTIME_OFF and not rounds
        count = sum(len(outs) for _, outs in found)
        yield (
            case.replace("_", " "), network, f"{count}", f"{total:.1e}", f"{downtime:.1e}",
            f"{rounds}", Verdicts.of(inside),
        )  # fmt: skip


def _worst(outcomes: Sequence[MigrationOutcome], said: Sequence[float], figure: str) -> float:
    """Return the largest relative error of a figure over migrations of one run."""
    pairs = zip(outcomes, said, strict=True)
    return max(abs(getattr(outcome, figure) / value - 1) for outcome, value in pairs)


def never_ending() -> Iterator[Line]:
    """Show what each reaction makes of the runs of SimGrid that never ended.

    Such a VM dirties memory faster than it is copied; SimGrid has no limit of rounds.
    """
    yield "memory", "declared", "VM is at the", "rounds", "total, s", "downtime, s", "why"
    for row in simgrid_runs():
        if row.converged:
            continue
        for reaction in REACTIONS:
            (out,) = play_simgrid(row, 1, if_not_converging=reaction, max_stalled_rounds=2)
            Verdicts.of(out.reaction == reaction)
            yield (
                f"{row.memory_bytes / 2**30:g} GiB",
                f"`{reaction}`",
                out.final_place,
                f"{out.rounds}",
                f"{out.total_s:.2f}",
                f"{out.downtime_s:.4f}",
                out.reason,
            )


def qemu() -> Iterator[Line]:
    """Compare with the times that QEMU predicts, by bandwidth and downtime limit.

    A cell is the predicted time in s, ``–`` where none is; all of a row must be the same.
    """
    targets = list(next(iter(QEMU.values())))
    yield "bandwidth, 2^20 bit/s", *(_limit(target) for target in targets), "verdict"
    for mbit, cells in QEMU.items():
        found = [predict_qemu(mbit, target) for target in targets]
        shown = ["–" if seconds is None else f"{seconds}" for seconds in found]
        yield f"{mbit:g}", *shown, Verdicts.of(found == list(cells.values()))


def _limit(target_s: float) -> str:
    """Return a limit of downtime in ms, ``any`` for none."""
    return "any" if target_s == math.inf else f"{target_s * 1000:g} ms"


def opnfv() -> Iterator[Line]:
    """Compare with what OPNFV measured: fitted to the idle guest, predicted for the loaded one.

    Inside is a total time within 20 % and a downtime within 10 ms. Only rows that were not
    optimised count for the exit code.
    """
    yield "row", "use", "total, s", "measured", "off", "downtime, ms", "measured", "off", "verdict"
    for ending in ("", ", optimised"):
        model = fitted_opnfv("idle" + ending)
        for row, use in (("idle", "fitted"), ("loaded", "predicted")):
            total_s, downtime_s = OPNFV[row + ending]
            out = play_opnfv(model, loaded=row == "loaded")
            off, off_s = out.total_s / total_s - 1, out.downtime_s - downtime_s
            inside = abs(off) <= 0.2 and abs(off_s) <= 0.010
            verdict = "inside" if inside else "outside"
            yield (
                row + ending, use, f"{out.total_s:.3f}", f"{total_s:.3f}", f"{off:+.1%}",
                f"{out.downtime_s * 1000:.1f}", f"{downtime_s * 1000:.0f}",
                f"{off_s * 1000:+.1f}", verdict if ending else Verdicts.of(inside),
            )  # fmt: skip


def clark() -> Iterator[Line]:
    """Compare with the guests of Clark et al. (2005): memory sent, and downtime.

    ``marks`` tell how the inputs were found, as in docs/migration.md.
    """
    yield "guest", "figure", "farmsim", "published", "off", "allowed", "marks", "verdict"
    web, quake, rewriter = play_specweb(), play_quake(), play_mmuncher()
    rows = (
        ("SPECweb99", "sent / memory", web.sent_bytes / 800e6, 1.20, 0.1, "M"),
        ("SPECweb99", "downtime, ms", web.downtime_s * 1000, 210.0, 0.3, "VA"),
        ("Quake 3", "sent / memory", quake.sent_bytes / 64e6, 1.37, 0.1, "M"),
        ("Quake 3", "downtime, ms", quake.downtime_s * 1000, 60.0, 0.3, "VA"),
        ("MMuncher", "downtime, ms", rewriter.downtime_s * 1000, 3500.0, 0.3, "M"),
    )
    for guest, figure, here, there, allowed, marks in rows:
        off = here / there - 1
        yield (
            guest, figure, f"{here:.4g}", f"{there:.4g}", f"{off:+.0%}", f"{allowed:.0%}", marks,
            Verdicts.of(abs(off) <= allowed),
        )  # fmt: skip


def liu() -> Iterator[Line]:
    """Check the energy of a migration, J, against the formula of Liu et al. (2011)."""
    yield "sent, MB", "energy, J", "0.512 V + 20.165", "verdict"
    for sent_mb in (100.0, 1000.0, 10_000.0):
        here, there = liu_energy_j(sent_mb * 1e6), 0.512 * sent_mb + 20.165
        verdict = Verdicts.of(abs(here / there - 1) <= 0.01)
        yield f"{sent_mb:g}", f"{here:.3f}", f"{there:.3f}", verdict


BLOCKS: dict[str, Callable[[], Iterator[Line]]] = {
    "simgrid": simgrid,
    "never_ending": never_ending,
    "qemu": qemu,
    "opnfv": opnfv,
    "clark": clark,
    "liu": liu,
}


def markdown(lines: Iterator[Line]) -> str:
    """Return rows as a table of Markdown."""
    head, *body = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *body])


def rewritten(text: str) -> str:
    """Return the text of a page with its generated tables made anew.

    Raises KeyError if a mark names no table of :data:`BLOCKS`.
    """

    def block(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n\n{markdown(BLOCKS[match[1]]())}\n\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", block, text, flags=re.DOTALL)


def main() -> int:
    """Print the tables or write them into a page; return 1 if a figure is outside its tolerance."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="write the page's tables")
    options = parser.parse_args()
    if options.markdown:
        options.markdown.write_text(rewritten(options.markdown.read_text("utf-8")), "utf-8")
    else:
        for name, make in BLOCKS.items():
            print(f"{name}\n{markdown(make())}\n")
    return int(Verdicts.outside)


if __name__ == "__main__":
    sys.exit(main())
