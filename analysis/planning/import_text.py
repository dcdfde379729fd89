"""Say what an import made: one sentence, clusters, worst findings, and what to do next."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ...models.base.lazy_dataclass import dataclass
from ...scenarios.errors.terminal_text import one_line, shortened
from ...scenarios.importing.import_record import NO_CLUSTER, Imported
from ...scenarios.inventory.cluster_totals import ClusterTotals
from ...scenarios.inventory.findings import Finding, Severity
from ...scenarios.inventory.inventory import Scope
from ...scenarios.inventory.scope import WORDS
from ..base.wording import count, listed

FINDINGS: Final = 6
CLUSTERS: Final = 12
NAME: Final = 22


@dataclass(frozen=True)
class LoadBasis:
    """What is known of CPU over time: the tier, in words, and the confidence that it allows.

    ``measure`` is what to measure next; empty where enough is known.
    """

    tier: str
    known: str
    confidence: str
    measure: str = ""


def load_basis(imported: Imported) -> LoadBasis:
    """Return what an import knows of CPU over time."""
    inventory, load = imported.inventory, imported.load
    more = "24 snapshots at random hours over 4 weeks, or a history of every VM for 14 days"
    if load is not None:
        steps = len(next(iter(load.mhz.values())))
        days, measured = steps * load.step_s / 86_400, len(load.mhz) - len(load.constant)
        known = f"measured over {days:.3g} days for {measured:,} of {len(load.mhz):,} VMs"
        if not measured:
            return LoadBasis("L2", known, "low", more)
        enough = days >= 14 and not load.constant
        return LoadBasis(
            "L5" if days >= 7 else "L5, but less than a week", known,
            "high" if enough else "medium" if days >= 7 else "low",
            "" if enough else "a history of at least 14 days of every VM",
        )  # fmt: skip
    if any(host.cpu_p95_mhz or host.cpu_mean_mhz for host in inventory.hosts):
        return LoadBasis("L4", "statistics of hosts over a period", "medium", "a history by VM")
    instants = len(inventory.snapshots)
    by_vm = any(vm.cpu_used_mhz is not None or vm.cpu_share is not None for vm in inventory.in_plan)
    by_host = any(host.cpu_used_mhz is not None for host in inventory.hosts)
    if not by_vm and not by_host:
        return LoadBasis("L0", "not known", "none", more)
    if instants >= 12:
        return LoadBasis(
            "L3", f"known at {instants} instants", "medium" if instants >= 24 else "low",
            "" if instants >= 24 else "up to 24 snapshots at random hours",
        )  # fmt: skip
    when = "one instant" if instants < 2 else f"{instants} instants"
    tier, whom = ("L2", "each VM") if by_vm else ("L1", "each host")
    return LoadBasis(tier, f"known of {whom} at {when} only", "low", more)


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


def import_text(imported: Imported, directory: Path) -> str:
    """Return what the terminal shows of an import."""
    basis = load_basis(imported)
    lines = [sentence(imported), hosts_sentence(imported), ""]
    lines += _cluster_lines(imported.clusters)
    told = f"CPU over time: {basis.known} ({basis.tier}); confidence {basis.confidence.upper()}"
    lines += ["", told]
    if basis.measure:
        lines += [f"  measure next: {basis.measure}"]
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
    lines.append("  memory: configured, of hosts in service; N-1: with the largest host lost")
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
