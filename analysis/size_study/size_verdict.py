"""The sentences of a size study: the number of hosts, what decides it, and how far to trust it."""

from collections.abc import Iterator

from ...models.sizing.floors import NEVER
from ...models.workload.load_band import Band, verdict_words
from ..base.wording import count, percent, span
from .sized import ASSUMED, Simulated, Sized, case_words

DECIDED_BY = {
    "memory": "configured memory",
    "vcpus": "vCPUs per core",
    "cpu": "CPU demand",
    "largest_vm": "the largest VM",
    "rules": "placement rules",
    "min_hosts": "the minimum of a plan",
    "placement": "packing: VMs cannot be split",
}
ASSUMED_WORK = {
    "none": "MHz count as equal",
    "ssj": "as SPECpower_ssj2008 measured",
    "default": "geometric mean of both, at most 1.5",
}


def verdict(sized: Sized) -> str:
    """Return the verdict as a paragraph of plain sentences."""
    return " ".join(sentences(sized))


def sentences(sized: Sized) -> Iterator[str]:
    """Yield what a planner has to know, the answer first."""
    yield _answer(sized)
    if sized.hosts is None:
        yield from sized.notes
        return
    yield _limit(sized)
    yield from _proof(sized)
    yield from _cpu(sized)
    yield _confidence(sized)
    yield from _simulation(sized)
    yield from sized.notes


def _answer(sized: Sized) -> str:
    """Return how many hosts replace how many, or why no number is enough."""
    vms = count(sized.vms, "VM")
    if sized.hosts is None:
        floor = sized.least.floors.limiter
        if floor.hosts >= NEVER:
            what = floor.reason or f"a host has no {floor.name} to give"
            return f"No number of these hosts carries the {vms}: {what}."
        last = sized.least.tried[-1]
        return (
            f"No number of hosts up to {last.hosts:,} was found to carry the {vms}: {last.reason}."
        )
    kept = {
        0: "with no host to spare",
        1: "and any one of them may fail (N+1)",
        2: "and any two of them may fail (N+2)",
    }[sized.reserve]
    known = f" instead of {count(sized.known_hosts, 'known host')}" if sized.known_hosts else ""
    carry = "carry" if sized.hosts > 1 else "carries"
    return f"{count(sized.hosts, 'host')}{known} {carry} the {vms}, {kept}."


def _limit(sized: Sized) -> str:
    """Return what decides the number, and what would decide next."""
    limiter = sized.limiter
    floor, second = sized.least.floors.limiter, sized.least.floors.second
    if limiter["resource"] == "placement":
        return (
            f"Packing decides: sums allow {count(sized.least.floors.hosts, 'host')}, but there "
            f"{limiter['case']}."
        )
    said = f"Limited by {DECIDED_BY[floor.name]} ({case_words(floor.failed)})"
    if second is None or second.hosts >= NEVER:
        return f"{said}."
    return f"{said}; {DECIDED_BY[second.name]} would ask for {count(second.hosts, 'host')}."


def _proof(sized: Sized) -> Iterator[str]:
    """Yield whether fewer hosts are proven to be too few."""
    least = sized.least
    if not least.proven:
        yield (
            f"Fewer may be enough: no placement was found on fewer, and none is possible on fewer "
            f"than {least.bound:,}."
        )


def _cpu(sized: Sized) -> Iterator[str]:
    """Yield how far CPU demand may grow before it decides."""
    factor = sized.break_even.get("cpu")
    if sized.cpu.snapshot_mhz is None or factor is None:
        yield "CPU demand is not known: the number holds only if CPU does not decide."
    elif sized.cpu.measured:
        yield f"CPU demand may grow to {factor:.2f} times what was measured."
    else:
        yield verdict_words(factor, Band(sized.cpu.low, sized.cpu.typical, sized.cpu.high))


def _confidence(sized: Sized) -> str:
    """Return how far each resource is known."""
    sizes, cpu = sized.confidence["memory"], sized.confidence["cpu"]
    known = (
        "Sizes of VMs are those of the scenario"
        if sizes == ASSUMED
        else f"Confidence is {sizes} for memory and vCPUs, stated for each VM"
    )
    return f"{known}, and {cpu} for CPU: {sized.cpu.words}."


def _simulation(sized: Sized) -> Iterator[str]:
    """Yield what the simulation of the answer showed."""
    seen = sized.simulated
    if seen is None:
        return
    if seen.failed:
        yield f"The answer could not be simulated: {seen.failed}."
        return
    yield (
        f"Simulated for {span(seen.hours)}: {percent(seen.unserved_share)} of the requested CPU "
        f"was not served{_by_vcpus(seen)}; the busiest host was at {percent(seen.host_p95)} "
        "(P95 over time)."
    )


def _by_vcpus(seen: Simulated) -> str:
    """Say that what is not served is asked for beyond the vCPUs of single VMs, where that is so."""
    if seen.unserved_share and seen.beyond_vcpus_share > 0.5 * seen.unserved_share:
        return " (most of it was more than the vCPUs of single VMs give on these cores)"
    return ""
