"""A size study as text for a terminal."""

from collections.abc import Iterator
from textwrap import fill

from ...models.sizing.floors import NEVER
from .size_verdict import ASSUMED_WORK, DECIDED_BY
from .sized import Sized, case_words

WIDTH = 100


def text(sized: Sized) -> str:
    """Return the answer: verdict, floors, what changes it, failures, limits."""
    lines = [fill(sized.verdict, WIDTH), "", f"Server: {sized.server} ({sized.server_text})", ""]
    lines += list(_floors(sized))
    lines += list(_variations(sized))
    if sized.failures is not None:
        lines += ["", f"Failures: {sized.failures.sentence()}"]
    if sized.simulated is not None and sized.simulated.back_test:
        lines += ["", fill(" ".join(sized.simulated.back_test), WIDTH)]
    lines += ["", "Limits: " + "; ".join(sized.limits)]
    if sized.cpu.to_measure:
        lines += ["", "To know the CPU demand better:"]
        lines += [fill(f"- {each}", WIDTH, subsequent_indent="  ") for each in sized.cpu.to_measure]
    return "\n".join(lines)


def _floors(sized: Sized) -> Iterator[str]:
    """Yield the floors, a line each: what asks for hosts, how many, when, and break-even."""
    yield f"{'asks for hosts':36}{'hosts':>7}  {'case':24}{'may grow to':>12}"
    for floor in sized.floors:
        hosts = "none" if floor.hosts >= NEVER else f"{floor.hosts:,}"
        grows = sized.break_even.get(floor.name)
        shown = "" if grows is None else f"x {grows:.2f}"
        yield (
            f"{DECIDED_BY[floor.name]:36}{hosts:>7}  {case_words(floor.failed):24}{shown:>12}"
        ).rstrip()


def _variations(sized: Sized) -> Iterator[str]:
    """Yield what other assumptions give."""
    if sized.hosts is None:
        return
    if sized.hosts_by_factor and len(sized.hosts_by_factor) > 1:
        cells = ", ".join(f"x {key:g}: {n:,}" for key, n in sized.hosts_by_factor.items())
        yield ""
        yield f"Hosts that CPU alone asks for, by factor on the snapshot: {cells}"
    if sized.performance["ssj"] is not None and sized.performance["ssj"] != 1.0:
        cells = ", ".join(
            f"{ASSUMED_WORK[mode]} (x {factor:.2f}): {_hosts(sized.hosts_by_performance[mode])}"
            for mode, factor in sized.performance.items()
            if factor is not None
        )
        yield f"Hosts by the work per MHz of the new server: {cells}"
    if sized.clusters_apart:
        cells = ", ".join(f"{name} {_hosts(n)}" for name, n in sized.clusters_apart.items())
        known = [n for n in sized.clusters_apart.values() if n is not None]
        total = (
            f" ({sum(each for each in known):,} in all)"
            if len(known) == len(sized.clusters_apart)
            else ""
        )
        yield f"Hosts with each cluster by itself: {cells}{total}"


def _hosts(number: int | None) -> str:
    return "none is enough" if number is None else f"{number:,}"
