"""Say what an import made: one sentence, clusters, worst findings, and what to do next."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Final

from ...scenarios.errors.terminal_text import one_line, shortened
from ...scenarios.importing.import_record import NO_CLUSTER, Imported
from ...scenarios.inventory.cluster_totals import ClusterTotals
from ...scenarios.inventory.findings import Finding, Severity
from ...scenarios.inventory.inventory import Scope
from ...scenarios.inventory.scope import WORDS
from ..base.wording import count, listed
from .load_tiers import ASSUMED, KnownLoad

FINDINGS: Final = 6
CLUSTERS: Final = 12
NAME: Final = 22
WIDTH: Final = 79


def known_sentence(known: KnownLoad | None) -> str:
    """Return what is known of CPU over time, with its tier; no full stop."""
    if known is None:
        return "What is known of CPU demand could not be told: the scenario cannot be read"
    words = known.words[:1].upper() + known.words[1:]
    return words if known.tier == ASSUMED else f"{words} ({known.tier})"


def sentence(imported: Imported) -> str:
    """Return line one: how many VMs are in the plan, and which were left out and why."""
    scopes = imported.scopes
    planned, total = scopes[Scope.IN_PLAN], len(imported.inventory.vms)
    left = [f"{number:,} {WORDS[scope][number != 1]}" for scope, number in scopes.items()
            if scope is not Scope.IN_PLAN]  # fmt: skip
    verb = "is" if planned == 1 else "are"
    if not left:
        whole = count(planned, "VM") if planned == 1 else f"All {count(planned, 'VM')}"
        return f"{whole} {verb} in the plan; none was left out."
    return f"{planned:,} of {total:,} VMs {verb} in the plan; left out: {listed(left)}."


def hosts_sentence(imported: Imported) -> str:
    """Return how many hosts there are, and how many are not known."""
    hosts = imported.inventory.hosts
    if not hosts:
        return "No host is in the files: capacity, utilisation and N-1 are not known."
    serving = sum(host.in_service for host in hosts)
    text = f"{count(len(hosts), 'host')} with a row"
    text += f", {serving:,} of them in service" if serving < len(hosts) else ", in service"
    missing = sum(cluster.hosts_missing for cluster in imported.clusters)
    if missing:
        are = "is" if missing == 1 else "are"
        text += f"; {count(missing, 'host')} with VMs {are} missing from the files"
    return f"{text}."


def import_text(imported: Imported, known: KnownLoad | None, directory: Path) -> str:
    """Return what the terminal shows of an import."""
    lines = [sentence(imported), hosts_sentence(imported), ""]
    lines += _cluster_lines(imported.clusters)
    confidence = "none" if known is None else known.confidence
    lines += ["", *wrap(f"{known_sentence(known)}; confidence {confidence.upper()}", WIDTH)]
    for each in known.to_measure if known else ():
        lines += wrap(each, WIDTH, initial_indent="  - ", subsequent_indent="    ")
    lines += ["", *_finding_lines(imported.findings)]
    files = [*imported.files, *(["load.parquet"] if imported.load else []), "import.json"]
    lines += [
        "",
        f"Written {directory}: {', '.join(files)}",
        f"Page    {directory / 'import.html'}",
    ]
    scenario = directory / "scenario.yaml"
    if any(power.power is None for power in imported.powers):
        lines += ["", f"First give the power of hosts: --map, or power: in {scenario}"]
    lines += ["", f"Next    farmsim size {scenario} --server NAME   how many hosts are needed",
              f"        farmsim run {scenario}                  the farm as it is"]  # fmt: skip
    return "\n".join(lines)


def _cluster_lines(clusters: Sequence[ClusterTotals]) -> list[str]:
    """Return the totals of clusters as a table of up to 79 columns."""
    head = ("Cluster", "hosts", "VMs", "vCPUs", "GiB", "vCPU:core", "memory", "N-1")
    widths = (NAME, 6, 6, 7, 8, 10, 8, 7)
    lines = [_row(head, widths)]
    for each in clusters[:CLUSTERS]:
        cells = (
            shortened(one_line(each.name or NO_CLUSTER), NAME - 1), f"{each.hosts_in_service:,}",
            f"{each.vms_in_plan:,}",
            f"{each.vcpus:,}", f"{each.memory_mib / 1024:,.0f}", _ratio(each.vcpus_per_core),
            _share(each.memory_utilisation), _share(each.memory_n1),
        )  # fmt: skip
        lines.append(_row(cells, widths))
        if each.reason:
            lines.append(f"  no figure: {one_line(each.reason)}")
    if len(clusters) > CLUSTERS:
        lines.append(f"  and {len(clusters) - CLUSTERS:,} more clusters, in import.html")
    lines.append(
        "  memory: configured, of all that hosts in service list; N-1: the largest host lost"
    )
    lines.append("  size, headroom and failover fill hosts up to their ceilings (scenario.yaml)")
    return lines


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return a row: the first cell to the left, the others to the right."""
    first, *others = zip(cells, widths, strict=True)
    return f"{first[0]:<{first[1]}}" + "".join(f"{cell:>{width}}" for cell, width in others)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _finding_lines(findings: Sequence[Finding]) -> list[str]:
    """Return how many findings there are, and the worst ones."""
    if not findings:
        return ["Findings: none"]
    numbers = {each: sum(one.severity is each for one in findings) for each in Severity}
    told = [count(numbers[Severity.ERROR], "error"), count(numbers[Severity.WARNING], "warning"),
            f"{numbers[Severity.INFO]:,} for information"]  # fmt: skip
    lines = [f"Findings: {', '.join(told)}"]
    worst = [each for each in findings if each.severity is not Severity.INFO]
    for each in worst[:FINDINGS]:
        lines.append(f"  {each.severity.value:<8}{each.code}")
        lines.append(f"          {one_line(shortened(each.message, 300))}")
    if len(worst) > FINDINGS:
        lines.append(f"  and {len(worst) - FINDINGS:,} more, in import.html")
    return lines
